/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/init.h"

#include "base/auto.h"
#include "base/fd.h"
#include "cli/help.h"
#include "cli/init_formats.h"
#include "cli/init_source.h"
#include "cli/init_write.h"
#include "config/config.h"
#include "config/project.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, NEW_PATH_MAX = 4096 };

static const char usage[] =
	"usage: sidekey init [--from FILE] [-o FILE [--force]] [-c FILE]\n"
	"\n"
	"Prints a configuration to begin with: for the API keys that this environment holds, or\n"
	"made of FILE. What could not be carried over is said on standard error, and in comments.\n"
	"Of a secret it writes down where it is, never the secret.\n"
	"\n"
	"      --from FILE    an AgentCore harness.json, a LiteLLM config.yaml or an agent-core\n"
	"                     blueprint; - is standard input\n"
	"  -o, --output FILE  write FILE (mode 0600), which must not exist; - is standard output\n"
	"      --force        replace FILE\n"
	"  -c, --config FILE  is taken, as by every verb, and neither read nor written\n"
	"  -h, --help         print this\n"
	"\n"
	"Exit status: 0 made, 1 nothing to make it of, or not written, 2 usage.\n";

struct options {
	const char *from, *output;
	bool force;
};

/* ---- the source ---- */

/* The tree of the file, or NULL with a sentence. text and pool hold it. */
static const struct yaml_item *
read_source(const char *from, struct buf *text, struct pool *pool)
{
	auto_close int fd =
		strcmp(from, "-") == 0 ? dup(STDIN_FILENO) : open(from, O_RDONLY | O_CLOEXEC);
	struct yaml_fault fault;
	const struct yaml_item *root;

	if (fd < 0 || fd_read_all(fd, text) != 0) {
		fprintf(stderr, "sidekey init: %s: cannot be read: %s\n", from,
			errno == EFBIG ? "it is larger than 1 MiB" : strerrordesc_np(errno));
		return NULL;
	}
	pool_init(pool, yaml_pool_size(text->len));
	root = yaml_read(buf_span(text), pool, &fault);
	if (root == NULL)
		fprintf(stderr, "sidekey init: %s:%u:%u: %s\n", from, fault.line, fault.column,
			fault.message);
	return root;
}

static int
read_formats(struct draft *d, const struct yaml_item *root, const char *from)
{
	static const struct {
		bool (*is)(const struct yaml_item *);
		void (*read)(struct draft *, const struct yaml_item *);
	} formats[] = {
		{litellm_is, litellm_read},
		{harness_is, harness_read},
		{blueprint_is, blueprint_read},
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i].is(root)) {
			formats[i].read(d, root);
			return 0;
		}
	fprintf(stderr,
		"sidekey init: %s: is none of the formats that are read: LiteLLM's config.yaml "
		"(model_list), AgentCore's harness.json (model with modelId), an agent-core "
		"blueprint (model with model_id)%s\n",
		from,
		source_member(root, "harnesses") != NULL
			? "; this is a project's agentcore.json: give the harness.json that it "
			  "names"
			: "");
	return -1;
}

/* ---- the outcome ---- */

/* What is printed must be accepted by the parser that will read it. */
static bool
is_accepted(struct span text, struct environment env)
{
	struct config_faults faults;
	struct config *c = NULL;
	struct plans plans = {0};
	bool good;

	fault_init(&faults);
	good = config_read_text(text, "the configuration that was made", &env, &c, &faults) == 0 &&
	       project(c, &env, &plans, &faults) == 0;
	if (good)
		plans_free(&plans);
	else
		fputs("sidekey init: the source cannot be made into a configuration:\n", stderr);
	fault_print(&faults, stderr);
	config_free(c);
	fault_free(&faults);
	return good;
}

/*
 * A file that is there is replaced as a whole, by renaming, so that a full disk leaves the old
 * one; the new one is ours alone even where the old one was readable for others.
 */
static int
write_file(const struct options *o, struct span text)
{
	char made[NEW_PATH_MAX];
	int n = snprintf(made, sizeof(made), "%s%s", o->output, o->force ? ".new" : "");
	auto_close int fd = -1;

	if (n < 0 || n >= NEW_PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (fd_write_all(fd, text) != 0 || fsync(fd) != 0 ||
	    (o->force && rename(made, o->output) != 0)) {
		int why = errno;

		(void)unlink(made);
		errno = why;
		return -1;
	}
	return 0;
}

static int
put(const struct options *o, struct span text)
{
	if (o->output == NULL) {
		bool good = fwrite(text.ptr, 1, text.len, stdout) == text.len;

		return good ? EXIT_GOOD : EXIT_FAILED;
	}
	if (write_file(o, text) == 0)
		return EXIT_GOOD;
	fprintf(stderr, "sidekey init: %s%s: %s%s\n", o->output, o->force ? ".new" : "",
		strerrordesc_np(errno),
		errno != EEXIST ? ""
		: o->force      ? "; remove it"
				: "; --force replaces it");
	return EXIT_FAILED;
}

static int
make(const struct options *o, struct draft *d, const struct yaml_item *root)
{
	int status = EXIT_FAILED;
	struct buf text;

	if (o->from == NULL)
		environment_read(d);
	else if (read_formats(d, root, o->from) != 0)
		return EXIT_FAILED;
	buf_init(&text, WRITE_MAX);
	fault_sort(&d->notes, 0);
	if (d->ntargets > 0)
		write_draft(&text, d);
	else
		fputs("sidekey init: there is nothing in it that a target can be made of:\n",
		      stderr);
	if (d->ntargets > 0 && is_accepted(buf_span(&text), d->env))
		status = put(o, buf_span(&text));
	fault_print(&d->notes, stderr);
	buf_free(&text);
	return status;
}

static int
run(const struct options *o)
{
	const char *file = o->from == NULL ? "environment" : o->from;
	const struct yaml_item *root = NULL;
	struct pool pool = {0};
	struct draft *d;
	struct buf text;
	int status = EXIT_FAILED;

	buf_init(&text, YAML_BYTES_MAX);
	if (o->from != NULL)
		root = read_source(o->from, &text, &pool);
	d = draft_new(config_own_environment(), file, text.len);
	if (o->from == NULL || root != NULL)
		status = make(o, d, root);
	draft_free(d);
	if (pool.base != NULL)
		explicit_bzero(pool.base, pool.used); /* it held the source's secrets */
	pool_free(&pool);
	buf_free(&text);
	return status;
}

int
cli_init(int argc, char **argv)
{
	static const struct option options[] = {
		{"from", required_argument, NULL, 'f'}, {"output", required_argument, NULL, 'o'},
		{"force", no_argument, NULL, 'F'},      {"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
	};
	struct options o = {0};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "o:c:h", options, NULL)) != -1) {
		if (option == 'f') {
			o.from = optarg;
		} else if (option == 'o') {
			o.output = strcmp(optarg, "-") == 0 ? NULL : optarg;
		} else if (option == 'F') {
			o.force = true;
		} else if (option != 'c') {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? EXIT_GOOD : EXIT_USAGE;
		}
	}
	if (optind < argc || (o.force && o.output == NULL)) {
		if (optind < argc)
			help_refuse("init", argv[optind]);
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return run(&o);
}
