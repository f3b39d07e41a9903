/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata services of the clouds, asked as an agent would. Answers are looked at for their
 * status; a role's keys are never asked for.
 */
#include <stdio.h>
#include <string.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "cli/knock.h"
#include "config/plan_identity.h"
#include "config/url.h"
#include "http/grammar.h"

#define METADATA_V4 "169.254.169.254"
#define METADATA_V6 "fd00:ec2::254"
#define ROLES       "/latest/meta-data/iam/security-credentials/"

enum { ASK_MS = 2000, LINE_BYTES = 4096, HOSTS_MAX = 3, HOST_BYTES = 64 };

enum question { ROLES_BY_V1, SESSION, AZURE, GOOGLE, ROLES_BY_V2, QUESTIONS };

static const struct {
	const char *method, *path, *lines;
} asked[] = {
	[ROLES_BY_V1] = {"GET", ROLES, ""},
	[SESSION] = {"PUT", "/latest/api/token",
		     "X-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 0\r\n"},
	[AZURE] = {"GET", "/metadata/instance?api-version=2021-02-01", "Metadata: true\r\n"},
	[GOOGLE] = {"GET", "/computeMetadata/v1/instance/service-accounts/",
		    "Metadata-Flavor: Google\r\n"},
};

struct host {
	char name[HOST_BYTES];
	uint16_t port;
	struct knock knocks[QUESTIONS];
};

struct hosts {
	struct host items[HOSTS_MAX];
	size_t n;
};

static void
add_host(struct hosts *h, const char *name, uint16_t port)
{
	struct host *host = &h->items[h->n];

	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->items[i].name, name) == 0 && h->items[i].port == port)
			return;
	*host = (struct host){.port = port};
	snprintf(host->name, sizeof(host->name), "%s", name);
	h->n++;
}

/* The services' own addresses, and the one that the SDKs' variable names. */
static void
find_hosts(const struct place *p, struct hosts *h)
{
	const char *named = p->env->get(p->env->arg, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	char name[HOST_BYTES];
	struct url url;

	add_host(h, METADATA_V4, 80);
	add_host(h, METADATA_V6, 80);
	if (named == NULL || url_parse(span_of(named), &url) != URL_OK || url.https || !url.is_ip)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)url.host.len, url.host.ptr);
	add_host(h, name, url.port);
}

/* All questions to all hosts at once, but for the one that needs a session's token. */
static void
ask_first(struct hosts *h)
{
	struct knock all[HOSTS_MAX * ROLES_BY_V2];
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		for (size_t q = 0; q < ROLES_BY_V2; q++, n++) {
			knock_init(&all[n], h->items[i].name, h->items[i].port);
			knock_ask(&all[n], asked[q].method, asked[q].path, asked[q].lines);
		}
	knock_all(all, n, ASK_MS);
	for (size_t i = 0; i < n; i++)
		h->items[i / ROLES_BY_V2].knocks[i % ROLES_BY_V2] = all[i];
}

static void
ask_by_session(struct host *h)
{
	struct knock *k = &h->knocks[ROLES_BY_V2];
	auto_buf struct buf line = {0};
	struct span token = SPAN("");

	knock_init(k, h->name, h->port);
	if (knock_status(&h->knocks[SESSION], &token) != 200 || token.len == 0 ||
	    !grammar_is_field_value(token))
		return;
	buf_init(&line, LINE_BYTES);
	if (buf_add_str(&line, "X-aws-ec2-metadata-token: ") != 0 ||
	    buf_add_span(&line, token) != 0 || buf_add(&line, "\r\n", 3) != 0)
		return;
	knock_ask(k, "GET", ROLES, line.ptr);
	knock_all(k, 1, ASK_MS);
}

static const char *
remedy(const struct place *p)
{
	if (!p->as_agent && p->plans->keeper.nidentities > 0 &&
	    p->plans->keeper.identities[0].source == IDENTITY_FROM_INSTANCE)
		return "sidekey lives on it, and the agent beside it reaches it too: give sidekey "
		       "an identity of its own (Pod Identity, IRSA, a task of its own), or let the "
		       "agent's user out to sidekey's port alone";
	return "keep the agent from it: HttpPutResponseHopLimit 1 and HttpTokens required on the "
	       "instance, or a network policy or firewall rule for 169.254.169.254 and "
	       "fd00:ec2::254";
}

/* A 404 comes from a service that is there, of a machine that has no role. */
static bool
tell_amazon(const struct place *p, const struct host *h)
{
	unsigned v1 = knock_status(&h->knocks[ROLES_BY_V1], NULL);
	unsigned v2 = knock_status(&h->knocks[ROLES_BY_V2], NULL);
	const char *version =
		v1 == 200 || v1 == 404 ? "without a token (IMDSv1)" : "with a token (IMDSv2)";

	if (v1 == 200 || v2 == 200)
		findings_add(
			p->findings, FINDING_WEAK, "metadata_reachable", remedy(p),
			"the instance's metadata service answers at %s, %s, and gives out keys "
			"of the instance's role",
			h->name, version);
	else if (v1 == 404 || v2 == 404)
		findings_add(
			p->findings, FINDING_NOTE, "metadata_reachable", remedy(p),
			"the instance's metadata service answers at %s, %s; the instance has no "
			"role, only user data",
			h->name, version);
	else
		return false;
	return true;
}

static bool
tell_other(const struct place *p, const struct host *h, enum question q, const char *name,
	   const char *whose)
{
	if (knock_status(&h->knocks[q], NULL) != 200)
		return false;
	findings_add(p->findings, FINDING_WEAK, name,
		     "keep the agent from 169.254.169.254 by a network policy or firewall rule, or "
		     "take the identity from the machine",
		     "%s metadata service answers at %s, and gives out tokens of the machine's "
		     "identity if it has one",
		     whose, h->name);
	return true;
}

void
doctor_metadata(const struct place *p)
{
	struct hosts hosts = {0};
	bool told = false;

	find_hosts(p, &hosts);
	ask_first(&hosts);
	for (size_t i = 0; i < hosts.n; i++) {
		struct host *h = &hosts.items[i];

		ask_by_session(h);
		told |= tell_amazon(p, h);
		told |= tell_other(p, h, AZURE, "azure_metadata", "Azure's");
		told |= tell_other(p, h, GOOGLE, "google_metadata", "Google Cloud's");
		for (size_t q = 0; q < QUESTIONS; q++)
			knock_free(&h->knocks[q]);
	}
	if (!told)
		findings_add(p->findings, FINDING_OK, "metadata_reachable", NULL,
			     "no metadata service gives anything out here");
}
