"""Checks a data set file by file and decodes it into a cache."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mgtl_tf.datasets.csv_table import DEGREES, SIDE
from mgtl_tf.datasets.decoded_cache.blocks import file_of
from mgtl_tf.datasets.decoded_cache.building import MakeBlocks, build_caches
from mgtl_tf.datasets.decoded_cache.files import BLOCK_ROWS, CacheSettings
from mgtl_tf.datasets.decoded_cache.growing import CacheContents
from mgtl_tf.datasets.decoded_cache.prepared import GALLERY, SPLITS
from mgtl_tf.datasets.label_maps import with_labels
from mgtl_tf.datasets.preprocess import read_file
from mgtl_tf.datasets.problems import ERROR, WARNING, Problem, write_report
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import AerialImage, Pair
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.datasets.vigor.checks import SYNTHETIC
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from mgtl_tf.utils.errors import UserError
from polar.image_files import read_header
from polar.text import csv_text

REPORT_CSV = "report.csv"
_PUBLISHED_SIZES = {
    "cvusa": {"ground": "1232 x 224", "satellite": "750 x 750"},
    "cvact": {"ground": "1664 x 832", "satellite": "1200 x 1200"},
    "cvact_test": {"ground": "1664 x 832", "satellite": "1200 x 1200"},
    "vigor": {"ground": "2048 x 1024", "satellite": "640 x 640"},
}
GALLERY_CSV = "gallery.csv"
"""The gallery's images in their order, for `experiments.index`."""

_IMAGE = {"ground": "panoramas", "satellite": "aerial images"}


@dataclass(frozen=True)
class Prepared:
    """What `prepare` found and made.

    Attributes:
        problems: errors and warnings, split by split.
        notes: what is not as published, which may be intended.
        pairs: of all lists.
        left_out: of those, how many are not in the cache.
        made: blocks of rows that were decoded now.
        report: the file that holds the problems.
    """

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    pairs: int
    left_out: int
    made: int
    report: Path

    @property
    def errors(self) -> list[Problem]:
        """Problems that cost a pair, a position or a block of the cache."""
        return [p for p in self.problems if p.severity == ERROR]


def prepare(
    data_dir: Path | str,
    output_dir: Path | str,
    settings: CacheSettings,
    processes: int | None = None,
    progress: bool = True,
    verify: bool = False,
    options: Mapping[str, str] | None = None,
    make: MakeBlocks | None = None,
) -> Prepared:
    """Decodes all pairs that can be, and reports all that cannot.

    Args:
        data_dir: the data set's folder.
        output_dir: gets report.csv and a cache folder for each split.
        settings: the data set's name and what decides the pixels.
        processes: how many decode at a time; default one a core.
        progress: whether to show a bar.
        verify: whether existing rows are compared with their checksums.
        options: of the reader, as of `read_dataset`.
        make: as of `build_caches`.

    Raises:
        UserError: where nothing can be read at all, or `output_dir` holds a
            cache of other settings, or cannot be written.
    """
    output_dir = Path(output_dir)
    problems: list[Problem] = []
    dataset = read_dataset(settings.dataset, data_dir, problems, options)
    both = zip(SPLITS, (dataset.train, dataset.validation), strict=True)
    splits = {split: pairs for split, pairs in both if pairs}
    if settings.ground_form == "labels":
        splits = {split: with_labels(pairs) for split, pairs in splits.items()}
    if not splits:
        first = f": {problems[0]}" if problems else ""
        raise UserError(f"{data_dir}: lists no pair at all{first}")
    with naming_write_errors(output_dir):
        output_dir.mkdir(parents=True, exist_ok=True)
    notes = list(dataset.notes)
    left_out = made = 0
    caches = {output_dir / split: pairs for split, pairs in splits.items()}
    build = partial(
        build_caches,
        processes=processes,
        progress=progress,
        verify=verify,
        make=make,
    )
    found = build(caches, settings)
    if others := dataset.distractors:
        write_gallery(output_dir / GALLERY_CSV, dataset.gallery)
        alone = replace(settings, ground_form="none")
        found |= build({output_dir / GALLERY: others}, alone)
        splits[GALLERY] = others
    published = _PUBLISHED_SIZES.get(settings.dataset, {})
    if (Path(data_dir) / SYNTHETIC).is_file():
        published = {}
    for split, pairs in splits.items():
        folder = output_dir / split
        filled = found[folder]
        problems += _problems(split, pairs, filled, folder)
        for view, size in published.items():
            counts = _counts(filled, view)
            notes += [
                f"{count:,} {split} {_IMAGE[view]} of {other} pixels"
                f" (published: {size})"
                for other, count in sorted(counts.items())
                if other != size
            ]
            # Where most are of another size, they were resized on purpose.
            if 2 * counts[size] > counts.total():
                problems += _odd_sizes(split, pairs, filled, view, size)
        if split != GALLERY:
            left_out += len({row for row, _, _ in filled.left_out()})
        made += filled.made
    write_report(output_dir / REPORT_CSV, problems)
    return Prepared(
        tuple(problems),
        tuple(notes),
        len(dataset.train) + len(dataset.validation),
        left_out,
        made,
        output_dir / REPORT_CSV,
    )


def write_gallery(path: Path, images: Sequence[AerialImage]) -> None:
    """Writes a list of aerial images, in their order.

    Raises:
        UserError: where it cannot be written.
    """
    rows = [
        (
            i.id,
            str(i.aerial.absolute()),
            *(map(repr, i.coordinates) if i.coordinates else ("", "")),
            "" if i.side_metres is None else f"{i.side_metres:.6g}",
        )
        for i in images
    ]
    header = ("id", "aerial", *DEGREES, SIDE)
    atomic_write(path, csv_text([header, *rows], raw=True))


def _problems(
    split: str, pairs: Sequence[Pair], filled: CacheContents, folder: Path
) -> Iterator[Problem]:
    """What was found while decoding, by row."""
    found = [(row, v, why, ERROR) for row, v, why in filled.left_out()]
    found += [(row, v, why, WARNING) for row, v, why in filled.warnings()]
    out = {row for row, _, _, severity in found if severity == ERROR}
    views = VIEWS[1:] if split == GALLERY else VIEWS
    found += [
        (row, view, "does not exist any more; the cache still holds it", ERROR)
        for row, pair in enumerate(pairs)
        for view in views
        if row not in out and not os.path.exists(file_of(pair, view))
    ]
    for row, view, reason, severity in sorted(found):
        pair = pairs[row]
        path = str(file_of(pair, view))
        yield Problem(path, split, pair.row, reason, pair.id, severity)
    for block in filled.corrupt:
        own = _of_block(pairs, block)
        yield Problem(
            str(folder),
            split,
            own[0].row,
            f"pairs {own[0].id} to {own[-1].id} had other bytes than were"
            " written (checksum); decoded again",
        )


def _of_block(pairs: Sequence[Pair], block: int) -> Sequence[Pair]:
    return pairs[block * BLOCK_ROWS : (block + 1) * BLOCK_ROWS]


def _counts(filled: CacheContents, view: str) -> Counter[str]:
    """How many images there are of each size."""
    counts: Counter[str] = Counter()
    for record in filled.records:
        counts.update(record.sizes[view])
    return counts


def _odd_sizes(
    split: str,
    pairs: Sequence[Pair],
    filled: CacheContents,
    view: str,
    published: str,
) -> Iterator[Problem]:
    """The images that are not of the published size."""
    for block, record in enumerate(filled.records):
        if set(record.sizes[view]) <= {published}:
            continue
        for pair in _of_block(pairs, block):
            path = file_of(pair, view)
            if (size := _stored_size(path)) not in ("", published):
                reason = f"is {size} pixels (published: {published})"
                yield Problem(
                    str(path), split, pair.row, reason, pair.id, WARNING
                )


def _stored_size(path: Path) -> str:
    """The size in a file's header; "" where it cannot be read."""
    try:
        height, width = read_header(read_file(path)).upright_size
    except (UserError, ValueError):
        return ""
    return f"{width} x {height}"
