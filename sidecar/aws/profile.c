/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/profile.h"

#include "aws/credentials.h"
#include "aws/ini.h"
#include "base/num.h"

enum { DURATION_MIN = 900, DURATION_MAX = 43200 }; /* STS's own bounds, in seconds */

/* What a section may say of an identity; all else in it is not ours. */
enum setting {
	KEY_ID,
	SECRET,
	TOKEN,
	REGION,
	ROLE_ARN,
	SOURCE_PROFILE,
	CREDENTIAL_SOURCE,
	EXTERNAL_ID,
	ROLE_SESSION_NAME,
	DURATION,
	TOKEN_FILE,
	MFA_SERIAL,
	PROCESS,
	LOGIN,
	SSO_SESSION,
	SSO_START_URL,
	SSO_REGION,
	SSO_ACCOUNT,
	SSO_ROLE,
	PLACES, /* the first of enum profile_place */
	SETTINGS = PLACES + PROFILE_PLACES,
};

static const char *const settings[SETTINGS] = {
	[KEY_ID] = "aws_access_key_id",
	[SECRET] = "aws_secret_access_key",
	[TOKEN] = "aws_session_token",
	[REGION] = "region",
	[ROLE_ARN] = "role_arn",
	[SOURCE_PROFILE] = "source_profile",
	[CREDENTIAL_SOURCE] = "credential_source",
	[EXTERNAL_ID] = "external_id",
	[ROLE_SESSION_NAME] = "role_session_name",
	[DURATION] = "duration_seconds",
	[TOKEN_FILE] = "web_identity_token_file",
	[MFA_SERIAL] = "mfa_serial",
	[PROCESS] = "credential_process",
	[LOGIN] = "login_session",
	[SSO_SESSION] = "sso_session",
	[SSO_START_URL] = "sso_start_url",
	[SSO_REGION] = "sso_region",
	[SSO_ACCOUNT] = "sso_account_id",
	[SSO_ROLE] = "sso_role_name",
	[PLACES + PROFILE_FIPS] = "use_fips_endpoint",
	[PLACES + PROFILE_DUAL_STACK] = "use_dualstack_endpoint",
	[PLACES + PROFILE_ENDPOINT] = "endpoint_url",
	[PLACES + PROFILE_SERVICES] = "services",
};

const char *
profile_place_name(enum profile_place p)
{
	return settings[PLACES + p];
}

static const char *const texts[] = {
	[PROFILE_OK] = "the profile is good",
	[PROFILE_MALFORMED] = "the AWS files do not read: a line is neither [section] nor "
			      "name = value, something is said twice, or a value is of no use",
	[PROFILE_UNKNOWN] = "the AWS files have no such profile or sso-session",
	[PROFILE_LOOP] = "source_profile leads back to a profile that it came from",
	[PROFILE_TOO_DEEP] = "source_profile leads through more than five roles",
	[PROFILE_INCOMPLETE] =
		"the profile lacks a part: a role needs one of source_profile and "
		"credential_source, a key its secret, web_identity_token_file a role_arn, "
		"IAM Identity Center its account, role, region and start URL",
	[PROFILE_PROCESS] = "the profile has credential_process, and no program is ever run",
	[PROFILE_LOGIN] = "the profile has login_session, which is of `aws login`: its sign-in is "
			  "not read",
	[PROFILE_MFA] = "the profile has mfa_serial, and there is nobody to ask for the code",
	[PROFILE_NOTHING] = "the profile says nothing of an identity",
};

const char *
profile_fault_text(enum profile_fault f)
{
	return texts[f];
}

/* ---- sections ---- */

struct files {
	struct span config, credentials;
};

struct section {
	bool there;
	struct span values[SETTINGS]; /* a NULL ptr: not said; said and empty is something else */
};

/* Which header a section of that name has. */
enum header {
	HEADER_CREDENTIALS, /* [NAME] */
	HEADER_CONFIG,      /* [profile NAME], and [default] */
	HEADER_SESSION,     /* [sso-session NAME] */
};

/* NAME or "NAME" or 'NAME' behind the keyword; the empty span when header is no such thing. */
static struct span
name_behind(struct span header, struct span keyword)
{
	const struct span none = {NULL, 0};
	struct span rest = span_cut(header, keyword.len, header.len), name = span_trim(rest);
	char quote = name.len > 1 ? name.ptr[0] : '\0';

	if (!span_starts(header, keyword) || name.len == 0 || name.len == rest.len)
		return none;
	if ((quote == '"' || quote == '\'') && name.ptr[name.len - 1] == quote) {
		name = span_cut(name, 1, name.len - 1);
	} else {
		quote = '"';
		if (span_find(name, 0, ' ') < name.len || span_find(name, 0, '\t') < name.len)
			return none;
	}
	return span_find(name, 0, quote) < name.len ? none : name;
}

static bool
is_header_of(struct span header, enum header kind, struct span name)
{
	if (name.len == 0)
		return false;
	switch (kind) {
	case HEADER_CREDENTIALS:
		return span_eq(header, name);
	case HEADER_CONFIG:
		return (span_is(header, "default") && span_is(name, "default")) ||
		       span_eq(name_behind(header, SPAN("profile")), name);
	default:
		return span_eq(name_behind(header, SPAN("sso-session")), name);
	}
}

static bool
set(struct section *s, struct span name, struct span value)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		if (!span_iis(name, settings[i]))
			continue;
		if (s->values[i].ptr != NULL || span_has_control(value))
			return false;
		s->values[i] = value;
	}
	return true;
}

/* The section of that name; with there unset when text has none. False: it is there twice, &c. */
static bool
section_read(struct span text, enum header kind, struct span name, struct section *out)
{
	struct ini ini = ini_start(text);
	struct span what, value;
	bool inside = false;

	*out = (struct section){.there = false};
	for (;;) {
		switch (ini_next(&ini, &what, &value)) {
		case INI_SECTION:
			inside = is_header_of(what, kind, name);
			if (inside && out->there)
				return false;
			out->there |= inside;
			break;
		case INI_SETTING:
			if (inside && !set(out, what, value))
				return false;
			break;
		case INI_END:
			return true;
		default:
			return false;
		}
	}
}

/* Whether all lines of text are lines; if not, *culprit is the section of the first that is none.
 */
static bool
is_readable(struct span text, struct span *culprit)
{
	struct ini ini = ini_start(text);
	struct span section = {NULL, 0}, name, value;

	for (;;) {
		enum ini_event event = ini_next(&ini, &name, &value);

		if (event == INI_END)
			return true;
		if (event == INI_SECTION)
			section = name;
		if (event == INI_BAD) {
			*culprit = section;
			return false;
		}
	}
}

/* ---- one profile ---- */

struct profile {
	struct span name;
	struct section all;  /* the credentials file's settings over config's */
	bool says_keys;      /* a key or a secret, in either file */
	bool keys_are_first; /* they are in the credentials file: credential_process is behind it */
};

/* Key, secret and token are of one file, or a token would go with another's key. */
static void
take_keys(struct profile *p, const struct section *from)
{
	for (enum setting s = KEY_ID; s <= TOKEN; s++)
		p->all.values[s] = from->values[s];
	/* `aws configure set aws_session_token ""` is how one is taken out */
	if (p->all.values[TOKEN].len == 0)
		p->all.values[TOKEN] = (struct span){NULL, 0};
}

static bool
profile_read(const struct files *f, struct span name, struct profile *out)
{
	struct section config, credentials;
	struct profile p = {.name = name};

	if (!section_read(f->config, HEADER_CONFIG, name, &config) ||
	    !section_read(f->credentials, HEADER_CREDENTIALS, name, &credentials))
		return false;
	p.all = config;
	p.all.there |= credentials.there;
	for (size_t i = 0; i < SETTINGS; i++)
		if (credentials.values[i].ptr != NULL)
			p.all.values[i] = credentials.values[i];
	p.says_keys = p.all.values[KEY_ID].ptr != NULL || p.all.values[SECRET].ptr != NULL;
	p.keys_are_first = credentials.values[KEY_ID].ptr != NULL;
	take_keys(&p, p.keys_are_first ? &credentials : &config);
	*out = p;
	return true;
}

static bool
says(const struct profile *p, enum setting s)
{
	return p->all.values[s].ptr != NULL;
}

static bool
has_keys(const struct profile *p)
{
	return credentials_is_value(p->all.values[KEY_ID]) &&
	       credentials_is_value(p->all.values[SECRET]) &&
	       (!says(p, TOKEN) || credentials_is_value(p->all.values[TOKEN]));
}

bool
profile_keys(struct span config, struct span credentials, struct span name,
	     struct profile_keys *out)
{
	struct files files = {config, credentials};
	struct profile p;

	if (!profile_read(&files, name, &p) || !has_keys(&p))
		return false;
	*out = (struct profile_keys){p.all.values[KEY_ID], p.all.values[SECRET],
				     p.all.values[TOKEN]};
	return true;
}

static enum profile_fault
read_role(const struct profile *p, struct profile_role *out)
{
	struct profile_role role = {.arn = p->all.values[ROLE_ARN],
				    .external_id = p->all.values[EXTERNAL_ID],
				    .session_name = p->all.values[ROLE_SESSION_NAME]};
	uint64_t seconds = 0;

	if (role.arn.len == 0)
		return PROFILE_INCOMPLETE;
	if (says(p, DURATION) && (num_u64(p->all.values[DURATION], DURATION_MAX, &seconds) != 0 ||
				  seconds < DURATION_MIN))
		return PROFILE_MALFORMED;
	role.duration_s = (uint32_t)seconds;
	*out = role;
	return PROFILE_OK;
}

/* ---- where a chain starts ---- */

/* What the profile and its [sso-session] both say must be the same. */
static bool
merge_session(struct section *into, const struct section *session)
{
	for (enum setting s = SSO_START_URL; s <= SSO_ROLE; s++) {
		struct span *own = &into->values[s], other = session->values[s];

		if (own->ptr != NULL && other.ptr != NULL && !span_eq(*own, other))
			return false;
		if (own->ptr == NULL)
			*own = other;
	}
	return true;
}

static enum profile_fault
start_sso(const struct files *f, const struct profile *p, struct profile_chain *out,
	  struct span *culprit)
{
	struct section all = p->all, session;

	out->sso_session = all.values[SSO_SESSION];
	if (says(p, SSO_SESSION)) {
		if (!section_read(f->config, HEADER_SESSION, out->sso_session, &session) ||
		    !merge_session(&all, &session))
			return PROFILE_MALFORMED;
		if (!session.there) {
			*culprit = out->sso_session;
			return PROFILE_UNKNOWN;
		}
	}
	for (enum setting s = SSO_START_URL; s <= SSO_ROLE; s++)
		if (all.values[s].len == 0)
			return PROFILE_INCOMPLETE;
	out->source = PROFILE_SSO;
	out->sso_start_url = all.values[SSO_START_URL];
	out->sso_region = all.values[SSO_REGION];
	out->sso_account = all.values[SSO_ACCOUNT];
	out->sso_role = all.values[SSO_ROLE];
	return PROFILE_OK;
}

static enum profile_fault
start_web_identity(const struct profile *p, struct profile_chain *out)
{
	enum profile_fault fault;

	if (p->all.values[TOKEN_FILE].len == 0)
		return PROFILE_INCOMPLETE;
	out->source = PROFILE_WEB_IDENTITY;
	out->token_file = p->all.values[TOKEN_FILE];
	fault = read_role(p, &out->web_role);
	out->web_role.external_id = (struct span){NULL, 0}; /* the call has none */
	return fault;
}

/* A profile whose role_arn does not count, in botocore's order. */
static enum profile_fault
start_profile(const struct files *f, const struct profile *p, struct profile_chain *out,
	      struct span *culprit)
{
	if (says(p, TOKEN_FILE))
		return start_web_identity(p, out);
	if (says(p, SSO_ACCOUNT) || says(p, SSO_ROLE))
		return start_sso(f, p, out, culprit);
	if (says(p, LOGIN) && !p->keys_are_first)
		return PROFILE_LOGIN;
	if (says(p, PROCESS) && !p->keys_are_first)
		return PROFILE_PROCESS;
	if (!p->says_keys)
		return PROFILE_NOTHING;
	out->source = PROFILE_KEYS;
	out->keys_profile = p->name;
	return has_keys(p) ? PROFILE_OK : PROFILE_INCOMPLETE;
}

static enum profile_fault
start_source(struct span word, struct profile_chain *out)
{
	static const struct {
		const char *word;
		enum profile_source source;
	} sources[] = {
		{"Environment", PROFILE_ENVIRONMENT},
		{"EcsContainer", PROFILE_CONTAINER},
		{"Ec2InstanceMetadata", PROFILE_INSTANCE},
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (!span_is(word, sources[i].word))
			continue;
		out->source = sources[i].source;
		return PROFILE_OK;
	}
	return PROFILE_MALFORMED;
}

/* ---- the chain ---- */

struct walk {
	struct files files;
	struct profile_chain chain;
	struct span visited[PROFILE_ROLES_MAX]; /* the profiles whose roles are in chain */
	struct span culprit;
};

static bool
was_visited(const struct walk *w, struct span name)
{
	for (size_t i = 0; i < w->chain.nroles; i++)
		if (span_eq(w->visited[i], name))
			return true;
	return false;
}

/* The role counts in the profile that was asked for; in one that is a source, keys win over it. */
static bool
is_role(const struct walk *w, const struct profile *p)
{
	return says(p, ROLE_ARN) && !says(p, TOKEN_FILE) && (w->chain.nroles == 0 || !p->says_keys);
}

/* Takes p's role into the chain; *next is the profile to go on with, or empty when it started. */
static enum profile_fault
step_role(struct walk *w, const struct profile *p, struct span *next)
{
	bool source = says(p, SOURCE_PROFILE);
	enum profile_fault fault;

	if (says(p, MFA_SERIAL))
		return PROFILE_MFA;
	if (w->chain.nroles == PROFILE_ROLES_MAX)
		return PROFILE_TOO_DEEP;
	fault = read_role(p, &w->chain.roles[w->chain.nroles]);
	if (fault != PROFILE_OK)
		return fault;
	w->visited[w->chain.nroles++] = p->name;
	if (source == says(p, CREDENTIAL_SOURCE))
		return PROFILE_INCOMPLETE;
	if (!source)
		return start_source(p->all.values[CREDENTIAL_SOURCE], &w->chain);
	*next = p->all.values[SOURCE_PROFILE];
	if (next->len == 0)
		return PROFILE_INCOMPLETE;
	/* a profile may be its own source, for its keys alone */
	if (was_visited(w, *next) && !(span_eq(*next, p->name) && p->says_keys))
		return PROFILE_LOOP;
	return PROFILE_OK;
}

static void
take_place(struct profile_chain *c, const struct profile *p)
{
	const struct span *said = &p->all.values[PLACES];

	c->region = p->all.values[REGION];
	for (size_t i = 0; i < PROFILE_PLACES; i++)
		c->places[i] = i == PROFILE_FIPS || i == PROFILE_DUAL_STACK
				       ? span_iis(said[i], "true")
				       : said[i].len > 0;
}

static enum profile_fault
walk_from(struct walk *w, struct span name)
{
	enum profile_fault fault = PROFILE_OK;

	while (fault == PROFILE_OK && name.len > 0) {
		struct span next = {NULL, 0};
		struct profile p;

		w->culprit = name;
		if (!profile_read(&w->files, name, &p))
			return PROFILE_MALFORMED;
		if (!p.all.there)
			return PROFILE_UNKNOWN;
		if (w->chain.nroles == 0)
			take_place(&w->chain, &p);
		if (is_role(w, &p))
			fault = step_role(w, &p, &next);
		else
			fault = start_profile(&w->files, &p, &w->chain, &w->culprit);
		name = next;
	}
	return fault;
}

/* Found from the top, assumed from the bottom. */
static void
reverse(struct profile_role *roles, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct profile_role r = roles[i];

		roles[i] = roles[n - 1 - i];
		roles[n - 1 - i] = r;
	}
}

enum profile_fault
profile_find(struct span config, struct span credentials, struct span name,
	     struct profile_chain *out, struct span *culprit)
{
	struct walk w = {.files = {config, credentials}, .culprit = name};
	enum profile_fault fault = PROFILE_UNKNOWN;

	if (!is_readable(config, &w.culprit) || !is_readable(credentials, &w.culprit))
		fault = PROFILE_MALFORMED;
	else if (name.len > 0)
		fault = walk_from(&w, name);
	if (fault != PROFILE_OK) {
		*culprit = w.culprit;
		return fault;
	}
	reverse(w.chain.roles, w.chain.nroles);
	*out = w.chain;
	return PROFILE_OK;
}
