# SPDX-License-Identifier: Apache-2.0
"""A small agent: asks a model, calls its one tool, prints the answer.

    python agent.py QUESTION...

Where to call comes from the environment (README.md), and nothing in there is secret. MODEL names
the model; AGENT_ONCE=0 keeps the agent asking, a question a line of standard input.
"""

import datetime
import os
import sys

import openai

MODEL = os.environ.get("MODEL", "gpt-4o")
STEPS = 8
TOOL = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "The date and time in UTC",
        "parameters": {"type": "object", "properties": {}},
    },
}


def clock() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def ask(client: openai.OpenAI, question: str) -> str:
    """The answer, after as many calls of the tool as the model wants, up to STEPS."""
    talk: list = [{"role": "user", "content": question}]
    for _ in range(STEPS):
        answer = client.chat.completions.create(model=MODEL, messages=talk, tools=[TOOL])
        said = answer.choices[0].message
        if not said.tool_calls:
            return said.content or ""
        talk.append(said)
        talk += [
            {"role": "tool", "tool_call_id": call.id, "content": clock()}
            for call in said.tool_calls
        ]
    return "(no answer: the model went on calling its tool)"


def main() -> int:
    client = openai.OpenAI()
    once = os.environ.get("AGENT_ONCE", "1") != "0"
    questions = [" ".join(sys.argv[1:])] if once else sys.stdin
    try:
        for question in questions:
            print(ask(client, question.strip()), flush=True)
    except openai.APIStatusError as error:
        # What sidekey refuses says which rule refused it, and what to do.
        code = error.response.headers.get("x-sidekey-error", "the upstream")
        print(f"refused with {error.status_code} by {code}: {error.message}", file=sys.stderr)
        return 1
    except openai.APIConnectionError:
        print(f"nothing answers at {client.base_url}: is sidekey there?", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
