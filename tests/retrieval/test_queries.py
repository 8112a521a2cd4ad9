"""Panoramas as queries: what a file notes is known in every form of it."""

import io
import struct

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mgtl_tf.galleries.encoder import UnreadableImage
from mgtl_tf.retrieval.queries import query_panorama

NOTES = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:GPano='
    '"http://ns.google.com/photos/1.0/panorama/" {}/></rdf:RDF>'
)
EAST = NOTES.format('GPano:PoseHeadingDegrees="90"').encode()
HALF = NOTES.format(
    'GPano:CroppedAreaImageWidthPixels="500" GPano:FullPanoWidthPixels="1000"'
).encode()
UPSIDE_DOWN, QUARTER_TURN = 3, 6


def picture():
    """Smooth enough for JPEG, no column or row like another."""
    row, column = np.mgrid[0:32, 0:64]
    return np.stack([4 * column, 8 * row, 0 * row + 90], -1).astype(np.uint8)


def exif(orientation):
    notes = Image.Exif()
    notes[0x0112] = orientation
    return notes


def jpeg(xmp, orientation=1):
    """XMP in its own segment, as cameras write it."""
    file = io.BytesIO()
    image = Image.fromarray(picture())
    image.save(file, "JPEG", quality=100, subsampling=0, exif=exif(orientation))
    payload = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    segment = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
    return file.getvalue()[:2] + segment + file.getvalue()[2:]


def png(xmp, orientation=1):
    file, info = io.BytesIO(), PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    Image.fromarray(picture()).save(
        file, "PNG", pnginfo=info, exif=exif(orientation)
    )
    return file.getvalue()


def tiff(xmp, orientation=1):
    file = io.BytesIO()
    notes = {700: xmp, 0x0112: orientation}
    Image.fromarray(picture()).save(file, "TIFF", tiffinfo=notes)
    return file.getvalue()


@pytest.mark.parametrize("orientation", [1, UPSIDE_DOWN, QUARTER_TURN])
@pytest.mark.parametrize("write", [jpeg, png, tiff])
def test_a_pil_image_is_seen_as_its_file(write, orientation):
    data = write(EAST, orientation)
    upright = picture()
    if orientation == UPSIDE_DOWN:
        upright = upright[::-1, ::-1]
    elif orientation == QUARTER_TURN:
        upright = np.rot90(upright, -1)
    expected = np.roll(upright, upright.shape[1] // 4, axis=1)
    for image in (data, Image.open(io.BytesIO(data))):
        found = query_panorama(image)
        assert found.heading == 90
        apart = np.abs(found.pixels.astype(int) - expected)
        assert apart.max() <= (8 if write is jpeg else 0)
    found = query_panorama(Image.open(io.BytesIO(data)), unknown_heading=True)
    apart = np.abs(found.pixels.astype(int) - upright)
    assert found.heading is None and apart.max() <= 8


@pytest.mark.parametrize("write", [jpeg, png, tiff])
def test_a_part_of_a_panorama_is_refused_as_pil_image_too(write):
    data = write(HALF)
    for image in (data, Image.open(io.BytesIO(data))):
        with pytest.raises(UnreadableImage, match="shows 180 of 360 degrees"):
            query_panorama(image)


def test_a_pil_image_without_notes_stays_as_it_is():
    found = query_panorama(Image.fromarray(picture()))
    assert found.heading is None
    np.testing.assert_array_equal(found.pixels, picture())
