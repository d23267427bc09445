"""More rows for the table of `graphc.ops.primitives`: normalisation, regions, pooling with indices, CTC, sizes, flash
attention and the masks it drops weights by, an LSTM.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from graphc.dtype import int32, int64, uint8
from graphc.ops import control
from graphc.ops.attention import ALL_TOKENS, flash_parts, of_softmax, unpacked
from graphc.ops.axes import as_ints
from graphc.ops.coerce import as_tensor, cast, full_like, widely
from graphc.ops.creation import arange, zeros
from graphc.ops.elementwise import floor, select, sigmoid, tanh
from graphc.ops.functions import clamp, greater_equal, less_equal, logical_and, minimum
from graphc.ops.gather import gather_nd
from graphc.ops.linalg import matmul
from graphc.ops.primitive_classes import REQUIRED, enter, function, only, seed_of
from graphc.ops.recurrence import scan
from graphc.ops.sample import deformable_offsets
from graphc.ops.shape import chunk, expand_dims, reshape, stack, transpose
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor


def _batch_norm(
    self: Any, input_x: Any, scale: Any, bias: Any, mean: Any, variance: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The result, two zeros `[C]`, and in training the batch's mean and variance; the moving ones are Parameters then.

    The moving variance takes in the variance whose divisor is the count less 1.
    """
    only(self, "data_format", "NCHW")
    x, moving_mean, moving_variance = (as_tensor(self.name, o) for o in (input_x, mean, variance))
    zero = full_like(moving_mean, 0)
    if not self.is_training:
        y = function("batch_norm")(x, moving_mean, moving_variance, scale, bias, False, self.momentum, self.epsilon)
        return y, zero, zero, zero, zero
    axes = (0, *range(2, x.ndim))
    center, spread = x.mean(axes), x.var(axes)
    y = function("batch_norm")(x, center, spread, scale, bias, False, self.momentum, self.epsilon)
    count = x.size // x.shape[1]
    for moving, value in ((mean, center), (variance, spread * (count / max(count - 1, 1)))):
        if not isinstance(moving, Parameter):
            raise located(TypeError(f"{self.name}: in training mean and variance must be Parameters"))
        control.assign(moving, moving * (1.0 - self.momentum) + value * self.momentum)
    return y, zero, zero, center, spread


def _roi_align(self: Any, features: Any, rois: Any) -> Tensor:
    """Means of interpolated values, `sample_num` each way, in the cells of a grid over each region (He et al. 2017).

    Regions are (image, left, top, right, bottom); what lies more than 1 outside of an image counts as 0.
    """
    x, boxes = as_tensor(self.name, features), as_tensor(self.name, rois)
    if x.ndim != 4 or boxes.ndim != 2 or boxes.shape[1] != 5:
        raise located(ValueError(f"{self.name}: expected [N, C, H, W] and rois [R, 5], got {x.spec} and {boxes.spec}"))
    if not isinstance(self.sample_num, int) or self.sample_num < 1:
        raise located(ValueError(f"{self.name}: sample_num must be a positive int, got {self.sample_num!r}"))
    regions, samples = boxes.shape[0], self.sample_num
    left, top, right, bottom = (boxes[:, k] for k in range(1, 5))
    ends = float(self.roi_end_mode)

    def places(start: Tensor, end: Tensor, cells: int) -> Tensor:
        """`[R, cells * samples]`."""
        first, last = start * self.spatial_scale, (end + ends) * self.spatial_scale
        extent = last - first
        extent = extent if self.roi_end_mode else function("maximum")(extent, 1.0)
        step = extent / (cells * samples)
        return expand_dims(first, 1) + expand_dims(step, 1) * (arange(cells * samples, dtype=x.dtype) + 0.5)

    rows, columns = places(top, bottom, self.pooled_height), places(left, right, self.pooled_width)
    y, v, row = _corners(rows, x.shape[2])
    z, u, column = _corners(columns, x.shape[3])
    wide = (regions, rows.shape[1], columns.shape[1])
    image = function("broadcast_to")(reshape(cast(boxes[:, 0], int64), (regions, 1, 1)), wide)
    by_pixel = transpose(x, (0, 2, 3, 1))

    def read(down: int, across: int) -> Tensor:
        i = function("broadcast_to")(expand_dims(row[down], 2), wide)
        j = function("broadcast_to")(expand_dims(column[across], 1), wide)
        return gather_nd(by_pixel, stack([image, i, j], -1))

    v, u = reshape(v, (*v.shape, 1, 1)), reshape(u, (regions, 1, u.shape[1], 1))
    found = (read(0, 0) * (1.0 - u) + read(0, 1) * u) * (1.0 - v) + (read(1, 0) * (1.0 - u) + read(1, 1) * u) * v
    inside = logical_and(expand_dims(y, 2), expand_dims(z, 1))
    found = select(expand_dims(inside, 3), found, 0.0)
    cells = reshape(found, (regions, self.pooled_height, samples, self.pooled_width, samples, x.shape[1]))
    return transpose(cells.mean((2, 4)), (0, 3, 1, 2))


def _corners(place: Tensor, extent: int) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """Whether places lie in an image, how far they are past an element, and that element and the next."""
    inside = logical_and(greater_equal(place, -1.0), less_equal(place, float(extent)))
    at = clamp(place, 0.0, float(extent - 1))
    low = floor(at)
    return inside, at - low, (cast(low, int64), cast(minimum(low + 1.0, float(extent - 1)), int64))


def _max_pool_with_argmax(self: Any, x: Any) -> tuple[Tensor, Tensor]:
    pair: tuple[Tensor, Tensor] = function("max_pool2d")(
        x, self.kernel_size, self.strides, self.pads, self.dilation, True, self.ceil_mode
    )
    return pair[0], cast(pair[1], self.argmax_type)


def _max_pool3d_with_argmax(self: Any, x: Any) -> tuple[Tensor, Tensor]:
    only(self, "data_format", "NCDHW")
    pair: tuple[Tensor, Tensor] = function("max_pool3d")(
        x, self.ksize, self.strides, self.pads, self.dilation, self.ceil_mode, True
    )
    return pair[0], cast(pair[1], self.argmax_type)


def _max_unpool(function_name: str, data_format: str) -> Callable[..., Any]:
    def call(self: Any, x: Any, argmax: Any) -> Tensor:
        only(self, "data_format", data_format)
        strides = self.strides or self.ksize
        result: Tensor = function(function_name)(
            x, argmax, self.ksize, strides, self.pads, tuple(self.output_shape) or None
        )
        return result

    return call


def _upsample(mode: str) -> Callable[..., Any]:
    def call(self: Any, x: Any, output_size: Any = None, scales: Any = None) -> Tensor:
        if (output_size is None) == (scales is None):
            raise located(ValueError(f"{self.name}: expected output_size or scales"))
        align = getattr(self, "align_corners", None)
        scale = None if scales is None else tuple(scales)
        result: Tensor = function("interpolate")(x, output_size, scale, mode, align)
        return result

    return call


def _resize_linear_1d(self: Any, x: Any, size: Any) -> Tensor:
    if self.coordinate_transformation_mode not in ("align_corners", "half_pixel"):
        raise located(ValueError(f"{self.name}: got mode {self.coordinate_transformation_mode!r}"))
    align = self.coordinate_transformation_mode == "align_corners"
    result: Tensor = function("interpolate")(x, size, None, "linear", align)
    return result


def _multilabel_margin_loss(self: Any, x: Any, target: Any) -> tuple[Tensor, Tensor]:
    """The loss, and 1 for each class that is among the labels before the first negative one: int32."""
    loss: Tensor = function("multilabel_margin_loss")(x, target, self.reduction)
    labels = as_tensor(self.name, target)
    named = function("cumsum")(cast(labels < 0, int32), -1) < 1
    classes = arange(labels.shape[-1], dtype=labels.dtype)
    same = logical_and(function("equal")(expand_dims(labels, -1), classes), expand_dims(named, -1))
    return loss, cast(function("any")(same, -2), int32)


def _greedy_decoder(self: Any, inputs: Any, sequence_length: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    found: tuple[Tensor, Tensor, Tensor, Tensor] = function("ctc_greedy_decoder")(
        inputs, sequence_length, self.merge_repeated
    )
    return found


def _deformable_offsets(self: Any, x: Any, offsets: Any) -> Tensor:
    only(self, "data_format", "NCHW")
    only(self, "modulated", True)
    found: Tensor = deformable_offsets(
        x, offsets, self.strides, self.pads, self.ksize, self.dilations, self.deformable_groups
    )
    return found


def _flash_attention(
    self: Any, query: Any, key: Any, value: Any, real_shift: Any = None, drop_mask: Any = None,
    padding_mask: Any = None, attn_mask: Any = None, prefix: Any = None, actual_seq_qlen: Any = None,
    actual_seq_kvlen: Any = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The maxima and sums of softmax, 8 times each, as float32 (of layout TND `[T, N, 8]`); a zero; and the result."""
    result, scores, hidden = flash_parts(
        query, key, value, self.head_num, real_shift, drop_mask, padding_mask, attn_mask, prefix, actual_seq_qlen,
        actual_seq_kvlen, self.keep_prob, self.scale_value, self.pre_tokens, self.next_tokens, self.inner_precise,
        self.input_layout, self.sparse_mode,
    )  # fmt: skip
    most, total = of_softmax(scores, hidden)
    if self.input_layout == "TND":
        most, total = (transpose(x[0], (1, 0, 2)) for x in (most, total))
    return most, total, zeros((), result.dtype), result


@widely
def _long_short_term(x: Tensor, w: Tensor, b: Tensor, h: Tensor, c: Tensor, forget_bias: float) -> tuple[Tensor, ...]:
    """The states h and c, the gates and tanh(c) of all steps, in the order in which `DynamicRNN` has them."""
    features, hidden = x.shape[2], h.shape[1]

    def step(state: tuple[Tensor, ...], items: tuple[Tensor, ...], shared: tuple[Tensor, ...]) -> Any:
        before, cell = state
        enter, new, forget, leave = chunk(items[0] + matmul(before, shared[0]), 4, -1)
        enter, new, forget, leave = sigmoid(enter), tanh(new), sigmoid(forget + forget_bias), sigmoid(leave)
        cell = forget * cell + enter * new
        bounded = tanh(cell)
        return (leave * bounded, cell), (leave * bounded, cell, enter, new, forget, leave, bounded)

    _, found = scan(step, (h, c), (matmul(x, w[:features]) + b,), (w[features : features + hidden],))
    return found


def _dynamic_rnn(
    self: Any, x: Any, w: Any, b: Any, seq_length: Any = None, init_h: Any = None, init_c: Any = None
) -> tuple[Tensor, ...]:
    """An LSTM over `[T, N, I]` with weights `[I + H, 4 * H]` of the gates input, new, forget and output.

    Returns y, which is h, then h, c, the gates i, j, f and o, and tanh(c), each `[T, N, H]`.
    """
    for attribute, value in _ONLY_LSTM.items():
        only(self, attribute, value)
    if seq_length is not None:
        raise located(ValueError(f"{self.name}: seq_length must be None"))
    given, weights, bias = (as_tensor(self.name, o) for o in (x, w, b))
    hidden = bias.size // 4
    if given.ndim != 3 or weights.shape != (given.shape[2] + hidden, 4 * hidden) or bias.shape != (4 * hidden,):
        specs = f"{given.spec}, {weights.spec} and {bias.spec}"
        raise located(ValueError(f"{self.name}: expected x [T, N, I], w [I + H, 4 * H] and b [4 * H], got {specs}"))
    shape = (1, given.shape[1], hidden)
    states = [zeros(shape, given.dtype) if s is None else as_tensor(self.name, s) for s in (init_h, init_c)]
    for state in states:
        if state.shape != shape:
            raise located(ValueError(f"{self.name}: expected states {shape}, got {state.spec}"))
    found = _long_short_term(given, weights, bias, states[0][0], states[1][0], self.forget_bias)
    return found[0], *found


_ONLY_LSTM: dict[str, Any] = {
    "cell_type": "LSTM", "direction": "UNIDIRECTIONAL", "cell_depth": 1, "use_peephole": False, "keep_prob": 1.0,
    "cell_clip": -1.0, "num_proj": 0, "time_major": True, "activation": "tanh",
}  # fmt: skip


def _dropout_gen_mask(self: Any, shape: Any, keep_prob: Any) -> Tensor:
    """A random bit for each element of a shape, 1 with `keep_prob`; the lowest of each byte first, 16 bytes or more."""
    count = -(-prod(as_ints(self.name, shape)) // 128) * 128
    kept = function("bernoulli")(zeros((count,), int64), keep_prob, seed_of(self.Seed0, self.Seed1))
    places = Tensor([1 << k for k in range(8)], int64)
    return cast((reshape(kept, (count // 8, 8)) * places).sum(1), uint8)


def _dropout_do_mask(self: Any, input_x: Any, mask: Any, keep_prob: Any) -> Tensor:
    """Elements divided by `keep_prob` where the mask of `DropoutGenMask` has a bit, else 0."""
    x = as_tensor(self.name, input_x)
    return select(unpacked(self.name, mask, x.shape), x / cast(as_tensor(self.name, keep_prob), x.dtype), 0.0)


_POOL3D: dict[str, Any] = {"strides": 0, "pads": 0, "output_shape": ()}

_ROWS: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "AdaptiveMaxPool3D": ({}, lambda p, x, output_size: function("adaptive_max_pool3d")(
        x, tuple(output_size.tolist()) if isinstance(output_size, Tensor) else output_size, True
    )),
    "BatchNorm": (
        {"is_training": False, "epsilon": 1e-5, "momentum": 0.1, "data_format": "NCHW"}, _batch_norm
    ),
    "CTCGreedyDecoder": ({"merge_repeated": True}, _greedy_decoder),
    "CTCLossV2": (
        {"blank": 0, "reduction": "none", "zero_infinity": False},
        lambda p, log_probs, targets, input_lengths, target_lengths: function("ctc_loss")(
            log_probs, targets, input_lengths, target_lengths, p.blank, p.reduction, p.zero_infinity
        ),
    ),
    "DeformableOffsets": (
        {
            "strides": REQUIRED, "pads": REQUIRED, "ksize": REQUIRED, "dilations": (1, 1, 1, 1), "data_format": "NCHW",
            "deformable_groups": 1, "modulated": True,
        },
        _deformable_offsets,
    ),
    "DropoutDoMask": ({}, _dropout_do_mask),
    "DropoutGenMask": ({"Seed0": 0, "Seed1": 0}, _dropout_gen_mask),
    "DynamicRNN": ({**_ONLY_LSTM, "forget_bias": 0.0, "is_training": True}, _dynamic_rnn),
    "FlashAttentionScore": (
        {
            "head_num": REQUIRED, "keep_prob": 1.0, "scale_value": 1.0, "pre_tokens": ALL_TOKENS,
            "next_tokens": ALL_TOKENS, "inner_precise": 0, "input_layout": "BSH", "sparse_mode": 0,
        },
        _flash_attention,
    ),
    "MaxPool3DWithArgmax": (
        {
            "ksize": REQUIRED, "strides": REQUIRED, "pads": REQUIRED, "dilation": (1, 1, 1), "ceil_mode": False,
            "data_format": "NCDHW", "argmax_type": int64,
        },
        _max_pool3d_with_argmax,
    ),
    "MaxPoolWithArgmaxV2": (
        {
            "kernel_size": REQUIRED, "strides": None, "pads": 0, "dilation": (1, 1), "ceil_mode": False,
            "argmax_type": int64,
        },
        _max_pool_with_argmax,
    ),
    "MaxUnpool2D": (
        {"ksize": REQUIRED, **_POOL3D, "data_format": "NCHW"}, _max_unpool("max_unpool2d", "NCHW")
    ),
    "MaxUnpool3D": (
        {"ksize": REQUIRED, **_POOL3D, "data_format": "NCDHW"}, _max_unpool("max_unpool3d", "NCDHW")
    ),
    "MultilabelMarginLoss": ({"reduction": "mean"}, _multilabel_margin_loss),
    "ROIAlign": (
        {
            "pooled_height": REQUIRED, "pooled_width": REQUIRED, "spatial_scale": REQUIRED, "sample_num": 2,
            "roi_end_mode": 1,
        },
        _roi_align,
    ),
    "ResizeLinear1D": ({"coordinate_transformation_mode": "align_corners"}, _resize_linear_1d),
    "UpsampleNearest3D": ({}, _upsample("nearest")),
    "UpsampleTrilinear3D": ({"align_corners": False}, _upsample("trilinear")),
}  # fmt: skip

enter({}, _ROWS)
