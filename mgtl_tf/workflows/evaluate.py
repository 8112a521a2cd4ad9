"""Evaluating a trained run: descriptors, recall, a table and a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from mgtl_tf.analysis.knowledge import ExchangedKnowledge
from mgtl_tf.config import DataConfig
from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.protocols import (
    ALIGNED,
    HIT_METRES,
    Protocol,
    ProtocolSource,
)
from mgtl_tf.datasets.records import Dataset, Pair
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.evaluation.result_text import format_table
from mgtl_tf.presets import load_preset
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.features import open_inputs
from mgtl_tf.workflows.inputs import (
    beside_figures,
    open_gallery,
    open_source,
    pair_bar,
    read_data,
)


def evaluate_run(
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
) -> str:
    """Recall of a run's model on a split, as a text table.

    The figures are also written to `evaluation-DATASET-SPLIT.json` in the
    run folder (the name of another folder of the same data set, and that of
    another protocol, follow the split's), with the protocol, the data and
    the checkpoint; the rank of every query to `...-ranks.npz` beside it.

    Args:
        run_dir: what experiments.train wrote.
        dataset, data_dir: other data; the run's own by default. The rows
            kept of another data set's panoramas are those of its preset.
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

    Raises:
        UserError: for a run or data that cannot be read, an empty split, or
            a protocol that the data cannot follow.
    """
    trained, model = load_model(run_dir, checkpoint)
    data = on_data(trained.data, dataset, data_dir, data_cache, feature_cache)
    if partial is not None:
        data = dataclasses.replace(data, partial=partial)
    if hit_metres is None:
        hit_metres = HIT_METRES.get(data.dataset, 0.0)
    shown = Protocol(
        protocol,
        protocol_seed,
        hit_metres,
        _transfer(trained.data.dataset, data.dataset),
        knowledge,
    )
    encode = ExchangedKnowledge(model, knowledge) if knowledge else None
    records = read_data(data)
    pairs = pairs_of(records, data.data_dir, split)
    name = f"{data.dataset}-{split}{_elsewhere(trained.data, data)}"
    cache = Path(run_dir) / "cache" / (split if data_dir is None else name)
    if protocol != ALIGNED.name:
        # Panoramas that are turned or cropped have other features.
        data = dataclasses.replace(data, feature_cache="", roll_features=False)

    def pixels() -> PairSource:
        form = trained.model.input_form
        source = open_source(data, form, pairs, cache)
        return ProtocolSource(source, pairs, shown)

    source, first_block = open_inputs(
        data, trained.train.freeze_blocks, model, pairs, pixels
    )
    size = trained.train.evaluation_batch_size
    others = records.distractors if split == "validation" else ()
    distractors = None
    if others:
        if encode:
            raise UserError(
                f"knowledge={knowledge}: needs pairs, and of the gallery of"
                f" {data.data_dir} {len(others):,} images have no panorama"
            )
        form = trained.model.input_form
        tiles = open_gallery(data, form, others, cache)
        distractors = others, eval_batches(tiles, size)
    with pair_bar("evaluate", [*pairs, *others]) as bar:
        ranks = evaluation.rank_model(
            model,
            eval_batches(source, size),
            pairs,
            bar.update,
            shown,
            first_block,
            encode,
            distractors,
        )
    result = ranks.result(shown.name) | beside_figures(records)
    facts = {
        "trained_on": trained.data.dataset,
        "evaluated_on": data.dataset,
        "split": split,
        "data_dir": data.data_dir,
        "checkpoint": checkpoint,
        "gallery": ranks.gallery,
        "backbone_digest": trained.start.backbone_digest,
    }
    stem = f"{run_dir}/evaluation-{name}{shown.file_suffix}"
    ranks.save(Path(f"{stem}-ranks.npz"))
    text = json.dumps({**facts, **result}, indent=2) + "\n"
    atomic_write(f"{stem}.json", text)
    return "\n".join([format_table(result), *trained.start.notes])


def on_data(
    own: DataConfig,
    dataset: str | None,
    data_dir: str | None,
    data_cache: str | None = None,
    feature_cache: str | None = None,
) -> DataConfig:
    """A run's data config for other data, read by the preset of their kind.

    Its caches are of its own data, and not used for others.
    """
    data = own
    if data_dir and not _same_folder(data_dir, own.data_dir):
        data = dataclasses.replace(
            data,
            data_cache="",
            feature_cache="",
            roll_features=False,
            partial=own.partial and data_cache is not None,
        )
    if data_cache is not None:
        data = dataclasses.replace(data, data_cache=data_cache)
    if feature_cache is not None:
        data = dataclasses.replace(data, feature_cache=feature_cache)
    if dataset and dataset != own.dataset:
        # A run on CVUSA keeps all rows, of which CVACT has twice too many.
        crop = load_preset(dataset).data.ground_crop
        data = dataclasses.replace(data, dataset=dataset, ground_crop=crop)
    return dataclasses.replace(data, data_dir=data_dir or own.data_dir)


def read_split(data: DataConfig, split: str) -> tuple[Pair, ...]:
    """The pairs of a split.

    Raises:
        UserError: for data that cannot be read, or without such pairs.
    """
    return pairs_of(read_data(data), data.data_dir, split)


def pairs_of(records: Dataset, data_dir: str, split: str) -> tuple[Pair, ...]:
    """The pairs of a split, at least one.

    Raises:
        UserError: where there is none.
    """
    pairs = records.train if split == "train" else records.validation
    if not pairs:
        raise UserError(f"{data_dir}: has no pairs in its {split} split")
    return pairs


def _same_folder(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _elsewhere(trained: DataConfig, data: DataConfig) -> str:
    """Ends the file name of another folder of the run's own data set."""
    if data.dataset != trained.dataset or _same_folder(
        data.data_dir, trained.data_dir
    ):
        return ""
    return f"-{Path(data.data_dir).resolve().name}"


def _transfer(trained: str, evaluated: str) -> str:
    """Empty for one data set; CVACT's test set is CVACT as well."""
    families = {name.removesuffix("_test") for name in (trained, evaluated)}
    return "" if len(families) == 1 else f"{trained} to {evaluated}"
