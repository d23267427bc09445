"""Tensors of random numbers."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import int64
from graphc.mint.creation import on_cpu
from graphc.ops.axes import as_ints
from graphc.ops.coerce import as_tensor, cast, to_dtype
from graphc.place import located
from graphc.random import Generator, generator_of
from graphc.tensor import Tensor

__all__ = [
    "bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm",
]  # fmt: skip


def rand(*size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Random numbers, each as likely as any other in [0, 1)."""
    on_cpu("rand", device)
    return ops.rand(*size, dtype=dtype, seed=generator_of("rand", generator))


def randn(*size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Random numbers, normally distributed."""
    on_cpu("randn", device)
    return ops.randn(*size, dtype=dtype, seed=generator_of("randn", generator))


def rand_like(input: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`rand` in the shape (and dtype) of another tensor."""
    on_cpu("rand_like", device)
    return ops.rand_like(input, dtype=dtype)


def randn_like(input: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`randn` in the shape (and dtype) of another tensor."""
    on_cpu("randn_like", device)
    return ops.randn_like(input, dtype=dtype)


def randint(*args: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Random whole numbers: `randint(low, high, size)` in [low, high), or `randint(high, size)` from 0: int64."""
    on_cpu("randint", device)
    if not 2 <= len(args) <= 3:
        raise located(TypeError(f"randint: expected low, high and size, or high and size, got {args!r:.60}"))
    low, high, size = (0, *args) if len(args) == 2 else args
    return ops.randint(low, high, size, generator_of("randint", generator), dtype=to_dtype(dtype, int64))


def randint_like(input: Any, *bounds: int, dtype: Any = None, device: Any = None) -> Tensor:
    """`randint` in the shape (and dtype) of another tensor: `randint_like(x, high)` or `randint_like(x, low, high)`."""
    on_cpu("randint_like", device)
    x = as_tensor("randint_like", input)
    low, high = (0, *bounds) if len(bounds) == 1 else bounds
    return ops.randint(low, high, x.shape, dtype=to_dtype(dtype, x.dtype))


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = int64) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    return ops.randperm(n, generator_of("randperm", generator), dtype=dtype)


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, generator: Generator | None = None) -> Tensor:
    """Random numbers, normally distributed, in the shape that `mean`, `std` and `size` broadcast to."""
    centre, spread = as_tensor("normal", mean), as_tensor("normal", std)
    shape = as_ints("normal", size, "size") if size is not None else (centre + spread).shape
    return ops.randn(*shape, seed=generator_of("normal", generator)) * spread + centre


def bernoulli(input: Any, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that an element is, else 0."""
    return ops.bernoulli(input, input, generator_of("bernoulli", generator))


def multinomial(
    input: Any, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """The numbers of so many elements, drawn with probabilities in their proportions: int64."""
    return cast(ops.multinomial(input, num_samples, replacement, generator_of("multinomial", generator)), int64)
