/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text is a configuration or has faults; what is accepted can be packed, and what is unpacked
 * then is the same: it packs to the same bytes.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "config/project.h"

enum {
	POOL_MAX = 2 * 1024 * 1024, /* the fixed lists, and as much again */
	PACKED_MAX = 16 * 1024 * 1024,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __real_pool_init(struct pool *p, size_t size);
void __wrap_pool_init(struct pool *p, size_t size);

/* 48 MiB of pools an input, however small: ASan marks every byte that is freed, and its marks took
 * more than nine tenths of the time. The linker puts this in between. */
void
__wrap_pool_init(struct pool *p, size_t size)
{
	__real_pool_init(p, size < POOL_MAX ? size : POOL_MAX);
}

static const char *
variable(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "A") == 0 ? "${A}: [" : NULL;
}

static void
round_trip(const struct pack_type *type, const void *plan, void *copy)
{
	struct buf packed, again;
	struct pool pool;

	buf_init(&packed, PACKED_MAX);
	buf_init(&again, PACKED_MAX);
	assert(pack_write(type, plan, &packed) == 0);
	__real_pool_init(&pool, 8 * packed.len + 64 * 1024);
	assert(pack_read(type, buf_span(&packed), &pool, copy) == 0);
	assert(pack_write(type, copy, &again) == 0);
	assert(span_eq(buf_span(&packed), buf_span(&again)));
	pool_free(&pool);
	buf_free(&packed);
	buf_free(&again);
}

static void
check_plans(const struct plans *p)
{
	struct resolver_plan resolver;
	struct keeper_plan keeper;
	struct egress_plan egress;
	struct ingress_plan ingress;

	round_trip(&resolver_plan_type, &p->resolver, &resolver);
	round_trip(&keeper_plan_type, &p->keeper, &keeper);
	round_trip(&egress_plan_type, &p->egress, &egress);
	round_trip(&ingress_plan_type, &p->ingress, &ingress);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct environment env = {variable, NULL};
	struct config_faults faults;
	struct config *c = NULL;
	struct plans p = {0};

	fault_init(&faults);
	if (config_read_text((struct span){(const char *)data, size}, "fuzz", &env, &c, &faults) ==
	    0) {
		assert(faults.n == 0 && c != NULL);
		if (project(c, &env, &p, &faults) == 0) {
			check_plans(&p);
			plans_free(&p);
		}
	} else {
		assert(faults.n > 0 && c == NULL);
	}
	config_free(c);
	fault_free(&faults);
	return 0;
}
