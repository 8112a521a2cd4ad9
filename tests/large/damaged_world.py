"""Images of a world, damaged in many ways, and what must be said of them."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import CacheSource, FileSource

Damage = Callable[[Path], object]


def _image(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.copy()


def _as(kind: str, **options: object) -> Damage:
    """The same picture as a file of another kind, under the old name."""
    return lambda path: _image(path).save(path, kind, **options)


def _several(kind: str) -> Damage:
    def write(path: Path) -> None:
        image = _image(path)
        image.save(path, kind, save_all=True, append_images=[image.rotate(90)])

    return write


def _edited(change: Callable[[bytes], bytes]) -> Damage:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def _instead(make: Callable[[Path], object]) -> Damage:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


def _hole(data: bytes) -> bytes:
    """Zeros where a block of a download never came."""
    first, last = len(data) // 3, len(data) * 2 // 3
    return data[:first] + bytes(last - first) + data[last:]


def _claiming_much(data: bytes) -> bytes:
    place = data.find(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", 65000, 65000) + data[place + 4 :]


def _without_scan(data: bytes) -> bytes:
    return data[: data.find(b"\xff\xda")] + b"\xff\xd9"


def _floats(path: Path) -> None:
    image = np.asarray(_image(path).convert("L"), np.float32)
    Image.fromarray(image).save(path, "TIFF")


def _forbid(path: Path) -> None:
    path.chmod(0)


def _cropped(path: Path) -> None:
    image = _image(path)
    image.crop((0, 0, image.width // 2, image.height)).save(path, "JPEG")


KINDS: dict[str, tuple[Damage, str]] = {
    "missing": (Path.unlink, "No such file"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "zeros": (_edited(lambda data: bytes(len(data))), "holds only zeros"),
    "text": (lambda path: path.write_text("moved"), "is neither JPEG"),
    "web page": (lambda path: path.write_text("<html>"), "a web page"),
    "truncated": (_edited(lambda d: d[: len(d) * 2 // 3]), "is cut off"),
    "hole": (_edited(_hole), "is damaged|cannot be decoded"),
    "no pixels": (_edited(_without_scan), "is damaged|cannot be decoded"),
    "huge": (_edited(_claiming_much), "65000 x 65000 pixels: more than"),
    "GIF": (_as("GIF"), "but a GIF image"),
    "animated": (_several("PNG"), r"2 frames \(animated\)"),
    "pages": (_several("TIFF"), "holds 2 pages"),
    "floats": (_floats, "32 floating-point"),
    "folder": (_instead(Path.mkdir), "is a folder"),
    "pipe": (_instead(os.mkfifo), "is a folder or device"),
    "link loop": (_instead(lambda p: p.symlink_to(p.name)), "symbolic links"),
    "not square": (_cropped, "must be square"),
    "CMYK": (lambda p: _image(p).convert("CMYK").save(p, "JPEG"), "is CMYK"),
    "PNG, not JPEG": (_as("PNG"), "is a PNG image"),
}
"""Name to what is done to a file, and what must be said of it."""
CONVERTED = ("CMYK", "PNG, not JPEG")
"""Reported, and used all the same."""
AERIAL_ONLY = ("not square",)


def kinds() -> dict[str, tuple[Damage, str]]:
    """All kinds that this user can make: root may read everything."""
    if not os.geteuid():
        return KINDS
    return {**KINDS, "permission denied": (_forbid, "Permission denied")}


def damage(
    pairs: list[Pair], count: int, chance: random.Random
) -> dict[Path, str]:
    """Damages one file of `count` pairs.

    Returns:
        Kind by file.
    """
    done = {}
    names = list(kinds())
    for number, pair in enumerate(chance.sample(pairs, count)):
        name = names[number % len(names)]
        aerial = name in AERIAL_ONLY or chance.random() < 0.5
        path = pair.aerial if aerial else pair.ground
        kinds()[name][0](path)
        done[path] = name
    return done


def wrong_lines(report: Path, damaged: dict[Path, str]) -> list[str]:
    """What the report lacks, says wrongly, or says of a sound file."""
    with report.open(newline="", encoding="utf-8") as file:
        lines = {Path(line["file"]): line for line in csv.DictReader(file)}
    wrong = [f"{path}: sound, but reported" for path in lines.keys() - damaged]
    for path, name in damaged.items():
        line = lines.get(path)
        severity = "warning" if name in CONVERTED else "error"
        if line is None:
            wrong.append(f"{path}: {name}, but not reported")
        elif not re.search(kinds()[name][1], line["reason"]):
            wrong.append(f"{path}: {name}, but said: {line['reason']}")
        elif line["severity"] != severity:
            wrong.append(f"{path}: {name}, but of severity {line['severity']}")
    return wrong


def wrong_pixels(
    cache: Path, pairs: list[Pair], damaged: dict[Path, str], size: tuple
) -> list[str]:
    """Rows that are not what their files hold, or zeros where they lack one."""
    source, wrong = CacheSource(cache), []
    for row, pair in enumerate(pairs):
        kind = damaged.get(pair.ground) or damaged.get(pair.aerial)
        if kind in (None, *CONVERTED):
            now, then = source.load(np.array([row])), FileSource([pair], size)
            same = map(np.array_equal, now, then.load(np.zeros(1, int)))
            wrong += [] if all(same) else [f"{pair.id}: other pixels"]
    return wrong


def copy_world(world: Path, folder: Path) -> list[Pair]:
    """A copy that may be damaged; its training pairs."""
    shutil.copytree(world, folder)
    return list(read_dataset("procedural", folder).train)
