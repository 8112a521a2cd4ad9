"""Damages and crafts every kind of file that the programs read.

Each changed file must be refused in one line, or, where it carries
checksums, give the same answer as the sound one; it must never end in a
traceback, hang, or take over 2 GB.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import UnfitFileError
from tests.large.file_kinds import Kind, Reader
from tests.large.mutations import in_place_of
from tests.large.sound_files import make
from tests.large.watched import Said

_BYTES = 2 * 10**9
_LONGEST = 1500
_REPLACED = 0.05
_COLUMNS = (
    "refused",
    "same",
    "another answer",
    "traceback",
    "hang",
    "killed",
    "wrong success",
    "memory",
    "long line",
)
BAD = set(_COLUMNS[3:])


class Asked(Protocol):
    """Where a reader runs: see `Watched`."""

    def ask(self) -> Said:
        """Reads once."""

    def close(self) -> None:
        """Ends it."""


def fuzz(
    kind: Kind,
    root: Path,
    tries: int,
    seed: int,
    start: Callable[[Callable[[], Reader]], Asked],
) -> Counter:
    """Changes files of a kind and counts what became of them.

    Args:
        kind: what is changed and how it is read.
        root: holds folders `sound` and `other`, of `sound_files.make`.
        tries: how many changes.
        seed: of the changes.
        start: begins a reader, here or in a process of its own.

    Returns:
        how many had which outcome; a line for each that should not be is
        printed.
    """
    tried = root / "tried"
    shutil.rmtree(tried, ignore_errors=True)
    shutil.copytree(root / "sound", tried)
    files = sorted({p for f in kind.name.split() for p in tried.glob(f)})
    counts: Counter = Counter()
    with contextlib.closing(start(lambda: kind.begin(tried))) as watched:
        wanted = watched.ask()
        if wanted[0] != "answer":
            raise RuntimeError(f"{kind.name}: sound files give {wanted}")
        for number in range(tries):
            rng = random.Random(f"{seed} {kind.name} {number}")
            path = rng.choice(files)
            what = _change(kind, path, root, rng)
            outcome, words = _outcome(kind, watched, wanted[1], path, root)
            counts[outcome] += 1
            if outcome in BAD:
                words = str(words)[-1200:]
                print(f"{kind.name} {number}: {outcome}: {what}: {words}")
    return counts


def _change(kind: Kind, path: Path, root: Path, rng: random.Random) -> str:
    if rng.random() < _REPLACED:
        return in_place_of(path, rng)
    change = rng.choice(kind.changes)
    name = path.relative_to(root / "tried")
    # Steps are part of the names of checkpoints.
    pattern = "/".join(p.partition("-")[0] + "*" for p in name.parts)
    other = sorted((root / "other").glob(pattern))[0]
    path.write_bytes(change(rng, path.read_bytes(), other.read_bytes()))
    return f"{change.__name__} of {path.name}"


def _outcome(
    kind: Kind, watched: Asked, wanted: object, path: Path, root: Path
) -> tuple[str, object]:
    sound = root / "sound" / path.relative_to(root / "tried")
    same = path.is_file() and (
        path.read_bytes() == sound.read_bytes() or _sealed_again(path)
    )
    said, words, _, memory = watched.ask()
    _restore(path, sound)
    if memory > _BYTES:
        return "memory", f"{memory / 1e9:.1f} GB"
    if said == "refused" and ("\n" in words or len(words) > _LONGEST):
        return "long line", words
    if said != "answer":
        return said, words
    if words == wanted:
        return "same", ""
    if kind.checked and not same and not _is_told(words):
        return "wrong success", f"{words!r:.300} for {wanted!r:.300}"
    return "another answer", words


def _sealed_again(path: Path) -> bool:
    """Whether a crafted JSON file carries a checksum that fits it."""
    try:
        parse_json(path.read_bytes(), dict[str, Any], sealed=True)
    except UnfitFileError:
        return False
    return True


def _is_told(words: object) -> bool:
    """Whether an answer of None comes with its reason, as calibrations'."""
    return isinstance(words, tuple) and words[0] is None and bool(words[1])


def _restore(path: Path, sound: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif path.is_symlink() or path.exists():
        path.unlink()
    shutil.copy2(sound, path)
    if sound.parent.name != "sound":
        # Some readers mend what they find, and write other files anew.
        shutil.rmtree(path.parent)
        shutil.copytree(sound.parent, path.parent)


def make_both(root: Path) -> None:
    """Sound files of two seeds, each by a process of its own."""
    context = multiprocessing.get_context("fork")
    for seed, name in enumerate(("sound", "other")):
        (root / name).mkdir()
        process = context.Process(target=make, args=(root / name, seed))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError("the sound files could not be made")


def table(rows: dict[str, Counter]) -> str:
    heads = ["kind", "tries", *_COLUMNS]
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    total = sum(rows.values(), Counter())
    for name, counts in {**rows, "all": total}.items():
        cells = [name, counts.total(), *(counts[c] for c in _COLUMNS)]
        lines.append(" | ".join(map(str, cells)))
    return "\n".join(f"| {line} |" for line in lines)
