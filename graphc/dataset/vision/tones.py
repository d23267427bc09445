"""Operations on the colours of uint8 images [H, W] or [H, W, C], as augmentation policies are made of."""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from graphc.dataset import images as ops
from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import check_probability
from graphc.dataset.vision.image_transform import (
    ImageTransform,
    check_pixels,
    check_uint8,
    parse_range,
    parse_size,
    sometimes,
)
from graphc.dataset.vision.values import Invert

__all__ = [
    "AdjustBrightness", "AdjustContrast", "AdjustGamma", "AdjustHue", "AdjustSaturation", "AdjustSharpness",
    "AutoContrast", "Equalize", "GaussianBlur", "Posterize", "RandomAdjustSharpness", "RandomAutoContrast",
    "RandomColor", "RandomEqualize", "RandomGrayscale", "RandomInvert", "RandomPosterize", "RandomSharpness",
    "RandomSolarize", "Solarize",
]  # fmt: skip


class AdjustBrightness(ImageTransform):
    """Multiply the values of an image by a factor.

    Args:
        brightness_factor: not negative; 0 gives black, 1 the image.
    """

    def __init__(self, brightness_factor: float) -> None:
        self._factor = parse_range("AdjustBrightness: brightness_factor", (brightness_factor,) * 2, 0.0)[0]

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_pixels("AdjustBrightness", images)
        return ops.adjust_brightness(images, np.full(len(images), self._factor))


class _Adjust(ImageTransform):
    """Changes images [H, W, 3] by one number."""

    change: Callable[..., np.ndarray]
    channels: int | None = 3
    low, high = 0.0, math.inf

    def __init__(self, factor: float) -> None:
        name = type(self).__name__
        self._factor = parse_range(f"{name}: factor", (factor, factor), self.low, self.high)[0]

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_pixels(type(self).__name__, images, self.channels)
        return type(self).change(images, np.full(len(images), self._factor))


class AdjustContrast(_Adjust):
    """Move the values of an image [H, W, 3] away from its mean lightness by a factor; 0 gives even gray, 1 the image.

    Args:
        contrast_factor: not negative.
    """

    change = staticmethod(ops.adjust_contrast)

    def __init__(self, contrast_factor: float) -> None:
        super().__init__(contrast_factor)


class AdjustSaturation(_Adjust):
    """Move the values of an image [H, W, 3] away from gray by a factor; 0 gives the gray image, 1 the image.

    Args:
        saturation_factor: not negative.
    """

    change = staticmethod(ops.adjust_saturation)

    def __init__(self, saturation_factor: float) -> None:
        super().__init__(saturation_factor)


class AdjustHue(_Adjust):
    """Turn the hue of an image [H, W, 3].

    Args:
        hue_factor: by which part of the colour circle, -0.5 to 0.5.
    """

    change = staticmethod(ops.adjust_hue)
    low, high = -0.5, 0.5

    def __init__(self, hue_factor: float) -> None:
        super().__init__(hue_factor)


class AdjustGamma(ImageTransform):
    """Replace every value x of an image by 255.999 * gain * (x / 255)^gamma, rounded down.

    In float images, whose values are from 0 to 1, it is (gain * x)^gamma, at most 1.

    Args:
        gamma: not negative; above 1 makes shadows darker.
        gain: what is multiplied.
    """

    def __init__(self, gamma: float, gain: float = 1) -> None:
        self._gamma = parse_range("AdjustGamma: gamma", (gamma, gamma), 0.0)[0]
        self._gain = gain

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_pixels("AdjustGamma", images)
        if images.dtype.kind == "f":
            powers: np.ndarray = (np.maximum(images, 0) * self._gain) ** self._gamma
            return powers.clip(0, 1).astype(images.dtype)
        table = np.clip(255.999 * self._gain * (np.arange(256) / 255) ** self._gamma, 0, 255).astype(np.uint8)
        changed: np.ndarray = table[images]
        return changed


class Posterize(ImageTransform):
    """Keep the highest bits of every value.

    Args:
        bits: how many, 0 to 8.
    """

    def __init__(self, bits: int) -> None:
        dropped = 8 - check_int("Posterize: bits", bits, 0, 8)
        self._mask = np.uint8(255 >> dropped << dropped)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8("Posterize", images)
        return images & self._mask


class Solarize(ImageTransform):
    """Turn the values within a range into their opposites, 255 less the value.

    Args:
        threshold: pair (min, max) within 0 to 255; one number, or two that are equal, stand for it and all above.
    """

    def __init__(self, threshold: float | Sequence[float]) -> None:
        pair = (threshold, threshold) if isinstance(threshold, (int, float)) else threshold
        self._low, self._high = parse_range("Solarize: threshold", pair, 0, 255)
        self._high = 255 if self._low == self._high else self._high

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_pixels("Solarize", images)
        return np.where((images >= self._low) & (images <= self._high), 255 - images, images)


class _Table(ImageTransform):
    """Replaces every value of a channel by that of a table, made of how often each is there."""

    @abstractmethod
    def table(self, counts: np.ndarray) -> np.ndarray:
        """What becomes of the values 0 to 255, given how many pixels have each."""

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8(type(self).__name__, images)
        out = np.empty_like(images)
        for i in range(len(images)):
            for channel in range(images.shape[-1]):
                values = images[i, ..., channel]
                out[i, ..., channel] = self.table(np.bincount(values.reshape(-1), minlength=256))[values]
        return out


class AutoContrast(_Table):
    """Stretch each channel so that its darkest value becomes 0 and its lightest 255.

    Args:
        cutoff: the percentage of pixels, 0 to 50, that is left out of account at each end.
        ignore: values 0 to 255 that are left out of account: an int, or several.
    """

    def __init__(self, cutoff: float = 0.0, ignore: int | Sequence[int] | None = None) -> None:
        self._cutoff = parse_range("AutoContrast: cutoff", (cutoff, cutoff), 0.0, 50.0)[0]
        given = () if ignore is None else (ignore,) if isinstance(ignore, int) else tuple(ignore)
        self._ignore = [check_int("AutoContrast: ignore", value, 0, 255) for value in given]

    def table(self, counts: np.ndarray) -> np.ndarray:
        counts = counts.copy()
        counts[self._ignore] = 0
        cut = int(counts.sum() * self._cutoff / 100)
        for ordered in (counts, counts[::-1]):
            before = np.minimum(np.cumsum(ordered), cut)
            ordered -= np.diff(before, prepend=0)
        present = np.flatnonzero(counts)
        if len(present) < 2:
            return np.arange(256).astype(np.uint8)
        low, high = int(present[0]), int(present[-1])
        scale = 255.0 / (high - low)
        stretched: np.ndarray = np.clip(np.arange(256) * scale - low * scale, 0, 255).astype(np.uint8)
        return stretched


class Equalize(_Table):
    """Spread the values of each channel so that all are about equally frequent.

    A value becomes 255 * (c - c0) / (n - c0), where c of the n pixels are not above it, and c0 pixels are the darkest.
    """

    def table(self, counts: np.ndarray) -> np.ndarray:
        up_to = np.cumsum(counts)
        darkest = int(counts[np.flatnonzero(counts)[0]])
        if darkest == up_to[-1]:
            return np.arange(256).astype(np.uint8)
        spread = np.maximum(up_to - darkest, 0) * (255 / (int(up_to[-1]) - darkest))
        rounded: np.ndarray = np.rint(spread).astype(np.uint8)
        return rounded


class _Sometimes(ImageTransform):
    """Another operation, that draws nothing, with a probability."""

    def __init__(self, operation: ImageTransform, prob: float) -> None:
        self._operation = operation
        self._prob = check_probability(f"{type(self).__name__}: prob", prob)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        return sometimes(rng, self._prob, images, lambda some: np.asarray(self._operation.images(rng, some)))


class RandomAutoContrast(_Sometimes):
    """`AutoContrast` with a probability, `prob`."""

    def __init__(self, cutoff: float = 0.0, ignore: int | Sequence[int] | None = None, prob: float = 0.5) -> None:
        super().__init__(AutoContrast(cutoff, ignore), prob)


class RandomEqualize(_Sometimes):
    """`Equalize` with a probability."""

    def __init__(self, prob: float = 0.5) -> None:
        super().__init__(Equalize(), prob)


class RandomInvert(_Sometimes):
    """`Invert` with a probability."""

    def __init__(self, prob: float = 0.5) -> None:
        super().__init__(Invert(), prob)


class RandomColor(ImageTransform):
    """Change the saturation of an image [H, W, 3] by a random factor; 0 gives gray, 1 the image.

    Args:
        degrees: pair (min, max) of the factor, not negative.
    """

    def __init__(self, degrees: Sequence[float] = (0.1, 1.9)) -> None:
        self._degrees = parse_range("RandomColor: degrees", degrees, 0.0)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8("RandomColor", images, 3)
        return ops.adjust_saturation(images, rng.uniform(*self._degrees))


class RandomSharpness(ImageTransform):
    """Blur or sharpen an image by a random factor: 0 gives it blurred by a 3x3 filter, 1 the image, 2 sharpened.

    Args:
        degrees: pair (min, max) of the factor, not negative.
    """

    def __init__(self, degrees: Sequence[float] = (0.1, 1.9)) -> None:
        self._degrees = parse_range("RandomSharpness: degrees", degrees, 0.0)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8("RandomSharpness", images)
        return ops.adjust_sharpness(images, rng.uniform(*self._degrees))


class AdjustSharpness(_Adjust):
    """Blur or sharpen an image: 0 gives it blurred by a 3x3 filter, 1 the image, 2 sharpened.

    Args:
        sharpness_factor: not negative.
    """

    change = staticmethod(ops.adjust_sharpness)
    channels = None

    def __init__(self, sharpness_factor: float) -> None:
        super().__init__(sharpness_factor)


class RandomAdjustSharpness(ImageTransform):
    """`AdjustSharpness` with a probability.

    Args:
        degree: the factor, not negative.
        prob: the probability, 0 to 1.
    """

    def __init__(self, degree: float, prob: float = 0.5) -> None:
        self._degree = parse_range("RandomAdjustSharpness: degree", (degree, degree), 0.0)[0]
        self._prob = check_probability("RandomAdjustSharpness: prob", prob)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_pixels("RandomAdjustSharpness", images)
        factors = np.full(len(images), self._degree)
        return sometimes(rng, self._prob, images, lambda some: ops.adjust_sharpness(some, factors[: len(some)]))


class GaussianBlur(ImageTransform):
    """Blur an image by a Gaussian filter; at its edges it is mirrored, without the edge pixel.

    Args:
        kernel_size: width and height of the filter, odd numbers, or one for both.
        sigma: standard deviations across and down, above 0, or one for both; None for 0.15 * width + 0.35.
    """

    def __init__(self, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None) -> None:
        height, width = parse_size("GaussianBlur: kernel_size", kernel_size)[::-1]
        if not (height % 2 and width % 2):
            raise ValueError(f"GaussianBlur: got kernel_size {kernel_size!r}, expected odd numbers")
        self._size = width, height
        given = 0.15 * width + 0.35 if sigma is None else sigma
        pair = (given, given) if isinstance(given, (int, float)) else tuple(given)
        if len(pair) != 2 or not all(isinstance(s, (int, float)) and s > 0 for s in pair):
            raise ValueError(f"GaussianBlur: got sigma {sigma!r}, expected one or two numbers above 0")
        self._sigma = float(pair[0]), float(pair[1])

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        return ops.gaussian_blur(images, self._size, self._sigma)


class RandomSolarize(ImageTransform):
    """Turn the values within a random part of a range into their opposites, 255 less the value.

    Args:
        threshold: pair (min, max) within 0 to 255 that the part lies in; two that are equal stand for it and
            all above.
    """

    def __init__(self, threshold: Sequence[int] = (0, 255)) -> None:
        low, high = parse_range("RandomSolarize: threshold", threshold, 0, 255)
        self._range = int(low), int(high)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8("RandomSolarize", images)
        low, high = self._range
        ends = np.sort(rng.integers(low, high + 1, 2), axis=1)
        if low == high:
            ends[:, 1] = 255
        first, last = (ends[:, i, None, None, None] for i in range(2))
        return np.where((images >= first) & (images <= last), 255 - images, images)


class RandomPosterize(ImageTransform):
    """Keep a random number of the highest bits of every value.

    Args:
        bits: pair (min, max) within 1 to 8, or one number for both.
    """

    def __init__(self, bits: int | Sequence[int] = (8, 8)) -> None:
        low, high = (bits, bits) if isinstance(bits, int) else bits
        self._bits = check_int("RandomPosterize: bits", low, 1, 8), check_int("RandomPosterize: bits", high, low, 8)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8("RandomPosterize", images)
        dropped = 8 - rng.integers(self._bits[0], self._bits[1] + 1)
        mask = ((255 >> dropped) << dropped).astype(np.uint8)
        return images & mask[:, None, None, None]


class RandomGrayscale(ImageTransform):
    """Make an image [H, W, 3] gray, with equal channels, with a probability.

    Args:
        prob: the probability, 0 to 1.
    """

    def __init__(self, prob: float = 0.1) -> None:
        self._prob = check_probability("RandomGrayscale: prob", prob)

    def images(self, rng: Rng, images: np.ndarray) -> np.ndarray:
        check_uint8("RandomGrayscale", images, 3)
        chosen = rng.uniform() < self._prob
        out = images.copy()
        out[chosen] = ops.gray(images[chosen])[..., None]
        return out
