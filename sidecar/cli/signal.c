/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/signal.h"

#include "base/num.h"
#include "cli/ask.h"
#include "cli/find.h"
#include "cli/help.h"
#include "config/project.h"
#include "ev/loop.h"

enum { EXIT_GOOD, EXIT_FAILED, EXIT_USAGE };
enum { ANSWER_MAX = 1024 * 1024, WAIT_MS = 30 * 1000, LOOK_MS = 50 };

struct order {
	const char *verb;
	const char *usage;
	bool reloads;
	int signal;
};

struct request {
	const char *config;
	pid_t pid;
	bool no_check, no_wait, help;
};

static const struct order reload = {
	"reload",
	"usage: sidekey reload [-c FILE] [--pid PID] [--no-check] [--no-wait]\n"
	"\n"
	"Makes the running sidekey of this user read its configuration again (SIGHUP). Calls in\n"
	"flight finish under the old one. A configuration with errors changes nothing; `listen`\n"
	"and `admin` change by restart only.\n"
	"\n"
	"  -c, --config FILE  the one that was started with this file; without -c, the only one\n"
	"      --pid PID      this process, where several are running\n"
	"      --no-check     do not check the configuration here first: its ${VARIABLES} come\n"
	"                     from this environment then, and not from sidekey's own\n"
	"      --no-wait      do not wait until the new configuration is in force\n"
	"  -h, --help         print this\n"
	"\n"
	"Exit status: 0 in force (or, where that cannot be seen, told), 1 not, 2 usage or\n"
	"configuration.\n",
	true, SIGHUP};

static const struct order refresh = {
	"refresh",
	"usage: sidekey refresh [-c FILE] [--pid PID]\n"
	"\n"
	"Makes the running sidekey of this user fetch every secret now (SIGUSR1).\n"
	"\n"
	"  -c, --config FILE  the one that was started with this file; without -c, the only one\n"
	"      --pid PID      this process, where several are running\n"
	"  -h, --help         print this\n"
	"\n"
	"Exit status: 0 told, 1 not, 2 usage.\n",
	false, SIGUSR1};

static int
parse(const struct order *o, int argc, char **argv, struct request *q)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"pid", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},         {"no-check", no_argument, NULL, 'k'},
		{"no-wait", no_argument, NULL, 'w'},      {NULL, 0, NULL, 0},
	};
	uint64_t pid;
	int option;

	*q = (struct request){0};
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'c')
			q->config = optarg;
		else if (option == 'p' && num_u64(span_of(optarg), INT32_MAX, &pid) == 0 && pid > 0)
			q->pid = (pid_t)pid;
		else if (option == 'k' && o->reloads)
			q->no_check = true;
		else if (option == 'w' && o->reloads)
			q->no_wait = true;
		else if (option == 'h')
			q->help = true;
		else
			return -1;
	}
	if (optind == argc)
		return 0;
	help_refuse(o->verb, argv[optind]);
	return -1;
}

/*
 * The configuration that process p will read; NULL with faults. The environment's part of it is
 * ours, and may be another than p's.
 */
static struct config *
read_config(const struct request *q, const struct running *p, struct config_faults *faults)
{
	struct config_source source = {q->config, config_own_environment()};
	struct plans plans;
	struct config *c;

	if (q->config == NULL && p->config[0] != '\0')
		source.path = p->config;
	if (config_read(&source, &c, faults) != 0)
		return NULL;
	if (project(c, &source.env, &plans, faults) == 0) {
		plans_free(&plans);
		return c;
	}
	config_free(c);
	return NULL;
}

/* What is told on the admin port; all 0 when nobody answers there. */
struct told {
	uint64_t generation;
	bool restart_needed;
};

static struct told
ask(const struct config *c)
{
	static const char key[] = "\"generation\":";
	struct told told = {0};
	struct buf answer;
	const char *at;

	if (c == NULL)
		return told;
	buf_init(&answer, ANSWER_MAX);
	ask_admin(&c->admin, "/readyz", &answer);
	(void)buf_add_char(&answer, '\0');
	at = strstr(answer.ptr, key);
	if (at != NULL) {
		at += sizeof(key) - 1;
		(void)num_u64((struct span){at, strspn(at, "0123456789")}, UINT32_MAX,
			      &told.generation);
		told.restart_needed = strstr(at, "\"restart_needed\":true") != NULL;
	}
	buf_free(&answer);
	return told;
}

/* ---- waiting until the new configuration is in force ---- */

struct wait {
	struct loop *loop;
	struct timer timer;
	const struct config *c;
	pid_t pid;
	uint64_t before, end;
};

static void
look(struct timer *t)
{
	struct wait *w = ev_owner(t, struct wait, timer);
	struct told now = ask(w->c);

	if (now.generation > w->before) {
		printf("the new configuration is in force (generation %u)%s\n",
		       (unsigned)now.generation,
		       now.restart_needed ? ", but `listen` and `admin` are what they were: what "
					    "has changed there takes a restart"
					  : "");
		loop_stop(w->loop, EXIT_GOOD);
	} else if (loop_now(w->loop) >= w->end || kill(w->pid, 0) != 0) {
		fprintf(stderr,
			"sidekey reload: the new configuration is not in force; the log of process "
			"%d says why\n",
			(int)w->pid);
		loop_stop(w->loop, EXIT_FAILED);
	} else {
		timer_set(w->loop, t, LOOK_MS);
	}
}

static int
wait_for_more(const struct config *c, pid_t pid, uint64_t before)
{
	struct wait w = {.timer.fn = look, .c = c, .pid = pid, .before = before};
	int status;

	if (before == 0) {
		fprintf(stderr,
			"sidekey reload: process %d was told; no admin port of this configuration "
			"answers here (one that is new takes a restart), so its log alone says "
			"what came of it\n",
			(int)pid);
		return EXIT_GOOD;
	}
	w.loop = loop_new();
	w.end = loop_now(w.loop) + WAIT_MS;
	timer_set(w.loop, &w.timer, LOOK_MS);
	status = loop_run(w.loop);
	loop_free(w.loop);
	return status;
}

static int
give(const struct order *o, const struct request *q, const struct running *p,
     const struct config *c)
{
	uint64_t before = q->no_wait ? 0 : ask(c).generation;

	if (kill(p->pid, o->signal) != 0) {
		fprintf(stderr, "sidekey %s: process %d cannot be signalled: %s\n", o->verb,
			(int)p->pid, strerrordesc_np(errno));
		return EXIT_FAILED;
	}
	return o->reloads && !q->no_wait ? wait_for_more(c, p->pid, before) : EXIT_GOOD;
}

static int
run(const struct order *o, int argc, char **argv)
{
	struct config_faults faults;
	struct config *c = NULL;
	struct running p;
	struct request q;
	int status = EXIT_USAGE;

	if (parse(o, argc, argv, &q) != 0 || q.help) {
		fputs(o->usage, q.help ? stdout : stderr);
		return q.help ? EXIT_GOOD : EXIT_USAGE;
	}
	if (find_the_one(o->verb, q.pid, q.config, &p) != 0)
		return EXIT_FAILED;
	fault_init(&faults);
	if (o->reloads)
		c = read_config(&q, &p, &faults);
	if (c == NULL && o->reloads && !q.no_check) {
		fault_print(&faults, stderr);
		fputs("sidekey reload: nothing was changed\n", stderr);
	} else {
		status = give(o, &q, &p, c);
	}
	config_free(c);
	fault_free(&faults);
	return status;
}

int
cli_reload(int argc, char **argv)
{
	return run(&reload, argc, argv);
}

int
cli_refresh(int argc, char **argv)
{
	return run(&refresh, argc, argv);
}
