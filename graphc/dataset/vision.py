"""Image operations for `Dataset.map`: arrays [H, W], [H, W, C] or PIL images in, arrays out.

    dataset.map([vision.Resize((32, 32)), vision.Rescale(1 / 255, 0), vision.HWC2CHW()], "image")

All work on a whole portion of images at once where these agree in shape. Random ones draw from the sample's place in
the epoch (see `transforms`), and do the same to every column they are given.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.blocks import Block, as_array, stack
from graphc.dataset.config import check_int
from graphc.dataset.images import Border, Inter, decode_image, import_pillow
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import ColumnTransform, Transform, check_probability, numpy_dtype

__all__ = [
    "HWC2CHW",
    "Border",
    "CenterCrop",
    "Crop",
    "CutOut",
    "Decode",
    "Grayscale",
    "HorizontalFlip",
    "Inter",
    "Invert",
    "Normalize",
    "Pad",
    "RandomColorAdjust",
    "RandomCrop",
    "RandomCropDecodeResize",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Rescale",
    "Resize",
    "Rotate",
    "ToPIL",
    "ToTensor",
    "VerticalFlip",
]


class ImageTransform(ColumnTransform):
    """An operation on images [H, W] or [H, W, C], written for stacks [N, H, W, C]."""

    @abstractmethod
    def images(self, rng: Rng, images: np.ndarray) -> Block:
        """Apply to a stack of images; a list where results differ in shape."""

    def stacked(self, rng: Rng, block: np.ndarray) -> Block:
        check_rank(type(self).__name__, block, (2, 3), "an image [H, W] or [H, W, C]")
        if block.ndim == 4:
            return self.images(rng, block)
        results = self.images(rng, block[..., None])
        return results[..., 0] if isinstance(results, np.ndarray) else [result[..., 0] for result in results]


def check_rank(name: str, block: np.ndarray, ranks: tuple[int, ...], expected: str) -> None:
    """Refuse samples of another rank, empty images, and what is no number."""
    shape = block.shape[1:]
    if len(shape) not in ranks or 0 in shape:
        raise ValueError(f"{name}: got a sample of shape {shape}, expected {expected}")
    if block.dtype.kind not in "biuf":
        raise TypeError(f"{name}: got a sample of dtype {block.dtype}, expected numbers")


# Arguments


def parse_size(name: str, size: int | Sequence[int]) -> tuple[int, int]:
    """A height and width; one int stands for both."""
    pair = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(pair) != 2:
        raise ValueError(f"{name}: got size {size!r}, expected an int or (height, width)")
    return check_int(f"{name}: size", pair[0], 1), check_int(f"{name}: size", pair[1], 1)


def parse_padding(name: str, padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom; one int stands for all, two for left and right, top and bottom."""
    given = (padding,) if isinstance(padding, (int, np.integer)) else tuple(padding)
    if len(given) not in (1, 2, 4):
        raise ValueError(f"{name}: got padding {padding!r}, expected 1, 2 or 4 ints")
    left, top, right, bottom = (check_int(f"{name}: padding", given[i % len(given)], 0) for i in range(4))
    return left, top, right, bottom


def parse_fill(name: str, fill_value: int | Sequence[int]) -> np.ndarray:
    """A colour: one number for all channels, or three."""
    fill = np.atleast_1d(np.asarray(fill_value))
    if fill.shape not in ((1,), (3,)) or fill.dtype.kind not in "iuf":
        raise ValueError(f"{name}: got fill_value {fill_value!r}, expected a number or three")
    return fill


def parse_range(name: str, value: float | Sequence[float], low: float, high: float = math.inf) -> tuple[float, float]:
    """A pair (min, max) within `low` to `high`."""
    try:
        pair = tuple(float(v) for v in value)  # type: ignore[union-attr]  # a lone number is told below
    except TypeError:
        raise TypeError(f"{name}: got {value!r}, expected a pair of numbers") from None
    if len(pair) != 2 or not low <= pair[0] <= pair[1] <= high:
        raise ValueError(f"{name}: got {value!r}, expected (min, max) with {low} <= min <= max <= {high}")
    return pair[0], pair[1]


def parse_member(name: str, value: Any, members: Sequence[Any]) -> Any:
    """One of an enumeration's members."""
    if not any(value is member for member in members):
        raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(str(member) for member in members)}")
    return value


def colour(fill: np.ndarray, channels: int, name: str) -> np.ndarray:
    """A fill value for this many channels."""
    if len(fill) not in (1, channels):
        raise ValueError(f"{name}: got {len(fill)} fill values for an image of {channels} channels")
    return np.broadcast_to(fill, (channels,))


# Values


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


def check_uint8(name: str, images: np.ndarray, channels: int | None = None) -> None:
    """Refuse images that are not uint8, or not of so many channels."""
    if images.dtype != np.uint8:
        raise TypeError(f"{name}: got an image of dtype {images.dtype}, expected uint8")
    if channels is not None and images.shape[-1] != channels:
        raise ValueError(f"{name}: got an image of {images.shape[-1]} channels, expected {channels}")


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


# Layout and form


class HWC2CHW(ColumnTransform):
    """[H, W, C] to [C, H, W]; [H, W] stays."""

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("HWC2CHW", block, (2, 3), "an image [H, W, C] or [H, W]")
        return block if block.ndim == 3 else np.ascontiguousarray(block.transpose(0, 3, 1, 2))


class ToTensor(ColumnTransform):
    """[H, W, C] or [H, W] with values 0 to 255, to [C, H, W] with values 0 to 1.

    Args:
        output_type: dtype of the result.
    """

    def __init__(self, output_type: Any = np.float32) -> None:
        self._dtype = numpy_dtype(output_type)

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("ToTensor", block, (2, 3), "an image [H, W, C] or [H, W]")
        images = block[:, None] if block.ndim == 3 else block.transpose(0, 3, 1, 2)
        work: type[np.floating] = np.float64 if self._dtype == np.float64 else np.float32
        scaled = np.divide(images.astype(work, order="C"), work(255))
        return scaled.astype(self._dtype, copy=False)


class ToPIL(Transform):
    """A uint8 array [H, W], [H, W, 1] or [H, W, 3] as a PIL image, for operations of other libraries."""

    def __init__(self) -> None:
        self._pillow = import_pillow("ToPIL")

    def sample(self, rng: Rng, *columns: Any) -> Any:
        images = tuple(self._convert(column) for column in columns)
        return images[0] if len(images) == 1 else images

    def _convert(self, column: Any) -> Any:
        if isinstance(column, self._pillow.Image):
            return column
        image = as_array(column, "ToPIL")
        check_rank("ToPIL", image[None], (2, 3), "an image [H, W] or [H, W, C]")
        if image.ndim == 3 and image.shape[2] == 1:
            image = image[..., 0]
        if image.dtype != np.uint8 or image.shape[2:] not in ((), (3,)):
            raise TypeError(
                f"ToPIL: got {image.dtype} of shape {image.shape}, expected uint8 [H, W], [H, W, 1] or [H, W, 3]"
            )
        return self._pillow.fromarray(image)


class Decode(Transform):
    """The bytes of an image file, uint8 [n], to the image, uint8 [H, W, 3]. Needs Pillow.

    Args:
        to_pil: give a PIL image instead.
    """

    def __init__(self, to_pil: bool = False) -> None:
        self._pillow = import_pillow("Decode")
        self._to_pil = to_pil

    def sample(self, rng: Rng, *columns: Any) -> Any:
        images = tuple(decode_image(as_array(column, "Decode"), "Decode") for column in columns)
        if self._to_pil:
            images = tuple(self._pillow.fromarray(image) for image in images)
        return images[0] if len(images) == 1 else images


# Size


class Resize(ImageTransform):
    """Resample to another size, keeping the dtype.

    Args:
        size: (height, width), or one int for the shorter side, the other keeping the aspect.
        interpolation: an `Inter`.
    """

    def __init__(self, size: int | Sequence[int], interpolation: Inter = Inter.BILINEAR) -> None:
        parse_size("Resize", size)
        self._size = size
        self._inter = parse_member("Resize: interpolation", interpolation, list(Inter))

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        height, width = self._target(images.shape[1], images.shape[2])
        return ops.resize(images, height, width, self._inter)

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if not isinstance(self._size, (int, np.integer)):
            return parse_size("Resize", self._size)
        short = int(self._size)
        return (short, max(1, short * width // height)) if height <= width else (max(1, short * height // width), short)


class Pad(ImageTransform):
    """Add a border.

    Args:
        padding: pixels added: one int for all sides, two for left and right, top and bottom, four for left, top,
            right, bottom.
        fill_value: colour of a constant border, a number or three.
        padding_mode: a `Border`.
    """

    def __init__(
        self, padding: int | Sequence[int], fill_value: int | Sequence[int] = 0, padding_mode: Border = Border.CONSTANT
    ) -> None:
        self._padding = parse_padding("Pad", padding)
        self._fill = parse_fill("Pad", fill_value)
        self._mode = parse_member("Pad: padding_mode", padding_mode, list(Border))

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        return pad(images, self._padding, self._fill, self._mode, "Pad")


def pad(
    images: np.ndarray, padding: tuple[int, int, int, int], fill: np.ndarray, mode: Border, name: str
) -> np.ndarray:
    """Images with a border of `padding`: left, top, right, bottom."""
    left, top, right, bottom = padding
    if padding == (0, 0, 0, 0):
        return images
    if mode is not Border.CONSTANT:
        widths = ((0, 0), (top, bottom), (left, right), (0, 0))
        return np.asarray(np.pad(images, widths, mode=mode.value))  # type: ignore[call-overload]  # a literal
    n, height, width, channels = images.shape
    out = np.empty((n, top + height + bottom, left + width + right, channels), images.dtype)
    out[:] = ops.saturate(colour(fill, channels, name).astype(np.float64), images.dtype)
    out[:, top : top + height, left : left + width] = images
    return out


class Crop(ImageTransform):
    """Cut out a part.

    Args:
        coordinates: (y, x) of its upper left corner.
        size: (height, width), or one int for both.
    Raises:
        ValueError: the part is not within the image.
    """

    def __init__(self, coordinates: Sequence[int], size: int | Sequence[int]) -> None:
        if len(tuple(coordinates)) != 2:
            raise ValueError(f"Crop: got coordinates {coordinates!r}, expected (y, x)")
        self._y, self._x = (check_int("Crop: coordinates", c, 0) for c in coordinates)
        self._size = parse_size("Crop", size)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        height, width = self._size
        if self._y + height > images.shape[1] or self._x + width > images.shape[2]:
            raise ValueError(
                f"Crop: {height} x {width} pixels at ({self._y}, {self._x}) reach beyond the image of "
                f"{images.shape[1]} x {images.shape[2]}"
            )
        return images[:, self._y : self._y + height, self._x : self._x + width]


class CenterCrop(ImageTransform):
    """Cut out the middle; an image that is too small is first padded with 0.

    Args:
        size: (height, width), or one int for both.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self._size = parse_size("CenterCrop", size)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        height, width = self._size
        down, across = max(0, height - images.shape[1]), max(0, width - images.shape[2])
        border = (across - across // 2, down - down // 2, across // 2, down // 2)
        images = pad(images, border, np.zeros(1), Border.CONSTANT, "CenterCrop")
        top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
        return images[:, top : top + height, left : left + width]


class RandomCrop(ImageTransform):
    """Cut out a part at a random place.

    Args:
        size: (height, width), or one int for both.
        padding: border added first, as in `Pad`; None for none.
        pad_if_needed: add a border to images that are smaller than `size`.
        fill_value: colour of a constant border, a number or three.
        padding_mode: a `Border`.
    Raises:
        ValueError: the image is smaller than `size`, and `pad_if_needed` is not set.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill_value: int | Sequence[int] = 0,
        padding_mode: Border = Border.CONSTANT,
    ) -> None:
        self._size = parse_size("RandomCrop", size)
        self._padding = (0, 0, 0, 0) if padding is None else parse_padding("RandomCrop", padding)
        self._pad_if_needed = pad_if_needed
        self._fill = parse_fill("RandomCrop", fill_value)
        self._mode = parse_member("RandomCrop: padding_mode", padding_mode, list(Border))

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        height, width = self._size
        images = pad(images, self._padding, self._fill, self._mode, "RandomCrop")
        if self._pad_if_needed:
            down, across = max(0, height - images.shape[1]), max(0, width - images.shape[2])
            images = pad(images, (across, down, across, down), self._fill, self._mode, "RandomCrop")
        if height > images.shape[1] or width > images.shape[2]:
            raise ValueError(
                f"RandomCrop: size {height} x {width} is larger than the image of {images.shape[1]} x {images.shape[2]}"
            )
        rows = rng.integers(0, images.shape[1] - height + 1)[:, None] + np.arange(height)
        columns = rng.integers(0, images.shape[2] - width + 1)[:, None] + np.arange(width)
        part: np.ndarray = images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]
        return part


class RandomResizedCrop(ImageTransform):
    """Cut out a part of random area and aspect, and resize it.

    Args:
        size: (height, width) of the result, or one int for both.
        scale: pair (min, max) of the part's area, as a fraction of the image's.
        ratio: pair (min, max) of the part's width over height.
        interpolation: an `Inter`.
        max_attempts: how many parts are tried before the middle, with the nearest possible aspect, is taken.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Inter = Inter.BILINEAR,
        max_attempts: int = 10,
    ) -> None:
        self._size = parse_size("RandomResizedCrop", size)
        self._window = RandomWindow("RandomResizedCrop", scale, ratio, max_attempts)
        self._inter = parse_member("RandomResizedCrop: interpolation", interpolation, list(Inter))

    def images(self, rng: Rng, images: np.ndarray) -> Block:
        windows = self._window.draw(rng, images.shape[1], images.shape[2])
        return stack(
            [
                ops.resize(image[None, *(window or self._middle(*image.shape[:2]))], *self._size, self._inter)[0]
                for image, window in zip(images, windows, strict=True)
            ]
        )

    def _middle(self, height: int, width: int) -> tuple[slice, slice]:
        low, high = self._window.ratio
        part_width = min(width, max(1, round(height * high)))
        part_height = min(height, max(1, round(width / low)))
        top, left = (height - part_height) // 2, (width - part_width) // 2
        return slice(top, top + part_height), slice(left, left + part_width)


class RandomWindow:
    """A random part of an image, by area and aspect (Szegedy et al., Going deeper with convolutions, section 6)."""

    def __init__(self, name: str, scale: Sequence[float], ratio: Sequence[float], max_attempts: int) -> None:
        self.scale = parse_range(f"{name}: scale", scale, 0.0)
        self.ratio = parse_range(f"{name}: ratio", ratio, 0.0)
        if self.ratio[0] <= 0 or self.scale[1] <= 0:
            raise ValueError(f"{name}: got scale {scale!r} and ratio {ratio!r}, expected positive numbers")
        self.attempts = check_int(f"{name}: max_attempts", max_attempts, 1)

    def draw(self, rng: Rng, height: int, width: int) -> list[tuple[slice, slice] | None]:
        """For every sample the rows and columns of a part; None where no attempt fitted."""
        area = rng.uniform(*self.scale, size=self.attempts) * (height * width)
        aspect = np.exp(rng.uniform(math.log(self.ratio[0]), math.log(self.ratio[1]), size=self.attempts))
        place = rng.uniform(size=2)
        widths, heights = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
        fits = (widths >= 1) & (widths <= width) & (heights >= 1) & (heights <= height)
        windows: list[tuple[slice, slice] | None] = []
        for i, which in enumerate(fits.argmax(axis=1).tolist()):
            h, w = int(heights[i, which]), int(widths[i, which])
            top, left = int(place[i, 0] * (height - h + 1)), int(place[i, 1] * (width - w + 1))
            windows.append((slice(top, top + h), slice(left, left + w)) if fits[i, which] else None)
        return windows


class RandomCropDecodeResize(Transform):
    """`Decode`, then `RandomResizedCrop`, whose arguments it takes."""

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Inter = Inter.BILINEAR,
        max_attempts: int = 10,
    ) -> None:
        self._decode = Decode()
        self._crop = RandomResizedCrop(size, scale, ratio, interpolation, max_attempts)

    def sample(self, rng: Rng, *columns: Any) -> Any:
        results = tuple(self._crop.sample(rng.restarted(), self._decode.sample(rng, column)) for column in columns)
        return results[0] if len(results) == 1 else results


# Flips and rotations


class HorizontalFlip(ImageTransform):
    """Swap left and right."""

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(images[:, :, ::-1])


class VerticalFlip(ImageTransform):
    """Swap top and bottom."""

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(images[:, ::-1])


class _RandomFlip(ImageTransform):
    _axis = 0

    def __init__(self, prob: float = 0.5) -> None:
        self._prob = check_probability(f"{type(self).__name__}: prob", prob)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        chosen = rng.uniform() < self._prob
        out = images.copy()
        out[chosen] = np.flip(images[chosen], axis=self._axis)
        return out


class RandomHorizontalFlip(_RandomFlip):
    """Swap left and right with a probability.

    Args:
        prob: the probability, 0 to 1.
    """

    _axis = 2


class RandomVerticalFlip(_RandomFlip):
    """Swap top and bottom with a probability.

    Args:
        prob: the probability, 0 to 1.
    """

    _axis = 1


class _Turn(ImageTransform):
    """Common to rotations: turns a stack by one angle per image."""

    def __init__(
        self, resample: Inter, expand: bool, center: Sequence[float] | None, fill_value: int | Sequence[int]
    ) -> None:
        name = type(self).__name__
        self._inter = parse_member(f"{name}: resample", resample, [Inter.NEAREST, Inter.BILINEAR, Inter.BICUBIC])
        self._expand = expand
        if center is not None and len(tuple(center)) != 2:
            raise ValueError(f"{name}: got center {center!r}, expected (x, y)")
        self._center = None if center is None else (float(center[0]), float(center[1]))
        self._fill = parse_fill(name, fill_value)

    def turn(self, images: np.ndarray, degrees: np.ndarray) -> Block:
        """Images turned counter-clockwise by `degrees` [N]; a list where they grow to hold their corners."""
        height, width = images.shape[1:3]
        center = self._center or ((width - 1) / 2, (height - 1) / 2)
        fill = colour(self._fill, images.shape[3], type(self).__name__)
        if not self._expand:
            return ops.warp(images, ops.rotation(degrees, center), height, width, self._inter, fill)
        return stack([self._grown(images[i : i + 1], degrees[i : i + 1], fill)[0] for i in range(len(images))])

    def _grown(self, image: np.ndarray, degrees: np.ndarray, fill: np.ndarray) -> np.ndarray:
        height, width = image.shape[1:3]
        cos, sin = abs(math.cos(math.radians(degrees[0]))), abs(math.sin(math.radians(degrees[0])))
        # Rounding first: the sine of 180 degrees is not quite 0, and must not add a pixel.
        wide, high = (math.ceil(round(side, 6)) for side in (width * cos + height * sin, width * sin + height * cos))
        middle = ((width - 1) / 2, (height - 1) / 2)
        turned = ops.rotation(degrees, middle, ((wide - width) / 2, (high - height) / 2))
        return ops.warp(image, turned, high, wide, self._inter, fill)


class Rotate(_Turn):
    """Rotate counter-clockwise.

    Args:
        degrees: the angle.
        resample: `Inter.NEAREST`, `BILINEAR` or `BICUBIC`.
        expand: let the image grow to hold its corners; it then turns about its middle.
        center: (x, y) to turn about, from the upper left pixel; None for the middle.
        fill_value: colour of what comes from outside, a number or three.
    """

    def __init__(
        self,
        degrees: float,
        resample: Inter = Inter.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill_value: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(resample, expand, center, fill_value)
        self._degrees = float(degrees)

    def images(self, rng: Rng, images: np.ndarray) -> Block:
        return self.turn(images, np.full(len(images), self._degrees))


class RandomRotation(_Turn):
    """Rotate by a random angle, counter-clockwise.

    Args:
        degrees: pair (min, max) of the angle; one number x, not negative, stands for (-x, x).
        resample, expand, center, fill_value: as in `Rotate`.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        resample: Inter = Inter.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill_value: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(resample, expand, center, fill_value)
        pair = (-degrees, degrees) if isinstance(degrees, (int, float)) else degrees
        self._range = parse_range("RandomRotation: degrees", pair, -math.inf)

    def images(self, rng: Rng, images: np.ndarray) -> Block:
        return self.turn(images, rng.uniform(*self._range))


# Erasing


class RandomErasing(ColumnTransform):
    """Overwrite a random part of an image [C, H, W] with a probability (Zhong et al., Random Erasing Data
    Augmentation, 2017).

    Args:
        prob: the probability, 0 to 1.
        scale: pair (min, max) of the part's area, as a fraction of the image's.
        ratio: pair (min, max) of the part's aspect.
        value: what to write: a number, three for the channels, or "random" for standard normal noise (float images
            only).
        inplace: when called on an array, write into it.
        max_attempts: how many parts are tried before the image is left as it is.
    """

    def __init__(
        self,
        prob: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: int | str | Sequence[int] = 0,
        inplace: bool = False,
        max_attempts: int = 10,
    ) -> None:
        self._prob = check_probability("RandomErasing: prob", prob)
        self._window = RandomWindow("RandomErasing", scale, ratio, max_attempts)
        self._noise = isinstance(value, str)
        if isinstance(value, str):
            if value != "random":
                raise ValueError(f"RandomErasing: got value {value!r}, expected a number, three, or 'random'")
            value = 0
        self._fill = parse_fill("RandomErasing: value", value)
        self._inplace = inplace

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("RandomErasing", block, (3,), "an image [C, H, W]")
        if self._noise and block.dtype.kind != "f":
            raise TypeError(f"RandomErasing: value 'random' needs a float image, got {block.dtype}")
        fill = ops.saturate(colour(self._fill, block.shape[1], "RandomErasing").astype(np.float64), block.dtype)
        out = block if self._inplace else block.copy()
        chosen = rng.uniform() < self._prob
        windows = self._window.draw(rng, block.shape[2], block.shape[3])
        for i, window in enumerate(windows):
            if chosen[i] and window is not None:
                part = out[i, :, *window]
                part[:] = (
                    rng.rows(i, i + 1).fold(1).normal(part.size).reshape(part.shape)
                    if self._noise
                    else fill[:, None, None]
                )
        return out


class CutOut(ColumnTransform):
    """Overwrite random squares with 0 (DeVries, Taylor: Improved Regularization of Convolutional Neural Networks with
    Cutout, 2017).

    Args:
        length: side of a square, in pixels; parts beyond the image are cut off.
        num_patches: number of squares.
        is_hwc: whether samples are [H, W, C] (or [H, W]), else [C, H, W].
    """

    def __init__(self, length: int, num_patches: int = 1, is_hwc: bool = True) -> None:
        self._length = check_int("CutOut: length", length, 1)
        self._patches = check_int("CutOut: num_patches", num_patches, 1)
        self._is_hwc = is_hwc

    def stacked(self, rng: Rng, block: np.ndarray) -> np.ndarray:
        check_rank("CutOut", block, (2, 3), "an image [H, W, C], [C, H, W] or [H, W]")
        first = 1 if self._is_hwc or block.ndim == 3 else 2
        height, width = block.shape[first : first + 2]
        y = rng.integers(0, height, size=self._patches) - self._length // 2
        x = rng.integers(0, width, size=self._patches) - self._length // 2
        in_rows = (np.arange(height) >= y[..., None]) & (np.arange(height) < y[..., None] + self._length)
        in_columns = (np.arange(width) >= x[..., None]) & (np.arange(width) < x[..., None] + self._length)
        cut = (in_rows[..., :, None] & in_columns[..., None, :]).any(axis=1)
        along = (len(block), *(1,) * (first - 1), height, width, *(1,) * (block.ndim - first - 2))
        return np.where(cut.reshape(along), block.dtype.type(0), block)


def __getattr__(name: str) -> Any:
    """The operations on colours, which are built on this module, and those on batches."""
    from graphc.dataset import mixes, tones

    for home in (mixes, tones):
        if name in home.__all__:
            return getattr(home, name)
    raise AttributeError(f"module 'graphc.dataset.vision' has no attribute {name!r}")
