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

__all__ = [
    "get_enable_autotune",
    "get_enable_shared_mem",
    "get_num_parallel_workers",
    "get_numa_enable",
    "get_prefetch_size",
    "get_seed",
    "set_enable_autotune",
    "set_enable_shared_mem",
    "set_num_parallel_workers",
    "set_numa_enable",
    "set_prefetch_size",
    "set_seed",
]

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


_settings = _Settings()


def check_int(name: str, value: object, low: int, high: int | None = None) -> int:
    """`value` as an int, or the error that names what was given and the range `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: got {value!r} of type {type(value).__name__}, expected an int")
    if value < low or (high is not None and value > high):
        raise ValueError(
            f"{name}: got {value}, expected " + (f"at least {low}" if high is None else f"{low} to {high}")
        )
    return int(value)


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
