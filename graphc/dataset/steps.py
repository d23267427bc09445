"""The steps of a pipeline: how each makes its rows out of those of the steps before it.

A step's `stream` turns the `Rows` of its children into its own for one epoch, and `count` says how many there will be.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block, Workers, as_array, rows_of
from graphc.dataset.check import check_int
from graphc.dataset.columns import ColumnChange, names_list, positions_of
from graphc.dataset.epochs import Epoch, Row
from graphc.dataset.rng import Rng, fold, single
from graphc.dataset.rows import (
    PORTION,
    BatchInfo,
    BatchRows,
    Collate,
    Feed,
    MappedRows,
    Rows,
    StoredRows,
    ZippedRows,
    shuffled,
)
from graphc.dataset.transforms import Chain, Operation


class Step(ABC):
    """A step of a pipeline.

    Args:
        children: the steps whose rows it uses.
        columns: names of its columns.
    """

    makes_samples = False  # whether running it costs more than moving indices: then a thread works ahead
    workers = 1  # threads it uses

    def __init__(self, children: Sequence["Step"], columns: Sequence[str]) -> None:
        if len(set(columns)) != len(columns):
            raise ValueError(f"column names must differ, got {list(columns)}")
        self.children = tuple(children)
        self.columns = tuple(columns)
        self.depth: int = 1 + max((child.depth for child in children), default=-1)
        self._size: int | None = None

    @abstractmethod
    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        """The rows of one epoch, in portions of any size."""

    def count(self) -> int:
        """The number of rows of an epoch; by running through one where no step knows better."""
        with Workers(max(step.workers for step in self.all())) as workers:
            return sum(len(rows) for rows in self.stream(Epoch.begin(0, workers)))

    @property
    def size(self) -> int:
        """The number of rows of an epoch, counted once."""
        if self._size is None:
            self._size = self.count()
        return self._size

    @property
    def endless(self) -> bool:
        """Whether an epoch never ends; `size` is then that of one round."""
        return any(child.endless for child in self.children)

    def all(self) -> Iterator["Step"]:
        """This step and all it is built on."""
        yield self
        for child in self.children:
            yield from child.all()

    @property
    def batch_size(self) -> int:
        """Rows per batch; 1 without batches, -1 where a function decides."""
        return self.children[0].batch_size if self.children else 1

    @property
    def repeat_count(self) -> int:
        """How often an epoch goes through the rows; -1 for no end."""
        return self.children[0].repeat_count if self.children else 1


class OnOne(Step):
    """A step on one child, with as many rows as this."""

    def __init__(self, child: Step, columns: Sequence[str] | None = None) -> None:
        super().__init__([child], child.columns if columns is None else columns)
        self.child = child

    def count(self) -> int:
        return self.child.size


# Steps that make samples


class MapStep(OnOne):
    """See `Dataset.map`."""

    makes_samples = True

    def __init__(
        self,
        child: Step,
        operations: Operation | Sequence[Operation],
        input_columns: str | Sequence[str] | None,
        output_columns: str | Sequence[str] | None,
        workers: int,
    ) -> None:
        self._chain = Chain(operations)
        self._change = ColumnChange(
            "map", child.columns, child.columns[0] if input_columns is None else input_columns, output_columns
        )
        super().__init__(child, self._change.names)
        self.workers = workers

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        work = _MapWork(self._chain, self._change, fold(epoch.draws, self.depth), epoch.workers, self.workers)
        start = 0
        for rows in self.child.stream(epoch):
            yield MappedRows(rows, work, np.arange(start, start + len(rows)))
            start += len(rows)


class _MapWork:
    """A map in one epoch: what is to be done to the columns of some samples."""

    def __init__(self, chain: Chain, change: ColumnChange, key: int, workers: Workers, count: int) -> None:
        self._chain = chain
        self._change = change
        self._key = key
        self._workers = workers
        self._count = count

    def __call__(self, columns: list[Block], positions: np.ndarray) -> list[Block]:
        inputs = [columns[i] for i in self._change.inputs]

        def portion(part: slice) -> list[Block]:
            return self._chain.blocks([column[part] for column in inputs], Rng(self._key, positions[part]))

        return self._change(columns, self._workers.map_parts(portion, len(positions), self._count))


class FilterStep(Step):
    """See `Dataset.filter`."""

    makes_samples = True

    def __init__(
        self,
        child: Step,
        predicate: Callable[..., Any],
        input_columns: str | Sequence[str] | None,
        workers: int,
    ) -> None:
        if not callable(predicate):
            raise TypeError(f"filter: got predicate {predicate!r}, expected a function")
        super().__init__([child], child.columns)
        self._predicate = predicate
        self._inputs = positions_of("filter", child.columns, child.columns if input_columns is None else input_columns)
        self.workers = workers

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        for rows in self.children[0].stream(epoch):
            for piece in rows.pieces():
                kept = self._kept(piece.columns(), epoch.workers)
                if kept:
                    yield StoredRows(kept)

    def _kept(self, columns: list[Block], workers: Workers) -> list[Row]:
        def portion(part: slice) -> list[Block]:
            return [np.array([self._holds(row) for row in rows_of([columns[i][part] for i in self._inputs])])]

        (holds,) = workers.map_parts(portion, len(columns[0]), self.workers)
        return [row for row, keep in zip(rows_of(columns), holds, strict=True) if keep]

    def _holds(self, row: Row) -> bool:
        answer = as_array(self._predicate(*row), "filter: the predicate returned")
        if answer.size != 1 or answer.dtype.kind not in "biu":
            raise TypeError(f"filter: the predicate returned {answer.dtype} of shape {answer.shape}, expected a bool")
        return bool(answer.item())


# Batches


class BatchStep(OnOne):
    """See `Dataset.batch`, `Dataset.padded_batch`."""

    def __init__(
        self,
        child: Step,
        batch_size: int | Callable[[BatchInfo], int],
        drop_remainder: bool,
        columns: Sequence[str],
        collate: Collate,
    ) -> None:
        super().__init__(child, columns)
        if not callable(batch_size):
            check_int("batch_size", batch_size, 1)
        if not isinstance(drop_remainder, bool):
            raise TypeError(f"drop_remainder: got {drop_remainder!r}, expected a bool")
        self._batch_size = batch_size
        self._drop = drop_remainder
        self._collate = collate

    def _rows_in(self, info: BatchInfo) -> int:
        if callable(self._batch_size):
            return check_int("batch_size: the function's result", self._batch_size(info), 1)
        return self._batch_size

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        feed = Feed(self.child.stream(epoch))
        for number in itertools.count():
            info = BatchInfo(epoch.number, number)
            size = self._rows_in(info)
            rows = feed.take(size)
            if rows is None or (self._drop and len(rows) < size):
                return
            yield BatchRows([(rows, info)], self._collate)

    def count(self) -> int:
        left = self.child.size
        if not callable(self._batch_size):
            return left // self._batch_size if self._drop else -(-left // self._batch_size)
        for number in itertools.count():
            if left <= 0:
                break
            left -= self._rows_in(BatchInfo(0, number))
        return number - (self._drop and left < 0)

    @property
    def batch_size(self) -> int:
        return -1 if callable(self._batch_size) else self._batch_size


# Steps that only say which rows


class ShuffleStep(OnOne):
    """See `Dataset.shuffle`."""

    def __init__(self, child: Step, buffer_size: int) -> None:
        super().__init__(child)
        self._buffer_size = check_int("shuffle: buffer_size", buffer_size, 1)

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        return shuffled(self.child.stream(epoch), self._buffer_size, single(fold(epoch.order, self.depth)))


class RepeatStep(OnOne):
    """See `Dataset.repeat`."""

    def __init__(self, child: Step, count: int | None) -> None:
        super().__init__(child)
        self._repeats = -1 if count is None else check_int("repeat: count", count, -1)
        if self._repeats == 0:
            raise ValueError("repeat: got count 0, expected at least 1, or None for no end")

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        for count in itertools.count() if self._repeats < 0 else range(self._repeats):
            empty = True
            for rows in self.child.stream(epoch.repetition(self.depth, count)):
                empty = empty and len(rows) == 0
                yield rows
            if empty:
                return

    def count(self) -> int:
        return self.child.size * max(1, self._repeats)

    @property
    def endless(self) -> bool:
        return self._repeats < 0 or super().endless

    @property
    def repeat_count(self) -> int:
        below = self.child.repeat_count
        return -1 if self._repeats < 0 or below < 0 else self._repeats * below


class TakeStep(OnOne):
    """See `Dataset.take`."""

    def __init__(self, child: Step, count: int) -> None:
        super().__init__(child)
        self._taken = check_int("take: count", count, -1)
        if count == 0:
            raise ValueError("take: got count 0, expected at least 1, or -1 for all")

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        stream = self.child.stream(epoch)
        return stream if self._taken < 0 else _first_rows(stream, self._taken)

    def count(self) -> int:
        below = self.child.size
        if self._taken < 0:
            return below
        return self._taken if self.child.endless and below else min(self._taken, below)

    @property
    def endless(self) -> bool:
        return self._taken < 0 and super().endless


def _first_rows(stream: Iterable[Rows], count: int) -> Iterator[Rows]:
    feed = Feed(stream)
    while count and (rows := feed.some(count)) is not None:
        count -= len(rows)
        yield rows


def skipped(stream: Iterable[Rows], count: int) -> Iterator[Rows]:
    """The stream without its first `count` rows."""
    for rows in stream:
        if count < len(rows):
            yield rows.take(slice(count, None)) if count else rows
        count = max(0, count - len(rows))


class SkipStep(OnOne):
    """See `Dataset.skip`."""

    def __init__(self, child: Step, count: int) -> None:
        super().__init__(child)
        self._skipped = check_int("skip: count", count, 0)

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        return skipped(self.child.stream(epoch), self._skipped)

    def count(self) -> int:
        below = self.child.size
        return below if self.endless else max(0, below - self._skipped)


class SplitStep(OnOne):
    """One part of `Dataset.split`."""

    def __init__(self, child: Step, start: int, stop: int, total: int, randomize: bool) -> None:
        super().__init__(child)
        if not isinstance(randomize, bool):
            raise TypeError(f"split: got randomize {randomize!r}, expected a bool")
        self._start, self._stop, self._total = start, stop, total
        self._randomize = randomize

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        epoch = epoch.ordered_once()
        stream = self.child.stream(epoch)
        if self._randomize:
            stream = shuffled(stream, self._total, single(fold(epoch.order, self.depth)))
        return _first_rows(skipped(stream, self._start), self._stop - self._start)

    def count(self) -> int:
        return self._stop - self._start

    @property
    def endless(self) -> bool:
        return False


class ZipStep(Step):
    """See `Dataset.zip`."""

    def __init__(self, children: Sequence[Step]) -> None:
        super().__init__(children, [name for child in children for name in child.columns])

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        first, *others = [Feed(child.stream(epoch)) for child in self.children]
        while (rows := first.some(PORTION)) is not None:
            sides = [rows, *(feed.take(len(rows)) for feed in others)]
            if any(side is None for side in sides):
                return
            shortest = slice(0, min(len(side) for side in sides if side is not None))
            yield ZippedRows([side.take(shortest) for side in sides if side is not None])
            if shortest.stop < len(rows):
                return

    def count(self) -> int:
        finite = [child for child in self.children if not child.endless]
        return min(child.size for child in finite or self.children)

    @property
    def endless(self) -> bool:
        return all(child.endless for child in self.children)


class ConcatStep(Step):
    """See `Dataset.concat`."""

    def __init__(self, children: Sequence[Step]) -> None:
        columns = children[0].columns
        for child in children:
            if child.columns != columns:
                raise ValueError(
                    f"concat: columns differ, {list(columns)} and {list(child.columns)}; rename or project them first"
                )
        super().__init__(children, columns)

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        for number, child in enumerate(self.children):
            yield from child.stream(epoch.branch(self.depth, number))

    def count(self) -> int:
        return sum(child.size for child in self.children)


class ProjectStep(OnOne):
    """See `Dataset.project`."""

    def __init__(self, child: Step, columns: str | Sequence[str]) -> None:
        self._chosen = positions_of("project", child.columns, columns)
        super().__init__(child, names_list("project", columns))

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        def choose(columns: list[Block], positions: np.ndarray) -> list[Block]:
            return [columns[i] for i in self._chosen]

        for rows in self.child.stream(epoch):
            yield MappedRows(rows, choose, np.arange(len(rows)))


class RenameStep(OnOne):
    """See `Dataset.rename`."""

    def __init__(self, child: Step, inputs: str | Sequence[str], outputs: str | Sequence[str]) -> None:
        old, new = names_list("rename", inputs), names_list("rename", outputs)
        if len(old) != len(new) or len(set(old)) != len(old):
            raise ValueError(f"rename: got {old} and {new}, expected one new name for each of some columns")
        names = list(child.columns)
        for position, name in zip(positions_of("rename", child.columns, old), new, strict=True):
            names[position] = name
        super().__init__(child, names)

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        return self.child.stream(epoch)
