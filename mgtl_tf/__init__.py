"""MGTL and the harness around it: cross-view geo-localization in Keras."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mgtl_tf import losses, metrics
    from mgtl_tf.config import DataConfig, ModelConfig, RunConfig, TrainConfig
    from mgtl_tf.models import build_model
    from mgtl_tf.retrieval.localizer import Localizer

__version__ = "0.1.0"

# Imported when first used: readers and command-line help need no TensorFlow.
_HOMES = {
    "ModelConfig": "mgtl_tf.config",
    "DataConfig": "mgtl_tf.config",
    "TrainConfig": "mgtl_tf.config",
    "RunConfig": "mgtl_tf.config",
    "build_model": "mgtl_tf.models",
    "Localizer": "mgtl_tf.retrieval.localizer",
}
_MODULES = ("losses", "metrics")

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mgtl_tf.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mgtl_tf' has no attribute {name!r}")
