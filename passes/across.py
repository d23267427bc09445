"""What lies across the lanes of a contraction: the variable along which vectors of its tiles go.

    m i2: 64 features   n i4: 28 pixels of a row   k: 9 taps of 3 channels
    rows:      28 of 32 lanes are used, the row is read under one tap after the other            28 / 32 * 0.95
    features:  all are, but each vector is turned before it is stored, in the time of 14 steps   1 / (1 + 14 / 27)

Each variable has a score: how full its vectors are, how they are read and how they are stored. As measured.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile
from math import prod

from graphc.index import Ix, Var
from graphc.loops import Condition, Value
from graphc.schedule import LANES, NEAR, RUN_STEPS, RUN_USES, TAPS, TURNED

SCATTERED, SCATTERED_APART, SHORT = 14, 60, 16
"""Steps of a sum that take as long as turning its vector to store it; where no window slides, so that whole
rows of the result begin lines of their own; and steps up to which it takes longer than the sum."""

SIDE_BY_SIDE, TURNING = 0.96, 6
"""What vectors are worth that hold runs of several rows side by side, which a kernel copies so; and for how many
results a vector is used in the time that turning one takes."""

TURNED_ONCE, TURNED_BOTH, ALONG_TAPS, EVERY_FEW, GATHERED, TOGETHER = 0.95, 0.4, 0.95, 0.65, 0.1, 0.9
"""What lanes are worth whose vectors a kernel must turn once; for which it turns both operands; of rows that it reads
under one tap after the other, at any address and with lanes left out at the margins; of rows of which a tap reads every
second element or so, from whole vectors; those that it reads element by element; and of depthwise channels that lie
side by side, whose weights it turns once."""


def lane_choice(
    loops: Sequence[Var], summed: Sequence[Var], a: Value, c: Value, inside: Sequence[Condition]
) -> tuple[Var, bool] | None:
    """The variable to lie across the lanes, and whether the operands change sides so that it moves the second.

    Its operand should be contiguous along it (otherwise it is packed, or read element by element where not all of its
    terms exist), it should fill the vectors, and the innermost loop comes first: there the result is contiguous too.
    Where a window slides and the sum is long, the latter counts little, and vectors of channels are better than rows.
    """
    slide = {v for v in loops if any(_slides(x.data[1], v, summed) for x in (a, c))}
    steps = max(prod(v.extent for v in summed), 1)
    best: tuple[float, Var, bool] | None = None
    innermost = next((v for v in reversed(loops) if v.extent > 1), None)
    for var in loops:
        in_a, in_c = (bool(x.data[1].coefficient(var)) for x in (a, c))
        together = in_a and in_c and slide and var not in slide
        swap = a.data[1].coefficient(var) == 1 if together else in_a
        own, other = (a, c) if swap else (c, a)
        if var.extent <= 1 or (in_a == in_c and not (together and own.data[1].coefficient(var) == 1)):
            continue
        fill = var.extent / (-(-var.extent // LANES) * LANES)
        if not inside and not slide and _in_runs(var, loops, summed, a, c):
            fill = max(fill, SIDE_BY_SIDE)
        score = fill * (TOGETHER if together else _worth(var, loops, slide, own.data[1], other.data[1], inside))
        if var is not innermost:
            score *= _stored_apart(steps, bool(slide), own.data[1].coefficient(var) == 1)
        if best is None or score > best[0]:
            best = score, var, swap
    both = _turned_lanes(loops, summed, a, c) if slide else None
    if both is not None and (best is None or best[0] < TURNED_BOTH * both.extent / (-(-both.extent // LANES) * LANES)):
        return both, False
    if best is None:
        spare = next((v for v in reversed(loops) if not (a.data[1].coefficient(v) and c.data[1].coefficient(v))), None)
        return None if spare is None else (spare, bool(a.data[1].coefficient(spare)))
    return best[1], best[2]


def _worth(
    var: Var, loops: Sequence[Var], slide: Collection[Var], own: Ix, other: Ix, inside: Sequence[Condition]
) -> float:
    """What vectors along a variable are worth, by how the operand that it moves, `own`, is read."""
    step = own.coefficient(var) or 0
    if step == 1:
        return ALONG_TAPS if var in slide else 1.0
    if var in slide and 1 < step <= NEAR:
        return EVERY_FEW
    if any(own.coefficient(i.output) and own.coefficient(i.summed) for i in inside):
        return GATHERED
    if slide:
        return TURNED_ONCE if var not in slide else 0.75
    uses = prod(v.extent for v in loops if other.coefficient(v))
    return max(0.75, 1 / (1 + TURNING / max(uses, 1)))


def _stored_apart(steps: int, slides: bool, along: bool) -> float:
    """What is left of that where the result is not stored along the variable, after a sum of so many steps."""
    apart = 1 / (1 + (SCATTERED if slides else SCATTERED_APART) / steps)
    if slides:
        return apart
    floor = (steps + 1) / (steps + LANES) if steps < SHORT else 0.7  # a store for each lane, or one
    return max(floor, apart if along else 0.0)


def _in_runs(var: Var, loops: Sequence[Var], summed: Sequence[Var], a: Value, c: Value) -> bool:
    """Whether a kernel can copy runs along a variable side by side, so that vectors are full: pixels of some images."""
    steps = {v: (a.data[1].coefficient(v) or 0, c.data[1].coefficient(v) or 0) for v in loops if v.extent > 1}
    own = 0 if steps[var][0] else 1
    uses = prod(v.extent for v, by in steps.items() if by[1 - own])
    return (
        0 < steps[var][own] <= NEAR and any(by[own] for v, by in steps.items() if v is not var)
        and all(bool(x) != bool(y) for x, y in steps.values())
        and uses >= RUN_USES and prod(v.extent for v in summed) >= RUN_STEPS
    )  # fmt: skip


def _turned_lanes(loops: Sequence[Var], summed: Sequence[Var], a: Value, c: Value) -> Var | None:
    """The variable that lies across the lanes if a kernel turns both operands while the sum goes on, each element once.

    Such are the channels of a depthwise convolution in the gradient of its weights, whose taps are all of a tile.
    """
    steps = {v: (a.data[1].coefficient(v) or 0, c.data[1].coefficient(v) or 0) for v in (*loops, *summed)}
    taps = [v for v in loops if not all(steps[v]) and v.extent > 1]
    far = [v for v in loops if v.extent > 1 and min(steps[v]) >= LANES]
    if not far or prod(v.extent for v in taps) > TAPS or min(map(min, steps.values())) < 0:
        return None
    lanes = max(far, key=lambda v: v.extent)
    sums = [v for v in summed if v.extent > 1]
    outside = takewhile(lambda v: all(by >= across for by, across in zip(steps[v], steps[lanes], strict=True)), sums)
    within = sums[len(list(outside)) :]
    for side in (0, 1):
        at_once = sum(steps[v][side] * (v.extent - 1) for v in (*taps, *within[1:]))
        whole = at_once + sum(steps[v][side] * (v.extent - 1) for v in within[:1])
        more = at_once + steps[within[0]][side] if len(within) > 1 else whole
        if whole + 1 < LANES or more >= TURNED:
            return None
    return lanes


def _slides(address: Ix, var: Var, summed: Sequence[Var]) -> bool:
    """Whether a summed index moves along an output's, as the taps of a filter do along rows: neither steps over all of
    the other's steps."""
    step = abs(address.coefficient(var) or 0)
    taps = ((abs(address.coefficient(v) or 0), v.extent) for v in summed)
    return any(0 < tap <= step * (var.extent - 1) and step <= tap * (extent - 1) for tap, extent in taps)
