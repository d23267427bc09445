"""`graphc.mint.nn.functional`: what layers compute, under PyTorch's names, arguments and defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc import ops
from graphc.dtype import int64
from graphc.mint.signatures import renamed
from graphc.ops import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    broadcast_to,
    clamp,
    cosine_embedding_loss,
    cross_entropy,
    embedding,
    fold,
    gelu,
    grid_sample,
    group_norm,
    hardshrink,
    hardsigmoid,
    hardswish,
    interpolate,
    l1_loss,
    layer_norm,
    mse_loss,
    pixel_shuffle,
    prelu,
    sigmoid,
    soft_margin_loss,
    softplus,
    softshrink,
    tanh,
    unfold,
)
from graphc.ops.coerce import as_tensor, cast
from graphc.ops.conv import per_dimension
from graphc.ops.inplace import become
from graphc.ops.one_hot import checked_one_hot
from graphc.place import located, named
from graphc.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "batch_norm", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "broadcast_to", "clamp", "conv1d", "conv2d", "conv3d", "conv_transpose2d",
    "cosine_embedding_loss", "cross_entropy", "dropout", "dropout2d", "elu", "elu_", "embedding", "flatten", "fold",
    "gelu", "glu", "grid_sample", "group_norm", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
    "interpolate", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax", "logsigmoid",
    "max_pool2d", "max_unpool2d", "mish", "mse_loss", "nll_loss", "normalize", "one_hot", "pad", "pixel_shuffle",
    "prelu", "relu", "relu6", "relu_", "selu", "sigmoid", "sigmoid_", "silu", "smooth_l1_loss", "soft_margin_loss",
    "softmax", "softplus", "softshrink", "tanh", "threshold", "threshold_", "unfold",
]  # fmt: skip

avg_pool3d = renamed(
    ops.avg_pool3d,
    "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None",
)
flatten = renamed(ops.flatten, "input, start_dim=0, end_dim=-1")
glu = renamed(ops.glu, "input, dim=-1", dim="axis")
leaky_relu = renamed(ops.leaky_relu, "input, negative_slope=0.01", negative_slope="alpha")
linear = renamed(ops.dense, "input, weight, bias=None", "linear")
max_unpool2d = renamed(ops.max_unpool2d, "input, indices, kernel_size, stride=None, padding=0, output_size=None")
nll_loss = renamed(ops.nll_loss, "input, target, weight=None, ignore_index=-100, reduction='mean'")
pad = renamed(ops.pad, "input, pad, mode='constant', value=None", pad="padding")
smooth_l1_loss = renamed(ops.smooth_l1_loss, "input, target, reduction='mean', beta=1.0")
binary_cross_entropy = renamed(
    ops.binary_cross_entropy, "input, target, weight=None, reduction='mean'", target="labels"
)
binary_cross_entropy_with_logits = renamed(
    ops.binary_cross_entropy_with_logits, "input, target, weight=None, reduction='mean', pos_weight=None"
)


def _maybe_in_place(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function with an option `inplace`: that its first argument becomes the result."""

    def call(input: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> Tensor:
        result = function(input, *args, **kwargs)
        return become(name, as_tensor(name, input), result) if inplace else result

    return named(call, name, function.__doc__)


relu = _maybe_in_place("relu", ops.relu)
relu6 = _maybe_in_place("relu6", ops.relu6)
silu = _maybe_in_place("silu", ops.silu)
elu = _maybe_in_place("elu", renamed(ops.elu, "input, alpha=1.0"))
hardtanh = _maybe_in_place("hardtanh", ops.hardtanh)
threshold = _maybe_in_place("threshold", renamed(ops.threshold, "input, threshold, value", threshold="thr"))


batch_norm = renamed(
    ops.batch_norm,
    "input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05",
)
logsigmoid = renamed(ops.logsigmoid, "input")
mish = renamed(ops.mish, "input")
selu = renamed(ops.selu, "input")


def relu_(input: Tensor) -> Tensor:
    """`relu` in place."""
    return relu(input, inplace=True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu` in place."""
    return elu(input, alpha, inplace=True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh` in place."""
    return hardtanh(input, min_val, max_val, inplace=True)


def sigmoid_(input: Tensor) -> Tensor:
    """`sigmoid` in place."""
    return become("sigmoid_", input, sigmoid(input))


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold` in place."""
    return become("threshold_", input, ops.threshold(input, threshold, value))


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Elements set to 0 with the probability `p` and the others divided by `1 - p`; in training only."""
    result = ops.dropout(input, p, training)
    return become("dropout", input, result) if inplace else result


def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """As `dropout`, of whole channels of `[N, C, H, W]`."""
    result = ops.dropout2d(input, p, training)
    return become("dropout2d", input, result) if inplace else result


def softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    """`exp(x) / sum(exp(x))` along an axis; None: axis 1, or 0 of tensors of 0, 1 or 3 dimensions."""
    x = as_tensor("softmax", input)
    return ops.softmax(x, implicit_axis(x) if dim is None else dim, dtype=dtype)


def log_softmax(input: Any, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """`log(softmax(x))` along an axis; None: as in `softmax`."""
    x = as_tensor("log_softmax", input)
    return ops.log_softmax(x if dtype is None else x.astype(dtype), implicit_axis(x) if dim is None else dim)


def implicit_axis(x: Tensor) -> int:
    """The axis that a softmax without one is taken along."""
    return 0 if x.ndim in (0, 1, 3) else 1


def _convolution(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def call(
        input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Tensor:
        """Convolution. `padding` is "same", "valid", or how far windows reach beyond both ends: an int, or one for
        each dimension."""
        mode, around = padding_mode(padding)
        return function(input, weight, bias, stride, mode, around, dilation, groups)

    return named(call, function.__name__, call.__doc__)


def padding_mode(padding: Any) -> tuple[str, Any]:
    """How graphc says it: a mode, and how much on each side."""
    if isinstance(padding, str):
        return padding, 0
    if isinstance(padding, (tuple, list)):
        return "pad", tuple(p for p in padding for _ in range(2)) if len(padding) > 1 else padding[0]
    return "pad", padding


conv1d, conv2d, conv3d = map(_convolution, (ops.conv1d, ops.conv2d, ops.conv3d))


def conv_transpose2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Tensor:
    """Transposed convolution of images; `weight` is `[Cin, Cout / groups, KH, KW]`."""
    mode, around = padding_mode(padding)
    return ops.conv_transpose(input, weight, bias, stride, mode, around, output_padding, dilation, groups)


def missing_at_end(
    shape: Sequence[int], kernel_size: Sequence[int], stride: Any, padding: Any, dilation: Any,
    output_size: Sequence[int],
) -> tuple[int, ...]:
    """The `output_padding` with which a transposed convolution makes results of `output_size`.

    Raises:
        ValueError: it cannot: the size is not that of the result with output_padding 0, or longer by less than the
            stride.
    """
    count = len(shape)
    steps, around, apart = (
        per_dimension("conv_transpose2d", what, value, count, least=0)
        for what, value in (("stride", stride), ("padding", padding), ("dilation", dilation))
    )
    least = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, k, s, p, d in zip(shape, kernel_size, steps, around, apart, strict=True)
    ]
    wanted = tuple(output_size)[-count:]
    extra = tuple(w - n for w, n in zip(wanted, least, strict=False))
    if len(extra) != count or any(not 0 <= e < max(s, 1) for e, s in zip(extra, steps, strict=True)):
        most = [n + s - 1 for n, s in zip(least, steps, strict=True)]
        raise located(ValueError(f"conv_transpose2d: output_size must lie within {least} and {most}, got {wanted}"))
    return extra


def avg_pool1d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of every window of `[N, C, L]`; the stride is by default the window's extent."""
    step = kernel_size if stride is None else stride
    return ops.avg_pool1d(input, kernel_size, step, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:
    """The mean of every window of images; the stride is by default the window's extents."""
    step = kernel_size if stride is None else stride
    return ops.avg_pool2d(input, kernel_size, step, padding, ceil_mode, count_include_pad, divisor_override)


def max_pool2d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of every window of images; with `return_indices` also where in `[H, W]` each was."""
    return ops.max_pool2d(input, kernel_size, stride, padding, dilation, return_indices, ceil_mode)


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """The Kullback-Leibler divergence of `target` (with `log_target` its logarithm) from log-probabilities."""
    if not log_target:
        return ops.kl_div(input, target, reduction)
    y = as_tensor("kl_div", target)
    losses: Tensor = ops.exp(y) * (y - input)
    if reduction not in ("none", "mean", "sum", "batchmean"):
        raise located(ValueError(f"kl_div: unknown reduction {reduction!r}"))
    if reduction == "none":
        return losses
    total: Tensor = losses.mean() if reduction == "mean" else losses.sum()
    return total / float(y.shape[0]) if reduction == "batchmean" else total


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along an axis divided by their norm `p`, or by `eps` if that is greater."""
    return ops.div(input, ops.maximum(ops.vector_norm(input, p, dim, True), eps))


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """int64 rows with a 1 at the position that an element names: `[*, num_classes]`.

    Args:
        tensor: integers in [0, num_classes); others are an error.
        num_classes: -1: one more than the greatest element, whose value must be known.
    """
    x = as_tensor("one_hot", tensor)
    count = int(x.max().item()) + 1 if num_classes == -1 else num_classes
    return cast(checked_one_hot(x, count), int64)
