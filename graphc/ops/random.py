"""Random numbers: bits from Philox4x32-10, and every distribution as a function of them.

The table holds `random_bits` and `random_uniform`, functions of a state (`graphc.random`), a shape and each element's
position. Whatever else is drawn is written with ops: normal numbers are the inverse distribution function of uniform
ones, a dropout mask is a comparison of bits.
"""

from __future__ import annotations

import math
from math import prod
from typing import Any

import numpy as np

from graphc.dtype import DType, dtype_of, float32, float64, int32, int64
from graphc.eager import of_ops
from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.axes import as_int, as_ints, axis_of
from graphc.ops.coerce import as_tensor, broadcast, broadcast_shape, cast, full_like, widely
from graphc.ops.composite import softmax
from graphc.ops.creation import iota
from graphc.ops.elementwise import (
    abs_,
    bitwise_right_shift,
    equal,
    erfinv,
    greater_equal,
    less,
    less_equal,
    log,
    minimum,
    select,
    sign,
    stop_gradient,
)
from graphc.ops.gather import gather_
from graphc.ops.reduce import argmax_, sum_over
from graphc.ops.scan import argsort_, cumsum_, topk
from graphc.ops.shape import expand_dims, reshape
from graphc.parameter import Parameter
from graphc.place import located
from graphc.random import Generator, advance, stream
from graphc.random_bits import philox4x32_numpy
from graphc.tensor import Tensor

__all__ = [
    "bernoulli", "dropout", "dropout1d", "dropout2d", "dropout3d", "gumbel_softmax", "laplace", "multinomial",
    "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "random_categorical", "randperm",
    "rrelu", "shuffle", "standard_laplace", "standard_normal", "truncated_normal", "uniform",
]  # fmt: skip

Ints = tuple[int, ...]
Seed = int | Generator | None
SPAN = 2**32
"""The number of values that 32 bits have."""


# The table


def _check_state(name: str, state: TensorType) -> None:
    if state != TensorType((2,), int64):
        raise TypeError(f"{name}: expected a state i64[2], got {state}")


def _bits_type(state: TensorType, *, shape: Ints) -> TensorType:
    _check_state("random_bits", state)
    return TensorType(shape, int64)


def _words(state: np.ndarray, elements: np.ndarray) -> np.ndarray:
    """Word 0 of Philox of each element's position, as int64."""
    seed, counter = (int(w) % 2**64 for w in state)
    places = elements.astype(np.uint64)
    low = np.uint64(SPAN - 1)
    words = philox4x32_numpy(
        (seed % SPAN, seed >> 32), (places & low, places >> np.uint64(32), counter % SPAN, counter >> 32)
    )
    return words[0].astype(np.int64)


@define_op(infer=_bits_type, exact=False, traits="random")  # exact, too; but compiled it is tens of times faster
def random_bits(state: np.ndarray, *, shape: Ints) -> np.ndarray:
    """32 random bits for every element, as an int64 in [0, 2**32).

    Word 0 of Philox4x32-10 with the seed as its key and (row-major position, counter) as its counter, each the low and
    the high half of 64 bits.

    Args:
        state: int64 [seed, counter].
        shape: of the result.
    """
    return _words(state, np.arange(prod(shape))).reshape(shape)


def _position(index: Any, shape: Ints) -> Any:
    flat: Any = 0
    for i, extent in zip(index, shape, strict=True):
        flat = flat * extent + i
    return flat


@random_bits.def_lower
def random_bits_lower(b: Any, index: Any, state: Any, *, shape: Ints) -> Any:
    return b.random_bits(state([0]), state([1]), b.position(_position(index, shape)))


def _uniform_type(state: TensorType, *, shape: Ints, dtype: DType) -> TensorType:
    _check_state("random_uniform", state)
    if not dtype.is_float:
        raise TypeError(f"random_uniform: expected a float dtype, got {dtype!r}")
    return TensorType(shape, dtype)


@define_op(infer=_uniform_type, exact=False, traits="random")
def random_uniform(state: np.ndarray, *, shape: Ints, dtype: DType) -> np.ndarray:
    """Uniform numbers in [0, 1), all multiples of 2**-24 (float32) or 2**-53 (float64) equally often.

    Args:
        state: int64 [seed, counter].
        shape, dtype: of the result. A float32 number comes from the upper 24 of its element's `random_bits`; a float64
            number from the upper 27 and the upper 26 of those of elements 2 i and 2 i + 1.
    """
    places = np.arange(prod(shape))
    if dtype is float32:
        return ((_words(state, places) >> 8) * 2.0**-24).astype(np.float32).reshape(shape)
    upper, lower = _words(state, 2 * places) >> 5, _words(state, 2 * places + 1) >> 6
    return ((upper * 2.0**26 + lower) * 2.0**-53).reshape(shape)


@random_uniform.def_lower
def random_uniform_lower(b: Any, index: Any, state: Any, *, shape: Ints, dtype: DType) -> Any:
    place = _position(index, shape)

    def upper(at: Any, drop: int) -> Any:
        bits = b.random_bits(state([0]), state([1]), b.position(at))
        return b.cast(b.fn("shr", bits, b.const(drop, int64)), dtype)

    if dtype is float32:
        return upper(place, 8) * b.const(2.0**-24, dtype)
    whole = upper(place * 2, 5) * b.const(2.0**26, dtype) + upper(place * 2 + 1, 6)
    return whole * b.const(2.0**-53, dtype)


# Drawing: each call advances its stream by one


def _draw_bits(shape: Ints, seed: Seed) -> Tensor:
    state = stream(seed)
    bits = random_bits(state, shape=shape)
    advance(state)
    return bits


def _draw(shape: Ints, seed: Seed, dtype: DType) -> Tensor:
    state = stream(seed)
    numbers = random_uniform(state, shape=shape, dtype=dtype.wide or dtype)
    advance(state)
    return cast(numbers, dtype)


def _draw_normal(shape: Ints, seed: Seed, dtype: DType) -> Tensor:
    """Standard normal numbers: the inverse of their distribution function, at the odd multiples of half a uniform step.

    So the argument of erfinv is exact, symmetric about 0, and never -1 or 1.
    """
    if dtype.wide:
        return cast(_draw_normal(shape, seed, dtype.wide), dtype)
    half_step = 2.0**-24 if dtype is float32 else 2.0**-53
    return erfinv(_draw(shape, seed, dtype) * 2.0 - (1.0 - half_step)) * math.sqrt(2.0)


def shape_of(name: str, shape: Any) -> Ints:
    """A shape that a function of that name is given.

    Raises:
        TypeError: it is none. ValueError: an extent is below 0.
    """
    found = as_ints(name, shape)
    if min(found, default=0) < 0:
        raise located(ValueError(f"{name}: extents must be >= 0, got {found}"))
    return found


def _sizes(name: str, size: tuple[Any, ...]) -> Ints:
    """A shape given as several ints or as one tuple."""
    return shape_of(name, size[0] if len(size) == 1 else size)


def _float_dtype(name: str, dtype: Any, default: DType = float32) -> DType:
    found = default if dtype is None else dtype_of(dtype)
    if not found.is_float:
        raise located(ValueError(f"{name}: dtype must be a float, got {found!r}"))
    return found


def rand(*size: Any, dtype: Any = None, seed: Seed = None) -> Tensor:
    """Uniform numbers in [0, 1).

    Args:
        size: the shape: ints, or one tuple.
        dtype: float32 (the default) or float64.
        seed: None or 0 draws from the program's stream, another int from that seed's own.
    """
    return _draw(_sizes("rand", size), seed, _float_dtype("rand", dtype))


def rand_like(input: Any, seed: Seed = None, *, dtype: Any = None) -> Tensor:
    """Uniform numbers in [0, 1), in the shape and (if it is a float type) the dtype of `input`."""
    x = as_tensor("rand_like", input)
    return _draw(x.shape, seed, _float_dtype("rand_like", dtype, x.dtype))


def randn(*size: Any, dtype: Any = None, seed: Seed = None) -> Tensor:
    """Standard normal numbers.

    Args:
        size: the shape: ints, or one tuple.
        dtype: float32 (the default) or float64.
        seed: None or 0 draws from the program's stream, another int from that seed's own.
    """
    return _draw_normal(_sizes("randn", size), seed, _float_dtype("randn", dtype))


def randn_like(input: Any, seed: Seed = None, *, dtype: Any = None) -> Tensor:
    """Standard normal numbers, in the shape and (if it is a float type) the dtype of `input`."""
    x = as_tensor("randn_like", input)
    return _draw_normal(x.shape, seed, _float_dtype("randn_like", dtype, x.dtype))


def standard_normal(shape: Any, seed: Seed = None) -> Tensor:
    """Standard normal float32 numbers of a shape."""
    return _draw_normal(shape_of("standard_normal", shape), seed, float32)


def normal(shape: Any, mean: Any, stddev: Any, seed: Seed = None) -> Tensor:
    """Normal float32 numbers.

    Args:
        mean, stddev: numbers or Tensors; they broadcast against `shape`.
    """
    center, scale = as_tensor("normal", mean), as_tensor("normal", stddev)
    wanted = broadcast_shape("normal", (shape_of("normal", shape), center.shape, scale.shape))
    return _draw_normal(wanted, seed, float32) * cast(scale, float32) + cast(center, float32)


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, lower: float = -2.0, upper: float = 2.0,
    seed: Seed = None, dtype: Any = None,
) -> Tensor:
    """Normal numbers given that `lower <= (x - mean) / stddev <= upper`.

    The inverse of the distribution function, at uniform numbers between its values at the bounds.
    """
    if not lower < upper:
        raise located(ValueError(f"truncated_normal: lower must be below upper, got {lower!r} and {upper!r}"))
    kind = _float_dtype("truncated_normal", dtype)
    if kind.wide:
        return cast(truncated_normal(shape, mean, stddev, lower, upper, seed, kind.wide), kind)
    least, most = math.erf(lower / math.sqrt(2)), math.erf(upper / math.sqrt(2))
    z = erfinv(_draw(shape_of("truncated_normal", shape), seed, kind) * (most - least) + least) * math.sqrt(2.0)
    z = select(less(z, lower), lower, select(greater_equal(z, upper), upper, z))  # where rounding went past a bound
    return z * stddev + mean


def uniform(shape: Any, minval: Any, maxval: Any, seed: Seed = None, dtype: Any = float32) -> Tensor:
    """Uniform numbers in [minval, maxval).

    Args:
        shape: the bounds broadcast against it.
        minval, maxval: numbers or Tensors.
        dtype: float32, float64 or int32.
    """
    kind = dtype_of(dtype)
    low, high = as_tensor("uniform", minval), as_tensor("uniform", maxval)
    wanted = broadcast_shape("uniform", (shape_of("uniform", shape), low.shape, high.shape))
    if kind.is_float:
        low, high = cast(low, kind), cast(high, kind)
        return _draw(wanted, seed, kind) * (high - low) + low
    if kind is not int32 or not (low.dtype.is_int and high.dtype.is_int):
        raise located(ValueError(f"uniform: dtype must be a float, or int32 with integer bounds, got {kind!r}"))
    low, high = cast(low, int64), cast(high, int64)
    return cast(_scaled(_draw_bits(wanted, seed), high - low) + low, kind)


def _scaled(bits: Tensor, count: Any) -> Tensor:
    """Integers in [0, count): the upper half of `bits * count`. Their chances differ by at most 2**-32."""
    return bitwise_right_shift(bits * count, 32)


def randint(low: int, high: int, size: Any, seed: Seed = None, *, dtype: Any = None) -> Tensor:
    """Uniform integers in [low, high).

    Args:
        low, high: ints less than 2**31 apart.
        size: the shape.
        dtype: an integer type, by default int64.
    Raises:
        ValueError: `low` is not below `high`, or they are too far apart.
    """
    kind = int64 if dtype is None else dtype_of(dtype)
    low, high = as_ints("randint", (low, high), "low and high")
    if not 0 < high - low <= 2**31:
        raise located(ValueError(f"randint: expected low < high, at most 2**31 apart, got {low} and {high}"))
    return cast(_scaled(_draw_bits(shape_of("randint", size), seed), high - low) + low, kind)


def randint_like(input: Any, low: int, high: int, seed: Seed = None, *, dtype: Any = None) -> Tensor:
    """Uniform integers in [low, high), in the shape and the dtype of `input`."""
    x = as_tensor("randint_like", input)
    return randint(low, high, x.shape, seed, dtype=x.dtype if dtype is None else dtype)


def randperm(n: int, seed: Seed = 0, offset: int = 0, dtype: Any = int64) -> Tensor:
    """The numbers 0 to n - 1 in a random order: that of n words of random bits (equal words keep their order).

    Args:
        offset: must be 0; a stream is continued by drawing from it.
    """
    if offset:
        raise located(ValueError(f"randperm: offset must be 0, got {offset!r}"))
    return cast(argsort_(_draw_bits(shape_of("randperm", (n,)), seed), descending=False), dtype_of(dtype))


def shuffle(x: Any, seed: Seed = None) -> Tensor:
    """The slices of `x` along its first axis in a random order."""
    x = as_tensor("shuffle", x)
    return gather_(x, randperm(x.shape[0], seed), axis=0) if x.ndim else x


def bernoulli(input: Any, p: Any = 0.5, seed: Seed = None) -> Tensor:
    """1 with probability `p`, else 0, in the shape and dtype of `input`.

    Args:
        p: a probability, or a Tensor of them that broadcasts to `input`.
    """
    x = as_tensor("bernoulli", input)
    if isinstance(p, (int, float)):
        _check_probability("bernoulli", p)
    chance = as_tensor("bernoulli", p)
    numbers = _draw(x.shape, seed, chance.dtype if chance.dtype in (float32, float64) else float32)
    return cast(less(numbers, broadcast(cast(chance, numbers.dtype), x.shape)), x.dtype)


def _check_probability(name: str, p: Any) -> None:
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
        raise located(ValueError(f"{name}: p must be a number in [0, 1], got {p!r:.60}"))


# Dropout


def dropout(input: Any, p: float = 0.5, training: bool = True, seed: Seed = None) -> Tensor:
    """Zero with probability `p`, else the element divided by `1 - p` (Srivastava et al. 2014).

    Args:
        input: float tensor.
        p: the probability of dropping an element, in [0, 1].
        training: otherwise `input` itself is returned, and no random number is drawn.
    """
    return _drop("dropout", input, p, training, seed, lambda shape: shape)


def _drop(name: str, input: Any, p: float, training: bool, seed: Seed, mask_shape: Any) -> Tensor:
    x = as_tensor(name, input)
    _check_probability(name, p)
    if not training or p == 0:
        return x
    if p == 1:
        return full_like(x, 0)
    return _dropped(x, p, stream(seed), mask_shape(x.shape))


@of_ops
def _dropped(x: Tensor, p: float, state: Parameter, mask_shape: Ints) -> Tensor:
    bits = random_bits(state, shape=mask_shape)
    advance(state)
    keep = broadcast(greater_equal(bits, round(p * SPAN)), x.shape)
    return select(keep, x * (1 / (1 - p)), 0)


def _dropout_channels(name: str, spatial: int, input: Any, p: float, training: bool) -> Tensor:
    x = as_tensor(name, input)
    if x.ndim not in (spatial + 1, spatial + 2):
        raise located(ValueError(f"{name}: expected [N, C, {spatial} spatial dimensions], got {x.spec}"))
    return _drop(name, x, p, training, None, lambda shape: (*shape[:-spatial], *(1,) * spatial))


def dropout1d(input: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """`dropout` of whole channels of `[N, C, L]` or `[C, L]`."""
    return _dropout_channels("dropout1d", 1, input, p, training)


def dropout2d(input: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """`dropout` of whole channels of `[N, C, H, W]` or `[C, H, W]`."""
    return _dropout_channels("dropout2d", 2, input, p, training)


def dropout3d(input: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """`dropout` of whole channels of `[N, C, D, H, W]` or `[C, D, H, W]`."""
    return _dropout_channels("dropout3d", 3, input, p, training)


def rrelu(input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3) -> Tensor:
    """`x` where `x >= 0`, elsewhere `x` times a uniform number in [lower, upper) of its own (Xu et al. 2015)."""
    x = as_tensor("rrelu", input)
    slope = uniform(x.shape, lower, upper, dtype=x.dtype)
    return select(greater_equal(x, 0), x, x * slope)


# Other distributions


def standard_laplace(shape: Any, seed: Seed = None) -> Tensor:
    """Laplace float32 numbers of mean 0 and scale 1: `-sign(v) * log(1 - |v|)`, v uniform in (-1, 1)."""
    v = _draw(shape_of("standard_laplace", shape), seed, float32) * 2.0 - (1.0 - 2.0**-24)
    return -sign(v) * log(1.0 - abs_(v))


def laplace(shape: Any, mean: Any, lambda_param: Any, seed: Seed = None) -> Tensor:
    """Laplace float32 numbers of a mean and a scale: numbers or Tensors, which broadcast against `shape`."""
    center, scale = as_tensor("laplace", mean), as_tensor("laplace", lambda_param)
    wanted = broadcast_shape("laplace", (shape_of("laplace", shape), center.shape, scale.shape))
    return standard_laplace(wanted, seed) * cast(scale, float32) + cast(center, float32)


def _gumbel(shape: Ints, seed: Seed, dtype: DType) -> Tensor:
    """Gumbel numbers `-log(-log(u))`, u uniform in (0, 1)."""
    least = 2.0**-25 if dtype is float32 else 2.0**-54
    return -log(-log(_draw(shape, seed, dtype) * (1 - 4 * least) + least))


@widely
def gumbel_softmax(logits: Any, tau: float = 1.0, hard: bool = False, dim: int = -1) -> Tensor:
    """`softmax((logits + Gumbel noise) / tau)` (Jang et al. 2016).

    Args:
        hard: return the one-hot vector of the greatest, with the derivative of the soft one.
    """
    x = as_tensor("gumbel_softmax", logits)
    if not x.dtype.is_float or tau <= 0:
        raise located(ValueError(f"gumbel_softmax: expected float logits and tau > 0, got {x.spec} and {tau!r}"))
    axis = axis_of("gumbel_softmax", dim, x.ndim)
    soft = softmax((x + _gumbel(x.shape, None, x.dtype)) / tau, axis)
    if not hard:
        return soft
    winner = expand_dims(argmax_(soft, run=(axis, axis + 1)), axis)
    chosen = cast(equal(iota(shape=x.shape, axis=axis, dtype=int64), winner), x.dtype)
    return chosen - stop_gradient(soft) + soft


@widely
def random_categorical(logits: Any, num_sample: int, seed: Seed = 0, dtype: Any = int64) -> Tensor:
    """Classes drawn with the probabilities `softmax(logits)`: `[N, num_sample]` from `[N, C]`."""
    x = as_tensor("random_categorical", logits)
    if x.ndim != 2:
        raise located(ValueError(f"random_categorical: expected logits [N, C], got {x.spec}"))
    return cast(multinomial(softmax(x), num_sample, True, seed), dtype_of(dtype))


@widely
def multinomial(input: Any, num_samples: int, replacement: bool = True, seed: Seed = None) -> Tensor:
    """Classes drawn with probabilities in proportion to `input`.

    Args:
        input: weights >= 0, `[C]` or `[N, C]`, not all 0 in a row.
        num_samples: how many to draw.
        replacement: whether a class can be drawn again; if not, at least `num_samples` weights must be above 0.
    Returns:
        int32 `[num_samples]` or `[N, num_samples]`.
    """
    weights = as_tensor("multinomial", input)
    weights = weights if weights.dtype.is_float else cast(weights, float32)
    count = as_int("multinomial", num_samples, "num_samples")
    if weights.ndim not in (1, 2) or not weights.shape[-1]:
        raise located(ValueError(f"multinomial: expected weights [C] or [N, C], got {weights.spec}"))
    if count < 1 or (not replacement and count > weights.shape[-1]):
        raise located(ValueError(f"multinomial: cannot draw {count} of {weights.shape[-1]} classes"))
    if not replacement:  # the order of exponential waiting times (Efraimidis and Spirakis 2006)
        waiting = log(1.0 - _draw(weights.shape, seed, weights.dtype)) / weights
        return cast(topk(select(greater_equal(0.0, weights), -math.inf, waiting), count)[1], int32)
    classes = weights.ndim - 1
    bounds = cumsum_(weights, axis=classes)
    total = reshape(bounds[..., -1], (*weights.shape[:-1], 1))
    point = _draw((*weights.shape[:-1], count), seed, weights.dtype) * total
    below = 1.0 - (2.0**-24 if weights.dtype is float32 else 2.0**-53)
    point = select(less(point, total), point, total * below)
    passed = less_equal(expand_dims(bounds, -2), expand_dims(point, -1))
    return minimum(sum_over(cast(passed, int32), (classes + 1,)), weights.shape[-1] - 1)
