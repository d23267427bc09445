"""Classes drawn at random, for losses that compare the labels with a few of many classes (`nn.SampledSoftmaxLoss`)."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from graphc.ops.axes import as_int
from graphc.ops.coerce import as_tensor, cast
from graphc.ops.creation import arange
from graphc.ops.elementwise import equal, select, stop_gradient
from graphc.ops.gather import gather_
from graphc.ops.random import multinomial
from graphc.ops.reduce import any_, reduce_over
from graphc.ops.shape import expand_dims, reshape
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["log_uniform_candidate_sampler", "uniform_candidate_sampler"]

UNLIKELY = 1e-20
"""What the weight of a class is multiplied by that is drawn only when there is no other."""


@functools.lru_cache(maxsize=64)
def _weights(log_uniform: bool, count: int) -> np.ndarray:
    """The probabilities of the classes."""
    if not log_uniform:
        return np.full(count, 1 / count)
    return np.log1p(1 / np.arange(1.0, count + 1)) / math.log(count + 1)


@functools.lru_cache(maxsize=256)
def _expected(log_uniform: bool, count: int, drawn: int, unique: bool) -> np.ndarray:
    """How often each class is expected among those drawn, float32 `[count]`.

    Of different classes that is `1 - (1 - p)^t`: as if t had been drawn of which as many as these are different.
    """
    p = _weights(log_uniform, count)
    if not unique:
        return (p * drawn).astype(np.float32)
    if drawn == count:
        return np.ones(count, np.float32)
    with np.errstate(divide="ignore"):
        rest = np.log1p(-p)
    low, high = 0.0, 1.0
    while -np.expm1(high * rest).sum() < drawn:
        high *= 2
    for _ in range(80):
        tries = (low + high) / 2
        low, high = (low, tries) if -np.expm1(tries * rest).sum() > drawn else (tries, high)
    return np.asarray(-np.expm1(high * rest), np.float32)


def _drawn(
    name: str, log_uniform: bool, true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int,
    seed: int, apart: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    given = as_tensor(name, true_classes)
    count = as_int(name, range_max, "range_max", 1)
    drawn = as_int(name, num_sampled, "num_sampled", 1)
    if not given.dtype.is_int or given.ndim != 2 or given.shape[1] != as_int(name, num_true, "num_true", 1):
        raise located(TypeError(f"{name}: expected integer true_classes [N, {num_true}], got {given.spec}"))
    if unique and drawn > count:
        raise located(ValueError(f"{name}: there are no {drawn} different classes among {count}"))
    weights = Tensor(_weights(log_uniform, count).astype(np.float32))
    if apart:
        same = equal(expand_dims(reshape(given, (given.size,)), 1), arange(count, dtype=given.dtype))
        weights = select(reduce_over(any_, same, (0,)), weights * UNLIKELY, weights)
    classes = multinomial(weights, drawn, not unique, as_int(name, seed, "seed", 0) or None)
    expected = Tensor(_expected(log_uniform, count, drawn, bool(unique)))
    of_given, of_drawn = (stop_gradient(gather_(expected, c, axis=0)) for c in (given, classes))
    return cast(classes, given.dtype), of_given, of_drawn


def uniform_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int = 0,
    remove_accidental_hits: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Classes drawn from 0 to `range_max - 1`, each as likely as any other.

    Args:
        true_classes: the labels, integers `[N, num_true]`.
        num_sampled: how many classes to draw.
        unique: all of them are different.
        seed: 0 draws from the program's stream, another number from that seed's own.
        remove_accidental_hits: no label is drawn, unless there are too few other classes.
    Returns:
        the classes `[num_sampled]`, in the dtype of `true_classes`; and, float32, how often the labels and how often
        these classes are expected among as many: `[N, num_true]` and `[num_sampled]`.
    Raises:
        TypeError, ValueError: an argument is not as described.
        IndexError: when it runs, a label that is no class.
    """
    name = "uniform_candidate_sampler"
    return _drawn(
        name, False, true_classes, num_true, num_sampled, unique, range_max, seed, remove_accidental_hits
    )  # fmt: skip


def log_uniform_candidate_sampler(
    true_classes: Any, num_true: int = 1, num_sampled: int = 5, unique: bool = True, range_max: int = 5, seed: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """`uniform_candidate_sampler`, class k with probability `log(1 + 1 / (k + 1)) / log(range_max + 1)`.

    So do the frequencies of words fall that are numbered from the most frequent on.
    """
    name = "log_uniform_candidate_sampler"
    return _drawn(name, True, true_classes, num_true, num_sampled, unique, range_max, seed, False)
