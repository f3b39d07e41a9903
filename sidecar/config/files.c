/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "config/files.h"

#include "aws/arn.h"
#include "config/way.h"

enum { TOLD_MAX = 20, TEXT_MAX = 2 * WAY_PATH_MAX + 256, NAME_BYTES = 256 };

/* The path of a slot that is a file; empty for another. */
static struct span
slot_path(const struct keeper_slot *s)
{
	struct reference ref;

	if (s->kind != REFERENCE_FILE || reference_parse(s->reference, &ref) != REFERENCE_OK)
		return SPAN("");
	return ref.name;
}

/* A certificate and a bundle of authorities may be read by everybody, if no key lies with them. */
static bool
is_public(const struct keeper_plan *k, size_t slot)
{
	bool public = false;

	for (size_t i = 0; i < k->ntargets; i++) {
		if (k->targets[i].key == slot)
			return false;
		public = public || k->targets[i].ca == slot || k->targets[i].cert == slot;
	}
	return public;
}

void
files_visit(const struct keeper_plan *k, files_fn *fn, void *arg)
{
	for (size_t i = 0; i < k->nslots; i++) {
		const struct keeper_slot *s = &k->slots[i];
		const struct plan_file f = {s->name, slot_path(s), !is_public(k, i), s->optional};

		if (f.path.len > 0)
			fn(arg, &f);
	}
	for (size_t i = 0; i < k->nidentities; i++) {
		const struct plan_identity *id = &k->identities[i];
		const struct plan_file files[] = {
			{id->name, id->token_file, true, false},
			{id->name, id->credentials_file, true, true},
			{id->name, id->sso_cache, true, true},
			{id->name, id->config_file, false, true},
		};

		for (size_t j = 0; j < sizeof(files) / sizeof(files[0]); j++)
			if (files[j].path.len > 0)
				fn(arg, &files[j]);
	}
}

struct teller {
	warning_fn *tell;
	void *arg;
	unsigned told;
};

static void
warn_file(void *arg, const struct plan_file *f)
{
	char path[WAY_PATH_MAX], where[WAY_PATH_MAX], text[TEXT_MAX], name[NAME_BYTES];
	struct teller *t = arg;
	struct stat st;

	if (t->told == TOLD_MAX || !span_cstr(f->path, path, sizeof(path)) || stat(path, &st) != 0)
		return;
	if (!way_is_ours(path, where))
		snprintf(text, sizeof(text),
			 "whoever owns or may write %s can put another file in the place of %s, "
			 "also one that only sidekey may read: own it or let root own it, and "
			 "chmod go-w",
			 where, path);
	else if (!way_is_closed(&st) && !way_is_read_only(path))
		snprintf(text, sizeof(text),
			 "another user owns %s or may write it, and so chooses what is used: own "
			 "it or let root own it, and chmod go-w",
			 path);
	else
		return;
	t->told++;
	snprintf(name, sizeof(name), "%.*s", (int)f->name.len, f->name.ptr);
	t->tell(t->arg, name, text);
}

void
files_warn(const struct keeper_plan *k, warning_fn *tell, void *arg)
{
	struct teller t = {tell, arg, 0};

	files_visit(k, warn_file, &t);
}
