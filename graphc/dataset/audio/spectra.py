"""Spectrograms [..., freq, time], of which complex ones are [..., freq, time, 2], and what is made of them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.dataset.audio.banks import create_dct, linear_fbanks, melscale_fbanks
from graphc.dataset.audio.kinds import BorderType, MelType, NormMode, NormType, WindowType
from graphc.dataset.audio.levels import AmplitudeToDB
from graphc.dataset.audio.waves import WaveTransform, check_flag, check_member, check_number
from graphc.dataset.blocks import as_array
from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng

__all__ = [
    "LFCC", "MFCC", "Angle", "ComplexNorm", "ComputeDeltas", "GriffinLim", "InverseSpectrogram", "Magphase", "MelScale",
    "MelSpectrogram", "PhaseVocoder", "SlidingWindowCmn", "SpectralCentroid", "Spectrogram", "TimeStretch",
]  # fmt: skip

_PAD_MODES = {
    BorderType.CONSTANT: "constant", BorderType.EDGE: "edge", BorderType.REFLECT: "reflect",
    BorderType.SYMMETRIC: "symmetric",
}  # fmt: skip


def _window(kind: WindowType, length: int) -> np.ndarray:
    """A window, periodic: the first of `length` + 1 values that are symmetric."""
    makers = {
        WindowType.BARTLETT: np.bartlett, WindowType.BLACKMAN: np.blackman, WindowType.HAMMING: np.hamming,
        WindowType.HANN: np.hanning,
    }  # fmt: skip
    return np.kaiser(length + 1, 12.0)[:length] if kind is WindowType.KAISER else makers[kind](length + 1)[:length]


def as_complex(waves: np.ndarray) -> np.ndarray:
    """What [..., 2] stands for."""
    return np.asarray(waves[..., 0] + 1j * waves[..., 1], np.complex128)


def as_pairs(values: np.ndarray) -> np.ndarray:
    """Complex numbers as [..., 2]."""
    return np.stack([values.real, values.imag], -1)


class Pieces:
    """How a waveform is cut into pieces, which are transformed.

    Args:
        name: what errors call it.
        n_fft: the length of the transform.
        win_length: how many values a piece has, `n_fft` at most and if None; zeros on both sides fill it up.
        hop_length: from piece to piece; half of `win_length` if None.
        window: what a piece is multiplied by.
        center: whether a piece is about its time, for which the waveform is continued, rather than from there on.
        pad_mode: by what it is continued.
    """

    def __init__(
        self, name: str, n_fft: int, win_length: int | None, hop_length: int | None, window: WindowType,
        center: bool = True, pad_mode: BorderType = BorderType.REFLECT,
    ) -> None:  # fmt: skip
        self.name, self.size = name, check_int(f"{name}: n_fft", n_fft, 1)
        width = check_int(f"{name}: win_length", win_length or n_fft, 1, n_fft)
        self.hop = check_int(f"{name}: hop_length", hop_length or max(width // 2, 1), 1)
        left = (n_fft - width) // 2
        shape = _window(check_member(f"{name}: window", window, WindowType), width)
        self.window = np.pad(shape, (left, n_fft - width - left))
        self.center = check_flag(f"{name}: center", center)
        self._mode: Any = _PAD_MODES[check_member(f"{name}: pad_mode", pad_mode, BorderType)]

    def transformed(self, waves: np.ndarray, onesided: bool = True) -> np.ndarray:
        """The transforms of the pieces, complex [..., freq, time]."""
        waves = waves.astype(np.float64)
        half = self.size // 2
        if self.center:
            if self._mode == "reflect" and waves.shape[-1] == 1:
                raise ValueError(f"{self.name}: one value cannot be reflected")
            waves = np.pad(waves, [(0, 0)] * (waves.ndim - 1) + [(half, half)], self._mode)
        if waves.shape[-1] < self.size:
            raise ValueError(f"{self.name}: the waveform has {waves.shape[-1]} values, n_fft is {self.size}")
        pieces = np.lib.stride_tricks.sliding_window_view(waves, self.size, -1)[..., :: self.hop, :] * self.window
        spectrum = np.fft.rfft(pieces) if onesided else np.fft.fft(pieces)
        return np.swapaxes(spectrum, -1, -2)

    def joined(self, spectrum: np.ndarray, length: int | None, onesided: bool = True) -> np.ndarray:
        """The waveform of which the pieces have these transforms, as well as there is one (Griffin and Lim 1984)."""
        columns = np.swapaxes(spectrum, -1, -2)
        pieces = (np.fft.irfft(columns, self.size) if onesided else np.fft.ifft(columns, self.size).real) * self.window
        count = pieces.shape[-2]
        whole = np.zeros((*pieces.shape[:-2], self.size + self.hop * (count - 1)))
        weight = np.zeros(whole.shape[-1])
        for i in range(count):
            whole[..., i * self.hop : i * self.hop + self.size] += pieces[..., i, :]
            weight[i * self.hop : i * self.hop + self.size] += self.window**2
        first = self.size // 2 if self.center else 0
        end = whole.shape[-1] - first if length is None else first + length
        whole = np.pad(whole, [(0, 0)] * (whole.ndim - 1) + [(0, max(end - whole.shape[-1], 0))])[..., first:end]
        weight = np.pad(weight, (0, max(end - len(weight), 0)))[first:end]
        return whole / np.where(weight > 1e-11, weight, 1.0)


class Spectrogram(WaveTransform):
    """The spectrogram of a waveform [..., time].

    Args:
        n_fft, win_length, hop_length, window, center, pad_mode: how it is cut into pieces; see `Pieces`.
        pad: zeros that are added on both sides.
        power: the exponent of the magnitude: 1 for it, 2 for its square, 0 for the complex numbers [..., 2].
        normalized: divide by the root of the sum of the window's squares.
        onesided: leave out the negative frequencies.
    """

    def __init__(
        self, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None, pad: int = 0,
        window: WindowType = WindowType.HANN, power: float = 2.0, normalized: bool = False, center: bool = True,
        pad_mode: BorderType = BorderType.REFLECT, onesided: bool = True,
    ) -> None:  # fmt: skip
        name = "Spectrogram"
        self._pieces = Pieces(name, n_fft, win_length, hop_length, window, center, pad_mode)
        self._pad = check_int(f"{name}: pad", pad, 0)
        self._power = check_number(f"{name}: power", power, 0)
        self._onesided = check_flag(f"{name}: onesided", onesided)
        scaled = check_flag(f"{name}: normalized", normalized)
        self._scale = math.sqrt((self._pieces.window**2).sum()) if scaled else 1.0

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        padded = np.pad(waves, [(0, 0)] * (waves.ndim - 1) + [(self._pad, self._pad)])
        found = self._pieces.transformed(padded, self._onesided) / self._scale
        return (np.abs(found) ** self._power if self._power else as_pairs(found)).astype(waves.dtype)


class InverseSpectrogram(WaveTransform):
    """The waveform of a complex spectrogram [..., freq, time, 2].

    Args:
        length: how many values it has; None for as many as follow from the spectrogram.
        n_fft, win_length, hop_length, pad, window, normalized, center, pad_mode, onesided: as of `Spectrogram`.
    """

    rank = 3

    def __init__(
        self, length: int | None = None, n_fft: int = 400, win_length: int | None = None,
        hop_length: int | None = None, pad: int = 0, window: WindowType = WindowType.HANN, normalized: bool = False,
        center: bool = True, pad_mode: BorderType = BorderType.REFLECT, onesided: bool = True,
    ) -> None:  # fmt: skip
        name = "InverseSpectrogram"
        self._length = None if length is None else check_int(f"{name}: length", length, 1)
        self._pieces = Pieces(name, n_fft, win_length, hop_length, window, center, pad_mode)
        self._pad = check_int(f"{name}: pad", pad, 0)
        self._onesided = check_flag(f"{name}: onesided", onesided)
        scaled = check_flag(f"{name}: normalized", normalized)
        self._scale = math.sqrt((self._pieces.window**2).sum()) if scaled else 1.0

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        length = None if self._length is None else self._length + 2 * self._pad
        found = self._pieces.joined(as_complex(waves) * self._scale, length, self._onesided)
        return found[..., self._pad : found.shape[-1] - self._pad].astype(waves.dtype)


class GriffinLim(WaveTransform):
    """A waveform that has a spectrogram of magnitudes, found by turns (Griffin and Lim 1984; Perraudin et al. 2013).

    Args:
        n_fft, win_length, hop_length, window_type: as of `Spectrogram`.
        n_iter: how many turns.
        power: the exponent of the spectrogram.
        momentum: how far phases go on in the direction that they went, 0 at least.
        length: how many values the waveform has; None for as many as follow from the spectrogram.
        rand_init: begin with random phases, rather than with none.
    """

    rank = 2

    def __init__(
        self, n_fft: int = 400, n_iter: int = 32, win_length: int | None = None, hop_length: int | None = None,
        window_type: WindowType = WindowType.HANN, power: float = 2.0, momentum: float = 0.99,
        length: int | None = None, rand_init: bool = True,
    ) -> None:  # fmt: skip
        name = "GriffinLim"
        self._pieces = Pieces(name, n_fft, win_length, hop_length, window_type)
        self._turns = check_int(f"{name}: n_iter", n_iter, 1)
        self._power = check_number(f"{name}: power", power, 0, above=True)
        momentum = check_number(f"{name}: momentum", momentum, 0)
        self._momentum = momentum / (1 + momentum)
        self._length = None if length is None else check_int(f"{name}: length", length, 1)
        self._random = check_flag(f"{name}: rand_init", rand_init)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        sizes = waves.astype(np.float64) ** (1 / self._power)
        phases = np.ones(waves.shape, complex)
        if self._random:
            draws = rng.uniform(size=2 * int(np.prod(waves.shape[1:]))).reshape(len(waves), 2, *waves.shape[1:])
            phases = draws[:, 0] + 1j * draws[:, 1]
        before: Any = 0.0
        for _ in range(self._turns):
            rebuilt = self._pieces.transformed(self._pieces.joined(sizes * phases, self._length))
            phases = rebuilt + self._momentum * (rebuilt - before)
            phases = phases / (np.abs(phases) + 1e-16)
            before = rebuilt
        return self._pieces.joined(sizes * phases, self._length).astype(waves.dtype)


class MelScale(WaveTransform):
    """A spectrogram on the mel scale, [..., n_mels, time].

    Args:
        n_mels, sample_rate, f_min, norm, mel_type: as of `melscale_fbanks`.
        f_max: None for half the rate.
        n_stft: how many frequencies the spectrogram has.
    """

    rank = 2

    def __init__(
        self, n_mels: int = 128, sample_rate: int = 16000, f_min: float = 0.0, f_max: float | None = None,
        n_stft: int = 201, norm: NormType = NormType.NONE, mel_type: MelType = MelType.HTK,
    ) -> None:  # fmt: skip
        top = sample_rate // 2 if f_max is None else f_max
        self._bank = melscale_fbanks(n_stft, f_min, top, n_mels, sample_rate, norm, mel_type)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return _through(type(self).__name__, waves, self._bank)


def _through(name: str, waves: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """A spectrogram after a bank of filters [freq, filters]."""
    if waves.shape[-2] != len(bank):
        raise ValueError(f"{name}: the spectrogram has {waves.shape[-2]} frequencies, expected {len(bank)}")
    return np.asarray(np.swapaxes(np.swapaxes(waves, -1, -2) @ bank.astype(waves.dtype), -1, -2))


class MelSpectrogram(WaveTransform):
    """The spectrogram of a waveform on the mel scale: arguments as of `Spectrogram` and `MelScale`."""

    def __init__(
        self, sample_rate: int = 16000, n_fft: int = 400, win_length: int | None = None,
        hop_length: int | None = None, f_min: float = 0.0, f_max: float | None = None, pad: int = 0,
        n_mels: int = 128, window: WindowType = WindowType.HANN, power: float = 2.0, normalized: bool = False,
        center: bool = True, pad_mode: BorderType = BorderType.REFLECT, onesided: bool = True,
        norm: NormType = NormType.NONE, mel_scale: MelType = MelType.HTK,
    ) -> None:  # fmt: skip
        check_number("MelSpectrogram: power", power, 0, above=True)
        self._spectrogram = Spectrogram(
            n_fft, win_length, hop_length, pad, window, power, normalized, center, pad_mode, onesided
        )
        frequencies = n_fft // 2 + 1 if onesided else n_fft
        self._mel = MelScale(n_mels, sample_rate, f_min, f_max, frequencies, norm, mel_scale)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return self._mel.waves(rng, self._spectrogram.waves(rng, waves))


class _Cepstrum(WaveTransform):
    """The cosine transform of a spectrogram's logarithm, the first few coefficients, always in float32."""

    def __init__(self, name: str, count: int, filters: int, dct_type: int, norm: NormMode, log: bool) -> None:
        if dct_type != 2:
            raise ValueError(f"{type(self).__name__}: got dct_type {dct_type!r}, expected 2")
        if check_int(f"{type(self).__name__}: {name}", count, 1) > filters:
            raise ValueError(f"{type(self).__name__}: got {name} {count}, there are {filters} filters")
        self._table = create_dct(count, filters, norm)
        self._log = log
        self._decibels = AmplitudeToDB()

    def _of(self, rng: Rng, spectrum: np.ndarray) -> np.ndarray:
        logarithm = np.log(spectrum + spectrum.dtype.type(1e-6)) if self._log else self._decibels.waves(rng, spectrum)
        return _through(type(self).__name__, logarithm, self._table).astype(np.float32)


class MFCC(_Cepstrum):
    """Mel-frequency cepstral coefficients of a waveform, [..., n_mfcc, time].

    Args:
        sample_rate: samples a second.
        n_mfcc: how many coefficients.
        dct_type: 2.
        norm: whether the cosine transform is orthonormal.
        log_mels: the logarithm, rather than decibels.
        melkwargs: arguments of `MelSpectrogram` by name.
    """

    def __init__(
        self, sample_rate: int = 16000, n_mfcc: int = 40, dct_type: int = 2, norm: NormMode = NormMode.ORTHO,
        log_mels: bool = False, melkwargs: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        options = {"n_mels": 128, **(melkwargs or {})}
        super().__init__("n_mfcc", n_mfcc, options["n_mels"], dct_type, norm, check_flag("MFCC: log_mels", log_mels))
        self._mel = MelSpectrogram(sample_rate, **options)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return self._of(rng, self._mel.waves(rng, waves))


class LFCC(_Cepstrum):
    """Linear-frequency cepstral coefficients of a waveform, [..., n_lfcc, time].

    Args:
        sample_rate: samples a second.
        n_filter: how many filters there are.
        n_lfcc: how many coefficients.
        f_min, f_max: where the first filter begins, and the last one ends; half the rate if None.
        dct_type, norm: as of `MFCC`.
        log_lf: the logarithm, rather than decibels.
        speckwargs: arguments of `Spectrogram` by name.
    """

    def __init__(
        self, sample_rate: int = 16000, n_filter: int = 128, n_lfcc: int = 40, f_min: float = 0.0,
        f_max: float | None = None, dct_type: int = 2, norm: NormMode = NormMode.ORTHO, log_lf: bool = False,
        speckwargs: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__("n_lfcc", n_lfcc, n_filter, dct_type, norm, check_flag("LFCC: log_lf", log_lf))
        options = dict(speckwargs or {})
        self._spectrogram = Spectrogram(**options)
        n_fft = options.get("n_fft", 400)
        frequencies = n_fft // 2 + 1 if options.get("onesided", True) else n_fft
        top = sample_rate // 2 if f_max is None else f_max
        self._bank = linear_fbanks(frequencies, f_min, top, n_filter, sample_rate)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return self._of(rng, _through("LFCC", self._spectrogram.waves(rng, waves), self._bank))


class SpectralCentroid(WaveTransform):
    """The mean frequency of each time of a waveform, [..., 1, time].

    Args:
        sample_rate: samples a second.
        n_fft, win_length, hop_length, pad, window: as of `Spectrogram`.
    """

    def __init__(
        self, sample_rate: int, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None,
        pad: int = 0, window: WindowType = WindowType.HANN,
    ) -> None:  # fmt: skip
        rate = check_int("SpectralCentroid: sample_rate", sample_rate, 1)
        self._spectrogram = Spectrogram(n_fft, win_length, hop_length, pad, window, 1.0)
        self._frequencies = np.linspace(0, rate // 2, 1 + n_fft // 2)[:, None]

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        found = self._spectrogram.waves(rng, waves)
        mean = (self._frequencies * found).sum(-2, keepdims=True) / found.sum(-2, keepdims=True)
        return np.asarray(mean, waves.dtype)


class _OfComplex(WaveTransform):
    rank = 2

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        if block.shape[-1] != 2:
            raise ValueError(f"{type(self).__name__}: got a sample of shape {block.shape[1:]}, expected [..., 2]")
        return super().stacked(rng, block)


class Angle(_OfComplex):
    """The angles of complex numbers [..., 2]."""

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return np.asarray(np.arctan2(waves[..., 1], waves[..., 0]))


class ComplexNorm(_OfComplex):
    """The sizes of complex numbers [..., 2].

    Args:
        power: their exponent, 0 at least.
    """

    def __init__(self, power: float = 1.0) -> None:
        self._power = check_number("ComplexNorm: power", power, 0)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return np.asarray(np.hypot(waves[..., 0], waves[..., 1]) ** self._power, waves.dtype)


class Magphase(ComplexNorm):
    """The sizes and the angles of complex numbers [..., 2], two columns: arguments as of `ComplexNorm`."""

    def batched(self, rng: Rng, *columns: np.ndarray) -> Any:
        return tuple(part for column in columns for part in (self.stacked(rng, column), Angle().stacked(rng, column)))

    def sample(self, rng: Rng, *columns: Any) -> Any:
        return tuple(part[0] for part in self.batched(rng, *(as_array(column, "Magphase")[None] for column in columns)))


def stretched(spectrum: np.ndarray, rate: float, advance: np.ndarray) -> np.ndarray:
    """A complex spectrogram at another speed and the same pitch (Flanagan and Golden 1966).

    Args:
        rate: how much faster.
        advance: by what angle each frequency [freq, 1] is expected to turn from piece to piece.
    """
    if rate == 1:
        return spectrum
    times = np.arange(0, spectrum.shape[-1], rate)
    at, part = times.astype(int), times % 1
    padded = np.concatenate([spectrum, np.zeros((*spectrum.shape[:-1], 2))], -1)
    now, then = padded[..., at], padded[..., at + 1]
    turn = np.angle(then) - np.angle(now) - advance
    turn = turn - 2 * math.pi * np.round(turn / (2 * math.pi)) + advance
    phase = np.cumsum(np.concatenate([np.angle(spectrum[..., :1]), turn[..., :-1]], -1), -1)
    return np.asarray((part * np.abs(then) + (1 - part) * np.abs(now)) * np.exp(1j * phase))


class PhaseVocoder(_OfComplex):
    """A complex spectrogram [..., freq, time, 2] at another speed and the same pitch.

    Args:
        rate: how much faster, above 0.
        phase_advance: by what angle each frequency [freq, 1] is expected to turn from piece to piece.
    """

    rank = 3

    def __init__(self, rate: float, phase_advance: np.ndarray) -> None:
        self._rate = check_number("PhaseVocoder: rate", rate, 0, above=True)
        self._advance = np.asarray(phase_advance, np.float64)
        if self._advance.ndim != 2 or self._advance.shape[1] != 1:
            raise ValueError(f"PhaseVocoder: got phase_advance of shape {self._advance.shape}, expected [freq, 1]")

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        found, expected = waves.shape[-3], len(self._advance)
        if found != expected:
            raise ValueError(f"{type(self).__name__}: the spectrogram has {found} frequencies, expected {expected}")
        return as_pairs(stretched(as_complex(waves), self._rate, self._advance)).astype(waves.dtype)


class TimeStretch(PhaseVocoder):
    """As `PhaseVocoder`, for what `Spectrogram` makes.

    Args:
        hop_length: from piece to piece; None for `n_freq` - 1.
        n_freq: how many frequencies there are at most, up to half the rate.
        fixed_rate: how much faster, above 0.
    """

    def __init__(
        self, hop_length: int | None = None, n_freq: int = 201, fixed_rate: float | None = None
    ) -> None:
        frequencies = check_int("TimeStretch: n_freq", n_freq, 1)
        hop = check_int("TimeStretch: hop_length", n_freq - 1 if hop_length is None else hop_length, 1)
        rate = 1.0 if fixed_rate is None else check_number("TimeStretch: fixed_rate", fixed_rate, 0, above=True)
        super().__init__(rate, np.linspace(0, math.pi * hop, frequencies)[:, None])

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        if waves.shape[-3] >= len(self._advance):
            return super().waves(rng, waves)
        lower = PhaseVocoder(self._rate, self._advance[: waves.shape[-3]])
        return lower.waves(rng, waves)


class ComputeDeltas(WaveTransform):
    """The slopes of a spectrogram over time, each by the values of a window about it.

    Args:
        win_length: how long it is, 3 at least.
        pad_mode: by what the spectrogram is continued.
    """

    rank = 2

    def __init__(self, win_length: int = 5, pad_mode: BorderType = BorderType.EDGE) -> None:
        self._reach = (check_int("ComputeDeltas: win_length", win_length, 3) - 1) // 2
        self._mode: Any = _PAD_MODES[check_member("ComputeDeltas: pad_mode", pad_mode, BorderType)]

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        n = self._reach
        padded = np.pad(waves, [(0, 0)] * (waves.ndim - 1) + [(n, n)], self._mode)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * n + 1, -1)
        return (windows @ np.arange(-n, n + 1) / (n * (n + 1) * (2 * n + 1) / 3)).astype(waves.dtype)


class SlidingWindowCmn(WaveTransform):
    """Features [..., time, freq] less their means over a window that moves along, as in Kaldi.

    Args:
        cmn_window: how long the window is.
        min_cmn_window: how long it is at the beginning, if it lies before the time rather than about it.
        center: whether it is about the time.
        norm_vars: divide by the standard deviation over the window too.
    """

    rank = 2

    def __init__(
        self, cmn_window: int = 600, min_cmn_window: int = 100, center: bool = False, norm_vars: bool = False
    ) -> None:
        name = "SlidingWindowCmn"
        self._window = check_int(f"{name}: cmn_window", cmn_window, 1)
        self._least = check_int(f"{name}: min_cmn_window", min_cmn_window, 0)
        self._center = check_flag(f"{name}: center", center)
        self._scale = check_flag(f"{name}: norm_vars", norm_vars)

    def _range(self, t: int, count: int) -> tuple[int, int]:
        if self._center:
            first = t - self._window // 2
            end = first + self._window
        else:
            first, end = t - self._window, t + 1
        if first < 0:
            end, first = end - first, 0
        if not self._center and end > t:
            end = max(t + 1, self._least)
        if end > count:
            first, end = max(first - (end - count), 0), count
        return first, end

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        count = waves.shape[-2]
        out = np.empty(waves.shape)
        for t in range(count):
            first, end = self._range(t, count)
            part = waves[..., first:end, :].astype(np.float64)
            out[..., t, :] = waves[..., t, :] - part.mean(-2)
            if self._scale:
                deviation = part.std(-2) if end - first > 1 else np.ones(part.shape[:-2] + part.shape[-1:])
                out[..., t, :] = out[..., t, :] / deviation if end - first > 1 else 0.0
        return out.astype(waves.dtype)
