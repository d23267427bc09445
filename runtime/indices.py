"""Index arithmetic: an index expression becomes an i64, or a vector of one for each lane.

Indices that are read from memory are checked where they are written: one that is out of range is noted in the status
block, and 0 is used in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from graphc.index import Atom, Gathered, Ix, Quotient, Remainder, Var, variables_of
from graphc.known import has_data
from graphc.loops import Value
from graphc.runtime.llvmtext import Builder, Val, const, const_vector, i64
from graphc.runtime.scope import Scope


class Indices:
    """Writes indices where the scope stands.

    Args:
        value: writes the values that indices are read from.
        checks: those indices; an error is known by its place among them.
        status: where among the function's arguments the status block's address is.
    """

    def __init__(
        self, b: Builder, scope: Scope, value: Callable[[Value], Val], checks: Sequence[Gathered], status: int
    ) -> None:
        self._b, self._scope, self._value, self._status = b, scope, value, status
        self._checks = {gathered: number for number, gathered in enumerate(checks)}
        self._bases: dict[Hashable, Val] = {}

    # One index

    def scalar(self, ix: Ix) -> Val:
        """The index as an i64; where there are lanes that of lane 0."""
        found = self._scope.find(ix)
        if found is not None:
            return found
        beyond = self._scope.beyond
        if beyond and all(isinstance(atom, Var) for atom, _ in ix.terms):
            further = sum(c * beyond.get(atom, 0) for atom, c in ix.terms if isinstance(atom, Var))
            return self._scope.keep(ix, self._b.add(self._base(ix), ix.const + further))
        total = i64(0)
        # outermost first, so that what is the same in all steps of a loop is a sum of its own, which leaves the loop
        loops = {var: depth for depth, var in enumerate(self._scope.vars)}
        by_depth = sorted(ix.terms, key=lambda term: max((loops.get(v, 0) for v in variables_of(term[0])), default=0))
        for atom, coefficient in by_depth:
            total = self._b.add(total, self._b.mul(self._scalar_atom(atom), coefficient))
        return self._scope.keep(ix, self._b.add(total, ix.const))

    def _base(self, ix: Ix) -> Val:
        """What neighbours' indices are from, written once for those of a block."""
        places = {atom: self._scope.vars[atom] for atom, _ in ix.terms if isinstance(atom, Var)}
        key = self._b.block, ix, *places.values()
        if key not in self._bases:
            total = i64(0)
            for atom, coefficient in ix.terms:
                if isinstance(atom, Var):
                    total = self._b.add(total, self._b.mul(places[atom], coefficient))
            self._bases[key] = total
        return self._bases[key]

    def _scalar_atom(self, atom: Atom) -> Val:
        if isinstance(atom, Var):
            return self._scope.index(atom)
        if isinstance(atom, Gathered):
            return self.checked(atom)
        assert isinstance(atom, (Quotient, Remainder))
        return self._divided(self.scalar(atom.of), atom)

    def _divided(self, inner: Val, atom: Quotient | Remainder) -> Val:
        """Floor quotient or remainder; an offset makes the dividend non-negative first."""
        low = atom.of.bounds[0]
        lift = -(low // atom.by) if low < 0 else 0
        raised = self._b.add(inner, lift * atom.by) if lift else inner
        if isinstance(atom, Remainder):
            return self._b.int_op("urem", raised, atom.by)
        quotient = self._b.int_op("udiv", raised, atom.by)
        return self._b.add(quotient, -lift) if lift else quotient

    # An index for each lane

    def lanes(self, ix: Ix, element: str = "i64") -> Val:
        """The index in each lane."""
        b, scope, key = self._b, self._scope, (ix, element)
        found = scope.find(key)
        if found is not None:
            return found
        fixed = Ix(tuple((a, c) for a, c in ix.terms if not self._moves(a)), ix.const)
        total = b.splat(narrowed(b, self.scalar(fixed), element), scope.width)
        for atom, coefficient in ix.terms:
            if self._moves(atom):
                total = b.add(total, b.mul(self._lanes_atom(atom, element), coefficient))
        return scope.keep(key, total)

    def _moves(self, atom: Atom) -> bool:
        return self._scope.lane_var in variables_of(atom)

    def _lanes_atom(self, atom: Atom, element: str) -> Val:
        b, scope = self._b, self._scope
        if isinstance(atom, Var):
            steps = const_vector(range(scope.width), element)
            return b.add(b.splat(narrowed(b, scope.index(atom), element), scope.width), steps)
        if isinstance(atom, Gathered):
            return narrowed(b, scope.spread(self.checked(atom)), element)
        assert isinstance(atom, (Quotient, Remainder))
        return self._divided(self.lanes(atom.of, element), atom)

    def narrow_lanes(self, ix: Ix) -> Val:
        """The index in each lane, in 32 bits where they hold it."""
        low, high = ix.bounds
        small = low >= -(2**31) and high < 2**31 and not has_data(ix)
        return self.lanes(ix, "i32" if small else "i64")

    # What is known before the code runs

    def constant(self, ix: Ix) -> Val | None:
        """The index as a constant of each lane, if it is known."""
        if has_data(ix):
            return None
        known: list[int] = []
        for lane in self._scope.known.lanes(ix):
            if lane.constant is None:
                return None
            known.append(lane.constant)
        return i64(known[0]) if len(known) == 1 else const_vector(known, "i64")

    # Indices from memory

    def checks_also(self, atom: Gathered, same: Gathered) -> None:
        """An index that is checked as another one is: the same, in terms of other variables."""
        if atom in self._checks:
            self._checks[same] = self._checks[atom]

    def checked(self, atom: Gathered) -> Val:
        """An index from memory, checked; where it is out of range the error is noted and 0 is used."""
        found = self._scope.find(atom)
        if found is not None:
            return found
        if atom not in self._checks:
            return i64(0)  # only part of an error's position: no value depends on it, so the first place stands for all
        b, scope = self._b, self._scope
        raw = self._value(atom.value)
        guard = None if atom.guard is None else self._value(atom.guard)
        if guard is not None and guard.lanes > 1:
            raw = scope.spread(raw)
        outside = b.icmp("uge", raw, atom.extent)
        bad = outside
        for lanes_on in (guard, scope.active if raw.lanes > 1 else None):
            if lanes_on is not None:
                bad = b.int_op("and", bad, b.splat(lanes_on, raw.lanes) if lanes_on.lanes < raw.lanes else lanes_on)
        self._report(atom, raw, bad)
        return scope.keep(atom, b.select(outside, const(0, raw.type), raw))

    def _report(self, atom: Gathered, raw: Val, bad: Val) -> None:
        """Notes the first lane that is bad, if any is: its check, its position, and the value found."""
        b, scope = self._b, self._scope
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
            unset = {v: Ix.of(0) for v in place.variables if v not in scope.vars}  # checked before their loops
            place = place.substitute(unset)
            with scope.inside():
                if scope.lane_var in place.variables:
                    position = b.extract(self.lanes(place), lane)
                else:
                    position = self.scalar(place)
            args = b.args[0]
            status = b.load(b.gep(args, self._status, "ptr"), "ptr")
            b.call("graphc_index_error", "void", status, args, i64(self._checks[atom]), position, found)


def narrowed(b: Builder, x: Val, element: str) -> Val:
    """An integer in the bits of `element`, or as many as it has."""
    if x.element == element:
        return x
    return const(int(x.name), element) if x.literal and x.lanes == 1 else b.convert("trunc", x, element)
