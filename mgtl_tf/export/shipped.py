"""The models that come with the package, and packed ones of a user."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from mgtl_tf.utils.atomic_io import MODEL_JSON

SHIPPED: Mapping[str, Path] = {
    "synthetic-to-real": Path(__file__).parent
    / "static"
    / "synthetic_to_real.npz"
}
"""Models of the package, by the name that stands for a folder."""

# Changes with what export_model makes of a model.
_GRAPH = 2


def model_folder(model: Path | str) -> Path:
    """The export folder that a user's word for a model stands for.

    A folder stands for itself. The name of a shipped model, or a file of
    `write_packed`, stands for its export below `cache_folder()`, which is
    made on first use.

    Raises:
        UserError: where that cannot be read or written.
    """
    path = Path(model)
    packed = SHIPPED.get(str(model)) if not path.is_dir() else None
    if packed is None and path.suffix == ".npz" and path.is_file():
        packed = path
    if packed is None:
        return path
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"{packed.stem}-{digest}-{_GRAPH}"
    if not (folder / MODEL_JSON).is_file():
        _export(packed, folder)
    return folder


def cache_folder() -> Path:
    """Where exports of packed models are kept.

    $XDG_CACHE_HOME/mgtl_tf, by default ~/.cache/mgtl_tf.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "mgtl_tf"


def _export(packed: Path, folder: Path) -> None:
    # Only now: a wrong path is reported without the seconds that this takes.
    from mgtl_tf.utils.tf_setup import load_tensorflow

    load_tensorflow()
    from mgtl_tf.export.packed_model import read_packed
    from mgtl_tf.export.saved_model import export_model

    export_model(*read_packed(packed), folder)
