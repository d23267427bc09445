"""Graphs run op by op, where compiling them would take longer; the bits are those of compiled code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.dispatch import run, runs_compiled
from graphc.ir import LEAVES, Graph, Node
from graphc.op import TABLE
from graphc.state import look, state
from graphc.tensor import Number, Tensor

FEW, MANY_KERNELS = 2, 8
"""After how many graphs of one function another is taken for one of many; how many kernels are too many for one run."""

VARIED, REPEATED = 4, 3
"""After how many graphs one that comes again is not compiled yet; and how often in a row it comes, if it is all the
same: as where a network is trained."""

COMPILE, MORE = 1e-3, 20
"""How many seconds it takes to compile a graph, for each of its nodes and so many more; much less where its code is
found on disk. Where there are many graphs, one is compiled when to do without has taken so many seconds."""


def compile_seconds(size: int) -> float:
    """For how long a graph of so many nodes runs op by op, where there are many graphs, until it is compiled."""
    return COMPILE * (size + MORE)


def pays(graph: Graph, earlier: int) -> bool:
    """Whether a graph that comes for the first time should run op by op: not, if that has many kernels to compile.

    Args:
        earlier: how many other graphs there have been of the same function. If many, what operands of other shapes can
            use as well does not count.
    """
    from graphc.alone import Call, missing_kernels, substitute  # brings llvmlite, as op by op would then

    calls = [
        Call.of(op, tuple([o.type for o in node.operands]), node.attrs) for node in graph.nodes
        if node.op not in LEAVES and runs_compiled(op := TABLE[node.op], node.type, [o.type for o in node.operands])
    ]  # fmt: skip
    return missing_kernels(calls if earlier < FEW else [c for c in calls if substitute(c) is None]) < MANY_KERNELS


def run_op_by_op(graph: Graph, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph's outputs, in memory of their own; its updates are written when all else is done.

    Raises:
        IndexError: an index read from data is out of range. No input has changed.
    """
    if look.graph is not None:
        look.graph(graph, inputs)
    values: dict[Node, Tensor] = dict(zip(graph.inputs, inputs, strict=True))
    kept = {*graph.inputs, *graph.kept}
    last_use = {operand: node for node in graph.nodes for operand in node.operands}
    now = state.now
    now.seldom = True
    try:
        for node in graph.nodes:
            if node.op == "constant":
                values[node] = Number.of(node.attrs["value"], node.dtype)
            elif node.op != "input":
                now.place = node.loc
                values[node] = run(TABLE[node.op], tuple([values[o] for o in node.operands]), node.attrs, node.type)
            for operand in node.operands:
                if last_use[operand] is node and operand not in kept:
                    values.pop(operand, None)
    finally:
        now.place, now.seldom = None, False
    outputs = [Tensor.wrap(values[node].asnumpy(), node.type) for node in graph.outputs]
    written = [(values[target], values[value].asnumpy()) for target, value in graph.updates]
    for target, array in written:
        np.copyto(target.numpy_view(), array)
    return outputs
