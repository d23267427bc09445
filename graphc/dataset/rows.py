"""Samples on their way through the pipeline, not yet read.

A pipeline passes `Rows`: so many samples, *which* ones, and how to make them. Shuffling, taking, skipping, repeating
and batching only rearrange the "which"; nothing is read or computed until `columns()` is called on what finally reaches
the consumer:

    source      SourceRows(table, indices)
    map         MappedRows(rows, work, positions)
    shuffle     rows.take(permutation)
    batch       BatchRows([rows.take(slice(0, 32))])   ->   columns(): one gather, one vectorised map, done

So a batch out of arrays is one fancy index however many steps stand between, and a skipped sample costs nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from graphc.dataset.blocks import Block, Workers, stack
from graphc.dataset.rng import Rng

Which = np.ndarray | slice

PORTION = 4096  # rows to point at together: enough to spread the cost of a portion, few enough to begin at once


class Rows(ABC):
    """Some samples of one pipeline step, in order. Immutable."""

    grain: int = 32  # how many rows to make at once where nothing else decides it

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, which: Which) -> "Rows":
        """The rows at these positions: an int array, or a slice."""

    @abstractmethod
    def columns(self) -> list[Block]:
        """Make the samples: one block per column."""

    @property
    @abstractmethod
    def origin(self) -> tuple[Any, ...]:
        """What tells apart rows that `merged` may not put together."""

    @abstractmethod
    def merged(self, others: Sequence[Any]) -> "Rows":
        """These rows, then the others, all of one origin, as one value."""

    def leaves(self) -> list[tuple["Rows", np.ndarray]]:
        """The rows by origin, each with its places in the whole."""
        return [(self, np.arange(len(self)))]

    def pieces(self) -> Iterator["Rows"]:
        """The rows in portions that are made at once."""
        if len(self) <= self.grain:
            yield self
            return
        for start in range(0, len(self), self.grain):
            yield self.take(slice(start, start + self.grain))


def join(parts: Iterable[Rows]) -> Rows:
    """Rows one after the other; at least one part."""
    kin: dict[tuple[Any, ...], list[tuple[Rows, np.ndarray]]] = {}
    total = 0
    for part in parts:
        for rows, places in part.leaves():
            kin.setdefault(rows.origin, []).append((rows, places + total))
        total += len(part)
    merged = [
        group[0][0].merged([rows for rows, _ in group[1:]]) if group[1:] else group[0][0] for group in kin.values()
    ]
    if len(merged) == 1:
        return merged[0]
    return JoinedRows(merged, [np.concatenate([places for _, places in group]) for group in kin.values()])


class Table(Protocol):
    """Samples that can be read by index."""

    def __len__(self) -> int: ...

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]: ...


class SourceRows(Rows):
    """Samples of a table, by index."""

    def __init__(self, table: Table, indices: np.ndarray, workers: Workers) -> None:
        self._table = table
        self._indices = indices
        self._workers = workers

    def __len__(self) -> int:
        return len(self._indices)

    def take(self, which: Which) -> "SourceRows":
        return SourceRows(self._table, self._indices[which], self._workers)

    def columns(self) -> list[Block]:
        return self._table.take(self._indices, self._workers)

    @property
    def origin(self) -> tuple[Any, ...]:
        return SourceRows, id(self._table)

    def merged(self, others: Sequence["SourceRows"]) -> "SourceRows":
        return SourceRows(self._table, np.concatenate([self._indices, *(o._indices for o in others)]), self._workers)


class StoredRows(Rows):
    """Samples already made, for what can be read only once."""

    def __init__(self, samples: Sequence[tuple[Any, ...]]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def take(self, which: Which) -> "StoredRows":
        if isinstance(which, slice):
            return StoredRows(self._samples[which])
        return StoredRows([self._samples[i] for i in which.tolist()])

    def columns(self) -> list[Block]:
        return [stack(column) for column in zip(*self._samples, strict=True)]

    @property
    def origin(self) -> tuple[Any, ...]:
        return (StoredRows,)

    def merged(self, others: Sequence["StoredRows"]) -> "StoredRows":
        return StoredRows([sample for rows in (self, *others) for sample in rows._samples])


class Work(Protocol):
    """What one pipeline step does to the columns of samples, given their positions in its input."""

    def __call__(self, columns: list[Block], positions: np.ndarray) -> list[Block]: ...


class MappedRows(Rows):
    """Rows with work yet to be done. `positions` number the samples of the epoch, which random operations draw by."""

    def __init__(self, rows: Rows, work: Work, positions: np.ndarray) -> None:
        self._rows = rows
        self._work = work
        self._positions = positions
        self.grain = rows.grain

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, which: Which) -> "MappedRows":
        return MappedRows(self._rows.take(which), self._work, self._positions[which])

    def columns(self) -> list[Block]:
        return self._work(self._rows.columns(), self._positions)

    @property
    def origin(self) -> tuple[Any, ...]:
        return MappedRows, id(self._work)

    def merged(self, others: Sequence["MappedRows"]) -> "MappedRows":
        positions = np.concatenate([self._positions, *(o._positions for o in others)])
        return MappedRows(join([self._rows, *(o._rows for o in others)]), self._work, positions)


class ZippedRows(Rows):
    """The columns of several rows side by side."""

    def __init__(self, sides: Sequence[Rows]) -> None:
        self._sides = sides
        self.grain = min(side.grain for side in sides)

    def __len__(self) -> int:
        return len(self._sides[0])

    def take(self, which: Which) -> "ZippedRows":
        return ZippedRows([side.take(which) for side in self._sides])

    def columns(self) -> list[Block]:
        return [block for side in self._sides for block in side.columns()]

    @property
    def origin(self) -> tuple[Any, ...]:
        return ZippedRows, len(self._sides)

    def merged(self, others: Sequence["ZippedRows"]) -> "ZippedRows":
        return ZippedRows([join(sides) for sides in zip(self._sides, *(o._sides for o in others), strict=True)])


@dataclass(frozen=True)
class BatchInfo:
    """What a `per_batch_map`, or a function giving the batch size, is told."""

    epoch_num: int
    batch_num: int

    def get_epoch_num(self) -> int:
        """Number of the epoch, from 0."""
        return self.epoch_num

    def get_batch_num(self) -> int:
        """Number of the batch in its epoch, from 0."""
        return self.batch_num


Collate = Callable[[list[Block], BatchInfo], list[np.ndarray]]


class BatchRows(Rows):
    """Batches: each row is several rows, collated."""

    grain = 1

    def __init__(self, groups: Sequence[tuple[Rows, BatchInfo]], collate: Collate) -> None:
        self._groups = groups
        self._collate = collate

    def __len__(self) -> int:
        return len(self._groups)

    def take(self, which: Which) -> "BatchRows":
        if isinstance(which, slice):
            return BatchRows(self._groups[which], self._collate)
        return BatchRows([self._groups[i] for i in which.tolist()], self._collate)

    def columns(self) -> list[Block]:
        batches = [self._collate(rows.columns(), info) for rows, info in self._groups]
        if len(batches) == 1:
            return [column[None] for column in batches[0]]
        return [stack(column) for column in zip(*batches, strict=True)]

    @property
    def origin(self) -> tuple[Any, ...]:
        return BatchRows, id(self._collate)

    def merged(self, others: Sequence["BatchRows"]) -> "BatchRows":
        return BatchRows([group for rows in (self, *others) for group in rows._groups], self._collate)


class JoinedRows(Rows):
    """Rows of several origins: row j of part k is row `places[k][j]` of the whole."""

    def __init__(self, parts: Sequence[Rows], places: Sequence[np.ndarray]) -> None:
        self._parts = parts
        self._places = places
        self.grain = min(part.grain for part in parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def leaves(self) -> list[tuple[Rows, np.ndarray]]:
        return list(zip(self._parts, self._places, strict=True))

    def take(self, which: Which) -> Rows:
        part_of = np.empty(len(self), np.int64)
        row_of = np.empty(len(self), np.int64)
        for k, places in enumerate(self._places):
            part_of[places] = k
            row_of[places] = np.arange(len(places))
        part_of, row_of = part_of[which], row_of[which]
        chosen = [np.flatnonzero(part_of == k) for k in range(len(self._parts))]
        parts = [part.take(row_of[where]) for part, where in zip(self._parts, chosen, strict=True)]
        used = [k for k in range(len(parts)) if len(parts[k])] or [0]
        return parts[used[0]] if len(used) == 1 else JoinedRows([parts[k] for k in used], [chosen[k] for k in used])

    def columns(self) -> list[Block]:
        columns = zip(*(part.columns() for part in self._parts), strict=True)
        return [_interleave(blocks, self._places) for blocks in columns]

    @property
    def origin(self) -> tuple[Any, ...]:
        return JoinedRows, id(self)

    def merged(self, others: Sequence[Rows]) -> Rows:
        return join([self, *others])


def _interleave(blocks: Sequence[Block], places: Sequence[np.ndarray]) -> Block:
    """One block out of several: item j of block k goes to `places[k][j]`."""
    values: list[Any] = [None] * sum(map(len, places))
    for block, where in zip(blocks, places, strict=True):
        for j, place in enumerate(where.tolist()):
            values[place] = block[j, ...] if isinstance(block, np.ndarray) else block[j]
    return stack(values)


class Feed:
    """Takes rows off a stream in the numbers one asks for."""

    def __init__(self, stream: Iterable[Rows]) -> None:
        self._stream = iter(stream)
        self._waiting: Rows | None = None
        self._at = self._end = 0  # which of those that wait come next, and how many there are

    def some(self, count: int) -> Rows | None:
        """At least one row and at most `count`, whatever comes without waiting for more; None at the end."""
        while self._at >= self._end:
            self._waiting = next(self._stream, None)
            if self._waiting is None:
                return None
            self._at, self._end = 0, len(self._waiting)
        rows, start = self._waiting, self._at
        assert rows is not None
        self._at = min(start + count, self._end)
        if self._at == self._end:
            self._waiting = None
            return rows.take(slice(start, None)) if start else rows
        return rows.take(slice(start, self._at))

    def take(self, count: int) -> Rows | None:
        """`count` rows, fewer only where the stream ends; None at the end."""
        first = self.some(count)
        if first is None or len(first) == count:
            return first
        parts, missing = [first], count - len(first)
        while missing and (rows := self.some(missing)) is not None:
            parts.append(rows)
            missing -= len(rows)
        return join(parts)


def shuffled(stream: Iterable[Rows], size: int, rng: Rng) -> Iterator[Rows]:
    """Shuffle through a buffer: each row that enters a full buffer pushes out a random one.

    The result depends on the rows, `size` and `rng` only, not on how the stream is portioned.
    """
    feed = Feed(stream)
    pool = feed.take(size)
    if pool is None:
        return
    # Rows enter by the windowful, so that the buffer is rebuilt once per window, not once per row.
    while (window := feed.take(-(-size // 4))) is not None:
        slots = rng.integers(0, size, size=len(window))[0].tolist()
        latest: dict[int, int] = {}
        leaving = []
        for entering, slot in enumerate(slots, start=size):
            leaving.append(latest.get(slot, slot))
            latest[slot] = entering
        staying = np.arange(size)
        staying[list(latest)] = list(latest.values())
        both = join([pool, window])
        yield both.take(np.array(leaving))
        pool = both.take(staying)
    yield pool.take(rng.shuffled(len(pool)))
