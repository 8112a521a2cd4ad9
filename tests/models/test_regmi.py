"""Regmi and Shah's three stages: each from a run of the one before."""

import math
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.adversarial_losses import deception_loss, discriminator_loss
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.label_maps import COLOURS
from mgtl_tf.export.saved_model import export_model
from mgtl_tf.losses import soft_margin_triplet_loss
from mgtl_tf.training.checkpoint import Checkpoints, load_model
from mgtl_tf.training.optimizers import optimizer_of
from mgtl_tf.training.progress import Progress
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.start import Start
from tests.models.published_size import part_sizes, published

pytestmark = pytest.mark.usefixtures("plain_graphs")

STAGES = {"synthesis": 20, "joint": 40, "fusion": 30}  # and steps
every_stage = pytest.mark.parametrize("stage", STAGES)
VIEWS = ("ground", "satellite")
PAIRS = 4
CONFIG = RunConfig.of(
    system="regmi",
    regmi_stage="synthesis",
    image_size=(16, 40),
    satellite_size=(48, 48),
    width_multiplier=1 / 16,
    synthesis_blocks=3,
    strided_blocks=4,
    backbone_normalization="batch",
    backbone_dropout=0.05,
    descriptor_size=12,
    backbone_weights="none",
    adam_beta_1=0.5,
)


def views(labels=True):
    """Pairs whose aerial image is the panorama, resized; labels of its red."""
    random = np.random.default_rng(0)
    small = random.uniform(0, 255, (PAIRS, 4, 10, 3))
    ground = np.stack([cv2.resize(image, (40, 16)) for image in small])
    aerial = np.stack([cv2.resize(image, (48, 48)) for image in ground])
    if labels:
        maps = COLOURS[(aerial[..., 0] / 64).astype(int)]
        aerial = np.concatenate([aerial, maps], -1)
    return {
        "ground": ground.astype("float32"),
        "satellite": aerial.astype("float32"),
    }


def batch(stage):
    negatives = ~np.eye(PAIRS, dtype=bool)
    return {**views(stage == "synthesis"), "negatives": negatives}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Stage to its train step, its figures, and its run folder."""
    made, before = {}, ""
    for stage, steps in STAGES.items():
        config = CONFIG.replace(regmi_stage=stage, init_backbone=before)
        keras.utils.set_random_seed(1)
        model = mgtl_tf.build_model(config.model)
        Start(init_backbone=before).set_weights(model)
        optimizer = optimizer_of(model, config.train)
        step = TrainStep(model, optimizer, config.train)
        figures = [step(batch(stage), 2e-3) for _ in range(steps)]
        folder = tmp_path_factory.mktemp(stage)
        Checkpoints(folder, model, optimizer).save_best(Progress())
        (folder / "config.json").write_text(config.to_json())
        made[stage] = SimpleNamespace(
            config=config, step=step, figures=figures, folder=folder
        )
        before = str(folder)
    return made


def values(variables):
    return [np.array(v) for v in variables]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# Two streams, and a third of as many convolutions as the aerial images'.
JOINT = 135_841_616 + 19_535_808
GENERATOR, FUSION = 30_825_670, 1000 * 1001 + 2000 * 1000 + 1000


@pytest.mark.parametrize(
    ("stage", "trained", "needed"),
    [
        # 4 x 4 kernels and biases of the two tails of label maps, and norms.
        (
            "synthesis",
            GENERATOR + 6_962_369,
            GENERATOR - (16 * 128 * 64 + 3 * 64 + 16 * 64 * 3 + 3),
        ),
        ("joint", JOINT, 135_841_616),
        ("fusion", FUSION, None),
    ],
)
def test_published_parameters(stage, trained, needed):
    model = published("regmi", regmi_stage=stage)
    sizes = [math.prod(v.shape) for v in model.trainable_variables]
    assert sum(sizes) == trained
    found = sum(
        math.prod(w.shape)
        for w in model.descriptor_weights
        if not w.path.endswith(("moving_mean", "moving_variance", "_state"))
    )
    tail = 16 * 128 * 64 + 3 * 64 + 16 * 64 * 3 + 3
    assert found == (needed or JOINT + GENERATOR - tail + FUSION)
    assert {name.split()[0] for name in part_sizes(model)} <= set(VIEWS)


def test_the_losses_of_synthesis(runs):
    """Of a rate of zero, so of the weights as they are."""
    step = runs["synthesis"].step
    model, pairs = step.model, views()
    made = np.asarray(model.generator(pairs["ground"], training=True))
    wanted = pairs["satellite"] / 127.5 - 1
    judged = [
        model.discriminator(x[..., :3], training=True) for x in (wanted, made)
    ]
    apart = np.abs(made - wanted)
    terms = {
        "deception": float(deception_loss(judged[1])),
        "image": apart[..., :3].mean(),
        "labels": apart[..., 3:].mean(),
    }
    found = step(batch("synthesis"), 0.0)
    for name, value in terms.items():
        assert float(found[f"{name}_loss"]) == pytest.approx(value, rel=1e-3)
    total = np.dot([1, 100, 1], list(terms.values()))
    assert float(found["generator_loss"]) == pytest.approx(total, rel=1e-3)
    discriminator = float(discriminator_loss(*judged))
    found = float(found["discriminator_loss"])
    assert found == pytest.approx(discriminator, rel=1e-3)


def test_synthesis_is_compared_by_mean_colours(runs):
    model, pairs = runs["synthesis"].step.model, views()
    cells = pairs["satellite"][..., :3] / 127.5 - 1
    cells = cells.reshape(PAIRS, 8, 6, 8, 6, 3).mean((2, 4))
    cells = (cells - cells.mean((1, 2), keepdims=True)).reshape(PAIRS, -1)
    cells /= np.linalg.norm(cells, axis=1, keepdims=True)
    # With the label maps, of a training's source, and without.
    for images in (pairs["satellite"], pairs["satellite"][..., :3]):
        found = model.encode_satellite(images)
        np.testing.assert_allclose(found, cells, atol=1e-5)


def test_the_joint_loss_weighs_panoramas_ten_times(runs):
    model = runs["joint"].step.model
    pairs = views(labels=False)
    shared = model.shared_outputs(pairs)
    seen = []

    def compare(ground, satellite):
        seen.append((ground, satellite))
        return soft_margin_triplet_loss(ground, satellite)

    (group,) = model.groups
    loss, _ = group.loss(pairs, shared, compare)
    one, other = (float(soft_margin_triplet_loss(*pair)) for pair in seen)
    assert float(loss) == pytest.approx((10 * one + other) / 11, rel=1e-5)
    assert seen[0][0] is shared["ground"]
    assert seen[1][0] is shared["synthesised"]
    # The synthesised image goes through the aerial images' linear map.
    made = model.generator(pairs["ground"], training=False)[..., :3]
    features = model.synthesised(127.5 * (made + 1.0), training=False)
    wanted = np.asarray(model.satellite.layers[1](features))
    wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    found = model._synthesised_vectors(pairs["ground"], False)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_every_stage_keeps_what_it_takes_over(runs):
    for stage, before in (("joint", "synthesis"), ("fusion", "joint")):
        given = load_model(runs[before].folder)[1].copied_parts
        model = runs[stage].step.model
        for name, weights in model.inherited_parts.items():
            assert same(values(weights), values(given[name])), name
        fixed = [w for part in model.inherited_parts.values() for w in part]
        kept = {id(w) for w in fixed}
        assert not any(id(v) in kept for v in model.trainable_variables)
    assert set(runs["joint"].step.model.inherited_parts) == {"generator"}
    assert len(runs["fusion"].step.model.trainable_variables) == 4


def test_synthesis_learns_images_and_the_others_places(runs):
    figures = runs["synthesis"].figures
    for name in ("image_loss", "labels_loss"):
        assert float(figures[-1][name]) < 0.9 * float(figures[0][name])
    for stage in ("joint", "fusion"):
        figures, model = runs[stage].figures, runs[stage].step.model
        assert float(figures[-1]["triplet_loss"]) < 0.2
        pairs = views(labels=False)
        ground = model.encode_ground(pairs["ground"])
        scores = ground @ np.transpose(
            model.encode_satellite(pairs["satellite"])
        )
        assert (np.argmax(scores, 0) == np.arange(PAIRS)).all()
        assert (np.argmax(scores, 1) == np.arange(PAIRS)).all()


@every_stage
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(
    runs, stage, tmp_path
):
    step = runs[stage].step
    model, optimizer = step.model, step.optimizer
    everything = [*model.weights, *optimizer.variables]
    before = values(everything)
    checkpoints = Checkpoints(tmp_path, model, optimizer)
    checkpoints.save_last(Progress(step=20))
    step(batch(stage), 1e-3)
    expected = values(everything)
    for variable in everything:
        variable.assign(0 * variable)
    assert checkpoints.restore_last().step == 20
    step(batch(stage), 1e-3)
    assert same(values(everything), expected)
    for variable, value in zip(everything, before, strict=True):
        variable.assign(value)


@every_stage
def test_the_export_answers_as_a_reload(runs, stage, tmp_path):
    config, loaded = load_model(runs[stage].folder)
    folder = export_model(loaded, config, tmp_path / "export")
    found = tf.saved_model.load(str(folder)).signatures
    for view, images in views(labels=False).items():
        images = np.uint8(images)
        answer = found[f"encode_{view}_pixels"](pixels=tf.constant(images))
        wanted = getattr(loaded, f"encode_{view}")(np.float32(images))
        np.testing.assert_allclose(answer["descriptor"], wanted, atol=1e-4)
    held = tf.train.list_variables(str(folder / "variables/variables"))
    count = len([name for name, _ in held if name.startswith("weights/")])
    assert count == len(loaded.descriptor_weights) < len(loaded.weights)


def test_the_joint_stages_offset_head_is_exported(tmp_path):
    config = CONFIG.replace(regmi_stage="joint", offset_head=True)
    model = mgtl_tf.build_model(config.model)
    point = model.offset_head.point.kernel  # which starts at zero
    random = np.random.default_rng(0)
    point.assign(random.normal(0, 0.1, point.shape))
    held = {id(weight) for weight in model.descriptor_weights}
    assert {id(weight) for weight in model.offset_head.weights} <= held
    folder = export_model(model, config, tmp_path / "export")
    predict = tf.saved_model.load(str(folder)).signatures["predict_offset"]
    ground, satellite = random.normal(size=(2, PAIRS, 12)).astype("f4")
    found = predict(
        ground=tf.constant(ground), satellite=tf.constant(satellite)
    )
    d0, d1 = np.transpose(model.predict_offsets(ground, satellite))
    wanted = np.stack([-d1, -d0], axis=1) / 2
    np.testing.assert_allclose(found["offset"], wanted, atol=1e-5)


def test_the_config_is_kept_and_the_baseline_keeps_its_name():
    assert RunConfig.from_json(CONFIG.to_json()) == CONFIG
    plain = CONFIG.replace(regmi_stage="two_stream")
    assert not plain.model.trains_in_groups
    # As before there were stages.
    assert (
        not {"regmi_stage", "synthesis_blocks"} & plain.model.identity().keys()
    )
    networks = {CONFIG.replace(regmi_stage=s).network for s in STAGES}
    assert len(networks | {plain.network}) == 4


def test_what_a_stage_cannot_start_from_is_one_line(runs):
    model = runs["fusion"].step.model
    with pytest.raises(UserError, match="starts from a run of regmi_stage=jo"):
        Start().set_weights(model)
    earliest = str(runs["synthesis"].folder)
    said = "regmi has no synthesised; give a run of regmi_stage=joint whose"
    with pytest.raises(UserError, match=said):
        Start(init_backbone=earliest).set_weights(model)


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("micro_batch", 2, "must be 0 where parts of system=regmi"),
        ("sharpness_radius", 2.5, "must be 0 where parts of system=regmi"),
        ("offset_head", True, "must be false in stage synthesis, where no"),
        ("satellite_size", (40, 40), "multiples of 16 from 48 on"),
        ("satellite_size", (32, 32), "multiples of 16 from 48 on"),
        ("synthesis_blocks", 5, "multiples of 64 from 48 on"),
        ("satellite_form", "polar", "must be square in stage synthesis"),
    ],
)
def test_what_does_not_fit_synthesis_is_refused(field, value, remedy):
    with pytest.raises(UserError, match=remedy):
        CONFIG.replace(**{field: value})
    if field != "satellite_form":
        CONFIG.replace(regmi_stage="two_stream", **{field: value})
