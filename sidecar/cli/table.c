/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "cli/table.h"

#include "cli/printable.h"

enum { CELLS_MAX = 4 * 1024 * 1024 };

void
table_init(struct table *t, const char *const *heads, size_t ncolumns)
{
	assert(ncolumns > 0 && ncolumns <= TABLE_COLUMNS);
	*t = (struct table){.ncolumns = ncolumns};
	buf_init(&t->cells, CELLS_MAX);
	for (size_t i = 0; i < ncolumns; i++)
		table_cell(t, span_of(heads[i]));
}

void
table_cell(struct table *t, struct span text)
{
	size_t *width = &t->widths[t->ncells % t->ncolumns];
	size_t n = text.len < TABLE_CELL_MAX ? text.len : TABLE_CELL_MAX;
	char *cell = buf_room(&t->cells, n + 1);

	if (cell == NULL)
		return;
	printable_copy(cell, span_cut(text, 0, n));
	if (n < text.len)
		memset(cell + n - 2, '.', 2);
	cell[n] = '\0';
	buf_grew(&t->cells, n + 1);
	t->ncells++;
	*width = n > *width ? n : *width;
}

void
table_cellf(struct table *t, const char *format, ...)
{
	char text[TABLE_CELL_MAX + 1];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table_cell(t, span_of(text));
}

void
table_end(struct table *t, FILE *out)
{
	const char *cell = t->cells.ptr;

	for (size_t i = 0; t->ncells > t->ncolumns && i < t->ncells; i++) {
		size_t column = i % t->ncolumns;

		if (column + 1 == t->ncolumns)
			fprintf(out, "%s\n", cell);
		else
			fprintf(out, "%-*s  ", (int)t->widths[column], cell);
		cell += strlen(cell) + 1;
	}
	if (t->ncells > t->ncolumns)
		fputc('\n', out);
	buf_free(&t->cells);
}
