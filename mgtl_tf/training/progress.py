"""Where a run stands, as a checkpoint holds it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
"""Ends the key of every variable in TensorFlow's checkpoints."""


@dataclass
class Progress:
    """Where a run stands: all that the next step depends on but weights.

    Attributes:
        step: from the start of the run; `epoch_step` is within `epoch`.
        best: the highest validation r@1 so far; -1: none yet.
        seconds: trained.
        data: digest of the training pairs.
        neighbours: hard negatives, int [N, k], of the epoch's batches.
        evaluated: step of the last evaluation.
        network: `RunConfig.network`.
    """

    step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    best: float = -1.0
    seconds: float = 0.0
    data: str = ""
    neighbours: np.ndarray | None = None
    evaluated: int = 0
    network: str = ""

    def variables(self) -> dict[str, tf.Variable]:
        """Its fields as variables; no neighbours are an array [0, 0]."""
        values = dict(vars(self))
        if self.neighbours is None:
            values["neighbours"] = np.zeros((0, 0), np.int64)
        with tf.device("CPU:0"):
            return {n: tf.Variable(np.asarray(v)) for n, v in values.items()}

    @classmethod
    def read(cls, reader: Any) -> Progress:
        """That of `tf.train.load_checkpoint`'s reader."""
        fields: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            key = f"progress/{field.name}{VALUE}"
            if not reader.has_tensor(key):  # of an earlier version
                continue
            value = np.asarray(reader.get_tensor(key))
            if field.name == "neighbours":
                fields[field.name] = value if value.size else None
            else:
                plain = value.item()
                is_text = isinstance(plain, bytes)
                fields[field.name] = plain.decode() if is_text else plain
        return cls(**fields)
