/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "egress/look.h"

#include "aws/sigv4.h"

enum { VAIN_MS = 2 * 1000, VAIN_MAX_MS = 30 * 1000, PRINT_TEXT_MAX = 256 * 1024 + 1024 };

/* SHA-256, so that no agent can make up a call that is taken for somebody else's. */
void
look_print(struct look_print *out, enum refusal kind, struct span method, struct span target,
	   struct span model)
{
	char hash[SIGV4_HEX_LEN + 1];
	struct buf text;

	buf_init(&text, PRINT_TEXT_MAX);
	(void)buf_addf(&text, "%u ", (unsigned)kind);
	(void)buf_add_span(&text, method);
	(void)buf_add_char(&text, ' ');
	(void)buf_add_span(&text, target);
	(void)buf_add_char(&text, '\n');
	(void)buf_add_span(&text, model);
	if (sigv4_hash(buf_span(&text), hash) != 0)
		abort();
	memcpy(out->hex, hash, sizeof(out->hex));
	buf_free(&text);
}

static struct look_vain *
find(struct look *l, const struct look_print *p)
{
	for (size_t i = 0; i < LOOK_VAIN_MAX; i++)
		if (l->vain[i].until != 0 && memcmp(&l->vain[i].print, p, sizeof(*p)) == 0)
			return &l->vain[i];
	return NULL;
}

static bool
is_vain(struct look *l, const struct look_print *p, uint64_t now)
{
	const struct look_vain *v = find(l, p);

	return v != NULL && now < v->until;
}

/* In the place that is free or ends first. */
static void
remember(struct look *l, const struct look_print *p, uint64_t now)
{
	struct look_vain *v = find(l, p);

	if (v != NULL && now < v->until)
		return; /* another call of this look has said so */
	if (v == NULL) {
		v = &l->vain[0];
		for (size_t i = 1; i < LOOK_VAIN_MAX; i++)
			if (l->vain[i].until < v->until)
				v = &l->vain[i];
		*v = (struct look_vain){.print = *p};
	}
	if (now >= v->until + VAIN_MAX_MS)
		v->wait_ms = 0; /* what was in vain long ago says nothing of today */
	v->wait_ms = v->wait_ms == 0 ? VAIN_MS : v->wait_ms * 2;
	if (v->wait_ms > VAIN_MAX_MS)
		v->wait_ms = VAIN_MAX_MS;
	v->until = now + v->wait_ms;
}

static void
wait(struct look *l, struct look_call *c, bool late)
{
	c->waits = true;
	c->late = late;
	c->next = l->waiting;
	l->waiting = c;
}

/* What is known to be in vain waits for another's look all the same, since that costs nothing. */
enum look_answer
look_join(struct look *l, struct look_call *c, uint64_t now)
{
	bool under_way = l->under_way;

	if (!under_way && is_vain(l, &c->print, now))
		return LOOK_IN_VAIN;
	wait(l, c, under_way);
	if (under_way)
		return LOOK_WAIT;
	l->under_way = true;
	l->told_slow = false;
	return LOOK_ASK;
}

static void
unlink_from(struct look_call **at, struct look_call *c)
{
	while (*at != NULL && *at != c)
		at = &(*at)->next;
	if (*at == c)
		*at = c->next;
}

void
look_leave(struct look *l, struct look_call *c)
{
	if (!c->waits)
		return;
	unlink_from(&l->waiting, c);
	unlink_from(&l->ended, c);
	c->waits = false;
}

bool
look_late(struct look *l, struct look_call *c, uint64_t now)
{
	bool first = !l->told_slow;

	look_leave(l, c);
	remember(l, &c->print, now);
	l->told_slow = true;
	return first;
}

struct look_outcome
look_ended(struct look *l, uint64_t now)
{
	struct look_outcome o = {0, 0, false};

	l->under_way = false;
	while (l->waiting != NULL) { /* turns them round: who came first goes first */
		struct look_call *c = l->waiting;

		l->waiting = c->next;
		c->next = l->ended;
		l->ended = c;
	}
	while (l->ended != NULL) {
		struct look_call *c = l->ended;

		look_leave(l, c);
		if (c->again(c)) {
			o.again++;
		} else if (c->late && !is_vain(l, &c->print, now)) {
			wait(l, c, false);
			o.ask = true;
		} else {
			remember(l, &c->print, now);
			o.passed_on++;
			c->pass_on(c);
		}
	}
	l->under_way = o.ask;
	return o;
}

void
look_changed(struct look *l)
{
	memset(l->vain, 0, sizeof(l->vain));
}
