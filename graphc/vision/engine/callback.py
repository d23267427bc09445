"""MindVision's loss monitor."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.train.callbacks import Callback, RunContext, loss_of, step_in_epoch
from graphc.train.check import whole

__all__ = ["LossMonitor"]


class LossMonitor(Callback):
    """Prints, as training goes on, the loss of the step and the mean of the epoch so far, and sums up each epoch.

        Epoch:[  0/ 10], step:[ 1875/ 1875], loss:[0.189/1.176], time:2.254 ms, lr:0.01000
        Epoch time: 4286.163 ms, per step time: 2.286 ms, avg loss: 1.176

    Args:
        lr_init: the learning rate to print, or a sequence with that of each step; by default the optimizer's.
        per_print_times: print every so many steps.
    Raises:
        ValueError: (in a run) the loss is NaN or infinite.
    """

    prints_progress = True

    def __init__(self, lr_init: float | Sequence[float] | None = None, per_print_times: int = 1) -> None:
        self.lr_init, self.per_print_times = lr_init, whole("LossMonitor", "per_print_times", per_print_times, 1)
        self.last_print_time = 0
        self._sum, self._count = 0.0, 0

    def epoch_begin(self, run_context: RunContext) -> None:
        self._sum, self._count = 0.0, 0
        self.epoch_time = time.perf_counter()

    def step_begin(self, run_context: RunContext) -> None:
        self.step_time = time.perf_counter()

    def step_end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        step_ms = (time.perf_counter() - self.step_time) * 1000
        loss = loss_of(cb_params.net_outputs)
        if loss is None or not math.isfinite(loss):
            raise ValueError(
                f"LossMonitor: epoch {cb_params.cur_epoch_num}, step {step_in_epoch(cb_params)}: the loss is {loss}, "
                "training on would be of no use"
            )
        self._sum += loss
        self._count += 1
        if cb_params.cur_step_num <= self.last_print_time:  # another run than the last one
            self.last_print_time = 0
        if cb_params.cur_step_num - self.last_print_time >= self.per_print_times:
            self.last_print_time = cb_params.cur_step_num
            print(
                f"Epoch:[{cb_params.cur_epoch_num - 1:3d}/{cb_params.epoch_num:3d}], "
                f"step:[{step_in_epoch(cb_params):5d}/{cb_params.batch_num:5d}], "
                f"loss:[{loss:5.3f}/{self._sum / self._count:5.3f}], "
                f"time:{step_ms:5.3f} ms, lr:{self._learning_rate(cb_params):5.5f}",
                flush=True,
            )

    def epoch_end(self, run_context: RunContext) -> None:
        epoch_ms = (time.perf_counter() - self.epoch_time) * 1000
        steps = max(self._count, 1)
        print(
            f"Epoch time: {epoch_ms:5.3f} ms, per step time: {epoch_ms / steps:5.3f} ms, "
            f"avg loss: {self._sum / steps:5.3f}",
            flush=True,
        )

    def _learning_rate(self, cb_params: Any) -> float:
        if self.lr_init is None:
            rate = cb_params.optimizer.get_lr()
            return float(rate[0] if isinstance(rate, tuple) else rate)
        rates = np.ravel(np.asarray(self.lr_init))
        return float(rates[cb_params.cur_step_num - 1 if len(rates) > 1 else 0])
