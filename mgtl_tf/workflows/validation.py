"""The validation split, measured while a run trains and for its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mgtl_tf.config import DataConfig, TrainConfig
from mgtl_tf.datasets.aerial_images import aerial_images
from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.protocols import ALIGNED
from mgtl_tf.datasets.records import Dataset
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.evaluation import embedding
from mgtl_tf.evaluation.ranks import Ranks, Result
from mgtl_tf.evaluation.tile_points import offset_predictor
from mgtl_tf.retrieval.report.report import Retrieval, write_report
from mgtl_tf.retrieval.report.thumbnails import fixed_rows, retrieval_thumbnails
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.training.environment import read_environment
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.workflows.features import open_inputs
from mgtl_tf.workflows.inputs import (
    beside_figures,
    open_gallery,
    open_source,
)


class Validation:
    """Recall of a model on a run's validation split.

    Args:
        dataset: whose validation pairs are the queries.
        source: their pixels.
        batch_size: images a step.
        inputs: what the model reads of them; by default their pixels.
        first_block: N: the inputs are what its first N blocks gave.
        distractors: pixels of the gallery's images of no panorama.
    """

    def __init__(
        self,
        dataset: Dataset,
        source: PairSource,
        batch_size: int,
        inputs: PairSource | None = None,
        first_block: int = 0,
        distractors: PairSource | None = None,
    ):
        self.pairs = dataset.validation
        self.source = source
        self._inputs = inputs or source
        self._first_block = first_block
        self.rows = self.pairs + dataset.distractors
        self.images = aerial_images(self.rows)
        self._distractors = distractors
        self._beside = beside_figures(dataset)
        self._batch_size = batch_size

    def measure(
        self, model: keras.Model
    ) -> tuple[Ranks, np.ndarray, np.ndarray]:
        """All ranks, and ground and satellite descriptors [Q, D] and [R, D].

        The latter are those of `rows`: of the pairs, then of aerial images
        without a panorama.

        Raises:
            UserError: for an image that cannot be read, or descriptors that
                are not finite.
        """
        batches = eval_batches(self._inputs, self._batch_size)
        others = self.rows[len(self.pairs) :]
        with embedding.pair_bar("evaluate", self.rows) as bar:
            ground, satellite = embedding.embed(
                model, batches, bar.update, self.pairs, self._first_block
            )
            if self._distractors is not None:
                batches = eval_batches(self._distractors, self._batch_size)
                satellite = embedding.with_aerial(
                    satellite, model, (others, batches), bar.update
                )
        ranks = evaluation.rank_embedded(
            ground,
            satellite,
            self.pairs,
            others,
            scorer=model.scorer,
            images=self.images,
            predict=offset_predictor(model),
        )
        return ranks, ground, satellite

    def result(self, ranks: Ranks) -> Result:
        """Recall of these ranks, and what must stand beside it."""
        return ranks.result(ALIGNED.name) | self._beside

    def shown(
        self,
        model: keras.Model,
        pictures: int,
        show: Callable[[np.ndarray], Any],
    ) -> Result:
        """The result; `show` gets pictures of some queries and answers.

        Args:
            model: as it is now.
            pictures: how many queries, always the same ones.
            show: gets RGB uint8 [Q, height, width, 3].
        """
        ranks, ground, satellite = self.measure(model)
        if model.offset_head is not None and ranks.tiles:
            # Saved with the weights: what an answer's error is expected to be.
            error = ranks.tiles.get("own_point_sides", np.zeros(1)).mean()
            model.offset_head.expected_error.assign(error)
        if pictures:
            # Among the images of panoramas alone: others are not in `source`.
            count = len(self.pairs)
            rows = fixed_rows(len(self.pairs), pictures)
            show(
                retrieval_thumbnails(
                    rows,
                    ground,
                    satellite[:count],
                    self.source,
                    self.images[:count],
                    model.scorer,
                )
            )
        return self.result(ranks)


def open_validation(
    dataset: Dataset,
    data: DataConfig,
    train: TrainConfig,
    model: keras.Model,
    run_dir: Path,
) -> Validation:
    """A run's validation, of images or of the run's cached features.

    Args:
        dataset: whose validation pairs are the queries, at least one.
        data, train: of the run.
        model: of the run; the blocks that it fixes are fixed here.
        run_dir: whose cache/validation holds decoded images, where no other
            folder does.

    Raises:
        UserError: for an image that cannot be read, or a cache that cannot
            be written.
    """
    pairs = dataset.validation
    cache = run_dir / "cache" / "validation"
    pixels = open_source(data, model.config.input_form, pairs, cache)
    inputs, first_block = open_inputs(
        data, train.freeze_blocks, model, pairs, lambda: pixels
    )
    others, distractors = dataset.distractors, None
    if others:
        form = model.config.input_form
        distractors = open_gallery(data, form, others, cache)
    return Validation(
        dataset,
        pixels,
        train.evaluation_batch_size,
        inputs,
        first_block,
        distractors,
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
    if dataset.validation:
        validation = open_validation(
            dataset, config.data, config.train, model, run_dir
        )
        ranks, ground, satellite = validation.measure(model)
        retrieval = Retrieval(
            validation.rows,
            validation.images,
            ground,
            satellite,
            ranks,
            validation.result(ranks),
            model.scorer,
        )
    return write_report(
        run_dir / "report",
        config,
        read_environment(run_dir),
        read_metrics(run_dir),
        retrieval,
    )
