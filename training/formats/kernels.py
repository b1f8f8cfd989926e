# ruff: noqa: PLR0911, PLR0912, PLR1714
# mypy: ignore-errors
"""Inner loops of the decoders: texts and wire bytes in, flat arrays out.    n records   v values

They take what is usual. At the first record that is not, they stop and say where, and a slower reader that knows
everything, faults too, continues there.
"""

import numba
import numpy as np

_MAGIC = 0xCED7230A
_NAME = np.frombuffer(b"values", np.uint8)
_POWERS = 10.0 ** np.arange(309)
_NONE, _FLOATS, _DOUBLES, _INTEGERS = 0, 2, 3, 7  # field numbers of the tensors


@numba.njit(nogil=True, cache=True, inline="always")
def _varint(data, at, stop):
    """A number and where it ends; -1 as the end where it is damaged."""
    number = np.uint64(0)
    for index in range(10):
        if at + index >= stop:
            return number, -1
        byte = data[at + index]
        number |= np.uint64(byte & 127) << np.uint64(7 * index)
        if byte < 128:
            return number, at + index + 1
    return number, -1


@numba.njit(nogil=True, cache=True, inline="always")
def _field(data, at, stop):
    """Number, start and end of a field that has a length; number 0 where it is something else."""
    tag, at = _varint(data, at, stop)
    if at < 0 or tag & np.uint64(7) != np.uint64(2) or tag >= np.uint64(1 << 31):
        return 0, 0, 0
    size, at = _varint(data, at, stop)
    if at < 0 or size > np.uint64(stop - at):
        return 0, 0, 0
    return np.int64(tag >> np.uint64(3)), at, at + np.int64(size)


@numba.njit(nogil=True, cache=True)
def _varints(data, start, stop):
    """How many numbers are packed there; -1 where the last is cut off."""
    count = 0
    for at in range(start, stop):
        count += data[at] < 128
    return count if start == stop or data[stop - 1] < 128 else -1


@numba.njit(nogil=True, cache=True)
def _unpack(data, start, stop, out, at):
    """Sets `out` (int64) from `at` on to the numbers packed there; False where one has more than ten bytes.

    Those beyond int64 become negative.
    """
    number, shift = np.uint64(0), np.uint64(0)
    for index in range(start, stop):
        byte = np.uint64(data[index])
        number |= (byte & np.uint64(127)) << shift
        if byte < np.uint64(128):
            out[at] = np.int64(number)
            at += 1
            number, shift = np.uint64(0), np.uint64(0)
        else:
            shift += np.uint64(7)
            if shift > np.uint64(63):
                return False
    return True


@numba.njit(nogil=True, cache=True)
def _tensor(
    data,  # in   bytes
    start,  # of the map entry
    stop,
    spans,  # sets (8,) kind of tensor, values: start, end, count; keys: start, end, count; size of the shape or -1
):
    """Where the tensor of a map entry lies: 1 found, 0 an entry of another name, -1 not usual."""
    named, value, end = False, -1, -1
    while start < stop:
        field, begin, start_ = _field(data, start, stop)
        if field == 1 and start_ - begin == _NAME.size:
            named = True
            for index in range(_NAME.size):
                named = named and data[begin + index] == _NAME[index]
        elif field == 2 and value < 0:
            value, end = begin, start_
        elif field != 1:
            return -1
        start = start_
    if not named:
        return 0
    if value < 0:
        return -1
    kind, begin, after = _field(data, value, end)
    if after != end or (kind != _FLOATS and kind != _DOUBLES and kind != _INTEGERS):
        return -1
    spans[:] = 0
    spans[0], spans[7] = kind, -1
    seen = 0
    while begin < end:
        field, first, last = _field(data, begin, end)
        if field < 1 or field > 3 or seen & (1 << field):
            return -1
        seen |= 1 << field
        if field == 1:
            spans[1], spans[2] = first, last
            width = 4 if kind == _FLOATS else 8
            if kind == _INTEGERS:
                spans[3] = _varints(data, first, last)
            else:
                spans[3] = (last - first) // width if (last - first) % width == 0 else -1
        elif field == 2:
            spans[4], spans[5], spans[6] = first, last, _varints(data, first, last)
        else:
            size, after = _varint(data, first, last)
            if after != last or size >= np.uint64(1 << 48):
                return -1
            spans[7] = np.int64(size)
        begin = last
    if spans[3] < 0 or spans[6] < 0 or (spans[6] > 0 and spans[6] != spans[3]):
        return -1
    return 1


@numba.njit(nogil=True, cache=True)
def _values(data, spans, out, at):
    """Sets `out` from `at` on to the values of a tensor, as float32; False where they are damaged."""
    start, stop = spans[1], spans[2]
    if spans[0] == _FLOATS:
        bits = out.view(np.uint32)
        for index in range((stop - start) // 4):
            p = start + 4 * index
            word = np.uint32(data[p]) | np.uint32(data[p + 1]) << np.uint32(8)
            word |= np.uint32(data[p + 2]) << np.uint32(16) | np.uint32(data[p + 3]) << np.uint32(24)
            bits[at + index] = word
    elif spans[0] == _DOUBLES:
        long_bits = np.empty(1, np.uint64)
        number = long_bits.view(np.float64)
        for index in range((stop - start) // 8):
            word = np.uint64(0)
            for byte in range(8):
                word |= np.uint64(data[start + 8 * index + byte]) << np.uint64(8 * byte)
            long_bits[0] = word
            out[at + index] = number[0]
    else:
        numbers = np.empty(spans[3], np.int64)
        if not _unpack(data, start, stop, numbers, 0):
            return False
        for index in range(spans[3]):
            # Negative numbers take ten bytes; the lower 32 bits are what counts.
            out[at + index] = np.int32(np.uint32(numbers[index] & 0xFFFFFFFF))
    return True


@numba.njit(nogil=True, cache=True)
def _record(data, start, stop, features, label, texts):
    """Sets the spans of one record: features (8,), label (8,), texts (3, 2) start and end of uid, metadata,
    configuration, -1 where there is none. True where the record is usual."""
    label[:] = 0
    texts[:] = -1
    has_values, labeled = False, False
    while start < stop:
        field, begin, end = _field(data, start, stop)
        if field == 0:
            return False
        if field == 1:
            kind = _tensor(data, begin, end, features)
            if kind < 0 or (kind == 1 and has_values):
                return False
            has_values = has_values or kind == 1
        elif field == 2:
            # An entry of another name must not wipe out what was found: `label` is set only where it is returned 1.
            kind = _tensor(data, begin, end, label)
            if kind < 0 or (kind == 1 and labeled) or (kind == 1 and label[6] > 0):
                return False
            labeled = labeled or kind == 1
        elif field <= 5:
            texts[field - 3, 0], texts[field - 3, 1] = begin, end
        start = end
    return has_values


@numba.njit(nogil=True, cache=True)
def measure(
    data,  # in   bytes, the first that of a frame
    most,  # records at most
    ended,  # whether the stream ends with the data, so that the last frame may lack its padding
):
    """How many usual records there are in a row, where they end, and how many values and labels they have."""
    features, label, texts = np.zeros(8, np.int64), np.zeros(8, np.int64), np.zeros((3, 2), np.int64)
    at, n, v, labels = 0, 0, 0, 0
    while n < most and at + 8 <= data.size:
        magic, word = np.uint32(0), np.uint32(0)
        for byte in range(4):
            magic |= np.uint32(data[at + byte]) << np.uint32(8 * byte)
            word |= np.uint32(data[at + 4 + byte]) << np.uint32(8 * byte)
        stop = at + 8 + np.int64(word & np.uint32(0x1FFFFFFF))
        after = (stop + 3) // 4 * 4
        if magic != _MAGIC or word >> np.uint32(29) != 0 or stop > data.size or (after > data.size and not ended):
            break
        if not _record(data, at + 8, stop, features, label, texts):
            break
        v += features[3]
        labels += label[3]
        n += 1
        at = min(after, data.size)
    return n, at, v, labels


@numba.njit(nogil=True, cache=True)
def decode(
    data,  # in   bytes, as for `measure`, of which n records are taken
    values,  # sets (v,) float32
    keys,  # sets (v,) int64    only where a record has keys; negative for one that no int64 holds
    counts,  # sets (n,) int64
    widths,  # sets (n,) int64    -1 where there is no shape
    keyed,  # sets (n,) bool
    labels,  # sets (l,) float32
    label_counts,  # sets (n,) int64
    texts,  # sets (n, 3, 2) int64  start and end of uid, metadata and configuration, -1 where there is none
):
    """Lay the n records that `measure` has found usual end to end; False where one is damaged after all."""
    features, label = np.zeros(8, np.int64), np.zeros(8, np.int64)
    at, v, first = 0, 0, 0
    for n in range(counts.size):
        word = np.uint32(0)
        for byte in range(4):
            word |= np.uint32(data[at + 4 + byte]) << np.uint32(8 * byte)
        stop = at + 8 + np.int64(word & np.uint32(0x1FFFFFFF))
        _record(data, at + 8, stop, features, label, texts[n])
        if not _values(data, features, values, v):
            return False
        counts[n], widths[n], keyed[n] = features[3], features[7], features[6] > 0
        if features[6] > 0 and not _unpack(data, features[4], features[5], keys, v):
            return False
        if not _values(data, label, labels, first):
            return False
        label_counts[n] = label[3]
        v += features[3]
        first += label[3]
        at = (stop + 3) // 4 * 4
    return True


@numba.njit(nogil=True, cache=True)
def _number(data, at, stop):
    """A decimal number and where it ends; -1 as the end where it is none or is written unusually.

    Within a unit in the last place of float64, so that float32 is the nearest but for one number in 2**28.
    """
    negative = at < stop and data[at] == 45
    if at < stop and (data[at] == 45 or data[at] == 43):
        at += 1
    mantissa, digits, exponent, point, some = np.uint64(0), 0, 0, False, False
    while at < stop:
        byte = data[at]
        if 48 <= byte <= 57:
            some = True
            if digits < 18:
                mantissa = mantissa * np.uint64(10) + np.uint64(byte - 48)
                digits += 1 if mantissa > 0 else 0
                exponent -= 1 if point else 0
            else:
                exponent += 0 if point else 1
        elif byte == 46 and not point:
            point = True
        else:
            break
        at += 1
    if not some:
        return 0.0, -1
    if at < stop and (data[at] == 101 or data[at] == 69):
        at += 1
        minus = at < stop and data[at] == 45
        if at < stop and (data[at] == 45 or data[at] == 43):
            at += 1
        power, begin = 0, at
        while at < stop and 48 <= data[at] <= 57 and at - begin < 5:
            power = power * 10 + np.int64(data[at] - 48)
            at += 1
        if at == begin:
            return 0.0, -1
        exponent += -power if minus else power
    number = float(mantissa)
    if exponent > 308 or exponent < -308:
        return 0.0, -1
    number = number / _POWERS[-exponent] if exponent < 0 else number * _POWERS[exponent]
    return -number if negative else number, at


@numba.njit(nogil=True, cache=True)
def libsvm(
    data,  # in   bytes, whole lines
    labeled,  # whether the first token is the label even if it has a colon, and so a weight
    values,  # sets (v,) float32  v: as many as there are colons
    keys,  # sets (v,) int64
    bounds,  # sets (n + 1,) int64  n: as many as there are lines
    labels,  # sets (n,) float32  NaN where there is none
    weights,  # sets (n,) float32  NaN where there is none
):
    """Read lines of `label[:weight] key:value …`: how many rows; -1 where a line is not usual."""
    at, n, v = 0, 0, 0
    bounds[0] = 0
    while at < data.size:
        stop = at
        while stop < data.size and data[stop] != 10:
            stop += 1
        first, tokens = True, 0
        labels[n], weights[n] = np.nan, np.nan
        while True:
            while at < stop and (data[at] == 32 or data[at] == 9 or data[at] == 13):
                at += 1
            if at == stop or data[at] == 35:
                break
            number, end = _number(data, at, stop)
            if end < 0:
                return -1
            tokens += 1
            colon = end < stop and data[end] == 58
            other = 0.0
            if colon:
                other, end_ = _number(data, end + 1, stop)
                if end_ < 0:
                    return -1
            else:
                end_ = end
            if end_ < stop and data[end_] != 32 and data[end_] != 9 and data[end_] != 13:
                return -1
            if first and (labeled or not colon):
                labels[n] = number
                weights[n] = other if colon else np.nan
            elif colon:
                if number < 0 or number >= 1 << 48:
                    return -1
                for index in range(at, end):
                    if data[index] < 48 or data[index] > 57:
                        return -1
                keys[v], values[v] = np.int64(number), other
                v += 1
            else:
                return -1
            first = False
            at = end_
        if tokens:
            n += 1
            bounds[n] = v
        at = stop + 1
    return n
