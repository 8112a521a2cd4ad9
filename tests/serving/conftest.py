"""A page on a real socket with a localizer that computes nothing."""

import http.client
import json
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.answers import Answer, Located
from mgtl_tf.serving.app import create_app
from mgtl_tf.serving.limits import Limits
from mgtl_tf.serving.server import ConnectionLimits, bind, uvicorn_server
from mgtl_tf.utils.errors import UserError
from tests.large import bad_images

LIMITS = Limits(
    upload_bytes=100_000,
    places=3,
    share=3,
    body_seconds=1.5,
    stall_seconds=0.5,
    queue_seconds=30,
    model_seconds=30,
    decode_seconds=20,
    drain_seconds=1,
)


def encoded(kind=".jpg", height=32, width=128, seed=0):
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3))
    return cv2.imencode(kind, noise.astype(np.uint8))[1].tobytes()


class FakeLocalizer:
    """Answers with the first places; notes what it is asked."""

    def __init__(self, folder):
        (folder / "1.png").write_bytes(encoded(".png", 40, 40))
        (folder / "2.png").write_text("no image")
        os.mkfifo(folder / "4.png")
        (folder / "5.png").write_bytes(bad_images.png(20_000, 20_000, b""))
        odd = os.fsdecode(b"\xe9\xff.png")
        (folder / odd).write_bytes(encoded(".png", 40, 40))
        places = [
            Place("one", folder / "1.png", (47.0, 7.5)),
            Place("<b>two</b>", folder / "2.png", (47.001, 7.5)),
            Place("three", folder / "none.png"),
            Place("pipe", folder / "4.png"),
            Place("large", folder / "5.png"),
            Place(odd[:-4], folder / odd),
        ]
        self.first = 0
        unknown = (np.nan, np.nan)
        self.index = SimpleNamespace(
            places=places,
            coordinates=np.array([p.coordinates or unknown for p in places]),
            sides=np.full(len(places), np.nan),
            made_of={},
            row=[place.id for place in places].index,
        )
        self.encoder = SimpleNamespace(
            has_offsets=False,
            crop=lambda size: (0.25, 0.75),
            details={
                "ground_crop": [0.25, 0.75],
                "config": {
                    "model": {"image_size": [112, 616], "poolings": 5},
                    "data": {"dataset": "csv"},
                },
            },
            model_hash="abc",
        )
        self.go = threading.Event()
        self.begin()

    def begin(self):
        self.asked, self.together, self.most_together = [], 0, 0
        self.confidence, self.unsure_metres = 0.75, None
        self.first = 0
        self.go.set()

    def locate(
        self, image, top_k=5, near=None, radius=None, unknown_heading=False
    ):
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        self.asked.append((image, top_k, near, radius, unknown_heading))
        self.go.wait(10)
        self.together -= 1
        if near == (0.0, 0.0):
            raise UserError("radius=5: no place of the gallery lies so near")
        heading = 90.0 if unknown_heading else None
        answers = [
            Answer(i, place, 1 - i / 10, metres, heading)
            for i, place, metres in zip(
                (1, 2, 3),
                self.index.places[self.first :][:3],
                (0.0, 111.2, None),
                strict=True,
            )
        ]
        no = "" if self.confidence is not None else "not calibrated"
        return Located(
            Path("image 1"),
            tuple(answers[:top_k]),
            confidence=self.confidence,
            confidence_metres=self.unsure_metres if no else 25.0,
            no_confidence=no,
            seconds=0.125,
        )


class Page:
    """Asks a served page, each time over a new connection."""

    def __init__(self, port, localizer):
        self.port = port
        self.localizer = localizer
        self.sound = encoded()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method="GET", path="/", body=None, **headers):
        """Status, headers and body of an answer."""
        connection = self.connect()
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def locate(self, body, query="", **headers):
        """Status and what the JSON says."""
        status, _, content = self.ask(
            "POST", f"/locate{query}", body, **headers
        )
        return status, json.loads(content)

    def wait_for(self, condition):
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, "it never came about"
            time.sleep(0.01)


@pytest.fixture
def page(served_fake):
    served_fake.localizer.begin()
    yield served_fake
    served_fake.localizer.go.set()


@pytest.fixture(scope="module")
def served_fake(tmp_path_factory):
    with serving(FakeLocalizer(tmp_path_factory.mktemp("gallery"))) as page:
        yield page


@contextmanager
def serving(localizer):
    """A localizer's page on a port of its own."""
    app = create_app(localizer, limits=LIMITS)
    server = uvicorn_server(app, ConnectionLimits(1, 15, 40, 20))
    with bind("127.0.0.1", 0) as listening:
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}
        )
        thread.start()
        try:
            yield Page(listening.getsockname()[1], localizer)
        finally:
            server.should_exit = True
            thread.join(20)
