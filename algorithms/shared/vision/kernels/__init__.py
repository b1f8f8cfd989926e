"""Inner loops of networks for pictures."""
