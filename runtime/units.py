"""Units of work: how many a kernel has, and which of its loops they step through."""

from __future__ import annotations

from math import prod

from graphc.index import Var
from graphc.loops import Kernel, Stride, TiledKernel
from graphc.runtime.contraction import plan
from graphc.runtime.contraction_plan import OUTER
from graphc.runtime.emit import units
from graphc.runtime.target import Target
from graphc.runtime.tiled import contraction_of
from graphc.schedule import LANES


def stride(kernel: Kernel | TiledKernel, target: Target) -> Stride:
    """How the units of a kernel step through its outermost loops."""
    if isinstance(kernel, TiledKernel):
        return _tiled_stride(kernel, target)
    outer = kernel.loops[:1]
    return Stride(outer, LANES if outer and outer[0] is kernel.vector else 1, 1, units(kernel))


def _tiled_stride(kernel: TiledKernel, target: Target) -> Stride:
    """The outermost axes whose tiles are single elements, down to the first of which a unit takes several."""
    chosen = plan(contraction_of(kernel), target.lanes)
    axes, runs = chosen.axes, {d.name + OUTER: d for d in chosen.runs}
    by_name = {var.name: var for var in kernel.loops}
    loops: list[Var] = []
    steps = 1
    for axis in axes:
        if steps > 1 or axis.lanes > 1 or axis.tile > 1 or (loops and axis.dim.extent % axis.block):
            break
        run = runs.get(axis.dim.name)  # of which a step takes several
        loops.append(by_name[run.name if run else axis.dim.name])
        steps = axis.block * (run.extent if run else 1)
    inner = prod(axis.blocks for axis in axes[len(loops) :])
    return Stride(tuple(loops), steps, inner, prod(axis.blocks for axis in axes))
