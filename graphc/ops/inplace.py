"""Methods that change a tensor in place: `x.add_(1)`, `x.zero_()`; attached to Tensor by `graphc.ops.methods`.

Some are functions too: `ops.clamp_(x, 0, 1)`.

A Parameter is assigned to. Any other tensor comes to stand for the new value, as after `x[...] = value`: what was
computed from it before, and its derivative, keep the value that it had.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from graphc.dispatch import assign
from graphc.dtype import int64
from graphc.ops import functions, random
from graphc.ops.axes import axis_of
from graphc.ops.coerce import as_tensor, broadcast, cast, element
from graphc.ops.creation import iota
from graphc.ops.elementwise import identity
from graphc.ops.gather import index_add, index_fill, scatter, tensor_scatter_elements
from graphc.ops.indexing import setitem
from graphc.ops.linalg import addmm
from graphc.ops.scatter import index_copy, index_put, masked_scatter, tensor_scatter_mul
from graphc.ops.selection import masked_fill
from graphc.ops.shape import reshape, stack
from graphc.parameter import Parameter
from graphc.place import located, named
from graphc.random import Generator, generator_of
from graphc.tensor import Tensor

__all__ = [
    "bernoulli_", "clamp_", "erfinv_", "exponential_", "normal_", "put_", "random_", "tanh_", "uniform_", "zero_",
]  # fmt: skip

Method = Callable[..., Tensor]


def become(name: str, tensor: Tensor, value: Tensor) -> Tensor:
    """Makes a tensor hold a value that nobody else has, cast to its dtype and broadcast to its shape; returns it.

    Raises:
        ValueError: the value has another shape, to which the tensor cannot change.
    """
    try:
        fitted = broadcast(cast(value, tensor.dtype), tensor.shape)
    except ValueError:
        raise located(ValueError(f"Tensor.{name}: {tensor.spec} cannot hold {value.spec} in place")) from None
    if isinstance(tensor, Parameter):
        return assign(tensor, fitted)
    tensor._become(fitted if fitted is not tensor else identity(fitted))
    tensor.written(..., tensor)  # `fitted` is on no tape now: what had its value is `tensor`
    return tensor


def _in_place(name: str, function: Method) -> Method:
    """The method that makes a tensor hold what `function` makes of it."""

    @functools.wraps(function)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        value = function(self, *args, **kwargs)
        if id(value) in map(id, (*args, *kwargs.values())):  # as of `copy_`
            value = identity(value)
        return become(name, self, value)

    return named(method, name, f"In place: {function.__doc__}")  # type: ignore[return-value]


def _add(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """`self + alpha * other`."""
    return functions.add(self, other if alpha == 1 else functions.mul(other, alpha))


def _copy(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """The elements of `src`, which broadcasts; whatever `non_blocking` says, they are there when it returns."""
    return as_tensor("copy_", src)


def _fill(self: Tensor, value: Any) -> Tensor:
    """`value` in every element."""
    return element("fill_", value, self.dtype)


def _zero(self: Tensor) -> Tensor:
    """0 in every element."""
    return as_tensor("zero_", 0)


def fill_diagonal(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """The main diagonal filled with a number; of a tall matrix with `wrap` also those that follow after a row."""
    if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
        raise located(ValueError(f"fill_diagonal: expected a matrix, or all extents equal, got {self.spec}"))
    step = sum(_products(self.shape))
    ends = self.size if wrap and self.ndim == 2 else min(self.shape[1] * self.shape[1], self.size)
    if self.ndim > 2:
        ends = self.size
    flat = setitem(reshape(self, (self.size,)), slice(0, ends, step), fill_value)
    return reshape(flat, self.shape)


def _products(shape: tuple[int, ...]) -> list[int]:
    """How many elements lie between neighbours along each axis."""
    found = [1]
    for extent in reversed(shape[1:]):
        found.append(found[-1] * extent)
    return found


def _index_add(self: Tensor, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Tensor:
    """The slices of `source` times `alpha` added to the slices along `dim` at `index`."""
    return index_add(self, index, source if alpha == 1 else functions.mul(source, alpha), dim)


def _scatter(self: Tensor, dim: int, index: Any, src: Any, *, reduce: str | None = None) -> Tensor:
    """Each element of `src`, or one number, at its own index, its position along `dim` taken from `index`.

    Args:
        reduce: "add" adds it to what is there, "multiply" multiplies that by it; None takes its place.
    Raises:
        ValueError: another `reduce`.
    """
    places, source = as_tensor("scatter_", index), element("scatter_", src, self.dtype)
    if source.ndim == places.ndim:
        source = source[tuple(slice(n) for n in places.shape)]
    if reduce is None:
        return scatter(self, dim, places, source)
    updates = broadcast(cast(source, self.dtype), places.shape)
    if reduce == "add":
        return tensor_scatter_elements(self, places, updates, dim, "add")
    if reduce != "multiply":
        raise located(ValueError(f"scatter_: reduce must be 'add', 'multiply' or None, got {reduce!r}"))
    axis = axis_of("scatter_", dim, self.ndim)
    along = [iota(shape=places.shape, axis=d, dtype=int64) for d in range(self.ndim)]
    along[axis] = cast(places, int64)
    return tensor_scatter_mul(self, stack(along, -1), updates)


def scatter_add(self: Tensor, dim: int, index: Any, src: Any) -> Tensor:
    """Each element of `src` added at its own index, its position along `dim` taken from `index`."""
    return tensor_scatter_elements(self, index, src, dim, "add")


def _put(self: Tensor, index: Any, source: Any, accumulate: bool = False) -> Tensor:
    """The elements of `source` at positions of the flat tensor, added to what is there with `accumulate`."""
    places = reshape(as_tensor("put_", index), (-1,))
    return reshape(index_put(reshape(self, (self.size,)), (places,), reshape(source, (-1,)), accumulate), self.shape)


Own = Generator | None
"""What `generator=` may be: numbers are then of its stream."""


def _uniform(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Own = None) -> Tensor:
    """Random numbers, each as likely as any other in [from_, to)."""
    low, high = as_tensor("uniform_", float(from_)), as_tensor("uniform_", float(to))
    return random.uniform(self.shape, low, high, generator_of("uniform_", generator))


def _normal(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Own = None) -> Tensor:
    """Random numbers, normally distributed."""
    return random.normal(self.shape, float(mean), float(std), generator_of("normal_", generator))


def _log_normal(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Own = None) -> Tensor:
    """Random numbers whose logarithms are normally distributed."""
    return functions.exp(_normal(self, mean, std, generator=generator))


def _exponential(self: Tensor, lambd: float = 1.0, *, generator: Own = None) -> Tensor:
    """Random numbers, exponentially distributed with the rate `lambd`."""
    unit = random.rand(*self.shape, seed=generator_of("exponential_", generator))
    return functions.neg(functions.log1p(functions.neg(unit))) / float(lambd)


def _cauchy(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Own = None) -> Tensor:
    """Random numbers of Cauchy's distribution."""
    unit = random.rand(*self.shape, seed=generator_of("cauchy_", generator))
    return functions.tan((unit - 0.5) * math.pi) * float(sigma) + float(median)


def _bernoulli(self: Tensor, p: Any = 0.5, *, generator: Own = None) -> Tensor:
    """1 with the probability `p`, else 0."""
    return random.bernoulli(self, p, generator_of("bernoulli_", generator))


def _random(self: Tensor, from_: int = 0, to: int | None = None, *, generator: Own = None) -> Tensor:
    """Random whole numbers in [from_, to), by default all that the dtype counts up to; `random_(to)` begins at 0."""
    if to is None:
        from_, to = (0, from_) if from_ else (0, 2**24 if self.dtype.is_float else 2**31 - 1)
    return random.randint(from_, to, self.shape, generator_of("random_", generator), dtype=int64)


_FUNCTIONS: dict[str, Method] = {
    "add": _add, "addmm": addmm, "bernoulli": _bernoulli, "clamp": functions.clamp, "copy": _copy,
    "div": functions.div, "exponential": _exponential, "erfinv": functions.erfinv, "exp": functions.exp, "fill": _fill,
    "fill_diagonal": fill_diagonal, "floor": functions.floor, "floor_divide": functions.floor_divide,
    "index_add": _index_add, "index_copy": index_copy, "index_fill": index_fill, "index_put": index_put,
    "log": functions.log, "masked_fill": masked_fill, "masked_scatter": masked_scatter, "mul": functions.mul,
    "normal": _normal, "put": _put, "random": _random, "remainder": functions.remainder, "scatter": _scatter,
    "scatter_add": scatter_add, "sigmoid": functions.sigmoid, "sign": functions.sign, "sub": functions.subtract,
    "tanh": functions.tanh, "uniform": _uniform, "zero": _zero,
}  # fmt: skip

METHODS: dict[str, Method] = {f"{name}_": _in_place(f"{name}_", made) for name, made in _FUNCTIONS.items()}
"""By name."""

(bernoulli_, clamp_, erfinv_, exponential_, normal_, put_, random_, tanh_, uniform_, zero_) = (
    METHODS[name] for name in __all__
)

OUT_OF_PLACE: dict[str, Method] = {
    "cauchy": _cauchy, "fill_diagonal": fill_diagonal, "index_put": index_put, "log_normal": _log_normal,
    "masked_scatter": masked_scatter, "uniform": _uniform,
}  # fmt: skip
"""Methods that return a new tensor, of those above that are no function of `graphc.ops`."""
