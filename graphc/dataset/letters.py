"""Handwriting in files like those of MNIST: `EMnistDataset`, `QMnistDataset`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.check import check_choice
from graphc.dataset.files import IDX_LABELS, read_idx_pair
from graphc.dataset.reading import ReadAtOnce
from graphc.dataset.samplers import Shuffle

__all__ = ["EMnistDataset", "QMnistDataset"]

_NAMES = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
_IDX_NUMBERS = 0xC02  # 32-bit integers of rank 2


class EMnistDataset(ReadAtOnce):
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
        self._name = check_choice("EMnistDataset", "name", name, _NAMES)
        super().__init__(
            dataset_dir, usage, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache
        )  # fmt: skip

    def _read(self, folder: Path, part: str) -> Sequence[np.ndarray]:
        return read_idx_pair(
            "EMnistDataset", [folder], f"emnist-{self._name}-{part}", "labels-idx1-ubyte", IDX_LABELS
        )


class QMnistDataset(ReadAtOnce):
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

    _usages: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **{part: (part,) for part in ("train", "test", "test10k", "test50k", "nist")}, "all": ("train", "test", "nist"),
    }  # fmt: skip
    _files: ClassVar[dict[str, tuple[str, slice]]] = {
        "train": ("qmnist-train", slice(None)), "test": ("qmnist-test", slice(None)),
        "test10k": ("qmnist-test", slice(10_000)), "test50k": ("qmnist-test", slice(10_000, None)),
        "nist": ("xnist", slice(None)),
    }  # fmt: skip
    """Of each part how the files' names begin, and which samples of them it is."""

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, compat: bool = True,
        num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None, sampler: Any = None, num_shards: int | None = None,
        shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        if not isinstance(compat, bool):
            raise TypeError(f"QMnistDataset: got compat {compat!r}, expected a bool")
        self._compat = compat
        super().__init__(
            dataset_dir, usage, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache
        )  # fmt: skip

    def _read(self, folder: Path, part: str) -> Sequence[np.ndarray]:
        stem, which = self._files[part]
        images, labels = read_idx_pair("QMnistDataset", [folder], stem, "labels-idx2-int", _IDX_NUMBERS)
        return images[which], labels[which, 0] if self._compat else labels[which]
