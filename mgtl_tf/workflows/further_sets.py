"""A run measured on pairs of further data sets, in one joint gallery."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.config import DataConfig
from mgtl_tf.datasets.protocols import Protocol, ProtocolSource
from mgtl_tf.datasets.records import Pair
from mgtl_tf.evaluation.joint_pairs import JointPairs
from mgtl_tf.evaluation.measured_data import on_data, pairs_of, with_vigor
from mgtl_tf.evaluation.measuring import Measured, rank_measured
from mgtl_tf.evaluation.pair_encoder import PairInputs
from mgtl_tf.evaluation.ranks import DIRECTIONS, Ranks
from mgtl_tf.metrics import summary
from mgtl_tf.reproduction.further import (
    WITH_INTERVAL,
    binomial_interval,
    further_name,
    interval_text,
)
from mgtl_tf.reproduction.paper import RECALLS
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.inputs import read_data

FurtherSets = tuple[tuple[str, str], ...]
"""(name of a reader, folder) of each further data set."""

ALL_SETS = "all"


def read_joint(
    sets: FurtherSets,
    own: DataConfig,
    vigor_labels: str | None = None,
    vigor_protocol: str | None = None,
    image_size: tuple[int, int] | None = None,
) -> JointPairs:
    """The validation pairs of further sets, and what else their galleries hold.

    Args:
        sets: at least one.
        own: data config of the run that is to be measured on them.
        vigor_labels, vigor_protocol: of those that are VIGOR's; by default as
            of `own`.
        image_size: H, W of the run's panoramas, as of `on_data`.

    Raises:
        UserError: for an unknown set, a folder that is missing or cannot be
            read, or one without validation pairs.
    """
    configs = []
    for name, folder in sets:
        data = on_data(own, name, folder, image_size=image_size)
        data = dataclasses.replace(data, data_cache="", partial=False)
        if data.dataset == "vigor":
            data = with_vigor(data, vigor_labels, vigor_protocol)
        configs.append(data)
    names = _names(sets)
    found, others = [], []
    for name, data in zip(names, configs, strict=True):
        if not Path(data.data_dir).is_dir():
            raise UserError(
                f"also={name}: {data.data_dir} is no folder; name the one that"
                " holds this data set"
            )
        records = read_data(data)
        pairs = pairs_of(records, data.data_dir, "validation")
        found.append(_of_set(name, pairs))
        others.append(_of_set(name, records.distractors))
    return JointPairs(names, tuple(configs), tuple(found), tuple(others))


def _of_set(name: str, pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Without positions and neighbours, which other sets do not count by."""
    return tuple(
        dataclasses.replace(
            pair, id=f"{name}:{pair.id}", position=None, tiles=None
        )
        for pair in pairs
    )


def _names(sets: FurtherSets) -> tuple[str, ...]:
    """The sets' names; the folder's follows where two are of one kind."""
    kinds = [name for name, _ in sets]
    names = [
        name if kinds.count(name) == 1 else f"{name}:{Path(folder).name}"
        for name, folder in sets
    ]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice:
        raise UserError(f"also={twice}: named twice; name each set once")
    return tuple(names)


@dataclass(frozen=True)
class _MeasuredSets(Measured):
    """Several data sets in one gallery."""

    joint: JointPairs


def measure_further(
    run_dir: Path | str,
    sets: FurtherSets,
    checkpoint: str = "best",
    runner: str = "local",
    ray_address: str = "",
    **options: Any,
) -> str:
    """Recall of a run's model in the joint gallery of further sets.

    A panorama is right where its own aerial image is first among those of
    all sets. Figures and ranks are also written to the run folder, to
    `evaluation-also-SETS-GALLERY.json` and `...-ranks.npz`.

    Args:
        run_dir, checkpoint: as of `open_split`.
        sets: as of `read_joint`.
        runner, ray_address: as of `rank_measured`.
        options: `protocol` and `protocol_seed` as of `open_split`;
            `vigor_labels` and `vigor_protocol` as of `read_joint`.

    Returns:
        A text table: a line for all pairs and one for those of each set.

    Raises:
        UserError: as `evaluate_run` and `read_joint`.
    """
    found, ranks = rank_measured(
        partial(_open_sets, run_dir, sets, checkpoint, **options),
        runner,
        ray_address,
    )
    trained, joint, shown = found.trained, found.joint, found.protocol
    result = {
        "trained_on": trained.data.dataset,
        "folders": [folder for _, folder in sets],
        "checkpoint": checkpoint,
        "gallery": ranks.gallery,
        "backbone_digest": trained.start.backbone_digest,
        **_figures(ranks, joint, shown),
    }
    stem = f"{run_dir}/{joint.stem}{shown.file_suffix}"
    ranks.save(Path(f"{stem}-ranks.npz"))
    atomic_write(f"{stem}.json", json.dumps(result, indent=2) + "\n")
    return "\n".join([_format(result, joint), *trained.start.notes])


def _open_sets(
    run_dir: Path | str,
    sets: FurtherSets,
    checkpoint: str,
    protocol: str = "aligned",
    protocol_seed: int = 0,
    vigor_labels: str | None = None,
    vigor_protocol: str | None = None,
    cached: bool = True,
) -> _MeasuredSets:
    """Opens the run's model and the sets, of which nothing is cached."""
    del cached
    trained, model = load_model(run_dir, checkpoint)
    size, form = trained.model.image_size, trained.model.input_form
    joint = read_joint(sets, trained.data, vigor_labels, vigor_protocol, size)
    shown, pairs = Protocol(protocol, protocol_seed), joint.pairs
    inputs = PairInputs(
        model,
        ProtocolSource(joint.source(form), pairs, shown),
        trained.train.evaluation_batch_size,
        aerial=joint.distractor_source(form) if joint.distractors else None,
    )
    return _MeasuredSets(
        trained, shown, pairs, joint.distractors, inputs, joint
    )


def _figures(ranks: Ranks, joint: JointPairs, shown: Protocol) -> dict:
    """Recall of all pairs and of each set, with intervals."""
    result = ranks.result(shown.name)
    result["sets"] = {}
    for name, rows in _rows(joint).items():
        found = summary(
            ranks.forth.place[rows], ranks.forth.ties[rows], ranks.places
        )
        count = len(ranks.forth.place[rows])
        intervals = {
            key: binomial_interval(found[key], count) for key in WITH_INTERVAL
        }
        result["sets"][name] = {"pairs": count, **found, "95 %": intervals}
    return result


def _rows(joint: JointPairs) -> dict[str, slice]:
    """All pairs' rows, and those of each set."""
    ends = np.cumsum([len(pairs) for pairs in joint.sets]).tolist()
    starts = [0, *ends[:-1]]
    own = map(slice, starts, ends)
    own_rows = dict(zip(joint.names, own, strict=True))
    return (
        own_rows if len(own_rows) == 1 else {ALL_SETS: slice(None), **own_rows}
    )


def _format(result: dict[str, Any], joint: JointPairs) -> str:
    # Not at import: pandas takes a second.
    import pandas

    rows = {name: _cells(found) for name, found in result["sets"].items()}
    name = f"{further_name(joint.names)}, {result['protocol']}"
    frame = pandas.DataFrame(rows).T.rename_axis(index=name)
    sides = ["left", *["right"] * len(frame.columns)]
    table = frame.to_markdown(
        tablefmt="plain", colalign=sides, disable_numparse=True
    )
    size, count = result["gallery_size"], result["panoramas"]
    others = ""
    if alone := result.get("distractors"):
        others = f", {alone:,} of which are of none of them"
    return (
        f"{table}\n{DIRECTIONS[0].replace('_', ' ')}; one joint gallery:"
        f" {size:,} distinct aerial images of {count:,} panoramas{others}"
    )


def _cells(found: dict[str, Any]) -> dict[str, str]:
    cells = {"pairs": f"{found['pairs']:,}"}
    for key in RECALLS:
        cells[key] = f"{100 * found[key]:.2f} %"
        if key in WITH_INTERVAL:
            cells[f"{key}, 95 %"] = interval_text(found[key], found["pairs"])
    return cells | {"median rank": f"{found['median_rank']:,.1f}"}


def further_ranks_path(run_dir: Path, joint: JointPairs) -> Path:
    """Where `measure_further` writes the ranks of the aligned protocol."""
    return run_dir / f"{joint.stem}-ranks.npz"
