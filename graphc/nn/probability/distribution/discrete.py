"""Distributions of whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from graphc import ops
from graphc.dtype import float32, int32
from graphc.nn.probability.distribution.base import Distribution
from graphc.ops.coerce import cast
from graphc.place import located
from graphc.tensor import Tensor

PROBS1 = {"probs1": "probs", "probs1_b": "probs_b"}
"""MindSpore's names of the parameter in calls."""


class Bernoulli(Distribution):
    """1 with a probability, else 0.

    Args:
        probs: the probability, between 0 and 1.
        seed, dtype, name: see `Distribution`.
    """

    _SYNONYMS: ClassVar[Mapping[str, str]] = PROBS1

    def __init__(
        self, probs: Any = None, seed: int | None = None, dtype: Any = int32, name: str = "Bernoulli"
    ) -> None:
        super().__init__(seed, dtype, name, probs=probs)

    def _check(self, p: Tensor) -> None:
        self._require_positive(**{"probs": p, "1 - probs": 1.0 - p})

    def _log_prob(self, value: Tensor, p: Tensor) -> Tensor:
        return value * ops.log(p) + (1.0 - value) * ops.log1p(-p)

    def _cdf(self, value: Tensor, p: Tensor) -> Tensor:
        return ops.select(value < 0.0, 0.0, ops.select(value < 1.0, 1.0 - p, 1.0))

    def _mean(self, p: Tensor) -> Tensor:
        return p

    def _var(self, p: Tensor) -> Tensor:
        return p * (1.0 - p)

    def _mode(self, p: Tensor) -> Tensor:
        return cast(p > 0.5, self.dtype)

    def _entropy(self, p: Tensor) -> Tensor:
        return -(ops.xlogy(p, p) + ops.xlogy(1.0 - p, 1.0 - p))

    def _kl_loss(self, q: Tensor, p: Tensor) -> Tensor:
        return p * (ops.log(p) - ops.log(q)) + (1.0 - p) * (ops.log1p(-p) - ops.log1p(-q))

    def _sample(self, shape: tuple[int, ...], p: Tensor) -> Tensor:
        return cast(self._uniform(shape) < p, self.dtype)


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

    def _check(self, p: Tensor) -> None:
        if not p.ndim or bool((p < 0).any()) or bool((ops.abs(p.sum(-1) - 1.0) > 1e-4).any()):
            raise located(ValueError(f"{self.name}: probs must be at least 0 and sum to 1 along the last axis"))

    def _shape(self, p: Tensor) -> tuple[int, ...]:
        return p.shape[:-1]

    def _of_class(self, table: Tensor, value: Tensor) -> Tensor:
        """The entries of classes, which broadcast with the leading axes of the table."""
        count = table.shape[-1]
        places = cast(value, int32)
        own = ops.equal(ops.expand_dims(places, -1), ops.arange(count, dtype=int32))
        return ops.sum(ops.select(own, table, 0.0), -1)

    def _log_prob(self, value: Tensor, p: Tensor) -> Tensor:
        return self._of_class(ops.log(p), value)

    def _cdf(self, value: Tensor, p: Tensor) -> Tensor:
        return self._of_class(ops.cumsum(p, -1), value)

    def _mean(self, p: Tensor) -> Tensor:
        return ops.sum(p * ops.arange(p.shape[-1], dtype=p.dtype), -1)

    def _var(self, p: Tensor) -> Tensor:
        return ops.sum(p * ops.square(ops.arange(p.shape[-1], dtype=p.dtype)), -1) - ops.square(self._mean(p))

    def _mode(self, p: Tensor) -> Tensor:
        return cast(p.argmax(-1), self.dtype)

    def _entropy(self, p: Tensor) -> Tensor:
        return -ops.sum(ops.xlogy(p, p), -1)

    def _kl_loss(self, q: Tensor, p: Tensor) -> Tensor:
        return ops.sum(ops.xlogy(p, p) - ops.xlogy(p, q), -1)

    def _sample(self, shape: tuple[int, ...], p: Tensor) -> Tensor:
        number = self._uniform(shape)
        below = ops.cumsum(p, -1)[..., :-1]  # the last class takes what rounding leaves
        return ops.sum(cast(below <= ops.expand_dims(number, -1), int32), -1)


class Geometric(Distribution):
    """How often an event does not happen before it happens.

    Args:
        probs: its probability each time, between 0 and 1.
        seed, dtype, name: see `Distribution`.
    """

    _SYNONYMS: ClassVar[Mapping[str, str]] = PROBS1

    def __init__(
        self, probs: Any = None, seed: int | None = None, dtype: Any = int32, name: str = "Geometric"
    ) -> None:
        super().__init__(seed, dtype, name, probs=probs)

    def _check(self, p: Tensor) -> None:
        self._require_positive(**{"probs": p, "1 - probs": 1.0 - p})

    def _log_prob(self, value: Tensor, p: Tensor) -> Tensor:
        return ops.select(value >= 0.0, value * ops.log1p(-p) + ops.log(p), -math.inf)

    def _cdf(self, value: Tensor, p: Tensor) -> Tensor:
        return ops.select(value >= 0.0, -ops.expm1((ops.floor(value) + 1.0) * ops.log1p(-p)), 0.0)

    def _mean(self, p: Tensor) -> Tensor:
        return (1.0 - p) / p

    def _var(self, p: Tensor) -> Tensor:
        return (1.0 - p) / ops.square(p)

    def _mode(self, p: Tensor) -> Tensor:
        return cast(ops.zeros_like(p), self.dtype)

    def _entropy(self, p: Tensor) -> Tensor:
        return -(ops.xlogy(1.0 - p, 1.0 - p) + ops.xlogy(p, p)) / p

    def _kl_loss(self, q: Tensor, p: Tensor) -> Tensor:
        return ops.log(p) - ops.log(q) + (1.0 - p) / p * (ops.log1p(-p) - ops.log1p(-q))

    def _sample(self, shape: tuple[int, ...], p: Tensor) -> Tensor:
        u = self._uniform(shape)
        return cast(ops.floor(ops.log1p(-u) / ops.log1p(-p)), self.dtype)


class Poisson(Distribution):
    """How often something happens that happens at a rate.

    Args:
        rate: the mean.
        seed, dtype, name: see `Distribution`.
    """

    def __init__(
        self, rate: Any = None, seed: int | None = None, dtype: Any = float32, name: str = "Poisson"
    ) -> None:
        super().__init__(seed, dtype, name, rate=rate)

    def _check(self, rate: Tensor) -> None:
        self._require_positive(rate=rate)

    def _log_prob(self, value: Tensor, rate: Tensor) -> Tensor:
        inside = ops.xlogy(value, rate) - rate - ops.lgamma(value + 1.0)
        return ops.select(value >= 0.0, inside, -math.inf)

    def _cdf(self, value: Tensor, rate: Tensor) -> Tensor:
        return ops.select(value >= 0.0, ops.igammac(ops.floor(ops.maximum(value, 0.0)) + 1.0, rate), 0.0)

    def _mean(self, rate: Tensor) -> Tensor:
        return rate

    def _var(self, rate: Tensor) -> Tensor:
        return rate

    def _mode(self, rate: Tensor) -> Tensor:
        return ops.floor(rate)

    def _kl_loss(self, rate_b: Tensor, rate: Tensor) -> Tensor:
        return rate * (ops.log(rate) - ops.log(rate_b)) - rate + rate_b

    def _sample(self, shape: tuple[int, ...], rate: Tensor) -> Tensor:
        return ops.random_poisson((), ops.broadcast_to(rate, shape), self.seed)
