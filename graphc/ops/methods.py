"""The named methods of Tensor: `x.sum()`, `x.reshape(2, 3)`, `x.astype(...)`; attached when `graphc.ops` is imported.

Most are the function of the same name with the tensor first. Those whose arguments differ from the function's, as
MindSpore's methods do, are written out below the table.
"""

from __future__ import annotations

import builtins
import functools
import inspect
from importlib import import_module
from typing import Any

from graphc.dtype import DType, bfloat16, bool_, float16, float32, float64, int16, int32, int64, uint8
from graphc.eager import at_once, of_ops
from graphc.gradients import register_hook
from graphc.ops import creation, functions, inplace, matrices, random, reduce, scan, sparse_tensors, storage
from graphc.ops.arrays import diag_embed
from graphc.ops.axes import as_ints
from graphc.ops.coerce import as_dtype, as_tensor
from graphc.ops.complex_parts import conjugate
from graphc.ops.composite import softmax as softmax_tensor
from graphc.ops.elementwise import cast, stop_gradient
from graphc.ops.elementwise import pow as power
from graphc.ops.gather import gather, gather_elements, index_add, tensor_scatter_add, tensor_scatter_sub
from graphc.ops.linalg import matmul
from graphc.ops.scan import cumsum as cumsum_tensor
from graphc.ops.scatter import tensor_scatter_div, tensor_scatter_max, tensor_scatter_min, tensor_scatter_mul
from graphc.ops.selection import unique, unique_in_order
from graphc.ops.shape import broadcast_to as broadcast_tensor
from graphc.ops.shape import diagonal as diagonal_tensor
from graphc.ops.shape import flatten as flatten_tensor
from graphc.ops.shape import narrow, repeat_interleave, stack, swapaxes, tile
from graphc.ops.shape import reshape as reshape_tensor
from graphc.ops.shape import transpose as transpose_tensor
from graphc.ops.solvers import qr_method
from graphc.ops.statistics import peak_to_peak
from graphc.ops.storage import check_device
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor, from_numpy

_AS_FUNCTIONS = {  # module: its functions that are methods too
    "functions": (
        "abs absolute acos acosh addcdiv addcmul allclose approximate_equal arccos arccosh arcsin arcsinh arctan "
        "arctan2 arctanh asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not bitwise_or "
        "bitwise_right_shift bitwise_xor ceil clamp clip cos cosh deg2rad div divide eq equal erf erfc erfinv exp "
        "expm1 float_power floor floor_divide fmod fmax fmin frac gcd ge greater greater_equal gt heaviside hypot inv "
        "invert isclose isfinite isinf isnan is_floating_point lcm ldexp le lerp less less_equal log "
        "log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logit lt maximum "
        "minimum mul multiply nan_to_num ne neg negative nextafter not_equal pow rad2deg reciprocal remainder rsqrt "
        "sigmoid sign signbit sin sinc sinh sqrt square tan tanh true_divide trunc xdivy xlogy"
    ),
    "complex_numbers": "angle conj imag is_complex isreal real",
    "gamma_functions": "digamma lgamma mvlgamma", "householder": "geqrf orgqr ormqr",
    "incomplete_gamma": "igamma igammac",
    "determinant": "det inverse log_matrix_determinant logdet matrix_determinant matrix_power slogdet",
    "reduce": "amax amin count_nonzero logsumexp median norm",
    "older": "i0 unique_with_pad",
    "scan": "cummax cummin cumprod logcumsumexp top_k topk",
    "gather": "gather_elements gather_nd index_fill index_select reverse_sequence scatter take unsorted_segment_sum",
    "selection": "argwhere bincount masked_fill masked_select nonzero",
    "triangles": "tril triu",
    "linalg": "addbmm addmm addmv addr baddbmm bmm dot inner matmul mm outer",
    "activation": "hardshrink soft_shrink",
    "composite": "log_softmax",
    "patches": "unfold",
    "arrays": (
        "copysign cross diff dsplit fliplr flipud hsplit isneginf isposinf movedim msort nanmean nansum rot90 sgn "
        "swapdims vsplit"
    ),
    "matrices": "adjoint diagflat",
    "scatter": "diagonal_scatter inplace_update select_scatter slice_scatter",
    "segments": "unsorted_segment_max unsorted_segment_min unsorted_segment_prod",
    "statistics": "cov kthvalue nanmedian nanquantile quantile renorm",
    "solvers": "cholesky cholesky_inverse cholesky_solve lstsq lu_solve svd triangular_solve",
    "sets": "aminmax ger histc unique_consecutive",
    "shape": (
        "chunk diagonal expand_dims flip moveaxis narrow repeat_interleave roll split squeeze swapaxes t "
        "tensor_split tile unbind unsqueeze"
    ),
}  # fmt: skip


# Types


def astype(self: Tensor, dtype: Any, copy: bool = True) -> Tensor:
    """The tensor in another element type; without `copy`, itself if it has that type."""
    return cast(self, as_dtype(dtype))


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in the element type given (a dtype, or that of another tensor); a device that is named must be "CPU".

    Raises:
        TypeError: neither a dtype nor a device. ValueError: another device.
    """
    given = [*args[:2], *(kwargs[name] for name in ("device", "dtype") if kwargs.get(name) is not None)]
    if not given:
        raise located(TypeError("Tensor.to: expected a dtype, got none; tensors live on the CPU"))
    result = self
    for target in given:
        if isinstance(target, str):
            check_device("Tensor.to", target)
        elif not isinstance(target, builtins.bool):  # MindSpore's `non_blocking`
            result = cast(result, as_dtype(target.dtype if isinstance(target, Tensor) else target))
    return result


def _cast_method(dtype: DType) -> Any:
    def method(self: Tensor) -> Tensor:
        return cast(self, dtype)

    method.__doc__ = f"The tensor in {dtype.name}."
    return method


def type_(self: Tensor, dtype: Any = None) -> Tensor | str:
    """The tensor in another element type; the name of its own where none is given."""
    return str(self.dtype) if dtype is None else cast(self, as_dtype(dtype))


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the element type of another."""
    return cast(self, other.dtype)


# Shapes, whose extents or axes come as several ints or as one tuple


def _one_tuple(ints: tuple[Any, ...]) -> Any:
    return ints[0] if len(ints) == 1 else ints


def reshape(self: Tensor, *shape: Any) -> Tensor:
    """The tensor in another shape (ints, or a tuple of them; one may be -1)."""
    return reshape_tensor(self, _one_tuple(shape))


def broadcast_to(self: Tensor, *shape: Any) -> Tensor:
    """The tensor broadcast to a shape, where -1 keeps an extent."""
    return broadcast_tensor(self, _one_tuple(shape))


def transpose(self: Tensor, *axes: Any, dim0: int | None = None, dim1: int | None = None) -> Tensor:
    """The axes in another order; reversed if none is given. Two ints, or `dim0` and `dim1`, are axes to exchange."""
    if dim0 is not None and dim1 is not None:
        axes = dim0, dim1
    return swapaxes(self, *axes) if len(axes) == 2 else permute(self, *axes)


def permute(self: Tensor, *axes: Any) -> Tensor:
    """The axes in another order; reversed if none is given."""
    return transpose_tensor(self, _one_tuple(axes) if axes else tuple(range(self.ndim))[::-1])


def cumsum(self: Tensor, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The running sums along an axis, or of all elements in order; in another dtype if one is given."""
    return cumsum_tensor(self, axis, dtype) if axis is not None else cumsum_tensor(self.reshape(-1), 0, dtype)


def flatten(self: Tensor, *args: Any, order: str = "C", start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes `start_dim` to `end_dim` as one: by default all. By position: an order, or the first and last axis."""
    if args and isinstance(args[0], str):
        order, args = args[0], args[1:]
    given = dict(zip(("start_dim", "end_dim"), args, strict=False))
    return flatten_tensor(self, order, **{"start_dim": start_dim, "end_dim": end_dim, **given})


def ravel(self: Tensor) -> Tensor:
    """All elements as a vector."""
    return reshape_tensor(self, -1)


def view_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the shape of another."""
    return reshape_tensor(self, other.shape)


def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor broadcast to the shape of another."""
    return broadcast_tensor(self, other.shape)


def repeat(self: Tensor, *blocks: Any, repeats: Any = None, axis: int | None = None) -> Tensor:
    """The tensor repeated as blocks, `repeats[d]` times along axis d; with `axis`, every slice along it instead."""
    counts = _one_tuple(blocks) if repeats is None else repeats
    return tile(self, counts) if axis is None else repeat_interleave(self, counts, axis)


def trace(self: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor:
    """The sum of a diagonal of the planes of two axes, of which `offset` says how far it is above the main one."""
    return reduce.sum(diagonal_tensor(self, offset, axis1, axis2), -1, dtype=dtype or self.dtype)


# Arithmetic, scaled by `alpha` as PyTorch's


def add(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """`self + alpha * other`."""
    return functions.add(self, other if alpha == 1 else functions.mul(other, alpha))


def sub(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """`self - alpha * other`."""
    return functions.sub(self, other if alpha == 1 else functions.mul(other, alpha))


def round(self: Tensor, decimals: int = 0) -> Tensor:
    """The nearest numbers with so many decimals; halves go to the even one."""
    return functions.round(self, decimals=decimals)


# Reductions, whose arguments come in NumPy's order (axis, dtype, keepdims) or in PyTorch's (dim, keepdim)


def _axis_and_keep(name: str, axis: Any, second: Any, keepdims: Any, options: dict[str, Any]) -> tuple[Any, bool, Any]:
    """The axis, whether to keep it, and the dtype, from whichever names and order the call used."""
    if options.get("out", ...) is None:  # as NumPy's functions call a method
        del options["out"]
    dtype = options.pop("dtype", None)
    if isinstance(second, bool):
        keepdims = second
    elif second is not None:
        dtype = second
    if "dim" in options:
        axis = options.pop("dim")
    for other in ("keepdim", "keep_dims"):
        keepdims = options.pop(other, keepdims)
    if options:
        raise located(TypeError(f"Tensor.{name}: unexpected arguments {', '.join(sorted(options))}"))
    return axis, bool(keepdims), dtype


def sum(self: Tensor, axis: Any = None, dtype: Any = None, keepdims: bool = False, **options: Any) -> Tensor:
    """The sum over the axes; also called as `sum(dim, keepdim, dtype=)`. Bools and integers are summed in int64."""
    initial = options.pop("initial", None)
    axis, keep, wanted = _axis_and_keep("sum", axis, dtype, keepdims, options)
    total = reduce.sum(self, axis, keep, dtype=wanted)
    return total if initial is None else functions.add(total, initial)


def mean(self: Tensor, axis: Any = None, keep_dims: bool = False, **options: Any) -> Tensor:
    """The mean over the axes; also called as `mean(dim, keepdim, dtype=)`."""
    axis, keep, wanted = _axis_and_keep("mean", axis, None, keep_dims, options)
    return reduce.mean(self if wanted is None else cast(self, as_dtype(wanted)), axis, keep)


def prod(self: Tensor, axis: Any = None, keep_dims: bool = False, dtype: Any = None, **options: Any) -> Tensor:
    """The product over the axes; also called as `prod(dim, keepdim, dtype=)`."""
    axis, keep, _ = _axis_and_keep("prod", axis, None, keep_dims, options)
    return reduce.prod(self, axis, keep, dtype)


def any(self: Tensor, axis: Any = None, keep_dims: bool = False, **options: Any) -> Tensor:
    """Whether any element over the axes is true."""
    axis, keep, _ = _axis_and_keep("any", axis, None, keep_dims, options)
    return reduce.any(self, axis, keep)


def all(self: Tensor, axis: Any = None, keep_dims: bool = False, **options: Any) -> Tensor:
    """Whether all elements over the axes are true."""
    axis, keep, _ = _axis_and_keep("all", axis, None, keep_dims, options)
    return reduce.all(self, axis, keep)


def var(self: Tensor, axis: Any = None, ddof: int = 0, keepdims: bool = False, **options: Any) -> Tensor:
    """The variance over the axes; the divisor is the count less `ddof` (also called `correction`)."""
    ddof = options.pop("correction", ddof)
    axis, keep, _ = _axis_and_keep("var", axis, None, keepdims, options)
    return reduce.var(self, axis, ddof, keep)


def std(self: Tensor, axis: Any = None, ddof: int = 0, keepdims: bool = False, **options: Any) -> Tensor:
    """The standard deviation over the axes; the divisor is the count less `ddof` (also called `correction`)."""
    ddof = options.pop("correction", ddof)
    axis, keep, _ = _axis_and_keep("std", axis, None, keepdims, options)
    return reduce.std(self, axis, ddof, keep)


def max(self: Tensor, *args: Any, **options: Any) -> Any:
    """The greatest element over the axes, called in either of MindSpore's ways.

    Args:
        args, options: `(axis=None, keepdims=False, *, initial=None, where=None, return_indices=False)`, or
            `(dim, keepdim=False)`. An int alone by position is a `dim`.
    Returns:
        The elements; with a `dim`, or with `return_indices` and one axis, `(values, indices)`.
    """
    return _extreme("max", reduce.max, reduce.amax, self, args, options)


def min(self: Tensor, *args: Any, **options: Any) -> Any:
    """The smallest element over the axes; see `max`."""
    return _extreme("min", reduce.min, reduce.amin, self, args, options)


def _extreme(
    name: str, with_index: Any, alone: Any, x: Tensor, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    if len(args) > 2:
        raise located(TypeError(f"{name}: expected an axis and whether to keep it, got {len(args)} arguments"))
    by_position = bool(args) and isinstance(args[0], int) and not options.keys() - {"keepdim"}
    pair = options.pop("return_indices", False) or by_position or "dim" in options
    initial, where = options.pop("initial", None), options.pop("where", None)
    named = {**dict(zip(("axis", "keepdims"), args, strict=False)), **options}
    axis, keep, _ = _axis_and_keep(name, named.pop("axis", None), None, named.pop("keepdims", False), named)
    if pair and axis is not None:
        return with_index(x, axis, keep, initial=initial, where=where)
    return alone(x, axis, keep, initial=initial, where=where)


def argmax(self: Tensor, axis: int | None = None, keepdims: bool = False, **options: Any) -> Tensor:
    """The int64 position of the first greatest element along an axis (also called `dim`); None: in the flat tensor."""
    axis, keep, _ = _axis_and_keep("argmax", axis, None, keepdims, options)
    return reduce.argmax(self, axis, keep)


def argmin(self: Tensor, axis: int | None = None, keepdims: bool = False, **options: Any) -> Tensor:
    """The int32 position of the first smallest element along an axis (also called `dim`); None: in the flat tensor."""
    axis, keep, _ = _axis_and_keep("argmin", axis, None, keepdims, options)
    return reduce.argmin(self, axis, keep)


def argsort(self: Tensor, axis: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The int32 positions of the elements in order along an axis: always stable."""
    return scan.argsort(self, axis, descending)


def sort(self: Tensor, axis: int = -1, descending: bool = False, stable: bool = False) -> tuple[Tensor, Tensor]:
    """The elements in order along an axis, and their int32 positions: always stable."""
    return scan.sort(self, axis, descending)


def argmax_with_value(self: Tensor, axis: int = 0, keep_dims: bool = False) -> tuple[Tensor, Tensor]:
    """The greatest elements along an axis, and their positions: the other way round than the class ArgMaxWithValue."""
    return reduce.argmax_with_value(self, axis, keep_dims)[::-1]


def argmin_with_value(self: Tensor, axis: int = 0, keep_dims: bool = False) -> tuple[Tensor, Tensor]:
    """The smallest elements along an axis, and their positions: the other way round than the class ArgMinWithValue."""
    return reduce.argmin_with_value(self, axis, keep_dims)[::-1]


# Choice and gathering


def where(self: Tensor, condition: Any, y: Any) -> Tensor:
    """The tensor where the condition holds, elsewhere `y`."""
    return functions.where(condition, self, y)


def gather_method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`gather(input_indices, axis, batch_dims=0)`: slices along an axis; `gather(dim, index)`: element by element."""
    if "dim" in kwargs or "index" in kwargs or (len(args) == 2 and isinstance(args[1], Tensor)):
        return gather_elements(self, *args, **kwargs)
    return gather(self, *args, **kwargs)


def searchsorted_method(self: Tensor, v: Any, side: str = "left", sorter: Any = None) -> Tensor:
    """Where to insert `v` so that the last axis stays in order: see `ops.searchsorted`."""
    return scan.searchsorted(self, v, side=side, sorter=sorter)


def scatter_add_method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`scatter_add(dim, index, src)`: element by element; `scatter_add(indices, updates)`: see `tensor_scatter_add`."""
    if len(args) + len(kwargs) == 2:
        return tensor_scatter_add(self, *args, **kwargs)
    return inplace.scatter_add(self, *args, **kwargs)


def softmax(self: Tensor, axis: Any = -1, dtype: Any = None) -> Tensor:
    """See `ops.softmax`."""
    return softmax_tensor(self, axis, dtype=dtype)


def diag(self: Tensor, diagonal: int = 0) -> Tensor:
    """The matrix with a vector on a diagonal, or a diagonal of a matrix."""
    return diagonal_tensor(self, diagonal) if self.ndim == 2 else diag_embed(self, diagonal)


def unique_method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
    """As `ops.unique`; with arguments, `unique(sorted, return_inverse, return_counts, dim)`, the elements in order."""
    return unique_in_order(self, *args, **kwargs) if args or kwargs else unique(self)


def index_add_method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`index_add(indices, y, axis)`, or `index_add(dim, index, source, *, alpha=1)`: see `ops.index_add`."""
    if "dim" not in kwargs and not (len(args) > 1 and isinstance(args[0], int)):
        return index_add(self, *args, **kwargs)
    named = {**dict(zip(("dim", "index", "source"), args, strict=False)), **kwargs}
    alpha = named.pop("alpha", 1)
    if len(args) > 3 or named.keys() != {"dim", "index", "source"}:
        raise located(TypeError(f"Tensor.index_add: expected dim, index and source, got {', '.join(named)}"))
    source = named["source"] if alpha == 1 else functions.mul(named["source"], alpha)
    return index_add(self, named["index"], source, named["dim"])


def select_method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`select(condition, y)`: the tensor where the condition holds, elsewhere `y`; `select(dim, index)`: one slice."""
    if kwargs.keys() & {"dim", "index"} or (len(args) == 2 and not isinstance(args[0], Tensor)):
        return _slice_at(self, *args, **kwargs)
    return where(self, *args, **kwargs)


def _slice_at(self: Tensor, dim: int, index: int) -> Tensor:
    return reshape_tensor(
        narrow(self, dim, index, 1), tuple(n for d, n in enumerate(self.shape) if d != dim % self.ndim)
    )  # fmt: skip


def choose(self: Tensor, choices: Any, mode: str = "clip") -> Tensor:
    """For each element, a position, the element of that one of `choices` (tensors that broadcast to it).

    Args:
        mode: what a position out of range does: be `"clip"`ped, `"wrap"` around, or `"raise"` an IndexError.
    """
    rows = stack([broadcast_tensor(as_tensor("choose", c), self.shape) for c in choices], -1)
    count = rows.shape[-1]
    if mode not in ("clip", "wrap", "raise"):
        raise located(ValueError(f"Tensor.choose: mode must be 'clip', 'wrap' or 'raise', got {mode!r}"))
    places = self
    if mode == "clip":
        places = functions.clamp(self, 0, count - 1)
    elif mode == "wrap":
        places = functions.floor_mod(self, count)
    return reshape_tensor(gather_elements(rows, -1, reshape_tensor(places, (*self.shape, 1))), self.shape)


def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """The sums that have a shape: what broadcasting it to this tensor's shape would have repeated is added up."""
    shape = tuple(as_ints("Tensor.sum_to_size", _one_tuple(size)))
    lead = self.ndim - len(shape)
    kept = zip(shape, self.shape[builtins.max(lead, 0) :], strict=False)
    if lead < 0 or not builtins.all(n in (1, extent) for n, extent in kept):
        raise located(ValueError(f"Tensor.sum_to_size: {self.spec} is no broadcast of shape {shape}"))
    axes = tuple(d for d in range(self.ndim) if d < lead or shape[d - lead] != self.shape[d])
    return reshape_tensor(reduce.sum(self, axes, dtype=self.dtype) if axes else self, shape)


# Facts


def is_contiguous(self: Tensor) -> bool:
    """True: a tensor's elements lie one after the other, the last axis first."""
    return True


def is_signed(self: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return self.dtype not in (uint8, bool_)


def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements lie between neighbours along an axis; for None a list of all."""
    steps = [s // self.itemsize for s in self.strides]
    return steps if dim is None else steps[dim]


def storage_offset(self: Tensor) -> int:
    """0: where a tensor's first element lies in its memory."""
    return 0


# Making others, and copies


def fill(self: Tensor, value: Any) -> Tensor:
    """A tensor of this shape and dtype with `value` in every element."""
    return creation.full_like(self, value)


def new_zeros(self: Tensor, size: Any, dtype: Any = None) -> Tensor:
    """Zeros of a shape, in this dtype unless another is given."""
    return creation.zeros(size, dtype or self.dtype)


def new_ones(self: Tensor, size: Any, dtype: Any = None) -> Tensor:
    """Ones of a shape, in this dtype unless another is given."""
    return creation.ones(size, dtype or self.dtype)


def new_empty(self: Tensor, size: Any, dtype: Any = None) -> Tensor:
    """A tensor of a shape, in this dtype unless another is given: zeros, as what is not defined would not be the same
    twice."""
    return creation.zeros(size, dtype or self.dtype)


def new_full(self: Tensor, size: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """A value in a shape, in this dtype unless another is given."""
    return creation.full(size, fill_value, dtype=dtype or self.dtype)


def copy(self: Tensor) -> Tensor:
    """The same value as a tensor of its own; the gradient passes."""
    same: Tensor = functions.identity(self)
    return same


def itself(self: Tensor) -> Tensor:
    """The tensor itself: it is always contiguous, initialised and on the CPU."""
    return self


def value(self: Tensor) -> Tensor:
    """The tensor itself; of a Parameter what it holds now, which later assignments do not change."""
    return copy(self) if isinstance(self, Parameter) else self


def assign_value(self: Tensor, value: Tensor) -> Tensor:
    """Makes the tensor stand for another value, of any shape and dtype; returns the tensor."""
    self._become(functions.identity(as_tensor("assign_value", value)))
    return self


def detach(self: Tensor) -> Tensor:
    """The same value, as a constant to differentiation."""
    return stop_gradient(self)


def number_of_elements(self: Tensor) -> int:
    """The number of elements."""
    return self.size


def number_of_dimensions(self: Tensor) -> int:
    """The number of dimensions."""
    return self.ndim


@of_ops
def _transposed(self: Tensor) -> Tensor:
    """The axes in reversed order."""
    return transpose(self)


@of_ops
def _conjugate_transposed(self: Tensor) -> Tensor:
    """The axes in reversed order, and complex numbers conjugated."""
    return transpose(conjugate(self))


@of_ops
def _matrix_transposed(self: Tensor) -> Tensor:
    """The last two axes exchanged."""
    return swapaxes(self, -1, -2)


_OWN: dict[str, Any] = {
    "astype": astype, "to": to, "type": type_, "type_as": type_as, "bool": _cast_method(bool_),
    "byte": _cast_method(uint8), "short": _cast_method(int16), "int": _cast_method(int32),
    "long": _cast_method(int64), "float": _cast_method(float32), "double": _cast_method(float64),
    "half": _cast_method(float16), "bfloat16": _cast_method(bfloat16),
    "reshape": reshape, "view_as": view_as, "reshape_as": view_as, "ravel": ravel, "flatten": flatten,
    "transpose": transpose, "permute": permute, "broadcast_to": broadcast_to, "expand": broadcast_to,
    "expand_as": expand_as, "repeat": repeat,
    "trace": trace, "add": add, "sub": sub, "subtract": sub, "round": round,
    "sum": sum, "mean": mean, "prod": prod, "any": any, "all": all, "var": var, "std": std, "max": max, "min": min,
    "argmax": argmax, "argmin": argmin, "argsort": argsort, "sort": sort, "cumsum": cumsum,
    "argmax_with_value": argmax_with_value, "argmin_with_value": argmin_with_value,
    "searchsorted": searchsorted_method, "softmax": softmax, "diag": diag, "qr": qr_method,
    "where": where, "gather": gather_method, "index_add": index_add_method, "unique": unique_method,
    "new_zeros": new_zeros, "new_ones": new_ones, "new_empty": new_empty, "new_full": new_full,
    "copy": copy, "clone": copy, "contiguous": itself, "value": value, "init_data": itself, "detach": detach,
    "data": property(detach), "has_init": False, "assign_value": assign_value,
    "fill": fill, "fills": fill, "select": select_method, "ptp": peak_to_peak, "sum_to_size": sum_to_size,
    "scatter_sub": tensor_scatter_sub, "scatter_div": tensor_scatter_div, "scatter_max": tensor_scatter_max,
    "scatter_min": tensor_scatter_min, "scatter_mul": tensor_scatter_mul, "choose": choose,
    "bernoulli": random.bernoulli, "multinomial": random.multinomial, "random_categorical": random.random_categorical,
    "is_contiguous": is_contiguous, "is_signed": is_signed, "stride": stride, "storage_offset": storage_offset,
    "positive": itself, "is_meta": False,
    "device": "CPU", "H": property(_conjugate_transposed), "mH": property(matrices.adjoint),
    "numel": number_of_elements, "nelement": number_of_elements,
    "dim": number_of_dimensions, "ndimension": number_of_dimensions,
    "register_hook": register_hook,
    "from_numpy": staticmethod(from_numpy), "T": property(_transposed), "mT": property(_matrix_transposed),
    "__pow__": lambda self, exponent: power(self, exponent),
    "__matmul__": lambda self, other: matmul(self, other),
    "__rmatmul__": lambda self, other: matmul(Tensor(other), self),
    "__round__": lambda self, digits=None: round(self, digits or 0),
}  # fmt: skip


_OWN |= sparse_tensors.METHODS | storage.METHODS
_OWN |= inplace.METHODS | inplace.OUT_OF_PLACE | {"scatter_add": scatter_add_method}

_OF_OPS = (
    "argmax", "argmin", "argsort", "sort", "sum", "mean", "prod", "any", "all", "var", "std", "max", "min", "cumsum",
    "trace", "softmax", "diag", "reshape", "view_as", "reshape_as", "ravel", "flatten", "transpose", "permute",
    "broadcast_to", "expand", "expand_as", "repeat", "view", "astype", "type_as", "__pow__", "__matmul__",
)  # fmt: skip

_SYNONYMS = {"dim": "axis", "keepdim": "keepdims", "keep_dims": "keepdims", "keepdims": "keep_dims"}
"""What PyTorch calls arguments, which MindSpore's methods take as well."""

_OTHER_NAMES = {
    "diagonal": {"axis1": "dim1", "axis2": "dim2"}, "expand_as": {"x": "other"}, "float_power": {"other": "exponent"},
    "isclose": {"x2": "other"}, "matmul": {"tensor2": "other"}, "multiply": {"value": "other"},
    "remainder": {"divisor": "other"}, "split": {"split_size": "split_size_or_sections"}, "sub": {"y": "other"},
    "swapdims": {"axis0": "dim0", "axis1": "dim1"}, "take": {"index": "indices"}, "tile": {"reps": "dims"},
    "true_divide": {"other": "divisor"},
}  # fmt: skip


def _by_other_names(name: str, method: Any) -> Any:
    """The method, whose arguments may be called by their other names too."""
    own = inspect.signature(method).parameters
    given = {other: kept for other, kept in _SYNONYMS.items() if kept in own and other not in own}
    if "keepdim" in given or "keep_dims" in own:
        given["keepdim"] = "keep_dims" if "keep_dims" in own else "keepdims"
    given |= _OTHER_NAMES.get(name, {})
    if not given or builtins.any(p.kind is p.VAR_KEYWORD for p in own.values()):
        return method

    @functools.wraps(method)
    def called(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **{given.get(k, k): v for k, v in kwargs.items()} if kwargs else kwargs)

    return called


def attach() -> None:
    """Gives Tensor its methods."""
    for home, names in _AS_FUNCTIONS.items():
        module = import_module(f"graphc.ops.{home}")
        for name in names.split():
            method = getattr(module, name)
            wrap = at_once if home == "functions" else of_ops
            setattr(Tensor, name, _by_other_names(name, wrap(method) if inspect.isfunction(method) else method))
    for name, method in _OWN.items():
        method = of_ops(method) if name in _OF_OPS else method
        setattr(Tensor, name, _by_other_names(name, method) if inspect.isfunction(method) else method)


attach()
