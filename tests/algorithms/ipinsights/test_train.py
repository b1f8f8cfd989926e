"""Jobs: what is learned, what is said of faulty rows, and what the model remembers."""

import numpy as np
import pytest

from algoport import algorithms
from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.table import Table
from algoport.algorithms.ipinsights import entities, evaluation, train
from algoport.algorithms.ipinsights.hyperparameters import Hyperparameters
from algoport.algorithms.ipinsights.model import Model
from algoport.algorithms.ipinsights.options import Options
from algoport.training import formats
from algoport.training.formats.layout import Layout

MUST = "address must be an IPv4 address such as 203.0.113.7; it is"
FIELDS = algorithms.find("ipinsights").fields


def table(pairs):
    who, where = zip(*pairs, strict=True)
    return Table(columns=(Ragged.texts(who), Ragged.texts(where)))


def homes(count, seed=0):
    """Thirty people in a /16 of their own, at any of its addresses."""
    random = np.random.default_rng(seed)
    people = random.integers(0, 30, count)
    hosts = random.integers(0, 256, (count, 2))
    return table([(f"user {who}", f"{who + 40}.{7 * who}.{a}.{b}") for who, (a, b) in zip(people, hosts, strict=True)])


def fit(rows, *, validation=None, report=lambda *_, **__: None, **more):
    given = {"num_entity_vectors": 500, "vector_dim": 16, "epochs": 10, "learning_rate": 0.01, "mini_batch_size": 100}
    channels = {"train": Memory(rows)} | ({} if validation is None else {"validation": Memory(validation)})
    job = Job(
        hyperparameters=Hyperparameters.read({**given, **more}), channels=channels, reporter=Reporter(report=report)
    )
    return train.fit(job)


@pytest.fixture(scope="module")
def model():
    return fit(homes(3000))


def test_addresses_never_seen_are_told_apart_by_their_network(model):
    """Those of their own /16 from those of others' of the same people."""
    own = homes(600, seed=9)
    addresses = own.texts(1).strings()
    other = Table(columns=(own.texts(0), Ragged.texts(addresses[::-1])))
    apart = np.array(
        [one.split(".")[0] != two.split(".")[0] for one, two in zip(addresses, addresses[::-1], strict=True)]
    )

    area = evaluation.area(model.predict(own)["dot_product"], model.predict(other)["dot_product"][apart])

    assert area > 0.97


def test_every_entity_that_was_seen_is_known_and_others_are_not_and_score_nothing(model):
    strangers = table([(f"stranger {n}", "40.0.1.2") for n in range(200)])

    known = model.predict(homes(300), Options(verbose=True))
    unknown = model.predict(strangers, Options(verbose=True))

    assert known["entity_seen"].all() and not unknown["entity_seen"].any()
    rows = entities.rows(entities.hashed(strangers.texts(0)), 500)
    alone = ~model.network.entities[rows].any(axis=1)  # who shares a row with nobody
    assert alone.sum() > 100 and not unknown["dot_product"][alone].any()


def test_the_score_is_the_dot_product_of_the_vectors(model):
    answers = model.predict(homes(50), Options(verbose=True))

    expected = (answers["entity_embedding"].astype(float) * answers["ip_embedding"]).sum(axis=1)
    np.testing.assert_allclose(answers["dot_product"], expected, rtol=1e-5, atol=1e-5)


def test_validation_is_against_one_random_address_a_row_whatever_the_rates_are():
    reports = []

    for random, shuffled in ((1, 0), (0, 3)):
        fit(
            homes(500),
            validation=homes(200, seed=5),
            epochs=1,
            learning_rate=1e-6,
            random_negative_sampling_rate=random,
            shuffled_negative_sampling_rate=shuffled,
            report=lambda values, **where: reports.append((values, where)),
        )

    areas = [values["validation:discriminator_auc"] for values, _ in reports if len(values) == 1]
    assert len(areas) == 2 and all(0.3 < area < 1 for area in areas)


def test_the_area_counts_ties_half():
    observed, negative = np.array([1, 2, 2], np.float32), np.array([2, 0], np.float32)

    assert evaluation.area(observed, negative) == pytest.approx((0 + 1 + 0.5 + 1 + 0.5 + 1) / 6)


def test_a_rate_that_is_too_large_is_named():
    with pytest.raises(UserError, match=r"learning_rate.*Lower"):
        train._figures(np.array([np.nan, 1, 2]))


def test_rates_without_negatives_are_refused():
    with pytest.raises(UserError, match="must be from 1 to 500 together; they are 0 and 0"):
        fit(homes(10), random_negative_sampling_rate=0, shuffled_negative_sampling_rate=0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user,ip\na,1.2.3.4\n", "x, line 1: MUST 'ip'. If"),
        ("a,1.2.3.4\n\nb,1.2.3.4,1\n", "x, line 3: 3 columns, where there must be 2: entity, address. The row"),
        ("a,1.2.3.4\nb,1.2.3.256\n", "line 2: MUST '1.2.3.256', where"),
        ("a,1.2.3.4\nb,1.2.3.4:80\n", "MUST '1.2.3.4:80', with a"),
        ("a,1.2.3.4\n,1.2.3.4\n", "x, line 2: entity must not be empty."),
        ("a,1.2.3.4\nb,\n", "x, line 2: MUST empty."),
        ("a,1.2.3.4\nb,fe80::1\n", "it is 'fe80::1', an IPv6 address"),
        ("1.2.3.4,a\n1.2.3.4,b\n", "x, line 1: MUST 'a'. None of"),
        ('a,"1.2.3.4, 5.6.7.8"\n', "it is '1.2.3.4, 5.6.7.8'"),
    ],
)  # fmt: skip
def test_a_malformed_line_is_named_by_file_line_and_text(text, words, tmp_path):
    path = tmp_path / "x"
    path.write_text(text)

    with path.open("rb") as stream, pytest.raises(UserError) as error:
        list(formats.find("text/csv", "table").read(stream, Layout("x", fields=FIELDS)))

    assert words.replace("MUST", MUST) in str(error.value)


def test_quotes_are_legal_and_blanks_around_a_field_do_not_count(tmp_path):
    path = tmp_path / "x"
    path.write_text('"Smith, John", 1.2.3.4\n  "say ""hi""" ,"5.6.7.8"\n')

    with path.open("rb") as stream:
        (rows,) = formats.find("text/csv", "table").read(stream, Layout("x", fields=FIELDS))

    assert rows.texts(0).strings() == ["Smith, John", 'say "hi"']
    assert rows.texts(1).strings() == ["1.2.3.4", "5.6.7.8"]


def test_a_model_of_another_size_is_no_start(model):
    with pytest.raises(UserError, match="vector_dim: must be that of the model to start from, 16; it is 8"):
        train.fit(
            Job(
                hyperparameters=Hyperparameters.read({"num_entity_vectors": 500, "vector_dim": 8}),
                channels={"train": Memory(homes(10))},
                start=model,
            )
        )


@pytest.mark.parametrize("name", ["entities", "bits", "last", "last_bias", "seen"])
def test_a_damaged_model_is_refused_by_the_array_that_is_wrong(model, name, tmp_path):
    from algoport.algorithms.shared import artifact

    model.save(tmp_path)
    arrays, facts = artifact.load(tmp_path)
    arrays[name] = arrays[name][:-1]
    artifact.save(tmp_path, arrays, facts)

    with pytest.raises(
        UserError, match="num_entity_vectors must be 499" if name == "entities" else f"'{name}' must be"
    ):
        Model.load(tmp_path)
