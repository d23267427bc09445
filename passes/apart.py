"""Images apart: a gradient of weights whose chains are of one image each, as a convolution with groups of images.

    before   %0 = conv_grad_weight(%x, %ct)                           %x: f32[8,3,32,32]
    after    %0 = reshape(%x, shape=(1, 24, 32, 32)) ...   %2 = conv_grad_weight(%0, %1, groups=8)   then its fold

Where such a sum is sixteen chains over n mod 16 and there are fewer images, every chain is one image's, and lanes would
be empty that images lie across, after both operands were copied to lie so. Images that are groups leave the lanes to
channels or taps, and read rows.
"""

from __future__ import annotations

from math import prod
from typing import Any

from graphc.ir import Node, TensorType, constant_node
from graphc.op import TABLE
from graphc.passes.access import Access
from graphc.schedule import LANES


def images_apart(node: Node, access: Access) -> Node:
    """The same sum, bit for bit, of rows; or the node itself, if it is none or of long chains."""
    if node.op != "conv_grad_weight" or node.operands[0].shape[0] >= LANES:
        return node
    value = access.of(node).value
    if value is None or value.kind != "contract" or not value.data[1]:
        return node

    def made(op: str, *operands: Node, **attrs: Any) -> Node:
        inferred: TensorType = TABLE[op].infer(*(o.type for o in operands), **attrs)
        return Node(op, operands, attrs, inferred, node.loc, node.forward)

    images, size = node.operands[0].shape[0], prod(node.shape)
    rows = [made("reshape", o, shape=(1, images * o.shape[1], *o.shape[2:])) for o in node.operands]
    each = made("conv_grad_weight", *rows, **{**node.attrs, "groups": node.attrs.get("groups", 1) * images})
    each = made("reshape", each, shape=(images, size))
    sums = [made("slice", each, begin=(n, 0), shape=(1, size), step=(1, 1)) for n in range(images)]
    nothing = made("broadcast_to", constant_node(0.0, node.dtype, node.loc), shape=(1, size))
    sums += [nothing] * (LANES - images)
    while len(sums) > 1:  # as lanes are folded, which also makes +0.0 of -0.0
        half = len(sums) // 2
        sums = [x if x is y else made("add", x, y) for x, y in zip(sums[:half], sums[half:], strict=True)]
    return made("reshape", sums[0], shape=node.shape)
