"""IPv4 addresses in dotted decimal, as numbers of 32 bits; and what is wrong with a text that is none.    n texts"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import one_line
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.shared.arrays import const

_SHOWN = 60  # characters of a text in a sentence
_WORDS = re.compile(r"[A-Za-z_ -]+")
_OCTETS = re.compile(r"\d{1,20}(?:\.\d{1,20}){3}")


def parse(texts: Ragged) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """The numbers (n,) that addresses are, the first octet highest; and which texts (n,) are addresses.

    Four numbers up to 255 without leading zeros, and periods between them; blanks at either end do not count.
    """
    out, valid = np.empty(len(texts), np.uint32), np.empty(len(texts), np.bool_)
    _parse(const(texts.values, np.uint8), const(texts.offsets, np.int64), out, valid)
    return out, valid


def fault(texts: Ragged) -> tuple[int, str] | None:
    """The first of the texts that is no address, and what to say of it; None where all are."""
    valid = parse(texts)[1]
    if valid.all():
        return None
    wrong = np.flatnonzero(~valid)
    row = int(wrong[0])
    text = texts[row].tobytes().decode("utf-8", "replace")
    sentence = f"must be an IPv4 address such as 203.0.113.7; {reason(text)}."
    if len(wrong) == len(texts) > 1:
        return row, f"{sentence} None of the {len(texts):,} rows read with it has one: are the columns in order?"
    if row == 0 and len(texts) > 1 == len(wrong) and _WORDS.fullmatch(text):
        return row, f"{sentence} If it is a header, leave it out: the first line is a row, too."
    return row, sentence


def reason(text: str) -> str:
    """What is wrong with a text that is no address, and what helps."""
    bare = text.strip(" \t")
    return f"it is {one_line(bare, _SHOWN)!r}{_kind(bare)}" if bare else "it is empty"


def _kind(text: str) -> str:
    """What a text is instead of an address, where that can be said."""
    version_6 = _version_6(text) if ":" in text else None
    if version_6 and version_6.ipv4_mapped:
        return f", an IPv4 address in the form of IPv6: write it as {version_6.ipv4_mapped}"
    if version_6:
        return ", an IPv6 address, which has no place among the 32 bits of IPv4: leave such rows out"
    for mark, sentence in ((":", ", with a port: write it as {}"), ("/", ", a network and not one address")):
        address, there, _ = text.partition(mark)
        if there and _is_address(address):
            return sentence.format(address)
    return _octets(text) if _OCTETS.fullmatch(text) else ""


def _octets(text: str) -> str:
    """What is wrong with four numbers."""
    octets = text.split(".")
    beyond = [octet for octet in octets if int(octet) > 255]
    if beyond:
        return f", where {beyond[0]} is beyond 255"
    plain = ".".join(str(int(octet)) for octet in octets)
    return f", whose leading zeros some programs read as octal: write it as {plain}"


def _version_6(text: str) -> ipaddress.IPv6Address | None:
    host = text[1:].partition("]")[0] if text.startswith("[") else text
    try:
        return ipaddress.IPv6Address(host)
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    return bool(parse(Ragged.texts([text]))[1][0])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _parse(
    values: Any,  # in   (v,) uint8
    offsets: Any,  # in   (n + 1,) int64
    out: Any,  # sets (n,) uint32
    valid: Any,  # sets (n,) bool
) -> None:
    for i in range(len(out)):
        first, last = offsets[i], offsets[i + 1]
        while first < last and (values[first] == 32 or values[first] == 9):
            first += 1
        while first < last and (values[last - 1] == 32 or values[last - 1] == 9):
            last -= 1
        address, octet, digits, octets, fine = np.int64(0), np.int64(0), 0, 0, last - first <= 15
        if fine:
            for place in range(first, last):
                byte = values[place]
                if byte == 46:  # a period
                    fine = fine and digits > 0
                    address, octet, digits, octets = address << 8 | octet, np.int64(0), 0, octets + 1
                else:
                    fine = fine and 48 <= byte <= 57 and not (digits > 0 and octet == 0)
                    octet, digits = octet * 10 + (np.int64(byte) - 48), digits + 1
                    fine = fine and octet <= 255
        valid[i] = fine and digits > 0 and octets == 3
        out[i] = np.uint32(address << 8 | octet) if valid[i] else np.uint32(0)
