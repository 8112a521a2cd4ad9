"""Sends 500 bad uploads to the page and sees whether it keeps answering.

    python -m benchmarks.fuzz_uploads --model=export --gallery=index \
        --panorama=panorama.jpg [--uploads=500]

The page is started as a program of its own. Each upload must get a status
that its kind allows, /health must answer all the while, memory must stay
within a bound, and in the end the sound panorama must get the answer that it
got in the beginning.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from absl import app
from absl import flags

from benchmarks import bad_images
from mgtl_tf.serving.limits import Limits

MOST_MEMORY_GROWTH = 2.5
"""GiB over what the page takes after its first answer: the largest image
that is let in has 0.2 GB as bytes and 0.8 GB as the model's float32."""

LIMITS = Limits()
Sent = tuple[int, bytes]
_SECONDS = 120
_BOUNDARY = "a1b2c3"


@dataclass(frozen=True)
class Address:
    """Where a page answers."""

    host: str
    port: int

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> Sent:
        """Status and body of one request; status 0: it was hung up on."""
        connection = http.client.HTTPConnection(
            self.host, self.port, timeout=_SECONDS
        )
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        try:
            connection.request(method, path, body, named)  # type: ignore[arg-type]
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (ConnectionError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()


def form(
    image: bytes, name: str = "a.jpg", kind: str = "image/jpeg"
) -> tuple[bytes, str]:
    """A form with one file, and its content type."""
    head = (
        f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name=image;"
        f' filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    )
    body = head.encode() + image + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={_BOUNDARY}"


def _image(make: Callable[[random.Random, bytes], bytes]) -> Kind:
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


def _fields(page: Address, chance: random.Random, sound: bytes) -> Sent:
    path = "/locate?" + chance.choice(
        ["top_k=-1", "top_k=1e9", "near=a,b", "radius=nan", "near=91,0", "x"]
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
    connection = http.client.HTTPConnection(
        page.host, page.port, timeout=_SECONDS
    )
    try:
        connection.putrequest("POST", chance.choice(["/", "/locate"]))
        connection.putheader("Content-Length", str(len(sound)))
        connection.endheaders()
        connection.send(sound[: chance.randrange(len(sound) - 1)])
        if hang_up:
            return 0, b""
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _slow(page: Address, chance: random.Random, sound: bytes) -> Sent:
    return _unfinished(page, chance, sound, hang_up=False)


def _cut_off(page: Address, chance: random.Random, sound: bytes) -> Sent:
    return _unfinished(page, chance, sound, hang_up=True)


Kind = Callable[[Address, random.Random, bytes], Sent]

KINDS: dict[str, tuple[Kind, set[int]]] = {
    **{
        name: (_image(make), {422}) for name, make in bad_images.REFUSED.items()
    },
    "largest blank": (_image(bad_images.largest_blank), {200}),
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


@contextmanager
def served(*arguments: str) -> Iterator[tuple[Address, int]]:
    """experiments.serve on a free port: its address and process id.

    Raises:
        RuntimeError: where it does not start.
    """
    command = [sys.executable, "-m", "experiments.serve", "--port=0"]
    process = subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://([\d.]+):(\d+)", line)
        if found is None:
            raise RuntimeError("experiments.serve did not start")
        yield Address(found[1], int(found[2])), process.pid
    finally:
        process.terminate()
        process.wait(30)


def memory(pid: int, what: str = "VmRSS") -> float:
    """GiB that a process holds (VmRSS), or held at most (VmHWM)."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{what}:\s+(\d+) kB", text)
    return int(found[1]) / 2**20 if found else 0.0


def answers(page: Address, sound: bytes) -> list[dict]:
    """What the page says of the sound panorama."""
    return json.loads(page.ask("POST", "/locate", sound)[1])[0]["answers"]


def main(argv: list[str]) -> int:
    """Prints what was wrong, counts and memory; 1 if anything was wrong."""
    del argv
    given = flags.FLAGS
    sound = Path(given.panorama).read_bytes()
    names = [list(KINDS)[i % len(KINDS)] for i in range(given.uploads)]
    chance = random.Random(given.seed)
    chance.shuffle(names)
    folders = f"--model={given.model}", f"--gallery={given.gallery}"
    with served(*folders) as (page, pid):
        first, before = answers(page, sound), memory(pid)
        wrong, slowest = _attack(page, names, sound, given.seed)
        after, peak = memory(pid), memory(pid, "VmHWM")
        if answers(page, sound) != first:
            wrong.append("the sound panorama gets another answer")
    if peak - before > MOST_MEMORY_GROWTH:
        wrong.append(f"memory grew by more than {MOST_MEMORY_GROWTH} GiB")
    print("\n".join(wrong))
    print(
        f"{len(names)} uploads of {len(KINDS)} kinds: {len(wrong)} things"
        f" wrong; memory {before:.2f} GiB before, {peak:.2f} at most,"
        f" {after:.2f} after; /health took {slowest:.2f} s at most"
    )
    return int(bool(wrong))


def _attack(
    page: Address, names: list[str], sound: bytes, seed: int
) -> tuple[list[str], float]:
    """Sends all, six at a time; what was wrong, and /health's slowest."""
    with ThreadPoolExecutor(6) as pool:
        sent = [
            pool.submit(upload, page, name, random.Random(seed + i), sound)
            for i, name in enumerate(names)
        ]
        slowest = 0.0
        while not all(one.done() for one in sent):
            start = time.perf_counter()
            with suppress(TimeoutError):
                page.ask("GET", "/health")
            slowest = max(slowest, time.perf_counter() - start)
            time.sleep(0.2)
        found = [one.result() for one in sent]
    counted = Counter(line for line in found if line)
    return [f"{n} x {line}" for line, n in counted.items()], slowest


if __name__ == "__main__":
    # Here, as tests import several benchmarks whose flags share names.
    flags.DEFINE_string("model", "", "of experiments.export")
    flags.DEFINE_string("gallery", "", "of experiments.index")
    flags.DEFINE_string("panorama", "", "a sound image")
    flags.DEFINE_integer("uploads", 500, "how many", 1)
    flags.DEFINE_integer("seed", 0, "decides what is sent")
    app.run(main)
