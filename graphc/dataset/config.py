"""Settings of the data pipeline: the seed, the worker threads, how far to work ahead.

    ds.config.set_seed(1)
    ds.config.set_num_parallel_workers(4)

The number of threads counts for operations added later, the rest for epochs that begin later. Everything random in a
pipeline (samplers, `shuffle`, random transforms) follows from the seed, the epoch number and the position of the
sample, so two programs with the same seed see the same data.
"""

import random
from dataclasses import dataclass

import numpy as np

from graphc.dataset.check import check_int

__all__ = [
    "get_callback_timeout", "get_dynamic_shape", "get_enable_autotune", "get_enable_shared_mem", "get_enable_watchdog",
    "get_fast_recovery", "get_monitor_sampling_interval", "get_multiprocessing_timeout_interval",
    "get_num_parallel_workers", "get_numa_enable", "get_prefetch_size", "get_seed", "set_callback_timeout",
    "set_dynamic_shape", "set_enable_autotune", "set_enable_shared_mem", "set_enable_watchdog", "set_fast_recovery",
    "set_monitor_sampling_interval", "set_multiprocessing_timeout_interval", "set_num_parallel_workers",
    "set_numa_enable", "set_prefetch_size", "set_seed",
]  # fmt: skip

MAX_UINT32 = 2**32 - 1


@dataclass
class _Settings:
    seed: int = 5489  # what MindSpore reports before any set_seed (the default seed of the mt19937 generator)
    seed_generation: int = 0  # counts set_seed calls: each restarts the epoch numbers
    num_parallel_workers: int = 1
    prefetch_size: int = 4
    enable_shared_mem: bool = False
    enable_autotune: bool = False
    numa_enable: bool = False
    enable_watchdog: bool = True
    fast_recovery: bool = True
    dynamic_shape: bool = False
    multiprocessing_timeout_interval: int = 300
    callback_timeout: int = 60
    monitor_sampling_interval: int = 1000


_settings = _Settings()


def set_seed(seed: int) -> None:
    """Seed every shuffle, sampler and random transform, and restart the epoch numbers.

    As in MindSpore, the global generators of `random` and `numpy.random` are seeded too, for the functions users map.

    Args:
        seed: int, 0 to 2**32 - 1.
    Raises:
        TypeError: not an int.
        ValueError: out of range.
    """
    value = check_int("set_seed", seed, 0, MAX_UINT32)
    _settings.seed = value
    _settings.seed_generation += 1
    random.seed(value)
    np.random.seed(value)


def get_seed() -> int:
    """The seed in force; 5489 until `set_seed` is called."""
    return _settings.seed


def seed_generation() -> int:
    """How often `set_seed` was called: datasets and transforms start counting anew when it changes."""
    return _settings.seed_generation


def set_num_parallel_workers(num: int) -> None:
    """Set the number of threads of operations that name none themselves.

    Args:
        num: int, at least 1. Results never depend on it, unless a user's function draws from a global generator.
    """
    _settings.num_parallel_workers = check_int("set_num_parallel_workers", num, 1)


def get_num_parallel_workers() -> int:
    """The number of threads of operations that name none themselves; 1 at first."""
    return _settings.num_parallel_workers


def check_workers(name: str, workers: int | None) -> int:
    """The number of threads asked for, or the one that is set."""
    if workers is None:
        return get_num_parallel_workers()
    return check_int(f"{name}: num_parallel_workers", workers, 1)


def set_prefetch_size(size: int) -> None:
    """Set how many rows (batches, after `batch`) a background thread may work ahead of the consumer.

    Args:
        size: int, at least 0. With 0 every row is made in the thread that asks for it.
    """
    _settings.prefetch_size = check_int("set_prefetch_size", size, 0)


def get_prefetch_size() -> int:
    """How many rows the background thread may work ahead; 4 at first."""
    return _settings.prefetch_size


def _set_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"set_{name}: got {value!r} of type {type(value).__name__}, expected a bool")
    setattr(_settings, name, value)


def set_enable_shared_mem(enable: bool) -> None:
    """Set whether worker processes hand over rows in shared memory: graphc's workers are threads, which always do."""
    _set_bool("enable_shared_mem", enable)


def get_enable_shared_mem() -> bool:
    """What `set_enable_shared_mem` set; False at first."""
    return _settings.enable_shared_mem


def set_enable_autotune(enable: bool) -> None:
    """Set whether the numbers of threads and of rows ahead are tuned while running.

    Raises:
        TypeError: not a bool.
        ValueError: True: graphc keeps to the numbers that are set.
    """
    if enable is True:
        raise ValueError("set_enable_autotune: got True, expected False: the numbers of threads and rows are not tuned")
    _set_bool("enable_autotune", enable)


def get_enable_autotune() -> bool:
    """Whether numbers are tuned: False."""
    return _settings.enable_autotune


def set_numa_enable(numa_enable: bool) -> None:
    """Set whether threads are bound to a NUMA node.

    Raises:
        TypeError: not a bool.
        ValueError: True: graphc leaves that to the system.
    """
    if numa_enable is True:
        raise ValueError("set_numa_enable: got True, expected False: threads are placed by the system")
    _set_bool("numa_enable", numa_enable)


def get_numa_enable() -> bool:
    """Whether threads are bound to a NUMA node: False."""
    return _settings.numa_enable


# Of worker processes and device queues, which graphc does not have: kept, so that programs may set and read them


def set_enable_watchdog(enable: bool) -> None:
    """Set whether processes that hang are looked for: threads end with the epoch."""
    _set_bool("enable_watchdog", enable)


def get_enable_watchdog() -> bool:
    """What `set_enable_watchdog` set; True at first."""
    return _settings.enable_watchdog


def set_fast_recovery(fast_recovery: bool) -> None:
    """Set whether a resumed run may draw other random numbers to begin sooner: graphc's begin at once with the same."""
    _set_bool("fast_recovery", fast_recovery)


def get_fast_recovery() -> bool:
    """What `set_fast_recovery` set; True at first."""
    return _settings.fast_recovery


def set_dynamic_shape(is_dynamic: bool) -> None:
    """Set whether batches of a device's queue may differ in shape: they always may."""
    _set_bool("dynamic_shape", is_dynamic)


def get_dynamic_shape() -> bool:
    """What `set_dynamic_shape` set; False at first."""
    return _settings.dynamic_shape


def set_multiprocessing_timeout_interval(interval: int) -> None:
    """Set after how many seconds without a row to warn of worker processes.

    Args:
        interval: int, at least 1.
    """
    name = "set_multiprocessing_timeout_interval"
    _settings.multiprocessing_timeout_interval = check_int(name, interval, 1)


def get_multiprocessing_timeout_interval() -> int:
    """What `set_multiprocessing_timeout_interval` set, in seconds; 300 at first."""
    return _settings.multiprocessing_timeout_interval


def set_callback_timeout(timeout: int) -> None:
    """Set how many seconds a pipeline waits for a callback of another thread: in graphc they run in its own.

    Args:
        timeout: int, at least 1.
    """
    _settings.callback_timeout = check_int("set_callback_timeout", timeout, 1)


def get_callback_timeout() -> int:
    """What `set_callback_timeout` set, in seconds; 60 at first."""
    return _settings.callback_timeout


def set_monitor_sampling_interval(interval: int) -> None:
    """Set how often MindSpore's profiler looks at queues: graphc's `profile` has none.

    Args:
        interval: int, at least 1, ms.
    """
    _settings.monitor_sampling_interval = check_int("set_monitor_sampling_interval", interval, 1)


def get_monitor_sampling_interval() -> int:
    """What `set_monitor_sampling_interval` set, in ms; 1000 at first."""
    return _settings.monitor_sampling_interval
