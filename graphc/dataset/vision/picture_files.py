"""Files of images: their bytes, and images from and to bytes. All but whole files of bytes need Pillow."""

import io
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from graphc.dataset.blocks import as_array
from graphc.dataset.check import check_int
from graphc.dataset.images import import_pillow
from graphc.dataset.vision.image_transform import check_rank, parse_member

__all__ = [
    "ImageReadMode", "encode_jpeg", "encode_png", "get_image_num_channels", "get_image_size", "read_file",
    "read_image", "write_file", "write_jpeg", "write_png",
]  # fmt: skip


class ImageReadMode(IntEnum):
    """How `read_image` gives an image: with the channels it has, as its lightness, or in red, green and blue."""

    UNCHANGED = 0
    GRAYSCALE = 1
    COLOR = 2


def read_file(filename: str) -> np.ndarray:
    """The bytes of a file: uint8 [n]."""
    return np.fromfile(_existing("read_file", filename), np.uint8)


def write_file(filename: str, data: Any) -> None:
    """Writes uint8 [n] to a file.

    Raises:
        TypeError: other data.
    """
    array = as_array(data, "write_file")
    if array.dtype != np.uint8 or array.ndim != 1:
        raise TypeError(f"write_file: got {array.dtype} of shape {array.shape}, expected uint8 [n]")
    _target("write_file", filename).write_bytes(array.tobytes())


def read_image(filename: str, mode: ImageReadMode = ImageReadMode.UNCHANGED) -> np.ndarray:
    """The image in a file: uint8 [H, W, C], of a gray one [H, W, 1].

    Raises:
        ValueError: the file holds no image that Pillow can read.
    """
    parse_member("read_image: mode", mode, list(ImageReadMode))
    path = _existing("read_image", filename)
    try:
        with import_pillow("read_image").open(path) as image:
            if mode is ImageReadMode.GRAYSCALE:
                image = image.convert("L")
            elif mode is ImageReadMode.COLOR or image.mode not in ("L", "RGB", "RGBA"):
                image = image.convert("RGB")
            array = np.array(image)
    except OSError as error:
        raise ValueError(f"read_image: {filename} is not a readable image file ({error})") from error
    return array if array.ndim == 3 else array[..., None]


def encode_jpeg(image: Any, quality: int = 75) -> np.ndarray:
    """The bytes of a JPEG file of a uint8 image [H, W], [H, W, 1] or [H, W, 3].

    Args:
        quality: 1 to 100.
    """
    return _encoded("encode_jpeg", image, "JPEG", quality=check_int("encode_jpeg: quality", quality, 1, 100))


def encode_png(image: Any, compression_level: int = 6) -> np.ndarray:
    """The bytes of a PNG file of a uint8 image [H, W], [H, W, 1] or [H, W, 3].

    Args:
        compression_level: 0 to 9.
    """
    level = check_int("encode_png: compression_level", compression_level, 0, 9)
    return _encoded("encode_png", image, "PNG", compress_level=level)


def write_jpeg(filename: str, image: Any, quality: int = 75) -> None:
    """Writes what `encode_jpeg` gives to a file."""
    data = encode_jpeg(image, quality)
    _target("write_jpeg", filename).write_bytes(data.tobytes())


def write_png(filename: str, image: Any, compression_level: int = 6) -> None:
    """Writes what `encode_png` gives to a file."""
    data = encode_png(image, compression_level)
    _target("write_png", filename).write_bytes(data.tobytes())


def get_image_size(image: Any) -> list[int]:
    """Height and width of an array [..., H, W, C] or [H, W], or of a PIL image."""
    array = _image("get_image_size", image)
    return list(array.shape[:2] if array.ndim == 2 else array.shape[-3:-1])


def get_image_num_channels(image: Any) -> int:
    """How many channels an array [..., H, W, C] or [H, W], or a PIL image has."""
    array = _image("get_image_num_channels", image)
    return 1 if array.ndim == 2 else array.shape[-1]


def _image(name: str, image: Any) -> np.ndarray:
    array = np.asarray(image)
    if array.ndim < 2 or array.dtype == object:
        raise TypeError(f"{name}: got {type(image).__name__} of shape {array.shape}, expected an image")
    return array


def _encoded(name: str, image: Any, kind: str, **options: int) -> np.ndarray:
    array = as_array(image, name)
    check_rank(name, array[None], (2, 3), "an image [H, W] or [H, W, C]")
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.dtype != np.uint8 or array.shape[2:] not in ((), (3,)):
        got = f"{array.dtype} of shape {array.shape}"
        raise TypeError(f"{name}: got {got}, expected uint8 [H, W], [H, W, 1] or [H, W, 3]")
    out = io.BytesIO()
    import_pillow(name).fromarray(array).save(out, kind, **options)
    return np.frombuffer(out.getvalue(), np.uint8).copy()


def _existing(name: str, filename: str) -> Path:
    if not isinstance(filename, str):
        raise TypeError(f"{name}: got filename {filename!r}, expected a string")
    if not Path(filename).is_file():
        raise FileNotFoundError(f"{name}: {filename} is no file")
    return Path(filename)


def _target(name: str, filename: str) -> Path:
    if not isinstance(filename, str):
        raise TypeError(f"{name}: got filename {filename!r}, expected a string")
    return Path(filename)
