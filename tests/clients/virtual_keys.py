# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's `custom_auth` hook: its proxy asks here about each call's key.

The keys, each with the models that it may use, are those of the JSON file that VIRTUAL_KEYS
names, as it stands at that moment: a key that is taken out of it is worth nothing at once.
"""

import json
import os
from pathlib import Path

from litellm.proxy._types import ProxyErrorTypes, ProxyException, UserAPIKeyAuth


async def keeper(request, api_key: str) -> UserAPIKeyAuth:
    keys = json.loads(Path(os.environ["VIRTUAL_KEYS"]).read_text())
    if api_key not in keys:
        message = "Authentication Error, Invalid proxy server token passed."
        raise ProxyException(message, ProxyErrorTypes.token_not_found_in_db, "key", 401)
    return UserAPIKeyAuth(api_key=api_key, models=keys[api_key])
