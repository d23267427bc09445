"""Which groups do the same to other buffers: such groups are lowered and compiled once.

    before   group 0 { %1 = tanh(%0) }   group 1 { %2 = tanh(%1) }   group 2 { %3 = exp(%2) }
    after    group 0, group 1 as group 0 (with %1 for %0, %2 for %1), group 2
"""

from __future__ import annotations

from graphc.fingerprint import Fingerprint, UnknownContentError
from graphc.ir import Node
from graphc.schedule import Group, Schedule, Twin


def alike(schedule: Schedule) -> dict[Group, Twin]:
    """For every group the first of its schedule that does the same: itself, where there is none before."""
    firsts: dict[str, tuple[Group, list[Node]]] = {}
    twins = {}
    for group in schedule.groups:
        try:
            text = _told(schedule, group)
        except UnknownContentError:
            twins[group] = Twin(group, {})
            continue
        own = list(text.numbers)
        first, nodes = firsts.setdefault(str(text), (group, own))
        twins[group] = Twin(first, dict(zip(nodes, own, strict=True)) if first is not group else {})
    return twins


def _told(schedule: Schedule, group: Group) -> Fingerprint:
    """All that lowering and emission look at."""
    text, inside = Fingerprint(), set(group.nodes)
    owners: dict[Node, int] = {}

    def place(node: Node) -> str:
        """The layout, and where it is inside another value: which one, of those that the group meets."""
        layout, told = schedule.layout(node), [str(schedule.layout(node))]
        while layout.within:
            told.append(f"{layout.within.shape} in {layout.within.layout.shape} {layout.within.layout}")
            layout = layout.within.layout
        return f"{', '.join(told)} of {owners.setdefault(schedule.owner(node), len(owners))}"

    for node in group.nodes:
        for operand in node.operands:
            if operand not in text.numbers and operand not in inside:
                if operand.op == "constant":
                    text.node(operand)
                else:
                    text.leaf(operand, f" {place(operand)}")
        text.node(node)
    text.role(f"stores {[place(s) for s in group.stores]}", group.stores)
    text.role(f"handmade {group.handmade} {group.joined}", [group.contraction] if group.contraction else [])
    return text
