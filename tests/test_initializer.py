"""Initializers: their distributions, names, seeding and errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Parameter, Tensor, nn
from graphc import initializer as module
from graphc.initializer import (
    Constant,
    Dirac,
    HeNormal,
    HeUniform,
    Identity,
    Initializer,
    Normal,
    One,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
    XavierNormal,
    XavierUniform,
    Zero,
    _assignment,
    initializer,
)
from graphc.random import set_seed

SHAPE = (400, 300)


def drawn(init: Any, shape: Any = SHAPE) -> np.ndarray:
    set_seed(1)
    return initializer(init, shape).asnumpy()


@pytest.mark.parametrize(
    ("init", "sigma"),
    [
        (Normal(), 0.01),
        (Normal(2.0, 3.0), 2.0),
        (XavierNormal(2.0), 2 * math.sqrt(2 / 700)),
        (HeNormal(), math.sqrt(2 / 300)),
        (HeNormal(mode="fan_out", nonlinearity="relu"), math.sqrt(2 / 400)),
        (HeNormal(nonlinearity="tanh"), 5 / 3 / math.sqrt(300)),
        (HeNormal(0.5), math.sqrt(2 / 1.25 / 300)),
        (VarianceScaling(2.0, "fan_avg", "untruncated_normal"), math.sqrt(2 / 350)),
        (VarianceScaling(), math.sqrt(1 / 300)),
        (TruncatedNormal(0.02), 0.02 * 0.87962566103423978),
        (TruncatedNormal(1.0, 0.0, -1.0, 1.0), math.sqrt(0.29112509)),
    ],
)
def test_normal_kinds_have_their_deviation(init: Initializer, sigma: float) -> None:
    values = drawn(init)
    mean = 3.0 if init._kwargs.get("mean") == 3.0 else 0.0
    n = values.size
    assert abs(values.mean() - mean) < 5 * sigma / math.sqrt(n)
    assert abs(values.std() - sigma) < 5 * sigma / math.sqrt(2 * n)


@pytest.mark.parametrize(
    ("init", "bound"),
    [
        (Uniform(), 0.07),
        (Uniform(2.0), 2.0),
        (XavierUniform(), math.sqrt(6 / 700)),
        (HeUniform(), math.sqrt(6 / 300)),
        (HeUniform(math.sqrt(5)), math.sqrt(1 / 300)),
        (HeUniform(mode="fan_out", nonlinearity="sigmoid"), math.sqrt(3 / 400)),
        (VarianceScaling(3.0, "fan_out", "uniform"), math.sqrt(9 / 400)),
    ],
)
def test_uniform_kinds_have_their_bound(init: Initializer, bound: float) -> None:
    values = drawn(init)
    assert values.min() >= -bound * 1.000001 and values.max() <= bound * 1.000001
    assert values.max() - values.min() > 2 * bound * 0.9999
    assert abs(values.mean()) < 5 * bound / math.sqrt(3 * values.size)
    assert abs(values.std() - bound / math.sqrt(3)) < 0.01 * bound


def test_fans_of_a_convolution_count_its_window() -> None:
    bound = math.sqrt(6 / (4 * 3 * 5))
    values = drawn(HeUniform(), (8, 4, 3, 5))
    assert bound * 0.95 < np.abs(values).max() <= bound


@pytest.mark.parametrize(("a", "b"), [(-2.0, 2.0), (0.5, 1.0), (3.0, math.inf), (-math.inf, -4.0), (5.0, 5.5)])
def test_truncated_normal_stays_within_its_bounds(a: float, b: float) -> None:
    values = drawn(TruncatedNormal(2.0, 10.0, a, b), 2000).astype(np.float64)
    assert values.min() >= 10 + 2 * a - 1e-5 and values.max() <= 10 + 2 * b + 1e-5
    assert values.std() > 0


def test_truncated_normal_in_the_tail_has_the_tails_mean() -> None:
    # E[x | x > 3] of a standard normal is density(3) / P(x > 3)
    wanted = math.exp(-4.5) / math.sqrt(2 * math.pi) / (0.5 * math.erfc(3 / math.sqrt(2)))
    assert abs(drawn(TruncatedNormal(1.0, 0.0, 3.0, math.inf), 20000).mean() - wanted) < 0.01


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3), (6, 2, 2, 2)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    q = drawn(Orthogonal(2.0), shape).reshape(shape[0], -1)
    gram = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_sparse_columns_have_the_asked_number_of_zeros() -> None:
    values = drawn(Sparse(0.25, 1.0), (10, 200))
    zeros = values == 0
    assert (zeros.sum(0) == 3).all()
    assert (zeros.sum(1) > 20).all()  # not always the same rows
    assert abs(values[~zeros].std() - 1) < 0.1


def test_dirac_passes_channels_through() -> None:
    np.testing.assert_array_equal(drawn(Dirac(), (2, 3, 3))[:, :, 1], np.eye(2, 3))
    x = Tensor(np.random.default_rng(0).standard_normal((2, 4, 5, 5)).astype(np.float32))
    conv = nn.Conv2d(4, 4, 3, group=2, weight_init=Dirac(2))
    np.testing.assert_array_equal(conv(x).asnumpy(), x.asnumpy())


def test_constants() -> None:
    assert (drawn(Zero()) == 0).all() and (drawn(One()) == 1).all() and (drawn(Constant(2.5)) == 2.5).all()
    assert (drawn(3) == 3).all()
    np.testing.assert_array_equal(drawn(Constant(np.arange(3)), (2, 3)), [[0, 1, 2]] * 2)
    np.testing.assert_array_equal(drawn(Identity(), (2, 3)), np.eye(2, 3))


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("normal", Normal()), ("zeros", Zero()), ("zero", Zero()), ("ones", One()), ("one", One()),
        ("he_uniform", HeUniform()), ("HeUniform", HeUniform()), ("he_normal", HeNormal()),
        ("xavier_uniform", XavierUniform()), ("xavier_normal", XavierNormal()), ("uniform", Uniform()),
        ("truncatedNormal", TruncatedNormal()), ("varianceScaling", VarianceScaling()), ("orthogonal", Orthogonal()),
        ("identity", Identity()),
    ],
)  # fmt: skip
def test_names(name: str, same: Initializer) -> None:
    np.testing.assert_array_equal(drawn(name, (4, 3)), drawn(same, (4, 3)))


def test_a_seed_gives_the_same_sequence_and_every_draw_differs() -> None:
    def sequence() -> list[np.ndarray]:
        set_seed(5)
        return [initializer("normal", (3, 2)).asnumpy() for _ in range(3)]

    first, second = sequence(), sequence()
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first[0], first[1])
    set_seed(6)
    assert not np.array_equal(initializer("normal", (3, 2)).asnumpy(), first[0])


def test_without_a_seed_programs_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphc.random.get_seed", lambda: None)
    module.restart()
    first = initializer("normal", (3, 2)).asnumpy()
    module.restart()
    assert not np.array_equal(initializer("normal", (3, 2)).asnumpy(), first)


def test_a_seeded_network_starts_the_same() -> None:
    def net() -> list[np.ndarray]:
        set_seed(9)
        cell = nn.SequentialCell(nn.Conv2d(1, 2, 3, has_bias=True), nn.Dense(4, 3), nn.LSTM(3, 2), nn.Embedding(5, 2))
        return [p.asnumpy() for p in cell.get_parameters()]

    for a, b in zip(net(), net(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_types_shapes_and_tensors() -> None:
    assert initializer("ones", 3).shape == (3,)
    assert initializer("ones", [2, 3], graphc.int32).dtype is graphc.int32
    assert initializer("normal", (2, 3), graphc.float64).dtype is graphc.float64
    given = Tensor([1.0, 2.0])
    copy = initializer(given, 2)
    np.testing.assert_array_equal(copy.asnumpy(), given.asnumpy())
    assert Tensor(shape=(2, 2), init="ones", dtype=graphc.float32).asnumpy().sum() == 4
    assert Parameter(np.zeros(3, np.float32)).clone("ones").asnumpy().sum() == 3
    # doubles are drawn as doubles
    assert (initializer("normal", 50, graphc.float64).asnumpy() % 2.0**-40 != 0).any()


def test_own_initializer() -> None:
    class Ramp(Initializer):
        def _initialize(self, arr: np.ndarray) -> None:
            arr[...] = np.arange(arr.size).reshape(arr.shape)

    np.testing.assert_array_equal(nn.Dense(2, 2, Ramp()).weight.asnumpy(), [[0, 1], [2, 3]])

    class Filled(Initializer):
        def _initialize(self, arr: np.ndarray) -> None:
            _assignment(arr, self._kwargs["value"])

    np.testing.assert_array_equal(initializer(Filled(value=np.eye(2)), (2, 2)).asnumpy(), np.eye(2))
    assert initializer(Filled(value=3), ()).asnumpy() == 3


def test_printing() -> None:
    assert repr(HeUniform(0.5)) == "HeUniform(negative_slope=0.5, mode='fan_in', nonlinearity='leaky_relu')"


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: initializer("heuristic", (2, 2)), ValueError, "'heuristic' is unknown"),
        (lambda: initializer(None, (2, 2)), TypeError, "NoneType"),
        (lambda: initializer("ones"), ValueError, "shape is needed"),
        (lambda: initializer("ones", (2, 0)), ValueError, "ints above 0"),
        (lambda: initializer("ones", (2, 1.5)), ValueError, "ints above 0"),
        (lambda: initializer(Tensor([1.0]), (2,)), ValueError, r"init has shape \(1,\), but shape is \(2,\)"),
        (lambda: initializer("ones", 2, "uint64"), TypeError, "uint64"),
        (lambda: initializer("he_uniform", (3,)), ValueError, "at least 2 dimensions"),
        (lambda: initializer("identity", (3,)), ValueError, "2 dimensions"),
        (lambda: initializer("orthogonal", (3,)), ValueError, "at least 2 dimensions"),
        (lambda: initializer("dirac", (3, 3)), ValueError, "3, 4 or 5 dimensions"),
        (lambda: initializer(Dirac(2), (3, 3, 3)), ValueError, "multiple of groups=2"),
        (lambda: HeUniform(mode="fan"), ValueError, "mode"),
        (lambda: HeUniform(nonlinearity="gelu"), ValueError, "nonlinearity"),
        (lambda: initializer(HeNormal("steep"), (2, 2)), ValueError, "negative_slope"),
        (lambda: Normal(-1.0), ValueError, "sigma"),
        (lambda: TruncatedNormal(1.0, 0.0, 1.0, 1.0), ValueError, "a must be less than b"),
        (lambda: VarianceScaling(0.0), ValueError, "scale"),
        (lambda: VarianceScaling(1.0, "mean"), ValueError, "mode"),
        (lambda: VarianceScaling(1.0, "fan_in", "normal"), ValueError, "distribution"),
        (lambda: Sparse(1.5), ValueError, "sparsity"),
        (lambda: Dirac(0), ValueError, "groups"),
        (lambda: Initializer(), TypeError, "abstract"),
    ],
)
def test_errors(make: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


def test_initializers_of_programs_are_entered_and_draw() -> None:
    """With what MindSpore's own are written with, which programs import."""
    from graphc.common.initializer import _init_random_normal, _init_random_uniform, _register

    @_register("between_two", "zeros")
    class Between(Initializer):
        def __init__(self, low: float = 2.0, high: float = 3.0) -> None:
            super().__init__(low=low, high=high)
            self.low, self.high = low, high

        def _initialize(self, arr: np.ndarray) -> None:
            _assignment(arr, _init_random_uniform(self.low, self.high, arr.shape))

    for name in ("between_two", "between"):
        values = initializer(name, (50, 40)).asnumpy()
        assert 2.0 <= values.min() < 2.1 and 2.9 < values.max() <= 3.0
    assert not initializer("zeros", (2, 2)).asnumpy().any()
    drawn = _init_random_normal(1.0, 2.0, (100, 100))
    assert drawn.dtype == np.float32 and abs(drawn.mean() - 1.0) < 0.1 and abs(drawn.std() - 2.0) < 0.1
