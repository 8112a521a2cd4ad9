"""Evaluating a run under each protocol: what is read, named and written."""

import json
import shutil

import numpy as np
import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.evaluation.measured_data import transfer
from mgtl_tf.evaluation.ranks import read_ranks
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.evaluate import evaluate_run, open_split
from mgtl_tf.workflows.prepare import prepare
from mgtl_tf.workflows.resume import record_start
from tests.tiny_runs import (
    PROBE,
    TINY,
    write_image,
    write_noisy_cvusa,
    write_run,
    write_white_cvact,
)

CONFIG = PROBE.replace(batch_size=2, epochs=1, cache="none")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on four noisy pairs in CVUSA's layout, without positions."""
    folder = tmp_path_factory.mktemp("cvusa")
    write_noisy_cvusa(folder, 4)
    write_run(folder / "run", CONFIG.replace(data_dir=str(folder)))
    return folder / "run"


@pytest.fixture
def cvact(tmp_path):
    """See `write_white_cvact`."""
    write_white_cvact(tmp_path)
    return tmp_path


def saved(run_dir, name):
    return json.loads((run_dir / f"evaluation-{name}.json").read_text())


def test_each_protocol_has_a_table_and_a_file_of_its_own(run):
    aligned = evaluate_run(run)
    narrow = evaluate_run(run, protocol="fov_90", protocol_seed=2)
    name = "field of view 90 degrees, unknown orientation, seed 2"
    assert aligned.startswith("aligned  ")
    assert narrow.startswith(f"{name}  ")
    plain = saved(run, "cvusa-validation")
    assert plain["protocol"] == "aligned"
    assert plain["trained_on"] == plain["evaluated_on"] == "cvusa"
    # The figures are those of the ranks beside them.
    ranks = read_ranks(run / "evaluation-cvusa-validation-ranks.npz", "")
    assert ranks.result("aligned").items() <= plain.items()
    assert ranks.gallery == plain["gallery"]
    asked = saved(run, "cvusa-validation-fov_90-2")
    assert asked["protocol"] == name and asked["gallery_size"] == 4
    again = evaluate_run(run, protocol="fov_90", protocol_seed=2)
    assert again == narrow


def test_the_start_of_the_trunk_stands_under_the_table(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    assert "SHA-256" not in evaluate_run(copy)
    record_start(copy, "d9" * 32)
    assert evaluate_run(copy).endswith(f"SHA-256 {'d9' * 32}")
    assert saved(copy, "cvusa-validation")["backbone_digest"] == "d9" * 32


def test_the_model_is_shown_what_the_protocol_says(run, monkeypatch):
    seen = {}
    plain = evaluation.rank_model

    def look(model, batches, pairs, progress, protocol, *rest):
        ground = next(iter(batches))["ground"].numpy()[: len(pairs)]
        seen[protocol.kind] = ground
        return plain(model, batches, pairs, progress, protocol, *rest)

    monkeypatch.setattr(evaluation, "rank_model", look)
    for kind in ("aligned", "unknown_orientation", "fov_180"):
        evaluate_run(run, protocol=kind)
    for before, turned, cut in zip(*seen.values(), strict=True):
        turns = [np.roll(before, -s, axis=1) for s in range(16)]
        assert sum((turned == t).all() for t in turns) == 1
        np.testing.assert_array_equal(cut[:, 4:12], turned[:, 4:12])
        assert (np.delete(cut, np.s_[4:12], axis=1) == (124, 117, 104)).all()


def test_another_data_set_is_read_as_it_is_and_named(run, cvact, monkeypatch):
    levels = []
    plain = evaluation.rank_model

    def look(model, batches, pairs, *rest):
        ground = next(iter(batches))["ground"].numpy()[: len(pairs)]
        levels.append(ground.min())
        return plain(model, batches, pairs, *rest)

    monkeypatch.setattr(evaluation, "rank_model", look)
    table = evaluate_run(run, "cvact", str(cvact), hit_metres=5.0)
    # Cropped as CVACT's preset says: no black row is left.
    assert levels[0] > 250
    name = "aligned, right within 5 m, cross-data-set cvusa to cvact"
    assert table.startswith(name)
    found = saved(run, "cvact-validation-within_5m")
    assert found["protocol"] == name
    assert (found["trained_on"], found["evaluated_on"]) == ("cvusa", "cvact")
    # All descriptors are equal. Place c has two wrong answers, a and b one.
    assert found["ground_to_satellite"]["mean_rank"] == pytest.approx(7 / 3)


def test_other_pairs_of_the_same_data_set(run, tmp_path):
    """A run trained from a prepared cache, on another folder of its kind.

    The cache is of the run's own pairs, and so are the earlier figures.
    """
    own = RunConfig.load(run)
    settings = CacheSettings("cvusa", own.model.image_size, (0.0, 1.0))
    prepared = tmp_path / "prepared"
    prepare(own.data.data_dir, prepared, settings, 1, progress=False)
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    cached = own.replace(data_cache=str(prepared))
    (copy / "config.json").write_text(cached.to_json())
    other = tmp_path / "elsewhere"
    for name in ("bingmap", "streetview", "splits"):
        shutil.copytree(f"{own.data.data_dir}/{name}", other / name)
    write_image(other / "streetview/0.png", np.zeros((8, 16, 3), np.uint8))
    evaluate_run(copy)
    before = saved(copy, "cvusa-validation")
    evaluate_run(copy, data_dir=str(other))
    assert saved(copy, "cvusa-validation") == before
    found = saved(copy, "cvusa-validation-elsewhere")
    assert found["data_dir"] == str(other)
    assert found["gallery"] != before["gallery"]
    with pytest.raises(UserError, match="prepare"):
        evaluate_run(copy, data_dir=str(other), data_cache=str(prepared))


def test_cvacts_test_set_is_no_other_data_set():
    """It is of the same country and cameras."""
    assert transfer("cvact", "cvact_test") == ""
    assert transfer("cvusa", "cvact_test") == "cvusa to cvact_test"


def test_ray_reads_no_features_of_one_machine(run):
    with pytest.raises(UserError, match="^feature_cache=there: runner=ray"):
        evaluate_run(run, feature_cache="there", runner="ray")


def test_a_rule_that_needs_positions_says_so(run):
    with pytest.raises(UserError, match="^hit_metres=5: .*no positions"):
        evaluate_run(run, hit_metres=5.0)


@pytest.mark.parametrize(("size", "taken"), [(1, 0), (2, 2), (3, 4)])
def test_shuffled_knowledge_is_of_another_pair_of_every_batch(
    run, tmp_path, size, taken
):
    """Of four pairs, in batches of three, the last would read its own."""
    config = TINY.replace(
        data_dir=str(run.parent),
        cache="none",
        recurrent_steps=1,
        evaluation_batch_size=size,
    )
    write_run(tmp_path / "run", config)
    if not taken:
        with pytest.raises(UserError, match="evaluation_batch_size=1 and 4 p"):
            open_split(tmp_path / "run", knowledge="shuffled")
        return
    found = open_split(tmp_path / "run", knowledge="shuffled")
    assert found.inputs.batch_size == taken
    assert open_split(tmp_path / "run").inputs.batch_size == size
