"""Draws of rarer kinds: of the gamma distribution, and of places where a condition holds."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from graphc.dtype import bool_, float32, float64, int32
from graphc.ops.coerce import as_dtype, as_tensor, broadcast, broadcast_shape, cast, full_like
from graphc.ops.elementwise import abs_, exp, floor, log, rsqrt, select, sqrt, stop_gradient
from graphc.ops.functions import greater, greater_equal, less, logical_and, logical_or, maximum, pow, square
from graphc.ops.gamma_functions import lgamma
from graphc.ops.gather import gather_elements
from graphc.ops.random import Seed, rand, randn, shape_of
from graphc.ops.reduce import argmax
from graphc.ops.scan import top_k
from graphc.ops.shape import concat, expand_dims, reshape, squeeze, stack
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["choice_with_mask", "gamma", "random_gamma", "random_poisson"]

TRIES = 14
"""How often a number of the gamma distribution is tried: each time one in twenty is not accepted, at most."""


def _gamma(shape: tuple[int, ...], alpha: Tensor, seed: Seed) -> Tensor:
    """Marsaglia and Tsang, A simple method for generating gamma variables, 2000; a smaller alpha by the next one's."""
    a = broadcast(stop_gradient(alpha), shape)
    small = less(a, 1.0)
    d = select(small, a + 1.0, a) - 1.0 / 3.0
    x, u = (draw(TRIES, *shape, seed=seed) for draw in (randn, rand))
    v = 1.0 + x * rsqrt(9.0 * d)
    cube = v * v * v
    bound = 0.5 * square(x) + d - d * cube + d * log(select(greater(v, 0.0), cube, 1.0))
    accepted = logical_and(greater(v, 0.0), less(log(maximum(u, 1e-30)), bound))
    first = expand_dims(argmax(cast(accepted, int32), 0), 0)
    found = d * squeeze(gather_elements(select(accepted, cube, 1.0), 0, first), 0)
    return select(small, found * pow(maximum(rand(*shape, seed=seed), 1e-30), 1.0 / a), found)


def random_gamma(shape: Any, alpha: Any, seed: Seed = None) -> Tensor:
    """Random numbers of the gamma distribution with the shape parameters `alpha` and the scale 1.

    Returns:
        float32 `[*shape, *alpha.shape]`; constants to differentiation.
    """
    given = cast(as_tensor("random_gamma", alpha), float32)
    return _gamma((*shape_of("random_gamma", shape), *given.shape), given, seed)


def gamma(shape: Any, alpha: Any, beta: Any, seed: Seed = None) -> Tensor:
    """Random numbers of the gamma distribution with the shape parameters `alpha` and the rates `beta`.

    Returns:
        float32, in the shape that `shape`, `alpha` and `beta` broadcast to.
    """
    a, b = (cast(as_tensor("gamma", o), float32) for o in (alpha, beta))
    lead = shape_of("gamma", shape)
    wanted = broadcast_shape("gamma", [lead, a.shape, b.shape], lambda: f"{lead}, {a.spec} and {b.spec}")
    return _gamma(wanted, a, seed) / b


def random_poisson(shape: Any, rate: Any, seed: Seed = None, dtype: Any = float32) -> Tensor:
    """Random whole numbers of Poisson's distribution with the means `rate`.

    Small rates by the inverse of the cdf, others by rejection (Hoermann, The transformed rejection method for
    generating Poisson random variables, 1993, algorithm PTRS).

    Returns:
        `[*shape, *rate.shape]` of the dtype; constants to differentiation.
    """
    given = cast(stop_gradient(as_tensor("random_poisson", rate)), float64)
    wanted = (*shape_of("random_poisson", shape), *given.shape)
    few = less(given, FEW)
    return cast(
        select(
            broadcast(few, wanted), _few(wanted, select(few, given, 1.0), seed),
            _many(wanted, select(few, FEW, given), seed),
        ),
        as_dtype(dtype),
    )  # fmt: skip


FEW = 10.0
"""Rates below which the first 64 numbers hold all but 1e-27 of the probability."""


def _few(shape: tuple[int, ...], rate: Tensor, seed: Seed) -> Tensor:
    u = cast(rand(*shape, seed=seed), float64)
    term = cdf = broadcast(exp(-rate), shape)
    count = full_like(u, 0.0)
    for k in range(1, 64):
        count = count + cast(greater_equal(u, cdf), float64)
        term = term * rate / float(k)
        cdf = cdf + term
    return count


def _many(shape: tuple[int, ...], rate: Tensor, seed: Seed) -> Tensor:
    mean = broadcast(rate, shape)
    b = 0.931 + 2.53 * sqrt(mean)
    a = -0.059 + 0.02483 * b
    u, v = (cast(rand(TRIES, *shape, seed=seed), float64) for _ in range(2))
    u = u - 0.5
    edge = maximum(0.5 - abs_(u), 1e-9)
    k = floor((2.0 * a / edge + b) * u + mean + 0.43)
    inside = logical_and(greater_equal(k, 0.0), logical_or(greater_equal(edge, 0.013), less(v, edge)))
    at = maximum(k, 0.0)
    height = log(maximum(v, 1e-30) * (1.1239 + 1.1328 / (b - 3.4)) / (a / square(edge) + b))
    under = less(height, at * log(mean) - mean - lgamma(at + 1.0))
    sure = logical_and(greater_equal(edge, 0.07), less(v, 0.9277 - 3.6224 / (b - 2.0)))
    accepted = logical_and(inside, logical_or(sure, under))
    first = expand_dims(argmax(cast(accepted, int32), 0), 0)
    return squeeze(gather_elements(select(accepted, at, floor(mean)), 0, first), 0)


def choice_with_mask(input_x: Any, count: int = 256, seed: Seed = None) -> tuple[Tensor, Tensor]:
    """`count` different places where a bool tensor is true, drawn at random.

    Returns:
        The places, int32 `[count, input_x.ndim]`, and whether each is one: bool `[count]`. Where there are fewer the
        others are 0 and not true.
    """
    x = as_tensor("choice_with_mask", input_x)
    if x.dtype is not bool_ or not x.ndim or not isinstance(count, int) or count < 1:
        raise located(ValueError(f"choice_with_mask: expected bools and a positive count, got {x.spec} and {count!r}"))
    size = prod(x.shape)
    flat = reshape(x, (size,))
    scores = select(flat, rand(size, seed=seed), full_like(cast(flat, float32), -1.0))
    most = min(count, size)
    values, place = top_k(scores, most)
    chosen = greater_equal(values, 0.0)
    axes = [np.asarray(axis, np.int32).ravel() for axis in np.indices(x.shape)]
    rows = stack([gather_elements(Tensor(axis), 0, place) for axis in axes], -1)
    rows = select(expand_dims(chosen, 1), rows, 0)
    if most < count:
        rows = concat([rows, Tensor(np.zeros((count - most, x.ndim), np.int32))], 0)
        chosen = concat([chosen, Tensor(np.zeros(count - most, bool))], 0)
    return rows, chosen
