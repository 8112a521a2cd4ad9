"""Colours: no purple streets and no pink roofs."""

import numpy as np

from mgtl_tf.synthetic.cameras.light import draw_appearance
from mgtl_tf.synthetic.town.things import GROUND, ROOFS, Material, pick


def test_streets_stay_grey_on_every_day():
    rng = np.random.default_rng(0)
    streets = pick(rng, (GROUND[Material.ASPHALT],), 500, 0.11)
    for street in streets:
        day = draw_appearance(rng, 1.0, 1.0)
        seen = street * day.tints[Material.ASPHALT] * day.gains
        assert np.ptp(seen) / seen.mean() < 0.35


def test_no_roof_is_pink_or_purple():
    roofs = pick(np.random.default_rng(1), ROOFS, 2000)
    red, green, blue = roofs.T
    # Pink and purple: red and blue both clearly above green.
    assert not np.any((red > 1.15 * green) & (blue > 1.15 * green))


def test_views_of_one_place_have_their_own_days():
    days = [
        draw_appearance(np.random.default_rng(n), 1.0, 1.0) for n in range(200)
    ]
    field = np.array([day.tints[Material.FIELD_A] for day in days])
    ratio = field[:, 0] / field[:, 1]
    assert ratio.std() > 0.15
    still = [
        draw_appearance(np.random.default_rng(n), 0.0, 0.0) for n in range(9)
    ]
    assert np.ptp([day.tints for day in still], axis=0).max() == 0
    assert {day.noise for day in still} == {0.0}
