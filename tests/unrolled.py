"""Recurrent networks whose steps a Python loop writes into the graph one after the other."""

from __future__ import annotations

from graphc import Tensor, nn, ops
from graphc.nn.recurrent import _STEPS


class Unrolled(nn.Cell):
    """A layer of RNN, GRU or LSTM: called with x `[T, N, I]`, returns the outputs `[T, N, H]`."""

    def __init__(self, kind: str, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.kind, self.cell = kind, getattr(nn, f"{kind}Cell")(input_size, hidden_size)

    def construct(self, x: Tensor) -> Tensor:
        cell, (_, count, step) = self.cell, _STEPS[self.kind]
        from_x = ops.dense(x, cell.weight_ih, cell.bias_ih)
        state, outputs = (ops.zeros((x.shape[1], cell.hidden_size), x.dtype),) * count, []
        for t in range(x.shape[0]):
            state = step("tanh", from_x[t], ops.dense(state[0], cell.weight_hh, cell.bias_hh), state)
            outputs.append(state[0])
        return ops.stack(outputs)
