"""Another cluster's names in the place of the book's: one bijection, applied to text, and what fits it."""

import difflib
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from lab.drift.reading import Answer, read

ADDRESS, CABLE, CHAIN, WORD = "address", "cable", "chain", "word"
"""The sorts of names: an IPv4 address or network, a `cali…` link, a chain with a hash, and any other known word."""

_OCTETS = r"\d{1,3}(?:\.\d{1,3}){3}"
# What a cluster's names look like wherever they stand. An address may have a port behind a dot, as tcpdump prints
# it; in the names of BGP sessions and of Calico's blocks it has other signs between its numbers.
_NAMES = (
    rf"(?P<address>(?<![\d.]){_OCTETS}(?!\d)(?:/\d{{1,2}}(?!\d))?)"
    r"|(?P<signs>(?<=Mesh_)\d+(?:_\d+){3}(?!\d)|(?<=-)\d{1,3}(?:-\d{1,3}){3}-\d{2}(?![\w-]))"
    r"|(?P<cable>cali[0-9a-f]{11}(?![0-9a-f]))"
    r"|(?P<chain>KUBE-[A-Z]+-[A-Z2-7]{16}(?![A-Z2-7]))"
)
_FREE = re.compile(_NAMES)
_BRACES = re.compile(r"(\{[^{}]*\})")

Law = Callable[[str, str, str], bool]
"""Says of a sort, a name of the book and a name of yours whether one may stand for the other."""


@dataclass(frozen=True)
class Renaming:
    """What each name of the book is called in another cluster.

    Attributes:
        names: Book to yours, also those that are equal: a name that stands here means one thing only.
    """

    names: Mapping[str, str]

    @property
    def changes(self) -> dict[str, str]:
        """The names that are other ones."""
        return {book: yours for book, yours in self.names.items() if book != yours}

    @property
    def inverse(self) -> "Renaming":
        """From yours to the book."""
        return Renaming({yours: book for book, yours in self.names.items()})

    def clashes(self) -> list[str]:
        """Why this is no bijection, in words; empty when it is one."""
        owners: dict[str, list[str]] = {}
        for book, yours in self.names.items():
            owners.setdefault(yours, []).append(book)
        return [f"{yours} stands for {' and for '.join(books)}" for yours, books in owners.items() if len(books) > 1]

    def apply(self, text: str) -> str:
        """The text with your names; what is not renamed stays."""
        return self._pattern.sub(self._other, text) if self.changes else text

    def apply_to_source(self, source: str) -> str:
        """Python with your names inside its strings; identifiers stay, such as a variable `node01`."""
        if not self.changes:
            return source
        lines = source.splitlines(keepends=True)
        for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
            if tokenize.tok_name[token.type] in ("STRING", "FSTRING_MIDDLE"):
                lines = _replaced(lines, token.start, token.end, self._in_string(token.string))
        return "".join(lines)

    def _in_string(self, text: str) -> str:
        prefix = re.match(r"[a-z]*", text.lower())
        # Between the braces of an f-string stands code.
        code = prefix is not None and "f" in prefix[0]
        parts = _BRACES.split(text) if code else [text]
        return "".join(part if code and part.startswith("{") else self.apply(part) for part in parts)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        words = [name for name in self.changes if not _FREE.fullmatch(name)]
        plain = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        return re.compile(rf"{_NAMES}|(?P<word>(?<![\w.-])(?:{plain})(?!\w))" if plain else _NAMES)

    def _other(self, match: re.Match[str]) -> str:
        text = match[0]
        if match.lastgroup == "signs":
            return _signed(text, self._renamed)
        return self._renamed(text)

    def _renamed(self, text: str) -> str:
        if text in self.names:
            return self.names[text]
        address, slash, length = text.partition("/")
        return self.names.get(address, address) + slash + length


def _signed(text: str, renamed: Callable[[str], str]) -> str:
    """An address with `_` or `-` between its numbers; a fifth number is the length of a network."""
    sign = "_" if "_" in text else "-"
    numbers = text.split(sign)
    network = ".".join(numbers[:4]) + "".join(f"/{length}" for length in numbers[4:])
    return re.sub(r"[./]", sign, renamed(network))


def _replaced(lines: list[str], start: tuple[int, int], end: tuple[int, int], text: str) -> list[str]:
    (first, begin), (last, stop) = start, end
    joined = lines[first - 1][:begin] + text + lines[last - 1][stop:]
    return [*lines[: first - 1], *joined.splitlines(keepends=True), *lines[last:]]


# --- fitting what the objects do not tell -------------------------------------------


def fit(pairs: Iterable[tuple[Renaming, str, str]], law: Law) -> dict[str, str]:
    """The names that fit the most lines, where no object explains them.

    Every output has a vote: a name that is another one in a single place loses against all the
    places where it is not, so that a fault cannot pass for a name.

    Args:
        pairs: For each snippet what the objects tell, which is never overruled; the book's transcript; and yours.
        law: What may stand for what.

    Returns:
        The book's names with yours, also those that are equal; no two of the book's are one of yours.
    """
    votes: Counter[tuple[str, str, str]] = Counter()
    given: set[str] = set()
    taken: set[str] = set()
    for known, old, new in pairs:
        given |= known.names.keys()
        taken |= set(known.names.values())
        for before, after in _alike(known, read(known.apply(old)), read(new)):
            votes.update(_paired(before, after, set(known.names.values())))
    fitted: dict[str, str] = {}
    # Among those with as many votes, the equal name comes first.
    for (sort, book, yours), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0][1] != vote[0][2], vote[0])):
        lawful = book == yours or (book not in given and law(sort, book, yours))
        if lawful and book not in fitted and yours not in taken:
            fitted[book] = yours
            taken.add(yours)
    return fitted


def _alike(known: Renaming, old: list[Answer], new: list[Answer]) -> Iterator[tuple[Answer, Answer]]:
    """The answers to the same questions, apart from names that are not known."""
    yours = set(known.names.values())
    before, after = (
        [(_shape(answer.node, yours), _shape(answer.command, yours), answer.late) for answer in side]
        for side in (old, new)
    )
    for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(old[a:b], new[c:d], strict=True)


def _paired(old: Answer, new: Answer, yours: set[str]) -> Iterator[tuple[str, str, str]]:
    """Names that stand in the same place of lines that are equal apart from them."""
    mine: dict[str, list[str]] = {}
    for line in (new.command, *new.normal):
        mine.setdefault(_shape(line, yours), []).append(line)
    for line in (old.command, *old.normal):
        fitting = mine.get(_shape(line, yours), [])
        if fitting:
            other = fitting.pop(fitting.index(line) if line in fitting else 0)
            yield from (
                (sort, book, name)
                for (sort, book), (_, name) in zip(_free(line, yours), _free(other, yours), strict=True)
            )


def _free(text: str, yours: set[str]) -> list[tuple[str, str]]:
    """The names of a text that are not known, each with its sort."""
    found = [(match.lastgroup or "", _plain(match[0])) for match in _FREE.finditer(text)]
    return [(sort, name) for sort, name in found if sort != "signs" and name not in yours]


def _shape(text: str, yours: set[str]) -> str:
    """The text without the names that are not known."""

    def masked(match: re.Match[str]) -> str:
        known = match.lastgroup != "signs" and _plain(match[0]) in yours
        return match[0] if known else f"<{match.lastgroup}>"

    return _FREE.sub(masked, text)


def _plain(name: str) -> str:
    """One address is the same name with its length and without."""
    return name.removesuffix("/32")
