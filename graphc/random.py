"""The state from which random numbers come.

A number is a function of (seed, counter, element): Philox of a state that is a Parameter, so that a compiled step reads
and advances it as it does any other. Every random op reads the state and then adds 1 to its counter. So a program gets
the same stream of numbers in both modes, under any fusion, and after `set_rng_state`.

    graphc.set_seed(42)
    ops.rand(3)             # seed 42, counter 0
    ops.rand(3)             # seed 42, counter 1
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from graphc.dispatch import assign
from graphc.dtype import int64
from graphc.parameter import Parameter
from graphc.place import located
from graphc.state import state
from graphc.tensor import Tensor

_seed: int | None = None
_streams: dict[int, Parameter] = {}


def _new_state(seed: int, name: str) -> Parameter:
    return Parameter(np.array([seed, 0], np.int64), name=name, requires_grad=False)


def _entropy() -> int:
    return int.from_bytes(os.urandom(8), "little") >> 1


_state = _new_state(_entropy(), "random.state")


def set_seed(seed: int) -> None:
    """Starts the program's random streams anew: those of ops and of op seeds, of initializers and of datasets.

    NumPy's and Python's global generators are seeded too, as in MindSpore. Until it is called the streams of ops and
    initializers start from the system's entropy.

    Args:
        seed: int, 0 to 2**32 - 1.
    Raises:
        TypeError, ValueError: no such int; nothing is changed then.
        RuntimeError: called while a graph is being traced.
    """
    from graphc import initializer  # both are built on this package's tensors
    from graphc.dataset import config

    _outside_a_trace("set_seed")
    config.set_seed(seed)
    initializer.restart()
    global _seed
    _seed = int(seed)
    _state.numpy_view()[:] = (_seed, 0)
    for own, stream in _streams.items():
        stream.numpy_view()[:] = (own, 0)


def manual_seed(seed: int) -> Generator:
    """As `set_seed`; returns the generator of the program's stream."""
    set_seed(seed)
    return default_generator


def initial_seed() -> int:
    """The seed of the program's stream."""
    return default_generator.initial_seed()


def seed() -> int:
    """Starts the program's stream of random ops from the system's entropy; returns the seed."""
    return default_generator.seed()


def _outside_a_trace(name: str) -> None:
    if state.now.trace is not None:
        raise located(RuntimeError(f"{name}: the state cannot be set within a graph being traced; set it before"))


def get_seed() -> int | None:
    """The seed that was set, or None."""
    return _seed


def get_rng_state() -> Tensor:
    """A copy of the state: int64 [seed, counter]."""
    return default_generator.get_state()


def set_rng_state(state: Tensor) -> None:
    """Continues from a state that `get_rng_state` gave.

    Raises:
        ValueError: it is no int64 [seed, counter].
    """
    default_generator.set_state(state)


class Generator:
    """A stream of random numbers of its own: `mint.rand(3, generator=Generator().manual_seed(5))`.

    It starts from the system's entropy.
    """

    def __init__(self) -> None:
        self.state = _new_state(_entropy(), "generator.state")

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream anew from a seed, an int; returns the generator."""
        _outside_a_trace("Generator.manual_seed")
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise TypeError(f"Generator: seed must be an int, got {seed!r}")
        self.state.numpy_view()[:] = (seed.__index__() % 2**63, 0)
        return self

    def seed(self) -> int:
        """Starts the stream anew from the system's entropy; returns the seed."""
        seed = _entropy()
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed that the stream started from."""
        return int(self.state.numpy_view()[0])

    def get_state(self) -> Tensor:
        """A copy of the state: int64 [seed, counter]."""
        _outside_a_trace("get_rng_state")
        return Tensor(self.state.asnumpy())

    def set_state(self, state: Tensor) -> None:
        """Continues from a state that `get_state` gave.

        Raises:
            ValueError: it is no int64 [seed, counter].
        """
        _outside_a_trace("set_rng_state")
        if not isinstance(state, Tensor) or state.dtype is not int64 or state.shape != (2,):
            raise located(ValueError(f"set_rng_state: expected an int64 Tensor of shape (2,), got {state!r:.80}"))
        np.copyto(self.state.numpy_view(), state.numpy_view())


default_generator = Generator()
default_generator.state = _state


def generator_of(name: str, generator: Any) -> Generator | None:
    """What a function's `generator=` stands for where it says `seed=`.

    Raises:
        TypeError: neither a Generator nor None.
    """
    if generator is not None and not isinstance(generator, Generator):
        raise located(TypeError(f"{name}: generator must be a Generator, got {type(generator).__name__}"))
    return generator


def stream(seed: int | Generator | None) -> Parameter:
    """The state that an op with this `seed=` draws from: the program's for None and 0, a generator's, else its own.

    Raises:
        TypeError, ValueError: no int >= 0.
    """
    if seed is None:
        return _state
    if isinstance(seed, Generator):
        return seed.state
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise located(TypeError(f"random: seed must be an int or None, got {seed!r:.60}"))
    own = seed.__index__()
    if not 0 <= own < 2**63:
        raise located(ValueError(f"random: seed must be in [0, 2**63), got {own}"))
    if own == 0:
        return _state
    if own not in _streams:
        _streams[own] = _new_state(own, f"random.state{own}")
    return _streams[own]


def is_stream(tensor: Tensor) -> bool:
    """Whether it is the state of one of the program's streams, which live as long as the program."""
    return tensor is _state or any(tensor is own for own in _streams.values())


def advance(state: Parameter) -> None:
    """Makes the next op that draws from `state` draw other numbers."""
    from graphc.ops.creation import iota  # the ops of this package draw from here

    assign(state, state + iota(shape=(2,), axis=0, dtype=int64))  # (seed, counter) + (0, 1)
