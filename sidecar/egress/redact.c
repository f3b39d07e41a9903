/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How it is found: by the end of each form, for its beginning may be what everybody knows, such as
 * "sk-ant-api03-". Of as many positions in a row as a sieve's step, one begins a gram of bytes that
 * lie within the last of a form. The text is looked at on every such position alone; a bit table
 * says whether its gram can be such, and only then is the form spelled out, from the secret itself,
 * and compared.
 *
 * What time tells: whether a whole gram is right, and nothing of one that is right in part. The
 * hash of a gram is random until all of it is right. Grams of one form overlap, but none reaches
 * back beyond the last 12 bytes of a secret. Then whether the last 32 are right, all at once, and
 * so on: docs/threats.md says what can be learnt so.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "egress/redact.h"

#include "egress/escape.h"
#include "egress/guise.h"

enum {
	WORD = sizeof(uint64_t),
	TABLE_BITS = 15, /* 4 KiB: both stay in the first-level cache */
	HELD_MAX = 512 * 1024,
	HELD_STEP = 4 * 1024,
	SLACK_MAX = 64 * 1024,
	WINDOW_MIN = 4 * 1024,
	MATCHES = 16,
	PART = 32, /* of a secret: so many bytes are told to be right only all at once */
	BLOCK = 32,
};

__extension__ typedef unsigned __int128 product;

struct entry { /* a gram of a form, from place on */
	uint32_t hash;
	uint32_t form;
	size_t place;
};

/*
 * Eight hexadecimal digits are four bytes of a secret, of which half are known when the secret is
 * itself hexadecimal: few enough to guess. So these have a sieve of their own, with longer grams;
 * their forms are long enough for it. A gram has WORD to 2 * WORD bytes.
 */
enum { NARROW, WIDE, SIEVES };

static const struct mesh {
	size_t gram, step;
} meshes[SIEVES] = {
	[NARROW] = {8, REDACT_LENGTH_MIN - 8 + 1},
	[WIDE] = {15, 2 * REDACT_LENGTH_MIN - 15 + 1},
};

struct sieve {
	size_t nentries;
	struct entry *entries; /* by hash */
	unsigned char table[(1 << TABLE_BITS) / 8];
};

struct redactor {
	uint64_t keys[2];
	size_t nforms;
	struct guise *forms;
	struct sieve sieves[SIEVES];
	size_t held_min;  /* bytes in which every form, with all its escapes, has room … */
	size_t held_max;  /* … and that are held at most, so that not each byte is a search */
	size_t reach;     /* held_min without escapes: no form is longer */
	bool all_visible; /* all secrets are: nothing else may belong to a form, or an escape */
	char *window;     /* text without its escapes; wiped after use … */
	uint32_t *from;   /* … and where each byte of it came from */
	size_t window_size;
};

/* ---- the table ---- */

/*
 * Both halves of a product that random numbers went into: without them the table tells nothing,
 * and two grams that are nearly alike have hashes that are not. The words overlap.
 */
static uint32_t
hash(const struct redactor *r, const char *gram, size_t len)
{
	uint64_t first, last;
	product n;

	memcpy(&first, gram, WORD);
	memcpy(&last, gram + len - WORD, WORD);
	n = (product)(first ^ r->keys[0]) * (last ^ r->keys[1]);
	return (uint32_t)((uint64_t)n ^ (uint64_t)(n >> 64));
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

/* Every gram that lies within the last bytes of the form. */
static void
add_entries(struct redactor *r, uint32_t form)
{
	const struct guise *f = &r->forms[form];
	size_t which = guise_is_hex(f) ? WIDE : NARROW;
	const struct mesh mesh = meshes[which];
	struct sieve *v = &r->sieves[which];

	for (size_t back = 0; back < mesh.step; back++) {
		size_t place = f->len - mesh.gram - back;
		char gram[2 * WORD] = {0};
		uint32_t h;

		for (size_t i = 0; i < mesh.gram; i++)
			gram[i] = guise_at(f, place + i);
		h = hash(r, gram, mesh.gram);
		explicit_bzero(gram, sizeof(gram));
		v->entries[v->nentries++] = (struct entry){h, form, place};
		v->table[table_place(h) / 8] |= (unsigned char)(1u << table_place(h) % 8);
	}
}

static void
make_sieves(struct redactor *r)
{
	for (size_t i = 0; i < SIEVES; i++) {
		struct sieve *v = &r->sieves[i];

		v->entries = calloc(r->nforms * meshes[i].step + 1, sizeof(*v->entries));
		if (v->entries == NULL)
			abort();
	}
	for (uint32_t i = 0; i < r->nforms; i++)
		add_entries(r, i);
	for (size_t i = 0; i < SIEVES; i++)
		qsort(r->sieves[i].entries, r->sieves[i].nentries, sizeof(struct entry), by_hash);
}

/* ---- what may be told ---- */

static bool
is_visible(unsigned char c)
{
	return c >= '!' && c <= '~';
}

static bool
is_blank_or_beyond(unsigned char c)
{
	return c == ' ' || c == '\t' || c > '~' + 1;
}

static bool
is_all_visible(struct span secret)
{
	for (size_t i = 0; i < secret.len; i++)
		if (!is_visible((unsigned char)secret.ptr[i]))
			return false;
	return true;
}

/*
 * What is held back shows which bytes may belong, so these are the same for all secrets: every form
 * and every escape is made of visible characters. A secret with blanks or bytes beyond ASCII, which
 * a field's value may have, is the exception: with it all of those belong, whichever it has. So who
 * looks learns that there is such a one, a yes or no about its shape. To hide that too, every text
 * would be held until the end of its line, and most frames of a binary stream until the next.
 */
static void
choose_bytes(struct redactor *r)
{
	r->all_visible = true;
	for (size_t i = 0; i < r->nforms; i++)
		r->all_visible = r->all_visible && is_all_visible(r->forms[i].secret);
}

static bool
may_belong(const struct redactor *r, char c)
{
	return is_visible((unsigned char)c) ||
	       (!r->all_visible && is_blank_or_beyond((unsigned char)c));
}

/* No way out before the end: the compiler takes many bytes at once. */
static bool
all_may_belong(const struct redactor *r, const char *block)
{
	unsigned strangers = 0, blanks = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		unsigned char c = (unsigned char)block[i];

		strangers += is_visible(c) || is_blank_or_beyond(c) ? 0 : 1;
		blanks += is_blank_or_beyond(c);
	}
	return strangers == 0 && (blanks == 0 || !r->all_visible);
}

/* In coarse steps, so that the bound does not tell how long the longest secret is. */
static void
choose_bound(struct redactor *r)
{
	size_t longest = 0;

	for (size_t i = 0; i < r->nforms; i++)
		longest = r->forms[i].len > longest ? r->forms[i].len : longest;
	r->held_min = (longest * ESCAPE_MAX / HELD_STEP + 1) * HELD_STEP;
	r->held_max = r->held_min + (r->held_min < SLACK_MAX ? r->held_min : SLACK_MAX);
	r->reach = r->held_min / ESCAPE_MAX;
	r->window_size = 4 * r->reach > WINDOW_MIN ? 4 * r->reach : WINDOW_MIN;
}

struct redactor *
redactor_new(const struct span *secrets, size_t n)
{
	struct redactor *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort();
	r->forms = calloc(GUISES_MAX * n + 1, sizeof(*r->forms));
	if (r->forms == NULL || getrandom(r->keys, sizeof(r->keys), 0) != sizeof(r->keys))
		abort();
	for (size_t i = 0; i < n; i++)
		if (secrets[i].len >= REDACT_LENGTH_MIN)
			r->nforms += guise_all(secrets[i], (unsigned)i, r->forms + r->nforms);
	make_sieves(r);
	choose_bytes(r);
	choose_bound(r);
	r->window = malloc(r->window_size);
	r->from = calloc(r->window_size + 1, sizeof(*r->from));
	if (r->window == NULL || r->from == NULL)
		abort();
	return r;
}

void
redactor_free(struct redactor *r)
{
	if (r == NULL)
		return;
	free(r->forms);
	for (size_t i = 0; i < SIEVES; i++)
		free(r->sieves[i].entries);
	free(r->window);
	free(r->from);
	free(r);
}

/* ---- matching ---- */

/*
 * In parts, the last one first, and each to its end whatever differs: how long it takes does not
 * say how far they agree within one. No part follows on one that differs: an upstream knows the
 * secret, and when it repeats a gram of it, a long form would be spelled out for every 12 bytes,
 * while all other calls wait.
 */
static bool
is_form(const struct guise *f, const char *text)
{
	const size_t part = PART * f->len / f->secret.len;
	unsigned differs = 0;

	for (size_t end = f->len, from; end > 0 && differs == 0; end = from) {
		from = end > part ? end - part : 0;
		for (size_t i = from; i < end; i++)
			differs |= (unsigned)(text[i] ^ guise_at(f, i));
	}
	return differs == 0;
}

/* The length of the form that stands at text[at], to which the gram at at + place belongs. */
static size_t
match_entry(const struct redactor *r, const struct entry *e, struct span text, size_t at,
	    size_t *start)
{
	const struct guise *f = &r->forms[e->form];

	if (at < e->place || text.len - (at - e->place) < f->len)
		return 0;
	*start = at - e->place;
	return is_form(f, text.ptr + *start) ? f->len : 0;
}

static const struct entry *
first_entry(const struct sieve *v, uint32_t h)
{
	size_t low = 0, high = v->nentries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (v->entries[middle].hash < h)
			low = middle + 1;
		else
			high = middle;
	}
	return &v->entries[low];
}

struct match {
	size_t start, len; /* 0: none */
	unsigned secret;
};

/* The longest form around text[at], where a gram with this hash begins. */
static struct match
match_at(const struct redactor *r, const struct sieve *v, struct span text, size_t at, uint32_t h)
{
	struct match best = {0};

	for (const struct entry *e = first_entry(v, h);
	     e < v->entries + v->nentries && e->hash == h; e++) {
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
static inline __attribute__((always_inline)) size_t
sift(const struct redactor *r, size_t which, struct span text, size_t *at,
     struct match found[static MATCHES])
{
	const struct sieve *v = &r->sieves[which];
	const struct mesh mesh = meshes[which];
	size_t n = 0;

	for (; *at + mesh.gram <= text.len && n < MATCHES; *at += mesh.step) {
		uint32_t h = hash(r, text.ptr + *at, mesh.gram), place = table_place(h);

		if ((v->table[place / 8] >> place % 8 & 1) == 0)
			continue;
		found[n] = match_at(r, v, text, *at, h);
		n += found[n].len > 0 ? 1 : 0;
	}
	return n;
}

/* Each with its sizes as constants of the compiler's: every byte of every answer passes here. */
static size_t
search(const struct redactor *r, size_t which, struct span text, size_t *at,
       struct match found[static MATCHES])
{
	return which == WIDE ? sift(r, WIDE, text, at, found) : sift(r, NARROW, text, at, found);
}

static void
overwrite_all(const struct redactor *r, size_t which, char *text, size_t len,
	      struct redactions *found)
{
	struct match m[MATCHES];
	size_t at = 0, n;

	do {
		n = search(r, which, (struct span){text, len}, &at, m);
		for (size_t i = 0; i < n; i++)
			memset(text + m[i].start, '*', m[i].len);
		count(m, n, found);
	} while (n == MATCHES);
}

/* ---- escapes ---- */

static const struct escaping {
	char mark; /* with which each escape begins */
	size_t (*escape)(struct span text, char *byte);
} escapings[] = {{'%', escape_percent}, {'\\', escape_json}};

/* Fills the window of r from text[at] on; returns where it ends. No text is 4 GiB long. */
static size_t
decode(const struct redactor *r, const struct escaping *e, struct span text, size_t at, size_t *n)
{
	const size_t most = r->window_size;
	char *window = r->window;
	uint32_t *from = r->from;
	size_t to = 0;

	for (; at < text.len && to < most; to++) {
		size_t len = 0;

		from[to] = (uint32_t)at;
		if (text.ptr[at] == e->mark)
			len = e->escape(span_cut(text, at, text.len), &window[to]);
		if (len == 0)
			window[to] = text.ptr[at];
		at += len == 0 ? 1 : len;
	}
	from[to] = (uint32_t)at;
	*n = to;
	return at;
}

/* The first n bytes of the window came from text: what is found in them is overwritten there. */
static void
overwrite_behind(const struct redactor *r, size_t which, size_t n, char *text,
		 struct redactions *found)
{
	struct match m[MATCHES];
	size_t at = 0, k;

	do {
		k = search(r, which, (struct span){r->window, n}, &at, m);
		for (size_t i = 0; i < k; i++) {
			size_t from = r->from[m[i].start];

			memset(text + from, '*', r->from[m[i].start + m[i].len] - from);
		}
		count(m, k, found);
	} while (k == MATCHES);
}

/* Looks through text behind its escapes, a window at a time; windows overlap by a form. */
static void
overwrite_escaped(const struct redactor *r, const struct escaping *e, char *text, size_t len,
		  struct redactions *found)
{
	size_t begin = 0, end = 0, n;

	while (end < len) {
		end = decode(r, e, (struct span){text, len}, begin, &n);
		for (size_t i = 0; i < SIEVES; i++)
			overwrite_behind(r, i, n, text, found);
		explicit_bzero(r->window, n);
		begin = end < len ? r->from[n - r->reach] : end;
	}
}

/* The run of bytes around at that may belong to a form. */
static void
find_run(const struct redactor *r, struct span text, size_t at, size_t *start, size_t *end)
{
	size_t last = at;

	while (at > 0 && may_belong(r, text.ptr[at - 1]))
		at--;
	while (last < text.len && may_belong(r, text.ptr[last]))
		last++;
	*start = at;
	*end = last;
}

/* Every run of text that holds an escape, behind its escapes. */
static void
overwrite_runs(const struct redactor *r, const struct escaping *e, struct span text,
	       struct redactions *found)
{
	size_t start, end;

	for (size_t at = span_find(text, 0, e->mark); at < text.len;
	     at = span_find(text, end, e->mark)) {
		find_run(r, text, at, &start, &end);
		if (end - start >= REDACT_LENGTH_MIN)
			overwrite_escaped(r, e, (char *)(uintptr_t)text.ptr + start, end - start,
					  found);
	}
}

void
redact_text(const struct redactor *r, char *text, size_t n, struct redactions *found)
{
	if (r == NULL || r->nforms == 0)
		return;
	for (size_t i = 0; i < SIEVES; i++)
		overwrite_all(r, i, text, n, found);
	for (size_t i = 0; i < sizeof(escapings) / sizeof(escapings[0]); i++)
		overwrite_runs(r, &escapings[i], (struct span){text, n}, found);
}

/* ---- streams ---- */

/*
 * How many bytes are to be held back of what is held, which all may belong, and piece behind it.
 * Over the maximum they go down to the minimum, so that each byte is looked at a few times at most,
 * however small the pieces are.
 */
static size_t
to_hold(const struct redact *s, struct span piece)
{
	const char *end = piece.ptr + piece.len;
	size_t run = 0;

	while (run + BLOCK <= piece.len && all_may_belong(s->r, end - run - BLOCK))
		run += BLOCK;
	while (run < piece.len && may_belong(s->r, end[-1 - (ptrdiff_t)run]))
		run++;
	if (run == piece.len)
		run += s->held.len;
	return run <= s->r->held_max ? run : s->r->held_min;
}

/* Holds back the last keep bytes of out. 0 or -1. */
static int
hold(struct redact *s, struct buf *out, size_t keep)
{
	buf_clear(&s->held, HELD_MAX);
	if (buf_add_span(&s->held, span_cut(buf_span(out), out->len - keep, out->len)) != 0)
		return -1;
	buf_keep(out, out->len - keep);
	return 0;
}

/* What is held goes on to out with piece behind it, but for the last keep bytes of both. */
static int
let_go(struct redact *s, struct span piece, size_t keep, struct buf *out)
{
	size_t before = out->len;

	if (buf_add_span(out, buf_span(&s->held)) != 0 || buf_add_span(out, piece) != 0) {
		buf_keep(out, before);
		return -1;
	}
	redact_text(s->r, out->ptr + before, out->len - before, &s->found);
	return hold(s, out, keep);
}

static int
take(struct redact *s, struct span piece, bool last, struct buf *out)
{
	size_t keep;

	if (s->r == NULL || s->r->nforms == 0)
		return buf_add_span(out, piece);
	if (s->held.max == 0)
		buf_init(&s->held, HELD_MAX);
	keep = last ? 0 : to_hold(s, piece);
	if (keep == s->held.len + piece.len)
		return buf_add_span(&s->held, piece);
	return let_go(s, piece, keep, out);
}

int
redact_feed(struct redact *s, struct span piece, struct buf *out)
{
	return take(s, piece, false, out);
}

int
redact_last(struct redact *s, struct span piece, struct buf *out)
{
	return take(s, piece, true, out);
}

int
redact_end(struct redact *s, struct buf *out)
{
	int bad = redact_last(s, (struct span){NULL, 0}, out);

	redact_stop(s);
	return bad;
}

void
redact_stop(struct redact *s)
{
	buf_free(&s->held);
}

bool
redact_is_in_name(const struct redactor *r, struct span name, struct redactions *found)
{
	for (size_t i = 0; r != NULL && i < r->nforms; i++)
		if (guise_is_in_name(&r->forms[i], name)) {
			count(&(struct match){0, 0, r->forms[i].number}, 1, found);
			return true;
		}
	return false;
}
