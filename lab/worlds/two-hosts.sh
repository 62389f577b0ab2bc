#!/bin/sh
# Two hosts on a bridge, the sandbox as their router: what snippets/namespaces/two_hosts.py builds.
# One process of `ip` for many lines: on a node, each process costs more than what it does.
set -e
sh /run/lab/host.sh host1 host2
ip -batch - << END
link add br0 type bridge
link set br0 up
address add 10.1.0.254/24 dev br0
link add host1 type veth peer name eth0 netns host1
link add host2 type veth peer name eth0 netns host2
link set host1 master br0 up
link set host2 master br0 up
END
ip -n host1 -batch - << END
link set eth0 up
address add 10.1.0.1/24 dev eth0
route add default via 10.1.0.254
END
ip -n host2 -batch - << END
link set eth0 up
address add 10.1.0.2/24 dev eth0
route add default via 10.1.0.254
END
