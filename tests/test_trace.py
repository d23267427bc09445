"""Tracing: what becomes an input, a constant, an update; where nodes come from; what a graph cannot hold."""

from __future__ import annotations

import gc
import inspect
import random
import warnings
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, Tensor, jit, nn, ops
from graphc.dtype import float32, float64, int64
from graphc.ir import LEAVES, Graph, TensorType
from graphc.nested import flatten
from graphc.tensor import TracedValueError
from graphc.trace import Traced, TraceError, trace

X = Tensor(np.array([1.0, 2.0, 3.0], np.float32))
F3 = TensorType((3,), float32)


def traced(function: Any, *args: Any, **kwargs: Any) -> Traced:
    return trace(function, args, kwargs, "f")


def graph_of(function: Any, *args: Any, **kwargs: Any) -> Graph:
    return traced(function, *args, **kwargs).graph


def body(graph: Graph) -> list[str]:
    """The graph's lines without locations."""
    return [line.split("  #")[0].strip() for line in str(graph).splitlines()[1:-1]]


def here(offset: int = 0) -> str:
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return f"test_trace.py:{frame.f_back.f_lineno + offset}"


# What becomes of values


def test_arguments_are_named_after_parameters() -> None:
    def f(x: Tensor, pair: tuple[Tensor, Tensor], *, scale: Tensor) -> Tensor:
        return x + pair[0] * pair[1] * scale

    graph = graph_of(f, X, (X, X), scale=X)
    assert [n.attrs["name"] for n in graph.inputs] == ["x", "pair0", "pair1", "scale"]
    assert graph.arguments == 4 and all(n.type == F3 for n in graph.inputs)


def test_unused_arguments_stay_inputs() -> None:
    graph = graph_of(lambda x, y: y, X, X)
    assert [n.attrs["name"] for n in graph.inputs] == ["x", "y"] and graph.outputs == (graph.inputs[1],)


def test_parameters_are_bound_by_name_and_once() -> None:
    w = Parameter(np.ones(3, np.float32), "net.w")
    result = traced(lambda x: x * w + w, X)
    assert str(result.graph).startswith("graph f(%x: f32[3]; %net.w: f32[3]) {")
    assert result.bound == (w,) or (len(result.bound) == 1 and result.bound[0] is w)


def test_parameters_of_one_name_are_told_apart() -> None:
    v, w = (Parameter(np.full(3, k, np.float32), "w") for k in (1.0, 2.0))
    result = traced(lambda x: x * v + w, X)
    assert [n.attrs["name"] for n in result.graph.inputs] == ["x", "w", "w.1"]
    assert result.bound[0] is v and result.bound[1] is w


def test_tensors_from_outside_are_captured_and_scalars_are_constants() -> None:
    table, rate, count = Tensor(np.ones(3, np.float32)), Tensor(0.5, float32), Tensor(3, int64)
    result = traced(lambda x: x * table * rate + count, X)
    assert str(result.graph).startswith("graph f(%x: f32[3]; %const: f32[3]) {")
    assert "broadcast_to(0.5, shape=(3,))" in str(result.graph) and "cast(3, dtype=graphc.float32)" in str(result.graph)
    np.testing.assert_array_equal(result.bound[0].asnumpy(), np.ones(3))


def test_python_numbers_take_the_dtype_of_the_tensor() -> None:
    double = Tensor(np.ones(3))
    assert body(graph_of(lambda x: x * 2.5, double))[0] == "%0: f64[3] = broadcast_to(2.5:f64, shape=(3,))"


def test_a_number_in_every_element_is_one_node_for_each_shape_and_dtype() -> None:
    def f(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        ones = ops.full((3,), 1.0), ops.full((3,), 1)
        return x * 0.5, x + 0.5, y + 0.5, x * -0.0, x * 0.0, ones[0] * x, ones[1] + 1

    graph = graph_of(f, X, Tensor(np.zeros((2, 3), np.float32)))
    filled = [n for n in graph.nodes if n.op == "broadcast_to"]
    told = [(repr(n.operands[0].attrs["value"]), n.type) for n in filled]
    assert len(told) == len(set(told)) == 6
    assert sum(value == "0.5" for value, _ in told) == 2 and {"0.0", "-0.0"} <= {value for value, _ in told}
    assert len([n for n in graph.nodes if n.op == "constant"]) == 5


def test_numbers_of_a_graph_can_be_assigned_to() -> None:
    def f(x: Tensor) -> tuple[Tensor, Tensor]:
        ones = ops.full((3,), 1.0)
        ones[0] = 5.0
        return x * ones, x * ops.full((3,), 1.0)

    first, second = ms.jit(f)(X)
    np.testing.assert_array_equal(first.asnumpy(), [5, 2, 3])
    np.testing.assert_array_equal(second.asnumpy(), [1, 2, 3])


def test_arguments_that_are_no_tensors_are_constants() -> None:
    assert "2.5" in str(graph_of(lambda x, rate: x * rate, X, 2.5))
    assert graph_of(lambda x, twice=False: x + x if twice else x, X, twice=True).outputs[0].op == "add"


def test_the_same_tensor_twice_is_two_inputs() -> None:
    graph = graph_of(lambda x, y: x - y, X, X)
    assert len(graph.inputs) == 2 and graph.outputs[0].operands == graph.inputs


def test_arrays_made_while_tracing_are_captured() -> None:
    result = traced(lambda x: x + Tensor(np.arange(3, dtype=np.float32)) + np.ones(3, np.float32), X)
    assert [n.attrs["name"] for n in result.graph.inputs] == ["x", "const", "const.1"]


# Updates


def test_assignment_becomes_an_update() -> None:
    w = Parameter(np.ones(3, np.float32), "w")

    def step(x: Tensor) -> Tensor:
        before = w * 2
        ops.assign(w, w + x)
        return before + w

    graph = graph_of(step, X)
    assert body(graph) == [
        "%0: f32[3] = add(%w, %x)",
        "%1: f32[3] = broadcast_to(2.0, shape=(3,))",
        "%2: f32[3] = mul(%w, %1)",
        "%3: f32[3] = add(%2, %0)",
        "update %w <- %0",
        "return %3",
    ] or body(graph)[-2].startswith("update %w <- ")
    ((target, value),) = graph.updates
    assert value in graph.outputs[0].operands and target.attrs["name"] == "w"
    np.testing.assert_array_equal(w.asnumpy(), 1)  # tracing runs nothing


def test_only_the_last_assignment_counts() -> None:
    w = Parameter(np.ones(3, np.float32), "w")

    def step(x: Tensor) -> None:
        w.set_data(x)
        w.set_data(w * 2)

    graph = graph_of(step, X)
    ((_, value),) = graph.updates
    assert value.op == "mul" and graph.outputs == ()


def test_a_parameter_set_to_itself_is_no_update() -> None:
    w = Parameter(np.ones(3, np.float32), "w")
    assert graph_of(lambda x: (ops.assign(w, w), x)[1], X).updates == ()


def test_assignment_casts_and_checks_the_shape() -> None:
    w = Parameter(np.ones(3, np.float32), "w")
    graph = graph_of(lambda x: ops.assign(w, x), Tensor(np.ones(3)))
    assert graph.updates[0][1].op == "cast"
    with pytest.raises(ValueError, match=r"assign: shapes differ, w is f32\[3\], the value is f32\[2\]; test_trace.py"):
        graph_of(lambda x: ops.assign(w, x), Tensor(np.ones(2, np.float32)))


def test_setitem_of_a_parameter_is_an_update() -> None:
    w = Parameter(np.ones(3, np.float32), "w")

    def step(x: Tensor) -> Tensor:
        w[0] = x[1]
        return w * 1

    graph = graph_of(step, X)
    assert [t.attrs["name"] for t, _ in graph.updates] == ["w"]
    assert jit(step)(X).tolist() == [2.0, 1.0, 1.0] and w.asnumpy().tolist() == [2.0, 1.0, 1.0]


# What is returned


class Pair(NamedTuple):
    first: Any
    second: Any


@pytest.mark.parametrize(
    "value, shown",
    [
        (lambda x: x, "x"), (lambda x: (x, x), "(x, x)"), (lambda x: [x, (x,)], "[x, (x,)]"),
        (lambda x: {"a": x, "b": [x]}, "{'a': x, 'b': [x]}"), (lambda x: (), "()"), (lambda x: None, "None"),
        (lambda x: (x, "text", 3), "(x, 'text', 3)"), (lambda x: Pair(x, 1), "Pair(first=x, second=1)"),
    ],
)  # fmt: skip
def test_containers_are_rebuilt(value: Any, shown: str) -> None:
    result = traced(value, X)

    class Named:
        def __repr__(self) -> str:
            return "x"

    assert repr(result.rebuild([Named()] * len(result.graph.outputs))) == shown  # type: ignore[arg-type]


def test_a_returned_parameter_is_itself() -> None:
    w = Parameter(np.ones(3, np.float32), "w")
    assert jit(lambda x: w)(X) is w


def test_flatten_keys() -> None:
    def key(*args: Any) -> Any:
        return flatten(args, [])[0]

    assert key(X, 1) == key(Tensor(np.zeros(3, np.float32)), 1) and hash(key(X, 1)) == hash(key(X, 1))
    different = [
        (X, 1), (X, 1.0), (X, True), (X, "1"), (X, None), (X, (1,)), (X, [1]), (X, {"a": 1}), (X, {"b": 1}), (X, 0.0),
        (X, -0.0), (X, float("nan")), (Tensor(np.ones(3)), 1), (Tensor(np.ones((3, 1), np.float32)), 1), ((X,), 1),
        (1, X),
    ]  # fmt: skip
    keys = [key(*args) for args in different]
    assert all((a == b) == (i == j) for i, a in enumerate(keys) for j, b in enumerate(keys))
    assert key(float("nan")) == key(float("nan"))


def test_flatten_keeps_unhashable_objects_alive() -> None:
    made = [key for _ in range(50) for key in [flatten({1, 2}, [])[0]]]
    assert len(set(made)) == 50


def test_flatten_tells_objects_apart() -> None:
    one, two = nn.ReLU(), nn.ReLU()
    assert flatten(one, [])[0] == flatten(one, [])[0] != flatten(two, [])[0]
    v, w = (Parameter(np.ones(2), "w") for _ in range(2))
    assert flatten(v, [])[0] == flatten(v, [])[0] != flatten(w, [])[0]


# Where nodes come from


class Block(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Dense(3, 3)
        self.act = nn.Tanh()

    def construct(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        return self.act(x) * 2.0


BLOCK_CONSTRUCT = inspect.getsourcelines(Block.construct)[1]


class Net(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.CellList([Block(), Block()])
        self.rate = 2.0

    def construct(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


ROW = Tensor(np.ones((1, 3), np.float32))


def test_nodes_know_their_line_and_cell() -> None:
    graph = graph_of(Net(), ROW)
    places = {(n.op, str(n.loc)) for n in graph.nodes}
    line, last = BLOCK_CONSTRUCT + 1, BLOCK_CONSTRUCT + 2
    assert ("matmul", f"Net.0.fc test_trace.py:{line}") in places
    assert ("tanh", f"Net.1.act test_trace.py:{last}") in places
    assert ("mul", f"Net.1 test_trace.py:{last}") in places


def test_scopes_end_with_their_cell_even_by_an_error() -> None:
    class Broken(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            raise KeyError("broken")

    net = Broken()
    with pytest.raises(KeyError):
        graph_of(net, X)
    assert all(n.loc.scope == "" for n in graph_of(lambda x: x * 2, X).nodes if n.op != "input")


def test_gradient_nodes_point_at_forward_nodes() -> None:
    def f(x: Tensor) -> Tensor:
        return ops.tanh(x * x).sum()

    graph = graph_of(ms.value_and_grad(f), X)
    forward = {n.op: n for n in graph.nodes if n.forward is None}
    derived = {n.forward.op for n in graph.nodes if n.forward is not None}
    assert {"tanh", "mul", "sum"} <= forward.keys() and {"tanh", "mul", "sum"} <= derived
    assert all(n.forward in graph.nodes for n in graph.nodes if n.forward is not None)
    assert all(n.loc.file.endswith("test_trace.py") for n in graph.nodes if n.op not in LEAVES)


# What a graph depends on


def test_visited_cells_make_a_trace_invalid_when_they_change() -> None:
    net = Net()
    result = traced(net, ROW)
    assert result.still_valid()
    net.blocks[1].act = nn.ReLU()
    assert not result.still_valid()
    again = traced(net, ROW)
    net.set_train()
    assert not again.still_valid()
    net.set_train(False)
    assert again.still_valid()
    del net
    assert not again.still_valid()


def test_cells_of_the_closure_count_too() -> None:
    net = Net()
    result = traced(lambda x: x * net.rate, ROW)
    net.rate = 3.0
    assert not result.still_valid()


def test_captured_tensors_make_a_trace_invalid_when_they_change() -> None:
    table, scalar = Tensor(np.ones(3, np.float32)), Tensor(2.0)
    result = traced(lambda x: x + table, X)
    table[0] = 5.0
    assert not result.still_valid()
    result = traced(lambda x: x * scalar, X)
    scalar[...] = 3.0
    assert not result.still_valid()


# What a graph cannot hold


def test_attributes_set_in_construct() -> None:
    class Counting(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            self.count = 1
            return x

    line = inspect.getsourcelines(Counting.construct)[1] + 1
    net = Counting()
    message = f"Counting: attribute 'count' is set while .* use a Parameter .* test_trace.py:{line}"
    with pytest.raises(AttributeError, match=message):
        graph_of(net, X)
    assert not hasattr(net, "count")


def test_lists_appended_to() -> None:
    class Logging(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.log: list[str] = []

        def construct(self, x: Tensor) -> Tensor:
            self.log.append("called")
            return x

    with pytest.raises(TraceError, match=r"Logging.log had 0 items before f was traced and has 1 now"):
        graph_of(Logging(), X)


LOG: list[Any] = []
SEEN: dict[str, Any] = {}


def test_global_and_closure_containers() -> None:
    local: list[int] = []

    def to_global(x: Tensor) -> Tensor:
        LOG.append(1)
        return x

    def to_closure(x: Tensor) -> Tensor:
        local.append(1)
        return x

    def to_dict(x: Tensor) -> Tensor:
        SEEN["x"] = 1
        return x

    for function, name in ((to_global, "LOG"), (to_closure, "local"), (to_dict, "SEEN")):
        with pytest.raises(TraceError, match=f"{name} had 0 items"):
            graph_of(function, X)


@pytest.mark.parametrize(
    ("draw", "named"), [(random.random, "Python's random"), (lambda: np.random.normal(), "np.random")]
)
def test_numbers_drawn_while_tracing_are_warned_of(draw: Any, named: str) -> None:
    @jit
    def noisy(x: Tensor) -> Tensor:
        return x * draw()

    x = Tensor(np.ones(3, np.float32))
    with pytest.warns(UserWarning, match=f"noisy draws from {named} while it is traced"):
        first = noisy(x)
    assert first.asnumpy().tolist() == noisy(x).asnumpy().tolist()


def test_numbers_drawn_in_graphs_are_nothing_to_warn_of() -> None:
    @jit
    def noisy(x: Tensor) -> Tensor:
        return nn.Dropout(p=0.5)(x) + ops.standard_normal((3,))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        noisy(Tensor(np.ones(3, np.float32)))


def test_kept_tensors() -> None:
    class Holder:
        value: Any = None

    def keep(x: Tensor) -> Tensor:
        Holder.value = x * 2
        return x

    line = inspect.getsourcelines(keep)[1] + 1
    with pytest.raises(TraceError, match=rf"f keeps a traced tensor made at test_trace.py:{line}"):
        graph_of(keep, X)
    Holder.value = None
    assert graph_of(lambda x: x, X)


@pytest.mark.parametrize("on", [True, False])
def test_cycles_are_looked_for_as_before_once_a_trace_is_over(on: bool) -> None:
    def fails(x: Tensor) -> Tensor:
        raise KeyError("of the program")

    before = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        assert graph_of(ops.tanh, X) and gc.isenabled() is on
        with pytest.raises(KeyError):
            graph_of(fails, X)
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()


def test_tensors_in_reference_cycles_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def cycle(x: Tensor) -> Tensor:
        items: list[Any] = [x * 2]
        items.append(items)
        return x

    collect, looked_in = gc.collect, []
    monkeypatch.setattr(gc, "collect", lambda generation: looked_in.append(generation) or collect(generation))
    assert graph_of(cycle, X)
    assert looked_in == [0]  # among the youngest objects only: to look through all takes longer than the trace


def test_assigning_into_a_tensor_from_outside() -> None:
    outside = Tensor(np.zeros(3, np.float32))

    def f(x: Tensor) -> Tensor:
        outside[0] = x[1]
        return x

    with pytest.raises((TraceError, TracedValueError), match=r"test_trace\.py"):
        graph_of(f, X)
    assert outside.asnumpy().tolist() == [0.0, 0.0, 0.0]

    def broken(x: Tensor) -> Tensor:
        outside[0] = x[1]
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        graph_of(broken, X)
    assert outside.asnumpy().tolist() == [0.0, 0.0, 0.0]


def test_assigning_into_a_tensor_made_within() -> None:
    def f(x: Tensor) -> Tensor:
        made = Tensor(np.zeros(3, np.float32))
        made[1] = x[2]
        zeros = ops.zeros_like(x)
        zeros[0] = 7.0
        return made + zeros

    assert jit(f)(X).tolist() == f(X).tolist() == [7.0, 3.0, 0.0]


VALUE_NEEDED = {
    "if": lambda x: x if x.sum() > 0 else -x, "while": lambda x: [x for _ in iter(lambda: bool(x.sum()), False)],
    "and": lambda x: x.sum() and x, "not": lambda x: not x.sum(), "float": lambda x: x * float(x.sum()),
    "int": lambda x: x * int(x.sum()), "numpy": lambda x: x * x.asnumpy(), "array": lambda x: x * np.asarray(x),
    "item": lambda x: x * x[0].item(), "tolist": lambda x: x.tolist(), "format": lambda x: f"{x[0]:.2f}",
    "index": lambda x: [1, 2, 3][ops.argmax(x)], "range": lambda x: list(range(ops.argmax(x))),
}  # fmt: skip


@pytest.mark.parametrize("function", VALUE_NEEDED.values(), ids=VALUE_NEEDED.keys())
def test_values_of_stand_ins_are_not_to_be_had(function: Any) -> None:
    with pytest.raises(TracedValueError, match=r"f32|i64|bool.*") as caught:
        graph_of(function, X)
    assert "test_trace.py" in str(caught.value)


def test_values_of_parameters_are_not_to_be_had_either() -> None:
    w = Parameter(np.ones(3, np.float32), "net.w")
    for function in (
        lambda x: x * w.asnumpy(), lambda x: x * float(w[0]), lambda x: x + np.asarray(w), lambda x: Tensor(w) * x,
        lambda x: x if w[0] > 0 else -x, lambda x: x * w.tolist()[0],
    ):  # fmt: skip
        with pytest.raises(TracedValueError, match=r"test_trace\.py"):
            graph_of(function, X)
    assert w.asnumpy().tolist() == [1.0, 1.0, 1.0]


def test_a_stand_in_prints_without_a_value() -> None:
    assert traced(lambda x: (str(x), repr(x)), X).rebuild([]) == ("Tensor(traced f32[3])",) * 2


def test_tensors_of_another_graph() -> None:
    kept: list[Tensor] = []

    def outer(x: Tensor) -> Tensor:
        trace(lambda y: y + x, (X,), {}, "inner")
        return x

    with pytest.raises(TracedValueError, match=r"add: operand f32\[3\] belongs to another graph.*test_trace.py"):
        graph_of(outer, X)
    with pytest.raises(TraceError):
        graph_of(lambda x: kept.append(x * 1) or x, X)  # type: ignore[func-returns-value]
    with pytest.raises(TracedValueError, match="belongs to another graph"):
        graph_of(lambda x: x + kept[0], X)
    with pytest.raises(TracedValueError, match="was asked for"):
        ops.exp(kept[0])
    kept.clear()


def test_an_error_within_leaves_no_trace_behind() -> None:
    def broken(x: Tensor) -> Tensor:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        graph_of(broken, X)
    assert (X + 1).asnumpy().tolist() == [2.0, 3.0, 4.0]


def test_double_tracing_gives_equal_text() -> None:
    net = Net()
    assert str(graph_of(net, ROW)) == str(graph_of(net, ROW))


def test_dtypes_of_arguments() -> None:
    for dtype in (float64, int64):
        assert graph_of(lambda x: x + 1, Tensor([1, 2], dtype)).outputs[0].dtype is dtype


def test_tensors_made_by_the_function_may_be_held_by_what_it_makes() -> None:
    @ms.jit
    def by_list(x: Tensor) -> Any:
        made = [x, 2.0]
        return ms.grad(lambda y: (y * made[0] * made[1]).sum())(x)

    @ms.jit
    def by_object(x: Tensor) -> Any:
        made = SimpleNamespace(h=x, k=2.0)
        return ms.grad(lambda y: (y * made.h * made.k).sum())(x)

    x = Tensor([1.0, 2.0])
    assert by_list(x).tolist() == by_object(x).tolist() == [2.0, 4.0]
