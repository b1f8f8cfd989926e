"""Requests and answers, and a model's files: what is damaged is refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.seq2seq import wire
from algoport.algorithms.seq2seq.model import Model
from algoport.algorithms.seq2seq.options import Options
from algoport.algorithms.seq2seq.screening import Screen, is_available
from algoport.algorithms.seq2seq.vocabulary import UNK
from algoport.algorithms.shared import log
from algoport.serving.prediction import Predictor
from tests.algorithms.seq2seq.jobs import file, network, tokens


def lines(*texts):
    """A request of texts."""
    return Lines(text=Ragged.texts(texts))


def ids(*lists):
    """A request of ids."""
    return Sequences(sequences={"source": Ragged.of(lists)}, present={"source": np.ones(len(lists), bool)})


def test_text_and_ids_are_answered_alike_and_in_recordio_with_ids():
    model = network()

    by_text = model.predict(lines("word1 word4", "word2"))["target"]

    assert by_text == model.predict(ids([5, 8], [6]))["target"]
    numbers = model.predict(ids([5, 8], [6]), Options.read({"accept": "application/x-recordio-protobuf"}))["target"]
    assert [model.target.decode(own.tolist()) for own in numbers] == by_text
    assert all(own.dtype == np.int32 for own in numbers)


def test_an_id_beyond_the_vocabulary_is_named():
    with pytest.raises(UserError, match="record 2: the ids of 'source' must be below 14, .* at position 3 is 14"):
        network().predict(ids([4], [5, 6, 14]))


def test_a_text_longer_than_max_seq_len_is_answered_by_what_fits_and_told(monkeypatch):
    model, notes = network(), []
    monkeypatch.setattr(log, "note", notes.append)
    words = [f"word{number % 10}" for number in range(12)]

    answer = model.predict(lines("word3", " ".join(words), " ".join(words[::-1])))

    assert answer["tokens_left_out"] == [None, 3, 3]
    assert answer["target"][1:] == model.predict(lines(" ".join(words[:9]), " ".join(words[::-1][:9])))["target"]
    assert notes == [
        "line 2: is answered by its first 9 tokens (max_seq_len_source), as it has more; so are 2 records of this "
        "request."
    ]
    asked = model.predict(lines(" ".join(words)), Options.read({"attention_matrix": True}))
    assert asked["matrix"][0].shape[1] == 9


@pytest.mark.parametrize("asked", [True, "true"])
def test_the_matrix_has_a_row_a_target_token_and_a_column_a_source_token(asked):
    answer = network(seed=3).predict(lines("word1 word2 word3", ""), Options.read({"attention_matrix": asked}))

    assert answer["matrix"][0].shape == (len(answer["target"][0].split()), 3)
    np.testing.assert_allclose(answer["matrix"][0].sum(axis=1), 1, rtol=1e-5)
    assert answer["target"][1] == "" and answer["matrix"][1].size == 0
    assert "matrix" not in network().predict(lines("word1"))


def test_unknown_tokens_are_replaced_by_what_attention_looks_at():
    model = network(seed=1)
    model.weights["output.bias"][UNK] = 50  # so that nothing else is answered

    plain = model.predict(lines("word1 Zebra word2"), Options.read({"max_length": 3}))["target"][0]
    given = {"max_length": 3, "replace_unknown": True, "attention_matrix": True}
    answer = model.predict(lines("word1 Zebra word2"), Options.read(given))

    assert plain == "<unk> <unk> <unk>"
    looked = answer["matrix"][0].argmax(axis=1)
    assert answer["target"][0].split() == [["word1", "Zebra", "word2"][place] for place in looked]
    by_ids = model.predict(ids([5, 1, 6]), Options.read(given))["target"][0].split()
    assert by_ids == [["word1", "<unk>", "word2"][place] for place in looked]


def test_a_request_may_have_a_beam_and_a_length_of_its_own():
    model = network(seed=5)

    one = model.predict(ids([4, 5, 6, 7, 8]), Options.read({"beam_size": "1", "max_length": "2"}))["target"]

    assert len(one[0].split()) <= 2
    assert one == [
        model.target.decode(own.tokens)
        for own in model.translate(ids([4, 5, 6, 7, 8]).tokens("source"), beam_size=1, max_length=2)
    ]


def test_a_request_may_ask_for_products_of_float32(monkeypatch):
    model, given = network(seed=5), ids([4, 5, 6, 7, 8], [9])
    plain = model.predict(given)["target"]
    monkeypatch.setattr(Screen, "best_", None)  # which is then not to be called

    answer = model.predict(given, Options.read({"exact": "true"}))

    assert answer["target"] == plain
    if is_available():
        with pytest.raises(TypeError):
            model.predict(given)


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"beam_size": 0}, "beam_size: must be a whole number from 1 to 100; it is"),
        ({"beam_size": 101}, "beam_size: must be a whole number from 1 to 100; it is"),
        ({"max_length": 0}, "max_length: must be a whole number from 1 to 5000; it is"),
        ({"max_length": 5001}, "max_length: must be a whole number from 1 to 5000; it is"),
        ({"attention_matrix": "perhaps"}, "attention_matrix: must be true or false"),
        ({"exact": 2}, "exact: must be true or false"),
    ],
)
def test_options_out_of_bounds_have_their_sentence(given, sentence):
    with pytest.raises(UserError, match=sentence):
        Options.read(given)


def test_a_trained_beam_beyond_what_a_request_may_ask_for_is_its_most():
    model = network(words=3, beam_size=100_000)

    assert model.translate(Ragged.of([[4, 5]]), max_length=2)[0].tokens == (
        model.translate(Ragged.of([[4, 5]]), max_length=2, beam_size=100)[0].tokens
    )


@pytest.mark.parametrize(
    "body, sentence",
    [
        (b"{", "request: is no JSON: "),
        (b"[]", 'request: must be an object with a list "instances"'),
        (b'{"instances": ["word1"]}', 'request, instance 1: must be an object with a text as "data" or "source"'),
        (b'{"instances": [{"data": 5}]}', 'request, instance 1: must be an object with a text as "data" or "source"'),
        (b'{"instances": [{"data": "a"}, {"data": [4]}]}', "must be texts, or all lists of ids; these are both"),
        (b'{"instances": [{"data": [4, -1]}]}', "ids must be whole numbers from 0 to 2,147,483,647; at position 2"),
        (
            b'{"instances": [{"data": [2147483648]}]}',
            "ids must be whole numbers from 0 to 2,147,483,647; at position 1",
        ),
        (b'{"instances": [{"data": "a", "configuration": 3}]}', '"configuration" must be an object; it is '),
        (b'{"instances": [{"data": "\\ud800"}]}', "must be text; it has half of a surrogate pair"),
    ],
)
def test_a_body_that_is_wrong_has_its_sentence(body, sentence):
    with pytest.raises(UserError) as caught:
        wire.read_json(body, "request")
    assert sentence in str(caught.value)


def test_options_of_an_instance_go_over_those_of_the_body():
    body = {
        "instances": [{"data": "a", "configuration": {"beam_size": 2}}, {"source": "b"}],
        "configuration": {"beam_size": 3, "max_length": 4},
    }

    own = wire.read_json(json.dumps(body).encode(), "request")

    assert own.configuration == [{"beam_size": 2, "max_length": 4}, {"beam_size": 3, "max_length": 4}]
    assert own.place(1) == "request, instance 2"


@pytest.fixture
def folder(tmp_path):
    network().save(tmp_path)
    return tmp_path


def test_a_loaded_model_is_the_saved_one(folder):
    model = Model.load(folder)

    assert model.facts() == network().facts()
    assert model.predict(lines("word1 word7"))["target"] == network().predict(lines("word1 word7"))["target"]
    assert {path.name for path in folder.iterdir()} >= {"encoder.onnx", "decoder_step.onnx", "vocab.src.json"}


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"source_words": 15}, "vocab.src.json: must have 15 tokens, as model.json says; it has 14"),
        ({"target_words": 10**9}, "target_words must be a whole number from 1 to 10000000; it is 1000000000"),
        ({"rnn_num_hidden": 13}, "rnn_num_hidden must be even; it is 13"),
        ({"rnn_num_hidden": 14}, "must have all weights of the network"),
        (
            {"rnn_num_hidden": 99_998, "num_layers_decoder": 100},
            "must have all weights of the network; it has .* too few",
        ),
        ({"num_layers_encoder": 0}, "num_layers_encoder must be a whole number from 1 to 100; it is 0"),
        ({"num_layers_encoder": True}, "num_layers_encoder must be a whole number from 1 to 100; it is True"),
        ({"rnn_cell_type": "rnn"}, "rnn_cell_type must be one of lstm, gru; it is 'rnn'"),
        ({"rnn_attention_type": ["mlp"]}, "rnn_attention_type must be one of"),
        ({"rnn_residual_connections": 0}, "rnn_residual_connections must be true or false; it is 0"),
        ({"beam_size": 0}, "beam_size must be a whole number from 1 to 100000; it is 0"),
        ({"length_ratio_mean": -1}, "length_ratio_mean must be a number from 0 to 1e"),
        ({"length_ratio_mean": float("nan")}, "length_ratio_mean must be a number from 0 to 1e"),
        ({"length_ratio_deviation": "much"}, "length_ratio_deviation must be a number from 0 to 1e"),
    ],
)
def test_facts_that_do_not_fit_are_refused(folder, change, sentence):
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**facts, **change}))

    with pytest.raises(UserError, match=sentence):
        Model.load(folder)


def test_a_vocabulary_that_is_not_there_is_named(folder):
    (folder / "vocab.trg.json").unlink()

    with pytest.raises(UserError, match=r"vocab.trg.json: is missing beside model.json"):
        Model.load(folder)


def test_a_vocabulary_that_is_wrong_is_refused(folder):
    (folder / "vocab.trg.json").write_bytes(file(tokens("Wort")[1:]))

    with pytest.raises(UserError, match=r"vocab.trg.json: must have '<pad>' with the id 0; it lacks it"):
        Model.load(folder)


@pytest.mark.parametrize("fault", ["missing", "shape", "infinite", "kind"])
def test_weights_that_do_not_fit_are_refused(folder, fault):
    path = folder / "model.safetensors"
    arrays = load_file(path)
    own = arrays["output"]
    if fault == "missing":
        arrays["other"] = arrays.pop("output")
    else:
        arrays["output"] = {
            "shape": np.ascontiguousarray(own.T), "infinite": np.full_like(own, np.inf), "kind": own.astype(np.int8)
        }[fault]  # fmt: skip
    save_file(arrays, path)

    with pytest.raises(UserError, match=r"model.safetensors.*'output'"):
        Model.load(folder)


def test_what_one_record_of_a_request_alone_has_stands_in_its_answer_alone():
    predictor, model = Predictor.of("seq2seq"), network()
    long = " ".join(["word1"] * 11)
    asked = {"instances": [{"data": "word1"}, {"data": "word2", "configuration": {"attention_matrix": "true"}},
                           {"data": long}]}  # fmt: skip

    answer = predictor.answer(model, json.dumps(asked).encode(), "application/json", "application/json")

    every = json.loads(answer.body)["predictions"]
    assert [set(own) for own in every] == [{"target"}, {"target", "matrix"}, {"target", "tokens_left_out"}]
    assert every[2]["tokens_left_out"] == 2
    assert len(every[1]["matrix"]) == len(every[1]["target"].split())
