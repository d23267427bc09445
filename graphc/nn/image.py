"""Measures of how alike two batches of images are."""

from __future__ import annotations

import numpy as np

from graphc import ops
from graphc.dtype import DType
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.tensor import Tensor

__all__ = ["MSSSIM", "PSNR", "SSIM", "CentralCrop", "ImageGradients"]


def _check_images(where: str, img1: Tensor, img2: Tensor) -> None:
    if img1.ndim != 4 or img1.shape != img2.shape or not img1.dtype.is_float or img1.dtype is not img2.dtype:
        raise ValueError(
            f"For '{where}', expected two float tensors [N, C, H, W] of one type, but got {img1.spec}, {img2.spec}."
        )


class PSNR(Cell):
    """The peak signal-to-noise ratio of each image in decibels: 10 * log10(max_val^2 / mean squared difference).

    Called with two batches `[N, C, H, W]`; returns `[N]`.

    Args:
        max_val: the range of the pixels' values.
    """

    def __init__(self, max_val: float = 1.0) -> None:
        super().__init__()
        self.max_val = check.positive_float("PSNR", "max_val", max_val)

    def construct(self, img1: Tensor, img2: Tensor) -> Tensor:
        _check_images("PSNR", img1, img2)
        difference = img1 - img2
        return 10.0 * ops.log10(self.max_val**2 / ops.mean(difference * difference, (1, 2, 3)))


class SSIM(Cell):
    """The structural similarity of each pair of images (Wang et al. 2004), at most 1.

    Called with two batches `[N, C, H, W]`; returns `[N]`: means over channels and places of a Gaussian window.

    Args:
        max_val: the range of the pixels' values.
        filter_size: extent of the window, at most H and W.
        filter_sigma: the Gaussian's standard deviation in pixels.
        k1, k2: the constants (k * max_val)^2 that keep quotients of small numbers steady.
    """

    def __init__(
        self, max_val: float = 1.0, filter_size: int = 11, filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03
    ) -> None:
        super().__init__()
        self.max_val = check.positive_float("SSIM", "max_val", max_val)
        self.filter_size = check.positive_int("SSIM", "filter_size", filter_size)
        self.filter_sigma = check.positive_float("SSIM", "filter_sigma", filter_sigma)
        self.c1 = (check.positive_float("SSIM", "k1", k1) * max_val) ** 2
        self.c2 = (check.positive_float("SSIM", "k2", k2) * max_val) ** 2

    def construct(self, img1: Tensor, img2: Tensor) -> Tensor:
        _check_images("SSIM", img1, img2)
        return ops.mean(self.similarities(img1, img2)[0], 1)

    def similarities(self, img1: Tensor, img2: Tensor) -> tuple[Tensor, Tensor]:
        """The similarity of each channel, and that of its contrast and structure alone: `[N, C]`."""
        channels = img1.shape[1]
        window = self._window(channels, img1.dtype)

        def blurred(x: Tensor) -> Tensor:
            return ops.conv2d(x, window, groups=channels)

        mean1, mean2 = blurred(img1), blurred(img2)
        product, squares = mean1 * mean2 * 2.0, mean1 * mean1 + mean2 * mean2
        light = (product + self.c1) / (squares + self.c1)
        covariance = blurred(img1 * img2) * 2.0 - product
        variance = blurred(img1 * img1 + img2 * img2) - squares
        structure = (covariance + self.c2) / (variance + self.c2)
        return ops.mean(light * structure, (2, 3)), ops.mean(structure, (2, 3))

    def _window(self, channels: int, dtype: DType) -> Tensor:
        """The Gaussian for each channel, of sum 1: `[C, 1, K, K]`."""
        distance = np.arange(self.filter_size) - (self.filter_size - 1) / 2
        line = np.exp(-(distance**2) / (2 * self.filter_sigma**2))
        plane = np.outer(line, line) / line.sum() ** 2
        return Tensor(np.tile(plane, (channels, 1, 1, 1)), dtype)


class MSSSIM(Cell):
    """The structural similarity of each pair of images at several scales (Wang, Simoncelli and Bovik 2003), at most 1.

    Called with two batches `[N, C, H, W]`; returns `[N]`: means over channels of the product of the contrasts' and
    structures' similarities at each scale, at the last one the whole similarity. Each scale halves the images.

    Args:
        max_val, filter_size, filter_sigma, k1, k2: as of SSIM.
        power_factors: the exponent of each scale. What is below 0 counts as 0.
    """

    def __init__(
        self, max_val: float = 1.0,
        power_factors: tuple[float, ...] | list[float] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
        filter_size: int = 11, filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03,
    ) -> None:
        super().__init__()
        if not isinstance(power_factors, (tuple, list)) or not power_factors:
            raise TypeError(f"For 'MSSSIM', 'power_factors' must be a tuple or list, but got {power_factors!r}.")
        self.power_factors = tuple(check.number("MSSSIM", "power_factors", factor) for factor in power_factors)
        self.ssim = SSIM(max_val, filter_size, filter_sigma, k1, k2)

    def construct(self, img1: Tensor, img2: Tensor) -> Tensor:
        _check_images("MSSSIM", img1, img2)
        product, last = None, len(self.power_factors) - 1
        for scale, power in enumerate(self.power_factors):
            whole, structure = self.ssim.similarities(img1, img2)
            factor = ops.relu(whole if scale == last else structure) ** power
            product = factor if product is None else product * factor
            if scale < last:
                img1, img2 = (ops.avg_pool2d(x, 2, 2) for x in (img1, img2))
        return ops.mean(product, 1)


class CentralCrop(Cell):
    """The middle of images `[C, H, W]` or `[N, C, H, W]`.

    Args:
        central_fraction: which part of H and W stays, in (0, 1].
    """

    def __init__(self, central_fraction: float) -> None:
        super().__init__()
        self.central_fraction = check.between("CentralCrop", "central_fraction", central_fraction, 0.0, 1.0, "(]")

    def construct(self, image: Tensor) -> Tensor:
        if image.ndim not in (3, 4):
            raise ValueError(f"For 'CentralCrop', expected [C, H, W] or [N, C, H, W], but got {image.spec}.")
        height, width = image.shape[-2:]
        top, left = (int((extent - extent * self.central_fraction) / 2) for extent in (height, width))
        return image[..., top : height - top, left : width - left]


class ImageGradients(Cell):
    """The differences of neighbours of images `[N, C, H, W]` down and across, 0 at the last row and column: a pair."""

    def construct(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if images.ndim != 4:
            raise ValueError(f"For 'ImageGradients', expected [N, C, H, W], but got {images.spec}.")
        return (
            ops.pad(ops.diff(images, 1, 2), (0, 0, 0, 1)), ops.pad(ops.diff(images, 1, 3), (0, 1, 0, 0))
        )  # fmt: skip
