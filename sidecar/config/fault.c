/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include "config/fault.h"

#include "base/utf8.h"

enum { FAULT_TEXT_MAX = 1024, FAULT_POOL = FAULTS_MAX * 4096 };

void
fault_init(struct config_faults *list)
{
	*list = (struct config_faults){.file = ""};
	pool_init(&list->pool, FAULT_POOL);
}

void
fault_free(struct config_faults *list)
{
	pool_free(&list->pool);
	*list = (struct config_faults){.file = ""};
}

static const char *
copy(struct config_faults *list, const char *text)
{
	struct span s = span_of(text);

	return pool_copy(&list->pool, span_cut(s, 0, FAULT_TEXT_MAX)).ptr;
}

void
fault_in(struct config_faults *list, const char *file)
{
	const char *kept = copy(list, file);

	if (kept != NULL)
		list->file = kept;
}

void
fault_add(struct config_faults *list, struct fault_place at, const char *hint, const char *format,
	  ...)
{
	char message[FAULT_TEXT_MAX];
	struct config_fault f = {.file = list->file, .line = at.line, .column = at.column};
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	f.path = copy(list, at.path == NULL ? "" : at.path);
	f.message = copy(list, message);
	f.hint = hint == NULL ? NULL : copy(list, hint);
	if (list->n == FAULTS_MAX || f.path == NULL || f.message == NULL) {
		list->more = true;
		return;
	}
	list->items[list->n++] = f;
}

void
fault_sort(struct config_faults *list, size_t first)
{
	/* By insertion: there are few, and those of one place stay in order. */
	for (size_t i = first + 1; i < list->n; i++) {
		struct config_fault f = list->items[i];
		size_t j = i;

		for (; j > first; j--) {
			const struct config_fault *before = &list->items[j - 1];

			if (before->line < f.line ||
			    (before->line == f.line && before->column <= f.column))
				break;
			list->items[j] = *before;
		}
		list->items[j] = f;
	}
}

/* A path is the operator's own text, but a key in it may hold what a terminal should not get. */
static void
put(const char *text, FILE *out)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t left = strlen(text), n;

	for (; left > 0; p += n, left -= n) {
		n = utf8_length(p, left);
		if (n == 0 || utf8_acting(p, n) != 0 || *p < 0x20 || *p == 0x7f)
			fputc('?', out);
		else
			fwrite(p, 1, n, out);
		n = n == 0 ? 1 : n;
	}
}

void
fault_print(const struct config_faults *list, FILE *out)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct config_fault *f = &list->items[i];

		put(f->file, out);
		if (f->line > 0)
			fprintf(out, ":%u:%u", f->line, f->column);
		fputs(": ", out);
		if (f->path[0] != '\0') {
			put(f->path, out);
			fputs(": ", out);
		}
		put(f->message, out);
		if (f->hint != NULL) {
			fputs(" (", out);
			put(f->hint, out);
			fputs(")", out);
		}
		fputc('\n', out);
	}
	if (list->more)
		fputs("… and more\n", out);
}
