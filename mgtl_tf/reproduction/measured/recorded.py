"""What `benchmarks.record` kept of a program that it ran."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.utils.json_files import read_json


@dataclass(frozen=True)
class Recorded:
    """A file of docs/results/benchmarks, with a checksum.

    Attributes:
        command: that was run.
        date, machine: when and where.
        output: its lines.
    """

    command: str
    date: str
    machine: str
    output: list[str]
    sha256: str

    @property
    def heading(self) -> str:
        """Command, machine and date, as Markdown."""
        return f"`{self.command}`\n({self.machine}, {self.date})"


def recorded_folder(docs: Path) -> Path:
    """The folder of these files."""
    return docs / "results" / "benchmarks"


def read_recorded(path: Path) -> Recorded:
    """One of them.

    Raises:
        UserError: for a file that cannot be read.
    """
    return read_json(path, Recorded, "record it again", sealed=True)
