"""What assignments to Parameters return, in both modes."""

from __future__ import annotations

import pytest

import graphc
from graphc import Parameter, Tensor, nn, ops


@pytest.mark.parametrize("mode", [graphc.GRAPH_MODE, graphc.PYNATIVE_MODE])
def test_assignments_return_what_the_parameter_holds_then(mode: int) -> None:
    graphc.set_context(mode=mode)

    class Net(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.p = Parameter(Tensor([1.0, 2.0]), "p")
            self.q = Parameter(Tensor([4.0, 4.0]), "q")

        def construct(self, x: Tensor) -> tuple[Tensor, ...]:
            first = ops.assign(self.p, self.q)
            second = ops.assign_add(self.p, x)
            ops.assign(self.q, x)
            return first, second, self.p.value(), ops.assign_sub(self.p, x), ops.scatter_update(self.p, [1], [9.0])

    net = Net()
    results = net(Tensor([1.0, 2.0]))
    ops.assign(net.p, Tensor([0.0, 0.0]))
    assert [r.asnumpy().tolist() for r in results] == [[4, 4], [5, 6], [5, 6], [4, 4], [4, 9]]
    assert not any(isinstance(r, Parameter) for r in results)
    assert nn.ParameterUpdate(net.p)(Tensor([3.0, 5.0])).asnumpy().tolist() == [3, 5]
    given = Tensor([7, 8])
    kept = ops.assign(net.p, given)
    assert kept.dtype is graphc.float32 and kept.asnumpy().tolist() == [7, 8]
    before = net.p.value()
    net.p.set_data(Tensor([0.0, 1.0]))
    assert before.asnumpy().tolist() == [7, 8]
