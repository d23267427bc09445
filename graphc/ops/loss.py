"""Losses: functions of predictions and targets, reduced to their mean or sum, or not at all.

They are written with the other ops. What chooses the class that a label names is a pair of table ops, each the
transpose of the other: `pick` reads one element of each row, checking the label; `place` puts it back among zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.dtype import int64
from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.coerce import as_float, as_tensor, broadcast, cast, widely
from graphc.ops.complex_parts import squares
from graphc.ops.composite import cosine_similarity, log_softmax, shifted
from graphc.ops.creation import iota
from graphc.ops.elementwise import (
    abs_,
    equal,
    exp,
    greater,
    less,
    log,
    logical_and,
    logical_not,
    maximum,
    minimum,
    not_equal,
    relu,
    select,
    square,
    stop_gradient,
)
from graphc.ops.elementwise import softplus as softplus_
from graphc.ops.gather import check_positions, gather_, gather_elements
from graphc.ops.reduce import any as any_of
from graphc.ops.reduce import norm, sum_over
from graphc.ops.scan import cumsum
from graphc.ops.shape import expand_dims, moveaxis, reshape
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy",
    "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "smooth_l1_loss",
    "soft_margin_loss", "softmax_cross_entropy_with_logits", "triplet_margin_loss",
]  # fmt: skip


def _pick_type(x: TensorType, index: TensorType, *, name: str) -> TensorType:
    if not index.dtype.is_int:
        raise TypeError(f"{name}: expected integer labels, got {index}")
    if not x.ndim or index.shape != x.shape[:-1]:
        raise ValueError(f"{name}: expected one label for each row of {x}, got {index}")
    return TensorType(index.shape, x.dtype)


@define_op(infer=_pick_type, traits="checks")
def pick(x: np.ndarray, index: np.ndarray, *, name: str = "pick") -> np.ndarray:
    """From each row the element that the label names: `x[..., index]`.

    Args:
        x: `[..., C]`.
        index: integers `[...]`.
        name: of the loss in whose place it checks them.
    Returns:
        `[...]`, the dtype of `x`.
    Raises:
        IndexError: a label lies outside [0, C).
    """
    check_positions(name, index, x.shape[-1], "label")
    return np.take_along_axis(x, index[..., None].astype(np.int64), -1)[..., 0]


@pick.def_vjp
def pick_vjp(ct: Tensor, y: Tensor, x: Tensor, index: Tensor, *, name: str) -> Any:
    return place(ct, index, extent=x.shape[-1]), None


@pick.def_lower
def pick_lower(b: Any, at: Any, x: Any, index: Any, *, name: str) -> Any:
    return x([*at, b.gathered(index, at, x.shape[-1], "label")])


def _place_type(x: TensorType, index: TensorType, *, extent: int) -> TensorType:
    if not index.dtype.is_int:
        raise TypeError(f"place: expected integer labels, got {index}")
    if index.shape != x.shape:
        raise ValueError(f"place: expected one label for each element of {x}, got {index}")
    return TensorType((*x.shape, extent), x.dtype)


@define_op(infer=_place_type)
def place(x: np.ndarray, index: np.ndarray, *, extent: int) -> np.ndarray:
    """Rows of `extent` zeros, with each element where its label says; a label out of range names no place.

    Args:
        x: `[...]`.
        index: integers `[...]`.
    Returns:
        `[..., extent]`, the dtype of `x`.
    """
    return np.where(np.arange(extent) == index[..., None], x[..., None], x.dtype.type(0))


@place.def_vjp
def place_vjp(ct: Tensor, y: Tensor, x: Tensor, index: Tensor, *, extent: int) -> Any:
    return pick(ct, index), None


@place.def_lower
def place_lower(b: Any, at: Any, x: Any, index: Any, *, extent: int) -> Any:
    *row, column = at
    here = b.fn("eq", b.cast(index(row), int64), b.position(column))
    return b.select(here, x(row), b.const(0, x.dtype))


def _reduced(name: str, loss: Tensor, reduction: str) -> Tensor:
    """The losses' mean, their sum, or themselves."""
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise located(ValueError(f"{name}: reduction must be 'none', 'mean' or 'sum', got {reduction!r}"))
    total = sum_over(loss, tuple(range(loss.ndim)))
    return total / loss.size if reduction == "mean" else total


# Classes


def _class_axis(name: str, scores: Tensor) -> int:
    """The axis of the classes in scores `[C]`, `[N, C]` or `[N, C, *D]`."""
    if not scores.ndim:
        raise located(ValueError(f"{name}: expected [C], [N, C] or [N, C, *D], got {scores.spec}"))
    return min(scores.ndim - 1, 1)


def _class_last(name: str, scores: Tensor) -> Tensor:
    """Scores with the classes as the last axis."""
    return moveaxis(scores, _class_axis(name, scores), -1) if scores.ndim > 2 else scores


@widely
def cross_entropy(
    input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross-entropy between logits and the classes (or class probabilities) they should predict.

    Args:
        input: logits `[C]`, `[N, C]` or `[N, C, *D]`.
        target: integer labels `[]`, `[N]` or `[N, *D]`; or probabilities of the shape of `input`, in floats.
        weight: a weight for each class, `[C]`.
        ignore_index: a label whose elements count as nothing (labels only).
        reduction: `"mean"` (over the weights of the labels that count), `"sum"` or `"none"`.
        label_smoothing: the part, 0 to 1, of the target that is spread evenly over all classes.
    Raises:
        ValueError: shapes or arguments that do not fit.
        IndexError: a label that is neither in [0, C) nor `ignore_index`.
    """
    name = "cross_entropy"
    scores, target = as_float(name, input), as_tensor(name, target)
    axis = _class_axis(name, scores)
    if target.dtype.is_float:
        if target.shape != scores.shape:
            labels = tuple(n for d, n in enumerate(scores.shape) if d != axis)
            raise located(ValueError(
                f"{name}: expected integer labels of shape {labels} or probabilities of shape {scores.shape}, "
                f"got {target.spec}"
            ))  # fmt: skip
        return _reduced(name, _of_probabilities(name, scores, target, weight, label_smoothing, axis), reduction)
    z = shifted(scores, (axis,))  # where the classes lie: neighbours in memory stay neighbours
    log_sum, rows = log(sum_over(exp(z), (axis,))), _class_last(name, z)
    return _of_labels(
        name, lambda index: log_sum - pick(rows, index, name=name), lambda: rows - expand_dims(log_sum, -1), rows,
        target, weight, ignore_index, reduction, label_smoothing,
    )  # fmt: skip


@widely
def nll_loss(
    inputs: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The negative log-likelihood of labels under log-probabilities: `cross_entropy` without its softmax.

    Args and errors: those of `cross_entropy`, with log-probabilities for logits, and labels only.
    """
    name = "nll_loss"
    rows = _class_last(name, as_float(name, inputs))
    return _of_labels(
        name, lambda index: -pick(rows, index, name=name), lambda: rows, rows, as_tensor(name, target), weight,
        ignore_index, reduction, label_smoothing,
    )  # fmt: skip


def _smoothing(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise located(ValueError(f"{name}: label_smoothing must be in [0, 1], got {value!r}"))
    return value


def _class_weights(name: str, weight: Any, rows: Tensor) -> Tensor | None:
    """The weights repeated for every row."""
    if weight is None:
        return None
    weights = cast(as_tensor(name, weight), rows.dtype)
    if weights.shape != rows.shape[-1:]:
        raise located(ValueError(f"{name}: expected a weight for each of {rows.shape[-1]} classes, got {weights.spec}"))
    return broadcast(weights, rows.shape)


def _of_probabilities(
    name: str, scores: Tensor, target: Tensor, weight: Any, smoothing: float, axis: int
) -> Tensor:
    if _smoothing(name, smoothing):
        target = target * (1 - smoothing) + smoothing / scores.shape[axis]
    weights = _class_weights(name, weight, _class_last(name, scores))
    if weights is not None:
        target = target * moveaxis(weights, -1, axis)
    return -sum_over(log_softmax(scores, axis) * target, (axis,))


def _of_labels(
    name: str, nll: Callable[[Tensor], Tensor], log_p: Callable[[], Tensor], rows: Tensor, target: Tensor, weight: Any,
    ignore_index: int, reduction: str, smoothing: float,
) -> Tensor:
    """The loss of labels, given the negative log-likelihood of each and (for smoothing) all log-probabilities."""
    if not target.dtype.is_int:
        raise located(TypeError(f"{name}: expected integer labels, got {target.spec}"))
    if target.shape != rows.shape[:-1]:
        raise located(ValueError(f"{name}: expected labels of shape {rows.shape[:-1]}, got {target.spec}"))
    counts = not_equal(target, ignore_index)
    index = select(counts, target, 0)  # what is ignored is not checked either
    loss = nll(index)
    weights = _class_weights(name, weight, rows)
    own = None if weights is None else pick(weights, index, name=name)
    loss = loss if own is None else loss * own
    if _smoothing(name, smoothing):
        even = log_p() if weights is None else log_p() * weights
        loss = loss * (1 - smoothing) - sum_over(even, (rows.ndim - 1,)) * (smoothing / rows.shape[-1])
    loss = select(counts, loss, 0)
    if reduction != "mean":
        return _reduced(name, loss, reduction)
    share = cast(counts, loss.dtype) if own is None else select(counts, own, 0)
    axes = tuple(range(loss.ndim))
    return sum_over(loss, axes) / sum_over(share, axes)


@widely
def softmax_cross_entropy_with_logits(logits: Any, labels: Any) -> Tensor:
    """The cross-entropy of each row: `[N]` from logits and class probabilities `[N, C]`."""
    return cross_entropy(logits, as_float("softmax_cross_entropy_with_logits", labels), reduction="none")


# Distances


def _difference(name: str, x: Any, y: Any) -> Tensor:
    return as_float(name, x) - as_float(name, y)


@widely
def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """The square of the difference.

    Args:
        input, target: numbers of any shapes that broadcast.
        reduction: `"mean"`, `"sum"`, or `"none"` for the loss of each element.
    Returns:
        A float scalar; with `"none"` the shape that both broadcast to.
    Raises:
        ValueError: the shapes do not broadcast, or there is no such reduction.
    """
    return _reduced("mse_loss", squares(_difference("mse_loss", input, target)), reduction)


@widely
def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """The absolute difference; see `mse_loss`."""
    return _reduced("l1_loss", abs_(_difference("l1_loss", input, target)), reduction)


@widely
def smooth_l1_loss(input: Any, target: Any, beta: float = 1.0, reduction: str = "none") -> Tensor:
    """`d * d / (2 * beta)` where the absolute difference d is below `beta`, elsewhere `d - beta / 2`.

    Args:
        beta: a number >= 0.
        input, target, reduction: as in `mse_loss`, but the reduction is `"none"` by default.
    Raises:
        ValueError: `beta` is negative; as in `mse_loss`.
    """
    if beta < 0:
        raise located(ValueError(f"smooth_l1_loss: beta must be >= 0, got {beta!r}"))
    d = abs_(_difference("smooth_l1_loss", input, target))
    loss = d if beta == 0 else select(less(d, beta), square(d) * (0.5 / beta), d - 0.5 * beta)
    return _reduced("smooth_l1_loss", loss, reduction)


@widely
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """`d * d / 2` where the absolute difference d is at most `delta`, elsewhere `delta * (d - delta / 2)`.

    Args:
        input, target, reduction: as in `mse_loss`.
        delta: a number > 0.
    Raises:
        ValueError: `delta` is not positive; as in `mse_loss`.
    """
    if delta <= 0:
        raise located(ValueError(f"huber_loss: delta must be > 0, got {delta!r}"))
    d = abs_(_difference("huber_loss", input, target))
    loss = select(greater(d, delta), (d - 0.5 * delta) * delta, square(d) * 0.5)
    return _reduced("huber_loss", loss, reduction)


@widely
def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """`1 - cos` of the vectors along axis 1 where the target is 1, `max(0, cos - margin)` where it is -1.

    Args:
        input1, input2: `[N, D, *S]`.
        target: `[N, *S]` of 1 and -1; where it is something else the loss is 0.
        margin: a number.
        reduction: as in `mse_loss`; the losses are `[N, *S]`.
    """
    cosine = cosine_similarity(input1, input2, dim=1)
    target = as_tensor("cosine_embedding_loss", target)
    loss = select(equal(target, 1), 1.0 - cosine, select(equal(target, -1), relu(cosine - margin), 0.0))
    return _reduced("cosine_embedding_loss", loss, reduction)


@widely
def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """`max(0, -target * (input1 - input2) + margin)`; the target 1 wants input1 above input2, -1 below.

    Args:
        input1, input2, target: numbers of shapes that broadcast.
        margin: by how much it should be above or below.
        reduction: as in `mse_loss`.
    """
    difference = _difference("margin_ranking_loss", input1, input2)
    return _reduced("margin_ranking_loss", relu(margin - difference * target), reduction)


@widely
def hinge_embedding_loss(inputs: Any, targets: Any, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """The distance itself where the target is 1, `max(0, margin - distance)` where it is -1.

    Args:
        inputs: distances, of any shape.
        targets: 1 and -1, of a shape that broadcasts with it.
        margin: a number.
        reduction: as in `mse_loss`.
    """
    x = as_float("hinge_embedding_loss", inputs)
    loss = select(equal(as_tensor("hinge_embedding_loss", targets), 1), x, relu(margin - x))
    return _reduced("hinge_embedding_loss", loss, reduction)


@widely
def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """`log(1 + exp(-target * input))` for targets 1 and -1."""
    loss = softplus_(-(as_float("soft_margin_loss", input) * target))
    return _reduced("soft_margin_loss", loss, reduction)


@widely
def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """The mean over the other classes of `max(0, margin - score of the label + score)^p`.

    Args:
        input: scores `[N, C]`.
        target: labels `[N]`, integers in [0, C).
        p: 1 or 2.
        weight: a weight for each label's class, `[C]`.
    """
    name = "multi_margin_loss"
    x, labels = as_float(name, input), as_tensor(name, target)
    if x.ndim != 2 or labels.shape != x.shape[:1] or p not in (1, 2):
        raise located(ValueError(f"{name}: expected [N, C], [N] and p 1 or 2, got {x.spec}, {labels.spec} and {p!r}"))
    column = expand_dims(labels, 1)
    own = gather_elements(x, 1, column)
    loss = relu(x - own + margin)
    loss = loss if p == 1 else square(loss)
    if weight is not None:
        loss = loss * gather_(as_float(name, weight), column, axis=0)
    classes = iota(shape=x.shape, axis=1, dtype=int64)
    loss = select(equal(classes, column), 0.0, loss)
    return _reduced(name, sum_over(loss, (1,)) / x.shape[1], reduction)


@widely
def multilabel_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """The sums over labels and other classes of `max(0, 1 - score of the label + score)`, divided by C.

    Args:
        input: scores `[N, C]` or `[C]`.
        target: integers like `input`: labels in [0, C), those of a sample before the first -1.
    """
    name = "multilabel_margin_loss"
    x, labels = as_float(name, input), as_tensor(name, target)
    if x.ndim not in (1, 2) or labels.shape != x.shape or not labels.dtype.is_int:
        raise located(ValueError(f"{name}: expected scores and labels [N, C], got {x.spec} and {labels.spec}"))
    rows, own = reshape(x, (-1, x.shape[-1])), reshape(labels, (-1, x.shape[-1]))
    counts = equal(cumsum(cast(less(own, 0), int64), 1), 0)  # before the first that is below 0
    own = select(counts, own, 0)
    classes = iota(shape=(1, 1, rows.shape[1]), axis=2, dtype=own.dtype)
    is_label = any_of(logical_and(equal(expand_dims(own, 2), classes), expand_dims(counts, 2)), 1)
    pair = relu(1.0 - expand_dims(gather_elements(rows, 1, own), 2) + expand_dims(rows, 1))
    kept = logical_and(expand_dims(counts, 2), logical_not(expand_dims(is_label, 1)))
    loss = sum_over(select(kept, pair, 0.0), (1, 2)) / rows.shape[1]
    return _reduced(name, reshape(loss, x.shape[:-1]), reduction)


@widely
def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """The mean over the classes of the binary cross-entropies of logits `[N, C]` and targets of 0 and 1 `[N, C]`.

    Args:
        weight: a weight for each class, `[C]`.
    """
    name = "multilabel_soft_margin_loss"
    x, y = as_float(name, input), as_float(name, target)
    loss = softplus_(x) - x * y
    loss = loss if weight is None else loss * weight
    return _reduced(name, sum_over(loss, (loss.ndim - 1,)) / loss.shape[-1], reduction)


@widely
def triplet_margin_loss(
    anchor: Any, positive: Any, negative: Any, margin: Any = 1.0, p: float = 2, eps: float = 1e-6, swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`max(0, distance(anchor, positive) - distance(anchor, negative) + margin)` of vectors along the last axis.

    Args:
        p: the norm of the distance.
        eps: added to every difference, so that equal vectors have a derivative.
        swap: the negative's distance to the nearer of anchor and positive counts (Balntas et al. 2016).
    """

    def distance(x: Any, y: Any) -> Tensor:
        return norm(_difference("triplet_margin_loss", x, y) + eps, p, -1)

    far = distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return _reduced("triplet_margin_loss", relu(distance(anchor, positive) - far + margin), reduction)


# Probabilities


@widely
def binary_cross_entropy(logits: Any, labels: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """`-(y * log(p) + (1 - y) * log(1 - p))` of probabilities p and labels y, both in [0, 1].

    Args:
        logits: the probabilities (MindSpore's name for them).
        labels: of the same shape.
        weight: multiplies every loss; broadcasts.
    Arguments of the logarithms are at least 1e-12, so the loss is finite; the slope stays what it is there, so that a
    probability that is all wrong is corrected.
    """
    p, y = as_float("binary_cross_entropy", logits), as_tensor("binary_cross_entropy", labels)
    loss = -(y * _log_of_probability(p) + (1.0 - y) * _log_of_probability(1.0 - p))
    return _reduced("binary_cross_entropy", loss if weight is None else loss * weight, reduction)


def _log_of_probability(p: Tensor) -> Tensor:
    return log(p + stop_gradient(maximum(p, 1e-12) - p))


@widely
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """`binary_cross_entropy(sigmoid(x), y)`, without overflow or loss of precision.

    Args:
        input: logits x.
        target: labels y in [0, 1], of the same shape.
        weight: multiplies every loss; broadcasts.
        pos_weight: multiplies the losses of positive labels; broadcasts.
    """
    x, y = as_float("binary_cross_entropy_with_logits", input), as_tensor("binary_cross_entropy_with_logits", target)
    positive = x >= 0.0
    # -log(sigmoid(x)) is max(-x, 0) + log(1 + exp(-|x|)): each part with its slope from the right at 0, and the first
    # added to the linear part before the second, which is small where they cancel
    first, second = select(positive, 0.0, -x), softplus_(select(positive, -x, x))
    if pos_weight is not None:
        scale = (as_tensor("pos_weight", pos_weight) - 1.0) * y + 1.0
        first, second = first * scale, second * scale
    loss = (1.0 - y) * x + first + second
    loss = loss if weight is None else loss * weight
    return _reduced("binary_cross_entropy_with_logits", loss, reduction)


@widely
def kl_div(logits: Any, labels: Any, reduction: str = "mean") -> Tensor:
    """The Kullback-Leibler divergence of the distribution `labels` from the one of log-probabilities `logits`.

    Args:
        reduction: also `"batchmean"`, the sum divided by the first extent.
    """
    q, p = as_float("kl_div", logits), as_float("kl_div", labels)
    some = greater(p, 0.0)
    loss = select(some, p * (log(select(some, p, 1.0)) - q), 0.0)
    if reduction == "batchmean":
        return _reduced("kl_div", loss, "sum") / loss.shape[0]
    return _reduced("kl_div", loss, reduction)


@widely
def gaussian_nll_loss(
    x: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """`(log(var) + (x - target)^2 / var) / 2`, the negative log-likelihood of a normal distribution.

    Args:
        var: the variance; at least `eps` of it counts (a constant to differentiation below that).
        full: adds the constant `log(2 * pi) / 2`.
    """
    variance = as_float("gaussian_nll_loss", var)
    variance = variance + stop_gradient(relu(eps - variance))
    loss = (log(variance) + square(_difference("gaussian_nll_loss", x, target)) / variance) * 0.5
    return _reduced("gaussian_nll_loss", loss + 0.5 * float(np.log(2 * np.pi)) if full else loss, reduction)
