"""Mixed precision."""

import pytest
import torch

from algoport.algorithms.shared.neural import mixed_precision


def test_products_are_of_the_type_that_is_asked_for():
    x = torch.ones(2, 2)

    with mixed_precision.autocast("cpu", torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
    with mixed_precision.autocast("cpu", None):
        assert (x @ x).dtype == torch.float32


@pytest.mark.parametrize(("flags", "reduced"), [("flags : avx512f amx_bf16 fma", True), ("flags : avx2 fma", False)])
def test_a_processor_says_whether_it_multiplies_bfloat16(flags, reduced, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(flags)
    monkeypatch.setattr(mixed_precision, "_CPUINFO", tmp_path / "cpuinfo")

    assert (mixed_precision.reduced_type("cpu") is torch.bfloat16) is reduced
