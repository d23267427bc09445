"""More rows for the table of `graphc.ops.primitives`: scattering, diagonals, blocks, losses, steps of optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.dtype import float32, int32, int64
from graphc.ops import control
from graphc.ops.coerce import as_dtype, as_tensor, cast, full_like
from graphc.ops.one_hot import checked_one_hot
from graphc.ops.primitive_classes import REQUIRED, enter, function, only, seed_of
from graphc.ops.primitives import written
from graphc.ops.selection import with_value
from graphc.ops.shape import reshape
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor

_PLAIN = {
    "AccumulateNV2": "accumulate_n", "Addcdiv": "addcdiv", "Addcmul": "addcmul", "Dense": "dense",
    "DiagPart": "diagonal",
    "Expand": "broadcast_to", "FastGeLU": "fast_gelu", "FastGelu": "fast_gelu", "Fills": "fills", "Fmax": "fmax",
    "Fmin": "fmin", "Gelu": "gelu", "Heaviside": "heaviside", "Hypot": "hypot", "IndexFill": "index_fill",
    "InvertPermutation": "invert_permutation", "LeftShift": "bitwise_left_shift", "LerpScalar": "lerp",
    "MaskedScatter": "masked_scatter", "MatrixBandPart": "matrix_band_part", "MatrixExp": "matrix_exp",
    "NonZero": "nonzero",
    "RightShift": "bitwise_right_shift", "Sinc": "sinc", "StopGradient": "stop_gradient",
    "TensorScatterDiv": "tensor_scatter_div", "TensorScatterMax": "tensor_scatter_max",
    "TensorScatterMin": "tensor_scatter_min", "TensorScatterMul": "tensor_scatter_mul",
    "TensorScatterSub": "tensor_scatter_sub", "Trunc": "trunc", "TruncateMod": "truncate_mod",
    "UnsortedSegmentProd": "unsorted_segment_prod", "Xdivy": "xdivy",
}  # fmt: skip


# What calls do


def _or_zero(function_name: str, other_is_zero: bool) -> Callable[..., Any]:
    """A quotient or product that is 0 where `y` is, even beside infinities."""

    def call(self: Any, x: Any, y: Any) -> Tensor:
        b = as_tensor(self.name, y)
        zero = function("equal")(b, 0)
        safe = function("select")(zero, 1, b) if other_is_zero else b
        result: Tensor = function("select")(
            zero, 0.0, function(function_name)(function("select")(zero, 0, x), safe)
        )  # fmt: skip
        return result

    return call


def _dropout_channels(function_name: str) -> Callable[..., Any]:
    """The result, and a mask of bools that is True where an element is kept."""

    def call(self: Any, x: Any) -> tuple[Tensor, Tensor]:
        operand = as_tensor(self.name, x)
        scale: Tensor = function(function_name)(full_like(operand, 1), 1 - self.keep_prob)
        kept = function("not_equal")(scale, 0)
        return function("select")(kept, operand * scale, 0), kept

    return call


def _embedding_lookup(self: Any, input_params: Any, input_indices: Any, offset: int) -> Tensor:
    """Rows of a part of a table that begins at row `offset`; 0 for those of other parts."""
    table, rows = as_tensor(self.name, input_params), as_tensor(self.name, input_indices) - offset
    inside = function("logical_and")(rows >= 0, rows < table.shape[0])
    found: Tensor = function("gather")(table, function("select")(inside, rows, 0), 0)
    whole = reshape(inside, (*inside.shape, *(1,) * (table.ndim - 1)))
    result: Tensor = function("select")(whole, found, 0)
    return result


def _padding(self: Any, x: Any) -> Tensor:
    """The last axis, of extent 1, filled up with zeros."""
    operand = as_tensor(self.name, x)
    if operand.ndim < 2 or operand.shape[-1] != 1:
        raise located(ValueError(f"Padding: expected [..., 1], got {operand.spec}"))
    result: Tensor = function("pad")(operand, (0, self.pad_dim_size - 1))
    return result


def _reduce_std(self: Any, input_x: Any) -> tuple[Tensor, Tensor]:
    axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
    pair: tuple[Tensor, Tensor] = function("std_mean")(input_x, axis or None, int(self.unbiased), self.keep_dims)
    return pair


def _sparse_cross_entropy(self: Any, logits: Any, labels: Any) -> Tensor:
    """The mean of the cross-entropies; with `is_grad` its gradient."""
    if not self.is_grad:
        loss: Tensor = function("cross_entropy")(logits, labels)
        return loss
    x = as_tensor(self.name, logits)
    own: Tensor = checked_one_hot(labels, x.shape[1], Tensor(1, x.dtype), Tensor(0, x.dtype))
    chances: Tensor = function("softmax")(x)
    return (chances - own) / float(x.shape[0])


def _nms_with_mask(self: Any, bboxes: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes by score, best first, numbered, and which of these stay if those that overlap better ones are left out.

    Eager mode only: what is kept follows one box after the other.
    """
    boxes = as_tensor(self.name, bboxes)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise located(ValueError(f"NMSWithMask: expected [N, 5] (x0, y0, x1, y1, score), got {boxes.spec}"))
    order = function("argsort")(-boxes[:, 4])
    ranked = function("gather")(boxes, order, 0)
    values = with_value(self.name, ranked)
    corners, count = values[:, :4], len(values)
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    kept = [True] * count
    for i in range(count):
        for j in range(i + 1, count) if kept[i] else ():
            width = min(corners[i, 2], corners[j, 2]) - max(corners[i, 0], corners[j, 0])
            height = min(corners[i, 3], corners[j, 3]) - max(corners[i, 1], corners[j, 1])
            shared = max(width, 0) * max(height, 0)
            if shared > self.iou_threshold * (area[i] + area[j] - shared):
                kept[j] = False
    return ranked, Tensor(range(count), int32), Tensor(kept)


def _avg_pool3d(self: Any, x: Any) -> Tensor:
    only(self, "data_format", "NCDHW")
    result: Tensor = function("avg_pool3d")(
        x, self.kernel_size, self.strides, self.pad, self.ceil_mode, self.count_include_pad, self.divisor_override,
        self.pad_mode.lower(),
    )  # fmt: skip
    return result


def _conv2d_transpose(self: Any, out_backprop: Any, filter: Any, input_size: Any) -> Tensor:
    """The gradient of a convolution by its input of shape `input_size`, given that of its result."""
    only(self, "data_format", "NCHW")
    only(self, "mode", 1)
    result: Tensor = function("conv_transpose")(
        out_backprop, filter, None, self.stride, self.pad_mode, self.pad, 0, self.dilation, self.group
    )
    if result.shape != tuple(input_size):
        raise located(ValueError(f"{self.name}: input_size is {tuple(input_size)}, the result is {result.spec}"))
    return result


def _conv3d_transpose(self: Any, dout: Any, weight: Any) -> Tensor:
    only(self, "data_format", "NCDHW")
    only(self, "mode", 1)
    result: Tensor = function("conv_transpose")(
        dout, weight, None, self.stride, self.pad_mode, self.pad, self.output_padding, self.dilation, self.group
    )
    return result


def _resize_nearest(self: Any, x: Any, size: Any) -> Tensor:
    only(self, "align_corners", False)
    only(self, "half_pixel_centers", False)
    result: Tensor = function("interpolate")(x, tuple(size), mode="nearest")
    return result


# Steps of optimizers, which change their Parameters and return what these hold then


def _apply_momentum(
    self: Any, variable: Parameter, accumulation: Parameter, learning_rate: Any, gradient: Any, momentum: Any
) -> Tensor:
    grad = as_tensor(self.name, gradient) * self.gradient_scale if self.gradient_scale != 1.0 else gradient
    moment = control.held(accumulation, accumulation * momentum + grad)
    step = grad + moment * momentum if self.use_nesterov else moment
    return control.held(variable, variable - step * learning_rate)


def _adam(
    self: Any, var: Parameter, m: Parameter, v: Parameter, beta1_power: Any, beta2_power: Any, lr: Any, beta1: Any,
    beta2: Any, epsilon: Any, gradient: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    """Kingma and Ba 2015, with the powers of the betas given."""
    rate = function("sqrt")(as_tensor(self.name, 1.0 - beta2_power)) * lr / (1.0 - beta1_power)
    first = control.held(m, m * beta1 + gradient * (1.0 - beta1))
    second = control.held(v, v * beta2 + gradient * gradient * (1.0 - beta2))
    ahead = first * beta1 + gradient * (1.0 - beta1) if self.use_nesterov else first
    changed = control.held(var, var - rate * ahead / (function("sqrt")(second) + epsilon))
    return changed, first, second


def _apply_adagrad(self: Any, var: Parameter, accum: Parameter, lr: Any, grad: Any) -> tuple[Tensor, Tensor]:
    total = control.held(accum, accum + grad * grad) if self.update_slots else function("identity")(accum)
    return control.held(var, var - grad * lr * function("rsqrt")(total)), total


_REDUCTION: dict[str, Any] = {"reduction": "mean"}
_ALIGN: dict[str, Any] = {"align": "RIGHT_LEFT"}
_SEEDS: dict[str, Any] = {"seed": 0, "seed2": 0}
_CONV: dict[str, Any] = {
    "out_channel": REQUIRED, "kernel_size": REQUIRED, "pad_mode": "valid", "pad": 0, "pad_list": None, "mode": 1,
    "stride": 1, "dilation": 1, "group": 1, "data_format": "NCHW",
}  # fmt: skip

_FORMS = ("sub", "mul", "div", "max", "min")

_WITH_ATTRIBUTES: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    **{
        f"Scatter{form.title()}": ({"use_locking": False}, written(f"scatter_{form}")) for form in _FORMS
    },
    **{
        f"ScatterNd{form.title()}": ({"use_locking": False}, written(f"scatter_nd_{form}")) for form in _FORMS
    },
    "Adam": ({"use_locking": False, "use_nesterov": False}, _adam),
    "AdaptiveAvgPool3D": (
        {"output_size": REQUIRED}, lambda p, x: function("adaptive_avg_pool3d")(x, p.output_size)
    ),
    "AdaptiveMaxPool2D": (
        {"output_size": REQUIRED}, lambda p, x: function("adaptive_max_pool2d")(x, p.output_size, True)
    ),
    "AffineGrid": (
        {"align_corners": False}, lambda p, theta, size: function("affine_grid")(theta, size, p.align_corners)
    ),
    "ApplyAdagrad": ({"update_slots": True}, _apply_adagrad),
    "ApplyGradientDescent": ({}, lambda p, var, alpha, delta: control.held(var, var - delta * alpha)),
    "ApplyMomentum": ({"use_nesterov": False, "use_locking": False, "gradient_scale": 1.0}, _apply_momentum),
    "ApproximateEqual": (
        {"tolerance": 1e-5}, lambda p, x, y: function("approximate_equal")(x, y, p.tolerance)
    ),
    "AvgPool3D": (
        {
            "kernel_size": 1, "strides": 1, "pad_mode": "valid", "pad": 0, "ceil_mode": False,
            "count_include_pad": True, "divisor_override": 0, "data_format": "NCDHW",
        },
        _avg_pool3d,
    ),
    "BatchToSpace": (
        {"block_size": REQUIRED, "crops": REQUIRED},
        lambda p, input_x: function("batch_to_space_nd")(input_x, p.block_size, p.crops),
    ),
    "BatchToSpaceND": (
        {"block_shape": REQUIRED, "crops": REQUIRED},
        lambda p, input_x: function("batch_to_space_nd")(input_x, p.block_shape, p.crops),
    ),
    "CeLU": ({"alpha": 1.0}, lambda p, input_x: function("celu")(input_x, p.alpha)),
    "ChannelShuffle": ({"group": REQUIRED}, lambda p, x: function("channel_shuffle")(x, p.group)),
    "Col2Im": (
        {"kernel_size": REQUIRED, "dilation": 1, "padding": 0, "stride": 1},
        lambda p, x, output_size: function("fold")(x, output_size, p.kernel_size, p.dilation, p.padding, p.stride),
    ),
    "Conv2DBackpropInput": (_CONV, _conv2d_transpose),
    "Conv2DTranspose": (_CONV, _conv2d_transpose),
    "Conv3DTranspose": (
        {
            "in_channel": REQUIRED, "out_channel": REQUIRED, "kernel_size": REQUIRED, "mode": 1, "pad_mode": "valid",
            "pad": 0, "stride": 1, "dilation": 1, "group": 1, "output_padding": 0, "data_format": "NCDHW",
        },
        _conv3d_transpose,
    ),
    "CropAndResize": (
        {"method": "bilinear", "extrapolation_value": 0.0},
        lambda p, x, boxes, box_index, crop_size: function("crop_and_resize")(
            x, boxes, box_index, crop_size, p.method, p.extrapolation_value
        ),
    ),
    "Cross": (
        {"dim": -65530}, lambda p, x1, x2: function("cross")(x1, x2, None if p.dim == -65530 else p.dim)
    ),
    "Cummax": ({"axis": REQUIRED}, lambda p, input: function("cummax")(input, p.axis)),
    "DivNoNan": ({}, _or_zero("div", True)),
    "Dropout2D": ({"keep_prob": 0.5}, _dropout_channels("dropout2d")),
    "Dropout3D": ({"keep_prob": 0.5}, _dropout_channels("dropout3d")),
    "EmbeddingLookup": ({}, _embedding_lookup),
    "EuclideanNorm": (
        {"keep_dims": False}, lambda p, x, axis: function("vector_norm")(x, 2, axis or None, p.keep_dims)
    ),
    "FillV2": ({}, lambda p, shape, value: function("full")(shape, value, dtype=as_tensor("FillV2", value).dtype)),
    "GLU": ({"axis": -1}, lambda p, x: function("glu")(x, p.axis)),
    "GridSampler2D": (
        {"interpolation_mode": "bilinear", "padding_mode": "zeros", "align_corners": False},
        lambda p, input_x, grid: function("grid_sample")(
            input_x, grid, p.interpolation_mode, p.padding_mode, p.align_corners
        ),
    ),
    "GridSampler3D": (
        {"interpolation_mode": "bilinear", "padding_mode": "zeros", "align_corners": False},
        lambda p, input_x, grid: function("grid_sample")(
            input_x, grid, p.interpolation_mode, p.padding_mode, p.align_corners
        ),
    ),
    "IdentityN": ({}, lambda p, x: tuple(function("identity")(t) for t in x)),
    "Im2Col": (
        {"ksizes": REQUIRED, "strides": 1, "dilations": 1, "pads": 0},
        lambda p, x: (lambda columns: reshape(columns, (*x.shape[:2], -1, columns.shape[-1])))(
            function("unfold")(x, p.ksizes, p.dilations, p.pads, p.strides)
        ),
    ),
    "Cholesky": ({"upper": False}, lambda p, input_x: function("cholesky")(input_x, p.upper)),
    "CholeskyInverse": ({"upper": False}, lambda p, input_x: function("cholesky_inverse")(input_x, p.upper)),
    "CholeskySolve": ({"upper": False}, lambda p, x1, x2: function("cholesky_solve")(x1, x2, p.upper)),
    "Qr": (
        {"full_matrices": False},
        lambda p, x: function("qr")(x, "complete" if p.full_matrices else "reduced"),
    ),
    "Svd": (
        {"full_matrices": False, "compute_uv": True},
        lambda p, input: function("svd")(input, p.full_matrices, p.compute_uv),
    ),
    "InTopK": ({"k": REQUIRED}, lambda p, x1, x2: function("intopk")(x1, x2, p.k)),
    "IndexAdd": (
        {"axis": REQUIRED, "use_lock": True, "check_index_bound": True},
        lambda p, x, indices, y: control.held(x, function("index_add")(x, indices, y, p.axis)),
    ),
    "InplaceAdd": ({"indices": REQUIRED}, lambda p, x, input_v: function("inplace_add")(x, input_v, p.indices)),
    "InplaceSub": ({"indices": REQUIRED}, lambda p, x, input_v: function("inplace_sub")(x, input_v, p.indices)),
    "InplaceUpdate": (
        {"indices": REQUIRED}, lambda p, x, v: function("inplace_update")(x, v, p.indices)
    ),
    "IsClose": (
        {"rtol": 1e-5, "atol": 1e-8, "equal_nan": False},
        lambda p, input, other: function("isclose")(input, other, p.rtol, p.atol, p.equal_nan),
    ),
    "LRN": (
        {"depth_radius": 5, "bias": 1.0, "alpha": 1.0, "beta": 0.5, "norm_region": "ACROSS_CHANNELS"},
        lambda p, x: function("lrn")(x, p.depth_radius, p.bias, p.alpha, p.beta, p.norm_region),
    ),
    "Logit": ({"eps": -1.0}, lambda p, x: function("logit")(x, None if p.eps < 0 else p.eps)),
    "MatrixDiagPartV3": (
        _ALIGN, lambda p, x, k, padding_value: function("matrix_diag_part")(x, k, padding_value, p.align)
    ),
    "MatrixDiagV3": (
        _ALIGN,
        lambda p, x, k=0, num_rows=-1, num_cols=-1, padding_value=0: function("matrix_diag")(
            x, k, num_rows, num_cols, padding_value, p.align
        ),
    ),
    "MatrixPower": ({"n": REQUIRED}, lambda p, x: function("matrix_power")(x, p.n)),
    "MatrixSetDiagV3": (
        _ALIGN, lambda p, x, diagonal, k=0: function("matrix_set_diag")(x, diagonal, k, p.align)
    ),
    "MatrixSolve": ({"adjoint": False}, lambda p, matrix, rhs: function("matrix_solve")(matrix, rhs, p.adjoint)),
    "MirrorPad": ({"mode": "REFLECT"}, lambda p, x, paddings: function("mirror_pad")(x, paddings, p.mode)),
    "MulNoNan": ({}, _or_zero("mul", False)),
    "MultiMarginLoss": (
        {"p": 1, "margin": 1.0, **_REDUCTION},
        lambda p, x, target, weight=None: function("multi_margin_loss")(
            x, target, p.p, p.margin, weight, p.reduction
        ),
    ),
    "Multinomial": (
        {**_SEEDS, "dtype": int32},
        lambda p, x, num_samples: cast(
            function("multinomial")(x, num_samples, True, seed_of(p.seed, p.seed2)), as_dtype(p.dtype)
        ),
    ),
    "NMSWithMask": ({"iou_threshold": 0.5}, _nms_with_mask),
    "NanToNum": (
        {"nan": None, "posinf": None, "neginf": None},
        lambda p, x: function("nan_to_num")(x, p.nan, p.posinf, p.neginf),
    ),
    "Pack": ({"axis": 0}, lambda p, input_x: function("stack")(input_x, p.axis)),
    "Padding": ({"pad_dim_size": 8}, _padding),
    "Pdist": ({"p": 2.0}, lambda p, x: function("pdist")(x, p.p)),
    "RandomCategorical": (
        {"dtype": int64},
        lambda p, logits, num_sample, seed=0: function("random_categorical")(logits, num_sample, seed, p.dtype),
    ),
    "RandomShuffle": (_SEEDS, lambda p, x: function("shuffle")(x, seed_of(p.seed, p.seed2))),
    "ReduceStd": ({"axis": (), "unbiased": True, "keep_dims": False}, _reduce_std),
    "Renorm": (
        {"p": REQUIRED, "dim": REQUIRED, "maxnorm": REQUIRED},
        lambda p, x: function("renorm")(x, p.p, p.dim, p.maxnorm),
    ),
    "ResizeNearestNeighborV2": ({"align_corners": False, "half_pixel_centers": False}, _resize_nearest),
    "RmsNorm": ({"epsilon": 1e-6}, lambda p, x, gamma: function("rms_norm")(x, gamma, p.epsilon)),
    "SearchSorted": (
        {"dtype": int64, "right": False},
        lambda p, sorted_sequence, values, sorter=None: cast(
            function("searchsorted")(sorted_sequence, values, right=p.right, sorter=sorter), as_dtype(p.dtype)
        ),
    ),
    "SoftMarginLoss": (
        _REDUCTION, lambda p, logits, labels: function("soft_margin_loss")(logits, labels, p.reduction)
    ),
    "SoftShrink": ({"lambd": 0.5}, lambda p, input: function("soft_shrink")(input, p.lambd)),
    "SpaceToBatch": (
        {"block_size": REQUIRED, "paddings": REQUIRED},
        lambda p, input_x: function("space_to_batch_nd")(input_x, p.block_size, p.paddings),
    ),
    "SpaceToBatchND": (
        {"block_shape": REQUIRED, "paddings": REQUIRED},
        lambda p, input_x: function("space_to_batch_nd")(input_x, p.block_shape, p.paddings),
    ),
    "SparseSoftmaxCrossEntropyWithLogits": ({"is_grad": False}, _sparse_cross_entropy),
    "SquareSumAll": ({}, lambda p, x, y: tuple(function("square")(t).sum() for t in (x, y))),
    "StandardLaplace": (_SEEDS, lambda p, shape: function("standard_laplace")(shape, seed_of(p.seed, p.seed2))),
    "TensorScatterElements": (
        {"axis": 0, "reduction": "none"},
        lambda p, data, indices, updates: function("tensor_scatter_elements")(
            data, indices, updates, p.axis, p.reduction
        ),
    ),
    "TensorShape": ({}, lambda p, input_x: Tensor(as_tensor("TensorShape", input_x).shape, int64)),
    "TrilIndices": (
        {"row": REQUIRED, "col": REQUIRED, "offset": 0, "dtype": int32},
        lambda p: function("tril_indices")(p.row, p.col, p.offset, dtype=p.dtype),
    ),
    "TripletMarginLoss": (
        {"p": 2, "swap": False, "eps": 1e-6, **_REDUCTION},
        lambda p, x, positive, negative, margin: function("triplet_margin_loss")(
            x, positive, negative, margin, p.p, p.eps, p.swap, p.reduction
        ),
    ),
    "TriuIndices": (
        {"row": REQUIRED, "col": REQUIRED, "offset": 0, "dtype": int32},
        lambda p: function("triu_indices")(p.row, p.col, p.offset, dtype=p.dtype),
    ),
    "TruncatedNormal": (
        {"dtype": float32, **_SEEDS},
        lambda p, shape: function("truncated_normal")(
            shape, 0.0, 1.0, -2.0, 2.0, seed_of(p.seed, p.seed2), dtype=p.dtype
        ),
    ),
    "UniqueConsecutive": (
        {"return_inverse": False, "return_counts": False, "dim": None},
        lambda p, x: function("unique_consecutive")(x, p.return_inverse, p.return_counts, p.dim),
    ),
    "Unpack": ({"axis": 0}, lambda p, input_x: function("unstack")(input_x, p.axis)),
}  # fmt: skip

enter(_PLAIN, _WITH_ATTRIBUTES)
