"""`GraphCell`: a network that is a graph rather than Python, as `graphc.load` reads it from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.dispatch import assign, perform
from graphc.ir import Graph, Node
from graphc.nested import flatten
from graphc.nn.cell import Cell
from graphc.op import TABLE
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = ["GraphCell"]


@dataclass(frozen=True)
class Exported:
    """A traced network with the values that it holds.

    Attributes:
        graph: its arguments are the network's inputs, its other inputs the network's state.
        state: what stands behind each of these other inputs: Parameters, and Tensors that do not change.
        structure: the form of the result: nested `{"tensor": i}`, `{"tuple": [...]}`, `{"list": [...]}`,
            `{"dict": [[key, ...], ...]}` and `{"value": x}`.
    """

    graph: Graph
    state: tuple[Tensor, ...]
    structure: Any

    def __str__(self) -> str:
        return str(self.graph)


class GraphCell(Cell):
    """A network read from a file; it can be called, trained on and differentiated like any other.

    Args:
        graph: what `graphc.load` returned.
        params_init: Parameters or Tensors by name, in the place of those of the file.
        obf_random_seed: only None.
    Raises:
        TypeError: `graph` is something else.
        ValueError: `params_init` has a name that the network lacks, or a value of another type; or it is obfuscated.
    """

    def __init__(
        self, graph: Exported, params_init: Mapping[str, Tensor] | None = None, obf_random_seed: int | None = None
    ) -> None:
        super().__init__()
        if not isinstance(graph, Exported):
            raise TypeError(f"GraphCell: expected what graphc.load returns, got {type(graph).__name__}")
        if obf_random_seed is not None:
            raise ValueError("GraphCell: obf_random_seed must be None; graphs are not obfuscated")
        self._graph, self._structure = graph.graph, graph.structure
        given = dict(params_init or {})
        state: list[Tensor] = []
        for tensor in graph.state:
            if isinstance(tensor, Parameter):
                value = given.pop(tensor.name, tensor)
                if value.spec != tensor.spec:
                    raise ValueError(f"GraphCell: {tensor.name} is {tensor.spec}, params_init has {value.spec}")
                tensor = Parameter(value, tensor.name, tensor.requires_grad)
                self.insert_param_to_cell(tensor.name, tensor, check_name_contain_dot=False)
            state.append(tensor)
        if given:
            raise ValueError(f"GraphCell: params_init has {sorted(given)}, which the network lacks")
        self._state = tuple(state)

    def construct(self, *inputs: Any) -> Any:
        leaves: list[Tensor] = []
        flatten(inputs, leaves)
        graph = self._graph
        expected = [node.type for node in graph.inputs[: graph.arguments]]
        if [leaf.spec for leaf in leaves] != expected:
            got, wanted = (", ".join(map(str, types)) for types in ([leaf.spec for leaf in leaves], expected))
            raise ValueError(f"GraphCell: the network was exported for inputs of type {wanted}, got {got}")
        values: dict[Node, Tensor] = dict(zip(graph.inputs, (*leaves, *self._state), strict=True))
        for node in graph.nodes:
            if node.op == "constant":
                values[node] = Tensor(node.attrs["value"], node.dtype)
            elif node.op != "input":
                values[node] = perform(TABLE[node.op], tuple(values[o] for o in node.operands), node.attrs)
        outputs = [values[o] for o in graph.outputs]
        changed = [(values[target], values[value]) for target, value in graph.updates]
        for target, value in changed:
            assign(target, value)  # type: ignore[arg-type]  # the inputs that are updated are Parameters
        return rebuilt(self._structure, outputs)


def rebuilt(structure: Any, outputs: Sequence[Any]) -> Any:
    """The result in its form.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: no such form.
    """
    (kind, content), = structure.items()
    if kind == "tensor":
        return outputs[content]
    if kind in ("tuple", "list"):
        items = [rebuilt(item, outputs) for item in content]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {key: rebuilt(item, outputs) for key, item in content}
    if kind == "value":
        return content
    raise ValueError(f"a result of the form {kind!r}")


def structure_of(value: Any, places: Mapping[int, int]) -> Any:
    """The form of a result, whose tensors are told by their ids.

    Raises:
        TypeError: it holds something that is neither a tensor, a container of them, nor a plain value.
    """
    if isinstance(value, Tensor):
        return {"tensor": places[id(value)]}
    if isinstance(value, (tuple, list)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [structure_of(item, places) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": [[key, structure_of(item, places)] for key, item in value.items()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"value": value}
    raise TypeError(f"export: a network that returns a {type(value).__name__} cannot be exported")
