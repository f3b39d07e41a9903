/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "egress/guise.h"
#include "egress/redact.h"

#define KEY   "sk-proj-Zq8+/x%7Yt_0vWmN4"
#define OTHER "9f8e7d6c5b4a39281706"
#define LONG_KEY                                                                                   \
	"sk-proj-of a length that we have seen nowhere else, and it goes on: Zq8+/x_7Yt_0vWmN4"

#define VIEW(literal)                                                                              \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

static const struct span secrets[] = {VIEW(KEY), VIEW(OTHER), VIEW("short")};

static struct redactor *
make(void)
{
	return redactor_new(secrets, COUNT(secrets));
}

static uint64_t
matches_in(const struct redactor *r, char *text, size_t n)
{
	struct redactions found = {0};

	redact_text(r, text, n, &found);
	return found.matches;
}

/* ---- each form, in the middle of a text ---- */

struct form_row {
	char what[128], text[512];
	char left[512]; /* of the text: the match as stars */
};

enum { ROWS_MAX = 64 };

static struct form_row rows[ROWS_MAX];
static size_t nrows;

static bool
read_line(FILE *file, char *line, size_t size)
{
	if (fgets(line, (int)size, file) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

/*
 * Three lines and an empty one for each, made with Python: base64.b64encode(b"<before>" + secret),
 * bytes.hex, urllib.parse.quote, json.dumps.
 */
static int
read_rows(void **state)
{
	FILE *file = fopen("tests/vectors/redact.txt", "r");
	char empty[4];

	(void)state;
	assert_non_null(file);
	while (nrows < ROWS_MAX && read_line(file, rows[nrows].what, sizeof(rows[0].what))) {
		assert_true(read_line(file, rows[nrows].text, sizeof(rows[0].text)));
		assert_true(read_line(file, rows[nrows].left, sizeof(rows[0].left)));
		assert_true(read_line(file, empty, sizeof(empty)) && empty[0] == '\0');
		nrows++;
	}
	fclose(file);
	return nrows > 20 ? 0 : -1;
}

static void
each_form_is_overwritten(void **state)
{
	struct redactor *r = make();

	(void)state;
	for (size_t i = 0; i < nrows; i++) {
		char text[512];
		size_t n = strlen(rows[i].text);

		memcpy(text, rows[i].text, n + 1);
		assert_int_equal(matches_in(r, text, n), 1);
		assert_string_equal(text, rows[i].left);
	}
	redactor_free(r);
}

static void
what_is_no_secret_stays(void **state)
{
	static const char *const texts[] = {
		"",
		"short",
		"a short text",
		"sk-proj-Zq8+/x%7Yt_0vWmN",
		"k-proj-Zq8+/x%7Yt_0vWmN4",
		"\\",
		"\\u00",
		"%",
		"%4",
		"{\"a\":\"\\n\\\"\\\\\"}",
	};
	struct redactor *r = make();

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		char text[128];
		size_t n = strlen(texts[i]);

		memcpy(text, texts[i], n + 1);
		assert_int_equal(matches_in(r, text, n), 0);
		assert_string_equal(text, texts[i]);
	}
	redactor_free(r);
}

/* ---- streams ---- */

static void
feed(const struct redactor *r, struct span text, size_t piece, struct buf *out)
{
	struct redact s = {.r = r};

	for (size_t at = 0; at < text.len; at += piece)
		assert_int_equal(redact_feed(&s, span_cut(text, at, at + piece), out), 0);
	assert_int_equal(redact_end(&s, out), 0);
}

static void
pieces_make_no_difference(void **state)
{
	struct redactor *r = make();
	struct buf all, whole, split;

	(void)state;
	buf_init(&all, 64 * 1024);
	for (size_t i = 0; i < nrows; i++)
		(void)buf_addf(&all, "data: %s\n\n", rows[i].text);
	buf_init(&whole, 64 * 1024);
	feed(r, buf_span(&all), all.len, &whole);
	assert_int_equal(whole.len, all.len);
	for (size_t piece = 1; piece < 200; piece++) {
		buf_init(&split, 64 * 1024);
		feed(r, buf_span(&all), piece, &split);
		assert_true(span_eq(buf_span(&whole), buf_span(&split)));
		buf_free(&split);
	}
	buf_free(&whole);
	buf_free(&all);
	redactor_free(r);
}

static void
an_event_is_never_held(void **state)
{
	struct redactor *r = make();
	struct redact s = {.r = r};
	struct span event = SPAN("data: {\"delta\":\"aGVsbG8\"}\n\n"), word = SPAN("aGVsbG8");
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	assert_int_equal(redact_feed(&s, event, &out), 0);
	assert_int_equal(out.len, event.len);
	assert_int_equal(redact_feed(&s, word, &out), 0);
	assert_int_equal(out.len, event.len); /* it could go on: by its kind, not its letters */
	assert_int_equal(redact_feed(&s, SPAN(" "), &out), 0);
	assert_int_equal(out.len, event.len + word.len + 1);
	redact_stop(&s);
	buf_free(&out);
	redactor_free(r);
}

/* ---- nothing that can be seen or clocked depends on a guess that is not whole ---- */

char __real_guise_at(const struct guise *f, size_t i);
char __wrap_guise_at(const struct guise *f, size_t i);

static size_t spelled; /* bytes of forms: the work that a text makes beyond being looked at */

char
__wrap_guise_at(const struct guise *f, size_t i)
{
	spelled++;
	return __real_guise_at(f, i);
}

enum { PHASES = 10 }; /* the text is looked at on every fifth or tenth position */

/* Wherever the guess begins, all together: not one of these is a match. */
static size_t
work_for(const struct redactor *r, struct span guess)
{
	size_t before = spelled;

	for (size_t phase = 0; phase < PHASES; phase++) {
		char text[256];

		memset(text, '\n', sizeof(text));
		memcpy(text + phase, guess.ptr, guess.len);
		assert_int_equal(matches_in(r, text, sizeof(text)), 0);
	}
	return spelled - before;
}

/* As long as what, of which as many bytes are right at its beginning or end. */
static struct span
guess_at(char guess[static 128], struct span what, size_t right, bool at_end)
{
	size_t from = at_end ? what.len - right : 0;

	memset(guess, '=', what.len);
	memcpy(guess + from, what.ptr + from, right);
	return (struct span){guess, what.len};
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * what is a form whose grams are gram bytes long, each within its last tail bytes, and as many
 * forms end so. Work is made by whole grams alone, and each makes the same.
 */
static void
only_whole_grams_make_work(const struct redactor *r, struct span what, size_t gram, size_t tail,
			   size_t forms)
{
	/* A gram is looked at once in as many phases as a form has grams. */
	const size_t each = PHASES / (tail - gram + 1) * forms * what.len;

	for (size_t right = 0; right < what.len; right++) {
		char guess[128];
		size_t grams_ahead =
			right < what.len - tail + gram ? 0 : right - (what.len - tail + gram) + 1;
		size_t grams_behind = right < gram ? 0 : least(right, tail) - gram + 1;

		assert_int_equal(work_for(r, guess_at(guess, what, right, false)),
				 grams_ahead * each);
		assert_int_equal(work_for(r, guess_at(guess, what, right, true)),
				 grams_behind * each);
	}
}

static void
work_does_not_tell_how_much_is_right(void **state)
{
	const struct span key = SPAN("sk-proj-Zq8+/x_7Yt_0vWmN4"); /* is no escape itself */
	struct redactor *r = redactor_new(&key, 1);

	(void)state;
	only_whole_grams_make_work(r, key, 8, 12, 1);
	only_whole_grams_make_work(r, SPAN("c2stcHJvai1acTgrL3hfN1l0XzB2V21ON"), 8, 12, 2);
	only_whole_grams_make_work(r, SPAN("736b2d70726f6a2d5a71382b2f785f3759745f3076576d4e34"),
				   15, 24, 1);
	redactor_free(r);
}

/* Of a long secret the work tells whether its last 32 bytes are right, then the 32 before. */
static void
work_tells_of_whole_parts_alone(void **state)
{
	const struct span key = SPAN(LONG_KEY);
	const size_t part = 32, hits = 5 * PHASES / 5; /* five grams, each in every fifth phase */
	struct redactor *r = redactor_new(&key, 1);

	(void)state;
	for (size_t right = 12; right < key.len; right++) {
		char guess[128];

		assert_int_equal(work_for(r, guess_at(guess, key, right, true)),
				 hits * least(key.len, (right / part + 1) * part));
	}
	redactor_free(r);
}

/*
 * Who knows the secret can have a gram of it hit wherever one fits. The whole form is not to be
 * compared for each: egress does nothing else meanwhile.
 */
static void
a_long_secrets_end_makes_little_work(void **state)
{
	static char secret[3000], text[60 * 1024];
	static const char tail[] = "MjM0NTY3ODkw"; /* base64 of the last nine bytes */
	const struct span whole = {secret, sizeof(secret)};
	struct redactor *r;
	size_t before;

	(void)state;
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (char)('!' + i * 7919 % 90);
	memcpy(secret + sizeof(secret) - 9, "234567890", 9);
	r = redactor_new(&whole, 1);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = tail[i % (sizeof(tail) - 1)];
	text[1] = '%'; /* so that it is looked at behind escapes, too: three times in all */
	text[2] = '\\';
	before = spelled;
	assert_int_equal(matches_in(r, text, sizeof(text)), 0);
	assert_in_range(spelled - before, sizeof(text), 32 * sizeof(text));
	redactor_free(r);
}

/* What is held depends on the kind of the bytes alone: a guess at the secret changes nothing. */
static void
there_is_no_oracle(void **state)
{
	struct redactor *r = make();

	(void)state;
	for (size_t n = 1; n < sizeof(KEY) - 1; n++) {
		struct redact right = {.r = r}, wrong = {.r = r};
		struct buf a, b;
		char guess[64];

		memcpy(guess, KEY, n);
		guess[n - 1] = guess[n - 1] == 'Q' ? 'R' : 'Q';
		buf_init(&a, 256);
		buf_init(&b, 256);
		assert_int_equal(redact_feed(&right, (struct span){KEY, n}, &a), 0);
		assert_int_equal(redact_feed(&wrong, (struct span){guess, n}, &b), 0);
		assert_int_equal(a.len, b.len);
		redact_stop(&right);
		redact_stop(&wrong);
		buf_free(&a);
		buf_free(&b);
	}
	redactor_free(r);
}

static unsigned
draw(unsigned below)
{
	static uint32_t state = 7;

	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

/* Of visible characters, or of some of them. */
static struct span
draw_secret(char secret[static 300])
{
	static const char *const alphabets[] = {"0123456789abcdef", ".!~^|", "sk-_"};
	unsigned which = draw(COUNT(alphabets) + 1);
	size_t len = 12 + draw(288);

	for (size_t i = 0; i < len; i++)
		secret[i] = which == COUNT(alphabets)
				    ? (char)('!' + draw('~' - '!' + 1))
				    : alphabets[which][draw((unsigned)strlen(alphabets[which]))];
	return (struct span){secret, len};
}

/* Text, bytes of any kind, the beginning of a secret, but no more than half of it. */
static size_t
draw_piece(const struct span of[static 2], char piece[static 400])
{
	const struct span *secret = &of[draw(2)];
	size_t len = 1 + draw((unsigned)secret->len / 2);

	switch (draw(4)) {
	case 0:
		memcpy(piece, secret->ptr, len);
		piece[len] = '\0';
		return len + draw(2);
	case 1:
		return (size_t)snprintf(piece, 400, "%%%02x\\u%04x\\\"", draw(256), draw(256));
	case 2:
		for (size_t i = 0; i < 12; i++)
			piece[i] = (char)draw(256);
		return 12;
	default:
		memset(piece, "a.!~ {\"\n"[draw(8)], len);
		return len;
	}
}

/* Over the same text, which holds neither, two secrets cannot be told apart. */
static void
pieces_tell_nothing_of_the_secret(void **state)
{
	(void)state;
	for (size_t round = 0; round < 300; round++) {
		char texts[2][300], piece[400];
		const struct span of[2] = {draw_secret(texts[0]), draw_secret(texts[1])};
		struct redact s[2] = {{.r = redactor_new(&of[0], 1)},
				      {.r = redactor_new(&of[1], 1)}};
		struct buf out[2];

		for (size_t k = 0; k < 2; k++)
			buf_init(&out[k], 64 * 1024);
		for (size_t i = 0; i < 60; i++) {
			size_t len = draw_piece(of, piece);

			for (size_t k = 0; k < 2; k++)
				assert_int_equal(
					redact_feed(&s[k], (struct span){piece, len}, &out[k]), 0);
			assert_int_equal(s[0].found.matches + s[1].found.matches, 0);
			assert_int_equal(out[0].len, out[1].len);
		}
		for (size_t k = 0; k < 2; k++) {
			redact_stop(&s[k]);
			redactor_free((struct redactor *)(uintptr_t)s[k].r);
			buf_free(&out[k]);
		}
	}
}

/* Blanks and bytes beyond ASCII are held where a secret has such, whichever it has. */
static void
a_secret_of_other_bytes_is_found_in_pieces(void **state)
{
	static const struct span others[] = {VIEW("Token abc def ghi"),
					     VIEW("gehe\xc3\xafmnis-\xfc\xff"),
					     VIEW("tab\tin the\tmiddle")};

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct redactor *r = redactor_new(&others[i], 1);

		for (size_t piece = 1; piece <= others[i].len; piece++) {
			struct buf out;

			buf_init(&out, 256);
			feed(r, others[i], piece, &out);
			assert_int_equal(out.len, others[i].len);
			for (size_t at = 0; at < out.len; at++)
				assert_int_equal(out.ptr[at], '*');
			buf_free(&out);
		}
		redactor_free(r);
	}
}

static void
what_is_held_is_bounded(void **state)
{
	struct redactor *r = make();
	struct redact s = {.r = r};
	char text[4096];
	struct buf out;
	size_t least = 4096; /* a step above 2 * (sizeof(KEY) - 1) * 6: each digit as \u00XX */

	(void)state;
	memset(text, 'a', sizeof(text));
	buf_init(&out, 1024 * 1024);
	for (size_t i = 1; i < 50; i++) {
		assert_int_equal(redact_feed(&s, (struct span){text, sizeof(text)}, &out), 0);
		assert_in_range(i * sizeof(text) - out.len, least, 2 * least);
	}
	redact_stop(&s);
	buf_free(&out);
	redactor_free(r);
}

/* Each release is a search through all that was held: single bytes have to be gathered for one. */
static void
small_pieces_are_searched_together(void **state)
{
	static const size_t sizes[] = {1, 2, 7, 100};
	struct redactor *r = make();

	(void)state;
	for (size_t k = 0; k < COUNT(sizes); k++) {
		struct redact s = {.r = r};
		size_t given = 0, releases = 0, before;
		struct buf out;

		buf_init(&out, 1024 * 1024);
		while (given < 100 * 1000) {
			char piece[100];

			memset(piece, 'a', sizes[k]);
			before = out.len;
			assert_int_equal(redact_feed(&s, (struct span){piece, sizes[k]}, &out), 0);
			given += sizes[k];
			releases += out.len > before ? 1 : 0;
			assert_true(given - out.len <= 8192);
		}
		assert_in_range(releases, 1, given / 4096 + 1);
		assert_int_equal(redact_end(&s, &out), 0);
		assert_int_equal(out.len, given);
		buf_free(&out);
	}
	redactor_free(r);
}

static void
overlapping_secrets_all_go(void **state)
{
	const struct span both[] = {SPAN("AAAABBBBCCCCDDDD"), SPAN("CCCCDDDDEEEEFFFF")};
	struct redactor *r = redactor_new(both, COUNT(both));
	char text[] = "x AAAABBBBCCCCDDDDEEEEFFFF y";

	(void)state;
	assert_int_equal(matches_in(r, text, strlen(text)), 2);
	assert_string_equal(text, "x ************************ y");
	redactor_free(r);
}

static void
a_long_secret_is_found_behind_escapes(void **state)
{
	struct buf secret, escaped;
	struct redactor *r;
	struct span all;

	(void)state;
	buf_init(&secret, 16 * 1024);
	buf_init(&escaped, 256 * 1024);
	for (unsigned i = 0; i < 12000; i++) {
		char c = (char)('!' + i * 7919 % 90);

		(void)buf_add_char(&secret, c);
		(void)buf_addf(&escaped, "\\u%04x", (unsigned)c);
	}
	all = buf_span(&secret);
	r = redactor_new(&all, 1);
	assert_int_equal(matches_in(r, escaped.ptr, escaped.len), 1);
	for (size_t i = 0; i < escaped.len; i++)
		assert_int_equal(escaped.ptr[i], '*');
	redactor_free(r);
	buf_free(&secret);
	buf_free(&escaped);
}

/* It is compared in parts: none of its bytes may be left out. */
static void
a_long_form_is_found_when_all_of_it_is_there(void **state)
{
	const struct span key = SPAN(LONG_KEY);
	struct redactor *r = redactor_new(&key, 1);
	struct guise forms[GUISES_MAX];
	size_t n = guise_all(key, 0, forms);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char form[256], text[256];
		size_t len = forms[i].len;

		for (size_t at = 0; at < len; at++)
			form[at] = guise_at(&forms[i], at);
		memcpy(text, form, len);
		assert_int_equal(matches_in(r, text, len), 1);
		for (size_t at = 0; at < len; at++) {
			assert_int_equal(text[at], '*');
			memcpy(text, form, len);
			text[at] = '=';
			assert_int_equal(matches_in(r, text, len), 0);
			memset(text, '*', len);
		}
	}
	redactor_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_is_overwritten),
		cmocka_unit_test(what_is_no_secret_stays),
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(an_event_is_never_held),
		cmocka_unit_test(work_does_not_tell_how_much_is_right),
		cmocka_unit_test(work_tells_of_whole_parts_alone),
		cmocka_unit_test(a_long_secrets_end_makes_little_work),
		cmocka_unit_test(there_is_no_oracle),
		cmocka_unit_test(pieces_tell_nothing_of_the_secret),
		cmocka_unit_test(a_secret_of_other_bytes_is_found_in_pieces),
		cmocka_unit_test(what_is_held_is_bounded),
		cmocka_unit_test(small_pieces_are_searched_together),
		cmocka_unit_test(overlapping_secrets_all_go),
		cmocka_unit_test(a_long_secret_is_found_behind_escapes),
		cmocka_unit_test(a_long_form_is_found_when_all_of_it_is_there),
	};

	return cmocka_run_group_tests(tests, read_rows, NULL);
}
