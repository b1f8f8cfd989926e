"""What networks share: the loop of a job (`loop`), weights whose gradients are exchanged while the backward pass is
still running (`weights`), optimizers, schedules, early stopping, mixed precision, state as arrays (`snapshots`) and the
page of curves.

`loop`, `early_stopping`, `schedules` and `curves` need no torch.
"""
