"""Layers that compute a function of their input: products, norms, moments, special functions."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import float32, int32
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.layer import Layer
from graphc.tensor import Tensor

__all__ = [
    "ClipByNorm", "DiGamma", "IGamma", "L1Regularizer", "LBeta", "LGamma", "MatDet", "MatInverse", "MatMul", "Moments",
    "Norm", "Range", "ReduceLogSumExp",
]  # fmt: skip


class Norm(Layer):
    """The Euclidean norm over `axis` (all axes for `()`)."""

    def __init__(self, axis: Any = (), keep_dims: bool = False) -> None:
        super().__init__()
        self.axis = axis
        self.keep_dims = check.boolean("Norm", "keep_dims", keep_dims)

    def construct(self, x: Tensor) -> Tensor:
        axes = None if isinstance(self.axis, (tuple, list)) and not self.axis else self.axis
        return ops.sqrt(ops.sum(x * x, axes, self.keep_dims))

    def extend_repr(self) -> str:
        return f"axis={self.axis}, keep_dims={self.keep_dims}"


class ClipByNorm(Layer):
    """x scaled down to the norm `clip_norm` where its norm is larger; norms are taken over `axis` (None: all)."""

    def __init__(self, axis: Any = None) -> None:
        super().__init__()
        self.axis = axis

    def construct(self, x: Tensor, clip_norm: Any) -> Tensor:
        norm = ops.sqrt(ops.sum(x * x, self.axis, True))
        factor: Tensor = clip_norm / ops.maximum(norm, clip_norm)
        return x * factor


class MatMul(Layer):
    """x1 @ x2, each transposed (its last two dimensions exchanged) first where asked for."""

    def __init__(self, transpose_x1: bool = False, transpose_x2: bool = False) -> None:
        super().__init__()
        self.transpose_x1 = check.boolean("MatMul", "transpose_x1", transpose_x1)
        self.transpose_x2 = check.boolean("MatMul", "transpose_x2", transpose_x2)

    def construct(self, x1: Tensor, x2: Tensor) -> Tensor:
        x1 = ops.swapaxes(x1, -2, -1) if self.transpose_x1 and x1.ndim > 1 else x1
        x2 = ops.swapaxes(x2, -2, -1) if self.transpose_x2 and x2.ndim > 1 else x2
        return ops.matmul(x1, x2)


class CosineSimilarity(Layer):
    """The cosine of the angle between the vectors that lie along `dim` of two tensors of one shape.

    MindSpore has it in `nn.layer`; `nn.CosineSimilarity` is the metric.

    Args:
        dim: the axis.
        eps: the least that the product of the norms counts as.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def construct(self, x1: Tensor, x2: Tensor) -> Tensor:
        return ops.cosine_similarity(x1, x2, self.dim, self.eps)


class Range(Cell):
    """The numbers from `start` to before `limit` in steps of `delta`, as a constant; from 0 if `limit` is None.

    int32 if all three are ints (as in MindSpore), otherwise float32.
    """

    def __init__(self, start: float, limit: float | None = None, delta: float = 1) -> None:
        super().__init__()
        if delta == 0:
            raise ValueError("For 'Range', the 'delta' must not be 0.")
        begin, end = (0, start) if limit is None else (start, limit)
        whole = all(isinstance(n, int) for n in (begin, end, delta))
        self.result = ops.arange(begin, end, delta, dtype=int32 if whole else float32)

    def construct(self) -> Tensor:
        result: Tensor = self.result
        return result


class Moments(Layer):
    """Mean and (biased) variance over `axis`."""

    def __init__(self, axis: Any = None, keep_dims: bool | None = None) -> None:
        super().__init__()
        self.axis = tuple(axis) if isinstance(axis, list) else axis
        self.keep_dims = check.boolean("Moments", "keep_dims", False if keep_dims is None else keep_dims)

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        variance, mean = ops.var_mean(x, self.axis, 0, self.keep_dims)
        return mean, variance


class ReduceLogSumExp(Layer):
    """log(sum(exp(x))) over `axis`, without overflow."""

    def __init__(self, axis: Any, keep_dims: bool = False) -> None:
        super().__init__()
        self.axis = tuple(axis) if isinstance(axis, list) else axis
        self.keep_dims = check.boolean("ReduceLogSumExp", "keep_dims", keep_dims)

    def construct(self, x: Tensor) -> Tensor:
        return ops.logsumexp(x, self.axis, self.keep_dims)


class L1Regularizer(Layer):
    """`scale` (above 0) times the sum of the absolute values of the weights."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = check.positive_float("L1Regularizer", "scale", scale)

    def construct(self, weights: Tensor) -> Tensor:
        return ops.sum(ops.abs(weights)) * self.scale


class LBeta(Layer):
    """The logarithm of the beta function, `log(Gamma(x) Gamma(y) / Gamma(x + y))` of positive numbers."""

    def construct(self, x: Tensor, y: Tensor) -> Tensor:
        return ops.lgamma(x) + ops.lgamma(y) - ops.lgamma(x + y)


class LGamma(Layer):
    """log |Gamma(x)|; see `ops.lgamma`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.lgamma(x)


class DiGamma(Layer):
    """The derivative of log |Gamma(x)|; see `ops.digamma`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.digamma(x)


class IGamma(Layer):
    """The regularized lower incomplete gamma function of `a` and `x`; see `ops.igamma`."""

    def construct(self, a: Tensor, x: Tensor) -> Tensor:
        return ops.igamma(a, x)


class MatInverse(Layer):
    """The inverse of square matrices `[..., N, N]`; see `ops.inverse`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.inverse(x)


class MatDet(Layer):
    """The determinant of square matrices `[..., N, N]`; see `ops.det`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.det(x)
