"""experiments.look: its page, its figures, and what is refused."""

import json

import numpy as np
import pytest

from mgtl_tf.analysis.traces import trace_places
from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.sources import FileSource
from mgtl_tf.evaluation import embedding
from mgtl_tf.metrics import recall
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.evaluate import read_split
from mgtl_tf.workflows.look import look_at_run, look_lines
from tests.pages import Links
from tests.tiny_runs import TINY, write_noisy_cvusa, write_run

PLACES = 6
CONFIG = TINY.replace(recurrent_steps=2, batch_size=2, cache="none")


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
    pairs = read_split(config.data, "validation")
    source = FileSource(pairs, config.model.image_size)
    return model, source


def test_traces_are_the_models_own_without_padding(model_and_source):
    model, source = model_and_source
    seen = []
    # Batches of four: the second is half padding.
    batches = eval_batches(source, 4)
    traces = trace_places(model, batches, PLACES, seen.append)
    assert seen == [4, 2]
    images = source.load(np.arange(PLACES))
    for view, pixels in zip(("ground", "satellite"), images, strict=True):
        own = traces[view]
        steps = model.trace(pixels.astype("float32"), view)
        for number, step in enumerate(steps):
            for name in ("tokens", "knowledge", "descriptor", "attention"):
                np.testing.assert_allclose(
                    own[name][number], step[name], atol=1e-4
                )
    ground, satellite = embedding.embed(model, eval_batches(source, 4))
    for view, descriptors in (("ground", ground), ("satellite", satellite)):
        np.testing.assert_allclose(
            traces[view]["descriptor"][1], descriptors, atol=1e-5
        )


@pytest.fixture(scope="module")
def page(run, load_program):
    """What the program writes about four places of the run."""
    given = {
        "output_dir": None,
        "data_dir": None,
        "split": "validation",
        "checkpoint": "best",
    }
    load_program("look").main(run_dir=str(run), places=4, examples=2, **given)
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
    last = found["similarity"][-1]
    cells = [f"{last['mse']:.3f}", f"{last['median_rank']:,.0f}"]
    cells += [f"{s['focus']:.1%}" for s in found["attention"]]
    cells += [f"{s['r@5']:.1%}" for s in found["recall"]]
    for cell in cells:
        assert f"<td>{cell}</td>" in text
    lines = look_lines(page)
    assert lines[0].split() == ["4", "places;", "step", "1", "2"]
    shares = [f"{s['r@1']:.1%}" for s in found["recall"][:2]]
    assert lines[1].split()[-2:] == shares
    assert lines[-1].split()[-1] == f"{found['agreement'][-1]['own']:.2f}"


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
    assert found["places"] == 4
    assert [len(step["head_focus"]) for step in found["attention"]] == 4 * [2]
    assert [len(step["profile"]) for step in found["attention"]] == 4 * [8]
    similar = {(s["compared"], s["step"]): s for s in found["similarity"]}
    recalls = {(s["direction"], s["step"]): s for s in found["recall"]}
    assert len(similar) == 6 and len(recalls) == 4
    for number in range(2):
        own = {
            view: {k: np.asarray(v) for k, v in steps[number].items()}
            for view, steps in traces.items()
        }
        ground, satellite = own["ground"], own["satellite"]
        for name, knowledge, truth in (
            ("L_S, F_S", ground["knowledge"], satellite["tokens"]),
            ("L_G, F_G", satellite["knowledge"], ground["tokens"]),
            ("F_G, F_S", ground["tokens"], satellite["tokens"]),
        ):
            mse = np.mean((knowledge - truth) ** 2)
            constant = np.mean((truth - truth.mean(0)) ** 2)
            step = similar[name, number + 1]
            assert step["mse"] == pytest.approx(mse, rel=1e-3)
            assert step["normalized_mse"] == pytest.approx(
                mse / constant, rel=1e-3
            )
        views = ground["descriptor"], satellite["descriptor"]
        for direction, pair in (
            ("ground to satellite", views),
            ("satellite to ground", views[::-1]),
        ):
            step = recalls[direction, number + 1]
            expected = recall(*pair)
            assert {k: step[k] for k in expected} == pytest.approx(expected)


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
        look_at_run(tmp_path)


def test_other_refusals(run, tmp_path):
    with pytest.raises(UserError, match="no config.json"):
        look_at_run(tmp_path)
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match="already holds other files"):
        look_at_run(run, output_dir=tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"
    with pytest.raises(UserError, match="nowhere"):
        look_at_run(run, data_dir=str(tmp_path / "nowhere"))
