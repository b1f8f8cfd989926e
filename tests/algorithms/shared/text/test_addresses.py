"""IPv4 addresses, beside Python's own reading of them."""

import ipaddress

import numpy as np
import pytest

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.shared.text import addresses, names


def test_numbers_are_those_of_the_standard_library():
    numbers = np.append(np.random.default_rng(0).integers(0, 1 << 32, 1000), [0, (1 << 32) - 1]).astype(np.uint32)
    texts = Ragged.texts(str(ipaddress.IPv4Address(int(number))) for number in numbers)

    parsed, valid = addresses.parse(texts)

    assert valid.all()
    np.testing.assert_array_equal(parsed, numbers)


@pytest.mark.parametrize(
    "text",
    (
        *("1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.256", "1.2.3.4444", "01.2.3.4", "1.2.3.04"),
        *("1.2.3.+4", "1.2.3.4a", "1 .2.3.4", "1,2,3,4", "", " ", "\u0661.2.3.4", "1.2.3.4\n", "-1.2.3.4", "0x1.2.3.4"),
        "1.2.3.999999999",
    ),
)
def test_what_the_standard_library_refuses_is_no_address(text):
    with pytest.raises(ValueError):
        ipaddress.IPv4Address(text)

    assert not addresses.parse(Ragged.texts([text]))[1][0]
    assert addresses.fault(Ragged.texts(["1.2.3.4", text]))[0] == 1


def test_blanks_around_an_address_do_not_count():
    assert addresses.parse(Ragged.texts(["\t 1.2.3.4  "]))[0].tolist() == [0x01020304]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("203.0.113.300", "where 300 is beyond 255"),
        ("203.0.113.7:443", "with a port: write it as 203.0.113.7"),
        ("203.0.113.0/24", "a network and not one address"),
        ("010.0.0.7", "write it as 10.0.0.7"),
        ("2001:db8::7", "an IPv6 address"),
        ("[2001:db8::7]:443", "an IPv6 address"),
        ("::ffff:203.0.113.7", "write it as 203.0.113.7"),
        ("", "it is empty"),
        ("nobody\nknows" * 20, "it is 'nobody\\\\nknows"),
    ],
)
def test_the_fault_says_what_a_text_is_instead(text, words):
    assert words in addresses.reason(text)


def test_a_header_and_columns_in_the_other_order_are_recognized():
    row, sentence = addresses.fault(Ragged.texts(["ip address", "1.2.3.4", "1.2.3.5"]))
    assert row == 0 and "If it is a header" in sentence

    row, sentence = addresses.fault(Ragged.texts(["alice", "bob"]))
    assert row == 0 and "None of the 2 rows" in sentence

    assert "header" not in addresses.fault(Ragged.texts(["alice"]))[1]
    assert addresses.fault(Ragged.texts(["1.2.3.4"])) is None


def test_a_name_must_not_be_empty():
    assert names.fault(Ragged.texts(["a", " ", ""])) == (2, "must not be empty.")
    assert names.fault(Ragged.texts(["a"])) is None
