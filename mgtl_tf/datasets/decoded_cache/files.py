"""The files of a decoded cache, and what they say of it.

`ground.npy` and `satellite.npy` are uint8 [N, H, W, 3]. `manifest.json` says
by which settings they were made, and of every block of rows what it was made
of and its checksums; it ends with its own. Until all blocks are there it is
`unfinished.jsonl`: the settings on the first line, then a line for each
finished block.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.datasets.preprocess import SAMPLING_RULE
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import UnfitFileError, read_bytes

MANIFEST_JSON = "manifest.json"
UNFINISHED_JSONL = "unfinished.jsonl"
FILES = frozenset(
    [MANIFEST_JSON, UNFINISHED_JSONL, *(f"{view}.npy" for view in VIEWS)]
)
"""All names that a cache folder may hold, but for hidden ones."""

_VERSION = 2
CHECKSUM_KEY = ',\n"crc32": '

Record = dict[str, Any]
"""Of a block: `rows` ([id, ground's, aerial's size and time] each), `crc32`
(one a view), `left_out` and `warnings` ([row in block, view, reason]), and
`sizes` (view to "W x H" to count)."""


# Most bytes of a manifest: 100 million pairs have about a hundred each.
_LARGEST = 2**33


_Status = tuple[int, int] | None


@dataclass(frozen=True)
class _Block:
    """A `Record` as a file holds it."""

    rows: list[tuple[str, _Status, _Status]]
    left_out: list[tuple[int, str, str]]
    warnings: list[tuple[int, str, str]]
    crc32: tuple[int, int]
    sizes: dict[str, dict[str, int]]


@dataclass(frozen=True)
class _NumberedBlock(_Block):
    """A line of the journal."""

    block: int


@dataclass(frozen=True)
class _Manifest:
    """What manifest.json holds."""

    settings: dict[str, Any]
    blocks: list[_Block]


@dataclass(frozen=True)
class CacheSettings:
    """What decides a cache's pixels, besides the files themselves.

    Attributes:
        dataset: its name; decides which panoramas are refused.
        image_size: H, W in pixels.
        ground_crop: top and bottom of a panorama's rows, as fractions.
        sampling_rule: how files become pixels, with its version.
    """

    dataset: str
    image_size: tuple[int, int]
    ground_crop: tuple[float, float]
    sampling_rule: str = SAMPLING_RULE

    def as_json(self) -> dict[str, Any]:
        """As it is after a round through JSON."""
        settings = json.loads(json.dumps(dataclasses.asdict(self)))
        return {"version": _VERSION, **settings}

    @property
    def row_bytes(self) -> int:
        """Bytes of one view of one pair."""
        return self.image_size[0] * self.image_size[1] * 3


@dataclass(frozen=True)
class CacheState:
    """What a cache folder holds.

    Attributes:
        settings: as `CacheSettings.as_json`; may be of an older version.
        blocks: records by block number.
        finished: whether all blocks are there.
    """

    settings: dict[str, Any]
    blocks: dict[int, Record]
    finished: bool

    def differences(self, settings: CacheSettings) -> list[str]:
        """Phrases such as 'image_size is [32, 160], not [112, 616]'."""
        wanted = settings.as_json()
        return [
            f"{name} is {self.settings.get(name)}, not {value}"
            for name, value in wanted.items()
            if self.settings.get(name) != value
        ]


def read_state(folder: Path) -> CacheState | None:
    """What the folder says of itself; None where it says nothing readable."""
    try:
        # First: a kill between the last two steps leaves both.
        if (folder / UNFINISHED_JSONL).is_file():
            return _read_unfinished(folder / UNFINISHED_JSONL)
        if (folder / MANIFEST_JSON).is_file():
            text = _unsealed(folder / MANIFEST_JSON)
            manifest = parse_json(text, _Manifest)
            blocks = dict(enumerate(map(_as_record, manifest.blocks)))
            return CacheState(manifest.settings, blocks, True)
    except UnfitFileError:
        pass
    return None


def _read_unfinished(path: Path) -> CacheState:
    content = read_bytes(path, _LARGEST)
    settings, *lines = content.decode(errors="replace").split("\n")
    # What follows the last line's end is a line that a kill cut off.
    found = [parse_json(line, _NumberedBlock) for line in lines[:-1]]
    blocks = {block.block: _as_record(block) for block in found}
    return CacheState(parse_json(settings, dict[str, Any]), blocks, False)


def _unsealed(path: Path) -> str:
    """A manifest's text; refused where its own checksum differs."""
    text = read_bytes(path, _LARGEST).decode(errors="replace")
    body, found, seal = text.rpartition(CHECKSUM_KEY)
    if not found or seal != f"{zlib.crc32(body.encode())}}}\n":
        raise UnfitFileError("has other bytes than were written")
    return text


def _as_record(block: _Block) -> Record:
    # As lists, which is what those that are made now are compared as.
    record = json.loads(json.dumps(dataclasses.asdict(block)))
    record.pop("block", None)
    return record


def size_arrays(folder: Path, count: int, settings: CacheSettings) -> None:
    """Makes both array files, or gives them another number of rows.

    Args:
        folder: of the cache.
        count: N, rows.
        settings: of the cache.
    """
    header = array_header(count, settings)
    for view in VIEWS:
        path = folder / f"{view}.npy"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, header, 0)
            os.ftruncate(descriptor, len(header) + count * settings.row_bytes)
        finally:
            os.close(descriptor)


def array_header(count: int, settings: CacheSettings) -> bytes:
    """The first bytes of a .npy file of uint8 [count, H, W, 3]."""
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        text,
        {
            "descr": "|u1",
            "fortran_order": False,
            "shape": (count, *settings.image_size, 3),
        },
    )
    return text.getvalue()
