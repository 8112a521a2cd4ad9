"""The page about a finished run, from its folder."""

from __future__ import annotations

from pathlib import Path

from mgtl_tf.datasets.aerial_images import aerial_images
from mgtl_tf.datasets.records import Dataset, positions
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.retrieval.report.report import Retrieval, write_report
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.training.environment import read_environment
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.workflows.inputs import (
    left_out,
    open_source,
    pair_bar,
    validation_batches,
)


def write_run_report(run_dir: Path | str, dataset: Dataset) -> Path:
    """Writes `report/report.html` about the best checkpoint of a run.

    Args:
        run_dir: what experiments.train wrote.
        dataset: the run's data; its validation pairs are the examples.

    Returns:
        The page's path.

    Raises:
        UserError: for a run or an image that cannot be read.
    """
    run_dir = Path(run_dir)
    config, model = load_model(run_dir, "best")
    retrieval = None
    if pairs := dataset.validation:
        source = open_source(config, pairs, run_dir / "cache" / "validation")
        with pair_bar("report", len(pairs)) as bar:
            batches = validation_batches(config, source)
            ground, satellite = evaluation.embed(model, batches, bar.update)
        images = aerial_images(pairs)
        result = evaluation.evaluate(
            ground, satellite, positions(pairs), images=images
        )
        result |= left_out(dataset)
        retrieval = Retrieval(pairs, images, ground, satellite, result)
    return write_report(
        run_dir / "report",
        config,
        read_environment(run_dir),
        read_metrics(run_dir),
        retrieval,
    )
