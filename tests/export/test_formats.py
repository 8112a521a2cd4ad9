"""ONNX and TFLite beside the SavedModel: right, or refused in one line."""

import importlib.util
import json

import cv2
import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from mgtl_tf import build_model
from mgtl_tf.config import SYSTEMS as REGISTERED
from mgtl_tf.config import ModelConfig, RunConfig
from mgtl_tf.datasets.preprocess_graph import ground_images, satellite_images
from mgtl_tf.export import formats
from mgtl_tf.export.formats import (
    BOUND,
    FORMATS,
    Format,
    random_images,
    require_formats,
    write_formats,
)
from mgtl_tf.export.saved_model import export_model
from mgtl_tf.utils.errors import UserError

SIZE = (16, 40)
CROP = (0.25, 0.75)
COMMON = {"image_size": SIZE, "channels": 8, "heads": 2, "poolings": 3}
SYSTEMS = {
    "safa": {"width_multiplier": 1 / 64},
    "l2ltr": {
        "width_multiplier": 1 / 8,
        "vit_blocks": 1,
        "stem_blocks": (1, 1, 1),
    },
}


def settings(system):
    model = ModelConfig(system=system, **COMMON, **SYSTEMS[system])
    return RunConfig(model=model).replace(ground_crop=CROP)


@pytest.fixture(scope="module", params=SYSTEMS)
def exported(request, tmp_path_factory):
    keras.utils.set_random_seed(1)
    config = settings(request.param)
    model = build_model(config.model)
    folder = tmp_path_factory.mktemp(request.param) / "export"
    # The SavedModel is written whether it is named or not.
    return model, config, export_model(model, config, folder, tuple(FORMATS))


def smooth(count, height, width, seed=0):
    noise = np.random.default_rng(seed).normal(0, 90, (height, width, 3))
    picture = cv2.GaussianBlur(noise, (0, 0), 2) * 4 + 128
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    return np.stack([np.roll(picture, i * width // 3, 1) for i in range(count)])


def by_onnx(folder, name):
    session = onnxruntime.InferenceSession(
        folder / f"{name}.onnx", providers=["CPUExecutionProvider"]
    )
    return lambda pixels: session.run(None, {"image": pixels})[0]


def by_tflite(folder, name):
    interpreter = Interpreter(str(folder / "model.tflite"))
    runner = interpreter.get_signature_runner(name)
    return lambda pixels: runner(image=pixels)["descriptor"]


def by_tensorflow(folder, name):
    encode = tf.saved_model.load(str(folder)).signatures[name]

    def of_files(pixels):
        files = [cv2.imencode(".png", p[..., ::-1])[1] for p in pixels]
        contents = tf.constant([file.tobytes() for file in files])
        return encode(image_bytes=contents)["descriptor"].numpy()

    return of_files


def test_every_system_is_exported():
    """MGTL's own tests are test_saved_model.py and test_serving_document.py."""
    assert {*SYSTEMS, "mgtl"} == set(REGISTERED)


@pytest.mark.parametrize("open_encoder", [by_onnx, by_tflite, by_tensorflow])
def test_files_alone_give_the_models_descriptors(exported, open_encoder):
    """The oracle is the Keras model itself, run eagerly on the same levels.

    That these are the pipeline's levels is tests/export/test_saved_model.py.
    """
    model, _, folder = exported
    for name, shapes, prepare in (
        (
            "encode_ground",
            [(3, 64, 80), (1, 45, 61), (2, 9, 133)],
            lambda images: ground_images(images, SIZE, CROP),
        ),
        (
            "encode_satellite",
            [(3, 37, 37), (1, 5, 5), (2, 90, 90)],
            lambda images: satellite_images(images, SIZE),
        ),
    ):
        encode = open_encoder(folder, name)
        for shape in shapes:
            pixels = smooth(*shape)
            found = encode(pixels)
            wanted = getattr(model, name)(prepare(tf.constant(pixels))).numpy()
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, wanted, atol=1e-4)
            np.testing.assert_allclose(
                np.linalg.norm(found, axis=1), 1, atol=1e-5
            )


def test_model_json_tells_what_was_compared(exported):
    _, _, folder = exported
    written = json.loads((folder / "model.json").read_text())["formats"]
    assert list(written) == ["onnx", "tflite"]
    for details in written.values():
        assert 0 <= details["largest_difference"] <= details["bound"] == 1e-4
        assert details["images"] == {"encode_ground": 5, "encode_satellite": 4}
        for file in details["files"].values():
            assert (folder / file).stat().st_size > 1000


def test_oblong_aerial_images_are_refused(exported):
    _, _, folder = exported
    for open_encoder in (by_onnx, by_tflite):
        for shape in ((1, 30, 31, 3), (1, 31, 30, 3)):
            with pytest.raises(Exception, match="(?i)out of.*bounds"):
                pixels = np.zeros(shape, np.uint8)
                open_encoder(folder, "encode_satellite")(pixels)


def test_onnx_names_its_axes_and_its_model(exported):
    _, _, folder = exported
    details = json.loads((folder / "model.json").read_text())
    for name, axes in (
        ("encode_ground", ["batch", "height", "width", 3]),
        ("encode_satellite", ["batch", "side", "side", 3]),
    ):
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx")
        assert session.get_inputs()[0].shape == axes
        assert session.get_outputs()[0].shape == ["batch", details["dimension"]]
        told = session.get_modelmeta().custom_metadata_map
        assert told["model_hash"] == details["model_hash"]


def fake(answer):
    """A format whose encoders answer so, whatever they are asked."""

    def write(model, encoders, folder, metadata):
        (folder / "model.fake").write_text("fake")
        return dict.fromkeys(encoders, "model.fake")

    return Format(write, lambda path, name: answer, ())


def off_by(value, folder):
    """Both encoders, off by a length, in one direction."""
    views = {
        view: by_tensorflow(folder, f"encode_{view}")
        for view in ("ground", "satellite")
    }

    def encode(pixels):
        view = "ground" if pixels.shape[1] != pixels.shape[2] else "satellite"
        rows = views[view](pixels)
        return rows + value * np.eye(1, rows.shape[1])

    return encode


# One system is enough: what decides sees descriptors alone.
one_system = pytest.mark.parametrize("exported", ["safa"], indirect=True)


@one_system
def test_the_difference_is_a_distance_and_decides(exported, monkeypatch):
    model, config, folder = exported
    batches = random_images(SIZE)
    for value in (0.9 * BOUND, 1.1 * BOUND, np.nan):
        monkeypatch.setitem(FORMATS, "onnx", fake(off_by(value, folder)))
        arguments = (["onnx"], model, config, folder, batches, {})
        if value < BOUND:
            told = write_formats(*arguments)["onnx"]
            found = told["largest_difference"]
            assert found == pytest.approx(0.9 * BOUND, rel=1e-2)
        else:
            with pytest.raises(UserError, match="^formats=onnx: its desc"):
                write_formats(*arguments)


@one_system
def test_a_failed_conversion_is_one_line(exported, monkeypatch):
    def explode(*_):
        raise ValueError("op\nFoo\nis unknown")

    model, config, folder = exported
    monkeypatch.setitem(FORMATS, "tflite", Format(explode, explode, ()))
    batches = {"encode_ground": [], "encode_satellite": []}
    with pytest.raises(UserError, match=r"convert \(op Foo is unknown\)"):
        write_formats(["tflite"], model, config, folder, batches, {})


def test_unknown_names_and_missing_libraries(monkeypatch):
    require_formats(["savedmodel", "onnx", "tflite"])
    with pytest.raises(UserError, match="^formats=pdf: unknown; choose"):
        require_formats(["savedmodel", "pdf"])
    find = importlib.util.find_spec
    monkeypatch.setattr(
        formats.importlib.util,
        "find_spec",
        lambda name: None if name == "tf2onnx" else find(name),
    )
    with pytest.raises(UserError, match=r"install -e '\.\[onnx\]'"):
        require_formats(["savedmodel", "onnx"])
    require_formats(["tflite"])


def test_the_programs_flag_knows_the_formats(load_program):
    flag = load_program("export").flags.FLAGS["formats"]
    assert flag.default == ["savedmodel"]
    (check,) = flag.validators
    names = {formats.SAVED_MODEL, *FORMATS}
    assert check.checker(list(names))
    assert not check.checker([*names, "pdf"])
