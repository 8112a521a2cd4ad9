"""A gallery cut from a map by two machines, joined, and searched."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.sources import Shard
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.index import index_gallery, maintain_gallery
from mgtl_tf.workflows.locate import locate_images
from polar.image_files import read_image
from tests.galleries.tiling.maps import write_map


def test_a_map_is_cut_shared_and_searched(tiny_export, tmp_path):
    """By two machines, the last of which joins; then located in it."""
    exported = tiny_export.folder
    panorama = tiny_export.root / "panoramas/1.jpg"
    path = tmp_path / "map.tif"
    utm = ("EPSG:32632", (371000, 5200000), (0.4, 0.4))
    write_map(path, *utm)
    crops = {"crop_metres": 40.0, "metres_per_pixel": 0.5, "step_metres": 20.0}
    arguments = (exported, [path], tmp_path / "index")
    first = index_gallery(*arguments, progress=False, shard="2/2", **crops)
    assert (first.missing, first.joined) == ((Shard(1, 2),), None)
    assert f"{first.built.count} places indexed" in first.lines("i")[0]
    assert first.lines("i")[1] == "still missing: shard 1/2"
    with pytest.raises(UserError, match="not joined yet"):
        locate_images(*arguments[::2], [panorama])
    second = index_gallery(*arguments, progress=False, shard="1/2", **crops)
    assert second.joined == first.built.count + second.built.count
    # A finished shard is not made again, nor another one taken for it.
    again = index_gallery(*arguments, progress=False, shard="1/2", **crops)
    assert again.built.count == second.built.count
    with pytest.raises(UserError, match="shard-1-of-2: is a finished shard of"):
        index_gallery(*arguments, shard="1/2", **crops | {"crop_metres": 30})
    (line,) = maintain_gallery(tmp_path / "index", verify=True)
    assert f"all of {second.joined} places" in line
    index = load_index(tmp_path / "index")
    assert index.preprocessing == {
        "image_size": [16, 40],
        "ground_crop": [0.25, 0.75],
        "scorer": {"kind": "dot"},
    }
    encoder = Encoder(exported)
    inputs = [
        encoder.satellite_input(read_image(place.image))
        for place in index.places[:3]
    ]
    rows = encoder.encode_satellite(inputs)
    np.testing.assert_allclose(index.descriptors[:3], rows, atol=1e-5)
    told = locate_images(*arguments[::2], [panorama], output_format="json")
    (answer,) = json.loads(told.text)
    best = answer["answers"][0]
    row = index.row(best["id"])
    assert [best["latitude"], best["longitude"]] == pytest.approx(
        index.coordinates[row].tolist()
    )
    assert Path(best["image"]).is_file()

    def full(**_):
        raise tf.errors.ResourceExhaustedError(None, None, "no room")

    encoder._signatures = {"encode_satellite_pixels": full}
    with pytest.raises(MemoryError):
        encoder.encode_satellite(inputs[:2])
