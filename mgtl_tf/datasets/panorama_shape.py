"""Which rows of a panorama are kept, and which shapes are refused."""

from __future__ import annotations

from typing import Any

from mgtl_tf.utils.errors import UserError

WHOLE = (0.0, 1.0)
"""The crop that keeps all rows."""

PUBLISHED_ASPECTS = {
    "cvusa": 1232 / 224,
    "cvact": 1664 / 832,
    "cvact_test": 1664 / 832,
}
"""Width over height of the benchmarks' panoramas, before any crop."""

# A synthetic world has the shape it was asked for.
_ANY_SHAPE = ("", "procedural")
TOLERANCE = 0.05


def kept_rows(height: int, ground_crop: tuple[float, float]) -> slice:
    """The rows of a panorama that a crop keeps; at least one.

    Args:
        height: of the panorama, pixels.
        ground_crop: top and bottom of the kept rows, as fractions.
    """
    top, bottom = (round(fraction * height) for fraction in ground_crop)
    return slice(top, max(bottom, top + 1))


def crop_of(
    size: tuple[int, int],
    image_size: tuple[int, int],
    ground_crop: tuple[float, float] = WHOLE,
    dataset: str = "",
) -> tuple[float, float]:
    """The crop of one panorama, for a model trained with `ground_crop`.

    That crop, but for a full sphere (twice as wide as high, 180 degrees from
    top to bottom), see `sphere_crop`.

    Args:
        size: height and width of the panorama, pixels.
        image_size, ground_crop, dataset: as of `sphere_crop`.
    """
    if is_sphere(*size):
        return sphere_crop(image_size, ground_crop, dataset)
    return ground_crop


def sphere_crop(
    image_size: tuple[int, int],
    ground_crop: tuple[float, float] = WHOLE,
    dataset: str = "",
) -> tuple[float, float]:
    """The crop of full spheres, for a model trained with `ground_crop`.

    Of a model that was trained on whole strips it keeps the middle rows, in
    the network input's shape. One that was trained on whole spheres, as its
    data set publishes them, takes them whole.

    Args:
        image_size: H, W of the network input.
        ground_crop: top and bottom of the kept rows, as fractions.
        dataset: on which the model was trained; "" where that is unknown.
    """
    share = 2 * image_size[0] / image_size[1]
    trained_on_spheres = PUBLISHED_ASPECTS.get(dataset) == 2
    if ground_crop != WHOLE or trained_on_spheres or share >= 1 - TOLERANCE:
        return ground_crop
    return _middle(share)


def _middle(share: float) -> tuple[float, float]:
    """Top and bottom of so large a share of the rows, about the horizon."""
    return (1 - share) / 2, (1 + share) / 2


def is_sphere(height: Any, width: Any) -> Any:
    """Whether a panorama is twice as wide as high, within 5 %.

    Args:
        height, width: pixels, integers or integer tensors.
    """
    return 10 * abs(width - 2 * height) <= height


def squeezed(
    size: tuple[int, int],
    ground_crop: tuple[float, float],
    image_size: tuple[int, int],
    dataset: str,
) -> str:
    """What would be squeezed into another shape, a phrase; "" if nothing.

    A panorama passes as the data set publishes it (CVACT's strips are
    squeezed by the paper itself), or where the kept rows have the network
    input's shape, within 5 %.

    Args:
        size: height and width of the panorama, pixels.
        ground_crop: top and bottom of the kept rows, as fractions.
        image_size: H, W of the network input.
        dataset: its name; "" and "procedural" may have any shape.
    """
    if dataset in _ANY_SHAPE:
        return ""
    height, width = size
    rows = kept_rows(height, ground_crop)
    wanted = image_size[1] / image_size[0]
    kept = width / (rows.stop - rows.start), wanted
    published = width / height, PUBLISHED_ASPECTS.get(dataset, 0.0)
    for aspect, other in (kept, published):
        if abs(aspect - other) <= TOLERANCE * other:
            return ""
    return (
        f"{width} x {height} pixels, of which ground_crop keeps"
        f" {rows.stop - rows.start} rows: the network input is {wanted:.2f}"
        " times as wide as high"
    )


def require_shape(
    size: tuple[int, int],
    ground_crop: tuple[float, float],
    image_size: tuple[int, int],
    dataset: str,
) -> None:
    """Refuses a panorama that would be `squeezed`, of the same arguments.

    Raises:
        UserError: with the crop that would do, if there is one.
    """
    phrase = squeezed(size, ground_crop, image_size, dataset)
    if not phrase:
        return
    share = size[1] / size[0] * image_size[0] / image_size[1]
    remedy = "no ground_crop makes this one so; it lacks rows"
    if share <= 1:
        top, bottom = _middle(share)
        remedy = f"ground_crop={top:.3f},{bottom:.3f} keeps such a strip"
    raise UserError(f"{phrase}, and {remedy}")
