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
if [ -e /opt/lab/pki ]; then
	# Pods that wait for Calico try again every second. Where the processor is emulated, that leaves Calico no
	# time to start: they are kept away until it has. Calico's own pods run on a cordoned node, too.
	export KUBECONFIG=/etc/kubernetes/admin.conf
	node=$(cat /etc/hostname)
	kubectl cordon "$node"
	kubectl -n kube-system rollout status daemonset/calico-node --timeout=20m
	kubectl uncordon "$node"
fi
touch /etc/lab/member
