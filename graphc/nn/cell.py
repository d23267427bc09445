"""`Cell`: a network or a part of one, with Parameters, inner Cells, and `construct`, which says what it computes."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from reprlib import recursive_repr
from types import MemberDescriptorType
from typing import Any

from graphc import context
from graphc.autograd import is_differentiated
from graphc.dispatch import assign
from graphc.dtype import DType, bfloat16, dtype_of, float16, float32
from graphc.eager import in_one_piece
from graphc.jit import Jitted
from graphc.nested import map_leaves
from graphc.nn.hooks import HookHandle, Hooks
from graphc.nn.own_backward import with_own_backward
from graphc.nn.state import Unmatched, collect, load
from graphc.ops.storage import check_device
from graphc.parameter import Parameter, ParameterTuple
from graphc.place import leave_out_own_frames, located, warn
from graphc.state import state
from graphc.tensor import Tensor, TracedAttributeError

__all__ = ["Cell"]

_MISSING = object()


class Cell:
    """The base of all layers and networks.

    A subclass sets Parameters and Cells as attributes in `__init__` (after `super().__init__()`) and defines
    `construct`. Calling a Cell runs `construct`: in PYNATIVE_MODE as Python each time, what it computes in one piece
    (`graphc.eager`); in GRAPH_MODE compiled.

    Attributes:
        keeps_parameters: whether `construct` reads Parameters as they are, whatever `to_float` was asked for.
    """

    keeps_parameters = False
    _made_anew = frozenset(("_jitted", "_jitted_methods"))  # attributes that it makes for itself when it needs them

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Attributes in `__slots__` are like others: Parameters and Cells among them have homes of their own."""
        super().__init_subclass__(**kwargs)
        for name in [name for name, kept in vars(cls).items() if isinstance(kept, MemberDescriptorType)]:
            delattr(cls, name)

    def __init__(self, auto_prefix: bool = True, flags: dict[str, Any] | None = None) -> None:
        own = self.__dict__
        own["_params"], own["_cells"] = {}, {}
        own["changes_made"] = 0
        own["training"] = False
        own["_auto_prefix"] = auto_prefix
        own["_buffers"] = {}
        own["_hooks"] = Hooks.none()
        own["_label"] = type(self).__name__
        own["parameter_prefix"] = own["param_prefix"] = ""
        own["_flags"] = dict(flags or {})

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(getattr(type(self), name, None), property):
            object.__setattr__(self, name, value)
            return
        if "_params" not in own:
            if isinstance(value, (Parameter, Cell, ParameterTuple)):
                raise AttributeError(f"{type(self).__name__}: call super().__init__() before setting {name!r}")
            own[name] = value
            return
        trace = state.now.trace
        if trace is not None and self in trace.visited:
            self._set_while_traced(name, value)
            return
        params, cells = own["_params"], own["_cells"]
        is_value = isinstance(value, Tensor) and not isinstance(value, Parameter)
        held = params.get(name, cells.get(name))
        value, is_value = (Tensor(value, held.dtype), True) if _is_number_for(held, value) else (value, is_value)
        if isinstance(held, Parameter) and is_value:
            held.set_data(value)  # as in MindSpore, the Parameter stays one, and gets the value
            return
        if held is not None and value is not None and not isinstance(value, (Parameter, Cell, ParameterTuple)):
            was, got = type(held).__name__, type(value).__name__
            expected = f"{type(self).__name__}.{name}: expected a Parameter or Cell in the place of a {was}"
            raise located(TypeError(f"{expected}, got {got}; set it to None, or delete it, before"))
        for home, kind in ((params, Parameter), (cells, Cell), (own, ())):
            if not kind or not isinstance(value, kind):  # what takes the place of its like keeps its position
                home.pop(name, None)
        if not is_value:
            own["_buffers"].pop(name, None)
        if isinstance(value, Parameter):
            self.insert_param_to_cell(name, value)
        elif isinstance(value, Cell):
            self._adopt(name, value)
        else:
            own[name] = value
            for parameter in value if isinstance(value, ParameterTuple) else ():
                self._register(parameter)
        self._changed()

    def _set_while_traced(self, name: str, value: Any) -> None:
        """Assigns to a Parameter, which becomes an update of the graph.

        Raises:
            TracedAttributeError: anything else, which a graph cannot hold; so what is traced runs without one.
        """
        parameter = self._params.get(name)
        if value is (self.__dict__.get(name, _MISSING) if parameter is None else parameter):
            return  # it stays as it is
        value = Tensor(value, parameter.dtype) if _is_number_for(parameter, value) else value
        if parameter is None or not isinstance(value, Tensor) or isinstance(value, Parameter):
            raise located(
                TracedAttributeError(
                    f"{type(self).__name__}: attribute {name!r} is set while the Cell is traced into a graph, which "
                    "cannot hold that side effect; use a Parameter with ops.assign, or return the value"
                )
            )
        assign(parameter, value)

    def _adopt(self, name: str, cell: Cell) -> None:
        """Makes a Cell an inner one, whose Parameters are named by the way to them."""
        known = any(inner is cell for inner in self._cells.values())
        self._cells[name] = cell
        cell.__dict__["_label"] = name
        if self._auto_prefix and not known:
            cell.update_parameters_name(f"{self.parameter_prefix}{name}.")

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if "_params" in own:
            found = own["_params"].get(name, _MISSING)
            if found is not _MISSING:
                return self._narrowed(found) if "_float" in own and self in state.now.narrowing else found
            found = own["_cells"].get(name, _MISSING)
            if found is _MISSING:
                found = own["_flags"].get(name, _MISSING)
            if found is not _MISSING:
                return found
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _narrowed(self, parameter: Parameter) -> Tensor:
        """A Parameter as `construct` reads it. One that a program's Cell keeps but does not train, it may assign to."""
        own_layer = type(self).__module__.startswith("graphc.nn.")
        return in_float(parameter, self._float) if parameter.requires_grad or own_layer else parameter

    def __delattr__(self, name: str) -> None:
        for home in (self._params, self._cells, self.__dict__):
            if name in home:
                del home[name]
                self._changed()
                return
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles hold: everything but what they make anew, such as compiled code."""
        return {k: v for k, v in self.__dict__.items() if k not in self._made_anew}

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._params, *self._cells})

    def _changed(self) -> None:
        self.__dict__["changes_made"] += 1
        context.structure_changed()

    def insert_param_to_cell(self, param_name: str, param: Parameter, check_name_contain_dot: bool = True) -> None:
        """Makes `param` a Parameter of this Cell, named `param_name` unless it has a name of its own."""
        if not param_name or (check_name_contain_dot and "." in param_name):
            raise KeyError(f"insert_param_to_cell: expected a name without dots, got {param_name!r}")
        if not isinstance(param, Parameter):
            raise TypeError(f"insert_param_to_cell: expected a Parameter, got {type(param).__name__}")
        if param.name == "Parameter":
            param.name = self.parameter_prefix + param_name
        self._params[param_name] = param
        self._changed()

    def _register(self, parameter: Parameter) -> None:
        """Makes a ParameterTuple's member a Parameter of this Cell, under its name, made longer while that is taken: by
        another, or by an attribute, which is what would be read by that name."""
        key, kept = parameter.name, vars(self)
        while self._params.get(key, parameter) is not parameter or key in kept or hasattr(type(self), key):
            key += "_"
        self._params[key] = parameter

    def insert_child_to_cell(self, child_name: str, child_cell: Cell | None) -> None:
        """Makes `child_cell` an inner Cell under the name `child_name`; None leaves the place free."""
        if not isinstance(child_name, str) or not child_name or "." in child_name:
            raise KeyError(f"insert_child_to_cell: expected a name without dots, got {child_name!r}")
        if child_cell is not None and not isinstance(child_cell, Cell):
            raise TypeError(f"insert_child_to_cell: expected a Cell, got {type(child_cell).__name__}")
        if child_name in self.__dict__ or child_name in self._cells:
            raise KeyError(f"insert_child_to_cell: {type(self).__name__} already has {child_name!r}")
        setattr(self, child_name, child_cell)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Makes `tensor` an attribute that is part of the Cell's state but not trained; saved if `persistent`."""
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"register_buffer: expected a name without dots, got {name!r}")
        if tensor is not None and (isinstance(tensor, Parameter) or not isinstance(tensor, Tensor)):
            raise TypeError(f"register_buffer: expected a Tensor or None, got {type(tensor).__name__}")
        if name not in self._buffers and (name in self._params or name in self._cells or hasattr(self, name)):
            raise KeyError(f"register_buffer: {type(self).__name__} already has {name!r}")
        setattr(self, name, tensor)
        self._buffers[name] = persistent

    # Running

    def construct(self, *args: Any, **kwargs: Any) -> Any:
        """What the Cell computes; defined by the subclass."""
        raise AttributeError(f"{type(self).__name__}: define construct() to say what the Cell computes")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if "_params" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() in its __init__")
        now = state.now
        try:
            if now.trace is not None or now.piece is not None or now.tapes:
                return self._run(*args, **kwargs)
            if context.in_graph_mode():
                if "_set_inputs" in self.__dict__:
                    _check_like(type(self).__name__, self._set_inputs, args)
                return self._compiled(*args, **kwargs)
            quick = self._at_once(args) if not kwargs and now.call is None else None
            if quick is not None:
                return quick
            with in_one_piece(self, (*args, *kwargs.values())):
                return self._run(*args, **kwargs)
        except Exception as error:
            leave_out_own_frames(error)
            raise

    def _at_once(self, args: tuple[Any, ...]) -> Any:
        """What a call returns, if that can be had by native code; else None, and nothing is done."""
        return None

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        now = state.now
        if now.trace is not None:
            now.trace.visit(self)
        return self._called(*args, **kwargs)

    def _called(self, *args: Any, **kwargs: Any) -> Any:
        """What a call makes: that of `construct`, and what the hooks around it make of that."""
        now, hooks = state.now, self._hooks
        scopes = now.scopes
        now.scopes = (*scopes, self._label)
        try:
            if hooks.forward_pre:
                args, kwargs = hooks.before_forward(self, args, kwargs)
            try:
                if is_differentiated() and (getattr(type(self), "bprop", None) or hooks.backward_pre or hooks.backward):
                    value = with_own_backward(self, self._constructed, args, kwargs)
                elif "_float" in self.__dict__:
                    value = self._constructed(args, kwargs)
                else:
                    value = self.construct(*args, **kwargs)
            except Exception as error:
                hooks.after_error(self, args, kwargs)
                if (unfit := _unfit(self, error, args, kwargs)) is not None:
                    raise unfit from None
                raise
            return hooks.after_forward(self, args, kwargs, value) if hooks.forward else value
        finally:
            now.scopes = scopes

    def _constructed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What `construct` computes, in the float type that was asked for."""
        own = self.__dict__
        if "_float" not in own:
            return self.construct(*args, **kwargs)
        now, dtype = state.now, own["_float"]
        outside = now.narrowing
        if not self.keeps_parameters:
            now.narrowing = (*outside, self)
        try:
            value = self.construct(*in_float(args, dtype), **in_float(kwargs, dtype))
        finally:
            now.narrowing = outside
        return in_float(value, own.get("_returned", dtype if self.keeps_parameters else None))

    @property
    def _compiled(self) -> Jitted:
        jitted: Jitted | None = self.__dict__.get("_jitted")
        if jitted is None:
            jitted = self.__dict__["_jitted"] = Jitted(self._run, type(self).__name__)
        return jitted

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the Cell for these arguments and runs it once, discarding the result."""
        self._compiled(*args, **kwargs)

    compile_and_run = __call__

    def set_inputs(self, *inputs: Any, **kwargs: Any) -> None:
        """Declares the arguments of calls by Tensors that describe them; extents that are not known are None
        (`Tensor(shape=[32, None], dtype=float32)`). In GRAPH_MODE a call that does not fit is an error. It changes
        nothing else: graphc compiles for each shape that comes.

        Args:
            inputs: for each argument, by position, or by name: a Tensor, a tuple or list, or any constant.
        Raises:
            ValueError: both by position and by name; a name that `construct` does not have.
        """
        if inputs and kwargs:
            raise ValueError("set_inputs: expected arguments by position or by name, got both")
        if kwargs:
            names = list(inspect.signature(self.construct).parameters)
            unknown = [name for name in kwargs if name not in names]
            if unknown:
                raise ValueError(f"set_inputs: construct has no arguments {unknown}, it has {names}")
            inputs = tuple(kwargs.get(name) for name in names)
        self.__dict__["_set_inputs"] = inputs

    def get_inputs(self) -> tuple[Any, ...] | None:
        """What `set_inputs` was given, None before."""
        inputs: tuple[Any, ...] | None = self.__dict__.get("_set_inputs")
        return inputs

    def to_float(self, dst_type: Any) -> Cell:
        """Makes this Cell and all within compute in `dst_type`: float inputs are cast to it, and Parameters too where
        `construct` reads them. The Parameters themselves, and their gradients, keep their type. Normalisation reads its
        Parameters as they are.

        Args:
            dst_type: float16, bfloat16 or float32.
        Raises:
            ValueError: another type.
        """
        if dst_type not in (float16, bfloat16, float32):
            raise ValueError(f"to_float: dst_type must be float16, bfloat16 or float32, got {dst_type!r}")
        for _, cell in self.cells_and_names():
            cell._compute_in(dst_type)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Cell:
        """Gives the float Parameters and buffers of this Cell and all within another float type: `to(dtype)`,
        `to(tensor)` for that of a tensor, `to(device, dtype)`, of which the device can only be the CPU.

        Args:
            args, kwargs: `device`, `dtype` or `tensor`; `non_blocking`, a bool, as nothing is moved.
        Returns:
            The Cell.
        Raises:
            TypeError: another type, or none of these. ValueError: another device.
        """
        given = [*args, *kwargs.values()]
        if kwargs.keys() - {"device", "dtype", "tensor", "non_blocking"}:
            raise TypeError(f"Cell.to: expected device, dtype, tensor or non_blocking, got {', '.join(kwargs)}")
        dtype: DType | None = None
        for item in given:
            if isinstance(item, str):
                check_device("Cell.to", item)
            elif item is not None and not isinstance(item, bool):
                dtype = dtype_of(item.dtype if isinstance(item, Tensor) else item)
        if dtype is not None and not dtype.is_float:
            raise TypeError(f"Cell.to: expected a float type, got {dtype.name}")
        if dtype is not None:
            for _, cell in self.cells_and_names():
                cell._convert(dtype)
        return self

    def _convert(self, dtype: DType) -> None:
        """Gives the float Parameters and buffers of this Cell itself that type."""
        for parameter in self._params.values():
            if parameter is not None and parameter.dtype.is_float and parameter.dtype is not dtype:
                parameter.set_dtype(dtype)
        for name in self._buffers:
            buffer = getattr(self, name)
            if buffer is not None and buffer.dtype.is_float:
                setattr(self, name, buffer.astype(dtype))

    def _compute_in(self, dtype: DType, returned: DType | None = None) -> None:
        """Makes this Cell compute in a float type, and cast its results to another if one is given."""
        own = self.__dict__
        own["_float"] = dtype
        own.pop("_returned", None)
        if returned is not None:
            own["_returned"] = returned
        self._changed()

    def add_flags(self, **flags: Any) -> Cell:
        """Makes `flags` attributes of the Cell, for programs that read them; graphc itself does not."""
        self._flags.update(flags)
        return self

    def add_flags_recursive(self, **flags: Any) -> Cell:
        """`add_flags` here and in every inner Cell."""
        return self.apply(lambda cell: cell._flags.update(flags))

    def get_flags(self) -> dict[str, Any]:
        return dict(self._flags)

    # Training and evaluation

    def set_train(self, mode: bool = True) -> Cell:
        """Sets training (or evaluation) behaviour here and in every inner Cell."""
        if not isinstance(mode, bool):
            raise TypeError(f"set_train: mode must be a bool, got {mode!r}")
        for _, cell in self.cells_and_names():
            if cell.training != mode:
                cell.__dict__["training"] = mode
                context.structure_changed()
        return self

    def set_grad(self, requires_grad: bool = True) -> Cell:
        """Kept for MindSpore's programs: graphc differentiates what it is asked to, so nothing need be set."""
        if not isinstance(requires_grad, bool):
            raise TypeError(f"set_grad: requires_grad must be a bool, got {requires_grad!r}")
        return self

    def recompute(self, **options: Any) -> None:
        """Accepted for MindSpore's programs, where it makes the backward pass compute inner results again rather than
        keep them. Values are the same either way, and in graphc the compiler decides how memory is used."""

    def set_jit_config(self, jit_config: Any) -> None:
        """Keeps a `JitConfig` as the Cell's `jit_config_dict`; what is compiled is the same for any."""
        self.__dict__["jit_config_dict"] = dict(jit_config.jit_config_dict)

    # Inner Cells and Parameters

    def cells(self) -> Any:
        """The Cells that are attributes of this one."""
        return self._cells.values()

    def name_cells(self) -> OrderedDict[str, Cell]:
        """Name to Cell of the attributes that are Cells."""
        return OrderedDict(self._cells)

    def cells_and_names(
        self, cells: set[Cell] | None = None, name_prefix: str = ""
    ) -> Iterator[tuple[str, Cell]]:
        """This Cell and all within, each once, as (path, Cell), outer ones first."""
        seen = cells if cells is not None else set()
        if self in seen:
            return
        seen.add(self)
        yield name_prefix, self
        for name, cell in self._cells.items():
            yield from cell.cells_and_names(seen, f"{name_prefix}.{name}" if name_prefix else name)

    def parameters_and_names(self, name_prefix: str = "", expand: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter once, as (path, Parameter)."""
        cells = self.cells_and_names(name_prefix=name_prefix) if expand else [(name_prefix, self)]
        seen: set[int] = set()
        for path, cell in cells:
            for name, parameter in cell._params.items():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield (f"{path}.{name}" if path else name), parameter

    def get_parameters(self, expand: bool = True) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.parameters_and_names(expand=expand))

    def parameters_dict(self, recurse: bool = True) -> OrderedDict[str, Parameter]:
        """Name to Parameter, in the order of `get_parameters`."""
        return OrderedDict((parameter.name, parameter) for parameter in self.get_parameters(expand=recurse))

    def trainable_params(self, recurse: bool = True) -> list[Parameter]:
        """The Parameters that require gradients. As in MindSpore, Parameters and Cells in a plain list or dict do not
        belong to the Cell; a warning names such lists."""
        for name, value in self._strays() if recurse else ():
            warn(
                f"{name} is a {type(value).__name__}: the Parameters in it are no part of {type(self).__name__}, and "
                "neither trained nor saved with it; in an nn.CellList or a ParameterTuple they would be"
            )
        return [p for p in self.get_parameters(expand=recurse) if p.requires_grad]

    def _strays(self) -> Iterator[tuple[str, Any]]:
        """Lists and the like that Cells here and within hold, with Parameters in them that are none of this Cell's."""
        own = {id(parameter) for parameter in self.get_parameters()}
        for _, cell in self.cells_and_names():
            for name, value in vars(cell).items():
                held = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
                if any(_holds_others(item, own) for item in held):
                    yield f"{type(cell).__name__}.{name}", value

    def untrainable_params(self, recurse: bool = True) -> list[Parameter]:
        return [p for p in self.get_parameters(expand=recurse) if not p.requires_grad]

    @property
    def cls_name(self) -> str:
        """The name of the Cell's class."""
        return type(self).__name__

    def update_cell_prefix(self) -> None:
        """Gives every Cell here and within, as `param_prefix`, the path of attributes that leads to it from here."""
        for path, cell in self.cells_and_names():
            cell.__dict__["param_prefix"] = path

    def update_parameters_name(self, prefix: str = "", recurse: bool = True) -> None:
        """Names every Parameter here and within `prefix` plus the path of attributes that leads to it from here, now
        and when more are added. A Cell does so with its inner Cells when they become attributes."""
        for path, cell in [*self.cells_and_names()] if recurse else [("", self)]:
            cell.__dict__["parameter_prefix"] = f"{prefix}{path}." if path else prefix
        for path, parameter in self.parameters_and_names(expand=recurse):
            parameter.name = prefix + path

    def replace_prefix(self, old: str, new: str, recurse: bool = True) -> None:
        """Replaces `old` by `new` at the beginning of the names of Parameters, here and within."""
        cells = [cell for _, cell in self.cells_and_names()] if recurse else [self]
        for cell in cells:
            cell.__dict__["parameter_prefix"] = _swapped(cell.parameter_prefix, old, new)
        for parameter in self.get_parameters(expand=recurse):
            parameter.name = _swapped(parameter.name, old, new)

    def init_parameters_data(self, auto_parallel_mode: bool = False) -> dict[Parameter, Parameter]:
        """The Parameters, each mapped to itself: graphc gives them their values when they are made."""
        if auto_parallel_mode:
            raise ValueError("init_parameters_data: auto_parallel_mode is for many machines, which graphc does not use")
        return {parameter: parameter for parameter in self.get_parameters()}

    def check_names(self) -> None:
        """Makes sure that no two Parameters have the same name.

        Raises:
            ValueError: two have.
        """
        names: set[str] = set()
        for parameter in self.get_parameters():
            if parameter.name in names:
                raise ValueError(f"check_names: two Parameters of {type(self).__name__} are named {parameter.name!r}")
            names.add(parameter.name)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The tensors given to `register_buffer`, as (path, Tensor)."""
        seen: set[int] = set()
        for path, cell in self.cells_and_names(name_prefix=prefix) if recurse else [(prefix, self)]:
            for name in cell._buffers:
                tensor = getattr(cell, name)
                if tensor is None or (remove_duplicate and id(tensor) in seen):
                    continue
                seen.add(id(tensor))
                yield (f"{path}.{name}" if path else name), tensor

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (tensor for _, tensor in self.named_buffers(recurse=recurse))

    def get_sub_cell(self, target: str) -> Cell:
        """The inner Cell at the path `target` (`"layers.0"`); the Cell itself for "".

        Raises:
            AttributeError: there is none.
        """
        cell = self
        for name in target.split(".") if target else ():
            if name not in cell._cells:
                raise AttributeError(f"get_sub_cell: {type(cell).__name__} has no cell {name!r} ({target!r})")
            cell = cell._cells[name]
        return cell

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at the path `target`.

        Raises:
            AttributeError: there is none.
        """
        path, _, name = target.rpartition(".")
        cell = self.get_sub_cell(path)
        if name not in cell._buffers:
            raise AttributeError(f"get_buffer: {type(cell).__name__} has no buffer {name!r}")
        buffer: Tensor = getattr(cell, name)
        return buffer

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """The Parameters and the persistent buffers by path: the live objects, not copies.

        Args:
            destination: a dict to enter them into; by default a new one.
            prefix: what the paths begin with.
            keep_vars: changes nothing: a Parameter is no less than its value.
        """
        return collect(self, OrderedDict() if destination is None else destination, prefix, keep_vars)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Calls `hook(cell, prefix, keep_vars)` before `state_dict` collects."""
        return HookHandle(self._hooks.state_dict_pre, self, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Calls `hook(cell, state_dict, prefix, local_metadata)`, which may change `state_dict`, before it is returned.
        """
        return HookHandle(self._hooks.state_dict_post, self, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Calls `hook(cell, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`
        when `load_state_dict` begins: it may change `state_dict`, a copy of what was given, whose paths of this Cell
        begin with `prefix`, and add to the lists."""
        return HookHandle(self._hooks.load_pre, self, hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Calls `hook(cell, incompatible_keys)` when values are loaded: it may change the lists `missing_keys` and
        `unexpected_keys` of its argument, of which what is left then is an error while `strict`."""
        return HookHandle(self._hooks.load_post, self, hook)

    def get_extra_state(self) -> Any:
        """What else the Cell's state has: defined by a subclass, `state_dict` has it as `_extra_state`."""
        raise RuntimeError(f"get_extra_state: {type(self).__name__} does not define it")

    def set_extra_state(self, state: Any) -> None:
        """Takes what `get_extra_state` gave, from `load_state_dict`: defined by a subclass."""
        raise RuntimeError(f"set_extra_state: {type(self).__name__} does not define it")

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Unmatched:
        """Copies the values of `state_dict` into the Parameters and buffers of the same paths.

        Returns:
            The paths that `state_dict` lacks, and those that only it has.
        Raises:
            RuntimeError: shapes differ, or paths do while `strict`. Nothing is changed then.
        """
        return load(self, state_dict, strict)

    def apply(self, fn: Callable[[Cell], Any]) -> Cell:
        """Calls `fn` on every inner Cell, then on this one."""
        for cell in self._cells.values():
            cell.apply(fn)
        fn(self)
        return self

    # Hooks

    def register_forward_pre_hook(
        self, hook_fn: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> HookHandle:
        """Calls `hook_fn(cell, inputs)` before `construct`; what it returns (if not None) replaces the inputs.

        Args:
            prepend: before the hooks that are there already, instead of after them.
            with_kwargs: call `hook_fn(cell, inputs, kwargs)`, which returns None or a pair of both.
        """
        return HookHandle(self._hooks.forward_pre, self, hook_fn, prepend, with_kwargs)

    def register_forward_hook(
        self, hook_fn: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False,
        always_call: bool = False,
    ) -> HookHandle:
        """Calls `hook_fn(cell, inputs, output)` after `construct`; a result that is not None replaces the output.

        Args:
            prepend: before the hooks that are there already, instead of after them.
            with_kwargs: call `hook_fn(cell, inputs, kwargs, output)`.
            always_call: call it, with None for the output, where `construct` raises too. That exception goes on; one of
                the hook is a warning then.
        """
        return HookHandle(self._hooks.forward, self, hook_fn, prepend, with_kwargs, always_call)

    def register_backward_pre_hook(self, hook_fn: Callable[..., Any]) -> HookHandle:
        """Calls `hook_fn(cell, grad_output)` with the tuple of the outputs' gradients before those of the inputs are
        computed; a result that is not None takes its place."""
        return HookHandle(self._hooks.backward_pre, self, hook_fn)

    def register_backward_hook(self, hook_fn: Callable[..., Any]) -> HookHandle:
        """Calls `hook_fn(cell, grad_input, grad_output)` with the tuples of the inputs' and the outputs' gradients; a
        result that is not None takes the place of `grad_input`."""
        return HookHandle(self._hooks.backward, self, hook_fn)

    # Printing

    def extend_repr(self) -> str:
        """What stands between the parentheses when the Cell is printed."""
        return ""

    @recursive_repr()  # a Cell may hold itself
    def __repr__(self) -> str:
        inner = [f"({name}): {cell!r}" for name, cell in self._cells.items()]
        extra = self.extend_repr()
        if not inner:
            return f"{type(self).__name__}({extra})"
        lines = [*([extra] if extra else []), *inner]
        indented = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {indented}\n)"


def _unfit(cell: Cell, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception | None:
    """What to raise in place of an error of Python's own, where a layer of graphc takes a Tensor and was given none."""
    construct = type(cell).construct
    pythons = type(error) in (AttributeError, TypeError) and not getattr(error, "located", False)
    if not pythons or not construct.__module__.startswith("graphc."):
        return None
    signature = inspect.signature(construct)
    try:
        given = signature.bind(cell, *args, **kwargs).arguments
    except TypeError:  # too few or too many: the error says so
        return None
    for name, value in given.items():
        taken = signature.parameters[name].annotation
        if not isinstance(value, Tensor) and (taken == "Tensor" or (taken == "Tensor | None" and value is not None)):
            got = f"{type(value).__name__} {value!r:.60}"
            return located(TypeError(f"{type(cell).__name__}: expected a Tensor as {name}, got {got}"))
    return None


def _check_like(name: str, described: tuple[Any, ...], args: tuple[Any, ...]) -> None:
    """Raises ValueError unless the arguments are as they are described."""
    if len(described) != len(args):
        raise ValueError(f"{name}: set_inputs describes {len(described)} arguments, the call has {len(args)}")
    for i, (wanted, given) in enumerate(zip(described, args, strict=True)):
        if not isinstance(wanted, Tensor) or not hasattr(given, "shape"):
            continue
        fits = len(wanted.shape) == len(given.shape) and all(
            n in (-1, m) for n, m in zip(wanted.shape, given.shape, strict=True)
        )
        if not fits or dtype_of(given.dtype) is not wanted.dtype:
            got = f"{dtype_of(given.dtype).name} {tuple(given.shape)}"
            raise ValueError(f"{name}: set_inputs: argument {i} must be {wanted.dtype.name} {wanted.shape}, got {got}")


def _holds_others(value: Any, own: set[int]) -> bool:
    """Whether a value is or has a Parameter whose id is not among these."""
    if isinstance(value, Cell):
        return any(id(parameter) not in own for parameter in value.get_parameters())
    return isinstance(value, Parameter) and id(value) not in own


def _is_number_for(held: Any, value: Any) -> bool:
    """Whether a number is set in the place of a Parameter that holds one, and so is its new value."""
    return isinstance(value, (int, float)) and isinstance(held, Parameter) and held.shape == ()


def _swapped(name: str, old: str, new: str) -> str:
    return new + name[len(old) :] if name.startswith(old) else name


def in_float(values: Any, dtype: DType | None) -> Any:
    """Values, nested as they may be, with the float tensors among them in another float type; None leaves them all."""

    def cast(leaf: Any) -> Any:
        differs = isinstance(leaf, Tensor) and leaf.dtype.is_float and leaf.dtype is not dtype
        return leaf.astype(dtype) if differs else leaf

    return values if dtype is None else map_leaves(cast, values)
