"""Chains: which groups run block by block, what only passes between them, and that no bit depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from textwrap import dedent

import pytest
from graphs import Made, batched_graphs, graphs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modes import Compiled, compiled, eagerly, threads
from reference import assert_same_run, input_arrays
from stages import graph_of, training_step

from graphc.compiler import compile_program
from graphc.ir import Graph
from graphc.passes import chain as chain_pass
from graphc.runtime import binary, pool
from graphc.schedule import Chain, Schedule


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chains of whatever fits, in blocks as small as can be; none of it goes to the cache on disk, or comes from it."""
    for name, value in {"LEAST_BYTES": 0, "LEAST_BLOCKS": 1, "BLOCK_BYTES": 64}.items():
        monkeypatch.setattr(chain_pass, name, value)
    monkeypatch.setattr(binary, "key_of", lambda *_: None)
    yield


def chained(graph: Graph) -> Schedule:
    with threads(1), pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "most_threads", lambda: 2)
        return compile_program(graph).schedule


SOFTMAX = """
    graph f(%x: f32[{rows},{columns}]) {{
      %0: f32[{rows}] = max(%x, run=(1, 2))
      %1: f32[{rows},1] = reshape(%0, shape=({rows}, 1))
      %2: f32[{rows},{columns}] = broadcast_to(%1, shape=({rows}, {columns}))
      %3: f32[{rows},{columns}] = sub(%x, %2)
      %4: f32[{rows},{columns}] = exp(%3)
      %5: f32[{rows}] = sum(%4, run=(1, 2))
      %6: f32[{rows},1] = reshape(%5, shape=({rows}, 1))
      %7: f32[{rows},{columns}] = broadcast_to(%6, shape=({rows}, {columns}))
      %8: f32[{rows},{columns}] = div(%4, %7)
      return %8
    }}"""


def test_the_parts_of_a_softmax_are_a_chain() -> None:
    """Its exponentials are 4 rows for each of two threads."""
    schedule = chained(graph_of(SOFTMAX.format(rows=1024, columns=512)))
    assert schedule.chains_text() == dedent(
        """\
        chains f {
          512 blocks {
            group 0 max_sub_exp: 2 units each
            group 1 sum_div: 2 units each
            %4 passes: 1024 elements of 524288
          }
        }"""
    )
    (chain,) = schedule.chains
    assert chain.threads == 2 and schedule.runs == (chain,)
    node = next(iter(chain.passing))
    assert schedule.elements(node) == 2 * 1024 and schedule.layout(node).elements == 1024 * 512


@pytest.mark.parametrize(
    "block, whole, serves", [(10, 10, True), (11, 100, False), (11, 101, True), (101, 900, False)]
)  # fmt: skip
def test_a_block_has_room_in_the_near_cache_or_where_the_far_one_is_too_small(
    block: int, whole: int, serves: bool
) -> None:
    assert chain_pass.Room(near=10, far=100).serves(block, whole) is serves


def test_what_is_small_is_no_chain() -> None:
    assert not chained(graph_of(SOFTMAX.format(rows=64, columns=512))).chains


def test_what_others_read_is_stored_whole() -> None:
    text = SOFTMAX.format(rows=1024, columns=512).replace("return %8", "return %8, %4")
    (chain,) = chained(graph_of(text)).chains
    assert not chain.passing and len(chain.groups) == 2


def test_rows_that_need_each_other_are_no_chain() -> None:
    graph = graph_of("""
        graph f(%x: f32[1024,512]) {
          %0: f32[1024,512] = exp(%x)
          %1: f32[512] = sum(%0, run=(0, 1))
          %2: f32[1024,512] = broadcast_to(%1, shape=(1024, 512))
          %3: f32[1024,512] = div(%0, %2)
          %4: f32[1024,512] = flip(%3, axes=(0,))
          %5: f32[1024,512] = sub(%4, %3)
          return %5
        }""")
    assert not chained(graph).chains


def test_the_matrices_of_an_attention_are_never_whole() -> None:
    """Of 32 heads' scores, exponentials and weights only those of two heads are kept for each thread."""
    graph = graph_of("""
        graph f(%q: f32[4,8,128,64], %k: f32[4,8,128,64], %v: f32[4,8,128,64]) {
          %0: f32[4,8,128,128] = matmul(%q, %k, transpose_a=False, transpose_b=True)
          %1: f32[4,8,128] = max(%0, run=(3, 4))
          %2: f32[4,8,128,1] = reshape(%1, shape=(4, 8, 128, 1))
          %3: f32[4,8,128,128] = broadcast_to(%2, shape=(4, 8, 128, 128))
          %4: f32[4,8,128,128] = sub(%0, %3)
          %5: f32[4,8,128,128] = exp(%4)
          %6: f32[4,8,128] = sum(%5, run=(3, 4))
          %7: f32[4,8,128,1] = reshape(%6, shape=(4, 8, 128, 1))
          %8: f32[4,8,128,128] = broadcast_to(%7, shape=(4, 8, 128, 128))
          %9: f32[4,8,128,128] = div(%5, %8)
          %10: f32[4,8,128,64] = matmul(%9, %v, transpose_a=False, transpose_b=False)
          return %10
        }""")
    program = compile_program(graph)
    (chain,) = program.schedule.chains
    assert {group.contraction is not None for group in chain.groups} == {True, False}
    assert [prod(n.shape) // elements for n, elements in chain.passing.items()] == [16, 16, 16] and chain.blocks == 16
    assert program.plan.arena_bytes - 4 * chain.threads * sum(chain.passing.values()) < 3 * 4096
    inputs = input_arrays(graph, 3)
    for count in (1, 2, 3):
        with threads(count):
            assert_same_run(compiled(graph, inputs), eagerly(graph, inputs))


def test_the_images_between_a_convolution_and_its_pooling_are_never_whole() -> None:
    """The rows of an image are units of its convolution; what a chain steps through are the images, in sixteens."""
    window = "kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1)"
    schedule = chained(
        graph_of(
            f"""
            graph f(%x: f32[256,3,20,20]; %w: f32[8,3,5,5]) {{
              %0: f32[256,8,16,16] = conv(%x, %w, groups=1, stride=(1, 1), dilation=(1, 1), low=(0, 0), size=(16, 16))
              %1: f32[256,8,16,16] = tanh(%0)
              %2: f32[256,8,8,8] = max_pool(%1, {window})
              return %2
            }}"""
        )
    )
    (chain,) = schedule.chains
    assert [group.nodes[-1].op for group in chain.groups] == ["copy", "conv", "copy"] and chain.blocks == 16
    assert {node.op: node.type.size // size for node, size in chain.passing.items()} == {"copy": 15, "conv": 15}


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 13, 16, 17, 31, 33, 127, 129])
@pytest.mark.parametrize("columns", [1, 5, 16, 17, 48, 100])
def test_any_number_of_rows(short: None, rows: int, columns: int) -> None:
    """Also of rows that end within a vector, and of blocks of which the last is not full."""
    graph = graph_of(SOFTMAX.format(rows=rows, columns=columns))
    assert len(chained(graph).chains) == (rows > 1 and columns > 1)
    inputs = input_arrays(graph, rows)
    for count in (1, 2, 5):
        with threads(count):
            assert_same_run(compiled(graph, inputs), eagerly(graph, inputs))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(graphs(), batched_graphs()))
def test_random_graphs(short: None, made: Made) -> None:
    arrays = made.arrays()
    with threads(2):
        run_again, wanted = Compiled(made.graph, arrays), eagerly(made.graph, arrays)
        for _ in range(2):
            assert_same_run(run_again(arrays), wanted)


def test_a_training_step_updates_in_place_as_before(short: None) -> None:
    """No chain reads an input that one of its groups updates, so all updates are as they would be without chains."""
    graph = training_step(32)
    with_chains = compile_program(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain_pass, "LEAST_BYTES", 1 << 60)
        plain = compile_program(graph)
    assert any(isinstance(run, Chain) for run in with_chains.schedule.runs) and not plain.schedule.chains
    assert [c[0] for c in with_chains.commits] == [c[0] for c in plain.commits]
