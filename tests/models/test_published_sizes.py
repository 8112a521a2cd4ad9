"""Parameters of every system as its authors' network has them.

Sums by hand from the shapes of their layers: moving statistics and random
states are not counted.
"""

import math

import pytest

from mgtl_tf import models
from mgtl_tf.config import SYSTEMS, ModelConfig
from mgtl_tf.layers.modality_independent_features import VIEWS
from tests.models.published_size import shapes_alone

# system: parameters, panoramas and aerial images [H, W], D
PUBLISHED = {
    "mgtl": (79_279_104, (112, 616), (112, 616), 20 * 384),
    "safa": (29_533_696, (112, 616), (112, 616), 4096),
    "l2ltr": (195_909_248, (128, 512), (128, 512), 768),
    # Four blocks of VGG-16, and a map of columns of 7 rows a view.
    "linear_probe": (
        2 * (7_635_264 + 7 * 512 * 48 + 48),
        (112, 616),
        (112, 616),
        39 * 48,
    ),
    "dsm": (17_943_840, (128, 512), (128, 512), 4096),
    "regmi": (135_841_616, (224, 1232), (512, 512), 1000),
    "zhai": (8_470_886, (224, 1232), (224, 224), 1280),
    "cvm_net": (163_782_400, (224, 1232), (512, 512), 4096),
    "cvft": (30_285_633, (112, 616), (256, 256), 4096),
    "oricnn": (30_695_808, (224, 1232), (512, 512), 1536),
    "workman": (2 * 57_708_109, (224, 224), (224, 224), 205),
    "workman_vgg16": (
        2 * 14_714_688,
        (112, 616),
        (112, 616),
        4 * 20 * 512,
    ),
    "toker": (35_087_888, (112, 616), (112, 616), 2048),
    # Of 7 x 38 and of 16 x 16 patches.
    "transgeo": (22_463_312 + 22_459_472, (112, 616), (256, 256), 1000),
    "frgeo": (2 * 27_820_128, (128, 512), (256, 256), 4 * 768),
    # The last is the temperature.
    "sample4geo": (87_566_464 + 1, (140, 768), (384, 384), 1024),
    # MGTL's less both VGG-16 and the map of 512 channels; a shared ConvNeXt-B
    # and a map of 1,024; the temperature.
    "mgtl_convnext": (
        79_279_104 - 29_429_376 - 513 * 384 + 87_566_464 + 1025 * 384 + 1,
        (128, 512),
        (128, 512),
        16 * 384,
    ),
    # 819,502 of them are the angle's.
    "vo": (124_953_344 + 819_502, (230, 230), (250, 250), 1024),
}
SHALLOW = {
    "convnext_depths": (1, 1, 1, 1),
    "stem_blocks": (1, 1, 1),
    "vit_blocks": 1,
}
STATES = ("moving_mean", "moving_variance", "seed_generator_state", "direction")


@pytest.mark.parametrize("name", SYSTEMS)
def test_parameters_and_descriptors(name):
    count, ground, satellite, dimension = PUBLISHED[name]
    config = ModelConfig(system=name)
    assert [config.view_size(v) for v in VIEWS] == [ground, satellite]
    shapes = config.input_shapes
    # No weight is made: they have shapes, and no values.
    with shapes_alone():
        model = models._model_class(config.form_class)(config)
        model.build(shapes)
        # Shapes depend on no depth, and tracing takes long.
        depths = {k: v for k, v in SHALLOW.items() if k in vars(config)}
        if depths:
            shallow = ModelConfig(system=name, **depths)
            found = models.build_model(shallow).compute_output_shape(shapes)
        else:
            found = model.compute_output_shape(shapes)
    weights = [w for w in model.weights if not w.path.endswith(STATES)]
    assert sum(math.prod(w.shape) for w in weights) == count
    for view in shapes:
        assert found[view] == (None, dimension)
