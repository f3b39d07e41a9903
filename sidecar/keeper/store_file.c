/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: a file, read again when it has changed. It is looked for by its path every time, since
 * Kubernetes swaps a link above it (..data) and leaves the file that was read as it is.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "keeper/store.h"

#include "base/auto.h"
#include "keeper/file.h"

enum {
	FILE_MAX = 1024 * 1024,
	EVERY_MS = 2 * 1000,
	/* A file this young may change again and keep its time, whose grain is a few ms. */
	YOUNG_MS = 2 * 1000,
};

struct mark { /* by which a changed file is known */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified, status;
};

static bool
is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
is_same_mark(const struct mark *a, const struct mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       is_same_time(a->modified, b->modified) && is_same_time(a->status, b->status);
}

/* False when there is no such file, or when its mark says nothing yet. */
static bool
mark_of(struct span name, struct mark *out)
{
	char path[4096];
	struct stat st;
	int64_t changed_ms;

	*out = (struct mark){0};
	if (!span_cstr(name, path, sizeof(path)) || stat(path, &st) != 0)
		return false;
	changed_ms = (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
	*out = (struct mark){st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
	return changed_ms + YOUNG_MS < (int64_t)loop_wall_ms();
}

/* memory is the mark of what the slots hold, or NULL; taken before the file is read. */
static void
start(struct document *d)
{
	struct span name = d->slots[0]->reference.name;
	struct mark mark, *held = d->memory;
	bool is_marked = mark_of(name, &mark);
	auto_buf struct buf content = {0};
	const char *wrong;

	if (is_marked && held != NULL && is_same_mark(&mark, held)) {
		store_unchanged(d);
		return;
	}
	free(held);
	d->memory = NULL;
	buf_init(&content, FILE_MAX);
	wrong = file_read(name, &content);
	if (wrong != NULL) {
		bool may_come = strcmp(wrong, "NoSuchFile") == 0;

		store_failed(
			d, &(struct store_failure){.kind = may_come ? SLOT_UNREACHED : SLOT_DENIED,
						   .type = wrong});
		return;
	}
	store_fetched_text(d, &(struct slot_version){.created_s = (uint64_t)mark.modified.tv_sec},
			   buf_span(&content));
	if (!is_marked || !store_is_fresh(d))
		return;
	held = malloc(sizeof(*held));
	if (held == NULL)
		abort();
	*held = mark;
	d->memory = held;
}

const struct store store_file = {.every_ms = EVERY_MS, .start = start};
