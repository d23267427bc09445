"""`Parameter`: a tensor that training changes.

It owns one aligned buffer for life; assignment writes into it, so executables, eager code, optimizers and checkpoints
share it without a copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import context
from graphc.arrays import aligned_copy
from graphc.ir import TensorType
from graphc.place import located
from graphc.state import state
from graphc.tensor import Tensor, TracedValueError, as_array, settle


class Parameter(Tensor):
    """A named tensor that owns its buffer and that training changes.

    Args:
        default_input: initial value: anything `Tensor` takes.
        name: its name; a Cell it is assigned to gives it its attribute path.
        requires_grad: whether optimizers and `trainable_params` see it.
        layerwise_parallel, parallel_optimizer: how several devices share it; accepted, as there is one.

    Attributes:
        gradient_hooks: what `register_hook` was given: they see, and may change, the gradient.
    Raises:
        TypeError: a name that is no str, or a flag that is no bool.
    """

    __slots__ = ("_requires_grad", "gradient_hooks", "layerwise_parallel", "name", "parallel_optimizer")

    gradient_hooks: tuple[Any, ...]

    def __init__(
        self, default_input: Any, name: str | None = None, requires_grad: bool = True,
        layerwise_parallel: bool = False, parallel_optimizer: bool = True,
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"Parameter: name must be a str, got {name!r}")
        if type(default_input) is int and -(2**31) <= default_input < 2**31:
            default_input = np.int32(default_input)  # in MindSpore too a Parameter's number is shorter than a Tensor's
        self._set_array(aligned_copy(as_array(default_input)))
        self.name = name if name is not None else "Parameter"
        self.gradient_hooks = ()
        self._requires_grad = _flag("requires_grad", requires_grad)
        self.layerwise_parallel = _flag("layerwise_parallel", layerwise_parallel)
        self.parallel_optimizer = _flag("parallel_optimizer", parallel_optimizer)

    @property
    def requires_grad(self) -> bool:
        """Whether it is trained: its gradient is zero otherwise, and `trainable_params` leaves it out."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self._requires_grad != _flag("requires_grad", value):
            self._requires_grad = value
            context.structure_changed()  # graphs hold the derivative for what it was

    def numpy_view(self) -> np.ndarray:
        if state.now.trace is not None:
            raise located(
                TracedValueError(
                    f"Parameter: the value of {self.name} was asked for while a graph is traced (if, float(), numpy, "
                    "printing); the graph would keep it forever. Use it in ops, or read it before"
                )
            )
        settle()
        return super().numpy_view()

    def _put(self, changed: Tensor) -> None:
        from graphc.dispatch import assign  # built on this module

        assign(self, changed)

    def set_data(self, data: Any, slice_shape: bool = False) -> Parameter:
        """Writes `data` (of the same shape; cast to this dtype) into the buffer.

        `slice_shape` says that it may be the slice of one of several devices; here that is all of it.
        """
        self._put(data if isinstance(data, Tensor) else Tensor(data))
        return self

    assign_value = set_data

    @property
    def data(self) -> Parameter:
        return self

    @property
    def value_type(self) -> TensorType:
        return self.spec

    def clone(self, init: Any = "same") -> Parameter:
        """A new Parameter with the same value (or one made by the initializer `init`)."""
        if isinstance(init, str) and init == "same":
            return Parameter(self.asnumpy(), self.name, self.requires_grad)
        from graphc.initializer import initializer

        return Parameter(initializer(init, self.shape, self.dtype), self.name, self.requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copied = memo[id(self)] = Parameter(self.asnumpy(), self.name, self.requires_grad)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return Parameter, (self.asnumpy(), self.name, self.requires_grad)

    def __repr__(self) -> str:
        return (
            f"Parameter (name={self.name}, shape={self.shape}, dtype={self.dtype}, "
            f"requires_grad={self.requires_grad})"
        )

    __str__ = __repr__


class Parts(Tensor):
    """A complex Parameter as an optimizer sees it: its real and imaginary parts `[..., 2]`, real numbers.

    `assign` gives what is assigned to them to the Parameter.
    """

    __slots__ = ("parameter",)

    def __init__(self, parameter: Parameter, parts: Tensor) -> None:
        self.parameter = parameter
        self._take(parts)

    @property
    def name(self) -> str:
        """The Parameter's name."""
        return self.parameter.name


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"Parameter: {name} must be a bool, got {value!r}")
    return value


class ParameterTuple(tuple[Parameter, ...]):
    """A tuple of Parameters, as `trainable_params()` and `weights=` use it."""

    def __new__(cls, parameters: Any = ()) -> ParameterTuple:
        items = list(parameters)
        for item in items:
            if not isinstance(item, Parameter):
                raise TypeError(f"ParameterTuple: expected Parameters, got {type(item).__name__}")
        return super().__new__(cls, items)

    def clone(self, prefix: str, init: Any = "same") -> ParameterTuple:
        """Clones of all, each named `prefix.name`."""
        clones = [p.clone(init) for p in self]
        for clone in clones:
            clone.name = f"{prefix}.{clone.name}"
        return ParameterTuple(clones)
