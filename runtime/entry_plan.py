"""The plan of a call: what native code that Python calls as a built-in function does, as words in memory.

`entry_ir.py` is the code, written once for all plans; `entry.py` binds the two together.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from graphc.arrays import LARGE, PAGE
from graphc.ir import TensorType
from graphc.tensor import Tensor

STATUS_WORDS = 8
"""The status block, in i64: lock, whether an error is noted, the kernel's arguments, check, position, value."""

EXPECTED_WORDS = 4
"""The words for each argument: the object that it must be, or 0; its type, shape and dtype."""

closed = array.array("q", [0])
"""Not zero while steps may only run as a profile has them run: then code is for no arguments."""


class Word(IntEnum):
    """The words of a plan."""

    STEP = 0  # the native function; 0: only memory is made and addresses are written
    TABLE = 1
    STATUS = 2
    KEEPS_GIL = 3
    LEAST = 4  # how many arguments it takes
    MOST = 5
    EXPECTED = 6  # what is expected of each argument (`Expected`); 0: any tensor
    ADDRESSES = 7  # where the addresses of the arguments are noted
    INPUTS = 8  # where they go: (tensor, slot of the table, bytes further) each, ordered by tensor
    INPUTS_END = 9
    SIZES = 10  # of the memory to be made
    MEMORIES = 11  # how many
    OUTPUTS = 12  # where the addresses of results go: (memory, slot of the table, bytes further) each
    OUTPUTS_END = 13
    CLOSED = 14  # the address of a word: while that is not zero, the code is for no arguments
    STARTS = 15  # where the addresses of what was made are noted
    READ = 16  # the numbers of the large tensors among the arguments
    READ_END = 17
    # Objects and names
    NONE = 18
    TENSOR = 19
    ARRAY = 20
    TYPE = 21
    ADDRESS = 22
    BUFFER = 23
    CONTENT = 24
    SHAPE = 25
    DTYPE = 26


_OBJECTS = (None, Tensor, np.ndarray, *map(sys.intern, ("spec", "_address", "_buffer", "_array", "shape", "dtype")))


class Expected(NamedTuple):
    """What an argument must be: this object, or a Tensor or an array of this type."""

    type: TensorType | None
    same: Any = None

    def words(self) -> tuple[int, int, int, int]:
        """For a plan, which must keep the objects alive."""
        if self.type is None:
            return id(self.same), 0, 0, 0
        return 0, id(self.type), id(self.type.shape), id(self.type.dtype.np)


class Slot(NamedTuple):
    """Where the address of a tensor, and of so many bytes further, goes in a table."""

    tensor: int
    at: int
    further: int


class Plan:
    """What `graphc_enter` does.

    Args:
        step: the native function, the addresses of its table and of its status block.
        keeps_gil: whether no other thread runs meanwhile.
        inputs: the slots of the inputs, ordered by input.
        outputs: the slots of the results, by the memory that each lies in.
        sizes: of each memory that is made.
        most: of arguments.
        expected: of each argument; or None: any tensors, at most `most`.
        watched: whether it is for no arguments while a profile is open.
        read: the numbers of the arguments that are large.
    """

    def __init__(
        self, step: tuple[int, int, int], keeps_gil: bool, inputs: Sequence[Slot], outputs: Sequence[Slot],
        sizes: Sequence[int], most: int, expected: Sequence[Expected] | None = None, watched: bool = True,
        read: Sequence[int] = (),
    ) -> None:
        self._kept: list[Any] = [expected]
        least, most = (0, most) if expected is None else (len(expected), len(expected))
        if expected is not None:  # arguments that are no tensors do not count: what comes after those that are is bound
            tensors = sum(one.type is not None for one in expected)
            inputs = [slot for slot in inputs if slot.tensor < tensors]
        facts = [word for one in expected or () for word in one.words()]
        places, results = ([word for slot in slots for word in slot] for slots in (inputs, outputs))
        sizes = [size + PAGE if size > LARGE else size for size in sizes]  # to begin where it is best
        placed = any(size > LARGE for size in sizes)
        always = array.array("q", [0])
        self._kept.append(always)
        words = [*step, int(keeps_gil), least, most]
        words += [self._at(facts) if expected is not None else 0, self._at([0] * max(most, 1))]
        words += [*self._span(places), self._at(sizes), len(sizes), *self._span(results)]
        words += [(closed if watched else always).buffer_info()[0], self._at([0] * len(sizes))]
        words += [*self._span(read if placed else ()), *map(id, _OBJECTS)]
        assert len(words) == len(Word)
        self.address = self._at(words)

    def _at(self, words: Sequence[int]) -> int:
        """The address of these words, for as long as the plan lives."""
        kept = array.array("q", words or [0])
        self._kept.append(kept)
        return kept.buffer_info()[0]

    def _span(self, words: Sequence[int]) -> tuple[int, int]:
        start = self._at(words)
        return start, start + 8 * len(words)
