"""MindSpore's older classes: `ops.ReduceSum(keep_dims=True)(x, axis)`, `ops.Add()(x, y)`.

Each is a row of a table: the class's name, its attributes with their defaults, and the function that a call runs, which
is given the object and then the arguments. Rows without attributes name a function of `graphc.ops`, which is looked up
when it is called.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from graphc.dtype import float32, int32, int64
from graphc.ops.axes import as_ints, axis_of
from graphc.ops.coerce import as_tensor, cast, full_like, to_float
from graphc.ops.resize import resize_axes
from graphc.ops.shape import reshape, split_evenly
from graphc.place import located
from graphc.tensor import Tensor


class Primitive:
    """An operation as an object: its attributes are set when it is made, its operands given when it is called.

    Args:
        name: what it is called when it is printed.
    """

    attributes: tuple[str, ...] = ()

    def __init__(self, name: str | None = None) -> None:
        self.name = name or type(self).__name__

    def __call__(self, *args: Any) -> Any:
        raise located(TypeError(f"{self.name}: a bare Primitive computes nothing"))

    @property
    def attrs(self) -> dict[str, Any]:
        """What `add_prim_attr` noted, by name."""
        noted: dict[str, Any] = vars(self).setdefault("_noted", {})
        return noted

    def add_prim_attr(self, name: str, value: Any) -> Primitive:
        """Notes something about the operation, as an attribute of the object and in `attrs`."""
        setattr(self, name, value)
        self.attrs[name] = value
        return self

    def del_prim_attr(self, name: str) -> Primitive:
        """Forgets what `add_prim_attr` noted."""
        delattr(self, name)
        self.attrs.pop(name, None)
        return self

    def init_prim_io_names(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Notes how operands and results are called, as `input_names` and `output_names`."""
        self.add_prim_attr("input_names", list(inputs))
        self.add_prim_attr("output_names", list(outputs))

    def set_prim_instance_name(self, name: str) -> Primitive:
        """Notes how the object is called, as `instance_name`."""
        self.instance_name = name
        return self

    def shard(self, in_strategy: Any = None, out_strategy: Any = None) -> Primitive:
        """Says how several devices should share the work; there is one, which does it all."""
        return self

    def recompute(self, mode: bool = True) -> Primitive:
        """As `Cell.recompute`: what is kept for the backward pass is the compiler's choice."""
        return self

    def __repr__(self) -> str:
        shown = ", ".join(f"{a}={getattr(self, a)}" for a in self.attributes)
        return f"Prim[{self.name}]<{shown}>" if shown else f"Prim[{self.name}]"


class PrimitiveWithInfer(Primitive):
    """What programs derive operations of other devices from, which say how shapes and types follow."""


class PrimitiveWithCheck(Primitive):
    """What programs derive operations of other devices from, which check shapes and types."""


def prim_attr_register(fn: Callable[..., None]) -> Callable[..., None]:
    """Has the `__init__` of a `Primitive` note its arguments by `add_prim_attr` before it does what it does."""
    signature = inspect.signature(fn)

    @functools.wraps(fn)
    def __init__(self: Primitive, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (becomes a method)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        Primitive.__init__(self)
        arguments = dict(list(bound.arguments.items())[1:])
        for name, value in arguments.items():
            self.add_prim_attr(name, value)
        self.attributes = tuple(arguments)
        fn(self, *args, **kwargs)

    return __init__


def _get_cache_prim(cls: type[Primitive]) -> Callable[..., Primitive]:
    """What makes objects of a class of operations; programs that call it in every step keep them in MindSpore."""
    return cls


def _function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module("graphc.ops"), name)
    return function


def _primitive(name: str, attributes: dict[str, Any], call: Callable[..., Any]) -> type[Primitive]:
    """The class of a row of the table. An attribute whose default is `_REQUIRED` must be given."""
    parameters = [
        inspect.Parameter(a, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=d) for a, d in attributes.items()
    ]
    signature = inspect.Signature(parameters)

    def __init__(self: Primitive, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (becomes a method)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise located(TypeError(f"{name}: {error}")) from None
        bound.apply_defaults()
        self.name = name
        vars(self).update(bound.arguments)

    def __call__(self: Primitive, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 (becomes a method)
        return call(self, *args, **kwargs)

    members = {
        "__init__": __init__, "__call__": __call__, "__doc__": f"`{name}` of MindSpore's older API.",
        "attributes": tuple(attributes), "__signature__": signature,
        "__module__": "graphc.ops",  # where pickle finds it
    }  # fmt: skip
    return type(name, (Primitive,), members)


_REQUIRED = inspect.Parameter.empty

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


def _plain_call(function_name: str) -> Callable[..., Any]:
    def call(self: Primitive, *args: Any, **kwargs: Any) -> Any:
        return _function(function_name)(*args, **kwargs)

    return call


# Classes with attributes: what a call does, given the object and the arguments


def _reduce(function_name: str) -> Callable[..., Any]:
    def call(self: Any, x: Any, axis: Any = ()) -> Tensor:
        operand = as_tensor(self.name, x)
        if getattr(self, "skip_mode", False) and isinstance(axis, (tuple, list)) and not axis:
            return operand
        options = {"dtype": operand.dtype} if function_name == "sum" and not operand.dtype.is_bool else {}
        result: Tensor = _function(function_name)(operand, axis, self.keep_dims, **options)
        return result

    return call


def _arg_with_value(function_name: str) -> Callable[..., Any]:
    def call(self: Any, input: Any) -> tuple[Tensor, Tensor]:
        pair: tuple[Tensor, Tensor] = _function(function_name)(input, self.axis, self.keep_dims)
        return pair

    return call


def _arg(function_name: str) -> Callable[..., Any]:
    def call(self: Any, input_x: Any) -> Tensor:
        return cast(_function(function_name)(input_x, self.axis), self.output_type)

    return call


def _matmul(self: Any, x: Any, y: Any) -> Tensor:
    x, y = as_tensor(self.name, x), as_tensor(self.name, y)
    x = x.swapaxes(-1, -2) if self.transpose_a else x
    y = y.swapaxes(-1, -2) if self.transpose_b else y
    result: Tensor = _function("matmul")(x, y)
    return result


def _scan(function_name: str, neutral: int) -> Callable[..., Any]:
    """Running sums or products; `exclusive` leaves out the element itself, `reverse` starts at the end."""

    def call(self: Any, input: Any, axis: int) -> Tensor:
        x = as_tensor(self.name, input)
        x = x.flip(axis) if self.reverse else x
        y: Tensor = _function(function_name)(x, axis, None if x.dtype.is_bool else x.dtype)
        if self.exclusive and x.shape[axis]:
            first = full_like(y.narrow(axis, 0, 1), neutral)
            y = _function("concat")([first, y.narrow(axis, 0, x.shape[axis] - 1)], axis)
        return y.flip(axis) if self.reverse else y

    return call


def _strided_slice(self: Any, input_x: Any, begin: Any, end: Any, strides: Any) -> Tensor:
    masks = {name: getattr(self, name) for name in self.attributes}
    result: Tensor = _function("strided_slice")(input_x, begin, end, strides, **masks)
    return result


def _pad(self: Any, x: Any) -> Tensor:
    pairs = [n for pair in reversed(self.paddings) for n in pair]
    result: Tensor = _function("pad")(x, pairs)
    return result


def _bias_add(self: Any, input_x: Any, bias: Any) -> Tensor:
    _only(self, "data_format", "NCHW")
    x = as_tensor(self.name, input_x)
    return x + reshape(as_tensor(self.name, bias), (-1, *(1,) * (x.ndim - 2)))


def _conv2d(self: Any, x: Any, weight: Any) -> Tensor:
    _only(self, "data_format", "NCHW")
    _only(self, "mode", 1)
    result: Tensor = _function("conv2d")(
        x, weight, None, self.stride, self.pad_mode, self.pad, self.dilation, self.group
    )
    if result.shape[1] != self.out_channel:
        raise located(ValueError(f"Conv2D: out_channel is {self.out_channel}, the weight has {result.shape[1]}"))
    return result


def _pool(function_name: str) -> Callable[..., Any]:
    def call(self: Any, x: Any) -> Tensor:
        _only(self, "data_format", "NCHW")
        result: Tensor = _function(function_name)(x, self.kernel_size, self.strides, pad_mode=self.pad_mode.lower())
        return result

    return call


def _max_pool3d(self: Any, x: Any) -> Tensor:
    _only(self, "data_format", "NCDHW")
    result: Tensor = _function("max_pool3d")(
        x, self.kernel_size, self.strides, self.pad_list, 1, bool(self.ceil_mode), False, self.pad_mode.lower()
    )
    return result


def _softmax_cross_entropy(self: Any, logits: Any, labels: Any) -> tuple[Tensor, Tensor]:
    loss = _function("softmax_cross_entropy_with_logits")(logits, labels)
    return loss, _function("softmax")(logits) - labels


def _nll_loss(self: Any, logits: Any, labels: Any, weight: Any) -> tuple[Tensor, Tensor]:
    loss = _function("nll_loss")(logits, labels, weight, self.ignore_index, self.reduction)
    counted = _function("not_equal")(labels, self.ignore_index)
    chosen = _function("gather")(weight, _function("select")(counted, labels, 0), 0)
    return loss, _function("select")(counted, chosen, 0.0).sum()


def _resize_linear(self: Any, x: Any, size: Any) -> Tensor:
    """Where positions count from the elements' corners, as older networks have it, unless an option says otherwise."""
    image = as_tensor(self.name, x)
    if image.ndim != 4:
        raise located(ValueError(f"{self.name}: expected [N, C, H, W], got {image.type}"))
    if self.align_corners and self.half_pixel_centers:
        raise located(ValueError(f"{self.name}: align_corners and half_pixel_centers exclude each other"))
    if self.align_corners or self.half_pixel_centers:
        result: Tensor = _function("interpolate")(image, size, None, "bilinear", self.align_corners)
        return result
    sizes = as_ints(self.name, size, "size")
    return resize_axes(cast(image, to_float(image.dtype)), sizes, "linear", "asymmetric")


def _resize_nearest(self: Any, input_x: Any) -> Tensor:
    _only(self, "align_corners", False)
    _only(self, "half_pixel_centers", False)
    result: Tensor = _function("interpolate")(input_x, self.size, mode="nearest")
    return result


def _split_v(self: Any, input_x: Any) -> tuple[Tensor, ...]:
    """Parts of these sizes, of which one may be -1: what the others leave."""
    x, sizes = as_tensor(self.name, input_x), list(as_ints(self.name, self.size_splits, "size_splits"))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis_of(self.name, self.split_dim, x.ndim)] - sum(sizes) - 1
    result: tuple[Tensor, ...] = _function("split")(x, sizes, self.split_dim)
    return result


def _only(self: Any, attribute: str, value: Any) -> None:
    """Refuses an attribute's other values."""
    if getattr(self, attribute) != value:
        given = getattr(self, attribute)
        raise located(ValueError(f"{self.name}: {attribute} must be {value!r}, got {given!r}"))


def _float_status(self: Any, x: Any) -> Tensor:
    """`[1.]` if an element is infinite or NaN, `[0.]` if none is."""
    finite = _function("all")(_function("isfinite")(x))
    return reshape(cast(_function("logical_not")(finite), float32), 1)


def _unstack(self: Any, x: Any) -> tuple[Tensor, ...]:
    parts: tuple[Tensor, ...] = _function("unstack")(x, self.axis)
    if self.num is not None and self.num != len(parts):
        raise located(ValueError(f"Unstack: num is {self.num}, but there are {len(parts)} slices"))
    return parts


def _seed(high: int, low: int) -> int | None:
    """The seed of a random class: its two numbers together, or the global one if both are 0."""
    return (int(high) << 32) + int(low) if high or low else None


def _dropout(self: Any, x: Any) -> tuple[Tensor, Tensor]:
    """The result and the mask: 1 where an element is kept."""
    operand = as_tensor(self.name, x)
    scale: Tensor = _function("dropout")(full_like(operand, 1), 1 - self.keep_prob, seed=_seed(self.Seed0, self.Seed1))
    kept = _function("not_equal")(scale, 0)
    return _function("select")(kept, operand * scale, 0), cast(kept, operand.dtype)


def _layer_norm(self: Any, input_x: Any, gamma: Any, beta: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The result, and the mean and variance of what was normalised together, which keep their axes with extent 1."""
    x = as_tensor(self.name, input_x)
    if self.begin_norm_axis % x.ndim != self.begin_params_axis % x.ndim:
        raise located(ValueError("LayerNorm: begin_norm_axis and begin_params_axis must be the same axis"))
    axes = tuple(range(self.begin_norm_axis % x.ndim, x.ndim))
    shape = tuple(x.shape[d] for d in axes)
    return (
        _function("layer_norm")(x, shape, gamma, beta, self.epsilon), x.mean(axes, True), x.var(axes, 0, True)
    )  # fmt: skip


def _scatter(name: str) -> Callable[..., Any]:
    """A Parameter after the function of that name has written to it."""
    return lambda self, input_x, indices, updates: _function(name)(input_x, indices, updates)


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


def _conv2d_transpose(self: Any, out_backprop: Any, filter: Any, input_size: Any) -> Tensor:
    """The gradient of a convolution by its input of shape `input_size`, given that of its result."""
    _only(self, "data_format", "NCHW")
    _only(self, "mode", 1)
    result: Tensor = _function("conv_transpose")(
        out_backprop, filter, None, self.stride, self.pad_mode, self.pad, 0, self.dilation, self.group
    )
    if result.shape != tuple(input_size):
        raise located(ValueError(f"{self.name}: input_size is {tuple(input_size)}, the result is {result.type}"))
    return result


def _conv3d(self: Any, x: Any, weight: Any) -> Tensor:
    _only(self, "data_format", "NCDHW")
    _only(self, "mode", 1)
    result: Tensor = _function("conv3d")(
        x, weight, None, self.stride, self.pad_mode, self.pad, self.dilation, self.group
    )
    return result


_KEEP: dict[str, Any] = {"keep_dims": False}
_CONV: dict[str, Any] = {
    "out_channel": _REQUIRED, "kernel_size": _REQUIRED, "mode": 1, "pad_mode": "valid", "pad": 0, "stride": 1,
    "dilation": 1, "group": 1,
}  # fmt: skip
_SEEDS: dict[str, Any] = {"seed": 0, "seed2": 0}
_POOL: dict[str, Any] = {"kernel_size": 1, "strides": 1, "pad_mode": "valid", "data_format": "NCHW"}

_WITH_ATTRIBUTES: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "AdaptiveAvgPool2D": (
        {"output_size": _REQUIRED}, lambda p, x: _function("adaptive_avg_pool2d")(x, p.output_size)
    ),
    "ArgMaxWithValue": ({"axis": 0, **_KEEP}, _arg_with_value("argmax_with_value")),
    "ArgMinWithValue": ({"axis": 0, **_KEEP}, _arg_with_value("argmin_with_value")),
    "Argmax": ({"axis": -1, "output_type": int32}, _arg("argmax")),
    "Argmin": ({"axis": -1, "output_type": int32}, _arg("argmin")),
    "AvgPool": ({**_POOL, "pad_mode": "VALID"}, _pool("avg_pool2d")),
    "BatchMatMul": ({"transpose_a": False, "transpose_b": False}, _matmul),
    "BCEWithLogitsLoss": (
        {"reduction": "mean"},
        lambda p, logits, label, weight, pos_weight: _function("binary_cross_entropy_with_logits")(
            logits, label, weight, pos_weight, p.reduction
        ),
    ),
    "BiasAdd": ({"data_format": "NCHW"}, _bias_add),
    "BinaryCrossEntropy": (
        {"reduction": "mean"},
        lambda p, input, target, weight=None: _function("binary_cross_entropy")(input, target, weight, p.reduction),
    ),
    "BoundingBoxDecode": (
        {"max_shape": _REQUIRED, "means": (0.0,) * 4, "stds": (1.0,) * 4, "wh_ratio_clip": 0.016},
        lambda p, anchor_box, deltas: _function("bounding_box_decode")(
            anchor_box, deltas, p.max_shape, p.means, p.stds, p.wh_ratio_clip
        ),
    ),
    "BoundingBoxEncode": (
        {"means": (0.0,) * 4, "stds": (1.0,) * 4},
        lambda p, anchor_box, groundtruth_box: _function("bounding_box_encode")(
            anchor_box, groundtruth_box, p.means, p.stds
        ),
    ),
    "BroadcastTo": ({"shape": _REQUIRED}, lambda p, input: _function("broadcast_to")(input, p.shape)),
    "Concat": ({"axis": 0}, lambda p, tensors: _function("concat")(tensors, p.axis)),
    "Cdist": ({"p": 2.0}, lambda p, input_x, input_y: _function("cdist")(input_x, input_y, p.p)),
    "Conv2D": ({**_CONV, "data_format": "NCHW"}, _conv2d),
    "Conv3D": ({**_CONV, "data_format": "NCDHW"}, _conv3d),
    "CountNonZero": (
        {"dims": None},
        lambda p, x: cast(_function("count_nonzero")(x, () if p.dims is None else p.dims), int64),
    ),
    "CumProd": ({"exclusive": False, "reverse": False}, _scan("cumprod", 1)),
    "CumSum": ({"exclusive": False, "reverse": False}, _scan("cumsum", 0)),
    "DepthToSpace": ({"block_size": _REQUIRED}, _depth_to_space),
    "Dropout": ({"keep_prob": 0.5, "Seed0": 0, "Seed1": 0}, _dropout),
    "Einsum": ({"equation": _REQUIRED}, lambda p, inputs: _function("einsum")(p.equation, *inputs)),
    "FloatStatus": ({}, _float_status),
    "Cummin": ({"axis": _REQUIRED}, lambda p, input: _function("cummin")(input, p.axis)),
    "Elu": ({"alpha": 1.0}, lambda p, input_x: _function("elu")(input_x, p.alpha)),
    "Gather": (
        {"batch_dims": 0},
        lambda p, input_params, input_indices, axis: _function("gather")(
            input_params, input_indices, axis, p.batch_dims
        ),
    ),
    "GeLU": ({}, lambda p, x: _function("gelu")(x, "tanh")),
    "HShrink": ({"lambd": 0.5}, lambda p, input_x: _function("hardshrink")(input_x, p.lambd)),
    "IOU": ({"mode": "iou"}, lambda p, anchor_boxes, gt_boxes: _function("iou")(anchor_boxes, gt_boxes, p.mode)),
    "KLDivLoss": (
        {"reduction": "mean"}, lambda p, logits, labels: _function("kl_div")(logits, labels, p.reduction)
    ),
    "LayerNorm": ({"begin_norm_axis": 1, "begin_params_axis": 1, "epsilon": 1e-7}, _layer_norm),
    "LpNorm": (
        {"axis": _REQUIRED, "p": 2, "keep_dims": False, "epsilon": 1e-12},
        lambda p, input: _function("vector_norm")(
            input, p.p, tuple(p.axis) if isinstance(p.axis, list) else p.axis, p.keep_dims
        ),
    ),
    "L2Loss": ({}, lambda p, x: _function("square")(x).sum() / 2),
    "L2Normalize": ({"axis": 0, "epsilon": 1e-4}, lambda p, x: _function("l2_normalize")(x, p.axis, p.epsilon)),
    "LogSoftmax": ({"axis": -1}, lambda p, logits: _function("log_softmax")(logits, p.axis)),
    "MatMul": ({"transpose_a": False, "transpose_b": False}, _matmul),
    "MatrixInverse": (
        {"adjoint": False},
        lambda p, x: _function("inverse")(_function("swapaxes")(x, -1, -2) if p.adjoint else x),
    ),
    "MaxPool": (_POOL, _pool("max_pool2d")),
    "MaxPool3D": (
        {
            "kernel_size": 1, "strides": 1, "pad_mode": "VALID", "pad_list": 0, "ceil_mode": None,
            "data_format": "NCDHW",
        },
        _max_pool3d,
    ),
    "Meshgrid": ({"indexing": "xy"}, lambda p, inputs: _function("meshgrid")(*inputs, indexing=p.indexing)),
    "NLLLoss": ({"reduction": "mean", "ignore_index": -100}, _nll_loss),
    "OneHot": (
        {"axis": -1},
        lambda p, indices, depth, on_value, off_value: _function("one_hot")(
            indices, depth, on_value, off_value, p.axis
        ),
    ),
    "Pad": ({"paddings": _REQUIRED}, _pad),
    "Range": (
        {"maxlen": 1000000}, lambda p, start, end, step: _function("range")(start, end, step, p.maxlen)
    ),
    "ReduceAll": (_KEEP, _reduce("all")),
    "ReduceAny": (_KEEP, _reduce("any")),
    "ReduceMax": (_KEEP, _reduce("amax")),
    "ReduceMean": (_KEEP, _reduce("mean")),
    "ReduceMin": (_KEEP, _reduce("amin")),
    "ReduceProd": (_KEEP, _reduce("prod")),
    "ReduceSum": ({**_KEEP, "skip_mode": False}, _reduce("sum")),
    "ResizeBilinear": (
        {"size": _REQUIRED, "align_corners": False, "half_pixel_centers": False},
        lambda p, x: _resize_linear(p, x, p.size),
    ),
    "ResizeBilinearV2": ({"align_corners": False, "half_pixel_centers": False}, _resize_linear),
    "ResizeNearestNeighbor": (
        {"size": _REQUIRED, "align_corners": False, "half_pixel_centers": False}, _resize_nearest
    ),
    "ReverseSequence": (
        {"seq_dim": _REQUIRED, "batch_dim": 0},
        lambda p, x, seq_lengths: _function("reverse_sequence")(x, seq_lengths, p.seq_dim, p.batch_dim),
    ),
    "ReverseV2": ({"axis": _REQUIRED}, lambda p, input: _function("flip")(input, p.axis)),
    "Roll": ({"shifts": _REQUIRED, "dims": None}, lambda p, input: _function("roll")(input, p.shifts, p.dims)),
    "Round": ({}, lambda p, input, decimals=0: _function("round")(input, decimals=decimals)),
    "ScatterAdd": ({"use_locking": False}, _scatter("scatter_add")),
    "ScatterNdAdd": ({"use_locking": False}, _scatter("scatter_nd_add")),
    "ScatterNdUpdate": ({"use_locking": True}, _scatter("scatter_nd_update")),
    "ScatterUpdate": ({"use_locking": True}, _scatter("scatter_update")),
    "SigmoidCrossEntropyWithLogits": (
        {},
        lambda p, predict, target: _function("binary_cross_entropy_with_logits")(predict, target, reduction="none"),
    ),
    "SmoothL1Loss": (
        {"beta": 1.0, "reduction": "none"},
        lambda p, prediction, target: _function("smooth_l1_loss")(prediction, target, p.beta, p.reduction),
    ),
    "Softmax": ({"axis": -1}, lambda p, input: _function("softmax")(input, p.axis)),
    "SoftmaxCrossEntropyWithLogits": ({}, _softmax_cross_entropy),
    "Sort": ({"axis": -1, "descending": False}, lambda p, x: _function("sort")(x, p.axis, p.descending)),
    "SpaceToDepth": ({"block_size": _REQUIRED}, _space_to_depth),
    "Split": ({"axis": 0, "output_num": 1}, lambda p, x: split_evenly(x, p.axis, p.output_num)),
    "SplitV": (
        {"size_splits": _REQUIRED, "split_dim": _REQUIRED, "num_split": _REQUIRED},
        _split_v,
    ),
    "SquaredDifference": ({}, lambda p, input_x, input_y: _function("square")(_function("sub")(input_x, input_y))),
    "Squeeze": ({"axis": ()}, lambda p, input: _function("squeeze")(input, p.axis)),
    "Stack": ({"axis": 0}, lambda p, x: _function("stack")(x, p.axis)),
    "StandardNormal": (_SEEDS, lambda p, shape: _function("standard_normal")(shape, _seed(p.seed, p.seed2))),
    "StridedSlice": (
        dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0),
        _strided_slice,
    ),
    "TopK": ({"sorted": True}, lambda p, input, k: _function("top_k")(input, k, p.sorted)),
    "Tril": ({"diagonal": 0}, lambda p, x: _function("tril")(x, p.diagonal)),
    "Triu": ({"diagonal": 0}, lambda p, x: _function("triu")(x, p.diagonal)),
    "TruncateDiv": ({}, lambda p, x, y: _function("div")(x, y, rounding_mode="trunc")),
    "UniformInt": (
        _SEEDS,
        lambda p, shape, minval, maxval: _function("randint")(
            minval, maxval, shape, _seed(p.seed, p.seed2), dtype=int32
        ),
    ),
    "UniformReal": (_SEEDS, lambda p, shape: _function("rand")(*shape, seed=_seed(p.seed, p.seed2))),
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
    return _function("identity")(as_tensor(self.name, input))


_WITH_ATTRIBUTES |= {
    "AllReduce": ({"op": ReduceOp.SUM, "group": None}, _alone),
    "AllGather": ({"group": None}, _alone),
    "ReduceScatter": ({"op": ReduceOp.SUM, "group": None}, _alone),
    "Broadcast": ({"root_rank": 0, "group": None}, _alone),
}


PRIMITIVES: dict[str, type[Primitive]] = {
    **{name: _primitive(name, {}, _plain_call(function)) for name, function in _PLAIN.items()},
    **{name: _primitive(name, *row) for name, row in _WITH_ATTRIBUTES.items()},
}
