"""Loops: one function that runs the kernels of a body for every step of a `scan`.

    for i in 0..T { t = i or T - 1 - i; <the addresses of what step t reads and writes>; kernel_0(args_0); ... }

What a step writes lies where `graphc.ops.recurrence` says, the next reads it there, and the body's other values lie in
memory that all steps work in. What is the same in all steps is computed before the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphc.ir import TensorType
from graphc.runtime.llvmtext import Builder, Module, Val, i64
from graphc.schedule import Home


class Part(NamedTuple):
    """A kernel of the body.

    Attributes:
        name: its function's; units: all its units of work; split: whether the pool shares them.
        homes: of its buffers, in the body.
        once: whether it does the same in all steps.
    """

    name: str
    units: int
    split: bool
    homes: tuple[Home, ...]
    once: bool


def emit_scan(
    module: Module, name: str, parts: Sequence[Part], count: int, inputs: Sequence[TensorType],
    outputs: Sequence[TensorType], attrs: Mapping[str, Any],
) -> None:  # fmt: skip
    """Writes the loop as a function like a kernel's, of one unit of work.

    Its arguments are the operands, the vector that it writes, the memory that it works in, and the status block.

    Args:
        count: of the arguments but for the status block.
        inputs, outputs: of the body.
        attrs: of the `scan`.
    """
    b = module.function(name, [("ptr", "args"), ("i64", "begin"), ("i64", "end")])
    *operands, vector, work, status = [b.load(b.gep(b.args[0], n, "ptr"), "ptr") for n in range(count + 1)]
    table = b.alloca("ptr", sum(len(part.homes) + 1 for part in parts))
    moving: dict[tuple[str, int], list[tuple[Val, int]]] = {}  # where addresses go that change, by what they are of
    starts, at = [], 0
    for part in parts:
        starts.append(b.gep(table, at, "ptr"))
        for home in part.homes:
            place, at = b.gep(table, at, "ptr"), at + 1
            if home.kind == "arena":
                b.store(b.gep(work, home.at + home.beyond, "i8"), place)
            elif home.kind == "input" and not attrs["reads"][home.at][2]:
                operand, offset = attrs["reads"][home.at][:2]
                whole = vector if operand < 0 else operands[operand]
                b.store(b.gep(whole, offset * inputs[home.at].dtype.itemsize + home.beyond, "i8"), place)
            else:
                moving.setdefault((home.kind, home.at), []).append((place, home.beyond))
        b.store(status, b.gep(table, at, "ptr"))
        at += 1

    def call(part: Part, start: Val) -> None:
        module.declare(part.name, "void", ["ptr", "i64", "i64"])
        if part.split:
            b.call("graphc_parallel", "void", Val(f"@{part.name}", "ptr"), start, i64(part.units))
        elif part.units:
            b.call(part.name, "void", start, i64(0), i64(part.units))

    for part, start in zip(parts, starts, strict=True):
        if part.once:
            call(part, start)
    steps = attrs["count"]
    with b.loop(0, steps) as i:
        t = b.sub(i64(steps - 1), i) if attrs["backwards"] else i
        for (kind, number), places in moving.items():
            if kind == "output":
                offset, slots = attrs["writes"][number]
                address = _item(b, vector, t, offset, slots, outputs[number])
            else:
                operand, offset, slots, shift, edge = attrs["reads"][number]
                item = b.add(t, shift) if shift else t
                address = _item(b, vector if operand < 0 else operands[operand], item, offset, slots, inputs[number])
                if shift:
                    address = b.select(b.icmp("ult", item, steps), address, operands[edge])
            for place, beyond in places:
                b.store(b.gep(address, beyond, "i8") if beyond else address, place)
        for part, start in zip(parts, starts, strict=True):
            if not part.once:
                call(part, start)
    b.ret()


def _item(b: Builder, whole: Val, item: Val, offset: int, slots: int, type_: TensorType) -> Val:
    """The address of an item: there are slots for all steps, or for two in turn (or one, if there is one step)."""
    slot = b.int_op("and", item, 1) if slots == 2 else item
    return b.gep(b.gep(whole, offset * type_.dtype.itemsize, "i8"), b.mul(slot, type_.nbytes), "i8")
