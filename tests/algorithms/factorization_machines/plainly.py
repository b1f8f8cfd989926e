"""Factorization machines written plainly: NumPy, float64, the definition's sums."""

import numpy as np


def scores(x, bias, weights, factors):
    """y (n,) by the pairs themselves, not by the lemma that makes them linear."""
    y = bias + x @ weights
    d = x.shape[1]
    for i in range(d):
        for j in range(i + 1, d):
            y = y + (factors[i] @ factors[j]) * x[:, i] * x[:, j]
    return y


class Machine:
    """One step after another, dense arrays throughout; a feature that is 0 in a whole batch does not move."""

    def __init__(self, bias, weights, factors, settings):
        self.bias, self.weights, self.factors = float(bias), np.array(weights, float), np.array(factors, float)
        self.settings, self.updates = settings, 0
        self.moments = {name: (0.0, 0.0) for name in ("bias", "weights", "factors")}

    def step(self, x, labels):
        """Rows and labels of a batch."""
        own = self.settings
        x = np.asarray(x, float)
        y = (
            self.bias
            + x @ self.weights
            + 0.5 * (((x @ self.factors) ** 2).sum(axis=1) - (x**2 @ self.factors**2).sum(axis=1))
        )
        slopes = (y if own.is_regression else 1 / (1 + np.exp(-y))) - labels
        sums = x @ self.factors
        gradients = {
            "bias": slopes.sum(),
            "weights": x.T @ slopes,
            "factors": x.T @ (slopes[:, None] * sums) - (x**2).T @ slopes[:, None] * self.factors,
        }
        self.updates += 1
        touched = (x != 0).any(axis=0)
        self._move("bias", gradients["bias"], own.bias_lr * own.use_bias, own.bias_wd, np.array(True), len(x))
        self._move("weights", gradients["weights"], own.linear_lr * own.use_linear, own.linear_wd, touched, len(x))
        self._move("factors", gradients["factors"], own.factors_lr, own.factors_wd, touched[:, None], len(x))

    def _move(self, name, gradient, rate, decay, touched, rows):
        own, value = self.settings, getattr(self, name)
        scale = 1 / rows if own.rescale_grad is None else own.rescale_grad
        whole = scale * gradient + decay * value
        if own.clip_gradient is not None:
            whole = np.clip(whole, -own.clip_gradient, own.clip_gradient)
        mean, square = self.moments[name]
        moved = 0.9 * mean + 0.1 * whole, 0.999 * square + 0.001 * whole**2
        mean, square = (np.where(touched, new, old) for new, old in zip(moved, (mean, square), strict=True))
        size = rate * np.sqrt(1 - 0.999**self.updates) / (1 - 0.9**self.updates)
        step = size * mean / (np.sqrt(square) + (1e-8 if own.eps is None else own.eps))
        self.moments[name] = mean, square
        setattr(self, name, np.where(touched, value - step, value))
