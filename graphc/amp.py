"""Loss scaling: multiplying the loss, so that small gradients are not lost, and dividing the gradients again.

graphc computes in float32 or float64, where nothing is lost; programs that scale their loss run all the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from graphc import ops
from graphc.dtype import float32, int32
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.wrap import (
    DynamicLossScaleUpdateCell,
    FixedLossScaleUpdateCell,
    TrainOneStepCell,
    TrainOneStepWithLossScaleCell,
    WithLossCell,
)
from graphc.tensor import Parameter, Tensor

__all__ = [
    "DynamicLossScaleManager", "DynamicLossScaler", "FixedLossScaleManager", "LossScaleManager", "LossScaler",
    "StaticLossScaler", "all_finite", "auto_mixed_precision", "build_train_network", "train_step_cell",
]  # fmt: skip


def all_finite(inputs: Any) -> Tensor:
    """Whether no element of the tensors in `inputs` (a tuple, list or dict) is infinite or NaN: a bool scalar."""
    tensors = inputs.values() if isinstance(inputs, dict) else [inputs] if isinstance(inputs, Tensor) else inputs
    finite = [ops.all(ops.isfinite(t)) for t in tensors]
    if not finite:
        raise ValueError("all_finite: expected at least one tensor, got none")
    return ops.all(ops.stack(finite))


def auto_mixed_precision(network: Cell, amp_level: str = "O0", dtype: Any = None) -> Cell:
    """The network as it is, which is what level "O0" means.

    Raises:
        ValueError: another level: nothing is computed in half precision.
    """
    _check_level("auto_mixed_precision", "amp_level", amp_level)
    return network


def _check_level(where: str, name: str, level: Any) -> None:
    if level != "O0":
        raise ValueError(f"For '{where}', the '{name}' must be 'O0': there is no half precision, but got {level!r}.")


# For steps written by hand


class LossScaler(ABC):
    """Scales the loss, scales gradients back, and adjusts the scale."""

    scale_value: Parameter

    def scale(self, inputs: Any) -> Any:
        """Each tensor in `inputs` times the scale."""
        return _each(lambda t: t * self.scale_value, inputs)

    def unscale(self, inputs: Any) -> Any:
        """Each tensor in `inputs` divided by the scale."""
        inverse = 1.0 / self.scale_value
        return _each(lambda t: t * inverse, inputs)

    @abstractmethod
    def adjust(self, grads_finite: Any) -> bool:
        """Changes the scale for the next step; returns whether it may have."""


class StaticLossScaler(LossScaler):
    """A scale that stays.

    Args:
        scale_value: the scale, above 0.
    """

    def __init__(self, scale_value: float) -> None:
        self.scale_value = _scale_parameter("StaticLossScaler", scale_value)

    def adjust(self, grads_finite: Any) -> bool:
        return False


class DynamicLossScaler(LossScaler):
    """A scale that is divided when gradients overflow, and multiplied after enough steps in which they did not.

    Args:
        scale_value: the scale at first, above 0.
        scale_factor: what it is divided by (to at least 1) and multiplied by.
        scale_window: after how many finite steps in a row it rises.
    """

    def __init__(self, scale_value: float, scale_factor: int, scale_window: int) -> None:
        where = "DynamicLossScaler"
        self.scale_value = _scale_parameter(where, scale_value)
        self.scale_factor = check.positive_int(where, "scale_factor", scale_factor)
        self.scale_window = check.positive_int(where, "scale_window", scale_window)
        self.counter = Parameter(Tensor(0, int32), "counter", requires_grad=False)

    def adjust(self, grads_finite: Any) -> bool:
        larger = self.scale_value * float(self.scale_factor)
        smaller = ops.maximum(self.scale_value / float(self.scale_factor), 1.0)
        rises = ops.logical_and(self.counter == self.scale_window - 1, ops.isfinite(larger))
        kept = ops.where(rises, larger, self.scale_value)
        counter = (self.counter + 1) % self.scale_window * ops.cast(grads_finite, int32)
        ops.assign(self.scale_value, ops.where(grads_finite, kept, smaller))
        ops.assign(self.counter, counter)
        return True


def _scale_parameter(where: str, value: Any) -> Parameter:
    return Parameter(Tensor(check.positive_float(where, "scale_value", float(value)), float32), "scale_value", False)


def _each(function: Any, inputs: Any) -> Any:
    if isinstance(inputs, (tuple, list)):
        mapped = [_each(function, item) for item in inputs]
        return mapped if isinstance(inputs, list) else tuple(mapped)
    return function(inputs)


# For Model


class LossScaleManager(ABC):
    """What `Model` takes as `loss_scale_manager`."""

    @abstractmethod
    def get_loss_scale(self) -> float:
        """The scale now."""

    @abstractmethod
    def get_update_cell(self) -> Cell | None:
        """The Cell that moves the scale within a step; None if steps are made whatever the gradients are."""


class FixedLossScaleManager(LossScaleManager):
    """A scale that stays.

    Args:
        loss_scale: the scale, above 0; the optimizer's `loss_scale` must be the same unless updates are dropped.
        drop_overflow_update: leave out the update of a step whose gradients overflow.
    """

    def __init__(self, loss_scale: float = 128.0, drop_overflow_update: bool = True) -> None:
        where = "FixedLossScaleManager"
        self._loss_scale = check.positive_float(where, "loss_scale", float(loss_scale))
        self._drop_overflow_update = check.boolean(where, "drop_overflow_update", drop_overflow_update)

    def get_loss_scale(self) -> float:
        return self._loss_scale

    def get_drop_overflow_update(self) -> bool:
        """Whether updates are left out on overflow."""
        return self._drop_overflow_update

    def get_update_cell(self) -> Cell | None:
        return FixedLossScaleUpdateCell(self._loss_scale) if self._drop_overflow_update else None


class DynamicLossScaleManager(LossScaleManager):
    """A scale that follows the gradients, as `nn.DynamicLossScaleUpdateCell` does.

    Args:
        init_loss_scale: the scale at first, above 1.
        scale_factor: what it is divided and multiplied by.
        scale_window: after how many steps without overflow it rises.
    """

    def __init__(self, init_loss_scale: float = 2**24, scale_factor: int = 2, scale_window: int = 2000) -> None:
        where = "DynamicLossScaleManager"
        self._loss_scale = check.positive_float(where, "init_loss_scale", float(init_loss_scale))
        self.scale_factor = check.positive_int(where, "scale_factor", scale_factor)
        self.scale_window = check.positive_int(where, "scale_window", scale_window)

    def get_loss_scale(self) -> float:
        return self._loss_scale

    def get_drop_overflow_update(self) -> bool:
        """Whether updates are left out on overflow: always."""
        return True

    def get_update_cell(self) -> Cell:
        return DynamicLossScaleUpdateCell(self._loss_scale, self.scale_factor, self.scale_window)


def train_step_cell(network: Cell, optimizer: Any, manager: LossScaleManager | None) -> TrainOneStepCell:
    """The step of a network that returns its loss, with the scaling that `manager` asks for."""
    if manager is None:
        return TrainOneStepCell(network, optimizer)
    if not isinstance(manager, LossScaleManager):
        raise TypeError(f"loss_scale_manager: expected a LossScaleManager, got {type(manager).__name__}")
    update = manager.get_update_cell()
    if update is None:
        return TrainOneStepCell(network, optimizer, manager.get_loss_scale())
    return TrainOneStepWithLossScaleCell(network, optimizer, update)


def build_train_network(
    network: Cell, optimizer: Any, loss_fn: Any = None, level: str = "O0", boost_level: str = "O0",
    loss_scale_manager: LossScaleManager | None = None, keep_batchnorm_fp32: bool = True,
) -> TrainOneStepCell:
    """The Cell that makes one training step of `network`.

    Args:
        network: a network, or with `loss_fn` None one that returns its loss.
        optimizer: updates it.
        level, boost_level: only "O0".
        loss_scale_manager: scales the loss.
        keep_batchnorm_fp32: only True.
    """
    for name, value in (("level", level), ("boost_level", boost_level)):
        _check_level("build_train_network", name, value)
    if keep_batchnorm_fp32 is not True:
        raise ValueError(
            f"For 'build_train_network', 'keep_batchnorm_fp32' must be True, but got {keep_batchnorm_fp32!r}."
        )
    with_loss = network if loss_fn is None else WithLossCell(network, loss_fn)
    return train_step_cell(with_loss, optimizer, loss_scale_manager)
