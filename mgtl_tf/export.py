"""A trained model as a SavedModel that needs nothing but TensorFlow.

Image bytes go in, descriptors come out: decoding, cropping, resizing and
the polar transform are part of the graph, so that no client can get the
preprocessing wrong.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf import __version__
from mgtl_tf.config import RunConfig
from mgtl_tf.data.preprocess_graph import ground_image
from mgtl_tf.data.preprocess_graph import satellite_image
from mgtl_tf.folders import MODEL_JSON
from mgtl_tf.folders import whole_folder

# Of images decoded at the same time; each is a few megabytes of float32.
_PARALLEL_IMAGES = 8


def export_model(
    model: keras.Model, run_config: RunConfig, output_dir: Path | str
) -> Path:
    """Writes a SavedModel with the signatures of the contract.

    `encode_ground` and `encode_satellite` each map `image_bytes`, string
    [B], to `descriptor`, float32 [B, D]; batches of any size, images of any
    sizes, each decoded and preprocessed by itself.

    Args:
        model: of `build_model(run_config.model)`, in any dtype policy.
        run_config: its image size and crop become part of the graph.
        output_dir: a new or empty folder, or an older export.

    Returns:
        The folder, which also holds model.json: config, hash, dimension.

    Raises:
        UserError: where output_dir holds something else.
    """
    module = _Encoders(model, run_config)
    size = run_config.model.image_size
    dimension = model.encode_ground(tf.zeros((1, *size, 3))).shape[-1]
    details = {
        "format": 1,
        "model_hash": model_hash(model, run_config),
        "dimension": int(dimension),
        "image_size": list(size),
        "ground_crop": list(run_config.data.ground_crop),
        "config": dataclasses.asdict(run_config),
        "mgtl_tf": __version__,
        "tensorflow": tf.__version__,
    }
    with whole_folder(output_dir, MODEL_JSON) as folder:
        tf.saved_model.save(
            module,
            str(folder),
            signatures={
                "encode_ground": module.encode_ground,
                "encode_satellite": module.encode_satellite,
            },
        )
        text = json.dumps(details, indent=2) + "\n"
        (folder / MODEL_JSON).write_text(text)
    return Path(output_dir)


def model_hash(model: keras.Model, run_config: RunConfig) -> str:
    """SHA-256 of all that a descriptor depends on besides the image.

    That is: the model's config, the crop, and every weight, in order, so
    that two exports of the same checkpoint have the same name.
    """
    digest = hashlib.sha256()
    fields = dataclasses.asdict(run_config.model)
    fields["ground_crop"] = run_config.data.ground_crop
    digest.update(json.dumps(fields, sort_keys=True).encode())
    for variable in model.weights:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        digest.update(f"{value.dtype} {value.shape} ".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


class _Encoders(tf.Module):
    """The traced functions, and the weights they read."""

    def __init__(self, model: keras.Model, run_config: RunConfig):
        super().__init__()
        # What a SavedModel tracks; the Keras object itself stays outside,
        # so that loading needs none of its classes.
        self.weights = list(model.weights)
        size = run_config.model.image_size
        crop = run_config.data.ground_crop

        def ground(image_bytes):
            return ground_image(image_bytes, size, crop)

        def satellite(image_bytes):
            return satellite_image(image_bytes, size)

        self.encode_ground = _signature(ground, model.encode_ground, size)
        self.encode_satellite = _signature(
            satellite, model.encode_satellite, size
        )


def _signature(preprocess, encode, image_size):
    """A tf.function from image_bytes [B] to {"descriptor": [B, D]}."""
    image = tf.TensorSpec((*image_size, 3), tf.float32)

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")]
    )
    def encode_bytes(image_bytes):
        images = tf.map_fn(
            preprocess,
            image_bytes,
            fn_output_signature=image,
            parallel_iterations=_PARALLEL_IMAGES,
        )
        return {"descriptor": tf.cast(encode(images), tf.float32)}

    return encode_bytes
