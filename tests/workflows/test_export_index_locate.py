"""From a checkpoint to an answer: the three programs, as a user runs them."""

import csv
import functools
import io
import json
import os
import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.preprocess import load_ground, load_satellite, read_image
from mgtl_tf.export.model_folder import write_details
from mgtl_tf.export.saved_model import export_model
from mgtl_tf.models import build_model
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.export import export_run
from mgtl_tf.workflows.index import index_gallery
from mgtl_tf.workflows.locate import locate_images
from tests import programs
from tests.tiny_runs import PROBE, write_run

# Trained in bfloat16: the export must compute in float32 all the same.
CONFIG = PROBE.replace(image_size=(8, 40), dtype_policy="mixed_bfloat16")
SIZE = CONFIG.model.image_size


def picture(path, height, width, seed):
    noise = np.random.default_rng(seed).normal(128, 90, (height, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3) * 4 - 384
    cv2.imwrite(str(path), np.clip(smooth, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a run, aerial images, panoramas and locations."""
    root = tmp_path_factory.mktemp("world")
    for name in ("aerial", "ground"):
        (root / name).mkdir()
    for i in range(1, 7):
        picture(root / f"aerial/{i:03d}.jpg", 90, 90, i)
        picture(root / f"ground/{i:03d}.jpg", 40, 200, 100 + i)
    whole = (root / "aerial/005.jpg").read_bytes()
    (root / "aerial/005.jpg").write_bytes(whole[: len(whole) // 2])
    picture(root / "aerial/006.jpg", 80, 90, 6)
    (root / "where.csv").write_text(
        "id,latitude,longitude\n001,38.5,-77.25\n003,-33.0,151.0\n"
    )
    model = write_run(root / "run", CONFIG)
    twin = build_model(CONFIG.model, "float32")
    twin.set_weights(model.get_weights())
    return root, twin


@pytest.fixture(scope="module")
def built(world):
    """The world after experiments.export and experiments.index."""
    root, _ = world
    export = programs.run(
        "experiments.export",
        f"--run_dir={root}/run",
        f"--output_dir={root}/export",
    )
    assert export.returncode == 0, export.stderr
    index = programs.run(
        "experiments.index",
        f"--model={root}/export",
        f"--images={root}/aerial",
        f"--locations={root}/where.csv",
        f"--output_dir={root}/index",
    )
    return root, index


def test_index_holds_the_readable_and_lists_the_others(built):
    _, index = built
    assert index.returncode == 1
    assert "4 places indexed" in index.stdout
    left_out = [
        line for line in index.stderr.splitlines() if "left out" in line
    ]
    assert len(left_out) == 2
    assert left_out[0].endswith("005.jpg: is cut off (JPEG)")
    assert left_out[1].endswith(
        "006.jpg: 90 x 80 pixels; an aerial image must be square, with its"
        " camera in the centre"
    )
    assert "Traceback" not in index.stderr


def test_locate_answers_as_the_model_does(built, world):
    root, model = world
    located = programs.fresh(
        "experiments.locate",
        f"--model={root}/export",
        f"--gallery={root}/index",
        "--format=json",
        "--top_k=4",
        f"--picture={root}/located.jpg",
        root / "ground/003.jpg",
    )
    assert located.returncode == 0, located.stderr
    # Nothing else on either stream: TensorFlow's start-up lines included.
    assert located.stderr == f"picture: {root}/located.jpg\n"
    (answer,) = json.loads(located.stdout)
    ground = load_ground(root / "ground/003.jpg", SIZE)[None]
    aerial = [
        load_satellite(root / f"aerial/00{i}.jpg", SIZE) for i in range(1, 5)
    ]
    query = model.encode_ground(np.float32(ground)).numpy()[0]
    gallery = model.encode_satellite(np.float32(aerial)).numpy()
    found = answer["answers"]
    similarities = {a["id"]: a["similarity"] for a in found}
    expected = {f"00{i}": s for i, s in enumerate(gallery @ query, 1)}
    assert similarities == pytest.approx(expected, abs=1e-4)
    assert list(similarities.values()) == sorted(similarities.values())[::-1]
    assert [a["rank"] for a in found] == [1, 2, 3, 4]
    assert answer["truth"] == "003"
    assert answer["truth_rank"] == 1 + list(similarities).index("003")
    places = {a["id"]: (a["latitude"], a["longitude"]) for a in found}
    assert places["003"] == (-33.0, 151.0)
    assert places["002"] == (None, None)
    assert cv2.imread(str(root / "located.jpg")).shape[1] > 1000


_LOADED = functools.cache(mgtl_tf.Localizer.load)


@pytest.fixture
def loaded_once(built, monkeypatch):
    """The world's folder, whose export and index are opened once for all."""
    monkeypatch.setattr(mgtl_tf.Localizer, "load", _LOADED)
    return built[0]


def locate(root, *images, **options):
    return locate_images(
        root / "export", root / "index", list(images), **options
    )


def test_several_images_and_the_other_formats(loaded_once):
    root = loaded_once
    images = [root / "ground/001.jpg", root / "ground/006.jpg"]
    told = locate(root, *images, top_k=2, picture=root / "p.png")
    assert [p.name for p in told.pictures] == ["p-1-001.png", "p-2-006.png"]
    assert all(p.is_file() for p in told.pictures)
    assert len(told.text.splitlines()) == 12
    told = locate(root, images[0], output_format="geojson")
    assert told.pictures == []
    points = [f["geometry"] for f in json.loads(told.text)["features"]]
    assert {"type": "Point", "coordinates": [-77.25, 38.5]} in points


def test_unknown_headings_warn_where_nobody_trained_for_them(loaded_once):
    root = loaded_once
    image = root / "ground/002.jpg"
    told = locate(root, image, output_format="json")
    (plain,) = json.loads(told.text)
    assert told.warnings == []
    told = locate(root, image, output_format="json", unknown_heading=True)
    (turned,) = json.loads(told.text)
    assert len(told.warnings) == 1
    assert told.notes[0].startswith("warning: unknown_heading: the model")
    similarity = {a["id"]: a["similarity"] for a in plain["answers"]}
    for answer in turned["answers"]:
        # Unturned is one of the turns.
        assert answer["similarity"] >= similarity[answer["id"]] - 1e-5
        assert answer["heading"] % (360 / 20) == 0
    with pytest.raises(UserError, match="sequence: needs known headings"):
        locate(root, image, sequence=True, unknown_heading=True)


def test_panoramas_of_another_shape_are_named(loaded_once):
    root = loaded_once
    picture(root / "other.jpg", 40, 130, 1)
    told = locate(root, root / "ground/001.jpg", root / "other.jpg")
    assert told.warnings == [
        "squeezed, which costs recall: 1 of 2 panoramas, of which"
        f" {root}/other.jpg has 130 x 40 pixels, of which ground_crop keeps 40"
        " rows: the network input is 5.00 times as wide as high"
    ]


def test_a_full_sphere_is_pictured_as_the_model_sees_it(loaded_once):
    """Of 180 degrees the 72 in the middle, which are red; blue is cut off."""
    root = loaded_once
    sphere = np.zeros((100, 200, 3), np.uint8)
    sphere[:], sphere[30:70] = (255, 0, 0), (0, 0, 255)
    cv2.imwrite(str(root / "sphere.png"), sphere)
    locate(root, root / "sphere.png", picture=root / "seen.png")
    shown = read_image(root / "seen.png").astype(int)
    red, blue = shown[..., 0] - shown[..., 2], shown[..., 2] - shown[..., 0]
    assert (red > 200).mean() > 0.1 and (blue > 200).mean() < 1e-3
    encoder = mgtl_tf.Localizer.load(root / "export", root / "index").encoder
    assert encoder.crop((100, 200)) == pytest.approx((0.3, 0.7))
    assert encoder.crop((40, 200)) == (0.0, 1.0)
    seen = encoder.ground_input(read_image(root / "sphere.png"))
    np.testing.assert_array_equal(
        seen, np.broadcast_to([255, 0, 0], seen.shape)
    )


def test_python_answers_as_the_command_does(loaded_once):
    root = loaded_once
    image = root / "ground/002.jpg"
    (told,) = json.loads(locate(root, image, output_format="json").text)
    localizer = mgtl_tf.Localizer.load(root / "export", root / "index")
    for query in (image, image.read_bytes(), read_image(image)):
        found = localizer.locate(query)
        assert [a.place.id for a in found.answers] == [
            a["id"] for a in told["answers"]
        ]
        assert [a.similarity for a in found.answers] == pytest.approx(
            [a["similarity"] for a in told["answers"]], abs=1e-4
        )


def test_program_answers_a_folder_but_for_the_unreadable(built):
    """And searches only around a prior."""
    root, _ = built
    folder = root / "queries"
    folder.mkdir()
    for name in ("001.jpg", "002.jpg"):
        (folder / name).write_bytes((root / "ground" / name).read_bytes())
    (folder / "0015.jpg").write_bytes(b"<html>")
    (folder / "notes.txt").write_text("no image")
    located = programs.run(
        "experiments.locate",
        f"--model={root}/export",
        f"--gallery={root}/index",
        "--format=csv",
        "--near=-33.0005,151",
        "--radius=60",
        folder,
    )
    assert located.returncode == 1
    warning, line = located.stderr.splitlines()
    assert warning.startswith("warning: near: 2 of 4 places")
    assert line.startswith(f"error: {folder}/0015.jpg: is neither JPEG")
    rows = list(csv.DictReader(io.StringIO(located.stdout)))
    assert [Path(r["query"]).name for r in rows] == ["001.jpg", "002.jpg"]
    # The one place of two with a position that lies in the circle.
    assert [r["id"] for r in rows] == ["003", "003"]


def test_wrong_requests_are_one_line_and_write_nothing(loaded_once):
    root = loaded_once
    whole = (root / "ground/001.jpg").read_bytes()
    cut = root / "cut.jpg"
    cut.write_bytes(whole[: len(whole) // 2])
    good = root / "ground/001.jpg"
    before = sorted(root.rglob("*"))
    cases = [
        ([root / "none.jpg"], {}, "none.jpg: No such file"),
        ([cut], {}, "cut.jpg: is cut off .JPEG."),
        ([cut], {"picture": root / "x.jpg"}, "cut.jpg: is cut off"),
        ([cut, root / "none.jpg"], {}, "none of 2 images can be read.*cut"),
        ([root / "run"], {}, "run: holds no .jpg"),
        ([good], dict(near=(38.5, -77.25)), "near: needs radius"),
        ([good], dict(near=(0, 0), radius=9), "the nearest is [0-9,]+ m"),
        ([good], dict(sequence=True), "sequence: the gallery is not cal"),
        ([], {}, "no image given"),
        ([good], {"truth": "Atlantis"}, "truth=Atlantis: no such place"),
        ([good, good], {"truth": "001"}, "goes with one image"),
        ([good], {"picture": root / "x.gif"}, "must end in"),
        ([good], {"picture": root / "none/x.jpg"}, "folder does not exist"),
    ]
    for images, options, message in cases:
        with pytest.raises(UserError, match=message) as error:
            locate(root, *images, **options)
        assert "\n" not in str(error.value)
    assert sorted(root.rglob("*")) == before


def test_wrong_models_and_galleries(built, tmp_path):
    root, _ = built
    image = [root / "ground/001.jpg"]
    for model, message in (
        (tmp_path / "none", "no such folder"),
        (root / "aerial", "holds no saved_model.pb"),
    ):
        with pytest.raises(UserError, match=message):
            index_gallery(model, [root / "aerial"], tmp_path / "index")
        with pytest.raises(UserError, match=message):
            locate_images(model, root / "index", image)
    with pytest.raises(UserError, match="no such folder"):
        locate_images(root / "export", tmp_path / "none", image)
    with pytest.raises(UserError, match="no config.json"):
        export_run(tmp_path, tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def copy_export(root, folder):
    return Path(shutil.copytree(root / "export", folder))


def test_index_of_another_model(built, tmp_path):
    root, _ = built
    other = copy_export(root, tmp_path / "other")
    details = json.loads((other / "model.json").read_text())
    details["model_hash"] = "0" * 64
    (other / "model.json").write_text(json.dumps(details))
    with pytest.raises(UserError, match="model.json: damaged .*export again"):
        locate_images(other, root / "index", [root / "ground/001.jpg"])
    (other / "model.json").write_text(json.dumps(details | {"format": 1}))
    with pytest.raises(UserError, match="of format 1, .*export again"):
        locate_images(other, root / "index", [root / "ground/001.jpg"])
    del details["sha256"], details["files"]
    write_details(other, details)
    with pytest.raises(UserError, match="built with another model"):
        locate_images(other, root / "index", [root / "ground/001.jpg"])


def test_weights_of_another_run_are_not_taken_for_the_models(built, tmp_path):
    """Of the same network, in a file of the same size and the same times."""
    root, _ = built
    mixed = copy_export(root, tmp_path / "mixed")
    query = [root / "ground/001.jpg"]
    locate_images(mixed, root / "index", query)
    keras.utils.set_random_seed(99)
    other = tmp_path / "other"
    config = RunConfig.load(root / "run")
    export_model(build_model(config.model), config, other)
    path = mixed / "variables/variables.data-00000-of-00001"
    before = path.stat()
    # The names of layers stand in the file too, and differ in length.
    content = (other / "variables" / path.name).read_bytes()
    size = before.st_size
    path.write_bytes(content[:size].ljust(size, b"\0"))
    # As a copy that keeps the times leaves it.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match="its content changed"):
        locate_images(mixed, root / "index", query)


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "model.json"]
)
def test_damaged_export(built, tmp_path, name):
    root, _ = built
    broken = copy_export(root, tmp_path / "broken")
    data = (broken / name).read_bytes()
    (broken / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="export again") as error:
        index_gallery(broken, [root / "aerial"], tmp_path / "index")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "index").exists()


def test_programs_tell_wrong_paths_in_one_line():
    for name, arguments, status in (
        ("index", ["--model=none", "--images=none", "--output_dir=o"], 1),
        ("locate", ["--model=none", "--gallery=none", "none.jpg"], 1),
        ("locate", ["--model=none", "--gallery=none"], 2),
        ("export", ["--run_dir=r", "--output_dir=o", "--formats=pdf"], 2),
        ("locate", ["--model=m", "--gallery=g", "--near=7", "a.jpg"], 2),
        ("index", ["--model=m", "--images=i", "--output_dir=o", "more"], 2),
        ("index", ["--model=m", "--output_dir=o"], 2),
        ("index", ["--verify", "--output_dir=none"], 1),
    ):
        done = programs.run(f"experiments.{name}", *arguments)
        assert done.returncode == status, (name, done.stderr)
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stdout == ""
