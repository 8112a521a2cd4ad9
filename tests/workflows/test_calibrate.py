"""Calibrating a gallery: from lists of panoramas to confidences."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from mgtl_tf.galleries.gallery import Index, load_index
from mgtl_tf.galleries.named_images import named_images
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.ann import SearchEngine, open_engine
from mgtl_tf.retrieval.calibration.calibration_set import search_queries
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.retrieval.searcher import Searcher
from mgtl_tf.retrieval.sequence import validation
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.shift_scorer import ShiftScorer
from mgtl_tf.workflows.calibrate import calibrate, calibrate_gallery
from polar.image_files import read_image
from tests.galleries.encoders import FakeEncoder, build, pixel_encoder

COUNT = 150
# One place every 10 m to the north: a degree has 111.2 km here.
STEP = 10 / 111_200


def write(path, image):
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    cv2.imwrite(str(path), pixels[..., ::-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A gallery and noisy views of its places, some beyond recognition."""
    root = tmp_path_factory.mktemp("calibrate")
    random = np.random.default_rng(0)
    places = []
    for name in ("aerial", "ground"):
        (root / name).mkdir()
    for i in range(COUNT):
        image = random.normal(128, 40, (4, 4, 3))
        noise = random.normal(0, random.uniform(20, 110), (4, 4, 3))
        write(root / f"aerial/{i:03d}.png", image)
        write(root / f"ground/{i:03d}.png", image + noise)
        where = (46.9 + i * STEP, 7.4)
        places.append(Place(f"{i:03d}", root / f"aerial/{i:03d}.png", where))
    build(places, root / "index", pixel_encoder())
    return root


@pytest.fixture(scope="module", autouse=True)
def few_trials():
    """Drives are tried with one penalty, not with each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "_PENALTIES", (2.0,))
        patch.setattr(validation, "_DRIVES", 20)
        yield


def opened(folder):
    index = load_index(folder / "index")
    return Localizer(pixel_encoder(), index, open_engine(index))


@pytest.fixture
def localizer(folder):
    (folder / "index/calibration.json").unlink(missing_ok=True)
    return opened(folder)


@pytest.fixture(scope="module")
def calibrated(folder):
    """With the calibration in memory."""
    calibrate(
        opened(folder), named_images(folder / "ground", "ground"), 25.0, {}
    )
    return opened(folder)


def brute_force(folder, metres):
    """Whether each first answer lies within so many metres."""
    encoder = pixel_encoder()
    views = [
        encoder.encode_ground([read_image(f) for f in sorted(part.iterdir())])
        for part in (folder / "ground", folder / "aerial")
    ]
    first = (views[0] @ views[1].T).argmax(axis=1)
    return np.abs(first - np.arange(COUNT)) * 10 <= metres + 0.5


def test_writes_what_the_localizer_then_tells(folder, localizer):
    files = named_images(folder / "ground", "ground")
    done = calibrate(localizer, files, 25.0, {}, outside_share=0.0)
    right = brute_force(folder, 25.0)
    assert done.calibration.measured.queries == COUNT
    assert done.calibration.measured.right == pytest.approx(right.mean())
    assert 0.3 < right.mean() < 0.95
    assert done.left_out == []
    assert {p.name for p in done.files} == {
        "calibration.json",
        "calibration.svg",
    }
    assert all(path.is_file() for path in done.files)
    assert f"error: {done.reliability.mixed.error:.4f}" in str(done)
    assert "outside alone" not in str(done)
    again = opened(folder)
    found = again.locate_many([file.image for file in files])
    told = np.array([f.confidence for f in found])
    assert {f.confidence_metres for f in found} == {25.0}
    assert {f.no_confidence for f in found} == {""}
    assert {f.outside_share for f in found} == {0.0}
    # Not more than the fit's own data: it is told apart, and told honestly.
    assert told[right].mean() > told[~right].mean() + 0.2
    assert told.mean() == pytest.approx(right.mean(), abs=0.05)
    # How many answers are asked for changes nothing.
    assert again.locate(files[0].image, top_k=1).confidence == pytest.approx(
        found[0].confidence
    )


def test_queries_are_also_tried_without_their_places(folder, localizer):
    """Against all similarities at once, with what is near struck out."""
    files = named_images(folder / "ground", "ground")[::-1]
    encoder, index = localizer.encoder, localizer.index
    views = encoder.encode_ground([read_image(f.image) for f in files])
    similarities = views @ index.descriptors.T
    own = np.array([index.row(file.place) for file in files])
    north = np.arange(COUNT) * 10.0
    apart = np.abs(north[own][:, None] - north[None])
    where = index.coordinates[own]
    searched = search_queries(
        localizer, [f.image for f in files], where, 25.0, True, unreadable=None
    )
    results = searched.results
    assert searched.numbers.tolist() == list(range(COUNT))
    np.testing.assert_allclose(searched.views, views, atol=1e-6)
    for found, struck in ((results.inside, -1), (results.outside, 50.5)):
        left = np.where(apart <= struck, -np.inf, similarities)
        rows = np.argsort(-left, axis=1)[:, :50]
        best = np.take_along_axis(left, rows, axis=1)
        np.testing.assert_allclose(found.similarities, best, atol=1e-6)
        near = np.abs(north[rows] - north[rows[:, :1]]) <= 25
        np.testing.assert_array_equal(found.near, near)
        hits = np.abs(north[rows[:, 0]] - north[own]) <= 25
        np.testing.assert_array_equal(found.right, hits)
    assert not results.outside.right.any()
    assert results.outside.answered.all()


def test_a_share_from_outside_is_expected_and_told(folder, localizer):
    """Panoramas of nowhere are then doubted more."""
    files = named_images(folder / "ground", "ground")
    random = np.random.default_rng(5)
    strangers = random.integers(0, 255, (60, 4, 4, 3), np.uint8)
    told = {}
    for share in (0.0, 0.3):
        done = calibrate(localizer, files, 25.0, {}, share)
        again = opened(folder)
        found = again.locate_many(list(strangers))
        told[share] = np.mean([f.confidence for f in found])
        assert {f.outside_share for f in found} == {share}
    assert told[0.3] < 0.8 * told[0.0]
    held = done.reliability
    stored = json.loads((folder / "index/calibration.json").read_text())
    assert stored["outside_share"] == 0.3
    measured = stored["measured"]
    assert measured["error"] == held.mixed.error < 0.12
    assert measured["inside_error"] == held.inside.error
    assert measured["outside_error"] == held.outside.error
    # None of those outside is right: the error is what they were told.
    assert held.outside.right.max() == 0
    assert held.outside.counts.sum() == held.inside.counts.sum() == COUNT
    assert held.outside.error == pytest.approx(held.outside.confidence.mean())
    # And not more than what panoramas of nowhere are.
    assert held.outside.error == pytest.approx(told[0.3], abs=0.1)
    text = str(done)
    assert "30 % of them without their places" in text
    assert "as if the gallery had none within 50 m" in text
    assert f"outside alone: {held.outside.error:.4f}" in text


def test_a_gallery_that_is_all_near_has_no_outside(folder, localizer):
    files = named_images(folder / "ground", "ground")
    with pytest.raises(UserError, match=r"share=0.1: only 4\d queries leave a"):
        calibrate(localizer, files, 640.0, {})


def test_a_damaged_calibration_is_written_again(folder, localizer):
    """By what the error names as the remedy."""
    path = folder / "index/calibration.json"
    path.write_text("{")
    with pytest.raises(UserError, match="run experiments.calibrate again"):
        opened(folder)
    searcher = Searcher(localizer.encoder, localizer.index, localizer.engine)
    calibrate(searcher, named_images(folder / "ground", "ground"), 25.0, {})
    again = opened(folder)
    assert again.calibration.measured.queries == COUNT


def test_positions_of_the_queries_themselves(folder, localizer):
    """All taken 200 m from where the gallery has their id: none is right."""
    files = named_images(folder / "ground", "ground")
    away = {f"{i:03d}": (46.9 + (i + 20) * STEP, 7.4) for i in range(COUNT)}
    with pytest.raises(UserError, match="first answers lie within 25 m"):
        calibrate(localizer, files[:60], 25.0, away)


def test_what_cannot_be_used_is_named(folder, localizer, tmp_path):
    files = named_images(folder / "ground", "ground")
    for name in ("999.png", "007.png"):
        (tmp_path / name).write_bytes(b"no image")
    done = calibrate(
        localizer, files + named_images(tmp_path, "ground"), 25.0, {}
    )
    assert done.calibration.measured.queries == COUNT
    assert len(done.left_out) == 2
    assert "999.png: neither the gallery nor the given" in done.left_out[0]
    assert "007.png: is neither JPEG" in done.left_out[1]


@pytest.mark.parametrize("count", [0, 5, 49])
def test_too_few(folder, localizer, count):
    files = named_images(folder / "ground", "ground")[:count]
    with pytest.raises(UserError, match="50 queries with 5 of each kind"):
        calibrate(localizer, files, 25.0, {})
    assert not (folder / "index/calibration.json").exists()


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_queries_of_one_spot_are_refused_before_any_is_encoded(
    folder, localizer, share
):
    """60 queries of 590 m, and R of 400: none is left to fit."""
    files = named_images(folder / "ground", "ground")[:60]
    localizer.encoder.batches.clear()
    with pytest.raises(UserError, match="all lie within R = 400 m of a fifth"):
        calibrate(localizer, files, 400.0, {}, share)
    assert localizer.encoder.batches == []


def test_a_sequence_needs_a_calibration_and_helps(
    folder, localizer, calibrated
):
    frames = [folder / f"ground/{i:03d}.png" for i in range(40, 80)]
    truths = [frame.stem for frame in frames]
    with pytest.raises(UserError, match="sequence: the gallery is not cal"):
        localizer.locate_sequence(frames)
    alone = calibrated.locate_many(frames, truths=truths)
    broken = [*frames[:20], b"broken", *frames[20:]]
    unreadable = []
    found = calibrated.locate_sequence(
        broken,
        metres_per_frame=10.0,
        unreadable=lambda name, why: unreadable.append(str(name)),
        truths=[*truths[:20], None, *truths[20:]],
    )
    assert unreadable == ["image 21"]
    assert [f.truth for f in found] == truths

    def hits(located):
        return sum(f.answers[0].place.id == f.truth for f in located)

    assert hits(found) > hits(alone) + 3
    last = found[-1]
    assert sum(a.probability for a in last.answers) <= 1 + 1e-9
    ordered = [a.probability for a in last.answers]
    assert ordered == sorted(ordered, reverse=True)
    # Never surer than so many queries can prove.
    surest = 1 - 1 / (COUNT + 2)
    given = [f.confidence for f in found if f.confidence is not None]
    assert all(0.9 <= c <= surest + 1e-9 or c <= 0.1 for c in given)
    assert all((f.confidence is None) == bool(f.no_confidence) for f in found)
    with pytest.raises(ValueError, match="top_k=0"):
        calibrated.locate_sequence(frames, top_k=0)


def test_a_standing_car_is_no_surer_than_one_frame(calibrated):
    """Places that the gallery lacks, and a black image, ten times each."""
    random = np.random.default_rng(6)
    strangers = random.integers(0, 255, (5, 4, 4, 3), np.uint8)
    for image in [*strangers, np.zeros((4, 4, 3), np.uint8)]:
        (once,) = calibrated.locate_sequence([image])
        for frame in calibrated.locate_sequence([image] * 10):
            assert frame.confidence == once.confidence is None
            assert frame.answers == once.answers
            assert frame.no_confidence


def test_a_gallery_that_is_not_finite_is_one_line(folder, localizer):
    """As of a file too large to be read wholly when it is opened."""
    index = localizer.index
    broken = np.array(index.descriptors)
    broken[7, 3] = np.nan
    index = dataclasses.replace(index, descriptors=broken)
    asked = Localizer(localizer.encoder, index, SearchEngine(broken))
    with pytest.raises(UserError, match="index: holds .* not finite; build it"):
        asked.locate(folder / "ground/001.png")


def test_a_circle_that_leaves_places_out_has_no_confidence(folder, calibrated):
    """Its only place would be as sure as the most similar of 150 is."""
    image = folder / "ground/003.png"
    middle = (46.9 + 100 * STEP, 7.4)
    alone = calibrated.locate(image, near=middle, radius=4)
    assert [answer.place.id for answer in alone.answers] == ["100"]
    assert alone.confidence is None
    assert alone.no_confidence == (
        "it is calibrated for all places of the gallery, not for those of a"
        " circle"
    )
    everywhere = calibrated.locate(image)
    all_of_them = calibrated.locate(image, near=middle, radius=1e6)
    assert all_of_them.confidence == everywhere.confidence is not None
    assert all_of_them.no_confidence == ""
    # The first place alone, 1 km to the south, is outside.
    assert calibrated.locate(image, near=middle, radius=995).confidence is None


def test_a_sequence_that_began_near(folder, calibrated):
    near = (46.9 + 100 * STEP, 7.4)
    (first,) = calibrated.locate_sequence(
        [folder / "ground/003.png"], top_k=99, near=near, radius=21
    )
    ids = {answer.place.id for answer in first.answers}
    assert ids == {"098", "099", "100", "101", "102"}


def test_wrong_requests(tmp_path):
    with pytest.raises(UserError, match="metres=0: must be above 0"):
        calibrate_gallery("m", "g", tmp_path, metres=0)
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(UserError, match="outside_share=.*: must be 0 "):
            calibrate_gallery("m", "g", tmp_path, outside_share=share)
    with pytest.raises(UserError, match="none: no such file or folder"):
        calibrate_gallery("m", "g", tmp_path / "none")
    with pytest.raises(UserError, match="holds no .jpg"):
        calibrate_gallery("m", "g", tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="^g: no such folder"):
        calibrate_gallery("m", "g", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_a_constant_of_all_headings_is_found_and_taken_off(tmp_path):
    """Panoramas and aerial images that lie two of 36 columns apart."""
    columns, random = 36, np.random.default_rng(3)

    def azimuths(image):
        rows = image.transpose(1, 0, 2).reshape(columns, -1) - 127.5
        return (rows / np.linalg.norm(rows)).ravel()

    encoder = FakeEncoder(azimuths, columns * 6)
    images = random.normal(128, 40, (COUNT, 2, columns, 3))
    for i, image in enumerate(images):
        noise = random.normal(0, random.uniform(20, 160), image.shape)
        write(tmp_path / f"{i}.png", np.roll(image, 2, axis=1) + noise)
    places = [
        Place(f"{i}", tmp_path / f"{i}.png", (46.9 + i * STEP, 7.4))
        for i in range(COUNT)
    ]
    index = Index(
        tmp_path,
        places,
        encoder.encode_satellite(list(images)),
        encoder.model_hash,
        {"scorer": ShiftScorer(columns).plain()},
    )
    shifting = Localizer(encoder, index, open_engine(index))
    seen = np.roll(images[0], 2, axis=1).clip(0, 255).astype(np.uint8)
    before = shifting.locate(seen).heading
    done = calibrate(shifting, named_images(tmp_path, "ground"), 25.0, {})
    assert before == 340
    assert done.calibration.heading_constant == pytest.approx(-20)
    assert done.calibration.measured.heading > 0.9
    assert "once the -20.0 degrees that are common" in str(done)
    after = Localizer(encoder, index, open_engine(index))
    assert after.locate(seen).heading == pytest.approx(0)
