"""More rows for the table of `graphc.ops.primitives`: windows, counts and ranks, diagonals, systems, updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.dtype import float32, int32, int64
from graphc.ops.coerce import as_dtype, as_tensor, cast, full_like
from graphc.ops.primitive_classes import REQUIRED, enter, function
from graphc.ops.shape import reshape
from graphc.place import located
from graphc.tensor import Tensor

_PLAIN = {
    "Coalesce": "coalesce", "Eps": "eps", "Gcd": "gcd", "Geqrf": "geqrf", "Orgqr": "orgqr",
    "Lcm": "lcm", "LuSolve": "lu_solve",
    "BesselI0": "bessel_i0", "BesselI0e": "bessel_i0e",
    "BesselI1": "bessel_i1", "BesselI1e": "bessel_i1e", "BesselJ0": "bessel_j0",
    "BesselJ1": "bessel_j1", "BesselK0": "bessel_k0", "BesselK0e": "bessel_k0e",
    "BesselK1": "bessel_k1", "BesselK1e": "bessel_k1e", "BesselY0": "bessel_y0",
    "BesselY1": "bessel_y1",
    "Igamma": "igamma", "Igammac": "igammac", "NextAfter": "nextafter", "Zeta": "zeta",
    "Polygamma": "polygamma", "UniqueWithPad": "unique_with_pad",
}  # fmt: skip


def _int_of(value: Any) -> int:
    return int(value.item()) if isinstance(value, Tensor) else int(value)


def _ints_of(value: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in (value.tolist() if isinstance(value, Tensor) else value))


def _window(function_name: str, *attributes: str) -> Callable[..., Any]:
    def call(self: Any, window_length: Any) -> Tensor:
        options = {a: getattr(self, a) for a in attributes}
        result: Tensor = function(function_name)(_int_of(window_length), self.periodic, dtype=self.dtype, **options)
        return result

    return call


def _cumulative_logsumexp(self: Any, x: Any, axis: Any) -> Tensor:
    operand, along = as_tensor(self.name, x), _int_of(axis)
    operand = operand.flip(along) if self.reverse else operand
    y: Tensor = function("logcumsumexp")(operand, along)
    if self.exclusive and y.shape[along]:
        first = full_like(y.narrow(along, 0, 1), float("-inf"))
        y = function("concat")([first, y.narrow(along, 0, y.shape[along] - 1)], along)
    return y.flip(along) if self.reverse else y


def _bincount(self: Any, array: Any, size: Any, weights: Any) -> Tensor:
    """The sums of the weights (or the counts, if there are none) of 0, 1, ..., `size` - 1."""
    numbers, count = as_tensor(self.name, array), _int_of(size)
    given = as_tensor(self.name, weights)
    given = given if given.size else full_like(cast(numbers, given.dtype), 1)
    inside = function("logical_and")(numbers >= 0, numbers < count)
    result: Tensor = function("unsorted_segment_sum")(
        function("select")(inside, given, 0), function("select")(inside, numbers, 0), count
    )
    return result


def _confusion_matrix(self: Any, labels: Any, predictions: Any, weights: Any = None) -> Tensor:
    """How often each label (a row) was predicted as each class (a column), or the sums of the weights."""
    given, found = as_tensor(self.name, labels), as_tensor(self.name, predictions)
    if given.ndim != 1 or given.shape != found.shape:
        raise located(ValueError(f"{self.name}: expected labels and predictions [N], got {given.spec}, {found.spec}"))
    places = function("stack")([cast(given, int64), cast(found, int64)], 1)
    counted = full_like(cast(given, int64), 1) if weights is None else as_tensor(self.name, weights)
    nothing = function("zeros")((self.num_classes,) * 2, counted.dtype)
    return cast(function("tensor_scatter_add")(nothing, places, counted), as_dtype(self.dtype))


def _check_numerics(self: Any, x: Any) -> Tensor:
    """The tensor, if all its elements are finite: outside of graphs."""
    operand = as_tensor(self.name, x)
    if not np.isfinite(operand.numpy_view()).all():
        raise located(RuntimeError(f"{self.name}: {operand.spec} holds NaN or infinities"))
    return operand


def _fill_diagonal(self: Any, input_x: Any) -> Tensor:
    x = as_tensor(self.name, input_x)
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) > 1):
        raise located(ValueError(f"{self.name}: expected a matrix, or equal extents, got {x.spec}"))
    mask = np.zeros(x.shape, bool)
    np.fill_diagonal(mask, True, self.wrap)
    result: Tensor = function("select")(Tensor(mask), full_like(x, self.fill_value), x)
    return result


def _list_diff(self: Any, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """The elements of `x` that are not in `y`, and where they are: outside of graphs."""
    first, second = as_tensor(self.name, x), as_tensor(self.name, y)
    places = np.flatnonzero(~np.isin(first.numpy_view(), second.numpy_view()))
    return Tensor(first.numpy_view()[places]), cast(Tensor(places), self.out_idx)


def _bound(right: bool) -> Callable[..., Any]:
    def call(self: Any, sorted_x: Any, values: Any) -> Tensor:
        return cast(function("searchsorted")(sorted_x, values, right=right), self.out_type)

    return call


def _least_squares(self: Any, x: Any, a: Any) -> Tensor:
    """`a` fitted by the columns of `x`; with `l2_regularizer` the solution is drawn to 0 by that much."""
    matrix, wanted = as_tensor(self.name, x), as_tensor(self.name, a)
    if self.l2_regularizer:
        square = matrix.T @ matrix + function("eye")(matrix.shape[1], dtype=matrix.dtype) * self.l2_regularizer
        result: Tensor = function("solve")(square, matrix.T @ wanted)
    else:
        result = function("lstsq")(matrix, wanted)
    return result


def _triangular_solve(self: Any, matrix: Any, rhs: Any) -> Tensor:
    result: Tensor = function("solve_triangular")(matrix, rhs, upper=not self.lower, transpose=self.adjoint)
    return result


def _median(self: Any, x: Any) -> tuple[Tensor, Tensor]:
    """With `global_median` that of all elements, and 0 for its position."""
    operand = as_tensor(self.name, x)
    name = "nanmedian" if self.ignore_nan else "median"
    if not self.global_median:
        values, places = function(name)(operand, self.axis, self.keep_dims)
        return values, cast(places, int64)
    value, _ = function(name)(reshape(operand, -1), 0, False)
    return value, Tensor(0, int64)


def _pad_v3(self: Any, x: Any, paddings: Any, constant_value: Any = 0) -> Tensor:
    """The paddings are pairs, of the last axis first; unless `paddings_contiguous` the first ones of all come first."""
    given = _ints_of(paddings)
    if not self.paddings_contiguous:
        half = len(given) // 2
        given = tuple(n for pair in zip(given[:half], given[half:], strict=True) for n in pair)
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "circular": "circular"}.get(self.mode)
    if mode is None:
        raise located(ValueError(f"{self.name}: mode is not known, got {self.mode!r}"))
    value = constant_value.item() if isinstance(constant_value, Tensor) else constant_value
    result: Tensor = function("pad")(x, given, mode, value if mode == "constant" else None)
    return result


def _segments(form: str) -> Callable[..., Any]:
    """Sums, products, means or extremes of the slices along axis 0 with the same, ascending, number; 0 of none."""

    def call(self: Any, input_x: Any, segment_ids: Any) -> Tensor:
        x, numbers = as_tensor(self.name, input_x), as_tensor(self.name, segment_ids)
        count = int(numbers.numpy_view().max()) + 1 if numbers.size else 0
        sizes = function("unsorted_segment_sum")(full_like(cast(numbers, float32), 1), numbers, count)
        sizes = reshape(sizes, (count, *(1,) * (x.ndim - 1)))
        found: Tensor = function(f"unsorted_segment_{'sum' if form == 'mean' else form}")(x, numbers, count)
        if form == "mean":
            return cast(found / cast(function("maximum")(sizes, 1), found.dtype), found.dtype)
        if form == "sum":
            return found
        empty = 1 if form == "prod" else 0
        result: Tensor = function("select")(sizes > 0, found, full_like(found, empty))
        return result

    return call


def _sub_and_filter(self: Any, input_x: Any, max_num: Any, offset: Any) -> tuple[Tensor, Tensor]:
    """The elements less `offset` that are from 0 to `max_num` - 1, and where they are: outside of graphs."""
    moved = as_tensor(self.name, input_x) - offset
    values = moved.numpy_view()
    places = np.flatnonzero((values >= 0) & (values < _int_of(max_num)))
    return Tensor(values[places]), Tensor(places.astype(np.int32))


def _tuple_to_array(self: Any, input_x: Any) -> Tensor:
    """Whole numbers in int32, others in float32."""
    values = tuple(input_x)
    dtype = int32 if all(isinstance(v, int) and not isinstance(v, bool) for v in values) else float32
    return Tensor(values, dtype)


def _unravel_index(self: Any, indices: Any, dims: Any) -> Tensor:
    """For each axis a row of the indices along it."""
    rest, found = as_tensor(self.name, indices), list[Tensor]()
    for n in reversed(_ints_of(dims)):
        found.append(function("floor_mod")(rest, n))
        rest = function("floor_div")(rest, n)
    result: Tensor = function("stack")(found[::-1], 0)
    return result


def _tridiagonal(self: Any, superdiag: Any, maindiag: Any, subdiag: Any, rhs: Any) -> Tensor:
    """The product of a matrix of three diagonals `[..., 1, M]` with `[..., M, N]`; the last and first elements beyond
    the matrix are not read."""
    above, main, below = (
        function("swapaxes")(as_tensor(self.name, d), -1, -2) for d in (superdiag, maindiag, subdiag)
    )
    x = as_tensor(self.name, rhs)
    zero = full_like(x.narrow(-2, 0, 1), 0)
    n = x.shape[-2]
    following = function("concat")([x.narrow(-2, 1, n - 1), zero], -2)
    before = function("concat")([zero, x.narrow(-2, 0, n - 1)], -2)
    result: Tensor = above * following + main * x + below * before
    return result


def _permuted(self: Any) -> list[int]:
    """For each axis of the second format its place in the first."""
    src, dst = self.src_format, self.dst_format
    if sorted(src) != sorted(dst):
        raise located(ValueError(f"{self.name}: {src!r} and {dst!r} do not name the same axes"))
    return [src.index(axis) for axis in dst]


_PERIODIC: dict[str, Any] = {"periodic": True, "dtype": float32}
_FORMATS: dict[str, Any] = {"src_format": "NHWC", "dst_format": "NCHW"}

_ROWS: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "BartlettWindow": (_PERIODIC, _window("bartlett_window")),
    "Bernoulli": (
        {"seed": -1, "offset": 0},
        lambda p, x, p_=0.5: function("bernoulli")(x, p_, p.seed if p.seed > 0 else None),
    ),
    "Bincount": ({}, _bincount),
    "BlackmanWindow": (_PERIODIC, _window("blackman_window")),
    "Bucketize": (
        {"boundaries": REQUIRED},
        lambda p, input: cast(function("searchsorted")(Tensor(list(p.boundaries)), cast(
            as_tensor("Bucketize", input), float32), right=True), int32),
    ),
    "Cauchy": (
        {"size": REQUIRED, "median": 0.0, "sigma": 1.0},
        lambda p: function("zeros")(tuple(p.size), float32).cauchy(p.median, p.sigma),
    ),
    "CheckNumerics": ({}, _check_numerics),
    "ConfusionMatrix": ({"num_classes": REQUIRED, "dtype": "int32"}, _confusion_matrix),
    "CumulativeLogsumexp": ({"exclusive": False, "reverse": False}, _cumulative_logsumexp),
    "DataFormatDimMap": (
        _FORMATS,
        lambda p, input_x: function("gather")(
            Tensor(_permuted(p), as_tensor(p.name, input_x).dtype), function("floor_mod")(input_x, 4), 0
        ),
    ),
    "DataFormatVecPermute": (
        _FORMATS, lambda p, input_x: function("gather")(input_x, Tensor(_permuted(p)), 0)
    ),
    "EqualCount": (
        {}, lambda p, x, y: reshape(cast(function("equal")(x, y), as_tensor(p.name, x).dtype).sum(
            dtype=as_tensor(p.name, x).dtype), (1,))
    ),
    "FillDiagonal": ({"fill_value": REQUIRED, "wrap": False}, _fill_diagonal),
    "HammingWindow": (
        {"periodic": True, "alpha": 0.54, "beta": 0.46, "dtype": float32}, _window("hamming_window", "alpha", "beta")
    ),
    "Histogram": (
        {"bins": 100, "min": 0.0, "max": 0.0}, lambda p, x: function("histc")(x, p.bins, p.min, p.max)
    ),
    "IndexPut": (
        {"accumulate": 0}, lambda p, x1, x2, indices: function("index_put")(x1, indices, x2, bool(p.accumulate))
    ),
    "InplaceIndexAdd": (
        {"axis": REQUIRED},
        lambda p, var, indices, updates: function("inplace_index_add")(var, indices, updates, p.axis),
    ),
    "InplaceUpdateV2": ({}, lambda p, x, indices, v: function("inplace_update")(x, v, indices)),
    "ListDiff": ({"out_idx": int32}, _list_diff),
    "LogUniformCandidateSampler": (
        {"num_true": 1, "num_sampled": 5, "unique": True, "range_max": 5, "seed": 0},
        lambda p, true_classes: function("log_uniform_candidate_sampler")(
            true_classes, p.num_true, p.num_sampled, p.unique, p.range_max, p.seed
        ),
    ),
    "LogSpace": (
        {"steps": 10, "base": 10, "dtype": float32},
        lambda p, start, end: function("logspace")(start, end, p.steps, p.base, dtype=p.dtype),
    ),
    "LowerBound": ({"out_type": int32}, _bound(False)),
    "Lstsq": ({"fast": True, "l2_regularizer": 0.0}, _least_squares),
    "LuUnpack": (
        {"unpack_data": True, "unpack_pivots": True},
        lambda p, data, pivots: function("lu_unpack")(data, pivots, p.unpack_data, p.unpack_pivots),
    ),
    "MatrixTriangularSolve": ({"lower": True, "adjoint": False}, _triangular_solve),
    "Median": ({"global_median": False, "axis": 0, "keep_dims": False, "ignore_nan": False}, _median),
    "Mvlgamma": ({"p": REQUIRED}, lambda p, x: function("mvlgamma")(x, p.p)),
    "Ormqr": (
        {"left": True, "transpose": False},
        lambda p, x, tau, other: function("ormqr")(x, tau, other, p.left, p.transpose),
    ),
    "PadV3": ({"mode": "constant", "paddings_contiguous": True}, _pad_v3),
    "ParallelConcat": ({}, lambda p, values: function("concat")(values, 0)),
    "Quantile": (
        {"dim": None, "keep_dims": False, "ignore_nan": False},
        lambda p, input, q: function("nanquantile" if p.ignore_nan else "quantile")(input, q, p.dim, p.keep_dims),
    ),
    "Gamma": (
        {"seed": 0, "seed2": 0},
        lambda p, shape, alpha, beta: function("gamma")(_ints_of(shape), alpha, beta, p.seed or p.seed2),
    ),
    "RandomChoiceWithMask": (
        {"count": 256, "seed": 0, "seed2": 0},
        lambda p, input_x: function("choice_with_mask")(input_x, p.count, p.seed or p.seed2),
    ),
    "RandomGamma": (
        {"seed": 0, "seed2": 0}, lambda p, shape, alpha: function("random_gamma")(
            _ints_of(shape), alpha, p.seed or p.seed2
        )
    ),
    "RandomPoisson": (
        {"seed": 0, "seed2": 0, "dtype": int64},
        lambda p, shape, rate: function("random_poisson")(_ints_of(shape), rate, p.seed or p.seed2, p.dtype),
    ),
    "RandpermV2": (
        {"seed": 0, "offset": 0, "dtype": int64},
        lambda p, n: function("randperm")(_int_of(n), p.seed, p.offset, p.dtype),
    ),
    **{
        f"Segment{form.title()}": ({}, _segments(form)) for form in ("sum", "prod", "mean", "max", "min")
    },
    "SubAndFilter": ({}, _sub_and_filter),
    "TridiagonalMatMul": ({}, _tridiagonal),
    "TupleToArray": ({}, _tuple_to_array),
    "UniformCandidateSampler": (
        {
            "num_true": REQUIRED, "num_sampled": REQUIRED, "unique": REQUIRED, "range_max": REQUIRED, "seed": 0,
            "remove_accidental_hits": False,
        },
        lambda p, true_classes: function("uniform_candidate_sampler")(
            true_classes, p.num_true, p.num_sampled, p.unique, p.range_max, p.seed, p.remove_accidental_hits
        ),
    ),
    "UnravelIndex": ({}, _unravel_index),
    "UpperBound": ({"out_type": int32}, _bound(True)),
}  # fmt: skip

enter(_PLAIN, _ROWS)
