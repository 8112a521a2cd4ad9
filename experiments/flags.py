"""The one reader of flags.

A program lists its flags, `PROGRAM_FLAGS`, and gives them with its `main` to
`run_program`, which calls it with their values by name.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from absl import flags

from mgtl_tf.config import (
    SYSTEMS,
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
)
from mgtl_tf.datasets.readers import READERS
from mgtl_tf.datasets.vigor.labels import LABELS, PROTOCOLS
from mgtl_tf.export.shipped import SHIPPED
from mgtl_tf.presets import PRESETS, load_preset
from mgtl_tf.utils.errors import UserError
from polar.program import run

# Flags that are defined here count as the program's own.
flags.disclaim_key_flags()

FLAGS = flags.FLAGS
_PARTS = (ModelConfig, DataConfig, TrainConfig)


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


def define_config(*parts: type) -> None:
    """Defines --preset and a flag for every field of the config records.

    Args:
        parts: which records; all three by default. A flag that is not given
            leaves the preset's value.
    """
    flags.DEFINE_enum(
        "preset",
        None,
        list(PRESETS),
        "settings to begin from; every other flag changes one of them",
        required=True,
    )
    for field, hint in _fields(parts or _PARTS):
        _define(field, hint)


def define_fields(*names: str) -> None:
    """Defines the flags of some fields of the config records."""
    for field, hint in _fields(_PARTS):
        if field.name in names:
            _define(field, hint)


def _fields(parts: Iterable[type]) -> Iterator[tuple[Any, Any]]:
    """Fields and their types, each name once: systems share most of theirs."""
    seen = set()
    for part in parts:
        for record in SYSTEMS.values() if part is ModelConfig else [part]:
            hints = typing.get_type_hints(record)
            for field in dataclasses.fields(record):
                if field.name not in seen:
                    seen.add(field.name)
                    yield field, hints[field.name]


def _define(field: Any, hint: Any) -> None:
    default = getattr(field.default, "__name__", field.default)
    text = f"{field.metadata['help']} [paper or default: {default}]"
    choices = field.metadata["choices"]
    if typing.get_origin(hint) is tuple:
        flags.DEFINE_list(field.name, None, text)
    elif choices:
        flags.DEFINE_enum(field.name, None, list(choices), text)
    elif hint is bool:
        flags.DEFINE_bool(field.name, None, text)
    elif hint is int:
        flags.DEFINE_integer(field.name, None, text)
    elif hint is float:
        flags.DEFINE_float(field.name, None, text)
    else:
        flags.DEFINE_string(field.name, None, text)


def given_fields() -> dict[str, Any]:
    """The config fields that were given on the command line.

    Raises:
        UserError: for a list whose values or count do not fit.
    """
    given = {}
    for field, hint in _fields(_PARTS):
        value = FLAGS[field.name].value if field.name in FLAGS else None
        if value is not None:
            given[field.name] = _typed(field.name, value, hint)
    return given


def _typed(name: str, value: Any, hint: Any) -> Any:
    if typing.get_origin(hint) is not tuple:
        return value
    kinds = typing.get_args(hint)
    try:
        return tuple(k(v) for k, v in zip(kinds, value, strict=True))
    except ValueError as error:
        raise UserError(
            f"--{name}={','.join(value)}: give {len(kinds)} values of type"
            f" {kinds[0].__name__}, separated by commas"
        ) from error


def run_config(preset: str | None = None) -> RunConfig:
    """A preset, over it its system's own settings and the given flags.

    Args:
        preset: its name; by default that of --preset.

    Raises:
        flags.IllegalFlagValueError: for a refused value.
    """
    name = preset or FLAGS.preset
    try:
        return load_preset(name, **given_fields())
    except UserError as error:
        raise flags.IllegalFlagValueError(str(error)) from error
