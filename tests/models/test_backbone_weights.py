"""Starting from given weights: every accepted form, every clear refusal."""

import h5py
import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.models.pretrained_vgg16 import load_backbone_weights
from mgtl_tf.utils.errors import UserError


def _model(**fields):
    config = mgtl_tf.ModelConfig(
        **{"image_size": (32, 32), "recurrent_steps": 0, **fields}
    )
    return mgtl_tf.build_model(config)


@pytest.fixture(scope="module")
def vgg16():
    return keras.applications.VGG16(include_top=False, weights=None)


def _save_legacy(network, path):
    """The layout of the weight files that Keras publishes."""
    with h5py.File(path, "w") as file:
        for layer in network.layers:
            group = file.create_group(layer.name)
            for name, value in zip(
                ("kernel", "bias"), layer.get_weights(), strict=False
            ):
                group[f"{layer.name}/{name}:0"] = value


def _save(network, path):
    if path.name.endswith(".weights.h5"):
        network.save_weights(path)
    elif path.suffix == ".keras":
        network.save(path)
    else:
        _save_legacy(network, path)


@pytest.mark.parametrize("name", ["v.h5", "v.weights.h5", "v.keras"])
def test_both_branches_get_the_files_weights(vgg16, tmp_path, name):
    _save(vgg16, tmp_path / name)
    model = _model()
    load_backbone_weights(model, str(tmp_path / name))
    for backbone in model.backbones:
        for convolution in backbone.convolutions:
            expected = vgg16.get_layer(convolution.name).get_weights()
            for ours, theirs in zip(
                convolution.get_weights(), expected, strict=True
            ):
                np.testing.assert_array_equal(ours, theirs)


def test_none_leaves_the_weights_alone():
    model = _model(width_multiplier=1 / 64)
    before = model.get_weights()
    load_backbone_weights(model, "none")
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def _refusal(model, source):
    with pytest.raises(UserError) as error:
        load_backbone_weights(model, str(source))
    message = str(error.value)
    assert message.startswith(f"backbone_weights={source}: ")
    assert "\n" not in message
    return message


def test_missing_file_names_flag_and_alternatives(tmp_path):
    message = _refusal(_model(width_multiplier=1 / 64), tmp_path / "no.h5")
    assert "no such file" in message
    assert "backbone_weights=none" in message


@pytest.mark.parametrize("name", ["v.h5", "v.weights.h5", "v.keras"])
def test_unreadable_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"not weights")
    _refusal(_model(width_multiplier=1 / 64), tmp_path / name)


def test_file_without_vgg16(tmp_path):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["something"] = np.zeros(3)
    message = _refusal(_model(width_multiplier=1 / 64), tmp_path / "v.h5")
    assert "block1_conv1" in message


def test_narrow_model_names_the_width(vgg16, tmp_path):
    _save(vgg16, tmp_path / "v.h5")
    message = _refusal(_model(width_multiplier=0.5), tmp_path / "v.h5")
    assert "width_multiplier=1" in message


def test_failed_download_names_the_alternatives(monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure: no network")

    monkeypatch.setattr(keras.applications, "VGG16", fail)
    message = _refusal(_model(width_multiplier=1 / 64), "imagenet")
    assert "no network" in message


def _huge(file):
    file.create_dataset(
        "block1_conv1/kernel:0", (3, 3, 2**20, 2**20), "f4", chunks=(1, 1, 8, 8)
    )


def _large_chunk(file):
    file.create_dataset(
        "block1_conv1/kernel:0",
        (3, 3, 3, 64),
        "f4",
        maxshape=(None,) * 4,
        chunks=(3, 3, 2**10, 2**14),
        compression="gzip",
    )


def _virtual(file):
    layout = h5py.VirtualLayout((3, 3, 3, 64), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 3, 3, 64))
    file.create_virtual_dataset("block1_conv1/kernel:0", layout)


def _external(file):
    file.create_dataset(
        "block1_conv1/kernel:0",
        (3, 3, 3, 64),
        "f4",
        external=[("/etc/passwd", 0, 6912)],
    )


def _linked(file):
    file["block1_conv1"] = h5py.ExternalLink("/etc/passwd", "/block1_conv1")


def _text(file):
    file["block1_conv1/kernel:0"] = ["a", "b"]


def _not_finite(file):
    file["block1_conv1/kernel:0"] = np.full((3, 3, 3, 64), np.nan)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (_huge, "claims shape"),
        (_large_chunk, "claims shape"),
        (_virtual, "values lie in other files"),
        (_external, "values lie in other files"),
        (_linked, "holds no layer block1_conv1"),
        (_text, "holds no numbers"),
        (_not_finite, "NaN or infinity"),
    ],
)
def test_crafted_hdf5_is_one_line_and_takes_no_memory(tmp_path, write, said):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        write(file)
    model = _model(width_multiplier=1 / 64)
    assert said in _refusal(model, tmp_path / "v.h5")


@pytest.mark.parametrize("name", ["v.h5", "v.weights.h5", "v.keras"])
def test_a_file_that_is_cut_off(vgg16, tmp_path, name):
    _save(vgg16, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    model = _model(width_multiplier=1 / 64)
    for share in (0.1, 0.5, 0.9):
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        _refusal(model, tmp_path / name)


def test_a_deeper_networks_weights_are_refused(tmp_path):
    """VGG-19's first convolutions have VGG-16's shapes."""
    network = keras.applications.VGG19(include_top=False, weights=None)
    network.save_weights(tmp_path / "v.weights.h5")
    message = _refusal(_model(), tmp_path / "v.weights.h5")
    assert "more than 13 convolutions" in message
