"""How many images are encoded together when nobody says."""

import pytest

from mgtl_tf.galleries import batch_size
from mgtl_tf.galleries.batch_size import automatic_batch_size


def details(height, width, multiplier=1.0):
    return {
        "image_size": [height, width],
        "config": {"model": {"width_multiplier": multiplier}},
    }


@pytest.mark.parametrize(
    ("gigabytes", "model", "expected"),
    [
        # 112 x 616 pixels of 3 maps of 64 channels and 4 images of 3, in
        # float32: 56.3 MB an image, of which 35 fit into an eighth of 16 GB,
        # and 8 into one of 4 GB.
        (16, details(112, 616), 32),
        (4, details(112, 616), 8),
        (0.1, details(112, 616), 1),
        (16, details(32, 160, 0.125), 128),
        (16, {}, 32),
    ],
)
def test_an_eighth_of_the_memory(monkeypatch, gigabytes, model, expected):
    monkeypatch.setattr(batch_size, "memory_bytes", lambda: gigabytes * 1e9)
    assert automatic_batch_size(model) == expected


def test_the_memory_is_the_machine_s_or_less():
    assert 2**26 < batch_size.memory_bytes() < 2**50
