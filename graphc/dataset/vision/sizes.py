"""Operations that give images another size: resize, pad, crop."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.blocks import Block, stack
from graphc.dataset.check import check_int
from graphc.dataset.images import Border, Inter
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import Transform
from graphc.dataset.vision.formats import Decode
from graphc.dataset.vision.image_transform import (
    ImageTransform,
    colour,
    parse_fill,
    parse_flag,
    parse_member,
    parse_padding,
    parse_range,
    parse_size,
    part_of,
)

__all__ = ["CenterCrop", "Crop", "Pad", "RandomCrop", "RandomCropDecodeResize", "RandomResizedCrop", "Resize"]


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
    row = np.tile(ops.saturate(colour(fill, channels, name).astype(np.float64), images.dtype), left + width + right)
    out = np.empty((n, top + height + bottom, left + width + right, channels), images.dtype)
    out.reshape(-1, row.size)[:] = row
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
        top, left = (check_int("Crop: coordinates", c, 0) for c in coordinates)
        self._corner = top, left
        self._size = parse_size("Crop", size)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        return part_of("Crop", images, self._corner, self._size)


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
        self.size = parse_size("RandomCrop", size)
        self._padding = (0, 0, 0, 0) if padding is None else parse_padding("RandomCrop", padding)
        self._pad_if_needed = parse_flag("RandomCrop: pad_if_needed", pad_if_needed)
        self._fill = parse_fill("RandomCrop", fill_value)
        self._mode = parse_member("RandomCrop: padding_mode", padding_mode, list(Border))

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        images, _, _ = self.padded(images)
        height, width = self.size
        first_rows, first_columns = self.places(rng, images)
        out = np.empty((len(images), height, width, images.shape[3]), images.dtype)
        for part, image, top, left in zip(out, images, first_rows.tolist(), first_columns.tolist(), strict=True):
            part[:] = image[top : top + height, left : left + width]
        return out

    def padded(self, images: np.ndarray) -> tuple[np.ndarray, int, int]:
        """Images with their border, and how wide that is on the left and at the top."""
        left, top = self._padding[:2]
        images = pad(images, self._padding, self._fill, self._mode, "RandomCrop")
        if self._pad_if_needed:
            height, width = self.size
            down, across = max(0, height - images.shape[1]), max(0, width - images.shape[2])
            images = pad(images, (across, down, across, down), self._fill, self._mode, "RandomCrop")
            left, top = left + across, top + down
        return images, left, top

    def places(self, rng: Rng, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The first row and the first column of the part of each image."""
        height, width = self.size
        if height > images.shape[1] or width > images.shape[2]:
            raise ValueError(
                f"RandomCrop: size {height} x {width} is larger than the image of {images.shape[1]} x {images.shape[2]}"
            )
        return rng.integers(0, images.shape[1] - height + 1), rng.integers(0, images.shape[2] - width + 1)


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
        windows = self.windows(rng, *images.shape[1:3])
        return stack([self.resized(image[window]) for image, window in zip(images, windows, strict=True)])

    def windows(self, rng: Rng, height: int, width: int) -> list[tuple[slice, slice]]:
        """For every sample the rows and columns of its part."""
        return [window or self._middle(height, width) for window in self._window.draw(rng, height, width)]

    def resized(self, part: np.ndarray) -> np.ndarray:
        """A part [H, W, C] in the size of the result."""
        found: np.ndarray = ops.resize(part[None], *self._size, self._inter)[0]
        return found

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
