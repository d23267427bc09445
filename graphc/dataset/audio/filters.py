"""Recursive filters: any, and those of two poles and two zeros by what they are for.

The coefficients are those of R. Bristow-Johnson's "Cookbook formulae for audio equalizer biquad filter coefficients",
and of SoX where that has others (band, de-emphasis, RIAA).
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.audio.waves import WaveTransform, check_flag, check_number
from graphc.dataset.rng import Rng

__all__ = [
    "AllpassBiquad", "BandBiquad", "BandpassBiquad", "BandrejectBiquad", "BassBiquad", "Biquad", "DeemphBiquad",
    "EqualizerBiquad", "Filtfilt", "HighpassBiquad", "LFilter", "LowpassBiquad", "RiaaBiquad", "TrebleBiquad",
]  # fmt: skip


def filtered(waves: np.ndarray, a: Sequence[float], b: Sequence[float], clamp: bool) -> np.ndarray:
    """`a[0] y[t] = sum_k b[k] x[t - k] - sum_{k > 0} a[k] y[t - k]` along the last axis, computed in float64."""
    x = waves.astype(np.float64)
    poles, zeros = np.asarray(a, np.float64) / a[0], np.asarray(b, np.float64) / a[0]
    driven = np.zeros_like(x)
    for k, factor in enumerate(zeros[: x.shape[-1]]):
        driven[..., k:] += factor * x[..., : x.shape[-1] - k]
    rows = np.moveaxis(driven, -1, 0)  # a row for each step
    for t in range(len(rows)):
        for k in range(1, min(len(poles), t + 1)):
            rows[t] -= poles[k] * rows[t - k]
    result = np.clip(driven, -1.0, 1.0) if clamp else driven
    return result.astype(waves.dtype)


def _coefficients(name: str, what: str, values: Any) -> tuple[float, ...]:
    if not isinstance(values, (list, tuple)) or not values:
        raise TypeError(f"{name}: got {what} {values!r}, expected a list of numbers")
    return tuple(check_number(f"{name}: {what}", value) for value in values)


class LFilter(WaveTransform):
    """A recursive filter.

    Args:
        a_coeffs: factors of the results, that of the latest first, which is not 0.
        b_coeffs: factors of the waveform, as many.
        clamp: whether results are kept within -1 to 1.
    """

    def __init__(self, a_coeffs: Sequence[float], b_coeffs: Sequence[float], clamp: bool = True) -> None:
        name = type(self).__name__
        self._a, self._b = _coefficients(name, "a_coeffs", a_coeffs), _coefficients(name, "b_coeffs", b_coeffs)
        if len(self._a) != len(self._b):
            raise ValueError(f"{name}: got {len(self._a)} a_coeffs and {len(self._b)} b_coeffs, expected as many")
        if self._a[0] == 0:
            raise ValueError(f"{name}: the first of a_coeffs is 0")
        self._clamp = check_flag(f"{name}: clamp", clamp)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return filtered(waves, self._a, self._b, self._clamp)


class Filtfilt(LFilter):
    """A recursive filter forward, then backward, so that phases stay: arguments as of `LFilter`."""

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        forward = filtered(waves, self._a, self._b, False)
        backward = filtered(forward[..., ::-1], self._a, self._b, self._clamp)
        return np.ascontiguousarray(backward[..., ::-1])


class Biquad(LFilter):
    """A filter of two poles and two zeros; results are kept within -1 to 1.

    Args:
        b0, b1, b2: factors of the waveform, that of the latest value first.
        a0, a1, a2: factors of the results; `a0` is not 0.
    """

    def __init__(self, b0: float, b1: float, b2: float, a0: float, a1: float, a2: float) -> None:
        super().__init__([a0, a1, a2], [b0, b1, b2])


class _Designed(Biquad):
    """A filter of a kind, made for a frequency and a width."""

    def __init__(self, sample_rate: float, frequency: float, quality: float, gain: float = 0.0) -> None:
        name = type(self).__name__
        rate = check_number(f"{name}: sample_rate", sample_rate)
        if rate == 0:
            raise ValueError(f"{name}: sample_rate is 0")
        self._angle = 2 * math.pi * check_number(f"{name}: frequency", frequency) / rate
        self._rate, self._frequency, self._quality = rate, frequency, check_number(f"{name}: Q", quality, 0, 1, True)
        self._width = math.sin(self._angle) / 2 / quality
        self._cos = math.cos(self._angle)
        self._gain = 10 ** (check_number(f"{name}: gain", gain) / 40)
        b, a = self._design()
        super().__init__(*b, *a)

    def _design(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """The factors of the waveform and those of the results."""
        raise NotImplementedError

    def _resonant(self) -> tuple[float, float, float]:
        """The poles that most kinds have."""
        return 1 + self._width, -2 * self._cos, 1 - self._width


class AllpassBiquad(_Designed):
    """Turns phases about a frequency, and keeps amplitudes.

    Args:
        sample_rate: samples a second.
        central_freq: the frequency in Hz.
        Q: how narrow the filter is, above 0 and at most 1.
    """

    def __init__(self, sample_rate: int, central_freq: float, Q: float = 0.707) -> None:  # noqa: N803
        super().__init__(sample_rate, central_freq, Q)

    def _design(self) -> Any:
        return (1 - self._width, -2 * self._cos, 1 + self._width), self._resonant()


class BandBiquad(_Designed):
    """Keeps what is near a frequency, and lets it decay on both sides.

    Args:
        sample_rate, central_freq, Q: as of `AllpassBiquad`.
        noise: keep the level of noise, rather than that of tones.
    """

    def __init__(
        self, sample_rate: int, central_freq: float, Q: float = 0.707, noise: bool = False  # noqa: N803
    ) -> None:
        self._noise = check_flag("BandBiquad: noise", noise)
        super().__init__(sample_rate, central_freq, Q)

    def _design(self) -> Any:
        a2 = math.exp(-2 * math.pi * self._frequency / self._quality / self._rate)
        a1 = -4 * a2 / (1 + a2) * self._cos
        b0 = math.sqrt(1 - a1 * a1 / (4 * a2)) * (1 - a2)
        if self._noise:
            b0 = math.sqrt(((1 + a2) ** 2 - a1 * a1) * (1 - a2) / (1 + a2))
        return (b0, 0.0, 0.0), (1.0, a1, a2)


class BandpassBiquad(_Designed):
    """Keeps what is near a frequency.

    Args:
        sample_rate, central_freq, Q: as of `AllpassBiquad`.
        const_skirt_gain: keep the level far from the frequency (the peak is `Q`), rather than that at it.
    """

    def __init__(
        self, sample_rate: int, central_freq: float, Q: float = 0.707, const_skirt_gain: bool = False  # noqa: N803
    ) -> None:
        self._skirt = check_flag("BandpassBiquad: const_skirt_gain", const_skirt_gain)
        super().__init__(sample_rate, central_freq, Q)

    def _design(self) -> Any:
        peak = math.sin(self._angle) / 2 if self._skirt else self._width
        return (peak, 0.0, -peak), self._resonant()


class BandrejectBiquad(AllpassBiquad):
    """Leaves out what is near a frequency: arguments as of `AllpassBiquad`."""

    def _design(self) -> Any:
        return (1.0, -2 * self._cos, 1.0), self._resonant()


class _Shelf(_Designed):
    """Raises or lowers all on one side of a frequency."""

    high = False

    def _design(self) -> Any:
        return self._shelf(self._width)

    def _shelf(self, width: float) -> Any:
        gain, sign = self._gain, 1 if self.high else -1
        slope, cos = 2 * math.sqrt(gain) * width, sign * self._cos
        b = (
            gain * (gain + 1 + (gain - 1) * cos + slope), -2 * sign * gain * (gain - 1 + (gain + 1) * cos),
            gain * (gain + 1 + (gain - 1) * cos - slope),
        )  # fmt: skip
        a = (
            gain + 1 - (gain - 1) * cos + slope, 2 * sign * (gain - 1 - (gain + 1) * cos),
            gain + 1 - (gain - 1) * cos - slope,
        )  # fmt: skip
        return b, a


class BassBiquad(_Shelf):
    """Raises or lowers what is below a frequency.

    Args:
        sample_rate: samples a second.
        gain: by how many decibels.
        central_freq, Q: as of `AllpassBiquad`.
    """

    def __init__(
        self, sample_rate: int, gain: float, central_freq: float = 100.0, Q: float = 0.707  # noqa: N803
    ) -> None:
        super().__init__(sample_rate, central_freq, Q, gain)


class TrebleBiquad(_Shelf):
    """Raises or lowers what is above a frequency: arguments as of `BassBiquad`."""

    high = True

    def __init__(
        self, sample_rate: int, gain: float, central_freq: float = 3000, Q: float = 0.707  # noqa: N803
    ) -> None:
        super().__init__(sample_rate, central_freq, Q, gain)


class DeemphBiquad(_Shelf):
    """Undoes the emphasis of high tones on compact discs (IEC 60908).

    Args:
        sample_rate: 44100 or 48000.
    """

    high = True
    _KNOWN: ClassVar = {44100: (5283, 0.4845, -9.477), 48000: (5356, 0.479, -9.62)}

    def __init__(self, sample_rate: int) -> None:
        if sample_rate not in self._KNOWN:
            raise ValueError(f"DeemphBiquad: got sample_rate {sample_rate!r}, expected 44100 or 48000")
        frequency, self._slope, gain = self._KNOWN[sample_rate]
        super().__init__(sample_rate, frequency, 1.0, gain)

    def _design(self) -> Any:
        steepness = (self._gain + 1 / self._gain) * (1 / self._slope - 1) + 2
        return self._shelf(math.sin(self._angle) / 2 * math.sqrt(steepness))


class EqualizerBiquad(_Designed):
    """Raises or lowers what is near a frequency.

    Args:
        sample_rate: samples a second.
        center_freq: the frequency in Hz.
        gain: by how many decibels.
        Q: as of `AllpassBiquad`.
    """

    def __init__(self, sample_rate: int, center_freq: float, gain: float, Q: float = 0.707) -> None:  # noqa: N803
        super().__init__(sample_rate, center_freq, Q, gain)

    def _design(self) -> Any:
        cos, more, less = -2 * self._cos, self._width * self._gain, self._width / self._gain
        return (1 + more, cos, 1 - more), (1 + less, cos, 1 - less)


class HighpassBiquad(_Designed):
    """Keeps what is above a frequency.

    Args:
        sample_rate: samples a second.
        cutoff_freq: the frequency in Hz.
        Q: as of `AllpassBiquad`.
    """

    def __init__(self, sample_rate: int, cutoff_freq: float, Q: float = 0.707) -> None:  # noqa: N803
        super().__init__(sample_rate, cutoff_freq, Q)

    def _design(self) -> Any:
        half = (1 + self._cos) / 2
        return (half, -2 * half, half), self._resonant()


class LowpassBiquad(HighpassBiquad):
    """Keeps what is below a frequency: arguments as of `HighpassBiquad`."""

    def _design(self) -> Any:
        half = (1 - self._cos) / 2
        return (half, 2 * half, half), self._resonant()


class RiaaBiquad(Biquad):
    """The RIAA curve of records when they are played, 0 dB at 1 kHz.

    Args:
        sample_rate: 44100, 48000, 88200 or 96000.
    """

    _KNOWN: ClassVar = {  # zeros and poles, as in SoX
        44100: ((-0.2014898, 0.9233820), (0.7083149, 0.9924091)),
        48000: ((-0.1766069, 0.9321590), (0.7396325, 0.9931330)),
        88200: ((-0.1168735, 0.9648312), (0.8590646, 0.9964002)),
        96000: ((-0.1141486, 0.9676817), (0.8699137, 0.9966946)),
    }

    def __init__(self, sample_rate: int) -> None:
        if sample_rate not in self._KNOWN:
            raise ValueError(f"RiaaBiquad: got sample_rate {sample_rate!r}, expected {sorted(self._KNOWN)}")
        b, a = (np.array([1.0, -sum(roots), math.prod(roots)]) for roots in self._KNOWN[sample_rate])
        at_1k = np.exp(-2j * math.pi * 1000 / sample_rate * np.arange(3))
        super().__init__(*(b * abs(a @ at_1k) / abs(b @ at_1k)).tolist(), *a.tolist())
