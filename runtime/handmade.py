"""Kernels written by hand, for what one formula per element does badly: writes in sequence, running sums, sorting,
elimination and the factorizations of matrices.

`KERNELS` has them by the name that an op's `def_kernel` gives. What they are, and are given, says `work.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from graphc.ir import TensorType
from graphc.runtime.elimination import emit_inverse, emit_lu
from graphc.runtime.factors import (
    emit_cholesky,
    emit_complete,
    emit_eigh,
    emit_qr,
    emit_svd,
    emit_triangular_solve,
)
from graphc.runtime.running import RECUR, extreme_so_far, scan
from graphc.runtime.scatter import emit_first_places, scatter, scatter_elements
from graphc.runtime.searching import emit_searchsorted, searchsorted_steps, searchsorted_units
from graphc.runtime.sorting import argsort_units, emit_argsort, emit_leading, leading_steps
from graphc.runtime.work import Attrs, Handmade, Work


def _of_matrices(
    emit: Callable[[Work], None], passes: int = 1, complaint: str | None = None
) -> Handmade:
    """A kernel whose units are matrices, and that goes over each `passes` times for every row it has."""

    def units(types: list[TensorType], type_: TensorType, attrs: Attrs) -> int:
        return prod(types[0].shape[:-2]) if type_.size else 0

    return Handmade(emit, units, lambda types, type_: 16 + 2 * passes * min(types[0].shape[-2:]), complaint)


KERNELS: dict[str, Handmade] = {
    "scatter_add": scatter("add"),
    "scatter_add_rows": scatter("add", from_rows=True),
    "scatter_set": scatter("set"),
    "scatter_elements_add": scatter_elements("add"),
    "scatter_elements_set": scatter_elements("set"),
    "segment_max": scatter("max"),
    "segment_min": scatter("min"),
    "segment_prod": scatter("prod"),
    "first_places": Handmade(emit_first_places, lambda types, type_, attrs: 1),
    "cumsum": scan("add"),
    "cumprod": scan("mul"),
    "recur": RECUR,
    "cumargmax": extreme_so_far(least=False, positions=True),
    "cumargmin": extreme_so_far(least=True, positions=True),
    "cummax": extreme_so_far(least=False, positions=False),
    "cummin": extreme_so_far(least=True, positions=False),
    "argsort": Handmade(emit_argsort, argsort_units),
    "leading": Handmade(emit_leading, argsort_units, leading_steps),
    "searchsorted": Handmade(emit_searchsorted, searchsorted_units, searchsorted_steps),
    "inverse": _of_matrices(emit_inverse),
    "lu": _of_matrices(emit_lu),
    "cholesky": _of_matrices(
        emit_cholesky, 1, "matrix {position} is not positive definite: the pivot of row {value} is 0, negative or NaN"
    ),
    "triangular_solve": _of_matrices(emit_triangular_solve),
    "qr": _of_matrices(emit_qr, 2),
    "complete": _of_matrices(emit_complete, 2),
    "svd": _of_matrices(emit_svd, 32),
    "eigh": _of_matrices(emit_eigh, 32),
}
"""The kernels, by the name that ops ask for."""
