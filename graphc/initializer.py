"""Initial values: `initializer("he_uniform", (128, 784), graphc.float32)`, or an `Initializer` object for the name.

An initializer fills a NumPy array. Random ones draw from a generator of their own, keyed by graphc's seed and by how
many were made since `set_seed`: a seeded program starts from the same weights every time.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Number
from typing import Any

import numpy as np

from graphc.dtype import dtype_of, float32
from graphc.tensor import Tensor

_drawn = itertools.count()


def restart() -> None:
    """Makes the next random initializer the first one of the seed; `set_seed` calls this."""
    global _drawn
    _drawn = itertools.count()


def generator() -> np.random.Generator:
    """The generator of the next random initializer: from the seed if one is set, else from the system's entropy."""
    from graphc.random import get_seed  # random makes Tensors, whose initial values come from here

    seed = get_seed()
    return np.random.default_rng() if seed is None else np.random.default_rng([seed, next(_drawn)])


class Initializer(ABC):
    """The base of all initializers; a subclass defines `_initialize(arr)`, which fills `arr` in place."""

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = kwargs

    @abstractmethod
    def _initialize(self, arr: np.ndarray) -> None:
        """Fills `arr`."""

    def __call__(self, arr: np.ndarray) -> None:
        self._initialize(arr)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._kwargs.items())})"


def _assignment(arr: np.ndarray, num: Any) -> np.ndarray:
    """Fills `arr` in place with a number or an array, as `_initialize` of programs does, and returns it."""
    arr[...] = num
    return arr


_BY_NAME: dict[str, type[Initializer]] = {}


def _named(*names: str) -> Callable[[type[Initializer]], type[Initializer]]:
    """Makes `initializer` find the class by these names and by its own in lower case."""

    def enter(cls: Any) -> Any:
        _BY_NAME.update(dict.fromkeys((cls.__name__.lower(), *names), cls))
        return cls

    return enter


def _register(*aliases: str) -> Callable[[type[Initializer]], type[Initializer]]:
    """Enters an initializer of a program, as `_named` does; what has such a name already keeps it."""

    def enter(cls: Any) -> Any:
        for name in (cls.__name__.lower(), *aliases):
            _BY_NAME.setdefault(name, cls)
        return cls

    return enter


# Draws

def _floats(arr: np.ndarray) -> Any:
    """The float type to draw in for `arr`."""
    return np.float64 if arr.dtype == np.float64 else np.float32


def _fill_normal(arr: np.ndarray, sigma: float, mean: float = 0.0) -> None:
    arr[...] = generator().standard_normal(arr.shape, _floats(arr)) * sigma + mean


def _fill_uniform(arr: np.ndarray, bound: float) -> None:
    arr[...] = (generator().random(arr.shape, _floats(arr)) * 2 - 1) * bound


def _init_random_normal(mean: float, sigma: float, shape: tuple[int, ...]) -> np.ndarray:
    """Normal values of float32, for `_initialize` of programs."""
    filled = np.empty(shape, np.float32)
    _fill_normal(filled, sigma, mean)
    return filled


def _init_random_uniform(a: float, b: float, shape: tuple[int, ...]) -> np.ndarray:
    """Values of float32 spread evenly from `a` to `b`, for `_initialize` of programs."""
    return generator().random(shape, np.float32) * np.float32(b - a) + np.float32(a)


def _fill_truncated(arr: np.ndarray, sigma: float, mean: float, low: float, high: float) -> None:
    """Normal values whose distance from the mean lies between `low` and `high` standard deviations.

    By rejection from the uniform distribution on the interval; beyond 9 sigmas of its likeliest point there is nothing
    that float32 draws could show.
    """
    mode = min(max(low, 0.0), high)
    low, high = max(low, mode - 9.0), min(high, mode + 9.0)
    rng = generator()
    kept: list[np.ndarray] = []
    missing = arr.size
    while missing > 0:
        x = rng.uniform(low, high, 2 * missing + 16)
        x = x[rng.random(x.size) < np.exp((mode * mode - x * x) / 2)][:missing]
        kept.append(x)
        missing -= x.size
    arr[...] = np.concatenate(kept or [np.empty(0)]).reshape(arr.shape) * sigma + mean


# Fans and gains

def _calculate_fan_in_and_fan_out(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs feed an output, and outputs an input, of a weight `[out, in, *kernel]`."""
    if len(shape) < 2:
        raise ValueError(f"initializer: fan_in and fan_out need a weight of at least 2 dimensions, got shape {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _calculate_correct_fan(shape: tuple[int, ...], mode: str) -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"initializer: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan_in, fan_out = _calculate_fan_in_and_fan_out(shape)
    return fan_in if mode.lower() == "fan_in" else fan_out


def _calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What keeps the variance through the activation that follows; `param` is the slope of `leaky_relu`."""
    gains = {"sigmoid": 1.0, "linear": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0)}
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"initializer: negative_slope must be a number, got {slope!r}")
        return math.sqrt(2.0 / (1.0 + slope * slope))
    if nonlinearity not in gains:
        known = ", ".join([*gains, "leaky_relu"])
        raise ValueError(f"initializer: nonlinearity must be one of {known}, got {nonlinearity!r}")
    return gains[nonlinearity]


# Constant initializers

@_named("zeros")
class Zero(Initializer):
    """All zeros."""

    def _initialize(self, arr: np.ndarray) -> None:
        arr.fill(0)


@_named("ones")
class One(Initializer):
    """All ones."""

    def _initialize(self, arr: np.ndarray) -> None:
        arr.fill(1)


class Constant(Initializer):
    """One value everywhere, or an array that broadcasts to the shape."""

    def __init__(self, value: Any) -> None:
        super().__init__(value=value)
        self.value = value

    def _initialize(self, arr: np.ndarray) -> None:
        arr[...] = self.value


@_named()
class Identity(Initializer):
    """The identity matrix: ones on the diagonal of a matrix of any shape."""

    def _initialize(self, arr: np.ndarray) -> None:
        if arr.ndim != 2:
            raise ValueError(f"Identity: expected a shape of 2 dimensions, got {arr.shape}")
        arr[...] = np.eye(*arr.shape)


@_named()
class Dirac(Initializer):
    """A convolution weight `[out, in, *kernel]` that passes its input through, in each of `groups` groups."""

    def __init__(self, groups: int = 1) -> None:
        super().__init__(groups=groups)
        if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
            raise ValueError(f"Dirac: groups must be an int >= 1, got {groups!r}")
        self.groups = groups

    def _initialize(self, arr: np.ndarray) -> None:
        if arr.ndim not in (3, 4, 5):
            raise ValueError(f"Dirac: expected a shape of 3, 4 or 5 dimensions, got {arr.shape}")
        if arr.shape[0] % self.groups:
            raise ValueError(f"Dirac: shape[0] must be a multiple of groups={self.groups}, got shape {arr.shape}")
        arr.fill(0)
        per_group = arr.shape[0] // self.groups
        centre = tuple(extent // 2 for extent in arr.shape[2:])
        for group in range(self.groups):
            for channel in range(min(per_group, arr.shape[1])):
                arr[(group * per_group + channel, channel, *centre)] = 1


# Random initializers

@_named()
class Normal(Initializer):
    """Normal values of standard deviation `sigma` around `mean`."""

    def __init__(self, sigma: float = 0.01, mean: float = 0.0) -> None:
        super().__init__(sigma=sigma, mean=mean)
        self.sigma, self.mean = _non_negative("Normal", "sigma", sigma), mean

    def _initialize(self, arr: np.ndarray) -> None:
        _fill_normal(arr, self.sigma, self.mean)


@_named()
class TruncatedNormal(Initializer):
    """Normal values of which those outside [mean + a * sigma, mean + b * sigma] are drawn again."""

    def __init__(self, sigma: float = 0.01, mean: float = 0.0, a: float = -2.0, b: float = 2.0) -> None:
        super().__init__(sigma=sigma, mean=mean, a=a, b=b)
        if not a < b:
            raise ValueError(f"TruncatedNormal: a must be less than b, got {a} and {b}")
        self.sigma, self.mean, self.a, self.b = _non_negative("TruncatedNormal", "sigma", sigma), mean, a, b

    def _initialize(self, arr: np.ndarray) -> None:
        _fill_truncated(arr, self.sigma, self.mean, self.a, self.b)


@_named()
class Uniform(Initializer):
    """Uniform values in [-scale, scale)."""

    def __init__(self, scale: float = 0.07) -> None:
        super().__init__(scale=scale)
        self.scale = scale

    def _initialize(self, arr: np.ndarray) -> None:
        _fill_uniform(arr, self.scale)


@_named("xavier_uniform")
class XavierUniform(Initializer):
    """Uniform within gain * sqrt(6 / (fan_in + fan_out)) of 0 (Glorot and Bengio 2010, eq. 16)."""

    def __init__(self, gain: float = 1) -> None:
        super().__init__(gain=gain)
        self.gain = gain

    def _initialize(self, arr: np.ndarray) -> None:
        _fill_uniform(arr, self.gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(arr.shape))))


@_named("xavier_normal")
class XavierNormal(Initializer):
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""

    def __init__(self, gain: float = 1) -> None:
        super().__init__(gain=gain)
        self.gain = gain

    def _initialize(self, arr: np.ndarray) -> None:
        _fill_normal(arr, self.gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(arr.shape))))


class _He(Initializer):
    """What the two initializers of He et al. 2015 (eq. 10 and 14) share: a standard deviation of gain / sqrt(fan).

    The slope is checked where it is used: some programs hand over the Parameter to fill, and never use what they made.
    """

    def __init__(
        self, negative_slope: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
    ) -> None:
        super().__init__(negative_slope=negative_slope, mode=mode, nonlinearity=nonlinearity)
        _calculate_gain(nonlinearity)
        _calculate_correct_fan((1, 1), mode)
        self.negative_slope, self.mode, self.nonlinearity = negative_slope, mode, nonlinearity

    def _sigma(self, shape: tuple[int, ...]) -> float:
        gain = _calculate_gain(self.nonlinearity, self.negative_slope)
        return gain / math.sqrt(_calculate_correct_fan(shape, self.mode))


@_named("he_uniform")
class HeUniform(_He):
    """Uniform within gain * sqrt(3 / fan) of 0."""

    def _initialize(self, arr: np.ndarray) -> None:
        _fill_uniform(arr, math.sqrt(3.0) * self._sigma(arr.shape))


@_named("he_normal")
class HeNormal(_He):
    """Normal with standard deviation gain / sqrt(fan)."""

    def _initialize(self, arr: np.ndarray) -> None:
        _fill_normal(arr, self._sigma(arr.shape))


@_named()
class Orthogonal(Initializer):
    """A random matrix with orthonormal rows or columns, times `gain`; dimensions after the first count as columns."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__(gain=gain)
        self.gain = gain

    def _initialize(self, arr: np.ndarray) -> None:
        if arr.ndim < 2:
            raise ValueError(f"Orthogonal: expected a shape of at least 2 dimensions, got {arr.shape}")
        rows, columns = arr.shape[0], math.prod(arr.shape[1:])
        q, r = np.linalg.qr(generator().standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diag(r))  # makes the distribution uniform over orthogonal matrices (Mezzadri 2007)
        arr[...] = (q if rows >= columns else q.T).reshape(arr.shape) * self.gain


@_named()
class VarianceScaling(Initializer):
    """Values of variance scale / n, where n is `fan_in`, `fan_out` or their mean.

    Args:
        scale: above 0.
        mode: 'fan_in', 'fan_out' or 'fan_avg'.
        distribution: 'truncated_normal' (cut at two standard deviations), 'untruncated_normal' or 'uniform'.
    """

    TRUNCATED_SIGMA = 0.87962566103423978  # the standard deviation of a standard normal cut at -2 and 2

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal"
    ) -> None:
        super().__init__(scale=scale, mode=mode, distribution=distribution)
        if scale <= 0.0:
            raise ValueError(f"VarianceScaling: scale must be greater than 0, got {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"VarianceScaling: mode must be 'fan_in', 'fan_out' or 'fan_avg', got {mode!r}")
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(
                "VarianceScaling: distribution must be 'uniform', 'truncated_normal' or 'untruncated_normal', "
                f"got {distribution!r}"
            )
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def _initialize(self, arr: np.ndarray) -> None:
        fan_in, fan_out = _calculate_fan_in_and_fan_out(arr.shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        sigma = math.sqrt(self.scale / max(1.0, fan))
        if self.distribution == "uniform":
            _fill_uniform(arr, math.sqrt(3.0) * sigma)
        elif self.distribution == "untruncated_normal":
            _fill_normal(arr, sigma)
        else:
            _fill_truncated(arr, sigma / self.TRUNCATED_SIGMA, 0.0, -2.0, 2.0)


@_named()
class Sparse(Initializer):
    """A matrix of which each column has the fraction `sparsity` of zeros, and normal values elsewhere."""

    def __init__(self, sparsity: float, sigma: float = 0.01) -> None:
        super().__init__(sparsity=sparsity, sigma=sigma)
        if not 0.0 <= sparsity <= 1.0:
            raise ValueError(f"Sparse: sparsity must be between 0 and 1, got {sparsity}")
        self.sparsity, self.sigma = sparsity, _non_negative("Sparse", "sigma", sigma)

    def _initialize(self, arr: np.ndarray) -> None:
        if arr.ndim != 2:
            raise ValueError(f"Sparse: expected a shape of 2 dimensions, got {arr.shape}")
        _fill_normal(arr, self.sigma)
        order = generator().permuted(np.tile(np.arange(arr.shape[0])[:, None], arr.shape[1]), axis=0)
        arr[order < math.ceil(self.sparsity * arr.shape[0])] = 0


def _non_negative(where: str, name: str, value: float) -> float:
    if not value >= 0:
        raise ValueError(f"{where}: {name} must be at least 0, got {value}")
    return value


def initializer(init: Any, shape: Any = None, dtype: Any = float32) -> Tensor:
    """A Tensor with initial values.

    Args:
        init: an Initializer, its name ('normal', 'zeros', 'he_uniform', ...), a number, or a Tensor of that shape.
        shape: an int, or a tuple or list of ints above 0; not needed where `init` is a Tensor.
        dtype: its element type.
    Raises:
        TypeError: `init` is none of these.
        ValueError: an unknown name, or a shape that `init` does not fit.
    """
    wanted = None if shape is None else tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if isinstance(init, Tensor):
        if wanted is not None and init.shape != wanted:
            raise ValueError(f"initializer: init has shape {init.shape}, but shape is {wanted}")
        return Tensor(init, dtype)
    if wanted is None:
        raise ValueError("initializer: shape is needed unless init is a Tensor")
    for extent in wanted:
        if isinstance(extent, bool) or not isinstance(extent, (int, np.integer)) or extent <= 0:
            raise ValueError(f"initializer: shape must be ints above 0, got {shape}")
    array = np.empty(wanted, dtype_of(dtype).np)
    _find(init)(array)
    return Tensor.wrap(array)


def _find(init: Any) -> Initializer:
    if isinstance(init, Initializer):
        return init
    if isinstance(init, Number):
        return Constant(init)
    if not isinstance(init, str):
        raise TypeError(f"initializer: init must be a Tensor, number, str or Initializer, got {type(init).__name__}")
    found = _BY_NAME.get(init.lower())
    if found is None:
        raise ValueError(f"initializer: {init!r} is unknown; known are {', '.join(sorted(_BY_NAME))}")
    return found()
