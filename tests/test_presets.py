"""Presets take their data sets' panoramas, and compare what they say."""

import pytest

from mgtl_tf.config import SYSTEMS
from mgtl_tf.datasets.panorama_shape import require_shape
from mgtl_tf.models import build_model
from mgtl_tf.presets import load_preset
from mgtl_tf.reproduction.rows import CHANGE_OF, ROWS, TODAY
from mgtl_tf.reproduction.study import data_study

# Height and width as published.
PANORAMAS = {"cvusa": (224, 1232), "cvact": (832, 1664), "vigor": (1024, 2048)}
# In which a variant of Sample4Geo may differ from the one before.
OF_VARIANTS = {
    *("system", "satellite_form", "satellite_size"),
    *("descriptor_regions", "knowledge", "recurrent_steps"),
}


@pytest.mark.parametrize("dataset", PANORAMAS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_published_panoramas_fit_every_system(system, dataset):
    config = load_preset(dataset, system=system)
    crop, size = config.data.ground_crop, config.model.image_size
    require_shape(PANORAMAS[dataset], crop, size, dataset)


@pytest.mark.parametrize("dataset", PANORAMAS)
def test_rows_of_today_change_what_they_say(dataset, tmp_path):
    study = data_study(dataset, tmp_path, tmp_path, {})
    rows = {row.key: row for _, row in ROWS[TODAY]}
    for key, other in CHANGE_OF.items():
        config, before = (study.config(rows[k], 0) for k in (key, other))
        crop, size = config.data.ground_crop, config.model.image_size
        require_shape(PANORAMAS[dataset], crop, size, dataset)
        changed = {d.partition(":")[0] for d in before.differences(config)}
        changed -= {"data_cache"}  # whose folder names the images' sizes
        if key != "transgeo":  # another stage
            assert changed <= OF_VARIANTS, key


@pytest.mark.parametrize("system", ["workman", "workman_vgg16"])
@pytest.mark.parametrize("dataset", PANORAMAS)
def test_networks_that_start_alike_see_maps_of_one_size(system, dataset):
    changes = {"system": system, "width_multiplier": 1 / 16}
    model = build_model(load_preset(dataset, **changes).model)
    model.start_from("none")


def test_crops_of_aerial_images_are_of_their_pixels():
    """512 of CVUSA's 750 and of CVACT's 1200 (peers.md, 3.2, 3.5, 3.6)."""
    for system in ("cvm_net", "oricnn", "regmi"):
        for dataset, pixels in (("cvusa", 750), ("cvact", 1200)):
            data = load_preset(dataset, system=system).data
            assert data.satellite_crop == 512 / pixels
            assert data.satellite_quarter_turns
    for stage in ("synthesis", "fusion"):
        fields = {"system": "regmi", "regmi_stage": stage}
        data = load_preset("cvact", **fields).data
        assert data.satellite_crop == 1
        assert not data.satellite_quarter_turns
