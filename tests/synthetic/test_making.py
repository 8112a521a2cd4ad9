"""Worlds as files: layout, resuming, and the same bytes whatever happens."""

import csv
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from mgtl_tf.datasets.cvusa import read_cvusa
from mgtl_tf.synthetic.files import plan_maps
from mgtl_tf.synthetic.settings import WorldSettings, cvusa_form
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.world import make_world


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "world"
    make_world(SMALL, root, 1, progress=False)
    return root


SMALL = WorldSettings(
    seed=3,
    train_pairs=7,
    val_pairs=6,
    pairs_per_map=4,
    aerial_size=48,
    ground_height=32,
    ground_width=160,
)


def test_two_processes_make_the_same_files(made, tmp_path):
    make_world(SMALL, tmp_path / "world", 2, progress=False)
    assert contents(tmp_path / "world") == contents(made)


def test_resuming_restores_what_is_missing(made, tmp_path):
    root = tmp_path / "world"
    wanted = contents(made)
    for name, data in wanted.items():
        if name.endswith(("3.jpg", "val-19zl.csv")) or "08.jpg" in name:
            continue
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    make_world(SMALL, root, 1, progress=False)
    assert contents(root) == wanted


def test_finished_pictures_are_left_alone(made, tmp_path):
    root = tmp_path / "world"
    for name, data in contents(made).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    panorama = root / "streetview/panos/0000002.jpg"
    before = panorama.stat().st_mtime_ns
    make_world(SMALL, root, 1, progress=False)
    assert panorama.stat().st_mtime_ns == before


def test_layout_is_cvusas(made):
    for name, first, last in (("train", 1, 7), ("val", 8, 13)):
        with (made / f"splits/{name}-19zl.csv").open() as file:
            rows = list(csv.reader(file))
        assert rows == [
            [
                f"bingmap/19/{n:07d}.jpg",
                f"streetview/panos/{n:07d}.jpg",
                f"streetview/annotations/{n:07d}.png",
            ]
            for n in range(first, last + 1)
        ]
        for aerial, ground, _ in rows:
            assert cv2.imread(str(made / aerial)).shape == (48, 48, 3)
            assert cv2.imread(str(made / ground)).shape == (32, 160, 3)
    dataset = read_cvusa(made)
    assert len(dataset.train) == 7 and len(dataset.validation) == 6
    assert not list(made.glob(".maps*"))


def test_tables_give_positions_in_degrees(made):
    table = np.loadtxt(made / "split_locations/all.csv", delimiter=",", ndmin=2)
    assert table.shape == (13, 5)
    with (made / "locations.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [f"{n:07d}" for n in range(1, 14)]
    ours = [[float(r["latitude"]), float(r["longitude"])] for r in rows]
    assert np.array_equal(ours, table[:, :2])
    # The reader's metres: 6 to 12 to the nearest place of the val map, and
    # 1 to 3 from the aerial to the ground camera.
    positions = np.array([p.position for p in read_cvusa(made).validation])
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 5.999 and apart.min(1).max() < 12.001
    north = (table[:, 2] - table[:, 0]) * 111_000
    east = (table[:, 3] - table[:, 1]) * 111_320 * np.cos(np.radians(38.5))
    error = np.hypot(north, east)
    assert error.min() > 0.98 and error.max() < 3.02


def test_train_and_val_come_from_maps_far_apart(made):
    maps = json.loads((made / "world.json").read_text())["maps"]
    assert [(m["map"], m["split"], m["pairs"]) for m in maps] == [
        (1, "train", 3),
        (2, "train", 4),
        (0, "val", 6),
    ]
    table = np.loadtxt(made / "split_locations/all.csv", delimiter=",")
    assert np.abs(table[:7, None, :2] - table[7:, :2]).max(-1).min() > 0.1


def test_neighbours_and_views_differ(made):
    panoramas = [
        cv2.imread(str(made / f"streetview/panos/{n:07d}.jpg"))
        for n in range(1, 14)
    ]
    for one, other in zip(panoramas[:-1], panoramas[1:], strict=True):
        assert np.abs(one.astype(int) - other).mean() > 5


@pytest.mark.parametrize(
    "change, named",
    [({"seed": 4}, "seed=3"), ({"train_pairs": 9}, "train_pairs=7")],
)
def test_another_world_is_refused(made, change, named):
    fields = {**SMALL.__dict__, **change}
    with pytest.raises(UserError, match=f"{named}.*output_dir"):
        make_world(WorldSettings(**fields), made, 1, progress=False)


def test_a_strange_folder_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="no world.json"):
        make_world(SMALL, tmp_path, 1, progress=False)
    (tmp_path / "letter.txt").rename(tmp_path / "world.json")
    with pytest.raises(UserError, match="world.json: damaged"):
        make_world(SMALL, tmp_path, 1, progress=False)


@pytest.mark.parametrize(
    "change, named",
    [
        ({"aerial_size": 3}, "aerial_size"),
        ({"train_pairs": -1}, "train_pairs"),
        ({"ground_height": 200}, "ground_size"),
        ({"train_pairs": 0, "val_pairs": 0}, "val_pairs"),
    ],
)
def test_impossible_settings_are_named(change, named):
    with pytest.raises(UserError, match=named):
        WorldSettings(**change)


def test_the_full_form_is_cvusas_own():
    full = cvusa_form(WorldSettings(seed=5))
    assert (full.train_pairs, full.val_pairs, full.seed) == (35532, 8884, 5)
    sizes = full.aerial_size, full.ground_height, full.ground_width
    assert sizes == (750, 224, 1232)
    shares = plan_maps(full)
    ids = [n for s in shares for n in range(s.first_id, s.first_id + s.count)]
    assert ids == list(range(1, 44417))
    assert [s.count for s in shares if s.index == 0] == [8884]


def test_the_program_ends_as_the_contract_says(made, tmp_path):
    def status(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "experiments.make_world", *arguments],
            capture_output=True,
            text=True,
        )
        lines = done.stderr.strip().splitlines()
        assert "Traceback" not in done.stderr
        return done.returncode, lines

    code, lines = status(f"--output_dir={tmp_path / 'w'}", "--ground_size=9")
    assert code == 2 and len(lines) == 1 and "ground_size" in lines[0]
    code, lines = status(f"--output_dir={made}", "--seed=99")
    assert code == 1 and len(lines) == 1 and "world.json" in lines[0]
    assert not (tmp_path / "w").exists()
