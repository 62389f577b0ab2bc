"""When is a cluster truly ready? Five conditions, each with its limit and its last state."""

import ipaddress
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.carriers import Live
from lab.errors import LabError

Products = dict[str, Path]


@dataclass(frozen=True)
class Condition:
    """One thing that must hold.

    Attributes:
        text: What it is, in words.
        limit: Seconds it may take.
        check: Returns "" when it holds, else its present state.
    """

    text: str
    limit: float
    check: Callable[[Live, Products], str]


def kubectl(carrier: Live, products: Products, *words: str, timeout: float = 20.0) -> str:
    """Run this host's kubectl in the lab's network.

    Raises:
        LabError: It failed; holds kubectl's own words.
    """
    options = ["--kubeconfig", str(carrier.kubeconfig()), "--request-timeout=10s"]
    done = subprocess.run(
        carrier.inside([products["programs"] / "kubectl", *options, *words]),
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise LabError(f"kubectl {' '.join(words)} failed", detail=done.stderr)
    return done.stdout


def _items(carrier: Live, products: Products, *words: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(kubectl(carrier, products, *words, "-o", "json"))["items"]
    return items


def _true(item: dict[str, Any], kind: str) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def _nodes_ready(carrier: Live, products: Products) -> str:
    nodes = {item["metadata"]["name"]: item for item in _items(carrier, products, "get", "nodes")}
    waiting = []
    for node in carrier.spec.nodes:
        if node.name not in nodes:
            waiting.append(f"{node.name} is not registered")
        elif not _true(nodes[node.name], "Ready"):
            reasons = [c["message"] for c in nodes[node.name]["status"]["conditions"] if c["type"] == "Ready"]
            waiting.append(f"{node.name} is not Ready: {' '.join(reasons)}")
    return "\n".join(waiting)


def _pods_ready(carrier: Live, products: Products) -> str:
    pods = _items(carrier, products, "get", "pods", "--namespace", "kube-system")
    wanted = 4 + 2 * len(carrier.spec.nodes) + 2
    waiting = [
        f"{pod['metadata']['name']} on {pod['spec'].get('nodeName', 'no node')}: {pod['status']['phase']}, not Ready"
        for pod in pods
        if not _true(pod, "Ready")
    ]
    if len(pods) < wanted:
        waiting.append(f"{len(pods)} of {wanted} pods exist")
    return "\n".join(waiting)


def _bgp_established(carrier: Live, products: Products) -> str:
    waiting = []
    peers = len(carrier.spec.nodes) - 1
    for node in carrier.spec.nodes:
        said = carrier.execute(node.name, "birdcl -s /run/calico/bird.ctl show protocols", timeout=10)
        count = said.stdout.count("Established")
        if count < peers:
            waiting.append(f"{node.name}: {count} of {peers} sessions are Established\n{said.stdout}{said.stderr}")
    return "\n".join(waiting)


def _dns_answers(carrier: Live, products: Products) -> str:
    """Ask from inside a pod's network namespace: the one of Calico's controllers."""
    networks = carrier.spec.networks
    name = f"kubernetes.default.svc.{networks.domain}"
    pod = "$(ip netns list | awk '/^cni-/ {print $1; exit}')"
    command = f"ip netns exec {pod} dig +short +time=2 +tries=1 @{networks.dns} {name}"
    said = carrier.execute(carrier.spec.control_plane.name, command, timeout=10)
    return "" if said.status == 0 and said.stdout.strip() else f"dig said: {said.stdout}{said.stderr}"


def _service_answers(carrier: Live, products: Products) -> str:
    """Every node reaches the API server by its ClusterIP, the first address of the Service network."""
    address = ipaddress.ip_network(carrier.spec.networks.services)[1]
    waiting = []
    for node in carrier.spec.nodes:
        said = carrier.execute(node.name, f"curl -sk --max-time 3 https://{address}/livez", timeout=10)
        if said.stdout.strip() != "ok":
            waiting.append(f"{node.name}: curl exited {said.status}: {said.stdout}{said.stderr}")
    return "\n".join(waiting)


CONDITIONS = (
    Condition("all nodes are Ready", 180, _nodes_ready),
    Condition("all system pods are Ready", 240, _pods_ready),
    Condition("BGP is established on all nodes", 120, _bgp_established),
    Condition("DNS answers a pod", 60, _dns_answers),
    Condition("a Service answers on all nodes", 60, _service_answers),
)


def booted(*nodes: str) -> Condition:
    """That the API server has heard from the nodes' kubelets since the kernels started last.

    Until then it calls a node Ready whose kernel has ended, for 40 seconds or more.
    """

    def check(carrier: Live, products: Products) -> str:
        items = {item["metadata"]["name"]: item for item in _items(carrier, products, "get", "nodes")}
        waiting = []
        for node in nodes:
            boot = carrier.execute(node, "cat /proc/sys/kernel/random/boot_id", timeout=10).stdout.strip()
            told = items[node]["status"]["nodeInfo"]["bootID"] if node in items else "no node"
            if told != boot:
                waiting.append(f"{node}: its boot is {boot}, the API server knows {told}")
        return "\n".join(waiting)

    return Condition(f"kubelet has reported from {', '.join(nodes)}", 180, check)


def wait(carrier: Live, condition: Condition, products: Products, *, patience: float = 1.0) -> None:
    """Wait until a condition holds.

    Args:
        patience: How many times its limit a slower carrier may take.

    Raises:
        LabError: It does not hold within its limit; tells its last state and where the logs are.
    """
    limit = condition.limit * patience
    deadline = time.monotonic() + limit
    while True:
        try:
            state = condition.check(carrier, products)
        except (LabError, subprocess.TimeoutExpired) as error:
            state = str(error)
        if not state:
            return
        dead = [node.name for node in carrier.spec.nodes if not carrier.alive(node.name)]
        if dead:
            where = carrier.log(dead[0]) or carrier.folder / "logs"
            raise LabError(
                f"{', '.join(dead)}: the node ended while waiting: {condition.text}", detail=state,
                hint=f"its last words: {where}; bring it back: lab up",
            )  # fmt: skip
        if time.monotonic() > deadline:
            raise LabError(
                f"not ready: {condition.text}: not within {limit:.0f} s", detail=state,
                hint=f"logs are in {carrier.folder / 'logs'}; a unit's: lab logs {carrier.spec.nodes[0].name} kubelet",
            )  # fmt: skip
        time.sleep(0.5)
