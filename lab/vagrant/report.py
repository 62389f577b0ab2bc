"""`make test-vagrant`: the whole cluster on virtual machines, compared with the book, and a page about it.

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
from lab.carriers.uml import load_state
from lab.carriers.vagrant import VagrantCarrier, state_file
from lab.errors import LabError
from lab.lifecycle import exclusive
from lab.paths import ROOT, state_dir
from lab.snippets import select
from lab.spec import load_spec
from lab.vagrant import files, lifecycle, tool

PAGE = ROOT / "docs/lab/vagrant-report.md"
LIMIT = 75
"""Minutes that the whole run may take, unless `--limit` says fewer."""

CHAPTERS = ("pod_to_pod", "cluster_ip")
"""What is compared where the processor is emulated; with KVM it is the whole book."""

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

COMMAND_LIMIT = 1800.0
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
class Run:
    """What a run came to.

    Attributes:
        found: Whether the machines ran already when it began, as `--keep-machines` asks.
        steps: Each step that ended, and its seconds.
        state: What the cluster said of itself at the end, by the question.
        verdicts: The report of `lab verify`; empty when it did not come to it.
        wanted: How many outputs were to be compared.
        alone: The same for the cluster that `vagrant up` made without `lab`.
        wanted_alone: How many outputs were to be compared there.
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
    verdicts: dict[str, Any] = field(default_factory=dict)
    wanted: int = 0
    alone: dict[str, Any] = field(default_factory=dict)
    wanted_alone: int = 0
    commit: str = ""
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the cluster was ready, every output the book's or another that must be, and every command well."""
        compared = [(self.verdicts, self.wanted), (self.alone, self.wanted_alone)]
        return all(_as_wanted(*each) for each in compared) and not self.error and not self.failed

    def hear(self, line: str) -> None:
        """Keep what a line of progress tells: that a step began, or how long it took."""
        if found := re.fullmatch(r"(.+): ([\d.]+) s", line):
            self.steps.append((found[1], float(found[2])))
            self.unfinished = ""
        elif line.endswith(" ..."):
            self.unfinished = line.removesuffix(" ...")


def _as_wanted(found: dict[str, Any], wanted: int) -> bool:
    """Whether as many outputs were compared as there should be, and each came to what it must."""
    snippets = found.get("snippets", [])
    as_due = [each for each in snippets if each["result"] == _due(each["snippet"])]
    return 0 < wanted == len(as_due) == len(snippets)


def _due(snippet: str) -> str:
    """What the comparison of a snippet must come to."""
    return verdicts.CHANGED if snippet in DIFFERS else verdicts.UNCHANGED


def main() -> None:
    """Run it all within the limit, write the page, and exit with 1 if anything differs that should not."""
    asked = argparse.ArgumentParser(prog="lab.vagrant.report", description=__doc__)
    asked.add_argument("--limit", type=int, default=LIMIT, help="minutes that it may take")
    asked.add_argument(
        "--chapters", nargs="+", metavar="NAME", help="what is compared; else two chapters, with KVM the whole book"
    )
    asked.add_argument("--keep", action="store_true", help="leave the machines running afterwards")
    asked.add_argument("--keep-machines", action="store_true", help="take machines that run already")
    asked.add_argument("--go-on", action="store_true", help="go on with a run that was interrupted, and count its time")
    options = asked.parse_args()
    run = Run(begun=datetime.now(UTC), kvm=tool.kvm(), versions=_versions_here(), limit=options.limit)
    run.commit = receipt.commit() or ""
    chapters = options.chapters or ([] if run.kvm else list(CHAPTERS))
    try:
        run.wanted, run.wanted_alone = len(select(chapters)), len(select(chapters[-1:]))
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
        with exclusive():
            _cluster(run, say, keep=options.keep_machines or options.go_on)
        _compare(run.verdicts, say, chapters, limit=run.limit * 60)
        _live_on(run, say)
        for words in COMMANDS:
            _try(run, say, words)
        _alone(say)
        _compare(run.alone, say, chapters[-1:], limit=run.limit * 60)
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
        PAGE.write_text(page(run), encoding="utf-8")
        print(f"the report: {PAGE.relative_to(ROOT)}", file=sys.stderr)
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


def _cluster(run: Run, say: Callable[[str], None], *, keep: bool) -> None:
    os.environ["LAB_CARRIER"] = "vagrant"
    state = load_state(state_file())
    kept = keep and state is not None and state.alive()
    run.found = kept and not run.steps
    carrier = lifecycle.up(say, fresh=not kept)
    run.cluster = carrier.versions()


def _compare(into: dict[str, Any], say: Callable[[str], None], chapters: Sequence[str], *, limit: float) -> None:
    """Let the snippets run on the virtual machines, and compare with what is kept."""
    file = state_dir() / "vagrant-verdicts.json"
    file.unlink(missing_ok=True)
    words = ["verify", f"--jobs={4 if tool.kvm() else 1}", f"--json={file}", *chapters]
    with lifecycle.timed(say, "lab verify"):
        try:
            _, said = _lab(words, limit=limit, show=True)
        finally:  # also what was compared until the time was over is told
            if file.exists():
                into.update(json.loads(file.read_text()))
        if not into:
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

    def vagrant(*words: str, again: str = "") -> str:
        with lifecycle.timed(say, text := f"plain vagrant {words[0]}{again}"):
            return tool.run(
                VagrantCarrier.running().vagrant(*words, alone=True), what=text,
                log=files.folder() / "logs/vagrant.log", limit=COMMAND_LIMIT,
            )  # fmt: skip

    with exclusive():
        vagrant("destroy", "--force")
        vagrant("up")
        if "Running provisioner" in (said := vagrant("up", again=" again")):
            raise LabError("vagrant up provisioned machines that were up and provisioned", detail=said[-2000:])
        # Before `lab` has seen the machines: whatever is there now, Vagrant has made.
        said = vagrant("ssh", load_spec().control_plane.name, "-c", "sudo kubectl get nodes -o name")
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


def page(run: Run) -> str:
    """The report in Markdown; every number of it was measured by this run."""
    lines = [
        "---",
        "title: A run on virtual machines",
        "description: What the last run of the whole cluster on virtual machines took, and how its answers compare.",
        "---",
        "",
        "# A run on virtual machines",
        "",
        "This page is written by `make test-vagrant`, each time anew, and by nobody else.",
        _sentence(run),
        *([f"It compared the captures of commit {run.commit[:12]}."] if run.commit and run.verdicts else []),
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
    lines += ["", "## Differences", "", *_differences(run.verdicts)]
    if run.alone:
        lines += ["## Differences of the cluster that `vagrant up` made alone", "", *_differences(run.alone)]
    if run.failed:
        lines += ["## Commands that failed", ""]
        for text, said in run.failed.items():
            lines += [f"`{text}`", "", *_fence(said), ""]
    if run.state:
        lines += ["## What the nodes said at the end", ""]
        for question, said in run.state.items():
            lines += [f"`{question}`", "", *_fence(said), ""]
    return "\n".join(lines).rstrip() + "\n"


def _sentence(run: Run) -> str:
    if run.verdicts:
        up = f"The whole cluster came up on {len(load_spec().nodes)} virtual machines and was ready"
        told = f"{up}; {_counted(run.verdicts, run.wanted)}."
        if run.alone:
            again = "Then a plain `vagrant up` made it once more, on new machines"
            told += f"\n{again}; {_counted(run.alone, run.wanted_alone)}."
        return told
    if run.unfinished:
        return f"The run did not come to a ready cluster: it ended at the step “{run.unfinished}”."
    return "The run did not come to a ready cluster."


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
