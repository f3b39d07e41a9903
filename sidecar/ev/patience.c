/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "ev/patience.h"

#include "base/num.h"

enum {
	LOOK_MS = 100,
	REST_MS = 10 * 1000, /* 100 ms of waiting in ten seconds is what a busy machine costs us */
	RUNS_MIN = 16,       /* fewer say nothing */
	/* A run waits 3 to 40 us for those of the same call, and milliseconds for a whole slice. */
	WAIT_MAX_NS = 200 * 1000,
	LINE_MAX_BYTES = 64, /* three numbers */
};

int
patience_open(int at)
{
	int fd = -1;

	if (sched_getscheduler(0) == SCHED_OTHER)
		fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fd != at) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Documentation/scheduler/sched-stats.rst: ns on a processor, ns in the queue for one, runs. */
static int
read_counts(int fd, uint64_t *waited, uint64_t *ran)
{
	char line[LINE_MAX_BYTES];
	ssize_t n = pread(fd, line, sizeof(line), 0);
	struct span text = {line, n > 0 ? (size_t)n : 0};
	size_t first = span_find(text, 0, ' '), second = span_find(text, first + 1, ' ');
	size_t end = span_find(text, second + 1, '\n');

	if (num_u64(span_cut(text, first + 1, second), UINT64_MAX, waited) != 0)
		return -1;
	return num_u64(span_cut(text, second + 1, end), UINT64_MAX, ran);
}

static int
schedule(struct patience *p, bool patient)
{
	const struct sched_param none = {0};

	p->is_patient = patient;
	return sched_setscheduler(0, patient ? SCHED_BATCH : SCHED_OTHER, &none);
}

static void
look(struct patience *p)
{
	uint64_t waited, ran, now = loop_now(p->loop);

	p->look_at = now + LOOK_MS;
	/* No run: the kernel has the file and does not count. */
	if (read_counts(p->fd, &waited, &ran) != 0 || ran == 0) {
		(void)schedule(p, false);
		p->look_at = UINT64_MAX;
		return;
	}
	if (p->is_patient && ran - p->ran < RUNS_MIN)
		return;
	if (p->is_patient && (waited - p->waited) / (ran - p->ran) > WAIT_MAX_NS) {
		(void)schedule(p, false);
		p->look_at = now + REST_MS;
	} else if (!p->is_patient && schedule(p, true) != 0) {
		p->look_at = UINT64_MAX; /* it is forbidden here */
	}
	p->waited = waited;
	p->ran = ran;
}

static bool
may_rest(struct source *s, bool sleeps)
{
	struct patience *p = ev_owner(s, struct patience, source);

	(void)sleeps;
	if (loop_now(p->loop) >= p->look_at)
		look(p);
	return true;
}

void
patience_start(struct patience *p, struct loop *l, int fd)
{
	*p = (struct patience){.source.may_rest = may_rest, .loop = l, .fd = fd};
	if (fd >= 0)
		loop_source(l, &p->source);
}
