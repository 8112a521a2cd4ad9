"""The report: its figures, and that it needs nothing from elsewhere."""

import cv2
import numpy as np
import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.records import Pair
from mgtl_tf.evaluation.descriptors import rank_pairs
from mgtl_tf.metrics import ranks
from mgtl_tf.retrieval.report.report import (
    Retrieval,
    choose_examples,
    write_report,
)
from mgtl_tf.utils.errors import UserError
from tests.pages import Links


def train_record(step):
    return {
        "kind": "train",
        "step": step,
        "loss": 0.7 / step,
        "triplet_loss": 0.6 / step,
        "generative_loss": 0.0,
        "positive_distance": 0.5,
        "negative_distance": 1.5,
        "pairs_per_second": 80.0 + step,
        "seconds": 60.0 * step,
    }


def evaluation_record(step):
    recalls = {"r@1": 0.5, "r@5": 1.0, "r@10": 1.0, "r@1%": 0.5}
    return {"kind": "evaluation", "step": step, "ground_to_satellite": recalls}


@pytest.fixture
def pairs(tmp_path):
    (tmp_path / "data").mkdir()
    made = []
    for i in range(4):
        ground, aerial = (tmp_path / "data" / f"{i}{v}.png" for v in "ga")
        cv2.imwrite(str(ground), np.full((20, 110, 3), 50 * i, "u1"))
        cv2.imwrite(str(aerial), np.full((30, 30, 3), 50 * i, "u1"))
        made.append(Pair(f"<{i}>", ground, aerial))
    return made


def retrieval_of(pairs, ground, satellite):
    ranks = rank_pairs(ground, satellite)
    images, result = np.arange(len(pairs)), ranks.result("aligned")
    return Retrieval(pairs, images, ground, satellite, ranks, result)


@pytest.fixture
def retrieval(pairs):
    satellite = np.eye(4, dtype=np.float32)
    # The last query's nearest is place 0.
    ground = satellite[[0, 1, 2, 0]]
    return retrieval_of(pairs, ground, satellite)


def write(folder, retrieval):
    return write_report(
        folder,
        RunConfig().replace(seed=7, dataset="procedural"),
        {"python": "3.x", "gpus": [], "command": "train --a=<b>"},
        [train_record(1), train_record(3), evaluation_record(3)],
        retrieval,
    )


def test_page_stands_alone_and_has_the_figures(retrieval, tmp_path):
    page = write(tmp_path / "run" / "report", retrieval)
    text = page.read_text()
    links = Links(text)
    assert not links.open
    assert len(links.sources) == 10
    for source in links.sources:
        assert "/" not in source
        assert (page.parent / source).stat().st_size > 500
    assert {p.name for p in page.parent.iterdir()} == {
        "report.html",
        "ranks.npz",
        *links.sources,
    }
    for shown in (
        "75.0 %",
        "3.0 min",
        "train --a=&lt;b&gt;",
        "&lt;3&gt;",
        "seed: 0 -&gt; 7",
        "imagenet",
    ):
        assert shown in text, shown
    assert "http" not in text
    # The total and the triplet loss; the generative part is off.
    loss = (page.parent / "loss.svg").read_text()
    curves = [loss.count(f"stroke: {c}") for c in ("#2563eb", "#ea580c")]
    # A line each, and its mark in the legend.
    assert curves == [2, 2] and "stroke: #9333ea" not in loss


def test_report_is_replaced_as_a_whole(retrieval, tmp_path):
    page = write(tmp_path / "report", retrieval)
    before = page.read_text()
    retrieval.pairs[0].aerial.write_bytes(b"")
    with pytest.raises(UserError, match="0a.png"):
        write(tmp_path / "report", retrieval)
    assert page.read_text() == before
    assert {p.name for p in tmp_path.iterdir()} == {"report", "data"}


@pytest.mark.parametrize(
    ("records", "pictures"),
    [([train_record(1)], ["distances.svg", "loss.svg", "rate.svg"]), ([], [])],
)
def test_run_without_validation_pairs(records, pictures, tmp_path):
    page = write_report(tmp_path / "report", RunConfig(), {}, records)
    assert sorted(Links(page.read_text()).sources) == pictures
    assert "Nowhere." in page.read_text()


def test_examples_are_the_first_the_middle_and_the_last(pairs):
    satellite = np.eye(9, dtype=np.float32)
    strength = np.float32([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    rest = np.sqrt(1 - strength**2)
    # Below one half, the neighbour is nearer than the true place.
    ground = np.diag(strength) + np.diag(rest[:-1], 1)
    ground[8, 0] = rest[8]
    ground = ground.astype(np.float32)
    many = [Pair(str(i), p.ground, p.aerial) for i, p in enumerate(pairs * 3)]
    rank, _ = ranks(ground, satellite)
    chosen = choose_examples(retrieval_of(many[:9], ground, satellite), rank)
    ids = {kind: [q.truth for q in found] for kind, found in chosen.items()}
    assert ids == {
        "best": ["0", "1"],
        "median": ["3", "4"],
        "worst": ["8", "7"],
    }
    assert chosen["worst"][0].truth_rank == 2
    assert [a.place.id for a in chosen["worst"][0].answers][:2] == ["0", "8"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_query_is_shown_twice(pairs, count):
    unit = np.eye(3, dtype=np.float32)[:count]
    few = retrieval_of(pairs[:count], unit, unit)
    chosen = choose_examples(few, np.ones(count, int))
    shown = [q.truth for found in chosen.values() for q in found]
    assert sorted(shown) == [p.id for p in pairs[:count]]
