"""The journal of a cache: finished blocks, brought to the disk meanwhile."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mgtl_tf.datasets.decoded_cache.files import (
    CHECKSUM_KEY,
    MANIFEST_JSON,
    UNFINISHED_JSONL,
    CacheSettings,
    Record,
)
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.utils.atomic_io import atomic_write, sync

_BYTES = 2**27


class Journal:
    """The growing list of a cache's finished blocks.

    Args:
        folder: of the cache.
        settings: of the cache.
        blocks: what is finished already; from here on nothing else counts.
    """

    def __init__(
        self, folder: Path, settings: CacheSettings, blocks: dict[int, Record]
    ):
        self.folder = folder
        self.settings = settings
        self.blocks = dict(blocks)
        lines = [json.dumps(settings.as_json())]
        lines += [_line(number, blocks[number]) for number in sorted(blocks)]
        path = folder / UNFINISHED_JSONL
        atomic_write(path, "\n".join(lines) + "\n")
        (folder / MANIFEST_JSON).unlink(missing_ok=True)
        self._file = path.open("a")
        self._arrays = BackgroundSync(
            [folder / f"{view}.npy" for view in VIEWS]
        )

    def append(self, number: int, record: Record) -> None:
        """Counts a block as finished; its pixels must have been written."""
        self.blocks[number] = record
        self._file.write(_line(number, record) + "\n")
        self._file.flush()
        rows = len(VIEWS) * len(record["rows"])
        self._arrays.grew(rows * self.settings.row_bytes)

    def finish(self) -> None:
        """Puts the manifest in the journal's place.

        Raises:
            UserError, OSError: where the disk does not take it.
        """
        self._arrays.finish()
        head = json.dumps(self.settings.as_json(), indent=1)
        blocks = [json.dumps(self.blocks[n]) for n in sorted(self.blocks)]
        text = f'{{"settings": {head},\n"blocks": [\n'
        text += ",\n".join(blocks) + "\n]"
        text += f"{CHECKSUM_KEY}{zlib.crc32(text.encode())}}}\n"
        atomic_write(self.folder / MANIFEST_JSON, text)
        (self.folder / UNFINISHED_JSONL).unlink()

    def close(self) -> None:
        """Leaves the journal as it is."""
        self._file.close()
        self._arrays.close()


def _line(number: int, record: Record) -> str:
    return json.dumps({"block": number, **record})


class BackgroundSync:
    """Synchronizes growing files in the background, every so many bytes.

    The system would keep what is written in memory for half a minute or
    gigabytes, all of which then has to be waited for at the end.

    Args:
        paths: the files.
        every: how many bytes they grow by in between.
    """

    def __init__(self, paths: Sequence[Path], every: int = _BYTES):
        self._paths = tuple(paths)
        self._every = every
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1)
        self._running: Future[None] | None = None

    def grew(self, count: int) -> None:
        """Notes that so many bytes were written.

        Raises:
            OSError: where the disk did not take earlier ones.
        """
        self._waiting += count
        if self._waiting < self._every:
            return
        if self._running is not None:
            if not self._running.done():
                return
            self._running.result()
        self._waiting = 0
        self._running = self._thread.submit(self._sync)

    def finish(self) -> None:
        """Waits until all that was written is on the disk.

        Raises:
            OSError: where the disk does not take it.
        """
        # The system tells a failure to one who asks, and to no later one.
        if self._running is not None:
            self._running.result()
        self._sync()

    def close(self) -> None:
        """Waits for what goes on in the background, whatever came of it."""
        self._thread.shutdown()

    def _sync(self) -> None:
        for path in self._paths:
            sync(path)
