/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a configuration: all of it at once, each with its place. */
#ifndef CONFIG_FAULT_H
#define CONFIG_FAULT_H

#include <stdio.h>

#include "base/pool.h"

struct config_fault {
	const char *file;      /* a path, "SIDEKEY_CONFIG_CONTENT" or "environment" */
	unsigned line, column; /* from 1; 0: the file as a whole */
	const char *path;      /* of the key, such as "targets.litellm.apiKey"; may be empty */
	const char *message;   /* never a value where a reference is due */
	const char *hint;      /* what to write instead, or NULL */
};

enum { FAULTS_MAX = 100 };

struct config_faults {
	struct config_fault items[FAULTS_MAX];
	size_t n;
	bool more;        /* there were more than fit */
	const char *file; /* stands in the faults that are added */
	struct pool pool;
};

void fault_init(struct config_faults *list);
void fault_free(struct config_faults *list);

/* The file that further faults are about; copied. */
void fault_in(struct config_faults *list, const char *file);

struct fault_place {
	unsigned line, column;
	const char *path;
};

/* Adds one. The texts are copied; hint may be NULL. */
void fault_add(struct config_faults *list, struct fault_place at, const char *hint,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Orders those from index first on by their lines. */
void fault_sort(struct config_faults *list, size_t first);

/* `file:line:column: path: message (hint)`, a line each. */
void fault_print(const struct config_faults *list, FILE *out);

#endif
