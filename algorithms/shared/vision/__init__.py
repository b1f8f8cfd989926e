"""What networks for pictures share.

Files to pixels (`decoding`), changes of pixels (`transforms`), both in threads ahead of the network (`prefetch`);
residual networks (`residual`, `stem`), and batch normalization over the pictures of all members (`normalization`, its
passes over tensors `normalization_passes`, their inner loops `kernels.normalization`).
"""
