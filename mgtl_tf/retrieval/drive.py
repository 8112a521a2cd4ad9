"""Several frames of one drive, combined: recursive Bayes over the places.

After frame t the belief is

    p(x_t | frames 1..t) ~ p(frame t | x_t) sum_x p(x_t | x) p(x | 1..t-1),

the forward pass of a hidden Markov model (Rabiner 1989). Its states are the
gallery's places, its motion is `motion.Motion`, and its likelihood is that of
the calibrated similarities, exp(b s).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mgtl_tf.retrieval.motion import Motion


class Drive:
    """The belief about where the camera is, frame after frame.

    Args:
        motion: how it moves.
        sharpness: b, of the likelihood exp(b s).
        start: where it was at the first frame, [N]; default: anywhere.

    Attributes:
        belief: probabilities of the places, [N].
    """

    def __init__(
        self, motion: Motion, sharpness: float, start: np.ndarray | None = None
    ):
        self._motion = motion
        self._sharpness = sharpness
        self.belief = motion.uniform() if start is None else start
        self._frame: int | None = None

    def see(
        self, frame: int, rows: np.ndarray, similarities: np.ndarray
    ) -> np.ndarray:
        """Takes a frame in.

        Args:
            frame: its number; frames between it and the one before, which
                could not be read, are moved through unseen.
            rows: of its most similar places, int [K], best first.
            similarities: theirs, [K].

        Returns:
            The belief then, [N].
        """
        for _ in self._moves(frame):
            self.belief = self._motion.after(self.belief)
        levels = self._sharpness * similarities.astype(np.float64)
        likelihood = np.full(len(self.belief), levels[-1])  # logarithms
        likelihood[rows] = levels
        # Divided by the largest that counts, which no exponent exceeds.
        likelihood -= likelihood[self.belief > 0].max()
        belief = self.belief * np.exp(np.minimum(likelihood, 0))
        self.belief = belief / belief.sum()
        return self.belief

    def _moves(self, frame: int) -> Iterator[int]:
        first = frame if self._frame is None else self._frame
        self._frame = frame
        yield from range(first, frame)
