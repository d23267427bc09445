"""Types, nodes, graphs: what they say of themselves, the verifier, rewriting."""

from __future__ import annotations

import copy
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings

from graphc.dtype import bool_, float32, float64, int32, int64, uint8
from graphc.ir import (
    NOWHERE,
    Graph,
    GraphError,
    Location,
    Node,
    TensorType,
    constant_node,
    input_node,
    postorder,
    rewrite,
    verify,
)
from graphc.op import infer_node

F23 = TensorType((2, 3), float32)


def test_tensor_type() -> None:
    assert (F23.ndim, F23.size, F23.nbytes, str(F23)) == (2, 6, 24, "f32[2,3]")
    scalar = TensorType((), float64)
    assert (scalar.ndim, scalar.size, scalar.nbytes, str(scalar)) == (0, 1, 8, "f64[]")
    assert TensorType((0, 4), uint8).size == 0
    assert TensorType((2, 3), float32) == F23 != TensorType((2, 3), float64)
    assert len({F23, TensorType((2, 3), float32)}) == 1
    with pytest.raises(AttributeError):
        F23.shape = (1,)  # type: ignore[misc]


def test_equal_types_are_one_object_while_somebody_holds_it() -> None:
    assert TensorType((2, 3), float32) is F23 is TensorType((np.int64(2), 3), float32)  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(F23)) is copy.deepcopy(F23) is F23
    assert str(TensorType((np.int64(7), 9, 11), float32)) == "f32[7,9,11]"  # type: ignore[arg-type]
    gone = weakref.ref(TensorType((7, 9, 11), float32))
    assert gone() is None
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: TensorType((n // 8, 5, 5, 5, 5), float32), range(8 * 200)))
    assert len({id(type_) for type_ in made}) == 200


def test_location_prints_scope_and_file_name_only() -> None:
    assert str(Location("net.fc1", "/home/me/train.py", 14)) == "net.fc1 train.py:14"
    assert str(Location("", "train.py", 3)) == "train.py:3"
    assert str(Location("net.fc1")) == "net.fc1"
    assert str(NOWHERE) == ""


def test_constants_are_exact_in_their_dtype() -> None:
    assert constant_node(0.1, float32).attrs["value"] == 0.10000000149011612
    assert constant_node(0.1, float64).attrs["value"] == 0.1
    assert constant_node(True, bool_).attrs["value"] is True
    assert type(constant_node(2.0, int32).attrs["value"]) is int
    assert constant_node(3, int64).type == TensorType((), int64)


def tanh(x: Node) -> Node:
    return Node("tanh", (x,), {}, x.type)


def add(x: Node, y: Node) -> Node:
    return Node("add", (x, y), {}, x.type)


def test_key_is_equal_for_equal_computations() -> None:
    x, y = input_node("x", F23), input_node("y", F23)
    assert tanh(x).key == tanh(x).key != tanh(y).key
    assert add(x, y).key != add(y, x).key
    assert constant_node(0.0, float32).key != constant_node(-0.0, float32).key
    assert constant_node(1, int32).key != constant_node(1, int64).key
    assert constant_node(float("nan"), float32).key == constant_node(float("nan"), float32).key
    assert input_node("x", F23).key != x.key
    turned = [Node("transpose", (x,), {"perm": p}, F23) for p in ((0, 1), (1, 0))]
    assert turned[0].key != turned[1].key
    one, true = (Node("reshape", (x,), {"shape": (v,)}, F23) for v in (1, True))
    assert one.key != true.key


def test_with_operands_keeps_everything_else() -> None:
    x, y = input_node("x", F23), input_node("y", F23)
    first = Node("tanh", (x,), {}, F23, Location("net", "a.py", 1), forward=y)
    assert first.with_operands((x,)) is first
    second = first.with_operands((y,))
    assert second.operands == (y,) and second.loc == first.loc and second.forward is y
    with pytest.raises(ValueError):
        first.with_operands((x, y))


def test_nodes_come_after_their_operands_and_once() -> None:
    x = input_node("x", F23)
    a = tanh(x)
    b, c = add(a, a), add(a, x)
    graph = Graph("f", (x,), (add(b, c), a))
    order = {node: i for i, node in enumerate(graph.nodes)}
    assert len(order) == len(graph.nodes) == 5
    assert all(order[o] < order[n] for n in graph.nodes for o in n.operands)


def test_nodes_are_those_that_outputs_and_updates_need() -> None:
    x, w = input_node("x", F23), input_node("w", F23)
    needed, unused = tanh(x), tanh(w)
    assert unused not in Graph("f", (x, w), (needed,)).nodes
    assert unused in Graph("f", (x, w), (needed,), ((w, unused),)).nodes


def test_postorder_of_a_deep_chain() -> None:
    node = input_node("x", F23)
    for _ in range(20_000):
        node = tanh(node)
    assert sum(1 for _ in postorder([node])) == 20_001


def test_users_name_a_reader_once_for_each_slot() -> None:
    x = input_node("x", F23)
    a = tanh(x)
    b = add(a, a)
    users = Graph("f", (x,), (b,)).users()
    assert users == {x: [a], a: [b, b], b: []}


def test_arguments_are_all_inputs_by_default() -> None:
    x, w = input_node("x", F23), input_node("w", F23)
    assert Graph("f", (x, w), (x,)).arguments == 2
    assert Graph("f", (x, w), (x,), arguments=0).arguments == 0


# Rewriting


def test_rewrite_sees_rebuilt_operands_and_keeps_the_graph_it_is_given() -> None:
    x, w = input_node("x", F23), input_node("w", F23)
    a = tanh(x)
    b = add(a, w)
    graph = Graph("f", (x, w), (b,), ((w, a),), 1)
    before = str(graph)
    exp = rewrite(graph, lambda n: Node("exp", n.operands, {}, n.type) if n.op == "tanh" else n)
    assert [n.op for n in exp.nodes] == ["input", "exp", "input", "add"]
    assert exp.outputs[0].operands[0] is exp.updates[0][1]
    assert exp.arguments == 1 and str(graph) == before


def test_rewrite_that_changes_nothing_keeps_the_nodes() -> None:
    x = input_node("x", F23)
    graph = Graph("f", (x,), (add(tanh(x), x),))
    assert rewrite(graph, lambda node: node).nodes == graph.nodes


def test_rewrite_never_asks_for_inputs() -> None:
    x = input_node("x", F23)
    seen = []
    rewrite(Graph("f", (x,), (tanh(x), x)), lambda n: seen.append(n.op) or n)  # type: ignore[func-returns-value]
    assert seen == ["tanh"]


def test_rewrite_refuses_another_type() -> None:
    x, y = input_node("x", F23), input_node("y", TensorType((3,), float32))
    with pytest.raises(GraphError, match=r"tanh of type f32\[2,3\]"):
        rewrite(Graph("f", (x, y), (tanh(x),)), lambda node: y)


# The verifier


def broken(message: str) -> pytest.RaisesExc[GraphError]:  # type: ignore[name-defined]
    return pytest.raises(GraphError, match=message)


def test_verify_names_the_rule_that_is_broken() -> None:
    x, w = input_node("x", F23), input_node("w", F23)
    f3 = TensorType((3,), float32)
    with broken("listed twice"):
        verify(Graph("f", (x, x), (x,)), infer_node)
    with broken(r"names repeat: \['x', 'x'\]"):
        verify(Graph("f", (x, input_node("x", F23)), (x,)), infer_node)
    with broken("reads input %w of another graph"):
        verify(Graph("f", (x,), (add(x, w),)), infer_node)
    with broken(r"tanh has type f32\[3\], its rule says f32\[2,3\]"):
        verify(Graph("f", (x,), (Node("tanh", (x,), {}, f3),)), infer_node)
    with broken("constant with operands or a shape"):
        verify(Graph("f", (x,), (Node("constant", (), {"value": 1.0}, f3),)), infer_node)
    with broken("updated twice"):
        verify(Graph("f", (x, w), (), ((w, x), (w, tanh(x)))), infer_node)
    with broken("update of"):
        verify(Graph("f", (x,), (), ((w, x),)), infer_node)
    with broken("update of"):
        other = input_node("v", f3)
        verify(Graph("f", (x, other), (), ((x, other),)), infer_node)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(graphs())
def test_rebuilding_every_node_gives_the_same_text(made: Made) -> None:
    graph = made.graph
    copied = rewrite(graph, lambda n: Node(n.op, n.operands, n.attrs, n.type, n.loc, n.forward))
    assert str(verify(copied, infer_node)) == str(graph)
