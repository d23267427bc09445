"""What a graph means: every node run by its op's NumPy meaning, one after another.

    outputs, updates = run(graph, [x, y, weight])        # arrays, one for every input

What passes and compiled code are compared with. `exact_graph` says whether the meanings are defined to the bit;
`assert_same` compares to the bit: values, the sign of zeros, NaN where NaN is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import dedent

import numpy as np

import graphc.compiler  # noqa: F401 (fills the op table; the passes have one of their own)
from graphc.dtype import bfloat16
from graphc.ir import LEAVES, Graph, Node, TensorType, verify
from graphc.irtext import parse
from graphc.op import TABLE, infer_node

Arrays = list[np.ndarray]


def run(graph: Graph, inputs: Sequence[np.ndarray]) -> tuple[Arrays, dict[str, np.ndarray]]:
    """The outputs, and by name what every updated input holds afterwards."""
    values: dict[Node, np.ndarray] = dict(zip(graph.inputs, inputs, strict=True))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node.op == "constant":
                values[node] = np.asarray(node.attrs["value"], node.dtype.np)
            elif node.op != "input":
                operands = [values[o] for o in node.operands]
                values[node] = np.asarray(TABLE[node.op].meaning(*operands, **node.attrs), node.dtype.np)
                assert values[node].shape == node.shape
    updates = {target.attrs["name"]: values[value] for target, value in graph.updates}
    return [values[o] for o in graph.outputs], updates


def exact_graph(graph: Graph) -> bool:
    """Whether NumPy's result is the definition, to the bit, of every op in the graph."""
    return all(node.op in LEAVES or TABLE[node.op].exact for node in graph.nodes)


def assert_same(got: np.ndarray, wanted: np.ndarray, what: str = "") -> None:
    """Equal to the bit, except that one NaN is like another."""
    assert got.shape == wanted.shape and got.dtype == wanted.dtype, what
    if got.dtype == bfloat16.np:  # of which NumPy does not know that it has a NaN
        got, wanted = got.astype(np.float32), wanted.astype(np.float32)
    np.testing.assert_array_equal(got, wanted, err_msg=what)
    if got.dtype.kind == "f":
        number = ~np.isnan(got)
        np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(wanted[number]), err_msg=f"{what} (signs)")


def assert_same_run(
    got: tuple[Sequence[np.ndarray], dict[str, np.ndarray]], wanted: tuple[Sequence[np.ndarray], dict[str, np.ndarray]]
) -> None:
    """The same outputs and updates."""
    for position, (a, b) in enumerate(zip(got[0], wanted[0], strict=True)):
        assert_same(a, b, f"output {position}")
    assert got[1].keys() == wanted[1].keys()
    for name, array in wanted[1].items():
        assert_same(got[1][name], array, f"update of {name}")


def assert_rewrites(graph_pass: Callable[[Graph], Graph], before: str, after: str) -> None:
    """The pass makes of the one text the other, leaves the graph it is given as it was, and both compute the same."""
    graph = verify(parse(dedent(before)), infer_node)
    text = str(graph)
    changed = verify(graph_pass(graph), infer_node)
    assert str(changed) == dedent(after).strip()
    assert str(graph) == text
    assert_same_graphs(changed, graph)


def assert_same_graphs(changed: Graph, graph: Graph, seeds: Sequence[int] = (0, 1, 2)) -> None:
    """The graphs have the same inputs, and compute the same from them."""
    assert changed.inputs == graph.inputs and changed.arguments == graph.arguments
    for seed in seeds:
        arrays = input_arrays(graph, seed)
        assert_same_run(run(changed, arrays), run(graph, arrays))


EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 1e-30, 3e38, np.inf, -np.inf, np.nan)
"""The floats at which things go wrong."""


def input_arrays(graph: Graph, seed: int) -> Arrays:
    """Values for the inputs: mostly of moderate size, some of them edges."""
    rng = np.random.default_rng(seed)
    return [_values(rng, node.type) for node in graph.inputs]


def _values(rng: np.random.Generator, type_: TensorType) -> np.ndarray:
    if type_.dtype.is_bool:
        return np.asarray(rng.random(type_.shape) < 0.5)
    if type_.dtype.is_int:
        low = 0 if type_.dtype.np.kind == "u" else -9
        return np.asarray(rng.integers(low, 10, type_.shape), type_.dtype.np)
    array = np.asarray(rng.normal(size=type_.shape))
    if rng.random() < 0.3:
        array = np.where(rng.random(type_.shape) < 0.1, rng.choice(EDGES, type_.shape), array)
    with np.errstate(all="ignore"):
        return array.astype(type_.dtype.np)
