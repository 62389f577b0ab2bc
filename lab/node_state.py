"""Runs on a node: tells the state of its network, one line of JSON for each line that comes in.

Sent whole over ssh by `lab.unchanged`, so it uses the standard library alone. Starting
a program costs a node 10 to 20 ms, so routes, links and rules are asked of the kernel
directly, and iptables-save runs only when the kernel's rules have another generation
number than last time.
"""

import glob
import json
import os
import socket
import struct
import subprocess
import sys

# Numbers of the kernel's netlink interfaces.
ROUTE, NETFILTER = 0, 12
GETLINK, GETROUTE, GETRULE = 18, 26, 34
NFT_GETTABLE, NFT_GETGEN = 10 << 8 | 1, 10 << 8 | 16
REQUEST, DUMP, MULTI, ERROR, DONE = 1, 0x301, 2, 2, 3
IPV4 = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0)
WITHOUT_COUNTERS = struct.pack("=HHI", 8, 29, 1 << 3)
TYPES = ("unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit")
TABLES = {253: "default", 254: "main", 255: "local"}
FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
# Tables of these names belong to iptables, which lists them better than nft does.
IPTABLES = {"filter", "nat", "mangle", "raw", "security"}
SETTINGS = (
    "net/ipv4/ip_forward", "net/netfilter/nf_conntrack_max", "net/ipv4/conf/all/rp_filter",
    "net/ipv4/conf/all/route_localnet", "net/ipv4/conf/eth0/proxy_arp", "net/ipv4/conf/tunl0/rp_filter",
)  # fmt: skip
CLIENT_PORTS = 32768
# Marks a copy of a route that the kernel made for one destination, as for a smaller packet size there.
CLONED = 0x200


def messages(family: int, kind: int, flags: int, body: bytes) -> list[bytes]:
    """What the kernel answers to one netlink question; each message without its header."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as kernel:
        kernel.bind((0, 0))
        kernel.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        found: list[bytes] = []
        while True:
            data = kernel.recv(1 << 18)
            while data:
                length, kind, flags = struct.unpack_from("=IHH", data)
                if kind == DONE:
                    return found
                if kind == ERROR:
                    raise OSError(-struct.unpack_from("=i", data, 16)[0], "netlink refused")
                found.append(data[16:length])
                data = data[(length + 3) & ~3 :]
                if not flags & MULTI:
                    return found


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes of a netlink message by their numbers."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def number(data: bytes) -> int:
    """A number of any width in the kernel's own order."""
    return int.from_bytes(data, sys.byteorder)


def address(data: bytes) -> str:
    """An IPv4 address."""
    return ".".join(map(str, data))


def text(data: bytes) -> str:
    """A string of the kernel's."""
    return data.rstrip(b"\0").decode()


def links() -> tuple[dict[int, str], list[str]]:
    """Names by index, and a line for each link."""
    answers = messages(ROUTE, GETLINK, DUMP, bytes(16) + WITHOUT_COUNTERS)
    found = [(struct.unpack_from("=iI", answer, 4), attributes(answer[16:])) for answer in answers]
    names = {index: text(values[3]) for (index, _), values in found}
    lines = []
    for (_, flags), values in found:
        kind = text(attributes(values.get(18, b"")).get(1, b"device"))
        master = f" master {names.get(number(values[10]))}" if 10 in values else ""
        state = "up" if flags & 1 else "down"
        lines.append(f"{text(values[3])} {kind} mtu {number(values[4])} {state}{master}")
    return names, sorted(lines)


def routes(names: dict[int, str]) -> list[str]:
    """A line for each IPv4 route of all tables."""
    lines = []
    for answer in messages(ROUTE, GETROUTE, DUMP, IPV4):
        _, length, _, _, table, proto, scope, kind, flags = struct.unpack_from("=BBBBBBBBI", answer)
        if flags & CLONED:
            continue
        values = attributes(answer[12:])
        table = number(values[15]) if 15 in values else table
        words = [TYPES[kind]] if kind != 1 else []
        words += [f"{address(values[1])}/{length}" if 1 in values else "default"]
        words += [f"via {address(values[5])}"] if 5 in values else []
        words += [f"dev {names.get(number(values[4]))}"] if 4 in values else []
        words += [f"nexthops {values[9].hex()}"] if 9 in values else []
        words += [f"proto {proto} scope {scope}"]
        words += [f"src {address(values[7])}"] if 7 in values else []
        words += [f"metric {number(values[6])}"] if 6 in values else []
        words += ["onlink"] if flags & 4 else []
        lines.append(" ".join([*words, f"table {TABLES.get(table, table)}"]))
    return sorted(lines)


def routing_rules() -> list[str]:
    """A line for each IPv4 routing rule."""
    lines = []
    for answer in messages(ROUTE, GETRULE, DUMP, IPV4):
        values = attributes(answer[12:])
        rest = " ".join(f"{kind}={value.hex()}" for kind, value in sorted(values.items()) if kind not in (6, 15))
        lines.append(f"{number(values.get(6, b''))}: lookup {number(values.get(15, b''))} {rest}")
    return sorted(lines)


def generation() -> int | None:
    """The number of the kernel's present set of nftables rules, which every change raises; None without nftables."""
    try:
        answer = messages(NETFILTER, NFT_GETGEN, REQUEST, bytes(4))[0]
    except OSError:
        return None
    return int.from_bytes(attributes(answer[4:])[1], "big")


def rules() -> list[str]:
    """What iptables-save prints, the nftables tables that are not iptables', and the names of the sets."""
    commands = ["iptables-save", "ipset list -n"]
    try:
        tables = messages(NETFILTER, NFT_GETTABLE, DUMP, bytes(4))
    except OSError:
        tables = []
    for table in tables:
        name = text(attributes(table[4:])[1])
        if name not in IPTABLES:
            commands.append(f"nft -s list table {FAMILIES.get(table[0])} {name}")
    # A program that fails must not look like one that has nothing to tell.
    script = "\n".join(f"echo '## {command}'; {command} || echo exited $?" for command in commands)
    done = subprocess.run(
        ["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return done.stdout.splitlines()


def read(path: str) -> str:
    """A file of the kernel's; empty where there is none."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def listening() -> list[str]:
    """The open TCP and UDP ports, without those that the kernel gives to clients."""
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in read(f"/proc/net/{name}").splitlines()[1:]:
            words = line.split()
            port = int(words[1].rpartition(":")[2], 16)
            if words[3] in ("0A", "07") and port < CLIENT_PORTS:
                found.add(f"{name[:3]} port {port}")
    return sorted(found)


def ipvs() -> list[str]:
    """Virtual servers and their real ones, without the two counters behind these."""
    lines = read("/proc/net/ip_vs").splitlines()[3:]
    return [" ".join(words[:4] if words[0] == "->" else words) for words in map(str.split, lines)]


def stopped() -> list[str]:
    """The names of processes that were stopped and not continued."""
    stats = (read(path) for path in glob.glob("/proc/[0-9]*/stat"))
    return sorted(stat.partition("(")[2].rpartition(")")[0] for stat in stats if stat.rpartition(")")[2][1:2] == "T")


def network_namespaces() -> list[str]:
    """Those with a name; those of pods come and go with their routes."""
    folder = "/run/netns"
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(name for name in names if not name.startswith("cni-"))


def state(last: int | None, whole: bool) -> tuple[int | None, dict[str, list[str] | None]]:
    """The rules' generation number, and all sections; None for rules that are as they were."""
    names, lines = links()
    now = generation()
    found: dict[str, list[str] | None] = {
        "links": lines,
        "routes": routes(names),
        "routing rules": routing_rules(),
        "settings": [f"{name} = {read(f'/proc/sys/{name}').strip()}" for name in SETTINGS],
        "listening": listening(),
        "ipvs": ipvs(),
        "network namespaces": network_namespaces(),
        "rules": rules() if now is None or now != last else None,
    }
    if whole:
        # Reading every process takes longer than all of the above.
        found["stopped processes"] = stopped()
    return now, found


def main() -> None:
    """Answer until nobody asks any more."""
    last = None
    for line in sys.stdin:
        last, found = state(last, line.strip() == "whole")
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
