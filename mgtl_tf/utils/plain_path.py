"""A plain name for a folder of any name, for libraries that need one.

TensorFlow takes `[`, `*` and `?` in a path for a pattern, and it, FAISS and
GDAL know no names that are not UTF-8.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_OTHERS = ("/tmp", "/var/tmp")


@contextmanager
def plain_path(path: Path | str) -> Iterator[Path]:
    """Another path to the same file or folder, of plain letters only.

    Args:
        path: is there, or its folder is, in which a file is to be made.

    Yields:
        the path itself where it is plain; else one through a temporary link.

    Raises:
        OSError: where no link can be made.
    """
    full = Path(os.path.abspath(path))
    if _PLAIN.fullmatch(str(full)):
        yield full
        return
    folder = full if full.is_dir() else full.parent
    with tempfile.TemporaryDirectory(dir=_plain_folder()) as between:
        link = Path(between, "link")
        link.symlink_to(folder, target_is_directory=True)
        if full.is_dir():
            yield link
        elif _PLAIN.fullmatch(full.name):
            yield link / full.name
        else:
            # A link to what is not there yet makes it when it is written.
            suffix = full.suffix if _PLAIN.fullmatch(full.suffix) else ""
            file = Path(between, f"file{suffix}")
            file.symlink_to(full)
            yield file


def _plain_folder() -> str:
    """Where links lie; TMPDIR may be of any name itself."""
    folders = (tempfile.gettempdir(), *_OTHERS)
    return next((f for f in folders if _PLAIN.fullmatch(f)), folders[0])


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Turns TensorFlow's errors of writing into an OSError of its reason."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        line = (str(error.message).strip().splitlines() or ["unknown"])[0]
        raise OSError(None, line.rpartition("; ")[2]) from error
