"""What usually causes a difference, and the command that shows more; by the kind of finding and what it is about."""

import re
import shlex
from dataclasses import dataclass

from lab.drift import Finding, Kind
from lab.spec import load_spec


@dataclass(frozen=True)
class Cause:
    """One explanation.

    Attributes:
        kinds: The findings that it explains.
        why: What usually causes them, a sentence or two.
        look: The next command. `{host}` stands for the finding's node, `{subject}` for what it names, `{command}`
            for what was asked, and `{again}` for the line that asks it again by hand.
        subject: A pattern that the whole subject must have.
        said: A pattern that the old value, the new one or the command must contain.
    """

    kinds: tuple[Kind, ...]
    why: str
    look: str
    subject: str = ".*"
    said: str = ""


_BIRD = "lab ssh {host} -- birdcl -s /run/calico/bird.ctl show protocols"
_FELIX = "lab kubectl -- get pods -n kube-system -o wide -l k8s-app=calico-node"
_PROXY = "lab kubectl -- get pods -n kube-system -o wide -l k8s-app=kube-proxy"
_POLICIES = "lab kubectl -- get networkpolicies -A"
_AGAIN = "{again}"
_ROUTES = (Kind.ROUTE_MISSING, Kind.ROUTE_ADDED, Kind.NEXT_HOP_CHANGED, Kind.DEVICE_CHANGED, Kind.ROUTE_TYPE_CHANGED)

CAUSES = (
    Cause(
        (Kind.ROUTE_MISSING,),
        "Felix writes a pod's route on the pod's node: it does not run there, or the pod is on another node.",
        _FELIX,
        subject=r"\S+/32",
        said=r"\bcali[0-9a-f]{11}\b|scope link",
    ),
    Cause(
        (Kind.DEVICE_CHANGED,),
        "Somebody wrote this route by hand, or a pod that is gone left it: Felix leads an address to its pod's link.",
        _FELIX,
        subject=r"\S+/32",
        said=r"\bcali[0-9a-f]{11}\b",
    ),
    Cause(
        _ROUTES,
        "BIRD writes the routes to other nodes from what its BGP sessions say, and the hole of its own block: "
        "a session is down, the tunnel is off, or somebody wrote a route by hand.",
        _BIRD,
        said=r"\bbird\b|\btunl0\b|\bblackhole\b",
    ),
    Cause(
        _ROUTES,
        "A route was written by hand, or by another network plugin than the book's Calico in IPIP mode.",
        "lab ssh {host} -- ip route",
    ),
    Cause(
        (Kind.RULE_MISSING, Kind.RULE_ADDED, Kind.CHAIN_MISSING, Kind.CHAIN_ADDED, Kind.DNAT_TARGET_CHANGED),
        "Felix writes these chains from the policies and pods of its node: another policy is in force, "
        "or Felix does not run.",
        _POLICIES,
        subject=r"(?:-A )?cali.*",
    ),
    Cause(
        (Kind.RULE_MISSING, Kind.RULE_ADDED, Kind.CHAIN_MISSING, Kind.CHAIN_ADDED),
        "kube-proxy writes a Service's rules from the Service and its EndpointSlices: it does not run, "
        "it is in another mode, the endpoints are others, or somebody changed the table by hand.",
        _PROXY,
    ),
    Cause(
        (Kind.RULE_ORDER_CHANGED,),
        "kube-proxy and Felix put their rules into an order and keep it: somebody else wrote into the chain, "
        "or endpoints with other addresses sort in another way.",
        _AGAIN,
    ),
    Cause(
        (Kind.PROBABILITY_CHANGED,),
        "kube-proxy gives each of n endpoints 1/n: the Service has another number of ready endpoints, "
        "endpoints with other addresses sort in another way, or the rule was changed by hand.",
        "lab kubectl -- get endpointslices -A",
    ),
    Cause(
        (Kind.DNAT_TARGET_CHANGED,),
        "The target is the pod's address and the Service's targetPort: one of them is another, "
        "or kube-proxy stands still and its rules are old.",
        "lab kubectl -- get endpointslices -A",
    ),
    Cause(
        (Kind.POLICY_CHANGED,),
        "The policy of a chain was set by hand or by another program, such as a firewall or Docker.",
        "lab ssh {host} -- iptables -S {subject}",
    ),
    Cause(
        (Kind.ELEMENT_MISSING, Kind.ELEMENT_ADDED, Kind.ELEMENT_CHANGED),
        "The sets and maps follow the Services, the endpoints and the pods: one of these is another, "
        "or the program that writes them stands still.",
        _PROXY,
    ),
    Cause(
        (Kind.LINK_MISSING, Kind.LINK_ADDED),
        "A link comes and goes with its pod, and tunl0 with Calico's IPIP mode: another plugin or mode is in use, "
        "pods of yours are on this node, or a link was made by hand.",
        "lab ssh {host} -- ip link",
    ),
    Cause(
        (Kind.LINK_STATE_CHANGED,),
        "A link was switched off, or its other end was: the pod ended, or somebody did it by hand.",
        "lab ssh {host} -- ip link show {subject}",
    ),
    Cause(
        (Kind.MTU_CHANGED,),
        "Calico takes 20 bytes for IPIP off the MTU of the node's link: that link has another MTU, "
        "`veth_mtu` is set in its ConfigMap, another tunnel is in use, or it was changed by hand.",
        "lab kubectl -- get configmap -n kube-system calico-config -o yaml",
    ),
    Cause(
        (Kind.ADDRESS_CHANGED,),
        "A link has lost or changed its address: tunl0 gets its own from Felix, a pod from IPAM, "
        "a node's from whoever made the node.",
        "lab ssh {host} -- ip addr",
    ),
    Cause(
        (Kind.NEIGHBOUR_MISSING, Kind.NEIGHBOUR_ADDED),
        "Nobody asked for this neighbour yet, it does not answer, or proxy ARP is off on the link.",
        "lab ssh {host} -- ip neigh",
    ),
    Cause(
        (Kind.SESSION_MISSING, Kind.SESSION_ADDED, Kind.SESSION_STATE_CHANGED),
        "BIRD does not run on one of the two nodes, TCP port 179 does not pass between them, "
        "or the mesh is switched off or has other nodes.",
        _BIRD,
    ),
    Cause(
        (Kind.ANSWER_MISSING, Kind.ANSWER_ADDED, Kind.ANSWER_CHANGED),
        "The packet or its answer took another way: a route, a rule or a policy on the way is another one. "
        "See the findings beside this one, which name it.",
        _AGAIN,
    ),
    Cause(
        (Kind.FLOW_MISSING, Kind.FLOW_ADDED, Kind.FLOW_CHANGED),
        "The connection was rewritten in another way, or not at all: the Service's rules are others.",
        _PROXY,
    ),
    Cause(
        (Kind.SERVER_MISSING, Kind.SERVER_ADDED, Kind.SERVER_CHANGED),
        "In IPVS mode each endpoint is a server: the Service has other endpoints, or another scheduler is set.",
        "lab ssh {host} -- ipvsadm -Ln",
    ),
    Cause(
        (Kind.SOCKET_MISSING, Kind.SOCKET_ADDED),
        "Another program listens here, or one that should does not run.",
        "lab ssh {host} -- ss -ltnp",
    ),
    Cause(
        (Kind.SETTING_CHANGED, Kind.SETTING_MISSING, Kind.SETTING_ADDED),
        "Felix and kube-proxy set what they need when they start: they do not run, "
        "or a file in /etc/sysctl.d or a hand changed it afterwards.",
        _AGAIN,
    ),
    Cause(
        (Kind.OBJECT_MISSING, Kind.OBJECT_ADDED, Kind.OBJECT_CHANGED),
        "The cluster holds other objects: somebody made or deleted one, or its controller does not run.",
        "lab kubectl -- get pods -A -o wide",
    ),
    Cause(
        (Kind.STATUS_CHANGED,),
        "The command failed, or no longer failed: the message in the finding says why; "
        "what is missing is most often a route, a chain or a program.",
        _AGAIN,
    ),
    Cause(
        (Kind.COMMAND_MISSING, Kind.COMMAND_ADDED),
        "The snippet asked something else, because an answer before this one was another.",
        _AGAIN,
    ),
    Cause(
        (Kind.TEXT_CHANGED,),
        "A program of another version says it in other words, or the state behind it is another.",
        _AGAIN,
    ),
    Cause(
        (Kind.CLAIM_BROKEN,),
        "What the page says does not hold in this cluster: its mode, its plugin or its state is another one.",
        "lab run {command}",
    ),
)


def cause_of(finding: Finding) -> Cause:
    """The first cause that fits a finding; every kind has one, but for a difference that is only cosmetic."""
    said = f"{finding.old}\n{finding.new}\n{finding.command}"
    return next(
        cause
        for cause in CAUSES
        if finding.kind in cause.kinds and re.fullmatch(cause.subject, finding.subject) and re.search(cause.said, said)
    )


def explained(finding: Finding) -> tuple[str, str]:
    """Why a finding usually comes about, and the next command."""
    cause = cause_of(finding)
    host, _, pod = finding.node.partition("/")
    # A finding about what an assertion says has no node; the control plane sees the most.
    host = host or load_spec().control_plane.name
    words = {"host": host, "subject": shlex.quote(finding.subject), "command": finding.command}
    return cause.why, cause.look.format(**words, again=_again(host, pod, finding.command))


def _again(host: str, pod: str, command: str) -> str:
    """The finding's own question, to be asked by hand."""
    line = " ".join(command.replace("\\\n", " ").partition("\n")[0].split())
    if pod:
        return f"lab kubectl -- exec {pod} -- sh -c {shlex.quote(line)}"
    return f"lab ssh {host} -- {shlex.quote(line)}"
