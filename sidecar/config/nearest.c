/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/ascii.h"
#include "config/reader.h"

enum { WORD_MAX = 32 };

/* Names that other programs use for what we call differently. */
static const struct {
	const char *written, *meant;
} aliases[] = {
	{"apikeyarn", "apiKey"},     {"apikeyenv", "apiKey"}, {"keyarn", "apiKey"},
	{"key", "apiKey"},           {"token", "apiKey"},     {"baseurl", "apiBase"},
	{"url", "apiBase"},          {"endpoint", "apiBase"}, {"upstream", "apiBase"},
	{"extraheaders", "headers"}, {"cert", "clientCert"},  {"certificate", "clientCert"},
	{"privatekey", "clientKey"}, {"cabundle", "ca"},      {"cafile", "ca"},
	{"sni", "serverName"},       {"model", "match"},      {"upstreams", "targets"},
	{"providers", "targets"},    {"modellist", "models"}, {"default", "defaultTarget"},
};

/* Lower case without - and _; the length, or 0 when it is too long to be a key. */
static size_t
fold(struct span s, char out[static WORD_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '_' || c == '-')
			continue;
		if (n == WORD_MAX)
			return 0;
		out[n++] = ascii_lower(c);
	}
	return n;
}

/* Levenshtein's, one row at a time. */
static size_t
distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t row[WORD_MAX + 1];

	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);
			size_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = change < best ? change : best;
		}
	}
	return row[m];
}

struct search {
	char folded[WORD_MAX];
	size_t len;
	const char *best;
	size_t best_distance;
};

static void
search_start(struct search *s, struct span written)
{
	*s = (struct search){.best = NULL};
	s->len = fold(written, s->folded);
	s->best_distance = s->len / 3 + 1; /* a third of the letters may be wrong, one at least */
	if (s->len > 2 && s->len < 6)
		s->best_distance = 3;
}

static void
search_try(struct search *s, const char *word)
{
	char folded[WORD_MAX];
	size_t n = fold(span_of(word), folded), d;

	if (s->len == 0)
		return;
	d = distance(s->folded, s->len, folded, n);
	if (d < s->best_distance) {
		s->best_distance = d;
		s->best = word;
	}
}

const char *
nearest_key(const struct schema *schema, struct span written)
{
	struct search s;

	search_start(&s, written);
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (span_is((struct span){s.folded, s.len}, aliases[i].written) &&
		    schema_find(schema, span_of(aliases[i].meant)) != NULL)
			return aliases[i].meant;
	for (size_t i = 0; i < schema->n; i++)
		search_try(&s, schema->keys[i].name);
	return s.best;
}

const char *
nearest_word(schema_word *word, struct span written)
{
	struct search s;

	search_start(&s, written);
	for (unsigned i = 0; word(i) != NULL; i++)
		search_try(&s, word(i));
	return s.best;
}
