"""From products to a ready cluster, in steps that each tell their time."""

import hashlib
import ipaddress
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lab import calico, doctor, kubeadm, ready, shell
from lab.carriers.uml import UmlCarrier, load_state, save_state
from lab.errors import LabError
from lab.image.steps import all_steps, default_store
from lab.paths import PACKAGE, state_dir
from lab.spec import Spec
from lab.store import file_digest, free_space

BOOT_LIMIT = 60.0
"""Seconds for a node's kernel and systemd until ssh answers."""

DISK = 400
"""Megabytes that a node's disk takes at most in an ordinary run, with the copy that is kept."""

Report = Callable[[str], None]


def programs(products: dict[str, Path]) -> Path:
    """The folder that `lab shell` puts on PATH: kubectl and calicoctl for this host.

    Args:
        products: Where each step of the image build keeps what it made.
    """
    folder = state_dir() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, product in (("kubectl", "kubernetes/kubernetes"), ("calicoctl", "calico/calicoctl")):
        step, program = product.split("/")
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(products[step] / program)
    return folder


class Bringup:
    """One run of `lab up`: reports each step as it begins and ends."""

    def __init__(self, spec: Spec, report: Report) -> None:
        self.spec, self.report = spec, report
        self.folder = state_dir()
        store = default_store()
        steps = {step.name: step for step in all_steps(spec, store)}
        self.products = {name: store.path(step) for name, step in steps.items()}
        self.keys = {name: steps[name].key for name in ("kernel", "disk") if name in steps} | {"recipe": _recipe()}
        self.products["programs"] = programs(self.products)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Report a step's name when it begins and its time when it ends."""
        begin = time.monotonic()
        self.report(f"{text} ...")
        yield
        self.report(f"{text}: {time.monotonic() - begin:.1f} s")

    # --- the two ways up -----------------------------------------------------

    def up(self, *, fresh: bool = False) -> None:
        """Bring the lab up, from baked disks if there are fitting ones.

        Raises:
            LabError: A step failed. What was started is ended again.
        """
        self._check_memory()
        self._check_disk()
        baked = self.folder / "baked"
        use_baked = not fresh and self._baked_fits(baked)
        try:
            if use_baked:
                self._from_baked(baked)
            else:
                self._fresh(baked)
        except BaseException:
            self.tear_down()
            raise

    def tear_down(self) -> None:
        """End what a broken bring-up left."""
        state = load_state()
        if state is not None:
            UmlCarrier(self.spec, state).destroy()

    def _baked_fits(self, baked: Path) -> bool:
        try:
            mark = json.loads((baked / "mark.json").read_text())
        except (OSError, ValueError):
            return False
        if mark != self._mark():
            self.report("the baked cluster was made from other products or for other nodes: making a new one")
            return False
        return True

    def _mark(self) -> dict[str, object]:
        return {"products": self.keys, "nodes": [node.name for node in self.spec.nodes]}

    def _from_baked(self, baked: Path) -> None:
        with self.step("disks"):
            self._clear("disks")
            (self.folder / "disks").mkdir(parents=True)
            for node in self.spec.nodes:
                _copy_sparse(baked / f"{node.name}.cow", self.folder / "disks" / f"{node.name}.cow")
        carrier = self._boot()
        self._await(carrier)

    def _fresh(self, baked: Path) -> None:
        shutil.rmtree(baked, ignore_errors=True)
        self._clear("disks")
        self._make_keys()
        carrier = self._boot()
        token = f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"
        with self.step("kubeadm init, Calico"):
            self._init(carrier, token)
        with self.step(f"kubeadm join, {len(self.spec.workers)} nodes"):
            self._join(carrier, token)
        self._await(carrier)
        with self.step("bake the disks"):
            self._bake(carrier, baked)

    # --- steps ---------------------------------------------------------------

    def _clear(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def _check_memory(self) -> None:
        wanted = doctor.memory(self.spec)
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable"))
        if free < wanted:
            raise LabError(
                f"the nodes want {wanted} MiB of memory, {free} MiB are available",
                hint="lower `memory` in lab/cluster.yaml, or take fewer nodes: lab up --workers 1",
            )

    def _check_disk(self) -> None:
        wanted = DISK * len(self.spec.nodes)
        if shutil.disk_usage(self.folder).free < wanted * 10**6:
            raise LabError(
                f"the nodes' disks want {wanted} MB, {free_space(self.folder)} at {self.folder}",
                hint="free some, or choose another place: LAB_STATE=/path/with/space lab up",
            )

    def _make_keys(self) -> None:
        """Keys of this lab: one for the reader's ssh, one for each node; known to each other, to nobody else."""
        self._clear("nodes")
        key = self.folder / "ssh_key"
        known = []
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o700)
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab"]
        for old in (key, key.with_suffix(".pub")):
            old.unlink(missing_ok=True)
        shell.run([*make, "-f", key], what="making the ssh key")
        for node in self.spec.nodes:
            folder = self.folder / "nodes" / node.name
            folder.mkdir(parents=True)
            host_key = folder / "ssh_host_ed25519_key"
            shell.run([*make, "-f", host_key], what=f"making the key of {node.name}")
            known.append(f"{node.address} {host_key.with_suffix('.pub').read_text().strip()}")
            (folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
        (self.folder / "known_hosts").write_text("\n".join(known) + "\n")

    def _write_node_files(self) -> None:
        """What a node reads at boot from the folder that it shares with the host."""
        networks = self.spec.networks
        hosts = ["127.0.0.1 localhost", *(f"{node.address} {node.name}" for node in self.spec.nodes)]
        for node in self.spec.nodes:
            folder = self.folder / "nodes" / node.name
            (folder / "hosts").write_text("\n".join(hosts) + "\n")
            (folder / "node.env").write_text(
                f"ADDRESS={node.address}\nPREFIX={networks.node_prefix}\nGATEWAY={networks.gateway}\n"
            )

    def _boot(self) -> UmlCarrier:
        self._write_node_files()
        with self.step("network"):
            carrier = UmlCarrier.create(self.spec, self.keys)
        with self.step(f"boot {len(self.spec.nodes)} nodes"):
            for node in self.spec.nodes:
                self.boot_node(carrier, node.name)
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda node: carrier.connect(node.name, timeout=BOOT_LIMIT), self.spec.nodes))
        return carrier

    def boot_node(self, carrier: UmlCarrier, node: str) -> None:
        """Start one node's kernel on its disk."""
        carrier.boot(node, kernel=self.products["kernel"] / "linux", base=self.products["disk"] / "base.img")

    def _init(self, carrier: UmlCarrier, token: str) -> None:
        node = self.spec.control_plane.name
        dns, controllers = self._fixed_addresses()
        patch = {"spec": {"template": {"metadata": {"annotations": kubeadm.pinned(controllers)}}}}
        self._must(carrier, node, "mkdir -p /etc/lab/patches", limit=20)
        carrier.send(node, kubeadm.init_config(self.spec, token), "/etc/lab/kubeadm.yaml")
        patches = {
            **kubeadm.static_pod_patches(),
            "corednsdeployment+strategic.yaml": kubeadm.coredns_patch(self.spec, dns),
        }
        for name, text in patches.items():
            carrier.send(node, text, f"/etc/lab/patches/{name}")
        carrier.send(node, json.dumps(patch), "/etc/lab/calico-patch.json")
        carrier.send(node, calico.manifest(self.spec, self.products["programs"] / "kubectl"), "/etc/lab/calico.yaml")
        carrier.send(node, (PACKAGE / "provision/control-plane.sh").read_text(), "/etc/lab/provision.sh")
        self._must(carrier, node, "sh /etc/lab/provision.sh", limit=600)
        config = carrier.execute(node, "cat /etc/kubernetes/admin.conf").stdout
        target = carrier.kubeconfig()
        target.unlink(missing_ok=True)
        with open(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as stream:
            stream.write(config)

    def _fixed_addresses(self) -> tuple[str, str]:
        """Addresses of the two system pods on the control plane's node: the ones after its tunnel's."""
        networks = self.spec.networks
        tool = self.products["calico"] / "first-block"
        said = shell.run(
            [tool, networks.pods, str(networks.block_size), self.spec.control_plane.name],
            what="computing the block",
        )
        block = ipaddress.ip_network(said.split()[-1])
        return str(block[2]), str(block[3])

    def _join(self, carrier: UmlCarrier, token: str) -> None:
        control_plane = self.spec.control_plane.name
        said = self._must(
            carrier,
            control_plane,
            "openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform DER | sha256sum",
            limit=20,
        )
        ca_hash = f"sha256:{said.split()[0]}"

        def join(name: str) -> None:
            config = kubeadm.join_config(self.spec, self.spec.node(name), token, ca_hash)
            carrier.send(name, config, "/etc/lab/kubeadm.yaml")
            carrier.send(name, (PACKAGE / "provision/worker.sh").read_text(), "/etc/lab/provision.sh")
            self._must(carrier, name, "sh /etc/lab/provision.sh", limit=600)

        with ThreadPoolExecutor() as pool:
            list(pool.map(join, [node.name for node in self.spec.workers]))

    def _must(self, carrier: UmlCarrier, node: str, command: str, *, limit: float) -> str:
        done = carrier.execute(node, command, timeout=limit)
        log = self.folder / "logs" / f"{node}.provision.log"
        with log.open("a") as stream:
            stream.write(f"$ {command}\n{done.stdout}{done.stderr}")
        if done.status != 0:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-12:])
            raise LabError(f"{node}: `{command}` exited {done.status}", detail=tail, hint=f"whole log: {log}")
        return done.stdout

    def _await(self, carrier: UmlCarrier) -> None:
        # A baked cluster's API server tells at first what it was told before the disks were kept.
        for condition in (ready.booted(*(node.name for node in self.spec.nodes)), *ready.CONDITIONS):
            with self.step(condition.text):
                ready.wait(carrier, condition, self.products)
        with self.step("return unused memory"), ThreadPoolExecutor() as pool:
            list(pool.map(carrier.give_back_memory, [node.name for node in self.spec.nodes]))
        carrier.state.phase = "ready"
        save_state(carrier.state)

    def _bake(self, carrier: UmlCarrier, baked: Path) -> None:
        """Copy every node's disk while its file system holds still, all in the same moment."""
        work = baked.with_name("baked.work")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        frozen: list[subprocess.Popen[str]] = []
        try:
            for node in self.spec.nodes:
                frozen.append(_freeze(carrier, node.name))
            for node in self.spec.nodes:
                _copy_sparse(carrier.disk(node.name), work / f"{node.name}.cow")
        finally:
            for process in frozen:
                process.communicate("thaw\n", timeout=30)
        (work / "mark.json").write_text(json.dumps(self._mark()) + "\n")
        shutil.rmtree(baked, ignore_errors=True)
        work.rename(baked)


def _recipe() -> str:
    """Digest of what makes a cluster of the products: another one, and disks baked before are of no use."""
    files = [PACKAGE / name for name in ("cluster.yaml", "kubeadm.py", "calico.py")]
    files += sorted(path for path in (PACKAGE / "provision").rglob("*") if path.is_file())
    text = "".join(f"{path.relative_to(PACKAGE)} {file_digest(path)}\n" for path in files)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _freeze(carrier: UmlCarrier, node: str) -> "subprocess.Popen[str]":
    """Freeze a node's file system until a line arrives, at most half a minute."""
    script = "fsfreeze -f / && echo frozen && read -t 30 line; fsfreeze -u /"
    process = subprocess.Popen(
        [*carrier.ssh_command(node), f"bash -c '{script}'"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline().strip() != "frozen":
        process.kill()
        raise LabError(f"{node}: its file system could not be frozen", hint="try again: lab up --fresh")
    return process


def _copy_sparse(source: Path, target: Path) -> None:
    shell.run(["cp", "--sparse=always", "--reflink=auto", source, target], what=f"copying {source.name}")
