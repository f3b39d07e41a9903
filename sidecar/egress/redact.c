/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How it is found: every form of a secret is at least 12 bytes long, so of any five positions in a
 * row one begins eight bytes that lie within it, counted from its start at 0 to 4. The text is
 * looked at on every fifth position alone; a bit table says whether its eight bytes can be such,
 * and only then is the form spelled out, from the secret itself, and compared.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "egress/redact.h"

enum {
	GRAM = 8,
	STEP = REDACT_LENGTH_MIN - GRAM + 1,
	TABLE_BITS = 15, /* 4 KiB: it stays in the first-level cache */
	HELD_MAX = 512 * 1024,
	ESCAPE_MAX = 6, /* \u0041 */
	WINDOW_MIN = 4 * 1024,
	MATCHES = 16,
};

enum form_kind { RAW, BASE64, BASE64URL, HEX_LOWER, HEX_UPPER };

struct form {
	enum form_kind kind;
	unsigned shift; /* base64: bytes that stand before the secret in its group of three */
	struct span secret;
	size_t len;
	unsigned number; /* of the secret */
};

struct entry { /* eight bytes of a form, from place on */
	uint32_t hash;
	uint32_t form;
	uint32_t place;
};

struct redactor {
	uint64_t key;
	size_t nforms, nentries, longest;
	struct form *forms;
	struct entry *entries; /* by hash */
	unsigned char table[(1 << TABLE_BITS) / 8];
	bool may_belong[256]; /* bytes that a form, or an escape in it, is made of */
	char *window;         /* text without its escapes; wiped after use … */
	size_t *from;         /* … and where each byte of it came from */
	size_t window_size;
};

/* ---- forms ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Digits of base64 that depend on the secret alone: those that share bits with a neighbour go. */
static size_t
base64_first(unsigned shift)
{
	return shift == 0 ? 0 : shift + 1;
}

static size_t
base64_length(size_t len, unsigned shift)
{
	return (len + shift) * 8 / 6 - base64_first(shift);
}

static char
base64_at(const struct form *f, size_t i)
{
	size_t bit = (i + base64_first(f->shift)) * 6 - (size_t)f->shift * 8;
	const unsigned char *at = (const unsigned char *)f->secret.ptr + bit / 8;
	unsigned two = (unsigned)at[0] << 8 | (bit % 8 > 2 ? at[1] : 0u);
	unsigned digit = two >> (10 - bit % 8) & 63;

	return f->kind == BASE64 ? digits[digit] : url_digits[digit];
}

static char
form_at(const struct form *f, size_t i)
{
	unsigned char byte;

	switch (f->kind) {
	case RAW:
		return f->secret.ptr[i];
	case BASE64:
	case BASE64URL:
		return base64_at(f, i);
	default:
		byte = (unsigned char)f->secret.ptr[i / 2];
		byte = i % 2 == 0 ? byte >> 4 : byte & 15;
		return (f->kind == HEX_LOWER ? "0123456789abcdef" : "0123456789ABCDEF")[byte];
	}
}

static void
add_form(struct redactor *r, struct form f)
{
	if (f.len < REDACT_LENGTH_MIN)
		return;
	r->longest = f.len > r->longest ? f.len : r->longest;
	r->forms[r->nforms++] = f;
}

static void
add_secret(struct redactor *r, struct span secret, unsigned number)
{
	add_form(r, (struct form){RAW, 0, secret, secret.len, number});
	for (unsigned shift = 0; shift < 3; shift++) {
		size_t len = base64_length(secret.len, shift);

		add_form(r, (struct form){BASE64, shift, secret, len, number});
		add_form(r, (struct form){BASE64URL, shift, secret, len, number});
	}
	add_form(r, (struct form){HEX_LOWER, 0, secret, 2 * secret.len, number});
	add_form(r, (struct form){HEX_UPPER, 0, secret, 2 * secret.len, number});
}

/* ---- the table ---- */

/* Multiplication by a random odd number: the table tells nothing without it. */
static uint32_t
hash(const struct redactor *r, const char *gram)
{
	uint64_t n;

	memcpy(&n, gram, GRAM);
	return (uint32_t)((n * r->key) >> 32);
}

static uint32_t
table_place(uint32_t h)
{
	return h >> (32 - TABLE_BITS);
}

static int
by_hash(const void *a, const void *b)
{
	const struct entry *one = a, *other = b;

	return (one->hash > other->hash) - (one->hash < other->hash);
}

static void
add_entries(struct redactor *r, size_t form)
{
	for (uint32_t place = 0; place < STEP; place++) {
		char gram[GRAM];
		uint32_t h;

		for (size_t i = 0; i < GRAM; i++)
			gram[i] = form_at(&r->forms[form], place + i);
		h = hash(r, gram);
		explicit_bzero(gram, sizeof(gram));
		r->entries[r->nentries++] = (struct entry){h, (uint32_t)form, place};
		r->table[table_place(h) / 8] |= (unsigned char)(1u << table_place(h) % 8);
	}
}

static void
note_bytes(struct redactor *r, const struct form *f)
{
	for (size_t i = 0; i < f->len; i++)
		r->may_belong[(unsigned char)form_at(f, i)] = true;
}

struct redactor *
redactor_new(const struct span *secrets, size_t n)
{
	struct redactor *r = calloc(1, sizeof(*r));
	static const char escapes[] = "%\\/u0123456789abcdefABCDEF";

	if (r == NULL)
		abort();
	r->forms = calloc(9 * n + 1, sizeof(*r->forms));
	r->entries = calloc((9 * n + 1) * STEP, sizeof(*r->entries));
	if (r->forms == NULL || r->entries == NULL ||
	    getrandom(&r->key, sizeof(r->key), 0) != sizeof(r->key))
		abort();
	r->key |= 1;
	for (size_t i = 0; i < n; i++)
		if (secrets[i].len >= REDACT_LENGTH_MIN)
			add_secret(r, secrets[i], (unsigned)i);
	for (size_t i = 0; i < r->nforms; i++) {
		add_entries(r, i);
		note_bytes(r, &r->forms[i]);
	}
	/* Every base64 digit, so that a run says nothing about which of them a secret has. */
	for (size_t i = 0; i < 64; i++)
		r->may_belong[(unsigned char)digits[i]] =
			r->may_belong[(unsigned char)url_digits[i]] = true;
	for (size_t i = 0; escapes[i] != '\0'; i++)
		r->may_belong[(unsigned char)escapes[i]] = true;
	r->window_size = 4 * r->longest > WINDOW_MIN ? 4 * r->longest : WINDOW_MIN;
	r->window = malloc(r->window_size);
	r->from = calloc(r->window_size + 1, sizeof(*r->from));
	if (r->window == NULL || r->from == NULL)
		abort();
	qsort(r->entries, r->nentries, sizeof(*r->entries), by_hash);
	return r;
}

void
redactor_free(struct redactor *r)
{
	if (r == NULL)
		return;
	free(r->forms);
	free(r->entries);
	free(r->window);
	free(r->from);
	free(r);
}

/* ---- matching ---- */

/* The length of the form that stands at text[at], to which the eight bytes at at + place belong. */
static size_t
match_entry(const struct redactor *r, const struct entry *e, struct span text, size_t at,
	    size_t *start)
{
	const struct form *f = &r->forms[e->form];

	if (at < e->place || text.len - (at - e->place) < f->len)
		return 0;
	*start = at - e->place;
	for (size_t i = 0; i < f->len; i++)
		if (text.ptr[*start + i] != form_at(f, i))
			return 0;
	return f->len;
}

static const struct entry *
first_entry(const struct redactor *r, uint32_t h)
{
	size_t low = 0, high = r->nentries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->entries[middle].hash < h)
			low = middle + 1;
		else
			high = middle;
	}
	return &r->entries[low];
}

struct match {
	size_t start, len; /* 0: none */
	unsigned secret;
};

/* The longest form around text[at]. */
static struct match
match_at(const struct redactor *r, struct span text, size_t at)
{
	uint32_t h = hash(r, text.ptr + at);
	struct match best = {0};

	for (const struct entry *e = first_entry(r, h);
	     e < r->entries + r->nentries && e->hash == h; e++) {
		size_t from = 0, len = match_entry(r, e, text, at, &from);

		if (len > best.len)
			best = (struct match){from, len, r->forms[e->form].number};
	}
	return best;
}

static void
count(const struct match *m, size_t n, struct redactions *found)
{
	found->matches += n;
	for (size_t i = 0; i < n; i++)
		found->secrets |= m[i].secret < 64 ? 1ULL << m[i].secret : 0;
}

/*
 * The matches in text from *at on, as many as found has room for; *at is where to go on. They are
 * overwritten only then, so that one which ends in another's beginning hides nothing of it.
 */
static size_t
search(const struct redactor *r, struct span text, size_t *at, struct match found[static MATCHES])
{
	size_t n = 0;

	for (; *at + GRAM <= text.len && n < MATCHES; *at += STEP) {
		uint32_t place = table_place(hash(r, text.ptr + *at));

		if ((r->table[place / 8] >> place % 8 & 1) == 0)
			continue;
		found[n] = match_at(r, text, *at);
		n += found[n].len > 0 ? 1 : 0;
	}
	return n;
}

static void
overwrite_all(const struct redactor *r, char *text, size_t len, struct redactions *found)
{
	struct match m[MATCHES];
	size_t at = 0, n;

	do {
		n = search(r, (struct span){text, len}, &at, m);
		for (size_t i = 0; i < n; i++)
			memset(text + m[i].start, '*', m[i].len);
		count(m, n, found);
	} while (n == MATCHES);
}

/* ---- escapes ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

static bool
two_digits(const char *at, char *byte)
{
	int high = hex_digit(at[0]), low = hex_digit(at[1]);

	*byte = (char)((unsigned)high << 4 | (unsigned)low);
	return high >= 0 && low >= 0;
}

/* The byte that an escape (RFC 3986 section 2.1) at text stands for; its length, or 0. */
static size_t
percent_escape(struct span text, char *byte)
{
	return text.len >= 3 && text.ptr[0] == '%' && two_digits(text.ptr + 1, byte) ? 3 : 0;
}

/* The same in a string of JSON (RFC 8259 section 7). No header has what \n and its like mean. */
static size_t
json_escape(struct span text, char *byte)
{
	if (text.len < 2 || text.ptr[0] != '\\')
		return 0;
	if (text.len >= ESCAPE_MAX && text.ptr[1] == 'u' && text.ptr[2] == '0' &&
	    text.ptr[3] == '0' && two_digits(text.ptr + 4, byte))
		return ESCAPE_MAX;
	*byte = text.ptr[1];
	return 2;
}

typedef size_t escape_fn(struct span text, char *byte);

/* Fills the window of r from text[at] on; returns where it ends. */
static size_t
decode(const struct redactor *r, escape_fn *escape, struct span text, size_t at, size_t *n)
{
	for (*n = 0; at < text.len && *n < r->window_size; (*n)++) {
		size_t len = escape(span_cut(text, at, text.len), &r->window[*n]);

		if (len == 0)
			r->window[*n] = text.ptr[at];
		r->from[*n] = at;
		at += len == 0 ? 1 : len;
	}
	r->from[*n] = at;
	return at;
}

/* Looks through text behind its escapes, a window at a time; windows overlap by a form. */
static void
overwrite_escaped(const struct redactor *r, escape_fn *escape, char *text, size_t len,
		  struct redactions *found)
{
	size_t begin = 0, end = 0, n;

	while (end < len) {
		struct match m[MATCHES];
		size_t at = 0, k;

		end = decode(r, escape, (struct span){text, len}, begin, &n);
		do {
			k = search(r, (struct span){r->window, n}, &at, m);
			for (size_t i = 0; i < k; i++) {
				size_t from = r->from[m[i].start];

				memset(text + from, '*', r->from[m[i].start + m[i].len] - from);
			}
			count(m, k, found);
		} while (k == MATCHES);
		explicit_bzero(r->window, n);
		begin = end < len ? r->from[n - r->longest] : end;
	}
}

/* The run of bytes around at that may belong to a form. */
static void
find_run(const struct redactor *r, struct span text, size_t at, size_t *start, size_t *end)
{
	*start = *end = at;
	while (*start > 0 && r->may_belong[(unsigned char)text.ptr[*start - 1]])
		(*start)--;
	while (*end < text.len && r->may_belong[(unsigned char)text.ptr[*end]])
		(*end)++;
}

/* Every run of text that holds an escape which begins with mark, behind its escapes. */
static void
overwrite_runs(const struct redactor *r, char mark, escape_fn *escape, struct span text,
	       struct redactions *found)
{
	size_t start, end;

	for (size_t at = span_find(text, 0, mark); at < text.len; at = span_find(text, end, mark)) {
		find_run(r, text, at, &start, &end);
		if (end - start >= REDACT_LENGTH_MIN)
			overwrite_escaped(r, escape, (char *)(uintptr_t)text.ptr + start,
					  end - start, found);
	}
}

void
redact_text(const struct redactor *r, char *text, size_t n, struct redactions *found)
{
	if (r == NULL || r->nforms == 0)
		return;
	overwrite_all(r, text, n, found);
	overwrite_runs(r, '%', percent_escape, (struct span){text, n}, found);
	overwrite_runs(r, '\\', json_escape, (struct span){text, n}, found);
}

/* ---- streams ---- */

/* How many bytes at the end may be the beginning of a form. */
static size_t
tail(const struct redactor *r, struct span text)
{
	size_t most = r->longest * ESCAPE_MAX - 1, n = 0;

	while (n < text.len && n < most && r->may_belong[(unsigned char)text.ptr[text.len - 1 - n]])
		n++;
	return n;
}

int
redact_feed(struct redact *s, struct span piece, struct buf *out)
{
	size_t keep, before = out->len;
	struct span all;

	if (s->r == NULL || s->r->nforms == 0)
		return buf_add_span(out, piece);
	if (buf_add_span(out, buf_span(&s->held)) != 0)
		return -1;
	if (buf_add_span(out, piece) != 0) {
		buf_keep(out, before);
		return -1;
	}
	all = span_cut(buf_span(out), before, out->len);
	redact_text(s->r, out->ptr + before, all.len, &s->found);
	keep = tail(s->r, all);
	if (s->held.max == 0)
		buf_init(&s->held, HELD_MAX);
	buf_clear(&s->held, HELD_MAX);
	if (buf_add_span(&s->held, span_cut(all, all.len - keep, all.len)) != 0)
		return -1;
	buf_keep(out, out->len - keep);
	return 0;
}

int
redact_end(struct redact *s, struct buf *out)
{
	int bad = buf_add_span(out, buf_span(&s->held));

	redact_stop(s);
	return bad;
}

void
redact_stop(struct redact *s)
{
	buf_free(&s->held);
}

/* ---- names ---- */

static char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

/*
 * Whether f begins text, in letters of any case, and behind escapes if they are looked at. Like the
 * table, the time tells eight bytes that match from eight that do not, and nothing finer.
 */
static bool
is_at(const struct form *f, struct span text, bool escaped)
{
	bool differs = false;
	size_t at = 0;

	for (size_t i = 0; i < f->len; i++) {
		struct span rest = span_cut(text, at, text.len);
		char byte = '\0';
		size_t len = escaped ? percent_escape(rest, &byte) : 0;

		if (rest.len == 0)
			return false;
		if (len == 0)
			byte = rest.ptr[0];
		differs |= fold(byte) != fold(form_at(f, i));
		if (differs && i % GRAM == GRAM - 1)
			return false;
		at += len == 0 ? 1 : len;
	}
	return !differs;
}

static bool
is_in(const struct form *f, struct span text)
{
	for (size_t at = 0; at + f->len <= text.len; at++) {
		struct span rest = span_cut(text, at, text.len);

		if (is_at(f, rest, false) || is_at(f, rest, true))
			return true;
	}
	return false;
}

bool
redact_is_in_name(const struct redactor *r, struct span name, struct redactions *found)
{
	for (size_t i = 0; r != NULL && i < r->nforms; i++)
		if (is_in(&r->forms[i], name)) {
			count(&(struct match){0, 0, r->forms[i].number}, 1, found);
			return true;
		}
	return false;
}
