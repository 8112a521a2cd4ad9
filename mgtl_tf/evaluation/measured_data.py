"""The data that a run is measured on: its own, or others."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from mgtl_tf.config import DataConfig
from mgtl_tf.datasets.panorama_shape import WHOLE, sphere_crop
from mgtl_tf.datasets.records import Dataset, Pair
from mgtl_tf.presets import load_preset
from mgtl_tf.utils.errors import UserError

# CVACT's panoramas and VIGOR's are full spheres.
_SPHERES = ("cvact", "cvact_test", "vigor")


def on_data(
    own: DataConfig,
    dataset: str | None,
    data_dir: str | None,
    data_cache: str | None = None,
    feature_cache: str | None = None,
    image_size: tuple[int, int] | None = None,
) -> DataConfig:
    """A run's data config for other data, its panoramas cropped as `_crop_on`.

    Its caches are of its own data, and not used for others: CVACT's test set
    lies in the folder of CVACT.
    """
    data, dataset = own, dataset or own.dataset
    elsewhere = data_dir and not same_folder(data_dir, own.data_dir)
    if elsewhere or dataset != own.dataset:
        data = dataclasses.replace(
            data,
            data_cache="",
            feature_cache="",
            roll_features=False,
            partial=own.partial and data_cache is not None,
        )
    if data_cache is not None:
        data = dataclasses.replace(data, data_cache=data_cache)
    if feature_cache is not None:
        data = dataclasses.replace(data, feature_cache=feature_cache)
    if dataset != own.dataset:
        crop = _crop_on(own, dataset, image_size)
        data = dataclasses.replace(data, dataset=dataset, ground_crop=crop)
    return dataclasses.replace(data, data_dir=data_dir or own.data_dir)


def _crop_on(
    own: DataConfig, dataset: str, image_size: tuple[int, int] | None
) -> tuple[float, float]:
    """The rows that a run keeps of another data set's panoramas.

    Of CVACT's spheres those that it keeps of its own, where these are spheres
    as well; else those of their preset: a run on CVUSA keeps all rows, of
    which CVACT has twice too many. Of VIGOR's the middle rows, where a
    network of `image_size` reads strips and was not trained on whole spheres.
    """
    spheres = own.dataset in _SPHERES
    if dataset == "vigor" and image_size:
        whole = spheres and own.ground_crop == WHOLE
        return WHOLE if whole else sphere_crop(image_size)
    if spheres and dataset in _SPHERES:
        return own.ground_crop
    return load_preset(dataset).data.ground_crop


def with_vigor(
    data: DataConfig, labels: str | None, protocol: str | None
) -> DataConfig:
    """A data config with another label set or protocol of VIGOR.

    Args:
        data: of any data set.
        labels, protocol: None: those of `data`.

    Raises:
        UserError: where one is given and the data are not VIGOR's.
    """
    asked = {"vigor_labels": labels, "vigor_protocol": protocol}
    given: dict[str, Any] = {
        name: value for name, value in asked.items() if value is not None
    }
    if given and data.dataset != "vigor":
        name, value = next(iter(given.items()))
        raise UserError(
            f"{name}={value}: belongs to dataset=vigor, and these data are"
            f" {data.dataset}'s"
        )
    return dataclasses.replace(data, **given)


def trained_on_tested(trained: DataConfig, data: DataConfig) -> str:
    """What to say of a same-area run on VIGOR's cross-area test; or ""."""
    areas = trained.vigor_protocol, data.vigor_protocol
    both = trained.dataset == data.dataset == "vigor"
    if not both or areas[0] == areas[1]:
        return ""
    if areas == ("same", "cross"):
        return (
            "trained on vigor_protocol=same: half of these test panoramas were"
            " trained on; these are no cross-area figures"
        )
    return (
        "trained on vigor_protocol=cross: test panoramas of the cities that it"
        " was trained on were trained on; these are no same-area figures"
    )


def pairs_of(records: Dataset, data_dir: str, split: str) -> tuple[Pair, ...]:
    """The pairs of a split, at least one.

    Raises:
        UserError: where there is none.
    """
    pairs = records.train if split == "train" else records.validation
    if not pairs:
        raise UserError(f"{data_dir}: has no pairs in its {split} split")
    return pairs


def same_folder(one: str, other: str) -> bool:
    """Whether both name one folder."""
    return Path(one).resolve() == Path(other).resolve()


def elsewhere(trained: DataConfig, data: DataConfig) -> str:
    """Ends the file name of another folder, or labels or protocol of VIGOR,
    than the run's own."""
    options = data.reader_options.values()
    differ = data.reader_options != trained.reader_options
    ending = "".join(f"-{value}" for value in options) if differ else ""
    if data.dataset != trained.dataset or same_folder(
        data.data_dir, trained.data_dir
    ):
        return ending
    return f"-{Path(data.data_dir).resolve().name}{ending}"


def transfer(trained: str, evaluated: str) -> str:
    """Empty for one data set; CVACT's test set is CVACT as well."""
    families = {name.removesuffix("_test") for name in (trained, evaluated)}
    return "" if len(families) == 1 else f"{trained} to {evaluated}"
