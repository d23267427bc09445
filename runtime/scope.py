"""The scope in which code is written: what the loop variables are there, which lanes count, what is written already.

    with scope.at(i, index), scope.across(j, base, active=10):  # j runs over sixteen lanes, of which ten count
        if (found := scope.find(value)) is None:
            found = scope.keep(value, ...)                      # to be found in here, and in every scope inside

A value is kept in the scope that it is written in, and so found only where that code has run before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from graphc.index import Ix, Var
from graphc.known import Known, Truth
from graphc.loops import Value
from graphc.runtime.llvmtext import Builder, Val, mask
from graphc.schedule import LANES


class Scope:
    """Where the loops stand.

    Attributes:
        vars: the loop variables, that along the lanes being what it is in lane 0.
        beyond: by how much some of them are more than that, where code is written for several neighbours.
        lane_var: the variable along the lanes; None where scalars are written.
        width: the number of lanes.
        count: how many of the lanes count, the first ones.
        active: the mask of those, where not all do.
        known: what is known of the variables.
    """

    def __init__(self, b: Builder) -> None:
        self._b = b
        self.vars: dict[Var, Val] = {}
        self.beyond: dict[Var, int] = {}
        self.lane_var: Var | None = None
        self.width = self.count = LANES
        self.active: Val | None = None
        self.known = Known()
        self._written: dict[object, Val] = {}
        self._kept: list[list[object]] = [[]]  # of each scope that is open, the keys of what was written there
        self._truths: list[dict[Value, Truth | None]] = [{}]

    # Scopes inside

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Within, what is kept is kept for no longer."""
        self._kept.append([])
        self._truths.append({})
        yield
        for key in self._kept.pop():
            del self._written[key]
        self._truths.pop()

    @contextmanager
    def at(self, var: Var, index: Val, known: Ix | None = None, beyond: int = 0) -> Iterator[None]:
        """Within, `var` is `index + beyond`, of which `known` is known."""
        outer, self.known = self.known, self.known.also(var, _known_index(var, index, known))
        self.vars[var] = index
        if beyond:
            self.beyond[var] = beyond
        with self.inside():
            yield
        del self.vars[var]
        self.beyond.pop(var, None)
        self.known = outer

    @contextmanager
    def across(
        self, var: Var, base: Val, active: int = LANES, width: int = LANES, known: Ix | None = None, beyond: int = 0,
        on: Val | None = None,
    ) -> Iterator[None]:  # fmt: skip
        """Within, `var` runs over the lanes of a vector, from `base + beyond` in lane 0, of which `known` is known.

        Args:
            active: how many of the lanes count; `on`: which do, where that is not known yet.
        """
        outer = self.lane_var, self.active, self.width, self.count, self.known
        self.lane_var, self.width, self.count = var, width, active
        self.active = mask(active, width) if active < width else on
        self.vars[var] = base
        if beyond:
            self.beyond[var] = beyond
        self.known = self.known.across(var, _known_index(var, base, known), width)
        with self.inside():
            yield
        del self.vars[var]
        self.beyond.pop(var, None)
        self.lane_var, self.active, self.width, self.count, self.known = outer

    @contextmanager
    def only(self, variables: Mapping[Var, tuple[Val, int]]) -> Iterator[None]:
        """Within, these and no others are the loop variables, each a value and by how much it is beyond that."""
        outer = self.vars, self.beyond
        self.vars = {var: base for var, (base, _) in variables.items()}
        self.beyond = {var: beyond for var, (_, beyond) in variables.items() if beyond}
        with self.inside():
            yield
        self.vars, self.beyond = outer

    def index(self, var: Var) -> Val:
        """A loop variable as it is here."""
        return self._b.add(self.vars[var], self.beyond.get(var, 0))

    # What is written already

    def find(self, key: object) -> Val | None:
        """What was kept under the key, here or outside."""
        return self._written.get(key)

    def keep(self, key: object, written: Val) -> Val:
        """Keeps under the key, which must be new here, what is written until the scope ends."""
        assert key not in self._written
        self._written[key] = written
        self._kept[-1].append(key)
        return written

    # What the lanes make of a value

    def is_vector(self, value: Value) -> bool:
        """Whether the value has an element for each lane."""
        return self.lane_var is not None and self.lane_var in value.deps

    def spread(self, x: Val) -> Val:
        """A vector in any case, where there are lanes."""
        return x if x.lanes > 1 or self.lane_var is None else self._b.splat(x, self.width)

    def truth(self, condition: Value) -> Truth | None:
        """What a condition on indices is here, if that is known."""
        if condition.kind != "fn" or condition.data[0] not in ("and", "ge", "lt"):
            return None
        truths = self._truths[-1]
        if condition not in truths:
            truths[condition] = self.known.truth(condition)
        return truths[condition]


def _known_index(var: Var, index: Val, known: Ix | None) -> Ix:
    return known if known is not None else Ix.of(int(index.name)) if index.literal else Ix.of(var)
