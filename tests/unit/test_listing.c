/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/decide.h"
#include "ingress/listing.h"
#include "unit.h"

#include <stdio.h>

#define TEXT(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}
#define RULE(match, target, strip, as)                                                             \
	{                                                                                          \
		TEXT(match), target, TEXT(strip), TEXT(as)                                         \
	}

static struct model_rule rules[] = {
	RULE("litellm_proxy/*", 0, "litellm_proxy/", ""),
	RULE("gpt-4o", 0, "", "my-deployment"),
	RULE("claude-*", 0, "", ""),
	RULE("other", 1, "", ""),
	RULE("claude-haiku", 1, "", ""), /* never decides: the prefix comes first */
};
static struct ingress_target targets[] = {
	{.name = TEXT("main"), .provider = PROVIDER_LITELLM},
	{.name = TEXT("second"), .provider = PROVIDER_OPENAI},
};

/* What the named rules add behind the upstream's own entries. */
#define ENTRY(id, owner)                                                                           \
	"{\"id\":\"" id "\",\"object\":\"model\",\"created\":0,\"owned_by\":\"" owner "\"}"
#define NAMED ENTRY("gpt-4o", "main") "," ENTRY("other", "second")

static const struct {
	const char *upstream, *shown; /* NULL: refused */
	const char *why;
} rows[] = {
	{"{\"data\":[]}", "{\"data\":[" NAMED "]}", "an empty list"},
	{"{\"object\":\"list\", \"data\" : [ ] , \"x\":1}\n",
	 "{\"object\":\"list\", \"data\" : [" NAMED "] , \"x\":1}\n", "bytes around it are kept"},
	{"{\"data\":[{\"id\":\"mistral\", \"z\" : 1.50}]}",
	 "{\"data\":[{\"id\":\"litellm_proxy/mistral\", \"z\" : 1.50}," NAMED "]}",
	 "the cut prefix is put back, and the entry's other bytes kept"},
	{"{\"data\":[{\"z\":{\"id\":\"no\"},\"id\":\"claude-x\"}]}",
	 "{\"data\":[{\"z\":{\"id\":\"no\"},\"id\":\"litellm_proxy/claude-x\"},"
	 "{\"z\":{\"id\":\"no\"},\"id\":\"claude-x\"}," NAMED "]}",
	 "two rules lead to it; a nested id is not its"},
	{"{\"data\":[{\"id\":\"my-deployment\"}]}",
	 "{\"data\":[{\"id\":\"litellm_proxy/my-deployment\"},{\"id\":\"gpt-4o\"}," ENTRY(
		 "other", "second") "]}",
	 "an alias takes the place of sendAs"},
	{"{\"data\":[{\"id\":\"a\\/\\u0062\"}]}",
	 "{\"data\":[{\"id\":\"litellm_proxy/a/b\"}," NAMED "]}", "an escaped id"},
	{"{\"data\":[{\"name\":\"a\"},{\"id\":1},{\"id\":\"a\",\"id\":\"b\"},"
	 "{\"id\":\"a\",\"i\\u0064\":\"b\"},\"text\",[],{},null,7]}",
	 "{\"data\":[" NAMED "]}", "entries without one id are left out"},
	{"{\"data\":[{\"id\":\"a\\u0000b\"},{\"id\":\"\\ud800\"}]}", "{\"data\":[" NAMED "]}",
	 "ids that nobody could ask for"},
	{"{\"d\\u0061ta\":[{\"id\":\"q\"}]}",
	 "{\"d\\u0061ta\":[{\"id\":\"litellm_proxy/q\"}," NAMED "]}", "an escaped name"},
	{"{\"data\":[],\"data\":[{\"id\":\"secret-model\"}]}", NULL, "two lists"},
	{"{\"data\":[],\"d\\u0061ta\":[{\"id\":\"secret-model\"}]}", NULL, "two lists, escaped"},
	{"{\"data\":{}}", NULL, "not a list"},
	{"{\"models\":[]}", NULL, "no list"},
	{"[]", NULL, "an array"},
	{"{\"data\":[}", NULL, "not JSON"},
	{"<html>", NULL, "a page"},
	{"", NULL, "nothing"},
	{"\xef\xbb\xbf{\"data\":[]}", NULL, "a byte order mark"},
};

static struct ingress
ruled(void)
{
	struct ingress in = {0};

	in.plan.has_models = true;
	in.plan.models = rules;
	in.plan.nmodels = COUNT(rules);
	in.plan.targets = targets;
	in.plan.ntargets = COUNT(targets);
	return in;
}

static void
lists(void **state)
{
	struct ingress in = ruled();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *wrong;
		struct buf out;

		buf_init(&out, LISTING_OUT_MAX);
		wrong = listing_filter(&in, CALLER_NONE, 0, span_of(rows[i].upstream), &out);
		if (rows[i].shown == NULL
			    ? wrong == NULL
			    : wrong != NULL || !span_is(buf_span(&out), rows[i].shown))
			fail_msg("%s: %.*s", rows[i].why, (int)out.len, out.len > 0 ? out.ptr : "");
		buf_free(&out);
	}
}

/* Whatever the list shows can be asked for, and then names the same model to the same target. */
static void
what_is_shown_can_be_asked_for(void **state)
{
	struct ingress in = ruled();

	(void)state;
	assert_true(decide_may_list(&in, CALLER_NONE, SPAN("litellm_proxy/a"), 0, SPAN("a")));
	assert_false(decide_may_list(&in, CALLER_NONE, SPAN("litellm_proxy/a"), 1, SPAN("a")));
	assert_false(decide_may_list(&in, CALLER_NONE, SPAN("litellm_proxy/a"), 0, SPAN("b")));
	assert_false(
		decide_may_list(&in, CALLER_NONE, SPAN("my-deployment"), 0, SPAN("my-deployment")));
	assert_true(decide_may_list(&in, CALLER_NONE, SPAN("gpt-4o"), 0, SPAN("my-deployment")));
}

enum { RULES = 200, STRIPS = 20 };

/* The first STRIPS of the rules are led to by every name, the others by their own. */
static struct ingress
ruled_by_many(void)
{
	static struct model_rule many[RULES];
	static char names[RULES][32], prefixes[STRIPS][32];
	static struct plan_text only;
	static struct ingress_caller caller;
	struct ingress in = ruled();

	for (size_t i = 0; i < RULES; i++) {
		snprintf(names[i], sizeof(names[i]), i < STRIPS ? "p%03zu/*" : "model-%03zu", i);
		many[i] = (struct model_rule){span_of(names[i]), 0, {NULL, 0}, {NULL, 0}};
		if (i >= STRIPS)
			continue;
		snprintf(prefixes[i], sizeof(prefixes[i]), "p%03zu/", i);
		many[i].strip_prefix = span_of(prefixes[i]);
	}
	only = (struct plan_text){span_of("p007/y")};
	caller = (struct ingress_caller){
		.name = span_of("agent"), .has_models = true, .models = &only, .nmodels = 1};
	in.plan.models = many;
	in.plan.nmodels = RULES;
	in.plan.callers = &caller;
	in.plan.ncallers = 1;
	return in;
}

/* Ingress has no time for other calls while it holds a list against the rules. */
static void
a_long_list_is_held_against_many_rules(void **state)
{
	struct ingress in = ruled_by_many();

	(void)state;
	for (size_t more = 0; more <= 1; more++) {
		struct buf list, out;
		const char *wrong;

		buf_init(&list, LISTING_MAX);
		buf_init(&out, LISTING_OUT_MAX);
		assert_int_equal(buf_add_str(&list, "{\"data\":[{\"id\":\"y\"}"), 0);
		for (size_t i = 1; i < LISTING_ENTRIES_MAX + more; i++)
			assert_int_equal(buf_add_str(&list, ",{\"id\":\"x\"}"), 0);
		assert_int_equal(buf_add_str(&list, "]}"), 0);
		wrong = listing_filter(&in, 0, 0, buf_span(&list), &out);
		if (more)
			assert_non_null(wrong);
		else
			assert_true(span_is(buf_span(&out), "{\"data\":[{\"id\":\"p007/y\"}]}"));
		buf_free(&list);
		buf_free(&out);
	}
}

static void
no_room(void **state)
{
	struct ingress in = ruled();
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	assert_non_null(listing_filter(&in, CALLER_NONE, 0, SPAN("{\"data\":[]}"), &out));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(what_is_shown_can_be_asked_for),
		cmocka_unit_test(a_long_list_is_held_against_many_rules),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
