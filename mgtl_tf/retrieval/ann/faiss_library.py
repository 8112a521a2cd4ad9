"""FAISS, where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from typing import Any

from mgtl_tf.utils.errors import UserError


def has_faiss() -> bool:
    """Whether FAISS is installed."""
    return importlib.util.find_spec("faiss") is not None


def faiss_library(wanted_by: str) -> Any:
    """The module `faiss`.

    Args:
        wanted_by: the flag and value that need it, for the error.

    Raises:
        UserError: where it is not installed.
    """
    if not has_faiss():
        raise UserError(f"{wanted_by}: needs FAISS; pip install -e '.[faiss]'")
    # It tells at length which instructions it was built for.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    return importlib.import_module("faiss")
