"""What a DataLoader takes samples from: by number, or one after the other."""

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from graphc.tensor import Tensor

T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """Samples by number: subclasses define `__getitem__`, and `__len__` where it is known how many."""

    def __getitem__(self, index: int) -> T:
        raise NotImplementedError(f"{type(self).__name__}: has no __getitem__, which gives a sample")


class IterableDataset(Dataset[T], Iterable[T]):
    """Samples one after the other: subclasses define `__iter__`.

    Each worker of a DataLoader calls it once in every pass; `get_worker_info` says there which share is its own.
    """

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__}: has no __iter__, which gives the samples")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Row i of every tensor as sample i.

    Args:
        tensors: each `[N, ...]`.
    Raises:
        ValueError: no tensors, or they differ in N.
    """

    def __init__(self, *tensors: Tensor) -> None:
        sizes = [tensor.shape[0] for tensor in tensors]
        if len(set(sizes)) != 1:
            raise ValueError(f"TensorDataset: expected tensors of one first extent, got {sizes or 'none'}")
        self.tensors = tensors

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])
