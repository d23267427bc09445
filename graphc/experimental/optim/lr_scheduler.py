"""Learning rates set between steps: `scheduler.step()` after every step or epoch.

A scheduler works on `optimizer.param_groups`: it counts its calls in `last_epoch`, from 0, and sets the learning rate
of each group from the one it had at first and from that count. Formulas are PyTorch's closed forms.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from graphc.dtype import float32
from graphc.experimental.optim.optimizer import Optimizer
from graphc.nn import check
from graphc.tensor import Tensor


class LRScheduler:
    """The base; a subclass defines `rate(base, group)`, the rate of a group at `self.last_epoch`, or `get_lr()`.

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
        self._last_lr = self._rates()  # MindSpore's name, of which formulas in programs make the next rates
        self.step()

    def rate(self, base: float, group: int) -> float:
        """The learning rate of the group number `group`, whose rate at first was `base`: the same always."""
        return base

    def get_lr(self) -> Sequence[float]:
        """The learning rate of each group at `last_epoch`."""
        return [self.rate(base, number) for number, base in enumerate(self.base_lrs)]

    def step(self, epoch: int | None = None) -> None:
        """Counts one step, or goes to the number `epoch` of steps, and sets the learning rates."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else int(epoch)
        self.apply()

    def apply(self) -> None:
        """Sets the learning rates for `last_epoch`."""
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate
        self._last_lr = self._rates()

    def get_last_lr(self) -> list[Tensor]:
        """The learning rate of each group as it is now: float32 scalars."""
        return [Tensor(rate, float32) for rate in self._rates()]

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]


def _of_groups(where: str, what: str, given: Any, optimizer: Optimizer) -> list[Any]:
    """One for each group: those of a list or tuple, or the same for all."""
    count = len(optimizer.param_groups)
    items = list(given) if isinstance(given, (list, tuple)) else [given] * count
    if len(items) != count:
        raise ValueError(f"{where}: expected {count} {what}, one for each group, got {len(items)}")
    return items


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
        self.lr_lambdas: list[Callable[[int], float]] = _of_groups("LambdaLR", "functions", lr_lambda, optimizer)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * self.lr_lambdas[group](self.last_epoch)


class MultiplicativeLR(LRScheduler):
    """The rate times `lr_lambda(count)` at every step; one function, or a list of one for each group."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        functions: list[Callable[[int], float]] = _of_groups("MultiplicativeLR", "functions", lr_lambda, optimizer)
        self.lr_lambdas = functions
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Sequence[float]:
        if self.last_epoch <= 0:
            return self._last_lr
        return [lr * of_count(self.last_epoch) for lr, of_count in zip(self._last_lr, self.lr_lambdas, strict=True)]


class ConstantLR(LRScheduler):
    """The first rate times `factor` for `total_iters` steps, then the first rate."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = check.between("ConstantLR", "factor", factor, 0.0, 1.0, "[]")
        self.total_iters = check.positive_int("ConstantLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * self.factor if self.last_epoch < self.total_iters else base


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


class CosineAnnealingWarmRestarts(LRScheduler):
    """A cosine from the first rate to `eta_min` over `T_0` steps, then again from the first, each time over `T_mult`
    times as many (Loshchilov and Hutter 2017, equation 5)."""

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1,  # noqa: N803
    ) -> None:
        self.T_0 = check.positive_int("CosineAnnealingWarmRestarts", "T_0", T_0)
        self.T_mult = check.positive_int("CosineAnnealingWarmRestarts", "T_mult", T_mult)
        self.eta_min = eta_min
        self._part = 0.0
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """As of other schedulers; `epoch` may be between two steps, as in the midst of an epoch: 1.25.

        Raises:
            ValueError: a negative `epoch`.
        """
        if epoch is not None and epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts: expected an epoch of at least 0, got {epoch}")
        whole = None if epoch is None else math.floor(epoch)
        self._part = 0.0 if epoch is None or whole is None else float(epoch) - whole
        super().step(whole)

    def rate(self, base: float, group: int) -> float:
        count, period = self.last_epoch + self._part, self.T_0
        while count >= period:
            count, period = count - period, period * self.T_mult
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * count / period)) / 2


class CyclicLR(LRScheduler):
    """Up in a line from `base_lr` to `max_lr` and down again, over and over (Smith 2017).

    Args:
        base_lr, max_lr: the least and the greatest rate; or lists of one for each group.
        step_size_up, step_size_down: how many steps it goes up, and down (None: as many).
        mode: "triangular"; "triangular2" halves the height in each cycle; "exp_range" multiplies it by `gamma` in each
            step.
        scale_fn, scale_mode: a function in place of `mode` of what the height is multiplied by; it takes the number of
            the cycle, from 1 ("cycle"), or of the step, from 0 ("iterations").
    """

    def __init__(
        self, optimizer: Optimizer, base_lr: Any, max_lr: Any, step_size_up: int = 2000,
        step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None, scale_mode: str = "cycle", last_epoch: int = -1,
    ) -> None:
        where = "CyclicLR"
        self.step_size_up = check.positive_int(where, "step_size_up", step_size_up)
        down = step_size_up if step_size_down is None else step_size_down
        self.step_size_down = check.positive_int(where, "step_size_down", down)
        scales: dict[str, tuple[Callable[[int], float], str]] = {
            "triangular": (lambda cycle: 1.0, "cycle"),
            "triangular2": (lambda cycle: 0.5 ** (cycle - 1), "cycle"),
            "exp_range": (lambda count: gamma**count, "iterations"),
        }
        if scale_fn is None:
            self.scale, self.scale_mode = scales[check.one_of(where, "mode", mode, tuple(scales))]
        else:
            self.scale = scale_fn
            self.scale_mode = check.one_of(where, "scale_mode", scale_mode, ("cycle", "iterations"))
        self.min_lrs = _of_groups(where, "least rates", base_lr, optimizer)
        self.max_lrs = _of_groups(where, "greatest rates", max_lr, optimizer)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        cycle, place = divmod(self.last_epoch, self.step_size_up + self.step_size_down)
        rise = place / self.step_size_up
        fall = 1 - (place - self.step_size_up) / self.step_size_down
        factor = self.scale(cycle + 1 if self.scale_mode == "cycle" else self.last_epoch)
        least: float = self.min_lrs[group]
        most: float = self.max_lrs[group]
        return least + (most - least) * min(rise, fall) * factor


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

    def step(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else int(epoch)
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

    def get_last_lr(self) -> list[Tensor]:
        """The learning rate of each group as it is now: float32 scalars."""
        return [Tensor(float(group["lr"]), float32) for group in self.optimizer.param_groups]
