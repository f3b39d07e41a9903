/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds a fuzz target files instead of a fuzzer's inventions: with this main the corpus is tried
 * by any compiler. Arguments: files, or folders of files. The last line counts the inputs.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"

enum { INPUT_MAX = 4 * 1024 * 1024, PATH_BYTES = 4096, READ_BYTES = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t inputs;

static void
stop(const char *what, const char *path)
{
	fprintf(stderr, "%s cannot be %s\n", path, what);
	exit(1);
}

/* What is read is given to the target in memory of its own size, so that a read beyond it shows. */
static void
replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct buf all;
	uint8_t *data;
	size_t n;

	if (file == NULL)
		stop("opened", path);
	buf_init(&all, INPUT_MAX);
	do {
		char *room = buf_room(&all, READ_BYTES);

		if (room == NULL)
			stop("held: it is too large", path);
		n = fread(room, 1, READ_BYTES, file);
		buf_grew(&all, n);
	} while (n > 0);
	if (ferror(file) != 0)
		stop("read", path);
	fclose(file);
	data = malloc(all.len + (all.len == 0));
	if (data == NULL)
		abort();
	for (size_t i = 0; i < all.len; i++)
		data[i] = (uint8_t)all.ptr[i];
	printf("%s\n", path); /* before it is tried: the last one named is the one that failed */
	fflush(stdout);
	(void)LLVMFuzzerTestOneInput(data, all.len);
	free(data);
	buf_free(&all);
	inputs++;
}

static void
replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char name[PATH_BYTES];

	if (folder == NULL)
		stop("opened", path);
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= PATH_BYTES)
			stop("named: its path is too long", path);
		replay_file(name);
	}
	closedir(folder);
}

int
main(int argc, char **argv)
{
	struct stat st;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) != 0)
			stop("found", argv[i]);
		if (S_ISDIR(st.st_mode))
			replay_folder(argv[i]);
		else
			replay_file(argv[i]);
	}
	printf("%zu inputs\n", inputs);
	return inputs == 0;
}
