"""The compiler's later stages, one at a time, and what must hold of a schedule and of a memory plan."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import numpy as np

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.arrays import LINE
from graphc.compiler import GRAPH_PASSES
from graphc.ir import Graph, Node, verify
from graphc.irtext import parse
from graphc.op import TABLE, infer_node, traits_of
from graphc.passes.fuse import DEEPEST, fuse
from graphc.passes.join import join
from graphc.passes.layout import layout
from graphc.passes.plan_memory import plan_memory
from graphc.schedule import Group, Home, MemoryPlan, Schedule
from graphc.trace import trace


def graph_of(text: str) -> Graph:
    return verify(parse(dedent(text)), infer_node)


def prepared(graph: Graph) -> Graph:
    """After the passes that are graph in, graph out."""
    for graph_pass in GRAPH_PASSES:
        graph = verify(graph_pass(graph), infer_node)
    return graph


def scheduled(graph: Graph) -> Schedule:
    return fuse(*join(*layout(prepared(graph))))


def groups_of(text: str) -> list[list[str]]:
    """The ops of every group of a graph that is only fused."""
    return [[n.op for n in g.nodes if n.op != "constant"] for g in fuse(graph_of(text), {}).groups]


def check_schedule(schedule: Schedule) -> None:
    """Every value is stored once, before it is read; what a group computes comes from what it reads."""
    graph = schedule.graph
    stored: set[Node] = set(graph.inputs)
    for group in schedule.groups:
        reads = set(group.reads)
        assert reads <= stored, f"{group.name} reads what is not there yet"
        known = set(reads)
        for node in group.nodes:
            assert all(o in known or o.op == "constant" for o in node.operands)
            known.add(node)
        assert group.stores and set(group.stores) <= set(group.nodes) and not set(group.stores) & stored
        assert len({s.shape for s in group.stores}) == 1
        assert (group.contraction is None) or group.contraction in group.nodes
        assert group.handmade == TABLE[group.nodes[-1].op].kernel and (not group.handmade or len(group.nodes) == 1)
        assert _depth(group) <= DEEPEST
        stored.update(group.stores)
    ends = {*graph.outputs, *(value for _, value in graph.updates)}
    assert ends <= stored
    read = {n for g in schedule.groups for n in g.reads}
    assert stored - set(graph.inputs) <= read | ends, "stored for nobody"
    checks = [at for at, g in enumerate(schedule.groups) if any("checks" in traits_of(n) for n in g.nodes)]
    plan = plan_memory(schedule)
    for at, group in enumerate(schedule.groups):
        if any(plan.homes[schedule.owner(s)].kind == "input" for s in group.stores):
            assert all(check < at for check in checks), "an update in place before a check that may fail"


def _depth(group: Group) -> int:
    depth: dict[Node, int] = {}
    for node in group.nodes:
        depth[node] = 1 + max((depth.get(o, 0) for o in node.operands), default=0)
    return max(depth[s] for s in group.stores)


def check_plan(schedule: Schedule, plan: MemoryPlan) -> None:
    """Runs the schedule on labels instead of numbers: whoever reads memory finds there what it wants.

    What lies inside another value has that one's label; which parts are written is noted apart.
    """
    graph = schedule.graph
    there: set[Node] = set()
    holds: dict[tuple[str, int], Any] = {("input", i): node for i, node in enumerate(graph.inputs)}

    def cells(node: Node) -> list[tuple[str, int]]:
        node = schedule.owner(node)
        home = plan.homes[node]
        if home.kind != "arena":
            return [(home.kind, home.at)]
        assert home.at % LINE == 0
        count = -(-schedule.layout(node).elements * node.dtype.itemsize // LINE)
        assert home.at + count * LINE <= plan.arena_bytes
        return [("arena", home.at // LINE + i) for i in range(count)]

    for group in schedule.groups:
        for node in group.reads:
            whole = schedule.owner(node)
            assert all(holds.get(cell) is whole for cell in cells(node)), f"{group.name} reads {node!r} when it is gone"
            assert node in there or whole is node, f"{group.name} reads {node!r} too early"
        taken: set[tuple[str, int]] = set()
        assert not group.joined or {*group.nodes[-1].operands} <= there | {*group.nodes}
        for node in group.stores:
            places = _elements(schedule, node)
            assert not taken & places, "two results of one group in the same place"
            taken.update(places)
            there.add(node)
            holds.update(dict.fromkeys(cells(node), schedule.owner(node)))
    for position, node in enumerate(graph.outputs):
        assert plan.homes[node] == Home("output", position) and holds[("output", position)] is node
    for _, value in graph.updates:
        assert all(holds[cell] is value for cell in cells(value))
    assert plan.bound_bytes <= plan.arena_bytes


def _elements(schedule: Schedule, node: Node) -> set[tuple[Node, int]]:
    """Where a value's elements lie, in the memory of their owner."""
    layout = schedule.layout(node)
    addresses = [layout.address(index).constant for index in np.ndindex(node.shape)] if layout.within else [-1]
    return {(schedule.owner(node), address) for address in addresses if address is not None}


class Net(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dense(4 * 64, 10)
        self.drop = nn.Dropout(p=0.5)

    def construct(self, x: Tensor) -> Tensor:
        x = ops.max_pool2d(ops.relu(self.bn(self.conv(x))), 2, 2)
        return self.fc(self.drop(ops.flatten(x)))


def training_step(batch: int) -> Graph:
    """Forward, backward and Adam's update of a small convolutional network."""
    net = Net().set_train()
    update = nn.Adam(net.trainable_params(), 0.1)
    gradient = ms.value_and_grad(lambda x, y: ops.cross_entropy(net(x), y), None, update.parameters)

    def step(x: Tensor, y: Tensor) -> Tensor:
        loss, slopes = gradient(x, y)
        update(slopes)
        return loss

    x, y = Tensor(np.zeros((batch, 1, 16, 16), np.float32)), Tensor(np.zeros(batch, np.int32))
    return trace(step, (x, y), {}, "step").graph
