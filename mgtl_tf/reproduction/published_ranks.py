"""Figures of docs/results/, and beside them the ranks they follow from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgtl_tf.evaluation.ranks import Ranks, read_ranks
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from mgtl_tf.utils.errors import UserError

FIGURES = "figures.json"


def write_figures(
    folder: Path, figures: Any, ranks: Mapping[str, Ranks]
) -> Path:
    """Writes a dataclass of figures, and ranks by file name; its path.

    Raises:
        UserError: where they cannot be written.
    """
    with naming_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, found in ranks.items():
        found.save(folder / name)
    text = json.dumps(dataclasses.asdict(figures), indent=1) + "\n"
    atomic_write(folder / FIGURES, text)
    return folder / FIGURES


def ranks_beside(path: Path, name: str, gallery: str, remedy: str) -> Ranks:
    """The ranks beside figures that are of a gallery's digest.

    Raises:
        UserError: where they cannot be read, or are of another gallery.
    """
    ranks = read_ranks(path.with_name(name), remedy)
    if ranks.gallery != gallery:
        raise UserError(
            f"{path}: is of gallery {gallery}, and the ranks in {name} of"
            f" {ranks.gallery}; {remedy}"
        )
    return ranks
