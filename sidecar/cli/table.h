/* SPDX-License-Identifier: Apache-2.0 */
/* A table for a terminal: columns as wide as what stands in them. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdio.h>

#include "base/buf.h"

enum { TABLE_COLUMNS = 8, TABLE_CELL_MAX = 48 };

struct table {
	size_t ncolumns, ncells;
	size_t widths[TABLE_COLUMNS];
	struct buf cells; /* row by row, a NUL behind each */
};

/* heads: ncolumns of them, at most TABLE_COLUMNS. */
void table_init(struct table *t, const char *const *heads, size_t ncolumns);

/*
 * The next cell, from left to right and row by row; what is longer than TABLE_CELL_MAX is cut. Any
 * byte that is not a plain ASCII character is shown as ?: an agent chose some of them, and a
 * terminal obeys escape sequences.
 */
void table_cell(struct table *t, struct span text);
void table_cellf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints it, unless it has its heads alone, and frees it. */
void table_end(struct table *t, FILE *out);

#endif
