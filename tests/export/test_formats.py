"""ONNX and TFLite beside the SavedModel: right, or refused in one line."""

import functools
import importlib.util
import itertools
import json

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.preprocess_graph import ground_images, satellite_images
from mgtl_tf.export import formats
from mgtl_tf.export.formats import (
    BOUND,
    FORMATS,
    Format,
    require_formats,
    write_formats,
)
from mgtl_tf.export.saved_model import export_model
from mgtl_tf.utils.errors import UserError
from tests.exports import smooth
from tests.models.systems import SIZE, small_model

CROP = (0.25, 0.75)


@pytest.fixture(
    scope="module",
    params=[
        ("linear_probe", {}),
        # A prime: hardly any grey level lies halfway between two, and is
        # rounded otherwise by another runtime.
        ("regmi", {"satellite_size": (23, 23), "offset_head": True}),
    ],
    ids=["polar", "square"],
)
def exported(request, tmp_path_factory):
    """In a folder whose name no pattern or web address takes as it is."""
    system, fields = request.param
    model = small_model(system, **fields)
    if model.offset_head:
        point = model.offset_head.point.kernel  # which starts at zero
        random = np.random.default_rng(0)
        point.assign(random.normal(0, 0.1, point.shape))
        model.offset_head.expected_error.assign(0.25)
    config = RunConfig(model=model.config).replace(ground_crop=CROP)
    folder = tmp_path_factory.mktemp(system) / "[1] *?%41#\u00fc'\"$\\\n "
    # The SavedModel is written whether it is named or not.
    return model, export_model(model, config, folder, FORMATS)


def by_onnx(folder, name):
    session = onnxruntime.InferenceSession(
        (folder / f"{name}.onnx").read_bytes(),
        providers=["CPUExecutionProvider"],
    )
    return lambda pixels: session.run(None, {"image": pixels})[0]


def by_tflite(folder, name):
    content = (folder / "model.tflite").read_bytes()
    runner = Interpreter(model_content=content).get_signature_runner(name)
    return lambda pixels: runner(image=pixels)["descriptor"]


OPENED = {"onnx": by_onnx, "tflite": by_tflite}


def test_files_alone_give_the_models_descriptors(exported):
    """The oracle is the Keras model itself, run eagerly on the same levels.

    That these are the pipeline's levels is tests/export/test_saved_model.py;
    that the SavedModel's are the same, the bound in model.json.
    """
    model, folder = exported
    form = model.config.input_form
    for name, shapes, prepare in (
        (
            "encode_ground",
            [(3, 64, 80), (1, 45, 61), (2, 9, 133)],
            lambda images: ground_images(images, SIZE, CROP),
        ),
        (
            "encode_satellite",
            [(3, 37, 37), (1, 5, 5), (2, 90, 90)],
            lambda images: satellite_images(
                images, form.size("satellite"), form.satellite_form
            ),
        ),
    ):
        encoders = [open_(folder, name) for open_ in OPENED.values()]
        for shape, encode in itertools.product(shapes, encoders):
            pixels = smooth(*shape)
            found = encode(pixels)
            wanted = getattr(model, name)(prepare(tf.constant(pixels))).numpy()
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, wanted, atol=1e-4)
            lengths = np.linalg.norm(found, axis=1)
            np.testing.assert_allclose(lengths, 1, atol=1e-5)


def test_the_offset_head_is_in_every_format(exported):
    """A point d0 below the centre and d1 to its left, in half sides."""
    model, folder = exported
    details = json.loads((folder / "model.json").read_text())
    written = details["formats"].values()
    if model.offset_head is None:
        assert not any("predict_offset" in w["files"] for w in written)
        return
    assert all(0 <= w["largest_offset_difference"] <= BOUND for w in written)
    random = np.random.default_rng(1)
    for count in (1, 3):
        asked = random.normal(size=(2, count, 10)).astype("f4")
        asked = dict(zip(("ground", "satellite"), asked, strict=True))
        south, west = np.transpose(model.predict_offsets(**asked))
        for kind, wanted in itertools.product(
            FORMATS, [np.stack([-west, -south], 1) / 2]
        ):
            file = details["formats"][kind]["files"]["predict_offset"]
            run = FORMATS[kind].open(folder / file, "predict_offset")
            found = run(**asked)
            np.testing.assert_allclose(found["offset"], wanted, atol=1e-5)
            assert np.abs(wanted).min() > 1e-3
            np.testing.assert_array_equal(
                found["expected_error"], np.full(count, 0.25, "f4")
            )


def test_what_the_files_say_of_themselves(exported):
    _, folder = exported
    details = json.loads((folder / "model.json").read_text())
    assert tuple(details["formats"]) == tuple(FORMATS)
    for written in details["formats"].values():
        assert 0 <= written["largest_difference"] <= written["bound"] == 1e-4
        assert written["images"] == {"encode_ground": 6, "encode_satellite": 4}
        for file in written["files"].values():
            assert (folder / file).stat().st_size > 1000
    for name, axes in (
        ("encode_ground", ["batch", "height", "width", 3]),
        ("encode_satellite", ["batch", "side", "side", 3]),
    ):
        content = (folder / f"{name}.onnx").read_bytes()
        session = onnxruntime.InferenceSession(content)
        assert session.get_inputs()[0].shape == axes
        assert session.get_outputs()[0].shape == ["batch", details["dimension"]]
        metadata = session.get_modelmeta().custom_metadata_map
        assert metadata["model_hash"] == details["model_hash"]


def test_oblong_aerial_images_are_refused(exported):
    _, folder = exported
    for kind, shape in itertools.product(FORMATS, [(30, 31), (31, 30)]):
        with pytest.raises(Exception, match="(?i)out of.*bounds"):
            pixels = np.zeros((1, *shape, 3), np.uint8)
            OPENED[kind](folder, "encode_satellite")(pixels)


def mean_colours(pixels):
    """Descriptors of a SavedModel that is written and loaded at once."""
    means = pixels.reshape(len(pixels), -1, 3).mean(axis=1)
    return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype("f4")


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """That SavedModel's folder, and images that it is compared on."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def encode(image_bytes):
        means = tf.map_fn(
            lambda file: tf.reduce_mean(
                tf.cast(tf.io.decode_png(file, 3), tf.float32), (0, 1)
            ),
            image_bytes,
            fn_output_signature=tf.float32,
        )
        return {"descriptor": tf.math.l2_normalize(means, axis=1)}

    folder = tmp_path_factory.mktemp("colours")
    names = ("encode_ground", "encode_satellite")
    tf.saved_model.save(tf.Module(), str(folder), dict.fromkeys(names, encode))
    return folder, dict.fromkeys(names, [smooth(2, 9, 12)])


def written(monkeypatch, colours, write, answer):
    """What is said of a format whose encoders answer so."""
    monkeypatch.setitem(FORMATS, "onnx", Format(write, lambda *_: answer, ()))
    folder, batches = colours
    arguments = None, RunConfig(), folder, batches, {}
    return write_formats(["onnx"], *arguments)["onnx"]


def write_nothing(model, encoders, folder, metadata):
    return dict.fromkeys(encoders, "model.fake")


@pytest.mark.parametrize("off", [0.9 * BOUND, 1.1 * BOUND, np.nan])
def test_the_difference_is_a_distance_and_decides(colours, off, monkeypatch):
    def answer(image):
        return {"descriptor": mean_colours(image) + off * np.eye(1, 3)}

    check = functools.partial(written, monkeypatch, colours, write_nothing)
    if off < BOUND:
        found = check(answer)["largest_difference"]
        assert found == pytest.approx(off, rel=1e-2)
    else:
        with pytest.raises(UserError, match="^formats=onnx: its desc"):
            check(answer)


def test_a_failed_conversion_is_one_line(colours, monkeypatch):
    def explode(*_):
        raise ValueError("op\nFoo\nis unknown")

    with pytest.raises(UserError, match=r"convert \(op Foo is unknown\)"):
        written(monkeypatch, colours, explode, explode)


def test_unknown_names_and_missing_libraries(monkeypatch):
    require_formats(["savedmodel", "onnx", "tflite"])
    with pytest.raises(UserError, match="^formats=pdf: unknown; choose"):
        require_formats(["savedmodel", "pdf"])
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
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
