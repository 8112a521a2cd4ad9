"""A gallery's images by the server's own addresses.

Where they lie on its disk is nobody's business.
"""

from __future__ import annotations

from typing import Any

from mgtl_tf.retrieval.answer_formats import plain
from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.galleries.gallery import Index


def picture_address(row: int) -> str:
    """Of a place's aerial image, as `app.create_app` routes it."""
    return f"/places/{row}.jpg"


def told(located: Located, index: Index) -> dict[str, Any]:
    """An answer as experiments.locate's JSON tells it, images by address."""
    told = plain(located)
    for answer, found in zip(told["answers"], located.answers, strict=True):
        # By the place's own id; the one told may be spelled otherwise.
        row = index.row(found.place.id)
        answer["image"] = None if row is None else picture_address(row)
    return told
