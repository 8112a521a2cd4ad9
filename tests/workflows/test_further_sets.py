"""A run measured on further data sets: one joint gallery, its own figures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from absl import flags

from experiments.flags import VIGOR_FLAGS
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.sources import FileSource
from mgtl_tf.evaluation.ranks import read_ranks
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.further_sets import measure_further, read_joint
from tests.tiny_runs import (
    PROBE,
    write_image,
    write_noisy_cvusa,
    write_run,
    write_white_cvact,
)

REAL = Path(__file__).parents[3] / "shared/data/real_pairs"
CONFIG = PROBE.replace(dataset="procedural", cache="none", data_dir="nowhere")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose own data are gone."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_run(folder, CONFIG)
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Four noisy pairs in CVUSA's layout, CVACT's three, two of a list.

    The list's first aerial image is a copy of the first of CVUSA's.
    """
    root = tmp_path_factory.mktemp("sets")
    for name in ("cvusa", "cvact", "csv"):
        (root / name).mkdir()
    write_noisy_cvusa(root / "cvusa", 4)
    write_white_cvact(root / "cvact")
    own = root / "csv"
    noise = np.random.default_rng(5).integers(0, 256, (2, 16, 32, 3), np.uint8)
    shutil.copy(root / "cvusa/bingmap/19/0.png", own / "a0.png")
    write_image(own / "a1.png", noise[0, :, :16])
    for number in (0, 1):
        write_image(own / f"g{number}.png", noise[number])
    lines = [f"p{n},g{n}.png,a{n}.png,," for n in (0, 1)]
    head = "id,ground,aerial,latitude,longitude"
    for split in ("train", "validation"):
        (own / f"{split}.csv").write_text("\n".join([head, *lines]))
    return {
        name: (name, str(root / name)) for name in ("cvusa", "cvact", "csv")
    }


def by_numpy(run, config, joint):
    """Ranks from distances of all pairs, one by one."""
    _, model = load_model(run, "best")
    views = []
    for pairs, data in zip(joint.sets, joint.data, strict=True):
        source = FileSource(
            pairs, config.model.image_size, data.ground_crop, data.dataset
        )
        ground, satellite = source.load(np.arange(len(pairs)))
        views.append(
            [
                np.asarray(model.encode_ground(ground.astype("f4"))),
                np.asarray(model.encode_satellite(satellite.astype("f4"))),
            ]
        )
    ground, satellite = (
        np.concatenate(view) for view in zip(*views, strict=True)
    )
    content = [pair.aerial.read_bytes() for pair in joint.pairs]
    distinct = sorted(set(content), key=content.index)
    own = np.array([distinct.index(c) for c in content])
    rows = [content.index(c) for c in distinct]
    apart = ((ground[:, None] - satellite[rows][None]) ** 2).sum(-1)
    true = apart[np.arange(len(own)), own][:, None]
    wrong = np.arange(len(rows)) != own[:, None]
    return 1 + ((apart <= true + 1e-6) & wrong).sum(1), len(rows)


def test_one_joint_gallery_of_all_sets(run, sets):
    """Against NumPy, image by image; figures are also those of the files."""
    asked = tuple(sets.values())
    joint = read_joint(asked, CONFIG.data)
    table = measure_further(run, asked)
    saved = json.loads((run / f"{joint.stem}.json").read_text())
    ranks = read_ranks(run / f"{joint.stem}-ranks.npz", "")
    wanted, places = by_numpy(run, RunConfig.load(run), joint)
    np.testing.assert_array_equal(ranks.forth.place, wanted)
    # One aerial image is in two sets: its panoramas share a place.
    assert (ranks.places, places, saved["panoramas"]) == (8, 8, 9)
    assert ranks.gallery == saved["gallery"] == joint.gallery
    lines = table.splitlines()
    assert lines[0].startswith("cvusa + cvact + csv, aligned ")
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["all", "9"],
        ["cvusa", "4"],
        ["cvact", "3"],
        ["csv", "2"],
    ]
    assert "8 distinct aerial images of 9 panoramas" in lines[5]
    found = saved["sets"]["cvact"]
    assert found["r@1"] == np.mean(wanted[4:7] == 1)
    assert found["median_rank"] == np.median(wanted[4:7])
    assert set(found["95 %"]) == {"r@1", "r@5"}
    # Nothing of the run's own figures is touched, and others differ.
    assert not list(run.glob("evaluation-procedural*"))
    assert read_joint(asked[:2], CONFIG.data).gallery != joint.gallery


def test_images_pass_through_the_runs_preprocessing(run, sets):
    """Of any size, CVACT's by its own crop; batches cross the sets' border."""
    joint = read_joint((sets["cvact"], sets["cvusa"]), CONFIG.data)
    source = joint.source((8, 16))
    ground, satellite = source.load(np.array([6, 0, 3, 2]))
    assert ground.shape == satellite.shape == (4, 8, 16, 3)
    assert ground[[1, 3]].min() > 250  # no black row is left
    pairs = [joint.pairs[row] for row in (6, 3)]
    plain = FileSource(pairs, (8, 16)).load(np.arange(2))
    np.testing.assert_array_equal(ground[[0, 2]], plain[0])
    np.testing.assert_array_equal(satellite[[0, 2]], plain[1])
    assert [pair.id for pair in pairs] == ["cvusa:3", "cvusa:0"]


def test_two_sets_of_one_kind_are_named_by_their_folders(sets, tmp_path):
    other = shutil.copytree(sets["cvusa"][1], tmp_path / "elsewhere")
    asked = (sets["cvusa"], ("cvusa", str(other)))
    joint = read_joint(asked, CONFIG.data)
    assert joint.names == ("cvusa:cvusa", "cvusa:elsewhere")
    with pytest.raises(UserError, match="also=cvusa:cvusa: named twice"):
        read_joint((sets["cvusa"], sets["cvusa"]), CONFIG.data)


def test_wrong_sets_are_refused_by_name(sets, tmp_path):
    for asked, message in (
        (("cvusa", str(tmp_path / "gone")), "also=cvusa: .*gone is no folder"),
        (("cvact", sets["cvusa"][1]), "ACT_data.mat"),
        (("other", sets["cvusa"][1]), "other: unknown"),
    ):
        with pytest.raises(UserError, match=message):
            read_joint((asked,), CONFIG.data)
    empty = shutil.copytree(sets["cvusa"][1], tmp_path / "empty")
    (empty / "splits/val-19zl.csv").write_text("")
    with pytest.raises(UserError, match="empty: has no pairs in its valid"):
        read_joint((("cvusa", str(empty)),), CONFIG.data)


def test_the_program_prints_it(run, sets, load_program, capsys):
    program = load_program("evaluate")
    parse = flags.FLAGS["also"].parser.parse
    also = parse(",".join(":".join(sets[name]) for name in ("cvusa", "cvact")))
    assert also == (sets["cvusa"], sets["cvact"])
    names = ("protocol", "protocol_seed", "checkpoint", *VIGOR_FLAGS)
    names += ("runner", "ray_address")
    given = {name: flags.FLAGS[name].default for name in names}
    program.main(also=also, own=False, run_dir=str(run), **given)
    assert capsys.readouterr().out.startswith("cvusa + cvact, aligned ")
    for wrong in ("moon:here", "cvusa", "cvusa:", "cvusa:a,,"):
        with pytest.raises(ValueError, match="NAME is one of procedural, cvu"):
            parse(wrong)
    with pytest.raises(flags.IllegalFlagValueError, match="needs --also"):
        program.main(also=(), own=False)


def test_flags_of_the_run_s_own_data_are_not_ignored(load_program):
    program = load_program("evaluate")
    given = {holder.name: holder.default for holder in program.PROGRAM_FLAGS}
    given |= {"also": (("cvusa", "gone"),), "own": False, "run_dir": "gone"}
    for name, value in {
        "dataset": "cvact",
        "data_dir": "CVACT",
        "data_cache": "prepared",
        "feature_cache": "features",
        "split": "train",
        "partial": False,
        "knowledge": "true",
        "hit_metres": 0.0,
    }.items():
        with pytest.raises(flags.IllegalFlagValueError) as refused:
            program.main(**given | {name: value})
        assert str(refused.value).startswith(f"--{name}={value}: is of the ")
    with pytest.raises(UserError, match="gone"):  # These are of --also.
        program.main(
            **given | {"protocol": "fov_90", "vigor_labels": "original"}
        )


@pytest.mark.skipif(not REAL.is_dir(), reason="needs ../shared")
def test_real_pairs(run):
    """Five of CVUSA and six of CVACT, in sizes of their own."""
    table = measure_further(
        run, (("cvusa", str(REAL / "CVUSA")), ("cvact", str(REAL)))
    )
    assert table.splitlines()[1].split()[:2] == ["all", "11"]
