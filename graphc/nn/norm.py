"""Normalisation layers."""

from __future__ import annotations

import math
from typing import Any

from graphc import ops
from graphc.dispatch import assign
from graphc.dtype import float32
from graphc.initializer import initializer
from graphc.nn import check
from graphc.nn.basic import float_dtype
from graphc.nn.cell import Cell
from graphc.tensor import Parameter, Tensor


def _centred(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """x less its mean over `axes`, that mean, and the biased variance; the last two keep their dimensions."""
    mean = ops.mean(x, axes, True)
    off = x - mean
    return off, mean, ops.mean(off * off, axes, True)


class _BatchNorm(Cell):
    """Batch normalisation (Ioffe and Szegedy 2015) of `[N, C, *S]`, per channel.

    In training with mean and biased variance of the batch, whose moving averages are kept:
    moving = momentum * moving + (1 - momentum) * of the batch (of the variance the unbiased one). In evaluation with those.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: share of the old moving average, in [0, 1].
        affine: whether `gamma` and `beta` are trained.
        gamma_init, beta_init, moving_mean_init, moving_var_init: initializers.
        use_batch_statistics: True or False: batch or moving statistics always; None: as `training` says.
        dtype: of the Parameters.
    """

    ranks: tuple[int, ...] = ()

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.9, affine: bool = True, gamma_init: Any = "ones",
        beta_init: Any = "zeros", moving_mean_init: Any = "zeros", moving_var_init: Any = "ones",
        use_batch_statistics: bool | None = None, dtype: Any = float32,
    ) -> None:
        super().__init__()
        where = type(self).__name__
        self.num_features = check.positive_int(where, "num_features", num_features)
        check.positive_float(where, "eps", eps)
        check.between(where, "momentum", momentum, 0.0, 1.0, "[]")
        check.boolean(where, "affine", affine)
        if use_batch_statistics is not None:
            check.boolean(where, "use_batch_statistics", use_batch_statistics)
        self.eps, self.momentum, self.use_batch_statistics = eps, momentum, use_batch_statistics
        dtype, shape = float_dtype(where, dtype), (num_features,)
        self.moving_mean = Parameter(initializer(moving_mean_init, shape, dtype), "mean", requires_grad=False)
        self.moving_variance = Parameter(initializer(moving_var_init, shape, dtype), "variance", requires_grad=False)
        self.moving_mean.name, self.moving_variance.name = "moving_mean", "moving_variance"
        self.gamma = Parameter(initializer(gamma_init, shape, dtype), "gamma", requires_grad=affine)
        self.beta = Parameter(initializer(beta_init, shape, dtype), "beta", requires_grad=affine)

    def construct(self, x: Tensor) -> Tensor:
        self._check(x)
        shape = (1, self.num_features, *(1,) * (x.ndim - 2))
        of_batch = self.training if self.use_batch_statistics is None else self.use_batch_statistics
        if of_batch:
            off, mean, variance = _centred(x, (0, *range(2, x.ndim)))
            self._move(mean, variance, x.size // self.num_features)
        else:
            off, variance = x - ops.reshape(self.moving_mean, shape), ops.reshape(self.moving_variance, shape)
        scale = ops.rsqrt(variance + self.eps) * ops.reshape(self.gamma, shape)
        return off * scale + ops.reshape(self.beta, shape)

    def _move(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Moves the averages towards the statistics of a batch of `count` values a channel."""
        if count < 2:
            raise ValueError(
                f"For '{type(self).__name__}', batch statistics need more than one value per channel, but got {count}."
            )
        share = 1.0 - self.momentum
        mean, variance = ops.stop_gradient(mean), ops.stop_gradient(variance) * (count / (count - 1))
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            assign(moving, moving * self.momentum + ops.reshape(now, moving.shape) * share)

    def _check(self, x: Tensor) -> None:
        where = type(self).__name__
        if self.ranks and x.ndim not in self.ranks:
            wanted = " or ".join(map(str, self.ranks))
            raise ValueError(f"For '{where}', the input must have {wanted} dimensions, but got {x.type}.")
        if x.ndim < 2 or x.shape[1] != self.num_features:
            raise ValueError(f"For '{where}', the input must be [N, {self.num_features}, ...], but got {x.type}.")

    def extend_repr(self) -> str:
        return (
            f"num_features={self.num_features}, eps={self.eps}, momentum={self.momentum}, gamma={self.gamma}, "
            f"beta={self.beta}, moving_mean={self.moving_mean}, moving_variance={self.moving_variance}"
        )


class BatchNorm1d(_BatchNorm):
    __doc__ = (_BatchNorm.__doc__ or "").replace("`[N, C, *S]`", "`[N, C]` or `[N, C, L]`")
