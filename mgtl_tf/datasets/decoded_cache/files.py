"""The files of a decoded cache.

`ground.npy` and `satellite.npy` are uint8 [N, H, W, 3], each of its view's
size. `manifest.json` holds the settings, a record of every block of rows and
its own checksum. Until all blocks are there, `unfinished.jsonl` stands in its
place (`utils/part_files`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mgtl_tf.config import InputForm
from mgtl_tf.datasets.preprocess import SAMPLING_RULE
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.json_files import parse_json, sealed_text
from mgtl_tf.utils.part_files import UNFINISHED_JSONL, RowFile, read_journal
from mgtl_tf.utils.plain_files import read_bytes

MANIFEST_JSON = "manifest.json"
FILES = (
    MANIFEST_JSON,
    UNFINISHED_JSONL,
    *(f"{view}.npy" for view in VIEWS),
)
"""All names that a cache folder may hold, but for hidden ones."""

BLOCK_ROWS = 16
_VERSION = 3
_LARGEST = 2**33

Status = tuple[int, int] | None
"""Bytes and time (ns) of a file; None: no file."""


@dataclass(frozen=True)
class CacheSettings:
    """What decides a cache's pixels, besides the files themselves.

    Attributes:
        dataset: its name; decides which panoramas are refused.
        image_size: H, W in pixels.
        ground_crop: top and bottom of a panorama's rows, as fractions.
        sampling_rule: how files become pixels, with its version.
        satellite_size, satellite_form, ground_form: as of InputForm.
    """

    dataset: str
    image_size: tuple[int, int]
    ground_crop: tuple[float, float]
    sampling_rule: str = SAMPLING_RULE
    satellite_size: tuple[int, int] = (0, 0)
    satellite_form: str = "polar"
    ground_form: str = "image"

    making: ClassVar[str] = "decode"

    @classmethod
    def of(
        cls, dataset: str, form: InputForm, ground_crop: tuple[float, float]
    ) -> CacheSettings:
        """Those of network inputs of a form."""
        return cls(
            dataset,
            form.image_size,
            ground_crop,
            satellite_size=form.satellite_size,
            satellite_form=form.satellite_form,
            ground_form=form.ground_form,
        )

    def as_json(self) -> dict[str, Any]:
        """As it is after a round through JSON."""
        settings = dataclasses.asdict(self)
        for name in ("satellite_size", "satellite_form", "ground_form"):
            del settings[name]
        settings |= self.form.settings
        return {"version": _VERSION, **json.loads(json.dumps(settings))}

    @property
    def form(self) -> InputForm:
        """Sizes and forms of the pixels."""
        return InputForm(
            self.image_size,
            self.satellite_size,
            self.satellite_form,
            self.ground_form,
        )

    @property
    def pair_bytes(self) -> int:
        """Bytes of both views of one pair."""
        return sum(file.row_bytes for file in self.row_files(Path()))

    def row_files(self, folder: Path) -> list[RowFile]:
        """The array file of each view."""
        return [
            RowFile(folder / f"{view}.npy", (*self.form.size(view), 3), "|u1")
            for view in VIEWS
        ]


@dataclass(frozen=True)
class BlockRecord:
    """What a cache holds of one block of rows.

    Attributes:
        block: its number.
        rows: id, ground's and aerial's status of each pair.
        crc32: of its rows, one a view.
        left_out: row in the block, view and reason of unusable files.
        warnings: the same of files that were converted.
        sizes: view to "W x H" to how many images have that size.
    """

    block: int
    rows: list[tuple[str, Status, Status]]
    crc32: tuple[int, int]
    left_out: list[tuple[int, str, str]]
    warnings: list[tuple[int, str, str]]
    sizes: dict[str, dict[str, int]]


@dataclass(frozen=True)
class CacheState:
    """What a cache folder holds.

    Attributes:
        settings: as `CacheSettings.as_json`.
        blocks: of the finished blocks.
        finished: whether they are all.
    """

    settings: dict[str, Any]
    blocks: list[BlockRecord]
    finished: bool = True


def read_state(folder: Path) -> CacheState | None:
    """What a folder holds; None where it holds no cache.

    Raises:
        UnfitFileError: where the manifest is damaged.
    """
    # First: a kill between the last two steps leaves both.
    if (folder / UNFINISHED_JSONL).is_file():
        found = read_journal(folder / UNFINISHED_JSONL, BlockRecord)
        return found and CacheState(*found, finished=False)
    if not (folder / MANIFEST_JSON).is_file():
        return None
    content = read_bytes(folder / MANIFEST_JSON, _LARGEST)
    return parse_json(content, CacheState, sealed=True, version=_VERSION)


def finish_cache(
    folder: Path, settings: CacheSettings, blocks: Iterable[BlockRecord]
) -> None:
    """Writes the manifest and removes the journal.

    Raises:
        UserError, OSError: where the disk does not take it.
    """
    content = {
        "format": _VERSION,
        "settings": settings.as_json(),
        "blocks": [dataclasses.asdict(block) for block in blocks],
    }
    atomic_write(folder / MANIFEST_JSON, sealed_text(content))
    (folder / UNFINISHED_JSONL).unlink()
