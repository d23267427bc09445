"""Samplers: which samples of a source an epoch reads, in which order.

    ds.MnistDataset(path, sampler=ds.WeightedRandomSampler(weights, num_samples=1000))

A sampler is asked once per epoch for its indices. A child sampler chooses first, and its parent chooses among the
child's choices.
"""

import inspect
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng, single

__all__ = [
    "DistributedSampler", "IterSampler", "PKSampler", "RandomSampler", "Sampler", "SequentialSampler", "Shuffle",
    "SubsetRandomSampler", "SubsetSampler", "WeightedRandomSampler",
]  # fmt: skip

Labels = Callable[[str], np.ndarray]


class Shuffle(StrEnum):
    """How a source is shuffled: all its samples, or of a source of several files the files, or the samples of each."""

    GLOBAL = "global"
    FILES = "files"
    INFILE = "infile"


class BuiltinSampler(ABC):
    """A sampler of this module.

    Args:
        num_samples: the most samples an epoch may have; None for no bound.
    """

    def __init__(self, num_samples: int | None = None) -> None:
        self.num_samples = (
            None if num_samples is None else check_int(f"{type(self).__name__}: num_samples", num_samples, 0)
        )
        if self.num_samples == 0:  # MindSpore's way to say all
            self.num_samples = None
        self._child: BuiltinSampler | None = None

    def add_child(self, sampler: "BuiltinSampler") -> None:
        """Let `sampler` choose first.

        Raises:
            RuntimeError: there is a child already.
        """
        if not isinstance(sampler, BuiltinSampler):
            raise TypeError(f"add_child: got {type(sampler).__name__}, expected a sampler")
        if self._child is not None:
            raise RuntimeError(f"{type(self).__name__}: has a child sampler already")
        self._child = sampler

    def get_child(self) -> "BuiltinSampler | None":
        """The sampler that chooses first, or None."""
        return self._child

    def get_num_samples(self) -> int | None:
        """The most samples an epoch may have; None for no bound."""
        return self.num_samples

    def indices(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        """The indices of one epoch: int64, each in 0 to `size` - 1.

        Args:
            size: number of samples of the source.
            rng: draws of this epoch.
            labels: gives a column of the whole source by name.
        """
        if self._child is None:
            return self._choose(size, rng, labels)[: self.num_samples]
        of_child = self._child.indices(size, rng.fold(1), labels)
        chosen = self._choose(len(of_child), rng, lambda column: np.asarray(labels(column)[of_child]))
        return np.take(of_child, chosen[: self.num_samples])

    def count(self, size: int, labels: Labels) -> int:
        """How many samples an epoch has."""
        return len(self.indices(size, single(0), labels))

    @abstractmethod
    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        """Indices into `size` samples."""


class SequentialSampler(BuiltinSampler):
    """The samples in order.

    Args:
        start_index: index of the first sample.
        num_samples: number of samples; None for all that follow.
    """

    def __init__(self, start_index: int | None = None, num_samples: int | None = None) -> None:
        super().__init__(num_samples)
        self._start = 0 if start_index is None else check_int("SequentialSampler: start_index", start_index, 0)

    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        if self._start > size:
            raise ValueError(f"SequentialSampler: start_index {self._start} is beyond the {size} samples of the source")
        return np.arange(self._start, size)


class RandomSampler(BuiltinSampler):
    """The samples in random order, another one each epoch.

    Args:
        replacement: draw each sample from all of them, so that some come repeatedly.
        num_samples: number of samples; None for as many as there are.
        shuffle: only `Shuffle.GLOBAL` has a meaning here.
    """

    def __init__(
        self, replacement: bool = False, num_samples: int | None = None, shuffle: Shuffle = Shuffle.GLOBAL
    ) -> None:
        super().__init__(num_samples)
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: got replacement {replacement!r}, expected a bool")
        if shuffle != Shuffle.GLOBAL:
            raise ValueError(f"RandomSampler: got shuffle {shuffle!r}, expected Shuffle.GLOBAL")
        self._replacement = replacement

    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        if not self._replacement or size == 0:
            return rng.shuffled(size)
        return rng.integers(0, size, size=self.num_samples or size).ravel()


class FilesSampler(BuiltinSampler):
    """The samples of several files: the files in random order, another one each epoch, or the samples of each.

    Args:
        sizes: number of samples of each file; they lie one after the other.
        shuffle: `Shuffle.FILES` or `Shuffle.INFILE`.
        num_samples: number of samples; None for all.
    """

    def __init__(self, sizes: Sequence[int], shuffle: Shuffle, num_samples: int | None = None) -> None:
        super().__init__(num_samples)
        self._sizes, self._within = sizes, shuffle == Shuffle.INFILE

    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        files = np.split(np.arange(size), np.cumsum(self._sizes)[:-1])
        if self._within:
            files = [np.take(file, rng.fold(i).shuffled(len(file))) for i, file in enumerate(files)]
        else:
            files = [files[i] for i in rng.shuffled(len(files))]
        return np.concatenate(files)


class SubsetSampler(BuiltinSampler):
    """The samples of given indices, in the order given.

    Args:
        indices: list or array of ints.
        num_samples: how many of them, from the first; None for all.
    """

    def __init__(self, indices: Sequence[int] | np.ndarray, num_samples: int | None = None) -> None:
        super().__init__(num_samples)
        self._indices = index_array(indices, type(self).__name__)

    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        return check_range(self._indices, size, type(self).__name__)


class SubsetRandomSampler(SubsetSampler):
    """The samples of given indices, in random order, another one each epoch.

    Args:
        indices: list or array of ints.
        num_samples: how many of them, chosen at random; None for all.
    """

    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        return np.take(super()._choose(size, rng, labels), rng.shuffled(len(self._indices)))


class WeightedRandomSampler(BuiltinSampler):
    """Samples drawn with given probabilities.

    Args:
        weights: one number per sample, not negative, not all 0; they need not sum to 1.
        num_samples: number of draws; None for as many as there are weights.
        replacement: whether a sample can be drawn again.
    Raises:
        ValueError: a bad weight, or without replacement more draws than weights above 0.
    """

    def __init__(
        self, weights: Sequence[float] | np.ndarray, num_samples: int | None = None, replacement: bool = True
    ) -> None:
        super().__init__(num_samples)
        if not isinstance(replacement, bool):
            raise TypeError(f"WeightedRandomSampler: got replacement {replacement!r}, expected a bool")
        if not isinstance(weights, (Sequence, np.ndarray)) or any(isinstance(weight, str) for weight in weights):
            raise TypeError(f"WeightedRandomSampler: got weights {weights!r}, expected a list of numbers")
        self._weights = np.asarray(weights, np.float64)
        if self._weights.ndim != 1 or not np.isfinite(self._weights).all() or (self._weights < 0).any():
            raise ValueError("WeightedRandomSampler: weights must be a list of finite numbers, none negative")
        if not self._weights.sum() > 0:
            raise ValueError("WeightedRandomSampler: all weights are 0")
        self._replacement = replacement
        possible = int(np.count_nonzero(self._weights))
        if not replacement and (self.num_samples or len(self._weights)) > possible:
            wanted = self.num_samples or len(self._weights)
            raise ValueError(
                f"WeightedRandomSampler: {wanted} draws without replacement from {possible} weights above 0"
            )

    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        if len(self._weights) > size:
            raise ValueError(f"WeightedRandomSampler: got {len(self._weights)} weights for {size} samples")
        draws = self.num_samples or len(self._weights)
        if self._replacement:
            possible = np.flatnonzero(self._weights)
            steps = np.cumsum(self._weights[possible])
            found = np.searchsorted(steps, rng.uniform(0.0, float(steps[-1]), size=draws).ravel(), side="right")
            return np.take(possible, found, mode="clip")  # rounding may reach the upper end
        # The smallest of exponential times with these rates: successive draws without replacement
        # (Efraimidis, Spirakis: Weighted random sampling with a reservoir, 2006).
        with np.errstate(divide="ignore"):
            times = -np.log1p(-rng.uniform(size=len(self._weights))[0]) / self._weights
        return np.argsort(times, kind="stable")[:draws]


class DistributedSampler(BuiltinSampler):
    """One shard of the samples: every `num_shards`-th of a common order.

    All shards have the same number of samples: where they do not divide evenly, the first ones come once more.

    Args:
        num_shards: number of shards.
        shard_id: which one, 0 to `num_shards` - 1.
        shuffle: whether the common order is random, another one each epoch.
        num_samples: the most samples of the shard; None for all.
        offset: shard that gets the first sample; then no sample comes twice and shards may differ by one. -1 for none.
    """

    def __init__(
        self, num_shards: int, shard_id: int, shuffle: bool = True, num_samples: int | None = None, offset: int = -1
    ) -> None:
        super().__init__(num_samples)
        self._shards = check_int("DistributedSampler: num_shards", num_shards, 1)
        self._shard = check_int("DistributedSampler: shard_id", shard_id, 0, self._shards - 1)
        if not isinstance(shuffle, bool):
            raise TypeError(f"DistributedSampler: got shuffle {shuffle!r}, expected a bool")
        self._shuffle = shuffle
        self._offset = check_int("DistributedSampler: offset", offset, -1, self._shards)

    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        order = rng.shuffled(size) if self._shuffle else np.arange(size)
        if self._offset >= 0:
            return order[(self._shard - self._offset) % self._shards :: self._shards]
        per_shard = -(-size // self._shards)
        return order[(self._shard + self._shards * np.arange(per_shard)) % size] if size else order


class PKSampler(BuiltinSampler):
    """K samples of each of P classes, class by class, chosen anew each epoch.

    Args:
        num_val: K, the samples of each class; a class with fewer gives all it has.
        num_class: P, how many classes; None for all.
        shuffle: whether classes come in random order (and P of them are chosen at random), else by label.
        class_column: name of the column of integer labels.
        num_samples: the most samples; None for no bound.
    """

    def __init__(
        self,
        num_val: int,
        num_class: int | None = None,
        shuffle: bool = False,
        class_column: str = "label",
        num_samples: int | None = None,
    ) -> None:
        super().__init__(num_samples)
        self._num_val = check_int("PKSampler: num_val", num_val, 1)
        self._num_class = None if num_class is None else check_int("PKSampler: num_class", num_class, 1)
        if not isinstance(shuffle, bool):
            raise TypeError(f"PKSampler: got shuffle {shuffle!r}, expected a bool")
        self._shuffle = shuffle
        if not isinstance(class_column, str):
            raise TypeError(f"PKSampler: got class_column {class_column!r}, expected a str")
        self._column = class_column

    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        label_of = labels(self._column).reshape(size, -1)
        if label_of.shape[1:] != (1,) or label_of.dtype.kind not in "iu":
            raise TypeError(f"PKSampler: column {self._column!r} must hold one integer label per sample")
        classes = np.unique(label_of)
        if self._num_class is not None and self._num_class > len(classes):
            raise ValueError(f"PKSampler: num_class is {self._num_class}, but there are {len(classes)} classes")
        if self._shuffle:
            classes = classes[rng.shuffled(len(classes))]
        mixed = rng.shuffled(size)
        mixed_labels = label_of[mixed, 0]
        chosen = [mixed[mixed_labels == c][: self._num_val] for c in classes[: self._num_class]]
        return np.concatenate([np.arange(0), *chosen])


class Sampler:
    """Base of samplers written by users: override `__iter__` to yield the indices of an epoch.

    Before each epoch `self.dataset_size` is set to the number of samples of the source.

    Args:
        num_samples: the most samples an epoch may have; None for no bound.
    """

    def __init__(self, num_samples: int | None = None) -> None:
        self.num_samples = num_samples
        self.dataset_size = 0

    def __iter__(self) -> Iterator[int]:
        raise TypeError(f"{type(self).__name__}: a sampler must define __iter__, yielding the indices of an epoch")


class IterSampler(BuiltinSampler):
    """Any iterable of indices as a sampler; it is iterated anew each epoch.

    Args:
        sampler: a list, a `Sampler`, any object with `__iter__`.
        num_samples: the most samples an epoch may have; None for no bound.
    """

    def __init__(self, sampler: Iterable[int], num_samples: int | None = None) -> None:
        super().__init__(getattr(sampler, "num_samples", None) if num_samples is None else num_samples)
        if inspect.isgenerator(sampler):
            raise TypeError("IterSampler: a generator serves one epoch only; pass a list, or an object with __iter__")
        if not isinstance(sampler, Iterable):
            raise TypeError(f"IterSampler: got {type(sampler).__name__}, expected an iterable of indices")
        self._sampler = sampler

    def _choose(self, size: int, rng: Rng, labels: Labels) -> np.ndarray:
        if isinstance(self._sampler, Sampler):
            self._sampler.dataset_size = size
        chosen = list(itertools.islice(self._sampler, self.num_samples))
        return check_range(index_array(chosen, type(self._sampler).__name__), size, type(self._sampler).__name__)


def index_array(indices: Iterable[Any], name: str) -> np.ndarray:
    """Indices as int64 [n].

    Raises:
        TypeError: not integers.
    """
    array = np.asarray(indices)
    if array.size == 0:
        return np.arange(0)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"{name}: got indices of dtype {array.dtype} and rank {array.ndim}, expected a list of ints")
    return array.astype(np.int64)


def check_range(indices: np.ndarray, size: int, name: str) -> np.ndarray:
    """The indices, all in 0 to `size` - 1.

    Raises:
        IndexError: one is not.
    """
    wrong = indices[(indices < 0) | (indices >= size)]
    if len(wrong):
        raise IndexError(f"{name}: got index {wrong[0]}, but the source has {size} samples (0 to {size - 1})")
    return indices


def select_sampler(
    name: str,
    num_samples: int | None,
    sampler: Any,
    shuffle: bool | Shuffle | None,
    num_shards: int | None,
    shard_id: int | None,
    files: Sequence[int] | None = None,
) -> BuiltinSampler:
    """The sampler that a source's arguments ask for; random order unless they say otherwise.

    Args:
        files: number of samples of each file; None for a source that is not of files with many samples.
    Raises:
        ValueError: arguments that contradict each other.
    """
    if sampler is not None:
        given = {"num_samples": num_samples, "shuffle": shuffle, "num_shards": num_shards, "shard_id": shard_id}
        clash = [f"{key}={value}" for key, value in given.items() if value is not None]
        if clash:
            raise ValueError(f"{name}: a sampler cannot be combined with {', '.join(clash)}")
        if isinstance(sampler, BuiltinSampler):
            return sampler
        if isinstance(sampler, (list, np.ndarray)):
            return SubsetSampler(sampler)
        if isinstance(sampler, (int, np.integer)) and not isinstance(sampler, bool):
            return SubsetSampler([int(sampler)])
        return IterSampler(sampler)
    by_file = files is not None and shuffle in (Shuffle.FILES, Shuffle.INFILE)
    if not (shuffle is None or isinstance(shuffle, bool) or shuffle == Shuffle.GLOBAL or by_file):
        kinds = "Shuffle.GLOBAL" if files is None else "a Shuffle"
        raise TypeError(f"{name}: got shuffle {shuffle!r}, expected True, False or {kinds}")
    for what, number in (("num_shards", num_shards), ("shard_id", shard_id)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, (int, np.integer))):
            raise TypeError(f"{name}: got {what} {number!r} of type {type(number).__name__}, expected an int")
    if (num_shards is None) != (shard_id is None):
        raise ValueError(f"{name}: num_shards and shard_id go together, got {num_shards} and {shard_id}")
    mix = shuffle is not False and not by_file
    mixed_files = FilesSampler(files, Shuffle(str(shuffle)), num_samples) if files is not None and by_file else None
    if num_shards is not None and shard_id is not None:
        shard = DistributedSampler(num_shards, shard_id, shuffle=mix, num_samples=num_samples)
        if mixed_files is not None:
            mixed_files.num_samples = None
            shard.add_child(mixed_files)
        return shard
    if mixed_files is not None:
        return mixed_files
    return RandomSampler(num_samples=num_samples) if mix else SequentialSampler(num_samples=num_samples)
