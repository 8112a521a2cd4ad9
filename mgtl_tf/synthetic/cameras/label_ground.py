"""What each pixel of a panorama shows, in CVUSA's four classes."""

from __future__ import annotations

import cv2
import numpy as np

from mgtl_tf.synthetic.cameras import spans as strips
from mgtl_tf.synthetic.cameras.rays import Camera, march
from mgtl_tf.synthetic.cameras.render_aerial import crop
from mgtl_tf.synthetic.cameras.render_ground import (
    FAR_EXTENT_METRES,
    NEAR_EXTENT_METRES,
    Obstacles,
    Pose,
    camera_of,
    obstacles_of,
)
from mgtl_tf.synthetic.cameras.spans import Part
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.canvas import Canvas
from mgtl_tf.synthetic.town.things import FIELDS, Boxes, Kind, Material
from mgtl_tf.synthetic.town.world import TownMap

SKY, BUILDING, ROAD, TREE = range(4)
"""CVUSA's labels. What is built counts as building, cars and poles too; all
ground that bears nothing as road; all that grows as tree."""

_GROWS = (Material.GRASS, *FIELDS)


def label_ground(
    town: TownMap, pose: Pose, settings: WorldSettings, cars: Boxes
) -> np.ndarray:
    """Labels of the panorama that `render_ground` draws, uint8 [H, W].

    One ray a pixel, through its centre.
    """
    camera = camera_of(town, pose, settings, samples=1)
    depth = march(camera, town.terrain)
    labels = _labels_of_ground(camera, town, pose.position, depth)
    obstacles = obstacles_of(camera, town, cars)
    nearest = strips.paint_spans(camera, obstacles.spans, depth)
    labels = np.where(np.isfinite(depth), labels, np.uint8(SKY))
    hidden = nearest >= 0
    labels[hidden] = _label_of_spans(obstacles)[nearest[hidden]]
    return labels


def _label_of_spans(obstacles: Obstacles) -> np.ndarray:
    """uint8 [M]."""
    spans, boxes, trees, _ = obstacles
    labels = np.full(len(spans.part), BUILDING, np.uint8)
    of_box = np.isin(spans.part, (Part.SIDE, Part.ROOF))
    hedge = np.flatnonzero(of_box)
    hedge = hedge[boxes.kind[spans.thing[hedge]] == Kind.HEDGE]
    labels[hedge] = TREE
    labels[spans.part == Part.CROWN] = TREE
    trunks = (spans.part == Part.STEM) & (spans.thing < len(trees.base))
    labels[trunks] = TREE
    return labels


def _labels_of_ground(
    camera: Camera, town: TownMap, position: np.ndarray, depth: np.ndarray
) -> np.ndarray:
    """Of the bare ground at these distances, uint8 [H, W]."""
    reach = np.minimum(depth, np.float32(4 * FAR_EXTENT_METRES))
    east, north = (reach * part for part in camera.directions)
    labels = _look_up(town.coarse, position, FAR_EXTENT_METRES, east, north)
    near = _look_up(town.canvas, position, NEAR_EXTENT_METRES, east, north)
    offset = np.maximum(np.abs(east), np.abs(north))
    return np.where(offset < NEAR_EXTENT_METRES / 2 - 1, near, labels)


def _look_up(
    canvas: Canvas,
    centre: np.ndarray,
    extent: float,
    east: np.ndarray,
    north: np.ndarray,
) -> np.ndarray:
    patch = crop(canvas, canvas.ground_material, centre, extent, canvas.step)
    grows = np.isin(patch, [int(material) for material in _GROWS])
    labels = np.where(grows, TREE, ROAD).astype(np.uint8)
    middle = np.float32((patch.shape[0] - 1) / 2)
    scale = np.float32(1 / canvas.step)
    return cv2.remap(
        labels,
        (east * scale + middle).astype(np.float32),
        (middle - north * scale).astype(np.float32),
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REFLECT,
    )
