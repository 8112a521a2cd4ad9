"""A model that finds headings, served: of the panorama as it is stored."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.ann import open_engine
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.utils.shift_scorer import ShiftScorer
from tests.galleries.encoders import FakeEncoder
from tests.large import bad_images
from tests.serving.conftest import serving
from tests.serving.test_app import FORM, form, pictures

WIDTH, HEIGHT = 40, 4


def azimuths(image):
    """All pixels, column by column."""
    rows = image.transpose(1, 0, 2).reshape(image.shape[1], -1) - 127.5
    return (rows / np.linalg.norm(rows)).ravel()


def panorama(seed):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture(scope="module")
def shifting(tmp_path_factory):
    """Twelve places, north in the centre of each one's own panorama."""
    folder = tmp_path_factory.mktemp("shifting")
    encoder = FakeEncoder(azimuths, 3 * HEIGHT * WIDTH)
    model = {"image_size": [HEIGHT, WIDTH], "poolings": 2}
    encoder.details = {"config": {"model": model, "data": {}}}
    places = []
    for seed in range(12):
        aerial = folder / f"{seed}.png"
        Image.fromarray(panorama(seed)[:, :HEIGHT]).save(aerial)
        places.append(Place(str(seed), aerial))
    matrix = encoder.encode_satellite([panorama(seed) for seed in range(12)])
    scorer = {"scorer": ShiftScorer(WIDTH).plain()}
    index = Index(folder, places, matrix, encoder.model_hash, scorer)
    return Localizer(encoder, index, open_engine(index))


@pytest.fixture(scope="module")
def page(shifting):
    with serving(shifting) as page:
        yield page


# Its file may say nothing, the truth, or something else; or not be believed.
@pytest.mark.parametrize("said", [None, 90, 36, 351])
@pytest.mark.parametrize("unknown", [False, True])
def test_headings_are_those_of_the_command(shifting, page, said, unknown):
    """East is in the centre: all stands a quarter turn to the left."""
    file = io.BytesIO()
    stored = np.roll(panorama(7), -WIDTH // 4, axis=1)
    Image.fromarray(stored).save(file, "PNG")
    data = file.getvalue()
    if said is not None:
        data = bad_images.noted(data, said)
    command = shifting.locate(data, unknown_heading=unknown)
    assert command.answers[0].place.id == "7" and command.heading == 90
    status, (found,) = page.locate(data, f"?unknown_heading={unknown}")
    assert status == 200
    for one, other in zip(found["answers"], command.answers, strict=True):
        assert one["id"] == other.place.id
        assert one["heading"] == pytest.approx(other.heading, abs=1e-6)
    read = None if unknown else said
    assert found["heading_read"] == command.heading_read == read
    fields = {"unknown_heading": "on"} if unknown else {}
    body = form(data, **fields)
    content = page.ask("POST", "/", body, content_type=FORM)[2]
    assert b"Heading" in content and b"90&deg;" in content
    # The picture has north in its centre, as the place's own panorama.
    shown = pictures(content)[0]
    small = cv2.resize(shown, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    own = panorama(7)[..., ::-1]
    assert np.corrcoef(small.ravel(), own.ravel())[0, 1] > 0.9
