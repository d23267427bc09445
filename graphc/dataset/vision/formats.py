"""Operations between files, PIL images, arrays [H, W, C] and arrays [C, H, W]."""

from typing import Any

import numpy as np

from graphc.dataset.blocks import as_array
from graphc.dataset.images import decode_image, import_pillow
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import ColumnTransform, Transform, TypeCast, numpy_dtype
from graphc.dataset.vision.image_transform import check_rank

__all__ = ["HWC2CHW", "Decode", "ToNumpy", "ToPIL", "ToTensor", "ToType"]


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


class ToNumpy(Transform):
    """A PIL image as an array [H, W] or [H, W, C]; other samples as arrays too."""

    def sample(self, rng: Rng, *columns: Any) -> Any:
        images = tuple(np.array(column) for column in columns)
        return images[0] if len(images) == 1 else images


ToType = TypeCast
"""`TypeCast`, by its name among the operations on images."""
