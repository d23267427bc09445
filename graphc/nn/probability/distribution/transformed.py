"""Distributions of what a bijector makes of other numbers."""

from __future__ import annotations

from graphc import ops
from graphc.nn.probability.bijector import Bijector
from graphc.nn.probability.distribution.base import Distribution
from graphc.place import located
from graphc.tensor import Tensor


class TransformedDistribution(Distribution):
    """The distribution of `bijector(x)`, x of another distribution, whose parameters it takes.

    Args:
        bijector: increasing.
        distribution: of x.
        seed, name: see `Distribution`.
    Raises:
        TypeError: the mean is asked for where the bijector is not linear.
    """

    def __init__(
        self, bijector: Bijector, distribution: Distribution, seed: int | None = None,
        name: str = "transformed_distribution",
    ) -> None:
        if not isinstance(bijector, Bijector):
            raise TypeError(f"{name}: expected a Bijector, got {type(bijector).__name__}")
        if not isinstance(distribution, Distribution):
            raise TypeError(f"{name}: expected a Distribution, got {type(distribution).__name__}")
        super().__init__(seed, distribution.dtype, name)
        self.names, self._own = distribution.names, dict(distribution._own)
        self.bijector, self.distribution = bijector, distribution

    def _log_prob(self, value: Tensor, *parameters: Tensor) -> Tensor:
        source = self.bijector.inverse(value)
        return self.distribution._log_prob(source, *parameters) + self.bijector.inverse_log_jacobian(value)

    def _cdf(self, value: Tensor, *parameters: Tensor) -> Tensor:
        return self.distribution._cdf(self.bijector.inverse(value), *parameters)

    def _mean(self, *parameters: Tensor) -> Tensor:
        if not self.bijector.is_constant_jacobian:
            raise located(TypeError(f"{self.name}: the mean is defined for linear bijectors only"))
        return self.bijector.forward(self.distribution._mean(*parameters))

    def _var(self, *parameters: Tensor) -> Tensor:
        if not self.bijector.is_constant_jacobian:
            raise located(TypeError(f"{self.name}: the variance is defined for linear bijectors only"))
        variance = self.distribution._var(*parameters)
        return variance * ops.exp(self.bijector.forward_log_jacobian(variance) * 2.0)

    def _shape(self, *parameters: Tensor) -> tuple[int, ...]:
        return self.distribution._shape(*parameters)

    def _sample(self, shape: tuple[int, ...], *parameters: Tensor) -> Tensor:
        return self.bijector.forward(self.distribution._sample(shape, *parameters))
