"""Leaving a run and coming back to it: `BackupAndRestore` and `OnRequestExit`."""

from __future__ import annotations

import json
import os
import signal
import threading
from types import FrameType
from typing import Any

from graphc.export import export
from graphc.nn import check
from graphc.serialization import load_checkpoint, save_checkpoint
from graphc.train.callbacks import Callback, RunContext

__all__ = ["BackupAndRestore", "OnRequestExit"]


class BackupAndRestore(Callback):
    """Saves the training network as training goes on, and begins from what a run that was cut short has left.

    Args:
        backup_dir: the folder of the file `backup.ckpt`; it is made if it is not there.
        save_freq: save after every so many epochs; "epoch" is 1.
        delete_checkpoint: remove the file when training has come to its end. After an error or Ctrl-C it stays.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def __init__(self, backup_dir: str, save_freq: int | str = "epoch", delete_checkpoint: bool = True) -> None:
        where = "BackupAndRestore"
        self.save_freq = 1 if save_freq == "epoch" else check.positive_int(where, "save_freq", save_freq)
        self.delete_checkpoint = check.boolean(where, "delete_checkpoint", delete_checkpoint)
        self.backup_file = os.path.join(_folder(where, "backup_dir", backup_dir), "backup.ckpt")

    def on_train_begin(self, run_context: RunContext) -> None:
        if os.path.exists(self.backup_file):
            load_checkpoint(self.backup_file, net=run_context.original_args().train_network)

    def on_train_epoch_end(self, run_context: RunContext) -> None:
        run = run_context.original_args()
        if run.cur_epoch_num % self.save_freq == 0:
            save_checkpoint(run.train_network, self.backup_file)

    def __exit__(self, *error: Any) -> None:
        if self.delete_checkpoint and error[0] is None and os.path.exists(self.backup_file):
            os.remove(self.backup_file)


class OnRequestExit(Callback):
    """Ends training or evaluation after the current step when the process gets a signal or a file asks for it.

    What it saves lies in `<directory>/rank_0`: `<file_name>_train.ckpt` and `.mindir`, or `_eval`. A later run with the
    same arguments begins from the checkpoint; one that evaluates takes that of training if there is no other.

    Args:
        save_ckpt: save the network's Parameters.
        save_mindir: export the network, for the batch at hand.
        file_name: how the files' names begin.
        directory: where they go; it is made if it is not there. None is the working directory.
        config_file: a JSON file, which ends the run as soon as it holds `{"GracefulExit": 1}`; None for none.
        sig: the signal. Its handler is set while the run lasts, and only in the main thread.
    Raises:
        TypeError, ValueError: an argument is not as described, or a signal that no program can catch.
    """

    def __init__(
        self, save_ckpt: bool = True, save_mindir: bool = True, file_name: str = "Net", directory: str | None = "./",
        config_file: str | None = None, sig: int = signal.SIGTERM,
    ) -> None:
        where = "OnRequestExit"
        self.save_ckpt = check.boolean(where, "save_ckpt", save_ckpt)
        self.save_mindir = check.boolean(where, "save_mindir", save_mindir)
        if not isinstance(file_name, str) or not file_name or os.path.basename(file_name) != file_name:
            raise ValueError(f"For '{where}', the 'file_name' must be a name without a folder, but got {file_name!r}.")
        if not isinstance(config_file, (str, os.PathLike, type(None))):
            raise TypeError(f"For '{where}', the 'config_file' must be a path or None, but got {config_file!r}.")
        if not check.is_int(sig) or sig in (signal.SIGKILL, signal.SIGSTOP):
            raise ValueError(f"For '{where}', the 'sig' must be a signal that can be caught, but got {sig!r}.")
        folder = _folder(where, "directory", os.path.join(os.getcwd() if directory is None else directory, "rank_0"))
        self._paths = {mode: os.path.join(folder, f"{file_name}_{mode}") for mode in ("train", "eval")}
        self.config_file, self.sig, self.exit = config_file, sig, False
        self._outer: Any = None

    def __enter__(self) -> OnRequestExit:
        self.exit = False
        if threading.current_thread() is threading.main_thread():
            self._outer = signal.signal(self.sig, self._note)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._outer is not None:
            signal.signal(self.sig, self._outer)
            self._outer = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.exit = True

    def on_train_begin(self, run_context: RunContext) -> None:
        self._restore(run_context.original_args().train_network, "train")

    def on_eval_begin(self, run_context: RunContext) -> None:
        self._restore(run_context.original_args().eval_network, "eval", "train")

    def _restore(self, network: Any, *modes: str) -> None:
        found = [path for path in (f"{self._paths[mode]}.ckpt" for mode in modes) if os.path.isfile(path)]
        if self.save_ckpt and found:
            load_checkpoint(found[0], net=network)

    def step_begin(self, run_context: RunContext) -> None:
        self.exit = self.exit or self._asked_by_file()

    def step_end(self, run_context: RunContext) -> None:
        if self.exit:
            run_context.request_stop()

    def _asked_by_file(self) -> bool:
        """Whether the file asks for the end; one that is not there, or half written, does not."""
        if self.config_file is None:
            return False
        try:
            with open(self.config_file, encoding="utf-8") as file:
                asked = json.load(file)
        except (OSError, ValueError):
            return False
        return isinstance(asked, dict) and asked.get("GracefulExit") == 1

    def on_train_end(self, run_context: RunContext) -> None:
        run = run_context.original_args()
        self._save("train", run.train_network, run.get("train_dataset_element"))

    def on_eval_end(self, run_context: RunContext) -> None:
        run = run_context.original_args()
        self._save("eval", run.eval_network, run.get("eval_dataset_element"))

    def _save(self, mode: str, network: Any, batch: Any) -> None:
        if not self.exit:
            return
        if self.save_ckpt:
            save_checkpoint(network, self._paths[mode])
        if self.save_mindir and batch is not None:
            export(network, *batch, file_name=self._paths[mode])


def _folder(where: str, name: str, path: Any) -> str:
    """The folder of that path, which is made if it is not there."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise TypeError(f"For '{where}', the '{name}' must be a path, but got {path!r}.")
    os.makedirs(path, exist_ok=True)
    return os.fspath(path)
