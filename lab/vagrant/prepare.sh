#!/bin/sh
# The first thing that runs on a virtual machine: lays down what `lab box` made for this node.
# A box of ours has all programs, images and units inside. Another Debian 13 gets its packages
# from Debian, and the rest from the synced folder /opt/lab/products; nothing else is downloaded.
set -eu
# Of some boxes of others: until it has ended it writes files, makes keys and installs packages.
[ ! -x /usr/bin/cloud-init ] || timeout 900 cloud-init status --wait >/dev/null || true
if [ -e /tmp/lab.tar ]; then # not there when only this provisioner runs again
	tar -C / --no-same-owner -xpf /tmp/lab.tar
	rm /tmp/lab.tar
fi

# Of another box: the packages of a node. What they would start is started later, or, as bird, by Calico.
packages() {
	export DEBIAN_FRONTEND=noninteractive
	systemctl stop apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service 2>/dev/null || true
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	# Our files are there before their packages: where both have one, ours stays.
	# shellcheck disable=SC2046 # one word a package
	if ! { apt-get -q -q -o APT::Update::Error-Mode=any update &&
		apt-get -q -q -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install --yes \
			--no-install-recommends $(cat /opt/lab/packages.txt) >/dev/null; }; then
		rm -f /usr/sbin/policy-rc.d
		echo "Debian's packages could not be installed: has this machine a way to a mirror? Then: vagrant provision" >&2
		exit 1
	fi
	rm -f /usr/sbin/policy-rc.d
}

# Of another box: the programs and the images, and no swap, which a kubelet refuses.
programs() {
	swapoff -a
	systemctl mask --quiet swap.target
	sed -i '/\sswap\s/d' /etc/fstab
	tar -C /opt/lab/products/root -cf - usr opt | tar -C / -xf - --no-same-owner --no-overwrite-dir
	systemctl daemon-reload
	systemctl restart systemd-modules-load.service systemd-sysctl.service containerd.service
	for archive in /opt/lab/products/*.tar; do
		ctr --namespace k8s.io images import "$archive" >/dev/null
	done
}

# Of another box: whoever managed its network lets go of both devices, now and at every boot, and of their names.
# What it had set stays until lab-vm and lab-dhcp set theirs, so that Vagrant's connection lives on.
network() {
	# In one call: after each, systemd reads all its units again. One that cannot be masked hinders no other.
	systemctl mask --quiet ifup@.service networking.service NetworkManager.service NetworkManager-wait-online.service \
		systemd-networkd.socket systemd-networkd.service systemd-networkd-wait-online.service \
		systemd-resolved.service dhcpcd.service 2>/dev/null || true
	systemctl kill --signal=KILL 'ifup@*.service' networking.service NetworkManager.service \
		systemd-networkd.service systemd-resolved.service dhcpcd.service 2>/dev/null || true
	[ ! -d /etc/cloud ] || touch /etc/cloud/cloud-init.disabled
	rm -f /etc/netplan/*.yaml /run/udev/rules.d/99-netplan-*.rules
	mkdir -p /etc/systemd/network
	# The first file that fits a device is the only one that counts.
	printf '[Match]\nOriginalName=*\n\n[Link]\nNamePolicy=keep\n' >/etc/systemd/network/00-lab.link
	udevadm control --reload
	systemctl enable --quiet lab-vm.service lab-dhcp.service
}

if [ ! -e /etc/lab/box ] && [ ! -e /etc/lab/prepared ]; then
	# shellcheck source=/dev/null
	. /etc/os-release
	if [ "${ID:-}" != debian ] || [ "${VERSION_ID:-}" != 13 ]; then
		echo "this box is ${PRETTY_NAME:-unknown}, and the nodes are Debian 13; name one: LAB_BOX=..." >&2
		exit 1
	fi
	packages
	programs
	network
	touch /etc/lab/prepared
fi

if [ -e /etc/lab/box ]; then
	/usr/local/sbin/lab-vm
else
	systemctl restart lab-vm.service lab-dhcp.service
fi
# The node's own key takes the place of the one that the machine made for its first boot.
# A signal costs nothing; a question to systemd costs seconds where the processor is emulated.
kill -HUP "$(cat /run/sshd.pid)"
