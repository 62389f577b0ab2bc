"""One course over many snippets: scenario by scenario, side by side where that can do no harm, proved harmless.

Whatever is kept or called a change was printed while nothing else stood in the cluster
than the snippet's own scenario. Side by side, snippets of different scenarios can only
confirm what is kept: one whose answer differs there, because it lists a neighbour's routes
perhaps, runs again by itself, and the report says so.
"""

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from lab import carriers, scenario
from lab.carriers import Carrier
from lab.errors import LabError
from lab.objects import strangers
from lab.plan import Group, groups
from lab.snippets import LIMIT, Snippet
from lab.unchanged import Left, Proof, State, proof_for, told
from lab.worker import Workers


@dataclass
class Report:
    """What a run over several snippets came to.

    Attributes:
        changed: Snippets whose transcript is new or another one than the kept one.
        failed: Snippets that could not be run, compared or kept, or that left the cluster changed.
        unchanged: All others.
        again: Those of all that differed beside others, and so ran a second time, by themselves.
        skipped: Those that did not run, because a cluster of the reader's own lacks what they need, each with why.
        errors: Why the failed ones failed.
        seconds: How long all took.
    """

    changed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Work(Protocol):
    """What is done with each snippet.

    Attributes:
        keeps: Whether transcripts are kept: then nothing may run in a cluster that an earlier snippet changed.
    """

    keeps: bool

    def before(self, snippet: Snippet) -> None:
        """Look at what is there before the snippet runs.

        Raises:
            LabError: There is no use in running it.
        """

    def run(self, snippet: Snippet, workers: Workers) -> Any:
        """Run it.

        Raises:
            LabError: It failed.
        """

    def after(self, snippet: Snippet, done: Any) -> str:
        """Judge, or keep, what it printed: `unchanged`, or another word and lines of explanation.

        Raises:
            LabError: It cannot be judged or kept.
        """


class Course:
    """Runs snippets and reports on them.

    Args:
        carrier: The running lab; this process is in its network.
        workers: Where snippets' processes come from.
        work: What to do with each.
        chosen: The snippets.
    """

    def __init__(self, carrier: Carrier, workers: Workers, work: Work, chosen: list[Snippet]) -> None:
        self.report = Report()
        self._carrier = carrier
        self._workers = workers
        self._work = work
        self._chosen = chosen
        self._width = max(len(snippet.name) for snippet in chosen)
        self._digits = len(str(len(chosen)))
        self._finished: set[str] = set()
        self._ending = threading.Event()
        self._times: dict[str, tuple[float, float]] = {}
        self._culprit = ""

    def go(self, *, jobs: int) -> Report:
        """Run all.

        Args:
            jobs: How many scenarios may stand at the same time.

        Raises:
            LabError: The lab itself does not answer.
        """
        begun = time.monotonic()
        with proof_for(self._carrier) as proof:
            left = self._chosen
            together = groups(snippet for snippet in left if not snippet.alone)
            if jobs > 1 and len(together) > 1 and not self._work.keeps:
                self._side_by_side(together, proof, jobs)
                judged = {*self.report.unchanged, *self.report.failed}
                left = [snippet for snippet in left if snippet.name not in judged]
            if left:
                self._one_by_one(groups(left), proof)
        self.report.seconds = time.monotonic() - begun
        return self.report

    # --- side by side -------------------------------------------------------

    def _side_by_side(self, waiting: list[Group], proof: Proof, jobs: int) -> None:
        """Several scenarios at a time; what is left behind can then only be told of all together."""
        before = proof.look(whole=True)
        running: dict[Future[None], Group] = {}
        with ThreadPoolExecutor(jobs, "scenario") as pool:
            try:
                while waiting or running:
                    for group in list(waiting):
                        if len(running) < jobs and not any(group.excludes(other) for other in running.values()):
                            running[pool.submit(self._beside, group)] = group
                            waiting.remove(group)
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        del running[future]
                        future.result()
            except BaseException:
                # The others end what they run and remove their scenarios; leaving the block waits for that.
                self._ending.set()
                self._workers.close()
                raise
        left = proof.left(before)
        if left:
            self._blame(left, self._chosen)
            self._culprit = ""

    def _beside(self, group: Group) -> None:
        """One scenario's snippets while other scenarios stand."""
        try:
            with standing(group.scenario, self._carrier):
                for snippet in group.snippets:
                    if self._ending.is_set():
                        return
                    self._confirm(snippet)
        except LabError as error:
            if not self._ending.is_set():
                self._scenario_failed(group, error, later=self.report.again)

    def _confirm(self, snippet: Snippet) -> None:
        begun = time.monotonic()
        if not self._begin(snippet, begun):
            return
        try:
            result = self._work.after(snippet, self._run(snippet))
        except LabError as error:
            result = str(error)
        if self._ending.is_set():
            return
        if result == "unchanged":
            self._tell(snippet, begun, result)
        else:
            self.report.again.append(snippet.name)
            self._line(snippet, begun, "differs beside others; it runs again by itself", finished=False)

    # --- one by one ---------------------------------------------------------

    def _one_by_one(self, waiting: list[Group], proof: Proof) -> None:
        """One scenario at a time; a snippet that leaves something is named."""
        before = proof.look(whole=True)
        if self._work.keeps and before.objects and (found := strangers(before.objects)):
            raise LabError(
                "the cluster holds what no scenario made, and the outputs would show it",
                detail="\n".join(found),
                hint="what snippets left: lab reset; the rest: `lab kubectl delete`, or begin anew: lab up --fresh",
            )
        for group in waiting:
            if self._culprit and self._work.keeps:
                self._refuse(group)
                continue
            try:
                with standing(group.scenario, self._carrier):
                    now = proof.look(whole=self._work.keeps) if group.scenario else before
                    for snippet in group.snippets:
                        now = self._alone(snippet, proof, now)
            except LabError as error:
                self._scenario_failed(group, error)
            left = proof.left(before)
            if not left:
                # What a snippet left may have been in its scenario, and gone with it.
                self._culprit = ""
                continue
            if not self._culprit:
                self._blame(left, group.snippets)
            if not self._work.keeps:
                # Told once; from here on that is how the cluster is.
                before, self._culprit = proof.look(whole=True), ""

    def _alone(self, snippet: Snippet, proof: Proof, now: State) -> State:
        """One snippet, and the proof that it left nothing; returns the state that the next one finds."""
        begun = time.monotonic()
        if self._culprit and self._work.keeps:
            self._refuse(Group(snippet.scenario, (snippet,)))
            return now
        if not self._begin(snippet, begun):
            return now
        done, faults = None, []
        try:
            done = self._run(snippet)
        except LabError as error:
            faults.append(error)
        left = proof.left(now)
        if left:
            faults.append(leftover([snippet.name], left))
        else:
            try:
                result = self._work.after(snippet, done) if not faults else ""
            except LabError as error:
                faults.append(error)
        self._tell(snippet, begun, "\n".join(["FAILED", *map(str, faults)]) if faults else result)
        if not left:
            return now
        self._culprit = snippet.name
        return proof.look(whole=now.objects is not None)

    def _refuse(self, group: Group) -> None:
        """What would be kept now is not what another cluster prints."""
        for snippet in group.snippets:
            error = LabError(
                f"{snippet.name} was not run: {self._culprit} left the cluster changed",
                hint=f"mend {self._culprit} and the cluster (`lab reset`, or `lab up --fresh`), then: lab update",
            )
            self._tell(snippet, time.monotonic(), f"FAILED\n{error}")

    # --- both ---------------------------------------------------------------

    def _begin(self, snippet: Snippet, begun: float) -> bool:
        """Whether there is any use in running a snippet; if not, that is told."""
        try:
            snippet.check()
            self._work.before(snippet)
        except LabError as error:
            self._tell(snippet, begun, f"FAILED\n{error}")
            return False
        return True

    def _run(self, snippet: Snippet) -> Any:
        # In a file or a pipe nobody waits: there each snippet has its one line.
        if snippet.limit > LIMIT and sys.stdout.isatty():
            self._print(snippet, f"begins; it may run {snippet.limit * carriers.patience():.0f} s")
        started = time.time()
        try:
            return self._work.run(snippet, self._workers)
        finally:
            self._times[snippet.name] = (started, time.time())

    def _scenario_failed(self, group: Group, error: LabError, *, later: Iterable[str] = ()) -> None:
        """What depends on a scenario that cannot be had could not run, apart from what runs again later."""
        say(str(error))
        report = self.report
        told = {*report.unchanged, *report.changed, *report.failed, *later}
        missing = [snippet.name for snippet in group.snippets if snippet.name not in told]
        self._finished.update(missing)
        for name in missing or [f"scenario {group.scenario}"]:
            report.failed.append(name)
            report.errors[name] = str(error)

    def _blame(self, left: Sequence[Left], snippets: Iterable[Snippet]) -> None:
        """Tell what is not as it was at the end, and who can have left it."""
        times = {snippet.name: self._times[snippet.name] for snippet in snippets if snippet.name in self._times}
        names = suspects(left, times)
        error = str(leftover(names, left))
        say(error)
        self._culprit = " or ".join(names)
        for found in (self.report.unchanged, self.report.changed):
            found[:] = [name for name in found if [name] != names]
        who = names[0] if len(names) == 1 else "the cluster"
        self.report.failed.append(who)
        self.report.errors[who] = error

    def _tell(self, snippet: Snippet, begun: float, result: str) -> None:
        word, _, rest = result.partition("\n")
        if word == "FAILED":
            self.report.errors[snippet.name] = rest
        {"unchanged": self.report.unchanged, "FAILED": self.report.failed}.get(word, self.report.changed).append(
            snippet.name
        )
        if snippet.name in self.report.again and word == "unchanged":
            result = "unchanged; only beside others it differs: cluster.alone would tell"
        self._line(snippet, begun, result)

    def _line(self, snippet: Snippet, begun: float, result: str, *, finished: bool = True) -> None:
        self._print(snippet, f"{time.monotonic() - begun:5.1f} s  {result}", finished=finished)

    def _print(self, snippet: Snippet, text: str, *, finished: bool = False) -> None:
        """A line about one snippet; the one that says how it ended has its number."""
        count = ""
        with _saying:
            if finished:
                self._finished.add(snippet.name)
                count = f"[{len(self._finished):{self._digits}}/{len(self._chosen)}]"
            print(f"{count:{2 * self._digits + 3}} {snippet.name:{self._width}}  {text}", flush=True)


def suspects(left: Sequence[Left], times: Mapping[str, tuple[float, float]]) -> list[str]:
    """The snippets that can have left something, by when they ran and when it was made.

    Args:
        left: What was left.
        times: When each snippet ran, in seconds since 1970.
    """
    # The API server rounds to seconds.
    made = [each.created for each in left if each.created is not None]
    found = [name for name, (start, end) in times.items() if any(start - 1 <= when <= end + 1 for when in made)]
    return found or list(times)


def leftover(names: Sequence[str], left: Sequence[Left]) -> LabError:
    """Somebody left the cluster changed."""
    which = f"; which one? lab verify --jobs 1 {' '.join(names)}" if len(names) > 1 else ""
    return LabError(
        f"{' or '.join(names) or 'a scenario'} left the cluster changed",
        detail=told(left),
        hint=f"let it undo what it does; mend the cluster with `lab reset` or `lab up --fresh`{which}",
    )


@contextmanager
def standing(name: str | None, carrier: Carrier) -> Iterator[None]:
    """A scenario that stands while the block runs, and is gone afterwards, also after Ctrl-C.

    Raises:
        LabError: It did not become ready, or does not go away.
    """
    if name is None:
        yield
        return
    begun = time.monotonic()
    try:
        scenario.apply(name, carrier)
    except BaseException:
        # Why it failed matters more than that its remains cannot be removed either.
        with suppress(LabError):
            scenario.remove(name, carrier)
        raise
    print(f"scenario {name} is ready after {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        scenario.remove(name, carrier)


_saying = threading.Lock()


def say(text: str) -> None:
    """Whole lines, also from several threads."""
    with _saying:
        print(text, flush=True)
