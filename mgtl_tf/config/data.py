"""The data's settings."""

from __future__ import annotations

from dataclasses import dataclass

from mgtl_tf.config.settings import check_fields, refused, setting

DATASETS = ("procedural", "cvusa", "cvact", "cvact_test", "csv", "vigor")
"""Layouts of data_dir that a reader is there for."""


@dataclass(frozen=True)
class DataConfig:
    """Which pairs, and how they become network inputs.

    Raises:
        UserError: naming the field, its value and the remedy.
    """

    dataset: str = setting(
        "cvusa",
        "layout of data_dir; procedural is a synthetic world in CVUSA's layout,"
        " csv own data in train.csv and validation.csv",
        DATASETS,
    )
    data_dir: str = setting("", "folder that holds the data set")
    vigor_labels: str = setting(
        "corrected",
        "vigor only: label set; corrected: SliceMatch's, with each city's"
        " resolution; original: 0.114 m a pixel everywhere. They differ in"
        " offsets, not in which aerial image is right",
        ("corrected", "original"),
    )
    vigor_protocol: str = setting(
        "same",
        "vigor only: same: train and test in all four cities; cross: train in"
        " NewYork and Seattle, test in SanFrancisco and Chicago",
        ("same", "cross"),
    )
    ground_crop: tuple[float, float] = setting(
        (0.0, 1.0),
        "top,bottom of the rows kept of a panorama, as fractions of its"
        " height (CVACT: 0.25,0.75)",
    )
    same_place_metres: float = setting(
        25.0,
        "nearer places are never each other's negatives, metres (R15)",
        least=0,
    )
    exclude_overlap: bool = setting(
        False,
        "places that share any of their aerial images, semi-positives among"
        " them, are never each other's negatives (vigor; VIGOR's own rule)",
    )
    cache: str = setting(
        "disk",
        "disk: decode once into run_dir/cache and map it into memory; none:"
        " decode the image files in every epoch",
        ("disk", "none"),
    )
    data_cache: str = setting(
        "",
        "folder that experiments.prepare wrote: images are read from there,"
        " whatever `cache` says; empty: none",
    )
    partial: bool = setting(
        False,
        "use the pairs that data_cache holds, where others were left out of"
        " it; how many are missing stands beside every figure",
    )
    feature_cache: str = setting(
        "",
        "with freeze_blocks: folder in which the fixed blocks' output of every"
        " training pair is kept, made once for all runs of the same blocks and"
        " data; training then begins after them; empty: none",
    )
    feature_dtype: str = setting(
        "float16",
        "feature_cache only: float16, or float32 (twice the bytes)",
        ("float16", "float32"),
    )
    roll_features: bool = setting(
        False,
        "feature_cache only: turn both views' cached maps together by whole"
        " columns while training; not quite roll_and_mirror, as the seam moves"
        " along",
    )
    roll_and_mirror: bool = setting(
        False, "turn and mirror both views together while training"
    )
    satellite_crop: float = setting(
        1.0,
        "square aerial images alone are cropped about their centre while"
        " training, to a share of their side drawn evenly from 0 to 1, where"
        " it is above this one; 1: never",
        above=0,
    )
    satellite_quarter_turns: bool = setting(
        False,
        "turn square aerial images alone by right angles at random while"
        " training; for systems that compare no directions",
    )
    orientation_noise: float = setting(
        0.0,
        "turn panoramas alone while training, evenly by 0 to so many degrees:"
        " 360 for the protocol unknown_orientation",
        least=0,
    )
    color_jitter: float = setting(
        0.0,
        "strength of each view's own colour changes while training",
        least=0,
    )
    blur: float = setting(
        0.0,
        "largest standard deviation of each view's own Gaussian blur while"
        " training, pixels of the network's input; 0: none",
    )
    jpeg_quality: int = setting(
        0,
        "each view goes through a JPEG of its own while training, of a"
        " quality drawn from this one up to 95; 0: none",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        top, bottom = self.ground_crop
        if not 0 <= top < bottom <= 1:
            raise refused(self, "ground_crop", "0 <= top < bottom <= 1")
        if self.satellite_crop > 1:
            raise refused(self, "satellite_crop", "1 (never) or less")
        if self.orientation_noise > 360:
            raise refused(self, "orientation_noise", "0 to 360 degrees")
        if not 0 <= self.blur <= 20:
            raise refused(self, "blur", "0 (off) to 20 pixels")
        if not 0 <= self.jpeg_quality <= 95:
            raise refused(self, "jpeg_quality", "0 (off) or 1 to 95")
        self._check_features()

    @property
    def reader_options(self) -> dict[str, str]:
        """What the reader of the data set is told besides its folder."""
        if self.dataset != "vigor":
            return {}
        return {"labels": self.vigor_labels, "protocol": self.vigor_protocol}

    @property
    def satellite_changes(self) -> list[str]:
        """Names of settings that change square aerial images alone."""
        names = []
        if self.satellite_crop < 1:
            names.append("satellite_crop")
        if self.satellite_quarter_turns:
            names.append("satellite_quarter_turns")
        return names

    @property
    def image_changes(self) -> list[str]:
        """Names of settings by which images are others in every epoch."""
        names = (
            "roll_and_mirror",
            "orientation_noise",
            "color_jitter",
            "blur",
            "jpeg_quality",
        )
        changing = [name for name in names if getattr(self, name)]
        return changing + self.satellite_changes

    def _check_features(self) -> None:
        if not self.feature_cache:
            if self.roll_features:
                raise refused(
                    self, "roll_features", "false without feature_cache"
                )
            return
        if changing := self.image_changes:
            raise refused(
                self,
                "feature_cache",
                f"empty with {', '.join(changing)}: the images, and so their"
                " features, are others in every epoch",
            )
