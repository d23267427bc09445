"""The op table: what an operation means, in one place.

    @define_op(infer=same_float, exact=False)
    def tanh(x):
        return np.tanh(x)              # the meaning: NumPy in, NumPy out

    @tanh.def_vjp
    def tanh_vjp(ct, y, x):            # one cotangent per operand, written with ops
        return (ct * (1.0 - y * y),)

    @tanh.def_lower
    def tanh_lower(b, index, x):       # one element of the result, given its index
        return b.fn("tanh", x(index))

Tensors are positional, attributes keyword-only and hashable. Calling an op runs it now, or records it while a Cell is
being traced (`graphc.dispatch`). `TABLE` holds every op by name.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from graphc.ir import Node, TensorType

if TYPE_CHECKING:
    from graphc.tensor import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])

Places = Sequence[tuple[tuple[int, ...], tuple[int, ...]]]

TABLE: dict[str, Op] = {}
_apply: Callable[[Op, tuple[Any, ...], dict[str, Any]], Tensor] | None = None


def set_apply(apply: Callable[[Op, tuple[Any, ...], dict[str, Any]], Tensor]) -> None:
    """Registers what calling an op does."""
    global _apply
    _apply = apply


class Op:
    """One operation and all its rules.

    Attributes:
        name: its name in graphs; `meaning`: the NumPy function that defines it.
        infer: `(*types, **attrs) -> TensorType`; reports bad operands.
        exact: NumPy's result is defined to the bit (data movement, IEEE arithmetic), so eager mode runs `meaning`;
            elsewhere the op's own compiled kernel runs.
        coerce: makes the operands of a call agree (promotion, broadcasting) before `infer` sees them.
        broadcasts: whether that may take other ops.
        vjp: `(ct, result, *operands, **attrs)` to one cotangent per operand: a Tensor, None where there is none, or a
            function of no arguments that makes one (for what is costly and perhaps not needed): a `Later` where the
            sum of several is better made at once; or a list of these, whose sum it is.
        is_view: whether it only moves data.
        takes_parts: whether `vjp` is given, in place of `ct`, the list of what that is the sum of.
        lower: `(b, index, *readers, **attrs)` to the element of the result at `index`.
        kernel: the name of a hand-made kernel for what loops over elements do badly.
        places: of an op that `joins` its operands, where each lies in the result: `(*types, **attrs)` to a pair for
            each operand, its first index along each axis and the steps between neighbours.
        unrolled: of an op of which several neighbours are best computed together: how many along each axis of its
            result, `(*types, **attrs)`. It is stored, by a kernel of its own that stands at all of them at once.
        filled: of an op whose operands may be filled up at their ends without a change to the beginning of its result:
            `(*types, **attrs)` to a `Filled`, or None. That of elementwise ops is known.
        traits: facts that passes ask for: `elementwise` (each result element reads the same element of each operand),
            `view` (data movement only), `margin` (a view that surrounds its first operand with its second), `reshape`
            (a view of the same elements in the same order), `permutes` (a view with its axes in another order), `joins`
            (a view of operands side by side, see `places`), `moves` (no view, and of elements of any type),
            `several` (its result is several values one after the other), `reduction`, `contraction` (of narrow operands
            as they are, if its result is of a wider type than theirs), `random`, `checks` (may raise at run time),
            `looks_up` (elements of its first operand, at places that are data).
    """

    def __init__(
        self, name: str, meaning: Callable[..., Any], infer: Callable[..., TensorType], exact: bool,
        coerce: Callable[..., tuple[Any, ...]] | None, traits: frozenset[str],
    ) -> None:
        self.name, self.meaning, self.infer, self.exact = name, meaning, infer, exact
        self.coerce, self.traits = coerce, traits
        self.vjp: Callable[..., tuple[Any, ...]] | None = None
        self.lower: Callable[..., Any] | None = None
        self.kernel: str | None = None
        self.places: Callable[..., Places] | None = None
        self.unrolled: Callable[..., tuple[int, ...]] | None = None
        self.filled: Callable[..., Filled | None] | None = None
        self.known: dict[Hashable, TensorType] = {}  # what `infer` told, by the types of the operands and attributes
        self.defaults = dict(getattr(meaning, "__kwdefaults__", None) or {})  # a ufunc has none
        self.broadcasts = coerce is not None and "elementwise" in traits
        self.takes_parts = "several" in traits
        self.is_view = "view" in traits
        self.__doc__ = meaning.__doc__
        self.__name__ = name

    def def_vjp(self, function: Function) -> Function:
        self.vjp = function
        return function

    def def_lower(self, function: Function) -> Function:
        self.lower = function
        return function

    def def_places(self, function: Function) -> Function:
        self.places = function
        return function

    def def_unrolled(self, function: Function) -> Function:
        self.unrolled = function
        return function

    def def_filled(self, function: Function) -> Function:
        self.filled = function
        return function

    def def_kernel(self, name: str) -> str:
        self.kernel = name
        return name

    def __call__(self, *operands: Any, **attrs: Any) -> Tensor:
        assert _apply is not None, "graphc.dispatch registers what calling an op does"
        return _apply(self, operands, attrs)

    def __repr__(self) -> str:
        return f"Op({self.name})"


MOST_TERMS = 1 << 14
"""Terms that are summed in one go. Where a longer sum is cut (`passes/portions.py`) follows from its length, so its
operands cannot be filled up."""


@dataclass(frozen=True)
class Filled:
    """How an op's operands may be filled up at the end of each axis: the beginning of its result stays, to the bit.

    Attributes:
        shapes: as which the operands are seen, of the same elements.
        values: what each is filled up with.
        attrs: of the op on operands so seen.
    """

    shapes: tuple[tuple[int, ...], ...]
    values: tuple[Any, ...]
    attrs: dict[str, Any]


@dataclass(frozen=True)
class Later:
    """A cotangent that is made when it is called: `op(*operands, **attrs)`.

    Where a tensor is used several times (a weight by every step of a recurrent network, a sequence by its slices), its
    cotangent is the sum of several alike. `joined` makes that sum of what they are made of, in the order in which the
    program used the tensor; it returns None where adding them up is as well. `over_steps` makes the sum of those of
    the steps of a loop, given one whose operands have those of all steps along a new first axis.
    """

    op: Callable[..., Tensor]
    operands: tuple[Tensor, ...]
    attrs: dict[str, Any]
    joined: Callable[[Sequence[Later]], Tensor | None]
    over_steps: Callable[[Later], Tensor] | None = None

    def __call__(self) -> Tensor:
        return self.op(*self.operands, **self.attrs)

    @property
    def kind(self) -> Hashable:
        """The same for those that `joined` may be asked to join."""
        return self.joined, getattr(self.op, "name", self.op)


FEWEST_JOINED = 3
"""The fewest cotangents that are laid side by side to be made as one; two are a sum in the second one's kernel."""


def define_op(
    *,
    infer: Callable[..., TensorType],
    exact: bool = True,
    coerce: Callable[..., tuple[Any, ...]] | None = None,
    traits: str = "",
    name: str | None = None,
) -> Callable[[Callable[..., Any]], Op]:
    """Enters an op into the table under the name of the decorated NumPy function (or `name`)."""

    def enter(meaning: Callable[..., Any]) -> Op:
        op_name = name or meaning.__name__.rstrip("_")
        if op_name in TABLE:
            raise ValueError(f"define_op: {op_name} is defined twice")
        op = TABLE[op_name] = Op(op_name, meaning, infer, exact, coerce, frozenset(traits.split()))
        return op

    return enter


def traits_of(node: Node) -> frozenset[str]:
    """The traits of a node's op; a leaf has none."""
    op = TABLE.get(node.op)
    return frozenset() if op is None else op.traits


def unrolled(node: Node) -> tuple[int, ...] | None:
    """How many neighbours of its result along each axis a node computes together; None if each is by itself."""
    op = TABLE.get(node.op)
    rule = None if op is None else op.unrolled
    return None if rule is None else rule(*(o.type for o in node.operands), **node.attrs)


Maker = Callable[..., Node]


def maker(node: Node) -> Maker:
    """What makes, by `(op, *operands, **attrs)`, nodes of the table's ops in a node's place: asked for where it was."""

    def made(op: str, *operands: Node, **attrs: Any) -> Node:
        return Node(op, operands, attrs, TABLE[op].infer(*(o.type for o in operands), **attrs), node.loc, node.forward)

    return made


def infer_node(node: Node) -> TensorType:
    """The type that the table's rule gives to a node that is no leaf."""
    op, types = TABLE[node.op], tuple([o.type for o in node.operands])
    known = op.known.get(types) if not node.attrs else None
    return op.infer(*types, **node.attrs) if known is None else known
