"""PyTorch's networks as TorchScript. A state dict is weights without a network: `model_fn` has to build that."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError

PATTERNS = ("*.pt", "*.pth", "*.safetensors")


def load(path: Path) -> Any:
    """The network of a file."""
    import torch

    try:
        if path.suffix == ".safetensors":
            raise RuntimeError
        network = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except RuntimeError:
        raise UserError(
            f"{path.name}: must be TorchScript to be served without a model_fn; weights alone need one that builds the "
            "network, and loads them with torch.load(…, weights_only=True) or safetensors."
        ) from None
    network.eval()
    return network


def owns(model: Any) -> bool:
    """Whether it is one; the library is not imported to find out."""
    library = sys.modules.get("torch")
    return library is not None and isinstance(model, library.nn.Module)


def predict(data: Any, model: Any) -> Any:
    """The output for rows of numbers."""
    import numpy as np
    import torch

    rows = data if isinstance(data, torch.Tensor) else torch.as_tensor(np.asarray(data, np.float32))
    parameter = next(model.parameters(), None)
    with torch.inference_mode():
        return model(rows if parameter is None else rows.to(parameter.device))
