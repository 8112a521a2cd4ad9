"""A run looked at: its page, its figures, and what is refused."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from mgtl_tf.analysis.tables import (
    attention_table,
    rank_table,
    recall_table,
    similarity_table,
)
from mgtl_tf.analysis.traces import attention_of, trace_places
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.sources import FileSource
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.metrics import recall
from mgtl_tf.reproduction.benchmark import SMALL
from mgtl_tf.reproduction.study import benchmark_study
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import look as workflow
from mgtl_tf.workflows import tables
from mgtl_tf.workflows.evaluate import read_split
from mgtl_tf.workflows.look import look_at_run, look_at_runs, require_steps
from tests.tiny_runs import write_noisy_cvusa, write_run

PLACES = 6
CONFIG = RunConfig().replace(
    image_size=(8, 16),
    width_multiplier=1 / 64,
    poolings=1,
    channels=4,
    heads=2,
    recurrent_steps=2,
    batch_size=2,
    epochs=1,
    cache="none",
    backbone_weights="none",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two steps on six noisy pairs in CVUSA's layout."""
    folder = tmp_path_factory.mktemp("cvusa")
    write_noisy_cvusa(folder, PLACES)
    run_dir = folder / "run"
    (run_dir / "report").mkdir(parents=True)
    (run_dir / "report" / "report.html").write_text("the run's own page")
    write_run(run_dir, CONFIG.replace(data_dir=str(folder)))
    return run_dir


@pytest.fixture(scope="module")
def model_and_source(run):
    config, model = load_model(run)
    pairs = read_split(config, "validation")
    source = FileSource(pairs, config.model.image_size)
    return model, source


class Links(HTMLParser):
    """What a page refers to, and whether its tags are balanced."""

    def __init__(self, page):
        super().__init__()
        self.sources, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.sources += [v for k, v in attributes if k in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_traces_are_the_models_own_without_padding(model_and_source):
    model, source = model_and_source
    seen = []
    # Batches of four: the second is half padding.
    traces = trace_places(model, eval_batches(source, 4), seen.append)
    assert seen == [4, 2]
    images = source.load(np.arange(PLACES))
    singles = attention_of(model, *images)
    for view, pixels in zip(("ground", "satellite"), images, strict=True):
        own = traces[view]
        steps = model.trace(pixels.astype("float32"), view)
        for number, step in enumerate(steps):
            for name in ("tokens", "knowledge", "descriptor"):
                np.testing.assert_allclose(
                    own.get(name, number), step[name], atol=1e-4
                )
            attention = np.asarray(step["attention"])
            np.testing.assert_allclose(
                own.attention.maps[number], attention.mean(0), atol=1e-5
            )
            np.testing.assert_allclose(
                singles[view][:, number], attention, atol=1e-5
            )
        assert own.attention.count == PLACES
    ground, satellite = evaluation.embed(model, eval_batches(source, 4))
    np.testing.assert_allclose(
        traces["ground"].get("descriptor", 1), ground, atol=1e-5
    )
    np.testing.assert_allclose(
        traces["satellite"].get("descriptor", 1), satellite, atol=1e-5
    )


@pytest.fixture(scope="module")
def page(run, load_program):
    """What the program writes about four places of the run."""
    program = load_program("look")
    values = {
        "_RUN_DIR": str(run),
        "_OUTPUT_DIR": None,
        "_DATA_DIR": None,
        "_SPLIT": "validation",
        "_CHECKPOINT": "best",
        "_PLACES": 4,
        "_EXAMPLES": 2,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(program, name, type("Flag", (), {"value": value}))
        assert program.main(["look"]) == 0
    return run / "report" / "look" / "look.html"


def test_page_stands_alone_and_holds_its_figures(run, page):
    # The run's own page stays.
    assert (run / "report" / "report.html").is_file()
    text = page.read_text()
    links = Links(text)
    assert not links.open and "http" not in text
    files = {p.name for p in page.parent.iterdir()}
    assert files == {"look.html", *links.sources}
    assert {"example-1.jpg", "example-2.jpg", "maps-ground.svg"} <= files
    for source in links.sources:
        assert (page.parent / source).stat().st_size > 500
    found = json.loads((page.parent / "look.json").read_text())["figures"]
    for table in (similarity_table, rank_table, attention_table, recall_table):
        for line in table(found):
            for cell in line.values():
                assert f">{cell}</td>" in text


def test_figures_are_of_the_right_views_steps_and_places(
    page, model_and_source
):
    found = json.loads((page.parent / "look.json").read_text())["figures"]
    model, source = model_and_source
    rows = np.array([0, 1, 3, 5])  # spread evenly over six
    views = dict(zip(("ground", "satellite"), source.load(rows), strict=True))
    traces = {
        view: model.trace(pixels.astype("float32"), view)
        for view, pixels in views.items()
    }
    assert [found[n] for n in ("places", "steps", "heads", "azimuths")] == [
        4,
        2,
        2,
        8,
    ]
    directions = {
        "satellite_from_ground": ("ground", "satellite"),
        "ground_from_satellite": ("satellite", "ground"),
    }
    for name, (source_view, target_view) in directions.items():
        for number, step in enumerate(found["knowledge"][name]):
            knowledge = np.asarray(traces[source_view][number]["knowledge"])
            truth = np.asarray(traces[target_view][number]["tokens"])
            mse = np.mean((knowledge - truth) ** 2)
            constant = np.mean((truth - truth.mean(0)) ** 2)
            assert step["mse"] == pytest.approx(mse, rel=1e-3)
            assert step["normalized_mse"] == pytest.approx(
                mse / constant, rel=1e-3
            )
    for number in range(2):
        ground, satellite = (
            np.asarray(steps[number]["descriptor"]) for steps in traces.values()
        )
        forth = found["recall"]["ground_to_satellite"][number]
        assert forth == pytest.approx(recall(ground, satellite))
        back = found["recall"]["satellite_to_ground"][number]
        assert back == pytest.approx(recall(satellite, ground))


def test_runs_side_by_side_are_linked(page, monkeypatch):
    monkeypatch.setattr(workflow, "look_at_run", lambda run_dir: page)
    run_dir = page.parents[2]
    tables = run_dir.parent / "tables"
    tables.mkdir()
    text = look_at_runs([run_dir], tables).read_text()
    links = Links(text)
    assert not links.open
    assert links.sources == ["../run/report/look/look.html"]
    assert (tables / links.sources[0]).resolve() == page.resolve()
    found = json.loads((page.parent / "look.json").read_text())
    recalls = found["figures"]["recall"]["ground_to_satellite"]
    assert " ".join(f"{100 * s['r@1']:.1f}" for s in recalls) in text


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"recurrent_steps": 0}, "VGG16 only"),
        ({"system": "safa"}, "system safa"),
        ({"system": "l2ltr"}, "system l2ltr"),
    ],
)
def test_runs_without_steps_are_refused(changes, named, tmp_path):
    config = CONFIG.replace(**changes)
    (tmp_path / "config.json").write_text(config.to_json())
    with pytest.raises(UserError, match=f"{named}.*no recurrent steps"):
        require_steps(tmp_path)


def test_tables_look_at_finished_runs_with_steps(tmp_path, monkeypatch):
    study = benchmark_study(SMALL, tmp_path, {})
    names = ["with_cmi-seed0", "vgg-seed0", "without_cmi-seed1", "steps3-seed0"]
    for name in names:
        report = study.folder / "runs" / name / "report"
        report.mkdir(parents=True)
        (report / "report.html").write_text("done")
    seen = []

    def look(folders, tables_dir):
        seen.extend(f.relative_to(study.folder).as_posix() for f in folders)
        return tables_dir / "look.html"

    monkeypatch.setattr(tables, "look_at_runs", look)
    request = tables.TablesRequest(study, (1, 2, 3, 4), (0, 1))
    page = tables.look_at_tables(request)
    assert page == study.folder / "tables" / "look.html"
    # naive-seed0 is not finished, the others have no knowledge to look at.
    assert sorted(seen) == ["runs/with_cmi-seed0", "runs/without_cmi-seed1"]
    with pytest.raises(UserError, match="no finished run"):
        look_at_runs([], tmp_path)


def test_other_refusals(run, tmp_path):
    with pytest.raises(UserError, match="no config.json"):
        look_at_run(tmp_path)
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match="already holds other files"):
        look_at_run(run, output_dir=tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"
    with pytest.raises(UserError, match="nowhere"):
        look_at_run(run, data_dir=str(tmp_path / "nowhere"))
