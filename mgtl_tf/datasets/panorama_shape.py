"""Which rows of a panorama are kept, and which shapes are refused."""

from __future__ import annotations

from mgtl_tf.utils.errors import UserError

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


def require_shape(
    size: tuple[int, int],
    ground_crop: tuple[float, float],
    image_size: tuple[int, int],
    dataset: str,
) -> None:
    """Refuses a panorama that would be squeezed into another shape.

    It passes as the data set publishes it (CVACT's strips are squeezed by
    the paper itself), or where the kept rows have the network input's
    shape, within 5 %.

    Args:
        size: height and width of the panorama, pixels.
        ground_crop: top and bottom of the kept rows, as fractions.
        image_size: H, W of the network input.
        dataset: its name; "" and "procedural" may have any shape.

    Raises:
        UserError: with the crop that would do, if there is one.
    """
    if dataset in _ANY_SHAPE:
        return
    height, width = size
    rows = kept_rows(height, ground_crop)
    wanted = image_size[1] / image_size[0]
    kept = width / (rows.stop - rows.start), wanted
    published = width / height, PUBLISHED_ASPECTS.get(dataset, 0.0)
    for aspect, other in (kept, published):
        if abs(aspect - other) <= TOLERANCE * other:
            return
    share = width / height / wanted
    remedy = "no ground_crop makes this one so; it lacks rows"
    if share <= 1:
        top, bottom = (1 - share) / 2, (1 + share) / 2
        remedy = f"ground_crop={top:.3f},{bottom:.3f} keeps such a strip"
    raise UserError(
        f"{width} x {height} pixels, of which ground_crop keeps"
        f" {rows.stop - rows.start} rows: the network input is {wanted:.2f}"
        f" times as wide as high, and {remedy}"
    )
