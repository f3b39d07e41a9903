/* SPDX-License-Identifier: Apache-2.0 */
/* What to do about what is no YAML: libyaml speaks to those who know its grammar. */
#ifndef CONFIG_SYNTAX_H
#define CONFIG_SYNTAX_H

#include "config/yaml.h"

/* A hint for fault, which yaml_read found in text; or NULL. A literal: never text of the file. */
const char *syntax_hint(struct span text, const struct yaml_fault *fault);

#endif
