"""What a graph means: every node run by its op's NumPy meaning, one after another.

    outputs, updates = run(graph, [x, y, weight])        # arrays, one for every input

What passes and compiled code are compared with. `exact_graph` says whether the meanings are defined to the bit;
`assert_same` compares to the bit: values, the sign of zeros, NaN where NaN is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.ir import Graph, Node
from graphc.op import TABLE

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
    return all(node.op in ("input", "constant") or TABLE[node.op].exact for node in graph.nodes)


def assert_same(got: np.ndarray, wanted: np.ndarray, what: str = "") -> None:
    """Equal to the bit, except that one NaN is like another."""
    assert got.shape == wanted.shape and got.dtype == wanted.dtype, what
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
