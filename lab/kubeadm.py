"""What kubeadm is told: everything comes from cluster.yaml, nothing of upstream is changed."""

from collections.abc import Mapping
from typing import Any

import yaml

from lab.spec import NodeSpec, Spec

API = "kubeadm.k8s.io/v1beta4"
IGNORED = ["NumCPU", "SystemVerification"]
"""Preflight checks that a user-mode node fails by design.

It has one processor, and a kernel for one processor has no cpuset controller, which
SystemVerification asks for; without it only the pinning of pods to cores is missing.
"""

PATIENCE = {
    "controlPlaneComponentHealthCheck": "8m0s",
    "discovery": "8m0s",
    "kubeletHealthCheck": "8m0s",
    "kubernetesAPICall": "3m0s",
    "tlsBootstrap": "8m0s",
}


def init_config(spec: Spec, token: str, *, patience: Mapping[str, str] = PATIENCE) -> str:
    """The configuration of `kubeadm init`, as YAML.

    Args:
        token: Bootstrap token of this lab, with which workers join.
        patience: How long kubeadm waits for what.
    """
    node = spec.control_plane
    return _documents(
        {
            "apiVersion": API,
            "kind": "InitConfiguration",
            "bootstrapTokens": [{"token": token, "ttl": "0s", "usages": ["signing", "authentication"]}],
            "localAPIEndpoint": {"advertiseAddress": node.address, "bindPort": 6443},
            "nodeRegistration": _registration(node),
            "patches": {"directory": "/etc/lab/patches"},
            "timeouts": dict(patience),
        },
        {
            "apiVersion": API,
            "kind": "ClusterConfiguration",
            "clusterName": spec.name,
            "kubernetesVersion": spec.versions.kubernetes,
            "encryptionAlgorithm": "ECDSA-P256",
            "networking": {
                "podSubnet": spec.networks.pods,
                "serviceSubnet": spec.networks.services,
                "dnsDomain": spec.networks.domain,
            },
            "dns": {"imageTag": spec.versions.coredns},
            "etcd": {
                "local": {
                    "imageTag": f"{spec.versions.etcd.removeprefix('v')}-0",
                    # One member on a disk that may be lost with the lab: no wait for the disk.
                    "extraArgs": [
                        {"name": "unsafe-no-fsync", "value": "true"},
                        # It has no other member to hear from; milliseconds.
                        {"name": "heartbeat-interval", "value": "500"},
                        {"name": "election-timeout", "value": "5000"},
                        # Kubeadm has it tell each of the API server's watches every five seconds that
                        # nothing happened. Whoever reads from the cache asks for that when it is needed.
                        {"name": "watch-progress-notify-interval", "value": "1m"},
                        # Its log has a change at once; the tables behind that may follow later.
                        {"name": "backend-batch-interval", "value": "1s"},
                    ],
                }
            },
            "apiServer": {"extraArgs": [{"name": "profiling", "value": "false"}]},
            # A single control plane has nobody to elect against.
            "controllerManager": {"extraArgs": _alone()},
            "scheduler": {"extraArgs": _alone()},
        },
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clusterCIDR": spec.networks.pods,
            # A user-mode node's conntrack table keeps the size that its kernel chose.
            "conntrack": {"maxPerCore": 0, "min": 0},
        },
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "cgroupDriver": "systemd",
            "clusterDNS": [spec.networks.dns],
            "imageGCHighThresholdPercent": 100,
            # After a boot the programs wait for each other; nobody gains if they also wait for nothing.
            "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
        },
    )


def join_config(spec: Spec, node: NodeSpec, token: str, ca_hash: str, *, patience: Mapping[str, str] = PATIENCE) -> str:
    """The configuration of `kubeadm join` for one worker, as YAML.

    Args:
        ca_hash: Digest of the cluster's CA, `sha256:...`, by which a worker knows its API server.
    """
    return _documents(
        {
            "apiVersion": API,
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {
                    "apiServerEndpoint": f"{spec.control_plane.address}:6443",
                    "token": token,
                    "caCertHashes": [ca_hash],
                }
            },
            "nodeRegistration": _registration(node),
            "timeouts": dict(patience),
        }
    )


def coredns_patch(spec: Spec, address: str) -> str:
    """Kubeadm's own hook for its DNS addon: one replica, at a fixed place and address.

    With a fixed address every node's rules for the DNS Service are the same each time.
    """
    # After a boot its first packets to the Service would find no rule for it yet: they leave as they are,
    # conntrack remembers them so, and the connection hangs for half a minute.
    server = {"KUBERNETES_SERVICE_HOST": spec.control_plane.address, "KUBERNETES_SERVICE_PORT": "6443"}
    container = {
        "name": "coredns",
        "env": [{"name": name, "value": value} for name, value in server.items()],
        # Asked again soon, so that a start is not longer by the time between two questions.
        "readinessProbe": {"periodSeconds": 2},
    }
    return yaml.safe_dump(
        {
            "spec": {
                "replicas": 1,
                "template": {
                    "metadata": {"annotations": pinned(address)},
                    "spec": {
                        "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
                        "containers": [container],
                    },
                },
            }
        }
    )


STARTUP = {"initialDelaySeconds": 2, "periodSeconds": 2, "failureThreshold": 240}
"""How often a program that starts is asked whether it is up: a reader waits for the answer."""

CPU_SHARES = {"kube-apiserver": "250m", "etcd": "100m", "kube-controller-manager": "10m", "kube-scheduler": "10m"}
"""What each program asks of the control plane's one core.

The last two can do nothing before the API server answers; until then they must not keep it waiting.
"""


def static_pod_patches() -> dict[str, str]:
    """Kubeadm's own hook for the control plane's static pods, by file name: only probes and shares of the core.

    Kubeadm lets ten seconds pass before it asks a program that starts, and then asks the API server
    every second for ever, by a new TLS connection: slow at first, dear afterwards.
    """
    patches = {}
    for name, share in CPU_SHARES.items():
        container: dict[str, Any] = {
            "name": name,
            "startupProbe": STARTUP,
            "livenessProbe": {"periodSeconds": 30},
            "resources": {"requests": {"cpu": share}},
        }
        if name != "kube-controller-manager":  # the one without a readiness probe
            container["readinessProbe"] = {"periodSeconds": 15}
        patches[f"{name}+strategic.yaml"] = yaml.safe_dump({"spec": {"containers": [container]}})
    return patches


def pinned(address: str) -> dict[str, str]:
    """The annotation by which Calico's IPAM gives a pod this address."""
    return {"cni.projectcalico.org/ipAddrs": f'["{address}"]'}


def _registration(node: NodeSpec) -> dict[str, Any]:
    return {
        "name": node.name,
        "criSocket": "unix:///run/containerd/containerd.sock",
        "ignorePreflightErrors": IGNORED,
        "kubeletExtraArgs": [
            {"name": "node-ip", "value": node.address},
            # How often the use of every container is read, some thirty files each; nobody looks at it.
            {"name": "housekeeping-interval", "value": "60s"},
        ],
    }


def _alone() -> list[dict[str, str]]:
    return [{"name": "leader-elect", "value": "false"}, {"name": "profiling", "value": "false"}]


def _documents(*documents: dict[str, Any]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)
