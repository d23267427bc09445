"""Optimizers: update rules to the bit, learning rates, weight decay, groups, loss scale, modes and errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Parameter, Tensor, nn, ops
from graphc.dispatch import assign
from graphc.experimental import optim
from graphc.experimental.optim import lr_scheduler

F = np.float32
SHAPES = ((3, 4), (4,), ())


def f32(value: float) -> np.float32:
    return F(value)


def arrays(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(F) for shape in SHAPES]


def parameters(seed: int = 0) -> list[Parameter]:
    return [Parameter(a, f"p{i}") for i, a in enumerate(arrays(seed))]


def run_steps(optimizer: nn.Optimizer, steps: int = 4) -> list[np.ndarray]:
    for step in range(steps):
        optimizer(tuple(Tensor(g) for g in arrays(100 + step)))
    return [p.asnumpy() for p in optimizer.parameters]


# Each rule as a NumPy generator: given w, it is sent gradients and yields the new w, in float32 and in the same order
# of operations, so the results must be equal to the bit: + - * / and sqrt are exact in IEEE arithmetic.

Rule = Callable[[np.ndarray], Iterator[Any]]


def sgd(lr: float, momentum: float = 0.0, dampening: float = 0.0, decay: float = 0.0, nesterov: bool = False) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        v, first = np.zeros_like(w), True
        while True:
            g = yield w
            if decay:
                g = g + w * f32(decay)
            if momentum:
                share = f32(1) - f32(dampening) * f32(not first)
                v = v * f32(momentum) + (g * share if dampening else g)
                g = g + v * f32(momentum) if nesterov else v
            w, first = w - g * f32(lr), False

    return rule


def momentum_rule(lr: float, momentum: float, nesterov: bool = False, scale: float = 1.0) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        v = np.zeros_like(w)
        while True:
            g = yield w
            g = g * f32(1 / scale) if scale != 1 else g
            v = v * f32(momentum) + g
            w = w - (g + v * f32(momentum) if nesterov else v) * f32(lr)

    return rule


def adam(lr: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, decay: float = 0.0, nesterov: bool = False,
         amsgrad: bool = False) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        m = v = top = np.zeros_like(w)
        p1 = p2 = f32(1)
        while True:
            g = yield w
            g = g + w * f32(decay) if decay else g
            p1, p2 = p1 * f32(b1), p2 * f32(b2)
            correction = np.sqrt(f32(1) - p2) / (f32(1) - p1)
            m = m + (g - m) * f32(1 - b1)
            v = v + (g * g - v) * f32(1 - b2)
            top = np.maximum(top, v)
            up = m * f32(b1) + g * f32(1 - b1) if nesterov else m
            w = w - up / (np.sqrt(top if amsgrad else v) + f32(eps)) * (f32(lr) * correction)

    return rule


def adam_weight_decay(lr: float, decay: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-6) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        m = v = np.zeros_like(w)
        while True:
            g = yield w
            m = m * f32(b1) + g * f32(1 - b1)
            v = v * f32(b2) + g * g * f32(1 - b2)
            w = w - (m / (np.sqrt(v) + f32(eps)) + w * f32(decay)) * f32(lr)

    return rule


def ada_max(lr: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        m = v = np.zeros_like(w)
        p1 = f32(1)
        while True:
            g = yield w
            p1 = p1 * f32(b1)
            m = m * f32(b1) + g * f32(1 - b1)
            v = np.maximum(v * f32(b2), np.abs(g))
            w = w - m / (v + f32(eps)) * (f32(lr) / (f32(1) - p1))

    return rule


def rms_prop(lr: float, decay: float = 0.9, momentum: float = 0.0, eps: float = 1e-10, centered: bool = False) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        s, a, u = np.ones_like(w), np.zeros_like(w), np.zeros_like(w)
        while True:
            g = yield w
            s = s * f32(decay) + g * g * f32(1 - decay)
            a = a * f32(decay) + g * f32(1 - decay)
            d = s - a * a if centered else s
            u = u * f32(momentum) + g * f32(lr) / np.sqrt(d + f32(eps))
            w = w - u

    return rule


def adagrad(lr: float, accum: float = 0.1, update_slots: bool = True) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        s = np.full_like(w, accum)
        while True:
            g = yield w
            s = s + g * g if update_slots else s
            w = w - g * f32(lr) / np.sqrt(s)

    return rule


def adadelta(lr: float, rho: float = 0.9, eps: float = 1e-6) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        s = d = np.zeros_like(w)
        while True:
            g = yield w
            s = s * f32(rho) + g * g * f32(1 - rho)
            u = np.sqrt(d + f32(eps)) / np.sqrt(s + f32(eps)) * g
            d = d * f32(rho) + u * u * f32(1 - rho)
            w = w - u * f32(lr)

    return rule


def rprop(lr: float, minus: float = 0.5, plus: float = 1.2, low: float = 1e-6, high: float = 50.0) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        previous, size = np.zeros_like(w), np.full_like(w, lr)
        while True:
            g = yield w
            agreement = g * previous
            factor = np.where(agreement < 0, f32(minus), np.where(agreement > 0, f32(plus), f32(1)))
            size = np.clip(size * factor, f32(low), f32(high))
            previous = np.where(agreement < 0, f32(0), g)
            w = w - np.sign(previous) * size

    return rule


def ftrl(lr: float, accum: float = 0.1, l1: float = 0.0, l2: float = 0.0, decay: float = 0.0) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        s, z = np.full_like(w, accum), np.zeros_like(w)
        while True:
            g = yield w
            g = g + w * f32(decay) if decay else g
            before, s = np.sqrt(s), s + g * g
            z = z + g - (np.sqrt(s) - before) / f32(lr) * w
            solved = (np.sign(z) * f32(l1) - z) / (np.sqrt(s) / f32(lr) + f32(2 * l2))
            w = np.where(np.abs(z) > f32(l1), solved, f32(0))

    return rule


def proximal(lr: float, accum: float = 0.1, l1: float = 0.0, l2: float = 0.0) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        s = np.full_like(w, accum)
        while True:
            g = yield w
            s = s + g * g
            r = f32(lr) / np.sqrt(s)
            p = w - g * r
            p = np.sign(p) * np.maximum(np.abs(p) - r * f32(l1), f32(0)) if l1 else p
            w = p / (r * f32(l2) + f32(1))

    return rule


RULES: dict[str, tuple[Callable[[Any], nn.Optimizer], Rule]] = {
    "sgd": (lambda p: nn.SGD(p, 0.1), sgd(0.1)),
    "sgd decay": (lambda p: nn.SGD(p, 0.1, weight_decay=0.02), sgd(0.1, decay=0.02)),
    "sgd momentum": (lambda p: nn.SGD(p, 0.1, 0.9), sgd(0.1, 0.9)),
    "sgd dampening": (lambda p: nn.SGD(p, 0.1, 0.9, dampening=0.3), sgd(0.1, 0.9, 0.3)),
    "sgd nesterov": (lambda p: nn.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.1), sgd(0.1, 0.9, 0, 0.1, True)),
    "momentum": (lambda p: nn.Momentum(p, 0.1, 0.9), momentum_rule(0.1, 0.9)),
    "momentum nesterov": (lambda p: nn.Momentum(p, 0.1, 0.9, use_nesterov=True), momentum_rule(0.1, 0.9, True)),
    "momentum loss scale": (lambda p: nn.Momentum(p, 0.1, 0.9, loss_scale=8.0), momentum_rule(0.1, 0.9, scale=8.0)),
    "adam": (lambda p: nn.Adam(p, 0.01), adam(0.01)),
    "adam decay": (lambda p: nn.Adam(p, 0.01, 0.8, 0.95, 1e-6, weight_decay=0.1), adam(0.01, 0.8, 0.95, 1e-6, 0.1)),
    "adam nesterov": (lambda p: nn.Adam(p, 0.01, use_nesterov=True), adam(0.01, nesterov=True)),
    "adam amsgrad": (lambda p: nn.Adam(p, 0.01, beta2=0.5, use_amsgrad=True), adam(0.01, b2=0.5, amsgrad=True)),
    "adam weight decay": (
        lambda p: nn.AdamWeightDecay(p, 0.01, weight_decay=0.1), adam_weight_decay(0.01, 0.1)
    ),
    "adamax": (lambda p: nn.AdaMax(p, 0.01), ada_max(0.01)),
    "rmsprop": (lambda p: nn.RMSProp(p, 0.01), rms_prop(0.01)),
    "rmsprop momentum": (lambda p: nn.RMSProp(p, 0.01, 0.8, 0.5, 1e-5), rms_prop(0.01, 0.8, 0.5, 1e-5)),
    "rmsprop centered": (
        lambda p: nn.RMSProp(p, 0.01, momentum=0.5, centered=True), rms_prop(0.01, 0.9, 0.5, 1e-10, True)
    ),
    "adagrad": (lambda p: nn.Adagrad(p, learning_rate=0.01), adagrad(0.01)),
    "adagrad fixed": (lambda p: nn.Adagrad(p, 0.2, 0.01, update_slots=False), adagrad(0.01, 0.2, False)),
    "adadelta": (lambda p: nn.Adadelta(p, 0.5), adadelta(0.5)),
    "rprop": (lambda p: nn.Rprop(p, 0.1), rprop(0.1)),
    "lazy adam": (lambda p: nn.LazyAdam(p, 0.01, use_nesterov=True), adam(0.01, nesterov=True)),
    "adam offload": (lambda p: nn.AdamOffload(p, 0.01, weight_decay=0.1), adam(0.01, decay=0.1)),
    "ftrl": (lambda p: nn.FTRL(p, learning_rate=0.1), ftrl(0.1)),
    "ftrl penalties": (
        lambda p: nn.FTRL(p, 0.2, 0.1, l1=0.3, l2=0.02, weight_decay=0.1), ftrl(0.1, 0.2, 0.3, 0.02, 0.1)
    ),
    "proximal adagrad": (lambda p: nn.ProximalAdagrad(p, learning_rate=0.1), proximal(0.1)),
    "proximal adagrad penalties": (
        lambda p: nn.ProximalAdagrad(p, 0.2, 0.1, 0.3, 0.02), proximal(0.1, 0.2, 0.3, 0.02)
    ),
}  # fmt: skip


def by_rule(rule: Rule) -> list[np.ndarray]:
    """What `run_steps` gives, by a rule."""
    found = []
    for i, start in enumerate(arrays(0)):
        steps = rule(start)
        next(steps)
        found.append([steps.send(arrays(100 + step)[i]) for step in range(4)][-1])
    return found


@pytest.mark.parametrize("name", RULES)
def test_update_rule_to_the_bit(name: str) -> None:
    make, rule = RULES[name]
    for found, wanted in zip(run_steps(make(parameters())), by_rule(rule), strict=True):
        assert found.dtype == F
        np.testing.assert_array_equal(found, wanted)


def test_asgd_follows_its_formula() -> None:
    optimizer = nn.ASGD(parameters(), 0.1, lambd=0.01, alpha=0.75, t0=1.0)
    found = run_steps(optimizer)
    for i, start in enumerate(arrays(0)):
        w, ax = start.astype(np.float64), np.zeros(start.shape)
        for t in range(4):
            eta = 0.1 / (1 + 0.01 * 0.1 * t) ** 0.75
            w = w * (1 - 0.01 * eta) - eta * arrays(100 + t)[i]
            ax = ax + (w - ax) / max(1.0, t - 1.0)
        np.testing.assert_allclose(found[i], w, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(optimizer.ax[i].asnumpy(), ax, rtol=1e-5, atol=1e-6)


def test_lamb_follows_its_formula() -> None:
    found = run_steps(nn.Lamb(parameters(), 0.1, weight_decay=0.02))
    for i, start in enumerate(arrays(0)):
        w, m, v = start.astype(np.float64), np.zeros(start.shape), np.zeros(start.shape)
        for t in range(1, 5):
            g = arrays(99 + t)[i].astype(np.float64)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            r = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6) + 0.02 * w
            w = w - 0.1 * np.linalg.norm(w) / np.linalg.norm(r) * r
        np.testing.assert_allclose(found[i], w, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("clip", [False, True])
def test_lars_scales_the_gradients_of_all_but_biases(clip: bool) -> None:
    a, b = (Parameter(array, name) for array, name in zip(arrays(0), ("fc.weight", "fc.bias"), strict=False))
    inner = nn.Momentum([a, b], 0.1, 0.9, weight_decay=0.02, loss_scale=2.0)
    optimizer = nn.LARS(inner, epsilon=1e-6, coefficient=0.05, use_clip=clip)
    w, bias = (x.astype(np.float64) for x in arrays(0)[:2])
    v, u = 0.0, 0.0
    for step in range(3):
        grads = arrays(100 + step)[:2]
        optimizer(tuple(Tensor(2 * g) for g in grads))
        g = grads[0].astype(np.float64)
        ratio = 0.05 * np.linalg.norm(w) / (np.linalg.norm(g) + 0.02 * np.linalg.norm(w) + 1e-6)
        ratio = min(ratio / 0.1, 1.0) if clip else ratio
        v, u = 0.9 * v + ratio * (g + 0.02 * w), 0.9 * u + grads[1]
        w, bias = w - 0.1 * v, bias - 0.1 * u
    np.testing.assert_allclose(a.asnumpy(), w, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(b.asnumpy(), bias, rtol=1e-5, atol=1e-6)
    assert optimizer.global_step.asnumpy() == 3


@pytest.mark.parametrize(
    ("options", "wanted"),
    [  # the first two elements of each parameter after 4 steps of MindSpore 2.10
        ({}, [(0.12985693, -0.13083966), (-2.3231502, -0.22197327), (-0.54179364, -0.3180627)]),
        (
            {"learning_rate": 0.1, "relative_step": False, "weight_decay": 0.01, "beta1": None},
            [(0.19778615, -0.06437213), (-2.1378903, -0.33888373), (-0.44337404, -0.3470656)],
        ),
        (
            {"warmup_init": True, "scale_parameter": False},
            [(0.12573056, -0.13210443), (-2.325029, -0.21879184), (-0.5442584, -0.3163004)],
        ),
    ],
)
def test_ada_factor(options: dict[str, Any], wanted: list[tuple[float, float]]) -> None:
    def drawn(seed: int) -> list[np.ndarray]:
        generator = np.random.default_rng(seed)
        return [generator.standard_normal(shape).astype(F) for shape in ((3, 4), (4,), (2, 3, 5))]

    params = [Parameter(a, f"p{i}") for i, a in enumerate(drawn(0))]
    optimizer = nn.AdaFactor(params, **options)
    for step in range(4):
        optimizer(tuple(Tensor(g) for g in drawn(100 + step)))
    for p, start in zip(params, wanted, strict=True):
        np.testing.assert_allclose(p.asnumpy().reshape(-1)[:2], start, rtol=2e-6)


def test_rarer_optimizers_say_what_they_do_not_take() -> None:
    p = parameters()
    with pytest.raises(ValueError, match="'relative_step' exclude each other"):
        nn.AdaFactor(p, 0.1)
    with pytest.raises(ValueError, match="'compression' must be False"):
        nn.AdaFactor(p, compression=True)
    with pytest.raises(ValueError, match="dynamic learning rate"):
        nn.FTRL(p, learning_rate=[0.1, 0.2])
    with pytest.raises(ValueError, match=r"'lr_power' must be float and must <= 0\.0, but got 0\.5"):
        nn.FTRL(p, lr_power=0.5)
    with pytest.raises(TypeError, match="'optimizer' must be Optimizer, but got list"):
        nn.LARS(p)


def test_lamb_leaves_the_step_alone_where_the_parameter_is_zero() -> None:
    p = Parameter(np.zeros(3, F), "p")
    nn.Lamb([p], 0.1)((Tensor(np.ones(3, F)),))
    np.testing.assert_allclose(p.asnumpy(), -0.1, rtol=1e-5)


# Learning rates


def moved(optimizer: nn.Optimizer) -> float:
    """How far a step with gradient 1 moves the (only, scalar) parameter of plain SGD: the learning rate."""
    before = optimizer.parameters[0].asnumpy()
    optimizer((Tensor(1.0),) * len(optimizer.parameters))
    return float(before - optimizer.parameters[0].asnumpy())


def one() -> list[Parameter]:
    return [Parameter(np.zeros((), F), "w")]


def test_learning_rate_list_gives_each_step_its_own_and_ends_with_an_error() -> None:
    p = one()
    optimizer = nn.SGD(p, [0.5, 0.25, 0.125])
    start = p[0].asnumpy()
    for rate in (0.5, 0.25, 0.125):
        optimizer((Tensor(1.0),))
        start = start - F(rate)
        assert p[0].asnumpy() == start
    before, step = p[0].asnumpy(), optimizer.global_step.asnumpy()
    with pytest.raises(IndexError):
        optimizer((Tensor(1.0),))
    assert p[0].asnumpy() == before
    assert optimizer.global_step.asnumpy() == step == 3


@pytest.mark.parametrize("rates", [[0.5, 0.25], np.array([0.5, 0.25]), (0.5, 0.25), iter([0.5, 0.25]),
                                   Tensor([0.5, 0.25])])  # fmt: skip
def test_learning_rates_in_any_form(rates: Any) -> None:
    optimizer = nn.SGD(one(), rates)
    assert [moved(optimizer), moved(optimizer)] == [0.5, 0.25]


def test_setting_the_learning_rate_compiles_nothing_again() -> None:
    optimizer = nn.SGD(one(), 0.5)
    assert moved(optimizer) == 0.5
    compiled = list(optimizer._compiled.cache.values())
    optimizer.learning_rate.set_data(0.25)
    assert moved(optimizer) == 0.25
    assign(optimizer.learning_rate, Tensor(0.125))
    assert moved(optimizer) == 0.125
    assert list(optimizer._compiled.cache.values()) == compiled
    assert float(optimizer.get_lr()) == 0.125


def test_a_given_parameter_is_the_learning_rate_itself() -> None:
    rate = Parameter(Tensor(0.5), "rate")
    optimizer = nn.SGD(one(), rate)
    assert optimizer.learning_rate is rate
    assert moved(optimizer) == 0.5


def test_schedule_sees_the_step_from_zero() -> None:
    class Halved(nn.LearningRateSchedule):
        def construct(self, global_step: Tensor) -> Tensor:
            return 1.0 / (ops.cast(global_step, graphc.float32) + 1.0)

    optimizer = nn.SGD(one(), Halved())
    assert [moved(optimizer) for _ in range(2)] == [1.0, 0.5]
    assert optimizer.dynamic_lr
    assert optimizer.global_step.asnumpy() == 2
    assert float(optimizer.get_lr()) == pytest.approx(1 / 3)
    assert optimizer.global_step.asnumpy() == 2  # asking changes nothing


# Groups


def test_groups_have_their_own_rate_decay_and_centralization() -> None:
    a, b, c = parameters()
    groups = [
        {"params": [a], "lr": 0.5, "grad_centralization": True},
        {"params": [b], "weight_decay": 0.25},
        {"params": [c], "lr": [0.125, 0.0625]},
    ]
    optimizer = nn.SGD(groups, 0.25, weight_decay=0.5)
    ga, gb, gc = arrays(100)
    wa, wb, wc = arrays(0)
    optimizer(tuple(map(Tensor, (ga, gb, gc))))
    total = ga + wa * F(0.5)
    np.testing.assert_allclose(a.asnumpy(), wa - (total - total.mean(1, keepdims=True)) * F(0.5), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(b.asnumpy(), wb - (gb + wb * F(0.25)) * F(0.25))
    np.testing.assert_array_equal(c.asnumpy(), wc - (gc + wc * F(0.5)) * F(0.125))
    assert optimizer.is_group and optimizer.is_group_lr and optimizer.dynamic_lr
    assert [float(rate) for rate in optimizer.get_lr()] == [0.5, 0.25, 0.0625]


def test_group_rates_by_parameter() -> None:
    a, b, c = parameters()
    optimizer = nn.Momentum([{"params": [a, b], "lr": 0.5}, {"params": [c]}], 0.25, 0.9)
    assert [float(rate) for rate in optimizer.get_lr()] == [0.5, 0.5, 0.25]
    assert float(optimizer.get_lr_parameter(b)) == 0.5
    assert [float(rate) for rate in optimizer.get_lr_parameter([a, c])] == [0.5, 0.25]
    optimizer.get_lr_parameter(a).set_data(1.0)
    assert [float(rate) for rate in optimizer.get_lr()] == [1.0, 1.0, 0.25]
    with pytest.raises(ValueError, match="x is not in optimizer"):
        optimizer.get_lr_parameter(Parameter(1.0, "x"))


def test_order_params_sets_the_order_of_gradients() -> None:
    a, b, c = parameters()
    optimizer = nn.SGD([{"params": [a], "lr": 0.5}, {"params": [b, c]}, {"order_params": [c, a, b]}], 0.25)
    assert [p.name for p in optimizer.parameters] == ["p2", "p0", "p1"]
    optimizer(tuple(Tensor(np.ones(p.shape, F)) for p in (c, a, b)))
    np.testing.assert_array_equal(a.asnumpy(), arrays(0)[0] - F(0.5))
    np.testing.assert_array_equal(c.asnumpy(), arrays(0)[2] - F(0.25))


def test_weight_decay_spares_beta_and_gamma_unless_grouped() -> None:
    def made() -> list[Parameter]:
        return [Parameter(np.ones(2, F), name) for name in ("bn.gamma", "bn.beta", "fc.weight")]

    zero = (Tensor(np.zeros(2, F)),) * 3
    plain, grouped, sgd = made(), made(), made()
    nn.Momentum(plain, 0.5, 0.0, weight_decay=0.5)(zero)
    nn.Momentum([{"params": grouped}], 0.5, 0.0, weight_decay=0.5)(zero)
    nn.SGD(sgd, 0.5, weight_decay=0.5)(zero)
    assert [p.asnumpy()[0] for p in plain] == [1, 1, 0.75]
    assert [p.asnumpy()[0] for p in grouped] == [0.75, 0.75, 0.75]
    assert [p.asnumpy()[0] for p in sgd] == [0.75, 0.75, 0.75]


def test_weight_decay_as_a_cell_of_the_step() -> None:
    class Growing(nn.Cell):
        def construct(self, step: Tensor) -> Tensor:
            return ops.cast(step, graphc.float32) * 0.5

    p = Parameter(np.ones((), F), "w")
    optimizer = nn.Momentum([p], 0.5, 0.0, weight_decay=Growing())
    optimizer((Tensor(0.0),))
    assert p.asnumpy() == 1.0
    optimizer((Tensor(0.0),))
    assert p.asnumpy() == 0.75


def test_loss_scale_divides_gradients_but_not_the_decay() -> None:
    p = Parameter(np.ones((), F), "w")
    nn.Momentum([p], 0.5, 0.0, weight_decay=0.5, loss_scale=4.0)((Tensor(4.0),))
    assert p.asnumpy() == 1.0 - 0.5 * (1.0 + 0.5)


# In and out of graphs


@pytest.mark.parametrize("name", ["sgd nesterov", "momentum", "adam decay", "rmsprop centered"])
def test_inside_a_compiled_step_the_bits_are_the_same(name: str) -> None:
    alone, inside = (RULES[name][0](parameters()) for _ in range(2))
    step = graphc.jit(lambda *grads: inside(grads))
    for i in range(4):
        grads = tuple(Tensor(g) for g in arrays(100 + i))
        alone(grads)
        step(*grads)
    for p, q in zip(alone.get_parameters(), inside.get_parameters(), strict=True):
        np.testing.assert_array_equal(p.asnumpy(), q.asnumpy())


def test_own_optimizer_is_written_like_in_mindspore() -> None:
    class Mine(nn.Optimizer):
        def __init__(self, params: Any, learning_rate: Any, momentum: float = 0.9) -> None:
            super().__init__(learning_rate, params)
            self.momentum = Parameter(Tensor(momentum), name="momentum")
            self.moments = self.parameters.clone(prefix="moments", init="zeros")

        def construct(self, gradients: Any) -> Any:
            lr = self.get_lr()
            params = self.parameters
            for i in range(len(params)):
                ops.assign(self.moments[i], self.moments[i] * self.momentum + gradients[i])
                ops.assign(params[i], params[i] - self.moments[i] * lr)
            return params

    wanted = run_steps(nn.Momentum(parameters(), 0.1, 0.9))
    mine = Mine(parameters(), 0.1)
    for a, b in zip(wanted, run_steps(mine), strict=True):
        np.testing.assert_array_equal(a, b)
    assert mine.global_step.asnumpy() == 4


def test_state_has_names_and_is_not_trainable() -> None:
    optimizer = nn.Adam(parameters())
    names = [p.name for p in optimizer.get_parameters()]
    assert names[:3] == ["p0", "p1", "p2"]
    assert {"learning_rate", "global_step", "beta1_power", "beta2_power", "moment1.p0", "moment2.p2"} <= set(names)
    assert [p.name for p in optimizer.trainable_params()] == ["p0", "p1", "p2"]
    assert repr(optimizer) == "Adam()"


def test_a_cell_that_holds_net_and_optimizer_keeps_the_networks_names() -> None:
    class Both(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Dense(2, 2)
            self.optimizer = nn.Momentum(self.net.trainable_params(), 0.1, 0.9)

    names = [p.name for p in Both().get_parameters()]
    assert names[:2] == ["net.weight", "net.bias"]
    assert "optimizer.moments.net.weight" in names


def test_state_resumes_to_the_bit() -> None:
    whole = nn.Adam(parameters(), 0.01)
    wanted = run_steps(whole, 4)
    first = nn.Adam(parameters(), 0.01)
    run_steps(first, 2)
    saved = {name: p.asnumpy() for name, p in first.parameters_dict().items()}
    second = nn.Adam(parameters(seed=7), 0.5)
    for name, p in second.parameters_dict().items():
        p.set_data(saved[name])
    for step in (2, 3):
        second(tuple(Tensor(g) for g in arrays(100 + step)))
    for p, w in zip(second.parameters, wanted, strict=True):
        np.testing.assert_array_equal(p.asnumpy(), w)


# Errors


def test_bad_gradients_raise_and_change_nothing() -> None:
    optimizer = nn.Adam(parameters())
    good = tuple(Tensor(g) for g in arrays(100))
    before = [p.asnumpy() for p in optimizer.get_parameters()]
    for bad, error, text in (
        (good[:2], ValueError, "Adam: expected 3 gradients, got 2"),
        ((good[0], good[0], good[2]), ValueError, r"p1 is f32\[4\], its gradient is f32\[3,4\]"),
        ((good[0], None, good[2]), TypeError, "the gradient of p1 must be a Tensor, got NoneType"),
        (good[0], TypeError, "gradients must be a tuple or list, got Tensor"),
    ):
        with pytest.raises(error, match=text):
            optimizer(bad)
    for p, value in zip(optimizer.get_parameters(), before, strict=True):
        np.testing.assert_array_equal(p.asnumpy(), value)


def _others() -> dict[str, Callable[[list[Parameter]], nn.Optimizer]]:
    return {
        "Adam": lambda p: nn.Adam(p, 0.1), "SGD": lambda p: nn.SGD(p, 0.1, 0.9), "Lamb": lambda p: nn.Lamb(p, 0.1),
        "Momentum": lambda p: nn.Momentum(p, 0.1, 0.9, weight_decay=0.5), "RMSProp": lambda p: nn.RMSProp(p, 0.1),
    }


@pytest.mark.parametrize("name", _others())
def test_a_parameter_may_be_called_like_what_an_optimizer_has(name: str) -> None:
    called = ("eps", "beta1", "momentum", "weight_decay", "learning_rate", "global_step", "parameters", "training")

    def stepped(names: tuple[str, ...]) -> tuple[nn.Optimizer, list[np.ndarray]]:
        given = [Parameter(Tensor(1.0 + i, graphc.float32), n) for i, n in enumerate(names)]
        optimizer = _others()[name](given)
        assert [float(p) for p in given] == [1.0 + i for i in range(len(names))]
        for _ in range(2):
            optimizer(tuple(Tensor(0.5) for _ in given))
        return optimizer, [p.asnumpy() for p in given]

    (optimizer, got), (_, wanted) = stepped(called), stepped(tuple(f"{n}.w" for n in called))
    assert got == wanted
    assert int(optimizer.global_step) == 2 and float(optimizer.get_lr()) == f32(0.1)
    kept = {id(p) for p in optimizer.get_parameters()}
    assert all(id(p) in kept for p in optimizer.parameters)
    saved = optimizer.state_dict().values()
    assert all(any(p is value for value in saved) for p in optimizer.parameters)


def test_empty_parameters() -> None:
    with pytest.raises(ValueError, match=r"^For 'Optimizer', the argument parameters must not be empty\.$"):
        nn.Adam([], 0.1)


P = Parameter(np.zeros(2, F), "p")


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: nn.SGD([P], -0.1), ValueError, "learning rate"),
        (lambda: nn.SGD([P], [0.1, -0.1]), ValueError, "learning_rate"),
        (lambda: nn.SGD([P], float("nan")), ValueError, "learning rate"),
        (lambda: nn.SGD([P], []), ValueError, "must have 0 or 1 dimensions and not be empty"),
        (lambda: nn.SGD([P], [[0.1]]), ValueError, "must have 0 or 1 dimensions"),
        (lambda: nn.SGD([P], "fast"), TypeError, "LearningRateSchedule, but got str"),
        (lambda: nn.SGD([P], None), TypeError, "LearningRateSchedule, but got NoneType"),
        (lambda: nn.SGD([P, P], 0.1), RuntimeError, "the p parameter already exists"),
        (lambda: nn.SGD(P, 0.1), TypeError, "must be an iterable"),
        (lambda: nn.SGD([Tensor(1.0)], 0.1), TypeError, "all 'Parameter' or all 'dict', but got Tensor"),
        (lambda: nn.SGD([Parameter(np.zeros(2, np.int64), "i")], 0.1), TypeError, "float Parameter"),
        (lambda: nn.SGD([P], 0.1, weight_decay=-1.0), ValueError, "weight_decay"),
        (lambda: nn.SGD([P], 0.1, loss_scale=0.0), ValueError, "loss_scale"),
        (lambda: nn.SGD([P], 0.1, momentum=-1.0), ValueError, "momentum"),
        (lambda: nn.SGD([P], 0.1, nesterov=True), ValueError, "if 'nesterov' is true"),
        (lambda: nn.SGD([P], 0.1, 0.9, 0.1, nesterov=True), ValueError, "if 'nesterov' is true"),
        (lambda: nn.Adam([P], beta1=1.0), ValueError, r"'beta1' must be in range of \(0.0, 1.0\)"),
        (lambda: nn.Adam([P], eps=0.0), ValueError, "eps"),
        (lambda: nn.Adam([P], use_offload=True), ValueError, "use_offload"),
        (lambda: nn.Adam([P], lr=0.1), TypeError, "lr"),
        (lambda: nn.Rprop([P], etas=(0.5, 0.9)), ValueError, "etaplus"),
        (lambda: nn.Rprop([P], step_sizes=(2.0, 1.0)), ValueError, "max_step_sizes"),
        (lambda: nn.SGD([{"params": []}], 0.1), ValueError, "must not be empty"),
        (lambda: nn.SGD([{"lr": 0.1}], 0.1), KeyError, "must have 'params'"),
        (lambda: nn.SGD([{"params": [P], "rate": 0.1}], 0.1), KeyError, "rate"),
        (lambda: nn.SGD([{"params": [P]}, {"order_params": []}], 0.1), ValueError, "order_params"),
        (lambda: nn.SGD([{"params": [P]}, {"order_params": [P], "lr": 1.0}], 0.1), ValueError, "alone"),
    ],
)  # fmt: skip
def test_bad_arguments(make: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


# The optimizers of graphc.experimental


def experimental_adam(lr: float, decoupled: float = 0.0, decay: float = 0.0, amsgrad: bool = False,
                      betas: tuple[float, float] = (0.9, 0.999)) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        w, m = w.astype(np.float64), np.zeros(w.shape)
        v, top, t = m, m, 0
        while True:
            g, t = (yield w), t + 1
            g = g + decay * w
            m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
            top = np.maximum(top, v)
            root = np.sqrt((top if amsgrad else v) / (1 - betas[1] ** t)) + 1e-8
            w = w * (1 - lr * decoupled) - lr * m / (1 - betas[0] ** t) / root

    return rule


def experimental_rms(lr: float, alpha: float, momentum: float, centered: bool) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        w, s = w.astype(np.float64), np.zeros(w.shape)
        a, u = s, s
        while True:
            g = yield w
            s, a = alpha * s + (1 - alpha) * g * g, alpha * a + (1 - alpha) * g
            u = momentum * u + g / (np.sqrt(s - a * a if centered else s) + 1e-8)
            w = w - lr * u

    return rule


def experimental_adagrad(lr: float, lr_decay: float, start: float) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        w, s, t = w.astype(np.float64), np.full(w.shape, start), 0
        while True:
            g = yield w
            s = s + g * g
            w, t = w - lr / (1 + t * lr_decay) * g / (np.sqrt(s) + 1e-10), t + 1

    return rule


def experimental_adadelta(lr: float, rho: float, eps: float, decay: float) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        w, s, d = w.astype(np.float64), np.zeros(w.shape), np.zeros(w.shape)
        while True:
            g = yield w
            g = g + decay * w
            s = rho * s + (1 - rho) * g * g
            u = np.sqrt((d + eps) / (s + eps)) * g
            w, d = w - lr * u, rho * d + (1 - rho) * u * u

    return rule


def experimental_adamax(lr: float, betas: tuple[float, float], decay: float) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        w, m, u, t = w.astype(np.float64), np.zeros(w.shape), np.zeros(w.shape), 0
        while True:
            g, t = (yield w), t + 1
            g = g + decay * w
            m, u = betas[0] * m + (1 - betas[0]) * g, np.maximum(betas[1] * u, abs(g) + 1e-8)
            w = w - lr / (1 - betas[0] ** t) * m / u

    return rule


def experimental_nadam(lr: float, betas: tuple[float, float], decay: float, momentum_decay: float) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        w, m, v, t, product = w.astype(np.float64), np.zeros(w.shape), np.zeros(w.shape), 0, 1.0
        while True:
            g, t = (yield w), t + 1
            g = g + decay * w
            m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
            mu, after = (betas[0] * (1 - 0.5 * 0.96 ** (k * momentum_decay)) for k in (t, t + 1))
            product *= mu
            root = np.sqrt(v / (1 - betas[1] ** t)) + 1e-8
            w = w - lr * (1 - mu) / (1 - product) * g / root - lr * after / (1 - product * after) * m / root

    return rule


def experimental_radam(lr: float, betas: tuple[float, float], decay: float) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        w, m, v, t = w.astype(np.float64), np.zeros(w.shape), np.zeros(w.shape), 0
        limit = 2 / (1 - betas[1]) - 1
        while True:
            g, t = (yield w), t + 1
            g = g + decay * w
            m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
            second = 1 - betas[1] ** t
            rho = limit - 2 * t * betas[1] ** t / second
            step = m / (1 - betas[0] ** t)
            if rho > 5:
                share = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
                step = step * np.sqrt(share * second) / (np.sqrt(v) + 1e-8)
            w = w - lr * step

    return rule


def experimental_rprop(lr: float, etas: tuple[float, float], sizes: tuple[float, float]) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        w, before, size = w.astype(np.float64), np.zeros(w.shape), np.full(w.shape, lr)
        while True:
            g = yield w
            turn = np.sign(g * before)
            size = np.clip(size * np.where(turn > 0, etas[1], np.where(turn < 0, etas[0], 1)), *sizes)
            before = np.where(turn < 0, 0, g)
            w = w - np.sign(before) * size

    return rule


def experimental_asgd(lr: float, lambd: float, alpha: float, decay: float) -> Rule:
    def rule(w: np.ndarray) -> Iterator[Any]:
        w, t = w.astype(np.float64), 0
        while True:
            g = yield w
            eta = lr / (1 + lambd * lr * t) ** alpha
            w, t = w * (1 - lambd * eta) - eta * (g + decay * w), t + 1

    return rule


EXPERIMENTAL: dict[str, tuple[Callable[[Any], nn.Optimizer], Rule]] = {
    "sgd": (lambda p: optim.SGD(p, 0.1), sgd(0.1)),
    "sgd dampening": (lambda p: optim.SGD(p, 0.1, 0.9, 0.3, 0.02), sgd(0.1, 0.9, 0.3, 0.02)),
    "sgd nesterov": (lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True), sgd(0.1, 0.9, nesterov=True)),
    "adam": (lambda p: optim.Adam(p, 0.01, weight_decay=0.1), experimental_adam(0.01, decay=0.1)),
    "adam amsgrad": (lambda p: optim.Adam(p, 0.01, (0.9, 0.5), amsgrad=True),
                     experimental_adam(0.01, amsgrad=True, betas=(0.9, 0.5))),
    "adamw": (lambda p: optim.AdamW(p, 0.01, weight_decay=0.1), experimental_adam(0.01, 0.1)),
    "rmsprop": (lambda p: optim.RMSprop(p, 0.01, 0.9, momentum=0.5), experimental_rms(0.01, 0.9, 0.5, False)),
    "rmsprop centered": (lambda p: optim.RMSprop(p, 0.01, centered=True), experimental_rms(0.01, 0.99, 0.0, True)),
    "adagrad": (lambda p: optim.Adagrad(p, 0.1, 0.01, 0.0, 0.2), experimental_adagrad(0.1, 0.01, 0.2)),
    "adadelta": (lambda p: optim.Adadelta(p, 0.5, 0.8, 1e-3, 0.1), experimental_adadelta(0.5, 0.8, 1e-3, 0.1)),
    "adamax": (lambda p: optim.Adamax(p, 0.01, (0.8, 0.9), weight_decay=0.1),
               experimental_adamax(0.01, (0.8, 0.9), 0.1)),
    "nadam": (lambda p: optim.NAdam(p, 0.01, weight_decay=0.1, momentum_decay=0.2),
              experimental_nadam(0.01, (0.9, 0.999), 0.1, 0.2)),
    "radam": (lambda p: optim.RAdam(p, 0.01), experimental_radam(0.01, (0.9, 0.999), 0.0)),
    "radam rectified": (lambda p: optim.RAdam(p, 0.01, (0.9, 0.9), weight_decay=0.1),
                        experimental_radam(0.01, (0.9, 0.9), 0.1)),
    "rprop": (lambda p: optim.Rprop(p, 0.1, (0.4, 1.5), (0.05, 0.13)),
              experimental_rprop(0.1, (0.4, 1.5), (0.05, 0.13))),
    "asgd": (lambda p: optim.ASGD(p, 0.1, 0.1, 0.6, weight_decay=0.1), experimental_asgd(0.1, 0.1, 0.6, 0.1)),
}  # fmt: skip


def test_experimental_asgd_averages_after_t0() -> None:
    ps = parameters()
    optimizer = optim.ASGD(ps, 0.1, t0=1.0)
    seen = []
    for step in range(5):
        optimizer(tuple(map(Tensor, arrays(100 + step))))
        seen.append(ps[0].asnumpy().copy())
    average = seen[2]
    for step in (3, 4):
        average = average + (seen[step] - average) / max(1, step - 1)
    np.testing.assert_allclose(optimizer.ax[0].asnumpy(), average, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text, make", [
    ("rho", lambda p: optim.Adadelta(p, rho=1.5)), ("betas", lambda p: optim.NAdam(p, betas=(0.9, 1.0))),
    ("eps", lambda p: optim.RAdam(p, eps=0.0)), ("etas", lambda p: optim.Rprop(p, etas=(0.5, 0.9))),
    ("weight_decay", lambda p: optim.Adamax(p, weight_decay=-1.0)),
])  # fmt: skip
def test_experimental_options_are_checked(text: str, make: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match=text):
        make(parameters())


@pytest.mark.parametrize("name", EXPERIMENTAL)
def test_experimental_rules(name: str) -> None:
    make, rule = EXPERIMENTAL[name]
    for found, wanted in zip(run_steps(make(parameters())), by_rule(rule), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_experimental_groups_and_their_options() -> None:
    a, b, c = parameters()
    optimizer = optim.SGD([{"params": [a], "lr": 0.5}, {"params": [b, c], "weight_decay": 0.25}], lr=0.125)
    ones = tuple(Tensor(np.ones(p.shape, F)) for p in (a, b, c))
    optimizer(ones)
    wa, wb, _ = arrays(0)
    np.testing.assert_array_equal(a.asnumpy(), wa - F(0.5))
    np.testing.assert_array_equal(b.asnumpy(), wb - (1 + wb * F(0.25)) * F(0.125))
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.param_groups[1]["weight_decay"] = 0.0
    wa, wb = a.asnumpy(), b.asnumpy()
    optimizer(ones)
    np.testing.assert_array_equal(a.asnumpy(), wa - F(1))
    np.testing.assert_array_equal(b.asnumpy(), wb - F(0.125))
    with pytest.raises(KeyError, match="unknown option 'beta'"):
        optimizer.param_groups[0]["beta"] = 1
    with pytest.raises(KeyError, match="unknown options of a group"):
        optim.Adam([{"params": [a], "momentum": 0.9}])


@pytest.mark.parametrize("name", ["Adam", "SGD", "NAdam", "Rprop", "ASGD"])
def test_a_group_that_comes_later_is_as_one_of_the_first(name: str) -> None:
    """From its first step on, for the rules that count no steps, and to the bit in both modes."""
    found = []
    for mode in (graphc.PYNATIVE_MODE, graphc.GRAPH_MODE):
        graphc.set_context(mode=mode)
        a, b, c = parameters()
        optimizer = getattr(optim, name)([a], lr=0.125)
        ones = tuple(Tensor(np.ones(p.shape, F)) for p in (a, b, c))
        optimizer(ones[:1])
        optimizer.add_param_group({"params": b})
        optimizer.add_param_group({"params": [c], "lr": 0.5})
        assert optimizer.group_start_id == [0, 1, 2]
        assert [p.name for p in optimizer.parameters] == [a.name, b.name, c.name]
        optimizer(ones)
        optimizer(ones)
        found.append([p.asnumpy() for p in (a, b, c)])
    for eager, graph, before in zip(*found, arrays(0), strict=True):
        np.testing.assert_array_equal(eager, graph)
        assert not np.array_equal(eager, before)
    if name == "SGD":
        np.testing.assert_array_equal(found[0][2], arrays(0)[2] - F(0.5) - F(0.5))
    for group, error in (
        ({"params": [b]}, ValueError), ([c], TypeError), ({"lr": 1.0}, KeyError), ({"params": [1]}, TypeError),
        ({"params": [Parameter(np.ones(1, F))], "beta": 1}, KeyError),
        ({"params": [Parameter(np.ones(1, F))], "lr": -1.0}, ValueError),
    ):  # fmt: skip
        with pytest.raises(error):
            optimizer.add_param_group(group)
        assert len(optimizer.parameters) == 3
    up = Parameter(np.zeros((), F), "up")
    optim.SGD([up], 0.5, maximize=True)((Tensor(1.0),))
    assert up.asnumpy() == 0.5


def rates_of(make: Callable[[Any], Any], steps: int = 8) -> list[float]:
    optimizer = optim.SGD(one(), 0.5)
    scheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("make", "formula"),
    [
        (lambda o: lr_scheduler.StepLR(o, 3, 0.5), lambda t: 0.5 * 0.5 ** (t // 3)),
        (lambda o: lr_scheduler.MultiStepLR(o, [2, 5], 0.5), lambda t: 0.5 * 0.5 ** ((t >= 2) + (t >= 5))),
        (lambda o: lr_scheduler.ExponentialLR(o, 0.9), lambda t: 0.5 * 0.9**t),
        (lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 0.5 / (1 + t)),
        (lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 4), lambda t: 0.5 * (0.25 + 0.75 * min(t, 4) / 4)),
        (lambda o: lr_scheduler.PolynomialLR(o, 6, 2.0), lambda t: 0.5 * (1 - min(t, 6) / 6) ** 2),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 5, 0.1), lambda t: 0.1 + 0.2 * (1 + np.cos(np.pi * t / 5))),
        (lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.LinearLR(o, 0.5, 1.0, 4),
                                                 lr_scheduler.ExponentialLR(o, 0.5)], [4]),
         lambda t: 0.5 * (0.5 + 0.5 * t / 4) if t < 4 else 0.5 * 0.5 ** (t - 4)),
        (lambda o: lr_scheduler.ConstantLR(o, 0.5, 4), lambda t: 0.25 if t < 4 else 0.5),
        (lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 1 / t), lambda t: 0.5 / math.factorial(t)),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2, 0.1),
         lambda t: 0.1 + 0.2 * (1 + np.cos(np.pi * (t / 2 if t < 2 else (t - 2) / 4 if t < 6 else (t - 6) / 8)))),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.5, 2, 1, "triangular2"),
         [0.1, 0.3, 0.5, 0.1, 0.2, 0.3, 0.1, 0.15].__getitem__),
        (lambda o: lr_scheduler.CyclicLR(o, [0.1], [0.5], 2, mode="exp_range", gamma=0.5),
         [0.1, 0.2, 0.2, 0.125, 0.1, 0.1 + 0.2 / 32, 0.1 + 0.4 / 64, 0.1 + 0.2 / 128].__getitem__),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.5, 1, scale_fn=lambda t: t, scale_mode="iterations"),
         [0.1, 0.5, 0.1, 1.3, 0.1, 2.1, 0.1, 2.9].__getitem__),
    ],
)  # fmt: skip
def test_lr_schedulers(make: Callable[[Any], Any], formula: Callable[[int], float]) -> None:
    np.testing.assert_allclose(rates_of(make), [formula(t) for t in range(8)], rtol=1e-6)


def test_a_program_writes_an_optimizer_and_a_scheduler_of_its_own() -> None:
    class Uphill(optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        def construct(self, gradients: Any) -> None:
            for start, group in zip(self.group_start_id, self.param_groups, strict=True):
                for i, parameter in enumerate(group["params"]):
                    ops.assign(parameter, parameter + gradients[start + i] * group["lr"])

    class Halved(lr_scheduler.LRScheduler):
        def get_lr(self) -> list[float]:
            return [lr / 2 for lr in self._last_lr]

    a, b, c = (Parameter(np.zeros(2, np.float32), name) for name in "abc")
    optimizer = Uphill([{"params": [a, b]}, {"params": [c], "lr": 2.0}], 1.0)
    scheduler = Halved(optimizer)
    scheduler.step()
    assert scheduler.get_last_lr() == [0.25, 0.5]
    optimizer(tuple(Tensor([g, g]) for g in (4.0, 8.0, 16.0)))
    assert [p.asnumpy().tolist() for p in (a, b, c)] == [[1, 1], [2, 2], [8, 8]]


def test_a_scheduler_drives_the_compiled_step() -> None:
    optimizer = optim.SGD(one(), 0.5)
    scheduler = lr_scheduler.StepLR(optimizer, 1, 0.5)
    distances = []
    for _ in range(3):
        distances.append(moved(optimizer))
        scheduler.step()
    assert distances == [0.5, 0.25, 0.125]
    with pytest.raises(TypeError, match="param_groups"):
        lr_scheduler.StepLR(nn.SGD(one(), 0.5), 1)


def test_reduce_on_plateau() -> None:
    optimizer = optim.SGD(one(), 0.5)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=1, min_lr=0.1)
    found = []
    for measure in (1.0, 0.9, 0.95, 0.94, 0.93, 0.92, 0.91, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6):
        scheduler.step(Tensor(measure))
        found += scheduler.get_last_lr()
    np.testing.assert_allclose(found, [0.5] * 3 + [0.25] * 3 + [0.125] * 3 + [0.1] * 4)


# Schedules


STEPS = 12
SCHEDULES: dict[str, tuple[Callable[[], nn.Cell], Callable[[int], float]]] = {
    "exponential": (lambda: nn.ExponentialDecayLR(0.1, 0.9, 4), lambda t: 0.1 * 0.9 ** (t / 4)),
    "exponential stair": (lambda: nn.ExponentialDecayLR(0.1, 0.9, 4, True), lambda t: 0.1 * 0.9 ** (t // 4)),
    "natural": (lambda: nn.NaturalExpDecayLR(0.1, 0.9, 4), lambda t: 0.1 * np.exp(-0.9 * t)),
    "natural stair": (lambda: nn.NaturalExpDecayLR(0.1, 0.9, 4, True), lambda t: 0.1 * np.exp(-0.9 * (t // 4 * 4))),
    "inverse": (lambda: nn.InverseDecayLR(0.1, 0.5, 4), lambda t: 0.1 / (1 + 0.5 * t / 4)),
    "inverse stair": (lambda: nn.InverseDecayLR(0.1, 0.5, 4, True), lambda t: 0.1 / (1 + 0.5 * (t // 4))),
    "cosine": (lambda: nn.CosineDecayLR(0.01, 0.1, 4),
               lambda t: 0.01 + 0.045 * (1 + np.cos(np.pi * min(t, 4) / 4))),
    "polynomial": (lambda: nn.PolynomialDecayLR(0.1, 0.01, 4, 0.5),
                   lambda t: 0.09 * (1 - min(t, 4) / 4) ** 0.5 + 0.01),
    "polynomial update": (lambda: nn.PolynomialDecayLR(0.1, 0.01, 4, 2.0, True),
                          lambda t: 0.09 * (1 - t / (4 * max(np.ceil(t / 4), 1))) ** 2 + 0.01),
    "warm up": (lambda: nn.WarmUpLR(0.1, 5), lambda t: 0.1 * min(t, 5) / 5),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_cells(name: str) -> None:
    make, formula = SCHEDULES[name]
    schedule = make()
    found = [schedule(Tensor(t, graphc.int32)) for t in range(STEPS)]
    assert all(rate.shape == () and rate.dtype is graphc.float32 for rate in found)
    np.testing.assert_allclose([float(rate) for rate in found], [formula(t) for t in range(STEPS)], rtol=1e-5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_lists_are_the_cells_by_epoch(name: str) -> None:
    kind, _, variant = name.partition(" ")
    flag = bool(variant) and name != "warm up"
    lists: dict[str, Callable[[], list[float]]] = {
        "exponential": lambda: nn.exponential_decay_lr(0.1, 0.9, STEPS * 2, 2, 4, flag),
        "natural": lambda: nn.natural_exp_decay_lr(0.1, 0.9, STEPS * 2, 2, 4, flag),
        "inverse": lambda: nn.inverse_decay_lr(0.1, 0.5, STEPS * 2, 2, 4, flag),
        "cosine": lambda: nn.cosine_decay_lr(0.01, 0.1, STEPS * 2, 2, 4),
        "polynomial": lambda: nn.polynomial_decay_lr(0.1, 0.01, STEPS * 2, 2, 4, 2.0 if flag else 0.5, flag),
        "warm": lambda: nn.warmup_lr(0.1, STEPS * 2, 2, 5),
    }
    formula = SCHEDULES[name][1]
    np.testing.assert_allclose(lists[kind](), [formula(step // 2) for step in range(STEPS * 2)], rtol=1e-12)


def test_piecewise_constant_lr() -> None:
    assert nn.piecewise_constant_lr([2, 5, 10], [0.1, 0.05, 0.01]) == [0.1] * 2 + [0.05] * 3 + [0.01] * 5


def test_warmup_of_no_epochs_is_constant() -> None:
    assert nn.warmup_lr(0.1, 3, 1, 0) == [0.1] * 3


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: nn.piecewise_constant_lr([2, 1], [0.1, 0.2]), ValueError),
        (lambda: nn.piecewise_constant_lr([2], [0.1, 0.2]), ValueError),
        (lambda: nn.piecewise_constant_lr(2, [0.1]), TypeError),
        (lambda: nn.cosine_decay_lr(0.1, 0.01, 3, 1, 1), ValueError),
        (lambda: nn.exponential_decay_lr(0.1, 0.9, 0, 1, 1), ValueError),
        (lambda: nn.CosineDecayLR(0.1, 0.1, 3), ValueError),
        (lambda: nn.WarmUpLR(0.1, 0), ValueError),
        (lambda: nn.WarmUpLR(0.1, 1.5), TypeError),
        (lambda: nn.PolynomialDecayLR(0.1, 0.01, 4, 0.0), ValueError),
        (lambda: nn.ExponentialDecayLR(0.1, 0.9, 4, 1), TypeError),
    ],
)
def test_bad_schedules(make: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


@pytest.mark.parametrize("mode", [graphc.PYNATIVE_MODE, graphc.GRAPH_MODE])
def test_an_optimizer_written_as_mindspores_own(mode: int) -> None:
    """By what MindSpore's optimizers are written with; `global_step` moves once in a step, though it adds to it too."""
    update = ops.MultitypeFuncGraph("update")

    @update.register("Tensor", "Tensor", "Tensor", "Tensor", "Tensor")
    def _update(rate: Tensor, share: Tensor, gradient: Tensor, weight: Parameter, moment: Parameter) -> Tensor:
        now = ops.assign(moment, moment * share + gradient)
        return ops.depend(True, ops.assign_sub(weight, now * rate))

    class Heavy(nn.Optimizer):
        def __init__(self, params: Any, rate: Any) -> None:
            super().__init__(rate, params, weight_decay=0.1, loss_scale=2.0)
            self.moments = self.parameters.clone("moments", "zeros")
            self.share = Parameter(Tensor(0.5), name="share", requires_grad=False)

        def construct(self, gradients: Any) -> Any:
            gradients = self.scale_grad(self.decay_weight(gradients))
            rate = self.get_lr()
            self.assignadd(self.global_step, self.global_step_increase_tensor)
            return self.hyper_map(ops.partial(update, rate, self.share), gradients, self.parameters, self.moments)

    graphc.set_context(mode=mode)
    net = nn.Dense(2, 1, weight_init="ones", has_bias=False)
    optimizer = Heavy(net.trainable_params(), nn.ExponentialDecayLR(0.5, 0.5, 1))
    assert optimizer.param_length == 1 and optimizer.reciprocal_scale == 0.5
    weight, moment = np.ones((1, 2)), np.zeros((1, 2))
    for step in range(3):
        optimizer((Tensor(np.array([[2.0, 4.0]], np.float32)),))
        moment = moment * 0.5 + np.array([[1.0, 2.0]]) + 0.1 * weight
        weight = weight - 0.5 * 0.5**step * moment
    np.testing.assert_allclose(net.weight.asnumpy(), weight, rtol=1e-6)
    assert optimizer.global_step.asnumpy() == 3
