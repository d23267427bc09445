"""Flips and rotations."""

import math
from collections.abc import Sequence

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.blocks import Block, stack
from graphc.dataset.images import Inter
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import check_probability
from graphc.dataset.vision.image_transform import (
    ImageTransform,
    colour,
    parse_fill,
    parse_flag,
    parse_member,
    parse_range,
)

__all__ = ["HorizontalFlip", "RandomHorizontalFlip", "RandomRotation", "RandomVerticalFlip", "Rotate", "VerticalFlip"]


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
        self._expand = parse_flag(f"{name}: expand", expand)
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
        wide, high = round(width * cos + height * sin), round(width * sin + height * cos)
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
