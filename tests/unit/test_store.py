"""Products are built once, noticed when damaged, and never half there."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab import build
from lab.cli import main
from lab.errors import LabError
from lab.store import Step, Store


class Letter(Step):
    """A product of one file; what it says of its components a test may choose."""

    expected = 1.0

    def __init__(
        self, name: str = "letter", text: str = "dear reader", needs: tuple[Step, ...] = (), info: str = "[]"
    ) -> None:
        self.name, self.text, self.needs, self.info = name, text, needs, info
        self.builds = 0

    def inputs(self) -> Iterable[str | Path]:
        return [self.text]

    def build(self, work: Path) -> None:
        self.builds += 1
        (work / "letter.txt").write_text(self.text)
        (work / "info.json").write_text(self.info)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "products")


def test_a_product_is_built_once(store: Store) -> None:
    step = Letter()
    assert store.ensure(step) == store.ensure(step)
    assert step.builds == 1


def test_another_input_is_another_product(store: Store) -> None:
    assert store.ensure(Letter(text="a")) != store.ensure(Letter(text="b"))


def test_a_need_that_changes_changes_the_key() -> None:
    assert Letter("x", needs=(Letter(text="a"),)).key != Letter("x", needs=(Letter(text="b"),)).key


def test_a_changed_file_is_noticed_and_built_again(store: Store) -> None:
    step = Letter()
    path = store.ensure(step) / "letter.txt"
    path.chmod(0o644)
    path.write_text("dear readers")
    assert store.faults(step) == ["letter.txt"]
    store.ensure(step)
    assert path.read_text() == "dear reader"


def test_damage_of_equal_size_and_time_is_found_by_a_thorough_look(store: Store) -> None:
    import os

    step = Letter()
    path = store.ensure(step) / "letter.txt"
    times = path.stat()
    path.chmod(0o644)
    path.write_text("DEAR READER")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert store.faults(step) == []
    assert store.faults(step, thorough=True) == ["letter.txt"]


def test_a_half_written_product_is_built_again(store: Store) -> None:
    step = Letter()
    folder = store.path(step)
    Path(f"{folder}.work").mkdir(parents=True)
    Path(f"{folder}.work/letter.txt").write_text("de")
    assert (store.ensure(step) / "letter.txt").read_text() == "dear reader"
    assert not Path(f"{folder}.work").exists()


def test_a_full_disk_is_told(store: Store) -> None:
    class Full(Letter):
        def build(self, work: Path) -> None:
            raise OSError(28, "No space left on device", str(work))

    with pytest.raises(LabError, match="No space left on device") as error:
        store.ensure(Full())
    assert "LAB_CACHE" in str(error.value)
    assert list(store.root.glob("*.work")) == []


@pytest.fixture
def exported(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export of a store with one product."""
    step = Letter()
    monkeypatch.setattr(build, "all_steps", lambda: [step])
    monkeypatch.setattr(build, "default_store", lambda: store)
    store.ensure(step)
    build.export(tmp_path / "products.tgz", lambda _: None)
    return tmp_path / "products.tgz"


def test_an_export_comes_back(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Store(tmp_path / "other")
    monkeypatch.setattr(build, "default_store", lambda: other)
    build.import_from(exported, lambda _: None)
    assert other.faults(Letter(), thorough=True) == []


def test_a_damaged_export_is_refused(exported: Path) -> None:
    with exported.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(LabError, match="is damaged"):
        build.import_from(exported, lambda _: None)


def test_an_export_of_another_version_is_refused(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "all_steps", lambda: [Letter(text="a newer one")])
    with pytest.raises(LabError, match="another version: letter differ"):
        build.import_from(exported, lambda _: None)


def test_a_missing_export_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is not there"):
        build.import_from(tmp_path / "nothing.tgz", lambda _: None)


# --- what is inside ------------------------------------------------------------

ROWS: list[dict[str, str | None]] = [
    {"name": "ink", "version": "v1.2", "origin": "Go module example.org/ink", "sha256": "ab" * 32},
    {"name": "paper", "version": "3-1", "origin": "Debian package", "sha256": None},
]


def inside(exported: Path, monkeypatch: pytest.MonkeyPatch, *rows: dict[str, str | None]) -> None:
    """Have a second product, of these components, beside the exported one."""
    first, store = build.all_steps()[0], build.default_store()
    second = Letter("envelope", text=json.dumps(rows), info=json.dumps(rows))
    monkeypatch.setattr(build, "all_steps", lambda: [first, second])
    store.ensure(second)


def test_every_component_is_listed_with_its_step(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, version, origin and digest, of all products."""
    assert build.components() == []
    inside(exported, monkeypatch, *ROWS)
    assert build.components() == [{**row, "step": "envelope"} for row in ROWS]


def test_the_command_lists_versions(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each; Debian's hundreds of packages only when they are asked for."""
    inside(exported, monkeypatch, *ROWS)
    said = CliRunner().invoke(main, ["versions"])
    assert said.exit_code == 0
    assert [line.split() for line in said.output.splitlines()] == [
        ["ink", "v1.2", "Go", "module", "example.org/ink", f"sha256:{'ab' * 32}"]
    ]
    more = CliRunner().invoke(main, ["versions", "--all"]).output.splitlines()
    assert more[1].split() == ["paper", "3-1", "Debian", "package", "-"] and len(more) == 2


def test_the_bill_of_materials_has_what_spdx_requires(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields that SPDX 2.3 calls mandatory, of the document, of its creation and of each package."""
    inside(exported, monkeypatch, *ROWS)
    said = CliRunner().invoke(main, ["versions", "--sbom"])
    assert said.exit_code == 0
    document = json.loads(said.output)
    fixed = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "living-book"}
    assert {key: document[key] for key in fixed} == fixed
    created = document["creationInfo"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created["created"])
    assert created["creators"] == ["Tool: lab"]
    packages = document["packages"]
    assert [(each["name"], each["versionInfo"]) for each in packages] == [("ink", "v1.2"), ("paper", "3-1")]
    assert [each["sourceInfo"] for each in packages] == [row["origin"] for row in ROWS]
    assert {(each["downloadLocation"], each["filesAnalyzed"]) for each in packages} == {("NOASSERTION", False)}
    names = [each["SPDXID"] for each in packages]
    assert len(set(names)) == len(ROWS)
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in names)
    assert {(each["spdxElementId"], each["relationshipType"]) for each in document["relationships"]} == {
        ("SPDXRef-DOCUMENT", "DESCRIBES")
    }
    assert [each["relatedSpdxElement"] for each in document["relationships"]] == names


def test_the_bill_of_materials_has_a_digest_where_there_is_one_file(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Debian package is of many files, which Debian's own signatures vouch for."""
    inside(exported, monkeypatch, *ROWS)
    ink, paper = json.loads(build.sbom())["packages"]
    assert ink["checksums"] == [{"algorithm": "SHA256", "checksumValue": "ab" * 32}]
    assert "checksums" not in paper


def test_the_bill_of_materials_is_named_by_its_content(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same components, the same name in all the world; another one of them, another name."""
    spaces = []
    for version in ("v1.2", "v1.2", "v1.3"):
        inside(exported, monkeypatch, {**ROWS[0], "version": version}, ROWS[1])
        spaces.append(json.loads(build.sbom())["documentNamespace"])
    assert all(re.fullmatch("urn:sha256:[0-9a-f]{64}", space) for space in spaces)
    assert spaces[0] == spaces[1] != spaces[2]


@pytest.mark.parametrize("words", [["versions"], ["versions", "--sbom"]])
def test_versions_of_what_is_not_built_is_told(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """With the command that builds it."""
    monkeypatch.setattr(build, "default_store", lambda: Store(tmp_path / "empty"))
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 1
    assert said.output == "lab: letter is not built yet\n  hint: build first: lab build\n"
