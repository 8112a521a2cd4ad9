"""Makes a gallery's answers tell how sure they are.

    python -m experiments.calibrate --model=export --gallery=index \
        --queries=splits/val-19zl.csv --metres=25

Locates panoramas whose place is known, fits the probability that the first
answer lies within --metres of the truth, and writes calibration.json and
calibration.svg into the gallery's folder; experiments.locate and Localizer
then give that probability with every answer. What is printed was measured
on parts of the map that the fit had not seen.

Queries to come may be from where the gallery has no place at all. So each
panorama is also located without the places around it, and the fit takes
--outside_share of all queries to be such.

Give panoramas that the model was not trained on, such as a validation split:
on others it is too sure of itself, and so would the confidence be.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from experiments.flags import define_shared, run_program
from polar.program import print_stderr, print_stdout

PROGRAM_FLAGS = [
    *define_shared("model", "gallery"),
    flags.DEFINE_string(
        "queries",
        None,
        "folder of panoramas named by their place's id, or CSV list of pairs:"
        " aerial image, panorama (CVUSA's splits/val-19zl.csv), or with a"
        " header that names the columns aerial and ground",
        required=True,
    ),
    flags.DEFINE_string(
        "locations",
        None,
        "CSV with a header id,latitude,longitude (degrees): where panoramas"
        " were taken; default: where the gallery has the place of their id",
    ),
    flags.DEFINE_float(
        "metres", 25.0, "a first answer so near to the truth is right"
    ),
    flags.DEFINE_float(
        "outside_share",
        0.1,
        "share of the queries to come, 0 to 1, that are taken to be from"
        " places which the gallery lacks; 0: it has them all",
    ),
]


def main(**given: Any) -> int:
    """Calibrates; prints how reliable the outcome is."""
    from mgtl_tf.workflows.calibrate import calibrate_gallery

    calibrated = calibrate_gallery(**given)
    print_stderr(*(f"left out {line}" for line in calibrated.left_out))
    print(calibrated)
    print_stdout("written: " + ", ".join(map(str, calibrated.files)))
    return 1 if calibrated.left_out else 0


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
