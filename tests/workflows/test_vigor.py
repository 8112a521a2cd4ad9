"""VIGOR through prepare, training, evaluation and a gallery."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.galleries.named_images import named_images
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.evaluate import evaluate_run
from mgtl_tf.workflows.inputs import open_gallery, open_source, read_data
from mgtl_tf.workflows.prepare import prepare
from mgtl_tf.workflows.train import train
from tests.datasets.vigor_tree import make_vigor, noise, tile_name
from tests.tiny_runs import TINY

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


def test_a_run_is_trained_and_measured_in_the_whole_gallery(tree, tmp_path):
    settings = config(
        tree,
        batch_size=4,
        epochs=1,
        max_steps=1,
        same_place_metres=0.0,
        evaluation_batch_size=8,
        retrieval_pictures=2,
    )
    assert train(settings, tmp_path)
    text = evaluate_run(tmp_path)
    for wanted in ("hit rate, any of four", "same-area: 50.0 %", "K = 1 of 24"):
        assert wanted in text
    path = tmp_path / "evaluation-vigor-validation.json"
    found = json.loads(path.read_text())
    assert (found["gallery_size"], found["distractors"]) == (24, 16)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines if "r@1" in line]
    assert logged
    page = (tmp_path / "report/report.html").read_text()
    assert "24" in page
    train_text = evaluate_run(tmp_path, split="train")
    assert "K = " not in train_text
