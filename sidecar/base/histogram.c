/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

void
histogram_add(struct histogram *h, uint64_t us)
{
	size_t i = 0;

	while (i < h->bounds->n && us > h->bounds->at[i].us)
		i++;
	h->counts[i]++;
	h->count++;
	h->sum_us += us;
}

uint64_t
histogram_quantile(const struct histogram *h, unsigned percent)
{
	/* The rank, rounded up without the product that could overflow. */
	uint64_t rank = h->count / 100 * percent + (h->count % 100 * percent + 99) / 100;
	uint64_t below = 0;

	if (h->count == 0)
		return 0;
	for (size_t i = 0; i < h->bounds->n; i++) {
		uint64_t from = i == 0 ? 0 : h->bounds->at[i - 1].us;
		uint64_t width = h->bounds->at[i].us - from;

		if (h->counts[i] > 0 && below + h->counts[i] >= rank)
			return from + (uint64_t)((double)width * (double)(rank - below) /
						 (double)h->counts[i]);
		below += h->counts[i];
	}
	return h->bounds->at[h->bounds->n - 1].us;
}
