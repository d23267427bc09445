"""Operations on the values of waveforms: loudness, distortion, companding, noise, echoes that move."""

import math
from typing import Any

import numpy as np

from graphc.dataset.audio.kinds import DensityFunction, FadeShape, GainType, Interpolation, Modulation, ScaleType
from graphc.dataset.audio.waves import WaveTransform, check_flag, check_member, check_number
from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng

__all__ = [
    "AmplitudeToDB", "Contrast", "DBToAmplitude", "DCShift", "Dither", "Fade", "Flanger", "Gain", "MuLawDecoding",
    "MuLawEncoding", "Overdrive", "Phaser", "Vol",
]  # fmt: skip


class AmplitudeToDB(WaveTransform):
    """Decibels of a spectrogram [..., freq, time].

    Args:
        stype: whether it is of power or of magnitude.
        ref_value: what is 0 dB.
        amin: the least value, which takes the place of smaller ones.
        top_db: how far below the greatest of a sample's last three axes values are kept; None for any.
    """

    rank = 2

    def __init__(
        self, stype: ScaleType = ScaleType.POWER, ref_value: float = 1.0, amin: float = 1e-10,
        top_db: float | None = 80.0,
    ) -> None:  # fmt: skip
        name = "AmplitudeToDB"
        self._factor = 10.0 if check_member(f"{name}: stype", stype, ScaleType) is ScaleType.POWER else 20.0
        self._least = check_number(f"{name}: amin", amin, 0, above=True)
        self._reference = max(check_number(f"{name}: ref_value", ref_value, 0, above=True), self._least)
        self._top = None if top_db is None else check_number(f"{name}: top_db", top_db, 0, above=True)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        loud = self._factor * (np.log10(np.maximum(waves, self._least)) - math.log10(self._reference))
        if self._top is not None:
            axes = tuple(range(max(loud.ndim - 3, 1), loud.ndim))
            loud = np.maximum(loud, loud.max(axes, keepdims=True) - self._top)
        return np.asarray(loud, waves.dtype)


class DBToAmplitude(WaveTransform):
    """What decibels stand for.

    Args:
        ref: what 0 dB is.
        power: 1 for power, 0.5 for magnitude.
    """

    def __init__(self, ref: float, power: float) -> None:
        self._ref, self._power = check_number("DBToAmplitude: ref", ref), check_number("DBToAmplitude: power", power)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return (self._ref * np.power(10.0, 0.1 * waves) ** self._power).astype(waves.dtype)


class Contrast(WaveTransform):
    """Makes a waveform sound louder, as SoX does.

    Args:
        enhancement_amount: how much, 0 to 100.
    """

    def __init__(self, enhancement_amount: float = 75.0) -> None:
        self._amount = check_number("Contrast: enhancement_amount", enhancement_amount, 0, 100) / 750

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        angle = waves * (math.pi / 2)
        return np.sin(angle + self._amount * np.sin(angle * 4)).astype(waves.dtype)


class DCShift(WaveTransform):
    """Adds a constant, and keeps the sum within -1 to 1.

    Args:
        shift: the constant, -2 to 2.
        limiter_gain: how far peaks may still rise where the sum would be too large, less than 1; None for `shift`.
    """

    def __init__(self, shift: float, limiter_gain: float | None = None) -> None:
        self._shift = check_number("DCShift: shift", shift, -2, 2)
        self._limit = self._shift if limiter_gain is None else check_number("DCShift: limiter_gain", limiter_gain)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        bound, limit, sign = 1 - (abs(self._shift) - self._limit), self._limit, 1 if self._shift > 0 else -1
        moved = np.clip(waves + self._shift, -1, 1)
        if limit == self._shift or bound == 1 or self._shift == 0:
            return moved.astype(waves.dtype)
        peak = sign * waves > bound
        squeezed = np.minimum((sign * waves - bound) * limit / (1 - bound) + bound + abs(self._shift), bound)
        return np.where(peak, sign * squeezed, moved).astype(waves.dtype)


class Dither(WaveTransform):
    """Rounds to 16 bits with a noise that hides the steps, as SoX does.

    Args:
        density_function: how the noise is distributed.
        noise_shaping: add the error of each value to the next one.
    """

    def __init__(
        self, density_function: DensityFunction = DensityFunction.TPDF, noise_shaping: bool = False
    ) -> None:
        self._density = check_member("Dither: density_function", density_function, DensityFunction)
        self._shaping = check_flag("Dither: noise_shaping", noise_shaping)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        size = waves.shape[-1]
        flat = waves.reshape(len(waves), -1)
        picked = np.take_along_axis(flat, rng.integers(0, flat.shape[1], 7), 1)
        if self._density is DensityFunction.TPDF:
            noise: Any = np.bartlett(size + 2)[:size]  # of a period that is one longer
        elif self._density is DensityFunction.RPDF:
            noise = picked[:, 0].reshape(-1, *[1] * (waves.ndim - 1)) - 0.5
        else:
            noise = picked.sum(1).reshape(-1, *[1] * (waves.ndim - 1))
        dithered = np.round(waves * (2.0**15 - 2) + noise) / 2.0**15
        if self._shaping:
            dithered[..., 1:] += (dithered - waves)[..., :-1]
        return np.asarray(dithered, waves.dtype)


def _rise(shape: FadeShape, length: int) -> np.ndarray:
    """The factors of a fade from silence."""
    at = np.linspace(0, 1, length)
    match shape:
        case FadeShape.LINEAR:
            return at
        case FadeShape.EXPONENTIAL:
            return 2.0 ** (at - 1) * at
        case FadeShape.LOGARITHMIC:
            return np.log10(0.1 + at) + 1
        case FadeShape.QUARTER_SINE:
            return np.sin(at * math.pi / 2)
    return np.sin(at * math.pi - math.pi / 2) / 2 + 0.5


class Fade(WaveTransform):
    """Lets a waveform begin from silence, and end in it.

    Args:
        fade_in_len, fade_out_len: how many values that takes; at most those of the waveform.
        fade_shape: how.
    """

    def __init__(
        self, fade_in_len: int = 0, fade_out_len: int = 0, fade_shape: FadeShape = FadeShape.LINEAR
    ) -> None:
        self._in = check_int("Fade: fade_in_len", fade_in_len, 0)
        self._out = check_int("Fade: fade_out_len", fade_out_len, 0)
        self._shape = check_member("Fade: fade_shape", fade_shape, FadeShape)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        size = waves.shape[-1]
        if max(self._in, self._out) > size:
            raise ValueError(f"Fade: the waveform has {size} values, fades take {self._in} and {self._out}")
        factors = np.ones(size)
        factors[: self._in] *= _rise(self._shape, self._in)
        factors[size - self._out :] *= _rise(self._shape, self._out)[::-1]
        return (waves * factors).astype(waves.dtype)


class Gain(WaveTransform):
    """Makes a waveform louder by decibels.

    Args:
        gain_db: by how many.
    """

    def __init__(self, gain_db: float = 1.0) -> None:
        self._factor = 10 ** (check_number("Gain: gain_db", gain_db) / 20)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return (waves * self._factor).astype(waves.dtype)


class Vol(WaveTransform):
    """Makes a waveform louder, and keeps it within -1 to 1.

    Args:
        gain: how much louder.
        gain_type: what that means: a factor (0 at least), one of the power (above 0), or decibels.
    """

    def __init__(self, gain: float, gain_type: GainType = GainType.AMPLITUDE) -> None:
        match check_member("Vol: gain_type", gain_type, GainType):
            case GainType.AMPLITUDE:
                self._factor = check_number("Vol: gain", gain, 0)
            case GainType.POWER:
                self._factor = math.sqrt(check_number("Vol: gain", gain, 0, above=True))
            case _:
                self._factor = 10 ** (check_number("Vol: gain", gain) / 20)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return np.clip(waves * self._factor, -1, 1).astype(waves.dtype)


class MuLawEncoding(WaveTransform):
    """Values -1 to 1 as int32 numbers whose steps are finer near 0 (ITU-T G.711).

    Args:
        quantization_channels: how many numbers there are.
    """

    def __init__(self, quantization_channels: int = 256) -> None:
        self._mu = check_int(f"{type(self).__name__}: quantization_channels", quantization_channels, 2) - 1

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        bent = np.sign(waves) * np.log1p(self._mu * np.abs(waves)) / math.log1p(self._mu)
        return np.asarray((bent + 1) / 2 * self._mu + 0.5, np.int32)


class MuLawDecoding(MuLawEncoding):
    """The values that the numbers of `MuLawEncoding` stand for: arguments as there."""

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        bent = waves / self._mu * 2 - 1
        return (np.sign(bent) * np.expm1(np.abs(bent) * math.log1p(self._mu)) / self._mu).astype(waves.dtype)


class Overdrive(WaveTransform):
    """Distorts a waveform as an amplifier beyond its limit does, after SoX.

    Args:
        gain: by how many decibels it is amplified, 0 to 100.
        color: how much of even harmonics there is, 0 to 100.
    """

    def __init__(self, gain: float = 20.0, color: float = 20.0) -> None:
        self._factor = 10 ** (check_number("Overdrive: gain", gain, 0, 100) / 20)
        self._color = check_number("Overdrive: color", color, 0, 100) / 200

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        bent = np.clip(waves.astype(np.float64) * self._factor + self._color, -1, 1)
        bent -= bent**3 / 3
        last_in = last_out = np.zeros(waves.shape[:-1])
        out = np.empty_like(bent)
        for t in range(waves.shape[-1]):
            last_out = bent[..., t] - last_in + 0.995 * last_out
            last_in = bent[..., t]
            out[..., t] = last_out
        return np.clip(waves * 0.5 + out * 0.75, -1, 1).astype(waves.dtype)


def _wave_table(triangular: bool, size: int, low: float, high: float, phase: float) -> np.ndarray:
    """One period of a wave between two values."""
    point = (np.arange(size) + int(phase / math.pi / 2 * size + 0.5)) % size
    if triangular:
        wave = point * 2 / size
        quarter = 4 * point // size
        wave = np.where(quarter == 0, wave + 0.5, np.where(quarter == 3, wave - 1.5, 1.5 - wave))
    else:
        wave = (np.sin(point / size * 2 * math.pi) + 1) / 2
    return wave * (high - low) + low


class Phaser(WaveTransform):
    """Adds an echo whose delay swings, after SoX.

    Args:
        sample_rate: samples a second.
        gain_in, gain_out: the levels of what comes in (0 to 1) and goes out (0 to 1e9).
        delay_ms: the longest delay in milliseconds, 0 to 5.
        decay: how much of an echo comes back again, 0 to 0.99.
        mod_speed: swings a second, 0.1 to 2.
        sinusoidal: swing like a sine, rather than like a triangle.
    """

    def __init__(
        self, sample_rate: int, gain_in: float = 0.4, gain_out: float = 0.74, delay_ms: float = 3.0,
        decay: float = 0.4, mod_speed: float = 0.5, sinusoidal: bool = True,
    ) -> None:  # fmt: skip
        rate = check_int("Phaser: sample_rate", sample_rate, 1)
        self._in = check_number("Phaser: gain_in", gain_in, 0, 1)
        self._out = check_number("Phaser: gain_out", gain_out, 0, 1e9)
        self._length = int(check_number("Phaser: delay_ms", delay_ms, 0, 5) * 0.001 * rate + 0.5)
        self._decay = check_number("Phaser: decay", decay, 0, 0.99)
        if self._length < 1:
            raise ValueError(f"Phaser: delay_ms {delay_ms} is shorter than a sample at {sample_rate} a second")
        size = int(rate / check_number("Phaser: mod_speed", mod_speed, 0.1, 2) + 0.5)
        shape = not check_flag("Phaser: sinusoidal", sinusoidal)
        self._delays = np.floor(_wave_table(shape, size, 1, self._length, math.pi / 2) + 0.5).astype(int)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        echo = np.zeros((self._length, *waves.shape[:-1]))
        out = np.empty(waves.shape)
        for t in range(waves.shape[-1]):
            now = waves[..., t] * self._in + echo[(t + self._delays[t % len(self._delays)]) % self._length]
            echo[(t + 1) % self._length] = now * self._decay
            out[..., t] = now
        return np.clip(out * self._out, -1, 1).astype(waves.dtype)


class Flanger(WaveTransform):
    """Adds an echo of a short delay that swings, of [..., channel, time], after SoX.

    Args:
        sample_rate: samples a second.
        delay: the least delay in milliseconds, 0 to 30.
        depth: how far it swings, in milliseconds, 0 to 10.
        regen: how much of the echo comes back again, -95 to 95 percent.
        width: how much of it is added, 0 to 100 percent.
        speed: swings a second, 0.1 to 10.
        phase: by how much of a swing each channel is ahead of the one before, 0 to 100 percent.
        modulation: how the delay swings.
        interpolation: how values between samples are read.
    """

    rank = 2

    def __init__(
        self, sample_rate: int, delay: float = 0.0, depth: float = 2.0, regen: float = 0.0, width: float = 71.0,
        speed: float = 0.5, phase: float = 25.0, modulation: Modulation = Modulation.SINUSOIDAL,
        interpolation: Interpolation = Interpolation.LINEAR,
    ) -> None:  # fmt: skip
        rate = check_int("Flanger: sample_rate", sample_rate, 1)
        least = check_number("Flanger: delay", delay, 0, 30) / 1000 * rate
        swing = check_number("Flanger: depth", depth, 0, 10) / 1000 * rate
        self._back = check_number("Flanger: regen", regen, -95, 95) / 100
        width = check_number("Flanger: width", width, 0, 100) / 100
        self._dry = 1 / (1 + width)
        self._wet = width / (1 + width) * (1 - abs(self._back))
        self._phase = check_number("Flanger: phase", phase, 0, 100) / 100
        self._length = int(least + swing + 0.5) + 2
        size = int(rate / check_number("Flanger: speed", speed, 0.1, 10))
        triangular = check_member("Flanger: modulation", modulation, Modulation) is Modulation.TRIANGULAR
        self._delays = _wave_table(triangular, size, math.floor(least + 0.5), self._length - 2, 3 * math.pi / 2)
        kind = check_member("Flanger: interpolation", interpolation, Interpolation)
        self._quadratic = kind is Interpolation.QUADRATIC

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        channels = np.arange(waves.shape[-2])
        ahead = (channels * len(self._delays) * self._phase + 0.5).astype(int)
        echo, last = np.zeros((*waves.shape[:-1], self._length)), np.zeros(waves.shape[:-1])
        out = np.empty(waves.shape)
        for t in range(waves.shape[-1]):
            at = -t % self._length
            delay = self._delays[(t + ahead) % len(self._delays)]
            part = delay - np.floor(delay)
            echo[..., at - 1] = waves[..., t] + last * self._back
            places = at - 1 + delay.astype(int)
            first, second, third = (echo[..., channels, (places + k) % self._length] for k in range(3))
            if self._quadratic:
                third, second = third - first, second - first
                last = first + ((third * 0.5 - second) * part + second * 2 - third * 0.5) * part
            else:
                last = first + (second - first) * part
            out[..., t] = waves[..., t] * self._dry + last * self._wet
        return np.clip(out, -1, 1).astype(waves.dtype)
