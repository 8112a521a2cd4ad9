"""A table as measured: what is known of it before it is laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mgtl_tf.reproduction.bootstrap import Difference, paired_difference
from mgtl_tf.reproduction.results import Gallery, RowResult

CONTROLS, HARDER = 0, -1
"""Numbers of tables that the paper does not have."""

_HEADINGS = {CONTROLS: "Controls", HARDER: "Harder gallery"}


@dataclass(frozen=True)
class MeasuredTable:
    """Rows, what they are compared with, and what the caption must say.

    Attributes:
        number: 1 to 4 of the paper, `CONTROLS` or `HARDER`.
        rows: ours, in the order of the table.
        measured_on: what recall is of, in words.
        made_world: whether that is a synthetic world.
        seeds: of every row.
        differences: row key to what `differences_of` found.
        notes: further lines, such as "w/o CMI was not run".

    Raises:
        ValueError: for rows that were measured on several galleries.
    """

    number: int
    rows: Sequence[RowResult]
    measured_on: str
    made_world: bool = True
    seeds: Sequence[int] = ()
    differences: Mapping[str, Difference] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if len(self._galleries) > 1:
            raise ValueError(
                f"{self.heading}: its rows are of several galleries:"
                f" {sorted(map(str, self._galleries))}"
            )

    @property
    def _galleries(self) -> set[Gallery]:
        return {seed.gallery for row in self.rows for seed in row.seeds}

    @property
    def gallery(self) -> Gallery | None:
        """The one that all recalls are of; None where nothing was measured."""
        return next(iter(self._galleries), None)

    @property
    def heading(self) -> str:
        """Such as "Table 2", or "Controls"."""
        return _HEADINGS.get(self.number, f"Table {self.number}")

    @property
    def file_name(self) -> str:
        """Such as "table2", or "controls"."""
        return self.heading.lower().replace(" ", "")

    @property
    def has_recall(self) -> bool:
        """Whether there is anything to draw; Table 3 is of costs alone."""
        return self.number != 3 and any(row.seeds for row in self.rows)


def differences_of(
    number: int, rows: Sequence[RowResult]
) -> dict[str, Difference]:
    """Row key to its r@1 less that of the row it is compared with.

    Tables 1 and 2 compare with the row of ours before; Table 4, and the
    controls, with w/ CMI at L = 6; Table 3 has no recall, and the harder
    gallery's runs have no ranks.
    """
    run = [row for row in rows if row.seeds and number not in (3, HARDER)]
    found = {}
    for index, row in enumerate(run):
        other = run[index - 1] if index else None
        if number in (CONTROLS, 4):
            other = next((r for r in run if r.key == "with_cmi"), None)
        if other is not None and other.key != row.key:
            found[row.key] = paired_difference(row.ranks, other.ranks)
    return found
