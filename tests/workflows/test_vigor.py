"""VIGOR through prepare, training, evaluation and a gallery."""

import csv
import dataclasses
import json

import numpy as np
import pyproj
import pytest

from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.sources import FileSource
from mgtl_tf.galleries.named_images import named_images
from mgtl_tf.reproduction.cells import cells_of
from mgtl_tf.reproduction.rows import ROWS, TODAY, Row, titled_rows
from mgtl_tf.reproduction.study import data_study
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import study_runs, tables
from mgtl_tf.workflows.evaluate import evaluate_run
from mgtl_tf.workflows.export import export_run
from mgtl_tf.workflows.further_sets import measure_further
from mgtl_tf.workflows.index import index_gallery
from mgtl_tf.workflows.inputs import open_gallery, open_source, read_data
from mgtl_tf.workflows.locate import locate_images
from mgtl_tf.workflows.prepare import prepare, write_gallery
from mgtl_tf.workflows.tables_request import TablesRequest
from mgtl_tf.workflows.train import train
from tests.datasets.vigor_tree import (
    ORDER,
    RESOLUTION,
    make_vigor,
    noise,
    tile_name,
)
from tests.tiny_runs import PROBE, TINY

GEOD = pyproj.Geod(ellps="WGS84")
SAME = {"labels": "corrected", "protocol": "same"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = make_vigor(tmp_path_factory.mktemp("vigor") / "V", noise)
    (root / "world.json").touch()  # its counts are its own
    return root


def config(tree, **changes):
    given = {"dataset": "vigor", "data_dir": str(tree), "cache": "none"}
    return TINY.replace(**given | changes)


def test_prepare_names_what_is_missing_and_keeps_the_order(tree, tmp_path):
    root = make_vigor(tmp_path / "V", noise)
    lost = root / "Seattle/satellite" / tile_name("Seattle", 1, 0)
    lost.unlink()
    damaged = root / "Chicago/satellite" / tile_name("Chicago", 1, 1)
    damaged.write_bytes(damaged.read_bytes()[:-30])
    data = config(root, cache="disk", data_cache=str(tmp_path / "out")).data
    form = TINY.model.input_form
    settings = CacheSettings.of("vigor", form, (0.0, 1.0))
    done = prepare(root, tmp_path / "out", settings, 1, False, options=SAME)
    rows = list(csv.DictReader((tmp_path / "out/report.csv").open()))
    errors = [row for row in rows if row["severity"] == "error"]
    assert [(row["file"], row["row"]) for row in errors] == [
        (str(damaged), "2"),  # as the second training panorama's tile
        (str(lost), "4"),
        (str(damaged), "5"),
    ]
    assert "vigor_labels=corrected" in "\n".join(done.notes)
    assert (done.pairs, done.left_out) == (16, 1)
    with pytest.raises(UserError, match="does not exist; repair it, or"):
        read_data(data)
    part = read_data(dataclasses.replace(data, partial=True))
    assert len(part.gallery) == 22 and len(part.train) == 7
    # In the order of satellite_list.txt; experiments.index reads this list.
    listed = csv.DictReader((tmp_path / "out/gallery.csv").open())
    wanted = [tile.id for tile in read_dataset("vigor", root, []).gallery]
    assert [row["id"] for row in listed] == wanted


def rewrite(path, old, new):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def test_prepare_names_every_fault_of_one_tree(tmp_path):
    """Each of a published tree's, at its file and row, beside the others."""
    root = make_vigor(tmp_path / "a,b" / "V", noise)
    lists = root / "splits__corrected"
    train, test = (
        f"same_area_balanced_{split}__corrected.txt"
        for split in ("train", "test")
    )
    rewrite(lists / "Seattle" / train, b" ", b"")
    unlisted = tile_name("NewYork", 1, 2)
    rewrite(lists / "NewYork/satellite_list.txt", f"{unlisted}\n".encode(), b"")
    windows = lists / "Chicago" / train
    windows.write_bytes(windows.read_bytes().replace(b"\n", b"\r\n")[:-2])
    lost = root / "SanFrancisco/satellite" / tile_name("SanFrancisco", 1, 0)
    lost.unlink()
    jpeg = root / "Chicago/satellite" / tile_name("Chicago", 0, 2)
    jpeg.unlink()
    noise(jpeg.with_suffix(".jpg"))
    black = root / "Seattle/panorama"
    black = next(path for path in black.iterdir() if "pano_3" in path.name)
    black.write_bytes(b"")  # trap 8: never a black image in its place
    settings = CacheSettings.of("vigor", TINY.model.input_form, (0.0, 1.0))
    done = prepare(root, tmp_path / "out", settings, 1, False, options=SAME)
    rows = csv.DictReader((tmp_path / "out/report.csv").open())
    found = {
        (row["file"], row["row"], row["severity"]): row["reason"]
        for row in rows
    }
    wanted = {
        (str(root.resolve()), "0", "warning"): "its path holds ','",
        (str(lists / "Seattle" / train), "1", "error"): "has 12 fields",
        (str(lists / "NewYork" / train), "2", "error"): f"names {unlisted}",
        (str(lists / "NewYork" / test), "2", "error"): f"names {unlisted}",
        (str(windows), "0", "warning"): "no newline after its last line",
        (str(lost), "4", "error"): "",
        (str(lists / "Chicago/satellite_list.txt"), "0", "warning"): ".jpg",
        (str(black), "2", "error"): "",
    }
    for key, reason in wanted.items():
        assert reason in found.get(key, f"{key} is not in {sorted(found)}")
    assert {key for key in found if key[2] == "error"} == {
        key for key in wanted if key[2] == "error"
    }
    reasons = [p.reason for p in done.problems if p.file == str(windows)]
    assert "its lines end with CRLF; read as lines" in reasons


def test_the_gallery_s_pixels_are_the_files(tree, tmp_path):
    data = config(tree).data
    dataset, form = read_data(data), TINY.model.input_form
    others = dataset.distractors
    files = open_gallery(data, form, others, tmp_path / "none")
    kept = open_gallery(
        dataclasses.replace(data, cache="disk"), form, others, tmp_path / "c"
    )
    rows = np.arange(len(others))
    ground, satellite = kept.load(rows)
    assert ground.shape == (16, 0, 0, 3)
    assert np.array_equal(satellite, files.load(rows)[1])
    # The same image as a pair's own has the same pixels.
    pair = dataclasses.replace(dataset.train[0], aerial=others[3].aerial)
    alone = open_source(data, form, [pair], tmp_path).load(np.array([0]))[1]
    assert np.array_equal(alone[0], satellite[3])
    listed = tmp_path / "gallery.csv"
    listed.write_text(
        f"id,aerial,latitude,longitude\nx,{others[0].aerial},1,2\n"
    )
    assert named_images(listed, "aerial")[0].coordinates == (1.0, 2.0)


@pytest.fixture(scope="module")
def run(tree, tmp_path_factory):
    """A run with an offset head, two steps long."""
    settings = PROBE.replace(
        dataset="vigor",
        data_dir=str(tree),
        cache="none",
        batch_size=4,
        epochs=1,
        max_steps=2,
        learning_rate=0.005,
        same_place_metres=0.0,
        evaluation_batch_size=8,
        retrieval_pictures=2,
        roll_and_mirror=True,
        offset_head=True,
    )
    folder = tmp_path_factory.mktemp("run")
    assert train(settings, folder)
    return folder


def test_a_run_is_trained_and_measured_in_the_whole_gallery(run):
    text = evaluate_run(run)
    for wanted in ("hit rate, any of four", "same-area: 50.0 %", "K = 1 of 24"):
        assert wanted in text
    path = run / "evaluation-vigor-validation.json"
    found = json.loads(path.read_text())
    assert (found["gallery_size"], found["distractors"]) == (24, 16)
    lines = (run / "metrics.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines]
    (measured,) = [line for line in logged if "r@1" in str(line)]
    page = (run / "report/report.html").read_text()
    assert "24" in page
    train_text = evaluate_run(run, split="train")
    assert "K = " not in train_text
    # The offset head was trained, and is measured beside the centre.
    assert all(x["offset_loss"] > 0 for x in logged if x["kind"] == "train")
    assert "offset head, with perfect retrieval: " in text
    tiles = found["tiles"]
    assert tiles["own_point_metres"] != tiles["ceiling_metres"]
    assert measured["tiles"] == pytest.approx(tiles, rel=1e-4)


PROBE_ROW = {
    "system": "linear_probe",
    "image_size": (8, 16),
    "width_multiplier": 1 / 64,
    "poolings": 1,
    "channels": 4,
    "heads": 2,
    "blocks": 1,
    "backbone_weights": "none",
    "batch_size": 4,
    "epochs": 1,
    "max_steps": 2,
    "same_place_metres": 0.0,
    "retrieval_pictures": 0,
}


def test_a_study_says_area_labels_and_leak_beside_its_figures(
    tree, tmp_path, monkeypatch
):
    row = Row("frgeo", PROBE_ROW)
    monkeypatch.setitem(ROWS, TODAY, (("FRGeo", row),))
    monkeypatch.setattr(study_runs, "training_command", lambda c: [c])

    def run_all(jobs, environments):
        for job in jobs:
            config, folder = job.command
            train(config, folder.removeprefix("--run_dir="))

    monkeypatch.setattr(study_runs, "run_all", run_all)
    study = data_study("vigor", tree, tmp_path, {})
    request = TablesRequest(study, (TODAY,), (0,), measure_cost=False)
    tables.run_tables(request)
    (table,) = tables.show_tables(request)
    text = (tmp_path / "vigor-corrected-same/tables/tabletoday.md").read_text()
    title = "VIGOR, same-area, corrected labels, gallery of 24 places"
    for wanted in (title, "same-area: 50.0 % of 8 test queries share their"):
        assert wanted in text
    assert "gallery: all 24 tiles of NewYork, Seattle, SanFrancisco" in text
    cells = {line["row"]: line for line in cells_of(table)}
    published = "published, VIGOR, {}-area: r@1 / r@5 / r@10 / r@1%"
    ours = cells["FRGeo"]
    assert ours[published.format("same")] == "71.26 / 91.38 / 94.32 / 99.52"
    assert ours[published.format("cross")] == "37.54 / 59.58 / 67.34 / 94.28"
    lines = (study.folder / "runs/frgeo-seed0/metrics.jsonl").read_text()
    logged = [json.loads(line) for line in lines.splitlines()]
    measured = next(x for x in logged[::-1] if x["kind"] == "evaluation")
    recall, tiles = measured["ground_to_satellite"], measured["tiles"]
    assert ours["r@1"] == f"{100 * recall['r@1']:.2f}"
    assert ours["hit rate by VIGOR's code"] == f"{100 * tiles['hit']:.2f}"
    any_of_4 = f"{100 * tiles['hit_any_of_4']:.2f}"
    assert ours["hit rate, any of four"] == any_of_4


def test_every_area_and_label_set_is_a_study_of_its_own(
    tree, tmp_path, load_program
):
    given = {"dataset": "vigor", "data_dir": str(tree), "table": (TODAY,)}
    given |= {"studies_dir": str(tmp_path), "vigor_protocol": "cross"}
    names = ("max_steps", "epochs", "backbone_weights", "dtype_policy")
    given |= {"vigor_labels": "original", **dict.fromkeys(names)}
    study = load_program("tables")._study(given)
    assert study.folder == tmp_path / "vigor-original-cross"
    assert study.measured_on == "VIGOR, cross-area, original labels"
    config = study.config(Row("frgeo", PROBE_ROW), 0)
    assert config.data.reader_options == {
        "labels": "original",
        "protocol": "cross",
    }
    remarks = "\n".join(study_runs.data_remarks(study))
    assert "vigor_protocol=cross" in remarks and "same-area" not in remarks
    for _, row in titled_rows(1, "vigor", study.labelled):
        assert study.config(row, 0).data.dataset == "vigor"


def test_another_protocol_is_measured_beside_the_run_s_own(run, tree):
    before = (run / "evaluation-vigor-validation.json").read_text()
    text = evaluate_run(run, vigor_labels="original", vigor_protocol="cross")
    assert "vigor_labels=original, vigor_protocol=cross" in text
    assert "these are no cross-area figures" in text
    assert (run / "evaluation-vigor-validation-original-cross.json").is_file()
    assert (run / "evaluation-vigor-validation.json").read_text() == before
    with pytest.raises(UserError, match="vigor_labels=original: belongs to"):
        evaluate_run(run, "csv", str(tree), vigor_labels="original")


def test_vigor_in_a_joint_gallery_brings_its_distractors(run, tree):
    also = (("vigor", str(tree)),)
    text = measure_further(run, also, vigor_protocol="cross")
    assert "12 distinct aerial images of 8 panoramas, 6 of which" in text
    (path,) = run.glob("evaluation-also-vigor-*.json")
    joint = json.loads(path.read_text())
    own = run / "evaluation-vigor-validation-original-cross.json"
    # The same gallery, and recall does not depend on the label set.
    wanted = json.loads(own.read_text())["ground_to_satellite"]
    assert joint["ground_to_satellite"] == {
        name: value for name, value in wanted.items() if "within" not in name
    }


def test_locate_answers_with_a_point_inside_the_tile(run, tree, tmp_path):
    """By the labels' own formula, from what the model itself predicts."""
    export_run(run, tmp_path / "export")
    dataset = read_dataset("vigor", tree, [])
    write_gallery(tmp_path / "gallery.csv", dataset.gallery)
    images = [tmp_path / "gallery.csv"]
    index_gallery(
        tmp_path / "export", images, tmp_path / "gallery", progress=False
    )
    pair = dataset.validation[-1]
    asked = tmp_path / "export", tmp_path / "gallery", [pair.ground]
    text = locate_images(*asked, top_k=24, output_format="json").text
    answers = json.loads(text)[0]["answers"]
    _, model = load_model(run)
    source = FileSource([pair], model.config.input_form)
    ground = source.load(np.array([0]))[0].astype("f4")
    error = float(model.offset_head.expected_error.numpy())
    assert 0 < error < 1
    tiles = {tile.id: tile for tile in dataset.gallery}
    for answer in (answers[0], answers[-1]):
        tile = tiles[answer["id"]]
        alone = FileSource([tile.as_pair()], model.config.input_form)
        satellite = alone.load(np.array([0]))[1].astype("f4")
        ((d0, d1),) = model.predict_offsets(
            model.encode_ground(ground), model.encode_satellite(satellite)
        ).numpy()
        city = ORDER.index(answer["id"].partition("/")[0])
        pixel = 320 * RESOLUTION[city]
        point = answer["point"]
        assert point["east"] == pytest.approx(-d1 * pixel, abs=0.02)
        assert point["north"] == pytest.approx(-d0 * pixel, abs=0.02)
        side = pytest.approx(2 * pixel * error, abs=0.01)
        assert point["expected_error"] == side
        azimuth, _, metres = GEOD.inv(
            *tile.coordinates[::-1], point["longitude"], point["latitude"]
        )
        east = metres * np.sin(np.radians(azimuth))
        assert east == pytest.approx(point["east"], abs=0.02)
        assert metres == pytest.approx(np.hypot(d0, d1) * pixel, abs=0.02)
    table = locate_images(*asked, top_k=1).text
    assert "if answer 1 is right, taken at " in table
    assert "expected error" in table
    header = locate_images(*asked, top_k=1, output_format="csv").text
    assert "point_latitude,point_longitude,point_east" in header
    # A gallery that does not say what ground its images cover.
    folder = [tree / "Chicago" / "satellite"]
    index_gallery(tmp_path / "export", folder, tmp_path / "g2", progress=False)
    found = locate_images(asked[0], tmp_path / "g2", [pair.ground])
    assert "column side_metres" in found.warnings[0]
    assert "if answer 1" not in found.text
