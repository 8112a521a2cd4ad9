"""Fixed blocks of VGG-16: what they compute, what no optimizer touches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.config import TrainConfig
from mgtl_tf.models.backbones import (
    backbone_digest,
    copy_parts,
    frozen_digest,
    tensors_digest,
)
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.progress import Progress
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError
from tests.tiny_runs import TINY

pytestmark = pytest.mark.usefixtures("plain_graphs", "eager")

SYSTEMS = {"mgtl": {"recurrent_steps": 1}, "safa": {"attention_maps": 2}}


with_vgg16 = pytest.mark.parametrize("system", SYSTEMS)


def build(system="mgtl", frozen=0, seed=0, **fields):
    keras.utils.set_random_seed(seed)
    fields = {**SYSTEMS.get(system, {}), **fields}
    model = mgtl_tf.build_model(TINY.replace(system=system, **fields).model)
    model.freeze_blocks(frozen)
    return model


def images(pairs=3):
    random = np.random.default_rng(0)
    return {
        view: random.uniform(0, 255, (pairs, 8, 16, 3)).astype("float32")
        for view in ("ground", "satellite")
    }


def train(model, batch, first_block=0, **fields):
    """One step; the model's weights before it, by their paths."""
    config = TrainConfig(batch_size=len(batch["ground"]), **fields)
    optimizer = make_optimizer(config, model.trainable_variables)
    step = TrainStep(model, optimizer, config, first_block=first_block)
    before = {w.path: w.numpy() for w in model.weights}
    negatives = ~np.eye(len(batch["ground"]), dtype=bool)
    step({**batch, "negatives": negatives}, 0.1)
    return before, optimizer


def of_first_blocks(path, blocks):
    return any(f"block{n + 1}_" in path for n in range(blocks))


@with_vgg16
def test_nothing_of_a_fixed_block_is_trained_or_kept(system, tmp_path):
    model = build(system, 2, backbone_normalization="batch")
    before, optimizer = train(model, images())
    for weight in model.weights:
        same = np.array_equal(before[weight.path], weight)
        # Nor do its moving averages move.
        assert same == of_first_blocks(weight.path, 2), weight.path
    learns = [w for w in model.weights if w.trainable]
    assert not [w for w in learns if of_first_blocks(w.path, 2)]
    # Two moments a variable, the step and the rate: no slot for the others.
    assert len(optimizer.variables) == 2 + 2 * len(learns)
    Checkpoints(tmp_path, model, optimizer).save_last(Progress(1))
    path = tf.train.latest_checkpoint(tmp_path / "checkpoints/last")
    kept = [name for name, _ in tf.train.list_variables(path)]
    found = [name for name in kept if of_first_blocks(name, 2)]
    assert found and all(name.startswith("model/") for name in found)


@with_vgg16
@pytest.mark.parametrize("micro_batch", [0, 1])
def test_training_after_the_blocks_is_training_through_them(
    system, micro_batch
):
    """Also where dropout acts: not in what is fixed."""
    found = []
    for first_block in (0, 4):
        model = build(system, 4, poolings=2, backbone_dropout=0.5)
        batch = images(4)
        if first_block:
            batch = model.frozen_features(batch)
            shape = model.backbones[0].block_shape((4, 8, 16, 3), 4)
            assert tuple(batch["ground"].shape) == shape == (4, 2, 4, 8)
        train(model, batch, first_block, micro_batch=micro_batch)
        found.append([np.array(w) for w in model.weights])
    for through, after in zip(*found, strict=True):
        np.testing.assert_allclose(through, after, atol=2e-4)


def test_the_gradient_of_what_is_trained_is_what_it_was():
    gradients = []
    for frozen in (0, 3):
        model = build("mgtl", frozen, backbone_dropout=0.0)
        with tf.GradientTape() as tape:
            outputs = model(images(), training=True)
            loss = tf.reduce_sum(outputs["ground"] * outputs["satellite"])
        weights = model.trainable_variables
        gradients.append(
            dict(
                zip(
                    (w.path.partition("/")[2] for w in weights),
                    tape.gradient(loss, weights),
                    strict=True,
                )
            )
        )
    everything, rest = gradients
    assert 0 < len(rest) == len(everything) - 2 * 2 * (2 + 2 + 3)
    for path, gradient in rest.items():
        np.testing.assert_allclose(gradient, everything[path], atol=1e-6)


def test_a_system_without_vgg16_has_nothing_to_fix():
    with pytest.raises(UserError, match="freeze_blocks=1: l2ltr has no VGG"):
        mgtl_tf.build_model(
            mgtl_tf.ModelConfig(
                system="l2ltr",
                image_size=(16, 32),
                channels=12,
                heads=3,
                width_multiplier=1 / 16,
                vit_blocks=1,
                stem_blocks=(1, 1, 1),
            )
        ).freeze_blocks(1)
    with pytest.raises(UserError, match="freeze_blocks=6: must be 0 or more"):
        TrainConfig(freeze_blocks=6)


def test_digests_are_of_the_tensors_alone():
    """As `sha256sum` would say of the arrays written one after the other."""
    model = build("mgtl", 2)
    ground, satellite = model.backbones
    assert backbone_digest(model) == tensors_digest(
        [*ground.block_weights(), *satellite.block_weights()]
    )
    for ours, theirs in zip(satellite.weights, ground.weights, strict=True):
        ours.assign(theirs)
    arrays = [
        array
        for layer in ground.convolutions
        for array in (layer.kernel, layer.bias)
    ]
    assert backbone_digest(model) == tensors_digest(arrays)
    fixed = frozen_digest(model)
    ground.convolutions[4].bias.assign_add([1.0] * 4)
    assert frozen_digest(model) == fixed
    ground.convolutions[3].bias.assign_add([1.0] * 2)
    assert frozen_digest(model) != fixed


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_a_trunk_goes_from_any_system_to_any(normalization):
    source = build(
        "safa", seed=1, backbone_normalization=normalization, poolings=2
    )
    model = build("mgtl", seed=2, backbone_normalization=normalization)
    head = [np.array(w) for w in model.ground_steps[0].weights]
    copy_parts(model, source)
    assert backbone_digest(model) == backbone_digest(source)
    for ours, before in zip(model.ground_steps[0].weights, head, strict=True):
        np.testing.assert_array_equal(ours, before)


def test_a_shorter_trunk_takes_the_first_blocks_alone():
    source, model = build("safa", seed=1), build("dsm", seed=2)
    copy_parts(model, source)
    for ours, theirs in zip(model.backbones, source.backbones, strict=True):
        assert (ours.blocks, theirs.blocks) == (4, 5)
        for got, given in zip(
            ours.block_weights(), theirs.block_weights(4), strict=True
        ):
            np.testing.assert_array_equal(got, given)
    with pytest.raises(UnfitFileError, match="block5_conv1/.* is missing"):
        copy_parts(source, model)


def test_a_trunk_of_other_shapes_is_named():
    model = build("mgtl")
    before = backbone_digest(model)
    for other, said in (
        (build("safa", width_multiplier=1 / 32), r"\(3, 3, 3, 2\), this"),
        (
            build("mgtl", backbone_normalization="batch"),
            "bn/gamma is .*missing",
        ),
    ):
        with pytest.raises(UnfitFileError, match=said):
            copy_parts(model, other)
    assert backbone_digest(model) == before
