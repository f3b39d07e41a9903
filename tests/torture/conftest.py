# SPDX-License-Identifier: Apache-2.0
"""The same world of stand-ins as the end-to-end tests have."""

from e2e.conftest import plain_world, root, start, world

__all__ = ["plain_world", "root", "start", "world"]
