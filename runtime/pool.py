"""The worker pool: native threads that share the outer loop of a kernel.

Compiled text calls

    void graphc_parallel(ptr kernel, ptr args, i64 n)

which calls `void kernel(ptr args, i64 begin, i64 end)` over 0..n, cut into one contiguous piece per thread. With T
threads, P = min(T, n) pieces are made, none empty: piece t is [n*t/P, n*(t+1)/P). The caller computes piece 0.
A call made while another is under way, from inside a kernel or from a second Python thread, runs on its own thread.

The pool is IR (`pool_ir.py`), compiled like any other module. Workers are made at first need. Here is what Python says
to it: how many threads there are, how long they spin, and what a caller may lose by calling them.
"""

import ctypes
import os
import time

from graphc.runtime import jit
from graphc.runtime.jit import Native
from graphc.runtime.pool_ir import MAX_THREADS, pool_ir
from graphc.runtime.target import available_cores, host

LOSS_NS = 200_000  # what calls may lose on balance before the caller computes alone

_SPIN_SECONDS = 25e-6  # a fork-join of two threads on one core costs about two of these

_threads: int | None = None  # None until someone asks or sets
_pool: Native | None = None


def num_threads() -> int:
    """Threads that share a kernel, the calling one included.

    The value of `set_num_threads`, else of the environment variable GRAPHC_NUM_THREADS, else the cores that this
    process may run on.

    Raises:
        ValueError: GRAPHC_NUM_THREADS is not a whole number from 1 to 256.
    """
    global _threads
    if _threads is None:
        text = os.environ.get("GRAPHC_NUM_THREADS", "")
        _threads = _checked(text, "GRAPHC_NUM_THREADS") if text else min(available_cores(), MAX_THREADS)
    return _threads


def set_num_threads(n: int) -> None:
    """Let `n` threads share each kernel from the next call on. Results do not depend on it.

    Raises:
        TypeError: `n` is not an int.
        ValueError: `n` is not from 1 to 256.
    """
    global _threads
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"set_num_threads: expected an int, got {type(n).__name__}")
    with jit.lock:
        _threads = _checked(n, "set_num_threads")
        if _pool:
            _configure(_pool)


def most_threads() -> int:
    """How many threads code that is compiled now should let share its work: those set, or one for each core."""
    return max(num_threads(), min(available_cores(), MAX_THREADS))


def address() -> int:
    """The address of `graphc_parallel`, which stays valid to the end of the process."""
    return _start().address("graphc_parallel")


def _checked(value: int | str, where: str) -> int:
    try:
        n = int(value)
    except ValueError:
        n = 0
    if not 1 <= n <= MAX_THREADS:
        raise ValueError(f"{where}: expected a number of threads from 1 to {MAX_THREADS}, got {value}")
    return n


def _start() -> Native:
    """The compiled pool."""
    global _pool
    with jit.lock:
        if _pool is None:
            names = ["graphc_parallel", "graphc_pool_configure", "graphc_pool_reset", "graphc_pool_spin"]
            pool = jit.compile_text([pool_ir(host())], names)
            pool.function("graphc_pool_reset", None)()
            _configure(pool)
            _pool = pool
        return _pool


def _configure(pool: Native) -> None:
    configure = pool.function("graphc_pool_configure", None, ctypes.c_int64, ctypes.c_int32, ctypes.c_int64)
    configure(num_threads(), _spins(pool), LOSS_NS)


def _spins(pool: Native) -> int:
    """How many looks at a word take _SPIN_SECONDS; cores differ tenfold in how long they pause."""
    spin = pool.function("graphc_pool_spin", None, ctypes.c_int32)
    looks, best = 1000, float("inf")
    for _ in range(3):
        start = time.perf_counter()
        spin(looks)
        best = min(best, time.perf_counter() - start)
    return max(100, min(int(looks * _SPIN_SECONDS / best), 100_000))


def _reset_in_child() -> None:
    """After fork(): the child has no workers, whatever the parent was doing."""
    if _pool:
        _pool.function("graphc_pool_reset", None)()


jit.publish("graphc_parallel", address)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)
