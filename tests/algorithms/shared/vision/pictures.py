"""Pictures for the tests of networks for pictures."""

import numpy as np


def gradients(height: int = 24, width: int = 32, channels: int = 3) -> np.ndarray:
    """Smooth enough for JPEG to keep it nearly as it is."""
    y, x = np.mgrid[:height, :width]
    return np.stack([(x * 3 + y * 2 + 40 * c) % 200 for c in range(channels)], axis=2).astype(np.uint8)
