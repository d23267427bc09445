"""What programs ask of devices and their memory, as in MindSpore's `runtime`, `hal` and `device_context`.

    start, end = ms.runtime.Event(enable_timing=True), ms.runtime.Event(enable_timing=True)
    start.record()
    y = net(x)
    end.record()
    print(start.elapsed_time(end))      # ms

There is one device, the CPU, and one stream on it: everything runs in the order in which it is called. Memory of the
CPU is not counted, and what sets how a device's queues and memory are used is accepted and changes nothing, both as in
MindSpore on a CPU.
"""

from __future__ import annotations

import re
import time
from types import SimpleNamespace
from typing import Any

from graphc import context
from graphc.tensor import settle

__all__ = [
    "Event", "Stream", "StreamCtx", "communication_stream", "current_stream", "default_stream", "device_count",
    "dispatch_threads_num", "empty_cache", "get_arch_list", "get_current_device", "get_device_capability",
    "get_device_name", "get_device_properties", "is_available", "is_initialized", "launch_blocking",
    "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats",
    "reset_max_memory_allocated", "reset_max_memory_reserved", "reset_peak_memory_stats", "set_cpu_affinity",
    "set_cur_stream", "set_kernel_launch_group", "set_memory", "synchronize",
]  # fmt: skip

# Streams


class Stream:
    """The one order in which everything runs; all streams are equal.

    Args:
        priority: accepted.
        kwargs: accepted.
    """

    id, device_name, device_id = 0, "CPU", 0

    def __init__(self, priority: int = 0, **kwargs: Any) -> None:
        if isinstance(priority, bool) or not isinstance(priority, int):
            raise TypeError(f"Stream: priority must be an int, got {priority!r}")

    def synchronize(self) -> None:
        """Waits until all that was called has been computed."""
        settle()

    def query(self) -> bool:
        """Whether all that was called has been computed; after this call it has."""
        settle()
        return True

    def record_event(self, event: Event | None = None) -> Event:
        """Records an event, by default a new one, and returns it."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Has what comes later run after an event: it does."""

    def wait_stream(self, stream: Stream) -> None:
        """Has what comes later run after what another stream has: it does."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream)

    def __hash__(self) -> int:
        return hash(Stream)

    def __repr__(self) -> str:
        return f"Stream(device_name={self.device_name}, device_id:{self.device_id}, stream id:{self.id})"


class Event:
    """A point in the order of what runs.

    Args:
        enable_timing: note the time when it is recorded.
        blocking: accepted.
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
        for name, flag in (("enable_timing", enable_timing), ("blocking", blocking)):
            if not isinstance(flag, bool):
                raise TypeError(f"Event: {name} must be a bool, got {flag!r}")
        self._timed = enable_timing
        self._at: float | None = None

    def record(self, stream: Stream | None = None) -> None:
        """Makes this the point that is reached when all that was called before has been computed."""
        if stream is not None and not isinstance(stream, Stream):
            raise TypeError(f"Event.record: expected a Stream, got {type(stream).__name__}")
        settle()
        self._at = time.perf_counter()

    def wait(self, stream: Stream | None = None) -> None:
        """Has what comes later run after this point: it does."""

    def synchronize(self) -> None:
        """Waits until the point is reached: it was when it was recorded."""

    def query(self) -> bool:
        """Whether the point is reached."""
        return True

    def elapsed_time(self, end_event: Event) -> float:
        """The time from this point to another, in ms.

        Raises:
            RuntimeError: one of them was not recorded, or does not note the time.
        """
        for event in (self, end_event):
            if event._at is None or not event._timed:
                what = "was not recorded" if event._timed else "was made without enable_timing"
                raise RuntimeError(f"Event.elapsed_time: an event {what}")
        assert self._at is not None and end_event._at is not None
        return (end_event._at - self._at) * 1e3


_ONLY = Stream()


class StreamCtx:
    """`with StreamCtx(stream): ...`: what is called within runs on a stream, which is the only one."""

    def __init__(self, ctx_stream: Stream | None) -> None:
        if ctx_stream is not None and not isinstance(ctx_stream, Stream):
            raise TypeError(f"StreamCtx: expected a Stream or None, got {type(ctx_stream).__name__}")

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: Any) -> None:
        return None


def current_stream() -> Stream:
    """The stream."""
    return _ONLY


default_stream = communication_stream = current_stream


def set_cur_stream(stream: Stream | None) -> None:
    """Has what comes later run on a stream, which is the only one."""
    StreamCtx(stream)


def synchronize() -> None:
    """Waits until all that was called has been computed."""
    settle()


def launch_blocking() -> None:
    """Has every op run when it is called: `set_context(pynative_synchronize=True)`."""
    context.set_context(pynative_synchronize=True)


# Devices


def is_available(device_target: str) -> bool:
    """Whether there is such a device: only "CPU" is."""
    return isinstance(device_target, str) and device_target.upper() == "CPU"


is_initialized = is_available


def _only_cpu(where: str, device_target: str | None) -> None:
    if device_target is not None and not is_available(device_target):
        raise ValueError(f"{where}: expected the device 'CPU', got {device_target!r}")


def device_count(device_target: str | None = None) -> int:
    """How many devices there are of a kind: 1.

    Raises:
        ValueError: another kind than "CPU".
    """
    _only_cpu("device_count", device_target)
    return 1


def get_device_name(device_id: int, device_target: str | None = None) -> str:
    """The name of a device: "CPU"."""
    _only_cpu("get_device_name", device_target)
    return "CPU"


def get_device_properties(device_id: int, device_target: str | None = None) -> None:
    """What is known of a device: nothing. So are `get_device_capability` and `get_arch_list`."""
    _only_cpu("get_device_properties", device_target)


get_device_capability = get_device_properties


def get_arch_list(device_target: str | None = None) -> None:
    """The kinds of devices that code was compiled for: None, as it is compiled when it is called."""
    _only_cpu("get_arch_list", device_target)


def get_current_device() -> tuple[str, int]:
    """The kind and the number of the device."""
    return "CPU", 0


# Memory and queues


def memory_allocated() -> int:
    """Bytes in use: 0, as they are not counted. So are `memory_reserved` and the greatest of both."""
    return 0


memory_reserved = max_memory_allocated = max_memory_reserved = memory_allocated


def memory_stats() -> dict[str, Any]:
    """What is known of memory in use, in bytes: zeros."""
    totals = [f"total_{kind}_memory" for kind in ("reserved", "allocated", "idle", "eager_free")]
    return dict.fromkeys([*totals, "max_reserved_memory", "max_allocated_memory"], 0)


def empty_cache() -> None:
    """Gives back memory that is kept for later: there is none."""


reset_max_memory_allocated = reset_max_memory_reserved = reset_peak_memory_stats = empty_cache


def set_memory(
    init_size: str = "2GB", increase_size: str = "2GB", max_size: str = "1024GB", optimize_level: str = "O0",
    huge_page_reserve_size: str = "0GB",
) -> None:
    """Accepted: how a device's memory is kept.

    Raises:
        ValueError: a size that is not like "2GB", or another level than "O0" and "O1".
    """
    sizes = {
        "init_size": init_size, "increase_size": increase_size, "max_size": max_size,
        "huge_page_reserve_size": huge_page_reserve_size,
    }  # fmt: skip
    for name, size in sizes.items():
        if not isinstance(size, str) or not re.fullmatch(r"\d+(\.\d+)? ?GB", size):
            raise ValueError(f"set_memory: {name} must be like '2GB', got {size!r}")
    if optimize_level not in ("O0", "O1"):
        raise ValueError(f"set_memory: optimize_level must be 'O0' or 'O1', got {optimize_level!r}")


def dispatch_threads_num(threads_num: int) -> None:
    """Accepted: how many threads hand work to a device.

    Raises:
        ValueError: no int above 0.
    """
    _positive("dispatch_threads_num", "threads_num", threads_num)


def set_kernel_launch_group(thread_num: int = 2, kernel_group_num: int = 8) -> None:
    """Accepted: in how many groups, by how many threads, kernels are handed to a device.

    Raises:
        ValueError: no ints above 0.
    """
    _positive("set_kernel_launch_group", "thread_num", thread_num)
    _positive("set_kernel_launch_group", "kernel_group_num", kernel_group_num)


def set_cpu_affinity(
    enable_affinity: bool, affinity_cpu_list: Any = None, module_to_cpu_dict: Any = None, bind_file: Any = None
) -> None:
    """Accepted: which cores threads run on. The system places them, on those that the process may use.

    Raises:
        TypeError: `enable_affinity` is no bool.
    """
    if not isinstance(enable_affinity, bool):
        raise TypeError(f"set_cpu_affinity: enable_affinity must be a bool, got {enable_affinity!r}")


def _positive(where: str, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{where}: {name} must be an int above 0, got {value!r}")


# `device_context`


def _threads_num(num: int) -> None:
    """Sets the threads of native code, as `set_context(runtime_num_threads=num)`."""
    _positive("threads_num", "num", num)
    context.set_context(runtime_num_threads=num)


cpu = SimpleNamespace(
    is_available=lambda: True, device_count=lambda: 1, op_tuning=SimpleNamespace(threads_num=_threads_num)
)
ascend = gpu = SimpleNamespace(is_available=lambda: False)
