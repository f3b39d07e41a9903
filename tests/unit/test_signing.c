/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper sends egress to sign with, read at the other end of the channel. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "aws/sigv4.h"
#include "base/date.h"
#include "box/msg_answer.h"
#include "config/plan_identity.h"
#include "keeper/signing.h"

#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

enum { MESSAGES_MAX = 8, WORLDS_MAX = 24, DAY_S = 86400, HOUR_S = 3600 };

/* A copy of what came. */
struct sent {
	uint16_t target;
	uint32_t version;
	char day[9], key_id[32], token[32];
	unsigned char key[SIGV4_KEY_LEN];
	size_t key_len;
	uint64_t now_s;
	bool denied;
};

/* One for each start; they stay reachable, as in the process, where they are never freed. */
static struct world {
	struct loop *loop;
	struct channel *keeper, *egress;
	struct skew skew;
	struct identity_set *identities;
	struct signing *signing;
	struct sent sent[MESSAGES_MAX];
	size_t nsent;
} worlds[WORLDS_MAX], *w;

static size_t nworlds;

#define TEXT(literal)                                                                              \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	} /* of a static table */

static struct plan_identity identities[] = {
	{.name = TEXT("aws"), .source = IDENTITY_FROM_ENVIRONMENT},
	{.name = TEXT("targets.lost.aws"), .source = IDENTITY_FROM_NOTHING, .tried = TEXT("x")},
};
static struct keeper_target targets[] = {
	{.name = TEXT("plain")},
	{.name = TEXT("bedrock"),
	 .is_signed = true,
	 .region = TEXT("us-east-1"),
	 .service = TEXT("bedrock")},
	{.name = TEXT("mantle"),
	 .is_signed = true,
	 .region = TEXT("us-west-2"),
	 .service = TEXT("bedrock-mantle")},
	{.name = TEXT("lost"), .is_signed = true, .identity = 1, .region = TEXT("us-east-1")},
};
static const struct keeper_plan plan = {.targets = targets,
					.ntargets = COUNT(targets),
					.identities = identities,
					.nidentities = COUNT(identities)};

/* One whose acquisitions succeed while its file is there. */
static char profile_path[64];
static struct plan_identity profile = {.name = TEXT("aws"),
				       .source = IDENTITY_FROM_KEYS,
				       .tried = TEXT("x"),
				       .profile = TEXT("p")};
static const struct keeper_plan profile_plan = {
	.targets = targets + 1, .ntargets = 2, .identities = &profile, .nidentities = 1};

static void
take(char *to, size_t size, struct span from)
{
	assert_true(from.len < size);
	memset(to, 0, size);
	if (from.len > 0)
		memcpy(to, from.ptr, from.len);
}

static void
on_message(void *arg, enum msg_type type, const void *obj, int fd)
{
	const struct msg_signing *m = obj;
	struct sent *s = &w->sent[w->nsent];

	(void)arg;
	(void)fd;
	if (type == MSG_LOOKED) {
		loop_stop(w->loop, 0);
		return;
	}
	assert_true(w->nsent++ < MESSAGES_MAX);
	*s = (struct sent){.target = m->target,
			   .version = m->version,
			   .key_len = m->key.len,
			   .now_s = m->now_s,
			   .denied = m->denied};
	take(s->day, sizeof(s->day), m->day);
	take(s->key_id, sizeof(s->key_id), m->key_id);
	take(s->token, sizeof(s->token), m->token);
	assert_true(m->key.len <= sizeof(s->key));
	if (m->key.len > 0)
		memcpy(s->key, m->key.ptr, m->key.len);
}

static void
on_lost(void *arg, const char *why)
{
	(void)arg;
	fail_msg("the channel is lost: %s", why == NULL ? "closed" : why);
}

static void
on_change(void *arg)
{
	(void)arg;
}

/* What has been sent up to now stands in w->sent; their number. */
static size_t
receive(void)
{
	struct msg_look end = {0};

	w->nsent = 0;
	assert_int_equal(channel_send(w->keeper, MSG_LOOKED, &end, -1), 0);
	(void)loop_run(w->loop);
	return w->nsent;
}

static uint64_t
wall_s(void)
{
	return loop_wall_ms() / 1000;
}

/* Puts AWS's clock to that second of its day. */
static void
set_clock(uint64_t of_day)
{
	w->skew.offset_s = (int64_t)of_day - (int64_t)(wall_s() % DAY_S);
}

static void
open_world(const struct keeper_plan *of)
{
	int fds[2];

	assert_true(nworlds < WORLDS_MAX);
	w = &worlds[nworlds++];
	w->loop = loop_new();
	assert_int_equal(channel_pair(fds), 0);
	w->keeper = channel_new(w->loop, fds[0],
				&(struct channel_options){0, on_message, on_lost, NULL});
	w->egress = channel_new(w->loop, fds[1],
				&(struct channel_options){1u << MSG_SIGNING | 1u << MSG_LOOKED,
							  on_message, on_lost, NULL});
	w->identities = identity_set_new(&(struct identity_options){
		.seams = {.loop = w->loop, .skew = &w->skew}, .plan = of, .on_change = on_change});
	(void)identity_set_take_env(w->identities, SPAN("AWS_ACCESS_KEY_ID"), SPAN("AKIDEXAMPLE"));
	(void)identity_set_take_env(w->identities, SPAN("AWS_SECRET_ACCESS_KEY"), SPAN(SECRET_KEY));
	(void)identity_set_take_env(w->identities, SPAN("AWS_SESSION_TOKEN"), SPAN("the-token"));
	identity_set_hurry(w->identities);
	w->signing = signing_new(&(struct signing_options){
		.loop = w->loop, .plan = of, .identities = w->identities, .skew = &w->skew});
	set_clock(HOUR_S);
}

static int
set_up(void **state)
{
	(void)state;
	open_world(&plan);
	return 0;
}

static void
write_profile(const char *key_id)
{
	int fd = open(profile_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "[p]\naws_access_key_id = %s\naws_secret_access_key = s\n",
			    key_id) > 0);
	close(fd);
}

static int
set_up_profile(void **state)
{
	(void)state;
	snprintf(profile_path, sizeof(profile_path), "/tmp/sidekey-test-XXXXXX");
	close(mkstemp(profile_path));
	profile.credentials_file = span_of(profile_path);
	write_profile("AKIDFIRST");
	open_world(&profile_plan);
	signing_look(w->signing, w->keeper);
	assert_int_equal(receive(), 2);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	channel_free(w->keeper);
	channel_free(w->egress);
	return 0;
}

static void
assert_key(const struct sent *s, size_t target, uint64_t at_s)
{
	unsigned char key[SIGV4_KEY_LEN];
	char date[17];
	struct sigv4_scope scope = {
		SPAN("AKIDEXAMPLE"), targets[target].region, targets[target].service, {date, 16}};

	date_to_basic(at_s, date);
	assert_int_equal(sigv4_key(SPAN(SECRET_KEY), &scope, key), 0);
	assert_int_equal(s->target, target);
	assert_int_equal(s->key_len, sizeof(key));
	assert_memory_equal(s->key, key, sizeof(key));
	assert_memory_equal(s->day, date, 8);
	assert_string_equal(s->key_id, "AKIDEXAMPLE");
	assert_string_equal(s->token, "the-token");
}

/* Each target gets the key of its own region and service, once; a target without identity a no. */
static void
keys_are_scoped_and_sent_once(void **state)
{
	uint64_t now;

	(void)state;
	signing_look(w->signing, w->keeper);
	now = skew_now_s(&w->skew);
	assert_int_equal(receive(), 3);
	assert_key(&w->sent[0], 1, now);
	assert_key(&w->sent[1], 2, now);
	assert_true(w->sent[0].now_s + 60 > now && w->sent[0].now_s <= now);
	assert_int_equal(w->sent[2].target, 3);
	assert_int_equal(w->sent[2].key_len, 0);
	assert_true(w->sent[2].denied);
	signing_look(w->signing, w->keeper);
	assert_int_equal(receive(), 0);
}

/* Ahead of midnight tomorrow's comes behind today's, under the same version. */
static void
the_next_day_s_key_comes_ahead(void **state)
{
	uint64_t now;

	(void)state;
	set_clock(DAY_S - 600);
	signing_look(w->signing, w->keeper);
	now = skew_now_s(&w->skew);
	assert_int_equal(receive(), 5);
	assert_key(&w->sent[0], 1, now);
	assert_key(&w->sent[1], 1, now + HOUR_S);
	assert_int_equal(w->sent[0].version, w->sent[1].version);
	signing_look(w->signing, w->keeper);
	assert_int_equal(receive(), 0);
}

/* Egress is believed an hour, of the version in use, and for that target alone. */
static void
a_refusal_teaches_the_clock(void **state)
{
	static const struct {
		int64_t off;
		uint32_t version;
		uint16_t target;
		size_t sent;
		const char *why;
	} rows[] = {
		{1200, 1, 1, 1, "twenty minutes ahead"},
		{10, 1, 1, 0, "less than matters"},
		{1200, 7, 1, 0, "a version that is not in use"},
		{1200, 1, 0, 0, "a target that is not signed"},
		{1200, 1, 3, 0, "a target that has no key"},
		{25 * HOUR_S, 1, 1, 0, "more than a clock is off by"},
		{-30 * DAY_S, 1, 1, 0, "another month"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct msg_refused m = {.target = rows[i].target, .version = rows[i].version};
		size_t n;

		assert_int_equal(set_up(state), 0);
		signing_look(w->signing, w->keeper);
		(void)receive();
		m.date_s = (uint64_t)((int64_t)skew_now_s(&w->skew) + rows[i].off);
		signing_refused(w->signing, w->keeper, &m);
		n = receive();
		if (n != rows[i].sent)
			fail_msg("%s: %zu sent", rows[i].why, n);
		if (n > 0) {
			assert_int_equal(w->sent[0].target, 1);
			assert_int_equal(w->sent[0].version, 2);
			assert_true(w->sent[0].now_s >= m.date_s &&
				    w->sent[0].now_s < m.date_s + 60);
		}
		assert_false(signing_is_waiting(w->signing, rows[i].target));
		(void)tear_down(state);
	}
	assert_int_equal(set_up(state), 0);
}

/* Egress may be owned by an upstream: any number may come of it. */
static void
a_date_that_is_no_time_teaches_nothing(void **state)
{
	static const uint64_t dates[] = {UINT64_MAX, UINT64_C(1) << 63, INT64_MAX, 1};
	struct msg_refused m = {.target = 1, .version = 1};

	(void)state;
	signing_look(w->signing, w->keeper);
	(void)receive();
	for (size_t i = 0; i < COUNT(dates); i++) {
		m.date_s = dates[i];
		signing_refused(w->signing, w->keeper, &m);
		assert_int_equal(receive(), 0);
	}
}

/* Whatever a store made of the clock that all share. */
static void
egress_is_believed_our_own_clock(void **state)
{
	static const int64_t taught[] = {-DAY_S, 5 * HOUR_S, DAY_S, (int64_t)8000 * 365 * DAY_S};

	for (size_t i = 0; i < COUNT(taught); i++) {
		struct msg_refused m = {.target = 1, .version = 1};

		assert_int_equal(set_up(state), 0);
		w->skew.offset_s = taught[i];
		signing_look(w->signing, w->keeper);
		(void)receive();
		m.date_s = wall_s() - 1800;
		signing_refused(w->signing, w->keeper, &m);
		assert_true(receive() > 0);
		assert_int_equal(w->sent[0].target, 1);
		assert_true(w->sent[0].now_s >= m.date_s && w->sent[0].now_s < m.date_s + 60);
		(void)tear_down(state);
	}
	assert_int_equal(set_up(state), 0);
}

static int
tear_down_profile(void **state)
{
	unlink(profile_path);
	return tear_down(state);
}

/* Egress says what an upstream says: on its word others are sought, and none are taken away. */
static void
keys_that_egress_doubts_stay_until_there_are_others(void **state)
{
	struct identity *id = identity_set_at(w->identities, 0);
	struct msg_refused m = {.target = 0, .version = 1};

	(void)state;
	unlink(profile_path);
	signing_refused(w->signing, w->keeper, &m);
	assert_string_equal(identity_fault(id)->type, "NoProfileKeys");
	assert_int_equal(identity_get(id), IDENTITY_READY);
	assert_false(signing_is_waiting(w->signing, 0));
	assert_int_equal(receive(), 0);
	write_profile("AKIDSECOND");
	identity_set_hurry(w->identities);
	signing_look(w->signing, w->keeper);
	assert_int_equal(receive(), 2);
	assert_string_equal(w->sent[1].key_id, "AKIDSECOND");
	assert_int_equal(w->sent[1].version, 2);
}

/* A store's word is AWS's own: keys that it refuses are gone, doubted before or not. */
static void
keys_that_a_store_refuses_are_gone(void **state)
{
	struct identity *id = identity_set_at(w->identities, 0);
	struct msg_refused m = {.target = 0, .version = 1};

	(void)state;
	unlink(profile_path);
	signing_refused(w->signing, w->keeper, &m);
	assert_true(identity_renew(id, identity_generation(id)));
	assert_int_equal(identity_get(id), IDENTITY_FAILED);
	signing_look(w->signing, w->keeper);
	assert_int_equal(receive(), 2);
	assert_int_equal(w->sent[0].key_len, 0);
	assert_int_equal(w->sent[1].key_len, 0);
}

/* Of several targets each could say so of what the other's word has brought. */
static void
egress_has_keys_renewed_once_a_second(void **state)
{
	struct msg_refused first = {.target = 0, .version = 1},
			   second = {.target = 1, .version = 2};

	(void)state;
	write_profile("AKIDSECOND");
	signing_refused(w->signing, w->keeper, &first);
	assert_int_equal(receive(), 2);
	assert_string_equal(w->sent[0].key_id, "AKIDSECOND");
	signing_refused(w->signing, w->keeper, &second);
	assert_int_equal(receive(), 0);
}

static int
begin(void **state)
{
	(void)state;
	return secret_init(64 * 1024) == SECRET_PAGES_NONE ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keys_are_scoped_and_sent_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_next_day_s_key_comes_ahead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refusal_teaches_the_clock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_date_that_is_no_time_teaches_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(egress_is_believed_our_own_clock, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(keys_that_egress_doubts_stay_until_there_are_others,
						set_up_profile, tear_down_profile),
		cmocka_unit_test_setup_teardown(keys_that_a_store_refuses_are_gone, set_up_profile,
						tear_down_profile),
		cmocka_unit_test_setup_teardown(egress_has_keys_renewed_once_a_second,
						set_up_profile, tear_down_profile),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
