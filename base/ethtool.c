/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Features of a device through SIOCETHTOOL; the contracts are in ethtool.h.
 *
 * A feature is a bit of its place in the kernel's list of names, 32 of them a block.
 */
#include "base/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

#define BLOCK_BITS 32

int ethtool_open(struct error *error)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 ? fd
		       : error_set(error, errno, NULL, "no socket for offloads: %s",
				   strerror(errno));
}

static int command(int fd, const char *name, void *data, struct error *error)
{
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	request.ifr_data = data;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		return error_set(error, errno, NULL, "offloads of %s: %s", name, strerror(errno));
	return 0;
}

/* Names of all features there are. @names: the caller's to free(). */
static int list_names(int fd, const char *name, struct ethtool_gstrings **names,
		      struct error *error)
{
	/* One set is asked for, so one number follows. */
	struct ethtool_sset_info *question = xcalloc(1, sizeof(*question) + sizeof(uint32_t));
	struct ethtool_gstrings *list;
	uint32_t count;
	int code;

	question->cmd = ETHTOOL_GSSET_INFO;
	question->sset_mask = UINT64_C(1) << ETH_SS_FEATURES;
	code = command(fd, name, question, error);
	count = !code && question->sset_mask ? question->data[0] : 0;
	free(question);
	if (code)
		return code;
	list = xcalloc(1, sizeof(*list) + (size_t)count * ETH_GSTRING_LEN);
	list->cmd = ETHTOOL_GSTRINGS;
	list->string_set = ETH_SS_FEATURES;
	list->len = count;
	code = command(fd, name, list, error);
	if (code) {
		free(list);
		return code;
	}
	*names = list;
	return 0;
}

static bool is_segmentation(const struct ethtool_gstrings *names, uint32_t index)
{
	char text[ETH_GSTRING_LEN + 1] = "";

	memcpy(text, names->data + (size_t)index * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
	if (strcmp(text, "tx-generic-segmentation") == 0)
		return false;
	return strcmp(text, "tx-gso-list") == 0 ||
	       (strncmp(text, "tx-", 3) == 0 && strstr(text, "segmentation"));
}

/* The features of the device, and which of them are about segmentation, as as many blocks of bits. */
struct features {
	struct ethtool_gfeatures *now; /* owned, like the rest */
	uint32_t *segmentation;
};

static void features_free(struct features *features)
{
	free(features->now);
	free(features->segmentation);
}

static int look(int fd, const char *name, struct features *features, struct error *error)
{
	struct ethtool_gstrings *names;
	uint32_t blocks;
	int code = list_names(fd, name, &names, error);

	if (code)
		return code;
	blocks = (names->len + BLOCK_BITS - 1) / BLOCK_BITS;
	features->now =
		xcalloc(1, sizeof(*features->now) + blocks * sizeof(features->now->features[0]));
	features->segmentation = xcalloc(blocks + 1, sizeof(*features->segmentation));
	features->now->cmd = ETHTOOL_GFEATURES;
	features->now->size = blocks;
	for (uint32_t i = 0; i < names->len; i++)
		if (is_segmentation(names, i))
			features->segmentation[i / BLOCK_BITS] |= UINT32_C(1) << i % BLOCK_BITS;
	free(names);
	code = command(fd, name, features->now, error);
	if (code)
		features_free(features);
	return code;
}

int ethtool_segmentation(int fd, const char *name, bool *on, struct error *error)
{
	struct features features;
	int code = look(fd, name, &features, error);

	if (code)
		return code;
	*on = false;
	for (uint32_t i = 0; i < features.now->size; i++)
		*on |= (features.now->features[i].active & features.segmentation[i]) != 0;
	features_free(&features);
	return 0;
}

int ethtool_set_segmentation(int fd, const char *name, bool on, struct error *error)
{
	struct ethtool_sfeatures *change;
	struct features features;
	int code = look(fd, name, &features, error);

	if (code)
		return code;
	change = xcalloc(1, sizeof(*change) + features.now->size * sizeof(change->features[0]));
	change->cmd = ETHTOOL_SFEATURES;
	change->size = features.now->size;
	for (uint32_t i = 0; i < features.now->size; i++) {
		uint32_t bits = features.segmentation[i] & features.now->features[i].available;

		change->features[i].valid = bits;
		change->features[i].requested = on ? bits : 0;
	}
	code = command(fd, name, change, error);
	free(change);
	features_free(&features);
	return code;
}

int ethtool_checksum(int fd, const char *name, bool *on, struct error *error)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GTXCSUM };
	int code = command(fd, name, &value, error);

	if (!code)
		*on = value.data != 0;
	return code;
}

int ethtool_set_checksum(int fd, const char *name, bool on, struct error *error)
{
	struct ethtool_value value = { .cmd = ETHTOOL_STXCSUM, .data = on };

	return command(fd, name, &value, error);
}
