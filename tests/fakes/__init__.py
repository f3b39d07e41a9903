# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for what sidekey talks to, and the handle by which tests run sidekey itself."""
