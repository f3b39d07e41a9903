/* SPDX-License-Identifier: Apache-2.0 */
#include "config/identity_choice.h"

#include "config/endpoint.h"
#include "config/form.h"
#include "config/services.h"
#include "http/grammar.h"

#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_V4    "http://169.254.169.254"
#define INSTANCE_V6    "http://[fd00:ec2::254]"

static struct span
variable(struct identity_choice *ch, const char *name)
{
	return projector_variable(ch->pr, name);
}

static enum identity_found
refuse(struct identity_choice *ch, const char *name, const char *message)
{
	projector_refuse(ch->pr, name, message);
	return IDENTITY_HALF;
}

/* Whether both of a pair are set; half of it is a fault. */
static enum identity_found
find_pair(struct identity_choice *ch, const char *one, const char *other)
{
	bool first = variable(ch, one).len > 0, second = variable(ch, other).len > 0;

	if (first != second)
		return refuse(ch, first ? other : one, "is not set, though its other half is");
	return first ? IDENTITY_FOUND : IDENTITY_ABSENT;
}

/* Has the keeper given the variables at its start, as far as they are set. */
static enum identity_found
pass_on(struct identity_choice *ch, const char *const *names, size_t n)
{
	struct plans *p = ch->pr->p;

	for (size_t i = 0; i < n; i++) {
		struct span value = variable(ch, names[i]);

		/* Without it the others would be of no use, and nobody would say why. */
		if (value.len > 0 && !grammar_is_field_value(value))
			return refuse(ch, names[i],
				      "begins or ends in a blank or a line break, or has a "
				      "control character in it");
		if (value.ptr != NULL)
			projector_text(ch->pr, p->env_names, &p->nenv_names, span_of(names[i]));
	}
	return IDENTITY_FOUND;
}

/* The variable's path, copied, its directory readable to the keeper. False with a fault. */
static bool
take_path(struct identity_choice *ch, const char *name, struct span *out)
{
	struct span path = variable(ch, name);

	if (!form_path.is_good(path)) {
		projector_refuse(ch->pr, name, "must be an absolute path");
		return false;
	}
	*out = pool_copy(&ch->pr->p->pool, path);
	projector_directory(ch->pr, *out);
	return true;
}

/* ---- environment ---- */

enum identity_found
identity_find_environment(struct identity_choice *ch)
{
	static const char *const names[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
					    "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"};
	enum identity_found found = find_pair(ch, names[0], names[1]);

	if (found != IDENTITY_FOUND)
		return found;
	ch->out->source = IDENTITY_FROM_ENVIRONMENT;
	return pass_on(ch, names, sizeof(names) / sizeof(names[0]));
}

/* ---- web identity ---- */

enum identity_found
identity_find_web(struct identity_choice *ch)
{
	const char *file = "AWS_WEB_IDENTITY_TOKEN_FILE";
	enum identity_found found = find_pair(ch, file, "AWS_ROLE_ARN");
	struct span role = variable(ch, "AWS_ROLE_ARN");

	if (found != IDENTITY_FOUND)
		return found;
	if (!form_role.is_good(role))
		return refuse(ch, "AWS_ROLE_ARN", form_role.due);
	if (!take_path(ch, file, &ch->out->token_file))
		return IDENTITY_HALF;
	ch->out->source = IDENTITY_FROM_WEB_IDENTITY;
	ch->out->web = (struct plan_role){.arn = pool_copy(&ch->pr->p->pool, role),
					  .session_name = ch->session,
					  .external_id_slot = PLAN_NONE};
	return IDENTITY_FOUND;
}

/* ---- container ---- */

/* The relative form wins over the full one, as in the SDKs. Empty: neither is set. */
static struct span
container_uri(struct identity_choice *ch, const char **name)
{
	struct span text;
	struct buf whole;

	*name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
	text = variable(ch, *name);
	if (text.len > 0) {
		buf_init(&whole, PROJECT_TEXT_MAX);
		(void)buf_add_str(&whole, CONTAINER_HOST);
		if (buf_add_span(&whole, text) != 0)
			buf_clear(&whole, 0);
		return projector_take(ch->pr, &whole);
	}
	*name = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
	return pool_copy(&ch->pr->p->pool, variable(ch, *name));
}

/* The path and the query, as they stand in the URI. */
static struct span
target_of(struct span uri)
{
	size_t slash = span_find(uri, span_find(uri, 0, ':') + 3, '/');

	return slash < uri.len ? span_cut(uri, slash, uri.len) : SPAN("/");
}

enum identity_found
identity_find_container(struct identity_choice *ch)
{
	static const char *const names[] = {"AWS_CONTAINER_AUTHORIZATION_TOKEN"};
	const char *token = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", *name, *wrong;
	struct span relative = variable(ch, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	struct span uri = container_uri(ch, &name);
	struct url url;

	if (uri.len == 0)
		return IDENTITY_ABSENT;
	if (relative.len > 0 && relative.ptr[0] != '/')
		return refuse(ch, name, "must start with /");
	wrong = endpoint_check_container(uri, &url);
	if (wrong != NULL)
		return refuse(ch, name, wrong);
	if (variable(ch, token).len > 0 && !take_path(ch, token, &ch->out->token_file))
		return IDENTITY_HALF;
	ch->out->source = IDENTITY_FROM_CONTAINER;
	ch->out->path = target_of(uri);
	services_take(ch->pr, &url, &ch->out->at);
	return pass_on(ch, names, 1);
}

/* ---- instance ---- */

enum identity_found
identity_find_instance(struct identity_choice *ch)
{
	const char *name = "AWS_EC2_METADATA_SERVICE_ENDPOINT", *wrong;
	const char *mode_name = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
	struct span text = variable(ch, name), mode = variable(ch, mode_name);
	struct url url;

	if (span_iis(variable(ch, "AWS_EC2_METADATA_DISABLED"), "true"))
		return ch->want->credentials != CONFIG_CREDENTIALS_INSTANCE
			       ? IDENTITY_ABSENT
			       : refuse(ch, "AWS_EC2_METADATA_DISABLED",
					"forbids what aws.credentials: instance asks for");
	if (mode.len > 0 && !span_iis(mode, "ipv4") && !span_iis(mode, "ipv6"))
		return refuse(ch, mode_name, "must be IPv4 or IPv6");
	if (text.len == 0)
		text = span_iis(mode, "ipv6") ? SPAN(INSTANCE_V6) : SPAN(INSTANCE_V4);
	wrong = endpoint_check_instance(text, &url);
	if (wrong != NULL)
		return refuse(ch, name, wrong);
	ch->out->source = IDENTITY_FROM_INSTANCE;
	services_take(ch->pr, &url, &ch->out->at);
	return IDENTITY_FOUND;
}
