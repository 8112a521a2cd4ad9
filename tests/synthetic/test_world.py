"""Worlds as files: layout, resuming, and the same bytes whatever happens."""

import csv
import dataclasses
import json
import shutil

import cv2
import numpy as np
import pyproj
import pytest

from mgtl_tf.datasets.cvusa import read_cvusa
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import files_digest
from mgtl_tf.synthetic.files import map_origin, plan_maps, to_degrees
from mgtl_tf.synthetic.settings import WorldSettings, cvusa_form
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.world import make_world
from tests.programs import run

SMALL = WorldSettings(
    seed=3,
    train_pairs=7,
    val_pairs=6,
    pairs_per_map=4,
    aerial_size=48,
    ground_height=32,
    ground_width=160,
)


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "world"
    make_world(SMALL, root, 2, progress=False)
    return root


def test_a_processors_rounding_makes_no_other_world(world, tmp_path):
    """Its settings and ids identify it; older worlds' files do."""
    root, digest = tmp_path / "world", files_digest
    shutil.copytree(world, root)
    pairs = read_dataset("procedural", root).validation
    before = digest(pairs)
    assert before == digest(read_dataset("procedural", world).validation)
    with pairs[0].aerial.open("ab") as file:
        file.write(b"\0")
    assert digest(read_dataset("procedural", root).validation) == before
    assert digest(pairs[1:]) != before
    manifest = json.loads((root / "world.json").read_text())
    assert manifest.pop("identity") == SMALL.identity
    (root / "world.json").write_text(json.dumps(manifest))
    older = digest(read_dataset("procedural", root).validation)
    with pairs[0].aerial.open("ab") as file:
        file.write(b"\0")
    assert digest(read_dataset("procedural", root).validation) != older


def test_every_changed_setting_names_another_world():
    numbers = {
        field.name: getattr(SMALL, field.name) + 1
        for field in dataclasses.fields(SMALL)
        if field.type in ("int", "float") and "horizon" not in field.name
    }
    numbers["spacing_max"] += 1
    numbers["aerial_metres_min"] = 1.0
    changed = {**numbers, "style": "varied", "labels": True}
    found = {
        dataclasses.replace(SMALL, **{name: value}).identity
        for name, value in changed.items()
        if name != "spacing_min"
    }
    assert len(found) == len(changed) - 1 and SMALL.identity not in found


def test_one_process_resumes_to_the_same_files(world, tmp_path):
    """What is there is left alone; a killed run's maps are removed."""
    root, wanted = tmp_path / "world", contents(world)
    for name, data in wanted.items():
        if name.endswith(("3.jpg", "val-19zl.csv")) or "08.jpg" in name:
            continue
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / ".maps/1").mkdir(parents=True)
    (root / ".maps/1/map").write_bytes(b"cut off")
    panorama = root / "streetview/panos/0000002.jpg"
    before = panorama.stat().st_mtime_ns
    make_world(SMALL, root, 1, progress=False)
    assert contents(root) == wanted
    assert panorama.stat().st_mtime_ns == before


def add(image, labels, excess, counts):
    """By class: how much bluer, greener, redder than grey; pixels."""
    image = image - image.mean(-1, keepdims=True)
    for label in range(4):
        excess[label] += image[labels == label].sum(0)
        counts[label] += (labels == label).sum()


def test_labels_of_what_the_images_show(world, tmp_path):
    """The same pictures; what is called tree is green, and the sky is not."""
    root = tmp_path / "labelled"
    settings = dataclasses.replace(SMALL, labels=True)
    make_world(settings, root, 1, progress=False)
    found, wanted = contents(root), contents(world)
    pictures = [name for name in wanted if "/panos/" in name]
    assert pictures and all(found[p] == wanted[p] for p in pictures)
    excess, counts = np.zeros((4, 3)), np.zeros(4)
    for name in pictures:
        path = name.replace("panos", "annotations").replace("jpg", "png")
        labels = cv2.imread(str(root / path), cv2.IMREAD_UNCHANGED)
        assert labels.shape == (32, 160) and labels.max() <= 3
        assert (labels[0] == 0).mean() > 0.5 and not (labels[-1] == 0).any()
        image = cv2.imread(str(root / name)).astype(float)
        add(image, labels, excess, counts)
    assert (counts > 100).all()
    blue, green, _ = (excess / counts[:, None]).T
    assert green.argmax() == 3 and blue.argmax() == 0
    row = (root / "splits/val-19zl.csv").read_text().split()[0].split(",")
    assert (root / row[2]).is_file()
    # From above the same classes, but for the sky.
    excess, counts = np.zeros((4, 3)), np.zeros(4)
    pairs = read_cvusa(root, [], published=False)
    for pair in (*pairs.train, *pairs.validation):
        labels = cv2.imread(str(pair.aerial_labels), cv2.IMREAD_UNCHANGED)
        image = cv2.imread(str(pair.aerial)).astype(float)
        assert labels.shape == image.shape[:2]
        add(image, labels, excess, counts)
    assert counts[0] == 0 and (counts[1:] > 100).all()
    green = (excess[1:] / counts[1:, None])[:, 1]
    assert green.argmax() == 2 and green[2] > 2 * abs(green[:2]).max()


def test_layout_is_cvusas(world):
    for name, first, last in (("train", 1, 7), ("val", 8, 13)):
        with (world / f"splits/{name}-19zl.csv").open() as file:
            rows = list(csv.reader(file))
        assert rows == [
            [
                f"bingmap/19/{n:07d}.jpg",
                f"streetview/panos/{n:07d}.jpg",
                f"streetview/annotations/{n:07d}.png",
            ]
            for n in range(first, last + 1)
        ]
        panoramas = []
        for aerial, ground, _ in rows:
            assert cv2.imread(str(world / aerial)).shape == (48, 48, 3)
            panoramas.append(cv2.imread(str(world / ground)).astype(int))
            assert panoramas[-1].shape == (32, 160, 3)
        assert np.abs(np.diff(panoramas, axis=0)).mean(axis=(1, 2, 3)).min() > 5
    dataset = read_cvusa(world, [])
    assert len(dataset.train) == 7 and len(dataset.validation) == 6
    assert not list(world.glob(".*"))


def test_tables_give_positions_in_degrees(world):
    path = world / "split_locations/all.csv"
    table = np.loadtxt(path, delimiter=",", ndmin=2)
    assert table.shape == (13, 5)
    with (world / "locations.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [f"{n:07d}" for n in range(1, 14)]
    ours = [[float(r["latitude"]), float(r["longitude"])] for r in rows]
    assert np.array_equal(ours, table[:, :2])
    # The reader's metres: 6 to 12 to the nearest place of the val map, and
    # 1 to 3 from the aerial to the ground camera.
    positions = np.array([p.position for p in read_cvusa(world, []).validation])
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 5.999 and apart.min(1).max() < 12.001
    north = (table[:, 2] - table[:, 0]) * 111_000
    east = (table[:, 3] - table[:, 1]) * 111_320 * np.cos(np.radians(38.5))
    error = np.hypot(north, east)
    assert error.min() > 0.98 and error.max() < 3.02


def test_train_and_val_come_from_maps_far_apart(world):
    maps = json.loads((world / "world.json").read_text())["maps"]
    assert [(m["map"], m["split"], m["pairs"]) for m in maps] == [
        (1, "train", 3),
        (2, "train", 4),
        (0, "val", 6),
    ]
    table = np.loadtxt(world / "split_locations/all.csv", delimiter=",")
    assert np.abs(table[:7, None, :2] - table[7:, :2]).max(-1).min() > 0.1
    origins = np.array([map_origin(index) for index in range(60)])
    apart = np.abs(origins[:, None] - origins[None]).max(-1)
    assert apart[~np.eye(60, dtype=bool)].min() >= 0.25


@pytest.mark.parametrize("index", [0, 17])
def test_distances_on_the_map_are_distances_on_the_ground(index):
    metres = np.array([[0.0, 0], [1500, 0], [0, 1500], [1200, 900]])
    degrees = to_degrees(metres, index)
    assert degrees[0] == pytest.approx(map_origin(index), abs=1e-10)
    geod = pyproj.Geod(ellps="WGS84")
    for point, (latitude, longitude) in zip(
        metres[1:], degrees[1:], strict=True
    ):
        azimuth, _, distance = geod.inv(
            degrees[0, 1], degrees[0, 0], longitude, latitude
        )
        assert distance == pytest.approx(np.hypot(*point), abs=0.002)
        bearing = np.degrees(np.arctan2(*point))
        assert azimuth == pytest.approx(bearing, abs=1e-3)


@pytest.mark.parametrize(
    "change, message",
    [({"seed": 4}, "seed=3"), ({"train_pairs": 9}, "train_pairs=7")],
)
def test_another_world_is_refused(world, change, message):
    fields = {**SMALL.__dict__, **change}
    with pytest.raises(UserError, match=f"{message}.*another folder"):
        make_world(WorldSettings(**fields), world, 1, progress=False)


def test_a_strange_folder_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="no world.json"):
        make_world(SMALL, tmp_path, 1, progress=False)
    (tmp_path / "letter.txt").rename(tmp_path / "world.json")
    with pytest.raises(UserError, match="world.json: damaged"):
        make_world(SMALL, tmp_path, 1, progress=False)


@pytest.mark.parametrize(
    "change, name",
    [
        ({"aerial_size": 3}, "aerial_size"),
        ({"train_pairs": -1}, "train_pairs"),
        ({"ground_height": 200}, "ground_size"),
        ({"train_pairs": 0, "val_pairs": 0}, "val_pairs"),
    ],
)
def test_impossible_settings_are_named(change, name):
    with pytest.raises(UserError, match=name):
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


def test_the_program_ends_as_the_contract_says(world, tmp_path):
    for arguments, status, word in (
        ((f"--output_dir={tmp_path / 'w'}", "--ground_size=9"), 2, "size"),
        ((f"--output_dir={world}", "--seed=99"), 1, "world.json"),
    ):
        done = run("experiments.make_world", *arguments)
        (line,) = done.stderr.strip().splitlines()
        assert done.returncode == status and word in line
    assert not (tmp_path / "w").exists()
