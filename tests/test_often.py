"""Eager calls that come often are one native call, and nobody can tell but by the clock."""

import gc
import weakref

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, Tensor, mint, nn, often, ops
from graphc.dispatch import by_shortcut

RNG = np.random.default_rng(0)
X, ROW = RNG.normal(size=(5, 7)).astype(np.float32), RNG.normal(size=7).astype(np.float32)
PLACES = Tensor(RNG.integers(-7, 7, X.shape))
DROPOUT = nn.Dropout(p=0.5).set_train()


@pytest.fixture(autouse=True)
def pynative():
    ms.set_context(mode=ms.PYNATIVE_MODE)


@pytest.fixture
def made(monkeypatch):
    """What was compiled: calls are from the third on."""
    monkeypatch.setattr(often, "OFTEN", 3)
    monkeypatch.setattr(often, "_functions", {})
    found = []

    class Noted(often.Entry):
        def __init__(self, traced, args):
            super().__init__(traced, args)
            found.append(traced.graph)

    monkeypatch.setattr(often, "Entry", Noted)
    return found


@pytest.mark.parametrize(
    "call",
    [
        lambda x, row: x + row, lambda x, row: 2.5 * x, lambda x, row: ops.clip(x, -0.5, 0.5), lambda x, row: x.sum(1),
        lambda x, row: ops.softmax(x, axis=0), lambda x, row: ops.concat((x, x), 1), lambda x, row: x.sum(axis=(0, 1)),
        lambda x, row: mint.var_mean(x, 1), lambda x, row: ops.topk(x, 3), lambda x, row: ops.matmul(x, row),
        lambda x, row: ops.norm(x, dim=1), lambda x, row: x.clamp(min=-0.5), lambda x, row: ops.lerp(x, row, 0.5),
    ],
)  # fmt: skip
def test_calls_that_come_often_are_native_and_the_same(call, made):
    x, row = Tensor(X), Tensor(ROW)

    def result():
        found = call(x, row)
        return [one.asnumpy().tobytes() for one in (found if isinstance(found, tuple) else (found,))]

    results = [result() for _ in range(5)]
    assert made and all(one == results[0] for one in results)
    count = len(made)
    for _ in range(5):
        assert result() == results[0]
    assert len(made) == count, "a call is compiled once"
    x, row = Tensor(X + 1), Tensor(ROW * 2)
    other = result()
    often._functions.clear()
    assert other == result() != results[0], "what was compiled is for other values too"


def test_a_compiled_call_is_entered_at_once(made, monkeypatch):
    x, row = Tensor(X), Tensor(ROW)
    calls = [
        lambda: ops.add(x, row), lambda: ops.ones((2, 3)), lambda: ops.arange(2, 20, 3), lambda: ops.eye(3)
    ]
    wanted = [call().asnumpy() for call in calls]
    for _ in range(3):
        [call() for call in calls]
    monkeypatch.setattr("graphc.dispatch._applied", None)  # what would run it op by op
    monkeypatch.setattr(often, "describe", None)  # a look at the arguments
    for call, value in zip(calls, wanted, strict=True):
        np.testing.assert_array_equal(call().asnumpy(), value)


def test_calls_of_many_ops_are_compiled_sooner(made, monkeypatch):
    monkeypatch.setattr(often, "OFTEN", 100)
    x, row, rate = Tensor(X), Tensor(ROW), Tensor(1.0)
    for _ in range(20):
        ops.add(x, row)
        ops.gamma((2,), rate, rate)
    assert len(made) == 1 and len(made[0].nodes) > 5 * often.FEW_OPS


def test_arguments_that_are_other_objects_each_time_are_looked_at(made, monkeypatch):
    x = Tensor(X)
    calls = [lambda: x[:, 1:5], lambda: ops.concat([x, x], 1), lambda: mint.scatter_add(x, 1, PLACES, x)]
    wanted = [call().asnumpy() for call in calls]
    for _ in range(3):
        [call() for call in calls]
    monkeypatch.setattr("graphc.dispatch._applied", None)
    for call, value in zip(calls, wanted, strict=True):
        np.testing.assert_array_equal(call().asnumpy(), value)


def test_numbers_types_and_shapes_are_told_apart(made):
    x = Tensor(X)
    for _ in range(4):
        for bound in (0.25, 0.5, 1, 0.0, -0.0, True):
            np.testing.assert_array_equal((x * bound).asnumpy(), X * np.float32(bound))
            assert np.signbit((x * bound).asnumpy()).tolist() == np.signbit(X * np.float32(bound)).tolist()
        for other in (X[:3], X.astype(np.float64)):
            np.testing.assert_array_equal((Tensor(other) * 0.25).asnumpy(), other * other.dtype.type(0.25))


def test_an_index_out_of_range_is_reported_where_it_is(made):
    x, good, bad = Tensor(X), Tensor([0, 4]), Tensor([0, 5])
    for _ in range(4):
        ops.gather(x, good, 0)
    assert made
    with pytest.raises(IndexError, match=rf"{__file__.rsplit('/', 1)[-1]}:\d+"):
        ops.gather(x, bad, 0)
    np.testing.assert_array_equal(ops.gather(x, good, 0).asnumpy(), X[[0, 4]])


def test_errors_come_as_at_first(made):
    x = Tensor(X)
    messages = set()
    for _ in range(5):
        with pytest.raises(ValueError, match="broadcast") as error:
            x + Tensor(ROW[:3])
        messages.add(str(error.value))
    assert len(messages) == 1 and not made


def test_what_returns_an_argument_or_a_view_of_it_is_left_as_it_is(made):
    x = Tensor(X)
    for _ in range(5):
        assert x.astype(ms.float32) is x and ops.dropout(x, 0.5, training=False) is x
        np.testing.assert_array_equal(ops.reshape(x, (7, 5)).asnumpy(), X.reshape(7, 5))
    assert not made


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: ops.dropout(x, 0.5), lambda x: mint.bernoulli(ops.sigmoid(x)), lambda x: mint.randperm(9),
        lambda x: mint.multinomial(ops.exp(x), 3), lambda x: ops.gumbel_softmax(x), lambda x: mint.rand_like(x),
        lambda x: ops.standard_normal((3, 4)), lambda x: ops.uniform((7,), Tensor(-1.0), Tensor(2.0), seed=5),
        lambda x: ops.randint(0, 9, (4,)), lambda x: ops.random_poisson((2,), ops.exp(x)), lambda x: ops.randn(3, 4),
        DROPOUT,
    ],
)  # fmt: skip
def test_draws_are_those_of_calls_that_are_never_compiled(draw, made, monkeypatch):
    def draws():
        ms.set_seed(3)
        return [draw(Tensor(X)).asnumpy().tobytes() for _ in range(6)]

    counted = draws()
    assert any(graph.updates for graph in made), "the code advances the stream"
    monkeypatch.setattr(often, "OFTEN", float("inf"))
    assert counted == draws() and len({*counted}) > 4


def layers():
    ms.set_seed(2)
    return [
        nn.Dense(7, 3, activation="relu"), nn.SequentialCell(nn.Dense(7, 4), nn.LayerNorm((4,)), nn.Dropout(p=0.5)),
        nn.BatchNorm1d(7), nn.GELU(), nn.RReLU(), mint.nn.Linear(7, 2), mint.nn.Dropout(0.3),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(len(layers())))
@pytest.mark.parametrize("training", [False, True])
def test_a_layer_called_by_itself_is_native_and_the_same(number, training, made, monkeypatch):
    def results():
        layer = layers()[number].set_train(training)
        found = [layer(Tensor(X * step)).asnumpy().tobytes() for step in range(6)]
        for parameter in layer.get_parameters():
            parameter.set_data(parameter + 1)
        found += [layer(Tensor(X)).asnumpy().tobytes() for _ in range(2)]
        layer.set_train(not training)
        return found + [layer(Tensor(X)).asnumpy().tobytes() for _ in range(2)]

    counted = results()
    assert made or (number == 6 and not training)
    monkeypatch.setattr(often, "OFTEN", float("inf"))
    assert counted == results()


def test_a_native_layer_is_left_when_it_changes_or_has_hooks(made):
    layer, x, seen = nn.ELU(1.0), Tensor(X), []
    for _ in range(4):
        layer(x)
    assert made
    layer.alpha = 2.0
    np.testing.assert_array_equal(layer(x).asnumpy(), nn.ELU(2.0)(x).asnumpy())
    layer.register_forward_hook(lambda cell, inputs, output: seen.append(output))
    layer(x)
    assert len(seen) == 1
    distance = nn.TripletMarginWithDistanceLoss(lambda a, b: seen.append(a) or ((a - b) ** 2).sum(-1))
    count = len(seen)
    for _ in range(6):
        distance(x, x + 1, x - 1)
    assert len(seen) == count + 12, "a function of the program's is called each time"


def test_native_code_keeps_no_layer_alive(made):
    layer = nn.Dense(7, 3)
    for _ in range(5):
        layer(Tensor(X))
    assert made
    alive = weakref.ref(layer)
    gc.disable()
    try:
        del layer
        assert alive() is None
    finally:
        gc.enable()


def test_values_that_a_shape_depends_on_are_asked_for(made):
    for _ in range(5):
        np.testing.assert_array_equal(ops.masked_select(Tensor(X), Tensor(X > 0)).asnumpy(), X[X > 0])


def test_parameters_change(made):
    weight = Parameter(Tensor(ROW), name="w")
    for step in range(6):
        np.testing.assert_array_equal((Tensor(X) + weight).asnumpy(), X + ROW + np.float32(step) * 0)
        ops.assign(weight, Tensor(ROW))
    for step in range(6):
        ops.assign(weight, Tensor(ROW * step))
        np.testing.assert_array_equal((Tensor(X) + weight).asnumpy(), X + ROW * np.float32(step))
    other = Parameter(Tensor(ROW + 1), name="other")
    np.testing.assert_array_equal((Tensor(X) + other).asnumpy(), X + (ROW + 1))
    assert len(made) == 1, "Parameters of one type share code"


def test_tapes_traces_and_pieces_see_every_op(made):
    x = Tensor(X)
    for _ in range(4):
        ops.tanh(x)
    assert made
    expected = 1 - np.tanh(X.astype(np.float64)) ** 2
    np.testing.assert_allclose(ms.grad(lambda x: ops.tanh(x))(x).asnumpy(), expected, rtol=5e-6, atol=1e-6)
    traced = ms.jit(lambda x: ops.tanh(x))
    assert traced(x).asnumpy().tobytes() == ops.tanh(x).asnumpy().tobytes() == nn.Tanh()(x).asnumpy().tobytes()


def test_many_kinds_of_calls_are_forgotten(made, monkeypatch):
    monkeypatch.setattr(often, "MOST", 2)
    monkeypatch.setattr(often, "MOST_COUNTED", 8)
    for size in [*range(1, 20)] * 2:
        x = Tensor(X.reshape(-1)[:size])
        for _ in range(4):
            np.testing.assert_array_equal((x + x).asnumpy(), X.reshape(-1)[:size] * 2)
    (kinds,) = [f._calls for f in often._functions.values()]
    assert len(kinds) <= 8


def test_a_profile_shows_the_ops(made):
    x = Tensor(X)
    for _ in range(4):
        ops.erf(x)
    with ms.profile() as profile:
        ops.erf(x)
    assert [kernel.calls for kernel in profile.kernels] == [1]
    assert by_shortcut(lambda: None, (), {}) is None
