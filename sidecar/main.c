/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidekey: holds the keys so that the agent does not have to. One binary; a verb, or a role by
 * its name.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "box/spawn.h"
#include "cli/check.h"
#include "cli/doctor.h"
#include "cli/exec.h"
#include "cli/health.h"
#include "cli/help.h"
#include "cli/init.h"
#include "cli/route.h"
#include "cli/signal.h"
#include "cli/status.h"
#include "cli/token.h"
#include "egress/egress.h"
#include "egress/transfer.h"
#include "ev/multi.h"
#include "ingress/ingress.h"
#include "keeper/keeper.h"
#include "parent/parent.h"
#include "resolver/resolver.h"

enum {
	SECRET_HEAP = 64 * 1024,      /* what an old Docker's default RLIMIT_MEMLOCK allows */
	SECRET_HEAP_MAX = 256 * 1024, /* for 256 targets of three keys each */
};

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static int
verb_serve(int argc, char **argv)
{
	struct parent_options o = {.standing = -1};

	if (help_is_among(argc, argv)) {
		puts("usage: sidekey serve [-c FILE]\n\n"
		     "Serves until SIGTERM or SIGINT, which drain; a second one cuts calls off.\n"
		     "SIGHUP reads the configuration again; calls in flight finish under the old "
		     "one.\nSIGUSR1 fetches every secret now.");
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		if (help_config(argc, argv, &i, &o.path))
			continue;
		help_refuse("serve", argv[i]);
		fputs("usage: sidekey serve [-c FILE]\n", stderr);
		return 2;
	}
	return parent_serve(&o);
}

static int
verb_version(int argc, char **argv)
{
	int status =
		help_or_usage("version", argc, argv,
			      "usage: sidekey version [-c FILE]\n\n"
			      "Prints the version, and that of the libraries in it. No file is "
			      "read.\n");

	if (status < 0)
		printf("sidekey %s (%s)\n", SIDEKEY_VERSION, transfer_library());
	return status < 0 ? 0 : status;
}

static int verb_help(int argc, char **argv);

static const struct verb verbs[] = {
	{"serve", verb_serve, "serve calls (the default)"},
	{"exec", cli_exec, "run a command with sidekey beside it, and none of the secrets"},
	{"check", cli_check, "check the configuration"},
	{"route", cli_route, "say what would become of a call, and which rule decides"},
	{"health", cli_health, "ask the running sidekey how it is, for probes"},
	{"status", cli_status, "show what the running sidekey does"},
	{"reload", cli_reload, "make the running sidekey read its configuration again"},
	{"refresh", cli_refresh, "make the running sidekey fetch every secret now"},
	{"doctor", cli_doctor, "tell what would let the agent reach a secret all the same"},
	{"token", cli_token, "make a token for a caller"},
	{"init", cli_init, "make a configuration to begin with, or from another format"},
	{"version", verb_version, "print the version"},
	{"help", verb_help, "print this, or what a verb does"},
};

static const struct verb *
verb_of(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

static int
verb_help(int argc, char **argv)
{
	const struct verb *verb = argc == 2 ? verb_of(argv[1]) : NULL;
	char option[] = "--help";
	int status;

	if (verb != NULL)
		return verb->run(2, (char *[]){argv[1], option, NULL});
	status = help_or_usage("help", argc, argv,
			       "usage: sidekey help [VERB | -c FILE]\n\n"
			       "Lists the verbs, or says what one does. No file is read.\n");
	if (status >= 0)
		return status;
	puts("usage: sidekey [VERB] [-c FILE] …\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		printf("  %-9s %s\n", verbs[i].name, verbs[i].help);
	puts("\n-c is also --config; --help after a verb tells more. Exit status: 0 good, 1 "
	     "failed,\n2 usage or configuration.");
	return 0;
}

/* The status of a verb, which has failed, too, where what it said did not get out. */
static int
written(const char *verb, int status)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	fprintf(stderr, "sidekey %s: standard output could not be written\n", verb);
	return status != 0 ? status : 1;
}

/* With as much to spare: pages of secret_map are locked, too. */
static size_t
secret_heap(void)
{
	struct rlimit locked;
	bool has_room = getrlimit(RLIMIT_MEMLOCK, &locked) == 0 &&
			locked.rlim_cur >= (rlim_t)2 * SECRET_HEAP_MAX;

	return has_room ? SECRET_HEAP_MAX : SECRET_HEAP;
}

/* A role has its secret pages, and the libraries their wiping allocators, before anything else. */
static int
run_role(enum role role)
{
	static int (*const mains[ROLES])(void) = {
		[ROLE_RESOLVER] = resolver_main,
		[ROLE_KEEPER] = keeper_main,
		[ROLE_INGRESS] = ingress_main,
		[ROLE_EGRESS] = egress_main,
	};

	if ((role == ROLE_KEEPER || role == ROLE_EGRESS) &&
	    secret_init(secret_heap()) == SECRET_PAGES_NONE) {
		log_write(LOG_ERROR, "no secret pages can be had: raise RLIMIT_MEMLOCK to 64 KiB",
			  NULL, 0);
		return 1;
	}
	if (role == ROLE_KEEPER || role == ROLE_EGRESS) {
		multi_setup();
		json_setup();
	}
	return mains[role]();
}

int
main(int argc, char **argv)
{
	enum role role = argc > 0 ? role_of(argv[0]) : ROLE_NONE;
	const struct verb *verb;
	const char *name = "serve";

	if (role != ROLE_NONE)
		return run_role(role);
	if (argc > 1 && argv[1][0] != '-') {
		name = argv[1];
		argc--;
		argv++;
	} else if (argc > 1 && help_is_asked(argv[1])) {
		return verb_help(argc - 1, argv + 1);
	} else if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		return verb_version(argc - 1, argv + 1);
	}
	verb = verb_of(name);
	if (verb != NULL)
		return written(name, verb->run(argc, argv));
	fprintf(stderr, "sidekey: there is no verb \"%s\"; sidekey help lists them\n", name);
	return 2;
}
