"""What programs for several machines ask about them. graphc runs in one process, which is number 0 of 1.

A program that trains on one device when it finds only one runs unchanged; a setting for more devices is an error.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ParallelMode", "get_auto_parallel_context", "get_group_size", "get_local_rank", "get_local_rank_size", "get_rank",
    "init", "reset_auto_parallel_context", "set_auto_parallel_context",
]  # fmt: skip


class ParallelMode:
    """The names of the ways to train on several devices; only `STAND_ALONE` can be set."""

    STAND_ALONE = "stand_alone"
    DATA_PARALLEL = "data_parallel"
    HYBRID_PARALLEL = "hybrid_parallel"
    SEMI_AUTO_PARALLEL = "semi_auto_parallel"
    AUTO_PARALLEL = "auto_parallel"
    MODE_LIST = (STAND_ALONE, DATA_PARALLEL, HYBRID_PARALLEL, SEMI_AUTO_PARALLEL, AUTO_PARALLEL)


_ALONE: dict[str, tuple[Any, ...]] = {
    "parallel_mode": (ParallelMode.STAND_ALONE,),
    "device_num": (1,),
    "global_rank": (0,),
    "gradients_mean": (False, True),
    "parameter_broadcast": (False, True),
    "full_batch": (False, True),
}
"""Each setting with the values that mean the same on one device; the first is its default."""

_settings: dict[str, Any] = {}


def set_auto_parallel_context(**kwargs: Any) -> None:
    """Sets how to train on several devices, which can only be: on one.

    Args:
        parallel_mode: "stand_alone".
        device_num: 1.
        global_rank: 0.
        gradients_mean, parameter_broadcast, full_batch: a bool; on one device they change nothing.
    Raises:
        ValueError: an unknown setting, or a value for several devices; nothing is changed then.
    """
    for key, value in kwargs.items():
        if key not in _ALONE:
            raise ValueError(f"set_auto_parallel_context: {key} is not recognized; known: {', '.join(_ALONE)}")
        if value not in _ALONE[key]:
            allowed = " or ".join(map(repr, _ALONE[key]))
            raise ValueError(f"set_auto_parallel_context: {key} must be {allowed} in one process, got {value!r}")
    _settings.update(kwargs)


def get_auto_parallel_context(attr_key: str) -> Any:
    """The value of one setting.

    Raises:
        ValueError: there is no such setting.
    """
    if attr_key not in _ALONE:
        raise ValueError(f"get_auto_parallel_context: {attr_key} is not recognized; known: {', '.join(_ALONE)}")
    return _settings.get(attr_key, _ALONE[attr_key][0])


def reset_auto_parallel_context() -> None:
    """Gives every setting its default."""
    _settings.clear()


def init(backend_name: str | None = None) -> None:
    """Joins the other processes.

    Raises:
        RuntimeError: always; there are none.
    """
    raise RuntimeError("communication.init: graphc runs in one process and has no others to talk to")


def get_rank(group: str | None = None) -> int:
    """The number of this process: 0."""
    return 0


def get_group_size(group: str | None = None) -> int:
    """How many processes there are: 1."""
    return 1


get_local_rank, get_local_rank_size = get_rank, get_group_size


def _get_parallel_mode() -> str:
    return str(get_auto_parallel_context("parallel_mode"))


def _get_gradients_mean() -> bool:
    return bool(get_auto_parallel_context("gradients_mean"))


_get_device_num, _get_global_rank = get_group_size, get_rank  # by which MindSpore's own wrappers ask
