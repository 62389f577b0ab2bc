#!/bin/sh
# Turns a plain Debian node into one that kubeadm can use. The same for every
# carrier: the image build runs it for user-mode kernels, Vagrant for its machines.
# The files beside this script (files/) must have been copied onto the node.
set -eu

# A node's own firewall and router daemons stay away from Calico's and kube-proxy's.
for unit in bird.service nftables.service systemd-timesyncd.service apt-daily.timer \
	apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service logrotate.timer \
	man-db.timer dpkg-db-backup.timer fstrim.timer; do
	systemctl mask "$unit" >/dev/null 2>&1 || true
done

# One back end for every iptables on a node: Debian's default, the nft-backed one.
update-alternatives --set iptables /usr/sbin/iptables-nft >/dev/null
update-alternatives --set ip6tables /usr/sbin/ip6tables-nft >/dev/null

mkdir -p /opt/cni/bin /etc/cni/net.d /etc/kubernetes/manifests /root/.kube
ln -sf /etc/kubernetes/admin.conf /root/.kube/config
systemctl enable containerd.service kubelet.service ssh.service >/dev/null 2>&1
