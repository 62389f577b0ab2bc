"""Three virtual machines from our box, through libvirt in a network namespace of its own: `make test-vagrant-boot`.

The tests are steps of one life, in their order: up, looked at, up again, halted, up, destroyed.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.carriers import Completed
from lab.carriers.vagrant import VagrantCarrier
from lab.image.steps import PROVISION
from lab.spec import load_spec
from lab.store import file_digest
from lab.vagrant import box, files, lifecycle, tool

SPEC = load_spec()
NODES = [node.name for node in SPEC.nodes]
MODULES = ("br_netfilter", "ip_vs", "ipip", "nf_tables", "overlay", "vxlan", "ip_set", "wireguard", "veth", "xt_nfacct")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


@pytest.fixture(scope="module")
def machines() -> Iterator[VagrantCarrier]:
    """The machines of a lab of their own, beside whatever else runs; nothing of it stays."""
    before = links()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_STATE", str(Path(__file__).parents[2] / ".lab/boot"))
        lifecycle.delete(say)
        lifecycle._require()
        lifecycle.prepare(say)
        carrier = lifecycle.machines(SPEC, files.bringup(SPEC, say), say)
        yield carrier
        lifecycle.delete(say)
        assert links() == before, "something of the machines' network was made outside of their namespace"


def links() -> list[str]:
    """Bridges and the machines' devices of this host's own network namespace."""
    found = sorted(os.listdir("/sys/class/net"))
    return [name for name in found if name.startswith(("virbr", "vnet"))]


def on(carrier: VagrantCarrier, node: str, command: str) -> str:
    done: Completed = carrier.execute(node, command, timeout=60)
    assert done.status == 0, f"{node}: {command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def vagrant(carrier: VagrantCarrier, *words: str, limit: float = 300) -> str:
    return tool.run(
        carrier.vagrant(*words), what=f"vagrant {words[0]}", log=files.folder() / "logs/vagrant.log", limit=limit
    )


def boots(carrier: VagrantCarrier) -> dict[str, str]:
    """By which boot each machine runs: the kernel's own number of it."""
    return {name: on(carrier, name, "cat /proc/sys/kernel/random/boot_id") for name in NODES}


def check_network(carrier: VagrantCarrier) -> None:
    for node in SPEC.nodes:
        told = on(
            carrier, node.name, "hostname; cat /sys/class/net/eth0/address; ip -4 -br address show eth0; ip route"
        )
        lines = told.splitlines()
        assert lines[:2] == [node.name, node.mac]
        assert lines[2].split() == ["eth0", "UP", f"{node.address}/{SPEC.networks.node_prefix}"]
        # The main table is that of the other carrier: nothing of the network that Vagrant logs in through.
        assert [line.split(" proto")[0].strip() for line in lines[3:]] == [
            f"default via {SPEC.networks.gateway} dev eth0", f"{SPEC.networks.nodes} dev eth0",
        ]  # fmt: skip
    first, *others = SPEC.nodes
    for other in others:
        on(carrier, first.name, f"ping -c 1 -W 5 {other.address}")


def test_each_machine_is_its_node(machines: VagrantCarrier) -> None:
    check_network(machines)


def test_a_node_speaks_to_its_pods_from_its_own_address(machines: VagrantCarrier) -> None:
    """A pod's device has no address, so the kernel takes another's: not that of Vagrant's device."""
    device = "ip link add pod type dummy && ip link set pod up && ip route add 172.16.0.1 dev pod"
    for node in SPEC.nodes:
        said = on(machines, node.name, f"{device} && ip route get 172.16.0.1; ip link del pod")
        assert f"172.16.0.1 dev pod src {node.address} " in said


def test_the_machines_are_debian_13_with_the_books_components(machines: VagrantCarrier) -> None:
    question = ". /etc/os-release; echo $ID $VERSION_ID; kubelet --version; kubeadm version -o short"
    version = SPEC.versions.kubernetes
    for name in NODES:
        assert on(machines, name, question).splitlines() == ["debian 13", f"Kubernetes {version}", version]


def test_the_kernel_has_what_the_chapters_need(machines: VagrantCarrier) -> None:
    for name in NODES:
        loaded = on(machines, name, f"modprobe -a {' '.join(MODULES)} && cut -d' ' -f1 /proc/modules").split()
        assert set(MODULES) <= set(loaded)


def test_the_nodes_were_provisioned_by_the_same_files(machines: VagrantCarrier) -> None:
    digests = {
        f"/{path.relative_to(PROVISION / 'files')}": file_digest(path)
        for path in (PROVISION / "files").rglob("*") if path.is_file()
    }  # fmt: skip
    settings = "sysctl -n net.bridge.bridge-nf-call-iptables net.ipv4.ip_forward"
    enabled = "systemctl is-enabled containerd kubelet ssh; iptables --version"
    for name in NODES:
        lines = on(machines, name, f"sha256sum {' '.join(digests)}; {settings}; {enabled}").splitlines()
        told = {path: digest for digest, path in (line.split() for line in lines[: len(digests)])}
        assert told == digests
        assert lines[len(digests) : -1] == ["1", "1", "enabled", "enabled", "enabled"]
        assert "nf_tables" in lines[-1]


def test_the_images_are_inside(machines: VagrantCarrier) -> None:
    for name in NODES:
        images = on(machines, name, "ctr --namespace k8s.io images ls -q")
        for wanted in (f"kube-proxy:{SPEC.versions.kubernetes}", f"coredns:{SPEC.versions.coredns}", "pause:"):
            assert wanted in images


def test_vagrant_logs_in_by_a_key_of_this_lab_alone(machines: VagrantCarrier) -> None:
    assert vagrant(machines, "ssh", "node01", "-c", "hostname; sudo id -u").split() == ["node01", "0"]
    config = vagrant(machines, "ssh-config", "node02")
    assert "Host node02" in config and "User vagrant" in config
    known_to_all = (box.HERE / "vagrant.pub").read_text().split()[1]
    for name in NODES:
        assert known_to_all not in on(machines, name, "cat /home/vagrant/.ssh/authorized_keys")


def test_up_again_changes_nothing(machines: VagrantCarrier) -> None:
    before = boots(machines)
    said = vagrant(machines, "up")
    assert "Running provisioner" not in said
    assert boots(machines) == before


def test_halted_and_up_again(machines: VagrantCarrier) -> None:
    before = boots(machines)
    vagrant(machines, "halt")
    machines.save()
    assert not any(machines.alive(name) for name in NODES)
    vagrant(machines, "up", limit=600)
    machines.save()
    for name in NODES:
        machines.connect(name, timeout=120)
    after = boots(machines)
    assert all(before[name] != after[name] for name in NODES)
    check_network(machines)


def test_destroyed_nothing_is_left(machines: VagrantCarrier) -> None:
    vagrant(machines, "destroy", "--force")
    machines.save()
    assert not any(machines.alive(name) for name in NODES)
    domains = subprocess.run(
        machines.inside(["virsh", "--quiet", "list", "--all", "--name"]), capture_output=True, text=True, check=True
    )
    assert domains.stdout.split() == []
