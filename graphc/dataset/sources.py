"""Where samples come from: arrays, Python objects, and files.

    NumpySlicesDataset({"data": x, "label": y}, shuffle=True)
    GeneratorDataset(source, ["data", "label"])
    MnistDataset("path", usage="train")

A source is a table, which gives the samples of any indices at once, and a sampler, which says what indices an epoch
reads.
"""

import inspect
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.blocks import Block, Workers, as_array, stack
from graphc.dataset.columns import names_list
from graphc.dataset.config import check_int
from graphc.dataset.core import _PORTION, Dataset, check_workers
from graphc.dataset.epochs import Epoch
from graphc.dataset.files import check_dir, cifar_files, read_cifar, read_mnist
from graphc.dataset.images import decode_image, import_pillow
from graphc.dataset.rng import single
from graphc.dataset.rows import Rows, SourceRows, StoredRows, Table
from graphc.dataset.samplers import Shuffle, select_sampler
from graphc.dataset.transforms import numpy_dtype

__all__ = [
    "Cifar10Dataset",
    "Cifar100Dataset",
    "FashionMnistDataset",
    "GeneratorDataset",
    "ImageFolderDataset",
    "MnistDataset",
    "NumpySlicesDataset",
    "embedded_fashion_mnist",
]


class TableDataset(Dataset):
    """A source whose samples can be read in any order.

    Args:
        table: the samples.
        columns: names of the table's columns.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: threads that read samples, where reading one takes work.
        shuffle: random order or not; None for random.
        sampler: what chooses the samples, instead of the other arguments.
        num_shards, shard_id: read this shard of so many.
    """

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        num_samples: int | None,
        num_parallel_workers: int | None,
        shuffle: bool | Shuffle | None,
        sampler: Any,
        num_shards: int | None,
        shard_id: int | None,
    ) -> None:
        super().__init__([], columns)
        self._table = table
        self._sampler = select_sampler(self._name, num_samples, sampler, shuffle, num_shards, shard_id)
        self._workers = check_workers(self._name, num_parallel_workers)

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        indices = self._sampler.indices(len(self._table), single(epoch.order), self._labels)
        for start in range(0, len(indices), _PORTION):
            yield SourceRows(self._table, indices[start : start + _PORTION], epoch.workers)

    def _count(self) -> int:
        return self._sampler.count(len(self._table), self._labels)

    def _labels(self, column: str) -> np.ndarray:
        """A whole column, for samplers that choose by label."""
        if column not in self._columns:
            raise ValueError(f"{self._name}: there is no column {column!r}, only {list(self._columns)}")
        block = self._table.take(np.arange(len(self._table)), Workers(1))[self._columns.index(column)]
        return np.asarray(block)


class ArrayTable:
    """Columns that are arrays."""

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self._arrays[0])

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]:
        return [np.take(array, indices, axis=0) for array in self._arrays]


class NumpySlicesDataset(TableDataset):
    """Samples that are slices of arrays along their first axis.

    Args:
        data: a dict from column name to array, a tuple of arrays (one per column), or one array or list (a single
            column).
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
        names: list[str] | None = None if column_names is None else names_list("NumpySlicesDataset", column_names)
        if isinstance(data, Mapping):
            names = names_list("NumpySlicesDataset", list(data)) if names is None else names
            data = tuple(data.values())
        columns = data if isinstance(data, tuple) else (data,)
        if not columns:
            raise ValueError("NumpySlicesDataset: data is empty")
        if names is None:
            names = [f"column_{i}" for i in range(len(columns))]
        if len(names) != len(columns):
            raise ValueError(f"NumpySlicesDataset: got {len(names)} column names {names} for {len(columns)} columns")
        arrays = [
            as_array(column, f"NumpySlicesDataset: column {name!r}")
            for column, name in zip(columns, names, strict=True)
        ]
        for array, name in zip(arrays, names, strict=True):
            if array.ndim == 0:
                raise TypeError(f"NumpySlicesDataset: column {name!r} is a single value, expected an array of samples")
            if len(array) != len(arrays[0]):
                lengths = ", ".join(f"{n} {len(a)}" for a, n in zip(arrays, names, strict=True))
                raise ValueError(f"NumpySlicesDataset: columns differ in length: {lengths}")
        super().__init__(
            ArrayTable(arrays), names, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id
        )


class _Converter:
    """Checks what a Python source gives and makes it a sample."""

    def __init__(self, columns: Sequence[str], column_types: Sequence[Any] | None) -> None:
        self._columns = columns
        self._types = None if column_types is None else [numpy_dtype(t) for t in column_types]
        if self._types is not None and len(self._types) != len(columns):
            raise ValueError(f"GeneratorDataset: got {len(self._types)} column_types for {len(columns)} columns")

    def __call__(self, sample: Any) -> tuple[np.ndarray, ...]:
        values = sample if isinstance(sample, (tuple, list)) else (sample,)
        if len(values) != len(self._columns):
            raise ValueError(
                f"GeneratorDataset: the source gave {len(values)} values, expected {len(self._columns)} for "
                f"columns {list(self._columns)}"
            )
        arrays = tuple(
            as_array(value, f"GeneratorDataset: column {name!r}")
            for value, name in zip(values, self._columns, strict=True)
        )
        for array, name, dtype in zip(arrays, self._columns, self._types or (), strict=False):
            if array.dtype != dtype:
                raise TypeError(
                    f"GeneratorDataset: column {name!r} has dtype {array.dtype}, but column_types says {dtype}"
                )
        return arrays


class ObjectTable:
    """Samples of a Python object with `__getitem__` and `__len__`."""

    def __init__(self, source: Any, convert: Callable[[Any], tuple[np.ndarray, ...]], workers: int) -> None:
        self._source = source
        self._convert = convert
        self._workers = workers

    def __len__(self) -> int:
        return len(self._source)

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]:
        def portion(part: slice) -> list[Block]:
            samples = [self._sample(i) for i in indices[part].tolist()]
            return [stack(column) for column in zip(*samples, strict=True)]

        return workers.map_parts(portion, len(indices), self._workers)

    def _sample(self, index: int) -> tuple[np.ndarray, ...]:
        try:
            return self._convert(self._source[index])
        except Exception as error:
            error.add_note(f"in GeneratorDataset, sample {index} of the source")
            raise


class GeneratorDataset(TableDataset):
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

    _makes_samples = True

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
        for key, value in {"schema": schema, "batch_sampler": batch_sampler, "collate_fn": collate_fn}.items():
            if value is not None:
                raise ValueError(f"GeneratorDataset: {key} is not available, leave it unset")
        if column_names is None:
            raise ValueError("GeneratorDataset: column_names is missing, expected a list of names")
        names = names_list("GeneratorDataset", column_names)
        self._convert = _Converter(names, column_types)
        self._any_order = hasattr(source, "__getitem__") and hasattr(source, "__len__")
        if not self._any_order:
            if not callable(source) and not isinstance(source, Iterable):
                raise TypeError(
                    f"GeneratorDataset: got source of type {type(source).__name__}, expected an object with "
                    "__getitem__ and __len__, an iterable, or a function that returns one"
                )
            needs = {"sampler": sampler, "num_shards": num_shards, "shuffle": shuffle or None}
            asked = [key for key, value in needs.items() if value is not None]
            if asked:
                raise ValueError(
                    f"GeneratorDataset: {', '.join(asked)} needs a source with __getitem__ and __len__, got "
                    f"{type(source).__name__}"
                )
            shuffle = False
        workers = check_workers("GeneratorDataset", num_parallel_workers)
        super().__init__(
            ObjectTable(source, self._convert, workers),
            names,
            num_samples,
            workers,
            shuffle,
            sampler,
            num_shards,
            shard_id,
        )
        self._source = source
        self._limit = (
            None if num_samples is None else check_int("GeneratorDataset: num_samples", num_samples, 0) or None
        )
        self._spent = False

    def _stream(self, epoch: Epoch) -> Iterator[Rows]:
        return super()._stream(epoch) if self._any_order else self._one_by_one()

    def _one_by_one(self) -> Iterator[Rows]:
        if inspect.isgenerator(self._source):
            if self._spent:
                raise RuntimeError(
                    "GeneratorDataset: the source is a generator, which serves one epoch and was read already; "
                    "the function that makes it"
                )
            self._spent = True
        samples = self._source if isinstance(self._source, Iterable) else self._source()
        for sample in itertools.islice(samples, self._limit):
            yield StoredRows([self._convert(sample)])

    def _count(self) -> int:
        if self._any_order:
            return super()._count()
        if inspect.isgenerator(self._source):  # counting would use it up
            raise TypeError("GeneratorDataset: the size of a generator is unknown; pass the function that makes it")
        if hasattr(self._source, "__len__"):
            return min(len(self._source), self._limit or len(self._source))
        return Dataset._count(self)


# Files


class _ImageFiles(TableDataset):
    """Common to datasets of images and labels in a few files, which are read when the dataset is made."""

    _columns_read: tuple[str, ...] = ("image", "label")
    _classes = 10

    def __init__(
        self,
        dataset_dir: str | os.PathLike[str],
        usage: str | None = None,
        num_samples: int | None = None,
        num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = None,
        sampler: Any = None,
        num_shards: int | None = None,
        shard_id: int | None = None,
        cache: None = None,
    ) -> None:
        if cache is not None:
            raise ValueError(f"{self._name}: cache is not available, leave it unset")
        if usage not in ("train", "test", "all", None):
            raise ValueError(f"{self._name}: got usage {usage!r}, expected 'train', 'test', 'all' or None")
        folder = check_dir(self._name, dataset_dir)
        parts = ["train", "test"] if usage in ("all", None) else [str(usage)]
        columns = [self._read(folder, part) for part in parts]
        for part in columns[1:]:
            if part[0].shape[1:] != columns[0][0].shape[1:]:
                raise ValueError(
                    f"{self._name}: train images are {columns[0][0].shape[1:]}, test images {part[0].shape[1:]}"
                )
        arrays = columns[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*columns, strict=True)]
        super().__init__(
            ArrayTable(arrays),
            self._columns_read,
            num_samples,
            num_parallel_workers,
            shuffle,
            sampler,
            num_shards,
            shard_id,
        )

    def _read(self, folder: Path, part: str) -> list[np.ndarray]:
        raise TypeError(f"{self._name}: make one of the datasets derived from it")

    def num_classes(self) -> int:
        return self._classes


class MnistDataset(_ImageFiles):
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

    def _read(self, folder: Path, part: str) -> list[np.ndarray]:
        return list(read_mnist(self._name, folder, part))


class FashionMnistDataset(MnistDataset):
    """Fashion-MNIST, in the files and columns of `MnistDataset`; `embedded_fashion_mnist()` is a folder of it."""


class Cifar10Dataset(_ImageFiles):
    """CIFAR-10 from its binary files: `image` uint8 [32, 32, 3] and `label` uint32.

    Args:
        dataset_dir: folder of `data_batch_1.bin` ... and `test_batch.bin`, or of the folder `cifar-10-batches-bin`
            that holds them.
        usage, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in `MnistDataset`.
    Raises:
        FileNotFoundError, NotADirectoryError: a file or the folder is missing.
        ValueError: a file does not consist of whole records, or a label is out of range.
    """

    _subfolder = "cifar-10-batches-bin"
    _files: ClassVar[dict[str, str]] = {"train": r"data_batch_\d+\.bin", "test": r"test_batch\.bin"}
    _label_classes: tuple[int, ...] = (10,)

    def _read(self, folder: Path, part: str) -> list[np.ndarray]:
        paths = cifar_files(self._name, folder, self._subfolder, part, self._files)
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

    _columns_read = ("image", "coarse_label", "fine_label")
    _classes = 100
    _subfolder = "cifar-100-binary"
    _files: ClassVar[dict[str, str]] = {"train": r"train\.bin", "test": r"test\.bin"}
    _label_classes = (20, 100)


class FileTable:
    """Images in files of their own, read when asked for."""

    def __init__(self, files: Sequence[Path], labels: np.ndarray, decode: bool, workers: int) -> None:
        self._files = files
        self._labels = labels
        self._decode = decode
        self._workers = workers

    def __len__(self) -> int:
        return len(self._files)

    def take(self, indices: np.ndarray, workers: Workers) -> list[Block]:
        def portion(part: slice) -> list[Block]:
            return [stack([self._image(self._files[i]) for i in indices[part].tolist()])]

        return [*workers.map_parts(portion, len(indices), self._workers), self._labels[indices]]

    def _image(self, path: Path) -> np.ndarray:
        data = np.fromfile(path, np.uint8)
        return decode_image(data, str(path)) if self._decode else data


class ImageFolderDataset(TableDataset):
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

    _makes_samples = True

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
        for key, value in {"cache": cache, "decrypt": decrypt}.items():
            if value is not None:
                raise ValueError(f"ImageFolderDataset: {key} is not available, leave it unset")
        if not isinstance(decode, bool):
            raise TypeError(f"ImageFolderDataset: got decode {decode!r}, expected a bool")
        if decode:
            import_pillow("ImageFolderDataset: decode")
        folder = check_dir("ImageFolderDataset", dataset_dir)
        endings = tuple(ending.lower() for ending in (extensions or (".jpg", ".jpeg", ".png", ".bmp")))
        self._class_indexing = self._classes(folder, class_indexing)
        files: list[Path] = []
        labels: list[int] = []
        for name, label in self._class_indexing.items():
            found = sorted(p for p in (folder / name).rglob("*") if p.is_file() and p.name.lower().endswith(endings))
            files += found
            labels += [label] * len(found)
        if not files:
            raise ValueError(f"ImageFolderDataset: the folders of {folder} hold no file ending in {' '.join(endings)}")
        workers = check_workers("ImageFolderDataset", num_parallel_workers)
        table = FileTable(files, np.array(labels, np.int32), decode, workers)
        super().__init__(table, ["image", "label"], num_samples, workers, shuffle, sampler, num_shards, shard_id)
        self._all_labels = np.array(labels, np.int32)

    @staticmethod
    def _classes(folder: Path, class_indexing: Mapping[str, int] | None) -> dict[str, int]:
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

    def _labels(self, column: str) -> np.ndarray:
        return self._all_labels if column == "label" else super()._labels(column)

    def num_classes(self) -> int:
        return len(self._class_indexing)

    def get_class_indexing(self) -> dict[str, int]:
        return dict(self._class_indexing)


def embedded_fashion_mnist() -> str:
    """The folder of the Fashion-MNIST excerpt that comes with graphc: 10,000 training and 2,000 test images, classes
    balanced.

        FashionMnistDataset(embedded_fashion_mnist(), usage="train")
    """
    return str(package_files("graphc.data") / "fashion_mnist_mini")
