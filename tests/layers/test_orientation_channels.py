"""Maps of directions: against the authors' figures, geometry, augmentation."""

import numpy as np
import pytest

from mgtl_tf.datasets.directions import with_maps
from mgtl_tf.datasets.pipeline import train_batches
from mgtl_tf.layers.orientation_channels import OrientationChannels
from mgtl_tf.models import build_model
from mgtl_tf.presets import load_preset
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.orientation import (
    directions_of,
    panorama_directions,
    polar_directions,
    square_positions,
)
from polar.geometry import sampling_grid


def test_panoramas_are_as_the_authors_file_for_cvusa():
    """Its corners and its middle, as they were read from it."""
    maps = np.pi * panorama_directions(224, 1232)
    np.testing.assert_allclose(maps[0, [0, -1], 0], [-np.pi, np.pi], rtol=1e-6)
    np.testing.assert_allclose(maps[[0, -1], 7, 1], [-0.56911, 0.56911], 1e-5)
    assert abs(maps[:, 615:617, 0].sum()) < 1e-3
    steps = np.diff(maps[0, :, 0]).mean(), np.diff(maps[:, 0, 1]).mean()
    assert steps[0] == pytest.approx(steps[1])


def test_panoramas_of_cvact_are_the_middle_of_the_authors_sphere():
    """832 x 1664, the middle 416 rows, squeezed to 224 x 1232."""
    sphere = panorama_directions(832, 1664)
    model = build_model(
        load_preset("cvact", system="oricnn", width_multiplier=1 / 64).model
    )
    layer = model.ground.layers[0]
    images = np.zeros((1, 224, 1232, 3), "float32")
    given = with_maps(images, "ground", "square")  # as training's
    for found in (layer(images), layer(given)):
        found = np.asarray(found)[0, ..., 3:]
        np.testing.assert_allclose(
            found[[0, -1], 7, 1], sphere[[208, 623], 7, 1], atol=1e-3
        )
        assert np.ptp(np.diff(found[:, 7, 1])) < 1e-6
        wanted = panorama_directions(224, 1232)[..., 0]
        np.testing.assert_array_equal(found[..., 0], wanted)


def test_the_pitch_of_the_top_row_names_another_network():
    plain = load_preset("cvusa", system="oricnn")
    assert "panorama_pitch" not in plain.model.identity()
    other = plain.replace(panorama_pitch=45.0)
    assert other.model.identity()["panorama_pitch"] == 45
    with pytest.raises(UserError, match="panorama_pitch=91.0: must be"):
        plain.replace(panorama_pitch=91.0)


def test_aerial_images_by_hand():
    maps = directions_of(square_positions(5))
    assert maps[0, 2].tolist() == pytest.approx([0, 2 / 2**0.5 - 1])  # north
    assert maps[2, 4, 0] == pytest.approx(0.5)  # east
    assert maps[2, 0, 0] == pytest.approx(-0.5)
    assert abs(maps[4, 2, 0]) == pytest.approx(1)
    assert maps[2, 2, 1] == -1 and maps[0, 4, 1] == pytest.approx(1)


def test_polar_images_say_what_their_pixels_aerial_image_says():
    side, height, width = 401, 6, 16
    rows, columns = sampling_grid(side, height, width)
    square = directions_of(square_positions(side))
    rows, columns = (np.clip(x.round(), 0, side - 1) for x in (rows, columns))
    seen = square[rows.astype(int), columns.astype(int)][:-1, 1:]
    own = polar_directions(height, width)[:-1, 1:]
    # The authors' panoramas end at pi, where ours begin again.
    assert np.abs(own[..., 0] - seen[..., 0]).max() < 1 / 7
    np.testing.assert_allclose(own[..., 1], seen[..., 1], atol=0.02)


def test_colours_are_scaled_and_maps_kept_or_added():
    images = np.random.default_rng(0).uniform(0, 255, (2, 4, 9, 3)).astype("f4")
    found = np.asarray(OrientationChannels()(images))
    colors = images[..., ::-1] / 127.5 - 1
    np.testing.assert_allclose(found[..., :3], colors, atol=1e-6)
    for one in found[..., 3:]:
        np.testing.assert_array_equal(one, panorama_directions(4, 9))
    maps = np.random.default_rng(1).uniform(-1, 1, (2, 4, 9, 2)).astype("f4")
    given = np.concatenate([images, maps], -1)
    np.testing.assert_array_equal(OrientationChannels()(given)[..., 3:], maps)


class Directions:
    """A source whose colours are the directions that pixels have at rest."""

    def __init__(self, side=33, width=40):
        ground = panorama_directions(6, width)
        satellite = square_positions(side)
        self.views = [self._painted(m) for m in (ground, satellite)]

    def _painted(self, maps):
        third = np.full((*maps.shape[:2], 1), 9.0)
        return np.concatenate([100 + 100 * maps, third], -1).astype("f4")

    def __len__(self):
        return 60

    def load(self, rows):
        return tuple(np.stack([view] * len(rows)) for view in self.views)


def batch_of(**changes):
    (batch,) = train_batches(
        Directions(),
        np.arange(60)[None],
        **{"augment": False, "seed": 1, "epoch": 0, **changes},
        satellite_form="square",
        directions=True,
    )
    return batch["ground"].numpy(), batch["satellite"].numpy()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "orientation_noise": 360.0,
            "satellite_quarter_turns": True,
            "satellite_crop": 0.5,
        },
    ],
)
def test_maps_follow_what_is_painted(changes):
    """Where every pixel shows its direction, the maps say the same."""
    ground, satellite = batch_of(**changes)
    assert ground.shape == (60, 6, 40, 5) and satellite.shape[-1] == 5
    painted = (ground[..., :2] - 100) / 100
    np.testing.assert_allclose(ground[..., 3:], painted, atol=1e-4)
    positions = (satellite[..., :2] - 100) / 100
    wanted = directions_of(positions)
    apart = np.exp(1j * np.pi * (wanted - satellite[..., 3:])[..., 0]) - 1
    far = np.hypot(*np.moveaxis(positions, -1, 0)) > 0.1
    assert np.abs(apart[far]).max() < 1e-3
    np.testing.assert_allclose(satellite[..., 4], wanted[..., 1], atol=1e-4)
    turned = {float(x) for x in satellite[:, 0, 16, 3]}
    assert (len(turned) > 3) == bool(changes)
    assert (len({float(x) for x in ground[:, 0, 0, 3]}) > 15) == bool(changes)
    if changes:
        # Cropped images keep the distances that they had.
        corners = satellite[:, 0, 0, 4]
        assert 15 < (corners > 0.95).sum() < 45 and corners.min() > -0.15


def test_maps_do_not_tell_how_a_pairs_world_was_turned():
    """By that alone, the pairs of a batch could be matched."""
    ground, satellite = batch_of(augment=True)
    assert len({image.tobytes() for image in ground[..., :3]}) > 30
    for maps in (ground[..., 3:], satellite[..., 3:]):
        np.testing.assert_array_equal(maps, np.stack([maps[0]] * 60))
    np.testing.assert_array_equal(
        ground[0, ..., 3:], panorama_directions(6, 40)
    )
