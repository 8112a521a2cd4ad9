"""Attention and knowledge of a trained run: a page from its folder."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mgtl_tf.analysis.figures import Traces, look_figures
from mgtl_tf.analysis.maps import Example
from mgtl_tf.analysis.page import (
    FIGURES,
    PAGE,
    LookData,
    write_look,
    write_study_page,
)
from mgtl_tf.analysis.traces import ChosenRows, attention_of, trace_places
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.aerial_images import aerial_images, first_rows
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.evaluation.descriptors import require_finite
from mgtl_tf.metrics import ranks
from mgtl_tf.retrieval.report.thumbnails import fixed_rows
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.training.environment import read_environment
from mgtl_tf.utils.atomic_folders import require_replaceable
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.workflows.evaluate import on_data, read_split
from mgtl_tf.workflows.inputs import open_source, pair_bar, validation_batches

LOOK_DIR = "report/look"
"""Where in a run folder the page stands, unless another is named."""


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
    output_dir = Path(output_dir or Path(run_dir) / LOOK_DIR)
    require_steps(run_dir)
    require_replaceable(output_dir, PAGE)
    trained, model = load_model(run_dir, checkpoint)
    config = on_data(trained, None, data_dir)
    pairs, source = _places(config, run_dir, data_dir, split, places)
    with pair_bar("look", len(pairs)) as bar:
        batches = validation_batches(config, source)
        traces = trace_places(model, batches, bar.update)
    last = traces["ground"].steps - 1
    ground, satellite = (t.get("descriptor", last) for t in traces.values())
    require_finite(ground, satellite, pairs)
    facts = _facts(trained, config, run_dir, split, checkpoint)
    data = LookData(
        facts={**facts, "places": len(pairs)},
        figures=look_figures(traces, config.model.knowledge != "none"),
        maps={view: own.attention.maps for view, own in traces.items()},
        examples=_examples(model, source, pairs, traces, examples),
    )
    return write_look(output_dir, data)


def look_at_runs(run_dirs: Sequence[Path], tables_dir: Path) -> Path:
    """`look_at_run` of several runs, and the page that links them.

    Args:
        run_dirs: of MGTL with steps, one or more; each gets its own page.
        tables_dir: gets look.html.

    Returns:
        The page's path.

    Raises:
        UserError: for no run at all, or as `look_at_run`.
    """
    if not run_dirs:
        raise UserError(
            "no finished run of w/ CMI, w/o CMI or Naive to look at: these are"
            " rows of Tables 2 and 4"
        )
    runs = {}
    for run_dir in run_dirs:
        page = look_at_run(run_dir)
        found = read_json(page.parent / FIGURES, dict[str, Any], "look again")
        runs[page] = found["figures"]
    return write_study_page(tables_dir, runs)


def require_steps(run_dir: Path | str) -> None:
    """Raises an error for a run that has no recurrent steps.

    Raises:
        UserError: for such a run, or a folder that is none.
    """
    config = RunConfig.load(run_dir).model
    if config.system != "mgtl" or not config.recurrent_steps:
        row = config.system
        row = "VGG16 only" if row == "mgtl" else f"system {row}"
        raise UserError(
            f"{run_dir}: is a run of {row}, which has no recurrent steps to"
            " look at; give one of MGTL with recurrent_steps of 1 or more"
        )


def _places(
    config: RunConfig,
    run_dir: Path | str,
    data_dir: str | None,
    split: str,
    places: int,
) -> tuple[list[Pair], PairSource]:
    """The chosen pairs and their pixels; of each aerial image one."""
    pairs = read_split(config, split)
    distinct = first_rows(aerial_images(pairs))
    if len(distinct) < 2:
        raise UserError(
            f"{split} split: holds a single place; at least two are needed to"
            " compare with"
        )
    name = split if data_dir is None else f"{config.data.dataset}-{split}"
    source = open_source(config, pairs, Path(run_dir) / "cache" / name)
    rows = distinct[fixed_rows(len(distinct), max(2, places))]
    return [pairs[row] for row in rows], ChosenRows(source, rows)


def _examples(
    model: keras.Model,
    source: PairSource,
    pairs: Sequence[Pair],
    traces: Traces,
    count: int,
) -> list[Example]:
    """Places evenly spread over the order of their ranks."""
    if not count:
        return []
    last = traces["ground"].steps - 1
    views = {v: own.get("descriptor", last) for v, own in traces.items()}
    place, _ = ranks(views["ground"], views["satellite"])
    order = np.argsort(place, kind="stable")
    rows = order[fixed_rows(len(order), count)]
    images = dict(zip(views, source.load(rows), strict=True))
    attention = attention_of(model, images["ground"], images["satellite"])
    return [
        Example(
            pairs[row].id,
            int(place[row]),
            {view: images[view][i] for view in views},
            {view: attention[view][i] for view in views},
        )
        for i, row in enumerate(rows)
    ]


def _facts(
    trained: RunConfig,
    config: RunConfig,
    run_dir: Path | str,
    split: str,
    checkpoint: str,
) -> dict[str, Any]:
    """How the page came about; names to values."""
    there = (Path(run_dir) / "environment.json").is_file()
    machine = read_environment(run_dir) if there else {}
    model, training = trained.model, trained.train
    return {
        "run": Path(run_dir).name,
        "trained on": f"{trained.data.dataset}, {trained.data.data_dir}",
        "looked at": f"{config.data.data_dir}, {split} split",
        "checkpoint": checkpoint,
        "knowledge": model.knowledge,
        "recurrent steps": model.recurrent_steps,
        "residual_init": model.residual_init,
        "generative_weight": training.generative_weight,
        "seed": training.seed,
        "trained with": f"TensorFlow {machine.get('tensorflow', 'unknown')},"
        f" {machine.get('processor', 'unknown processor')}",
        "command": "python -m experiments." + _command(),
        "written": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
    }


def _command() -> str:
    return " ".join([Path(sys.argv[0]).stem, *sys.argv[1:]])
