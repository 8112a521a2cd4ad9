"""The configuration: checks, JSON, replacement by field name."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from mgtl_tf.presets import PRESETS, load_preset
from mgtl_tf.utils.errors import UserError


def test_defaults_are_the_papers():
    model, train = ModelConfig(), TrainConfig()
    assert model.image_size == (112, 616)
    assert (model.recurrent_steps, model.channels, model.heads) == (6, 384, 6)
    assert (train.batch_size, train.epochs) == (16, 150)
    assert train.learning_rate == 1e-5
    assert train.gamma == 10.0
    assert train.generative_weight == 0.05
    assert train.schedule == "constant"
    assert (train.optimizer, train.loss) == ("adam", "triplet")
    assert (train.ema_momentum, train.clip_norm, train.warmup) == (0, 0, 0)
    assert train.mining_start < 0


@pytest.mark.parametrize("name", PRESETS)
def test_json_round_trip(name):
    config = load_preset(name)
    assert RunConfig.from_json(config.to_json()) == config


@given(
    heads=st.integers(1, 8),
    width=st.integers(1, 8),
    steps=st.integers(0, 9),
    size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    rate=st.floats(1e-9, 1.0),
)
def test_json_round_trip_of_any_value(heads, width, steps, size, rate):
    config = RunConfig().replace(
        heads=heads,
        channels=2 * heads * width,
        recurrent_steps=steps,
        image_size=size,
        learning_rate=rate,
    )
    assert RunConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (ModelConfig, "heads", 5),
        (ModelConfig, "image_size", (0, 616)),
        (ModelConfig, "image_size", (112,)),
        (ModelConfig, "satellite_size", (112, 0)),
        (ModelConfig, "satellite_size", (64, 64)),  # columns are compared
        (ModelConfig, "satellite_form", "square"),
        (ModelConfig, "system", "unknown"),
        (ModelConfig, "poolings", 6),
        (ModelConfig, "recurrent_steps", -1),
        (ModelConfig, "recurrent_steps", 2.5),
        (ModelConfig, "recurrent_steps", True),
        (ModelConfig, "backbone_dropout", 1.0),
        (DataConfig, "ground_crop", (0.7, 0.3)),
        (DataConfig, "same_place_metres", -1.0),
        (TrainConfig, "learning_rate", float("nan")),
        (TrainConfig, "learning_rate", 0.0),
        (TrainConfig, "batch_size", 1),
        (TrainConfig, "checkpoint_steps", -1),
        (TrainConfig, "keep_checkpoints", 0),
        (TrainConfig, "seed", -1),
        (TrainConfig, "seed", 2**32),
        (TrainConfig, "schedule", "linear"),
        (TrainConfig, "optimizer", "sgd"),
        (TrainConfig, "loss", "hinge"),
        (TrainConfig, "weight_decay", -0.1),
        (TrainConfig, "ema_momentum", 1.0),
        (TrainConfig, "temperature", 0.0),
        (TrainConfig, "label_smoothing", 1.0),
        (TrainConfig, "retrieval_pictures", -1),
        (TrainConfig, "profile_steps", -1),
    ],
)
def test_refused_values_name_field_and_value(kind, field, value):
    with pytest.raises(UserError) as error:
        kind(**{field: value})
    assert str(error.value).startswith(f"{field}={value}: must be")


def test_odd_channels_are_refused():
    with pytest.raises(UserError, match="^channels=3: must be an even"):
        ModelConfig(channels=3, heads=3)


def test_a_setting_of_the_other_loss_is_refused():
    with pytest.raises(UserError, match="0 with loss=info_nce"):
        TrainConfig(loss="info_nce", hard_negatives_per_query=2)


def test_unknown_keys_are_refused_by_name():
    data = json.loads(RunConfig().to_json())
    data["train"]["learning_rat"] = 1.0
    with pytest.raises(UserError, match="learning_rat"):
        RunConfig.from_json(json.dumps(data))
    with pytest.raises(UserError, match="not valid JSON"):
        RunConfig.from_json("{")
    with pytest.raises(UserError, match="should be an object"):
        RunConfig.from_json("[1]")


def test_replace_reaches_every_part_and_refuses_unknown_names():
    config = RunConfig().replace(seed=3, data_dir="x", channels=96)
    assert config.train.seed == 3
    assert config.data.data_dir == "x"
    assert config.model.channels == 96
    with pytest.raises(UserError, match="colour"):
        config.replace(colour=1)


def test_differences_name_the_fields():
    a = RunConfig()
    b = a.replace(seed=1, recurrent_steps=3)
    assert a.differences(b) == ["recurrent_steps: 6 -> 3", "seed: 0 -> 1"]
    assert a.differences(a) == []


def test_field_names_are_unique_across_parts():
    names = [
        f.name
        for kind in (ModelConfig, DataConfig, TrainConfig)
        for f in dataclasses.fields(kind)
    ]
    assert len(names) == len(set(names))


def test_load_names_the_missing_file(tmp_path):
    with pytest.raises(UserError, match="config.json"):
        RunConfig.load(tmp_path)


def test_load_names_the_damaged_file(tmp_path):
    data = bytearray(RunConfig().to_json().encode())
    data[5] ^= 0x80
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(UserError, match="config.json: damaged .not UTF-8"):
        RunConfig.load(tmp_path)


@pytest.mark.parametrize(
    "value", ["[" * 100_000, "1" + "0" * 400, "Infinity", "1e999", '"x"']
)
def test_crafted_values_are_one_line(tmp_path, value):
    text = RunConfig().to_json()
    (tmp_path / "config.json").write_text(
        text.replace('"seed": 0', f'"seed": {value}')
    )
    with pytest.raises(UserError) as error:
        RunConfig.load(tmp_path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


SQUARE = {"satellite_size": (48, 48), "satellite_form": "square"}


def test_sizes_of_views_and_their_place_in_digests():
    """What was digested before the views could differ still agrees."""
    for system, digest in (
        (
            "mgtl",
            "7807f13a18a0db87788199561dd24a5278861945f49dd6db8a9ac9e8a23f",
        ),
        (
            "safa",
            "91ff7b8f2b97cf7fc37540a8d1060e3f90c26519fd0c886ebf60bab980c7",
        ),
    ):
        network = RunConfig(model=ModelConfig(system=system)).network
        assert network.startswith(f"2-{digest}")
    plain, square = (ModelConfig(system="safa", **x) for x in ({}, SQUARE))
    same = dataclasses.replace(plain, satellite_size=plain.image_size)
    assert same.identity() == plain.identity() != square.identity()
    assert plain.input_shapes["satellite"] == (None, 112, 616, 3)
    assert square.input_shapes["satellite"] == (None, 48, 48, 3)
    assert square.view_size("ground") == (112, 616)
    assert square.input_form.name == "112x616-square-48x48"
    for size in ((48, 40), (0, 0)):
        with pytest.raises(
            UserError, match="satellite_size=.* must be two equal"
        ):
            dataclasses.replace(square, satellite_size=size)


@pytest.mark.parametrize(
    ("name", "value"),
    [("satellite_crop", 0.7), ("satellite_quarter_turns", True)],
)
def test_aerial_images_change_alone_where_they_are_square(name, value):
    square = {"satellite_form": "square", "satellite_size": (64, 64)}
    changed = {"system": "safa", name: value}
    assert getattr(RunConfig.of(**changed, **square).data, name) == value
    with pytest.raises(UserError, match=rf"{name}=\S+: must be left out with"):
        RunConfig.of(**changed)
    with pytest.raises(UserError, match=rf"empty with {name}:"):
        RunConfig.of(**changed, **square, feature_cache="features")


def test_a_share_of_a_crop_is_one_or_less():
    with pytest.raises(UserError, match=r"satellite_crop=1.5: must be 1"):
        DataConfig(satellite_crop=1.5)
