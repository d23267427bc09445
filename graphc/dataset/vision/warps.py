"""Operations that move the points of images: affine and projective maps."""

import math
from collections.abc import Sequence

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.images import Inter
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import check_probability
from graphc.dataset.vision.image_transform import ImageTransform, colour, parse_fill, parse_member, parse_range

__all__ = ["Affine", "Perspective", "RandomAffine", "RandomPerspective"]

_INTERPOLATIONS = [Inter.NEAREST, Inter.BILINEAR, Inter.BICUBIC, Inter.AREA]


def _point_inter(name: str, inter: Inter) -> Inter:
    """The interpolation between pixels: AREA, which is for images that shrink, is BILINEAR as in OpenCV."""
    found: Inter = parse_member(name, inter, _INTERPOLATIONS)
    return Inter.BILINEAR if found is Inter.AREA else found


class _Affine(ImageTransform):
    def __init__(self, resample: Inter, fill_value: int | Sequence[int]) -> None:
        name = type(self).__name__
        self._inter = _point_inter(f"{name}: resample", resample)
        self._fill = parse_fill(name, fill_value)

    def moved(
        self, images: np.ndarray, degrees: np.ndarray, translate: np.ndarray, scale: np.ndarray, shear: np.ndarray
    ) -> np.ndarray:
        """Images each moved by a map: degrees [N], translate [N, 2] (parts of the image), scale [N], shear [N, 2]."""
        height, width = images.shape[1:3]
        center = (width - 1) / 2, (height - 1) / 2
        inverse = ops.affine(degrees, translate * np.array([width, height]), scale, shear, center)
        fill = colour(self._fill, images.shape[3], type(self).__name__)
        return ops.warp(images, inverse, height, width, self._inter, fill)


class Affine(_Affine):
    """Shear, scale and turn an image about its middle, then move it.

    Args:
        degrees: the angle, clockwise.
        translate: how far to the right and down, as parts of the width and the height, -1 to 1.
        scale: above 0.
        shear: degrees along x and y; one number is along x.
        resample: `Inter.NEAREST`, `BILINEAR`, `BICUBIC` or `AREA`.
        fill_value: colour of what comes from outside, a number or three.
    """

    def __init__(
        self, degrees: float, translate: Sequence[float], scale: float, shear: float | Sequence[float],
        resample: Inter = Inter.NEAREST, fill_value: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(resample, fill_value)
        self._degrees = float(degrees)
        self._translate = _numbers("Affine: translate", translate, 2)
        if max(map(abs, self._translate)) > 1:
            raise ValueError(f"Affine: got translate {translate!r}, expected numbers from -1 to 1")
        self._scale = float(scale)
        if self._scale <= 0:
            raise ValueError(f"Affine: got scale {scale!r}, expected a number above 0")
        self._shear = _numbers("Affine: shear", (shear, 0) if isinstance(shear, (int, float)) else shear, 2)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        given = self._degrees, self._translate, self._scale, self._shear
        degrees, translate, scale, shear = (np.array([value] * len(images)) for value in given)
        return self.moved(images, degrees, translate, scale, shear)


class RandomAffine(_Affine):
    """Shear, scale, turn and move an image at random.

    Args:
        degrees: pair (min, max) of the angle, clockwise; one number x, not negative, stands for (-x, x).
        translate: (min, max) of how far to the right, as a part of the width, or with (min, max) of how far down, as a
            part of the height, after it; -1 to 1; None for not at all.
        scale: pair (min, max) of the scale, above 0; None for 1.
        shear: (min, max) of the degrees along x, or with (min, max) of those along y after it; one number x stands for
            (-x, x); None for none.
        resample, fill_value: as in `Affine`.
    """

    def __init__(
        self, degrees: float | Sequence[float], translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None, shear: float | Sequence[float] | None = None,
        resample: Inter = Inter.NEAREST, fill_value: int | Sequence[int] = 0,
    ) -> None:
        super().__init__(resample, fill_value)
        around = _symmetric(degrees)
        self._degrees = parse_range("RandomAffine: degrees", around, -math.inf)
        self._translate = _two_ranges("RandomAffine: translate", (0, 0) if translate is None else translate, -1, 1)
        self._scale = parse_range("RandomAffine: scale", (1, 1) if scale is None else scale, 0.0)
        if self._scale[0] <= 0:
            raise ValueError(f"RandomAffine: got scale {scale!r}, expected numbers above 0")
        self._shear = _two_ranges("RandomAffine: shear", (0, 0) if shear is None else _symmetric(shear), -90, 90)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        degrees = rng.uniform(*self._degrees)
        translate = np.stack([rng.uniform(*pair) for pair in self._translate], axis=-1)
        scale = rng.uniform(*self._scale)
        shear = np.stack([rng.uniform(*pair) for pair in self._shear], axis=-1)
        return self.moved(images, degrees, translate, scale, shear)


def _numbers(name: str, values: Sequence[float], count: int) -> tuple[float, ...]:
    if not isinstance(values, (tuple, list)) or len(values) != count:
        raise ValueError(f"{name}: got {values!r}, expected {count} numbers")
    return tuple(float(v) for v in values)


def _symmetric(value: float | Sequence[float]) -> Sequence[float]:
    return (-value, value) if isinstance(value, (int, float)) else value


def _two_ranges(name: str, given: Sequence[float], low: float, high: float) -> list[tuple[float, float]]:
    """Pairs (min, max) along x and y, of which the second may be left out."""
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 4):
        raise ValueError(f"{name}: got {given!r}, expected two or four numbers")
    return [parse_range(name, pair, low, high) for pair in (given[:2], given[2:] or (0, 0))]


class Perspective(ImageTransform):
    """See an image from elsewhere: move four of its points to others; what comes from outside is 0.

    Args:
        start_points: four points (x, y).
        end_points: where they are moved.
        interpolation: `Inter.NEAREST`, `BILINEAR`, `BICUBIC` or `AREA`.
    """

    def __init__(
        self, start_points: Sequence[Sequence[float]], end_points: Sequence[Sequence[float]],
        interpolation: Inter = Inter.BILINEAR,
    ) -> None:
        self._start, self._end = (np.asarray(points, np.float64) for points in (start_points, end_points))
        if self._start.shape != (4, 2) or self._end.shape != (4, 2):
            raise ValueError(f"Perspective: got {start_points!r} and {end_points!r}, expected four points (x, y) each")
        if _flat(self._start) or _flat(self._end):
            raise ValueError(f"Perspective: got {start_points!r} and {end_points!r}, three of them lie on a line")
        self._inter = _point_inter("Perspective: interpolation", interpolation)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        return _projected(images, self._start[None], self._end[None], self._inter)


def _flat(points: np.ndarray) -> bool:
    """Whether three of four points lie on a line."""
    for left_out in range(4):
        a, b, c = np.delete(points, left_out, axis=0)
        if (b[0] - a[0]) * (c[1] - a[1]) == (b[1] - a[1]) * (c[0] - a[0]):
            return True
    return False


def _projected(images: np.ndarray, start: np.ndarray, end: np.ndarray, inter: Inter) -> np.ndarray:
    inverse = np.broadcast_to(ops.projective(start, end), (len(images), 3, 3))
    height, width, channels = images.shape[1:]
    return ops.warp(images, inverse, height, width, inter, np.zeros(channels))


class RandomPerspective(ImageTransform):
    """See an image from elsewhere, at random, with a probability: its corners move towards the middle.

    Args:
        distortion_scale: how far corners move at most, as a part of the way to the middle, 0 to 1.
        prob: the probability, 0 to 1.
        interpolation: as in `Perspective`.
    """

    def __init__(
        self, distortion_scale: float = 0.5, prob: float = 0.5, interpolation: Inter = Inter.BICUBIC
    ) -> None:
        self._distortion = check_probability("RandomPerspective: distortion_scale", distortion_scale)
        self._prob = check_probability("RandomPerspective: prob", prob)
        self._inter = _point_inter("RandomPerspective: interpolation", interpolation)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        chosen = rng.uniform() < self._prob
        corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64)
        inward = np.stack(
            [rng.integers(0, int(extent / 2 * self._distortion) + 1, size=4) for extent in (width, height)], axis=-1
        )
        ends = corners + inward * np.where(corners > 0, -1, 1)
        out = images.copy()
        if chosen.any():
            start = np.broadcast_to(corners, ends[chosen].shape)
            out[chosen] = _projected(images[chosen], start, ends[chosen], self._inter)
        return out
