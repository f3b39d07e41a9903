/* SPDX-License-Identifier: Apache-2.0 */
/* The words and the forms of text that the table of keys speaks of. */
#ifndef CONFIG_FORM_H
#define CONFIG_FORM_H

#include "config/schema.h"

schema_word form_word_sandbox, form_word_credentials, form_word_log_format, form_word_log_level,
	form_word_none, form_word_auth, form_word_provider, form_word_operation;

extern const struct schema_form form_name; /* of a target or caller */
extern const struct schema_form form_query_name, form_host, form_server, form_header, form_region,
	form_match, form_mode, form_path, form_role, form_session, form_digest;

#endif
