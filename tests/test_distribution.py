"""Distributions: densities that sum to 1 and agree with moments, entropies and random numbers, in both modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import mode

import graphc as ms
from graphc import Tensor, nn
from graphc.nn.probability import bijector
from graphc.nn.probability import distribution as msd

LINE = np.linspace(-20, 40, 600_001)
CLASSES = np.array([0.2, 0.5, 0.3], "f")

CONTINUOUS: list[tuple[msd.Distribution, tuple[float, ...]]] = [
    (msd.Normal(1.0, 2.0), (0.5, 1.5)), (msd.Uniform(-1.0, 1.5), (-2.0, 2.0)), (msd.Exponential(0.7), (1.1,)),
    (msd.Laplace(1.0, 1.5), (0.0, 2.0)), (msd.Gumbel(1.0, 1.5), (0.0, 2.0)), (msd.LogNormal(0.4, 0.5), (0.1, 0.7)),
    (msd.Gamma(3.0, 2.0), (2.0, 1.5)), (msd.Beta(2.0, 3.0), (1.5, 2.0)), (msd.Logistic(1.0, 1.2), ()),
    (msd.HalfNormal(0.5, 2.0), ()), (msd.StudentT(30.0, 1.0, 2.0), ()),
    (msd.TransformedDistribution(bijector.ScalarAffine(2.0, 1.0), msd.Normal(0.5, 1.5)), ()),
]  # fmt: skip
DISCRETE: list[tuple[msd.Distribution, int, tuple[Any, ...]]] = [
    (msd.Bernoulli(0.3), 2, (0.6,)), (msd.Categorical(CLASSES), 3, ([0.3, 0.3, 0.4],)),
    (msd.Geometric(0.3), 200, (0.5,)), (msd.Poisson(2.5), 60, (1.5,)),
]  # fmt: skip


NO_CDF = ("Beta", "StudentT")


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
    kind = type(d).__name__
    if kind not in ("Poisson", "StudentT", "TransformedDistribution"):
        near(d.entropy(), -total((p * log_p)[there], step))
    if other:
        log_q = type(d)(*other).log_prob(points).asnumpy()
        near(d.kl_loss(kind, *other), total((p * (log_p - log_q))[there], step))
        if kind != "Poisson":
            near(d.cross_entropy(kind, *other), -total((p * log_q)[there], step))
    if kind in NO_CDF:
        return
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
    drawn = d.sample((12_000,))
    assert drawn.shape == (12_000,) and drawn.dtype is d.dtype and d.sample().shape == ()
    np.testing.assert_allclose(drawn.asnumpy().mean(), d.mean().asnumpy(), atol=0.07)
    np.testing.assert_allclose(drawn.asnumpy().std(), d.sd().asnumpy(), atol=0.07)
    half = float(np.median(drawn.asnumpy()))
    assert type(d).__name__ in NO_CDF or abs(float(d.cdf(Tensor(half))) - (drawn.asnumpy() <= half).mean()) < 0.02


@pytest.mark.parametrize("rate", [0.2, 3.0, 9.9, 10.1, 47.0, 3000.0])
def test_random_poisson_has_poissons_probabilities(rate: float) -> None:
    ms.set_seed(2)
    drawn = ms.ops.random_poisson((12_000,), Tensor(np.float32(rate))).asnumpy()
    assert (drawn == np.floor(drawn)).all() and (drawn >= 0).all()
    np.testing.assert_allclose(drawn.mean(), rate, atol=4 * np.sqrt(rate / 12_000))
    np.testing.assert_allclose(drawn.var(), rate, rtol=0.05)
    d = msd.Poisson(rate)
    for number in {int(rate), int(rate + np.sqrt(rate)), max(int(rate - np.sqrt(rate)), 0)}:
        p = float(d.prob(Tensor(float(number))))
        assert abs((drawn == number).mean() - p) < 5 * np.sqrt(p / 12_000) + 1e-4


def test_cauchy_has_no_moments() -> None:
    d, points = msd.Cauchy(1.0, 2.0), np.array([-3.0, 0.5, 4.0])
    assert np.isnan(d.mean().asnumpy()) and np.isnan(d.var().asnumpy()) and d.mode().item() == 1
    near(d.prob(Tensor(points.astype("f"))), 1 / (2 * np.pi * (1 + ((points - 1) / 2) ** 2)))
    near(d.cdf(Tensor(points.astype("f"))), np.arctan((points - 1) / 2) / np.pi + 0.5)
    near(d.entropy(), np.log(8 * np.pi))
    near(d.kl_loss("Cauchy", 0.0, 3.0), np.log((25 + 1) / 24))
    drawn = d.sample((12_000,)).asnumpy()
    np.testing.assert_allclose(np.percentile(drawn, [25, 50, 75]), [-1, 1, 3], atol=0.12)


def test_moments_of_students_that_are_not_there() -> None:
    found = msd.StudentT([0.5, 1.5, 3.0], 0.0, 1.0)
    np.testing.assert_array_equal(found.mean().asnumpy(), [np.nan, 0, 0])
    np.testing.assert_array_equal(found.var().asnumpy(), [np.nan, np.inf, 3])
    assert np.isnan(msd.Gamma(0.5, 1.0).mode().asnumpy()) and msd.Gamma(3.0, 2.0).mode().item() == 1
    assert np.isnan(msd.Beta(0.5, 2.0).mode().asnumpy())
    np.testing.assert_allclose(msd.Beta(2.0, 3.0).mode().asnumpy(), 1 / 3, rtol=1e-6)


BIJECTORS = [
    bijector.Exp(), bijector.PowerTransform(2.0), bijector.ScalarAffine(-2.0, 1.0), bijector.Softplus(2.0),
    bijector.GumbelCDF(1.0, 2.0), bijector.Invert(bijector.Exp()), bijector.Invert(bijector.Softplus(0.5)),
]  # fmt: skip


@pytest.mark.parametrize("b", BIJECTORS, ids=lambda b: b.name)
def test_bijectors_have_inverses_and_slopes(b: bijector.Bijector) -> None:
    x = Tensor(np.array([0.3, 0.9, 2.5]))
    y = b.forward(x)
    np.testing.assert_allclose(b.inverse(y).asnumpy(), x.asnumpy(), rtol=1e-9)
    slope = ms.grad(lambda v: b.forward(v).sum())(x).asnumpy()
    found, back = b.forward_log_jacobian(x).asnumpy(), b("inverse_log_jacobian", y).asnumpy()
    rtol = 1e-6 if b.is_constant_jacobian else 1e-8  # parameters are float32
    np.testing.assert_allclose(np.broadcast_to(found, 3), np.log(abs(slope)), rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(np.broadcast_to(back, 3), -np.log(abs(slope)), rtol=rtol, atol=1e-9)


def test_a_transformed_normal_is_a_log_normal() -> None:
    d = msd.TransformedDistribution(bijector.Exp(), msd.Normal(dtype=ms.float32))
    same, at = msd.LogNormal(0.4, 0.5), Tensor(np.array([0.5, 2.0], "f"))
    near(d.log_prob(at, 0.4, 0.5), same.log_prob(at).asnumpy())
    near(d.cdf(at, 0.4, 0.5), same.cdf(at).asnumpy())
    assert (d.sample((5,), 0.4, 0.5).asnumpy() > 0).all()


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
        (lambda: msd.Gamma(-1.0, 1.0), ValueError, "concentration must be greater"),
        (lambda: msd.Beta(1.0, 0.0), ValueError, "concentration0 must be greater"),
        (lambda: msd.Geometric(1.0), ValueError, "1 - probs"),
        (lambda: msd.StudentT(0.0, 0.0, 1.0), ValueError, "df must be greater"),
        (lambda: msd.Beta(1.0, 1.0).cdf(1.0), TypeError, "cdf is not defined"),
        (lambda: msd.TransformedDistribution(3, msd.Normal()), TypeError, "expected a Bijector"),
        (lambda: msd.TransformedDistribution(bijector.Exp(), msd.Normal(0.0, 1.0)).mean(), TypeError, "linear"),
        (lambda: bijector.PowerTransform(-1.0), ValueError, "not negative"),
        (lambda: bijector.Softplus(0.0), ValueError, "sharpness must be greater"),
        (lambda: bijector.Exp()("backward", 1.0), ValueError, "there is no 'backward'"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_how_likely_it_is_to_be_below_values_between_counts_and_below_0() -> None:
    counts, times = msd.Poisson(2.5), msd.Gamma(2.0, 1.5)
    p = counts.prob(Tensor([0.0, 1.0, 2.0])).asnumpy().cumsum()
    found = counts.cdf(Tensor([-1.0, 0.0, 0.9, 2.0, 2.7])).asnumpy()
    np.testing.assert_allclose(found, [0, p[0], p[0], p[2], p[2]], 1e-6)
    x = np.array([0.5, 2.0]) * 1.5
    np.testing.assert_allclose(times.cdf(Tensor([-1.0, 0.5, 2.0])).asnumpy(), [0, *1 - np.exp(-x) * (1 + x)], 1e-6)
