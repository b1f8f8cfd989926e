"""Inner loops of Object2Vec."""
