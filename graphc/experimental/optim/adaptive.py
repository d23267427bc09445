"""More optimizers as in PyTorch: Adadelta, Adamax, ASGD, NAdam, RAdam and Rprop, with MindSpore's defaults.

In their formulas t is the step, 1 at first.
"""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dispatch import assign
from graphc.dtype import float32
from graphc.experimental.optim.optimizer import Group, Optimizer, decayed
from graphc.nn import check
from graphc.nn.optimizer import averaged
from graphc.parameter import Parameter, ParameterTuple
from graphc.tensor import Tensor


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, algorithm 1).

        s = rho * s + (1 - rho) * g * g
        u = sqrt(d + eps) / sqrt(s + eps) * g
        d = rho * d + (1 - rho) * u * u
        w = w - lr * u
    """

    def __init__(
        self, params: Any, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0, *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})
        self.accum = self.new_state("accum")
        self.accum_update = self.new_state("accum_update")

    def _check_options(self, options: Group) -> None:
        super()._check_options(options)
        check.between("Adadelta", "rho", options["rho"], 0.0, 1.0, "[]")
        check.positive_float("Adadelta", "eps", options["eps"])

    def construct(self, gradients: Any) -> bool:
        for i, w, g, o in self.members(gradients):
            g = decayed(g, w, o)
            s = averaged(self.accum[i], g * g, o["rho"])
            u = ops.sqrt(self.accum_update[i] + o["eps"]) / ops.sqrt(s + o["eps"]) * g
            averaged(self.accum_update[i], u * u, o["rho"])
            assign(w, w - u * o["lr"])
        return True


def _mu_product(group: int) -> Parameter:
    return Parameter(Tensor(1.0), f"mu_product_group_{group}", requires_grad=False)


class _WithBetas(Optimizer):
    """What the relatives of Adam share: their checks, and `exp_avg`, the moving average of the gradient."""

    def __init__(
        self, params: Any, lr: Any, betas: tuple[float, float], eps: float, weight_decay: float,
        maximize: bool = False, **others: Any,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, {**options, **others})
        self.exp_avg = self.new_state("exp_avg")

    def _check_options(self, options: Group) -> None:
        where = type(self).__name__
        for i, beta in enumerate(options["betas"]):
            check.between(where, f"betas[{i}]", beta, 0.0, 1.0, "[)")
        check.positive_float(where, "eps", options["eps"])
        check.non_negative_float(where, "weight_decay", options["weight_decay"])

    @property
    def step(self) -> Tensor:
        """t, as a float."""
        return ops.cast(self.global_step, float32) + 1.0


class Adamax(_WithBetas):
    """Adamax (Kingma and Ba 2015, section 7.1).

        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, |g| + eps)
        w = w - lr / (1 - beta1^t) * m / u
    """

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0, *, maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, maximize)
        self.exp_inf = self.new_state("exp_inf")

    def construct(self, gradients: Any) -> bool:
        t = self.step
        for i, w, g, o in self.members(gradients):
            beta1, beta2 = o["betas"]
            g = decayed(g, w, o)
            m = averaged(self.exp_avg[i], g, beta1)
            u = ops.maximum(self.exp_inf[i] * beta2, ops.abs(g) + o["eps"])
            assign(self.exp_inf[i], u)
            assign(w, w - m / u * (o["lr"] / (1.0 - ops.pow(beta1, t))))
        return True


class NAdam(_WithBetas):
    """Adam with Nesterov's momentum (Dozat 2016).

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2), and p_t the product of mu_1 to mu_t
        d = sqrt(v / (1 - beta2^t)) + eps
        w = w - lr * (1 - mu_t) / (1 - p_t) * g / d - lr * mu_(t+1) / (1 - p_(t+1)) * m / d
    """

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0, momentum_decay: float = 4e-3,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, momentum_decay=momentum_decay)
        self.exp_avg_sq = self.new_state("exp_avg_sq")
        self.mu_product = ParameterTuple(map(_mu_product, range(len(self.param_groups))))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        self.mu_product = ParameterTuple((*self.mu_product, _mu_product(len(self.mu_product))))

    def _check_options(self, options: Group) -> None:
        super()._check_options(options)
        check.non_negative_float("NAdam", "momentum_decay", options["momentum_decay"])

    def _factors(self, number: int, options: Group) -> tuple[Tensor, Tensor]:
        """What the gradient and the moving average of a group are multiplied with; counts the step."""
        t, beta, decay = self.step, options["betas"][0], options["momentum_decay"]
        mu, following = (beta * (1.0 - 0.5 * ops.pow(0.96, k * decay)) for k in (t, t + 1.0))
        product = self.mu_product[number] * mu
        assign(self.mu_product[number], product)
        rate = options["lr"]
        return rate * (1.0 - mu) / (1.0 - product), rate * following / (1.0 - product * following)

    def construct(self, gradients: Any) -> bool:
        t = self.step
        factors = {id(group): self._factors(k, group) for k, group in enumerate(self.param_groups)}
        for i, w, g, o in self.members(gradients):
            beta1, beta2 = o["betas"]
            of_gradient, of_average = factors[id(o)]
            g = decayed(g, w, o)
            m = averaged(self.exp_avg[i], g, beta1)
            v = averaged(self.exp_avg_sq[i], g * g, beta2)
            d = ops.sqrt(v / (1.0 - ops.pow(beta2, t))) + o["eps"]
            assign(w, w - (g * of_gradient + m * of_average) / d)
        return True


class RAdam(_WithBetas):
    """Rectified Adam (Liu et al. 2020, algorithm 2).

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        rho = r - 2 * t * beta2^t / (1 - beta2^t), r = 2 / (1 - beta2) - 1
        w = w - lr * m / (1 - beta1^t) * (rho > 5: sqrt((1 - beta2^t) * (rho - 4) * (rho - 2) * r
                                                        / ((r - 4) * (r - 2) * rho)) / (sqrt(v) + eps); else 1)
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
        self.exp_avg_sq = self.new_state("exp_avg_sq")

    def construct(self, gradients: Any) -> bool:
        t = self.step
        for i, w, g, o in self.members(gradients):
            beta1, beta2 = o["betas"]
            g = decayed(g, w, o)
            m = averaged(self.exp_avg[i], g, beta1)
            v = averaged(self.exp_avg_sq[i], g * g, beta2)
            limit, second = 2.0 / (1.0 - beta2) - 1.0, 1.0 - ops.pow(beta2, t)
            rho = limit - t * ops.pow(beta2, t) * 2.0 / second
            known = rho > 5.0
            length = ops.select(known, rho, 6.0)  # any number for which there is a root
            share = (length - 4.0) * (length - 2.0) * limit / (length * ((limit - 4.0) * (limit - 2.0)))
            adaptive = ops.sqrt(second) * ops.sqrt(share) / (ops.sqrt(v) + o["eps"])
            assign(w, w - m / (1.0 - ops.pow(beta1, t)) * o["lr"] * ops.select(known, adaptive, 1.0))
        return True


class Rprop(Optimizer):
    """Resilient propagation (Riedmiller and Braun 1993): only the signs of gradients count.

        s = s * (etas[1] where g has the sign it had, etas[0] where the other, 1 where either is 0), within `step_sizes`
        g = 0 where its sign changed
        w = w - s * sign(g)

    s is lr in the beginning.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "weight_decay": 0.0,
                                  "maximize": maximize})
        self.prev = self.new_state("prev")
        self.step_size = self.new_state("step_size")

    def _check_options(self, options: Group) -> None:
        super()._check_options(options)
        check.between("Rprop", "etas[0]", options["etas"][0], 0.0, 1.0, "()")
        if options["etas"][1] <= 1.0:
            raise ValueError(f"For 'Rprop', the 'etas[1]' must be greater than 1.0, but got {options['etas'][1]}.")

    def construct(self, gradients: Any) -> bool:
        first = ops.equal(self.global_step, 0)
        for i, w, g, o in self.members(gradients):
            (less, more), (least, most) = o["etas"], o["step_sizes"]
            turn = g * self.prev[i]
            factor = ops.select(turn > 0, more, ops.select(turn < 0, less, ops.ones_like(turn)))
            size = ops.clip_by_value(ops.select(first, o["lr"], self.step_size[i]) * factor, least, most)
            g = ops.select(turn < 0, 0.0, g)
            assign(self.step_size[i], size)
            assign(self.prev[i], g)
            assign(w, w - ops.sign(g) * size)
        return True


class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky 1992).

        eta = lr / (1 + lambd * lr * (t - 1)) ^ alpha
        w = w * (1 - lambd * eta) - eta * g
        ax = ax + (w - ax) / max(1, t - 1 - t0)

    The averages are in `ax`.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: float = 0.0, maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
                                  "maximize": maximize})
        self.ax = self.new_state("ax")

    def _check_options(self, options: Group) -> None:
        super()._check_options(options)
        for name in ("lambd", "alpha", "t0"):
            check.number("ASGD", name, options[name])

    def construct(self, gradients: Any) -> bool:
        before = ops.cast(self.global_step, float32)
        for i, w, g, o in self.members(gradients):
            g = decayed(g, w, o)
            eta = o["lr"] / ops.pow(before * (o["lr"] * o["lambd"]) + 1.0, o["alpha"])
            new = w * (1.0 - eta * o["lambd"]) - g * eta
            share = ops.maximum(before - o["t0"], 1.0)
            assign(w, new)
            assign(self.ax[i], ops.select(share > 1.0, self.ax[i] + (new - self.ax[i]) / share, new))
        return True
