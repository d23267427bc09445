"""How a contraction is run: its register tile, units of work, blocks of the sum and packed operands.

A `Plan` follows from extents, strides, vector length and registers. It decides speed only: what is computed, bit for
bit, is the `Contraction`'s own. `print(plan(c, 16))` shows a row-major product of 512 x 512 as

    40 units: i 82x6+4x5 in blocks of 18; j 8x64 in blocks of 1, sum k:512/2, in blocks of k:256, fetches i ahead

82 tiles of six rows and four of five times eight of 64 columns; a unit has 18 of the former; the sum runs in two blocks
of 256, two steps in the loop's body, while the rows of the next tile are fetched.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import prod

from graphc.arrays import PAGE
from graphc.runtime.contraction_blocks import (
    blocked,
    blocked_runs,
    cut,
    next_beside,
    next_rows,
    next_vectors,
    packable,
    read_once,
    results_turned,
    together,
)
from graphc.runtime.contraction_plan import FAR, OUTER, ROW, SQUARE, TURN, Plan
from graphc.runtime.contraction_rows import along_rows
from graphc.runtime.contraction_step import Steps
from graphc.runtime.contraction_terms import Contraction, Coords, Dim, Inside, Transform
from graphc.runtime.contraction_tile import Search, axes_of, registers_of, vectors_of
from graphc.runtime.llvmtext import SIZEOF
from graphc.runtime.target import host
from graphc.schedule import NEAR, RUN_STEPS, RUN_USES

__all__ = ["Contraction", "Coords", "Dim", "Inside", "Plan", "Transform", "plan", "units"]

FEW, NOT_MANY, TURNING = 12, 16, 8
"""Vectors that do not lie in memory are turned where they are used, if what turning takes leaves a register for every
row; more rows share a panel. So do more than a few where lines crowd, and are gone before their next part is read: in
one set of the first-level cache, or in two."""

OF_HALVES = 2
"""Registers for the halves of words, where these are multiplied one by one."""

WHOLE_ROWS = 320
"""Multiply-adds of a row up to which it is written as one."""

RUN_ELEMENTS = 400
"""Elements of the longest row of runs side by side."""


def units(c: Contraction, target_lanes: int) -> int:
    """The number of independent units of work that `emit` splits the contraction into.

    Args:
        target_lanes: float32 lanes of the machine's vectors: 4, 8 or 16.
    """
    return plan(c, target_lanes).units


@lru_cache(maxsize=512)
def plan(c: Contraction, target_lanes: int) -> Plan:
    """Chooses the register tile, the units, the blocks and the packing.

    Args:
        target_lanes: float32 lanes of the machine's vectors: 4, 8 or 16.
    """
    lanes = max(1, target_lanes * SIZEOF["float"] // SIZEOF[c.element])
    c, runs = _side_by_side(c.merged(), lanes) if not c.twos else (c.merged().in_words(), ())
    while not c.lanes_summed and c.lane.extent <= lanes // 2 >= TURN:  # short vectors lie in two lines less often
        lanes //= 2
    search, registers = Search(c, lanes), registers_of(target_lanes)
    if c.halves and not host().multiplies_twos:
        registers -= OF_HALVES
    turns = c.vectors if _turns(c, lanes, registers, search.steps) else None
    if c.turned:  # all results are of a tile, for which everything is turned once
        tile = {d.name: lanes if d.name == c.lanes else 1 if d in c.batch else d.extent for d in c.outputs}
        turns = _turned_once(c) if lanes >= TURN else None
        window = search.steps.window(vectors_of(c, lanes, tile))
        if turns:
            last, cells = c.sums[-1].extent, prod(vectors_of(c, lanes, tile))
            window = (*[1] * (len(c.sums) - 1), last if last * cells <= WHOLE_ROWS else min(SQUARE, lanes))
    elif turns:  # one vector at a time, of as many steps as it has lanes, so that lines are read once
        tile = {d.name: 1 if d.stride(turns) else d.extent for d in c.outputs} | {c.lanes: lanes}
        window = (*[1] * (len(c.sums) - 1), min(lanes, c.sums[-1].extent))
    else:
        tile = search.best(registers)
        window = search.steps.window(vectors_of(c, lanes, tile))
    streamed = "ab"[search.steps.streamed(vectors_of(c, lanes, tile), window)]
    chosen = Plan(c, lanes, axes_of(c, lanes, tile), window, streamed, turns=turns, runs=runs)
    if streaming := along_rows(chosen):
        chosen = results_turned(streaming)
    else:
        chosen = results_turned(blocked_runs(chosen) if runs else together(blocked(chosen, search.steps)))
        chosen = read_once(replace(chosen, cut=cut(chosen, search.steps)))
    return replace(
        chosen, ahead=next_vectors(chosen), rows_ahead=next_rows(chosen), beside_ahead=next_beside(chosen)
    )


def _side_by_side(c: Contraction, lanes: int) -> tuple[Contraction, tuple[Dim, ...]]:
    """The contraction with runs of its lanes side by side, as one dim, and the dims whose runs these are.

    The pixels of an image under a 1x1 convolution seldom fill vectors; those of some images do. They lie so in the
    panel of the vector operand only, where a tile reads them; what it computes waits until it is finished run by run.
    """
    own, others = (c.n, c.m) if c.vectors == "b" else (c.m, c.n)
    plain = not (c.batch or c.inside or c.lanes_summed or c.turned or c.a_transform or c.b_transform)
    used = prod(d.extent for d in others) >= RUN_USES and prod(d.extent for d in c.sums) >= RUN_STEPS
    if not (plain and used and own[-1] is c.lane and c.lane.stride(c.vectors) <= NEAR):
        return c, ()
    rows = {
        (n, count): count * prod(d.extent for d in own[n + 1 :])
        for n, d in enumerate(own[:-1]) for count in range(2, d.extent + 1) if d.extent % count == 0
    }  # fmt: skip
    waste = {choice: _in_vectors(size, lanes) for choice, size in rows.items() if size <= RUN_ELEMENTS}
    short = lanes // 2 if c.lane.extent <= lanes // 2 else lanes  # vectors, of which two take as long as a whole one
    most = min(0.97 * _in_vectors(c.lane.extent, short), min(waste.values(), default=0) + 0.03)
    best = max((x for x in waste if waste[x] <= most), key=lambda choice: rows[choice], default=None)
    if best is None or not packable(c, c.vectors, Steps(c)):
        return c, ()
    (n, count), d = best, own[best[0]]
    outer = Dim(f"{d.name}{OUTER}", d.extent // count, d.a * count, d.b * count)
    row = Dim(ROW, rows[best], int(c.vectors == "a"), int(c.vectors == "b"))
    dims = (*own[:n], *([outer] if outer.extent > 1 else []), row)
    made = replace(c, n=dims, lanes=ROW) if c.vectors == "b" else replace(c, m=dims, lanes=ROW)
    return made, (replace(d, extent=count), *own[n + 1 :])


def _in_vectors(extent: int, lanes: int) -> float:
    """How many times as much vectors hold as there is."""
    return -(-extent // lanes) * lanes / extent


def _turned_once(c: Contraction) -> str | None:
    """The operand of which every element is turned for one step of one tile, and used there at once."""
    once = [x for x in "ab" if c.sums[-1].stride(x) == 1 and not any(d.stride(x) and d.extent > 1 for d in c.m + c.n)]
    return once[-1] if once else None


def _turns(c: Contraction, lanes: int, registers: int, steps: Steps) -> bool:
    """Whether tiles turn the vector operand: its steps lie along memory, not its vectors, and few rows use them."""
    if not c.sums or c.sums[-1].stride(c.vectors) != 1 or c.lane.stride(c.vectors) in (0, 1) or lanes < TURN:
        return False
    most, apart = registers - TURNING, SIZEOF[c.element] * c.lane.stride(c.vectors)
    if apart % FAR == 0:
        most = min(most, NOT_MANY if apart % PAGE else FEW)
    uses = prod(d.extent for d in c.outputs if not d.stride(c.vectors))
    return uses <= most and packable(c, c.vectors, steps)
