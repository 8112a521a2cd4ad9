"""The folder converter and its program: done, resumed, and refused."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import polar
from polar.convert import ConversionError, convert_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for name in ("a.jpg", "deep/b.png", "c.jpeg"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = random.integers(0, 256, (30, 30, 3), dtype=np.uint8)
        cv2.imwrite(str(path), image)
    return tmp_path / "in"


def _convert(folder, **arguments):
    settings = {"height": 8, "width": 20, "processes": 1, "progress": False}
    target = folder.parent / "out"
    return target, convert_folder(folder, target, **{**settings, **arguments})


def test_every_image_is_warped_under_its_own_name(folder):
    target, failures = _convert(folder)
    assert failures == []
    for name in ("a.jpg", "deep/b.png", "c.jpeg"):
        image = cv2.imread(str(folder / name))
        result = cv2.imread(str((target / name).with_suffix(".png")))
        np.testing.assert_array_equal(
            result, polar.polar_transform(image, 8, 20)
        )


def test_second_run_does_only_what_is_missing_or_older(folder):
    target, _ = _convert(folder)
    kept, redone = target / "a.png", target / "deep/b.png"
    (target / "c.png").unlink()
    os.utime(kept, ns=(2 * 10**18, 2 * 10**18))
    os.utime(redone, ns=(10**18, 10**18))
    _convert(folder)
    assert kept.stat().st_mtime_ns == 2 * 10**18
    assert redone.stat().st_mtime_ns > 10**18
    assert (target / "c.png").is_file()


def test_bad_files_are_listed_and_the_rest_is_done(folder):
    whole = (folder / "a.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("not an image")
    cv2.imwrite(str(folder / "wide.png"), np.zeros((5, 9, 3), np.uint8))
    target, failures = _convert(folder, processes=2)
    named = [Path(f.split(":")[0]).name for f in failures]
    assert named == ["cut.jpg", "empty.png", "text.jpg", "wide.png"]
    assert "cut off" in failures[0]
    assert "9 x 5 pixels" in failures[3]
    written = {p.name for p in target.rglob("*") if p.is_file()}
    assert written == {"a.png", "b.png", "c.png", "polar.json"}


def test_what_a_killed_process_left_is_written_over(folder):
    target = folder.parent / "out"
    target.mkdir()
    (target / "a.tmp").write_bytes(b"half")
    assert _convert(folder)[1] == []
    assert not list(target.rglob("*.tmp"))


def test_what_cannot_be_converted_is_refused(folder, tmp_path):
    _convert(folder)
    (tmp_path / "empty").mkdir()
    (tmp_path / "twice").mkdir()
    for name in ("a.png", "a.jpg"):
        (tmp_path / "twice" / name).write_bytes(b"")
    for source, target, height, message in (
        (folder, "out", 9, "another folder"),
        (tmp_path / "no", "new", 8, "no such folder"),
        (tmp_path / "empty", "new", 8, "holds no image"),
        (folder, "in", 8, "name a folder outside"),
        (folder, "in/polar", 8, "name a folder outside"),
        (tmp_path / "twice", "new", 8, "rename one of the two"),
    ):
        with pytest.raises(ConversionError, match=message):
            convert_folder(source, tmp_path / target, height, 20)
    assert not (tmp_path / "new").exists()


def _program(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "polar", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_program_status_and_lines(folder, tmp_path):
    out = f"--output_dir={tmp_path / 'out'}"
    done = _program(f"--input_dir={folder}", out, "--processes=1")
    assert done.returncode == 0
    missing = _program(f"--input_dir={tmp_path / 'no'}", out)
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    assert "no such folder" in missing.stderr
    wrong = _program("--colour=1")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert "colour" in wrong.stderr
    shown = _program("--help")
    assert shown.returncode == 0
    assert "--input_dir" in shown.stdout
