"""model.json: what an exported model's folder says of itself.

It holds the fingerprint of every other file and its own checksum: with the
weights of another run inside, a folder is refused before it is loaded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mgtl_tf.config import InputForm, RunConfig
from mgtl_tf.export.shipped import SHIPPED
from mgtl_tf.utils.atomic_io import MODEL_JSON, atomic_write
from mgtl_tf.utils.checksums import Fingerprint, fingerprint, require_same
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json, sealed_text
from mgtl_tf.utils.plain_files import UnfitFileError, damaged
from mgtl_tf.utils.scorers import DOT

OFFSETS = "predict_offset"
"""The signature of an offset head, in every format."""

_FORMAT = 2
_REMEDY = "export again"
_GRAPH = "saved_model.pb"
_NEEDED = (_GRAPH, "variables/variables.index")
# Of the other formats, which nothing here opens, no program reads the files.
_LOADED = (_GRAPH, "variables/", "assets/", "fingerprint.pb")


@dataclass(frozen=True)
class ModelDetails:
    """What model.json must say; it may say more.

    Attributes:
        model_hash: names the weights and the preprocessing.
        dimension: D, length of a satellite descriptor.
        image_size: H, W of panoramas, pixels.
        ground_crop: top and bottom of a panorama's rows, as fractions.
        config: of the run.
        formats: what was written beside the SavedModel.
        files: of all files of the folder, by path.
        scorer: how its descriptors are compared; see `utils.scorers`.
        satellite_size, satellite_form: H, W of aerial images, and polar or
            square, where they are not polar and of image_size.
    """

    model_hash: str
    dimension: Annotated[int, Field(gt=0)]
    image_size: tuple[int, int]
    ground_crop: tuple[float, float]
    config: dict[str, dict[str, Any]]
    formats: dict[str, dict[str, Any]]
    files: dict[str, Fingerprint]
    scorer: dict[str, Any] = field(default_factory=DOT.plain)
    satellite_size: tuple[int, int] = (0, 0)
    satellite_form: str = "polar"
    ground_form: str = "image"


def write_details(folder: Path, details: Mapping[str, Any]) -> None:
    """Writes model.json; every other file is there already.

    Args:
        folder: of the SavedModel.
        details: what `ModelDetails` names, but for `files`.

    Raises:
        UserError: where it cannot be written.
    """
    own = folder / MODEL_JSON
    files = {
        path.relative_to(folder).as_posix(): dataclasses.asdict(
            fingerprint(path)
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != own
    }
    content = {"format": _FORMAT, **details, "files": files}
    atomic_write(own, sealed_text(content))


def read_details(folder: Path) -> dict[str, Any]:
    """The model.json of an exported model, without loading the model.

    Raises:
        UserError: where the folder is missing, incomplete or broken.
    """
    remedy = "give the folder that experiments.export wrote, or a model of the"
    remedy += f" package: {', '.join(SHIPPED)}"
    if not folder.is_dir():
        raise UserError(f"model={folder}: no such folder; {remedy}")
    path = folder / MODEL_JSON
    if not path.is_file() or not (folder / _GRAPH).is_file():
        raise UserError(
            f"model={folder}: holds no {_GRAPH} with {MODEL_JSON}; {remedy}"
        )
    _checked(path)
    return read_json(path, dict[str, Any], _REMEDY)


def input_form(details: Mapping[str, Any]) -> InputForm:
    """Sizes and forms of an exported model's network inputs.

    Args:
        details: of `read_details`.
    """
    return InputForm(
        tuple(details["image_size"]),
        tuple(details.get("satellite_size", (0, 0))),
        details.get("satellite_form", "polar"),
        details.get("ground_form", "image"),
    )


def require_undamaged(folder: Path) -> None:
    """Compares the files that TensorFlow loads with model.json.

    Raises:
        UserError: naming the first that is missing or differs.
    """
    path = folder / MODEL_JSON
    files = _checked(path).files
    for name in _NEEDED:
        if name not in files:
            raise damaged(path, f"lists no {name}", _REMEDY)
    for name, written in files.items():
        if not name.startswith(_LOADED):
            continue
        try:
            require_same(folder / name, written)
        except UnfitFileError as error:
            raise UserError(
                f"{folder / name}: {error}: not what {MODEL_JSON} was written"
                f" for; {_REMEDY}"
            ) from error


def _checked(path: Path) -> ModelDetails:
    details = read_json(
        path, ModelDetails, _REMEDY, sealed=True, version=_FORMAT
    )
    try:
        run = RunConfig.of_parts(details.config, str(path))
    except UserError as error:
        raise damaged(path, error, _REMEDY) from error
    form = input_form(vars(details))
    if (form.image_size, details.ground_crop, details.scorer) != (
        run.model.image_size,
        run.data.ground_crop,
        run.model.scorer.plain(),
    ):
        raise damaged(
            path,
            "image_size, ground_crop and scorer are not its config's",
            _REMEDY,
        )
    if form.settings != run.model.input_form.settings:
        raise damaged(
            path,
            "satellite_size, satellite_form and ground_form are not its"
            " config's",
            _REMEDY,
        )
    return details
