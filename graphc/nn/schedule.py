"""Learning rates over time: as lists (`cosine_decay_lr(...)`, one rate per step) and as Cells of the step.

Optimizers take either. A Cell computes the rate within the training step's graph, from the optimizer's `global_step`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from graphc import ops
from graphc.dtype import float32
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.tensor import Tensor

__all__ = [
    "CosineDecayLR", "ExponentialDecayLR", "InverseDecayLR", "LearningRateSchedule", "NaturalExpDecayLR",
    "PolynomialDecayLR", "WarmUpLR", "cosine_decay_lr", "exponential_decay_lr", "inverse_decay_lr",
    "natural_exp_decay_lr", "piecewise_constant_lr", "polynomial_decay_lr", "warmup_lr",
]  # fmt: skip

# Lists of rates


def piecewise_constant_lr(milestone: Sequence[int], learning_rates: Sequence[float]) -> list[float]:
    """`learning_rates[i]` from step `milestone[i - 1]` to the one before `milestone[i]`.

    Args:
        milestone: steps, increasing, above 0.
        learning_rates: as many rates, above 0.
    Raises:
        TypeError, ValueError: they are not.
    """
    where = "piecewise_constant_lr"
    for name, values in (("milestone", milestone), ("learning_rates", learning_rates)):
        if not isinstance(values, (list, tuple)):
            got = type(values).__name__
            raise TypeError(f"For '{where}', the type of '{name}' must be list or tuple, but got {got}.")
    if len(milestone) != len(learning_rates):
        raise ValueError(
            f"For '{where}', the size of 'milestone' must be the same as the size of 'learning_rates', "
            f"but got {len(milestone)} and {len(learning_rates)}."
        )
    rates: list[float] = []
    for end, rate in zip(milestone, learning_rates, strict=True):
        check.positive_int(where, "milestone", end)
        check.positive_float(where, "learning_rates", rate)
        if end < len(rates):
            raise ValueError(f"For '{where}', 'milestone' must increase, but got {list(milestone)}.")
        rates += [rate] * (end - len(rates))
    return rates


def _by_epoch(
    where: str, total_step: int, step_per_epoch: int, rate: Callable[[int], float]
) -> list[float]:
    """`rate(epoch)` for each of `total_step` steps; epochs count from 0 and have `step_per_epoch` steps."""
    check.positive_int(where, "total_step", total_step)
    check.positive_int(where, "step_per_epoch", step_per_epoch)
    return [rate(step // step_per_epoch) for step in range(total_step)]


def exponential_decay_lr(
    learning_rate: float, decay_rate: float, total_step: int, step_per_epoch: int, decay_epoch: int,
    is_stair: bool = False,
) -> list[float]:
    """learning_rate * decay_rate ^ (epoch / decay_epoch), the exponent rounded down if `is_stair`."""
    where = "exponential_decay_lr"
    _check_decay(where, learning_rate, decay_rate, decay_epoch, is_stair)

    def rate(epoch: int) -> float:
        return learning_rate * decay_rate ** (epoch // decay_epoch if is_stair else epoch / decay_epoch)

    return _by_epoch(where, total_step, step_per_epoch, rate)


def natural_exp_decay_lr(
    learning_rate: float, decay_rate: float, total_step: int, step_per_epoch: int, decay_epoch: int,
    is_stair: bool = False,
) -> list[float]:
    """learning_rate * e ^ (-decay_rate * epoch), the epoch rounded down to multiples of `decay_epoch` if `is_stair`."""
    where = "natural_exp_decay_lr"
    _check_decay(where, learning_rate, decay_rate, decay_epoch, is_stair)

    def rate(epoch: int) -> float:
        return learning_rate * math.exp(-decay_rate * (epoch // decay_epoch * decay_epoch if is_stair else epoch))

    return _by_epoch(where, total_step, step_per_epoch, rate)


def inverse_decay_lr(
    learning_rate: float, decay_rate: float, total_step: int, step_per_epoch: int, decay_epoch: int,
    is_stair: bool = False,
) -> list[float]:
    """learning_rate / (1 + decay_rate * epoch / decay_epoch), the quotient rounded down if `is_stair`."""
    where = "inverse_decay_lr"
    _check_decay(where, learning_rate, decay_rate, decay_epoch, is_stair)

    def rate(epoch: int) -> float:
        return learning_rate / (1 + decay_rate * (epoch // decay_epoch if is_stair else epoch / decay_epoch))

    return _by_epoch(where, total_step, step_per_epoch, rate)


def cosine_decay_lr(
    min_lr: float, max_lr: float, total_step: int, step_per_epoch: int, decay_epoch: int
) -> list[float]:
    """Half a cosine from `max_lr` down to `min_lr` over `decay_epoch` epochs, then `min_lr`."""
    where = "cosine_decay_lr"
    _check_cosine(where, min_lr, max_lr)
    check.positive_int(where, "decay_epoch", decay_epoch)

    def rate(epoch: int) -> float:
        return min_lr + 0.5 * (max_lr - min_lr) * (1 + math.cos(math.pi * min(epoch, decay_epoch) / decay_epoch))

    return _by_epoch(where, total_step, step_per_epoch, rate)


def polynomial_decay_lr(
    learning_rate: float, end_learning_rate: float, total_step: int, step_per_epoch: int, decay_epoch: int,
    power: float, update_decay_epoch: bool = False,
) -> list[float]:
    """(learning_rate - end_learning_rate) * (1 - epoch / decay_epoch) ^ power + end_learning_rate.

    Past `decay_epoch` the rate stays, or with `update_decay_epoch` the decay begins anew over the next multiple of it.
    """
    where = "polynomial_decay_lr"
    _check_polynomial(where, learning_rate, end_learning_rate, power)
    check.positive_int(where, "decay_epoch", decay_epoch)
    check.boolean(where, "update_decay_epoch", update_decay_epoch)

    def rate(epoch: int) -> float:
        span = decay_epoch * max(math.ceil(epoch / decay_epoch), 1) if update_decay_epoch else decay_epoch
        share = math.pow(1 - min(epoch, span) / span, power)
        return (learning_rate - end_learning_rate) * share + end_learning_rate

    return _by_epoch(where, total_step, step_per_epoch, rate)


def warmup_lr(learning_rate: float, total_step: int, step_per_epoch: int, warmup_epoch: int) -> list[float]:
    """From 0 up to `learning_rate` in a line over `warmup_epoch` epochs, then `learning_rate`."""
    where = "warmup_lr"
    check.positive_float(where, "learning_rate", learning_rate)
    check.non_negative_int(where, "warmup_epoch", warmup_epoch)

    def rate(epoch: int) -> float:
        return learning_rate * min(epoch, warmup_epoch) / warmup_epoch if warmup_epoch else learning_rate

    return _by_epoch(where, total_step, step_per_epoch, rate)


def _check_decay(where: str, learning_rate: float, decay_rate: float, decay: int, is_stair: bool) -> None:
    check.positive_float(where, "learning_rate", learning_rate)
    check.positive_float(where, "decay_rate", decay_rate)
    check.positive_int(where, "decay_epoch" if where.endswith("_lr") else "decay_steps", decay)
    check.boolean(where, "is_stair", is_stair)


def _check_cosine(where: str, min_lr: float, max_lr: float) -> None:
    check.non_negative_float(where, "min_lr", min_lr)
    check.positive_float(where, "max_lr", max_lr)
    if min_lr >= max_lr:
        raise ValueError(f"For '{where}', the 'max_lr' must be greater than 'min_lr', but got {max_lr} and {min_lr}.")


def _check_polynomial(where: str, learning_rate: float, end_learning_rate: float, power: float) -> None:
    check.positive_float(where, "learning_rate", learning_rate)
    check.non_negative_float(where, "end_learning_rate", end_learning_rate)
    check.positive_float(where, "power", power)


# Cells


class LearningRateSchedule(Cell):
    """The base of learning rates as Cells; `construct(global_step)` returns the rate as a scalar Tensor.

    `global_step` is an int Tensor of shape `[]`, 0 in the first step.
    """

    def construct(self, global_step: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__}: define construct(global_step) to say what the learning rate is")


class ExponentialDecayLR(LearningRateSchedule):
    """learning_rate * decay_rate ^ (step / decay_steps), the exponent rounded down if `is_stair`."""

    def __init__(self, learning_rate: float, decay_rate: float, decay_steps: int, is_stair: bool = False) -> None:
        super().__init__()
        _check_decay("ExponentialDecayLR", learning_rate, decay_rate, decay_steps, is_stair)
        self.learning_rate, self.decay_rate = learning_rate, decay_rate
        self.decay_steps, self.is_stair = decay_steps, is_stair

    def construct(self, global_step: Tensor) -> Tensor:
        p = _real(global_step) / self.decay_steps
        return self.learning_rate * ops.pow(self.decay_rate, ops.floor(p) if self.is_stair else p)


class NaturalExpDecayLR(LearningRateSchedule):
    """learning_rate * e ^ (-decay_rate * step), the step rounded down to multiples of `decay_steps` if `is_stair`."""

    def __init__(self, learning_rate: float, decay_rate: float, decay_steps: int, is_stair: bool = False) -> None:
        super().__init__()
        _check_decay("NaturalExpDecayLR", learning_rate, decay_rate, decay_steps, is_stair)
        self.learning_rate, self.decay_rate = learning_rate, decay_rate
        self.decay_steps, self.is_stair = decay_steps, is_stair

    def construct(self, global_step: Tensor) -> Tensor:
        p = _real(global_step)
        if self.is_stair:
            p = ops.floor(p / self.decay_steps) * self.decay_steps
        return self.learning_rate * ops.exp(p * -self.decay_rate)


class InverseDecayLR(LearningRateSchedule):
    """learning_rate / (1 + decay_rate * step / decay_steps), the quotient rounded down if `is_stair`."""

    def __init__(self, learning_rate: float, decay_rate: float, decay_steps: int, is_stair: bool = False) -> None:
        super().__init__()
        _check_decay("InverseDecayLR", learning_rate, decay_rate, decay_steps, is_stair)
        self.learning_rate, self.decay_rate = learning_rate, decay_rate
        self.decay_steps, self.is_stair = decay_steps, is_stair

    def construct(self, global_step: Tensor) -> Tensor:
        p = _real(global_step) / self.decay_steps
        return self.learning_rate / (1.0 + self.decay_rate * (ops.floor(p) if self.is_stair else p))


class CosineDecayLR(LearningRateSchedule):
    """Half a cosine from `max_lr` down to `min_lr` over `decay_steps` steps, then `min_lr`."""

    def __init__(self, min_lr: float, max_lr: float, decay_steps: int) -> None:
        super().__init__()
        _check_cosine("CosineDecayLR", min_lr, max_lr)
        self.min_lr, self.max_lr = min_lr, max_lr
        self.decay_steps = check.positive_int("CosineDecayLR", "decay_steps", decay_steps)

    def construct(self, global_step: Tensor) -> Tensor:
        p = ops.minimum(_real(global_step), float(self.decay_steps))
        return self.min_lr + 0.5 * (self.max_lr - self.min_lr) * (1.0 + ops.cos(p * (math.pi / self.decay_steps)))


class PolynomialDecayLR(LearningRateSchedule):
    """(learning_rate - end_learning_rate) * (1 - step / decay_steps) ^ power + end_learning_rate.

    Past `decay_steps` the rate stays, or with `update_decay_steps` the decay begins anew over the next multiple of it.
    """

    def __init__(
        self, learning_rate: float, end_learning_rate: float, decay_steps: int, power: float,
        update_decay_steps: bool = False,
    ) -> None:
        super().__init__()
        where = "PolynomialDecayLR"
        _check_polynomial(where, learning_rate, end_learning_rate, power)
        self.learning_rate, self.end_learning_rate, self.power = learning_rate, end_learning_rate, power
        self.decay_steps = check.positive_int(where, "decay_steps", decay_steps)
        self.update_decay_steps = check.boolean(where, "update_decay_steps", update_decay_steps)

    def construct(self, global_step: Tensor) -> Tensor:
        step = _real(global_step)
        if self.update_decay_steps:
            span = ops.maximum(ops.ceil(step / self.decay_steps), 1.0) * self.decay_steps
            p = step / span
        else:
            p = ops.minimum(step, float(self.decay_steps)) / self.decay_steps
        return (self.learning_rate - self.end_learning_rate) * ops.pow(1.0 - p, self.power) + self.end_learning_rate


class WarmUpLR(LearningRateSchedule):
    """From 0 up to `learning_rate` in a line over `warmup_steps` steps, then `learning_rate`."""

    def __init__(self, learning_rate: float, warmup_steps: int) -> None:
        super().__init__()
        self.learning_rate = check.positive_float("WarmUpLR", "learning_rate", learning_rate)
        self.warmup_steps = check.positive_int("WarmUpLR", "warmup_steps", warmup_steps)

    def construct(self, global_step: Tensor) -> Tensor:
        return self.learning_rate * (ops.minimum(_real(global_step), float(self.warmup_steps)) / self.warmup_steps)


def _real(step: Tensor) -> Tensor:
    """The step as a float32 Tensor: exact up to 2^24 steps."""
    return ops.cast(step, float32)
