"""The progress bar of a terminal: epoch, steps, steps per second, loss.

It is drawn at most ten times a second, and the loss is read only when it is drawn, so that a step pays for looking at
the clock and nothing else.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from graphc.train.callbacks import Callback, RunContext, loss_of, step_in_epoch

__all__ = ["ProgressBar"]

SECONDS_BETWEEN = 0.1


class ProgressBar(Callback):
    """Draws a bar for each epoch of training; that of a finished epoch stays as a line of text.

    Args:
        console: a `rich` Console to draw on; by default that of the standard output.
    """

    prints_progress = True

    def __init__(self, console: Any = None) -> None:
        self._console = console
        self._bar: Any = None
        self._task: Any = None
        self._drawn = 0.0

    def __exit__(self, *error: Any) -> None:
        self._close()

    def on_train_epoch_begin(self, run_context: RunContext) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        cb_params = run_context.original_args()
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"), TextColumn("{task.fields[loss]}"), TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=self._console, auto_refresh=False)
        self._bar.start()
        name = f"Epoch {cb_params.cur_epoch_num}/{cb_params.epoch_num}"
        self._task = self._bar.add_task(name, total=cb_params.batch_num, speed="", loss="")
        self._began = self._drawn = time.monotonic()

    def on_train_step_end(self, run_context: RunContext) -> None:
        now = time.monotonic()
        if now - self._drawn >= SECONDS_BETWEEN:
            self._draw(run_context.original_args(), now)

    def on_train_epoch_end(self, run_context: RunContext) -> None:
        self._draw(run_context.original_args(), time.monotonic())
        self._close()

    def on_train_end(self, run_context: RunContext) -> None:
        self._close()

    def _draw(self, cb_params: Any, now: float) -> None:
        self._drawn = now
        steps, loss = step_in_epoch(cb_params), loss_of(cb_params.get("net_outputs"))
        metrics = cb_params.get("metrics") or {}
        found = {"loss": loss, **{f"eval {name}": value for name, value in metrics.items()}}
        text = ", ".join(f"{name} {value:.4f}" for name, value in found.items() if isinstance(value, float))
        speed = f"{steps / max(now - self._began, 1e-9):.1f} it/s"
        self._bar.update(self._task, completed=steps, speed=speed, loss=text, refresh=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def wanted() -> bool:
    """Whether the standard output is a terminal, where a bar can be drawn."""
    return sys.stdout is not None and sys.stdout.isatty()
