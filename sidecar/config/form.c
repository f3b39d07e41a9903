/* SPDX-License-Identifier: Apache-2.0 */
#include "config/form.h"
#include "aws/arn.h"
#include "base/ascii.h"
#include "config/url.h"
#include "http/grammar.h"
#include "policy/access/headers.h"
#include "policy/access/operations.h"

/* ---- words ---- */

#define WORDS(function, ...)                                                                       \
	const char *function(unsigned i)                                                           \
	{                                                                                          \
		static const char *const words[] = {__VA_ARGS__};                                  \
		return i < sizeof(words) / sizeof(words[0]) ? words[i] : NULL;                     \
	}

WORDS(form_word_sandbox, "landlock", "landlockNet", "secretPages")
WORDS(form_word_credentials, "auto", "environment", "container", "webIdentity", "profile",
      "instance")
WORDS(form_word_log_format, "json", "text")
WORDS(form_word_log_level, "error", "warn", "info", "debug")
WORDS(form_word_none, "none")
WORDS(form_word_auth, "apiKey", "sigv4")

const char *
form_word_provider(unsigned i)
{
	return i < PROVIDERS ? provider_name((enum provider)i) : NULL;
}

const char *
form_word_operation(unsigned i)
{
	return i < OPERATIONS ? operation_name((enum operation)i) : NULL;
}

/* ---- forms ---- */

static bool
is_name(struct span s)
{
	return span_is_alnum(s, "_-") && s.len <= 64 && span_is_alnum(span_cut(s, 0, 1), "");
}

static bool
is_host(struct span s)
{
	bool brackets = s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']', v6;

	if (brackets)
		return url_is_ip(span_cut(s, 1, s.len - 1), &v6) && v6;
	return url_is_name(s) || (url_is_ip(s, &v6) && !v6);
}

/* libcurl takes the address to dial for an IPv6 literal from that alone. */
static bool
is_server(struct span s)
{
	return is_host(s) && s.ptr[0] != '[';
}

static bool
is_match(struct span s)
{
	size_t star = span_find(s, 0, '*');

	return s.len > 0 && (star == s.len || star == s.len - 1);
}

static bool
is_mode(struct span s)
{
	bool good = s.len == 4 && s.ptr[0] == '0';

	for (size_t i = 1; good && i < s.len; i++)
		good = s.ptr[i] >= '0' && s.ptr[i] <= '7';
	return good;
}

static bool
is_absolute(struct span s)
{
	return s.len > 1 && s.ptr[0] == '/';
}

static bool
is_digest(struct span s)
{
	struct span prefix = SPAN("sha256:");
	bool good = span_starts(s, prefix) && s.len == prefix.len + 64;

	for (size_t i = prefix.len; good && i < s.len; i++)
		good = (grammar_class[(unsigned char)s.ptr[i]] & GRAMMAR_HEX) != 0;
	return good;
}

static bool
is_query_name(struct span s)
{
	return span_is_alnum(s, "._~-");
}

/* arn:aws:iam::123456789012:role/path/name, of any partition. */
static bool
is_role(struct span s)
{
	size_t at = span_find(s, 4, ':');
	struct span rest = span_cut(s, at, s.len), partition = span_cut(s, 4, at);
	const struct span service = SPAN(":iam::"), role = SPAN(":role/");
	struct span account = span_cut(rest, service.len, service.len + 12);

	if (!span_starts(s, SPAN("arn:")) || arn_dns_suffix(partition) == NULL ||
	    !span_starts(rest, service) || account.len != 12)
		return false;
	for (size_t i = 0; i < account.len; i++)
		if (!ascii_is_digit(account.ptr[i]))
			return false;
	rest = span_cut(rest, service.len + 12, rest.len);
	return span_starts(rest, role) &&
	       span_is_alnum(span_cut(rest, role.len, rest.len), "/_+=,.@-");
}

/* What STS takes (RoleSessionName). */
static bool
is_session(struct span s)
{
	return span_is_alnum(s, "_+=,.@-") && s.len >= 2 && s.len <= 64;
}

const struct schema_form form_name = {is_name, "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
				      "a name is due: up to 64 letters, digits, _ and -"};
const struct schema_form form_query_name = {
	is_query_name, "^[A-Za-z0-9._~-]+$",
	"the name of a query member is due: letters, digits, and . _ ~ -"};

const struct schema_form form_host = {is_host, "^([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])$",
				      "a host name or address without a port is due"};
const struct schema_form form_server = {is_server, "^[A-Za-z0-9._-]+$",
					"a host name or an IPv4 address is due, without a port"};
const struct schema_form form_header = {header_may_configure, "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
					"the name of a header that can be set here is due"};
const struct schema_form form_region = {arn_is_region, "^[a-z]{2,8}(-[a-z0-9]+)+-[0-9]+$",
					"a region such as us-east-1 is due"};
const struct schema_form form_match = {is_match, "^[^*]*\\*?$",
				       "a model's name is due, or a prefix that ends in *"};
const struct schema_form form_mode = {is_mode, "^0[0-7]{3}$",
				      "a mode in quotes such as \"0660\" is due"};
const struct schema_form form_digest = {is_digest, "^sha256:[0-9A-Fa-f]{64}$",
					"sha256: and 64 hexadecimal digits are due"};
const struct schema_form form_path = {is_absolute, "^/.+", "an absolute path is due"};
const struct schema_form form_role = {
	is_role, "^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9/_+=,.@-]+$",
	"the ARN of a role is due: arn:aws:iam::123456789012:role/NAME"};
const struct schema_form form_session = {
	is_session, "^[A-Za-z0-9_+=,.@-]{2,64}$",
	"a session's name is due: 2 to 64 letters, digits, and _ + = , . @ -"};
