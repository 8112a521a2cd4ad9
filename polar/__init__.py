"""The polar transform: an aerial image as a panorama would see it."""

import importlib
from typing import TYPE_CHECKING, Any

from polar.transform import polar_transform

if TYPE_CHECKING:
    from polar.layer import PolarTransform

__all__ = ["PolarTransform", "polar_transform"]


def __getattr__(name: str) -> Any:
    # The layer needs Keras, which takes seconds to import.
    if name == "PolarTransform":
        return importlib.import_module("polar.layer").PolarTransform
    raise AttributeError(f"module 'polar' has no attribute {name!r}")
