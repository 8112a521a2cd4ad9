"""The body of a request to an image's bytes, within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgtl_tf.serving.limits import Limits
from mgtl_tf.serving.limits import Refused

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

# A form's own lines around the image.
_FORM_BYTES = 2**16
_LONGEST_NAME = 120


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


async def receive(request: Request, limits: Limits) -> Upload:
    """Reads an upload: a form with a file `image`, or the bare image.

    Raises:
        Refused: 400 for a broken form or none, 408 for a body that does not
            come in time, 413 for one that is too long.
    """
    fields = dict(request.query_params)
    kind = request.headers.get("content-type", "").lower()
    if not kind.startswith("multipart/form-data"):
        parts = [part async for part in _body(request, limits)]
        return Upload(b"".join(parts), fields.pop("name", ""), fields)
    form = await _form(request, limits)
    try:
        return await _from_form(form, fields, limits)
    finally:
        await form.close()


async def _form(request: Request, limits: Limits) -> FormData:
    from starlette.formparsers import MultiPartException
    from starlette.formparsers import MultiPartParser

    parser = MultiPartParser(
        request.headers,
        _body(request, limits),
        max_files=1,
        max_fields=8,
        max_part_size=1024,
    )
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise Refused(400, f"a broken form: {error.message}") from error


async def _from_form(
    form: FormData, fields: dict[str, str], limits: Limits
) -> Upload:
    from starlette.datastructures import UploadFile

    file = form.get("image")
    if not isinstance(file, UploadFile):
        raise Refused(400, "no file in the form's field 'image'")
    image = await file.read(limits.upload_bytes + 1)
    if len(image) > limits.upload_bytes:
        raise _too_long(limits)
    texts = {k: v for k, v in form.multi_items() if isinstance(v, str)}
    return Upload(image, shown_name(file.filename or ""), {**fields, **texts})


def shown_name(name: str) -> str:
    """A file's name without folders and what can't be printed."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[-_LONGEST_NAME:]


async def _body(
    request: Request, limits: Limits
) -> AsyncGenerator[bytes, None]:
    """The body's pieces, as long as they keep within the limits."""
    most = limits.upload_bytes + _FORM_BYTES
    end = time.monotonic() + limits.body_seconds
    stream, length = request.stream(), 0
    while True:
        wait = min(limits.stall_seconds, end - time.monotonic())
        try:
            async with asyncio.timeout(wait):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused(408, "the image did not come in time") from None
        length += len(piece)
        if max(length, _announced(request)) > most:
            await _drain(stream, limits.drain_seconds)
            raise _too_long(limits)
        yield piece


def _announced(request: Request) -> int:
    # The server has refused what is no number.
    return int(request.headers.get("content-length", 0))


async def _drain(stream: AsyncGenerator[bytes, None], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for _ in stream:
                pass


def _too_long(limits: Limits) -> Refused:
    return Refused(
        413,
        f"the image is larger than {limits.upload_bytes / 2**20:g} MB, the"
        " most that is taken here",
    )
