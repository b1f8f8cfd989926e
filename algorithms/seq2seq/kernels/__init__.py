"""Inner loops of Sequence to Sequence, on a processor: recurrent cells, attention, the softmax, beams, dropout."""
