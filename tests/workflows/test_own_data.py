"""Own data in training: shared aerial images, unknown positions, parts."""

import csv
import json

import numpy as np
import pytest
import scipy.io

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.evaluation.ranks import read_ranks
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.evaluate import evaluate_run
from mgtl_tf.workflows.inputs import beside_figures, open_source, read_data
from mgtl_tf.workflows.prepare import prepare
from mgtl_tf.workflows.train import train
from tests.tiny_runs import PROBE, write_image

SMALL = PROBE.replace(
    dataset="csv",
    batch_size=4,
    epochs=1,
    cache="none",
    retrieval_pictures=1,
    dtype_policy="float32",
)
HEADER = ["id", "ground", "aerial", "latitude", "longitude"]


def own(folder, count=6, panoramas=1, unknown=(), step=0.001):
    """The README's own CSV: .tif aerials, some rows without a position."""
    noise = np.random.default_rng(0)
    rows = []
    for n in range(count):
        pixels = noise.integers(0, 256, (16, 16, 3), np.uint8)
        write_image(folder / f"tiles/{n}.tif", pixels)
        where = ["", ""] if n in unknown else [46.9 + step * n, 7.4]
        for k in range(panoramas):
            pixels = noise.integers(0, 256, (8, 16, 3), np.uint8)
            write_image(folder / f"panos/{n}_{k}.png", pixels)
            name = f"berne-{n}-{k}"
            rows.append([name, f"panos/{n}_{k}.png", f"tiles/{n}.tif", *where])
    for split in ("train", "validation"):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])
    return folder


def trained(config, run_dir):
    assert train(config, run_dir)
    (last,) = [r for r in read_metrics(run_dir) if r["kind"] == "evaluation"]
    return last


def test_two_panoramas_of_an_aerial_image_one_without_a_position(
    tmp_path, caplog
):
    data = own(tmp_path / "data", panoramas=2, unknown=[2])
    config = SMALL.replace(data_dir=str(data), mining_start=0)
    found = trained(config, tmp_path / "run")
    assert "2 of 12 training places have no position" in caplog.text
    assert (found["gallery_size"], found["panoramas"]) == (6, 12)
    assert found["with_position"] == 10
    # By chance, not by ties of a place with itself.
    recalls = found["ground_to_satellite"]
    assert recalls["ties"] == 0 and recalls["mean_rank"] <= 6
    assert 10 * recalls["within_25m"] == pytest.approx(
        round(10 * recalls["within_25m"])
    )
    ranks = read_ranks(tmp_path / "run/report/ranks.npz", "")
    assert (len(ranks.forth.place), ranks.places) == (12, 6)
    assert ranks.forth.place.max() <= 6 and len(ranks.forth.within) == 10
    assert ranks.result("aligned")["ground_to_satellite"] == recalls
    table = evaluate_run(tmp_path / "run", hit_metres=5.0)
    assert "6 distinct aerial images of 12 panoramas" in table
    assert "2 of 12 panoramas have no position" in table


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"same_place_metres": 1e6}, r"same_place_metres=1e\+06: all 6 .*"),
        ({"same_place_metres": 600.0}, r"\(555\.\d m at most\)"),
        ({"batch_size": 7}, "give at most batch_size=6$"),
    ],
)
def test_no_negatives_at_all_is_told_before_the_first_step(
    tmp_path, settings, said
):
    data = own(tmp_path / "data")
    config = SMALL.replace(data_dir=str(data), **settings)
    with pytest.raises(UserError, match=said) as error:
        train(config, tmp_path / "run")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("count", "panoramas", "said"),
    [(1, 4, "share one aerial image"), (1, 1, "has 1 pair; 2 are the least")],
)
def test_too_little_to_train_on(tmp_path, count, panoramas, said):
    data = own(tmp_path / "data", count, panoramas)
    config = SMALL.replace(data_dir=str(data), batch_size=2)
    with pytest.raises(UserError, match=said):
        train(config, tmp_path / "run")


def test_partial_data_train_on_request_and_are_counted(tmp_path, caplog):
    data = own(tmp_path / "data", count=8)
    (data / "tiles/3.tif").unlink()
    whole = SMALL.replace(data_dir=str(data))
    with pytest.raises(UserError, match="3.tif, row 4: does not .*partial"):
        train(whole, tmp_path / "run")
    with pytest.raises(UserError, match="partial: needs data_cache"):
        train(whole.replace(partial=True), tmp_path / "run")
    prepared = tmp_path / "prepared"
    settings = CacheSettings("csv", SMALL.model.image_size, (0.0, 1.0))
    prepare(data, prepared, settings, 1, progress=False)
    cached = whole.replace(data_cache=str(prepared))
    with pytest.raises(UserError, match="use the pairs .* with partial"):
        train(cached, tmp_path / "run")
    found = trained(cached.replace(partial=True), tmp_path / "run")
    assert "partial: 1 train pairs are left out, 7 are used" in caplog.text
    assert found["left_out"] == {"train": 1, "validation": 1}
    assert found["gallery_size"] == 7
    assert RunConfig.load(tmp_path / "run").data.partial
    table = evaluate_run(tmp_path / "run")
    assert "partial: 1 train and 1 validation pairs are left out" in table
    saved = tmp_path / "run" / "evaluation-csv-validation.json"
    assert json.loads(saved.read_text())["left_out"] == found["left_out"]
    page = (tmp_path / "run/report/report.html").read_text()
    assert "validation pairs left out" in page
    with pytest.raises(UserError, match="partial"):
        evaluate_run(tmp_path / "run", partial=False)


def cvact(root, lost):
    """CVACT's layout, without the panoramas of some places."""
    ids = [f"p{i}" for i in range(8)]
    scipy.io.savemat(
        root / "ACT_data.mat",
        {
            "panoIds": np.array(ids),
            "utm": np.array([[693000.0, 6090000.0 + 90 * i] for i in range(8)]),
            "trainSet": {"trainInd": np.arange(1, 6)},
            "valSet": {"valInd": np.arange(6, 9)},
        },
    )
    noise = np.random.default_rng(0)
    folder = root / "ANU_data_small"
    for name in ids:
        pixels = noise.integers(0, 256, (16, 16, 3), np.uint8)
        aerial = folder / f"satview_polish/{name}_satView_polish.jpg"
        write_image(aerial, pixels)
        if name not in lost:
            ground = folder / f"streetview/{name}_grdView.jpg"
            write_image(ground, np.repeat(pixels, 2, axis=1))
    return root


def test_a_partial_cvact_download_can_be_used(tmp_path):
    data = cvact(tmp_path, {"p1", "p4", "p6"})
    config = SMALL.replace(
        dataset="cvact", data_dir=str(data), ground_crop=(0.25, 0.75)
    ).replace(image_size=(8, 32))
    with pytest.raises(UserError, match="p1_grdView.jpg, row 2: .*par"):
        read_data(config.data)
    prepared = tmp_path / "prepared"
    settings = CacheSettings("cvact", config.model.image_size, (0.25, 0.75))
    found = prepare(data, prepared, settings, 1, progress=False)
    assert (found.pairs, found.left_out) == (8, 3)
    part = config.replace(data_cache=str(prepared), partial=True)
    dataset = read_data(part.data)
    assert [p.id for p in dataset.train] == ["p0", "p2", "p3"]
    assert [p.id for p in dataset.validation] == ["p5", "p7"]
    assert dataset.left_out == (2, 1)
    assert beside_figures(dataset) == {
        "left_out": {"train": 2, "validation": 1}
    }
    # Five rows, of which it reads its own three.
    source = open_source(
        part.data, part.model.input_form, dataset.train, tmp_path / "unused"
    )
    ground, _ = source.load(np.arange(3))
    assert len(source) == 3 and ground.any(axis=(1, 2, 3)).all()
    assert not (tmp_path / "unused").exists()
