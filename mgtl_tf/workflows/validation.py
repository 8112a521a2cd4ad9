"""What measures a model while it trains, and shows what it retrieves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.aerial_images import aerial_images
from mgtl_tf.datasets.records import Dataset, positions
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.retrieval.report.thumbnails import fixed_rows, retrieval_thumbnails
from mgtl_tf.workflows.inputs import (
    left_out,
    open_source,
    pair_bar,
    validation_batches,
)


class Validation:
    """The evaluation of a run's validation split, called again and again.

    Args:
        config: of the run.
        run_dir: `cache/validation` is made inside.
        dataset: whose validation pairs are asked.
        model: the model that is trained.
        show: gets the pictures of a few fixed queries and their answers,
            RGB uint8 [Q, height, width, 3], at every evaluation.

    Raises:
        UserError: for a file that cannot be read.
    """

    def __init__(
        self,
        config: RunConfig,
        run_dir: Path,
        dataset: Dataset,
        model: keras.Model,
        show: Callable[[np.ndarray], Any],
    ):
        self.config = config
        self.dataset = dataset
        self.pairs = dataset.validation
        self.images = aerial_images(self.pairs)
        self.model = model
        self.show = show
        cache = run_dir / "cache" / "validation"
        self.source = open_source(config, self.pairs, cache)

    def __call__(self) -> evaluation.Result:
        """Recall of the model as it is now; see `evaluation.evaluate`."""
        with pair_bar("evaluate", len(self.pairs)) as bar:
            ground, satellite = evaluation.embed(
                self.model,
                validation_batches(self.config, self.source),
                bar.update,
                self.pairs,
            )
        pictures = self.config.train.retrieval_pictures
        if pictures:
            rows = fixed_rows(len(self.pairs), pictures)
            self.show(
                retrieval_thumbnails(
                    rows, ground, satellite, self.source, self.images
                )
            )
        where = positions(self.pairs)
        result = evaluation.evaluate(
            ground, satellite, where, images=self.images
        )
        return result | left_out(self.dataset)
