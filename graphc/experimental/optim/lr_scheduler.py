"""Learning rates set between steps: `scheduler.step()` after every step or epoch.

A scheduler works on `optimizer.param_groups`: it counts its calls in `last_epoch`, from 0, and sets the learning rate
of each group from the one it had at first and from that count. Formulas are PyTorch's closed forms.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from graphc.experimental.optim.optimizer import Optimizer
from graphc.nn import check


class LRScheduler(ABC):
    """The base; a subclass defines `rate(base, group)`, the rate of a group at `self.last_epoch`.

    Args:
        optimizer: of `graphc.experimental.optim`.
        last_epoch: the count to start after: -1 for the beginning.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: expected an optimizer with param_groups, got {optimizer!r:.60}")
        self.optimizer = optimizer
        self.base_lrs = [group.initial_lr() for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    @abstractmethod
    def rate(self, base: float, group: int) -> float:
        """The learning rate of the group number `group`, whose rate at first was `base`."""

    def step(self) -> None:
        """Counts one step and sets the learning rates."""
        self.last_epoch += 1
        self.apply()

    def apply(self) -> None:
        """Sets the learning rates for `last_epoch`."""
        for number, (group, base) in enumerate(zip(self.optimizer.param_groups, self.base_lrs, strict=True)):
            group["lr"] = self.rate(base, number)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group as it is now."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]


class StepLR(LRScheduler):
    """The rate times `gamma` every `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = check.positive_int("StepLR", "step_size", step_size)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * math.pow(self.gamma, self.last_epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """The rate times `gamma` at each of `milestones`."""

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * math.pow(self.gamma, bisect_right(self.milestones, self.last_epoch))


class ExponentialLR(LRScheduler):
    """The rate times `gamma` at every step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * math.pow(self.gamma, self.last_epoch)


class LambdaLR(LRScheduler):
    """The first rate times `lr_lambda(count)`; one function, or a list of one for each group."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != count:
            raise ValueError(f"LambdaLR: expected {count} functions, one for each group, got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * self.lr_lambdas[group](self.last_epoch)


class LinearLR(LRScheduler):
    """The first rate times a factor that goes in a line from `start_factor` to `end_factor` in `total_iters` steps."""

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = check.between("LinearLR", "start_factor", start_factor, 0.0, 1.0, "(]")
        self.end_factor = check.between("LinearLR", "end_factor", end_factor, 0.0, 1.0, "[]")
        self.total_iters = check.positive_int("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        share = min(self.last_epoch, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class PolynomialLR(LRScheduler):
    """The first rate times (1 - count / total_iters)^power, 0 after that."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = check.positive_int("PolynomialLR", "total_iters", total_iters)
        self.power = power
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * math.pow(1 - min(self.last_epoch, self.total_iters) / self.total_iters, self.power)


class CosineAnnealingLR(LRScheduler):
    """A cosine from the first rate to `eta_min` over `T_max` steps, and back (Loshchilov and Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:  # noqa: N803
        self.T_max = check.positive_int("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2


class SequentialLR(LRScheduler):
    """One scheduler after another, each from its milestone on and counting from 0 there."""

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        if not schedulers or len(milestones) != len(schedulers) - 1:
            got = f"{len(milestones)} milestones and {len(schedulers)} schedulers"
            raise ValueError(f"SequentialLR: expected one milestone less than schedulers, got {got}")
        if any(scheduler.optimizer is not optimizer for scheduler in schedulers):
            raise ValueError("SequentialLR: the schedulers must be of the same optimizer")
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def step(self) -> None:
        self.last_epoch += 1
        index = bisect_right(self.milestones, self.last_epoch)
        scheduler = self.schedulers[index]
        scheduler.last_epoch = self.last_epoch - (self.milestones[index - 1] if index else 0)
        scheduler.apply()

    def rate(self, base: float, group: int) -> float:
        return self.schedulers[bisect_right(self.milestones, self.last_epoch)].rate(base, group)


class ReduceLROnPlateau:
    """The rate times `factor` when a measure has not become better for more than `patience` steps.

    Args:
        mode: 'min' or 'max': which way is better.
        threshold, threshold_mode: how much better counts: relative ('rel') or absolute ('abs').
        cooldown: steps to wait after a change before counting again.
        min_lr: the least rate, or a list of one for each group.
        eps: changes of the rate below this are left out.
    """

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10, threshold: float = 1e-4,
        threshold_mode: str = "rel", cooldown: int = 0, min_lr: Any = 0.0, eps: float = 1e-8,
    ) -> None:
        where = "ReduceLROnPlateau"
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{where}: expected an optimizer with param_groups, got {optimizer!r:.60}")
        self.optimizer = optimizer
        self.mode = check.one_of(where, "mode", mode, ("min", "max"))
        self.threshold_mode = check.one_of(where, "threshold_mode", threshold_mode, ("rel", "abs"))
        self.factor = check.between(where, "factor", factor, 0.0, 1.0)
        self.patience = check.non_negative_int(where, "patience", patience)
        self.cooldown = check.non_negative_int(where, "cooldown", cooldown)
        self.threshold, self.eps = threshold, eps
        count = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * count
        if len(self.min_lrs) != count:
            raise ValueError(f"{where}: expected {count} values of min_lr, got {len(self.min_lrs)}")
        self.best = math.inf if mode == "min" else -math.inf
        self.last_epoch = self.num_bad_epochs = self.cooldown_counter = 0

    def step(self, metrics: Any) -> None:
        """Takes the measure, a number or a scalar Tensor, and changes the rates if it is time."""
        self.last_epoch += 1
        value = float(metrics)
        if self._better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                old = float(group["lr"])
                new = max(old * self.factor, least)
                if old - new > self.eps:
                    group["lr"] = new
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def _better(self, value: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        if math.isinf(self.best):
            return value * sign < self.best * sign
        margin = abs(self.best) * self.threshold if self.threshold_mode == "rel" else self.threshold
        return value * sign < self.best * sign - margin

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group as it is now."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]
