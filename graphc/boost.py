"""Gradients of several steps in one update: MindSpore's `boost.GradientAccumulation`.

    from graphc import boost

    accumulation = boost.GradientAccumulation(4, optimizer)
    loss = accumulation(loss, gradients)  # in every step; the optimizer runs in every fourth
"""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import int32
from graphc.nn.cell import Cell
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = ["GradientAccumulation", "gradient_accumulation_op", "gradient_clear_op"]

gradient_accumulation_op = ops.MultitypeFuncGraph("gradient_accumulation_op")
gradient_clear_op = ops.MultitypeFuncGraph("gradient_clear_op")


@gradient_accumulation_op.register("Number", "Tensor", "Tensor")
def _accumulate(accumulation_step: int, cumulative_grad: Parameter, grad: Tensor) -> Tensor:
    return ops.assign_add(cumulative_grad, grad / accumulation_step)


@gradient_clear_op.register("Tensor")
def _clear(cumulative_grad: Parameter) -> Tensor:
    return ops.assign(cumulative_grad, ops.zeros_like(cumulative_grad))


class GradientAccumulation(Cell):
    """Sums the gradients of several steps, and updates the parameters with their mean.

    Args:
        max_accumulation_step: after how many steps the optimizer runs.
        optimizer: it.
    Inputs:
        loss: a Tensor, which is given back.
        grads: a tuple with a Tensor for each of the optimizer's parameters.
    """

    def __init__(self, max_accumulation_step: int, optimizer: Any) -> None:
        super().__init__()
        self._max_accumulation_step = max_accumulation_step
        self.optimizer = optimizer
        self.weights = optimizer.parameters
        self.hyper_map = ops.HyperMap()
        self._grad_accumulation = self.weights.clone(prefix="grad_accumulation", init="zeros")
        self._accumulation_step = Parameter(Tensor(0, int32), name="accumulation_step")

    def construct(self, loss: Tensor, grads: Any) -> Tensor:
        add = ops.partial(gradient_accumulation_op, self._max_accumulation_step)
        self.hyper_map(add, self._grad_accumulation, grads)
        if ops.assign_add(self._accumulation_step, 1) >= self._max_accumulation_step:
            self.optimizer(self._grad_accumulation)
            self.hyper_map(gradient_clear_op, self._grad_accumulation)
            ops.assign(self._accumulation_step, 0)
        return loss
