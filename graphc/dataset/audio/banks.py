"""Banks of filters over frequencies, and the cosine transform: `melscale_fbanks`, `linear_fbanks`, `create_dct`."""

import math

import numpy as np

from graphc.dataset.audio.kinds import MelType, NormMode, NormType
from graphc.dataset.audio.waves import check_member, check_number
from graphc.dataset.check import check_int

__all__ = ["create_dct", "linear_fbanks", "melscale_fbanks"]


def create_dct(n_mfcc: int, n_mels: int, norm: NormMode = NormMode.NONE) -> np.ndarray:
    """The matrix of a cosine transform (DCT-II), float32 [n_mels, n_mfcc].

    Args:
        n_mfcc: how many coefficients it gives.
        n_mels: of how many values.
        norm: whether it is orthonormal.
    """
    count, size = check_int("create_dct: n_mfcc", n_mfcc, 1), check_int("create_dct: n_mels", n_mels, 1)
    table = np.cos(math.pi / size * np.outer(np.arange(size) + 0.5, np.arange(count)))
    if check_member("create_dct: norm", norm, NormMode) is NormMode.ORTHO:
        table[:, 0] *= math.sqrt(0.5)
        return (table * math.sqrt(2 / size)).astype(np.float32)
    return (table * 2).astype(np.float32)


def _triangles(points: np.ndarray, n_freqs: int, top: float) -> np.ndarray:
    """Triangles [n_freqs, len(points) - 2] between neighbours, over frequencies from 0 to `top`."""
    frequencies = np.linspace(0, top, n_freqs)
    slopes = points[None] - frequencies[:, None]
    widths = np.diff(points)
    return np.maximum(0, np.minimum(-slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]))


_SLANEY_STEP = math.log(6.4) / 27  # above 1 kHz, which is 15 mel; 200 / 3 Hz each below


def _to_mel(hertz: float, kind: MelType) -> float:
    if kind is MelType.HTK:
        return 2595 * math.log10(1 + hertz / 700)
    return hertz * 3 / 200 if hertz < 1000 else 15 + math.log(hertz / 1000) / _SLANEY_STEP


def _from_mel(mels: np.ndarray, kind: MelType) -> np.ndarray:
    if kind is MelType.HTK:
        return 700 * (10 ** (mels / 2595) - 1)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(_SLANEY_STEP * (mels - 15)))


def _range(name: str, f_min: float, f_max: float) -> tuple[float, float]:
    low, high = check_number(f"{name}: f_min", f_min), check_number(f"{name}: f_max", f_max, 0, above=True)
    if low >= high:
        raise ValueError(f"{name}: got f_min {low:g} and f_max {high:g}, expected f_min to be less")
    return low, high


def melscale_fbanks(
    n_freqs: int, f_min: float, f_max: float, n_mels: int, sample_rate: int, norm: NormType = NormType.NONE,
    mel_type: MelType = MelType.HTK,
) -> np.ndarray:  # fmt: skip
    """Triangles that are equally wide on the mel scale, float32 [n_freqs, n_mels].

    Args:
        n_freqs: how many frequencies there are, from 0 to half the rate.
        f_min, f_max: where the first triangle begins, and the last one ends, in Hz.
        n_mels: how many triangles there are.
        sample_rate: samples a second.
        norm: whether their areas are equal.
        mel_type: which scale.
    """
    name = "melscale_fbanks"
    low, high = _range(name, f_min, f_max)
    kind: MelType = check_member(f"{name}: mel_type", mel_type, MelType)
    mels = np.linspace(_to_mel(low, kind), _to_mel(high, kind), check_int(f"{name}: n_mels", n_mels, 1) + 2)
    points = _from_mel(mels, kind)
    bank = _bank(name, points, n_freqs, sample_rate)
    if check_member(f"{name}: norm", norm, NormType) is NormType.SLANEY:
        bank = bank * (2 / (points[2:] - points[:-2]))
    return bank.astype(np.float32)


def linear_fbanks(n_freqs: int, f_min: float, f_max: float, n_filter: int, sample_rate: int) -> np.ndarray:
    """Triangles that are equally wide in Hz, float32 [n_freqs, n_filter]: arguments as of `melscale_fbanks`."""
    name = "linear_fbanks"
    points = np.linspace(*_range(name, f_min, f_max), check_int(f"{name}: n_filter", n_filter, 1) + 2)
    return _bank(name, points, n_freqs, sample_rate).astype(np.float32)


def _bank(name: str, points: np.ndarray, n_freqs: int, sample_rate: int) -> np.ndarray:
    rate = check_int(f"{name}: sample_rate", sample_rate, 1)
    return _triangles(points, check_int(f"{name}: n_freqs", n_freqs, 1), rate // 2)

