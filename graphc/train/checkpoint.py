"""Saving checkpoints as training goes on: `ModelCheckpoint` and its `CheckpointConfig`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

from graphc.checkpoint_file import SUFFIXES
from graphc.nn.cell import Cell
from graphc.random import get_rng_state
from graphc.serialization import save_checkpoint
from graphc.tensor import Tensor
from graphc.train.callbacks import Callback, RunContext, step_in_epoch

__all__ = ["CheckpointConfig", "ModelCheckpoint"]

APPENDED: dict[str, Callable[[Any], Any]] = {
    "epoch_num": lambda cb_params: cb_params.cur_epoch_num,
    "step_num": lambda cb_params: cb_params.cur_step_num,
    "random_state": lambda cb_params: get_rng_state(),
}
"""What a checkpoint can hold besides Parameters: names for `append_info`, and their values at a point of a run."""


class CheckpointConfig:
    """When to save, how many files to keep, and what to save besides the Parameters.

    Args:
        save_checkpoint_steps: save every so many steps.
        save_checkpoint_seconds: save when so many seconds passed; only where `save_checkpoint_steps` is 0 or None.
        keep_checkpoint_max: how many files to keep; the oldest is removed.
        keep_checkpoint_per_n_minutes: keep one file of every so many minutes; only where `keep_checkpoint_max` is 0 or
            None. Where both are, the newest file is kept.
        saved_network: the Cell to save, instead of the network that is trained with its optimizer.
        append_info: a list of "epoch_num", "step_num", "random_state" (for `set_rng_state`, so that a resumed run
            draws the same numbers) and dicts of further names and values.
        exception_save: also save, as `..._breakpoint`, when training ends by an error or Ctrl-C.
        integrated_save, crc_check, format: as of `save_checkpoint`.
        async_save: as of `save_checkpoint`: accepted.
        enc_key, enc_mode, remove_redundancy: only at MindSpore's defaults.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def __init__(
        self, save_checkpoint_steps: int | None = 1, save_checkpoint_seconds: int | None = 0,
        keep_checkpoint_max: int | None = 5, keep_checkpoint_per_n_minutes: int | None = 0,
        integrated_save: bool = True, async_save: bool = False, saved_network: Any = None,
        append_info: list[Any] | None = None, enc_key: bytes | None = None, enc_mode: str = "AES-GCM",
        exception_save: bool = False, crc_check: bool = False, remove_redundancy: bool = False, format: str = "ckpt",
    ) -> None:
        counts = {
            "save_checkpoint_steps": save_checkpoint_steps, "save_checkpoint_seconds": save_checkpoint_seconds,
            "keep_checkpoint_max": keep_checkpoint_max, "keep_checkpoint_per_n_minutes": keep_checkpoint_per_n_minutes,
        }
        for name, value in counts.items():
            typed = value is None or (isinstance(value, int) and not isinstance(value, bool))
            if not typed or (value is not None and value < 0):
                error = ValueError if typed else TypeError
                raise error(f"CheckpointConfig: {name} must be an int >= 0 or None, got {value!r}")
        flags = {
            "integrated_save": integrated_save, "async_save": async_save, "exception_save": exception_save,
            "crc_check": crc_check,
        }
        for name, flag in flags.items():
            if not isinstance(flag, bool):
                raise TypeError(f"CheckpointConfig: {name} must be a bool, got {flag!r}")
        if not any(counts.values()):
            raise ValueError(f"CheckpointConfig: {', '.join(counts)} cannot all be 0 or None")
        if saved_network is not None and not isinstance(saved_network, Cell):
            raise TypeError(f"CheckpointConfig: saved_network must be a Cell, got {type(saved_network).__name__}")
        if remove_redundancy or enc_key is not None:
            raise ValueError("CheckpointConfig: enc_key and remove_redundancy are not supported")
        if format not in SUFFIXES:
            raise ValueError(f"CheckpointConfig: format must be one of {sorted(SUFFIXES)}, got {format!r}")
        self.save_checkpoint_steps = save_checkpoint_steps
        self.save_checkpoint_seconds = None if save_checkpoint_steps else save_checkpoint_seconds
        self.keep_checkpoint_max = keep_checkpoint_max
        self.keep_checkpoint_per_n_minutes = None if keep_checkpoint_max else keep_checkpoint_per_n_minutes
        if not keep_checkpoint_max and not keep_checkpoint_per_n_minutes:
            self.keep_checkpoint_max = 1
        self.integrated_save, self.saved_network, self.exception_save = integrated_save, saved_network, exception_save
        self.crc_check, self.format = crc_check, format
        self.append_dict = _appended(append_info)

    def get_checkpoint_policy(self) -> dict[str, Any]:
        """When it saves, and what it keeps."""
        return {
            "save_checkpoint_steps": self.save_checkpoint_steps,
            "save_checkpoint_seconds": self.save_checkpoint_seconds,
            "keep_checkpoint_max": self.keep_checkpoint_max,
            "keep_checkpoint_per_n_minutes": self.keep_checkpoint_per_n_minutes,
            "saved_network": self.saved_network,
        }


def _appended(append_info: list[Any] | None) -> dict[str, Any]:
    if append_info is None:
        return {}
    if not isinstance(append_info, list):
        raise TypeError(f"CheckpointConfig: append_info must be a list, got {type(append_info).__name__}")
    found: dict[str, Any] = {}
    for item in append_info:
        if isinstance(item, dict):
            for name, value in item.items():
                if not isinstance(name, str) or not isinstance(value, (int, float, bool, str, Tensor)):
                    raise TypeError(f"CheckpointConfig: append_info cannot hold {name!r}: {type(value).__name__}")
            found |= item
        elif isinstance(item, str) and item in APPENDED:
            found[item] = None  # known when it is saved
        else:
            raise ValueError(f"CheckpointConfig: append_info holds {', '.join(APPENDED)} and dicts, got {item!r}")
    return found


class ModelCheckpoint(Callback):
    """Saves the network and its optimizer as training goes on, as `<prefix>-<epoch>_<step in epoch>.ckpt`.

    Files of an earlier run stay: where the folder has some of this prefix, `<prefix>_1` is used, and so on. In
    GRAPH_MODE the text of the compiled training step is written beside them, as `<prefix>-graph.meta`.

    Args:
        prefix: start of the files' names, without "/"; or a function of the run's `cb_params` that returns the whole
            name without its suffix.
        directory: where they go (made if it is not there; by default the working directory); or a function of
            `cb_params` that returns it.
        config: when to save and what to keep.
    """

    def __init__(
        self, prefix: str | Callable[[Any], str] = "CKP", directory: str | Callable[[Any], str] | None = None,
        config: CheckpointConfig | None = None,
    ) -> None:
        if config is not None and not isinstance(config, CheckpointConfig):
            raise TypeError(f"ModelCheckpoint: config must be a CheckpointConfig, got {type(config).__name__}")
        self._config = config or CheckpointConfig()
        self._prefix_function = prefix if callable(prefix) else None
        self._directory_function = directory if callable(directory) else None
        self._prefix = "" if callable(prefix) else _checked_prefix(prefix)
        self._directory = os.getcwd() if directory is None or callable(directory) else _made(directory)
        if not callable(prefix) and not callable(directory):
            self._prefix = _unused_prefix(self._directory, self._prefix, SUFFIXES[self._config.format])
        self._files: list[str] = []
        self._saved_step = 0
        self._saved_at = self._kept_at = time.monotonic()
        self._graph_saved = False
        self._running: RunContext | None = None

    @property
    def latest_ckpt_file_name(self) -> str:
        """The path of the last file saved; empty before there is one."""
        return self._files[-1] if self._files else ""

    def __exit__(self, error: Any, *rest: Any) -> None:
        running, self._running = self._running, None
        if error is not None and running is not None and self._config.exception_save:
            self._save(running.original_args(), "_breakpoint")

    def begin(self, run_context: RunContext) -> None:
        self._running = run_context
        self._saved_step = run_context.original_args().cur_step_num
        self._saved_at = self._kept_at = time.monotonic()

    def step_end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        if not self._graph_saved:
            self._save_graph(cb_params)
        if self._is_due(cb_params.cur_step_num):
            self._save(cb_params)

    def end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        if cb_params.cur_step_num != self._saved_step:
            self._save(cb_params)

    def _is_due(self, step: int) -> bool:
        if self._config.save_checkpoint_steps:
            return step >= self._saved_step + self._config.save_checkpoint_steps
        if self._config.save_checkpoint_seconds:
            return time.monotonic() - self._saved_at > self._config.save_checkpoint_seconds
        return False

    def _save(self, cb_params: Any, ending: str = "") -> None:
        config = self._config
        self._saved_step, self._saved_at = cb_params.cur_step_num, time.monotonic()
        append = {name: APPENDED[name](cb_params) if v is None else v for name, v in config.append_dict.items()}
        network = config.saved_network if config.saved_network is not None else cb_params.train_network
        path = self._path(cb_params, ending)
        save_checkpoint(
            network, path, config.integrated_save, append_dict=append, crc_check=config.crc_check, format=config.format
        )
        if not ending:
            self._keep(path)

    def _path(self, cb_params: Any, ending: str) -> str:
        if self._directory_function is not None:
            self._directory = _made(self._directory_function(cb_params))
        if self._prefix_function is not None:
            name = _checked_prefix(self._prefix_function(cb_params))
        else:
            name = f"{self._prefix}-{cb_params.cur_epoch_num}_{step_in_epoch(cb_params)}"
        return os.path.join(self._directory, name + ending + SUFFIXES[self._config.format])

    def _keep(self, path: str) -> None:
        """Notes the new file, and removes those that are not to be kept."""
        earlier = [file for file in self._files if file != path]
        minutes = self._config.keep_checkpoint_per_n_minutes
        if minutes and earlier:
            if time.monotonic() - self._kept_at < minutes * 60:
                _remove(earlier.pop())
            else:
                self._kept_at = time.monotonic()
        if self._config.keep_checkpoint_max:
            while len(earlier) >= self._config.keep_checkpoint_max:
                _remove(earlier.pop(0))
        self._files = [*earlier, path]

    def _save_graph(self, cb_params: Any) -> None:
        self._graph_saved = True
        text = compiled_text(cb_params.train_network)
        if text and self._prefix:
            with open(os.path.join(self._directory, f"{self._prefix}-graph.meta"), "w", encoding="utf-8") as file:
                file.write(text)


def compiled_text(cell: Any) -> str:
    """The text of the graph that a Cell was compiled to; empty where it was not."""
    jitted = vars(cell).get("_jitted")
    entries = list(jitted.cache.values()) if jitted is not None else []
    return str(entries[0].traced.graph) if entries else ""


def _checked_prefix(prefix: Any) -> str:
    if not isinstance(prefix, str) or not prefix or "/" in prefix or os.sep in prefix:
        raise ValueError(f"ModelCheckpoint: prefix must be a file name without '/', got {prefix!r}")
    return prefix


def _made(directory: Any) -> str:
    if not isinstance(directory, (str, os.PathLike)):
        raise TypeError(f"ModelCheckpoint: directory must be a path, got {directory!r}")
    if not os.fspath(directory):
        raise ValueError(f"ModelCheckpoint: directory must be a path, got {directory!r}")
    path = os.path.abspath(directory)
    os.makedirs(path, exist_ok=True)
    return path


def _unused_prefix(directory: str, prefix: str, suffix: str) -> str:
    """`prefix`, or `prefix_1`, ... where the folder has files of an earlier run."""
    pattern = re.compile(rf"{re.escape(prefix)}(?:_(\d+))?-\d+_\d+{re.escape(suffix)}")
    used = [int(found[1] or 0) for name in os.listdir(directory) if (found := pattern.fullmatch(name))]
    return f"{prefix}_{max(used) + 1}" if used else prefix


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
