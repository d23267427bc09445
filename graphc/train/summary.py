"""What training looked like, in files of events: `SummaryRecord`, and the callback that fills one, `SummaryCollector`.

    with SummaryRecord("runs") as record:
        record.add_value("scalar", "accuracy", Tensor(0.9))
        record.record(step=10)

    model.train(10, dataset, callbacks=[SummaryCollector("runs", collect_freq=100)])

Both also write what the network notes itself, by `ops.ScalarSummary` and its kin. Graphs, lineages and landscapes,
which MindSpore keeps too, are in formats of its own compiler: `graphc dump` shows a graph.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc import log
from graphc.arrays import of_numpy
from graphc.nn.cell import Cell
from graphc.ops.summary import taken
from graphc.tensor import Tensor
from graphc.train.callbacks import Callback, RunContext, loss_of
from graphc.train.check import whole
from graphc.train.events import EventFile, summary_event, value_of, version_event

__all__ = ["SummaryCollector", "SummaryRecord"]

KINDS = ("scalar", "image", "tensor", "histogram")


def _export_options(where: str, options: Mapping[str, Any] | None) -> bool:
    """Whether tensors are written as files of NumPy too."""
    if options is None:
        return False
    if not isinstance(options, Mapping):
        raise TypeError(f"{where}: export_options must be a dict, got {type(options).__name__}")
    if set(options) - {"tensor_format"} or options.get("tensor_format") not in (None, "npy"):
        raise ValueError(f"{where}: got export_options {dict(options)}, expected {{'tensor_format': 'npy' or None}}")
    return options.get("tensor_format") == "npy"


class SummaryRecord:
    """Writes values of steps to a file of events; there is one at a time.

    Args:
        log_dir: the directory, made if it is not there.
        file_prefix, file_suffix: how the file's name begins and ends.
        num_process: accepted: one thread writes.
        network: accepted: graphs are not among what is written.
        max_file_size: how many bytes the file may have; what comes later is left out, with a warning.
        raise_exception: whether values that cannot be written are an error, rather than a warning.
        export_options: `{"tensor_format": "npy"}` writes tensors as files of NumPy too, in a directory beside the file.
    Raises:
        TypeError, ValueError: arguments of another type, or options that are not known.
        RuntimeError: another record is open.
    """

    _open: SummaryRecord | None = None

    def __init__(
        self, log_dir: str | os.PathLike[str], file_prefix: str = "events", file_suffix: str = "_MS",
        num_process: int = 32, network: Cell | None = None, max_file_size: int | None = None,
        raise_exception: bool = False, export_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        if SummaryRecord._open is not None:
            raise RuntimeError(f"SummaryRecord: {SummaryRecord._open.log_dir} is still open; call its close() first")
        for name, value in (("file_prefix", file_prefix), ("file_suffix", file_suffix)):
            if not isinstance(value, str):
                raise TypeError(f"SummaryRecord: {name} must be a str, got {type(value).__name__}")
        if not isinstance(raise_exception, bool):
            raise TypeError(f"SummaryRecord: raise_exception must be a bool, got {type(raise_exception).__name__}")
        most = None if max_file_size is None else whole("SummaryRecord", "max_file_size", max_file_size, 1)
        self._exports = _export_options("SummaryRecord", export_options)
        self._raises = raise_exception
        seconds = int(time.time())
        name = f"{file_prefix}.out.events.summary.{seconds}.0.{platform.node()}{file_suffix}"
        self._path = Path(log_dir) / name
        self._export_dir = Path(log_dir) / f"export_{seconds}" / "tensor"
        self._file = EventFile(self._path, most)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._mode, self._closed = "train", False
        self._values: dict[tuple[str, str], np.ndarray] = {}
        self._file.write(version_event(time.time()))
        for _ in taken():
            pass  # what was noted before is not of this record
        SummaryRecord._open = self

    def __enter__(self) -> SummaryRecord:
        if self._closed:
            raise ValueError("SummaryRecord: it is closed")
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def log_dir(self) -> str:
        """The path of the file."""
        return str(self._path)

    def set_mode(self, mode: str) -> None:
        """Says whether what the network notes is written (`"train"`) or not (`"eval"`)."""
        if mode not in ("train", "eval"):
            raise ValueError(f"SummaryRecord.set_mode: got {mode!r}, expected 'train' or 'eval'")
        self._mode = mode

    def add_value(self, plugin: str, name: str, value: Any) -> None:
        """Keeps a value for the next `record`; of several with one name the last.

        Args:
            plugin: `scalar`, `image` [N, 1 or 3, H, W], `tensor` or `histogram`.
            name: what it is called.
            value: a Tensor.
        """
        if plugin not in KINDS:
            raise ValueError(f"SummaryRecord.add_value: got plugin {plugin!r}, expected one of {', '.join(KINDS)}")
        if not name or not isinstance(name, str):
            raise ValueError(f"SummaryRecord.add_value: name must be a str that is not empty, got {name!r}")
        if not isinstance(value, Tensor):
            raise TypeError(f"SummaryRecord.add_value: value must be a Tensor, got {type(value).__name__}")
        self._values[plugin, name] = of_numpy(value.asnumpy())

    def record(self, step: int, train_network: Cell | None = None, plugin_filter: Any = None) -> bool:
        """Writes what was added, and what the network noted, since the last call.

        Args:
            step: the number of the step.
            train_network: accepted, as `network`.
            plugin_filter: a function that says of `scalar`, ... whether such values are written; None for all.
        Returns:
            Whether the record was open.
        """
        whole("SummaryRecord.record", "step", step)
        if self._closed:
            log.error("SummaryRecord.record: it is closed")
            return False
        noted = {(kind, tag): array for kind, tag, array in taken()}
        values = self._values | (noted if self._mode == "train" else {})
        self._values = {}
        if plugin_filter is not None:
            values = {key: array for key, array in values.items() if plugin_filter(key[0])}
        written = [self._value(*key, array) for key, array in values.items()]
        found = [value for value in written if value is not None]
        if found and not self._file.write(summary_event(time.time(), step, found)):
            log.warning("SummaryRecord: step %d is not written, %s would exceed max_file_size", step, self._path)
        if self._exports:
            self._export(step, values)
        return True

    def _value(self, kind: str, tag: str, array: np.ndarray) -> bytes | None:
        try:
            return value_of(kind, tag, array)
        except ValueError as error:
            if self._raises:
                raise
            log.warning("%s; it is not written", error)
            return None

    def _export(self, step: int, values: Mapping[tuple[str, str], np.ndarray]) -> None:
        for (kind, tag), array in values.items():
            if kind == "tensor":
                self._export_dir.mkdir(parents=True, exist_ok=True)
                name = re.sub(r"[^\w.-]", "_", tag)
                np.save(self._export_dir / f"{name}_{step}.npy", array)

    def flush(self) -> None:
        """Sees to it that what was recorded is in the file."""
        self._file.flush()

    def close(self) -> None:
        """Ends the file; what is recorded later is lost."""
        if not self._closed:
            self._file.close()
            self._closed = True
            SummaryRecord._open = None


_COLLECTED = {
    "collect_metric": True, "collect_graph": True, "collect_train_lineage": True, "collect_eval_lineage": True,
    "collect_input_data": True, "collect_dataset_graph": True, "histogram_regular": None, "collect_landscape": None,
}  # fmt: skip
_FIRST_PARAMETERS = 5


class SummaryCollector(Callback):
    """Writes the loss, the images that come in, the distribution of parameters, and what the network notes.

    Args:
        summary_dir: the directory of the file, as of `SummaryRecord`.
        collect_freq: every so many steps (and the first one) are written.
        num_process: accepted: one thread writes.
        collect_specified_data: what is written, by name: `collect_metric` (the loss), `collect_input_data` (the first
            column, if it is images [N, 1 or 3, H, W]), and `histogram_regular`, a pattern of the names of parameters
            (None for the first five). `collect_graph`, `collect_dataset_graph`, `collect_train_lineage`,
            `collect_eval_lineage` and `collect_landscape` are accepted: they are no part of the file.
        keep_default_action: whether what is not specified is written as by default, or not at all.
        custom_lineage_data: accepted, as lineages.
        collect_tensor_freq: every so many steps tensors are written; None for `collect_freq`, 20 times at most.
        max_file_size, export_options: as of `SummaryRecord`.
    Raises:
        TypeError, ValueError: arguments of another type or out of range, or names that are not known.
    """

    def __init__(
        self, summary_dir: str | os.PathLike[str], collect_freq: int = 10, num_process: int = 32,
        collect_specified_data: Mapping[str, Any] | None = None, keep_default_action: bool = True,
        custom_lineage_data: Mapping[str, Any] | None = None, collect_tensor_freq: int | None = None,
        max_file_size: int | None = None, export_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self._frequency = whole(name, "collect_freq", collect_freq, 1)
        self._tensor_frequency = collect_tensor_freq
        if collect_tensor_freq is not None:
            whole(name, "collect_tensor_freq", collect_tensor_freq, 1)
        if max_file_size is not None:
            whole(name, "max_file_size", max_file_size, 1)
        _export_options(name, export_options)
        self._wanted = _specified(name, collect_specified_data, keep_default_action)
        self._summary_dir = summary_dir
        self._options: dict[str, Any] = {"max_file_size": max_file_size, "export_options": export_options}
        self._record: Any = None
        self._first = True

    def __enter__(self) -> SummaryCollector:
        self._record, self._first = SummaryRecord(self._summary_dir, **self._options), True
        return self

    def __exit__(self, *error: Any) -> None:
        self._record.close()

    def begin(self, run_context: RunContext) -> None:
        self._record.set_mode(run_context.original_args().mode)

    def step_end(self, run_context: RunContext) -> None:
        """Writes, if it is the turn of the step."""
        run = run_context.original_args()
        if run.mode != "train":
            return
        values = self._first or run.cur_step_num % self._frequency == 0
        tensors = self._first or run.cur_step_num % self._tensor_turns(run) == 0
        self._first = False
        if values:
            self._collect(run)
        if values or tensors:
            turn = {**dict.fromkeys(KINDS, values), "tensor": tensors}
            self._record.record(run.cur_step_num, plugin_filter=turn.get)

    def _tensor_turns(self, run: Any) -> int:
        if self._tensor_frequency is not None:
            return self._tensor_frequency
        return max(self._frequency, int(run.epoch_num * run.batch_num) // 20)

    def _collect(self, run: Any) -> None:
        loss = loss_of(run.net_outputs) if self._wanted.get("collect_metric") else None
        if loss is not None:
            self._record.add_value("scalar", "loss/auto", Tensor(loss))
        columns = run.get("train_dataset_element") if self._wanted.get("collect_input_data") else None
        first = columns[0] if isinstance(columns, (tuple, list)) and columns else columns
        if isinstance(first, Tensor) and first.ndim == 4 and first.shape[1] in (1, 3):
            self._record.add_value("image", "input_data/auto", first)
        if "histogram_regular" in self._wanted and run.get("optimizer") is not None:
            parameters, pattern = run.optimizer.parameters, self._wanted["histogram_regular"]
            chosen = parameters[:_FIRST_PARAMETERS] if pattern is None else [
                p for p in parameters if re.match(pattern, p.name)
            ]  # fmt: skip
            for parameter in chosen:
                self._record.add_value("histogram", f"{parameter.name}/auto", parameter)

    def epoch_end(self, run_context: RunContext) -> None:
        self._record.flush()


def _specified(where: str, given: Mapping[str, Any] | None, keep: bool) -> dict[str, Any]:
    """What is to be collected."""
    if not isinstance(keep, bool):
        raise TypeError(f"{where}: keep_default_action must be a bool, got {type(keep).__name__}")
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{where}: collect_specified_data must be a dict, got {type(given).__name__}")
    unknown = set(given or ()) - set(_COLLECTED)
    if unknown:
        raise ValueError(f"{where}: collect_specified_data has {sorted(unknown)}, known are {list(_COLLECTED)}")
    for name, value in (given or {}).items():
        if name == "histogram_regular":
            re.compile(value or "")
        elif name != "collect_landscape" and not isinstance(value, bool):
            raise TypeError(f"{where}: {name} must be a bool, got {type(value).__name__}")
    return {**(_COLLECTED if keep else {}), **(given or {})}
