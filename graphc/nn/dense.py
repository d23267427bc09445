"""Fully connected layers."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.initializer import HeUniform, Uniform, initializer
from graphc.nn import check
from graphc.nn.activation import get_activation
from graphc.nn.cell import Cell
from graphc.nn.check import float_dtype
from graphc.nn.layer import Layer
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = ["BiDense", "Dense"]


class Dense(Layer):
    """x @ weight.T + bias: the fully connected layer.

    Args:
        in_channels, out_channels: features of the input `[..., in_channels]` and the result `[..., out_channels]`.
        weight_init: what initialises `weight` `[out_channels, in_channels]`; by default HeUniform(sqrt(5)).
        bias_init: what initialises `bias` `[out_channels]`; by default uniform within 1 / sqrt(in_channels) of 0.
        has_bias: whether there is a `bias`.
        activation: the name of an activation, or a Cell, applied to the result.
        dtype: of the Parameters.
    """

    def __init__(
        self, in_channels: int, out_channels: int, weight_init: Any = None, bias_init: Any = None,
        has_bias: bool = True, activation: Any = None, dtype: Any = float32,
    ) -> None:
        super().__init__()
        self.in_channels = check.positive_int("Dense", "in_channels", in_channels)
        self.out_channels = check.positive_int("Dense", "out_channels", out_channels)
        self.has_bias = check.boolean("Dense", "has_bias", has_bias)
        dtype = float_dtype("Dense", dtype)
        weight_init = HeUniform(math.sqrt(5)) if weight_init is None else weight_init
        self.weight = Parameter(initializer(weight_init, (out_channels, in_channels), dtype), "weight")
        self.bias = None
        if has_bias:
            bias_init = Uniform(1 / math.sqrt(in_channels)) if bias_init is None else bias_init
            self.bias = Parameter(initializer(bias_init, (out_channels,), dtype), "bias")
        self.activation = get_activation(activation, "Dense") if isinstance(activation, str) else activation
        if activation is not None and not callable(self.activation):
            raise TypeError(f"For 'Dense', the 'activation' must be str or Cell, but got {type(activation).__name__}.")

    @property
    def _of_ops(self) -> bool:  # type: ignore[override]
        return self.activation is None or isinstance(self.activation, Cell)  # a function may do anything

    @property
    def activation_flag(self) -> bool:
        """Whether there is an activation."""
        return self.activation is not None

    @cached_property
    def matmul(self) -> Any:
        """`ops.MatMul` with the weight's layout, for classes that programs derive."""
        return ops.MatMul(transpose_b=True)

    @cached_property
    def bias_add(self) -> Any:
        """`ops.BiasAdd`, for classes that programs derive."""
        return ops.BiasAdd()

    def construct(self, x: Tensor) -> Tensor:
        y = ops.dense(x, self.weight, self.bias)
        return y if self.activation is None else self.activation(y)

    def extend_repr(self) -> str:
        text = f"input_channels={self.in_channels}, output_channels={self.out_channels}"
        text += ", has_bias=True" if self.has_bias else ""
        return text if self.activation is None else f"{text}, activation={self.activation!r}"


class BiDense(Layer):
    """x1 @ weight @ x2 + bias for each of `out_channels`: the bilinear layer.

    Args:
        in1_channels, in2_channels: features of the inputs `[..., in1_channels]` and `[..., in2_channels]`.
        out_channels: features of the result.
        weight_init, bias_init: by default uniform within 1 / sqrt(in1_channels) of 0.
    """

    def __init__(
        self, in1_channels: int, in2_channels: int, out_channels: int, weight_init: Any = None, bias_init: Any = None,
        has_bias: bool = True, dtype: Any = float32,
    ) -> None:
        super().__init__()
        self.in1_channels = check.positive_int("BiDense", "in1_channels", in1_channels)
        self.in2_channels = check.positive_int("BiDense", "in2_channels", in2_channels)
        self.out_channels = check.positive_int("BiDense", "out_channels", out_channels)
        self.has_bias = check.boolean("BiDense", "has_bias", has_bias)
        dtype = float_dtype("BiDense", dtype)
        default = Uniform(1 / math.sqrt(in1_channels))
        shape = (out_channels, in1_channels, in2_channels)
        self.weight = Parameter(initializer(default if weight_init is None else weight_init, shape, dtype), "weight")
        self.bias = None
        if has_bias:
            self.bias = Parameter(initializer(default if bias_init is None else bias_init, out_channels, dtype), "bias")

    def construct(self, input1: Tensor, input2: Tensor) -> Tensor:
        rows = [ops.reshape(x, (-1, x.shape[-1])) for x in (input1, input2)]
        left = ops.matmul(rows[0], ops.reshape(ops.transpose(self.weight, (1, 0, 2)), (self.in1_channels, -1)))
        products = ops.reshape(left, (-1, self.out_channels, self.in2_channels)) * ops.expand_dims(rows[1], 1)
        y = ops.reshape(ops.sum(products, -1), (*input1.shape[:-1], self.out_channels))
        return y if self.bias is None else y + self.bias

    def extend_repr(self) -> str:
        return (
            f"in1_channels={self.in1_channels}, in2_channels={self.in2_channels}, out_channels={self.out_channels}, "
            f"has_bias={self.has_bias}"
        )
