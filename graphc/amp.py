"""Mixed precision; and loss scaling: the loss is multiplied, lest small gradients vanish, and they are divided again.

Float16 and bfloat16 are computed in float32 and rounded, op by op. That gives the values that their arithmetic would
have, and halves the memory of what is stored. Products of bfloat16 take half the time of float32's on a machine that
has an instruction for them; nothing else is faster.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from graphc import nn, ops
from graphc.dtype import DType, bfloat16, float16, float32, int32
from graphc.nn import check
from graphc.nn.cell import Cell, in_float
from graphc.nn.wrap import (
    DynamicLossScaleUpdateCell,
    FixedLossScaleUpdateCell,
    TrainOneStepCell,
    TrainOneStepWithLossScaleCell,
    WithLossCell,
)
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = [
    "DynamicLossScaleManager", "DynamicLossScaler", "FixedLossScaleManager", "LossScaleManager", "LossScaler",
    "StaticLossScaler", "all_finite", "auto_mixed_precision", "build_train_network", "custom_mixed_precision",
    "get_black_list", "get_white_list", "train_step_cell",
]  # fmt: skip


def all_finite(inputs: Any) -> Tensor:
    """Whether no element of the tensors in `inputs` (a tuple, list or dict) is infinite or NaN: a bool scalar."""
    tensors = inputs.values() if isinstance(inputs, dict) else [inputs] if isinstance(inputs, Tensor) else inputs
    finite = [ops.all(ops.isfinite(t)) for t in tensors]
    if not finite:
        raise ValueError("all_finite: expected at least one tensor, got none")
    return ops.all(ops.stack(finite))


AMP_WHITE_LIST: list[type] = [
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Conv1dTranspose, nn.Conv2dTranspose, nn.Conv3dTranspose, nn.Dense, nn.LSTMCell,
    nn.RNNCell, nn.GRUCell, ops.Conv2D, ops.Conv2DTranspose, ops.MatMul, ops.BatchMatMul, ops.PReLU, ops.ReLU, ops.Ger,
]  # fmt: skip
AMP_BLACK_LIST: list[type] = [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm]
LEVELS = ["O0", "O1", "O2", "O3", "auto"]


def get_white_list() -> list[type]:
    """The Cells and primitives that level "O1" computes in half the bits, as a list to be changed."""
    return list(AMP_WHITE_LIST)


def get_black_list() -> list[type]:
    """The Cells that level "O2" computes in float32, as a list to be changed."""
    return list(AMP_BLACK_LIST)


def auto_mixed_precision(network: Cell, amp_level: str = "O0", dtype: Any = float16) -> Cell:
    """Makes the network compute in half the bits what a level says. Its results are float32, and so are its Parameters.

    Args:
        network: is changed.
        amp_level: "O0": nothing; "O1" and "auto": Cells and primitives of `get_white_list`; "O2": everything but Cells
            of `get_black_list`; "O3": everything.
        dtype: float16 or bfloat16.
    Returns:
        `network`.
    Raises:
        TypeError: `network` is no Cell.
        ValueError: another level or type.
    """
    where = "auto_mixed_precision"
    if not isinstance(network, Cell):
        raise TypeError(f"For '{where}', the 'network' must be a Cell, but got {type(network).__name__}.")
    check.one_of(where, "amp_level", amp_level, LEVELS)
    _check_half(where, dtype)
    if amp_level in ("O1", "auto"):
        _only(network, tuple(AMP_WHITE_LIST), dtype)
    elif amp_level != "O0":
        _all_but(network, tuple(AMP_BLACK_LIST) if amp_level == "O2" else (), dtype)
    return network


def custom_mixed_precision(
    network: Cell, *, white_list: list[type] | None = None, black_list: list[type] | None = None, dtype: Any = float16
) -> Cell:
    """`auto_mixed_precision` with lists of one's own: what is in the white list, or all Cells but those in the black.

    Args:
        network: is changed.
        white_list, black_list: one of them; classes of Cells, and of primitives in the white list.
        dtype: float16 or bfloat16.
    Returns:
        `network`.
    Raises:
        ValueError: none or both of the lists, or another type.
        TypeError: `network` is no Cell, or something in a list is no such class.
    """
    where = "custom_mixed_precision"
    if not isinstance(network, Cell):
        raise TypeError(f"For '{where}', the 'network' must be a Cell, but got {type(network).__name__}.")
    if (white_list is None) == (black_list is None):
        raise ValueError(f"For '{where}', one of 'white_list' and 'black_list' must be given.")
    _check_half(where, dtype)
    allowed: tuple[type, ...] = (Cell, ops.Primitive) if black_list is None else (Cell,)
    given = white_list if black_list is None else black_list
    for item in given or ():
        if not isinstance(item, type) or not issubclass(item, allowed):
            names = " or ".join(kind.__name__ for kind in allowed)
            raise TypeError(f"For '{where}', the lists must hold subclasses of {names}, but got {item!r}.")
    if white_list is not None:
        _only(network, tuple(white_list), dtype)
    else:
        _all_but(network, tuple(given or ()), dtype)
    return network


def _check_half(where: str, dtype: Any) -> None:
    if dtype not in (float16, bfloat16):
        raise ValueError(f"For '{where}', the 'dtype' must be float16 or bfloat16, but got {dtype!r}.")


def _only(network: Cell, chosen: tuple[type, ...], dtype: DType) -> None:
    """Cells and primitives of the chosen classes compute in `dtype`, unless the program has said in what they do."""
    for _, cell in [*network.cells_and_names()]:
        if "_float" in vars(cell):
            continue
        if isinstance(cell, chosen):
            for _, inner in cell.cells_and_names():
                inner._compute_in(dtype, returned=float32 if inner is cell else None)
            continue
        for name, value in [*vars(cell).items()]:
            if isinstance(value, ops.Primitive) and isinstance(value, chosen):
                setattr(cell, name, _Narrowed(value, dtype))


class _Narrowed(ops.Primitive):
    """A primitive that computes in another type, and returns float32."""

    def __init__(self, primitive: Any, dtype: DType) -> None:
        super().__init__(primitive.name)
        self.primitive, self.dtype = primitive, dtype

    def __call__(self, *args: Any) -> Any:
        return in_float(self.primitive(*in_float(args, self.dtype)), float32)

    def __repr__(self) -> str:
        return repr(self.primitive)


def _all_but(network: Cell, kept: tuple[type, ...], dtype: DType) -> None:
    """All Cells compute in `dtype`, those of the kept classes within in float32; the network returns float32."""
    network.to_float(dtype)
    for _, cell in network.cells_and_names():
        if cell is not network and isinstance(cell, kept):
            cell._compute_in(float32, returned=dtype)
    network._compute_in(dtype, returned=float32)


# For steps written by hand


class LossScaler(ABC):
    """Scales the loss, scales gradients back, and adjusts the scale."""

    scale_value: Parameter

    def scale(self, inputs: Any) -> Any:
        """Each tensor in `inputs` times the scale."""
        return _grad_scale_map(self.scale_value, inputs)

    def unscale(self, inputs: Any) -> Any:
        """Each tensor in `inputs` divided by the scale."""
        return _grad_unscale_map(self.scale_value, inputs)

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
    return Parameter(Tensor(check.positive_float(where, "scale_value", value), float32), "scale_value", False)


def _each(function: Any, inputs: Any) -> Any:
    if isinstance(inputs, (tuple, list)):
        mapped = [_each(function, item) for item in inputs]
        return mapped if isinstance(inputs, list) else tuple(mapped)
    return function(inputs)


def _grad_scale_map(scale_value: Any, inputs: Any) -> Any:
    """Each tensor times the scale, in its own dtype.

    By this and the next one MindSpore's programs write scalers of their own.
    """
    return _each(lambda t: ops.cast(t * scale_value, t.dtype), inputs)


def _grad_unscale_map(scale_value: Any, inputs: Any) -> Any:
    """Each tensor divided by the scale, in its own dtype."""
    inverse = 1.0 / scale_value
    return _each(lambda t: ops.cast(t * inverse, t.dtype), inputs)


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
        self._loss_scale = check.positive_float(where, "loss_scale", loss_scale)
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
        self._loss_scale = check.positive_float(where, "init_loss_scale", init_loss_scale)
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
    update = manager.get_update_cell()
    if update is None:
        return TrainOneStepCell(network, optimizer, manager.get_loss_scale())
    return TrainOneStepWithLossScaleCell(network, optimizer, update)


def build_train_network(
    network: Cell, optimizer: Any, loss_fn: Any = None, level: str = "O0", boost_level: str = "O0", **kwargs: Any
) -> TrainOneStepCell:
    """The Cell that makes one training step of `network`.

    Args:
        network: a network, or with `loss_fn` None one that returns its loss; changed by levels but "O0".
        optimizer: updates it.
        level: of mixed precision, see `auto_mixed_precision`; "O2" scales the loss by a `DynamicLossScaleManager`.
        boost_level: only "O0".
        kwargs: in place of what the level says: `cast_model_type`, float16, bfloat16 or float32, what it computes in;
            `keep_batchnorm_fp32`, whether what is in `get_black_list` computes in float32; `loss_scale_manager`.
    Raises:
        ValueError, TypeError: an argument is not as described.
    """
    manager = mix_precision(network, level, boost_level, **kwargs)
    with_loss = network if loss_fn is None else WithLossCell(network, loss_fn)
    return train_step_cell(with_loss, optimizer, manager)


def mix_precision(network: Cell, level: str, boost_level: str, **kwargs: Any) -> LossScaleManager | None:
    """Sets the types a network computes in, from arguments of `build_train_network`; returns what scales its loss."""
    where = "build_train_network"
    check.one_of(where, "level", level, LEVELS)
    check.one_of(where, "boost_level", boost_level, ["O0"])
    half = level in ("O2", "O3")
    chosen = {"cast_model_type": float16 if half else float32, "keep_batchnorm_fp32": level == "O2"}
    chosen["loss_scale_manager"] = DynamicLossScaleManager() if level == "O2" else None
    for name, value in kwargs.items():
        if name not in chosen:
            raise ValueError(f"For '{where}', there is no argument {name!r}.")
        chosen[name] = value
    if chosen["cast_model_type"] not in (float16, bfloat16, float32):
        got = chosen["cast_model_type"]
        raise ValueError(f"For '{where}', the 'cast_model_type' must be float16, bfloat16 or float32, but got {got!r}.")
    keep = check.boolean(where, "keep_batchnorm_fp32", chosen["keep_batchnorm_fp32"])
    manager = chosen["loss_scale_manager"]
    if manager is not None and not isinstance(manager, LossScaleManager):
        got = type(manager).__name__
        raise TypeError(f"For '{where}', the 'loss_scale_manager' must be a LossScaleManager, but got {got}.")
    if chosen["cast_model_type"] is not float32:
        _all_but(network, tuple(AMP_BLACK_LIST) if keep else (), chosen["cast_model_type"])
    elif not half:
        auto_mixed_precision(network, level)
    return manager
