"""What networks share.

The loop of a job (`loop`), parameters whose gradients are exchanged during the backward pass (`weights`), optimizers,
schedules, early stopping, mixed precision, state as arrays (`tensors`), the page of curves; and layers: embeddings with
row-sparse updates (`sparse`), recurrent layers, attention. `kernels/` holds their inner loops.

`loop`, `early_stopping`, `schedules`, `curves`, `sparse` and the kernels need no torch.
"""
