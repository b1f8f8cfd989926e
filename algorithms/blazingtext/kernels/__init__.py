"""Inner loops of BlazingText: words and their hashes, products of a few rows, word vectors, labels of lines."""
