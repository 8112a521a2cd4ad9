"""Reader of VIGOR, of the official tree and of Sample4Geo's.

On disk, officially, CITY/panorama and CITY/satellite; in Sample4Geo's tree
ground/CITY and satellite/CITY. The label files lie in splits/CITY, those that
SliceMatch corrected in splits__corrected/CITY, both with satellite_list.txt.
`labels` has their format.

Same-area: the balanced train and test lists of all four cities.
Cross-area: all panoramas of two cities to train on, of the others to test.
The gallery is every tile of the cities that are tested, in the order of
CITIES and of their lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mgtl_tf.datasets.problems import (
    Problem,
    find_root,
)
from mgtl_tf.datasets.records import Dataset
from mgtl_tf.datasets.vigor.checks import (
    check_root,
    count_notes,
    same_area_leak,
)
from mgtl_tf.datasets.vigor.city import City, Tree
from mgtl_tf.datasets.vigor.labels import (
    CITIES,
    LABELS,
    TEST_LIST,
    TILE_LIST,
    TRAIN_LIST,
    WHOLE_LIST,
)
from mgtl_tf.utils.errors import UserError

_CROSS = {"train": CITIES[:2], "validation": CITIES[2:]}


_TREES = (
    Tree("VIGOR's own tree", "{city}/panorama", "{city}/satellite"),
    Tree("Sample4Geo's tree", "ground/{city}", "satellite/{city}"),
)


def read_vigor(
    root: Path | str,
    problems: list[Problem],
    labels: str = "corrected",
    protocol: str = "same",
) -> Dataset:
    """Training and test pairs of a protocol, and the gallery's tiles.

    Args:
        root: the folder that holds the label sets and the images.
        problems: gets what is wrong, and as warnings what is unusual.
        labels: one of LABELS: the offsets differ, the tiles do not.
        protocol: "same" or "cross" area.

    Raises:
        UserError: for a missing list, label set or city, or images that lie
            neither way.
    """
    root = _find_root(Path(root), labels)
    check_root(root, problems)
    tree = _tree_of(root)
    cities = {c: City(root, c, tree, labels, problems) for c in CITIES}
    lists = _lists(protocol)
    pairs = {
        split: tuple(
            pair
            for city, name in named
            for pair in cities[city].pairs(split, name)
        )
        for split, named in lists.items()
    }
    tested = [city for city, _ in lists["validation"]]
    gallery = tuple(t for c in tested for t in cities[c].tiles.values())
    chosen = (
        f"vigor_labels={labels}, vigor_protocol={protocol}; trained on"
        f" {_cities(lists['train'])}; gallery: all {len(gallery):,} tiles of"
        f" {', '.join(tested)}, in this order and that of {TILE_LIST}"
    )
    remarks = [chosen]
    if protocol == "same":
        remarks += same_area_leak(pairs["train"], pairs["validation"])
    counts = {city: len(cities[city].tiles) for city in tested}
    notes = [tree.name, *remarks, *count_notes(root, protocol, pairs, counts)]
    return Dataset(
        "vigor",
        pairs["train"],
        pairs["validation"],
        tuple(notes),
        gallery=gallery,
        remarks=tuple(remarks),
    )


def _lists(protocol: str) -> dict[str, list[tuple[str, str]]]:
    """City and list of each split; whole lists are never of same-area."""
    if protocol == "same":
        return {
            "train": [(city, TRAIN_LIST) for city in CITIES],
            "validation": [(city, TEST_LIST) for city in CITIES],
        }
    return {s: [(c, WHOLE_LIST) for c in named] for s, named in _CROSS.items()}


def _cities(named: Sequence[tuple[str, str]]) -> str:
    return ", ".join(city for city, _ in named)


def _find_root(root: Path, labels: str) -> Path:
    """`root`, if it holds the label set."""
    folder = LABELS[labels][0]
    for other, (name, _) in LABELS.items():
        if not (root / folder).is_dir() and (root / name).is_dir():
            raise UserError(
                f"{root / folder}: is not there, {name} is; give"
                f" vigor_labels={other}, or add the {labels} labels"
            )
    return find_root(root, Path(folder) / CITIES[0] / TILE_LIST)


def _tree_of(root: Path) -> Tree:
    found = [
        tree
        for tree in _TREES
        if any((root / tree.tiles.format(city=c)).is_dir() for c in CITIES)
    ]
    if len(found) == 1:
        return found[0]
    ways = " and ".join(f"{tree.tiles} ({tree.name})" for tree in _TREES)
    held = "both" if found else "neither"
    raise UserError(f"{root}: holds {held} of {ways}; one of them is needed")
