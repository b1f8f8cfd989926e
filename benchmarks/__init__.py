"""How fast, how good, beside whom."""
