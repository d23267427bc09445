"""Bijectors: functions with an inverse, and the logarithms of their slopes, for `TransformedDistribution`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.nn.cell import Cell
from graphc.ops.coerce import as_dtype, as_tensor, cast
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["Bijector", "Exp", "GumbelCDF", "Invert", "PowerTransform", "ScalarAffine", "Softplus"]

_METHODS = ("forward", "inverse", "forward_log_jacobian", "inverse_log_jacobian")


class Bijector(Cell):
    """The base of bijectors; a subclass says what is named with an underscore.

    Args:
        is_constant_jacobian: whether the slope is the same everywhere.
        is_injective: whether no two numbers are made the same.
        name: what errors call it.
        dtype: of the parameters, float32 by default.
        param: the parameters by name.
    """

    def __init__(
        self, is_constant_jacobian: bool = False, is_injective: bool = True, name: str | None = None,
        dtype: Any = None, param: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.name = name or type(self).__name__
        self.dtype = as_dtype(dtype) if dtype is not None else float32
        self.is_constant_jacobian, self.is_injective = is_constant_jacobian, is_injective
        self.parameters = {key: self._float(value) for key, value in (param or {}).items()}

    def _float(self, value: Any) -> Tensor:
        tensor = as_tensor(self.name, value)
        return tensor if tensor.dtype.is_float and isinstance(value, Tensor) else cast(tensor, self.dtype)

    def forward(self, value: Any) -> Tensor:
        """What a number becomes."""
        return self._forward(self._float(value))

    def inverse(self, value: Any) -> Tensor:
        """What becomes this number."""
        return self._inverse(self._float(value))

    def forward_log_jacobian(self, value: Any) -> Tensor:
        """The logarithm of the slope's size at a number."""
        return self._forward_log_jacobian(self._float(value))

    def inverse_log_jacobian(self, value: Any) -> Tensor:
        """The logarithm of the size of the inverse's slope at a number."""
        return self._inverse_log_jacobian(self._float(value))

    def construct(self, name: str, *args: Any) -> Any:
        """One of the methods by name: `bijector("forward", value)`."""
        if name not in _METHODS:
            raise located(ValueError(f"{self.name}: there is no {name!r}; expected one of {', '.join(_METHODS)}"))
        return getattr(self, name)(*args)

    @abstractmethod
    def _forward(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _inverse(self, y: Tensor) -> Tensor: ...

    @abstractmethod
    def _forward_log_jacobian(self, x: Tensor) -> Tensor: ...

    def _inverse_log_jacobian(self, y: Tensor) -> Tensor:
        return -self._forward_log_jacobian(self._inverse(y))


def _positive(name: str, what: str, value: Tensor) -> Tensor:
    if bool((value <= 0).any()):
        raise ValueError(f"{name}: {what} must be greater than 0")
    return value


class PowerTransform(Bijector):
    """`(1 + power * x) ^ (1 / power)`; `exp(x)` for 0.

    Args:
        power: not negative.
    """

    def __init__(self, power: float = 0.0, name: str = "PowerTransform") -> None:
        if isinstance(power, bool) or not isinstance(power, (int, float)) or power < 0:
            raise ValueError(f"{name}: power must be a number that is not negative, got {power!r}")
        super().__init__(name=name, param={"power": float(power)})
        self.power = float(power)

    def _forward(self, x: Tensor) -> Tensor:
        return ops.exp(ops.log1p(x * self.power) / self.power) if self.power else ops.exp(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return ops.expm1(ops.log(y) * self.power) / self.power if self.power else ops.log(y)

    def _forward_log_jacobian(self, x: Tensor) -> Tensor:
        return ops.log1p(x * self.power) * (1.0 / self.power - 1.0) if self.power else x

    def _inverse_log_jacobian(self, y: Tensor) -> Tensor:
        return ops.log(y) * (self.power - 1.0)


class Exp(PowerTransform):
    """`exp(x)`."""

    def __init__(self, name: str = "Exp") -> None:
        super().__init__(0.0, name)


class ScalarAffine(Bijector):
    """`scale * x + shift`.

    Args:
        scale: not 0; shift.
    """

    def __init__(self, scale: Any = 1.0, shift: Any = 0.0, name: str = "ScalarAffine") -> None:
        super().__init__(True, name=name, param={"scale": scale, "shift": shift})
        self.scale, self.shift = self.parameters["scale"], self.parameters["shift"]

    def _forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.shift) / self.scale

    def _forward_log_jacobian(self, x: Tensor) -> Tensor:
        return ops.log(ops.abs(self.scale))


class Softplus(Bijector):
    """`log(1 + exp(sharpness * x)) / sharpness`.

    Args:
        sharpness: above 0.
    """

    def __init__(self, sharpness: Any = 1.0, name: str = "Softplus") -> None:
        super().__init__(name=name, param={"sharpness": sharpness})
        self.sharpness = _positive(name, "sharpness", self.parameters["sharpness"])

    def _forward(self, x: Tensor) -> Tensor:
        return ops.softplus(x * self.sharpness) / self.sharpness

    def _inverse(self, y: Tensor) -> Tensor:
        z = y * self.sharpness
        return (z + ops.log(-ops.expm1(-z))) / self.sharpness

    def _forward_log_jacobian(self, x: Tensor) -> Tensor:
        return -ops.softplus(-(x * self.sharpness))

    def _inverse_log_jacobian(self, y: Tensor) -> Tensor:
        return -ops.log(-ops.expm1(-(y * self.sharpness)))


class GumbelCDF(Bijector):
    """`exp(-exp(-(x - loc) / scale))`, the cdf of Gumbel's distribution.

    Args:
        loc; scale: above 0.
    """

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0, name: str = "GumbelCDF") -> None:
        super().__init__(name=name, param={"loc": loc, "scale": scale})
        self.loc = self.parameters["loc"]
        self.scale = _positive(name, "scale", self.parameters["scale"])

    def _forward(self, x: Tensor) -> Tensor:
        return ops.exp(-ops.exp(-(x - self.loc) / self.scale))

    def _inverse(self, y: Tensor) -> Tensor:
        return self.loc - self.scale * ops.log(-ops.log(y))

    def _forward_log_jacobian(self, x: Tensor) -> Tensor:
        z = (x - self.loc) / self.scale
        return -z - ops.exp(-z) - ops.log(self.scale)

    def _inverse_log_jacobian(self, y: Tensor) -> Tensor:
        return ops.log(self.scale / (-ops.log(y) * y))


class Invert(Bijector):
    """The inverse of another bijector."""

    def __init__(self, bijector: Bijector, name: str = "") -> None:
        if not isinstance(bijector, Bijector):
            raise TypeError(f"Invert: expected a Bijector, got {type(bijector).__name__}")
        super().__init__(bijector.is_constant_jacobian, bijector.is_injective, name or f"Invert{bijector.name}")
        self.bijector = bijector

    def _forward(self, x: Tensor) -> Tensor:
        return self.bijector._inverse(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.bijector._forward(y)

    def _forward_log_jacobian(self, x: Tensor) -> Tensor:
        return self.bijector._inverse_log_jacobian(x)

    def _inverse_log_jacobian(self, y: Tensor) -> Tensor:
        return self.bijector._forward_log_jacobian(y)
