"""One table, every layer: config, shapes, tracing, precision, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from mgtl_tf.layers.bilinear_resize import BilinearResize
from mgtl_tf.layers.circular_padding import CircularPadding
from mgtl_tf.layers.column_projection import ColumnProjection
from mgtl_tf.layers.convnext_tokens import ConvNeXtTokens
from mgtl_tf.layers.cross_modal_interaction import CrossModalInteraction
from mgtl_tf.layers.feature_transport import FeatureTransport
from mgtl_tf.layers.knowledge_supported_transformer import (
    KnowledgeSupportedTransformer,
)
from mgtl_tf.layers.label_layout import LabelLayout
from mgtl_tf.layers.layout_transfer import LayoutTransfer
from mgtl_tf.layers.modality_independent_features import (
    ModalityIndependentFeatures,
)
from mgtl_tf.layers.net_vlad import NetVLAD
from mgtl_tf.layers.offset_head import OffsetHead
from mgtl_tf.layers.orientation_channels import OrientationChannels
from mgtl_tf.layers.perceptron import Perceptron
from mgtl_tf.layers.positional_encoding import PositionalEncoding
from mgtl_tf.layers.region_means import RegionMeans
from mgtl_tf.layers.spatial_maps import SpatialMaps
from mgtl_tf.layers.trunks.aerial_generator import AerialGenerator
from mgtl_tf.layers.trunks.alexnet import AlexNet
from mgtl_tf.layers.trunks.basic_block import BasicBlock
from mgtl_tf.layers.trunks.canny_edges import CannyEdges
from mgtl_tf.layers.trunks.ceil_max_pooling import CeilMaxPooling2D
from mgtl_tf.layers.trunks.convnext import ConvNeXtFeatures
from mgtl_tf.layers.trunks.convnext_block import ConvNeXtBlock
from mgtl_tf.layers.trunks.generalized_mean import GeneralizedMean
from mgtl_tf.layers.trunks.generator_blocks import (
    DownBlock,
    InstanceResidual,
    UpBlock,
)
from mgtl_tf.layers.trunks.generator_encoder import GeneratorEncoder
from mgtl_tf.layers.trunks.grouped_conv import GroupedConv2D
from mgtl_tf.layers.trunks.hybrid_stem import HybridStem
from mgtl_tf.layers.trunks.hypercolumn import Hypercolumn
from mgtl_tf.layers.trunks.local_response_normalization import (
    LocalResponseNormalization,
)
from mgtl_tf.layers.trunks.non_local_attention import NonLocalAttention
from mgtl_tf.layers.trunks.normalized_conv import NormalizedConv
from mgtl_tf.layers.trunks.patch_discriminator import PatchDiscriminator
from mgtl_tf.layers.trunks.residual_unit import ResidualUnit
from mgtl_tf.layers.trunks.resnet34 import ResNet34Features
from mgtl_tf.layers.trunks.spectral_conv import SpectralConv2D
from mgtl_tf.layers.trunks.standardized_conv import StandardizedConv2D
from mgtl_tf.layers.trunks.street_view_decoder import StreetViewDecoder
from mgtl_tf.layers.trunks.strided_hypercolumns import StridedHypercolumns
from mgtl_tf.layers.trunks.strided_pyramid import StridedPyramid
from mgtl_tf.layers.turned_crop import TurnedCrop
from mgtl_tf.layers.vgg16 import VGG16Features
from mgtl_tf.layers.vit.class_token import ClassToken
from mgtl_tf.layers.vit.layer_to_layer_block import LayerToLayerBlock
from mgtl_tf.layers.vit.token_heads import TokenHeads
from mgtl_tf.layers.vit.token_selection import TokenSelection
from mgtl_tf.layers.vit.transformer_block import TransformerBlock
from mgtl_tf.layers.vit.vision_transformer import VisionTransformer
from tests.processor import needs_bfloat16

TOKENS = (5, 12)  # T, C
MAP = (5, 7, 8)  # h, w, C
IMAGE = (17, 23, 3)  # odd sizes: SAME poolings round up
SMALL = {"width_multiplier": 1 / 32, "poolings": 2, "dropout": 0.0}

# layer class, arguments, shapes of its inputs and its output without B
TABLE = [
    (PositionalEncoding, {}, [TOKENS], TOKENS),
    (Perceptron, {"ratio": 2}, [TOKENS], TOKENS),
    (Perceptron, {"ratio": 2, "kernel_size": 3}, [TOKENS], TOKENS),
    (Perceptron, {"residual_init": "zeros"}, [TOKENS], TOKENS),
    (CrossModalInteraction, {"ratio": 2}, [TOKENS], TOKENS),
    (CrossModalInteraction, {"ratio": 2, "local": True}, [TOKENS], TOKENS),
    (KnowledgeSupportedTransformer, {"heads": 3}, [TOKENS, TOKENS], TOKENS),
    (
        KnowledgeSupportedTransformer,
        {"heads": 2, "ffn": "none", "residual_init": "zeros"},
        [TOKENS, TOKENS],
        TOKENS,
    ),
    (VGG16Features, SMALL, [IMAGE], (5, 6, 16)),
    (VGG16Features, {**SMALL, "normalization": "batch"}, [IMAGE], (5, 6, 16)),
    (VGG16Features, {**SMALL, "circular": True}, [IMAGE], (5, 6, 16)),
    (CircularPadding, {}, [MAP], (7, 9, 8)),
    (
        ModalityIndependentFeatures,
        {"channels": 8, "backbone": {**SMALL, "normalization": "batch"}},
        [IMAGE],
        (6, 8),
    ),
    (
        ModalityIndependentFeatures,
        {"channels": None, "backbone": SMALL},
        [IMAGE],
        (6, 16),
    ),
    (
        StandardizedConv2D,
        {"filters": 4, "kernel_size": (3, 3)},
        [MAP],
        (5, 7, 4),
    ),
    (
        StandardizedConv2D,
        {"filters": 8, "kernel_size": (1, 1), "norm_per_channel": True},
        [MAP],
        MAP,
    ),
    (ResidualUnit, {"width": 4, "stride": 2}, [MAP], (3, 4, 16)),
    (ResidualUnit, {"width": 2}, [MAP], MAP),
    (
        HybridStem,
        {"units": (1, 2), "width_multiplier": 19 / 64},  # no divisor of 32
        [IMAGE],
        (3, 3, 152),
    ),
    (ClassToken, {"dropout": 0.0}, [TOKENS], (6, 12)),
    (ClassToken, {"count": 2}, [TOKENS], (7, 12)),
    (TransformerBlock, {"heads": 3, "mlp_ratio": 2}, [TOKENS], TOKENS),
    (TokenHeads, {"units": 4}, [TOKENS], (4,)),
    (
        TokenSelection,
        {"kept": 4, "grid": (2, 3)},
        [(7, 12), (4, 5)],
        (5, 12),
    ),
    (
        VisionTransformer,
        {
            "channels": 12,
            "depth": 2,
            "patch_size": 8,
            "block": {"heads": 3},
        },
        [IMAGE],
        (2, 12),
    ),
    (
        LayerToLayerBlock,
        {"heads": 3, "mlp_ratio": 2},
        [TOKENS, TOKENS],
        TOKENS,
    ),
    (
        LayerToLayerBlock,
        {"heads": 2, "residual_init": "zeros", "dropout": 0.1},
        [TOKENS, TOKENS],
        TOKENS,
    ),
    (SpatialMaps, {"maps": 3}, [MAP], (3, 8)),
    (Hypercolumn, {"width_multiplier": 1 / 64}, [(97, 99, 3)], (1, 1, 15)),
    (LayoutTransfer, {"size": (2, 3)}, [MAP, MAP], (2, 3, 8)),
    (LabelLayout, {"size": (3, 4)}, [IMAGE], (3, 4, 4)),
    (
        StridedPyramid,
        {"depth": 4, "width_multiplier": 1 / 32},
        [IMAGE],
        (5 * 6 * 4 + 3 * 3 * 8 + 2 * 2 * 16,),
    ),
    (LocalResponseNormalization, {"size": 3}, [MAP], MAP),
    (CeilMaxPooling2D, {"window": 3, "stride": 2}, [MAP], (2, 3, 8)),
    (
        GroupedConv2D,
        {"filters": 4, "kernel_size": (3, 3), "groups": 2},
        [MAP],
        (3, 5, 4),
    ),
    (AlexNet, {"width_multiplier": 1 / 32, "groups": 2}, [IMAGE], (128,)),
    (
        SpectralConv2D,
        {"filters": 4, "kernel_size": (3, 3), "reflect": True},
        [MAP],
        (5, 7, 4),
    ),
    (DownBlock, {"filters": 4}, [MAP], (2, 3, 4)),
    (InstanceResidual, {}, [MAP], MAP),
    (UpBlock, {"filters": 4}, [MAP], (10, 14, 4)),
    (NonLocalAttention, {}, [MAP], MAP),
    (
        StreetViewDecoder,
        {"width_multiplier": 1 / 32},
        [(2, 3, 8), (2, 3, 8), (4, 6, 4), (8, 12, 2)],
        (16, 24, 3),
    ),
    (
        PatchDiscriminator,
        {"width_multiplier": 1 / 32},
        [(24, 40, 6)],
        (1, 3, 1),
    ),
    (
        PatchDiscriminator,
        {
            "width_multiplier": 1 / 32,
            "halvings": 2,
            "normalization": "batch",
        },
        [IMAGE],
        (2, 3, 1),
    ),
    (CannyEdges, {"reach": 2}, [IMAGE], (17, 23, 1)),
    (
        AerialGenerator,
        {"side": 32, "width_multiplier": 1 / 64, "depth": 3},
        [IMAGE],
        (32, 32, 6),
    ),
    (
        GeneratorEncoder,
        {"width_multiplier": 1 / 4, "blocks": 1},
        [(24, 32, 3)],
        (3, 4, 64),
    ),
    (NormalizedConv, {"filters": 4, "stride": 2}, [MAP], (3, 4, 4)),
    (BasicBlock, {"filters": 4, "stride": 2}, [MAP], (3, 4, 4)),
    (BasicBlock, {"filters": 8}, [MAP], MAP),
    (
        ResNet34Features,
        {"width_multiplier": 1 / 16, "blocks": (1, 1, 1)},
        [IMAGE],
        (3, 3, 16),
    ),
    (SpatialMaps, {"maps": 3, "salience": "max"}, [MAP], (3, 8)),
    (TurnedCrop, {"margin": 2}, [IMAGE, (4,)], (13, 19, 3)),
    (ColumnProjection, {"channels": 6}, [MAP], (7, 6)),
    (NetVLAD, {"clusters": 3}, [MAP], (24,)),
    (BilinearResize, {"size": (3, 9)}, [MAP], (3, 9, 8)),
    (
        BilinearResize,
        {"size": (8, 2), "half_pixel_centres": False},
        [MAP],
        (8, 2, 8),
    ),
    (OrientationChannels, {}, [IMAGE], (17, 23, 5)),
    (OrientationChannels, {"top": 0.25}, [IMAGE], (17, 23, 5)),
    (OrientationChannels, {"form": "polar"}, [IMAGE], (17, 23, 5)),
    (OrientationChannels, {"form": "square"}, [(9, 9, 3)], (9, 9, 5)),
    (
        StridedHypercolumns,
        {"depth": 4, "width_multiplier": 1 / 32},
        [IMAGE],
        (2, 2, 4 + 8 + 16),
    ),
    (ConvNeXtBlock, {}, [MAP], MAP),
    (
        ConvNeXtFeatures,
        {
            "depths": (1, 1, 2, 1),
            "widths": (4, 8, 12, 16),
            "layer_scale": 0.5,
        },
        [(39, 71, 3)],
        (1, 2, 16),
    ),
    (
        ConvNeXtTokens,
        {
            "channels": 6,
            "trunk": {"depths": (1, 1, 1, 1), "widths": (4, 8, 12, 16)},
            "shared": True,
        },
        [(32, 96, 3)],
        (3, 6),
    ),
    (RegionMeans, {}, [MAP], (1, 8)),
    (RegionMeans, {"regions": "square"}, [MAP], (4, 8)),
    (GeneralizedMean, {"power": 2.0}, [MAP], (8,)),
    (FeatureTransport, {"rounds": 3, "sharpness": 2.0}, [MAP], MAP),
    (OffsetHead, {"units": 6}, [(9,), (9,)], (2,)),
]
IDS = [f"{kind.__name__}-{i}" for i, (kind, *_) in enumerate(TABLE)]
every_layer = pytest.mark.parametrize(
    ("kind", "arguments", "inputs", "output"), TABLE, ids=IDS
)


def _inputs(shapes, batch=2):
    random = np.random.default_rng(0)
    scale = 255.0 if shapes[0][-1] == 3 else 1.0
    return [np.float32(scale * random.random((batch, *s))) for s in shapes]


@every_layer
def test_config_round_trip(kind, arguments, inputs, output):
    layer = kind(**arguments)
    again = kind.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for name, value in arguments.items():
        assert getattr(layer, name) == value


@every_layer
def test_eager_traced_and_symbolic_agree(kind, arguments, inputs, output):
    layer, values = kind(**arguments), _inputs(inputs, 3)
    eager = ops.convert_to_numpy(layer(*values))
    assert eager.shape == (3, *output)
    one = ops.convert_to_numpy(layer(*[v[:1] for v in values]))
    np.testing.assert_allclose(one, eager[:1], rtol=2e-4, atol=2e-4)
    # Traced as everything here is: AutoGraph would rewrite Keras' own code.
    traced = tf.function(lambda *v: layer(*v), autograph=False)
    found = traced(*values).numpy()
    np.testing.assert_allclose(found, eager, rtol=2e-4, atol=2e-4)
    symbols = [keras.Input(shape) for shape in inputs]
    assert layer(*symbols).shape == (None, *output)
    shape = layer.compute_output_shape((None, *inputs[0]))
    assert tuple(shape) == (None, *output)


@needs_bfloat16
@every_layer
def test_bfloat16_policy(kind, arguments, inputs, output):
    single = kind(**arguments)
    half = kind(**arguments, dtype="mixed_bfloat16")
    values = _inputs(inputs)
    expected = ops.convert_to_numpy(single(*values))
    half.build(values[0].shape)
    half.set_weights(single.get_weights())
    result = half(*values)
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    for weight in half.weights:
        if "seed" not in weight.path:
            assert weight.dtype == "float32"
    result = ops.convert_to_numpy(ops.cast(result, "float32"))
    scale = np.abs(expected).max()
    assert np.abs(result - expected).max() <= 0.05 * scale


@every_layer
def test_save_and_reload(kind, arguments, inputs, output, tmp_path):
    symbols = [keras.Input(shape) for shape in inputs]
    model = keras.Model(symbols, kind(**arguments)(*symbols))
    model.save(tmp_path / "layer.keras")
    again = keras.models.load_model(tmp_path / "layer.keras")
    values = _inputs(inputs)
    for a, b in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(again(values), model(values), atol=1e-6)


@every_layer
def test_gradients_reach_every_weight(kind, arguments, inputs, output):
    layer, values = kind(**arguments), _inputs(inputs)
    layer(*values)
    with tf.GradientTape() as tape:
        loss = ops.sum(ops.square(layer(*values)))
    gradients = tape.gradient(loss, layer.trainable_weights)
    if kind is ModalityIndependentFeatures:  # one call reads one view
        pairs = zip(layer.trainable_weights, gradients, strict=True)
        gradients = [g for w, g in pairs if "/satellite/" not in w.path]
    assert all(g is not None for g in gradients)
