"""Inner loops of boosted trees: arrays in, arrays out."""
