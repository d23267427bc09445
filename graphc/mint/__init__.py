"""`graphc.mint`: ops and layers under PyTorch's names, arguments and defaults, as MindSpore's `mint` has them.

    from graphc import mint
    mint.sum(x, dim=1, keepdim=True)
    net = mint.nn.Linear(3, 4)

What a name computes is said by the function of `graphc.ops` that it stands for; positions (`argmax`, `sort`, `topk`)
are int64.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from graphc import ops
from graphc.dispatch import located
from graphc.dtype import float32, int64
from graphc.mint.signatures import renamed
from graphc.ops import (
    abs,
    acos,
    acosh,
    addbmm,
    addmm,
    addmv,
    allclose,
    arange,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    baddbmm,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    bmm,
    broadcast_to,
    ceil,
    clamp,
    clip,
    cos,
    cosh,
    cross,
    div,
    divide,
    dot,
    dstack,
    einsum,
    eq,
    erf,
    erfc,
    erfinv,
    exp,
    exp2,
    expm1,
    eye,
    flip,
    float_power,
    floor,
    floor_divide,
    fmod,
    frac,
    full_like,
    ge,
    greater,
    greater_equal,
    gt,
    histc,
    hstack,
    inverse,
    isclose,
    isfinite,
    isinf,
    isneginf,
    kthvalue,
    le,
    lerp,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    logsumexp,
    lt,
    masked_select,
    matmul,
    maximum,
    minimum,
    mm,
    mul,
    mv,
    nan_to_num,
    ne,
    neg,
    negative,
    nonzero,
    not_equal,
    ones,
    ones_like,
    outer,
    pow,
    ravel,
    reciprocal,
    remainder,
    reshape,
    roll,
    round,
    rsqrt,
    searchsorted,
    sigmoid,
    sign,
    sin,
    sinc,
    sinh,
    sqrt,
    square,
    swapaxes,
    t,
    take,
    tan,
    tanh,
    tile,
    trace,
    tril,
    triu,
    trunc,
    unbind,
    unique_consecutive,
    unsqueeze,
    xlogy,
    zeros,
    zeros_like,
)
from graphc.ops.coerce import as_tensor, cast, to_dtype
from graphc.tensor import Tensor

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "addbmm",
    "addcdiv",
    "addcmul",
    "addmm",
    "addmv",
    "all",
    "allclose",
    "amax",
    "amin",
    "any",
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
    "argsort",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "baddbmm",
    "bernoulli",
    "bincount",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "bmm",
    "broadcast_to",
    "cat",
    "cdist",
    "ceil",
    "chunk",
    "clamp",
    "clip",
    "clone",
    "concat",
    "conv2d",
    "cos",
    "cosh",
    "count_nonzero",
    "cross",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "diag",
    "diff",
    "div",
    "divide",
    "dot",
    "dstack",
    "einsum",
    "empty",
    "empty_like",
    "eq",
    "equal",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "eye",
    "fix",
    "flatten",
    "flip",
    "float_power",
    "floor",
    "floor_divide",
    "fmod",
    "frac",
    "full",
    "full_like",
    "gather",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "histc",
    "hstack",
    "index_add",
    "index_select",
    "inverse",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "item",
    "kthvalue",
    "le",
    "lerp",
    "less",
    "less_equal",
    "linspace",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "lt",
    "masked_select",
    "matmul",
    "max",
    "maximum",
    "mean",
    "median",
    "meshgrid",
    "min",
    "minimum",
    "mm",
    "mul",
    "multinomial",
    "mv",
    "nan_to_num",
    "nansum",
    "narrow",
    "ne",
    "neg",
    "negative",
    "nonzero",
    "norm",
    "normal",
    "not_equal",
    "ones",
    "ones_like",
    "outer",
    "permute",
    "pow",
    "prod",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "ravel",
    "reciprocal",
    "remainder",
    "repeat_interleave",
    "reshape",
    "roll",
    "round",
    "rsqrt",
    "scatter",
    "scatter_add",
    "searchsorted",
    "select",
    "sigmoid",
    "sign",
    "sin",
    "sinc",
    "sinh",
    "softmax",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "std_mean",
    "sub",
    "sum",
    "swapaxes",
    "t",
    "take",
    "tan",
    "tanh",
    "tile",
    "topk",
    "trace",
    "transpose",
    "tril",
    "triu",
    "trunc",
    "unbind",
    "unique",
    "unique_consecutive",
    "unsqueeze",
    "var",
    "var_mean",
    "where",
    "xlogy",
    "zeros",
    "zeros_like",
]  # fmt: skip

_DIM = {"dim": "axis"}
_KEPT = {"dim": "axis", "keepdim": "keepdims"}

addcdiv = renamed(ops.addcdiv, "input, tensor1, tensor2, *, value=1")
addcmul = renamed(ops.addcmul, "input, tensor1, tensor2, *, value=1")
all = renamed(ops.all, "input, dim=None, keepdim=False", dim="axis", keepdim="keep_dims")
any = renamed(ops.any, "input, dim=None, keepdim=False", dim="axis", keepdim="keep_dims")
cat = renamed(ops.cat, "tensors, dim=0", **_DIM)
concat = renamed(ops.concat, "tensors, dim=0", **_DIM)
chunk = renamed(ops.chunk, "input, chunks, dim=0", **_DIM)
clone = renamed(ops.identity, "input", "clone")
cumprod = renamed(ops.cumprod, "input, dim, dtype=None")
cumsum = renamed(ops.cumsum, "input, dim, dtype=None", **_DIM)
diff = renamed(ops.diff, "input, n=1, dim=-1, prepend=None, append=None", **_DIM)
fix = trunc
flatten = renamed(ops.flatten, "input, start_dim=0, end_dim=-1")
gather = renamed(ops.gather_elements, "input, dim, index", "gather")
index_select = renamed(ops.index_select, "input, dim, index", **_DIM)
isnan = renamed(ops.isnan, "tensor")
nansum = renamed(ops.nansum, "input, dim=None, keepdim=False, *, dtype=None", **_KEPT)
narrow = renamed(ops.narrow, "input, dim, start, length", **_DIM)
permute = renamed(ops.transpose, "input, dims", "permute")
prod = renamed(ops.prod, "input, dim=None, keepdim=False, *, dtype=None", dim="axis", keepdim="keep_dims")
repeat_interleave = renamed(ops.repeat_interleave, "input, repeats, dim=None, *, output_size=None", **_DIM)
softmax = renamed(ops.softmax, "input, dim, *, dtype=None", **_DIM)
split = renamed(ops.split, "tensor, split_size_or_sections, dim=0", **_DIM)
squeeze = renamed(ops.squeeze, "input, dim=None", **_DIM)
stack = renamed(ops.stack, "tensors, dim=0", **_DIM)
std = renamed(ops.std, "input, dim=None, *, correction=1, keepdim=False", correction="ddof", **_KEPT)
std_mean = renamed(ops.std_mean, "input, dim=None, *, correction=1, keepdim=False", correction="ddof", **_KEPT)
sum = ops.sum
transpose = renamed(ops.swapaxes, "input, dim0, dim1", "transpose", dim0="axis0", dim1="axis1")
var = renamed(ops.var, "input, dim=None, *, correction=1, keepdim=False", correction="ddof", **_KEPT)
var_mean = renamed(ops.var_mean, "input, dim=None, *, correction=1, keepdim=False", correction="ddof", **_KEPT)


# Arithmetic


def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """`input + alpha * other`."""
    return ops.add(input, other if alpha == 1 else ops.mul(other, alpha))


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """`input - alpha * other`."""
    return ops.subtract(input, other, alpha=alpha)


def equal(input: Any, other: Any) -> bool:
    """Whether two tensors have one shape and equal elements; eager mode only."""
    x, y = as_tensor("equal", input), as_tensor("equal", other)
    return x.shape == y.shape and bool(ops.all(ops.equal(x, y)))


def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """See `ops.cdist`; whatever `compute_mode` says, distances are those of differences."""
    return ops.cdist(x1, x2, p)


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each number occurs: int64; with weights the sums of them. Eager mode only."""
    found = ops.bincount(input, weights, minlength)
    return found if weights is not None else cast(found, int64)


def item(input: Any) -> Any:
    """The one element as a Python number."""
    return as_tensor("item", input).item()


# Reductions


def _axes(dim: Any) -> Any:
    """All axes for None and for ()."""
    return None if dim is None or dim == () else dim


def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over the axes, computed in `dtype` if it is given."""
    x = as_tensor("mean", input)
    return ops.mean(cast(x, to_dtype(dtype, x.dtype)), dim, keepdim)


def amax(input: Any, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The greatest elements over the axes."""
    return ops.amax(input, _axes(dim), keepdim)


def amin(input: Any, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest elements over the axes."""
    return ops.amin(input, _axes(dim), keepdim)


def max(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The greatest element; along an axis the greatest elements and their positions; of two tensors the greater."""
    return _extreme("max", ops.amax, ops.max, ops.maximum, input, dim, keepdim)


def min(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; along an axis the smallest elements and their positions; of two tensors the smaller."""
    return _extreme("min", ops.amin, ops.min, ops.minimum, input, dim, keepdim)


def _extreme(name: str, alone: Any, along: Any, of_two: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    x = as_tensor(name, input)
    if dim is None:
        return alone(x)
    if isinstance(dim, Tensor):
        return of_two(x, dim)
    values, positions = along(x, dim, keepdim)
    return values, cast(positions, int64)


def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median (the lower one of an even number); along an axis with its position."""
    x = as_tensor("median", input)
    return ops.median(ops.ravel(x))[0] if dim is None else ops.median(x, dim, keepdim)


def count_nonzero(input: Any, dim: Any = None) -> Tensor:
    """How many elements are not 0 over the axes: int64."""
    return ops.count_nonzero(input, () if dim is None else dim, dtype=int64)


def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm `p` of the elements over the axes as one vector ("fro" is 2)."""
    return ops.vector_norm(input, 2 if p == "fro" else p, dim, keepdim, dtype=dtype)


# Order


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The position of the first greatest element along an axis; None: in the flat tensor."""
    return cast(ops.argmax(input, dim, keepdim), int64)


def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The position of the first smallest element along an axis; None: in the flat tensor."""
    return cast(ops.argmin(input, dim, keepdim), int64)


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The positions of the elements in order along an axis: always stable."""
    return cast(ops.argsort(input, dim, descending), int64)


def sort(input: Any, *, dim: int = -1, descending: bool = False, stable: bool = False) -> tuple[Tensor, Tensor]:
    """The elements in order along an axis, and their positions: always stable."""
    values, positions = ops.sort(input, dim, descending)
    return values, cast(positions, int64)


def topk(
    input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Tensor, Tensor]:
    """The k greatest (or smallest) elements along an axis, in order, and their positions."""
    values, positions = ops.topk(input, k, dim, largest, sorted)
    return values, cast(positions, int64)


def cummax(input: Any, dim: int) -> tuple[Tensor, Tensor]:
    """The greatest element so far along an axis, and its position."""
    values, positions = ops.cummax(input, dim)
    return values, cast(positions, int64)


def cummin(input: Any, dim: int) -> tuple[Tensor, Tensor]:
    """The smallest element so far along an axis, and its position."""
    values, positions = ops.cummin(input, dim)
    return values, cast(positions, int64)


def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct elements, or slices along `dim`, in order. Eager mode only: how many there are depends on values.

    Args:
        sorted: they are in order either way.
        return_inverse: give for each element its position in the result, too.
        return_counts: give how often each is there, too.
    """
    x = as_tensor("unique", input).asnumpy()
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
    shape = x.shape if dim is None else (-1,)
    found = [Tensor(values)]
    found += [Tensor(inverse.reshape(shape).astype(np.int64))] if return_inverse else []
    found += [Tensor(counts.astype(np.int64))] if return_counts else []
    return tuple(found) if len(found) > 1 else found[0]


# Places


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, elsewhere `other`; of a condition alone where it holds, as `nonzero`."""
    if input is None and other is None:
        return ops.nonzero(condition, as_tuple=True)
    return ops.where(condition, input, other)


def select(input: Any, dim: int, index: int) -> Tensor:
    """One slice along an axis, without the axis."""
    x = as_tensor("select", input)
    result: Tensor = x.select(dim, index)
    return result


def scatter(input: Any, dim: int, index: Any, src: Any) -> Tensor:
    """`input` with each element of `src` (or one number) at its own index, its position along `dim` from `index`."""
    return ops.scatter(input, dim, index, _first_of(src, index))


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Tensor:
    """`input` with each element of `src` added at its own index, its position along `dim` from `index`."""
    return ops.tensor_scatter_elements(input, index, _first_of(src, index), dim, "add")


def _first_of(src: Any, index: Any) -> Any:
    """As many elements along each axis as there are positions."""
    source, places = as_tensor("scatter", src), as_tensor("scatter", index)
    return source[tuple(slice(n) for n in places.shape)] if source.ndim == places.ndim else source


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Tensor:
    """`input` with the slices of `source`, times `alpha`, added to its slices along `dim` at `index`."""
    return ops.index_add(input, index, source if alpha == 1 else ops.mul(source, alpha), dim)


def diag(input: Any, diagonal: int = 0) -> Tensor:
    """The matrix with a vector on a diagonal, or a diagonal of a matrix."""
    x = as_tensor("diag", input)
    return ops.diagonal(x, diagonal) if x.ndim == 2 else ops.diag_embed(x, diagonal)


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Grids of the vectors' elements; `indexing` is "ij" (as None) or "xy"."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    return ops.meshgrid(*given, indexing=indexing or "ij")


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Tensor:
    """See `mint.nn.functional.conv2d`."""
    from graphc.mint.nn import functional

    return functional.conv2d(input, weight, bias, stride, padding, dilation, groups)


# New tensors


def full(size: Any, fill_value: Any, *, dtype: Any = None) -> Tensor:
    """A value in every element; in its own dtype (bool, int64 or float32) unless another is given."""
    return ops.full(size, fill_value, dtype=to_dtype(dtype, as_tensor("full", fill_value).dtype))


def empty(*size: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor whose elements do not matter: zeros, float32 unless `dtype` is given.

    Args:
        device: None or "CPU".
    """
    _on_cpu("empty", device)
    return ops.zeros(size[0] if len(size) == 1 else size, to_dtype(dtype, float32))


def empty_like(input: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of the shape and (unless `dtype` is given) dtype of another, whose elements do not matter: zeros."""
    _on_cpu("empty_like", device)
    return ops.zeros_like(input, dtype=dtype)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None) -> Tensor:
    """Numbers in equal steps from `start` to `end`."""
    values = ops.linspace(start, end, steps)
    return cast(values, to_dtype(dtype, values.dtype))


def _on_cpu(name: str, device: Any) -> None:
    if device not in (None, "CPU", "cpu"):
        raise located(ValueError(f"{name}: device must be None or 'CPU', got {device!r}"))


def _own_stream(name: str, generator: Any, device: Any = None) -> None:
    _on_cpu(name, device)
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
    _on_cpu("rand_like", device)
    return ops.rand_like(input, dtype=dtype)


def randn_like(input: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """`randn` in the shape (and dtype) of another tensor."""
    _on_cpu("randn_like", device)
    return ops.randn_like(input, dtype=dtype)


def randint(*args: Any, generator: None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Random whole numbers: `randint(low, high, size)` in [low, high), or `randint(high, size)` from 0: int64."""
    _own_stream("randint", generator, device)
    low, high, size = (0, *args) if len(args) == 2 else args
    return ops.randint(low, high, size, dtype=to_dtype(dtype, int64))


def randint_like(input: Any, *bounds: int, dtype: Any = None, device: Any = None) -> Tensor:
    """`randint` in the shape (and dtype) of another tensor: `randint_like(x, high)` or `randint_like(x, low, high)`."""
    _on_cpu("randint_like", device)
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


def __getattr__(name: str) -> Any:
    """The modules within, loaded when first named: `nn`, `optim`, `linalg`, `special`."""
    if name in ("linalg", "nn", "optim", "special"):
        return importlib.import_module(f"graphc.mint.{name}")
    raise AttributeError(f"module 'graphc.mint' has no attribute {name!r}")
