"""Starting from given weights: every accepted form, every clear refusal."""

import functools

import h5py
import keras
import numpy as np
import onnx
import pytest
from onnx import helper

import mgtl_tf
from mgtl_tf.utils.errors import UserError
from tests.models.test_l2ltr import SMALL

FORMS = ["v.h5", "published.h5", "v.weights.h5", "v.keras"]
# Datasets of a layer: as older versions of Keras save them, and as in
# vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5.
LEGACY = {
    "v.h5": ("{0}/kernel:0", "{0}/bias:0"),
    "published.h5": ("{0}_W_1:0", "{0}_b_1:0"),
}


def _vgg_model(**fields):
    config = {"image_size": (32, 32), "recurrent_steps": 0, **fields}
    return mgtl_tf.build_model(mgtl_tf.ModelConfig(**config))


@pytest.fixture(scope="module")
def narrow():
    return _vgg_model(width_multiplier=1 / 64)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Keras' VGG-16 of random weights, and its file in every form."""
    folder = tmp_path_factory.mktemp("vgg16")
    network = keras.applications.VGG16(include_top=False, weights=None)
    network.save_weights(folder / "v.weights.h5")
    network.save(folder / "v.keras")
    for file_name, endings in LEGACY.items():
        with h5py.File(folder / file_name, "w") as file:
            for layer in network.layers:
                group = file.create_group(layer.name)
                for ending, value in zip(
                    endings, layer.get_weights(), strict=False
                ):
                    group[ending.format(layer.name)] = value
    return network, folder


def _refusal(model, source):
    with pytest.raises(UserError) as error:
        model.start_from(str(source))
    message = str(error.value)
    assert message.startswith(f"backbone_weights={source}: ")
    assert "\n" not in message and "backbone_weights=none" in message
    return message


@pytest.mark.parametrize(
    ("name", "system", "count"),
    # The linear probe has the first four blocks.
    [*((name, "mgtl", 13) for name in FORMS), ("v.h5", "linear_probe", 10)],
)
def test_both_branches_get_the_files_weights(files, name, system, count):
    network, folder = files
    model = _vgg_model(system=system)
    model.start_from(str(folder / name))
    for backbone in model.backbones:
        assert len(backbone.convolutions) == count
        for convolution in backbone.convolutions:
            expected = network.get_layer(convolution.name).get_weights()
            for ours, theirs in zip(
                convolution.get_weights(), expected, strict=True
            ):
                np.testing.assert_array_equal(ours, theirs)


def _kernels(narrow):
    """Random weights of the narrow model's shapes, by layer name."""
    random = np.random.default_rng(1)
    return {
        layer.name: (
            random.normal(size=layer.kernel.shape).astype("f4"),
            random.normal(size=layer.bias.shape).astype("f4"),
        )
        for layer in narrow.backbones[0].convolutions
    }


def _write_npz(path, weights, kernel="/kernel", bias="/bias"):
    arrays = {name + kernel: k for name, (k, _) in weights.items()}
    arrays |= {name + bias: b for name, (_, b) in weights.items()}
    arrays |= {"fc6" + kernel: np.ones((8, 8)), "fc6" + bias: np.ones(8)}
    # In no order of the network.
    np.savez(path, **dict(sorted(arrays.items(), reverse=True)))


def _write_onnx(path, weights, bias_in_add=False, place=None):
    """A chain of convolutions, its weights [C', C, 3, 3] as in ONNX."""
    nodes, tensors, last = [], [], "images"
    for name, (kernel, bias) in weights.items():
        kernel = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        inputs = [last, name + "_k"]
        if bias_in_add:
            nodes.append(helper.make_node("Conv", inputs, [name + "_c"]))
            inputs, kind = [name + "_c", name + "_b"], "Add"
            bias = bias.reshape(1, -1, 1, 1)
        else:
            inputs, kind = [*inputs, name + "_b"], "Conv"
        nodes.append(helper.make_node(kind, inputs, [name]))
        tensors += [
            onnx.numpy_helper.from_array(kernel, name + "_k"),
            onnx.numpy_helper.from_array(bias, name + "_b"),
        ]
        last = name
    if place is not None:
        onnx.external_data_helper.set_external_data(tensors[0], str(place))
        tensors[0].ClearField("raw_data")
    ends = [
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)]
        for name in ("images", last)
    ]
    graph = helper.make_graph(nodes, "vgg", *ends, tensors)
    path.write_bytes(helper.make_model(graph).SerializeToString())


WRITERS = {
    "v.npz": _write_npz,
    "named_W.npz": functools.partial(_write_npz, kernel="_W", bias="_b"),
    "v.onnx": _write_onnx,
    "added.onnx": functools.partial(_write_onnx, bias_in_add=True),
}


@pytest.mark.parametrize("name", WRITERS)
def test_arrays_and_graphs_give_their_weights(narrow, tmp_path, name):
    weights = _kernels(narrow)
    WRITERS[name](tmp_path / name, weights)
    narrow.start_from(str(tmp_path / name))
    for backbone in narrow.backbones:
        for layer in backbone.convolutions:
            for ours, theirs in zip(
                layer.get_weights(), weights[layer.name], strict=True
            ):
                np.testing.assert_array_equal(ours, theirs)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    assert _refusal(narrow, tmp_path / name)
    weights.pop("block3_conv2")
    WRITERS[name](tmp_path / name, weights)
    assert "holds 12 convolutions" in _refusal(narrow, tmp_path / name)
    weights = _kernels(narrow)
    weights["block1_conv2"][0][0, 0, 0, 0] = np.nan
    WRITERS[name](tmp_path / name, weights)
    assert "finite" in _refusal(narrow, tmp_path / name)


def test_a_graph_whose_values_lie_elsewhere_is_refused(narrow, tmp_path):
    place = tmp_path / "values"
    place.write_bytes(bytes(10_000))
    _write_onnx(tmp_path / "v.onnx", _kernels(narrow), place=place)
    assert "other files" in _refusal(narrow, tmp_path / "v.onnx")


def test_none_leaves_the_weights_alone(narrow):
    before = narrow.get_weights()
    narrow.start_from("none")
    assert all(map(np.array_equal, before, narrow.get_weights()))


@pytest.mark.parametrize("name", FORMS)
def test_files_that_are_none_or_cut_off(files, narrow, tmp_path, name):
    assert "no such file" in _refusal(narrow, tmp_path / name)
    content = (files[1] / name).read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        assert _refusal(narrow, tmp_path / name)
    (tmp_path / name).write_bytes(b"not weights")
    assert _refusal(narrow, tmp_path / name)


def test_narrow_model_names_the_width(files):
    model = _vgg_model(width_multiplier=0.5)
    assert "width_multiplier=1" in _refusal(model, files[1] / "v.h5")


def test_a_deeper_networks_weights_are_refused(narrow, tmp_path):
    """VGG-19's first convolutions have VGG-16's shapes."""
    network = keras.applications.VGG19(include_top=False, weights=None)
    network.save_weights(tmp_path / "v.weights.h5")
    message = _refusal(narrow, tmp_path / "v.weights.h5")
    assert "holds 16 convolutions" in message


def test_failed_download_names_the_alternatives(narrow, monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure: no network")

    monkeypatch.setattr(keras.applications, "VGG16", fail)
    assert "no network" in _refusal(narrow, "imagenet")


KERNEL = "block1_conv1/kernel:0"
CRAFTED = {
    "nothing": (
        lambda f: f.create_dataset("something", 3),
        "holds 0 convolutions",
    ),
    "huge": (
        lambda f: f.create_dataset(
            KERNEL, (3, 3, 2**20, 2**20), "f4", chunks=(1, 1, 8, 8)
        ),
        "claims shape",
    ),
    "large chunk": (
        lambda f: f.create_dataset(
            KERNEL,
            (3, 3, 3, 64),
            "f4",
            maxshape=(None,) * 4,
            chunks=(3, 3, 2**10, 2**14),
            compression="gzip",
        ),
        "claims shape",
    ),
    "virtual": (
        lambda f: f.create_virtual_dataset(KERNEL, _virtual()),
        "values lie in other files",
    ),
    "external": (
        lambda f: f.create_dataset(
            KERNEL, (3, 3, 3, 64), "f4", external=[("/etc/passwd", 0, 6912)]
        ),
        "values lie in other files",
    ),
    "linked": (
        lambda f: f.__setitem__(
            "block1_conv1", h5py.ExternalLink("/etc/passwd", "/block1_conv1")
        ),
        "holds 0 convolutions",
    ),
    "text": (
        lambda f: f.__setitem__(KERNEL, ["a", "b"]),
        "holds no numbers",
    ),
    "not finite": (
        lambda f: f.__setitem__(KERNEL, np.full((3, 3, 3, 64), np.nan)),
        "NaN or infinity",
    ),
}


def _virtual():
    layout = h5py.VirtualLayout((3, 3, 3, 64), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 3, 3, 64))
    return layout


@pytest.mark.parametrize("kind", CRAFTED)
def test_crafted_hdf5_is_one_line_and_takes_no_memory(narrow, tmp_path, kind):
    write, reason = CRAFTED[kind]
    with h5py.File(tmp_path / "v.h5", "w") as file:
        write(file)
    assert reason in _refusal(narrow, tmp_path / "v.h5")


def _public_vit(path, leave_out="", **changed):
    """The public file's names and shapes, in SMALL's size; a 4 x 4 grid."""
    random = np.random.default_rng(0)
    shapes = {"conv_root/kernel": (7, 7, 3, 4)}

    def norm(name, channels, *ones):
        shapes[f"{name}/scale"] = shapes[f"{name}/bias"] = (*ones, channels)

    def dense(name, *shape, bias=None):
        shapes[f"{name}/kernel"] = shape
        shapes[f"{name}/bias"] = bias or shape[-1:]

    norm("gn_root", 4, 1, 1, 1)
    into = 4
    for stage, units in enumerate((1, 2, 1)):
        width = 4 * 2**stage
        for unit in range(1, units + 1):
            place = f"block{stage + 1}/unit{unit}"
            shapes[f"{place}/conv1/kernel"] = (1, 1, into, width)
            shapes[f"{place}/conv2/kernel"] = (3, 3, width, width)
            shapes[f"{place}/conv3/kernel"] = (1, 1, width, 4 * width)
            for number, channels in enumerate((width, width, 4 * width), 1):
                norm(f"{place}/gn{number}", channels, 1, 1, 1)
            if unit == 1:
                shapes[f"{place}/conv_proj/kernel"] = (1, 1, into, 4 * width)
                norm(f"{place}/gn_proj", 4 * width)
            into = 4 * width
    dense("embedding", 1, 1, 64, 12)
    shapes["cls"] = (1, 1, 12)
    shapes["Transformer/posembed_input/pos_embedding"] = (1, 17, 12)
    for block in range(3):
        place = f"Transformer/encoderblock_{block}"
        norm(f"{place}/LayerNorm_0", 12)
        norm(f"{place}/LayerNorm_2", 12)
        attention = f"{place}/MultiHeadDotProductAttention_1"
        for name in ("query", "key", "value"):
            dense(f"{attention}/{name}", 12, 3, 4, bias=(3, 4))
        dense(f"{attention}/out", 3, 4, 12)
        dense(f"{place}/MlpBlock_3/Dense_0", 12, 24)
        dense(f"{place}/MlpBlock_3/Dense_1", 24, 12)
    norm("Transformer/encoder_norm", 12)
    shapes["head/kernel"] = (12, 100)  # its classifier, which is left alone
    file = {n: np.float32(random.normal(size=s)) for n, s in shapes.items()}
    file |= changed
    file.pop(leave_out, None)
    np.savez(path, **file)
    return file


@pytest.fixture(scope="module")
def l2ltr():
    return mgtl_tf.build_model(SMALL)


def test_public_vit_weights_start_both_views(tmp_path):
    path, l2ltr = tmp_path / "R50+ViT-B_16.npz", mgtl_tf.build_model(SMALL)
    file = _public_vit(path)
    l2ltr.start_from(str(path))
    # Nothing keeps its own start: every value is one of the file's.
    known = {x for value in file.values() for x in value.ravel().tolist()}
    for network in (l2ltr.ground, l2ltr.satellite):
        for variable in network.trainable_variables:
            if "positions" not in variable.path:
                values = variable.numpy().ravel().tolist()
                assert set(values) <= known, variable.path
        block, unit = network.blocks[1], network.features.stages[2]
        place = "Transformer/encoderblock_1"
        attention = f"{place}/MultiHeadDotProductAttention_1"
        for ours, theirs in (
            (block.norm.gamma, f"{place}/LayerNorm_0/scale"),
            (block.key_norm.gamma, f"{place}/LayerNorm_0/scale"),
            (block.attention.key_dense.kernel, f"{attention}/key/kernel"),
            (block.attention.output_dense.kernel, f"{attention}/out/kernel"),
            (unit.conv2.kernel, "block2/unit2/conv2/kernel"),
        ):
            np.testing.assert_array_equal(ours, file[theirs])
    positions = network.placed.positions.numpy()[0]
    table = file["Transformer/posembed_input/pos_embedding"][0]
    np.testing.assert_array_equal(positions[0], table[0])
    grid = table[1:].reshape(4, 4, 12)
    # A row of three over four columns: its ends, and the middle of the two.
    middle = (grid[0, 1] + grid[0, 2]) / 2
    expected = [grid[0, 0], middle, grid[0, 3]]
    np.testing.assert_allclose(positions[1:], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("leave_out", "changed", "reason"),
    [
        ("gn_root/bias", {}, "holds no gn_root/bias"),
        (
            "",
            {"embedding/kernel": np.ones((1, 1, 12, 64), "f4")},
            "embedding/kernel has shape",
        ),
        ("", {"cls": np.full((1, 1, 12), np.nan, "f4")}, "cls holds NaN"),
    ],
)
def test_vit_weights_that_do_not_fit_are_named(
    l2ltr, tmp_path, leave_out, changed, reason
):
    _public_vit(tmp_path / "w.npz", leave_out, **changed)
    assert reason in _refusal(l2ltr, tmp_path / "w.npz")


def test_a_damaged_archive_of_weights_is_one_line(l2ltr, tmp_path):
    path = tmp_path / "weights.npz"
    assert "no such file" in _refusal(l2ltr, path)
    path.write_bytes(b"not an archive")
    assert "no .npz" in _refusal(l2ltr, path)
    _public_vit(path)
    whole = path.read_bytes()
    for share in (0.02, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        _refusal(l2ltr, path)
    changed = bytearray(whole)
    changed[whole.index(b"embedding/kernel") + 500] ^= 1
    path.write_bytes(changed)
    assert "Bad CRC-32" in _refusal(l2ltr, path)
