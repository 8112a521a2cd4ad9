"""Ranks of what a run is measured on, by this process or by Ray's actors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.protocols import Protocol
from mgtl_tf.datasets.records import Pair
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.evaluation.embedding import pair_bar
from mgtl_tf.evaluation.pair_encoder import PairInputs, embed_by_jobs
from mgtl_tf.evaluation.ranks import Ranks
from mgtl_tf.utils.ray_jobs import by_ray, connect_ray


@dataclass(frozen=True)
class Measured:
    """A run and what it is measured on, opened.

    Attributes:
        trained: the run's config.
        protocol: how panoramas are shown.
        pairs: the queries and their places.
        distractors: aerial images of no panorama, as pairs.
        inputs: the model and their images.
    """

    trained: RunConfig
    protocol: Protocol
    pairs: Sequence[Pair]
    distractors: Sequence[Pair]
    inputs: PairInputs


Opened = TypeVar("Opened", bound=Measured)


def rank_measured(
    opening: Callable[..., Opened], runner: str, ray_address: str
) -> tuple[Opened, Ranks]:
    """What is measured, and the rank of every query.

    Args:
        opening: gives what is measured; picklable. With `cached=False` it
            neither reads nor makes a cache beside the run.
        runner: "local" makes descriptors in this process; "ray" in actors,
            which must see the run and the data under the same paths.
        ray_address: of a Ray cluster; "" starts Ray on this machine.

    Raises:
        UserError: for an image that cannot be read, descriptors that are not
            finite, or a cluster that is not there.
    """
    found = opening(cached=runner == "local")
    own, pairs, others = found.inputs, found.pairs, found.distractors
    if runner == "ray":
        connect_ray(ray_address)
    with pair_bar("evaluate", [*pairs, *others]) as bar:
        if runner == "ray":
            opened = partial(_inputs_of, opening)
            ground, satellite = embed_by_jobs(
                by_ray, opened, own.batch_size, pairs, others, bar.update
            )
            return found, evaluation.rank_described(
                own.model, ground, satellite, pairs, others, found.protocol
            )
        return found, evaluation.rank_model(
            own.model,
            eval_batches(own.source, own.batch_size),
            pairs,
            bar.update,
            found.protocol,
            own.first_block,
            own.encode,
            (others, eval_batches(own.aerial, own.batch_size))
            if own.aerial
            else None,
        )


def _inputs_of(opening: Callable[..., Measured]) -> PairInputs:
    return opening(cached=False).inputs
