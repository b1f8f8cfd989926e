"""Sequence to Sequence beside the same network in torch (`twin`).

Translations of Debian's package descriptions into German, as pieces of words. The twin begins with our first weights
and has our batches, so that its loss is ours; it searches with the weights that ours has learned. Ours is a whole job
on records in memory, with its checkpoint.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from algoport.algorithms.shared import compiled
from benchmarks import first
from benchmarks.measure import US, Case, Laps, Row, main, race

# What suits a processor; the defaults are of 1,024 units and embeddings of 512.
SETTINGS: dict[str, Any] = {
    "rnn_num_hidden": 256, "num_embed_source": 256, "num_embed_target": 256, "learning_rate": 0.001,
    "checkpoint_frequency_num_batches": 100_000,
}  # fmt: skip
DEFAULTS: dict[str, Any] = {"checkpoint_frequency_num_batches": 100_000}
SENTENCE = 15  # words of a request


def descriptions() -> Any:
    """Titles and paragraphs."""
    from benchmarks import seq2seq_pairs

    return seq2seq_pairs.descriptions()


def titles() -> Any:
    """Titles alone, which a network learns in a minute."""
    from benchmarks import seq2seq_pairs

    return seq2seq_pairs.titles()


def job(corpus: Any, train: Any, validation: Any, given: dict[str, Any]) -> Any:
    """A job on records."""
    from algoport.algorithms.contract import Auxiliary, Job, Memory
    from algoport.algorithms.seq2seq.hyperparameters import Hyperparameters
    from algoport.algorithms.seq2seq.vocabulary import SOURCE, TARGET

    files = {name: own.file() for name, own in zip((SOURCE, TARGET), corpus.vocabularies, strict=True)}
    return Job(
        hyperparameters=Hyperparameters.read(given),
        channels={"train": Memory(train), "validation": Memory(validation)},
        files={"vocab": Auxiliary.of("vocab", files)},
    )


def beginning(some: Any, count: int) -> tuple[dict[str, Any], list[Any]]:
    """The first weights of a job, and its first batches."""
    from algoport.algorithms.seq2seq.train import Learner

    learner = Learner(some)
    learner.initialize()
    batches = list(itertools.islice(learner.batches(), count))
    return learner._design.split(learner.state.weights.copy()), batches


def lists(side: Any) -> list[Any]:
    """Sentences one by one."""
    return [side[row] for row in range(len(side))]


def training_race(
    load: Callable[[], Any], given: dict[str, Any], batches: int, goal: float | None, laps: int, name: str
) -> list[Row]:
    """So many updates of both from one network with one order of batches, and the perplexity they lead to."""
    from algoport.algorithms.seq2seq.train import fit
    from benchmarks import seq2seq_twin

    corpus = load()
    train, validation = corpus.records("train", 64 * 256), corpus.records("validation", 32)
    some = partial(job, corpus, train, validation)
    weights, own = beginning(some(given), batches)
    pairs = [(lists(each.source), lists(each.target)) for each in own]
    rate = given.get("learning_rate", 0.0003)
    fit(some({**given, "max_num_batches": 1}))
    seq2seq_twin.fit(weights, [(pairs[0][0][:4], pairs[0][1][:4])], rate)
    runs = {
        US: lambda: fit(some({**given, "max_num_batches": batches})),
        "twin": lambda: seq2seq_twin.fit(weights, pairs, rate),
    }
    each = race(runs, laps=laps, warm=0)
    apart = corpus.records("validation", 256)
    source, target = lists(apart.tokens("source")), lists(apart.tokens("target"))
    ours, theirs = (
        seq2seq_twin.perplexity(network, source, target)
        for network in (seq2seq_twin.Twin(each[US].result.weights), each["twin"].result)
    )
    words = sum(len(row) + 1 for _, rows in pairs for row in rows)
    speeds = " and ".join(f"{words / each[who].median:,.0f}" for who in (US, "twin"))
    return [
        Row(
            case=f"training, {name}", peer="twin", ours=Laps(each[US].seconds, None),
            peers=Laps(each["twin"].seconds, None), goal=goal, metric="perplexity", better="lower",
            quality=ours, peer_quality=theirs, quality_goal=1.01,
            note=f"{batches} batches of 64 pairs; {speeds} target tokens a second.",
        )
    ]  # fmt: skip


@cache
def learned(epochs: int) -> Any:
    """A network that has learned titles."""
    from algoport.algorithms.seq2seq.train import fit

    corpus = titles()
    given = {**SETTINGS, "learning_rate": 0.002, "max_num_epochs": epochs}
    return fit(job(corpus, corpus.records("train"), corpus.records("validation", 64), given))


def decoding_race(goal: float | None, count: int, epochs: int, laps: int) -> list[Row]:
    """Beam search of 5 with the same weights, judged by BLEU of words on titles that were held out."""
    from algoport.algorithms.seq2seq import beam
    from benchmarks import seq2seq_twin

    corpus, model = titles(), learned(epochs)
    source = corpus.records("test", count).tokens("source")
    references = corpus.references("test", count)
    twin, rows = seq2seq_twin.Twin(model.weights), lists(source)
    limit = beam.limit_of(model.lengths.mean, model.lengths.deviation, model.design.max_seq_len_target)
    runs = {
        US: lambda: [own.tokens for own in model.translate(source)],
        "twin": lambda: seq2seq_twin.translate(twin, rows, limit, model.beam_size),
    }
    each = race(runs, laps=laps)
    scores = {who: bleu([corpus.words(own) for own in each[who].result], references) for who in runs}
    alike = statistics.mean(one == two for one, two in zip(each[US].result, each["twin"].result, strict=True))
    tokens = sum(map(len, each[US].result))
    return [
        Row(
            case=f"decoding, beam of {model.beam_size}", peer="twin", ours=Laps(each[US].seconds, None),
            peers=Laps(each["twin"].seconds, None), goal=goal, metric="BLEU", better="higher",
            quality=scores[US], peer_quality=scores["twin"], quality_goal=0.99,
            note=f"{len(rows)} titles, {tokens / each[US].median:,.0f} tokens a second; {100 * alike:.1f} % of the "
            "translations are the same.",
        )
    ]  # fmt: skip


def bleu(every: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> float:
    """From 0 to 100, on words: sacreBLEU's where it is installed, or ours."""
    try:
        import sacrebleu
    except ModuleNotFoundError:
        from algoport.algorithms.seq2seq import evaluation

        sums = sum(evaluation.counts(*pair) for pair in zip(every, references, strict=True))
        return 100 * evaluation.bleu(sums)
    texts = [[" ".join(words) for words in side] for side in (every, references)]
    return float(sacrebleu.corpus_bleu(texts[0], [texts[1]], tokenize="none", force=True).score)


def first_answer(goal: float = 0.3, usual: float = 0.06) -> list[Row]:
    """A sentence of 15 words, the first that a new process answers and the median of 100 after it."""
    corpus, model = titles(), learned(3)
    words = [word for pair in corpus.parts["test"] for word in pair[0]][:SENTENCE]
    body = json.dumps({"instances": [{"data": " ".join(words)}]})
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        done = first.answers("seq2seq", Path(folder), body.encode(), "application/json")
    figures = {
        "the first answer of a new process": (done.first, goal),
        "an answer": (done.median, usual),
    }
    note = f"The model is loaded and warm after {statistics.median(done.ready):.2f} s."
    return [
        Row(case=f"{what}, {SENTENCE} words", peer="goal", ours=Laps(own, None), peers=Laps([each], None), goal=1.0,
            note=note)
        for what, (own, each) in figures.items()
    ]  # fmt: skip


CASES = [
    Case("training, 256 units", partial(training_race, descriptions, SETTINGS, 24, 1.5, 3, "256 units")),
    Case("training, defaults", partial(training_race, descriptions, DEFAULTS, 2, None, 1, "the defaults"), False),
    Case("decoding", partial(decoding_race, 3.0, 320, 3, 3)),
    Case("first answer", first_answer),
]

if __name__ == "__main__":
    compiled.prepare()
    sys.exit(main("seq2seq", CASES))
