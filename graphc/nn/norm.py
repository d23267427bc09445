"""Normalisation layers."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from graphc import ops
from graphc.dispatch import assign
from graphc.dtype import float32
from graphc.eager import of_ops
from graphc.initializer import initializer
from graphc.nn import check
from graphc.nn.check import float_dtype
from graphc.nn.layer import Layer
from graphc.ops.coerce import as_tensor, widely
from graphc.ops.normalisation import moments, standardize
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "LRN", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d",
    "InstanceNorm3d", "LayerNorm", "SyncBatchNorm",
]  # fmt: skip


@of_ops
def _move_averages(x: Tensor, moving_mean: Parameter, moving_variance: Parameter, share: float) -> None:
    """Moves the averages towards the mean over N of each channel's mean and unbiased variance in `x`, `[N, C, *S]`."""
    mean, variance = moments(x, tuple(range(2, x.ndim)))
    count = x.size // (x.shape[0] * x.shape[1])
    _move(moving_mean, ops.mean(mean, 0), share)
    _move(moving_variance, ops.mean(variance, 0) * (count / max(count - 1, 1)), share)


def _move(average: Parameter, now: Tensor, share: float) -> None:
    """average = (1 - share) * average + share * now."""
    now = ops.reshape(ops.stop_gradient(now), average.shape)
    assign(average, average * (1.0 - share) + now * share)


@of_ops
@widely
def _layer_norm(x: Tensor, axes: tuple[int, ...], epsilon: float, gamma: Tensor, beta: Tensor) -> Tensor:
    return standardize(x, axes, epsilon) * gamma + beta


class _ChannelNorm(Layer):
    """What normalisations of `[N, C, *S]` with a `gamma` and a `beta` for each channel share."""

    ranks: tuple[int, ...] = ()
    keeps_parameters = True

    def _set_scale(self, channels: int, affine: bool, gamma_init: Any, beta_init: Any, dtype: Any) -> None:
        check.boolean(type(self).__name__, "affine", affine)
        self.gamma = Parameter(initializer(gamma_init, (channels,), dtype), "gamma", requires_grad=affine)
        self.beta = Parameter(initializer(beta_init, (channels,), dtype), "beta", requires_grad=affine)

    def _checked(self, x: Tensor, channels: int) -> Tensor:
        where = type(self).__name__
        x = as_tensor(where, x)
        if self.ranks and x.ndim not in self.ranks:
            wanted = " or ".join(map(str, self.ranks))
            raise located(ValueError(f"For '{where}', the input must have {wanted} dimensions, but got {x.spec}."))
        if x.ndim < 2 or x.shape[1] != channels:
            raise located(ValueError(f"For '{where}', the input must be [N, {channels}, ...], but got {x.spec}."))
        return x


class _AveragedNorm(_ChannelNorm):
    """What normalisations that keep moving averages of each channel's mean and variance share."""

    def __init__(
        self, num_features: int, eps: float, momentum: float, affine: bool, gamma_init: Any, beta_init: Any,
        moving_mean_init: Any, moving_var_init: Any, dtype: Any,
    ) -> None:
        super().__init__()
        where = type(self).__name__
        self.num_features = check.positive_int(where, "num_features", num_features)
        check.positive_float(where, "eps", eps)
        check.between(where, "momentum", momentum, 0.0, 1.0, "[]")
        self.eps, self.momentum = eps, momentum
        dtype, shape = float_dtype(where, dtype), (num_features,)
        self.moving_mean = Parameter(initializer(moving_mean_init, shape, dtype), "moving_mean", requires_grad=False)
        self.moving_variance = Parameter(
            initializer(moving_var_init, shape, dtype), "moving_variance", requires_grad=False
        )
        self._set_scale(num_features, affine, gamma_init, beta_init, dtype)

    def extend_repr(self) -> str:
        return (
            f"num_features={self.num_features}, eps={self.eps}, momentum={self.momentum}, gamma={self.gamma}, "
            f"beta={self.beta}, moving_mean={self.moving_mean}, moving_variance={self.moving_variance}"
        )


class _BatchNorm(_AveragedNorm):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.9, affine: bool = True,
        gamma_init: Any = "ones", beta_init: Any = "zeros", moving_mean_init: Any = "zeros",
        moving_var_init: Any = "ones", use_batch_statistics: bool | None = None, dtype: Any = float32,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, gamma_init, beta_init, moving_mean_init, moving_var_init, dtype
        )
        if use_batch_statistics is not None:
            check.boolean(type(self).__name__, "use_batch_statistics", use_batch_statistics)
        self.use_batch_statistics = use_batch_statistics

    def construct(self, x: Tensor) -> Tensor:
        x = self._checked(x, self.num_features)
        of_batch = self.training if self.use_batch_statistics is None else self.use_batch_statistics
        return ops.batch_norm(
            x, self.moving_mean, self.moving_variance, self.gamma, self.beta, of_batch, 1.0 - self.momentum, self.eps
        )


class _BatchNormOfFormat(_BatchNorm):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.9, affine: bool = True,
        gamma_init: Any = "ones", beta_init: Any = "zeros", moving_mean_init: Any = "zeros",
        moving_var_init: Any = "ones", use_batch_statistics: bool | None = None, data_format: str = "NCHW",
        dtype: Any = float32,
    ) -> None:
        check.only(type(self).__name__, "data_format", data_format, "NCHW")
        super().__init__(
            num_features, eps, momentum, affine, gamma_init, beta_init, moving_mean_init, moving_var_init,
            use_batch_statistics, dtype,
        )


class BatchNorm1d(_BatchNormOfFormat):
    """Batch normalisation of `[N, C]` or `[N, C, L]`; see BatchNorm2d."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNormOfFormat):
    """Batch normalisation (Ioffe and Szegedy 2015) of `[N, C, H, W]`, per channel.

    In training with the batch's mean and biased variance, of which moving averages are kept (of the variance, as in
    MindSpore and PyTorch, the unbiased one): moving = momentum * moving + (1 - momentum) * of the batch. In evaluation
    with these.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: share of the old moving average, in [0, 1].
        affine: whether `gamma` and `beta` are trained.
        gamma_init, beta_init, moving_mean_init, moving_var_init: initializers of the four Parameters `[C]`.
        use_batch_statistics: True or False: the batch's or the moving statistics always; None: as `training` says.
        data_format: 'NCHW'.
        dtype: of the Parameters.
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of `[N, C, D, H, W]`; see BatchNorm2d."""

    ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over all machines of a group: here there is one. See BatchNorm2d."""

    ranks = (2, 4)

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.9, affine: bool = True,
        gamma_init: Any = "ones", beta_init: Any = "zeros", moving_mean_init: Any = "zeros",
        moving_var_init: Any = "ones", use_batch_statistics: bool | None = None, process_groups: Any = None,
        dtype: Any = float32,
    ) -> None:
        check.only("SyncBatchNorm", "process_groups", process_groups, None)
        super().__init__(
            num_features, eps, momentum, affine, gamma_init, beta_init, moving_mean_init, moving_var_init,
            use_batch_statistics, dtype,
        )


class _InstanceNorm(_AveragedNorm):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True,
        gamma_init: Any = "ones", beta_init: Any = "zeros", dtype: Any = float32,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, gamma_init, beta_init, "zeros", "ones", dtype)

    def construct(self, x: Tensor) -> Tensor:
        x = self._checked(x, self.num_features)
        if self.training:
            _move_averages(x, self.moving_mean, self.moving_variance, self.momentum)
        return ops.instance_norm(x, self.gamma, self.beta, self.eps)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of `[N, C, L]`; see InstanceNorm2d."""

    ranks = (3,)


class InstanceNorm2d(_InstanceNorm):
    """Normalisation of every channel of every image `[N, C, H, W]` by its own mean and variance (Ulyanov et al. 2016).

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: share of the new statistics in the moving averages, which are kept in training and used nowhere here.
        affine: whether `gamma` and `beta` are trained.
        gamma_init, beta_init: their initializers.
        dtype: of the Parameters.
    """

    ranks = (4,)


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of `[N, C, D, H, W]`; see InstanceNorm2d."""

    ranks = (5,)


class GroupNorm(_ChannelNorm):
    """Normalisation over groups of channels of each sample of `[N, C, *S]` (Wu and He 2018).

    Args:
        num_groups: into how many groups the channels are divided.
        num_channels: C, a multiple of `num_groups`.
        eps: added to the variance.
        affine: whether `gamma` and `beta` are trained.
        gamma_init, beta_init: their initializers.
        dtype: of the Parameters.
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, gamma_init: Any = "ones",
        beta_init: Any = "zeros", dtype: Any = float32,
    ) -> None:
        super().__init__()
        self.num_groups = check.positive_int("GroupNorm", "num_groups", num_groups)
        self.num_channels = check.positive_int("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"For 'GroupNorm', the 'num_channels' must be divided by 'num_groups', "
                f"but got 'num_channels': {num_channels}, 'num_groups': {num_groups}."
            )
        check.positive_float("GroupNorm", "eps", eps)
        self.eps = eps
        self._set_scale(num_channels, affine, gamma_init, beta_init, float_dtype("GroupNorm", dtype))

    def construct(self, x: Tensor) -> Tensor:
        return self._cal_output(self._checked(x, self.num_channels))

    def _cal_output(self, x: Tensor) -> Tensor:
        """The result, by the name that classes which programs derive call."""
        return ops.group_norm(x, self.num_groups, self.gamma, self.beta, self.eps)

    def extend_repr(self) -> str:
        return f"num_groups={self.num_groups}, num_channels={self.num_channels}"


class LayerNorm(Layer):
    """Normalisation over the last dimensions of each sample (Ba et al. 2016).

    Args:
        normalized_shape: shape of `gamma` and `beta`: the input's extents from `begin_params_axis` on.
        begin_norm_axis: the first of the dimensions that mean and variance are taken over.
        begin_params_axis: the first of the dimensions that `gamma` and `beta` have.
        gamma_init, beta_init: their initializers.
        epsilon: added to the variance.
        dtype: of the Parameters.
    """

    keeps_parameters = True

    def __init__(
        self, normalized_shape: Any, begin_norm_axis: int = -1, begin_params_axis: int = -1, gamma_init: Any = "ones",
        beta_init: Any = "zeros", epsilon: float = 1e-7, dtype: Any = float32,
    ) -> None:
        super().__init__()
        if not isinstance(normalized_shape, (tuple, list)):
            raise TypeError(
                "For 'LayerNorm', the type of 'normalized_shape' must be tuple[int] or list[int], "
                f"but got {normalized_shape!r} with type {type(normalized_shape).__name__}."
            )
        if not normalized_shape:
            raise ValueError("For 'LayerNorm', the 'normalized_shape' must have at least one dimension.")
        self.normalized_shape = tuple(normalized_shape)
        self.begin_norm_axis, self.begin_params_axis = begin_norm_axis, begin_params_axis
        check.positive_float("LayerNorm", "epsilon", epsilon)
        self.epsilon = epsilon
        dtype = float_dtype("LayerNorm", dtype)
        self.gamma = Parameter(initializer(gamma_init, self.normalized_shape, dtype), "gamma")
        self.beta = Parameter(initializer(beta_init, self.normalized_shape, dtype), "beta")

    @cached_property
    def layer_norm(self) -> Any:
        """The layer's operation as an object that takes `gamma` and `beta`, for classes that programs derive."""
        return ops.LayerNorm(self.begin_norm_axis, self.begin_params_axis, self.epsilon)

    def construct(self, x: Tensor) -> Tensor:
        x = as_tensor("LayerNorm", x)
        for axis in (self.begin_norm_axis, self.begin_params_axis):
            if not -x.ndim <= axis < x.ndim:
                raise located(ValueError(f"For 'LayerNorm', the axis {axis} is out of range for {x.spec}."))
        if x.shape[self.begin_params_axis % x.ndim :] != self.normalized_shape:
            raise located(
                ValueError(
                    f"For 'LayerNorm', the 'normalized_shape' {self.normalized_shape} must be the input's shape from "
                    f"axis {self.begin_params_axis} on, but got {x.spec}."
                )
            )
        axes = tuple(range(self.begin_norm_axis % x.ndim, x.ndim))
        return _layer_norm(x, axes, self.epsilon, self.gamma, self.beta)

    def extend_repr(self) -> str:
        return (
            f"normalized_shape={self.normalized_shape}, begin_norm_axis={self.begin_norm_axis}, "
            f"begin_params_axis={self.begin_params_axis}, gamma{self.gamma}, beta={self.beta}"  # "gamma" without "="
        )


class LRN(Layer):
    """Local response normalisation of `[N, C, H, W]` across channels; see `ops.lrn`."""

    def __init__(
        self, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5,
        norm_region: str = "ACROSS_CHANNELS",
    ) -> None:
        super().__init__()
        self.depth_radius = check.non_negative_int("LRN", "depth_radius", depth_radius)
        self.bias, self.alpha = check.number("LRN", "bias", bias), check.number("LRN", "alpha", alpha)
        self.beta = check.number("LRN", "beta", beta)
        self.norm_region = check.string("LRN", "norm_region", norm_region, ["ACROSS_CHANNELS"])

    def construct(self, x: Tensor) -> Tensor:
        return ops.lrn(x, self.depth_radius, self.bias, self.alpha, self.beta, self.norm_region)
