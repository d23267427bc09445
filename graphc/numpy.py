"""NumPy's names for the ops, as `mindspore.numpy` has them: `mnp.arange(5)`, `mnp.sum(x, axis=0, keepdims=True)`.

Arguments are named and ordered as NumPy's. Whole numbers are int32 and others float32 where the program does not say,
as in MindSpore. What NumPy calls as `graphc.ops` does is the same function.
"""


from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from graphc import ops
from graphc.dispatch import located
from graphc.dtype import DType, bool_, float32, float64, int32, int64, uint8
from graphc.ops import abs as abs
from graphc.ops import (
    absolute,
    add,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    argwhere,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    ceil,
    cos,
    cosh,
    deg2rad,
    divide,
    equal,
    exp,
    exp2,
    expm1,
    floor,
    floor_divide,
    fmod,
    greater,
    greater_equal,
    heaviside,
    hypot,
    inner,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    matmul,
    maximum,
    minimum,
    moveaxis,
    multiply,
    negative,
    not_equal,
    outer,
    rad2deg,
    reciprocal,
    remainder,
    sign,
    signbit,
    sin,
    sinc,
    sinh,
    sqrt,
    square,
    subtract,
    swapaxes,
    tan,
    tanh,
    true_divide,
    trunc,
)
from graphc.ops import bitwise_not as invert
from graphc.ops.coerce import as_dtype, as_tensor, cast
from graphc.ops.coerce import common_dtype as _common_dtype
from graphc.tensor import Tensor

__all__ = [
    "abs",
    "absolute",
    "add",
    "amax",
    "amin",
    "append",
    "arange",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argwhere",
    "array",
    "array_equal",
    "array_split",
    "asarray",
    "asfarray",
    "atleast_1d",
    "atleast_2d",
    "average",
    "bincount",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bool_",
    "broadcast_arrays",
    "broadcast_to",
    "ceil",
    "clip",
    "column_stack",
    "concatenate",
    "copy",
    "cos",
    "cosh",
    "count_nonzero",
    "cross",
    "cumsum",
    "deg2rad",
    "diag",
    "diagonal",
    "diff",
    "divide",
    "dot",
    "dstack",
    "e",
    "empty",
    "empty_like",
    "equal",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "eye",
    "fix",
    "flip",
    "fliplr",
    "flipud",
    "float32",
    "float64",
    "floor",
    "floor_divide",
    "fmod",
    "full",
    "full_like",
    "greater",
    "greater_equal",
    "heaviside",
    "hstack",
    "hypot",
    "identity",
    "inf",
    "inner",
    "int32",
    "int64",
    "invert",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "linspace",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logspace",
    "matmul",
    "max",
    "maximum",
    "mean",
    "meshgrid",
    "min",
    "minimum",
    "mod",
    "moveaxis",
    "multiply",
    "nan",
    "nansum",
    "negative",
    "norm",
    "not_equal",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "pi",
    "positive",
    "power",
    "ptp",
    "rad2deg",
    "rand",
    "randint",
    "randn",
    "ravel",
    "reciprocal",
    "remainder",
    "repeat",
    "reshape",
    "rint",
    "roll",
    "select",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "size",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "trace",
    "transpose",
    "tri",
    "tril",
    "triu",
    "true_divide",
    "trunc",
    "uint8",
    "unique",
    "var",
    "vstack",
    "where",
    "zeros",
    "zeros_like",
]  # fmt: skip

pi, e, inf, nan = math.pi, math.e, math.inf, math.nan


def _short(tensor: Tensor) -> Tensor:
    """In 32 bits: what Python's numbers are without a dtype."""
    return cast(tensor, {int64: int32, float64: float32}.get(tensor.dtype, tensor.dtype))


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, (list, tuple)) and builtins.any(map(_holds_tensors, value)))


def _to(tensor: Tensor, dtype: Any) -> Tensor:
    return tensor if dtype is None else cast(tensor, as_dtype(dtype))


# Making


def array(obj: Any, dtype: Any = None, copy: bool = True, ndmin: int = 0) -> Tensor:
    """A tensor of numbers, nested lists, arrays or tensors; a copy unless `copy` is False.

    Args:
        dtype: by default int32 for whole numbers, float32 for others; that of a tensor or an array is kept.
        ndmin: axes are put in front until there are this many.
    """
    if isinstance(obj, Tensor):
        made = ops.identity(obj) if copy else obj
    elif _holds_tensors(obj):
        made = ops.stack([array(item) for item in obj])
    else:
        made = as_tensor("array", obj)
        made = made if isinstance(obj, (numpy.ndarray, numpy.generic)) else _short(made)
    made = _to(made, dtype)
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
    return _to(_short(ops.arange(first, last, 1 if step is None else step)), dtype)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    """`num` float32 numbers from `start` to `stop`, that one too if `endpoint`; with `retstep` also the step."""
    if isinstance(num, bool) or not isinstance(num, int) or num < 0:
        raise located(ValueError(f"linspace: num must be an int >= 0, got {num!r}"))
    first, last = cast(as_tensor("linspace", start), float32), cast(as_tensor("linspace", stop), float32)
    parts = builtins.max(num - 1 if endpoint else num, 1)
    step = (last - first) / float(parts)
    places = ops.reshape(ops.arange(0, num, 1, dtype=float32), (num, *(1,) * step.ndim))
    found = ops.moveaxis(_to(first + places * step, dtype), 0, axis) if axis else _to(first + places * step, dtype)
    return (found, step) if retstep else found


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10.0, dtype: Any = None, axis: int = 0
) -> Tensor:
    """`base` to the powers that `linspace` gives."""
    return _to(ops.pow(base, linspace(start, stop, num, endpoint, axis=axis)), dtype)


def zeros(shape: Any, dtype: Any = float32) -> Tensor:
    """Zeros of a shape: float32 unless another dtype is given."""
    return ops.zeros(shape, as_dtype(dtype))


def ones(shape: Any, dtype: Any = float32) -> Tensor:
    """Ones of a shape: float32 unless another dtype is given."""
    return ops.ones(shape, as_dtype(dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """A value, or a tensor that broadcasts, in every element of a shape."""
    return ops.broadcast_to(array(fill_value, dtype), (shape,) if isinstance(shape, int) else tuple(shape))


empty = zeros


def zeros_like(a: Any, dtype: Any = None, shape: Any = None) -> Tensor:
    """Zeros of the dtype and shape of `a`, or of those given."""
    return full_like(a, 0, dtype, shape)


def ones_like(a: Any, dtype: Any = None, shape: Any = None) -> Tensor:
    """Ones of the dtype and shape of `a`, or of those given."""
    return full_like(a, 1, dtype, shape)


empty_like = zeros_like


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
        raise located(ValueError(f"diag: expected a vector or a matrix, got {x.type}"))
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
    sizes = (1,) if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    return cast(ops.randint(low, high, sizes), as_dtype(dtype))


def copy(a: Any) -> Tensor:
    """The same value as a tensor of its own."""
    return array(a)


# Shapes


def reshape(x: Any, new_shape: Any) -> Tensor:
    """The tensor in another shape, of which one extent may be -1."""
    return ops.reshape(asarray(x), (new_shape,) if isinstance(new_shape, int) else tuple(new_shape))


def ravel(x: Any) -> Tensor:
    """All elements as a vector."""
    return ops.reshape(asarray(x), (-1,))


def transpose(a: Any, axes: Any = None) -> Tensor:
    """The axes in another order, by default reversed."""
    x = asarray(a)
    return ops.transpose(x, tuple(range(x.ndim))[::-1] if axes is None else tuple(axes))


def expand_dims(a: Any, axis: Any) -> Tensor:
    """New axes of extent 1, at these places of the result."""
    x = asarray(a)
    places = (axis,) if isinstance(axis, int) else tuple(axis)
    ndim = x.ndim + len(places)
    if builtins.any(not -ndim <= p < ndim for p in places) or len({p % ndim for p in places}) < len(places):
        raise located(ValueError(f"expand_dims: expected different axes in [{-ndim}, {ndim}), got {axis!r}"))
    for place in sorted(p % ndim for p in places):
        x = ops.expand_dims(x, place)
    return x


def squeeze(a: Any, axis: Any = None) -> Tensor:
    """Without the axes of extent 1, or without those given."""
    return ops.squeeze(asarray(a), axis)


def broadcast_to(array: Any, shape: Any) -> Tensor:
    """The tensor broadcast to a shape."""
    return ops.broadcast_to(asarray(array), tuple(shape))


def broadcast_arrays(*args: Any) -> list[Tensor]:
    """The tensors, each broadcast to the shape of all together."""
    tensors = [asarray(a) for a in args]
    shape = numpy.broadcast_shapes(*(t.shape for t in tensors))
    return [ops.broadcast_to(t, shape) for t in tensors]


def _joinable(name: str, arrays: Any) -> list[Tensor]:
    tensors = [asarray(a) for a in arrays]
    if not tensors:
        raise located(ValueError(f"{name}: expected at least one tensor"))
    dtype = _common_dtype(name, tuple(tensors))
    return [cast(t, dtype) for t in tensors]


def concatenate(arrays: Any, axis: int | None = 0) -> Tensor:
    """Tensors one after the other along an axis; with None, all elements as a vector."""
    tensors = _joinable("concatenate", arrays)
    return ops.concat(tensors if axis is not None else [ravel(t) for t in tensors], axis or 0)


def append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    """`arr` and then `values`, along an axis; by default all elements as a vector."""
    return concatenate([arr, values], axis)


def stack(arrays: Any, axis: int = 0) -> Tensor:
    """Tensors of one shape side by side along a new axis."""
    return ops.stack(_joinable("stack", arrays), axis)


def hstack(tup: Any) -> Tensor:
    """One after the other along the second axis, vectors along their only one."""
    tensors = [atleast_1d(t) for t in _joinable("hstack", tup)]
    return ops.concat(tensors, 0 if tensors[0].ndim == 1 else 1)


def vstack(tup: Any) -> Tensor:
    """One after the other along the first axis; vectors as rows."""
    return ops.concat([atleast_2d(t) for t in _joinable("vstack", tup)], 0)


def column_stack(tup: Any) -> Tensor:
    """One after the other along the second axis; vectors as columns."""
    return ops.concat([ops.expand_dims(t, 1) if t.ndim == 1 else t for t in _joinable("column_stack", tup)], 1)


def dstack(tup: Any) -> Tensor:
    """One after the other along the third axis, which vectors and matrices get."""
    return ops.concat([ops.reshape(t, (*t.shape, 1)) if t.ndim == 2 else _at_least_3d(t)
                       for t in _joinable("dstack", tup)], 2)


def _at_least_3d(x: Tensor) -> Tensor:
    return x if x.ndim >= 3 else ops.reshape(x, (1, x.size, 1))


def atleast_1d(a: Any) -> Tensor:
    """A number as a vector of one; others as they are."""
    x = asarray(a)
    return x if x.ndim else ops.reshape(x, (1,))


def atleast_2d(a: Any) -> Tensor:
    """A number or a vector as one row; others as they are."""
    x = asarray(a)
    return x if x.ndim >= 2 else ops.reshape(x, (1, x.size))


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """Equal parts along an axis, or parts that end at these indices.

    Raises:
        ValueError: the extent is no multiple of the number of parts.
    """
    given = asarray(x)
    if isinstance(indices_or_sections, int) and given.shape[axis] % builtins.max(indices_or_sections, 1):
        raise located(ValueError(f"split: axis {axis} of {given.type} does not make {indices_or_sections} equal parts"))
    return array_split(given, indices_or_sections, axis)


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """As `split`, but where the parts are not equal the first ones are longer by one."""
    sections = indices_or_sections if isinstance(indices_or_sections, int) else tuple(indices_or_sections)
    parts: tuple[Tensor, ...] = ops.tensor_split(asarray(x), sections, axis)
    return parts


def tile(a: Any, reps: Any) -> Tensor:
    """The tensor repeated as a block along each axis; axes are put in front of the fewer of the two."""
    x = asarray(a)
    counts = (reps,) if isinstance(reps, int) else tuple(reps)
    return ops.tile(x, (*(1,) * (x.ndim - len(counts)), *counts))


def repeat(a: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Every element, or slice along an axis, `repeats` times in a row."""
    x = asarray(a)
    return ops.repeat_interleave(ravel(x) if axis is None else x, repeats, 0 if axis is None else axis)


def flip(m: Any, axis: Any = None) -> Tensor:
    """The elements in reversed order along these axes, by default all."""
    x = asarray(m)
    return ops.flip(x, tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis))


def flipud(m: Any) -> Tensor:
    """The rows in reversed order."""
    return flip(m, 0)


def fliplr(m: Any) -> Tensor:
    """The columns in reversed order."""
    return flip(m, 1)


def roll(a: Any, shift: Any, axis: Any = None) -> Tensor:
    """The elements moved along axes, by default along all as one; those that leave at an end come in at the other."""
    x = asarray(a)
    return ops.reshape(ops.roll(ravel(x), shift, 0), x.shape) if axis is None else ops.roll(x, shift, axis)


def pad(arr: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Tensor:
    """The tensor with elements put around it.

    Args:
        pad_width: how many: one number, (before, after) for every axis, or such a pair for each.
        mode: "constant", "edge" (the outermost element) or "reflect" (the mirror image without the edge).
        constant_values: the number that "constant" puts.
    """
    x = asarray(arr)
    width = numpy.broadcast_to(numpy.asarray(pad_width), (x.ndim, 2)).tolist()
    if mode not in ("constant", "edge", "reflect"):
        raise located(ValueError(f"pad: mode must be 'constant', 'edge' or 'reflect', got {mode!r}"))
    if mode == "constant":
        return ops.pad(x, [n for pair in reversed(width) for n in pair], "constant", constant_values)
    for axis, (before, after) in enumerate(width):
        extent = x.shape[axis]
        places = numpy.pad(numpy.arange(extent), (before, after), mode=mode)  # type: ignore[call-overload]
        x = ops.gather(x, Tensor(places), axis)
    return x


# Choice


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """`x` where the condition holds, elsewhere `y`; without both the positions where it does, axis by axis."""
    chosen = asarray(condition)
    if (x is None) != (y is None):
        raise located(ValueError("where: expected both x and y, or neither"))
    if x is None:
        return tuple(ops.unstack(ops.argwhere(chosen), 1))
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        x = asarray(x)
    return ops.where(cast(chosen, bool_), x, y)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tensor:
    """From each choice the elements of which its condition is the first that holds."""
    if len(condlist) != len(choicelist) or not condlist:
        raise located(ValueError(f"select: got {len(condlist)} conditions for {len(choicelist)} choices"))
    result: Any = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = where(condition, choice, result)
    found: Tensor = result
    return found


def clip(x: Any, xmin: Any, xmax: Any) -> Tensor:
    """The elements, none below `xmin` and none above `xmax`, of which one may be None."""
    value = asarray(x)
    if xmin is None and xmax is None:
        raise located(ValueError("clip: expected xmin or xmax"))
    low = value if xmin is None else ops.maximum(value, xmin)
    return low if xmax is None else ops.minimum(low, xmax)


def take(a: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The slices at these indices along an axis, by default elements of all as a vector."""
    x = asarray(a)
    return ops.gather(ravel(x) if axis is None else x, asarray(indices), 0 if axis is None else axis)


def take_along_axis(arr: Any, indices: Any, axis: int | None) -> Tensor:
    """For each place of `indices` the element at that index along the axis."""
    x = asarray(arr)
    return ops.gather_elements(ravel(x) if axis is None else x, 0 if axis is None else axis, asarray(indices))


def unique(x: Any, return_inverse: bool = False) -> Any:
    """The different elements in ascending order; with `return_inverse` also where each element is among them."""
    flat = ravel(x)
    values, _ = ops.unique(ops.sort(flat)[0])
    if not return_inverse:
        return values
    return values, ops.reshape(cast(ops.searchsorted(values, flat), int32), asarray(x).shape)


def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether `|a - b| <= atol + rtol * |b|`."""
    return ops.isclose(asarray(a), asarray(b), rtol, atol, equal_nan)


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Tensor:
    """Whether shapes and all elements are equal: a bool tensor `[]`."""
    x, y = asarray(a1), asarray(a2)
    if x.shape != y.shape:
        return Tensor(False)
    same = ops.equal(x, y)
    return ops.all(ops.logical_or(same, ops.logical_and(ops.isnan(x), ops.isnan(y))) if equal_nan else same)


# Reductions


def _reduced(x: Tensor, axis: Any) -> Any:
    """The axes as `graphc.ops` takes them: all for None."""
    return tuple(range(x.ndim)) if axis is None else tuple(axis) if isinstance(axis, list) else axis


def sum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, initial: Any = None) -> Tensor:
    """The sum over the axes, plus `initial`."""
    x = asarray(a)
    total = ops.sum(x, _reduced(x, axis), keepdims, dtype=None if dtype is None else as_dtype(dtype))
    return total if initial is None else total + initial


def mean(a: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The mean over the axes: of whole numbers in float32."""
    x = asarray(a)
    x = x if x.dtype.is_float else cast(x, float32)
    return _to(ops.mean(x, _reduced(x, axis), keepdims), dtype)


def average(x: Any, axis: Any = None, weights: Any = None, returned: bool = False) -> Any:
    """The mean over the axes, with weights; with `returned` also the sum of the weights."""
    value = asarray(x)
    shares = ones_like(value, float32) if weights is None else asarray(weights)
    if shares.ndim == 1 and value.ndim > 1 and isinstance(axis, int):
        shares = ops.reshape(shares, tuple(-1 if d == axis % value.ndim else 1 for d in range(value.ndim)))
    shares = ops.broadcast_to(shares, value.shape)
    total = sum(shares, axis)
    found = sum(value * shares, axis) / total
    return (found, total) if returned else found


def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The variance over the axes; the divisor is the count less `ddof`."""
    value = asarray(x)
    value = value if value.dtype.is_float else cast(value, float32)
    return ops.var(value, _reduced(value, axis), ddof, keepdims)


def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation over the axes; the divisor is the count less `ddof`."""
    return ops.sqrt(var(x, axis, ddof, keepdims))


def max(a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor:
    """The greatest element over the axes, of those where `where` holds and of `initial`."""
    return _extreme("max", ops.amax, a, axis, keepdims, initial, where)


def min(a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor:
    """The smallest element over the axes, of those where `where` holds and of `initial`."""
    return _extreme("min", ops.amin, a, axis, keepdims, initial, where)


def _extreme(
    name: str, function: Callable[..., Tensor], a: Any, axis: Any, keepdims: bool, initial: Any, where: Any
) -> Tensor:
    x = asarray(a)
    if where is True:
        return function(x, _reduced(x, axis), keepdims, initial=initial)
    if initial is None:
        raise located(ValueError(f"{name}: `where` needs an initial value"))
    return function(x, _reduced(x, axis), keepdims, initial=initial, where=where)


amax, amin = max, min


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The greatest less the smallest element over the axes."""
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def argmax(a: Any, axis: int | None = None) -> Tensor:
    """The position of the first greatest element along an axis, by default in the flat tensor."""
    return ops.argmax(asarray(a), axis)


def argmin(a: Any, axis: int | None = None) -> Tensor:
    """The position of the first smallest element along an axis, by default in the flat tensor."""
    return ops.argmin(asarray(a), axis)


def cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The sums of the elements up to and with each one along an axis, by default of the flat tensor."""
    x = _to(asarray(a), dtype)
    x = cast(x, int32) if x.dtype in (bool_, uint8) else x
    return ops.cumsum(ravel(x) if axis is None else x, 0 if axis is None else axis, x.dtype)


def nansum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over the axes of what is not NaN."""
    x = asarray(a)
    return sum(ops.where(ops.isnan(x), 0, x), axis, dtype, keepdims)


def count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many elements are not 0 over the axes: int32."""
    return sum(cast(ops.not_equal(asarray(x), 0), int32), axis, int32, keepdims)


def bincount(x: Any, weights: Any = None, minlength: int = 0, length: int | None = None) -> Tensor:
    """How often each of 0, 1, ... is among the elements; or the sum of its weights.

    Args:
        length: how many numbers are counted, needed in a graph: one more than the greatest by default.
    """
    flat = ravel(x)
    if length is None:
        length = builtins.max(int(ops.amax(flat).asnumpy()) + 1 if flat.size else 0, minlength)
    values = ones_like(flat, float32) if weights is None else asarray(weights)
    return ops.unsorted_segment_sum(values, flat, length)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The norm of vectors (one axis) or matrices (two); of all elements as one vector if neither is given."""
    value = asarray(x)
    value = value if value.dtype.is_float else cast(value, float32)
    return ops.norm(value, ord, tuple(axis) if isinstance(axis, list) else axis, keepdims)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor:
    """The sum along a diagonal of the plane of two axes."""
    return sum(diagonal(a, offset, axis1, axis2), -1, dtype)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """A diagonal of the plane of two axes, as the last axis."""
    return ops.diagonal(asarray(a), offset, axis1, axis2)


def diff(a: Any, n: int = 1, axis: int = -1) -> Tensor:
    """The differences of neighbours along an axis, taken `n` times."""
    return ops.diff(asarray(a), n, axis)


# Arithmetic


def power(x1: Any, x2: Any) -> Tensor:
    """`x1` to the power `x2`."""
    return ops.pow(asarray(x1) if not isinstance(x2, Tensor) else x1, x2)


def positive(a: Any) -> Tensor:
    """The tensor itself."""
    return asarray(a)


mod = remainder


def rint(x: Any) -> Tensor:
    """The nearest whole numbers, halves to the even one."""
    return ops.round(asarray(x))


fix = trunc


def dot(a: Any, b: Any) -> Tensor:
    """The sum of products over the last axis of `a` and the last but one of `b`; of numbers the product."""
    x, y = asarray(a), asarray(b)
    if not x.ndim or not y.ndim:
        return x * y
    return ops.tensor_dot(x, y, ((x.ndim - 1,), (builtins.max(y.ndim - 2, 0),)))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The sum of products over pairs of axes: the last `axes` of `a` with the first of `b`, or those named."""
    named = axes if isinstance(axes, int) else tuple((n,) if isinstance(n, int) else tuple(n) for n in axes)
    return ops.tensor_dot(asarray(a), asarray(b), named)


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """The vector product along an axis of extent 3."""
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    x, y = ops.moveaxis(asarray(a), axisa, -1), ops.moveaxis(asarray(b), axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise located(ValueError(f"cross: expected 3 elements along the axis, got {x.type} and {y.type}"))
    (a0, a1, a2), (b0, b1, b2) = ops.unstack(x, -1), ops.unstack(y, -1)
    return ops.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axisc)


def size(a: Any, axis: int | None = None) -> int:
    """The number of elements, or the extent of an axis."""
    x = asarray(a)
    return x.size if axis is None else x.shape[axis]


def __getattr__(name: str) -> DType:
    from graphc.dtype import missing

    raise missing("graphc.numpy", name)
