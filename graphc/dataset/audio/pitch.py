"""Other rates and other pitches: `Resample`, `PitchShift`, and how high a voice is, `DetectPitchFrequency`."""

import math
from typing import Any

import numpy as np

from graphc.dataset.audio.kinds import ResampleMethod, WindowType
from graphc.dataset.audio.spectra import Pieces, stretched
from graphc.dataset.audio.waves import WaveTransform, check_member, check_number
from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng

__all__ = ["DetectPitchFrequency", "PitchShift", "Resample"]

_KAISER_BETA = 14.769656459379492
_PORTION = 1 << 14  # so many results at once


def resampled(waves: np.ndarray, old: float, new: float, width: int, rolloff: float, beta: float | None) -> np.ndarray:
    """A waveform at another rate, by a windowed sinc (Smith: Digital Audio Resampling).

    Args:
        old, new: the rates.
        width: how many zero crossings the filter reaches.
        rolloff: where it cuts off, as a share of half the lower rate.
        beta: the shape of Kaiser's window; None for half a cosine, squared.
    """
    common = math.gcd(int(old), int(new))
    old, new = int(old) // common, int(new) // common
    if old == new:
        return waves
    base = min(old, new) * rolloff / old  # zero crossings a sample
    reach = math.ceil(width / base)
    count, size = math.ceil(new * waves.shape[-1] / old), waves.shape[-1]
    found = np.empty((*waves.shape[:-1], count))
    padded = np.pad(waves.astype(np.float64), [(0, 0)] * (waves.ndim - 1) + [(reach, reach + 1)])
    for begin in range(0, count, _PORTION):
        places = np.arange(begin, min(begin + _PORTION, count)) * old / new
        near = places.astype(int)[:, None] + np.arange(-reach, reach + 1)
        at = np.clip((near - places[:, None]) * base, -width, width)
        if beta is None:
            window = np.cos(at * math.pi / width / 2) ** 2
        else:
            window = np.i0(beta * np.sqrt(1 - (at / width) ** 2)) / np.i0(beta)
        taps = padded[..., np.minimum(near, size) + reach]
        found[..., begin : begin + _PORTION] = (taps * (np.sinc(at) * window * base)).sum(-1)
    return found


class Resample(WaveTransform):
    """A waveform at another rate.

    Args:
        orig_freq, new_freq: the rates, above 0, as whole numbers.
        resample_method: the window of the filter.
        lowpass_filter_width: how many zero crossings it reaches.
        rolloff: where it cuts off, as a share of half the lower rate, above 0 and at most 1.
        beta: the shape of Kaiser's window; None for 14.77.
    """

    def __init__(
        self, orig_freq: float = 16000, new_freq: float = 16000,
        resample_method: ResampleMethod = ResampleMethod.SINC_INTERPOLATION, lowpass_filter_width: int = 6,
        rolloff: float = 0.99, beta: float | None = None,
    ) -> None:  # fmt: skip
        name = "Resample"
        self._rates = check_number(f"{name}: orig_freq", orig_freq, 1), check_number(f"{name}: new_freq", new_freq, 1)
        self._width = check_int(f"{name}: lowpass_filter_width", lowpass_filter_width, 1)
        self._rolloff = check_number(f"{name}: rolloff", rolloff, 0, 1, above=True)
        kaiser = check_member(f"{name}: resample_method", resample_method, ResampleMethod)
        shape = _KAISER_BETA if beta is None else check_number(f"{name}: beta", beta)
        self._beta = shape if kaiser is ResampleMethod.KAISER_WINDOW else None

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return resampled(waves, *self._rates, self._width, self._rolloff, self._beta).astype(waves.dtype)


class PitchShift(WaveTransform):
    """A waveform higher or lower, as long as it was.

    Args:
        sample_rate: samples a second.
        n_steps: by how many steps.
        bins_per_octave: how many steps an octave has, not 0.
        n_fft, win_length, hop_length, window: as of `Spectrogram`; `hop_length` is a quarter of `win_length` if None.
    """

    def __init__(
        self, sample_rate: int, n_steps: int, bins_per_octave: int = 12, n_fft: int = 512,
        win_length: int | None = None, hop_length: int | None = None, window: WindowType = WindowType.HANN,
    ) -> None:  # fmt: skip
        name = "PitchShift"
        if not check_int(f"{name}: bins_per_octave", bins_per_octave, -(2**31)):
            raise ValueError(f"{name}: bins_per_octave is 0")
        hop = (win_length or n_fft) // 4 if hop_length is None else hop_length
        self._pieces = Pieces(name, n_fft, win_length, hop, window)
        self._sample_rate = check_int(f"{name}: sample_rate", sample_rate, 1)
        self._rate = 2.0 ** (-check_int(f"{name}: n_steps", n_steps, -(2**31)) / bins_per_octave)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        size = waves.shape[-1]
        spectrum = self._pieces.transformed(waves)
        advance = np.linspace(0, math.pi * self._pieces.hop, spectrum.shape[-2])[:, None]
        long = self._pieces.joined(stretched(spectrum, self._rate, advance), round(size / self._rate))
        found = resampled(long, int(self._sample_rate / self._rate), self._sample_rate, 6, 0.99, None)[..., :size]
        return np.pad(found, [(0, 0)] * (found.ndim - 1) + [(0, size - found.shape[-1])]).astype(waves.dtype)


class DetectPitchFrequency(WaveTransform):
    """How high a voice is in Hz, by what distance a waveform is most like itself, and medians over time, in float32.

    Args:
        sample_rate: samples a second.
        frame_time: how long each frame is, in seconds.
        win_length: over how many frames medians are taken.
        freq_low, freq_high: between which frequencies it is looked for.
    """

    def __init__(
        self, sample_rate: int, frame_time: float = 0.01, win_length: int = 30, freq_low: int = 85,
        freq_high: int = 3400,
    ) -> None:  # fmt: skip
        name = "DetectPitchFrequency"
        self._rate = check_int(f"{name}: sample_rate", sample_rate, 1)
        self._frame = math.ceil(sample_rate * check_number(f"{name}: frame_time", frame_time, 0, above=True))
        self._window = check_int(f"{name}: win_length", win_length, 1)
        self._far = math.ceil(sample_rate / check_number(f"{name}: freq_low", freq_low, 0, above=True))
        self._near = math.ceil(sample_rate / check_number(f"{name}: freq_high", freq_high, 0, above=True))

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        lag = self._best(self._likeness(waves.astype(np.float64)))
        smooth = self._medians(lag)
        return np.asarray(self._rate / (1e-9 + smooth), np.float32)

    def _likeness(self, waves: np.ndarray) -> np.ndarray:
        """How like each frame is to the waveform so many samples later, [..., frames, lags]."""
        count = math.ceil(waves.shape[-1] / self._frame)
        room = self._far + count * self._frame - waves.shape[-1]
        padded = np.pad(waves, [(0, 0)] * (waves.ndim - 1) + [(0, room)])

        def frames(first: int) -> np.ndarray:
            part = padded[..., first : first + count * self._frame]
            return part.reshape(*part.shape[:-1], count, self._frame)

        def power(part: np.ndarray) -> np.ndarray:
            result: np.ndarray = (1e-9 + np.sqrt((part**2).sum(-1))) ** 2
            return result

        own, laters = frames(0), (frames(lag) for lag in range(1, self._far + 1))
        return np.stack([(own * later).sum(-1) / power(own) / power(later) for later in laters], -1)

    def _best(self, likeness: np.ndarray) -> np.ndarray:
        """The lag that is most like; a shorter one, half at most, if it is nearly as like."""
        first, half = self._near, likeness.shape[-1] // 2
        best, short = likeness[..., first:], likeness[..., first:half]
        at, early = best.argmax(-1) + first, (short.argmax(-1) if short.shape[-1] else 0) + first
        if short.shape[-1]:
            at = np.where(short.max(-1) > 0.99 * best.max(-1), early, at)
        return np.asarray(at + 1)

    def _medians(self, lag: np.ndarray) -> np.ndarray:
        before = (self._window - 1) // 2
        padded: Any = np.concatenate([np.repeat(lag[..., :1], before, -1), lag], -1)
        windows = np.lib.stride_tricks.sliding_window_view(padded, min(self._window, padded.shape[-1]), -1)
        return np.sort(windows, -1)[..., (windows.shape[-1] - 1) // 2]
