"""The choices that operations on sounds offer, by MindSpore's names."""

from enum import StrEnum

__all__ = [
    "BorderType", "DensityFunction", "FadeShape", "GainType", "Interpolation", "MelType", "Modulation", "NormMode",
    "NormType", "ResampleMethod", "ScaleType", "WindowType",
]  # fmt: skip


class BorderType(StrEnum):
    """What is taken to lie before and after a waveform: zeros, its first and last values, or its reflection."""

    CONSTANT = "constant"
    EDGE = "edge"
    REFLECT = "reflect"
    SYMMETRIC = "symmetric"


class DensityFunction(StrEnum):
    """How the noise of `Dither` is distributed: like a triangle, equally, or like a bell."""

    TPDF = "TPDF"
    RPDF = "RPDF"
    GPDF = "GPDF"


class FadeShape(StrEnum):
    """How `Fade` goes from silence to sound."""

    QUARTER_SINE = "quarter_sine"
    HALF_SINE = "half_sine"
    LINEAR = "linear"
    LOGARITHMIC = "logarithmic"
    EXPONENTIAL = "exponential"


class GainType(StrEnum):
    """What the gain of `Vol` means: a factor, a factor of the power, or decibels."""

    AMPLITUDE = "amplitude"
    POWER = "power"
    DB = "db"


class Interpolation(StrEnum):
    """How `Flanger` reads between samples."""

    LINEAR = "linear"
    QUADRATIC = "quadratic"


class MelType(StrEnum):
    """The mel scale: HTK's logarithm, or Slaney's, which is linear below 1 kHz."""

    HTK = "htk"
    SLANEY = "slaney"


class Modulation(StrEnum):
    """The wave by which `Flanger` changes its delay."""

    SINUSOIDAL = "sinusoidal"
    TRIANGULAR = "triangular"


class NormMode(StrEnum):
    """Whether a cosine transform is orthonormal."""

    ORTHO = "ortho"
    NONE = "none"


class NormType(StrEnum):
    """Whether the triangles of a mel filter bank have equal areas."""

    SLANEY = "slaney"
    NONE = "none"


class ResampleMethod(StrEnum):
    """The window of the filter of `Resample`: half a cosine squared, or Kaiser's."""

    SINC_INTERPOLATION = "sinc_interpolation"
    KAISER_WINDOW = "kaiser_window"


class ScaleType(StrEnum):
    """What is turned into decibels: power, or its square root."""

    POWER = "power"
    MAGNITUDE = "magnitude"


class WindowType(StrEnum):
    """What a piece of a waveform is multiplied by before its transform."""

    BARTLETT = "bartlett"
    BLACKMAN = "blackman"
    HAMMING = "hamming"
    HANN = "hann"
    KAISER = "kaiser"
