"""One renaming: where names stand, what must not be touched, and what may be fitted."""

import pytest

from lab.check.renaming import Renaming, fit

NAMES = Renaming(
    {
        "192.168.56.12": "10.1.2.12",
        "172.16.196.148": "10.244.7.148",
        "172.16.196.128/26": "10.244.7.128/26",
        "calibd2348b4f67": "cali0123456789a",
        "KUBE-SEP-NRT3YTDM2TWC4C5V": "KUBE-SEP-AAAAAAAAAAAAAAAA",
        "node01": "blue",
        "30080": "31000",
        "52:54:00:38:00:0b": "52:54:00:aa:bb:cc",
        "10.96.0.10": "10.96.0.10",
    }
)


@pytest.mark.parametrize(
    ("book", "yours"),
    [
        ("node01/pod2$ ip route", "blue/pod2$ ip route"),
        ("172.16.196.148 dev calibd2348b4f67 scope link", "10.244.7.148 dev cali0123456789a scope link"),
        ("-A KUBE-SEP-NRT3YTDM2TWC4C5V -s 172.16.196.148/32", "-A KUBE-SEP-AAAAAAAAAAAAAAAA -s 10.244.7.148/32"),
        ("blackhole 172.16.196.128/26 proto bird", "blackhole 10.244.7.128/26 proto bird"),
        ("IP 172.16.196.148.41234 > 192.168.56.12.53:", "IP 10.244.7.148.41234 > 10.1.2.12.53:"),
        ("Mesh_192_168_56_12 BGP", "Mesh_10_1_2_12 BGP"),
        ("Name:   node01-172-16-196-128-26", "Name:   blue-10-244-7-128-26"),
        ("net.ipv4.conf.calibd2348b4f67.proxy_arp = 1", "net.ipv4.conf.cali0123456789a.proxy_arp = 1"),
        ("-A cali-tw-calibd2348b4f67 -j", "-A cali-tw-cali0123456789a -j"),
        ("tcp dpt:30080", "tcp dpt:31000"),
        ("link/ether 52:54:00:38:00:0b brd", "link/ether 52:54:00:aa:bb:cc brd"),
    ],
)  # fmt: skip
def test_names_are_found_wherever_they_stand(book: str, yours: str) -> None:
    assert NAMES.apply(book) == yours
    assert NAMES.inverse.apply(yours) == book


@pytest.mark.parametrize(
    "text",
    [
        "172.16.196.149 dev eth0",
        "1172.16.196.148",
        "172.16.196.1480",
        "172.16.196.128/25",
        "my-node01",
        "node011",
        "130080",
        "calibd2348b4f678",
        "KUBE-SEP-NRT3YTDM2TWC4C5VA",
    ],
)
def test_what_only_looks_like_a_name_stays(text: str) -> None:
    assert NAMES.apply(text) == text


def test_strings_of_a_snippet_are_renamed_and_identifiers_are_not() -> None:
    """A variable may be called as a node is; between the braces of an f-string stands code."""
    source = (
        'node01 = cluster.node("node01")\n'
        'out = node01.run(f"ip route get 172.16.196.148; echo {node01.name} on node01")\n'
        'assert out.lines == """172.16.196.148\n192.168.56.12"""\n'
    )
    assert NAMES.apply_to_source(source) == (
        'node01 = cluster.node("blue")\n'
        'out = node01.run(f"ip route get 10.244.7.148; echo {node01.name} on blue")\n'
        'assert out.lines == """10.244.7.148\n10.1.2.12"""\n'
    )


def test_nothing_renamed_is_nothing_changed() -> None:
    same = Renaming({"node01": "node01"})
    assert same.changes == {} and same.apply("node01 172.16.0.1") == "node01 172.16.0.1"
    assert same.apply_to_source("x = 'node01'") == "x = 'node01'"


def test_two_names_of_the_book_cannot_be_one_of_yours() -> None:
    assert Renaming({"a": "b", "b": "a"}).clashes() == []
    assert Renaming({"a": "c", "b": "c"}).clashes() == ["c stands for a and for b"]


def everything(sort: str, book: str, yours: str) -> bool:
    return True


OLD = "node01$ ip route\n10.0.0.1 via 192.168.56.12 dev tunl0\n10.0.0.2 via 192.168.56.12 dev tunl0\n"
PING = "node01$ ping -c 1 10.0.0.1\nPING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n"
MOVED = OLD.replace("10.0.0.1", "10.9.9.1").replace("56.12", "56.77")


def test_what_no_object_tells_is_fitted_from_the_outputs() -> None:
    """In the answers and in the questions; a name that stays is told, too."""
    pairs = [(Renaming({}), OLD, MOVED), (Renaming({}), PING, PING.replace("10.0.0.1", "10.9.9.1"))]
    assert fit(pairs, everything) == {
        "10.0.0.1": "10.9.9.1",
        "10.0.0.2": "10.0.0.2",
        "192.168.56.12": "192.168.56.77",
    }


def test_what_objects_tell_is_not_overruled() -> None:
    known = Renaming({"192.168.56.12": "192.168.56.12"})
    assert "192.168.56.12" not in fit([(known, OLD, MOVED)], everything)


def test_the_order_of_lines_does_not_matter_where_a_known_name_tells_them_apart() -> None:
    known = Renaming({"192.168.56.12": "192.168.56.12", "192.168.56.10": "192.168.56.10"})
    old = "node01$ ip route\n10.0.0.1 via 192.168.56.10 dev tunl0\n10.0.0.2 via 192.168.56.12 dev tunl0\n"
    new = "node01$ ip route\n10.0.0.1 via 192.168.56.12 dev tunl0\n10.0.0.9 via 192.168.56.10 dev tunl0\n"
    assert fit([(known, old, new)], everything) == {"10.0.0.1": "10.0.0.9", "10.0.0.2": "10.0.0.1"}


def test_one_place_does_not_win_against_many() -> None:
    """A route by another hop, once, is no other name of the hop."""
    fault = OLD.replace("10.0.0.2 via 192.168.56.12", "10.0.0.2 via 192.168.56.10")
    pairs = [(Renaming({}), OLD, OLD), (Renaming({}), OLD, fault)]
    assert fit(pairs, everything)["192.168.56.12"] == "192.168.56.12"


def test_two_names_are_never_fitted_to_one() -> None:
    merged = OLD.replace("10.0.0.2", "10.0.0.1")
    assert sorted(fit([(Renaming({}), OLD, merged)], everything).values()) == ["10.0.0.1", "192.168.56.12"]


def test_what_the_law_forbids_is_not_fitted() -> None:
    assert fit([(Renaming({}), OLD, MOVED)], lambda sort, book, yours: False) == {"10.0.0.2": "10.0.0.2"}
