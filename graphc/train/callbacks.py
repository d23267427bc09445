"""Callbacks: what `Model` does besides training: printing, timing, stopping, changing the learning rate.

    class PrintStep(Callback):
        def on_train_step_end(self, run_context):
            print(run_context.original_args().cur_step_num)

    model.train(10, dataset, callbacks=[PrintStep(), LossMonitor(100)])

A callback overrides the hooks it needs. Every hook gets a `RunContext`, whose `original_args()` holds what is known of
the run, by MindSpore's names: `cur_epoch_num`, `cur_step_num` (both from 1, the step over all epochs), `batch_num`,
`epoch_num`, `net_outputs`, `network`, `train_network`, `optimizer`, `loss_fn`, `train_dataset`, `eval_results`, ...
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import numpy as np

from graphc.parameter import Parameter
from graphc.place import warn
from graphc.tensor import Tensor
from graphc.train.check import number, whole

__all__ = [
    "Callback", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler", "LossMonitor",
    "ReduceLROnPlateau", "RunContext", "TimeMonitor",
]  # fmt: skip

Hook = Callable[["RunContext"], Any]

SMALLER_IS_BETTER = {
    "loss", "eval_loss", "mae", "mse", "perplexity", "hausdorff_distance", "mean_surface_distance",
    "root_mean_square_distance",
}  # fmt: skip


class CallbackParam(dict[str, Any]):
    """What is known of a run: a dict whose items are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"cb_params has no {name!r} at this point; it has {', '.join(sorted(self))}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class RunContext:
    """What hooks receive.

    Args:
        original_args: what is known of the run.
    """

    def __init__(self, original_args: dict[str, Any]) -> None:
        if not isinstance(original_args, dict):
            raise TypeError(f"RunContext: expected a dict, got {type(original_args).__name__}")
        self._original_args = original_args
        self._stop_requested = False

    def original_args(self) -> Any:
        """What is known of the run, as attributes and as a dict."""
        return self._original_args

    def request_stop(self) -> None:
        """Ends the run after the hooks of this step, or of this epoch."""
        self._stop_requested = True

    def get_stop_requested(self) -> bool:
        return self._stop_requested


class Callback:
    """The base of all callbacks, itself doing nothing.

    Hooks come in two styles. Those named `on_train_...` and `on_eval_...` are what a run calls. By default they call
    the six shorter ones (`begin`, `epoch_begin`, `step_begin`, `step_end`, `epoch_end`, `end`), so that overriding a
    short one acts in training and in `Model.eval`. In the evaluations within `Model.fit` only `on_eval_...` hooks that
    were overridden are called. A callback is also a context manager, entered and left with the run.
    """

    prints_progress = False  # whether it prints as training goes on, so that a progress bar would be in its way

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        """Called when the run is over, also by an error."""

    def begin(self, run_context: RunContext) -> None:
        """Before the first epoch."""

    def epoch_begin(self, run_context: RunContext) -> None:
        """Before each epoch."""

    def step_begin(self, run_context: RunContext) -> None:
        """Before each step."""

    def step_end(self, run_context: RunContext) -> None:
        """After each step."""

    def epoch_end(self, run_context: RunContext) -> None:
        """After each epoch."""

    def end(self, run_context: RunContext) -> None:
        """After the last epoch, or after Ctrl-C."""

    def on_train_begin(self, run_context: RunContext) -> None:
        self.begin(run_context)

    def on_train_epoch_begin(self, run_context: RunContext) -> None:
        self.epoch_begin(run_context)

    def on_train_step_begin(self, run_context: RunContext) -> None:
        self.step_begin(run_context)

    def on_train_step_end(self, run_context: RunContext) -> None:
        self.step_end(run_context)

    def on_train_epoch_end(self, run_context: RunContext) -> None:
        self.epoch_end(run_context)

    def on_train_end(self, run_context: RunContext) -> None:
        self.end(run_context)

    def on_eval_begin(self, run_context: RunContext) -> None:
        self.begin(run_context)

    def on_eval_epoch_begin(self, run_context: RunContext) -> None:
        self.epoch_begin(run_context)

    def on_eval_step_begin(self, run_context: RunContext) -> None:
        self.step_begin(run_context)

    def on_eval_step_end(self, run_context: RunContext) -> None:
        self.step_end(run_context)

    def on_eval_epoch_end(self, run_context: RunContext) -> None:
        self.epoch_end(run_context)

    def on_eval_end(self, run_context: RunContext) -> None:
        self.end(run_context)


class CallbackList:
    """Several callbacks, entered together; `call` runs one hook of each in turn.

    Args:
        callbacks: a Callback, a list or tuple of them, or None.
    """

    def __init__(self, callbacks: Any) -> None:
        given = [] if callbacks is None else callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
        for callback in given:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks: expected a Callback or a list of them, got {type(callback).__name__}")
        self.callbacks: list[Callback] = list(given)
        self._stack = ExitStack()

    def __enter__(self) -> CallbackList:
        with ExitStack() as stack:  # leaves those entered so far, should one of them fail
            for place, callback in enumerate(self.callbacks):
                entered = stack.enter_context(callback)
                self.callbacks[place] = entered if isinstance(entered, Callback) else callback
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def call(self, hook: str, run_context: RunContext, only_own: bool = False) -> None:
        """Runs a hook.

        Args:
            hook: its name.
            run_context: what it gets.
            only_own: leave out callbacks that do not define this hook themselves.
        """
        for callback in self.callbacks:
            if not only_own or _defines(callback, hook):
                getattr(callback, hook)(run_context)


def _defines(callback: Callback, hook: str) -> bool:
    return hook in vars(callback) or getattr(type(callback), hook) is not getattr(Callback, hook)


def loss_of(net_outputs: Any) -> float | None:
    """The loss of a step: its outputs (or the first of several), averaged; None where they are no tensor."""
    first = net_outputs[0] if isinstance(net_outputs, (tuple, list)) and net_outputs else net_outputs
    if isinstance(first, (Tensor, np.ndarray)):
        values = first.numpy_view() if isinstance(first, Tensor) else first
        return float(values.item() if values.size == 1 else values.mean())
    return float(first) if isinstance(first, (int, float)) else None


_handle_loss = loss_of  # by this name callbacks of programs import it


def step_in_epoch(cb_params: Any) -> int:
    """The number of the current step within its epoch, from 1."""
    return int((cb_params.cur_step_num - 1) % cb_params.batch_num + 1)


# Printing


class LossMonitor(Callback):
    """Prints the loss: `epoch: 1 step: 1, loss is 0.9436424970626831`; after an evaluation of `Model.fit`, its result.

    Args:
        per_print_times: print every so many steps; 0 for never.
    Raises:
        ValueError: (in a run) the loss is NaN or infinite: training on would be of no use.
    """

    prints_progress = True

    def __init__(self, per_print_times: int = 1) -> None:
        self._per_print_times = whole("LossMonitor", "per_print_times", per_print_times, 0)
        self._last_print_time = 0

    def step_end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        epoch, loss = cb_params.get("cur_epoch_num", 1), loss_of(cb_params.net_outputs)
        if loss is not None and not math.isfinite(loss):
            raise ValueError(
                f"In epoch: {epoch} step: {step_in_epoch(cb_params)}, loss is NAN or INF, training process cannot "
                "continue, terminating training."
            )
        if cb_params.cur_step_num <= self._last_print_time:  # another run than the last one
            self._last_print_time = 0
        if self._per_print_times and cb_params.cur_step_num - self._last_print_time >= self._per_print_times:
            self._last_print_time = cb_params.cur_step_num
            print(f"epoch: {epoch} step: {step_in_epoch(cb_params)}, loss is {loss}", flush=True)

    def on_train_epoch_end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        if cb_params.get("metrics"):
            print(f"Eval result: epoch {cb_params.cur_epoch_num}, metrics: {cb_params.metrics}", flush=True)
        super().on_train_epoch_end(run_context)


class TimeMonitor(Callback):
    """Prints after each epoch `Train epoch time: 643.270 ms, per step time: 160.818 ms` (of an evaluation, `Eval ...`).

    Args:
        data_size: steps of an epoch, where the run does not know them.
        data_time: also print the time per step that passed between steps, in which data were fetched.
    """

    def __init__(self, data_size: int | None = None, data_time: bool = False) -> None:
        if data_size is not None and whole("TimeMonitor", "data_size", data_size, 0) == 0:
            raise ValueError("TimeMonitor: data_size must be at least 1, got 0")
        if not isinstance(data_time, bool):
            raise TypeError(f"TimeMonitor: data_time must be a bool, got {data_time!r}")
        self.data_size, self.data_time = data_size, data_time
        self._between = 0.0
        self._epoch_began = self._step_ended = time.perf_counter()
        self._outer = self._epoch_began, self._between

    def epoch_begin(self, run_context: RunContext) -> None:
        self._between = 0.0
        self._epoch_began = self._step_ended = time.perf_counter()

    def step_begin(self, run_context: RunContext) -> None:
        self._between += time.perf_counter() - self._step_ended

    def step_end(self, run_context: RunContext) -> None:
        self._step_ended = time.perf_counter()

    def epoch_end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        epoch_ms = (time.perf_counter() - self._epoch_began) * 1000
        steps = cb_params.get("batch_num") or self.data_size
        if not steps:
            raise ValueError("TimeMonitor: the run does not know its number of steps; give data_size")
        line = f"{cb_params.mode.title()} epoch time: {epoch_ms:5.3f} ms, per step time: {epoch_ms / steps:5.3f} ms"
        if self.data_time:
            line += f" (data time: {self._between * 1000 / steps:5.3f} ms)"
        print(line, flush=True)

    # Within Model.fit too, where the time of an evaluation is no time of the training epoch around it

    def on_eval_epoch_begin(self, run_context: RunContext) -> None:
        self._outer = self._epoch_began, self._between
        self.epoch_begin(run_context)

    def on_eval_epoch_end(self, run_context: RunContext) -> None:
        self.epoch_end(run_context)
        outer_began, self._between = self._outer
        self._epoch_began = outer_began + time.perf_counter() - self._epoch_began


class History(Callback):
    """Keeps, for each epoch, its last loss and what an evaluation found.

    Attributes:
        epoch: `{"epoch": [1, 2, ...]}`.
        history: `{"net_output": [losses], name of metric: [values], ...}`.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: dict[str, list[int]] = {"epoch": []}

    def begin(self, run_context: RunContext) -> None:
        self.epoch = {"epoch": []}

    def epoch_end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        self.epoch["epoch"].append(cb_params.get("cur_epoch_num", 1))
        found = {"net_output": loss_of(cb_params.get("net_outputs")), **(cb_params.get("metrics") or {})}
        for name, value in found.items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """A callback of functions: each argument is a hook's name and takes a function of a RunContext.

    Raises:
        TypeError: one of them cannot be called.
    """

    def __init__(
        self, on_train_epoch_begin: Hook | None = None, on_train_epoch_end: Hook | None = None,
        on_train_step_begin: Hook | None = None, on_train_step_end: Hook | None = None,
        on_train_begin: Hook | None = None, on_train_end: Hook | None = None,
        on_eval_epoch_begin: Hook | None = None, on_eval_epoch_end: Hook | None = None,
        on_eval_step_begin: Hook | None = None, on_eval_step_end: Hook | None = None,
        on_eval_begin: Hook | None = None, on_eval_end: Hook | None = None,
    ) -> None:
        given = {name: hook for name, hook in locals().items() if name.startswith("on_") and hook is not None}
        for name, hook in given.items():
            if not callable(hook):
                raise TypeError(f"LambdaCallback: {name} must be a function, got {hook!r}")
        vars(self).update(given)


# Changing how training goes on


class LearningRateScheduler(Callback):
    """Sets the learning rate after each step.

    Args:
        learning_rate_function: takes the learning rate and the number of the step, returns the new learning rate.
    """

    def __init__(self, learning_rate_function: Callable[[float, int], float]) -> None:
        if not callable(learning_rate_function):
            raise TypeError(f"LearningRateScheduler: expected a function, got {learning_rate_function!r}")
        self.learning_rate_function = learning_rate_function

    def step_end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        rate = _learning_rate(self, cb_params)
        lr = _shortest(rate)
        new_lr = self.learning_rate_function(lr, cb_params.cur_step_num)
        if not math.isclose(lr, new_lr, rel_tol=1e-10):
            rate.set_data(Tensor(new_lr, rate.dtype))


class _Watch(Callback):
    """Watches one number at the end of each epoch: a metric's value, `eval_loss`, or the step's `loss`."""

    def __init__(self, monitor: str, min_delta: float, patience: int, verbose: bool, mode: str) -> None:
        where = type(self).__name__
        if not isinstance(monitor, str):
            raise TypeError(f"{where}: monitor must be a str, got {monitor!r}")
        if mode not in ("auto", "min", "max"):
            error = ValueError if isinstance(mode, str) else TypeError
            raise error(f"{where}: mode must be 'auto', 'min' or 'max', got {mode!r}")
        if not isinstance(verbose, bool):
            raise TypeError(f"{where}: verbose must be a bool, got {verbose!r}")
        self.monitor, self.verbose, self.mode = monitor, verbose, mode
        self.min_delta = abs(number(where, "min_delta", min_delta))
        self.patience = whole(where, "patience", patience, 0)
        self._minimize = mode == "min" or (mode == "auto" and monitor in SMALLER_IS_BETTER)
        self._forget()

    def _forget(self) -> None:
        self.best = math.inf if self._minimize else -math.inf
        self.wait = 0

    def is_improvement(self, value: float, reference: float) -> bool:
        """Whether `value` is better than `reference` by more than `min_delta`."""
        return value < reference - self.min_delta if self._minimize else value > reference + self.min_delta

    def on_train_begin(self, run_context: RunContext) -> None:
        self._forget()
        super().on_train_begin(run_context)

    def _value(self, cb_params: Any) -> float | None:
        results = cb_params.get("eval_results") or {}
        value = loss_of(cb_params.get("net_outputs")) if self.monitor == "loss" else results.get(self.monitor)
        if value is None:
            known = ", ".join(sorted({"loss", *results}))
            warn(f"{type(self).__name__}: there is no {self.monitor!r} to watch, only {known}")
        elif np.ndim(value):
            raise ValueError(f"{type(self).__name__}: {self.monitor!r} must be a number, got shape {np.shape(value)}")
        return None if value is None else float(value)


class EarlyStopping(_Watch):
    """Stops training when a number stops getting better.

    Args:
        monitor: "loss" (of the last step), and in `Model.fit` "eval_loss" or the name of a metric.
        min_delta: by how much a value must be better to count as better.
        patience: after how many epochs without a better value to stop.
        verbose: whether to print what it does.
        mode: "min", "max", or "auto": "min" for losses and errors, "max" for the others.
        baseline: a value that must be beaten too, for the patience to start anew.
        restore_best_weights: when stopping, put back the Parameters of the best epoch.
    Attributes:
        stopped_epoch: the epoch after which it stopped; 0 if it did not.
    """

    def __init__(
        self, monitor: str = "eval_loss", min_delta: float = 0, patience: int = 0, verbose: bool = False,
        mode: str = "auto", baseline: float | None = None, restore_best_weights: bool = False,
    ) -> None:
        super().__init__(monitor, min_delta, patience, verbose, mode)
        if not isinstance(restore_best_weights, bool):
            raise TypeError(f"EarlyStopping: restore_best_weights must be a bool, got {restore_best_weights!r}")
        self.baseline = None if baseline is None else number("EarlyStopping", "baseline", baseline)
        self.restore_best_weights = restore_best_weights
        self.stopped_epoch = 0
        self._best_weights: list[tuple[Parameter, np.ndarray]] = []

    def on_train_begin(self, run_context: RunContext) -> None:
        self.stopped_epoch, self._best_weights = 0, []
        super().on_train_begin(run_context)

    def on_train_epoch_end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        value = self._value(cb_params)
        if value is None:
            return
        self.wait += 1
        if self.is_improvement(value, self.best):
            self.best = value
            if self.restore_best_weights:
                self._best_weights = [(p, p.asnumpy()) for p in cb_params.train_network.get_parameters()]
            if self.baseline is None or self.is_improvement(value, self.baseline):
                self.wait = 0
        if self.wait >= self.patience:
            self.stopped_epoch = cb_params.cur_epoch_num
            run_context.request_stop()
            self._restore()

    def _restore(self) -> None:
        if self._best_weights and self.verbose:
            print("Restoring model weights from the end of the best epoch.")
        for parameter, value in self._best_weights:
            parameter.set_data(Tensor(value))

    def on_train_end(self, run_context: RunContext) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch:05d}: early stopping")


class ReduceLROnPlateau(_Watch):
    """Multiplies the learning rate by a factor when a number stops getting better.

    Args:
        monitor, min_delta, patience, verbose, mode: as of `EarlyStopping`.
        factor: between 0 and 1.
        cooldown: epochs after a reduction in which nothing is counted.
        min_lr: the learning rate does not go below this.
    """

    def __init__(
        self, monitor: str = "eval_loss", factor: float = 0.1, patience: int = 10, verbose: bool = False,
        mode: str = "auto", min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0,
    ) -> None:
        super().__init__(monitor, min_delta, patience, verbose, mode)
        if not 0.0 < number("ReduceLROnPlateau", "factor", factor) < 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be between 0 and 1, got {factor}")
        self.factor = factor
        self.cooldown = whole("ReduceLROnPlateau", "cooldown", cooldown, 0)
        self.min_lr = number("ReduceLROnPlateau", "min_lr", min_lr)
        self.cooldown_counter = 0

    def on_train_begin(self, run_context: RunContext) -> None:
        self.cooldown_counter = 0
        super().on_train_begin(run_context)

    def on_train_epoch_end(self, run_context: RunContext) -> None:
        cb_params = run_context.original_args()
        rate = _learning_rate(self, cb_params)
        value = self._value(cb_params)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_improvement(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter <= 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(rate, cb_params.cur_epoch_num)

    def _reduce(self, rate: Parameter, epoch: int) -> None:
        self.cooldown_counter, self.wait = self.cooldown, 0
        if float(rate.item()) <= self.min_lr:
            return
        rate.set_data(Tensor(max(_shortest(rate) * self.factor, self.min_lr), rate.dtype))
        if self.verbose:
            print(f"Epoch {epoch:05d}: ReduceLROnPlateau reducing learning rate to {_shortest(rate)}.")


def _learning_rate(callback: Callback, cb_params: Any) -> Parameter:
    """The optimizer's learning rate, which is a Parameter unless it follows a schedule or differs between groups."""
    rate = getattr(cb_params.get("optimizer"), "learning_rate", None)
    if not isinstance(rate, Parameter) or rate.size != 1:
        raise ValueError(
            f"{type(callback).__name__}: it sets the learning rate of an optimizer that was given one number, not a "
            "schedule, a list, or groups with rates of their own"
        )
    return rate


def _shortest(value: Tensor) -> float:
    """The number as its shortest decimal says it: 0.1, not 0.10000000149011612."""
    return float(str(value.numpy_view().reshape(())))


def loss_printers(callbacks: Iterable[Callback]) -> bool:
    """Whether one of the callbacks prints as training goes on."""
    return any(callback.prints_progress for callback in callbacks)
