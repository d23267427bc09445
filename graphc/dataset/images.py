"""Arithmetic on stacks of images, [N, H, W, C]: resampling, warping, colour.

Every function treats the images of a stack alike and apart, so that a stack of one gives the same as a stack of many.
Integers are computed on in float32 (float64 above 16 bits), rounded to the nearest and held within their range.
"""

import io
from collections.abc import Callable
from enum import Enum, StrEnum
from functools import lru_cache, partial
from math import prod
from typing import Any

import numpy as np


class Inter(Enum):
    """Interpolation, as in OpenCV (NEAREST, BILINEAR, BICUBIC, AREA) and in Pillow (PILCUBIC, ANTIALIAS: Lanczos)."""

    NEAREST = 0
    ANTIALIAS = 1
    BILINEAR = LINEAR = 2
    BICUBIC = CUBIC = 3
    AREA = 4
    PILCUBIC = 5


class Border(StrEnum):
    """What a border is filled with: one value, the edge pixel, or the mirrored image without or with its edge pixel."""

    CONSTANT = "constant"
    EDGE = "edge"
    REFLECT = "reflect"
    SYMMETRIC = "symmetric"


def import_pillow(what: str) -> Any:
    """The module `PIL.Image`.

    Raises:
        ImportError: Pillow is not installed.
    """
    try:
        import PIL.Image
    except ImportError:
        raise ImportError(f"{what} needs Pillow, which is not installed: pip install pillow") from None
    return PIL.Image


def check_decode(name: str, decode: Any) -> bool:
    """Whether pictures are to be decoded.

    Raises:
        TypeError: that is no bool. ImportError: Pillow is not installed.
    """
    if not isinstance(decode, bool):
        raise TypeError(f"{name}: got decode {decode!r}, expected a bool")
    if decode:
        import_pillow(f"{name}: decode")
    return decode


def decode_image(data: np.ndarray, where: str) -> np.ndarray:
    """The image in the bytes of a file.

    Args:
        data: uint8 [n].
        where: what to call it in errors.
    Returns:
        uint8 [H, W, 3], red first.
    Raises:
        ImportError: Pillow is not installed.
        ValueError: the bytes are no image Pillow can read.
    """
    pillow = import_pillow("decoding images")
    if data.dtype != np.uint8 or data.ndim != 1:
        raise ValueError(
            f"{where}: got {data.dtype} of shape {data.shape}, expected the bytes of an image file, uint8 [n]"
        )
    try:
        with pillow.open(io.BytesIO(data.tobytes())) as image:
            return np.array(image.convert("RGB"))
    except Exception as error:  # Pillow's plugins raise many kinds for damaged files
        why = "of no known format" if isinstance(error, pillow.UnidentifiedImageError) else error
        raise ValueError(f"{where}: not a readable image file ({why})") from error


def saturate(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats as `dtype`; integers are rounded to the nearest, ties to even, and held within their range."""
    if dtype.kind not in "iu":
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    rounded: np.ndarray = np.rint(values).clip(limits.min, limits.max)
    return rounded.astype(dtype)


def _work_dtype(dtype: np.dtype) -> type[np.floating]:
    exact = dtype.itemsize <= 2 if dtype.kind in "iu" else dtype.itemsize <= 4
    return np.float32 if exact else np.float64


# Resampling


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel (Keys, Cubic convolution interpolation for digital image processing, 1981)."""
    x = np.asarray(np.abs(x))
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.select([x < 1, x < 2], [inner, outer], 0.0)


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _triangle(x: np.ndarray) -> np.ndarray:
    height: np.ndarray = 1 - np.abs(x)
    return height.clip(min=0)


# Kernels that interpolate between the 2 * reach pixels around a point: reach, kernel.
_POINT_KERNELS: dict[Inter, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    Inter.BILINEAR: (1, _triangle),
    Inter.BICUBIC: (2, lambda x: _cubic(x, -0.75)),
}

_AT_ONCE = 1 << 17
"""How many pixels' values are resampled at a time: what is made on the way then stays in the cache."""

Taps = tuple[np.ndarray, np.ndarray]  # for each result the source indices [out, k] and their weights [out, k]


def _nearest_taps(size: int, out: int) -> Taps:
    index = np.minimum(np.arange(out) * size // out, size - 1)[:, None]
    return index, np.ones((out, 1))


def _point_taps(size: int, out: int, reach: int, kernel: Callable[[np.ndarray], np.ndarray]) -> Taps:
    """Interpolate at the centre of each result pixel from the 2 * `reach` around; edge pixels stand for all beyond."""
    centre = (np.arange(out) + 0.5) * (size / out) - 0.5
    index = np.floor(centre).astype(np.int64)[:, None] + np.arange(1 - reach, 1 + reach)
    return np.clip(index, 0, size - 1), kernel(index - centre[:, None])


def _area_taps(size: int, out: int) -> Taps:
    """Average what each result pixel covers."""
    start = np.arange(out) * (size / out)
    stop = start + size / out
    index = np.floor(start).astype(np.int64)[:, None] + np.arange(int(np.ceil(size / out)) + 1)
    cover = np.minimum(index + 1, stop[:, None]) - np.maximum(index, start[:, None])
    weights = np.where(index < size, np.maximum(cover, 0.0), 0.0)
    return np.minimum(index, size - 1), weights / weights.sum(axis=1, keepdims=True)


def _cover_taps(size: int, out: int) -> Taps:
    """The pixel that a result pixel begins in, and the share that the next one has of it: AREA as OpenCV enlarges."""
    index = np.floor(np.arange(out) * (size / out)).astype(np.int64)
    share = np.maximum(np.arange(1, out + 1) - (index + 1) * (out / size), 0.0)
    share -= np.floor(share)
    share[index >= size - 1] = 0.0
    return np.minimum(index[:, None] + [0, 1], size - 1), np.stack([1 - share, share], 1)


def _filter_taps(size: int, out: int, reach: float, kernel: Callable[[np.ndarray], np.ndarray]) -> Taps:
    """Filter with a kernel that widens when shrinking, as Pillow does."""
    widen = max(size / out, 1.0)
    centre = ((np.arange(out) + 0.5) * (size / out))[:, None]
    first = np.floor(centre - reach * widen + 0.5).astype(np.int64)
    index = first + np.arange(int(np.ceil(2 * reach * widen)) + 1)
    used = (index >= 0) & (index < size) & (index < np.floor(centre + reach * widen + 0.5))
    weights = np.where(used, kernel((index + 0.5 - centre) / widen), 0.0)
    return np.clip(index, 0, size - 1), weights / weights.sum(axis=1, keepdims=True)


@lru_cache(maxsize=1024)
def _taps(size: int, out: int, inter: Inter, enlarged: bool) -> Taps:
    """The taps of one axis; those of parts of random sizes come again and again. `enlarged`: along some axis."""
    match inter:
        case Inter.AREA if enlarged:
            return _cover_taps(size, out)
        case Inter.NEAREST:
            return _nearest_taps(size, out)
        case Inter.BILINEAR | Inter.BICUBIC:
            return _point_taps(size, out, *_POINT_KERNELS[inter])
        case Inter.AREA:
            return _area_taps(size, out)
        case Inter.PILCUBIC:
            return _filter_taps(size, out, 2.0, lambda x: _cubic(x, -0.5))
        case _:
            return _filter_taps(size, out, 3.0, _lanczos)


def _rows(images: np.ndarray, taps: Taps, work: Any) -> np.ndarray:
    """Each row of the result as a sum of the images' rows, computed and returned in the dtype `work`."""
    index, weights = taps
    total = np.zeros((), work)
    for k in range(index.shape[1]):
        total = total + np.take(images, index[:, k], axis=1) * weights[:, k].astype(work)[:, None, None]
    return total


def _columns(images: np.ndarray, taps: Taps, work: Any) -> np.ndarray:
    """`_rows` for columns. Pixels are read one by one only where few are; whole lines take a tenth of the time each."""
    index, weights = taps
    if index.size > images.shape[2]:
        return _turned(_rows(_turned(images), taps, work))
    total = np.zeros((), work)
    for k in range(index.shape[1]):
        total = total + np.take(images, index[:, k], axis=2) * weights[:, k].astype(work)[:, None]
    return total


def _turned(images: np.ndarray) -> np.ndarray:
    """Images with rows and columns exchanged."""
    return np.ascontiguousarray(images.swapaxes(1, 2))


def _read(images: np.ndarray, rows: Taps) -> tuple[np.ndarray, Taps]:
    """The rows that are read, where these are few, and where they are now."""
    index, weights = rows
    if index.size >= images.shape[1]:
        return images, rows
    used, places = np.unique(index, return_inverse=True)
    return np.take(images, used, axis=1), (places.reshape(index.shape), weights)


def resize(images: np.ndarray, height: int, width: int, inter: Inter) -> np.ndarray:
    """Images [N, H, W, C] at another size, of the same dtype."""
    if images.shape[1:3] == (height, width):
        return images
    sizes = (images.shape[2], width), (images.shape[1], height)
    enlarged = any(size < out for size, out in sizes)
    columns, rows = (_taps(*size, inter, enlarged) for size in sizes)
    if inter is Inter.NEAREST:
        return images[:, rows[0][:, 0]][:, :, columns[0][:, 0]]
    if images.dtype == np.uint8 and inter is Inter.AREA and all(size == 2 * out for size, out in sizes):
        whole: np.ndarray = images.astype(np.int32).reshape(len(images), height, 2, width, 2, -1).sum((2, 4)) + 2 >> 2
        return whole.astype(np.uint8)  # half up, as OpenCV has it for this size
    between = inter in (Inter.BILINEAR, Inter.BICUBIC) or (enlarged and inter is Inter.AREA)
    resample = _between_bytes if between and images.dtype == np.uint8 else partial(_resampled, inter=inter)
    images, rows = _read(images, rows)
    few = max(1, _AT_ONCE // (max(prod(images.shape[1:3]), height * width) * images.shape[3]))
    return np.concatenate([resample(images[n : n + few], columns, rows) for n in range(0, len(images) or 1, few)])


def _resampled(images: np.ndarray, columns: Taps, rows: Taps, inter: Inter) -> np.ndarray:
    work = _work_dtype(images.dtype)
    across = _columns(images, columns, work)
    if inter in (Inter.PILCUBIC, Inter.ANTIALIAS):
        across = saturate(across, images.dtype).astype(work)  # Pillow stores what its first pass makes
    return saturate(_rows(across, rows, work), images.dtype)


def _between_bytes(images: np.ndarray, columns: Taps, rows: Taps) -> np.ndarray:
    """Bytes between bytes, in integers as OpenCV has them: weights in steps of 1/2048, and what its shifts cut off."""
    (across, x), (down, y) = (
        (index, np.rint(weights.astype(np.float32) * 2048).astype(np.int32)) for index, weights in (columns, rows)
    )
    line = _columns(images, (across, x), np.int32)
    taken = [np.take(line if y.shape[1] > 2 else line >> 4, down[:, k], axis=1) for k in range(y.shape[1])]
    shares = [y[:, k, None, None] for k in range(y.shape[1])]
    if y.shape[1] > 2:
        parts = [row.astype(np.float32) * (share / np.float32(2**22)) for row, share in zip(taken, shares, strict=True)]
        return saturate(parts[0] + parts[1] + parts[2] + parts[3], images.dtype)
    above, below = ((row * share) >> 16 for row, share in zip(taken, shares, strict=True))
    whole: np.ndarray = (above + below + 2) >> 2
    return whole.astype(np.uint8)


def warp(
    images: np.ndarray, inverse: np.ndarray, height: int, width: int, inter: Inter, fill: np.ndarray
) -> np.ndarray:
    """Images seen through affine or projective maps.

    Args:
        images: [N, H, W, C].
        inverse: [N, 2, 3], from a pixel (x, y, 1) of the result to the point (x, y) of the image it shows; or
            [N, 3, 3], where that point is (x / z, y / z).
        height, width: size of the result.
        inter: NEAREST, BILINEAR or BICUBIC.
        fill: [C], the colour outside the image.
    Returns:
        [N, height, width, C] of the dtype of `images`.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    source_x, source_y, *depth = (
        m[:, 0, None, None] * x + m[:, 1, None, None] * y + m[:, 2, None, None] for m in inverse.transpose(1, 0, 2)
    )
    if depth:
        far = np.full_like(source_x, -1e9)  # what is seen where a line of the result has no end
        source_x, source_y = (np.divide(s, depth[0], out=far.copy(), where=depth[0] != 0) for s in (source_x, source_y))
    fill = saturate(fill.astype(np.float64), images.dtype)
    if inter is Inter.NEAREST:
        return _Taps2D(images, 0, np.floor(source_x + 0.5), np.floor(source_y + 0.5), fill).pixels(0, 0)
    reach, kernel = _POINT_KERNELS[inter]
    left, top = np.floor(source_x), np.floor(source_y)
    work = _work_dtype(images.dtype)
    taps = _Taps2D(images.astype(work, copy=False), reach, left, top, fill.astype(work))
    beyond_x, beyond_y = (source_x - left).astype(work)[..., None], (source_y - top).astype(work)[..., None]
    steps = range(1 - reach, 1 + reach)
    across = [kernel(step - beyond_x) for step in steps]
    total = np.zeros((), work)
    for row in steps:
        total = total + kernel(row - beyond_y) * sum(taps.pixels(row, step) * across[i] for i, step in enumerate(steps))
    return saturate(total, images.dtype)


class _Taps2D:
    """Reads the pixels around points (left, top) [N, h, w] of images, and `fill` outside of these.

    A border of `fill` stands around the images, and points further out than any pixel reaches are moved into it:
    reading a pixel is then one gather.
    """

    def __init__(self, images: np.ndarray, reach: int, left: np.ndarray, top: np.ndarray, fill: np.ndarray) -> None:
        n, height, width, channels = images.shape
        border = max(1, 2 * reach)
        self._width = width + 2 * border
        framed = np.empty((n, height + 2 * border, self._width, channels), images.dtype)
        framed[:] = fill
        framed[:, border:-border, border:-border] = images
        self._flat = framed.reshape(-1, channels)
        column = np.clip(left, -reach - 1, width - 1 + max(1, reach)).astype(np.int64) + border
        row = np.clip(top, -reach - 1, height - 1 + max(1, reach)).astype(np.int64) + border
        self._first = (np.arange(n)[:, None, None] * framed.shape[1] + row) * self._width + column

    def pixels(self, row: int, column: int) -> np.ndarray:
        """The pixels `row` below and `column` to the right of the points: [N, h, w, C]."""
        found: np.ndarray = self._flat.take(self._first + (row * self._width + column), axis=0)
        return found


def rotation(degrees: np.ndarray, center: tuple[float, float], shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """The maps [N, 2, 3] for `warp` that turn images counter-clockwise about `center` (x, y), moved by `shift`."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = center[0] + shift[0], center[1] + shift[1]
    # The y axis points down: a result pixel at (dx, dy) from the centre shows (cos dx - sin dy, sin dx + cos dy).
    return np.stack(
        [
            np.stack([cos, -sin, center[0] - cos * x + sin * y], axis=-1),
            np.stack([sin, cos, center[1] - sin * x - cos * y], axis=-1),
        ],
        axis=1,
    )


def affine(
    degrees: np.ndarray, shift: np.ndarray, scale: np.ndarray, shear: np.ndarray, center: tuple[float, float]
) -> np.ndarray:
    """The maps [N, 2, 3] for `warp` that shear, scale, turn and move images, the first three about `center`.

    Args:
        degrees: [N], clockwise.
        shift: [N, 2], pixels to the right and down.
        scale: [N], above 0.
        shear: [N, 2], degrees along x and y.
    """
    turn, (lean_x, lean_y) = np.deg2rad(degrees), np.deg2rad(shear).T
    forward = [
        scale * np.cos(turn - lean_y) / np.cos(lean_y),
        scale * (-np.cos(turn - lean_y) * np.tan(lean_x) / np.cos(lean_y) - np.sin(turn)),
        scale * np.sin(turn - lean_y) / np.cos(lean_y),
        scale * (-np.sin(turn - lean_y) * np.tan(lean_x) / np.cos(lean_y) + np.cos(turn)),
    ]
    size = forward[0] * forward[3] - forward[1] * forward[2]
    a, b, c, d = forward[3] / size, -forward[1] / size, -forward[2] / size, forward[0] / size
    x, y = center[0] + shift[:, 0], center[1] + shift[:, 1]
    return np.stack(
        [
            np.stack([a, b, center[0] - a * x - b * y], axis=-1),
            np.stack([c, d, center[1] - c * x - d * y], axis=-1),
        ],
        axis=1,
    )


def projective(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The maps [N, 3, 3] for `warp` that move the points `start` [N, 4, 2] of images to `end`.

    Where three of the points lie on a line, and so no map does, it is one that comes near.
    """
    (x, y), (u, v) = end.transpose(2, 0, 1), start.transpose(2, 0, 1)
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = [
        np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1),
        np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1),
    ]
    systems = zip(np.concatenate(rows, axis=1), np.concatenate([u, v], axis=1), strict=True)
    return np.stack([np.append(np.linalg.lstsq(a, b, rcond=None)[0], 1.0).reshape(3, 3) for a, b in systems])


# Filters


def _blurred(images: np.ndarray) -> np.ndarray:
    """Images blurred by a 3x3 filter whose middle counts five times, in float; the pixels at the edge stay."""
    blurred = images.astype(_work_dtype(images.dtype))
    height, width = images.shape[1:3]
    if height > 2 and width > 2:
        parts = [
            images[:, i : height - 2 + i, j : width - 2 + j].astype(blurred.dtype) * (5 if i == j == 1 else 1)
            for i in range(3)
            for j in range(3)
        ]
        inner = sum(parts) / blurred.dtype.type(13)
        blurred[:, 1:-1, 1:-1] = np.floor(inner + 0.5) if images.dtype.kind in "iu" else inner
    return blurred


def adjust_sharpness(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Move images away from themselves blurred by factors [N]: 0 gives them blurred, 1 as they are, 2 sharpened."""
    blurred = _blurred(images)
    return saturate(blurred + (images - blurred) * _per_image(factors), images.dtype)


def gaussian_blur(images: np.ndarray, size: tuple[int, int], sigma: tuple[float, float]) -> np.ndarray:
    """Images blurred by `size` pixels, odd numbers, across and down, with these standard deviations.

    At the edges images are mirrored, without the edge pixel.
    """
    work = images.astype(_work_dtype(images.dtype))
    for count, spread in zip(size, sigma, strict=True):  # across, then down
        work = _turned(work)
        places = np.arange(count) - count // 2
        weights = np.exp(-(places**2) / (2.0 * spread * spread))
        weights /= weights.sum()
        extent = work.shape[1]
        mirrored = np.pad(np.arange(extent), count // 2, mode="reflect" if extent > 1 else "edge")
        index = mirrored[np.arange(extent)[:, None] + np.arange(count)]
        work = _rows(work, (index, np.broadcast_to(weights, index.shape)), work.dtype)
    return saturate(work, images.dtype)


# Colour


def gray(images: np.ndarray) -> np.ndarray:
    """The lightness of uint8 images [N, H, W, 3] as uint8 [N, H, W]: ITU-R 601 in 16-bit fixed point, as Pillow."""
    red, green, blue = (images[..., i].astype(np.int32) for i in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def lightness(images: np.ndarray) -> np.ndarray:
    """The lightness of uint8 or float images [N, H, W, 3]: [N, H, W] of the same dtype."""
    if images.dtype == np.uint8:
        return gray(images)
    red, green, blue = (images[..., i] for i in range(3))
    weights = [images.dtype.type(w) for w in (0.299, 0.587, 0.114)]
    light: np.ndarray = red * weights[0] + green * weights[1] + blue * weights[2]
    return light


def _per_image(factors: np.ndarray) -> np.ndarray:
    return factors.astype(np.float32)[:, None, None, None]


def adjust_brightness(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Multiply uint8 or float images by factors [N]."""
    return saturate(images * _per_image(factors), images.dtype)


def adjust_contrast(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Move uint8 or float images [N, H, W, 3] away from their mean lightness by factors [N].

    0 gives even gray, 1 the image.
    """
    light = lightness(images).reshape(len(images), -1)
    mean = light.mean(axis=1, dtype=np.float64)
    mean = np.floor(mean + 0.5) if images.dtype == np.uint8 else mean
    middle = mean.astype(_work_dtype(images.dtype))[:, None, None, None]
    return saturate(middle + (images - middle) * _per_image(factors), images.dtype)


def adjust_saturation(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Move uint8 or float images [N, H, W, 3] away from gray by factors [N]; 0 gives the gray image, 1 the image."""
    light = lightness(images)[..., None].astype(_work_dtype(images.dtype))
    return saturate(light + (images - light) * _per_image(factors), images.dtype)


def adjust_hue(images: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Turn the hue of uint8 or float images [N, H, W, 3] by shifts [N], in turns of the colour circle.

    Hue, saturation, value: A. R. Smith, Color gamut transform pairs, 1978.
    """
    sector, chroma, value = _hexcone(images.astype(_work_dtype(images.dtype)))
    return saturate(_from_hexcone(sector + 6 * shifts.astype(np.float32)[:, None, None], chroma, value), images.dtype)


def _hexcone(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The hue in sixths of the circle (-1 to 5), the chroma and the greatest value of float images [..., 3]."""
    red, green, blue = (np.ascontiguousarray(images[..., i]) for i in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    safe = np.where(chroma == 0, images.dtype.type(1), chroma)
    from_green = np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4)
    return np.where(value == red, (green - blue) / safe, from_green), chroma, value


def _from_hexcone(sector: np.ndarray, chroma: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Each channel is the value less the part of the chroma that its distance from the hue takes away.

    Args:
        sector: -6 to 12.
    """
    result, six = np.empty((*value.shape, 3), value.dtype), value.dtype.type(6)
    for channel, offset in enumerate((5, 3, 1)):
        k = sector + value.dtype.type(offset)  # modulo six, for which np.mod takes several times as long
        k += six * (k < 0)
        k -= six * (k >= 12)
        k -= six * (k >= 6)
        result[..., channel] = value - chroma * np.clip(np.minimum(k, 4 - k), 0, 1)
    return result


def rgb_to_hsv(images: np.ndarray) -> np.ndarray:
    """Float images [..., 3] of red, green, blue in hue (0 to 1), saturation and value."""
    sector, chroma, value = _hexcone(images)
    saturation = np.where(value == 0, 0, chroma / np.where(value == 0, 1, value))
    return np.stack([np.mod(sector / 6, 1), saturation, value], axis=-1).astype(images.dtype)


def hsv_to_rgb(images: np.ndarray) -> np.ndarray:
    """Float images [..., 3] of hue, saturation, value in red, green, blue."""
    hue, saturation, value = (images[..., i] for i in range(3))
    return _from_hexcone(np.mod(hue * 6, 6), saturation * value, value).astype(images.dtype)
