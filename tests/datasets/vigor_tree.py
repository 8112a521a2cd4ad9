"""A tiny VIGOR: 2 x 3 tiles a city, two panoramas to train on, two to test.

Made without the package's own names, lists and formulas.
"""

import math

import cv2
import numpy as np

ORDER = ("NewYork", "Seattle", "SanFrancisco", "Chicago")
RESOLUTION = (0.113248, 0.100817, 0.118141, 0.111262)
STEP = 36.48
# Rows and columns of the grid, counted in tiles; the first two share a tile.
TRAIN, TEST = ((0.2, 0.1), (0.7, 1.4)), ((0.3, 0.3), (0.1, 1.8))
DEGREE = 111_195.0


def place(city, row, column):
    """Latitude and longitude; the first row is the northern one."""
    latitude = 41.0 + ORDER.index(city)
    east = column * STEP / DEGREE / math.cos(math.radians(latitude))
    return latitude - row * STEP / DEGREE, -100.0 + east


def tile_name(city, row, column):
    return "satellite_{:.12f}_{:.12f}.png".format(*place(city, row, column))


def tile_names(city):
    return [tile_name(city, r, c) for r in range(2) for c in range(3)]


def panorama_name(city, number, row, column):
    name = f"{'-' * number}pano_{number}"
    return "{},{:.9f},{:.9f},.jpg".format(name, *place(city, row, column))


def line(city, number, row, column, resolution):
    r, c = round(row), round(column)
    other = 1 - r, int(column) + (1 if c == int(column) else 0)
    fields = [panorama_name(city, number, row, column)]
    for at in ((r, c), (r, other[1]), (other[0], c), other):
        fields.append(tile_name(city, *at))
        south, west = (row - at[0]) * STEP, (at[1] - column) * STEP
        fields += [f"{round(x / resolution)}.0" for x in (south, west)]
    return " ".join(fields)


def make_vigor(root, image=lambda path: path.touch()):
    """Both label sets and the files; returns the root."""
    for city, metres in zip(ORDER, RESOLUTION, strict=True):
        for folder, end, resolution in (
            ("splits", "", 0.114),
            ("splits__corrected", "__corrected", metres),
        ):
            lists = root / folder / city
            lists.mkdir(parents=True)
            both = {"train": TRAIN, "test": TEST}
            found = {
                split: [
                    line(city, 2 * (split == "test") + n, *where, resolution)
                    for n, where in enumerate(named)
                ]
                for split, named in both.items()
            }
            for split, lines in found.items():
                write(lists / f"same_area_balanced_{split}{end}.txt", lines)
            whole = found["train"] + found["test"]
            write(lists / f"pano_label_balanced{end}.txt", whole)
            write(lists / "satellite_list.txt", tile_names(city))
        for name in tile_names(city):
            put(root / city / "satellite" / name, image)
        for number, where in enumerate(TRAIN + TEST):
            name = panorama_name(city, number, *where)
            put(root / city / "panorama" / name, image)
    return root


def write(path, lines):
    path.write_text("".join(f"{text}\n" for text in lines))


def put(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    image(path)


def noise(path):
    """An image that only its name decides."""
    rng = np.random.default_rng(list(path.name.encode()))
    size = (16, 16, 3) if "satellite" in path.name else (8, 16, 3)
    pixels = rng.integers(0, 256, size, np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def as_sample4geo(root):
    """Moves the images into Sample4Geo's tree."""
    for city in ORDER:
        for old, new in (("panorama", "ground"), ("satellite", "satellite")):
            (root / new).mkdir(exist_ok=True)
            (root / city / old).rename(root / new / city)
        (root / city).rmdir()
    return root
