"""More rows for the table of `graphc.ops.primitives`: colours, bits, labels and words, sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dtype import bool_, finite_limits, int64, uint8
from graphc.gradients import grad
from graphc.ops.axes import as_int, as_ints
from graphc.ops.coerce import as_dtype, as_tensor, cast
from graphc.ops.composite import log_softmax
from graphc.ops.creation import iota
from graphc.ops.ctc import ctc_loss
from graphc.ops.elementwise import equal, select
from graphc.ops.functions import bitwise_and, bitwise_right_shift, clamp, floor_mod, minimum
from graphc.ops.gather import scatter_nd
from graphc.ops.primitive_classes import enter, function, only
from graphc.ops.reduce import all, amax, amin, any
from graphc.ops.selection import with_value
from graphc.ops.shape import expand_dims, narrow, stack, unstack
from graphc.ops.sparse_tensors import COOTensor, sparse_dense_matmul
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["population_count", "scalar_cast", "sparse_segment_mean"]


# Colours


def _colours(name: str, image: Any) -> Tensor:
    x = as_tensor(name, image)
    if not x.ndim or x.shape[-1] != 3 or not x.dtype.is_float:
        raise located(ValueError(f"{name}: expected floats [..., 3], got {x.spec}"))
    return x


def _rgb_to_hsv(self: Any, images: Any) -> Tensor:
    """Hue, saturation and value of red, green and blue, all in [0, 1] (Smith 1978)."""
    x = _colours(self.name, images)
    red, green, blue = unstack(x, -1)
    value, least = amax(x, -1), amin(x, -1)
    spread = value - least
    some = select(equal(spread, 0), 1.0, spread)
    hue = select(
        equal(value, red), (green - blue) / some,
        select(equal(value, green), (blue - red) / some + 2.0, (red - green) / some + 4.0),
    )  # fmt: skip
    hue = select(equal(spread, 0), 0.0, hue / 6.0)
    saturation = select(equal(value, 0), 0.0, spread / select(equal(value, 0), 1.0, value))
    return stack([select(hue < 0, hue + 1.0, hue), saturation, value], -1)


def _hsv_to_rgb(self: Any, x: Any) -> Tensor:
    """Red, green and blue of hue, saturation and value: each is the value, less where the hue is far from it."""
    hue, saturation, value = unstack(_colours(self.name, x), -1)

    def channel(place: float) -> Tensor:
        at = floor_mod(hue * 6.0 + place, 6.0)
        return value - value * saturation * clamp(minimum(at, 4.0 - at), 0.0, 1.0)

    return stack([channel(5.0), channel(3.0), channel(1.0)], -1)


def _adjust_hue(self: Any, image: Any, delta: Any) -> Tensor:
    hue, saturation, value = unstack(_rgb_to_hsv(self, image), -1)
    turned = floor_mod(hue + cast(as_tensor(self.name, delta), hue.dtype), 1.0)
    return _hsv_to_rgb(self, stack([turned, saturation, value], -1))


def _adjust_saturation(self: Any, image: Any, scale: Any) -> Tensor:
    hue, saturation, value = unstack(_rgb_to_hsv(self, image), -1)
    scaled = clamp(saturation * cast(as_tensor(self.name, scale), saturation.dtype), 0.0, 1.0)
    return _hsv_to_rgb(self, stack([hue, scaled, value], -1))


# Bits, numbers, segments


def population_count(input_x: Any) -> Tensor:
    """How many bits of each integer are 1: uint8.

    Raises:
        TypeError: it is no tensor of integers.
    """
    x = as_tensor("population_count", input_x)
    if not x.dtype.is_int:
        raise located(TypeError(f"population_count: expected integers, got {x.spec}"))
    total = bitwise_and(x, 1)
    for k in range(1, 8 * x.dtype.itemsize):
        total = total + bitwise_and(bitwise_right_shift(x, k), 1)
    return cast(total, uint8)


def scalar_cast(input_x: Any, input_y: Any) -> Any:
    """A number as Python's of a dtype: an int, a float or a bool.

    Raises:
        TypeError: it is no number.
    """
    if not isinstance(input_x, (bool, int, float)):
        raise located(TypeError(f"scalar_cast: expected a number, got {type(input_x).__name__}"))
    return np.asarray(input_x).astype(as_dtype(input_y).np).item()


def sparse_segment_mean(x: Any, indices: Any, segment_ids: Any) -> Tensor:
    """For each segment the mean of the slices of `x` that belong to it; zeros where none does.

    Args:
        x: floats `[N, ...]`.
        indices: integers `[K]`: which slices.
        segment_ids: integers `[K]`, in ascending order: to which segment each belongs.
    Returns:
        `[segments, ...]`, one more than the greatest id.
    Raises:
        TypeError, ValueError: they are not that.
    """
    slices, where, ids = (as_tensor("sparse_segment_mean", o) for o in (x, indices, segment_ids))
    if not slices.ndim or not slices.dtype.is_float or where.ndim != 1 or where.shape != ids.shape:
        got = f"{slices.spec}, {where.spec} and {ids.spec}"
        raise located(ValueError(f"sparse_segment_mean: expected floats [N, ...] and two vectors [K], got {got}"))
    numbers = with_value("sparse_segment_mean", ids)
    if (np.diff(numbers) < 0).any() or (numbers < 0).any():
        raise located(ValueError("sparse_segment_mean: segment_ids must not be negative, and in ascending order"))
    count = int(numbers.max(initial=-1)) + 1
    total = function("unsorted_segment_sum")(function("gather")(slices, where, 0), ids, count)
    each = np.maximum(np.bincount(numbers, minlength=count), 1).astype(slices.dtype.np)
    result: Tensor = total / Tensor(each.reshape(-1, *(1,) * (slices.ndim - 1)))
    return result


# Labels and words


def _ctc_loss(
    self: Any, x: Any, labels_indices: Any, labels_values: Any, sequence_length: Any
) -> tuple[Tensor, Tensor]:
    """The loss of each sequence of scores `[T, N, C]`, whose last class is the blank, and its gradient.

    Labels are given by positions (sequence, place) and values.
    """
    only(self, "preprocess_collapse_repeated", False)
    only(self, "ctc_merge_repeated", True)
    only(self, "ignore_longer_outputs_than_inputs", False)
    scores, places, values = (as_tensor(self.name, o) for o in (x, labels_indices, labels_values))
    if scores.ndim != 3 or places.ndim != 2 or places.shape != (*values.shape, 2):
        got = f"{scores.spec}, {places.spec} and {values.spec}"
        raise located(ValueError(f"{self.name}: expected [T, N, C], indices [L, 2] and values [L], got {got}"))
    count, blank = scores.shape[1], scores.shape[2] - 1
    lengths = np.bincount(with_value(self.name, places)[:, 0], minlength=count)
    targets = scatter_nd(places, values, (count, max(int(lengths.max()), 1)))
    of_each = Tensor(lengths.astype(np.int32))

    def losses(given: Tensor) -> Tensor:
        return ctc_loss(log_softmax(given, -1), targets, sequence_length, of_each, blank, "none")[0]

    return losses(scores), grad(losses)(scores)


def _no_repeat_ngram(self: Any, state_seq: Any, log_probs: Any) -> Tensor:
    """The least number in place of the log-probability of each word that would complete a group of `ngram_size`
    words that the sequence has already: `state_seq` `[N, beams, length]`, `log_probs` `[N, beams, words]`."""
    words, scores = as_tensor(self.name, state_seq), as_tensor(self.name, log_probs)
    size = as_int(self.name, self.ngram_size, "ngram_size", 1)
    if words.ndim != 3 or scores.ndim != 3 or words.shape[:2] != scores.shape[:2]:
        got = f"{words.spec} and {scores.spec}"
        raise located(ValueError(f"{self.name}: expected [N, beams, length] and [N, beams, words], got {got}"))
    if size > words.shape[2]:
        raise located(ValueError(f"{self.name}: ngram_size must be an int from 1 to {words.shape[2]}, got {size}"))
    groups = words.shape[2] - size + 1
    last = narrow(words, 2, groups, size - 1)
    begun = [equal(narrow(words, 2, k, groups), narrow(last, 2, k, 1)) for k in range(size - 1)]
    again = all(stack(begun, 3), 3) if begun else cast(narrow(words, 2, 0, groups) * 0 + 1, bool_)
    completing = expand_dims(cast(narrow(words, 2, size - 1, groups), int64), 3)
    vocabulary = iota(shape=(1, 1, 1, scores.shape[2]), axis=3, dtype=int64)
    banned = any(function("logical_and")(equal(completing, vocabulary), expand_dims(again, 3)), 2)
    return select(banned, finite_limits(scores.dtype)[0], scores)


def _ints(self: Any, shape: Any) -> tuple[int, ...]:
    return as_ints(self.name, shape)


_ROWS: dict[str, tuple[dict[str, Any], Any]] = {
    "AdjustHue": ({}, _adjust_hue),
    "AdjustSaturation": ({}, _adjust_saturation),
    "CTCLoss": (
        {
            "preprocess_collapse_repeated": False, "ctc_merge_repeated": True,
            "ignore_longer_outputs_than_inputs": False,
        },
        _ctc_loss,
    ),
    "HSVToRGB": ({}, _hsv_to_rgb),
    "NoRepeatNGram": ({"ngram_size": 1}, _no_repeat_ngram),
    "PopulationCount": ({}, lambda p, x: population_count(x)),
    "RGBToHSV": ({}, _rgb_to_hsv),
    "ScalarCast": ({}, lambda p, input_x, input_y: scalar_cast(input_x, input_y)),
    "SparseSegmentMean": ({}, lambda p, x, indices, segment_ids: sparse_segment_mean(x, indices, segment_ids)),
    "SparseTensorDenseAdd": (
        {}, lambda p, x1_indices, x1_values, x1_shape, x2: COOTensor(x1_indices, x1_values, _ints(p, x1_shape)) + x2
    ),
    "SparseTensorDenseMatmul": (
        {"adjoint_st": False, "adjoint_dt": False},
        lambda p, indices, values, sparse_shape, dense: sparse_dense_matmul(
            COOTensor(indices, values, _ints(p, sparse_shape)), dense, p.adjoint_st, p.adjoint_dt
        ),
    ),
    "SparseToDense": (
        {}, lambda p, indices, values, sparse_shape: COOTensor(indices, values, _ints(p, sparse_shape)).to_dense()
    ),
}  # fmt: skip

enter({}, _ROWS)
