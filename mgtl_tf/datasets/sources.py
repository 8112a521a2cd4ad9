"""Where a batch's pixels come from: the files, or the decoded cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from mgtl_tf.config import InputForm
from mgtl_tf.datasets.label_maps import with_labels
from mgtl_tf.datasets.preprocess import load_ground, load_satellite
from mgtl_tf.datasets.records import Pair
from mgtl_tf.utils.array_files import map_array
from mgtl_tf.utils.plain_files import UnfitFileError, damaged

VIEWS = ("ground", "satellite")


class PairSource(Protocol):
    """Network inputs of N pairs, by row: images, or cached feature maps."""

    def __len__(self) -> int: ...

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ground and satellite images of rows int [n].

        Returns:
            RGB uint8 [n, H, W, 3], each of its view's size; of a cache of
            VGG-16's first blocks float16 or float32 [n, h, w, C]; of a
            LabelledSource aerial images [n, H, W, 6].

        Raises:
            UserError: for a file that cannot be read.
        """


class FileSource:
    """Decodes, crops, resizes and warps the files at every reading.

    Args:
        pairs: the records; row n is pairs[n].
        form: sizes of both views and form of aerial images; a plain H, W:
            of both, polar.
        ground_crop: top and bottom of a panorama's rows, as fractions.
        dataset: its name, for `require_shape`.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        form: InputForm | tuple[int, int],
        ground_crop: tuple[float, float] = (0.0, 1.0),
        dataset: str = "",
    ):
        self.form = form if isinstance(form, InputForm) else InputForm(form)
        labels = self.form.ground_form == "labels"
        self.pairs = with_labels(pairs) if labels else tuple(pairs)
        self.ground_crop = ground_crop
        self.dataset = dataset

    def __len__(self) -> int:
        """How many pairs there are, N."""
        return len(self.pairs)

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of `PairSource`."""
        pairs = [self.pairs[row] for row in rows]
        size, crop = self.form.size("ground"), self.ground_crop
        if self.form.ground_form == "none":
            ground = [np.empty((*size, 3), np.uint8)] * len(pairs)
        else:
            ground = [
                load_ground(
                    p.ground, size, crop, self.dataset, self.form.ground_form
                )
                for p in pairs
            ]
        size, kind = self.form.size("satellite"), self.form.satellite_form
        satellite = [load_satellite(p.aerial, size, kind) for p in pairs]
        return np.stack(ground), np.stack(satellite)


class JoinedSource:
    """The rows of several sources, one after another.

    Args:
        sources: at least one; a view's images have one size.
    """

    def __init__(self, sources: Sequence[PairSource]):
        self._sources = tuple(sources)
        self._ends = np.cumsum([len(source) for source in sources])

    def __len__(self) -> int:
        """How many pairs there are, N."""
        return int(self._ends[-1])

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of `PairSource`."""
        rows = np.asarray(rows)
        owners = np.searchsorted(self._ends, rows, side="right")
        views = []
        for row, owner in zip(rows, owners, strict=True):
            source = self._sources[owner]
            first = self._ends[owner] - len(source)
            views.append(source.load(np.array([row - first])))
        ground, satellite = zip(*views, strict=True)
        return np.concatenate(ground), np.concatenate(satellite)


class LabelledSource:
    """Aerial images followed by their label maps, as three more channels.

    Args:
        images: of pairs.
        labels: of the same pairs, `with_aerial_labels`; its ground images
            are left out.
    """

    def __init__(self, images: PairSource, labels: PairSource):
        self._images = images
        self._labels = labels

    def __len__(self) -> int:
        """How many pairs there are, N."""
        return len(self._images)

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of `PairSource`: aerial images [n, H, W, 6]."""
        ground, satellite = self._images.load(rows)
        labels = self._labels.load(rows)[1]
        return ground, np.concatenate([satellite, labels], axis=-1)


class CacheSource:
    """Reads the memory-mapped arrays of a decoded cache.

    Args:
        folder: holds ground.npy and satellite.npy.
        rows: int [N], the cache's row of each of this source's; by default
            they are the same.
        dtype, channels: of the arrays; by default of decoded images.

    Raises:
        UserError: for arrays that are missing or cut off.
    """

    def __init__(
        self,
        folder: Path | str,
        rows: np.ndarray | None = None,
        dtype: str = "|u1",
        channels: int = 3,
    ):
        self.arrays = {
            view: _mapped(Path(folder), view, dtype, channels) for view in VIEWS
        }
        count = len(self.arrays["ground"])
        self.rows = np.arange(count) if rows is None else rows

    def __len__(self) -> int:
        """How many pairs there are, N."""
        return len(self.rows)

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of `PairSource`."""
        own = self.rows[rows]
        ground, satellite = (self.arrays[view][own] for view in VIEWS)
        return ground, satellite


def _mapped(folder: Path, view: str, dtype: str, channels: int) -> np.ndarray:
    path = folder / f"{view}.npy"
    try:
        return map_array(path, dtype, (None, None, None, channels))
    except UnfitFileError as error:
        raise damaged(
            path, error, f"remove {folder} and make it anew"
        ) from error
