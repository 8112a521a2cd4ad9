"""experiments.serve as a program of its own: asked, timed, weighed."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

Sent = tuple[int, bytes]
"""Status and body of an answer; status 0: it was hung up on."""

SECONDS = 120
"""That an answer is waited for."""

_BOUNDARY = "a1b2c3"


@dataclass(frozen=True)
class Address:
    """Where a page answers, and from where it is asked.

    Attributes:
        host, port: of the page.
        source: address of this machine from which it is asked.
        seconds: that each answer took, from the last byte sent.
    """

    host: str
    port: int
    source: str = "127.0.0.1"
    seconds: list[float] = field(default_factory=list, compare=False)

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is not yet used."""
        return http.client.HTTPConnection(
            self.host, self.port, SECONDS, source_address=(self.source, 0)
        )

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> Sent:
        """One request over a connection of its own."""
        connection = self.connect()
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        start = time.perf_counter()
        try:
            connection.request(method, path, body, named)  # type: ignore[arg-type]
            start = time.perf_counter()
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (ConnectionError, http.client.HTTPException):
            return 0, b""
        finally:
            self.seconds.append(time.perf_counter() - start)
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


def answers(page: Address, sound: bytes) -> list[dict]:
    """What the page says of the sound panorama."""
    return json.loads(page.ask("POST", "/locate", sound)[1])[0]["answers"]


def memory(pid: int, what: str = "VmRSS") -> float:
    """GiB that a process holds (VmRSS), or held at most (VmHWM)."""
    with suppress(FileNotFoundError, ProcessLookupError):
        text = Path(f"/proc/{pid}/status").read_text()
        if found := re.search(rf"{what}:\s+(\d+) kB", text):
            return int(found[1]) / 2**20
    return 0.0


def children(pid: int) -> list[int]:
    """The processes that a process has started and not yet lost."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, file.read_text().split())
    return found


@dataclass
class Watch:
    """What a page is to another client while it is attacked.

    Args:
        page: as the other client sees it.
        pid: of its process.
        sound: a panorama that is located again and again.

    Attributes:
        waits: seconds of each sound panorama's answer.
        refused: how many got another status than 200.
        health: seconds of each /health.
        most: GiB that the page and its processes held together.
        most_of_one: GiB that the largest of its processes held.
    """

    page: Address
    pid: int
    sound: bytes
    waits: list[float] = field(default_factory=list)
    refused: int = 0
    health: list[float] = field(default_factory=list)
    most: float = 0.0
    most_of_one: float = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Asks and weighs all the while."""
        self._ended = threading.Event()
        threads = [
            threading.Thread(target=target) for target in (self._ask, self._add)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _ask(self) -> None:
        while not self._ended.wait(0.3):
            start = time.perf_counter()
            self.page.ask("GET", "/health")
            middle = time.perf_counter()
            self.health.append(middle - start)
            status, _ = self.page.ask("POST", "/locate", self.sound)
            self.waits.append(time.perf_counter() - middle)
            self.refused += status != 200

    def _add(self) -> None:
        while not self._ended.wait(0.03):
            own = [memory(pid) for pid in children(self.pid)]
            self.most_of_one = max([self.most_of_one, *own])
            self.most = max(self.most, memory(self.pid) + sum(own))
