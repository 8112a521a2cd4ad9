r"""Writes a trained run's best model as a SavedModel for TensorFlow alone.

python -m experiments.export --run_dir=runs/first --output_dir=export
python -m experiments.export --run_dir=runs/first --output_dir=export \
    --formats=savedmodel,onnx,tflite

docs/serving.md tells how to use what is written.
"""

from __future__ import annotations

from absl import flags, logging

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.tf_setup import load_tensorflow
from polar.program import run, tell_done

_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "folder that experiments.train wrote", required=True
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "new folder for the SavedModel", required=True
)
_CHECKPOINT = flags.DEFINE_enum(
    "checkpoint", "best", ["best", "last"], "which checkpoint of the run"
)
_FORMATS = flags.DEFINE_list(
    "formats",
    ["savedmodel"],
    "what to write: savedmodel (always), onnx, tflite; the latter two take"
    " decoded pixels and are compared with the SavedModel",
)
flags.register_validator(
    "formats",
    lambda formats: set(formats) <= {"savedmodel", "onnx", "tflite"},
    "choose of savedmodel, onnx, tflite, with commas between",
)


def main(argv: list[str]) -> int:
    """Reads the flags, exports, tells where."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    load_tensorflow()
    # Saving tells of every file, by its temporary name.
    logging.set_verbosity(logging.WARNING)
    from mgtl_tf.workflows.export import export_run, format_lines

    folder = export_run(
        _RUN_DIR.value, _OUTPUT_DIR.value, _CHECKPOINT.value, _FORMATS.value
    )
    tell_done(f"SavedModel written to {folder}", *format_lines(folder))
    return 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
