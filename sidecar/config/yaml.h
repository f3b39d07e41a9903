/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML (and so JSON) to a small tree with places. A plain subset: one document, no
 * anchors, aliases or tags, scalar keys that differ within their map. Bounded by YAML_*.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "base/pool.h"

enum {
	YAML_BYTES_MAX = 1024 * 1024,
	YAML_DEPTH_MAX = 32,
	YAML_NODES_MAX = 100 * 1000,
	YAML_PATH_MAX = 512,
};

enum yaml_kind { YAML_TEXT, YAML_MAP, YAML_LIST };

struct yaml_item {
	enum yaml_kind kind;
	bool quoted;           /* YAML_TEXT: by quotes or as a block */
	unsigned line, column; /* from 1 */
	struct span text;      /* YAML_TEXT, with a NUL behind it */
	struct span key;       /* of a map's member, with a NUL behind it */
	unsigned key_line, key_column;
	struct yaml_item *first; /* member or entry */
	struct yaml_item *next;  /* beside it */
	size_t n;                /* members or entries */
};

struct yaml_fault {
	unsigned line, column;
	const char *message;      /* a literal, of ours or of libyaml's: never text of the file */
	char path[YAML_PATH_MAX]; /* of the key, as targets.a.headers; empty: no key, no YAML */
};

/* What a pool needs for the tree of len bytes: no node or text comes of less than one byte. */
size_t yaml_pool_size(size_t len);

/*
 * Reads text. Returns the root, which with all below it lives in pool (of yaml_pool_size
 * bytes), or NULL and *fault.
 */
struct yaml_item *yaml_read(struct span text, struct pool *pool, struct yaml_fault *fault);

/* The member of that name of a map; NULL when there is none, or map is NULL or no map. */
struct yaml_item *yaml_member(const struct yaml_item *map, struct span key);

#endif
