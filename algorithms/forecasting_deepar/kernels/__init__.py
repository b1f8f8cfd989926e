"""Inner loops of DeepAR: windows of series, the recurrence and its products, losses, paths."""
