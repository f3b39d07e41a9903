/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include <seccomp.h>

#include "box/box.h"

#include "base/auto.h"

enum { PART_BYTES = 64 * 1024, PARTS = 4 /* the parent's filter takes 200 KB to make */ };

/*
 * libseccomp does not survive an allocation that fails: it goes on with rules left out, frees
 * twice, or never returns. So what it takes lies free in the heap before it begins, below the
 * block that is returned, which keeps free(3) from giving it back. NULL: there is not as much.
 */
static void *
put_memory_by(void)
{
	void *parts[PARTS], *last = NULL;
	size_t n = 0;

	while (n < PARTS && (parts[n] = malloc(PART_BYTES)) != NULL)
		n++;
	if (n == PARTS)
		last = malloc(PART_BYTES);
	while (n > 0)
		free(parts[--n]);
	return last;
}

/* A filter's maker, freed where it goes out of scope. */
static void
release_filter(scmp_filter_ctx *ctx)
{
	if (*ctx != NULL)
		seccomp_release(*ctx);
	*ctx = NULL;
}

/* Exactly the row, for one architecture; or, for several, what comes to the same in each. */
typedef int add_rule(scmp_filter_ctx ctx, uint32_t action, int nr, unsigned n,
		     const struct scmp_arg_cmp *args);

static int
add_call(scmp_filter_ctx ctx, const struct box_call *call, add_rule *add, unsigned *rules)
{
	struct scmp_arg_cmp args[BOX_MATCHES];
	int nr = seccomp_syscall_resolve_name(call->name), bad;

	if (nr == __NR_SCMP_ERROR)
		return -1; /* no architecture has it: a typing error in the list */
	if (nr < 0)
		return 0; /* another architecture's */
	for (size_t i = 0; i < call->nmatches; i++) {
		const struct box_match *m = &call->matches[i];

		args[i] = (struct scmp_arg_cmp){m->arg, SCMP_CMP_MASKED_EQ, m->mask, m->value};
	}
	bad = add(ctx, call->error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint16_t)call->error),
		  nr, (unsigned)call->nmatches, args);
	if (bad == -EEXIST)
		return 0; /* two lists that name the same */
	if (bad == 0)
		++*rules;
	return bad;
}

/* Two levels of includes at most: the parent's roles, and what those have in common. */
static int
add_box(scmp_filter_ctx ctx, const struct box *box, unsigned *rules)
{
	for (size_t i = 0; i < box->ncalls; i++) {
		if (add_call(ctx, &box->calls[i], seccomp_rule_add_exact_array, rules) != 0)
			return -1;
	}
	for (size_t i = 0; box->includes != NULL && box->includes[i] != NULL; i++) {
		if (add_box(ctx, box->includes[i], rules) != 0)
			return -1;
	}
	return 0;
}

/* The native architecture alone; x86's x32 and i386 entries count as wrong ones. NULL: failed. */
static scmp_filter_ctx
filter_make(const struct box *box, unsigned *rules)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);

	*rules = 0;
	if (ctx != NULL &&
	    (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
	     add_box(ctx, box, rules) != 0))
		release_filter(&ctx);
	return ctx;
}

int
filter_load(const struct box *box, unsigned *rules)
{
	auto_free void *kept = put_memory_by();
	__attribute__((cleanup(release_filter))) scmp_filter_ctx ctx =
		kept == NULL ? NULL : filter_make(box, rules);

	return ctx != NULL && seccomp_load(ctx) == 0 ? 0 : -1;
}

/* ---- for programs that are not ours ---- */

/* What a kernel of the first may run besides. */
static const struct {
	uint32_t native, others[2];
} relatives[] = {
	{SCMP_ARCH_X86_64, {SCMP_ARCH_X86, SCMP_ARCH_X32}},
	{SCMP_ARCH_AARCH64, {SCMP_ARCH_ARM}},
};

static int
add_relatives(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < sizeof(relatives) / sizeof(relatives[0]); i++) {
		if (relatives[i].native != seccomp_arch_native())
			continue;
		for (size_t k = 0; k < 2 && relatives[i].others[k] != 0; k++)
			if (seccomp_arch_add(ctx, relatives[i].others[k]) != 0)
				return -1;
	}
	return 0;
}

static int
deny_all(scmp_filter_ctx ctx, const struct box *box, enum box_foreign foreign)
{
	bool held = foreign == FOREIGN_HELD;
	unsigned rules = 0;

	if (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) != 0 ||
	    (held && add_relatives(ctx) != 0))
		return -1;
	for (size_t i = 0; i < box->ncalls; i++)
		if (add_call(ctx, &box->calls[i],
			     held ? seccomp_rule_add_array : seccomp_rule_add_exact_array,
			     &rules) != 0)
			return -1;
	return 0;
}

static scmp_filter_ctx
deny_make(const struct box *box, enum box_foreign foreign)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (ctx != NULL && deny_all(ctx, box, foreign) != 0)
		release_filter(&ctx);
	return ctx;
}

int
filter_deny(const struct box *box, enum box_foreign foreign)
{
	auto_free void *kept = put_memory_by();
	__attribute__((cleanup(release_filter))) scmp_filter_ctx ctx =
		kept == NULL ? NULL : deny_make(box, foreign);

	return ctx != NULL && seccomp_load(ctx) == 0 ? 0 : -1;
}
