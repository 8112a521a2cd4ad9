"""Every program on a full disk: one line that names what it could not write.

What was there before stays, and nothing half-written gets its final name.
"""

import re
import shutil

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.retrieval.report.charts import save_figure
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.engines import build_gallery_engine
from mgtl_tf.workflows.export import export_run
from mgtl_tf.workflows.index import index_gallery
from mgtl_tf.workflows.locate import locate_images
from mgtl_tf.workflows.prepare import prepare
from mgtl_tf.workflows.world import make_world
from polar.convert import ConversionError, convert_folder
from tests.small_disk import fill
from tests.tiny_runs import PROBE, write_noisy_cvusa, write_run

PLACES = 8


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, its export, a gallery, and the images that they are of."""
    root = tmp_path_factory.mktemp("made")
    write_noisy_cvusa(root / "data", PLACES)
    write_run(root / "run", PROBE)
    export_run(root / "run", root / "export")
    aerial = root / "data/bingmap/19"
    index_gallery(root / "export", [aerial], root / "gallery", progress=False)
    return root


def state(folder):
    """Every file of a folder with its bytes, but for the filler."""
    return {
        path.relative_to(folder): path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
        if path.name != "filler"
    }


# NumPy reports a write of which the disk took a part without its cause.
FULL = "No space left on device|as a full one does"


def refused(work, name, reason=FULL):
    """Does work that the disk hinders: one line, which names a file."""
    with pytest.raises((UserError, ConversionError)) as error:
        work()
    said = str(error.value)
    assert "\n" not in said
    assert re.search(name, said), said
    assert re.search(reason, said), said


@pytest.mark.parametrize("leave", [0, 40_000])
def test_export(made, disk, leave):
    """While TensorFlow, which tells it in its own way, writes, or before."""
    folder, _ = disk
    shutil.copytree(made / "export", folder / "model")
    before = state(folder)
    fill(folder, leave)
    refused(lambda: export_run(made / "run", folder / "model"), "disk/model")
    assert state(folder) == before


@pytest.mark.large
@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_formats(made, disk, monkeypatch, name):
    """The SavedModel has room, what follows it has none."""
    folder, _ = disk
    from mgtl_tf.export import saved_model

    write = saved_model.write_formats

    def full(*given):
        fill(folder)
        return write(*given)

    monkeypatch.setattr(saved_model, "write_formats", full)
    refused(
        lambda: export_run(
            made / "run", folder / "model", "best", ("savedmodel", name)
        ),
        "disk/model",
    )
    assert state(folder) == {}


@pytest.mark.parametrize("leave", [0, 8_192])
def test_index(made, disk, leave):
    folder, _ = disk
    shutil.copytree(made / "gallery", folder / "gallery")
    before = state(folder / "gallery")
    filler = fill(folder, leave)
    images = [made / "data/bingmap/19"]

    def index():
        index_gallery(
            made / "export", images, folder / "gallery", progress=False
        )

    refused(index, r"disk/\.?gallery")
    assert state(folder / "gallery") == before
    filler.unlink()
    index()
    assert [p.name for p in folder.iterdir()] == ["gallery"]


def test_engine(made, disk):
    folder, _ = disk
    shutil.copytree(made / "gallery", folder / "gallery")
    before = state(folder)
    fill(folder)
    refused(
        lambda: build_gallery_engine(
            folder / "gallery", "float16", progress=False
        ),
        "disk/gallery.*float16",
    )
    (folder / "gallery/engines").rmdir()
    assert state(folder) == before


def test_small_files_and_charts(disk):
    """All that is written by name alone: JSON, CSV, Markdown, charts."""
    folder, _ = disk
    atomic_write(folder / "a.json", "old" * 9000)
    before = state(folder)
    fill(folder)
    refused(lambda: atomic_write(folder / "a.json", "new"), r"disk/a\.json")

    figure = Figure()
    refused(lambda: save_figure(figure, folder / "a.svg"), r"disk/a\.svg")
    assert state(folder) == before


def test_picture(made, disk):
    folder, _ = disk
    fill(folder)
    refused(
        lambda: locate_images(
            made / "export",
            made / "gallery",
            [made / "data/streetview/1.png"],
            picture=folder / "found.png",
        ),
        r"disk/found\.png",
    )
    assert state(folder) == {}


def test_prepare(made, disk):
    folder, _ = disk
    fill(folder, 16_384)
    refused(
        lambda: prepare(
            made / "data",
            folder / "cache",
            CacheSettings("cvusa", (8, 16), (0.0, 1.0)),
            1,
            progress=False,
        ),
        "disk/cache",
        reason="",
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_polar(disk, processes):
    """One line, not one an image; what was converted before stays."""
    folder, _ = disk
    source, target = folder.parent / "images", folder / "polar"
    source.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    for n in range(4):
        cv2.imwrite(str(source / f"{n}.png"), noise)
    sizes = {"height": 90, "width": 900, "progress": False}
    convert_folder(source, target, **sizes, processes=1)
    for n in range(1, 4):
        (target / f"{n}.png").unlink()
    before = state(folder)
    fill(folder, 12_288)
    refused(
        lambda: convert_folder(source, target, **sizes, processes=processes),
        r"disk/polar/[1-3]\.png",
    )
    assert state(folder) == before


def test_world(disk):
    folder, _ = disk
    settings = WorldSettings(
        train_pairs=2,
        val_pairs=1,
        aerial_size=48,
        ground_height=16,
        ground_width=80,
    )
    fill(folder, 65_536)
    refused(
        lambda: make_world(settings, folder / "world", progress=False),
        "disk/world",
    )
