"""Ways to break a running cluster on purpose, each with its repair and with what the book must say about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.drift import Kind
from lab.errors import LabError

# Daemons that would repair by themselves what a mutation breaks. The patterns are anchored, so that the
# shell that looks for them does not find itself.
FELIX = "^([^ ]*/)?calico-node -felix"
BIRD = "^([^ ]*/)?bird "
BIRD_KEEPER = "^runsv bird$"
KUBE_PROXY = "^([^ ]*/)?kube-proxy "

POD = "172.16.196.148"
CALI = "calibd2348b4f67"
HOLE = "172.16.196.128/26"
BLOCK = "172.16.140.64/26"
WAY = f"{BLOCK} via 192.168.56.12 dev tunl0 proto bird onlink"
BIRDCL = "birdcl -s /run/calico/bird.ctl"
SESSIONS_UP = (
    f'{BIRDCL} show protocols | awk \'$2 == "BGP" {{n++; if ($6 != "Established") bad = 1}} END {{exit bad || !n}}\''
)


@dataclass(frozen=True)
class Sight:
    """What a transcript must show for its snippet to see a mutation.

    Attributes:
        what: The sort of entry, as `lab.drift` calls it; empty where the command alone tells.
        subject: A pattern of the whole subject.
        field: A field that the entry must tell.
        command: A pattern that the command must contain.
    """

    what: str = ""
    subject: str = ".*"
    field: str = ""
    command: str = ""


@dataclass(frozen=True)
class Mutation:
    """One way to break the cluster.

    In commands and patterns, `@CHAIN@` stands for the chain of the rule that a
    transcript shows, and `@RULE@` for that rule as a word of the shell.

    Attributes:
        name: For the command line.
        breaks: What it breaks, in words.
        node: Where; empty for any node of which a snippet shows it.
        sight: What its witnesses must show.
        harm: Commands that break it.
        repair: Commands that repair it, also when it was broken by half, or not at all.
        kind: What the finding must say.
        subject: A pattern of what the finding must name.
        stop: Patterns of daemons that stand still meanwhile.
        also: What else may be found, as it follows from the harm.
        settled: A condition that must hold on every node before the witnesses are asked again.
        seen_on: Where the finding is, when that is another node.
        uncovered: Why no snippet sees it yet; empty if one must.
    """

    name: str
    breaks: str
    node: str
    sight: Sight
    harm: tuple[str, ...]
    repair: tuple[str, ...]
    kind: Kind
    subject: str
    stop: tuple[str, ...] = ()
    also: tuple[Kind, ...] = ()
    settled: str = ""
    seen_on: str = ""
    uncovered: str = ""

    @property
    def place(self) -> str:
        """The node that the finding must name."""
        return self.seen_on or self.node


def edited(table: str, edit: str) -> tuple[str, ...]:
    """Commands that keep a table of rules aside and load it again through a filter that must change it."""
    kept, broken = f"/run/lab-mutation.{table}", f"/run/lab-mutation.{table}.broken"
    return (
        f"iptables-save -t {table} > {kept}",
        f"{edit} {kept} > {broken} && ! cmp -s {kept} {broken} && iptables-restore -T {table} {broken}",
    )


def restored(table: str) -> tuple[str, ...]:
    """Commands that load the table that `edited` kept aside."""
    kept = f"/run/lab-mutation.{table}"
    return (f"[ ! -s {kept} ] || iptables-restore -T {table} {kept}", f"rm -f {kept} {kept}.broken")


_WHOLE_LIST = (
    "no captured snippet lists KUBE-SERVICES or the table nat whole: kube-proxy orders them anew at each start"
)
_SERVICE_RULE = r"-A KUBE-SERVICES -d .* -j KUBE-SVC-\w+"

ROUTES = (
    Mutation(
        "pod-route-missing",
        "the route to pod2 is taken off its node",
        "node01",
        Sight("route", f"{POD}/32"),
        (f"ip route del {POD}",),
        (f"ip route replace {POD} dev {CALI} scope link",),
        Kind.ROUTE_MISSING,
        f"{POD}/32",
        stop=(FELIX,),
    ),
    Mutation(
        "pod-route-device",
        "the route to pod2 leads into the cable of pod1",
        "node01",
        Sight("route", f"{POD}/32"),
        (f"ip route replace {POD} dev calice0906292e2 scope link",),
        (f"ip route replace {POD} dev {CALI} scope link",),
        Kind.DEVICE_CHANGED,
        f"{POD}/32",
        stop=(FELIX,),
        # Who asks for the routes of one device does not see where they went.
        also=(Kind.ROUTE_MISSING,),
    ),
    Mutation(
        "pod-route-added",
        "a second address leads into the cable of pod2",
        "node01",
        Sight(command=rf"ip route show dev {CALI}\b"),
        (f"ip route replace 172.16.196.189 dev {CALI} scope link",),
        ("ip route del 172.16.196.189 2>/dev/null || true",),
        Kind.ROUTE_ADDED,
        "172.16.196.189/32",
        stop=(FELIX,),
    ),
    Mutation(
        "hole-missing",
        "the blackhole route of node01's block is taken off",
        "node01",
        Sight("route", HOLE),
        (f"ip route del {HOLE}",),
        (f"ip route replace blackhole {HOLE} proto bird",),
        Kind.ROUTE_MISSING,
        HOLE,
        stop=(BIRD,),
    ),
    Mutation(
        "hole-type",
        "the rest of node01's block is refused instead of swallowed",
        "node01",
        Sight("route", HOLE),
        (f"ip route replace prohibit {HOLE} proto bird",),
        (f"ip route replace blackhole {HOLE} proto bird",),
        Kind.ROUTE_TYPE_CHANGED,
        HOLE,
        stop=(BIRD,),
    ),
    Mutation(
        "node-route-missing",
        "node01's route to the block of node02 is taken off",
        "node01",
        Sight("route", BLOCK),
        (f"ip route del {BLOCK}",),
        (f"ip route replace {WAY}",),
        Kind.ROUTE_MISSING,
        BLOCK,
        stop=(BIRD,),
    ),
    Mutation(
        "node-route-next-hop",
        "node01's route to the block of node02 goes by the control plane",
        "node01",
        Sight("route", BLOCK),
        (f"ip route replace {WAY.replace('56.12', '56.10')}",),
        (f"ip route replace {WAY}",),
        Kind.NEXT_HOP_CHANGED,
        BLOCK,
        stop=(BIRD,),
    ),
    Mutation(
        "node-route-device",
        "node01's route to the block of node02 passes the tunnel by",
        "node01",
        Sight("route", BLOCK),
        (f"ip route replace {WAY.replace('tunl0', 'eth0')}",),
        (f"ip route replace {WAY}",),
        Kind.DEVICE_CHANGED,
        BLOCK,
        stop=(BIRD,),
    ),
    Mutation(
        "node-route-added",
        "one address of node02's block gets a route of its own, by the control plane",
        "node01",
        Sight(command=r"ip route(?: show)?(?:$| \| grep bird$)"),
        ("ip route replace 172.16.140.99 via 192.168.56.10 dev tunl0 proto bird onlink",),
        ("ip route del 172.16.140.99 2>/dev/null || true",),
        Kind.ROUTE_ADDED,
        "172.16.140.99/32",
        stop=(BIRD,),
    ),
)

LINKS = (
    Mutation(
        "tunnel-address",
        "tunl0 loses its address",
        "node01",
        Sight("link", "tunl0", "addresses"),
        ("ip addr flush dev tunl0",),
        (f"ip addr replace {HOLE.replace('/26', '/32')} dev tunl0",),
        Kind.ADDRESS_CHANGED,
        "tunl0",
        stop=(FELIX,),
    ),
    Mutation(
        "tunnel-mtu",
        "tunl0 takes smaller packets",
        "node01",
        Sight("link", "tunl0", "mtu"),
        ("ip link set tunl0 mtu 1400",),
        ("ip link set tunl0 mtu 1480",),
        Kind.MTU_CHANGED,
        "tunl0",
        stop=(FELIX,),
    ),
    Mutation(
        "tunnel-down",
        "tunl0 is switched off, and the routes through it go with it",
        "node01",
        Sight("route", BLOCK),
        ("ip link set tunl0 down",),
        (
            "ip link set tunl0 up",
            f"ip route replace {WAY}",
            "ip route replace 172.16.49.64/26 via 192.168.56.10 dev tunl0 proto bird onlink",
        ),
        Kind.ROUTE_MISSING,
        BLOCK,
        stop=(FELIX, BIRD),
        also=(Kind.ROUTE_MISSING, Kind.LINK_STATE_CHANGED),
    ),
    Mutation(
        "pod-link-down",
        "the node's end of pod2's cable is switched off",
        "node01",
        Sight("link", CALI, "state"),
        (f"ip link set {CALI} down",),
        (f"ip link set {CALI} up", f"ip route replace {POD} dev {CALI} scope link"),
        Kind.LINK_STATE_CHANGED,
        CALI,
        stop=(FELIX,),
        also=(Kind.LINK_STATE_CHANGED, Kind.ROUTE_MISSING),
    ),
    Mutation(
        "pod-link-mtu",
        "the node's end of pod2's cable takes smaller packets",
        "node01",
        Sight("link", CALI, "mtu"),
        (f"ip link set {CALI} mtu 1400",),
        (f"ip link set {CALI} mtu 1480",),
        Kind.MTU_CHANGED,
        CALI,
        stop=(FELIX,),
    ),
    Mutation(
        "pod-link-added",
        "a cable stands on node01 that no pod has",
        "node01",
        Sight(command=r"cali\*/mtu|ip (?:-\w+ )*link(?: show)?(?:$| \| grep cali)"),
        ("ip link add cali0123456789a type veth peer name lab-mutation",),
        ("ip link del cali0123456789a 2>/dev/null || true",),
        Kind.LINK_ADDED,
        "cali0123456789a",
        stop=(FELIX,),
        # Where all links are listed, its other end is one too.
        also=(Kind.LINK_ADDED,),
    ),
    Mutation(
        "bridge-added",
        "a bridge stands on node01",
        "node01",
        Sight(command=r"ip link show type bridge$"),
        ("ip link add lab-mutation type bridge",),
        ("ip link del lab-mutation 2>/dev/null || true",),
        Kind.LINK_ADDED,
        "lab-mutation",
    ),
    Mutation(
        "proxy-arp-off",
        "the node no longer answers ARP in place of pod2's router",
        "node01",
        Sight("setting", rf"net\.ipv4\.conf\.{CALI}\.proxy_arp"),
        (f"sysctl -q -w net.ipv4.conf.{CALI}.proxy_arp=0",),
        (f"sysctl -q -w net.ipv4.conf.{CALI}.proxy_arp=1",),
        Kind.SETTING_CHANGED,
        rf"net\.ipv4\.conf\.{CALI}\.proxy_arp",
        stop=(FELIX,),
    ),
)

BGP = (
    Mutation(
        "bird-stopped",
        "BIRD ends on node02, and nobody starts it again",
        "node02",
        Sight("session", "Mesh_192_168_56_12", "state"),
        (f"kill $(pgrep -f '{BIRD}')",),
        (),
        Kind.SESSION_STATE_CHANGED,
        "Mesh_192_168_56_12",
        stop=(BIRD_KEEPER,),
        also=(Kind.SESSION_MISSING, Kind.SESSION_STATE_CHANGED, Kind.ROUTE_MISSING),
        settled=SESSIONS_UP,
        # BIRD itself does not answer any more; the others see the session end.
        seen_on="controlplane",
    ),
    Mutation(
        "session-disabled",
        "node01 ends its BGP session with node02",
        "node01",
        Sight("session", "Mesh_192_168_56_12", "state"),
        (f"{BIRDCL} disable Mesh_192_168_56_12",),
        (f"{BIRDCL} enable Mesh_192_168_56_12",),
        Kind.SESSION_STATE_CHANGED,
        "Mesh_192_168_56_12",
        also=(Kind.SESSION_STATE_CHANGED, Kind.ROUTE_MISSING),
        settled=f"{SESSIONS_UP} && [ $(ip route | grep -c ' dev tunl0 proto bird ') = 2 ]",
    ),
    Mutation(
        "block-added",
        "Calico's store holds a block for a node that does not exist",
        "controlplane",
        Sight("object", "node02", "CIDR"),
        (
            "kubectl apply -f - <<'END'\n"
            "{apiVersion: crd.projectcalico.org/v1, kind: BlockAffinity, metadata: {name: node03-172-16-186-192-26},\n"
            " spec: {node: node03, cidr: 172.16.186.192/26, state: confirmed, deleted: 'false'}}\nEND",
        ),
        ("kubectl delete blockaffinities.crd.projectcalico.org node03-172-16-186-192-26 --ignore-not-found",),
        Kind.OBJECT_ADDED,
        "node03",
    ),
)

RULES = (
    Mutation(
        "service-rule-missing",
        "one Service's rule is taken out of KUBE-SERVICES",
        "",
        Sight("rule", _SERVICE_RULE),
        edited("nat", "grep -vxF -e @RULE@"),
        restored("nat"),
        Kind.RULE_MISSING,
        "@RULE@",
        stop=(KUBE_PROXY, FELIX),
    ),
    Mutation(
        "service-rule-added",
        "a rule that turns packets back is put into an endpoint's chain",
        "",
        Sight("rule", r"-A KUBE-SEP-\w+ .*", command=r"-S KUBE-SEP-\w+$"),
        edited("nat", "awk '/^-A @CHAIN@ / && !n++ {print; sub(/ -j .*/, \" -j RETURN\")} {print}'"),
        restored("nat"),
        Kind.RULE_ADDED,
        "-A @CHAIN@ .* -j RETURN",
        stop=(KUBE_PROXY, FELIX),
    ),
    Mutation(
        "service-rules-swapped",
        "two rules of a Service's chain change places",
        "",
        Sight("rule", r"-A KUBE-SVC-\w+ .* -> .*", command=r"-S KUBE-SVC-\w+$"),
        edited(
            "nat",
            # The first is held back until the second was printed.
            "awk '/^-A @CHAIN@ .* -> / && n < 2 {if (n++) {print; print held} else held = $0; next} {print}'",
        ),
        restored("nat"),
        Kind.RULE_ORDER_CHANGED,
        "@CHAIN@",
        stop=(KUBE_PROXY, FELIX),
    ),
    Mutation(
        "service-target",
        "the rule of one endpoint sends to another port",
        "",
        Sight("rule", r"-A KUBE-SEP-\w+ .*", "to"),
        edited("nat", "sed '/^-A @CHAIN@ .*DNAT/s/\\(--to-destination [0-9.]*\\):[0-9]*/\\1:9/'"),
        restored("nat"),
        Kind.DNAT_TARGET_CHANGED,
        "@CHAIN@",
        stop=(KUBE_PROXY, FELIX),
    ),
    Mutation(
        "service-probability",
        "one endpoint of a Service is chosen less often",
        "",
        Sight("rule", r"-A KUBE-SVC-\w+ .*", "probability"),
        edited(
            "nat",
            "awk '/^-A @CHAIN@ / && !n {n = sub(/probability [0-9.]+/, \"probability 0.12500000000\")} {print}'",
        ),
        restored("nat"),
        Kind.PROBABILITY_CHANGED,
        "@CHAIN@ -> .*",
        stop=(KUBE_PROXY, FELIX),
    ),
    Mutation(
        "service-chain-missing",
        "the chain of a Service is gone, and the rule that leads to it",
        "",
        Sight("chain", r"KUBE-SVC-\w+", command=r"iptables-save -t nat$|iptables -t nat -S$"),
        edited("nat", "grep -v -e '@CHAIN@'"),
        restored("nat"),
        Kind.CHAIN_MISSING,
        "@CHAIN@",
        stop=(KUBE_PROXY, FELIX),
        also=(Kind.RULE_MISSING,),
        uncovered=_WHOLE_LIST,
    ),
    Mutation(
        "masquerade-missing",
        "packets that are marked for it keep their sender",
        "",
        Sight("rule", r"-A KUBE-POSTROUTING .*-j MASQUERADE.*", command=r"iptables-save -t nat$|iptables -t nat -S$"),
        edited("nat", "grep -vxF -e @RULE@"),
        restored("nat"),
        Kind.RULE_MISSING,
        "@RULE@",
        stop=(KUBE_PROXY, FELIX),
        uncovered="cluster_ip/hairpin shows the rule, but without it the connection hangs before it comes so far",
    ),
    Mutation(
        "forward-policy",
        "what no rule of FORWARD accepts is dropped",
        "",
        Sight("chain", "FORWARD", "policy"),
        ("iptables -P FORWARD DROP",),
        ("iptables -P FORWARD ACCEPT",),
        Kind.POLICY_CHANGED,
        "FORWARD",
        stop=(FELIX, KUBE_PROXY),
        uncovered="no captured snippet of the cluster shows the policy of FORWARD yet",
    ),
)

MUTATIONS = ROUTES + LINKS + BGP + RULES


def select(names: Iterable[str]) -> list[Mutation]:
    """The mutations of these names; all for no names.

    Raises:
        LabError: There is none of that name.
    """
    wanted = list(names)
    known = {mutation.name: mutation for mutation in MUTATIONS}
    for name in wanted:
        if name not in known:
            raise LabError(f"there is no mutation {name!r}", hint="see which there are: lab mutate --list")
    return [mutation for mutation in MUTATIONS if not wanted or mutation.name in wanted]
