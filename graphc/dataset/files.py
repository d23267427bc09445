"""Readers of data files: IDX (MNIST and its kin), the binary form of CIFAR, WAV. Nothing is ever unpickled.

A file is believed only as far as it proves itself: the sizes its header promises must be the bytes that follow, no
more and no less.
"""

import glob
import gzip
import os
import re
import wave
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

__all__ = ["DataFileError"]

_PORTION = 1 << 20
IDX_IMAGES, IDX_LABELS = 0x803, 0x801  # unsigned bytes of rank 3 and of rank 1
_IDX_TYPES: dict[int, np.dtype[Any]] = {0x8: np.dtype(np.uint8), 0xC: np.dtype(">i4")}


class DataFileError(ValueError):
    """A data file that does not hold what it should."""


def check_dir(name: str, dataset_dir: str | os.PathLike[str]) -> Path:
    """The directory as a path.

    Raises:
        NotADirectoryError: it does not exist, or is something else.
    """
    if not isinstance(dataset_dir, (str, os.PathLike)):
        raise TypeError(f"{name}: got dataset_dir of type {type(dataset_dir).__name__}, expected a path")
    path = Path(dataset_dir)
    if not path.is_dir():
        raise NotADirectoryError(f"{name}: got dataset_dir {str(path)!r}, expected a directory that exists")
    return path


def find_files(name: str, given: str | Sequence[str]) -> list[str]:
    """The files that names and patterns (`data/*.txt`) stand for, those of a pattern in order.

    Raises:
        ValueError: one stands for none.
    """
    found: list[str] = []
    for pattern in [given] if isinstance(given, (str, os.PathLike)) else given:
        path = os.fspath(pattern)
        paths = [path] if os.path.isfile(path) else sorted(p for p in glob.glob(path) if os.path.isfile(p))
        if not paths:
            raise ValueError(f"{name}: there is no file {path!r}")
        found += paths
    if not found:
        raise ValueError(f"{name}: got no dataset_files")
    return found


def lines_of(path: str | os.PathLike[str], encoding: str = "utf-8") -> list[tuple[int, str]]:
    """The lines of a text that are not empty, and which they are, from 1.

    Line feeds end them, with a carriage return or not; `str.splitlines` would end them at form feeds and the like too.
    """
    return [(n, line) for n, line in enumerate(Path(path).read_text(encoding).split("\n"), 1) if line]


def words_of(path: Path, encoding: str = "utf-8") -> list[tuple[int, list[str]]]:
    """The words of each line of a text that has any, and which line it is, from 1."""
    return [(n, line.split()) for n, line in lines_of(path, encoding) if line.strip()]


def _read(file: BinaryIO, count: int) -> bytes:
    """Up to `count` bytes, never reserving more memory than there is data: the count may come from a lying header."""
    parts = []
    while count > 0 and (part := file.read(min(count, _PORTION))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_idx(path: Path, magic: int) -> np.ndarray:
    """An IDX file of unsigned bytes or 32-bit integers, gzipped or not.

    Format: a big-endian magic number whose last bytes are the type and the rank, one big-endian 32-bit size per axis,
    the values (Y. LeCun, C. Cortes, C. Burges: The MNIST database, "File formats").

    Args:
        path: the file.
        magic: the magic number expected.
    Returns:
        uint8 or int32 array of the shape in the header.
    Raises:
        DataFileError: the magic number, or the number of bytes, is not what it should be.
    """
    rank, dtype = magic & 0xFF, _IDX_TYPES[magic >> 8]
    with open(path, "rb") as start:
        zipped = start.read(2) == b"\x1f\x8b"
    try:
        with cast(BinaryIO, gzip.open(path, "rb") if zipped else open(path, "rb")) as file:
            header = _read(file, 4 + 4 * rank)
            got = int.from_bytes(header[:4], "big")
            if len(header) >= 4 and got != magic:
                raise DataFileError(
                    f"{path}: got magic number {got:#010x}, expected {magic:#010x} for IDX {dtype.name} of rank {rank}"
                )
            if len(header) < 4 + 4 * rank:
                raise DataFileError(f"{path}: got {len(header)} bytes, expected an IDX header of {4 + 4 * rank}")
            shape = tuple(int.from_bytes(header[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank))
            expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
            values = _read(file, expected + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataFileError(f"{path}: the gzip data is damaged or cut short ({error})") from error
    if len(values) != expected:
        more = f"{len(values)} bytes" if len(values) < expected else "more"
        raise DataFileError(f"{path}: the header says {list(shape)}, that is {expected} bytes, but there are {more}")
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    """A WAV file of whole numbers of 8 to 32 bits.

    Returns:
        float32 [channels, samples] from -1 to 1, and the samples of a second.
    Raises:
        DataFileError: the file is none, or damaged.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, count = file.getparams()[:4]
            data = file.readframes(count)
    except (wave.Error, EOFError) as error:
        raise DataFileError(f"{path}: not a WAV file that can be read ({error})") from error
    if len(data) != count * channels * width:
        raise DataFileError(f"{path}: the header says {count} samples, but there are {len(data)} bytes")
    if width == 1:
        whole = np.frombuffer(data, np.uint8).astype(np.int32) - 128  # as the format has it, without a sign
    else:
        padded = np.zeros((count * channels, 4), np.uint8)  # the upper bytes of 32
        padded[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
        whole = padded.view("<i4").ravel() >> 8 * (4 - width)
    waves = (whole / 2.0 ** (8 * width - 1)).astype(np.float32)
    return np.ascontiguousarray(waves.reshape(count, channels).T), rate


def find_file(name: str, folders: Iterable[Path], names: Iterable[str]) -> Path:
    """The first of these files that exists.

    Raises:
        FileNotFoundError: none does.
    """
    folders, names = list(folders), list(names)
    for folder in folders:
        for file in names:
            if (folder / file).is_file():
                return folder / file
    raise FileNotFoundError(
        f"{name}: there is no {' or '.join(names)} in {', '.join(str(folder) for folder in folders)}"
    )


def read_mnist(name: str, folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a part of an MNIST-like dataset.

    Args:
        name: the dataset, for errors.
        folder: where the four files are, or two folders `train` and `test` that hold two each.
        part: "train" or "test".
    Returns:
        uint8 [N, H, W, 1] and uint32 [N].
    """
    stem = {"train": "train", "test": "t10k"}[part]
    return read_idx_pair(name, [folder, folder / part], stem, "labels-idx1-ubyte", IDX_LABELS)


def read_idx_pair(
    name: str, folders: Sequence[Path], stem: str, labels: str, magic: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels in two IDX files.

    Args:
        name: the dataset, for errors.
        folders: where the files may be.
        stem: how the files' names begin.
        labels, magic: how the name of the labels' file goes on, and its magic number.
    Returns:
        uint8 [N, H, W, 1] and uint32 [N, ...].
    """
    files = []
    for kind in ("images-idx3-ubyte", labels):
        whole = f"{stem}-{kind}"
        files.append(find_file(name, folders, [whole, f"{whole}.gz", f"{stem}-{kind.replace('-idx', '.idx')}"]))
    images, marks = read_idx(files[0], IDX_IMAGES), read_idx(files[1], magic)
    if len(images) != len(marks):
        raise DataFileError(f"{files[0]} has {len(images)} images, but {files[1]} has {len(marks)} labels")
    return images[..., None], marks.astype(np.uint32)


def read_cifar(path: Path, label_classes: Sequence[int]) -> tuple[np.ndarray, list[np.ndarray]]:
    """A binary CIFAR file: per image one byte for each kind of label, then 32 x 32 red, green and blue bytes.

    Format: A. Krizhevsky, The CIFAR-10 dataset, "Binary version".

    Args:
        path: the file.
        label_classes: number of classes of each kind of label.
    Returns:
        uint8 [N, 32, 32, 3] and uint32 [N] for each kind of label.
    Raises:
        DataFileError: the file is not whole records, or a label is too large.
    """
    record = len(label_classes) + 3072
    size = path.stat().st_size
    if size == 0 or size % record:
        raise DataFileError(f"{path}: got {size} bytes, expected one or more records of {record} bytes")
    with open(path, "rb") as file:
        records = np.frombuffer(_read(file, size), np.uint8).reshape(-1, record)
    labels = [records[:, i].astype(np.uint32) for i in range(len(label_classes))]
    for kind, classes in zip(labels, label_classes, strict=True):
        if kind.max() >= classes:
            wrong = int(kind.argmax())
            raise DataFileError(f"{path}: record {wrong} has label {kind[wrong]}, expected 0 to {classes - 1}")
    images = records[:, len(label_classes) :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels


def cifar_files(name: str, folder: Path, subfolder: str, part: str, files: dict[str, str]) -> list[Path]:
    """The binary files of a part of CIFAR, in order.

    Args:
        name: the dataset, for errors.
        folder: where the files are, or the folder `subfolder` that holds them.
        part: "train" or "test".
        files: regular expression of the file names of each part.
    Raises:
        FileNotFoundError: there is none, or a number is missing.
    """
    for place in (folder, folder / subfolder):
        if not place.is_dir():
            continue
        found = sorted(path for path in place.iterdir() if re.fullmatch(files[part], path.name))
        numbers = [int(number) for path in found for number in re.findall(r"_(\d+)\.bin$", path.name)]
        missing = set(range(1, max(numbers, default=0) + 1)) - set(numbers)
        if missing:
            raise FileNotFoundError(
                f"{name}: {place} has {[path.name for path in found]}, number {min(missing)} is missing"
            )
        if found:
            return found
    expected = files[part].replace(r"\d+", "1").replace("\\", "")  # the first of them
    pickled = (
        " (the folder holds the pickled Python version; this reads the binary version)" if _pickled(folder) else ""
    )
    raise FileNotFoundError(f"{name}: there is no {expected} in {folder} or {folder / subfolder}{pickled}")


def _pickled(folder: Path) -> bool:
    places = [folder, *folder.glob("cifar-*-py")]
    return any((place / name).is_file() for place in places for name in ("data_batch_1", "test_batch", "train", "test"))
