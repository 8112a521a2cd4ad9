"""Sound image files of every format, and ways to damage them."""

import io

import cv2
import numpy as np
import tifffile
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.transform import Affine


def scene(height=192, width=384, seed=0):
    """A picture with edges, areas and noise, RGB uint8 [h, w, 3]."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (height // 12, width // 12, 3), np.uint8)
    smooth = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = smooth + random.normal(0, 5, smooth.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def pillow(kind, mode="RGB", **options):
    def write(image):
        file = io.BytesIO()
        Image.fromarray(image).convert(mode).save(file, kind, **options)
        return file.getvalue()

    return write


def gdal(**options):
    def write(image):
        height, width = image.shape[:2]
        profile = {"driver": "GTiff", "count": 3, "dtype": "uint8"} | options
        profile["transform"] = Affine(0.5, 0, 9, 0, -0.5, 9)
        with MemoryFile() as memory:
            with memory.open(height=height, width=width, **profile) as file:
                file.write(np.moveaxis(image, -1, 0))
            return bytes(memory.read())

    return write


def tiff(**options):
    def write(image):
        file = io.BytesIO()
        tifffile.imwrite(file, image, photometric="rgb", **options)
        return file.getvalue()

    return write


def turned(image):
    exif = Image.Exif()
    exif[0x112] = 6
    return pillow("JPEG", exif=exif)(image)


def multi_picture(image):
    """Two pictures in a file, as phones write: the second is no damage."""
    file = io.BytesIO()
    second = Image.fromarray(image[::2, ::2].copy())
    Image.fromarray(image).save(
        file, "MPO", save_all=True, append_images=[second]
    )
    return file.getvalue()


TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}
JPEGS = {
    "baseline": pillow("JPEG", quality=90),
    "progressive": pillow("JPEG", progressive=True),
    "optimized": pillow("JPEG", optimize=True, quality=70),
    "restarts": pillow("JPEG", restart_marker_blocks=10),
    "4:4:4": pillow("JPEG", quality=95, subsampling=0),
    "grey": pillow("JPEG", "L", quality=90),
    "CMYK": pillow("JPEG", "CMYK", quality=90),
    "turned": turned,
    "MPO": multi_picture,
}
OTHERS = {
    "PNG": pillow("PNG"),
    "TIFF LZW": gdal(compress="LZW"),
    "TIFF LZW predicted": gdal(compress="LZW", predictor=2, **TILES),
    "TIFF Deflate": gdal(compress="DEFLATE"),
    "TIFF PackBits": gdal(compress="PACKBITS"),
    "TIFF LZMA": gdal(compress="LZMA", **TILES),
    "TIFF JPEG": gdal(compress="JPEG", photometric="YCBCR", **TILES),
    "TIFF planes": gdal(compress="DEFLATE", interleave="BAND"),
    "BigTIFF": gdal(compress="LZW", BIGTIFF="YES"),
    "TIFF big endian": tiff(compression="zlib", byteorder=">"),
}
CHECKED = ("PNG", "TIFF Deflate", "TIFF LZMA", "TIFF planes")
"""Formats with checksums: not a bit of their pixels changes unseen."""


def body(data):
    """Where the pixels of a file lie, about."""
    if data.startswith(b"\xff\xd8"):
        end = data.find(b"\xff\xd9", data.find(b"\xff\xda"))
        return data.find(b"\xff\xda") + 14, end
    return (60, len(data) - 20) if data[1:4] == b"PNG" else (700, len(data))


def zeros_inside(data, random):
    first, last = body(data)
    start = random.integers(first, first + (last - first) // 2)
    length = random.integers((last - first) // 20, (last - first) // 2)
    return data[:start] + bytes(length) + data[start + length :]


def zeros_to_the_end(data, random):
    first, last = body(data)
    start = random.integers(first, last - (last - first) // 20)
    return data[:start] + bytes(last - start) + data[last:]


def cut_with_its_end(data, random):
    first, last = body(data)
    start = random.integers(first, last - (last - first) // 20)
    return data[:start] + data[last:]


def another_block(data, random):
    first, last = body(data)
    start = random.integers(first, last - 600)
    return data[:start] + random.bytes(512) + data[start + 512 :]


DAMAGES = (zeros_inside, zeros_to_the_end, cut_with_its_end, another_block)


def flipped(data, random):
    first, last = body(data)
    changed = bytearray(data)
    changed[random.integers(first, last)] ^= 1 << random.integers(8)
    return bytes(changed)
