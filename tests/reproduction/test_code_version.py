"""A run's code version covers what decides a figure, and nothing else."""

from pathlib import Path

from mgtl_tf.reproduction.code_version import code_version, deciding_files
from tests import programs

WITHOUT = ("analysis", "export", "reproduction", "retrieval", "serving")


def test_everything_that_training_and_evaluation_load_is_covered():
    done = programs.run("tests.reproduction.loaded_modules")
    assert done.returncode == 0, done.stderr
    loaded = dict(line.split() for line in done.stdout.splitlines())
    assert len(loaded) > 100
    covered = set(deciding_files())
    for name, path in loaded.items():
        room = [*name.split("."), ""][1]
        assert Path(path) in covered or room in WITHOUT, name
    # What the reports and the search need decides no weight and no recall.
    assert not [p for p in covered if p.parent.name in WITHOUT]


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
