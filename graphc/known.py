"""What is known of indices at a place in a loop nest, so that conditions are decided while the kernel is written.

Every loop says what its variable is there, as an index expression: a constant in an unrolled iteration, a stand-in with
narrower bounds in a part of the range, sixteen times a block's number along the lanes. The rest is index algebra:

    known = Known().across(i, Ix.of(Var("block", 3)) * 16 + 16, 16)   # i runs over sixteen lanes, from 16 on
    known.any_lane(Ix.of(i) - 1).bounds                               # (15, 62): never below 0, in any lane
    known.offsets((Ix.of(i) + 1) // 2)                                # [0, 1, 1, 2, ...]: the same in every block
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import lcm

from graphc.index import Gathered, Ix, Remainder, Var, variables_of
from graphc.loops import Value, all_values

Truth = tuple[bool, ...]
"""A condition in each lane; one entry where it is the same in all."""


@dataclass(frozen=True)
class Known:
    """What variables are at a place; immutable, so loops inside add to it without touching what is outside.

    Attributes:
        of: for variables of which something is known, an expression over what is not known.
        lane: the variable along the lanes, if any; `of` has its value in lane 0, and its step is 1.
        width: the number of lanes.
    """

    of: Mapping[Var, Ix] = field(default_factory=dict)
    lane: Var | None = None
    width: int = 1
    _found: dict[Ix, list[int] | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def also(self, var: Var, ix: Ix) -> Known:
        return Known({**self.of, var: ix}, self.lane, self.width)

    def across(self, var: Var, first: Ix, width: int) -> Known:
        """Within, `var` is `first` in lane 0 and one more in each lane after it."""
        return Known({**self.of, var: first}, var, width)

    def lanes(self, ix: Ix) -> Iterator[Ix]:
        """The index in each lane, worked out when asked for; one where no lane matters."""
        if self.lane is None or self.lane not in ix.variables:
            yield ix.substitute(self.of)
            return
        step = ix.coefficient(self.lane)
        if step is not None:
            first = ix.substitute(self.of)
            yield from (first + step * lane for lane in range(self.width))
            return
        first = self.of[self.lane]
        yield from (ix.substitute({**self.of, self.lane: first + lane}) for lane in range(self.width))

    def any_lane(self, ix: Ix) -> Ix:
        """The index in some lane: its bounds are those of all."""
        if self.lane is None:
            return ix.substitute(self.of)
        return ix.substitute({**self.of, self.lane: self.of[self.lane] + Ix.of(_some_lane(self.width))})

    def offsets(self, ix: Ix) -> list[int] | None:
        """How far each lane's index is from that of lane 0, if that is the same wherever this place is met."""
        step = None if self.lane is None else ix.coefficient(self.lane)
        if step is not None:  # in every lane alike, whatever the other variables are
            return [step * lane for lane in range(self.width if step else 1)]
        along = self._along(ix)
        if along not in self._found:
            self._found[along] = self._offsets(along)
        return self._found[along]

    def _offsets(self, along: Ix) -> list[int] | None:
        lanes = self.lanes(along)
        first = next(lanes)
        found = [0]
        for lane in lanes:
            offset = (lane - first).constant
            if offset is None:
                return None
            found.append(offset)
        return found

    def _along(self, ix: Ix) -> Ix:
        """The terms that differ from lane to lane."""
        return Ix(tuple((atom, c) for atom, c in ix.terms if self.lane in variables_of(atom)), 0)

    def truth(self, condition: Value) -> Truth | None:
        """What a condition on indices is here; None if that is not known."""
        if condition.kind != "fn":
            return None
        name, args = condition.data[0], condition.args
        if name == "and":
            known = [self.truth(a) for a in args]
            if any(t is not None and not any(t) for t in known):
                return (False,)
            x, y = known
            return None if x is None or y is None else _shortest([a and b for a, b in _pairs(x, y)])
        if name not in ("ge", "lt") or args[0].kind != "position" or args[1].kind != "const":
            return None
        ix, bound = args[0].data[0], args[1].data[0]
        if has_data(ix):
            return None
        together = _beyond(self.any_lane(ix), bound)  # mostly this decides, for all lanes at once
        if together is not None:
            return (together == (name == "ge"),)
        decided = []
        for lane in self.lanes(ix):
            beyond = _beyond(lane, bound)
            if beyond is None:
                return None
            decided.append(beyond == (name == "ge"))
        return _shortest(decided)


@cache
def _some_lane(width: int) -> Var:
    """A variable that stands for the number of a lane."""
    return Var("lane", width)


def _beyond(ix: Ix, bound: int) -> bool | None:
    """Whether the index is at least `bound`, if that is known."""
    low, high = ix.bounds
    return True if low >= bound else False if high < bound else None


def _pairs(x: Truth, y: Truth) -> Iterator[tuple[bool, bool]]:
    count = max(len(x), len(y))
    return zip(x * (count // len(x)), y * (count // len(y)), strict=True)


def _shortest(lanes: list[bool]) -> Truth:
    return tuple(lanes[:1] if len(set(lanes)) == 1 else lanes)


def has_data(ix: Ix) -> bool:
    """Whether the index is read from memory, or made of one that is."""
    return any(isinstance(a, Gathered) or (not isinstance(a, Var) and has_data(a.of)) for a, _ in ix.terms)


def cuts(values: Sequence[Value], var: Var, loops: Sequence[Var], known: Known) -> list[int]:
    """Where to cut the range of a loop so that conditions on its variable are decided in most of the parts.

    Each condition is true from some value of the variable on, or up to one; in between it may depend on variables of
    reductions. Conditions that also depend on others of `loops` stay as they are.
    """
    found: set[int] = set()
    for value in all_values(values):
        if value.kind == "fn" and value.data[0] in ("ge", "lt") and value.args[0].kind == "position":
            ix, bound = value.args[0].data[0], value.args[1]
            others = {v for v in loops if v is not var and known.of.get(v, Ix.of(v)).terms}
            if bound.kind == "const" and var in ix.variables and not others & ix.variables and not has_data(ix):
                found.update(_turns(ix, bound.data[0], var, known))
    return sorted(cut for cut in found if 0 < cut < var.extent)


def period(values: Sequence[Value], var: Var) -> int:
    """After how many steps of a variable conditions on its remainders repeat; 1 if they do not, or not soon."""
    found = 1
    for value in all_values(values):
        if value.kind == "fn" and value.data[0] in ("ge", "lt") and value.args[0].kind == "position":
            for atom, _ in value.args[0].data[0].terms:
                if isinstance(atom, Remainder) and var in atom.of.variables:
                    found = lcm(found, atom.by)
    return found if found <= LONGEST_PERIOD else 1


LONGEST_PERIOD = 4


def _turns(ix: Ix, bound: int, var: Var, known: Known) -> list[int]:
    """The first values of a variable at which `ix` may be, and is, on the other side of the bound."""

    def side(at: int) -> int:
        low, high = ix.substitute({**known.of, var: Ix.of(at)}).bounds
        return 2 if low >= bound else 0 if high < bound else 1

    first, last = side(0), side(var.extent - 1)
    turns = []
    for level in range(min(first, last) + 1, max(first, last) + 1):
        low, high = 0, var.extent - 1  # the side does not go back and forth: sums of multiples and quotients do not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if (side(middle) >= level) == (first >= level) else (low, middle)
        turns.append(high)
    return turns
