"""Tensors of random numbers."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dispatch import located
from graphc.dtype import int64
from graphc.mint.creation import on_cpu
from graphc.ops.coerce import as_tensor, cast, to_dtype
from graphc.tensor import Tensor


def _own_stream(name: str, generator: Any, device: Any = None) -> None:
    on_cpu(name, device)
    if generator is not None:
        raise located(ValueError(f"{name}: generator must be None; random numbers follow from set_seed"))


def rand(*size: Any, generator: None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Random numbers, each as likely as any other in [0, 1)."""
    _own_stream("rand", generator, device)
    return ops.rand(*size, dtype=dtype)


def randn(*size: Any, generator: None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Random numbers, normally distributed."""
    _own_stream("randn", generator, device)
    return ops.randn(*size, dtype=dtype)


def rand_like(input: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`rand` in the shape (and dtype) of another tensor."""
    on_cpu("rand_like", device)
    return ops.rand_like(input, dtype=dtype)


def randn_like(input: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`randn` in the shape (and dtype) of another tensor."""
    on_cpu("randn_like", device)
    return ops.randn_like(input, dtype=dtype)


def randint(*args: Any, generator: None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Random whole numbers: `randint(low, high, size)` in [low, high), or `randint(high, size)` from 0: int64."""
    _own_stream("randint", generator, device)
    low, high, size = (0, *args) if len(args) == 2 else args
    return ops.randint(low, high, size, dtype=to_dtype(dtype, int64))


def randint_like(input: Any, *bounds: int, dtype: Any = None, device: Any = None) -> Tensor:
    """`randint` in the shape (and dtype) of another tensor: `randint_like(x, high)` or `randint_like(x, low, high)`."""
    on_cpu("randint_like", device)
    x = as_tensor("randint_like", input)
    low, high = (0, *bounds) if len(bounds) == 1 else bounds
    return ops.randint(low, high, x.shape, dtype=to_dtype(dtype, x.dtype))


def randperm(n: int, *, generator: None = None, dtype: Any = int64) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    _own_stream("randperm", generator)
    return ops.randperm(n, None, dtype=dtype)


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, generator: None = None) -> Tensor:
    """Random numbers, normally distributed, in the shape that `mean`, `std` and `size` broadcast to."""
    _own_stream("normal", generator)
    centre, spread = as_tensor("normal", mean), as_tensor("normal", std)
    shape = size if size is not None else (centre + spread).shape
    return ops.randn(*((shape,) if isinstance(shape, int) else shape)) * spread + centre


def bernoulli(input: Any, *, generator: None = None) -> Tensor:
    """1 with the probability that an element is, else 0."""
    _own_stream("bernoulli", generator)
    return ops.bernoulli(input, input)


def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: None = None) -> Tensor:
    """The numbers of so many elements, drawn with probabilities in their proportions: int64."""
    _own_stream("multinomial", generator)
    return cast(ops.multinomial(input, num_samples, replacement), int64)
