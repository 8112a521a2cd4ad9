"""What is let in, and what goes out."""

import io
import random

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mgtl_tf.serving.images import jpeg, uploaded_panorama
from mgtl_tf.serving.limits import Refused
from tests.large import bad_images


def _file(kind, **options):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (48, 200, 3), np.uint8)
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


SOUND = _file("JPEG")


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


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 5), st.integers(0, 600))
def test_any_bytes_give_pixels_or_a_reason(noise, start, place):
    """Also within a sound file, where decoders go further."""
    data = (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0")
    data = (
        data[start] + noise
        if start < 4
        else (SOUND[:place] + noise + SOUND[place + len(noise) :])
    )
    try:
        assert uploaded_panorama(data, believe=True).pixels.ndim == 3
    except Refused as error:
        assert error.status == 422


@pytest.mark.parametrize("size", [(10, 30), (300, 900)])
def test_what_goes_out_is_a_jpeg_of_that_size(size):
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 150:] = (250, 20, 10)
    decoded = cv2.imdecode(np.frombuffer(jpeg(image, *size), np.uint8), 1)
    assert decoded.shape == (*size, 3)
    # OpenCV's order is blue, green, red.
    assert decoded[5, -3, 2] > 230 and decoded[5, -3, 0] < 40
    assert decoded[5, 2].max() < 20
