"""The base of distributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from graphc import ops
from graphc.nn.cell import Cell
from graphc.ops.coerce import as_dtype, as_tensor, cast, to_float
from graphc.place import located
from graphc.tensor import Tensor

Parameters = tuple[Tensor, ...]
Formula = Callable[..., Tensor]
_NONE: Mapping[str, Any] = MappingProxyType({})


def _lacking(method: str) -> Formula:
    """The formula of a distribution that has none."""

    def formula(self: Distribution, *_: Any) -> Tensor:
        raise located(TypeError(f"{self.name}: {method} is not defined for this distribution"))

    return formula


class Distribution(Cell):
    """The base of distributions; a subclass gives the formulas, named with an underscore.

    A formula takes what its method takes, then the parameters, by position and as float tensors.

    Args:
        seed: for random numbers, None: those of `set_seed`.
        dtype: of the values.
        name: what errors call it.
        parameters: by name; None for one that is given with each call.
    """

    _SYNONYMS: ClassVar[Mapping[str, str]] = _NONE  # other names by which a call may give parameters

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

    def _check(self, *parameters: Any, **_: Any) -> None:  # so that those of subclasses may name their parameters
        """Raises ValueError for parameters that there cannot be; called where their values are known."""

    def _require_positive(self, **values: Tensor) -> None:
        for what, value in values.items():
            if bool((value <= 0.0).any()):
                raise located(ValueError(f"{self.name}: {what} must be greater than 0.0"))

    def _parameters(self, given: tuple[Any, ...], named: Mapping[str, Any] = _NONE) -> Parameters:
        """Those of a call, by position and by name, or where it gives none those of the distribution."""
        found = []
        for key, value in zip(self.names, self._in_order(self.names, given, named), strict=True):
            value = self._own[key] if value is None else value
            if value is None:
                raise located(ValueError(f"{self.name}: {key} was neither given to the distribution nor with the call"))
            found.append(self._float(value))
        return tuple(found)

    def _in_order(self, names: tuple[str, ...], given: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
        """For each of the names what a call gives, None for nothing."""
        named = {self._SYNONYMS.get(key, key): value for key, value in named.items()}
        left = names[len(given) :]
        if len(given) > len(names) or not named.keys() <= set(left):
            got = f"{len(given)} by position and {', '.join(named) or 'none'} by name"
            raise located(TypeError(f"{self.name}: expected at most {', '.join(names)}, got {got}"))
        return (*given, *map(named.get, left))

    def construct(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """One of the methods by name: `distribution("log_prob", value)`."""
        if name.startswith("_") or name not in _METHODS:
            raise located(ValueError(f"{self.name}: there is no {name!r}; expected one of {', '.join(_METHODS)}"))
        return getattr(self, name)(*args, **kwargs)

    # What it is

    def get_dist_type(self, *parameters: Any, **named: Any) -> str:
        """The name of its kind, as `kl_loss` takes it, whatever its parameters are."""
        return type(self).__name__

    def get_dist_args(self, *parameters: Any, **named: Any) -> Parameters:
        """Its parameters, those of the call first."""
        return self._parameters(parameters, named)

    # Densities

    def log_prob(self, value: Any, *parameters: Any, **named: Any) -> Tensor:
        """The logarithm of the density (of the probability, if values are whole numbers) at `value`."""
        return self._log_prob(self._float(value), *self._parameters(parameters, named))

    def prob(self, value: Any, *parameters: Any, **named: Any) -> Tensor:
        """The density, or the probability of whole numbers, at `value`."""
        return ops.exp(self.log_prob(value, *parameters, **named))

    def cdf(self, value: Any, *parameters: Any, **named: Any) -> Tensor:
        """The probability of numbers up to `value`."""
        return self._cdf(self._float(value), *self._parameters(parameters, named))

    def log_cdf(self, value: Any, *parameters: Any, **named: Any) -> Tensor:
        """The logarithm of `cdf`."""
        return ops.log(self.cdf(value, *parameters, **named))

    def survival_function(self, value: Any, *parameters: Any, **named: Any) -> Tensor:
        """The probability of numbers above `value`."""
        return 1.0 - self.cdf(value, *parameters, **named)

    def log_survival(self, value: Any, *parameters: Any, **named: Any) -> Tensor:
        """The logarithm of `survival_function`."""
        return ops.log(self.survival_function(value, *parameters, **named))

    # Moments

    def mean(self, *parameters: Any, **named: Any) -> Tensor:
        """The mean."""
        return self._mean(*self._parameters(parameters, named))

    def var(self, *parameters: Any, **named: Any) -> Tensor:
        """The variance."""
        return self._var(*self._parameters(parameters, named))

    def sd(self, *parameters: Any, **named: Any) -> Tensor:
        """The standard deviation."""
        return ops.sqrt(self.var(*parameters, **named))

    def mode(self, *parameters: Any, **named: Any) -> Tensor:
        """Where the density is greatest."""
        return self._mode(*self._parameters(parameters, named))

    def entropy(self, *parameters: Any, **named: Any) -> Tensor:
        """The entropy, in nats."""
        return self._entropy(*self._parameters(parameters, named))

    # Another distribution of the kind

    def kl_loss(self, dist: str, *parameters: Any, **named: Any) -> Tensor:
        """The Kullback-Leibler divergence of this distribution from another of its kind.

        Args:
            dist: the kind, which can only be this one.
            parameters, named: those of the other distribution, then, optionally, those of this one. By name the
                other's end in `_b`: `mean_b`.
        """
        other, own = self._of_two("kl_loss", dist, parameters, named)
        return self._kl_loss(*other, *own)

    def cross_entropy(self, dist: str, *parameters: Any, **named: Any) -> Tensor:
        """The entropy plus the divergence from another distribution; arguments as `kl_loss`."""
        other, own = self._of_two("cross_entropy", dist, parameters, named)
        return self._entropy(*own) + self._kl_loss(*other, *own)

    def _of_two(
        self, where: str, dist: str, parameters: tuple[Any, ...], named: Mapping[str, Any]
    ) -> tuple[Parameters, Parameters]:
        kind, count = type(self).__name__, len(self.names)
        if dist != kind:
            raise located(ValueError(f"{self.name}.{where}: dist must be {kind!r}, got {dist!r}"))
        names = (*(f"{key}_b" for key in self.names), *self.names)
        given = self._in_order(names, parameters, named)
        if any(value is None for value in given[:count]):
            raise located(TypeError(f"{self.name}.{where}: expected {', '.join(self.names)} of the other distribution"))
        return tuple(map(self._float, given[:count])), self._parameters(given[count:])

    # Random numbers

    def sample(self, shape: Any = (), *parameters: Any, **named: Any) -> Tensor:
        """Random numbers `[*shape, *parameters' shape]`."""
        own = self._parameters(parameters, named)
        lead = (shape,) if isinstance(shape, int) else tuple(shape)
        return cast(self._sample((*lead, *self._shape(*own)), *own), self.dtype)

    def _shape(self, *parameters: Any, **_: Any) -> tuple[int, ...]:
        """The shape of one number for each of the parameters."""
        return np.broadcast_shapes(*(parameter.shape for parameter in parameters))

    def _uniform(self, shape: tuple[int, ...]) -> Tensor:
        """Numbers in [0, 1)."""
        return ops.rand(shape, seed=self.seed)

    def _normal(self, shape: tuple[int, ...]) -> Tensor:
        return ops.standard_normal(shape, self.seed)

    def _gamma(self, shape: tuple[int, ...], concentration: Tensor) -> Tensor:
        return ops.random_gamma((), ops.broadcast_to(concentration, shape), self.seed)

    # Formulas: `_kl_loss` takes the other distribution's parameters, then the own ones; `_sample` the result's shape.

    _log_prob = _lacking("log_prob")
    _cdf = _lacking("cdf")
    _mean = _lacking("mean")
    _var = _lacking("var")
    _mode = _lacking("mode")
    _entropy = _lacking("entropy")
    _kl_loss = _lacking("kl_loss")
    _sample = _lacking("sample")


class LocationScale(Distribution):
    """The base of the distributions of `loc + scale * z`, z of a standard distribution with its mode at 0.

    Attributes:
        VARIANCE, ENTROPY: of z.
        _standard: numbers z in a shape.
    """

    VARIANCE: float
    ENTROPY: float
    _standard: Formula

    def _check(self, loc: Tensor, scale: Tensor) -> None:
        self._require_positive(**{self.names[1]: scale})

    def _mode(self, loc: Tensor, scale: Tensor) -> Tensor:
        return loc + ops.zeros_like(scale)

    _mean = _mode

    def _var(self, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.square(scale) * self.VARIANCE + ops.zeros_like(loc)

    def _entropy(self, loc: Tensor, scale: Tensor) -> Tensor:
        return ops.log(scale) + self.ENTROPY + ops.zeros_like(loc)

    def _sample(self, shape: tuple[int, ...], loc: Tensor, scale: Tensor) -> Tensor:
        return loc + scale * self._standard(shape)


_METHODS = (
    "prob", "log_prob", "cdf", "log_cdf", "survival_function", "log_survival", "mean", "var", "sd", "mode", "entropy",
    "kl_loss", "cross_entropy", "sample", "get_dist_type", "get_dist_args",
)  # fmt: skip
