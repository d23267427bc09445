"""The settings of the process: the mode, the thread count, where dumps go; and how traces learn that Cells changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

GRAPH_MODE = 0
PYNATIVE_MODE = 1
STRICT, COMPATIBLE, LAX = 0, 1, 2


class _Setting(NamedTuple):
    default: Any
    kinds: tuple[type, ...]
    takes: Callable[[Any], bool]
    must: str


def _one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda value: value in values


def _any(value: Any) -> bool:
    return True


def _flag(default: bool) -> _Setting:
    return _Setting(default, (bool,), _any, "must be a bool")


def _count(default: int | None) -> _Setting:
    return _Setting(default, (int,), lambda value: value >= 1, "must be an int >= 1")


_OPTIONS = _Setting(None, (dict,), _any, "must be a dict")

_SETTINGS = {
    "mode": _Setting(
        PYNATIVE_MODE, (int,), _one_of(GRAPH_MODE, PYNATIVE_MODE),
        "should be context.GRAPH_MODE (0) or context.PYNATIVE_MODE (1)",
    ),
    "device_target": _Setting("CPU", (str,), _one_of("CPU"), "must be 'CPU'"),
    "device_id": _Setting(0, (int,), _one_of(0), "must be 0: the CPU is one device"),
    "save_graphs": _Setting(False, (bool, int), _one_of(0, 1, 2, 3), "must be a bool or a level 0 to 3"),
    "save_graphs_path": _Setting("./ir", (str, os.PathLike), _any, "must be a path"),
    "runtime_num_threads": _count(None),
    "max_call_depth": _count(1000),
    "pynative_synchronize": _flag(False),
    "jit_syntax_level": _Setting(
        LAX, (int,), _one_of(STRICT, COMPATIBLE, LAX), "must be STRICT (0), COMPATIBLE (1) or LAX (2)"
    ),
    "deterministic": _Setting("ON", (str,), _one_of("ON", "OFF"), "must be 'ON' or 'OFF'"),
    "jit_config": _OPTIONS,
    "jit_level": _Setting("O0", (str,), _one_of("O0", "O1", "O2"), "must be 'O0', 'O1' or 'O2'"),
    "enable_graph_kernel": _flag(True),
    "graph_kernel_flags": _Setting("", (str,), _any, "must be a str"),
    "memory_optimize_level": _Setting("O0", (str,), _one_of("O0", "O1"), "must be 'O0' or 'O1'"),
    "reserve_class_name_in_scope": _flag(False),
    "enable_compile_cache": _flag(True),
    "ascend_config": _OPTIONS,
    "gpu_config": _OPTIONS,
}  # fmt: skip

_settings: dict[str, Any] = {key: setting.default for key, setting in _SETTINGS.items()}

structure = 0
"""Grows whenever any Cell or Parameter changes what a trace depends on."""


def structure_changed() -> None:
    """Notes that traces made so far may no longer hold; each checks the Cells it visited before its next run."""
    global structure
    structure += 1


def in_graph_mode() -> bool:
    """Whether what is called by itself is compiled."""
    return bool(_settings["mode"] == GRAPH_MODE)


def synchronizes() -> bool:
    """Whether each op of eager mode runs when it is called."""
    return bool(_settings["pynative_synchronize"])


def set_context(**kwargs: Any) -> None:
    """Sets one or more settings.

    Args:
        mode: GRAPH_MODE (0) or PYNATIVE_MODE (1).
        runtime_num_threads: threads of native code, at least 1; results do not depend on it.
        save_graphs: write the dumps of every compile (True, False, or a level 0 to 3: any above 0 means True).
        save_graphs_path: the folder of the dumps; the first that a process writes there removes those of others.
        device_target: only "CPU".
        device_id: only 0.
        pynative_synchronize: in PYNATIVE_MODE run every op when it is called, one by one, rather than what a Cell calls
            in one piece; the results are the same.
        jit_syntax_level: what becomes of functions that no graph can be made of, as they depend on values: by default
            (LAX) they run op by op, which a warning says; STRICT makes them errors.
        deterministic, jit_config, jit_level, enable_graph_kernel, graph_kernel_flags, memory_optimize_level,
        reserve_class_name_in_scope, enable_compile_cache, ascend_config, gpu_config: settings of MindSpore's compiler
            and devices, kept for `get_context`: results are deterministic, and the same, whatever they are.
    Raises:
        ValueError: an unknown setting or a value it cannot take; nothing is changed then.
        TypeError: a value of another type; likewise.
    """
    for key, value in kwargs.items():
        _check(key, value)
    for key, value in kwargs.items():
        if key == "runtime_num_threads":
            from graphc.programs import set_num_threads

            set_num_threads(value)
        _settings[key] = bool(value) if key == "save_graphs" else value


def _check(key: str, value: Any) -> None:
    where = "For 'context.set_context',"
    if key not in _SETTINGS:
        known = ", ".join(sorted(_SETTINGS))
        raise ValueError(f"{where} the keyword argument {key} is not recognized! Known: {known}.")
    kinds = _SETTINGS[key].kinds
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{where} the argument {key!r} {_SETTINGS[key].must}, but got {value!r}.")
    if not _SETTINGS[key].takes(value):
        raise ValueError(f"{where} the argument {key!r} {_SETTINGS[key].must}, but got {value!r}.")


def get_context(attr_key: str) -> Any:
    """The value of one setting.

    Raises:
        ValueError: there is no such setting.
    """
    if attr_key not in _settings:
        raise ValueError(f"For 'context.get_context', the argument {attr_key} is not recognized!")
    if attr_key == "runtime_num_threads" and _settings[attr_key] is None:
        from graphc.programs import num_threads

        return num_threads()
    return _settings[attr_key]


def set_device(device_target: str, device_id: int | None = None) -> None:
    """Chooses the device: only `CPU`, and of it only number 0."""
    set_context(device_target=device_target)
    if device_id not in (None, 0):
        raise ValueError(f"set_device: the CPU has only device 0, got {device_id}")


def set_recursion_limit(recursion_limit: int = 1000) -> None:
    """How deep functions may call each other; as `set_context(max_call_depth=...)`."""
    set_context(max_call_depth=recursion_limit)
