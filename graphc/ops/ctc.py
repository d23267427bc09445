"""Connectionist temporal classification: the loss of a sequence of labels of which only the order is known.

The sum over all alignments is taken forward in time (Graves et al. 2006, eq. 6 to 8), in logarithms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ops.coerce import as_tensor, full_like
from graphc.ops.creation import iota
from graphc.ops.elementwise import (
    cast,
    exp,
    greater,
    greater_equal,
    less,
    log,
    logical_and,
    maximum,
    mul,
    not_equal,
    select,
    stop_gradient,
)
from graphc.ops.gather import gather_elements
from graphc.ops.reduce import sum_over
from graphc.ops.shape import broadcast_to, concat, expand_dims, reshape, stack
from graphc.ops.views import take_range
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["ctc_greedy_decoder", "ctc_loss"]

IMPOSSIBLE = -1e30
"""The logarithm of probability 0: finite, so that differences of two are numbers."""


def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean",
    zero_infinity: bool = False,
) -> tuple[Tensor, Tensor]:
    """The negative logarithm of the probability of label sequences under log-probabilities for each time step.

    Args:
        log_probs: float `[T, N, C]`, log-softmaxed over the classes; or `[T, C]` of one sequence, without any N.
        targets: integer `[N, S]`, the labels of each sequence, without blanks; what is beyond its length is not read.
        input_lengths: how many time steps each sequence has: integers `[N]`, at most T.
        target_lengths: how many labels each sequence has: integers `[N]`, at most S.
        blank: the class that stands for no label.
        reduction: `"none"`, `"sum"`, or `"mean"`: each loss divided by its number of labels, then averaged.
        zero_infinity: losses that are infinite, where the labels do not fit into the time steps, and their gradients
            become 0.
    Returns:
        The loss, and the logarithms of the forward variables, `[N, T, 2 * S + 1]`.
    Raises:
        TypeError: `log_probs` are no floats, or the others no integers.
        ValueError: shapes that do not fit, a class that is none, an unknown reduction.
        IndexError: when it runs, a label that is no class.
    """
    alone, x, labels, steps, count = _sequences(log_probs, targets, input_lengths, target_lengths)
    if isinstance(blank, bool) or not isinstance(blank, int) or not 0 <= blank < x.shape[2]:
        raise located(ValueError(f"ctc_loss: blank must be in [0, {x.shape[2]}), got {blank!r}"))
    if reduction not in ("mean", "sum", "none"):
        raise located(ValueError(f"ctc_loss: reduction must be 'mean', 'sum' or 'none', got {reduction!r}"))
    n, length = labels.shape[0], 2 * labels.shape[1] + 1
    place = iota(shape=(n, length), axis=1, dtype=count.dtype)
    ends = mul(broadcast_to(expand_dims(count, 1), (n, length)), 2)
    classes, skips = _with_blanks(labels, blank, place, ends)
    alphas = _forward_variables(x, steps, classes, skips, logical_and(less(place, 2), greater_equal(ends, place)))
    at_end = logical_and(greater_equal(place, ends - 1), greater_equal(ends, place))
    last = select(at_end, alphas[-1], full_like(alphas[-1], IMPOSSIBLE))
    losses = -reshape(_log_sum([take_range(last, 1, s, 1) for s in range(length)]), (n,))
    impossible = greater(losses, -IMPOSSIBLE / 2)
    losses = select(impossible, 0.0 if zero_infinity else float(np.inf), losses)
    forward = stack(alphas, 1)
    forward = select(less(forward, IMPOSSIBLE / 2), float(-np.inf), forward)
    if alone:
        losses, forward = reshape(losses, ()), reshape(forward, forward.shape[1:])
    if reduction == "none":
        return losses, forward
    if reduction == "sum":
        return sum_over(losses, (0,)), forward
    return sum_over(losses / cast(maximum(count, 1), losses.dtype), (0,)) / n, forward


def _sequences(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any
) -> tuple[bool, Tensor, Tensor, Tensor, Tensor]:
    """Whether there is one sequence without an axis N; and the operands, with that axis."""
    x, labels, steps, count = (as_tensor("ctc_loss", o) for o in (log_probs, targets, input_lengths, target_lengths))
    got = f"got {x.spec}, {labels.spec}, {steps.spec}, {count.spec}"
    if not x.dtype.is_float or any(not t.dtype.is_int for t in (labels, steps, count)):
        raise located(TypeError(f"ctc_loss: expected floats, then integers, {got}"))
    alone = x.ndim == 2
    if alone:
        x, labels = expand_dims(x, 1), reshape(labels, (1, -1))
        steps, count = reshape(steps, (-1,)), reshape(count, (-1,))
    n = labels.shape[:1]
    if x.ndim != 3 or labels.ndim != 2 or not x.shape[0] or not x.shape[1:2] == n == steps.shape == count.shape:
        raise located(ValueError(f"ctc_loss: expected [T, N, C], [N, S], [N] and [N], {got}"))
    return alone, x, labels, steps, count


def _forward_variables(x: Tensor, steps: Tensor, classes: Tensor, skips: Tensor, starts: Tensor) -> list[Tensor]:
    """For each time step the logarithms of the probabilities `[N, 2 * S + 1]` to be in each class by then.

    Args:
        classes: with blanks; `skips`: where the blank before one may be left out; `starts`: where a sequence may begin.
    """
    row = classes.shape
    of_steps = gather_elements(x, 2, broadcast_to(expand_dims(classes, 0), (x.shape[0], *row)))
    scores = [reshape(take_range(of_steps, 0, t, 1), row) for t in range(x.shape[0])]
    never = full_like(scores[0], IMPOSSIBLE)
    alpha = select(starts, scores[0], never)
    alphas = [alpha]
    for t in range(1, x.shape[0]):
        before = [alpha]
        if row[1] > 1:
            before += [_shifted(alpha, 1), select(skips, _shifted(alpha, 2), never)]
        running = broadcast_to(expand_dims(greater(steps, t), 1), row)
        alpha = select(running, _log_sum(before) + scores[t], alpha)
        alphas.append(alpha)
    return alphas


def _with_blanks(labels: Tensor, blank: int, place: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """The classes with blanks around each label, `[N, 2 * S + 1]`; where the blank before a label may be left out."""
    n, count = labels.shape
    empty = full_like(labels, blank)
    pairs = reshape(stack([empty, labels], 2), (n, 2 * count))
    closing = broadcast_to(as_tensor("ctc_loss", np.full((1, 1), blank, labels.dtype.np)), (n, 1))
    classes = concat([pairs, closing], 1)
    classes = select(less(place, ends), classes, full_like(classes, blank))  # padding may be no class
    if not count:
        return classes, less(place, 0)
    earlier = concat([full_like(take_range(classes, 1, 0, 2), blank), take_range(classes, 1, 0, 2 * count - 1)], 1)
    return classes, logical_and(not_equal(classes, blank), not_equal(classes, earlier))


def _shifted(alpha: Tensor, by: int) -> Tensor:
    """Each variable's neighbour `by` places before it."""
    width = alpha.shape[1]
    return concat([full_like(take_range(alpha, 1, 0, by), IMPOSSIBLE), take_range(alpha, 1, 0, width - by)], 1)


def _log_sum(terms: list[Tensor]) -> Tensor:
    """`log(sum(exp(term)))`, element by element."""
    top = terms[0]
    for term in terms[1:]:
        top = maximum(top, term)
    top = stop_gradient(top)
    total = exp(terms[0] - top)
    for term in terms[1:]:
        total = total + exp(term - top)
    return log(total) + top


def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The likeliest class of every step, without blanks (the last class): outside of graphs.

    Args:
        inputs: float `[T, N, C]`.
        sequence_length: `[N]`, how many steps of each sequence count.
        merge_repeated: the same class several times in a row is one.
    Returns:
        The places `[n, 2]` (sequence, position) and the classes `[n]` of what was found, the number of sequences and
        the length of the longest `[2]`, all int64, and the negative sums of the greatest values `[N, 1]`.
    """
    scores, lengths = as_tensor("ctc_greedy_decoder", inputs), as_tensor("ctc_greedy_decoder", sequence_length)
    if scores.ndim != 3 or lengths.shape != scores.shape[1:2]:
        raise located(ValueError(f"ctc_greedy_decoder: got {scores.spec} and lengths {lengths.spec}"))
    values, count = scores.numpy_view(), lengths.numpy_view()
    if count.size and (count.min() < 0 or count.max() > values.shape[0]):
        raise located(ValueError(f"ctc_greedy_decoder: lengths must be at most {values.shape[0]}, got {count.max()}"))
    best, blank = values.argmax(2), values.shape[2] - 1
    places, found = list[tuple[int, int]](), list[int]()
    for n in range(values.shape[1]):
        steps = best[: count[n], n].tolist()
        before = [None, *steps]
        kept = [c for c, b in zip(steps, before, strict=False) if c != blank and not (merge_repeated and c == b)]
        places += [(n, i) for i in range(len(kept))]
        found += kept
    longest = max((i + 1 for _, i in places), default=0)
    sums = np.array([[-values[: count[n], n].max(1).sum()] for n in range(values.shape[1])], values.dtype)
    return (
        Tensor(np.array(places, np.int64).reshape(-1, 2)), Tensor(np.array(found, np.int64)),
        Tensor(np.array([values.shape[1], longest], np.int64)), Tensor(sums.reshape(-1, 1)),
    )  # fmt: skip
