"""Which images the cluster has, and what is in each."""

from pathlib import Path

from lab.image.oci import PATH, Image, Layer, LayerBuilder
from lab.image.steps import IMAGE, PAUSE, module_folder
from lab.spec import Spec

REGISTRY = "registry.k8s.io"
NETWORK_TOOLS = [
    "busybox",
    "iproute2",
    "iptables",
    "nftables",
    "ipset",
    "conntrack",
    "kmod",
    "procps",
    "netbase",
]
READER_TOOLS = ["bind9-dnsutils", "curl", "netcat-openbsd", "iputils-ping", "tcpdump", "ca-certificates"]


def all_images(spec: Spec, products: dict[str, Path]) -> list[Image]:
    """Every image that a pod of the cluster runs.

    Args:
        products: Folder of each step's product, by the step's name.
    """
    versions = spec.versions
    rootfs = products["rootfs"] / "rootfs.tar"

    tools = LayerBuilder()
    tools.packages(rootfs, NETWORK_TOOLS)
    tools.shell()
    for family in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            tools.link(f"usr/sbin/{family}{suffix}", "xtables-nft-multi")
    tools.folder("tmp", 0o1777)
    tools.folder("run")
    tools.folder("var/run")
    tools.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n", 0o644)
    network_tools = tools.layer()

    kubernetes = LayerBuilder()
    kubernetes.file("usr/local/bin/kubernetes", products["kubernetes"] / "kubernetes")
    components = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    for name in components:
        kubernetes.link(f"usr/local/bin/{name}", "kubernetes")
    kubernetes_layer = kubernetes.layer()
    images = [
        Image(f"{REGISTRY}/{name}:{versions.kubernetes}", (kubernetes_layer,), (f"/usr/local/bin/{name}",))
        for name in components[:3]
    ]
    images.append(Image(f"{REGISTRY}/kube-proxy:{versions.kubernetes}", (network_tools, kubernetes_layer)))

    etcd = LayerBuilder()
    etcd.file("usr/local/bin/etcd", products["etcd"] / "etcd")
    images.append(Image(f"{REGISTRY}/etcd:{versions.etcd.removeprefix('v')}-0", (etcd.layer(),)))

    coredns = LayerBuilder()
    coredns.file("coredns", products["coredns"] / "coredns")
    coredns.folder("tmp", 0o1777)
    images.append(Image(f"{REGISTRY}/coredns/coredns:{versions.coredns}", (coredns.layer(),), ("/coredns",)))

    pause = LayerBuilder()
    pause.file("pause", products["pause"] / "pause")
    images.append(Image(f"{REGISTRY}/pause:{PAUSE}", (pause.layer(),), ("/pause",)))

    reader = LayerBuilder()
    reader.packages(rootfs, [*READER_TOOLS, "busybox"])
    reader.file("agnhost", products["agnhost"] / "agnhost")
    release = module_folder("kubernetes", "k8s.io/kubernetes") / "test/images/agnhost/VERSION"
    agnhost = f"{REGISTRY}/e2e-test-images/agnhost:{release.read_text().strip()}"
    images.append(Image(agnhost, (network_tools, reader.layer()), ("/agnhost",), ("pause",)))
    images += _calico(spec, products, network_tools)
    return images


def _calico(spec: Spec, products: dict[str, Path], network_tools: Layer) -> list[Image]:
    calico, version = products["calico"], spec.versions.calico
    node = LayerBuilder()
    node.packages(products["rootfs"] / "rootfs.tar", ["bird2", "runit", "iputils-arping", "busybox"])
    node.file("usr/bin/calico-node", calico / "calico-node")
    node.link("usr/bin/birdcl", "../sbin/birdcl")
    _upstream_files(node)
    confd = IMAGE / "calico/confd"
    for path in sorted(p for p in confd.rglob("*") if p.is_file()):
        node.file(f"etc/calico/confd/{path.relative_to(confd)}", path, 0o644)
    node.folder("etc/calico/confd/config")

    cni = LayerBuilder()
    for name in ("calico", "install"):
        cni.file(f"opt/cni/bin/{name}", calico / name)
    cni.file("opt/cni/bin/calico-ipam", calico / "calico")
    for name in ("bandwidth", "host-local", "loopback", "portmap"):
        cni.file(f"opt/cni/bin/{name}", products["cni"] / name)

    controllers = LayerBuilder()
    for name in ("kube-controllers", "check-status"):
        controllers.file(f"usr/bin/{name}", calico / name)
    controllers.folder("status", 0o1777)
    controllers.folder("tmp", 0o1777)
    env = (PATH, "SVDIR=/etc/service/enabled")
    return [
        Image(f"docker.io/calico/node:{version}", (network_tools, node.layer()), (), ("start_runit",), env),
        Image(f"docker.io/calico/cni:{version}", (cni.layer(),), (), ("/opt/cni/bin/install",)),
        Image(
            f"docker.io/calico/kube-controllers:{version}",
            (controllers.layer(),),
            ("/usr/bin/kube-controllers",),
        ),
    ]


def _upstream_files(node: LayerBuilder) -> None:
    """The supervisor's scripts of Calico's own node image, out of its Go module.

    BIRD 2 speaks both families in one process and this cluster is IPv4, so the service of
    the second, bird6, is left out.
    """
    filesystem = module_folder("calico", "github.com/projectcalico/calico") / "node/filesystem"
    for path in sorted(p for p in filesystem.rglob("*") if p.is_file()):
        name = str(path.relative_to(filesystem))
        if "bird6" in name or "calico-bgp-daemon" in name or name.endswith(".gitkeep"):
            continue
        data = path.read_bytes()
        if name == "etc/rc.local":
            data = b"".join(line for line in data.splitlines(keepends=True) if b"bird6" not in line)
        target = name.replace("sbin/", "usr/sbin/", 1) if name.startswith("sbin/") else name
        executable = "/run" in name or name.startswith("sbin/") or name == "etc/rc.local"
        node.file(target, data, 0o755 if executable else 0o644)
