"""The base of optimizers: what they hold for each Parameter, groups, learning rates, and when an update runs.

The learning rate is a Parameter that the graph reads: setting it between steps compiles nothing again.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.deferred import join
from graphc.dispatch import assign
from graphc.dtype import float32, int32
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.containers import CellList
from graphc.nn.schedule import LearningRateSchedule
from graphc.parameter import Parameter, ParameterTuple, Parts
from graphc.place import located
from graphc.state import state
from graphc.tensor import Tensor

__all__ = ["Optimizer"]

Scalar = float | Tensor


class FixedRate(LearningRateSchedule):
    """A learning rate that does not depend on the step, where others in the same optimizer do."""

    def __init__(self, learning_rate: Parameter) -> None:
        super().__init__()
        self.learning_rate = learning_rate

    def construct(self, global_step: Tensor) -> Tensor:
        return self.learning_rate


class RateTable(LearningRateSchedule):
    """The learning rate of each step, looked up; a step past the end of the table raises IndexError."""

    def __init__(self, learning_rates: Tensor, name: str) -> None:
        super().__init__()
        self.learning_rate = Parameter(learning_rates, name, requires_grad=False)

    def construct(self, global_step: Tensor) -> Tensor:
        return ops.gather(self.learning_rate, global_step, 0)


class Optimizer(Cell):
    """The base of all optimizers; a subclass defines `construct(gradients)`.

    Args:
        learning_rate: a number; a list, array or 1-D Tensor with the rate of each step; a LearningRateSchedule; or a
            scalar Tensor or Parameter (a Parameter is used itself, not copied).
        parameters: Parameters, or groups: dicts with `params` and, each where it differs from the optimizer's own,
            `lr`, `weight_decay` and `grad_centralization`; one dict `{"order_params": parameters}` sets their order.
        weight_decay: factor of the L2 penalty, at least 0, or a Cell of the step. Where `parameters` are not groups,
            Parameters with `beta` or `gamma` in their names are exempt.
        loss_scale: what the loss was multiplied by: gradients are divided by it.
    Attributes:
        parameters: the ParameterTuple that gradients are given for, in this order.
        weight_decay: times the loss scale: a float32 Tensor `[]` or a Cell; one for each parameter of groups.
        learning_rate: a Parameter, a LearningRateSchedule, or one for each parameter where groups set their own.
        global_step: int32 Parameter `[]`: how many steps were made.
    Raises:
        TypeError, ValueError, KeyError, RuntimeError: an argument is not as described.
    """

    def __init__(
        self, learning_rate: Any, parameters: Any, weight_decay: Any = 0.0, loss_scale: float = 1.0
    ) -> None:
        super().__init__(auto_prefix=False)
        self._target, self.unique = "CPU", True  # where it runs; whether it sums gradients of one row first
        items = _listed(parameters)
        self.loss_scale = check.positive_float("Optimizer", "loss_scale", loss_scale)
        self.is_group = isinstance(items[0], dict)
        groups = _checked_groups(items) if self.is_group else [{"params": items}]
        self.is_group_lr = any("lr" in group for group in groups)
        default_rate = _rate(learning_rate, "learning_rate")
        default_decay = _decay(weight_decay)
        rates: list[Parameter | LearningRateSchedule] = []
        decays: list[float | Cell] = []
        centralized: list[bool] = []
        for number, group in enumerate(groups):
            rate = _rate(group["lr"], f"learning_rate_group_{number}") if "lr" in group else default_rate
            decay = _decay(group["weight_decay"]) if "weight_decay" in group else default_decay
            centralize = check.boolean("Optimizer", "grad_centralization", group.get("grad_centralization", False))
            count = len(group["params"])
            rates += [rate] * count
            decays += [decay] * count
            centralized += [centralize] * count
        given = [parameter for group in groups for parameter in group["params"]]
        order = _order(items, given) if self.is_group else range(len(given))
        self.parameters = ParameterTuple(given[i] for i in order)
        self.dynamic_lr = any(isinstance(rate, Cell) for rate in rates)
        self._set_rates([rates[i] for i in order])
        self._set_decays([decays[i] for i in order])
        self.grad_centralization_flags = tuple(centralized[i] for i in order)
        self.global_step = Parameter(Tensor(0, int32), "global_step", requires_grad=False)
        # For `construct` of a program's own: every step moves `global_step` on, whether it does or not
        self.assignadd, self.global_step_increase_tensor = ops.assign_add, Tensor(1, int32)
        self.hyper_map, self.map_ = ops.HyperMap(), ops.Map()
        self.hyper_map_reverse, self.map_reverse = ops.HyperMap(reverse=True), ops.Map(reverse=True)
        self.param_length, self.reciprocal_scale = len(self.parameters), 1.0 / self.loss_scale
        self._parameters = self.parameters
        self.use_parallel, self.optim_filter = False, (True,) * self.param_length  # this device updates all of them

    learning_rate: Any
    weight_decay: Any

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets an attribute. A Parameter of the network that is called like it (`eps`, say) is not what is set."""
        held = vars(self).get("_params", {}).get(name)
        if held is None or not any(held is parameter for parameter in vars(self).get("_given", ())):
            super().__setattr__(name, value)
            return
        del self._params[name]
        super().__setattr__(name, value)
        self._register(held)

    @property
    def parameters(self) -> ParameterTuple:
        """The Parameters; while a step is made, complex ones as real numbers: see `Parts`."""
        seen: ParameterTuple | None = vars(self).get("_seen")
        return self._given if seen is None else seen

    @parameters.setter
    def parameters(self, value: ParameterTuple) -> None:
        self._given = value

    @property
    def target(self) -> str:
        """Where parameters are updated: "CPU"."""
        return self._target

    @target.setter
    def target(self, value: str) -> None:
        self._set_base_target(value)

    def _set_base_target(self, value: str) -> None:
        """By this name programs call it from `target` of their own.

        Raises:
            TypeError, ValueError: `value` is not "CPU".
        """
        if not isinstance(value, str):
            raise TypeError(f"For 'Optimizer', the property 'target' must be string, but got {type(value).__name__}")
        if value != "CPU":
            raise ValueError(f"For 'Optimizer', the property 'target' must be 'CPU', but got {value!r}")
        self._target = value

    def _set_rates(self, rates: list[Parameter | LearningRateSchedule]) -> None:
        if not self.is_group_lr:
            self.learning_rate = rates[0]
        elif self.dynamic_lr:
            cells = {id(r): r if isinstance(r, Cell) else FixedRate(r) for r in rates}
            self.learning_rate = CellList([cells[id(r)] for r in rates], auto_prefix=False)
        else:
            self.learning_rate = ParameterTuple(rates)

    def _set_decays(self, decays: list[float | Cell]) -> None:
        self.dynamic_weight_decay = any(isinstance(d, Cell) for d in decays)
        scaled = tuple(d if isinstance(d, Cell) else d * self.loss_scale for d in decays)
        given = tuple(d if isinstance(d, Cell) else Tensor(d, float32) for d in scaled)
        self.weight_decay = given if self.is_group else given[0]
        if self.dynamic_weight_decay:
            self.weight_decay_schedules = CellList(
                [d for d in dict.fromkeys(scaled) if isinstance(d, Cell)], auto_prefix=False
            )
        self.decay_flags = tuple(
            isinstance(d, Cell) or d > 0 if self.is_group else "beta" not in p.name and "gamma" not in p.name
            for d, p in zip(scaled, self.parameters, strict=True)
        )

    # Running

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Makes one step.

        Args:
            gradients: a tuple or list with a Tensor of each parameter's shape, in the order of `parameters`.
        Raises:
            TypeError, ValueError: they are not that. No Parameter has changed then.
        """
        now = state.now
        if now.trace is not None or now.tapes:
            return self._run(*args, **kwargs)
        if len(args) == 1 and not kwargs and join(self, args[0]):
            return True
        return self._compiled(*args, **kwargs)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        if args:
            self._check_gradients(args[0])
            if any(p.dtype.is_complex for p in self.parameters):
                return self._run_on_parts(*args, **kwargs)
            if any(g.dtype.wide for g in args[0]):  # what a step computes, and keeps, is rounded only in the parameters
                args = (tuple(ops.cast(g, g.dtype.wide or g.dtype) for g in args[0]), *args[1:])
        step = self.global_step + 1
        result = super()._run(*args, **kwargs)
        assign(self.global_step, step)
        return result

    def _run_on_parts(self, gradients: Sequence[Tensor], *args: Any, **kwargs: Any) -> Any:
        """A step on the real and imaginary parts of complex Parameters, as if they were Parameters themselves."""
        given = zip(self._given, gradients, strict=True)
        pairs = [(Parts(p, ops.view_as_real(p)), _parts(g)) if p.dtype.is_complex else (p, g) for p, g in given]
        vars(self)["_seen"] = tuple(p for p, _ in pairs)
        try:
            return self._run(tuple(g for _, g in pairs), *args, **kwargs)
        finally:
            del vars(self)["_seen"]

    def _check_gradients(self, gradients: Any) -> None:
        name, parameters = type(self).__name__, self.parameters
        if not isinstance(gradients, (tuple, list)):
            raise located(TypeError(f"{name}: gradients must be a tuple or list, got {type(gradients).__name__}"))
        if len(gradients) != len(parameters):
            raise located(ValueError(f"{name}: expected {len(parameters)} gradients, got {len(gradients)}"))
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if not isinstance(gradient, Tensor):
                got = type(gradient).__name__
                raise located(TypeError(f"{name}: the gradient of {parameter.name} must be a Tensor, got {got}"))
            if gradient.shape != parameter.shape:
                raise located(
                    ValueError(f"{name}: {parameter.name} is {parameter.spec}, its gradient is {gradient.spec}")
                )

    def construct(self, gradients: Any) -> Any:
        raise TypeError(f"{type(self).__name__}: define construct(gradients) to say how parameters are updated")

    # What a step needs

    def get_lr(self) -> Any:
        """The learning rate of this step, a scalar Tensor; a tuple of one per parameter where groups set their own."""
        if not self.is_group_lr:
            return self._rate_now(self.learning_rate)
        return tuple(self._rate_now(rate) for rate in self.learning_rate)

    def _rate_now(self, rate: Any) -> Tensor:
        if isinstance(rate, Parameter):
            return rate
        value = rate(self.global_step)
        return ops.reshape(value if isinstance(value, Tensor) else Tensor(value, float32), ())

    def get_weight_decay(self) -> Any:
        """The weight decay of this step (times the loss scale); a tuple of one per parameter where there are groups."""
        if self.is_group:
            return tuple(d(self.global_step) * self.loss_scale if isinstance(d, Cell) else d for d in self.weight_decay)
        if isinstance(self.weight_decay, Cell):
            return self.weight_decay(self.global_step) * self.loss_scale
        return self.weight_decay

    def get_lr_parameter(self, param: Any) -> Any:
        """The learning rate of one parameter, or of each in a list: its Parameter or its LearningRateSchedule.

        Raises:
            TypeError, ValueError: `param` is no Parameter, or not one of this optimizer.
        """
        if isinstance(param, list):
            return [self.get_lr_parameter(p) for p in param]
        if not isinstance(param, Parameter):
            got = type(param).__name__
            raise TypeError(f"For 'get_lr_parameter', the 'param' must be 'Parameter' or 'list' type, but got {got}.")
        places = [i for i, p in enumerate(self.parameters) if p is param]
        if not places:
            raise ValueError(f"For 'get_lr_parameter', the parameter {param.name} is not in optimizer.")
        rate = self.learning_rate[places[0]] if self.is_group_lr else self.learning_rate
        return rate.learning_rate if isinstance(rate, (FixedRate, RateTable)) else rate

    def decay_weight(self, gradients: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The gradients with `weight_decay * parameter` added where a parameter has weight decay."""
        return tuple(
            g if decay is None else g + p * decay
            for g, p, decay in zip(gradients, self.parameters, self._decays(), strict=True)
        )

    def _decays(self) -> list[Scalar | None]:
        """The weight decay of each parameter, None where there is none; a number, where it is known."""
        decay = self.get_weight_decay()
        each = map(_number, decay if self.is_group else (decay,) * len(self.parameters))
        return [
            d if flag and not (isinstance(d, float) and d == 0.0) else None
            for d, flag in zip(each, self.decay_flags, strict=True)
        ]

    def gradients_centralization(self, gradients: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The gradients, of which those that asked for it lose their mean over all axes but the first."""
        return tuple(
            g - ops.mean(g, tuple(range(1, g.ndim)), keep_dims=True) if flag and g.ndim > 1 else g
            for g, flag in zip(gradients, self.grad_centralization_flags, strict=True)
        )

    def flatten_gradients(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        """The gradients as they are: there is no one vector of all Parameters here."""
        return gradients

    def _grad_sparse_indices_deduplicate(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        """The gradients as they are: none of them is sparse."""
        return gradients

    def broadcast_params(self, optim_result: Any) -> Any:
        """What an update gave, as it is: other devices, which would be told of it, are none."""
        return optim_result

    def _is_dynamic_lr_or_weight_decay(self) -> bool:
        """Whether the learning rate or the weight decay depends on the step."""
        return self.dynamic_lr or self.dynamic_weight_decay

    def scale_grad(self, gradients: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The gradients divided by the loss scale."""
        return tuple(gradients if self.loss_scale == 1.0 else (g * (1.0 / self.loss_scale) for g in gradients))

    def prepared(self, gradients: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The gradients after weight decay, centralization and loss scale."""
        return self.scale_grad(self.gradients_centralization(self.decay_weight(gradients)))

    def rates(self) -> tuple[Tensor, ...]:
        """The learning rate of this step for each parameter."""
        rate = self.get_lr()
        return rate if self.is_group_lr else (rate,) * len(self.parameters)

    def new_state(self, prefix: str, init: Any = "zeros") -> ParameterTuple:
        """A Parameter like each of `parameters`, named `prefix.name`, that the optimizer keeps for itself, float32 for
        those of float16."""
        made = ParameterTuple(_real(p) for p in self._given).clone(prefix, init)
        wide = [Parameter(ops.cast(p, p.dtype.wide), p.name) if p.dtype.wide else p for p in made]
        for parameter in wide:
            parameter.requires_grad = False
        return ParameterTuple(wide)

    def update_parameters_name(self, prefix: str = "", recurse: bool = True) -> None:
        """As of any Cell, but the network's Parameters keep their names: they are not the optimizer's own."""
        names = [(parameter, parameter.name) for parameter in self._given]
        super().update_parameters_name(prefix, recurse)
        for parameter, name in names:
            parameter.name = name


def averaged(average: Parameter, value: Tensor, keep: Any) -> Tensor:
    """`average = keep * average + (1 - keep) * value`: a moving average, which holds one more value from here on."""
    now: Tensor = average * keep + value * (1.0 - keep)
    assign(average, now)
    return now


def _parts(gradient: Tensor) -> Tensor:
    """The gradient of a complex Parameter as those of its parts."""
    return ops.stack([ops.real(gradient), ops.imag(gradient)], -1)


def _real(parameter: Parameter) -> Parameter:
    """A Parameter of the parts of a complex one; any other as it is."""
    if not parameter.dtype.is_complex:
        return parameter
    return Parameter(ops.view_as_real(Tensor(parameter.asnumpy())), parameter.name)


def opt_init_args_register(fn: Callable[..., None]) -> Callable[..., None]:
    """Has the `__init__` of a program's optimizer note what it was given, defaults too.

    It goes to `init_params` (a dict with `params`), `init_learning_rate` (None for a Cell) and `init_args`, the others.
    """
    signature = inspect.signature(fn)

    @functools.wraps(fn)
    def noting(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        given = dict(list(bound.arguments.items())[1:])
        notes: dict[str, Any] = {}
        if "params" in given:
            notes["init_params"] = {"params": given.pop("params")}
        if "optimizer" in given:
            notes["init_params"] = {"params": given.pop("optimizer").init_params["params"]}
        if "learning_rate" in given:
            rate = given.pop("learning_rate")
            plain = rate.asnumpy().tolist() if isinstance(rate, Tensor) else rate
            notes["init_learning_rate"] = None if isinstance(rate, Cell) else plain
        notes["init_args"] = given
        fn(self, *args, **kwargs)
        vars(self).update(notes)

    return noting


def _number(decay: Any) -> Any:
    """What a program may set as a weight decay: as a float, unless it follows from the step."""
    known = isinstance(decay, Tensor) and not isinstance(decay, Parameter) and not decay.is_traced
    return float(decay) if known else decay


def _listed(parameters: Any) -> list[Any]:
    """The Parameters or group dicts, checked."""
    where = "For 'Optimizer', the argument parameters"
    if not isinstance(parameters, Iterable) or isinstance(parameters, (Tensor, dict)):
        raise TypeError(f"{where} must be an iterable of Parameter or dict, but got {type(parameters).__name__}.")
    items = list(parameters)
    if not items:
        raise ValueError(f"{where} must not be empty.")
    kind = dict if isinstance(items[0], dict) else Parameter
    for item in items:
        if not isinstance(item, kind):
            raise TypeError(f"{where} must be all 'Parameter' or all 'dict', but got {type(item).__name__}.")
    if kind is Parameter:
        _check_parameters(items)
    return items


def _check_parameters(parameters: list[Any]) -> None:
    seen: set[int] = set()
    for parameter in parameters:
        if not isinstance(parameter, Parameter) or not parameter.dtype.is_inexact:
            got = parameter.spec if isinstance(parameter, Tensor) else type(parameter).__name__
            raise TypeError(f"For 'Optimizer', each parameter must be a float Parameter, but got {got}.")
        if id(parameter) in seen:
            raise RuntimeError(f"For 'Optimizer', the {parameter.name} parameter already exists, it is given twice.")
        seen.add(id(parameter))


def _checked_groups(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups that hold Parameters, each a dict with a list under `params`."""
    keys = ("params", "lr", "weight_decay", "order_params", "grad_centralization")
    groups = []
    for group in items:
        unknown = [key for key in group if key not in keys]
        if unknown:
            raise KeyError(f"For 'Optimizer', the key in group params must be one of in {keys}, but got {unknown}.")
        if "order_params" in group:
            if len(group) > 1:
                raise ValueError(f"For 'Optimizer', 'order_params' must be alone in its dict, but got {list(group)}.")
            continue
        if "params" not in group:
            raise KeyError(f"For 'Optimizer', each group must have 'params', but got {list(group)}.")
        members = list(group["params"])
        if not members:
            raise ValueError("For 'Optimizer', the argument parameters must not be empty.")
        groups.append({**group, "params": members})
    if not groups:
        raise ValueError("For 'Optimizer', the argument parameters must not be empty.")
    _check_parameters([parameter for group in groups for parameter in group["params"]])
    return groups


def _order(items: list[dict[str, Any]], given: list[Parameter]) -> list[int]:
    """The places in `given` of the Parameters, in the order that a group `order_params` asks for."""
    wanted = [list(group["order_params"]) for group in items if "order_params" in group]
    if not wanted:
        return list(range(len(given)))
    places = {id(parameter): place for place, parameter in enumerate(given)}
    if len(wanted) > 1 or {id(p) for p in wanted[0]} != set(places) or len(wanted[0]) != len(given):
        raise ValueError("For 'Optimizer', 'order_params' must hold each parameter of the groups once.")
    return [places[id(parameter)] for parameter in wanted[0]]


def _rate(learning_rate: Any, name: str) -> Parameter | LearningRateSchedule:
    """A learning rate in the form that `Optimizer.learning_rate` has."""
    if isinstance(learning_rate, (LearningRateSchedule, Parameter)):
        if isinstance(learning_rate, Parameter) and (learning_rate.shape or not learning_rate.dtype.is_float):
            raise ValueError(f"For 'Optimizer', a learning rate Parameter must be f32[], but got {learning_rate.spec}.")
        return learning_rate
    if isinstance(learning_rate, (int, float)) and not isinstance(learning_rate, bool):
        check.non_negative_float("Optimizer", "learning rate", learning_rate)
    elif not isinstance(learning_rate, (Tensor, np.ndarray, np.generic, list, tuple, range, Iterator)):
        raise TypeError(
            "For 'Optimizer', the argument 'learning_rate' must be int, float, Tensor, Iterable or "
            f"LearningRateSchedule, but got {type(learning_rate).__name__}."
        )
    values = Tensor(list(learning_rate) if isinstance(learning_rate, Iterator) else learning_rate, float32)
    if values.ndim > 1 or values.size == 0:
        raise ValueError(
            f"For 'Optimizer', the argument 'learning_rate' must have 0 or 1 dimensions and not be empty, "
            f"but got shape {values.shape}."
        )
    if not np.all(values.numpy_view() >= 0):
        raise ValueError("For 'Optimizer', the argument 'learning_rate' must be at least 0 at every step.")
    return RateTable(values, name) if values.ndim else Parameter(values, name, requires_grad=False)


def _decay(weight_decay: Any) -> float | Cell:
    if isinstance(weight_decay, Cell):
        return weight_decay
    return check.non_negative_float("Optimizer", "weight_decay", weight_decay)
