"""What a contraction computes: dims with affine strides, and the order in which terms are added.

Every matrix product and every pass of a convolution is a `Contraction`. The arithmetic belongs to this description
alone, not to how it is run: each output element is one chain

    acc = +0.0;  for k in the given nested order:  acc = fma(a, b, acc)

Row-major `C[i, j] = sum_k A[i, k] * B[k, j]`, with operands M x K and K x N, is

    Contraction(m=(Dim("i", M, a=K, b=0),), n=(Dim("j", N, a=0, b=1),), k=(Dim("k", K, a=1, b=N),), lanes="j")

With `twos` its factors are bfloat16, and the chain takes two terms at a time, the second of which is added first
(`twos.py`); the innermost summed dim is one of an even extent, or the only one.

When `lanes` names a summed dim of extent L <= 16, each output element is sixteen such chains, one for each index of
that dim (those past L are +0.0), folded by s[l] += s[l + 8], then + 4, + 2, + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import prod

from graphc.runtime.llvmtext import Builder, Val
from graphc.schedule import TAPS, TURNED

LOGICAL_LANES = 16
"""The number of partial sums when the lanes lie along a summed dim, whatever the machine's vectors hold."""

Coords = Mapping[str, tuple[Val, int]]
"""A dim's coordinate: an i64 value plus a constant."""

Transform = Callable[[Builder, Coords, Val], Val]
"""Maps a loaded operand, a scalar or a vector along the lanes, before it is multiplied.

It is given the coordinates of the dims in scope, along the lanes that of lane 0; what it makes of an element must
depend on the element alone, as it may be asked once where several terms read it.
"""


@dataclass(frozen=True)
class Dim:
    """One coordinate of a contraction: its extent, and its element strides in the operands (0: does not move it)."""

    name: str
    extent: int
    a: int
    b: int

    def stride(self, operand: str) -> int:
        return self.a if operand == "a" else self.b

    def __str__(self) -> str:
        return f"{self.name}:{self.extent}({self.a},{self.b})"

    def by_twos(self, a: int, b: int) -> Dim:
        """The dim whose indices are two of this one's, with strides of its own."""
        return Dim(self.name, -(-self.extent // 2), a, b)


@dataclass(frozen=True)
class Inside:
    """A condition on the terms of a sum: 0 <= start + output_step * output + sum_step * summed < extent.

    Terms that do not meet it are left out of the chain and never read: a padded convolution needs no copy of its input
    with a margin, and its gradient multiplies no zeros. Of a convolution with padding p, stride s and dilation d over H
    rows, the output row `oh` meets the filter row `kh` if Inside("oh", "kh", s, d, -p, H).
    """

    output: str
    summed: str
    output_step: int
    sum_step: int
    start: int
    extent: int

    def holds(self, output: int, summed: int) -> bool:
        return 0 <= self.start + self.output_step * output + self.sum_step * summed < self.extent

    def terms(self, output: int, count: int) -> range:
        """The indices, of `count`, of the summed dim that exist at an output coordinate."""
        found = [k for k in range(count) if self.holds(output, k)]
        return range(found[0], found[-1] + 1) if found else range(0)


@dataclass(frozen=True)
class Stream:
    """The elements of each lane that a sum reads of an operand while its outermost dim goes on.

    Args:
        step: by how many elements an index of that dim moves on.
        window: among how many, from that of coordinate zero on, those lie that one index reads.
        region: those that are read at all, counted from that of coordinate zero.
    """

    step: int
    window: int
    region: range


@lru_cache(maxsize=1024)
def complete(condition: Inside, outputs: int, count: int) -> range:
    """The output coordinates, of `outputs`, at which all `count` terms exist."""
    found = [x for x in range(outputs) if condition.holds(x, 0) and condition.holds(x, count - 1)]
    return range(found[0], found[-1] + 1) if found else range(0)


@dataclass(frozen=True)
class Contraction:
    """C[batch, m, n] = the sum over k of A * B.

    Args:
        batch: output dims that move both operands, or neither.
        m: output dims that move A only.
        n: output dims that move B only.
        k: summed dims, outermost first; their nested order is the order of the sum.
        lanes: the dim that lies across the vector.
        element: "float" or "double".
        lane_tail: (dim, valid): at the last index of that summed dim only `valid` lanes exist (lanes in k only).
        inside: which terms exist, where that depends on the output's coordinates.
        a_transform, b_transform: applied to every loaded value before it is multiplied.
        twos: whether factors are bfloat16, of 16 bits, which strides count.
        halves: of what is `in_words`, whose elements are two factors each: the same with strides that count these.
        odd: whether the last of these words has only one.
        masked: whether a mask makes whole blocks of the scalar operand +0.0.
        along: the output dim along which results lie in memory, if that is another than the lanes'; those of lanes are
            `apart`, at least so many elements.
    Raises:
        ValueError: the dims contradict each other.
    """

    batch: tuple[Dim, ...] = ()
    m: tuple[Dim, ...] = ()
    n: tuple[Dim, ...] = ()
    k: tuple[Dim, ...] = ()
    lanes: str = ""
    element: str = "float"
    lane_tail: tuple[str, int] | None = None
    inside: tuple[Inside, ...] = ()
    a_transform: Transform | None = None
    b_transform: Transform | None = None
    along: str = ""
    apart: int = 0
    twos: bool = False
    halves: Contraction | None = None
    odd: bool = False
    masked: bool = False

    def __post_init__(self) -> None:
        names = [d.name for d in self.outputs + self.k]
        if len(set(names)) != len(names):
            raise ValueError(f"contraction: dims need different names, got {', '.join(names)}")
        for d in self.outputs + self.k:
            if d.extent < 1:
                raise ValueError(f"contraction: dim {d.name} has extent {d.extent}, expected at least 1")
        for d in [d for d in self.m if d.b] + [d for d in self.n if d.a]:
            raise ValueError(f"contraction: dim {d} moves both operands, expected it in batch")
        if self.lanes not in names:
            raise ValueError(f"contraction: lanes {self.lanes!r} is not a dim, got {', '.join(names)}")
        if self.element not in ("float", "double"):
            raise ValueError(f"contraction: element must be float or double, got {self.element}")
        if self.lanes_summed and self.lane.extent > LOGICAL_LANES:
            raise ValueError(f"contraction: {self.lane} sums more than {LOGICAL_LANES} lanes")
        if self.along and (self.along not in [d.name for d in self.outputs] or self.along == self.lanes):
            raise ValueError(f"contraction: results lie along {self.along!r}, expected an output dim but the lanes'")
        if self.lane_tail is not None:
            self._check_tail(*self.lane_tail)
        if self.twos and (self.element != "float" or self.lanes_summed):
            raise ValueError("contraction: terms by twos are of floats, and no lanes are summed")
        self._check_inside([d.name for d in self.outputs], [d.name for d in self.k])

    def _check_tail(self, name: str, valid: int) -> None:
        if not self.lanes_summed or name not in [d.name for d in self.sums] or valid < 1:
            raise ValueError(f"contraction: lane_tail {name, valid} needs summed lanes, a summed dim, a count >= 1")

    def _check_inside(self, outputs: list[str], sums: list[str]) -> None:
        for x in self.inside:
            if x.output not in outputs or x.summed not in sums or self.lanes == x.summed or not x.sum_step:
                raise ValueError(f"contraction: {x} does not relate an output dim to a summed one, not the lanes'")
        related = [name for x in self.inside for name in (x.output, x.summed)]
        if len(set(related)) != len(related):
            raise ValueError(f"contraction: at most one condition on each dim, got {', '.join(related)}")

    @cached_property
    def outputs(self) -> tuple[Dim, ...]:
        return self.batch + self.m + self.n

    @cached_property
    def lane(self) -> Dim:
        return next(d for d in self.outputs + self.k if d.name == self.lanes)

    @cached_property
    def lanes_summed(self) -> bool:
        return any(d.name == self.lanes for d in self.k)

    @cached_property
    def sums(self) -> tuple[Dim, ...]:
        """The summed dims a chain runs over: all but one that lies across the lanes."""
        return tuple(d for d in self.k if d.name != self.lanes)

    @property
    def vectors(self) -> str:
        """The operand that is read a vector at a time, "a" or "b"; b where both are."""
        return "b" if self.lane.b else "a"

    @property
    def scalars(self) -> str:
        """The other operand, as a rule the same in all lanes."""
        return "a" if self.lane.b else "b"

    @cached_property
    def slides(self) -> dict[tuple[str, str], tuple[tuple[str, int], ...]]:
        """By (operand, summed dim): the output dims along which it moves the operand too, and by how many of theirs.

        Neighbouring output pixels under a filter: what one index of the filter reads, the next reads one pixel further.
        """
        return {
            (x, d.name): tuple(
                (t.name, steps)
                for t in self.outputs
                if d.stride(x) and t.stride(x) and d.stride(x) % t.stride(x) == 0
                and (steps := abs(d.stride(x) // t.stride(x))) < t.extent
            )
            for x in "ab"
            for d in self.sums
        }  # fmt: skip

    @cached_property
    def rows_share(self) -> bool:
        """Whether all that uses a vector again are other rows of results, whose taps meet it: a depthwise filter."""
        slides = any(steps for (x, _), steps in self.slides.items() if x == self.vectors)
        return slides and not self.lanes_summed and all(d.stride(self.vectors) or d.extent == 1 for d in self.outputs)

    @cached_property
    def turned(self) -> dict[str, Stream]:
        """What inner loops read of operands whose lanes lie far apart, as images and channels do in rows.

        Empty where the lanes lie side by side, or where what is turned would serve more results than a tile has.
        """
        whole = self.lane.extent == LOGICAL_LANES if self.lanes_summed else self.lane in self.batch and not self.halves
        if not whole or self.lane_tail or self.a_transform or self.b_transform or min(self.lane.a, self.lane.b) <= 1:
            return {}
        taps, within, found = self.m + self.n, self.sums[self.outside :], {}
        if not within or prod(d.extent for d in taps) > TAPS or min(min(d.a, d.b) for d in (*taps, *within)) < 0:
            return {}
        for x in "ab":
            region, step = self._region(x), within[0].stride(x)
            window = 1 + sum(d.stride(x) * (d.extent - 1) for d in (*taps, *within[1:]))
            at_once = window + step if len(within) > 1 else len(region)
            far = any(d.stride(x) >= self.lane.stride(x) for d in within)
            if far or len(region) < LOGICAL_LANES or at_once > TURNED:
                return {}
            found[x] = Stream(step, window, region)
        return found

    @cached_property
    def outside(self) -> int:
        """How many of the sums, the outermost ones, step over as much as all lanes do."""
        steps = [min(abs(d.stride(x)) - self.lane.stride(x) for x in "ab") for d in self.sums]
        return next((n for n, step in enumerate(steps) if step < 0), len(steps)) if min(self.lane.a, self.lane.b) else 0

    def _region(self, operand: str) -> range:
        """Where the terms that exist read an operand, within the batch and the sums that step over all lanes."""
        low = high = 0
        dims = {d.name: d for d in (*self.m, *self.n, *self.sums[self.outside :])}
        for x in self.inside:
            output, summed = (dims.pop(name) if name in dims else None for name in (x.output, x.summed))
            if not output or not summed or not (output.stride(operand) and summed.stride(operand)):
                dims |= {d.name: d for d in (output, summed) if d}
                continue
            reached = sorted((x.output_step * (output.extent - 1), 0)), sorted((x.sum_step * (summed.extent - 1), 0))
            first = max(x.start + reached[0][0] + reached[1][0], 0)
            last = min(x.start + reached[0][1] + reached[1][1], x.extent - 1)
            unit = summed.stride(operand) // x.sum_step
            ends = sorted((unit * (first - x.start), unit * (last - x.start)))
            low, high = low + ends[0], high + ends[1]
        for d in dims.values():
            step = d.stride(operand) * (d.extent - 1)
            low, high = low + min(step, 0), high + max(step, 0)
        return range(low, high + 1)

    def two(self, operand: str) -> int | None:
        """How far apart the two factors of a word are in an operand; None of what has no words."""
        return self.halves.sums[-1].stride(operand) // 2 if self.halves else None

    def condition(self, dim: str) -> Inside | None:
        """The condition on the terms that a dim, an output's or a summed one, takes part in."""
        return next((x for x in self.inside if dim in (x.output, x.summed)), None)

    def transform(self, operand: str) -> Transform | None:
        return self.a_transform if operand == "a" else self.b_transform

    def merged(self) -> Contraction:
        """The same sum with the fewest `sums`: neighbours that step as one become one, those of extent 1 go."""
        if self.a_transform or self.b_transform:
            return self  # they are told every coordinate
        fixed = {x.summed for x in self.inside} | ({self.lane_tail[0]} if self.lane_tail else set())
        sums: list[Dim] = []
        for d in self.sums:
            if d.extent == 1 and d.name not in fixed:
                continue
            last = sums[-1] if sums else None
            if last and not {last.name, d.name} & fixed and (last.a, last.b) == (d.a * d.extent, d.b * d.extent):
                sums[-1] = Dim(f"{last.name}.{d.name}", last.extent * d.extent, d.a, d.b)
            else:
                sums.append(d)
        return replace(self, k=(*sums, self.lane) if self.lanes_summed else tuple(sums))

    def in_words(self) -> Contraction:
        """The same sum of words that hold two factors each, whose strides count words; of merged terms by twos.

        Factors that are neighbours in memory, too, are a word there. Others are put together as they are read, or on
        the way to a panel: those of one step from two rows, of which each counts half.

        Raises:
            ValueError: an odd number of terms is summed within another sum, so that words would be of two rows.
        """
        last = self.sums[-1] if self.sums else Dim("only", 1, 1, 1)
        if (last.extent % 2 and len(self.sums) > 1) or self.condition(last.name):
            raise ValueError(f"contraction: terms by twos, but {last} of {self} is odd, or some do not exist")

        def counted(d: Dim) -> Dim:
            a, b = (_in_words(d.stride(x)) if last.stride(x) == 1 else d.stride(x) for x in "ab")
            return replace(d, a=a, b=b)

        batch, m, n, outer = ([*map(counted, dims)] for dims in (self.batch, self.m, self.n, self.sums[:-1]))
        halves = replace(self, k=(*self.sums[:-1], last.by_twos(2 * last.a, 2 * last.b)), twos=False)
        words = [last.by_twos(last.a, last.b)] if last.extent > 2 or not outer else []
        return replace(
            self, batch=tuple(batch), m=tuple(m), n=tuple(n), k=(*outer, *words),
            twos=False, halves=halves, odd=bool(last.extent % 2),
        )  # fmt: skip

    def __str__(self) -> str:
        groups = (("batch", self.batch), ("m", self.m), ("n", self.n), ("k", self.k))
        dims = "  ".join(f"{name} {' '.join(map(str, dims))}" for name, dims in groups if dims)
        return f"{self.element} {dims}  lanes {self.lanes}{'  by twos' * self.twos}"


def _in_words(stride: int) -> int:
    """A stride of halves in words; that of words which overlap, 1, is no neighbour's."""
    words = 2 if abs(stride) == 1 else -(-abs(stride) // 2)
    return words if stride >= 0 else -words
