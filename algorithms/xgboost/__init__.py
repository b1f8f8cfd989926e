"""XGBoost: gradient-boosted trees, in the file formats of the open-source library."""

from algoport.algorithms.contract import CHANNEL_ROWS, REQUEST_ROWS, Algorithm, Answer, Channel, Column, Metric

_MEASURED = {
    "accuracy": "share of rows whose class is answered",
    "auc": "area under the ROC curve",
    "aucpr": "area under precision over recall",
    "balanced_accuracy": "mean recall over the classes",
    "error": "share of wrong answers of two classes",
    "f1": "mean over the classes of the harmonic mean of precision and recall",
    "f1_binary": "harmonic mean of precision and recall of class 1",
    "f1_macro": "the same as f1",
    "logloss": "negative log-likelihood of two classes",
    "mae": "mean absolute error",
    "map": "mean average precision",
    "mape": "mean absolute error as a share of the label",
    "merror": "share of wrong answers of several classes",
    "mlogloss": "negative log-likelihood of several classes",
    "mphe": "mean pseudo-Huber error",
    "mse": "mean squared error",
    "ndcg": "normalized discounted cumulative gain",
    "precision": "precision of class 1",
    "precision_macro": "mean precision over the classes",
    "precision_micro": "share of rows whose class is answered",
    "r2": "share of the variance that is explained",
    "recall": "recall of class 1",
    "recall_macro": "mean recall over the classes",
    "recall_micro": "share of rows whose class is answered",
    "rmse": "root of the mean squared error",
    "rmsle": "root of the mean squared error of logarithms",
    "aft-nloglik": "negative log-likelihood of accelerated failure times",
    "cox-nloglik": "negative log partial likelihood of proportional hazards",
    "gamma-deviance": "deviance of gamma distributions",
    "gamma-nloglik": "negative log-likelihood of gamma distributions",
    "interval-regression-accuracy": "share of answers within their interval",
    "poisson-nloglik": "negative log-likelihood of counts",
    "tweedie-nloglik": "negative log-likelihood of Tweedie distributions",
}
_MAXIMIZED = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "interval-regression-accuracy",
    "map", "ndcg", "precision", "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
)  # fmt: skip

ALGORITHM = Algorithm(
    name="xgboost",
    title="XGBoost",
    summary="Gradient-boosted trees, or a boosted linear model, in the file formats of the open-source library.",
    problem="regression, classification, ranking",
    source="Chen and Guestrin, XGBoost: A Scalable Tree Boosting System, KDD 2016; Friedman, Greedy Function "
    "Approximation, Annals of Statistics 29(5), 2001; Rashmi and Gilad-Bachrach, DART, AISTATS 2015; Burges, From "
    "RankNet to LambdaRank to LambdaMART, 2010",
    channels=(
        Channel(
            name="train",
            meaning="the rows to learn from, a label in front of each",
            required=True,
            content_types=CHANNEL_ROWS,
            default_content_type="text/libsvm",
            labeled=True,
            weighted="csv_weights",
        ),
        Channel(
            name="validation",
            meaning="rows to measure every round with, for early stopping",
            content_types=CHANNEL_ROWS,
            default_content_type="text/libsvm",
            labeled=True,
            weighted="csv_weights",
        ),
    ),
    metrics=tuple(
        Metric(
            name=f"validation:{name}",
            goal="maximize" if name in _MAXIMIZED else "minimize",
            meaning=meaning,
            kind="score" if name in _MAXIMIZED else "loss",
        )
        for name, meaning in _MEASURED.items()
    ),
    answer=Answer(
        columns=(
            Column(name="score", meaning="what the objective predicts: a value, a class, or a probability a class"),
            Column(name="predicted_label", meaning="the class", number="int", optional=True),
            Column(name="labels", meaning="all classes", number="int", optional=True, bracketed=True),
            Column(name="probability", meaning="of class 1, or of the class that is answered", optional=True),
            Column(name="probabilities", meaning="one a class", optional=True, bracketed=True),
            Column(name="raw_score", meaning="what the objective predicts", optional=True),
            Column(name="raw_scores", meaning="what it predicts of each class", optional=True, bracketed=True),
            Column(name="predicted_score", meaning="the value of a regression", optional=True),
            Column(
                name="contributions",
                meaning="what each feature adds to the margin, and last the bias; of several classes a list each",
                optional=True,
            ),
            Column(
                name="leaves",
                meaning="the leaf of each tree that a row comes to, by its number in the tree",
                number="int",
                optional=True,
            ),
        ),
        accepts=(*REQUEST_ROWS, "text/libsvm"),
        default_response="text/csv",
    ),
    log_name="AWS/XGBoost",
    hosts=True,
    missing=True,
    quality_line="\t{channel}-{metric}:{value:.5f}",
    round_line="[{round}]{figures}",
    environment=("SAGEMAKER_INFERENCE_OUTPUT", "SAGEMAKER_INFERENCE_ENSEMBLE"),
    reserved=("_kfold", "_num_cv_round", "_tuning_objective_metric"),
    exceptions={
        "hardware: gpu": "Trees grow on the processors' cores alone, and settings for a GPU are accepted with "
        "a word in the log.",
        "objective: values": "reg:absoluteerror and reg:quantileerror are those of the library's later versions; "
        "aft_loss_distribution stands in the original's list by mistake.",
        "quantile_alpha: is not in the specification": "reg:quantileerror of the library's later versions needs it.",
        "base_score: default": "The library estimates it from the labels since its version 3.1, and for some losses "
        "since 1.7; 0.5 was the value of versions before.",
        "eta: default": "0.3 is that of trees; the library's for gblinear is 0.5.",
        "lambda: default": "1 is that of trees; the library's for gblinear is 0.",
        "max_delta_step: default": "0 is the value but for count:poisson, where the library's is 0.7.",
        "max_delta_step: type": "The library takes any number, and its own default for count:poisson is 0.7.",
        "metric validation:interval-regression-accuracy: goal": "More answers within their intervals are better; the "
        "original minimizes it by mistake.",
        "a request of the wrong width is a 4xx that says so": "It is one, but a line of libsvm does not tell how "
        "wide it is: its highest key is named, and the width of the model.",
        "an unknown hyperparameter is reported with the nearest names": "All are but those that begin with an "
        "underscore, which are passed over as services add several, so that a misspelled _kfold is passed over too.",
    },
)
