"""Networks as files: the graph and the values that it holds, without the Python that it was traced from.

    graphc.export(net, x, file_name="lenet", file_format="MINDIR")
    net = nn.GraphCell(graphc.load("lenet.mindir"))

As a checkpoint, such a file is a safetensors file whatever it is called: numbers, and the graph's text in the metadata.
It holds no code: reading it runs nothing, and the graph is checked before it is used. MindSpore's own files of this
suffix have another content; neither reads the other's.
"""

from __future__ import annotations

import json
import os
from typing import Any

from graphc.checkpoint_file import read_file, write_file
from graphc.ir import GraphError, verify
from graphc.irtext import parse
from graphc.nested import with_tensors
from graphc.nn.cell import Cell
from graphc.nn.exported import Exported, rebuilt, structure_of
from graphc.op import infer_node
from graphc.parameter import Parameter
from graphc.tensor import Tensor
from graphc.trace import trace

__all__ = ["export", "load"]

SUFFIX = ".mindir"
KEY = "graphc.graph"  # of the file's metadata; holds JSON: the graph's text, what its inputs are, the result's form


def export(net: Any, *inputs: Any, file_name: str, file_format: str = "MINDIR", **kwargs: Any) -> None:
    """Writes a network, for inputs of these shapes and types, to a file.

    Args:
        net: a Cell or a function; it is exported in the mode that it is in (see `Cell.set_train`).
        inputs: tensors, or containers of them, as the network is called with; only their types matter.
        file_name: the file; gains the suffix `.mindir` unless it has it.
        file_format: "MINDIR".
        kwargs: options of other formats, of encryption and of obfuscation: none.
    Raises:
        TypeError: `net` cannot be called, or returns what a file cannot hold.
        ValueError: another format, or an option.
        TraceError: the network does what a graph cannot hold.
        OSError: the file cannot be written; an older file of this name stays as it was.
    """
    if file_format != "MINDIR":
        raise ValueError(f"export: file_format must be 'MINDIR', got {file_format!r}")
    if kwargs:
        raise ValueError(f"export: unknown options {sorted(kwargs)}")
    if not callable(net):
        raise TypeError(f"export: expected a Cell or a function, got {type(net).__name__}")
    name = getattr(net, "__name__", type(net).__name__).strip("<>")
    traced = trace(net._run if isinstance(net, Cell) else net, with_tensors(inputs), {}, name)
    if traced.changed:
        raise ValueError(f"export: {name} assigns to elements of its inputs")
    stand_ins = [Tensor(0) for _ in traced.graph.outputs]
    places = {id(tensor): i for i, tensor in enumerate(stand_ins)}
    nodes = traced.graph.inputs[traced.graph.arguments :]
    notes = {
        "graph": str(traced.graph),
        "inputs": [_described(node.attrs["name"], tensor) for node, tensor in zip(nodes, traced.bound, strict=True)],
        "result": structure_of(traced.rebuild(stand_ins), places),
    }
    arrays = {node.attrs["name"]: t.asnumpy() for node, t in zip(nodes, traced.bound, strict=True)}
    path = os.fspath(file_name)
    write_file("export", path if path.endswith(SUFFIX) else path + SUFFIX, arrays, {KEY: json.dumps(notes)})


def _described(name: str, tensor: Tensor) -> dict[str, Any]:
    if isinstance(tensor, Parameter):
        return {"name": name, "parameter": tensor.name, "requires_grad": tensor.requires_grad}
    return {"name": name}


def load(file_name: str, **kwargs: Any) -> Exported:
    """Reads a network that `export` wrote, for `nn.GraphCell`.

    Args:
        file_name: the file.
        kwargs: options of decryption and obfuscation: none.
    Raises:
        ValueError: an option; no such file, one of another kind, or a damaged one.
    """
    if kwargs:
        raise ValueError(f"load: unknown options {sorted(kwargs)}")
    path = os.fspath(file_name)
    if not os.path.isfile(path):
        raise ValueError(f"load: there is no file {path!r}")
    try:
        arrays, metadata = read_file(path)
        notes = json.loads(metadata[KEY])
        graph = parse(notes["graph"])
        verify(graph, infer_node)
        state: list[Tensor] = []
        for about in notes["inputs"]:
            array = arrays[about["name"]]
            if "parameter" in about:
                state.append(Parameter(array, about["parameter"], about["requires_grad"]))
            else:
                state.append(Tensor(array))
        wanted = [node.type for node in graph.inputs[graph.arguments :]]
        if [tensor.spec for tensor in state] != wanted:
            raise GraphError("the values do not fit the graph")
        rebuilt(notes["result"], graph.outputs)  # finds out whether it can be
    except (OSError, LookupError, TypeError, ValueError, SyntaxError, AttributeError) as error:
        raise ValueError(f"load: {path} is no network that graphc exported, or is damaged: {error}") from error
    return Exported(graph, tuple(state), notes["result"])
