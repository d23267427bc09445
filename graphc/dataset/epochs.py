"""One pass over a pipeline: its keys, its threads, and the iterators users hold.

`Epoch` carries what every step of a pipeline needs to know about the pass. `run_ahead` makes rows in a background
thread while the consumer works on the last one. `RowIterator` is what `create_dict_iterator` and
`create_tuple_iterator` return.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from graphc.dataset import config
from graphc.dataset.blocks import Workers
from graphc.dataset.rng import fold

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Epoch:
    """One pass: its number, the key of everything that orders samples, the key of everything drawn for a sample."""

    number: int
    order: int
    draws: int
    workers: Workers

    @staticmethod
    def begin(number: int, workers: Workers) -> "Epoch":
        """The pass of this number under the seed in force."""
        return Epoch(number, fold(config.get_seed(), number, 0), fold(config.get_seed(), number, 1), workers)

    def repetition(self, step: int, count: int) -> "Epoch":
        """Repetition `count` by the pipeline step at depth `step`, within this pass; the first is the pass itself."""
        if count == 0:
            return self
        return replace(self, order=fold(self.order, step, count), draws=fold(self.draws, step, count))

    def branch(self, step: int, number: int) -> "Epoch":
        """Branch `number` of a concatenation: other draws for its samples, the same order in all branches."""
        return self if number == 0 else replace(self, draws=fold(self.draws, step, number))

    def ordered_once(self) -> "Epoch":
        """The pass with the order that all epochs share."""
        return replace(self, order=fold(config.get_seed(), 0, 0))


_JOIN_SECONDS = 1.0  # a source that blocks for ever must not block its consumer's exit: the thread is a daemon


def run_ahead(rows: Generator[Row, None, None], depth: int) -> Iterator[Row]:
    """The same rows, made by a background thread up to `depth` ahead.

    An error in the thread is raised here, with its traceback. The thread stops when this generator is closed or
    dropped.
    """
    ready: queue.SimpleQueue[tuple[Row | None, BaseException | None]] = queue.SimpleQueue()
    room = threading.Semaphore(depth)
    stopped = threading.Event()

    def produce() -> None:
        error: BaseException | None = None
        try:
            with closing(rows):
                while room.acquire() and not stopped.is_set() and (row := next(rows, None)) is not None:
                    ready.put((row, None))
        except BaseException as raised:  # whatever it is belongs to the consumer
            error = raised
        ready.put((None, error))

    thread = threading.Thread(target=produce, name="graphc-dataset-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            row, error = ready.get()
            if error is not None:
                raise error
            if row is None:
                return
            room.release()
            yield row
    finally:
        stopped.set()
        room.release()
        if thread is not threading.current_thread():  # the collector may close this generator from anywhere
            thread.join(_JOIN_SECONDS)


class RowIterator(Iterator[Any]):
    """Rows of a dataset, epoch after epoch: each `for` loop over it is one epoch.

    Args:
        start: begins the next epoch of the dataset.
        convert: makes what the user gets out of a row.
        num_epochs: how many epochs there are; -1 for no end.
    """

    def __init__(self, start: Callable[[], Iterator[Row]], convert: Callable[[Row], Any], num_epochs: int) -> None:
        self._start = start
        self._convert = convert
        self._left = num_epochs
        self._rows: Iterator[Row] | None = None

    def __iter__(self) -> "RowIterator":
        return self

    def __next__(self) -> Any:
        if self._rows is None:
            if self._left == 0:
                raise RuntimeError("dataset iterator: rows were asked for beyond its num_epochs, or after stop()")
            self._left -= self._left > 0
            self._rows = self._start()
        row = next(self._rows, None)
        if row is None:
            self._rows = None
            raise StopIteration
        return self._convert(row)

    def get_next(self) -> Any:
        """The next row; StopIteration at the end of an epoch."""
        return next(self)

    def stop(self) -> None:
        """End the iteration and its background thread now."""
        self._rows, self._left = None, 0
