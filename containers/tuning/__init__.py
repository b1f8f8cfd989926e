"""Hyperparameter tuning: many training jobs of one request, each with the values that the earlier ones suggest.

`request` says what is searched and reads the shape of CreateHyperParameterTuningJob, `space` holds ranges and scales,
`strategies` draws the next values from what is known (a pure function), `stopping` ends weak jobs early, `controller`
brings store and request together, and `report` says what came of it.
"""
