#!/bin/sh
# The first thing that runs on a virtual machine: lays down what `lab box` made for this node.
# A box of ours has all programs, images and units inside. Another Debian 13 gets its packages
# from Debian, and the rest from the synced folder /opt/lab/products; nothing else is downloaded.
set -eu
if [ -e /tmp/lab.tar ]; then # not there when only this provisioner runs again
	tar -C / --no-same-owner -xpf /tmp/lab.tar
	rm /tmp/lab.tar
fi

if [ ! -e /etc/lab/box ]; then
	# shellcheck source=/dev/null
	. /etc/os-release
	if [ "${ID:-}" != debian ] || [ "${VERSION_ID:-}" != 13 ]; then
		echo "this box is ${PRETTY_NAME:-unknown}, and the nodes are Debian 13; name one: LAB_BOX=..." >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q -q update
	# shellcheck disable=SC2046 # one word a package
	apt-get -q -q install --yes --no-install-recommends $(cat /opt/lab/packages.txt) >/dev/null
	cp -a /opt/lab/products/root/. /
	swapoff -a
	sed -i '/\sswap\s/d' /etc/fstab
	systemctl daemon-reload
	systemctl enable --quiet lab-vm.service
	systemctl restart systemd-modules-load.service systemd-sysctl.service containerd.service
	for archive in /opt/lab/products/*.tar; do
		ctr --namespace k8s.io images import "$archive" >/dev/null
	done
fi

/usr/local/sbin/lab-vm
# The node's own key takes the place of the one that the machine made for its first boot.
# A signal costs nothing; a question to systemd costs seconds where the processor is emulated.
kill -HUP "$(cat /run/sshd.pid)"
