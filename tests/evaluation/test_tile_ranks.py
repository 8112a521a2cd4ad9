"""Figures of overlapping aerial images, against brute force."""

import numpy as np
import pytest

from mgtl_tf import metrics
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.evaluation.ranks import read_ranks
from mgtl_tf.evaluation.result_text import format_table
from mgtl_tf.evaluation.tile_ranks import measure_tiles
from tests.datasets.vigor_tree import make_vigor


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    def image(path):  # no two files are the same image
        path.write_text(path.name)

    return read_dataset(
        "vigor", make_vigor(tmp_path_factory.mktemp("v"), image)
    )


def unit(rng, rows):
    x = rng.normal(size=(rows, 3))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def descriptors(dataset, seed):
    """Of panoramas; of tiles in the order of the gallery, and of the rows."""
    rng = np.random.default_rng(seed)
    gallery = unit(rng, len(dataset.gallery))
    rows = [*dataset.validation, *dataset.distractors]
    number = {tile.aerial: n for n, tile in enumerate(dataset.gallery)}
    ground = unit(rng, len(dataset.validation))
    return ground, gallery, gallery[[number[row.aerial] for row in rows]]


def brute(dataset, ground, gallery):
    """Every figure, in the gallery's own order, one query at a time."""
    found = {"r@1": [], "r@5": [], "hit": [], "any": [], "near": []}
    number = {tile.aerial: n for n, tile in enumerate(dataset.gallery)}
    for pair, query in zip(dataset.validation, ground, strict=True):
        similarity = gallery.astype("f8") @ query.astype("f8")
        four = [number[tile.aerial] for tile in pair.tiles.images]
        own = similarity[four[0]]
        better = {n for n in range(len(gallery)) if similarity[n] > own}
        found["r@1"].append(not better)
        found["r@5"].append(len(better) < 5)
        found["hit"].append(not better - set(four[1:]))
        first = int(similarity.argmax())
        found["any"].append(first in four)
        centre = np.array(dataset.gallery[first].position)
        found["near"].append(np.linalg.norm(centre - pair.position) <= 10)
    return {name: np.mean(values) for name, values in found.items()}


@pytest.mark.parametrize("seed", range(6))
def test_figures_equal_brute_force(dataset, seed):
    ground, gallery, rows = descriptors(dataset, seed)
    if seed > 2:  # nearer to their own tiles, and to semi-positives
        own = np.arange(len(ground))
        ground = unit(np.random.default_rng(9), len(ground)) / 3 + rows[own]
        ground /= np.linalg.norm(ground, axis=1, keepdims=True)
    ranks = evaluation.rank_embedded(
        ground, rows, dataset.validation, dataset.distractors
    )
    result = ranks.result("aligned")
    wanted = brute(dataset, ground, gallery)
    found = result["ground_to_satellite"]
    assert (result["gallery_size"], result["distractors"]) == (24, 16)
    assert found["r@1"] == wanted["r@1"] and found["r@5"] == wanted["r@5"]
    tiles = result["tiles"]
    assert tiles["hit"] == wanted["hit"] >= wanted["r@1"]
    assert tiles["hit_any_of_4"] == wanted["any"] >= wanted["r@1"]
    assert tiles["within_10m"] == wanted["near"]
    # Only images that a panorama stands in look for panoramas.
    back = ranks.back.place
    similarity = rows[:8].astype("f8") @ ground.astype("f8").T
    assert back.tolist() == [
        1 + int((row > row[n]).sum()) for n, row in enumerate(similarity)
    ]


def test_the_ceiling_is_that_of_the_labels(dataset):
    """What a perfect model reaches: distances by the labels' own offsets."""
    ground, gallery, rows = descriptors(dataset, 0)
    found = evaluation.rank_embedded(
        rows[: len(ground)], rows, dataset.validation, dataset.distractors
    )
    metres = [
        np.hypot(*pair.tiles.offsets[0]) * pair.tiles.metres_per_pixel
        for pair in dataset.validation
    ]
    assert found.tiles["ceiling_metres"] == pytest.approx(metres, abs=0.4)
    assert found.tiles["hit"].all() and found.tiles["hit_any_of_4"].all()
    near = np.array(metres) <= 10
    assert found.tiles["ceiling_within_10m"].tolist() == near.tolist()
    assert found.tiles["within_10m"].tolist() == near.tolist()


def test_one_descriptor_for_all_is_never_a_hit(dataset):
    """Trap 3: strictly better tiles alone would make every figure 100 %."""
    one = np.tile(np.float32([[0.6, 0.8, 0.0]]), (24, 1))
    ranks = evaluation.rank_embedded(
        one[:8], one, dataset.validation, dataset.distractors
    )
    assert not ranks.tiles["hit"].any()
    assert not ranks.tiles["hit_any_of_4"].any()
    assert not ranks.tiles["within_10m"].any()
    assert (ranks.forth.place == 24).all()


@pytest.mark.parametrize("view", [0, 1])
def test_descriptors_that_are_not_finite_are_no_hits(dataset, view):
    """Trap 3 again: of NaN no tile is strictly better either."""
    ground, _, rows = descriptors(dataset, 0)
    (ground, rows)[view][3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        evaluation.rank_embedded(
            ground, rows, dataset.validation, dataset.distractors
        )


def test_a_semi_positive_first_and_a_stranger_before_the_positive(dataset):
    """The two hit rates differ as the module says."""
    gallery = np.eye(24, dtype="float32")
    rows = [*dataset.validation, *dataset.distractors]
    number = {row.aerial: n for n, row in enumerate(rows)}
    pair = dataset.validation[0]
    own, semi = (number[tile.aerial] for tile in pair.tiles.images[:2])
    four = {number[tile.aerial] for tile in pair.tiles.images}
    stranger = next(n for n in range(24) if n not in four)
    query = np.zeros((1, 24), "float32")
    query[0, [semi, stranger, own]] = 0.8, 0.48, 0.36
    others = [row for row in rows if row is not pair]
    images = np.array([0, *(number[row.aerial] for row in others)])
    assert number[pair.aerial] == 0
    found = measure_tiles(query, gallery, [pair, *others], images)
    assert found["hit_any_of_4"].tolist() == [True]
    assert found["hit"].tolist() == [False]
    place, _ = metrics.ranks(query, gallery, np.array([own]))
    assert place.tolist() == [3]


def test_text_and_files_name_what_was_counted(dataset, tmp_path):
    ground, gallery, rows = descriptors(dataset, 1)
    ranks = evaluation.rank_embedded(
        ground, rows, dataset.validation, dataset.distractors
    )
    ranks.save(tmp_path / "ranks.npz")
    kept = read_ranks(tmp_path / "ranks.npz", "again")
    assert kept.result("aligned") == ranks.result("aligned")
    result = ranks.result("aligned") | {"remarks": list(dataset.remarks)}
    text = format_table(result)
    for wanted in (
        "24 distinct aerial images, 16 of which are of none of the 8",
        "r@1%: K = 1 of 24",
        "hit rate by VIGOR's code:",
        "hit rate, any of four:",
        "with perfect retrieval",
        "vigor_labels=corrected",
        "same-area: 50.0 %",
    ):
        assert wanted in text
    # The published galleries: K = M // 100.
    assert metrics.count_of("1%", 90_618) == 906
    assert metrics.count_of("1%", 46_563) == 465
