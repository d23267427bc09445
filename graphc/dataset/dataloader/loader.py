"""`DataLoader`: the batches of a dataset, made when they are asked for or ahead of that by threads."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from graphc.dataset.check import check_int
from graphc.dataset.dataloader.collate import default_collate, default_convert
from graphc.dataset.dataloader.datasets import Dataset, IterableDataset
from graphc.dataset.dataloader.samplers import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    check_bool,
    check_generator,
    new_generator,
    number_of_batches,
)

T = TypeVar("T", covariant=True)
_END: Any = object()  # what a worker gives whose samples have ended


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker a thread is: its number, how many there are, a seed of its own, the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any

    def __repr__(self) -> str:
        shown = f"id: {self.id}, num_workers: {self.num_workers}, seed: {self.seed}, dataset: {self.dataset}"
        return f"WorkerInfo: {{{shown}}}"


class _Here(threading.local):
    info: WorkerInfo | None = None


_here = _Here()


def get_worker_info() -> WorkerInfo | None:
    """Which worker of a DataLoader runs this; None outside of them."""
    return _here.info


class DataLoader(Generic[T]):
    """The batches of a dataset; each `for` loop over it is one pass.

    Args:
        dataset: an object with `__getitem__` (and `__len__`), or an `IterableDataset`.
        batch_size: how many samples make a batch; None for samples by themselves.
        shuffle: whether samples come in random order, another one in every pass.
        sampler: gives the numbers of samples, instead of `shuffle`.
        batch_sampler: gives lists of numbers, instead of `batch_size`, `shuffle`, `sampler` and `drop_last`.
        num_workers: how many threads make batches ahead; 0 makes each when it is asked for.
        collate_fn: makes a batch of a list of samples (without batches: a result of a sample); None for
            `default_collate` (`default_convert`).
        pin_memory: accepted: batches lie in the memory that kernels read.
        drop_last: whether a last batch that is smaller is left out.
        timeout: how many seconds to wait for a batch of a worker at most; 0 for no limit.
        worker_init_fn: called with a worker's number in each worker, before its first batch.
        multiprocessing_context: accepted: workers are threads, which share the dataset.
        generator: where order and the workers' seeds come from; None for one that follows from `set_seed`, if needed.
        prefetch_factor: how many batches each worker may be ahead; 2 if None.
        persistent_workers: whether workers live on after a pass.
        in_order: whether batches come in the order of the sampler, rather than as workers finish them.
    Raises:
        TypeError, ValueError: an argument of another type or out of range, or one that another one excludes.
        NotImplementedError: a dataset of neither kind.
        RuntimeError: (in a pass) a worker took longer than `timeout`.
    """

    def __init__(
        self, dataset: Dataset[T], batch_size: int | None = 1, shuffle: bool | None = None,
        sampler: Iterable[int] | None = None, batch_sampler: Iterable[list[int]] | None = None, num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None, pin_memory: bool = False, drop_last: bool = False,
        timeout: float = 0.0, worker_init_fn: Callable[[int], None] | None = None, multiprocessing_context: Any = None,
        generator: np.random.Generator | None = None, *, prefetch_factor: int | None = None,
        persistent_workers: bool = False, in_order: bool = True,
    ) -> None:  # fmt: skip
        self._iterable = isinstance(dataset, IterableDataset)
        if not self._iterable and not hasattr(dataset, "__getitem__"):
            raise NotImplementedError(f"DataLoader: {type(dataset).__name__} has no __getitem__, nor is it iterable")
        self._check_choice(batch_size, shuffle, sampler, batch_sampler, drop_last)
        self._check_workers(num_workers, multiprocessing_context, prefetch_factor, persistent_workers)
        check_generator("DataLoader", generator)
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
            raise TypeError(f"DataLoader: got timeout {timeout!r} of type {type(timeout).__name__}, expected seconds")
        if timeout < 0:
            raise ValueError(f"DataLoader: got timeout {timeout}, expected at least 0")
        self.dataset = dataset
        self.num_workers, self.prefetch_factor = num_workers, prefetch_factor or 2
        self.persistent_workers = persistent_workers
        self.in_order = check_bool("DataLoader: in_order", in_order)
        self.pin_memory = check_bool("DataLoader: pin_memory", pin_memory)
        self.timeout, self.worker_init_fn = timeout, worker_init_fn
        drawn = generator is None and (shuffle or num_workers > 0)  # NumPy's own numbers go on as they were otherwise
        self.generator = new_generator() if drawn else generator
        self.batch_size, self.drop_last = (batch_size, drop_last) if batch_sampler is None else (None, False)
        self.sampler: Any = sampler
        if sampler is None and not self._iterable:
            self.sampler = (
                RandomSampler(dataset, generator=self.generator)  # type: ignore[arg-type]
                if shuffle
                else SequentialSampler(dataset)  # type: ignore[arg-type]
            )
        self.batch_sampler: Any = batch_sampler
        if batch_size is not None and batch_sampler is None and not self._iterable:
            self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        batched = self.batch_sampler is not None or self.batch_size is not None
        self.collate_fn: Callable[[Any], Any] = collate_fn or (default_collate if batched else default_convert)
        self._kept: list[_Worker] = []

    def _check_choice(
        self, batch_size: int | None, shuffle: bool | None, sampler: Any, batch_sampler: Any, drop_last: bool
    ) -> None:
        if batch_size is not None:
            check_int("DataLoader: batch_size", batch_size, 1)
        check_bool("DataLoader: shuffle", bool(shuffle) if shuffle is None else shuffle)
        check_bool("DataLoader: drop_last", drop_last)
        given = {
            "shuffle": shuffle, "sampler": sampler is not None, "batch_sampler": batch_sampler is not None,
            "batch_size": batch_size != 1, "drop_last": drop_last,
        }  # fmt: skip
        excluded: list[tuple[str, tuple[str, ...]]] = []
        if self._iterable:
            excluded.append(("an IterableDataset", ("shuffle", "sampler", "batch_sampler")))
        if batch_sampler is not None:
            excluded.append(("a batch_sampler", ("batch_size", "shuffle", "sampler", "drop_last")))
        if sampler is not None:
            excluded.append(("a sampler", ("shuffle",)))
        for reason, names in excluded:
            wrong = [name for name in names if given[name]]
            if wrong:
                raise ValueError(f"DataLoader: {' and '.join(wrong)} cannot be given with {reason}")

    def _check_workers(self, num_workers: int, context: Any, prefetch_factor: int | None, persistent: bool) -> None:
        check_int("DataLoader: num_workers", num_workers, 0)
        check_bool("DataLoader: persistent_workers", persistent)
        given = {
            "multiprocessing_context": context is not None, "prefetch_factor": prefetch_factor is not None,
            "persistent_workers": persistent,
        }  # fmt: skip
        if num_workers == 0 and any(given.values()):
            names = " and ".join(name for name, there in given.items() if there)
            raise ValueError(f"DataLoader: {names} can only be given with num_workers above 0")
        if prefetch_factor is not None:
            check_int("DataLoader: prefetch_factor", prefetch_factor, 1)

    def __len__(self) -> int:
        if not self._iterable:
            return len(self.batch_sampler if self.batch_sampler is not None else self.sampler)
        samples = len(self.dataset)  # type: ignore[arg-type]
        return samples if self.batch_size is None else number_of_batches(samples, self.batch_size, self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers:
            return self._by_workers()
        return self._one_after_the_other() if self._iterable else map(self._batch_of, self._keys())

    def _keys(self) -> Iterator[Any]:
        """What says which samples each batch has."""
        return iter(self.batch_sampler if self.batch_sampler is not None else self.sampler)

    def _batch_of(self, key: Any) -> Any:
        return self.collate_fn(self.dataset[key] if self.batch_sampler is None else [self.dataset[i] for i in key])

    def _one_after_the_other(self) -> Iterator[Any]:
        """The batches of an iterable dataset."""
        samples = iter(self.dataset)  # type: ignore[call-overload]
        if self.batch_size is None:
            yield from map(self.collate_fn, samples)
            return
        while batch := list(itertools.islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)

    def _by_workers(self) -> Iterator[Any]:
        """The batches, made ahead by threads which take turns."""
        workers = self._kept or self._start()
        if self.persistent_workers:
            self._kept = workers
        try:
            yield from self._turns(workers)
        finally:
            if not self.persistent_workers:
                for worker in workers:
                    worker.stop()

    def _start(self) -> list["_Worker"]:
        assert self.generator is not None, "there are workers"
        seed = int(self.generator.integers(2**62))
        infos = [WorkerInfo(i, self.num_workers, seed + i, self.dataset) for i in range(self.num_workers)]
        workers = [_Worker(info) for info in infos]
        for begun in [worker.do(partial(worker.begin, self.worker_init_fn)) for worker in workers]:
            begun.result()
        return workers

    def _turns(self, workers: Sequence["_Worker"]) -> Iterator[Any]:
        keys = itertools.repeat(None) if self._iterable else self._keys()
        sources = {worker: self._one_after_the_other() for worker in workers}  # what they begin in their own threads
        turn = deque(workers)
        waiting: deque[tuple[_Worker, Future[Any]]] = deque()

        def ask_next() -> None:
            key = next(keys, _END) if turn else _END
            if key is _END:
                return
            worker = turn[0]
            turn.rotate(-1)
            job = partial(next, sources[worker], _END) if self._iterable else partial(self._batch_of, key)
            waiting.append((worker, worker.do(job)))

        for _ in range(self.num_workers * self.prefetch_factor):
            ask_next()
        while waiting:
            worker, made = self._first_made(waiting)
            batch = made.result()
            if batch is _END and worker in turn:
                turn.remove(worker)
            ask_next()
            if batch is not _END:
                yield batch

    def _first_made(self, waiting: deque[tuple["_Worker", "Future[Any]"]]) -> tuple["_Worker", "Future[Any]"]:
        """The next batch in order, or the first that there is."""
        candidates = [waiting[0]] if self.in_order else list(waiting)
        done, _ = wait([future for _, future in candidates], self.timeout or None, FIRST_COMPLETED)
        if not done:
            raise RuntimeError(f"DataLoader: no worker had a batch after {self.timeout} seconds, which is its timeout")
        found = next(pair for pair in candidates if pair[1] in done)
        waiting.remove(found)
        return found


class _Worker:
    """One thread, which does what it is given in turn."""

    def __init__(self, info: WorkerInfo) -> None:
        self._info = info
        self._pool = ThreadPoolExecutor(1, f"graphc-dataloader-{info.id}")

    def begin(self, init: Callable[[int], None] | None) -> None:
        """Runs in the thread before all else."""
        _here.info = self._info
        if init is not None:
            init(self._info.id)

    def do(self, job: Callable[[], Any]) -> "Future[Any]":
        return self._pool.submit(job)

    def stop(self) -> None:
        """Ends the thread when it has done what it does now; what it has not begun is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
