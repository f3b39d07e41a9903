/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/source.h"

#include "aws/profile.h"
#include "keeper/file.h"

enum { FILE_MAX = 1024 * 1024 };

void
source_environment(struct acquire *a)
{
	const struct keys *given = &a->seams->given;
	struct call_keys view = keys_view(given);

	if (!keys_are_there(given))
		acquire_failed(a, true, "NoIdentity",
			       "the AWS credentials of the environment are incomplete: set "
			       "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
	else if (given->expires_s > 0 && skew_now_s(a->seams->skew) >= given->expires_s)
		acquire_failed(a, true, "ExpiredToken",
			       "the AWS credentials of the environment have expired, and nothing "
			       "renews them: restart with new ones");
	else
		acquire_got(a, &view, given->expires_s);
}

/* Read again each time: who renews them writes the file. One of the two may not be there. */
void
source_keys(struct acquire *a)
{
	const struct plan_identity *p = a->plan;
	struct profile_keys found;
	struct buf config, credentials;

	buf_init(&config, FILE_MAX);
	buf_init(&credentials, FILE_MAX);
	(void)file_read(p->config_file, &config);
	(void)file_read(p->credentials_file, &credentials);
	if (profile_keys(buf_span(&config), buf_span(&credentials), p->profile, &found))
		acquire_got(a, &(struct call_keys){found.key_id, found.secret, found.token}, 0);
	else
		acquire_failed(a, false, "NoProfileKeys",
			       "the profile %.*s holds no pair of keys any more, or its files "
			       "cannot be read",
			       (int)p->profile.len, p->profile.ptr);
	buf_free(&config);
	buf_free(&credentials);
}
