"""Turns of panoramas, and the best of them."""

import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.ann import open_engine
from mgtl_tf.retrieval.answer_formats import as_table, plain
from mgtl_tf.retrieval.headings import (
    best_rotations,
    rotations,
    trained_with_rotations,
)
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.utils.shift_scorer import ShiftScorer
from tests.galleries.encoders import FakeEncoder

WIDTH = 40
TURNS = 8


def details(**data):
    model = {"image_size": [4, WIDTH], "poolings": 2}
    return {"config": {"model": model, "data": data}}


def columns(image):
    """A descriptor that knows what stands in which column, as the nets do."""
    row = image.mean(axis=(0, 2)) - 127.5
    return row / np.linalg.norm(row)


def azimuths(image):
    """All pixels, column by column."""
    rows = image.transpose(1, 0, 2).reshape(image.shape[1], -1) - 127.5
    mixed = rows @ np.random.default_rng(1).normal(size=(12, 3))
    return (mixed / np.linalg.norm(mixed)).ravel()


def panorama(seed):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (4, WIDTH, 3), np.uint8)


@pytest.fixture
def localizer(tmp_path):
    encoder = FakeEncoder(columns, WIDTH)
    encoder.details = details()
    images = [panorama(seed) for seed in range(60)]
    places = [Place(str(i), tmp_path / f"{i}.png") for i in range(60)]
    matrix = encoder.encode_ground(images)
    index = Index(tmp_path, places, matrix, encoder.model_hash)
    return Localizer(encoder, index, open_engine(index))


def test_how_many_turns():
    assert rotations(details()) == 10
    paper = {"image_size": [112, 616], "poolings": 5}
    assert rotations({"config": {"model": paper}}) == 20
    assert trained_with_rotations(details(roll_and_mirror=True))
    assert not trained_with_rotations(details(roll_and_mirror=False))
    assert not trained_with_rotations(details())


def test_best_turns_by_brute_force():
    random = np.random.default_rng(4)
    similarities = random.normal(size=(TURNS, 30))
    order = np.argsort(-similarities, axis=1)[:, :6]
    best = np.take_along_axis(similarities, order, axis=1)
    rows, found, headings = best_rotations(order, best, 6)
    highest = similarities.max(axis=0)
    assert rows.tolist() == np.argsort(-highest)[:6].tolist()
    np.testing.assert_array_equal(found, highest[rows])
    turn = similarities.argmax(axis=0)[rows]
    np.testing.assert_array_equal(headings, turn * 360 / TURNS)


def test_localizer_finds_place_and_heading(localizer):
    queries, expected = [], []
    for seed, turn in ((3, 0), (5, 1), (7, 4), (11, 9)):
        # A camera that looks `turn` tenths of a turn clockwise from north
        # sees everything so much farther to the left.
        queries.append(np.roll(panorama(seed), -turn * WIDTH // 10, axis=1))
        expected.append((str(seed), turn * 36.0))
    found = localizer.locate_many(queries, top_k=7, unknown_heading=True)
    assert [(f.answers[0].place.id, f.heading) for f in found] == expected
    assert all(len(f.answers) == 7 for f in found)
    assert all(f.confidence is None and f.no_confidence for f in found)
    plain = localizer.locate(queries[2])
    assert plain.answers[0].similarity < 0.9
    assert plain.heading is None


def test_a_scorer_that_searches_shifts_always_gives_the_heading(localizer):
    """Columns of three numbers: one descriptor is encoded, not ten."""
    encoder = FakeEncoder(azimuths, 3 * WIDTH)
    matrix = encoder.encode_satellite([panorama(seed) for seed in range(60)])
    scorer = {"scorer": ShiftScorer(WIDTH).plain()}
    old = localizer.index
    index = Index(old.folder, old.places, matrix, old.model_hash, scorer)
    shifting = Localizer(encoder, index, open_engine(index))
    encoder.batches.clear()
    for unknown in (True, False):
        query = np.roll(panorama(7), -4, axis=1)
        found = shifting.locate(query, unknown_heading=unknown)
        assert (found.answers[0].place.id, found.heading) == ("7", 36.0)
        assert found.answers[0].similarity == pytest.approx(1, abs=1e-6)
    assert encoder.batches == [1, 1]
    # The middle quarter of a turn is enough.
    quarter = np.roll(panorama(11), 10, axis=1)[:, 15:25]
    found = shifting.locate(quarter, unknown_heading=True)
    assert (found.answers[0].place.id, found.heading) == ("11", 270.0)
    # What a file says is how it was turned; answers are of what is stored.
    east = noted(np.roll(panorama(7), -WIDTH // 4, axis=1), 90.0)
    for unknown, read in ((False, 90.0), (True, None)):
        found = shifting.locate(east, unknown_heading=unknown)
        assert (found.heading, found.heading_read) == (90.0, read)


def test_the_true_place_is_ranked_by_its_best_turn(localizer):
    query = np.roll(panorama(7), 12, axis=1)
    found = localizer.locate_many(
        [query, panorama(3)], unknown_heading=True, truths=["7", None]
    )
    assert (found[0].truth, found[0].truth_rank) == ("7", 1)
    assert found[0].true_answer.similarity == pytest.approx(1, abs=1e-6)
    assert found[1].truth is None


def test_unreadable_among_turned(localizer):
    told = []
    found = localizer.locate_many(
        [b"none", panorama(1), b""],
        unknown_heading=True,
        unreadable=lambda name, why: told.append(str(name)),
    )
    assert [f.answers[0].place.id for f in found] == ["1"]
    assert told == ["image 1", "image 3"]


def noted(image, degrees):
    """A PNG whose GPano notes say where its centre looks to."""
    info, file = PngInfo(), io.BytesIO()
    info.add_itxt(
        "XML:com.adobe.xmp",
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:GPano='
        '"http://ns.google.com/photos/1.0/panorama/"'
        f' GPano:PoseHeadingDegrees="{degrees}"/></rdf:RDF>',
    )
    Image.fromarray(image).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def test_a_heading_in_the_file_is_read_and_said(localizer, tmp_path):
    """East in the centre: everything stands a quarter turn to the left."""
    east = noted(np.roll(panorama(7), -WIDTH // 4, axis=1), 90.0)
    (tmp_path / "east.png").write_bytes(east)
    for query in (east, tmp_path / "east.png", str(tmp_path / "east.png")):
        found = localizer.locate(query)
        assert found.answers[0].place.id == "7"
        assert found.answers[0].similarity == pytest.approx(1, abs=1e-6)
        assert (found.heading_read, found.heading) == (90.0, None)
        assert plain(found)["heading_read"] == 90.0
        assert "(GPano): 90\N{DEGREE SIGN}, turned to north" in as_table(
            [found]
        )
    # A tenth of a turn is one step of the ten that are tried.
    tenth = noted(np.roll(panorama(7), -WIDTH // 10, axis=1), 36.0)
    asked = localizer.locate(tenth, unknown_heading=True)
    assert (asked.answers[0].place.id, asked.heading) == ("7", 36.0)
    assert asked.heading_read is None
