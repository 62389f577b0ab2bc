#!/bin/sh
# New hosts: network namespaces with these names.
set -e
for name; do
	ip netns add "$name"
	nsenter --net="/run/netns/$name" sh /run/lab/begin.sh
done
