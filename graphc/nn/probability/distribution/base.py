"""The base of distributions."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dispatch import located
from graphc.nn.cell import Cell
from graphc.ops.coerce import as_dtype, as_tensor, cast, to_float
from graphc.tensor import Tensor

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


def above(name: str, what: str, value: Any, bound: float = 0.0) -> None:
    if bool((value <= bound).any()):
        raise located(ValueError(f"{name}: {what} must be greater than {bound}"))
