"""What a new run's weights are before its first step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras

from mgtl_tf.models.backbones import copy_parts
from mgtl_tf.training.checkpoint import (
    has_checkpoint,
    load_model,
    load_weights,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError


@dataclass(frozen=True)
class Start:
    """What a new run's weights are, before its first step.

    Attributes:
        init_from, init_backbone: folders of other runs; empty: none.
        backbone_weights: as of `CrossViewModel.start_from`.
        freeze_blocks: how many blocks of VGG-16 are fixed.
        normalization: VGG-16's, "none" or "batch".
    """

    init_from: str = ""
    init_backbone: str = ""
    backbone_weights: str = "none"
    freeze_blocks: int = 0
    normalization: str = "none"

    @property
    def is_random(self) -> bool:
        """Whether no weights are given."""
        given = self.init_from or self.init_backbone
        return not given and self.backbone_weights == "none"

    def require_fixed_blocks_given(self) -> None:
        """Refuses to fix blocks whose weights or statistics are random.

        Raises:
            UserError: with the remedy.
        """
        if not self.freeze_blocks or self.init_from or self.init_backbone:
            return
        name = f"freeze_blocks={self.freeze_blocks}"
        if self.is_random:
            raise UserError(
                f"{name}: would keep random weights; give backbone_weights,"
                " init_backbone or init_from, or freeze_blocks=0"
            )
        if self.normalization == "batch":
            raise UserError(
                f"{name}: batch normalisation of fixed blocks uses the"
                " statistics that it starts with, and backbone_weights holds"
                " none; give init_backbone or init_from, a run that has them,"
                " or backbone_normalization=none"
            )

    def set_weights(self, model: keras.Model) -> None:
        """Sets what is given; the rest stays as it is.

        Raises:
            UserError: where it is missing, damaged or does not fit.
        """
        if self.init_from:
            same = "a run of the same network"
            with _naming_run("init_from", self.init_from, same):
                load_weights(model, self.init_from)
        elif self.init_backbone:
            kind = "a run of a system with VGG-16 of the same widths"
            kind = model.follows or kind
            with _naming_run("init_backbone", self.init_backbone, kind):
                copy_parts(model, load_model(self.init_backbone)[1])
            # What a system does about the rest of its weights.
            model.start_from("none")
        elif model.follows:
            raise UserError(
                f"init_backbone: is empty, and this stage of"
                f" {model.config.system} starts from {model.follows}; give its"
                " folder"
            )
        else:
            model.start_from(self.backbone_weights)


@contextmanager
def _naming_run(flag: str, run_dir: str, kind: str) -> Iterator[None]:
    """Errors about another run's weights name the setting."""
    if not has_checkpoint(run_dir):
        found = "holds no checkpoint" if Path(run_dir).is_dir() else "not there"
        raise UserError(
            f"{flag}={run_dir}: {found}; give the folder of a run that"
            " has written a checkpoint"
        )
    try:
        yield
    except (UserError, UnfitFileError) as error:
        raise UserError(
            f"{flag}={run_dir}: {error}; give {kind} whose best"
            " checkpoint is readable"
        ) from error
