"""Tensors of few elements that are not zero: `COOTensor`, `CSRTensor` and `RowTensor`; functions `coo_*` and `csr_*`.

    x = COOTensor(Tensor([[0, 1], [1, 2]]), Tensor([1.0, 2.0]), (3, 4))
    x.to_dense()

They are tuples of ordinary tensors, so a graph holds them, and derivatives pass to the values and to what they meet.
How many elements a result has, where it depends on the operands' positions, needs the positions' values: such functions
(`coalesce`, sums of two, conversions from dense) run outside graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from graphc.dtype import DType, int32
from graphc.ops import elementwise, functions
from graphc.ops.activation import relu6, softsign
from graphc.ops.axes import as_ints, axis_of
from graphc.ops.coerce import as_dtype, as_tensor, cast
from graphc.ops.gather import gather, gather_nd, scatter_nd, tensor_scatter_add, unsorted_segment_sum
from graphc.ops.linalg import matmul
from graphc.ops.segments import unsorted_segment_max
from graphc.ops.selection import with_value
from graphc.ops.shape import concat, expand_dims, reshape, stack, transpose, unstack
from graphc.place import located, named
from graphc.tensor import Tensor

_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "abs": functions.abs, "acos": functions.acos, "acosh": functions.acosh, "asin": functions.asin,
    "asinh": functions.asinh, "atan": functions.atan, "atanh": functions.atanh, "ceil": functions.ceil,
    "cos": functions.cos, "cosh": functions.cosh, "exp": functions.exp, "expm1": functions.expm1,
    "floor": functions.floor, "inv": functions.inv, "isfinite": functions.isfinite, "isinf": functions.isinf,
    "isnan": functions.isnan, "log": functions.log, "log1p": functions.log1p, "neg": functions.neg,
    "relu": functions.relu, "relu6": relu6, "round": functions.round, "sigmoid": functions.sigmoid,
    "sin": functions.sin, "sinh": functions.sinh, "softsign": softsign, "sqrt": functions.sqrt,
    "square": functions.square, "tan": functions.tan, "tanh": functions.tanh,
}  # fmt: skip
"""Functions of each value, which are there with `coo_` and with `csr_` before their names."""

__all__ = [
    "COOTensor", "CSRTensor", "RowTensor", "coalesce", "coo_add", "coo_concat", "coo_tensor_get_dense_shape",
    "coo_tensor_get_indices", "coo_tensor_get_values", "csr_add", "csr_div", "csr_mm", "csr_mul", "csr_mv",
    "csr_reduce_sum", "csr_softmax", "csr_tensor_get_dense_shape", "csr_tensor_get_indices", "csr_tensor_get_indptr",
    "csr_tensor_get_values", "csr_to_coo", "csr_to_dense", "dense_to_sparse_coo", "dense_to_sparse_csr",
    *(f"{kind}_{name}" for kind in ("coo", "csr") for name in _FUNCTIONS),
]  # fmt: skip

Sparse = TypeVar("Sparse", bound="_Sparse")


class _Sparse(tuple[Any, ...]):
    """What all of them have: parts that are tensors, the values last of them, and the shape of the dense tensor."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]  # as of tensors: by identity

    def __new__(cls, parts: Iterable[Any]) -> Any:
        return tuple.__new__(cls, parts)

    @classmethod
    def _make(cls: type[Sparse], parts: Iterable[Any]) -> Sparse:
        """One of these parts: the tensors, then the shape."""
        made: Sparse = tuple.__new__(cls, parts)
        return made

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    @property
    def values(self) -> Tensor:
        """The elements that are held."""
        found: Tensor = self[-2]
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the dense tensor."""
        return tuple(self[-1])

    @property
    def dtype(self) -> DType:
        """The dtype of the values."""
        return self.values.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements that are held."""
        return self.values.size

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return self.values.itemsize

    def with_values(self: Sparse, values: Tensor) -> Sparse:
        """Other values at the same positions."""
        return self._make((*self[:-2], values, self[-1]))

    def astype(self: Sparse, dtype: Any) -> Sparse:
        """The values in another dtype."""
        return self.with_values(cast(self.values, as_dtype(dtype)))

    def abs(self: Sparse) -> Sparse:
        """The absolute values."""
        return self.with_values(functions.abs(self.values))

    def __neg__(self: Sparse) -> Sparse:
        return self.with_values(functions.neg(self.values))

    def to_tuple(self) -> tuple[Any, ...]:
        """The parts, and the shape."""
        return tuple(self)

    def __repr__(self) -> str:
        names = ("indptr", "indices", "values")[-len(self) + 1 :] if len(self) > 1 else ()
        parts = ", ".join(f"{name}={_shown(part)}" for name, part in zip(names, self[:-1], strict=True))
        return f"{type(self).__name__}(shape={list(self.shape)}, dtype={self.dtype}, {parts})"

    __str__ = __repr__


def _shown(part: Tensor) -> str:
    numbers = np.array2string(part.asnumpy(), formatter={"float_kind": lambda number: f"{number: .8e}"})
    return f"Tensor(shape={list(part.shape)}, dtype={part.dtype}, value={chr(10) if part.ndim > 1 else ''}{numbers})"


class COOTensor(_Sparse):
    """A tensor given by the positions and values of its elements that are not zero.

    Args:
        indices: integers `[N, axes]`, in range; positions may come several times, and then count as their sum.
        values: `[N]`.
        shape: of the dense tensor.
        coo_tensor: another one, in place of the three, for a copy.
    Raises:
        TypeError, ValueError: they are not that, or do not fit.
    """

    __slots__ = ()

    def __new__(
        cls, indices: Any = None, values: Any = None, shape: Any = None, coo_tensor: COOTensor | None = None
    ) -> COOTensor:
        if coo_tensor is not None:
            return cls._make(_copied("COOTensor", coo_tensor, cls, indices, values, shape))
        positions, elements = _parts("COOTensor", indices=indices, values=values)
        sizes = as_ints("COOTensor", shape)
        if positions.ndim != 2 or positions.shape != (*elements.shape, len(sizes)):
            got = f"{positions.spec}, {elements.spec} and {sizes}"
            raise located(ValueError(f"COOTensor: expected indices [N, axes], values [N] and a shape, got {got}"))
        return cls._make((positions, elements, sizes))

    @property
    def indices(self) -> Tensor:
        """The positions `[N, axes]`."""
        found: Tensor = self[0]
        return found

    def to_dense(self) -> Tensor:
        """The dense tensor; values of one position are added."""
        return scatter_nd(self.indices, self.values, self.shape)

    def to_csr(self) -> CSRTensor:
        """A matrix by rows; values of one position stay apart.

        Raises:
            ValueError: it is no matrix.
        """
        if self.ndim != 2:
            raise located(ValueError(f"COOTensor.to_csr: expected a matrix, got the shape {self.shape}"))
        positions = with_value("COOTensor.to_csr", self.indices)
        order = np.lexsort((positions[:, 1], positions[:, 0]))
        counts = np.bincount(positions[:, 0], minlength=self.shape[0])
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(positions.dtype)
        values = self.values if (order[1:] > order[:-1]).all() else gather(self.values, Tensor(order), 0)
        return CSRTensor(Tensor(starts), Tensor(positions[order, 1]), values, self.shape)

    def coalesce(self) -> COOTensor:
        """Each position once, in order, with the sum of its values."""
        positions = with_value("COOTensor.coalesce", self.indices)
        return _summed("COOTensor.coalesce", positions, self.values, self.shape)

    def add(self, other: COOTensor, thresh: Any) -> COOTensor:
        """The sum with another one, without the elements whose size is less than `thresh`; see `coo_add`."""
        return coo_add(self, other, thresh)

    def __add__(self, other: Any) -> Any:
        return self._plus(other, 1)

    def __sub__(self, other: Any) -> Any:
        return self._plus(other, -1)

    def _plus(self, other: Any, sign: int) -> Any:
        _check_shapes("COOTensor", self, other)
        if isinstance(other, Tensor):
            return tensor_scatter_add(other if sign > 0 else -other, self.indices, self.values)
        return coo_add(self, other if sign > 0 else -_of(COOTensor, other, "+"), 0)

    def __mul__(self, other: Any) -> COOTensor:  # type: ignore[override]  # no repetition
        return self.with_values(self.values * self._met(other))

    def __truediv__(self, other: Any) -> COOTensor:
        return self.with_values(self.values / self._met(other))

    def _met(self, other: Any) -> Tensor:
        """What stands in a dense tensor at the positions of this one."""
        _check_shapes("COOTensor", self, other)
        return gather_nd(as_tensor("COOTensor", other), self.indices)


class CSRTensor(_Sparse):
    """A matrix given row by row by the columns and values of its elements that are not zero.

    Args:
        indptr: integers `[rows + 1]`: where the elements of each row begin, and how many there are of all.
        indices: their columns, integers `[N]`.
        values: `[N]`.
        shape: (rows, columns).
        csr_tensor: another one, in place of the four, for a copy.
    Raises:
        TypeError, ValueError: they are not that, or do not fit.
    """

    __slots__ = ()

    def __new__(
        cls, indptr: Any = None, indices: Any = None, values: Any = None, shape: Any = None,
        csr_tensor: CSRTensor | None = None,
    ) -> CSRTensor:
        if csr_tensor is not None:
            return cls._make(_copied("CSRTensor", csr_tensor, cls, indptr, indices, values, shape))
        starts, columns, elements = _parts("CSRTensor", indptr=indptr, indices=indices, values=values)
        sizes = as_ints("CSRTensor", shape)
        fits = len(sizes) == 2 and starts.shape == (sizes[0] + 1,) and columns.ndim == 1
        if not fits or elements.shape[:1] != columns.shape:
            got = f"{starts.spec}, {columns.spec}, {elements.spec} and {sizes}"
            wanted = "indptr [rows + 1], indices [N], values [N] and (rows, columns)"
            raise located(ValueError(f"CSRTensor: expected {wanted}, got {got}"))
        return cls._make((starts, columns, elements, sizes))

    @property
    def indptr(self) -> Tensor:
        """Where the elements of each row begin."""
        found: Tensor = self[0]
        return found

    @property
    def indices(self) -> Tensor:
        """The columns of the elements."""
        found: Tensor = self[1]
        return found

    def rows(self) -> Tensor:
        """The rows of the elements `[N]`."""
        starts = with_value("CSRTensor", self.indptr)
        return Tensor(np.repeat(np.arange(self.shape[0]), np.diff(starts)).astype(starts.dtype))

    def to_coo(self) -> COOTensor:
        """By positions."""
        return COOTensor(stack([self.rows(), self.indices], 1), self.values, self.shape)

    def to_dense(self) -> Tensor:
        """The dense matrix."""
        return self.to_coo().to_dense()

    def mv(self, dense_vector: Any) -> Tensor:
        """The product `[rows, 1]` with a dense vector `[columns, 1]`."""
        return csr_mv(self, dense_vector)

    def mm(self, matrix: Any) -> Any:
        """The product with a dense matrix, a Tensor, or with another `CSRTensor`, which is one."""
        return csr_mm(self, matrix)

    def sum(self, axis: int) -> Tensor:
        """The sums over an axis, which stays with extent 1."""
        return csr_reduce_sum(self, axis)

    def add(self, b: CSRTensor, alpha: Any, beta: Any) -> CSRTensor:
        """`alpha * self + beta * b`; see `csr_add`."""
        return csr_add(self, b, alpha, beta)

    def __add__(self, other: Any) -> CSRTensor:  # type: ignore[override]  # no longer tuple
        _check_shapes("CSRTensor", self, other)
        return csr_add(self, other, 1, 1)

    def __sub__(self, other: Any) -> CSRTensor:
        _check_shapes("CSRTensor", self, other)
        return csr_add(self, other, 1, -1)

    def __mul__(self, other: Any) -> CSRTensor:  # type: ignore[override]  # no repetition
        return csr_mul(self, other)

    def __truediv__(self, other: Any) -> CSRTensor:
        return csr_div(self, other)


class RowTensor(_Sparse):
    """A tensor given by some of its slices along the first axis.

    Args:
        indices: integers `[N]`.
        values: `[N, ...]`.
        shape: of the dense tensor.
        row_tensor: another one, in place of the three, for a copy.
    Raises:
        TypeError, ValueError: they are not that, or do not fit.
    """

    __slots__ = ()

    def __new__(
        cls, indices: Any = None, values: Any = None, shape: Any = None, row_tensor: RowTensor | None = None
    ) -> RowTensor:
        if row_tensor is not None:
            return cls._make(_copied("RowTensor", row_tensor, cls, indices, values, shape))
        rows, slices = _parts("RowTensor", indices=indices, values=values)
        sizes = as_ints("RowTensor", shape)
        if rows.ndim != 1 or slices.shape != (*rows.shape, *sizes[1:]):
            got = f"{rows.spec}, {slices.spec} and {sizes}"
            raise located(ValueError(f"RowTensor: expected indices [N], values [N, ...] and a shape, got {got}"))
        return cls._make((rows, slices, sizes))

    @property
    def indices(self) -> Tensor:
        """Which slices they are."""
        found: Tensor = self[0]
        return found

    @property
    def dense_shape(self) -> tuple[int, ...]:
        """The shape of the dense tensor."""
        return self.shape


RowTensorInner = RowTensor  # by this name gradients of programs for MindSpore make one


def _parts(name: str, **given: Any) -> list[Tensor]:
    """The parts, of which all but the last are integers."""
    for what, part in given.items():
        if not isinstance(part, Tensor):
            raise located(TypeError(f"{name}: {what} must be a Tensor, got {type(part).__name__}"))
        if what != "values" and not part.dtype.is_int:
            raise located(TypeError(f"{name}: {what} must be integers, got {part.spec}"))
    return list(given.values())


def _copied(name: str, other: Any, kind: type[_Sparse], *given: Any) -> tuple[Any, ...]:
    if not isinstance(other, kind):
        raise located(TypeError(f"{name}: expected a {kind.__name__} to copy, got {type(other).__name__}"))
    if any(part is not None for part in given):
        raise located(ValueError(f"{name}: expected its parts or another one, got both"))
    return tuple(other)


def _check_shapes(name: str, x: Any, other: Any) -> None:
    if not hasattr(other, "shape"):
        raise located(TypeError(f"{name}: expected a tensor beside it, got {type(other).__name__}"))
    if tuple(other.shape) != x.shape:
        raise located(ValueError(f"{name}: shapes differ, {x.shape} and {tuple(other.shape)}"))


def _of(kind: type[Sparse], value: Any, name: str) -> Sparse:
    if not isinstance(value, kind):
        raise located(TypeError(f"{name}: expected a {kind.__name__}, got {type(value).__name__}"))
    return value


def _summed(name: str, positions: np.ndarray, values: Tensor, shape: Sequence[int]) -> COOTensor:
    """Each position once, in order, with the sum of its values."""
    try:
        flat = np.ravel_multi_index(tuple(positions.T), tuple(shape)) if len(positions) else positions[:, :0].sum(1)
    except ValueError:
        raise located(IndexError(f"{name}: a position is out of range for the shape {tuple(shape)}")) from None
    places, segments = np.unique(flat, return_inverse=True)
    kept = np.stack(np.unravel_index(places, tuple(shape)), 1).astype(positions.dtype)
    return COOTensor(Tensor(kept), unsorted_segment_sum(values, Tensor(segments.reshape(-1)), len(places)), shape)


def coalesce(x_indices: Any, x_values: Any, x_shape: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The parts of a sparse tensor, each position once, in order, with the sum of its values: outside of graphs.

    Args:
        x_indices: positions, integers `[ndim, N]`.
        x_values: `[N]`.
        x_shape: the shape, integers `[ndim]`.
    Returns:
        three tensors like these.
    Raises:
        ValueError: shapes that do not fit. IndexError: a position is out of range.
    """
    positions, values = as_tensor("coalesce", x_indices), as_tensor("coalesce", x_values)
    shape = as_tensor("coalesce", x_shape)
    if positions.ndim != 2 or values.shape != positions.shape[1:] or shape.shape != positions.shape[:1]:
        specs = f"{positions.spec}, {values.spec} and {shape.spec}"
        raise located(ValueError(f"coalesce: expected positions [ndim, N], values [N] and a shape [ndim], got {specs}"))
    found = _summed("coalesce", with_value("coalesce", positions).T, values, with_value("coalesce", shape).tolist())
    return found.indices.T, found.values, shape


# Functions of each value


def _named(kind: str, name: str, of: type[_Sparse]) -> Callable[[Any], Any]:
    function = _FUNCTIONS[name]

    def call(x: Any) -> Any:
        given = _of(of, x, f"{kind}_{name}")
        return given.with_values(function(given.values))

    return named(call, f"{kind}_{name}", f"`{name}` of the values of a {of.__name__}, at the same positions.")


for _name in _FUNCTIONS:
    globals()[f"coo_{_name}"] = _named("coo", _name, COOTensor)
    globals()[f"csr_{_name}"] = _named("csr", _name, CSRTensor)


# COO


def coo_add(x1: COOTensor, x2: COOTensor, thresh: Any) -> COOTensor:
    """The sum, by positions in order, without the elements whose size is less than `thresh`.

    Raises:
        TypeError: an operand is no COOTensor. ValueError: the shapes differ.
    """
    a, b = _of(COOTensor, x1, "coo_add"), _of(COOTensor, x2, "coo_add")
    _check_shapes("coo_add", a, b)
    positions = np.concatenate([with_value("coo_add", part.indices) for part in (a, b)])
    total = _summed("coo_add", positions, concat([a.values, b.values]), a.shape)
    least = float(thresh)
    if least <= 0:
        return total
    kept = np.flatnonzero(np.abs(with_value("coo_add", total.values)) >= least)
    where = Tensor(kept)
    return COOTensor(gather(total.indices, where, 0), gather(total.values, where, 0), total.shape)


def coo_concat(sp_input: Sequence[COOTensor], concat_dim: int = 0) -> COOTensor:
    """Several side by side along an axis, by positions in order.

    Raises:
        TypeError: one is no COOTensor. ValueError: there are none, or shapes do not fit.
    """
    given = [_of(COOTensor, x, "coo_concat") for x in sp_input]
    if not given:
        raise located(ValueError("coo_concat: got no tensors"))
    axis = axis_of("coo_concat", concat_dim, given[0].ndim)
    others = {(*x.shape[:axis], *x.shape[axis + 1 :]) for x in given}
    if len(others) > 1:
        raise located(ValueError(f"coo_concat: shapes do not fit along axis {axis}: {[x.shape for x in given]}"))
    moved, before = [], 0
    for x in given:
        positions = with_value("coo_concat", x.indices).copy()
        positions[:, axis] += before
        before += x.shape[axis]
        moved.append(positions)
    shape = (*given[0].shape[:axis], before, *given[0].shape[axis + 1 :])
    places = np.concatenate(moved)
    order = Tensor(np.lexsort(places.T[::-1]))
    return COOTensor(gather(Tensor(places), order, 0), gather(concat([x.values for x in given]), order, 0), shape)


def coo_tensor_get_indices(coo_tensor: COOTensor) -> Tensor:
    """Its positions."""
    return _of(COOTensor, coo_tensor, "coo_tensor_get_indices").indices


def coo_tensor_get_values(coo_tensor: COOTensor) -> Tensor:
    """Its values."""
    return _of(COOTensor, coo_tensor, "coo_tensor_get_values").values


def coo_tensor_get_dense_shape(coo_tensor: COOTensor) -> tuple[int, ...]:
    """Its shape."""
    return _of(COOTensor, coo_tensor, "coo_tensor_get_dense_shape").shape


# CSR


def csr_add(a: CSRTensor, b: CSRTensor, alpha: Any, beta: Any) -> CSRTensor:
    """`alpha * a + beta * b`, at the positions of either.

    Raises:
        TypeError: an operand is no CSRTensor. ValueError: the shapes differ.
    """
    x, y = _of(CSRTensor, a, "csr_add").to_coo(), _of(CSRTensor, b, "csr_add").to_coo()
    _check_shapes("csr_add", x, y)
    scaled = (x.with_values(x.values * alpha), y.with_values(y.values * beta))
    return coo_add(*scaled, 0).to_csr()


def csr_mul(x: CSRTensor, y: Any) -> CSRTensor:
    """The products with a dense tensor that broadcasts, at the positions of `x`."""
    sparse = _of(CSRTensor, x, "csr_mul")
    return sparse.with_values(sparse.values * _dense_at("csr_mul", sparse, y))


def csr_div(x: CSRTensor, y: Any) -> CSRTensor:
    """The quotients by a dense tensor that broadcasts, at the positions of `x`: its zeros elsewhere divide nothing."""
    sparse = _of(CSRTensor, x, "csr_div")
    return sparse.with_values(sparse.values / _dense_at("csr_div", sparse, y))


def _dense_at(name: str, x: CSRTensor, y: Any) -> Tensor:
    dense = as_tensor(name, y)
    if dense.ndim > 2 or any(n not in (1, m) for n, m in zip(dense.shape[::-1], x.shape[::-1], strict=False)):
        raise located(ValueError(f"{name}: {dense.spec} does not broadcast to {x.shape}"))
    if dense.ndim < 2:
        dense = reshape(dense, (1,) * (2 - dense.ndim) + dense.shape)
    where = [at if n > 1 else at * 0 for at, n in zip((x.rows(), x.indices), dense.shape, strict=True)]
    return gather_nd(dense, stack(where, 1))


def csr_mv(csr_tensor: CSRTensor, dense: Any) -> Tensor:
    """The product `[rows, 1]` of a matrix and a dense vector `[columns, 1]`.

    Raises:
        ValueError: the vector has another shape.
    """
    x, vector = _of(CSRTensor, csr_tensor, "csr_mv"), as_tensor("csr_mv", dense)
    if vector.shape != (x.shape[1], 1):
        raise located(ValueError(f"csr_mv: expected a vector {(x.shape[1], 1)}, got {vector.spec}"))
    return _product(x, vector)


def _product(x: CSRTensor, matrix: Tensor) -> Tensor:
    terms = expand_dims(x.values, 1) * gather(matrix, x.indices, 0)
    return unsorted_segment_sum(terms, x.rows(), x.shape[0])


def csr_mm(
    a: CSRTensor, b: Any, trans_a: bool = False, trans_b: bool = False, adjoint_a: bool = False, adjoint_b: bool = False
) -> Any:
    """The product of matrices: with a dense one a Tensor, with another CSRTensor one of those.

    Args:
        trans_a, trans_b, adjoint_a, adjoint_b: take the transposed matrix.
    Raises:
        TypeError: `a` is no CSRTensor. ValueError: the shapes do not fit.
    """
    x = _of(CSRTensor, a, "csr_mm")
    if isinstance(b, CSRTensor):
        one, two = x.to_dense(), b.to_dense()
        one = transpose(one, (1, 0)) if trans_a or adjoint_a else one
        two = transpose(two, (1, 0)) if trans_b or adjoint_b else two
        return dense_to_sparse_csr(matmul(one, two))
    matrix = as_tensor("csr_mm", b)
    matrix = transpose(matrix, (1, 0)) if trans_b or adjoint_b else matrix
    if trans_a or adjoint_a:
        swapped = x.to_coo()
        turned = gather(swapped.indices, Tensor([1, 0]), 1)
        x = COOTensor(turned, swapped.values, x.shape[::-1]).to_csr()
    if matrix.ndim != 2 or matrix.shape[0] != x.shape[1]:
        raise located(ValueError(f"csr_mm: inner dimensions differ, {x.shape} @ {matrix.spec}"))
    return _product(x, matrix)


def sparse_dense_matmul(sparse: COOTensor, dense: Any, adjoint_st: bool = False, adjoint_dt: bool = False) -> Tensor:
    """The product of a sparse and a dense matrix, either transposed first.

    Raises:
        ValueError: the shapes do not fit.
    """
    matrix = as_tensor("sparse_dense_matmul", dense)
    matrix = transpose(matrix, (1, 0)) if adjoint_dt and matrix.ndim == 2 else matrix
    across = 0 if adjoint_st else 1
    if sparse.ndim != 2 or matrix.ndim != 2 or matrix.shape[0] != sparse.shape[across]:
        got = f"{sparse.shape} and {matrix.spec}"
        raise located(ValueError(f"sparse_dense_matmul: expected matrices whose inner dimensions agree, got {got}"))
    row, column = unstack(sparse.indices, 1)[:: 1 if across else -1]
    terms = expand_dims(sparse.values, 1) * gather(matrix, column, 0)
    return unsorted_segment_sum(terms, row, sparse.shape[1 - across])


def csr_reduce_sum(csr_tensor: CSRTensor, axis: int) -> Tensor:
    """The sums over an axis, which stays with extent 1."""
    x = _of(CSRTensor, csr_tensor, "csr_reduce_sum")
    rows, columns = x.shape
    if axis_of("csr_reduce_sum", axis, 2) == 1:
        return expand_dims(unsorted_segment_sum(x.values, x.rows(), rows), 1)
    return expand_dims(unsorted_segment_sum(x.values, x.indices, columns), 0)


def csr_softmax(logits: CSRTensor, dtype: Any) -> CSRTensor:
    """The softmax of each row, over the elements that it holds, in float32 or float64."""
    x, rows = _of(CSRTensor, logits, "csr_softmax").astype(dtype), logits.rows()
    most = unsorted_segment_max(x.values, rows, x.shape[0])
    powers = functions.exp(x.values - elementwise.stop_gradient(gather(most, rows, 0)))
    total = unsorted_segment_sum(powers, rows, x.shape[0])
    return x.with_values(powers / gather(total, rows, 0))


def csr_to_coo(tensor: CSRTensor) -> COOTensor:
    """By positions."""
    return _of(CSRTensor, tensor, "csr_to_coo").to_coo()


def csr_to_dense(csr_tensor: CSRTensor) -> Tensor:
    """The dense matrix."""
    return _of(CSRTensor, csr_tensor, "csr_to_dense").to_dense()


def csr_tensor_get_indptr(csr_tensor: CSRTensor) -> Tensor:
    """Where the elements of each row begin."""
    return _of(CSRTensor, csr_tensor, "csr_tensor_get_indptr").indptr


def csr_tensor_get_indices(csr_tensor: CSRTensor) -> Tensor:
    """The columns of its elements."""
    return _of(CSRTensor, csr_tensor, "csr_tensor_get_indices").indices


def csr_tensor_get_values(csr_tensor: CSRTensor) -> Tensor:
    """Its values."""
    return _of(CSRTensor, csr_tensor, "csr_tensor_get_values").values


def csr_tensor_get_dense_shape(csr_tensor: CSRTensor) -> tuple[int, ...]:
    """Its shape."""
    return _of(CSRTensor, csr_tensor, "csr_tensor_get_dense_shape").shape


# From dense


def dense_to_sparse_coo(tensor: Any) -> COOTensor:
    """The elements of a matrix that are not zero, by int64 positions.

    Raises:
        ValueError: it has no axes.
    """
    x = as_tensor("dense_to_sparse_coo", tensor)
    if not x.ndim:
        raise located(ValueError(f"dense_to_sparse_coo: expected at least one axis, got {x.spec}"))
    positions = Tensor(np.argwhere(with_value("dense_to_sparse_coo", x)).astype(np.int64))
    return COOTensor(positions, gather_nd(x, positions), x.shape)


def dense_to_sparse_csr(tensor: Any) -> CSRTensor:
    """The elements of a matrix that are not zero, row by row, with int32 positions.

    Raises:
        ValueError: it is no matrix.
    """
    x = as_tensor("dense_to_sparse_csr", tensor)
    if x.ndim != 2:
        raise located(ValueError(f"dense_to_sparse_csr: expected a matrix, got {x.spec}"))
    found = dense_to_sparse_coo(x)
    return COOTensor(cast(found.indices, int32), found.values, x.shape).to_csr()


METHODS: dict[str, Any] = {"to_coo": dense_to_sparse_coo, "to_csr": dense_to_sparse_csr}
"""Methods of Tensor."""
