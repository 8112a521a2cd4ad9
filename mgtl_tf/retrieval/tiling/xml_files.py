"""XML files that may be anything: bounded, or refused in one line."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from mgtl_tf.utils.plain_files import (
    UnfitFileError,
    damaged,
    first_line,
    read_bytes,
)


def read_xml(path: Path, remedy: str, largest: int) -> ElementTree.Element:
    """The root element of an XML file.

    Args:
        path: of the file.
        remedy: ends the message.
        largest: most bytes that are read.

    Raises:
        UserError: naming the file, what is wrong and the remedy.
    """
    try:
        content = read_bytes(path, largest)
        # Entities that grow are of a document type; maps' files have none.
        if b"<!ENTITY" in content:
            raise UnfitFileError("declares entities")
        return ElementTree.fromstring(content)
    except UnfitFileError as reason:
        raise damaged(path, reason, remedy) from reason
    except (ElementTree.ParseError, ValueError) as error:
        raise damaged(path, f"no XML: {first_line(error)}", remedy) from error
