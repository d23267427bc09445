"""Distributions as Cells: densities, moments, random numbers, divergences.

    policy = Normal(0.0, 1.0)
    action = policy.sample((3,))
    loss = -policy.log_prob(action, mean, sd).mean()

The parameters are given when a distribution is made, or with each call, after its own arguments.
"""

from __future__ import annotations

import math
from typing import Any

from graphc import ops
from graphc.dispatch import located
from graphc.dtype import float32, int32
from graphc.nn.cell import Cell
from graphc.ops.coerce import as_dtype, as_tensor, cast, to_float
from graphc.tensor import Tensor

__all__ = ["Bernoulli", "Categorical", "Distribution", "Exponential", "Normal", "Uniform"]

Parameters = tuple[Tensor, ...]


class Distribution(Cell):
    """The base of distributions; a subclass says what is named with an underscore.

    Args:
        seed: for random numbers, None: those of `set_seed`.
        dtype: of the values.
        name: what errors call it.
        parameters: by name; None for one that is given with each call.
    """

    def __init__(self, seed: int | None, dtype: Any, name: str, **parameters: Any) -> None:
        super().__init__()
        self.seed, self.dtype, self.name = seed, as_dtype(dtype), name
        self.names = tuple(parameters)
        self._own = {key: None if value is None else self._float(value) for key, value in parameters.items()}
        if all(value is not None for value in self._own.values()):
            self._check(*self._own.values())

    def _float(self, value: Any) -> Tensor:
        tensor = as_tensor(self.name, value)
        return cast(tensor, self.dtype if self.dtype.is_float else to_float(tensor.dtype))

    def _check(self, *parameters: Any) -> None:
        """Raises ValueError for parameters that the distribution cannot have; called where their values are known."""

    def _parameters(self, given: tuple[Any, ...]) -> Parameters:
        """Those of a call, or where it gives none those of the distribution."""
        if len(given) > len(self.names):
            raise located(TypeError(f"{self.name}: expected at most {', '.join(self.names)}, got {len(given)} more"))
        found = []
        for i, key in enumerate(self.names):
            value = given[i] if i < len(given) and given[i] is not None else self._own[key]
            if value is None:
                raise located(ValueError(f"{self.name}: {key} was neither given to the distribution nor with the call"))
            found.append(self._float(value))
        return tuple(found)

    def construct(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """One of the methods by name: `distribution("log_prob", value)`."""
        if name.startswith("_") or name not in _METHODS:
            raise located(ValueError(f"{self.name}: there is no {name!r}; expected one of {', '.join(_METHODS)}"))
        return getattr(self, name)(*args, **kwargs)

    # Densities

    def log_prob(self, value: Any, *parameters: Any) -> Tensor:
        """The logarithm of the density (of the probability, if values are whole numbers) at `value`."""
        return self._log_prob(self._float(value), *self._parameters(parameters))

    def prob(self, value: Any, *parameters: Any) -> Tensor:
        """The density, or the probability of whole numbers, at `value`."""
        return ops.exp(self.log_prob(value, *parameters))

    def cdf(self, value: Any, *parameters: Any) -> Tensor:
        """The probability of numbers up to `value`."""
        return self._cdf(self._float(value), *self._parameters(parameters))

    def log_cdf(self, value: Any, *parameters: Any) -> Tensor:
        """The logarithm of `cdf`."""
        return ops.log(self.cdf(value, *parameters))

    def survival_function(self, value: Any, *parameters: Any) -> Tensor:
        """The probability of numbers above `value`."""
        return 1.0 - self.cdf(value, *parameters)

    def log_survival(self, value: Any, *parameters: Any) -> Tensor:
        """The logarithm of `survival_function`."""
        return ops.log(self.survival_function(value, *parameters))

    # Moments

    def mean(self, *parameters: Any) -> Tensor:
        """The mean."""
        return self._mean(*self._parameters(parameters))

    def var(self, *parameters: Any) -> Tensor:
        """The variance."""
        return self._var(*self._parameters(parameters))

    def sd(self, *parameters: Any) -> Tensor:
        """The standard deviation."""
        return ops.sqrt(self.var(*parameters))

    def mode(self, *parameters: Any) -> Tensor:
        """Where the density is greatest."""
        return self._mode(*self._parameters(parameters))

    def entropy(self, *parameters: Any) -> Tensor:
        """The entropy, in nats."""
        return self._entropy(*self._parameters(parameters))

    # Another distribution of the kind

    def kl_loss(self, dist: str, *parameters: Any) -> Tensor:
        """The Kullback-Leibler divergence of this distribution from another of its kind.

        Args:
            dist: the kind, which can only be this one.
            parameters: those of the other distribution, then, optionally, those of this one.
        """
        other, own = self._of_two("kl_loss", dist, parameters)
        return self._kl_loss(other, own)

    def cross_entropy(self, dist: str, *parameters: Any) -> Tensor:
        """The entropy plus the divergence from another distribution; arguments as `kl_loss`."""
        other, own = self._of_two("cross_entropy", dist, parameters)
        return self._entropy(*own) + self._kl_loss(other, own)

    def _of_two(self, where: str, dist: str, parameters: tuple[Any, ...]) -> tuple[Parameters, Parameters]:
        kind, count = type(self).__name__, len(self.names)
        if dist != kind:
            raise located(ValueError(f"{self.name}.{where}: dist must be {kind!r}, got {dist!r}"))
        if len(parameters) < count:
            raise located(TypeError(f"{self.name}.{where}: expected {', '.join(self.names)} of the other distribution"))
        return tuple(map(self._float, parameters[:count])), self._parameters(parameters[count:])

    # Random numbers

    def sample(self, shape: Any = (), *parameters: Any) -> Tensor:
        """Random numbers `[*shape, *parameters' shape]`."""
        own = self._parameters(parameters)
        lead = (shape,) if isinstance(shape, int) else tuple(shape)
        return cast(self._sample(lead, *own), self.dtype)

    def _uniform(self, shape: tuple[int, ...]) -> Tensor:
        return ops.rand(*shape, seed=self.seed) if shape else ops.rand(1, seed=self.seed)[0]

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        raise self._lacks("log_prob")

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        raise self._lacks("cdf")

    def _mean(self, *parameters: Tensor) -> Tensor:
        raise self._lacks("mean")

    def _var(self, *parameters: Tensor) -> Tensor:
        raise self._lacks("var")

    def _mode(self, *parameters: Tensor) -> Tensor:
        raise self._lacks("mode")

    def _entropy(self, *parameters: Tensor) -> Tensor:
        raise self._lacks("entropy")

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        raise self._lacks("kl_loss")

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        raise self._lacks("sample")

    def _lacks(self, method: str) -> Exception:
        return located(TypeError(f"{self.name}: {method} is not defined for this distribution"))


_METHODS = (
    "prob", "log_prob", "cdf", "log_cdf", "survival_function", "log_survival", "mean", "var", "sd", "mode", "entropy",
    "kl_loss", "cross_entropy", "sample",
)  # fmt: skip


def _above(name: str, what: str, value: Any, bound: float = 0.0) -> None:
    if bool((value <= bound).any()):
        raise located(ValueError(f"{name}: {what} must be greater than {bound}"))


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
        _above(self.name, "sd", parameters[1])

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
        _above(self.name, "high - low", parameters[1] - parameters[0])

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
        _above(self.name, "rate", parameters[0])

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


class Bernoulli(Distribution):
    """1 with a probability, else 0.

    Args:
        probs: the probability, between 0 and 1.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, probs: Any = None, seed: int | None = None, dtype: Any = int32, name: str = "Bernoulli"
    ) -> None:
        super().__init__(seed, dtype, name, probs=probs)

    def _check(self, *parameters: Any) -> None:
        _above(self.name, "probs", parameters[0])
        _above(self.name, "1 - probs", 1.0 - parameters[0])

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        (p,) = parameters
        return value * ops.log(p) + (1.0 - value) * ops.log1p(-p)

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        (p,) = parameters
        return ops.select(value < 0.0, 0.0, ops.select(value < 1.0, 1.0 - p, 1.0))

    def _mean(self, *parameters: Tensor) -> Tensor:
        return parameters[0]

    def _var(self, *parameters: Tensor) -> Tensor:
        return parameters[0] * (1.0 - parameters[0])

    def _mode(self, *parameters: Tensor) -> Tensor:
        return cast(parameters[0] > 0.5, self.dtype)

    def _entropy(self, *parameters: Tensor) -> Tensor:
        (p,) = parameters
        return -(ops.xlogy(p, p) + ops.xlogy(1.0 - p, 1.0 - p))

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (q,), (p,) = other, own
        return p * (ops.log(p) - ops.log(q)) + (1.0 - p) * (ops.log1p(-p) - ops.log1p(-q))

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        (p,) = parameters
        return cast(self._uniform((*shape, *p.shape)) < p, self.dtype)


class Categorical(Distribution):
    """The numbers 0 to K - 1 with probabilities.

    Args:
        probs: the probabilities `[..., K]`, which sum to 1 along the last axis.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, probs: Any = None, seed: int | None = None, dtype: Any = int32, name: str = "Categorical"
    ) -> None:
        super().__init__(seed, dtype, name, probs=probs)

    def _check(self, *parameters: Any) -> None:
        (p,) = parameters
        if not p.ndim or bool((p < 0).any()) or bool((ops.abs(p.sum(-1) - 1.0) > 1e-4).any()):
            raise located(ValueError(f"{self.name}: probs must be at least 0 and sum to 1 along the last axis"))

    def _of_class(self, table: Tensor, value: Tensor) -> Tensor:
        """The entries of classes, which broadcast with the leading axes of the table."""
        count = table.shape[-1]
        places = cast(value, int32)
        own = ops.equal(ops.expand_dims(places, -1), ops.arange(count, dtype=int32))
        return ops.sum(ops.select(own, table, 0.0), -1)

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        return self._of_class(ops.log(parameters[0]), value)

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        return self._of_class(ops.cumsum(parameters[0], -1), value)

    def _mean(self, *parameters: Tensor) -> Tensor:
        (p,) = parameters
        return ops.sum(p * ops.arange(p.shape[-1], dtype=p.dtype), -1)

    def _var(self, *parameters: Tensor) -> Tensor:
        (p,) = parameters
        return ops.sum(p * ops.square(ops.arange(p.shape[-1], dtype=p.dtype)), -1) - ops.square(self._mean(p))

    def _mode(self, *parameters: Tensor) -> Tensor:
        return cast(parameters[0].argmax(-1), self.dtype)

    def _entropy(self, *parameters: Tensor) -> Tensor:
        (p,) = parameters
        return -ops.sum(ops.xlogy(p, p), -1)

    def _kl_loss(self, other: Parameters, own: Parameters) -> Tensor:
        (q,), (p,) = other, own
        return ops.sum(ops.xlogy(p, p) - ops.xlogy(p, q), -1)

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        (p,) = parameters
        number = self._uniform((*shape, *p.shape[:-1]))
        below = ops.cumsum(p, -1)[..., :-1]  # the last class takes what rounding leaves
        return ops.sum(cast(below <= ops.expand_dims(number, -1), int32), -1)
