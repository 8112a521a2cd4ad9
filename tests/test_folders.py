"""Output folders: whole or absent, and nobody else's."""

import pytest

from mgtl_tf.errors import UserError
from mgtl_tf.folders import whole_folder


def test_the_empty_folder_one_stands_in(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with whole_folder(".", "mark") as folder:
        (folder / "mark").write_text("new")
    assert (tmp_path / "here/mark").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


def test_an_older_one_is_replaced_only_on_success(tmp_path):
    target = tmp_path / "a/b"
    for text in ("old", "new"):
        with whole_folder(target, "mark") as folder:
            (folder / "mark").write_text(text)
    with pytest.raises(KeyboardInterrupt), whole_folder(target, "mark"):
        raise KeyboardInterrupt
    assert (target / "mark").read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["b"]


def test_what_is_not_ours_stays(tmp_path):
    (tmp_path / "thesis.tex").touch()
    for target in (tmp_path, tmp_path / "thesis.tex"):
        with (
            pytest.raises(UserError, match="--output_dir"),
            whole_folder(target, "mark"),
        ):
            pass
