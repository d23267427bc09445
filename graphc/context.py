"""The settings of the process: the mode, the thread count, where dumps go; and the seed."""

from __future__ import annotations

import os
from typing import Any

GRAPH_MODE = 0
PYNATIVE_MODE = 1

_settings: dict[str, Any] = {
    "mode": PYNATIVE_MODE,
    "device_target": "CPU",
    "device_id": 0,
    "save_graphs": False,
    "save_graphs_path": "./ir",
    "runtime_num_threads": None,
    "max_call_depth": 1000,
    "pynative_synchronize": False,
}

_structure = 0


def structure() -> int:
    """Grows whenever any Cell or Parameter changes what a trace depends on."""
    return _structure


def structure_changed() -> None:
    """Notes that traces made so far may no longer hold; each checks the Cells it visited before its next run."""
    global _structure
    _structure += 1


def in_graph_mode() -> bool:
    """Whether what is called by itself is compiled."""
    return bool(_settings["mode"] == GRAPH_MODE)


def set_context(**kwargs: Any) -> None:
    """Sets one or more settings.

    Args:
        mode: GRAPH_MODE (0) or PYNATIVE_MODE (1).
        runtime_num_threads: threads of native code, at least 1; results do not depend on it.
        save_graphs: write the dumps of every compile (True, False, or a level 0 to 3: any above 0 means True).
        save_graphs_path: the folder of the dumps.
        device_target: only "CPU".
        device_id: only 0.
        pynative_synchronize: in PYNATIVE_MODE run every op when it is called, one by one, rather than what a Cell calls
            in one piece; the results are the same.
    Raises:
        ValueError: an unknown setting or a value it cannot take; nothing is changed then.
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
    if key not in _settings:
        known = ", ".join(sorted(_settings))
        raise ValueError(f"{where} the keyword argument {key} is not recognized! Known: {known}.")
    if key == "mode" and (isinstance(value, bool) or value not in (GRAPH_MODE, PYNATIVE_MODE)):
        raise ValueError(
            f"{where} the argument 'mode' should be context.GRAPH_MODE (0) or context.PYNATIVE_MODE (1), "
            f"but got {value}."
        )
    if key == "device_target" and value != "CPU":
        raise ValueError(f"{where} the argument 'device_target' must be 'CPU', but got {value!r}.")
    if key == "device_id" and (isinstance(value, bool) or value != 0):
        raise ValueError(f"{where} the argument 'device_id' must be 0: the CPU is one device, but got {value!r}.")
    if key == "runtime_num_threads" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{where} the argument 'runtime_num_threads' must be an int >= 1, but got {value!r}.")
    if key == "save_graphs" and value not in (False, True, 0, 1, 2, 3):
        raise ValueError(f"{where} the argument 'save_graphs' must be a bool or a level 0 to 3, but got {value!r}.")
    if key == "pynative_synchronize" and not isinstance(value, bool):
        raise ValueError(f"{where} the argument 'pynative_synchronize' must be a bool, but got {value!r}.")
    if key == "save_graphs_path" and not isinstance(value, (str, os.PathLike)):
        raise ValueError(f"{where} the argument 'save_graphs_path' must be a path, but got {value!r}.")
    if key == "max_call_depth" and (not isinstance(value, int) or value < 1):
        raise ValueError(f"{where} the argument 'max_call_depth' must be an int >= 1, but got {value!r}.")


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
