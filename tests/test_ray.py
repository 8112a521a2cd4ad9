"""Ray's actors make the very files that this process makes."""

import os
import signal
import time
from functools import partial

import cv2
import numpy as np
import pytest

from mgtl_tf.datasets.decoded_cache.blocks import write_block
from mgtl_tf.datasets.decoded_cache.building import build_caches
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.records import Pair
from mgtl_tf.galleries.encoding import BatchEncoder
from mgtl_tf.galleries.manifest import FILES
from mgtl_tf.galleries.sources import FileSource
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.ray_jobs import by_ray, connect_ray
from tests.galleries.encoders import FakeEncoder, build, failing, wide_places

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Of two cores, whatever the machine has."""
    quiet = {"include_dashboard": False, "log_to_driver": False}
    ray.init("local", num_cpus=2, **quiet)
    connect_ray()  # What is there already is used.
    yield
    ray.shutdown()


@pytest.fixture
def places(tmp_path):
    """One of them damaged."""
    found = wide_places(tmp_path, 23)
    found[7].image.write_bytes(b"no image")
    return found


def encode_by_ray(places, encoder, folder, batches):
    source = partial(FileSource, places)
    return by_ray(BatchEncoder(encoder, source, folder), batches)


class DyingOnce(FakeEncoder):
    """An encoder whose process is killed, the first of all."""

    def __init__(self, died):
        super().__init__()
        self.died = died

    def encode_satellite(self, images):
        time.sleep(0.02)
        try:
            self.died.touch(exist_ok=False)
        except FileExistsError:
            return super().encode_ground(images)
        os.kill(os.getpid(), signal.SIGKILL)


def test_same_bytes_though_an_actor_is_killed(tmp_path, places):
    local = build(places, tmp_path / "local")
    encoder = partial(DyingOnce, tmp_path / "died")
    encode = partial(encode_by_ray, places, encoder)
    ours = build(places, tmp_path / "ray", encode=encode)
    assert (tmp_path / "died").exists()
    assert ours == local and ours.count == 22
    assert ours.skipped[0].image == places[7].image
    for name in FILES:
        first, second = tmp_path / "local" / name, tmp_path / "ray" / name
        assert first.read_bytes() == second.read_bytes(), name


def test_an_error_is_raised_here_and_what_was_done_stays(tmp_path, places):
    broken = partial(failing, UserError("not finite"), after=2)
    with pytest.raises(UserError, match="not finite"):
        build(
            places,
            tmp_path / "ray",
            encode=partial(encode_by_ray, places, broken),
        )
    encoder = FakeEncoder()
    build(places, tmp_path / "ray", encoder)
    assert sum(encoder.batches) < 22


def test_a_cache_has_the_same_bytes(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    pairs = []
    for n in range(70):
        noise = np.random.default_rng(n).integers(0, 256, (24, 50, 3), "uint8")
        paths = [images / f"{view}{n}.png" for view in "ga"]
        for path, image in zip(paths, (noise, noise[:, :24]), strict=True):
            cv2.imwrite(str(path), image)
        pairs.append(Pair(str(n), *paths))
    pairs[40].ground.write_bytes(b"no image")
    settings = CacheSettings("", (8, 20), (0.0, 1.0))
    for name, make in (("local", None), ("ray", partial(by_ray, write_block))):
        caches = {tmp_path / name: pairs}
        build_caches(caches, settings, 1, False, make=make)
    for file in (tmp_path / "local").iterdir():
        ours = tmp_path / "ray" / file.name
        assert file.read_bytes() == ours.read_bytes(), file


def test_no_job_is_no_result():
    assert list(by_ray(str, [])) == []


def test_an_address_where_nothing_answers():
    ray.shutdown()
    with pytest.raises(UserError, match="ray_address=127.0.0.1:9: no Ray"):
        connect_ray("127.0.0.1:9")
