"""MGTL and its training and retrieval code: cross-view geo-localization.

Importing it registers every layer and model with Keras, so that
`keras.models.load_model` needs no custom objects. Where nothing of Keras is
needed, that import of seconds is left out: in the programs of `experiments`
(MGTL_TF_LAZY=1 in the environment) and in processes that multiprocessing
started. There `import mgtl_tf.models` registers them.
"""

import importlib
import multiprocessing
import os
from typing import TYPE_CHECKING, Any

from mgtl_tf.config import DataConfig, ModelConfig, RunConfig, TrainConfig

if TYPE_CHECKING:
    from mgtl_tf import losses, metrics
    from mgtl_tf.models import build_model
    from mgtl_tf.retrieval.localizer import Localizer

__version__ = "0.1.0"

__all__ = [
    "DataConfig",
    "Localizer",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
    "build_model",
    "losses",
    "metrics",
]

_HOMES = {
    "build_model": "mgtl_tf.models",
    "Localizer": "mgtl_tf.retrieval.localizer",
}


def __getattr__(name: str) -> Any:
    if name in ("losses", "metrics"):
        return importlib.import_module(f"mgtl_tf.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mgtl_tf' has no attribute {name!r}")


def _register_keras_classes() -> None:
    lazy = os.environ.get("MGTL_TF_LAZY", "0") != "0"
    if lazy or multiprocessing.parent_process() is not None:
        return
    from mgtl_tf.utils.tf_setup import load_keras

    load_keras()
    from mgtl_tf.models import import_systems

    import_systems()


_register_keras_classes()
