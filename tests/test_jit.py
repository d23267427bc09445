"""`jit`: what is compiled once, what again, and that calls of every form give what the function gives."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from modes import Counted, mode
from reference import assert_same

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Parameter, Tensor, deferred, jit, nn, ops
from graphc.jit import Jitted

X = Tensor(np.array([1.0, 2.0, 3.0], np.float32))


# What is compiled again


def test_once_for_each_shape_and_dtype() -> None:
    f = Counted(lambda x: x * 2, jit)
    for _ in range(3):
        f(X)
        f(Tensor(np.ones((2, 2), np.float32)))
        f(Tensor(np.ones(3)))
        f(Tensor([1, 2, 3]))
    assert f.calls == 4


def test_the_last_signature_is_not_taken_for_another() -> None:
    """Calls alike but for one thing, in turn, each after one that was just like it."""
    net = nn.Dropout(p=0.5)
    doubled = Counted(lambda x, *rest: (net(x) * 2, *rest), jit)
    ones = np.ones(3, np.float32)
    calls: list[tuple[tuple[Any, ...], bool]] = [
        ((ones,), False), ((ones[:2],), False), ((ones.astype(np.float64),), False), ((ones, ones), False),
        ((ones,), True), ((ones, None), False), ((ones, (X,)), False), ((ones, [X]), False),
    ]  # fmt: skip
    for _ in range(2):
        for args, training in calls:
            net.set_train(training)
            for _ in range(2):
                first, *rest = doubled(*args)
                assert first.shape == args[0].shape and first.dtype == Tensor(args[0]).dtype
                assert set(first.tolist()) <= ({0.0, 4.0} if training else {2.0})
                assert [type(value) for value in rest] == [
                    Tensor if isinstance(value, np.ndarray) else type(value) for value in args[1:]
                ]
    assert doubled.calls == len(calls)


def test_keywords_are_no_argument_that_is_a_dict() -> None:
    f = Counted(lambda *args, **kwargs: (args, kwargs), jit)
    for _ in range(2):
        assert f({"x": X})[1] == {} and f(x=X)[0] == ()
        assert f(({"x": X},))[0][0][0]["x"].tolist() == f((), x=X)[1]["x"].tolist() == [1.0, 2.0, 3.0]
    assert f.calls == 4


def test_results_have_memory_of_their_own() -> None:
    """Small results and large ones, held or not, keep their values while more calls are made."""
    f = jit(lambda x: (x.sum(), x * 2, (x, x + 1)))
    for size in (1, 3, 5000):
        held = [(k, f(np.full(size, k, np.float32))) for k in range(50)]
        views = [small.numpy_view() for _, (small, _, _) in held]
        for (k, (total, twice, (same, more))), view in zip(held, views, strict=True):
            assert total.item() == view.item() == k * size
            assert (twice.asnumpy() == 2 * k).all() and (same.asnumpy() == k).all() and (more.asnumpy() == k + 1).all()
        del held
        f(np.full(size, -1, np.float32))
        assert [view.item() for view in views] == [k * size for k in range(50)]


def test_signatures_of_several_threads() -> None:
    f = Counted(lambda x: x * 2, jit)
    inputs = [np.arange(n, dtype=np.float32) for n in (3, 4, 5)]
    for x in inputs:
        f(x)
    wrong: list[Any] = []

    def work(x: np.ndarray) -> None:
        for _ in range(300):
            found = f(x)
            if found.shape != x.shape or found.tolist() != (2 * x).tolist():
                wrong.append(found)

    together = [threading.Thread(target=work, args=(x,)) for x in inputs]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert not wrong and f.calls == 3


@pytest.mark.filterwarnings("ignore:.*traced anew")
def test_once_for_each_other_argument() -> None:
    f = Counted(lambda x, scale=1, name="a": x * scale, jit)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((X, 2), {}), ((X, 2.0), {}), ((X, True), {}), ((X, 3), {}), ((X,), {"scale": 2}), ((X,), {"name": "b"}),
    ]  # fmt: skip
    for _ in range(2):
        for args, kwargs in calls:
            f(*args, **kwargs)
    assert f.calls == len(calls)


def test_zeros_of_both_signs_and_nan_are_arguments_of_their_own() -> None:
    f = Counted(lambda x, y: x / y, jit)
    assert f(X, 0.0).tolist() == [np.inf] * 3 and f(X, -0.0).tolist() == [-np.inf] * 3
    for _ in range(3):
        assert np.isnan(f(X, float("nan")).asnumpy()).all()
    assert f.calls == 3


def test_structures_are_told_apart() -> None:
    f = Counted(lambda p: p[0] + p[1] if not isinstance(p, dict) else p["a"] - p["b"], jit)
    assert f((X, X)).tolist() == f([X, X]).tolist() == [2.0, 4.0, 6.0]
    assert f({"a": X, "b": X}).tolist() == [0.0, 0.0, 0.0]
    assert f({"b": X, "a": X * 2}).tolist() == [1.0, 2.0, 3.0]
    assert f((X * 3, X)).tolist() == [4.0, 8.0, 12.0]
    assert f.calls in (3, 4)


def test_a_parameter_as_an_argument_is_itself() -> None:
    v, w = (Parameter(np.full(3, k, np.float32), "w") for k in (1.0, 2.0))
    f = Counted(lambda x, p: (ops.assign_add(p, x), p * 1)[1], jit)
    assert f(X, v).tolist() == [2.0, 3.0, 4.0] and f(X, w).tolist() == [3.0, 4.0, 5.0] and f.calls == 2
    assert v.tolist() == [2.0, 3.0, 4.0] and w.tolist() == [3.0, 4.0, 5.0]
    f(X, v)
    assert f.calls == 2


def test_arrays_are_tensors_wherever_they_stand() -> None:
    f = Counted(lambda x, pair=(0, 0), *, more=None: x + pair[0] + (more["a"] if more else 0), jit)
    array = np.ones(3, np.float32)
    assert f(array).tolist() == [1.0, 1.0, 1.0] and f(X).tolist() == [1.0, 2.0, 3.0]
    assert f(X, (array, 0)).tolist() == [2.0, 3.0, 4.0]
    assert f(X, more={"a": array}).tolist() == [2.0, 3.0, 4.0]
    array[:] = 10
    assert f(X, (array, 0)).tolist() == [11.0, 12.0, 13.0] and f(X, more={"a": array}).tolist() == [11.0, 12.0, 13.0]
    assert f.calls == 3


def test_objects_that_cannot_be_hashed() -> None:
    f = Counted(lambda x, names: x * len(names), jit)
    for size in (1, 2, 3):
        assert f(X, set(range(size))).tolist() == [size * v for v in (1.0, 2.0, 3.0)]
    assert f.calls == 3


class Scaled(nn.Cell):
    def __init__(self, scale: float = 2.0) -> None:
        super().__init__()
        self.scale, self.calls = scale, [0]
        self.drop = nn.Dropout(p=0.5)

    def construct(self, x: Tensor) -> Tensor:
        self.calls[0] += 1
        return self.drop(x * self.scale)


def test_a_cell_is_traced_again_when_it_changes() -> None:
    with mode(GRAPH_MODE):
        net = Scaled()
        for _ in range(3):
            assert net(X).tolist() == [2.0, 4.0, 6.0]
        assert net.calls == [1]
        net.scale = 3.0
        assert net(X).tolist() == net(X).tolist() == [3.0, 6.0, 9.0] and net.calls == [2]
        net.other = "attribute"
        assert net(X).tolist() == [3.0, 6.0, 9.0]


def test_changes_of_other_cells_trace_nothing() -> None:
    with mode(GRAPH_MODE):
        net, other = Scaled(), Scaled()
        net(X)
        for scale in range(5):
            other.scale = scale
            other.set_train(bool(scale % 2))
            net(X)
        assert net.calls == [1]


def test_set_train_changes_the_graph_and_back_without_a_trace() -> None:
    with mode(GRAPH_MODE):
        net = Scaled()
        ones = Tensor(np.ones(1000, np.float32))
        for _ in range(3):
            assert (net.set_train(False)(ones).asnumpy() == 2.0).all()
            assert 300 < (net.set_train(True)(ones).asnumpy() == 0.0).sum() < 700
        assert net.calls == [2]


def test_inner_cells_that_are_replaced() -> None:
    with mode(GRAPH_MODE):
        net = nn.SequentialCell(nn.ReLU(), nn.ReLU())
        x = Tensor(np.array([-1.0, 2.0], np.float32))
        assert net(x).tolist() == [0.0, 2.0]
        net[0] = nn.Tanh()
        net[1] = nn.Sigmoid()
        assert_same(net(x).asnumpy(), ops.sigmoid(ops.tanh(x)).asnumpy())


def test_parameters_are_shared_not_copied() -> None:
    w = Parameter(np.ones(3, np.float32), "w")
    f = Counted(lambda x: x * w, jit)
    f(X)
    w.set_data(Tensor([2.0, 2.0, 2.0]))
    assert f(X).tolist() == [2.0, 4.0, 6.0]
    w[0] = 5.0
    assert f(X).tolist() == [5.0, 4.0, 6.0] and f.calls == 1


def test_captured_tensors_keep_up_with_assignments_to_them() -> None:
    table, rate = Tensor(np.ones(100_000, np.float32)), Tensor(2.0)
    f = jit(lambda x: (table * x).sum() * rate)
    assert f(Tensor(1.0)).item() == 200_000.0
    table[0] = 50.0
    gc.collect()
    np.ones(100_000, np.float32) * 7  # whatever takes the place of the old memory
    assert f(Tensor(1.0)).item() == 200_098.0
    rate[...] = 1.0
    assert f(Tensor(1.0)).item() == 100_049.0


def test_tensors_made_and_changed_within_are_not_a_reason_to_trace() -> None:
    def fill(x: Tensor) -> Tensor:
        made = Tensor(np.zeros(3, np.float32))
        made[0] = x[1]
        return made

    f = Counted(fill, jit)
    for k in range(4):
        other = Tensor(np.zeros(2))
        other[0] = k
        assert f(X * k).tolist() == [2.0 * k, 0.0, 0.0]
    assert f.calls == 1


# Forms of calls


def test_with_and_without_arguments() -> None:
    @jit
    def one(x: Tensor) -> Tensor:
        """Doubles."""
        return x * 2

    @jit(capture_mode="ast", jit_level="O1", fullgraph=True)
    def two(x: Tensor) -> Tensor:
        return x * 2

    assert one(X).tolist() == two(X).tolist() == [2.0, 4.0, 6.0]
    assert one.__name__ == "one" and one.__doc__ == "Doubles."
    assert jit(lambda x: x).name == "lambda"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"capture_mode": "guess"}, "capture_mode must be"), ({"dynamic": 1}, "dynamic shapes are not supported"),
        ({"backend": "GE"}, "backend 'GE' does not exist"), ({"jit_level": "O9"}, "jit_level must be"),
        ({"unknown": 1}, r"unknown options \['unknown'\]"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_honoured(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jit(lambda x: x, **options)


class Pair(NamedTuple):
    first: Tensor
    second: Any


def test_results_of_every_structure() -> None:
    @jit
    def f(x: Tensor) -> Any:
        return {"a": [x, (x * 2, None)], "b": Pair(x + 1, "text"), "c": 3}

    found = f(X)
    assert found["a"][1][0].tolist() == [2.0, 4.0, 6.0] and found["a"][1][1] is None and found["c"] == 3
    assert isinstance(found["b"], Pair) and found["b"].first.tolist() == [2.0, 3.0, 4.0] and found["b"].second == "text"
    assert jit(lambda x: None)(X) is None and jit(lambda: ())() == ()


def test_default_and_variable_arguments() -> None:
    @jit
    def f(x: Tensor, scale: float = 2.0, *rest: Tensor, **named: Tensor) -> Tensor:
        return x * scale + sum(rest) + sum(named.values())  # type: ignore[return-value]

    assert f(X).tolist() == [2.0, 4.0, 6.0]
    assert f(X, 1.0, X, X, extra=X).tolist() == [4.0, 8.0, 12.0]


def test_as_a_method() -> None:
    class Holder:
        def __init__(self, scale: float) -> None:
            self.scale = scale

        @jit
        def scaled(self, x: Tensor) -> Tensor:
            return x * self.scale

    one, two = Holder(1.0), Holder(2.0)
    assert one.scaled(X).tolist() == [1.0, 2.0, 3.0] and two.scaled(X).tolist() == [2.0, 4.0, 6.0]
    assert one.scaled is one.scaled and one.scaled is not two.scaled
    gone = weakref.ref(two)
    del two
    gc.collect()
    assert gone() is None


class MethodNet(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.scale = nn.Dense(3, 2), 1.0
        self.count = Parameter(Tensor(0), "count", requires_grad=False)

    @jit
    def construct(self, x: Tensor) -> Tensor:
        ops.assign_add(self.count, 1)
        return self.fc(x) * self.scale


@pytest.mark.parametrize("value", [PYNATIVE_MODE, GRAPH_MODE])
def test_construct_may_be_jitted(value: int) -> None:
    x = Tensor(np.ones((1, 3), np.float32))
    with mode(value):
        net = MethodNet()
        first = net(x).asnumpy()
        net.scale = 2.0
        assert_same(net(x).asnumpy(), first * 2)
        net.fc.weight.set_data(Tensor(np.zeros((2, 3), np.float32)))
        net.fc.bias.set_data(Tensor([1.0, 2.0]))
        assert net(x).tolist() == [[2.0, 4.0]] and net.count.item() == 3


def test_a_jitted_construct_that_sets_attributes_runs_without_a_graph() -> None:
    class Setting(nn.Cell):
        @jit
        def construct(self, x: Tensor) -> Tensor:
            self.last = 1
            return x

    net = Setting()
    with pytest.warns(UserWarning, match="attribute 'last' is set while the Cell is traced"):
        assert net(X).tolist() == X.tolist()
    assert net.last == 1


def test_nested() -> None:
    inner = Counted(lambda x: x * 2, jit)
    outer = Counted(lambda x: inner(x) + inner(x + 1), jit)
    for _ in range(3):
        assert outer(X).tolist() == [6.0, 10.0, 14.0]
    assert outer.calls == 1 and inner.calls == 2


def test_functions_that_read_a_cell() -> None:
    net = Scaled()
    f = jit(lambda x: x * net.scale)
    assert f(X).tolist() == [2.0, 4.0, 6.0]
    net.scale = 5.0
    assert f(X).tolist() == [5.0, 10.0, 15.0]


def test_a_gradient_function_sees_changes_of_a_cell_it_reads() -> None:
    net = Scaled()

    def loss(x: Tensor) -> Tensor:
        return (x * net.scale).sum()

    with mode(GRAPH_MODE):
        step = ms.grad(loss)
        assert step(X).tolist() == [2.0, 2.0, 2.0]
        net.scale = 3.0
        assert step(X).tolist() == [3.0, 3.0, 3.0]


def test_bound_methods_and_partials() -> None:
    class Plain:
        def double(self, x: Tensor) -> Tensor:
            return x * 2

    import functools

    assert jit(Plain().double)(X).tolist() == [2.0, 4.0, 6.0]
    assert jit(functools.partial(lambda k, x: x * k, 3))(X).tolist() == [3.0, 6.0, 9.0]
    assert jit(nn.ReLU())(X).tolist() == [1.0, 2.0, 3.0]


def test_errors_of_the_function_are_the_users_own() -> None:
    def broken(x: Tensor) -> Tensor:
        raise KeyError("mine")

    f = jit(broken)
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            f(X)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        jit(lambda x, y: x)(X)


def test_a_failed_trace_leaves_nothing_behind() -> None:
    attempts: list[int] = []
    w = Parameter(np.zeros(3, np.float32), "w")

    def sometimes(x: Tensor) -> Tensor:
        ops.assign(w, x)
        if fails:
            raise RuntimeError("not yet")
        return x + w

    fails = True
    f = jit(sometimes)
    with pytest.raises(RuntimeError, match="not yet"):
        f(X)
    assert w.tolist() == [0.0, 0.0, 0.0] and not attempts
    fails = False
    assert f(X).tolist() == [2.0, 4.0, 6.0] and w.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.filterwarnings("ignore:.*traced anew")
def test_old_traces_are_let_go() -> None:
    with mode(GRAPH_MODE):
        net = Scaled()
        for scale in range(20):
            net.scale = float(scale)
            net(X)
        jitted = net._compiled
        assert isinstance(jitted, Jitted) and len(jitted.cache) == 1
        assert sum(map(len, jitted._kept.values())) <= 8


def test_large_graphs() -> None:
    """Deep chains, wide sums and shared expressions compile in reasonable time and depth."""

    def chain(x: Tensor) -> Tensor:
        for k in range(600):
            x = x * 0.5 + k
        return x

    def squares(x: Tensor) -> Tensor:
        for _ in range(80):
            x = x * x * 0.5 + x
        return x

    def many(x: Tensor) -> Tensor:
        return sum((x + k for k in range(300)), x)

    small = X * 0.01
    for function in (chain, squares, many):
        assert_same(jit(function)(small).asnumpy(), function(small).asnumpy())


def test_integer_powers_compile() -> None:
    x = Tensor(np.arange(-9, 9))
    f = lambda x: ((x**5) ** 3 + x) ** 7  # noqa: E731
    assert_same(jit(f)(x).asnumpy(), f(x).asnumpy())


# Deferred steps: in graph mode a gradient waits for the optimizer


def make_step() -> tuple[nn.Cell, nn.Optimizer, Any]:
    ms.set_seed(0)
    net = nn.Dense(3, 2)
    update = nn.Momentum(net.trainable_params(), 0.1, 0.9)
    return net, update, ms.value_and_grad(lambda x, y: ops.mse_loss(net(x), y), None, update.parameters)


BATCH = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones((4, 2), np.float32)


def reference_loss() -> float:
    with mode(PYNATIVE_MODE):
        _, _, step = make_step()
        return step(*map(Tensor, BATCH))[0].item()


def test_arguments_changed_before_the_run_do_not_count() -> None:
    wanted = reference_loss()
    with mode(GRAPH_MODE):
        _, _, step = make_step()
        x, y = map(Tensor, BATCH)
        loss, _ = step(x, y)
        x[0] = 1000.0
        assert loss.item() == wanted
        array = BATCH[0].copy()
        loss, _ = step(array, y)
        array[:] = 1000.0
        assert loss.item() == wanted


def test_reading_and_writing_parameters_settles() -> None:
    wanted = reference_loss()
    with mode(GRAPH_MODE):
        net, update, step = make_step()
        before = net.weight.asnumpy()
        loss, gradients = step(*map(Tensor, BATCH))
        net.weight.set_data(Tensor(np.zeros((2, 3), np.float32)))
        assert loss.item() == wanted
        update(gradients)
        assert net.weight.asnumpy().any() and not np.array_equal(net.weight.asnumpy(), before)
        loss, gradients = step(*map(Tensor, BATCH))
        assert (net.weight.asnumpy() + gradients[0].asnumpy()).shape == (2, 3)


def test_a_run_that_fails_can_be_asked_for_again() -> None:
    table = nn.Embedding(4, 2)
    step = ms.value_and_grad(lambda i: table(i).sum(), None, table.trainable_params())
    with mode(GRAPH_MODE):
        loss, (slope,) = step(Tensor([1, 9]))
        for _ in range(2):
            with pytest.raises(IndexError, match="index 9 at position 1"):
                loss.item()
            with pytest.raises(IndexError, match="index 9 at position 1"):
                slope.asnumpy()
        loss, (slope,) = step(Tensor([1, 3]))
        assert slope.asnumpy().sum() == 4.0


def test_gradients_changed_before_the_update() -> None:
    """Clipped, reordered, partial, of another call: what the optimizer is given is what it uses."""

    def trained(value: int) -> list[np.ndarray]:
        with mode(value):
            net, update, step = make_step()
            x, y = map(Tensor, BATCH)
            _, gradients = step(x, y)
            update(tuple(g * 0.5 for g in gradients))
            _, first = step(x, y)
            step(x * 2, y)
            update(first)
            loss, gradients = step(x, y)
            update(gradients)
            return [p.asnumpy() for p in net.get_parameters()] + [loss.asnumpy()]

    for a, b in zip(trained(GRAPH_MODE), trained(PYNATIVE_MODE), strict=True):
        assert_same(a, b)


def test_a_step_that_is_never_used_still_happens_in_order() -> None:
    """A gradient whose function updates a Parameter runs before anything else that could see it."""
    count = Parameter(Tensor(0.0), "count", requires_grad=False)
    w = Parameter(Tensor([1.0]), "w")

    def loss(x: Tensor) -> Tensor:
        ops.assign_add(count, 1.0)
        return (w * x).sum()

    with mode(GRAPH_MODE):
        step = ms.value_and_grad(loss, None, [w])
        step(Tensor([1.0]))
        step(Tensor([1.0]))
        assert count.item() == 2.0
        step(Tensor([1.0]))
        assert jit(lambda x: x * count)(Tensor(2.0)).item() == 6.0


def test_promised_values_in_another_thread() -> None:
    """What one thread was promised, another may read, while the first goes on."""
    count = Parameter(Tensor(0.0), "count", requires_grad=False)
    w = Parameter(Tensor([2.0]), "w")

    def loss(x: Tensor) -> Tensor:
        ops.assign_add(count, 1.0)
        return (w * x).sum()

    with mode(GRAPH_MODE):
        step = ms.value_and_grad(loss, None, [w])
        for number in range(20):
            value, (slope,) = step(Tensor([3.0]))
            found: list[float] = []
            readers = [threading.Thread(target=lambda v=value, f=found: f.append(v.item())) for _ in range(3)]
            for reader in readers:
                reader.start()
            found.append(value.item() + 0 * slope.item())
            for reader in readers:
                reader.join(60)
            assert found == [6.0] * 4 and count.item() == number + 1.0


# Promised tensors are returned again, unless somebody holds them


def make_deep_step(layers: int = 8) -> tuple[nn.Cell, nn.Optimizer, Any]:
    ms.set_seed(0)
    net = nn.SequentialCell(*[nn.Dense(3, 3) for _ in range(layers)])
    update = nn.SGD(net.trainable_params(), 0.01)
    return net, update, ms.value_and_grad(lambda x, y: (net(x) * y).sum(), None, update.parameters)


def slopes(make: Any, form: str, hold: Callable[[list[Any], int, Any, Any], None], steps: int = 12) -> list[Any]:
    """What a loop keeps of the losses and gradients of some steps, and the weights at the end."""
    net, update, step = make()
    kept: list[Any] = []

    def one(k: int) -> Any:
        loss, gradients = step(Tensor(BATCH[0] * np.float32(k)), Tensor(BATCH[1][:, :1]))
        hold(kept, k, loss, gradients)
        update(gradients)
        hold(kept, k + steps, loss, gradients)
        return gradients

    for k in range(steps):
        last = one(k)
        if form == "function":
            del last
    return [*kept, *net.get_parameters()]


def hold_all(kept: list[Any], k: int, loss: Any, gradients: Any) -> None:
    if k >= 12:
        kept += [loss, *gradients]


def hold_unread_before(kept: list[Any], k: int, loss: Any, gradients: Any) -> None:
    if k < 12:
        kept += [loss, gradients[k % 2]]


def hold_some(kept: list[Any], k: int, loss: Any, gradients: Any) -> None:
    if k % 5 == 0:
        kept.append(loss)
    if k % 3 == 1:
        kept.append(gradients[0])
    if k % 4 == 2:
        kept.append(gradients)


def read_some(kept: list[Any], k: int, loss: Any, gradients: Any) -> None:
    kept.append(gradients[k % 2].asnumpy() if k % 3 else loss.item())


def assign_to_some(kept: list[Any], k: int, loss: Any, gradients: Any) -> None:
    if k >= 12 and k % 3 == 0:
        gradients[0][0] = 5.0
        gradients[1][...] = float(k)
        kept += [*gradients, loss]


def assign_and_drop(kept: list[Any], k: int, loss: Any, gradients: Any) -> None:
    if k >= 12:
        kept += [gradients[2 + k % 2].asnumpy(), gradients[4].asnumpy()]
        gradients[3][...] = 7.0
        gradients[4][0] = 7.0


def read_in_turn(kept: list[Any], k: int, loss: Any, gradients: Any) -> None:
    if k >= 12 and k % 4:
        kept += [gradient.asnumpy() for gradient in gradients[: k % 4]]


HOLDERS = (hold_all, hold_unread_before, hold_some, read_some, read_in_turn, assign_to_some, assign_and_drop)


def values_of(kept: Any) -> list[Any]:
    if isinstance(kept, (list, tuple)):
        return [value for item in kept for value in values_of(item)]
    return [kept.asnumpy() if isinstance(kept, Tensor) else np.asarray(kept)]


@pytest.mark.parametrize("hold", HOLDERS, ids=lambda hold: hold.__name__)
@pytest.mark.parametrize("form", ["function", "loop"])
@pytest.mark.parametrize("layers", [3, 8])
def test_what_a_program_holds_of_earlier_steps_keeps_its_value(hold: Any, form: str, layers: int) -> None:
    found = []
    for value in (PYNATIVE_MODE, GRAPH_MODE):
        with mode(value):
            found.append(values_of(slopes(lambda: make_deep_step(layers), form, hold)))
    assert len(found[0]) == len(found[1]) > 10
    for eager, graph in zip(*found, strict=True):
        assert_same(graph, eager)


@pytest.mark.parametrize("layers", [1, 40])
@pytest.mark.parametrize("form", ["function", "loop"])
def test_gradients_that_nobody_holds_are_the_same_objects_again(
    layers: int, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mode(GRAPH_MODE):
        _, update, step = make_deep_step(layers)
        made, promised = [0], deferred.promised

        def counting(*args: Any) -> Tensor:
            made[0] += 1
            return promised(*args)

        monkeypatch.setattr(deferred, "promised", counting)

        def one() -> float:
            loss, gradients = step(X, X)
            update(gradients)
            return loss.item()

        one()
        before = made[0]
        if form == "function":
            for _ in range(10):
                one()
        else:
            for _ in range(10):
                loss, gradients = step(X, X)
                update(gradients)
                loss.item()
            before += 2 * layers + 1  # of a second set, as the loop holds one while it asks for the next
        assert made[0] - before <= 10 * (1 if layers > 1 else 3)


def test_a_gradient_that_is_held_keeps_no_memory_but_its_own() -> None:
    with mode(GRAPH_MODE):
        net = nn.SequentialCell(nn.Dense(30, 100), nn.Dense(100, 3))
        update = nn.SGD(net.trainable_params(), 0.01)
        step = ms.value_and_grad(lambda x: net(x).sum(), None, update.parameters)
        for _ in range(3):
            loss, gradients = step(Tensor(np.ones((4, 30), np.float32)))
            update(gradients)
        sizes = [len(t._buffer) for t in (loss, *gradients) if t.asnumpy().size]
        assert sizes == [t.nbytes for t in (loss, *gradients)]


def test_gradients_of_earlier_steps_are_let_go() -> None:
    """A loop that holds the gradients of the last step keeps the memory of no others."""
    with mode(GRAPH_MODE):
        _, update, step = make_deep_step()
        for _ in range(6):
            loss, gradients = step(X, X)
            update(gradients)
            sets = step.jitted._ready.promises._sets
            assert sum(tensors.results.has_values for tensors in sets) == 1
        assert loss.item() == loss.item() and len(sets) == 2


def test_one_gradient_function_in_several_threads() -> None:
    _, _, step = make_step()
    right = [0] * 4

    def work(number: int) -> None:
        x, y = Tensor(BATCH[0] * np.float32(number)), Tensor(BATCH[1])
        wanted = values_of(step(x, y))
        for _ in range(200):
            right[number] += all(map(np.array_equal, values_of(step(x, y)), wanted))

    with mode(GRAPH_MODE):
        workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
    assert right == [200] * 4


# Assignment to the elements of an argument


def test_arguments_that_are_assigned_to_change_as_in_eager_mode() -> None:
    def f(x: Tensor, y: Tensor) -> Tensor:
        total = x.sum()
        x[0] = y[1] * 10
        x[1:] = 0.5
        return total + x.sum()

    for call in (f, jit(f)):
        for _ in range(2):
            x, y = Tensor(np.array([1.0, 2.0, 3.0], np.float32)), X * 1
            assert call(x, y).item() == 27.0
            assert x.tolist() == [20.0, 0.5, 0.5] and y.tolist() == [1.0, 2.0, 3.0]


def test_arguments_changed_by_a_differentiated_function() -> None:
    def loss(x: Tensor, log: Tensor) -> Tensor:
        log[0] = x[1]
        return (x * x).sum()

    for value in (PYNATIVE_MODE, GRAPH_MODE):
        with mode(value):
            log = Tensor(np.zeros(2, np.float32))
            step = ms.grad(loss)
            slope = step(X, log)
            assert log.tolist() == [2.0, 0.0]
            assert slope.tolist() == [2.0, 4.0, 6.0]


def test_a_changed_argument_that_is_also_returned() -> None:
    def f(x: Tensor) -> tuple[Tensor, Tensor]:
        before = x * 1
        x[0] = 9.0
        return x, before

    for call in (f, jit(f)):
        x = X * 1
        after, before = call(x)
        assert after.tolist() == x.tolist() == [9.0, 2.0, 3.0] and before.tolist() == [1.0, 2.0, 3.0]


FACTOR = 2.0


class Settings:
    def __init__(self) -> None:
        self.scale, self.steps = 2.0, [1, 2]


class FromOutside(nn.Cell):
    """Reads plain values of every kind that a program may keep beside its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.list, self.dict, self.array = [1, 2], {"a": 1.0, "in": {"b": [3]}}, np.ones(3, np.float32)
        self.settings = Settings()

    def construct(self, x: Tensor) -> Tensor:
        steps = sum(self.settings.steps) * self.settings.scale
        return x * sum(self.list) * self.dict["a"] * self.dict["in"]["b"][0] * self.array * steps * FACTOR


def test_plain_values_from_outside_are_read_anew_when_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    eager, compiled = FromOutside(), FromOutside()

    def change_globals(net: FromOutside) -> None:
        monkeypatch.setattr(sys.modules[__name__], "FACTOR", 5.0)

    changes: list[Callable[[FromOutside], Any]] = [
        lambda net: None, lambda net: net.list.append(3), lambda net: net.dict.update(a=7.0),
        lambda net: net.dict["in"]["b"].__setitem__(0, 4), lambda net: net.array.__setitem__(0, 9.0),
        lambda net: setattr(net.settings, "scale", 0.5), lambda net: net.settings.steps.pop(), change_globals,
    ]  # fmt: skip
    for change in changes:
        change(eager)
        change(compiled)
        with mode(PYNATIVE_MODE):
            wanted = eager(X).tolist()
        with mode(GRAPH_MODE):
            assert compiled(X).tolist() == wanted == compiled(X).tolist()
    assert len(compiled._compiled._kept) == 1  # of one signature


def test_arguments_that_are_no_tensors_may_change_inside() -> None:
    settings, kinds, closed_over = Settings(), {1, 2}, 3.0
    f = jit(lambda x, s, k: x * s.scale * sum(s.steps) * len(k) * closed_over)
    assert f(X, settings, kinds).tolist() == (X * 36).tolist()
    settings.scale = 1.0
    kinds.add(5)
    assert f(X, settings, kinds).tolist() == (X * 27).tolist()
    settings.steps.append(1)
    assert f(X, settings, kinds).tolist() == (X * 36).tolist()
    closed_over = 1.0
    assert f(X, settings, kinds).tolist() == (X * 12).tolist()


def test_attributes_of_classes_are_read_anew_when_they_change() -> None:
    class Options:
        scale, sizes, count = 2.0, [1, 2], 0

    class Base(nn.Cell):
        offset = 1.0

    class Net(Base):
        def construct(self, x: Tensor) -> Tensor:
            return (x + self.offset) * Options.scale * sum(Options.sizes)

    eager, compiled = Net(), Net()
    changes: list[Callable[[], Any]] = [
        lambda: setattr(Base, "offset", 3.0), lambda: setattr(Net, "offset", 4.0), lambda: setattr(Options, "scale", 5),
        lambda: Options.sizes.append(3), lambda: delattr(Net, "offset"), lambda: setattr(Options, "count", 1),
    ]  # fmt: skip
    for change in changes:
        with mode(GRAPH_MODE):
            compiled(X)
        change()
        with mode(PYNATIVE_MODE):
            wanted = eager(X).tolist()
        with mode(GRAPH_MODE):
            assert compiled(X).tolist() == wanted


class Methods(nn.Cell):
    """Reads a global in methods of every kind."""

    @staticmethod
    def static(x: Tensor) -> Tensor:
        return x * FACTOR

    @classmethod
    def of_class(cls, x: Tensor) -> Tensor:
        return x * FACTOR

    @property
    def factor(self) -> float:
        return FACTOR

    def plain(self, x: Tensor) -> Tensor:
        return x * FACTOR

    @jit
    def jitted(self, x: Tensor) -> Tensor:
        return x * FACTOR

class Helper:
    def scaled(self, x: Tensor) -> Tensor:
        return x * FACTOR


WAYS: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
    "static": lambda: chosen(lambda self, x: self.static(x)),
    "of_class": lambda: chosen(lambda self, x: self.of_class(x)),
    "factor": lambda: chosen(lambda self, x: x * self.factor),
    "plain": lambda: chosen(lambda self, x: self.plain(x)),
    "jitted": lambda: chosen(lambda self, x: self.jitted(x)),
    "helper": lambda: jit(lambda x: Helper().scaled(x)),
}


def chosen(construct: Callable[..., Tensor]) -> Callable[[Tensor], Tensor]:
    cell: Callable[[Tensor], Tensor] = type("Chosen", (Methods,), {"construct": construct, "__module__": __name__})()
    return cell


@pytest.mark.parametrize("way", WAYS)
def test_what_methods_read_from_outside_is_read_anew_when_it_changes(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function = WAYS[way]()
    with mode(GRAPH_MODE):
        assert function(X).tolist() == (X * 2).tolist()
        monkeypatch.setattr(sys.modules[__name__], "FACTOR", 5.0)
        assert function(X).tolist() == (X * 5).tolist()


def test_methods_that_are_replaced_are_called() -> None:
    class Net(nn.Cell):
        def scaled(self, x: Tensor) -> Tensor:
            return x * 2.0

        def construct(self, x: Tensor) -> Tensor:
            return self.scaled(x)

    net = Net()
    with mode(GRAPH_MODE):
        assert net(X).tolist() == (X * 2).tolist()
        Net.scaled = lambda self, x: x * 3.0  # type: ignore[method-assign]
        assert net(X).tolist() == (X * 3).tolist()
        Net.construct = lambda self, x: x  # type: ignore[method-assign]
        assert net(X).tolist() == X.tolist()
        del Net.construct
        with pytest.raises(AttributeError, match=r"define construct\(\)"):
            net(X)


def test_what_only_the_program_around_a_cell_reads_may_change() -> None:
    class Logged(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.losses, self.settings, self.notes = [0.0], Settings(), {"step": 0}

        def log(self, loss: float) -> None:
            self.losses.append(loss)

        def construct(self, x: Tensor) -> Tensor:
            return x * self.settings.scale

    net = Logged()
    with mode(GRAPH_MODE):
        for step in range(3):
            net(X)
            net.log(1.0)
            net.settings.steps.append(step)
            net.notes["step"] = step
    assert [len(kept) for kept in net._compiled._kept.values()] == [1]


@pytest.mark.parametrize("given", [(X, 2.0), (2.0, X), (X, None, "a", 2.0)], ids=str)
def test_arguments_that_are_no_tensors_beside_parameters_that_are_read(given: tuple[Any, ...]) -> None:
    first, second = Parameter(X.asnumpy(), "first"), Parameter(X.asnumpy(), "second")
    numbers = [value for value in given if isinstance(value, float)]
    f = jit(lambda *values: sum(v for v in values if isinstance(v, Tensor)) * numbers[0] * first + second)
    for step in range(4):
        second.set_data(X + step)
        np.testing.assert_array_equal(f(*given).asnumpy(), X.asnumpy() ** 2 * 2 + X.asnumpy() + step)


def test_parameters_as_arguments() -> None:
    p = Parameter(X.asnumpy(), "p")
    f = jit(lambda a, b: a * 2 + b)
    for step in range(4):
        p.set_data(X * step)
        for args in ((p, X), (X, p), (p, p)):
            np.testing.assert_array_equal(f(*args).asnumpy(), args[0].asnumpy() * 2 + args[1].asnumpy())
    step = ms.value_and_grad(lambda a, k: (a * p * k).sum(), None, [p])
    with mode(GRAPH_MODE):
        for factor in (2.0, 2.0, 2.0, 3.0):
            value, (gradient,) = step(X, factor)
            assert value.tolist() == 42 * factor and gradient.tolist() == (X * factor).tolist()


def test_variables_that_stand_for_other_objects_are_read_again() -> None:
    def dense(value: float) -> nn.Dense:
        return nn.Dense(3, 1, weight_init=ms.common.initializer.Constant(value), bias_init="zeros")

    net, scale, function, numbers, parameter = dense(1.0), Tensor(1.0), ops.abs, {"by": 1.0}, Parameter([1.0], "p")

    f = Counted(lambda x: function(net(x)) * scale * numbers["by"] + parameter, jit)

    def result() -> float:
        return float(f(X.reshape(1, 3))[0, 0])

    kept = net, scale, function, numbers, parameter
    assert result() == result() == 7
    net = dense(2.0)
    assert result() == result() == 13
    scale = Tensor(-1.0)
    assert result() == result() == -11
    function = ops.neg
    assert result() == result() == 13
    numbers = {"by": 2.0}
    assert result() == result() == 25
    parameter = Parameter([2.0], "p")
    assert result() == result() == 26 and f.calls == 6
    net, scale, function, numbers, parameter = kept
    assert result() == result() == 7


def test_functions_that_gradients_are_taken_of_may_change() -> None:
    factor = Tensor(2.0)
    gradient = ms.grad(lambda x: (x * factor).sum())
    for kind in (GRAPH_MODE, PYNATIVE_MODE):
        with mode(kind):
            for number in (2.0, 3.0, 3.0):
                factor = Tensor(number)
                assert gradient(X).tolist() == [number] * 3


def test_functions_of_no_module() -> None:
    names: dict[str, Any] = {"jit": jit, "scale": Tensor(2.0)}
    exec("f = jit(lambda x: x * scale)", names)
    assert names["f"](X).tolist() == [2, 4, 6]
    names["scale"] = Tensor(3.0)
    assert names["f"](X).tolist() == [3, 6, 9]
