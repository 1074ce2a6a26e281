/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices of ports: records, the order of work, what all kinds have in common.
 *
 * devices_plug() takes requests a chunk at a time: taps one by one, veths together, for their
 * messages to the kernel are batched (device_veth.c). device_settle() is common: the pipeline is
 * attached while the device is still down; it is set up by a call of its own, devices_set_up(), when the
 * pipeline has the port's rows. Neighbours: device_private.h.
 */
#include "agent/devices/device.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/devices/device_private.h"
#include "agent/devices/ovsdb.h"
#include "base/alloc.h"
#include "base/log.h"

#define FEW 8                    /* requests for which the monitor goes on listening everywhere */
#define REMOVED_GROUP 0x57454654 /* "WEFT" */

const char *device_state_name(enum device_state state)
{
	static const char *const names[] = {
		[DEVICE_PLUGGED] = "plugged",
		[DEVICE_WAITING] = "waiting",
		[DEVICE_FAILED] = "failed",
	};

	return names[state];
}

/* ---- jobs ---- */

void device_fail(struct device_job *job, const struct error *error)
{
	if (job->done)
		return;
	job->done = true;
	job->code = error->code;
	job->result->state = DEVICE_FAILED;
	snprintf(job->result->sentence, sizeof(job->result->sentence), "%s", error->text);
}

void device_wait(struct device_job *job, const char *sentence)
{
	if (job->done)
		return;
	job->done = true;
	job->result->state = DEVICE_WAITING;
	snprintf(job->result->sentence, sizeof(job->result->sentence), "%s", sentence);
}

void device_changed(struct device_job *job, const char *format, ...)
{
	char *text = job->result->sentence;
	size_t length = strlen(text);
	va_list arguments;

	job->result->changed = true;
	if (length && length + 3 < sizeof(job->result->sentence)) {
		memcpy(text + length, ", ", 3);
		length += 2;
	}
	va_start(arguments, format);
	vsnprintf(text + length, sizeof(job->result->sentence) - length, format, arguments);
	va_end(arguments);
}

void device_lacks(struct device_job *job, const char *format, ...)
{
	va_list arguments;

	job->result->lacking = true;
	va_start(arguments, format);
	vsnprintf(job->result->sentence, sizeof(job->result->sentence), format, arguments);
	va_end(arguments);
}

/* ---- whose device it is ---- */

static bool is_default(const struct devices *devices)
{
	return !strcmp(devices->instance, "default");
}

void device_alias(const struct devices *devices, uint32_t port_id, const char *port_name,
		  char alias[DEVICE_ALIAS_SIZE])
{
	snprintf(alias, DEVICE_ALIAS_SIZE, "weft%s%.20s %.70s (port %u)",
		 is_default(devices) ? "" : "@", is_default(devices) ? "" : devices->instance,
		 port_name, port_id);
}

bool device_is_ours(const struct devices *devices, const struct link_info *link, uint32_t *port_id)
{
	char prefix[40], *end;
	const char *number = strrchr(link->alias, '(');
	unsigned long id;

	snprintf(prefix, sizeof(prefix), "weft%s%.20s ", is_default(devices) ? "" : "@",
		 is_default(devices) ? "" : devices->instance);
	if (strncmp(link->alias, prefix, strlen(prefix)) != 0 || !number ||
	    strncmp(number, "(port ", 6) != 0)
		return false;
	id = strtoul(number + 6, &end, 10);
	if (strcmp(end, ")") != 0 || !id || id > UINT32_MAX)
		return false;
	*port_id = (uint32_t)id;
	return true;
}

void device_host_name(const struct devices *devices, uint32_t port_id, char name[LINK_NAME_SIZE])
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	if (is_default(devices)) {
		snprintf(name, LINK_NAME_SIZE, "w%x", port_id);
		return;
	}
	/* Daemons that share a namespace count their ports alike. */
	for (const char *c = devices->instance; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	snprintf(name, LINK_NAME_SIZE, "w%04xp%x", hash & 0xffff, port_id);
}

bool device_is_veth(const struct attach *attach)
{
	return attach->kind == ATTACH_NETNS || attach->kind == ATTACH_PID;
}

bool device_is_tap(const struct attach *attach)
{
	return attach->kind == ATTACH_TAP || attach->kind == ATTACH_TUN;
}

/* ---- batches ---- */

void device_batch_begin(struct device_batch *batch, struct netlink *netlink)
{
	*batch = (struct device_batch){ .netlink = netlink };
	netlink_batch_begin(netlink);
}

void device_batch_own(struct device_batch *batch, struct device_job *job)
{
	if (batch->count == batch->room) {
		batch->room = batch->room ? 2 * batch->room : 2 * DEVICE_CHUNK;
		batch->owners =
			xreallocarray(batch->owners, batch->room, sizeof(struct device_job *));
	}
	batch->owners[batch->count++] = job;
}

void device_batch_queued(struct device_batch *batch, int result, const struct error *error)
{
	if (!result)
		return;
	device_fail(batch->owners[--batch->count], error);
}

static void batch_failed(void *context, size_t index, const struct error *error)
{
	struct device_batch *batch = context;

	device_fail(batch->owners[index], error);
}

void device_batch_commit(struct device_batch *batch)
{
	/* Each failure was told to its owner. */
	(void)netlink_batch_commit(batch->netlink, batch_failed, batch, NULL);
	free(batch->owners);
}

/* ---- the end on the host ---- */

/* What is wrong with it; false if nothing is. May be called before anything is changed, or to say what
 * would be. */
static bool settle_change(struct devices *devices, struct device_job *job,
			  char alias[DEVICE_ALIAS_SIZE], struct link_change *change)
{
	const struct device_request *request = job->request;
	struct link_info *link = &job->link;
	uint32_t port_id = 0;
	bool ours = job->made || device_is_ours(devices, link, &port_id);

	*change = (struct link_change)LINK_CHANGE_NOTHING;
	if (job->made)
		change->link_local = LINK_LOCAL_NONE;
	device_alias(devices, request->port_id, request->port_name, alias);
	if (ours && strcmp(link->alias, alias) != 0) {
		change->alias = alias;
		if (!job->made && port_id != request->port_id)
			device_changed(job, "device %s was another port's", link->name);
	}
	if (link->mtu != request->mtu) {
		change->mtu = request->mtu;
		if (!job->made)
			device_changed(job, "MTU of %s is %u instead of %u", link->name,
				       request->mtu, link->mtu);
	}
	if (!(link->flags & IFF_UP) && !job->made)
		device_changed(job, "%s is up again", link->name);
	return job->made || change->alias || change->mtu;
}

void device_settle(struct devices *devices, struct device_job *jobs, size_t count)
{
	struct device_batch batch;
	struct error error = { 0 };

	for (size_t i = 0; i < count; i++) {
		struct device_job *job = &jobs[i];

		if (job->done || !devices->attach)
			continue;
		if (devices->attach(devices->context, job->link.ifindex, job->result->kind, &error))
			device_fail(job, &error);
	}
	device_batch_begin(&batch, devices->netlink);
	for (size_t i = 0; i < count; i++) {
		struct device_job *job = &jobs[i];
		char alias[DEVICE_ALIAS_SIZE];
		struct link_change change;

		if (job->done)
			continue;
		if (settle_change(devices, job, alias, &change)) {
			device_batch_own(&batch, job);
			device_batch_queued(&batch,
					    netlink_link_change(devices->netlink, job->link.ifindex,
								&change, &error),
					    &error);
		}
		job->record->down = !(job->link.flags & IFF_UP);
	}
	device_batch_commit(&batch);
	for (size_t i = 0; i < count; i++)
		device_rate(devices, &jobs[i]);
}

void device_settle_check(struct devices *devices, struct device_job *job)
{
	char alias[DEVICE_ALIAS_SIZE];
	struct link_change change;

	if (settle_change(devices, job, alias, &change) && !job->result->changed)
		device_changed(job, "the alias of %s is not \"%s\"", job->link.name, alias);
}

/* ---- records ---- */

static struct device_record *record_of(struct devices *devices,
				       const struct device_request *request)
{
	struct device_record *record = map_get_u32(&devices->records, request->port_id);

	if (!record) {
		record = xcalloc(1, sizeof(*record));
		record->port_id = request->port_id;
		record->state = DEVICE_WAITING;
		record->netnsid = -1;
		list_init(&record->by_netns);
		map_put_u32(&devices->records, request->port_id, record);
	}
	if (!record->port_name || strcmp(record->port_name, request->port_name) != 0) {
		free(record->port_name);
		record->port_name = xstrdup(request->port_name);
	}
	device_watch_remove(devices, record);
	record->attach = *request->attach;
	record->mac = request->mac;
	record->mtu = request->mtu;
	record->down = false;
	return record;
}

static void record_free(struct devices *devices, struct device_record *record)
{
	device_watch_remove(devices, record);
	map_remove_u32(&devices->records, record->port_id);
	free(record->inside.addresses);
	free(record->port_name);
	free(record);
}

/* ---- plug ---- */

static void job_begin(struct devices *devices, struct device_job *job,
		      const struct device_request *request, struct device_result *result,
		      struct device_record *record)
{
	(void)devices;
	*job = (struct device_job){
		.request = request, .result = result, .record = record, .netns_fd = -1
	};
	*result = (struct device_result){ .state = DEVICE_PLUGGED };
	if (request->no_segmentation)
		result->attachment_flags = ATTACHMENT_ONE_PACKET;
	/* What is in a namespace is told to send none, and hardly ever does. */
	if (request->no_segmentation && request->attach->kind != ATTACH_NETNS &&
	    request->attach->kind != ATTACH_PID)
		result->attachment_flags |= ATTACHMENT_ONE_PACKET_ALL;
	switch (request->attach->kind) {
	case ATTACH_NETNS:
	case ATTACH_PID: result->kind = PORT_VETH; break;
	case ATTACH_TAP: result->kind = PORT_TAP; break;
	case ATTACH_TUN:
		result->kind = PORT_TUN;
		result->attachment_flags |= ATTACHMENT_NO_ETHERNET;
		break;
	case ATTACH_BRIDGE:
	case ATTACH_OVS_BRIDGE:
	case ATTACH_PATCH: result->kind = PORT_LINK; break;
	case ATTACH_DEVICE: break; /* device_adopt.c says */
	case ATTACH_HOST:          /* there is nothing to plug in */
		result->kind = PORT_UNPLUGGED;
		job->done = true;
		break;
	case ATTACH_NONE:
	case ATTACH_CHILD:
	default: device_wait(job, "the port does not say where it is attached"); break;
	}
}

/*
 * What could not be looked at for lack of descriptors or memory is not gone: a port that was plugged in stays so.
 * Return: whether that is so.
 */
static bool job_is_unknown(struct device_job *job)
{
	const struct device_record *record = job->record;
	struct device_result *result = job->result;

	if (result->state != DEVICE_FAILED || !error_is_shortage(job->code) || job->made ||
	    job->moved || !record || record->state != DEVICE_PLUGGED)
		return false;
	result->state = DEVICE_PLUGGED;
	result->unknown = true;
	result->changed = result->lacking = false;
	result->ifindex = record->ifindex;
	result->kind = record->kind;
	result->attachment_flags = record->attachment_flags;
	return true;
}

static void job_end(struct devices *devices, struct device_job *job)
{
	struct device_record *record = job->record;
	struct device_result *result = job->result;

	if (job->netns_fd >= 0)
		close(job->netns_fd);
	if (job_is_unknown(job)) {
		device_watch_add(devices, record);
		return;
	}
	if (result->state == DEVICE_PLUGGED) {
		result->ifindex = job->link.ifindex;
		record->ifindex = job->link.ifindex;
		record->far_ifindex = result->kind == PORT_VETH ? job->link.peer_ifindex : 0;
		record->netnsid = result->kind == PORT_VETH ? job->link.peer_netnsid : -1;
	} else {
		result->kind = PORT_UNPLUGGED;
		result->attachment_flags = 0;
		record->ifindex = record->far_ifindex = 0;
	}
	if (result->changed || result->state != record->state)
		log_debug("device", "port=%s state=%s text=\"%s\"", record->port_name,
			  device_state_name(result->state), result->sentence);
	record->kind = result->kind;
	record->attachment_flags = result->attachment_flags;
	record->state = result->state;
	record->round = devices->round;
	device_watch_add(devices, record);
}

/* Whether what was made for one is what the other asks for. */
static bool is_same_place(const struct attach *a, const struct attach *b)
{
	return a->kind == b->kind && a->pid == b->pid && strcmp(a->netns, b->netns) == 0 &&
	       (device_is_veth(a) || strcmp(a->ifname, b->ifname) == 0) &&
	       strcmp(a->peer, b->peer) == 0;
}

static uint32_t removable(struct devices *devices, const struct device_record *record);

/* The port is attached as another device from now on: the one it had goes, and with it its way
 * into the VPC. A veth that belongs into another namespace is device_veth.c's affair. */
static void leave_place(struct devices *devices, const struct device_record *record,
			const struct attach *attach)
{
	struct error error = { 0 };
	uint32_t ifindex;
	int result = 0;

	if (device_is_veth(&record->attach) && device_is_veth(attach))
		return;
	device_link_leave(devices, record->port_id, &record->attach);
	ifindex = removable(devices, record);
	if (ifindex)
		result = netlink_link_delete(devices->netlink, ifindex, &error);
	if (result && result != -ENODEV)
		log_warning("device not removed", "text=\"%s\"", error.text);
}

/* Both ends on this host and Weft's own (device_link.c). */
static bool is_pair(const struct attach *attach)
{
	return device_is_bridge(attach) || attach->kind == ATTACH_PATCH;
}

/* Return: whether the port was attached somewhere else before. */
static bool leave_old_place(struct devices *devices, const struct device_request *request)
{
	const struct device_record *record = map_get_u32(&devices->records, request->port_id);
	/* What a daemon before this one made, if it ended just then. */
	const struct device_record unknown = {
		.port_id = request->port_id,
		.attach = { .kind = ATTACH_NETNS },
	};

	if (!record && request->attach->kind != ATTACH_DEVICE)
		device_adopt_leave(devices, request->port_id);
	if (!record && !device_is_veth(request->attach) && !is_pair(request->attach))
		leave_place(devices, &unknown, request->attach);
	if (!record || is_same_place(&record->attach, request->attach))
		return false;
	device_adopt_leave(devices, request->port_id);
	leave_place(devices, record, request->attach);
	return true;
}

static void plug_chunk(struct devices *devices, const struct device_request *requests, size_t count,
		       struct device_result *results)
{
	struct device_job *jobs = xcalloc(count, sizeof(*jobs));

	devices->round++;
	for (size_t i = 0; i < count; i++) {
		bool moved = leave_old_place(devices, &requests[i]);

		job_begin(devices, &jobs[i], &requests[i], &results[i],
			  record_of(devices, &requests[i]));
		jobs[i].moved = moved;
		if (device_is_tap(requests[i].attach))
			device_tap_plug(devices, &jobs[i]);
		if (is_pair(requests[i].attach))
			device_link_plug(devices, &jobs[i]);
		if (requests[i].attach->kind == ATTACH_DEVICE)
			device_adopt_plug(devices, &jobs[i]);
	}
	device_veth_plug(devices, jobs, count);
	for (size_t i = 0; i < count; i++)
		job_end(devices, &jobs[i]);
	free(jobs);
	device_watch_drain(devices);
}

void devices_plug(struct devices *devices, const struct device_request *requests, size_t count,
		  struct device_result *results)
{
	device_watch_far_ends(devices, count <= FEW);
	for (size_t done = 0; done < count; done += DEVICE_CHUNK) {
		size_t chunk = count - done < DEVICE_CHUNK ? count - done : DEVICE_CHUNK;

		plug_chunk(devices, requests + done, chunk, results + done);
	}
	device_watch_far_ends(devices, true);
}

/* What came of it: the first failure, and whose it was. */
struct setting_up {
	const uint32_t *asked;
	uint32_t *failed;
	size_t failed_count;
	struct error *error;
};

static void not_set_up(void *context, size_t index, const struct error *error)
{
	struct setting_up *setting_up = context;

	setting_up->failed[setting_up->failed_count++] = setting_up->asked[index];
	if (setting_up->error && !setting_up->error->code)
		*setting_up->error = *error;
}

size_t devices_set_up(struct devices *devices, const uint32_t *port_ids, size_t count,
		      uint32_t *failed, struct error *error)
{
	uint32_t *asked = xcalloc(count + 1, sizeof(*asked));
	struct setting_up setting_up = { .asked = asked, .error = error };
	size_t asked_count = 0;

	setting_up.failed = failed;
	netlink_batch_begin(devices->netlink);
	for (size_t i = 0; i < count; i++) {
		struct device_record *record = map_get_u32(&devices->records, port_ids[i]);

		if (!record || !record->down || record->state != DEVICE_PLUGGED)
			continue;
		record->down = false;
		asked[asked_count++] = port_ids[i];
		(void)netlink_link_set_up(devices->netlink, record->ifindex, true, NULL);
	}
	(void)netlink_batch_commit(devices->netlink, not_set_up, &setting_up, NULL);
	free(asked);
	if (asked_count)
		device_watch_drain(devices);
	return setting_up.failed_count;
}

bool devices_check(struct devices *devices, const struct device_request *request,
		   struct device_result *result)
{
	struct device_record *record = map_get_u32(&devices->records, request->port_id);
	const bool plugged = record && record->state == DEVICE_PLUGGED;
	struct device_job job;

	job_begin(devices, &job, request, result, record);
	if (!job.done && device_is_tap(request->attach))
		device_tap_check(devices, &job);
	else if (!job.done && is_pair(request->attach))
		device_link_check(devices, &job);
	else if (!job.done && request->attach->kind == ATTACH_DEVICE)
		device_adopt_check(devices, &job);
	else if (!job.done)
		device_veth_check(devices, &job);
	if (job.netns_fd >= 0)
		close(job.netns_fd);
	if (job_is_unknown(&job))
		return true;
	if (result->state == DEVICE_PLUGGED)
		device_rate_check(&job);
	if (result->state == DEVICE_PLUGGED)
		result->ifindex = job.link.ifindex;
	if (result->changed)
		result->state = DEVICE_FAILED;
	if (result->state != DEVICE_PLUGGED)
		result->kind = PORT_UNPLUGGED;
	return result->state != DEVICE_FAILED && !(plugged && result->state == DEVICE_WAITING);
}

/* ---- unplug ---- */

struct listing {
	struct devices *devices;
	uint32_t *port_ids, *ifindexes;
	size_t count, room;
};

static void list_ours(void *context, const struct link_info *link)
{
	struct listing *listing = context;
	uint32_t port_id;

	if (!device_is_ours(listing->devices, link, &port_id))
		return;
	if (listing->count == listing->room) {
		listing->room = listing->room ? 2 * listing->room : 64;
		listing->port_ids =
			xreallocarray(listing->port_ids, listing->room, sizeof(*listing->port_ids));
		listing->ifindexes = xreallocarray(listing->ifindexes, listing->room,
						   sizeof(*listing->ifindexes));
	}
	listing->port_ids[listing->count] = port_id;
	listing->ifindexes[listing->count++] = link->ifindex;
}

static void list_adopted(struct devices *devices, struct listing *listing)
{
	uint32_t *ifindexes;
	size_t count = adoption_list(devices->adoptions, false, &ifindexes);

	listing->port_ids = xreallocarray(listing->port_ids, listing->count + count + 1,
					  sizeof(*listing->port_ids));
	for (size_t i = 0; i < count; i++)
		listing->port_ids[listing->count++] =
			adoption_port(devices->adoptions, ifindexes[i]);
	free(ifindexes);
}

int devices_list(struct devices *devices, uint32_t **port_ids, struct error *error)
{
	struct listing listing = { .devices = devices };
	int result = netlink_link_list(devices->netlink, list_ours, &listing, error);

	free(listing.ifindexes);
	if (result) {
		free(listing.port_ids);
		return result;
	}
	list_adopted(devices, &listing);
	*port_ids = listing.port_ids;
	return (int)listing.count;
}

/* The device of a port that has a record; sets an adopted tap down on the way. 0: none to delete. */
static uint32_t removable(struct devices *devices, const struct device_record *record)
{
	char name[LINK_NAME_SIZE];
	struct link_info link;
	uint32_t port_id;

	if (record->attach.kind == ATTACH_DEVICE)
		return 0;
	if (device_is_tap(&record->attach))
		snprintf(name, sizeof(name), "%s", record->attach.ifname);
	else
		device_host_name(devices, record->port_id, name);
	if (netlink_link_get_by_name(devices->netlink, name, &link, NULL))
		return 0;
	if (device_is_ours(devices, &link, &port_id) && port_id == record->port_id)
		return link.ifindex;
	if (device_is_tap(&record->attach) && link.ifindex == record->ifindex &&
	    netlink_link_set_up(devices->netlink, link.ifindex, false, NULL))
		log_warning("tap not set down", "device=%s", name);
	return 0;
}

/* The devices of ports without a record, a daemon's before this one. */
static size_t removable_unknown(struct devices *devices, struct map *wanted, uint32_t *ifindexes,
				struct error *error)
{
	/* What they were attached to, nobody knows any more. */
	const struct attach any_bridge = { .kind = ATTACH_OVS_BRIDGE };
	struct listing listing = { .devices = devices };
	size_t count = 0;

	if (netlink_link_list(devices->netlink, list_ours, &listing, error) == 0)
		for (size_t i = 0; i < listing.count; i++)
			if (map_remove_u32(wanted, listing.port_ids[i])) {
				device_link_leave(devices, listing.port_ids[i], &any_bridge);
				ifindexes[count++] = listing.ifindexes[i];
			}
	free(listing.port_ids);
	free(listing.ifindexes);
	return count;
}

/* All at once, for each deletion by itself waits for the kernel's grace periods. */
static int delete_all(struct devices *devices, const uint32_t *ifindexes, size_t count,
		      struct error *error)
{
	struct link_change change = LINK_CHANGE_NOTHING;
	int result = 0;

	if (count == 1)
		result = netlink_link_delete(devices->netlink, ifindexes[0], error);
	if (count > 1) {
		change.group = REMOVED_GROUP;
		netlink_batch_begin(devices->netlink);
		for (size_t i = 0; i < count; i++)
			(void)netlink_link_change(devices->netlink, ifindexes[i], &change, NULL);
		(void)netlink_link_delete_group(devices->netlink, REMOVED_GROUP, NULL);
		result = netlink_batch_commit(devices->netlink, NULL, NULL, error);
	}
	/* Gone already, with its namespace. */
	return result == -ENODEV ? 0 : result;
}

int devices_unplug(struct devices *devices, const uint32_t *port_ids, size_t count,
		   struct error *error)
{
	uint32_t *ifindexes = xcalloc(count, sizeof(*ifindexes));
	struct map unknown = { 0 };
	size_t found = 0;
	int result;

	for (size_t i = 0; i < count; i++) {
		struct device_record *record = map_get_u32(&devices->records, port_ids[i]);

		device_adopt_leave(devices, port_ids[i]);
		if (!record) {
			map_put_u32(&unknown, port_ids[i], devices);
			continue;
		}
		device_link_leave(devices, record->port_id, &record->attach);
		ifindexes[found] = removable(devices, record);
		found += ifindexes[found] != 0;
		record_free(devices, record);
	}
	if (map_count(&unknown))
		found += removable_unknown(devices, &unknown, ifindexes + found, error);
	map_fini(&unknown, NULL);
	result = delete_all(devices, ifindexes, found, error);
	free(ifindexes);
	device_watch_drain(devices);
	return result;
}

/* ---- open and close ---- */

int devices_open(const struct device_options *options, struct devices **devices,
		 struct error *error)
{
	struct devices *fresh = xcalloc(1, sizeof(*fresh));
	int result;

	fresh->loop = options->loop;
	fresh->instance = xstrdup(options->instance);
	fresh->ovsdb = xstrdup(options->ovsdb ? options->ovsdb : OVSDB_SOCKET_DEFAULT);
	fresh->adoptions = options->adoptions;
	fresh->attach = options->attach;
	fresh->event = options->event;
	fresh->context = options->context;
	result = netlink_open(&fresh->netlink, -1, error);
	if (!result && !fresh->adoptions) {
		result = adoptions_open(NULL, &fresh->own_adoptions, error);
		fresh->adoptions = fresh->own_adoptions;
	}
	if (!result)
		result = device_watch_open(fresh, error);
	if (result) {
		devices_close(fresh);
		return result;
	}
	*devices = fresh;
	return 0;
}

void devices_close(struct devices *devices)
{
	if (!devices)
		return;
	MAP_FOR_EACH(&devices->records, port) {
		record_free(devices, port.value);
	}
	device_watch_close(devices);
	map_fini(&devices->records, NULL);
	adoptions_close(devices->own_adoptions);
	netlink_close(devices->netlink);
	free(devices->ovsdb);
	free(devices->instance);
	free(devices);
}
