"""Parts of a system that are trained apart, as a generator's opponent is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Tensors = dict[str, Any]


@dataclass(frozen=True)
class VariableGroup:
    """Variables with a loss and an optimizer of their own.

    In a train step `CrossViewModel.shared_outputs` runs once, then each group
    in the order of `CrossViewModel.groups`: its loss, with the variables that
    the groups before it have just been given, and the update of its variables.

    Attributes:
        name: its loss is logged as `NAME_loss`.
        variables: trainable ones, which no other group has.
        loss: of (views, shared, compare): the images [B, H, W, 3] of both
            views, the shared outputs, and the retrieval loss as a function of
            (ground, satellite) descriptors [B, D]. Gives the scalar that is
            minimised, and tensors by name: other scalars to log, and, of one
            group, the descriptors "ground" and "satellite".
    """

    name: str
    variables: list[Any]
    loss: Callable[[Tensors, Tensors, Callable], tuple[Any, Tensors]]
