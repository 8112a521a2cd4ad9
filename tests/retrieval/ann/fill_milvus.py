"""A program for test_milvus.py: fills a collection slowly, to be killed.

python -m tests.retrieval.ann.fill_milvus FOLDER
"""

import sys
import time
from pathlib import Path

import numpy as np

from mgtl_tf.retrieval.ann import build_engine, milvus_building
from mgtl_tf.retrieval.galleries.gallery import Index


def gallery(folder, seed=0):
    """A gallery of 700 random places."""
    rows = np.random.default_rng(seed).normal(size=(700, 32))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    folder.mkdir(exist_ok=True)
    (folder / "index.json").write_text("{}")
    return Index(folder, [], rows.astype(np.float32), "f" * 64)


class SlowBar:
    """Stands for tqdm: tells that a batch was written, and waits."""

    def __init__(self, **_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, _):
        """Between two batches."""
        print("batch", flush=True)
        time.sleep(0.2)


if __name__ == "__main__":
    milvus_building._BYTES = 4 * 32 * 50
    milvus_building.tqdm = SlowBar
    home = Path(sys.argv[1])
    build_engine(gallery(home / "index"), "exact", "milvus", f"{home}/a.db")
