"""`graphc.dataset.dataloader`: batches of any object's samples, by the caller or by threads."""

from __future__ import annotations

import threading
import time
from collections import UserDict, namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Tensor
from graphc.dataset.dataloader import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
    default_convert,
    get_worker_info,
)


class Squares(Dataset[tuple[np.ndarray, int]]):
    def __init__(self, size: int) -> None:
        self.size = size

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.full((2,), index * index, np.float32), index

    def __len__(self) -> int:
        return self.size


class Count(IterableDataset[int]):
    def __init__(self, size: int) -> None:
        self.size = size

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        return iter(range(self.size) if info is None else range(info.id, self.size, info.num_workers))

    def __len__(self) -> int:
        return self.size


def labels(loader: Any) -> list[Any]:
    return [(batch[1] if isinstance(batch, list) else batch).asnumpy().tolist() for batch in loader]


def test_batches_of_numbered_samples() -> None:
    loader = DataLoader(Squares(5), batch_size=2)
    first, *_ = loader
    assert repr(first[0]) == repr(Tensor([[0.0, 0.0], [1.0, 1.0]])) and first[1].dtype is ms.int64
    assert labels(loader) == labels(loader) == [[0, 1], [2, 3], [4]] and len(loader) == 3
    whole = DataLoader(Squares(5), batch_size=2, drop_last=True)
    assert labels(whole) == [[0, 1], [2, 3]] and len(whole) == 2
    single = list(DataLoader(Squares(2), batch_size=None))
    assert single[1][0].shape == (2,) and single[1][1] == 1 and len(DataLoader(Squares(2), batch_size=None)) == 2
    assert labels(DataLoader(Squares(4), batch_sampler=[[3, 0], [1]])) == [[3, 0], [1]]
    assert labels(DataLoader(Squares(4), sampler=[3, 0, 1], batch_size=2)) == [[3, 0], [1]]
    sums = DataLoader(Squares(4), 2, collate_fn=lambda samples: sum(number for _, number in samples))
    assert list(sums) == [1, 5]


def test_shuffling_follows_the_seed() -> None:
    def passes() -> list[list[int]]:
        ms.set_seed(3)
        loader = DataLoader(Squares(20), batch_size=20, shuffle=True)
        return [labels(loader)[0] for _ in range(2)]

    one, other = passes()
    assert sorted(one) == list(range(20)) and one != other and passes() == [one, other]
    np.random.seed(0)
    first = np.random.random()
    np.random.seed(0)
    DataLoader(Squares(20), batch_size=4)  # which draws nothing
    assert np.random.random() == first
    own = np.random.default_rng(1)
    expected = np.random.default_rng(1).permutation(20).tolist()
    assert labels(DataLoader(Squares(20), 20, True, generator=own)) == [expected]


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_give_the_same_batches(workers: int) -> None:
    assert labels(DataLoader(Squares(11), 2, num_workers=workers)) == labels(DataLoader(Squares(11), 2))
    counted = DataLoader(Count(7), batch_size=2, num_workers=workers)
    assert sorted(number for batch in labels(counted) for number in batch) == list(range(7)) and len(counted) == 4
    assert labels(DataLoader(Count(5), 2)) == [[0, 1], [2, 3], [4]]
    assert labels(DataLoader(Count(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Count(3), None)) == [0, 1, 2]


def test_iterable_samples_of_workers_take_turns() -> None:
    assert labels(DataLoader(Count(7), batch_size=1, num_workers=2)) == [[0], [1], [2], [3], [4], [5], [6]]
    assert labels(DataLoader(Count(5), batch_size=2, num_workers=2)) == [[0, 2], [1, 3], [4]]


def test_workers_work_ahead_and_end() -> None:
    made: list[int] = []

    class Noted(Squares):
        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            made.append(index)
            return super().__getitem__(index)

    batches = iter(DataLoader(Noted(100), num_workers=2, prefetch_factor=3))
    next(batches)
    time.sleep(0.3)
    assert 6 <= len(made) <= 7  # six are asked for at first, one more for each that is taken
    batches.close()  # type: ignore[attr-defined]
    time.sleep(0.1)
    assert not [t for t in threading.enumerate() if t.name.startswith("graphc-dataloader")]


def test_workers_begin_once_if_they_live_on() -> None:
    begun: list[int] = []
    kept = DataLoader(Squares(3), num_workers=2, worker_init_fn=begun.append, persistent_workers=True)
    assert labels(kept) == labels(kept) == [[0], [1], [2]] and sorted(begun) == [0, 1]
    for _ in range(2):
        list(DataLoader(Squares(3), num_workers=1, worker_init_fn=begun.append))
    assert len(begun) == 4


def test_workers_say_who_they_are() -> None:
    class Who(Squares):
        def __getitem__(self, index: int) -> Any:
            info = get_worker_info()
            assert info is not None and info.dataset is self and info.num_workers == 2
            return [info.id, info.seed]

    found = [(int(number[0]), int(seed[0])) for number, seed in DataLoader(Who(4), num_workers=2)]
    assert [number for number, _ in found] == [0, 1, 0, 1] and found[1][1] == found[0][1] + 1
    assert get_worker_info() is None


def test_errors_of_workers_and_late_ones() -> None:
    class Broken(Squares):
        def __getitem__(self, index: int) -> Any:
            if index == 2:
                raise KeyError("no sample 2")
            return index

    with pytest.raises(KeyError, match="no sample 2"):
        list(DataLoader(Broken(4), num_workers=2))

    class Late(Squares):
        def __getitem__(self, index: int) -> Any:
            time.sleep(0.5 if index == 0 else 0.0)
            return index

    with pytest.raises(RuntimeError, match=r"no worker had a batch after 0.05 seconds"):
        list(DataLoader(Late(2), num_workers=1, timeout=0.05))
    unordered = [int(b) for b in DataLoader(Late(4), num_workers=2, in_order=False)]
    assert unordered == [1, 3, 0, 2]  # the worker that is late does 2 after 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size: got 0"),
        ({"batch_size": True}, TypeError, "batch_size"),
        ({"shuffle": 1}, TypeError, "shuffle"),
        ({"shuffle": True, "sampler": [0]}, ValueError, "shuffle cannot be given with a sampler"),
        ({"batch_sampler": [[0]], "batch_size": 4, "drop_last": True}, ValueError, "batch_size and drop_last cannot"),
        ({"num_workers": -1}, ValueError, "num_workers"),
        ({"prefetch_factor": 3}, ValueError, "prefetch_factor can only be given with num_workers above 0"),
        ({"persistent_workers": True}, ValueError, "persistent_workers can only"),
        ({"num_workers": 1, "prefetch_factor": 0}, ValueError, "prefetch_factor"),
        ({"timeout": -1}, ValueError, "timeout -1"),
        ({"timeout": "1"}, TypeError, "timeout"),
        ({"generator": 5}, TypeError, "numpy.random.Generator"),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DataLoader(Squares(4), **arguments)


def test_wrong_datasets() -> None:
    with pytest.raises(ValueError, match="shuffle cannot be given with an IterableDataset"):
        DataLoader(Count(3), shuffle=True)
    with pytest.raises(NotImplementedError, match="int has no __getitem__"):
        DataLoader(5)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match="__getitem__"):
        Dataset()[0]
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(IterableDataset())
    with pytest.raises(ValueError, match=r"one first extent, got \[2, 3\]"):
        TensorDataset(ms.ops.ones(2), ms.ops.ones(3))


def test_samplers() -> None:
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]] and len(BatchSampler(range(5), 2, True)) == 2
    more = list(RandomSampler("abc", num_samples=7))
    assert sorted(more[:3]) == sorted(more[3:6]) == [0, 1, 2] and len(RandomSampler("abc", num_samples=7)) == 7
    drawn = list(RandomSampler("abc", True, 50, np.random.default_rng(0)))
    assert set(drawn) == {0, 1, 2} and len(drawn) == 50
    assert list(RandomSampler("")) == []
    with pytest.raises(ValueError, match="num_samples"):
        RandomSampler("abc", num_samples=0)
    Sampler()


def test_shares_of_processes() -> None:
    def shares(**kwargs: Any) -> list[list[int]]:
        return [list(DistributedSampler(range(7), 3, rank, **kwargs)) for rank in range(3)]  # type: ignore[arg-type]

    assert shares(shuffle=False) == [[0, 3, 6], [1, 4, 0], [2, 5, 1]]
    assert shares(shuffle=False, drop_last=True) == [[0, 3], [1, 4], [2, 5]]
    mixed = shares(drop_last=True)
    assert len({number for share in mixed for number in share}) == 6 and mixed != shares(drop_last=True, seed=1)
    sampler = DistributedSampler(range(7))  # type: ignore[arg-type]  # the only process
    before = list(sampler)
    sampler.set_epoch(1)
    assert sorted(before) == list(range(7)) == sorted(sampler) and list(sampler) != before
    with pytest.raises(ValueError, match="rank"):
        DistributedSampler(range(7), 3, 3)  # type: ignore[arg-type]


def test_collating_keeps_structures() -> None:
    Pair = namedtuple("Pair", "a b")
    samples = [{"p": Pair(i, 0.5), "t": Tensor([i]), "s": "ab", "n": np.float32(i), "l": (i, b"x")} for i in range(2)]
    batch = default_collate(samples)
    assert batch["p"].a.asnumpy().tolist() == [0, 1] and batch["p"].b.dtype is ms.float64
    assert batch["t"].shape == (2, 1) and batch["s"] == ["ab", "ab"] and batch["n"].dtype is ms.float32
    assert isinstance(batch["l"], list) and batch["l"][1] == (b"x", b"x")
    assert isinstance(default_collate([UserDict(a=1)]), UserDict)
    with pytest.raises(RuntimeError, match=r"differ in length, \[1, 2\]"):
        default_collate([[1], [1, 2]])
    with pytest.raises(ValueError, match=r"differ in shape, \(2,\), \(3,\)"):
        default_collate([np.zeros(2), np.zeros(3)])
    with pytest.raises(TypeError, match="no function for NoneType"):
        default_collate([None])
    with pytest.raises(TypeError, match="make no Tensor"):
        default_collate([np.array(["a"])])


def test_converting_keeps_what_is_no_array() -> None:
    sample = default_convert({"a": np.arange(3), "b": (np.int32(1), "x", 2.0), "c": np.array(["t"])})
    assert isinstance(sample["a"], Tensor) and sample["b"][0].dtype is ms.int32 and sample["b"][1:] == ["x", 2.0]
    assert isinstance(sample["c"], np.ndarray)
    assert next(iter(DataLoader(TensorDataset(Tensor([1, 2]), Tensor([3, 4])), 2)))[1].asnumpy().tolist() == [3, 4]


def test_network_learns_from_it() -> None:
    ms.set_seed(0)
    net = ms.nn.Dense(2, 1)
    optimizer = ms.nn.SGD(net.trainable_params(), 0.1)
    grad_fn = ms.value_and_grad(lambda x, y: ((net(x) - y) ** 2).mean(), None, optimizer.parameters)
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    data = TensorDataset(Tensor(x), Tensor(x.sum(1, keepdims=True)))
    losses = []
    for _ in range(5):
        for batch, target in DataLoader(data, 16, shuffle=True, num_workers=2):
            loss, grads = grad_fn(batch, target)
            optimizer(grads)
            losses.append(float(loss))
    assert losses[-1] < 0.1 * losses[0]
