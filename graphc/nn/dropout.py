"""Dropout of elements and of whole channels."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.nn import check
from graphc.nn.check import float_dtype
from graphc.nn.layer import Layer
from graphc.tensor import Tensor

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d"]


class Dropout(Layer):
    """In training sets elements to 0, each with probability `p`, and divides the others by 1 - p.

    In evaluation (`training` is False, as at first) it returns its input.

    Args:
        keep_prob: 1 - p, MindSpore's older argument; counts only where `p` is None.
        p: at least 0 and below 1.
        dtype: kept for MindSpore's programs: the result has the input's type.
    """

    def __init__(self, keep_prob: float = 0.5, p: float | None = None, dtype: Any = float32) -> None:
        super().__init__()
        float_dtype("Dropout", dtype)
        if p is None:
            check.between("Dropout", "keep_prob", keep_prob, 0.0, 1.0, "(]")
        else:
            check.between("Dropout", "p", p, 0.0, 1.0, "[)")
        self.keep_prob, self.p = keep_prob, p
        self._probability = 1 - keep_prob if p is None else p

    def _draws(self) -> bool:
        return self.training and self._probability > 0

    def construct(self, x: Tensor) -> Tensor:
        if not self.training or self._probability == 0:
            return x
        return ops.dropout(x, self._probability, True)

    def extend_repr(self) -> str:
        return f"keep_prob={self.keep_prob}" if self.p is None else f"p={self.p}"


class _ChannelDropout(Layer):
    """What dropouts of whole channels share."""

    def _draws(self) -> bool:
        return self.training and 0 < self.p < 1

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = check.between(type(self).__name__, "p", p, 0.0, 1.0, "[]")

    def extend_repr(self) -> str:
        return f"p={self.p}"


class Dropout1d(_ChannelDropout):
    """In training, dropout of whole channels of `[N, C, L]` or `[C, L]`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.dropout1d(x, self.p, self.training)


class Dropout2d(_ChannelDropout):
    """In training, dropout of whole channels of `[N, C, H, W]` or `[C, H, W]`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.dropout2d(x, self.p, self.training)


class Dropout3d(_ChannelDropout):
    """In training, dropout of whole channels of `[N, C, D, H, W]` or `[C, D, H, W]`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.dropout3d(x, self.p, self.training)
