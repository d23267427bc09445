"""Operations on an image and the boxes around its objects: two columns in, two out.

Boxes are [N, 4 or more]: x and y of the upper left corner, width, height, and what else belongs to the box (a label).
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.blocks import as_array
from graphc.dataset.images import Border, Inter
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import Chain, Transform, check_probability
from graphc.dataset.vision.cuts import RandomResize
from graphc.dataset.vision.image_transform import check_rank
from graphc.dataset.vision.sizes import RandomCrop, RandomResizedCrop, Resize

__all__ = [
    "BoundingBoxAugment", "RandomCropWithBBox", "RandomHorizontalFlipWithBBox", "RandomResizeWithBBox",
    "RandomResizedCropWithBBox", "RandomVerticalFlipWithBBox", "ResizeWithBBox",
]  # fmt: skip


class _WithBoxes(Transform):
    """An operation on an image and its boxes.

    Raises:
        ValueError: other than two columns, boxes of another shape, or beyond the image.
    """

    @abstractmethod
    def changed(self, rng: Rng, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What becomes of an image [H, W, C] and of its boxes, which may be written to."""

    def sample(self, rng: Rng, *columns: Any) -> Any:
        name = type(self).__name__
        if len(columns) != 2:
            raise ValueError(f"{name}: got {len(columns)} columns, expected an image and its boxes")
        image, boxes = (as_array(column, name) for column in columns)
        check_rank(name, image[None], (2, 3), "an image [H, W] or [H, W, C]")
        if boxes.ndim != 2 or boxes.shape[1] < 4:
            raise ValueError(f"{name}: got boxes of shape {boxes.shape}, expected [N, 4 or more]")
        boxes = boxes.astype(np.float32)
        ends, extent = boxes[:, :2] + boxes[:, 2:4], np.array(image.shape[1::-1])
        if (boxes[:, :4] < 0).any() or (ends > extent).any():
            raise ValueError(f"{name}: a box reaches beyond the image of {image.shape[0]} x {image.shape[1]}")
        found, boxes = self.changed(rng, image if image.ndim == 3 else image[..., None], boxes)
        return (found if image.ndim == 3 else found[..., 0]), boxes


def _within(boxes: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """The boxes as they are in a part of the image: what is left of them, without those that do not reach into it."""
    corner, extent = np.array([left, top]), np.array([width, height])
    start, end = boxes[:, :2] - corner, boxes[:, :2] + boxes[:, 2:4] - corner
    kept = ((end >= 0) & (start <= extent)).all(axis=1)
    start, end = start.clip(0, extent), end.clip(0, extent)
    inside = np.concatenate([start, end - start, boxes[:, 4:]], axis=1)[kept]
    return np.asarray(inside, np.float32)


def _scaled(boxes: np.ndarray, old: Sequence[int], new: Sequence[int]) -> np.ndarray:
    """The boxes where an image of `old` (height, width) has become one of `new`."""
    factors = np.array([new[1] / old[1], new[0] / old[0]] * 2, np.float32)
    boxes[:, :4] *= factors
    return boxes


class _RandomFlipWithBBox(_WithBoxes):
    _axis = 0

    def __init__(self, prob: float = 0.5) -> None:
        self._prob = check_probability(f"{type(self).__name__}: prob", prob)

    def changed(self, rng: Rng, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if rng.uniform()[0] >= self._prob:
            return image, boxes
        along = 1 - self._axis  # x for the columns of the image
        boxes[:, along] = image.shape[self._axis] - boxes[:, along] - boxes[:, along + 2]
        return np.ascontiguousarray(np.flip(image, self._axis)), boxes


class RandomHorizontalFlipWithBBox(_RandomFlipWithBBox):
    """Swap left and right with a probability.

    Args:
        prob: the probability, 0 to 1.
    """

    _axis = 1


class RandomVerticalFlipWithBBox(_RandomFlipWithBBox):
    """Swap top and bottom with a probability.

    Args:
        prob: the probability, 0 to 1.
    """

    _axis = 0


class ResizeWithBBox(_WithBoxes):
    """`Resize`, whose arguments it takes."""

    def __init__(self, size: int | Sequence[int], interpolation: Inter = Inter.BILINEAR) -> None:
        self._resize: Resize | RandomResize = Resize(size, interpolation)

    def changed(self, rng: Rng, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = self._resize.images(rng, image[None])[0]
        return found, _scaled(boxes, image.shape, found.shape)


class RandomResizeWithBBox(ResizeWithBBox):
    """`RandomResize`, whose argument it takes."""

    def __init__(self, size: int | Sequence[int]) -> None:
        self._resize = RandomResize(size)


class RandomCropWithBBox(_WithBoxes):
    """`RandomCrop`, whose arguments it takes; boxes outside the part are left out."""

    def __init__(
        self, size: int | Sequence[int], padding: int | Sequence[int] | None = None, pad_if_needed: bool = False,
        fill_value: int | Sequence[int] = 0, padding_mode: Border = Border.CONSTANT,
    ) -> None:
        self._crop = RandomCrop(size, padding, pad_if_needed, fill_value, padding_mode)

    def changed(self, rng: Rng, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        padded, left, top = self._crop.padded(image[None])
        rows, columns = self._crop.places(rng, padded)
        boxes[:, :2] += np.array([left, top], np.float32)
        (y, x), (height, width) = (int(rows[0]), int(columns[0])), self._crop.size
        return padded[0, y : y + height, x : x + width], _within(boxes, y, x, height, width)


class RandomResizedCropWithBBox(_WithBoxes):
    """`RandomResizedCrop`, whose arguments it takes; boxes outside the part are left out."""

    def __init__(
        self, size: int | Sequence[int], scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0), interpolation: Inter = Inter.BILINEAR, max_attempts: int = 10,
    ) -> None:
        self._crop = RandomResizedCrop(size, scale, ratio, interpolation, max_attempts)

    def changed(self, rng: Rng, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = self._crop.windows(rng, *image.shape[:2])[0]
        part = image[rows, columns]
        found = self._crop.resized(part)
        inside = _within(boxes, rows.start, columns.start, *part.shape[:2])
        return found, _scaled(inside, part.shape, found.shape)


class BoundingBoxAugment(_WithBoxes):
    """Apply an operation to the insides of some boxes, drawn at random; what changes in size is resized to the box.

    Args:
        transform: a callable that takes an image and returns one.
        ratio: which part of the boxes, rounded down, 0 to 1.
    """

    def __init__(self, transform: Callable[..., Any], ratio: float = 0.3) -> None:
        self._chain = Chain(transform)
        self._ratio = check_probability("BoundingBoxAugment: ratio", ratio)

    def changed(self, rng: Rng, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = int(self._ratio * len(boxes))
        image = image.copy()
        for k in rng.order(len(boxes))[0, :count].tolist():
            x, y, width, height = boxes[k, :4].astype(int).tolist()
            if not width or not height:
                continue
            part = image[y : y + height, x : x + width]
            (found,) = self._chain.sample(rng.fold(k), (part,))
            array = as_array(found, "BoundingBoxAugment").reshape(*np.shape(found)[:2], -1)
            part[:] = ops.resize(array[None], height, width, Inter.BILINEAR)[0]
        return image, boxes
