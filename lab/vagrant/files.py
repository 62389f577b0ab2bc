"""What each virtual machine is given: one archive a node, beside the Vagrantfile that hands it over."""

import hashlib
import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import yaml

from lab import calico, kubeadm, shell
from lab.bringup import Bringup
from lab.image import disk
from lab.image.steps import IMAGE, PROVISION
from lab.paths import PACKAGE, state_dir
from lab.spec import NodeSpec, Spec
from lab.store import file_digest
from lab.vagrant import box

PATIENCE = {
    "controlPlaneComponentHealthCheck": "20m0s",
    "discovery": "20m0s",
    "kubeletHealthCheck": "10m0s",
    "kubernetesAPICall": "10m0s",
    "tlsBootstrap": "15m0s",
}
"""How long kubeadm waits on a machine whose processor is emulated: only its own limits, nothing of the cluster."""

PROBE_SECONDS, PROBE_FAILURES = 60, 20
"""How long a probe may take there, and how often it may fail before a program that works is started again.

A program that starts is what costs most: one that is ended for being slow, and starts again, makes all others slow.
"""


def folder() -> Path:
    """Where this checkout keeps all that belongs to its virtual machines."""
    return state_dir() / "vagrant"


def bringup(spec: Spec, say: Callable[[str], None]) -> Bringup:
    """The steps of a bring-up, whose keys and logs lie in the folder of the virtual machines."""
    made = Bringup(spec, say)
    made.folder = folder()
    return made


def write_box(name: str, path: Path) -> None:
    """Tell the Vagrantfile which box is ours, and Vagrant where it is."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    provider = {"name": "libvirt", "url": f"file://{path}"}
    catalogue = {"name": name, "versions": [{"version": "1.0.0", "providers": [provider]}]}
    (folder() / "box.json").write_text(json.dumps(catalogue) + "\n")


def lay_down(spec: Spec, say: Callable[[str], None]) -> None:
    """Write the archive of each node; those that fit already are kept, since running machines know their keys."""
    nodes = folder() / "nodes"
    mark = {"made of": _digest(), "nodes": [node.name for node in spec.nodes]}
    try:
        if json.loads((nodes / "mark.json").read_text()) == mark:
            return
    except (OSError, ValueError):
        pass
    making = bringup(spec, say)
    making._make_keys()
    (folder() / "logs").mkdir(exist_ok=True)
    token = f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"
    pki = nodes / "pki"
    _authority(making, pki, token)
    ca_hash = _digest_of_key(pki / "ca.crt")
    for node in spec.nodes:
        _write_archive(making, node, nodes, token, ca_hash)
    (nodes / "mark.json").write_text(json.dumps(mark) + "\n")


def products(spec: Spec, say: Callable[[str], None]) -> None:
    """Lay the programs and the images where the Vagrantfile synchronises them from, for a box that is not ours."""
    made = Bringup(spec, say).products
    target = folder() / "products"
    shutil.rmtree(target, ignore_errors=True)
    overlay = folder() / "overlay"
    shutil.rmtree(overlay, ignore_errors=True)
    disk._overlay(spec, made, overlay)
    target.mkdir(parents=True)
    for name in ("usr/local/bin", "opt/cni/bin"):
        shutil.copytree(overlay / name, target / "root" / name, symlinks=True)
    shutil.rmtree(overlay)
    for archive in made["images"].glob("*.tar"):
        shutil.copy(archive, target)
    say(f"programs and images for another box: {target}")


def _digest() -> str:
    """Digest of all that the archives are made from, keys aside."""
    files = [
        path
        for place in (PROVISION, box.HERE / "guest", box.HERE / "cluster.sh", PACKAGE / "cluster.yaml")
        for path in ([place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file()))
    ]
    files += [PACKAGE / name for name in ("kubeadm.py", "calico.py", "vagrant/files.py")]
    text = "".join(f"{path.relative_to(PACKAGE)} {file_digest(path)}\n" for path in files)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _authority(making: Bringup, pki: Path, token: str) -> None:
    """The cluster's CA, made here: so that a worker knows it before there is a control plane."""
    pki.mkdir(mode=0o700)
    config = pki / "kubeadm.yaml"
    kind = "kind: ClusterConfiguration\n"
    config.write_text(
        kubeadm.init_config(making.spec, token).replace(kind, f"{kind}certificatesDir: {json.dumps(str(pki))}\n")
    )
    program = pki / "kubeadm"
    program.symlink_to(making.products["kubernetes"] / "kubernetes")
    shell.run([program, "init", "phase", "certs", "ca", "--config", config], what="making the cluster's CA")
    program.unlink()
    config.unlink()


def _digest_of_key(certificate: Path) -> str:
    """The digest by which kubeadm knows a CA: that of its public key's DER form."""
    script = f"openssl x509 -pubkey -noout -in '{certificate}' | openssl pkey -pubin -outform DER | sha256sum"
    return f"sha256:{shell.run(['sh', '-c', script], what='computing the digest of the CA').split()[0]}"


def _write_archive(making: Bringup, node: NodeSpec, nodes: Path, token: str, ca_hash: str) -> None:
    spec, keys = making.spec, nodes / node.name
    path = nodes / f"{node.name}.tar"
    with (
        open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as stream,
        tarfile.open(fileobj=stream, mode="w") as tar,
    ):
        for place in (PROVISION / "files", box.HERE / "guest"):
            for file in sorted(p for p in place.rglob("*") if p.is_file()):
                _add(tar, str(file.relative_to(place)), file.read_text(), file.stat().st_mode & 0o755)
        names = box.package_names(IMAGE / "packages.txt", box.HERE / "packages.txt")
        _add(tar, "opt/lab/packages.txt", "\n".join(names) + "\n")
        _add(tar, "opt/lab/cluster.sh", (box.HERE / "cluster.sh").read_text(), 0o755)
        _add(tar, "etc/lab/nodes", box.node_table(spec))
        _add(tar, "etc/lab/hosts", box.hosts(spec))
        host_key = keys / "ssh_host_ed25519_key"
        _add(tar, "etc/ssh/ssh_host_ed25519_key", host_key.read_text(), 0o600)
        _add(tar, "etc/ssh/ssh_host_ed25519_key.pub", host_key.with_suffix(".pub").read_text())
        _add(tar, "root/.ssh/authorized_keys", (keys / "authorized_keys").read_text(), 0o600)
        if node.role == "control-plane":
            _control_plane(tar, making, nodes / "pki", token)
        else:
            config = kubeadm.join_config(spec, node, token, ca_hash, patience=PATIENCE)
            _add(tar, "etc/lab/kubeadm.yaml", config, 0o600)
            _add(tar, "opt/lab/provision/cluster.sh", (PROVISION / "worker.sh").read_text(), 0o755)


def _control_plane(tar: tarfile.TarFile, making: Bringup, pki: Path, token: str) -> None:
    dns, controllers = making._fixed_addresses()
    patch = {"spec": {"template": {"metadata": {"annotations": kubeadm.pinned(controllers)}}}}
    patches = {
        **kubeadm.static_pod_patches(),
        "corednsdeployment+strategic.yaml": kubeadm.coredns_patch(making.spec, dns),
    }
    patches = {name: patient(text) for name, text in patches.items()}
    config = kubeadm.init_config(making.spec, token, patience=PATIENCE)
    manifest = patient(calico.manifest(making.spec, making.products["programs"] / "kubectl"))
    _add(tar, "etc/lab/kubeadm.yaml", config, 0o600)
    for name, text in patches.items():
        _add(tar, f"etc/lab/patches/{name}", text)
    _add(tar, "etc/lab/calico-patch.json", json.dumps(patch))
    _add(tar, "etc/lab/calico.yaml", manifest)
    _add(tar, "opt/lab/provision/cluster.sh", (PROVISION / "control-plane.sh").read_text(), 0o755)
    for name in ("ca.crt", "ca.key"):
        _add(tar, f"opt/lab/pki/{name}", (pki / name).read_text(), 0o600)


def patient(manifest: str) -> str:
    """The same objects, whose probes may take longer and whose programs may fail them more often; nothing else."""
    documents = list(yaml.safe_load_all(manifest))
    for document in documents:
        pod = ((document or {}).get("spec") or {}).get("template", document or {}).get("spec") or {}
        for container in pod.get("containers") or []:
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                # What a patch does not name has a probe of upstream's all the same.
                if kind in container or (kind == "livenessProbe" and "image" not in container):
                    probe = container.setdefault(kind, {})
                    probe["timeoutSeconds"] = max(PROBE_SECONDS, probe.get("timeoutSeconds", 0))
                    probe["failureThreshold"] = max(PROBE_FAILURES, probe.get("failureThreshold", 0))
    return yaml.safe_dump_all(documents, sort_keys=False)


def _add(tar: tarfile.TarFile, name: str, text: str, mode: int = 0o644) -> None:
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
