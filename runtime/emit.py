"""Emission: a loop nest becomes the LLVM IR of one function, its vectors explicit.

    define void @name(ptr %args, i64 %begin, i64 %end)

`args` points to the addresses of the kernel's buffers, in the order of `slots`, and last to the status block.
[begin, end) are units of work: iterations of the outermost loop. A value is written in the outermost loop in which all
it depends on is known; a value that depends on the vector loop is a vector of sixteen elements, whatever the machine's
width (LLVM splits or joins them), any other a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import pairwise

from graphc.dtype import DType
from graphc.index import Atom, Gathered, Ix, Quotient, Remainder, Var, variables_of
from graphc.known import Known, Truth, cuts, has_data, period
from graphc.loops import Buffer, Kernel, Store, TiledKernel, Value, all_values, gathers
from graphc.runtime.functions import ELEMENT, cast, function, identity
from graphc.runtime.llvmtext import Builder, Module, Val, const, const_vector, i64, mask, suffix_of, vector
from graphc.schedule import LANES

STATUS = "status"

Pair = tuple[Val, Val]


def slots(kernel: Kernel | TiledKernel) -> tuple[Buffer, ...]:
    """The buffers whose addresses the kernel's arguments hold, in order."""
    return tuple(dict.fromkeys((*kernel.reads, *kernel.writes)))


def units(kernel: Kernel) -> int:
    """How many units of work the kernel has: iterations of its outermost loop, or vectors of it."""
    if not kernel.loops:
        return 1
    outer = kernel.loops[0]
    return -(-outer.extent // LANES) if outer is kernel.vector else outer.extent


def emit_loops(module: Module, name: str, kernel: Kernel) -> None:
    """Writes the kernel as a function of the module."""
    builder = module.function(name, [("ptr", "args"), ("i64", "begin"), ("i64", "end")])
    writer = Writer(builder, kernel)
    writer.nest(kernel, builder.args[1], builder.args[2])
    builder.ret()


class Writer:
    """Writes values into a function: knows where the buffers are and what the loop variables hold."""

    def __init__(self, b: Builder, kernel: Kernel | TiledKernel) -> None:
        self.b = b
        buffers = slots(kernel)
        args = b.args[0]
        self.base = {buffer: b.load(b.gep(args, i, "ptr"), "ptr") for i, buffer in enumerate(buffers)}
        self._status = (args, len(buffers))
        self.vars: dict[Var, Val] = {}
        self.lane_var: Var | None = None
        self.width = LANES
        self.active: Val | None = None  # lanes that count, where not all do
        self._count = LANES  # how many those are
        self._known_of = Known()
        self._copies = 1  # how often what is being written is written
        self._scopes: list[dict[object, Val]] = [{}]
        self._truths: list[dict[Value, Truth | None]] = [{}]
        self._checks = {gathered: number for number, gathered in enumerate(gathers(kernel))}

    # Scopes: what was written and still dominates

    @contextmanager
    def scope(self) -> Iterator[None]:
        self._scopes.append({})
        self._truths.append({})
        yield
        self._scopes.pop()
        self._truths.pop()

    def _known(self, key: object) -> Val | None:
        for scope in reversed(self._scopes):
            if key in scope:
                return scope[key]
        return None

    @contextmanager
    def across(
        self, var: Var, base: Val, active: int = LANES, width: int = LANES, known: Ix | None = None
    ) -> Iterator[None]:
        """Within, `var` runs over the lanes of a vector, from `base` in lane 0; `known` is what is known of `base`."""
        outer = self.lane_var, self.active, self.width, self._count, self._known_of
        self.lane_var, self.width, self._count = var, width, active
        self.active = mask(active, width) if active < width else None
        self.vars[var] = base
        self._known_of = self._known_of.across(var, _known_index(var, base, known), width)
        with self.scope():
            yield
        del self.vars[var]
        self.lane_var, self.active, self.width, self._count, self._known_of = outer

    @contextmanager
    def at(self, var: Var, index: Val, known: Ix | None = None) -> Iterator[None]:
        """Within, `var` is `index`, of which `known` is known."""
        outer, self._known_of = self._known_of, self._known_of.also(var, _known_index(var, index, known))
        self.vars[var] = index
        with self.scope():
            yield
        del self.vars[var]
        self._known_of = outer

    def bind(self, value: Value, known: Val) -> None:
        """Gives a value of kind `given` what it is here."""
        self._scopes[-1][value] = known

    # Loops

    def nest(self, kernel: Kernel, begin: Val, end: Val) -> None:
        self._loops(kernel, list(kernel.loops), begin, end)

    def _loops(self, kernel: Kernel, loops: list[Var], begin: Val | None, end: Val | None) -> None:
        self._prepare(kernel.stores)
        if not loops:
            self.store(kernel.stores)
            return
        var, rest = loops[0], loops[1:]
        if rest == [kernel.vector] and (crossing := _crossing(kernel, var, rest[0])):
            self._blocks(kernel, var, rest[0], crossing, begin or i64(0), end or i64(var.extent))
            return
        outer = self._copies
        parts, step = self._parts(kernel, var, begin is None)
        self._copies *= len(parts) * (1 if var is kernel.vector else step)
        for lo, hi in parts:
            active = min(var.extent - lo * step, step)
            if hi - lo == 1 and (len(parts) > 1 or active < step):
                with self._only(lo, begin, end):
                    self._step(kernel, rest, var, i64(lo * step), Ix.of(lo * step), active)
                continue
            first, last = self._most(begin, lo), self._least(end, hi)
            known = Ix.of(Var(var.name, hi - lo)) * step + lo * step
            if var is kernel.vector and not rest and (down := _down_columns(kernel, var)):
                self._panels(kernel, var, down, self.b.mul(first, step), self.b.mul(last, step), known)
                continue
            with self.b.loop(self.b.mul(first, step), self.b.mul(last, step), step) as index:
                self._step(kernel, rest, var, index, known, step)
        self._copies = outer

    def _step(self, kernel: Kernel, rest: list[Var], var: Var, base: Val, known: Ix, count: int) -> None:
        """One step of a loop: so many iterations, across the lanes or one after the other."""
        if var is kernel.vector:
            with self.across(var, base, count, known=known):
                self._loops(kernel, rest, None, None)
            return
        for number in range(count):
            with self.at(var, self.b.add(base, number), known + number):
                self._loops(kernel, rest, None, None)

    def _parts(self, kernel: Kernel, var: Var, whole: bool) -> tuple[list[tuple[int, int]], int]:
        """The range of a loop in parts, and its step, in which they are given.

        What fills no vector is a part, and so is each side of a condition. Where conditions repeat, a step is their
        period; not in the outermost loop, which may begin anywhere.
        """
        values = [s.value for s in kernel.stores]
        turns = cuts(values, var, kernel.loops, self._known_of)
        if var is kernel.vector:
            room = COPIED // (self._copies * _weight(values))
            parts = _cut(var.extent, LANES, turns)
            return (parts if len(parts) <= room else _cut(var.extent, LANES, ())), LANES
        inside = 1 if kernel.vector is None else len(
            _cut(kernel.vector.extent, LANES, cuts(values, kernel.vector, kernel.loops, self._known_of))
        )  # what conditions cost in the innermost loop counts most, so there is room for its parts first
        room = COPIED // (self._copies * _weight(values) * inside)
        repeats = period(values, var) if whole else 1
        for step, at in ((repeats, turns), (repeats, ()), (1, turns)):
            parts = _cut(var.extent, step, at)
            if len(parts) * step <= room:
                return parts, step
        return [(0, var.extent)], 1

    @contextmanager
    def _only(self, at: int, begin: Val | None, end: Val | None) -> Iterator[None]:
        """Within, the step is `at`: written where [begin, end) has it."""
        if begin is None or end is None:
            yield
            return
        b = self.b
        with b.when(b.int_op("and", b.icmp("sle", begin, at), b.icmp("sgt", end, at))):
            yield

    def _panels(self, kernel: Kernel, var: Var, down: list[list[Value]], first: Val, last: Val, known: Ix) -> None:
        """The vector loop in panels of a few vectors, so that reductions down columns read along rows.

        Partial results, of each column sixteen where their order is defined, lie on the stack.
        """
        b = self.b
        wide = max(PANEL // max(sum(v.dtype.itemsize for v in together) for together in down) // LANES, 1) * LANES
        with b.loop(first, last, wide) as base:
            stop = b.intrinsic("smin", "i64", b.add(base, wide), last)
            done: dict[Value, Val] = {}

            @contextmanager
            def columns() -> Iterator[Val]:
                with b.loop(base, stop, LANES) as column, self.across(var, column, known=known):
                    offset = b.sub(column, base)
                    for value, results in done.items():
                        item = results.element
                        self.bind(value, b.load(b.gep(Val(results.name, "ptr"), offset, item), vector(item, LANES)))
                    yield offset

            for together in down:
                self._panel(together, wide, columns, done)
            with columns():
                self.store(kernel.stores)

    def _panel(
        self, together: list[Value], wide: int, columns: Callable[[], AbstractContextManager[Val]],
        done: dict[Value, Val],
    ) -> None:
        """Reductions down the columns of a panel that step together; their results are added to what is done."""
        b = self.b
        starts = [identity(v.data[0], v.dtype, LANES) for v in together]
        counts = [min(v.data[1].extent, LANES) if _is_ordered(v) else CHAINS for v in together]
        stacks = [b.alloca(s.element, n * wide) for s, n in zip(starts, counts, strict=True)]
        with columns() as offset:
            for start, count, stack in zip(starts, counts, stacks, strict=True):
                for slot in range(count):
                    b.store(start, b.gep(stack, b.add(offset, slot * wide), start.element))
        with b.loop(0, together[0].data[1].extent) as index, ExitStack() as loops:
            for value in together:
                loops.enter_context(self.at(value.data[1], index))
            self._ahead([v.args[0] for v in together])
            rows = [b.mul(b.int_op("and", index, (LANES if _is_ordered(v) else CHAINS) - 1), wide) for v in together]
            with columns() as offset:
                for value, start, row, stack in zip(together, starts, rows, stacks, strict=True):
                    item = self._spread(self.value(value.args[0]))
                    place = b.gep(stack, b.add(row, offset), start.element)
                    b.store(self._combine(value.data[0], value.dtype, b.load(place, start.type), item), place)
        with columns() as offset:
            for value, start, count, stack in zip(together, starts, counts, stacks, strict=True):
                places = [b.gep(stack, b.add(offset, slot * wide), start.element) for slot in range(count)]
                parts = [b.load(place, start.type) for place in places]
                result = self._fold_slots(value.data[0], value.dtype, parts)
                b.store(self._finished(value, result), places[0])
        done.update((v, Val(stack.name, s.element)) for v, s, stack in zip(together, starts, stacks, strict=True))

    def _blocks(
        self, kernel: Kernel, outer: Var, inner: Var, crossing: list[Value], begin: Val, end: Val
    ) -> None:
        """The two innermost loops in blocks of 16 by 16: what lies along the outer one is loaded so, and transposed."""
        b = self.b
        blocked = b.int_op("and", b.sub(end, begin), -LANES)
        middle = b.add(begin, blocked)
        full, tail = inner.extent // LANES * LANES, inner.extent % LANES
        with b.loop(begin, middle, LANES) as row:
            with b.loop(0, full, LANES) as column:
                turned = [self._turned(load, outer, row, inner, column) for load in crossing]
                for j in range(LANES):
                    with self.at(outer, b.add(row, j)), self.across(inner, column):
                        for load, columns in zip(crossing, turned, strict=True):
                            self.bind(load, from_memory(b, columns[j], load.dtype))
                        self.store(kernel.stores)
            if tail:
                rows = b.loop(row, b.add(row, LANES))
                with rows as index, self.at(outer, index), self.across(inner, i64(full), tail):
                    self.store(kernel.stores)
        with b.loop(middle, end) as index, self.at(outer, index):
            self._loops(kernel, [inner], None, None)

    def _turned(self, load: Value, outer: Var, row: Val, inner: Var, column: Val) -> list[Val]:
        """For 16 steps of the outer variable the vector of 16 steps of the inner one."""
        buffer, address = load.data
        element = ELEMENT[buffer.dtype.short]
        with self.at(outer, row), self.at(inner, column):
            corner = self.b.gep(self.base[buffer], self.scalar_index(address), element)
        step = address.coefficient(inner)
        assert step is not None
        type_ = vector(element, LANES)
        return self.b.transpose([self.b.load(self.b.gep(corner, k * step, element), type_) for k in range(LANES)])

    def _least(self, x: Val | None, bound: int) -> Val:
        return i64(bound) if x is None else self.b.intrinsic("smin", "i64", x, i64(bound))

    def _most(self, x: Val | None, bound: int) -> Val:
        return i64(bound) if x is None else x if bound == 0 else self.b.intrinsic("smax", "i64", x, i64(bound))

    def _prepare(self, stores: Sequence[Store]) -> None:
        """Writes what does not depend on the loops still to be opened."""
        self._ahead([store.value for store in stores])

    def _ahead(self, roots: Sequence[Value]) -> None:
        seen: set[Value] = set()
        stack = list(reversed(roots))
        while stack:
            value = stack.pop()
            if value in seen or self._known(value) is not None:
                continue
            seen.add(value)
            if value.deps <= self.vars.keys():
                if value.kind != "const":
                    self.value(value)
                continue
            inner = list(self._operands(value))
            if value.kind in ("load", "position"):
                inner += [atom.value for atom, _ in value.data[-1].terms if isinstance(atom, Gathered)]
            stack += reversed(inner)

    def store(self, stores: Sequence[Store]) -> None:
        """Writes the stores at the index where the loops stand."""
        values = [self.value(s.value) for s in stores]
        for store, value in zip(stores, values, strict=True):
            self._store(store, value)

    def _store(self, store: Store, value: Val) -> None:
        b, dtype = self.b, store.buffer.dtype
        base = self.base[store.buffer]
        if self.lane_var is None or not self._varies(store.address):
            one = b.extract(value, 0) if value.lanes > 1 else value
            b.store(to_memory(b, one, dtype), b.gep(base, self.scalar_index(store.address), ELEMENT[dtype.short]))
            return
        data = to_memory(b, self._spread(value), dtype)
        if store.address.coefficient(self.lane_var) == 1:
            address = b.gep(base, self.scalar_index(store.address), ELEMENT[dtype.short])
            if self.active is None:
                b.store(data, address)
            else:
                b.masked_store(data, address, self.active)
            return
        addresses = self._addresses(base, store.address, ELEMENT[dtype.short])
        name = f"llvm.masked.scatter.{suffix_of(data.type)}.v{self.width}p0"
        b.module.declare(name, "void", [data.type, addresses.type, "i32", vector("i1", self.width)])
        lanes_on = self.active or mask(self.width, self.width)
        b.do(
            f"call void @{name}({data.type} {data.name}, {addresses.type} {addresses.name}, i32 "
            f"{dtype.itemsize}, {lanes_on.type} {lanes_on.name})"
        )

    def _varies(self, address: Ix) -> bool:
        return self.lane_var in address.variables

    # Values

    def value(self, value: Value) -> Val:
        """The value at the index where the loops stand: a vector if it depends on the vector loop."""
        known = self._known(value)
        if known is not None:
            return known
        stack = [value]  # operands first; not by recursion, for expressions may be deep
        while stack:
            top = stack[-1]
            missing = [a for a in self._operands(top) if self._known(a) is None] if top.kind in ("fn", "cast") else ()
            if missing:
                stack += reversed(missing)
            else:
                if self._known(top) is None:
                    self._scopes[-1][top] = self._write(top)
                stack.pop()
        return self._scopes[-1][value]

    def is_vector(self, value: Value) -> bool:
        return self.lane_var is not None and self.lane_var in value.deps

    def _truth(self, condition: Value) -> Truth | None:
        """What a condition on indices is here, if that is known."""
        if condition.kind != "fn" or condition.data[0] not in ("and", "ge", "lt"):
            return None
        truths = self._truths[-1]
        if condition not in truths:
            truths[condition] = self._known_of.truth(condition)
        return truths[condition]

    def _operands(self, value: Value) -> tuple[Value, ...]:
        """The operands that must be written for a value: none of a decided condition, one side of a decided choice."""
        if value.kind != "fn":
            return value.args
        if value.data[0] == "select":
            truth = self._truth(value.args[0])
            if truth is not None and len(truth) == 1:
                return (value.args[1] if truth[0] else value.args[2],)
        if value.data[0] == "and":
            return tuple(a for a in value.args if self._truth(a) != (True,)) if self._truth(value) is None else ()
        return () if self._truth(value) is not None else value.args

    def _spread(self, x: Val) -> Val:
        return x if x.lanes > 1 or self.lane_var is None else self.b.splat(x, self.width)

    def _write(self, value: Value) -> Val:
        if value.kind == "const":
            return const(value.data[0], REGISTER[value.dtype.short])
        if value.kind == "load":
            return self._load(value)
        if value.kind == "position":
            return self._constant(value.data[0]) or self.index(value.data[0], value)
        if value.kind == "reduce":
            return self._reduce(value)
        if value.kind == "contract":
            return self._contract(value)
        if value.kind == "given":
            raise AssertionError(f"emit: {value.data[0]} is not bound here")
        truth = self._truth(value)
        if truth is not None:
            return const(truth[0], "i1") if len(truth) == 1 else const_vector(truth, "i1")
        args = [self.value(a) for a in self._operands(value)]
        if len(args) < len(value.args):
            return args[0]
        if self.is_vector(value):
            args = [self._spread(a) for a in args]
        if value.kind == "cast":
            return cast(self.b, args[0], value.args[0].dtype, value.dtype)
        operand = value.args[1].dtype if value.data[0] == "select" else value.args[0].dtype
        return function(self.b, value.data[0], operand, args)

    # Indices

    def _constant(self, ix: Ix) -> Val | None:
        """The index as a constant of each lane, if it is known."""
        lanes = [] if has_data(ix) else [lane.constant for lane in self._known_of.lanes(ix)]
        known = [n for n in lanes if n is not None]
        if not known or len(known) < len(lanes):
            return None
        return i64(known[0]) if len(known) == 1 else const_vector(known, "i64")

    def scalar_index(self, ix: Ix) -> Val:
        """The index as an i64; in a vector context that of lane 0."""
        known = self._known(ix)
        if known is None:
            total = i64(0)
            for atom, coefficient in ix.terms:
                total = self.b.add(total, self.b.mul(self._scalar_atom(atom), coefficient))
            known = self._scopes[-1][ix] = self.b.add(total, ix.const)
        return known

    def _scalar_atom(self, atom: Atom) -> Val:
        if isinstance(atom, Var):
            return self.vars[atom]
        if isinstance(atom, Gathered):
            return self._gathered(atom)
        assert isinstance(atom, (Quotient, Remainder))
        inner = self.scalar_index(atom.of)
        return self._divided(inner, atom)

    def _divided(self, inner: Val, atom: Quotient | Remainder) -> Val:
        """Floor quotient or remainder; an offset makes the dividend non-negative first."""
        low = atom.of.bounds[0]
        lift = -(low // atom.by) if low < 0 else 0
        raised = self.b.add(inner, lift * atom.by) if lift else inner
        if isinstance(atom, Remainder):
            return self.b.int_op("urem", raised, atom.by)
        quotient = self.b.int_op("udiv", raised, atom.by)
        return self.b.add(quotient, -lift) if lift else quotient

    def index(self, ix: Ix, value: Value) -> Val:
        """The index as an i64: a vector of one for each lane where it depends on the vector loop."""
        if not self.is_vector(value):
            return self.scalar_index(ix)
        return self._lanes_index(ix, "i64")

    def _lanes_index(self, ix: Ix, element: str) -> Val:
        """The index in each lane."""
        key = (ix, element)
        known = self._known(key)
        if known is None:
            b = self.b
            fixed = Ix(tuple((a, c) for a, c in ix.terms if not self._moves(a)), ix.const)
            total = b.splat(self._narrow(self.scalar_index(fixed), element), self.width)
            for atom, coefficient in ix.terms:
                if self._moves(atom):
                    total = b.add(total, b.mul(self._lanes_atom(atom, element), coefficient))
            known = self._scopes[-1][key] = total
        return known

    def _moves(self, atom: Atom) -> bool:
        return self.lane_var in variables_of(atom)

    def _lanes_atom(self, atom: Atom, element: str) -> Val:
        b = self.b
        if isinstance(atom, Var):
            steps = const_vector(range(self.width), element)
            return b.add(b.splat(self._narrow(self.vars[atom], element), self.width), steps)
        if isinstance(atom, Gathered):
            return self._narrow(self._spread(self._gathered(atom)), element)
        assert isinstance(atom, (Quotient, Remainder))
        return self._divided(self._lanes_index(atom.of, element), atom)

    def _narrow(self, x: Val, element: str) -> Val:
        return x if x.element == element else (
            const(int(x.name), element) if x.literal and x.lanes == 1 else self.b.convert("trunc", x, element)
        )

    def _gathered(self, atom: Gathered) -> Val:
        """An index from memory, checked; where it is out of range the error is noted and 0 is used."""
        known = self._known(atom)
        if known is not None:
            return known
        if atom not in self._checks:
            return i64(0)  # only part of an error's position: no value depends on it, so the first place stands for all
        b = self.b
        raw = self.value(atom.value)
        guard = None if atom.guard is None else self.value(atom.guard)
        if guard is not None and guard.lanes > 1:
            raw = self._spread(raw)
        outside = b.icmp("uge", raw, atom.extent)
        bad = outside
        for lanes_on in (guard, self.active if raw.lanes > 1 else None):
            if lanes_on is not None:
                bad = b.int_op("and", bad, b.splat(lanes_on, raw.lanes) if lanes_on.lanes < raw.lanes else lanes_on)
        self._report(atom, raw, bad)
        safe = self._scopes[-1][atom] = b.select(outside, const(0, raw.type), raw)
        return safe

    def _report(self, atom: Gathered, raw: Val, bad: Val) -> None:
        b = self.b
        args, at = self._status
        word = f"i{bad.lanes}"  # all its lanes as one integer
        if bad.lanes > 1:
            bits = b.bitcast(bad, word)
            some = b.icmp("ne", bits, 0)
        else:
            some = bad
        with b.when(some):
            if bad.lanes > 1:
                narrow = b.emit(word, f"call {word} @llvm.cttz.{word}({word} {bits.name}, i1 false)")
                b.module.declare(f"llvm.cttz.{word}", word, [word, "i1"])
                lane = b.convert("zext", narrow, "i64") if bad.lanes < 64 else narrow
                found = b.extract(raw, lane) if raw.lanes > 1 else raw
            else:
                lane, found = i64(0), raw
            place = atom.position or Ix.of(0)
            unset = {v: Ix.of(0) for v in place.variables if v not in self.vars}  # checked before their loops
            place = place.substitute(unset)
            with self.scope():
                if self.lane_var in place.variables:
                    position = b.extract(self._lanes_index(place, "i64"), lane)
                else:
                    position = self.scalar_index(place)
            status = b.load(b.gep(args, at, "ptr"), "ptr")
            b.call("graphc_index_error", "void", status, args, i64(self._checks[atom]), position, found)

    # Loads

    def _load(self, value: Value) -> Val:
        buffer, address = value.data
        b, dtype = self.b, buffer.dtype
        element = ELEMENT[dtype.short]
        base = self.base[buffer]
        truth: Truth | None = self._truth(value.args[0]) if value.args else (True,)
        if truth == (False,):
            return const(0, REGISTER[dtype.short])
        guard = self.value(value.args[0]) if truth is None else None
        if not self.is_vector(value):
            at = self.scalar_index(address)
            if guard is not None:
                at = b.select(guard, at, i64(0))
            return from_memory(b, b.load(b.gep(base, at, element), element), dtype)
        on = [lane < self._count for lane in range(self.width)]
        if truth is not None and len(truth) > 1:
            on = [x and y for x, y in zip(on, truth, strict=True)]
        if not any(on):
            return const(0, REGISTER[dtype.short])
        if guard is None or guard.lanes == 1:
            offsets = self._offsets(address)
            if offsets is not None:
                return from_memory(b, self._read(base, address, element, offsets, on, guard), dtype)
        lanes_on = None if all(on) else const_vector(on, "i1")
        if guard is not None:
            guard = self._spread(guard)
            lanes_on = guard if lanes_on is None else b.int_op("and", guard, lanes_on)
        type_ = vector(element, self.width)
        if address.coefficient(self.lane_var) == 1:  # type: ignore[arg-type]  # a vector context has a variable
            pointer = b.gep(base, self.scalar_index(address), element)
            loaded = b.load(pointer, type_) if lanes_on is None else b.masked_load(pointer, type_, lanes_on)
            return from_memory(b, loaded, dtype)
        addresses = self._addresses(base, address, element)
        gathered_on = lanes_on or mask(self.width, self.width)
        name = f"llvm.masked.gather.{suffix_of(type_)}.v{self.width}p0"
        b.module.declare(name, type_, [addresses.type, "i32", gathered_on.type, type_])
        loaded = b.emit(
            type_,
            f"call {type_} @{name}({addresses.type} {addresses.name}, i32 {dtype.itemsize}, {gathered_on.type} "
            f"{gathered_on.name}, {type_} zeroinitializer)",
        )
        return from_memory(b, loaded, dtype)

    def _offsets(self, address: Ix) -> list[int] | None:
        """How far from that of lane 0 each lane's address is, if that is always the same and never far."""
        if has_data(address):
            return None
        assert self.lane_var is not None
        step = address.coefficient(self.lane_var)
        if step is not None and abs(step) * (self.width - 1) >= NEAR * self.width:
            return None
        offsets = self._known_of.offsets(address)
        near = offsets is not None and max(offsets) - min(offsets) < NEAR * self.width
        return (offsets if len(offsets) > 1 else offsets * self.width) if near and offsets is not None else None

    def _read(
        self, base: Val, address: Ix, element: str, offsets: list[int], on: list[bool], guard: Val | None
    ) -> Val:
        """The lanes that are on, from few vectors that lie side by side; nothing beyond those lanes is read."""
        b, width = self.b, self.width
        used = [o for o, there in zip(offsets, on, strict=True) if there]
        low, count = min(used), max(used) - min(used) + 1
        first = b.gep(base, b.add(self.scalar_index(address), low), element)
        if count == 1 and guard is None:
            return b.splat(b.load(first, element), width)
        starts = [min(start, max(count - width, 0)) for start in range(0, count, width)]
        vectors = []
        for start in starts:
            pointer, there = b.gep(first, start, element), min(count - start, width)
            lanes_on = mask(there, width) if there < width else None
            if guard is not None:
                lanes_on = b.select(guard, lanes_on or mask(width, width), mask(0, width))
            type_ = vector(element, width)
            vectors.append(b.load(pointer, type_) if lanes_on is None else b.masked_load(pointer, type_, lanes_on))
        places = []  # for each lane which vector has it, and where
        for offset, there in zip(offsets, on, strict=True):
            at = offset - low if there else 0
            number = next(n for n, start in reversed(list(enumerate(starts))) if start <= at)
            places.append((number, at - starts[number]))
        if len(vectors) == 1 and all(at == lane for lane, (_, at) in enumerate(places) if on[lane]):
            return vectors[0]
        result = vectors[0]
        for number in range(1, max(len(vectors), 2)):
            other = vectors[number] if number < len(vectors) else result
            result = b.shuffle(result, other, [
                width + at if n == number else lane if n < number and number > 1 else at if n == 0 else 0
                for lane, (n, at) in enumerate(places)
            ])  # fmt: skip
        return result

    def _addresses(self, base: Val, address: Ix, element: str) -> Val:
        low, high = address.bounds
        small = low >= -(2**31) and high < 2**31 and not has_data(address)
        index = self._lanes_index(address, "i32" if small else "i64")
        return self.b.emit(
            f"<{self.width} x ptr>", f"getelementptr {element}, ptr {base.name}, {index.type} {index.name}"
        )

    # Reductions

    def _reduce(self, value: Value) -> Val:
        kind, var = value.data
        self._ahead(value.args)
        if var.extent == 0:
            return identity(kind, value.dtype, 1)
        if kind in ("argmax", "argmin"):
            return self._extreme_position(value)
        result = self._reduce_in_lanes(value) if self.is_vector(value) else self._reduce_across(value)
        return self._finished(value, result)

    def _finished(self, value: Value, result: Val) -> Val:
        """What came out of a reduction; which zero a maximum is depends on the order, so it is made 0.0."""
        if value.data[0] in ("max", "min") and value.dtype.is_float:
            return self.b.fadd(result, const(0.0, result.type))
        return result

    def _combine(self, kind: str, dtype: DType, x: Val, y: Val) -> Val:
        name = {"sum": "add", "prod": "mul", "any": "or", "all": "and"}.get(kind, kind)
        return function(self.b, name, dtype, [x, y])

    def _reduce_across(self, value: Value) -> Val:
        """A reduction that no lane depends on: its own variable lies across the lanes."""
        kind, var = value.data
        body, b = value.args[0], self.b
        start = identity(kind, value.dtype, LANES)
        total = start
        full, tail = var.extent // LANES * LANES, var.extent % LANES
        if full:
            chains = self._chains(value, full // LANES)
            whole, step = full // (LANES * chains) * LANES * chains, LANES * chains
            with b.loop_carrying(0, whole, [start] * chains, step) as (index, running, out):
                for c in range(chains):
                    with self.across(var, b.add(index, c * LANES), known=Ix.of(Var(var.name, full // LANES)) * LANES):
                        out[c] = self._combine(kind, value.dtype, running[c], self._spread(self.value(body)))
            totals = list(out)
            for c in range((full - whole) // LANES):
                with self.across(var, i64(whole + c * LANES)):
                    totals[c] = self._combine(kind, value.dtype, totals[c], self._spread(self.value(body)))
            total = totals[0]
            for other in totals[1:]:
                total = self._combine(kind, value.dtype, total, other)
        if tail:
            with self.across(var, i64(full), tail):
                item = self._spread(self.value(body))
                total = self._combine(kind, value.dtype, total, b.select(mask(tail, LANES), item, start))
        return self._folded(kind, value.dtype, total)

    def _chains(self, value: Value, count: int) -> int:
        """How many running results to keep where their order does not matter: one waits for itself at every step."""
        return 1 if _is_ordered(value) or count < 2 * CHAINS or len(list(all_values(value.args))) > SMALL else CHAINS

    def _folded(self, kind: str, dtype: DType, x: Val) -> Val:
        width = x.lanes
        while width > 1:
            width //= 2
            x = self._combine(kind, dtype, *self._halves(x, width))
        return x

    def _reduce_in_lanes(self, value: Value) -> Val:
        """A reduction of its own in every lane."""
        kind, _ = value.data
        start = identity(kind, value.dtype, self.width)
        if not _is_ordered(value):
            return self._running(value, start)
        if is_short(value):
            return self._fold_slots(kind, value.dtype, [
                self._combine(kind, value.dtype, start, item) for item in self._each(value)
            ])  # fmt: skip
        return self._slots(value, start)

    def _each(self, value: Value) -> Iterator[Val]:
        _, var = value.data
        for k in range(var.extent):
            with self.at(var, i64(k)):
                yield self._spread(self.value(value.args[0]))

    def _running(self, value: Value, start: Val) -> Val:
        """Where the order does not matter: one running result."""
        kind, var = value.data
        if is_short(value):
            total = start
            for item in self._each(value):
                total = self._combine(kind, value.dtype, total, item)
            return total
        with self.b.loop_carrying(0, var.extent, [start]) as (index, (running,), out), self.at(var, index):
            out[0] = self._combine(kind, value.dtype, running, self._spread(self.value(value.args[0])))
        return out[0]

    def _slots(self, value: Value, start: Val) -> Val:
        """Sixteen partial results on the stack, one for each k mod 16."""
        kind, var = value.data
        b, used = self.b, min(var.extent, LANES)
        stack = b.alloca(start.element, LANES * start.lanes)
        for slot in range(used):
            b.store(start, b.gep(stack, slot * start.lanes, start.element))
        with b.loop(0, var.extent) as index, self.at(var, index):
            item = self.value(value.args[0])
            item = self._spread(item) if start.lanes > 1 else item
            place = b.gep(stack, b.mul(b.int_op("and", index, LANES - 1), start.lanes), start.element)
            b.store(self._combine(kind, value.dtype, b.load(place, start.type), item), place)
        parts = [b.load(b.gep(stack, slot * start.lanes, start.element), start.type) for slot in range(used)]
        return self._fold_slots(kind, value.dtype, parts)

    def _fold_slots(self, kind: str, dtype: DType, parts: list[Val]) -> Val:
        """Folds partial results by halves of sixteen; a missing one is neutral."""
        slots: list[Val | None] = [*parts, *([None] * (LANES - len(parts)))]
        while len(slots) > 1:
            half = len(slots) // 2
            slots = [
                x if y is None or x is None else self._combine(kind, dtype, x, y)
                for x, y in zip(slots[:half], slots[half:], strict=True)
            ]
        assert slots[0] is not None
        return slots[0]

    def _extreme_position(self, value: Value) -> Val:
        """argmax and argmin: the first extreme, NaN before everything, as in NumPy."""
        kind, var = value.data
        body, b = value.args[0], self.b
        width = self.width if self.is_vector(value) else LANES
        counter = "i32" if var.extent < 2**31 else "i64"
        steps = const_vector(range(LANES), counter)

        def keep(best: Pair, item: Val, where: Val, on: Val | None = None) -> Pair:
            """The best so far and a later item."""
            better = self._overtakes(kind, body.dtype, item, best[0])
            better = better if on is None else b.int_op("and", better, on)
            return b.select(better, item, best[0]), b.select(better, where, best[1])

        def item() -> Val:
            return self._spread(self.value(body))

        if self.is_vector(value):
            if is_short(value):
                best, *later = enumerate(self._each(value))
                pair = best[1], const(0, vector(counter, width))
                for k, x in later:
                    pair = keep(pair, x, const(k, vector(counter, width)))
                return self._widened(pair[1])
            with self.at(var, i64(0)):
                pair = item(), const(0, vector(counter, width))
            with b.loop_carrying(1, var.extent, pair) as (index, (x, i), out), self.at(var, index):
                out[:] = keep((x, i), item(), b.splat(self._narrow(index, counter), width))
            return self._widened(out[1])
        full, tail = var.extent // LANES * LANES, var.extent % LANES
        if full:
            with self.across(var, i64(0)):
                pair = item(), steps
            with b.loop_carrying(LANES, full, pair, LANES) as (index, (x, i), out), self.across(var, index):
                out[:] = keep((x, i), item(), b.add(b.splat(self._narrow(index, counter), LANES), steps))
            pair = out[0], out[1]
        if tail:
            with self.across(var, i64(full), tail):
                where, on = b.add(const(full, steps.type), steps), mask(tail, LANES)
                if full:
                    pair = keep(pair, item(), where, on)
                else:  # lanes beyond the end lose: their value is the worst, and their position the last
                    worst = identity("max" if kind == "argmax" else "min", body.dtype, LANES)
                    pair = b.select(on, item(), worst), b.select(on, where, const(var.extent, steps.type))
        while width > 1:
            width //= 2
            (x, y), (i, j) = (self._halves(p, width) for p in pair)
            better = self._better(kind, body.dtype, y, j, x, i)
            pair = b.select(better, y, x), b.select(better, j, i)
        return self._widened(pair[1])

    def _overtakes(self, kind: str, dtype: DType, x: Val, best: Val) -> Val:
        """Whether a later value takes the place of the best: if it is beyond it, or the first NaN."""
        if not dtype.is_float:
            return function(self.b, "gt" if kind == "argmax" else "lt", dtype, [x, best])
        beyond = self.b.fcmp("ugt" if kind == "argmax" else "ult", x, best)
        return self.b.int_op("and", beyond, self.b.fcmp("ord", best, best))

    def _widened(self, x: Val) -> Val:
        return x if x.element == "i64" else self.b.convert("zext", x, "i64")

    def _halves(self, x: Val, width: int) -> tuple[Val, Val]:
        """The lower and the upper `width` lanes of a vector of twice as many."""
        if width == 1:
            return self.b.extract(x, 0), self.b.extract(x, 1)
        return self.b.shuffle(x, x, range(width)), self.b.shuffle(x, x, range(width, 2 * width))

    def _better(self, kind: str, dtype: DType, x: Val, i: Val, best: Val, at: Val) -> Val:
        b = self.b
        ahead = function(b, "gt" if kind == "argmax" else "lt", dtype, [x, best])
        equal = function(b, "eq", dtype, [x, best])
        if dtype.is_float:
            x_nan, best_nan = b.fcmp("uno", x, x), b.fcmp("uno", best, best)
            only = b.int_op("and", x_nan, b.int_op("xor", best_nan, 1))
            ahead = b.int_op("or", ahead, only)
            equal = b.int_op("or", equal, b.int_op("and", x_nan, best_nan))
        earlier = b.icmp("slt", i, at)
        return b.int_op("or", ahead, b.int_op("and", equal, earlier))

    # Contractions as plain loops: what the tiled kernels compute, for operands that no tile can read

    def _contract(self, value: Value) -> Val:
        variables, by_lanes = value.data
        self._ahead(value.args)
        width = self.width if self.is_vector(value) else 1
        zero = identity("sum", value.dtype, width)
        if not by_lanes:
            return self._chain(value, list(variables), zero)
        b, first = self.b, variables[0]
        stack = b.alloca(zero.element, LANES * width)
        used = min(first.extent, LANES)
        for slot in range(used):
            b.store(zero, b.gep(stack, slot * width, zero.element))
        with b.loop(0, first.extent) as index, self.at(first, index):
            place = b.gep(stack, b.mul(b.int_op("and", index, LANES - 1), width), zero.element)
            b.store(self._chain(value, list(variables[1:]), b.load(place, zero.type)), place)
        parts = [b.load(b.gep(stack, slot * width, zero.element), zero.type) for slot in range(used)]
        return self._fold_slots("sum", value.dtype, parts)

    def _chain(self, value: Value, variables: list[Var], start: Val) -> Val:
        b = self.b
        if not variables:
            x, y = (self._spread(self.value(a)) if start.lanes > 1 else self.value(a) for a in value.args)
            return b.fma(x, y, start) if value.dtype.is_float else b.add(b.mul(x, y), start)
        var, rest = variables[0], variables[1:]
        with b.loop_carrying(0, var.extent, [start]) as (index, (running,), out), self.at(var, index):
            out[0] = self._chain(value, rest, running)
        return out[0]


CROSSING_SIZE = 12
"""How many expression nodes the body of a loop that is blocked for transposition may have: it is written 16 times."""


def _crossing(kernel: Kernel, outer: Var, inner: Var) -> list[Value]:
    """The loads that step far along the inner loop and by one along the outer; none if blocks would not serve."""
    if min(outer.extent, inner.extent) < LANES or sum(s.value.size for s in kernel.stores) > CROSSING_SIZE:
        return []
    found = []
    for value in kernel.values():
        if value.kind in ("reduce", "contract"):
            return []
        if value.kind == "load" and inner in value.deps and value.data[1].coefficient(inner) != 1:
            if value.args or value.data[1].coefficient(inner) is None or value.data[1].coefficient(outer) != 1:
                return []
            found.append(value)
    return found


PANEL = 1024
"""How many bytes wide the panels are in which columns are reduced: long runs of memory, and partial results in L1."""

CHAINS, SMALL = 4, 12
"""How many results run side by side in a reduction whose body has at most so many expression nodes."""

UNROLLED = 160
"""How many expression nodes a reduction's unrolled body may have."""

REGISTER = {"f32": "float", "f64": "double", "i32": "i32", "i64": "i64", "u8": "i8", "bool": "i1"}


def to_memory(b: Builder, x: Val, dtype: DType) -> Val:
    return b.convert("zext", x, "i8") if dtype.is_bool else x


def from_memory(b: Builder, x: Val, dtype: DType) -> Val:
    return b.icmp("ne", x, 0) if dtype.is_bool else x


def _is_ordered(value: Value) -> bool:
    """Whether the order of a reduction is defined: that of sums and products of floats."""
    return value.data[0] in ("sum", "prod") and value.dtype.is_float


def _down_columns(kernel: Kernel, inner: Var) -> list[list[Value]]:
    """The long reductions that each lane has of its own; those that may step together in one list."""
    found: list[list[Value]] = []
    level: dict[Value, int] = {}  # of every value, how many of the lists must be done before it
    for value in kernel.values():
        level[value] = max((level[v] for v in value.args), default=0)
        if value.kind != "reduce" or inner not in value.deps or not value.deps <= {*kernel.loops}:
            continue
        extent = value.data[1].extent
        if not extent or is_short(value) or value.data[0] in ("argmax", "argmin"):
            continue
        later = range(level[value], len(found))
        same = next((i for i in later if found[i][0].data[1].extent == extent), len(found))
        if same == len(found):
            found.append([])
        found[same].append(value)
        level[value] = same + 1
    return found


def _cut(extent: int, step: int, at: Sequence[int]) -> list[tuple[int, int]]:
    """The steps of a range in parts: cut on both sides of a step that has one of the points within, or is not full."""
    edges = {edge for point in (*at, extent) for edge in (point // step, -(-point // step))}
    return list(pairwise(sorted({0, *edges})))


def _known_index(var: Var, index: Val, known: Ix | None) -> Ix:
    return known if known is not None else Ix.of(int(index.name)) if index.literal else Ix.of(var)


def _weight(values: Sequence[Value]) -> int:
    """About how many operations are written for the values; what is only about indices does not count."""
    found = [v for v in all_values(values) if not _indexing(v)]
    again = (int(v.data[1].extent - 1) * _weight(v.args) for v in found if v.kind == "reduce" and is_short(v))
    return max(len(found) + sum(again), 1)


def _indexing(value: Value) -> bool:
    if value.kind in ("const", "position"):
        return True
    return value.kind in ("fn", "cast") and all(_indexing(a) for a in value.args)


def is_short(value: Value) -> bool:
    """Whether a reduction is written out instead of looped over."""
    var: Var = value.data[1]
    return var.extent <= LANES and _weight(value.args) * var.extent <= UNROLLED


NEAR = 4
"""How many vectors lanes may be apart to be read by whole vectors and put in order, instead of one by one."""

COPIED = 600
"""How many expression nodes the parts of loops may have together, for loops to be cut where conditions change."""
