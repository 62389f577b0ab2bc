"""Which kube-proxy is in force: `iptables`, `nftables` or `ipvs`; switched on the running lab, and back again.

A switch changes one word in kube-proxy's ConfigMap and replaces its pods. What the
other modes left on the nodes is cleared away, which kube-proxy does only in part: between
iptables and IPVS it leaves everything where it is.
"""

import ipaddress
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lab import carriers
from lab.carriers import Carrier, spec_of
from lab.errors import LabError
from lab.spec import Spec

MODES = ("iptables", "nftables", "ipvs")
LIMIT = 90.0
"""Seconds in which each step must be done."""

ASK = "curl -s --max-time 2 http://localhost:10249/proxyMode"
CONFIGURE = (
    "kubectl -n kube-system get configmap kube-proxy -o yaml"
    " | sed 's/^    mode: .*/    mode: {mode}/' | kubectl replace -f -"
)
RESTART = "kubectl -n kube-system delete pod -l k8s-app=kube-proxy --grace-period=1 --wait=false"
READY = (
    "kubectl -n kube-system rollout status daemonset/kube-proxy --timeout=1s"
    " && kubectl -n kube-system rollout status daemonset/calico-node --timeout=1s"
)

_SYNCED = "^kubeproxy_sync_proxy_rules_last_timestamp_seconds.* [1-9]"
IN_FORCE = (
    f'[ "$({ASK})" = {{mode}} ] && curl -sf -o /dev/null --max-time 2 http://localhost:10256/healthz'
    f" && curl -s --max-time 2 http://localhost:10249/metrics | grep -q '{_SYNCED}'"
)
HAS_RULES = {
    "iptables": "iptables -t nat -S KUBE-SERVICES | grep -q -- '-d {api}/32 '",
    "nftables": "nft list map ip kube-proxy service-ips | grep -q '{api} . tcp '",
    "ipvs": "ipvsadm -Sn | grep -q -- '-t {api}:'",
}
"""Conditions on a node: the API server's own Service has its rule of this kind."""

_REMOVE = """\
iptables-save | awk -v gone='{gone}' -v said='{said}' '
/^[*]/ {{table = substr($0, 2); print}}
/^:/ {{name = substr($1, 2); if ((table " " name) ~ gone) chains[name]}}
/^-A/ && ((table " " $NF) ~ gone && (table " " $2) !~ gone || $0 ~ said) {{sub(/^-A/, "-D"); print}}
/^COMMIT/ {{for (name in chains) print "-F " name; for (name in chains) print "-X " name; delete chains; print}}
' | iptables-restore --noflush"""
# The two modes share some chains, and jump to one of them by rules that only their comments tell apart.
_OF_IPTABLES = _REMOVE.format(
    gone="^nat KUBE-(SVC|SVL|SEP|EXT|FW)-|^nat KUBE-NODEPORTS$"
    "|^filter KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS)$|KUBE-PROXY-CANARY$",
    said="kubernetes load balancer firewall",
)
_OF_IPVS = _REMOVE.format(
    gone="KUBE-(NODE-PORT|LOAD-BALANCER|SOURCE-RANGES-FIREWALL|IPVS-FILTER|IPVS-OUT-FILTER)$",
    said="kube-proxy firewall rules",
)
CLEAR = {
    "iptables": _OF_IPTABLES,
    "nftables": "for family in ip ip6; do nft delete table $family kube-proxy 2>/dev/null || true; done",
    # The settings go back to what the kernel begins with.
    "ipvs": f"""\
{_OF_IPVS} &&
ipvsadm -C &&
if ip link show kube-ipvs0 >/dev/null 2>&1; then ip link del kube-ipvs0; fi &&
for set in $(ipset list -n | grep ^KUBE-); do ipset destroy $set || exit 1; done &&
sysctl -qw net.ipv4.vs.conntrack=0 net.ipv4.vs.expire_nodest_conn=0 net.ipv4.vs.expire_quiescent_template=0""",
}
"""Commands for a node that remove what each mode made there, and only that."""

FELIX = "curl -sf -o /dev/null --max-time 2 http://localhost:9099/readiness && {there}"
FELIX_CHAIN = "iptables-save -t filter | grep -q '^:cali-set-endpoint-mark '"
"""Felix has this chain beside IPVS only: when that comes or goes, it ends itself, and is started again."""

ORDER = r"""iptables-save | awk '
function move(rule) {sub(/^-A/, "-D", rule); print rule; sub(/^-D/, "-I", rule); print rule}
/^[*]/ {print}
/^-A FORWARD .* -j KUBE-FORWARD$/ {moved[1] = $0}
/^-A FORWARD .* -j KUBE-PROXY-FIREWALL$/ {moved[2] = $0}
/^-A (INPUT|FORWARD|OUTPUT|PREROUTING) .* -j cali-(INPUT|FORWARD|OUTPUT|PREROUTING)$/ {last[++n] = $0}
/^COMMIT/ {
  for (i = 1; i <= 2; i++) if (i in moved) move(moved[i])
  for (i = 1; i <= n; i++) move(last[i])
  delete moved; delete last; n = 0; print
}' | iptables-restore --noflush"""
"""Puts jumps in the order in which a cluster begins, at once for each table.

kube-proxy puts its own before Calico's, where Felix would mend that only within a minute and a half, and
those that IPVS uses, too, stay where they are.
"""


class Switch:
    """Changes the mode of the running lab's kube-proxy.

    Args:
        carrier: The running lab.
        report: Told each step when it is done, with its time.
        spec: The cluster; None for the one of `cluster.yaml`.
    """

    def __init__(
        self, carrier: Carrier, report: Callable[[str], None] = lambda text: None, spec: Spec | None = None
    ) -> None:
        self._carrier, self._report = carrier, report
        self._spec = spec or spec_of(carrier)
        self._nodes = [node.name for node in self._spec.nodes]

    def modes(self) -> dict[str, str]:
        """The mode in force on each node; empty where no kube-proxy answers."""
        return {node: self._carrier.execute(node, ASK, timeout=10).stdout.strip() for node in self._nodes}

    def to(self, mode: str) -> None:
        """Put a mode in force on all nodes, and return when it is and nothing of the others is left.

        Also mends a switch that was broken off: what is in force already is only cleared of remains.

        Args:
            mode: One of `MODES`.

        Raises:
            LabError: There is no such mode, or a step was not done in time; says what was seen last.
        """
        check(mode)
        begun = time.monotonic()
        api = str(ipaddress.ip_network(self._spec.networks.services)[1])
        if set(self.modes().values()) != {mode}:
            with self._step(f"kube-proxy's ConfigMap says {mode}"):
                self._control(CONFIGURE.format(mode=mode))
            with self._step("its pods are replaced"):
                self._control(RESTART)
        with self._step(f"{mode} is in force on {', '.join(self._nodes)}"):
            self._until(f"{IN_FORCE.format(mode=mode)} && {HAS_RULES[mode].format(api=api)}")
        with self._step("what other modes left is cleared away"):
            for node in self._nodes:
                for other in MODES:
                    if other != mode:
                        self._must(node, CLEAR[other])
        with self._step("Calico has taken notice"):
            self._until(FELIX.format(there=FELIX_CHAIN if mode == "ipvs" else f"! {FELIX_CHAIN}"))
            for node in self._nodes:
                self._must(node, ORDER)
            self._until(READY, [self._spec.control_plane.name])
        self._report(f"kube-proxy is in {mode} mode: {time.monotonic() - begun:.1f} s")

    @contextmanager
    def _step(self, text: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self._report(f"{text}: {time.monotonic() - begun:.1f} s")

    def _control(self, command: str) -> None:
        self._must(self._spec.control_plane.name, command)

    def _must(self, node: str, command: str) -> None:
        done = self._carrier.execute(node, command, timeout=LIMIT)
        if done.status != 0:
            raise LabError(
                f"{node}: `{command}` exited {done.status}",
                detail=done.stdout + done.stderr,
                hint="try again; back to what the book shows: lab proxy-mode iptables",
            )

    def _until(self, condition: str, nodes: Sequence[str] | None = None) -> None:
        """Wait until a condition holds on each of the nodes."""
        limit = LIMIT * carriers.patience()
        end = time.monotonic() + limit
        for node in nodes or self._nodes:
            while (done := self._carrier.execute(node, condition, timeout=20)).status != 0:
                if time.monotonic() > end:
                    raise LabError(
                        f"{node}: waited {limit:g} s in vain for `{condition}` to exit 0",
                        detail=done.stdout + done.stderr,
                        hint="lab kubectl -- -n kube-system logs -l k8s-app=kube-proxy",
                    )
                time.sleep(0.3)


def check(mode: str) -> None:
    """Refuse an unknown mode.

    Raises:
        LabError: There is no such mode; names those that there are.
    """
    if mode not in MODES:
        raise LabError(f"kube-proxy has no mode {mode!r}", hint=f"its modes are {', '.join(MODES)}")


@contextmanager
def while_in(mode: str, carrier: Carrier) -> Iterator[None]:
    """Another mode while the block runs; afterwards that one again which was in force, also after a failure.

    Args:
        mode: One of `MODES`.
        carrier: The running lab.

    Raises:
        LabError: There is no such mode, the nodes are not of one mode, or a step was not done in time.
    """
    check(mode)
    switch = Switch(carrier)
    now = switch.modes()
    before = next(iter(now.values()))
    if set(now.values()) != {before} or before not in MODES:
        told = ", ".join(f"{node}: {found or 'no answer'}" for node, found in now.items())
        raise LabError("the nodes are not all in one mode of kube-proxy", detail=told, hint="lab proxy-mode iptables")
    if mode == before:
        yield
        return
    try:
        switch.to(mode)
        yield
    finally:
        switch.to(before)
