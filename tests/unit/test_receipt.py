"""Receipts: fresh or stale, whole or damaged, and never with a secret in them."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab import freshness, paths, receipt, snippets
from lab.api import KEPT_OUT
from lab.capture import Answer, Step
from lab.errors import LabError
from lab.snippets import Snippet

Write = Callable[[str, str], Path]

GOOD = '''"""Title."""
from lab import cluster
cluster.needs("pods")
out = cluster.node("node01").run("ip route")
assert out.lines
'''
TEXT = "node01$ ip route\ndefault via 192.168.56.1 dev eth0\n"
STEPS = [
    Step("node01", "ip route", 0, "default via 192.168.56.1 dev eth0 \n", "", 0.01234),
    Step("node01", "ls", 0, "", "", 0.5, pod="pod2"),
]
WHEN = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def snippet(write: Write) -> Snippet:
    """A snippet with a scenario."""
    write("snippets/scenarios/pods.yaml", "kind: Pod\n")
    return snippets.read(write("snippets/pod_to_pod/pod_route.py", GOOD))


@pytest.fixture
def kept(snippet: Snippet) -> receipt.Receipt:
    """Its capture, written."""
    made = make(snippet)
    receipt.save(snippet, TEXT, made)
    return made


ANSWERS = [
    Answer("netlink", "node01", "links", [{"name": "eth0", "mtu": 1500}]),
    Answer("api", "", "GET /api/v1/nodes", {"status": 200, "body": {"kind": "NodeList", "items": []}}),
]


def make(snippet: Snippet, steps: list[Step] = STEPS, answers: list[Answer] = ANSWERS) -> receipt.Receipt:
    """A receipt of a run at a fixed time."""
    return receipt.make(
        snippet,
        TEXT,
        steps,
        answers,
        carrier="fake",
        versions={"kubernetes": "v1.37.2"},
        commit="c0ffee",
        now=lambda: WHEN,
    )


def test_the_form_of_a_receipt(snippet: Snippet, kept: receipt.Receipt) -> None:
    """Schema 2: sorted keys, two spaces, one line for each answer, a newline at the end."""
    text = snippet.receipt.read_text()
    entry = json.loads(text)
    assert list(entry) == sorted(entry)
    assert text.startswith('{\n  "answers": [\n    {"question": "links", ')
    assert text.endswith('"linux": "7.3.4"\n  }\n}\n'.replace("linux", "kubernetes").replace("7.3.4", "v1.37.2"))
    assert sum(line.startswith("    {") for line in text.splitlines() if '"question"' in line) == len(entry["answers"])
    assert entry["schema"] == 2
    assert entry["snippet"] == "pod_to_pod/pod_route"
    assert entry["date"] == "2026-11-23T12:00:00Z"
    assert (entry["carrier"], entry["commit"], entry["scenario"]) == ("fake", "c0ffee", "pods")
    assert {"snippet", "scenario", "lab/noise.py", "lab/provision/node.sh"} <= entry["parts"].keys()
    assert entry["steps"][0] == {
        "command": "ip route",
        "node": "node01",
        "raw": receipt.digest("default via 192.168.56.1 dev eth0 \n\0"),
        "seconds": 0.012,
        "status": 0,
        "stderr": "",
        "stdout": "default via 192.168.56.1 dev eth0 \n",
    }
    assert entry["steps"][1]["pod"] == "pod2"


def test_what_is_unusual_about_a_step_is_kept(snippet: Snippet) -> None:
    """Quiet, in another namespace, in the background with what was shown at its start, or tried more than once."""
    steps = [
        Step("node01", "true", 0, "", "", 0.1, shown=False),
        Step("node01", "true", 0, "", "", 0.1, pod="dns", namespace="kube-system"),
        Step("node01", "tcpdump", 0, "", "listening\n", 0.1, background=True, early="listening\n"),
        Step("node01", "ip link show cali0", 0, "", "", 0.1, shown=False, tries=3),
    ]
    quiet, elsewhere, behind, awaited = make(snippet, steps).steps
    assert quiet["shown"] is False
    assert receipt.place(elsewhere) == steps[1].place == "node01/kube-system/dns"
    assert (behind["background"], behind["early"]) == (True, "listening\n")
    assert awaited["tries"] == 3 and "tries" not in quiet


def test_the_same_answer_again_is_not_repeated(snippet: Snippet) -> None:
    """Another answer to the same question is, in its turn."""
    first, other = Answer("netlink", "node01", "links", [1]), Answer("netlink", "node01", "links", [2])
    elsewhere = replace(first, where="node02")
    told = make(snippet, answers=[first, elsewhere, first, other, other, first]).answers
    assert [(entry["where"], entry["reply"]) for entry in told] == [
        ("node01", [1]),
        ("node02", [1]),
        ("node01", [2]),
        ("node01", [1]),
    ]


def test_no_capture_is_made_of_another(snippet: Snippet) -> None:
    """Only what nodes answer proves anything."""
    with pytest.raises(LabError, match="not of another capture") as caught:
        receipt.make(snippet, TEXT, STEPS, carrier="replay", versions={}, commit=None)
    assert "lab up" in caught.value.hint


def test_what_is_saved_is_loaded(snippet: Snippet, kept: receipt.Receipt) -> None:
    """Both files come back as they were."""
    assert receipt.load(snippet) == (TEXT, kept)
    assert sorted(path.name for path in snippet.path.parent.iterdir()) == [
        "pod_route.json",
        "pod_route.out",
        "pod_route.py",
    ]


def test_a_fresh_capture_is_not_stale(snippet: Snippet, kept: receipt.Receipt) -> None:
    """Nothing changed, nothing is told."""
    assert receipt.stale(snippet) == []
    assert kept.key == receipt.key(snippet)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("snippets/pod_to_pod/pod_route.py", "the snippet itself"),
        ("snippets/scenarios/pods.yaml", "its scenario"),
        ("lab/noise.py", "lab/noise.py (the noise rules)"),
        ("lab/provision/node.sh", "lab/provision/node.sh (how nodes are set up)"),
        ("lab/provision/new/file", "lab/provision/new/file (how nodes are set up) is new"),
        ("lab/cluster.yaml", "lab/cluster.yaml (the description of the cluster)"),
        ("lab/image/calico/go.sum", "lab/image/calico/go.sum (the pinned components)"),
        ("lab/image/calico/go.mod", "lab/image/calico/go.mod (the pinned components) is new"),
        ("lab/image/kernel/options.config", "lab/image/kernel/options.config (how the kernel is made) is new"),
    ],
)
def test_a_change_makes_it_stale(snippet: Snippet, kept: receipt.Receipt, write: Write, name: str, words: str) -> None:
    """The words say what changed."""
    write(name, "changed\n")
    freshness._shared.cache_clear()
    assert receipt.stale(snippet) == [words]


@pytest.mark.parametrize("name", ["docs/page.md", "lab/cli.py", "lab/image/calico/main.txt", "snippets/a/other.py"])
def test_other_changes_do_not(snippet: Snippet, kept: receipt.Receipt, write: Write, name: str) -> None:
    """Prose never makes a capture stale."""
    write(name, "changed\n")
    freshness._shared.cache_clear()
    assert receipt.stale(snippet) == []


def test_compiled_python_does_not_count(snippet: Snippet, kept: receipt.Receipt, write: Write) -> None:
    """What Python writes beside a file is not part of it."""
    write("lab/provision/__pycache__/x.pyc", "changed\n")
    freshness._shared.cache_clear()
    assert receipt.stale(snippet) == []


def test_a_key_changed_by_hand_is_told(snippet: Snippet, kept: receipt.Receipt) -> None:
    """The key must be that of the parts."""
    snippet.receipt.write_text(replace(kept, key="0" * 64).text())
    assert receipt.stale(snippet) == ["its receipt, by hand"]


def test_a_capture_of_another_version_is_stale(snippet: Snippet, kept: receipt.Receipt, write: Write) -> None:
    """A lab that was older than the pins, captured all the same."""
    write("lab/cluster.yaml", "versions: {kubernetes: v1.38.0}\n")
    freshness._shared.cache_clear()
    receipt.save(snippet, TEXT, make(snippet))
    assert receipt.stale(snippet) == ["kubernetes was v1.37.2, v1.38.0 is pinned"]


def test_a_hundred_captures_are_judged_in_a_second(snippet: Snippet, kept: receipt.Receipt, project: Path) -> None:
    """`make check` asks for all of them each time, with the real pins beside them."""
    big = b"x" * 300_000
    for number in range(6):
        (project / f"lab/image/part{number}").mkdir()
        (project / f"lab/image/part{number}/go.sum").write_bytes(big)
    freshness._shared.cache_clear()
    begun = time.perf_counter()
    for _ in range(100):
        receipt.stale(snippet)
    assert time.perf_counter() - begun < 1


def damage_cut_out(snippet: Snippet) -> None:
    """Half a transcript."""
    snippet.out.write_text(TEXT[:20])


def damage_edit_out(snippet: Snippet) -> None:
    """Another address."""
    snippet.out.write_text(TEXT.replace("192.168.56.1", "192.168.56.2"))


def damage_binary_out(snippet: Snippet) -> None:
    """No text."""
    snippet.out.write_bytes(b"\xff\xfe")


def damage_remove_out(snippet: Snippet) -> None:
    """No transcript."""
    snippet.out.unlink()


def damage_remove_json(snippet: Snippet) -> None:
    """No receipt."""
    snippet.receipt.unlink()


def damage_cut_json(snippet: Snippet) -> None:
    """Half a receipt."""
    snippet.receipt.write_text(snippet.receipt.read_text()[:100])


def damage_schema(snippet: Snippet) -> None:
    """An older form, which had no answers."""
    entry = json.loads(snippet.receipt.read_text()) | {"schema": 1}
    del entry["answers"]
    snippet.receipt.write_text(json.dumps(entry))


def damage_newer(snippet: Snippet) -> None:
    """A form of the future."""
    snippet.receipt.write_text(json.dumps(json.loads(snippet.receipt.read_text()) | {"schema": 9}))


def damage_raw(snippet: Snippet) -> None:
    """Raw output that a hand has touched."""
    snippet.receipt.write_text(snippet.receipt.read_text().replace("via 192.168.56.1 ", "via 192.168.56.2 "))


def damage_step(snippet: Snippet) -> None:
    """A step without its raw output."""
    entry = json.loads(snippet.receipt.read_text())
    del entry["steps"][0]["stdout"]
    snippet.receipt.write_text(json.dumps(entry))


def damage_step_unknown(snippet: Snippet) -> None:
    """A step with a field that nobody knows."""
    entry = json.loads(snippet.receipt.read_text())
    entry["steps"][1]["retries"] = 2
    snippet.receipt.write_text(json.dumps(entry))


def damage_step_type(snippet: Snippet) -> None:
    """An exit status in words."""
    entry = json.loads(snippet.receipt.read_text())
    entry["steps"][1]["status"] = "0"
    snippet.receipt.write_text(json.dumps(entry))


def damage_date(snippet: Snippet) -> None:
    """A date of another form: its age could not be told."""
    snippet.receipt.write_text(json.dumps(json.loads(snippet.receipt.read_text()) | {"date": "2026-11-23"}))


def damage_answer(snippet: Snippet) -> None:
    """An answer that is none."""
    snippet.receipt.write_text(json.dumps(json.loads(snippet.receipt.read_text()) | {"answers": ["links"]}))


def damage_list(snippet: Snippet) -> None:
    """Some other JSON."""
    snippet.receipt.write_text("[]")


def damage_field(snippet: Snippet) -> None:
    """A field is missing."""
    entry = json.loads(snippet.receipt.read_text())
    del entry["steps"]
    snippet.receipt.write_text(json.dumps(entry))


def damage_name(snippet: Snippet) -> None:
    """The receipt of another snippet."""
    snippet.receipt.write_text(json.dumps(json.loads(snippet.receipt.read_text()) | {"snippet": "a/b"}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damage_cut_out, "pod_route.out is not what was captured"),
        (damage_edit_out, "pod_route.out is not what was captured"),
        (damage_binary_out, "cut off or damaged"),
        (damage_remove_out, "has no pod_route.out"),
        (damage_remove_json, "has no pod_route.json"),
        (damage_cut_json, "cut off or damaged"),
        (damage_schema, "has the older schema 1, this version of `lab` reads 2"),
        (damage_newer, "has schema 9, this version of `lab` reads 2"),
        (damage_raw, "the raw output in pod_route.json is not what was captured"),
        (damage_step, "pod_route.json is not a receipt\n  steps, number 1: stdout is missing"),
        (damage_step_unknown, "pod_route.json is not a receipt\n  steps, number 2: retries is unknown"),
        (damage_step_type, "pod_route.json is not a receipt\n  steps, number 2: status is of the wrong type"),
        (damage_date, "pod_route.json is not a receipt\n  date: '2026-11-23' is not one"),
        (damage_answer, "pod_route.json is not a receipt\n  answers, number 1: it has no fields"),
        (damage_list, "has schema None"),
        (damage_field, "pod_route.json is not a receipt\n  steps is missing"),
        (damage_name, "pod_route.json is not a receipt\n  it is the receipt of a/b"),
    ],
)
def test_a_damaged_capture_is_named(
    snippet: Snippet, kept: receipt.Receipt, damage: Callable[[Snippet], None], words: str
) -> None:
    """What is wrong, and the command that captures it again."""
    damage(snippet)
    with pytest.raises(LabError, match=words) as caught:
        receipt.load(snippet)
    assert "lab update pod_to_pod/pod_route" in caught.value.hint


SECRETS = {
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
    "openssh key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "certificate": "-----BEGIN CERTIFICATE-----",
    "kubeconfig": "    client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
    "service account": "token: eyJhbGciOiJSUzI1NiIsImtpZCI6IjEi.eyJpc3MiOiJrdWJlcm5ldGVz.c2lnbmF0dXJlLWhlcmU",
    "bearer": "Authorization: Bearer abcdefghijklmnop0123456789",
    "bootstrap": "kubeadm join 192.168.56.10:6443 --token q1w2e3.r4t5y6u7i8o9p0aa",
    "certificate key": "--certificate-key " + "ab" * 32,
    "password": "password: hunter2",
    "password in JSON": '  "password": "hunter2",',
    "Secret in YAML": "apiVersion: v1\ndata:\n  word: aHVudGVyMg==\nkind: Secret\n",
    "Secret in JSON": '{"kind": "Secret", "data": {"word": "aHVudGVyMg=="}}',
    "home": "/home/reader/.kube/config",
    "root of the host": f"{paths.ROOT}/snippets/x.py",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_secrets_are_found(text: str) -> None:
    """Planted secrets, each of another kind."""
    found = receipt.find_secret(f"node01$ cat file\n{text}\n")
    assert found
    assert text not in found


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "crd.projectcalico.org/v1",
        "-A KUBE-SVC-NPX46M4PTMTKRN6Y ! -s 172.16.0.0/16 -d 10.96.0.1/32 -j KUBE-MARK-MASQ",
        "12:00:01.123456 IP 192.168.56.11 > 192.168.56.12: IP 172.16.196.148 > 172.16.140.65",
        "fe80::5054:ff:fe38:b/64",
        "web-7d4b9c6f5d-x2x9k   1/1   Running",
        '"raw": "' + "0123456789abcdef" * 4 + '"',
        "ls: /etc/cni/net.d/10-calico.conflist",
        "kind: ServiceAccount\nsecrets:\n- name: builder\n",
    ],
)
def test_ordinary_output_is_no_secret(text: str) -> None:
    """What pages are made of passes."""
    assert receipt.find_secret(text) is None


TOKEN = "q1w2e3.r4t5y6u7i8o9p0aa"
JWT = SECRETS["service account"].removeprefix("token: ")
PEM = SECRETS["certificate"]
BASE64_PEM = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"


def planted(body: object) -> dict[str, list[Answer]]:
    """An answer of the API server with a secret in it."""
    question = "GET /api/v1/namespaces/default/things/planted"
    return {"answers": [Answer("api", "", question, {"status": 200, "body": body})]}


PLANTED: dict[str, tuple[str, dict[str, list[Step]] | dict[str, list[Answer]]]] = {
    "command": (TOKEN, {"steps": [Step("node01", f"kubeadm join --token {TOKEN}", 0, "", "", 0.1)]}),
    "quiet output": (TOKEN, {"steps": [Step("node01", "cat file", 0, f"a\n{TOKEN}\n", "", 0.1, shown=False)]}),
    "standard error": (TOKEN, {"steps": [Step("node01", "cat file", 1, "", f'"{TOKEN}"', 0.1)]}),
    "command of the lab": (TOKEN, {"answers": [Answer("command", "node01", "cat", {"stdout": f"x\n{TOKEN}\n"})]}),
    "token of a service account": (JWT, planted({"kind": "TokenRequest", "status": {"token": JWT}})),
    "any token": ("0123456789abcdef", planted({"spec": {"token": "0123456789abcdef"}})),
    "behind a line end": (BASE64_PEM, planted({"data": {"config": f"certificate:\n{BASE64_PEM}"}})),
    "certificate in a list": (PEM, planted({"items": [{"data": {"ca.crt": f"{PEM}\nMIIE"}}]})),
    "certificate of a webhook": ("TUlJRQ==", planted({"webhooks": [{"clientConfig": {"caBundle": "TUlJRQ=="}}]})),
    "password of a container": ("hunter2", planted({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]})),
    "password as a field": ("hunter2", planted({"spec": {"Password": "hunter2"}})),
    "name of a field": (TOKEN, planted({"data": {TOKEN: ""}})),
    "question": (TOKEN, {"answers": [Answer("command", "node01", f"grep {TOKEN}", "")]}),
}


def refused(snippet: Snippet, secret: str, text: str, made: receipt.Receipt) -> None:
    """It is not saved, the message does not repeat the secret, and the old files stay as they are."""
    before = snippet.out.read_bytes(), snippet.receipt.read_bytes()
    with pytest.raises(LabError, match=r"would hold .*; nothing was written") as caught:
        receipt.save(snippet, text, made)
    assert secret not in str(caught.value)
    assert (snippet.out.read_bytes(), snippet.receipt.read_bytes()) == before
    assert len(list(snippet.path.parent.iterdir())) == 3


def test_a_secret_in_the_transcript_is_never_written(snippet: Snippet, kept: receipt.Receipt) -> None:
    """A reader would see it."""
    refused(snippet, TOKEN, f"{TEXT}{TOKEN}\n", make(snippet))


@pytest.mark.parametrize(("secret", "where"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_secret_is_never_written(
    snippet: Snippet, kept: receipt.Receipt, secret: str, where: dict[str, list[Step]] | dict[str, list[Answer]]
) -> None:
    """Wherever it stands in what nodes and API server answered."""
    refused(snippet, secret, TEXT, make(snippet, **where))  # type: ignore[arg-type]


def test_what_stands_for_a_secret_is_no_secret(snippet: Snippet) -> None:
    """A Secret without its values may be kept."""
    data = {"kind": "Secret", "data": {"password": KEPT_OUT, "token": KEPT_OUT}}
    receipt.save(snippet, TEXT, make(snippet, **planted(data)))
    assert receipt.load(snippet)[1].answers[0]["reply"]["body"] == data


def test_a_full_disk_keeps_the_old_files(
    snippet: Snippet, kept: receipt.Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file never stands in place of a whole one."""
    before = snippet.out.read_bytes(), snippet.receipt.read_bytes()
    write_bytes = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "json" in path.name:
            write_bytes(path, data[:10])
            raise OSError(28, "No space left on device", str(path))
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(LabError, match="No space left on device"):
        receipt.save(snippet, TEXT + "more\n", make(snippet))
    assert (snippet.out.read_bytes(), snippet.receipt.read_bytes()) == before
    assert len(list(snippet.path.parent.iterdir())) == 3


def test_the_commit_comes_from_git(project: Path) -> None:
    """Or is None, where there is none."""
    assert receipt.commit() is None
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *command], cwd=project, check=True)
    assert len(receipt.commit() or "") == 40


def test_no_git_is_no_error(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without git has no commit to name."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert receipt.commit() is None


def test_a_snippet_without_a_scenario(write: Write) -> None:
    """Its part is None and does not become stale."""
    plain = snippets.read(write("snippets/pod_to_pod/mtu.py", GOOD.replace('cluster.needs("pods")\n', "")))
    receipt.save(plain, TEXT, make(plain))
    assert receipt.load(plain)[1].parts["scenario"] is None
    assert receipt.stale(plain) == []
