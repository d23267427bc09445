"""Distributions of numbers from a line: normal, uniform, exponential and their kin."""

from __future__ import annotations

import math
from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.nn.probability.distribution.base import Distribution, Parameters, above
from graphc.tensor import Tensor


class Normal(Distribution):
    """The normal distribution.

    Args:
        mean, sd: mean and standard deviation, which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, mean: Any = None, sd: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Normal"
    ) -> None:
        super().__init__(seed, dtype, name, mean=mean, sd=sd)

    def _check(self, *parameters: Any) -> None:
        above(self.name, "sd", parameters[1])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return ops.square((value - mean) / sd) * -0.5 - (ops.log(sd) + 0.5 * math.log(2 * math.pi))

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return ops.erfc((mean - value) / (sd * math.sqrt(2))) * 0.5

    def _mean(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return mean + ops.zeros_like(sd)

    def _mode(self, *parameters: Tensor) -> Tensor:
        return self._mean(*parameters)

    def _var(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return ops.square(sd) + ops.zeros_like(mean)

    def _entropy(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return ops.log(sd) + 0.5 * math.log(2 * math.pi * math.e) + ops.zeros_like(mean)

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (mean_b, sd_b), (mean, sd) = other, own
        apart = ops.square(mean / sd_b - mean_b / sd_b)
        log_ratio = ops.log(sd) - ops.log(sd_b)
        return apart * 0.5 + ops.expm1(log_ratio * 2.0) * 0.5 - log_ratio

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        extents = (*shape, *(mean + sd).shape)
        noise = ops.randn(*extents, seed=self.seed) if extents else ops.randn(1, seed=self.seed)[0]
        return noise * sd + mean


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

    def _check(self, *parameters: Any) -> None:
        above(self.name, "high - low", parameters[1] - parameters[0])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        low, high = parameters
        inside = ops.logical_and(value >= low, value <= high)
        return ops.select(inside, -ops.log(high - low), -math.inf)

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        low, high = parameters
        return ops.clamp((value - low) / (high - low), 0.0, 1.0)

    def _mean(self, *parameters: Tensor) -> Tensor:
        low, high = parameters
        return (low + high) / 2.0

    def _var(self, *parameters: Tensor) -> Tensor:
        low, high = parameters
        return ops.square(high - low) / 12.0

    def _entropy(self, *parameters: Tensor) -> Tensor:
        low, high = parameters
        return ops.log(high - low)

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (low_b, high_b), (low, high) = other, own
        within = ops.logical_and(low >= low_b, high <= high_b)
        return ops.select(within, ops.log(high_b - low_b) - ops.log(high - low), math.inf)

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        low, high = parameters
        return self._uniform((*shape, *(low + high).shape)) * (high - low) + low


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

    def _check(self, *parameters: Any) -> None:
        above(self.name, "rate", parameters[0])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        (rate,) = parameters
        return ops.select(value >= 0.0, ops.log(rate) - rate * value, -math.inf)

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        (rate,) = parameters
        return -ops.expm1(-rate * ops.maximum(value, 0.0))

    def _mean(self, *parameters: Tensor) -> Tensor:
        return 1.0 / parameters[0]

    def _var(self, *parameters: Tensor) -> Tensor:
        return 1.0 / ops.square(parameters[0])

    def _mode(self, *parameters: Tensor) -> Tensor:
        return ops.zeros_like(parameters[0])

    def _entropy(self, *parameters: Tensor) -> Tensor:
        return 1.0 - ops.log(parameters[0])

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (rate_b,), (rate,) = other, own
        return rate_b / rate - 1.0 + ops.log(rate) - ops.log(rate_b)

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        (rate,) = parameters
        return -ops.log1p(-self._uniform((*shape, *rate.shape))) / rate


def _unit(d: Distribution, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Uniform numbers in [0, 1) in a shape, followed by that of the parameters."""
    return d._uniform((*shape, *like.shape))


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

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        positive = value > 0.0
        logarithm = ops.log(ops.select(positive, value, 1.0))
        return ops.select(positive, super()._log_prob(logarithm, *parameters) - logarithm, -math.inf)

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        positive = value > 0.0
        return ops.select(positive, super()._cdf(ops.log(ops.select(positive, value, 1.0)), *parameters), 0.0)

    def _mean(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.exp(loc + ops.square(scale) * 0.5)

    def _mode(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.exp(loc - ops.square(scale))

    def _var(self, *parameters: Tensor) -> Tensor:
        return ops.expm1(ops.square(parameters[1])) * ops.square(self._mean(*parameters))

    def _entropy(self, *parameters: Tensor) -> Tensor:
        return super()._entropy(*parameters) + parameters[0]

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        return ops.exp(super()._sample(shape, *parameters))


class HalfNormal(Distribution):
    """The upper half of a normal distribution.

    Args:
        mean, sd: mean and standard deviation of the whole one, which broadcast together; values begin at `mean`.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, mean: Any = None, sd: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "HalfNormal"
    ) -> None:
        super().__init__(seed, dtype, name, mean=mean, sd=sd)

    def _check(self, *parameters: Any) -> None:
        above(self.name, "sd", parameters[1])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        inside = ops.square((value - mean) / sd) * -0.5 - ops.log(sd) + 0.5 * math.log(2 / math.pi)
        return ops.select(value >= mean, inside, -math.inf)

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return ops.erf(ops.maximum(value - mean, 0.0) / (sd * math.sqrt(2)))

    def _mean(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return mean + sd * math.sqrt(2 / math.pi)

    def _mode(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return mean + ops.zeros_like(sd)

    def _var(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return ops.square(sd) * (1 - 2 / math.pi) + ops.zeros_like(mean)

    def _entropy(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return ops.log(sd) + 0.5 * math.log(math.pi * math.e / 2) + ops.zeros_like(mean)

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        extents = (*shape, *(mean + sd).shape)
        noise = ops.randn(*extents, seed=self.seed) if extents else ops.randn(1, seed=self.seed)[0]
        return ops.abs(noise) * sd + mean


class Laplace(Distribution):
    """The distribution with the density `exp(-|x - mean| / sd) / (2 sd)`.

    Args:
        mean, sd: mean, and scale (not the standard deviation, which is sqrt(2) times it), which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, mean: Any = None, sd: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Laplace"
    ) -> None:
        super().__init__(seed, dtype, name, mean=mean, sd=sd)

    def _check(self, *parameters: Any) -> None:
        above(self.name, "sd", parameters[1])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return -ops.log(sd * 2.0) - ops.abs(value - mean) / sd

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        z = (value - mean) / sd
        tail = ops.exp(-ops.abs(z)) * 0.5
        return ops.select(z < 0.0, tail, 1.0 - tail)

    def _mean(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return mean + ops.zeros_like(sd)

    def _mode(self, *parameters: Tensor) -> Tensor:
        return self._mean(*parameters)

    def _var(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return ops.square(sd) * 2.0 + ops.zeros_like(mean)

    def _entropy(self, *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        return ops.log(sd) + math.log(2 * math.e) + ops.zeros_like(mean)

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (mean_b, sd_b), (mean, sd) = other, own
        apart = ops.abs(mean - mean_b)
        return ops.log(sd_b / sd) + (sd * ops.exp(-apart / sd) + apart) / sd_b - 1.0

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        mean, sd = parameters
        u = _unit(self, shape, mean + sd) - 0.5
        return mean - sd * ops.sign(u) * ops.log1p(ops.maximum(ops.abs(u) * -2.0, -1.0 + 1e-7))


class Cauchy(Distribution):
    """Cauchy's distribution, which has no mean and no variance.

    Args:
        loc, scale: the median, and half of the distance between the quartiles, which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, loc: Any = None, scale: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Cauchy"
    ) -> None:
        super().__init__(seed, dtype, name, loc=loc, scale=scale)

    def _check(self, *parameters: Any) -> None:
        above(self.name, "scale", parameters[1])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return -ops.log(scale * math.pi) - ops.log1p(ops.square((value - loc) / scale))

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.atan((value - loc) / scale) / math.pi + 0.5

    def _mean(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.full_like(loc + scale, math.nan)

    def _mode(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return loc + ops.zeros_like(scale)

    def _var(self, *parameters: Tensor) -> Tensor:
        return self._mean(*parameters)

    def _entropy(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.log(scale * (4 * math.pi)) + ops.zeros_like(loc)

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (loc_b, scale_b), (loc, scale) = other, own
        spread = ops.square(scale + scale_b) + ops.square(loc - loc_b)
        return ops.log(spread / (scale * scale_b * 4.0))

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return loc + scale * ops.tan((_unit(self, shape, loc + scale) - 0.5) * math.pi)


class Gumbel(Distribution):
    """Gumbel's distribution, of the greatest of many numbers: its cdf is `exp(-exp(-(x - loc) / scale))`.

    Args:
        loc, scale: which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    EULER = 0.57721566490153286

    def __init__(
        self, loc: Any, scale: Any, seed: int | None = 0, dtype: Any = float32, name: str = "Gumbel"
    ) -> None:
        super().__init__(seed, dtype, name, loc=loc, scale=scale)

    def _check(self, *parameters: Any) -> None:
        above(self.name, "scale", parameters[1])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        z = (value - loc) / scale
        return -(z + ops.exp(-z)) - ops.log(scale)

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.exp(-ops.exp(-(value - loc) / scale))

    def _mean(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return loc + scale * self.EULER

    def _mode(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return loc + ops.zeros_like(scale)

    def _var(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.square(scale) * (math.pi**2 / 6) + ops.zeros_like(loc)

    def _entropy(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.log(scale) + (1 + self.EULER) + ops.zeros_like(loc)

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (loc_b, scale_b), (loc, scale) = other, own
        ratio, apart = scale / scale_b, (loc - loc_b) / scale_b
        return -ops.log(ratio) + (ratio - 1.0) * self.EULER + ops.exp(ops.lgamma(ratio + 1.0) - apart) - 1.0 + apart

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        u = ops.maximum(_unit(self, shape, loc + scale), 1e-30)
        return loc - scale * ops.log(-ops.log(u))


class Logistic(Distribution):
    """The distribution whose cdf is `sigmoid((x - loc) / scale)`.

    Args:
        loc, scale: which broadcast together.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, loc: Any = None, scale: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Logistic"
    ) -> None:
        super().__init__(seed, dtype, name, loc=loc, scale=scale)

    def _check(self, *parameters: Any) -> None:
        above(self.name, "scale", parameters[1])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        z = (value - loc) / scale
        return -z - ops.softplus(-z) * 2.0 - ops.log(scale)

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.sigmoid((value - loc) / scale)

    def _mean(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return loc + ops.zeros_like(scale)

    def _mode(self, *parameters: Tensor) -> Tensor:
        return self._mean(*parameters)

    def _var(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.square(scale) * (math.pi**2 / 3) + ops.zeros_like(loc)

    def _entropy(self, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return ops.log(scale) + 2.0 + ops.zeros_like(loc)

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        u = ops.maximum(_unit(self, shape, loc + scale), 1e-30)
        return loc + scale * (ops.log(u) - ops.log1p(-u))


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

    def _check(self, *parameters: Any) -> None:
        above(self.name, "df", parameters[0])
        above(self.name, "sd", parameters[2])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        df, mean, sd = parameters
        half = (df + 1.0) * 0.5
        norm = ops.lgamma(df * 0.5) - ops.lgamma(half) + ops.log(df * math.pi) * 0.5 + ops.log(sd)
        return -half * ops.log1p(ops.square((value - mean) / sd) / df) - norm

    def _mean(self, *parameters: Tensor) -> Tensor:
        df, mean, sd = parameters
        return ops.select(df > 1.0, mean + ops.zeros_like(df + sd), math.nan)

    def _mode(self, *parameters: Tensor) -> Tensor:
        df, mean, sd = parameters
        return mean + ops.zeros_like(df + sd)

    def _var(self, *parameters: Tensor) -> Tensor:
        df, mean, sd = parameters
        wide = ops.square(sd) * (df / ops.select(df > 2.0, df - 2.0, 1.0)) + ops.zeros_like(mean)
        return ops.select(df > 2.0, wide, ops.select(df > 1.0, math.inf, ops.full_like(wide, math.nan)))

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        df, mean, sd = parameters
        extents = (*shape, *(df + mean + sd).shape)
        noise = ops.randn(*extents, seed=self.seed) if extents else ops.randn(1, seed=self.seed)[0]
        chi = ops.random_gamma((), ops.broadcast_to(df * 0.5, extents), self.seed) * 2.0
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

    def _check(self, *parameters: Any) -> None:
        above(self.name, "concentration", parameters[0])
        above(self.name, "rate", parameters[1])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        a, rate = parameters
        inside = ops.xlogy(a - 1.0, value) - rate * value - ops.lgamma(a) + ops.xlogy(a, rate)
        return ops.select(value >= 0.0, inside, -math.inf)

    def _mean(self, *parameters: Tensor) -> Tensor:
        return parameters[0] / parameters[1]

    def _mode(self, *parameters: Tensor) -> Tensor:
        a, rate = parameters
        return ops.select(a > 1.0, (a - 1.0) / rate, math.nan)

    def _var(self, *parameters: Tensor) -> Tensor:
        return parameters[0] / ops.square(parameters[1])

    def _entropy(self, *parameters: Tensor) -> Tensor:
        a, rate = parameters
        return a - ops.log(rate) + ops.lgamma(a) + (1.0 - a) * ops.digamma(a)

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (a_b, rate_b), (a, rate) = other, own
        return (
            (a - a_b) * ops.digamma(a) + ops.lgamma(a_b) - ops.lgamma(a) + a_b * (ops.log(rate) - ops.log(rate_b))
            + a * (rate_b / rate - 1.0)
        )  # fmt: skip

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        a, rate = parameters
        return ops.random_gamma(shape, ops.broadcast_to(a, (a + rate).shape), self.seed) / rate


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

    def _check(self, *parameters: Any) -> None:
        above(self.name, "concentration1", parameters[0])
        above(self.name, "concentration0", parameters[1])

    @staticmethod
    def _log_beta(a: Tensor, b: Tensor) -> Tensor:
        return ops.lgamma(a) + ops.lgamma(b) - ops.lgamma(a + b)

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        a, b = parameters
        inside = ops.xlogy(a - 1.0, value) + ops.xlogy(b - 1.0, 1.0 - value) - self._log_beta(a, b)
        return ops.select(ops.logical_and(value >= 0.0, value <= 1.0), inside, -math.inf)

    def _mean(self, *parameters: Tensor) -> Tensor:
        a, b = parameters
        return a / (a + b)

    def _mode(self, *parameters: Tensor) -> Tensor:
        a, b = parameters
        return ops.select(ops.logical_and(a > 1.0, b > 1.0), (a - 1.0) / (a + b - 2.0), math.nan)

    def _var(self, *parameters: Tensor) -> Tensor:
        a, b = parameters
        return a * b / (ops.square(a + b) * (a + b + 1.0))

    def _entropy(self, *parameters: Tensor) -> Tensor:
        a, b = parameters
        return (
            self._log_beta(a, b) - (a - 1.0) * ops.digamma(a) - (b - 1.0) * ops.digamma(b)
            + (a + b - 2.0) * ops.digamma(a + b)
        )  # fmt: skip

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (a_b, b_b), (a, b) = other, own
        return (
            self._log_beta(a_b, b_b) - self._log_beta(a, b) + (a - a_b) * ops.digamma(a) + (b - b_b) * ops.digamma(b)
            + (a_b - a + b_b - b) * ops.digamma(a + b)
        )  # fmt: skip

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        wanted = (parameters[0] + parameters[1]).shape
        x, y = (ops.random_gamma(shape, ops.broadcast_to(p, wanted), self.seed) for p in parameters)
        return x / (x + y)
