"""A trained model as a SavedModel that needs nothing but TensorFlow.

Image bytes go in, descriptors come out: decoding, cropping, resizing and
the polar transform, where the model takes it, are part of the graph, so that
no client can get the preprocessing wrong. Two further signatures take network
inputs, for this package's own programs, which decode strictly and preprocess
with OpenCV.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf import __version__
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.panorama_shape import sphere_crop
from mgtl_tf.datasets.preprocess_graph import ground_image, satellite_image
from mgtl_tf.export.formats import (
    FORMATS,
    SAVED_MODEL,
    random_images,
    require_formats,
    write_formats,
)
from mgtl_tf.export.model_folder import OFFSETS, write_details
from mgtl_tf.export.offset_signature import offset_predictor
from mgtl_tf.utils.atomic_folders import atomic_folder
from mgtl_tf.utils.atomic_io import MODEL_JSON
from mgtl_tf.utils.plain_path import as_os_errors, plain_path

# Of images decoded at the same time; each is a few megabytes of float32.
_PARALLEL_IMAGES = 8
# Of model.json, what formats that have a place for text are given too.
_IN_FILES = ("model_hash", "dimension", "mgtl_tf")


def export_model(
    model: keras.Model,
    run_config: RunConfig,
    output_dir: Path | str,
    formats: Sequence[str] = (SAVED_MODEL,),
    pictures: Sequence[tuple[np.ndarray, np.ndarray]] = (),
) -> Path:
    """Writes a SavedModel with the signatures of the contract.

    `encode_ground` and `encode_satellite` each map `image_bytes`, string
    [B], to `descriptor`, float32 [B, D]; batches of any size, images of any
    sizes, each decoded and preprocessed by itself. `encode_ground_pixels`
    and `encode_satellite_pixels` map `pixels`, uint8 RGB [B, H, W, 3] (what
    `datasets.preprocess` makes), to the same. Of a model with an offset head,
    `predict_offset` maps descriptors `ground` and `satellite`, float32
    [B, D], to `offset`, float32 [B, 2]: where the panorama stands, east and
    north of the aerial image's centre, in sides of the image; and to
    `expected_error`, float32 [B], in sides, 0 where it was not measured.

    Args:
        model: of `build_model(run_config.model)`; in float32 where there
            are further formats, else in any dtype policy.
        run_config: its image sizes, crop and the form of aerial images become
            part of the graph.
        output_dir: a new or empty folder, or an older export.
        formats: further ones of FORMATS to write beside the SavedModel,
            which is always written. They take pixels in place of files.
        pictures: panoramas and aerial images, uint8 [h, w, 3] and
            [S, S, 3], on which further formats are compared with the
            SavedModel, besides random ones.

    Returns:
        The folder, which also holds model.json: config, hash, dimension,
        and how far each further format differs.

    Raises:
        UserError: where output_dir holds something else, or a format cannot
            be written or differs; nothing is then written.
    """
    require_formats(formats)
    details = _details(model, run_config)
    batches = random_images(run_config.model.input_form)
    for ground, aerial in pictures:
        batches["encode_ground"].append(ground[None])
        batches["encode_satellite"].append(aerial[None])
    with atomic_folder(output_dir, MODEL_JSON) as folder:
        _write_saved_model(model, run_config, folder)
        text = {name: str(details[name]) for name in _IN_FILES}
        others = [name for name in FORMATS if name in formats]
        details["formats"] = write_formats(
            others, model, run_config, folder, batches, text
        )
        write_details(folder, details)
    return Path(output_dir)


def _details(model: keras.Model, run_config: RunConfig) -> dict[str, Any]:
    """What model.json says, but for further formats."""
    form = run_config.model.input_form
    aerial = tf.zeros((1, *form.size("satellite"), 3))
    dimension = model.encode_satellite(aerial).shape[-1]
    return {
        "model_hash": model_hash(model, run_config),
        "dimension": int(dimension),
        "image_size": list(form.image_size),
        **form.settings,
        "ground_crop": list(run_config.data.ground_crop),
        "scorer": run_config.model.scorer.plain(),
        "config": dataclasses.asdict(run_config),
        "mgtl_tf": __version__,
        "tensorflow": tf.__version__,
    }


def _write_saved_model(
    model: keras.Model, run_config: RunConfig, folder: Path
) -> None:
    form, crop = run_config.model.input_form, run_config.data.ground_crop
    size, aerial = form.size("ground"), form.size("satellite")
    sphere = sphere_crop(size, crop, run_config.data.dataset)

    def ground(image_bytes):
        return ground_image(image_bytes, size, crop, form.ground_form, sphere)

    def satellite(image_bytes):
        return satellite_image(image_bytes, aerial, form.satellite_form)

    # Each network is traced once, for both of its signatures.
    encode_ground = _descriptors(model.encode_ground, size)
    encode_satellite = _descriptors(model.encode_satellite, aerial)
    signatures = {
        "encode_ground": _from_bytes(ground, encode_ground, size),
        "encode_satellite": _from_bytes(satellite, encode_satellite, aerial),
        "encode_ground_pixels": _from_pixels(encode_ground, size),
        "encode_satellite_pixels": _from_pixels(encode_satellite, aerial),
    }
    if model.offset_head is not None:
        signatures[OFFSETS] = offset_predictor(model, form)
    module = tf.Module()
    # What a SavedModel tracks; the Keras object itself stays outside, so that
    # loading needs none of its classes.
    module.weights = list(model.descriptor_weights)
    with plain_path(folder) as plain, as_os_errors():
        tf.saved_model.save(module, str(plain), signatures)


def model_hash(model: keras.Model, run_config: RunConfig) -> str:
    """SHA-256 of all that a descriptor depends on besides the image.

    That is: the model's config, the crop, and every weight that descriptors
    depend on, in order, so that two exports of the same checkpoint have the
    same name.
    """
    digest = hashlib.sha256()
    fields = run_config.model.identity()
    fields["ground_crop"] = run_config.data.ground_crop
    digest.update(json.dumps(fields, sort_keys=True).encode())
    for variable in model.descriptor_weights:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        digest.update(f"{value.dtype} {value.shape} ".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _from_bytes(preprocess, encode, image_size):
    """A tf.function from image_bytes [B] to {"descriptor": [B, D]}."""
    image = tf.TensorSpec((*image_size, 3), tf.float32)

    # Nothing here depends on AutoGraph, nor does what it calls.
    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")],
        autograph=False,
    )
    def encode_bytes(image_bytes):
        images = tf.map_fn(
            preprocess,
            image_bytes,
            fn_output_signature=image,
            parallel_iterations=_PARALLEL_IMAGES,
        )
        return encode(images)

    return encode_bytes


def _from_pixels(encode, image_size):
    """A tf.function from pixels [B, H, W, 3] to {"descriptor": [B, D]}."""
    pixels = tf.TensorSpec((None, *image_size, 3), tf.uint8, "pixels")

    @tf.function(input_signature=[pixels], autograph=False)
    def encode_pixels(pixels):
        return encode(tf.cast(pixels, tf.float32))

    return encode_pixels


def _descriptors(encode, image_size):
    """A tf.function from images [B, H, W, 3] to {"descriptor": [B, D]}."""
    images = tf.TensorSpec((None, *image_size, 3), tf.float32, "images")

    @tf.function(input_signature=[images], autograph=False)
    def encode_images(images):
        # TensorFlow's convolutions refuse a batch of none: a black image
        # stands in for it, and its descriptor is left out.
        count = tf.shape(images)[0]
        spare = tf.zeros((tf.maximum(1 - count, 0), *images.shape[1:]))
        descriptors = encode(tf.concat([images, spare], axis=0))[:count]
        return {"descriptor": tf.cast(descriptors, tf.float32)}

    return encode_images
