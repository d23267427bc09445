"""Executables: a program's code and the memory it runs in; and how Python runs one.

In steady state a run patches the addresses of its arguments and outputs into a table and makes one native call.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir import Graph
from graphc.runtime import jit, pool
from graphc.runtime.binary import Binary
from graphc.schedule import Home
from graphc.tensor import Tensor, aligned_empty

if TYPE_CHECKING:
    from graphc.runtime.program import Program

_BYTE, _WORD = np.dtype(np.uint8), np.dtype(np.int64)

KERNEL_NS, STEP_NS = 40_000, 1_000_000
"""Estimated times below which a kernel, and a whole step, stay on one core: waking a parked worker takes some 50 us."""

STATUS_WORDS = 8
"""The status block, in i64: lock, whether an error is noted, the kernel's arguments, check, position, value."""

_new_bytes = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_char_p, ctypes.c_ssize_t)(
    ("PyByteArray_FromStringAndSize", ctypes.pythonapi)
)
"""A bytearray of so many bytes whose content is not set: kernels write all of it."""


SMALL_BYTES = 16_384
"""Up to this size memory that comes set to zero is had sooner than memory that does not."""


def _allocator(nbytes: int) -> Callable[[], Any]:
    """What makes new memory of so many bytes, each time it is called, as a ctypes object."""
    kind = ctypes.c_char * max(nbytes, 1)
    return kind if nbytes <= SMALL_BYTES else lambda: kind.from_buffer(_new_bytes(None, nbytes))


observer: Callable[[Executable], int] | None = None
"""While a profile is open, what runs a step in place of its native function (`graphc.runtime.profile`)."""


class _Slots:
    """Where a table holds the address of one input or output, and where an address so many bytes further."""

    __slots__ = ("at", "further")

    def __init__(self) -> None:
        self.at: list[int] = []
        self.further: list[tuple[int, int]] = []

    def fill(self, table: Any, address: int) -> None:
        for slot in self.at:
            table[slot] = address
        for slot, beyond in self.further:
            table[slot] = address + beyond


class Executable:
    """A program's binary with its memory: call it with the arguments' tensors.

    Args:
        graph: what it computes; read for the number and the types of inputs and outputs.
        binary: its code, and where its buffers live.
        bound: the tensors of the inputs that are no arguments.
        program: makes the program that the binary is of, when an error or a profile asks for it.
    Raises:
        MissingCodeError: object code of the binary is not in the cache any more.
    """

    def __init__(
        self, graph: Graph, binary: Binary, bound: Sequence[Tensor], program: Callable[[], Program]
    ) -> None:
        self.bound, self._make_program = tuple(bound), program
        jit.publish("graphc_parallel", pool.address)
        self._native = jit.load(binary.sources, [binary.step])
        self._step: Callable[[int, int], int] = self._native.function(
            binary.step, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, keeps_gil=binary.brief
        )
        self.arena_bytes = binary.arena_bytes
        self._arena = aligned_empty((max(binary.arena_bytes, 1),), _BYTE)
        self._status = aligned_empty((STATUS_WORDS,), _WORD)
        self._status[:] = 0
        self._lock = threading.Lock()
        self._arguments = graph.arguments
        self._types = tuple(o.type for o in graph.outputs)
        self._fill_table(binary, len(graph.inputs))

    @functools.cached_property
    def program(self) -> Program:
        """How the binary came about."""
        return self._make_program()

    def _fill_table(self, binary: Binary, inputs: int) -> None:
        self._inputs = [_Slots() for _ in range(inputs)]
        outputs = [_Slots() for _ in self._types]
        self._starts: list[int] = []
        entries: list[int] = []
        arena, status = self._arena.ctypes.data, self._status.ctypes.data

        def add(home: Home) -> None:
            if home.kind != "arena":
                slots = (outputs if home.kind == "output" else self._inputs)[home.at]
                slots.further.append((len(entries), home.beyond)) if home.beyond else slots.at.append(len(entries))
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
        self._table_address = ctypes.addressof(self._table)
        for tensor, slots in zip(self.bound, self._inputs[self._arguments :], strict=True):
            slots.fill(self._table, tensor.address())
        self._status_address = status
        self._outputs = [(_allocator(t.nbytes), slots) for t, slots in zip(self._types, outputs, strict=True)]

    def __call__(self, leaves: Sequence[Tensor], results: list[Tensor] | None = None) -> list[Tensor]:
        """Runs the program on the arguments.

        Args:
            leaves: a tensor for each argument; or for each input, in place of those that were bound.
            results: promised tensors that are to hold the results; new ones are made otherwise.
        Raises:
            IndexError: an index read from data is out of range; parameters and other state are as before.
        """
        with self._lock:
            buffers, addresses = self.bind(leaves)
            watching = observer
            if self._step(self._table_address, self._status_address) if watching is None else watching(self):
                self._raise()
        if results is None:
            return list(map(Tensor.from_buffer, buffers, addresses, self._types))
        for promised, buffer, address in zip(results, buffers, addresses, strict=True):
            promised.hold(buffer, address)
        return results

    def bind(self, leaves: Sequence[Tensor]) -> tuple[list[Any], list[int]]:
        """Puts the addresses of the arguments and of new memory for the outputs into the table.

        Returns:
            The memory of each output, and its address.
        """
        table = self._table
        for tensor, slots in zip(leaves, self._inputs):  # inputs after the leaves stay as they were bound
            slots.fill(table, tensor._address or tensor.address())
        buffers, addresses = [], []
        for allocate, slots in self._outputs:
            buffer = allocate()
            address = ctypes.addressof(buffer)
            slots.fill(table, address)
            buffers.append(buffer)
            addresses.append(address)
        return buffers, addresses

    @property
    def addresses(self) -> tuple[int, int]:
        """What a step is called with: the addresses of the table and of the status block."""
        return self._table_address, self._status_address

    def _raise(self) -> None:
        args, check, position, value = (int(w) for w in self._status[2:6])
        self._status[:] = 0
        number = self._starts.index((args - self._table_address) // 8)
        node, what, extent = self.program.check(number, check)
        where = f"; {node.loc}" if str(node.loc) else ""
        raise IndexError(f"{node.op}: {what} {value} at position {position} is out of range [0, {extent}){where}")
