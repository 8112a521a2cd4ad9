"""Which places share a batch in each epoch, and those batches (R17, R18)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets import batch_sampler as mining
from mgtl_tf.datasets.aerial_images import aerial_images
from mgtl_tf.datasets.hard_negatives import (
    mine_hard_negatives,
    nearest_places,
)
from mgtl_tf.datasets.negatives import without_negatives
from mgtl_tf.datasets.pipeline import raising_user_errors, train_batches
from mgtl_tf.datasets.records import Pair, positions
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.training.checkpoint import Progress
from mgtl_tf.training.distribution import Distribution
from mgtl_tf.training.loop import epoch_generator
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.inputs import pair_bar, validation_batches


class EpochOrder:
    """The rest of an epoch's batches, shuffled or mined.

    First by the map, where `mining_by_position_until` says so, then by the
    model, from `mining_start` on; otherwise shuffled. The order is a
    function of the seed, the epoch and `neighbours` alone, all of which a
    checkpoint holds: a resumed epoch goes on with the very batches that were
    left.

    Args:
        config: of the run.
        model: whose descriptors say which places are near (R18).
        source: the pixels.
        pairs: the records, in the order of the source's rows.
        distribution: whose chief mines for all workers, and which share of
            each batch this worker reads; by default it is alone.
    """

    def __init__(
        self,
        config: RunConfig,
        model: keras.Model,
        source: PairSource,
        pairs: Sequence[Pair],
        distribution: Distribution | None = None,
    ):
        self.config = config
        self.distribution = distribution or Distribution()
        self.model = model
        self.source = source
        self.pairs = pairs
        self.positions = positions(pairs)
        self.images = aerial_images(pairs)
        self._looked = False

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch; what is left over is dropped (R17)."""
        return len(self.source) // self.config.train.batch_size

    def __call__(self, progress: Progress) -> Iterator[dict[str, tf.Tensor]]:
        """Batches of `progress.epoch` from `progress.epoch_step` on.

        Raises:
            UserError: where places are to be mined by positions that the
                pairs do not tell, or by descriptors that are not finite, or
                where no batch of the first epoch holds a negative.
        """
        if progress.epoch_step == 0:
            self._renew_neighbours(progress)
        return raising_user_errors(self._batches(progress))

    def _batches(self, progress: Progress) -> tf.data.Dataset:
        composed = self._compose(progress)
        self._look_for_negatives(composed)
        return train_batches(
            self.source,
            composed,
            augment=self.config.data.roll_and_mirror,
            color_jitter=self.config.data.color_jitter,
            blur=self.config.data.blur,
            jpeg_quality=self.config.data.jpeg_quality,
            seed=self.config.train.seed,
            epoch=progress.epoch,
            first_step=progress.epoch_step,
            positions=self.positions,
            same_place_metres=self.config.data.same_place_metres,
            images=self.images,
            share=(self.distribution.worker, self.distribution.workers),
        )

    def _look_for_negatives(self, batches: np.ndarray) -> None:
        """Before the first step: whether batches hold what is learnt from."""
        if self._looked:
            return
        self._looked = True
        metres = self.config.data.same_place_metres
        lacking = without_negatives(
            batches, self.images, self.positions, metres
        )
        message = (
            f"{lacking:,} of {len(batches):,} batches hold only places of one"
            f" aerial image or nearer to each other than"
            f" same_place_metres={metres:g}, so they teach nothing; a larger"
            " batch_size or a smaller radius leaves fewer of them"
        )
        if lacking == len(batches):
            raise UserError(message)
        if lacking:
            logging.warning(message)

    def _renew_neighbours(self, progress: Progress) -> None:
        """What the epoch that begins composes its batches from."""
        train, epoch = self.config.train, progress.epoch
        since = epoch - train.mining_start
        until = train.mining_by_position_until
        if epoch < until:
            if epoch == 0:
                progress.neighbours = self._for_all(self._near_on_map)
        elif not train.mining_start >= 0 <= since:
            progress.neighbours = None
        elif epoch == until or since % train.mining_every == 0:
            progress.neighbours = self._for_all(self._near_for_model)

    def _for_all(self, mine: Callable[[], np.ndarray]) -> np.ndarray:
        """The chief's hard negatives, on every worker.

        Machines round differently, and all must compose the same batches.
        """
        if self.distribution.is_chief:
            return self.distribution.from_chief(mine())
        places = len(self.source)
        count = min(self.config.train.mining_neighbours, places - 1)
        form = np.zeros((places, count), np.int64)
        return self.distribution.from_chief(form)

    def _near_on_map(self) -> np.ndarray:
        return nearest_places(
            self.positions,
            self.config.data.same_place_metres,
            self.config.train.mining_neighbours,
            self.images,
        )

    def _near_for_model(self) -> np.ndarray:
        with pair_bar("mine", len(self.source)) as bar:
            ground, satellite = evaluation.embed(
                self.model,
                validation_batches(self.config, self.source),
                bar.update,
                self.pairs,
            )
        return mine_hard_negatives(
            ground,
            satellite,
            self.positions,
            self.config.data.same_place_metres,
            self.config.train.mining_neighbours,
            images=self.images,
        )

    def _compose(self, progress: Progress) -> np.ndarray:
        """Rows of every batch of the epoch, int [steps, B]."""
        random = epoch_generator(self.config.train.seed, progress.epoch)
        size = self.config.train.batch_size
        if progress.neighbours is None:
            return mining.shuffled_batches(len(self.source), size, random)
        return mining.mined_batches(progress.neighbours, size, random)
