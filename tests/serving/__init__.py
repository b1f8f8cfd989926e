"""How a model answers, watched from the outside."""
