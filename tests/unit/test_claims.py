"""Claims: read with all faults at once, carried by captured snippets, shown on pages as the files say."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from markdown import Markdown
from mkdocs.exceptions import BuildError

from lab import paths, receipt, snippets
from lab.errors import LabError
from lab.site import claims, verdicts
from lab.site.anchors import AnchorExtension
from lab.site.claims import ClaimsExtension, render
from lab.site.sources import Book, load
from lab.site.status import status_tables

Write = Callable[[str, str], Path]

CHAPTERS = """
- {name: pod-to-pod, title: Pod to pod, problems: [2], question: 'Which route?'}
- {name: cluster-ip, title: Pod to Service, problems: [3, 4], question: 'Whose address?'}
- {name: operating, title: Operating it, problems: [1, 2, 3, 4], question: 'What breaks?'}
"""
POST = """
title: A post
author: Somebody
year: 2017
link: https://example.org/post
kind: article
about: What is where.
visibility: partly seen
seen: The first half.
claims:
  - id: routes
    text: Routes are in `ip route`.
    verdict: holds
    snippets: [pod_to_pod/pod_route]
    because: They are there.
    used_in: [index, pod-to-pod]
  - id: ping
    text: Ping fails.
    verdict: open
    snippet_planned: cluster_ip/ping_fails
    used_in: [cluster-ip]
"""
SNIPPET = '"""Title."""\nout = [1]\nassert out\n'
TRANSCRIPT = "node01$ ip route\ndefault via 192.168.56.1 dev eth0\n"


def capture(write: Write, name: str, text: str = SNIPPET) -> None:
    """A snippet with a transcript and a whole receipt."""
    snippet = snippets.read(write(f"snippets/{name}.py", text))
    made = receipt.make(snippet, TRANSCRIPT, [], carrier="fake", versions={}, commit=None)
    receipt.save(snippet, TRANSCRIPT, made)


@pytest.fixture
def docs(project: Path, write: Write) -> Path:
    """A small book without a fault: one chapter of three is written, one claim of two is judged."""
    write("docs/chapters.yaml", CHAPTERS)
    write("docs/sources/post.yaml", POST)
    write("docs/sources/post.md", "# A post\n\n::: claims post\n")
    write("docs/sources/index.md", "# The sources\n")
    write("docs/index.md", "# Home\n\n[A post](sources/post.md)\n")
    write("docs/pod-to-pod.md", "# Pod to pod\n\n<https://example.org/post>\n")
    capture(write, "pod_to_pod/pod_route")
    return project / "docs"


def test_what_is_read(docs: Path) -> None:
    """Chapters in their order, a source with its claims."""
    book = load(docs)
    assert [chapter.folder for chapter in book.chapters] == ["pod_to_pod", "cluster_ip", "operating"]
    post = book.source("post")
    assert (post.author, post.year, post.kind, post.visibility) == ("Somebody", 2017, "article", "partly seen")
    first, second = post.claims
    assert (first.verdict, first.snippets, first.because) == ("holds", ("pod_to_pod/pod_route",), "They are there.")
    assert (second.verdict, second.snippets, second.snippet_planned) == ("open", (), "cluster_ip/ping_fails")
    assert post.used_in == {"index", "pod-to-pod", "cluster-ip"}


def test_a_sound_book_has_no_fault(docs: Path) -> None:
    """No check invents a fault."""
    assert verdicts.claim_faults(load(docs)) + verdicts.page_faults(load(docs)) == []


def test_a_changed_file_is_read_again(docs: Path, write: Write) -> None:
    """A preview shows what was written last, although files are parsed once."""
    assert load(docs).source("post").title == "A post"
    path = write("docs/sources/post.yaml", POST.replace("A post", "Another post"))
    stamp = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(stamp, stamp))
    assert load(docs).source("post").title == "Another post"


SHAPES = {
    "unknown field of a source": (("year: 2017", "yaer: 2017"), "post: yaer is not a field here; the fields are"),
    "missing field": (("year: 2017\n", ""), "post: year is missing"),
    "empty text": (("about: What is where.", "about: ''"), "post: about must be a text"),
    "year in words": (("year: 2017", "year: last"), "post: year must be a number, or null"),
    "link without scheme": (("https://example", "example"), "post: link must begin with https://, or be null"),
    "unknown kind": (("kind: article", "kind: song"), "post: kind is 'song'; it can be article, video,"),
    "unknown visibility": (("partly seen", "heard of"), "post: visibility is 'heard of'; it can be seen,"),
    "no claims": ((POST[POST.index("claims:") :], "claims: []\n"), "post: claims must be a list with at least"),
    "claim in words": ((POST[POST.index("  - id: routes") :], "  - words\n"), "claim 1: must be a mapping"),
    "unknown field of a claim": (("because:", "why:"), "post, claim 1: why is not a field here; the fields are"),
    "two ids": (("id: ping", "id: routes"), "post: two claims have the id routes"),
    "id with a blank": (("id: ping", "id: a ping"), "post, claim 2: id 'a ping' must be lower-case letters"),
    "unknown verdict": (("verdict: holds", "verdict: true so"), "post, claim 1: verdict is 'true so'; it can be"),
    "verdict without snippet": (("    snippets: [pod_to_pod/pod_route]\n", ""), "claim 1: snippets is missing"),
    "verdict with an empty list": (("[pod_to_pod/pod_route]", "[]"), "claim 1: snippets must be a list of names"),
    "verdict without reason": (("    because: They are there.\n", ""), "post, claim 1: because is missing"),
    "snippet without chapter": (("[pod_to_pod/pod_route]", "[route]"), "snippets: 'route' is no such name"),
    "snippet twice": (("[pod_to_pod/pod_route]", "[a/b, a/b]"), "post, claim 1: snippets has a name twice"),
    "open without a plan": (("    snippet_planned: cluster_ip/ping_fails\n", ""), "snippet_planned is missing"),
    "open with a reason": (("    used_in: [cluster", "    because: so\n    used_in: [cluster"), "because is not a"),
    "plan without chapter": (("cluster_ip/ping_fails", "ping"), "claim 2: snippet_planned is 'ping', no chapter/name"),
    "used nowhere": (("used_in: [cluster-ip]", "used_in: []"), "post, claim 2: used_in must be a list of names"),
    "a bar": (("Ping fails.", "Ping | fails."), "post, claim 2: text holds a |, which a table cannot show"),
}  # fmt: skip


@pytest.mark.parametrize(("swap", "fault"), SHAPES.values(), ids=SHAPES.keys())
def test_a_fault_of_a_file_is_named(docs: Path, write: Write, swap: tuple[str, str], fault: str) -> None:
    """Each kind of fault, with the source and the claim."""
    assert swap[0] in POST
    write("docs/sources/post.yaml", POST.replace(*swap, 1))
    with pytest.raises(LabError, match="the sources of the book have") as caught:
        load(docs)
    assert fault in caught.value.detail


def test_all_faults_at_once(docs: Path, write: Write) -> None:
    """Faults of all files are told together."""
    write("docs/sources/post.yaml", POST.replace("year: 2017", "year: last").replace("kind: article", "kind: song"))
    write("docs/chapters.yaml", CHAPTERS.replace("[2]", "[7]"))
    with pytest.raises(LabError, match="have 3 faults") as caught:
        load(docs)
    assert "chapters.yaml, 1: problems must be a list of numbers from 1 to 4" in caught.value.detail


FILES = {
    "no chapters": (lambda docs: (docs / "chapters.yaml").unlink(), "chapters.yaml is missing"),
    "no sources": (lambda docs: (docs / "sources/post.yaml").unlink(), "there is no .yaml file"),
    "not YAML": (lambda docs: (docs / "sources/post.yaml").write_text("a: [\n"), "post.yaml is not YAML"),
    "chapters in words": (lambda docs: (docs / "chapters.yaml").write_text("none\n"), "must be a list of chapters"),
}


@pytest.mark.parametrize(("spoil", "fault"), FILES.values(), ids=FILES.keys())
def test_a_file_that_cannot_be_used(docs: Path, spoil: Callable[[Path], object], fault: str) -> None:
    """Missing and broken files are the project's own error."""
    spoil(docs)
    with pytest.raises(LabError) as caught:
        load(docs)
    assert fault in str(caught.value)


def test_unknown_names_say_what_there_is(docs: Path) -> None:
    """A typing mistake is told with the names that exist."""
    with pytest.raises(LabError, match="there is no source 'pots'") as caught:
        load(docs).source("pots")
    assert "post" in caught.value.hint
    with pytest.raises(LabError, match="there is no chapter 'cni'") as caught:
        load(docs).chapter("cni")
    assert "pod-to-pod, cluster-ip, operating" in caught.value.hint


VERDICTS = {
    "no such snippet": (
        lambda write: write("docs/sources/post.yaml", POST.replace("pod_to_pod/pod_route", "pod_to_pod/other")),
        "post, routes: there is no snippet pod_to_pod/other; until there is one, the claim is open",
    ),
    "snippet that asserts nothing": (
        lambda write: capture(write, "pod_to_pod/pod_route", SNIPPET.replace("assert out\n", "")),
        "post, routes: the snippet pod_to_pod/pod_route has faults: it asserts nothing: add an `assert`",
    ),
    "snippet without a capture": (
        lambda write: write("snippets/pod_to_pod/pod_route.json", "").unlink(),
        "post, routes: the snippet pod_to_pod/pod_route is not captured: pod_to_pod/pod_route has no",
    ),
    "edited transcript": (
        lambda write: write("snippets/pod_to_pod/pod_route.out", TRANSCRIPT + "more\n"),
        "post, routes: the snippet pod_to_pod/pod_route is not captured: pod_to_pod/pod_route: pod_route.out is not",
    ),
    "planned in no chapter": (
        lambda write: write("docs/sources/post.yaml", POST.replace("cluster_ip/ping", "cluster/ping")),
        "post, ping: the planned snippet cluster/ping_fails is in no chapter of the book",
    ),
    "planned and captured": (
        lambda write: capture(write, "cluster_ip/ping_fails"),
        "post, ping: the snippet cluster_ip/ping_fails is captured: judge the claim now",
    ),
    "used on no page": (
        lambda write: write("docs/sources/post.yaml", POST.replace("used_in: [cluster-ip]", "used_in: [clusterip]")),
        "post, ping: clusterip in used_in is no page of the book",
    ),
}


@pytest.mark.parametrize(("spoil", "fault"), VERDICTS.values(), ids=VERDICTS.keys())
def test_a_verdict_needs_a_snippet(docs: Path, write: Write, spoil: Callable[[Write], object], fault: str) -> None:
    """A verdict stands on a snippet that exists, asserts and is captured; an open claim ends with it."""
    spoil(write)
    found = verdicts.claim_faults(load(docs))
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_planned_snippet_without_a_capture_judges_nothing(docs: Path, write: Write) -> None:
    """While somebody still writes the snippet, its claim stays open."""
    write("snippets/cluster_ip/ping_fails.py", SNIPPET)
    assert verdicts.claim_faults(load(docs)) == []


PAGES = {
    "source without a page": (lambda write: write("docs/sources/post.md", "").unlink(), "sources/post.md is missing"),
    "page without a source": (lambda write: write("docs/sources/lost.md", ""), "sources/lost.md has no lost.yaml"),
    "other heading": (
        lambda write: write("docs/pod-to-pod.md", "# Pods\n\n<https://example.org/post>\n"),
        "pod-to-pod.md has the heading 'Pods', chapters.yaml says 'Pod to pod'",
    ),
    "used without credit": (
        lambda write: write("docs/pod-to-pod.md", "# Pod to pod\n"),
        "pod-to-pod.md uses post and does not credit it: link sources/post.md there",
    ),
    "credited without use": (
        lambda write: write("docs/operating.md", "# Operating it\n\n[A post](sources/post.md)\n"),
        "operating.md credits post, but no claim of post.yaml has it in used_in",
    ),
}


@pytest.mark.parametrize(("spoil", "fault"), PAGES.values(), ids=PAGES.keys())
def test_a_fault_of_a_page_is_named(docs: Path, write: Write, spoil: Callable[[Write], object], fault: str) -> None:
    """What the tables say about the book is true of its pages."""
    spoil(write)
    assert verdicts.page_faults(load(docs)) == [fault]


@pytest.fixture
def book(docs: Path) -> Book:
    """The small book, read."""
    return load(docs)


def test_the_facts_of_a_source(book: Book) -> None:
    """Who, when, where, and how much of it was seen."""
    assert claims.source_facts(book, "post") == [
        "| the source | [A post](https://example.org/post) |",
        "|---|---|",
        "| by | Somebody |",
        "| year | 2017 |",
        "| what we saw | **partly seen**: The first half. |",
    ]


def test_what_is_not_known_is_said(docs: Path, write: Write) -> None:
    """No author, no date, no link: the page says so and invents none."""
    unknown = POST.replace("Somebody", "null").replace("2017", "null").replace("https://example.org/post", "null")
    write("docs/sources/post.yaml", unknown)
    lines = claims.source_facts(load(docs), "post")
    assert lines[0] == "| the source | A post |"
    assert lines[2:4] == ["| by | not known |", "| year | not dated |"]


def test_a_claim_shows_verdict_reason_snippet_and_page(book: Book) -> None:
    """In words; the snippet is a link to its place on the chapter's page."""
    rows = [line for line in claims.claim_table(book, "post") if line.startswith("| <span")]
    assert rows == [
        '| <span id="claim-routes"></span>Routes are in `ip route`. '
        '| <strong class="verdict holds">holds</strong><br>They are there. '
        "| [<code>pod_<wbr>route</code>](../pod-to-pod.md#pod_to_pod-pod_route) "
        "| [The first page](../index.md), [Pod to pod](../pod-to-pod.md) |",
        '| <span id="claim-ping"></span>Ping fails. '
        '| <strong class="verdict open">not judged yet</strong> '
        "| planned: <code>cluster_<wbr>ip/<wbr>ping_<wbr>fails</code> "
        "| Pod to Service (to come) |",
    ]


def test_the_tally_counts_each_verdict(book: Book) -> None:
    """How many claims there are, and what became of them."""
    assert claims.tally(book.source("post")) == "2 claims (holds: 1, not judged yet: 1)"


def test_the_sources_of_a_kind(book: Book) -> None:
    """One line for each, with its page."""
    assert claims.source_table(book, "article")[2:] == [
        "| [A post](post.md), Somebody, 2017 | What is where. | partly seen | 2 claims (holds: 1, not judged yet: 1) |"
    ]
    with pytest.raises(LabError, match="no source is of the kind 'video'"):
        claims.source_table(book, "video")


def test_which_source_is_where(book: Book) -> None:
    """Every page of the book in its order, also one that uses none."""
    assert claims.where_table(book)[2:] == [
        "| [The first page](../index.md) | [A post](post.md) |",
        "| [Pod to pod](../pod-to-pod.md) | [A post](post.md) |",
        "| Pod to Service (to come) | [A post](post.md) |",
        "| Operating it (to come) | none |",
    ]


def test_the_way_through_the_book(book: Book) -> None:
    """Every chapter; a link only to one that is written."""
    assert claims.chapter_table(book)[2:] == [
        "| 1 | [Pod to pod](pod-to-pod.md) | Which route? | 2 |",
        "| 2 | Pod to Service (to come) | Whose address? | 3 and 4 |",
        "| 3 | Operating it (to come) | What breaks? | all |",
    ]


def test_the_chapters_of_a_problem(book: Book) -> None:
    """Without the chapter that is about all of them."""
    assert claims.problem_chapters(book, "2") == ["Read: [Pod to pod](pod-to-pod.md)."]
    with pytest.raises(LabError, match="no chapter belongs to the problem '1'"):
        claims.problem_chapters(book, "1")


def test_where_a_chapter_begins_and_leads(book: Book) -> None:
    """Its question; how to check a cluster against it; the next chapter, or the first page after the last."""
    assert claims.question(book, "pod-to-pod") == ["**The question of this chapter:** Which route?"]
    check, *after = claims.following(book, "pod-to-pod")
    assert check == "Does your cluster say the same? [Check it](lab/check.md): `lab check pod_to_pod`."
    assert after == ["", "Next: Pod to Service (to come).", "Whose address?"]
    last = claims.following(book, "operating")[-1]
    assert last == "This is the last chapter. Back to [the first page](index.md)."


@pytest.mark.parametrize(("what", "name"), [("claim", "post"), ("claims", None), ("where", "post")])
def test_an_unknown_mark_is_an_error(book: Book, what: str, name: str | None) -> None:
    """A mark that means nothing is not left on the page."""
    with pytest.raises(LabError, match="there is no mark `::: ") as caught:
        render(book, what, name)
    assert "::: claims NAME" in caught.value.hint


def html(docs: Path, page: str) -> str:
    """A page as the site shows it."""
    return Markdown(
        extensions=["tables", "md_in_html", "pymdownx.superfences", AnchorExtension(), ClaimsExtension(docs=str(docs))]
    ).convert(page)


def test_a_mark_becomes_a_table(docs: Path) -> None:
    """With a header for each column, and no mark left."""
    text = html(docs, "before\n\n::: claims post\n\nafter\n")
    assert text.count("<th>") == 4
    assert text.index("before") < text.index('id="claim-ping"') < text.index("after")
    assert ":::" not in text and "markdown" not in text


def test_a_mark_in_a_list_stays_in_it(docs: Path) -> None:
    """The cards of the first page are list items."""
    text = html(docs, "- one\n\n    ::: read 2\n\n- two\n")
    assert text.index("<li>") < text.index("Read: ") < text.index("two")
    assert text.count("<ul>") == 1


def test_an_example_of_a_mark_is_left_alone(docs: Path) -> None:
    """What stands in a fence is shown as it stands."""
    assert "::: claims post" in html(docs, "```text\n::: claims post\n```\n")


@pytest.mark.parametrize("mark", ["::: claims pots", "::: verdict post", "::: next nowhere"])
def test_a_bad_mark_stops_the_build(docs: Path, mark: str) -> None:
    """The build ends with a message, not with a page that lacks a table."""
    with pytest.raises(BuildError, match="there is no"):
        html(docs, f"{mark}\n")


def fence(name: str, indent: str = "") -> str:
    """A fence that includes a file of a snippet."""
    return f'{indent}```python\n{indent}--8<-- "snippets/{name}"\n{indent}```\n'


def test_a_snippet_has_one_anchor(docs: Path) -> None:
    """Before the first of its blocks, and before no other."""
    page = f"text\n{fence('pod_to_pod/mtu.py:sizes')}\n{fence('pod_to_pod/mtu.out')}"
    text = html(docs, page)
    assert text.count('<div class="snippet-anchor" id="pod_to_pod-mtu"></div>') == 1
    assert text.index("text") < text.index("snippet-anchor") < text.index("mtu.py")


def test_each_snippet_of_a_block_has_its_anchor(docs: Path) -> None:
    """Also where one block includes two."""
    page = '```python\n--8<-- "snippets/a/one.py:x"\n\n--8<-- "snippets/a/two.py:y"\n```\n'
    text = html(docs, page)
    assert text.index('id="a-one"') < text.index('id="a-two"') < text.index("<pre")


def test_an_anchor_in_a_list_is_no_paragraph(docs: Path) -> None:
    """A block element in a paragraph would be broken HTML."""
    text = html(docs, f"1. one\n\n{fence('a/one.py', '    ')}\n2. two\n")
    assert text.index("<li>") < text.index('id="a-one"') < text.index("two")
    assert "<p><div" not in text


@pytest.mark.parametrize(
    "page",
    ["plain\n", fence("scenarios/pods.yaml"), '````text\n```\n;--8<-- "snippets/a/one.py"\n```\n````\n'],
    ids=["text", "scenario", "example"],
)
def test_nothing_else_has_an_anchor(docs: Path, page: str) -> None:
    """Only an included snippet can be linked to."""
    assert "snippet-anchor" not in html(docs, page)


# --- the status page -------------------------------------------------------------


def test_each_capture_has_a_row(docs: Path) -> None:
    """With its date, its age in days, where it was printed, and that it is fresh."""
    lines = status_tables(load(docs), datetime.now(UTC) + timedelta(days=3, hours=1))
    assert lines[0].startswith("1 captures, 1 of them fresh on ")
    assert [line for line in lines if line.startswith("## ")] == ["## Pod to pod"]
    (row,) = [line for line in lines if line.startswith("| [")]
    assert row.startswith("| [`pod_route`](pod-to-pod.md#pod_to_pod-pod_route) |")
    assert [cell.strip() for cell in row.split("|")[3:5]] == ["3", "fake"]
    assert row.endswith("| fresh |")


def test_a_stale_capture_says_what_changed(docs: Path, write: Write) -> None:
    """The same words as `make test` has for it."""
    write("snippets/pod_to_pod/pod_route.py", SNIPPET + "assert out\n")
    lines = status_tables(load(docs))
    assert " 0 of them fresh on " in lines[0]
    assert [line.endswith("| the snippet itself |") for line in lines if line.startswith("| [")] == [True]


def test_a_missing_capture_is_told(docs: Path, write: Write) -> None:
    """A row, not an error: the page is there to tell."""
    write("snippets/pod_to_pod/new.py", SNIPPET)
    (row,) = [line for line in status_tables(load(docs)) if line.startswith("| [`new`]")]
    assert row.endswith("| pod_to_pod/new has no new.out |")


def test_a_snippet_of_no_chapter_is_an_error(docs: Path, write: Write) -> None:
    """Nothing is left out in silence."""
    write("snippets/elsewhere/x.py", SNIPPET)
    with pytest.raises(LabError, match="in no chapter: elsewhere/x"):
        render(load(docs), "status", None)


def test_no_snippet_at_all_is_an_error(docs: Path) -> None:
    """A page that lists nothing would look as if all were well."""
    for path in paths.SNIPPETS.rglob("*.py"):
        path.unlink()
    with pytest.raises(LabError, match="no snippets yet"):
        status_tables(load(docs))
