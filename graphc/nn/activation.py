"""Activation functions as Cells; each is the function of `graphc.ops` that it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.initializer import initializer
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.layer import Layer
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "FastGelu", "HShrink", "HSigmoid", "HSwish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SeLU", "SiLU", "Sigmoid", "SoftShrink", "Softmax",
    "Softmax2d", "Softmin", "Softplus", "Softsign", "Tanh", "Tanhshrink", "Threshold", "get_activation",
]  # fmt: skip


class ReLU(Layer):
    """max(x, 0)."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.relu(x)


class ReLU6(Layer):
    """x clipped to [0, 6]."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.relu6(x)


class Sigmoid(Layer):
    """1 / (1 + e^-x)."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)


class Tanh(Layer):
    """Hyperbolic tangent."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.tanh(x)


class GELU(Layer):
    """x times the standard normal distribution's value at x (Hendrycks and Gimpel 2016).

    Args:
        approximate: by tanh, as MindSpore does unless told otherwise; False for the exact form with erf.
    """

    def __init__(self, approximate: bool = True) -> None:
        super().__init__()
        self.approximate = check.boolean("GELU", "approximate", approximate)

    def construct(self, x: Tensor) -> Tensor:
        return ops.gelu(x, approximate="tanh" if self.approximate else "none")


class FastGelu(Layer):
    """x * sigmoid(1.702 * x), a cheaper approximation of GELU."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.fast_gelu(x)


class SiLU(Layer):
    """x * sigmoid(x)."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.silu(x)


class Mish(Layer):
    """x * tanh(softplus(x))."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.mish(x)


class HSwish(Layer):
    """x * relu6(x + 3) / 6."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.hardswish(x)


class HSigmoid(Layer):
    """relu6(x + 3) / 6."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.hardsigmoid(x)


class LogSigmoid(Layer):
    """log(sigmoid(x))."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.logsigmoid(x)


class Softsign(Layer):
    """x / (1 + |x|)."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.softsign(x)


class Tanhshrink(Layer):
    """x - tanh(x)."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.tanhshrink(x)


class SeLU(Layer):
    """The scaled exponential linear unit (Klambauer et al. 2017)."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.selu(x)


class ELU(Layer):
    """x where x > 0, else alpha * (e^x - 1).

    Args:
        alpha: any number; MindSpore's own kernels have only 1.0.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = check.number("ELU", "alpha", alpha)

    def construct(self, x: Tensor) -> Tensor:
        return ops.elu(x, self.alpha)


class CELU(Layer):
    """max(0, x) + min(0, alpha * (e^(x / alpha) - 1))."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = check.number("CELU", "alpha", alpha)
        if alpha == 0:
            raise ValueError("For 'CELU', the 'alpha' must not be 0.")

    def construct(self, x: Tensor) -> Tensor:
        return ops.celu(x, self.alpha)


class LeakyReLU(Layer):
    """x where x > 0, else alpha * x."""

    def __init__(self, alpha: float = 0.2) -> None:
        super().__init__()
        self.alpha = check.number("LeakyReLU", "alpha", alpha)

    def construct(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, self.alpha)


class PReLU(Layer):
    """x where x > 0, else w * x with a trained `w` (He et al. 2015).

    Args:
        channel: how many `w` there are: 1, or one for each channel of inputs `[N, C, ...]`.
        w: their initial value: a number, or a Tensor `[channel]`.
    """

    def __init__(self, channel: int = 1, w: Any = 0.25) -> None:
        super().__init__()
        check.positive_int("PReLU", "channel", channel)
        if isinstance(w, bool) or not isinstance(w, (int, float, list, Tensor)):
            raise TypeError(f"For 'PReLU', the 'w' must be a number, a list or a Tensor, but got {w!r}.")
        self.w = Parameter(initializer(Tensor(w) if isinstance(w, list) else w, (channel,), float32), "a")

    def construct(self, x: Tensor) -> Tensor:
        return ops.prelu(x, self.w)


class RReLU(Layer):
    """x where x >= 0, else x times a random slope, in [lower, upper) for each element (Xu et al. 2015)."""

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3) -> None:
        super().__init__()
        self.lower, self.upper = check.number("RReLU", "lower", lower), check.number("RReLU", "upper", upper)
        if lower > upper:
            raise ValueError(f"For 'RReLU', the 'lower' must be at most 'upper', but got {lower} and {upper}.")

    def _draws(self) -> bool:
        return True

    def construct(self, x: Tensor) -> Tensor:
        return ops.rrelu(x, self.lower, self.upper)


class _AlongAxis(Layer):
    operation: Callable[..., Tensor]

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        axes = axis if isinstance(axis, tuple) else (axis,)
        if not all(map(check.is_int, axes)):
            raise TypeError(f"For '{type(self).__name__}', the 'axis' must be int, but got {axis!r}.")
        self.axis = axis

    def construct(self, x: Tensor) -> Tensor:
        return type(self).operation(x, self.axis)


class Softmax(_AlongAxis):
    """e^x divided by its sum along `axis`."""

    operation = staticmethod(ops.softmax)


class LogSoftmax(_AlongAxis):
    """The logarithm of Softmax."""

    operation = staticmethod(ops.log_softmax)


class Softmin(_AlongAxis):
    """Softmax of -x."""

    operation = staticmethod(ops.softmin)


class Softmax2d(Layer):
    """Softmax over the channels of `[N, C, H, W]` or `[C, H, W]`."""

    def construct(self, x: Tensor) -> Tensor:
        if x.ndim not in (3, 4):
            raise ValueError(f"For 'Softmax2d', the input must have 3 or 4 dimensions, but got {x.spec}.")
        return ops.softmax(x, -3)


class Softplus(Layer):
    """log(1 + e^x)."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.softplus(x)


class HShrink(Layer):
    """x where |x| > lambd, else 0."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = check.number("HShrink", "lambd", lambd)

    def construct(self, x: Tensor) -> Tensor:
        return ops.hardshrink(x, self.lambd)


class SoftShrink(Layer):
    """x moved towards 0 by `lambd`, at most to 0."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = check.non_negative_float("SoftShrink", "lambd", lambd)

    def construct(self, x: Tensor) -> Tensor:
        return ops.softshrink(x, self.lambd)


class Hardtanh(Layer):
    """x clipped to [min_val, max_val]."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__()
        self.min_val = check.number("Hardtanh", "min_val", min_val)
        self.max_val = check.number("Hardtanh", "max_val", max_val)
        if max_val < min_val:
            raise ValueError(f"For 'Hardtanh', 'max_val' must be at least 'min_val', but got {max_val} and {min_val}.")

    def construct(self, x: Tensor) -> Tensor:
        return ops.hardtanh(x, self.min_val, self.max_val)


class Threshold(Layer):
    """x where x > threshold, else `value`."""

    def __init__(self, threshold: float, value: float) -> None:
        super().__init__()
        self.threshold = check.number("Threshold", "threshold", threshold)
        self.value = check.number("Threshold", "value", value)

    def construct(self, x: Tensor) -> Tensor:
        return ops.threshold(x, self.threshold, self.value)


class GLU(_AlongAxis):
    """The first half of x along `axis`, times the sigmoid of the second (Dauphin et al. 2017)."""

    operation = staticmethod(ops.glu)


_ACTIVATIONS: dict[str, Callable[[], Cell]] = {
    "softmax": Softmax, "logsoftmax": LogSoftmax, "relu": ReLU, "relu6": ReLU6, "silu": SiLU, "tanh": Tanh,
    "gelu": GELU, "fast_gelu": FastGelu, "elu": ELU, "celu": CELU, "selu": SeLU, "sigmoid": Sigmoid, "mish": Mish,
    "softsign": Softsign, "softplus": Softplus, "prelu": PReLU, "leakyrelu": LeakyReLU, "hswish": HSwish,
    "hsigmoid": HSigmoid, "logsigmoid": LogSigmoid, "softshrink": SoftShrink, "hshrink": HShrink,
    "tanhshrink": Tanhshrink, "softmin": Softmin,
}  # fmt: skip


def get_activation(name: str | None, prim_name: str | None = None) -> Cell | None:
    """A new activation Cell by its name in lower case ('relu', 'leakyrelu', 'hswish', ...); None for None.

    Raises:
        ValueError: there is none of that name; `prim_name` is the layer that asks.
    """
    if name is None:
        return None
    if name not in _ACTIVATIONS:
        where = f"For '{prim_name}'" if prim_name else "For 'get_activation'"
        raise ValueError(f"{where}, the 'name' must be in {sorted(_ACTIVATIONS)}, but got {name!r}.")
    return _ACTIVATIONS[name]()
