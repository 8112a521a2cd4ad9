"""TransGeo: its network and the patches it keeps against NumPy, its stages."""

import math
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.config import RunConfig
from mgtl_tf.export.saved_model import export_model
from mgtl_tf.layers.vit.token_selection import TokenSelection
from mgtl_tf.presets import load_preset
from mgtl_tf.training.checkpoint import Checkpoints, load_model
from mgtl_tf.training.optimizers import optimizer_of
from mgtl_tf.training.progress import Progress
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.start import Start
from tests.models.numpy_deit import (
    HEADS,
    PATCH,
    C,
    D,
    arrays,
    network,
    resized,
)
from tests.models.published_size import part_sizes, published

PAIRS = 4
CONFIG = RunConfig.of(
    system="transgeo",
    image_size=(19, 40),  # of which the last 3 rows are dropped: 2 x 5 patches
    satellite_size=(24, 24),
    patch_size=PATCH,
    vit_blocks=2,
    channels=C,
    heads=HEADS,
    descriptor_size=D,
    backbone_weights="none",
    backbone_dropout=0.05,
    optimizer="adamw",
)
CROPPED = CONFIG.replace(
    transgeo_stage="cropped", satellite_size=(32, 32), guide_size=(24, 24)
)


def test_parameters_of_both_stages_as_published():
    per_view = [22_463_312, 22_459_472]
    assert list(part_sizes(published("transgeo")).values()) == per_view
    sizes = {"transgeo_stage": "cropped", "satellite_size": (320, 320)}
    model = published("transgeo", **sizes)
    trained = [math.prod(v.shape) for v in model.trainable_variables]
    assert sum(trained) == 44_978_080
    # A DeiT-S of 256 patches without its two heads.
    heads = 2 * 385 * 1000
    assert part_sizes(model)["satellite guide"] == per_view[1] - heads
    assert model.selection.kept == 256 == 0.64 * 20 * 20
    assert model.guide.grid == (16, 16)


def test_recipe_as_published():
    """Of each query ln(1 + e^(20 (cos_ij - cos_ii))), i not j, in the mean."""
    train = load_preset("cvusa", system="transgeo").train
    assert (train.optimizer, train.learning_rate) == ("adamw", 1e-4)
    assert (train.weight_decay, train.sharpness_radius) == (0.03, 2.5)
    assert (train.batch_size, train.epochs, train.loss) == (32, 100, "triplet")
    later = load_preset("cvusa", system="transgeo", transgeo_stage="cropped")
    assert (later.train.learning_rate, later.train.epochs) == (1e-5, 50)
    assert later.train.sharpness_radius == 2.5
    assert later.model.satellite_size == (320, 320)
    vigor = load_preset("vigor", system="transgeo", transgeo_stage="cropped")
    assert vigor.model.satellite_size == (400, 400)
    assert vigor.model.kept_patches == 400
    random = np.random.default_rng(0)
    units = random.normal(size=(2, 5, 6))
    units /= np.linalg.norm(units, axis=-1, keepdims=True)
    cosines = units[0] @ units[1].T
    terms = [
        np.log1p(np.exp(20 * (np.delete(row, i) - row[i])))
        for matrix in (cosines, cosines.T)
        for i, row in enumerate(matrix)
    ]
    found = mgtl_tf.losses.soft_margin_triplet_loss(
        *units.astype("f4"), gamma=train.gamma, distance=train.distance
    )
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-5)


@pytest.mark.parametrize("system", ["transgeo", "l2ltr"])
@pytest.mark.parametrize("preset", ["procedural", "cvusa"])
def test_images_differ_in_their_descriptors_before_training(preset, system):
    """Class tokens that no image reaches would begin, and stay, the same."""
    shallow = {"vit_blocks": 1, "backbone_weights": "none"}
    config = load_preset(preset, system=system, **shallow)
    keras.utils.set_random_seed(1)
    model = mgtl_tf.build_model(config.model)
    random = np.random.default_rng(0)
    shape = (2, *model.config.input_shapes["satellite"][1:])
    images = random.uniform(0, 255, shape).astype("float32")
    images[1] = images[1] / 4 + 128
    one, other = np.asarray(model.encode_satellite(images))
    assert one @ other < 1 - 1e-4


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_a_network_of_timms_arrays_is_deit(tmp_path):
    values = arrays()
    np.savez(tmp_path / "deit.npz", **values)
    model = mgtl_tf.build_model(CONFIG.model)
    model.start_from(str(tmp_path / "deit.npz"))
    pairs = views()
    grids = {"ground": (2, 5), "satellite": (3, 3)}
    for view, grid in grids.items():
        table = resized(values["pos_embed"], (3, 3), grid)
        own = {**values, "pos_embed": table}
        wanted = [network(image, own) for image in pairs[view]]
        found = getattr(model, f"encode_{view}")(pairs[view])
        vectors = unit(np.array([vector for vector, _ in wanted]))
        np.testing.assert_allclose(found, vectors, atol=2e-5)
        attention = getattr(model, view).layers[0].attention(pairs[view])
        flat = np.reshape(attention, (PAIRS, -1))
        np.testing.assert_allclose(flat, [a for _, a in wanted], rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"head_dist.bias": None}, "holds no head_dist.bias; give the arrays"),
        ({"norm.bias": np.full(C, np.nan, "f4")}, "norm.bias holds NaN"),
        ({"norm.bias": np.zeros(7, "f4")}, r"norm.bias has shape \(7,\)"),
        ({"pos_embed": np.zeros((1, 7, C), "f4")}, "no square's"),
    ],
)
def test_unfit_weights_are_named_and_nothing_is_set(tmp_path, change, said):
    values = {**arrays(), **change}
    np.savez(
        tmp_path / "deit.npz",
        **{name: value for name, value in values.items() if value is not None},
    )
    model = mgtl_tf.build_model(CONFIG.model)
    before = model.get_weights()
    with pytest.raises(UserError, match=said):
        model.start_from(str(tmp_path / "deit.npz"))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def _kept(attention, grid, count):
    """Places of the highest attention, resized by OpenCV, highest first."""
    wide = cv2.resize(
        np.float32(attention), grid[::-1], interpolation=cv2.INTER_LINEAR
    )
    return np.argsort(-wide.ravel(), kind="stable")[:count]


def test_patches_of_the_highest_attention_are_kept():
    random = np.random.default_rng(0)
    tokens = random.normal(size=(3, 2 + 20, 5)).astype("f4")
    attention = random.random((3, 3, 2)).astype("f4")
    attention[2] = 0.5  # of equal ones the first
    found = TokenSelection(7, (5, 4))(tokens, attention)
    assert found.shape == (3, 2 + 7, 5)
    for row in range(3):
        places = _kept(attention[row], (5, 4), 7)
        wanted = tokens[row][[0, 1, *(2 + places)]]
        np.testing.assert_array_equal(found[row], wanted)
    np.testing.assert_array_equal(found[2], tokens[2][:9])


def views(side=24):
    """Pairs whose aerial image is the panorama, resized."""
    random = np.random.default_rng(0)
    small = random.uniform(0, 255, (PAIRS, 4, 10, 3))
    ground = np.stack([cv2.resize(image, (40, 19)) for image in small])
    aerial = np.stack([cv2.resize(image, (side, side)) for image in ground])
    return {
        "ground": ground.round().astype("float32"),
        "satellite": aerial.round().astype("float32"),
    }


def _step(model, config):
    optimizer = optimizer_of(model, config.train)
    return TrainStep(model, optimizer, config.train)


def _saved(model, config, folder):
    Checkpoints(folder, model, keras.optimizers.SGD()).save_best(Progress())
    (folder / "config.json").write_text(config.to_json())
    return str(folder)


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """A run of stage 1, and stage 2 as it starts from it and is trained."""
    keras.utils.set_random_seed(1)
    first = mgtl_tf.build_model(CONFIG.model)
    folder = _saved(first, CONFIG, tmp_path_factory.mktemp("whole"))
    config = CROPPED.replace(init_backbone=folder)
    model = mgtl_tf.build_model(config.model)
    Start(init_backbone=folder).set_weights(model)
    start = [np.array(w) for w in model.weights]
    step = _step(model, config)
    batch = {**views(32), "negatives": ~np.eye(PAIRS, dtype=bool)}
    for _ in range(60):
        figures = step(batch, 3e-3)
    return SimpleNamespace(
        folder=folder,
        first=first,
        config=config,
        model=model,
        start=start,
        step=step,
        batch=batch,
        loss=float(figures["loss"]),
    )


def test_stage_2_starts_as_stage_1_with_positions_of_its_own_grid(stages):
    model = stages.model
    started = dict(zip(map(id, model.weights), stages.start, strict=True))
    trunk = model.satellite.layers[0]
    for part, weights in model.inherited_parts.items():
        given = stages.first.copied_parts[part]
        for ours, theirs in zip(weights, given, strict=True):
            wanted = np.array(theirs)
            if ours is trunk.placed.positions:
                wanted = resized(wanted, (3, 3), (4, 4))
            np.testing.assert_allclose(
                started[id(ours)], wanted, atol=1e-6, err_msg=ours.path
            )
    for weight in model.guide.weights:
        np.testing.assert_array_equal(weight, started[id(weight)])


def test_stage_2_is_the_network_on_the_patches_its_guide_keeps(stages):
    """Of dropout none is left in the guide while the rest is trained."""
    model, images = stages.model, views(32)["satellite"]
    small = np.stack([cv2.resize(image, (24, 24)) for image in images])
    attention = np.asarray(stages.first.satellite.layers[0].attention(small))
    trunk, heads = model.satellite.layers
    assert model.selection.kept == int(0.64 * 16) == 10
    tokens, wanted = np.asarray(trunk.tokens(images)), []
    for own, weights in zip(tokens, attention, strict=True):
        places = _kept(weights, (4, 4), 10)
        chosen = own[None, [0, 1, *(2 + places)]]
        wanted.append(np.asarray(heads(trunk.encoded(chosen)))[0])
    found = model.encode_satellite(images)
    np.testing.assert_allclose(found, unit(np.array(wanted)), atol=1e-5)
    seen = []
    model.selection.call = lambda tokens, given: seen.append(given) or tokens
    model(stages.batch, training=True)
    del model.selection.call
    np.testing.assert_allclose(seen[0], attention, atol=1e-5)


def test_four_places_are_learnt_by_heart(stages):
    pairs = views(32)
    ground = np.asarray(stages.model.encode_ground(pairs["ground"]))
    scores = ground @ np.transpose(
        stages.model.encode_satellite(pairs["satellite"])
    )
    assert (scores.argmax(0) == np.arange(PAIRS)).all()
    assert (scores.argmax(1) == np.arange(PAIRS)).all()
    assert stages.loss < math.log(2) / 2


def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(stages, tmp_path):
    step = stages.step
    checkpoints = Checkpoints(tmp_path, step.model, step.optimizer)
    everything = [*step.model.variables, *step.optimizer.variables]
    checkpoints.save_last(Progress(step=60))
    step(stages.batch, 1e-3)
    expected = [np.array(v) for v in everything]
    for variable in everything:
        variable.assign(0 * variable)
    assert checkpoints.restore_last().step == 60
    step(stages.batch, 1e-3)
    for variable, value in zip(everything, expected, strict=True):
        np.testing.assert_array_equal(variable, value, variable.path)


def test_the_export_takes_bytes_and_answers_as_a_reload(stages, tmp_path):
    (tmp_path / "run").mkdir()
    run = _saved(stages.model, stages.config, tmp_path / "run")
    config, loaded = load_model(run)
    assert config == stages.config
    folder = export_model(loaded, config, tmp_path / "export")
    found = tf.saved_model.load(str(folder)).signatures
    for view, images in views(32).items():
        files = [
            cv2.imencode(".png", i[..., ::-1])[1].tobytes() for i in images
        ]
        answer = found[f"encode_{view}"](image_bytes=tf.constant(files))
        wanted = getattr(stages.model, f"encode_{view}")(images)
        np.testing.assert_allclose(answer["descriptor"], wanted, atol=1e-4)
    stages.model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.encode_satellite(images), wanted, atol=1e-5
    )


def test_configs_are_kept_and_a_stage_ignores_the_others_settings():
    assert RunConfig.from_json(CROPPED.to_json()) == CROPPED
    assert CONFIG.network == CONFIG.replace(kept_share=0.5).network
    assert CROPPED.network != CROPPED.replace(kept_share=0.5).network


def test_what_stage_2_cannot_start_from_is_one_line(stages):
    model = stages.model
    with pytest.raises(UserError, match="starts from a run of transgeo_stage"):
        Start().set_weights(model)
    other = CROPPED.replace(guide_size=(16, 16))
    said = "tokens/positions is .*; give a run of transgeo_stage=whole whose"
    with pytest.raises(UserError, match=said):
        Start(init_backbone=stages.folder).set_weights(
            mgtl_tf.build_model(other.model)
        )


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"image_size": (7, 40)}, "image_size=.7, 40.: must be patch_size=8"),
        ({"guide_size": (7, 8)}, "guide_size=.7, 8.: must be patch_size=8"),
        (
            {"satellite_form": "polar", "satellite_size": (0, 0)},
            "satellite_form=polar: must be square in stage cropped",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes, remedy):
    with pytest.raises(UserError, match=remedy):
        CROPPED.replace(**changes)
