"""`graphc.mint.nn`: layers and losses under PyTorch's names, arguments and defaults."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from graphc import aliases, nn, ops
from graphc.dtype import float32
from graphc.initializer import Normal, Uniform, initializer
from graphc.mint.nn import functional
from graphc.nn import (
    BCELoss,
    Cell,
    ConstantPad1d,
    ConstantPad2d,
    ConstantPad3d,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    Identity,
    L1Loss,
    MSELoss,
    NLLLoss,
    PixelShuffle,
    ReflectionPad1d,
    ReflectionPad2d,
    ReflectionPad3d,
    ReplicationPad1d,
    ReplicationPad2d,
    ReplicationPad3d,
    SoftMarginLoss,
    ZeroPad2d,
)
from graphc.nn.layer import Layer
from graphc.nn.padding import ZeroPad1d, ZeroPad3d
from graphc.ops.axes import as_ints
from graphc.ops.conv import per_dimension
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "ELU", "GELU", "GLU", "SELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d",
    "BatchNorm2d", "BatchNorm3d", "Cell", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "Conv1d", "Conv2d",
    "Conv3d", "ConvTranspose2d", "CosineEmbeddingLoss", "CrossEntropyLoss", "Dropout", "Dropout2d", "Embedding",
    "Flatten", "Fold", "GroupNorm", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "KLDivLoss",
    "L1Loss", "LayerNorm", "Linear", "LogSigmoid", "LogSoftmax", "MSELoss", "MaxPool2d", "MaxUnpool2d", "Mish",
    "NLLLoss", "PReLU", "PixelShuffle", "ReLU", "ReLU6", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d",
    "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "SiLU", "Sigmoid", "SmoothL1Loss", "SoftMarginLoss",
    "Softmax", "Softshrink", "Tanh", "Threshold", "Unfold", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
    "ZeroPad1d", "ZeroPad2d", "ZeroPad3d", "functional",
]  # fmt: skip


# Layers without Parameters: a function and its options


def _layer(name: str, function: Callable[..., Any], **defaults: Any) -> type[Cell]:
    """A Cell that applies a function to its inputs with options given when it is made.

    Args:
        defaults: the options, in order; one whose default is `...` must be given.
    """
    empty = inspect.Parameter.empty
    parameters = [
        inspect.Parameter(option, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=empty if d is ... else d)
        for option, d in defaults.items()
    ]
    signature = inspect.Signature(parameters)

    def __init__(self: Cell, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (becomes a method)
        Cell.__init__(self)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise located(TypeError(f"{name}: {error}")) from None
        bound.apply_defaults()
        for option, value in bound.arguments.items():
            setattr(self, option, value)

    def construct(self: Any, *inputs: Any) -> Any:
        return function(*inputs, **{option: getattr(self, option) for option in defaults})

    def extend_repr(self: Any) -> str:
        return ", ".join(f"{option}={getattr(self, option)!r}" for option in defaults)

    members = {
        "__init__": __init__, "construct": construct, "extend_repr": extend_repr, "__signature__": signature,
        "__module__": __name__, "__doc__": f"A layer: {function.__doc__}",
    }  # fmt: skip
    return type(name, (Layer,), members)


_F = functional
_POOLING: dict[str, Any] = {
    "kernel_size": ..., "stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True,
}  # fmt: skip

AdaptiveAvgPool1d = _layer("AdaptiveAvgPool1d", ops.adaptive_avg_pool1d, output_size=...)
AdaptiveAvgPool2d = _layer("AdaptiveAvgPool2d", ops.adaptive_avg_pool2d, output_size=...)
AdaptiveAvgPool3d = _layer("AdaptiveAvgPool3d", ops.adaptive_avg_pool3d, output_size=...)
AdaptiveMaxPool1d = _layer("AdaptiveMaxPool1d", ops.adaptive_max_pool1d, output_size=..., return_indices=False)
AdaptiveMaxPool2d = _layer("AdaptiveMaxPool2d", ops.adaptive_max_pool2d, output_size=..., return_indices=False)
AvgPool1d = _layer("AvgPool1d", _F.avg_pool1d, **_POOLING)
AvgPool2d = _layer("AvgPool2d", _F.avg_pool2d, **_POOLING, divisor_override=None)
AvgPool3d = _layer("AvgPool3d", _F.avg_pool3d, **_POOLING, divisor_override=None)
ELU = _layer("ELU", _F.elu, alpha=1.0, inplace=False)
Flatten = _layer("Flatten", _F.flatten, start_dim=1, end_dim=-1)
Fold = _layer("Fold", _F.fold, output_size=..., kernel_size=..., dilation=1, padding=0, stride=1)
GELU = _layer("GELU", _F.gelu, approximate="none")
GLU = _layer("GLU", _F.glu, dim=-1)
Hardshrink = _layer("Hardshrink", _F.hardshrink, lambd=0.5)
Hardsigmoid = _layer("Hardsigmoid", _F.hardsigmoid)
Hardswish = _layer("Hardswish", _F.hardswish)
Hardtanh = _layer("Hardtanh", _F.hardtanh, min_val=-1.0, max_val=1.0, inplace=False)
LogSigmoid = _layer("LogSigmoid", _F.logsigmoid)
LogSoftmax = _layer("LogSoftmax", _F.log_softmax, dim=None)
MaxPool2d = _layer(
    "MaxPool2d", _F.max_pool2d, kernel_size=1, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False
)
MaxUnpool2d = _layer("MaxUnpool2d", _F.max_unpool2d, kernel_size=..., stride=None, padding=0)
Mish = _layer("Mish", _F.mish)
ReLU = _layer("ReLU", _F.relu)
ReLU6 = _layer("ReLU6", _F.relu6, inplace=False)
SELU = _layer("SELU", _F.selu)
SiLU = _layer("SiLU", _F.silu, inplace=False)
Sigmoid = _layer("Sigmoid", _F.sigmoid)
Softmax = _layer("Softmax", _F.softmax, dim=None)
Softshrink = _layer("Softshrink", _F.softshrink, lambd=0.5)
Tanh = _layer("Tanh", _F.tanh)
Threshold = _layer("Threshold", _F.threshold, threshold=..., value=..., inplace=False)
Unfold = _layer("Unfold", _F.unfold, kernel_size=..., dilation=1, padding=0, stride=1)
Upsample = _layer(
    "Upsample", _F.interpolate, size=None, scale_factor=None, mode="nearest", align_corners=None,
    recompute_scale_factor=None,
)  # fmt: skip
KLDivLoss = _layer("KLDivLoss", _F.kl_div, reduction="mean", log_target=False)
SmoothL1Loss = _layer("SmoothL1Loss", _F.smooth_l1_loss, reduction="mean", beta=1.0)
BCEWithLogitsLoss = _layer(
    "BCEWithLogitsLoss", _F.binary_cross_entropy_with_logits, weight=None, reduction="mean", pos_weight=None
)
UpsamplingNearest2d = _layer(
    "UpsamplingNearest2d", lambda x, **size: _F.interpolate(x, mode="nearest", **size), size=None, scale_factor=None
)
UpsamplingBilinear2d = _layer(
    "UpsamplingBilinear2d", lambda x, **size: _F.interpolate(x, mode="bilinear", align_corners=True, **size), size=None,
    scale_factor=None,
)  # fmt: skip


class _Dropout(Layer):
    operation: Callable[..., Tensor]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p must be in [0, 1], got {p!r}")
        self.p, self.inplace = p, inplace

    def _draws(self) -> bool:
        return self.training and 0 < self.p < 1

    def construct(self, input: Tensor) -> Tensor:
        return type(self).operation(input, self.p, self.training, self.inplace)

    def extend_repr(self) -> str:
        return f"p={self.p}"


class Dropout(_Dropout):
    """Elements set to 0 with the probability `p` in training, the others divided by `1 - p`."""

    operation = staticmethod(functional.dropout)


class Dropout2d(_Dropout):
    """Channels of `[N, C, H, W]` set to 0 with the probability `p` in training, the others divided by `1 - p`."""

    operation = staticmethod(functional.dropout2d)


# Layers with Parameters


class Linear(nn.Dense):
    """`x @ weight.T + bias`.

    Args:
        in_features, out_features: extents of the last axis of the input and the result.
        bias: whether there is a `bias`.
        weight_init, bias_init: what initialises them; by default uniform within `1 / sqrt(in_features)` of 0.
        dtype: of the Parameters, float32 unless it is given.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, weight_init: Any = None, bias_init: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, weight_init, bias_init, bias, dtype=dtype or float32)
        self.in_features, self.out_features = in_features, out_features


class _Conv(Layer):
    spatial = 0
    operation: Callable[..., Tensor]

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            known = "'zeros', 'reflect', 'replicate' or 'circular'"
            raise ValueError(f"{type(self).__name__}: padding_mode must be {known}, got {padding_mode!r}")
        self._set(in_channels, out_channels, kernel_size, groups, bias, dtype, transposed=False)
        self._set_steps(stride, padding, dilation, 0, padding_mode)

    def _set(
        self, in_channels: int, out_channels: int, kernel_size: Any, groups: int, bias: bool, dtype: Any,
        transposed: bool,
    ) -> None:
        where, self.transposed = type(self).__name__, transposed
        if groups < 1 or in_channels % groups or out_channels % groups or min(in_channels, out_channels) < 1:
            raise ValueError(f"{where}: {in_channels} and {out_channels} channels do not divide into {groups} groups")
        extents = (kernel_size,) * self.spatial if isinstance(kernel_size, int) else tuple(kernel_size)
        lead, inner = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        bound = 1 / math.sqrt(inner // groups * math.prod(extents))
        kind = dtype or float32
        self.in_channels, self.out_channels, self.kernel_size, self.groups = in_channels, out_channels, extents, groups
        self.weight = Parameter(initializer(Uniform(bound), (lead, inner // groups, *extents), kind), "weight")
        self.bias = Parameter(initializer(Uniform(bound), (out_channels,), kind), "bias") if bias else None

    def _set_steps(self, stride: Any, padding: Any, dilation: Any, output_padding: Any, padding_mode: str) -> None:
        """Attributes as MindSpore's layers have them, which classes that programs derive read: one int a dimension."""

        def each(what: str, value: Any, least: int) -> tuple[int, ...]:
            return per_dimension(type(self).__name__, what, value, self.spatial, least)

        self.stride, self.dilation = each("stride", stride, 1), each("dilation", dilation, 1)
        self.padding: Any = padding if isinstance(padding, str) else each("padding", padding, 0)
        self.output_padding, self.padding_mode = each("output_padding", output_padding, 0), padding_mode
        self._reversed_padding = self._margins()

    def _margins(self) -> tuple[int, ...]:
        """What `functional.pad` takes: how much before and after, the last dimension first."""
        if self.padding == "same":
            spans = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation, strict=True)]
            both = [(span // 2, span - span // 2) for span in spans]
        elif self.padding == "valid":
            both = [(0, 0)] * self.spatial
        else:
            both = [(n, n) for n in self.padding]
        return tuple(n for pair in reversed(both) for n in pair)

    def construct(self, input: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = functional.pad(input, self._reversed_padding, self.padding_mode), 0
        return type(self).operation(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def extend_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"


class Conv1d(_Conv):
    """Convolution of `[N, Cin, L]`; see Conv2d."""

    spatial, operation = 1, staticmethod(functional.conv1d)
    conv1d = operation  # for classes that programs derive


class Conv2d(_Conv):
    """Convolution of images `[N, Cin, H, W]` with `weight` `[Cout, Cin / groups, KH, KW]`, and a `bias` `[Cout]`.

    Args:
        kernel_size, stride, dilation: an int, or one for each dimension.
        padding: how far windows reach beyond both ends: an int, one for each dimension, "same" or "valid".
        groups: so many convolutions, each of a part of the channels.
        bias: whether there is a `bias`.
        padding_mode: what lies beyond the ends: "zeros", "reflect" (the mirror image, the end itself once),
            "replicate" (the end) or "circular" (what is at the other end).
        dtype: of the Parameters, float32 unless it is given.

    Both are uniform within `1 / sqrt(Cin / groups * KH * KW)` of 0 at first.
    """

    spatial, operation = 2, staticmethod(functional.conv2d)
    conv2d = operation  # for classes that programs derive


class Conv3d(_Conv):
    """Convolution of volumes `[N, Cin, D, H, W]`; see Conv2d."""

    spatial, operation = 3, staticmethod(functional.conv3d)
    conv3d = operation  # for classes that programs derive


class ConvTranspose2d(_Conv):
    """Transposed convolution of images with `weight` `[Cin, Cout / groups, KH, KW]`; see Conv2d.

    Args:
        output_padding: how many rows and columns more the result has at its end.
    """

    spatial = 2

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        Cell.__init__(self)
        if padding_mode != "zeros":
            raise ValueError(f"{type(self).__name__}: padding_mode must be 'zeros', got {padding_mode!r}")
        self._set(in_channels, out_channels, kernel_size, groups, bias, dtype, transposed=True)
        self._set_steps(stride, padding, dilation, output_padding, padding_mode)

    def _output_padding(
        self, input: Tensor, output_size: Any, stride: Any, padding: Any, kernel_size: Any, num_spatial_dims: int,
        dilation: Any = 1,
    ) -> tuple[int, ...]:
        """The `output_padding` that makes results of `output_size`; that of the layer where there is none."""
        if output_size is None:
            return self.output_padding
        extents = input.shape[-num_spatial_dims:]
        return functional.missing_at_end(extents, kernel_size, stride, padding, dilation, output_size)

    def construct(self, input: Tensor, output_size: Any = None) -> Tensor:
        """`output_size`: the rows and columns of the result, instead of `output_padding`; the last of its items."""
        extra = self._output_padding(
            input, output_size, self.stride, self.padding, self.kernel_size, self.spatial, self.dilation
        )
        return functional.conv_transpose2d(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )


class Embedding(Layer):
    """Rows of a table `weight` `[num_embeddings, embedding_dim]`, normally distributed at first.

    Args:
        padding_idx: a row that is 0 at first and takes no part in training.
        max_norm, norm_type, scale_grad_by_freq: see `functional.embedding`.
        sparse: only False: gradients are dense.
        _weight: the table; _freeze: it is not trained.
        dtype: of the table, float32 unless it is given.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, _weight: Any = None,
        _freeze: bool = False, dtype: Any = None,
    ) -> None:
        super().__init__()
        if sparse or scale_grad_by_freq:
            raise ValueError("Embedding: sparse and scale_grad_by_freq must be False")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        shape = (num_embeddings, embedding_dim)
        if _weight is None:
            table = initializer(Normal(1.0), shape, dtype or float32)
            if padding_idx is not None:
                table = ops.select_scatter(table, ops.zeros(embedding_dim, table.dtype), 0, padding_idx)
        else:
            table = _weight if isinstance(_weight, Tensor) else Tensor(_weight)
            if table.shape != shape:
                raise ValueError(f"Embedding: _weight must have shape {shape}, got {table.spec}")
        self.weight = Parameter(table, "weight", requires_grad=not _freeze)

    def construct(self, input: Tensor) -> Tensor:
        return functional.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type)

    def extend_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, padding_idx={self.padding_idx}"


class PReLU(Layer):
    """`x` where it is positive, elsewhere `weight * x`, with one weight or one for each channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: Any = None) -> None:
        super().__init__()
        self.weight = Parameter(ops.full((num_parameters,), init, dtype=dtype or float32), "weight")

    def construct(self, input: Tensor) -> Tensor:
        return functional.prelu(input, self.weight)


# Normalisation


class LayerNorm(Layer):
    """Each sample standardized over its last axes, then scaled by `weight` and shifted by `bias`.

    Args:
        normalized_shape: the extents of these axes: an int or several.
        eps: added to the variance.
        elementwise_affine: whether there is a `weight`; bias: whether there is a `bias` too.
        dtype: of the Parameters, float32 unless it is given.
    """

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        extents = as_ints("LayerNorm", normalized_shape, "normalized_shape")
        self.normalized_shape, self.eps, self.elementwise_affine = extents, eps, elementwise_affine
        kind = dtype or float32
        self.weight = Parameter(ops.ones(extents, kind), "weight") if elementwise_affine else None
        self.bias = Parameter(ops.zeros(extents, kind), "bias") if elementwise_affine and bias else None

    def construct(self, input: Tensor) -> Tensor:
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extend_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


class GroupNorm(Layer):
    """Each sample standardized over each group of its channels, then scaled and shifted by channel.

    Args:
        num_groups, num_channels: how many groups of how many channels together.
        eps: added to the variance.
        affine: whether there are `weight` and `bias`.
        dtype: of the Parameters, float32 unless it is given.
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, dtype: Any = None
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_channels} channels do not divide into {num_groups} groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = Parameter(ops.ones(num_channels, dtype or float32), "weight") if affine else None
        self.bias = Parameter(ops.zeros(num_channels, dtype or float32), "bias") if affine else None

    def construct(self, input: Tensor) -> Tensor:
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class _BatchNorm(Layer):
    dimensions: tuple[int, ...] = ()

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True,
        track_running_stats: bool = True, dtype: Any = None,
    ) -> None:
        super().__init__()
        kind = dtype or float32
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(ops.ones(num_features, kind), "weight") if affine else None
        self.bias = Parameter(ops.zeros(num_features, kind), "bias") if affine else None
        self.running_mean = self.running_var = None
        if track_running_stats:
            self.running_mean = Parameter(ops.zeros(num_features, kind), "running_mean", requires_grad=False)
            self.running_var = Parameter(ops.ones(num_features, kind), "running_var", requires_grad=False)

    def construct(self, input: Tensor) -> Tensor:
        if input.ndim not in self.dimensions:
            raise located(ValueError(f"{type(self).__name__}: got {input.spec} of {input.ndim} dimensions"))
        of_batch = self.training or not self.track_running_stats
        result: Tensor = functional.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, of_batch, self.momentum, self.eps
        )
        return result


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of `[N, C]` or `[N, C, L]`; see BatchNorm2d."""

    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Channels of `[N, C, H, W]` standardized over the batch in training, by running statistics otherwise.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: the batch's part in the running statistics.
        affine: whether there are `weight` and `bias`.
        track_running_stats: whether there are running statistics; without them the batch's are always used.
        dtype: of the Parameters, float32 unless it is given.
    """

    dimensions = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of `[N, C, D, H, W]`; see BatchNorm2d."""

    dimensions = (5,)

aliases.attach(__name__)
