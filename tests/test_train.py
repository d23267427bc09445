"""`Model`, its callbacks, the progress bar, and what stands in for MindVision."""

import gzip
import io
import math
import os
import re
import signal
import sys

import numpy as np
import pytest

import graphc as gc
from graphc import dataset as ds
from graphc import nn, vision
from graphc.dtype import dtype_of
from graphc.nn.cell import Cell
from graphc.parameter import Parameter
from graphc.tensor import Tensor
from graphc.train import (
    BackupAndRestore,
    Callback,
    CheckpointConfig,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    LossMonitor,
    Metric,
    Model,
    ModelCheckpoint,
    OnRequestExit,
    ProgressBar,
    ReduceLROnPlateau,
    RunContext,
    TimeMonitor,
    load_checkpoint,
    load_param_into_net,
    progress,
)
from graphc.train.callbacks import CallbackParam

HOOKS = [f"on_{phase}_{name}" for phase in ("train", "eval")
         for name in ("begin", "epoch_begin", "step_begin", "step_end", "epoch_end", "end")]


@pytest.fixture(autouse=True)
def _pynative():
    """Each test starts in PYNATIVE_MODE, and the next one too."""
    gc.set_context(mode=gc.PYNATIVE_MODE)
    yield
    gc.set_context(mode=gc.PYNATIVE_MODE)


@pytest.fixture(params=[gc.GRAPH_MODE, gc.PYNATIVE_MODE], ids=["graph", "pynative"])
def mode(request):
    gc.set_context(mode=request.param)
    return request.param


class Net(Cell):
    """Two layers with fixed weights, so that runs can be compared."""

    def __init__(self, classes=3):
        super().__init__()
        rng = np.random.default_rng(0)
        first, second = (Tensor(rng.normal(0, 0.5, shape).astype(np.float32)) for shape in ((8, 4), (classes, 8)))
        self.hidden = nn.Dense(4, 8, weight_init=first, bias_init="zeros")
        self.drop = nn.Dropout(p=0.5)
        self.last = nn.Dense(8, classes, weight_init=second, bias_init="zeros")
        self.dropping = False

    def construct(self, x):
        x = gc.ops.relu(self.hidden(x))
        return self.last(self.drop(x) if self.dropping else x)


def arrays(count=20, classes=3):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(count, 4)).astype(np.float32)
    return x, (np.abs(x).argmax(axis=1) % classes).astype(np.int32)


def batches(count=20, size=8):
    """A dataset of the plainest kind: a list of tuples of arrays; 20 samples in batches of 8, 8 and 4."""
    x, y = arrays(count)
    return [(x[i : i + size], y[i : i + size]) for i in range(0, count, size)]


def model_of(net=None, metrics=None, lr=0.1, **kwargs):
    net = net or Net()
    optimizer = nn.Momentum(net.trainable_params(), lr, 0.9)
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    return Model(net, loss, optimizer, metrics=metrics, **kwargs)


def weights_of(net):
    return {name: parameter.asnumpy() for name, parameter in net.parameters_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


class Losses(Callback):
    """Keeps the loss of every step."""

    def __init__(self):
        self.losses = []

    def on_train_step_end(self, run_context):
        self.losses.append(run_context.original_args().net_outputs.item())


# Training


def test_linear_regression(mode):
    """y = 2x + 0.5 with noise is found again."""
    rng = np.random.default_rng(3)
    x = np.linspace(-1, 1, 100, dtype=np.float32)[:, None]
    y = 2 * x + 0.5 + rng.normal(0, 0.05, x.shape).astype(np.float32)
    net = nn.Dense(1, 1)
    model = Model(net, nn.MSELoss(), nn.SGD(net.trainable_params(), 0.1), metrics={"mse", "loss"})
    model.train(20, ds.NumpySlicesDataset({"data": x, "label": y}, shuffle=True).batch(10))
    assert net.weight.asnumpy().item() == pytest.approx(2.0, abs=0.05)
    assert net.bias.asnumpy().item() == pytest.approx(0.5, abs=0.05)
    result = model.eval([(x, y)])
    assert result["mse"] == pytest.approx(result["loss"], rel=1e-5) == pytest.approx(0.05**2, rel=0.3)


def test_both_modes_and_the_loop_by_hand_agree_bit_for_bit():
    found = []
    for chosen in (gc.GRAPH_MODE, gc.PYNATIVE_MODE):
        gc.set_context(mode=chosen)
        losses, model = Losses(), model_of()
        model.train(3, batches(), callbacks=losses)
        found.append((losses.losses, weights_of(model.train_network)))
    net = Net()
    optimizer = nn.Momentum(net.trainable_params(), 0.1, 0.9)
    loss_fn = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    step = gc.value_and_grad(lambda x, y: loss_fn(net(x), y), None, optimizer.parameters)
    by_hand = []
    for _ in range(3):
        for x, y in batches():
            loss, grads = step(Tensor(x), Tensor(y))
            optimizer(grads)
            by_hand.append(loss.item())
    assert found[0][0] == found[1][0] == by_hand
    assert_same(found[0][1], found[1][1])
    assert_same(weights_of(net), {name: found[0][1][name] for name in weights_of(net)})


def test_training_lowers_the_loss_and_a_smaller_last_batch_works(mode):
    losses = Losses()
    model_of().train(10, batches(), callbacks=[losses])
    assert len(losses.losses) == 30
    assert np.mean(losses.losses[-3:]) < 0.7 * np.mean(losses.losses[:3])


@pytest.mark.parametrize(
    "dataset",
    [
        batches(),
        [[Tensor(x), Tensor(y)] for x, y in batches()],
        ds.NumpySlicesDataset(dict(zip("xy", arrays(), strict=True)), shuffle=False).batch(8),
    ],
    ids=["tuples of arrays", "lists of Tensors", "dataset"],
)
def test_any_dataset_gives_the_same(dataset):
    model = model_of()
    model.train(2, dataset)
    expected = model_of()
    expected.train(2, batches(), dataset_sink_mode=True)
    assert_same(weights_of(model.predict_network), weights_of(expected.predict_network))


def test_a_network_that_returns_its_loss(mode):
    class WithLoss(Cell):
        def __init__(self):
            super().__init__()
            self.net = Net()
            self.loss = nn.CrossEntropyLoss()

        def construct(self, x, y, scale):
            return self.loss(self.net(x), y) * scale

    net = WithLoss()
    model = Model(net, optimizer=nn.SGD(net.trainable_params(), 0.1))
    losses = Losses()
    model.train(5, [(x, y, np.array(2.0, np.float32)) for x, y in batches()], callbacks=losses)
    assert losses.losses[-1] < losses.losses[0]
    with pytest.raises(ValueError, match=r"2 columns \(f32\[8,4\], i32\[8\]\), but WithLoss.construct takes"):
        model.train(1, batches())


def test_a_network_that_is_its_own_training_step(mode):
    class Step(Cell):
        def __init__(self, net):
            super().__init__()
            self.net = net
            self.optimizer = nn.SGD(net.trainable_params(), 0.1)
            self.loss_and_grads = gc.value_and_grad(
                lambda x, y: gc.ops.cross_entropy(self.net(x), y), None, self.optimizer.parameters
            )

        def construct(self, x, y):
            loss, grads = self.loss_and_grads(x, y)
            self.optimizer(grads)
            return loss

    losses = Losses()
    Model(Step(Net())).train(5, batches(), callbacks=losses)
    assert losses.losses[-1] < losses.losses[0]


@pytest.mark.parametrize("built", [False, True])
def test_one_step_is_one_graph(monkeypatch, built):
    """Two shapes of batch for training and two for evaluation are compiled, once each, though the modes alternate."""
    gc.set_context(mode=gc.GRAPH_MODE)
    compiled = []
    make = gc.jit.__globals__["Compiled"].__init__

    def count(self, traced, earlier=0):
        compiled.append(traced.graph.name)
        make(self, traced)

    monkeypatch.setattr(gc.jit.__globals__["Compiled"], "__init__", count)
    model = model_of(metrics={"acc"})
    if built:
        model.build(batches()[:1], batches()[:1])
        model.build(batches()[2:], batches()[2:])
        assert len(compiled) == 4
    model.fit(4, batches(), batches())
    assert sorted(compiled) == ["TrainOneStepCell", "TrainOneStepCell", "WithEvalCell", "WithEvalCell"]


def test_the_loss_is_read_only_when_asked():
    gc.set_context(mode=gc.GRAPH_MODE)
    unread = []

    class Look(Callback):
        def on_train_epoch_end(self, run_context):
            unread.append(run_context.original_args().net_outputs._array is None)

    model_of().train(2, batches(), callbacks=[Look()])
    assert unread == [True, True]


def test_dropout_acts_in_training_only(mode):
    net = Net()
    net.dropping = True
    model = model_of(net, metrics={"acc", "loss"})
    results = [model.eval(batches()) for _ in range(2)]
    assert results[0] == results[1]
    losses = Losses()
    model_of(net, lr=0.0).train(2, batches(), callbacks=losses)
    assert losses.losses[:3] != losses.losses[3:]


def test_modes_are_what_they_were(mode):
    net = Net()
    net.set_train(True)
    net.last.set_train(False)
    model = model_of(net, metrics={"acc"})
    seen = []
    watch = LambdaCallback(
        on_train_step_end=lambda context: seen.append((net.training, net.last.training)),
        on_eval_step_end=lambda context: seen.append((net.training, net.last.training)),
    )
    model.fit(1, batches(), batches(), callbacks=watch)
    model.predict(arrays()[0])
    assert seen == [(True, True)] * 3 + [(False, False)] * 3
    assert (net.training, net.hidden.training, net.last.training) == (True, True, False)
    with pytest.raises(ZeroDivisionError):
        model.eval(batches(), callbacks=LambdaCallback(on_eval_step_end=lambda context: 1 / 0))
    assert (net.training, net.hidden.training, net.last.training) == (True, True, False)


# Evaluating and predicting


def test_eval_gives_plain_numbers(mode):
    x, y = arrays()
    net = Net()
    result = model_of(net, metrics={"acc", "loss", "recall"}).eval(batches())
    assert type(result) is dict
    assert list(result) == ["acc", "loss", "recall"]
    assert type(result["acc"]) is type(result["loss"]) is float
    gc.set_context(mode=gc.PYNATIVE_MODE)
    assert result["acc"] == (net(Tensor(x)).asnumpy().argmax(1) == y).mean()
    assert result["recall"].shape == (3,)


def test_metrics_of_ones_own():
    class Count(Metric):
        def clear(self):
            self.count = 0

        def update(self, *inputs):
            self.count += len(inputs[1].asnumpy())

        def eval(self):
            return self.count

    assert model_of(metrics={"samples": Count()}).eval(batches()) == {"samples": 20}


def test_eval_network_and_its_indexes(mode):
    class Eval(Cell):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def construct(self, x, y):
            logits = self.net(x)
            return y, gc.ops.cross_entropy(logits, y), logits

    net = Net()
    expected = model_of(net, metrics={"acc", "loss"}).eval(batches())
    model = Model(net, metrics={"acc", "loss"}, eval_network=Eval(net), eval_indexes=[1, 2, 0])
    assert model.eval(batches()) == pytest.approx(expected, rel=1e-6)

    class Pair(Eval):
        def construct(self, x, y):
            return self.net(x), y

    assert Model(net, metrics={"acc"}, eval_network=Pair(net)).eval(batches()) == {"acc": expected["acc"]}
    with pytest.raises(ValueError, match=r"eval_indexes are \[1, 2, 0\], the eval_network returns 2 values"):
        Model(net, metrics={"acc"}, eval_network=Pair(net), eval_indexes=[1, 2, 0]).eval(batches())


def test_predict(mode):
    x, _ = arrays()
    net = Net()
    found = Model(net).predict(x)
    assert isinstance(found, Tensor)
    np.testing.assert_array_equal(found.asnumpy(), net(Tensor(x)).asnumpy())
    with pytest.raises(ValueError, match="backend"):
        Model(net).predict(x, backend="lite")
    with pytest.raises(TypeError, match="got list"):
        Model(net).predict([1.0])


def test_build_compiles_and_changes_nothing():
    gc.set_context(mode=gc.GRAPH_MODE)
    model = model_of(metrics={"acc"})
    before = weights_of(model.train_network)
    model.build(batches(), batches())
    assert_same(weights_of(model.train_network), before)
    for network in (model.train_network, model.eval_network):
        assert ["executable" in vars(entry) for entry in network._compiled.cache.values()] == [True]
    model.train(1, batches())
    expected = model_of()
    expected.train(1, batches())
    assert_same(weights_of(model.train_network), weights_of(expected.train_network))


# Hooks


class Recorder(Callback):
    def __init__(self):
        self.called = []

    def __enter__(self):
        self.called.append("enter")
        return self

    def __exit__(self, *error):
        self.called.append(f"exit {error[0].__name__}" if error[0] else "exit")


def recording(names):
    def hook(name):
        def record(self, run_context):
            args = run_context.original_args()
            self.called.append((name, args.get("cur_epoch_num"), args.get("cur_step_num")))

        return record

    return type("Recording", (Recorder,), {name: hook(name) for name in names})()


def test_hooks_come_in_order():
    recorder = recording(HOOKS)
    model_of(metrics={"acc"}).fit(1, batches(16), batches(8), callbacks=recorder)
    assert recorder.called == [
        "enter",
        ("on_train_begin", 0, 0),
        ("on_train_epoch_begin", 1, 0),
        ("on_train_step_begin", 1, 1), ("on_train_step_end", 1, 1),
        ("on_train_step_begin", 1, 2), ("on_train_step_end", 1, 2),
        ("on_eval_begin", 1, 0),
        ("on_eval_epoch_begin", 1, 0),
        ("on_eval_step_begin", 1, 1), ("on_eval_step_end", 1, 1),
        ("on_eval_epoch_end", 1, 1),
        ("on_eval_end", 1, 1),
        ("on_train_epoch_end", 1, 2),
        ("on_train_end", 1, 2),
        "exit",
    ]  # fmt: skip


def test_short_hooks_act_in_training_and_in_eval():
    short = ["begin", "epoch_begin", "step_begin", "step_end", "epoch_end", "end"]
    model = model_of(metrics={"acc"})
    for run in (lambda recorder: model.train(1, batches(8), callbacks=recorder),
                lambda recorder: model.eval(batches(8), callbacks=recorder),
                lambda recorder: model.fit(1, batches(8), batches(8), callbacks=recorder)):
        recorder = recording(short)
        run(recorder)
        assert [call[0] for call in recorder.called[1:-1]] == short


def test_what_hooks_find():
    model = model_of()
    found = {}

    def look(context):
        args = context.original_args()
        found.update({name: getattr(args, name) for name in (
            "epoch_num", "batch_num", "mode", "network", "train_network", "optimizer", "loss_fn", "train_dataset",
            "dataset_sink_mode", "list_callback", "train_dataset_element", "net_outputs")})
        with pytest.raises(AttributeError, match="no 'eval_results' at this point"):
            args.eval_results  # noqa: B018
        assert not hasattr(args, "metrics")

    data = batches()
    model.train(2, data, callbacks=LambdaCallback(on_train_step_end=look))
    assert (found["epoch_num"], found["batch_num"], found["mode"]) == (2, 3, "train")
    assert found["network"] is model.predict_network
    assert found["train_dataset"] is data
    assert isinstance(found["net_outputs"], Tensor)
    assert found["optimizer"] is model.train_network.optimizer


def test_stopping_after_a_step_and_after_an_epoch():
    steps, ends = [], []
    callback = LambdaCallback(
        on_train_step_end=lambda context: steps.append(1) or (len(steps) == 4 and context.request_stop()),
        on_train_epoch_end=lambda context: ends.append("epoch"),
        on_train_end=lambda context: ends.append("run"),
    )
    model_of().train(5, batches(), callbacks=callback)
    assert len(steps) == 4
    assert ends == ["epoch", "epoch", "run"]


def test_an_error_leaves_callbacks_and_propagates():
    recorder = recording(["end"])
    fail = LambdaCallback(on_train_step_end=lambda context: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model_of().train(1, batches(), callbacks=[recorder, fail])
    assert recorder.called == ["enter", "exit ZeroDivisionError"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_lets_the_step_finish(mode):
    recorder, losses = recording(["on_train_end"]), Losses()

    def press(context):
        if context.original_args().cur_step_num == 2:
            os.kill(os.getpid(), signal.SIGINT)

    model = model_of()
    with pytest.raises(KeyboardInterrupt):
        model.train(1, batches(), callbacks=[recorder, LambdaCallback(on_train_step_begin=press), losses])
    assert recorder.called == ["enter", ("on_train_end", 1, 2), "exit KeyboardInterrupt"]
    assert len(losses.losses) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    expected = model_of()
    expected.train(1, batches()[:2])
    assert_same(weights_of(model.train_network), weights_of(expected.train_network))


# What callbacks print


def test_loss_monitor(capsys):
    losses = Losses()
    model_of().train(2, batches(), callbacks=[LossMonitor(), losses], dataset_sink_mode=True)
    lines = [f"epoch: {i // 3 + 1} step: {i % 3 + 1}, loss is {loss}" for i, loss in enumerate(losses.losses)]
    assert capsys.readouterr().out.splitlines() == lines


def test_loss_monitor_every_so_many_steps(capsys):
    monitor, model = LossMonitor(2), model_of()
    for _ in range(2):
        model.train(2, batches(), callbacks=monitor)
    found = re.findall(r"epoch: (\d) step: (\d)", capsys.readouterr().out)
    assert found == [("1", "2"), ("2", "1"), ("2", "3")] * 2
    model.train(1, batches(), callbacks=LossMonitor(0))
    assert capsys.readouterr().out == ""


def test_fit_prints_results(capsys):
    model = model_of(metrics={"acc", "loss"})
    model.fit(2, batches(), batches(), callbacks=[LossMonitor(3)], valid_frequency=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch: 1 step: 3", "epoch: 2 step: 3", "Eval result: epoch 2"]
    assert lines[-1] == f"Eval result: epoch 2, metrics: {model.eval(batches())}"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_training(value):
    x, y = arrays(8)
    x[0, 0] = value
    for monitor in (LossMonitor(0), vision.LossMonitor(0.1)):
        with pytest.raises(ValueError, match=r"loss is (NAN|nan|inf)"):
            model_of(lr=0.0).train(1, [(x, y)], callbacks=monitor)


def test_time_monitor(capsys):
    number = r"\d+\.\d{3} ms"
    model = model_of(metrics={"acc"})
    model.train(2, batches(), callbacks=TimeMonitor())
    line = rf"Train epoch time: {number}, per step time: {number}\n"
    assert re.fullmatch(line * 2, capsys.readouterr().out)
    model.fit(1, batches(), batches(), callbacks=TimeMonitor(data_time=True))
    data = rf", per step time: {number} \(data time: {number}\)\n"
    assert re.fullmatch(f"Eval epoch time: {number}{data}Train epoch time: {number}{data}", capsys.readouterr().out)


def test_history():
    history, losses = History(), Losses()
    model_of(metrics={"acc"}).fit(2, batches(), batches(), callbacks=[history, losses])
    assert history.epoch == {"epoch": [1, 2]}
    assert history.history["net_output"] == losses.losses[2::3]
    assert len(history.history["acc"]) == 2


# What callbacks change


def run_epochs(callback, values, name="eval_loss", optimizer=None, network=None):
    """Shows a callback the values of as many epochs; returns the epochs after which it let training go on."""
    params = CallbackParam(optimizer=optimizer, train_network=network, mode="train", batch_num=1)
    context = RunContext(params)
    callback.on_train_begin(context)
    for epoch, value in enumerate(values, 1):
        params.update(cur_epoch_num=epoch, cur_step_num=epoch, eval_results={name: value}, net_outputs=Tensor(value))
        callback.on_train_epoch_end(context)
        if context.get_stop_requested():
            break
    callback.on_train_end(context)
    return epoch


@pytest.mark.parametrize(
    ("options", "values", "stopped"),
    [
        ({"patience": 2}, [3, 2, 2, 2, 1], 4),
        ({"patience": 2}, [3, 2, 1, 1, 0.5], 5),
        ({"patience": 1, "min_delta": 0.5}, [3, 2.8], 2),
        ({"patience": 2, "mode": "max"}, [1, 2, 1.5, 1.5], 4),
        ({"patience": 2, "monitor": "acc"}, [0.0, 0.1, 0.1, 0.1], 4),
        ({"patience": 2, "baseline": 1}, [3, 2], 2),
        ({"patience": 2, "monitor": "loss"}, [3, 3, 3], 3),
    ],
)
def test_early_stopping(options, values, stopped):
    callback = EarlyStopping(**options)
    assert run_epochs(callback, values, options.get("monitor", "eval_loss")) == stopped
    assert callback.stopped_epoch == (stopped if stopped < 5 else 0)


def test_early_stopping_puts_the_best_weights_back(capsys):
    net = Cell()
    net.w = Parameter(np.float32(0), "w")
    callback = EarlyStopping(patience=2, restore_best_weights=True, verbose=True)
    values = iter([3.0, 1.0, 2.0, 2.0])

    def train(context):
        net.w.set_data(Tensor(float(net.w.item() + 1)))

    params = CallbackParam(train_network=net)
    context = RunContext(params)
    callback.on_train_begin(context)
    for epoch in range(1, 5):
        train(context)
        params.update(cur_epoch_num=epoch, eval_results={"eval_loss": next(values)})
        callback.on_train_epoch_end(context)
    callback.on_train_end(context)
    assert net.w.item() == 2.0
    assert capsys.readouterr().out.splitlines() == [
        "Restoring model weights from the end of the best epoch.", "Epoch 00004: early stopping",
    ]


def test_early_stopping_in_fit():
    history = History()
    model_of(metrics={"acc"}, lr=0.0).fit(9, batches(), batches(), callbacks=[EarlyStopping(patience=2), history])
    assert history.epoch["epoch"] == [1, 2, 3]


def test_a_number_that_is_not_there_is_warned_of():
    with pytest.warns(UserWarning, match="no 'F1' to watch, only acc, eval_loss, loss"):
        model_of(metrics={"acc"}).fit(1, batches(), batches(), callbacks=EarlyStopping("F1"))


def test_reduce_lr_on_plateau(capsys):
    optimizer = nn.SGD([Parameter(np.zeros(1, np.float32), "w")], 0.1)
    callback = ReduceLROnPlateau(patience=2, factor=0.5, cooldown=1, min_lr=0.03, verbose=True)
    run_epochs(callback, [1.0] * 12, optimizer=optimizer)
    assert optimizer.learning_rate.asnumpy() == np.float32(0.03)
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 00003: ReduceLROnPlateau reducing learning rate to 0.05.",
        "Epoch 00005: ReduceLROnPlateau reducing learning rate to 0.03.",
    ]


def test_learning_rate_scheduler(mode):
    seen = []

    def halve(lr, step):
        seen.append((lr, step))
        return lr / 2 if step % 2 == 0 else lr

    model = model_of(lr=0.1)
    model.train(2, batches(), callbacks=LearningRateScheduler(halve))
    assert seen == [(0.1, 1), (0.1, 2), (0.05, 3), (0.05, 4), (0.025, 5), (0.025, 6)]
    assert model.train_network.optimizer.learning_rate.asnumpy() == np.float32(0.0125)


def test_a_scheduled_rate_cannot_be_set():
    net = Net()
    model = Model(net, nn.CrossEntropyLoss(), nn.SGD(net.trainable_params(), [0.1] * 9))
    with pytest.raises(ValueError, match="LearningRateScheduler: it sets the learning rate of an optimizer that was"):
        model.train(1, batches(), callbacks=LearningRateScheduler(lambda lr, step: lr))


# Checkpoints


def test_checkpoint_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = CheckpointConfig(save_checkpoint_steps=2, keep_checkpoint_max=3)
    for _ in range(2):
        model_of().train(1, batches(32), callbacks=ModelCheckpoint("net", "ck", config))
    assert sorted(os.listdir("ck")) == ["net-1_2.ckpt", "net-1_4.ckpt", "net_1-1_2.ckpt", "net_1-1_4.ckpt"]


def test_the_oldest_checkpoints_go(tmp_path):
    callback = ModelCheckpoint("net", tmp_path, CheckpointConfig(save_checkpoint_steps=2, keep_checkpoint_max=2))
    model_of().train(3, batches(), callbacks=callback)
    assert sorted(os.listdir(tmp_path)) == ["net-3_2.ckpt", "net-3_3.ckpt"]
    assert callback.latest_ckpt_file_name == str(tmp_path / "net-3_3.ckpt")


def test_the_graph_is_saved_in_graph_mode(tmp_path):
    gc.set_context(mode=gc.GRAPH_MODE)
    model_of().train(1, batches(), callbacks=ModelCheckpoint("net", tmp_path))
    assert (tmp_path / "net-graph.meta").read_text().startswith("graph TrainOneStepCell(")


def test_what_a_checkpoint_holds(tmp_path):
    config = CheckpointConfig(append_info=["epoch_num", "step_num", {"lr": 0.1}], save_checkpoint_steps=3)
    model = model_of()
    model.train(2, batches(), callbacks=ModelCheckpoint("net", tmp_path, config))
    found = load_checkpoint(tmp_path / "net-2_3.ckpt")
    assert {"hidden.weight", "global_step", "learning_rate", "moments.hidden.weight"} <= set(found)
    assert (found["epoch_num"].item(), found["step_num"].item(), found["lr"].item()) == (2, 6, 0.1)
    fresh = model_of()
    assert load_param_into_net(fresh.train_network, found) == ([], ["epoch_num", "step_num", "lr"])
    assert_same(weights_of(fresh.train_network), weights_of(model.train_network))


def test_a_resumed_run_is_the_run(tmp_path, mode):
    data = ds.NumpySlicesDataset(dict(zip("xy", arrays(), strict=True)), shuffle=True).batch(8)

    def dropping():
        gc.set_seed(5)
        net = Net()
        net.dropping = True
        return model_of(net)

    whole = dropping()
    whole.train(4, data)
    config = CheckpointConfig(append_info=["random_state"])
    dropping().train(2, data, callbacks=ModelCheckpoint("net", tmp_path, config))
    second = dropping()
    saved = load_checkpoint(tmp_path / "net-2_3.ckpt")
    load_param_into_net(second.train_network, saved)
    gc.random.set_rng_state(saved["random_state"])
    epochs = []
    second.train(4, data, initial_epoch=2, callbacks=LambdaCallback(
        on_train_step_end=lambda c: epochs.append((c.original_args().cur_epoch_num, c.original_args().cur_step_num))))
    assert epochs == [(3, 7), (3, 8), (3, 9), (4, 10), (4, 11), (4, 12)]
    assert_same(weights_of(second.train_network), weights_of(whole.train_network))


def test_names_and_folders_by_function(tmp_path):
    callback = ModelCheckpoint(
        lambda args: f"at{args.cur_step_num}", lambda args: str(tmp_path / f"epoch{args.cur_epoch_num}"),
        CheckpointConfig(save_checkpoint_steps=3),
    )
    model_of().train(2, batches(), callbacks=callback)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.ckpt"))
    assert found == ["epoch1/at3.ckpt", "epoch2/at6.ckpt"]


def test_an_error_saves_a_breakpoint(tmp_path):
    config = CheckpointConfig(save_checkpoint_steps=99, exception_save=True)
    fail = LambdaCallback(on_train_step_end=lambda c: c.original_args().cur_step_num == 2 and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model_of().train(1, batches(), callbacks=[ModelCheckpoint("net", tmp_path, config), fail])
    assert os.listdir(tmp_path) == ["net-1_2_breakpoint.ckpt"]


def test_checkpoints_by_time(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    tick = LambdaCallback(on_train_step_begin=lambda context: now.__setitem__(0, now[0] + 40))
    config = CheckpointConfig(0, save_checkpoint_seconds=60, keep_checkpoint_max=0, keep_checkpoint_per_n_minutes=2)
    model_of().train(2, batches(), callbacks=[tick, ModelCheckpoint("net", tmp_path, config)])
    assert sorted(os.listdir(tmp_path)) == ["net-1_2.ckpt", "net-2_3.ckpt"]


@pytest.mark.parametrize("kind", [gc.PYNATIVE_MODE, gc.GRAPH_MODE])
def test_epochs_of_sink_size_batches_go_on_where_the_last_one_ended(kind):
    class Seen(Callback):
        def __init__(self):
            self.rows, self.epochs = [], []

        def on_train_step_end(self, run_context):
            self.rows.append(float(run_context.original_args().train_dataset_element[0][0, 0]))

        def on_train_epoch_end(self, run_context):
            params = run_context.original_args()
            self.epochs.append((params.cur_epoch_num, params.cur_step_num, params.batch_num))

    gc.set_context(mode=kind)
    seen, firsts = Seen(), [float(x[0, 0]) for x, _ in batches()]
    model_of().train(4, batches(), seen, dataset_sink_mode=True, sink_size=2)
    assert seen.rows == (firsts * 3)[:8] and seen.epochs == [(1, 2, 2), (2, 4, 2), (3, 6, 2), (4, 8, 2)]
    whole = Seen()
    model_of().train(2, batches(), whole, dataset_sink_mode=False, sink_size=2)
    assert whole.rows == firsts * 2


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ModelCheckpoint("a/b"), ValueError, "without '/', got 'a/b'"),
        (lambda: ModelCheckpoint(config={}), TypeError, "CheckpointConfig, got dict"),
        (lambda: CheckpointConfig(0, 0, 0, 0), ValueError, "cannot all be 0"),
        (lambda: CheckpointConfig(-1), ValueError, "save_checkpoint_steps.*-1"),
        (lambda: CheckpointConfig(append_info=["lr"]), ValueError, "random_state and dicts, got 'lr'"),
        (lambda: CheckpointConfig(saved_network=3), TypeError, "Cell, got int"),
    ],
)
def test_wrong_checkpoint_settings(make, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        make()


# Progress bar


def drawn(monkeypatch, seconds_a_step, callbacks=()):
    from rich.console import Console

    out = io.StringIO()
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    tick = LambdaCallback(on_train_step_begin=lambda context: now.__setitem__(0, now[0] + seconds_a_step))
    bar = ProgressBar(Console(file=out, force_terminal=True, width=100))
    draws = []
    draw = bar._draw
    bar._draw = lambda args, at: (draws.append(at), draw(args, at))
    model_of(metrics={"acc"}).fit(2, batches(), batches(), callbacks=[tick, bar, *callbacks])
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()), draws


def test_progress_bar(monkeypatch):
    text, _ = drawn(monkeypatch, 0.5)
    assert re.search(r"Epoch 2/2 .* 3/3 2\.0 it/s loss \d\.\d{4}, eval acc \d\.\d{4}", text)


def test_progress_bar_is_not_drawn_every_step(monkeypatch):
    _, draws = drawn(monkeypatch, 0.04)
    assert len(draws) == 4  # after 0.12 s and at the end, in each epoch
    _, draws = drawn(monkeypatch, 0.001)
    assert len(draws) == 2


def test_progress_bar_closes_on_ctrl_c(monkeypatch):
    from rich.console import Console

    bar = ProgressBar(Console(file=io.StringIO(), force_terminal=True))

    def press(context):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model_of().train(1, batches(), callbacks=[bar, LambdaCallback(on_train_step_end=press)])
    assert bar._bar is None


def test_a_bar_only_where_nothing_else_prints(monkeypatch):
    used = []

    class Bar(Callback):
        def __init__(self):
            used.append(True)

    monkeypatch.setattr(progress, "ProgressBar", Bar)
    assert not progress.wanted() or sys.stdout.isatty()
    model_of().train(1, batches())
    assert not used
    monkeypatch.setattr(progress, "wanted", lambda: True)
    model_of().train(1, batches(), callbacks=LossMonitor(0))
    assert not used
    model_of().train(1, batches(), callbacks=TimeMonitor())
    assert used


# Errors


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Model(3), TypeError, "network must be a Cell, got int"),
        (lambda: Model(Net(), loss_fn=3), TypeError, "loss_fn must be"),
        (lambda: Model(Net(), optimizer=3), TypeError, "optimizer must be an Optimizer, got int"),
        (lambda: Model(Net(), metrics={"acc"}), ValueError, "metrics need a loss_fn or an eval_network"),
        (lambda: Model(Net(), nn.MSELoss(), metrics={"accurcy"}), KeyError, "accurcy"),
        (lambda: Model(Net(), amp_level="O4"), ValueError, "level.*must be in.*'O4'"),
        (lambda: Model(Net(), boost_level="O1"), ValueError, "boost_level"),
        (lambda: Model(Net(), loss_scale_manager=object()), TypeError, "'loss_scale_manager' must be"),
        (lambda: Model(Net(), los=3), TypeError, "unknown argument 'los'"),
        (lambda: Model(Net(), eval_network=Net(), eval_indexes=[0, 1]), ValueError, "three ints"),
        (lambda: Model(Net()).train(1, batches()), ValueError, "needs a loss_fn and an optimizer.*Net contains no"),
        (lambda: Model(Net(), nn.MSELoss()).train(1, batches()), ValueError, "needs an optimizer"),
        (lambda: Model(Net(), nn.MSELoss()).eval(batches()), ValueError, "give metrics"),
        (lambda: model_of().train(1, []), ValueError, "train_dataset is empty"),
        (lambda: model_of().train(1, iter(batches())), TypeError, "have a length.*list_iterator"),
        (lambda: model_of().train(1, [(1, 2)]), TypeError, "Tensors or arrays as data, got int"),
        (lambda: model_of().train(1, [arrays()[:1]]), ValueError, r"2 columns \(data, label\), got 1: f32\[20,4\]"),
        (lambda: model_of(metrics={"acc"}).eval([(*arrays(), arrays()[1])]), ValueError, "2 columns.*got 3"),
        (lambda: model_of().train(0, batches()), ValueError, "epoch must be an int >= 1, got 0"),
        (lambda: model_of().train(2, batches(), initial_epoch=2), ValueError, r"\(2\) must be less than epoch \(2\)"),
        (lambda: model_of().train(1, batches(), callbacks=[3]), TypeError, "expected a Callback.*got int"),
        (lambda: model_of().train(1, batches(), None, True, 0), ValueError, "sink_size must be an int >= 1, or -1"),
        (lambda: model_of().train(1, batches(), None, True, 2.0), TypeError, "sink_size must be an int.*got 2.0"),
        (lambda: model_of().train(1, batches(), None, 1), TypeError, "dataset_sink_mode must be a bool"),
        (lambda: model_of().fit(1, batches(), batches(), 0), ValueError, "valid_frequency.*0"),
        (lambda: LossMonitor(-1), ValueError, "per_print_times.*-1"),
        (lambda: TimeMonitor(0), ValueError, "data_size"),
        (lambda: EarlyStopping(mode="up"), ValueError, "mode.*'up'"),
        (lambda: EarlyStopping(patience=-1), ValueError, "patience.*-1"),
        (lambda: ReduceLROnPlateau(factor=1.5), ValueError, "factor.*1.5"),
        (lambda: LearningRateScheduler(0.1), TypeError, "a function, got 0.1"),
        (lambda: LambdaCallback(on_train_end=3), TypeError, "on_train_end must be a function"),
        (lambda: RunContext(3), TypeError, "dict, got int"),
    ],
)
def test_errors_say_what_got_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_step_that_fails_changes_nothing(mode):
    model = model_of()
    before = weights_of(model.train_network)
    with pytest.raises((ValueError, TypeError)):
        model.train(1, [(np.zeros((2, 5), np.float32), np.zeros(2, np.int32))])
    assert_same(weights_of(model.train_network), before)


# MindVision's names


def test_mindvision_program(tmp_path, capsys, mode):
    from graphc.vision.classification.dataset import Mnist
    from graphc.vision.classification.models import lenet
    from graphc.vision.engine.callback import LossMonitor as Monitor

    write_mnist(tmp_path / "mnist", 70)
    train = Mnist(path=str(tmp_path / "mnist"), split="train", batch_size=32, repeat_num=1, shuffle=True, resize=32,
                  download=True).run()
    assert train.get_dataset_size() == 2
    image, label = next(iter(train))
    assert (str(image.spec), str(label.spec)) == ("f32[32,1,32,32]", "i32[32]")
    network = lenet(num_classes=10, pretrained=False)
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    optimizer = nn.Momentum(network.trainable_params(), learning_rate=0.01, momentum=0.9)
    model = Model(network, loss_fn=loss, optimizer=optimizer, metrics={"acc"})
    model.train(2, train, callbacks=[Monitor(0.01, 2)])
    ms, number = r"\d+\.\d{3} ms", r"\d\.\d{3}"
    expected = "".join(
        rf"Epoch:\[  {i}/  2\], step:\[    2/    2\], loss:\[{number}/{number}\], time:{ms}, lr:0\.01000\n"
        rf"Epoch time: {ms}, per step time: {ms}, avg loss: {number}\n" for i in range(2)
    )
    assert re.fullmatch(expected, capsys.readouterr().out)
    test = Mnist(path=str(tmp_path / "mnist"), split="test", batch_size=5, shuffle=False).run()
    assert 0 <= model.eval(test)["acc"] <= 1


def write_mnist(folder, count):
    """Random digits in MNIST's files, gzipped."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for stem, size in (("train", count), ("t10k", 10)):
        images, labels = rng.integers(0, 256, (size, 28, 28), np.uint8), np.arange(size, dtype=np.uint8) % 10
        for kind, magic, data in (("images-idx3", 2051, images), ("labels-idx1", 2049, labels)):
            header = np.array([magic, *data.shape], ">u4").tobytes()
            (folder / f"{stem}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + data.tobytes()))


def test_mnist_is_scaled(tmp_path):
    write_mnist(tmp_path / "mnist", 40)
    (image, _), = iter(vision.Mnist(tmp_path / "mnist", batch_size=40, shuffle=False, resize=28).run())
    raw = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    np.testing.assert_allclose(image.asnumpy()[:, 0], (raw / 255 - 0.1307) / 0.3081, atol=1e-5)


def test_vision_says_what_it_cannot_do(tmp_path):
    with pytest.raises(ValueError, match="no weights to download"):
        vision.lenet(pretrained=True)
    with pytest.raises(FileNotFoundError, match="downloads nothing"):
        vision.Mnist(tmp_path, download=True)
    with pytest.raises(FileNotFoundError):
        vision.Mnist(tmp_path)
    with pytest.raises(ValueError, match="'train' or 'test', got 'infer'"):
        vision.Mnist(tmp_path, split="infer")
    with pytest.raises(ValueError, match="per_print_times"):
        vision.LossMonitor(0.1, 0)


def test_vision_monitor_finds_the_rate(capsys):
    model_of(lr=0.25).train(1, batches(), callbacks=vision.LossMonitor(per_print_times=3))
    assert "lr:0.25000\n" in capsys.readouterr().out
    model_of(lr=0.25).train(1, batches(), callbacks=vision.LossMonitor([0.3, 0.2, 0.1]))
    assert re.findall(r"lr:(\S+)", capsys.readouterr().out) == ["0.30000", "0.20000", "0.10000"]


def test_lenet_loads_a_checkpoint(tmp_path):
    first, second = vision.lenet(), vision.lenet()
    gc.train.save_checkpoint(first, tmp_path / "lenet.ckpt")
    assert_same(weights_of(vision.lenet(pretrained=True, ckpt_file=tmp_path / "lenet.ckpt")), weights_of(first))
    assert not np.array_equal(second.conv1.weight.asnumpy(), first.conv1.weight.asnumpy())


def test_mindspore_module_names():
    from graphc.train import callback, serialization

    assert callback.LossMonitor is LossMonitor
    assert callback.ModelCheckpoint is ModelCheckpoint
    assert serialization.load_checkpoint is gc.load_checkpoint is gc.train.load_checkpoint
    assert all(hasattr(gc.train, name) for name in gc.train.__all__)
    assert gc.train.DynamicLossScaleManager is gc.amp.DynamicLossScaleManager and gc.train.export is gc.export
    assert callback.OnRequestExit is gc.OnRequestExit and gc.train.data_sink is gc.data_sink


# Leaving a run and coming back


@pytest.mark.parametrize("kind", [BackupAndRestore, OnRequestExit])
def test_a_run_that_was_cut_short_goes_on(kind, tmp_path, mode):
    """After one epoch of three, whether by an error or by request, two more make the same as all three at once."""
    straight = model_of(lr=0.01)
    straight.train(3, batches())

    class Ending(Callback):
        def on_train_epoch_end(self, run_context):
            raise OSError("the machine goes down")

    def keeping():
        if kind is BackupAndRestore:
            return BackupAndRestore(str(tmp_path))
        return OnRequestExit(save_mindir=False, directory=str(tmp_path), sig=signal.SIGUSR1)

    class Asking(Callback):
        def on_train_step_end(self, run_context):
            if run_context.original_args().cur_step_num == 3:
                os.kill(os.getpid(), signal.SIGUSR1)

    if kind is BackupAndRestore:
        with pytest.raises(OSError, match="goes down"):
            model_of(lr=0.01).train(3, batches(), callbacks=[keeping(), Ending()])
        assert (tmp_path / "backup.ckpt").exists()
    else:
        model_of(lr=0.01).train(3, batches(), callbacks=[Asking(), keeping()])
        assert (tmp_path / "rank_0" / "Net_train.ckpt").exists()
    resumed = model_of(lr=0.01)
    resumed.train(2, batches(), callbacks=keeping())
    assert_same(weights_of(straight.train_network), weights_of(resumed.train_network))
    assert not (tmp_path / "backup.ckpt").exists()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_a_backup_is_made_after_every_so_many_epochs_and_may_stay(tmp_path):
    model_of().train(1, batches(), callbacks=BackupAndRestore(str(tmp_path / "new"), 2, delete_checkpoint=False))
    assert not (tmp_path / "new" / "backup.ckpt").exists()
    model_of().train(2, batches(), callbacks=BackupAndRestore(str(tmp_path / "new"), 2, delete_checkpoint=False))
    assert (tmp_path / "new" / "backup.ckpt").exists()


def test_a_file_ends_training_and_evaluation(tmp_path):
    config, steps = tmp_path / "config.json", Losses()
    config.write_text('{"GracefulExit": ')  # half written
    leaving = OnRequestExit(file_name="lenet", directory=tmp_path, config_file=str(config))

    class Writing(Callback):
        def on_train_step_end(self, run_context):
            config.write_text('{"GracefulExit": 1}')

    model = model_of(metrics={"accuracy"})
    model.train(1, batches(), callbacks=[leaving, steps, Writing()])
    assert len(steps.losses) == 2  # the file is looked at before each step
    saved = {path.name for path in (tmp_path / "rank_0").iterdir()}
    assert saved == {"lenet_train.ckpt", "lenet_train.mindir"}
    step = nn.GraphCell(gc.load(str(tmp_path / "rank_0" / "lenet_train.mindir")))
    assert np.isfinite(float(step(*map(Tensor, batches()[0]))))
    model.eval(batches(), callbacks=leaving)
    assert (tmp_path / "rank_0" / "lenet_eval.ckpt").exists()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: BackupAndRestore(3), TypeError),
        (lambda: BackupAndRestore("there", save_freq=0), ValueError),
        (lambda: BackupAndRestore("there", delete_checkpoint=1), TypeError),
        (lambda: OnRequestExit(save_ckpt=1), TypeError),
        (lambda: OnRequestExit(file_name="a/b"), ValueError),
        (lambda: OnRequestExit(config_file=1), TypeError),
        (lambda: OnRequestExit(sig=signal.SIGKILL), ValueError),
    ],
)
def test_wrong_settings_of_leaving(make, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=r"BackupAndRestore|OnRequestExit"):
        make()


# data_sink


def numbers(count):
    return ds.NumpySlicesDataset({"x": np.arange(count, dtype=np.float32)}, shuffle=False)


def test_data_sink_goes_through_the_dataset_again_and_again():
    step = gc.data_sink(lambda x: float(x), numbers(3))
    assert [step() for _ in range(5)] == [0, 1, 2, 0, 1]
    by_two = gc.data_sink(lambda x: float(x), numbers(3), sink_size=2)
    assert [by_two() for _ in range(3)] == [1, 0, 2]
    for options in ({"sink_size": 0}, {"sink_size": 1.5}, {"jit_config": 1}):
        with pytest.raises((TypeError, ValueError), match="data_sink"):
            gc.data_sink(print, numbers(3), **options)
    with pytest.raises(TypeError, match="expected a function and a Dataset"):
        gc.data_sink(print, [1, 2])


def test_dataset_helper_goes_through_one_epoch():
    helper = gc.DatasetHelper(numbers(3), dataset_sink_mode=False)
    assert [[float(x) for (x,) in helper] for _ in range(2)] == [[0, 1, 2]] * 2 and helper.sink_size() == 3
    by_two = gc.DatasetHelper(numbers(3), sink_size=2, epoch_num=2)
    assert [[float(x) for (x,) in by_two] for _ in range(3)] == [[0, 1], [2, 0], [1, 2]]
    types, shapes = helper.types_shapes()
    assert types == [dtype_of(t) for t in numbers(3).output_types()] and shapes == numbers(3).output_shapes()
    for options in ({"sink_size": 0}, {"dataset_sink_mode": 1}, {"epoch_num": 0}):
        with pytest.raises((TypeError, ValueError), match="DatasetHelper"):
            gc.DatasetHelper(numbers(3), **options)
    with pytest.raises(TypeError, match="expected a Dataset, got list"):
        gc.DatasetHelper([1, 2])


def test_callbacks_in_a_loop_of_a_program(tmp_path):
    """As programs of MindSpore 1 write it, with the names that its own `Model` has inside."""
    from graphc.train.callback import RunContext, _InternalCallbackParam

    network = nn.Dense(2, 1)
    saving = ModelCheckpoint("net", tmp_path, CheckpointConfig(save_checkpoint_steps=2))
    params = _InternalCallbackParam()
    params.train_network, params.epoch_num, params.batch_num = network, 1, 4
    params.cur_epoch_num, params.cur_step_num = 1, 0
    context = RunContext(params)
    saving.begin(context)
    for step in range(1, 5):
        params.cur_step_num = step
        saving.step_end(context)
    assert sorted(path.name for path in tmp_path.glob("*.ckpt")) == ["net-1_2.ckpt", "net-1_4.ckpt"]
