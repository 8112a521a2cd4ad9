r"""Writes a trained run's best model as a SavedModel for TensorFlow alone.

python -m experiments.export --run_dir=runs/first --output_dir=export
python -m experiments.export --run_dir=runs/first --output_dir=export \
    --formats=savedmodel,onnx,tflite

docs/serving.md tells how to use what is written.
"""

from __future__ import annotations

from typing import Any

from absl import flags, logging

from experiments.flags import define_shared, run_program
from mgtl_tf.utils.tf_setup import load_tensorflow
from polar.program import print_stdout

_FORMATS = ("savedmodel", "onnx", "tflite")

PROGRAM_FLAGS = [
    *define_shared("run_dir", "checkpoint"),
    flags.DEFINE_string(
        "output_dir", None, "new folder for the SavedModel", required=True
    ),
    flags.DEFINE_list(
        "formats",
        ["savedmodel"],
        "what to write: savedmodel (always), onnx, tflite; the latter two take"
        " decoded pixels and are compared with the SavedModel",
    ),
    flags.DEFINE_string(
        "packed",
        None,
        "file, NAME.npz, to write the model to besides, in half precision;"
        " --model of the other programs takes it in place of a folder",
    ),
]
flags.register_validator(
    "formats",
    lambda formats: set(formats) <= set(_FORMATS),
    f"choose of {', '.join(_FORMATS)}, with commas between",
)


def main(**given: Any) -> None:
    """Exports; prints where."""
    load_tensorflow()
    # Saving logs every file, by its temporary name.
    logging.set_verbosity(logging.WARNING)
    from mgtl_tf.workflows.export import export_run, format_lines

    folder = export_run(**given)
    print_stdout(f"SavedModel written to {folder}", *format_lines(folder))


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
