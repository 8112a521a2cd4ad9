"""A run's code version covers what decides a figure, and nothing else."""

from mgtl_tf.reproduction.code_version import code_version


def test_a_changed_deciding_file_is_another_version(tmp_path, monkeypatch):
    code_version.cache_clear()
    before = code_version()
    root = tmp_path / "copy"
    for folder in ("mgtl_tf", "polar"):
        (root / folder).mkdir(parents=True)
    file = root / "polar" / "geometry.py"
    file.write_text("RADIUS = 3")
    monkeypatch.setattr("mgtl_tf.reproduction.code_version._ROOT", root)
    try:
        versions = [before]
        for text in ("RADIUS = 3", "RADIUS = 4"):
            file.write_text(text)
            code_version.cache_clear()
            versions.append(code_version())
        assert len(set(versions)) == 3
        room = root / "mgtl_tf" / "serving"
        room.mkdir()
        (room / "app.py").write_text("PORT = 1")
        code_version.cache_clear()
        assert code_version() == versions[-1]
    finally:
        code_version.cache_clear()
