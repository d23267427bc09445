"""Simplification: nodes that change nothing go. Every rule is exact, to the sign of zero and the payload of NaN.

    before   %0 = transpose(%x, perm=(1, 0))   %1 = transpose(%0, perm=(1, 0))   %2 = mul(%1, 1.0)
    after    %x

What would change a floating-point result (x + 0.0, x * 0.0, reassociation) is not a simplification.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from graphc.ir import Graph, Node, TensorType, constant_node, rewrite

Rule = Callable[[Node], Node]


def simplify(graph: Graph) -> Graph:
    return rewrite(graph, _simplify)


def _simplify(node: Node) -> Node:
    for rule in RULES.get(node.op, ()):
        simpler = rule(node)
        if simpler.op != node.op:  # the rules left are about another op; what came out has been through its own
            return simpler
        node = simpler
    return node


def _scalar(node: Node) -> float | int | bool | None:
    """The number that every element of the node is, if it is known."""
    while node.op in ("broadcast_to", "reshape"):
        node = node.operands[0]
    return node.attrs["value"] if node.op == "constant" else None


def _is(node: Node, number: float) -> bool:
    value = _scalar(node)
    same_sign = value is not None and math.copysign(1, value) == math.copysign(1, number)
    return value is not None and value == number and (same_sign or not node.dtype.is_float)


def same_type_is_identity(node: Node) -> Node:
    """A cast, reshape, broadcast, slice or pad to the type the operand already has."""
    return node.operands[0] if node.operands[0].type == node.type else node


def identity(node: Node) -> Node:
    return node.operands[0]


def rounded_before(node: Node) -> Node:
    """cast(cast(x)) = x where x was rounded to a narrow float by a cast itself, and only widened since.

    Another x may hold a NaN that a cast does not make.
    """
    inner = node.operands[0]
    x = inner.operands[0] if inner.op == "cast" else node
    widened = x.dtype is node.dtype and x.op == "cast" and x.dtype.is_float and inner.dtype is x.dtype.wide
    return x if widened and x.operands[0].dtype is inner.dtype else node


def view_of_view(node: Node) -> Node:
    """reshape(reshape(x)) = reshape(x), and likewise for broadcasts of one rank."""
    inner = node.operands[0]
    if inner.op != node.op or (node.op == "broadcast_to" and len(inner.operands[0].shape) != len(node.shape)):
        return node
    return same_type_is_identity(node.with_operands((inner.operands[0],)))


def double_transpose(node: Node) -> Node:
    inner, perm = node.operands[0], node.attrs["perm"]
    if perm == tuple(range(len(perm))):
        return inner
    if inner.op != "transpose":
        return node
    joined = tuple(inner.attrs["perm"][p] for p in perm)
    if joined == tuple(range(len(joined))):
        return inner.operands[0]
    return Node("transpose", inner.operands, {"perm": joined}, node.type, node.loc, node.forward)


def neutral_right(number: float) -> Rule:
    def rule(node: Node) -> Node:
        return node.operands[0] if _is(node.operands[1], number) else node

    return rule


def neutral_left(number: float) -> Rule:
    def rule(node: Node) -> Node:
        return node.operands[1] if _is(node.operands[0], number) else node

    return rule


def integer_sum(node: Node) -> Node:
    """(x + c) + d = x + (c + d) for integers, which wrap."""
    inner, last = node.operands
    if node.dtype.is_float or inner.op != "add" or last.op != "constant" or inner.operands[1].op != "constant":
        return node
    terms = [np.asarray(c.attrs["value"], node.dtype.np) for c in (inner.operands[1], last)]
    joined = constant_node(np.add(*terms).item(), node.dtype, node.loc)
    return node.with_operands((inner.operands[0], joined))


def double_negation(node: Node) -> Node:
    inner = node.operands[0]
    return inner.operands[0] if inner.op == node.op else node


def reshapes_joined(node: Node) -> Node:
    """concat(reshape(x), reshape(y)) = reshape(concat(x, y)) along the first axis, if x and y agree on the others."""
    bases = [o.operands[0] for o in node.operands if o.op == "reshape" and o.operands[0].shape]
    if node.attrs["axis"] or len(bases) < len(node.operands) or len({base.shape[1:] for base in bases}) > 1:
        return node
    type_ = TensorType((sum(base.shape[0] for base in bases), *bases[0].shape[1:]), node.dtype)
    joined = Node("concat", bases, {"axis": 0}, type_, node.loc, node.forward)
    return same_type_is_identity(Node("reshape", (joined,), {"shape": node.shape}, node.type, node.loc, node.forward))


def weave_of_views(node: Node) -> Node:
    """weave(flip(x), flip(y)) = flip(weave(x, y)), and likewise for transposes: x and y can be computed in place."""
    view, *others = node.operands
    if view.op not in ("flip", "transpose") or any((o.op, o.attrs) != (view.op, view.attrs) for o in others):
        return node
    begins, step, shape = (node.attrs[name] for name in ("begins", "step", "shape"))
    if view.op == "flip":
        begins = tuple(
            tuple(
                n - 1 - (lo + (count - 1) * s) if axis in view.attrs["axes"] else lo
                for axis, (lo, count, s, n) in enumerate(zip(begin, part.shape, step, shape, strict=True))
            )
            for begin, part in zip(begins, node.operands, strict=True)
        )
    else:
        back = [view.attrs["perm"].index(axis) for axis in range(len(shape))]
        step, shape, *begins = (tuple(of[axis] for axis in back) for of in (step, shape, *begins))
    attrs = {"begins": tuple(begins), "step": step, "shape": shape}
    parts = [o.operands[0] for o in node.operands]
    woven = _simplify(Node("weave", parts, attrs, TensorType(shape, node.dtype), node.loc, node.forward))
    return Node(view.op, (woven,), view.attrs, node.type, node.loc, node.forward)


def read_in_any_shape(node: Node) -> Node:
    """scan(reshape(x)) = scan(x): a loop reads its operands element after element."""
    return node.with_operands(o.operands[0] if o.op == "reshape" and o.operands[0].shape else o for o in node.operands)


COMPARISONS = {"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"}


def mask_before_unpooling(node: Node) -> Node:
    """select(x > 0, unpooled(ct), 0) = unpooled(select(max_pool(x) > 0, ct, 0)): a window's ct goes to its maximum.

    So the gradient of an activation before a pooling reads the windows' maxima, and all of x may be forgotten.
    """
    condition, spread, otherwise = node.operands
    if condition.op not in COMPARISONS or spread.op != "max_pool_grad" or not _is(otherwise, 0.0):
        return node
    ct, index = spread.operands
    window = {key: value for key, value in spread.attrs.items() if key != "size"}
    if index.op != "max_pool_index" or index.attrs != window:
        return node
    sides: list[Node] = []
    for side in condition.operands:
        type_ = TensorType(ct.shape, side.dtype)
        if side is index.operands[0]:
            sides.append(Node("max_pool", (side,), window, type_, node.loc, node.forward))
        elif (number := _scalar(side)) is not None:
            sides.append(_filled(number, type_, node))
        else:
            return node
    mask = Node(condition.op, sides, {}, TensorType(ct.shape, condition.dtype), node.loc, node.forward)
    masked = Node("select", (mask, ct, _filled(0, ct.type, node)), {}, ct.type, node.loc, node.forward)
    return Node(spread.op, (masked, index), spread.attrs, spread.type, node.loc, node.forward)


def _filled(number: float, type_: TensorType, like: Node) -> Node:
    """A number as every element."""
    scalar = constant_node(number, type_.dtype, like.loc)
    return Node("broadcast_to", (scalar,), {"shape": type_.shape}, type_, like.loc, like.forward)


RULES: dict[str, tuple[Rule, ...]] = {
    "identity": (identity,),
    "stop_gradient": (identity,),
    "cast": (same_type_is_identity, rounded_before),
    "reshape": (same_type_is_identity, view_of_view),
    "slice": (same_type_is_identity,),
    "concat": (reshapes_joined,),
    "pad": (same_type_is_identity,),
    "broadcast_to": (same_type_is_identity, view_of_view),
    "transpose": (double_transpose,),
    "mul": (neutral_right(1), neutral_left(1)),
    "div": (neutral_right(1),),
    "add": (neutral_right(-0.0), neutral_left(-0.0), integer_sum),
    "sub": (neutral_right(0),),
    "neg": (double_negation,),
    "logical_not": (double_negation,),
    "scan": (read_in_any_shape,),
    "select": (mask_before_unpooling,),
    "weave": (weave_of_views,),
}
