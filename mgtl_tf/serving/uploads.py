"""The body of a request to an image's bytes, within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from mgtl_tf.serving.limits import Limits, Refused

# A form's own lines around the image.
_FORM_BYTES = 2**16
_LONGEST_NAME = 120

Value = TypeVar("Value")


@dataclass(frozen=True)
class Upload:
    """What came with a request.

    Attributes:
        image: the file's bytes, whatever they are.
        name: the file's name, made fit to be shown; never a path to open.
        fields: the form's other fields over the address's parameters.
    """

    image: bytes
    name: str
    fields: Mapping[str, str]


class Body:
    """A request's body, piece by piece, within limits.

    Args:
        request: whose body nobody else reads.
        limits: of it.
    """

    def __init__(self, request: Request, limits: Limits):
        self.request = request
        self.limits = limits
        self._ended = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body.

        Raises:
            Refused: 400 where the sender hangs up, 408 where the next piece
                does not come in time, 413 where it is too long.
        """
        start = time.monotonic()
        most = self.limits.upload_bytes + _FORM_BYTES
        # The server has refused a length that is no number.
        announced = int(self.request.headers.get("content-length", 0))
        length = 0
        while not self._ended:
            try:
                async with asyncio.timeout(self._patience(start, length)):
                    piece = await self._next()
            except TimeoutError:
                raise Refused(408, "the image did not come in time") from None
            length += len(piece)
            if max(length, announced) > most:
                raise _too_long(self.limits)
            yield piece

    def _patience(self, start: float, length: int) -> float:
        """Seconds until the next piece must have come."""
        limits, passed = self.limits, time.monotonic() - start
        # A slow body holds a place just as a stalled one does.
        due = limits.stall_seconds + length / limits.bytes_per_second
        return min(limits.stall_seconds, min(due, limits.body_seconds) - passed)

    async def drain(self) -> None:
        """Throws the rest away: a sender must end before it reads why."""
        with suppress(TimeoutError, Refused):
            async with asyncio.timeout(self.limits.drain_seconds):
                while not self._ended:
                    await self._next()

    async def _next(self) -> bytes:
        message = await self.request.receive()
        if message["type"] == "http.disconnect":
            self._ended = True
            raise Refused(400, "the upload was cut off")
        self._ended = not message.get("more_body", False)
        return message.get("body", b"")


async def receive(body: Body) -> Upload:
    """Reads an upload: a form with a file `image`, or the bare image.

    Raises:
        Refused: 400 for a broken form or none, a field that is given twice,
            or a sender who hangs up; 408 for a body that does not come in
            time, 413 for one that is too long.
    """
    fields = _once(body.request.query_params.multi_items(), "address")
    kind = body.request.headers.get("content-type", "").lower()
    if not kind.startswith("multipart/form-data"):
        parts = [part async for part in body.pieces()]
        name = shown_name(fields.pop("name", ""))
        return Upload(b"".join(parts), name, fields)
    form = await _form(body)
    try:
        return await _from_form(form, fields, body.limits)
    finally:
        await form.close()


def _once(items: Iterable[tuple[str, Value]], where: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in items:
        if name in found:
            shown = shown_name(name)
            raise Refused(400, f"{shown}: given twice in the {where}")
        found[name] = value
    return found


async def _form(body: Body) -> FormData:
    """The form, in memory.

    `request.form()` writes files of over 1 MB to the disk, which may be full,
    and takes any character set that the sender names.
    """
    parser = MultiPartParser(
        _form_headers(body.request.headers["content-type"]),
        body.pieces(),
        max_files=1,
        max_fields=8,
        max_part_size=1024,
    )
    parser.spool_max_size = body.limits.upload_bytes + 2 * _FORM_BYTES
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise Refused(400, f"a broken form: {error.message}") from error
    # What the libraries raise for headers that no browser writes.
    except (ValueError, LookupError) as error:
        raise Refused(400, "a broken form: its headers") from error


def _form_headers(kind: str) -> Headers:
    """A form's content type with its boundary alone: it is UTF-8 (RFC 7578)."""
    _, options = parse_options_header(kind.encode("latin-1"))
    if not (boundary := options.get(b"boundary")):
        raise Refused(400, "a broken form: it names no boundary")
    quoted = boundary.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    value = b'multipart/form-data; boundary="' + quoted + b'"'
    return Headers(raw=[(b"content-type", value)])


async def _from_form(
    form: FormData, fields: dict[str, str], limits: Limits
) -> Upload:
    given = _once(form.multi_items(), "form")
    file = given.pop("image", None)
    if not isinstance(file, UploadFile):
        raise Refused(400, "no file in the form's field 'image'")
    image = await file.read(limits.upload_bytes + 1)
    if len(image) > limits.upload_bytes:
        raise _too_long(limits)
    texts = {k: v for k, v in given.items() if isinstance(v, str)}
    return Upload(image, shown_name(file.filename or ""), {**fields, **texts})


def shown_name(name: str) -> str:
    """A file's name without folders and what can't be printed."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[-_LONGEST_NAME:]


def _too_long(limits: Limits) -> Refused:
    megabytes = limits.upload_bytes / 2**20
    return Refused(
        413, f"the image is larger than {megabytes:g} MB, the most taken here"
    )
