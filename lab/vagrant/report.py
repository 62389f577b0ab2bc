"""`make test-vagrant` and `make test-vagrant-other`: the cluster on virtual machines, compared, and a page about it.

The first takes our box and has the cluster made by `lab`, then by Vagrant alone; the second takes boxes of others.
The page is written in any case: from what the run measured, as far as it came.
"""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from lab import carriers, ready, receipt, verdicts
from lab.carriers.uml import State, load_state
from lab.carriers.vagrant import VagrantCarrier, state_file
from lab.errors import LabError
from lab.image.steps import default_store
from lab.lifecycle import exclusive
from lab.paths import ROOT, state_dir
from lab.snippets import select
from lab.spec import load_spec
from lab.vagrant import files, lifecycle, mirror, others, tool

LIMIT = 75
"""Minutes that the whole run may take, unless `--limit` says fewer."""

CHAPTERS = ("pod_to_pod", "cluster_ip")
"""What is compared of boxes of others, and where the processor is emulated; of ours with KVM it is the whole book."""

DIFFERENCES = "Differences"
ALONE = "Differences of the cluster that `vagrant up` made alone"
STARTED_ANEW = "Differences after all machines were started anew"
"""What is compared has a heading each."""

EXPECTED = {
    "linux": "the virtual machines run Debian's own build of the kernel; in user mode it is built from Debian's source",
    "carrier": "the captures name the carrier that they were made on",
}
"""What differs on every output's receipt and in none of the outputs."""

DIFFERS: dict[str, str] = {}
"""Snippets whose output must be another on virtual machines, each with the reason."""

COMMANDS = {
    "status --json": '"phase": "ready"',
    "ssh node01 -- hostname": "node01",
    "kubectl -- get nodes": "node02",
    "logs node01 kubelet": "kubelet",
    "run pod_to_pod/mtu": "tunl0/mtu:1480",
    "check pod_to_pod/mtu": "1 snippet: ",
}
"""What a reader types, and what stands in the answer of each; all end with 0."""

COMMAND_LIMIT = 3600.0
"""Seconds that one command may take, unless the whole run has fewer left."""

QUESTIONS = (
    "kubectl get nodes -o wide",
    "kubectl -n kube-system get pods -o wide",
)
NODE_QUESTIONS = (
    "uptime",
    "free -m | sed -n 2p",
    "systemctl is-active containerd kubelet",
    "ctr --namespace k8s.io tasks ls",
)


class OutOfTime(KeyboardInterrupt):
    """The limit is over; whoever waits for something gives up as after Ctrl-C."""


@dataclass
class Comparison:
    """Outputs of a cluster beside the book's.

    Attributes:
        after: What was done before, a sentence without its end.
        heading: Over what differs.
        chapters: Whose outputs; all when there are none.
        wanted: How many outputs were to be compared.
        found: The report of `lab verify`; empty when it did not come to it.
    """

    after: str
    heading: str
    chapters: Sequence[str] = ()
    wanted: int = 0
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether as many outputs were compared as there should be, and each came to what it must."""
        snippets = self.found.get("snippets", [])
        as_due = [each for each in snippets if each["result"] == _due(each["snippet"])]
        return 0 < self.wanted == len(as_due) == len(snippets)


@dataclass
class Run:
    """What a run came to.

    Attributes:
        found: Whether the machines ran already when it began, as `--keep-machines` asks.
        steps: Each step that ended, and its seconds.
        state: What the cluster said of itself at the end, by the question.
        compared: What was to be compared, in this order.
        commit: The checkout's commit, whose captures were compared; empty where there is none.
        failed: What was tried after the comparison and failed, each with what it said.
    """

    begun: datetime
    kvm: bool
    versions: dict[str, str]
    limit: int = LIMIT
    found: bool = False
    load: str = ""
    steps: list[tuple[str, float]] = field(default_factory=list)
    unfinished: str = ""
    error: str = ""
    state: dict[str, str] = field(default_factory=dict)
    cluster: dict[str, str] = field(default_factory=dict)
    compared: list[Comparison] = field(default_factory=list)
    commit: str = ""
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the cluster was ready, every output the book's or another that must be, and every command well."""
        compared = bool(self.compared) and all(each.good for each in self.compared)
        return compared and not self.error and not self.failed

    def hear(self, line: str) -> None:
        """Keep what a line of progress tells: that a step began, or how long it took."""
        if found := re.fullmatch(r"(.+): ([\d.]+) s", line):
            self.steps.append((found[1], float(found[2])))
            self.unfinished = ""
        elif line.endswith(" ..."):
            self.unfinished = line.removesuffix(" ...")


def _due(snippet: str) -> str:
    """What the comparison of a snippet must come to."""
    return verdicts.CHANGED if snippet in DIFFERS else verdicts.UNCHANGED


def main() -> None:
    """Run it all within the limit, write the page, and exit with 1 if anything differs that should not."""
    asked = argparse.ArgumentParser(prog="lab.vagrant.report", description=__doc__)
    asked.add_argument("--limit", type=int, default=LIMIT, help="minutes that it may take")
    asked.add_argument(
        "--chapters",
        nargs="+",
        metavar="NAME",
        help="what is compared; else two chapters, of our box with KVM the whole book",
    )
    asked.add_argument("--other", action="store_true", help="take Debian 13 boxes that are not ours")
    asked.add_argument("--keep", action="store_true", help="leave the machines running afterwards")
    asked.add_argument("--keep-machines", action="store_true", help="take machines that run already")
    asked.add_argument("--go-on", action="store_true", help="go on with a run that was interrupted, and count its time")
    options = asked.parse_args()
    journey = OTHERS if options.other else OURS
    os.environ["LAB_CARRIER"] = "vagrant"
    run = Run(begun=datetime.now(UTC), kvm=tool.kvm(), versions=_versions_here(), limit=options.limit)
    run.commit = receipt.commit() or ""
    try:
        whole = run.kvm and not options.other
        run.compared = journey.compared(options.chapters or ([] if whole else list(CHAPTERS)))
    except LabError as error:  # before machines are made for it
        asked.error(str(error))
    log = state_dir() / "vagrant-report.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    spent = _recall(run, log) if options.go_on else 0.0
    if not spent:
        log.unlink(missing_ok=True)
    begin = time.monotonic() - spent

    def say(line: str) -> None:
        run.hear(line)
        told = f"{time.monotonic() - begin:7.1f} {line}"
        print(told, file=sys.stderr, flush=True)
        with log.open("a") as stream:
            stream.write(told + "\n")

    def out_of_time(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.alarm(max(1, round(run.limit * 60 - spent)))
    try:
        journey.go(run, say, keep=options.keep_machines or options.go_on)
    except LabError as error:
        run.error = str(error)
    except OutOfTime:
        run.error = f"no end within {run.limit} minutes"
    except KeyboardInterrupt:
        run.error = "it was interrupted"
    finally:
        signal.alarm(0)
        run.load = " ".join(f"{value:.1f}" for value in os.getloadavg())
        run.seconds = time.monotonic() - begin
        _look(run)
        (ROOT / journey.page).write_text(page(run, journey), encoding="utf-8")
        print(f"the report: {journey.page}", file=sys.stderr)
        if not options.keep:
            lifecycle.delete(lambda line: print(line, file=sys.stderr))
    sys.exit(0 if run.good else 1)


def _recall(run: Run, log: Path) -> float:
    """Take over what an interrupted run had measured; returns the seconds from its begin until now."""
    if not log.exists():
        return 0.0
    last = 0.0
    for line in log.read_text().splitlines():
        seconds, _, text = line.strip().partition(" ")
        last = float(seconds)
        run.hear(text.strip())
    run.begun = datetime.fromtimestamp(log.stat().st_mtime - last, UTC)
    return time.time() - run.begun.timestamp()


def _go_ours(run: Run, say: Callable[[str], None], *, keep: bool) -> None:
    """The cluster that `lab` makes of our box, its life, and the one that Vagrant makes alone."""
    first, alone = run.compared
    with exclusive():
        _cluster(run, say, keep=keep)
    _compare(first, say, limit=run.limit * 60)
    _live_on(run, say)
    for words in COMMANDS:
        _try(run, say, words)
    _alone(say)
    _compare(alone, say, limit=run.limit * 60)


def _go_others(run: Run, say: Callable[[str], None], *, keep: bool) -> None:
    """The cluster that Vagrant makes alone of boxes of others, and the same after all machines were started anew."""
    first, anew = run.compared
    with exclusive():
        kept = keep and (state := load_state(state_file())) is not None and state.alive()
        run.found = kept and not run.steps
        if not kept:
            _of_others(say)
        run.cluster = _ready(say)
    _compare(first, say, limit=run.limit * 60)
    before = _identity()
    with exclusive():
        _vagrant(say, "reload", other=True)
        _ready(say)
    _same(before)
    _compare(anew, say, limit=run.limit * 60)


def _of_others(say: Callable[[str], None]) -> None:
    """Have the whole cluster made by a plain `vagrant up` of boxes that are not ours.

    Raises:
        LabError: It is not made, or made anew by a second `vagrant up`.
    """
    spec, store = load_spec(), default_store()
    lifecycle._require()
    lifecycle.delete(say)
    boxes = []
    for kind in others.KINDS:
        step = others.Other(spec, kind)
        with lifecycle.timed(say, f"a box of others, {kind.name}"):
            boxes.append((step, store.ensure(step) / "living-book.box"))
    with lifecycle.timed(say, "lab box --other"):
        lifecycle.prepare(say, with_box=False, with_products=True)
    others.vagrantfile(spec, boxes)
    with lifecycle.timed(say, "libvirt in a network of its own"):
        carrier = VagrantCarrier.create(spec, {})
    tool.take_plugins(files.folder() / "home")
    carriers.remember("vagrant")
    with mirror.lead(carrier.enter, spec.debian.mirror):
        _vagrant(say, "up", other=True)
    carrier.save()
    _nothing_again(_vagrant(say, "up", again=" again", other=True))


def _ready(say: Callable[[str], None]) -> dict[str, str]:
    """Wait until the cluster on the machines is truly ready; returns its versions."""
    spec = load_spec()
    carrier = VagrantCarrier(spec, _state())
    carrier.state.phase = "starting"
    carrier.save()
    for node in spec.nodes:
        carrier.connect(node.name, timeout=lifecycle.SSH_LIMIT)
    lifecycle._check_version(carrier)
    lifecycle.take_kubeconfig(carrier)
    lifecycle.await_ready(carrier, files.bringup(spec, say), say)
    return carrier.versions()


def _state() -> State:
    state = load_state(state_file())
    if state is None:
        raise LabError("no virtual machines run in this checkout", hint="make them: lab up --carrier vagrant")
    return state


def _vagrant(say: Callable[[str], None], *words: str, again: str = "", other: bool = False) -> str:
    """A command of vagrant as of a reader without `lab`; returns what it said."""
    with lifecycle.timed(say, text := f"plain vagrant {words[0]}{again}"):
        carrier = VagrantCarrier(load_spec(), _state())
        settings = {"LAB_BOX": "others", "VAGRANT_CWD": str(others.folder())} if other else {}
        return tool.run(
            carrier.vagrant(*words, alone=True, **settings), what=text,
            log=files.folder() / "logs/vagrant.log", limit=COMMAND_LIMIT,
        )  # fmt: skip


def _nothing_again(said: str) -> None:
    if "Running provisioner" in said:
        raise LabError("vagrant up provisioned machines that were up and provisioned", detail=said[-2000:])


def _cluster(run: Run, say: Callable[[str], None], *, keep: bool) -> None:
    state = load_state(state_file())
    kept = keep and state is not None and state.alive()
    run.found = kept and not run.steps
    carrier = lifecycle.up(say, fresh=not kept)
    run.cluster = carrier.versions()


def _compare(into: Comparison, say: Callable[[str], None], *, limit: float) -> None:
    """Let the snippets run on the virtual machines, and compare with what is kept."""
    file = state_dir() / "vagrant-verdicts.json"
    file.unlink(missing_ok=True)
    words = ["verify", f"--jobs={4 if tool.kvm() else 1}", f"--json={file}", *into.chapters]
    with lifecycle.timed(say, "lab verify"):
        try:
            _, said = _lab(words, limit=limit, show=True)
        finally:  # also what was compared until the time was over is told
            if file.exists():
                into.found = json.loads(file.read_text())
        if not into.found:
            raise LabError("lab verify compared nothing", detail=said[-2000:], hint="lab status")


def _live_on(run: Run, say: Callable[[str], None]) -> None:
    """Stop the machines and start them, and one of them alone: the cluster must be the same, and ready each time.

    Raises:
        LabError: It is not; then nothing more can be asked of it.
    """
    before = _identity()
    _must(say, "lab down", ["down"])
    carriers.remember("vagrant")  # `down` forgot it, and `up` would end nodes in user mode that this checkout has
    _must(say, "lab up, the cluster kept", ["up", "--carrier", "vagrant"])
    _same(before)
    node = load_spec().nodes[-1].name

    def reload() -> None:
        with exclusive():
            tool.run(
                VagrantCarrier.running().vagrant("reload", node), what=f"vagrant reload {node}",
                log=files.folder() / "logs/vagrant.log", limit=COMMAND_LIMIT,
            )  # fmt: skip

    _must(say, f"vagrant reload {node}, and ready again", ["up", "--carrier", "vagrant"], first=reload)
    _same(before)


def _alone(say: Callable[[str], None]) -> None:
    """Have the whole cluster made by a plain `vagrant up`, on new machines, as by a reader without `lab`.

    Raises:
        LabError: It is not made, or not by Vagrant, or does not become ready.
    """
    before = _identity()
    with exclusive():
        _vagrant(say, "destroy", "--force")
        _vagrant(say, "up")
        _nothing_again(_vagrant(say, "up", again=" again"))
        # Before `lab` has seen the machines: whatever is there now, Vagrant has made.
        said = _vagrant(say, "ssh", load_spec().control_plane.name, "-c", "sudo kubectl get nodes -o name")
        if missing := [node.name for node in load_spec().nodes if f"node/{node.name}" not in said.split()]:
            raise LabError(f"vagrant up left {', '.join(missing)} out of the cluster", detail=said[-2000:])
    _must(say, "the cluster of plain vagrant up is ready", ["up", "--carrier", "vagrant"])
    if (now := _identity()) == before:
        raise LabError("vagrant up made no cluster of its own", detail=f"it is still {now}")


def _must(
    say: Callable[[str], None], text: str, words: Sequence[str], *, first: Callable[[], None] = lambda: None
) -> None:
    with lifecycle.timed(say, text):
        first()
        status, said = _lab(words)
        if status:
            raise LabError(f"{text}: exit status {status}", detail=said[-2000:], hint="lab status")


def _identity() -> str:
    """What a cluster has from its first minute until it is made anew: the number of its oldest namespace."""
    question = "kubectl -- get namespace kube-system -o jsonpath={.metadata.uid}"
    status, said = _lab(question.split())
    if status:
        raise LabError("the cluster does not say which it is", detail=said[-2000:], hint="lab status")
    return said.strip()


def _same(before: str) -> None:
    if (now := _identity()) != before:
        raise LabError("it came up as another cluster", detail=f"before {before}, now {now}", hint=tool.FRESH)


def _try(run: Run, say: Callable[[str], None], words: str) -> None:
    """One command as a reader types it; if it fails, the others are tried all the same."""
    text = f"lab {words}"
    say(f"{text} ...")
    begin = time.monotonic()
    status, said = _lab(shlex.split(words))
    if status or COMMANDS[words] not in said:
        run.failed[text] = f"exit status {status}\n{said[-2000:]}"
        say(f"{text}: exit status {status}, or not the answer")
    else:
        say(f"{text}: {time.monotonic() - begin:.1f} s")


def _lab(words: Sequence[str], *, limit: float = COMMAND_LIMIT, show: bool = False) -> tuple[int, str]:
    """The command `lab` in a process of its own, since it may enter the lab's network: exit status, and what it said.

    When the time is over it is ended politely, so that it clears away what it began.
    """
    program = Path(sys.executable).with_name("lab")
    heard: list[str] = []
    process = subprocess.Popen(
        [program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace",
    )  # fmt: skip
    ending = threading.Timer(limit, process.terminate)
    ending.start()
    with process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                heard.append(line)
                if show:
                    print(line, end="", flush=True)
            return process.wait(), "".join(heard)
        except BaseException:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
        finally:
            ending.cancel()


def _look(run: Run) -> None:
    """Ask the nodes how they are: what a run that failed came to."""
    state, spec = load_state(state_file()), load_spec()
    if state is None or not state.alive():
        return
    carrier = VagrantCarrier(spec, state)
    carrier.save()  # a `vagrant up` that failed told nobody which machines run
    products = files.bringup(spec, lambda _: None).products
    for question in QUESTIONS:
        try:
            run.state[question] = ready.kubectl(carrier, products, *question.split()[1:], timeout=60)
        except (LabError, subprocess.TimeoutExpired) as error:
            run.state[question] = str(error)
    for node in spec.nodes:
        for question in NODE_QUESTIONS:
            try:
                said = carrier.execute(node.name, question, timeout=60)
                run.state[f"{node.name}: {question}"] = said.stdout + said.stderr
            except LabError as error:
                run.state[f"{node.name}: {question}"] = str(error)


def _versions_here() -> dict[str, str]:
    """Versions of what carries the machines, as each tells itself."""
    commands = {
        "Vagrant": ["vagrant", "--version"],
        "vagrant-libvirt": ["dpkg-query", "--show", "--showformat=${Version}", tool.PLUGIN],
        "libvirt": ["virsh", "--version"],
        "QEMU": ["qemu-system-x86_64", "--version"],
        "processors": ["nproc"],
    }
    found = {}
    for name, command in commands.items():
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/").stdout
        except OSError:
            continue
        found[name] = said.splitlines()[0].strip() if said.strip() else "unknown"
    return found


# --- the page -------------------------------------------------------------------


@dataclass(frozen=True)
class Journey:
    """What a run goes through, and the page about it.

    Attributes:
        about: Paragraphs about what it took, each of one line a sentence.
        comparisons: What was done before each, the heading, and which of the chosen chapters.
        go: Does it all.
    """

    page: str
    command: str
    title: str
    description: str
    about: Sequence[str]
    comparisons: Sequence[tuple[str, str, slice]]
    go: Callable[..., None]

    def compared(self, chapters: Sequence[str]) -> list[Comparison]:
        """What is to be compared of these chapters.

        Raises:
            LabError: One is none of the book.
        """
        return [
            Comparison(after, heading, part := chapters[which], wanted=len(select(part)))
            for after, heading, which in self.comparisons
        ]


OURS = Journey(
    page="docs/lab/vagrant-report.md",
    command="make test-vagrant",
    title="A run on virtual machines",
    description="What the last run of the whole cluster on virtual machines took, and how its answers compare.",
    about=(),
    comparisons=(
        ("The whole cluster came up on {machines} and was ready", DIFFERENCES, slice(None)),
        ("Then a plain `vagrant up` made it once more, on new machines", ALONE, slice(-1, None)),
    ),
    go=_go_ours,
)
OTHERS = Journey(
    page="docs/lab/vagrant-other-report.md",
    command="make test-vagrant-other",
    title="A run on boxes of others",
    description="What the last run on Debian 13 boxes that are not this project's took, and how its answers compare.",
    about=(
        "Its boxes have nothing of this project inside: Debian 13 of Debian's packages, made as public boxes are.",
        "In each, something else manages the network:",
        "",
        *(f"- {kind.name}, {kind.about};" for kind in others.KINDS[:-1]),
        f"- {others.KINDS[-1].name}, {others.KINDS[-1].about}.",
    ),
    comparisons=(
        ("A plain `vagrant up` made the whole cluster on {machines} of three such boxes", DIFFERENCES, slice(-1, None)),
        ("Then all machines were started anew by `vagrant reload`", STARTED_ANEW, slice(0, 1)),
    ),
    go=_go_others,
)


def page(run: Run, journey: Journey = OURS) -> str:
    """The report in Markdown; every number of it was measured by this run."""
    lines = [
        "---",
        f"title: {journey.title}",
        f"description: {journey.description}",
        "---",
        "",
        f"# {journey.title}",
        "",
        f"This page is written by `{journey.command}`, each time anew, and by nobody else.",
        *_sentences(run),
        *([f"It compared the captures of commit {run.commit[:12]}."] if run.commit and run.compared[0].found else []),
        *(["", *journey.about] if journey.about else []),
        "",
        f"It began on {run.begun:%Y-%m-%d at %H:%M} UTC and took {_minutes(run.seconds)}; "
        f"its limit was {run.limit} minutes.",
        *(["The machines ran already when it began; all after that was made by it."] if run.found else []),
        f"The processor was {'not emulated (KVM)' if run.kvm else 'emulated by QEMU, since KVM was not usable here'}; "
        f"this host's load at the end was {run.load} (over 1, 5 and 15 minutes).",
        "",
    ]
    if run.error:
        lines += ["## Why it ended", "", *_fence(run.error), ""]
    lines += ["## Times", "", "| step | seconds |", "|---|---|"]
    lines += [f"| {text} | {seconds:.1f} |" for text, seconds in run.steps]
    if run.unfinished and run.unfinished not in run.failed:
        lines.append(f"| {run.unfinished} | did not end |")
    lines += [f"| {text} | failed, see below |" for text in run.failed]
    lines += ["", "## Versions", "", "| program | version |", "|---|---|"]
    lines += [f"| {name} | {version} |" for name, version in (run.versions | run.cluster).items()]
    lines.append("")
    for each in run.compared:
        if each.found or each is run.compared[0]:
            lines += [f"## {each.heading}", "", *_differences(each.found)]
    if run.failed:
        lines += ["## Commands that failed", ""]
        for text, said in run.failed.items():
            lines += [f"`{text}`", "", *_fence(said), ""]
    if run.state:
        lines += ["## What the nodes said at the end", ""]
        for question, said in run.state.items():
            lines += [f"`{question}`", "", *_fence(said), ""]
    return "\n".join(lines).rstrip() + "\n"


def _sentences(run: Run) -> list[str]:
    machines = f"{len(load_spec().nodes)} virtual machines"
    if told := [
        f"{each.after.format(machines=machines)}; {_counted(each.found, each.wanted)}."
        for each in run.compared if each.found
    ]:  # fmt: skip
        return told
    if run.unfinished:
        return [f"The run did not come to a ready cluster: it ended at the step “{run.unfinished}”."]
    return ["The run did not come to a ready cluster."]


def _counted(found: dict[str, Any], wanted: int) -> str:
    counts = found["counts"]
    told = f"{counts['unchanged']} of {counts['all']} outputs that were compared were the book's"
    if due := [each for each in found["snippets"] if each["result"] == _due(each["snippet"]) != "unchanged"]:
        told += f", {len(due)} {'was' if len(due) == 1 else 'were'} another as it must be"
    if counts["all"] < wanted:
        told += f", {wanted - counts['all']} more could not be compared within the limit"
    return told


def _differences(found: dict[str, Any]) -> list[str]:
    if not found:
        return ["No output was compared.", ""]
    lines = [f"- {name}: {why}." for name, why in EXPECTED.items()]
    lines.append("")
    equal = [each["snippet"] for each in found["snippets"] if each["result"] == "unchanged"]
    others = [each for each in found["snippets"] if each["result"] != "unchanged"]
    if missed := [name for name in equal if name in DIFFERS]:
        lines += [f"Equal, and listed as what must be another: {', '.join(missed)}.", ""]
    # Not as code: a snippet's name in code on a page is the mark of a claim that rests on it.
    lines += [f"Equal to the book apart from noise: {', '.join(equal) or 'none'}.", ""]
    for each in others:
        as_due = each["result"] == _due(each["snippet"])
        lines += [f"### {each['snippet']}: {'another, as it must be' if as_due else each['result']}", ""]
        lines += [f"The reason: {DIFFERS[each['snippet']]}.", ""] if as_due else []
        lines += [f"- {finding['sentence']}" for finding in each["findings"]]
        lines += ["", *_fence(each["error"] or each["difference"]), ""]
    return lines


def _fence(text: str) -> list[str]:
    """A block of plain text, without this machine's paths, and narrow enough to read."""
    plain = text.replace(str(ROOT), ".").replace(str(Path.home()), "~")
    return ["```text", *(line.rstrip() for line in plain.replace("\t", "    ").rstrip().splitlines()), "```"]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


if __name__ == "__main__":
    main()
