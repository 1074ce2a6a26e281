#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The kernel and the initramfs of the guest that stands for a foreign host (guest.py boots it).
#
#	tests/interop/guest.sh PLACE
#
# Leaves PLACE/vmlinuz and PLACE/peer-initramfs; both are made once. Ends with status 77 and a
# sentence where there can be no guest.
#
# The initramfs holds Debian's own ip, bridge, tc, ping, nc and dash, busybox for the rest, and the
# modules of every tunnel. Commands come over the second serial port, one line each,
#
#	NUMBER SECONDS NAMESPACE BASE64-OF-A-SCRIPT
#
# and are answered by "= NUMBER STATUS BASE64-OF-WHAT-IT-PRINTED". A script that takes
# longer than SECONDS is ended. NAMESPACE is a network namespace that an earlier command made, or "-".
set -uo pipefail
place=$1

skip() {
	echo "$1"
	exit 77
}

# shellcheck source=tools/guest-image.sh
. "$(dirname "$0")/../../tools/guest-image.sh"

# dash, because the shell of busybox takes its own ip and ping before any other
make_files() {
	local program
	mkdir -p "$root"/{bin,tools,proc,sys,dev,etc,run,tmp,var}
	bring "$(command -v busybox)" bin/busybox
	for program in ip bridge tc ping nc dash; do
		bring "$(command -v $program)" tools/$program
	done
	mv "$root/tools/dash" "$root/tools/sh"
	bring_modules virtio_pci virtio_net geneve vxlan ip_gre ip6_gre ipip sit ip6_tunnel fou fou6 \
		8021q bridge vrf dummy veth macvlan ipvlan
	cat >"$root/init" <<-'INIT'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		exec /tools/sh /agent
	INIT
	cat >"$root/agent" <<-'AGENT'
		export PATH=/tools:/bin
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		while read -r module; do
			insmod "/modules/$module" || echo "guest: no $module"
		done </modules/order
		ip link set lo up
		stty -F /dev/ttyS1 raw -echo
		exec 3<>/dev/ttyS1
		while read -r number seconds namespace script <&3; do
			echo "$script" | base64 -d >/tmp/script
			if [ "$namespace" = - ]; then
				timeout "$seconds" /tools/sh /tmp/script
			else
				timeout "$seconds" nsenter --net=/run/netns/$namespace \
					/tools/sh /tmp/script
			fi >/tmp/said 2>&1 </dev/null 3>&-
			status=$?
			echo "= $number $status $(base64 -w 0 /tmp/said)" >&3
		done
		poweroff -f
	AGENT
	chmod +x "$root/init"
}

require_guest depmod:kmod ping:iputils-ping nc:netcat-openbsd dash:dash
mkdir -p "$place"
get_kernel
[ "$place/peer-initramfs" -nt "$0" ] && exit
root=$(mktemp -d "$place/root.XXXXXX") || exit 1
trap 'rm -rf "$root"' EXIT
make_files
pack "$place/peer-initramfs.new"
mv "$place/peer-initramfs.new" "$place/peer-initramfs"
