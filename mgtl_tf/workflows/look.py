"""Attention and knowledge of a trained run: a page from its folder."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.analysis.figures import look_figures
from mgtl_tf.analysis.page import FIGURES, PAGE, write_look
from mgtl_tf.analysis.pictures import Example
from mgtl_tf.analysis.step_table import step_table
from mgtl_tf.analysis.traces import Traces, trace_places
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.aerial_images import aerial_images, first_rows
from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.evaluation.embedding import pair_bar, require_finite
from mgtl_tf.evaluation.measured_data import on_data
from mgtl_tf.metrics import ranks
from mgtl_tf.retrieval.report.thumbnails import fixed_rows
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.training.environment import read_environment
from mgtl_tf.utils.atomic_folders import require_replaceable
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.workflows.evaluate import read_split
from mgtl_tf.workflows.inputs import open_source


def look_at_run(
    run_dir: Path | str,
    data_dir: str | None = None,
    split: str = "validation",
    checkpoint: str = "best",
    places: int = 1000,
    examples: int = 4,
    output_dir: Path | str | None = None,
) -> Path:
    """Writes look.html, its pictures and look.json about a run.

    Args:
        run_dir: what experiments.train wrote, of MGTL with steps.
        data_dir: other data in the same layout; the run's own by default.
        split: "train" or "validation".
        checkpoint: "best" or "last".
        places: how many, evenly spread over the split; all where fewer.
        examples: how many single places are shown, from the one that is
            found best to the worst.
        output_dir: RUN/report/look by default.

    Returns:
        The page's path.

    Raises:
        UserError: for a run without steps, or a run, data or folder that
            cannot be read or used.
    """
    output_dir = Path(output_dir or Path(run_dir) / "report" / "look")
    _require_steps(run_dir)
    require_replaceable(output_dir, PAGE)
    config, model = load_model(run_dir, checkpoint)
    data = on_data(config.data, None, data_dir)
    name = split if data_dir is None else f"{data.dataset}-{split}"
    listed = read_split(data, split)
    rows = _distinct_places(listed, split, places)
    pairs = [listed[row] for row in rows]
    cache = Path(run_dir) / "cache" / name
    form, batch_size = (
        config.model.input_form,
        config.train.evaluation_batch_size,
    )
    source = _Rows(open_source(data, form, listed, cache), rows)
    batches = eval_batches(source, batch_size)
    with pair_bar("look", pairs) as bar:
        traces = trace_places(model, batches, len(pairs), bar.update)
    ground, satellite = (v["descriptor"][-1] for v in traces.values())
    require_finite(ground, satellite, pairs)
    looked_at = f"{data.data_dir}, {split} split, {len(pairs)} places"
    return write_look(
        output_dir,
        _facts(config, run_dir, looked_at, checkpoint),
        look_figures(traces, config.model.knowledge != "none"),
        {v: own["attention"].mean(axis=1) for v, own in traces.items()},
        _examples(source, pairs, traces, examples),
    )


def look_lines(page: Path) -> list[str]:
    """The main figures of a page that `look_at_run` wrote.

    Raises:
        UserError: where those beside it cannot be read.
    """
    path = page.with_name(FIGURES)
    return step_table(read_json(path, dict[str, Any], "look again")["figures"])


class _Rows:
    """Some rows of a source, int [n]."""

    def __init__(self, source: PairSource, rows: np.ndarray):
        self.source, self.rows = source, rows

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.source.load(self.rows[rows])


def _require_steps(run_dir: Path | str) -> None:
    config = RunConfig.load(run_dir).model
    if config.system != "mgtl" or not config.recurrent_steps:
        row = config.system
        row = "VGG16 only" if row == "mgtl" else f"system {row}"
        raise UserError(
            f"{run_dir}: is a run of {row}, which has no recurrent steps to"
            " look at; give one of MGTL with recurrent_steps of 1 or more"
        )


def _distinct_places(
    pairs: Sequence[Pair], split: str, places: int
) -> np.ndarray:
    """Rows of evenly spread pairs, one of each aerial image, int [n]."""
    distinct = first_rows(aerial_images(pairs))
    if len(distinct) < 2:
        raise UserError(
            f"{split} split: holds a single place; at least two are needed to"
            " compare with"
        )
    return distinct[fixed_rows(len(distinct), max(2, places))]


def _examples(
    source: PairSource,
    pairs: Sequence[Pair],
    traces: Traces,
    count: int,
) -> list[Example]:
    """Places evenly spread over the order of their ranks."""
    if not count:
        return []
    place, _ = ranks(*(v["descriptor"][-1] for v in traces.values()))
    order = np.argsort(place, kind="stable")
    rows = order[fixed_rows(len(order), count)]
    images = dict(zip(traces, source.load(rows), strict=True))
    return [
        Example(
            pairs[row].id,
            int(place[row]),
            {view: own[i] for view, own in images.items()},
            {view: own["attention"][:, row] for view, own in traces.items()},
        )
        for i, row in enumerate(rows)
    ]


def _facts(
    trained: RunConfig, run_dir: Path | str, looked_at: str, checkpoint: str
) -> dict[str, Any]:
    """How the page came about; names to values."""
    there = (Path(run_dir) / "environment.json").is_file()
    machine = read_environment(run_dir) if there else {}
    command = " ".join([Path(sys.argv[0]).stem, *sys.argv[1:]])
    return {
        "run": Path(run_dir).name,
        "trained on": f"{trained.data.dataset}, {trained.data.data_dir}",
        "looked at": looked_at,
        "checkpoint": checkpoint,
        "knowledge": trained.model.knowledge,
        "recurrent steps": trained.model.recurrent_steps,
        "residual_init": trained.model.residual_init,
        "generative_weight": trained.train.generative_weight,
        "seed": trained.train.seed,
        "trained with": f"TensorFlow {machine.get('tensorflow', 'unknown')},"
        f" {machine.get('processor', 'unknown processor')}",
        "command": f"python -m experiments.{command}",
        "written": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
    }
