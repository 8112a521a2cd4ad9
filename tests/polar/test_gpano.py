"""GPano's heading: read in every form, turned by whole columns."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mgtl_tf.datasets.preprocess import load_ground
from mgtl_tf.utils.errors import UserError
from polar.gpano import gpano_heading
from polar.image_files import decode, decode_panorama

SPACE = "http://ns.google.com/photos/1.0/panorama/"


def packet(attributes="", elements="", prefix="GPano"):
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        '"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        f' rdf:about="" xmlns:{prefix}="{SPACE}" {attributes}>{elements}'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def looking(degrees):
    return packet(f'GPano:PoseHeadingDegrees="{degrees}"')


def in_jpeg(xmp, data):
    payload = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    segment = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
    return data[:2] + segment + data[2:]


def in_png(xmp, image):
    info, file = PngInfo(), io.BytesIO()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    Image.fromarray(image).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def in_tiff(xmp, image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "TIFF", tiffinfo={700: xmp})
    return file.getvalue()


@pytest.mark.parametrize(
    "xmp",
    [
        looking(90),
        looking("90.0"),
        looking(-270),
        looking(90) + b" \n" * 50 + b"\0",
        packet('p:PoseHeadingDegrees="90"', prefix="p"),
        packet(
            elements="<GPano:PoseHeadingDegrees>90</GPano:PoseHeadingDegrees>"
        ),
        packet(
            'GPano:PoseHeadingDegrees="90"'
            ' GPano:CroppedAreaImageWidthPixels="40"'
            ' GPano:FullPanoWidthPixels="40"'
            ' GPano:CroppedAreaImageHeightPixels="9"'
            ' GPano:FullPanoHeightPixels="20"'
        ),
    ],
)
def test_every_form_is_read(xmp):
    assert gpano_heading(xmp) == 90


@pytest.mark.parametrize("place", [in_jpeg, in_png, in_tiff])
def test_the_panorama_is_rotate_to_north(place):
    """East in the centre: north stands a quarter turn to the left of it."""
    image = np.zeros((16, 64, 3), np.uint8)
    image[:, 16:24] = 255
    file = cv2.imencode(".jpg", image)[1].tobytes()
    data = place(looking(90), file if place is in_jpeg else image)
    found = decode_panorama(data)
    assert found.heading == 90
    expected = np.zeros_like(image)
    expected[:, 32:40] = 255
    assert np.abs(found.pixels.astype(int) - expected).max() < 60
    # An aerial image with such a note is none: it stays as it is.
    assert np.abs(decode(data).astype(int) - image).max() < 60


@pytest.mark.parametrize(
    ("degrees", "columns"), [(1.4, 0), (5.7, 1), (355, 63)]
)
def test_the_turn_is_rounded_to_the_column(degrees, columns):
    image = np.random.default_rng(0).integers(0, 256, (4, 64, 3), np.uint8)
    found = decode_panorama(in_png(looking(degrees), image))
    assert np.array_equal(found.pixels, np.roll(image, columns, axis=1))


def test_training_from_files_sees_it_turned(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (16, 64, 3), np.uint8)
    (tmp_path / "p.png").write_bytes(in_png(looking(45), image))
    found = load_ground(tmp_path / "p.png", (16, 64))
    assert np.array_equal(found, np.roll(image, 8, axis=1))
    (tmp_path / "p.png").write_bytes(in_png(looking("NaN"), image))
    with pytest.raises(UserError, match="p.png: .*is no angle"):
        load_ground(tmp_path / "p.png", (16, 64))


def test_without_a_note_nothing_is_turned():
    assert gpano_heading(b"") is None
    assert gpano_heading(packet('GPano:UsePanoramaViewer="True"')) is None
    assert gpano_heading(b"<broken") is None
    image = np.random.default_rng(0).integers(0, 256, (4, 64, 3), np.uint8)
    found = decode_panorama(in_png(b"<x/>", image))
    assert found.heading is None
    assert np.array_equal(found.pixels, image)


@pytest.mark.parametrize(
    ("xmp", "said"),
    [
        (looking("NaN"), "'NaN' .GPano. is no angle"),
        (looking("inf"), "is no angle"),
        (looking("1e9"), "'1e9' .GPano. is no angle"),
        (looking("east"), "is no angle"),
        (looking(90)[:-40], "GPano metadata cannot be read"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + looking(9), "cannot be read"),
        (
            packet(
                'GPano:CroppedAreaImageWidthPixels="500"'
                ' GPano:FullPanoWidthPixels="1000"'
            ),
            "shows 180 of 360 degrees",
        ),
    ],
)
def test_what_cannot_be_believed_is_refused(xmp, said):
    with pytest.raises(ValueError, match=said):
        gpano_heading(xmp)
