"""What LLVM may do to the numbers of a kernel that says so."""

from __future__ import annotations

# All fast-math flags but nnan and ninf: a missing value must stay recognizable.
FAST = {"afn", "arcp", "contract", "nsz", "reassoc"}
