"""What operations on waveforms are made of, and how they read their arguments."""

from abc import abstractmethod
from collections.abc import Collection
from enum import Enum
from typing import Any

import numpy as np

from graphc.dataset.rng import Rng
from graphc.dataset.transforms import ColumnTransform


class WaveTransform(ColumnTransform):
    """An operation on waveforms [..., time] or spectrograms [..., freq, time], written for stacks of them.

    What is not float64 becomes float32.
    """

    rank = 1  # the least rank of a sample

    @abstractmethod
    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        """Apply to a stack of samples."""

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        name, shape = type(self).__name__, block.shape[1:]
        if block.dtype.kind not in "biuf":
            raise TypeError(f"{name}: got a sample of dtype {block.dtype}, expected numbers")
        if len(shape) < self.rank or 0 in shape:
            raise ValueError(f"{name}: got a sample of shape {shape}, expected rank {self.rank} at least, not empty")
        waves = block.astype(np.float64 if block.dtype == np.float64 else np.float32)
        return self.waves(rng, waves)


def check_number(name: str, value: Any, low: float = -np.inf, high: float = np.inf, above: bool = False) -> float:
    """`value` as a float, or the error that names what was given and the range; `above` leaves `low` out of it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: got {value!r} of type {type(value).__name__}, expected a number")
    if not low <= value <= high or (above and value == low):
        least = f"above {low:g}" if above else f"{low:g} at least"
        most = "" if high == np.inf else f", {high:g} at most"
        raise ValueError(f"{name}: got {value}, expected {least}{most}")
    return float(value)


def check_member(name: str, value: Any, kind: type[Enum], allowed: Collection[Enum] | None = None) -> Any:
    """`value`, or the TypeError for what is no member of `kind`."""
    if not isinstance(value, kind) or (allowed is not None and value not in allowed):
        members = ", ".join(f"{kind.__name__}.{member.name}" for member in allowed or kind)
        raise TypeError(f"{name}: got {value!r}, expected {members}")
    return value


def check_flag(name: str, value: Any) -> bool:
    """`value`, or the TypeError for what is no bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}: got {value!r} of type {type(value).__name__}, expected a bool")
    return value
