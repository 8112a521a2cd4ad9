"""Warps a folder of aerial images so that their columns are azimuths.

python -m polar --input_dir=CVUSA/bingmap/19 --output_dir=CVUSA/polarmap/19
"""

from __future__ import annotations

from absl import flags

from polar.convert import ConversionError, convert_folder
from polar.program import print_stderr, run

_INPUT = flags.DEFINE_string(
    "input_dir", None, "folder of square aerial images", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output_dir", None, "where the polar images go", required=True
)
_HEIGHT = flags.DEFINE_integer(
    "height", 112, "rows of a polar image, pixels", lower_bound=1
)
_WIDTH = flags.DEFINE_integer(
    "width", 616, "columns of a polar image, pixels", lower_bound=1
)
_FORMAT = flags.DEFINE_enum("format", "png", ["png", "jpg"], "written as")
_PROCESSES = flags.DEFINE_integer(
    "processes",
    None,
    "how many work at a time; default one a core",
    lower_bound=1,
)


def main(argv: list[str]) -> int:
    """Reads the flags, converts, lists what could not be converted."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    failures = convert_folder(
        _INPUT.value,
        _OUTPUT.value,
        _HEIGHT.value,
        _WIDTH.value,
        _FORMAT.value,
        _PROCESSES.value,
    )
    print_stderr(*failures)
    if failures:
        print_stderr(f"{len(failures)} files not converted")
    return 1 if failures else 0


if __name__ == "__main__":
    run(main, errors=(ConversionError,))
