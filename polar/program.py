"""What every program of this project does around its `main`.

Exit status: what `main` returns (0 done); 1 the work failed, with one line
on stderr; 2 wrong flags, likewise; 130 interrupted.
"""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from absl import app, flags
from absl import logging as absl_logging

from polar.text import printable


def run(
    main: Callable[[list[str]], int | None],
    errors: tuple[type[BaseException], ...] = (),
) -> None:
    """Runs a program and leaves the process with its exit status.

    Args:
        main: gets the arguments that are no flags, program name first.
        errors: types whose message is printed as one line, without a
            traceback; errors of the operating system are, too.
    """

    def guarded(argv: list[str]) -> int:
        try:
            status = main(argv) or 0
            # A full disk under stdout raises here, not at exit.
            print(end="", flush=True)
            return status
        except flags.Error as error:
            return _complain(_as_flag(str(error)), 2)
        except KeyboardInterrupt:
            return _complain("interrupted", 130)
        except errors as error:
            return _complain(_as_flag(str(error)), 1)
        except OSError as error:
            return _complain(_line_of(error), 1)

    _escape_output()
    app.run(guarded, flags_parser=_parse)


def _as_flag(message: str) -> str:
    """A message that begins with an argument's name, as that of a flag."""
    name = re.match(r"(\w*)[=:]", message)
    return f"--{message}" if name and name[1] in flags.FLAGS else message


def _line_of(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}"
    if sys.stdout is not None and _drop_if_stuck(sys.stdout):
        return f"standard output: cannot be written ({reason})"
    return reason


def _drop_if_stuck(stream: TextIO) -> bool:
    """Whether a stream takes no more."""
    try:
        stream.flush()
    except OSError:
        # Python would try once more at exit, with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return True
    return False


def print_stderr(*lines: object) -> None:
    """Prints each as one line, whatever file names it holds."""
    for line in lines:
        print(printable(line), file=sys.stderr)


def print_stdout(*lines: object) -> None:
    """Prints each as one line, whatever file names it holds."""
    for line in lines:
        print(printable(line))


def _escape_output() -> None:
    """Printing never fails; the log holds no control characters."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the locale's encoding lacks is escaped, as stderr does anyway.
        sys.stdout.reconfigure(errors="backslashreplace")
    log = absl_logging.get_absl_logger()
    if not any(isinstance(found, _OneLine) for found in log.filters):
        log.addFilter(_OneLine())


class _OneLine(logging.Filter):
    """Escapes a record's message; TensorFlow's mere information is hidden."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(record.getMessage()), ()
        of_tensorflow = f"{os.sep}tensorflow{os.sep}" in record.pathname
        return record.levelno > logging.INFO or not of_tensorflow


def _parse(argv: list[str]) -> list[str]:
    # Before absl's own --help, which hides flags that a helper defined.
    if {"-h", "-help", "--help", "--helpshort"} & set(argv[1:]):
        # Such as of `--help | head`, which stops reading.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        print(_help(), flush=True)
        sys.exit(0)
    flags.FLAGS.set_default("logtostderr", True)
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        line = f"{error} (python -m {_module()} --help lists all flags)"
        sys.exit(_complain(line, 2))


def _help() -> str:
    own = [
        flags.FLAGS.module_help(module)
        for module in flags.FLAGS.flags_by_module_dict()
        if not module.startswith("absl")
    ]
    return "\n".join([sys.modules["__main__"].__doc__ or "", *own])


def _module() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec else sys.argv[0]


def _complain(line: str, status: int) -> int:
    # Libraries' own messages may have several lines.
    print_stderr("error: " + re.sub(r"\s*\n\s*", " ", line.strip()))
    return status
