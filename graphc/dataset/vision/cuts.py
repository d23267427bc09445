"""Operations that cut images into parts, or cut and pad them to a place given."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.blocks import as_array
from graphc.dataset.check import check_int
from graphc.dataset.images import Border, Inter
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import Transform
from graphc.dataset.vision.image_transform import (
    ImageTransform,
    check_rank,
    parse_fill,
    parse_member,
    parse_size,
    part_of,
)
from graphc.dataset.vision.sizes import Resize, pad

__all__ = ["FiveCrop", "PadToSize", "RandomResize", "ResizedCrop", "SliceMode", "SlicePatches", "TenCrop"]


class ResizedCrop(ImageTransform):
    """Cut out a part and resize it.

    Args:
        top, left, height, width: the part, in pixels.
        size: as in `Resize`.
        interpolation: an `Inter`.
    Raises:
        ValueError: the part reaches beyond the image.
    """

    def __init__(
        self, top: int, left: int, height: int, width: int, size: int | Sequence[int],
        interpolation: Inter = Inter.BILINEAR,
    ) -> None:
        self._corner = check_int("ResizedCrop: top", top, 0), check_int("ResizedCrop: left", left, 0)
        self._size = check_int("ResizedCrop: height", height, 1), check_int("ResizedCrop: width", width, 1)
        self._resize = Resize(size, interpolation)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        return self._resize.images(rng, part_of("ResizedCrop", images, self._corner, self._size))


class RandomResize(ImageTransform):
    """Resize with a random interpolation.

    Args:
        size: as in `Resize`.
    """

    _INTERPOLATIONS = (Inter.BILINEAR, Inter.NEAREST, Inter.BICUBIC, Inter.AREA)

    def __init__(self, size: int | Sequence[int]) -> None:
        parse_size("RandomResize", size)
        self._choices = [Resize(size, inter) for inter in self._INTERPOLATIONS]

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        chosen = rng.integers(0, len(self._choices))
        return np.concatenate([self._choices[k].images(rng, images[i : i + 1]) for i, k in enumerate(chosen.tolist())])


class PadToSize(ImageTransform):
    """Add a border, so that images come to a size.

    Args:
        size: (height, width), or one int for both.
        offset: how much of the border is (top, left), or one int for both; None for half of it, rounded down.
        fill_value: colour of a constant border, a number or three.
        padding_mode: a `Border`.
    Raises:
        ValueError: the image, with its offset, is larger.
    """

    def __init__(
        self, size: int | Sequence[int], offset: int | Sequence[int] | None = None,
        fill_value: int | Sequence[int] = 0, padding_mode: Border = Border.CONSTANT,
    ) -> None:
        self._size = parse_size("PadToSize", size)
        given = () if offset is None else (offset, offset) if isinstance(offset, int) else tuple(offset)
        if len(given) not in (0, 2):
            raise ValueError(f"PadToSize: got offset {offset!r}, expected an int or (top, left)")
        self._offset = [check_int("PadToSize: offset", n, 0) for n in given]
        self._fill = parse_fill("PadToSize", fill_value)
        self._mode = parse_member("PadToSize: padding_mode", padding_mode, list(Border))

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        missing = [wanted - have for wanted, have in zip(self._size, images.shape[1:3], strict=True)]
        top, left = self._offset or [max(n, 0) // 2 for n in missing]
        bottom, right = missing[0] - top, missing[1] - left
        if bottom < 0 or right < 0:
            raise ValueError(
                f"PadToSize: an image of {images.shape[1]} x {images.shape[2]} at ({top}, {left}) is larger than "
                f"{self._size[0]} x {self._size[1]}"
            )
        return pad(images, (left, top, right, bottom), self._fill, self._mode, "PadToSize")


class _Parts(Transform):
    """An operation that gives several images for one, each a column."""

    def parts(self, image: np.ndarray) -> list[np.ndarray]:
        """The images made of one image [H, W] or [H, W, C]."""
        raise AttributeError(f"{type(self).__name__}: defines parts()")

    def sample(self, rng: Rng, *columns: Any) -> Any:
        name = type(self).__name__
        found: list[np.ndarray] = []
        for column in columns:
            image = as_array(column, name)
            check_rank(name, image[None], (2, 3), "an image [H, W] or [H, W, C]")
            found += map(np.ascontiguousarray, self.parts(image))
        return found[0] if len(found) == 1 else tuple(found)


class FiveCrop(_Parts):
    """The corners of an image, upper left and right, lower left and right, and its middle: five images.

    Args:
        size: (height, width) of each, or one int for both.
    Raises:
        ValueError: the image is smaller.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self._size = parse_size("FiveCrop", size)

    def parts(self, image: np.ndarray) -> list[np.ndarray]:
        (height, width), (h, w) = image.shape[:2], self._size
        if h > height or w > width:
            raise ValueError(f"FiveCrop: size {h} x {w} is larger than the image of {height} x {width}")
        middle = round((height - h) / 2.0), round((width - w) / 2.0)
        places = (0, 0), (0, width - w), (height - h, 0), (height - h, width - w), middle
        return [image[top : top + h, left : left + w] for top, left in places]


class TenCrop(_Parts):
    """The images of `FiveCrop`, and those of the flipped image.

    Args:
        size: as in `FiveCrop`.
        use_vertical_flip: swap top and bottom, instead of left and right.
    """

    def __init__(self, size: int | Sequence[int], use_vertical_flip: bool = False) -> None:
        self._five = FiveCrop(size)
        self._axis = 0 if use_vertical_flip else 1

    def parts(self, image: np.ndarray) -> list[np.ndarray]:
        return self._five.parts(image) + self._five.parts(np.flip(image, self._axis))


class SliceMode(IntEnum):
    """What `SlicePatches` does with images that do not divide: PAD them, or DROP the remainder."""

    PAD = 0
    DROP = 1


class SlicePatches(_Parts):
    """An image cut into a grid of equal patches, row by row.

    Args:
        num_height, num_width: the rows and columns of the grid.
        slice_mode: a `SliceMode`.
        fill_value: 0 to 255, with which an image is padded to the right and below.
    """

    def __init__(
        self, num_height: int = 1, num_width: int = 1, slice_mode: SliceMode = SliceMode.PAD, fill_value: int = 0
    ) -> None:
        self._rows = check_int("SlicePatches: num_height", num_height, 1)
        self._columns = check_int("SlicePatches: num_width", num_width, 1)
        self._mode = parse_member("SlicePatches: slice_mode", slice_mode, list(SliceMode))
        self._fill = np.array([check_int("SlicePatches: fill_value", fill_value, 0, 255)])

    def parts(self, image: np.ndarray) -> list[np.ndarray]:
        height, width = image.shape[:2]
        up = self._mode is SliceMode.PAD
        h, w = ((n + up * (k - 1)) // k for n, k in ((height, self._rows), (width, self._columns)))
        if not h or not w:
            raise ValueError(f"SlicePatches: {height} x {width} pixels make no {self._rows} x {self._columns} patches")
        border = ((0, max(h * self._rows - height, 0)), (0, max(w * self._columns - width, 0)))
        fill = ops.saturate(self._fill.astype(np.float64), image.dtype)[0]
        padded = np.pad(image, (*border, *((0, 0),) * (image.ndim - 2)), constant_values=fill)
        return [
            padded[i * h : (i + 1) * h, j * w : (j + 1) * w] for i in range(self._rows) for j in range(self._columns)
        ]
