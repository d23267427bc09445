"""New tensors."""

from __future__ import annotations

import builtins
from typing import Any

import numpy

from graphc import ops
from graphc.dtype import float32, int32
from graphc.numpy.dtypes import holds_tensors, short, to
from graphc.ops import abs as abs
from graphc.ops.axes import as_int, as_ints
from graphc.ops.coerce import as_dtype, as_tensor, cast
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "arange", "array", "asarray", "asfarray", "bartlett", "blackman", "copy", "diag", "diagflat", "empty", "empty_like",
    "eye", "full", "full_like", "geomspace", "hamming", "hanning", "identity", "linspace", "logspace", "meshgrid",
    "ones", "ones_like", "rand", "randint", "randn", "tri", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip


def array(obj: Any, dtype: Any = None, copy: bool = True, ndmin: int = 0) -> Tensor:
    """A tensor of numbers, nested lists, arrays or tensors; a copy unless `copy` is False.

    Args:
        dtype: by default int32 for whole numbers, float32 for others; that of a tensor or an array is kept.
        ndmin: axes are put in front until there are this many.
    """
    if isinstance(obj, Tensor):
        made = ops.identity(obj) if copy else obj
    elif holds_tensors(obj):
        made = ops.stack([array(item) for item in obj])
    else:
        made = as_tensor("array", obj)
        made = made if isinstance(obj, (numpy.ndarray, numpy.generic)) else short(made)
    made = to(made, dtype)
    return ops.reshape(made, (*(1,) * (ndmin - made.ndim), *made.shape)) if made.ndim < ndmin else made


def asarray(a: Any, dtype: Any = None) -> Tensor:
    """As `array`, but a tensor of the right dtype is returned as it is."""
    return array(a, dtype, copy=False)


def asfarray(a: Any, dtype: Any = float32) -> Tensor:
    """As `asarray`, in float32."""
    return array(a, dtype, copy=False)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """Numbers from `start` (0 if only `stop` is given) up to and without `stop`: int32, float32 if one is a float."""
    first, last = (0, start) if stop is None else (start, stop)
    return to(short(ops.arange(first, last, 1 if step is None else step)), dtype)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    """`num` float32 numbers from `start` to `stop`, that one too if `endpoint`; with `retstep` also the step."""
    num = as_int("linspace", num, "num", 0)
    first, last = cast(as_tensor("linspace", start), float32), cast(as_tensor("linspace", stop), float32)
    parts = builtins.max(num - 1 if endpoint else num, 1)
    step = (last - first) / float(parts)
    places = ops.reshape(ops.arange(0, num, 1, dtype=float32), (num, *(1,) * step.ndim))
    found = ops.moveaxis(to(first + places * step, dtype), 0, axis) if axis else to(first + places * step, dtype)
    return (found, step) if retstep else found


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10.0, dtype: Any = None, axis: int = 0
) -> Tensor:
    """`base` to the powers that `linspace` gives."""
    return to(ops.pow(base, linspace(start, stop, num, endpoint, axis=axis)), dtype)


def zeros(shape: Any, dtype: Any = float32) -> Tensor:
    """Zeros of a shape: float32 unless another dtype is given."""
    return ops.zeros(shape, as_dtype(dtype))


def ones(shape: Any, dtype: Any = float32) -> Tensor:
    """Ones of a shape: float32 unless another dtype is given."""
    return ops.ones(shape, as_dtype(dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """A value, or a tensor that broadcasts, in every element of a shape."""
    return ops.broadcast_to(array(fill_value, dtype), shape)


empty = zeros


def zeros_like(a: Any, dtype: Any = None, shape: Any = None) -> Tensor:
    """Zeros of the dtype and shape of `a`, or of those given."""
    return full_like(a, 0, dtype, shape)


def ones_like(a: Any, dtype: Any = None, shape: Any = None) -> Tensor:
    """Ones of the dtype and shape of `a`, or of those given."""
    return full_like(a, 1, dtype, shape)



def empty_like(prototype: Any, dtype: Any = None, shape: Any = None) -> Tensor:
    """Zeros, as in MindSpore's CPU memory, of the shape and dtype of a tensor where they are not given."""
    return zeros_like(prototype, dtype, shape)



def full_like(a: Any, fill_value: Any, dtype: Any = None, shape: Any = None) -> Tensor:
    """A value in the dtype and shape of `a`, or in those given."""
    like = asarray(a)
    return full(like.shape if shape is None else shape, fill_value, dtype or like.dtype)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = float32) -> Tensor:  # noqa: N803 (NumPy's names)
    """`[N, M]` with ones on the k-th diagonal."""
    columns = N if M is None else M
    rows = ops.reshape(ops.arange(0, N, 1), (N, 1))
    return cast(ops.equal(ops.reshape(ops.arange(0, columns, 1), (1, columns)) - rows, k), as_dtype(dtype))


def identity(n: int, dtype: Any = float32) -> Tensor:
    """`[n, n]` with ones on the diagonal."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = float32) -> Tensor:  # noqa: N803 (NumPy's names)
    """`[N, M]` with ones on the k-th diagonal and below."""
    return ops.tril(ones((N, N if M is None else M), dtype), k)


def tril(m: Any, k: int = 0) -> Tensor:
    """The last two axes with 0 above the k-th diagonal."""
    return ops.tril(asarray(m), k)


def triu(m: Any, k: int = 0) -> Tensor:
    """The last two axes with 0 below the k-th diagonal."""
    return ops.triu(asarray(m), k)


def diag(v: Any, k: int = 0) -> Tensor:
    """A matrix with `v` on the k-th diagonal; of a matrix that diagonal."""
    x = asarray(v)
    return ops.diagonal(x, k) if x.ndim == 2 else _on_diagonal(x, k)


def _on_diagonal(x: Tensor, k: int) -> Tensor:
    if x.ndim != 1:
        raise located(ValueError(f"diag: expected a vector or a matrix, got {x.spec}"))
    k = as_int("diag", k, "k")
    size = x.shape[0] + builtins.abs(k)
    padded = ops.pad(x, (builtins.max(k, 0), builtins.max(-k, 0)))
    return ops.select(ops.equal(eye(size, k=k), 1), ops.expand_dims(padded, 0), cast(as_tensor("diag", 0), x.dtype))


def meshgrid(*xi: Any, sparse: bool = False, indexing: str = "xy") -> tuple[Tensor, ...]:
    """The coordinates of a grid: of each vector a tensor of the grid's shape (with `sparse`, one that broadcasts)."""
    if sparse:
        count, first = len(xi), {0: 1, 1: 0} if indexing == "xy" and len(xi) > 1 else {}
        places = [first.get(i, i) for i in range(count)]
        return tuple(
            ops.reshape(asarray(x), tuple(-1 if d == p else 1 for d in range(count)))
            for x, p in zip(xi, places, strict=True)
        )
    grids: tuple[Tensor, ...] = ops.meshgrid(*map(asarray, xi), indexing=indexing)
    return grids


def rand(*shape: int, dtype: Any = float32) -> Tensor:
    """Uniform numbers in [0, 1)."""
    return ops.rand(*shape, dtype=as_dtype(dtype))


def randn(*shape: int, dtype: Any = float32) -> Tensor:
    """Standard normal numbers."""
    return ops.randn(*shape, dtype=as_dtype(dtype))


def randint(minval: int, maxval: int | None = None, shape: Any = None, dtype: Any = int32) -> Tensor:
    """Whole numbers in [minval, maxval), or in [0, minval) if only that is given."""
    low, high = (0, minval) if maxval is None else (minval, maxval)
    return cast(ops.randint(low, high, (1,) if shape is None else as_ints("randint", shape)), as_dtype(dtype))


def copy(a: Any) -> Tensor:
    """The same value as a tensor of its own."""
    return array(a)


def diagflat(v: Any, k: int = 0) -> Tensor:
    """A matrix with all elements of `v` on the k-th diagonal."""
    return _on_diagonal(ops.reshape(asarray(v), (-1,)), k)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Tensor:
    """`num` numbers from `start` to `stop`, that one too if `endpoint`, each the same multiple of the one before."""
    first, last = cast(as_tensor("geomspace", start), float32), cast(as_tensor("geomspace", stop), float32)
    ratios = ops.log2(last / first)
    return to(first * ops.exp2(linspace(ops.zeros_like(ratios), ratios, num, endpoint, axis=axis)), dtype)


def _taper(name: str, M: int, at: Any) -> Tensor:  # noqa: N803 (NumPy's name)
    return Tensor(numpy.asarray(at(builtins.max(as_int(name, M, "M"), 0)), numpy.float32))


def bartlett(M: int) -> Tensor:  # noqa: N803 (NumPy's name)
    """The triangular window of M elements."""
    return _taper("bartlett", M, numpy.bartlett)


def blackman(M: int) -> Tensor:  # noqa: N803 (NumPy's name)
    """The Blackman window of M elements."""
    return _taper("blackman", M, numpy.blackman)


def hamming(M: int) -> Tensor:  # noqa: N803 (NumPy's name)
    """The Hamming window of M elements."""
    return _taper("hamming", M, numpy.hamming)


def hanning(M: int) -> Tensor:  # noqa: N803 (NumPy's name)
    """The Hann window of M elements."""
    return _taper("hanning", M, numpy.hanning)
