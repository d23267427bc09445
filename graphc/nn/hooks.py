"""What a program has registered on a Cell to be called around `construct`, its backward pass and its state."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from graphc.nn.cell import Cell


class HookHandle:
    """A hook among those of a Cell; `handle.remove()` takes it away again."""

    def __init__(
        self, hooks: list[HookHandle], cell: Cell, hook: Callable[..., Any], prepend: bool = False,
        with_kwargs: bool = False, always_call: bool = False,
    ) -> None:
        if not callable(hook):
            raise TypeError(f"register hook: expected a function, got {type(hook).__name__}")
        self._hooks, self._cell, self._hook, self.with_kwargs = hooks, cell, hook, with_kwargs
        self.always_call = always_call
        hooks.insert(0 if prepend else len(hooks), self)
        cell._changed()

    def __call__(self, *args: Any) -> Any:
        return self._hook(*args)

    def remove(self) -> None:
        if self in self._hooks:
            self._hooks.remove(self)
            self._cell._changed()


class Hooks(NamedTuple):
    """The hooks of a Cell, each list in the order in which they are called."""

    forward_pre: list[HookHandle]
    forward: list[HookHandle]
    backward_pre: list[HookHandle]
    backward: list[HookHandle]
    state_dict_pre: list[HookHandle]
    state_dict_post: list[HookHandle]
    load_pre: list[HookHandle]
    load_post: list[HookHandle]

    @classmethod
    def none(cls) -> Hooks:
        return cls(*([] for _ in cls._fields))

    def before_forward(
        self, cell: Cell, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Calls the hooks that come before `construct`; the arguments that they leave to it."""
        for hook in self.forward_pre:
            changed = hook(cell, args, kwargs) if hook.with_kwargs else hook(cell, args)
            if changed is None:
                continue
            if hook.with_kwargs:
                args, kwargs = changed
            else:
                args = changed if isinstance(changed, tuple) else (changed,)
        return args, kwargs

    def after_forward(self, cell: Cell, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> Any:
        """Calls the hooks that come after `construct`; the value that they leave."""
        for hook in self.forward:
            changed = hook(cell, args, kwargs, value) if hook.with_kwargs else hook(cell, args, value)
            value = value if changed is None else changed
        return value

    def after_error(self, cell: Cell, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Calls those hooks after a `construct` that raised which are always called; what they raise is a warning."""
        for hook in self.forward:
            if not hook.always_call:
                continue
            try:
                hook(cell, args, kwargs, None) if hook.with_kwargs else hook(cell, args, None)
            except Exception as error:  # any of the program's: the one that is on its way is the one to report
                warnings.warn(f"{type(cell).__name__}: a forward hook raised {error!r}", stacklevel=2)
