"""`scan`: loops as one node. Their values, derivatives and derivatives of these are those of the steps one by one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from modes import each_of, mode, threads

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.compiler import stage_texts
from graphc.ops.recurrence import body_of, scan, scan_
from graphc.programs import compile_graph
from graphc.trace import trace

Tensors = tuple[Tensor, ...]
Step = Callable[[Tensors, Tensors, Tensors], tuple[Tensors, Tensors]]


def one_by_one(
    step: Step, carried: Sequence[Tensor], items: Sequence[Tensor], shared: Sequence[Tensor] = (),
    backwards: bool = False,
) -> tuple[Tensors, Tensors]:  # fmt: skip
    """What `scan` computes, a step after the other."""
    state, rows = tuple(carried), []
    times = range(items[0].shape[0])
    for t in reversed(times) if backwards else times:
        state, results = step(state, tuple(x[t] for x in items), tuple(shared))
        rows.append(results)
    columns = zip(*(rows[::-1] if backwards else rows), strict=True)
    return state, tuple(ops.stack(list(column)) for column in columns)


def recurrent(state: Tensors, items: Tensors, shared: Tensors) -> tuple[Tensors, Tensors]:
    h = ops.tanh(items[0] + ops.matmul(state[0], shared[0]) + shared[1])
    return (h,), (h * 2,)


def gated(state: Tensors, items: Tensors, shared: Tensors) -> tuple[Tensors, Tensors]:
    """Two tensors carried, one of them a result, a mask among the items, a weight that is read element by element."""
    h, c = state
    x, alive = items
    gate = ops.sigmoid(x + ops.dense(h, shared[0]) * shared[1])
    c = ops.where(alive, c * gate + x, c)
    h = ops.where(alive, ops.relu(c) - gate, h)
    return (h, c), (h, c * c)


def forgetful(state: Tensors, items: Tensors, shared: Tensors) -> tuple[Tensors, Tensors]:
    """What one step carries on does not depend on what it was given."""
    return (items[0] * shared[1],), (state[0] + ops.exp(shared[1]),)


def counting(state: Tensors, items: Tensors, shared: Tensors) -> tuple[Tensors, Tensors]:
    """No items but times, a weight that only some steps' values depend on, a result that is what was given."""
    return (state[0] * shared[1], state[0]), (state[1], items[0] + ops.matmul(shared[0], shared[0]).sum())


KINDS: dict[str, tuple[Step, int, bool]] = {
    "recurrent": (recurrent, 1, False), "gated": (gated, 2, True), "forgetful": (forgetful, 1, False),
    "counting": (counting, 2, False),
}  # fmt: skip


def given(kind: str, steps: int, batch: int = 3, width: int = 4) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    _, count, masked = KINDS[kind]
    rng = np.random.default_rng(steps)

    def normal(*shape: int) -> Tensor:
        return Tensor(rng.standard_normal(shape).astype(np.float32))

    carried, items = [normal(batch, width) for _ in range(count)], [normal(steps, batch, width)]
    if masked:
        items.append(Tensor(rng.random((steps, batch, 1)) < 0.7))
    return carried, items, [normal(width, width), normal(width)]


def value_and_gradients(loop: Callable[..., Any], kind: str, steps: int, backwards: bool) -> list[np.ndarray]:
    """The value of a function of all that the loop returns, and its gradients by all floats that it reads."""
    carried, items, shared = given(kind, steps)
    count, rest = len(carried), items[1:]

    def function(*floats: Tensor) -> Tensor:
        start, x, weights = floats[:count], floats[count], floats[count + 1 :]
        last, results = loop(KINDS[kind][0], start, (x, *rest), weights, backwards)
        return sum((ops.sin(y).sum() for y in (*last, *results)), ops.zeros((), ms.float32))

    floats = [*carried, items[0], *shared]
    value, grads = ms.value_and_grad(function, tuple(range(len(floats))))(*floats)
    return [value.asnumpy(), *(g.asnumpy() for g in each_of(grads))]


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("steps", [1, 2, 3, 17])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_is_its_steps(kind: str, steps: int, backwards: bool, each_mode: int) -> None:
    carried, items, shared = given(kind, steps)
    loops = [loop(KINDS[kind][0], carried, items, shared, backwards) for loop in (scan, one_by_one)]
    for got, wanted in zip(*((*last, *results) for last, results in loops), strict=True):
        np.testing.assert_array_equal(got.asnumpy(), wanted.asnumpy())


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("steps", [1, 2, 3, 17])
@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_are_those_of_the_steps(kind: str, steps: int, backwards: bool, each_mode: int) -> None:
    got, wanted = (value_and_gradients(loop, kind, steps, backwards) for loop in (scan, one_by_one))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_both_modes_give_the_same_bits(kind: str) -> None:
    found = []
    for chosen in (ms.GRAPH_MODE, ms.PYNATIVE_MODE):
        with mode(chosen):
            found.append(value_and_gradients(scan, kind, 5, False))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_derivatives_of_derivatives(backwards: bool, each_mode: int) -> None:
    carried, items, shared = given("recurrent", 4)
    floats = [*carried, *items, *shared]

    def slope(loop: Callable[..., Any]) -> Callable[..., Tensor]:
        def function(h: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
            (last,), (results,) = loop(recurrent, (h,), (x,), (w, b), backwards)
            return ops.sin(results).sum() + (last * last).sum()

        def first(*given: Tensor) -> Tensor:
            grads = ms.grad(function, (0, 1, 2, 3))(*given)
            return sum(((g * g).sum() for g in grads), ops.zeros((), ms.float32))

        return first

    got, wanted = (ms.grad(slope(loop), (0, 1, 2, 3))(*floats) for loop in (scan, one_by_one))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-5, atol=1e-5)


def test_what_a_step_takes_from_outside_is_shared(each_mode: int) -> None:
    carried, items, (w, b) = given("recurrent", 3)

    def function(w: Tensor) -> Tensor:
        (last,), _ = scan(lambda state, items, _: recurrent(state, items, (w, b)), carried, items)
        return last.sum()

    def wanted(w: Tensor) -> Tensor:
        return scan(recurrent, carried, items, (w, b))[0][0].sum()

    np.testing.assert_array_equal(ms.grad(function)(w).asnumpy(), ms.grad(wanted)(w).asnumpy())


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(1)
    net, x = nn.LSTM(96, 128), Tensor(rng.standard_normal((60, 64, 96)).astype(np.float32))
    step = ms.jit(ms.value_and_grad(lambda x: net(x)[0].sum(), None, net.trainable_params()))
    found = []
    for count in (1, 2):
        with threads(count):
            value, grads = step(x)
            found.append([value.asnumpy(), *(g.asnumpy() for g in each_of(grads))])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_graph_has_one_node_for_any_number_of_steps() -> None:
    def nodes(steps: int) -> int:
        carried, items, shared = given("recurrent", steps)

        def function(h: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Any:
            loss = lambda *floats: scan(recurrent, floats[:1], floats[1:2], floats[2:])[1][0].sum()  # noqa: E731
            return ms.value_and_grad(loss, (0, 2, 3))(h, x, w, b)

        return len(trace(function, (*carried, *items, *shared), {}, "loss").graph.nodes)

    assert nodes(3) == nodes(300)


def test_what_is_the_same_in_all_steps_is_computed_once() -> None:
    carried, items, shared = given("recurrent", 6, 8, 32)

    def step(state: Tensors, items: Tensors, shared: Tensors) -> tuple[Tensors, Tensors]:
        h = ops.matmul(state[0], ops.matmul(shared[0], shared[0])) + items[0]
        return (h,), ()

    graph = trace(lambda h, x, w: scan(step, (h,), (x,), (w,))[0], (*carried, *items, shared[0]), {}, "f").graph
    text = next(text for name, text in stage_texts(graph) if name == "llvm")
    loop = next(module for module in text.split("\n; ") if "scan" in module.split("\n", 1)[0])
    before, _, inside = loop.partition("phi i64")
    assert before.count("call void @k_matmul") == 1 and inside.count("call void @k_matmul") == 1


def test_what_only_the_next_step_reads_has_two_places() -> None:
    carried, items, shared = given("recurrent", 50)
    without = trace(lambda *x: scan(recurrent, x[:1], x[1:2], x[2:])[0], (*carried, *items, *shared), {}, "f").graph
    (loop,) = (node for node in without.nodes if node.op == "scan")
    assert loop.attrs["writes"][0] == (0, 2)


def test_the_graph_of_a_loop_is_text_that_can_be_read() -> None:
    from graphc.irtext import graph_text, parse

    carried, items, shared = given("gated", 4)
    graph = trace(
        lambda *x: ms.grad(lambda *x: scan(gated, x[:2], (x[2], items[1]), x[3:])[1][0].sum(), (0, 2, 3))(*x),
        (*carried, items[0], *shared), {}, "f",
    ).graph  # fmt: skip
    assert graph_text(parse(str(graph))) == str(graph)
    loops = [node for node in graph.nodes if node.op == "scan"]
    assert len(loops) > 1 and all(body_of(node.attrs["body"]) for node in loops)


def test_errors_tell_what_a_step_did() -> None:
    carried, items, _ = given("recurrent", 3)
    with pytest.raises(ValueError, match=r"scan: the step was given f32\[3,4\] and carries on f32\[3\]; test_rec"):
        scan(lambda state, items, _: ((state[0].sum(1),), ()), carried, items)
    with pytest.raises(ValueError, match=r"scan: .* no items; test_rec"):
        scan(lambda state, items, _: (state, ()), carried, [x[:0] for x in items])
    with pytest.raises(TypeError, match=r"scan: .* one float type, got float32, int32; test_rec"):
        scan(lambda state, items, _: (state, (ops.cast(items[0], ms.int32),)), carried, items)
    with pytest.raises(ValueError, match=r"scan: .* 3 and 2 items; test_rec"):
        scan(lambda state, items, _: (state, ()), carried, [items[0], items[0][:2]])
    with pytest.raises(ValueError, match=r"scan: a step cannot .* gather"):
        scan(lambda state, items, _: ((state[0][ops.argmax(items[0], 1)],), ()), carried, items)


def test_a_step_that_assigns_is_told() -> None:
    carried, items, _ = given("recurrent", 3)
    count = ms.Parameter(Tensor(np.zeros((3, 4), np.float32)), "count")

    def step(state: Tensors, items: Tensors, shared: Tensors) -> tuple[Tensors, Tensors]:
        ops.assign(count, state[0])
        return state, ()

    with pytest.raises(ValueError, match="scan: a step cannot assign to Parameter count"):
        scan(step, carried, items)
    assert not count.asnumpy().any()


def test_a_step_that_sets_elements_from_outside_is_told() -> None:
    carried, items, _ = given("recurrent", 3)
    outside = Tensor(np.zeros(4, np.float32))

    def setting(state: Tensors, items: Tensors, shared: Tensors) -> tuple[Tensors, Tensors]:
        own = Tensor(np.ones(4, np.float32))
        own[0] = items[0][0, 0]
        if wrong:
            outside[0] = items[0][0, 0]
        return (state[0] * own,), ()

    wrong = False
    wanted = one_by_one(setting, carried, items, ())[0][0].asnumpy()
    np.testing.assert_allclose(scan(setting, carried, items)[0][0].asnumpy(), wanted)
    wrong = True
    with pytest.raises(ValueError, match="scan: a step cannot assign to elements of a tensor from outside, at"):
        scan(setting, carried, items)
    assert outside.tolist() == [0, 0, 0, 0]


def test_a_step_that_sets_an_attribute_is_told() -> None:
    carried, items, _ = given("recurrent", 3)

    class Counting(nn.Cell):
        calls = 0

        def construct(self, x: Tensor) -> Tensor:
            self.calls += 1  # once for all steps, if it were not told
            return x

    cell = Counting()
    with pytest.raises(AttributeError, match="Counting: attribute 'calls' is set while the Cell is traced"):
        scan(lambda state, items, _: ((cell(items[0]),), ()), carried, items)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("lengths", [None, [5, 1, 3, 0]], ids=["whole", "lengths"])
def test_recurrent_layers_are_their_cells(kind: str, lengths: list[int] | None, each_mode: int) -> None:
    layer, cell = getattr(nn, kind)(6, 5), getattr(nn, f"{kind}Cell")(6, 5)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).set_data(getattr(layer, f"{name}_l0"))
    x = Tensor(np.random.default_rng(2).standard_normal((5, 4, 6)).astype(np.float32))
    outputs, last = layer(x, None, None if lengths is None else Tensor(lengths, ms.int32))
    last = last if isinstance(last, tuple) else (last,)
    for n, length in enumerate(lengths or [5] * 4):
        state: Any = tuple(ops.zeros((1, 5), ms.float32) for _ in last)
        for t in range(length):
            state = cell(x[t, n : n + 1], state if kind == "LSTM" else state[0])
            state = state if isinstance(state, tuple) else (state,)
            np.testing.assert_allclose(outputs[t, n].asnumpy(), state[0][0].asnumpy(), rtol=1e-5, atol=1e-6)
        assert not outputs[length:, n].asnumpy().any()
        for got, wanted in zip(last, state, strict=True):
            np.testing.assert_allclose(got[0, n].asnumpy(), wanted[0].asnumpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("dtypes", [("f32", "f64", "f32"), ("f64", "f32", "f32"), ("f32", "f32", "f64")], ids=str)
def test_layers_compute_in_the_widest_type_of_what_they_are_given(kind: str, dtypes: tuple[str, str, str]) -> None:
    """Of the input, the weights and the state."""
    types = {"f32": ms.float32, "f64": ms.float64}
    layer = getattr(nn, kind)(3, 2, dtype=types[dtypes[1]])
    x, h = ops.ones((4, 5, 3), types[dtypes[0]]), ops.ones((1, 5, 2), types[dtypes[2]])
    outputs, _ = layer(x, (h, h) if kind == "LSTM" else h)
    assert outputs.dtype == ms.float64
    assert layer(x)[0].dtype == (ms.float64 if "f64" in dtypes[:2] else ms.float32)


def test_loops_in_one_program_share_their_kernels() -> None:
    net = nn.LSTM(8, 8, num_layers=3)
    graph = trace(lambda x: net(x)[0], (ops.ones((4, 2, 8), ms.float32),), {}, "f").graph
    executable = compile_graph(graph, list(net.trainable_params()))
    codes = [code for code in executable.program.codes if code.times > 1]
    assert len(codes) == 3 and len({code.name for code in codes}) == 1


@pytest.mark.parametrize("unroll", [True, False])
def test_scan_of_users_is_one_node_if_they_say_so(unroll: bool) -> None:
    xs = list(Tensor(np.random.default_rng(3).standard_normal((7, 4)).astype(np.float32)))
    weight = Tensor(np.linspace(-1, 1, 4, dtype=np.float32))

    def step(carry: dict[str, Tensor], x: Tensor) -> tuple[dict[str, Tensor], Any]:
        h = ops.tanh(carry["h"] * weight + x)
        return {"h": h, "n": carry["n"] + 1}, (h, [h * carry["n"]])

    def loss(weight_and_xs: Any) -> Any:
        start = {"h": ops.zeros(4, ms.float32), "n": ops.zeros((), ms.float32)}
        carry, results = ops.Scan()(step, start, weight_and_xs, unroll=unroll)
        return carry["h"].sum() + sum(y.sum() for _, (y,) in results), carry["n"]

    graph = trace(lambda xs: loss(xs), (xs,), {}, "f").graph
    assert sum(node.op == "scan" for node in graph.nodes) == (not unroll)
    with mode(ms.GRAPH_MODE):
        value, count = ms.jit(loss)(xs)
    assert count == 7
    h, wanted = np.zeros(4, np.float32), 0.0
    for n, x in enumerate(xs):
        h = np.tanh(h * weight.asnumpy() + x.asnumpy())
        wanted += float((h * n).sum())
    np.testing.assert_allclose(value.asnumpy(), wanted + h.sum(), rtol=1e-5)


def test_scan_of_what_no_loop_carries_is_unrolled() -> None:
    carry, results = ops.Scan()(lambda c, x: (c + 1, x * c), 0, [Tensor([1.0]), Tensor([2.0, 3.0])], unroll=False)
    assert carry == 2 and [r.asnumpy().tolist() for r in results] == [[0.0], [2.0, 3.0]]


def test_loops_in_loops(each_mode: int) -> None:
    carried, _, shared = given("recurrent", 3)
    rows = Tensor(np.random.default_rng(5).standard_normal((3, 2, 3, 4)).astype(np.float32))

    def outer(loop: Callable[..., Any]) -> Step:
        def step(state: Tensors, items: Tensors, shared: Tensors) -> tuple[Tensors, Tensors]:
            (h,), (results,) = loop(recurrent, state, items, shared)
            return (h,), (results.sum(0),)

        return step

    def loss(loop: Callable[..., Any], *floats: Tensor) -> Tensor:
        (last,), (results,) = loop(outer(loop), floats[:1], floats[1:2], floats[2:])
        return ops.sin(results).sum() + last.sum()

    floats = (carried[0], rows, *shared)
    got, wanted = (ms.grad(lambda *x, loop=loop: loss(loop, *x), (0, 1, 2, 3))(*floats) for loop in (scan, one_by_one))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=2e-5, atol=2e-5)
    graph = trace(lambda *x: loss(scan, *x), floats, {}, "f").graph
    from graphc.irtext import graph_text, parse

    assert graph_text(parse(str(graph))) == str(graph)


@pytest.mark.parametrize("order", [1, 2])
def test_loops_in_loops_keep_what_their_derivatives_read(order: int) -> None:
    """What the inner one carries is none of its results, but its derivative reads it in every step."""
    rows = Tensor(np.random.default_rng(5).standard_normal((2, 3, 4)))

    def loss(loop: Callable[..., Any], x: Tensor) -> Tensor:
        def inner(state: Tensors, items: Tensors, _: Tensors) -> tuple[Tensors, Tensors]:
            return (ops.tanh(state[0] * 0.5 + items[0]),), (state[0] * 2.0,)

        def outer(state: Tensors, items: Tensors, _: Tensors) -> tuple[Tensors, Tensors]:
            (h,), (results,) = loop(inner, state, items)
            return (h,), (results.sum(0),)

        return (loop(outer, (x[0, 0],), (x,))[1][0] ** 2).sum()

    found = []
    for loop in (scan, one_by_one):
        function = functools.partial(loss, loop)
        for _ in range(order):
            function = ms.grad(lambda x, of=function: ops.sin(of(x)).sum())
        found.append(function(rows).asnumpy())
    np.testing.assert_allclose(*found, rtol=1e-9)


def test_a_step_with_a_derivative_of_its_own_is_told() -> None:
    class Doubled(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            return x * 2.0

        def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
            return (dout * 100.0,)

    cell, (items,) = Doubled(), given("recurrent", 3)[1]
    function = functools.partial(scan, lambda state, items, _: ((cell(items[0]),), ()), (items[0],))
    np.testing.assert_array_equal(function((items,))[0][0].asnumpy(), items[-1].asnumpy() * 2)
    with pytest.raises(ValueError, match="scan: a step cannot have a derivative of its own, as Doubled"):
        ms.grad(lambda x: function((x,))[0][0].sum())(items)


def test_a_cell_in_a_loop_is_one_that_the_graph_depends_on() -> None:
    carried, items, _ = given("recurrent", 3)

    class Scaled(nn.Cell):
        factor = 2.0

        def construct(self, x: Tensor) -> Tensor:
            return x * self.factor if self.training else x

    cell = Scaled()
    function = ms.jit(lambda x: scan(lambda state, items, _: ((cell(items[0]),), ()), carried, (x,))[0][0])
    with mode(ms.GRAPH_MODE):
        for training in (False, True, False):
            cell.set_train(training)
            wanted = items[0][-1].asnumpy() * (2 if training else 1)
            np.testing.assert_array_equal(function(items[0]).asnumpy(), wanted)


GOOD = {
    "body": "graph step(%h: f32[4], %x: f32[4], %w: f32[4]) {\n  %0: f32[4] = add(%h, %x)\n"
    "  %1: f32[4] = mul(%0, %w)\n  return %1\n}",
    "count": 3, "backwards": False, "writes": ((0, 3),),
    "reads": ((-1, 0, 3, -1, 0), (1, 0, 3, 0, -1), (2, 0, 0, 0, -1)),
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0}, {"count": 4}, {"backwards": True}, {"writes": ((-1, 3),)}, {"writes": ((0, 4),)},
        {"writes": ((0, 1),)}, {"writes": ((16, 3),)}, {"writes": ((0, 3), (12, 3))},
        {"reads": ((-1, 0, 3, -1, 0), (1, 1, 3, 0, -1), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 0, 3, -1, 0), (1, -4, 3, 0, -1), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 0, 3, -1, 0), (1, 0, 3, 1, -1), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 0, 3, -1, 0), (1, 0, 3, 2, 0), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 0, 3, -1, 0), (1, 0, 2, 0, -1), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 0, 3, -1, -1), (1, 0, 3, 0, -1), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 0, 3, -1, 1), (1, 0, 3, 0, -1), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 0, 3, 0, -1), (1, 0, 3, 0, -1), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 4, 3, -1, 0), (1, 0, 3, 0, -1), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 0, 3, -1, 0), (4, 0, 3, 0, -1), (2, 0, 0, 0, -1))},
        {"reads": ((-1, 0, 3, -1, 0), (1, 0, 3, 0, -1), (3, 0, 0, 0, -1))},
        {"body": GOOD["body"].replace("%1: f32[4]", "%1: f32[9]")},
        {"body": "graph step(%h: f32[4]) {\n  %0: i64[4] = cast(%h, dtype=graphc.int64)\n  return %0\n}"},
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_is_no_loop(wrong: dict[str, Any]) -> None:
    """A graph may come from a file: whatever it says, nothing is read or written outside of its buffers."""
    h, x = Tensor(np.ones(4, np.float32)), Tensor(np.arange(12, dtype=np.float32))
    operands = h, x, Tensor(np.full(4, 2.0, np.float32)), Tensor(np.ones(4, np.float64))
    assert scan_(*operands, **GOOD).asnumpy()[-4:].tolist() == [40.0, 54.0, 68.0, 82.0]
    with pytest.raises(ValueError, match=r"scan|graph step"):
        scan_(*operands, **{**GOOD, **wrong})
