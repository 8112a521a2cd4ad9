"""Decoding in a process that is ended when it takes too much."""

import io
import os
import random
import signal

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mgtl_tf.serving.decoding import Decoders, uploaded_panorama
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


def works(decoders):
    """Whether its one process, or the one in its place, answers."""
    content, expected = png(9, 20)
    found = decoders.decode(content, 9 * 20)
    np.testing.assert_array_equal(found.pixels, expected)
    return True


def worker_pid(decoders):
    worker = decoders._idle.get(timeout=30)
    decoders._idle.put(worker)
    return worker.process.pid


def test_a_heading_is_believed_or_not(decoders):
    """GPano's heading turns the pixels, here by a quarter."""
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


def test_what_is_no_image_is_named_and_the_process_stays(decoders):
    before = worker_pid(decoders)
    for content in (b"", b"<html>", b"\xff\xd8", png(9, 9)[0][:60]):
        with pytest.raises(Refused, match="^the image ") as error:
            decoders.decode(content, 100)
        assert error.value.status == 422
    assert works(decoders) and worker_pid(decoders) == before


def test_a_process_that_dies_is_replaced(decoders):
    os.kill(worker_pid(decoders), signal.SIGKILL)
    with pytest.raises(Refused, match="cannot be decoded") as error:
        decoders.decode(png(9, 9)[0], 100)
    assert error.value.status == 422
    assert works(decoders)


def test_what_takes_too_long_is_ended():
    decoders = Decoders(Limits(decode_seconds=0.001), 1, patience=30)
    pid = worker_pid(decoders)
    content = bad_images.largest_blank(None, b"")
    with pytest.raises(Refused, match=r"decoded within 0.001 s"):
        decoders.decode(content, 100)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_memory_is_bounded():
    small = Limits(decode_seconds=20, decode_bytes=2**26)
    decoders = Decoders(small, 1, patience=30)
    with pytest.raises(Refused, match="the image"):
        decoders.decode(bad_images.largest_blank(None, b""), 100)
    assert works(decoders)


def test_none_to_be_had_is_said(monkeypatch):
    with pytest.raises(Refused, match="busy") as error:
        Decoders(LIMITS, 0, patience=0.1).decode(b"", 1)
    assert error.value.status == 503

    def fail():
        raise OSError("its process does not start")

    monkeypatch.setattr("mgtl_tf.serving.decoding._Worker", fail)
    broken = Decoders(LIMITS, 1)
    for _ in range(2):
        with pytest.raises(Refused, match="does not start") as error:
            broken.decode(b"", 1)
        assert error.value.status == 503


def _jpeg():
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (48, 200, 3), np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


SOUND = _jpeg()


@pytest.mark.parametrize("name", bad_images.REFUSED)
def test_bad_images_are_refused_with_a_reason(name):
    content = bad_images.REFUSED[name](random.Random(1), SOUND)
    reason = "the image (is|has|holds|cannot|\\d)"
    with pytest.raises(Refused, match=reason) as error:
        uploaded_panorama(content, believe=True)
    assert error.value.status == 422


def test_a_thumbnail_and_a_film_behind_are_no_scans():
    """What cameras and phones put before and behind an image."""
    thumbnail = b"\xff\xe1" + (30_002).to_bytes(2, "big") + b"\xff\xda" * 15_000
    data = SOUND[:2] + thumbnail + SOUND[2:] + b"\xff\xda\0\2" * 500
    data += b"\xff\xd9"
    assert uploaded_panorama(data, believe=True).pixels.shape == (48, 200, 3)


@settings(max_examples=150)
@given(st.binary(max_size=400), st.integers(0, 5), st.integers(0, 600))
def test_any_bytes_give_pixels_or_a_reason(noise, start, place):
    """Also within a sound file, where decoders go further."""
    heads = (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0")
    data = SOUND[:place] + noise + SOUND[place + len(noise) :]
    if start < 4:
        data = heads[start] + noise
    try:
        assert uploaded_panorama(data, believe=True).pixels.ndim == 3
    except Refused as error:
        assert error.status == 422
