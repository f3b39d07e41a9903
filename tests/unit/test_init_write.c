/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what init writes is read again as what was meant, whatever it is. */
#include <stdlib.h>

#include "cli/init_draft.h"
#include "cli/init_write.h"
#include "unit.h"

static const char *
no_variable(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static struct draft *
new_draft(void)
{
	struct draft *d = draft_new((struct environment){no_variable, NULL}, "source", 0);

	d->made_from = "a test";
	return d;
}

/* Whether text, as a value of a block and of a flow map, comes back. */
static bool
comes_back(struct span text)
{
	struct yaml_fault fault;
	struct yaml_item *root;
	struct pool pool;
	struct buf out;
	bool good;

	buf_init(&out, WRITE_MAX);
	buf_add_str(&out, "a: ");
	write_scalar(&out, text);
	buf_add_str(&out, "\nb: {c: ");
	write_scalar(&out, text);
	buf_add_str(&out, ", d: x}\n");
	pool_init(&pool, yaml_pool_size(out.len));
	root = yaml_read(buf_span(&out), &pool, &fault);
	good = root != NULL && span_eq(yaml_member(root, SPAN("a"))->text, text) &&
	       span_eq(yaml_member(yaml_member(root, SPAN("b")), SPAN("c"))->text, text);
	pool_free(&pool);
	buf_free(&out);
	return good;
}

static void
test_every_byte_comes_back(void **state)
{
	char text[] = "x.x";

	(void)state;
	for (int c = 1; c < 0x80; c++) {
		text[1] = (char)c;
		assert_true(comes_back(span_cut(span_of(text), 1, 2)));
		assert_true(comes_back(span_of(text)));
		assert_true(comes_back(span_cut(span_of(text), 0, 2)));
		assert_true(comes_back(span_cut(span_of(text), 1, 3)));
	}
}

static void
test_unicode_comes_back(void **state)
{
	static const char *const texts[] = {"",
					    "Zürich",
					    "\xc2\x85",
					    "\xc2\x9f",
					    "\xe2\x80\xa8",
					    "\xef\xbf\xbd",
					    "\xf0\x9f\x94\x91",
					    "日本",
					    "\xef\xbb\xbfx"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_true(comes_back(span_of(texts[i])));
}

static void
test_what_looks_like_another_type_is_quoted(void **state)
{
	static const char *const texts[] = {
		"null", "True",       "no", "on",  "y",    "~",       "1",   "1e3", "0x1f",
		"1:30", "-x",         "-",  "? x", "a: b", "a #b",    "*x",  "&x",  "!x",
		"|",    ">",          "%x", "@x",  "`x",   "[x]",     "{x}", ",",   "a, b",
		"a:",   "2024-10-21", ".5", "<<",  "=",    "${A:-b}", "---"};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		buf_init(&out, WRITE_MAX);
		write_scalar(&out, span_of(texts[i]));
		assert_int_equal(out.ptr[0], '"');
		buf_free(&out);
		assert_true(comes_back(span_of(texts[i])));
	}
}

static void
test_plain_where_plain_will_do(void **state)
{
	static const char *const texts[] = {
		"gpt-4o",
		"https://api.openai.com/v1",
		"env:OPENAI_API_KEY",
		"file:/run/k",
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf",
		"us.anthropic.claude-sonnet-4-20250514-v1:0"};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		buf_init(&out, WRITE_MAX);
		write_scalar(&out, span_of(texts[i]));
		assert_true(span_is(buf_span(&out), texts[i]));
		buf_free(&out);
		assert_true(comes_back(span_of(texts[i])));
	}
}

static void
test_targets_that_are_the_same_are_one(void **state)
{
	struct draft *d = new_draft();
	struct draft_target a = {.provider = PROVIDER_OPENAI,
				 .api_base = SPAN("https://a.example"),
				 .api_key = SPAN("env:A")};
	struct draft_target b = a;

	(void)state;
	b.api_key = SPAN("env:B");
	assert_int_equal(draft_target(d, &a, "openai"), 0);
	assert_int_equal(draft_target(d, &a, "another"), 0);
	assert_int_equal(draft_target(d, &b, "openai"), 1);
	assert_true(span_is(d->targets[1].name, "openai-2"));
	b.api_key = SPAN("env:C");
	assert_int_equal(draft_target(d, &b, "openai"), 2);
	assert_true(span_is(d->targets[2].name, "openai-3"));
	draft_free(d);
}

static void
test_more_targets_than_there_is_room_for(void **state)
{
	struct draft *d = new_draft();
	struct draft_target t = {.provider = PROVIDER_OPENAI};

	(void)state;
	for (int i = 0; i < DRAFT_TARGETS_MAX; i++) {
		t.api_key = draft_text(d, "env:K%d", i);
		assert_int_equal(draft_target(d, &t, "t"), i);
	}
	t.api_key = SPAN("env:ONE_MORE");
	assert_int_equal(draft_target(d, &t, "t"), -1);
	assert_int_equal(d->notes.n, 1);
	draft_free(d);
}

/* Each deployment is a target to the plan, which has room for so many. */
static void
test_more_deployments_than_there_is_room_for(void **state)
{
	struct draft *d = new_draft();
	struct draft_target t = {.provider = PROVIDER_OPENAI,
				 .ndeployments = DRAFT_DEPLOYMENTS_MAX};
	const int due = DRAFT_PLACES_MAX / (1 + DRAFT_DEPLOYMENTS_MAX);

	(void)state;
	for (int i = 0; i < due; i++) {
		t.api_key = draft_text(d, "env:K%d", i);
		assert_int_equal(draft_target(d, &t, "t"), i);
	}
	t.api_key = SPAN("env:ONE_MORE");
	assert_int_equal(draft_target(d, &t, "t"), -1);
	t.ndeployments = 0;
	assert_int_equal(draft_target(d, &t, "t"), due);
	draft_free(d);
}

static void
test_exact_names_stand_before_longer_prefixes_before_shorter(void **state)
{
	static const char *const given[] = {"*", "openai/*", "b", "openai/gpt-*", "a"};
	static const char *const due[] = {"b", "a", "openai/gpt-*", "openai/*", "*"};
	struct draft *d = new_draft();

	(void)state;
	for (size_t i = 0; i < COUNT(given); i++)
		assert_true(draft_rule(d, &(struct draft_rule){.match = span_of(given[i])}));
	assert_false(draft_rule(d, &(struct draft_rule){.match = SPAN("b")}));
	draft_sort(d);
	for (size_t i = 0; i < COUNT(due); i++)
		assert_true(span_is(d->rules[i].match, due[i]));
	draft_free(d);
}

static void
test_notes_become_comments_and_nothing_else(void **state)
{
	struct draft *d = new_draft();
	struct buf out;
	const char *end;

	(void)state;
	for (int i = 0; i < FAULTS_MAX + 5; i++)
		draft_note(d, NULL, "a.path",
			   "a message that is rather long, and longer still, so "
			   "that it has to be broken into two lines",
			   NULL);
	draft_note(d, NULL, "", "said", "once");
	draft_note(d, NULL, "", "said", "once");
	buf_init(&out, WRITE_MAX);
	write_draft(&out, d);
	buf_add_char(&out, '\0');
	end = strstr(out.ptr, "\n\n");
	assert_non_null(end);
	for (const char *line = out.ptr; line < end; line = strchr(line, '\n') + 1) {
		assert_int_equal(line[0], '#');
		assert_true(strchr(line, '\n') - line <= 100);
	}
	assert_non_null(strstr(out.ptr, "… and more"));
	buf_free(&out);
	draft_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_comes_back),
		cmocka_unit_test(test_unicode_comes_back),
		cmocka_unit_test(test_what_looks_like_another_type_is_quoted),
		cmocka_unit_test(test_plain_where_plain_will_do),
		cmocka_unit_test(test_targets_that_are_the_same_are_one),
		cmocka_unit_test(test_more_targets_than_there_is_room_for),
		cmocka_unit_test(test_more_deployments_than_there_is_room_for),
		cmocka_unit_test(test_exact_names_stand_before_longer_prefixes_before_shorter),
		cmocka_unit_test(test_notes_become_comments_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
