"""The text of a graph: what it looks like, and that it is read back as it was printed."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from reference import assert_same_run, run

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.dtype import ALL, bool_, float32, float64, int32, int64, uint8
from graphc.ir import Graph, GraphError, Location, Node, TensorType, constant_node, input_node, verify
from graphc.irtext import node_names, parse
from graphc.op import infer_node
from graphc.trace import trace

F3 = TensorType((3,), float32)


def test_a_graph_as_text() -> None:
    x, w = input_node("x", F3), input_node("net.w", F3)
    two = constant_node(2.0, float32)
    wide = Node("broadcast_to", (two,), {"shape": (3,)}, F3, Location("net", "/a/b/net.py", 7))
    product = Node("mul", (x, wide), {}, F3, Location("net", "/a/b/net.py", 7))
    slope = Node("tanh", (product,), {}, F3, Location("net", "/a/b/net.py", 9), forward=product)
    graph = Graph("step", (x, w), (product, x), ((w, slope),), 1)
    assert str(graph) == (
        "graph step(%x: f32[3]; %net.w: f32[3]) {\n"
        "  %0: f32[3] = broadcast_to(2.0, shape=(3,))  # net net.py:7\n"
        "  %1: f32[3] = mul(%x, %0)                    # net net.py:7\n"
        "  %2: f32[3] = tanh(%1)                       # vjp of %1\n"
        "  update %net.w <- %2\n"
        "  return %1, %x\n"
        "}"
    )


def test_scalars_print_their_type_where_the_value_does_not_show_it() -> None:
    shown = {
        (0.5, float32): "0.5", (0.5, float64): "0.5:f64", (2, int64): "2", (2, int32): "2:i32", (2, uint8): "2:u8",
        (True, bool_): "True", (-0.0, float32): "-0.0", (float("inf"), float32): "inf",
        (float("-inf"), float64): "-inf:f64", (float("nan"), float32): "nan",
    }  # fmt: skip
    for (value, dtype), text in shown.items():
        node = constant_node(value, dtype)
        graph = Graph("f", (), (node,))
        assert str(graph) == f"graph f() {{\n  return {text}\n}}"
        again = parse(str(graph)).outputs[0]
        assert again.type == node.type and repr(again.attrs["value"]) == repr(node.attrs["value"])


def test_equal_graphs_print_equal() -> None:
    def made() -> Graph:
        x = input_node("x", F3)
        return Graph("f", (x,), (Node("add", (Node("tanh", (x,), {}, F3), x), {}, F3),))

    assert str(made()) == str(made())


def test_names_number_the_nodes_by_position() -> None:
    x = input_node("x", F3)
    a = Node("tanh", (x,), {}, F3)
    b = Node("exp", (a,), {}, F3)
    assert node_names(Graph("f", (x,), (b, a))) == {x: "%x", a: "%0", b: "%1"}


ATTRIBUTES = [
    0, -7, 2**40, True, False, None, 0.5, -0.0, 1e-30, float("inf"), float("-inf"), (), (1,), (1, 2, 3),
    ((0, 1), (2, 3)), "same", "with, comma", 'with "quotes" and (brackets', "", (0.5, "a", None, (True,)),
    (float("inf"), -1), *ALL, (float32, int64), slice(1, 2, None),
]  # fmt: skip


@pytest.mark.parametrize("value", ATTRIBUTES, ids=repr)
def test_every_kind_of_attribute_is_read_back(value: object) -> None:
    x = input_node("x", F3)
    graph = Graph("f", (x,), (Node("anything", (x, x), {"first": value, "second": (value,)}, F3),))
    again = parse(str(graph))
    assert str(again) == str(graph)
    attrs = again.outputs[0].attrs
    assert repr(attrs) == repr(graph.outputs[0].attrs) and list(attrs) == ["first", "second"]


def test_nan_attribute() -> None:
    x = input_node("x", F3)
    text = str(Graph("f", (x,), (Node("clip", (x,), {"low": float("nan")}, F3),)))
    assert str(parse(text)) == text


TEXTS = {
    "nothing": "graph f() {\n  return\n}",
    "inputs alone": "graph f(%x: f32[2,3], %y: bool[]) {\n  return %y, %x, %y\n}",
    "all bound": "graph f(; %w: f64[0,4]) {\n  update %w <- %w\n  return\n}",
    "no locations": "graph f(%x: i32[5]) {\n  %0: i32[5] = neg(%x)\n  return %0\n}",
    "no operands": "graph f() {\n  %0: i64[3] = iota(shape=(3,), axis=0, dtype=graphc.int64)\n  return %0\n}",
    "a scope without a file": "graph f(%x: f32[]) {\n  %0: f32[] = exp(%x)  # net.fc1\n  return %0\n}",
    "a file without a scope": "graph f(%x: f32[]) {\n  %0: f32[] = exp(%x)  # train.py:3\n  return %0\n}",
    "a file with a space": "graph f(%x: f32[]) {\n  %0: f32[] = exp(%x)  # net my file.py:3\n  return %0\n}",
    "a forward node that is gone": (
        "graph f(%x: f32[]) {\n  %0: f32[] = exp(%x)  # vjp of tanh net.act train.py:3\n  return %0\n}"
    ),
    "a forward node that is an input": "graph f(%x: f32[]) {\n  %0: f32[] = exp(%x)  # vjp of %x\n  return %0\n}",
    "a forward node that comes later": (
        "graph f(%x: f32[], %y: f32[]) {\n"
        "  %0: f32[] = neg(%y)      # vjp of %1\n"
        "  %1: f32[] = mul(%x, %y)  # train.py:3\n"
        "  return %0, %1\n}"
    ),
    "two digits": "graph f(%x: f32[]) {\n"
    + "".join(f"  {f'%{i}: f32[]'.ljust(10)} = neg({'%x' if i == 0 else f'%{i - 1}'})\n" for i in range(12))
    + "  return %11\n}",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_text_is_read_back(text: str) -> None:
    assert str(parse(text)) == text


def test_parsing_restores_structure() -> None:
    graph = parse(TEXTS["a forward node that comes later"])
    assert graph.outputs[0].forward is graph.outputs[1]
    bound = parse("graph f(%x: f32[2]; %w: f32[2]) {\n  update %w <- %x\n  return %w\n}")
    assert bound.arguments == 1 and bound.updates == ((bound.inputs[1], bound.inputs[0]),)
    node = parse("graph f(%x: f32[]) {\n  %0: f32[] = exp(%x)  # net.a train.py:3\n  return %0\n}").outputs[0]
    assert node.loc == Location("net.a", "train.py", 3)


@pytest.mark.parametrize(
    "text, message",
    [
        ("graph f(%x: f32[])\n  return %x\n}", "expected 'graph name"),
        ("graph f(%x: f32[]) {\n  return %x", "expected 'graph name"),
        ("graph f(%x: f32[]) {\n  %0 = exp(%x)\n  return %0\n}", "expected '%name: type = op"),
        ("graph f(%x: f32[]) {\n  %0: f32[] = exp(%y)\n  return %0\n}", "%y is read before it is defined"),
        ("graph f(%x: f32[]) {\n  return %0\n}", "%0 is read before it is defined"),
        ("graph f(%x: f32[]) {\n  update %w <- %x\n  return\n}", "%w is read before it is defined"),
    ],
)
def test_text_that_is_no_graph(text: str, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        parse(text)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs_are_read_back_and_compute_the_same(made: Made) -> None:
    text = str(made.graph)
    again = verify(parse(text), infer_node)
    assert str(again) == text
    assert_same_run(run(again, made.arrays()), run(made.graph, made.arrays()))


class Network(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.SequentialCell(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Dense(32, 3))
        self.drop = nn.Dropout(p=0.5)

    def construct(self, x: Tensor) -> Tensor:
        return self.drop(self.layers(x)) * float("inf")


def test_a_traced_training_step_is_read_back() -> None:
    net = Network().set_train()
    step = ms.value_and_grad(lambda x, y: ops.cross_entropy(net(x), y), None, net.trainable_params())
    x, y = Tensor(np.zeros((2, 1, 4, 4), np.float32)), Tensor(np.array([0, 2], np.int32))
    graph = trace(step, (x, y), {}, "step").graph
    assert str(parse(str(graph))) == str(graph)
    assert len(graph.updates) >= 2 and "vjp of %" in str(graph)


def test_names_that_the_text_could_not_show_are_changed() -> None:
    """A Parameter may be called anything; in a graph its name is one word, and never that of a node."""
    weights = [ms.Parameter(np.ones(3, np.float32), name) for name in ("0", "a b", "a,b", "x: f32[3]; y", "é", "")]
    graph = trace(lambda x: [x + w for w in weights], (Tensor(np.ones(3, np.float32)),), {}, "f").graph
    assert str(parse(str(graph))) == str(graph)
    assert len(set(node_names(graph).values())) == len(graph.nodes)
