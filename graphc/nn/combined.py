"""A layer with the batch normalisation and activation that follow it, as one Cell."""

from __future__ import annotations

from typing import Any

from graphc.nn import check
from graphc.nn.activation import LeakyReLU, get_activation
from graphc.nn.cell import Cell
from graphc.nn.conv import Conv2d
from graphc.nn.dense import Dense
from graphc.nn.norm import BatchNorm1d, BatchNorm2d
from graphc.tensor import Tensor

__all__ = ["Conv2dBnAct", "DenseBnAct"]


def _activation(where: str, activation: Any, alpha: float) -> Any:
    if activation == "leakyrelu":
        return LeakyReLU(alpha)
    if activation is None or isinstance(activation, str):
        return get_activation(activation, where)
    if not callable(activation):
        raise TypeError(f"For '{where}', the 'activation' must be str or Cell, but got {type(activation).__name__}.")
    return activation


class Conv2dBnAct(Cell):
    """Conv2d, then BatchNorm2d with `has_bn`, then `activation`.

    Args:
        in_channels to bias_init: as of Conv2d.
        has_bn, momentum, eps: whether there is a normalisation, and its arguments.
        activation: a name or a Cell; `alpha` is the slope of 'leakyrelu'.
        after_fake: only True, MindSpore's default: it concerns quantisation, which graphc does not have.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, pad_mode: str = "same",
        padding: Any = 0, dilation: Any = 1, group: int = 1, has_bias: bool = False, weight_init: Any = "normal",
        bias_init: Any = "zeros", has_bn: bool = False, momentum: float = 0.997, eps: float = 1e-5,
        activation: Any = None, alpha: float = 0.2, after_fake: bool = True,
    ) -> None:
        super().__init__()
        check.only("Conv2dBnAct", "after_fake", after_fake, True)
        self.conv = Conv2d(
            in_channels, out_channels, kernel_size, stride, pad_mode, padding, dilation, group, has_bias, weight_init,
            bias_init,
        )
        self.has_bn = check.boolean("Conv2dBnAct", "has_bn", has_bn)
        if has_bn:
            self.batchnorm = BatchNorm2d(out_channels, eps, momentum)
        self.activation = _activation("Conv2dBnAct", activation, alpha)

    def construct(self, x: Tensor) -> Any:
        x = self.conv(x)
        x = self.batchnorm(x) if self.has_bn else x
        return x if self.activation is None else self.activation(x)


class DenseBnAct(Cell):
    """Dense, then BatchNorm1d with `has_bn`, then `activation`; arguments as of Dense and Conv2dBnAct."""

    def __init__(
        self, in_channels: int, out_channels: int, weight_init: Any = "normal", bias_init: Any = "zeros",
        has_bias: bool = True, has_bn: bool = False, momentum: float = 0.9, eps: float = 1e-5, activation: Any = None,
        alpha: float = 0.2, after_fake: bool = True,
    ) -> None:
        super().__init__()
        check.only("DenseBnAct", "after_fake", after_fake, True)
        self.dense = Dense(in_channels, out_channels, weight_init, bias_init, has_bias)
        self.has_bn = check.boolean("DenseBnAct", "has_bn", has_bn)
        if has_bn:
            self.batchnorm = BatchNorm1d(out_channels, eps, momentum)
        self.activation = _activation("DenseBnAct", activation, alpha)

    def construct(self, x: Tensor) -> Any:
        x = self.dense(x)
        x = self.batchnorm(x) if self.has_bn else x
        return x if self.activation is None else self.activation(x)
