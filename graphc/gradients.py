"""`value_and_grad`, `grad` and their kin, as MindSpore has them: one tape (`graphc.autograd`), in both modes."""

from __future__ import annotations

import contextlib
import functools
import math
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc import context
from graphc.autograd import Paused, Ran, Tape, differentiate, with_vjp
from graphc.deferred import Updates, defer
from graphc.dtype import float32
from graphc.eager import in_one_piece
from graphc.jit import Jitted
from graphc.nested import leaves_of, map_leaves, with_tensors
from graphc.op import TABLE
from graphc.parameter import Parameter
from graphc.place import leave_out_own_frames, located
from graphc.state import state
from graphc.tensor import Tensor, TracedValueError
from graphc.trace import no_collection

if TYPE_CHECKING:
    from graphc.nn.optimizer import Optimizer
    from graphc.noting import Piece


class GradientFunction:
    """A function that also computes gradients; in graph mode it is compiled as a whole.

    Args:
        with_value: it returns the value too, not the gradients alone.
        integers: arguments may also be Tensors of integers, whose gradients are zeros.
        fn, grad_position, weights, has_aux, sens_param, return_ids: as of `value_and_grad`.
    """

    def __init__(
        self, fn: Callable[..., Any], grad_position: int | tuple[int, ...] | None = 0, weights: Any = None, *,
        has_aux: bool = False, sens_param: bool = False, with_value: bool = False, return_ids: bool = False,
        integers: bool = False,
    ) -> None:
        self.fn, self.has_aux, self.sens_param, self.with_value = fn, has_aux, sens_param, with_value
        self.return_ids, self.integers = return_ids, integers
        self.positions = _positions(grad_position)
        self.single_position = isinstance(grad_position, int)
        if weights is not None and not isinstance(weights, (Parameter, Iterable)):
            raise TypeError(f"grad: weights must be Parameters, got {type(weights).__name__}")
        self.weights = [weights] if isinstance(weights, Parameter) else list(weights) if weights is not None else []
        self.single_weight = isinstance(weights, Parameter)
        self.wants_weights = weights is not None
        for weight in self.weights:
            if not isinstance(weight, Parameter):
                raise TypeError(f"grad: weights must be Parameters, got {type(weight).__name__}")
        self.__name__ = f"grad_{getattr(fn, '__name__', type(fn).__name__)}".replace("<lambda>", "lambda")

    @functools.cached_property
    def jitted(self) -> Jitted:
        """It in graph mode."""
        return Jitted(self.differentiate, self.__name__)

    @functools.cached_property
    def _updates(self) -> Updates:
        return Updates()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        now = state.now
        nested = now.trace is not None or now.piece is not None or now.tapes
        try:
            if not nested and context.in_graph_mode():
                try:
                    return defer(self, args, kwargs)
                except TracedValueError as error:
                    self.jitted.check_tolerated(error)
            args, kwargs = with_tensors((args, kwargs))
            if nested:
                return self.differentiate(*args, **kwargs)
            with in_one_piece(self.fn, (*args, *kwargs.values())):
                if now.piece is not None:
                    return self.differentiate(*args, **kwargs)
                with no_collection():  # what a tape notes lives to the end
                    return self.differentiate(*args, **kwargs)
        except Exception as error:
            leave_out_own_frames(error)
            raise

    def with_update(self, optimizer: Optimizer) -> Jitted:
        """This function followed by the optimizer's step with its gradients, compiled as one."""
        return self._updates.get(self, optimizer)

    def weight_gradients(self, value: Any) -> Any:
        """The gradients of the weights in what a call returned."""
        grads = value[1] if self.with_value else value[0] if self.has_aux else value
        if not self.wants_weights:
            return ()
        grads = grads if self.positions is None else grads[1]
        if not self.return_ids:
            return grads
        return grads[1] if self.single_weight else tuple(gradient for _, gradient in grads)

    def differentiate(self, *args: Any, **kwargs: Any) -> Any:
        """The value and the gradients, op by op (or recorded)."""
        sens = None
        if self.sens_param and "sens" in kwargs:
            sens = kwargs.pop("sens")
        elif self.sens_param:
            if not args:
                raise located(TypeError("grad: sens_param needs the cotangent of the value as the last argument"))
            args, sens = args[:-1], args[-1]
        function = (lambda *inner: self.fn(*inner, **kwargs)) if kwargs else self.fn
        if state.now.trace is not None:
            state.now.trace.enter(self.fn)
        value, inputs, weights = differentiate(
            function, args, self.positions or (), self.weights, self.has_aux, sens, self.integers
        )
        grads = self._formed(inputs, weights)
        if self.with_value:
            return value, grads
        return (grads, value[1:]) if self.has_aux else grads

    def _formed(self, inputs: Sequence[Any], weights: Sequence[Tensor]) -> Any:
        """The gradients as a call returns them."""
        by_input: Any = tuple(inputs)
        by_weight: Any = tuple(weights)
        if self.return_ids:
            by_input = tuple(zip(self.positions or (), inputs, strict=True))
            by_weight = tuple((weight.name, g) for weight, g in zip(self.weights, weights, strict=True))
        by_input = by_input[0] if self.single_position else by_input
        by_weight = by_weight[0] if self.single_weight else by_weight
        if self.positions is None:
            return by_weight
        return (by_input, by_weight) if self.wants_weights else by_input

    def pulled(self, args: Sequence[Any]) -> tuple[Any, Callable[[Any], Any]]:
        """The value, and the function from its cotangent to the gradients: `fn` is called once."""
        given: tuple[Any, ...] = with_tensors(tuple(args))
        with _one_piece(self.fn, given):
            if state.now.trace is not None:
                state.now.trace.enter(self.fn)
            piece = _noting()
            mark = piece.mark() if piece is not None else None
            ran = Ran.of(self.fn, given, self.positions or (), self.weights, self.has_aux, self.integers)
            value = ran.keep()

        def swept(sens: Any) -> list[Tensor]:
            if mark is None or piece is None or _noting() is not piece or ran.tape.own:
                return ran.swept(sens)
            return piece.again(mark, [*ran.heads, *ran.sources, *leaves_of(sens)], lambda: ran.swept(sens))

        def pull(sens: Any) -> Any:
            sens = with_tensors(sens)
            with _one_piece(self.fn, leaves_of(sens)):
                return self._formed(*ran.formed(swept(sens)))

        return value, pull


def _noting() -> Piece | None:
    """What notes ops in eager mode, if nobody else does."""
    now = state.now
    return now.piece if now.trace is None and not now.tapes else None


def _one_piece(fn: Callable[..., Any], args: Sequence[Any]) -> contextlib.AbstractContextManager[None]:
    """Notes the ops within to run them together, where nobody does, or records them, yet."""
    now = state.now
    nested = now.trace is not None or now.piece is not None or now.tapes
    return contextlib.nullcontext() if nested else in_one_piece(fn, args)


def _positions(grad_position: int | tuple[int, ...] | None) -> tuple[int, ...] | None:
    if grad_position is None:
        return None
    positions = grad_position if isinstance(grad_position, (tuple, list)) else (grad_position,)
    for p in positions:
        if isinstance(p, bool) or not isinstance(p, int) or p < 0:
            raise TypeError(f"grad: grad_position must be an int >= 0 or a tuple of them, got {grad_position!r}")
    return tuple(positions)


def _alone(grad_position: Any) -> Any:
    """A tuple of one position is that position: its gradient comes by itself, as from MindSpore."""
    return grad_position[0] if isinstance(grad_position, (tuple, list)) and len(grad_position) == 1 else grad_position


def _checked(fn: Any, grad_position: Any, weights: Any, has_aux: Any, name: str) -> None:
    if not callable(fn):
        raise TypeError(f"{name}: fn must be callable, got {type(fn).__name__}")
    if grad_position is None and weights is None:
        raise ValueError(f"{name}: grad_position and weights can not be None at the same time")
    if isinstance(grad_position, (tuple, list)) and not grad_position:
        raise ValueError(f"{name}: grad_position must name an argument, or be None with weights, got {grad_position!r}")
    if not isinstance(has_aux, bool):
        raise TypeError(f"{name}: has_aux must be a bool, got {has_aux!r}")


def value_and_grad(
    fn: Callable[..., Any], grad_position: int | tuple[int, ...] | None = 0, weights: Any = None,
    has_aux: bool = False, return_ids: bool = False, sens_param: bool = False,
) -> Callable[..., Any]:
    """A function that returns `fn`'s value and its gradients.

    Args:
        fn: a function or Cell that returns a float tensor, a tuple whose first item is one (`has_aux`), or nested
            tuples, lists and dicts of tensors: the sum of all elements of the float ones is differentiated.
        grad_position: index (or tuple of them) of the arguments to differentiate by, float Tensors or tuples and lists
            of them; None for none.
        weights: Parameters (one, or a list or tuple) to differentiate by; the gradients of those that are not trained
            (`requires_grad`) are zeros.
        has_aux: `fn` returns (loss, *others); only the loss is differentiated.
        return_ids: in the place of each gradient comes a pair: the position, or the Parameter's name, and the gradient
            (`get_grad` finds one among them).
        sens_param: the last argument of the call, or the one named `sens`, is the cotangent of the value, instead of
            ones.
    Returns:
        A function returning `(value, gradients)`: of one position a Tensor, of several a tuple; with weights too,
        `(of inputs, of weights)`; with `grad_position=None` those of the weights alone.
    """
    _checked(fn, grad_position, weights, has_aux, "value_and_grad")
    return GradientFunction(
        fn, _alone(grad_position), weights, has_aux=has_aux, sens_param=sens_param, with_value=True,
        return_ids=return_ids,
    )  # fmt: skip


def grad(
    fn: Callable[..., Any], grad_position: int | tuple[int, ...] | None = 0, weights: Any = None,
    has_aux: bool = False, return_ids: bool = False, sens_param: bool = False,
) -> Callable[..., Any]:
    """As `value_and_grad`, but the function returns the gradients only (with `has_aux`: gradients, other values)."""
    _checked(fn, grad_position, weights, has_aux, "grad")
    return GradientFunction(
        fn, _alone(grad_position), weights, has_aux=has_aux, sens_param=sens_param, return_ids=return_ids
    )


def get_grad(gradients: Any, identifier: int | str | Parameter) -> Tensor:
    """The gradient of one position or Parameter, among what `grad(..., return_ids=True)` returned.

    Args:
        gradients: a pair (identifier, gradient), or nested tuples of such pairs.
        identifier: the argument's position, or the Parameter, or its name.
    Raises:
        RuntimeError: no gradient is of that position or Parameter.
    """
    if isinstance(identifier, bool) or not isinstance(identifier, (int, str, Parameter)):
        raise TypeError(f"get_grad: identifier must be an int, a Parameter or its name, got {identifier!r}")
    wanted = identifier.name if isinstance(identifier, Parameter) else identifier
    waiting = [gradients]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (tuple, list)):
            if len(item) == 2 and isinstance(item[0], (int, str)):
                if item[0] == wanted and type(item[0]) is type(wanted):
                    found: Tensor = item[1]
                    return found
            else:
                waiting += item
    raise RuntimeError(f"get_grad: there is no gradient of {wanted!r}; were the gradients asked for with return_ids?")


class GradOperation:
    """MindSpore's older form: `GradOperation(get_by_list=True)(fn, params)(*inputs)`.

    Args:
        get_all: gradients of all inputs (otherwise of the first): all Tensors, and tuples, lists and dicts of them; of
            integers, such as labels, they are zeros.
        get_by_list: gradients of the Parameters given with `fn`; with `get_all`, of both.
        sens_param: the call's last argument is the cotangent of the value.
    """

    def __init__(self, get_all: bool = False, get_by_list: bool = False, sens_param: bool = False) -> None:
        for name, value in (("get_all", get_all), ("get_by_list", get_by_list), ("sens_param", sens_param)):
            if not isinstance(value, bool):
                raise TypeError(f"GradOperation: {name} must be a bool, got {value!r}")
        self.get_all, self.get_by_list, self.sens_param = get_all, get_by_list, sens_param

    def __call__(self, fn: Callable[..., Any], weights: Any = None) -> Callable[..., Any]:
        if self.get_by_list and weights is None:
            trainable = getattr(fn, "trainable_params", None)
            if trainable is None:
                raise ValueError("GradOperation: get_by_list needs the Parameters: GradOperation(...)(fn, params)")
            weights = trainable()
        functions: dict[Any, Callable[..., Any]] = {}

        def gradient(*args: Any) -> Any:
            inputs = args[: len(args) - self.sens_param]
            everything = tuple(i for i, value in enumerate(inputs) if _of_tensors(value))
            position: Any = everything if self.get_all else None if self.get_by_list else 0
            if position not in functions:
                chosen = weights if self.get_by_list else None
                functions[position] = GradientFunction(
                    fn, position, chosen, sens_param=self.sens_param, integers=self.get_all
                )
            return functions[position](*args)

        return gradient


def _of_tensors(value: Any) -> bool:
    """Whether an argument is a Tensor or array, or holds nothing else."""
    return all(isinstance(leaf, (Tensor, np.ndarray)) for leaf in leaves_of(value))


def _apart(value: Any, has_aux: bool) -> tuple[Any, ...]:
    """`(value,)`; of a function with other values `(its first, the others)`, where one other stands for itself."""
    if not has_aux:
        return (value,)
    first, *others = value
    return first, others[0] if len(others) == 1 else tuple(others)


def vjp(fn: Callable[..., Any], *inputs: Tensor, weights: Any = None, has_aux: bool = False) -> tuple[Any, ...]:
    """The value at `inputs`, and a function from the value's cotangent to those of the inputs (and weights).

    Args:
        has_aux: `fn` returns (value, *others); only the first is differentiated.
    Returns:
        `(value, function)`, with `has_aux` `(value, function, others)`: one other as it is, several as a tuple.
    """
    value, pull = GradientFunction(fn, tuple(range(len(inputs))), weights, has_aux=has_aux).pulled(inputs)

    def pullback(*sens: Tensor) -> Any:
        return pull(sens[0] if len(sens) == 1 else sens)

    first, *others = _apart(value, has_aux)
    return first, pullback, *others


def linearize(fn: Callable[..., Any], inputs: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The value at `inputs`, and the function that gives its derivative along a direction; see `jvp`."""
    points = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    value, pull = GradientFunction(fn, tuple(range(len(points)))).pulled(points)
    return value, lambda v: _along(value, pull, _directions(v, len(points)))


def jvp(fn: Callable[..., Any], inputs: Any, v: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The value at `inputs` and its derivative along `v`, by differentiating the transposed product twice.

    With `has_aux` the function's other values come third, as `vjp` gives them.
    """
    points = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    directions = _directions(v, len(points))
    with _one_piece(fn, points):
        value, pull = GradientFunction(fn, tuple(range(len(points))), has_aux=has_aux).pulled(points)
        head, *others = _apart(value, has_aux)
        return head, _along(head, pull, directions), *others


def _directions(v: Any, count: int) -> Sequence[Tensor]:
    directions = v if isinstance(v, (tuple, list)) else (v,)
    if count != len(directions):
        raise ValueError(f"jvp: {count} inputs and {len(directions)} directions")
    return directions


def _along(head: Any, pull: Callable[[Any], Any], directions: Sequence[Tensor]) -> Tensor:
    """The derivative of `head` along directions, one for each input."""
    from graphc.ops.complex_parts import conjugate  # written with this module

    if not isinstance(head, Tensor):
        raise TypeError("jvp: fn must return one Tensor (with has_aux: first)")
    sens = TABLE["broadcast_to"](Tensor(0, head.dtype), shape=head.shape)

    def dotted(u: Tensor) -> Tensor:
        total: Tensor | None = None
        for g, d in zip(pull(u), directions, strict=True):
            term = (conjugate(g) * d).sum()
            total = term if total is None else total + term
        assert total is not None
        return total

    with _one_piece(pull, (sens,)):
        tangent: Tensor = GradientFunction(dotted).differentiate(sens)
        return tangent


def jet(fn: Callable[..., Any], primals: Any, series: Any) -> tuple[Any, Any]:
    """The value of a function, and its derivatives by t, where each input is a polynomial in t with those it is given.

    The input is `p + s[0] t + s[1] t^2 / 2 + s[2] t^3 / 6 + ...`, at t = 0. Each order differentiates the one before as
    `jvp` does, so that the work grows by a factor with each.

    Args:
        fn: a function of Tensors that returns one Tensor or several.
        primals: one Tensor or a tuple of them; integers become float32.
        series: for each of them `[N, *shape]`, its derivatives of the orders 1 to N; or of its own shape, if N is 1.
    Returns:
        `(value, derivatives)`, the derivatives as `[N, *value.shape]`; both are lists if `fn` returns several values.
    Raises:
        TypeError, ValueError: shapes, dtypes or numbers of tensors differ.
    """
    if isinstance(primals, Tensor) != isinstance(series, Tensor):
        raise located(TypeError("jet: primals and series must be both a Tensor, or both a tuple of them"))
    points, terms = ([primals], [series]) if isinstance(primals, Tensor) else (list(primals), list(series))
    if len(points) != len(terms) or not points:
        raise located(ValueError(f"jet: got {len(points)} primals and {len(terms)} series"))
    for i, (point, own) in enumerate(zip(points, terms, strict=True)):
        own = own.reshape(1, *own.shape) if own.shape == point.shape else own
        if own.shape[1:] != point.shape or own.ndim == 0:
            raise located(ValueError(f"jet: primals {point.spec} have series {own.spec}"))
        if point.dtype is not own.dtype:
            raise located(TypeError(f"jet: primals {point.spec} have series {own.spec}"))
        points[i], terms[i] = (x if x.dtype.is_float else x.astype(float32) for x in (point, own))
    order = terms[0].shape[0]
    if any(own.shape[0] != order for own in terms):
        raise located(ValueError(f"jet: the series have {[own.shape[0] for own in terms]} orders"))

    def along(t: Tensor) -> Any:
        inputs = []
        for point, own in zip(points, terms, strict=True):
            value = own[order - 1] * (t / math.factorial(order))
            for k in reversed(range(order - 1)):
                value = (value + own[k] / math.factorial(k + 1)) * t
            inputs.append(point + value)
        return fn(*inputs)

    value = fn(*points)
    several = isinstance(value, (tuple, list))
    start = Tensor(0.0, points[0].dtype)
    found = [
        _derivatives(lambda t, i=i: along(t)[i] if several else along(t), start, order)  # type: ignore[misc]
        for i in range(len(value) if several else 1)
    ]
    return (list(value), found) if several else (value, found[0])


def _derivatives(function: Callable[[Tensor], Tensor], start: Tensor, order: int) -> Tensor:
    """The derivatives of the orders 1 to `order` of a function of one number, along a new first axis."""
    from graphc.ops.shape import stack  # written with this module

    found = []
    for _ in range(order):
        function = functools.partial(_slope, function)
        found.append(function(start))
    return stack(found)


def _slope(function: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    slope: Tensor = jvp(function, t, TABLE["broadcast_to"](Tensor(1.0, t.dtype), shape=()))[1]
    return slope


def derivative(fn: Callable[..., Any], primals: Any, order: int) -> tuple[Any, Any]:
    """The value of a function and its derivative of an order, as all inputs change alike: see `jet`.

    Args:
        primals: one Tensor or a tuple of them; integers become float32.
        order: at least 1.
    Returns:
        `(value, derivative)`, each a Tensor, or a list of them if `fn` returns several.
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise located(ValueError(f"derivative: order must be an int >= 1, got {order!r}"))

    def line(x: Tensor) -> Tensor:
        first = np.zeros((order, *x.shape))
        first[0] = 1
        return Tensor(first, x.dtype)

    series = line(primals) if isinstance(primals, Tensor) else tuple(map(line, primals))
    value, found = jet(fn, primals, series)
    return value, [each[order - 1] for each in found] if isinstance(found, list) else found[order - 1]


def jacrev(
    fn: Callable[..., Any], grad_position: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The Jacobian, one row (one cotangent) at a time: `[*value.shape, *input.shape]` for each position.

    With `has_aux` the pair of it and the function's other values: one as it is, several as a tuple.

    Raises:
        TypeError: the value is complex, of which each part has derivatives.
    """
    from graphc.ops.shape import reshape, stack

    function = GradientFunction(fn, grad_position, has_aux=has_aux)

    def jacobian(*args: Tensor) -> Any:
        with _one_piece(fn, args):
            return rows_of(*function.pulled(args))

    def rows_of(value: Any, pull: Callable[[Any], Any]) -> Any:
        head, *others = _apart(value, has_aux)
        if head.dtype.is_complex:
            raise located(TypeError(f"jacrev: expected a real value, got {head.spec}; ask for those of its parts"))

        def gather(items: Sequence[Tensor]) -> Tensor:
            return reshape(stack(items), (*head.shape, *items[0].shape))

        rows = []
        for i in range(head.size):
            basis = [0.0] * head.size
            basis[i] = 1.0
            rows.append(pull(Tensor(basis, head.dtype).reshape(head.shape)))
        result = gather(rows) if isinstance(grad_position, int) else tuple(map(gather, zip(*rows, strict=True)))
        return (result, *others) if has_aux else result

    return jacobian


def jacfwd(
    fn: Callable[..., Any], grad_position: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The Jacobian, as `jacrev` has it: graphc takes it row by row, whichever of MindSpore's two is asked for."""
    return jacrev(fn, grad_position, has_aux)


def stop_gradient(value: Any) -> Any:
    """The same value, as a constant to differentiation: a Tensor, or nested tuples, lists and dicts of them.

    What else is given (a number, None) is returned as it is.
    """
    return map_leaves(lambda leaf: TABLE["stop_gradient"](leaf) if isinstance(leaf, Tensor) else leaf, value)


class _no_grad(contextlib.ContextDecorator):  # noqa: N801 (MindSpore's name)
    """While open, or in a function that it decorates, what is computed is a constant to differentiation."""

    def __init__(self) -> None:
        self._outer: list[tuple[Tape, ...]] = []

    def __enter__(self) -> _no_grad:
        now = state.now
        self._outer.append(now.tapes)
        now.tapes = tuple([Paused(tape) for tape in now.tapes])
        return self

    def __exit__(self, *error: object) -> None:
        state.now.tapes = self._outer.pop()


# Functions in the backward pass


class InsertGradientOf:
    """The identity, whose gradient is given through a function: `InsertGradientOf(f)(x)` has the gradient `f(dx)`.

    Args:
        f: takes the gradient and returns one of the same type; in graph mode it is traced.
    """

    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        if not callable(f):
            raise TypeError(f"{type(self).__name__}: expected a function, got {type(f).__name__}")
        self.f = f

    def __call__(self, x: Tensor) -> Tensor:
        result: Tensor = with_vjp(type(self).__name__, x, (x,), lambda ct: (self.f(ct),))
        return result


class HookBackward:
    """The identity, whose gradients a function sees: `HookBackward(hook_fn)(x, y)`.

    Args:
        hook_fn: takes the tuple of gradients; what it returns, if not None, takes their place.
        cell_id: what errors call it.
    """

    def __init__(self, hook_fn: Callable[[tuple[Tensor, ...]], Any], cell_id: str = "") -> None:
        if not callable(hook_fn):
            raise TypeError(f"HookBackward: expected a function, got {type(hook_fn).__name__}")
        self.hook_fn, self.cell_id = hook_fn, cell_id

    def __call__(self, *inputs: Tensor) -> Any:
        def backward(*cts: Tensor) -> tuple[Tensor, ...]:
            changed = self.hook_fn(cts)
            if changed is None:
                return cts
            return changed if isinstance(changed, tuple) else (changed,)

        value = inputs[0] if len(inputs) == 1 else inputs
        return with_vjp(f"HookBackward {self.cell_id}".rstrip(), value, inputs, backward)


class GradientHook:
    """A function that sees the gradient of a tensor; `remove()` takes it away again."""

    def __init__(self, hook: Callable[[Tensor], Any], parameter: Parameter | None = None) -> None:
        self._hook: Callable[[Tensor], Any] | None = hook
        self._parameter = weakref.ref(parameter) if parameter is not None else None

    def __call__(self, ct: Tensor) -> tuple[Tensor]:
        changed = None if self._hook is None else self._hook(ct)
        return (ct if changed is None else changed,)

    def remove(self) -> None:
        self._hook = None
        parameter = self._parameter() if self._parameter is not None else None
        if parameter is not None:
            parameter.gradient_hooks = tuple(hook for hook in parameter.gradient_hooks if hook is not self)
            context.structure_changed()


def register_hook(self: Tensor, hook_fn: Callable[[Tensor], Any]) -> GradientHook:
    """Calls `hook_fn(gradient)` when the tensor's gradient is computed; what it returns, if not None, takes its place.

    It is for Parameters, whose gradients it sees from then on, and for tensors within a function that is being
    differentiated, where it counts for what is computed from them later.

    Raises:
        TypeError: `hook_fn` is no function.
    """
    if not callable(hook_fn):
        raise located(TypeError(f"Tensor.register_hook: expected a function, got {type(hook_fn).__name__}"))
    if isinstance(self, Parameter):
        handle = GradientHook(hook_fn, self)
        self.gradient_hooks = (*self.gradient_hooks, handle)
        context.structure_changed()
        return handle
    handle = GradientHook(hook_fn)
    seen = with_vjp("Tensor.register_hook", self, (self,), handle)
    if seen is not self:
        self._become(seen)
    return handle
