"""Operations that erase parts of images."""

from collections.abc import Sequence

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import ColumnTransform, check_probability
from graphc.dataset.vision.image_transform import ImageTransform, check_rank, colour, parse_fill, parse_flag, part_of
from graphc.dataset.vision.sizes import RandomWindow

__all__ = ["CutOut", "Erase", "RandomErasing"]


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
        self._inplace = parse_flag("RandomErasing: inplace", inplace)

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
        self._is_hwc = parse_flag("CutOut: is_hwc", is_hwc)

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


class Erase(ImageTransform):
    """Overwrite a part of an image [H, W, C].

    Args:
        top, left, height, width: the part, in pixels.
        value: what to write, 0 to 255: a number, or three.
        inplace: when called on an array, write into it.
    Raises:
        ValueError: the part reaches beyond the image.
    """

    def __init__(
        self, top: int, left: int, height: int, width: int, value: float | Sequence[float] = 0.0, inplace: bool = False
    ) -> None:
        self._corner = check_int("Erase: top", top, 0), check_int("Erase: left", left, 0)
        self._size = check_int("Erase: height", height, 1), check_int("Erase: width", width, 1)
        self._fill = parse_fill("Erase: value", value)
        if self._fill.min() < 0 or self._fill.max() > 255:
            raise ValueError(f"Erase: got value {value!r}, expected 0 to 255")
        self._inplace = inplace

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        fill = colour(self._fill, images.shape[3], "Erase").astype(np.float64)
        out = images if self._inplace else images.copy()
        part_of("Erase", out, self._corner, self._size)[:] = ops.saturate(fill, images.dtype)
        return out
