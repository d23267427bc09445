"""Letters and digits in a few files: `EMnistDataset`, `QMnistDataset`, `SVHNDataset`, `SemeionDataset`,
`USPSDataset`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.check import check_choice
from graphc.dataset.files import IDX_LABELS, DataFileError, lines_of, read_idx_pair, words_of
from graphc.dataset.matlab import read_matlab
from graphc.dataset.reading import ReadAtOnce
from graphc.dataset.samplers import Shuffle

__all__ = ["EMnistDataset", "QMnistDataset", "SVHNDataset", "SemeionDataset", "USPSDataset"]

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


class USPSDataset(ReadAtOnce):
    """USPS, digits from envelopes: `image` uint8 [16, 16, 1] and `label` uint32, the digit (the files count from 1).

    Args:
        dataset_dir: folder of `usps` and `usps.t`, each line a label and 256 times a place and a number from -1 to 1.
        usage: "train", "test", or "all" (as None).
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: an upper bound for threads.
        shuffle: random order or not; None for random.
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        cache: not available, leave it unset.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a file, is missing.
        DataFileError: a line is not as it should be. ValueError: another usage.
    """

    _classes = 10

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            dataset_dir, usage, num_samples, num_parallel_workers, shuffle, None, num_shards, shard_id, cache
        )  # fmt: skip

    def _read(self, folder: Path, part: str) -> Sequence[np.ndarray]:
        path = folder / ("usps" if part == "train" else "usps.t")
        rows = [line.replace(":", " ").split() for _, line in lines_of(path, "ascii") if line.strip()]
        labels = _table(path, [row[:1] for row in rows], 1)[:, 0]
        places, values = (_table(path, [row[k::2] for row in rows], 256) for k in (1, 2))
        if (places != np.arange(1, 257)).any() or ((labels < 1) | (labels > 10)).any():
            raise DataFileError(f"{path}: expected labels from 1 to 10, and the places of each picture from 1 to 256")
        pixels = ((values + 1) / 2 * 255).astype(np.uint8)
        return pixels.reshape(-1, 16, 16, 1), (labels - 1).astype(np.uint32)


def _table(path: Path, rows: list[list[str]], count: int) -> np.ndarray:
    """The numbers in rows of so many words."""
    for number, row in enumerate(rows, 1):
        if len(row) != count:
            raise DataFileError(f"{path}: picture {number} has {len(row)} numbers, expected {count}")
    try:
        return np.array(rows, np.float64).reshape(-1, count)
    except ValueError as error:
        raise DataFileError(f"{path}: {error}") from error


class SemeionDataset(ReadAtOnce):
    """Semeion, written digits: `image` uint8 [16, 16], 0 or 1, and `label` uint32.

    Args:
        dataset_dir: folder of `semeion.data`, each line 256 pixels and ten numbers, 1 at the digit.
        num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in `MnistDataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or the file, is missing.
        DataFileError: a line is not as it should be.
    """

    _classes = 10
    _usages: ClassVar[Mapping[str, tuple[str, ...]]] = {"all": ("semeion.data",)}

    def __init__(
        self, dataset_dir: str | os.PathLike[str], num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            dataset_dir, None, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache
        )  # fmt: skip

    def _read(self, folder: Path, part: str) -> Sequence[np.ndarray]:
        path = folder / part
        table = _table(path, [row for _, row in words_of(path, "ascii")], 266)
        if (table[:, 256:].sum(1) != 1).any() or not np.isin(table, (0, 1)).all():
            raise DataFileError(f"{path}: expected 0 and 1 alone, and one digit for each picture")
        return table[:, :256].astype(np.uint8).reshape(-1, 16, 16), table[:, 256:].argmax(1).astype(np.uint32)


class SVHNDataset(ReadAtOnce):
    """SVHN, house numbers: `image` uint8 [32, 32, 3] and `label` uint32, the digit in the middle.

    Args:
        dataset_dir: folder of `train_32x32.mat`, `test_32x32.mat` and `extra_32x32.mat`.
        usage: "train", "test", "extra", or "all" (as None).
        num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id: as in `MnistDataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a file, is missing.
        DataFileError: a file is not as it should be. ValueError: another usage.
    """

    _classes = 10
    _usages: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **{part: (part,) for part in ("train", "test", "extra")}, "all": ("train", "test", "extra"),
    }  # fmt: skip

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int = 1, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(dataset_dir, usage, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id)

    def _read(self, folder: Path, part: str) -> Sequence[np.ndarray]:
        path = folder / f"{part}_32x32.mat"
        found = read_matlab(path)
        images, labels = found.get("X"), found.get("y")
        if images is None or labels is None or images.ndim != 4 or images.shape[3] != labels.size:
            raise DataFileError(f"{path}: expected pictures X [32, 32, 3, N] and N labels y")
        digits = labels.reshape(-1) % 10  # 10 stands for 0
        return np.ascontiguousarray(images.transpose(3, 0, 1, 2)), digits.astype(np.uint32)
