"""Layer-wise adaptive rates: an optimizer around another one, whose gradients it scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc import ops
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.optimizer import Optimizer
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = ["LARS"]


def _is_scaled(parameter: Parameter) -> bool:
    return "LayerNorm" not in parameter.name and "bias" not in parameter.name


class LARS(Optimizer):
    """Scales each parameter's gradient to its norm, then lets `optimizer` make the step (You et al. 2017).

        r = coefficient * |w| / (|g| + weight_decay * |w| + epsilon)      (1 where |w| or |g| is 0)
        g = r * (g + weight_decay * w)

    Weight decay and loss scale are taken over from `optimizer`, which no longer applies them itself.

    Args:
        optimizer: makes the steps.
        epsilon: keeps the quotient finite.
        coefficient: how far a step may change a parameter, as a part of its norm.
        use_clip: `min(r / lr, 1)` in place of r, so that a step is never longer than the optimizer's own.
        lars_filter: says of a Parameter whether its gradient is scaled; by default all are but those with `bias` or
            `LayerNorm` in their names.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def __init__(
        self, optimizer: Optimizer, epsilon: float = 1e-05, coefficient: float = 0.001, use_clip: bool = False,
        lars_filter: Callable[[Parameter], bool] = _is_scaled,
    ) -> None:
        Cell.__init__(self, auto_prefix=False)
        if not isinstance(optimizer, Optimizer):
            got = type(optimizer).__name__
            raise TypeError(f"For 'LARS', the type of 'optimizer' must be Optimizer, but got {got}.")
        self.epsilon = check.non_negative_float("LARS", "epsilon", epsilon)
        self.coefficient = check.non_negative_float("LARS", "coefficient", coefficient)
        self.use_clip = check.boolean("LARS", "use_clip", use_clip)
        self.opt = optimizer
        self.parameters, self.global_step = optimizer.parameters, optimizer.global_step
        self.lars_flag = tuple(bool(lars_filter(parameter)) for parameter in optimizer.parameters)
        self.loss_scale = optimizer.loss_scale
        self.is_group, self.is_group_lr = optimizer.is_group, optimizer.is_group_lr
        self.dynamic_lr, self.learning_rate = optimizer.dynamic_lr, optimizer.learning_rate
        self.weight_decay, self.decay_flags = optimizer.weight_decay, optimizer.decay_flags
        self.dynamic_weight_decay = optimizer.dynamic_weight_decay
        optimizer.decay_flags = (False,) * len(optimizer.parameters)
        optimizer.loss_scale = 1.0

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        if args:
            self._check_gradients(args[0])
        return Cell._run(self, *args, **kwargs)  # `opt` counts the step

    def construct(self, gradients: Sequence[Tensor]) -> Any:
        each = zip(self.scale_grad(gradients), self.parameters, self._decays(), self.rates(), self.lars_flag,
                   strict=True)
        return self.opt(tuple(self._scaled(g, w, d, lr) if flag else g for g, w, d, lr, flag in each))

    def _scaled(self, g: Tensor, w: Parameter, decay: Any, lr: Tensor) -> Tensor:
        decay = 0.0 if decay is None else decay / self.loss_scale
        of_w, of_g = ops.sqrt(ops.sum(w * w)), ops.sqrt(ops.sum(g * g))
        ratio = of_w * self.coefficient / (of_g + of_w * decay + self.epsilon)
        ratio = ops.where(ops.logical_and(of_w > 0, of_g > 0), ratio, 1.0)
        if self.use_clip:
            ratio = ops.minimum(ratio / lr, 1.0)
        scaled: Tensor = (g + w * decay) * ratio
        return scaled
