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
    loop = _Loop(b, operands, vector, work, inputs, outputs, attrs)
    tables = [loop.table(part, status) for part in parts]
    for part, table in zip(parts, tables, strict=True):
        if part.once:
            _call(b, part, table)
    steps = attrs["count"]
    with b.loop(0, steps) as i:
        loop.move(b.sub(i64(steps - 1), i) if attrs["backwards"] else i)
        for part, table in zip(parts, tables, strict=True):
            if not part.once:
                _call(b, part, table)
    b.ret()


def _call(b: Builder, part: Part, table: Val) -> None:
    b.module.declare(part.name, "void", ["ptr", "i64", "i64"])
    if part.split:
        b.call("graphc_parallel", "void", Val(f"@{part.name}", "ptr"), table, i64(part.units))
    elif part.units:
        b.call(part.name, "void", table, i64(0), i64(part.units))


class _Loop:
    """The addresses that kernels are given: some stay, some are others at every step."""

    def __init__(
        self, b: Builder, operands: Sequence[Val], vector: Val, work: Val, inputs: Sequence[TensorType],
        outputs: Sequence[TensorType], attrs: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.b, self.operands, self.vector, self.work = b, operands, vector, work
        self.inputs, self.outputs, self.attrs = inputs, outputs, attrs
        self.moving: dict[tuple[str, int], list[tuple[Val, int]]] = {}  # where they go, by what they are of

    def table(self, part: Part, status: Val) -> Val:
        """Memory for the addresses of a kernel, in which those are that stay."""
        b = self.b
        table = b.alloca("ptr", len(part.homes) + 1)
        for at, home in enumerate(part.homes):
            place = b.gep(table, at, "ptr")
            if home.kind == "arena":
                b.store(b.gep(self.work, home.at + home.beyond, "i8"), place)
            elif home.kind == "input" and not self.attrs["reads"][home.at][2]:
                operand, offset = self.attrs["reads"][home.at][:2]
                size = self.inputs[home.at].dtype.itemsize
                b.store(b.gep(self.operands[operand], offset * size + home.beyond, "i8"), place)
            else:
                self.moving.setdefault((home.kind, home.at), []).append((place, home.beyond))
        b.store(status, b.gep(table, len(part.homes), "ptr"))
        return table

    def move(self, t: Val) -> None:
        """Writes the addresses of what step t reads and writes."""
        b = self.b
        for (kind, number), places in self.moving.items():
            address = self._written(number, t) if kind == "output" else self._read(number, t)
            for place, beyond in places:
                b.store(b.gep(address, beyond, "i8") if beyond else address, place)

    def _written(self, number: int, t: Val) -> Val:
        offset, slots = self.attrs["writes"][number]
        return _item(self.b, self.vector, t, offset, slots, self.outputs[number])

    def _read(self, number: int, t: Val) -> Val:
        b = self.b
        operand, offset, slots, shift, edge = self.attrs["reads"][number]
        item = b.add(t, shift) if shift else t
        whole = self.vector if operand < 0 else self.operands[operand]
        address = _item(b, whole, item, offset, slots, self.inputs[number])
        if not shift:
            return address
        return b.select(b.icmp("ult", item, self.attrs["count"]), address, self.operands[edge])


def _item(b: Builder, whole: Val, item: Val, offset: int, slots: int, type_: TensorType) -> Val:
    """The address of an item: there are slots for all steps, or for two in turn (or one, if there is one step)."""
    slot = b.int_op("and", item, 1) if slots == 2 else item
    return b.gep(b.gep(whole, offset * type_.dtype.itemsize, "i8"), b.mul(slot, type_.nbytes), "i8")
