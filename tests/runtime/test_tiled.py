"""Tiled kernels: what their epilogues touch is fetched while the sum runs, if it may have left the cache."""

from __future__ import annotations

import re

import pytest
from stages import graph_of

from graphc.compiler import compile_program


def fetches(rows: int, inputs: int, outputs: int) -> tuple[int, int]:
    """How many prefetches, to read and to write, the update of a weight and its momentum by a gradient has."""
    weight = f"f32[{inputs},{outputs}]"
    program = compile_program(
        graph_of(
            f"""
            graph f(%x: f32[{rows},{inputs}], %y: f32[{rows},{outputs}]; %w: {weight}, %m: {weight}) {{
              %0: {weight} = matmul(%x, %y, transpose_a=True, transpose_b=False)
              %1: {weight} = add(%m, %0)
              %2: {weight} = sub(%w, %1)
              update %m <- %1
              update %w <- %2
              return %x
            }}"""
        )
    )
    text = "\n".join(program.texts())
    written = re.findall(r"call void @llvm\.prefetch\.p0\(ptr %\S+, i32 (\d)", text)
    return written.count("0"), written.count("1")


@pytest.mark.parametrize(("inputs", "far"), [(64, False), (128, False), (512, True)])
def test_a_weight_and_what_belongs_to_it_are_far_if_they_are_much_together(inputs: int, far: bool) -> None:
    """512 x 128 elements of both are 512 KB."""
    assert (fetches(32, inputs, 128)[1] > 0) is far


def test_what_is_finished_after_a_cut_sum_is_fetched_too() -> None:
    assert fetches(600, 512, 512)[1] > 0


def test_what_a_sum_in_the_epilogue_reads_is_not_fetched() -> None:
    """Its place depends on the sum's own variable. This is the gradient of an image, pooled and convolved."""
    image = "f32[2,512,7,7]"
    program = compile_program(
        graph_of(
            f"""
            graph f(%x: {image}, %cts: f32[2,1536,7,7], %at: i32[2,512,7,7]; %w: f32[512,1,7,7]) {{
              %0: {image} = conv(%x, %w, groups=512, stride=(1, 1), dilation=(1, 1), low=(3, 3), size=(7, 7))
              %1: {image} = slice(%cts, begin=(0, 512, 0, 0), shape=(2, 512, 7, 7), step=(1, 1, 1, 1))
              %2: {image} = max_pool_grad(%1, %at, size=(7, 7), kernel=(3, 3), stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1))
              %3: {image} = add(%0, %2)
              return %3
            }}"""  # noqa: E501
        )
    )
    (group,) = program.schedule.groups
    assert "max_pool_grad" in {node.op for node in group.nodes}
