"""Steps of optimizers as primitives: rows for the table of `graphc.ops.primitives`.

    ops.ApplyFtrl()(var, accum, linear, grad, lr, l1, l2, lr_power)

Each changes its Parameters, var and what the rule keeps beside it, and returns what these hold then. Tensors that are
no Parameters come to stand for the new values, as `tensor[...] = value` makes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ops.coerce import as_tensor
from graphc.ops.control import held
from graphc.ops.elementwise import select
from graphc.ops.functions import abs, exp, less_equal, maximum, pow, rsqrt, sign, sqrt
from graphc.ops.primitive_classes import enter
from graphc.parameter import Parameter
from graphc.tensor import Tensor

Kept = tuple[Tensor, ...]


def _towards(moment: Parameter, value: Any, decay: Any) -> Tensor:
    """The moving average of a value, kept."""
    return held(moment, moment * decay + value * (1.0 - decay))


def _shrunk(value: Tensor, rate: Any, l1: Any, l2: Any) -> Tensor:
    """The value nearer to 0 by `rate * l1`, and divided by `1 + rate * l2` (Duchi and Singer 2009)."""
    shrunk: Tensor = sign(value) / (1.0 + rate * l2) * maximum(abs(value) - rate * l1, 0.0)
    return shrunk


def _sgd(
    self: Any, parameters: Parameter, gradient: Any, learning_rate: Any, accum: Parameter, momentum: Any,
    stat: Parameter,
) -> Tensor:
    """`stat` is above 0 before the first step, in which the moment is the gradient, and 0 after it."""
    grad = gradient + parameters * self.weight_decay if self.weight_decay else as_tensor("SGD", gradient)
    first = as_tensor("SGD", stat) > 0
    moment = held(accum, select(first, grad, accum * momentum + grad * (1.0 - self.dampening)))
    held(stat, stat * 0.0)
    step = grad + moment * momentum if self.nesterov else moment
    return held(parameters, parameters - step * learning_rate)


def _ada_max(
    self: Any, var: Parameter, m: Parameter, v: Parameter, beta1_power: Any, lr: Any, beta1: Any, beta2: Any,
    epsilon: Any, grad: Any,
) -> Kept:
    first = _towards(m, grad, beta1)
    most = held(v, maximum(v * beta2, abs(grad)))
    return held(var, var - first / (most + epsilon) * (lr / (1.0 - beta1_power))), first, most


def _adadelta(
    self: Any, var: Parameter, accum: Parameter, accum_update: Parameter, lr: Any, rho: Any, epsilon: Any, grad: Any
) -> Kept:
    square = _towards(accum, grad * grad, rho)
    step = sqrt(accum_update + epsilon) * (grad / sqrt(square + epsilon))
    steps = _towards(accum_update, step * step, rho)
    return held(var, var - step * lr), square, steps


def _adagrad_da(
    self: Any, var: Parameter, gradient_accumulator: Parameter, gradient_squared_accumulator: Parameter, grad: Any,
    lr: Any, l1: Any, l2: Any, global_step: Any,
) -> Tensor:
    """Duchi et al. 2011, by dual averaging."""
    total = held(gradient_accumulator, gradient_accumulator + grad)
    squares = held(gradient_squared_accumulator, gradient_squared_accumulator + grad * grad)
    kept = sign(total) * maximum(abs(total) - l1 * global_step, 0.0)
    return held(var, kept * -lr / (sqrt(squares) + l2 * global_step * lr))


def _adagrad_v2(self: Any, var: Parameter, accum: Parameter, lr: Any, grad: Any) -> Kept:
    total = held(accum, accum + grad * grad) if self.update_slots else as_tensor(self.name, accum) + 0.0
    return held(var, var - grad * lr / (sqrt(total) + self.epsilon)), total


def _amsgrad(
    var: Parameter, m: Parameter, v: Parameter, vhat: Parameter, beta1_power: Any, beta2_power: Any, lr: Any,
    beta1: Any, beta2: Any, epsilon: Any, grad: Any,
) -> Kept:
    """Reddi et al. 2018."""
    rate = sqrt(as_tensor("ApplyAdamWithAmsgrad", 1.0 - beta2_power)) * lr / (1.0 - beta1_power)
    first, second = _towards(m, grad, beta1), _towards(v, grad * grad, beta2)
    most = held(vhat, maximum(vhat, second))
    return held(var, var - rate * first / (sqrt(most) + epsilon)), first, second, most


def _add_sign(
    self: Any, var: Parameter, m: Parameter, lr: Any, alpha: Any, sign_decay: Any, beta: Any, grad: Any
) -> Kept:
    """Bello et al. 2017."""
    moment = _towards(m, grad, beta)
    return held(var, var - (sign(grad) * sign(moment) * sign_decay + alpha) * grad * lr), moment


def _power_sign(
    self: Any, var: Parameter, m: Parameter, lr: Any, logbase: Any, sign_decay: Any, beta: Any, grad: Any
) -> Kept:
    """Bello et al. 2017."""
    moment = _towards(m, grad, beta)
    return held(var, var - exp(sign(grad) * sign(moment) * sign_decay * logbase) * grad * lr), moment


def _centered_rms_prop(
    self: Any, var: Parameter, mean_gradient: Parameter, mean_square: Parameter, moment: Parameter, grad: Any,
    learning_rate: Any, decay: Any, momentum: Any, epsilon: Any,
) -> Tensor:
    mean, square = _towards(mean_gradient, grad, decay), _towards(mean_square, grad * grad, decay)
    step = held(moment, moment * momentum + rsqrt(square - mean * mean + epsilon) * grad * learning_rate)
    return held(var, var - step)


def _rms_prop(
    self: Any, var: Parameter, mean_square: Parameter, moment: Parameter, learning_rate: Any, grad: Any, decay: Any,
    momentum: Any, epsilon: Any,
) -> Tensor:
    square = _towards(mean_square, grad * grad, decay)
    step = held(moment, moment * momentum + rsqrt(square + epsilon) * grad * learning_rate)
    return held(var, var - step)


def _ftrl(
    self: Any, var: Parameter, accum: Parameter, linear: Parameter, grad: Any, lr: Any, l1: Any, l2: Any,
    lr_power: Any,
) -> Tensor:
    """McMahan et al. 2013."""
    before = pow(accum, -lr_power)
    total = held(accum, accum + grad * grad)
    power = pow(total, -lr_power)
    slope = held(linear, linear + grad - (power - before) / lr * var)
    curvature = power / lr + 2.0 * l2
    inside = less_equal(abs(slope), l1)
    return held(var, select(inside, 0.0, (sign(slope) * l1 - slope) / curvature))


def _keras_momentum(self: Any, var: Parameter, accum: Parameter, lr: Any, grad: Any, momentum: Any) -> Kept:
    moment = held(accum, accum * momentum - grad * lr)
    step = moment * momentum - grad * lr if self.use_nesterov else moment
    return held(var, var + step), moment


def _proximal_adagrad(
    self: Any, var: Parameter, accum: Parameter, lr: Any, l1: Any, l2: Any, grad: Any
) -> Kept:
    total = held(accum, accum + grad * grad)
    rate = rsqrt(total) * lr
    return held(var, _shrunk(var - rate * grad, rate, l1, l2)), total


def _adam_weight_decay(
    self: Any, var: Parameter, m: Parameter, v: Parameter, lr: Any, beta1: Any, beta2: Any, epsilon: Any, decay: Any,
    gradient: Any,
) -> Kept:
    """Loshchilov and Hutter 2019, without the correction of the first steps."""
    first, second = _towards(m, gradient, beta1), _towards(v, gradient * gradient, beta2)
    step = first / (sqrt(second) + epsilon) + var * decay
    return held(var, var - step * lr), first, second


_LOCK: dict[str, Any] = {"use_locking": False}

_ROWS: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "AdamWeightDecay": (_LOCK, _adam_weight_decay),
    "ApplyAdaMax": ({}, _ada_max),
    "ApplyAdadelta": ({}, _adadelta),
    "ApplyAdagradDA": (_LOCK, _adagrad_da),
    "ApplyAdagradV2": ({"epsilon": 1e-6, "update_slots": True}, _adagrad_v2),
    "ApplyAdamWithAmsgrad": (
        {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "use_locking": False},
        lambda p, var, m, v, vhat, beta1_power, beta2_power, lr, grad: _amsgrad(
            var, m, v, vhat, beta1_power, beta2_power, lr, p.beta1, p.beta2, p.epsilon, grad
        ),
    ),
    "ApplyAdamWithAmsgradV2": (_LOCK, lambda p, *args: _amsgrad(*args)),
    "ApplyAddSign": ({}, _add_sign),
    "ApplyCenteredRMSProp": (_LOCK, _centered_rms_prop),
    "ApplyFtrl": (_LOCK, _ftrl),
    "ApplyKerasMomentum": ({"use_locking": False, "use_nesterov": False}, _keras_momentum),
    "ApplyPowerSign": ({}, _power_sign),
    "ApplyProximalAdagrad": (_LOCK, _proximal_adagrad),
    "ApplyProximalGradientDescent": (
        {}, lambda p, var, alpha, l1, l2, delta: held(var, _shrunk(var - delta * alpha, alpha, l1, l2))
    ),
    "ApplyRMSProp": (_LOCK, _rms_prop),
    "SGD": ({"dampening": 0.0, "weight_decay": 0.0, "nesterov": False}, _sgd),
}  # fmt: skip

enter({}, _ROWS)
