"""The book's values and your cluster's: the same snippet, with the names and addresses that it has there.

A snippet names addresses, devices and chains as the book's cluster has them. Before
it runs on another cluster, each such word in its text becomes that cluster's own; what it
prints is then your cluster's. To compare with the book, the same words go back.
"""

import ast
import re
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha1, sha224, sha256
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from lab.api import Object

BOOK_NAMESPACE = "default"
BOOK_BLOCKS = {"controlplane": "172.16.49.64/26", "node01": "172.16.196.128/26", "node02": "172.16.140.64/26"}
"""Each node's block of pod addresses in the book."""
PORT = 8080
"""Every server of the scenarios listens there."""
ADDRESSES = "cni.projectcalico.org/ipAddrs"
"""The annotation by which Calico gives a pod the address that was asked for."""

_ADDRESS = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(/\d+)?(?!\d)")
_NAME = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
# The word has other meanings: a default route, the tier in the name of each policy, a policy called default-deny.
_NAMESPACE = re.compile(
    r'(?<![\w.-])default(?=/)|(?<!knp\.)(?<![\w-])default(?=\.[a-z])|(?<=kns\.)default\b|(?<=== ")default(?=")'
    r"|(?<=namespace: )default\b"
)


@dataclass(frozen=True)
class Fit:
    """What each of the book's values is on another cluster.

    Attributes:
        namespace: Where scenarios live there.
        nodes: Names of nodes, the book's first.
        addresses: Addresses, one by one.
        networks: Networks and blocks; an address in a block keeps its place in it.
        ports: Node ports.
        fixed: Whether pods can be given the addresses that belong to them.
    """

    namespace: str
    nodes: Mapping[str, str]
    addresses: Mapping[str, str]
    networks: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)
    fixed: bool = True

    @cached_property
    def same_names(self) -> bool:
        """Whether names that are computed from namespace and name are the book's."""
        return self.namespace == BOOK_NAMESPACE

    @cached_property
    def same_addresses(self) -> bool:
        """Whether every address is the book's."""
        return not self.other_address

    @cached_property
    def other_address(self) -> str:
        """An address that is another one here, for a message; empty when every one is the book's."""
        pairs = [*self.networks.items(), *self.addresses.items(), *self.ports.items()]
        found = next((f"{book} is {here} here" for book, here in pairs if book != here), "")
        return found or ("" if self.fixed else "pods cannot be given theirs")

    @property
    def same(self) -> bool:
        """Whether nothing is another value."""
        return self.same_names and self.same_addresses and all(book == here for book, here in self.nodes.items())

    def forth(self, text: str, names: Iterable[str] = ()) -> str:
        """The book's text in your cluster's words.

        Args:
            text: A line of a snippet, or of what the book shows.
            names: Names of objects, from which those of chains and devices are computed.
        """
        if self.same:
            return text
        text = _NAMESPACE.sub(self.namespace, text)
        return _replace(text, self._words(names, self.nodes), self._address)

    def back(self, text: str, names: Iterable[str] = ()) -> str:
        """Your cluster's text in the book's words.

        Args:
            text: What your cluster printed.
            names: Names of objects, from which those of chains and devices are computed.
        """
        if self.same:
            return text
        words = {here: book for book, here in self._words(names, self.nodes).items()}
        if not self.same_names:
            words[self.namespace] = BOOK_NAMESPACE
        return _replace(text, words, self._book_address)

    def tree(self, source: str, more: str = "") -> ast.Module:
        """A snippet in your cluster's words: its texts are other ones, its lines stay where they are.

        Args:
            source: The snippet.
            more: Other text whose names it uses, such as its scenario's.
        """
        tree = ast.parse(source)
        _Translated(self, names_in(source + more)).visit(tree)
        return tree

    def objects(self, items: Iterable[Object], names: Iterable[str]) -> tuple[Object, ...]:
        """A scenario's objects in your cluster's words."""
        known = list(names)
        return tuple(self._object(item, known) for item in items)

    def _object(self, item: Object, names: list[str]) -> Object:
        fitted: Object = self._value(item, names)
        metadata = fitted["metadata"]
        if metadata.get("namespace", BOOK_NAMESPACE) == BOOK_NAMESPACE:
            metadata["namespace"] = self.namespace
        if not self.fixed:
            metadata.get("annotations", {}).pop(ADDRESSES, None)
        return fitted

    def _value(self, value: Any, names: list[str]) -> Any:
        if isinstance(value, dict):
            return {key: self._value(each, names) for key, each in value.items()}
        if isinstance(value, list):
            return [self._value(each, names) for each in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return self.ports.get(value, value)
        # The book's nodes hold the image already; yours fetch it unless they do, too.
        return "IfNotPresent" if value == "Never" else self.forth(value, names) if isinstance(value, str) else value

    def with_addresses(self, learned: Mapping[str, str]) -> "Fit":
        """The same, with addresses that are known only now."""
        return Fit(
            self.namespace, self.nodes, {**self.addresses, **learned}, self.networks, self.ports, fixed=self.fixed
        )

    def _address(self, address: str, length: str) -> str:
        if length and address + length in self.networks:
            return self.networks[address + length]
        return self.addresses.get(address) or _moved(address, self._blocks) or address

    def _book_address(self, address: str, length: str) -> str:
        networks = {here: book for book, here in self.networks.items()}
        if length and address + length in networks:
            return networks[address + length]
        addresses = {here: book for book, here in self.addresses.items()}
        return addresses.get(address) or _moved(address, {here: book for book, here in self._blocks.items()}) or address

    @cached_property
    def _blocks(self) -> dict[IPv4Network, IPv4Network]:
        blocks = {book: here for book, here in self.networks.items() if book in BOOK_BLOCKS.values()}
        return {IPv4Network(book): IPv4Network(here) for book, here in blocks.items()}

    def _words(self, names: Iterable[str], nodes: Mapping[str, str]) -> dict[str, str]:
        """All words that are other ones here, the book's first."""
        known = list(dict.fromkeys(names))
        pairs = list(self.addresses.items())
        old = _computed(BOOK_NAMESPACE, known, [book for book, _ in pairs])
        new = _computed(self.namespace, known, [here for _, here in pairs])
        words = dict(zip(old, new, strict=True))
        words |= {book.replace(".", "_"): here.replace(".", "_") for book, here in pairs}
        return {**words, **{str(book): str(here) for book, here in self.ports.items()}, **nodes}


def _replace(text: str, words: Mapping[str, str], address: Callable[[str, str], str]) -> str:
    """All in one pass, so that no word is replaced twice."""
    changed = {old: new for old, new in words.items() if old != new}
    # They begin after an underscore, a dash or a dot, too: Mesh_192_168_56_12, cali-tw-cali7715d358f22.
    known = "|".join(re.escape(word) for word in sorted(changed, key=len, reverse=True)) or r"(?!)"
    pattern = re.compile(rf"{_ADDRESS.pattern}|(?<![A-Za-z0-9])(?P<word>{known})(?![A-Za-z0-9_])")

    def put(match: re.Match[str]) -> str:
        if match["word"]:
            return changed[match["word"]]
        # A network is one word with its length; any other length belongs to the address before it.
        found = address(match[1], match[2] or "")
        return found if "/" in found else found + (match[2] or "")

    return pattern.sub(put, text)


def _moved(address: str, blocks: Mapping[IPv4Network, IPv4Network]) -> str:
    """The same place in another block; empty for an address outside all blocks."""
    try:
        found = IPv4Address(address)
    except ValueError:
        return ""
    for old, new in blocks.items():
        if found in old:
            return str(new.network_address + (int(found) - int(old.network_address)))
    return ""


def names_in(text: str) -> list[str]:
    """Everything in a text that can be the name of an object."""
    return list(dict.fromkeys(_NAME.findall(text)))


def _computed(namespace: str, names: list[str], addresses: list[str]) -> Iterator[str]:
    """The names that Calico and kube-proxy compute for objects of these names: devices, chains, sets."""
    for name in names:
        digest = sha1(f"{namespace}.{name}".encode()).hexdigest()[:11]
        yield from (digest, "cali" + digest)
        for port in ("", ":"):
            yield _kube(f"{namespace}/{name}{port}tcp")
        for address in addresses:
            yield _kube(f"{namespace}/{name}tcp{address}:{PORT}")
        yield "_" + _calico(sha256(f"{namespace}/knp.default.{name}".encode()).digest())[:19]
        label = f'(projectcalico.org/orchestrator == "k8s" && app == "{name}")'
        selector = f's:(projectcalico.org/namespace == "{namespace}" && {label})'
        yield "cali40s:" + _calico(sha224(selector.encode()).digest())[:23]


def _kube(text: str) -> str:
    return b32encode(sha256(text.encode()).digest()).decode()[:16]


def _calico(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")


class _Translated(ast.NodeTransformer):
    def __init__(self, fit: Fit, names: list[str]) -> None:
        self._fit, self._names = fit, names

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """Texts, bytes and the numbers of ports."""
        value: Any = node.value
        if isinstance(value, str):
            value = self._fit.forth(value, self._names)
        elif isinstance(value, bytes):
            value = self._fit.forth(value.decode(), self._names).encode()
        elif isinstance(value, int) and not isinstance(value, bool):
            value = self._fit.ports.get(value, value)
        return ast.copy_location(ast.Constant(value, node.kind), node)
