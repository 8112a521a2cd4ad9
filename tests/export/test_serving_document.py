"""docs/serving.md and README: their own code, run on a tiny export."""

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import ModelConfig, RunConfig
from mgtl_tf.workflows.export import export_run, format_lines
from mgtl_tf.workflows.index import index_gallery
from tests.tiny_runs import write_run

ROOT = Path(__file__).parents[2]
CONFIG = RunConfig(
    model=ModelConfig(
        image_size=(16, 40),
        width_multiplier=1 / 64,
        poolings=3,
        channels=8,
        heads=2,
        recurrent_steps=1,
    )
).replace(ground_crop=(0.25, 0.75), dataset="csv")


def blocks(path, language="python"):
    """The code blocks of a document."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / path).read_text(), re.M | re.S
    )


def block_with(words, path="docs/serving.md"):
    (found,) = [block for block in blocks(path) if words in block]
    return found


def picture(path, height, width, seed):
    noise = np.random.default_rng(seed).normal(0, 90, (height, width, 3))
    smooth = np.clip(cv2.GaussianBlur(noise, (0, 0), 2) * 4 + 128, 0, 255)
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), smooth.astype(np.uint8))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder as the document has it: export/ and panoramas/, no more."""
    root = tmp_path_factory.mktemp("serving")
    rows = ["id,ground,aerial,latitude,longitude"]
    for i in range(1, 4):
        picture(root / f"panoramas/{i}.jpg", 30 + 16 * i, 80 + 7 * i, i)
        picture(root / f"aerial/{i}.jpg", 30 + 9 * i, 30 + 9 * i, 10 + i)
        rows.append(f"{i},panoramas/{i}.jpg,aerial/{i}.jpg,,")
    for split in ("train", "validation"):
        (root / f"{split}.csv").write_text("\n".join(rows) + "\n")
    run = root / "run"
    write_run(run, CONFIG.replace(data_dir=str(root)))
    folder = export_run(run, root / "export", formats=["onnx", "tflite"])
    assert folder == root / "export"
    return root


@pytest.fixture
def there(place, monkeypatch):
    """What the document's code sees: its folder, and what stands above."""
    monkeypatch.chdir(place)
    names = {}
    exec(block_with('panoramas.npy", np.conc'), names)
    return names


def descriptors(place, signature, files):
    encode = tf.saved_model.load(str(place / "export")).signatures[signature]
    contents = [file.read_bytes() for file in files]
    return encode(image_bytes=tf.constant(contents))["descriptor"].numpy()


def test_a_batch_of_files_and_its_search(place, there):
    found = np.load(place / "panoramas.npy")
    assert found.dtype == np.float32 and found.shape == (3, 40)
    for row, file in zip(found, there["files"], strict=True):
        alone = descriptors(place, "encode_ground", [file])[0]
        np.testing.assert_allclose(row, alone, atol=1e-5)
    aerial = sorted((place / "aerial").glob("*.jpg"))
    gallery = descriptors(place, "encode_satellite", aerial)
    np.save(place / "aerial.npy", gallery)
    exec(block_with('np.load("aerial.npy")'), there)
    distance = np.linalg.norm(found[:, None] - gallery[None], axis=-1)
    np.testing.assert_array_equal(there["best"], distance.argsort(axis=1))


def test_real_pairs_of_the_run_are_compared_too(place):
    written = json.loads((place / "export/model.json").read_text())["formats"]
    for details in written.values():
        # Five and four made images, and two pairs of the data set.
        assert details["images"] == {"encode_ground": 7, "encode_satellite": 6}
    lines = format_lines(place / "export")
    assert lines[0].startswith(
        "onnx: encode_ground.onnx, encode_satellite.onnx;"
    )
    assert lines[1].startswith("tflite: model.tflite; of 13 images")


def test_onnx_and_tflite_as_documented(place, there):
    exec(block_with("import onnxruntime"), there)
    wanted = descriptors(place, "encode_ground", there["files"][:1])
    # The two JPEG decoders may be a grey level apart.
    np.testing.assert_allclose(there["descriptor"], wanted, atol=2e-3)
    there.pop("descriptor")
    exec(block_with("ai_edge_litert"), there)
    np.testing.assert_allclose(there["descriptor"], wanted, atol=2e-3)


class AsServing(BaseHTTPRequestHandler):
    """TensorFlow Serving's rules for one named input and one output."""

    folder: Path
    bodies: list

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append(body)
        assert self.path == "/v1/models/mgtl:predict"
        # Without "signature_name" it would take serving_default.
        loaded = tf.saved_model.load(str(self.folder)).signatures
        encode = loaded[body.get("signature_name", "serving_default")]
        (name,) = encode.structured_input_signature[1]
        if "instances" in body:
            key, values = "predictions", body["instances"]
            values = [v[name] if name in v else v for v in values]
        else:
            key, values = "outputs", body["inputs"]
            values = values[name] if isinstance(values, dict) else values
        for value in values:
            # An object of one key, "b64", and nothing else, holds bytes.
            assert list(value) == ["b64"] and isinstance(value["b64"], str)
        contents = [base64.b64decode(v["b64"], validate=True) for v in values]
        answer = encode(**{name: tf.constant(contents, tf.string)})
        (rows,) = answer.values()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({key: rows.numpy().tolist()}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server(place):
    handler = type("Handler", (AsServing,), {})
    handler.folder, handler.bodies = place / "export", []
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_request_by_rest(place, there, server):
    code = block_with("by_rest")
    assert "http://localhost:8501/" in code
    local = f"http://127.0.0.1:{server.server_port}/"
    exec(code.replace("http://localhost:8501/", local), there)
    wanted = descriptors(place, "encode_ground", there["files"])
    np.testing.assert_allclose(there["descriptors"], wanted, atol=1e-6)
    (body,) = server.RequestHandlerClass.bodies
    assert body["signature_name"] == "encode_ground"
    # The other spellings that the document tells of.
    images = [instance["image_bytes"] for instance in body["instances"]]
    for other, key in (
        ({"instances": images}, "predictions"),
        ({"inputs": {"image_bytes": images}}, "outputs"),
    ):
        text = json.dumps({"signature_name": "encode_ground", **other}).encode()
        request = there["urllib"].request.Request(
            f"{local}v1/models/mgtl:predict", text
        )
        with there["urllib"].request.urlopen(request) as answer:
            rows = json.load(answer)[key]
        np.testing.assert_allclose(rows, wanted, atol=1e-6)


def test_there_is_no_signature_by_default(place):
    signatures = tf.saved_model.load(str(place / "export")).signatures
    assert set(signatures) == {
        "encode_ground",
        "encode_satellite",
        "encode_ground_pixels",
        "encode_satellite_pixels",
    }


def test_a_request_by_grpc(place, there):
    pytest.importorskip("tensorflow_serving.apis")
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    class Servicer(service.PredictionServiceServicer):
        def Predict(self, request, context):
            assert request.model_spec.name == "mgtl"
            loaded = tf.saved_model.load(str(place / "export")).signatures
            encode = loaded[request.model_spec.signature_name]
            inputs = {
                name: tf.constant(tf.make_ndarray(value), tf.string)
                for name, value in request.inputs.items()
            }
            answer = predict_pb2.PredictResponse()
            for name, value in encode(**inputs).items():
                proto = tf.make_tensor_proto(value.numpy())
                answer.outputs[name].CopyFrom(proto)
            return answer

    server = grpc.server(ThreadPoolExecutor(1))
    service.add_PredictionServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    code = block_with("by_grpc").replace("localhost:8500", f"127.0.0.1:{port}")
    exec(code, there)
    server.stop(None)
    wanted = descriptors(place, "encode_ground", there["files"])
    np.testing.assert_allclose(there["descriptors"], wanted, atol=1e-6)


def test_model_json_is_documented_whole(place):
    text = (ROOT / "docs/serving.md").read_text()
    for key in json.loads((place / "export/model.json").read_text()):
        assert f"`{key}`" in text, key


@pytest.mark.parametrize("page", ["README.md", "docs/localization.md"])
def test_blocks_about_the_demos_export_and_gallery_run(
    page, place, tmp_path, monkeypatch
):
    (tmp_path / "demo/run").mkdir(parents=True)
    gallery = tmp_path / "demo/gallery"
    index_gallery(place / "export", [place / "aerial"], gallery)
    (tmp_path / "demo/run/export").symlink_to(place / "export")
    (tmp_path / "panorama.jpg").symlink_to(place / "panoramas/1.jpg")
    monkeypatch.chdir(tmp_path)
    names = {}
    codes = [block for block in blocks(page) if "demo/" in block]
    for code in codes:
        exec(code, names)
    assert names["found"].answers[0].place.id in {"1", "2", "3"}
    if "descriptor" in names:
        wanted = descriptors(
            place, "encode_ground", [place / "panoramas/1.jpg"]
        )
        np.testing.assert_allclose(names["descriptor"], wanted, atol=1e-6)
