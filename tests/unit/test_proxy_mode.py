"""The mode of kube-proxy: how it is switched, what waits for what, and what a failure says."""

import importlib

import pytest
from click.testing import CliRunner
from fakes import FakeCarrier, FakeClock, Memory

from lab import proxy_mode
from lab.carriers import Completed
from lab.carriers.uml import UmlCarrier
from lab.cli import main
from lab.errors import LabError
from lab.proxy_mode import ASK, CLEAR, CONFIGURE, MODES, ORDER, RESTART, Switch, while_in

cluster_module = importlib.import_module("lab.cluster")
NODES = ["controlplane", "node01", "node02"]


class FakeProxies(FakeCarrier):
    """Three nodes whose kube-proxies take the configured mode a few questions after they are replaced."""

    def __init__(self, mode: str = "iptables") -> None:
        super().__init__()
        self.modes = dict.fromkeys(NODES, mode)
        self.configured = mode
        self.slow: dict[str, int] = {}
        self.failing = ""

    def execute(self, node: str, command: str, *, timeout: float = 30.0) -> Completed:
        """What a node of the lab would answer."""
        self.asked.append((node, command))
        status, stdout = 0, ""
        for mode in MODES:
            if command == CONFIGURE.format(mode=mode):
                self.configured = mode
        if self.failing and self.failing in command:
            return Completed(1, "", "it is broken", 0.01)
        if command == ASK:
            stdout = self.modes[node]
        elif command == RESTART:
            self.slow = dict.fromkeys(NODES, 3)
        elif command.startswith("[ "):
            status = 0 if f"= {self._mode(node)} ]" in command else 1
        return Completed(status, stdout, "", 0.01)

    def _mode(self, node: str) -> str:
        if self.slow.get(node, 0) > 0:
            self.slow[node] -= 1
        else:
            self.modes[node] = self.configured
        return self.modes[node]


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> FakeProxies:
    """The lab in iptables mode, and a clock that nobody waits for."""
    monkeypatch.setattr(proxy_mode, "time", FakeClock())
    return FakeProxies()


def test_the_mode_of_each_node(proxies: FakeProxies) -> None:
    """It is asked of kube-proxy itself, not read in its configuration."""
    proxies.modes["node02"] = ""
    assert Switch(proxies).modes() == {"controlplane": "iptables", "node01": "iptables", "node02": ""}


@pytest.mark.parametrize("mode", MODES)
def test_a_switch_ends_when_all_nodes_are_in_the_mode(proxies: FakeProxies, mode: str) -> None:
    """Whatever mode they were in."""
    proxies.modes = dict(zip(NODES, MODES, strict=True))
    proxies.configured = "ipvs"
    Switch(proxies).to(mode)
    assert set(proxies.modes.values()) == {mode}


def test_each_step_is_told_with_its_time(proxies: FakeProxies) -> None:
    """One line each, in their order."""
    told: list[str] = []
    Switch(proxies, told.append).to("nftables")
    assert [line.rpartition(": ")[0] for line in told] == [
        "kube-proxy's ConfigMap says nftables",
        "its pods are replaced",
        "nftables is in force on controlplane, node01, node02",
        "what other modes left is cleared away",
        "Calico has taken notice",
        "kube-proxy is in nftables mode",
    ]
    assert all(line.endswith(" s") for line in told)


@pytest.mark.parametrize("mode", MODES)
def test_what_the_others_left_is_cleared_away(proxies: FakeProxies, mode: str) -> None:
    """On every node, and never what the mode itself has made."""
    Switch(proxies).to(mode)
    for node in NODES:
        cleared = [name for name in MODES if (node, CLEAR[name]) in proxies.asked]
        assert cleared == [name for name in MODES if name != mode]


def test_nothing_is_cleared_before_the_new_rules_are_there(proxies: FakeProxies) -> None:
    """Or connections would find neither the old nor the new ones for longer than they must."""
    Switch(proxies).to("ipvs")
    commands = [command for _, command in proxies.asked]
    last_wait = max(index for index, command in enumerate(commands) if command.startswith("[ "))
    assert last_wait < commands.index(CLEAR["iptables"]) < commands.index(ORDER)


def test_a_mode_in_force_is_only_cleaned(proxies: FakeProxies) -> None:
    """So that a switch that was broken off can be mended without another one."""
    Switch(proxies).to("iptables")
    commands = {command for _, command in proxies.asked}
    assert RESTART not in commands and CLEAR["ipvs"] in commands


@pytest.mark.parametrize("where", ["cli", "cluster", "switch"])
def test_an_unknown_mode_names_the_three(proxies: FakeProxies, where: str) -> None:
    """Before the lab is asked anything."""
    if where == "cli":
        done = CliRunner().invoke(main, ["proxy-mode", "ebpf"])
        said = done.output
        assert done.exit_code == 1
    else:
        with pytest.raises(LabError) as caught:
            if where == "cluster":
                cluster_module.Cluster(connect=lambda: proxies).proxy_mode("ebpf")
            else:
                Switch(proxies).to("ebpf")
        said = str(caught.value)
    assert "kube-proxy has no mode 'ebpf'" in said and "its modes are iptables, nftables, ipvs" in said
    assert proxies.asked == []


def test_a_node_that_does_not_follow_is_named(proxies: FakeProxies) -> None:
    """With the condition, and where to look."""
    proxies.failing = "[ "
    with pytest.raises(LabError, match=r"controlplane: waited 90 s in vain for .*= nftables") as caught:
        Switch(proxies).to("nftables")
    assert "it is broken" in str(caught.value) and "logs" in caught.value.hint


def test_a_step_that_fails_says_the_way_back(proxies: FakeProxies) -> None:
    """The command, its words, and the next command."""
    proxies.failing = "ipvsadm -C"
    with pytest.raises(LabError, match="exited 1") as caught:
        Switch(proxies).to("nftables")
    assert "it is broken" in str(caught.value) and "lab proxy-mode iptables" in caught.value.hint


# --- in snippets -----------------------------------------------------------------


def test_afterwards_the_old_mode_is_back(proxies: FakeProxies) -> None:
    """Also when the block fails."""
    with pytest.raises(ValueError, match="in the block"), while_in("ipvs", proxies):
        assert set(proxies.modes.values()) == {"ipvs"}
        raise ValueError("in the block")
    assert set(proxies.modes.values()) == {"iptables"}


def test_a_switch_that_fails_is_taken_back(proxies: FakeProxies) -> None:
    """The block does not run."""
    proxies.failing = "ipvsadm -Sn"
    with pytest.raises(LabError, match="in vain"), while_in("ipvs", proxies):
        raise AssertionError("the block must not run")
    assert set(proxies.modes.values()) == {"iptables"}


def test_the_same_mode_costs_nothing(proxies: FakeProxies) -> None:
    """The nodes are asked, and that is all."""
    with while_in("iptables", proxies):
        pass
    assert {command for _, command in proxies.asked} == {ASK}


def test_a_mixed_cluster_is_not_switched(proxies: FakeProxies) -> None:
    """Nobody could say what to go back to."""
    proxies.modes["node01"] = "ipvs"
    with pytest.raises(LabError, match="not all in one mode") as caught, while_in("nftables", proxies):
        pass
    assert "node01: ipvs" in str(caught.value) and caught.value.hint == "lab proxy-mode iptables"


def test_on_replay_nothing_is_switched(proxies: FakeProxies) -> None:
    """What is on record was said in that mode."""
    proxies.recorded = Memory([])
    with cluster_module.Cluster(connect=lambda: proxies).proxy_mode("nftables"):
        pass
    assert proxies.asked == []


# --- the command -----------------------------------------------------------------


def test_the_command_says_what_is_in_force(proxies: FakeProxies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each node."""
    monkeypatch.setattr(UmlCarrier, "running", lambda: proxies)
    proxies.modes["node02"] = ""
    done = CliRunner().invoke(main, ["proxy-mode"])
    lines = [line.split(maxsplit=1) for line in done.output.splitlines()]
    assert lines == [["controlplane", "iptables"], ["node01", "iptables"], ["node02", "no answer"]]


def test_the_command_switches(proxies: FakeProxies, project: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tells its steps on standard error."""
    monkeypatch.setattr(UmlCarrier, "running", lambda: proxies)
    done = CliRunner().invoke(main, ["proxy-mode", "ipvs"])
    assert done.exit_code == 0, done.output
    assert set(proxies.modes.values()) == {"ipvs"}
    assert "kube-proxy is in ipvs mode" in done.stderr
