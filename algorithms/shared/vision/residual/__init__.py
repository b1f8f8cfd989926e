"""Residual networks: which layers there are (`design`, without torch) and the layers themselves (`network`)."""
