"""Name to preset: the one place where a new preset is registered."""

from __future__ import annotations

from mgtl_tf.config import RunConfig
from mgtl_tf.presets import cvact, cvact_test, cvusa, own_csv, procedural
from mgtl_tf.utils.errors import UserError

PRESETS: dict[str, RunConfig] = {
    "procedural": procedural.PRESET,
    "cvusa": cvusa.PRESET,
    "cvact": cvact.PRESET,
    "cvact_test": cvact_test.PRESET,
    "csv": own_csv.PRESET,
}


def load_preset(name: str) -> RunConfig:
    """The settings of that name.

    Raises:
        UserError: for an unknown name, with the known ones.
    """
    if name not in PRESETS:
        raise UserError(
            f"--preset={name}: unknown; choose one of {', '.join(PRESETS)}"
        )
    return PRESETS[name]
