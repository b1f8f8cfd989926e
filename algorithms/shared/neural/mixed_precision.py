"""Mixed precision: matrix products in a reduced type where the device has fast ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

_CPUINFO = Path("/proc/cpuinfo")
_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 and arm processors that multiply bfloat16


def reduced_type(device: str) -> torch.dtype | None:
    """The type that the device multiplies faster than float32, which is bfloat16; None where it has none."""
    if device != "cpu":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    try:
        words = set(_CPUINFO.read_text().split())
    except OSError:
        return None
    return torch.bfloat16 if words & _FLAGS else None


def product_type(precision: str, device: str, note: Callable[[str], None]) -> torch.dtype | None:
    """The type that `precision_dtype`, `float32` or `float16`, stands for on this device; None where products are of
    float32, which a note says where they should not be."""
    dtype = None if precision == "float32" else reduced_type(device)
    if precision != "float32" and dtype is None:
        note("precision_dtype is float32, as this device has no faster products of reduced precision.")
    return dtype


def autocast(device: str, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    """While it is entered, products are of this type; None: of float32."""
    return nullcontext() if dtype is None else torch.autocast(torch.device(device).type, dtype)
