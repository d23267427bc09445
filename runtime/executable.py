"""Executables: a program's code and the memory it runs in; and how Python runs one.

In steady state a run is one native call, which writes the addresses of arguments and results into a table (`entry`).
"""

from __future__ import annotations

import ctypes
import functools
import struct
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphc.arrays import LARGE, LINE, aligned_empty
from graphc.ir import Graph, TensorType
from graphc.runtime import jit, pool
from graphc.runtime.binary import Binary
from graphc.runtime.entry import GIL, builtin
from graphc.runtime.entry_plan import STATUS_WORDS, Expected, Plan, Slot, closed
from graphc.schedule import Home
from graphc.state import look
from graphc.tensor import Tensor, filled

if TYPE_CHECKING:
    from graphc.runtime.program import Program

_BYTE, _WORD = np.dtype(np.uint8), np.dtype(np.int64)

KERNEL_NS, STEP_NS = 40_000, 1_000_000
"""Estimated times below which a kernel, and a whole step, stay on one core: waking a parked worker takes some 50 us."""

Observer = Callable[["Executable"], int]

observer: Observer | None = None
"""While a profile is open, what runs a step in place of its native function (`graphc.runtime.profile`)."""


def observe(chosen: Observer | None) -> None:
    """Makes `chosen` run all steps from now on; None: they run by themselves."""
    global observer
    closed[0] = 1  # first, so that a step that an observer is about to run stays as it was bound
    observer = chosen
    close_or_open()


def close_or_open() -> None:
    """Makes steps come to Python first, while somebody watches them or looks at their values; or not, from now on."""
    closed[0] = int(observer is not None or look.graph is not None)


TOGETHER_BYTES = LARGE
"""Up to this size results may lie in memory that others lie in too: to copy one out of it costs next to nothing."""


class Place(NamedTuple):
    """Where a result lies: in which memory, how many bytes from its beginning."""

    memory: int
    offset: int


def places_of(types: Sequence[TensorType], together: bool) -> tuple[list[int], list[Place]]:
    """Memory for results of these types: the size of each, and the place of each result.

    Args:
        together: small ones lie in one memory, the first.
    """
    sizes, places = [0] if together else [], []
    for type_ in types:
        if together and type_.nbytes <= TOGETHER_BYTES:
            places.append(Place(0, sizes[0]))
            sizes[0] += -(-type_.nbytes // LINE) * LINE
        else:
            places.append(Place(len(sizes), 0))
            sizes.append(type_.nbytes)
    return [max(size, 1) for size in sizes], places


class Executable:
    """A program's binary with its memory: call it with the arguments' tensors.

    Args:
        graph: what it computes.
        binary: its code, and where its buffers live.
        bound: the tensors of the inputs that are no arguments.
        program: makes the program that the binary is of, when an error or a profile asks for it.
    Raises:
        MissingCodeError: object code of the binary is not in the cache any more.
    """

    def __init__(
        self, graph: Graph, binary: Binary, bound: Sequence[Tensor], program: Callable[[], Program]
    ) -> None:
        self.graph, self.bound, self._make_program = graph, tuple(bound), program
        jit.publish("graphc_parallel", pool.address)
        self._native = jit.load(binary.sources, [binary.step])
        self._step = self._native.address(binary.step)
        self.keeps_gil = binary.brief and GIL
        self.arena_bytes = binary.arena_bytes
        self._arena = aligned_empty((max(binary.arena_bytes, 1),), _BYTE)
        self._status = aligned_empty((STATUS_WORDS,), _WORD)
        self._status[:] = 0
        self._lock = threading.Lock()
        self._arguments = graph.arguments
        self._read = [n for n, x in enumerate(graph.inputs[: graph.arguments]) if x.type.nbytes > LARGE]
        self.types = tuple(o.type for o in graph.outputs)
        self._fill_table(binary)
        self._enter = self._builtin(None, (self._step, *self.addresses))
        self._bind = self._builtin(None, (0, *self.addresses), watched=False)

    @functools.cached_property
    def _regardless(self) -> Callable[..., Any]:
        """What `_enter` is, also while steps come to Python first."""
        return self._builtin(None, (self._step, *self.addresses), watched=False)

    @functools.cached_property
    def program(self) -> Program:
        """How the binary came about."""
        return self._make_program()

    def _fill_table(self, binary: Binary) -> None:
        self._slots: dict[str, list[Slot]] = {"input": [], "output": []}
        self._starts: list[int] = []
        entries: list[int] = []
        arena, status = self._arena.ctypes.data, self._status.ctypes.data

        def add(home: Home) -> None:
            if home.kind != "arena":
                slots = self._slots["output" if home.kind == "output" else "input"]
                slots.append(Slot(home.at, len(entries), home.beyond))
            entries.append(arena + home.at + home.beyond if home.kind == "arena" else 0)

        for homes in binary.homes:
            self._starts.append(len(entries))
            for home in homes:
                add(home)
            entries.append(status)
        for position, home, _ in binary.commits:
            add(Home("input", position))
            add(home)
        self._table = (ctypes.c_void_p * max(len(entries), 1))(*entries)
        self.addresses = ctypes.addressof(self._table), status
        for number, at, further in self._slots["input"]:
            if number >= self._arguments:
                self._table[at] = self.bound[number - self._arguments].address() + further

    def _builtin(
        self, expected: Sequence[Expected] | None, step: tuple[int, int, int], together: bool = False,
        watched: bool = True,
    ) -> Callable[..., Any]:
        """A built-in function that writes addresses into the table and runs the step."""
        sizes, places = places_of(self.types, together)
        outputs = [
            Slot(places[k].memory, at, places[k].offset + further) for k, at, further in self._slots["output"]
        ]
        most = self._arguments + len(self.bound)
        plan = Plan(
            step, self.keeps_gil, self._slots["input"], outputs, sizes, most, expected, watched, self._read
        )
        return builtin("graphc_enter", plan)

    def way(self, expected: Sequence[Expected], together: bool = False) -> Callable[..., Any]:
        """A function that runs the program on arguments if they are all as expected.

        Args:
            together: small results lie in one memory, as `places_of` says.
        Returns:
            A function from the arguments to the memory of the results, a list of bytearrays; to None, if the arguments
            are others; or to bytes, if the run failed: what to give to `fail`. Keep the executable as long.
        """
        enter = self._builtin(expected, (self._step, *self.addresses), together)

        def alone(*args: Any) -> Any:
            with self._lock:
                return enter(*args)

        return enter if self.keeps_gil else alone

    def __call__(self, leaves: Sequence[Tensor]) -> list[Tensor]:
        """Runs the program on the arguments.

        Args:
            leaves: a tensor for each argument; or for each input, in place of those that were bound.
        Raises:
            IndexError: an index read from data is out of range; parameters and other state are as before.
            RuntimeError: so does another check that is made when it runs fail.
        """
        memory = self._enter(*leaves) if self.keeps_gil else None
        if memory is None:
            if look.graph is not None:
                look.graph(self.graph, [*leaves, *self.bound[: len(self.graph.inputs) - len(leaves)]])
            with self._lock:
                memory = self._enter(*leaves)
                while memory is None:  # an address is not known yet, or somebody watches
                    memory = self._observed(leaves)
        if type(memory) is bytes:
            self.fail(memory)
        return list(map(filled, memory, self.types))

    def _observed(self, leaves: Sequence[Tensor]) -> Any:
        """What `_enter` returns; if there is an observer, it runs the step."""
        memory, watching = self.bind(leaves), observer
        if watching is None:
            return self._enter(*leaves) if not closed[0] else self._regardless(*leaves)
        if not watching(self):
            return memory
        status = self._status.tobytes()
        self._status[:] = 0
        return status

    def bind(self, leaves: Sequence[Tensor]) -> list[bytearray]:
        """Puts the addresses of the arguments and of new memory for the results into the table; returns that memory."""
        for tensor in leaves:
            tensor.address()
        bound: list[bytearray] = self._bind(*leaves)
        return bound

    def fail(self, status: bytes) -> None:
        """Raises the error that a status block tells of."""
        args, check, position, value = struct.unpack(f"={STATUS_WORDS}q", status)[2:6]
        number = self._starts.index((args - self.addresses[0]) // 8)
        raise self.program.error(number, check, position, value)
