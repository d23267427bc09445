"""Where samples come from: arrays, Python objects, and files.

    NumpySlicesDataset({"data": x, "label": y}, shuffle=True)
    GeneratorDataset(source, ["data", "label"])
    MnistDataset("path", usage="train")

Each is a `Dataset` whose pipeline is one step of `tables`; everything is checked when it is made.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.blocks import Block, as_array, stack
from graphc.dataset.check import check_int, check_unset
from graphc.dataset.columns import names_list
from graphc.dataset.config import check_workers
from graphc.dataset.core import Dataset
from graphc.dataset.files import check_dir, cifar_files, read_cifar, read_mnist
from graphc.dataset.reading import ReadAtOnce, Reading, ReadWhenAsked, image_reader
from graphc.dataset.samplers import Shuffle, select_sampler
from graphc.dataset.tables import ArrayTable, IterableSource, ObjectTable, SampleCheck, TableSource

__all__ = [
    "Cifar10Dataset", "Cifar100Dataset", "FashionMnistDataset", "GeneratorDataset", "ImageFolderDataset",
    "KMnistDataset", "MnistDataset", "NumpySlicesDataset", "PaddedDataset", "embedded_fashion_mnist",
]  # fmt: skip


class NumpySlicesDataset(Dataset):
    """Samples that are slices of arrays along their first axis.

    Args:
        data: a dict from column name to array, a tuple of arrays (one per column), or one array or list (a single
            column). The items of a list may differ in shape.
        column_names: names of the columns; None for a dict's keys, else `column_0`, `column_1`, ...
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: an upper bound for threads; slicing uses one.
        shuffle: random order or not; None for random.
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        num_shards: number of shards.
        shard_id: which shard to read.
    Raises:
        ValueError: the arrays differ in length, or the names do not fit.
        TypeError: something is not an array.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | tuple[Any, ...] | Sequence[Any] | np.ndarray,
        column_names: str | Sequence[str] | None = None,
        num_samples: int | None = None,
        num_parallel_workers: int | None = 1,
        shuffle: bool | Shuffle | None = None,
        sampler: Any = None,
        num_shards: int | None = None,
        shard_id: int | None = None,
    ) -> None:
        name = "NumpySlicesDataset"
        arrays = _columns_of(data, column_names)
        check_workers(name, num_parallel_workers)
        sampler = select_sampler(name, num_samples, sampler, shuffle, num_shards, shard_id)
        super().__init__(TableSource(ArrayTable(list(arrays.values())), list(arrays), sampler))


def _columns_of(data: Any, column_names: str | Sequence[str] | None) -> dict[str, Block]:
    """The named columns of what `NumpySlicesDataset` is given, all of one length."""
    where = "NumpySlicesDataset"
    names = None if column_names is None else names_list(where, column_names)
    if isinstance(data, Mapping):
        names = names_list(where, list(data)) if names is None else names
        data = tuple(data.values())
    columns = data if isinstance(data, tuple) else (data,)
    if names is None:
        names = [f"column_{i}" for i in range(len(columns))]
    if not columns or len(set(names)) != len(columns) or len(names) != len(columns):
        raise ValueError(f"{where}: got {len(columns)} columns and names {names}, expected a name of its own for each")
    arrays = {name: _as_column(given, f"{where}: column {name!r}") for name, given in zip(names, columns, strict=True)}
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and array.ndim == 0:
            raise TypeError(f"{where}: column {name!r} is a single value, expected an array of samples")
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise ValueError(f"{where}: columns differ in length: {lengths}")
    return arrays


def _as_column(column: Any, where: str) -> Block:
    """A column's samples: of a list whose items differ in shape, each by itself, all of one element type."""
    if not isinstance(column, (list, tuple)):
        return as_array(column, where)
    try:
        return as_array(column, where)
    except TypeError:
        rows = [as_array(row, where) for row in column]
    dtype = np.result_type(*rows)
    return stack([row.astype(dtype, copy=False) for row in rows])


class PaddedDataset(Dataset):
    """Samples that fill up another dataset, in their order: `dataset + PaddedDataset(samples)`.

    Args:
        padded_samples: dicts of arrays or numbers by column, all with the same columns.
    Raises:
        TypeError, ValueError: they are not that.
    """

    def __init__(self, padded_samples: Sequence[Mapping[str, Any]]) -> None:
        name = "PaddedDataset"
        if not isinstance(padded_samples, (list, tuple)) or not all(isinstance(s, Mapping) for s in padded_samples):
            raise TypeError(f"{name}: padded_samples must be a list of dicts, got {type(padded_samples).__name__}")
        if not padded_samples or any(s.keys() != padded_samples[0].keys() for s in padded_samples):
            raise ValueError(f"{name}: expected at least one sample, all with the same columns")
        columns = list(padded_samples[0])
        arrays = [_as_column([s[column] for s in padded_samples], f"{name}: column {column!r}") for column in columns]
        self.padded_samples = list(padded_samples)
        super().__init__(TableSource(ArrayTable(arrays), columns, select_sampler(name, None, None, False, None, None)))


class GeneratorDataset(Dataset):
    """Samples that a Python object gives.

    Args:
        source: an object with `__getitem__` and `__len__` (samples can be read in any order), an iterable, or a
            function that returns one (samples come in its order). A sample is a tuple with an array, number, string or
            Tensor per column, or just that if there is one column. Each epoch iterates anew.
        column_names: names of the columns.
        column_types: dtypes that the columns must have; None for no check.
        schema: not available, leave it unset; `column_types` checks types.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: threads that call `__getitem__`; an iterable is read by one.
        shuffle: random order or not; None for random if samples can be read in any order. An iterable cannot be
            shuffled here, but by `.shuffle(buffer_size)`.
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        num_shards: number of shards.
        shard_id: which shard to read.
        python_multiprocessing, max_rowsize: accepted as in MindSpore; work is shared by threads, which pass rows of
            any size.
        batch_sampler, collate_fn: not available, leave them unset; `.batch(n, per_batch_map=...)` batches.
    Raises:
        TypeError: the source is none of these.
        ValueError: an iterable together with what needs samples in any order.
    """

    def __init__(
        self,
        source: Any,
        column_names: str | Sequence[str] | None = None,
        column_types: Sequence[Any] | None = None,
        schema: None = None,
        num_samples: int | None = None,
        num_parallel_workers: int | None = 1,
        shuffle: bool | Shuffle | None = None,
        sampler: Any = None,
        num_shards: int | None = None,
        shard_id: int | None = None,
        python_multiprocessing: bool = True,
        max_rowsize: Any = None,
        batch_sampler: None = None,
        collate_fn: None = None,
    ) -> None:
        check_unset("GeneratorDataset", schema=schema, batch_sampler=batch_sampler, collate_fn=collate_fn)
        if column_names is None:
            raise ValueError("GeneratorDataset: column_names is missing, expected a list of names")
        names = names_list("GeneratorDataset", column_names)
        check = SampleCheck(names, column_types)
        workers = check_workers("GeneratorDataset", num_parallel_workers)
        if hasattr(source, "__getitem__") and hasattr(source, "__len__"):
            sampler = select_sampler("GeneratorDataset", num_samples, sampler, shuffle, num_shards, shard_id)
            super().__init__(TableSource(ObjectTable(source, check, workers), names, sampler))
            return
        if not callable(source) and not isinstance(source, Iterable):
            raise TypeError(
                f"GeneratorDataset: got source of type {type(source).__name__}, expected an object with __getitem__ "
                "and __len__, an iterable, or a function that returns one"
            )
        for key, value in {"sampler": sampler, "num_shards": num_shards, "shuffle": shuffle or None}.items():
            if value is not None:
                raise ValueError(
                    f"GeneratorDataset: {key} needs a source with __getitem__ and __len__, got {type(source).__name__}"
                )
        limit = None if num_samples is None else check_int("GeneratorDataset: num_samples", num_samples, 0) or None
        super().__init__(IterableSource(source, check, names, limit))


# Files


class MnistDataset(ReadAtOnce):
    """MNIST from its IDX files: `image` uint8 [28, 28, 1] and `label` uint32.

    Args:
        dataset_dir: folder of `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-...`, each gzipped (`.gz`)
            or not; or of folders `train` and `test` that hold them.
        usage: "train", "test", or "all" (as None).
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: an upper bound for threads; the files are read once, by one.
        shuffle: random order or not; None for random.
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        num_shards: number of shards.
        shard_id: which shard to read.
        cache: not available, leave it unset.
    Raises:
        FileNotFoundError, NotADirectoryError: a file or the folder is missing.
        ValueError: a file does not hold what its header says, or images and labels differ in number.
    """

    _classes = 10

    def _read(self, folder: Path, part: str) -> Sequence[np.ndarray]:
        return read_mnist(type(self).__name__, folder, part)


class FashionMnistDataset(MnistDataset):
    """Fashion-MNIST, in the files and columns of `MnistDataset`; `embedded_fashion_mnist()` is a folder of it."""


class KMnistDataset(MnistDataset):
    """Kuzushiji-MNIST, ten Japanese letters, in the files and columns of `MnistDataset`."""


class Cifar10Dataset(ReadAtOnce):
    """CIFAR-10 from its binary files: `image` uint8 [32, 32, 3] and `label` uint32.

    Args:
        dataset_dir: folder of `data_batch_1.bin` ... and `test_batch.bin`, or of the folder `cifar-10-batches-bin`
            that holds them.
        usage, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in `MnistDataset`.
    Raises:
        FileNotFoundError, NotADirectoryError: a file or the folder is missing.
        ValueError: a file does not consist of whole records, or a label is out of range.
    """

    _classes = 10
    _subfolder = "cifar-10-batches-bin"
    _files: ClassVar[dict[str, str]] = {"train": r"data_batch_\d+\.bin", "test": r"test_batch\.bin"}
    _label_classes: tuple[int, ...] = (10,)

    def _read(self, folder: Path, part: str) -> Sequence[np.ndarray]:
        paths = cifar_files(type(self).__name__, folder, self._subfolder, part, self._files)
        read = [read_cifar(path, self._label_classes) for path in paths]
        labels = [np.concatenate(kind) for kind in zip(*(labels for _, labels in read), strict=True)]
        return [np.concatenate([images for images, _ in read]), *labels]


class Cifar100Dataset(Cifar10Dataset):
    """CIFAR-100 from its binary files: `image` uint8 [32, 32, 3], `coarse_label` (20 classes) and `fine_label` (100)
    uint32.

    Args:
        dataset_dir: folder of `train.bin` and `test.bin`, or of the folder `cifar-100-binary` that holds them.
        usage, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in `MnistDataset`.
    """

    _columns = ("image", "coarse_label", "fine_label")
    _classes = 100
    _subfolder = "cifar-100-binary"
    _files: ClassVar[dict[str, str]] = {"train": r"train\.bin", "test": r"test\.bin"}
    _label_classes = (20, 100)


class ImageFolderDataset(ReadWhenAsked):
    """Image files in one folder per class: `image` and `label` int32.

    Args:
        dataset_dir: folder of one folder per class; files in folders below these count too.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: threads that read (and decode) files.
        shuffle: random order or not; None for random.
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        extensions: endings of the files to read; None for `.jpg`, `.jpeg`, `.png` and `.bmp`, in small or capital
            letters.
        class_indexing: dict from folder name to label; None for folders in sorted order from 0.
        decode: give images as uint8 [H, W, 3] (needs Pillow), else the bytes of the files as uint8 [n].
        num_shards: number of shards.
        shard_id: which shard to read.
        cache, decrypt: not available, leave them unset.
    Raises:
        ImportError: `decode` without Pillow.
        ValueError: there are no images, or `class_indexing` names no folder.
    """

    def __init__(
        self,
        dataset_dir: str | os.PathLike[str],
        num_samples: int | None = None,
        num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None,
        sampler: Any = None,
        extensions: Sequence[str] | None = None,
        class_indexing: Mapping[str, int] | None = None,
        decode: bool = False,
        num_shards: int | None = None,
        shard_id: int | None = None,
        cache: None = None,
        decrypt: None = None,
    ) -> None:
        where = "ImageFolderDataset"
        how = Reading.of(where, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        check_unset(where, decrypt=decrypt)
        image, folder = image_reader(where, decode), check_dir(where, dataset_dir)
        endings = tuple(ending.lower() for ending in (extensions or (".jpg", ".jpeg", ".png", ".bmp")))
        classes = self._labels(folder, class_indexing)
        found = [
            (path, label)
            for name, label in classes.items()
            for path in sorted((folder / name).rglob("*"))
            if path.is_file() and path.name.lower().endswith(endings)
        ]
        if not found:
            raise ValueError(f"{where}: the folders of {folder} hold no file ending in {' '.join(endings)}")
        labels = np.array([label for _, label in found], np.int32)
        super().__init__([path for path, _ in found], image, ["image"], {"label": labels}, how, len(classes), classes)

    @staticmethod
    def _labels(folder: Path, class_indexing: Mapping[str, int] | None) -> dict[str, int]:
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
        if class_indexing is None:
            return {name: label for label, name in enumerate(names)}
        for name in class_indexing:
            if name not in names:
                raise ValueError(f"ImageFolderDataset: class_indexing names {name!r}, but {folder} has only {names}")
        return {
            name: check_int(f"ImageFolderDataset: class_indexing of {name!r}", label, 0)
            for name, label in class_indexing.items()
        }


def embedded_fashion_mnist() -> str:
    """The folder of the Fashion-MNIST excerpt that comes with graphc: 10,000 training and 2,000 test images.

    Its classes are of equal size.

        FashionMnistDataset(embedded_fashion_mnist(), usage="train")
    """
    return str(package_files("graphc.data") / "fashion_mnist_mini")
