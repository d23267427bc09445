"""How samples become a batch: numbers, arrays and tensors are stacked, within any lists, tuples and dicts.

    default_collate([{"image": a, "label": 0}, {"image": b, "label": 3}])    # {"image": Tensor [2, ...], "label": [2]}
"""

import copy
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from graphc.dtype import float64
from graphc.tensor import Tensor, from_numpy

Collate = Callable[..., Any]
Kinds = type | tuple[type, ...]


def default_convert(data: Any) -> Any:
    """A single sample with Tensors in the place of arrays and of NumPy's scalars, within lists, tuples and dicts.

    Arrays of strings or objects, strings and all else stay. Tuples become lists, named ones stay.
    """
    if isinstance(data, np.ndarray):
        return data if data.dtype.kind in "SUO" else from_numpy(data)
    if isinstance(data, (np.number, np.bool_)):
        return Tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [default_convert(item) for item in data])
    return data


def collate(batch: Sequence[Any], *, collate_fn_map: Mapping[Kinds, Collate] | None = None) -> Any:
    """One batch of samples, by a function for each type of what they hold.

    Args:
        batch: samples of one structure.
        collate_fn_map: type, or several -> function of a list of that type and of `collate_fn_map` by name. Mappings
            that have none are collated by key, sequences by position.
    Raises:
        TypeError: a type without a function.
        RuntimeError: sequences that differ in length.
    """
    first = batch[0]
    functions = collate_fn_map or {}
    found = functions.get(type(first)) or next((f for kind, f in functions.items() if isinstance(first, kind)), None)
    if found is not None:
        return found(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        columns = {key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map) for key in first}
        return _like_mapping(first, columns)
    if isinstance(first, Sequence):
        lengths = {len(sample) for sample in batch}
        if len(lengths) > 1:
            raise RuntimeError(f"collate: the sequences of a batch differ in length, {sorted(lengths)}")
        return _like_sequence(first, [collate(items, collate_fn_map=collate_fn_map) for items in zip(*batch)])
    raise TypeError(f"collate: no function for {type(first).__name__}; give DataLoader a collate_fn for such samples")


def _like_mapping(data: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    """A mapping of the kind of `data`, which may have properties beside its items, with other items."""
    try:
        if isinstance(data, MutableMapping):
            result = copy.copy(data)
            result.update(items)
            return result
        return type(data)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def _like_sequence(data: Sequence[Any], items: list[Any]) -> Any:
    """A sequence of the kind of `data` with other items; of a tuple without names a list."""
    if isinstance(data, tuple):
        return type(data)(*items) if hasattr(data, "_fields") else items
    try:
        if isinstance(data, MutableSequence):
            result = copy.copy(data)
            for i, item in enumerate(items):
                result[i] = item
            return result
        return type(data)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def _stacked(arrays: Iterable[Any]) -> Tensor:
    values = [np.asarray(array) for array in arrays]
    shapes = sorted({value.shape for value in values})
    if len(shapes) > 1:
        raise ValueError(f"collate: the samples of a batch differ in shape, {', '.join(map(str, shapes))}")
    if values[0].dtype.kind in "SUO":
        raise TypeError(f"collate: arrays of {values[0].dtype} make no Tensor; give DataLoader a collate_fn for them")
    return Tensor(np.stack(values))


def _stack_tensors(batch: Sequence[Tensor], *, collate_fn_map: Any) -> Tensor:
    return _stacked(tensor.asnumpy() for tensor in batch)


def _stack_arrays(batch: Sequence[Any], *, collate_fn_map: Any) -> Tensor:
    return _stacked(batch)


def _floats(batch: Sequence[float], *, collate_fn_map: Any) -> Tensor:
    return Tensor(list(batch), float64)


def _ints(batch: Sequence[int], *, collate_fn_map: Any) -> Tensor:
    return Tensor(list(batch))


def _as_it_is(batch: Sequence[Any], *, collate_fn_map: Any) -> Sequence[Any]:
    return batch


BY_TYPE: dict[Kinds, Collate] = {
    Tensor: _stack_tensors,
    np.ndarray: _stack_arrays,
    (np.bool_, np.number): _stack_arrays,
    float: _floats,
    int: _ints,
    str: _as_it_is,
    bytes: _as_it_is,
}


def default_collate(batch: Sequence[Any]) -> Any:
    """A batch of samples: tensors, arrays and numbers are stacked along a new first axis.

    Python floats become float64, ints int64; strings stay a list. What samples hold is collated within their tuples
    (which become lists), lists and dicts.
    """
    return collate(batch, collate_fn_map=BY_TYPE)
