"""Functions that depend on values run op by op in GRAPH_MODE and under `jit`: what eager mode computes, to the bit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, Tensor, nn, ops
from graphc.tensor import TracedValueError

X = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)


class Gated(nn.Cell):
    """A network whose way depends on what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Dense(3, 3, weight_init="ones"), nn.Dense(3, 1, weight_init="ones")
        self.count = Parameter(Tensor(0, ms.int32), requires_grad=False)

    def construct(self, x: Tensor) -> Tensor:
        turns = 0
        while ops.abs(x).max() < 50 and turns < 6:
            x = self.first(x) * 1.5
            turns += 1
        ops.assign_add(self.count, Tensor(turns, ms.int32))
        if x.mean() > 0:
            x = -x
        return self.second(ops.tanh(x / 50))


def in_mode(mode: int, run: Callable[[], Any]) -> Any:
    ms.set_context(mode=mode)
    ms.set_seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run()


def same_in_both(run: Callable[[], list[np.ndarray]]) -> list[np.ndarray]:
    eager, graph = (in_mode(mode, run) for mode in (ms.PYNATIVE_MODE, ms.GRAPH_MODE))
    assert len(eager) == len(graph) > 0
    for a, b in zip(eager, graph, strict=True):
        np.testing.assert_array_equal(a, b)
    return eager


def steps(make: Callable[[nn.Cell, nn.Optimizer], Callable[[Tensor, Tensor], Tensor]]) -> list[np.ndarray]:
    net = Gated()
    optimizer = nn.Momentum(net.trainable_params(), 0.1, 0.9)
    step = make(net, optimizer)
    losses = [step(Tensor(X * k), Tensor(X[:, :1])).asnumpy() for k in (1, 2, 0.1)]
    return [*losses, *(p.asnumpy() for p in net.get_parameters())]


def by_cell(net: nn.Cell, optimizer: nn.Optimizer) -> Callable[[Tensor, Tensor], Tensor]:
    return nn.TrainOneStepCell(nn.WithLossCell(net, nn.MSELoss()), optimizer)


def by_hand(net: nn.Cell, optimizer: nn.Optimizer) -> Callable[[Tensor, Tensor], Tensor]:
    loss_fn = nn.MSELoss()
    gradient = ms.value_and_grad(lambda x, y: loss_fn(net(x), y), None, optimizer.parameters)

    def step(x: Tensor, y: Tensor) -> Tensor:
        loss, grads = gradient(x, y)
        optimizer(grads)
        return loss

    return step


def by_jit(net: nn.Cell, optimizer: nn.Optimizer) -> Callable[[Tensor, Tensor], Tensor]:
    step: Callable[[Tensor, Tensor], Tensor] = ms.jit(by_hand(net, optimizer))
    return step


@pytest.mark.parametrize("make", [by_cell, by_hand, by_jit])
def test_training_steps(make: Any) -> None:
    found = same_in_both(lambda: steps(make))
    assert found[0] != found[1]
    assert all(map(np.array_equal, found, in_mode(ms.GRAPH_MODE, lambda: steps(by_cell))))


class Caching(nn.Cell):
    """A network that keeps a table for the extents it has last seen, and its last result."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.dense, self.count = nn.Dense(3, 1, weight_init="ones"), 0
        self.table: Any = None
        self.last: Any = None
        self.keeps, self.ready = last, True

    def construct(self, x: Tensor) -> Tensor:
        self.ready = True  # as it is already
        if self.table is None or self.table.shape[0] != x.shape[0]:
            self.table = ops.arange(x.shape[0]).astype(ms.float32).reshape(-1, 1)
            self.count += 1
        y = self.dense(x) + self.table
        if self.keeps:
            self.last = y
        return y


@pytest.mark.parametrize("last", [False, True])
def test_attributes_that_construct_sets(last: bool) -> None:
    def run() -> list[np.ndarray]:
        net = Caching(last)
        step = by_hand(net, nn.SGD(net.trainable_params(), 0.1))
        found = [step(Tensor(X), Tensor(X[:, :1])).asnumpy() for _ in range(3)]
        found += [net(Tensor(X)).asnumpy(), net(Tensor(X[:2])).asnumpy(), net.table.asnumpy(), np.array(net.count)]
        return [*found, net.last.asnumpy()] if last else found

    assert same_in_both(run)[-2 if last else -1] == 2


def test_once_attributes_are_set_there_is_a_graph() -> None:
    ms.set_context(mode=ms.GRAPH_MODE)
    net = Caching(last=False)
    with pytest.warns(UserWarning, match="runs op by op.*attribute 'table' is set"):
        net(Tensor(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net(Tensor(X))
    assert net.count == 1
    whole = ms.jit(Caching(last=False), fullgraph=True)
    for _ in range(2):
        with pytest.raises(AttributeError, match="attribute 'table' is set while the Cell is traced"):
            whole(Tensor(X))


def test_what_sets_attributes_in_every_call_is_not_traced_in_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    jit, traces = import_module("graphc.jit"), list[Any]()

    def counted(*args: Any) -> Any:
        traces.append(args)
        return traced(*args)

    traced = jit.trace
    monkeypatch.setattr(jit, "trace", counted)
    ms.set_context(mode=ms.GRAPH_MODE)
    net = Caching(last=True)
    with pytest.warns(UserWarning, match="runs op by op") as said:
        for _ in range(40):
            net(Tensor(X))
    assert len(traces) < 10 and len(said) == 1
    net.keeps = False
    for _ in range(64):
        net(Tensor(X))
        net.set_train(not net.training)  # a change after each call, as before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert net(Tensor(X)).shape == (4, 1)


def test_an_optimizer_that_looks_at_its_gradients() -> None:
    class Wary(nn.SGD):
        def construct(self, gradients: Any) -> Any:
            if ops.norm(gradients[0]) > 1e-3:
                return super().construct(gradients)
            return True

    def run() -> list[np.ndarray]:
        net = nn.Dense(3, 1, weight_init="ones")
        step = by_hand(net, Wary(net.trainable_params(), 0.1))
        return [step(Tensor(X), Tensor(X[:, :1])).asnumpy() for _ in range(3)] + [net.weight.asnumpy()]

    found = same_in_both(run)
    assert found[1] < found[0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[x > 0], lambda x: ops.nonzero(x > 0), lambda x: x * float(x.max()), lambda x: x[: int(x.max()) + 1],
        lambda x: [x, -x][int(x.sum() > 0)], lambda x: ops.unique(ops.floor(x))[0], lambda x: Tensor(x.asnumpy() + 1),
    ],
)  # fmt: skip
def test_functions(function: Callable[[Tensor], Tensor]) -> None:
    with pytest.warns(UserWarning, match=r"runs op by op.*test_values_in_graphs\.py"):
        got = ms.jit(function)(Tensor(X))
    np.testing.assert_array_equal(got.asnumpy(), function(Tensor(X)).asnumpy())


def test_it_is_said_once_and_traced_once() -> None:
    calls = []

    @ms.jit
    def f(x: Tensor) -> Tensor:
        calls.append(None)
        return x if x.sum() > 0 else -x

    with pytest.warns(UserWarning) as said:
        results = [f(Tensor([k])).item() for k in (1.0, -2.0, 3.0)]
    assert results == [1.0, 2.0, 3.0]
    assert len(said) == 1 and len(calls) == 4


def test_what_does_not_depend_on_values_is_a_graph_again() -> None:
    class Net(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            if self.training or x.sum() > 0:
                return x * 2.0
            return x

    ms.set_context(mode=ms.GRAPH_MODE)
    net = Net()
    with pytest.warns(UserWarning):
        assert net(Tensor([-1.0])).item() == -1.0
    net.set_train()
    assert net(Tensor([-1.0])).item() == -2.0
    assert len(net._compiled.cache) == 1


def test_random_numbers_are_those_of_eager_mode() -> None:
    dropout = nn.Dropout(p=0.5)
    dropout.set_train()

    def run() -> list[np.ndarray]:
        def f(x: Tensor) -> Tensor:
            x = dropout(x)
            return x if x.sum() > 0 else dropout(-x)

        jitted = ms.jit(f) if ms.get_context("mode") == ms.GRAPH_MODE else f
        return [jitted(Tensor(X)).asnumpy() for _ in range(3)] + [dropout(Tensor(X)).asnumpy()]

    same_in_both(run)


def test_strictly_it_is_an_error() -> None:
    with pytest.raises(TracedValueError, match=r"ops\.where"):
        ms.jit(lambda x: x if x.sum() > 0 else -x, fullgraph=True)(Tensor(X))
    ms.set_context(mode=ms.GRAPH_MODE, jit_syntax_level=ms.STRICT)
    net = Gated()
    with pytest.raises(TracedValueError, match=r"was asked for|need a value"):
        net(Tensor(X))
    with pytest.raises(TracedValueError, match=r"was asked for|need a value"):
        ms.grad(net)(Tensor(X))
    assert net.count.asnumpy() == 0
    ms.set_context(jit_syntax_level=ms.LAX)
    with pytest.warns(UserWarning, match="op by op"):
        assert net(Tensor(X)).shape == (4, 1)
    assert net.count.asnumpy() > 0


def test_errors_of_the_program_stay_errors() -> None:
    @ms.jit
    def f(x: Tensor) -> Tensor:
        if x.sum() > 0:
            raise KeyError("mine")
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(KeyError, match="mine"):
            f(Tensor([1.0]))
        assert f(Tensor([-1.0])).item() == -1.0


class Counting(nn.Cell):
    """A Cell that gives its Parameters new values by `=`, as MindSpore allows."""

    def __init__(self) -> None:
        super().__init__()
        self.average = Parameter(Tensor(np.zeros(3, np.float32)), requires_grad=False)
        self.calls = Parameter(Tensor(0, ms.int32), requires_grad=False)
        self.scale = Parameter(Tensor(np.ones(3, np.float32)))

    def construct(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.average = 0.5 * self.average + ops.stop_gradient(x).mean(0)
        self.scale = self.scale
        return (x * self.scale - self.average).sum()


def test_parameters_get_new_values_in_construct() -> None:
    def run() -> list[np.ndarray]:
        net = Counting()
        parameters = list(net.get_parameters())
        step = nn.TrainOneStepCell(net, nn.SGD(net.trainable_params(), 0.1))
        losses = [step(Tensor(X * k)).asnumpy() for k in (1, 2, 3)] + [net(Tensor(X)).asnumpy()]
        assert all(a is b for a, b in zip(parameters, net.get_parameters(), strict=True))
        return [*losses, *(p.asnumpy() for p in parameters)]

    found = same_in_both(run)
    assert found[-2] == 4
    means = [X.mean(0) * k for k in (1, 2, 3, 1)]
    wanted = np.zeros(3, np.float32)
    for mean in means:
        wanted = wanted * 0.5 + mean
    np.testing.assert_allclose(found[-3], wanted, rtol=1e-5)


def test_they_do_in_float16_too() -> None:
    def run() -> list[np.ndarray]:
        net = Counting().to_float(ms.float16)
        return [net(Tensor(X)).asnumpy(), *(p.asnumpy() for p in net.get_parameters())]

    found = same_in_both(run)
    assert found[0].dtype == np.float32 and found[1].dtype == np.float32 and found[2] == 1
    np.testing.assert_allclose(found[1], X.mean(0), atol=1e-3)


# A program's own function of arrays


class Sines(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.weight = Parameter(Tensor(np.ones(3, np.float32)))
        self.sine = ops.Custom(
            np.sin, lambda shape: shape, lambda dtype: dtype, func_type="pyfunc", bprop=lambda x, y, ct: ops.cos(x) * ct
        )
        self.halves = ops.Custom(
            lambda x, k: (x[:, :1] * k, x[:, 1:]), ((4, 1), (4, 2)), (ms.float32, ms.float64), "pyfunc"
        )

    def construct(self, x: Tensor) -> Tensor:
        left, right = self.halves(x, 2.0)
        return (self.sine(x * self.weight) + left).sum() + right.sum().astype(ms.float32)


def test_custom_functions() -> None:
    def run() -> list[np.ndarray]:
        net = Sines()
        value, (of_x, of_weight) = ms.value_and_grad(net, 0, net.trainable_params())(Tensor(X))
        return [value.asnumpy(), of_x.asnumpy(), of_weight[0].asnumpy()]

    value, of_x, of_weight = same_in_both(run)
    np.testing.assert_allclose(value, np.sin(X).sum() + 3 * 2 * X[:, 0].sum() + X[:, 1:].sum(), rtol=1e-5)
    np.testing.assert_allclose(of_x, np.cos(X), rtol=1e-6)
    np.testing.assert_allclose(of_weight, (np.cos(X) * X).sum(0), rtol=1e-5)


def test_errors_of_custom_functions() -> None:
    x = Tensor(X)
    for call, error, text in (
        (lambda: ops.Custom(np.sin), ValueError, "func_type must be 'pyfunc'"),
        (lambda: ops.Custom(3, func_type="pyfunc"), TypeError, "expected a function"),  # type: ignore[arg-type]
        (lambda: ops.Custom(np.sin, (2, 3), None, "pyfunc")(x), ValueError, "out_shape says .* has shape"),
        (lambda: ops.Custom(np.sin, ((4, 3), (4, 3)), None, "pyfunc")(x), ValueError, "there are 1 results"),
        (lambda: ms.grad(ops.Custom(np.sin, None, None, "pyfunc", lambda x, y, ct: (ct, ct)))(x), ValueError,
         "a gradient for each of 1"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            call()  # type: ignore[no-untyped-call]
    assert ops.Custom(lambda a: a.sum(), (), float, "pyfunc")(x).shape == ()
