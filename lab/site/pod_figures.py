"""Figures about pods and their network: the four problems, a pod's start, who writes what, what can fail."""

from lab.site.facts import Facts
from lab.site.svg import ACCENT, INK, PAPER, arrow, box, figure, line, rect, tag, text


def four_problems(facts: Facts) -> str:
    """Draw the four ways to one pod."""
    duo, guest = facts.pod("two_containers", "duo"), facts.pod("two_containers", "guest")
    service = facts.service("two_containers", "duo")
    local = facts.printed("the_model/four_problems", r"curl -s (localhost:\d+)")[1]
    asked = facts.printed("the_model/four_problems", r"^(\w+)\$ curl -s ([\d.]+:\d+)/")
    outside, door = asked[1], asked[2]
    place = f"{duo.address}:{service.target_port}"
    parts = [
        *_node(12, 12, 340, 250, duo.node, facts.node(duo.node)),
        *_node(588, 12, 260, 250, guest.node, facts.node(guest.node)),
        rect(28, 58, 308, 188, ACCENT, ACCENT, opacity=0.1),
        text(44, 82, f"pod {duo.name}", bold=True),
        text(320, 82, duo.address, anchor="end", mono=True),
        *box(44, 98, 92, 48, "front"),
        *box(228, 98, 92, 48, "back"),
        arrow(136, 122, 228, 122, ACCENT),
        tag(182, 122, 1),
        text(182, 168, local, anchor="middle", mono=True, size=13),
        text(44, 198, "one eth0, one set of ports", dim=True),
        text(44, 218, "one localhost", dim=True),
        rect(604, 58, 228, 120, ACCENT, ACCENT, opacity=0.1),
        text(620, 82, f"pod {guest.name}", bold=True),
        text(620, 106, guest.address, mono=True),
        *_way(604, 116, 336, 2, place, "the pod's own address"),
        *_way(604, 166, 336, 3, service.place, "the Service's address"),
        *box(588, 306, 260, 48, outside, "is no pod"),
        line(718, 306, 718, 226, ACCENT),
        line(718, 226, 588, 226, ACCENT),
        *_way(588, 226, 336, 4, door, "a node's address"),
    ]
    words = (
        f"The pod {duo.name} with the address {duo.address} runs on {duo.node}, the pod {guest.name} with "
        f"{guest.address} on {guest.node}. Four arrows: 1, inside {duo.name} the container front reaches the container "
        f"back at {local}. 2, {guest.name} reaches {duo.name} at {place}, the pod's own address. 3, {guest.name} "
        f"reaches it at {service.place}, the Service's address. 4, {outside}, which is no pod, reaches it at {door}, "
        f"the address of {guest.node}. The last three end at the same pod."
    )
    return figure("four", 860, 366, "Four problems, one pod", words, parts)


def _way(x1: int, y: int, x2: int, number: int, address: str, whose: str) -> list[str]:
    """A numbered arrow to the left, with the address that was asked for."""
    return [
        arrow(x1, y, x2, y, ACCENT),
        tag(380, y, number),
        text(400, y - 7, address, mono=True, size=13),
        text(400, y + 17, whose, dim=True, size=13),
    ]


def pod_start(facts: Facts) -> str:
    """Draw who does what when a pod starts, and what is there afterwards."""
    plugins = [match[1] for match in facts.every("cni/conflist", r'^\{"type":"(\w+)"')]
    ipam = facts.printed("cni/conflist", r'"ipam":\{"type":"([\w-]+)"')[1]
    address = facts.printed("cni/kept", r'"address":"([\d.]+/32)"')[1]
    device = facts.printed("cni/kept", r'"interfaces":\[\{"name":"(\w+)"')[1]
    pod = facts.pod("pods", "pod2")
    route = facts.printed("pod_to_pod/the_brief_line", rf"^{pod.address} dev {device} scope link$")[0]
    first, *rest = plugins
    steps = (
        ("makes a network namespace", ""),
        (f"ADD: {first}", f"asks {ipam} for an address"),
        (f"ADD: {first}", "makes cable, address and routes"),
        (f"ADD: {', '.join(rest)}", "for ports and limits"),
        ("starts the containers", "in the namespace"),
    )
    parts = [text(12, 34, "containerd", bold=True, size=16)]
    for number, (what, more) in enumerate(steps, 1):
        y = 66 + 54 * (number - 1)
        parts += [tag(23, y, number), text(46, y + 5, what), text(46, y + 24, more, dim=True, size=13)]
    parts += [
        *_node(320, 12, 528, 312, pod.node, facts.node(pod.node)),
        rect(340, 60, 300, 104, ACCENT, ACCENT, opacity=0.1),
        text(380, 86, f"network namespace of {pod.name}", bold=True),
        tag(360, 82, 1),
        *box(360, 108, 260, 40, f"eth0 {address}", mono=True),
        tag(642, 128, 2),
        text(662, 124, "picked by", dim=True, size=13),
        text(662, 142, ipam, mono=True, size=13),
        line(490, 148, 490, 220, INK),
        text(510, 195, "veth pair", dim=True),
        tag(490, 190, 3),
        *box(360, 220, 260, 40, device, mono=True),
        text(340, 284, "the node's route", dim=True, size=13),
        text(340, 306, route, mono=True, size=13),
    ]
    told = "; ".join(f"{number}, {what} {more}".strip() for number, (what, more) in enumerate(steps, 1))
    words = (
        f"containerd takes five steps: {told}. Afterwards the network namespace of {pod.name} on {pod.node} has "
        f"eth0 with {address}, a veth pair leads from it to the device {device} of the node, and the node has the "
        f"route {route}."
    )
    return figure("start", 860, 336, "What happens when a pod starts", words, parts)


def hops(facts: Facts) -> str:
    """Draw the five hops of a packet from a pod to a pod on another node, and the packet on the wire."""
    source, target = facts.pod("pods", "pod2"), facts.pod("pods", "pod3")
    device = facts.printed("pod_to_pod/the_brief_line", rf"^{source.address} dev (\w+) scope link$")[1]
    here, there = facts.node(source.node), facts.node(target.node)
    route = facts.printed("pod_to_pod/routes_to_other_nodes", rf"^([\d./]+) via {there} dev (\w+) proto bird onlink$")
    wire = facts.printed(
        "pod_to_pod/packet_on_the_wire",
        rf"proto IPIP \(4\), length (\d+)\)\n +({here} > {there}): .* length (\d+)\)\n +(\S+ > [\d.]+):",
    )
    whole, outer, length, inner = wire.groups()
    parts: list[str] = []
    for x, pod, address, cable in ((12, source, here, device), (468, target, there, "cali…")):
        middle = x + 190
        parts += [
            *_node(x, 12, 380, 300, pod.node, address),
            line(middle, 110, middle, 280, INK),
            rect(x + 80, 52, 220, 58, ACCENT, ACCENT, opacity=0.1),
            text(middle, 76, pod.name, anchor="middle", bold=True),
            text(middle, 98, f"eth0 {pod.address}", anchor="middle", mono=True, size=13),
            *box(x + 80, 140, 220, 32, cable, mono=True),
            *box(x + 80, 202, 220, 32, route[2], mono=True),
            *box(x + 80, 264, 220, 32, "eth0", mono=True),
        ]
    parts += [
        tag(92, 81, 1),
        tag(202, 125, 2),
        text(222, 130, "the cable", dim=True, size=13),
        tag(202, 187, 3),
        text(222, 192, f"route {route[1]}", dim=True, size=13),
        tag(202, 249, 4),
        text(222, 254, "a second header", dim=True, size=13),
        arrow(312, 280, 548, 280, ACCENT),
        tag(658, 249, 5),
        text(678, 254, "the header off", dim=True, size=13),
        text(678, 192, "a route of 32 bits", dim=True, size=13),
        rect(108, 328, 644, 56, PAPER, INK),
        text(124, 352, outer, mono=True, size=13),
        text(124, 372, f"{whole} bytes on the wire", dim=True, size=13),
        rect(396, 334, 348, 44, ACCENT, ACCENT, opacity=0.1),
        text(412, 352, inner, mono=True, size=13),
        text(412, 370, f"{length} bytes in {route[2]}", dim=True, size=13),
    ]
    words = (
        f"1, the packet leaves {source.name}, which has {source.address}. 2, it comes through the cable to the device "
        f"{device} of {source.node}. 3, the route {route[1]} leads it to {route[2]}. 4, there it gets a second header "
        f"and leaves by eth0: {outer} around {inner}, {whole} bytes on the wire around {length}. 5, {target.node} "
        f"takes the header off, and by a route and a cable the packet comes to {target.name} with {target.address}."
    )
    return figure("hops", 860, 396, "Five hops from pod to pod", words, parts)


def writers(facts: Facts) -> str:
    """Draw the four writers of a node and what each writes."""
    page = "cni_or_kube_proxy/the_writers"
    block = facts.every(page, r"^([\d./]+) via [\d.]+ dev tunl0 (proto bird)")[-1]
    hole = facts.printed(page, r"^blackhole ([\d./]+) proto bird")[1]
    pod = facts.pod("web", "client")
    device = facts.printed("cni_or_kube_proxy/who_wrote_what", rf"^{pod.address} dev (\w+) scope link$")[1]
    names = [match[1] for match in facts.every(page, r"^:(\w+)$")]
    columns = (
        ("kube-proxy", "always runs", (f"rules in {names[0]}-…", "for Services")),
        ("Felix", "always runs", (f"rules in {names[1]}-…", "routes to own pods:", pod.address)),
        ("BIRD", "always runs", ("routes to other nodes:", block[1], "blackhole:", hole)),
        ("CNI plugin", "once for a pod", ("the pod's device:", device, "its address, its route")),
    )
    parts = [
        *box(12, 12, 626, 40, "API server"),
        *box(654, 12, 194, 40, "kubelet, containerd"),
        rect(12, 170, 836, 134, ACCENT, ACCENT, opacity=0.1),
        text(30, 292, "the node's kernel", bold=True),
    ]
    for number, (name, when, lines) in enumerate(columns):
        x = 12 + 214 * number
        parts += [
            arrow(x + 97, 52, x + 97, 84),
            *box(x, 84, 194, 48, name, when),
            arrow(x + 97, 132, x + 97, 170, ACCENT),
            *(
                text(x + 18, 196 + 20 * place, words, mono=words[-1].isalnum() and " " not in words, size=13)
                for place, words in enumerate(lines)
            ),
        ]
    words = (
        "Four programs write into the kernel of a node. Three always run, and hear from the API server: kube-proxy "
        f"writes rules in {names[0]}-… for Services; Felix writes rules in {names[1]}-… and the routes to the node's "
        f"own pods, such as {pod.address}; BIRD writes the routes to other nodes, such as {block[1]}, and the "
        f"blackhole {hole}. The fourth, the CNI plugin, is started by kubelet and containerd, once for a pod: it "
        f"makes the pod's device {device}, with its address and its route."
    )
    return figure("writers", 860, 316, "Who writes into the kernel", words, parts)


def failures(facts: Facts) -> str:
    """Draw the way of a packet to a Service, and where each of eight failures sits."""
    client, server = facts.pod("web", "client"), facts.pod("web", "web-1")
    service = facts.service("web", "solo")
    mtu = facts.printed("operating/mtu_too_big", r"^tunl0/mtu:(\d+)$")[1]
    stops = (
        ("the name", ("DNS gone",)),
        ("the rules", ("kube-proxy", "stopped")),
        ("the route", ("lost route", "BGP down")),
        ("tunl0", ("MTU too big:", f"over {mtu}")),
        ("conntrack", ("table full",)),
        ("the policy", ("denies",)),
    )
    parts = [
        *_node(12, 12, 562, 270, client.node, facts.node(client.node)),
        *_node(610, 12, 238, 210, server.node, facts.node(server.node)),
        text(28, 66, f"pod {client.name} {client.address} asks {service.place}", dim=True),
        text(626, 66, f"pod {server.name} {server.address}", dim=True, size=13),
        arrow(20, 116, 844, 116),
    ]
    for number, (stop, failure) in enumerate(stops):
        x, width = (28 + 139 * number, 112) if number < 4 else (618 + 116 * (number - 4), 104 - 12 * (number - 4))
        parts += [
            *box(x, 94, width, 44, stop),
            *(
                text(x + width // 2, 160 + 20 * place, words, anchor="middle", size=13)
                for place, words in enumerate(failure)
            ),
        ]
    parts += [
        arrow(362, 190, 362, 222, dash="5 4"),
        *box(288, 222, 148, 44, "POSTROUTING", mono=True),
        text(276, 249, "lost masquerade rule", anchor="end", size=13),
        arrow(436, 244, 612, 244, dash="5 4"),
        text(622, 249, "or to the outside", dim=True),
    ]
    words = (
        f"The way of a packet from the pod {client.name} on {client.node} to the Service {service.place}, whose pod "
        f"{server.name} with {server.address} is on {server.node}. The first four stops are on {client.node}, the last "
        f"two on {server.node}. What fails: at the name, DNS is gone; at the rules, kube-proxy is stopped; at the "
        f"route, it is lost, or BGP is down; at tunl0, an MTU too big, over {mtu}; at conntrack, a full table; at the "
        "policy, it denies. A packet to the outside meets POSTROUTING instead of the tunnel: there, a lost masquerade "
        "rule."
    )
    return figure("failures", 860, 294, "Where eight failures sit", words, parts)


def _node(x: int, y: int, width: int, height: int, name: str, address: str) -> list[str]:
    """A node with its address, to be filled."""
    return [
        rect(x, y, width, height, PAPER, INK),
        text(x + 16, y + 28, name, bold=True, size=16),
        text(x + width - 16, y + 28, address, anchor="end", mono=True),
    ]


FIGURES = {
    "four-problems.svg": four_problems,
    "pod-start.svg": pod_start,
    "hops.svg": hops,
    "writers.svg": writers,
    "failures.svg": failures,
}
