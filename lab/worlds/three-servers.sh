#!/bin/sh
# A client, a host in front and three servers behind it, on two bridges.
# One process of `ip` for many lines: on a node, each process costs more than what it does.
set -e
# --8<-- [start:three_servers]
sh /run/lab/host.sh client front server1 server2 server3
ip -batch - << END
link add outer type bridge
link add inner type bridge
link set outer up
link set inner up
link add client type veth peer name eth0 netns client
link add front0 type veth peer name eth0 netns front
link add front1 type veth peer name eth1 netns front
link add server1 type veth peer name eth0 netns server1
link add server2 type veth peer name eth0 netns server2
link add server3 type veth peer name eth0 netns server3
link set client master outer up
link set front0 master outer up
link set front1 master inner up
link set server1 master inner up
link set server2 master inner up
link set server3 master inner up
END
ip -n client -batch - << END
link set eth0 up
address add 192.168.1.2/24 dev eth0
END
ip -n front -batch - << END
link set eth0 up
link set eth1 up
address add 192.168.1.1/24 dev eth0
address add 10.0.0.1/24 dev eth1
END
for n in 1 2 3; do
	ip -n server$n -batch - << END
link set eth0 up
address add 10.0.0.$((n + 1))/24 dev eth0
END
	enter="nsenter --net=/run/netns/server$n"
	$enter python3 -IS /run/lab/answer.py server$n 1234
done
nsenter --net=/run/netns/front sysctl -q -w net.ipv4.ip_forward=1
# --8<-- [end:three_servers]
