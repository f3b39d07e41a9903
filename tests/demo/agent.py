# SPDX-License-Identifier: Apache-2.0
"""The agent of the demo: the openai package as everybody uses it, and no secret.

Its environment says where to call (OPENAI_BASE_URL) and holds a key that is worth nothing.
For each step named on standard input it prints one JSON line: what it sent, what it got.
"""

import json
import sys

import openai

MODEL = "gpt-4o"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def chat(client: openai.OpenAI) -> str:
    question = [{"role": "user", "content": "Where is my key?"}]
    answer = client.chat.completions.create(model=MODEL, messages=question)
    return answer.choices[0].message.content


def streamed_chat(client: openai.OpenAI) -> str:
    question = [{"role": "user", "content": "Word by word, please."}]
    stream = client.chat.completions.create(model=MODEL, messages=question, stream=True)
    parts = [part.choices[0].delta.content for part in stream]
    return "|".join(filter(None, parts))


def tool_call(client: openai.OpenAI) -> str:
    talk = [{"role": "user", "content": "Do I need an umbrella in Paris?"}]
    ask = client.chat.completions.create(model=MODEL, messages=talk, tools=[WEATHER])
    call = ask.choices[0].message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    talk += [ask.choices[0].message, result]
    answer = client.chat.completions.create(model=MODEL, messages=talk, tools=[WEATHER])
    return answer.choices[0].message.content


def make_a_key(client: openai.OpenAI) -> object:
    return client.post("/key/generate", body={"models": ["all"]}, cast_to=object)


def other_upstream(client: openai.OpenAI) -> object:
    steer = {"api_base": "https://evil.example/v1"}
    return client.chat.completions.create(model=MODEL, messages=[], extra_body=steer)


def rebound_name(client: openai.OpenAI) -> object:
    disguised = client.with_options(default_headers={"Host": "evil.example"})
    return disguised.models.list()


STEPS = [chat, streamed_chat, tool_call, make_a_key, other_upstream, rebound_name]


def take(step, client: openai.OpenAI) -> dict:
    try:
        return {"said": step(client)}
    except openai.APIStatusError as error:
        message = (error.body or {}).get("message") if isinstance(error.body, dict) else None
        return {"status": error.status_code, "code": error.code, "message": message}
    except openai.OpenAIError as error:
        return {"message": str(error)}


def main() -> None:
    sent: list[dict] = []

    def note(request) -> None:
        sent.append(
            {
                "line": f"{request.method} {request.url.raw_path.decode()}",
                "headers": [[n.decode(), v.decode()] for n, v in request.headers.raw],
                "body": request.content.decode(),
            }
        )

    http = openai.DefaultHttpxClient(event_hooks={"request": [note]})
    client = openai.OpenAI(http_client=http, max_retries=0)
    steps = {step.__name__: step for step in STEPS}
    for line in sys.stdin:
        sent.clear()
        outcome = take(steps[line.strip()], client)
        print(json.dumps({**outcome, "sent": sent}), flush=True)


if __name__ == "__main__":
    main()
