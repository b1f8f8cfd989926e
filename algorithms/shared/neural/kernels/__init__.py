"""Inner loops of networks: products, the recurrence of an LSTM, rows of embedding tables, optimizer updates."""
