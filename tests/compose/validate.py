# SPDX-License-Identifier: Apache-2.0
"""Holds a compose file (standard input, variables replaced) to the Compose Specification; prints
it as JSON, in the long form. Runs in an environment of its own (requirements.txt here)."""

import sys

import compose_spec

compose = compose_spec.PyCompose.from_yaml(sys.stdin.read())
compose.validate()
print(compose.to_json())
