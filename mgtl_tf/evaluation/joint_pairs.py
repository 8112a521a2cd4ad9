"""Pairs of several data sets, measured in one gallery."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from mgtl_tf.config import DataConfig, InputForm
from mgtl_tf.datasets.records import Pair, files_digest
from mgtl_tf.datasets.sources import FileSource, JoinedSource


@dataclass(frozen=True)
class JointPairs:
    """The validation pairs of several data sets, one set after another.

    Attributes:
        names: of the sets, each once.
        data: how the pairs of each are read.
        sets: the pairs of each; their ids begin with the set's name, and
            they have no positions, as each set counts from an origin of its
            own.
        others: aerial images of each that are of no panorama.
    """

    names: tuple[str, ...]
    data: tuple[DataConfig, ...]
    sets: tuple[tuple[Pair, ...], ...]
    others: tuple[tuple[Pair, ...], ...]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All of them."""
        return tuple(pair for pairs in self.sets for pair in pairs)

    @property
    def distractors(self) -> tuple[Pair, ...]:
        """The gallery's images of no panorama, of all sets."""
        return tuple(pair for pairs in self.others for pair in pairs)

    @property
    def gallery(self) -> str:
        """Its digest."""
        others = self.distractors
        return files_digest(self.pairs, *([others] if others else []))

    @property
    def stem(self) -> str:
        """Begins the names of the files in a run's folder."""
        names = "+".join(name.partition(":")[0] for name in self.names)
        return f"evaluation-also-{names}-{self.gallery[:8]}"

    def source(self, form: InputForm) -> JoinedSource:
        """Their pixels, each set's by its own rule of crop and shape."""
        return self._joined(self.sets, form)

    def distractor_source(self, form: InputForm) -> JoinedSource:
        """Those of `distractors`, of which there is at least one."""
        alone = dataclasses.replace(form, ground_form="none")
        return self._joined(self.others, alone)

    def _joined(
        self, sets: Sequence[Sequence[Pair]], form: InputForm
    ) -> JoinedSource:
        return JoinedSource(
            [
                FileSource(pairs, form, data.ground_crop, data.dataset)
                for pairs, data in zip(sets, self.data, strict=True)
            ]
        )
