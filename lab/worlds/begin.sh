#!/bin/sh
# What every network namespace of the sandbox begins with. A new one takes these settings from
# the machine that it is on; here all begin alike, without forwarding and without IPv6.
sysctl -e -q -w net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
	net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip link set lo up
