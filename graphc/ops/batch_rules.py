"""What the ops of the table are on all samples of a batch at once, which lie along a new first axis.

    sum(x, run=(0, 1))        sum(x, run=(1, 2))
    add(x, y)                 add(x, broadcast_to(y))          where y is the same for all samples
    matmul(x, y)              reshape(matmul(reshape(x), y))   the same: one product of more rows

`graphc.vmap` asks for them. An op without a rule, or whose rule does not know the case, is done sample by sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from graphc.dispatch import perform
from graphc.ir import TensorType
from graphc.op import TABLE, Op
from graphc.ops.coerce import broadcast
from graphc.ops.shape import reshape, squeeze, stack
from graphc.ops.views import take_range, transpose_
from graphc.tensor import Tensor

Mapped = Sequence[bool]
Rule = Callable[[Op, Sequence[Tensor], Mapped, dict[str, Any], int], Tensor | None]


def on_batch(
    op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int, type_: TensorType
) -> Tensor:
    """The results of an op on the samples of a batch, `[count, ...]`.

    Args:
        operands: those that are `mapped` have the samples along their first axis, others are the same for all.
        type_: of one sample's result.
    """
    rule = _each if "elementwise" in op.traits else RULES.get(op.name)
    result = rule(op, operands, mapped, attrs, count) if rule is not None else None
    if result is None:
        result = stack([perform(op, _sample(operands, mapped, i), attrs) for i in range(count)])
    assert result.shape == (count, *type_.shape), f"{op.name}: {result.spec} are not {count} of {type_}"
    return result


def _sample(operands: Sequence[Tensor], mapped: Mapped, i: int) -> tuple[Tensor, ...]:
    return tuple(squeeze(take_range(x, 0, i, 1), 0) if m else x for x, m in zip(operands, mapped, strict=True))


def _whole(operands: Sequence[Tensor], mapped: Mapped, count: int) -> tuple[Tensor, ...]:
    """The operands, those that are the same for all samples once for each."""
    return tuple(x if m else broadcast(x, (count, *x.shape)) for x, m in zip(operands, mapped, strict=True))


def _folded(x: Tensor) -> Tensor:
    """The samples and the axis after them as one axis."""
    return reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


def _each(op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int) -> Tensor:
    """An op that has no attributes that name axes, or counts them from the end."""
    return perform(op, _whole(operands, mapped, count), attrs)


def _with(
    change: Callable[..., dict[str, Any]],
    op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int,
) -> Tensor:  # fmt: skip
    """An op with other attributes: `change(count, **attrs)`."""
    return perform(op, _whole(operands, mapped, count), change(count, **attrs))


def _along(count: int, *, axis: int, **others: Any) -> dict[str, Any]:
    return {"axis": axis + 1, **others}


def _over(count: int, *, run: tuple[int, int]) -> dict[str, Any]:
    return {"run": (run[0] + 1, run[1] + 1)}


def _reshaped(count: int, *, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"shape": (count, *shape)}


def _permuted(count: int, *, perm: tuple[int, ...]) -> dict[str, Any]:
    return {"perm": (0, *(axis + 1 for axis in perm))}


def _sliced(count: int, *, begin: Any, shape: Any, step: Any) -> dict[str, Any]:
    return {"begin": (0, *begin), "shape": (count, *shape), "step": (1, *step)}


def _flipped(count: int, *, axes: tuple[int, ...]) -> dict[str, Any]:
    return {"axes": tuple(axis + 1 for axis in axes)}


def _woven(count: int, *, begins: Any, step: Any, shape: Any) -> dict[str, Any]:
    return {"begins": tuple((0, *begin) for begin in begins), "step": (1, *step), "shape": (count, *shape)}


def _broadcast(op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int) -> Tensor:
    (x,), shape = operands, attrs["shape"]
    missing = len(shape) - (x.ndim - 1)
    return broadcast(reshape(x, (count, *(1,) * missing, *x.shape[1:])), (count, *shape))


def _padded(op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int) -> Tensor | None:
    if not mapped[0] or mapped[1]:
        return None
    return perform(op, tuple(operands), {name: (0, *amounts) for name, amounts in attrs.items()})


def _product(op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int) -> Tensor:
    """Samples' matrices by one matrix that is the same for all are one product, of all their rows."""
    x, y = operands
    if mapped[1] or y.ndim > 2 or attrs.get("transpose_a"):
        return _each(op, operands, mapped, attrs, count)
    result = perform(op, (_folded(x), y), attrs)
    return reshape(result, (*x.shape[:2], result.shape[1]))


def _images(op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int) -> Tensor:
    """An op on tensors of images one after the other: the samples are more images."""
    images = operands[0].shape[1 if mapped[0] else 0]
    result = perform(op, tuple(map(_folded, _whole(operands, mapped, count))), attrs)
    return reshape(result, (count, images, *result.shape[1:]))


def _convolved(op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int) -> Tensor | None:
    """Images of the samples, by the same weights, are more images; by weights of their own, groups of channels."""
    x, weight = operands
    if mapped[1]:
        result = _in_groups(op, operands, mapped, attrs, count)
        return None if result is None else _apart(result, 1, count)
    result = perform(op, (_folded(x), weight), attrs)
    return reshape(result, (*x.shape[:2], *result.shape[1:]))


def _weighed(op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int) -> Tensor | None:
    """The gradients of samples' weights are those of groups of channels."""
    result = _in_groups(op, operands, mapped, attrs, count)
    return None if result is None else _apart(result, 0, count)


def _in_groups(
    op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int
) -> Tensor | None:
    """A convolution, or its gradient, of which each sample is a group of channels; None where narrow numbers would be
    multiplied in another way."""
    x, y = _whole(operands, mapped, count)
    if x.dtype.wide is not None:
        return None
    other = _folded(y) if op.name == "conv" else _side_by_side(y)
    return perform(op, (_side_by_side(x), other), {**attrs, "groups": attrs["groups"] * count})


def _side_by_side(x: Tensor) -> Tensor:
    """Samples of images `[B, N, C, ...]` as images of more channels, `[N, B * C, ...]`."""
    turned = transpose_(x, perm=(1, 0, *range(2, x.ndim)))
    return reshape(turned, (x.shape[1], x.shape[0] * x.shape[2], *x.shape[3:]))


def _apart(x: Tensor, axis: int, count: int) -> Tensor:
    """The samples, which one axis holds side by side, along the first."""
    split = reshape(x, (*x.shape[:axis], count, x.shape[axis] // count, *x.shape[axis + 1 :]))
    return transpose_(split, perm=(axis, *range(axis), *range(axis + 1, split.ndim)))


def _gathered(op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int) -> Tensor:
    axis, dims = attrs["axis"], attrs["batch_dims"]
    x, *positions = operands
    if dims == 0 and not any(mapped[1:]):
        return perform(op, tuple(operands), {**attrs, "axis": axis + 1})
    if dims == 0 and not mapped[0]:
        result = perform(op, (x, *_whole(positions, mapped[1:], count)), attrs)
        return transpose_(result, perm=(axis, *range(axis), *range(axis + 1, result.ndim)))
    return perform(op, _whole(operands, mapped, count), {**attrs, "axis": axis + 1, "batch_dims": dims + 1})


def _scattered(
    along: str, op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int
) -> Tensor:
    """Rows of one tensor, as elements along an axis: so each sample's positions are checked against its own rows."""
    x, positions, updates = _whole(operands, mapped, count)
    rest = x.shape[2:]
    places = positions.size // max(count, 1)
    wide = reshape(positions, (count, places, *(1,) * len(rest)))
    given = reshape(updates, (count, places, *rest))
    return perform(TABLE[along], (x, broadcast(wide, given.shape), given), {"axis": 1})


def _one_hot(op: Op, operands: Sequence[Tensor], mapped: Mapped, attrs: dict[str, Any], count: int) -> Tensor | None:
    if mapped[1] or mapped[2]:
        return None
    return perform(op, tuple(operands), {**attrs, "axis": attrs["axis"] + 1})


RULES: dict[str, Rule] = {
    **dict.fromkeys(("sum", "prod", "max", "min", "any", "all", "argmax", "argmin"), partial(_with, _over)),
    **dict.fromkeys(
        (
            "concat", "cumsum", "cumprod", "recur", "cumargmax", "cumargmin", "cummax", "cummin", "gather_elements",
            "scatter_elements_add", "scatter_elements_set", "resize", "resize_grad",
        ),
        partial(_with, _along),
    ),
    **dict.fromkeys(
        (
            "complex", "real", "imag", "diagonal", "argsort", "leading", "pick", "place", "inverse", "lu", "cholesky",
            "triangular_solve", "qr", "complete", "eigh", "svd",
        ),
        _each,
    ),
    **dict.fromkeys(
        ("sum_pool", "sum_pool_grad", "max_pool", "max_pool_index", "max_pool_grad", "max_pool_gather", "searchsorted"),
        _images,
    ),
    "reshape": partial(_with, _reshaped), "transpose": partial(_with, _permuted), "slice": partial(_with, _sliced),
    "flip": partial(_with, _flipped), "weave": partial(_with, _woven), "broadcast_to": _broadcast, "pad": _padded,
    "matmul": _product, "conv": _convolved, "conv_grad_weight": _weighed, "gather": _gathered, "one_hot": _one_hot,
    "scatter_add": partial(_scattered, "scatter_elements_add"),
    "scatter_set": partial(_scattered, "scatter_elements_set"),
}  # fmt: skip
"""By name; those of ops that are elementwise are known."""
