"""How a model answers: request -> records -> predict -> response."""
