"""Decoding in a process that is ended when it takes too much."""

import os
import signal

import cv2
import numpy as np
import pytest

from mgtl_tf.serving.decoding import Decoders
from mgtl_tf.serving.limits import Limits, Refused
from tests.large import bad_images

LIMITS = Limits(decode_seconds=20)


def png(height, width):
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3))
    bgr = noise.astype(np.uint8)
    return cv2.imencode(".png", bgr)[1].tobytes(), bgr[..., ::-1]


@pytest.fixture(scope="module")
def decoders():
    return Decoders(LIMITS, 1, patience=30)


def test_pixels_come_as_they_are(decoders):
    content, expected = png(37, 90)
    for _ in range(3):
        found = decoders.decode(content, 37 * 90)
        np.testing.assert_array_equal(found.pixels, expected)


def test_a_heading_is_believed_or_not(decoders):
    """GPano's note turns the pixels, here by a quarter."""
    content, expected = png(8, 16)
    noted = bad_images.noted(content, 90)
    for believe, columns, heading in ((True, 4, 90.0), (False, 0, None)):
        found = decoders.decode(noted, 128, believe)
        turned = np.roll(expected, columns, axis=1)
        np.testing.assert_array_equal(found.pixels, turned)
        assert found.heading == heading


def test_too_many_pixels_become_means(decoders):
    content, expected = png(40, 80)
    found = decoders.decode(content, 20 * 40)
    assert found.pixels.shape == (20, 40, 3)
    mean = expected.astype(float).reshape(20, 2, 40, 2, 3).mean(axis=(1, 3))
    assert np.abs(found.pixels - mean).max() <= 1


def test_what_is_no_image_is_told_and_the_process_stays(decoders):
    for content in (b"", b"<html>", b"\xff\xd8", png(9, 9)[0][:60]):
        with pytest.raises(Refused) as error:
            decoders.decode(content, 100)
        assert error.value.status == 422
        assert error.value.reason.startswith("the image ")
    # There is one process, and it lives.
    assert decoders.decode(png(9, 9)[0], 100).pixels.size


def test_a_process_that_dies_is_replaced():
    decoders = Decoders(LIMITS, 1, patience=30)
    worker = decoders._next()
    decoders._idle.put(worker)
    os.kill(worker.process.pid, signal.SIGKILL)
    with pytest.raises(Refused, match="cannot be decoded") as error:
        decoders.decode(png(9, 9)[0], 100)
    assert error.value.status == 422
    assert decoders.decode(png(9, 9)[0], 100).pixels.size


def test_what_takes_too_long_is_ended():
    decoders = Decoders(Limits(decode_seconds=0.001), 1, patience=30)
    worker = decoders._next()
    decoders._idle.put(worker)
    content = bad_images.largest_blank(None, b"")
    with pytest.raises(Refused, match=r"decoded within 0.001 s"):
        decoders.decode(content, 100)
    with pytest.raises(ProcessLookupError):
        os.kill(worker.process.pid, 0)


def test_memory_is_bounded():
    small = Limits(decode_seconds=20, decode_bytes=2**26)
    decoders = Decoders(small, 1, patience=30)
    content = bad_images.largest_blank(None, b"")
    with pytest.raises(Refused, match="the image"):
        decoders.decode(content, 100)
    assert decoders.decode(png(9, 9)[0], 100).pixels.size


def test_none_to_be_had_is_said(decoders, monkeypatch):
    empty = Decoders(LIMITS, 0, patience=0.1)
    with pytest.raises(Refused, match="busy") as error:
        empty.decode(b"", 1)
    assert error.value.status == 503

    def fail():
        raise OSError("its process does not start")

    monkeypatch.setattr("mgtl_tf.serving.decoding._Worker", fail)
    broken = Decoders(LIMITS, 1)
    for _ in range(2):
        with pytest.raises(Refused, match="does not start") as error:
            broken.decode(b"", 1)
        assert error.value.status == 503
