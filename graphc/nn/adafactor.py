"""AdaFactor: second moments kept as their means over rows and columns."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dispatch import assign
from graphc.dtype import float32
from graphc.nn import check
from graphc.nn.optimizer import Optimizer, averaged
from graphc.parameter import Parameter, ParameterTuple
from graphc.tensor import Tensor

__all__ = ["AdaFactor"]


def _root_mean_square(x: Tensor) -> Tensor:
    return ops.sqrt(ops.mean(x * x))


class AdaFactor(Optimizer):
    """Adam in the memory of plain descent (Shazeer and Stern 2018, algorithms 4 and 5), as in MindSpore.

    The second moment of a matrix is the product of its rows' and columns' moments; it is kept whole for vectors.

    Args:
        learning_rate: None if `relative_step`, else as of any optimizer.
        eps: two numbers: what is added to squared gradients, and the least scale of a parameter.
        clip_threshold: the largest root mean square of a step, before the learning rate.
        decay_rate: in (0, 1): in step t the second moments keep `1 - t^-decay_rate` of themselves.
        beta1: how much of the first moment is kept; none is computed if it is 0 or None.
        weight_decay: in [0, 1).
        scale_parameter: steps are scaled to the root mean square of the parameter.
        relative_step: the learning rate is `min(0.01, 1 / sqrt(t))`.
        warmup_init: `1e-6 * t` in place of that 0.01; needs `relative_step`.
        compression: must be False: the state is float32.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def __init__(
        self, params: Any, learning_rate: Any = None, eps: tuple[float, float] = (1e-30, 1e-3),
        clip_threshold: float = 1.0, decay_rate: float = 0.8, beta1: float | None = 0.9, weight_decay: float = 0.0,
        scale_parameter: bool = True, relative_step: bool = True, warmup_init: bool = False, compression: bool = False,
        loss_scale: float = 1.0,
    ) -> None:
        where = "AdaFactor"
        if learning_rate is not None and relative_step:
            raise ValueError(f"For '{where}', 'learning_rate' and 'relative_step' exclude each other.")
        if learning_rate is None and not relative_step:
            raise ValueError(f"For '{where}', 'learning_rate' must be given if 'relative_step' is False.")
        if warmup_init and not relative_step:
            raise ValueError(f"For '{where}', 'warmup_init' requires relative_step=True.")
        super().__init__(0.0 if learning_rate is None else learning_rate, params, weight_decay, loss_scale)
        check.between(where, "weight_decay", weight_decay, 0.0, 1.0, "[)")
        if not isinstance(eps, (list, tuple)) or len(eps) != 2:
            raise ValueError(f"For '{where}', the 'eps' must be two floats, but got {eps!r}.")
        self.eps = tuple(check.non_negative_float(where, f"eps{i}", value) for i, value in enumerate(eps))
        self.clip_threshold = check.positive_float(where, "clip_threshold", clip_threshold)
        self.decay_rate = check.between(where, "decay_rate", decay_rate, 0.0, 1.0)
        self.beta1 = check.non_negative_float(where, "beta1", 0.0 if beta1 is None else beta1)
        self.scale_parameter = check.boolean(where, "scale_parameter", scale_parameter)
        self.relative_step = check.boolean(where, "relative_step", relative_step)
        self.warmup_init = check.boolean(where, "warmup_init", warmup_init)
        check.only(where, "compression", check.boolean(where, "compression", compression), False)
        if self.beta1:
            self.exp_avg = self.new_state("exp_avg")
        self.exp_avg_sq_row = self._moments("exp_avg_sq_row", lambda s: s[:-1] if len(s) > 1 else (1,))
        self.exp_avg_sq_col = self._moments("exp_avg_sq_col", lambda s: s[:-2] + s[-1:] if len(s) > 1 else (1,))
        self.exp_avg_sq = self._moments("exp_avg_sq", lambda s: (1,) if len(s) > 1 else s)

    def _moments(self, prefix: str, shape: Any) -> ParameterTuple:
        return ParameterTuple(
            Parameter(ops.zeros(shape(p.shape), p.dtype), f"{prefix}_{p.name}", requires_grad=False)
            for p in self.parameters
        )

    def construct(self, gradients: Any) -> bool:
        gradients = self.scale_grad(self.gradients_centralization(gradients))
        step = ops.cast(self.global_step + 1, float32)
        keep = 1.0 - ops.pow(step, -self.decay_rate)
        rates = self.rates()
        if self.relative_step:
            most = step * 1e-6 if self.warmup_init else 1e-2
            rates = (ops.minimum(1.0 / ops.sqrt(step), most),) * len(self.parameters)
        for i, (w, g, lr) in enumerate(zip(self.parameters, gradients, rates, strict=True)):
            if self.scale_parameter:
                lr = lr * ops.maximum(_root_mean_square(w), self.eps[1])
            update = g * self._inverse_root(i, g * g + self.eps[0], keep)
            update = update / ops.maximum(_root_mean_square(update) / self.clip_threshold, 1.0) * lr
            if self.beta1:
                update = averaged(self.exp_avg[i], update, self.beta1)
            decay = self.weight_decay[i] if self.is_group else self.weight_decay
            decayed = w - w * (lr * (decay / self.loss_scale)) if decay else w
            assign(w, decayed - update)
        return True

    def _inverse_root(self, i: int, square: Tensor, keep: Tensor) -> Tensor:
        """1 over the root of the second moment of parameter `i`, after the step's squared gradient."""
        if square.ndim < 2:
            return 1.0 / ops.sqrt(averaged(self.exp_avg_sq[i], square, keep))
        row = averaged(self.exp_avg_sq_row[i], ops.mean(square, -1), keep)
        col = averaged(self.exp_avg_sq_col[i], ops.mean(square, -2), keep)
        of_row = 1.0 / ops.sqrt(row / ops.mean(row, -1, keep_dims=True))
        return ops.expand_dims(of_row, -1) * ops.expand_dims(1.0 / ops.sqrt(col), -2)
