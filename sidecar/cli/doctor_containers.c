/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoints that give containers their identity (reference: the SDKs' container provider). Of
 * an answer the status is looked at, and the keys in it are wiped.
 */
#include <stdio.h>
#include <string.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "cli/knock.h"
#include "cli/procfs.h"
#include "config/endpoint.h"
#include "config/plan_identity.h"
#include "http/grammar.h"

#define TASK_HOST "169.254.170.2"
#define POD_V4    "169.254.170.23"
#define POD_V6    "fd00:ec2::23"
#define POD_PATH  "/v1/credentials"
#define POD_TOKEN "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"
#define LINE      "Authorization: "

enum { ASK_MS = 2000, LINE_BYTES = 64 * 1024, HOST_BYTES = 64, PATH_BYTES = 2048, ENDPOINTS = 4 };

struct endpoint {
	char host[HOST_BYTES], path[PATH_BYTES];
	uint16_t port;
};

struct endpoints {
	struct endpoint items[ENDPOINTS];
	size_t n;
};

static void
add(struct endpoints *all, struct span host, uint16_t port, struct span path)
{
	struct endpoint e = {.port = port};

	if (host.len >= sizeof(e.host) || path.len >= sizeof(e.path))
		return;
	memcpy(e.host, host.ptr, host.len);
	memcpy(e.path, path.ptr, path.len);
	for (size_t i = 0; i < all->n; i++)
		if (memcmp(&all->items[i], &e, sizeof(e)) == 0)
			return;
	all->items[all->n++] = e;
}

static bool
is_pods(const struct endpoint *e)
{
	return strcmp(e->host, POD_V4) == 0 || strcmp(e->host, POD_V6) == 0;
}

/* What the variables name; and to an agent, what it may guess. */
static void
find_endpoints(const struct place *p, struct endpoints *all)
{
	const char *full = doctor_variable(p, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *relative = doctor_variable(p, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	size_t slash = span_find(span_of(full), strlen("http://"), '/');
	struct url url;

	if (relative[0] == '/')
		add(all, SPAN(TASK_HOST), 80, span_of(relative));
	if (full[0] != '\0' && endpoint_check_container(span_of(full), &url) == NULL && !url.https)
		add(all, url.is_ip ? url.host : SPAN("127.0.0.1"), url.port,
		    full[slash] == '/' ? span_of(full + slash) : SPAN("/"));
	else if (full[0] != '\0')
		findings_add(p->findings, FINDING_UNKNOWN, "container_credentials",
			     "see who gives out keys there, and whether the agent reaches it",
			     "AWS_CONTAINER_CREDENTIALS_FULL_URI names a place that is not tried "
			     "here: no plain http to this machine or to an agent of AWS's");
	if (p->as_agent) {
		add(all, SPAN(POD_V4), 80, SPAN(POD_PATH));
		add(all, SPAN(POD_V6), 80, SPAN(POD_PATH));
	}
}

/* The header with the agent's token, if there is one to be had; "\r\n" and a NUL at its end. */
static void
find_token(const struct place *p, struct buf *line)
{
	const char *files[] = {doctor_variable(p, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
			       POD_TOKEN};

	(void)buf_add_str(line, LINE);
	(void)buf_add_str(line, doctor_variable(p, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
	for (size_t i = 0; i < 2 && line->len == sizeof(LINE) - 1; i++)
		(void)procfs_read(files[i], line);
	while (line->len > 0 && line->ptr[line->len - 1] == '\n')
		buf_keep(line, line->len - 1);
	if (line->len > sizeof(LINE) - 1 && grammar_is_field_value(buf_span(line)) &&
	    buf_add(line, "\r\n", sizeof("\r\n")) == 0)
		return;
	buf_clear(line, LINE_BYTES);
	(void)buf_add_char(line, '\0');
}

/* The role on top that asks for an id which the agent does not have. */
static bool
is_guarded(const struct place *p)
{
	const struct plan_identity *id = p->as_agent ? NULL : p->plans->keeper.identities;

	for (size_t i = 0; id != NULL && p->plans->keeper.nidentities > 0 && i < id->nroles; i++)
		if (id->roles[i].external_id_slot != PLAN_NONE)
			return true;
	return false;
}

static const char *
remedy(const struct endpoint *e)
{
	if (is_pods(e))
		return "mount the identity's token in sidekey's container alone, as a projected "
		       "volume; no association that reaches the agent's";
	return "every container of the task reaches the task's role: leave the secrets out of it "
	       "(give sidekey its key by `secrets` and the execution role), let sidekey assume a "
	       "role with an external id (aws.assumeRole), or put sidekey into a task of its own";
}

static void
tell(const struct place *p, const struct endpoint *e, const struct knock *k)
{
	const char *name = is_pods(e) ? "pod_identity" : "container_credentials";
	unsigned status = knock_status(k, NULL);

	if (status == 200)
		findings_add(p->findings, is_guarded(p) ? FINDING_NOTE : FINDING_WEAK, name,
			     remedy(e), "%s gives out keys %s%s", e->host,
			     p->as_agent ? "to the agent" : "to whoever reaches it, the agent too",
			     is_guarded(p) ? "; the secrets' role asks for an external id besides"
					   : "");
	else
		findings_add(p->findings, FINDING_OK, name, NULL, "%s %s", e->host,
			     status != 0    ? "gives nothing without a token"
			     : k->connected ? "does not answer"
					    : "is not reached");
}

void
doctor_containers(const struct place *p)
{
	struct endpoints all = {0};
	struct knock knocks[ENDPOINTS];
	auto_buf struct buf line = {0};

	buf_init(&line, LINE_BYTES);
	if (p->as_agent)
		find_token(p, &line);
	else
		(void)buf_add_char(&line, '\0');
	find_endpoints(p, &all);
	for (size_t i = 0; i < all.n; i++) {
		knock_init(&knocks[i], all.items[i].host, all.items[i].port);
		knock_ask(&knocks[i], "GET", all.items[i].path, line.ptr);
	}
	knock_all(knocks, all.n, ASK_MS);
	for (size_t i = 0; i < all.n; i++) {
		tell(p, &all.items[i], &knocks[i]);
		knock_free(&knocks[i]);
	}
	if (all.n == 0 && !findings_has(p->findings, "container_credentials"))
		findings_add(p->findings, FINDING_OK, "container_credentials", NULL,
			     "no variable names an endpoint that gives containers their identity");
}
