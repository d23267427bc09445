"""Handwriting in files like those of MNIST: `EMnistDataset`, `QMnistDataset`."""

import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.core import Dataset, check_unset, check_workers
from graphc.dataset.files import IDX_LABELS, check_dir, read_idx_pair
from graphc.dataset.samplers import Shuffle, select_sampler
from graphc.dataset.tables import ArrayTable, TableSource

__all__ = ["EMnistDataset", "QMnistDataset"]

_NAMES = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
_IDX_NUMBERS = 0xC02  # 32-bit integers of rank 2


def _source(
    name: str, parts: list[tuple[np.ndarray, np.ndarray]], num_samples: int | None,
    num_parallel_workers: int | None, shuffle: Any, sampler: Any, num_shards: int | None, shard_id: int | None,
) -> TableSource:  # fmt: skip
    """The samples of some parts, one after the other."""
    check_workers(name, num_parallel_workers)
    chooses = select_sampler(name, num_samples, sampler, shuffle, num_shards, shard_id)
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return TableSource(ArrayTable(columns), ["image", "label"], chooses)


class EMnistDataset(Dataset):
    """EMNIST, letters and digits: `image` uint8 [28, 28, 1], as the files have it, and `label` uint32.

    Args:
        dataset_dir: folder of `emnist-<name>-train-images-idx3-ubyte` and its siblings, each gzipped (`.gz`) or not.
        name: which division: "byclass", "bymerge", "balanced", "letters", "digits" or "mnist".
        usage, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in `MnistDataset`.
    Raises:
        FileNotFoundError, NotADirectoryError: a file or the folder is missing.
        ValueError: a file does not hold what its header says, or images and labels differ in number.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], name: str, usage: str | None = None,
        num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, sampler: Any = None, num_shards: int | None = None,
        shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        where = "EMnistDataset"
        check_unset(where, cache=cache)
        if name not in _NAMES:
            raise ValueError(f"{where}: got name {name!r}, expected one of {', '.join(_NAMES)}")
        if usage not in ("train", "test", "all", None):
            raise ValueError(f"{where}: got usage {usage!r}, expected 'train', 'test', 'all' or None")
        folder = check_dir(where, dataset_dir)
        parts = [
            read_idx_pair(where, [folder], f"emnist-{name}-{part}", "labels-idx1-ubyte", IDX_LABELS)
            for part in (("train", "test") if usage in ("all", None) else (usage,))
        ]
        super().__init__(
            _source(where, parts, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id)
        )


class QMnistDataset(Dataset):
    """QMNIST, the digits of MNIST with all that is known of them: `image` uint8 [28, 28, 1] and `label` uint32.

    Args:
        dataset_dir: folder of `qmnist-train-images-idx3-ubyte`, `qmnist-train-labels-idx2-int`, `qmnist-test-...` and
            `xnist-...`, each gzipped (`.gz`) or not.
        usage: "train", "test", the first 10,000 of it ("test10k") or the others ("test50k"), "nist", or "all" (as
            None).
        compat: the label is the digit; otherwise it is [8]: the digit and seven numbers about who wrote it.
        num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in `MnistDataset`.
    Raises:
        FileNotFoundError, NotADirectoryError: a file or the folder is missing.
        ValueError: a file does not hold what its header says, or images and labels differ in number.
    """

    _parts: ClassVar[dict[str, tuple[str, slice]]] = {
        "train": ("qmnist-train", slice(None)), "test": ("qmnist-test", slice(None)),
        "test10k": ("qmnist-test", slice(10_000)), "test50k": ("qmnist-test", slice(10_000, None)),
        "nist": ("xnist", slice(None)),
    }  # fmt: skip

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, compat: bool = True,
        num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, sampler: Any = None, num_shards: int | None = None,
        shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        where = "QMnistDataset"
        check_unset(where, cache=cache)
        if usage not in (*self._parts, "all", None):
            raise ValueError(f"{where}: got usage {usage!r}, expected {', '.join(self._parts)}, 'all' or None")
        if not isinstance(compat, bool):
            raise TypeError(f"{where}: got compat {compat!r}, expected a bool")
        folder = check_dir(where, dataset_dir)
        wanted = ("train", "test", "nist") if usage in ("all", None) else (usage,)
        parts = [self._read(folder, *self._parts[part], compat) for part in wanted]
        super().__init__(
            _source(where, parts, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id)
        )

    @staticmethod
    def _read(folder: Path, stem: str, which: slice, compat: bool) -> tuple[np.ndarray, np.ndarray]:
        images, labels = read_idx_pair("QMnistDataset", [folder], stem, "labels-idx2-int", _IDX_NUMBERS)
        return images[which], labels[which, 0] if compat else labels[which]
