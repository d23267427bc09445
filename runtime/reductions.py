"""Reductions, each a loop of its own over values: `reduce` and `contract` write them where the loops stand.

Sums and products of floats have an order that nothing may change: sixteen partial results, one for each k mod 16,
folded by halves. Where no lane depends on the reduction its own variable lies across the lanes, which then are the
sixteen; where every lane has one of its own they lie in registers, if what is reduced is made of little, or on the
stack. Other reductions keep as many running results as are fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd

from graphc.dtype import DType
from graphc.index import Atom, Gathered, Ix, Quotient, Remainder, Var, variables_of
from graphc.known import has_data
from graphc.loops import Value, all_values, gathered, operands_of
from graphc.runtime.functions import ELEMENT, function, identity
from graphc.runtime.indices import narrowed
from graphc.runtime.llvmtext import Builder, Val, const, const_vector, i64, mask, vector
from graphc.runtime.memory import from_memory, to_memory
from graphc.runtime.values import Writer
from graphc.schedule import LANES

CHAINS, SMALL = 4, 12
"""How many results run side by side in a reduction whose body has at most so many expression nodes."""

UNROLLED = 160
"""How many expression nodes a reduction's unrolled body may have."""

LIGHT, WRITTEN = {"add", "sub", "mul", "neg", "abs", "square", "select"}, 6
"""What a reduction may be made of, and of how many operations, for its body to be written sixteen times."""

MANY_TERMS, PAGE, ONE_SET = 2048, 4096, 32
"""Terms beyond which lines are not read across, as they would fill the second-level cache; bytes after which lines meet
in one set of the first-level one; and from how many on that meet there they are gone when they are needed again."""

_FUNCTION = {"sum": "add", "prod": "mul", "any": "or", "all": "and"}


def reduce(w: Writer, value: Value) -> Val:
    """Writes a value of kind `reduce`."""
    kind, var = value.data
    w.ahead(value.args)
    if var.extent == 0:
        return identity(kind, value.dtype, 1)
    if w.scope.is_vector(value):
        return finished(w.b, value, _in_lanes(w, value))
    return finished(w.b, value, _fold_lanes(w.b, value, across_lanes(w, value)))


# What reductions are, and what their results are made of


def is_ordered(value: Value) -> bool:
    """Whether the order of a reduction is defined: that of sums and products of floats."""
    return value.data[0] in ("sum", "prod") and value.dtype.is_float


def is_short(value: Value) -> bool:
    """Whether a reduction is written out instead of looped over."""
    var: Var = value.data[1]
    return var.extent <= LANES and weight(value.args) * var.extent <= UNROLLED


def weight(values: Sequence[Value]) -> int:
    """About how many operations are written for the values; what is only about indices does not count."""
    found = [v for v in all_values(values) if not _indexing(v)]
    again = (int(v.data[1].extent - 1) * weight(v.args) for v in found if v.kind == "reduce" and is_short(v))
    return max(len(found) + sum(again), 1)


def _indexing(value: Value) -> bool:
    if value.kind in ("const", "position"):
        return True
    return value.kind in ("fn", "cast") and all(_indexing(a) for a in value.args)


def combine(b: Builder, kind: str, dtype: DType, x: Val, y: Val) -> Val:
    """Two partial results as one."""
    return function(b, _FUNCTION.get(kind, kind), dtype, [x, y])


def fold(b: Builder, kind: str, dtype: DType, parts: Sequence[Val]) -> Val:
    """Folds partial results by halves of sixteen; a missing one is neutral."""
    slots: list[Val | None] = [*parts, *([None] * (LANES - len(parts)))]
    while len(slots) > 1:
        half = len(slots) // 2
        slots = [
            x if y is None or x is None else combine(b, kind, dtype, x, y)
            for x, y in zip(slots[:half], slots[half:], strict=True)
        ]
    assert slots[0] is not None
    return slots[0]


def finished(b: Builder, value: Value, result: Val) -> Val:
    """What came out of a reduction; which zero a maximum is depends on the order, so it is made 0.0."""
    if value.data[0] in ("argmax", "argmin"):
        return result if result.element == "i64" else b.convert("zext", result, "i64")
    if value.data[0] in ("max", "min") and value.dtype.is_float:
        return b.fadd(result, const(0.0, result.type))
    return result


Partial = tuple[Val, ...]
"""A running result of each of sixteen lanes: of one reduction, or of `argmax` and its kin what was found, and where."""


def _fold_lanes(b: Builder, value: Value, partial: Partial) -> Val:
    width = partial[0].lanes
    while width > 1:
        width //= 2
        lower, upper = zip(*(_halves(b, x, width) for x in partial), strict=True)
        partial = _both(b, value, lower, upper)
    return partial[-1]


def fold_rows(b: Builder, value: Value, partials: Sequence[Partial]) -> Val:
    """Folds sixteen partial results, each as `_fold_lanes` does: the result of each in its lane.

    Two vectors become one of half as many lanes of each, by instructions that need no register to say which.
    """
    for apart, lower in _TOGETHER:
        upper = [lane + apart[1] for lane in lower]
        firsts = [i for i in range(len(partials)) if not i & apart[0]]
        pairs = [tuple(zip(partials[i], partials[i + apart[0]], strict=True)) for i in firsts]
        partials = [
            _both(b, value, *(tuple(b.shuffle(x, y, lanes) for x, y in pair) for lanes in (lower, upper)))
            for pair in pairs
        ]
    return partials[0][-1]


_TOGETHER = (
    ((4, 8), [*range(8), *range(16, 24)]),
    ((4, 4), [g + lane for g in (0, 8, 16, 24) for lane in range(4)]),
    ((1, 2), [g + lane for g in range(0, 16, 4) for lane in (0, 1, 16, 17)]),
    ((1, 1), [g + lane for g in range(0, 16, 4) for lane in (0, 2, 16, 18)]),
)
"""For each halving of the lanes: how far apart in the list are the two vectors that meet, and in a vector the lanes;
and the lower ones of these. What is left after the last one lies in the order of the rows."""


def _both(b: Builder, value: Value, x: Partial, y: Partial) -> Partial:
    """Two partial results as one."""
    kind = value.data[0]
    if len(x) == 1:
        return (combine(b, kind, value.dtype, x[0], y[0]),)
    better = _is_better(b, kind, value.args[0].dtype, (y[0], y[1]), (x[0], x[1]))
    return b.select(better, y[0], x[0]), b.select(better, y[1], x[1])


def _halves(b: Builder, x: Val, width: int) -> tuple[Val, Val]:
    """The lower and the upper `width` lanes of a vector of twice as many."""
    if width == 1:
        return b.extract(x, 0), b.extract(x, 1)
    return b.shuffle(x, x, range(width)), b.shuffle(x, x, range(width, 2 * width))


class _Slots:
    """Partial results on the stack, one for each k mod 16 of a loop of so many steps."""

    def __init__(self, b: Builder, start: Val, steps: int) -> None:
        self._b, self._start, self._used = b, start, min(steps, LANES)
        self._stack = b.alloca(start.element, LANES * start.lanes)
        for slot in range(self._used):
            b.store(start, self._slot(slot))

    def _slot(self, slot: int) -> Val:
        return self._b.gep(self._stack, slot * self._start.lanes, self._start.element)

    def place(self, index: Val) -> Val:
        """The address of the one that a step adds to."""
        b, start = self._b, self._start
        return b.gep(self._stack, b.mul(b.int_op("and", index, LANES - 1), start.lanes), start.element)

    def folded(self, kind: str, dtype: DType) -> Val:
        parts = [self._b.load(self._slot(slot), self._start.type) for slot in range(self._used)]
        return fold(self._b, kind, dtype, parts)


# Across the lanes: one reduction


def across_lanes(w: Writer, value: Value) -> Partial:
    """A reduction that no lane depends on: its own variable lies across the lanes, still to be folded."""
    kind, var = value.data
    if kind in ("argmax", "argmin"):
        return _position_across_lanes(w, value)
    if (length := _row_length(value)) is not None:
        return (_row_by_row(w, value, length),)
    (body,), b, scope, dtype = value.args, w.b, w.scope, value.dtype
    start = identity(kind, dtype, LANES)
    total = start
    full, tail = var.extent // LANES * LANES, var.extent % LANES
    if full:
        chains = _chains(value, full // LANES)
        whole, step = full // (LANES * chains) * LANES * chains, LANES * chains
        with b.loop_carrying(0, whole, [start] * chains, step) as (index, running, out):
            for c in range(chains):
                with scope.across(var, b.add(index, c * LANES), known=Ix.of(Var(var.name, full // LANES)) * LANES):
                    out[c] = combine(b, kind, dtype, running[c], w.spread(body))
        totals = list(out)
        for c in range((full - whole) // LANES):
            with scope.across(var, i64(whole + c * LANES)):
                totals[c] = combine(b, kind, dtype, totals[c], w.spread(body))
        total = totals[0]
        for other in totals[1:]:
            total = combine(b, kind, dtype, total, other)
    if tail:
        with scope.across(var, i64(full), tail):
            item = w.spread(body)
            total = combine(b, kind, dtype, total, b.select(mask(tail, LANES), item, start))
    return (total,)


SHORTEST = 4
"""Elements of a row from which on it is quicker to go row by row than to work out the place of each element."""


def _row_length(value: Value) -> int | None:
    """How long the rows are that a reduction goes through, if their places are data, as in a sum of what is gathered,
    or begin anywhere in a vector, as in a sum of what is repeated; None if it goes through no such rows."""
    var = value.data[1]
    anywhere: set[int] = set()
    lengths: set[int] = set()
    for load in all_values(value.args):
        if load.kind != "load" or var not in load.deps:
            continue
        address = load.data[1]
        parts = (atom for atom in _atoms(address) if isinstance(atom, (Quotient, Remainder)))
        found = {part.by for part in parts if part.of == Ix.of(var)}
        if has_data(address):
            lengths |= found
        elif sum(var in variables_of(atom) for atom, _ in address.terms) > 1:
            anywhere |= found
    length = min(lengths | anywhere, default=0)
    if not lengths and length % LANES == 0:
        return None
    return length if length >= SHORTEST and var.extent % length == 0 else None


def _atoms(ix: Ix) -> Iterator[Atom]:
    """What an index is made of, with what the indices are made of that it reads from memory."""
    for atom, _ in ix.terms:
        yield atom
        if isinstance(atom, Gathered):
            for load in all_values([atom.value]):
                if load.kind in ("load", "position"):
                    yield from _atoms(load.data[-1])
        elif not isinstance(atom, Var):
            yield from _atoms(atom.of)


def _row_by_row(w: Writer, value: Value, length: int) -> Val:
    """The partial results of a reduction of which what is the same in a row is worked out once for it.

    A row begins in the lane where the one before it has ended, and leaves the others as they are.
    """
    kind, var = value.data
    b, scope, start = w.b, w.scope, identity(kind, value.dtype, LANES)
    row, place = Var("row", var.extent // length), Var("place", length)
    new = {var: Ix.of(row) * length + Ix.of(place)}
    body = value.args[0].substitute(new)
    for atom in gathered(all_values(value.args)):
        w.indices.checks_also(atom, atom.substitute(new))
    steps = const_vector(range(LANES), "i64")
    with b.loop_carrying(0, row.extent, [start]) as (at, (total,), out), scope.at(row, at):
        w.ahead([body])
        before = b.int_op("and", b.mul(at, length), LANES - 1) if length % LANES else i64(0)
        with b.loop_carrying(b.sub(i64(0), before), length, [total], LANES) as (first, (running,), done):
            on = None
            if length % LANES:
                places = b.add(b.splat(first, LANES), steps)
                on = b.icmp("ult", places, length)
            with scope.across(place, first, on=on):
                item = w.spread(body)
            done[0] = combine(b, kind, value.dtype, running, item if on is None else b.select(on, item, start))
        out[0] = done[0]
    return out[0]


def _chains(value: Value, count: int) -> int:
    """How many running results to keep where their order does not matter: one waits for itself at every step."""
    return 1 if is_ordered(value) or count < 2 * CHAINS or len(list(all_values(value.args))) > SMALL else CHAINS


# In lanes: a reduction of its own in every one


def _in_lanes(w: Writer, value: Value) -> Val:
    kind, var = value.data
    if kind in ("argmax", "argmin"):
        return _position_in_lanes(w, value)
    b, dtype = w.b, value.dtype
    start = identity(kind, dtype, w.scope.width)
    if w.scope.width == LANES and few_columns(value, w.scope.lane_var):
        return _side_by_side(w, value, start)
    if not is_ordered(value):
        return _running(w, value, start)
    if is_short(value):
        return fold(b, kind, dtype, [combine(b, kind, dtype, start, item) for item in _each(w, value)])
    if fits_registers(value):
        return fold(b, kind, dtype, _in_registers(w, value, start))
    slots = _Slots(b, start, var.extent)
    with b.loop(0, var.extent) as index, w.scope.at(var, index):
        item = w.spread(value.args[0])
        place = slots.place(index)
        b.store(combine(b, kind, dtype, b.load(place, start.type), item), place)
    return slots.folded(kind, dtype)


def few_columns(value: Value, lane: Var | None) -> bool:
    """Whether the lanes are all columns of rows that lie one behind the other, so few that a vector holds several.

    With more, masks take longer to be put together than they take by themselves.
    """
    kind, var = value.data
    most = LANES // 4 if value.dtype.is_bool else LANES - 1
    if lane is None or not 1 < lane.extent <= most or var.extent < 2 * LANES or kind in ("argmax", "argmin"):
        return False
    inside = [v for v in all_values(value.args) if var in v.deps]
    return not any(v.kind in ("reduce", "contract") for v in inside) and all(
        v.data[1].coefficient(lane) == 1 and v.data[1].coefficient(var) == lane.extent and not v.args
        for v in inside if v.kind == "load"
    )  # fmt: skip


def _side_by_side(w: Writer, value: Value, start: Val) -> Val:
    """A reduction of few columns, sixteen rows at once, which are as many vectors as there are columns."""
    kind, var = value.data
    b, scope, dtype, lane = w.b, w.scope, value.dtype, w.scope.lane_var
    assert lane is not None
    count, full = lane.extent, var.extent // LANES
    block, place = Var("rows", full + 1), Var("place", LANES * count)
    new = {var: Ix.of(block) * LANES + Ix.of(place) // count, lane: Ix.of(place) % count}
    body = value.args[0].substitute(new)
    around = {known.substitute(new): w.spread(known) for known in _known_around(value.args[0], var, lane)}
    repeated = [
        {known: b.shuffle(x, x, [(number * LANES + at) % count for at in range(LANES)]) for known, x in around.items()}
        for number in range(count)
    ]  # fmt: skip

    def item(number: int, there: int = LANES) -> Val:
        with scope.across(place, i64(number * LANES), there):
            for known, x in repeated[number].items():
                scope.keep(known, x)
            found = w.spread(body)
        return found if there == LANES else b.select(mask(there, LANES), found, start)

    with b.loop_carrying(0, full, [start] * count) as (index, running, out), scope.at(block, index):
        w.ahead([body])
        out[:] = [combine(b, kind, dtype, x, item(number)) for number, x in enumerate(running)]
    totals, left = list(out), var.extent % LANES * count
    with scope.at(block, i64(full)):
        for number in range(-(-left // LANES)):
            there = min(left - number * LANES, LANES)
            totals[number] = combine(b, kind, dtype, totals[number], item(number, there))
    return _folded_side_by_side(b, value, totals)


def _known_around(body: Value, var: Var, lane: Var) -> list[Value]:
    """Of what a reduction is made, what each lane has of its own, the same in all steps."""
    found: dict[Value, None] = {}
    stack = [body]
    while stack:
        value = stack.pop()
        if var in value.deps:
            stack += operands_of(value)
        elif lane in value.deps:
            found.setdefault(value)
    return list(found)


def _folded_side_by_side(b: Builder, value: Value, totals: Sequence[Val]) -> Val:
    """Folds rows that lie one behind the other in vectors, half of them to the other half, down to one."""
    element, dtype = ELEMENT[value.dtype.short], value.dtype
    stack, type_ = b.alloca(element, (len(totals) + 1) * LANES), vector(element, LANES)
    for number, total in enumerate(totals):
        b.store(to_memory(b, total, dtype), b.gep(stack, number * LANES, element))

    def read(place: int) -> Val:
        return from_memory(b, b.load(b.gep(stack, place, element), type_, align=1), dtype)

    half = len(totals) * LANES
    while half > len(totals):
        half //= 2
        for at in range(0, half, LANES):
            both = combine(b, value.data[0], dtype, read(at), read(at + half))
            b.store(to_memory(b, both, dtype), b.gep(stack, at, element), align=1)
    return read(0)


def fits_registers(value: Value) -> bool:
    """Whether the partial results of a reduction stay in registers, sixteen steps being written one after the other.

    Not where the lines that it then reads across would push each other out of a set of the cache before their
    neighbours are read; nor where something is looked up, which would be checked again for every vector.
    """
    var = value.data[1]
    values = [v for v in all_values(value.args) if var in v.deps]
    light = all(v.kind in ("load", "cast") or (v.kind == "fn" and v.data[0] in LIGHT) for v in values)
    if not light or len(values) > WRITTEN or not is_ordered(value):
        return False
    loads = [v for v in values if v.kind == "load"]
    steps = [(v.data[1].coefficient(var), v.dtype.itemsize) for v in loads]
    near = all(step is not None and gcd(step * size, PAGE) * var.extent < ONE_SET * PAGE for step, size in steps)
    return near and var.extent <= MANY_TERMS


def _in_registers(w: Writer, value: Value, start: Val) -> list[Val]:
    """The partial results of a reduction that each lane has of its own, sixteen steps at once."""
    kind, var = value.data
    b, scope, full = w.b, w.scope, var.extent // LANES * LANES
    with b.loop_carrying(0, full, [start] * LANES, LANES) as (index, running, out):
        for c in range(LANES):
            with scope.at(var, index, Ix.of(Var(var.name, full // LANES)) * LANES + c, beyond=c):
                out[c] = combine(b, kind, value.dtype, running[c], w.spread(value.args[0]))
    totals = list(out)
    for c in range(var.extent - full):
        with scope.at(var, i64(full + c)):
            totals[c] = combine(b, kind, value.dtype, totals[c], w.spread(value.args[0]))
    return totals


def _running(w: Writer, value: Value, start: Val) -> Val:
    """Where the order does not matter: one running result."""
    kind, var = value.data
    if is_short(value):
        total = start
        for item in _each(w, value):
            total = combine(w.b, kind, value.dtype, total, item)
        return total
    with w.b.loop_carrying(0, var.extent, [start]) as (index, (running,), out), w.scope.at(var, index):
        out[0] = combine(w.b, kind, value.dtype, running, w.spread(value.args[0]))
    return out[0]


def _each(w: Writer, value: Value) -> Iterator[Val]:
    """What is reduced, written out."""
    _, var = value.data
    for k in range(var.extent):
        with w.scope.at(var, i64(k)):
            yield w.spread(value.args[0])


# argmax and argmin: the first extreme, NaN before everything, as in NumPy


def _counter(var: Var) -> str:
    """The type of positions while they are compared."""
    return "i32" if var.extent < 2**31 else "i64"


def _position_in_lanes(w: Writer, value: Value) -> Val:
    kind, var = value.data
    (body,), b, scope, counter = value.args, w.b, w.scope, _counter(var)
    type_ = vector(counter, scope.width)
    if is_short(value):
        (_, x), *later = enumerate(_each(w, value))
        at = const(0, type_)
        for k, item in later:
            x, at = _later(b, kind, body.dtype, (x, at), (item, const(k, type_)))
        return at
    with scope.at(var, i64(0)):
        first = w.spread(body), const(0, type_)
    with b.loop_carrying(1, var.extent, first) as (index, (x, at), out), scope.at(var, index):
        item = w.spread(body)
        where = b.splat(narrowed(b, index, counter), scope.width)
        out[:] = _later(b, kind, body.dtype, (x, at), (item, where))
    return out[1]


def _position_across_lanes(w: Writer, value: Value) -> Found:
    kind, var = value.data
    (body,), b, scope, counter = value.args, w.b, w.scope, _counter(var)
    steps = const_vector(range(LANES), counter)
    full, tail = var.extent // LANES * LANES, var.extent % LANES
    if full:
        with scope.across(var, i64(0)):
            first = w.spread(body), steps
        with b.loop_carrying(LANES, full, first, LANES) as (index, (x, at), out), scope.across(var, index):
            item = w.spread(body)
            where = b.add(b.splat(narrowed(b, index, counter), LANES), steps)
            out[:] = _later(b, kind, body.dtype, (x, at), (item, where))
        x, at = out
    if tail:
        with scope.across(var, i64(full), tail):
            where, on = b.add(const(full, steps.type), steps), mask(tail, LANES)
            item = w.spread(body)
            if full:
                x, at = _later(b, kind, body.dtype, (x, at), (item, where), on)
            else:  # lanes beyond the end lose: their value is the worst, and their position the last
                worst = identity("max" if kind == "argmax" else "min", body.dtype, LANES)
                x, at = b.select(on, item, worst), b.select(on, where, const(var.extent, steps.type))
    return x, at


Found = tuple[Val, Val]
"""A value and its position."""


def _later(b: Builder, kind: str, dtype: DType, best: Found, item: Found, on: Val | None = None) -> Found:
    """The better of the best so far and a later item: that, if it is beyond the best, or the first NaN."""
    if dtype.is_float:
        beyond = b.fcmp("ugt" if kind == "argmax" else "ult", item[0], best[0])
        better = b.int_op("and", beyond, b.fcmp("ord", best[0], best[0]))
    else:
        better = function(b, "gt" if kind == "argmax" else "lt", dtype, [item[0], best[0]])
    better = better if on is None else b.int_op("and", better, on)
    return b.select(better, item[0], best[0]), b.select(better, item[1], best[1])


def _is_better(b: Builder, kind: str, dtype: DType, item: Found, best: Found) -> Val:
    """Whether an item from anywhere is better: beyond the best, or equal and before it."""
    x, y = item[0], best[0]
    ahead = function(b, "gt" if kind == "argmax" else "lt", dtype, [x, y])
    equal = function(b, "eq", dtype, [x, y])
    if dtype.is_float:
        x_nan, y_nan = b.fcmp("uno", x, x), b.fcmp("uno", y, y)
        only = b.int_op("and", x_nan, b.int_op("xor", y_nan, 1))
        ahead = b.int_op("or", ahead, only)
        equal = b.int_op("or", equal, b.int_op("and", x_nan, y_nan))
    earlier = b.icmp("slt", item[1], best[1])
    return b.int_op("or", ahead, b.int_op("and", equal, earlier))


# Contractions as plain loops: what the tiled kernels compute, for operands that no tile can read


def contract(w: Writer, value: Value) -> Val:
    """Writes a value of kind `contract`."""
    variables, by_lanes = value.data
    w.ahead(value.args)
    zero = identity("sum", value.dtype, w.scope.width if w.scope.is_vector(value) else 1)
    if not by_lanes:
        return _chain(w, value, list(variables), zero)
    b, first = w.b, variables[0]
    slots = _Slots(b, zero, first.extent)
    with b.loop(0, first.extent) as index, w.scope.at(first, index):
        place = slots.place(index)
        b.store(_chain(w, value, list(variables[1:]), b.load(place, zero.type)), place)
    return slots.folded("sum", value.dtype)


def _chain(w: Writer, value: Value, variables: list[Var], start: Val) -> Val:
    """One product after the other is added to `start`, in the order of the variables."""
    b = w.b
    if not variables:
        x, y, *there = (w.spread(a) if start.lanes > 1 else w.value(a) for a in value.args)
        total = b.fma(x, y, start) if value.dtype.is_float else b.add(b.mul(x, y), start)
        return b.select(there[0], total, start) if there else total
    var, rest = variables[0], variables[1:]
    with b.loop_carrying(0, var.extent, [start]) as (index, (running,), out), w.scope.at(var, index):
        out[0] = _chain(w, value, rest, running)
    return out[0]
