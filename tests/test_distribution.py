"""Distributions: densities that sum to 1 and agree with moments, entropies and random numbers, in both modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import mode

import graphc as ms
from graphc import Tensor, nn
from graphc.nn.probability import distribution as msd

LINE = np.linspace(-20, 40, 600_001)
CLASSES = np.array([0.2, 0.5, 0.3], "f")

CONTINUOUS: list[tuple[msd.Distribution, tuple[float, ...]]] = [
    (msd.Normal(1.0, 2.0), (0.5, 1.5)), (msd.Uniform(-1.0, 1.5), (-2.0, 2.0)), (msd.Exponential(0.7), (1.1,)),
]  # fmt: skip
DISCRETE: list[tuple[msd.Distribution, int, tuple[Any, ...]]] = [
    (msd.Bernoulli(0.3), 2, (0.6,)), (msd.Categorical(CLASSES), 3, ([0.3, 0.3, 0.4],)),
]  # fmt: skip


def near(found: Tensor, wanted: Any) -> None:
    np.testing.assert_allclose(found.asnumpy(), wanted, rtol=2e-3, atol=2e-4)


def total(values: Any, step: float) -> float:
    return float(np.asarray(values, np.float64).sum() * step)


@np.errstate(all="ignore")
def check(d: msd.Distribution, at: np.ndarray, step: float, other: tuple[Any, ...]) -> None:
    points = Tensor(at.astype("f"))
    p, log_p = d.prob(points).asnumpy(), d.log_prob(points).asnumpy()
    there = p > 0
    assert abs(total(p, step) - 1) < 2e-3
    near(d.mean(), total(p * at, step))
    near(d.var(), total(p * at**2, step) - total(p * at, step) ** 2)
    near(d.sd(), np.sqrt(d.var().asnumpy()))
    near(d.entropy(), -total((p * log_p)[there], step))
    kind = type(d).__name__
    log_q = type(d)(*other).log_prob(points).asnumpy()
    near(d.kl_loss(kind, *other), total((p * (log_p - log_q))[there], step))
    near(d.cross_entropy(kind, *other), -total((p * log_q)[there], step))
    near(d.cdf(points), np.cumsum(p * step))
    middle = Tensor(at[len(at) // 3 : len(at) // 3 + 2].astype("f"))
    near(d.log_cdf(middle), np.log(d.cdf(middle).asnumpy()))
    near(d.survival_function(middle), 1 - d.cdf(middle).asnumpy())
    near(d.log_survival(middle), np.log1p(-d.cdf(middle).asnumpy()))


@pytest.mark.parametrize("d, other", CONTINUOUS, ids=lambda v: getattr(v, "name", ""))
def test_continuous(d: msd.Distribution, other: tuple[float, ...]) -> None:
    check(d, LINE, LINE[1] - LINE[0], other)


@pytest.mark.parametrize("d, count, other", DISCRETE, ids=lambda v: getattr(v, "name", ""))
def test_discrete(d: msd.Distribution, count: int, other: tuple[Any, ...]) -> None:
    check(d, np.arange(count), 1.0, other)


def test_modes_of_distributions() -> None:
    found = [msd.Normal(1.0, 2.0).mode(), msd.Exponential(2.0).mode(), msd.Bernoulli(0.7).mode()]
    assert [v.item() for v in (*found, msd.Categorical(CLASSES).mode())] == [1, 0, 1, 1]


@pytest.mark.parametrize("d", [*(row[0] for row in CONTINUOUS), *(row[0] for row in DISCRETE)], ids=lambda d: d.name)
def test_random_numbers(d: msd.Distribution) -> None:
    ms.set_seed(6)
    drawn = d.sample((20_000,))
    assert drawn.shape == (20_000,) and drawn.dtype is d.dtype and d.sample().shape == ()
    np.testing.assert_allclose(drawn.asnumpy().mean(), d.mean().asnumpy(), atol=0.05)
    np.testing.assert_allclose(drawn.asnumpy().std(), d.sd().asnumpy(), atol=0.05)
    half = float(np.median(drawn.asnumpy()))
    assert abs(float(d.cdf(Tensor(half))) - (drawn.asnumpy() <= half).mean()) < 0.02


def test_parameters_with_the_call_in_both_modes() -> None:
    class Policy(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.normal = msd.Normal(dtype=ms.float32)

        def construct(self, mean: Tensor, sd: Tensor, value: Tensor) -> Tensor:
            return self.normal.log_prob(value, mean, sd).sum() + self.normal("entropy", mean, sd).sum()

    inputs = [Tensor(np.array(v, "f")) for v in ([0.5, -1.0], [1.0, 2.0], [0.3, 0.1])]
    grads = []
    for value in (ms.PYNATIVE_MODE, ms.GRAPH_MODE):
        with mode(value):
            grads.append([g.asnumpy() for g in ms.grad(Policy(), (0, 1))(*inputs)])
    for a, b in zip(*grads, strict=True):
        np.testing.assert_array_equal(a, b)
    mean, sd, at = (v.asnumpy() for v in inputs)
    np.testing.assert_allclose(grads[0][0], (at - mean) / sd**2, rtol=1e-5)
    drawn = []
    for _ in range(2):
        ms.set_seed(9)
        drawn.append(msd.Normal(seed=4).sample((3,), inputs[0], inputs[1]).asnumpy())
    assert drawn[0].shape == (3, 2)
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: msd.Normal(0.0, -1.0), ValueError, "Normal: sd must be greater"),
        (lambda: msd.Uniform(1.0, 0.0), ValueError, "high - low"),
        (lambda: msd.Bernoulli(1.0), ValueError, "1 - probs"),
        (lambda: msd.Categorical([0.5, 0.6]), ValueError, "sum to 1"),
        (lambda: msd.Normal().mean(), ValueError, "mean was neither given"),
        (lambda: msd.Normal().mean(0.0, 1.0, 2.0), TypeError, "at most mean, sd"),
        (lambda: msd.Normal(0.0, 1.0).kl_loss("Uniform", 0.0, 1.0), ValueError, "dist must be 'Normal'"),
        (lambda: msd.Normal(0.0, 1.0).kl_loss("Normal", 0.0), TypeError, "of the other distribution"),
        (lambda: msd.Uniform(0.0, 1.0).mode(), TypeError, "mode is not defined"),
        (lambda: msd.Normal(0.0, 1.0)("density", 1.0), ValueError, "there is no 'density'"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
