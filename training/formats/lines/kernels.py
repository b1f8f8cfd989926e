# mypy: ignore-errors
"""The inner loop of plain text: bytes in, lines and their labels out.    n lines"""

import numba


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _is_blank(byte):
    return byte == 32 or 9 <= byte <= 13


@numba.njit(nogil=True, cache=True, error_model="numpy")
def split_lines(
    data,  # in   (b,) uint8
    mark,  # in   (m,) uint8 what labels begin with; none: no word is a label
    numbers,  # sets int64 of each line that is not blank its number in the data, from 0
    text,  # sets (b,) uint8 the lines without their labels
    ends,  # sets int64 where each ends, behind a 0
    labels,  # sets (b,) uint8 the labels without what they begin with, a blank between two
    label_ends,  # sets int64
):
    """How many lines there are; and the number of the first that has a label without a name, or -1.

    A line without labels stays as it is. The words of one with labels have one blank between two.
    """
    at = marked = count = number = first = 0
    while first < len(data):
        last = first
        solid = False
        while last < len(data) and data[last] != 10:
            solid = solid or not _is_blank(data[last])
            last += 1
        following = last + 1
        if last > first and data[last - 1] == 13:
            last -= 1
        if solid:
            labeled = _mark_labels(data, first, last, mark, labels, marked)
            if labeled < 0:
                return count, number
            if labeled > marked:
                at = _copy_words(data, first, last, mark, text, at)
                marked = labeled
            else:
                text[at : at + last - first] = data[first:last]
                at += last - first
            numbers[count] = number
            count += 1
            ends[count], label_ends[count] = at, marked
        first = following
        number += 1
    return count, -1


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _next_word(data, place, last):
    """Where the next word begins and ends."""
    while place < last and _is_blank(data[place]):
        place += 1
    end = place
    while end < last and not _is_blank(data[end]):
        end += 1
    return place, end


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _is_label(data, begin, end, mark):
    if len(mark) == 0 or end - begin < len(mark):
        return False
    i = 0
    while i < len(mark) and data[begin + i] == mark[i]:
        i += 1
    return i == len(mark)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _mark_labels(data, first, last, mark, labels, at):
    """The labels of a line, from labels[at] on; where they end, -1 where one has no name."""
    begin, place = at, first
    while True:
        word, place = _next_word(data, place, last)
        if word >= last:
            return at
        if _is_label(data, word, place, mark):
            size = place - word - len(mark)
            if size == 0:
                return -1
            if at > begin:
                labels[at] = 32
                at += 1
            labels[at : at + size] = data[word + len(mark) : place]
            at += size


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _copy_words(data, first, last, mark, text, at):
    """The words of a line that are no labels, from text[at] on; where they end."""
    begin, place = at, first
    while True:
        word, place = _next_word(data, place, last)
        if word >= last:
            return at
        if not _is_label(data, word, place, mark):
            if at > begin:
                text[at] = 32
                at += 1
            text[at : at + place - word] = data[word:place]
            at += place - word
