"""Chains of kernels: one function that calls them block by block of their rows.

    for block in 0..blocks { kernel_0(args_0, 12 * block, 12 * block + 12); kernel_1(args_1, block, block + 1); ... }

What only passes from kernel to kernel is kept as one block for each piece of the work that a thread may take. Kernels
address it as if all of it were there, so the address that they are given lies as far before the block as it is from
the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.loops import Buffer
from graphc.runtime.llvmtext import Builder, Module, Val, i64
from graphc.schedule import Chain


@dataclass(frozen=True)
class Link:
    """A kernel of a chain: its function's name, all its units of work, and its buffers."""

    name: str
    units: int
    buffers: tuple[Buffer, ...]


def emit_chain(module: Module, name: str, chain: Chain, links: Sequence[Link], passing: Mapping[Buffer, int]) -> None:
    """Writes the chain as a function like a kernel's, whose units of work are as many pieces as threads may share.

    Its arguments are those of the kernels one after the other, then the status block.

    Args:
        passing: of buffers of which only a block is kept, how many bytes of it.
    """
    b = module.function(name, [("ptr", "args"), ("i64", "begin"), ("i64", "end")])
    args, begin, end = b.args
    count = sum(len(link.buffers) for link in links)
    status = b.load(b.gep(args, count, "ptr"), "ptr")
    own = b.alloca("ptr", count + len(links))
    moving: list[tuple[Val, Val, int]] = []  # where a kernel finds an address, what it is in block 0, bytes of a block
    starts: list[Val] = []
    at = taken = 0
    for link in links:
        starts.append(b.gep(own, at, "ptr"))
        for buffer in link.buffers:
            address, place = b.load(b.gep(args, taken, "ptr"), "ptr"), b.gep(own, at, "ptr")
            if buffer.whole in passing:
                size = passing[buffer.whole]
                moving.append((place, b.gep(address, b.mul(begin, size), "i8"), size))
            else:
                b.store(address, place)
            at, taken = at + 1, taken + 1
        b.store(status, b.gep(own, at, "ptr"))
        at += 1
    first, last = (_block(b, piece, chain) for piece in (begin, end))
    with b.loop(first, last) as block:
        for place, address, size in moving:
            b.store(b.gep(address, b.mul(block, -size), "i8"), place)
        for link, start, units in zip(links, starts, chain.units, strict=True):
            module.declare(link.name, "void", ["ptr", "i64", "i64"])
            lo = b.mul(block, units)
            hi = b.intrinsic("smin", "i64", b.add(lo, units), i64(link.units))
            b.call(link.name, "void", start, lo, hi)
    b.ret()


def _block(b: Builder, piece: Val, chain: Chain) -> Val:
    """The block that a piece of the work begins with."""
    return b.int_op("udiv", b.mul(piece, chain.blocks), chain.threads)
