"""Training after fixed blocks whose output is cached, as through them."""

import numpy as np
import pytest

from mgtl_tf.config import DataConfig, RunConfig
from mgtl_tf.datasets.decoded_cache import features
from mgtl_tf.evaluation.ranks import read_ranks
from mgtl_tf.models.backbones import backbone_digest
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import train as workflow
from mgtl_tf.workflows.evaluate import evaluate_run
from mgtl_tf.workflows.train import train
from tests.tiny_runs import TINY, write_noisy_cvusa, write_run

RANKS = "evaluation-cvusa-train-ranks.npz"


@pytest.fixture(autouse=True)
def quick(eager, monkeypatch):
    """No step is traced, no report is written."""
    monkeypatch.setattr(workflow, "write_run_report", lambda *_: None)


@pytest.fixture
def config(tmp_path):
    """Into the second epoch from a given trunk, which has hard negatives."""
    write_noisy_cvusa(tmp_path / "world", 4)
    (tmp_path / "world/splits/val-19zl.csv").write_text("")
    write_run(tmp_path / "trunk", TINY.replace(system="safa"))
    return TINY.replace(
        data_dir=str(tmp_path / "world"),
        init_backbone=str(tmp_path / "trunk"),
        freeze_blocks=4,
        backbone_dropout=0.5,
        poolings=2,
        batch_size=2,
        max_steps=3,
        evaluate_every=0,
        mining_start=1,
        cache="none",
    )


def weights(run_dir):
    _, model = load_model(run_dir, "last")
    return model, {w.path.partition("/")[2]: w.numpy() for w in model.weights}


def test_training_from_the_cache_is_training_from_the_images(
    config, tmp_path, monkeypatch
):
    cached = config.replace(
        feature_cache=str(tmp_path / "features"), feature_dtype="float32"
    )
    assert train(config, tmp_path / "images")
    assert train(cached, tmp_path / "cached")
    model, wanted = weights(tmp_path / "images")
    for path, found in weights(tmp_path / "cached")[1].items():
        np.testing.assert_allclose(found, wanted[path], atol=1e-5)
    # The trunk it was given, which did not change below block 5.
    _, source = load_model(tmp_path / "trunk")
    saved = RunConfig.load(tmp_path / "cached")
    assert saved.start.backbone_digest == backbone_digest(source)
    for ours, theirs in zip(model.backbones, source.backbones, strict=True):
        for n, pair in enumerate(
            zip(ours.convolutions, theirs.convolutions, strict=True)
        ):
            same = np.array_equal(pair[0].kernel, pair[1].kernel)
            assert same == (n < 10)

    def unexpected(*_):
        raise AssertionError("everything is there")

    # Another run of the same blocks and data, and the same run again with
    # its cache elsewhere.
    monkeypatch.setattr(features, "_write", unexpected)
    other = cached.replace(gamma=5.0, max_steps=1)
    assert train(other, tmp_path / "other")
    for run in ("images", "cached"):
        evaluate_run(tmp_path / run, split="train", checkpoint="last")
    ranks = [
        read_ranks(tmp_path / run / RANKS, "") for run in ("images", "cached")
    ]
    np.testing.assert_array_equal(*(r.forth.place for r in ranks))
    (tmp_path / "features").rename(tmp_path / "moved")
    moved = cached.replace(feature_cache=str(tmp_path / "moved"))
    assert train(moved, tmp_path / "cached")
    # Rounded and unrounded features are two runs.
    with pytest.raises(UserError, match="feature_cache: "):
        train(config, tmp_path / "cached")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"roll_and_mirror": True, "blur": 1.0},
            "with roll_and_mirror, blur",
        ),
        ({"color_jitter": 0.1}, "empty with color_jitter: the images"),
    ],
)
def test_no_cache_where_images_change(fields, said):
    with pytest.raises(UserError, match=f"feature_cache=there: .*{said}"):
        DataConfig(feature_cache="there", **fields)
    with pytest.raises(UserError, match="roll_features=True: must be false"):
        DataConfig(roll_features=True)


def test_no_cache_of_blocks_that_learn(config, tmp_path):
    config = config.replace(freeze_blocks=0, feature_cache="there")
    with pytest.raises(UserError, match="feature_cache=there: .*freeze_blocks"):
        train(config, tmp_path / "run")
