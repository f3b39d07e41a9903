/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/doctor.h"

#include "base/json.h"
#include "base/secret.h"
#include "cli/doctor_checks.h"
#include "cli/help.h"
#include "cli/procfs.h"
#include "config/source.h"

enum { REACH_MAX = 16, SECRET_HEAP = 64 * 1024, CONFIG_MAX = 1024 * 1024 + 1 };
enum { EXIT_GOOD = 0, EXIT_WEAK = 1, EXIT_USAGE = 2 };

static const char usage[] =
	"usage: sidekey doctor [-c FILE] [--json]\n"
	"       sidekey doctor --as-agent [--reach HOST:PORT]... [--json]\n"
	"\n"
	"Tells what would let the agent reach a secret past sidekey, and what to do about it.\n"
	"\n"
	"  -c FILE        the configuration; run it where sidekey runs, as sidekey's user\n"
	"  --as-agent     try what an agent would try: run it in the agent's container, as the\n"
	"                 agent's user; no configuration is needed\n"
	"  --reach H:P    with --as-agent: say whether this place is reached past sidekey\n"
	"  --json         {as_agent, weak, findings: [{name, verdict, found, remedy}]}\n"
	"\n"
	"A verdict is ok, note, unknown (could not be tried) or weak. No secret is shown.\n"
	"Exit status: 0 nothing is weak, 1 something is, 2 usage or configuration.\n";

struct options {
	const char *config;
	const char *reach[REACH_MAX];
	size_t nreach;
	bool as_agent, json;
};

/* ---- the agent's place ---- */

static int
look_as_agent(struct place *p, const struct options *o)
{
	doctor_metadata(p);
	doctor_containers(p);
	doctor_tokens(p);
	doctor_variables(p, environ);
	doctor_processes(p);
	doctor_sidekey_files(p);
	doctor_privileges(p);
	doctor_reach(p, o->reach, o->nreach);
	return 0;
}

/* ---- sidekey's place ---- */

/* This process reads private keys, as sidekey does, and is as closed as sidekey's are. */
static void
shut(void)
{
	const struct rlimit none = {0, 0};

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)secret_init(SECRET_HEAP);
	json_setup();
}

/* sidekey refuses a file that others may write; here that is a finding, and the file is read. */
static int
read_writable(const struct place *p, const char *path, struct config **out,
	      struct config_faults *faults)
{
	struct buf text;
	int bad;

	buf_init(&text, CONFIG_MAX);
	bad = procfs_read(path, &text) != 0 ||
	      config_read_text(buf_span(&text), path, p->env, out, faults) != 0;
	buf_free(&text);
	return bad ? -1 : 0;
}

static int
read_config(const struct place *p, const struct config_source *source, struct config **out,
	    struct config_faults *faults)
{
	char found[CONFIG_PATH_MAX], where[SOURCE_PATH_MAX];
	const char *path = config_find(source, found);
	enum source_fault fault;
	struct buf text;

	if (path == NULL)
		return config_read(source, out, faults);
	buf_init(&text, CONFIG_MAX);
	fault = source_read(path, &text, where);
	buf_free(&text);
	if (fault == SOURCE_OK)
		doctor_config_file(p->findings, path, NULL);
	if (fault != SOURCE_FOREIGN && fault != SOURCE_FOREIGN_DIR)
		return config_read(source, out, faults);
	doctor_config_file(p->findings, path, where);
	return read_writable(p, path, out, faults);
}

const char *
doctor_variable(const struct place *p, const char *name)
{
	const char *value = p->env->get(p->env->arg, name);

	return value == NULL ? "" : value;
}

static void
look_around(struct place *p)
{
	doctor_files(p);
	doctor_certificates(p);
	doctor_listeners(p);
	doctor_identity(p);
	doctor_metadata(p);
	doctor_containers(p);
	doctor_neighbours(p);
	doctor_program(p);
	doctor_privileges(p);
	doctor_kernel(p);
}

static int
look_as_sidekey(struct place *p, const struct options *o)
{
	struct config_source source = {o->config, *p->env};
	struct config_faults faults;
	struct plans plans = {0};
	struct config *c = NULL;
	int bad;

	shut();
	fault_init(&faults);
	bad = read_config(p, &source, &c, &faults);
	if (bad == 0)
		bad = project(c, p->env, &plans, &faults);
	if (bad == 0) {
		struct place here = *p;

		here.config = c;
		here.plans = &plans;
		look_around(&here);
		plans_free(&plans);
	}
	fault_print(&faults, stderr);
	fault_free(&faults);
	config_free(c);
	return bad;
}

/* ---- the verb ---- */

static void
refuse(const char *word)
{
	if (strcmp(word, "--reach") == 0)
		fprintf(stderr, "sidekey doctor: behind --reach comes HOST:PORT, %d at most\n\n",
			REACH_MAX);
	else
		help_refuse("doctor", word);
}

static int
parse(int argc, char **argv, struct options *o)
{
	*o = (struct options){0};
	for (int i = 1; i < argc; i++) {
		if (help_config(argc, argv, &i, &o->config))
			continue;
		if (strcmp(argv[i], "--as-agent") == 0) {
			o->as_agent = true;
		} else if (strcmp(argv[i], "--json") == 0) {
			o->json = true;
		} else if (strcmp(argv[i], "--reach") == 0 && i + 1 < argc &&
			   o->nreach < REACH_MAX && doctor_reach_is_good(argv[i + 1])) {
			o->reach[o->nreach++] = argv[++i];
		} else {
			refuse(argv[i]);
			return -1;
		}
	}
	if (o->as_agent && o->config != NULL)
		fputs("sidekey doctor: --as-agent takes no -c: an agent has no configuration\n\n",
		      stderr);
	else if (!o->as_agent && o->nreach > 0)
		fputs("sidekey doctor: --reach is for --as-agent alone\n\n", stderr);
	else
		return 0;
	return -1;
}

static int
print(const struct findings *f, const struct options *o)
{
	int bad = o->json ? findings_print_json(f, o->as_agent, stdout) : findings_print(f, stdout);

	return bad == 0 && findings_count(f, FINDING_WEAK) == 0 ? EXIT_GOOD : EXIT_WEAK;
}

int
cli_doctor(int argc, char **argv)
{
	const struct environment env = config_own_environment();
	struct place p = {.env = &env};
	int status = EXIT_USAGE;
	struct options o;

	if (help_is_among(argc, argv)) {
		fputs(usage, stdout);
		return EXIT_GOOD;
	}
	if (parse(argc, argv, &o) != 0) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	p.as_agent = o.as_agent;
	p.findings = findings_new();
	if ((o.as_agent ? look_as_agent : look_as_sidekey)(&p, &o) == 0)
		status = print(p.findings, &o);
	findings_free(p.findings);
	return status;
}
