"""Optimizers as in PyTorch: groups of Parameters, each with options of its own.

    optimizer = optim.AdamW([{"params": body, "lr": 1e-4}, {"params": head}], lr=1e-3)
    optimizer(grads)
    optimizer.param_groups[0]["lr"] = 1e-5      # sets the Parameter; compiles nothing again
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterator
from typing import Any

from graphc import ops
from graphc.dispatch import assign
from graphc.dtype import float32
from graphc.nn import check
from graphc.nn.optimizer import Optimizer as BaseOptimizer
from graphc.nn.optimizer import averaged
from graphc.parameter import Parameter, ParameterTuple
from graphc.tensor import Tensor


class Group(UserDict[str, Any]):
    """The options of one group; `lr` is a Parameter, and setting it sets that."""

    def __init__(self, owner: Optimizer, options: dict[str, Any]) -> None:
        self.data = dict(options)
        self.owner = owner
        self._initial_lr: float | None = None

    def initial_lr(self) -> float:
        """The learning rate before the first scheduler."""
        if self._initial_lr is None:
            self._initial_lr = float(self["lr"])
        return self._initial_lr

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self:
            raise KeyError(f"param_groups: unknown option {key!r}; known are {', '.join(self)}")
        if key == "params":
            raise KeyError("param_groups: the Parameters of a group are set when the optimizer is made")
        if key == "lr":
            self["lr"].set_data(check.non_negative_float("param_groups", "lr", float(value)))
            return
        self.data[key] = value
        self.owner._changed()  # options are constants of the compiled step


class Optimizer(BaseOptimizer):
    """The base: a subclass defines `construct(gradients)`, which walks over `self.members(gradients)`.

    Args:
        params: Parameters, or dicts with `params` and options that differ from `defaults`.
        defaults: all options by name, `lr` among them.
    Attributes:
        param_groups: the groups, dicts of options.
        group_start_id: for each group, the place of its first Parameter among all.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        items = list(params)
        if not items:
            raise ValueError("For 'Optimizer', the argument parameters must not be empty.")
        groups = items if isinstance(items[0], dict) else [{"params": items}]
        for group in groups:
            _check_known(type(self).__name__, group, defaults)
        options = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        rates = [_rate(o["lr"], f"learning_rate_group_{i}") for i, o in enumerate(options)]
        super().__init__(0.0, [{"params": o["params"], "lr": r} for o, r in zip(options, rates, strict=True)])
        self.defaults = dict(defaults)
        self._states: list[tuple[ParameterTuple, str, Any]] = []
        self.param_groups = [Group(self, {**o, "lr": r}) for o, r in zip(options, rates, strict=True)]
        counts = [len(o["params"]) for o in options]
        self.group_start_id = [sum(counts[:i]) for i in range(len(counts))]
        for group in self.param_groups:
            self._check_options(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds Parameters, for which the optimizer keeps state as for the others; steps take their gradients last.

        Args:
            param_group: a dict of `params` (one Parameter or several) and options that differ from `defaults`.
        Raises:
            TypeError: no dict, or what is no Parameter.
            KeyError: no `params`, or an unknown option.
            ValueError: a Parameter that the optimizer has already, or an option that is not possible.
        """
        if not isinstance(param_group, dict):
            raise TypeError("Param group must be a dict.")
        _check_known(type(self).__name__, param_group, self.defaults)
        given = param_group["params"]
        added = [given] if isinstance(given, Parameter) else list(given)
        known = {id(parameter) for parameter in self.parameters}
        if any(id(parameter) in known for parameter in added):
            raise ValueError("some parameters appear in more than one parameter group.")
        options = {**self.defaults, **param_group, "params": added}
        rate = _rate(options["lr"], f"learning_rate_group_{len(self.param_groups)}")
        more = BaseOptimizer(0.0, [{"params": added, "lr": rate}])  # it checks what it is given
        group = Group(self, {**options, "lr": rate})
        self._check_options(group)
        for number, (state, prefix, init) in enumerate(self._states):
            longer = ParameterTuple((*state, *more.new_state(prefix, init)))
            self._states[number] = longer, prefix, init
            for attribute in [name for name, value in vars(self).items() if value is state]:
                setattr(self, attribute, longer)
        for attribute in ("parameters", "learning_rate"):
            setattr(self, attribute, ParameterTuple((*getattr(self, attribute), *getattr(more, attribute))))
        for attribute in ("weight_decay", "decay_flags", "grad_centralization_flags"):
            setattr(self, attribute, getattr(self, attribute) + getattr(more, attribute))
        self.param_groups.append(group)
        self.group_start_id.append(len(self.parameters) - len(added))

    def _check_options(self, options: Group) -> None:
        """Raises TypeError or ValueError if an option of a group is not possible."""
        check.non_negative_float(type(self).__name__, "weight_decay", options.get("weight_decay", 0.0))
        check.boolean(type(self).__name__, "maximize", options.get("maximize", False))

    def new_state(self, prefix: str, init: Any = "zeros") -> ParameterTuple:
        made = super().new_state(prefix, init)
        self._states.append((made, prefix, init))
        return made

    def members(self, gradients: Any) -> Iterator[tuple[int, Parameter, Tensor, Group]]:
        """Number, Parameter, gradient (negated to maximize) and options of each Parameter."""
        options = [group for group in self.param_groups for _ in group["params"]]
        for i, (w, g, group) in enumerate(zip(self.parameters, gradients, options, strict=True)):
            yield i, w, -g if group.get("maximize") else g, group


def _check_known(name: str, group: dict[str, Any], defaults: dict[str, Any]) -> None:
    unknown = [k for k in group if k != "params" and k not in defaults]
    if unknown:
        raise KeyError(f"{name}: unknown options of a group: {unknown}; known: {list(defaults)}")


def _rate(lr: Any, name: str) -> Parameter:
    if isinstance(lr, Parameter):
        return lr
    value = lr.item() if isinstance(lr, Tensor) else lr
    return Parameter(Tensor(check.non_negative_float("Optimizer", "lr", value), float32), name, requires_grad=False)


def decayed(g: Tensor, w: Parameter, options: Group) -> Tensor:
    """The gradient of the loss with an L2 penalty."""
    return g + w * options["weight_decay"] if options["weight_decay"] else g


class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum * v + (1 - dampening) * g, w = w - lr * v (v = g in the first step)."""

    def __init__(
        self, params: Any, lr: Any, momentum: float = 0, dampening: float = 0, weight_decay: float = 0.0,
        nesterov: bool = False, *, maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                  "nesterov": nesterov, "maximize": maximize})
        self.accum = self.new_state("accum")

    def _check_options(self, options: Group) -> None:
        super()._check_options(options)
        check.non_negative_float("SGD", "momentum", options["momentum"])
        check.number("SGD", "dampening", options["dampening"])
        if check.boolean("SGD", "nesterov", options["nesterov"]) and (not options["momentum"] or options["dampening"]):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening 0")

    def construct(self, gradients: Any) -> bool:
        later = ops.cast(self.global_step > 0, float32)
        for i, w, g, o in self.members(gradients):
            g = decayed(g, w, o)
            if o["momentum"]:
                v = self.accum[i] * o["momentum"] + (g * (1.0 - o["dampening"] * later) if o["dampening"] else g)
                assign(self.accum[i], v)
                g = g + v * o["momentum"] if o["nesterov"] else v
            assign(w, w - g * o["lr"])
        return True


class _Moments(Optimizer):
    """What Adam and AdamW share.

        m = m + (1 - beta1) * (g - m)
        v = v + (1 - beta2) * (g * g - v)
        w = w - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
    """

    decoupled = False

    def __init__(
        self, params: Any, lr: Any, betas: tuple[float, float], eps: float, weight_decay: float, amsgrad: bool,
        maximize: bool,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "amsgrad": amsgrad, "maximize": maximize})
        self.exp_avg = self.new_state("exp_avg")
        self.exp_avg_sq = self.new_state("exp_avg_sq")
        if any(group["amsgrad"] for group in self.param_groups):
            self.max_exp_avg_sq = self.new_state("max_exp_avg_sq")

    def _check_options(self, options: Group) -> None:
        super()._check_options(options)
        where = type(self).__name__
        for i, beta in enumerate(options["betas"]):
            check.between(where, f"betas[{i}]", beta, 0.0, 1.0, "[)")
        check.non_negative_float(where, "eps", options["eps"])
        check.boolean(where, "amsgrad", options["amsgrad"])

    def construct(self, gradients: Any) -> bool:
        t = ops.cast(self.global_step, float32) + 1.0
        for i, w, g, o in self.members(gradients):
            beta1, beta2 = o["betas"]
            g = g if self.decoupled else decayed(g, w, o)
            m = self.exp_avg[i] + (g - self.exp_avg[i]) * (1.0 - beta1)
            v = self.exp_avg_sq[i] + (g * g - self.exp_avg_sq[i]) * (1.0 - beta2)
            assign(self.exp_avg[i], m)
            assign(self.exp_avg_sq[i], v)
            if o["amsgrad"]:
                v = ops.maximum(self.max_exp_avg_sq[i], v)
                assign(self.max_exp_avg_sq[i], v)
            first, second = 1.0 - ops.pow(beta1, t), 1.0 - ops.pow(beta2, t)
            base = w * (1.0 - o["lr"] * o["weight_decay"]) if self.decoupled and o["weight_decay"] else w
            assign(w, base - m / (ops.sqrt(v) / ops.sqrt(second) + o["eps"]) * (o["lr"] / first))
        return True


class Adam(_Moments):
    """Adam (Kingma and Ba 2015), with weight decay as an L2 penalty, in PyTorch's form."""

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize)


class AdamW(_Moments):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), in PyTorch's form."""

    decoupled = True

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.01, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize)


class Adagrad(Optimizer):
    """s = s + g * g, w = w - lr / (1 + t * lr_decay) * g / (sqrt(s) + eps), t from 0 (Duchi et al. 2011)."""

    def __init__(
        self, params: Any, lr: Any = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0, eps: float = 1e-10, *, maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps,
                                  "maximize": maximize})
        start = check.non_negative_float("Adagrad", "initial_accumulator_value", initial_accumulator_value)
        self.accum = self.new_state("accum", start)

    def _check_options(self, options: Group) -> None:
        super()._check_options(options)
        check.non_negative_float("Adagrad", "lr_decay", options["lr_decay"])
        check.non_negative_float("Adagrad", "eps", options["eps"])

    def construct(self, gradients: Any) -> bool:
        t = ops.cast(self.global_step, float32)
        for i, w, g, o in self.members(gradients):
            g = decayed(g, w, o)
            s = self.accum[i] + g * g
            assign(self.accum[i], s)
            rate = o["lr"] / (1.0 + t * o["lr_decay"]) if o["lr_decay"] else o["lr"]
            assign(w, w - g / (ops.sqrt(s) + o["eps"]) * rate)
        return True


class RMSprop(Optimizer):
    """s = alpha * s + (1 - alpha) * g * g, u = momentum * u + g / (sqrt(s) + eps), w = w - lr * u.

    With `centered` s less the square of a moving average of g stands in the place of s.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0,
        momentum: float = 0.0, centered: bool = False, maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay,
                                  "momentum": momentum, "centered": centered, "maximize": maximize})
        self.mean_square = self.new_state("mean_square")
        self.mean_grad = self.new_state("mean_grad")
        self.moment = self.new_state("moment")

    def _check_options(self, options: Group) -> None:
        super()._check_options(options)
        for name in ("alpha", "eps", "momentum"):
            check.non_negative_float("RMSprop", name, options[name])
        check.boolean("RMSprop", "centered", options["centered"])

    def construct(self, gradients: Any) -> bool:
        for i, w, g, o in self.members(gradients):
            g = decayed(g, w, o)
            d = averaged(self.mean_square[i], g * g, o["alpha"])
            if o["centered"]:
                a = self.mean_grad[i] + (g - self.mean_grad[i]) * (1.0 - o["alpha"])
                assign(self.mean_grad[i], a)
                d = d - a * a
            u = g / (ops.sqrt(d) + o["eps"])
            if o["momentum"]:
                u = self.moment[i] * o["momentum"] + u
                assign(self.moment[i], u)
            assign(w, w - u * o["lr"])
        return True
