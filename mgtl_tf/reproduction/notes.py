"""The lines below a table: what its figures are of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mgtl_tf.reproduction.cells import (
    NOT_COMPARED,
    SIGNIFICANT,
    compared_with,
)
from mgtl_tf.reproduction.comparison import RESAMPLES
from mgtl_tf.reproduction.further import further_note
from mgtl_tf.reproduction.paper import paper_rows
from mgtl_tf.reproduction.results import CONTROLS, RowResult, RunResult, Table
from mgtl_tf.reproduction.rows import STARTED_FROM, TABLES, TODAY

_NO_FLOPS = (
    "Parameters (cut after two decimals, as the paper's) and multiply-adds of"
    " a pair are those of the paper's network at the paper's size, whatever"
    " was trained. The paper's FLOPs cannot be reproduced: at 112 x 616 one"
    " VGG-16 branch alone takes 21.1 G multiply-adds."
)
_AS_TRAINED = (
    "Parameters (both views, frozen blocks included), multiply-adds of a pair,"
    " bytes of a descriptor (float32) and the time of one panorama's are of the"
    " networks that were trained here, on the machine named here."
)
_COSTS = (
    "Networks at their published size, both views together, untrained;"
    " parameters are cut after two decimals, as the paper's. Time and memory"
    " (of the whole process) are of the machine named here.",
    "Paper, MGTL: 72.29M cannot be reproduced. No reading of the paper gives"
    " it, and its own Table 2 says 79.27M of the same model.",
)
_SYNTHETIC = (
    "Ours are on a synthetic world{}: they are not CVUSA or CVACT results, and"
    " only their order can be compared with the paper's."
)

_PUBLISHED = (
    "Published figures are as their sources print them, none of them measured"
    " here: the epoch is chosen on the reported split, ties count for the"
    " model, and K of r@1% is {}."
)
_ON_VIGOR = (
    "On VIGOR every tile of the tested cities is in the gallery, and the three"
    " that overlap a panorama's own are wrong in r@K; the hit rate by VIGOR's"
    " code ignores them and asks that no other tile be at least as near. The"
    " hit rates and what lies within 10 m are as they were stored of each run."
)


def notes_of(table: Table) -> list[str]:
    """The lines below the table."""
    if table.number == 3:
        return [*_COSTS, *table.notes]
    notes = [
        "Per cent, ground to satellite; mean ± standard deviation over"
        f" {_seeds(table)}; ties count against the model (R20)."
    ]
    if table.number not in NOT_COMPARED:
        notes.append(
            f"Δ r@1: percentage points more than {_other(table)}, and the 95 %"
            f" interval of {RESAMPLES:,} paired resamples of the queries."
            f" {SIGNIFICANT}: the interval leaves out zero and the difference"
            " is more than twice the standard error over seeds."
        )
    notes += _order(table)
    notes += _origin(table)
    notes += [further_note(table.further)] if table.further else []
    notes += _pairs_seen(table.rows)
    notes += _training_time(table.rows)
    notes += _precisions(table.rows)
    notes += _backbones(table.rows)
    if table.synthetic:
        notes.append(_SYNTHETIC.format(_start(table.rows)))
    notes += [_NO_FLOPS] if table.number == 2 else []
    if table.number == TODAY:
        both = "906 or 907 (same-area), 465 or 466 (cross-area)"
        notes.append(_PUBLISHED.format(both if table.areas else "88 or 89"))
    notes += [_ON_VIGOR] if table.areas else []
    costed = any(row.complexity for row in table.rows)
    if table.number in (1, TODAY) and costed:
        notes.append(_AS_TRAINED)
    return [*notes, *table.notes]


def _other(table: Table) -> str:
    """What a row's r@1 is compared with."""
    if table.number in (CONTROLS, 4):
        return "w/ CMI, L = 6"
    if table.number != TODAY:
        return "our row above"
    titles = {row.key: row.title for row in table.rows}
    pairs = compared_with(table.number, table.rows).items()
    listed = "; ".join(f"{titles[k]}: {titles[other]}" for k, other in pairs)
    return "the row that it changes" + (f" ({listed})" if listed else "")


def _order(table: Table) -> list[str]:
    """Where the paper's order of two rows on CVUSA is found here as well."""
    if table.number not in TABLES:
        return []
    printed = {
        paper["row"]: float(paper["cvusa"].split()[0])
        for paper in paper_rows(table.number)
        if paper["row"] and paper["cvusa"][:1].isdigit()
    }
    titles = {row.key: row.title for row in table.rows}
    found: dict[str, list[str]] = {}
    for key, other in compared_with(table.number, table.rows).items():
        difference = next(r.difference for r in table.rows if r.key == key)
        if difference and printed.keys() >= {key, other}:
            papers = printed[key] - printed[other]
            better, worse = (key, other) if papers > 0 else (other, key)
            verdict = "not decided"
            if difference.is_significant:
                same = difference.mean * papers > 0
                verdict = "found here too" if same else "reversed here"
            pair = f"{titles[better]} above {titles[worse]}"
            found.setdefault(verdict, []).append(pair)
    if not found:
        return []
    listed = "; ".join(
        f"{verdict}: {', '.join(pairs)}" for verdict, pairs in found.items()
    )
    return [f"The paper's order of r@1 on CVUSA is {listed}."]


def _seeds(table: Table) -> str:
    """Such as "seeds 0, 1", and how many of them rows with fewer have."""
    text = f"seeds {', '.join(map(str, table.seeds))}"
    counts = {row.title: len(row.runs) for row in table.rows if row.runs}
    fewer = [
        f"{title} {count}"
        for title, count in counts.items()
        if count < len(table.seeds)
    ]
    return f"{text} (how many of them: {'; '.join(fewer)})" if fewer else text


def _origin(table: Table) -> list[str]:
    """What the figures rest on: ranks, or recalls alone."""
    if table.gallery:
        what = "recall" if table.areas else "figure"
        return [
            f"Every {what} is recomputed from the stored rank of every query;"
            f" digest of the gallery: {table.gallery}."
        ]
    if not table.has_recall:
        return []
    return [
        "No ranks of these runs are left: the cells rest on the recalls that"
        " were stored of each run, Δ r@1 on the difference that was stored."
    ]


def _training_time(rows: Sequence[RowResult]) -> list[str]:
    """Of all runs, where it is known of each."""
    minutes = [run.train_seconds / 60 for row in rows for run in row.runs]
    if not minutes or not all(minutes):
        return []
    return [
        f"Training took {sum(minutes) / 60:.1f} hours in all,"
        f" {min(minutes):.1f} to {max(minutes):.1f} minutes a run, by the"
        " clock, whatever else the machine did."
    ]


def _precisions(rows: Sequence[RowResult]) -> list[str]:
    """What runs were trained in, where known."""
    found = _by_title(rows, lambda run: run.precision or "unknown")
    return _of_every_row("Trained in", "Precision of training", found)


def _backbones(rows: Sequence[RowResult]) -> list[str]:
    """Digests of the weights that backbones began with, where known."""
    found = _by_title(rows, lambda run: run.backbone_digest[:16] or "none")
    return _of_every_row(
        "Digest of every backbone's weights:",
        "Digest of the backbone's weights",
        found,
    )


def _by_title(
    rows: Sequence[RowResult], text_of: Callable[[RunResult], str]
) -> dict[str, str]:
    """Row title to the texts of its runs, each once."""
    return {
        row.title: ", ".join(sorted({text_of(run) for run in row.runs}))
        for row in rows
        if row.runs
    }


def _of_every_row(
    all_are: str, each_is: str, found: dict[str, str]
) -> list[str]:
    """One line: what all rows have, or each; none where nothing is known."""
    texts = set(found.values())
    if texts <= {"none", "unknown"}:
        return []
    if len(texts) == 1:
        return [f"{all_are} {texts.pop()}."]
    listed = "; ".join(f"{title} {text}" for title, text in found.items())
    return [f"{each_is}: {listed}."]


def _start(rows: Sequence[RowResult]) -> str:
    """Says that no run was given weights, where that is so."""
    given = any(run.backbone_digest for row in rows for run in row.runs)
    return "" if given else ", from random weights"


def _pairs_seen(rows: Sequence[RowResult]) -> list[str]:
    seen = {row.title: row.runs[0].pairs for row in rows if row.runs}
    if not seen:
        return []
    if len(set(seen.values())) == 1:
        text = f"Every row has seen {next(iter(seen.values())):,} pairs"
    else:
        listed = [f"{title} {count:,}" for title, count in seen.items()]
        text = f"Pairs seen in training: {'; '.join(listed)}"
    return [f"{text}{_before(rows)}."]


def _before(rows: Sequence[RowResult]) -> str:
    """Says which rows went on from another, whose pairs they saw as well."""
    titles = {row.key: row.title for row in rows}
    later = [
        f"{row.title} before them those of {titles[earlier]}"
        for row in rows
        if row.runs and (earlier := STARTED_FROM.get(row.key)) in titles
    ]
    return "".join(f", {text}" for text in later)
