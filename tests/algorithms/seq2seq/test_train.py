"""A language of few words is learned; the log, the ends of training and the faults are as they must be."""

import math
import re

import numpy as np
import pytest

from algoport.algorithms.contract import Memory
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.seq2seq import evaluation, gradients, kernels_torch
from algoport.algorithms.seq2seq.hyperparameters import Hyperparameters
from algoport.algorithms.seq2seq.pairs import Pairs
from algoport.algorithms.seq2seq.train import fit
from tests.algorithms.seq2seq.jobs import SHAPES, drawn, file, job, network, records, tokens, trained
from tests.conformance.example import CheckpointFiles, Interrupted
from tests.groups import together

LEARNED = {"rnn_num_hidden": 32, "num_embed_source": 16, "num_embed_target": 16, "batch_size": 32, "max_num_epochs": 14}


def flat(model):
    return np.concatenate([own.ravel() for own in model.weights.values()])


def lists(sequences, name):
    own = sequences.tokens(name)
    return [own[number].tolist() for number in range(len(own))]


def test_sentences_from_the_end_to_the_beginning_are_learned():
    unseen = drawn(60, seed=9, longest=5)

    model = trained(drawn(1200, longest=5), checkpoint_frequency_num_batches=200, **LEARNED)

    sums = sum(
        evaluation.counts(own.tokens, target)
        for own, target in zip(model.translate(unseen.tokens("source")), lists(unseen, "target"), strict=True)
    )
    assert evaluation.bleu(sums) > 0.9
    assert model.lengths.mean == pytest.approx(1.0)


def test_the_log_has_sockeye_s_lines():
    notes, reports = [], []

    trained(drawn(60 * 16), notes=notes, reports=reports, bleu_sample_size=3, checkpoint_frequency_num_batches=50)

    text = "\n".join(notes)
    speed = r"^Epoch\[(\d)\] Batch \[50\]\tSpeed: \d+\.\d\d samples/sec\tperplexity=\d+\.\d{6}$"
    assert re.findall(speed, text, re.M) == ["0", "1"]
    head = r"^Checkpoint \[1\]\t"
    assert re.search(head + r"Updates=50 Epoch=0 Samples=800 Time-cost=\d+\.\d{3}$", text, re.M)
    assert re.search(head + r"Train-perplexity=\d+\.\d{6}$", text, re.M)
    assert re.search(head + r"Validation-perplexity=\d+\.\d{6}$", text, re.M)
    assert {name for values, _ in reports for name in values} == {
        "validation:perplexity",
        "validation:accuracy",
        "validation:bleu",
    }
    assert [how["epoch"] for _, how in reports] == [1, 2, 2]  # 50 and 100 batches, and the end


def test_perplexity_and_accuracy_are_those_of_the_validation_pairs():
    reports = []

    model = trained(reports=reports, max_num_epochs=1, checkpoint_frequency_num_batches=1000)

    own = drawn(20, 1)
    each = gradients.losses(model.design, model.weights, Pairs(own.tokens("source"), own.tokens("target")))
    ((values, _),) = reports
    assert values["validation:perplexity"] == pytest.approx(math.exp(each.losses.mean()), rel=1e-5)
    assert values["validation:accuracy"] == pytest.approx(each.right.mean())


def test_the_model_is_that_of_the_best_checkpoint():
    reports, few = [], drawn(16)  # so few that they are learned by heart
    given = {"learning_rate": 0.05, "checkpoint_frequency_num_batches": 2, "max_num_epochs": 40}

    model = trained(few, reports=reports, **given)

    best = int(np.argmin([values["validation:perplexity"] for values, _ in reports])) + 1
    assert best < len(reports)
    np.testing.assert_array_equal(flat(trained(few, **given, max_num_batches=2 * best)), flat(model))


def test_without_improvement_the_rate_falls_and_training_ends():
    notes = []

    trained(
        notes=notes, max_num_epochs=None, learning_rate=0.3, checkpoint_frequency_num_batches=1,
        checkpoint_threshold=4, plateau_reduce_lr_threshold=2,
    )  # fmt: skip

    assert any(re.fullmatch(r"The learning rate is 0.15 from here on \(plateau_reduce\)\.", line) for line in notes)
    assert re.search(r"perplexity has not improved for 4 checkpoints \(checkpoint_threshold\)", "\n".join(notes))


def test_a_number_of_batches_ends_training():
    notes = []

    trained(notes=notes, max_num_batches=3, max_num_epochs=None, checkpoint_frequency_num_batches=2)

    updates = re.findall(r"Updates=(\d+)", "\n".join(notes))
    assert updates == ["2", "3"]


def test_pairs_with_an_empty_side_and_long_ones_are_counted():
    own, notes = drawn(20), []
    sides = {name: lists(own, name) for name in ("source", "target")}

    trained(
        records([*sides["source"], [], [4], [5] * 30], [*sides["target"], [4], [], [5]]), notes=notes, max_num_epochs=2
    )

    assert [line for line in notes if "training pairs" in line] == [
        "2 of 23 training pairs have an empty side and are skipped.",
        "1 of 21 training pairs are cut to max_seq_len_source and max_seq_len_target (9 and 9 tokens).",
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_two_members_train_the_model_of_one(shape):
    given = {
        **SHAPES[shape], "max_num_epochs": 1, "checkpoint_frequency_num_batches": 3, "bleu_sample_size": 5,
        "embed_dropout_source": 0.2, "rnn_decoder_hidden_dropout": 0.1, "cnn_hidden_dropout": 0.1,
    }  # fmt: skip
    reports = []
    alone = trained(reports=reports, **given)

    others = [[], []]
    models = together(2, lambda group: trained(group=group, reports=others[group.rank], **given))

    np.testing.assert_array_equal(flat(models[0]), flat(models[1]))
    np.testing.assert_allclose(flat(models[0]), flat(alone), rtol=1e-2, atol=2e-4)
    for (mine, _), (theirs, _) in zip(reports, others[0], strict=True):
        assert theirs == pytest.approx(mine, rel=1e-3)


@pytest.mark.parametrize(
    "given",
    [
        {"embed_dropout_target": 0.2, "rnn_decoder_hidden_dropout": 0.2, "bleu_sample_size": 3},
        {"optimizer_type": "sgd", "momentum": 0.5, "learning_rate": 0.3, "plateau_reduce_lr_threshold": 1},
        {**SHAPES["cnn"], "cnn_hidden_dropout": 0.2, "optimizer_type": "rmsprop", "bucketing_enabled": False},
    ],
    ids=["dropout", "momentum", "cnn"],
)
@pytest.mark.parametrize("dies_after", [1, 3, 8])
def test_a_job_that_goes_on_gives_the_bits_of_one_that_never_stopped(given, dies_after, tmp_path):
    given = {**given, "checkpoint_frequency_num_batches": 2}
    want = trained(**given)

    with pytest.raises(Interrupted):
        trained(checkpoints=CheckpointFiles(tmp_path, dies_after=dies_after), **given)
    model = trained(checkpoints=CheckpointFiles(tmp_path), **given)

    np.testing.assert_array_equal(flat(model), flat(want))
    assert model.facts() == want.facts()


def test_torch_trains_as_the_kernels_do(monkeypatch):
    reports, others = [], []
    given = {"checkpoint_frequency_num_batches": 5, "optimizer_type": "sgd", "learning_rate": 0.5}
    one = trained(reports=reports, **given)

    # The path of other devices, on the processor.
    real = kernels_torch.gradient_
    monkeypatch.setattr(kernels_torch, "gradient_", lambda *own: real(*own[:-1], "cpu"))
    other = trained(reports=others, device="cuda", **given)

    np.testing.assert_allclose(flat(other), flat(one), rtol=1e-3, atol=1e-5)
    for (mine, _), (theirs, _) in zip(reports, others, strict=True):
        assert theirs == pytest.approx(mine, rel=1e-4)


def test_training_goes_on_from_a_model():
    start, reports = trained(drawn(400), max_num_epochs=3), []

    trained(drawn(400), start=start, max_num_epochs=1, learning_rate=1e-6, reports=reports)

    first = []
    trained(drawn(400), max_num_epochs=1, reports=first)
    assert reports[0][0]["validation:perplexity"] < first[0][0]["validation:perplexity"]


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"rnn_num_hidden": 14}, "rnn_num_hidden: must be that of the model to start from, 12; it is 14"),
        ({"rnn_cell_type": "gru"}, "rnn_cell_type: must be that of the model to start from, lstm; it is gru"),
        (
            {"files": {"vocab.src.json": file(tokens("other"))}},
            "vocab/vocab.src.json: must be that of the model to start from; it has other tokens",
        ),
    ],
)
def test_a_start_of_another_shape_is_refused(given, sentence):
    with pytest.raises(UserError, match=sentence):
        trained(start=network(), **given)


@pytest.mark.parametrize(
    "train, given, sentence",
    [
        (records([[4, 5]], [[4, 14]]), {}, "the ids of 'target' must be below 14, .* at position 2 is 14"),
        (records([[4], []], [[], [5]]), {}, "Channel 'train': must have a pair of which neither side is empty"),
        (
            drawn(20),
            {"validation": records([[4], []], [[], [5]])},
            "Channel 'validation': must have a pair of which neither side is empty; it has none",
        ),
        (drawn(20), {"files": {"vocab.trg.json": b""}}, "Channel 'vocab': must hold a file 'vocab.trg.json'; it holds"),
        (
            drawn(20),
            {"files": {"vocab.trg.json": file(["<pad>", "<unk>", "<s>", "a"])}},
            "vocab/vocab.trg.json: must have '</s>' with the id 3; it lacks it",
        ),
        (
            drawn(60),
            {"learning_rate": 1e30, "optimizer_type": "sgd", "clip_gradient": -1},
            r"learning_rate: must be small enough for the perplexity to stay finite, .* epoch 1; it is 1e\+30",
        ),
    ],
    ids=["id", "no pairs", "no validation pairs", "no vocabulary", "special", "rate"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_input_has_its_sentence(train, given, sentence):
    with pytest.raises(UserError, match=sentence):
        trained(train, **given)


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"rnn_num_hidden": 13}, "rnn_num_hidden: must be even, .* it is 13"),
        ({"beam_size": 0}, "beam_size: must be a whole number at least 1"),
        ({"bleu_sample_size": -2}, "bleu_sample_size: must be -1 for all, 0 for none, or a number; it is -2"),
        ({"max_seq_len_source": 5001}, "max_seq_len_source: must be at most 5000 tokens; it is 5001"),
        ({"max_seq_len_target": 0}, "max_seq_len_target: must be a whole number at least 1"),
        ({"max_num_batches": 0}, "max_num_batches: must be -1 for no limit, or at least 1; it is 0"),
        ({"momentum": 0.5}, "momentum: must not be given with optimizer_type adam"),
        ({"optimizer_type": "sgd", "momentum": 1}, "momentum: must be from 0 to below 1; it is 1"),
        ({"learning_rate": 0}, "learning_rate: must be above 0; it is 0"),
        ({"weight_init_scale": -1}, "weight_init_scale: must be above 0; it is -1"),
        ({"min_num_epochs": 3, "max_num_epochs": 2}, r"min_num_epochs: must be at most max_num_epochs \(2\); it is 3"),
    ],
)
def test_settings_that_cannot_be_have_their_sentence(given, sentence):
    with pytest.raises(UserError, match=sentence):
        Hyperparameters.read(given)


def test_bleu_as_the_measure_needs_no_sample_size():
    settings = Hyperparameters.read({"optimized_metric": "bleu"})

    assert settings.bleu_pairs == -1
    assert any("bleu_sample_size: 0 is read as -1" in line for line in settings.notices())


def test_no_stream_of_pairs_is_kept():
    """A pass reads window by window, and asks for no more than one at a time."""
    asked = []

    class Watched(Memory):
        def batches(self, size, **more):
            for own in super().batches(size, **more):
                asked.append(len(own))
                yield own

    given = job(drawn(700), batch_size=1, max_num_epochs=1, max_num_batches=300)
    channels = {**given.channels, "train": Watched(drawn(700))}
    fit(type(given)(**{**vars(given), "channels": channels}))

    assert asked == [256, 256]  # the third was never read
