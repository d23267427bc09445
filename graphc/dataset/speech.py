"""Recordings of speech: `CMUArcticDataset`, `LibriTTSDataset`, `LJSpeechDataset`, `SpeechCommandsDataset`,
`YesNoDataset`.

Of each recording `waveform` float32 [channels, samples], from -1 to 1, and `sample_rate`, samples per second: int32, of
the first two uint32.
"""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block
from graphc.dataset.check import check_choice
from graphc.dataset.files import DataFileError, check_dir, lines_of, read_wav
from graphc.dataset.reading import Reading, ReadWhenAsked
from graphc.dataset.samplers import Shuffle
from graphc.dataset.tables import Sample

__all__ = ["CMUArcticDataset", "LJSpeechDataset", "LibriTTSDataset", "SpeechCommandsDataset", "YesNoDataset"]

_COLUMNS = ("waveform", "sample_rate")


def _recording(path: Path) -> Sample:
    waves, rate = read_wav(path)
    return waves, np.array(rate, np.int32)


class SpeechCommandsDataset(ReadWhenAsked):
    """Speech Commands, words of one second: `waveform`, `sample_rate`, `label` (the word), `speaker_id`,
    `utterance_number` int32.

    Args:
        dataset_dir: folder of one folder per word, of files `<speaker>_nohash_<number>.wav`, and of the lists
            `testing_list.txt` and `validation_list.txt`.
        usage: "train" (what is in neither list), "test", "valid", or "all" (as None).
        num_samples: the most samples of an epoch; None for all.
        num_parallel_workers: threads that read files.
        shuffle: random order or not; None for random.
        sampler: what chooses the samples, instead of `num_samples`, `shuffle` and shards.
        num_shards, shard_id: into how many parts the samples are divided, and which of them to read.
        cache: not available, leave it unset.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or a list, is missing.
        ValueError: another usage; a file of another name; no recordings.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "SpeechCommandsDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        check_choice(name, "usage", usage, ("train", "test", "valid", "all", None))
        folder = check_dir(name, dataset_dir)
        words = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("_"))  # no noise
        paths = [path for word in words for path in sorted(word.glob("*.wav"))]
        if usage in ("train", "test", "valid"):
            part_of = {file: part for part, name in _LISTS.items() for file in _list(folder / name)}
            paths = [path for path in paths if part_of.get(f"{path.parent.name}/{path.name}", "train") == usage]
        fields = [path.stem.split("_nohash_") for path in paths]
        for path, field in zip(paths, fields, strict=True):
            if len(field) != 2 or not field[1].isdecimal():
                raise DataFileError(f"{name}: {path} is not called <speaker>_nohash_<number>.wav")
        known: dict[str, Block] = {
            "label": np.array([path.parent.name for path in paths], np.str_),
            "speaker_id": np.array([field[0] for field in fields], np.str_),
            "utterance_number": np.array([int(field[1]) for field in fields], np.int32),
        }
        super().__init__(paths, _recording, _COLUMNS, known, how)


_LISTS = {"test": "testing_list.txt", "valid": "validation_list.txt"}


def _list(path: Path) -> set[str]:
    return set(path.read_text(encoding="utf-8").split())


class LJSpeechDataset(ReadWhenAsked):
    """LJ Speech, sentences read aloud: `waveform`, `sample_rate`, `transcription`, `normalized_transcription`.

    Args:
        dataset_dir: folder of `metadata.csv` and of the folder `wavs`.
        num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in
            `SpeechCommandsDataset`.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "LJSpeechDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        folder = check_dir(name, dataset_dir)
        path = folder / "metadata.csv"
        rows = [(number, line.split("|")) for number, line in lines_of(path)]
        for number, row in rows:
            if len(row) != 3:
                raise DataFileError(f"{path}:{number} has {len(row)} fields, expected a name and two texts")
        paths = [folder / "wavs" / f"{row[0]}.wav" for _, row in rows]
        known: dict[str, Block] = {
            column: np.array([row[place] for _, row in rows], np.str_)
            for place, column in ((1, "transcription"), (2, "normalized_transcription"))
        }
        super().__init__(paths, _recording, _COLUMNS, known, how)


class YesNoDataset(ReadWhenAsked):
    """YesNo, eight words in Hebrew: `waveform`, `sample_rate`, `label` int32 [8], 1 for yes and 0 for no.

    Args:
        dataset_dir: folder of files named by their words, `0_1_0_0_1_1_0_0.wav`.
        num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in
            `SpeechCommandsDataset`.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "YesNoDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        paths = sorted(check_dir(name, dataset_dir).glob("*.wav"))
        for path in paths:
            if not set(path.stem.split("_")) <= {"0", "1"} or len(path.stem.split("_")) != 8:
                raise DataFileError(f"{name}: {path} is not named by eight words, 0 or 1")
        labels = np.array([[int(word) for word in path.stem.split("_")] for path in paths], np.int32)
        super().__init__(paths, _recording, _COLUMNS, {"label": labels}, how)


def _unsigned(path: Path) -> Sample:
    waves, rate = read_wav(path)
    return waves, np.array(rate, np.uint32)


class CMUArcticDataset(ReadWhenAsked):
    """CMU Arctic, sentences read aloud: `waveform`, `sample_rate`, `transcript`, `utterance_id` (`a0001`).

    Args:
        dataset_dir: folder of `cmu_us_aew_arctic` and the like, each of a folder `wav` and the list
            `etc/txt.done.data`.
        name: the speaker; None is "aew".
        num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in
            `SpeechCommandsDataset`.
    Raises:
        NotADirectoryError, FileNotFoundError: the folder, or the list, is missing.
        DataFileError: a line of the list is not as it should be.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], name: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        where = "CMUArcticDataset"
        how = Reading.of(where, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        speaker = check_choice(where, "name", name, (*_SPEAKERS, None)) or _SPEAKERS[0]
        folder = check_dir(where, check_dir(where, dataset_dir) / f"cmu_us_{speaker}_arctic")
        path = folder / "etc" / "txt.done.data"
        lines = [line for _, line in lines_of(path) if line.strip()]
        found = [re.fullmatch(r'\s*\(\s*arctic_(\w+)\s+"(.*)"\s*\)\s*', line) for line in lines]
        rows = [match.groups() for match in found if match]
        if len(rows) < len(lines):
            number = found.index(None)
            raise DataFileError(f'{path}: expected ( arctic_a0001 "text" ), got {lines[number]!r}')
        known: dict[str, Block] = {
            "transcript": np.array([text for _, text in rows], np.str_),
            "utterance_id": np.array([key for key, _ in rows], np.str_),
        }
        super().__init__([folder / "wav" / f"arctic_{key}.wav" for key, _ in rows], _unsigned, _COLUMNS, known, how)


_SPEAKERS = (
    "aew", "ahw", "aup", "awb", "axb", "bdl", "clb", "eey", "fem", "gka", "jmk", "ksp", "ljm", "lnh", "rms", "rxr",
    "slp", "slt",
)  # fmt: skip


class LibriTTSDataset(ReadWhenAsked):
    """LibriTTS, books read aloud: `waveform`, `sample_rate`, `original_text`, `normalized_text`, `speaker_id` and
    `chapter_id` uint32, `utterance_id`.

    Args:
        dataset_dir: folder of `dev-clean` and the like, each of a folder per speaker, of a folder per chapter, of
            recordings and a list `<speaker>_<chapter>.trans.tsv`.
        usage: "dev-clean", "dev-other", "test-clean", "test-other", "train-clean-100", "train-clean-360",
            "train-other-500", or "all" (as None): those that are there.
        num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache: as in
            `SpeechCommandsDataset`.
    Raises:
        NotADirectoryError: the folder is missing.
        DataFileError: a line of a list is not as it should be. ValueError: another usage; no recordings.
    """

    def __init__(
        self, dataset_dir: str | os.PathLike[str], usage: str | None = None, num_samples: int | None = None,
        num_parallel_workers: int | None = None, shuffle: bool | Shuffle | None = None, sampler: Any = None,
        num_shards: int | None = None, shard_id: int | None = None, cache: None = None,
    ) -> None:  # fmt: skip
        name = "LibriTTSDataset"
        how = Reading.of(name, num_samples, num_parallel_workers, shuffle, sampler, num_shards, shard_id, cache)
        check_choice(name, "usage", usage, (*_PARTS, "all", None))
        folder = check_dir(name, dataset_dir)
        wanted = [part for part in _PARTS if (folder / part).is_dir()] if usage in ("all", None) else [usage]
        lists = [path for part in wanted for path in sorted(check_dir(name, folder / part).glob("*/*/*.trans.tsv"))]
        found = [(path.parent, row) for path in lists for row in _texts(path)]
        known: dict[str, Block] = {
            "original_text": np.array([row[1] for _, row in found], np.str_),
            "normalized_text": np.array([row[2] for _, row in found], np.str_),
            "speaker_id": np.array([int(row[0].split("_")[0]) for _, row in found], np.uint32),
            "chapter_id": np.array([int(row[0].split("_")[1]) for _, row in found], np.uint32),
            "utterance_id": np.array([row[0] for _, row in found], np.str_),
        }
        super().__init__([place / f"{row[0]}.wav" for place, row in found], _unsigned, _COLUMNS, known, how)


_PARTS = (
    "dev-clean", "dev-other", "test-clean", "test-other", "train-clean-100", "train-clean-360", "train-other-500",
)  # fmt: skip


def _texts(path: Path) -> list[list[str]]:
    """The fields of each line: a recording, its text, and its text as it is read."""
    rows = [(number, line.split("\t")) for number, line in lines_of(path) if line.strip()]
    for number, row in rows:
        if len(row) != 3 or not re.fullmatch(r"\d+_\d+_.*", row[0]):
            raise DataFileError(f"{path}:{number}: expected <speaker>_<chapter>_<number> and two texts, got {row}")
    return [row for _, row in rows]
