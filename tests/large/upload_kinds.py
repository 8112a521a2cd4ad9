"""Kinds of uploads that a page should not have to meet, as they are sent."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from functools import lru_cache

from mgtl_tf.serving.limits import Limits
from tests.large import bad_images
from tests.large.served_page import Address, Sent, form

LIMITS = Limits()


def _image(make: bad_images.Make) -> Kind:
    """An upload of these bytes, as a form or bare, to page or endpoint."""

    def send(page: Address, chance: random.Random, sound: bytes) -> Sent:
        path = chance.choice(["/", "/locate"])
        image = make(chance, sound)
        if chance.random() < 0.5:
            return page.ask("POST", path, image, content_type="image/jpeg")
        body, kind = form(image)
        return page.ask("POST", path, body, content_type=kind)

    return send


def _as(kind: str, name: str) -> Kind:
    """A sound image that is said to be something else."""

    def send(page: Address, chance: random.Random, sound: bytes) -> Sent:
        body, header = form(sound, name, kind)
        return page.ask("POST", "/locate", body, content_type=header)

    return send


def _broken_form(page: Address, chance: random.Random, sound: bytes) -> Sent:
    body, kind = form(sound)
    if chance.random() < 0.5:
        kind = chance.choice(["multipart/form-data", kind + "x"])
    else:
        body = body[: chance.randrange(len(body) - 8)]
    return page.ask("POST", "/locate", body, content_type=kind)


def _charset(page: Address, chance: random.Random, sound: bytes) -> Sent:
    body, kind = form(sound)
    name = chance.choice(["undefined", "punycode", "utf-7", "idna", "\xff"])
    kind = f"{kind}; charset={name}"
    return page.ask(
        "POST", chance.choice(["/", "/locate"]), body, content_type=kind
    )


def _from_elsewhere(page: Address, chance: random.Random, sound: bytes) -> Sent:
    origin = chance.choice(["null", "http://evil.example", "http://localhost"])
    return page.ask("POST", "/locate", sound, origin=origin)


def _other_host(page: Address, chance: random.Random, sound: bytes) -> Sent:
    host = chance.choice(["evil.example", "localhost.evil.example:80", "[::2]"])
    return page.ask("GET", "/", host=host)


def _picture(page: Address, chance: random.Random, sound: bytes) -> Sent:
    row = chance.choice(["9" * 5000, "-1", "00", "%D9%A1", "1e3"])
    return page.ask("GET", f"/places/{row}.jpg")


def _fields(page: Address, chance: random.Random, sound: bytes) -> Sent:
    path = "/locate?" + chance.choice(
        ["top_k=-1", "top_k=1e9", "near=a,b", "radius=nan", "near=91,0", "x"]
        + ["top_k=0000000010000000", "top_k=1&top_k=2", "topk=5", "top_k=%2B5"]
    )
    wrong = path.endswith("x")
    return page.ask("POST", path, b"" if wrong else sound)


def _endless(page: Address, chance: random.Random, sound: bytes) -> Sent:
    """A body without a length, in pieces, longer than is taken."""

    def pieces() -> Iterator[bytes]:
        for _ in range(LIMITS.upload_bytes // 2**20 + 2):
            yield bytes(2**20)

    return page.ask("POST", "/locate", pieces())


def _unfinished(
    page: Address, chance: random.Random, sound: bytes, hang_up: bool
) -> Sent:
    connection = page.connect()
    try:
        connection.putrequest("POST", chance.choice(["/", "/locate"]))
        connection.putheader("Content-Length", str(len(sound)))
        connection.endheaders()
        connection.send(sound[: chance.randrange(len(sound) - 1)])
        start = time.perf_counter()
        if hang_up:
            return 0, b""
        answer = connection.getresponse()
        page.seconds.append(time.perf_counter() - start)
        return answer.status, answer.read()
    finally:
        connection.close()


def _slow(page: Address, chance: random.Random, sound: bytes) -> Sent:
    return _unfinished(page, chance, sound, hang_up=False)


def _cut_off(page: Address, chance: random.Random, sound: bytes) -> Sent:
    return _unfinished(page, chance, sound, hang_up=True)


Kind = Callable[[Address, random.Random, bytes], Sent]


def _kept(make: bad_images.Make) -> bad_images.Make:
    """The same bytes each time, as making them takes a while."""
    return lru_cache(1)(lambda *_: make(random.Random(0), b""))


KINDS: dict[str, tuple[Kind, set[int]]] = {
    **{
        name: (_image(make), {422}) for name, make in bad_images.REFUSED.items()
    },
    **{
        name: (_image(_kept(make)), {422})
        for name, make in bad_images.BOMBS.items()
    },
    # libtiff reads no more of a strip than its pixels need.
    "TIFF of 4 GiB": (_image(_kept(bad_images.overfull_tiff)), {200, 422}),
    # Refused where it takes too long.
    "slow scans": (_image(_kept(bad_images.slow_scans)), {200, 422}),
    "largest blank": (_image(_kept(bad_images.largest_blank)), {200}),
    "longer than is taken": (
        _image(lambda chance, sound: bytes(LIMITS.upload_bytes + 2**20)),
        {413},
    ),
    "endless": (_endless, {413}),
    "sound, said to be HTML": (_as("text/html", "a.html"), {200}),
    "sound, name with markup": (
        _as("image/svg+xml", "<script>alert(1)</script>"),
        {200},
    ),
    "broken form": (_broken_form, {400, 422}),
    "wrong fields": (_fields, {400, 422}),
    "character sets": (_charset, {200}),
    "of another site": (_from_elsewhere, {403}),
    "of another host": (_other_host, {400}),
    "no such picture": (_picture, {404}),
    "stalled": (_slow, {408}),
    "cut off": (_cut_off, {0}),
}
"""Name to how it is sent and which statuses it may get."""


def upload(
    page: Address, kind: str, chance: random.Random, sound: bytes
) -> str | None:
    """Sends an upload; what was wrong with the answer, or None."""
    send, allowed = KINDS[kind]
    for _ in range(60):
        status, body = send(page, chance, sound)
        # The page is full; as it says, in a moment it is not.
        if status != 503:
            break
        time.sleep(0.5)
    if status not in allowed:
        return f"{kind}: status {status}, {body[:200]!r}"
    if b"<script>alert" in body or b"<svg onload" in body:
        return f"{kind}: the upload's markup came back"
    return None
