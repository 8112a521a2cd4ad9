"""A model's cost, measured in a process of its own.

    python -m mgtl_tf.evaluation.complexity.fresh MODEL_CONFIG.json COST.json

Memory then is that model's alone, and it is given back afterwards.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgtl_tf.config import ModelConfig, RunConfig
from mgtl_tf.presets import load_preset
from mgtl_tf.presets.systems import system_settings
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.utils.processes import answer_of


def paper_size(changes: Mapping[str, Any]) -> ModelConfig:
    """A row's network at its published size, whatever size was trained.

    Args:
        changes: config fields of the row.
    """
    system = changes.get("system", "mgtl")
    own = system_settings("cvusa", system)
    return load_preset("cvusa").replace(**{**own, **changes}).model


def fresh_cost(config: ModelConfig, folder: Path) -> dict[str, Any]:
    """`complexity_of` of a config, as plain data; measured once.

    Args:
        config: of the model.
        folder: keeps the answer for the next time.

    Raises:
        UserError: where the measurement failed, with its last line.
    """
    text = RunConfig(model=config).to_json()
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    answer = folder / f"{config.system}-{name}.json"
    if answer.is_file():
        return read_json(answer, dict[str, Any], "remove it")
    folder.mkdir(parents=True, exist_ok=True)
    found = answer_of(__name__, text, f"{config.system}: its cost")
    atomic_write(answer, found)
    return json.loads(found)


def _main(asked: str, made: str) -> None:
    from mgtl_tf.evaluation.complexity.cost import complexity_of

    config = RunConfig.from_json(Path(asked).read_text(), asked).model
    cost = dataclasses.asdict(complexity_of(config))
    Path(made).write_text(json.dumps(cost, indent=1) + "\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
