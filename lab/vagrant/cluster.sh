#!/bin/sh
# Makes the cluster, or joins it; a node that is in it already stays as it is.
set -eu
[ ! -e /etc/lab/member ] || exit 0
if [ -e /etc/lab/begun ]; then # an attempt that failed
	kubeadm reset --force >/dev/null
fi
touch /etc/lab/begun
if [ -e /opt/lab/pki ]; then # the control plane's: workers know the cluster's CA by its digest beforehand
	mkdir -p /etc/kubernetes/pki
	cp -p /opt/lab/pki/* /etc/kubernetes/pki/
fi
sh /opt/lab/provision/cluster.sh
touch /etc/lab/member
