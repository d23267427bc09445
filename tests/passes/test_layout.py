"""Layouts: which values lie with the batch in the lanes, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from modes import compiled, eagerly
from reference import assert_same_graphs, assert_same_run, input_arrays
from stages import graph_of, prepared, training_step

from graphc.index import Ix, Var
from graphc.ir import Graph, verify
from graphc.op import infer_node
from graphc.passes.fuse import fuse
from graphc.passes.layout import layout
from graphc.schedule import LANES, Layout

pytestmark = pytest.mark.usefixtures("free_copies")

DENSE = """
    graph f(%x: f32[{n},6]; %w: f32[6,8]) {{
      %0: f32[{n},8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
      %1: f32[{n},8] = relu(%0)
      return %1
    }}"""


def described(text: str) -> dict[str, str]:
    """For each op of the graph after the pass, the layouts of its nodes."""
    graph, layouts = layout(graph_of(text))
    found: dict[str, str] = {}
    for node in graph.nodes:
        if node.op != "input":
            shown = str(layouts.get(node, Layout(node.shape)))
            found[node.op] = f"{found[node.op]}, {shown}" if node.op in found else shown
    return found


def test_a_batch_goes_into_the_lanes_and_comes_out_again() -> None:
    assert described(DENSE.format(n=32)) == {
        "copy": "[32/16,6,16], rows", "matmul": "[32/16,8,16]", "relu": "[32/16,8,16]",
    }  # fmt: skip
    graph, _ = layout(graph_of(DENSE.format(n=32)))
    assert [n.op for n in graph.nodes] == ["input", "copy", "input", "matmul", "relu", "copy"]


@pytest.mark.parametrize("batch", [1, 2, 7, 15, 17, 31, 33])
def test_dense_batches_that_do_not_fill_vectors_stay_in_rows(batch: int) -> None:
    graph = graph_of(DENSE.format(n=batch))
    changed, layouts = layout(graph)
    assert layouts == {} and str(changed) == str(graph)


def test_sums_over_a_batch_that_fills_no_vector_read_rows() -> None:
    graph, layouts = layout(graph_of(BATCHED.format(n=20)))
    (gradient,) = (n for n in graph.nodes if n.op == "matmul" and n.shape == (4, 9))
    assert [o.op for o in gradient.operands] == ["copy", "copy"]
    assert not any(o in layouts for o in gradient.operands)


def test_what_is_looked_up_for_a_batch_is_a_batch() -> None:
    """Which rows of a table an entry reads depends on the entry; the table does not."""
    found = described(
        """
        graph f(%i: i32[32,6]; %t: f32[50,8], %w: f32[5,8,3]) {
          %0: f32[32,6,8] = gather(%t, %i, axis=0, batch_dims=0)
          %1: f32[32,8,6] = transpose(%0, perm=(0, 2, 1))
          %2: f32[32,5,4] = conv(%1, %w, stride=(1,), dilation=(1,), low=(0,), size=(4,))
          return %2
        }"""
    )
    assert found["gather"] == "[32/16,6,8,16]" and found["conv"] == "[32/16,5,4,16]"


@pytest.mark.parametrize("viewed", [True, False])
def test_what_a_contraction_reads_at_another_index_is_turned_before_it_is_computed(viewed: bool) -> None:
    """Kernels that read rows turn what they read at their own index; what a view reads elsewhere is copied first."""
    last = "pad(%1, 0.0, low=(0, 0, 1, 1), high=(0, 0, 1, 1), interior=(0, 0, 0, 0))" if viewed else "relu(%1)"
    shape = "f32[32,8,8,8]" if viewed else "f32[32,8,6,6]"
    graph = graph_of(
        f"""
        graph f(%x: f32[32,8,6,6]; %w: f32[8,8,3,3]) {{
          %0: f32[32,8,6,6] = mul(%x, %x)
          %1: f32[32,8,6,6] = neg(%0)
          %2: {shape} = {last}
          %3: f32[32,8,4,4] = conv(%2, %w, stride=(1, 1), dilation=(1, 1), low=(0, 0), size=(4, 4))
          return %3
        }}"""
    )
    changed, layouts = layout(graph)
    (product,) = (n for n in changed.nodes if n.op == "mul")
    assert [o.op for o in product.operands] == (["copy"] * 2 if viewed else ["input"] * 2)
    first = fuse(changed, layouts).groups[0]
    assert [n.op for n in first.nodes] == (["copy"] if viewed else ["mul", "neg", "relu"])


def test_weights_keep_their_rows() -> None:
    graph, layouts = layout(graph_of(DENSE.format(n=16)))
    assert all(node.op != "input" for node in layouts)
    (matmul,) = (n for n in graph.nodes if n.op == "matmul")
    assert matmul.operands[1].op == "input"


def test_values_that_mix_the_batch_stay_in_rows() -> None:
    found = described(
        """
        graph f(%x: f32[32,6]; %w: f32[6,8]) {
          %0: f32[32,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
          %1: f32[32,8] = flip(%0, axes=(0,))
          %2: f32[32,8] = exp(%1)
          %3: f32[8] = sum(%0, run=(0, 1))
          return %2, %3
        }"""
    )
    assert found["exp"] == "rows" and found["matmul"] == "[32/16,8,16]" and found["sum"] == "rows"


TARGETS = """
    graph f(%x: f32[32,6], %y: f32[32,8]; %w: f32[6,8]) {
      %0: f32[32,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
      %1: f32[32,8] = sub(%0, %y)
      %2: f32[32,8] = square(%1)
      %3: f32[] = sum(%2, run=(0, 2))
      %4: f32[8,6] = matmul(%1, %x, transpose_a=True, transpose_b=False)
      return %3, %4
    }"""


def test_arguments_that_meet_a_tile_are_turned_before_it() -> None:
    """The target of a loss, which an epilogue would read one element at a time; and the loss, whose order is rows'."""
    graph, layouts = layout(graph_of(TARGETS))
    (difference,) = (n for n in graph.nodes if n.op == "sub")
    (total,) = (n for n in graph.nodes if n.op == "sum")
    target, summed = difference.operands[1], total.operands[0]
    assert target.op == summed.op == "copy"
    assert str(layouts[target]) == "[32/16,8,16]" and summed not in layouts and summed.operands[0] in layouts
    groups = [{n.op for n in group.nodes} for group in fuse(graph, layouts).groups]
    assert groups.count({"copy"}) == 2 and {"matmul", "sub"} in groups and {"square", "copy"} in groups
    assert {"sum"} in groups


def test_a_sum_in_portions_is_of_rows_too() -> None:
    """Portions lie in rows; those of a batch in the lanes would be read one element at a time."""
    text = TARGETS.replace("sum(%2, run=(0, 2))", "sum(%5, run=(1, 2))").replace("%3: f32[]", "%3: f32[4]")
    text = text.replace("%3: f32[4]", "%5: f32[4,64] = reshape(%2, shape=(4, 64))\n      %3: f32[4]")
    graph, layouts = layout(graph_of(text))
    (total,) = (n for n in graph.nodes if n.op == "sum")
    (copied,) = total.operands[0].operands
    assert copied.op == "copy" and copied not in layouts and copied.operands[0] in layouts


def test_what_meets_no_tile_is_turned_by_its_kernel() -> None:
    text = TARGETS.replace("sub(%0, %y)", "sub(%y, %y)")
    graph, layouts = layout(graph_of(text))
    (difference,) = (n for n in graph.nodes if n.op == "sub")
    assert difference in layouts and difference.operands[1].op == "input"


def test_what_hand_made_kernels_touch_stays_in_rows() -> None:
    found = described(
        """
        graph f(%x: f32[32,6]; %w: f32[6,8]) {
          %0: f32[32,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
          %1: f32[32,8] = exp(%0)
          %2: f32[32,8] = cumsum(%1, axis=1)
          %3: f32[32,8] = neg(%2)
          return %3
        }"""
    )
    assert found["exp"] == "rows" and found["cumsum"] == "rows" and found["matmul"] == "[32/16,8,16]"


def test_short_sums_that_hand_made_kernels_read_are_stored_in_rows() -> None:
    graph = graph_of(
        """
        graph f(%x: f32[16,1,3,3]; %w: f32[1,1,1,1]) {
          %0: f32[16,1,3,3] = conv(%x, %w, stride=(1, 1), dilation=(1, 1), low=(0, 0), size=(3, 3))
          %1: f32[16,1,3,3] = cumsum(%0, axis=0)
          return %1
        }"""
    )
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=node.shape).astype(np.float32) for node in graph.inputs]
    assert_same_run(compiled(graph, arrays), eagerly(graph, arrays))


@pytest.mark.parametrize(
    ("channels", "features", "kernel", "groups", "blocked"),
    [(64, 128, 1, 1, False), (64, 64, 3, 64, False), (64, 64, 3, 1, True)],
)
def test_light_convolutions_alone_are_not_worth_copies(
    channels: int, features: int, kernel: int, groups: int, blocked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphc.passes.batch.COPIED", 18)
    size = 28 - kernel + 1
    graph, layouts = layout(graph_of(
        f"""
        graph f(%x: f32[32,{channels},28,28]; %w: f32[{features},{channels // groups},{kernel},{kernel}]) {{
          %0: f32[32,{features},{size},{size}] = conv(%x, %w, stride=(1, 1), dilation=(1, 1), low=(0, 0), size=({size}, {size}), groups={groups})
          return %0
        }}"""  # noqa: E501
    ))  # fmt: skip
    assert bool(layouts) == blocked == any(node.op == "copy" for node in graph.nodes)


@pytest.mark.parametrize(
    ("images", "channels", "stride", "blocked"),
    [(32, 64, 1, True), (24, 64, 1, False), (24, 4, 1, True), (8, 64, 2, False), (32, 64, 2, True)],
)
def test_lanes_that_are_not_full_are_weighed_with_vectors_of_features(
    images: int, channels: int, stride: int, blocked: bool
) -> None:
    size = 20 // stride
    _, layouts = layout(graph_of(
        f"""
        graph f(%x: f32[{images},{channels},20,20]; %w: f32[48,{channels},3,3]) {{
          %0: f32[{images},48,{size},{size}] = conv(%x, %w, stride=({stride}, {stride}), dilation=(1, 1), low=(1, 1), size=({size}, {size}))
          return %0
        }}"""  # noqa: E501
    ))  # fmt: skip
    assert bool(layouts) == blocked


def test_pixels_of_several_images_under_one_tap_stay_in_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphc.passes.batch.COPIED", 18)
    _, layouts = layout(graph_of(
        """
        graph f(%x: f32[32,1024,14,14]; %w: f32[256,1024,1,1]) {
          %0: f32[32,256,14,14] = conv(%x, %w, stride=(1, 1), dilation=(1, 1), low=(0, 0), size=(14, 14))
          return %0
        }"""
    ))  # fmt: skip
    assert not layouts


@pytest.mark.parametrize(("depth", "blocked"), [(50, False), (1, True)])
def test_products_of_matrices_that_entries_have_for_themselves_are_not_worth_copies(
    depth: int, blocked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query among keys of its own: each key is multiplied once, so copying it takes longer than all else."""
    monkeypatch.setattr("graphc.passes.batch.COPIED", 18)
    _, layouts = layout(graph_of(
        f"""
        graph f(%x: f32[64,16], %keys: f32[64,32,{depth}]; %w: f32[16,32]) {{
          %0: f32[64,32] = matmul(%x, %w, transpose_a=False, transpose_b=False)
          %1: f32[64,1,32] = reshape(%0, shape=(64, 1, 32))
          %2: f32[64,1,{depth}] = matmul(%1, %keys, transpose_a=False, transpose_b=False)
          return %2
        }}"""
    ))  # fmt: skip
    assert bool(layouts) == blocked


def test_gradients_of_weights_that_read_each_place_once_read_rows() -> None:
    graph, layouts = layout(
        graph_of(
            """
            graph f(%x: f32[5,40,6,6], %ct: f32[5,24,6,6]) {
              %0: f32[24,40,1,1] = conv_grad_weight(%x, %ct, kernel=(1, 1), stride=(1, 1), dilation=(1, 1), low=(0, 0))
              return %0
            }"""
        )
    )
    assert layouts == {} and all(node.op != "copy" for node in graph.nodes)


def gradient_of_weights(
    images: int, channels: int, features: int, size: int, taps: int = 3, groups: int = 1
) -> Graph:
    low = taps // 2
    return graph_of(
        f"""
        graph f(%x: f32[{images},{channels},{size},{size}], %ct: f32[{images},{features},{size},{size}]) {{
          %0: f32[{features},{channels // groups},{taps},{taps}] = conv_grad_weight(%x, %ct, kernel=({taps}, {taps}), stride=(1, 1), dilation=(1, 1), low=({low}, {low}), groups={groups})
          return %0
        }}"""  # noqa: E501
    )  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "copied"),
    [
        ((5, 40, 32, 12), ""),  # the kernel turns the cotangent
        ((5, 40, 32, 70), "ct"),  # a plane of it finds no room
        ((5, 17, 17, 12, 5), "ct"),  # it hardly fills vectors
        ((5, 40, 17, 12), "x ct"),  # so vectors are read of the image, and no element of the other several times
        ((5, 24, 24, 12, 3, 24), ""),  # depthwise, the taps across the lanes
        ((32, 24, 24, 12, 3, 24), ""),  # depthwise: the kernel turns both
        ((20, 24, 24, 12, 3, 24), "x ct"),  # the last sixteen images are not all there
        ((32, 24, 24, 70, 3, 24), "x ct"),
        ((32, 24, 24, 12, 7, 24), "x ct"),  # more taps than a tile holds
        ((32, 24, 24, 12, 3, 12), "x ct"),  # what one result reads another does
    ],
    ids=str,
)  # fmt: skip
def test_gradients_of_weights_copy_no_more_than_their_kernels_need(shape: tuple[int, ...], copied: str) -> None:
    graph, _ = layout(gradient_of_weights(*shape))
    names = dict(zip(graph.inputs, ("x", "ct"), strict=True))
    assert [names[node.operands[0]] for node in graph.nodes if node.op == "copy"] == copied.split()


def test_updates_stay_in_rows() -> None:
    graph, layouts = layout(prepared(training_step(32)))
    for target, value in graph.updates:
        assert value not in layouts, target
    for output in graph.outputs:
        assert output not in layouts


def test_graphs_without_contractions_stay_as_they_are() -> None:
    graph = graph_of("graph f(%x: f32[32,6]) {\n  %0: f32[32,6] = exp(%x)\n  return %0\n}")
    changed, layouts = layout(graph)
    assert layouts == {} and str(changed) == str(graph)


LAYOUTS = [
    Layout((5, 3)), Layout((32, 3), True), Layout((20, 2, 3), True), Layout((16,), True),
    Layout((2, 3, 4), False, (1, 2, 0)),
]  # fmt: skip


@pytest.mark.parametrize("held", LAYOUTS, ids=str)
def test_every_element_has_an_address_of_its_own(held: Layout) -> None:
    seen = set()
    for index in np.ndindex(held.shape):
        address = held.address(index).constant
        assert address is not None and 0 <= address < held.elements
        seen.add(address)
    assert len(seen) == np.prod(held.shape)


def test_addresses_of_variables() -> None:
    i, j = Var("i", 2), Var("lane", LANES)
    address = Layout((32, 3), True).address([Ix.of(i) * LANES + Ix.of(j), 2])
    assert str(address) == "48*i+lane+32"
    assert str(Layout((32, 3), True)) == "[32/16,3,16]" and str(Layout((2, 3))) == "rows"


def with_batch(graph: Graph) -> bool:
    return bool(layout(prepared(graph))[1])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs_mean_the_same(made: Made) -> None:
    graph = prepared(made.graph)
    changed, _ = layout(graph)
    verify(changed, infer_node)
    assert_same_graphs(changed, graph, seeds=(made.seed,))


BATCHED = """
    graph f(%x: f32[{n},2,6,5]; %w: f32[4,2,3,2], %b: f32[4], %v: f32[4,9]) {{
      %0: f32[{n},4,4,4] = conv(%x, %w, stride=(1, 1), dilation=(1, 1), low=(0, 0), size=(4, 4))
      %1: f32[1,4,1,1] = reshape(%b, shape=(1, 4, 1, 1))
      %2: f32[{n},4,4,4] = broadcast_to(%1, shape=({n}, 4, 4, 4))
      %3: f32[{n},4,4,4] = add(%0, %2)
      %4: f32[{n},4,2,2] = max_pool(%3, kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1))
      %5: f32[{n},4,4] = reshape(%4, shape=({n}, 4, 4))
      %6: f32[{n},4] = sum(%5, run=(2, 3))
      %7: f32[{n},9] = matmul(%6, %v, transpose_a=False, transpose_b=False)
      %8: f32[{n}] = max(%7, run=(1, 2))
      %9: f32[{n},1] = reshape(%8, shape=({n}, 1))
      %10: f32[{n},9] = broadcast_to(%9, shape=({n}, 9))
      %11: f32[{n},9] = sub(%7, %10)
      %12: f32[4] = sum(%6, run=(0, 1))
      %13: f32[4,9] = matmul(%6, %11, transpose_a=True, transpose_b=False)
      %14: f32[{n},4] = flip(%6, axes=(0,))
      %15: f32[{n},2,6,5] = flip(%x, axes=(2, 3))
      update %v <- %13
      return %11, %12, %14, %15
    }}"""


@pytest.mark.parametrize("batch", [16, 32, 48, 1, 5, 8, 13, 17, 33, 100])
def test_a_network_computes_the_same_in_every_layout(batch: int) -> None:
    graph = graph_of(BATCHED.format(n=batch))
    assert with_batch(graph) is (batch >= 13 and batch != 17), "with windows, vectors that are nearly full pay"
    for seed in (0, 1):
        arrays = input_arrays(graph, seed)
        assert_same_run(compiled(graph, arrays), eagerly(graph, arrays))
