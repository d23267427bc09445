"""Texts of well-known collections, in the files in which they are given out.

    AGNewsDataset("ag_news", usage="train")                      # columns index, title, description
    CoNLL2000Dataset("conll2000", usage="test", shuffle=False)   # columns word, pos_tag, chunk_tag

All are read when the dataset is made. Columns of strings, whose names are MindSpore's, unless a class says otherwise.
"""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.dataset.blocks import Block
from graphc.dataset.check import check_choice, check_unset
from graphc.dataset.config import check_workers
from graphc.dataset.core import Dataset
from graphc.dataset.files import DataFileError, check_dir, find_file, find_files, lines_of
from graphc.dataset.samplers import Shuffle, select_sampler
from graphc.dataset.tables import ArrayTable, TableSource

__all__ = [
    "AGNewsDataset", "AmazonReviewDataset", "CLUEDataset", "CoNLL2000Dataset", "DBpediaDataset", "EnWik9Dataset",
    "IMDBDataset", "Multi30kDataset", "PennTreebankDataset", "SQuADDataset", "SST2Dataset", "SogouNewsDataset",
    "UDPOSDataset", "WikiTextDataset", "YahooAnswersDataset", "YelpReviewDataset",
]  # fmt: skip

Samples = list[tuple[Any, ...]]
Parts = Mapping[str, tuple[str, ...]]


# How files are read: each reader gives the samples of one file


def _records(path: Path, columns: Sequence[str]) -> Samples:
    """The records of a file whose fields stand between commas, in quotes or not."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row]
    for number, row in rows:
        if len(row) != len(columns):
            raise DataFileError(f"{path}: record {number} has {len(row)} fields, expected {', '.join(columns)}")
    return [tuple(row) for _, row in rows]


def _lines(path: Path) -> Samples:
    """The lines that are not empty; spaces at their ends stay."""
    return [(line,) for _, line in lines_of(path)]


def _sentences(path: Path, columns: Sequence[str], separator: str | None) -> Samples:
    """Sentences of a word and its marks on each line, with empty lines between them: for each column the words."""
    found: Samples = []
    words: list[list[str]] = []
    for number, line in enumerate([*path.read_text(encoding="utf-8").split("\n"), ""], 1):
        if line.strip():
            words.append(line.split(separator))
            if len(words[-1]) != len(columns):
                raise DataFileError(f"{path}:{number} has {len(words[-1])} fields, expected {', '.join(columns)}")
        elif words:
            found.append(tuple(np.array(column, np.str_) for column in zip(*words, strict=True)))
            words = []
    return found


class _Corpus(Dataset):
    """Common to all: parts of a collection, each in a file of its own.

    Args:
        dataset_dir: the folder of the files.
        usage: which part; None and "all" (where it is allowed) for all of them, one after the other.
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: an upper bound for threads; the files are read once, by one.
        shuffle: random order (True, Shuffle.GLOBAL), of the parts (Shuffle.FILES), or none (False).
        num_shards, shard_id: into how many shards the samples are divided, and which of them to read.
        cache: not available, leave it unset.
    Raises:
        FileNotFoundError, NotADirectoryError: a file or the folder is missing.
        ValueError: another usage; a file is not as it should be.
    """

    _columns: tuple[str, ...] = ("text",)
    _files: ClassVar[Parts] = {}  # names that the file of each part may have
    _whole: tuple[str | None, ...] = ("all", None)  # usages that mean all parts

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = Shuffle.GLOBAL,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None, *, sampler: Any = None,
        num_classes: int | None = None,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        check_unset(name, cache=cache)
        check_choice(name, "usage", usage, (*self._files, *self._whole))
        check_workers(name, num_parallel_workers)
        folder = check_dir(name, dataset_dir)
        wanted = list(self._files) if usage in self._whole else [str(usage)]
        parts = [self._read(folder, part) for part in wanted]
        samples = [sample for part in parts for sample in part]
        sizes = [len(part) for part in parts]
        chooses = select_sampler(name, num_samples, sampler, shuffle, num_shards, shard_id, sizes)
        columns = self._columns_of(str(usage))
        blocks = [_block(column) for column in zip(*samples, strict=True)] or [np.array([], np.str_) for _ in columns]
        super().__init__(TableSource(ArrayTable(blocks), columns, chooses), num_classes)

    def _columns_of(self, usage: str) -> tuple[str, ...]:
        return self._columns

    def _path(self, folder: Path, part: str) -> Path:
        return find_file(type(self).__name__, [folder], self._files[part])

    def _read(self, folder: Path, part: str) -> Samples:
        """The samples of one part."""
        return _lines(self._path(folder, part))


def _block(column: Sequence[Any]) -> Block:
    """One column of samples: strings or numbers, or arrays that may differ in length."""
    return list(column) if isinstance(column[0], np.ndarray) else np.array(column)


class _ShuffleFirst(_Corpus):
    """Those whose arguments come in another order."""

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        shuffle: bool | Shuffle | None = Shuffle.GLOBAL, num_shards: int | None = None, shard_id: int | None = None,
        num_parallel_workers: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            dataset_dir, usage, num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache
        )  # fmt: skip


# Records

_TRAIN_AND_TEST: Parts = {"train": ("train.csv",), "test": ("test.csv",)}


class AGNewsDataset(_Corpus):
    """AG News, from `train.csv` and `test.csv`: `index` (the class, from 1), `title`, `description`.

    Args:
        dataset_dir: the folder of the files.
        usage: "train", "test", or "all" (as None).
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: an upper bound for threads; the files are read once, by one.
        shuffle: random order (True, Shuffle.GLOBAL), of the files (Shuffle.FILES), or none (False).
        num_shards, shard_id: into how many shards the samples are divided, and which of them to read.
        cache: not available, leave it unset.
    Raises:
        FileNotFoundError, NotADirectoryError: a file or the folder is missing.
        ValueError: another usage; a record has other fields.
    """

    _columns: tuple[str, ...] = ("index", "title", "description")
    _files: ClassVar[Parts] = _TRAIN_AND_TEST

    def _read(self, folder: Path, part: str) -> Samples:
        return _records(self._path(folder, part), self._columns)


class AmazonReviewDataset(AGNewsDataset):
    """Amazon reviews, polarity or full, as `AGNewsDataset`: `label`, `title`, `content`."""

    _columns: tuple[str, ...] = ("label", "title", "content")


class DBpediaDataset(AGNewsDataset):
    """DBpedia, as `AGNewsDataset`: `class`, `title`, `content`."""

    _columns: tuple[str, ...] = ("class", "title", "content")


class YahooAnswersDataset(AGNewsDataset):
    """Yahoo answers, as `AGNewsDataset`: `class`, `title`, `content`, `answer`."""

    _columns: tuple[str, ...] = ("class", "title", "content", "answer")


class SogouNewsDataset(_ShuffleFirst, AGNewsDataset):
    """Sogou News, as `AGNewsDataset`: `index`, `title`, `content`."""

    _columns: tuple[str, ...] = ("index", "title", "content")


class YelpReviewDataset(_ShuffleFirst, AGNewsDataset):
    """Yelp reviews, polarity or full, as `AGNewsDataset`: `label`, `text`."""

    _columns: tuple[str, ...] = ("label", "text")


class SST2Dataset(_Corpus):
    """The Stanford Sentiment Treebank in two classes: `sentence`, `label`; of the part "test" only `sentence`.

    Args:
        dataset_dir: the folder of `train.tsv`, `dev.tsv`, `test.tsv`.
        usage: "train" (as None), "dev" or "test".
        num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache: as in `AGNewsDataset`.
    """

    _columns: tuple[str, ...] = ("sentence", "label")
    _files: ClassVar[Parts] = {p: (f"{p}.tsv",) for p in ("train", "dev", "test")}
    _whole: tuple[str | None, ...] = ()

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = Shuffle.GLOBAL,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        usage = "train" if usage is None else usage
        super().__init__(
            dataset_dir, usage, num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache
        )  # fmt: skip

    def _columns_of(self, usage: str) -> tuple[str, ...]:
        return self._columns[:1] if usage == "test" else self._columns

    def _read(self, folder: Path, part: str) -> Samples:
        path, columns = self._path(folder, part), self._columns_of(part)
        head, *lines = path.read_text(encoding="utf-8").split("\n")
        names = head.split("\t")
        if not set(columns) <= set(names):
            raise DataFileError(f"{path}: the first line names {names}, expected {', '.join(columns)}")
        places = [names.index(column) for column in columns]
        fields = [(number, line.split("\t")) for number, line in enumerate(lines, 2) if line]
        for number, row in fields:
            if len(row) != len(names):
                raise DataFileError(f"{path}:{number} has {len(row)} fields, expected {', '.join(names)}")
        return [tuple(row[place] for place in places) for _, row in fields]


# Lines


class PennTreebankDataset(_Corpus):
    """The Penn Treebank, from `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`: `text`, a line.

    Args:
        dataset_dir: the folder of the files.
        usage: "train", "valid", "test", or "all" (as None).
        num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache: as in `AGNewsDataset`.
    """

    _files: ClassVar[Parts] = {p: (f"ptb.{p}.txt",) for p in ("train", "valid", "test")}


class WikiTextDataset(_Corpus):
    """WikiText-2 and WikiText-103, from `wiki.train.tokens` and its siblings, as `PennTreebankDataset`."""

    _files: ClassVar[Parts] = {p: (f"wiki.{p}.tokens",) for p in ("train", "valid", "test")}


class EnWik9Dataset(_Corpus):
    """The first 10^9 bytes of the English Wikipedia, from `enwik9`: `text`, a line, which may be empty.

    Args:
        dataset_dir: the folder of the file.
        num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache: as in `AGNewsDataset`.
    """

    _files: ClassVar[Parts] = {"all": ("enwik9",)}

    def __init__(
        self, dataset_dir: str | os.PathLike[str], num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = True,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            dataset_dir, "all", num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache
        )  # fmt: skip

    def _read(self, folder: Path, part: str) -> Samples:
        text = self._path(folder, part).read_text(encoding="utf-8")
        return [(line,) for line in text.removesuffix("\n").split("\n")]


class Multi30kDataset(_Corpus):
    """Descriptions of pictures in English and German: `text` and its `translation`.

    Args:
        dataset_dir: the folder of `training/train.en`, `validation/val.en`, `mmt16_task1_test/test.en` and of their
            siblings `.de`.
        usage: "train", "valid", "test", or "all" (as None).
        language_pair: the languages of the two columns; None for `["en", "de"]`.
        num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache: as in `AGNewsDataset`; None for
            `shuffle` is random order.
    Raises:
        FileNotFoundError, NotADirectoryError: a file or the folder is missing.
        ValueError: another usage or pair; the two files of a part differ in their number of lines.
    """

    _columns: tuple[str, ...] = ("text", "translation")
    _files: ClassVar[Parts] = {
        "train": ("training/train",), "valid": ("validation/val",),
        "test": ("mmt16_task1_test/test", "mmt16_task1_test/val"),
    }  # fmt: skip

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None,
        language_pair: Sequence[str] | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        pair = ("en", "de") if language_pair is None else tuple(language_pair)
        if sorted(pair) != ["de", "en"]:
            raise ValueError(f"Multi30kDataset: got language_pair {language_pair!r}, expected ['en', 'de'] or reverse")
        self._pair = pair
        super().__init__(
            dataset_dir, usage, num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache
        )  # fmt: skip

    def _read(self, folder: Path, part: str) -> Samples:
        names = self._files[part]
        paths = [find_file("Multi30kDataset", [folder], [f"{n}.{language}" for n in names]) for language in self._pair]
        first, second = map(_lines, paths)
        if len(first) != len(second):
            raise DataFileError(f"{paths[0]} has {len(first)} lines, but {paths[1]} has {len(second)}")
        return [(*x, *y) for x, y in zip(first, second, strict=True)]


class IMDBDataset(_Corpus):
    """Reviews of films: `text` and `label` int32, 0 for bad ones (`neg`) and 1 for good ones (`pos`).

    Args:
        dataset_dir: the folder of `train` and `test`, each of which has folders `pos` and `neg` of files.
        usage: "train", "test", or "all" (as None).
        num_samples, num_parallel_workers, num_shards, shard_id, cache: as in `AGNewsDataset`.
        shuffle: random order or not; None for random.
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
    """

    _columns: tuple[str, ...] = ("text", "label")
    _files: ClassVar[Parts] = {"train": (), "test": ()}

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            dataset_dir, usage, num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache,
            sampler=sampler, num_classes=2,
        )  # fmt: skip

    def _read(self, folder: Path, part: str) -> Samples:
        found: Samples = []
        for label, kind in ((1, "pos"), (0, "neg")):
            place = check_dir("IMDBDataset", folder / part / kind)
            paths = sorted(path for path in place.iterdir() if path.suffix == ".txt")
            found += [(path.read_text(encoding="utf-8"), np.int32(label)) for path in paths]
        return found


# Sentences of words with marks


class CoNLL2000Dataset(_ShuffleFirst):
    """Sentences in chunks, from `train.txt` and `test.txt`: `word`, `pos_tag`, `chunk_tag`, each [words of a sentence].

    Args:
        dataset_dir: the folder of the files.
        usage: "train", "test", or "all" (as None).
        num_samples, shuffle, num_shards, shard_id, num_parallel_workers, cache: as in `AGNewsDataset`.
    """

    _columns: tuple[str, ...] = ("word", "pos_tag", "chunk_tag")
    _files: ClassVar[Parts] = {"train": ("train.txt",), "test": ("test.txt",)}
    _separator: str | None = None

    def _read(self, folder: Path, part: str) -> Samples:
        return _sentences(self._path(folder, part), self._columns, self._separator)


class UDPOSDataset(CoNLL2000Dataset):
    """Parts of speech, from `en-ud-tag.v2.train.txt` and its siblings: `word`, `universal`, `stanford`, each
    [words of a sentence].

    Args:
        dataset_dir: the folder of the files.
        usage: "train", "valid", "test", or "all" (as None).
        num_samples, shuffle, num_shards, shard_id, num_parallel_workers, cache: as in `AGNewsDataset`.
    """

    _columns: tuple[str, ...] = ("word", "universal", "stanford")
    _files: ClassVar[Parts] = {
        part: (f"en-ud-tag.v2.{file}.txt",) for part, file in (("train", "train"), ("valid", "dev"), ("test", "test"))
    }  # fmt: skip
    _separator = "\t"


# Tasks of CLUE

_CLUE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "AFQMC": (("label", "sentence1", "sentence2"), ("id", "sentence1", "sentence2")),
    "TNEWS": (("keywords", "label", "label_desc", "sentence"), ("id", "keywords", "sentence")),
    "IFLYTEK": (("label", "label_des", "sentence"), ("id", "sentence")),
    "CMNLI": (("label", "sentence1", "sentence2"), ("id", "sentence1", "sentence2")),
    "WSC": (
        ("idx", "label", "span1_index", "span1_text", "span2_index", "span2_text", "text"),
        ("idx", "span1_index", "span1_text", "span2_index", "span2_text", "text"),
    ),
    "CSL": (("abst", "id", "keyword", "label"), ("abst", "id", "keyword")),
}  # fmt: skip
"""The columns of each task: of "train" and "eval", and of "test"."""


class CLUEDataset(Dataset):
    """Tasks of the Chinese Language Understanding Evaluation: a column for each field of the task, numbers uint32.

    Args:
        dataset_files: a file, a pattern of files, or a list of these, of one JSON object in each line; UTF-8.
        task: "AFQMC", "TNEWS", "IFLYTEK", "CMNLI", "WSC" or "CSL", of which `keyword` is [keywords].
        usage: "train", "eval", or "test", which has no labels.
        num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache: as in `TextFileDataset`.
    Raises:
        ValueError: another task or usage; a file is not there; a line lacks a field of the task.
    """

    def __init__(
        self, dataset_files: str | Sequence[str], task: str = "AFQMC", usage: str = "train",
        num_samples: int | None = None, num_parallel_workers: int | None = None,
        shuffle: bool | Shuffle | None = Shuffle.GLOBAL, num_shards: int | None = None, shard_id: int | None = None,
        cache: None = None,
    ) -> None:  # fmt: skip
        name = "CLUEDataset"
        check_unset(name, cache=cache)
        check_choice(name, "task", task, tuple(_CLUE))
        check_choice(name, "usage", usage, ("train", "eval", "test"))
        check_workers(name, num_parallel_workers)
        columns = _CLUE[task][usage == "test"]
        files = [_objects(Path(path), columns) for path in find_files(name, dataset_files)]
        sizes = [len(samples) for samples in files]
        chooses = select_sampler(name, num_samples, None, shuffle, num_shards, shard_id, sizes)
        samples = [sample for file in files for sample in file]
        if not samples:
            raise ValueError(f"{name}: there are no lines in {dataset_files!r}")
        blocks = [_block(column) for column in zip(*samples, strict=True)]
        super().__init__(TableSource(ArrayTable(blocks), columns, chooses))


def _objects(path: Path, columns: Sequence[str]) -> Samples:
    """For each line these fields of its JSON object, or of the object `target` in it."""
    found: Samples = []
    for number, line in lines_of(path):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            fields = {**fields, **fields.get("target", {})}
            found.append(tuple(_field(fields[column]) for column in columns))
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            why = f"{type(error).__name__}: {error}"
            raise DataFileError(f"{path}:{number}: not an object with {', '.join(columns)} ({why})") from error
    return found


def _field(value: Any) -> Any:
    """A number as uint32, a list as a vector, a string as it is."""
    if isinstance(value, list):
        return np.array(value, np.str_)
    return np.uint32(value) if isinstance(value, int) else str(value)


# Questions


class SQuADDataset(_Corpus):
    """Questions about texts: `context`, `question`, the answers `text` [answers] and where each begins in the context,
    `answer_start` uint32 [answers]; for one without an answer these are `[""]` and the greatest uint32.

    Args:
        dataset_dir: the folder of `train-v1.1.json` and `dev-v1.1.json`, or of those of version 2.0.
        usage: "train", "dev", or "all" (as None).
        num_samples, num_parallel_workers, shuffle, num_shards, shard_id, cache: as in `AGNewsDataset`.
    """

    _columns: tuple[str, ...] = ("context", "question", "text", "answer_start")
    _files: ClassVar[Parts] = {
        part: (f"{part}-v1.1.json", f"{part}-v2.0.json") for part in ("train", "dev")
    }

    def _read(self, folder: Path, part: str) -> Samples:
        path = self._path(folder, part)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            asked = [
                (paragraph["context"], question["question"], question["answers"])
                for article in content["data"] for paragraph in article["paragraphs"] for question in paragraph["qas"]
            ]  # fmt: skip
            return [(context, question, *_answers(answers)) for context, question, answers in asked]
        except (ValueError, LookupError, TypeError) as error:
            raise DataFileError(f"{path}: not as the files of SQuAD are ({type(error).__name__}: {error})") from error


def _answers(answers: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """The texts of answers, and where they begin."""
    if not answers:
        return np.array([""]), np.array([2**32 - 1], np.uint32)
    return np.array([a["text"] for a in answers]), np.array([a["answer_start"] for a in answers], np.uint32)
