/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/init_write.h"

#include "base/ascii.h"

enum { COMMENT_COLUMNS = 96 };

/* ---- scalars ---- */

/* What YAML 1.1 or 1.2 takes for null or a boolean. */
static bool
is_word_of_yaml(struct span s)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no",
					    "on",   "off",  "y",     "n"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_iis(s, words[i]))
			return true;
	return false;
}

/*
 * Begins with a letter or a slash, so that it is no number, date, sign, indicator or reference of
 * YAML's; and holds nothing that ends a plain scalar, in a flow map either. A colon is followed by
 * something, since ": " is YAML's own.
 */
static bool
is_plain(struct span s)
{
	return span_is_alnum(s, "._/:@+=-") && !is_word_of_yaml(s) && s.ptr[s.len - 1] != ':' &&
	       (s.ptr[0] == '/' || ascii_is_letter(s.ptr[0]));
}

/* The code point at s, and how many bytes it has; a byte that is no UTF-8 stands for itself. */
static unsigned long
code_point(struct span s, size_t *n)
{
	unsigned char first = (unsigned char)s.ptr[0];
	size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
	unsigned long point = len == 1 ? first : first & (0xffU >> (len + 1));

	*n = 1;
	if (len > s.len)
		return first;
	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)s.ptr[i] & 0xc0) != 0x80)
			return first;
		point = point << 6 | ((unsigned char)s.ptr[i] & 0x3f);
	}
	*n = len;
	return point;
}

void
write_scalar(struct buf *out, struct span text)
{
	size_t n;

	if (is_plain(text)) {
		(void)buf_add_span(out, text);
		return;
	}
	(void)buf_add_char(out, '"');
	for (; text.len > 0; text = span_cut(text, n, text.len)) {
		unsigned long point = code_point(text, &n);

		if (point == '"' || point == '\\')
			(void)buf_addf(out, "\\%c", (char)point);
		else if (point >= 0x20 && point < 0x7f)
			(void)buf_add_char(out, (char)point);
		else if (point <= 0xff)
			(void)buf_addf(out, "\\x%02lX", point);
		else if (point <= 0xffff)
			(void)buf_addf(out, "\\u%04lX", point);
		else
			(void)buf_addf(out, "\\U%08lX", point);
	}
	(void)buf_add_char(out, '"');
}

/* ---- targets ---- */

static void
add_member(struct buf *out, const char *indent, const char *key, struct span value)
{
	if (value.len == 0)
		return;
	(void)buf_addf(out, "%s%s: ", indent, key);
	write_scalar(out, value);
	(void)buf_add_char(out, '\n');
}

static void
add_pairs(struct buf *out, const char *key, const struct draft_pair *pairs, size_t n)
{
	if (n > 0)
		(void)buf_addf(out, "    %s:\n", key);
	for (size_t i = 0; i < n; i++) {
		(void)buf_add_str(out, "      ");
		write_scalar(out, pairs[i].name);
		(void)buf_add_str(out, ": ");
		write_scalar(out, pairs[i].value);
		(void)buf_add_char(out, '\n');
	}
}

static void
add_identity(struct buf *out, const struct draft_target *t)
{
	if (t->profile.len == 0 && t->role.len == 0)
		return;
	(void)buf_add_str(out, "    aws:\n");
	add_member(out, "      ", "profile", t->profile);
	if (t->role.len == 0)
		return;
	(void)buf_add_str(out, "      assumeRole:\n");
	add_member(out, "        ", "roleArn", t->role);
	add_member(out, "        ", "externalId", t->external_id);
	add_member(out, "        ", "sessionName", t->session);
}

/* One of a flow map; *before is what stands in front of the first. */
static void
add_flow(struct buf *out, const char **before, const char *key, struct span value)
{
	if (value.len == 0)
		return;
	(void)buf_addf(out, "%s%s: ", *before, key);
	write_scalar(out, value);
	*before = ", ";
}

static void
add_deployments(struct buf *out, const struct draft_target *t)
{
	if (t->ndeployments > 0)
		(void)buf_add_str(out, "    deployments:\n");
	for (size_t i = 0; i < t->ndeployments; i++) {
		const struct draft_deployment *d = &t->deployments[i];
		const char *before = "      - {";

		add_flow(out, &before, "name", d->name);
		add_flow(out, &before, "apiBase", d->api_base);
		add_flow(out, &before, "region", d->region);
		add_flow(out, &before, "apiKey", d->api_key);
		if (d->weight > 0)
			(void)buf_addf(out, "%sweight: %llu", before,
				       (unsigned long long)d->weight);
		(void)buf_add_str(out, "}\n");
	}
}

void
write_target(struct buf *out, const struct draft_target *t)
{
	add_member(out, "    ", "provider", span_of(provider_name(t->provider)));
	add_member(out, "    ", "apiBase", t->api_base);
	if (t->allow_plaintext)
		(void)buf_add_str(out, "    allowPlaintext: true\n");
	add_member(out, "    ", "apiKey", t->api_key);
	if (t->sigv4)
		(void)buf_add_str(out, "    auth: sigv4\n");
	add_member(out, "    ", "region", t->region);
	add_identity(out, t);
	if (t->access_id.len > 0)
		(void)buf_add_str(out, "    cloudflareAccess:\n");
	add_member(out, "      ", "clientId", t->access_id);
	add_member(out, "      ", "clientSecret", t->access_secret);
	add_pairs(out, "headers", t->headers, t->nheaders);
	add_pairs(out, "query", t->query, t->nquery);
	if (t->first_byte_s > 0)
		(void)buf_addf(out, "    timeouts: {firstByte: %llus}\n",
			       (unsigned long long)t->first_byte_s);
	add_deployments(out, t);
}

/* ---- the file ---- */

/* As comment lines, broken between words. */
static void
add_comment(struct buf *out, const char *first, struct span text)
{
	const char *lead = first;

	while (text.len > 0) {
		size_t end = text.len;

		if (text.len > COMMENT_COLUMNS)
			for (end = COMMENT_COLUMNS; end > 0 && text.ptr[end] != ' ';)
				end--;
		if (end == 0) /* one long word */
			end = span_find(text, 0, ' ');
		(void)buf_addf(out, "%s%.*s\n", lead, (int)end, text.ptr);
		text = span_trim(span_cut(text, end, text.len));
		lead = "#   ";
	}
}

static void
add_notes(struct buf *out, const struct config_faults *notes)
{
	struct buf line;

	if (notes->n == 0)
		return;
	(void)buf_add_str(out, "#\n# To look at, since it could not be carried over as it is:\n");
	for (size_t i = 0; i < notes->n; i++) {
		const struct config_fault *f = &notes->items[i];

		buf_init(&line, WRITE_MAX);
		(void)buf_addf(&line, "%s%s%s%s%s%s", f->path, f->path[0] != '\0' ? ": " : "",
			       f->message, f->hint != NULL ? " (" : "",
			       f->hint != NULL ? f->hint : "", f->hint != NULL ? ")" : "");
		add_comment(out, "# - ", buf_span(&line));
		buf_free(&line);
	}
	if (notes->more)
		(void)buf_add_str(out, "# - … and more\n");
}

static void
add_rules(struct buf *out, const struct draft *d)
{
	if (d->any_model || d->nrules == 0)
		return;
	(void)buf_add_str(out, "\n# The first match wins; a model that matches nothing is "
			       "refused.\nmodels:\n");
	for (size_t i = 0; i < d->nrules; i++) {
		const struct draft_rule *r = &d->rules[i];

		(void)buf_add_str(out, "  - {match: ");
		write_scalar(out, r->match);
		(void)buf_add_str(out, ", target: ");
		write_scalar(out, d->targets[r->target].name);
		if (r->strip_prefix.len > 0 || r->send_as.len > 0) {
			(void)buf_addf(
				out, ", %s: ", r->strip_prefix.len > 0 ? "stripPrefix" : "sendAs");
			write_scalar(out, r->strip_prefix.len > 0 ? r->strip_prefix : r->send_as);
		}
		(void)buf_add_str(out, "}\n");
	}
}

/* Where several targets speak a dialect, the first of them takes the calls without a model. */
static void
add_default(struct buf *out, const struct draft *d)
{
	const char *before =
		"\n# Calls that name no model, such as GET /v1/models.\ndefaultTarget: {";

	for (unsigned dialect = 0; dialect < DIALECTS; dialect++) {
		size_t first = 0, n = 0;

		for (size_t i = d->ntargets; i-- > 0;)
			if ((dialects_of(d->targets[i].provider) & (1U << dialect)) != 0) {
				first = i;
				n++;
			}
		if (n < 2)
			continue;
		(void)buf_addf(out, "%s%s: ", before, dialect_name((enum dialect)dialect));
		write_scalar(out, d->targets[first].name);
		before = ", ";
	}
	if (before[0] == ',')
		(void)buf_add_str(out, "}\n");
}

void
write_draft(struct buf *out, const struct draft *d)
{
	(void)buf_addf(out,
		       "# Made by `sidekey init` from %s. Read it; then: sidekey check -c FILE\n",
		       d->made_from);
	add_notes(out, &d->notes);
	(void)buf_add_str(
		out,
		"\n# Point the agent here (OPENAI_BASE_URL=http://127.0.0.1:7717/v1), with any "
		"key, and take\n# the real ones out of its environment and its files.\n"
		"listen: [127.0.0.1:7717]\nadmin: [127.0.0.1:7718]\n\n"
		"# apiKey says where the secret is: arn:… of Secrets Manager, SSM or AgentCore "
		"Identity,\n# file:/path, or env:NAME of sidekey's own environment. A secret never "
		"stands here.\ntargets:\n");
	for (size_t i = 0; i < d->ntargets; i++) {
		(void)buf_add_str(out, "  ");
		write_scalar(out, d->targets[i].name);
		(void)buf_add_str(out, ":\n");
		write_target(out, &d->targets[i]);
	}
	add_rules(out, d);
	add_default(out, d);
}
