"""Figures about rules: the chains of a Service, source addresses, three modes, a policy."""

import re

from lab.site.facts import Facts
from lab.site.svg import ACCENT, INK, PAPER, arrow, box, figure, line, rect, text


def chains(facts: Facts) -> str:
    """Draw the chains that a packet to a Service walks through, down to the pods."""
    page = "cluster_ip/nat_diff"
    door = facts.printed(page, r"-A (KUBE-SERVICES) -d ([\d.]+)/32 .*--dport (\d+) -j (KUBE-SVC-\w+)$")
    jumps = _jumps(facts, door[4])
    targets = {match[1]: match[2] for match in facts.every(page, r"-A (KUBE-SEP-\w+) .*--to-destination (\S+)$")}
    names = {match[2]: match[1] for match in facts.every(page, r"^(web-\d)\s+([\d.]+)\s+\w+$")}
    middle = 12 + 66 * len(jumps) // 2 - 6
    parts = [
        *box(12, middle - 36, 124, 72, door[1], f"to {door[2]}", f"TCP port {door[3]}", mono=True, size=12),
        arrow(136, middle, 166, middle),
        line(366, middle, 386, middle, INK),
        line(386, 39, 386, 66 * len(jumps) - 27, INK),
        *box(166, middle - 27, 200, 54, door[4], "which pod?", mono=True, size=12),
    ]
    told = []
    for number, jump in enumerate(jumps):
        y = 12 + 66 * number
        share = _share(jump)
        target = targets[jump[2]]
        name = names[target.partition(":")[0]]
        parts += [
            arrow(386, y + 27, 452, y + 27),
            text(417, y + 19, share, anchor="middle", size=13),
            *box(452, y, 200, 54, jump[2], "DNAT", mono=True, size=12),
            arrow(652, y + 27, 684, y + 27, ACCENT),
            rect(684, y, 164, 54, ACCENT, ACCENT, opacity=0.1),
            text(766, y + 22, name, anchor="middle", bold=True),
            text(766, y + 42, target, anchor="middle", mono=True, size=13),
        ]
        told.append(f"{share}: {jump[2]}, where DNAT makes the destination {target}, the pod {name}")
    words = (
        f"A packet to {door[2]}, TCP port {door[3]}, matches a rule of {door[1]} and goes to {door[4]}. "
        f"That chain decides by chance, {'; '.join(told)}."
    )
    return figure("chains", 860, 12 + 66 * len(jumps), "The chains of a Service", words, parts)


def _jumps(facts: Facts, chain: str) -> list[re.Match[str]]:
    """The jumps of a Service's chain to its endpoints."""
    return facts.every("cluster_ip/nat_diff", rf"-A {chain} .*?(?:--probability ([\d.]+) )?-j (KUBE-SEP-\w+)$")


def _share(jump: re.Match[str]) -> str:
    """How many of the packets that reach a jump take it: its first group is a probability, or empty for all."""
    return f"1 in {1 / float(jump[1]):.0f}" if jump[1] else "the rest"


def cluster_and_local(facts: Facts) -> str:
    """Draw whom the pod sees behind a node port, with both policies, and what a node without a pod does."""
    asked = rf"^(\w+)\$ curl -s http://({re.escape(facts.node('node01'))}:\d+)/clientip.*\n([\d.]+)$"
    seen, kept = facts.printed("node_port/source_cluster", asked), facts.printed("node_port/source_local", asked)
    local = facts.printed("node_port/source_local", r"^(web-\d)$")[1]
    silent = facts.printed("node_port/no_local_pod", r"^(\w+)\$ nc .* ([\d.]+) (\d+)$")
    far, near = facts.pod("node_port", "web-1"), facts.pod("node_port", local)
    by_address = {node.address: node.name for node in facts.spec.nodes}
    entry = by_address[seen[2].partition(":")[0]]
    rows = (
        (20, "Cluster", "to any pod; the answer comes back by the same node"),
        (144, "Local", "only to a pod of this node, and nothing is replaced"),
        (268, "Local, no pod here", "the rule drops it"),
    )
    parts = [
        part for y, head, more in rows for part in (text(12, y + 8, head, bold=True), text(172, y + 8, more, dim=True))
    ]
    parts += [
        *_asker(40, seen[1], facts.node(seen[1])),
        arrow(172, 76, 262, 76),
        text(217, 66, "asks", anchor="middle", dim=True, size=13),
        *box(262, 40, 216, 72, entry, seen[2], f"source: now {seen[3]}"),
        arrow(478, 76, 588, 76, ACCENT),
        text(533, 66, "tunnel", anchor="middle", dim=True, size=13),
        *_pod(588, 40, f"{far.name} on {far.node}", seen[3]),
        *_asker(164, kept[1], facts.node(kept[1])),
        arrow(172, 200, 262, 200),
        *box(262, 164, 216, 72, entry, kept[2], f"source: still {kept[3]}"),
        arrow(478, 200, 588, 200, ACCENT),
        *_pod(588, 164, f"{near.name} on {near.node}", kept[3]),
        *_asker(288, silent[1], facts.node(silent[1])),
        arrow(172, 324, 262, 324),
        *box(262, 288, 216, 72, by_address[silent[2]], f"{silent[2]}:{silent[3]}", "no pod of this Service"),
        line(478, 324, 560, 324, INK, dash="3 5"),
        text(588, 329, "silence", bold=True),
    ]
    words = (
        f"Policy Cluster: {seen[1]} asks {seen[2]}; {entry} replaces the source by {seen[3]} and sends the packet "
        f"through the tunnel to {far.name} on {far.node}, which sees {seen[3]}. "
        f"Policy Local: {kept[1]} asks {kept[2]}; {entry} hands it to {near.name}, a pod of its own, which sees "
        f"{kept[3]}, the one who asked. "
        f"Policy Local on a node without a pod: {silent[1]} asks {silent[2]}:{silent[3]}, and gets silence."
    )
    return figure("sources", 860, 372, "Whom the pod sees", words, parts)


def _asker(y: int, name: str, address: str) -> list[str]:
    return box(12, y, 160, 72, name, address)


def _pod(x: int, y: int, name: str, sees: str) -> list[str]:
    return [
        rect(x, y, 260, 72, ACCENT, ACCENT, opacity=0.1),
        text(x + 16, y + 30, name, bold=True),
        text(x + 16, y + 54, "sees", dim=True),
        text(x + 56, y + 54, sees, mono=True, bold=True),
    ]


def three_modes(facts: Facts) -> str:
    """Draw one Service in the three modes of kube-proxy."""
    nat = facts.printed("cluster_ip/nat_diff", r"-A (KUBE-SERVICES) -d ([\d.]+)/32 .*--dport (\d+) -j (KUBE-SVC-\w+)$")
    nft = facts.printed("proxy_modes/nftables_rules", r"(service-ips) '\{ (\S+) .*\n.*goto (service-\w+-)")
    draw = facts.printed("proxy_modes/nftables_rules", r"(numgen random mod \d) map")[1]
    table = facts.printed("proxy_modes/ipvs_rules", r"^TCP  (\S+) (\w+)$")
    device = facts.printed("proxy_modes/ipvs_rules", r"^local \S+ dev (\S+)")[1]
    shares = ", ".join(map(_share, _jumps(facts, nat[4])))
    pods = [match[1] for match in facts.every("proxy_modes/ipvs_rules", r"^  -> ([\d.]+:\d+) +Masq")]
    columns = (
        ("iptables", (nat[1], "one rule after the other"), (nat[4], shares), ("KUBE-SEP-…", "DNAT")),
        ("nftables", (nft[1], "one look-up in a map"), (f"{nft[3]}…", draw), ("a map in the rule", "dnat")),
        (
            "IPVS",
            (device, "the node has the address"),
            (table[1], f"{table[2]}: whose turn is it?"),
            ("its own table", "Masq"),
        ),
    )
    parts = [
        text(12, 74, "is it for", dim=True),
        text(12, 92, "a Service?", dim=True),
        text(12, 172, "which pod?", dim=True),
        text(12, 250, "put it in", dim=True),
        rect(108, 302, 740, 40, ACCENT, ACCENT, opacity=0.1),
        text(12, 327, "a pod", bold=True),
        text(478, 327, f"{', '.join(pods[:-1])} or {pods[-1]}", anchor="middle", mono=True, size=13),
    ]
    for number, (mode, *steps) in enumerate(columns):
        x = 108 + 250 * number
        parts.append(text(x + 120, 34, mode, anchor="middle", bold=True, size=16))
        for place, lines in enumerate(steps):
            y = 54 + 82 * place
            parts += [*box(x, y, 240, 54, *lines, mono=True, size=13), arrow(x + 120, y + 54, x + 120, y + 82, ACCENT)]
    told = "; ".join(
        f"{mode}: {', then '.join(f'{place} ({how})' for place, how in steps)}" for mode, *steps in columns
    )
    words = (
        f"A packet to {nat[2]}, port {nat[3]}, in three modes, each in three steps: is it for a Service, which pod, "
        f"and the address replaced. {told}. All three end at a pod: {', '.join(pods)}."
    )
    return figure("modes", 860, 354, "One Service, three modes", words, parts)


def policy(facts: Facts) -> str:
    """Draw where the chains of a policy stand on a packet's way to its pod."""
    page = "network_policy/felix_chains"
    server = facts.pod("policy", "server")
    friend, stranger = facts.pod("policy", "friend"), facts.pod("policy", "stranger")
    walk = [
        facts.printed(page, r"^-A (FORWARD) -j cali-FORWARD$")[1],
        facts.printed(page, r"^-A FORWARD -j (cali-FORWARD)$")[1],
        facts.printed(page, r"^-A cali-FORWARD -o cali\+ -j (\S+)$")[1],
    ]
    device, own = facts.printed(page, r"^-A cali-to-wl-dispatch -o (\S+) -g (\S+)$").groups()
    rule = facts.printed(page, rf"^-A {own} .* -j (cali-pi-\S+)$")[1]
    bit = facts.printed(page, r'"Return if policy accepted" -m mark --mark (0x\w+)/')[1]
    name = facts.printed(page, r"--match-set (\S+) src")[1]
    members = [match[1] for match in facts.every("network_policy/chain_names", r"^([\d.]+)$")]
    rows = (
        ("a connection that is known", "ACCEPT"),
        (rule, f"sets {bit} if it allows"),
        (f"{bit} is set", "RETURN, and accepted"),
        ("no policy has allowed it", "DROP"),
        ("profiles", "not reached any more"),
    )
    parts: list[str] = []
    for y, pod in ((12, friend), (84, stranger)):
        parts += [
            rect(12, y, 158, 56, ACCENT, ACCENT, opacity=0.1),
            text(28, y + 24, pod.name, bold=True),
            text(28, y + 44, pod.address, mono=True, size=13),
            arrow(170, y + 28, 216, 76),
        ]
    for number, chain in enumerate(walk):
        y = 54 + 68 * number
        parts += [*box(216, y, 180, 44, chain, mono=True, size=13)]
        if number:
            parts.append(arrow(306, y - 24, 306, y))
    parts += [
        arrow(396, 212, 440, 212),
        text(306, 254, "by the device", anchor="middle", dim=True, size=13),
        rect(440, 12, 408, 240, PAPER, ACCENT),
        text(456, 38, own, mono=True, bold=True),
    ]
    for number, (what, then) in enumerate(rows):
        y = 76 + 37 * number
        mono = what == rule
        parts += [
            line(456, y - 21, 832, y - 21, INK, dash="1 4"),
            text(456, y + 4, what, mono=mono, size=12 if mono else 13, dim=number == 4),
            text(832, y + 4, then, anchor="end", bold=number in (0, 2, 3), dim=number in (1, 4), size=13),
        ]
    parts += [
        *box(216, 284, 300, 48, name, f"the set: {', '.join(members)}", mono=True, size=12),
        text(12, 304, "whom the policy means", dim=True, size=13),
        text(12, 322, "stands in a set", dim=True, size=13),
        arrow(644, 252, 644, 280, ACCENT),
        rect(540, 280, 308, 56, ACCENT, ACCENT, opacity=0.1),
        text(556, 304, f"{server.name} on {server.node}", bold=True),
        text(832, 304, server.address, anchor="end", mono=True, size=13),
        text(556, 325, device, mono=True, size=13),
    ]
    told = "; ".join(f"{what}: {then}" for what, then in rows)
    words = (
        f"{friend.name} with {friend.address} and {stranger.name} with {stranger.address} ask {server.name} with "
        f"{server.address} on {server.node}. On that node a packet walks from {' to '.join(walk)}, and by the device "
        f"{device} to {own}. Its rules in order: {told}. "
        f"{rule} looks the sender up in the set {name}, which holds {', '.join(members)}."
    )
    return figure("policy", 860, 348, "The chains of a policy", words, parts)


FIGURES = {
    "chains.svg": chains,
    "cluster-and-local.svg": cluster_and_local,
    "three-modes.svg": three_modes,
    "policy.svg": policy,
}
