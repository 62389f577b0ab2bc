"""Which sentences of the book rest on a snippet."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import pages, paths, snippets

Write = Callable[[str, str], Path]

PAGE = """---
title: A page
# not a heading: front matter
---

# The page

An introduction.

## First part

It looks like this: `ip route` prints a table.
Here is the table
of one node:

```python title="snippets/demo/routes.py"
--8<-- "snippets/demo/routes.py:all"
```

```` { .node-console }
--8<-- "snippets/demo/routes.out"
````

The last line is the default route. It leads out.
{ .lead }

A second paragraph names `192.168.56.1`.

### Deeper {#deeper}

??? note "More"

    ```python
    # --8<-- is written here, and this is no heading
    --8<-- "snippets/demo/other.py"
    ```

    Indented words.

## Last

| claim | judged by |
|---|---|
| routes exist | `demo/routes` |

--8<--
snippets/demo/block.out
--8<--

After the block.
"""


@pytest.fixture
def page(write: Write) -> Path:
    """A made-up page."""
    return write("docs/part/page.md", PAGE)


def test_an_include_has_its_heading_and_sentences(page: Path) -> None:
    """Both includes of one snippet are one place; below it counts all up to the next heading."""
    first, second = pages.claims("demo/routes")
    assert (first.page, first.line, first.heading) == ("docs/part/page.md", 17, "First part")
    assert first.before == ("It looks like this: `ip route` prints a table.", "Here is the table of one node:")
    assert first.after == (
        "The last line is the default route.",
        "It leads out.",
        "A second paragraph names `192.168.56.1`.",
    )
    assert (second.heading, second.after) == ("Last", ("| routes exist | `demo/routes` |",))


def test_wording_takes_the_sentence_that_names_what_changed(page: Path) -> None:
    """Without a hit, what stands directly below the output."""
    claim = pages.claims("demo/routes")[0]
    place = 'docs/part/page.md, "First part"'
    assert pages.wording(claim) == f'{place}: "The last line is the default route."'
    assert pages.wording(claim, ["tunl0", "192.168.56.1"]) == f'{place}: "A second paragraph names `192.168.56.1`."'
    # The surest word wins, wherever its sentence stands.
    assert pages.wording(claim, ["ip route", "default"]).endswith('"It looks like this: `ip route` prints a table."')


def test_an_include_inside_a_note_is_found(page: Path) -> None:
    """Indented fences count; what is written inside a fence is no heading."""
    (claim,) = pages.claims("demo/other")
    assert (claim.heading, claim.after) == ("Deeper", ("Indented words.",))


def test_the_block_form_of_an_include_is_found(page: Path) -> None:
    """Marker, file, marker."""
    (claim,) = pages.claims("demo/block")
    assert (claim.heading, claim.after) == ("Last", ("After the block.",))


def test_a_name_that_begins_alike_is_another_snippet(page: Path) -> None:
    """`demo/route` is not `demo/routes`."""
    assert pages.claims("demo/route") == []


def test_a_page_without_headings_is_named_by_line(write: Write) -> None:
    """There is always a place to go to."""
    write("docs/bare.md", '--8<-- "snippets/demo/routes.out"\n')
    (claim,) = pages.claims("demo/routes")
    assert pages.wording(claim) == "docs/bare.md, line 1"


SNIPPETS = [snippet.name for snippet in snippets.discover()]


@pytest.mark.parametrize("name", SNIPPETS)
def test_every_snippet_of_the_book_has_its_sentences(name: str) -> None:
    """On the real pages, each one has a heading and at least one sentence, which stand there as told."""
    found = pages.claims(name)
    assert found
    for claim in found:
        text = " ".join((paths.ROOT / claim.page).read_text().split())
        assert claim.heading and claim.sentences
        assert claim.heading in text
        for sentence in claim.sentences:
            assert " ".join(sentence.split()) in text


def test_the_place_of_the_first_output() -> None:
    """Page, heading, and a whole sentence in quotes."""
    (claim,) = pages.claims("pod_to_pod/the_brief_line")
    assert pages.wording(claim) == f'docs/pod-to-pod.md, "{claim.heading}": "{claim.after[0]}"'


def test_a_changed_block_leads_to_its_sentence() -> None:
    """The sentence that names the route, not the first one."""
    (claim,) = pages.claims("pod_to_pod/routes_to_other_nodes")
    assert "172.16.140.64/26" not in pages.wording(claim)
    assert "172.16.140.64/26" in pages.wording(claim, ["172.16.140.64/26"])
