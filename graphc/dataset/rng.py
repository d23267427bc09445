"""Random numbers by position: a hash of (key, sample, draw) instead of a generator with a state.

A draw for sample 17 is the same number whether samples come one by one, as a batch, or from several threads. One `Rng`
serves any number of samples at once and returns one row of draws per sample:

    rng = Rng(key, np.arange(64))
    rng.uniform(0, 1)             # float64 [64]
    rng.integers(0, 5, size=2)    # int64 [64, 2]

The hash is the output function of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
2014).
"""

import numpy as np
import numpy.typing as npt

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB

Low = float | npt.NDArray[np.float64]


def _mix(z: int) -> int:
    z = (z ^ (z >> 30)) * _MIX_1 & _MASK
    z = (z ^ (z >> 27)) * _MIX_2 & _MASK
    return z ^ (z >> 31)


def _mix_array(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
    return z ^ (z >> np.uint64(31))


def fold(key: int, *parts: int) -> int:
    """A new 64-bit key from a key and what tells it apart (an epoch, a pipeline step, an operation)."""
    for part in parts:
        key = _mix((key ^ _mix((part + 1) * _GOLDEN & _MASK)) & _MASK)
    return key


class Rng:
    """Draws for the samples at `positions`, all under one key."""

    def __init__(self, key: int, positions: npt.NDArray[np.int64]) -> None:
        self.key = key
        self.positions = positions
        self._samples: npt.NDArray[np.uint64] | None = None  # hashed when first drawn from: most transforms never draw
        self._drawn = 0

    def __len__(self) -> int:
        return len(self.positions)

    def fold(self, part: int) -> "Rng":
        """The same samples under another key: independent draws."""
        return Rng(fold(self.key, part), self.positions)

    def restarted(self) -> "Rng":
        """The same draws again, from the first."""
        return Rng(self.key, self.positions)

    def rows(self, start: int, stop: int) -> "Rng":
        """The draws of the samples `start` to `stop` alone."""
        return Rng(self.key, self.positions[start:stop])

    def bits(self, size: int) -> npt.NDArray[np.uint64]:
        """The next `size` draws of every sample: uint64 [samples, size]."""
        if self._samples is None:
            self._samples = _mix_array(self.positions.astype(np.uint64) * np.uint64(_GOLDEN) ^ np.uint64(self.key))
        counters = np.arange(self._drawn + 1, self._drawn + size + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
        self._drawn += size
        return _mix_array(self._samples[:, None] + counters)

    def uniform(self, low: Low = 0.0, high: Low = 1.0, size: int | None = None) -> npt.NDArray[np.float64]:
        """Floats in [low, high): [samples], or [samples, size]."""
        unit = (self.bits(1 if size is None else size) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return low + (high - low) * (unit[:, 0] if size is None else unit)

    def integers(self, low: int, high: int | npt.NDArray[np.int64], size: int | None = None) -> npt.NDArray[np.int64]:
        """Ints in [low, high), high above low: [samples], or [samples, size]."""
        span = np.asarray(high, np.float64) - low
        return low + np.floor(self.uniform(size=size) * span).astype(np.int64)

    def normal(self, size: int) -> npt.NDArray[np.float64]:
        """Standard normal floats [samples, size] (Box, Muller: A note on the generation of random normals, 1958)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(size=size)))
        return radius * np.cos(2.0 * np.pi * self.uniform(size=size))

    def order(self, count: int) -> npt.NDArray[np.int64]:
        """A random order of `range(count)` for every sample: int64 [samples, count]."""
        return np.argsort(self.bits(count), axis=1, kind="stable")

    def shuffled(self, count: int) -> npt.NDArray[np.int64]:
        """A random order of `range(count)` for the first sample: int64 [count]."""
        return self.order(count).reshape(-1)[:count]


def single(key: int) -> Rng:
    """An `Rng` of one sample, for choices that concern a whole epoch."""
    return Rng(key, np.zeros(1, np.int64))
