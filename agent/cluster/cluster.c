/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts, leases, underlay and paths brought together; see cluster.h.
 *
 * Everything that follows from the intent is done in cluster_refresh(), a short while after something
 * changed, so that many changes in a row cost one look. What the store tells of hosts is kept by host id.
 */
#include "agent/cluster/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/cluster/cluster_private.h"
#include "agent/observe/probe.h"
#include "agent/observe/trace_remote.h"
#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "model/encapsulation.h"

#define REFRESH_DELAY_NS (50 * CLOCK_NS_PER_MS)
#define TICK_NS CLOCK_NS_PER_SECOND
#define SHARES_TICKS 10 /* somebody may have taken a queue away */
#define KEY_RECORD STORE_PREFIX "cluster/probe-key"
#define MEMBER_PREFIX STORE_PREFIX "cluster/store/"

/* ---- records of the store ---- */

static struct other_host *other_host(struct cluster *cluster, uint32_t id)
{
	struct other_host *other = map_get_u32(&cluster->others, id);

	if (!other) {
		other = xcalloc(1, sizeof(*other));
		map_put_u32(&cluster->others, id, other);
	}
	return other;
}

static void host_died(struct cluster *cluster, uint32_t id, struct other_host *other)
{
	if (!other->alive)
		return;
	other->alive = false;
	other->since_ns = clock_realtime_ns(cluster->options.clock);
	log_notice("a host is not heard of any more", "host=%u", id);
	cluster_settle_away(cluster, id);
}

static void take_alive(struct cluster *cluster, uint32_t id, const char *value)
{
	struct other_host *other = other_host(cluster, id);
	json_t *document = NULL, *before;

	if (!value) {
		host_died(cluster, id, other);
		return;
	}
	if (json_load_text(value, strlen(value), STORE_VALUE_LENGTH_MAX, &document, NULL))
		return;
	other->seen = true;
	before = other->document;
	other->document = document;
	cluster_tunnels_said(cluster, before, document);
	json_decref(before);
	if (!other->alive) {
		other->alive = true;
		other->since_ns = clock_realtime_ns(cluster->options.clock);
		cluster_settle_away(cluster, id);
	}
}

static void take_key(struct cluster *cluster, const char *value)
{
	json_t *document = NULL;
	const char *text;
	uint8_t key[PATH_PROBE_KEY_SIZE];
	size_t size = 0;

	/* A host without devices has no paths. */
	if (!cluster->options.devices || cluster->probes ||
	    json_load_text(value, strlen(value), 4096, &document, NULL))
		return;
	text = json_string_value(json_object_get(document, "key"));
	if (text && !probe_parse_hex(text, key, sizeof(key), &size, NULL) && size == sizeof(key))
		cluster->probes = path_probes_new(cluster->options.loop, CLUSTER_PORT, key,
						  cluster_path_changed, cluster);
	json_decref(document);
	cluster_refresh_soon(cluster);
}

static void take_member(struct cluster *cluster, const char *value)
{
	json_t *document = NULL;
	const char *address;

	if (!cluster->options.member || json_load_text(value, strlen(value), 4096, &document, NULL))
		return;
	address = json_string_value(json_object_get(document, "address"));
	if (address)
		cluster->options.member(cluster->options.member_context, address);
	json_decref(document);
}

/* A list begins: who is not in it is not alive. */
static void forget_seen(struct cluster *cluster)
{
	MAP_FOR_EACH(&cluster->others, it) {
		((struct other_host *)it.value)->seen = false;
	}
}

static bool on_record(void *context, const char *key, const char *value)
{
	static const char hosts[] = STORE_PREFIX "host/", shared[] = STORE_PREFIX "cluster/",
			  alive[] = "/alive";
	struct cluster *cluster = context;
	unsigned long id;
	char *end;

	if (!key) {
		forget_seen(cluster);
		return true;
	}
	if (strncmp(key, shared, sizeof(shared) - 1) == 0) {
		if (value && strcmp(key, KEY_RECORD) == 0)
			take_key(cluster, value);
		else if (value && strncmp(key, MEMBER_PREFIX, sizeof(MEMBER_PREFIX) - 1) == 0)
			take_member(cluster, value);
		return true;
	}
	if (cluster->questions && questions_record(cluster->questions, key, value))
		return true;
	if (strncmp(key, hosts, sizeof(hosts) - 1) != 0)
		return false;
	id = strtoul(key + sizeof(hosts) - 1, &end, 10);
	if (end == key + sizeof(hosts) - 1 || id > UINT32_MAX ||
	    strncmp(end, alive, sizeof(alive) - 1) != 0)
		return false;
	take_alive(cluster, (uint32_t)id, value);
	return true;
}

/* ---- this host ---- */

static const struct host_object *own_host(const struct cluster *cluster)
{
	return cluster->reconcile ? intent_own_host(reconcile_intent(cluster->reconcile)) : NULL;
}

static json_t *own_alive_json(const struct cluster *cluster, const struct host_object *own)
{
	json_t *underlay = json_array();

	for (size_t i = 0; i < own->address_count; i++) {
		char text[IP_PREFIX_TEXT_SIZE];

		json_array_append_new(underlay,
				      json_pack("{s:s, s:i}", "address",
						ip_prefix_format(&own->addresses[i], text), "mtu",
						(int)underlay_mtu(cluster->underlay,
								  &own->addresses[i].address)));
	}
	return json_pack("{s:s, s:i, s:s, s:o, s:o}", "version", WEFT_VERSION, "pid", (int)getpid(),
			 "run", cluster->run, "underlay", underlay, "tunnels_down",
			 cluster_tunnels_down(cluster));
}

static void lease_lost(void *context, uint64_t lease)
{
	struct cluster *cluster = context;

	if (cluster->lease == lease) {
		log_notice("the lease of this host has ended; a new one is asked for");
		cluster->lease = 0;
	}
}

static int grant(struct cluster *cluster, struct error *error)
{
	int code;

	if (cluster->lease)
		return 0;
	code = store_lease_grant(cluster->options.store, CLUSTER_LEASE_MS, &cluster->lease, error);
	if (!code)
		code = store_lease_keep(cluster->options.store, cluster->lease, lease_lost, cluster,
					error);
	if (code)
		cluster->lease = 0;
	else
		free(cluster->alive_text), cluster->alive_text = NULL;
	return code;
}

/* The record that says that this host lives; written when it is not what was written last. */
static void say_alive(struct cluster *cluster)
{
	const struct host_object *own = own_host(cluster);
	struct store_transaction *transaction;
	struct error error = { 0 };
	json_t *document;
	char *text, key[64];

	if (!own || grant(cluster, &error)) {
		if (error.code)
			log_limited(LOG_LEVEL_WARNING, "no lease", "text=\"%s\"", error.text);
		return;
	}
	document = own_alive_json(cluster, own);
	text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(document);
	if (cluster->alive_text && strcmp(cluster->alive_text, text) == 0) {
		free(text);
		return;
	}
	snprintf(key, sizeof(key), STORE_PREFIX "host/%u/alive", own->object.id);
	transaction = store_transaction_new();
	store_transaction_put(transaction, key, text, cluster->lease);
	if (store_commit(cluster->options.store, transaction, NULL, &error)) {
		log_limited(LOG_LEVEL_WARNING, "the host cannot say that it lives", "text=\"%s\"",
			    error.text);
		if (error.code == -ENOENT)
			cluster->lease = 0;
		free(text);
	} else {
		free(cluster->alive_text);
		cluster->alive_text = text;
	}
	store_transaction_free(transaction);
}

static json_t *own_host_body(const struct cluster *cluster)
{
	json_t *underlay = json_array(), *encapsulations = json_array();
	uint32_t mtu = 0;

	for (size_t i = 0; i < cluster->options.underlay_count; i++) {
		const struct ip_prefix *prefix = &cluster->options.underlay[i];
		uint32_t found = underlay_mtu(cluster->underlay, &prefix->address);
		char text[IP_PREFIX_TEXT_SIZE];

		json_array_append_new(underlay, json_string(ip_prefix_format(prefix, text)));
		if (found && (!mtu || found < mtu))
			mtu = found;
	}
	for (int kind = TUNNEL_VXLAN; kind < TUNNEL_KINDS; kind++)
		if (kind != TUNNEL_SIT)
			json_array_append_new(encapsulations,
					      json_string(encapsulation_name((uint8_t)kind)));
	return json_pack("{s:o, s:i, s:o}", "underlay", underlay, "mtu",
			 (int)(mtu ? mtu : HOST_MTU_DEFAULT), "encapsulations", encapsulations);
}

static int own_host_fill(void *context, struct draft *draft, struct error *error)
{
	struct cluster *cluster = context;
	const char *const path[] = { "hosts", cluster->options.host };
	json_t *body;
	int code;

	if (own_host(cluster))
		return 0; /* somebody was faster */
	body = own_host_body(cluster);
	code = draft_put(draft, path, ARRAY_SIZE(path), body, true, error);
	json_decref(body);
	return code;
}

/* An own object for a host that has none and was told its addresses. */
static void ensure_own_host(struct cluster *cluster)
{
	struct draft *draft = NULL;
	struct error error = { 0 };
	uint64_t revision;

	if (own_host(cluster) || !cluster->options.underlay_count || !cluster->options.shared)
		return;
	if (reconcile_change(cluster->reconcile, own_host_fill, cluster, &draft, &revision, &error))
		log_limited(LOG_LEVEL_WARNING, "this host cannot enter the cluster", "text=\"%s\"",
			    error.text);
	draft_free(draft);
}

/* The first host makes the key; of two at once one is refused and hears of the other's. */
static void ensure_key(struct cluster *cluster)
{
	struct store_transaction *transaction;
	struct error error = { 0 };
	uint8_t key[PATH_PROBE_KEY_SIZE];
	char text[2 * sizeof(key) + 16];
	size_t len;

	if (!cluster->options.devices || cluster->probes ||
	    getrandom(key, sizeof(key), 0) != sizeof(key))
		return;
	len = (size_t)snprintf(text, sizeof(text), "{\"key\":\"");
	for (size_t i = 0; i < sizeof(key); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%02x", key[i]);
	snprintf(text + len, sizeof(text) - len, "\"}");
	transaction = store_transaction_new();
	store_transaction_require_revision(transaction, KEY_RECORD, 0);
	store_transaction_put(transaction, KEY_RECORD, text, 0);
	if (!store_commit(cluster->options.store, transaction, NULL, &error))
		take_key(cluster, text);
	else if (error.code != -EAGAIN)
		log_limited(LOG_LEVEL_WARNING, "the paths cannot be probed yet", "text=\"%s\"",
			    error.text);
	store_transaction_free(transaction);
}

/* So that every host knows every member: the first host was there before the others. */
static void ensure_member(struct cluster *cluster)
{
	struct error error = { 0 };
	char key[sizeof(MEMBER_PREFIX) + NAME_SIZE], text[128];

	if (!cluster->options.own_member || cluster->member_said)
		return;
	snprintf(key, sizeof(key), MEMBER_PREFIX "%s", cluster->options.host);
	snprintf(text, sizeof(text), "{\"address\":\"%s\"}", cluster->options.own_member);
	if (store_put(cluster->options.store, key, text, NULL, &error))
		log_limited(LOG_LEVEL_WARNING, "the member of the store is not told", "text=\"%s\"",
			    error.text);
	else
		cluster->member_said = true;
}

static void on_connected(void *context)
{
	struct cluster *cluster = context;

	MAP_FOR_EACH(&cluster->others, it) {
		struct other_host *other = it.value;

		if (!other->seen)
			host_died(cluster, *(const uint32_t *)it.key, other);
	}
	cluster->connected = true;
	if (cluster->reconcile)
		loop_defer(cluster->options.loop, &cluster->settle);
}

/* What needs the store, outside of its callbacks. */
static void cluster_settle(void *context)
{
	struct cluster *cluster = context;

	if (!cluster->options.shared || !cluster->connected ||
	    !store_reachable(cluster->options.store, NULL))
		return;
	ensure_own_host(cluster);
	ensure_key(cluster);
	ensure_member(cluster);
	say_alive(cluster);
}

static void cluster_tick(void *context)
{
	struct cluster *cluster = context;

	cluster_settle(cluster);
	if (++cluster->ticks % SHARES_TICKS == 0 && shares_stray(cluster->shares))
		cluster_refresh_soon(cluster);
}

/* ---- what the reconciler tells and asks ---- */

/* Hosts and tunnels at once: who asked for the change finds the underlay ready when it is answered. */
static void on_changed(void *context, const struct change *changes, size_t count)
{
	struct cluster *cluster = context;
	bool soon = false;

	if (cluster->claims) {
		claims_changed(cluster->claims, changes, count);
		moves_changed(cluster->moves, changes, count);
		gateways_changed(cluster->gateways, changes, count);
	}
	for (size_t i = 0; i < count; i++) {
		enum object_kind kind = changes[i].kind;

		if (cluster->reconcile && (kind == OBJECT_HOST || kind == OBJECT_TUNNEL)) {
			cluster_refresh(cluster);
			return;
		}
		soon |= kind == OBJECT_PORT || kind == OBJECT_SUBNET || kind == OBJECT_VPC;
	}
	if (soon)
		cluster_refresh_soon(cluster);
}

static uint32_t on_path_mtu(void *context, uint32_t host_id)
{
	const struct cluster *cluster = context;
	struct path_state state;

	/* As long as all of it comes through there is nothing to say that the hosts do not say. */
	if (!path_probes_get(cluster->probes, host_id, &state) || state.mtu >= state.full)
		return 0;
	return state.mtu;
}

static uint32_t on_underlay_ifindex(void *context, const struct ip_address *address)
{
	const struct cluster *cluster = context;

	return underlay_ifindex(cluster->underlay, address);
}

static void underlay_changed(void *context)
{
	struct cluster *cluster = context;

	cluster->devices_changed = true;
	/* An uplink with an address is not the wires' alone (uplinks_alone). */
	cluster->uplinks_changed = true;
	cluster_refresh_soon(cluster);
}

static uint32_t on_uplink_ifindex(void *context, const char *ifname)
{
	const struct cluster *cluster = context;

	return uplinks_ifindex(cluster->uplinks, ifname);
}

static bool on_device_shared(void *context, uint32_t ifindex)
{
	const struct cluster *cluster = context;

	return shares_has(cluster->shares, ifindex);
}

static bool on_uplink_mac(void *context, const char *ifname, struct mac_address *mac)
{
	const struct cluster *cluster = context;

	return uplinks_mac(cluster->uplinks, ifname, mac);
}

static uint32_t on_stack_ifindex(void *context, uint32_t subnet_id, struct mac_address *mac)
{
	const struct cluster *cluster = context;

	return uplinks_stack(cluster->uplinks, subnet_id, mac);
}

static bool on_uplink_alone(void *context, const char *ifname)
{
	const struct cluster *cluster = context;

	return uplinks_alone(cluster->uplinks, ifname);
}

static void uplinks_changed(void *context)
{
	struct cluster *cluster = context;

	cluster->uplinks_changed = true;
	if (cluster->gateways)
		gateways_uplinks_changed(cluster->gateways);
	cluster_refresh_soon(cluster);
}

static void too_big(void *context, const struct ip_address *remote)
{
	struct cluster *cluster = context;

	path_probes_hurry(cluster->probes, remote);
}

void cluster_refresh_soon(struct cluster *cluster)
{
	if (cluster->reconcile && !loop_timer_is_running(&cluster->refresh))
		loop_timer_start(cluster->options.loop, &cluster->refresh, REFRESH_DELAY_NS, 0);
}

/* ---- what other hosts ask ---- */

static uint32_t on_own_id(void *context)
{
	const struct host_object *own = own_host(context);

	return own ? own->object.id : 0;
}

static bool on_is_host(void *context, uint32_t host_id)
{
	const struct cluster *cluster = context;
	const struct intent *intent = reconcile_intent(cluster->reconcile);
	const struct object *object = intent_object(intent, host_id);

	return object && object->kind == OBJECT_HOST;
}

static json_t *on_question(void *context, const json_t *body)
{
	const struct cluster *cluster = context;

	return trace_answer_make(cluster->options.datapath, cluster->reconcile, body);
}

static void open_questions(struct cluster *cluster)
{
	const struct questions_options options = {
		.loop = cluster->options.loop,
		.store = cluster->options.store,
		.clock = cluster->options.clock,
		.own_id = on_own_id,
		.is_host = on_is_host,
		.answer = on_question,
		.context = cluster,
	};

	if (cluster->options.shared)
		cluster->questions = questions_new(&options);
}

/* ---- open and close ---- */

int cluster_open(const struct cluster_options *options, struct cluster **cluster,
		 struct error *error)
{
	struct cluster *new = xcalloc(1, sizeof(*new));
	const struct underlay_options underlay = {
		.loop = options->loop,
		.datapath = options->datapath,
		.devices = options->devices,
		.changed = underlay_changed,
		.too_big = too_big,
		.context = new,
	};
	const struct uplinks_options uplinks = {
		.instance = options->instance,
		.loop = options->loop,
		.datapath = options->datapath,
		.adoptions = options->adoptions,
		.devices = options->devices,
		.changed = uplinks_changed,
		.context = new,
	};
	uint64_t run = 0;
	int code;

	new->options = *options;
	new->callbacks = (struct reconcile_cluster){
		.context = new,
		.record = on_record,
		.connected = on_connected,
		.changed = on_changed,
		.path_mtu = on_path_mtu,
		.underlay_ifindex = on_underlay_ifindex,
		.uplink_ifindex = on_uplink_ifindex,
		.device_shared = on_device_shared,
		.uplink_mac = on_uplink_mac,
		.uplink_alone = on_uplink_alone,
		.stack_ifindex = on_stack_ifindex,
		.tunnel_down = cluster_tunnel_down,
		.host_away = cluster_host_away,
	};
	if (getrandom(&run, sizeof(run), GRND_NONBLOCK) < 0)
		run = clock_realtime_ns(NULL);
	snprintf(new->run, sizeof(new->run), "%016llx", (unsigned long long)run);
	loop_timer_init(&new->tick, cluster_tick, new);
	loop_timer_init(&new->refresh, cluster_refresh, new);
	loop_deferred_init(&new->settle, cluster_settle, new);
	open_questions(new);
	if (options->devices)
		new->keepalives = keepalives_new(options->loop, options->datapath,
						 cluster_keepalive_changed, new);
	code = underlay_open(&underlay, &new->underlay, error);
	if (!code)
		code = uplinks_open(&uplinks, &new->uplinks, error);
	if (!code)
		code = shares_open(options->datapath, options->devices, &new->shares, error);
	if (code) {
		cluster_close(new);
		return code;
	}
	*cluster = new;
	return 0;
}

const struct reconcile_cluster *cluster_callbacks(const struct cluster *cluster)
{
	return &cluster->callbacks;
}

void cluster_start(struct cluster *cluster, struct reconcile *reconcile)
{
	cluster->reconcile = reconcile;
	cluster->moves = moves_new(cluster->options.loop, reconcile, cluster->options.datapath);
	cluster->claims = claims_new(cluster->options.loop, reconcile);
	cluster->gateways = gateways_new(cluster->options.loop, reconcile, cluster->uplinks);
	loop_timer_start(cluster->options.loop, &cluster->tick, TICK_NS, TICK_NS);
	loop_defer(cluster->options.loop, &cluster->settle);
	cluster_refresh(cluster);
}

static void other_free(void *value)
{
	struct other_host *other = value;

	json_decref(other->document);
	free(other);
}

void cluster_close(struct cluster *cluster)
{
	if (!cluster)
		return;
	loop_timer_stop(&cluster->tick);
	loop_timer_stop(&cluster->refresh);
	loop_deferred_cancel(&cluster->settle);
	questions_free(cluster->questions);
	moves_free(cluster->moves);
	gateways_free(cluster->gateways);
	claims_free(cluster->claims);
	keepalives_free(cluster->keepalives);
	path_probes_free(cluster->probes);
	underlay_close(cluster->underlay);
	shares_close(cluster->shares);
	uplinks_close(cluster->uplinks);
	map_fini(&cluster->others, other_free);
	free(cluster->alive_text);
	free(cluster);
}

struct shares *cluster_shares(const struct cluster *cluster)
{
	return cluster->shares;
}

struct moves *cluster_moves(const struct cluster *cluster)
{
	return cluster->moves;
}

struct questions *cluster_questions(const struct cluster *cluster)
{
	return cluster->questions;
}

bool cluster_is_shared(const struct cluster *cluster)
{
	return cluster->options.shared;
}
