/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the AWS files say: views into them, or a fault with a name that is in them. */
#include <assert.h>
#include <stdint.h>

#include "aws/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span all;

static void
check_inside(struct span part)
{
	assert(part.len == 0 || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len));
	for (size_t i = 0; i < part.len; i++)
		assert((unsigned char)part.ptr[i] >= 0x20);
}

static void
check_role(const struct profile_role *r)
{
	assert(r->arn.len > 0 && r->duration_s <= 43200);
	check_inside(r->arn);
	check_inside(r->external_id);
	check_inside(r->session_name);
}

static void
check_chain(const struct profile_chain *c)
{
	assert(c->nroles <= PROFILE_ROLES_MAX);
	for (size_t i = 0; i < c->nroles; i++)
		check_role(&c->roles[i]);
	check_inside(c->region);
	assert((c->source == PROFILE_WEB_IDENTITY) == (c->token_file.len > 0));
	if (c->source == PROFILE_WEB_IDENTITY)
		check_role(&c->web_role);
	if (c->source != PROFILE_SSO)
		return;
	assert(c->sso_start_url.len > 0 && c->sso_region.len > 0);
	assert(c->sso_account.len > 0 && c->sso_role.len > 0);
	check_inside(c->sso_session);
	check_inside(c->sso_start_url);
	check_inside(c->sso_region);
	check_inside(c->sso_account);
	check_inside(c->sso_role);
}

/* config NUL credentials, or config alone; the name is what most files have. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span name = SPAN("default");
	struct span config, credentials, culprit = name;
	struct profile_chain chain;
	struct profile_keys keys;
	enum profile_fault fault;

	all = (struct span){(const char *)data, size};
	config = span_cut(all, 0, span_find(all, 0, '\0'));
	credentials = span_cut(all, config.len + 1, size);
	fault = profile_find(config, credentials, name, &chain, &culprit);
	assert(profile_fault_text(fault) != NULL);
	if (fault != PROFILE_OK) {
		assert(culprit.ptr == name.ptr || culprit.len == 0 ||
		       (culprit.ptr >= all.ptr && culprit.ptr + culprit.len <= all.ptr + all.len));
		return 0;
	}
	check_chain(&chain);
	if (chain.source != PROFILE_KEYS)
		return 0;
	assert(profile_keys(config, credentials, chain.keys_profile, &keys));
	assert(keys.key_id.len > 0 && keys.secret.len > 0);
	check_inside(keys.key_id);
	check_inside(keys.secret);
	check_inside(keys.token);
	return 0;
}
