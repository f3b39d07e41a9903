/* SPDX-License-Identifier: Apache-2.0 */
#include "config/form.h"
#include "config/reader.h"

/* Digests are the same in capitals. */
static bool
is_same_token(struct span a, struct span b)
{
	if (a.len == 0)
		return false;
	return form_digest.is_good(a) ? span_ieq(a, b) : span_eq(a, b);
}

/* Users who have nothing else to show must be somebody's alone. */
static bool
share_a_user(const struct config_caller *a, const struct config_caller *b)
{
	if (a->token.len > 0 || b->token.len > 0)
		return false;
	for (size_t i = 0; i < a->uids.n; i++)
		for (size_t j = 0; j < b->uids.n; j++)
			if (a->uids.items[i] == b->uids.items[j])
				return true;
	return false;
}

struct place {
	struct reader *r;
	const struct yaml_item *item;
	const struct path *path;
};

static void
fault_at(const struct place *p, const char *key, const char *hint, const char *message)
{
	reader_fault_member(p->r, p->item, p->path, key, hint, message);
}

static void
check_beside(const struct place *p, const struct config_caller *c,
	     const struct config_caller *other)
{
	if (c->name.len > 0 && span_eq(c->name, other->name))
		fault_at(p, "name", NULL, "another caller has this name");
	if (is_same_token(c->token, other->token))
		fault_at(p, "token", "`sidekey token` makes one for each",
			 "another caller has this token; nobody could tell the two apart");
	if (share_a_user(c, other))
		fault_at(p, "uids", "give one of the two a token",
			 "another caller without a token has one of these users");
}

void
caller_rules_check(struct reader *r, const struct yaml_item *root, const struct config *c)
{
	const struct yaml_item *callers = yaml_member(root, SPAN("callers"));
	const struct yaml_item *item = callers == NULL ? NULL : callers->first;
	struct path above = {NULL, SPAN("callers"), 0};
	struct path at = {&above, {NULL, 0}, 0};

	for (; at.index < c->callers.n && item != NULL; at.index++, item = item->next) {
		const struct config_caller *caller = &c->callers.items[at.index];
		struct place place = {r, item, &at};

		if (yaml_member(item, SPAN("token")) == NULL &&
		    yaml_member(item, SPAN("uids")) == NULL)
			reader_fault(r, item, &at, "`sidekey token` makes a token",
				     "says neither token nor uids, by which it could be known");
		if (is_same_token(caller->token, c->admin_token))
			fault_at(&place, "token", "`sidekey token` makes one for each",
				 "adminToken is the same; an agent must not have that");
		for (size_t i = 0; i < at.index; i++)
			check_beside(&place, caller, &c->callers.items[i]);
	}
}
