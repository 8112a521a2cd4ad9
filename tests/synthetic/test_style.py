"""Styles of maps: the kinds of landscape of a world."""

import dataclasses

import numpy as np
import pytest

from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.canvas import blank_canvas
from mgtl_tf.synthetic.town.style import MapStyle, draw_style
from mgtl_tf.synthetic.town.things import Kind, Material
from mgtl_tf.synthetic.town.world import make_map
from mgtl_tf.utils.errors import UserError
from tests.programs import run

PLACES = 4
FEW = WorldSettings(
    seed=2, train_pairs=PLACES, val_pairs=0, metres_per_pixel=0.5
)


def test_the_standard_style_changes_nothing():
    standard = draw_style("standard", 0, 1)
    canvas = blank_canvas(16.0, 0.5)
    canvas.ground[:] = np.arange(3 * 32 * 32).reshape(32, 32, 3) % 251
    before = canvas.ground.copy()
    standard.tint_ground(canvas)
    assert (canvas.ground == before).all()
    assert (standard.tints == 1).all()


@pytest.mark.parametrize("name", ["varied", "held_out"])
def test_a_map_has_one_style_and_the_next_another(name):
    first, again, second = (draw_style(name, 0, i) for i in (1, 1, 2))
    assert (first.tints == again.tints).all()
    assert first.relief == again.relief != second.relief
    assert not np.allclose(first.tints, second.tints)


def test_held_out_colours_are_none_that_are_varied():
    """Held-out maps have a cast: their channels' means lie farther apart."""

    def casts(name):
        tints = [draw_style(name, 0, i).tints for i in range(200)]
        means = np.log(tints).mean(axis=1)  # [maps, 3]
        return np.ptp(means, axis=1)

    assert casts("varied").max() < casts("held_out").min()


def test_tints_are_factors_on_the_colours_of_materials():
    tints = np.ones((len(Material), 3), np.float32)
    tints[Material.GRASS] = (0.5, 2.0, 1.0)
    style = MapStyle(tints=tints)
    canvas = blank_canvas(16.0, 0.5)
    canvas.ground[:] = (100, 200, 30)
    canvas.ground_material[:] = Material.ASPHALT
    canvas.ground_material[0] = Material.GRASS
    style.tint_ground(canvas)
    assert canvas.ground[0, 0].tolist() == [50, 255, 30]
    assert canvas.ground[1, 0].tolist() == [100, 200, 30]


def test_woods_and_villages_come_of_the_factors(monkeypatch):
    def town(**factors):
        monkeypatch.setattr(
            "mgtl_tf.synthetic.town.world.draw_style",
            lambda *_: MapStyle(**factors),
        )
        return make_map(FEW, 1, PLACES)

    plain = town()
    wood = town(tree_area=14.0, conifers=1.0, tree_size=2.0, undergrowth=1.0)
    bare = town(built=0.0)
    assert len(wood.trees.radius) > 2 * len(plain.trees.radius)
    assert wood.trees.conifer.all() and (wood.trees.bottom == 0).all()
    # Twice the size, which nothing else depends on.
    assert wood.trees.radius.max() == pytest.approx(2 * 1.9 * 1.35, rel=0.02)
    assert (plain.boxes.kind == Kind.BUILDING).any()
    assert not (bare.boxes.kind == Kind.BUILDING).any()
    assert (wood.places == plain.places).all()


def test_every_aerial_image_lies_on_its_map():
    wide = dataclasses.replace(FEW, aerial_metres=160.0)
    town = make_map(wide, 1, PLACES)
    assert (town.places > 80).all()
    assert (town.places < town.canvas.side - 80).all()


@pytest.mark.parametrize(
    "field, value, told",
    [
        ("style", "baroque", "held_out"),
        ("spacing_max", 6.5, "spacing_min=6.0"),
        ("position_error_max", 0.5, "position_error_min=1.0"),
        ("heading_error_max", 0.0, "heading_error_min=1.0"),
        ("aerial_metres", 0.0, "at least 1"),
        ("aerial_metres_min", 61.0, "aerial_metres=60.0"),
        ("horizon_max", 0.4, "horizon_min=0.5"),
        ("horizon_max", 1.5, "at most 1"),
    ],
)
def test_impossible_settings_are_refused(field, value, told):
    with pytest.raises(UserError, match=f"{field} is .*{told}"):
        dataclasses.replace(FEW, **{field: value})


def test_the_program_takes_a_style_by_name(tmp_path):
    done = run(
        "experiments.make_world",
        f"--output_dir={tmp_path}/w",
        "--style=baroque",
    )
    assert done.returncode == 2 and "held_out" in done.stderr
