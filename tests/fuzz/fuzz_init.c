/* SPDX-License-Identifier: Apache-2.0 */
/* Any YAML, as each of the formats of `sidekey init` that takes it. */
#include <stdlib.h>

#include "cli/init_formats.h"
#include "cli/init_write.h"
#include "config/config.h"
#include "config/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
no_variable(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static const struct {
	bool (*is)(const struct yaml_item *);
	void (*read)(struct draft *, const struct yaml_item *);
} formats[] = {
	{litellm_is, litellm_read},
	{harness_is, harness_read},
	{blueprint_is, blueprint_read},
};

/* What is written is a configuration, whatever was read. */
static void
write_and_read(const struct draft *d)
{
	struct config_faults faults;
	struct config *c = NULL;
	struct buf out;

	buf_init(&out, WRITE_MAX);
	fault_init(&faults);
	write_draft(&out, d);
	if (d->ntargets > 0 && out.len <= YAML_BYTES_MAX &&
	    config_read_text(buf_span(&out), "made", &d->env, &c, &faults) != 0) {
		fault_print(&faults, stderr);
		abort();
	}
	config_free(c);
	fault_free(&faults);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	const struct yaml_item *root;
	struct yaml_fault fault;
	struct draft *d;
	struct pool pool;

	pool_init(&pool, yaml_pool_size(size));
	root = yaml_read(text, &pool, &fault);
	for (size_t i = 0; root != NULL && i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (!formats[i].is(root))
			continue;
		d = draft_new((struct environment){no_variable, NULL}, "source", size);
		formats[i].read(d, root);
		write_and_read(d);
		draft_free(d);
	}
	pool_free(&pool);
	return 0;
}
