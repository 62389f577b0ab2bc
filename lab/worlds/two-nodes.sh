#!/bin/sh
# Two routers, each with a bridge and one host on it, and a network between the two. No routes across.
# One process of `ip` for many lines: on a node, each process costs more than what it does.
set -e
sh /run/lab/host.sh left right pod1 pod2
ip -batch - << END
link add eth0 netns left type veth peer name eth0 netns right
link add pod1 netns left type veth peer name eth0 netns pod1
link add pod2 netns right type veth peer name eth0 netns pod2
END
n=1
for node in left right; do
	ip -n $node -batch - << END
link add br0 type bridge
link set br0 up
link set eth0 up
link set pod$n master br0
link set pod$n up
address add 192.0.2.$n/24 dev eth0
address add 10.1.$n.1/24 dev br0
END
	ip -n pod$n -batch - << END
link set eth0 up
address add 10.1.$n.2/24 dev eth0
route add default via 10.1.$n.1
END
	nsenter --net=/run/netns/$node sysctl -q -w net.ipv4.ip_forward=1
	n=2
done
