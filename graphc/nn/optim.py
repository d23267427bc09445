"""Optimizers: Cells that are called with the gradients and update Parameters.

    optimizer = nn.Momentum(net.trainable_params(), learning_rate=0.01, momentum=0.9)
    optimizer(grads)

An update is written with ordinary ops and `assign`, one elementwise chain a Parameter, so that within a compiled
training step it joins the kernel that makes the gradient. Called on its own it runs as its own compiled graph.
"""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dispatch import assign
from graphc.dtype import float32
from graphc.nn import check
from graphc.nn.optimizer import Optimizer, averaged
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = [
    "ASGD", "SGD", "AdaMax", "Adadelta", "Adagrad", "Adam", "AdamOffload", "AdamWeightDecay", "Lamb", "LazyAdam",
    "Momentum", "RMSProp", "Rprop",
]  # fmt: skip


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
            check.only("Adam", name, value or False, False)
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
            m = averaged(self.moments1[i], g, self.beta1)
            v = averaged(self.moments2[i], g * g, self.beta2)
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
            m = averaged(self.moments1[i], g, self.beta1)
            v = averaged(self.moments2[i], g * g, self.beta2)
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
            m = averaged(self.moment1[i], g, self.beta1)
            v = ops.maximum(self.moment2[i] * self.beta2, ops.abs(g))
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
            d = averaged(self.ms[i], g * g, self.decay)
            if self.centered:
                a = averaged(self.mg[i], g, self.decay)
                d = d - a * a
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
            s = averaged(self.accum[i], g * g, self.rho)
            u = ops.sqrt(self.accum_update[i] + self.epsilon) / ops.sqrt(s + self.epsilon) * g
            averaged(self.accum_update[i], u * u, self.rho)
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
