"""experiments.prepare: what it says of damage, and what training reads."""

import csv
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mgtl_tf.config import InputForm, RunConfig
from mgtl_tf.datasets.decoded_cache import building
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.decoded_cache.prepared import open_prepared
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.sources import FileSource
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.inputs import open_source, require_prepared
from mgtl_tf.workflows.prepare import prepare
from mgtl_tf.workflows.world import make_world
from tests.large import damaged_world

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared/data/real_pairs"
SETTINGS = CacheSettings("procedural", (16, 40), (0.0, 1.0))
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="../shared/data/real_pairs is not here"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepare") / "world"
    settings = WorldSettings(
        train_pairs=60,
        val_pairs=8,
        aerial_size=48,
        ground_height=32,
        ground_width=160,
    )
    make_world(settings, folder, 2, progress=False)
    return folder


def program(*arguments):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "experiments.prepare",
            "--processes=1",
            *arguments,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def report(folder):
    with (folder / "report.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_kind_of_damage_is_reported_and_the_rest_prepared(
    world, tmp_path
):
    """The 2,000-pair form is tests/large/test_damage.py."""
    pairs = damaged_world.copy_world(world, tmp_path / "w")
    kinds = damaged_world.kinds()
    assert len(kinds) >= 15
    damaged = damaged_world.damage(pairs, 2 * len(kinds), random.Random(0))
    prepared = prepare(tmp_path / "w", tmp_path / "p", SETTINGS, 1, False)
    assert damaged_world.wrong_lines(prepared.report, damaged) == []
    cache, size = tmp_path / "p" / "train", SETTINGS.image_size
    assert damaged_world.wrong_pixels(cache, pairs, damaged, size) == []
    lost = 2 * (len(kinds) - len(damaged_world.CONVERTED))
    assert prepared.left_out == lost
    # No training gets the zeros that stand in their place.
    for kind in ("empty", "truncated"):
        bad = [
            p
            for p in pairs
            if kind in (damaged.get(p.ground), damaged.get(p.aerial))
        ]
        with pytest.raises(UserError, match=f"lacks pair {bad[0].id}, which"):
            open_prepared(tmp_path / "p", bad, SETTINGS)


def test_program_twice_then_verified(world, tmp_path):
    flags = f"--data_dir={world}", f"--output_dir={tmp_path / 'p'}"
    flags = "--dataset=procedural", *flags
    first = program(*flags)
    assert first.returncode == 0, first.stderr
    assert "68 of 68 pairs are ready" in first.stdout
    assert "file/s" in first.stderr
    second = program(*flags, "--verify")
    assert second.returncode == 0
    assert "nothing was left to decode" in second.stdout
    with (tmp_path / "p/train/ground.npy").open("r+b") as file:
        file.seek(500)
        file.write(b"???")
    third = program(*flags, "--verify")
    assert third.returncode == 1
    assert "pairs 0000001 to 0000016 had other bytes" in third.stderr
    other = program(*flags, "--image_size=16,40")
    assert other.returncode == 1
    assert "image_size is [32, 160], not [16, 40]" in other.stderr
    assert len(other.stderr.strip().splitlines()) == 1


def test_room_is_asked_for_all_splits_together(world, tmp_path, monkeypatch):
    """A disk that would take the training pairs alone."""
    taken = 64 * SETTINGS.pair_bytes
    usage = SimpleNamespace(free=taken)
    monkeypatch.setattr(building.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"/p: the cache needs 0.0 GB, the"):
        prepare(world, tmp_path / "p", SETTINGS, 1, False)
    assert not list((tmp_path / "p").iterdir())


def test_program_and_its_workers_do_not_load_tensorflow():
    modules = "experiments.prepare", "mgtl_tf.workflows.prepare"
    lines = [f"import {name}" for name in modules]
    lines += ["import sys", "print({'tensorflow', 'keras'} & {*sys.modules})"]
    found = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "set()"


def test_training_reads_the_prepared_pixels(world, tmp_path):
    prepare(world, tmp_path / "p", SETTINGS, 1, False)
    config = RunConfig().replace(
        dataset="procedural",
        data_dir=str(world),
        data_cache=str(tmp_path / "p"),
    )
    form = SETTINGS.form
    dataset = read_dataset("procedural", world)
    rows = np.array([2, 0, 5])
    for pairs in (dataset.train[::-1], dataset.validation):
        source = open_source(config.data, form, pairs, tmp_path / "unused")
        files = FileSource(pairs, SETTINGS.image_size)
        assert len(source) == len(pairs)
        for a, b in zip(source.load(rows), files.load(rows), strict=True):
            np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "unused").exists()
    require_prepared(config.data)
    with pytest.raises(UserError, match="was made of procedural, and this"):
        require_prepared(config.replace(dataset="cvusa").data)
    with pytest.raises(UserError, match=r"image_size is \[16, 40\], not"):
        open_source(config.data, InputForm((16, 80)), pairs, tmp_path)


def test_prepared_of_other_files_or_unfinished_is_refused(world, tmp_path):
    shutil.copytree(world, tmp_path / "w")
    prepare(tmp_path / "w", tmp_path / "p", SETTINGS, 1, False)
    pairs = read_dataset("procedural", tmp_path / "w").train
    with pairs[3].aerial.open("ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match=f"{pairs[3].id}.jpg: is not the file"):
        open_prepared(tmp_path / "p", pairs, SETTINGS)
    both = pairs + read_dataset("procedural", tmp_path / "w").validation
    with pytest.raises(UserError, match="lacks pair 0000061; prepare it again"):
        open_prepared(tmp_path / "p", both, SETTINGS)
    folder = tmp_path / "p" / "train"
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest[1:])
    with pytest.raises(UserError, match="manifest.json: damaged .*prepare it"):
        open_prepared(tmp_path / "p", pairs, SETTINGS)
    os.replace(folder / "manifest.json", folder / "unfinished.jsonl")
    (folder / "unfinished.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match="train: is unfinished; prepare it"):
        open_prepared(tmp_path / "p", pairs, SETTINGS)
    with pytest.raises(UserError, match="holds no cache"):
        open_prepared(tmp_path / "w", pairs, SETTINGS)


@pytest.mark.parametrize(("odd", "named"), [(1, ["0000002"]), (3, [])])
def test_an_image_of_another_size_is_named(odd, named, tmp_path):
    """Where all are, they were resized on purpose: one note says so."""
    rows = []
    for number in range(1, 5):
        side = 60 if 2 <= number < 2 + odd else 750
        sizes = {"bingmap/19": (side, side), "streetview/panos": (224, 1232)}
        files = [f"{folder}/000000{number}.png" for folder in sizes]
        for file, size in zip(files, sizes.values(), strict=True):
            (tmp_path / "c" / file).parent.mkdir(parents=True, exist_ok=True)
            image = np.full((*size, 3), 9, np.uint8)
            cv2.imwrite(str(tmp_path / "c" / file), image)
        rows.append(",".join(files) + "\n")
    (tmp_path / "c/splits").mkdir()
    (tmp_path / "c/splits/train-19zl.csv").write_text("".join(rows))
    (tmp_path / "c/splits/val-19zl.csv").write_text("")
    settings = CacheSettings("cvusa", (16, 88), (0.0, 1.0))
    for _ in range(2):  # As well where all is there already.
        done = prepare(tmp_path / "c", tmp_path / "p", settings, 1, False)
        found = [p for p in done.problems if "60 x 60 pixels" in p.reason]
        assert [p.id for p in found] == named and not done.errors
        assert any(f"{odd} train aerial images of 60" in n for n in done.notes)


@needs_real
@pytest.mark.parametrize(
    ("name", "folder"), [("cvusa", "CVUSA"), ("cvact", ".")]
)
def test_real_pairs(name, folder, tmp_path):
    flags = f"--data_dir={REAL / folder}", f"--output_dir={tmp_path}"
    done = program(f"--dataset={name}", *flags)
    assert done.returncode == 0, done.stderr
    assert "10 of 10 pairs are ready" in done.stdout
    assert "(published: 8,884)" in done.stdout
    assert report(tmp_path) == []


@needs_real
def test_a_broken_copy_of_cvusa(tmp_path):
    """Each pair stands in both splits."""
    copy = tmp_path / "c"
    shutil.copytree(REAL / "CVUSA", copy, copy_function=shutil.copyfile)
    for path in copy.rglob("*"):
        path.chmod(0o755)
    gone, cut = "bingmap/19/0000002.jpg", "streetview/panos/0000004.jpg"
    (copy / gone).unlink()
    (copy / cut).write_bytes((copy / cut).read_bytes()[:5000])
    listed = copy / "splits/train-19zl.csv"
    lines = listed.read_text().splitlines(keepends=True)
    listed.write_text("".join([*lines[:2], '"bingmap/19\n', *lines[3:]]))
    flags = f"--data_dir={copy}", f"--output_dir={tmp_path / 'p'}"
    done = program("--dataset=cvusa", *flags)
    assert done.returncode == 1
    assert "5 of 9 pairs" in done.stdout
    found = report(tmp_path / "p")
    assert len(found) == 5
    for name, row, reason in (
        ("splits/train-19zl.csv", "3", "is not 'aerial,"),
        (gone, "2", "No such file"),
        (cut, "4", "is cut off (JPEG)"),
    ):
        file = str(copy / name)
        (line,) = (
            line
            for line in found
            if (line["file"], line["split"]) == (file, "train")
        )
        assert line["row"] == row and reason in line["reason"]
        assert f"error: {file}, row {row}: " in done.stderr
    assert "Traceback" not in done.stderr
