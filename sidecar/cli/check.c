/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aws/arn.h"
#include "cli/check.h"
#include "cli/help.h"
#include "cli/resolve.h"
#include "config/files.h"
#include "config/jsonschema.h"
#include "config/plan_identity.h"
#include "config/project.h"
#include "config/warning.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage[] =
	"usage: sidekey check [-c FILE] [--resolve [--json]] [--schema]\n"
	"\n"
	"Reads the configuration and says all that is wrong with it, or what it says.\n"
	"\n"
	"  -c, --config FILE  this file, instead of SIDEKEY_CONFIG, SIDEKEY_CONFIG_CONTENT,\n"
	"                     /etc/sidekey/sidekey.yaml, $XDG_CONFIG_HOME/sidekey/sidekey.yaml\n"
	"      --resolve      try it: who am I to the cloud, fetch each secret, open TLS to\n"
	"                     each apiBase; no secret is shown\n"
	"      --json         what --resolve found as JSON\n"
	"      --schema       print the JSON Schema of the configuration instead\n"
	"  -h, --help         print this\n"
	"\n"
	"Exit status: 0 good, 1 something that --resolve tried failed, 2 not a configuration.\n";

static int
print_schema(void)
{
	struct buf text;
	int bad;

	buf_init(&text, JSONSCHEMA_MAX);
	bad = jsonschema_write(&text);
	if (bad == 0)
		printf("%.*s", (int)text.len, text.ptr);
	buf_free(&text);
	return bad == 0 ? EXIT_GOOD : EXIT_FAILED;
}

static void
warn(void *arg, const char *path, const char *message)
{
	const struct config *c = arg;

	fprintf(stderr, "%s: warning: %s: %s\n", c->source, path, message);
}

/* A build machine need not have what is due where sidekey runs. */
static void
warn_slot(struct config *c, const struct keeper_slot *s, const struct environment *env)
{
	char path[512], name[CONFIG_PATH_MAX], message[CONFIG_PATH_MAX + 128];
	struct reference ref;

	if (s->optional || reference_parse(s->reference, &ref) != REFERENCE_OK)
		return;
	snprintf(path, sizeof(path), "%.*s", (int)s->name.len, s->name.ptr);
	snprintf(name, sizeof(name), "%.*s", (int)ref.name.len, ref.name.ptr);
	if (ref.kind == REFERENCE_ENV && env->get(env->arg, name) == NULL)
		snprintf(message, sizeof(message), "%s is not set in this environment", name);
	else if (ref.kind == REFERENCE_FILE && access(name, R_OK) != 0)
		snprintf(message, sizeof(message), "%s cannot be read here: %s", name,
			 strerrordesc_np(errno));
	else
		return;
	warn(c, path, message);
}

static void
warn_environment(struct config *c, const struct environment *env, const struct plans *p)
{
	if (plans_lack_identity(p))
		warn(c, "aws.credentials", "this environment names no identity");
	for (size_t i = 0; i < p->keeper.nslots; i++)
		warn_slot(c, &p->keeper.slots[i], env);
}

static void
print_slots(const struct plans *p, const struct ingress_target *t)
{
	for (size_t i = 0; i < t->nslots; i++) {
		struct span name = p->keeper.slots[t->slots[i].number].name;

		printf("    secret    %.*s\n", (int)name.len, name.ptr);
	}
}

static void
print_signing(const struct keeper_plan *k, const struct keeper_target *t)
{
	if (t->is_signed)
		printf("    signed    for %.*s in %.*s, by %.*s\n", (int)t->service.len,
		       t->service.ptr, (int)t->region.len, t->region.ptr,
		       (int)k->identities[t->identity].name.len,
		       k->identities[t->identity].name.ptr);
}

static void
print_role(const struct plan_role *r)
{
	if (r->arn.len > 0)
		printf("    role      %.*s%s\n", (int)r->arn.len, r->arn.ptr,
		       r->policy.len > 0 ? ", narrowed to the configured secrets" : "");
}

/* Who reads the stores, and who a target is that says so for itself. */
static void
print_identities(const struct keeper_plan *k)
{
	for (size_t i = 0; i < k->nidentities; i++) {
		const struct plan_identity *id = &k->identities[i];

		if (id->tried.len == 0)
			continue; /* nothing needs it */
		printf("  identity  %s (%.*s)",
		       identity_source_name((enum identity_source)id->source), (int)id->tried.len,
		       id->tried.ptr);
		if (i > 0)
			printf(", for %.*s", (int)id->name.len, id->name.ptr);
		printf("\n");
		print_role(&id->web);
		for (size_t r = 0; r < id->nroles; r++)
			print_role(&id->roles[r]);
	}
}

/* Their places stand in lines of their own. */
static void
print_deployments(const struct egress_target *e, const struct plans *p)
{
	printf("spread over");
	for (size_t i = 0; i < e->ndeployments; i++) {
		struct span name = p->egress.targets[e->deployments[i].target].name;

		printf("%s %.*s (weight %u)", i > 0 ? "," : "", (int)name.len, name.ptr,
		       (unsigned)e->deployments[i].weight);
	}
	printf("\n");
}

static void
print_summary(const struct config *c, const struct plans *p)
{
	printf("%s: ok\n", c->source);
	for (size_t i = 0; i < p->nlisteners; i++)
		printf("  %s    %.*s\n", p->listeners[i].is_admin ? "admin " : "listen",
		       (int)p->listeners[i].name.len, p->listeners[i].name.ptr);
	for (size_t i = 0; i < c->targets.n; i++) {
		const struct config_target *t = &c->targets.items[i];
		const struct egress_target *e = &p->egress.targets[i];

		printf("  target    %.*s (%s%s): ", (int)t->name.len, t->name.ptr,
		       provider_name((enum provider)t->provider),
		       p->ingress.targets[i].required ? ", required" : "");
		if (e->ndeployments > 0) {
			print_deployments(e, p);
			continue;
		}
		printf("%s://%.*s%.*s%s\n", e->https ? "https" : "http", (int)e->authority.len,
		       e->authority.ptr, (int)e->base_path.len, e->base_path.ptr,
		       e->has_tls_client ? ", with a client certificate" : "");
		print_slots(p, &p->ingress.targets[i]);
		print_signing(&p->keeper, &p->keeper.targets[i]);
	}
	print_identities(&p->keeper);
	if (p->ingress.has_models)
		printf("  models    %zu rules; other models are refused\n", p->ingress.nmodels);
}

struct options {
	const char *path;
	bool resolve, json;
};

static int
check(const struct options *o)
{
	struct config_source source = {o->path, config_own_environment()};
	int status = EXIT_GOOD;
	struct config_faults faults;
	struct config *c = NULL;
	struct plans plans = {0};
	int bad;

	fault_init(&faults);
	bad = config_read(&source, &c, &faults);
	if (bad == 0)
		bad = (o->resolve ? project_report : project)(c, &source.env, &plans, &faults);
	if (bad == 0) {
		warnings_tell(c, &plans, warn, c);
		files_warn(&plans.keeper, warn, c);
		warn_environment(c, &source.env, &plans);
		if (!o->json)
			print_summary(c, &plans);
		if (o->resolve)
			status = cli_resolve(&plans, &source.env, o->json);
		plans_free(&plans);
	}
	fault_print(&faults, stderr);
	config_free(c);
	fault_free(&faults);
	return bad == 0 ? status : EXIT_USAGE;
}

int
cli_check(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"resolve", no_argument, NULL, 'r'},
		{"json", no_argument, NULL, 'j'},         {"schema", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	struct options o = {0};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'c') {
			o.path = optarg;
		} else if (option == 'r') {
			o.resolve = true;
		} else if (option == 'j') {
			o.json = true;
		} else if (option == 's') {
			return print_schema();
		} else {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? EXIT_GOOD : EXIT_USAGE;
		}
	}
	if (optind < argc || (o.json && !o.resolve)) {
		if (optind < argc)
			help_refuse("check", argv[optind]);
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return check(&o);
}
