"""Toker et al. with a generator: three groups, updated in their order."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.adversarial_losses import deception_loss, discriminator_loss
from mgtl_tf.config import RunConfig
from mgtl_tf.export.saved_model import export_model, model_hash
from mgtl_tf.losses import soft_margin_triplet_loss
from mgtl_tf.training.checkpoint import Checkpoints, load_model
from mgtl_tf.training.group_optimizers import GroupOptimizers
from mgtl_tf.training.group_step import update_groups
from mgtl_tf.training.optimizers import averaged_weights, optimizer_of
from mgtl_tf.training.progress import Progress
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from tests.models.published_size import part_sizes, published
from tests.training.small_networks import Restarted

pytestmark = pytest.mark.usefixtures("plain_graphs")

WEIGHTS = (3.0, 0.5, 2.0)
CONFIG = RunConfig.of(
    system="toker",
    generator=True,
    generator_loss_weights=WEIGHTS,
    image_size=(24, 40),
    width_multiplier=1 / 32,
    ground_blocks=(1, 1, 1),
    residual_blocks=0,
    attention_maps=2,
    backbone_weights="none",
    adam_beta_1=0.5,
    ema_momentum=0.9,
    discriminator_learning_rate_factor=0.5,
)
GROUPS = "discriminator", "retrieval", "generator"
STATES = ("moving_mean", "moving_variance", "direction")


def pairs(count=4):
    random = np.random.default_rng(0)
    ground = random.uniform(0, 255, (count, 24, 40, 3)).astype("float32")
    noise = random.normal(0, 10, ground.shape).astype("float32")
    return {"ground": ground, "satellite": ground + noise}


def batch():
    return {**pairs(), "negatives": ~np.eye(4, dtype=bool)}


@pytest.fixture(scope="module")
def made():
    keras.utils.set_random_seed(1)
    model = mgtl_tf.build_model(CONFIG.model)
    optimizers = optimizer_of(model, CONFIG.train)
    return Restarted(TrainStep(model, optimizers, CONFIG.train))


@pytest.fixture
def step(made):
    """At the beginning."""
    return made.begin()


def values(variables):
    return [np.array(v) for v in variables]


def same(a, b):
    return [np.array_equal(x, y) for x, y in zip(a, b, strict=True)]


def test_published_parameters_in_training_and_of_descriptors():
    model = published("toker", generator=True)
    sizes = {
        group.name: sum(math.prod(v.shape) for v in group.variables)
        for group in model.groups
    }
    # 8,170,304 + 2 x 9,309,608 of retrieval; 8,298,368 of the generator are
    # the encoder that the aerial descriptors need.
    assert sizes == dict(
        zip(GROUPS, (2_788_290, 26_789_520, 9_507_908), strict=True)
    )
    assert sum(sizes.values()) == 39_085_718
    for weights, count in (
        (model.weights, 39_085_718),
        (model.descriptor_weights, 35_087_888),
    ):
        learnt = [w for w in weights if not w.path.endswith(STATES)]
        assert sum(math.prod(w.shape) for w in learnt) == count
    assert set(part_sizes(model)) == {"ground", "satellite"}


def test_the_groups_are_all_variables_each_once(step):
    model, optimizers = step.model, step.optimizer
    grouped = [v.path for g in model.groups for v in g.variables]
    assert [g.name for g in model.groups] == list(GROUPS)
    assert sorted(grouped) == sorted(v.path for v in model.trainable_variables)
    assert len(set(grouped)) == len(grouped)
    # Two moments and the average of each; step and rate of each optimizer.
    assert len(optimizers.variables) == 3 * 2 + 3 * len(grouped)


def test_each_is_updated_in_turn_by_its_own_loss_alone(step):
    """By what the variables are when each loss is asked for."""
    model, optimizers = step.model, step.optimizer
    seen, reached = [], {}

    def watched(group):
        def loss(views, shared, compare):
            seen.append([values(g.variables) for g in model.groups])
            with tf.GradientTape() as tape:
                tape.watch(shared)
                loss, named = group.loss(views, shared, compare)
            gradients = tape.gradient(loss, shared)
            reached[group.name] = {
                k for k, g in gradients.items() if g is not None
            }
            return loss, named

        return dataclasses.replace(group, loss=loss)

    watching = GroupOptimizers(
        [watched(g) for g in model.groups], optimizers.optimizers
    )
    for optimizer in optimizers.optimizers:
        optimizer.learning_rate.assign(1e-3)
    update_groups(model, watching, pairs(), soft_margin_triplet_loss)
    seen.append([values(g.variables) for g in model.groups])
    for turn in range(3):
        for place in range(3):
            kept = same(seen[turn][place], seen[turn + 1][place])
            assert not all(kept) if place == turn else all(kept)
    # What the others share is made by the generator's variables.
    assert reached == {
        "discriminator": set(),
        "retrieval": set(),
        "generator": {"map", "street_view"},
    }


def test_the_losses_and_their_figures(step):
    """Of a rate of zero: every loss is that of the first weights."""
    model = step.model
    shared = model.shared_outputs(pairs())
    ground, satellite = (pairs()[v] / 127.5 - 1 for v in pairs())
    made = np.asarray(shared["street_view"])
    assert made.shape == ground.shape and np.abs(made).max() < 1
    judged = [
        model.discriminator(np.concatenate([satellite, seen], -1))
        for seen in (ground, made)
    ]
    outputs = model(pairs(), training=True)
    triplet = float(
        soft_margin_triplet_loss(outputs["ground"], outputs["satellite"])
    )
    image = np.abs(made - ground).mean()
    deception = float(deception_loss(judged[1]))
    terms = triplet, deception, image
    wanted = {
        "triplet_loss": triplet,
        "retrieval_loss": triplet,
        "matching_loss": triplet,
        "discriminator_loss": float(discriminator_loss(*judged)),
        "deception_loss": deception,
        "image_loss": image,
        "generator_loss": np.dot(WEIGHTS, terms),
    }
    found = step(batch(), 0.0)
    for name, value in wanted.items():
        # Each training call moves the estimates of the spectral norms.
        assert float(found[name]) == pytest.approx(value, rel=0.1), name
    terms = [
        float(found[f"{n}_loss"]) for n in ("matching", "deception", "image")
    ]
    total = float(found["generator_loss"])
    assert total == pytest.approx(np.dot(WEIGHTS, terms), rel=1e-5)
    total = sum(float(found[f"{name}_loss"]) for name in GROUPS)
    assert float(found["loss"]) == pytest.approx(total, rel=1e-6)
    for name in ("positive_distance", "negative_distance", "generative_loss"):
        assert np.isfinite(found[name])


def test_it_learns_and_resumes_to_the_bit(step, tmp_path):
    model, optimizers = step.model, step.optimizer
    losses = [step(batch(), 2e-3) for _ in range(20)]
    for name in ("triplet_loss", "image_loss"):
        assert float(losses[-1][name]) < float(losses[0][name]), name
    assert float(losses[-1]["triplet_loss"]) < 0.1
    rates = [float(o.learning_rate) for o in optimizers.optimizers]
    np.testing.assert_allclose(rates, [1e-3, 2e-3, 2e-3])

    checkpoints = Checkpoints(tmp_path, model, optimizers)
    checkpoints.save_last(Progress(step=20))
    step(batch(), 2e-3)
    everything = [*model.weights, *optimizers.variables]
    expected = values(everything)
    for variable in everything:
        variable.assign(0 * variable)
    assert checkpoints.restore_last().step == 20
    step(batch(), 2e-3)
    assert all(same(values(everything), expected))
    with averaged_weights(optimizers, model.trainable_variables) as averaged:
        assert averaged
        assert not any(same(values(everything)[:3], expected[:3]))
    assert all(same(values(everything), expected))


def test_the_config_is_kept_and_retrieval_alone_keeps_its_name():
    assert RunConfig.from_json(CONFIG.to_json()) == CONFIG
    plain = CONFIG.replace(generator=False)
    assert not plain.model.trains_in_groups
    assert plain.network != CONFIG.network
    # As before there was a generator.
    assert "generator" not in plain.model.identity()
    weighted = CONFIG.replace(generator_loss_weights=(1.0, 1.0, 1.0))
    assert weighted.network == CONFIG.network


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("micro_batch", 2, "must be 0 where parts of system=toker"),
        ("strategy", "mirrored", "must be none where parts of"),
        ("sharpness_radius", 2.5, "must be 0 where parts of system=toker"),
        ("image_size", (24, 44), "must be multiples of 8 from 24 on"),
        ("image_size", (16, 40), "must be multiples of 8 from 24 on"),
    ],
)
def test_what_does_not_fit_a_generator_is_refused(field, value, remedy):
    with pytest.raises(UserError, match=f"{field}=.*{remedy}"):
        CONFIG.replace(**{field: value})
    CONFIG.replace(generator=False, **{field: value})


def test_one_loss_does_not_train_it(step):
    with pytest.raises(ValueError, match="train it by experiments.train"):
        step.model.compute_loss(batch())


def test_the_export_answers_as_a_reload_and_holds_retrieval_alone(
    step, tmp_path
):
    model, optimizers = step.model, step.optimizer
    before = model_hash(model, CONFIG)
    bias = model.discriminator.convolutions[0].bias
    bias.assign_add(np.ones(bias.shape))
    assert model_hash(model, CONFIG) == before
    Checkpoints(tmp_path, model, optimizers).save_best(Progress())
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    _, loaded = load_model(tmp_path)
    assert all(same(values(loaded.weights), values(model.weights)))
    folder = export_model(model, CONFIG, tmp_path / "export")
    found = tf.saved_model.load(str(folder)).signatures
    images = np.uint8(pairs()["ground"])
    for view in ("ground", "satellite"):
        answer = found[f"encode_{view}_pixels"](pixels=tf.constant(images))
        wanted = getattr(loaded, f"encode_{view}")(np.float32(images))
        np.testing.assert_allclose(answer["descriptor"], wanted, atol=1e-4)
    held = tf.train.list_variables(str(folder / "variables/variables"))
    count = len([name for name, _ in held if name.startswith("weights/")])
    assert count == len(model.descriptor_weights) < len(model.weights)
