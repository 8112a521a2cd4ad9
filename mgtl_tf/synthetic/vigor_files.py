"""A synthetic world in VIGOR's layout: four cities, each on a process.

CITY/panorama, CITY/satellite, and the label files of both label sets with the
line ends that the published ones have; they are written last.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mgtl_tf.datasets.vigor.labels import (
    CITIES,
    LABELS,
    TEST_LIST,
    TILE_LIST,
    TRAIN_LIST,
    WHOLE_LIST,
    label_line,
    list_path,
)
from mgtl_tf.synthetic.pairs import aerial_tile, ground_picture
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.vigor_city import City, make_city, tile_town
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from polar.parallel import in_parallel


def panorama_counts(settings: WorldSettings, city: str) -> tuple[int, int]:
    """How many panoramas of a city are trained on, and tested."""
    number = CITIES.index(city)

    def share(count: int) -> int:
        bounds = np.linspace(0, count, len(CITIES) + 1).astype(int)
        return int(bounds[number + 1] - bounds[number])

    return share(settings.train_pairs), share(settings.val_pairs)


def draw_vigor_world(
    root: Path, settings: WorldSettings, processes: int, progress: bool = True
) -> None:
    """Writes what is missing of a begun folder.

    Raises:
        UserError: where the disk does not take it.
    """
    draw = functools.partial(draw_city, root, settings)
    with tqdm(
        total=len(CITIES), unit="city", desc="world", disable=not progress
    ) as bar:
        for _ in in_parallel(draw, CITIES, processes):
            bar.update()


def draw_city(root: Path, settings: WorldSettings, name: str) -> None:
    """Task: one city's pictures that are missing, then its lists."""
    counts = panorama_counts(settings, name)
    if not sum(counts) or _is_complete(root, name):
        return
    city = make_city(settings, name, sum(counts))
    with naming_write_errors(root):
        _draw(root, settings, city)
        _write_lists(root, city, counts[0])


def example_pictures(root: Path, count: int) -> list[tuple[Path, Path]]:
    """Aerial image and panorama of some labels spread over the cities."""
    found = []
    for city in CITIES:
        path = list_path(root, city, "original", TRAIN_LIST)
        lines = path.read_text().splitlines() if path.is_file() else []
        for line in lines[: -(-count // len(CITIES))]:
            panorama, tile = line.split()[:2]
            folder = root / city
            found.append(
                (folder / "satellite" / tile, folder / "panorama" / panorama)
            )
    return found


def _draw(root: Path, settings: WorldSettings, city: City) -> None:
    from_above = tile_town(city)
    of_city = dataclasses.replace(
        settings, layout="cvusa", aerial_metres=city.tile_metres
    )
    for row, name in enumerate(city.tile_names()):
        path = root / city.name / "satellite" / name
        if not path.is_file():
            _write(path, aerial_tile(of_city, from_above, row))
    for row, name in zip(
        city.rows.tolist(), city.panorama_names(), strict=True
    ):
        path = root / city.name / "panorama" / name
        if not path.is_file():
            _write(path, ground_picture(settings, city.town, row))


def _write_lists(root: Path, city: City, train: int) -> None:
    """Both label sets, corrected ones with CRLF and no last line end."""
    for label_set in ("original", "corrected"):
        corrected = label_set == "corrected"
        lines = [label_line(label) for label in city.labels(corrected)]
        for name, listed in (
            (WHOLE_LIST, lines),
            (TEST_LIST, lines[train:]),
            (TRAIN_LIST, lines[:train]),
        ):
            path = list_path(root, city.name, label_set, name)
            _write(path, _text(listed, corrected))
        path = root / LABELS[label_set][0] / city.name / TILE_LIST
        # As published: New York's has other line ends.
        _write(path, _text(city.tile_names(), city.name == "NewYork"))


def _text(lines: Sequence[str], windows: bool) -> bytes:
    text = "\r\n".join(lines) if windows else "".join(f"{s}\n" for s in lines)
    return text.encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, data)


def _is_complete(root: Path, city: str) -> bool:
    """Whether a city's last list is there, and every picture of its lists."""
    last = root / LABELS["corrected"][0] / city / TILE_LIST
    whole = list_path(root, city, "corrected", WHOLE_LIST)
    if not (last.is_file() and whole.is_file()):
        return False
    tiles, labels = last.read_text().split(), whole.read_text().splitlines()
    names = [f"satellite/{tile}" for tile in tiles]
    names += [f"panorama/{label.split()[0]}" for label in labels]
    return all((root / city / name).is_file() for name in names)
