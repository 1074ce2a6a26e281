/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capabilities; see isolate.h.
 *
 * The table says for each one that is kept what it is for. Everything else leaves the permitted set and
 * the bounding set, and no_new_privs bars the way back by a set-uid program. The daemon starts no
 * programs at all. The file system it sees stays whole, because namespaces of workloads come and go in it.
 */
#include "agent/isolate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/alloc.h"

struct kept_capability {
	const char *name;
	const char *purpose;
	cap_value_t capability;
	bool needed; /* without it the daemon does not start */
};

static const struct kept_capability kept[] = {
	{ "CAP_NET_ADMIN", "make devices and attach the pipeline to them", CAP_NET_ADMIN, true },
	{ "CAP_BPF", "load the pipeline and write its tables", CAP_BPF, true },
	{ "CAP_PERFMON", "let the pipeline pass the kernel's verifier", CAP_PERFMON, true },
	/* setns(2) into the namespace of a workload asks for it, and so does mounting a bpffs. */
	{ "CAP_SYS_ADMIN", "enter the namespaces of workloads", CAP_SYS_ADMIN, true },
	/* /proc/PID/ns/net of another user's process: ports with attach: {pid: …}. */
	{ "CAP_SYS_PTRACE", "find the namespace of a process", CAP_SYS_PTRACE, false },
	/* Link events of devices that are in other namespaces. */
	{ "CAP_NET_BROADCAST", "see devices change in namespaces", CAP_NET_BROADCAST, false },
	/* A host that enters a cluster opens them anew, as does one whose services are made again. */
	{ "CAP_NET_RAW", "watch tunnels and find loops", CAP_NET_RAW, true },
	{ "CAP_NET_BIND_SERVICE", "answer DNS and metadata", CAP_NET_BIND_SERVICE, false },
	/* /run/netns and /dev/net/tun belong to root, but a container runtime's paths may not. */
	{ "CAP_DAC_READ_SEARCH", "open namespaces by path", CAP_DAC_READ_SEARCH, false },
};

int isolate_check(struct error *error)
{
	cap_t now = cap_get_proc();
	char missing[512] = ""; /* room for all of the table */
	cap_flag_value_t value;

	if (!now)
		return error_set(error, errno, NULL, "capabilities cannot be read: %s",
				 strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		size_t len = strlen(missing);

		if (kept[i].needed &&
		    (cap_get_flag(now, kept[i].capability, CAP_EFFECTIVE, &value) || !value))
			snprintf(missing + len, sizeof(missing) - len, "%s%s (to %s)",
				 len ? ", " : "", kept[i].name, kept[i].purpose);
	}
	cap_free(now);
	if (missing[0])
		return error_set(error, EPERM, NULL,
				 "there is no %s; run weftd as root or by its systemd unit",
				 missing);
	return 0;
}

static bool is_kept(cap_value_t capability)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (kept[i].capability == capability)
			return true;
	return false;
}

/* Those of the list that the process has now: asking for more would fail altogether. */
static int drop_sets(struct error *error)
{
	cap_t now = cap_get_proc(), wanted = cap_init();
	int code = 0;

	if (!now || !wanted)
		code = error_set(error, errno, NULL, "capabilities cannot be read: %s",
				 strerror(errno));
	for (size_t i = 0; !code && i < ARRAY_SIZE(kept); i++) {
		cap_flag_value_t value = CAP_CLEAR;

		cap_get_flag(now, kept[i].capability, CAP_PERMITTED, &value);
		if (value == CAP_CLEAR)
			continue;
		cap_set_flag(wanted, CAP_PERMITTED, 1, &kept[i].capability, CAP_SET);
		cap_set_flag(wanted, CAP_EFFECTIVE, 1, &kept[i].capability, CAP_SET);
	}
	if (!code && cap_set_proc(wanted))
		code = error_set(error, errno, NULL, "capabilities cannot be dropped: %s",
				 strerror(errno));
	cap_free(wanted);
	cap_free(now);
	return code;
}

int isolate_drop(struct error *error)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_set(error, errno, NULL, "no_new_privs cannot be set: %s",
				 strerror(errno));
	/* The bounding set first: changing it needs CAP_SETPCAP, which goes with the rest. Without it the
	 * bounding set was not ours to change and stays. */
	for (cap_value_t capability = 0; CAP_IS_SUPPORTED(capability); capability++)
		if (!is_kept(capability) && cap_drop_bound(capability) && errno != EPERM &&
		    errno != EINVAL)
			return error_set(error, errno, NULL, "capability %d cannot be dropped: %s",
					 capability, strerror(errno));
	return drop_sets(error);
}
