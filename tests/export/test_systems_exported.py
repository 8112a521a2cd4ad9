"""Every system as a SavedModel that TensorFlow alone opens, ONNX and TFLite.

The formats of all of them, which take a minute:
python -m pytest --run-large tests/export/test_systems_exported.py
Those of MGTL, the linear probe and Regmi's, with all that comes before the
network, are in test_serving_document.py and test_formats.py.
"""

import functools
import itertools
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.preprocess import load_ground, load_satellite
from mgtl_tf.export.formats import BOUND, FORMATS
from mgtl_tf.export.saved_model import export_model
from tests.exports import picture
from tests.models.systems import TABLE, every_system, noise, small_model

CROP = (0.25, 0.75)
VIEWS = ("ground", "satellite")

# Writes beside each export the descriptors of its files, by view: one by one,
# and all at once.
READER = """
import json, sys
import numpy as np
import tensorflow as tf
try:
    import mgtl_tf
    raise SystemExit("the package can be imported")
except ImportError:
    pass
# Rewriting these graphs takes longer than running them.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
for folder, views in json.loads(sys.argv[1]).items():
    signatures = tf.saved_model.load(folder).signatures
    for view, paths in views.items():
        def encode(images):
            encoder = signatures["encode_" + view]
            return encoder(image_bytes=tf.constant(images))["descriptor"]
        images = [open(path, "rb").read() for path in paths]
        single = tf.concat([encode([image]) for image in images], 0)
        np.save(folder + view, tf.stack([single, encode(images)]).numpy())
assert not any(m.startswith(("mgtl_tf", "polar")) for m in sys.modules)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Of all that is written here."""
    return tmp_path_factory.mktemp("systems")


@pytest.fixture(scope="module")
def models():
    """A model of every system."""
    return {name: small_model(name) for name in TABLE}


@pytest.fixture(scope="module")
def pictures(root):
    """Form of a network input to files of it; an aerial image's to square."""
    labels = np.random.default_rng(0).integers(0, 4, (6, 20), np.uint8)
    for number in (0, 1):
        enlarged = np.roll(labels, number).repeat(9, 0).repeat(8, 1)
        assert cv2.imwrite(str(root / f"labels{number}.png"), enlarged)
    aerial = [
        picture(root / "a.jpg", 100, 100, 4),
        picture(root / "b.png", 61, 61, 5),
    ]
    return {
        "image": [
            picture(root / "c.jpg", 64, 320, 1),
            picture(root / "d.png", 129, 511, 2),
            picture(root / "e.jpg", 20, 90, 3),
        ],
        "labels": [root / f"labels{number}.png" for number in (0, 1)],
        "polar": aerial,
        "square": aerial,
    }


def _files(model, pictures):
    form = model.config.input_form
    return dict(
        zip(
            VIEWS,
            (pictures[form.ground_form], pictures[form.satellite_form]),
            strict=True,
        )
    )


@pytest.fixture(scope="module")
def answered(models, pictures, root):
    """The folder with what the exports say in a process without us."""
    asked = {}
    for name, model in models.items():
        config = RunConfig(model=model.config).replace(ground_crop=CROP)
        export_model(model, config, root / name)
        files = _files(model, pictures).items()
        asked[str(root / name)] = {v: list(map(str, f)) for v, f in files}
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("PYTHON")
    }
    # -S: without site-packages of an editable installation, whose finder
    # would still know this package.
    site = next(p for p in sys.path if p.endswith("site-packages"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c"]
        + [f"import sys; sys.path.append({site!r})\n" + READER]
        + [json.dumps(asked)],
        cwd=root,
        env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return root


def _error(found, wanted):
    """The largest, as a share of what two images' descriptors are apart.

    Those of networks that are not trained lie close together.
    """
    apart = np.abs(wanted[0] - wanted[1]).max()
    assert apart > 1e-6
    return np.abs(found - wanted).max() / apart


@every_system
def test_bytes_give_the_descriptors_of_the_pipeline(
    models, pictures, answered, name
):
    model = models[name]
    form = model.config.input_form
    files = _files(model, pictures)
    inputs = {
        "ground": [
            load_ground(path, form.size("ground"), CROP, form=form.ground_form)
            for path in files["ground"]
        ],
        "satellite": [
            load_satellite(path, form.size("satellite"), form.satellite_form)
            for path in files["satellite"]
        ],
    }
    for view in VIEWS:
        wanted = getattr(model, f"encode_{view}")(np.float32(inputs[view]))
        for rows in np.load(answered / f"{name}{view}.npy"):
            assert rows.dtype == np.float32
            assert _error(rows, wanted) < 0.1


@pytest.mark.large
@pytest.mark.parametrize("kind", FORMATS)
@every_system
def test_the_network_converts(models, tmp_path, name, kind):
    """Of a VGG-16 the last block: the linear probe shows all others."""
    model = models[name]
    encoders, inputs = {}, {}
    for view, backbone in itertools.zip_longest(VIEWS, model.backbones):
        images, start = noise(model, view, 1), {}
        if backbone and name != "linear_probe":
            start = {"first_block": backbone.blocks - 1}
            images = backbone(images, last_block=backbone.blocks - 1).numpy()
        key = f"encode_{view}"
        encode = functools.partial(getattr(model, key), **start)
        encoders[key], inputs[key] = _traced(encode, images.shape), images
    files = FORMATS[kind].write(model, encoders, tmp_path, {})
    for key, images in inputs.items():
        opened = FORMATS[kind].open(tmp_path / files[key], key)
        found = opened(image=images)["descriptor"]
        wanted = encoders[key](images)["descriptor"]
        assert _error(found, wanted) < 0.1
        wrong = np.linalg.norm(found - wanted, axis=1)
        assert (wrong / np.linalg.norm(wanted, axis=1)).max() < BOUND


def _traced(encode, shape):
    image = tf.TensorSpec((None, *shape[1:]), tf.float32, "image")
    return tf.function(
        lambda image: {"descriptor": encode(image)},
        input_signature=[image],
        autograph=False,
    )
