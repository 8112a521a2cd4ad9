"""The headers of image files, read before a pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass

MOST_PIXELS = 2**27
"""Of one image: 16384 x 8192. More is refused before memory is taken."""

JPEG_START = b"\xff\xd8"
PNG_START = b"\x89PNG\r\n\x1a\n"
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_OTHERS = (
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"<", "a web page or other text"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)


@dataclass(frozen=True)
class Header:
    """An image file's own description.

    Attributes:
        kind: "JPEG", "PNG" or "TIFF".
        height, width: pixels, as stored.
        channels: 1 grey, 2 with alpha, 3 RGB, 4 RGBA (JPEG, TIFF: or CMYK).
        bits: of a channel.
        orientation: EXIF's 1..8; 1 is upright.
        images: how many frames or pages there are.
        xmp: its metadata packet (XML); b"" where there is none.
    """

    kind: str
    height: int
    width: int
    channels: int = 3
    bits: int = 8
    orientation: int = 1
    images: int = 1
    xmp: bytes = b""

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width once it is turned as `orientation` says."""
        size = self.height, self.width
        return size[::-1] if self.orientation > 4 else size


def require_decodable(header: Header) -> None:
    """Refuses an image that has no pixels, too many, or further images.

    Raises:
        ValueError: saying why.
    """
    size = f"{header.width} x {header.height}"
    if header.height < 1 or header.width < 1:
        raise ValueError(f"has no pixels ({size})")
    if header.width * header.height > MOST_PIXELS:
        raise ValueError(
            f"{size} pixels: more than {MOST_PIXELS:,} are refused"
        )
    if header.images > 1:
        kind = "pages" if header.kind == "TIFF" else "frames (animated)"
        raise ValueError(f"holds {header.images} {kind}; give a single image")


def exif_orientation(exif: bytes) -> int:
    """EXIF's orientation, 1..8; 1 (upright) where none can be read.

    Args:
        exif: a block of it, with or without its identifier.
    """
    from PIL import Image

    try:
        tags = Image.Exif()
        tags.load(exif)
        found = int(tags.get(0x112, 1))
    except Exception:  # Broken metadata are no damage of the picture.
        return 1
    return found if 1 <= found <= 8 else 1


def other_kind(data: bytes) -> str:
    """What an unsupported file seems to be, as a phrase; or ""."""
    if not data.strip(b"\0"):
        return ": it holds only zeros"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        # libwebp decodes a file half of which are zeros without an error.
        return (
            " but a WebP image, in which damage cannot be detected; convert it"
            " to PNG"
        )
    start = data.lstrip()[:32]
    for sign, name in _OTHERS:
        if start.startswith(sign):
            return f" but {name}"
    if data[4:8] == b"ftyp":
        return " but a HEIF, AVIF or video file"
    return ""
