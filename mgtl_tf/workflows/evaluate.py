"""Evaluating a trained run: descriptors, recall, a table and a file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mgtl_tf.analysis.knowledge import ExchangedKnowledge, whole_batches
from mgtl_tf.config import DataConfig
from mgtl_tf.datasets.protocols import (
    ALIGNED,
    HIT_METRES,
    Protocol,
    ProtocolSource,
)
from mgtl_tf.datasets.records import Dataset, Pair
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.evaluation.measured_data import (
    elsewhere,
    on_data,
    pairs_of,
    trained_on_tested,
    transfer,
    with_vigor,
)
from mgtl_tf.evaluation.measuring import Measured, rank_measured
from mgtl_tf.evaluation.pair_encoder import PairInputs
from mgtl_tf.evaluation.result_text import format_table
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.features import open_inputs
from mgtl_tf.workflows.inputs import (
    beside_figures,
    open_gallery,
    open_source,
    read_data,
)


@dataclass(frozen=True)
class MeasuredSplit(Measured):
    """A split of a data set.

    Attributes:
        data: how its files are read.
        records: all of the data set.
        split: "train" or "validation".
    """

    data: DataConfig
    records: Dataset
    split: str

    @property
    def name(self) -> str:
        """In the names of files."""
        return _name(self.trained.data, self.data, self.split)


def evaluate_run(
    run_dir: Path | str,
    dataset: str | None = None,
    data_dir: str | None = None,
    *,
    runner: str = "local",
    ray_address: str = "",
    **options: Any,
) -> str:
    """Recall of a run's model on a split, as a text table.

    The figures are also written to `evaluation-DATASET-SPLIT.json` in the
    run folder (the name of another folder of the same data set, and that of
    another protocol, follow the split's), with the protocol, the data and
    the checkpoint; the rank of every query to `...-ranks.npz` beside it.

    Args:
        run_dir, dataset, data_dir, options: as of `open_split`.
        runner, ray_address: as of `rank_measured`.

    Raises:
        UserError: as `open_split` and `rank_measured`.
    """
    found, ranks = rank_measured(
        partial(open_split, run_dir, dataset, data_dir, **options),
        runner,
        ray_address,
    )
    trained, data = found.trained, found.data
    result = ranks.result(found.protocol.name) | beside_figures(found.records)
    if leak := trained_on_tested(trained.data, data):
        result["remarks"] = [*result.get("remarks", []), leak]
    facts = {
        "trained_on": trained.data.dataset,
        "evaluated_on": data.dataset,
        "split": found.split,
        "data_dir": data.data_dir,
        "checkpoint": options.get("checkpoint", "best"),
        "gallery": ranks.gallery,
        "backbone_digest": trained.start.backbone_digest,
    }
    stem = f"{run_dir}/evaluation-{found.name}{found.protocol.file_suffix}"
    ranks.save(Path(f"{stem}-ranks.npz"))
    text = json.dumps({**facts, **result}, indent=2) + "\n"
    atomic_write(f"{stem}.json", text)
    return "\n".join([format_table(result), *trained.start.notes])


def open_split(
    run_dir: Path | str,
    dataset: str | None = None,
    data_dir: str | None = None,
    split: str = "validation",
    checkpoint: str = "best",
    protocol: str = "aligned",
    protocol_seed: int = 0,
    hit_metres: float | None = None,
    knowledge: str = "",
    data_cache: str | None = None,
    feature_cache: str | None = None,
    partial: bool | None = None,
    vigor_labels: str | None = None,
    vigor_protocol: str | None = None,
    cached: bool = True,
) -> MeasuredSplit:
    """Opens a run's model and a split of its data, or of others.

    Args:
        run_dir: what experiments.train wrote.
        dataset, data_dir: other data; the run's own by default. Of another
            data set's panoramas its preset's rows are kept, of spheres those
            that a run on spheres keeps.
        split: "train" or "validation".
        checkpoint: "best" or "last".
        protocol: how the panoramas are shown, one of `protocol.DEGREES`.
        protocol_seed: of its random azimuths.
        hit_metres: 0: only a query's own pair is right; otherwise any answer
            within so many metres; by default the data set's own rule.
        knowledge: what attention reads, of `KNOWLEDGE`; empty: what the
            model generates.
        data_cache: what experiments.prepare wrote of the data; by default
            the run's own, where its own data are meant.
        feature_cache: where the output of the run's fixed blocks is kept; by
            default the run's own, where its own data are meant. Only the
            aligned protocol reads it.
        partial: whether pairs that the cache lacks are left out; by default
            as the run was trained, where its own data are meant.
        vigor_labels, vigor_protocol: of VIGOR; by default the run's own.
        cached: whether decoded images and features may be kept beside the
            run, which one process at a time can do.

    Raises:
        UserError: for a run or data that cannot be read, an empty split, a
            protocol that the data cannot follow, features that must be kept,
            or shuffled knowledge in batches of one pair.
    """
    trained, model = load_model(run_dir, checkpoint)
    data = on_data(
        trained.data,
        dataset,
        data_dir,
        data_cache,
        feature_cache,
        trained.model.image_size,
    )
    data = with_vigor(data, vigor_labels, vigor_protocol)
    if partial is not None:
        data = dataclasses.replace(data, partial=partial)
    if hit_metres is None:
        hit_metres = HIT_METRES.get(data.dataset, 0.0)
    shown = Protocol(
        protocol,
        protocol_seed,
        hit_metres,
        transfer(trained.data.dataset, data.dataset),
        knowledge,
    )
    encode = ExchangedKnowledge(model, knowledge) if knowledge else None
    records = read_data(data)
    pairs = pairs_of(records, data.data_dir, split)
    size = trained.train.evaluation_batch_size
    size = whole_batches(knowledge, size, len(pairs))
    own = (data_dir, data.dataset, data.reader_options) == (
        None,
        trained.data.dataset,
        trained.data.reader_options,
    )
    name = split if own else _name(trained.data, data, split)
    cache, form = Path(run_dir) / "cache" / name, trained.model.input_form
    read = data
    if protocol != ALIGNED.name:
        # Panoramas that are turned or cropped have other features.
        read = dataclasses.replace(read, feature_cache="", roll_features=False)
    if not cached:
        read = _without_caches(read)

    def pixels() -> PairSource:
        return ProtocolSource(
            open_source(read, form, pairs, cache), pairs, shown
        )

    source, first_block = open_inputs(
        read, trained.train.freeze_blocks, model, pairs, pixels
    )
    others = records.distractors if split == "validation" else ()
    if others and encode:
        raise UserError(
            f"knowledge={knowledge}: needs pairs, and of the gallery of"
            f" {data.data_dir} {len(others):,} images have no panorama"
        )
    aerial = open_gallery(read, form, others, cache) if others else None
    inputs = PairInputs(model, source, size, first_block, encode, aerial)
    return MeasuredSplit(
        trained, shown, pairs, others, inputs, data, records, split
    )


def _without_caches(data: DataConfig) -> DataConfig:
    if data.feature_cache:
        raise UserError(
            f"feature_cache={data.feature_cache}: runner=ray reads no features"
            " that one machine keeps; give runner=local, or an empty"
            " feature_cache, which computes all from the images"
        )
    return dataclasses.replace(data, cache="none")


def _name(trained: DataConfig, data: DataConfig, split: str) -> str:
    return f"{data.dataset}-{split}{elsewhere(trained, data)}"


def read_split(data: DataConfig, split: str) -> tuple[Pair, ...]:
    """The pairs of a split.

    Raises:
        UserError: for data that cannot be read, or without such pairs.
    """
    return pairs_of(read_data(data), data.data_dir, split)
