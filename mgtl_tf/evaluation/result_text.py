"""An evaluation's result as text."""

from __future__ import annotations

from typing import Any

from mgtl_tf import metrics
from mgtl_tf.evaluation.ranks import DIRECTIONS, Result
from mgtl_tf.evaluation.tile_ranks import tile_lines
from mgtl_tf.utils.angles import DEGREES


def format_table(result: Result) -> str:
    """The result as a text table, one line a direction, under its protocol."""
    # Not at import: pandas takes a second.
    import pandas

    rows = {d.replace("_", " "): _cells(result[d]) for d in DIRECTIONS}
    frame = pandas.DataFrame(rows).T.rename_axis(index=result["protocol"])
    sides = ["left", *["right"] * len(frame.columns)]
    table = frame.to_markdown(
        tablefmt="plain", colalign=sides, disable_numparse=True
    )
    return "\n".join([table, *_remarks(result)])


def _remarks(result: Result) -> list[str]:
    """What the figures are of, a line each."""
    size = result["gallery_size"]
    count = result.get("panoramas", size)
    lines = [f"gallery: {size:,} places"]
    if count != size:
        lines = [
            f"gallery: {size:,} distinct aerial images of {count:,} panoramas;"
            " an aerial image is found by any panorama of its own"
        ]
    if others := result.get("distractors"):
        lines[0] = (
            f"gallery: {size:,} distinct aerial images, {others:,} of which"
            f" are of none of the {count:,} panoramas"
        )
        lines.append(f"r@1%: K = {metrics.count_of('1%', size):,} of {size:,}")
    if result.get("heading", {}).get("found"):
        lines += heading_lines(result["heading"])
    if tiles := result.get("tiles"):
        lines += tile_lines(tiles)
    lines += result.get("remarks", [])
    missing = result.get("left_out", {})
    if any(missing.values()):
        parts = [f"{n:,} {split}" for split, n in missing.items() if n]
        lines.append(
            f"partial: {' and '.join(parts)} pairs are left out; these are not"
            " figures of the whole data set"
        )
    unknown = count - result.get("with_position", 0)
    if 0 < unknown < count:
        have = "has" if unknown == 1 else "have"
        lines.append(
            f"{unknown:,} of {count:,} panoramas {have} no position: what is"
            f" within metres is measured on the other {count - unknown:,}"
        )
    return lines


def _cells(values: dict[str, float | int]) -> dict[str, str]:
    """Columns and values as they are shown."""
    cells = {}
    for name, value in values.items():
        if name.startswith(("r@", "within_")):
            text = f"{100 * value:.2f} %"
        else:
            text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
        cells[name.replace("_", " ")] = text
    return cells


def heading_lines(heading: dict[str, Any]) -> list[str]:
    """How wrong the headings are that a system found, of `Ranks.result`."""
    kinds = (
        (
            heading,
            f"heading of the {heading['found']:,} panoramas that are found"
            " first",
        ),
        (
            heading["without_constant"],
            f"without the {heading['constant_degrees']:+.1f} degrees that are"
            " common to them (fitted on the other half)",
        ),
    )
    return [
        f"{text}: {100 * found[f'within_{DEGREES:g}_degrees']:.1f} % within"
        f" {DEGREES:g} degrees, median error {found['median_degrees']:.1f}"
        " degrees"
        for found, text in kinds
    ]
