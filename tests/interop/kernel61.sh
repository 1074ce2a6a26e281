#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The pipeline in Debian's Linux 6.1, the oldest kernel supported, under QEMU without KVM.
#
#	tests/interop/kernel61.sh VERIFIER RUNNER	(make verifier)
#
# The guest has no disk and no network: an initramfs holds busybox, VERIFIER (loads and runs each
# program), RUNNER and tests/vectors, so that all vectors run in that kernel and natively and are
# compared. What they print comes over the serial console and is passed on as TAP; all that the console
# said is kept in build/kernel61/console. Needs no root. Where QEMU or the kernel is not to be had, the
# one test is skipped with the reason.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
verifier=$1
runner=$2
place=build/kernel61
time_limit=900 # seconds for the guest; a run takes a fraction of it

skip() {
	echo "ok 1 - the pipeline in Linux 6.1 # SKIP $1"
	echo "1..1"
	exit 0
}

# shellcheck source=tools/guest-image.sh
. tools/guest-image.sh

make_initramfs() {
	mkdir -p "$root"/{bin,proc,sys,dev,tmp,tests}
	bring "$(command -v busybox)" bin/busybox
	bring "$verifier" bin/verifier
	bring "$runner" bin/vectors
	cp -r tests/vectors "$root/tests/vectors"
	cat >"$root/init" <<-'INIT'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		mount -t bpf bpf /sys/fs/bpf
		echo 1 >/proc/sys/net/core/bpf_jit_enable
		echo "guest: begin"
		echo "# Linux $(uname -r)"
		verifier
		first=$?
		vectors --kernel tests/vectors/*.vec
		echo "guest: end $first $?"
		poweroff -f
	INIT
	chmod +x "$root/init"
	pack $place/initramfs
}

boot() {
	timeout $time_limit qemu-system-x86_64 -M q35 -accel tcg -cpu max -m 1024 -smp 1 \
		-nographic -no-reboot -nodefaults -serial stdio \
		-kernel $place/vmlinuz -initrd $place/initramfs \
		-append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable \
no_timer_check" </dev/null 2>&1
}

# Tests of both programs numbered through; what is no TAP becomes a comment.
read_console() {
	awk '
	/guest: begin/ { begun = 1; next }
	!begun { next }
	/^guest: end/ { status = $3 + $4; ended = 1; next }
	/^1\.\.[0-9]+$/ || ended { next }
	/^(not )?ok / {
		bad = /^not/
		sub(/^(not )?ok [0-9]+/, "")
		print (bad ? "not ok " : "ok ") ++tests $0
		failed += bad
		fflush()
		next
	}
	{ print (/^#/ ? "" : "# ") $0; fflush() }
	END {
		if (!ended || (status && !failed)) {
			failed++
			print "not ok " ++tests " - the guest ran to its end"
		}
		print "1.." tests
		exit failed > 0
	}'
}

require_guest gzip:gzip
mkdir -p $place
get_kernel
root=$(mktemp -d $place/root.XXXXXX) || exit 1
trap 'rm -rf "$root"' EXIT
make_initramfs
boot | tr -d '\r' | tee $place/console | read_console
status=${PIPESTATUS[3]}
grep -q 'guest: begin' $place/console || tail -n 20 $place/console | sed 's/^/# console: /'
exit "$status"
