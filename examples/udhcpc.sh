#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What udhcpc of examples/dhcp.yaml calls with what it got: sets the address, the MTU and the routes, and prints the
# rest. It touches nothing outside its network namespace.
#
# shellcheck disable=SC2154,SC2086 # variables are udhcpc's; lists are meant to fall apart

case $1 in
deconfig)
	ip link set "$interface" up
	ip -4 address flush dev "$interface"
	;;
bound | renew)
	ip link set "$interface" mtu "${mtu:-1500}"
	ip -4 address replace "$ip/$mask" dev "$interface"
	for gateway in $router; do
		ip -4 route replace default via "$gateway"
	done
	set -- $staticroutes
	while [ $# -ge 2 ]; do
		ip -4 route replace "$1" via "$2"
		shift 2
	done
	echo "address $ip/$mask router $router dns $dns domain $domain lease $lease"
	;;
esac
