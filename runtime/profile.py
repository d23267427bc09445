"""Profiling: how long each kernel of an executable takes, by running them one by one on its own memory."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.runtime import jit
from graphc.runtime.executable import Executable
from graphc.tensor import Tensor


@dataclass(frozen=True)
class KernelTime:
    """One kernel's figures: median seconds a run, multiplications and additions, bytes it must move."""

    number: int
    name: str
    seconds: float
    flops: int
    nbytes: int
    where: str


def kernel_times(executable: Executable, leaves: Sequence[Tensor], rounds: int = 15) -> list[KernelTime]:
    """Runs every kernel `rounds` times, in order and on one thread, on these arguments.

    Kernels that update parameters change them: profile a copy of a network that is still needed.
    """
    program = executable.program
    native = jit.compile_text(program.texts(), list(dict.fromkeys(c.name for c in program.codes)))
    functions = [
        native.function(c.name, None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64) for c in program.codes
    ]
    outputs = executable.bind(leaves)  # kernels write there: it must live as long as they run
    samples: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for number, (function, code) in enumerate(zip(functions, program.codes, strict=True)):
            args = executable.arguments_of(number)
            start = time.thread_time()
            function(args, 0, code.units)
            samples[number].append(time.thread_time() - start)
    del outputs
    found = []
    for number, (code, group) in enumerate(zip(program.codes, program.schedule.groups, strict=True)):
        nbytes = sum(b.nbytes for b in code.buffers)
        where = str(next((n.loc for n in group.nodes if n.loc.file), ""))
        found.append(
            KernelTime(number, group.name, statistics.median(samples[number]), code.flops, nbytes, where)
        )
    return found
