"""Own pairs as a gallery: ids, positions, shared images; asked, calibrated."""

import csv

import cv2
import numpy as np
import pytest

from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.named_images import named_images
from mgtl_tf.galleries.places import find_places
from mgtl_tf.retrieval.ann import open_engine
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.calibrate import calibrate
from mgtl_tf.workflows.locate import warnings_about
from polar.image_files import read_image
from tests.galleries.encoders import build, pixel_encoder

COUNT = 80
# One place every 100 m to the north.
STEP = 100 / 111_200
HEADER = ["id", "ground", "aerial", "latitude", "longitude"]


def write(path, image):
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Own data: two panoramas an aerial .tif; place 7 has no position."""
    root = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(0)
    rows = []
    images = random.normal(128, 40, (COUNT, 4, 4, 3))
    for i in range(COUNT):
        image = images[i]
        write(root / f"tiles/{i}.tif", image)
        where = ["", ""] if i == 7 else [46.9 + i * STEP, 7.4]
        for k in range(2):
            noise = random.normal(0, random.uniform(20, 110), (4, 4, 3))
            # One panorama looks like the place without a position.
            seen = images[7] if (i, k) == (9, 1) else image + noise
            write(root / f"panos/p{i}-{k}.png", seen)
            name = f"berne-{i}.{k}"
            rows.append([name, f"panos/p{i}-{k}.png", f"tiles/{i}.tif", *where])
    with (root / "validation.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    places = find_places([root / "validation.csv"])
    build(places, root / "index", pixel_encoder())
    return root


def test_the_gallery_holds_each_image_once_by_all_ids(folder):
    index = load_index(folder / "index", verify=True)
    assert len(index.places) == COUNT
    assert index.ids[3] == "berne-3.0"
    assert index.row("berne-3.0") == index.row("berne-3.1") == 3
    assert index.row("berne-80.0") is None
    assert index.places[3].coordinates == pytest.approx((46.9 + 3 * STEP, 7.4))
    assert index.places[7].coordinates is None
    assert index.places[3].image == folder / "tiles/3.tif"
    descriptors = pixel_encoder().encode_satellite(
        [read_image(folder / "tiles/3.tif")]
    )
    np.testing.assert_array_equal(index.descriptors[3], descriptors[0])


def test_either_id_is_the_truth_of_a_query(folder):
    index = load_index(folder / "index")
    localizer = Localizer(pixel_encoder(), index, open_engine(index))
    image = folder / "tiles/5.tif"
    for truth in ("berne-5.0", "berne-5.1"):
        (found,) = localizer.locate_many([image], truths=[truth])
        assert (found.truth, found.truth_rank) == ("berne-5.0", 1)
    (found,) = localizer.locate_many([folder / "tiles/7.tif"])
    assert found.answers[0].place.coordinates is None
    assert warnings_about(localizer, [], near=True, unknown_heading=False) == [
        "near: 1 of 80 places of the gallery has no position, and so lie"
        " outside every circle"
    ]
    (found,) = localizer.locate_many(
        [folder / "tiles/7.tif"], near=(46.9, 7.4), radius=1e6
    )
    assert "berne-7.0" not in {a.place.id for a in found.answers}


def test_calibrated_on_the_same_list(folder):
    index = load_index(folder / "index")
    localizer = Localizer(pixel_encoder(), index, open_engine(index))
    queries = named_images(folder / "validation.csv", "ground")
    assert (queries[6].id, queries[6].place) == ("berne-3.0", "3")
    done = calibrate(localizer, queries, 25.0, {})
    unknown = [line for line in done.left_out if "the position of" in line]
    assert len(unknown) == 2  # both panoramas of place 7
    (unjudged,) = [line for line in done.left_out if "cannot be judged" in line]
    first = [
        localizer.locate_many([q.image])[0].answers[0].place.id
        for q in queries
        if q.place != "7"
    ]
    lost = first.count("berne-7.0")
    assert lost and unjudged.startswith(f"{lost} queries: ")
    assert done.calibration.measured.queries == 2 * COUNT - 2 - lost


def test_a_gallery_of_the_files_alone_knows_the_list_too(folder, tmp_path):
    places = find_places([folder / "tiles"])
    build(places, tmp_path / "index", pixel_encoder())
    index = load_index(tmp_path / "index")
    assert len(index.places) == COUNT and index.row("3") is not None
    localizer = Localizer(pixel_encoder(), index, open_engine(index))
    with pytest.raises(UserError, match="first answers lie within"):
        calibrate(
            localizer,
            named_images(folder / "validation.csv", "ground"),
            25.0,
            {},
        )


def test_damaged_other_ids_are_named(folder, tmp_path):
    places = find_places([folder / "validation.csv"])
    build(places, tmp_path / "index", pixel_encoder())
    path = tmp_path / "index" / "other_ids.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="other_ids.npy: "):
        load_index(tmp_path / "index")
