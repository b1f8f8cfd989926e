"""IP Insights: how usual it is that an entity uses an IPv4 address."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Field, Metric

_FIGURES = (
    ("cross_entropy", "minimize", "loss", "mean cross entropy of observed pairs and their negatives"),
    ("accuracy", "maximize", "score", "share of pairs told apart rightly, observed from negative, by the score's sign"),
)

ALGORITHM = Algorithm(
    name="ipinsights",
    title="IP Insights",
    summary="Learns vectors of entities and an encoder of IPv4 addresses from who was seen where, so that their dot "
    "product says how usual a pair is.",
    problem="anomaly detection on pairs of an entity and an IPv4 address",
    source="Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009; Mikolov et al., "
    "Distributed Representations of Words and Phrases and their Compositionality, NIPS 2013; "
    "Kingma and Ba, Adam, ICLR 2015",
    channels=(
        Channel(
            name="train",
            meaning="who was seen where: rows of an entity and an IPv4 address",
            required=True,
            kind="table",
            content_types=("text/csv", "application/jsonlines"),
        ),
        Channel(
            name="validation",
            meaning="such rows, to be told from random addresses after every epoch",
            kind="table",
            content_types=("text/csv", "application/jsonlines"),
        ),
    ),
    fields=(
        Field(name="entity", meaning="any text that names somebody", form="names"),
        Field(name="address", meaning="an IPv4 address in dotted decimal", form="addresses"),
    ),
    metrics=(
        Metric(
            name="validation:discriminator_auc",
            goal="maximize",
            kind="score",
            meaning="area under the ROC curve of validation rows against one random address each, after an epoch",
            epochs=True,
        ),
        *(
            Metric(
                name=f"train:binary_classification_{name}{suffix}",
                goal="minimize" if goal == "minimize" else "maximize",
                kind=kind,
                meaning=f"{meaning}; {when}",
                written=f"binary_classification_{name}",
                epochs=True,
                batches=not suffix,
            )
            for name, goal, kind, meaning in _FIGURES
            for suffix, when in (("", "of the batches since the line before"), (":epoch", "of an epoch"))
        ),
    ),
    answer=Answer(
        kind="table",
        columns=(
            Column(name="dot_product", meaning="how usual the pair is, as log odds; low and negative is unusual"),
            Column(name="entity_embedding", meaning="the entity's vector; with verbose", optional=True, bracketed=True),
            Column(name="ip_embedding", meaning="the address's vector; with verbose", optional=True, bracketed=True),
            Column(
                name="entity_seen",
                meaning="1 where the entity was in the training data, 0 where it was not and the score means nothing; "
                "with verbose",
                number="int",
                optional=True,
            ),
        ),
        accepts=("text/csv", "application/json", "application/jsonlines"),
        responses=("application/json", "application/jsonlines", "text/csv"),
    ),
    log_name="IPInsights",
    quality_line="#quality_metric: host={host}, {epoch}{Batch}{channel} {metric} <{kind}>={value}",
    exceptions={
        "hardware: gpu": "A job runs on the processor: there, an epoch of a million rows takes about a second.",
    },
)
