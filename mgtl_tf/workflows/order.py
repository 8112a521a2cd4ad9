"""Which places share a batch in each epoch, and those batches (R17, R18)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from mgtl_tf.config import DataConfig, TrainConfig
from mgtl_tf.datasets.batch_sampler import (
    kept_neighbours,
    mined_batches,
    shuffled_batches,
)
from mgtl_tf.datasets.hard_negatives import mine_hard_negatives, nearest_places
from mgtl_tf.datasets.negatives import Places
from mgtl_tf.datasets.pipeline import eval_batches, train_batches
from mgtl_tf.datasets.records import Pair, offsets_of
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.datasets.taking import on_one_gpu, raising_user_errors
from mgtl_tf.evaluation import embedding
from mgtl_tf.training.distribution import Distribution
from mgtl_tf.training.progress import Progress
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.features import first_block


class EpochOrder:
    """The rest of an epoch's batches: of neighbours, or shuffled.

    Neighbours are those on the map before `mining_by_position_until`, and
    the model's hard negatives from `mining_start` on. The order is a function
    of the seed, the epoch and `neighbours` alone, all of which a checkpoint
    holds: a resumed epoch has the very batches that were left.

    Args:
        data: augmentation, and the radius of a place.
        train: seed, batch sizes, mining.
        model: whose descriptors say which places are near (R18).
        source: the pixels, or the features of `feature_cache`.
        pairs: the records, in the order of the source's rows.
        distribution: whose chief mines for all workers, and which share of
            each batch this worker reads; default: one worker.
    """

    def __init__(
        self,
        data: DataConfig,
        train: TrainConfig,
        model: keras.Model,
        source: PairSource,
        pairs: Sequence[Pair],
        distribution: Distribution | None = None,
    ):
        self.data = data
        self.train = train
        self.model = model
        self.source = source
        self.pairs = pairs
        self.distribution = distribution or Distribution()
        self.places = Places.of(
            pairs, data.same_place_metres, data.exclude_overlap
        )
        self._first_block = first_block(data.feature_cache, train.freeze_blocks)
        self._checked = False

    def __call__(self, progress: Progress) -> Iterator[dict[str, tf.Tensor]]:
        """Batches of `progress.epoch` from `progress.epoch_step` on.

        Raises:
            UserError: where places are to be mined by positions that the
                pairs lack, or by descriptors that are not finite, or where
                no batch of the first epoch holds a negative.
        """
        if progress.epoch_step == 0:
            self._renew_neighbours(progress)
        rows = self.rows(progress)
        if not self._checked:
            self._require_negatives(rows)
            self._checked = True
        batches = train_batches(
            self.source,
            rows,
            augment=self.data.roll_and_mirror or self.data.roll_features,
            mirror=self.data.roll_and_mirror,
            orientation_noise=self.data.orientation_noise,
            color_jitter=self.data.color_jitter,
            blur=self.data.blur,
            jpeg_quality=self.data.jpeg_quality,
            seed=self.train.seed,
            epoch=progress.epoch,
            first_step=progress.epoch_step,
            places=self.places,
            share=(self.distribution.worker, self.distribution.workers),
            satellite_form=self.model.config.satellite_form,
            satellite_crop=self.data.satellite_crop,
            satellite_quarter_turns=self.data.satellite_quarter_turns,
            directions=self.model.config.orientation_channels,
            offsets=offsets_of(self.pairs) if self.model.offset_head else None,
        )
        return raising_user_errors(on_one_gpu(batches))

    def rows(self, progress: Progress) -> np.ndarray:
        """Rows of every batch of the epoch, int [steps, B]."""
        random = np.random.default_rng([self.train.seed, progress.epoch])
        size = self.train.batch_size
        if progress.neighbours is None:
            return shuffled_batches(len(self.source), size, random)
        neighbours = progress.neighbours
        if kept := self.train.mining_kept:
            neighbours = kept_neighbours(neighbours, kept, random)
        return mined_batches(neighbours, size, random)

    def _require_negatives(self, batches: np.ndarray) -> None:
        lacking = sum(not self.places.negatives(b).any() for b in batches)
        message = (
            f"{lacking:,} of {len(batches):,} batches hold only places of one"
            f" aerial image or nearer to each other than"
            f" same_place_metres={self.data.same_place_metres:g}"
            f"{' or of overlapping ones' * self.data.exclude_overlap}, so they"
            " teach nothing; a larger batch_size or a smaller radius leaves"
            " fewer of them"
        )
        if lacking == len(batches):
            raise UserError(message)
        if lacking:
            logging.warning(message)

    def _renew_neighbours(self, progress: Progress) -> None:
        train, epoch = self.train, progress.epoch
        since = epoch - train.mining_start
        until = train.mining_by_position_until
        if epoch < until:
            if epoch == 0:
                progress.neighbours = self._on_all_workers(self._near_on_map)
        elif not train.mining_start >= 0 <= since:
            progress.neighbours = None
        elif epoch == until or since % train.mining_every == 0:
            progress.neighbours = self._on_all_workers(self._hard_negatives)

    def _on_all_workers(self, mine: Callable[[], np.ndarray]) -> np.ndarray:
        """The chief's neighbours: machines round differently."""
        if self.distribution.is_chief:
            return self.distribution.from_chief(mine())
        places = len(self.source)
        count = min(self.train.mining_neighbours, places - 1)
        return self.distribution.from_chief(np.zeros((places, count), np.int64))

    def _near_on_map(self) -> np.ndarray:
        return nearest_places(self.places, self.train.mining_neighbours)

    def _hard_negatives(self) -> np.ndarray:
        batches = eval_batches(self.source, self.train.evaluation_batch_size)
        with embedding.pair_bar("mine", self.pairs) as bar:
            ground, satellite = embedding.embed(
                self.model, batches, bar.update, self.pairs, self._first_block
            )
        return mine_hard_negatives(
            ground,
            satellite,
            self.places,
            self.train.mining_neighbours,
            self.model.scorer,
        )
