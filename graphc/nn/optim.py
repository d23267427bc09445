"""Optimizers: Cells that are called with the gradients and update Parameters.

    optimizer = nn.Momentum(net.trainable_params(), learning_rate=0.01, momentum=0.9)
    optimizer(grads)

An update is written with ordinary ops and `assign`, one elementwise chain a Parameter, so that within a compiled
training step it joins the kernel that makes the gradient. Called on its own it runs as its own compiled graph. The
learning rate is a Parameter that the graph reads: setting it between steps compiles nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc import ops
from graphc.deferred import join
from graphc.dispatch import assign, located, state
from graphc.dtype import float32, int32
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.containers import CellList
from graphc.nn.schedule import LearningRateSchedule
from graphc.tensor import Parameter, ParameterTuple, Tensor

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
        learning_rate: a Parameter, a LearningRateSchedule, or one for each parameter where groups set their own.
        global_step: int32 Parameter `[]`: how many steps were made.
    Raises:
        TypeError, ValueError, KeyError, RuntimeError: an argument is not as described.
    """

    def __init__(
        self, learning_rate: Any, parameters: Any, weight_decay: Any = 0.0, loss_scale: float = 1.0
    ) -> None:
        super().__init__(auto_prefix=False)
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

    learning_rate: Any
    weight_decay: Any

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
        self.weight_decay = scaled if self.is_group else scaled[0]
        if self.dynamic_weight_decay:
            self.weight_decay_schedules = CellList(
                [d for d in dict.fromkeys(scaled) if isinstance(d, Cell)], auto_prefix=False
            )
        self.decay_flags = tuple(
            isinstance(d, Cell) or d > 0 if self.is_group else "beta" not in p.name and "gamma" not in p.name
            for d, p in zip(scaled, self.parameters, strict=True)
        )

    @property
    def _parameters(self) -> ParameterTuple:
        parameters: ParameterTuple = self.parameters
        return parameters

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
        step = self.global_step + 1
        result = super()._run(*args, **kwargs)
        assign(self.global_step, step)
        return result

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
                    ValueError(f"{name}: {parameter.name} is {parameter.type}, its gradient is {gradient.type}")
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
        """The weight decay of each parameter, None where there is none."""
        decay = self.get_weight_decay()
        each = decay if self.is_group else (decay,) * len(self.parameters)
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
        """A Parameter like each of `parameters`, named `prefix.name`, that the optimizer keeps for itself."""
        made = self.parameters.clone(prefix, init)
        for parameter in made:
            parameter.requires_grad = False
        return made

    def replace_prefix(self, old: str, new: str, recurse: bool = True) -> None:
        """As of any Cell, but the network's Parameters keep their names: they are not the optimizer's own."""
        names = [(parameter, parameter.name) for parameter in self.parameters]
        super().replace_prefix(old, new, recurse)
        for parameter, name in names:
            parameter.name = name


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
        if not isinstance(parameter, Parameter) or not parameter.dtype.is_float:
            got = parameter.type if isinstance(parameter, Tensor) else type(parameter).__name__
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
            raise ValueError(f"For 'Optimizer', a learning rate Parameter must be f32[], but got {learning_rate.type}.")
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


def _check_betas(where: str, beta1: float, beta2: float, eps: float) -> None:
    check.between(where, "beta1", beta1, 0.0, 1.0)
    check.between(where, "beta2", beta2, 0.0, 1.0)
    check.positive_float(where, "eps", eps)


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if `momentum` > 0.

        v = momentum * v + (1 - dampening) * g     (v = g in the first step)
        w = w - lr * (g + momentum * v if nesterov else v)

    Weight decay applies to every parameter here, whatever its name, as in MindSpore.

    Args:
        momentum: at least 0.
        dampening: at least 0; only matters with momentum.
        nesterov: needs momentum > 0 and dampening 0.
    """

    def __init__(
        self, params: Any, learning_rate: Any = 0.1, momentum: float = 0.0, dampening: float = 0.0,
        weight_decay: Any = 0.0, nesterov: bool = False, loss_scale: float = 1.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay, loss_scale)
        self.momentum = check.non_negative_float("SGD", "momentum", momentum)
        self.dampening = check.non_negative_float("SGD", "dampening", dampening)
        self.nesterov = check.boolean("SGD", "nesterov", nesterov)
        if nesterov and (momentum == 0.0 or dampening != 0.0):
            raise ValueError(
                "For 'SGD', if 'nesterov' is true, 'momentum' must be > 0.0 and 'dampening' must equal to 0.0, "
                f"but got 'momentum' {momentum}, 'dampening' {dampening}"
            )
        self.decay_flags = (True,) * len(self.parameters)
        if self.momentum:
            self.accum = self.new_state("accum")

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        if not self.momentum:
            for w, g, lr in zip(self.parameters, gradients, self.rates(), strict=True):
                assign(w, w - g * lr)
            return True
        share = 1.0 - self.dampening * ops.cast(self.global_step > 0, float32) if self.dampening else None
        for w, g, lr, accum in zip(self.parameters, gradients, self.rates(), self.accum, strict=True):
            v = accum * self.momentum + (g if share is None else g * share)
            assign(accum, v)
            assign(w, w - (g + v * self.momentum if self.nesterov else v) * lr)
        return True


class Momentum(Optimizer):
    """Gradient descent with momentum (Sutskever et al. 2013, in MindSpore's form).

        v = momentum * v + g
        w = w - lr * (g + momentum * v if use_nesterov else v)
    """

    def __init__(
        self, params: Any, learning_rate: Any, momentum: float, weight_decay: Any = 0.0, loss_scale: float = 1.0,
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay, loss_scale)
        self.momentum = check.non_negative_float("Momentum", "momentum", momentum)
        self.use_nesterov = check.boolean("Momentum", "use_nesterov", use_nesterov)
        self.moments = self.new_state("moments")

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        for w, g, lr, moment in zip(self.parameters, gradients, self.rates(), self.moments, strict=True):
            v = moment * self.momentum + g
            assign(moment, v)
            assign(w, w - (g + v * self.momentum if self.use_nesterov else v) * lr)
        return True


class _WithPowers(Optimizer):
    """What optimizers with bias correction share: the powers of their betas after this many steps, as state."""

    def __init__(
        self, params: Any, learning_rate: Any, beta1: float, beta2: float, eps: float, weight_decay: Any,
        loss_scale: float = 1.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay, loss_scale)
        _check_betas(type(self).__name__, beta1, beta2, eps)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.beta1_power = Parameter(Tensor(1.0), "beta1_power", requires_grad=False)
        self.beta2_power = Parameter(Tensor(1.0), "beta2_power", requires_grad=False)

    def powers(self) -> tuple[Tensor, Tensor]:
        """beta1^t and beta2^t of this step t, which is 1 at first; counts the step."""
        powers = self.beta1_power * self.beta1, self.beta2_power * self.beta2
        assign(self.beta1_power, powers[0])
        assign(self.beta2_power, powers[1])
        return powers


class Adam(_WithPowers):
    """Adam (Kingma and Ba 2015, the efficient form at the end of section 2, as in MindSpore).

        m = m + (1 - beta1) * (g - m)
        v = v + (1 - beta2) * (g * g - v)
        w = w - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps)

    Args:
        use_locking: accepted: updates never run concurrently.
        use_nesterov: beta1 * m + (1 - beta1) * g in place of m in the last line.
        use_amsgrad: the largest v so far in place of v in the last line (Reddi et al. 2018).
    """

    def __init__(
        self, params: Any, learning_rate: Any = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8,
        use_locking: bool = False, use_nesterov: bool = False, weight_decay: Any = 0.0, loss_scale: float = 1.0,
        use_amsgrad: bool = False, **kwargs: Any,
    ) -> None:
        super().__init__(params, learning_rate, beta1, beta2, eps, weight_decay, loss_scale)
        for name, value in kwargs.items():
            if name not in ("use_lazy", "use_offload"):
                raise TypeError(f"Adam: unknown argument {name!r}")
            if value:
                raise check.unsupported("Adam", name, value, "False")
        check.boolean("Adam", "use_locking", use_locking)
        self.use_nesterov = check.boolean("Adam", "use_nesterov", use_nesterov)
        self.use_amsgrad = check.boolean("Adam", "use_amsgrad", use_amsgrad)
        self.moment1 = self.new_state("moment1")
        self.moment2 = self.new_state("moment2")
        if use_amsgrad:
            self.vhat = self.new_state("vhat")

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        power1, power2 = self.powers()
        correction = ops.sqrt(1.0 - power2) / (1.0 - power1)
        for i, (w, g, lr) in enumerate(zip(self.parameters, gradients, self.rates(), strict=True)):
            m = self.moment1[i] + (g - self.moment1[i]) * (1.0 - self.beta1)
            v = self.moment2[i] + (g * g - self.moment2[i]) * (1.0 - self.beta2)
            assign(self.moment1[i], m)
            assign(self.moment2[i], v)
            if self.use_amsgrad:
                v = ops.maximum(self.vhat[i], v)
                assign(self.vhat[i], v)
            top = m * self.beta1 + g * (1.0 - self.beta1) if self.use_nesterov else m
            assign(w, w - top / (ops.sqrt(v) + self.eps) * (lr * correction))
        return True


class LazyAdam(Adam):
    """Adam. MindSpore's differs from it where gradients are sparse, which graphc's are not."""

    def __init__(
        self, params: Any, learning_rate: Any = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8,
        use_locking: bool = False, use_nesterov: bool = False, weight_decay: Any = 0.0, loss_scale: float = 1.0,
    ) -> None:
        super().__init__(
            params, learning_rate, beta1, beta2, eps, use_locking, use_nesterov, weight_decay, loss_scale
        )  # fmt: skip


class AdamOffload(LazyAdam):
    """Adam. MindSpore's keeps the moments in the host's memory, where graphc keeps everything."""


class AdamWeightDecay(Optimizer):
    """Adam with decoupled weight decay and no bias correction (Loshchilov and Hutter 2019, as in BERT's training).

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = w - lr * (m / (sqrt(v) + eps) + weight_decay * w)
    """

    def __init__(
        self, params: Any, learning_rate: Any = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-6,
        weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay)
        _check_betas("AdamWeightDecay", beta1, beta2, eps)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.moments1 = self.new_state("adam_m")
        self.moments2 = self.new_state("adam_v")

    def construct(self, gradients: Any) -> bool:
        gradients = self.gradients_centralization(gradients)
        decays, rates = self._decays(), self.rates()
        for i, (w, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            m = self.moments1[i] * self.beta1 + g * (1.0 - self.beta1)
            v = self.moments2[i] * self.beta2 + g * g * (1.0 - self.beta2)
            assign(self.moments1[i], m)
            assign(self.moments2[i], v)
            step = m / (ops.sqrt(v) + self.eps)
            assign(w, w - (step if decays[i] is None else step + w * decays[i]) * rates[i])
        return True


class Lamb(_WithPowers):
    """Adam with decoupled weight decay, each parameter's step scaled to its norm (You et al. 2020, algorithm 2).

        r = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay * w
        w = w - lr * |w| / |r| * r        (the ratio is 1 where a norm is 0)
    """

    def __init__(
        self, params: Any, learning_rate: Any, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-6,
        weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(params, learning_rate, beta1, beta2, eps, weight_decay)
        self.moments1 = self.new_state("lamb_m")
        self.moments2 = self.new_state("lamb_v")

    def construct(self, gradients: Any) -> bool:
        gradients = self.gradients_centralization(gradients)
        power1, power2 = self.powers()
        decays, rates = self._decays(), self.rates()
        for i, (w, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            m = self.moments1[i] * self.beta1 + g * (1.0 - self.beta1)
            v = self.moments2[i] * self.beta2 + g * g * (1.0 - self.beta2)
            assign(self.moments1[i], m)
            assign(self.moments2[i], v)
            r = m / (1.0 - power1) / (ops.sqrt(v / (1.0 - power2)) + self.eps)
            if decays[i] is not None:
                r = r + w * decays[i]
            of_w, of_r = ops.sqrt(ops.sum(w * w)), ops.sqrt(ops.sum(r * r))
            ratio = ops.where(ops.logical_and(of_w > 0, of_r > 0), of_w / of_r, 1.0)
            assign(w, w - r * (rates[i] * ratio))
        return True


class AdaMax(_WithPowers):
    """AdaMax, Adam with the infinity norm (Kingma and Ba 2015, algorithm 2).

        m = beta1 * m + (1 - beta1) * g
        v = max(beta2 * v, |g|)
        w = w - lr / (1 - beta1^t) * m / (v + eps)
    """

    def __init__(
        self, params: Any, learning_rate: Any = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8,
        weight_decay: Any = 0.0, loss_scale: float = 1.0,
    ) -> None:
        super().__init__(params, learning_rate, beta1, beta2, eps, weight_decay, loss_scale)
        self.moment1 = self.new_state("moment1")
        self.moment2 = self.new_state("moment2")

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        power1, _ = self.powers()
        for i, (w, g, lr) in enumerate(zip(self.parameters, gradients, self.rates(), strict=True)):
            m = self.moment1[i] * self.beta1 + g * (1.0 - self.beta1)
            v = ops.maximum(self.moment2[i] * self.beta2, ops.abs(g))
            assign(self.moment1[i], m)
            assign(self.moment2[i], v)
            assign(w, w - m / (v + self.eps) * (lr / (1.0 - power1)))
        return True


class RMSProp(Optimizer):
    """RMSProp (Hinton's lecture 6e; centered: Graves 2013, eq. 38 to 45), as in MindSpore.

        s = decay * s + (1 - decay) * g * g                  (s is 1 at first)
        d = s - a * a if centered else s, with a = decay * a + (1 - decay) * g
        u = momentum * u + lr * g / sqrt(d + epsilon)
        w = w - u
    """

    def __init__(
        self, params: Any, learning_rate: Any = 0.1, decay: float = 0.9, momentum: float = 0.0,
        epsilon: float = 1e-10, use_locking: bool = False, centered: bool = False, loss_scale: float = 1.0,
        weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay, loss_scale)
        self.decay = check.non_negative_float("RMSProp", "decay", decay)
        self.momentum = check.non_negative_float("RMSProp", "momentum", momentum)
        self.epsilon = check.positive_float("RMSProp", "epsilon", epsilon)
        check.boolean("RMSProp", "use_locking", use_locking)
        self.centered = check.boolean("RMSProp", "centered", centered)
        self.ms = self.new_state("mean_square", "ones")
        self.moment = self.new_state("moment")
        if centered:
            self.mg = self.new_state("mean_grad")

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        for i, (w, g, lr) in enumerate(zip(self.parameters, gradients, self.rates(), strict=True)):
            d = s = self.ms[i] * self.decay + g * g * (1.0 - self.decay)
            assign(self.ms[i], s)
            if self.centered:
                a = self.mg[i] * self.decay + g * (1.0 - self.decay)
                assign(self.mg[i], a)
                d = s - a * a
            u = self.moment[i] * self.momentum + g * lr / ops.sqrt(d + self.epsilon)
            assign(self.moment[i], u)
            assign(w, w - u)
        return True


class Adagrad(Optimizer):
    """Adagrad (Duchi et al. 2011), as in MindSpore.

        s = s + g * g           (s is `accum` at first; it stays if `update_slots` is False)
        w = w - lr * g / sqrt(s)
    """

    def __init__(
        self, params: Any, accum: float = 0.1, learning_rate: Any = 1e-3, update_slots: bool = True,
        loss_scale: float = 1.0, weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay, loss_scale)
        self.update_slots = check.boolean("Adagrad", "update_slots", update_slots)
        self.accum = self.new_state("accum", check.non_negative_float("Adagrad", "accum", accum))

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        for w, g, lr, accum in zip(self.parameters, gradients, self.rates(), self.accum, strict=True):
            s = accum
            if self.update_slots:
                s = accum + g * g
                assign(accum, s)
            assign(w, w - g * lr / ops.sqrt(s))
        return True


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, algorithm 1).

        s = rho * s + (1 - rho) * g * g
        u = sqrt(d + epsilon) / sqrt(s + epsilon) * g
        d = rho * d + (1 - rho) * u * u
        w = w - lr * u
    """

    def __init__(
        self, params: Any, learning_rate: Any = 1.0, rho: float = 0.9, epsilon: float = 1e-6, loss_scale: float = 1.0,
        weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay, loss_scale)
        self.rho = check.between("Adadelta", "rho", rho, 0.0, 1.0, "[]")
        self.epsilon = check.positive_float("Adadelta", "epsilon", epsilon)
        self.accum = self.new_state("accum")
        self.accum_update = self.new_state("accum_update")

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        for i, (w, g, lr) in enumerate(zip(self.parameters, gradients, self.rates(), strict=True)):
            s = self.accum[i] * self.rho + g * g * (1.0 - self.rho)
            u = ops.sqrt(self.accum_update[i] + self.epsilon) / ops.sqrt(s + self.epsilon) * g
            assign(self.accum[i], s)
            assign(self.accum_update[i], self.accum_update[i] * self.rho + u * u * (1.0 - self.rho))
            assign(w, w - u * lr)
        return True


class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky 1992), as in MindSpore; step t is 0 at first.

        eta = lr / (1 + lambd * lr * t) ^ alpha
        w = w * (1 - lambd * eta) - eta * g
        ax = ax + (w - ax) / max(1, t - t0)

    The averages are in `ax`.
    """

    def __init__(
        self, params: Any, learning_rate: Any = 0.1, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay)
        self.lambd = check.number("ASGD", "lambd", lambd)
        self.alpha = check.number("ASGD", "alpha", alpha)
        self.t0 = check.number("ASGD", "t0", t0)
        self.ax = self.new_state("ax")

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        t = ops.cast(self.global_step, float32)
        span = ops.maximum(t - self.t0, 1.0)
        for w, g, lr, ax in zip(self.parameters, gradients, self.rates(), self.ax, strict=True):
            eta = lr / ops.pow(lr * self.lambd * t + 1.0, self.alpha)
            new = w * (1.0 - eta * self.lambd) - g * eta
            assign(w, new)
            assign(ax, ops.where(ops.equal(span, 1.0), new, ax + (new - ax) / span))
        return True


class Rprop(Optimizer):
    """Resilient backpropagation (Riedmiller and Braun 1993): steps by the gradient's sign alone.

    Args:
        etas: factors of an element's step size when its gradient has changed sign (in (0, 1)), and when not (above 1).
        step_sizes: the least and the largest step size; the first step has size `learning_rate`.
    """

    def __init__(
        self, params: Any, learning_rate: Any = 0.1, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0), weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(learning_rate, params, weight_decay)
        for name, pair in (("etas", etas), ("step_sizes", step_sizes)):
            if not isinstance(pair, tuple):
                raise TypeError(f"For 'Rprop', the '{name}' must be a tuple, but got {type(pair).__name__}.")
            if len(pair) != 2:
                raise ValueError(f"For 'Rprop', the '{name}' must have 2 items, but got {len(pair)}.")
        self.etaminus = check.between("Rprop", "etaminus", etas[0], 0.0, 1.0)
        self.etaplus = check.between("Rprop", "etaplus", etas[1], 1.0, float("inf"))
        self.step_size_min = check.non_negative_float("Rprop", "min_step_sizes", step_sizes[0])
        self.step_size_max = check.between(
            "Rprop", "max_step_sizes", step_sizes[1], self.step_size_min, float("inf"), "[)"
        )
        self.prev = self.new_state("prev")
        self.step_size = self.new_state("step_size")

    def construct(self, gradients: Any) -> bool:
        gradients = self.prepared(gradients)
        first = ops.equal(self.global_step, 0)
        for i, (w, g, lr) in enumerate(zip(self.parameters, gradients, self.rates(), strict=True)):
            agreement = g * self.prev[i]
            turned = agreement < 0
            factor = ops.where(turned, self.etaminus, ops.where(agreement > 0, self.etaplus, 1.0))
            size = ops.where(first, lr, self.step_size[i]) * factor
            size = ops.minimum(ops.maximum(size, self.step_size_min), self.step_size_max)
            kept = ops.where(turned, 0.0, g)
            assign(self.prev[i], kept)
            assign(self.step_size[i], size)
            assign(w, w - ops.sign(kept) * size)
        return True
