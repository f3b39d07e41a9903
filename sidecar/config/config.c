/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "config/source.h"
#include "config/yaml.h"

#define SYSTEM_FILE "/etc/sidekey/sidekey.yaml"

static const char *const source_texts[] = {
	[SOURCE_ABSENT] = "there is no such file",
	[SOURCE_UNREADABLE] = "cannot be read",
	[SOURCE_NOT_A_FILE] = "is not a regular file",
	[SOURCE_TOO_LARGE] = "is too large (1 MiB at most)",
	[SOURCE_FOREIGN] = "another user owns it or may write it",
	[SOURCE_FOREIGN_DIR] = "another user owns this directory or link, or may write it",
};

static const char *
own_variable(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

struct environment
config_own_environment(void)
{
	return (struct environment){own_variable, NULL};
}

/* A variable that is set to something, or NULL. */
static const char *
variable(const struct environment *env, const char *name)
{
	const char *value = env->get(env->arg, name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static void
file_fault(struct config_faults *faults, const char *where, enum source_fault fault)
{
	bool foreign = fault == SOURCE_FOREIGN || fault == SOURCE_FOREIGN_DIR;

	fault_in(faults, where);
	fault_add(faults, (struct fault_place){0, 0, ""},
		  foreign ? "own it or let root own it, and chmod go-w" : NULL, "%s%s%s",
		  source_texts[fault], fault == SOURCE_UNREADABLE ? ": " : "",
		  fault == SOURCE_UNREADABLE ? strerrordesc_np(errno) : "");
}

static int
read_file(const char *path, const struct environment *env, struct config **out,
	  struct config_faults *faults)
{
	char where[SOURCE_PATH_MAX];
	enum source_fault fault;
	struct buf text;
	int result = -1;

	buf_init(&text, YAML_BYTES_MAX);
	fault = source_read(path, &text, where);
	if (fault != SOURCE_OK)
		file_fault(faults, where, fault);
	else
		result = config_read_text(buf_span(&text), path, env, out, faults);
	buf_free(&text);
	return result;
}

/* ---- without a file ---- */

static const struct {
	const char *path, *name;
} variables[] = {
	{"targets.default.apiBase", "SIDEKEY_API_BASE"},
	{"targets.default.apiKey", "SIDEKEY_API_KEY"},
	{"targets.default.provider", "SIDEKEY_PROVIDER"},
};

/* The faults of a text that we made speak of the variables that it was made from. */
static void
name_variables(struct config_faults *faults)
{
	for (size_t i = 0; i < faults->n; i++) {
		struct config_fault *f = &faults->items[i];

		f->line = f->column = 0;
		for (size_t v = 0; v < sizeof(variables) / sizeof(variables[0]); v++)
			if (strcmp(f->path, variables[v].path) == 0)
				f->path = variables[v].name;
	}
}

/* The shortest configuration, as JSON, so that it passes the same checks as a file. */
static int
read_variables(const char *base, const char *key, const char *provider,
	       const struct environment *env, struct config **out, struct config_faults *faults)
{
	struct buf text;
	int bad;

	buf_init(&text, YAML_BYTES_MAX);
	bad = buf_add_str(&text, "{\"targets\": {\"default\": {\"apiBase\": ");
	bad |= buf_add_json(&text, span_of(base));
	if (key != NULL) {
		bad |= buf_add_str(&text, ", \"apiKey\": ");
		bad |= buf_add_json(&text, span_of(key));
	}
	if (provider != NULL) {
		bad |= buf_add_str(&text, ", \"provider\": ");
		bad |= buf_add_json(&text, span_of(provider));
	}
	bad |= buf_add_str(&text, "}}}");
	if (bad != 0)
		buf_clear(&text, 0);
	bad = config_read_text(buf_span(&text), "environment", env, out, faults);
	buf_free(&text);
	name_variables(faults);
	return bad;
}

static int
read_environment(const struct environment *env, struct config **out, struct config_faults *faults)
{
	const char *base = variable(env, "SIDEKEY_API_BASE");

	if (base != NULL)
		return read_variables(base, variable(env, "SIDEKEY_API_KEY"),
				      variable(env, "SIDEKEY_PROVIDER"), env, out, faults);
	if (variable(env, "OPENAI_API_KEY") != NULL)
		return read_variables("https://api.openai.com/v1", "env:OPENAI_API_KEY", "openai",
				      env, out, faults);
	fault_in(faults, "sidekey");
	fault_add(faults, (struct fault_place){0, 0, ""},
		  "write one, name it with -c or SIDEKEY_CONFIG, or set SIDEKEY_API_BASE and "
		  "SIDEKEY_API_KEY",
		  "there is no configuration: neither " SYSTEM_FILE
		  " nor $XDG_CONFIG_HOME/sidekey/sidekey.yaml");
	return -1;
}

/* ---- where it is ---- */

/* What cannot be looked at is there: reading it says why it cannot be read. */
static bool
is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* The base directory specification ignores paths that are not absolute. */
static const char *
user_file(const struct environment *env, char found[static CONFIG_PATH_MAX])
{
	const char *xdg = variable(env, "XDG_CONFIG_HOME"), *home = variable(env, "HOME");
	bool by_xdg = xdg != NULL && xdg[0] == '/', by_home = home != NULL && home[0] == '/';
	int n;

	if (!by_xdg && !by_home)
		return NULL;
	n = snprintf(found, CONFIG_PATH_MAX, "%s%s/sidekey/sidekey.yaml", by_xdg ? xdg : home,
		     by_xdg ? "" : "/.config");
	return n < CONFIG_PATH_MAX && is_there(found) ? found : NULL;
}

const char *
config_find(const struct config_source *source, char found[static CONFIG_PATH_MAX])
{
	const struct environment *env = &source->env;
	const char *path = source->path != NULL ? source->path : variable(env, "SIDEKEY_CONFIG");

	if (path != NULL || variable(env, "SIDEKEY_CONFIG_CONTENT") != NULL)
		return path;
	return is_there(SYSTEM_FILE) ? SYSTEM_FILE : user_file(env, found);
}

int
config_read(const struct config_source *source, struct config **out, struct config_faults *faults)
{
	const char *content = variable(&source->env, "SIDEKEY_CONFIG_CONTENT");
	char found[CONFIG_PATH_MAX];
	const char *path = config_find(source, found);

	if (path != NULL)
		return read_file(path, &source->env, out, faults);
	if (content != NULL)
		return config_read_text(span_of(content), "SIDEKEY_CONFIG_CONTENT", &source->env,
					out, faults);
	return read_environment(&source->env, out, faults);
}
