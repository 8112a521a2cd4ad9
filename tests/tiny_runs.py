"""Run folders of untrained models, for tests of what comes after training."""

import cv2
import keras
import numpy as np
import scipy.io

from mgtl_tf.config import ModelConfig, RunConfig
from mgtl_tf.models import build_model
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.progress import Progress

# Exports, indexes and answers in seconds; no weight in it is trained.
ONE_STEP = ModelConfig(
    image_size=(32, 160),
    width_multiplier=0.125,
    poolings=3,
    channels=24,
    heads=2,
    recurrent_steps=1,
)

# The smallest network that trains; what a test varies it replaces.
TINY = RunConfig().replace(
    image_size=(8, 16),
    width_multiplier=1 / 64,
    poolings=1,
    channels=4,
    heads=2,
    recurrent_steps=0,
    backbone_weights="none",
)
# Two of its convolutions a view, where any network will do.
PROBE = TINY.replace(system="linear_probe", blocks=1)


def write_run(folder, config):
    """A run's config and best checkpoint; returns the model in it."""
    keras.utils.set_random_seed(1)
    model = build_model(config.model, config.train.dtype_policy)
    saving = Checkpoints(folder, model, keras.optimizers.Adam())
    saving.save_best(Progress(step=3))
    (folder / "config.json").write_text(config.to_json())
    return model


def write_noisy_cvusa(folder, count):
    """So many noisy pairs in CVUSA's layout, the same for both splits."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(count):
        aerial, ground = f"bingmap/19/{i}.png", f"streetview/{i}.png"
        write_image(
            folder / aerial, rng.integers(0, 256, (16, 16, 3), np.uint8)
        )
        write_image(folder / ground, rng.integers(0, 256, (8, 16, 3), np.uint8))
        rows.append(f"{aerial},{ground}")
    (folder / "splits").mkdir()
    for split in ("train", "val"):
        (folder / f"splits/{split}-19zl.csv").write_text("\n".join(rows))


def write_white_cvact(folder):
    """Three pairs in CVACT's layout; a panorama's middle rows are white."""
    ids = ["a", "b", "c"]
    index = np.array([[1], [2], [3]])
    scipy.io.savemat(
        folder / "ACT_data.mat",
        {
            "panoIds": np.array(ids),
            "utm": np.array([[0.0, 6e6], [4, 6e6], [900, 6e6]]),
            "trainSet": {"trainInd": index},
            "valSet": {"valInd": index},
        },
    )
    ground = np.zeros((32, 64, 3), np.uint8)
    ground[8:24] = 255
    for name in ids:
        images = folder / "ANU_data_small"
        write_image(images / f"streetview/{name}_grdView.jpg", ground)
        aerial = images / f"satview_polish/{name}_satView_polish.jpg"
        write_image(aerial, np.full((16, 16, 3), 90, np.uint8))
        # Equal pixels of other bytes: three images, not one.
        aerial.write_bytes(aerial.read_bytes() + name.encode())


def write_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not imwrite, which ends the process for a name that is no UTF-8.
    done, data = cv2.imencode(path.suffix, pixels)
    assert done
    path.write_bytes(data.tobytes())
