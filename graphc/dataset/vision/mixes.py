"""Operations that mix the images of a batch, and their labels: they are mapped after `batch`."""

from enum import Enum
from typing import Any

import numpy as np

from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import Transform, check_probability

__all__ = ["CutMixBatch", "ImageBatchFormat", "MixUp", "MixUpBatch"]


class ImageBatchFormat(Enum):
    """Where the channels of a batch are: [N, H, W, C] or [N, C, H, W]."""

    NHWC = 0
    NCHW = 1


class _Mix(Transform):
    def __init__(self, alpha: float) -> None:
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or alpha <= 0:
            raise ValueError(f"{type(self).__name__}: alpha must be greater than 0, got {alpha!r}")
        self._alpha = float(alpha)

    def _shares(self, rng: Rng, count: int) -> np.ndarray:
        """Numbers of the distribution Beta(alpha, alpha)."""
        generator = np.random.Generator(np.random.Philox(key=int(rng.bits(1)[0, 0])))
        return generator.beta(self._alpha, self._alpha, count)

    def _checked(self, columns: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
        if len(columns) != 2:
            raise ValueError(f"{type(self).__name__}: expected two columns, images and labels, got {len(columns)}")
        images, labels = map(np.asarray, columns)
        if images.ndim != 4 or labels.ndim not in (2, 3) or len(labels) != len(images):
            got = f"{images.shape} and {labels.shape}"
            raise ValueError(f"{type(self).__name__}: expected a batch of images and its one-hot labels, got {got}")
        return images, labels.astype(np.float32)


class MixUpBatch(_Mix):
    """Mix every image of a batch, and its label, with another (Zhang et al. 2018): `s * own + (1 - s) * other`.

    Images are [N, H, W, C] or [N, C, H, W] and keep their type, of integers rounded; labels are one-hot [N, K] or
    [N, R, K] and become float32.

    Args:
        alpha: the share s of the batch is of the distribution Beta(alpha, alpha).
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha)

    def sample(self, rng: Rng, *columns: Any) -> Any:
        images, labels = self._checked(columns)
        share = np.float32(self._shares(rng, 1)[0])
        order = rng.shuffled(len(images))
        values = images.astype(np.float32)
        rest = np.float32(1) - share
        mixed = values * share + values[order] * rest
        whole = np.rint(mixed) if images.dtype.kind in "iub" else mixed
        return whole.astype(images.dtype), labels * share + labels[order] * rest


class MixUp(_Mix):
    """Mix every image of a batch, and its label, with another, each in a share of its own: for `map` after `batch`.

    Images are [N, H, W, C], labels one-hot [N, K]; both become float64, as their shares are.

    Args:
        batch_size: N. With 1 all images of a batch are mixed with its first one, in one share.
        alpha: the shares are of the distribution Beta(alpha, alpha).
        is_single: mix with the next image of the batch; otherwise with what was made of the batch before, so that the
            first one stays as it is: such an operation has a state, and what it gives depends on what it was given.
    """

    def __init__(self, batch_size: int, alpha: float, is_single: bool = True) -> None:
        super().__init__(alpha)
        self._count = check_int("MixUp: batch_size", batch_size, 1)
        if not isinstance(is_single, bool):
            raise TypeError(f"MixUp: got is_single {is_single!r}, expected a bool")
        self._is_single = is_single
        self._before: tuple[np.ndarray, ...] | None = None

    def sample(self, rng: Rng, *columns: Any) -> Any:
        images, _ = self._checked(columns)
        labels = np.asarray(columns[1])
        if self._count not in (1, len(images)):
            raise ValueError(f"MixUp: expected batches of batch_size {self._count}, got {len(images)} images")
        share = self._shares(rng, self._count)
        if self._is_single:
            place = np.roll(np.arange(self._count), -1)
            others: tuple[np.ndarray, ...] = images[place], labels[place]
        else:
            share = np.ones_like(share) if self._before is None else share
            others = (images, labels) if self._before is None else self._before
        mixed = tuple(_mixed(share, own, other) for own, other in zip((images, labels), others, strict=True))
        if not self._is_single:
            self._before = mixed
        return mixed


def _mixed(share: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    part = share.reshape(-1, *(1,) * (own.ndim - 1))
    mixed: np.ndarray = part * own + (1 - part) * other
    return mixed


class CutMixBatch(_Mix):
    """Replace a random part of the images of a batch by that of others, and mix labels by area (Yun et al. 2019).

    Args:
        image_batch_format: where the channels are.
        alpha: the share that an image keeps is of the distribution Beta(alpha, alpha).
        prob: the probability, for each image, that it is changed.
    """

    def __init__(self, image_batch_format: ImageBatchFormat, alpha: float = 1.0, prob: float = 1.0) -> None:
        super().__init__(alpha)
        if not isinstance(image_batch_format, ImageBatchFormat):
            raise TypeError(f"CutMixBatch: expected an ImageBatchFormat, got {image_batch_format!r}")
        self._first = 1 if image_batch_format is ImageBatchFormat.NHWC else 2
        self._prob = check_probability("CutMixBatch: prob", prob)

    def sample(self, rng: Rng, *columns: Any) -> Any:
        images, labels = self._checked(columns)
        count, (height, width) = len(images), images.shape[self._first : self._first + 2]
        shares, order = self._shares(rng, count), rng.shuffled(count)
        chosen = rng.uniform(size=count)[0] < self._prob
        rows, columns_at = (rng.uniform(0, n, count)[0].astype(int) for n in (height, width))
        mixed, mixed_labels = images.copy(), labels.copy()
        for i in np.flatnonzero(chosen):
            half = np.sqrt(1 - shares[i]) / 2
            top, bottom = (int(np.clip(rows[i] + s * half * height, 0, height)) for s in (-1, 1))
            left, right = (int(np.clip(columns_at[i] + s * half * width, 0, width)) for s in (-1, 1))
            part = (slice(None),) * (self._first - 1) + (slice(top, bottom), slice(left, right))
            mixed[i][part] = images[order[i]][part]
            kept = np.float32(1 - (bottom - top) * (right - left) / (height * width))
            mixed_labels[i] = labels[i] * kept + labels[order[i]] * (np.float32(1) - kept)
        return mixed, mixed_labels
