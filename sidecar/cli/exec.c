/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/exec.h"

#include "aws/arn.h"
#include "base/fd.h"
#include "cli/ask.h"
#include "cli/beside.h"
#include "cli/command.h"
#include "cli/exec_config.h"
#include "cli/exec_env.h"
#include "cli/exec_why.h"
#include "cli/isolate.h"
#include "cli/token.h"
#include "config/signing.h"
#include "parent/environ.h"
#include "parent/listeners.h"

enum {
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	ENVIRONMENT_POOL = 16 * 1024 * 1024, /* more than the kernel lets an environment be */
};

static const char usage[] =
	"usage: sidekey exec [--isolate] [-c FILE] [--caller NAME] [--log FILE] [--] CMD…\n"
	"\n"
	"Starts sidekey on a free port, waits until calls can be served, and becomes CMD, which\n"
	"finds sidekey by the variables of its SDKs and has none of the secrets. sidekey ends\n"
	"when CMD has ended.\n"
	"\n"
	"  -c, --config FILE  as for serve; `listen`, `admin` and `callers` are not used\n"
	"      --caller NAME  hold CMD to the rules of this one of the `callers`\n"
	"      --log FILE     append sidekey's log there, as configured; without it, warnings go\n"
	"                     to standard error\n"
	"      --isolate      in namespaces of its own: CMD reaches sidekey and nothing else, and\n"
	"                     finds /run, /tmp, ~/.aws and the secret files of the configuration\n"
	"                     empty; it gets no descriptor but 0, 1 and 2\n"
	"  -h, --help         print this\n"
	"\n"
	"Exit status: CMD's; 1 sidekey did not get ready, 2 usage or configuration, 126 CMD\n"
	"cannot be executed, 127 there is no CMD.\n";

struct run {
	const char *path, *caller, *log;
	bool isolate;
	char **command;
	struct config *config;
	struct plans plans; /* of the configuration as it stands in the file */
	struct token token;
	struct beside_options beside;
	struct isolated place;
};

static int
say(const char *what, const char *why)
{
	fprintf(stderr, "sidekey exec: %s%s%s\n", what, why == NULL ? "" : ": ",
		why == NULL ? "" : why);
	return EXIT_FAILED;
}

/* ---- what it is about ---- */

static int
parse(int argc, char **argv, struct run *r)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"caller", required_argument, NULL, 'n'},
		{"log", required_argument, NULL, 'l'},    {"isolate", no_argument, NULL, 'i'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
		if (option == 'c') {
			r->path = optarg;
		} else if (option == 'n') {
			r->caller = optarg;
		} else if (option == 'l') {
			r->log = optarg;
		} else if (option == 'i') {
			r->isolate = true;
		} else {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : EXIT_USAGE;
		}
	}
	r->command = argv + optind;
	if (r->command[0] != NULL)
		return -1;
	fputs("sidekey exec: which command?\n\n", stderr);
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static int
read_config(struct run *r)
{
	const struct config_source source = {r->path, config_own_environment()};
	struct config_faults faults;
	int bad;

	fault_init(&faults);
	bad = config_read(&source, &r->config, &faults);
	if (bad == 0)
		bad = project(r->config, &source.env, &r->plans, &faults);
	fault_print(&faults, stderr);
	fault_free(&faults);
	return bad;
}

static int
open_log(struct run *r)
{
	r->beside.log = -1;
	if (r->log == NULL)
		return 0;
	r->beside.log = open(r->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	return r->beside.log < 0 ? say(r->log, strerrordesc_np(errno)) : 0;
}

/* ---- sidekey ---- */

/* The kernel chooses the port, and nobody can take it in between. -1: errno. */
static int
listen_anywhere(uint16_t *port)
{
	struct plan_listener loopback = {.host = SPAN("127.0.0.1"), .name = SPAN("127.0.0.1")};
	const struct plans plans = {.listeners = &loopback, .nlisteners = 1};
	struct sockaddr_in at = {0};
	socklen_t n = sizeof(at);
	struct buf why;
	int fd = -1;

	buf_init(&why, 1024);
	if (listeners_open(&plans, &fd, &why) != 0)
		fd = -1;
	buf_free(&why);
	if (fd < 0 || getsockname(fd, (struct sockaddr *)&at, &n) != 0)
		return -1;
	*port = ntohs(at.sin_port);
	return fd;
}

static int
open_listeners(struct run *r, struct exec_config *change)
{
	change->port = ISOLATE_PORT;
	r->beside.listeners[0] = r->isolate ? r->place.listener : listen_anywhere(&change->port);
	r->beside.listeners[1] = listen_anywhere(&change->admin_port);
	if (r->beside.listeners[0] >= 0 && r->beside.listeners[1] >= 0)
		return 0;
	return say("no port of 127.0.0.1 can be had", strerrordesc_np(errno));
}

/* Only now that the file's own plans are made, which tell what is secret. */
static int
change_config(struct run *r)
{
	struct exec_config change = {
		.caller = r->caller, .digest = r->token.digest, .quiet = r->log == NULL};

	if (token_make(&r->token) != 0)
		return say("the kernel gave no random bytes", NULL);
	if (open_listeners(r, &change) != 0)
		return EXIT_FAILED;
	if (exec_config_apply(r->config, &change) == 0)
		return 0;
	say("--caller: none of the configured `callers` has that name", r->caller);
	return EXIT_USAGE;
}

static void
explain(const struct config *c)
{
	struct span body = {"", 0};
	struct buf answer;

	buf_init(&answer, ASK_ANSWER_MAX);
	ask_admin(&c->admin, "/readyz", &answer);
	if (ask_status(buf_span(&answer), &body) != 0)
		exec_why_print(body, stderr);
	buf_free(&answer);
}

static int
start(struct run *r, struct beside *b)
{
	enum beside_start how;

	r->beside.path = r->path;
	r->beside.config = r->config;
	if (beside_begin(&r->beside, b) != 0)
		return say("sidekey could not be started", strerrordesc_np(errno));
	how = beside_wait(b);
	if (how == BESIDE_READY)
		return 0;
	if (how == BESIDE_LACKS)
		explain(r->config);
	return say("sidekey did not get ready, and the command was not started",
		   r->log == NULL ? NULL : "its log tells more");
}

/* ---- the command ---- */

static uint32_t
dialects(const struct config *c)
{
	uint32_t all = 0;

	for (size_t i = 0; i < c->targets.n; i++)
		all |= dialects_of((enum provider)c->targets.items[i].provider);
	return all;
}

/*
 * Bedrock answers in the target's region, whatever the client signs for; but a client must know
 * one, and some make ARNs and names of models of it.
 */
static const char *
region(const struct run *r, struct pool *p)
{
	static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
	const struct environment env = config_own_environment();

	for (size_t i = 0; i < r->config->targets.n; i++) {
		const struct config_target *t = &r->config->targets.items[i];
		struct span said = signing_region(r->config, t);

		/* One that has deployments is nowhere itself: they stand behind it. */
		if (t->provider == PROVIDER_BEDROCK && t->deployments.n == 0 && said.len > 0)
			return pool_copy(p, said).ptr;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = env.get(env.arg, names[i]);

		if (value != NULL && value[0] != '\0')
			return value;
	}
	return "us-east-1";
}

static void
add_variable(struct exec_env_options *o, struct plan_text *named, struct span text)
{
	struct reference ref;

	if (reference_parse(text, &ref) == REFERENCE_OK && ref.kind == REFERENCE_ENV)
		named[o->nnamed++].text = ref.name;
}

/* Those of the plans, and what a role is asked with even where no call and no secret needs it. */
static void
name_variables(const struct run *r, struct exec_env_options *o, struct pool *p)
{
	const struct config *c = r->config;
	size_t n = r->plans.nenv_names;
	struct plan_text *named = pool_get(p, (n + c->targets.n + 1) * sizeof(*named));

	assert(named != NULL);
	for (; o->nnamed < n; o->nnamed++)
		named[o->nnamed] = r->plans.env_names[o->nnamed];
	add_variable(o, named, c->aws.identity.role.external_id);
	for (size_t i = 0; i < c->targets.n; i++)
		add_variable(o, named, c->targets.items[i].aws.role.external_id);
	o->named = named;
}

static char **
make_environment(const struct run *r, struct pool *p)
{
	struct exec_env_options o = {
		.dialects = dialects(r->config),
		.address = r->config->listen.items[0].text.ptr,
		.token = r->token.text,
		.isolated = r->isolate,
	};

	pool_init(p, ENVIRONMENT_POOL);
	name_variables(r, &o, p);
	o.region = region(r, p);
	return exec_env_make(environ, &o, p);
}

/* From here on this process waits, and holds no secret. */
static int
run_isolated(struct run *r, char **env)
{
	const struct environment own = config_own_environment();
	struct hidden hidden;
	int status = EXIT_FAILED;
	bool listed;

	hidden_init(&hidden);
	listed = hidden_fill(&hidden, &r->plans, &own) == 0;
	environ_forget();
	plans_free(&r->plans);
	config_free(r->config);
	if (listed)
		status = isolate_run(&r->place, &hidden, env);
	else
		fputs("sidekey exec: /proc/net/unix cannot be read, or tells more sockets than can "
		      "be hidden; nothing was run. Mount /proc, or leave --isolate out.\n",
		      stderr);
	hidden_free(&hidden);
	return status;
}

static int
run(struct run *r)
{
	struct beside beside;
	struct pool pool;
	char **env;

	if (start(r, &beside) != 0)
		return EXIT_FAILED;
	env = make_environment(r, &pool);
	close(beside.standing);
	close(beside.held);
	if (r->isolate)
		return run_isolated(r, env);
	return command_confine() == 0 ? command_become(r->command, env) : EXIT_FAILED;
}

int
cli_exec(int argc, char **argv)
{
	struct run r = {0};
	int status = parse(argc, argv, &r);

	if (status >= 0)
		return status;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || fd_keep_places() != 0)
		return say("the process could not be prepared", strerrordesc_np(errno));
	if (r.isolate && isolate_begin(r.command, &r.place) != 0)
		return EXIT_FAILED;
	if (read_config(&r) != 0)
		return EXIT_USAGE;
	status = open_log(&r);
	if (status == 0)
		status = change_config(&r);
	return status == 0 ? run(&r) : status;
}
