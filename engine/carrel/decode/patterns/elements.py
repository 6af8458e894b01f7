"""Elements of patterns: numbers in a range, dates that there are, numbers with a check digit.

Dates are written with ``D`` (day, a leading zero or none), ``DD``, ``M``, ``MM``, ``N`` (the month's name in English,
French or German, whole or shortened), ``YY``, ``Y`` (four digits), and any other characters between them; years are
1500 to 2099, or as said behind: ``<D.M.Y 1800-1899>``. Months have their lengths, February 29 days in leap years alone
(after ``YY`` in every fourth year).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Iterator

from carrel.decode.patterns.automaton import Dfa, Nfa, determinized, of_texts

LARGEST_NUMBER = 10**12
MOST_DIGITS = 40
YEARS = (1500, 2099)
_RANGE = re.compile(r"([0-9]+)-([0-9]+)")
_CHECKED = re.compile(r"(luhn|ean|mod11|mod97) ([0-9]{1,6})")
_DATE = re.compile(r"([^<>]*?)(?: ([0-9]{4})-([0-9]{4}))?")
_DATE_PARTS = re.compile(r"DD|D|MM|M|N|YY|Y|.", re.DOTALL)
MONTHS: tuple[tuple[str, ...], ...] = (
    ("January", "Jan", "janvier", "janv", "Januar", "Jänner"),
    ("February", "Feb", "février", "févr", "fév", "Februar"),
    ("March", "Mar", "mars", "März"),
    ("April", "Apr", "avril", "avr"),
    ("May", "mai"),
    ("June", "Jun", "juin", "Juni"),
    ("July", "Jul", "juillet", "juil", "Juli"),
    ("August", "Aug", "août", "aout"),
    ("September", "Sept", "Sep", "septembre"),
    ("October", "Oct", "octobre", "Oktober", "Okt"),
    ("November", "Nov", "novembre"),
    ("December", "Dec", "décembre", "déc", "Dezember", "Dez"),
)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def element(text: str) -> Dfa:
    """Return the automaton of what stands between ``<`` and ``>``.

    Raises
    ------
    ValueError
        It is nothing that is known; the message says what there is.
    """
    if found := _RANGE.fullmatch(text):
        return number_range(*found.groups())
    if found := _CHECKED.fullmatch(text):
        return checked(found[1], int(found[2]))
    found = _DATE.fullmatch(text)
    if found and {p[0] for p in _DATE_PARTS.findall(found[1])} & set("DMNY"):
        years = (int(found[2]), int(found[3])) if found[2] else YEARS
        return date(found[1], years)
    raise ValueError(
        f"<{text}> is neither a range like <1-31>, nor a date like <D.M.Y>, nor a check digit like <luhn 10>"
    )


def number_range(low: str, high: str) -> Dfa:
    """Return the automaton of the whole numbers from ``low`` to ``high``; of equal length, they keep their leading zeros.

    Raises
    ------
    ValueError
        The range is empty, or reaches beyond `LARGEST_NUMBER`.
    """
    if int(low) > int(high) or int(high) >= LARGEST_NUMBER:
        raise ValueError(f"<{low}-{high}> must run from a number to one that is no less, below {LARGEST_NUMBER:,}")
    if len(low) == len(high):
        return _united(_same_length(low, high))
    parts = list[list[frozenset[str]]]()
    low, high = str(int(low)), str(int(high))
    for length in range(len(low), len(high) + 1):
        least = low if length == len(low) else "1" + "0" * (length - 1)
        most = high if length == len(high) else "9" * length
        parts += _same_length(least, most)
    return _united(parts)


def _same_length(low: str, high: str) -> list[list[frozenset[str]]]:
    """Sequences of digit sets that together are the numbers from ``low`` to ``high``, of one length."""
    if not low:
        return [[]]
    if low[0] == high[0]:
        return [[frozenset(low[0]), *rest] for rest in _same_length(low[1:], high[1:])]
    length = len(low) - 1
    parts = [[frozenset(low[0]), *rest] for rest in _same_length(low[1:], "9" * length)]
    between = frozenset(map(str, range(int(low[0]) + 1, int(high[0]))))
    if between:
        parts.append([between, *[frozenset("0123456789")] * length])
    return parts + [[frozenset(high[0]), *rest] for rest in _same_length("0" * length, high[1:])]


def _united(parts: Iterable[Iterable[frozenset[str]]]) -> Dfa:
    nfa = Nfa()
    start, end = nfa.state(), nfa.state()
    for part in parts:
        state = start
        for characters in part:
            following = nfa.state()
            nfa.arcs[state].append((characters, following))
            state = following
        nfa.empties[state].append(end)
    return determinized(nfa, start, end)


def date(form: str, years: tuple[int, int]) -> Dfa:
    """Return the automaton of the dates that there are, as ``form`` writes them, in a range of ``years``.

    Raises
    ------
    ValueError
        A part is missing or there twice, or the range is empty or far from our time.
    """
    parts = _DATE_PARTS.findall(form)
    kinds = [part[0].replace("N", "M") for part in parts if part[0] in "DMNY"]
    if "D" in kinds and "M" not in kinds:
        raise ValueError(f"<{form}>: a day needs its month, M, MM or N")
    if len(kinds) > len(set(kinds)):
        raise ValueError(f"<{form}>: a day, month or year is there twice")
    if not 1000 <= years[0] <= years[1] <= 2999:
        raise ValueError(f"<{form} {years[0]}-{years[1]}>: years run from 1000 to 2999, the earlier first")
    wanted = list(range(years[0], years[1] + 1))
    nfa = Nfa()
    start, end = nfa.state(), nfa.state()
    for days, months, of_years in _groups(wanted, "Y" in kinds, "D" in kinds, two_digits="YY" in parts):
        state = start
        for part in parts:
            first, last = nfa.embed(of_texts(_written(part, days, months, of_years)))
            nfa.empties[state].append(first)
            state = last
        nfa.empties[state].append(end)
    return determinized(nfa, start, end)


def _groups(
    years: list[int], has_year: bool, has_day: bool, *, two_digits: bool
) -> Iterator[tuple[range, list[int], list[int]]]:
    """Days, months and years that go together in any combination."""
    if not has_day:
        yield range(0), list(range(1, 13)), years
        return
    for length in (30, 31):
        yield range(1, length + 1), [m for m in range(1, 13) if _DAYS[m - 1] == length], years
    leap = [y for y in years if calendar.isleap(y) or (two_digits and y % 4 == 0)] if has_year else years
    yield range(1, 29), [2], years
    if leap:
        yield range(29, 30), [2], leap


def _written(part: str, days: range, months: list[int], years: list[int]) -> list[str]:
    forms: dict[str, Callable[[], Iterable[str]]] = {
        "D": lambda: (t for d in days for t in (str(d), f"{d:02d}")),
        "DD": lambda: (f"{d:02d}" for d in days),
        "M": lambda: (t for m in months for t in (str(m), f"{m:02d}")),
        "MM": lambda: (f"{m:02d}" for m in months),
        "N": lambda: _names(months),
        "Y": lambda: map(str, years),
        "YY": lambda: (f"{y % 100:02d}" for y in years),
    }
    return list(forms[part]()) if part in forms else [part]


def _names(months: list[int]) -> Iterator[str]:
    for month in months:
        for name in MONTHS[month - 1]:
            for written in (name, name.lower(), name.capitalize()):
                yield written
                if len(name) <= 4:
                    yield f"{written}."


def checked(scheme: str, digits: int) -> Dfa:
    """Return the automaton of numbers of so many ``digits`` whose last is a check digit; a state is a place and a remainder.

    ``luhn`` (ISO/IEC 7812), ``ean`` (weights 1 and 3, ISO/IEC 15420), ``mod11`` (weights down to 1, X for ten, as ISBN-10),
    ``mod97`` (the whole number leaves 1, ISO/IEC 7064).

    Raises
    ------
    ValueError
        Fewer than 2 digits, or more than `MOST_DIGITS`.
    """
    if not 2 <= digits <= MOST_DIGITS:
        raise ValueError(f"<{scheme} {digits}>: 2 to {MOST_DIGITS} digits are taken")
    modulus, wanted = {"luhn": (10, 0), "ean": (10, 0), "mod11": (11, 0), "mod97": (97, 1)}[scheme]
    arcs: list[dict[str, int]] = [{} for _ in range(digits * modulus + modulus)]  # state place * modulus + remainder
    for place in range(digits):
        left = digits - place
        for remainder in range(modulus):
            for digit in range(11 if scheme == "mod11" and left == 1 else 10):
                value = _added(scheme, digit, left, remainder) % modulus
                arcs[place * modulus + remainder]["X" if digit == 10 else str(digit)] = (place + 1) * modulus + value
    nfa = Nfa()
    start, end = nfa.embed(Dfa(tuple(arcs), frozenset({digits * modulus + wanted})))
    return determinized(nfa, start, end)


def _added(scheme: str, digit: int, left: int, remainder: int) -> int:
    if scheme == "mod97":
        return 10 * remainder + digit
    if scheme == "mod11":
        return remainder + left * digit
    if scheme == "ean":
        return remainder + (1 if left % 2 else 3) * digit
    doubled = 2 * digit if left % 2 == 0 else digit
    return remainder + doubled - 9 * (doubled > 9)
