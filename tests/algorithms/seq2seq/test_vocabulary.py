"""Vocabularies as the original's files have them; each fault has its sentence."""

import json

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.seq2seq.vocabulary import SPECIAL, Vocabulary, largest
from tests.algorithms.seq2seq.jobs import drawn, file, tokens

GOOD = {token: number for number, token in enumerate(tokens(count=2))}


def without(token):
    return {name: number for name, number in GOOD.items() if name != token}


def test_a_file_comes_back_as_it_was():
    own = Vocabulary.parse(file([*SPECIAL, "ein", "Wörtchen", "\ud800"]), "vocab")

    assert list(Vocabulary.parse(own.file(), "vocab").tokens) == [*SPECIAL, "ein", "Wörtchen", "\ud800"]
    assert len(own) == 7


def test_ids_may_stand_in_any_order():
    assert list(Vocabulary.parse(json.dumps(dict(reversed(GOOD.items()))).encode(), "").tokens) == list(GOOD)


def test_words_that_are_not_there_are_unknown():
    own = Vocabulary(tokens())

    ids = own.encode(["word3  word0 nothing", "", "</s> <unk>"])

    assert [ids[number].tolist() for number in range(3)] == [[7, 4, 1], [], [3, 1]]
    assert own.decode([7, 4, 1]) == "word3 word0 <unk>"
    assert largest(ids) == 7 and largest(drawn(0).tokens("source")) == -1


@pytest.mark.parametrize("number, token", enumerate(SPECIAL))
def test_a_special_token_that_is_not_there_is_named_with_its_id(number, token):
    with pytest.raises(UserError, match=f"^vocab/a.json: must have '{token}' with the id {number}; it lacks it.$"):
        Vocabulary.parse(json.dumps(without(token)).encode(), "vocab/a.json")


@pytest.mark.parametrize(
    "given, sentence",
    [
        (b"{", "a.json: must be an object from token to id; it is no JSON: "),
        (b"[" * 100_000, "a.json: must be an object from token to id; it is no JSON: "),
        (b"[]", 'must be an object from token to id, {"<pad>": 0'),
        ({**GOOD, "word": "9"}, 'must be an object from token to id, {"<pad>": 0'),
        ({**GOOD, "word": True}, 'must be an object from token to id, {"<pad>": 0'),
        ({**GOOD, "<s>": 3, "</s>": 2}, "must have '<s>' with the id 2; it has the id 3."),
        ({**GOOD, "word": 7}, "must give its 7 tokens the ids from 0 to 6; 'word' has 7."),
        ({**GOOD, "word": -1}, "must give its 7 tokens the ids from 0 to 6; 'word' has -1."),
        ({**GOOD, "word": 4}, "must give each token an id of its own; 'word0' and 'word' both have 4."),
    ],
)
def test_a_file_that_is_wrong_has_its_sentence(given, sentence):
    with pytest.raises(UserError) as caught:
        Vocabulary.parse(given if isinstance(given, bytes) else json.dumps(given).encode(), "a.json")
    assert sentence in str(caught.value)
