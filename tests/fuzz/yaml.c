/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as weft.yaml: read or refused, and what was read is written and read back the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "client/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_document document, again;
	struct buf text = { 0 };
	struct error error;
	size_t line;

	if (yaml_load((const char *)data, size, &document, &line, &error) < 0)
		return 0;
	yaml_line(&document, "vpcs.blue.route_tables.main.routes[3].to");
	yaml_emit(&text, document.tree, 4);
	/* Indented, a deep document may pass the depth or size that is read. */
	if (yaml_load(text.data, text.size, &again, &line, &error) == 0) {
		if (!json_equal(document.tree, again.tree))
			abort();
		yaml_unload(&again);
	} else if (text.size < YAML_SIZE_MAX) {
		abort();
	}
	buf_fini(&text);
	yaml_unload(&document);
	return 0;
}
