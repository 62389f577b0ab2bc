"""The sandbox: made, entered, built in and gone again, really on this host; and what its mistakes are called."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes import FakeCarrier, eventually

from lab import carriers, worlds
from lab.builder import Builder
from lab.carriers import sandbox as carrying
from lab.carriers import uml
from lab.carriers.here import GROUND, HereCarrier
from lab.carriers.sandbox import SandboxCarrier
from lab.cli import main
from lab.errors import LabError
from lab.node import CommandError, Node
from lab.sandbox import Host, Sandbox

ROOT = Path(__file__).parents[2]


def _possible() -> bool:
    try:
        sandbox = Sandbox(SandboxCarrier(HereCarrier))
        sandbox.host("host1").quiet("ip link add veth0 type veth peer name veth1")
    except LabError:
        return False
    sandbox.close()
    return True


needs_namespaces = pytest.mark.skipif(not _possible(), reason="this host allows no namespaces with veth")


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """A sandbox on this host."""
    sandbox = Sandbox(SandboxCarrier(HereCarrier))
    yield sandbox
    sandbox.netlink.close()
    sandbox.close()


# --- what is in it ---------------------------------------------------------------


@needs_namespaces
def test_it_is_a_world_of_its_own(box: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """It has its own name, its own root and its own process 1; the prompt says where one is."""
    box.run("hostname; id -un; cat /proc/1/comm")
    assert capsys.readouterr().out == "sandbox$ hostname; id -un; cat /proc/1/comm\nsandbox\nroot\ncat\n"


@needs_namespaces
def test_outside_it_is_nobodys(box: Sandbox) -> None:
    """Whoever makes it, root in it is an ordinary user outside."""
    inside, outside, count = map(int, box.quiet("cat /proc/self/uid_map").stdout.split())
    assert (inside, count) == (0, 1)
    assert outside == (os.getuid() or 65534)


@needs_namespaces
@pytest.mark.parametrize("kind", ["user", "net", "mnt", "ipc", "uts", "pid"])
def test_its_namespaces_are_not_ours(box: Sandbox, kind: str) -> None:
    """Nothing that a snippet does reaches this host."""
    assert box.quiet(f"readlink /proc/self/ns/{kind}").stdout.strip() != os.readlink(f"/proc/self/ns/{kind}")


@needs_namespaces
def test_hosts_have_networks_of_their_own(box: Sandbox) -> None:
    """A host begins with `lo` and without forwarding; it is made once."""
    host = box.host("alone")
    assert host is box.host("alone")
    assert [link.name for link in host.links() if not link.name.endswith(("0", "@NONE"))] == ["lo"]
    assert host.quiet("cat /proc/sys/net/ipv4/ip_forward").lines == ["0"]
    assert host.quiet("readlink /proc/self/ns/net").stdout != box.quiet("readlink /proc/self/ns/net").stdout


@needs_namespaces
def test_building_is_pyroute2s_words(box: Sandbox) -> None:
    """A cable to a host, made after the connection was opened; its address and its route."""
    box.netlink.links()
    far = box.host("far")
    box.netlink.link("add", ifname="cable", kind="veth", peer={"ifname": "eth0", "net_ns_fd": "far"}, state="up")
    (eth0,) = far.netlink.link_lookup(ifname="eth0")
    far.netlink.link("set", index=eth0, state="up")
    far.netlink.addr("add", index=eth0, address="10.9.0.2", prefixlen=24)
    far.netlink.route("add", dst="default", gateway="10.9.0.1")
    assert [address.address for address in far.addresses() if address.dev == "eth0"] == ["10.9.0.2/24"]
    assert [(route.dst, route.gateway) for route in far.routes()] == [("default", "10.9.0.1"), ("10.9.0.0/24", None)]
    assert far.netlink.link_lookup(ifname="cable") == []


@needs_namespaces
def test_a_refused_change_names_itself(box: Sandbox) -> None:
    """The message has the whole change, in the words of the snippet."""
    with pytest.raises(LabError) as caught:
        box.netlink.link("add", ifname="lo", kind="bridge")
    assert caught.value.summary == "sandbox: the kernel refused `link add ifname=lo kind=bridge`"
    assert "File exists" in caught.value.detail


@needs_namespaces
def test_background_commands_run_inside(box: Sandbox) -> None:
    """A command in the background can be stopped, and its result is that of the sandbox's process."""
    with box.background("sleep 30", stop=True, status=130) as nap:
        box.wait_until("pgrep -x sleep")
    assert nap.result.status == 130


@needs_namespaces
def test_the_server_says_who_asked(box: Sandbox) -> None:
    """Two requests on one connection get two answers."""
    host = box.host("web")
    host.serve(80)
    said = host.quiet("python3 -c 'import http.client as h; c = h.HTTPConnection(\"127.0.0.1\")\nfor n in 1, 2:\n"
                      "  c.request(\"GET\", \"/\"); print(c.getresponse().read().decode(), end=\"\")'")  # fmt: skip
    assert said.lines == ["web was asked by 127.0.0.1"] * 2


# --- the end ---------------------------------------------------------------------


def _in_a_process(text: str) -> subprocess.Popen[str]:
    python_path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "LAB_CARRIER": "here", "PYTHONPATH": python_path}
    command = [sys.executable, "-c", f"from lab import carriers, sandbox\n{text}"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def _gone(pid: str) -> bool:
    return eventually(lambda: not Path(f"/proc/{pid.strip()}").exists())


ENDS = {
    "it is done": "",
    "it fails": "raise SystemExit(1)",
    "it is killed": "import os; os.kill(os.getpid(), 9)",
    "it is interrupted": "import os; os.kill(os.getpid(), 2); import time; time.sleep(9)",
}


@pytest.mark.slow
@needs_namespaces
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_nothing_stays(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a snippet ends, its sandbox goes with it, with the processes in it."""
    prepare = (
        "from lab.carriers.here import HereCarrier\nHereCarrier.ready = classmethod(lambda cls: cls())\n"
        "sandbox.host('host1').serve(80)\nsandbox.netlink.links()\nprint(sandbox._world.pid, flush=True)\n"
    )
    child = _in_a_process(prepare + end)
    pid = (child.communicate(timeout=30)[0]).strip()
    assert pid.isdecimal()
    assert _gone(pid)


@needs_namespaces
def test_close_waits_for_the_end() -> None:
    """After close there is no process of it, and closing again does no harm."""
    sandbox = Sandbox(SandboxCarrier(HereCarrier))
    sandbox.quiet("true")
    pid = sandbox._world.pid
    assert Path(f"/proc/{pid}").exists()
    sandbox.close()
    sandbox.close()
    assert _gone(str(pid))


# --- mistakes --------------------------------------------------------------------


class Ground(FakeCarrier):
    """A ground on which a shell line stands in for `unshare`."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.name = GROUND
        self.line = line

    def ssh_command(self, node: str) -> list[str]:
        return ["sh", "-c", self.line, "sh"]


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("mount: /proc: fsmount() failed: VFS: Mount too revealing.", "outside of the container"),
        ("unshare: unshare failed: Operation not permitted", "apparmor_restrict_unprivileged_userns=0"),
        ("unshare: write failed /proc/self/uid_map: Operation not permitted", "apparmor_restrict"),
        ("sh: 1: unshare: not found", "does `unshare --user"),
    ],
)
def test_a_host_that_forbids_it_is_told_how(said: str, hint: str) -> None:
    """The message has what was said and what to do."""
    carrier = SandboxCarrier(lambda: Ground(f"id -u; echo '{said}' >&2"))
    with pytest.raises(LabError) as caught:
        carrier.execute("sandbox", "true")
    assert caught.value.summary == "the sandbox could not be made on here"
    assert caught.value.detail == said
    assert hint in caught.value.hint


def test_a_silent_start_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ground that never answers is given up."""
    monkeypatch.setattr(carrying, "START_LIMIT", 0.2)
    with pytest.raises(LabError, match="could not be made"):
        SandboxCarrier(lambda: Ground("exec cat > /dev/null")).execute("sandbox", "true")


@pytest.mark.parametrize(("uid", "as_nobody"), [("0", True), ("1000", False)])
def test_root_enters_as_nobody(uid: str, as_nobody: bool) -> None:
    """The line for the ground's shell: as whom, into what, and the command unharmed."""
    carrier = SandboxCarrier(lambda: Ground(f"echo {uid}; echo 4242; exec cat > /dev/null"))
    words = shlex.split(carrier.inside("host1"))
    carrier.close()
    assert ("setpriv" in words) is as_nobody
    assert "--net=/proc/4242/root/run/netns/host1" in words
    assert words[-2:] == ["sh", "-c"]


def test_a_line_reaches_the_ground_unharmed() -> None:
    """Quotes and new lines of a command survive the way over the ground's shell."""
    line = "echo 'a  b' \"$x\"\ndone"
    carrier = SandboxCarrier(lambda: Ground("echo 0; echo 4242; exec cat > /dev/null"))
    command = carrier.ssh_command("host1")
    carrier.close()
    command[3:7] = ["printf", "%s"]
    assert shlex.split(subprocess.run([*command, line], capture_output=True, text=True).stdout)[-1] == line


@pytest.mark.parametrize("name", ["", "Host", "1host", "a/b", "sandbox", "a" * 16, "a b", "../x"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    """Before anything is started."""
    with pytest.raises(LabError, match="no host of the sandbox can be called"):
        Sandbox(SandboxCarrier(lambda: FakeCarrier())).host(name)


def test_an_unknown_host_is_refused(fake: FakeCarrier) -> None:
    """A cable to a host that is not there says which there are."""
    with pytest.raises(LabError, match="no host or namespace 'host3'") as caught:
        Builder("sandbox", fake, ["host1", "host2"]).link("add", peer={"net_ns_fd": "host3"})
    assert "there are: host1, host2" in caught.value.hint


@needs_namespaces
def test_a_tunnel_has_entries_of_its_own(box: Sandbox) -> None:
    """A VXLAN device, a permanent neighbour behind it, and the computer to which its frames go."""
    ip = box.netlink
    ip.link("add", ifname="vx", kind="vxlan", vxlan_id=1, vxlan_port=8472, vxlan_learning=0, state="up")
    (vx,) = ip.link_lookup(ifname="vx")
    mac = "02:00:00:00:00:02"
    ip.neigh("add", ifindex=vx, dst="10.9.2.0", lladdr=mac, state="permanent")
    ip.fdb("append", ifindex=vx, lladdr=mac, dst="192.0.2.2")
    assert [(n.address, n.mac, n.state) for n in box.neighbours() if n.dev == "vx"] == [("10.9.2.0", mac, "PERMANENT")]
    assert box.quiet("bridge fdb show dev vx").lines == [f"{mac} dst 192.0.2.2 self permanent"]


def test_a_node_can_be_built_on(fake: FakeCarrier) -> None:
    """Its builder knows the namespaces that it was told, and no others."""
    with pytest.raises(LabError, match="no host or namespace 'other'") as caught:
        Node("node01", fake).builder("pod").link("add", net_ns_fd="other")
    assert "there are: pod" in caught.value.hint


def test_a_failing_command_points_at_a_sandbox(fake: FakeCarrier) -> None:
    """A host is no node: the hint is not `lab ssh`."""
    fake.on("host1", "false", status=1)
    with pytest.raises(CommandError) as caught:
        Host("host1", fake, []).quiet("false")
    assert "lab sandbox" in caught.value.hint and "lab ssh" not in str(caught.value)


# --- here ------------------------------------------------------------------------


def test_here_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAB_CARRIER=here needs no lab; anything else asks for the lab."""
    monkeypatch.setattr("shutil.which", lambda tool, path: f"/bin/{tool}")
    monkeypatch.setenv("LAB_CARRIER", "here")
    assert isinstance(carriers.connect(), HereCarrier)
    monkeypatch.delenv("LAB_CARRIER")
    monkeypatch.setattr(uml.UmlCarrier, "running", classmethod(lambda cls: "the lab"))
    assert carriers.connect() == "the lab"  # type: ignore[comparison-overlap]


def test_missing_programs_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All packages in one command."""
    monkeypatch.setattr("shutil.which", lambda tool, path: None if tool in ("iptables", "curl") else tool)
    with pytest.raises(LabError) as caught:
        HereCarrier.ready()
    assert caught.value.hint == "sudo apt-get install curl iptables"


def test_here_runs_a_line() -> None:
    """With its status, its output and its limit."""
    done = HereCarrier().execute(GROUND, "echo out; echo err >&2; exit 3")
    assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert HereCarrier().execute(GROUND, "sleep 9", timeout=1).status == 124


ASKS: dict[str, Callable[[HereCarrier], object]] = {
    "node01": lambda carrier: carrier.execute("node01", "ip route"),
    "the API server": lambda carrier: carrier.kubeconfig(),
}


@pytest.mark.parametrize("whom", ASKS)
def test_here_has_no_cluster(whom: str) -> None:
    """A snippet that asks the cluster is told what it lacks."""
    with pytest.raises(LabError, match=f"this asks {whom}, and there is no cluster") as caught:
        ASKS[whom](HereCarrier())
    assert "lab up" in caught.value.hint


def test_here_knows_its_versions() -> None:
    """For the receipt: each as the program itself reports it."""
    assert HereCarrier().versions()["linux"] == os.uname().release


# --- worlds and programs ---------------------------------------------------------


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_a_world_makes_the_hosts_that_it_returns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program and the function name the same hosts, in the same order."""
    monkeypatch.setattr(worlds.sandbox, "quiet", lambda line: None)
    monkeypatch.setattr(worlds.sandbox, "_made", {})
    monkeypatch.setattr(worlds.sandbox, "_hosts", [])
    program = (ROOT / "lab" / "worlds" / f"{name}.sh").read_text(encoding="utf-8")
    (made,) = [line.split()[2:] for line in program.splitlines() if line.startswith("sh /run/lab/host.sh ")]
    assert [host.name for host in worlds.WORLDS[name]()] == made


@needs_namespaces
def test_every_program_is_in_the_sandbox(box: Sandbox) -> None:
    """With the same content as in the package."""
    folder = ROOT / "lab" / "worlds"
    names = sorted(path.name for path in folder.iterdir() if path.suffix == ".sh" or path.name == "answer.py")
    assert box.quiet("ls /run/lab").lines == names
    for name in names:
        assert box.quiet(f"cat /run/lab/{name}").stdout == (folder / name).read_text(encoding="utf-8")


def test_an_unknown_world_is_a_message() -> None:
    """The command says which worlds there are."""
    done = CliRunner().invoke(main, ["sandbox", "four-servers"])
    assert done.exit_code == 1
    assert "there is no world 'four-servers'" in done.output and "three-servers" in done.output
