"""Optimizers that solve for the weights under an L1 and L2 penalty, so that weights become exactly 0."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dispatch import assign
from graphc.nn import check
from graphc.nn.optimizer import Optimizer
from graphc.parameter import Parameter

__all__ = ["FTRL", "ProximalAdagrad"]


class FTRL(Optimizer):
    """Follow the regularized leader (McMahan et al. 2013), as in MindSpore.

        s' = s + g * g                                          (s is `initial_accum` at first)
        z = z + g - (s'^-lr_power - s^-lr_power) / lr * w
        w = (sign(z) * l1 - z) / (s'^-lr_power / lr + 2 * l2) where |z| > l1, else 0

    Weight decay applies to every parameter here, whatever its name, as in MindSpore.

    Args:
        initial_accum, l1, l2: at least 0.
        learning_rate: a number above 0; it cannot change from step to step, nor differ between groups.
        lr_power: at most 0; -0.5 for the square root.
        use_locking: accepted: updates never run concurrently.
    """

    def __init__(
        self, params: Any, initial_accum: float = 0.1, learning_rate: Any = 1e-3, lr_power: float = -0.5,
        l1: float = 0.0, l2: float = 0.0, use_locking: bool = False, loss_scale: float = 1.0, weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay, loss_scale)
        if self.dynamic_lr or self.is_group_lr:
            raise ValueError(
                "For 'FTRL', dynamic learning rate and group learning rate are currently not supported, but got "
                f"dynamic learning rate {self.dynamic_lr} and group learning rate {self.is_group_lr}."
            )
        if not isinstance(learning_rate, Parameter):
            check.positive_float("FTRL", "learning_rate", learning_rate)
        if check.number("FTRL", "lr_power", lr_power) > 0:
            raise ValueError(f"For 'FTRL', the 'lr_power' must be float and must <= 0.0, but got {lr_power}.")
        self.lr_power = lr_power
        self.l1 = check.non_negative_float("FTRL", "l1", l1)
        self.l2 = check.non_negative_float("FTRL", "l2", l2)
        check.boolean("FTRL", "use_locking", use_locking)
        self.moments = self.new_state("moments", check.non_negative_float("FTRL", "initial_accum", initial_accum))
        self.linear = self.new_state("linear")
        if not self.is_group:
            self.decay_flags = (True,) * len(self.parameters)

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        for i, (w, g, lr) in enumerate(zip(self.parameters, gradients, self.rates(), strict=True)):
            s = self.moments[i] + g * g
            before, after = ops.pow(self.moments[i], -self.lr_power), ops.pow(s, -self.lr_power)
            z = self.linear[i] + g - (after - before) / lr * w
            assign(self.moments[i], s)
            assign(self.linear[i], z)
            solved = (ops.sign(z) * self.l1 - z) / (after / lr + 2 * self.l2)
            assign(w, ops.where(ops.abs(z) > self.l1, solved, 0.0))
        return True


class ProximalAdagrad(Optimizer):
    """Adagrad's step, then the proximal step of the penalty (Duchi and Singer 2009, as in MindSpore).

        s = s + g * g                             (s is `accum` at first)
        r = lr / sqrt(s)
        p = w - r * g
        w = sign(p) * max(|p| - r * l1, 0) / (1 + r * l2)

    Args:
        accum, l1, l2: at least 0.
        use_locking: accepted: updates never run concurrently.
    """

    def __init__(
        self, params: Any, accum: float = 0.1, learning_rate: Any = 1e-3, l1: float = 0.0, l2: float = 0.0,
        use_locking: bool = False, loss_scale: float = 1.0, weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay, loss_scale)
        self.l1 = check.non_negative_float("ProximalAdagrad", "l1", l1)
        self.l2 = check.non_negative_float("ProximalAdagrad", "l2", l2)
        check.boolean("ProximalAdagrad", "use_locking", use_locking)
        self.accum = self.new_state("accum", check.non_negative_float("ProximalAdagrad", "accum", accum))

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        for w, g, lr, accum in zip(self.parameters, gradients, self.rates(), self.accum, strict=True):
            s = accum + g * g
            assign(accum, s)
            r = lr / ops.sqrt(s)
            p = w - g * r
            if self.l1 > 0:
                p = ops.sign(p) * ops.maximum(ops.abs(p) - r * self.l1, 0.0)
            assign(w, p / (r * self.l2 + 1.0))
        return True
