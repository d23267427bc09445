"""What operations on images are made of, and how they read their arguments."""

import math
import numbers
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block
from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import ColumnTransform


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


def sometimes(
    rng: Rng, prob: float, images: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Images of which each is changed with a probability."""
    chosen = rng.uniform() < prob
    out = images.copy()
    if chosen.any():
        out[chosen] = change(images[chosen])
    return out


def check_rank(name: str, block: np.ndarray, ranks: tuple[int, ...], expected: str) -> None:
    """Refuse samples of another rank, empty images, and what is no number."""
    shape = block.shape[1:]
    if len(shape) not in ranks or 0 in shape:
        raise ValueError(f"{name}: got a sample of shape {shape}, expected {expected}")
    if block.dtype.kind not in "biuf":
        raise TypeError(f"{name}: got a sample of dtype {block.dtype}, expected numbers")


def part_of(name: str, images: np.ndarray, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """A view of so many pixels (height, width) of each image, from the corner (top, left) on.

    Raises:
        ValueError: the images are smaller.
    """
    (top, left), (height, width) = corner, size
    if top + height > images.shape[1] or left + width > images.shape[2]:
        raise ValueError(
            f"{name}: {height} x {width} pixels at ({top}, {left}) reach beyond the image of "
            f"{images.shape[1]} x {images.shape[2]}"
        )
    return images[:, top : top + height, left : left + width]


def parse_size(name: str, size: int | Sequence[int]) -> tuple[int, int]:
    """A height and width; one int stands for both."""
    if not isinstance(size, (int, np.integer, Sequence)) or isinstance(size, str):
        raise TypeError(f"{name}: got size {size!r}, expected an int or (height, width)")
    pair = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(pair) != 2:
        raise ValueError(f"{name}: got size {size!r}, expected an int or (height, width)")
    return check_int(f"{name}: size", pair[0], 1), check_int(f"{name}: size", pair[1], 1)


def parse_padding(name: str, padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom; one int stands for all, two for left and right, top and bottom."""
    if not isinstance(padding, (int, np.integer, Sequence)) or isinstance(padding, str):
        raise TypeError(f"{name}: got padding {padding!r}, expected 1, 2 or 4 ints")
    given = (padding,) if isinstance(padding, (int, np.integer)) else tuple(padding)
    if len(given) not in (1, 2, 4):
        raise ValueError(f"{name}: got padding {padding!r}, expected 1, 2 or 4 ints")
    left, top, right, bottom = (check_int(f"{name}: padding", given[i % len(given)], 0) for i in range(4))
    return left, top, right, bottom


def parse_fill(name: str, fill_value: float | Sequence[float]) -> np.ndarray:
    """A colour: one number for all channels, or three."""
    fill = np.atleast_1d(np.asarray(fill_value))
    if fill.shape not in ((1,), (3,)) or fill.dtype.kind not in "iuf":
        raise TypeError(f"{name}: got fill_value {fill_value!r}, expected a number or three")
    return fill


def parse_range(name: str, value: float | Sequence[float], low: float, high: float = math.inf) -> tuple[float, float]:
    """A pair (min, max) within `low` to `high`."""
    if not isinstance(value, (Sequence, np.ndarray)) or not all(isinstance(v, numbers.Real) for v in value):
        raise TypeError(f"{name}: got {value!r}, expected a pair of numbers")
    pair = tuple(float(v) for v in value)
    if len(pair) != 2 or not low <= pair[0] <= pair[1] <= high:
        raise ValueError(f"{name}: got {value!r}, expected (min, max) with {low} <= min <= max <= {high}")
    return pair[0], pair[1]


def parse_member(name: str, value: Any, members: Sequence[Any]) -> Any:
    """One of an enumeration's members."""
    if not any(value is member for member in members):
        error = ValueError if isinstance(value, type(members[0])) else TypeError
        raise error(f"{name}: got {value!r}, expected one of {', '.join(str(member) for member in members)}")
    return value


def parse_flag(name: str, value: Any) -> bool:
    """A bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}: got {value!r} of type {type(value).__name__}, expected a bool")
    return value


def colour(fill: np.ndarray, channels: int, name: str) -> np.ndarray:
    """A fill value for this many channels."""
    if len(fill) not in (1, channels):
        raise ValueError(f"{name}: got {len(fill)} fill values for an image of {channels} channels")
    return np.broadcast_to(fill, (channels,))


def check_pixels(name: str, images: np.ndarray, channels: int | None = None) -> None:
    """Refuse images that are neither uint8 nor floats, or not of so many channels."""
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise TypeError(f"{name}: got an image of dtype {images.dtype}, expected uint8 or floats")
    if channels is not None and images.shape[-1] != channels:
        raise ValueError(f"{name}: got an image of {images.shape[-1]} channels, expected {channels}")


def check_uint8(name: str, images: np.ndarray, channels: int | None = None) -> None:
    """Refuse images that are not uint8, or not of so many channels."""
    if images.dtype != np.uint8:
        raise TypeError(f"{name}: got an image of dtype {images.dtype}, expected uint8")
    if channels is not None and images.shape[-1] != channels:
        raise ValueError(f"{name}: got an image of {images.shape[-1]} channels, expected {channels}")
