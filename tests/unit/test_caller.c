/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "ingress/caller.h"

#define A "sk-sidekey-aaaaaaaaaaaaaaaa"
#define B "sk-sidekey-bbbbbbbbbbbbbbbb"
#define C "sk-sidekey-cccccccccccccccc"

enum { USER = 1000, OTHER = 1001, NOT_KNOWN = -1 };

/* a: a token. b: a token from a store, for one user. user: that user alone. */
struct world {
	struct ingress in;
	struct ingress_caller callers[3];
	struct slot_view slots[1];
	struct plan_uid uids[1];
	struct plan_text models[1];
	unsigned char digest[DIGEST_BYTES];
};

static void
set_up(struct world *w)
{
	*w = (struct world){.uids = {{USER}}, .models = {{SPAN("m-*")}}};
	digest_sha256(SPAN(A), w->digest);
	w->callers[0] = (struct ingress_caller){
		.name = SPAN("a"),
		.token = {PLAN_NONE, {(const char *)w->digest, sizeof(w->digest)}},
		.has_models = true,
		.models = w->models,
		.nmodels = 1,
		.operations = UINT32_MAX,
	};
	w->callers[1] = (struct ingress_caller){.name = SPAN("b"),
						.token = {.slot = 0},
						.uids = w->uids,
						.nuids = 1,
						.operations = 1U << OPERATION_CHAT};
	w->callers[2] = (struct ingress_caller){.name = SPAN("user"),
						.token = {.slot = PLAN_NONE},
						.uids = w->uids,
						.nuids = 1,
						.operations = UINT32_MAX};
	digest_sha256(SPAN(B), w->slots[0].digest);
	w->slots[0].has_digest = true;
	w->slots[0].state = SLOT_FRESH;
	w->in.slots = w->slots;
	w->in.plan.nslots = 1;
	w->in.plan.callers = w->callers;
	w->in.plan.ncallers = 3;
}

static enum caller_fault
find(const struct world *w, long uid, const char *fields, long *out)
{
	struct caller_peer peer = {uid != NOT_KNOWN, (uint32_t)uid};
	static struct http_request r;
	char head[4096];
	size_t seen = 0;
	int n = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);

	assert_int_equal(http_head_parse(&r, head, (size_t)n, &seen, sizeof(head)), n);
	*out = CALLER_NONE;
	return caller_find(&w->in, peer, &r, out);
}

#define SIGNED(id)                                                                                 \
	"Authorization: AWS4-HMAC-SHA256 Credential=" id "/20260728/r/s/aws4_request, X=y\r\n"

static void
who(void **state)
{
	static const struct {
		const char *fields;
		long uid;
		enum caller_fault fault;
		long caller;
	} rows[] = {
		{"", NOT_KNOWN, CALLER_MISSING, CALLER_NONE},
		{"", USER, CALLER_OK, 2},
		{"", OTHER, CALLER_MISSING, CALLER_NONE},
		{"", 0, CALLER_MISSING, CALLER_NONE}, /* root is not everybody */
		{"Authorization: Bearer " A "\r\n", NOT_KNOWN, CALLER_OK, 0},
		{"AUTHORIZATION: bEARER   " A " \r\n", NOT_KNOWN, CALLER_OK, 0},
		{"Authorization: " A "\r\n", NOT_KNOWN, CALLER_MISSING, CALLER_NONE},
		{"Authorization: Bearer\r\n", NOT_KNOWN, CALLER_MISSING, CALLER_NONE},
		{"Authorization: Bearer " A "x\r\n", NOT_KNOWN, CALLER_WRONG, CALLER_NONE},
		{"X-Api-Key: " A "\r\n", NOT_KNOWN, CALLER_OK, 0},
		{"Api-Key: " A "\r\n", NOT_KNOWN, CALLER_OK, 0},
		{"X-Goog-Api-Key: " A "\r\n", NOT_KNOWN, CALLER_OK, 0},
		{"X-Api-Key: Bearer " A "\r\n", NOT_KNOWN, CALLER_WRONG, CALLER_NONE},
		{SIGNED(A), NOT_KNOWN, CALLER_OK, 0},
		{SIGNED(""), NOT_KNOWN, CALLER_MISSING, CALLER_NONE},
		{"Authorization: AWS4-HMAC-SHA256 Credential=" A "\r\n", NOT_KNOWN, CALLER_OK, 0},
		{"Authorization: AWS4-HMAC-SHA256 Credential=\r\n", NOT_KNOWN, CALLER_MISSING,
		 CALLER_NONE},
		{"Authorization: AWS4-HMAC-SHA256\r\n", NOT_KNOWN, CALLER_MISSING, CALLER_NONE},
		/* a token before a user; and a user whom no token speaks for */
		{"X-Api-Key: " A "\r\n", USER, CALLER_OK, 0},
		{"X-Api-Key: none\r\n", USER, CALLER_OK, 2},
		{"X-Api-Key: " B "\r\n", USER, CALLER_OK, 1},
		{"X-Api-Key: " B "\r\n", OTHER, CALLER_WRONG, CALLER_NONE},
		{"X-Api-Key: " B "\r\n", NOT_KNOWN, CALLER_WRONG, CALLER_NONE},
		/* several: each is tried, and two callers at once are none */
		{"X-Api-Key: none\r\nAuthorization: Bearer " A "\r\n", NOT_KNOWN, CALLER_OK, 0},
		{"X-Api-Key: " A "\r\nApi-Key: " A "\r\n", NOT_KNOWN, CALLER_OK, 0},
		{"X-Api-Key: " A "\r\nApi-Key: " B "\r\n", USER, CALLER_AMBIGUOUS, CALLER_NONE},
		{"Api-Key: 1\r\nApi-Key: 2\r\nApi-Key: 3\r\nApi-Key: 4\r\nApi-Key: 5\r\n"
		 "Api-Key: 6\r\nApi-Key: 7\r\nApi-Key: 8\r\nApi-Key: " A "\r\n",
		 NOT_KNOWN, CALLER_TOO_MANY, CALLER_NONE},
	};
	struct world w;

	(void)state;
	set_up(&w);
	for (size_t i = 0; i < COUNT(rows); i++) {
		long caller;

		if (find(&w, rows[i].uid, rows[i].fields, &caller) != rows[i].fault ||
		    caller != rows[i].caller)
			fail_msg("row %zu: %s", i, rows[i].fields);
	}
}

/* A token that is still to come may be anybody's; one that the store refuses is nobody's. */
static void
not_yet(void **state)
{
	struct world w;
	long caller;

	(void)state;
	set_up(&w);
	assert_true(caller_tokens_are_known(&w.in));
	w.slots[0] = (struct slot_view){.state = SLOT_WAITING};
	assert_int_equal(find(&w, OTHER, "Api-Key: " C "\r\n", &caller), CALLER_NOT_YET);
	assert_int_equal(find(&w, OTHER, "", &caller), CALLER_MISSING);
	assert_int_equal(find(&w, OTHER, "Api-Key: " A "\r\n", &caller), CALLER_OK);
	assert_false(caller_tokens_are_known(&w.in));
	assert_false(caller_tokens_are_settled(&w.in));
	w.slots[0].state = SLOT_REFUSED;
	assert_int_equal(find(&w, OTHER, "Api-Key: " C "\r\n", &caller), CALLER_WRONG);
	assert_false(caller_tokens_are_known(&w.in));
	assert_true(caller_tokens_are_settled(&w.in));
}

/* Two secrets that turn out to be one. */
static void
same(void **state)
{
	struct world w;
	long caller;

	(void)state;
	set_up(&w);
	digest_sha256(SPAN(A), w.slots[0].digest);
	assert_int_equal(find(&w, NOT_KNOWN, "Api-Key: " A "\r\n", &caller), CALLER_AMBIGUOUS);
	assert_int_equal(find(&w, USER, "Api-Key: " A "\r\n", &caller), CALLER_AMBIGUOUS);
}

static void
rules(void **state)
{
	struct world w;

	(void)state;
	set_up(&w);
	assert_true(caller_may_name(&w.in, 0, SPAN("m-1")));
	assert_false(caller_may_name(&w.in, 0, SPAN("M-1")));
	assert_false(caller_may_name(&w.in, 0, SPAN("")));
	assert_true(caller_may_name(&w.in, 1, SPAN("anything")));
	assert_true(caller_may_call(&w.in, 0, OPERATION_CHAT));
	assert_false(caller_may_call(&w.in, 0, OPERATION_FILES)); /* it has models */
	assert_false(caller_may_call(&w.in, 0, OPERATION_BATCHES));
	assert_true(caller_may_call(&w.in, 2, OPERATION_FILES));
	assert_true(caller_may_call(&w.in, 1, OPERATION_CHAT));
	assert_false(caller_may_call(&w.in, 1, OPERATION_MODELS));
	w.in.plan.ncallers = 0;
	assert_true(caller_may_call(&w.in, CALLER_NONE, OPERATION_FILES));
	assert_true(caller_may_name(&w.in, CALLER_NONE, SPAN("any")));
}

static void
texts(void **state)
{
	(void)state;
	for (enum caller_fault f = CALLER_MISSING; f < CALLER_FAULTS; f++)
		assert_in_range(strlen(caller_fault_text(f)), 40, 511); /* decision.why holds it */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who),   cmocka_unit_test(not_yet), cmocka_unit_test(same),
		cmocka_unit_test(rules), cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests_name("caller", tests, NULL, NULL);
}
