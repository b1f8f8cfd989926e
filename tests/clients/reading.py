"""Models read by the libraries of others, where nothing of ours is installed: `python -I reading.py FOLDER`.

The folder holds `model/` as training left it, `rows.npy`, and `asked.json` with the name of the algorithm;
`answers.npz` is put beside them. Each function below is all that somebody else would have to write.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file


def kmeans(model, rows):
    from sklearn.cluster import KMeans

    centers = load_file(model / "model.safetensors")["centers"]
    theirs = KMeans(len(centers), init=centers, n_init=1, max_iter=1).fit(centers)
    theirs.cluster_centers_ = centers
    return {"closest_cluster": theirs.predict(rows), "distance_to_cluster": theirs.transform(rows).min(axis=1)}


def pca(model, rows):
    from sklearn.decomposition import PCA

    arrays = load_file(model / "model.safetensors")
    theirs = PCA()
    theirs.mean_, theirs.components_ = arrays["mean"][0], arrays["v"].T
    return {"projection": theirs.transform(rows)}


def linear_learner(model, rows):
    from sklearn.linear_model import LinearRegression, LogisticRegression

    arrays, facts = load_file(model / "model.safetensors"), json.loads((model / "model.json").read_text())
    theirs = LinearRegression() if facts["predictor_type"] == "regressor" else LogisticRegression()
    theirs.coef_ = arrays["weights"].T.astype(np.float64)
    theirs.intercept_ = arrays["bias"] - theirs.coef_ @ arrays["shift"]
    if facts["predictor_type"] == "regressor":
        return {"score": theirs.predict(rows)[:, 0]}
    theirs.classes_ = np.arange(facts["num_classes"] or 2)
    score = theirs.predict_proba(rows)
    if facts["predictor_type"] == "multiclass_classifier":
        return {"score": score, "predicted_label": theirs.predict(rows)}
    return {"score": score[:, 1], "predicted_label": score[:, 1] >= facts["threshold"]}


def xgboost(model, rows):
    import xgboost

    booster = xgboost.Booster(model_file=model / "xgboost-model")
    return {"score": booster.predict(xgboost.DMatrix(rows))}


def image_classification(model, rows):
    import onnxruntime

    session = onnxruntime.InferenceSession(model / "model.onnx")
    (prediction,) = session.run(None, {"data": rows})
    return {"prediction": prediction}


def randomcutforest(model, rows):
    """No library has such forests; their points are ordinary arrays."""
    return {"points": load_file(model / "model.safetensors")["points"]}


def main(folder):
    """Read the model and answer."""
    ours = [name for name in ("algorithms", "training", "serving", "containers") if importlib.util.find_spec(name)]
    if ours:
        sys.exit(f"{', '.join(ours)} must not be there")
    asked = json.loads((folder / "asked.json").read_text())
    found = globals()[asked["algorithm"]](folder / "model", np.load(folder / "rows.npy"))
    np.savez(folder / "answers.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
