"""Mixed precision: what computes in float16, what stays float32, and that both modes do it alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Model, Parameter, Tensor, amp, nn, ops

RNG = np.random.default_rng(4)
IMAGES, LABELS = RNG.normal(size=(8, 1, 8, 8)).astype(np.float32), RNG.integers(0, 3, 8).astype(np.int32)


class Net(nn.Cell):
    """A network that notes the types in which it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, weight_init="ones"), nn.BatchNorm2d(4)
        self.relu, self.flatten = ops.ReLU(), nn.Flatten()
        self.fc = nn.Dense(256, 3, weight_init="ones")
        self.scale = Parameter(Tensor(np.ones(3, np.float32)), name="scale")
        self.seen: dict[str, Any] = {}

    def construct(self, x: Tensor) -> Tensor:
        before = self.conv(x)
        normal = self.norm(before)
        active = self.relu(normal)
        out = self.fc(self.flatten(active))
        self.seen.update(
            conv=before.dtype, norm=normal.dtype, relu=active.dtype, fc=out.dtype, scale=self.scale.dtype
        )
        return out * self.scale


def seen(net: Net) -> str:
    """The widths of what was computed, in order."""
    ms.set_context(mode=ms.PYNATIVE_MODE)
    result = net(Tensor(IMAGES))
    return " ".join(str(8 * d.itemsize) for d in (*net.seen.values(), result.dtype))


def test_levels() -> None:
    assert seen(amp.auto_mixed_precision(Net())) == "32 32 32 32 32 32"
    assert seen(amp.auto_mixed_precision(Net(), "O1")) == "32 32 32 32 32 32"
    assert seen(amp.auto_mixed_precision(Net(), "O2")) == "16 16 16 16 16 32"
    assert seen(amp.auto_mixed_precision(Net(), "O3")) == "16 16 16 16 16 32"
    assert seen(Net().to_float(ms.float16)) == seen(Net().to_float(ms.bfloat16)) == "16 16 16 16 16 16"


def test_lists() -> None:
    net = amp.custom_mixed_precision(Net(), black_list=[*amp.get_black_list(), nn.Conv2d])
    assert seen(net) == "16 16 16 16 16 32"
    wanted = Net().conv(Tensor(IMAGES)).astype(ms.float16)  # computed in float32, and rounded once
    np.testing.assert_array_equal(net.conv(Tensor(IMAGES)).asnumpy(), wanted.asnumpy())
    plain, rounded = Net(), amp.custom_mixed_precision(Net(), white_list=[nn.Dense, ops.ReLU])
    assert seen(rounded) == "32 32 32 32 32 32"
    a, b = plain(Tensor(IMAGES)).asnumpy(), rounded(Tensor(IMAGES)).asnumpy()
    assert not np.array_equal(a, b)
    np.testing.assert_allclose(a, b, rtol=0.01)
    amp.get_white_list().clear()
    assert nn.Dense in amp.get_white_list() and nn.LayerNorm in amp.get_black_list()


def test_what_the_program_says_of_a_cell_is_kept() -> None:
    net = Net()
    net.fc.to_float(ms.float32)
    amp.auto_mixed_precision(net, "O1")
    plain = net.fc(Tensor(np.full((1, 256), 1.0001, np.float32))).asnumpy()
    assert np.all(plain != np.round(plain))  # in float16 it would be 256
    net = Net().to_float(ms.float16)
    net.fc.to_float(ms.float32)
    assert seen(net) == "16 16 16 32 16 32"


def test_parameters_keep_their_type() -> None:
    net = Net().to_float(ms.float16)
    net.fc.weight.requires_grad = False
    for mode in (ms.PYNATIVE_MODE, ms.GRAPH_MODE):
        ms.set_context(mode=mode)
        grads = ms.grad(lambda x: net(x).astype(ms.float32).sum(), None, net.trainable_params())(Tensor(IMAGES))
        assert {p.dtype for p in net.get_parameters()} == {g.dtype for g in grads} == {ms.float32}
    assert isinstance(net.fc.weight, Parameter) and net.fc.weight.dtype is ms.float32


@pytest.mark.parametrize("dtype", [ms.float16, ms.bfloat16], ids=str)
@pytest.mark.parametrize("level", ["O1", "O2", "O3", "auto"])
def test_training_is_the_same_in_both_modes_and_near_that_in_float32(level: str, dtype: Any) -> None:
    def train(mode: int, level: str) -> tuple[list[float], list[np.ndarray]]:
        ms.set_context(mode=mode)
        ms.set_seed(3)
        net = nn.SequentialCell(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dense(256, 3))
        optimizer = nn.Momentum(net.trainable_params(), 0.01, 0.9, loss_scale=64.0)
        manager = amp.FixedLossScaleManager(64.0, drop_overflow_update=False)
        loss = nn.CrossEntropyLoss()
        amp.auto_mixed_precision(net, level, dtype)
        step = amp.build_train_network(net, optimizer, loss, loss_scale_manager=manager)
        losses = [float(step(Tensor(IMAGES), Tensor(LABELS))) for _ in range(6)]
        return losses, [p.asnumpy() for p in net.get_parameters()]

    eager, graph = train(ms.PYNATIVE_MODE, level), train(ms.GRAPH_MODE, level)
    assert eager[0] == graph[0] and all(map(np.array_equal, eager[1], graph[1]))
    wide = train(ms.GRAPH_MODE, "O0")
    assert wide[0] != graph[0]
    np.testing.assert_allclose(wide[0], graph[0], rtol=0.02)
    assert graph[0][-1] < graph[0][0]


def test_model_takes_a_level() -> None:
    ms.set_context(mode=ms.GRAPH_MODE)
    net = nn.SequentialCell(nn.Flatten(), nn.Dense(64, 3))
    optimizer = nn.SGD(net.trainable_params(), 1e-4)
    model = Model(net, nn.CrossEntropyLoss(), optimizer, {"loss"}, amp_level="O3", loss_scale_manager=None)
    data = [(Tensor(IMAGES), Tensor(LABELS))]
    before = model.eval(data)["loss"]
    model.train(3, data)
    assert model.eval(data)["loss"] < before and net[1].weight.dtype is ms.float32
    assert model.predict(Tensor(IMAGES)).dtype is ms.float32


def test_what_a_step_computes_in_may_be_bfloat16() -> None:
    """Its exponents go as far as float32's: no loss scaling is needed where float16 overflows."""
    net = nn.SequentialCell(nn.Dense(2, 1))
    options = {"cast_model_type": ms.bfloat16, "loss_scale_manager": None}
    step = amp.build_train_network(net, nn.SGD(net.trainable_params(), 1e-12), nn.MSELoss(), "O2", **options)
    loss = step(Tensor(np.full((4, 2), 1e6, np.float32)), Tensor(np.ones((4, 1), np.float32)))
    assert np.isfinite(float(loss)) and net[0].weight.dtype is ms.float32
    with pytest.raises(ValueError, match="'cast_model_type' must be float16, bfloat16 or float32"):
        amp.build_train_network(net, nn.SGD(net.trainable_params()), nn.MSELoss(), "O2", cast_model_type=ms.float64)


def test_level_two_scales_the_loss_by_itself() -> None:
    net = nn.SequentialCell(nn.Dense(2, 1))
    step = amp.build_train_network(net, nn.SGD(net.trainable_params(), 0.1), nn.MSELoss(), "O2")
    assert isinstance(step, nn.TrainOneStepWithLossScaleCell)
    _, overflow, scale = step(Tensor(np.ones((4, 2), np.float32)), Tensor(np.ones((4, 1), np.float32)))
    assert bool(overflow) and float(scale) == 2.0**24  # gradients of float16 do not go so far


def test_errors() -> None:
    net = Net()
    with pytest.raises(ValueError, match="'amp_level' must be str and must be in"):
        amp.auto_mixed_precision(net, "O5")
    with pytest.raises(ValueError, match="'dtype' must be float16"):
        amp.auto_mixed_precision(net, "O1", ms.float64)
    with pytest.raises(TypeError, match="'network' must be a Cell"):
        amp.auto_mixed_precision(ops.relu, "O1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one of 'white_list' and 'black_list'"):
        amp.custom_mixed_precision(net)
    with pytest.raises(TypeError, match="subclasses of Cell, but got"):
        amp.custom_mixed_precision(net, black_list=[ops.ReLU])
    with pytest.raises(ValueError, match="no argument 'keep_norm'"):
        amp.build_train_network(net, nn.SGD(net.trainable_params()), keep_norm=True)


@pytest.mark.parametrize("dtype", [ms.float16, ms.bfloat16], ids=str)
@pytest.mark.parametrize("kind", [nn.Adam, nn.Momentum, nn.AdamWeightDecay, nn.RMSProp, nn.Lamb, nn.SGD, nn.AdaMax])
def test_parameters_of_16_bits_are_trained(kind: Any, dtype: Any) -> None:
    """What an optimizer computes and keeps is float32; squares of gradients would vanish otherwise."""

    def train(mode: int) -> list[np.ndarray]:
        ms.set_context(mode=mode)
        ms.set_seed(2)
        options = {"momentum": 0.9} if kind is nn.Momentum else {}
        net = nn.SequentialCell(nn.Dense(4, 8, dtype=dtype), nn.Tanh(), nn.Dense(8, 2, dtype=dtype))
        optimizer = kind(net.trainable_params(), learning_rate=0.01, **options)
        step = nn.TrainOneStepCell(nn.WithLossCell(net, nn.MSELoss()), optimizer)
        x, y = Tensor(IMAGES[:, 0, 0, :4], dtype), Tensor(IMAGES[:, 0, 1, :2], dtype)
        losses = [step(x, y).asnumpy() for _ in range(8)]
        assert {p.dtype for p in net.get_parameters()} == {dtype}
        return [*losses, *(p.asnumpy() for p in net.get_parameters())]

    eager, graph = train(ms.PYNATIVE_MODE), train(ms.GRAPH_MODE)
    assert all(map(np.array_equal, eager, graph)) and all(np.isfinite(array).all() for array in eager)
    assert eager[7] < eager[0]
