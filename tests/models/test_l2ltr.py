"""L2LTR: its published size, its blocks and stem against NumPy, its weights."""

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.layers.class_token import ClassToken
from mgtl_tf.layers.hybrid_stem import HybridStem
from mgtl_tf.layers.layer_to_layer_block import LayerToLayerBlock
from mgtl_tf.layers.residual_unit import ResidualUnit
from mgtl_tf.layers.standardized_conv import StandardizedConv2D
from mgtl_tf.presets import load_preset
from mgtl_tf.utils.errors import UserError
from tests.numpy_layers import attend, norm, perceptron, randomise
from tests.processor import needs_bfloat16

SMALL = mgtl_tf.ModelConfig(
    system="l2ltr",
    image_size=(16, 48),  # 1 x 3 cells
    width_multiplier=1 / 16,
    stem_blocks=(1, 2, 1),
    vit_blocks=3,
    channels=12,
    heads=3,
    mlp_ratio=2,
)


def test_parameters_as_published():
    """Part by part, as the sum that gives the paper's 195.9M (Table 3)."""
    model = mgtl_tf.build_model(mgtl_tf.ModelConfig(system="l2ltr"))
    perceptron = 768 * 3072 + 3072 + 3072 * 768 + 768
    block = 4 * (768 * 768 + 768) + 3 * 2 * 768 + perceptron
    assert block == 7_089_408
    for network in (model.ground, model.satellite):
        assert network.grid == (8, 32)
        assert network.stem.count_params() == 11_894_848
        assert network.embedding.count_params() == 787_200
        assert network.placed.count_params() == 768 + 257 * 768
        assert [b.count_params() for b in network.blocks] == 12 * [block]
        assert network.norm.count_params() == 1_536
    assert model.count_params() == 195_909_248


def test_recipe_as_published():
    train = load_preset("cvusa", system="l2ltr").train
    assert (train.optimizer, train.learning_rate) == ("adamw", 1e-4)
    assert (train.adam_epsilon, train.weight_decay) == (1e-6, 0.03)
    assert (train.clip_norm, train.schedule) == (1.0, "cosine")
    assert (train.batch_size, train.epochs) == (32, 200)
    # 1,110 steps an epoch of 35,532 pairs, of which 500 warm up.
    assert train.epochs * (35_532 // 32) * train.warmup == pytest.approx(500)
    assert (train.loss, train.gamma, train.distance) == (
        "triplet",
        10.0,
        "squared",
    )


def _block(tokens, previous, layer):
    """Q and V of the block's own input, K of the input before."""
    own = norm(tokens, layer.norm)
    key = norm(previous, layer.key_norm)
    tokens = tokens + attend(layer.attention, own, own, key)[0]
    return tokens + perceptron(norm(tokens, layer.mlp_norm), layer.mlp)


def test_block_takes_keys_from_the_layer_before():
    layer = LayerToLayerBlock(heads=3, mlp_ratio=2)
    layer.build((None, 5, 12), (None, 5, 12))
    randomise(layer)
    random = np.random.default_rng(1)
    tokens, previous = random.normal(size=(2, 2, 5, 12))
    found = layer(np.float32(tokens), np.float32(previous))
    expected = _block(tokens, previous, layer)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_class_token_stands_first_and_has_a_place():
    layer = ClassToken()
    layer.build((None, 3, 4))
    randomise(layer)
    tokens = np.random.default_rng(1).normal(size=(2, 3, 4))
    expected = np.zeros((2, 4, 4))
    expected[:, :1], expected[:, 1:] = np.asarray(layer.token), tokens
    expected += np.asarray(layer.positions)
    found = layer(np.float32(tokens))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "policy", ["float32", pytest.param("mixed_bfloat16", marks=needs_bfloat16)]
)
def test_kernels_are_standardised_before_they_are_rounded(policy):
    """Weights near 1 differ by less than bfloat16 can say there (2^-7)."""
    random = np.random.default_rng(0)
    kernel = 1 + 0.004 * random.standard_normal((1, 1, 6, 5))
    inputs = random.standard_normal((2, 3, 4, 6)).astype("float32")
    layer = StandardizedConv2D(5, 1, dtype=policy)
    layer.build(inputs.shape)
    layer.set_weights([kernel])
    centred = kernel - kernel.mean((0, 1, 2))
    scaled = centred / np.sqrt(kernel.var((0, 1, 2)) + 1e-5)
    expected = np.einsum("bhwc,cd->bhwd", inputs, scaled[0, 0])
    result = np.float32(keras.ops.cast(layer(inputs), "float32"))
    assert np.abs(result - expected).max() < 0.02 * np.abs(expected).max()


def test_filters_are_standardised():
    layer = StandardizedConv2D(4, 3)
    layer.build((None, 6, 7, 5))
    randomise(layer)
    image = np.random.default_rng(1).normal(size=(1, 6, 7, 5))
    found = np.asarray(layer(np.float32(image)))
    kernel = np.asarray(layer.kernel, np.float64)
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)))
    for channel in range(4):
        own = kernel[..., channel]
        own = (own - own.mean()) / np.sqrt(own.var() + 1e-5)
        for row, column in ((0, 0), (2, 3), (5, 6)):
            patch = padded[row : row + 3, column : column + 3]
            value = found[0, row, column, channel]
            assert value == pytest.approx(np.sum(patch * own), abs=1e-4)
    assert layer.bias is None


def _grouped(x, groups):
    """[h, w, C], every group of channels normalised over all cells."""
    split = x.reshape(*x.shape[:2], groups, -1)
    mean = split.mean((0, 1, 3), keepdims=True)
    variance = split.var((0, 1, 3), keepdims=True)
    return ((split - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)


def test_shortcut_is_normalised_channel_by_channel():
    """32 groups on the road, one a channel on the projection."""
    layer = ResidualUnit(width=64, stride=2)
    layer.build((None, 4, 6, 16))
    for group_norm in (layer.norm1, layer.norm2, layer.norm3):
        assert group_norm.groups == 32
    assert layer.shortcut_norm.groups == 256
    image = np.float32(np.random.default_rng(1).normal(size=(1, 4, 6, 16)))
    hidden = image
    convolutions = (layer.conv1, layer.conv2, layer.conv3)
    for place, convolution in enumerate(convolutions):
        hidden = np.asarray(convolution(hidden))[0]
        hidden = _grouped(hidden, 32)[None]
        hidden = np.maximum(hidden, 0) if place < 2 else hidden
    kept = _grouped(np.asarray(layer.shortcut(image))[0], 256)
    expected = np.maximum(hidden[0] + kept, 0)
    np.testing.assert_allclose(layer(image)[0], expected, atol=1e-3)


def test_stem_scales_pixels_as_its_weights_expect():
    stem = HybridStem((1, 1, 1), 1 / 16)
    stem.build((None, 16, 32, 3))
    seen = {}
    stem.root.call = lambda images: seen.setdefault("images", images)
    colour = np.array([255.0, 0.0, 51.0])
    with pytest.raises(Exception):  # noqa: B017 - the norm gets no features
        stem(np.broadcast_to(colour, (1, 16, 32, 3)).astype("float32"))
    mean, spread = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = (np.array([1.0, 0.0, 0.2]) - mean) / spread
    np.testing.assert_allclose(seen["images"][0, 0, 0], expected, rtol=1e-5)


def test_network_from_tokens_to_descriptor():
    """Stem and embedding apart: the blocks' wiring, end to end."""
    model = mgtl_tf.build_model(SMALL)
    network = model.ground
    for part in (network.placed, *network.blocks, network.norm):
        randomise(part, seed=4)
    images = np.random.default_rng(1).uniform(0, 255, (2, 16, 48, 3))
    features = np.asarray(network.embedding(network.stem(images)), np.float64)
    assert features.shape == (2, 1, 3, 12)
    cells = features.reshape(2, 3, 12)
    first = np.broadcast_to(np.asarray(network.placed.token), (2, 1, 12))
    inputs = [np.concatenate([first, cells], 1) + network.placed.positions]
    inputs[0] = np.asarray(inputs[0], np.float64)
    for number, block in enumerate(network.blocks):
        before = inputs[max(0, number - 1)]
        inputs.append(_block(inputs[number], before, block))
    token = norm(inputs[-1], network.norm)[:, 0]
    expected = token / np.linalg.norm(token, axis=1, keepdims=True)
    found = model.encode_ground(images)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def _public_file(path, leave_out=""):
    """The public file's names and shapes, in SMALL's size; a 4 x 4 grid."""
    random, found = np.random.default_rng(0), {}

    def put(name, *shape):
        found[name] = random.normal(size=shape).astype("float32")

    def norm(name, channels, *ones):
        put(f"{name}/scale", *ones, channels)
        put(f"{name}/bias", *ones, channels)

    put("conv_root/kernel", 7, 7, 3, 4)
    norm("gn_root", 4, 1, 1, 1)
    into = 4
    for stage, units in enumerate((1, 2, 1)):
        width = 4 * 2**stage
        for unit in range(1, units + 1):
            place = f"block{stage + 1}/unit{unit}"
            put(f"{place}/conv1/kernel", 1, 1, into, width)
            put(f"{place}/conv2/kernel", 3, 3, width, width)
            put(f"{place}/conv3/kernel", 1, 1, width, 4 * width)
            for number, channels in enumerate((width, width, 4 * width), 1):
                norm(f"{place}/gn{number}", channels, 1, 1, 1)
            if unit == 1:
                put(f"{place}/conv_proj/kernel", 1, 1, into, 4 * width)
                norm(f"{place}/gn_proj", 4 * width, 1, 1, 1)
            into = 4 * width
    put("embedding/kernel", 1, 1, 64, 12)
    put("embedding/bias", 12)
    put("cls", 1, 1, 12)
    put("Transformer/posembed_input/pos_embedding", 1, 17, 12)
    for block in range(3):
        place = f"Transformer/encoderblock_{block}"
        norm(f"{place}/LayerNorm_0", 12)
        norm(f"{place}/LayerNorm_2", 12)
        for name in ("query", "key", "value"):
            put(
                f"{place}/MultiHeadDotProductAttention_1/{name}/kernel",
                12,
                3,
                4,
            )
            put(f"{place}/MultiHeadDotProductAttention_1/{name}/bias", 3, 4)
        put(f"{place}/MultiHeadDotProductAttention_1/out/kernel", 3, 4, 12)
        put(f"{place}/MultiHeadDotProductAttention_1/out/bias", 12)
        for number, (rows, columns) in enumerate(((12, 24), (24, 12))):
            put(f"{place}/MlpBlock_3/Dense_{number}/kernel", rows, columns)
            put(f"{place}/MlpBlock_3/Dense_{number}/bias", columns)
    norm("Transformer/encoder_norm", 12)
    put("head/kernel", 12, 100)  # of its classifier, which is left alone
    found.pop(leave_out, None)
    np.savez(path, **found)
    return found


def test_public_weights_start_both_views(tmp_path):
    path = tmp_path / "R50+ViT-B_16.npz"
    file = _public_file(path)
    model = mgtl_tf.build_model(SMALL)
    model.start_from(str(path))
    for network in (model.ground, model.satellite):
        sizes = [v.numpy() for v in network.trainable_variables]
        # Nothing keeps its own start: every value is one of the file's.
        known = {x for value in file.values() for x in value.ravel().tolist()}
        for variable, value in zip(
            network.trainable_variables, sizes, strict=True
        ):
            if "positions" not in variable.path:
                assert set(value.ravel().tolist()) <= known, variable.path
        block = network.blocks[1]
        place = "Transformer/encoderblock_1"
        for copy in (block.norm, block.key_norm):
            np.testing.assert_array_equal(
                copy.gamma, file[f"{place}/LayerNorm_0/scale"]
            )
        attention = f"{place}/MultiHeadDotProductAttention_1"
        kernel = file[f"{attention}/key/kernel"]
        attend = block.attention
        np.testing.assert_array_equal(attend.key_dense.kernel, kernel)
        out = file[f"{attention}/out/kernel"]
        np.testing.assert_array_equal(attend.output_dense.kernel, out)
        unit = network.stem.stages[2]
        np.testing.assert_array_equal(
            unit.conv2.kernel, file["block2/unit2/conv2/kernel"]
        )
    positions = network.placed.positions.numpy()[0]
    table = file["Transformer/posembed_input/pos_embedding"][0]
    np.testing.assert_array_equal(positions[0], table[0])
    grid = table[1:].reshape(4, 4, 12)
    # A row of three over four columns: its ends, and the middle of the two.
    middle = (grid[0, 1] + grid[0, 2]) / 2
    expected = [grid[0, 0], middle, grid[0, 3]]
    np.testing.assert_allclose(positions[1:], expected, atol=1e-6)


def test_weights_that_do_not_fit_are_named(tmp_path):
    model = mgtl_tf.build_model(SMALL)
    path = tmp_path / "weights.npz"
    for content, said in (
        (None, "no such file"),
        (b"not an archive", "no .npz"),
        ("gn_root/bias", "holds no gn_root/bias"),
    ):
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content:
            _public_file(path, leave_out=content)
        with pytest.raises(UserError, match=said) as error:
            model.start_from(str(path))
        assert str(error.value).startswith(f"backbone_weights={path}: ")
    file = _public_file(path)
    file["embedding/kernel"] = np.ones((1, 1, 12, 64), np.float32)
    np.savez(path, **file)
    with pytest.raises(UserError, match="embedding/kernel has shape"):
        model.start_from(str(path))


def test_a_damaged_archive_of_weights_is_one_line(tmp_path):
    model = mgtl_tf.build_model(SMALL)
    path = tmp_path / "weights.npz"
    file = _public_file(path)
    whole = path.read_bytes()
    for share in (0.02, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UserError, match="^backbone_weights=") as error:
            model.start_from(str(path))
        assert "\n" not in str(error.value)
    changed = bytearray(whole)
    changed[whole.index(b"embedding/kernel") + 500] ^= 1
    path.write_bytes(changed)
    with pytest.raises(UserError, match="Bad CRC-32"):
        model.start_from(str(path))
    file["cls"] = np.full_like(file["cls"], np.nan)
    np.savez(path, **file)
    with pytest.raises(UserError, match="cls holds NaN"):
        model.start_from(str(path))
