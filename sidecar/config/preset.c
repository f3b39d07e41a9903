/* SPDX-License-Identifier: Apache-2.0 */
#include "config/preset.h"

static const struct preset presets[PROVIDERS] = {
	[PROVIDER_OPENAI] = {"Authorization", "Bearer "},
	[PROVIDER_AZURE] = {"api-key", ""},
	[PROVIDER_ANTHROPIC] = {"x-api-key", ""},
	[PROVIDER_GEMINI] = {"Authorization", "Bearer "},
	[PROVIDER_LITELLM] = {"Authorization", "Bearer "},
	[PROVIDER_BEDROCK] = {"Authorization", "Bearer "},
	[PROVIDER_CLOUDFLARE] = {"Authorization", "Bearer "},
	[PROVIDER_OPENAI_COMPATIBLE] = {"Authorization", "Bearer "},
};

const struct preset *
preset_of(enum provider p)
{
	return &presets[p];
}
