"""Eager mode in pieces: what is noted and run together gives what op by op gives, whenever and however it runs."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import math
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from modes import Counted

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Parameter, Tensor, nn, noting, op_by_op, ops, pieces
from graphc.dispatch import apply
from graphc.eager import in_one_piece, of_ops
from graphc.noting import MOST_STRETCHES
from graphc.op import TABLE
from graphc.ops import linalg
from graphc.ops.elementwise import stop_gradient
from graphc.state import state
from graphc.tensor import Number, TracedValueError


@pytest.fixture(autouse=True)
def pynative() -> None:
    """Eager mode, with no piece known: where there are too many all are forgotten, perhaps in the midst of a test."""
    ms.set_context(mode=PYNATIVE_MODE)
    pieces.forest.roots.clear()
    pieces.forest.steps = pieces.forest.compiled = 0


def rows(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def together(function: Callable[..., Any], *args: Any) -> Any:
    with in_one_piece(function, args):
        return function(*args)


def alone(function: Callable[..., Any], *args: Any) -> Any:
    """Op by op."""
    assert state.now.piece is None
    return function(*args)


def compiled() -> int:
    return pieces.forest.compiled


def same(x: Tensor, y: Tensor) -> bool:
    return x.spec == y.spec and x.asnumpy().tobytes() == y.asnumpy().tobytes()


# The same bits


class Net(nn.Cell):
    """With state that is written, and random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, has_bias=True)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(p=0.5)
        self.fc = nn.Dense(4 * 16, 3)

    def construct(self, x: Tensor) -> Tensor:
        h = self.drop(ops.max_pool2d(ops.relu(self.norm(self.conv(x))), 2, 2))
        return self.fc(ops.flatten(h, start_dim=1))


def trained(steps: int, **settings: Any) -> list[np.ndarray]:
    """The losses, logits and Parameters of a network in training."""
    ms.set_context(**settings)
    ms.set_seed(3)
    net = Net()
    net.set_train()
    optimizer = nn.Adam(net.trainable_params(), 1e-2)
    loss_fn = nn.CrossEntropyLoss()

    def forward(x: Tensor, y: Tensor) -> Any:
        logits = net(x)
        return loss_fn(logits, y), logits

    grad_fn = ms.value_and_grad(forward, None, optimizer.parameters, has_aux=True)
    x, y = rows(16, 1, 8, 8), Tensor(np.arange(16, dtype=np.int32) % 3)
    seen = []
    for _ in range(steps):
        (loss, logits), grads = grad_fn(x, y)
        optimizer(grads)
        seen += [loss.asnumpy(), logits.asnumpy()]
    return seen + [p.asnumpy() for p in net.get_parameters()]


def test_training_gives_the_bits_of_graph_mode_and_of_op_by_op():
    wanted = trained(3, mode=GRAPH_MODE)
    pieces = trained(3, mode=PYNATIVE_MODE)
    one_by_one = trained(3, mode=PYNATIVE_MODE, pynative_synchronize=True)
    for a, b, c in zip(wanted, pieces, one_by_one, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(graphs())
def test_random_programs(made: Made):
    def f(*inputs: Tensor) -> list[Tensor]:
        values = dict(zip(made.graph.inputs, inputs, strict=True))
        for node in made.graph.nodes:
            if node.op == "constant":
                values[node] = Number.of(node.attrs["value"], node.dtype)
            elif node.op != "input":
                values[node] = apply(TABLE[node.op], tuple(values[o] for o in node.operands), node.attrs)
        return [values[node] for node in (*made.graph.outputs, *(value for _, value in made.graph.updates))]

    inputs = [Tensor(array) for array in made.arrays()]
    wanted = alone(f, *inputs)
    for _ in range(3):
        assert all(same(x, y) for x, y in zip(together(f, *inputs), wanted, strict=True))


def test_a_piece_runs_op_by_op_first_and_compiled_when_it_comes_again():
    def f(x: Tensor) -> Tensor:
        return ops.tanh(x * 2.0) + ops.exp(x)

    x, before = rows(5), compiled()
    for count in (0, 1, 1):
        assert same(together(f, x), alone(f, x))
        assert compiled() - before == count


def test_what_has_many_kernels_to_compile_is_compiled_at_once_but_not_if_it_differs_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("graphc.alone._kernels", {})  # those of other tests

    def f(x: Tensor) -> Tensor:
        for op in (ops.exp, ops.tanh, ops.sin, ops.cos, ops.erf, ops.sigmoid, ops.log1p, ops.expm1, ops.atan):
            x = op(x)
        return x

    counts = []
    for size in (1 << 15, 1 << 16, 1 << 17, 1 << 18):
        before = compiled()
        y = together(f, Tensor(np.linspace(-1.0, 1.0, size, dtype=np.float32)))
        counts.append(compiled() - before)
        assert same(y, alone(f, Tensor(np.linspace(-1.0, 1.0, size, dtype=np.float32))))
    assert counts == [1, 1, 0, 0]


def test_pieces_that_differ_in_an_attribute_an_operand_or_a_type_are_others():
    def f(x: Tensor, y: Tensor, axis: int) -> Tensor:
        return ops.cumsum(x, axis) - y

    x, y = rows(3, 3), rows(3, 3, seed=1)
    calls = [(x, y, 0), (x, y, 1), (x, x, 0), (y, x, 0), (x[:2], y[:2], 0), (x.astype(ms.float64), y, 0)]
    for _ in range(3):
        for args in calls:
            assert same(together(f, *args), alone(f, *args))


def test_losses_and_activations_by_themselves_are_one_piece():
    x, y, before = rows(4, 6), rows(4, 6, seed=1), compiled()
    results = [(ops.gelu(x), ops.mse_loss(x, y), ops.softmax(x)) for _ in range(3)]
    assert compiled() - before == 3
    assert all(same(a, b) for result in results for a, b in zip(result, results[0], strict=True))


def test_without_pieces_nothing_is_compiled_together():
    ms.set_context(pynative_synchronize=True)
    x, before = rows(4), compiled()
    assert all(same(ops.softmax(x), ops.softmax(x)) for _ in range(3))
    assert compiled() == before


# Numbers


def test_numbers_are_constants_until_they_change():
    def f(x: Tensor, rate: float) -> Tensor:
        return x * rate + 1.0

    x, before = rows(5), compiled()
    for rate, count in ((0.5, 0), (0.5, 1), (0.25, 2), (0.125, 2), (-3.0, 2)):
        assert same(together(f, x, rate), alone(f, x, rate))
        assert compiled() - before == count


@pytest.mark.parametrize("numbers", [(0.0, -0.0), (1, True), (math.nan, 0.0), (math.inf, -math.inf), (2**62, 2.0)])
def test_numbers_that_look_alike_are_told_apart(numbers: tuple[Any, Any]):
    def f(x: Tensor, number: Any) -> Tensor:
        return x * number

    x = Tensor(np.array([1.0, -1.0, 0.0], np.float32))
    for number in (*numbers, *numbers, *numbers):
        assert same(together(f, x, number), alone(f, x, number))


def test_a_number_that_was_overwritten_is_another():
    def f(x: Tensor) -> Tensor:
        two = ops.full((), 2.0)
        y = x * two
        two[()] = 3.0
        return y * two

    x = Tensor(np.ones(3, np.float32))
    assert [together(f, x).tolist() for _ in range(3)] == [[6.0] * 3] * 3


# When it runs


def test_a_value_that_is_asked_for_is_there():
    def f(x: Tensor) -> Tensor:
        y = x * 2.0
        seen.append(float(y.sum()))
        return ops.where(y > 0.0, y, x) if seen[-1] > 0 else y - 1.0

    seen: list[float] = []
    for sign in (1.0, -1.0, 1.0, -1.0, 1.0):
        x = Tensor(np.full(3, sign, np.float32))
        assert together(f, x).tolist() == ([2.0] * 3 if sign > 0 else [-3.0] * 3)
    assert seen == [6.0, -6.0, 6.0, -6.0, 6.0]


def test_what_a_cell_keeps_has_a_value():
    class Keeps(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            self.inner = x + 1.0
            return self.inner * 2.0

    net = Keeps()
    for value in (1.0, 2.0, 3.0):
        y = net(Tensor([value]))
        assert net.inner.tolist() == [value + 1.0]
        assert y.tolist() == [2.0 * (value + 1.0)]


def test_what_nobody_holds_is_not_computed():
    def forgetful(x: Tensor) -> Tensor:
        ops.exp(x)
        return x + 1.0

    for _ in range(3):
        together(forgetful, rows(3))
    (ending,) = [e for root in pieces.forest.roots.values() for e in endings(root) if e.root.name == "forgetful"]
    assert [step.op.name for _, step in ending.steps if step.op is not None] == ["broadcast_to", "add"]


def endings(step: pieces.Step) -> list[pieces.Ending]:
    found, steps = [], [step]
    while steps:
        step = steps.pop()
        found += step.endings.values()
        steps += step.after.values()
    return found


def test_outside_of_cells_an_op_runs_at_once():
    x = rows(3)
    y = x + 1.0
    assert y._promise is None and state.now.piece is None


def test_values_are_there_when_the_outermost_call_returns():
    inner = nn.Dense(3, 3)

    class Outer(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            y = inner(x)
            assert y._promise is not None  # an inner Cell does not end the piece
            return y * 2.0

    assert Outer()(rows(2, 3))._promise is None
    value, grads = ms.value_and_grad(lambda x: (x * x).sum())(rows(3))
    assert value._promise is None and grads._promise is None


def test_a_long_piece_runs_in_parts(monkeypatch: pytest.MonkeyPatch):
    def f(x: Tensor) -> Tensor:
        for _ in range(20):
            x = x * 1.5 - 0.25
        return x

    monkeypatch.setattr(noting, "MOST_NOTED", 7)
    x = rows(4)
    for _ in range(3):
        assert same(together(f, x), alone(f, x))


def test_what_is_kept_of_pieces_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pieces, "MOST_STEPS", 30)
    monkeypatch.setattr(pieces, "MOST_CALLS", 0)
    for count in range(1, 30):
        x = together(lambda y, n: [y := y + 1.0 for _ in range(n)][-1], Tensor([0.0]), count % 10 + 1)
        assert x.tolist() == [count % 10 + 1.0]
        assert pieces.forest.steps < 30 + 2 * 2 * 11


def test_what_comes_again_is_kept_however_long_it_is(monkeypatch: pytest.MonkeyPatch):
    """As the training step of a large network, and what evaluates it."""

    def train(x: Tensor) -> Tensor:
        for _ in range(40):
            x = ops.tanh(x) * 1.5
        return x

    monkeypatch.setattr(pieces, "MOST_STEPS", 30)
    x = rows(4)

    def both() -> None:
        together(train, x)
        together(lambda y: y + 1.0, x)

    both()
    both()
    known = [*pieces.forest.roots.values()]
    both()
    assert [*pieces.forest.roots.values()] == known


# Elements that are set


def runs(function: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> int:
    """How often something that was noted had to run."""
    count, run = [0], pieces.Ending.run
    monkeypatch.setattr(pieces.Ending, "run", lambda *args: count.append(0) or run(*args))
    try:
        function()
    finally:
        monkeypatch.setattr(pieces.Ending, "run", run)
    return len(count) - 1


def test_elements_are_set_within_a_piece(monkeypatch: pytest.MonkeyPatch):
    def f(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        before = x * 2.0
        x[0] = y[0]
        x[1][2] = 7.0
        made = y + 1.0
        made[:, 1:] = x[:, 1:]
        kept = made
        made += 1.0
        kept[0, 0] = made[1, 1]
        x[...] = x + 1.0
        y[...] = x
        x[0, 0] = -1.0
        return before, kept, made, x * 1.0, y * 1.0

    def results(call: Callable[..., Any]) -> list[Tensor]:
        x, y = rows(2, 3), rows(2, 3, seed=1)
        return [*call(f, x, y), x, y]

    wanted = results(alone)
    for _ in range(3):
        assert all(map(same, results(together), wanted))
    assert runs(lambda: together(f, rows(2, 3), rows(2, 3, seed=1)), monkeypatch) == 1


def test_a_cache_that_a_cell_sets_elements_in(monkeypatch: pytest.MonkeyPatch):
    class Remembers(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.seen = nn.Dense(3, 3), ops.zeros((4, 3))

        def construct(self, x: Tensor, place: int) -> Tensor:
            self.seen[place] = self.dense(x)
            return ops.softmax(self.seen, 0)

    def results() -> list[Tensor]:
        ms.set_seed(1)
        cell = Remembers()
        return [*(cell(rows(3, seed=k), k % 4) for k in range(9)), cell.seen]

    ms.set_context(pynative_synchronize=True)
    wanted = results()
    ms.set_context(pynative_synchronize=False)
    for _ in range(3):
        assert all(map(same, results(), wanted))


def test_a_tensor_keeps_its_value_if_what_was_set_cannot_be_computed():
    def f(x: Tensor, places: Tensor) -> Tensor:
        x[0] = 5.0
        x[1] = ops.gather(x, places, 0)
        return x + 1.0

    for _ in range(3):
        x = Tensor([1.0, 2.0, 3.0])
        with pytest.raises(IndexError):
            together(f, x, Tensor(7))
        assert x.tolist() == [1.0, 2.0, 3.0]
        together(f, x, Tensor(2))
        assert x.tolist() == [5.0, 3.0, 3.0]


def test_a_graph_sees_what_was_set_in_a_tensor_that_it_captured():
    held, other = Tensor([1.0, 2.0]), Tensor([1.0, 2.0])
    graph = ms.jit(lambda x: x + held)

    def f(x: Tensor) -> Tensor:
        held[0] = x[0]
        other[0] = x[0]
        return other * 2.0

    assert graph(Tensor([0.0, 0.0])).tolist() == [1.0, 2.0]
    for value in (3.0, 4.0):
        structure = ms.context.structure
        assert together(f, Tensor([value])).tolist() == [2 * value, 4.0]
        assert ms.context.structure == structure + 1, "nobody captured the other one"
        assert graph(Tensor([0.0, 0.0])).tolist() == [value, 2.0]


def test_a_function_of_ops_that_sets_elements_of_an_argument_does_so_each_time():
    @of_ops
    def f(x: Tensor) -> Tensor:
        x[0] = x[1]
        return x + 1.0

    for _ in range(4):
        x = Tensor([1.0, 2.0])
        assert together(f, x).tolist() == [3.0, 3.0] and x.tolist() == [2.0, 2.0]


# Pieces that vary


class Text(nn.Cell):
    """What is said of each word takes all before it into account."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.norm, self.drop = nn.Embedding(9, 6), nn.LayerNorm((6,)), nn.Dropout(p=0.3)
        self.q, self.out = nn.Dense(6, 6, activation="tanh"), nn.Dense(6, 9)

    def construct(self, words: Tensor) -> Tensor:
        h = self.norm(self.table(words))
        h = h + self.drop(ops.matmul(ops.softmax(ops.matmul(self.q(h), h.swapaxes(-1, -2)) * 0.4, -1), h))
        return self.out(ops.gelu(h))[:, -1]


def texts(lengths: Any) -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [Tensor(rng.integers(0, 9, (1, length))) for length in lengths]


@pytest.mark.parametrize("training", [False, True])
def test_a_text_that_grows_is_not_noted_for_long(training: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(op_by_op, "COMPILE", float("inf"))
    net = Text().set_train(training)
    words = texts(range(1, 14))

    def results() -> list[Tensor]:
        ms.set_seed(1)
        return [net(text) for text in words]

    found = results()
    noted = [new_steps(results) for _ in range(2)]
    assert noted[1] == 0, "each piece is known, or runs at once"
    assert all(map(same, found, results()))
    ms.set_context(pynative_synchronize=True)
    try:
        assert all(map(same, found, results()))
    finally:
        ms.set_context(pynative_synchronize=False)


def test_gradients_for_texts_of_many_lengths():
    net = Text().set_train()
    gradients = ms.value_and_grad(lambda text: ops.square(net(text)).sum(), None, net.trainable_params())

    def results() -> list[list[Tensor]]:
        ms.set_seed(1)
        found = []
        for text in texts([*range(1, 9)] * 2):
            value, grads = gradients(text)
            found.append([value, *grads])
        return found

    found = results()
    ms.set_context(pynative_synchronize=True)
    try:
        for ours, theirs in zip(found, results(), strict=True):
            assert all(map(same, ours, theirs))
    finally:
        ms.set_context(pynative_synchronize=False)


def new_steps(function: Callable[[], Any]) -> int:
    before = pieces.forest.steps
    function()
    return pieces.forest.steps - before


def test_where_pieces_vary_ops_run_at_once_until_arguments_come_again_and_again(monkeypatch: pytest.MonkeyPatch):
    def net(x: Tensor) -> Tensor:
        return ops.exp(x * 2.0) + x

    x = rows(40)
    monkeypatch.setattr(op_by_op, "COMPILE", float("inf"))
    noted = [new_steps(functools.partial(together, net, x[:n])) for n in range(1, 20)]
    assert all(noted[: op_by_op.VARIED]) and not any(noted[op_by_op.VARIED :])
    monkeypatch.setattr(op_by_op, "COMPILE", 0.0)  # as if they had come for long
    before = compiled()
    for call in range(4):
        assert same(together(net, x[:19]), alone(net, x[:19]))
        assert compiled() == before + (call > 0)
    monkeypatch.setattr(op_by_op, "COMPILE", float("inf"))
    assert not new_steps(lambda: together(net, x[:20])), "others still vary"


def test_what_comes_again_and_again_in_a_row_is_compiled_however_much_came_before(monkeypatch: pytest.MonkeyPatch):
    """One line of a program trains one network after another."""

    def net(x: Tensor) -> Tensor:
        return ops.exp(x * 3.0) + x

    x = rows(40)
    monkeypatch.setattr(op_by_op, "COMPILE", float("inf"))
    for n in range(1, 4 * op_by_op.VARIED):
        before = compiled()
        for call in range(5):
            assert same(together(net, x[:n]), alone(net, x[:n]))
            assert compiled() == before + (call > 0 if n <= op_by_op.VARIED else call >= op_by_op.REPEATED - 1)


def test_that_pieces_vary_is_known_when_they_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    def net(x: Tensor) -> Tensor:
        return ops.exp(x * 2.0) + x

    x = rows(40)
    monkeypatch.setattr(op_by_op, "COMPILE", float("inf"))
    for n in range(1, 10):
        if n == 9:
            monkeypatch.setattr(pieces, "MOST_STEPS", 0)
            monkeypatch.setattr(pieces, "MOST_CALLS", 0)
        together(net, x[:n])
    assert pieces.forest.steps == 0, "all were forgotten, and no other was noted"
    monkeypatch.setattr(op_by_op, "COMPILE", 0.0)
    assert new_steps(lambda: together(net, x[:11]) + together(net, x[:11])), "it comes again"


@pytest.mark.parametrize("on", [True, False])
def test_whether_python_looks_for_cycles_is_left_to_the_program(on: bool):
    def f(x: Tensor) -> Tensor:
        y = ops.tanh(x) + 1.0
        seen.append(gc.isenabled())
        (gc.enable if on else gc.disable)()
        return y * 3.0

    seen: list[bool] = []
    before = gc.isenabled()
    (gc.disable if on else gc.enable)()
    try:
        together(f, rows(3 + on))  # of another shape, and so new
        assert seen == [not on]
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()


def test_pieces_do_not_wait_for_python_to_look_for_cycles():
    def f(x: Tensor) -> Tensor:
        seen.append(weakref.ref(state.now.piece))
        return ops.softmax(x) + 1.0

    seen: list[weakref.ref[noting.Piece]] = []
    before = gc.isenabled()
    gc.disable()
    try:
        together(f, rows(3))
        assert seen[0]() is None
    finally:
        (gc.enable if before else gc.disable)()


def test_arguments_that_do_not_tell_pieces_apart_are_noted_seldom(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(op_by_op, "COMPILE", 0.1)
    root, kind = pieces.Root("f"), pieces.Kind()
    root.longest = 10 - op_by_op.MORE
    assert not root.pays(kind)
    kind.seconds = 1.5
    noted = []
    for _ in range(40):
        noted.append(root.pays(kind))
        kind.seconds += 0 if noted[-1] else 1.0
        kind.in_vain += noted[-1]
    assert noted[:2] == [True, True] and 2 < sum(noted) < 7


def test_one_of_many_pieces_is_compiled_when_it_has_run_for_long(monkeypatch: pytest.MonkeyPatch):
    x = rows(40)

    def f(x: Tensor) -> Tensor:
        return ops.exp(x) + x

    monkeypatch.setattr(op_by_op, "COMPILE", float("inf"))
    before = compiled()
    for n in range(1, 20):
        for _ in range(2):
            together(f, x[:n])
    assert compiled() - before <= op_by_op.VARIED
    monkeypatch.setattr(op_by_op, "COMPILE", 0.0)
    before = compiled()
    for _ in range(3):
        assert same(together(f, x[:19]), alone(f, x[:19]))
    assert compiled() == before + 1


def test_another_thread_may_ask_for_a_value():
    def f(x: Tensor) -> Tensor:
        y = x * 3.0
        thread = threading.Thread(target=lambda: seen.append(y.tolist()))
        thread.start()
        thread.join()
        return y + 1.0

    seen: list[Any] = []
    for _ in range(3):
        assert together(f, Tensor([2.0])).tolist() == [7.0]
    assert seen == [[6.0]] * 3


def test_threads_have_pieces_of_their_own():
    def work(seed: int) -> None:
        x = rows(8, seed=seed)
        wanted = alone(ops.softmax, x)
        results.extend(same(net(x), wanted) for _ in range(30))

    net = nn.Softmax()
    results: list[bool] = []
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 120


# Parameters


def test_a_parameter_written_in_a_piece():
    def f(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        before = p * 1.0
        ops.assign(p, p + x)
        between = p * 10.0
        ops.assign(p, p * 2.0)
        return before, between, p + 0.0

    p = Parameter(np.array([1.0], np.float32), "p")
    held = 1.0
    for _ in range(4):
        before, between, after = together(f, Tensor([1.0]))
        assert (before.item(), between.item(), after.item()) == (held, 10 * (held + 1), 2 * (held + 1))
        held = 2 * (held + 1)
        assert p.item() == held


def test_parameters_may_exchange_their_values():
    def f() -> None:
        old = p + 0.0
        ops.assign(p, q)
        ops.assign(q, old)

    p, q = Parameter(np.array([1.0], np.float32), "p"), Parameter(np.array([2.0], np.float32), "q")
    for wanted in ((2.0, 1.0), (1.0, 2.0), (2.0, 1.0)):
        together(f)
        assert (p.item(), q.item()) == wanted


def test_the_same_piece_with_other_parameters():
    first, second = nn.Dense(3, 2), nn.Dense(3, 2)
    x = rows(4, 3)
    for _ in range(3):
        for net in (first, second):
            assert same(net(x), alone(ops.dense, x, net.weight, net.bias))


def test_a_parameter_looked_at_or_set_in_a_piece():
    def f(x: Tensor) -> Tensor:
        y = x * p
        p.set_data(Tensor([5.0]))
        assert p.asnumpy().tolist() == [5.0]
        return y

    p = Parameter(np.array([2.0], np.float32), "p")
    for _ in range(3):
        p.set_data(Tensor([2.0]))
        assert together(f, Tensor([3.0])).tolist() == [6.0]


def test_an_optimizer_in_a_cell():
    class Step(nn.Cell):
        def __init__(self) -> None:
            super().__init__(auto_prefix=False)
            self.net = nn.Dense(2, 1)
            self.optimizer = nn.SGD(self.net.trainable_params(), 0.5)
            self.grad = ms.value_and_grad(lambda x: self.net(x).sum(), None, self.optimizer.parameters)

        def construct(self, x: Tensor) -> Tensor:
            loss, grads = self.grad(x)
            self.optimizer(grads)
            return loss

    step = Step()
    x = Tensor(np.ones((1, 2), np.float32))
    losses = [float(step(x)) for _ in range(4)]
    assert np.allclose(np.diff(losses), -1.5, atol=1e-5)


# Assignment to items, arrays that are shared


def test_assignment_to_items_in_a_piece():
    def f(x: Tensor) -> Tensor:
        y = x * 1.0
        z = y + 1.0
        y[0] = 10.0
        return y + z

    for _ in range(3):
        assert together(f, Tensor([1.0, 2.0])).tolist() == [12.0, 5.0]


def test_an_array_that_is_written_again_after_an_op_read_it():
    def f(x: Tensor) -> Tensor:
        shared = np.zeros(1, np.float32)
        tensor = ms.from_numpy(shared)
        for value in (1.0, 2.0, 4.0):
            shared[0] = value
            x = x + tensor
        return x

    for _ in range(3):
        assert together(f, Tensor([0.0])).tolist() == [7.0]


# Derivatives


def test_derivatives_of_derivatives():
    def f(x: Tensor) -> Tensor:
        return (ops.tanh(x) * x).sum()

    second = ms.grad(lambda x: ms.grad(f)(x).sum())
    x = rows(5)
    ms.set_context(pynative_synchronize=True)
    wanted = second(x)
    ms.set_context(pynative_synchronize=False)
    assert all(same(second(x), wanted) for _ in range(3))


class Rules:
    """Counts the calls of the vjps of some ops."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.calls = 0
        for name in names:
            rule = TABLE[name].vjp
            assert rule is not None

            def counting(*args: Any, rule: Any = rule, **attrs: Any) -> Any:
                self.calls += 1
                return rule(*args, **attrs)

            monkeypatch.setattr(TABLE[name], "vjp", counting)


def test_a_sweep_that_was_noted_before_calls_no_vjp(monkeypatch: pytest.MonkeyPatch):
    rules = Rules(monkeypatch, "mul", "sum")
    w, v = Parameter(rows(3), "w"), Parameter(rows(3, seed=1), "v")
    grad = ms.value_and_grad(lambda x: (x * w * w * 2.0).sum(), 0, [w, v])
    calls = []
    for k in range(5):
        x = rows(3, seed=k)
        value, (by_x, (by_w, by_v)) = grad(x)
        calls.append(rules.calls)
        a, b = x.asnumpy(), w.asnumpy()
        np.testing.assert_allclose(value.item(), (2 * a * b * b).sum(), rtol=1e-5)
        np.testing.assert_allclose(by_x.asnumpy(), 2 * b * b, rtol=1e-6)
        np.testing.assert_allclose(by_w.asnumpy(), 4 * a * b, rtol=1e-6)
        assert by_v.tolist() == [0.0, 0.0, 0.0]
        w.set_data(w + 1.0)
    assert 0 < calls[0] == calls[-1]
    for weights in ([w], [v], [v, w]):  # at another line
        found = [len(ms.grad(lambda x: (x * w * w * 2.0).sum(), 0, weights)(rows(3))[1]) for _ in range(2)]
        assert found == [len(weights)] * 2 and rules.calls > calls[-1]
        calls.append(rules.calls)


def test_a_sweep_is_not_taken_for_one_of_other_weights():
    """Both Parameters hold one value when it begins, and it begins after the same ops."""
    w, v = Parameter(np.full(2, 3.0, np.float32), "w"), Parameter(np.full(2, 5.0, np.float32), "v")

    def forward(x: Tensor) -> Tensor:
        y = (w * x + v * x * x).sum()
        new = x * 1.0
        ops.assign(w, new)
        ops.assign(v, new)
        return y

    x = Tensor(np.full(2, 10.0, np.float32))
    for weights, wanted in (((w, v), (10.0, 100.0)), ((v, w), (100.0, 10.0)), ((w, w), (10.0, 10.0))) * 3:
        found = ms.grad(forward, None, weights)(x)
        assert [g.tolist() for g in found] == [[value] * 2 for value in wanted]
        assert w.tolist() == v.tolist() == [10.0, 10.0]


def test_a_sweep_of_another_function_head_or_cotangent():
    w = Parameter(np.full(2, 3.0, np.float32), "w")
    x = Tensor(np.full(2, 2.0, np.float32))

    def pair(x: Tensor) -> tuple[Tensor, Tensor]:
        return (x * w).sum(), (x * x * w).sum()

    first = ms.grad(pair, None, [w], has_aux=True)
    both = ms.grad(pair, None, [w])
    given = ms.grad(pair, None, [w], sens_param=True)
    for _ in range(3):
        assert first(x)[0][0].tolist() == [2.0, 2.0]
        assert both(x)[0].tolist() == [6.0, 6.0]
        for k in (1.0, 10.0):
            assert given(x, (Tensor(k), Tensor(0.0)))[0].tolist() == [2.0 * k] * 2


def test_a_value_asked_for_between_function_and_derivative():
    def f(x: Tensor) -> Tensor:
        y = x * x
        return y if float(y.sum()) > 1.0 else y * 3.0

    grad = ms.grad(f)
    for _ in range(3):
        assert grad(Tensor([2.0])).tolist() == [4.0]
        assert grad(Tensor([0.5])).tolist() == [3.0]


# Functions of ops, which are not called where they noted the same before


def one_by_one(function: Callable[..., Any], *args: Any) -> Any:
    ms.set_context(pynative_synchronize=True)
    try:
        return function(*args)
    finally:
        ms.set_context(pynative_synchronize=False)


@pytest.fixture(autouse=True)
def in_pieces() -> Any:
    yield
    ms.set_context(pynative_synchronize=False)


def test_a_function_of_ops_is_called_once_for_each_place():
    f = Counted(lambda x, y: (x * 2.0 + y, x), of_ops)

    def twice(x: Tensor) -> Tensor:
        a, same_x = f(x, x)
        assert same_x is x
        b, _ = f(a, x)
        return b

    for k in range(4):
        assert together(twice, Tensor([1.0 + k])).tolist() == [7.0 * (1 + k)]
    assert f.calls == 2
    assert together(twice, rows(3)).shape == (3,)
    assert f.calls == 4


def test_a_function_of_ops_beside_python_that_changes():
    f, seen = Counted(lambda x, scale: ops.tanh(x * scale) + 1.0, of_ops), []

    def g(x: Tensor, flag: bool) -> Tensor:
        seen.append(flag)
        y = f(x, 2.0)
        if flag:
            y = f(y, 3.0)
        return f(y, 2.0) if float(y.sum()) > 0 else y

    for k in range(12):
        x, flag = rows(3, seed=k % 3), k % 2 == 0
        found = together(g, x, flag)
        assert same(found, one_by_one(g, x, flag))
    assert seen == [k // 2 % 2 == 0 for k in range(24)]
    assert f.calls < 60


def test_arguments_that_are_equal_but_not_alike():
    def f(x: Tensor, *args: Any, axis: Any = None) -> Tensor:
        value = args[0] if args else axis
        if isinstance(value, (tuple, list)):
            return x + float(type(value) is list)
        code = {bool: 10.0, int: 20.0, float: 30.0, str: 40.0}[type(value)] + (100.0 if args else 200.0)
        return x * code + math.copysign(1.0, value if isinstance(value, float) else 1.0)

    f = of_ops(f)
    x = Tensor([1.0])
    cases = [((v,), {}) for v in (1, True, 1.0, 0.0, -0.0, (1,), [1])] + [((), {"axis": v}) for v in (1, True, -0.0)]
    cases += [(("axis", 1), {}), (("axis",), {"axis": 1}), (((1, 2), 3), {}), (((1,), 2, 3), {})]
    for _ in range(3):
        for args, kwargs in cases:
            assert same(together(lambda a=args, k=kwargs: f(x, *a, **k)), f(x, *args, **kwargs))


def test_one_tensor_twice_is_not_two_tensors():
    f = of_ops(lambda x, y: x * y if x is y else x + y)
    x, y = Tensor([3.0]), Tensor([3.0])
    for second, wanted in ((x, 9.0), (y, 6.0)) * 3:
        assert together(lambda second=second: f(x, second)).tolist() == [wanted]


def test_a_function_that_looks_at_a_value_is_called_each_time():
    f = Counted(lambda x, y: x * 2.0 if float(y) > 0 else x * 3.0, of_ops)
    for k in range(6):
        y = Tensor(1.0 if k % 2 else -1.0)
        assert together(lambda y=y: f(Tensor([1.0]), y) + 0.0).tolist() == [2.0 if k % 2 else 3.0]
        assert together(lambda y=y: f(Tensor([1.0]), y * 1.0)).tolist() == [2.0 if k % 2 else 3.0]
    assert f.calls == 12


def test_a_function_that_reads_another_tensor_is_called_each_time():
    other = [Tensor([1.0])]
    f = Counted(lambda x: x + other[0], of_ops)
    for k in range(4):
        other[0] = Tensor([float(k)])
        assert together(f, Tensor([1.0])).tolist() == [1.0 + k]
    assert f.calls == 4


def test_numbers_that_change_are_not_kept_without_end():
    def f(x: Tensor, k: int) -> Tensor:
        return x * float(k) + 1.0

    before = compiled()
    for k in range(5 * MOST_STRETCHES):
        assert together(f, Tensor([2.0]), k).tolist() == [2.0 * k + 1.0]
    assert compiled() <= before + 2
    (root,) = [root for root in pieces.forest.roots.values() if root.name == "f" and root.stretches][-1:]
    assert len(root.stretches) == MOST_STRETCHES


def test_an_error_in_a_function_of_ops_is_raised_each_time_at_its_line():
    def f(x: Tensor, y: Tensor) -> Tensor:
        z = ops.softmax(x)
        return ops.dense(z, y)

    x, right, wrong = rows(2, 3), rows(4, 3), rows(4, 5)
    for _ in range(3):
        assert together(f, x, right).shape == (2, 4)
        with pytest.raises(ValueError, match="dense") as caught:
            together(f, x, wrong)
        assert line_of(f, "return ops.dense") in str(caught.value)


def test_an_index_out_of_range_in_a_function_of_ops():
    p = Parameter(np.zeros(1, np.float32), "p")

    def f(labels: Tensor) -> Tensor:
        ops.assign(p, p + 1.0)
        return ops.cross_entropy(rows(2, 3), labels)

    for k in range(3):
        together(f, Tensor(np.array([0, 2])))
        with pytest.raises(IndexError):
            together(f, Tensor(np.array([0, 7])))
        assert p.item() == k + 1


def test_derivatives_of_functions_of_ops():
    w = Parameter(rows(3, seed=5), "w")
    f = Counted(lambda x, w: ops.tanh(x * w) * ops.softmax(x + 0.5 * w), of_ops)

    def loss(x: Tensor) -> Tensor:
        return (f(f(x, w), w) * w).sum()

    grad = ms.grad(loss, 0, [w])
    second = ms.grad(lambda x: ms.grad(loss)(x).sum(), 0, [w])
    for gradient in (grad, second):
        for k in range(4):
            x = rows(3, seed=k)
            by_x, (by_w,) = gradient(x)
            of_x, (of_w,) = one_by_one(gradient, x)
            assert same(by_x, of_x) and same(by_w, of_w)
            w.set_data(w * 0.9)


def test_a_value_asked_for_after_a_function_of_ops_and_before_its_derivative():
    f = of_ops(lambda x: ops.tanh(ops.tanh(x) * x) * 3.0)

    def g(x: Tensor) -> Tensor:
        y = f(x)
        if float(y.sum()) > 0.0:
            y = f(y)
        thread = threading.Thread(target=y.asnumpy)
        thread.start()
        thread.join()
        return f(y).sum()

    grad = ms.grad(g)
    for k in range(9):
        x = rows(4, seed=k % 3)
        assert same(grad(x), one_by_one(grad, x))


def test_parameters_that_functions_of_ops_assign_to():
    w = Parameter(Tensor([1.0]), "w")

    def twice(x: Tensor, w: Parameter) -> Tensor:
        ops.assign(w, w + x)
        y = w * 10.0
        ops.assign(w, w * 3.0)
        return y

    step = Counted(twice, of_ops)

    def f(x: Tensor, factor: float) -> tuple[Tensor, ...]:
        return w * 1.0, step(x, w), w * 1.0, step(x, w), w * factor

    def loss(x: Tensor) -> Tensor:
        value = (step(x, w) * w).sum()
        return value * float(value)

    for k in range(5):
        w.set_data(Tensor([k]))
        found = [y.item() for y in together(f, Tensor([1.0]), k)]
        assert found == [k, 10 * k + 10, 3 * k + 3, 30 * k + 40, (9 * k + 12) * k]
        assert w.item() == 9 * k + 12
    assert step.calls == 2
    grad = ms.grad(loss, 0, [w])
    for k in range(5):
        found = []
        for run in (grad, functools.partial(one_by_one, grad)):
            w.set_data(Tensor([k]))
            by_x, (by_w,) = run(Tensor([2.0]))
            found.append((by_x.item(), by_w.item(), w.item()))
        assert found[0] == found[1]


def test_a_function_of_ops_that_only_assigns():
    def double(w: Parameter, factor: float) -> None:
        ops.assign(w, w * factor)

    w, step = Parameter(Tensor([1.0]), "w"), Counted(double, of_ops)
    for k in range(4):
        assert together(lambda: [step(w, 2.0), step(w, 3.0)]) == [None, None]
        assert w.item() == 6.0 ** (k + 1)
    assert step.calls == 2


def test_clipping_called_by_itself_is_noted_at_once():
    for k in range(3):
        gradients = [rows(3, seed=k), rows(2, 2, seed=k)]
        found = ops.clip_by_global_norm(gradients, 0.5)
        wanted = one_by_one(ops.clip_by_global_norm, gradients, 0.5)
        assert type(found) is list and all(map(same, found, wanted))


LOOKS = pytest.mark.parametrize("look", [False, True])
"""Whether a value is asked for before the sweep, which then is not that of the time before."""


@LOOKS
def test_a_parameter_assigned_to_after_a_function_of_ops_read_it(look: bool):
    w = Parameter(Tensor([2.0]), "w")
    square = Counted(lambda x, w: x * w * w, of_ops)
    step = of_ops(lambda w, share: ops.assign(w, w * share))

    def loss(x: Tensor) -> Tensor:
        step(w, 2.0)
        y = square(x, w)
        ops.assign(w, w + 1.0)
        z = square(y, w)
        step(w, 0.5)
        value = (z * w).sum()
        return value * float(value) if look else value

    grad = ms.grad(loss, 0, [w])
    for k in range(5):
        x, begin = Tensor([1.0 + k]), Tensor([2.0 + k])
        w.set_data(begin)
        by_x, (by_w,) = grad(x)
        after = w.item()
        w.set_data(begin)
        of_x, (of_w,) = one_by_one(grad, x)
        assert same(by_x, of_x) and same(by_w, of_w) and after == w.item() == (5.0 + 2 * k) / 2


@LOOKS
def test_items_assigned_to_after_a_function_of_ops(look: bool):
    f = of_ops(lambda x: ops.tanh(x) * x)

    def loss(x: Tensor) -> Tensor:
        start = x * 1.0
        y = f(start)
        start[1] = 5.0
        z = f(y * start)
        value = (z * start).sum()
        return value * float(value) if look else value

    grad = ms.grad(loss)
    for k in range(3):
        x = rows(3, seed=k)
        assert same(grad(x), one_by_one(grad, x))


def test_items_assigned_to_do_not_run_what_a_gradient_notes(monkeypatch: pytest.MonkeyPatch):
    runs: list[int] = []
    run = noting.Piece.run
    monkeypatch.setattr(noting.Piece, "run", lambda piece: (runs.append(piece._count), run(piece)))

    def loss(x: Tensor) -> Tensor:
        y = ops.zeros((3, 2))
        y[:2] = x * 2.0
        part = y[1]
        part[0] = part[1] * x[0, 0]  # and so in y
        return ops.square(y).sum() + part.sum()

    grad = ms.grad(loss)
    for k in range(4):
        x = rows(2, 2, seed=k)
        runs.clear()
        found = grad(x)
        assert len([count for count in runs if count]) == 1
        assert same(found, one_by_one(grad, x))


@LOOKS
def test_a_normalisation_that_is_called_twice_and_one_whose_averages_were_read(look: bool):
    norm = nn.BatchNorm1d(3)
    norm.set_train()

    def loss(x: Tensor, read: bool) -> Tensor:
        start = (norm.moving_mean * x).sum() if read else 0.0
        value = (norm(norm(x) * x) * x).sum() + start + (norm.moving_variance * x).sum()
        return value * float(value) if look else value

    grad = ms.grad(loss)

    def run(read: bool, seed: int) -> list[Tensor]:
        norm.moving_mean.set_data(Tensor([1.0, 2.0, 3.0]))
        norm.moving_variance.set_data(Tensor([1.0, 2.0, 3.0]))
        return [grad(rows(4, 3, seed=seed), read), norm.moving_mean + 0.0, norm.moving_variance + 0.0]

    for k in range(8):
        for found, wanted in zip(run(k % 2 == 1, k), one_by_one(run, k % 2 == 1, k), strict=True):
            assert same(found, wanted)


class Sequences(nn.Cell):
    """Recurrent layers with state in Python and random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, num_layers=2, dropout=0.5, bidirectional=True)
        self.gru = nn.GRU(8, 4)
        self.scale = 1.0
        self.calls: list[tuple[int, ...]] = []

    def construct(self, x: Tensor, lengths: Any = None) -> Tensor:
        self.calls.append(x.shape)
        y, _ = self.lstm(x, None, lengths)
        _, h = self.gru(y * self.scale)
        return ops.dropout(h, 0.5, self.training)


def test_recurrent_layers_under_all_that_may_change():
    def run() -> list[np.ndarray]:
        ms.set_seed(1)
        net = Sequences()
        grad = ms.value_and_grad(lambda x, n: (net(x, n) ** 2).sum(), 0, net.trainable_params())
        found = []
        for k in range(12):
            net.set_train(k % 4 < 2)
            net.scale = 1.0 + k // 6
            x = rows(4 + k // 3 % 2, 2, 3, seed=k)
            value, (by_x, by_w) = grad(x, Tensor(np.array([2, 4])) if k % 3 == 0 else None)
            found += [value.asnumpy(), by_x.asnumpy(), *(g.asnumpy() for g in by_w)]
            if k == 5:
                net.gru.weight_hh_l0 = Parameter(net.gru.weight_hh_l0 * 2.0, net.gru.weight_hh_l0.name)
                grad = ms.value_and_grad(lambda x, n: (net(x, n) ** 2).sum(), 0, net.trainable_params())
        assert net.calls == [(4 + k // 3 % 2, 2, 3) for k in range(12)]
        return found

    for a, b in zip(run(), one_by_one(run), strict=True):
        assert a.tobytes() == b.tobytes()


def test_functions_of_ops_in_two_threads():
    def work(seed: int) -> None:
        x, labels = rows(6, 5, seed=seed), Tensor(np.arange(6) % 5)
        grad = ms.value_and_grad(lambda x: ops.cross_entropy(ops.gelu(x) * 2.0, labels))
        for _ in range(20):
            value, by_x = grad(x)
            results.append((seed, value.item(), by_x.asnumpy().tobytes()))

    results: list[Any] = []
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 80 and len(set(results)) == 4


# Errors


def line_of(function: Callable[..., Any], text: str) -> str:
    lines, first = inspect.getsourcelines(function)
    (offset,) = [i for i, line in enumerate(lines) if line.strip().startswith(text)]
    return f"test_eager.py:{first + offset}"


def test_an_index_out_of_range_names_its_line_and_changes_nothing():
    def f(index: Tensor) -> Tensor:
        ops.assign(p, p + 1.0)
        return ops.gather(table, index, 0) * 2.0

    p, table = Parameter(np.zeros(1, np.float32), "p"), rows(4, 2)
    right, wrong = Tensor(np.array([0, 3])), Tensor(np.array([1, 4]))
    for steps in range(1, 4):  # op by op, compiled, again
        with pytest.raises(IndexError, match="out of range") as caught:
            together(f, wrong)
        assert line_of(f, "return ops.gather") in str(caught.value)
        assert p.item() == steps - 1
        together(f, right)
        assert p.item() == steps


def test_a_loss_called_at_two_lines_names_the_one_that_failed():
    loss, logits = nn.CrossEntropyLoss(), rows(2, 3)
    right, wrong = Tensor(np.array([0, 1])), Tensor(np.array([0, 7]))
    for _ in range(3):
        loss(logits, right)
    with pytest.raises(IndexError) as caught:
        loss(logits, wrong)
    here = test_a_loss_called_at_two_lines_names_the_one_that_failed
    assert line_of(here, "loss(logits, wrong)") in str(caught.value)


def test_what_could_not_be_computed_says_so_again():
    def f(index: Tensor) -> None:
        kept.append(ops.gather(rows(4, 2), index, 0))

    kept: list[Tensor] = []
    with pytest.raises(IndexError):
        together(f, Tensor(np.array([9])))
    with pytest.raises(IndexError, match="out of range"):
        kept[0].asnumpy()


def test_an_error_in_the_middle_leaves_values_and_the_next_call_right():
    def f(x: Tensor, wrong: bool) -> Tensor:
        kept.append(x * 2.0)
        y = rows(3)
        return ops.matmul(x, y) if wrong else x + kept[-1]

    kept: list[Tensor] = []
    x = rows(2, 2)
    for wrong in (True, False, True, False, True, False):
        if wrong:
            with pytest.raises(ValueError, match="matmul"):
                together(f, x, wrong)
        else:
            assert same(together(f, x, wrong), x + x * 2.0)
        assert same(kept[-1], x * 2.0)
    assert state.now.piece is None


def test_an_error_that_is_caught_within_a_piece():
    def f(x: Tensor) -> Tensor:
        z = rows(7)
        try:
            x = x + z
        except ValueError:
            x = x * 2.0
        return x + z.sum() * 0.0

    for _ in range(3):
        assert together(f, Tensor([1.0, 2.0])).tolist() == [2.0, 4.0]


def test_a_stand_in_of_a_trace_has_no_place_in_a_piece():
    kept: list[Tensor] = []
    with pytest.raises(RuntimeError):
        ms.jit(lambda x: kept.append(x * 2.0))(rows(2))
    with pytest.raises(TracedValueError):
        together(lambda x: stop_gradient(x) + 1.0, kept[0])


def test_the_setting_is_a_bool():
    with pytest.raises(TypeError, match="pynative_synchronize"):
        ms.set_context(pynative_synchronize=1)


# Layers


def test_a_layer_is_called_once_for_each_place(monkeypatch: pytest.MonkeyPatch):
    net = nn.SequentialCell(nn.Dense(3, 4, activation="gelu"), nn.Dropout(p=0.5), nn.LayerNorm((4,)), nn.Dense(4, 3))
    counts = Counted(nn.Dense.construct, lambda function: function)
    monkeypatch.setattr(nn.Dense, "construct", lambda *args: counts(*args))
    found = [together(lambda x: net(net(x) + x), rows(2, 3, seed=k)) for k in range(5)]
    assert counts.calls == 4
    for k, value in enumerate(found):
        assert same(value, one_by_one(lambda x: net(net(x) + x), rows(2, 3, seed=k)))


def test_a_layer_that_changes_is_called_again():
    dense, x = nn.Dense(3, 2), rows(2, 3)
    net = nn.SequentialCell(dense, nn.Dropout(p=0.5), nn.ReLU())

    def is_right() -> bool:
        return same(net(x), one_by_one(net, x)) and same(net(x), ops.relu(ops.dense(x, dense.weight, dense.bias)))

    assert is_right()
    dense.weight.set_data(dense.weight * 2.0)
    assert is_right()
    dense.weight = Parameter(rows(2, 3, seed=3), "other")
    assert is_right()
    handle = dense.register_forward_hook(lambda cell, inputs, value: value * 0.0 + 5.0)
    assert (net(x).asnumpy() == 5.0).all()
    handle.remove()
    assert is_right()
    net.set_train()
    assert len({net(x).asnumpy().tobytes() for _ in range(20)}) > 1
    net.set_train(False)
    assert is_right()
    net[2] = nn.Threshold(1e9, 7.0)
    assert (net(x).asnumpy() == 7.0).all()
    net[2] = nn.ReLU()
    for number in (1.0, 2.0):
        dense.activation = lambda y, number=number: y * 0.0 + number  # a function may do anything
        assert (net(x).asnumpy() == number).all()


def test_a_layer_that_a_program_derives_is_called_each_time_if_it_defines_methods():
    class Plain(nn.SequentialCell):
        """As it is."""

        def __init__(self, width: int) -> None:
            super().__init__(nn.Dense(3, width), nn.ReLU())

    class Noisy(nn.ReLU):
        def construct(self, x: Tensor) -> Tensor:
            calls.append("construct")
            return super().construct(x)

    class Turned(nn.Conv2d):
        def _kernel(self) -> Tensor:
            calls.append("kernel")
            return ops.flip(super()._kernel(), (2,))

    calls: list[str] = []
    net, turned, own = nn.SequentialCell(Plain(2), Noisy()), Turned(1, 1, 3), nn.ReLU()
    own.construct = lambda x: calls.append("own") or x
    for _ in range(4):
        net(rows(2, 3))
        turned(rows(1, 1, 4, 4))
        own(rows(2))
    assert [*map(calls.count, ("construct", "kernel", "own"))] == [4, 4, 4]


def test_layers_that_are_alike_do_not_stand_for_one_another():
    x = rows(2, 3)
    for k in range(4):
        dense = nn.Dense(3, 2)
        dense.weight.set_data(rows(2, 3, seed=k))
        assert same(dense(x), one_by_one(dense, x))
        dense.to_float(ms.float16)
        assert same(dense(x), one_by_one(dense, x)) and dense(x).dtype is ms.float16


def test_what_is_known_of_a_layer_keeps_no_network_alive():
    net = nn.Dense(3, 2)
    together(net, rows(2, 3))
    held = weakref.ref(net.weight)
    assert "_fixed_as" in vars(net) and "_fixed_as" not in vars(copy.deepcopy(net))
    del net
    gc.collect()
    assert held() is None


def test_derivatives_of_layers_and_what_they_write():
    def train() -> list[bytes]:
        ms.set_seed(1)
        net = nn.SequentialCell(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Dense(32, 2))
        net.set_train()
        optimizer = nn.Adam(net.trainable_params(), 0.1)
        gradient = ms.value_and_grad(lambda x: (net(x) ** 2).sum() + net(x * 0.5).sum(), None, optimizer.parameters)
        for k in range(4):
            value, weights = gradient(rows(2, 1, 4, 4, seed=k))
            optimizer(weights)
        return [value.asnumpy().tobytes(), *(p.asnumpy().tobytes() for p in net.get_parameters())]

    assert train() == one_by_one(train)


def test_methods_and_operators_of_tensors_are_read_once_for_each_place(monkeypatch: pytest.MonkeyPatch):
    def f(x: Tensor) -> Tensor:
        y = x.reshape(3, -1).T @ x.transpose(0, 2, 1).flatten(start_dim=1).T.permute(1, 0).astype(ms.float32)
        return (y.mT**2).argmax(-1).expand_as(y[:, 0]).repeat(2)

    x = rows(3, 2, 3)
    first = together(f, x)
    monkeypatch.setattr(sys.modules["graphc.ops.shape"], "as_ints", None)  # `ops.shape` is a function
    monkeypatch.setattr(linalg, "same_dtype", None)
    assert same(together(f, x), first)
    monkeypatch.undo()
    assert same(one_by_one(f, x), first)


def test_a_parameter_of_a_layer_that_is_an_argument_too():
    dense, other = nn.Dense(2, 2, has_bias=False), Parameter(rows(2, 2, seed=5), "other")
    for k in range(6):
        x = other if k % 2 else dense.weight
        assert same(together(lambda x: dense(x) + 0.0, x), one_by_one(lambda x: dense(x) + 0.0, x))


def test_a_layer_whose_parameter_was_written():
    dense = nn.Dense(2, 2)

    def f(x: Tensor) -> Tensor:
        y = dense(x)
        ops.assign(dense.weight, dense.weight * 0.5)
        return dense(y) + dense(x)

    def made() -> list[bytes]:
        dense.weight.set_data(rows(2, 2, seed=3))
        return [f(rows(3, 2, seed=k)).asnumpy().tobytes() for k in range(4)]

    with_pieces = []
    dense.weight.set_data(rows(2, 2, seed=3))
    for k in range(4):
        with_pieces.append(together(f, rows(3, 2, seed=k)).asnumpy().tobytes())
    assert with_pieces == one_by_one(made)
