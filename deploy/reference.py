#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/configuration.md from the JSON Schema of `sidekey check --schema`.

    sidekey check --schema | deploy/reference.py > docs/configuration.md
"""

import json
import re
import sys

OPENING = """\
# Configuration reference

Made by `make docs` from the table that the parser reads (`sidecar/config/schema.c`); a test keeps it so. For examples see
the [README](../README.md#configuration). [sidekey.schema.json](../deploy/sidekey.schema.json) says the same to an editor.

The file is YAML or JSON. It is the first of these that is there:

1. what `-c FILE` names
2. what `SIDEKEY_CONFIG` names
3. the text in `SIDEKEY_CONFIG_CONTENT`
4. `/etc/sidekey/sidekey.yaml`
5. `$XDG_CONFIG_HOME/sidekey/sidekey.yaml`, where that is not set `~/.config/sidekey/sidekey.yaml`

Without any, `SIDEKEY_API_BASE` and `SIDEKEY_API_KEY` (a reference) make one target.

| type | is written |
|---|---|
| reference | where a secret is: `arn:…`, `env:NAME` or `file:/path`; never the secret |
| path or reference | the same, or an absolute path |
| token | a reference, or `sha256:` and the digest of the token in hexadecimal |
| duration | a number and a unit: `250ms`, `5s`, `10m`, `24h`, `7d` |
| size | bytes, or a number and a unit: `64KiB`, `32MiB`, `1GiB`, `64kB`, `32MB` |
| name | a letter or digit, then letters, digits, `-` and `_`; 64 at most |

`${VAR}` and `${VAR:-default}` stand for variables of sidekey's environment, in every value; a default has no `${` in it.
A key that is not here, or of another type, is an error. `sidekey check` names all errors, each with its line, and warns
of what is of no use.
"""
MILLISECONDS = {"d": 86400000, "h": 3600000, "m": 60000, "s": 1000, "ms": 1}
BYTES = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
LARGEST = 2**32 - 2  # beyond it a bound is the machine's, and bounds nobody


def in_units(number, units):
    """The shortest whole form, such as 5m of 300000."""
    if not number:
        return "0s" if "ms" in units else "0"
    return next(f"{number // size}{unit}" for unit, size in units.items() if number % size == 0)


def duration(schema):
    bounds = re.findall(r"(\d+)ms", schema["$comment"])
    least, most = (in_units(int(b), MILLISECONDS) for b in bounds)
    return f"duration, {least} to {most}"


def number(schema, text):
    least, most = schema.get("minimum", 0), schema["maximum"]
    if "KiB" in text:
        return f"size, {in_units(least, BYTES)} to {in_units(most, BYTES)}"
    return f"integer, {least} to {most}" if most < LARGEST else f"integer, at least {least}"


def choice(options):
    """What one of several schemas takes; the last of them is the one for a variable."""
    first, text = options[0], options[-1].get("pattern", "")
    if first.get("type") == "boolean":
        return "`true` or `false`"
    if "enum" in first:
        return ", ".join(f"`{word}`" for word in first["enum"])
    if first.get("type") == "integer":
        return number(first, text)
    if "openai" in options[-1].get("properties", {}):
        return "name, or a map of names by dialect: " + ", ".join(
            f"`{word}`" for word in options[-1]["properties"]
        )
    return "`ADDRESS:PORT`, `unix:PATH`, or a map"


def text(schema):
    pattern = schema.get("pattern", "")
    if "(ms|s|m|h|d)" in pattern:
        return duration(schema)
    if pattern.startswith("^(?:arn:"):
        if "sha256:" in pattern:
            return "token"
        if pattern.split(")$|")[0].endswith("|/.+"):
            return "path or reference"
        return "reference or `none`" if "|none)" in pattern else "reference"
    if "[Hh][Tt]" in pattern:
        return "URL"
    if pattern.startswith("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"):
        return "name"
    return f"text, {schema['maxLength']} at most" if "maxLength" in schema else "text"


def counted(what, least, most):
    if least and most:
        return f"{what}; {least} to {most} of them"
    return f"{what}; {most} at most" if most else what


def written(schema):
    """The type of a key in a few words."""
    if "not" in schema:
        return "none yet"
    if schema.get("type") == "array":
        item = schema["items"]
        what = "sections" if "properties" in item else written(item)
        return counted(f"list of {what}", schema.get("minItems"), schema.get("maxItems"))
    if "anyOf" in schema:
        return choice(schema["anyOf"])
    if schema.get("type") == "object":
        if "properties" in schema:
            return "section"
        below = schema["additionalProperties"]
        what = "sections by name" if "properties" in below else "texts by name"
        return counted(what, schema.get("minProperties"), schema.get("maxProperties"))
    return text(schema)


def default(schema, is_required):
    if is_required:
        return "required"
    if "default" not in schema:
        return ""
    value = schema["default"]
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def below(path, schema):
    """The sections that a key opens, as (path, schema)."""
    maps = [o for o in schema.get("items", {}).get("anyOf", []) if "properties" in o]
    places = {
        path: schema,
        f"{path}[]": maps[0] if maps else schema.get("items", {}),
        f"{path}.NAME": schema.get("additionalProperties"),
    }
    return [(p, s) for p, s in places.items() if isinstance(s, dict) and "properties" in s]


def cell(words):
    return words.replace("|", "\\|")


def section(path, schema):
    print(f"\n## {f'`{path}`' if path else 'The file'}\n")
    print("| key | type | default | |\n|---|---|---|---|")
    for key, value in schema["properties"].items():
        given = default(value, key in schema.get("required", ()))
        print(f"| `{key}` | {cell(written(value))} | {given} | {cell(value['description'])} |")
    for key, value in schema["properties"].items():
        for place, inner in below(f"{path}.{key}" if path else key, value):
            section(place, inner)


def main():
    print(OPENING, end="")
    section("", json.load(sys.stdin))


main()
