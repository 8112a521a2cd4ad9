"""Evaluating a trained run: descriptors, recall, a table and a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from mgtl_tf.analysis.knowledge import ExchangedKnowledge
from mgtl_tf.config import DataConfig
from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.preprocess import strip_of_sphere
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

_SPHERE = (1, 2)
"""Height and width of VIGOR's panoramas, up to a scale."""


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
    vigor_labels: str | None = None,
    vigor_protocol: str | None = None,
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
        vigor_labels, vigor_protocol: of VIGOR; by default the run's own.

    Raises:
        UserError: for a run or data that cannot be read, an empty split, or
            a protocol that the data cannot follow.
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
        _transfer(trained.data.dataset, data.dataset),
        knowledge,
    )
    encode = ExchangedKnowledge(model, knowledge) if knowledge else None
    records = read_data(data)
    pairs = pairs_of(records, data.data_dir, split)
    name = f"{data.dataset}-{split}{_elsewhere(trained.data, data)}"
    own = data_dir is None and (
        data.reader_options == trained.data.reader_options
    )
    cache = Path(run_dir) / "cache" / (split if own else name)
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
    if leak := trained_on_tested(trained.data, data):
        result["remarks"] = [*result.get("remarks", []), leak]
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
    image_size: tuple[int, int] | None = None,
) -> DataConfig:
    """A run's data config for other data, read by the preset of their kind.

    Its caches are of its own data, and not used for others. Of VIGOR's whole
    spheres the middle rows are kept, where a network of `image_size` reads
    strips.
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
        if dataset == "vigor" and image_size:
            crop = strip_of_sphere(_SPHERE, image_size)
        data = dataclasses.replace(data, dataset=dataset, ground_crop=crop)
    return dataclasses.replace(data, data_dir=data_dir or own.data_dir)


def with_vigor(
    data: DataConfig, labels: str | None, protocol: str | None
) -> DataConfig:
    """A data config with another label set or protocol of VIGOR.

    Args:
        data: of any data set.
        labels, protocol: None: those of `data`.

    Raises:
        UserError: where one is given and the data are not VIGOR's.
    """
    asked = {"vigor_labels": labels, "vigor_protocol": protocol}
    given: dict[str, Any] = {
        name: value for name, value in asked.items() if value is not None
    }
    if given and data.dataset != "vigor":
        name, value = next(iter(given.items()))
        raise UserError(
            f"{name}={value}: belongs to dataset=vigor, and these data are"
            f" {data.dataset}'s"
        )
    return dataclasses.replace(data, **given)


def trained_on_tested(trained: DataConfig, data: DataConfig) -> str:
    """What to say of a same-area run on VIGOR's cross-area test; or ""."""
    areas = trained.vigor_protocol, data.vigor_protocol
    both = trained.dataset == data.dataset == "vigor"
    if not both or areas[0] == areas[1]:
        return ""
    if areas == ("same", "cross"):
        return (
            "trained on vigor_protocol=same: half of these test panoramas were"
            " trained on; these are no cross-area figures"
        )
    return (
        "trained on vigor_protocol=cross: test panoramas of the cities that it"
        " was trained on were trained on; these are no same-area figures"
    )


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
    """Ends the file name of another folder, or labels or protocol of VIGOR,
    than the run's own."""
    options = data.reader_options.values()
    differ = data.reader_options != trained.reader_options
    ending = "".join(f"-{value}" for value in options) if differ else ""
    if data.dataset != trained.dataset or _same_folder(
        data.data_dir, trained.data_dir
    ):
        return ending
    return f"-{Path(data.data_dir).resolve().name}{ending}"


def _transfer(trained: str, evaluated: str) -> str:
    """Empty for one data set; CVACT's test set is CVACT as well."""
    families = {name.removesuffix("_test") for name in (trained, evaluated)}
    return "" if len(families) == 1 else f"{trained} to {evaluated}"
