"""What networks for pictures share: decoding, transforms, prefetch, residual networks, normalization."""
