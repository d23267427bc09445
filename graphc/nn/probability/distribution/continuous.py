"""Distributions of numbers from a line: normal, uniform, exponential and their kin."""

from __future__ import annotations

import math
from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.nn.probability.distribution.base import Distribution, LocationScale
from graphc.tensor import Tensor


class Normal(LocationScale):
    """The normal distribution.

    Args:
        mean, sd: mean and standard deviation, which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    VARIANCE, ENTROPY = 1.0, 0.5 * math.log(2 * math.pi * math.e)

    def __init__(
        self, mean: Any = None, sd: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Normal"
    ) -> None:
        super().__init__(seed, dtype, name, mean=mean, sd=sd)

    def _log_prob(self, value: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        return ops.square((value - mean) / sd) * -0.5 - (ops.log(sd) + 0.5 * math.log(2 * math.pi))

    def _cdf(self, value: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        return ops.erfc((mean - value) / (sd * math.sqrt(2))) * 0.5

    def _kl_loss(self, mean_b: Tensor, sd_b: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        apart = ops.square(mean / sd_b - mean_b / sd_b)
        log_ratio = ops.log(sd) - ops.log(sd_b)
        return apart * 0.5 + ops.expm1(log_ratio * 2.0) * 0.5 - log_ratio

    def _standard(self, shape: tuple[int, ...]) -> Tensor:
        return self._normal(shape)


class Uniform(Distribution):
    """Numbers each as likely as any other in [low, high).

    Args:
        low, high: the bounds, which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, low: Any = None, high: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Uniform"
    ) -> None:
        super().__init__(seed, dtype, name, low=low, high=high)

    def _check(self, low: Tensor, high: Tensor) -> None:
        self._require_positive(**{"high - low": high - low})

    def _log_prob(self, value: Tensor, low: Tensor, high: Tensor) -> Tensor:
        inside = ops.logical_and(value >= low, value <= high)
        return ops.select(inside, -ops.log(high - low), -math.inf)

    def _cdf(self, value: Tensor, low: Tensor, high: Tensor) -> Tensor:
        return ops.clamp((value - low) / (high - low), 0.0, 1.0)

    def _mean(self, low: Tensor, high: Tensor) -> Tensor:
        return (low + high) / 2.0

    def _var(self, low: Tensor, high: Tensor) -> Tensor:
        return ops.square(high - low) / 12.0

    def _entropy(self, low: Tensor, high: Tensor) -> Tensor:
        return ops.log(high - low)

    def _kl_loss(self, low_b: Tensor, high_b: Tensor, low: Tensor, high: Tensor) -> Tensor:
        within = ops.logical_and(low >= low_b, high <= high_b)
        return ops.select(within, ops.log(high_b - low_b) - ops.log(high - low), math.inf)

    def _sample(self, shape: tuple[int, ...], low: Tensor, high: Tensor) -> Tensor:
        return self._uniform(shape) * (high - low) + low


class Exponential(Distribution):
    """The exponential distribution.

    Args:
        rate: the inverse of the mean.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, rate: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Exponential"
    ) -> None:
        super().__init__(seed, dtype, name, rate=rate)

    def _check(self, rate: Tensor) -> None:
        self._require_positive(rate=rate)

    def _log_prob(self, value: Tensor, rate: Tensor) -> Tensor:
        return ops.select(value >= 0.0, ops.log(rate) - rate * value, -math.inf)

    def _cdf(self, value: Tensor, rate: Tensor) -> Tensor:
        return -ops.expm1(-rate * ops.maximum(value, 0.0))

    def _mean(self, rate: Tensor) -> Tensor:
        return 1.0 / rate

    def _var(self, rate: Tensor) -> Tensor:
        return 1.0 / ops.square(rate)

    def _mode(self, rate: Tensor) -> Tensor:
        return ops.zeros_like(rate)

    def _entropy(self, rate: Tensor) -> Tensor:
        return 1.0 - ops.log(rate)

    def _kl_loss(self, rate_b: Tensor, rate: Tensor) -> Tensor:
        return rate_b / rate - 1.0 + ops.log(rate) - ops.log(rate_b)

    def _sample(self, shape: tuple[int, ...], rate: Tensor) -> Tensor:
        return -ops.log1p(-self._uniform(shape)) / rate


class LogNormal(Normal):
    """The distribution of numbers whose logarithms are normally distributed.

    Args:
        loc, scale: mean and standard deviation of the logarithms, which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, loc: Any = None, scale: Any = None, seed: int | None = 0, dtype: Any = float32, name: str = "LogNormal"
    ) -> None:
        Distribution.__init__(self, seed, dtype, name, loc=loc, scale=scale)

    def _log_prob(self, value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        positive = value > 0.0
        logarithm = ops.log(ops.select(positive, value, 1.0))
        return ops.select(positive, super()._log_prob(logarithm, loc, scale) - logarithm, -math.inf)

    def _cdf(self, value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        positive = value > 0.0
        return ops.select(positive, super()._cdf(ops.log(ops.select(positive, value, 1.0)), loc, scale), 0.0)

    def _mean(self, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.exp(loc + ops.square(scale) * 0.5)

    def _mode(self, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.exp(loc - ops.square(scale))

    def _var(self, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.expm1(ops.square(scale)) * ops.square(self._mean(loc, scale))

    def _entropy(self, loc: Tensor, scale: Tensor) -> Tensor:
        return super()._entropy(loc, scale) + loc

    def _sample(self, shape: tuple[int, ...], loc: Tensor, scale: Tensor) -> Tensor:
        return ops.exp(super()._sample(shape, loc, scale))


class HalfNormal(LocationScale):
    """The upper half of a normal distribution.

    Args:
        mean, sd: mean and standard deviation of the whole one, which broadcast together; values begin at `mean`.
        seed, dtype, name: see `Distribution`.
    """

    VARIANCE, ENTROPY = 1 - 2 / math.pi, 0.5 * math.log(math.pi * math.e / 2)

    def __init__(
        self, mean: Any = None, sd: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "HalfNormal"
    ) -> None:
        super().__init__(seed, dtype, name, mean=mean, sd=sd)

    def _log_prob(self, value: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        inside = ops.square((value - mean) / sd) * -0.5 - ops.log(sd) + 0.5 * math.log(2 / math.pi)
        return ops.select(value >= mean, inside, -math.inf)

    def _cdf(self, value: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        return ops.erf(ops.maximum(value - mean, 0.0) / (sd * math.sqrt(2)))

    def _mean(self, mean: Tensor, sd: Tensor) -> Tensor:
        return mean + sd * math.sqrt(2 / math.pi)

    def _standard(self, shape: tuple[int, ...]) -> Tensor:
        return ops.abs(self._normal(shape))


class Laplace(LocationScale):
    """The distribution with the density `exp(-|x - mean| / sd) / (2 sd)`.

    Args:
        mean, sd: mean, and scale (not the standard deviation, which is sqrt(2) times it), which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    VARIANCE, ENTROPY = 2.0, math.log(2 * math.e)

    def __init__(
        self, mean: Any = None, sd: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Laplace"
    ) -> None:
        super().__init__(seed, dtype, name, mean=mean, sd=sd)

    def _log_prob(self, value: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        return -ops.log(sd * 2.0) - ops.abs(value - mean) / sd

    def _cdf(self, value: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        z = (value - mean) / sd
        tail = ops.exp(-ops.abs(z)) * 0.5
        return ops.select(z < 0.0, tail, 1.0 - tail)

    def _kl_loss(self, mean_b: Tensor, sd_b: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        apart = ops.abs(mean - mean_b)
        return ops.log(sd_b / sd) + (sd * ops.exp(-apart / sd) + apart) / sd_b - 1.0

    def _standard(self, shape: tuple[int, ...]) -> Tensor:
        u = self._uniform(shape) - 0.5
        return -ops.sign(u) * ops.log1p(ops.maximum(ops.abs(u) * -2.0, -1.0 + 1e-7))


class Cauchy(LocationScale):
    """Cauchy's distribution, which has no mean and no variance.

    Args:
        loc, scale: the median, and half of the distance between the quartiles, which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, loc: Any = None, scale: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Cauchy"
    ) -> None:
        super().__init__(seed, dtype, name, loc=loc, scale=scale)

    def _log_prob(self, value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        return -ops.log(scale * math.pi) - ops.log1p(ops.square((value - loc) / scale))

    def _cdf(self, value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.atan((value - loc) / scale) / math.pi + 0.5

    def _mean(self, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.full_like(loc + scale, math.nan)

    def _var(self, loc: Tensor, scale: Tensor) -> Tensor:
        return self._mean(loc, scale)

    def _entropy(self, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.log(scale * (4 * math.pi)) + ops.zeros_like(loc)

    def _kl_loss(self, loc_b: Tensor, scale_b: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        spread = ops.square(scale + scale_b) + ops.square(loc - loc_b)
        return ops.log(spread / (scale * scale_b * 4.0))

    def _standard(self, shape: tuple[int, ...]) -> Tensor:
        return ops.tan((self._uniform(shape) - 0.5) * math.pi)


class Gumbel(LocationScale):
    """Gumbel's distribution, of the greatest of many numbers: its cdf is `exp(-exp(-(x - loc) / scale))`.

    Args:
        loc, scale: which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    EULER = 0.57721566490153286
    VARIANCE, ENTROPY = math.pi**2 / 6, 1 + EULER

    def __init__(
        self, loc: Any, scale: Any, seed: int | None = 0, dtype: Any = float32, name: str = "Gumbel"
    ) -> None:
        super().__init__(seed, dtype, name, loc=loc, scale=scale)

    def _log_prob(self, value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        z = (value - loc) / scale
        return -(z + ops.exp(-z)) - ops.log(scale)

    def _cdf(self, value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.exp(-ops.exp(-(value - loc) / scale))

    def _mean(self, loc: Tensor, scale: Tensor) -> Tensor:
        return loc + scale * self.EULER

    def _kl_loss(self, loc_b: Tensor, scale_b: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        ratio, apart = scale / scale_b, (loc - loc_b) / scale_b
        return -ops.log(ratio) + (ratio - 1.0) * self.EULER + ops.exp(ops.lgamma(ratio + 1.0) - apart) - 1.0 + apart

    def _standard(self, shape: tuple[int, ...]) -> Tensor:
        return -ops.log(-ops.log(ops.maximum(self._uniform(shape), 1e-30)))


class Logistic(LocationScale):
    """The distribution whose cdf is `sigmoid((x - loc) / scale)`.

    Args:
        loc, scale: which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    VARIANCE, ENTROPY = math.pi**2 / 3, 2.0

    def __init__(
        self, loc: Any = None, scale: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Logistic"
    ) -> None:
        super().__init__(seed, dtype, name, loc=loc, scale=scale)

    def _log_prob(self, value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        z = (value - loc) / scale
        return -z - ops.softplus(-z) * 2.0 - ops.log(scale)

    def _cdf(self, value: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.sigmoid((value - loc) / scale)

    def _standard(self, shape: tuple[int, ...]) -> Tensor:
        u = ops.maximum(self._uniform(shape), 1e-30)
        return ops.log(u) - ops.log1p(-u)


class StudentT(Distribution):
    """Student's distribution, moved and scaled.

    Args:
        df: degrees of freedom; mean, sd: where it is, and its scale. They broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, df: Any = None, mean: Any = None, sd: Any = None, seed: int | None = None, dtype: Any = float32,
        name: str = "StudentT",
    ) -> None:
        super().__init__(seed, dtype, name, df=df, mean=mean, sd=sd)

    def _check(self, df: Tensor, mean: Tensor, sd: Tensor) -> None:
        self._require_positive(df=df, sd=sd)

    def _log_prob(self, value: Tensor, df: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        half = (df + 1.0) * 0.5
        norm = ops.lgamma(df * 0.5) - ops.lgamma(half) + ops.log(df * math.pi) * 0.5 + ops.log(sd)
        return -half * ops.log1p(ops.square((value - mean) / sd) / df) - norm

    def _mean(self, df: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        return ops.select(df > 1.0, mean + ops.zeros_like(df + sd), math.nan)

    def _mode(self, df: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        return mean + ops.zeros_like(df + sd)

    def _var(self, df: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        wide = ops.square(sd) * (df / ops.select(df > 2.0, df - 2.0, 1.0)) + ops.zeros_like(mean)
        return ops.select(df > 2.0, wide, ops.select(df > 1.0, math.inf, ops.full_like(wide, math.nan)))

    def _sample(self, shape: tuple[int, ...], df: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
        noise = self._normal(shape)
        chi = self._gamma(shape, df * 0.5) * 2.0
        return noise * ops.rsqrt(chi / df) * sd + mean


class Gamma(Distribution):
    """The gamma distribution.

    Args:
        concentration, rate: its shape parameter, and the inverse of its scale, which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, concentration: Any = None, rate: Any = None, seed: int | None = None, dtype: Any = float32,
        name: str = "Gamma",
    ) -> None:
        super().__init__(seed, dtype, name, concentration=concentration, rate=rate)

    def _check(self, a: Tensor, rate: Tensor) -> None:
        self._require_positive(concentration=a, rate=rate)

    def _log_prob(self, value: Tensor, a: Tensor, rate: Tensor) -> Tensor:
        inside = ops.xlogy(a - 1.0, value) - rate * value - ops.lgamma(a) + ops.xlogy(a, rate)
        return ops.select(value >= 0.0, inside, -math.inf)

    def _cdf(self, value: Tensor, a: Tensor, rate: Tensor) -> Tensor:
        return ops.igamma(a, rate * ops.maximum(value, 0.0))

    def _mean(self, a: Tensor, rate: Tensor) -> Tensor:
        return a / rate

    def _mode(self, a: Tensor, rate: Tensor) -> Tensor:
        return ops.select(a > 1.0, (a - 1.0) / rate, math.nan)

    def _var(self, a: Tensor, rate: Tensor) -> Tensor:
        return a / ops.square(rate)

    def _entropy(self, a: Tensor, rate: Tensor) -> Tensor:
        return a - ops.log(rate) + ops.lgamma(a) + (1.0 - a) * ops.digamma(a)

    def _kl_loss(self, a_b: Tensor, rate_b: Tensor, a: Tensor, rate: Tensor) -> Tensor:
        return (
            (a - a_b) * ops.digamma(a) + ops.lgamma(a_b) - ops.lgamma(a) + a_b * (ops.log(rate) - ops.log(rate_b))
            + a * (rate_b / rate - 1.0)
        )  # fmt: skip

    def _sample(self, shape: tuple[int, ...], a: Tensor, rate: Tensor) -> Tensor:
        return self._gamma(shape, a) / rate


class Beta(Distribution):
    """The beta distribution.

    Args:
        concentration1, concentration0: how much it leans to 1 and to 0, which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, concentration1: Any = None, concentration0: Any = None, seed: int | None = None, dtype: Any = float32,
        name: str = "Beta",
    ) -> None:
        super().__init__(seed, dtype, name, concentration1=concentration1, concentration0=concentration0)

    def _check(self, a: Tensor, b: Tensor) -> None:
        self._require_positive(concentration1=a, concentration0=b)

    @staticmethod
    def _log_beta(a: Tensor, b: Tensor) -> Tensor:
        return ops.lgamma(a) + ops.lgamma(b) - ops.lgamma(a + b)

    def _log_prob(self, value: Tensor, a: Tensor, b: Tensor) -> Tensor:
        inside = ops.xlogy(a - 1.0, value) + ops.xlogy(b - 1.0, 1.0 - value) - self._log_beta(a, b)
        return ops.select(ops.logical_and(value >= 0.0, value <= 1.0), inside, -math.inf)

    def _mean(self, a: Tensor, b: Tensor) -> Tensor:
        return a / (a + b)

    def _mode(self, a: Tensor, b: Tensor) -> Tensor:
        return ops.select(ops.logical_and(a > 1.0, b > 1.0), (a - 1.0) / (a + b - 2.0), math.nan)

    def _var(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b / (ops.square(a + b) * (a + b + 1.0))

    def _entropy(self, a: Tensor, b: Tensor) -> Tensor:
        return (
            self._log_beta(a, b) - (a - 1.0) * ops.digamma(a) - (b - 1.0) * ops.digamma(b)
            + (a + b - 2.0) * ops.digamma(a + b)
        )  # fmt: skip

    def _kl_loss(self, a_b: Tensor, b_b: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return (
            self._log_beta(a_b, b_b) - self._log_beta(a, b) + (a - a_b) * ops.digamma(a) + (b - b_b) * ops.digamma(b)
            + (a_b - a + b_b - b) * ops.digamma(a + b)
        )  # fmt: skip

    def _sample(self, shape: tuple[int, ...], a: Tensor, b: Tensor) -> Tensor:
        x, y = self._gamma(shape, a), self._gamma(shape, b)
        return x / (x + y)
