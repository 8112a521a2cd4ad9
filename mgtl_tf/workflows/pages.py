"""Pages of docs/ and README made of the files in docs/."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from mgtl_tf.config import RunConfig
from mgtl_tf.evaluation.ranks import read_ranks
from mgtl_tf.reproduction.blocks import rewrite_pages
from mgtl_tf.reproduction.demo import DemoFigures, write_demo
from mgtl_tf.reproduction.measured.scaling import draw_recorded_scaling
from mgtl_tf.reproduction.page_figures import PageFigures
from mgtl_tf.reproduction.publish import write_page
from mgtl_tf.reproduction.transfer import TransferFigures, write_transfer
from mgtl_tf.retrieval.calibration.stored import CALIBRATION_JSON, Calibration
from mgtl_tf.training.environment import read_environment
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.workflows.further_sets import ALL_SETS


def publish_pages(docs: Path) -> list[Path]:
    """Makes results.md and every marked block anew; the pages written.

    Raises:
        UserError: for a file that cannot be read, or figures that are not
            those of the ranks beside them.
    """
    figures = PageFigures(docs)
    draw_recorded_scaling(docs)
    # The readings first: results.md holds them.
    changed = rewrite_pages(docs, figures.text_of)
    return [write_page(docs), *changed]


def publish_demo(demo: Path, docs: Path) -> Path:
    """Takes the figures of a finished `make demo` over; their path.

    Args:
        demo: the folder that holds run/ and gallery/.
        docs: the folder that gets them.

    Raises:
        UserError: for a file that cannot be read or written.
    """
    run, remedy = demo / "run", "run make demo again"
    path = run / "evaluation-procedural-validation-ranks.npz"
    if not path.is_file():
        raise UserError(f"{path}: is not there; {remedy}")
    ranks, config = read_ranks(path, remedy), RunConfig.load(run)
    training = [r for r in read_metrics(run) if r["kind"] == "train"]
    stored = demo / "gallery" / CALIBRATION_JSON
    calibration = read_json(stored, Calibration, remedy, sealed=True)
    figures = DemoFigures(
        date=_day_of(path),
        machine=_machine_of(run),
        precision=config.train.dtype_policy,
        seed=config.train.seed,
        train_minutes=round(training[-1]["seconds"] / 60, 2),
        gallery=ranks.gallery,
        evaluation=ranks.result("aligned"),
        calibration=calibration.measured,
        metres=calibration.metres,
    )
    return write_demo(figures, ranks, docs)


def publish_transfer(run: Path, docs: Path) -> Path:
    """Takes over a run that `evaluate --also` measured; their path.

    Args:
        run: the run's folder, with one evaluation on further data sets.
        docs: the folder that gets them.

    Raises:
        UserError: for a file that cannot be read or written.
    """
    remedy = "evaluate the run with --also"
    found = sorted(run.glob("evaluation-also-*[!s].json"))
    if len(found) != 1:
        raise UserError(
            f"{run}: holds {len(found)} evaluations on further data sets, not"
            f" one; {remedy}"
        )
    result = read_json(found[0], dict[str, Any], remedy)
    real = read_ranks(found[0].with_name(f"{found[0].stem}-ranks.npz"), remedy)
    town = read_ranks(run / "report" / "ranks.npz", "train it again")
    figures = TransferFigures(
        date=_day_of(found[0]),
        machine=_machine_of(run),
        sets={
            name: values["pairs"]
            for name, values in result["sets"].items()
            if name != ALL_SETS
        },
        real=real.gallery,
        synthetic=town.gallery,
    )
    return write_transfer(figures, real, town, docs)


def _day_of(path: Path) -> str:
    day = datetime.date.fromtimestamp(path.stat().st_mtime)
    return day.isoformat()


def _machine_of(run: Path) -> str:
    machine = read_environment(run)
    return f"{machine['cores']} cores of {machine['processor']}"
