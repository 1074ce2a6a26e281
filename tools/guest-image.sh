#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What virtual machines need that are booted for an example or a test: Debian's Linux 6.1, unpacked but
# not installed, and the files of an initramfs. Sourced by examples/virtual-machine/boot and by
# kernel61.sh and guest.sh of tests/interop, which set
#
#	place	folder for the kernel, its modules and what is made of them
#	skip	function that ends the script with the reason why there can be no guest
# shellcheck shell=bash disable=SC2154

# Skips where a guest cannot run; each further argument is PROGRAM:PACKAGE that is needed as well.
require_guest() {
	local program
	[ "$(uname -m)" = x86_64 ] || skip "the guest is x86-64, this machine is not"
	for program in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio "$@"; do
		command -v "${program%:*}" >/dev/null ||
			skip "${program%:*} is not installed (Debian: ${program#*:})"
	done
}

# Debian's kernel for virtual machines, newest 6.1: $place/vmlinuz and $place/modules.
get_kernel() {
	local name archive said
	[ -s "$place/vmlinuz" ] && [ -d "$place/modules" ] && return
	command -v apt-get >/dev/null || skip "no apt-get to download Debian's Linux 6.1"
	name=$(apt-cache search --names-only '^linux-image-6\.1\.0-[0-9]+-cloud-amd64$' |
		cut -d' ' -f1 | sort -V | tail -n 1)
	[ -n "$name" ] || skip "apt knows no linux-image-6.1.0-*-cloud-amd64"
	mkdir -p "$place"
	rm -rf "$place"/*.deb "$place/new"
	said=$(cd "$place" && apt-get download -qq "$name" 2>&1) ||
		skip "$name cannot be downloaded: ${said##*$'\n'}"
	mkdir "$place/new"
	for archive in "$place/$name"_*.deb; do
		dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$place/new" --wildcards \
			'./boot/vmlinuz-*' './lib/modules/*' || exit 1
	done
	rm -rf "$place"/*.deb "$place/modules"
	mv "$place"/new/lib/modules "$place/modules"
	mv "$place"/new/boot/vmlinuz-* "$place/vmlinuz"
	rm -rf "$place/new"
}

# Copies a program to a path in the guest whose files are in $root, with the libraries it is linked
# with.
bring() {
	local library
	mkdir -p "$root/$(dirname "$2")"
	cp -L "$1" "$root/$2" || exit 1
	for library in $(ldd "$1" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*'); do
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library" || exit 1
	done
}

# Copies kernel modules with all they need to /modules of the guest; /modules/order says in which
# order they are loaded.
bring_modules() {
	local version module file
	version=$(basename "$place"/modules/*)
	mkdir -p "$root/modules" "$place/tree/lib"
	ln -sfn ../../modules "$place/tree/lib/modules"
	[ -s "$place/modules/$version/modules.dep.bin" ] ||
		depmod -b "$place/tree" "$version" || exit 1
	for module; do
		modprobe -d "$place/tree" -S "$version" -D "$module" || exit 1
	done | awk '/^insmod/ && !seen[$2]++ { print $2 }' | while read -r file; do
		cp "$file" "$root/modules/" || exit 1
		basename "$file"
	done >"$root/modules/order"
}

# Packs $root.
pack() {
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$1" || exit 1
}
