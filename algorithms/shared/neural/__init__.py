"""What networks share: the loop of a job (`loop`), weights whose gradients are exchanged while they are still being
computed (`weights`), optimizers, schedules, early stopping (`patience`), short numbers (`precision`), state as arrays
(`snapshots`) and the page of curves.

`loop`, `patience`, `schedules` and `curves` need no torch.
"""
