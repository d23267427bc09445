"""The compiler: the list of its stages, read top to bottom, from a traced graph to an executable.

Every stage is a pure function, every value between two stages prints itself, and `set_context(save_graphs=True)` writes
them all, numbered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from graphc.ir import Graph, Node, verify
from graphc.irtext import BETWEEN, node_names
from graphc.loops import Buffer, Kernel, TiledKernel
from graphc.op import infer_node
from graphc.ops import copy as _copy  # noqa: F401  (its op is the passes' own)
from graphc.ops import masked as _masked  # noqa: F401  (so is its op)
from graphc.ops import rows as _rows  # noqa: F401  (so are its ops)
from graphc.ops import tiles as _tiles  # noqa: F401  (and these)
from graphc.ops.recurrence import body_of
from graphc.passes.alike import alike
from graphc.passes.chain import Room, chain
from graphc.passes.cse import cse
from graphc.passes.fold import fold
from graphc.passes.fuse import fuse
from graphc.passes.join import join
from graphc.passes.layout import layout
from graphc.passes.lower import lower
from graphc.passes.masked import masked
from graphc.passes.narrow import narrow
from graphc.passes.own_outputs import own_outputs
from graphc.passes.pairs import pairs
from graphc.passes.plan_memory import plan_memory
from graphc.passes.portions import portions
from graphc.passes.rows import rows
from graphc.passes.simplify import simplify
from graphc.passes.sparse import sparse
from graphc.passes.winograd import winograd
from graphc.runtime import jit, pool
from graphc.runtime.program import Program, build, write
from graphc.runtime.target import host
from graphc.runtime.units import stride
from graphc.schedule import Group, Schedule, Twin

GRAPH_PASSES = (pairs, winograd, portions, sparse, simplify, narrow, rows, cse, fold, masked, own_outputs)
"""Graph in, graph out, in this order; each result is verified."""


def compile_program(
    graph: Graph, begin: Callable[[str], None] | None = None, steady: Collection[int] | None = None
) -> Program:
    """Every stage in order; returns the last one's result.

    Args:
        begin: is given each module of LLVM IR as soon as it is written.
        steady: of the body of a loop, the numbers of the inputs that are the same in all steps.
    """
    program: Program
    for _, _, result in _stages(graph, begin, steady):
        program = result
    return program


def stage_texts(graph: Graph, steady: Collection[int] | None = None) -> Iterator[tuple[str, str]]:
    """The name and the text of every stage, in order; those of the bodies of loops come after that of the graph.

    Args:
        steady: as of `compile_program`.
    """
    loops = {node.attrs["body"]: node for node in graph.nodes if node.op == "scan"}
    bodies = [dict(stage_texts(body_of(text), _steady(node))) for text, node in loops.items()]
    for name, text, _ in _stages(graph, steady=steady):
        yield name, BETWEEN.join((text() if callable(text) else str(text), *(body[name] for body in bodies)))


STAGES = (
    "traced", *(p.__name__ for p in GRAPH_PASSES), "layout", "join", "schedule", "kernels", "chain", "memory", "llvm",
    "asm",
)  # fmt: skip
"""The names under which stages are dumped."""


def _stages(
    graph: Graph, begin: Callable[[str], None] | None = None, steady: Collection[int] | None = None
) -> Iterator[tuple[str, Any, Any]]:
    """(name, what prints it, result) of each stage."""
    known: set[Node] = set()
    begin = begin or (lambda text: None)
    yield "traced", verify(graph, infer_node, known), graph
    for graph_pass in GRAPH_PASSES:
        graph = verify(graph_pass(graph), infer_node, known)
        yield graph_pass.__name__, graph, graph
    graph, layouts = layout(graph, steady is not None)
    yield "layout", verify(graph, infer_node, known), graph
    graph, layouts = join(graph, layouts)
    yield "join", verify(graph, infer_node, known), graph
    schedule = fuse(graph, layouts)
    yield "schedule", schedule, schedule
    buffers = _buffers(schedule)
    twins = alike(schedule)
    distinct = sorted({twin.first: None for twin in twins.values()}, key=lambda group: group.contraction is None)
    lowered = zip(distinct, lower(replace(schedule, groups=tuple(distinct)), buffers), strict=True)
    bodies = {group: _body(group.nodes[0], begin) for group in distinct if group.handmade == "scan"}
    kernels, codes = write(lowered, buffers, bodies, begin)  # one by one, so that LLVM works meanwhile
    yield "kernels", lambda: _kernels_text(schedule, buffers), kernels
    chained = _chained(schedule, twins, kernels, buffers)
    yield "chain", chained.chains_text, chained
    work = {g: bodies[twins[g].first].plan.arena_bytes for g in schedule.groups if twins[g].first in bodies}
    plan = plan_memory(chained, work, [graph.inputs[n] for n in steady or ()])
    yield "memory", lambda: plan.text(chained), plan
    program = build(chained, plan, twins, kernels, codes, buffers, bodies, begin)
    if steady is None:
        begin(program.step)
    yield "llvm", lambda: "\n".join(program.texts()), program
    yield "asm", lambda: "\n".join(jit.assembly(t) for t in program.texts()), program


def _body(loop: Node, begin: Callable[[str], None]) -> Program:
    """The body of a loop, compiled."""
    return compile_program(body_of(loop.attrs["body"]), begin, _steady(loop))


def _steady(loop: Node) -> list[int]:
    """The numbers of the inputs of a loop's body that are the same in all steps."""
    return [number for number, (_, _, slots, _, _) in enumerate(loop.attrs["reads"]) if not slots]


def _chained(
    schedule: Schedule, twins: Mapping[Group, Twin], kernels: Mapping[Group, Kernel | TiledKernel | None],
    buffers: Mapping[Node, Buffer],
) -> Schedule:  # fmt: skip
    """The chains for this machine: a block may take the second-level cache, or the thread's part of half the last."""
    target, threads = host(), pool.most_threads()
    strides = {group: stride(kernel, target) for group, kernel in kernels.items() if kernel is not None}
    room = Room(target.l2, max(target.l2, target.l3 // (2 * threads)))
    return chain(schedule, twins, kernels, strides, buffers, threads, room)


def _buffers(schedule: Schedule) -> dict[Node, Buffer]:
    """A buffer for every input and stored value."""
    names = node_names(schedule.graph)
    nodes = dict.fromkeys([*schedule.graph.inputs, *(s for g in schedule.groups for s in g.stores)])
    made = {
        n: Buffer(names[n][1:], n.dtype, schedule.layout(n).elements) for n in nodes if schedule.owner(n) is n
    }
    return {n: made[schedule.owner(n)] for n in nodes}


def _kernels_text(schedule: Schedule, buffers: Mapping[Node, Buffer]) -> str:
    parts = []
    for group, kernel in zip(schedule.groups, lower(schedule, buffers), strict=True):
        parts.append(str(kernel) if kernel is not None else f"kernel {group.name} {{ handmade {group.handmade} }}")
    return "\n".join(parts)
