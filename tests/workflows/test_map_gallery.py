"""A gallery cut from a map, and searched."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.workflows.index import index_gallery, verify_gallery
from mgtl_tf.workflows.locate import locate_images
from polar.image_files import read_image
from tests.galleries.tiling.maps import write_map


def test_a_map_is_cut_and_searched(tiny_export, tmp_path):
    exported = tiny_export.folder
    panorama = tiny_export.root / "panoramas/1.jpg"
    path = tmp_path / "map.tif"
    utm = ("EPSG:32632", (371000, 5200000), (0.4, 0.4))
    write_map(path, *utm)
    crops = {"crop_metres": 40.0, "metres_per_pixel": 0.5, "step_metres": 20.0}
    arguments = (exported, [path], tmp_path / "index")
    done = index_gallery(*arguments, progress=False, **crops)
    assert f"{done.built.count} places indexed" in done.lines("i")[0]
    line = verify_gallery(tmp_path / "index")
    assert f"all of {done.built.count} places" in line
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
