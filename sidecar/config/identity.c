/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "config/identity.h"

#include "aws/arn.h"
#include "aws/sts.h"
#include "config/form.h"
#include "config/identity_choice.h"
#include "config/services.h"

enum { TRIED_MAX = 1024 };

/* In the order of auto: the first that is there is taken, and its failure is final. */
static const struct {
	enum config_credentials word;
	enum identity_found (*find)(struct identity_choice *ch);
	const char *found, *absent;
} sources[] = {
	{CONFIG_CREDENTIALS_ENVIRONMENT, identity_find_environment, "AWS_ACCESS_KEY_ID is set",
	 "AWS_ACCESS_KEY_ID is not set"},
	{CONFIG_CREDENTIALS_WEB_IDENTITY, identity_find_web, "AWS_WEB_IDENTITY_TOKEN_FILE is set",
	 "AWS_WEB_IDENTITY_TOKEN_FILE is not set"},
	{CONFIG_CREDENTIALS_CONTAINER, identity_find_container,
	 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
	 "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI "
	 "is set"},
	{CONFIG_CREDENTIALS_PROFILE, identity_find_profile, "the shared files have the profile ",
	 "the shared files say nothing of an identity for the profile "},
	{CONFIG_CREDENTIALS_INSTANCE, identity_find_instance, "the instance's role is left",
	 "AWS_EC2_METADATA_DISABLED forbids the instance's role"},
};

enum { CHOICES = sizeof(sources) / sizeof(sources[0]) };

/* ---- which source ---- */

static void
note(struct identity_choice *ch, struct buf *tried, size_t i, enum identity_found found)
{
	bool is_profile = sources[i].word == CONFIG_CREDENTIALS_PROFILE;

	(void)buf_addf(tried, "%s%s%.*s", tried->len > 0 ? "; " : "",
		       found == IDENTITY_ABSENT ? sources[i].absent : sources[i].found,
		       is_profile ? (int)ch->profile.len : 0, ch->profile.ptr);
}

static enum identity_found
choose(struct identity_choice *ch)
{
	enum config_credentials word = (enum config_credentials)ch->want->credentials;
	bool any = word == CONFIG_CREDENTIALS_UNSET || word == CONFIG_CREDENTIALS_AUTO;
	enum identity_found found = IDENTITY_ABSENT;
	struct buf tried;

	buf_init(&tried, TRIED_MAX);
	if (!any)
		(void)buf_add_str(&tried, "aws.credentials asks for it");
	for (size_t i = 0; found == IDENTITY_ABSENT && i < CHOICES; i++) {
		if (!any && sources[i].word != word)
			continue;
		found = sources[i].find(ch);
		note(ch, &tried, i, found);
	}
	ch->out->tried = projector_take(ch->pr, &tried);
	if (any && found == IDENTITY_FOUND && ch->want->profile.len > 0 && ch->profile.len == 0)
		ch->out->in_vain = SPAN("is not looked at, since another source comes before it: "
					"say credentials: profile as well");
	return found;
}

/* ---- where STS is ---- */

static struct span
first_region(struct projector *pr)
{
	const struct keeper_plan *k = &pr->p->keeper;
	struct reference ref;

	for (size_t i = 0; i < k->nslots; i++)
		if (k->slots[i].kind != REFERENCE_ENV && k->slots[i].kind != REFERENCE_FILE &&
		    reference_parse(k->slots[i].reference, &ref) == REFERENCE_OK)
			return ref.arn.region;
	for (size_t i = 0; i < k->ntargets; i++)
		if (k->targets[i].is_signed)
			return k->targets[i].region;
	return (struct span){NULL, 0};
}

/* The region that STS is called in, and which word of the configuration or environment said so. */
static struct span
find_region(struct identity_choice *ch, const char **from)
{
	static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
	struct span region = ch->want->region;

	*from = "aws.region";
	for (size_t i = 0; region.len == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		*from = names[i];
		region = projector_variable(ch->pr, names[i]);
	}
	if (region.len > 0)
		return region;
	*from = ch->region.len > 0 ? "region of the profile" : "AWS_REGION";
	return ch->region.len > 0 ? ch->region : first_region(ch->pr);
}

static void
set_sts(struct identity_choice *ch)
{
	const char *from;
	struct span region = find_region(ch, &from);

	if (!arn_is_region(region)) {
		projector_refuse(ch->pr, from,
				 "a region such as us-east-1 is due: a role is assumed in it");
		return;
	}
	ch->out->region = pool_copy(&ch->pr->p->pool, region);
	(void)services_find(ch->pr, SERVICE_STS, region, &ch->out->sts);
}

/* ---- the role on top ---- */

static struct span
narrow_policy(struct projector *pr)
{
	const struct keeper_plan *k = &pr->p->keeper;
	struct span *references = projector_room(pr, (k->nslots + 1) * sizeof(*references));
	struct buf text;

	for (size_t i = 0; i < k->nslots; i++)
		references[i] = k->slots[i].reference;
	buf_init(&text, STS_POLICY_MAX);
	if (sts_policy_for(references, k->nslots, &text) != 0) {
		projector_refuse(pr, "aws.assumeRole.narrow",
				 "the policy for so many secrets is longer than STS takes (2048 "
				 "characters): leave narrow out, and narrow the role itself");
		buf_free(&text);
		return (struct span){NULL, 0};
	}
	return projector_take(pr, &text);
}

static void
add_role(struct identity_choice *ch)
{
	const struct config_role *r = &ch->want->role;
	struct plan_role *out = &ch->out->roles[ch->out->nroles];

	if (r->arn.len == 0)
		return;
	ch->out->nroles++;
	*out = (struct plan_role){.arn = r->arn,
				  .session_name =
					  r->session_name.len > 0 ? r->session_name : ch->session,
				  .external_id_slot = PLAN_NONE,
				  .duration_s = (uint32_t)(r->duration_ms / 1000)};
	if (r->external_id.len > 0)
		out->external_id_slot = projector_private_slot(
			ch->pr, r->external_id,
			projector_format(ch->pr, "%.*s.assumeRole.externalId",
					 (int)ch->out->name.len, ch->out->name.ptr));
	if (r->narrow)
		out->policy = narrow_policy(ch->pr);
}

/*
 * The name of a session that nobody named. In a task of ECS it ends in the container's id (on
 * Fargate the task's, and a number), which is the last part of an address that ECS gives to each
 * container: the cloud's log then says which task read what.
 */
static struct span
session_of(struct projector *pr)
{
	struct span named = projector_variable(pr, "AWS_ROLE_SESSION_NAME");
	struct span at = projector_variable(pr, "ECS_CONTAINER_METADATA_URI_V4"), session;
	const char *slash = at.len > 0 ? memrchr(at.ptr, '/', at.len) : NULL;

	if (form_session.is_good(named))
		return pool_copy(&pr->p->pool, named);
	if (slash == NULL || slash + 1 == at.ptr + at.len)
		return SPAN("sidekey");
	session = projector_format(pr, "sidekey-%s", slash + 1);
	return form_session.is_good(session) ? session : SPAN("sidekey");
}

static void
complete(struct projector *pr, const struct config_identity *want, struct plan_identity *out)
{
	struct identity_choice ch = {
		.pr = pr, .want = want, .out = out, .session = session_of(pr), .profile = SPAN("")};

	out->roles = projector_room(pr, IDENTITY_ROLES_MAX * sizeof(*out->roles));
	if (choose(&ch) != IDENTITY_FOUND)
		return;
	add_role(&ch);
	/* A report asks STS who that is. */
	if (out->nroles > 0 || out->source == IDENTITY_FROM_WEB_IDENTITY || pr->p->keeper.report)
		set_sts(&ch);
}

/* ---- whose ---- */

static bool
is_of_store(const struct keeper_slot *s)
{
	return s->kind != REFERENCE_ENV && s->kind != REFERENCE_FILE;
}

/* What own says, and for the rest what is said for all. */
static struct config_identity
lay_over(const struct config_identity *all, const struct config_identity *own)
{
	struct config_identity c = *all;

	if (own->credentials != CONFIG_CREDENTIALS_UNSET)
		c.credentials = own->credentials;
	if (own->profile.len > 0)
		c.profile = own->profile;
	if (own->region.len > 0)
		c.region = own->region;
	if (own->role.arn.len > 0)
		c.role = own->role;
	c.role.narrow = false; /* a target's calls are no reading of secrets */
	return c;
}

static bool
is_same(const struct config_identity *a, const struct config_identity *b)
{
	return a->credentials == b->credentials && span_eq(a->profile, b->profile) &&
	       span_eq(a->region, b->region) && span_eq(a->role.arn, b->role.arn) &&
	       span_eq(a->role.session_name, b->role.session_name) &&
	       span_eq(a->role.external_id, b->role.external_id) &&
	       a->role.duration_ms == b->role.duration_ms && a->role.narrow == b->role.narrow;
}

static bool
says_nothing(const struct config_identity *own)
{
	static const struct config_identity nothing;

	return is_same(own, &nothing);
}

/* Only where a store is asked, or a call signed, does the keeper get the identity for all. */
static bool
needs_identity(const struct config *c, const struct keeper_plan *k)
{
	for (size_t i = 0; i < k->nslots; i++)
		if (is_of_store(&k->slots[i]))
			return true;
	for (size_t i = 0; i < k->ntargets; i++)
		if (k->targets[i].is_signed && says_nothing(&c->targets.items[i].aws))
			return true;
	return false;
}

/* The number of the identity that wanted[n] describes, which is made when no other is the same. */
static uint16_t
find_or_add(struct projector *pr, struct config_identity *wanted, struct span target)
{
	struct keeper_plan *k = &pr->p->keeper;
	size_t n = k->nidentities, i = 1;

	while (i < n && !is_same(&wanted[i], &wanted[n]))
		i++;
	if (i < n)
		return (uint16_t)i;
	k->identities[n].name = projector_format(pr, "targets.%s.aws", target.ptr);
	k->nidentities++;
	complete(pr, &wanted[n], &k->identities[n]);
	return (uint16_t)n;
}

void
identity_project(struct projector *pr)
{
	const struct config *c = pr->c;
	struct keeper_plan *k = &pr->p->keeper;
	struct config_identity *wanted = projector_room(pr, (c->targets.n + 2) * sizeof(*wanted));

	k->identities = projector_room(pr, (c->targets.n + 1) * sizeof(*k->identities));
	k->nidentities = 1;
	k->identities[0].name = SPAN("aws");
	wanted[0] = c->aws.identity;
	if (needs_identity(c, k))
		complete(pr, &wanted[0], &k->identities[0]);
	for (size_t i = 0; i < c->targets.n; i++) {
		const struct config_identity *own = &c->targets.items[i].aws;

		if (says_nothing(own))
			continue;
		wanted[k->nidentities] = lay_over(&c->aws.identity, own);
		k->targets[i].identity = find_or_add(pr, wanted, c->targets.items[i].name);
	}
}
