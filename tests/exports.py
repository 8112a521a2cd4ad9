"""A tiny MGTL, its run and data, exported in every format."""

from pathlib import Path
from typing import NamedTuple

import cv2
import keras
import numpy as np

from mgtl_tf.config import ModelConfig, RunConfig
from mgtl_tf.workflows.export import export_run
from tests.tiny_runs import write_run

CONFIG = RunConfig(
    model=ModelConfig(
        image_size=(16, 40),
        width_multiplier=1 / 16,
        poolings=2,
        channels=12,
        heads=2,
        recurrent_steps=1,
    )
).replace(ground_crop=(0.25, 0.75), dataset="csv")
# Two convolutions a view, where any network will do.
PROBE = CONFIG.replace(system="linear_probe", blocks=1, poolings=1)


class TinyExport(NamedTuple):
    """A folder with panoramas/, aerial/, run/ and export/, and the model."""

    root: Path
    model: keras.Model
    config: RunConfig

    @property
    def folder(self):
        return self.root / "export"


def smooth(count, height, width, seed=0):
    """Smooth random pictures, uint8 [count, h, w, 3], one turned further."""
    noise = np.random.default_rng(seed).normal(0, 90, (height, width, 3))
    shapes = cv2.GaussianBlur(noise, (0, 0), 2) * 4 + 128
    shapes = np.clip(shapes, 0, 255).astype(np.uint8)
    return np.stack([np.roll(shapes, i * width // 3, 1) for i in range(count)])


def picture(path, height, width, seed):
    """Writes one, in the format of its name."""
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), smooth(1, height, width, seed)[0])
    return path


def write_export(root, config=CONFIG, formats=("onnx", "tflite")):
    """Six pairs without positions, an untrained run of them, its export."""
    rows = ["id,ground,aerial,latitude,longitude"]
    for i in range(1, 7):
        picture(root / f"panoramas/{i}.jpg", 30 + 16 * i, 80 + 7 * i, i)
        picture(root / f"aerial/{i}.jpg", 30 + 9 * i, 30 + 9 * i, 10 + i)
        rows.append(f"{i},panoramas/{i}.jpg,aerial/{i}.jpg,,")
    for split in ("train", "validation"):
        (root / f"{split}.csv").write_text("\n".join(rows) + "\n")
    config = config.replace(data_dir=str(root))
    model = write_run(root / "run", config)
    export_run(root / "run", root / "export", formats=list(formats))
    return TinyExport(root, model, config)
