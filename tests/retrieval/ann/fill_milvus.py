"""A program for test_milvus.py: fills a collection slowly, to be killed.

python -m tests.retrieval.ann.fill_milvus FOLDER
"""

import sys
import time
from pathlib import Path

import numpy as np

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann import build_engine, milvus_building


def unit_rows(count, size, seed):
    """Random unit vectors, float32."""
    rows = np.random.default_rng(seed).normal(size=(count, size))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def gallery_of(folder, descriptors):
    """A gallery in a folder that engines can be built in."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").write_text("{}")
    return Index(folder, [], descriptors, "f" * 64)


def gallery(folder, seed=0):
    """A gallery of 700 random places."""
    return gallery_of(folder, unit_rows(700, 32, seed))


def slow_bar(batches, *_, **__):
    """Stands for tqdm: reports each batch that was written, and waits."""
    for batch in batches:
        yield batch
        print("batch", flush=True)
        time.sleep(0.2)


if __name__ == "__main__":
    milvus_building._BYTES = 4 * 32 * 50
    milvus_building.tqdm = slow_bar
    home = Path(sys.argv[1])
    build_engine(gallery(home / "index"), "exact", "milvus", f"{home}/a.db")
