/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/access/paths.h"
#include "unit.h"

enum { OUT_MAX = 4096 };

/* From the path that an agent calls to the one behind apiBase's authority. */
static const char *
travel(enum provider p, const char *base_text, const char *path_text, struct buf *out)
{
	struct span base = span_of(base_text), path;
	enum dialect d = dialect_of(span_of(path_text), &path);
	struct buf classic;
	bool known;
	int bad = 0;

	if (route_find(d, SPAN("POST"), path, &known) == NULL)
		return "no route";
	buf_init(&classic, OUT_MAX);
	if (d == DIALECT_OPENAI && paths_is_classic(p, base)) {
		bad = paths_classic(&classic, SPAN("POST"), path, SPAN("dep"));
		path = buf_span(&classic);
	}
	bad = bad != 0 ? bad : paths_join(out, base, path);
	buf_free(&classic);
	return bad != 0 ? "no path" : NULL;
}

static const struct {
	enum provider provider;
	const char *base, *asked, *sent;
} rows[] = {
	{PROVIDER_OPENAI, "/v1", "/v1/chat/completions", "/v1/chat/completions"},
	{PROVIDER_OPENAI, "/v1", "/chat/completions", "/v1/chat/completions"},
	{PROVIDER_OPENAI, "", "/v1/responses", "/responses"},
	{PROVIDER_LITELLM, "", "/v1/chat/completions", "/chat/completions"},
	{PROVIDER_LITELLM, "/v1", "/chat/completions", "/v1/chat/completions"},
	{PROVIDER_LITELLM, "", "/v1/messages", "/v1/messages"},
	{PROVIDER_LITELLM, "/v1", "/v1/messages", "/v1/messages"},
	{PROVIDER_LITELLM, "/llm/v1", "/v1/messages/count_tokens", "/llm/v1/messages/count_tokens"},
	{PROVIDER_LITELLM, "", "/v1/rerank", "/rerank"},
	{PROVIDER_ANTHROPIC, "", "/v1/messages", "/v1/messages"},
	{PROVIDER_ANTHROPIC, "/v1", "/v1/messages", "/v1/messages"},
	/* Azure, v1: the deployment is the model. */
	{PROVIDER_AZURE, "/openai/v1", "/v1/chat/completions", "/openai/v1/chat/completions"},
	{PROVIDER_AZURE, "/openai/v1", "/chat/completions", "/openai/v1/chat/completions"},
	{PROVIDER_AZURE, "/openai/v1", "/openai/v1/chat/completions",
	 "/openai/v1/chat/completions"},
	{PROVIDER_AZURE, "/openai/v1", "/openai/deployments/d/embeddings",
	 "/openai/deployments/d/embeddings"},
	{PROVIDER_AZURE, "/openai/v1", "/openai/responses", "/openai/responses"},
	/* Azure, classic: it stands in the path. */
	{PROVIDER_AZURE, "", "/openai/deployments/d/chat/completions",
	 "/openai/deployments/d/chat/completions"},
	{PROVIDER_AZURE, "", "/v1/chat/completions", "/openai/deployments/dep/chat/completions"},
	{PROVIDER_AZURE, "", "/chat/completions", "/openai/deployments/dep/chat/completions"},
	{PROVIDER_AZURE, "", "/v1/embeddings", "/openai/deployments/dep/embeddings"},
	{PROVIDER_AZURE, "", "/v1/audio/speech", "/openai/deployments/dep/audio/speech"},
	{PROVIDER_AZURE, "", "/v1/responses", "/openai/responses"},
	{PROVIDER_AZURE, "", "/openai/v1/chat/completions", "/openai/v1/chat/completions"},
	{PROVIDER_AZURE, "", "/v1/images/variations", NULL},
	{PROVIDER_AZURE, "/openai", "/openai/deployments/d/completions",
	 "/openai/deployments/d/completions"},
	{PROVIDER_AZURE, "/apim/openai", "/v1/chat/completions",
	 "/apim/openai/deployments/dep/chat/completions"},
	/* Azure behind Cloudflare: the deployment is in apiBase. */
	{PROVIDER_AZURE, "/v1/a/g/azure-openai/r/d", "/v1/chat/completions",
	 "/v1/a/g/azure-openai/r/d/chat/completions"},
	{PROVIDER_GEMINI, "/v1beta/openai", "/v1/chat/completions",
	 "/v1beta/openai/chat/completions"},
	{PROVIDER_GEMINI, "/v1beta/openai", "/v1beta/openai/chat/completions",
	 "/v1beta/openai/chat/completions"},
	{PROVIDER_OPENAI_COMPATIBLE, "/v1", "/v1/completions", "/v1/completions"},
	{PROVIDER_OPENAI_COMPATIBLE, "/openai", "/v1/completions", "/openai/completions"},
	{PROVIDER_CLOUDFLARE, "/v1/a/g/openai", "/v1/chat/completions",
	 "/v1/a/g/openai/chat/completions"},
	{PROVIDER_CLOUDFLARE, "/v1/a/g/anthropic", "/v1/messages", "/v1/a/g/anthropic/v1/messages"},
	{PROVIDER_CLOUDFLARE, "/v1/a/g/compat", "/chat/completions",
	 "/v1/a/g/compat/chat/completions"},
	{PROVIDER_CLOUDFLARE, "/client/v4/accounts/a/ai/v1", "/v1/messages",
	 "/client/v4/accounts/a/ai/v1/messages"},
	{PROVIDER_BEDROCK, "", "/bedrock/model/a%3A0/converse", "/model/a%3A0/converse"},
	{PROVIDER_BEDROCK, "", "/model/arn%3Aaws%2Fa/invoke", "/model/arn%3Aaws%2Fa/invoke"},
	{PROVIDER_BEDROCK, "/bedrock", "/model/a/converse", "/bedrock/model/a/converse"},
};

static void
joined(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *wrong;
		struct buf out;

		buf_init(&out, OUT_MAX);
		wrong = travel(rows[i].provider, rows[i].base, rows[i].asked, &out);
		if (rows[i].sent == NULL ? wrong == NULL
					 : wrong != NULL || !span_is(buf_span(&out), rows[i].sent))
			fail_msg("%s at %s: %.*s %s", rows[i].asked, rows[i].base, (int)out.len,
				 out.len > 0 ? out.ptr : "", wrong == NULL ? "" : wrong);
		buf_free(&out);
	}
}

static void
classic_needs_a_good_model(void **state)
{
	static const struct {
		const char *model, *sent;
	} cases[] = {
		{"my gpt", "/openai/deployments/my%20gpt/chat/completions"},
		{"gpt-4.1_x~", "/openai/deployments/gpt-4.1_x~/chat/completions"},
		{"", NULL},
		{"..", NULL},
		{".", NULL},
		{"a/b", NULL},
		{"a\\b", NULL},
		{"a%2fb", NULL},
		{"a\nb", NULL},
		{"a?b", "/openai/deployments/a%3Fb/chat/completions"},
		{"a#b", "/openai/deployments/a%23b/chat/completions"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out;
		int bad;

		buf_init(&out, OUT_MAX);
		bad = paths_classic(&out, SPAN("POST"), SPAN("/chat/completions"),
				    span_of(cases[i].model));
		if ((bad != 0) != (cases[i].sent == NULL) ||
		    (bad == 0 && !span_is(buf_span(&out), cases[i].sent)))
			fail_msg("%s: %.*s", cases[i].model, (int)out.len, out.ptr);
		if (bad != 0)
			assert_int_equal(out.len, 0);
		buf_free(&out);
	}
}

static void
decoded(void **state)
{
	char text[8 + 1];
	size_t n = 0;

	(void)state;
	assert_int_equal(paths_decode(SPAN("a%3a%2Fb"), text, 8, &n), 0);
	assert_true(span_is((struct span){text, n}, "a:/b"));
	assert_int_equal(paths_decode(SPAN("12345678"), text, 8, &n), 0);
	assert_string_equal(text, "12345678");
	assert_int_equal(paths_decode(SPAN("123456789"), text, 8, &n), -1);
	assert_int_equal(paths_decode(SPAN("a%"), text, 8, &n), -1);
	assert_int_equal(paths_decode(SPAN("a%3"), text, 8, &n),
			 0); /* grammar_is_path refuses it */
	assert_int_equal(paths_decode(SPAN("a%zz"), text, 8, &n), -1);
}

static void
renamed(void **state)
{
	struct span path = SPAN("/model/a%3A0/converse"), model;
	struct span rest;
	const struct route *route;
	struct buf out;
	bool known;

	(void)state;
	route = route_find(dialect_of(path, &rest), SPAN("POST"), rest, &known);
	assert_true(route_model(route, rest, &model));
	buf_init(&out, OUT_MAX);
	assert_int_equal(paths_rename(&out, path, model, SPAN("arn:x/y"), true), 0);
	assert_true(span_is(buf_span(&out), "/model/arn%3Ax%2Fy/converse"));
	assert_int_equal(paths_rename(&out, path, model, SPAN("arn:x/y"), false), -1);
	assert_int_equal(paths_rename(&out, path, model, SPAN(".."), true), -1);
	assert_int_equal(paths_rename(&out, path, model, SPAN(""), true), -1);
	assert_true(span_is(buf_span(&out), "/model/arn%3Ax%2Fy/converse"));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined),
		cmocka_unit_test(classic_needs_a_good_model),
		cmocka_unit_test(decoded),
		cmocka_unit_test(renamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
