"""`detect_anomaly`: NaN is named where it arises, in both modes, and nothing else changes."""

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, Tensor, nn, ops
from graphc.runtime.entry_plan import closed


@pytest.fixture(params=["graph", "eager"], autouse=True)
def mode(request):
    ms.set_context(mode=ms.GRAPH_MODE if request.param == "graph" else ms.PYNATIVE_MODE)
    yield request.param
    ms.set_context(mode=ms.PYNATIVE_MODE)


class Root(nn.Cell):
    def __init__(self):
        super().__init__()
        self.scale = Parameter(np.ones(3, np.float32), "scale")

    def construct(self, x):
        return ops.sqrt(x * self.scale).sum()  # the line that is named


LINE = Root.construct.__code__.co_firstlineno + 1


def training(net):
    optimizer = nn.SGD(net.trainable_params(), learning_rate=0.1)
    gradient = ms.value_and_grad(net, None, optimizer.parameters)

    def step(x):
        loss, gradients = gradient(x)
        optimizer(gradients)
        return loss

    return step


def test_step_names_the_op_and_the_line_and_changes_nothing():
    net = Root()
    step = training(net)
    for _ in range(3):  # op by op, and compiled
        with pytest.raises(FloatingPointError) as error, ms.detect_anomaly():
            float(step(Tensor([-1.0, 1.0, -4.0])))
        assert str(error.value).partition(" returns ")[2] == (
            f"has NaN, from sqrt (Root test_anomaly.py:{LINE}): 2 of 3 elements of f32[3], the first at (0,); "
            "operands: f32[3] from -4 to 1"
        )
        assert net.scale.asnumpy().tolist() == [1, 1, 1]


def test_values_are_those_without_it():
    x = Tensor(np.linspace(0.5, 2, 3).astype(np.float32))
    plain, watched = Root(), Root()
    steps = training(plain), training(watched)
    for _ in range(4):
        loss = steps[0](x)
        with ms.detect_anomaly():
            found = steps[1](x)
        assert float(loss) == float(found)
    np.testing.assert_array_equal(plain.scale.asnumpy(), watched.scale.asnumpy())


def test_infinite_gradient_is_one_of_its_op(mode):
    net = Root()
    step = training(net)
    derivative = f" in the derivative of sqrt \\(Root test_anomaly.py:{LINE}\\)" if mode == "graph" else ""
    with pytest.raises(FloatingPointError, match=f"from [a-z]+{derivative}"), ms.detect_anomaly():
        step(Tensor([0.0, 1.0, 1.0]))
        ms.synchronize()
    assert net.scale.asnumpy().tolist() == [1, 1, 1]
    with pytest.raises(FloatingPointError, match="has NaN"), ms.detect_anomaly(infinite=False):  # 0 * infinity
        step(Tensor([0.0, 1.0, 1.0]))
        ms.synchronize()


def test_nan_that_goes_nowhere_is_none():
    @ms.jit
    def chosen(x):
        return ops.where(x > 0, ops.sqrt(x), 0.0)

    with ms.detect_anomaly():
        assert chosen(Tensor([4.0, -1.0])).asnumpy().tolist() == [2, 0]


def test_infinite_operands_are_followed():
    @ms.jit
    def difference(x):
        return ops.exp(x) - ops.exp(2.0 * x)

    with pytest.raises(FloatingPointError, match=r"from sub .*\(infinite from exp \(test_anomaly"), ms.detect_anomaly():
        difference(Tensor([1.0, 1000.0]))
    with pytest.raises(FloatingPointError, match="infinite elements, from exp"), ms.detect_anomaly():
        ms.jit(lambda x: ops.exp(x) * 2)(Tensor([1.0, 1000.0]))
    with ms.detect_anomaly(infinite=False):
        assert np.isinf(ms.jit(lambda x: ops.exp(x) * 2)(Tensor(1000.0)).asnumpy())


def test_nan_that_is_given():
    with pytest.raises(FloatingPointError, match="has NaN, from %x, which is given so: 1 of 2"), ms.detect_anomaly():
        ms.jit(lambda x: x * 2 + 1)(Tensor([1.0, np.nan]))


@pytest.mark.parametrize("op", [ops.log, lambda x: (x + 1) / 0])
def test_ops_by_themselves(op):
    with pytest.raises(FloatingPointError, match=r"(log|div).* \(test_anomaly.py:\d+\): 1 of 1"), ms.detect_anomaly():
        op(Tensor([-1.0]))
    assert not np.isfinite(op(Tensor([-1.0])).asnumpy()).all()


def test_it_ends_with_the_block_and_nests_with_profiles():
    function = ms.jit(lambda x: ops.exp(x) * 2)
    x = Tensor([1.0, 2.0])
    with ms.detect_anomaly(), ms.profile() as outer:
        with ms.detect_anomaly():
            function(x)
        assert closed[0]
        function(x)
    assert sum(kernel.calls for kernel in outer.kernels if kernel.function == "lambda") == 2
    with ms.profile(), ms.detect_anomaly():
        function(x)
    assert not closed[0]
    with pytest.raises(TypeError, match="infinite must be a bool"):
        ms.detect_anomaly(infinite="no")
