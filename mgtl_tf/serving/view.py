"""An answer as the page shows it, and as JSON with addresses of the images.

What goes out is always a JPEG that was encoded here: no byte of an upload is
ever sent back.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mgtl_tf.datasets.panorama_shape import kept_rows
from mgtl_tf.datasets.preprocess import read_file
from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.answer_formats import plain
from mgtl_tf.retrieval.answer_text import presumed
from mgtl_tf.retrieval.answers import Located
from mgtl_tf.serving.decoding import Decoders
from mgtl_tf.serving.limits import Refused
from mgtl_tf.utils.errors import UserError
from polar import polar_transform
from polar.gpano import rotate_to_north

# The paper's own input shape: a quarter of the compass is 308 columns.
_STRIP = (224, 1232)
_AERIAL = (320, 320)
# Pixels of an aerial image, of which the polar transform shows some.
_SHOWN = 2**22
_MOST_BYTES = 2**26
_QUALITY = 85

_WORDS = ((0.9, "Very likely"), (0.7, "Likely"), (0.4, "Unsure"))


def answer_json(
    located: Located, index: Index, warnings: list[str]
) -> dict[str, Any]:
    """An answer as experiments.locate's JSON has it, images by address."""
    content = plain(located)
    for answer, found in zip(content["answers"], located.answers, strict=True):
        # By the place's own id; the one in it may be spelled otherwise.
        row = index.row(found.place.id)
        answer["image"] = None if row is None else f"/places/{row}.jpg"
    return content | ({"warnings": warnings} if warnings else {})


def confidence_in_words(confidence: float) -> str:
    """A probability as the line that heads the answer."""
    words = "Little more than a guess"
    for least, better in reversed(_WORDS):
        if confidence >= least:
            words = better
    whole = round(100 * confidence)
    # Never 0 or 100, which it can't be.
    text = {0: "under 1", 100: "over 99"}.get(whole, str(whole))
    return f"{words}: {text} %"


def small_picture(decoders: Decoders, image: Path) -> bytes | None:
    """A small JPEG of a place's aerial image; None where it can't be read.

    Raises:
        Refused: 503, where no process is free.
    """
    pixels = _aerial_pixels(decoders, image)
    return None if pixels is None else jpeg(pixels, *_AERIAL)


def _aerial_pixels(decoders: Decoders, image: Path) -> np.ndarray | None:
    try:
        if image.stat().st_size > _MOST_BYTES:
            return None
        return decoders.decode(read_file(image), _SHOWN).pixels
    except (OSError, UserError):
        return None
    except Refused as error:
        if error.status == 503:
            raise
        return None


def result_view(
    located: Located,
    panorama: np.ndarray,
    crop: Callable[[tuple[int, int]], tuple[float, float]],
    index: Index,
    decoders: Decoders,
) -> dict[str, Any]:
    """What the page shows of an answer: `answer_json`, words and pictures.

    Args:
        located: of `Localizer.locate`.
        panorama: the uploaded pixels, RGB uint8 [h, w, 3], turned to north
            by the heading in the file.
        crop: as of `Encoder.crop`.
        index: the gallery.
        decoders: decode its aerial images.
    """
    size = panorama.shape[:2]
    seen = panorama[kept_rows(size[0], crop(size))]
    if turn := located.turn_to_north:
        # With north in the centre column, as all else on the page.
        seen = rotate_to_north(seen, turn)
    places = [answer.place for answer in located.answers]
    aerials = [_aerial_pixels(decoders, place.image) for place in places]
    content = answer_json(located, index, [])
    for answer, place, aerial in zip(
        content["answers"], places, aerials, strict=True
    ):
        answer["row"] = index.row(place.id)
        answer["picture"] = (
            None if aerial is None else _in_page(aerial, *_AERIAL)
        )
    confidence = located.confidence
    return content | {
        "panorama": _in_page(seen, *_STRIP),
        "polar": _polar(aerials[0]) if aerials else None,
        "words": "" if confidence is None else confidence_in_words(confidence),
        "presumed": presumed(located),
    }


def _polar(aerial: np.ndarray | None) -> str | None:
    if aerial is None or aerial.shape[0] != aerial.shape[1]:
        return None
    return _in_page(polar_transform(aerial, *_STRIP), *_STRIP)


def jpeg(image: np.ndarray, height: int, width: int) -> bytes:
    """A JPEG file of RGB uint8 [h, w, 3], resized to height x width."""
    if image.shape[:2] != (height, width):
        smaller = height * width < image.shape[0] * image.shape[1]
        rule = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        image = cv2.resize(image, (width, height), interpolation=rule)
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, options)[1].tobytes()


def _in_page(image: np.ndarray, height: int, width: int) -> str:
    """As an address that holds the JPEG file, for an img element."""
    file = base64.b64encode(jpeg(image, height, width)).decode()
    return f"data:image/jpeg;base64,{file}"
