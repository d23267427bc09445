"""`graphc.mint`: ops and layers under PyTorch's names, arguments and defaults, as MindSpore's `mint` has them.

    from graphc import mint
    mint.sum(x, dim=1, keepdim=True)
    net = mint.nn.Linear(3, 4)

What a name computes is said by the function of `graphc.ops` that it stands for; positions (`argmax`, `sort`, `topk`)
are int64.
"""
# ruff: noqa: F403 (each module says in its `__all__` what users see)

from __future__ import annotations

import importlib
from types import FunctionType
from typing import Any

from graphc import aliases, ops
from graphc.eager import at_once
from graphc.mint import arithmetic, creation, order, places, reductions, sampling
from graphc.mint.arithmetic import *
from graphc.mint.creation import *
from graphc.mint.order import *
from graphc.mint.places import *
from graphc.mint.reductions import *
from graphc.mint.sampling import *
from graphc.mint.signatures import renamed
from graphc.ops.selection import unique_in_order as unique
from graphc.tensor import Tensor

# isort: off
from graphc.ops import (
    abs, acos, acosh, addbmm, addmm, addmv, arange, arccos, arccosh, arcsinh, arctan, arctan2, arctanh, asin, asinh,
    atan, atan2, atanh, baddbmm, bitwise_and, bitwise_not, bitwise_or, bitwise_xor, broadcast_to, ceil, clamp, clip,
    cos, cosh, cross, div, divide, dot, dstack, einsum, eq, erf, erfc, erfinv, exp, exp2, expm1, eye, flip, float_power,
    floor, floor_divide, fmod, full_like, gcd, ge, greater, greater_equal, gt, histc, hstack, imag, inverse, isclose,
    isfinite, isinf, isneginf, kthvalue, le, lerp, less, less_equal, log, log1p, log2, log10, logaddexp, logaddexp2,
    logical_and, logical_not, logical_or, logical_xor, logsumexp, lt, masked_select, matmul, maximum, minimum, mm, mul,
    nan_to_num, ne, neg, negative, nonzero, not_equal, ones_like, outer, polar, pow, ravel, real, reciprocal, remainder,
    reshape, roll, round, rsqrt, searchsorted, sigmoid, sign, sin, sinc, sinh, square, swapaxes, t, tan, tanh, tile,
    trace, triangular_solve, tril, triu, trunc, unbind, unique_consecutive, unsqueeze, xlogy, zeros, zeros_like,
)  # fmt: skip

# isort: on

__all__ = [
    "abs", "acos", "acosh", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "all", "allclose", "any", "arange",
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh",
    "baddbmm", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "bmm", "broadcast_to", "cat", "ceil", "chunk",
    "clamp", "clip", "clone", "concat", "conv2d", "cos", "cosh", "cross", "cumprod", "cumsum", "diff", "div", "divide",
    "dot", "dstack", "einsum", "eq", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "eye", "fix", "flatten", "flip",
    "float_power", "floor", "floor_divide", "fmod", "frac", "full_like", "gather", "gcd", "ge", "greater",
    "greater_equal", "gt", "histc", "hstack", "imag", "index_select", "inverse", "isclose", "isfinite", "isinf",
    "isnan", "isneginf", "kthvalue", "le", "lerp", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp",
    "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor", "logsumexp", "lt", "masked_select",
    "matmul", "maximum", "minimum", "mm", "mul", "mv", "nan_to_num", "nansum", "narrow", "ne", "neg", "negative",
    "nonzero", "not_equal", "ones", "ones_like", "outer", "permute", "polar", "pow", "prod", "ravel", "real",
    "reciprocal", "remainder", "repeat_interleave", "reshape", "roll", "round", "rsqrt", "searchsorted", "sigmoid",
    "sign", "sin", "sinc", "sinh", "softmax", "split", "sqrt", "square", "squeeze", "stack", "std", "std_mean", "sum",
    "swapaxes", "t", "take", "tan", "tanh", "tile", "trace", "transpose", "triangular_solve", "tril", "triu", "trunc",
    "unbind", "unique", "unique_consecutive", "unsqueeze", "var", "var_mean", "xlogy", "zeros", "zeros_like",
]  # fmt: skip
__all__ += arithmetic.__all__
__all__ += creation.__all__
__all__ += order.__all__
__all__ += places.__all__
__all__ += reductions.__all__
__all__ += sampling.__all__

_DIM = {"dim": "axis"}
_KEPT = {"dim": "axis", "keepdim": "keepdims"}

addcdiv = renamed(ops.addcdiv, "input, tensor1, tensor2, *, value=1")
addcmul = renamed(ops.addcmul, "input, tensor1, tensor2, *, value=1")
all = renamed(ops.all, "input, dim=None, keepdim=False", dim="axis", keepdim="keep_dims")
any = renamed(ops.any, "input, dim=None, keepdim=False", dim="axis", keepdim="keep_dims")
arcsin = renamed(ops.arcsin, "x")
bmm = renamed(ops.bmm, "input, mat2")
cat = renamed(ops.cat, "tensors, dim=0", **_DIM)
concat = renamed(ops.concat, "tensors, dim=0", **_DIM)
chunk = renamed(ops.chunk, "input, chunks, dim=0", **_DIM)
clone = renamed(ops.identity, "input", "clone")
cumprod = renamed(ops.cumprod, "input, dim, dtype=None")
cumsum = renamed(ops.cumsum, "input, dim, dtype=None", **_DIM)
diff = renamed(ops.diff, "input, n=1, dim=-1, prepend=None, append=None", **_DIM)
fix = trunc
flatten = renamed(ops.flatten, "input, start_dim=0, end_dim=-1")
frac = renamed(ops.frac, "input")
gather = renamed(ops.gather_elements, "input, dim, index", "gather")
index_select = renamed(ops.index_select, "input, dim, index", **_DIM)
isnan = renamed(ops.isnan, "tensor")
mv = renamed(ops.mv, "input, vec")
nansum = renamed(ops.nansum, "input, dim=None, keepdim=False, *, dtype=None", **_KEPT)
narrow = renamed(ops.narrow, "input, dim, start, length", **_DIM)
ones = renamed(ops.ones, "size, *, dtype=None")
permute = renamed(ops.transpose, "input, dims", "permute")
prod = renamed(ops.prod, "input, dim=None, keepdim=False, *, dtype=None", dim="axis", keepdim="keep_dims")
repeat_interleave = renamed(ops.repeat_interleave, "input, repeats, dim=None, *, output_size=None", **_DIM)
softmax = renamed(ops.softmax, "input, dim, *, dtype=None", **_DIM)
split = renamed(ops.split, "tensor, split_size_or_sections, dim=0", **_DIM)
sqrt = renamed(ops.sqrt, "input")
squeeze = renamed(ops.squeeze, "input, dim=None", **_DIM)
stack = renamed(ops.stack, "tensors, dim=0", **_DIM)
std = renamed(ops.std, "input, dim=None, *, correction=1, keepdim=False", correction="ddof", **_KEPT)
std_mean = renamed(ops.std_mean, "input, dim=None, *, correction=1, keepdim=False", correction="ddof", **_KEPT)
sum = ops.sum
take = renamed(ops.take, "input, index", index="indices")
transpose = renamed(ops.swapaxes, "input, dim0, dim1", "transpose", dim0="axis0", dim1="axis1")
var = renamed(ops.var, "input, dim=None, *, correction=1, keepdim=False", correction="ddof", **_KEPT)
var_mean = renamed(ops.var_mean, "input, dim=None, *, correction=1, keepdim=False", correction="ddof", **_KEPT)


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether `|input - other| <= atol + rtol * |other|` everywhere: a bool, so not within graphs."""
    return bool(ops.allclose(input, other, rtol, atol, equal_nan))


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Tensor:
    """See `mint.nn.functional.conv2d`."""
    from graphc.mint.nn import functional

    return functional.conv2d(input, weight, bias, stride, padding, dilation, groups)


def __getattr__(name: str) -> Any:
    """The modules within, loaded when first named: `nn`, `optim`, `linalg`, `special`."""
    if name in ("linalg", "nn", "optim", "special"):
        return importlib.import_module(f"graphc.mint.{name}")
    raise AttributeError(f"module 'graphc.mint' has no attribute {name!r}")


for _name in __all__:
    _function = globals()[_name]
    if isinstance(_function, FunctionType) and _function.__module__.startswith("graphc.mint"):
        globals()[_name] = at_once(_function)

aliases.attach(__name__)
