"""The one reader of flags, but for those of the config records.

A program lists its flags, `PROGRAM_FLAGS`, and gives them with its `main` to
`run_program`, which calls it with their values by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from mgtl_tf.datasets.readers import READERS
from mgtl_tf.datasets.vigor.labels import LABELS, PROTOCOLS
from mgtl_tf.export.shipped import SHIPPED
from mgtl_tf.utils.errors import UserError
from polar.program import run

# Flags that are defined here count as the program's own.
flags.disclaim_key_flags()

MODEL_TEXT = (
    "folder, or packed file, that experiments.export wrote, or a model that"
    f" comes with the package: {', '.join(SHIPPED)}"
)


def _required(text: str) -> Callable[[str], flags.FlagHolder]:
    return lambda name: flags.DEFINE_string(name, None, text, required=True)


def _folder(program: str) -> Callable[[str], flags.FlagHolder]:
    return _required(f"folder that experiments.{program} wrote")


def _choice(values: list[str], text: str) -> Callable[[str], flags.FlagHolder]:
    return lambda name: flags.DEFINE_enum(name, values[0], values, text)


def _text(default: str | None, text: str) -> Callable[[str], flags.FlagHolder]:
    return lambda name: flags.DEFINE_string(name, default, text)


_SHARED = {
    "model": _required(MODEL_TEXT),
    "gallery": _folder("index"),
    "run_dir": _folder("train"),
    "data_dir": _text(None, "folder of the data set; default: the run's own"),
    "split": _choice(["validation", "train"], "which pairs"),
    "checkpoint": _choice(["best", "last"], "which checkpoint of the run"),
    "engine": _text(
        "exact",
        "search engine: exact (needs nothing), or one that experiments.index"
        " builds: float16, int8, pca, ivfpq; of Milvus exact, int8, hnsw",
    ),
    "backend": _choice(["faiss", "milvus"], "what searches the gallery"),
    "uri": _text(None, "of Milvus: a local file FILE.db, or http://HOST:19530"),
    "runner": _choice(
        ["local", "ray"], "what does the work: this program, or Ray's actors"
    ),
    "ray_address": _text(
        "", "HOST:PORT of a Ray cluster; default: Ray starts on this machine"
    ),
}


def _further_sets(text: str) -> tuple[tuple[str, str], ...]:
    """(name of a reader, folder) of each."""
    found = []
    for part in text.split(",") if text else []:
        name, colon, folder = part.partition(":")
        if name not in READERS or not colon or not folder:
            raise ValueError(part)
        found.append((name, folder))
    return tuple(found)


def define_also() -> flags.FlagHolder:
    """Defines --also."""
    return define_parsed(
        "also",
        (),
        "further data sets, NAME:FOLDER with commas between: their validation"
        " pairs are measured in one joint gallery, as figures of their own",
        _further_sets,
        "NAME:FOLDER, with commas between, where NAME is one of"
        f" {', '.join(READERS)}",
    )


VIGOR_FLAGS = ("vigor_labels", "vigor_protocol")


def define_vigor(default: str) -> list[flags.FlagHolder]:
    """Defines VIGOR_FLAGS, of measuring; `default` says what else holds."""
    return [
        flags.DEFINE_enum(
            "vigor_labels",
            None,
            list(LABELS),
            "vigor only: label set of what is measured (metres differ, not"
            f" recall); default: {default}",
        ),
        flags.DEFINE_enum(
            "vigor_protocol",
            None,
            PROTOCOLS,
            "vigor only: same or cross area of what is measured; default:"
            f" {default}",
        ),
    ]


def define_shared(*names: str) -> list[flags.FlagHolder]:
    """Defines flags that several programs have."""
    found = [_SHARED[name](name) for name in names]
    if "ray_address" in names:
        flags.register_multi_flags_validator(
            ["runner", "ray_address"],
            lambda given: given["runner"] == "ray" or not given["ray_address"],
            "--ray_address: is of a Ray cluster; give --runner=ray as well",
        )
    return found


class _Parsed(flags.ArgumentParser):
    """Text that a function converts; what it must be is the error."""

    def __init__(self, convert: Callable[[str], Any], wanted: str):
        super().__init__()
        self.convert = convert
        self.wanted = wanted

    def parse(self, argument: Any) -> Any:
        """The converted text."""
        if not isinstance(argument, str):
            return argument
        try:
            return self.convert(argument)
        except ValueError:
            raise ValueError(f"give {self.wanted}") from None

    def flag_type(self) -> str:
        """The type that help shows."""
        return "string"


def define_parsed(
    name: str,
    default: Any,
    help: str,
    convert: Callable[[str], Any],
    wanted: str,
    **options: Any,
) -> flags.FlagHolder:
    """Defines a flag of any type.

    Args:
        name, default, help, options: as of absl's DEFINE functions.
        convert: from text; raises ValueError for wrong text.
        wanted: what a wrong value's error asks for.
    """
    parser = _Parsed(convert, wanted)
    return flags.DEFINE(parser, name, default, help, **options)


def run_program(
    main: Callable[..., int | None],
    program_flags: Sequence[flags.FlagHolder],
    takes_arguments: bool = False,
) -> None:
    """Runs a program and leaves the process with its exit status.

    Args:
        main: called with the values of the flags by name; exit status.
        program_flags: these flags.
        takes_arguments: whether `main` takes positional arguments too.
    """

    def with_flags(argv: list[str]) -> int | None:
        if argv[1:] and not takes_arguments:
            raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
        return main(*argv[1:], **{f.name: f.value for f in program_flags})

    run(with_flags, errors=(UserError,))
