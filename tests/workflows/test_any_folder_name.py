"""All programs' work in folders of names that patterns, shells, web addresses
and encodings trip over: from the data to an answer."""

import json
import os
import shutil

import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.calibrate import calibrate_gallery
from mgtl_tf.workflows.engines import build_gallery_engine
from mgtl_tf.workflows.evaluate import evaluate_run
from mgtl_tf.workflows.export import export_run
from mgtl_tf.workflows.index import index_gallery
from mgtl_tf.workflows.locate import locate_images
from mgtl_tf.workflows.prepare import prepare
from mgtl_tf.workflows.train import train
from polar.convert import convert_folder
from tests.tiny_runs import PROBE, write_noisy_cvusa

SMALL = PROBE.replace(
    batch_size=2,
    epochs=1,
    profile_steps=1,
)
UNICODE = "-[1] *?%41#\u00fc\U0001f30d'\"$HOME,;:~\\\n "
BYTES = os.fsdecode(b"[latin]-\xfc")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(UNICODE, id="unicode"),
        pytest.param(BYTES, id="bytes", marks=pytest.mark.large),
    ],
)
def test_from_data_to_answer(tmp_path, name):
    """In one of such a name everything, twice where twice is another thing.

    ONNX and TFLite are tests/export/test_formats.py, in such a folder, too.
    """
    root = tmp_path / name
    data, run, model, gallery = (
        root / f"{part} {name}" for part in ("data", "run", "model", "gallery")
    )
    write_noisy_cvusa(data, 6)
    settings = CacheSettings("cvusa", (8, 16), SMALL.data.ground_crop)
    prepare(data, root / "cache", settings, 1, progress=False)
    config = SMALL.replace(
        data_dir=str(data), data_cache=str(root / "cache"), retrieval_pictures=1
    )
    assert train(config, run)
    assert RunConfig.load(run).data.data_dir == str(data)
    assert (run / "report/report.html").is_file()
    assert any(p.suffix == ".v2" for p in (run / "tensorboard").iterdir())
    assert "r@1" in evaluate_run(run, checkpoint="last")

    export_run(run, model, "last")
    aerial, panoramas = data / "bingmap/19", data / "streetview"
    for _ in range(2):  # The second in the first one's place.
        index_gallery(model, [aerial], gallery, progress=False)
    build_gallery_engine(gallery, "float16", progress=False)
    with pytest.raises(UserError, match="50 queries"):
        calibrate_gallery(model, gallery, panoramas)

    query = root / f"query {name}.png"
    shutil.copy(panoramas / "1.png", query)
    told = locate_images(
        model,
        gallery,
        [query],
        output_format="json",
        picture=root / f"found {name}.png",
        engine="float16",
    )
    assert json.loads(told.text)[0]["image"].endswith(".png")
    assert (root / f"found {name}.png").stat().st_size > 1000
    assert not convert_folder(
        aerial, root / "polar", 8, 16, processes=1, progress=False
    )
    # Nothing is left under a hidden name, in it or beside it.
    left = [p for p in tmp_path.rglob("*") if p.name.startswith(".")]
    assert left == []
