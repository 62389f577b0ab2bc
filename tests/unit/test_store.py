"""Products are built once, noticed when damaged, and never half there."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from lab import build
from lab.errors import LabError
from lab.store import Step, Store


class Letter(Step):
    """A product of one file."""

    expected = 1.0

    def __init__(self, name: str = "letter", text: str = "dear reader", needs: tuple[Step, ...] = ()) -> None:
        self.name, self.text, self.needs = name, text, needs
        self.builds = 0

    def inputs(self) -> Iterable[str | Path]:
        return [self.text]

    def build(self, work: Path) -> None:
        self.builds += 1
        (work / "letter.txt").write_text(self.text)
        (work / "info.json").write_text("[]")


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
