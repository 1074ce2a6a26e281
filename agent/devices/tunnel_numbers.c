/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of numbers, made and removed with their tunnels; see tunnel_numbers.h.
 *
 * Whether numbers are those of the tunnel to be written is seen from the row of the tunnel that is
 * live: the id of a tunnel is given to another one later, and a tunnel may be led to another end,
 * which counts by itself.
 */
#include "agent/devices/tunnel_numbers.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

static const struct tunnel_sequence at_zero;

static bool has_numbers(const struct tunnel *tunnel)
{
	return tunnel->flags & TUNNEL_SEQUENCE;
}

static bool leads_to_same_end(const struct tunnel *a, const struct tunnel *b)
{
	return a->port_id == b->port_id && a->kind == b->kind && a->id == b->id &&
	       memcmp(&a->remote, &b->remote, sizeof(a->remote)) == 0;
}

static int put_at_zero(struct datapath *datapath, const struct tunnel_key *key)
{
	return datapath_put(datapath, TABLE_tunnel_sequences, key, &at_zero);
}

static int put_if_absent(struct datapath *datapath, const struct tunnel_key *key)
{
	struct tunnel_sequence live;
	int code = datapath_get(datapath, TABLE_tunnel_sequences, key, &live);

	return code == -ENOENT ? put_at_zero(datapath, key) : code;
}

static int take_out(struct datapath *datapath, const struct tunnel_key *key)
{
	int code = datapath_remove(datapath, TABLE_tunnel_sequences, key);

	return code == -ENOENT ? 0 : code;
}

static void log_failure(const struct tunnel_key *key, int code)
{
	log_warning("the numbers of a tunnel cannot be written", "tunnel=%u error=%s",
		    key->tunnel_id, strerror(-code));
}

int tunnel_numbers_prepare(struct datapath *datapath, const struct tunnel_key *key,
			   const struct tunnel *wanted, struct tunnel *old)
{
	int code = datapath_get(datapath, TABLE_tunnels, key, old);

	if (code == -ENOENT)
		memset(old, 0, sizeof(*old));
	else if (code)
		return code;
	if (!has_numbers(wanted))
		return 0;
	/* Numbers of a tunnel that had none are left over from another one. */
	return has_numbers(old) ? put_if_absent(datapath, key) : put_at_zero(datapath, key);
}

void tunnel_numbers_settle(struct datapath *datapath, const struct tunnel_key *key,
			   const struct tunnel *written, const struct tunnel *old)
{
	int code = 0;

	if (!has_numbers(old))
		return;
	if (!has_numbers(written))
		code = take_out(datapath, key);
	else if (!leads_to_same_end(written, old))
		/* Only now: until the row was written, packets of the old end counted. */
		code = put_at_zero(datapath, key);
	if (code)
		log_failure(key, code);
}

void tunnel_numbers_remove(struct datapath *datapath, const struct tunnel_key *key,
			   const struct tunnel *old)
{
	int code = has_numbers(old) ? take_out(datapath, key) : 0;

	if (code)
		log_failure(key, code);
}

/* ---- audit ---- */

struct leftovers {
	const struct map *tunnels;
	struct tunnel_key *keys;
	size_t count;
};

static bool find_leftover(void *context, const void *key, const void *value)
{
	struct leftovers *leftovers = context;
	const struct tunnel *tunnel = map_get(leftovers->tunnels, key, sizeof(struct tunnel_key));

	(void)value;
	if (tunnel && has_numbers(tunnel))
		return true;
	leftovers->keys =
		xreallocarray(leftovers->keys, leftovers->count + 1, sizeof(*leftovers->keys));
	memcpy(&leftovers->keys[leftovers->count++], key, sizeof(*leftovers->keys));
	return true;
}

size_t tunnel_numbers_audit(struct datapath *datapath, const struct map *tunnels)
{
	struct leftovers leftovers = { .tunnels = tunnels };
	size_t repaired = 0;
	int code;

	MAP_FOR_EACH(tunnels, it) {
		struct tunnel_sequence live;
		struct tunnel_key key;

		if (!has_numbers(it.value))
			continue;
		memcpy(&key, it.key, sizeof(key));
		code = datapath_get(datapath, TABLE_tunnel_sequences, &key, &live);
		if (code == -ENOENT) {
			code = put_at_zero(datapath, &key);
			repaired += code == 0;
		}
		if (code)
			log_failure(&key, code);
	}
	code = datapath_walk(datapath, TABLE_tunnel_sequences, find_leftover, &leftovers);
	if (code)
		log_warning("the numbers of tunnels cannot be read", "error=%s", strerror(-code));
	for (size_t i = 0; i < leftovers.count; i++) {
		code = take_out(datapath, &leftovers.keys[i]);
		repaired += code == 0;
		if (code)
			log_failure(&leftovers.keys[i], code);
	}
	free(leftovers.keys);
	return repaired;
}
