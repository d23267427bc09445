"""In which order a DataLoader takes the samples of a dataset, and which of them make a batch."""

import itertools
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from graphc.dataset.check import check_int
from graphc.parallel import get_group_size, get_rank

T = TypeVar("T", covariant=True)


def check_bool(name: str, value: Any) -> bool:
    """`value`, or the TypeError for what is no bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}: got {value!r} of type {type(value).__name__}, expected a bool")
    return value


def check_generator(name: str, value: Any) -> None:
    """The TypeError for what is neither None nor one of NumPy's generators."""
    if value is not None and not isinstance(value, np.random.Generator):
        raise TypeError(f"{name}: got generator of type {type(value).__name__}, expected a numpy.random.Generator")


def new_generator() -> np.random.Generator:
    """A generator that follows from NumPy's global one, and so from `set_seed`."""
    return np.random.default_rng(np.random.randint(2**63 - 1, dtype=np.int64))


class Sampler(Generic[T]):
    """Gives the numbers of samples: subclasses define `__iter__`, and `__len__` where it is known.

    Args:
        data_source: the dataset; kept by subclasses that need it.
    """

    def __init__(self, data_source: Any = None) -> None:
        pass


class SequentialSampler(Sampler[int]):
    """The numbers 0, 1, 2, ... of a dataset of known size."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Numbers in random order.

    Args:
        data_source: a dataset of known size.
        replacement: whether every number is drawn from all, so that one may come twice.
        num_samples: how many; None for as many as there are. Without replacement those beyond come in another order.
        generator: where the order comes from; None for one that follows from `set_seed`.
    Raises:
        TypeError, ValueError: an argument of another type, or `num_samples` below 1.
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.data_source = data_source
        self.replacement = check_bool("RandomSampler: replacement", replacement)
        self._count = None if num_samples is None else check_int("RandomSampler: num_samples", num_samples, 1)
        check_generator("RandomSampler", generator)
        self.generator = generator

    @property
    def num_samples(self) -> int:
        """How many numbers a pass has."""
        return len(self.data_source) if self._count is None else self._count

    def __iter__(self) -> Iterator[int]:
        generator = self.generator or new_generator()
        size = len(self.data_source)
        if self.replacement:
            return iter(generator.integers(size, size=self.num_samples).tolist())
        orders = (number for _ in itertools.repeat(None) for number in generator.permutation(size).tolist())
        return itertools.islice(orders if size else (), self.num_samples)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of what another sampler gives.

    Args:
        sampler: a sampler, or numbers.
        batch_size: how many make a list.
        drop_last: whether a last list that is shorter is left out.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.sampler = sampler
        self.batch_size = check_int("BatchSampler: batch_size", batch_size, 1)
        self.drop_last = check_bool("BatchSampler: drop_last", drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        numbers = iter(self.sampler)
        while batch := list(itertools.islice(numbers, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        return number_of_batches(len(self.sampler), self.batch_size, self.drop_last)  # type: ignore[arg-type]


def number_of_batches(samples: int, batch_size: int, drop_last: bool) -> int:
    """How many batches so many samples make."""
    return samples // batch_size if drop_last else -(-samples // batch_size)


class DistributedSampler(Sampler[int]):
    """The share of one of several processes: every `num_replicas`-th number, equally many for each.

    Args:
        dataset: a dataset of known size.
        num_replicas: how many processes there are; None for as many as `communication` says.
        rank: which of them this is; None for what `communication` says.
        shuffle: whether numbers come in random order, the same for all processes.
        seed: what that order follows from, together with the epoch.
        drop_last: whether numbers that do not suffice for all are left out, rather than filled up with the first.
    Raises:
        TypeError, ValueError: an argument of another type, or a rank that is none of the processes'.
    """

    def __init__(
        self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True,
        seed: int = 0, drop_last: bool = False,
    ) -> None:  # fmt: skip
        self.dataset = dataset
        count = get_group_size() if num_replicas is None else num_replicas
        self.num_replicas = check_int("DistributedSampler: num_replicas", count, 1)
        self.rank = check_int("DistributedSampler: rank", get_rank() if rank is None else rank, 0, count - 1)
        self.shuffle = check_bool("DistributedSampler: shuffle", shuffle)
        self.seed = check_int("DistributedSampler: seed", seed, 0)
        self.drop_last = check_bool("DistributedSampler: drop_last", drop_last)
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        order = np.arange(size)
        if self.shuffle:
            order = np.random.default_rng(self.seed + self.epoch).permutation(size)
        filled = np.resize(order, len(self) * self.num_replicas)  # repeats from the first, or leaves out the last
        return iter(filled[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return number_of_batches(len(self.dataset), self.num_replicas, self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch comes next, so that its order is another one."""
        self.epoch = check_int("DistributedSampler.set_epoch: epoch", epoch, 0)
