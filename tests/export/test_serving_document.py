"""docs/serving.md and README: their own code, run on a tiny export."""

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.workflows.export import format_lines
from mgtl_tf.workflows.index import index_gallery
from tests.exports import write_export

ROOT = Path(__file__).parents[2]


def blocks(path, language="python"):
    """The code blocks of a document."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / path).read_text(), re.M | re.S
    )


def block_with(words, path="docs/serving.md"):
    (found,) = [block for block in blocks(path) if words in block]
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder as the document has it: export/ and panoramas/."""
    return write_export(tmp_path_factory.mktemp("serving")).root


@pytest.fixture(scope="module")
def signatures(place):
    return tf.saved_model.load(str(place / "export")).signatures


@pytest.fixture(scope="module")
def documented(place):
    """What the document's first code makes, which the others go on with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        names = {}
        exec(block_with('panoramas.npy", np.conc'), names)
    return names


@pytest.fixture
def there(place, documented, monkeypatch):
    """What the document's code sees: its folder, and what stands above."""
    monkeypatch.chdir(place)
    return dict(documented)


@pytest.fixture(scope="module")
def wanted(signatures, place):
    """Of all panoramas."""
    return descriptors(
        signatures["encode_ground"], sorted((place / "panoramas").glob("*.jpg"))
    )


def descriptors(encode, files):
    contents = [file.read_bytes() for file in files]
    return encode(image_bytes=tf.constant(contents))["descriptor"].numpy()


def test_a_batch_of_files_and_its_search(place, there, signatures):
    found = np.load(place / "panoramas.npy")
    assert found.dtype == np.float32 and found.shape[0] == 6
    for row, file in zip(found, there["files"], strict=True):
        alone = descriptors(signatures["encode_ground"], [file])[0]
        np.testing.assert_allclose(row, alone, atol=1e-5)
    aerial = sorted((place / "aerial").glob("*.jpg"))
    gallery = descriptors(signatures["encode_satellite"], aerial)
    np.save(place / "aerial.npy", gallery)
    exec(block_with('np.load("aerial.npy")'), there)
    distance = np.linalg.norm(found[:, None] - gallery[None], axis=-1)
    order = distance.argsort(axis=1)[:, :5]
    np.testing.assert_array_equal(there["best"], order)


def test_real_pairs_of_the_run_are_compared_too(place):
    written = json.loads((place / "export/model.json").read_text())["formats"]
    for details in written.values():
        # Six and four made images, and two pairs of the data set.
        assert details["images"] == {"encode_ground": 8, "encode_satellite": 6}
    lines = format_lines(place / "export")
    assert lines[0].startswith(
        "onnx: encode_ground.onnx, encode_satellite.onnx;"
    )
    assert lines[1].startswith("tflite: model.tflite; of 14 images")


def test_onnx_and_tflite_as_documented(wanted, there):
    for words in ("import onnxruntime", "ai_edge_litert"):
        exec(block_with(words), there)
        # The two JPEG decoders may be a grey level apart.
        found = there.pop("descriptor")
        np.testing.assert_allclose(found, wanted[:1], atol=2e-3)


class AsServing(BaseHTTPRequestHandler):
    """TensorFlow Serving's rules for one named input and one output."""

    signatures: dict
    bodies: list

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append(body)
        assert self.path == "/v1/models/mgtl:predict"
        # Without "signature_name" it would take serving_default.
        encode = self.signatures[body.get("signature_name", "serving_default")]
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
def server(signatures):
    handler = type("Handler", (AsServing,), {})
    handler.signatures, handler.bodies = signatures, []
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_request_by_rest(wanted, there, server):
    code = block_with("by_rest")
    assert "http://localhost:8501/" in code
    local = f"http://127.0.0.1:{server.server_port}/"
    exec(code.replace("http://localhost:8501/", local), there)
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


def test_there_is_no_signature_by_default(signatures):
    assert set(signatures) == {
        "encode_ground",
        "encode_satellite",
        "encode_ground_pixels",
        "encode_satellite_pixels",
    }


def test_a_request_by_grpc(signatures, wanted, there):
    pytest.importorskip("tensorflow_serving.apis")
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    class Servicer(service.PredictionServiceServicer):
        def Predict(self, request, context):
            assert request.model_spec.name == "mgtl"
            encode = signatures[request.model_spec.signature_name]
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
    np.testing.assert_allclose(there["descriptors"], wanted, atol=1e-6)


def test_model_json_is_documented_whole(place):
    text = (ROOT / "docs/serving.md").read_text()
    for key in json.loads((place / "export/model.json").read_text()):
        assert f"`{key}`" in text, key


@pytest.mark.parametrize("page", ["README.md", "docs/localization.md"])
def test_blocks_about_the_demos_export_and_gallery_run(
    page, place, wanted, tmp_path, monkeypatch
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
    assert names["found"].answers[0].place.id in set("123456")
    if "descriptor" in names:
        np.testing.assert_allclose(names["descriptor"], wanted[:1], atol=1e-6)
