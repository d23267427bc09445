"""MindSpore's older classes: `ops.ReduceSum(keep_dims=True)(x, axis)`, `ops.Add()(x, y)`.

The tables of which they are made (`graphc.ops.primitive_classes`); the modules whose names begin alike have more rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.dtype import float32, int32, int64
from graphc.ops.axes import as_ints, axis_of
from graphc.ops.coerce import as_tensor, cast, full_like, to_float
from graphc.ops.primitive_classes import REQUIRED, enter, function, only, seed_of
from graphc.ops.resize import resize_axes
from graphc.ops.shape import reshape, split_evenly
from graphc.place import located
from graphc.tensor import Tensor

# Classes without attributes, and the function that each is

_PLAIN = {
    "Abs": "abs", "ACos": "acos", "Acosh": "acosh", "Add": "add", "AddN": "addn", "Asin": "asin", "Asinh": "asinh",
    "Assign": "assign", "AssignAdd": "assign_add", "AssignSub": "assign_sub", "Atan": "atan", "Atan2": "atan2",
    "Atanh": "atanh", "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor",
    "Cast": "cast", "CheckValid": "check_valid", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh",
    "Depend": "depend", "Diag": "diag", "Digamma": "digamma", "Div": "div", "DType": "dtype",
    "Equal": "equal", "Erf": "erf", "Erfc": "erfc", "Erfinv": "erfinv", "Exp": "exp", "ExpandDims": "expand_dims",
    "Expm1": "expm1", "Eye": "eye", "Fill": "fill", "Flatten": "flatten", "Floor": "floor", "FloorDiv": "floor_div",
    "FloorMod": "floor_mod", "GatherD": "gather_d", "GatherNd": "gather_nd", "GatherV2": "gather", "Ger": "ger",
    "Greater": "greater", "GreaterEqual": "greater_equal", "HSigmoid": "hardsigmoid", "HSwish": "hardswish",
    "Identity": "identity", "Inv": "reciprocal", "Invert": "bitwise_not", "IsFinite": "isfinite", "IsInf": "isinf",
    "IsNan": "isnan", "Lerp": "lerp", "Less": "less", "LessEqual": "less_equal", "Lgamma": "lgamma",
    "LinSpace": "linspace", "Log": "log", "Log1p": "log1p", "LogicalAnd": "logical_and", "LogicalNot": "logical_not",
    "LogicalOr": "logical_or", "LogicalXor": "logical_xor", "LogMatrixDeterminant": "slogdet",
    "MaskedFill": "masked_fill", "MaskedSelect": "masked_select", "MatrixDeterminant": "det",
    "Maximum": "maximum", "Minimum": "minimum", "Mish": "mish", "Mod": "fmod", "Mul": "mul",
    "Neg": "neg", "NotEqual": "not_equal", "Ones": "ones", "OnesLike": "ones_like", "Partial": "partial", "Pow": "pow",
    "PReLU": "prelu", "Rank": "rank", "RealDiv": "div", "Reciprocal": "reciprocal", "ReLU": "relu",
    "ReLU6": "relu6", "Reshape": "reshape", "Rint": "round", "Rsqrt": "rsqrt", "ScalarToArray": "scalar_to_tensor",
    "ScalarToTensor": "scalar_to_tensor", "ScatterNd": "scatter_nd", "Select": "select", "SeLU": "selu",
    "Shape": "shape", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Size": "size",
    "Slice": "slice", "Softplus": "softplus", "Softsign": "softsign", "Sqrt": "sqrt", "Square": "square", "Sub": "sub",
    "Tan": "tan", "Tanh": "tanh", "TensorAdd": "add", "TensorScatterAdd": "tensor_scatter_add",
    "TensorScatterUpdate": "tensor_scatter_update", "Tile": "tile", "Trace": "trace", "Transpose": "transpose",
    "Unique": "unique", "UnsortedSegmentMax": "unsorted_segment_max", "UnsortedSegmentMin": "unsorted_segment_min",
    "UnsortedSegmentSum": "unsorted_segment_sum", "Xlogy": "xlogy", "Zeros": "zeros", "ZerosLike": "zeros_like",
}  # fmt: skip


# Classes with attributes: what a call does, given the object and the arguments


def _reduce(function_name: str) -> Callable[..., Any]:
    def call(self: Any, x: Any, axis: Any = ()) -> Tensor:
        operand = as_tensor(self.name, x)
        if getattr(self, "skip_mode", False) and isinstance(axis, (tuple, list)) and not axis:
            return operand
        options = {"dtype": operand.dtype} if function_name == "sum" and not operand.dtype.is_bool else {}
        result: Tensor = function(function_name)(operand, axis, self.keep_dims, **options)
        return result

    return call


def _arg_with_value(function_name: str) -> Callable[..., Any]:
    def call(self: Any, input: Any) -> tuple[Tensor, Tensor]:
        pair: tuple[Tensor, Tensor] = function(function_name)(input, self.axis, self.keep_dims)
        return pair

    return call


def _arg(function_name: str) -> Callable[..., Any]:
    def call(self: Any, input_x: Any) -> Tensor:
        return cast(function(function_name)(input_x, self.axis), self.output_type)

    return call


def _matmul(self: Any, x: Any, y: Any) -> Tensor:
    x, y = as_tensor(self.name, x), as_tensor(self.name, y)
    x = x.swapaxes(-1, -2) if self.transpose_a else x
    y = y.swapaxes(-1, -2) if self.transpose_b else y
    result: Tensor = function("matmul")(x, y)
    return result


def _scan(function_name: str, neutral: int) -> Callable[..., Any]:
    """Running sums or products; `exclusive` leaves out the element itself, `reverse` starts at the end."""

    def call(self: Any, input: Any, axis: int) -> Tensor:
        x = as_tensor(self.name, input)
        x = x.flip(axis) if self.reverse else x
        y: Tensor = function(function_name)(x, axis, None if x.dtype.is_bool else x.dtype)
        if self.exclusive and x.shape[axis]:
            first = full_like(y.narrow(axis, 0, 1), neutral)
            y = function("concat")([first, y.narrow(axis, 0, x.shape[axis] - 1)], axis)
        return y.flip(axis) if self.reverse else y

    return call


def _strided_slice(self: Any, input_x: Any, begin: Any, end: Any, strides: Any) -> Tensor:
    masks = {name: getattr(self, name) for name in self.attributes}
    result: Tensor = function("strided_slice")(input_x, begin, end, strides, **masks)
    return result


def _pad(self: Any, x: Any) -> Tensor:
    pairs = [n for pair in reversed(self.paddings) for n in pair]
    result: Tensor = function("pad")(x, pairs)
    return result


def _bias_add(self: Any, input_x: Any, bias: Any) -> Tensor:
    only(self, "data_format", "NCHW")
    x = as_tensor(self.name, input_x)
    return x + reshape(as_tensor(self.name, bias), (-1, *(1,) * (x.ndim - 2)))


def _conv2d(self: Any, x: Any, weight: Any) -> Tensor:
    only(self, "data_format", "NCHW")
    only(self, "mode", 1)
    result: Tensor = function("conv2d")(
        x, weight, None, self.stride, self.pad_mode, self.pad, self.dilation, self.group
    )
    if result.shape[1] != self.out_channel:
        raise located(ValueError(f"Conv2D: out_channel is {self.out_channel}, the weight has {result.shape[1]}"))
    return result


def _pool(function_name: str) -> Callable[..., Any]:
    def call(self: Any, x: Any) -> Tensor:
        only(self, "data_format", "NCHW")
        result: Tensor = function(function_name)(x, self.kernel_size, self.strides, pad_mode=self.pad_mode.lower())
        return result

    return call


def _max_pool3d(self: Any, x: Any) -> Tensor:
    only(self, "data_format", "NCDHW")
    result: Tensor = function("max_pool3d")(
        x, self.kernel_size, self.strides, self.pad_list, 1, bool(self.ceil_mode), False, self.pad_mode.lower()
    )
    return result


def _softmax_cross_entropy(self: Any, logits: Any, labels: Any) -> tuple[Tensor, Tensor]:
    loss = function("softmax_cross_entropy_with_logits")(logits, labels)
    return loss, function("softmax")(logits) - labels


def _nll_loss(self: Any, logits: Any, labels: Any, weight: Any) -> tuple[Tensor, Tensor]:
    loss = function("nll_loss")(logits, labels, weight, self.ignore_index, self.reduction)
    counted = function("not_equal")(labels, self.ignore_index)
    chosen = function("gather")(weight, function("select")(counted, labels, 0), 0)
    return loss, function("select")(counted, chosen, 0.0).sum()


def _resize_linear(self: Any, x: Any, size: Any) -> Tensor:
    """Where positions count from the elements' corners, as older networks have it, unless an option says otherwise."""
    image = as_tensor(self.name, x)
    if image.ndim != 4:
        raise located(ValueError(f"{self.name}: expected [N, C, H, W], got {image.spec}"))
    if self.align_corners and self.half_pixel_centers:
        raise located(ValueError(f"{self.name}: align_corners and half_pixel_centers exclude each other"))
    if self.align_corners or self.half_pixel_centers:
        result: Tensor = function("interpolate")(image, size, None, "bilinear", self.align_corners)
        return result
    sizes = as_ints(self.name, size, "size")
    return resize_axes(cast(image, to_float(image.dtype)), sizes, "linear", "asymmetric")


def _resize_nearest(self: Any, input_x: Any) -> Tensor:
    only(self, "align_corners", False)
    only(self, "half_pixel_centers", False)
    result: Tensor = function("interpolate")(input_x, self.size, mode="nearest")
    return result


def _split_v(self: Any, input_x: Any) -> tuple[Tensor, ...]:
    """Parts of these sizes, of which one may be -1: what the others leave."""
    x, sizes = as_tensor(self.name, input_x), list(as_ints(self.name, self.size_splits, "size_splits"))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis_of(self.name, self.split_dim, x.ndim)] - sum(sizes) - 1
    result: tuple[Tensor, ...] = function("split")(x, sizes, self.split_dim)
    return result


def _float_status(self: Any, x: Any) -> Tensor:
    """`[1.]` if an element is infinite or NaN, `[0.]` if none is."""
    finite = function("all")(function("isfinite")(x))
    return reshape(cast(function("logical_not")(finite), float32), 1)


def _unstack(self: Any, x: Any) -> tuple[Tensor, ...]:
    parts: tuple[Tensor, ...] = function("unstack")(x, self.axis)
    if self.num is not None and self.num != len(parts):
        raise located(ValueError(f"Unstack: num is {self.num}, but there are {len(parts)} slices"))
    return parts


def _dropout(self: Any, x: Any) -> tuple[Tensor, Tensor]:
    """The result and the mask: 1 where an element is kept."""
    operand = as_tensor(self.name, x)
    scale: Tensor = function("dropout")(full_like(operand, 1), 1 - self.keep_prob, seed=seed_of(self.Seed0, self.Seed1))
    kept = function("not_equal")(scale, 0)
    return function("select")(kept, operand * scale, 0), cast(kept, operand.dtype)


def _layer_norm(self: Any, input_x: Any, gamma: Any, beta: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The result, and the mean and variance of what was normalised together, which keep their axes with extent 1."""
    x = as_tensor(self.name, input_x)
    if self.begin_norm_axis % x.ndim != self.begin_params_axis % x.ndim:
        raise located(ValueError("LayerNorm: begin_norm_axis and begin_params_axis must be the same axis"))
    axes = tuple(range(self.begin_norm_axis % x.ndim, x.ndim))
    shape = tuple(x.shape[d] for d in axes)
    return (
        function("layer_norm")(x, shape, gamma, beta, self.epsilon), x.mean(axes, True), x.var(axes, 0, True)
    )  # fmt: skip


def written(name: str) -> Callable[..., Any]:
    """A Parameter after the function of that name has written to it."""
    return lambda self, input_x, indices, updates: function(name)(input_x, indices, updates)


def _depth_to_space(self: Any, x: Any) -> Tensor:
    """`[N, b * b * C, H, W]` to `[N, C, H * b, W * b]`: the channel's first part says where in the block."""
    b = self.block_size
    n, c, h, w = as_tensor(self.name, x).shape
    blocks = reshape(x, (n, b, b, c // (b * b), h, w))
    return reshape(blocks.transpose(0, 3, 4, 1, 5, 2), (n, c // (b * b), h * b, w * b))


def _space_to_depth(self: Any, x: Any) -> Tensor:
    """`[N, C, H * b, W * b]` to `[N, b * b * C, H, W]`, the inverse of DepthToSpace."""
    b = self.block_size
    n, c, h, w = as_tensor(self.name, x).shape
    blocks = reshape(x, (n, c, h // b, b, w // b, b))
    return reshape(blocks.transpose(0, 3, 5, 1, 2, 4), (n, c * b * b, h // b, w // b))


def _conv3d(self: Any, x: Any, weight: Any) -> Tensor:
    only(self, "data_format", "NCDHW")
    only(self, "mode", 1)
    result: Tensor = function("conv3d")(
        x, weight, None, self.stride, self.pad_mode, self.pad, self.dilation, self.group
    )
    return result


_KEEP: dict[str, Any] = {"keep_dims": False}
_CONV: dict[str, Any] = {
    "out_channel": REQUIRED, "kernel_size": REQUIRED, "mode": 1, "pad_mode": "valid", "pad": 0, "stride": 1,
    "dilation": 1, "group": 1,
}  # fmt: skip
_SEEDS: dict[str, Any] = {"seed": 0, "seed2": 0}
_POOL: dict[str, Any] = {"kernel_size": 1, "strides": 1, "pad_mode": "valid", "data_format": "NCHW"}

_WITH_ATTRIBUTES: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "AdaptiveAvgPool2D": (
        {"output_size": REQUIRED}, lambda p, x: function("adaptive_avg_pool2d")(x, p.output_size)
    ),
    "ArgMaxWithValue": ({"axis": 0, **_KEEP}, _arg_with_value("argmax_with_value")),
    "ArgMinWithValue": ({"axis": 0, **_KEEP}, _arg_with_value("argmin_with_value")),
    "Argmax": ({"axis": -1, "output_type": int32}, _arg("argmax")),
    "Argmin": ({"axis": -1, "output_type": int32}, _arg("argmin")),
    "AvgPool": ({**_POOL, "pad_mode": "VALID"}, _pool("avg_pool2d")),
    "BatchMatMul": ({"transpose_a": False, "transpose_b": False}, _matmul),
    "BCEWithLogitsLoss": (
        {"reduction": "mean"},
        lambda p, logits, label, weight, pos_weight: function("binary_cross_entropy_with_logits")(
            logits, label, weight, pos_weight, p.reduction
        ),
    ),
    "BiasAdd": ({"data_format": "NCHW"}, _bias_add),
    "BinaryCrossEntropy": (
        {"reduction": "mean"},
        lambda p, input, target, weight=None: function("binary_cross_entropy")(input, target, weight, p.reduction),
    ),
    "BoundingBoxDecode": (
        {"max_shape": REQUIRED, "means": (0.0,) * 4, "stds": (1.0,) * 4, "wh_ratio_clip": 0.016},
        lambda p, anchor_box, deltas: function("bounding_box_decode")(
            anchor_box, deltas, p.max_shape, p.means, p.stds, p.wh_ratio_clip
        ),
    ),
    "BoundingBoxEncode": (
        {"means": (0.0,) * 4, "stds": (1.0,) * 4},
        lambda p, anchor_box, groundtruth_box: function("bounding_box_encode")(
            anchor_box, groundtruth_box, p.means, p.stds
        ),
    ),
    "BroadcastTo": ({"shape": REQUIRED}, lambda p, input: function("broadcast_to")(input, p.shape)),
    "Concat": ({"axis": 0}, lambda p, tensors: function("concat")(tensors, p.axis)),
    "Cdist": ({"p": 2.0}, lambda p, input_x, input_y: function("cdist")(input_x, input_y, p.p)),
    "Conv2D": ({**_CONV, "data_format": "NCHW"}, _conv2d),
    "Conv3D": ({**_CONV, "data_format": "NCDHW"}, _conv3d),
    "CountNonZero": (
        {"dims": None},
        lambda p, x: cast(function("count_nonzero")(x, () if p.dims is None else p.dims), int64),
    ),
    "CumProd": ({"exclusive": False, "reverse": False}, _scan("cumprod", 1)),
    "CumSum": ({"exclusive": False, "reverse": False}, _scan("cumsum", 0)),
    "DepthToSpace": ({"block_size": REQUIRED}, _depth_to_space),
    "Dropout": ({"keep_prob": 0.5, "Seed0": 0, "Seed1": 0}, _dropout),
    "Einsum": ({"equation": REQUIRED}, lambda p, inputs: function("einsum")(p.equation, *inputs)),
    "FloatStatus": ({}, _float_status),
    "Cummin": ({"axis": REQUIRED}, lambda p, input: function("cummin")(input, p.axis)),
    "Elu": ({"alpha": 1.0}, lambda p, input_x: function("elu")(input_x, p.alpha)),
    "Gather": (
        {"batch_dims": 0},
        lambda p, input_params, input_indices, axis: function("gather")(
            input_params, input_indices, axis, p.batch_dims
        ),
    ),
    "GeLU": ({}, lambda p, x: function("gelu")(x, "tanh")),
    "HShrink": ({"lambd": 0.5}, lambda p, input_x: function("hardshrink")(input_x, p.lambd)),
    "IOU": ({"mode": "iou"}, lambda p, anchor_boxes, gt_boxes: function("iou")(anchor_boxes, gt_boxes, p.mode)),
    "KLDivLoss": (
        {"reduction": "mean"}, lambda p, logits, labels: function("kl_div")(logits, labels, p.reduction)
    ),
    "LayerNorm": ({"begin_norm_axis": 1, "begin_params_axis": 1, "epsilon": 1e-7}, _layer_norm),
    "LpNorm": (
        {"axis": REQUIRED, "p": 2, "keep_dims": False, "epsilon": 1e-12},
        lambda p, input: function("vector_norm")(
            input, p.p, tuple(p.axis) if isinstance(p.axis, list) else p.axis, p.keep_dims
        ),
    ),
    "L2Loss": ({}, lambda p, x: function("square")(x).sum() / 2),
    "L2Normalize": ({"axis": 0, "epsilon": 1e-4}, lambda p, x: function("l2_normalize")(x, p.axis, p.epsilon)),
    "LogSoftmax": ({"axis": -1}, lambda p, logits: function("log_softmax")(logits, p.axis)),
    "MatMul": ({"transpose_a": False, "transpose_b": False}, _matmul),
    "MatrixInverse": (
        {"adjoint": False},
        lambda p, x: function("inverse")(function("swapaxes")(x, -1, -2) if p.adjoint else x),
    ),
    "MaxPool": (_POOL, _pool("max_pool2d")),
    "MaxPool3D": (
        {
            "kernel_size": 1, "strides": 1, "pad_mode": "VALID", "pad_list": 0, "ceil_mode": None,
            "data_format": "NCDHW",
        },
        _max_pool3d,
    ),
    "Meshgrid": ({"indexing": "xy"}, lambda p, inputs: function("meshgrid")(*inputs, indexing=p.indexing)),
    "NLLLoss": ({"reduction": "mean", "ignore_index": -100}, _nll_loss),
    "OneHot": (
        {"axis": -1},
        lambda p, indices, depth, on_value, off_value: function("one_hot")(
            indices, depth, on_value, off_value, p.axis
        ),
    ),
    "Pad": ({"paddings": REQUIRED}, _pad),
    "Range": (
        {"maxlen": 1000000}, lambda p, start, end, step: function("range")(start, end, step, p.maxlen)
    ),
    "ReduceAll": (_KEEP, _reduce("all")),
    "ReduceAny": (_KEEP, _reduce("any")),
    "ReduceMax": (_KEEP, _reduce("amax")),
    "ReduceMean": (_KEEP, _reduce("mean")),
    "ReduceMin": (_KEEP, _reduce("amin")),
    "ReduceProd": (_KEEP, _reduce("prod")),
    "ReduceSum": ({**_KEEP, "skip_mode": False}, _reduce("sum")),
    "ResizeBilinear": (
        {"size": REQUIRED, "align_corners": False, "half_pixel_centers": False},
        lambda p, x: _resize_linear(p, x, p.size),
    ),
    "ResizeBilinearV2": ({"align_corners": False, "half_pixel_centers": False}, _resize_linear),
    "ResizeNearestNeighbor": (
        {"size": REQUIRED, "align_corners": False, "half_pixel_centers": False}, _resize_nearest
    ),
    "ReverseSequence": (
        {"seq_dim": REQUIRED, "batch_dim": 0},
        lambda p, x, seq_lengths: function("reverse_sequence")(x, seq_lengths, p.seq_dim, p.batch_dim),
    ),
    "ReverseV2": ({"axis": REQUIRED}, lambda p, input: function("flip")(input, p.axis)),
    "Roll": ({"shifts": REQUIRED, "dims": None}, lambda p, input: function("roll")(input, p.shifts, p.dims)),
    "Round": ({}, lambda p, input, decimals=0: function("round")(input, decimals=decimals)),
    "ScatterAdd": ({"use_locking": False}, written("scatter_add")),
    "ScatterNdAdd": ({"use_locking": False}, written("scatter_nd_add")),
    "ScatterNdUpdate": ({"use_locking": True}, written("scatter_nd_update")),
    "ScatterUpdate": ({"use_locking": True}, written("scatter_update")),
    "SigmoidCrossEntropyWithLogits": (
        {},
        lambda p, predict, target: function("binary_cross_entropy_with_logits")(predict, target, reduction="none"),
    ),
    "SmoothL1Loss": (
        {"beta": 1.0, "reduction": "none"},
        lambda p, prediction, target: function("smooth_l1_loss")(prediction, target, p.beta, p.reduction),
    ),
    "Softmax": ({"axis": -1}, lambda p, input: function("softmax")(input, p.axis)),
    "SoftmaxCrossEntropyWithLogits": ({}, _softmax_cross_entropy),
    "Sort": ({"axis": -1, "descending": False}, lambda p, x: function("sort")(x, p.axis, p.descending)),
    "SpaceToDepth": ({"block_size": REQUIRED}, _space_to_depth),
    "Split": ({"axis": 0, "output_num": 1}, lambda p, x: split_evenly(x, p.axis, p.output_num)),
    "SplitV": (
        {"size_splits": REQUIRED, "split_dim": REQUIRED, "num_split": REQUIRED},
        _split_v,
    ),
    "SquaredDifference": ({}, lambda p, input_x, input_y: function("square")(function("sub")(input_x, input_y))),
    "Squeeze": ({"axis": ()}, lambda p, input: function("squeeze")(input, p.axis)),
    "Stack": ({"axis": 0}, lambda p, x: function("stack")(x, p.axis)),
    "StandardNormal": (_SEEDS, lambda p, shape: function("standard_normal")(shape, seed_of(p.seed, p.seed2))),
    "StridedSlice": (
        dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0),
        _strided_slice,
    ),
    "TopK": ({"sorted": True}, lambda p, input, k: function("top_k")(input, k, p.sorted)),
    "Tril": ({"diagonal": 0}, lambda p, x: function("tril")(x, p.diagonal)),
    "Triu": ({"diagonal": 0}, lambda p, x: function("triu")(x, p.diagonal)),
    "TruncateDiv": ({}, lambda p, x, y: function("div")(x, y, rounding_mode="trunc")),
    "UniformInt": (
        _SEEDS,
        lambda p, shape, minval, maxval: function("randint")(
            minval, maxval, shape, seed_of(p.seed, p.seed2), dtype=int32
        ),
    ),
    "UniformReal": (_SEEDS, lambda p, shape: function("rand")(*shape, seed=seed_of(p.seed, p.seed2))),
    "Unstack": ({"axis": 0, "num": None}, _unstack),
}  # fmt: skip


class ReduceOp:
    """What a collective operation makes of the tensors of all processes."""

    SUM, MAX, MIN, PROD = "sum", "max", "min", "prod"


def _alone(self: Any, input: Any) -> Any:
    """A collective operation of one process: what it puts in comes out."""
    reduction = getattr(self, "op", ReduceOp.SUM)
    if reduction not in ("sum", "max", "min", "prod"):
        raise located(ValueError(f"{self.name}: op must be 'sum', 'max', 'min' or 'prod', got {reduction!r}"))
    if isinstance(input, (tuple, list)):
        return tuple(_alone(self, item) for item in input)
    return function("identity")(as_tensor(self.name, input))


_WITH_ATTRIBUTES |= {
    "AllReduce": ({"op": ReduceOp.SUM, "group": None}, _alone),
    "AllGather": ({"group": None}, _alone),
    "ReduceScatter": ({"op": ReduceOp.SUM, "group": None}, _alone),
    "Broadcast": ({"root_rank": 0, "group": None}, _alone),
}


enter(_PLAIN, _WITH_ATTRIBUTES)
