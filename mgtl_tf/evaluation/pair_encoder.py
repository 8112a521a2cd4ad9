"""Descriptors of pairs by jobs of some rows each, done in other processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.evaluation.embedding import embed, embed_aerial, require_finite
from mgtl_tf.utils.top_k import slices

_BATCHES = 4
"""Of a job: beginning one takes far less time than they do."""

Job = tuple[bool, range]
"""Whether rows are of pairs or of aerial images alone, and which."""

Described = tuple[np.ndarray, np.ndarray]

RunJobs = Callable[
    [Callable[[Job], Described], Sequence[Job]], Iterable[Described]
]
"""Calls a function, which is pickled, for every job; results in their order."""


@dataclass(frozen=True)
class PairInputs:
    """A model and the images that it describes.

    Attributes:
        model: holding the weights of a run.
        source: images or cached features of the pairs.
        batch_size: B.
        first_block, encode: as of `embed`.
        aerial: images of no panorama; None where there are none.
    """

    model: keras.Model
    source: PairSource
    batch_size: int
    first_block: int = 0
    encode: Callable[..., tuple[Any, Any]] | None = None
    aerial: PairSource | None = None


class PairEncoder:
    """Descriptors of a job's rows, by a model and sources of its own.

    It is sent to another process as what opens them there, at the first job.

    Args:
        open_inputs: picklable, without arguments.
    """

    def __init__(self, open_inputs: Callable[[], PairInputs]):
        self.open_inputs = open_inputs

    @cached_property
    def _inputs(self) -> PairInputs:
        return self.open_inputs()

    def __call__(self, job: Job) -> Described:
        """Ground and satellite descriptors, float32 [n, D]; see `embed`."""
        of_pairs, rows = job
        own = self._inputs
        if of_pairs:
            return embed(
                own.model,
                eval_batches(own.source, own.batch_size, rows),
                first_block=own.first_block,
                encode=own.encode,
            )
        if own.aerial is None:
            raise ValueError("there are no aerial images alone")
        batches = eval_batches(own.aerial, own.batch_size, rows)
        return np.empty((len(rows), 0)), embed_aerial(own.model, batches)


def embed_by_jobs(
    run: RunJobs,
    open_inputs: Callable[[], PairInputs],
    batch_size: int,
    pairs: Sequence[Pair],
    distractors: Sequence[Pair] = (),
    progress: Callable[[int], Any] | None = None,
) -> Described:
    """What `embed` and `with_aerial` give, to the digit.

    Args:
        run: such as `by_ray`.
        open_inputs: as of `PairEncoder`.
        batch_size: of the inputs.
        pairs, distractors: records of their sources, in the same order.
        progress: as of `embed`.

    Returns:
        ground and satellite descriptors, float32 [Q, D] and [R, D].

    Raises:
        UserError: as `embed`, or of `run`.
    """
    size, count = _BATCHES * batch_size, len(pairs)
    jobs = [
        (of_pairs, range(number)[part])
        for of_pairs, number in ((True, count), (False, len(distractors)))
        for part in slices(number, size)
    ]
    ground, satellite = (np.empty((0, 0), np.float32) for _ in "gs")
    results = run(PairEncoder(open_inputs), jobs)
    for (of_pairs, rows), parts in zip(jobs, results, strict=True):
        if not len(ground):
            # As in `embed`: joined in the end they would take twice as much.
            ground, satellite = (
                np.empty((rows_in_all, part.shape[1]), np.float32)
                for rows_in_all, part in zip(
                    (count, count + len(distractors)), parts, strict=True
                )
            )
        if of_pairs:
            ground[rows.start : rows.stop] = parts[0]
        first = rows.start if of_pairs else count + rows.start
        satellite[first : first + len(rows)] = parts[1]
        if progress is not None:
            progress(len(rows))
    require_finite(ground, satellite[:count], pairs)
    alone = satellite[count:]
    require_finite(alone[:, :1], alone, distractors)
    return ground, satellite
