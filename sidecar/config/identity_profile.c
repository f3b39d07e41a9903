/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "config/identity_choice.h"

#include "aws/arn.h"
#include "aws/profile.h"
#include "aws/signin.h"
#include "config/form.h"
#include "config/services.h"
#include "config/source.h"

enum { FILE_MAX = 1024 * 1024 };

/* The two files while they are read; what is taken from them is copied, and they are wiped. */
struct files {
	struct span config, credentials; /* paths; empty: none to read */
	struct buf config_text, credentials_text;
};

static enum identity_found
refuse(struct identity_choice *ch, struct span file, struct span profile, const char *hint,
       const char *message)
{
	struct span place = projector_format(ch->pr, "profile %.*s", (int)profile.len, profile.ptr);
	struct fault_place at = {0, 0, place.ptr};

	fault_in(ch->pr->faults, file.len > 0 ? file.ptr : "environment");
	fault_add(ch->pr->faults, at, hint, "%s", message);
	ch->pr->failed = true;
	return IDENTITY_HALF;
}

/* ---- the files ---- */

/* Where the variable, or ~/, or nothing at all leads; copied. Empty: no home, or no file wanted. */
static struct span
locate(struct identity_choice *ch, const char *name, const char *at_home)
{
	struct span path = projector_variable(ch->pr, name);
	struct span home = projector_variable(ch->pr, "HOME");
	struct buf whole;

	buf_init(&whole, PROJECT_TEXT_MAX);
	if (span_is(path, "/dev/null"))
		; /* how the SDKs, and our exec, are told of none */
	else if (path.len > 0 && !span_starts(path, SPAN("~/")))
		(void)buf_add_span(&whole, path);
	else if (form_path.is_good(home))
		(void)buf_addf(&whole, "%s/%s", home.ptr, path.len > 0 ? path.ptr + 2 : at_home);
	return projector_take(ch->pr, &whole);
}

/* What is wrong with reading one of them; NULL: nothing, or it is not there. */
static const char *
read_one(struct span path, struct buf *text)
{
	char where[SOURCE_PATH_MAX];

	if (path.len == 0)
		return NULL;
	if (path.ptr[0] != '/')
		return "its path is not absolute: set AWS_CONFIG_FILE and "
		       "AWS_SHARED_CREDENTIALS_FILE to absolute ones";
	switch (source_read(path.ptr, text, where)) {
	case SOURCE_OK:
	case SOURCE_ABSENT:
		return NULL;
	case SOURCE_FOREIGN:
	case SOURCE_FOREIGN_DIR:
		return "another user owns it, or a directory above it, or may write it";
	case SOURCE_TOO_LARGE:
		return "is too large (1 MiB at most)";
	case SOURCE_NOT_A_FILE:
		return "is not a regular file";
	default:
		return "cannot be read";
	}
}

static bool
read_files(struct identity_choice *ch, struct files *f)
{
	const char *wrong;

	f->config = locate(ch, "AWS_CONFIG_FILE", ".aws/config");
	f->credentials = locate(ch, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
	wrong = read_one(f->config, &f->config_text);
	if (wrong != NULL) {
		refuse(ch, f->config, ch->profile, NULL, wrong);
		return false;
	}
	wrong = read_one(f->credentials, &f->credentials_text);
	if (wrong != NULL)
		refuse(ch, f->credentials, ch->profile, NULL, wrong);
	return wrong == NULL;
}

/* ---- what the chain says ---- */

static struct span
copy(struct identity_choice *ch, struct span s)
{
	return pool_copy(&ch->pr->p->pool, s);
}

static struct plan_role
role_of_profile(struct identity_choice *ch, const struct profile_role *r)
{
	bool named = form_session.is_good(r->session_name);

	return (struct plan_role){.arn = copy(ch, r->arn),
				  .session_name = named ? copy(ch, r->session_name) : ch->session,
				  .external_id = copy(ch, r->external_id),
				  .external_id_slot = PLAN_NONE,
				  .duration_s = r->duration_s};
}

static enum identity_found
take_keys(struct identity_choice *ch, const struct files *f, const struct profile_chain *chain)
{
	ch->out->source = IDENTITY_FROM_KEYS;
	ch->out->profile = copy(ch, chain->keys_profile);
	ch->out->config_file = f->config;
	ch->out->credentials_file = f->credentials;
	if (f->config.len > 0)
		projector_directory(ch->pr, f->config);
	if (f->credentials.len > 0)
		projector_directory(ch->pr, f->credentials);
	return IDENTITY_FOUND;
}

static enum identity_found
take_web(struct identity_choice *ch, const struct files *f, const struct profile_chain *chain)
{
	if (!form_path.is_good(chain->token_file))
		return refuse(ch, f->config, ch->profile, NULL,
			      "web_identity_token_file must be an absolute path");
	if (!form_role.is_good(chain->web_role.arn))
		return refuse(ch, f->config, ch->profile, NULL, form_role.due);
	ch->out->source = IDENTITY_FROM_WEB_IDENTITY;
	ch->out->token_file = copy(ch, chain->token_file);
	ch->out->web = role_of_profile(ch, &chain->web_role);
	projector_directory(ch->pr, ch->out->token_file);
	return IDENTITY_FOUND;
}

/* The kernel opens to the keeper what is there at the start: before the first sign-in, ~/.aws. */
static void
take_cache_directory(struct identity_choice *ch, struct span home)
{
	struct stat st;

	if (stat(ch->out->sso_cache.ptr, &st) == 0) {
		projector_directory(ch->pr, ch->out->sso_cache);
		return;
	}
	projector_directory(ch->pr, projector_format(ch->pr, "%s/.aws/sso", home.ptr));
}

static enum identity_found
take_sign_in(struct identity_choice *ch, const struct files *f, const struct profile_chain *chain)
{
	struct span home = projector_variable(ch->pr, "HOME");
	char name[SIGNIN_NAME_LEN];

	if (!arn_is_region(chain->sso_region))
		return refuse(ch, f->config, ch->profile, NULL,
			      "sso_region must be a region such as us-east-1");
	if (!form_path.is_good(home) ||
	    signin_file_name(chain->sso_session.len > 0 ? chain->sso_session : chain->sso_start_url,
			     name) != 0)
		return refuse(ch, f->config, ch->profile, NULL,
			      "the cached sign-in is looked for below HOME, which is not set");
	ch->out->source = IDENTITY_FROM_SSO;
	ch->out->profile = copy(ch, ch->profile);
	ch->out->sso_cache = projector_format(ch->pr, "%s/.aws/sso/cache/%s", home.ptr, name);
	ch->out->sso_account = copy(ch, chain->sso_account);
	ch->out->sso_role = copy(ch, chain->sso_role);
	take_cache_directory(ch, home);
	return services_find(ch->pr, SERVICE_SSO, chain->sso_region, &ch->out->at) ? IDENTITY_FOUND
										   : IDENTITY_HALF;
}

/* credential_source: what it names must be there. */
static enum identity_found
take_named(struct identity_choice *ch, const struct files *f,
	   enum identity_found (*find)(struct identity_choice *ch))
{
	enum identity_found found = find(ch);

	if (found != IDENTITY_ABSENT)
		return found;
	return refuse(ch, f->config, ch->profile, NULL,
		      "credential_source names a source that this environment does not have");
}

static enum identity_found
take_source(struct identity_choice *ch, const struct files *f, const struct profile_chain *chain)
{
	switch (chain->source) {
	case PROFILE_KEYS:
		return take_keys(ch, f, chain);
	case PROFILE_WEB_IDENTITY:
		return take_web(ch, f, chain);
	case PROFILE_SSO:
		return take_sign_in(ch, f, chain);
	case PROFILE_ENVIRONMENT:
		return take_named(ch, f, identity_find_environment);
	case PROFILE_CONTAINER:
		return take_named(ch, f, identity_find_container);
	default:
		return take_named(ch, f, identity_find_instance);
	}
}

/* What to set instead of what a profile says. */
static const char *const instead[PROFILE_PLACES] = {
	[PROFILE_FIPS] = "AWS_USE_FIPS_ENDPOINT",
	[PROFILE_DUAL_STACK] = "AWS_USE_DUALSTACK_ENDPOINT",
	[PROFILE_ENDPOINT] = "aws.endpoints",
	[PROFILE_SERVICES] = "aws.endpoints",
};

/* Whether the same is said where we do heed it. */
static bool
is_settled(const struct identity_choice *ch, enum profile_place p)
{
	if (p == PROFILE_FIPS || p == PROFILE_DUAL_STACK)
		return projector_variable(ch->pr, instead[p]).len > 0;
	return services_are_placed(ch->pr);
}

/* What the SDKs would heed and we do not, as one sentence. */
static void
note_places(struct identity_choice *ch, const struct profile_chain *chain)
{
	struct buf text;

	buf_init(&text, PROJECT_TEXT_MAX);
	for (size_t i = 0; i < PROFILE_PLACES; i++)
		if (chain->places[i] && !is_settled(ch, (enum profile_place)i))
			(void)buf_addf(&text, "%s%s (set %s)",
				       text.len > 0 ? ", " : "says what sidekey does not heed: ",
				       profile_place_name((enum profile_place)i), instead[i]);
	ch->out->in_vain = projector_take(ch->pr, &text);
}

static enum identity_found
take_chain(struct identity_choice *ch, const struct files *f, const struct profile_chain *chain)
{
	enum identity_found found = take_source(ch, f, chain);

	for (size_t i = 0; found == IDENTITY_FOUND && i < chain->nroles; i++) {
		if (!form_role.is_good(chain->roles[i].arn))
			return refuse(ch, f->config, ch->profile, NULL, form_role.due);
		ch->out->roles[ch->out->nroles++] = role_of_profile(ch, &chain->roles[i]);
	}
	ch->region = copy(ch, chain->region);
	note_places(ch, chain);
	return found;
}

/* ---- the profile ---- */

/* Whether somebody asked for it by name. */
static bool
name_profile(struct identity_choice *ch)
{
	static const char *const names[] = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"};

	ch->profile = ch->want->profile;
	for (size_t i = 0; ch->profile.len == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		ch->profile = projector_variable(ch->pr, names[i]);
	if (ch->profile.len > 0)
		return true;
	ch->profile = SPAN("default");
	return ch->want->credentials == CONFIG_CREDENTIALS_PROFILE;
}

static enum identity_found
find_in(struct identity_choice *ch, struct files *f, bool asked_for)
{
	struct span culprit = {NULL, 0};
	struct profile_chain chain;
	enum profile_fault fault;

	if (!read_files(ch, f))
		return IDENTITY_HALF;
	fault = profile_find(buf_span(&f->config_text), buf_span(&f->credentials_text), ch->profile,
			     &chain, &culprit);
	if (!asked_for && (fault == PROFILE_UNKNOWN || fault == PROFILE_NOTHING) &&
	    span_eq(culprit, ch->profile))
		return IDENTITY_ABSENT;
	if (fault == PROFILE_OK)
		return take_chain(ch, f, &chain);
	return refuse(ch, f->config.len > 0 ? f->config : f->credentials,
		      culprit.len > 0 ? culprit : ch->profile,
		      fault == PROFILE_PROCESS || fault == PROFILE_LOGIN
			      ? "use a profile with a role, keys or a sign-in of aws sso login"
			      : NULL,
		      profile_fault_text(fault));
}

enum identity_found
identity_find_profile(struct identity_choice *ch)
{
	bool asked_for = name_profile(ch);
	enum identity_found found;
	struct files f = {0};

	buf_init(&f.config_text, FILE_MAX);
	buf_init(&f.credentials_text, FILE_MAX);
	found = find_in(ch, &f, asked_for);
	buf_free(&f.config_text);
	buf_free(&f.credentials_text);
	return found;
}
