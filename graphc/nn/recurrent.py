"""Recurrent layers: one step (`LSTMCell`) and whole sequences (`LSTM`), each layer one loop of the graph.

Weights are as in MindSpore and PyTorch: `weight_ih` `[G * H, I]`, `weight_hh` `[G * H, H]`, and two biases `[G * H]`,
for G gates in the order reset, update, new (GRU) or input, forget, cell, output (LSTM).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from graphc import ops
from graphc.dtype import float32
from graphc.eager import of_ops
from graphc.initializer import Uniform, initializer
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.check import float_dtype
from graphc.nn.layer import Layer
from graphc.ops.coerce import as_tensor, common_dtype
from graphc.ops.recurrence import scan
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]

State = tuple[Tensor, ...]


def _rnn_step(nonlinearity: str, from_x: Tensor, from_h: Tensor, state: State) -> State:
    return (ops.tanh(from_x + from_h) if nonlinearity == "tanh" else ops.relu(from_x + from_h),)


def _gru_step(nonlinearity: str, from_x: Tensor, from_h: Tensor, state: State) -> State:
    """Cho et al. 2014, in the form whose new gate resets the product with the hidden state."""
    x_reset, x_update, x_new = ops.chunk(from_x, 3, -1)
    h_reset, h_update, h_new = ops.chunk(from_h, 3, -1)
    update = ops.sigmoid(x_update + h_update)
    new = ops.tanh(x_new + ops.sigmoid(x_reset + h_reset) * h_new)
    return (new + update * (state[0] - new),)


def _lstm_step(nonlinearity: str, from_x: Tensor, from_h: Tensor, state: State) -> State:
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000."""
    enter, forget, cell, leave = ops.chunk(from_x + from_h, 4, -1)
    c = ops.sigmoid(forget) * state[1] + ops.sigmoid(enter) * ops.tanh(cell)
    return ops.sigmoid(leave) * ops.tanh(c), c


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

_STEPS = {"RNN": (1, 1, _rnn_step), "GRU": (3, 1, _gru_step), "LSTM": (4, 2, _lstm_step)}
"""The gates, the tensors of the state, and one step of each kind."""


def _as_state(where: str, hx: Any, count: int, shape: tuple[int, ...], x: Tensor) -> State:
    """The initial state, checked; zeros for None."""
    if hx is None:
        return (ops.zeros(shape, x.dtype),) * count
    state = tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
    if len(state) != count or any(not isinstance(s, Tensor) or s.shape != shape for s in state):
        got = ", ".join(str(s.spec) if isinstance(s, Tensor) else type(s).__name__ for s in state)
        raise ValueError(f"For '{where}', the 'hx' must be {count} Tensor(s) of shape {shape}, but got {got}.")
    return state


@of_ops
def _run_layer(
    kind: str, nonlinearity: str, x: Tensor, state: State, weights: tuple[Tensor | None, ...], backwards: bool,
    alive: Tensor | None,
) -> tuple[Tensor, State]:
    """The outputs `[T, N, H]` and the final state of one layer in one direction."""
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    shared = tuple(p for p in (weight_hh, bias_hh) if p is not None)

    def step(state: State, items: State, shared: State) -> tuple[State, State]:
        new = _STEPS[kind][2](nonlinearity, items[0], ops.dense(state[0], *shared), state)
        if alive is None:
            return new, new[:1]
        now = tuple(ops.where(items[1], n, s) for n, s in zip(new, state, strict=True))
        return now, (ops.where(items[1], new[0], 0.0),)

    items = (ops.dense(x, weight_ih, bias_ih),)  # of all time steps at once
    dtype = common_dtype((*items, *shared, *state))
    state = tuple(ops.cast(s, dtype) for s in state)
    final, (outputs,) = scan(step, state, items if alive is None else (*items, alive), shared, backwards)
    return outputs, final


class RNNCellBase(Layer):
    """The Parameters of one step of a recurrent layer; a program's own has a `construct(x, hx)`.

    Args:
        input_size: features I of the input `[N, I]` (or `[I]`).
        hidden_size: features H of the state `[N, H]` (or `[H]`).
        has_bias: whether there are `bias_ih` and `bias_hh`.
        num_chunks: how many gates there are: `weight_ih` is `[num_chunks * H, I]`.
        dtype: of the Parameters, which start uniform within 1 / sqrt(H) of 0.
    """

    def __init__(
        self, input_size: int, hidden_size: int, has_bias: bool, num_chunks: int, dtype: Any = float32
    ) -> None:
        super().__init__()
        where = type(self).__name__
        self.input_size = check.positive_int(where, "input_size", input_size)
        self.hidden_size = check.positive_int(where, "hidden_size", hidden_size)
        self.has_bias = check.boolean(where, "has_bias", has_bias)
        dtype, rows = float_dtype(where, dtype), num_chunks * hidden_size
        init = Uniform(1 / math.sqrt(hidden_size))
        self.weight_ih = Parameter(initializer(init, (rows, input_size), dtype), "weight_ih")
        self.weight_hh = Parameter(initializer(init, (rows, hidden_size), dtype), "weight_hh")
        self.bias_ih = Parameter(initializer(init, rows, dtype), "bias_ih") if has_bias else None
        self.bias_hh = Parameter(initializer(init, rows, dtype), "bias_hh") if has_bias else None


class _RecurrentCell(RNNCellBase):
    """One step of a recurrent layer; see RNNCellBase for the arguments."""

    kind = ""

    def __init__(self, input_size: int, hidden_size: int, has_bias: bool = True, dtype: Any = float32) -> None:
        super().__init__(input_size, hidden_size, has_bias, _STEPS[self.kind][0], dtype)
        self.nonlinearity = "tanh"

    def construct(self, x: Tensor, hx: Any = None) -> Any:
        where = type(self).__name__
        x = as_tensor(where, x)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise located(ValueError(f"For '{where}', the input must be [N, {self.input_size}], but got {x.spec}."))
        _, count, step = _STEPS[self.kind]
        state = _as_state(where, hx, count, (*x.shape[:-1], self.hidden_size), x)
        from_x = ops.dense(x, self.weight_ih, self.bias_ih)
        from_h = ops.dense(state[0], self.weight_hh, self.bias_hh)
        state = step(self.nonlinearity, from_x, from_h, state)
        return state if count > 1 else state[0]


class RNNCell(_RecurrentCell):
    """One step h = act(weight_ih x + bias_ih + weight_hh h + bias_hh), `nonlinearity` 'tanh' or 'relu'.

    Called with x `[N, I]` and h `[N, H]`; returns h.
    """

    kind = "RNN"

    def __init__(
        self, input_size: int, hidden_size: int, has_bias: bool = True, nonlinearity: str = "tanh",
        dtype: Any = float32,
    ) -> None:
        super().__init__(input_size, hidden_size, has_bias, dtype)
        self.nonlinearity = check.string("RNNCell", "nonlinearity", nonlinearity, ("tanh", "relu"))


class GRUCell(_RecurrentCell):
    """One step of a GRU; called with x `[N, I]` and h `[N, H]`; returns h."""

    kind = "GRU"


class LSTMCell(_RecurrentCell):
    """One step of an LSTM; called with x `[N, I]` and (h, c), each `[N, H]`; returns (h, c)."""

    kind = "LSTM"


class _Recurrent(Cell):
    """A recurrent layer over whole sequences; see LSTM."""

    kind = ""
    nonlinearity = "tanh"
    _SUFFIXES: ClassVar[tuple[str, ...]] = ("", "_reverse")

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, has_bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, dtype: Any = float32,
    ) -> None:
        super().__init__()
        where = type(self).__name__
        self.input_size = check.positive_int(where, "input_size", input_size)
        self.hidden_size = check.positive_int(where, "hidden_size", hidden_size)
        self.num_layers = check.positive_int(where, "num_layers", num_layers)
        self.has_bias = check.boolean(where, "has_bias", has_bias)
        self.batch_first = check.boolean(where, "batch_first", batch_first)
        self.dropout = check.between(where, "dropout", dropout, 0.0, 1.0, "[)")
        self.bidirectional = check.boolean(where, "bidirectional", bidirectional)
        dtype, rows = float_dtype(where, dtype), _STEPS[self.kind][0] * hidden_size
        init = Uniform(1 / math.sqrt(hidden_size))
        for kind in ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if has_bias else ())):
            for layer in range(num_layers):
                below = hidden_size * (1 + bidirectional) if layer else input_size
                columns = {"weight_ih": below, "weight_hh": hidden_size}
                shape = (rows, columns[kind]) if kind in columns else (rows,)
                for suffix in self._directions():
                    full = f"{kind}_l{layer}{suffix}"
                    setattr(self, full, Parameter(initializer(init, shape, dtype), full))

    def _directions(self) -> tuple[str, ...]:
        return self._SUFFIXES[: 1 + self.bidirectional]

    def construct(self, x: Tensor, hx: Any = None, seq_length: Tensor | None = None) -> Any:
        where = type(self).__name__
        x = as_tensor(where, x)
        if x.ndim != 3 or x.shape[2] != self.input_size:
            raise located(ValueError(f"For '{where}', the input must be [T, N, {self.input_size}], but got {x.spec}."))
        x = ops.transpose(x, (1, 0, 2)) if self.batch_first else x
        steps, batch, _ = x.shape
        if seq_length is not None and seq_length.shape != (batch,):
            raise ValueError(f"For '{where}', the 'seq_length' must be [{batch}], but got {seq_length.spec}.")
        times = ops.arange(steps).reshape(steps, 1, 1)
        alive = None if seq_length is None else ops.expand_dims(seq_length, 1) > times
        count, directions = _STEPS[self.kind][1], self._directions()
        shape = (self.num_layers * len(directions), batch, self.hidden_size)
        begin = _as_state(where, hx, count, shape, x)
        finals: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                x = ops.dropout(x, self.dropout, True)
            sides = []
            for suffix in directions:
                state = tuple(s[len(finals)] for s in begin)
                weights = tuple(getattr(self, f"{name}_l{layer}{suffix}", None) for name in _WEIGHTS)
                outputs, final = _run_layer(self.kind, self.nonlinearity, x, state, weights, suffix != "", alive)
                sides.append(outputs)
                finals.append(final)
            x = ops.concat(sides, -1) if len(sides) > 1 else sides[0]
        state = tuple(ops.stack([final[i] for final in finals]) for i in range(count))
        return ops.transpose(x, (1, 0, 2)) if self.batch_first else x, state if count > 1 else state[0]


class RNN(_Recurrent):
    """Layers of h = act(weight_ih x + bias_ih + weight_hh h + bias_hh), `nonlinearity` 'tanh' or 'relu'; see LSTM."""

    kind = "RNN"

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, has_bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, dtype: Any = float32, nonlinearity: str = "tanh",
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, has_bias, batch_first, dropout, bidirectional, dtype
        )
        self.nonlinearity = check.one_of("RNN", "nonlinearity", nonlinearity, ("tanh", "relu"))


class GRU(_Recurrent):
    """Layers of gated recurrent units; see LSTM."""

    kind = "GRU"


class LSTM(_Recurrent):
    """Layers of long short-term memory.

    Called with x `[T, N, I]` (`[N, T, I]` with `batch_first`); an initial state (h, c), each
    `[layers * directions, N, H]` (zeros if left out; RNN and GRU take h alone); and lengths `[N]` of the sequences (all
    T if left out). Returns the last layer's outputs `[T, N, directions * H]`, zero beyond a sequence's length, and the
    final state.

    Args:
        input_size, hidden_size: features I and H.
        num_layers: layers on top of each other.
        has_bias: whether there are biases.
        batch_first: inputs and outputs are `[N, T, ...]`.
        dropout: in training, of the outputs of each layer but the last.
        bidirectional: a second direction that reads sequences from their ends.
        dtype: of the Parameters, which start uniform within 1 / sqrt(H) of 0.
    """

    kind = "LSTM"
