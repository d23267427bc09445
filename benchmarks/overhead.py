"""What a step costs besides its native code: Python's time, NumPy's allocations; and what importing graphc costs.

    python benchmarks/overhead.py

Python's time is that of a step called by a user, with Tensors or with NumPy's arrays, less that of its one native call:
for LeNet and for perceptrons of up to 200 layers, whose native code takes very different times but whose call should
not. NumPy's allocations are counted by an allocator of our own that NumPy is told to use (NEP 49).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from harness import Report, number, quietest_core

import graphc as ms
from graphc import nn


class Allocations:
    """How often NumPy asked for memory for array data, and for how many bytes."""

    def __init__(self) -> None:
        self.count = self.nbytes = 0

    def note(self, nbytes: int) -> None:
        """Counts one."""
        self.count += 1
        self.nbytes += nbytes


_MALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_CALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_REALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_FREE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class _Handler(ctypes.Structure):
    """PyDataMem_Handler of NumPy's C API."""

    _fields_ = (
        ("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("context", ctypes.c_void_p), ("malloc", _MALLOC),
        ("calloc", _CALLOC), ("realloc", _REALLOC), ("free", _FREE),
    )  # fmt: skip


_SET_HANDLER = 304  # the place of PyDataMem_SetHandler in NumPy's table of functions
_kept: list[Any] = []  # arrays may outlive the counting, and free their memory through the handler they were made by


@contextmanager
def numpy_allocations() -> Iterator[Allocations]:
    """Counts NumPy's allocations of array data within the block."""
    counted, libc = Allocations(), ctypes.CDLL(None)
    for name, types in (("malloc", (ctypes.c_size_t,)), ("calloc", (ctypes.c_size_t,) * 2),
                        ("realloc", (ctypes.c_void_p, ctypes.c_size_t)), ("free", (ctypes.c_void_p,))):  # fmt: skip
        getattr(libc, name).argtypes = types
        getattr(libc, name).restype = ctypes.c_void_p

    def malloc(context: int, size: int) -> int:
        counted.note(size)
        return int(libc.malloc(size))

    def calloc(context: int, count: int, size: int) -> int:
        counted.note(count * size)
        return int(libc.calloc(count, size))

    def realloc(context: int, old: int, size: int) -> int:
        counted.note(size)
        return int(libc.realloc(old, size))

    handler = _Handler(
        b"counting", 1, None, _MALLOC(malloc), _CALLOC(calloc), _REALLOC(realloc),
        _FREE(lambda context, pointer, size: libc.free(pointer)),
    )  # fmt: skip
    api = ctypes.pythonapi
    api.PyCapsule_New.restype, api.PyCapsule_New.argtypes = ctypes.py_object, (ctypes.c_void_p,) * 3
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
    label = ctypes.c_char_p(b"mem_handler")
    capsule = api.PyCapsule_New(ctypes.addressof(handler), ctypes.cast(label, ctypes.c_void_p), None)
    _kept.extend((handler, label, capsule))
    table = ctypes.cast(
        api.PyCapsule_GetPointer(np._core._multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p)
    )
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[_SET_HANDLER])
    before = set_handler(capsule)
    try:
        yield counted
    finally:
        set_handler(before)


# The steps measured


class DeepMLP(nn.Cell):
    """`layers` small dense layers: much Python to write, little native code to run."""

    def __init__(self, layers: int, width: int = 16) -> None:
        super().__init__()
        cells: list[nn.Cell] = []
        for _ in range(layers):
            cells += [nn.Dense(width, width), nn.Tanh()]
        self.layers = nn.SequentialCell(*cells)
        self.head = nn.Dense(width, 10)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        """Args: [N, width]. Returns: [N, 10]."""
        return self.head(self.layers(x))


def lenet() -> nn.Cell:
    """LeNet-5."""
    from graphc.vision import LeNet5

    return LeNet5()


MODELS: dict[str, tuple[Callable[[], nn.Cell], tuple[int, ...]]] = {
    "LeNet-5, batch 32": (lenet, (32, 1, 32, 32)),
    "MLP of 2 layers of 16": (lambda: DeepMLP(2), (8, 16)),
    "MLP of 20 layers of 16": (lambda: DeepMLP(20), (8, 16)),
    "MLP of 200 layers of 16": (lambda: DeepMLP(200), (8, 16)),
}


def make_step(make: Callable[[], nn.Cell], shape: tuple[int, ...]) -> tuple[Any, tuple[np.ndarray, np.ndarray]]:
    """A jitted training step, and a batch for it."""
    network = make()
    network.set_train()
    loss_fn = nn.CrossEntropyLoss()
    optimizer = nn.Momentum(network.trainable_params(), 1e-3, 0.9)
    grad_fn = ms.value_and_grad(lambda x, y: loss_fn(network(x), y), None, optimizer.parameters)

    def step(x: ms.Tensor, y: ms.Tensor) -> ms.Tensor:
        loss, grads = grad_fn(x, y)
        optimizer(grads)
        return loss

    rng = np.random.default_rng(0)
    batch = rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, shape[0]).astype(np.int32)
    return ms.jit(step), batch


def seconds_each(call: Callable[[], Any], seconds: float = 0.02, samples: int = 25) -> float:
    """The median CPU time of a call."""
    count, times = 1, []
    while True:
        start = time.thread_time()
        for _ in range(count):
            call()
        taken = time.thread_time() - start
        if taken > seconds / 2:
            break
        count *= 2
    for _ in range(samples):
        start = time.thread_time()
        for _ in range(count):
            call()
        times.append((time.thread_time() - start) / count)
    return statistics.median(times)


def measure_step(make: Callable[[], nn.Cell], shape: tuple[int, ...]) -> dict[str, float]:
    """Microseconds of a step and of its native call, and what it allocates."""
    step, (x, y) = make_step(make, shape)
    step(x, y)
    executable = next(iter(step.cache.values())).executable
    outputs = executable.bind([ms.from_numpy(x), ms.from_numpy(y)])  # native code writes there
    native_step = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)(executable._step)
    addresses = [ctypes.c_void_p(address) for address in executable.addresses]
    tensors = ms.from_numpy(x), ms.from_numpy(y)
    native: list[float] = []
    whole: list[float] = []
    from_arrays: list[float] = []
    for _ in range(5):  # in turn: so that a slow minute is slow for all
        outputs = executable.bind(list(tensors))
        native.append(seconds_each(lambda: native_step(*addresses), samples=5))
        whole.append(seconds_each(lambda: step(*tensors), samples=5))
        from_arrays.append(seconds_each(lambda: step(x, y), samples=5))
    del outputs
    native_us, whole_us, arrays_us = (statistics.median(times) * 1e6 for times in (native, whole, from_arrays))
    with numpy_allocations() as counted:
        for _ in range(100):
            step(x, y)
    tracemalloc.start()
    step(x, y)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    step(x, y)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return {
        "native_us": native_us, "step_us": whole_us, "python_us": whole_us - native_us,
        "python_from_arrays_us": arrays_us - native_us,
        "numpy_allocations": counted.count / 100, "python_peak_bytes": float(peak),
    }  # fmt: skip


def import_seconds(rounds: int) -> dict[str, float]:
    """The median time of importing NumPy, and then graphc, in fresh processes that find their bytecode."""
    script = (
        "import time; a = time.perf_counter(); import numpy; b = time.perf_counter(); import graphc; "
        "c = time.perf_counter(); print(b - a, c - b)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        runs = [
            subprocess.run(
                [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
            ).stdout.split()
            for _ in range(rounds + 1)
        ]
    times = [[float(run[i]) for run in runs[1:]] for i in (0, 1)]  # the first one wrote the bytecode
    return {"numpy": statistics.median(times[0]), "graphc_after_numpy": statistics.median(times[1])}


def main(argv: list[str] | None = None) -> None:
    """Measures, prints, and writes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="write figures there")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables there, in Markdown")
    args = parser.parse_args(argv)
    os.sched_setaffinity(0, {quietest_core()})
    ms.set_context(mode=ms.GRAPH_MODE, runtime_num_threads=1)

    report = Report()
    steps = {name: measure_step(make, shape) for name, (make, shape) in MODELS.items()}
    columns = {
        "training step": "", "native, us": "native_us", "whole, us": "step_us", "Python, us": "python_us",
        "Python from arrays, us": "python_from_arrays_us", "NumPy allocations": "numpy_allocations",
        "Python memory, bytes": "python_peak_bytes",
    }  # fmt: skip
    rows = [[name, *(number(found[key]) for key in columns.values() if key)] for name, found in steps.items()]
    report.table("Overhead of a step in graph mode", list(columns), rows)
    imports = import_seconds(rounds=7)
    rows = [["numpy", f"{imports['numpy']:.3f}"], ["graphc, after numpy", f"{imports['graphc_after_numpy']:.3f}"]]
    report.table("Importing", ["", "s"], rows)
    report.save(args, "overhead", {"steps": steps, "imports": imports})


if __name__ == "__main__":
    main()
