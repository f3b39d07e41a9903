/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include "base/ascii.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000},
};

static const struct unit sizes[] = {
	{"", 1},
	{"B", 1},
	{"KiB", 1024},
	{"MiB", 1024 * 1024},
	{"GiB", 1024 * 1024 * 1024},
	{"kB", 1000},
	{"MB", 1000 * 1000},
	{"GB", 1000 * 1000 * 1000},
};

static int
digits(struct span s, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		unsigned d;

		if (!(base == 16 ? ascii_is_hex(c) : ascii_is_digit(c)))
			return -1;
		d = ascii_hex(c);
		if (d > max || v > (max - d) / base)
			return -1;
		v = v * base + d;
	}
	*out = v;
	return 0;
}

int
num_u64(struct span s, uint64_t max, uint64_t *out)
{
	return digits(s, 10, max, out);
}

int
num_hex(struct span s, uint64_t max, uint64_t *out)
{
	return digits(s, 16, max, out);
}

static int
with_unit(struct span s, const struct unit *units, size_t n, uint64_t *out)
{
	size_t split = 0;
	uint64_t v;

	while (split < s.len && ascii_is_digit(s.ptr[split]))
		split++;
	for (size_t i = 0; i < n; i++) {
		if (!span_is(span_cut(s, split, s.len), units[i].name))
			continue;
		if (digits(span_cut(s, 0, split), 10, INT64_MAX / units[i].factor, &v) != 0)
			return -1;
		*out = v * units[i].factor;
		return 0;
	}
	return -1;
}

int
num_duration(struct span s, uint64_t *out_ms)
{
	return with_unit(s, durations, sizeof(durations) / sizeof(durations[0]), out_ms);
}

int
num_size(struct span s, uint64_t *out_bytes)
{
	return with_unit(s, sizes, sizeof(sizes) / sizeof(sizes[0]), out_bytes);
}

void
num_to_hex(const unsigned char *bytes, size_t n, char *out)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = hex[bytes[i] >> 4];
		out[2 * i + 1] = hex[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}
