/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an AWS event stream comes to depends on its bytes alone. The checksums, which no fuzzer
 * guesses, are put right first.
 */
#include "tests/fuzz/metering.h"

#include "base/crc.h"

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
seal(uint8_t *at, const uint8_t *from)
{
	uint32_t crc = crc_32(0, (struct span){(const char *)from, (size_t)(at - from)});

	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(crc >> (24 - 8 * i));
}

static void
seal_all(uint8_t *p, size_t left)
{
	while (left >= 16) {
		uint32_t total = get_u32(p) % 1024 + 16;

		p[0] = p[1] = 0;
		p[2] = (uint8_t)(total >> 8);
		p[3] = (uint8_t)total;
		seal(p + 8, p);
		if (total > left)
			return;
		seal(p + total - 4, p);
		p += total;
		left -= total;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char type[] = "application/vnd.amazon.eventstream";
	uint8_t *copy;

	if (size == 0)
		return 0;
	copy = malloc(size);
	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	if ((data[0] & 32) != 0)
		seal_all(copy + 1, size - 1);
	metering_same(DIALECT_BEDROCK, "/model/m/converse-stream", type, copy, size);
	metering_same(DIALECT_BEDROCK, "/model/m/invoke-with-response-stream", type, copy, size);
	free(copy);
	return 0;
}
