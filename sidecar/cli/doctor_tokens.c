/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that a platform mounts, and what the tools of AWS keep at home. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "cli/procfs.h"

enum { PATH_BYTES = 1024, FILE_BYTES = 256 * 1024, CACHED_MAX = 8 };

#define SECRETS "/var/run/secrets/"

static const struct {
	const char *path, *remedy;
} mounted[] = {
	{SECRETS "kubernetes.io/serviceaccount/token",
	 "automountServiceAccountToken: false in the pod: the token asks the cluster for whatever "
	 "the account may read"},
	{SECRETS "eks.amazonaws.com/serviceaccount/token",
	 "no role annotation on the account (or eks.amazonaws.com/skip-containers), and a "
	 "projected token in sidekey's container alone"},
	{SECRETS "pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
	 "a projected token in sidekey's container alone"},
};

static const struct {
	const char *variable, *remedy;
} named[] = {
	{"AWS_WEB_IDENTITY_TOKEN_FILE",
	 "take the variable and the file from the agent's container"},
	{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	 "take the variable and the file from the agent's container"},
};

/* A file that can be read and holds something. */
static bool
is_readable(const char *path)
{
	auto_buf struct buf text = {0};

	buf_init(&text, 1);
	return procfs_read(path, &text) == 0 && text.len > 0;
}

static bool
tell_token(const struct place *p, const char *path, const char *remedy)
{
	if (path[0] == '\0' || !is_readable(path))
		return false;
	findings_add(p->findings, FINDING_WEAK, "mounted_token", remedy, "the agent can read %s",
		     path);
	return true;
}

static bool
is_mounted(const char *path)
{
	for (size_t i = 0; i < sizeof(mounted) / sizeof(mounted[0]); i++)
		if (strcmp(path, mounted[i].path) == 0)
			return true;
	return false;
}

static void
look_at_tokens(const struct place *p)
{
	bool told = false;

	for (size_t i = 0; i < sizeof(mounted) / sizeof(mounted[0]); i++)
		told |= tell_token(p, mounted[i].path, mounted[i].remedy);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		const char *path = doctor_variable(p, named[i].variable);

		told |= !is_mounted(path) && tell_token(p, path, named[i].remedy);
	}
	if (!told)
		findings_add(p->findings, FINDING_OK, "mounted_token", NULL,
			     "no token of a platform can be read");
}

/* ---- what the tools of AWS keep ---- */

static bool
tell_aws_file(const struct place *p, const char *path)
{
	findings_add(p->findings, FINDING_WEAK, "aws_files",
		     "run the agent as a user, or in a container, without a ~/.aws of its own",
		     "the agent can read %s", path);
	return true;
}

/* The keys that a file of profiles holds, if any. */
static bool
has_keys(const char *path)
{
	auto_buf struct buf text = {0};

	buf_init(&text, FILE_BYTES);
	return procfs_read(path, &text) == 0 &&
	       span_has(buf_span(&text), SPAN("aws_secret_access_key"));
}

static bool
look_at_cache(const struct place *p, const char *home, const char *name)
{
	char path[PATH_BYTES];
	const struct dirent *entry;
	bool told = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/.aws/%s/cache", home, name);
	dir = opendir(path);
	while (dir != NULL && !told && (entry = readdir(dir)) != NULL) {
		char file[2 * PATH_BYTES];

		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (span_ends(span_of(entry->d_name), SPAN(".json")) && is_readable(file))
			told = tell_aws_file(p, file);
	}
	if (dir != NULL)
		closedir(dir);
	return told;
}

static void
look_at_aws(const struct place *p)
{
	static const char *const variables[] = {"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"};
	static const char *const names[] = {"credentials", "config"};
	const char *home = doctor_variable(p, "HOME");
	bool told = false;

	for (size_t i = 0; i < 2; i++) {
		const char *other = doctor_variable(p, variables[i]);
		char path[PATH_BYTES];

		snprintf(path, sizeof(path), "%s/.aws/%s", home, names[i]);
		if (has_keys(path))
			told = tell_aws_file(p, path);
		if (strcmp(other, path) != 0 && has_keys(other))
			told = tell_aws_file(p, other);
	}
	told |= look_at_cache(p, home, "sso");
	told |= look_at_cache(p, home, "cli");
	told |= look_at_cache(p, home, "login");
	if (!told)
		findings_add(p->findings, FINDING_OK, "aws_files", NULL,
			     "no keys or sign-ins of the AWS tools can be read");
}

void
doctor_tokens(const struct place *p)
{
	look_at_tokens(p);
	look_at_aws(p);
}
