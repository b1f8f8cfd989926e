"""Records of the features of a request.    e entries   c features of the model"""

from __future__ import annotations

import numba

from algoport.algorithms.factorization_machines.kernels.index import EMPTY, _place


@numba.njit(nogil=True, cache=True, error_model="numpy")
def look_up(
    features,  # in   (e,) int32
    index,  # in   (h, 4) int32
    direct,  # in   bool
    records,  # sets (e,) int32  -1 where the model has no such feature
):
    """The record of each entry's feature."""
    mask = index.shape[0] - 1
    for i in range(features.shape[0]):
        place = _place(index, features[i], mask, direct)
        records[i] = -1 if index[place, 0] == EMPTY else index[place, 1]
