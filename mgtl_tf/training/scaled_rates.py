"""Adam and AdamW with a smaller learning rate for some variables.

Keras' optimizers have one rate. To scale a variable's gradient would not do:
Adam divides by the root of the mean square gradient, which takes any factor
out again. So the update is scaled, and AdamW's decay with it, as by an
optimizer of that rate for these variables alone; the norm that gradients are
clipped to is still that of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras


class _ScaledRates(keras.optimizers.Optimizer):
    """What both add to their optimizer, whose methods come after these."""

    _factor = 1.0
    _scaled: frozenset[Any] = frozenset()

    def scale_rates(self, variables: Iterable[Any], factor: float) -> None:
        """Multiplies the learning rate of these variables."""
        self._factor = factor
        self._scaled = frozenset(map(self._var_key, variables))

    def _apply_weight_decay(self, variables):
        """Nothing: `update_step` decays, at the variable's own rate."""

    def update_step(self, gradient, variable, learning_rate):
        """One variable's decay and update."""
        if self._var_key(variable) in self._scaled:
            learning_rate = learning_rate * self._factor
        if self.weight_decay is not None and self._use_weight_decay(variable):
            decay = variable * self.weight_decay * learning_rate
            self.assign_sub(variable, decay)
        super().update_step(gradient, variable, learning_rate)


class ScaledAdam(_ScaledRates, keras.optimizers.Adam):
    """Adam; see `scale_rates`."""


class ScaledAdamW(_ScaledRates, keras.optimizers.AdamW):
    """AdamW; see `scale_rates`."""
