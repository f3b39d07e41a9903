/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/findings.h"

#include "cli/printable.h"

enum { ROWS_MAX = 512, TEXT_MAX = 1024, JSON_MAX = ROWS_MAX * 8 * TEXT_MAX };

struct row {
	enum finding_weight weight;
	const char *name;
	char found[TEXT_MAX], remedy[TEXT_MAX];
};

struct findings {
	struct row rows[ROWS_MAX];
	size_t n;
};

static const char *const weight_names[FINDING_WEIGHTS] = {
	[FINDING_OK] = "ok",
	[FINDING_NOTE] = "note",
	[FINDING_UNKNOWN] = "unknown",
	[FINDING_WEAK] = "weak",
};

struct findings *
findings_new(void)
{
	struct findings *f = calloc(1, sizeof(*f));

	if (f == NULL)
		abort();
	return f;
}

void
findings_free(struct findings *f)
{
	free(f);
}

/* Where the next row goes. When all are taken, one that says ok gives way to one that does not. */
static struct row *
place(struct findings *f, enum finding_weight weight)
{
	if (f->n < ROWS_MAX)
		return &f->rows[f->n++];
	for (size_t i = 0; i < f->n; i++)
		if (f->rows[i].weight < weight)
			return &f->rows[i];
	return NULL;
}

void
findings_add(struct findings *f, enum finding_weight weight, const char *name, const char *remedy,
	     const char *format, ...)
{
	struct row *r = place(f, weight);
	va_list args;

	if (r == NULL)
		return;
	*r = (struct row){.weight = weight, .name = name};
	va_start(args, format);
	vsnprintf(r->found, sizeof(r->found), format, args);
	va_end(args);
	snprintf(r->remedy, sizeof(r->remedy), "%s", remedy == NULL ? "" : remedy);
	/* An agent may name its processes and files. */
	printable_copy(r->found, span_of(r->found));
	printable_copy(r->remedy, span_of(r->remedy));
}

size_t
findings_count(const struct findings *f, enum finding_weight weight)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->rows[i].weight == weight;
	return n;
}

bool
findings_has(const struct findings *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->rows[i].name, name) == 0 && f->rows[i].weight != FINDING_OK)
			return true;
	return false;
}

static const struct row *
next_row(const struct findings *f, int *weight, size_t *at)
{
	for (; *weight >= 0; (*weight)--, *at = 0)
		while (*at < f->n) {
			const struct row *r = &f->rows[(*at)++];

			if (r->weight == (enum finding_weight) * weight)
				return r;
		}
	return NULL;
}

int
findings_print(const struct findings *f, FILE *out)
{
	int width = 0, weight = FINDING_WEIGHTS - 1;
	const struct row *r;
	size_t at = 0;

	for (size_t i = 0; i < f->n; i++)
		if ((int)strlen(f->rows[i].name) > width)
			width = (int)strlen(f->rows[i].name);
	while ((r = next_row(f, &weight, &at)) != NULL) {
		fprintf(out, "%-7s  %-*s  %s\n",
			r->weight == FINDING_WEAK ? "WEAK" : weight_names[r->weight], width,
			r->name, r->found);
		if (r->remedy[0] != '\0')
			fprintf(out, "%-7s  %-*s  -> %s\n", "", width, "", r->remedy);
	}
	fprintf(out, "\n%zu weak, %zu unknown, %zu to note, %zu ok\n",
		findings_count(f, FINDING_WEAK), findings_count(f, FINDING_UNKNOWN),
		findings_count(f, FINDING_NOTE), findings_count(f, FINDING_OK));
	return fflush(out) == 0 ? 0 : -1;
}

int
findings_print_json(const struct findings *f, bool as_agent, FILE *out)
{
	int weight = FINDING_WEIGHTS - 1, bad;
	const char *comma = "";
	const struct row *r;
	struct buf b;
	size_t at = 0;

	buf_init(&b, JSON_MAX);
	bad = buf_addf(&b, "{\"as_agent\":%s,\"weak\":%zu,\"findings\":[",
		       as_agent ? "true" : "false", findings_count(f, FINDING_WEAK));
	while ((r = next_row(f, &weight, &at)) != NULL) {
		bad |= buf_addf(&b, "%s\n{\"name\":\"%s\",\"verdict\":\"%s\",\"found\":", comma,
				r->name, weight_names[r->weight]);
		bad |= buf_add_json(&b, span_of(r->found));
		bad |= buf_add_str(&b, ",\"remedy\":");
		bad |= buf_add_json(&b, span_of(r->remedy));
		bad |= buf_add_char(&b, '}');
		comma = ",";
	}
	bad |= buf_add_str(&b, "\n]}\n");
	if (bad == 0 && (fwrite(b.ptr, 1, b.len, out) != b.len || fflush(out) != 0))
		bad = -1;
	buf_free(&b);
	return bad;
}
