"""A tiny benchmark through plan, training, tables and publication."""

import dataclasses
from pathlib import Path

import pytest

from mgtl_tf.reproduction.cells import cells_of
from mgtl_tf.reproduction.notes import notes_of
from mgtl_tf.reproduction.publish import read_published, read_ranks_of
from mgtl_tf.reproduction.published_study import PublishedStudy
from mgtl_tf.reproduction.study import benchmark_study, data_study
from mgtl_tf.reproduction.tables import title_of
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import tables
from mgtl_tf.workflows.study_runs import RunsOfWorld, plan
from mgtl_tf.workflows.tables_publication import publish_tables
from mgtl_tf.workflows.tables_request import TablesRequest
from tests.reproduction import fake_trainer
from tests.workflows.tiny_study import KEYS, TINY, draw, tiny_request


def _plan(request):
    study = request.study
    world = study.benchmark.world if study.benchmark else None
    return plan([RunsOfWorld(study, request.runs, world)])


def test_from_a_dry_run_to_the_published_page(tmp_path, trained):
    other = WorldSettings(seed=7, train_pairs=0, val_pairs=5)
    draw(other, tmp_path / "other")
    also = (("procedural", str(tmp_path / "other")),)
    request = tiny_request(
        tmp_path, 2, controls=True, conditions=True, also=also
    )
    assert _plan(request) == [
        "vgg-seed0: 2 steps",
        "without_cmi-seed0: 2 steps",
        "with_cmi-seed0: 2 steps",
        "long_vgg-seed0: 3 steps",
        "9 steps to train in all",
    ]
    assert not (tmp_path / "studies").exists() and not trained

    tables.run_tables(request)
    assert len(trained) == 4
    # A control is trained with the settings of the row that it changes.
    by_name = {run.name: run.config.train for run in request.runs}
    assert by_name["long_vgg-seed0"].learning_rate == 0.003
    shown = tables.show_tables(request)
    headings = ["Table 2", "Controls", "Distractors", "Turned", "Oracle"]
    assert [table.heading for table in shown] == headings
    last = cells_of(shown[2])[2]
    assert list(last) == ["row", "r@1", "r@5", "r@10", "r@1%"]
    assert list(last.values()) == [
        "w/ CMI",
        "25.00",
        "25.00",
        "100.00",
        "25.00",
    ]
    assert "gallery of 8 places" in title_of(shown[2])
    assert "turned, gallery of 4 places" in title_of(shown[3])
    (oracle,) = cells_of(shown[4])  # Only CMI generates knowledge.
    assert (oracle["row"], oracle["r@1"]) == ("w/ CMI", "100.00")
    last = cells_of(shown[0])[2]
    assert last["procedural: r@1"] == "60.0" and last["r@1"] == "41.00"
    assert last["procedural: pairs"] == "5"
    docs, command = tmp_path / "docs", "python -m experiments.tables"
    page = publish_tables(request, shown, docs, command)
    tables.run_tables(request)
    assert len(trained) == 4

    text = page.read_text()
    assert "w/o CMI" in text and "VGG16 only, longer" in text
    assert command in text
    path = tmp_path / "docs/results/procedural-tiny.json"
    assert str(tmp_path) not in text + path.read_text()
    # Each table keeps its own gallery's figures, though rows are in several.
    again = [cells_of(table) for table in read_published(path).tables]
    assert again == [cells_of(table) for table in shown]
    found = dict(zip(headings, again, strict=True))
    assert found["Table 2"][2]["r@1"] == "41.00"  # 82 of 200 ranks are 1
    assert found["Distractors"][2]["r@1"] == "25.00"
    folder = tmp_path / "studies/procedural-tiny/tables"
    for suffix in ("md", "csv", "svg"):
        assert (folder / f"table2.{suffix}").stat().st_size > 100
    # A spreadsheet takes no difference for a formula.
    line = (folder / "table2.csv").read_text().splitlines()[3]
    assert ",'+" in line or ",\"'+" in line
    assert _plan(request)[3] == "long_vgg-seed0: finished"
    assert _plan(tiny_request(tmp_path, 2))[:3] == [
        f"{key}-seed0: finished" for key in ("vgg", "without_cmi", "with_cmi")
    ]


def test_a_search_and_rows_from_a_trained_trunk(tmp_path, trained):
    """Every row at every rate elsewhere; warm rows after what they need."""
    request = tiny_request(tmp_path, 2, warm=True, search=True)
    tables.run_tables(request)
    rates = [f"{key}-{rate}" for key in KEYS for rate in ("0.1", "0.2")]
    seed0 = [f"{key}-seed0" for key in KEYS]
    assert trained == [*rates, *seed0, "warm_vgg-seed0"]
    runs = {run.name: run for run in request.runs}
    warm = runs["warm_vgg-seed0"].config
    assert warm.train.init_backbone == str(runs["vgg-seed0"].folder)
    assert warm.train.learning_rate == 0.003
    *_, tried = request.searched[0]
    assert tried.config.train.max_steps == 1
    assert Path(tried.config.data.data_dir).name == "search"
    shown = tables.show_tables(request)
    headings = ["Table 2", "Table 2w", "Search"]
    assert [table.heading for table in shown] == headings
    (line,) = cells_of(shown[1])
    assert line["row"] == "VGG16 only, going on"
    lines = cells_of(shown[2])
    assert [line["row"] for line in lines][:2] == [
        "VGG16 only, 0.1",
        "VGG16 only, 0.2",
    ]
    page = publish_tables(request, shown, tmp_path / "docs", "")
    assert "### Table 2w" in page.read_text()


def test_a_study_goes_on_where_its_runs_are_gone(tmp_path, trained):
    """What is published counts as finished; what is new is added to it."""
    first = tiny_request(tmp_path / "here", 2, search=True)
    tables.run_tables(first)
    docs = tmp_path / "docs"
    publish_tables(first, tables.show_tables(first), docs, "")
    trained.clear()

    published = PublishedStudy.read(docs, "procedural-tiny")
    fields = {"published": published, "seeds": (0, 1)}
    there = tiny_request(
        tmp_path / "there", 2, **fields, warm=True, search=True
    )
    published.require_same(there.settings)
    assert {run.name for run in there.needed} == {
        *(f"{key}-seed1" for key in KEYS),
        *(
            f"{key}-seed{seed}"
            for key in ("vgg", "warm_vgg")
            for seed in (0, 1)
        ),
    }
    tables.run_tables(dataclasses.replace(there, train=False))
    assert not trained
    one = dataclasses.replace(there, seeds=(1,), warm=False)
    tables.run_tables(one)
    assert trained == [f"{key}-seed1" for key in KEYS]
    shown = tables.show_tables(one)
    assert [table.heading for table in shown] == ["Table 2", "Search"]
    last = cells_of(shown[0])[2]
    # Seeds 0 and 1 are right 82 and 87 times in 200.
    assert last["row"] == "w/ CMI" and last["r@1"] == "42.25 ± 1.77"
    assert len(shown[1].rows) == 6
    publish_tables(one, shown, docs, "")
    study = read_published(docs / "results/procedural-tiny.json")
    assert study.facts["seeds"] == "0, 1" and study.tables == shown
    assert study.facts["machine"] == "2 cores of a processor"
    ranks = read_ranks_of(study, docs / "results")
    assert len(ranks) == 3 * 2 + 6


def test_a_published_row_is_replaced_by_name_alone(tmp_path, trained):
    first = tiny_request(tmp_path / "here", 2)
    tables.run_tables(first)
    docs = tmp_path / "docs"
    publish_tables(first, tables.show_tables(first), docs, "")
    published = PublishedStudy.read(docs, "procedural-tiny").without(["vgg"])
    assert [published.seeds(key) for key in KEYS] == [set(), {0}, {0}]
    assert {name.split("-seed")[0] for name in published.ranks} == set(KEYS[1:])
    there = tiny_request(tmp_path / "there", 2, published=published)
    assert {run.name for run in there.needed} == {"vgg-seed0"}
    tables.run_tables(there)
    publish_tables(there, tables.show_tables(there), docs, "")
    study = read_published(docs / "results/procedural-tiny.json")
    assert [len(row.runs) for row in study.tables[0].rows] == [1, 1, 1]
    with pytest.raises(UserError, match="vg: is not published.*vgg"):
        PublishedStudy.read(docs, "procedural-tiny").without(["vg"])


def test_what_is_published_is_not_dropped_unasked(tmp_path, trained):
    both = tiny_request(tmp_path, 2, seeds=(0, 1))
    tables.run_tables(both)
    docs = tmp_path / "docs"
    publish_tables(both, tables.show_tables(both), docs, "")
    path = docs / "results/procedural-tiny.json"
    before = path.read_bytes()
    one = tiny_request(tmp_path, 2, seeds=(1,))
    with pytest.raises(UserError, match="Table 2, vgg, seed 0.*--cont"):
        publish_tables(one, tables.show_tables(one), docs, "")
    assert path.read_bytes() == before


def test_published_runs_of_other_settings_or_pairs_are_refused(
    tmp_path, trained
):
    first = tiny_request(tmp_path / "here", 2)
    tables.run_tables(first)
    docs = tmp_path / "docs"
    publish_tables(first, tables.show_tables(first), docs, "")
    published = PublishedStudy.read(docs, "procedural-tiny")
    longer = benchmark_study(TINY, tmp_path / "there", {"max_steps": 9})
    with pytest.raises(UserError, match=r"vgg: .*max_steps.*2.*max_steps.*9"):
        published.require_same(TablesRequest(longer, (2,), (0,)).settings)
    there = tiny_request(tmp_path / "there", 2, published=published, seeds=(1,))
    plain = {"dtype_policy": "float32"}
    there = dataclasses.replace(
        there, study=benchmark_study(TINY, tmp_path / "there", plain)
    )
    published.require_same(there.settings)  # Precision is told run by run.
    tables.run_tables(there)
    notes = "\n".join(notes_of(tables.show_tables(there)[0]))
    assert "Trained in float32, mixed_bfloat16." in notes
    for run in there.runs:
        ranks = run.folder / "report/ranks.npz"
        fake_trainer.write_ranks(ranks, 1, 200, "1" * 16)
    with pytest.raises(UserError, match="several galleries.*same pairs"):
        tables.show_tables(there)


def test_table_3_trains_nothing_and_needs_no_data(tmp_path, trained):
    study = data_study("cvusa", Path(), tmp_path / "studies", {})
    request = TablesRequest(study, (3,), (0,), measure_cost=False)
    assert _plan(request) == ["nothing to train"]
    tables.run_tables(request)
    assert _titles(request)[0].startswith("L2LTR")
    assert not trained


def test_rows_are_titled_as_they_are_trained(tmp_path):
    titles = _titles(tiny_request(tmp_path, 1))
    assert "L2LTR-style (K from previous layer), small" in titles
    assert "SAFA-8, small" in titles
    study = data_study("cvusa", Path("CVUSA"), tmp_path / "studies", {})
    assert "L2LTR, from scratch" in _titles(TablesRequest(study, (1,), (0,)))


def _titles(request):
    (table,) = tables.show_tables(request)
    return [line["row"] for line in cells_of(table)]
