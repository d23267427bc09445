"""Classes that programs derive from graphc's: they find what MindSpore's layers, optimizers and Cells have inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import GRAPH_MODE, PYNATIVE_MODE, Parameter, Tensor, boost, int32, nn, ops, set_context, value_and_grad
from graphc.boost.grad_accumulation import gradient_accumulation_op, gradient_clear_op
from graphc.nn.layer.rnn_cells import RNNCellBase
from graphc.nn.optim.optimizer import opt_init_args_register

MODES = (PYNATIVE_MODE, GRAPH_MODE)


def numbers(*shape: int) -> Tensor:
    return Tensor(np.random.RandomState(len(shape)).randn(*shape).astype(np.float32))


class Standardized(nn.Conv2d):
    """A convolution whose weight is standardized first."""

    def construct(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keep_dims=True)
        return self.bias_add(self.conv2d(x, weight), self.bias)


class Line(nn.Conv1d):
    def construct(self, x: Tensor) -> Tensor:
        return self.conv2d(x.expand_dims(2), self.weight).squeeze(2)


class Room(nn.Conv3d):
    def construct(self, x: Tensor) -> Tensor:
        return self.conv3d(x, self.weight)


class LastAxis(nn.LayerNorm):
    """A layer norm that keeps its three results."""

    def construct(self, x: Tensor) -> Any:
        return self.layer_norm(x, self.gamma, self.beta)


class Scaled(nn.Dense):
    def construct(self, x: Tensor) -> Tensor:
        y = self.bias_add(self.matmul(x, self.weight * 2), self.bias)
        return self.activation(y) if self.activation_flag else y


class Groups(nn.GroupNorm):
    def construct(self, x: Tensor) -> Tensor:
        return ops.relu(self._cal_output(x))


class Gate(RNNCellBase):
    def __init__(self) -> None:
        super().__init__(3, 2, has_bias=True, num_chunks=2)

    def construct(self, x: Tensor, h: Tensor) -> Tensor:
        new, keep = ops.split(ops.dense(x, self.weight_ih, self.bias_ih) + ops.dense(h, self.weight_hh), 2, axis=1)
        return ops.sigmoid(keep) * h + ops.tanh(new)


@pytest.mark.parametrize("mode", MODES)
def test_layers_have_their_operations_for_classes_derived_from_them(mode: int) -> None:
    set_context(mode=mode)
    image = numbers(2, 4, 6, 5)
    for arguments in (
        {"pad_mode": "pad", "padding": (1, 2, 0, 1), "stride": (2, 1), "dilation": 2},
        {"pad_mode": "same", "group": 2},
        {"pad_mode": "valid"},
    ):
        conv = Standardized(4, 6, (2, 3), has_bias=True, **arguments)
        plain = nn.Conv2d(4, 6, (2, 3), has_bias=True, bias_init=conv.bias, **arguments)
        plain.weight.set_data(conv.weight - conv.weight.mean((1, 2, 3), keep_dims=True))
        np.testing.assert_array_equal(conv(image).asnumpy(), plain(image).asnumpy())
    for derived, base, x in ((Line, nn.Conv1d, numbers(2, 4, 9)), (Room, nn.Conv3d, numbers(1, 4, 5, 5, 5))):
        conv = derived(4, 2, 3, 2, "pad", 1, 2)
        plain = base(4, 2, 3, 2, "pad", 1, 2, weight_init=conv.weight)
        np.testing.assert_array_equal(conv(x).asnumpy(), plain(x).asnumpy())
    norm = LastAxis((5,), epsilon=1e-5)
    y, mean, _ = norm(image)
    np.testing.assert_allclose(y.asnumpy(), nn.LayerNorm((5,), epsilon=1e-5)(image).asnumpy(), atol=1e-6)
    assert mean.shape == (2, 4, 6, 1)
    dense = Scaled(5, 3, activation="tanh")
    expected = np.tanh(image.asnumpy() @ dense.weight.asnumpy().T * 2 + dense.bias.asnumpy())
    np.testing.assert_allclose(ops.stack([dense(row) for row in image[0]]).asnumpy(), expected[0], rtol=1e-5)
    np.testing.assert_array_equal(Groups(2, 4)(image).asnumpy(), ops.relu(nn.GroupNorm(2, 4)(image)).asnumpy())
    gate = Gate()
    assert [p.shape for p in gate.get_parameters()] == [(4, 3), (4, 2), (4,), (4,)]
    assert gate(numbers(2, 3), numbers(2, 2)).shape == (2, 2)


@pytest.mark.parametrize("mode", MODES)
def test_attributes_of_a_cell_may_have_any_name_and_be_set_early(mode: int) -> None:
    class Net(nn.Cell):
        def __init__(self) -> None:
            self.factor, self.settings = 3, {"bias": 1}
            super().__init__()
            self.version = "1b_26w"

        @property
        def bias(self) -> int:
            return self.settings["bias"]

        @bias.setter
        def bias(self, value: int) -> None:
            self.settings = {"bias": value}

        def construct(self, x: Tensor) -> Tensor:
            return x * self.factor + self.settings["bias"]

    class TooEarly(nn.Cell):
        def __init__(self) -> None:
            self.dense = nn.Dense(2, 2)
            super().__init__()

    set_context(mode=mode)
    net = Net()
    assert net(Tensor([1.0])).tolist() == [4.0] and net.version == "1b_26w"
    net.factor = 5
    assert net(Tensor([1.0])).tolist() == [6.0]
    net.bias = 2
    assert net(Tensor([1.0])).tolist() == [7.0] and net.bias == 2
    with pytest.raises(AttributeError, match=r"TooEarly: call super\(\).__init__\(\) before setting 'dense'"):
        TooEarly()


@pytest.mark.parametrize("mode", MODES)
def test_a_number_set_in_the_place_of_a_scalar_parameter_is_its_value(mode: int) -> None:
    class Counter(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.count = Parameter(Tensor(7, int32))
            self.rows = Parameter(Tensor([1.0, 2.0]))

        def construct(self, x: Tensor) -> Tensor:
            self.count = 3
            self.count += 1
            return x * self.count

    set_context(mode=mode)
    net = Counter()
    assert net(Tensor(2.0)).item() == 8.0 and net.count.item() == 4 and net.count.dtype is int32
    net.count = 5
    assert isinstance(net.count, Parameter) and net.count.item() == 5
    with pytest.raises(TypeError, match="expected a Parameter or Cell in the place of a Parameter, got int"):
        net.rows = 1


_descend = ops.MultitypeFuncGraph("descend")


@_descend.register("Float32", "Tensor", "Tensor", "Tensor", "Bool")
def _descend_one(share: float, decay: Tensor, parameter: Parameter, gradient: Tensor, filtered: bool) -> Tensor:
    return ops.assign_sub(parameter, gradient * share + decay) if filtered else gradient


@_descend.register("Float32", "Tensor", "RowTensor", "Tensor", "Bool")
def _descend_rows(share: float, decay: Tensor, parameter: Any, gradient: Tensor, filtered: bool) -> Tensor:
    raise AssertionError("no gradient is one of rows")


class Descent(nn.Optimizer):
    """An optimizer as programs of MindSpore 2 write it, for one device and for several."""

    @opt_init_args_register
    def __init__(self, params: Any, learning_rate: Any, share: float = 0.5, weight_decay: float = 0.0) -> None:
        super().__init__(learning_rate, params, weight_decay)
        self.share = share

    def construct(self, gradients: Any) -> Any:
        gradients = self._grad_sparse_indices_deduplicate(self.decay_weight(self.flatten_gradients(gradients)))
        assert not self._is_dynamic_lr_or_weight_decay()
        rule = ops.partial(_descend, self.share, self.weight_decay)
        result = self.map_(rule, self._parameters, gradients, self.optim_filter)
        return self.broadcast_params(result) if self.use_parallel else result

    @nn.Optimizer.target.setter
    def target(self, value: str) -> None:
        self._set_base_target(value)


@pytest.mark.parametrize("mode", MODES)
def test_optimizers_of_programs_find_what_mindspore_has_in_their_base(mode: int) -> None:
    set_context(mode=mode)
    net = nn.Dense(2, 1, weight_init="ones", has_bias=False)
    optimizer = Descent(net.trainable_params(), 0.25, weight_decay=0.25)
    assert optimizer.weight_decay.item() == optimizer.get_weight_decay().item() == 0.25
    optimizer((Tensor([[2.0, 4.0]]),))
    assert net.weight.tolist() == [[-0.375, -1.375]]
    assert optimizer.init_args == {"share": 0.5, "weight_decay": 0.25} and optimizer.init_learning_rate == 0.25
    assert optimizer.init_params["params"][0] is net.weight
    assert optimizer.target == "CPU"
    optimizer.target = "CPU"
    with pytest.raises(ValueError, match="'target' must be 'CPU', but got 'GPU'"):
        optimizer.target = "GPU"
    with pytest.raises(TypeError, match="'target' must be string, but got int"):
        optimizer.target = 1
    assert Descent(net.trainable_params(), Tensor([0.5, 0.25])).init_learning_rate == [0.5, 0.25]
    assert Descent(net.trainable_params(), nn.ExponentialDecayLR(0.5, 0.5, 1)).init_learning_rate is None


class Accumulating(boost.GradientAccumulation):
    """As programs change it: the learning rate moves in every step."""

    def construct(self, loss: Tensor, grads: Any) -> Tensor:
        add = ops.partial(gradient_accumulation_op, self._max_accumulation_step)
        loss = ops.depend(loss, self.hyper_map(add, self._grad_accumulation, grads))
        loss = ops.depend(loss, self.optimizer(self._grad_accumulation))
        return ops.depend(loss, self.hyper_map(ops.partial(gradient_clear_op), self._grad_accumulation))


@pytest.mark.parametrize("kind", [boost.GradientAccumulation, Accumulating])
def test_accumulated_gradients_update_with_their_mean(kind: type) -> None:
    set_context(mode=PYNATIVE_MODE)  # how often it has been called decides what it does
    net = nn.Dense(2, 1, weight_init="ones", has_bias=False)
    accumulation = kind(2, nn.SGD(net.trainable_params(), 1.0))
    gradient = value_and_grad(lambda x: net(x).sum(), None, net.trainable_params())
    seen = []
    for x in ([[1.0, 2.0]], [[3.0, 4.0]], [[1.0, 0.0]], [[1.0, 2.0]]):
        loss, grads = gradient(Tensor(x))
        assert accumulation(loss, grads).item() == loss.item()
        seen.append(net.weight.tolist()[0])
    in_every_step = [[0.5, 0.0], [-1.0, -2.0], [-1.5, -2.0], [-2.0, -3.0]]
    in_every_other = [[1.0, 1.0], [-1.0, -2.0], [-1.0, -2.0], [-2.0, -3.0]]
    assert seen == (in_every_other if kind is boost.GradientAccumulation else in_every_step)
    assert accumulation._grad_accumulation[0].tolist() == [[0.0, 0.0]]
    assert accumulation._grad_accumulation[0].name == "grad_accumulation.weight"
