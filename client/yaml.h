/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft.yaml as JSON, with the line of everything, and JSON as weft.yaml.
 *
 * A file becomes a jansson tree (client_apply() sends it) and a map from path to line, so that a
 * refusal of the daemon, which names a path, is shown with the place in the file. The subset is
 * strict: one document, no anchors, aliases, tags or duplicate keys, limited size and depth.
 * Scalars are typed as in the core schema of YAML 1.2: what is quoted is text, and so are
 * 10.0.0.0/16, 02:00:00:00:00:01 and "yes".
 *
 * Neighbours: yaml.c (reads), yaml_emit.c (writes).
 */
#ifndef WEFT_CLIENT_YAML_H
#define WEFT_CLIENT_YAML_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/map.h"

#define YAML_SIZE_MAX ((size_t)8 << 20) /* the daemon takes no larger body */
#define YAML_DEPTH_MAX 32
#define YAML_WIDTH 100 /* columns that emitted lines aim to stay within */

/**
 * struct yaml_document - a file that was read
 * @tree: the document; never NULL after yaml_load()
 * @lines: path with dots ("vpcs.blue.cidrs.0") to line
 */
struct yaml_document {
	json_t *tree;
	struct map lines;
};

/**
 * yaml_load - read a file's text
 * @text: @size bytes, need not be terminated
 * @document: filled in on success; release it with yaml_unload()
 *
 * Return: 0, or negative errno and a sentence in @error; its line is put in *@line (0: of no line).
 */
int yaml_load(const char *text, size_t size, struct yaml_document *document, size_t *line,
	      struct error *error);

/** yaml_unload - release what yaml_load() filled in; all zero is fine */
void yaml_unload(struct yaml_document *document);

/**
 * yaml_line - line of what a path names, or of the nearest thing above it that is there
 * @path: steps joined by dots; elements as [2] or .2
 *
 * Return: the line counted from 1, or 0 if not even the first step is there.
 */
size_t yaml_line(const struct yaml_document *document, const char *path);

/**
 * yaml_emit - append @value as YAML that yaml_load() reads back as an equal value
 * @block_levels: so many levels of maps from the top have a line for each key; below, what fits
 *	into a line is written on one
 */
void yaml_emit(struct buf *out, const json_t *value, int block_levels);

#endif
