/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/arn.h"

#include "base/ascii.h"

enum { PARTS = 6, ACCOUNT_LEN = 12, REGION_MAX = 32, RESOURCE_MAX = 2048 };

struct partition {
	const char *name;
	const char *region_prefix; /* NULL: every region that no other row claims */
	const char *dns_suffix, *dual_stack_suffix;
};

/* botocore's partitions.json. */
static const struct partition partitions[] = {
	{"aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	{"aws-us-gov", "us-gov-", "amazonaws.com", "api.aws"},
	{"aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
	{"aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
	{"aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
	{"aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
	{"aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
	{"aws", NULL, "amazonaws.com", "api.aws"},
};

enum { PARTITIONS = sizeof(partitions) / sizeof(partitions[0]) };

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

/* Whether s is one group of a region: lower-case letters and digits, at least one. */
static bool
is_group(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower(s.ptr[i]) && !ascii_is_digit(s.ptr[i]))
			return false;
	return s.len > 0;
}

static bool
is_all(struct span s, bool (*is)(char c))
{
	for (size_t i = 0; i < s.len; i++)
		if (!is(s.ptr[i]))
			return false;
	return s.len > 0;
}

bool
arn_is_region(struct span region)
{
	size_t at = span_find(region, 0, '-'), groups = 1;
	struct span group = span_cut(region, 0, at);

	if (region.len > REGION_MAX || group.len < 2 || group.len > 8 || !is_all(group, is_lower))
		return false;
	while (at < region.len) {
		size_t end = span_find(region, at + 1, '-');

		group = span_cut(region, at + 1, end);
		if (!is_group(group))
			return false;
		groups++;
		at = end;
	}
	return groups >= 3 && is_all(group, ascii_is_digit);
}

static const struct partition *
partition_find(struct span name)
{
	for (size_t i = 0; i < PARTITIONS; i++)
		if (span_is(name, partitions[i].name))
			return &partitions[i];
	return NULL;
}

const char *
arn_dns_suffix(struct span partition)
{
	const struct partition *p = partition_find(partition);

	return p == NULL ? NULL : p->dns_suffix;
}

const char *
arn_dual_stack_suffix(struct span partition)
{
	const struct partition *p = partition_find(partition);

	return p == NULL ? NULL : p->dual_stack_suffix;
}

const char *
arn_partition_of(struct span region)
{
	for (size_t i = 0; i < PARTITIONS; i++) {
		const char *prefix = partitions[i].region_prefix;

		if (prefix == NULL || span_starts(region, span_of(prefix)))
			return partitions[i].name;
	}
	return NULL;
}

static bool
is_service(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower(s.ptr[i]) && !ascii_is_digit(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	return s.len > 0 && s.len <= 64;
}

static bool
is_resource(struct span s)
{
	return s.len > 0 && s.len <= RESOURCE_MAX && !span_has_control(s);
}

int
arn_parse(struct span text, struct arn *out)
{
	struct span part[PARTS];
	size_t at = 0;
	struct arn a;

	for (size_t i = 0; i < PARTS; i++) {
		size_t end = i == PARTS - 1 ? text.len : span_find(text, at, ':');

		if (at > text.len)
			return -1;
		part[i] = span_cut(text, at, end);
		at = end + 1;
	}
	a = (struct arn){part[1], part[2], part[3], part[4], part[5]};
	if (!span_is(part[0], "arn") || arn_dns_suffix(a.partition) == NULL)
		return -1;
	if (!is_service(a.service) || !is_resource(a.resource))
		return -1;
	if (!arn_is_region(a.region) || !span_is(a.partition, arn_partition_of(a.region)))
		return -1;
	if (a.account.len != ACCOUNT_LEN || !is_all(a.account, ascii_is_digit))
		return -1;
	*out = a;
	return 0;
}
