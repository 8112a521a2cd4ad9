"""Building engines of an index, by function and by program."""

import json
import re

import numpy as np
import pytest

from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.ann import open_engine
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.engines import (
    build_gallery_engine,
    require_gallery_engine,
)
from tests.galleries.encoders import FakeEncoder, build
from tests.tiny_runs import write_image

pytest.importorskip("faiss")


def seeded_by_first_pixel(image):
    row = np.random.default_rng(image[0, 0]).standard_normal(16)
    return row / np.linalg.norm(row)


def made(folder, count=120, model_hash="f" * 64):
    images = folder / "images"
    for i in range(count):
        write_image(images / f"{i}.png", np.full((2, 2, 3), i, np.uint8))
    places = [Place(str(i), images / f"{i}.png") for i in range(count)]
    encoder = FakeEncoder(seeded_by_first_pixel, 16, model_hash)
    build(places, folder / "index", encoder)
    return folder / "index"


def test_the_program_builds_what_locate_opens(tmp_path, load_program, capsys):
    folder, program = made(tmp_path), load_program("index")
    given = {flag.name: flag.default for flag in program.PROGRAM_FLAGS}
    given |= {"engine": "int8", "output_dir": str(folder)}
    assert program.main(**given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"int8: recall@1 \d\.\d{3} \(exact \d\.\d{3}\)", lines[0])
    assert re.match(r"int8: \d\.\d MB$", lines[1])
    index = load_index(folder)
    rows, _ = open_engine(index, "int8").search(index.descriptors[:5], 1)
    assert rows.ravel().tolist() == [0, 1, 2, 3, 4]


def test_an_index_built_again_makes_engines_stale(tmp_path):
    folder = made(tmp_path)
    build_gallery_engine(folder, "float16", progress=False)
    stored = json.loads((folder / "engines/float16/engine.json").read_text())
    # Measured on queries that differ from their places.
    assert stored["measured"]["exact_recall@1"] < 1
    made(tmp_path, count=121)
    with pytest.raises(UserError, match="has no engine|other descriptors"):
        open_engine(load_index(folder), "float16")


def test_training_gallery(tmp_path):
    folder = made(tmp_path / "a")
    training = made(tmp_path / "b", 60)
    build_gallery_engine(folder, "pca", "faiss", None, training, False)
    open_engine(load_index(folder), "pca")
    foreign = made(tmp_path / "c", 60, "0" * 64)
    with pytest.raises(UserError, match="another model"):
        build_gallery_engine(folder, "pca", "faiss", None, foreign, False)
    with pytest.raises(UserError, match="no such folder"):
        require_gallery_engine("pca", "faiss", None, tmp_path / "none")
    with pytest.raises(UserError, match="learns nothing"):
        require_gallery_engine("exact", "faiss", None, training)
    with pytest.raises(UserError, match="backend=milvus has exact, int8, hns"):
        require_gallery_engine("pca", "milvus", "a.db", None)
