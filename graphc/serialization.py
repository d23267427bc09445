"""Checkpoints: Parameters by name in a file, and back.

    save_checkpoint(net, "lenet.ckpt", append_dict={"epoch": 3})
    load_param_into_net(net, load_checkpoint("lenet.ckpt"))

Inside, a checkpoint is a safetensors file whatever it is called: names, types, shapes and raw numbers, no code. Python
scalars of `append_dict` are stored as numbers of rank 0, strings in the file's metadata, with the order of the names.
MindSpore reads it as `format="safetensors"`, and its own files (`graphc.mindspore_file`) are read here too.
A file appears whole or not at all: it is written beside its place, flushed to the disk and then renamed over it.
"""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc import mindspore_file
from graphc.dtype import dtype_of
from graphc.parameter import Parameter
from graphc.place import warn
from graphc.tensor import Tensor, as_array

if TYPE_CHECKING:
    from graphc.nn.cell import Cell

SUFFIXES = {"ckpt": ".ckpt", "safetensors": ".safetensors"}
METADATA_KEY = "graphc"  # of the file's string-to-string metadata; holds JSON: order, strings, checksum
WIDE_KEY = "complex128"  # holds a JSON list: what is complex128, which the format lacks; its parts are kept, [..., 2]


def save_checkpoint(
    save_obj: Any, ckpt_file_name: str | os.PathLike[str], integrated_save: bool = True,
    async_save: bool | str = False, append_dict: dict[str, Any] | None = None, enc_key: bytes | None = None,
    enc_mode: str = "AES-GCM", choice_func: Callable[[str], bool] | None = None, crc_check: bool = False,
    format: str = "ckpt",
) -> None:
    """Writes Parameters to a file.

    Args:
        save_obj: a Cell (a network or an optimizer), a dict of name to Parameter or Tensor, or a list of Parameters and
            of `{"name": str, "data": Parameter or Tensor}`.
        ckpt_file_name: the file; gains the suffix `.ckpt` (or `.safetensors`, by `format`) unless it has one of them
            or ends with `format`.
        integrated_save: of a network split over devices, which graphc's never are: changes nothing.
        append_dict: further names and values: numbers, bools, strings, Tensors.
        choice_func: says of each name of `save_obj` whether it is saved.
        crc_check: whether to store a checksum, which `load_checkpoint(crc_check=True)` verifies.
        format: "ckpt" or "safetensors"; only the suffix differs. MindSpore reads the latter.
        async_save: accepted; the file is complete when the call returns, whatever it says.
        enc_key, enc_mode: only at MindSpore's defaults.
    Raises:
        TypeError: `save_obj` or a value is of another kind.
        ValueError: a name twice, nothing to save, or an option graphc cannot honour.
        OSError: the file cannot be written (no such folder, full disk); an older file of this name stays as it was.
    """
    if format not in SUFFIXES:
        raise ValueError(f"save_checkpoint: format must be one of {sorted(SUFFIXES)}, got {format!r}")
    if append_dict is not None and not isinstance(append_dict, dict):
        raise TypeError(f"save_checkpoint: append_dict must be a dict, got {type(append_dict).__name__}")
    if not isinstance(async_save, bool) and async_save not in ("process", "thread"):
        error = ValueError if isinstance(async_save, str) else TypeError
        raise error(f"save_checkpoint: async_save must be a bool, 'process' or 'thread', got {async_save!r}")
    _refuse_encryption("save_checkpoint", enc_key, enc_mode)
    values = _chosen(_named_values(save_obj), choice_func)
    for name, value in (append_dict or {}).items():
        if name in values:
            raise ValueError(f"save_checkpoint: append_dict has {name!r}, which is a name of save_obj too")
        values[name] = value
    if not values:
        raise ValueError("save_checkpoint: nothing to save: save_obj has no Parameters (or choice_func chose none)")
    _write(_with_suffix(ckpt_file_name, format), values, crc_check)


def load_checkpoint(
    ckpt_file_name: str | os.PathLike[str], net: Cell | None = None, strict_load: bool = False,
    filter_prefix: str | Iterable[str] | None = None, dec_key: bytes | None = None, dec_mode: str = "AES-GCM",
    specify_prefix: str | Iterable[str] | None = None, choice_func: Callable[[str], bool] | None = None,
    crc_check: bool = False, remove_redundancy: bool = False, format: str = "ckpt",
) -> dict[str, Any]:
    """Reads a file that `save_checkpoint` wrote, any other safetensors file, or one that MindSpore has written.

    Args:
        ckpt_file_name: the file; where it does not exist, that name with a checkpoint's suffix is tried.
        net: a network to load the Parameters into (`load_param_into_net`).
        strict_load: see `load_param_into_net`.
        filter_prefix: a prefix (or several): names that start so are left out.
        specify_prefix: a prefix (or several): only names that start so are read.
        choice_func: says of each name whether it is read.
        crc_check: verify the checksum that `save_checkpoint(crc_check=True)` stored.
        format: "ckpt" or "safetensors"; both are read alike.
        dec_key, dec_mode, remove_redundancy: only at MindSpore's defaults.
    Returns:
        Names in the order they were saved, each with its Parameter; strings of `append_dict` as str.
    Raises:
        ValueError: no such file; not a checkpoint, or a damaged one; nothing left after filtering; or an option graphc
            cannot honour.
        RuntimeError: it does not fit `net`.
    """
    _refuse_encryption("load_checkpoint", dec_key, dec_mode)
    if remove_redundancy:
        raise ValueError("load_checkpoint: remove_redundancy is not supported: there is no distributed training")
    path = _existing(ckpt_file_name, format)
    wanted = _filter(filter_prefix, specify_prefix, choice_func)
    loaded = {name: _parameter(path, name, value) for name, value in _read(path, wanted, crc_check).items()}
    if not loaded:
        raise ValueError(
            f"load_checkpoint: nothing is left of {path} after filter_prefix={filter_prefix!r}, "
            f"specify_prefix={specify_prefix!r}, choice_func={choice_func!r}"
        )
    if net is not None:
        load_param_into_net(net, loaded, strict_load)
    return loaded


def load_param_into_net(
    net: Cell, parameter_dict: dict[str, Any], strict_load: bool = False, remove_redundancy: bool = False
) -> tuple[list[str], list[str]]:
    """Gives the Parameters of a network (or optimizer) the values of those of the same name; on error, to none of them.

    Args:
        net: the Cell.
        parameter_dict: name to Parameter, as `load_checkpoint` returns it.
        strict_load: types and shapes must agree exactly. Otherwise a value of another width of the same kind (float64
            for float32, int32 for int64) is converted, a list of one number stands for the number (as in MindSpore's
            `global_step`), and where names of the file are those of `net` behind one common prefix
            (`backbone.fc.weight` for `fc.weight`), they are taken for them. So are names without that of a list
            (`0.weight` for `layers.0.weight`), which MindSpore gives where Cells are appended to an empty one.
        remove_redundancy: only False.
    Returns:
        The names of `net`'s Parameters that were not loaded (about which it also warns), and the names in
        `parameter_dict` that were not used.
    Raises:
        TypeError: not a Cell, or not a dict of names to Parameters.
        RuntimeError: a shape or type that does not fit.
    """
    from graphc.nn.cell import Cell

    if not isinstance(net, Cell):
        raise TypeError(f"load_param_into_net: expected net to be a Cell, got {type(net).__name__}")
    if not isinstance(parameter_dict, dict):
        got = type(parameter_dict).__name__
        raise TypeError(f"load_param_into_net: expected parameter_dict to be a dict, got {got}")
    if not isinstance(strict_load, bool):
        raise TypeError(f"load_param_into_net: strict_load must be a bool, got {strict_load!r}")
    if remove_redundancy:
        raise ValueError("load_param_into_net: remove_redundancy is not supported: there is no distributed training")
    for name, value in parameter_dict.items():
        if not isinstance(name, str) or not isinstance(value, (Parameter, str)):
            raise TypeError(
                f"load_param_into_net: expected parameter_dict to hold Parameters by name, got {name!r}: "
                f"{type(value).__name__}"
            )
    targets = {parameter.name: parameter for parameter in net.get_parameters()}
    sources = _matches(targets, parameter_dict, strict_load)
    fitting = {name: _fitted(targets[name], parameter_dict[source], strict_load) for name, source in sources.items()}
    for name, value in fitting.items():
        targets[name].set_data(value)
    missing = [name for name in targets if name not in sources]
    if missing:
        warn(
            f"load_param_into_net: {len(missing)} of {len(targets)} Parameters of {type(net).__name__} are not in the "
            f"checkpoint and keep their values: {_some(missing)}"
        )
    used = set(sources.values())
    return missing, [name for name in parameter_dict if name not in used]


# What to save


def _named_values(save_obj: Any) -> dict[str, Any]:
    """The names and values of a Cell, a dict or a list of dicts."""
    from graphc.nn.cell import Cell

    pairs: list[tuple[str, Any]]
    if isinstance(save_obj, Cell):
        pairs = [(parameter.name, parameter) for parameter in save_obj.get_parameters()]
    elif isinstance(save_obj, dict):
        pairs = list(save_obj.items())
    elif isinstance(save_obj, list):
        items: list[Any] = [{"name": p.name, "data": p} if isinstance(p, Parameter) else p for p in save_obj]
        for item in items:
            if not isinstance(item, dict) or not {"name", "data"} <= set(item):
                raise TypeError(f"save_checkpoint: expected a list of {{'name', 'data'}}, got an item {item!r:.80}")
        pairs = [(item["name"], item["data"]) for item in items]
    else:
        got = type(save_obj).__name__
        raise TypeError(f"save_checkpoint: expected save_obj to be a Cell, a dict or a list, got {got}")
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"save_checkpoint: two Parameters are named {name!r}; give one of them another name")
        values[name] = value
    return values


def _chosen(values: dict[str, Any], choice_func: Callable[[str], bool] | None) -> dict[str, Any]:
    return {name: value for name, value in values.items() if choice_func is None or choice_func(name)}


def _stored(name: Any, value: Any) -> np.ndarray:
    """A value as the array that is stored; a Python float as float64, so that none of it is lost."""
    if not isinstance(name, str):
        raise TypeError(f"save_checkpoint: expected names to be str, got {name!r}")
    if isinstance(value, float):
        return np.array(value)
    if isinstance(value, (Tensor, np.ndarray, np.generic, bool, int)):
        return as_array(value)
    got = type(value).__name__
    raise TypeError(f"save_checkpoint: expected {name!r} to be a Parameter, Tensor, number or str, got {got}")


# Files


def _write(path: str, values: dict[str, Any], checksum: bool) -> None:
    strings = {name: value for name, value in values.items() if isinstance(value, str)}
    arrays = {name: _stored(name, value) for name, value in values.items() if name not in strings}
    notes: dict[str, Any] = {"names": list(values), "strings": strings}
    if checksum:
        notes["crc32"] = _checksum(arrays)
    write_file("save_checkpoint", path, arrays, {METADATA_KEY: json.dumps(notes)})


def write_file(where: str, path: str, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Writes a safetensors file, whole or not at all.

    Args:
        where: what errors call the function that asks for it.
    Raises:
        OSError: it cannot be written; a file that was there before is as it was.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    folder, base = os.path.split(path)
    if not os.path.isdir(folder or "."):
        raise FileNotFoundError(f"{where}: there is no folder {folder!r} to write {base!r} into")
    unfinished = os.path.join(folder, f".{base}.{os.getpid()}.tmp")
    try:
        wide = [name for name, array in arrays.items() if array.dtype == np.complex128]
        parts = {name: np.stack([arrays[name].real, arrays[name].imag], -1) for name in wide}
        notes = {WIDE_KEY: json.dumps(wide)} if wide else {}
        save_file(arrays | parts, unfinished, metadata | notes)
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except (OSError, SafetensorError) as error:
        code = getattr(error, "errno", None)
        message = f"{where}: could not write {path}: {error}; a file that was there before is as it was"
        raise OSError(code, message) if code else OSError(message) from error
    finally:
        if os.path.exists(unfinished):
            os.unlink(unfinished)


def read_file(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata of a safetensors file.

    Raises:
        ValueError: it is none, or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: _held(file, name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 (no dict)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _held(file: Any, name: str) -> np.ndarray:
    """An array of an open file."""
    array: np.ndarray = file.get_tensor(name)
    if name not in json.loads((file.metadata() or {}).get(WIDE_KEY, "[]")):
        return array
    return np.ascontiguousarray(array).view(np.complex128).reshape(array.shape[:-1])


def _read(path: str, wanted: Callable[[str], bool], checksum: bool) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    if mindspore_file.is_mindspores(path):
        return mindspore_file.read(path, wanted, checksum)
    try:
        with safe_open(path, framework="numpy") as file:
            stored = list(file.keys())
            notes = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
            strings: dict[str, str] = notes.get("strings", {})
            if checksum:
                _verify({name: _held(file, name) for name in sorted(stored)}, notes, path)
            found: dict[str, Any] = {name: _held(file, name) for name in stored if wanted(name)}
    except (SafetensorError, OSError, json.JSONDecodeError, AttributeError, TypeError) as error:
        raise ValueError(f"load_checkpoint: {path} is not a checkpoint, or is damaged: {error}") from error
    found |= {name: text for name, text in strings.items() if wanted(name)}
    order = {name: place for place, name in enumerate(notes.get("names", []))}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _parameter(path: str, name: str, value: np.ndarray | str) -> Parameter | str:
    if isinstance(value, str):
        return value
    try:
        dtype_of(value.dtype)
    except TypeError as error:
        raise ValueError(f"load_checkpoint: {name!r} in {path} is of no type graphc has: {error}") from None
    return Parameter(value, name)


def _checksum(arrays: dict[str, np.ndarray]) -> int:
    """The CRC-32 of all names, types and numbers."""
    crc = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        crc = zlib.crc32(f"{name} {array.dtype} {arrays[name].shape}".encode(), crc)
        crc = zlib.crc32(array.reshape(-1).view(np.uint8).data, crc)
    return crc


def _verify(arrays: dict[str, np.ndarray], notes: dict[str, Any], path: str) -> None:
    if "crc32" not in notes:
        raise ValueError(f"load_checkpoint: {path} has no checksum to verify; save it with crc_check=True")
    found = _checksum(arrays)
    if found != notes["crc32"]:
        raise ValueError(f"load_checkpoint: {path} is damaged: its checksum is {notes['crc32']}, its content's {found}")


def _with_suffix(file: str | os.PathLike[str], format: str) -> str:
    path = _path("save_checkpoint", file)
    if not isinstance(path, str) or not os.path.basename(path):
        raise ValueError(f"save_checkpoint: expected a file name, got {file!r}")
    return path if path.endswith((format, *SUFFIXES.values())) else path + _suffix("save_checkpoint", format)


def _path(where: str, file: Any) -> Any:
    if not isinstance(file, (str, bytes, os.PathLike)):
        raise TypeError(f"{where}: ckpt_file_name must be a str or a path, got {file!r:.80}")
    return os.fspath(file)


def _existing(file: str | os.PathLike[str], format: str) -> str:
    path: str = _path("load_checkpoint", file)
    for candidate in (path, path + _suffix("load_checkpoint", format), *(path + s for s in SUFFIXES.values())):
        if os.path.isfile(candidate):
            return candidate
    raise ValueError(f"load_checkpoint: there is no file {path!r}")


def _suffix(where: str, format: str) -> str:
    if format not in SUFFIXES:
        raise ValueError(f"{where}: format must be one of {sorted(SUFFIXES)}, got {format!r}")
    return SUFFIXES[format]


def _refuse_encryption(where: str, key: bytes | None, mode: str) -> None:
    if key is not None:
        raise ValueError(f"{where}: encryption ({mode}) is not supported; encrypt the file with a tool of its own")


# What to load


def _filter(
    left_out: str | Iterable[str] | None, kept: str | Iterable[str] | None, choice: Callable[[str], bool] | None
) -> Callable[[str], bool]:
    def prefixes(given: str | Iterable[str] | None, name: str) -> tuple[str, ...] | None:
        found = (given,) if isinstance(given, str) else None if given is None else tuple(given)
        if found is not None and (not found or not all(isinstance(prefix, str) and prefix for prefix in found)):
            raise ValueError(f"load_checkpoint: {name} must be one or more prefixes, got {given!r}")
        return found

    without, only = prefixes(left_out, "filter_prefix"), prefixes(kept, "specify_prefix")
    return lambda name: (
        (without is None or not name.startswith(without))
        and (only is None or name.startswith(only))
        and (choice is None or bool(choice(name)))
    )


def _matches(targets: Iterable[str], available: dict[str, Any], strict: bool) -> dict[str, str]:
    """For each of the names, where found, the name whose value it takes."""
    numbers = {name for name, value in available.items() if isinstance(value, Parameter)}
    found = {name: name for name in targets if name in numbers}
    missing = [name for name in targets if name not in numbers]
    if missing and not strict:
        for candidate in sorted(numbers):
            prefix = candidate.removesuffix(missing[0])
            if prefix.endswith(".") and all(prefix + name in numbers for name in missing):
                return found | {name: prefix + name for name in missing}
        return found | _appended(missing, numbers - found.keys())
    return found


def _appended(names: list[str], available: set[str]) -> dict[str, str]:
    """For names of Parameters in Cells that were appended to an empty list, their names in MindSpore, where there.

    It leaves out the list's name, `0.weight` for `layers.0.weight`; where two lists then share a name, it is neither's.
    """
    short = {name: name.partition(".")[2] for name in names}
    counts = Counter(short.values())
    return {name: s for name, s in short.items() if s[:1].isdigit() and s in available and counts[s] == 1}


def _fitted(target: Parameter, source: Parameter, strict: bool) -> Tensor:
    """The value of `source` in the type of `target`, and in its shape: a list of one number is as good as a number."""
    if target.shape != source.shape and (strict or {target.shape, source.shape} != {(), (1,)}):
        raise RuntimeError(
            f"load_param_into_net: {target.name} of the net has shape {target.shape}, {source.name} in the checkpoint "
            f"has {source.shape}; nothing was loaded"
        )
    array = source.numpy_view()
    converted = array.astype(target.dtype.np, copy=False)
    same_kind = source.dtype.kind == target.dtype.kind
    if converted.dtype != array.dtype and (strict or not same_kind or _loses_integers(array, converted)):
        raise RuntimeError(
            f"load_param_into_net: {target.name} of the net has type {target.dtype}, {source.name} in the checkpoint "
            f"has {source.dtype}; nothing was loaded"
        )
    return Tensor.wrap(converted.reshape(target.shape))


def _loses_integers(array: np.ndarray, converted: np.ndarray) -> bool:
    return array.dtype.kind in "iu" and not np.array_equal(array, converted)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
