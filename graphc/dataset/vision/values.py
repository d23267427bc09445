"""Operations that change the values of images."""

from collections.abc import Sequence

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import ColumnTransform
from graphc.dataset.vision.image_transform import ImageTransform, check_rank, check_uint8, parse_range


class Normalize(ColumnTransform):
    """(x - mean) / std per channel, as float32.

    Args:
        mean: one number per channel.
        std: one number above 0 per channel.
        is_hwc: whether samples are [H, W, C] (or [H, W], with one channel), else [C, H, W].
    Raises:
        ValueError: the image has another number of channels.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], is_hwc: bool = True) -> None:
        self._mean = np.atleast_1d(np.asarray(mean, np.float32))
        self._std = np.atleast_1d(np.asarray(std, np.float32))
        if self._mean.ndim != 1 or self._mean.shape != self._std.shape:
            raise ValueError(f"Normalize: got mean {mean!r} and std {std!r}, expected lists of the same length")
        if not (self._std > 0).all():
            raise ValueError(f"Normalize: got std {std!r}, expected numbers above 0")
        self._is_hwc = is_hwc

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("Normalize", block, (2, 3), "an image [H, W, C], [C, H, W] or [H, W]")
        channels = 1 if block.ndim == 3 else block.shape[-1 if self._is_hwc else 1]
        if channels != len(self._mean):
            raise ValueError(
                f"Normalize: got an image of shape {block.shape[1:]}, that is {channels} channels, for "
                f"{len(self._mean)} means (is_hwc={self._is_hwc})"
            )
        along = (-1,) if self._is_hwc or block.ndim == 3 else (-1, 1, 1)
        out = block.astype(np.float32)
        out -= self._mean.reshape(along)
        out /= self._std.reshape(along)
        return out


class Rescale(ColumnTransform):
    """x * rescale + shift, as float32.

    Args:
        rescale: factor.
        shift: what is added after.
    """

    def __init__(self, rescale: float, shift: float) -> None:
        self._rescale = np.float32(rescale)
        self._shift = np.float32(shift)

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        out = block.astype(np.float32)
        out *= self._rescale
        out += self._shift
        return out


class Invert(ImageTransform):
    """255 - x, for uint8 images."""

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8("Invert", images)
        inverted: np.ndarray = 255 - images
        return inverted


class Grayscale(ColumnTransform):
    """The lightness of an image of three channels, uint8.

    Args:
        num_output_channels: 1 gives [H, W], 3 gives [H, W, 3] with equal channels.
    """

    def __init__(self, num_output_channels: int = 1) -> None:
        if num_output_channels not in (1, 3):
            raise ValueError(f"Grayscale: got num_output_channels {num_output_channels!r}, expected 1 or 3")
        self._channels = num_output_channels

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("Grayscale", block, (3,), "an image [H, W, 3]")
        check_uint8("Grayscale", block, 3)
        light = ops.gray(block)
        return light if self._channels == 1 else np.repeat(light[..., None], 3, axis=-1)


class RandomColorAdjust(ImageTransform):
    """Change brightness, contrast, saturation and hue at random, in this order, for uint8 images [H, W, 3].

    Args:
        brightness, contrast, saturation: pair (min, max) of factors, not negative; one number x stands for (max(0, 1 -
            x), 1 + x).
        hue: pair (min, max) within -0.5 and 0.5 turns of the colour circle; one number x stands for (-x, x).
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = (1, 1),
        contrast: float | Sequence[float] = (1, 1),
        saturation: float | Sequence[float] = (1, 1),
        hue: float | Sequence[float] = (0, 0),
    ) -> None:
        self._steps = [
            (ops.adjust_brightness, self._factors("brightness", brightness), 1.0),
            (ops.adjust_contrast, self._factors("contrast", contrast), 1.0),
            (ops.adjust_saturation, self._factors("saturation", saturation), 1.0),
            (ops.adjust_hue, self._hues(hue), 0.0),
        ]

    @staticmethod
    def _factors(name: str, value: float | Sequence[float]) -> tuple[float, float]:
        if isinstance(value, (int, float)):
            if value < 0:
                raise ValueError(f"RandomColorAdjust: got {name} {value}, expected no negative number")
            value = (max(0.0, 1.0 - value), 1.0 + value)
        return parse_range(f"RandomColorAdjust: {name}", value, 0.0)

    @staticmethod
    def _hues(value: float | Sequence[float]) -> tuple[float, float]:
        pair = (-value, value) if isinstance(value, (int, float)) else value
        return parse_range("RandomColorAdjust: hue", pair, -0.5, 0.5)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8("RandomColorAdjust", images, 3)
        for adjust, (low, high), neutral in self._steps:
            factors = rng.uniform(low, high)
            if (low, high) != (neutral, neutral):
                images = adjust(images, factors)
        return images
