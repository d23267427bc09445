"""Matrix products: the table op `matmul`, and the functions that shape their operands for it.

`matmul` of the table multiplies matrices of equal batch dimensions; each element of its result is one chain of fused
multiply-adds over k, from +0.0. Vectors, broadcast batches, `dense`, `einsum` and the like are reshapes, transposes and
that one product.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from graphc.dtype import DType, dtype_of, part_of, sum_type
from graphc.ir import TensorType
from graphc.op import FEWEST_JOINED, MOST_TERMS, Filled, Later, define_op
from graphc.ops.axes import axis_of
from graphc.ops.coerce import as_tensor, broadcast, broadcast_shape, cast, common_dtype
from graphc.ops.elementwise import add, mul
from graphc.ops.reduce import sum_over
from graphc.ops.shape import diagonal, reshape, transpose
from graphc.ops.views import concat_, steps_along
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bidense", "bmm", "dense", "dot", "einsum", "inner", "matmul", "mm",
    "mv", "outer", "tensor_dot",
]  # fmt: skip

Axes = tuple[int, ...]


def same_dtype(name: str) -> Callable[..., tuple[Tensor, ...]]:
    """A coercion: the operands as Tensors of the one dtype they promote to, whatever their shapes; beside complex ones
    real ones stay real."""

    def coerce(*operands: Any) -> tuple[Tensor, ...]:
        tensors = tuple([o if isinstance(o, Tensor) else as_tensor(name, o) for o in operands])
        dtype = common_dtype(tensors)
        return tuple([cast(t, dtype if t.dtype.is_complex else part_of(dtype)) for t in tensors])

    return coerce


def contract(
    b: Any, extents: Axes, factors: Callable[..., Any], dtype: DType, lanes: bool = False,
    there: Callable[..., Any] | None = None,
) -> Any:
    """The sum of the products of `factors(*k)` over all k, those that are `there`; 0 where there are none."""
    return b.const(0, sum_type(dtype)) if 0 in extents else b.contract(extents, factors, lanes, there)


def _matmul_type(
    x: TensorType, y: TensorType, *, transpose_a: bool = False, transpose_b: bool = False
) -> TensorType:
    if x.dtype is not y.dtype or x.dtype.is_bool:
        raise TypeError(f"matmul: expected two tensors of one number type, got {x} and {y}")
    if x.ndim < 2 or x.ndim != y.ndim or x.shape[:-2] != y.shape[:-2]:
        raise ValueError(f"matmul: expected matrices with equal batch dimensions, got {x} @ {y}")
    (m, k), (k2, n) = x.shape[-2:], y.shape[-2:]
    if transpose_a:
        m, k = k, m
    if transpose_b:
        k2, n = n, k2
    if k != k2:
        a, b = ".T" * transpose_a, ".T" * transpose_b
        raise ValueError(f"matmul: inner dimensions differ, {x}{a} @ {y}{b} ({k} and {k2})")
    return TensorType((*x.shape[:-2], m, n), sum_type(x.dtype))


@define_op(infer=_matmul_type, coerce=same_dtype("matmul"), exact=False, traits="contraction", name="matmul")
def matmul_(x: np.ndarray, y: np.ndarray, *, transpose_a: bool = False, transpose_b: bool = False) -> np.ndarray:
    """The product of matrices, `[..., M, K] @ [..., K, N]` to `[..., M, N]`; of bfloat16 in float32.

    Args:
        x, y: tensors of one number type, with equal leading (batch) dimensions.
        transpose_a, transpose_b: read the last two dimensions of `x`, of `y`, the other way round.
    Raises:
        TypeError: the element types differ, or are bool.
        ValueError: the batch dimensions, or the two K, differ.
    """
    left = np.swapaxes(x, -1, -2) if transpose_a else x
    right = np.swapaxes(y, -1, -2) if transpose_b else y
    type_ = sum_type(dtype_of(x.dtype)).np
    return np.asarray(np.matmul(left.astype(type_, copy=False), right.astype(type_, copy=False)))


@matmul_.def_filled
def matmul_filled(
    x: TensorType, y: TensorType, *, transpose_a: bool = False, transpose_b: bool = False
) -> Filled | None:
    if x.shape[-2 if transpose_a else -1] > MOST_TERMS:
        return None
    batch = (prod(x.shape[:-2]),) if x.ndim > 2 else ()
    zeros = (-0.0, 0.0) if x.dtype.is_float else (0, 0)  # whose product makes no 0.0 of -0.0
    attrs = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    return Filled(((*batch, *x.shape[-2:]), (*batch, *y.shape[-2:])), zeros, attrs)


@matmul_.def_vjp
def matmul_vjp(
    ct: Tensor, y: Tensor, a: Tensor, b: Tensor, *, transpose_a: bool = False, transpose_b: bool = False
) -> Any:
    ct = cast(ct, a.dtype)  # exactly, where the product was rounded to the type of its factors

    def product(left: Tensor, right: Tensor, transpose_a: bool, transpose_b: bool) -> Later:
        attrs = {"transpose_a": transpose_a, "transpose_b": transpose_b}
        return Later(matmul_, (left, right), attrs, _one_product, _product_over_steps if left.ndim == 2 else None)

    return (
        product(b, ct, transpose_b, True) if transpose_a else product(ct, b, False, not transpose_b),
        product(ct, a, True, transpose_a) if transpose_b else product(a, ct, not transpose_a, False),
    )


def _one_product(parts: Sequence[Later]) -> Tensor | None:
    """The sum of products as the product of their factors side by side: the gradient of a weight used several times.

    Not where a Parameter is a factor, which would have to be copied, or where factors are much larger than the result.
    """
    if len(parts) < FEWEST_JOINED:
        return None
    attrs = parts[0].attrs
    factors = [x for part in parts for x in part.operands]
    if any(part.attrs != attrs for part in parts) or any(isinstance(x, Parameter) or x.ndim != 2 for x in factors):
        return None
    axes = (0 if attrs["transpose_a"] else 1, 1 if attrs["transpose_b"] else 0)  # along which factors are summed
    size = parts[0].operands[0].shape[1 - axes[0]] * parts[0].operands[1].shape[1 - axes[1]]
    if sum(x.size for x in factors) > LARGER_FACTORS * size * len(parts):
        return None
    left, right = (concat_(*(part.operands[n] for part in parts), axis=axis) for n, axis in enumerate(axes))
    return matmul_(left, right, **attrs)


def _product_over_steps(part: Later) -> Tensor:
    """The sum of the products of all steps as one product: factors side by side, as in `_one_product`."""
    left, right = part.operands
    axes = (0 if part.attrs["transpose_a"] else 1, 1 if part.attrs["transpose_b"] else 0)
    return matmul_(steps_along(left, axes[0]), steps_along(right, axes[1]), **part.attrs)


LARGER_FACTORS = 8
"""How many times as large as a product its factors may be to be laid side by side."""


@matmul_.def_lower
def matmul_lower(b: Any, index: Any, x: Any, y: Any, *, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    *batch, i, j = index
    depth = x.shape[-2] if transpose_a else x.shape[-1]

    def factors(k: Any) -> tuple[Any, Any]:
        left = [*batch, k, i] if transpose_a else [*batch, i, k]
        right = [*batch, j, k] if transpose_b else [*batch, k, j]
        return x(left), y(right)

    if x.dtype.is_float:
        return contract(b, (depth,), factors, x.dtype)
    return b.sum(depth, lambda k: factors(k)[0] * factors(k)[1])


def matrices(name: str, x: Tensor, y: Tensor, transpose_b: bool = False) -> Tensor:
    """The product of stacks of matrices whose batch dimensions broadcast."""
    attrs = {"transpose_b": True} if transpose_b else {}
    if y.ndim == 2 and x.ndim > 2:  # one matrix for the whole stack: its rows are the rows of one tall matrix
        flat = matmul_(reshape(x, (prod(x.shape[:-1]), x.shape[-1])), y, **attrs)
        return reshape(flat, (*x.shape[:-1], flat.shape[-1]))
    batch = broadcast_shape(name, [x.shape[:-2], y.shape[:-2]], lambda: f"{x.spec} @ {y.spec}")
    return matmul_(broadcast(x, (*batch, *x.shape[-2:])), broadcast(y, (*batch, *y.shape[-2:])), **attrs)


def matmul(input: Any, other: Any) -> Tensor:
    """The matrix product of two tensors, with NumPy's rules: `input @ other`.

    Args:
        input: `[..., M, K]`, or a vector `[K]`.
        other: `[..., K, N]`, or a vector `[K]`. Leading dimensions broadcast.
    Returns:
        `[..., M, N]`; the dimension of a vector is absent.
    Raises:
        ValueError: an operand is a scalar, or the shapes do not fit.
    """
    x, y = same_dtype("matmul")(input, other)
    if not x.shape or not y.shape:
        raise located(ValueError(f"matmul: expected at least one dimension, got {x.spec} @ {y.spec}"))
    depth, depth_y = x.shape[-1], y.shape[-2:][0]
    if depth != depth_y:  # said of the operands as they are, before they become matrices
        got = f"{x.spec} @ {y.spec} ({depth} and {depth_y})"
        raise located(ValueError(f"matmul: inner dimensions differ, {got}"))
    rows = reshape(x, (1, *x.shape)) if x.ndim == 1 else x
    columns = reshape(y, (*y.shape, 1)) if y.ndim == 1 else y
    result = matrices("matmul", rows, columns)
    shape = result.shape[:-2] + result.shape[-2:-1] * (x.ndim > 1) + result.shape[-1:] * (y.ndim > 1)
    return result if shape == result.shape else reshape(result, shape)


def _check_rank(name: str, rank: int, *tensors: Tensor) -> None:
    if any(t.ndim != rank for t in tensors):
        got = " and ".join(str(t.spec) for t in tensors)
        raise located(ValueError(f"{name}: expected tensors of {rank} dimensions, got {got}"))


def mm(input: Any, mat2: Any) -> Tensor:
    """`[M, K] @ [K, N]`: matrices only."""
    x, y = same_dtype("mm")(input, mat2)
    _check_rank("mm", 2, x, y)
    return matmul_(x, y)


def bmm(input_x: Any, mat2: Any) -> Tensor:
    """`[..., M, K] @ [..., K, N]`: matrices, or stacks of them."""
    x, y = same_dtype("bmm")(input_x, mat2)
    if x.ndim < 2 or y.ndim < 2:
        raise located(ValueError(f"bmm: expected at least 2 dimensions, got {x.spec} and {y.spec}"))
    return matrices("bmm", x, y)


def mv(mat: Any, vec: Any) -> Tensor:
    """`[M, K] @ [K]`."""
    x, y = same_dtype("mv")(mat, vec)
    _check_rank("mv", 2, x)
    _check_rank("mv", 1, y)
    return matmul(x, y)


def dense(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """`input @ weight.T + bias`, the fully connected layer.

    Args:
        input: `[..., Cin]`.
        weight: `[Cout, Cin]`, or `[Cin]`.
        bias: `[Cout]`, or a scalar, or None.
    Returns:
        `[..., Cout]`; `[...]` for a weight of one dimension.
    """
    x, w = same_dtype("dense")(input, weight)
    if not x.shape or w.ndim not in (1, 2):
        raise located(ValueError(f"dense: expected input [..., Cin] and weight [Cout, Cin], got {x.spec} and {w.spec}"))
    if w.ndim == 1:
        result = matmul(x, w)
        return result if bias is None else add(result, bias)
    if x.shape[-1] != w.shape[1]:
        raise located(
            ValueError(f"dense: input {x.spec} has {x.shape[-1]} features, weight {w.spec} takes {w.shape[1]}")
        )
    rows = x if x.ndim == 2 else reshape(x, (prod(x.shape[:-1]), x.shape[-1]))
    result = matmul_(rows, w, transpose_b=True)
    if bias is not None:
        result = add(result, bias)
    return result if x.ndim == 2 else reshape(result, (*x.shape[:-1], w.shape[0]))


def bidense(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """`input1 @ weight[k] @ input2.T + bias[k]` for each row and each k: the bilinear layer.

    Args:
        input1, input2: `[..., Cin1]` and `[..., Cin2]`.
        weight: `[Cout, Cin1, Cin2]`.
        bias: `[Cout]` or None.
    Returns:
        `[..., Cout]`.
    """
    x, y, w = same_dtype("bidense")(input1, input2, weight)
    if not x.shape or not y.shape or w.shape[1:] != (x.shape[-1], y.shape[-1]) or x.shape[:-1] != y.shape[:-1]:
        raise located(ValueError(f"bidense: {x.spec}, {y.spec} and the weight {w.spec} do not fit"))
    rows, other = reshape(x, (-1, x.shape[-1])), reshape(y, (-1, 1, y.shape[-1]))
    half = reshape(matmul_(rows, reshape(transpose(w, (1, 0, 2)), (w.shape[1], -1))), (-1, w.shape[0], w.shape[2]))
    total = sum_over(mul(half, broadcast(other, half.shape)), (2,))
    result = reshape(total, (*x.shape[:-1], w.shape[0]))
    return result if bias is None else add(result, bias)


def dot(input: Any, other: Any) -> Tensor:
    """The sum over the last dimension of `input` and the second to last (or only) one of `other`, as `np.dot`.

    Of two vectors it is a sum like others, of sixteen partial sums, and no contraction, which is one chain.
    """
    x, y = same_dtype("dot")(input, other)
    if not x.shape or not y.shape:
        return mul(x, y)
    if x.ndim == y.ndim == 1 and x.shape == y.shape:
        return sum_over(mul(x, y), (0,))
    return tensor_dot(x, y, ((x.ndim - 1,), (max(y.ndim - 2, 0),)))


def inner(input: Any, other: Any) -> Tensor:
    """The sum over the last dimension of both; of scalars, their product; of vectors as `dot`."""
    x, y = same_dtype("inner")(input, other)
    if not x.shape or not y.shape:
        return mul(x, y)
    if x.ndim == y.ndim == 1:
        return dot(x, y)
    return tensor_dot(x, y, ((x.ndim - 1,), (y.ndim - 1,)))


def outer(input: Any, vec2: Any) -> Tensor:
    """`[M]` and `[N]` to their products `[M, N]`."""
    x, y = same_dtype("outer")(input, vec2)
    _check_rank("outer", 1, x, y)
    return mul(reshape(x, (*x.shape, 1)), reshape(y, (1, *y.shape)))


def _scaled(x: Any, factor: Any) -> Any:
    return x if isinstance(factor, (int, float)) and factor == 1 else mul(x, factor)


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * (mat1 @ mat2)`, of matrices."""
    return add(_scaled(input, beta), _scaled(mm(mat1, mat2), alpha))


def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * (mat @ vec)`."""
    return add(_scaled(input, beta), _scaled(mv(mat, vec), alpha))


def addr(x: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * x + alpha * outer(vec1, vec2)`."""
    return add(_scaled(x, beta), _scaled(outer(vec1, vec2), alpha))


def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * (batch1 @ batch2)`, of stacks of matrices."""
    return add(_scaled(input, beta), _scaled(bmm(batch1, batch2), alpha))


def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * sum of (batch1 @ batch2)` over the first axis: of stacks `[B, M, K]` and `[B, K, N]`."""
    return add(_scaled(input, beta), _scaled(sum_over(bmm(batch1, batch2), (0,)), alpha))


def tensor_dot(x1: Any, x2: Any, axes: int | Sequence[Any]) -> Tensor:
    """The sum of products over the named axes of both, as `np.tensordot`.

    Args:
        x1, x2: tensors.
        axes: an int n (the last n axes of `x1` with the first n of `x2`), or a pair: axes of `x1`, axes of `x2`.
    Returns:
        The remaining axes of `x1`, then those of `x2`.
    Raises:
        ValueError: the axes are out of range, repeat, or differ in number or extent.
    """
    x, y = same_dtype("tensor_dot")(x1, x2)
    if isinstance(axes, int):
        if not 0 <= axes <= min(x.ndim, y.ndim):
            raise located(ValueError(f"tensor_dot: axes={axes} for {x.spec} and {y.spec}"))
        pair: Sequence[Axes] = (tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes)))
    else:
        if len(axes) != 2:
            raise located(ValueError(f"tensor_dot: axes must be an int or a pair of axes, got {axes!r}"))
        pair = tuple((a,) if isinstance(a, int) else tuple(a) for a in axes)
    left = tuple(axis_of("tensor_dot", a, x.ndim) for a in pair[0])
    right = tuple(axis_of("tensor_dot", a, y.ndim) for a in pair[1])
    if len(set(left)) != len(left) or len(set(right)) != len(right):
        raise located(ValueError(f"tensor_dot: an axis is named twice in {axes!r}"))
    if [x.shape[a] for a in left] != [y.shape[a] for a in right]:
        raise located(ValueError(f"tensor_dot: axes {axes!r} of {x.spec} and {y.spec} differ in extent"))
    return _contract(x, y, (), left, (), right)


def _contract(x: Tensor, y: Tensor, batch_x: Axes, sum_x: Axes, batch_y: Axes, sum_y: Axes) -> Tensor:
    """The sum of products over paired axes, for each position of the batch axes: `[*batch, *rest of x, *rest of y]`."""
    rest_x = tuple(a for a in range(x.ndim) if a not in batch_x + sum_x)
    rest_y = tuple(a for a in range(y.ndim) if a not in batch_y + sum_y)
    batch = tuple(x.shape[a] for a in batch_x)
    depth = prod(x.shape[a] for a in sum_x)
    rows, columns = tuple(x.shape[a] for a in rest_x), tuple(y.shape[a] for a in rest_y)
    lead = (prod(batch),) if batch else ()
    left = reshape(transpose(x, batch_x + rest_x + sum_x), (*lead, prod(rows), depth))
    right = reshape(transpose(y, batch_y + sum_y + rest_y), (*lead, depth, prod(columns)))
    return reshape(matmul_(left, right), batch + rows + columns)


Labels = tuple[str, ...]
"""The name of each axis: a letter, or `...0`, `...1` for those an ellipsis stands for, counted from the right."""

Term = tuple[Labels, Tensor]


def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum of products that a formula names, e.g. `einsum("bij,bjk->bik", x, y)`.

    Operands are combined from left to right, each pair as one matrix product.

    Args:
        equation: a letter for each dimension of each operand, `...` for dimensions that broadcast, then optionally `->`
            and the letters of the result (by default those that appear once, in alphabetical order). A letter that
            appears twice in one operand means its diagonal; a letter absent from the result is summed over.
        operands: tensors (or one list of them).

    In place of a formula, each operand may be followed by the list of its dimensions, numbers from 0 to 51 and `...`,
    and the last by that of the result: `einsum(x, [0, 1], y, [1, 2], [0, 2])`.

    Raises:
        ValueError: the equation does not fit the operands; the message says where.
    """
    if not isinstance(equation, str):
        equation, operands = _formula((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    tensors = same_dtype("einsum")(*operands)
    named, output = _parse(equation, tensors)
    terms = [_diagonal(equation, labels, tensor) for labels, tensor in zip(named, tensors, strict=True)]
    extents = _extents(equation, terms)
    result = _summed(terms[0], {*output, *_all_labels(t for t, _ in terms[1:])})
    for position, term in enumerate(terms[1:], 2):
        kept = {*output, *_all_labels(t for t, _ in terms[position:])}
        result = _product(result, _summed(term, {*kept, *result[0]}), kept, extents)
    labels, tensor = result
    return transpose(tensor, tuple(labels.index(label) for label in output))


def _formula(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation and the operands, of operands each followed by the numbers of its dimensions."""
    letters = string.ascii_uppercase + string.ascii_lowercase

    def word(numbers: Any) -> str:
        valid = isinstance(numbers, (list, tuple)) and all(
            n is ... or (isinstance(n, int) and not isinstance(n, bool) and 0 <= n < len(letters)) for n in numbers
        )
        if not valid:
            raise located(ValueError(f"einsum: expected a list of numbers from 0 to 51 and ..., got {numbers!r:.80}"))
        return "".join("..." if n is ... else letters[n] for n in numbers)

    pairs = len(given) // 2
    equation = ",".join(word(numbers) for numbers in given[1 : 2 * pairs : 2])
    return equation + (f"->{word(given[-1])}" if len(given) % 2 else ""), given[: 2 * pairs : 2]


def _parse(equation: str, tensors: Sequence[Tensor]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    words = left.split(",")
    letters = set(equation) - set(" ,.->")
    if len(words) != len(tensors) or not all(letter.isascii() and letter.isalpha() for letter in letters):
        raise located(ValueError(f"einsum: {equation!r} does not name {len(tensors)} operands by letters"))
    terms = [_labels(equation, word, tensor.ndim) for word, tensor in zip(words, tensors, strict=True)]
    dots = max((term for term in ([x for x in t if x[0] == "."] for t in terms)), key=len, default=[])
    if not arrow:
        named = [x for term in terms for x in term if x[0] != "."]
        return terms, (*dots, *sorted(x for x in set(named) if named.count(x) == 1))
    output = _labels(equation, right, len(right.replace("...", "")) + ("..." in right) * len(dots))
    if len(set(output)) != len(output) or not set(output) <= set(_all_labels(terms)):
        raise located(ValueError(f"einsum: the result of {equation!r} repeats a label, or has one that no operand has"))
    return terms, output


def _labels(equation: str, word: str, ndim: int) -> Labels:
    """The labels that `word` gives to the axes of an operand of `ndim` dimensions."""
    before, dots, after = word.partition("...")
    hidden = ndim - len(before) - len(after)
    if "." in before + after or hidden < 0 or (hidden and not dots):
        raise located(ValueError(f"einsum: {word!r} in {equation!r} does not fit {ndim} dimensions"))
    return (*before, *(f"...{i}" for i in reversed(range(hidden))), *after)


def _all_labels(terms: Iterable[Labels]) -> Labels:
    return tuple(label for labels in terms for label in labels)


def _extents(equation: str, terms: Sequence[Term]) -> dict[str, int]:
    """The extent of every label; operands of extent 1 broadcast."""
    extents: dict[str, int] = {}
    for labels, tensor in terms:
        for label, extent in zip(labels, tensor.shape, strict=True):
            known = extents.setdefault(label, extent)
            if 1 not in (known, extent) and known != extent:
                raise located(ValueError(f"einsum: {label} is {known} and {extent} in {equation!r}"))
            extents[label] = extent if known == 1 else known
    return extents


def _diagonal(equation: str, labels: Labels, tensor: Tensor) -> Term:
    """The operand with each label once: two axes of one label become their diagonal, at the end."""
    for label in dict.fromkeys(x for x in labels if labels.count(x) > 1):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if tensor.shape[first] != tensor.shape[second]:
                raise located(
                    ValueError(f"einsum: the diagonal {label} of {tensor.spec} in {equation!r} is not of a square")
                )
            tensor = diagonal(tensor, 0, first, second)
            labels = (*(n for a, n in enumerate(labels) if a not in (first, second)), label)
    return labels, tensor


def _summed(term: Term, kept: set[str]) -> Term:
    """The operand summed over the labels that nothing else needs."""
    labels, tensor = term
    axes = tuple(a for a, label in enumerate(labels) if label not in kept)
    if not axes:
        return term
    return tuple(label for label in labels if label in kept), sum_over(tensor, axes)


def _product(x_term: Term, y_term: Term, kept: set[str], extents: dict[str, int]) -> Term:
    """The product of two operands, summed over the labels they share and nothing else needs."""
    (x_labels, x), (y_labels, y) = x_term, y_term
    shared = [label for label in x_labels if label in y_labels]
    x = broadcast(x, tuple(extents[label] for label in x_labels))
    y = broadcast(y, tuple(extents[label] for label in y_labels))
    batch = [label for label in shared if label in kept]
    sums = [label for label in shared if label not in kept]
    labels = (*batch, *(n for n in x_labels if n not in shared), *(n for n in y_labels if n not in shared))
    if sums:
        axes = [tuple(names.index(n) for n in which) for names in (x_labels, y_labels) for which in (batch, sums)]
        return labels, _contract(x, y, *axes)
    return labels, mul(_spread(x_labels, x, labels), _spread(y_labels, y, labels))


def _spread(own: Labels, tensor: Tensor, labels: Labels) -> Tensor:
    """The operand with its axes in the order of `labels`, and axes of extent 1 for those it lacks."""
    ordered = transpose(tensor, tuple(own.index(label) for label in labels if label in own))
    extents = iter(ordered.shape)
    return reshape(ordered, tuple(next(extents) if label in own else 1 for label in labels))
