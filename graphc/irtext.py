"""The text form of a graph, printed and parsed: `str(parse(text)) == text`.

What a run is given stands before the semicolon, what keeps its buffer (parameters) after it.

    graph f(%x: f32[2,3]; %net.bias: f32[3]) {
      %0: f32[2,3] = tanh(%x)  # net.act mnist.py:15
      return %0
    }
"""

from __future__ import annotations

import ast
import re

from graphc.dtype import ALL, from_short
from graphc.ir import LEAVES, Graph, GraphError, Location, Node, TensorType, constant_node, input_node


def graph_text(graph: Graph, comments: bool = True) -> str:
    """The graph as text, one node a line, numbered by position, comments aligned.

    Args:
        comments: whether there are any; they say where nodes come from.
    """
    names = node_names(graph)
    head = ", ".join(f"{names[n]}: {n.type}" for n in graph.inputs[: graph.arguments])
    bound = ", ".join(f"{names[n]}: {n.type}" for n in graph.inputs[graph.arguments :])
    head = f"{head}; {bound}" if bound else head
    rows: list[tuple[str, str]] = []
    body = [node for node in graph.nodes if node.op not in LEAVES]
    wide = max((len(f"{names[n]}: {n.type}") for n in body), default=0)
    for node in body:
        left = f"{names[node]}: {node.type}".ljust(wide)
        arguments = [names[o] for o in node.operands] + [f"{k}={v!r}" for k, v in node.attrs.items()]
        rows.append((f"  {left} = {node.op}({', '.join(arguments)})", _comment(node, names) if comments else ""))
    margin = max((len(code) for code, comment in rows if comment and len(code) <= WIDEST), default=0)
    lines = [f"graph {graph.name}({head}) {{"]
    lines += [f"{code.ljust(margin)}  # {comment}" if comment else code for code, comment in rows]
    lines += [f"  update {names[target]} <- {names[value]}" for target, value in graph.updates]
    lines.append(f"  return {', '.join(names[o] for o in graph.outputs)}".rstrip())
    return "\n".join([*lines, "}"])


BETWEEN = "\n\n"
"""What stands in a stage's text between the graph and the bodies of its loops."""

WIDEST = 160
"""Lines longer than this, as of loops, whose bodies are texts, have their comments where they end."""


def node_names(graph: Graph) -> dict[Node, str]:
    """The name that each node has in the graph's text."""
    names: dict[Node, str] = {node: f"%{node.attrs['name']}" for node in graph.inputs}
    count = 0
    for node in graph.nodes:
        if node.op == "constant":
            names[node] = _literal(node)
        elif node not in names:
            names[node] = f"%{count}"
            count += 1
    return names


def _literal(node: Node) -> str:
    """A constant in place: its value, and its type where the value does not show it (`2:i32`, `0.5:f64`)."""
    value, dtype = node.attrs["value"], node.dtype
    shown = {"f32": float, "i64": int, "bool": bool}.get(dtype.short)
    return f"{value!r}" if shown is type(value) else f"{value!r}:{dtype.short}"


def _comment(node: Node, names: dict[Node, str]) -> str:
    if node.forward is not None and node.forward in names:
        return f"vjp of {names[node.forward]}"
    if node.forward is not None:
        return f"vjp of {node.forward.op} {node.forward.loc}".rstrip()
    return str(node.loc)


_HEAD = re.compile(r"graph (?P<name>\S+)\((?P<inputs>.*)\) \{")
_TYPE = r"(?P<dtype>\w+)\[(?P<shape>[\d,]*)\]"
_NODE = re.compile(rf"%(?P<name>\S+): {_TYPE} += (?P<op>\w+)\((?P<args>.*)\)$")
_INPUT = re.compile(rf"%(?P<name>[^:]+): {_TYPE}")
_FORWARD = "vjp of %"


def parse(text: str) -> Graph:
    """The graph that prints as `text`.

    Raises:
        GraphError: a line that is not of the form above, or a name used before it is defined.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    head = _HEAD.match(lines[0])
    if not head or lines[-1] != "}":
        raise GraphError(f"parse: expected 'graph name(inputs) {{' ... '}}', got {lines[0]!r} ... {lines[-1]!r}")
    values: dict[str, Node] = {}
    given, _, bound = head["inputs"].partition(";")
    inputs = [input_node(m["name"], _type(m)) for m in _INPUT.finditer(given)]
    arguments = len(inputs)
    inputs += [input_node(m["name"], _type(m)) for m in _INPUT.finditer(bound)]
    values.update((node.attrs["name"], node) for node in inputs)
    outputs: list[Node] = []
    updates: list[tuple[Node, Node]] = []
    derived: list[tuple[Node, str]] = []
    for line in lines[1:-1]:
        code, _, comment = line.partition("  # ")
        code = code.rstrip()
        if code.startswith("return"):
            outputs = [_operand(word, values) for word in _split(code.removeprefix("return"))]
        elif code.startswith("update "):
            target, value = code.removeprefix("update ").split(" <- ")
            updates.append((_operand(target, values), _operand(value, values)))
        elif code:
            name, node = _node(code, comment.strip(), values)
            values[name] = node
            if comment.startswith(_FORWARD):
                derived.append((node, comment.strip().removeprefix(_FORWARD)))
    for node, forward in derived:  # which may come after the nodes of its derivative
        node.forward = values[forward]
    return Graph(head["name"], tuple(inputs), tuple(outputs), tuple(updates), arguments)


def _type(match: re.Match[str]) -> TensorType:
    shape = tuple(int(n) for n in match["shape"].split(",") if n)
    return TensorType(shape, from_short(match["dtype"]))


def _node(code: str, comment: str, values: dict[str, Node]) -> tuple[str, Node]:
    match = _NODE.match(code)
    if not match:
        raise GraphError(f"parse: expected '%name: type = op(arguments)', got {code!r}")
    operands: list[Node] = []
    attrs: dict[str, object] = {}
    for word in _split(match["args"]):
        key = re.match(r"(\w+)=", word)
        if key:
            attrs[key[1]] = _value_of(word[key.end() :])
        else:
            operands.append(_operand(word, values))
    loc = _location(comment) if comment and not comment.startswith(_FORWARD) else Location()
    return match["name"], Node(match["op"], operands, attrs, _type(match), loc)


_DTYPES = {d.name: d for d in ALL}  # `cast(%0, dtype=graphc.float32)`
_NUMBERS = {"inf": float("inf"), "nan": float("nan")}


def _value_of(text: str) -> object:
    """The value that a text stands for: a literal, a number as above, a slice or an element type.

    Raises:
        GraphError: it is none: a graph's text holds no code.
    """
    return _evaluated(ast.parse(text, mode="eval").body)


def _evaluated(code: ast.expr) -> object:
    match code:
        case ast.Constant(value):
            return value
        case ast.Tuple(items):
            return tuple(map(_evaluated, items))
        case ast.List(items):
            return [*map(_evaluated, items)]
        case ast.UnaryOp(ast.USub(), operand):
            number = _evaluated(operand)
            if isinstance(number, (int, float)):
                return -number
        case ast.Name(name) if name in _NUMBERS:
            return _NUMBERS[name]
        case ast.Attribute(ast.Name("graphc"), name) if name in _DTYPES:
            return _DTYPES[name]
        case ast.Call(ast.Name("slice"), items, []):
            return slice(*map(_evaluated, items))
    raise GraphError(f"parse: {ast.unparse(code)} is no value of an attribute")


def _location(comment: str) -> Location:
    place = re.match(r"(?:(?P<scope>\S+) )?(?P<file>[^:\s]+):(?P<line>\d+)$", comment)
    if not place:
        return Location(scope=comment)
    return Location(place["scope"] or "", place["file"], int(place["line"]))


def _operand(word: str, values: dict[str, Node]) -> Node:
    if word.startswith("%"):
        if word[1:] not in values:
            raise GraphError(f"parse: {word} is read before it is defined")
        return values[word[1:]]
    value, _, short = word.partition(":")
    number = _value_of(value)
    if not isinstance(number, (bool, int, float)):
        raise GraphError(f"parse: {value} is neither a value nor a number")
    return constant_node(number, from_short(short or {bool: "bool", int: "i64", float: "f32"}[type(number)]))


def _split(text: str) -> list[str]:
    """The parts between commas that stand outside brackets and quotes."""
    parts, depth, quote, part = [], 0, "", ""
    escaped = False
    for char in text:
        if quote:
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        if char == "," and depth == 0 and not quote:
            parts.append(part.strip())
            part = ""
        else:
            part += char
    return [p for p in [*parts, part.strip()] if p]
