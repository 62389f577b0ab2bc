"""The command `lab`."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lab.carriers import own_cluster
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.carriers import Live

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def say(text: str) -> None:
    """One line about the progress, at once, on standard error."""
    click.echo(text, err=True)


class Lab(click.Group):
    """Turns every LabError into a message and exit status 1, and Ctrl-C into 130."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LabError as error:
            click.echo(f"lab: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("lab: interrupted; what was begun is cleared away", err=True)
            ctx.exit(130)
        except BrokenPipeError:  # the reader of our output went away, as `| head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            ctx.exit(1)
        except OSError as error:
            place = f" {error.filename}" if error.filename else ""
            click.echo(
                f"lab: {error.strerror or error}:{place}\n  hint: is the disk full, or not yours? df -h",
                err=True,
            )
            ctx.exit(1)


@click.group(cls=Lab, context_settings=CONTEXT)
def main() -> None:
    """A real Kubernetes cluster of three nodes, as plain processes, and the book that is captured from it.

    Start with `lab up`, look with `lab status`, enter with `lab shell`, end with `lab down`.

    Completion for bash: eval "$(_LAB_COMPLETE=bash_source lab)"  (zsh_source and fish_source exist too)
    """
    # A polite end (SIGTERM) clears away like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def complete_node(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the nodes, for the shell's completion."""
    from lab.spec import load_spec

    return [node.name for node in load_spec().nodes if node.name.startswith(incomplete)]


def complete_snippet(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of snippets and chapters, for the shell's completion."""
    from lab.snippets import discover

    names = {str(snippet) for snippet in discover()}
    names |= {name.split("/")[0] for name in names}
    return sorted(name for name in names if name.startswith(incomplete))


def complete_chapter(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the chapters, for the shell's completion."""
    return [name for name in complete_snippet(ctx, param, incomplete) if "/" not in name]


def complete_mode(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The modes of kube-proxy, for the shell's completion."""
    from lab.proxy_mode import MODES

    return [mode for mode in MODES if mode.startswith(incomplete)]


# --- host and products -----------------------------------------------------------


@main.command()
@click.option("--packages", is_flag=True, help="Print only the names of missing Debian packages, for a script.")
@click.option("--carrier", help="Also look for what the carrier `vagrant` needs.")
def doctor(packages: bool, carrier: str | None) -> None:
    """Say what this host lacks, and the exact command that repairs it."""
    from lab import doctor as examination

    machines = carrier == "vagrant"
    if packages:
        click.echo(" ".join(examination.packages(build=True, machines=machines)))
        return
    findings = examination.examine(machines=machines)
    for finding in findings:
        click.echo(f"{finding.what}\n  repair: {finding.repair}")
    if findings:
        raise LabError("this host lacks something", hint="look again afterwards: lab doctor")
    click.echo("nothing is missing")


@main.command()
@click.option("--check", is_flag=True, help="Read every product and compare its digest, instead of trusting times.")
@click.option("--export", "target", type=click.Path(path_type=Path), help="Write all products into FILE.")
@click.option("--import", "source", type=click.Path(path_type=Path), help="Take all products from FILE.")
def build(check: bool, target: Path | None, source: Path | None) -> None:
    """Build what nodes are made of: kernel, programs, images, disk. On ARM, what virtual machines are given.

    Each part is kept outside the checkout under a digest of what it is made from, so only
    what changed is built. The first build takes about a quarter of an hour on two cores.
    """
    from lab import build as making
    from lab import doctor as examination

    if source is not None:
        making.import_from(source, say)
        return
    if target is not None:
        making.export(target, say)
        return
    if making.missing():
        examination.require(build=True, kernels=False)
    making.build(say, check=check)


@main.command()
@click.option("--files", "only_files", is_flag=True, help="Only lay down what the nodes are given.")
@click.option("--other", is_flag=True, help="For another Debian 13 box: lay down the programs and the images too.")
def box(only_files: bool, other: bool) -> None:
    """Make the box that `vagrant up` starts its virtual machines from, and lay down what each node is given.

    The box is a Debian with the programs and the images inside; it is kept beside the other products.
    """
    from lab import lifecycle
    from lab.vagrant import files
    from lab.vagrant import lifecycle as machines

    with lifecycle.exclusive():
        machines.prepare(say, with_box=not only_files and not other, with_products=other)
    say(f"laid down in {files.folder()}; start the machines with: vagrant up")


@main.command()
@click.option("--sbom", is_flag=True, help="Print a software bill of materials (SPDX 2.3, JSON).")
@click.option("--all", "everything", is_flag=True, help="Also list the Debian packages.")
def versions(sbom: bool, everything: bool) -> None:
    """List every component with version, origin and digest."""
    from lab import build as making

    if sbom:
        click.echo(making.sbom(), nl=False)
        return
    for row in making.components():
        if everything or row["origin"] != "Debian package":
            digest = f"sha256:{row['sha256']}" if row["sha256"] else "-"
            click.echo(f"{row['name']:<45} {row['version']:<20} {row['origin']}  {digest}")


def attaching(command: Any) -> Any:
    """The options of `lab up --carrier attached`."""
    options = (
        click.option("--kubeconfig", metavar="FILE", help="attached: leads to your cluster."),
        click.option("--context", metavar="NAME", help="attached: of the kubeconfig, instead of its current one."),
        click.option("--ssh-config", metavar="FILE", help="attached: nodes it does not name are entered by pods."),
        click.option(
            "--nodes", metavar="A=X,B=Y", help="attached: which of your nodes play controlplane, node01, node02."
        ),
        click.option("--namespace", metavar="NAME", help="attached: where pods are made; `living-book` if left out."),
        click.option("--mine", is_flag=True, help="attached: it is yours alone; snippets may stop programs on nodes."),
        click.option("--even-production", "production", is_flag=True, help="attached: its name only looks like that."),
        click.option("--yes", is_flag=True, help="attached: make what is shown without asking."),
    )
    for option in reversed(options):
        command = option(command)
    return command


# --- the cluster -----------------------------------------------------------------


@main.command()
@click.option("--fresh", is_flag=True, help="Make the cluster anew instead of booting its baked disks.")
@click.option("--workers", type=int, help="How many workers; two are described in lab/cluster.yaml.")
@click.option(
    "--carrier",
    help="What carries the nodes: `uml`, kernels in user mode; `vagrant`, virtual machines; `attached`, a cluster of "
    "your own. Without it, the one of last time.",
)
@attaching
def up(fresh: bool, workers: int | None, carrier: str | None, **options: Any) -> None:
    """Start the cluster and wait until it is truly ready.

    The first start makes the cluster with kubeadm and bakes its disks; later ones boot those.
    A lab that is up already is left alone, a dead node is brought back.
    """
    from lab import build as making
    from lab import carriers, lifecycle
    from lab import doctor as examination

    _choose(carrier)
    name = carriers.chosen()
    chosen = carriers.lifecycle(name)
    if name == "attached":
        with lifecycle.exclusive():
            chosen.up(say, fresh=fresh, workers=workers, **options)
        return
    if told := [f"--{key.replace('_', '-')}" for key, value in options.items() if value]:
        raise LabError(f"{', '.join(told)}: for a cluster of your own", hint="say --carrier attached, too")
    say("looking at this host ...")
    examination.require(build=bool(making.missing()), workers=workers)
    with lifecycle.exclusive():
        before = carriers.remembered()["carrier"]
        if before != name:
            say(f"ending the lab on {before}, to make one on {name}")
            carriers.lifecycle(before).down(say)
        making.build(say)
        chosen.up(say, fresh=fresh, workers=workers)


@main.command()
@click.option("--delete", is_flag=True, help="Also remove disks, keys and logs of this checkout's lab.")
def down(delete: bool) -> None:
    """End the cluster: no process, namespace, mount or socket of it stays."""
    from lab import carriers, lifecycle

    chosen = carriers.lifecycle(carriers.chosen())
    with lifecycle.exclusive():
        (chosen.delete if delete else chosen.down)(say)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show nodes, versions, carrier, age and memory."""
    from lab import carriers

    state = carriers.lifecycle(carriers.chosen()).status()
    if as_json:
        click.echo(json.dumps(state, indent=1))
        return
    click.echo(f"{state['carrier']}: {state['phase']}")
    if warning := state.get("warning"):
        click.echo(warning)
    if not state["nodes"]:
        click.echo("start it: lab up")
        return
    memory = f", memory {state['memory_mib']} MiB" if "memory_mib" in state else ""
    click.echo(f"age {state['age_seconds']} s{memory}")
    for node in state["nodes"]:
        place = f"{node['name']:<14} {node['address']:<16} {node['role']:<14}"
        used = f" {node['memory_mib']:>5} MiB " if "memory_mib" in node else ""
        click.echo(f"  {place}{used} {node['kernel']}")
    for name, version in state["versions"].items():
        click.echo(f"  {name:<14} {version}")


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("node", shell_complete=complete_node)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(node: str, command: tuple[str, ...]) -> None:
    """Open a shell on NODE, or run a command there: `lab ssh node01 -- ip route`."""
    carrier = _carrier()
    carrier.spec.node(node)
    line = carrier.ssh_command(node)
    if own := own_cluster(carrier):
        _become(own.login(node, command, terminal=sys.stdin.isatty() and not command))
    terminal = ["-t"] if sys.stdin.isatty() and not command else []
    _become([*line[:-1], *terminal, line[-1], *command])


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def kubectl(words: tuple[str, ...]) -> None:
    """Run kubectl against the cluster: `lab kubectl -- get pods -A`."""
    from lab.paths import state_dir

    carrier = _carrier()
    _become(carrier.inside([state_dir() / "bin/kubectl", "--kubeconfig", carrier.kubeconfig(), *words]))


@main.command()
def shell() -> None:
    """Open a shell inside the lab's network, with KUBECONFIG, kubectl and calicoctl."""
    carrier = _carrier()
    _equip(carrier)
    _become(carrier.inside([os.environ.get("SHELL", "/bin/sh")]))


def _equip(carrier: Any) -> None:
    """What a program inside the lab's network finds in its environment."""
    from lab.paths import state_dir

    os.environ.update(
        KUBECONFIG=str(carrier.kubeconfig()), DATASTORE_TYPE="kubernetes",
        PATH=f"{state_dir() / 'bin'}:{os.environ['PATH']}", PS1="lab$ ",
    )  # fmt: skip


@main.command()
@click.argument("chapter", required=False, shell_complete=complete_chapter)
@click.option("--port", type=click.IntRange(1024, 65535), help="Of 127.0.0.1; a free one if left out.")
def notebook(chapter: str | None, port: int | None) -> None:
    """Open the chapters, or one CHAPTER, as notebooks in JupyterLab.

    Its kernels are inside the lab's network, so the cells print what the book shows.
    """
    from lab import jupyter, paths
    from lab import notebook as notebooks

    wanted = notebooks.find(paths.ROOT, chapter) if chapter else None
    carrier = _carrier()
    _not_attached(carrier, "notebooks hold the book's own addresses", "one by one: lab run CHAPTER/NAME")
    jupyter.require()
    folder = paths.state_dir() / "notebooks"
    for kept in jupyter.write(folder, notebooks.chapters(paths.ROOT)):
        say(f"your own changes are kept in {kept}")
    _equip(carrier)
    jupyter.serve(carrier, folder, wanted.file if wanted else "", jupyter.listen(port or 0), say)


@main.command()
@click.argument("node", shell_complete=complete_node)
@click.argument("unit", required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on showing what comes.")
def logs(node: str, unit: str | None, follow: bool) -> None:
    """Show the log of NODE, or of one UNIT on it (kubelet, containerd, ssh)."""
    from lab import lifecycle
    from lab.spec import load_spec

    try:
        carrier = _carrier()
    except LabError:
        load_spec().node(node)
        console = lifecycle.console(node)
        if console is None:
            raise LabError(f"{node} does not run and left no log", hint="start the lab: lab up") from None
        click.echo(console.read_text(errors="replace"), nl=False)
        return
    if not carrier.alive(node) and (console := carrier.log(node)) is not None:
        click.echo(console.read_text(errors="replace"), nl=False)
        return
    words = ["journalctl", "--no-pager", *(["-u", unit] if unit else []), *(["-f"] if follow else [])]
    _become([*carrier.ssh_command(node), " ".join(words)])


@main.command()
def reset() -> None:
    """Delete what snippets left in the cluster."""
    from lab import scenario

    carrier = _carrier()
    carrier.enter()
    for name in scenario.reset(carrier):
        click.echo(f"deleted {name}")


@main.command("proxy-mode")
@click.argument("mode", required=False, shell_complete=complete_mode)
def proxy_mode(mode: str | None) -> None:
    """Switch every kube-proxy to MODE (iptables, nftables, ipvs), or say which mode is in force on each node.

    The outputs of the book are of iptables: go back with `lab proxy-mode iptables`.
    """
    from lab import proxy_mode as modes
    from lab.turn import turn

    if mode is not None:
        modes.check(mode)
        own = own_cluster(_carrier())
        if own and not own.mine:
            _not_attached(own, "its kube-proxy is left as it is", "if it is yours alone: lab up --mine")
        with turn():
            modes.Switch(_carrier(), say).to(mode)
        return
    for node, found in modes.Switch(_carrier()).modes().items():
        click.echo(f"{node:<14} {found or 'no answer'}")


@main.command()
@click.argument("world", required=False)
@click.option(
    "--carrier", help="Where it stands: `uml`, on the lab's node01; or `here`, on this machine, without a lab."
)
def sandbox(world: str | None, carrier: str | None) -> None:
    """Open a shell in a sandbox of your own: root over new namespaces, nobody outside; gone when you leave.

    WORLD builds something first: two-hosts, two-nodes or three-servers.
    """
    from lab import worlds
    from lab.sandbox import sandbox as box

    _choose(carrier)
    build = worlds.WORLDS.get(world or "")
    if world and build is None:
        raise LabError(f"there is no world {world!r}", hint=f"there are: {', '.join(worlds.WORLDS)}")
    hosts = build() if build else ()
    for host in hosts:
        say(f"{host.name}: ip netns exec {host.name} sh")
    sys.exit(box.shell())


class Days(click.IntRange):
    """A number of days; an option that was given none means the one that all share."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value != "":
            return super().convert(value, param, ctx)
        from lab.freshness import AGE

        return AGE


# --- snippets --------------------------------------------------------------------


@main.command()
@click.argument("snippet", shell_complete=complete_snippet)
@click.option(
    "--carrier", help="What answers: `uml`, the running lab; `replay`, the captures; or `here`, this machine."
)
def run(snippet: str, carrier: str | None) -> None:
    """Run one snippet and show its transcript."""
    from lab import runner

    _choose(carrier)
    runner.run(snippet)


@main.command()
@click.argument("names", nargs=-1, shell_complete=complete_snippet)
@click.option(
    "--all", "everything", is_flag=True, help="Without names: all, also the fresh ones; goes on after Ctrl-C."
)
def update(names: tuple[str, ...], everything: bool) -> None:
    """Run snippets and keep what they print: a chapter's, by name, or without names those that are stale or missing."""
    from lab import receipt, runner

    report = runner.update(list(names), commit=receipt.commit(), everything=everything)
    _conclude(report)


@main.command()
@click.argument("names", nargs=-1, shell_complete=complete_snippet)
@click.option("--jobs", "-j", type=click.IntRange(1, 16), default=4, show_default=True, help="Scenarios side by side.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write a report for programs to FILE.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Also write JUnit XML to FILE.")
@click.option("--carrier", help="What answers: `uml`, the running lab; or `here`, this machine, for what needs no lab.")
def verify(
    names: tuple[str, ...], jobs: int, json_file: Path | None, junit_file: Path | None, carrier: str | None
) -> None:
    """Run snippets and compare with what is kept; change nothing of it. Any difference fails.

    Each difference is told as what it means, line by line, and with the sentence of the book that rests on it.
    """
    from lab import runner

    _choose(carrier)
    report = runner.verify(list(names), jobs=jobs, json_file=json_file, junit_file=junit_file)
    _conclude(report, changed_is_failure=True)


@main.command()
@click.argument("names", nargs=-1, required=True, shell_complete=complete_snippet)
@click.option("--jobs", "-j", type=click.IntRange(1, 16), default=4, show_default=True, help="Scenarios side by side.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write a report for programs to FILE.")
@click.option("--carrier", help="What answers; without it, what `lab up` took last.")
def check(names: tuple[str, ...], jobs: int, json_file: Path | None, carrier: str | None) -> None:
    """Compare your cluster with the book: a chapter's answers, or those of single snippets.

    Each is the same, differs as expected (other addresses and names, consistently), or differs in meaning: then it is
    said what differs, what the book says about it, what usually causes it, and the next command.

    Exit status: 0 when nothing differs in meaning, 1 when something does, 2 when nothing could be compared.
    """
    from lab import check as checking
    from lab import verdicts

    _choose(carrier)
    try:
        verdicts.check_place(json_file)
        report = checking.check(list(names), jobs=jobs)
    except LabError as error:
        click.echo(f"lab: {error}", err=True)
        sys.exit(2)
    if json_file:
        report.write_json(json_file)
    click.echo(f"\n{report.text()}")
    sys.exit(report.status)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Only say which there are, and which snippets must see each.")
@click.option("--sample", type=click.IntRange(min=1), help="Do only so many, drawn by lot.")
@click.option("--seed", type=int, help="Decides the lot; without it, today's date does.")
@click.option("--repair", "only_repair", is_flag=True, help="Only repair what a run that was killed left broken.")
@click.option("--by", type=click.Choice(["verify", "check"]), default="verify", help="Who must say what is broken.")
def mutate(
    names: tuple[str, ...], listed: bool, sample: int | None, seed: int | None, only_repair: bool, by: str
) -> None:
    """Break the running cluster on purpose, and see that `lab verify`, or `lab check`, says what is broken.

    Each of the mutations NAMES (all without names) must turn red the snippets that show what it breaks, with
    exactly the finding that names it. The cluster is repaired each time, also after Ctrl-C.
    """
    from datetime import date

    from lab import carriers, mutations, runner
    from lab import check as comparing
    from lab import mutate as checking

    if listed:
        for name, breaks, seen in checking.listing():
            click.echo(f"{name}\n  {breaks}\n  {seen}")
        return
    if only_repair:
        carrier = _carrier()
        carrier.enter()
        click.echo(f"repaired: {checking.repair_left(carrier) or 'nothing was left broken'}")
        return
    if carriers.chosen() == "attached":
        _not_attached(_carrier(), "mutations break a cluster on purpose", "take the book's own: lab up --carrier uml")
    lot = date.today().toordinal() if seed is None else seed
    if sample:
        say(f"drawn by lot; the same again: lab mutate --sample {sample} --seed {lot}")
    judge = comparing.judge if by == "check" else runner.judge
    if checking.check(mutations.select(names), sample=sample, seed=lot, judge=judge).faults:
        sys.exit(1)


@main.command()
@click.option(
    "--age", type=Days(0), is_flag=False, flag_value="", metavar="[DAYS]",
    help="Also those that are older than this; without a number, than the weekly run allows.",
)  # fmt: skip
def stale(age: int | None) -> None:
    """Name the captures that do not fit their snippets, pins and nodes any more, and say what changed."""
    from lab import runner

    found = runner.outdated(age)
    for name, reasons in found.items():
        click.echo(f"{name}\n" + "\n".join(f"  {reason}" for reason in reasons))
    if found:
        names = " ".join(found) if len(found) < 4 else "--all" if age is not None else ""
        count = "1 capture is" if len(found) == 1 else f"{len(found)} captures are"
        raise LabError(f"{count} stale", hint=f"capture them again: lab update {names}".rstrip())
    click.echo("every capture is fresh")


def _choose(carrier: str | None) -> None:
    """Take the option `--carrier`; a snippet's own process sees it too."""
    if carrier:
        os.environ["LAB_CARRIER"] = carrier


def _conclude(report: Any, *, changed_is_failure: bool = False) -> None:
    """The exit status of what was told already."""
    if report.failed or (changed_is_failure and report.changed):
        sys.exit(1)


def _carrier() -> "Live":
    """The carrier of the nodes that are up."""
    from lab import carriers

    return carriers.lifecycle(carriers.chosen()).running()


def _not_attached(carrier: "Live", why: str, hint: str) -> None:
    """Refuse what is not done to a cluster of the reader's own."""
    if own_cluster(carrier):
        raise LabError(f"not on a cluster of your own: {why}", hint=hint)


def _become(command: list[str]) -> NoReturn:
    sys.stdout.flush()
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        raise LabError(f"the program {command[0]} is missing", hint="lab doctor") from None
