"""The compiler: the list of its stages, read top to bottom, from a traced graph to an executable.

Every stage is a pure function, every value between two stages prints itself, and `set_context(save_graphs=True)` writes
them all, numbered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from graphc import context
from graphc.ir import Graph, Node, TensorType, input_node, verify
from graphc.loops import Buffer
from graphc.op import Op, infer_node
from graphc.ops import copy as _copy  # noqa: F401  (its op is the passes' own)
from graphc.passes.cse import cse
from graphc.passes.fold import fold
from graphc.passes.fuse import fuse
from graphc.passes.join import join
from graphc.passes.layout import layout
from graphc.passes.lower import lower
from graphc.passes.narrow import narrow
from graphc.passes.own_outputs import own_outputs
from graphc.passes.plan_memory import plan_memory
from graphc.passes.simplify import simplify
from graphc.schedule import Schedule
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.runtime.executable import Executable, Program

GRAPH_PASSES = (simplify, narrow, cse, fold, own_outputs)
"""Graph in, graph out, in this order; each result is verified."""


def compile_program(graph: Graph) -> Program:
    """Every stage in order; returns the last one's result."""
    program: Program
    for _, _, result in _stages(graph):
        program = result
    return program


def stage_texts(graph: Graph) -> Iterator[tuple[str, str]]:
    """The name and the text of every stage, in order."""
    for name, text, _ in _stages(graph):
        yield name, text() if callable(text) else str(text)


STAGES = (
    "traced", *(p.__name__ for p in GRAPH_PASSES), "layout", "join", "schedule", "memory", "kernels", "llvm", "asm",
)  # fmt: skip
"""The names under which stages are dumped."""


def _stages(graph: Graph) -> Iterator[tuple[str, Any, Any]]:
    """(name, what prints it, result) of each stage."""
    from graphc.runtime import jit
    from graphc.runtime.executable import build

    yield "traced", verify(graph, infer_node), graph
    for graph_pass in GRAPH_PASSES:
        graph = verify(graph_pass(graph), infer_node)
        yield graph_pass.__name__, graph, graph
    graph, layouts = layout(graph)
    yield "layout", verify(graph, infer_node), graph
    graph, layouts = join(graph, layouts)
    yield "join", verify(graph, infer_node), graph
    schedule = fuse(graph, layouts)
    yield "schedule", schedule, schedule
    plan = plan_memory(schedule)
    yield "memory", lambda: plan.text(schedule), plan
    buffers = _buffers(schedule)
    kernels = lower(schedule, buffers)
    yield "kernels", lambda: _kernels_text(schedule, kernels), kernels
    program = build(schedule, plan, kernels, buffers)
    yield "llvm", lambda: "\n".join(program.texts()), program
    yield "asm", lambda: "\n".join(jit.assembly(t) for t in program.texts()), program


def _buffers(schedule: Schedule) -> dict[Node, Buffer]:
    """A buffer for every input and stored value."""
    from graphc.irtext import node_names

    names = node_names(schedule.graph)
    nodes = dict.fromkeys([*schedule.graph.inputs, *(s for g in schedule.groups for s in g.stores)])
    made = {
        n: Buffer(names[n][1:], n.dtype, schedule.layout(n).elements) for n in nodes if schedule.owner(n) is n
    }
    return {n: made[schedule.owner(n)] for n in nodes}


def _kernels_text(schedule: Schedule, kernels: Sequence[Any]) -> str:
    parts = []
    for group, kernel in zip(schedule.groups, kernels, strict=True):
        parts.append(str(kernel) if kernel is not None else f"kernel {group.name} {{ handmade {group.handmade} }}")
    return "\n".join(parts)


# Compiling what users call

_compiles = 0


def compile_graph(graph: Graph, bound: Sequence[Tensor], dump: bool = True) -> Executable:
    """An executable of the graph, its inputs that are no arguments bound to these tensors.

    With `dump`, and where `save_graphs` is set, the text of every stage is written.
    """
    from graphc.runtime.executable import Executable

    program = compile_program(graph)
    if dump and context.get_context("save_graphs"):
        _dump(graph)
    return Executable(program, bound)


def _dump(graph: Graph) -> None:
    """Writes the text of every stage: `<path>/<compile>_<graph>/<stage number>_<stage>.txt`."""
    global _compiles
    folder = os.path.join(os.fspath(context.get_context("save_graphs_path")), f"{_compiles:02d}_{graph.name}")
    _compiles += 1
    os.makedirs(folder, exist_ok=True)
    for number, (name, text) in enumerate(stage_texts(graph)):
        with open(os.path.join(folder, f"{number:02d}_{name}.txt"), "w", encoding="utf-8") as file:
            file.write(text + "\n")


# Ops by themselves, for eager mode

_single: dict[Any, Executable] = {}


def kernel_key(op: Op, types: tuple[TensorType, ...], attrs: dict[str, Any]) -> Any:
    """What tells the kernel of one op from others."""
    return op.name, types, tuple(attrs.items())


def missing_kernels(keys: Iterable[Any]) -> int:
    """How many of these kernels are not compiled yet."""
    return len({key for key in keys if key not in _single})


def run_kernel(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any], type_: TensorType) -> Tensor:
    """Runs one op by its own compiled kernel, which is kept."""
    types = tuple([o.type for o in operands])
    key = kernel_key(op, types, attrs)
    executable = _single.get(key)
    if executable is None:
        inputs = tuple(input_node(f"x{i}", t) for i, t in enumerate(types))
        node = Node(op.name, inputs, attrs, type_)
        executable = _single[key] = compile_graph(Graph(op.name, inputs, (node,)), (), dump=False)
    return executable(operands)[0]


def set_num_threads(count: int) -> None:
    from graphc.runtime.pool import set_num_threads as set_pool_threads

    set_pool_threads(count)


def num_threads() -> int:
    from graphc.runtime.pool import num_threads as pool_threads

    return pool_threads()
