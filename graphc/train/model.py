"""`Model`: trains, evaluates and runs a network, with the loop, the loss and the metrics taken care of.

    model = Model(net, loss_fn=nn.CrossEntropyLoss(), optimizer=nn.Adam(net.trainable_params()), metrics={"acc"})
    model.train(10, train_dataset, callbacks=[LossMonitor(100)])
    print(model.eval(test_dataset))    # {'acc': 0.87}

A training step is one Cell: forward, gradients and the optimizer's update. So in GRAPH_MODE it is one native function,
compiled for each shape of batch (a last batch that is smaller is one more), and in PYNATIVE_MODE it runs op by op.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc import context
from graphc.amp import mix_precision, train_step_cell
from graphc.nn.cell import Cell
from graphc.nn.check import is_int
from graphc.nn.wrap import TrainOneStepCell, WithEvalCell, WithLossCell
from graphc.tensor import Tensor, from_numpy
from graphc.train import progress
from graphc.train.callbacks import CallbackList, CallbackParam, RunContext, loss_of, loss_printers
from graphc.train.interrupt import Interruptible
from graphc.train.metrics import Loss, Metric, get_metrics

__all__ = ["Model"]

Columns = tuple[Tensor, ...]


class Model:
    """A network with what is needed to train and evaluate it.

    Args:
        network: the Cell. Without `loss_fn` it returns the loss itself; without `optimizer` too, it is a whole training
            step that contains its optimizer.
        loss_fn: takes the network's outputs and the labels; datasets then have two columns.
        optimizer: built from the network's Parameters.
        metrics: what `eval` returns: a set or list of names, or a dict of name to Metric.
        eval_network: evaluates in place of `network` and `loss_fn`; its outputs are given to the metrics.
        eval_indexes: which of its outputs are the loss, the predictions and the labels: three ints. Without it every
            metric gets all outputs.
        amp_level: of mixed precision, see `amp.build_train_network`; other levels than "O0" change the network.
        boost_level: only "O0".
        kwargs: `loss_scale_manager`, a `LossScaleManager` of `graphc.amp`, scales the loss; `keep_batchnorm_fp32`, as
            there; MindSpore's `boost_config_dict` can only be None.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def __init__(
        self, network: Cell, loss_fn: Any = None, optimizer: Any = None, metrics: Any = None,
        eval_network: Cell | None = None, eval_indexes: list[int] | None = None, amp_level: str = "O0",
        boost_level: str = "O0", **kwargs: Any,
    ) -> None:
        if kwargs.pop("boost_config_dict", None) is not None:
            raise ValueError("Model: boost_config_dict must be None")
        unknown = kwargs.keys() - {"loss_scale_manager", "keep_batchnorm_fp32"}
        if unknown:
            raise TypeError(f"Model: unknown argument {sorted(unknown)[0]!r}")
        for name, cell in (("network", network), ("eval_network", eval_network)):
            if not isinstance(cell, Cell) and (cell is not None or name == "network"):
                raise TypeError(f"Model: {name} must be a Cell, got {type(cell).__name__}")
        if loss_fn is not None and not callable(loss_fn):
            raise TypeError(f"Model: loss_fn must be a Cell or a function, got {type(loss_fn).__name__}")
        if optimizer is not None and (not callable(optimizer) or not hasattr(optimizer, "parameters")):
            raise TypeError(f"Model: optimizer must be an Optimizer, got {type(optimizer).__name__}")
        self._network, self._loss_fn, self._optimizer = network, loss_fn, optimizer
        self._loss_scale_manager = mix_precision(network, amp_level, boost_level, **kwargs)
        self._metrics: dict[str, Metric] = get_metrics(metrics)
        if self._metrics and loss_fn is None and eval_network is None:
            raise ValueError("Model: metrics need a loss_fn or an eval_network, got neither")
        self._eval_indexes = _checked_indexes(eval_indexes)
        self._given_eval_network = eval_network
        self._train_network: Cell | None = None
        self._eval_network: Cell | None = eval_network

    @property
    def train_network(self) -> Cell:
        """The Cell that makes one step.

        Raises:
            ValueError: there is no optimizer to make it with.
        """
        if self._train_network is None:
            self._train_network = self._make_train_network()
        return self._train_network

    @property
    def eval_network(self) -> Cell:
        """The Cell that evaluates one batch.

        Raises:
            ValueError: there is neither a loss_fn nor an eval_network to make it with.
        """
        if self._eval_network is None:
            if self._loss_fn is None:
                raise ValueError("Model.eval: evaluating needs a loss_fn or an eval_network, got neither")
            self._eval_network = WithEvalCell(self._network, self._loss_fn)
        return self._eval_network

    @property
    def predict_network(self) -> Cell:
        """The Cell that `predict` runs."""
        return self._network

    def _make_train_network(self) -> Cell:
        network = self._network
        if self._optimizer is not None:
            with_loss = network if self._loss_fn is None else WithLossCell(network, self._loss_fn)
            with _mode(network, training=True):  # which TrainOneStepCell sets and leaves so
                return train_step_cell(with_loss, self._optimizer, self._loss_scale_manager)
        if self._loss_fn is not None:
            raise ValueError("Model.train: training needs an optimizer, got loss_fn without one")
        if not any(hasattr(cell, "global_step") for _, cell in network.cells_and_names()):
            raise ValueError(
                f"Model.train: training needs a loss_fn and an optimizer; got neither, and {type(network).__name__} "
                "contains no optimizer of its own"
            )
        return network

    # What users call

    def train(
        self, epoch: int, train_dataset: Any, callbacks: Any = None, dataset_sink_mode: bool = False,
        sink_size: int = -1, initial_epoch: int = 0,
    ) -> None:
        """Trains for `epoch` passes over the data.

        Args:
            epoch: the number of the last epoch, counted from 1.
            train_dataset: a `graphc.dataset` dataset, or anything with a length whose iterators give tuples of Tensors
                or arrays: (data, label) with a `loss_fn`, otherwise the network's arguments.
            callbacks: a Callback or a list of them. On a terminal, without one that prints, a progress bar is drawn.
            dataset_sink_mode: accepted; data always reach the compiled step by pointer, and results do not differ.
            sink_size: with `dataset_sink_mode`, how many batches an epoch has; the next one goes on where it ended, and
                after the dataset's last batch comes its first again. -1: an epoch is all of the dataset.
            initial_epoch: epochs that an earlier run made: numbers go on from there, and so do a dataset's shuffles.
        Raises:
            ValueError: no optimizer, no loss, an empty dataset, a wrong number of columns.
            KeyboardInterrupt: Ctrl-C, after the step under way and the callbacks' end hooks.
        """
        self._train(
            "Model.train", epoch, train_dataset, None, 1, callbacks, dataset_sink_mode, sink_size, initial_epoch
        )

    def fit(
        self, epoch: int, train_dataset: Any, valid_dataset: Any = None, valid_frequency: int | list[int] = 1,
        callbacks: Any = None, dataset_sink_mode: bool = False, valid_dataset_sink_mode: bool = False,
        sink_size: int = -1, initial_epoch: int = 0,
    ) -> None:
        """As `train`, with an evaluation after each epoch.

        Args:
            valid_dataset: what to evaluate on; callbacks find the metrics as `metrics`, and with the mean loss added
                (`eval_loss`) as `eval_results`.
            valid_frequency: evaluate after every so many epochs, or after those in a list.
            epoch, train_dataset, callbacks, dataset_sink_mode, sink_size, initial_epoch: as of `train`.
            valid_dataset_sink_mode: as `dataset_sink_mode`.
        """
        _check_bool("Model.fit", "valid_dataset_sink_mode", valid_dataset_sink_mode)
        _check_frequency(valid_frequency)
        self._train(
            "Model.fit", epoch, train_dataset, valid_dataset, valid_frequency, callbacks, dataset_sink_mode, sink_size,
            initial_epoch,
        )

    def eval(self, valid_dataset: Any, callbacks: Any = None, dataset_sink_mode: bool = False) -> dict[str, Any]:
        """Evaluates the network.

        Args:
            valid_dataset, callbacks, dataset_sink_mode: as of `train`.
        Returns:
            The value of each metric, by its name.
        Raises:
            ValueError: no metrics, an empty dataset, a wrong number of columns.
        """
        _check_bool("Model.eval", "dataset_sink_mode", dataset_sink_mode)
        if not self._metrics:
            raise ValueError("Model.eval: there is nothing to compute; give metrics to Model(...)")
        batches = _size("Model.eval", "valid_dataset", valid_dataset)
        hooks = CallbackList(callbacks)
        cb_params = CallbackParam(
            mode="eval", network=self._network, eval_network=self.eval_network, loss_fn=self._loss_fn,
            optimizer=self._optimizer, valid_dataset=valid_dataset, batch_num=batches, cur_step_num=0,
            dataset_sink_mode=dataset_sink_mode, list_callback=hooks.callbacks, parallel_mode="stand_alone",
            device_number=1,
        )
        with Interruptible() as interrupt, hooks:
            self._evaluate("Model.eval", RunContext(cb_params), hooks, interrupt, within_fit=False)
        metrics: dict[str, Any] = cb_params.metrics
        return metrics

    def predict(self, *predict_data: Any, backend: str | None = None, config: dict[str, Any] | None = None) -> Any:
        """The network's outputs for some data, in evaluation mode.

        Args:
            predict_data: the network's arguments, as Tensors or arrays.
            backend, config: only None: graphc has one backend.
        """
        if backend is not None or config is not None:
            raise ValueError(f"Model.predict: backend and config must be None, got {backend!r} and {config!r}")
        with _mode(self._network, training=False):
            return self._network(*_tensors("Model.predict", predict_data))

    def build(
        self, train_dataset: Any = None, valid_dataset: Any = None, sink_size: int = -1, epoch: int = 1,
        sink_mode: bool = True,
    ) -> None:
        """Compiles ahead, in GRAPH_MODE, for the first batch of each dataset; nothing is run.

        Args:
            train_dataset, valid_dataset: what `train` and `eval` will be given.
            sink_size, epoch, sink_mode: of MindSpore's data queues; they change nothing.
        """
        if train_dataset is not None:
            _size("Model.build", "train_dataset", train_dataset)
            self._compile(self.train_network, train_dataset, training=True)
        if valid_dataset is not None:
            _size("Model.build", "valid_dataset", valid_dataset)
            self._compile(self.eval_network, valid_dataset, training=False)

    # How they do it

    def _train(
        self, where: str, epoch: int, train_dataset: Any, valid_dataset: Any, valid_frequency: int | list[int],
        callbacks: Any, dataset_sink_mode: bool, sink_size: int, initial_epoch: int,
    ) -> None:
        _check_epochs(where, epoch, initial_epoch)
        _check_bool(where, "dataset_sink_mode", dataset_sink_mode)
        if not is_int(sink_size) or (sink_size < 1 and sink_size != -1):
            error = ValueError if is_int(sink_size) else TypeError
            raise error(f"{where}: sink_size must be an int >= 1, or -1 for all of the dataset, got {sink_size!r}")
        train_network, batches = self.train_network, _size(where, "train_dataset", train_dataset)
        chunk = sink_size if dataset_sink_mode and sink_size != -1 else None
        batches = chunk or batches
        if valid_dataset is not None:
            _size(where, "valid_dataset", valid_dataset)
            self.eval_network  # noqa: B018 (there must be one, before any step is made)
        if initial_epoch and hasattr(train_dataset, "set_init_step"):
            train_dataset.set_init_step(initial_epoch * batches)
        hooks = CallbackList(callbacks)
        if progress.wanted() and not loss_printers(hooks.callbacks):
            hooks.callbacks.append(progress.ProgressBar())
        cb_params = CallbackParam(
            mode="train", network=self._network, train_network=train_network, loss_fn=self._loss_fn,
            optimizer=self._optimizer, train_dataset=train_dataset, batch_num=batches, epoch_num=epoch,
            cur_epoch_num=initial_epoch, cur_step_num=initial_epoch * batches, dataset_sink_mode=dataset_sink_mode,
            list_callback=hooks.callbacks, parallel_mode="stand_alone", device_number=1,
        )
        self._train_epochs(where, RunContext(cb_params), hooks, valid_dataset, valid_frequency, chunk)

    def _train_epochs(
        self, where: str, run: RunContext, hooks: CallbackList, valid_dataset: Any, valid_frequency: int | list[int],
        chunk: int | None,
    ) -> None:
        """Trains from the epoch that was reached up to the last.

        Args:
            chunk: the steps of an epoch, which goes on in the dataset where the one before ended; None for all of it.
        """
        cb_params = run.original_args()
        epochs = range(cb_params.cur_epoch_num + 1, cb_params.epoch_num + 1)
        network, dataset, labelled = cb_params.train_network, cb_params.train_dataset, self._loss_fn is not None
        passes = (self._rows(where, network, dataset, labelled) for _ in itertools.count())
        endless = itertools.chain.from_iterable(passes)
        with Interruptible() as interrupt, hooks, _mode(network, training=True):
            hooks.call("on_train_begin", run)
            try:
                for number in epochs:
                    cb_params.cur_epoch_num = number
                    rows = itertools.islice(endless, chunk) if chunk else next(passes)
                    self._train_epoch(rows, run, hooks, interrupt)
                    if valid_dataset is not None and _is_due(number, valid_frequency):
                        self._evaluate_in_fit(valid_dataset, run, hooks, interrupt)
                    hooks.call("on_train_epoch_end", run)
                    cb_params.pop("metrics", None)
                    cb_params.pop("eval_results", None)
                    if run.get_stop_requested():
                        break
            except KeyboardInterrupt:
                hooks.call("on_train_end", run)
                raise
            hooks.call("on_train_end", run)

    def _train_epoch(
        self, rows: Iterator[Columns], run: RunContext, hooks: CallbackList, interrupt: Interruptible
    ) -> None:
        cb_params = run.original_args()
        step = cb_params.train_network
        hooks.call("on_train_epoch_begin", run)
        for columns in rows:
            cb_params["cur_step_num"] += 1  # as items: attributes of it take a Python call
            cb_params["train_dataset_element"] = columns
            hooks.call("on_train_step_begin", run)
            cb_params["net_outputs"] = step(*columns)
            hooks.call("on_train_step_end", run)
            interrupt.check()
            if run.get_stop_requested():
                break

    def _evaluate_in_fit(
        self, valid_dataset: Any, run: RunContext, hooks: CallbackList, interrupt: Interruptible
    ) -> None:
        cb_params = run.original_args()
        kept = {name: cb_params[name] for name in ("mode", "cur_step_num", "batch_num", "net_outputs")}
        batches = _size("Model.fit", "valid_dataset", valid_dataset)
        cb_params.update(
            mode="eval", eval_network=self.eval_network, valid_dataset=valid_dataset, cur_step_num=0, batch_num=batches
        )
        self._evaluate("Model.fit", run, hooks, interrupt, within_fit=True)
        cb_params.update(kept)

    def _evaluate(
        self, where: str, run: RunContext, hooks: CallbackList, interrupt: Interruptible, within_fit: bool
    ) -> None:
        """Runs the evaluation network over the data; leaves `metrics` and `eval_results`."""
        cb_params = run.original_args()
        network, labelled = cb_params.eval_network, self._given_eval_network is None
        for metric in self._metrics.values():
            metric.clear()
        mean_loss = Loss()
        hooks.call("on_eval_begin", run, within_fit)
        with _mode(network, training=False):
            hooks.call("on_eval_epoch_begin", run, within_fit)
            for columns in self._rows(where, network, cb_params.valid_dataset, labelled):
                cb_params.cur_step_num += 1
                cb_params.eval_dataset_element = columns
                hooks.call("on_eval_step_begin", run, within_fit)
                cb_params.net_outputs = network(*columns)
                hooks.call("on_eval_step_end", run, within_fit)
                self._update_metrics(cb_params.net_outputs, mean_loss)
                interrupt.check()
                if run.get_stop_requested() and not within_fit:
                    break
            hooks.call("on_eval_epoch_end", run, within_fit)
        cb_params.metrics = {name: _plain(metric.eval()) for name, metric in self._metrics.items()}
        cb_params.eval_results = dict(cb_params.metrics)
        if mean_loss.count:
            cb_params.eval_results["eval_loss"] = mean_loss.eval()
        hooks.call("on_eval_end", run, within_fit)

    def _update_metrics(self, outputs: Any, mean_loss: Loss) -> None:
        values = outputs if isinstance(outputs, tuple) else (outputs,)
        indexes = [0, 1, 2] if self._given_eval_network is None else self._eval_indexes
        if indexes is None:
            for metric in self._metrics.values():
                metric.update(*values)
            return
        if max(indexes) >= len(values):
            raise ValueError(f"Model.eval: eval_indexes are {indexes}, the eval_network returns {len(values)} values")
        loss, predicted, label = (values[i] for i in indexes)
        mean_loss.update(Tensor(loss_of(loss)))
        for metric in self._metrics.values():
            if isinstance(metric, Loss):
                metric.update(loss)
            else:
                metric.update(predicted, label)

    def _rows(self, where: str, network: Cell, dataset: Any, labelled: bool) -> Iterator[Columns]:
        """The batches of one epoch, the first of them checked against what `network` takes."""
        count = 0
        for row in dataset:
            columns = _tensors(where, row if isinstance(row, (tuple, list)) else (row,))
            if not count:
                _check_columns(where, columns, network, labelled)
            count += 1
            yield columns
        if not count:
            raise ValueError(f"{where}: the dataset gave no batch in this epoch")

    def _compile(self, network: Cell, dataset: Any, training: bool) -> None:
        labelled = self._loss_fn is not None if training else self._given_eval_network is None
        columns = next(self._rows("Model.build", network, dataset, labelled))
        if context.get_context("mode") == context.GRAPH_MODE:
            with _mode(network, training):
                network._compiled.lookup(columns, {})[0].executable  # noqa: B018 (made when first asked for)


@contextmanager
def _mode(network: Cell, training: bool) -> Iterator[None]:
    """Sets training or evaluation mode, and afterwards what it was in every Cell."""
    before = [(cell, cell.training) for _, cell in network.cells_and_names()]
    network.set_train(training)
    try:
        yield
    finally:
        for cell, mode in before:  # outer Cells first, so that inner ones that differed have the last word
            if cell.training != mode:
                cell.set_train(mode)


def _tensors(where: str, values: Any) -> Columns:
    """A row's values as Tensors; arrays share their memory."""
    columns = []
    for value in values:
        if isinstance(value, np.ndarray):
            value = from_numpy(value)
        elif not isinstance(value, Tensor):
            raise TypeError(f"{where}: expected Tensors or arrays as data, got {type(value).__name__}")
        columns.append(value)
    return tuple(columns)


def _plain(value: Any) -> Any:
    """A metric's value as a Python number where it is one."""
    if isinstance(value, Tensor):
        value = value.numpy_view()
    return value.item() if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0 else value


# Checks


def _size(where: str, name: str, dataset: Any) -> int:
    """The number of batches of an epoch."""
    if hasattr(dataset, "get_dataset_size"):
        size = dataset.get_dataset_size()
    elif hasattr(dataset, "__len__") and hasattr(dataset, "__iter__"):
        size = len(dataset)
    else:
        got = type(dataset).__name__
        raise TypeError(f"{where}: {name} must be a dataset, or have a length and give tuples, got {got}")
    if size < 1:
        raise ValueError(f"{where}: {name} is empty (0 batches; with drop_remainder, fewer samples than one batch?)")
    return int(size)


def _check_columns(where: str, columns: Columns, network: Cell, labelled: bool) -> None:
    shapes = ", ".join(str(column.spec) for column in columns)
    if labelled:
        if len(columns) != 2:
            got = f"{len(columns)}: {shapes}"
            raise ValueError(f"{where}: with a loss_fn, expected a dataset of 2 columns (data, label), got {got}")
        return
    inner = network.network if isinstance(network, TrainOneStepCell) else network
    signature = inspect.signature(inner.construct)
    try:
        signature.bind(*columns)
    except TypeError:
        raise ValueError(
            f"{where}: the dataset has {len(columns)} columns ({shapes}), but {type(inner).__name__}.construct takes "
            f"{signature}"
        ) from None


def _check_epochs(where: str, epoch: Any, initial_epoch: Any) -> None:
    for name, value, least in (("epoch", epoch, 1), ("initial_epoch", initial_epoch, 0)):
        if not is_int(value) or value < least:
            error = ValueError if is_int(value) else TypeError
            raise error(f"{where}: {name} must be an int >= {least}, got {value!r}")
    if initial_epoch >= epoch:
        raise ValueError(f"{where}: initial_epoch ({initial_epoch}) must be less than epoch ({epoch})")


def _check_frequency(frequency: Any) -> None:
    numbers = frequency if isinstance(frequency, (list, tuple)) else [frequency]
    if not numbers or any(not is_int(n) or n < 1 for n in numbers):
        error = ValueError if all(map(is_int, numbers)) else TypeError
        raise error(f"Model.fit: valid_frequency must be an int >= 1 or a list of them, got {frequency!r}")


def _is_due(epoch: int, frequency: int | list[int]) -> bool:
    return epoch % frequency == 0 if isinstance(frequency, int) else epoch in frequency


def _check_bool(where: str, name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{where}: {name} must be a bool, got {value!r}")


def _checked_indexes(indexes: Any) -> list[int] | None:
    if indexes is None:
        return None
    if not isinstance(indexes, list) or len(indexes) != 3 or not all(isinstance(i, int) and i >= 0 for i in indexes):
        raise ValueError(f"Model: eval_indexes must be three ints (loss, predictions, labels), got {indexes!r}")
    return indexes
