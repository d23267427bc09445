"""Operations that change the values of images."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import ColumnTransform
from graphc.dataset.vision.image_transform import (
    ImageTransform,
    check_pixels,
    check_rank,
    check_uint8,
    parse_flag,
    parse_member,
    parse_range,
)

__all__ = [
    "ConvertColor", "ConvertMode", "Grayscale", "HsvToRgb", "Invert", "LinearTransformation", "Normalize",
    "NormalizePad", "RandomColorAdjust", "RandomLighting", "Rescale", "RgbToHsv",
]  # fmt: skip


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
        for what, given in (("mean", mean), ("std", std)):
            if not isinstance(given, (Sequence, np.ndarray)) or any(isinstance(v, str) for v in given):
                raise TypeError(f"Normalize: got {what} {given!r}, expected a list of numbers")
        self._mean = np.atleast_1d(np.asarray(mean, np.float32))
        self._std = np.atleast_1d(np.asarray(std, np.float32))
        if self._mean.ndim != 1 or self._mean.shape != self._std.shape:
            raise ValueError(f"Normalize: got mean {mean!r} and std {std!r}, expected lists of the same length")
        if not (self._std > 0).all():
            raise ValueError(f"Normalize: got std {std!r}, expected numbers above 0")
        self._is_hwc = parse_flag("Normalize: is_hwc", is_hwc)

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("Normalize", block, (2, 3), "an image [H, W, C], [C, H, W] or [H, W]")
        channels = 1 if block.ndim == 3 else block.shape[-1 if self._is_hwc else 1]
        if channels != len(self._mean):
            raise ValueError(
                f"Normalize: got an image of shape {block.shape[1:]}, that is {channels} channels, for "
                f"{len(self._mean)} means (is_hwc={self._is_hwc})"
            )
        out = block.astype(np.float32, order="C")
        if self._is_hwc or block.ndim == 3:  # in whole rows: NumPy takes as long for three numbers as for a hundred
            rows = out.reshape(-1, block.shape[2] * channels)
            rows -= np.tile(self._mean, block.shape[2])
            rows /= np.tile(self._std, block.shape[2])
        else:
            out -= self._mean[:, None, None]
            out /= self._std[:, None, None]
        return out


class NormalizePad(Normalize):
    """`Normalize`, and a channel of zeros after the others.

    Args:
        mean, std, is_hwc: as in `Normalize`.
        dtype: of the result, "float32".
    """

    def __init__(
        self, mean: Sequence[float], std: Sequence[float], dtype: str = "float32", is_hwc: bool = True
    ) -> None:
        super().__init__(mean, std, is_hwc)
        if dtype != "float32":
            raise ValueError(f"NormalizePad: got dtype {dtype!r}, expected 'float32'")

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("NormalizePad", block, (3,), "an image [H, W, C] or [C, H, W]")
        axis = -1 if self._is_hwc else 1
        normal = super().stacked(rng, block)
        return np.concatenate([normal, np.zeros_like(normal.take([0], axis))], axis)


class LinearTransformation(ColumnTransform):
    """`(x - mean_vector) @ transformation_matrix` of the elements x of an image [C, H, W] in order, in its shape.

    Args:
        transformation_matrix: [D, D], D being C * H * W.
        mean_vector: [D].
    Raises:
        ValueError: the sizes do not fit.
    """

    def __init__(self, transformation_matrix: np.ndarray, mean_vector: np.ndarray) -> None:
        self._matrix, self._mean = np.asarray(transformation_matrix), np.asarray(mean_vector)
        size = self._matrix.shape[:1]
        if self._matrix.ndim != 2 or self._matrix.shape != size * 2 or self._mean.shape != size:
            raise ValueError(
                f"LinearTransformation: got a matrix of shape {self._matrix.shape} and a vector of shape "
                f"{self._mean.shape}, expected [D, D] and [D]"
            )

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("LinearTransformation", block, (3,), "an image [C, H, W]")
        rows = block.reshape(len(block), -1) - self._mean
        if rows.shape[1] != len(self._matrix):
            raise ValueError(
                f"LinearTransformation: got an image of shape {block.shape[1:]} for a matrix of {self._matrix.shape}"
            )
        return np.stack([row @ self._matrix for row in rows]).reshape(block.shape)


class RandomLighting(ImageTransform):
    """Add noise along the principal components of ImageNet's colours to an image [H, W, 3] (Krizhevsky et al. 2012).

    Args:
        alpha: the noise's standard deviation, not negative.
    """

    _COMPONENTS = np.array(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    ) * np.array([55.46, 4.794, 1.148])

    def __init__(self, alpha: float = 0.05) -> None:
        self._alpha = parse_range("RandomLighting: alpha", (alpha, alpha), 0.0)[0]

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8("RandomLighting", images, 3)
        noise = (self._COMPONENTS * (rng.normal(3) * self._alpha)[:, None, :]).sum(axis=-1)
        changed: np.ndarray = np.clip(images + noise[:, None, None, :], 0, 255).astype(np.uint8)
        return changed


class RgbToHsv(ColumnTransform):
    """Red, green, blue to hue (0 to 1), saturation (0 to 1) and value: floats, of integers float64.

    Args:
        is_hwc: whether the channels are last: [H, W, 3] or [N, H, W, 3]; else [3, H, W] or [N, 3, H, W].
    """

    _change = staticmethod(ops.rgb_to_hsv)

    def __init__(self, is_hwc: bool = False) -> None:
        if not isinstance(is_hwc, bool):
            raise TypeError(f"{type(self).__name__}: got is_hwc {is_hwc!r}, expected a bool")
        self._is_hwc = parse_flag("Normalize: is_hwc", is_hwc)

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        name = type(self).__name__
        check_rank(name, block, (3, 4), "an image or several, of three channels")
        images = block if self._is_hwc else np.moveaxis(block, -3, -1)
        if images.shape[-1] != 3:
            raise ValueError(f"{name}: got {images.shape[-1]} channels (is_hwc={self._is_hwc}), expected 3")
        changed = type(self)._change(images if block.dtype.kind == "f" else images.astype(np.float64))
        return changed if self._is_hwc else np.ascontiguousarray(np.moveaxis(changed, -1, -3))


class HsvToRgb(RgbToHsv):
    """Hue (0 to 1), saturation (0 to 1) and value to red, green, blue: the inverse of `RgbToHsv`."""

    _change = staticmethod(ops.hsv_to_rgb)


class ConvertMode(IntEnum):
    """What `ConvertColor` makes of what. Names that say the same of other orders stand for one."""

    COLOR_BGR2BGRA = COLOR_RGB2RGBA = 0
    COLOR_BGRA2BGR = COLOR_RGBA2RGB = 1
    COLOR_BGR2RGBA = COLOR_RGB2BGRA = 2
    COLOR_RGBA2BGR = COLOR_BGRA2RGB = 3
    COLOR_BGR2RGB = COLOR_RGB2BGR = 4
    COLOR_BGRA2RGBA = COLOR_RGBA2BGRA = 5
    COLOR_BGR2GRAY = 6
    COLOR_RGB2GRAY = 7
    COLOR_GRAY2BGR = COLOR_GRAY2RGB = 8
    COLOR_GRAY2BGRA = COLOR_GRAY2RGBA = 9
    COLOR_BGRA2GRAY = 10
    COLOR_RGBA2GRAY = 11


class ConvertColor(ColumnTransform):
    """The channels of an image in another order, with or without opacity (255, of floats 1), or its lightness [H, W].

    Args:
        convert_mode: a `ConvertMode`: BGR and RGB are [H, W, 3], BGRA and RGBA [H, W, 4], GRAY is [H, W] or [H, W, 1].
    Raises:
        ValueError: the image has another number of channels.
    """

    def __init__(self, convert_mode: ConvertMode) -> None:
        self._mode = parse_member("ConvertColor: convert_mode", convert_mode, list(ConvertMode))
        self._source, self._target = self._mode.name.removeprefix("COLOR_").split("2")

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("ConvertColor", block, (2, 3), "an image [H, W] or [H, W, C]")
        check_pixels("ConvertColor", block)
        images = block[..., None] if block.ndim == 3 else block
        channels = 1 if self._source == "GRAY" else len(self._source)
        if images.shape[-1] != channels:
            got = f"an image of {images.shape[-1]} channels"
            raise ValueError(f"ConvertColor: {self._mode.name} got {got}, expected {channels}")
        if self._target == "GRAY":
            return ops.lightness(images[..., [self._source.index(c) for c in "RGB"]])
        opaque = np.full(images[..., :1].shape, 255 if images.dtype == np.uint8 else 1, images.dtype)
        planes = {"A": opaque, **{c: images[..., k : k + 1] for k, c in enumerate(self._source) if channels > 1}}
        return np.concatenate([planes.get(c, images[..., :1]) for c in self._target], axis=-1)


class Rescale(ColumnTransform):
    """x * rescale + shift, as float32.

    Args:
        rescale: factor.
        shift: what is added after.
    """

    def __init__(self, rescale: float, shift: float) -> None:
        for what, given in (("rescale", rescale), ("shift", shift)):
            if isinstance(given, bool) or not isinstance(given, (int, float, np.number)):
                raise TypeError(f"Rescale: got {what} {given!r}, expected a number")
        self._rescale = np.float32(rescale)
        self._shift = np.float32(shift)

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        out = block.astype(np.float32)
        out *= self._rescale
        out += self._shift
        return out


class Invert(ImageTransform):
    """255 - x, for images with values 0 to 255."""

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_pixels("Invert", images)
        inverted: np.ndarray = 255 - images
        return inverted


class Grayscale(ColumnTransform):
    """The lightness of an image of three channels, uint8.

    Args:
        num_output_channels: 1 gives [H, W], 3 gives [H, W, 3] with equal channels.
    """

    def __init__(self, num_output_channels: int = 1) -> None:
        if isinstance(num_output_channels, bool) or not isinstance(num_output_channels, int):
            raise TypeError(f"Grayscale: got num_output_channels {num_output_channels!r}, expected an int")
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
