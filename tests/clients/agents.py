# SPDX-License-Identifier: Apache-2.0
"""Everyday calls of agent frameworks and SDKs; prints what each got as one JSON object.

    python agents.py BASE_URL SCENARIO...

Runs in an environment of its own (requirements.txt here): these packages hold openai below 3.
"""

import json
import os
import sys

BASE = sys.argv[1]  # without /v1
HELLO = [{"role": "user", "content": "hello big world"}]
os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", NO_PROXY="*")


def anthropic():
    import anthropic

    client = anthropic.Anthropic(base_url=BASE, api_key="none", max_retries=0)
    ask = {"model": "claude-x", "max_tokens": 9, "messages": HELLO}
    with client.messages.stream(**ask) as stream:
        streamed = "".join(stream.text_stream)
    return [client.messages.create(**ask).content[0].text, streamed]


def azure():
    import openai

    client = openai.AzureOpenAI(azure_endpoint=BASE, api_key="none", api_version="2023-05-15")
    plain = client.chat.completions.create(model="my-gpt", messages=HELLO)
    stream = client.chat.completions.create(model="my-gpt", messages=HELLO, stream=True)
    text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    return [plain.choices[0].message.content, text]


def litellm_says(model, **options):
    import litellm

    ask = {"model": model, "messages": HELLO, "api_base": BASE, "api_key": "none", **options}
    plain = litellm.completion(**ask).choices[0].message.content
    stream = litellm.completion(**ask, stream=True)
    return [plain, "".join(c.choices[0].delta.content or "" for c in stream if c.choices)]


def litellm():
    """One agent that switches between four upstreams by the prefix of the model's name."""
    return [
        litellm_says("litellm_proxy/team-haiku"),
        litellm_says("openai/gpt-4o"),
        litellm_says("azure/my-gpt", api_version="2023-05-15"),
        litellm_says("anthropic/claude-x"),
    ]


def langchain():
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(base_url=f"{BASE}/v1", api_key="none", model="gpt-4o", max_retries=0)
    return [model.invoke("hello big world").content, "".join(c.text for c in model.stream("hi"))]


def strands(model):
    from strands import Agent, tool

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    agent = Agent(model=model, tools=[weather], callback_handler=None)
    said = agent("how is the weather?").message["content"][0]["text"]
    return [m["content"][0].get("toolUse", {}).get("name") for m in agent.messages], said


def strands_litellm():
    from strands.models.litellm import LiteLLMModel

    arguments = {"api_base": BASE, "api_key": "none", "use_litellm_proxy": True}
    return strands(LiteLLMModel(client_args=arguments, model_id="team-haiku"))


def strands_openai():
    from strands.models.openai import OpenAIModel

    arguments = {"base_url": f"{BASE}/v1", "api_key": "none"}
    return strands(OpenAIModel(client_args=arguments, model_id="gpt-4o"))


print(json.dumps({name: globals()[name]() for name in sys.argv[2:]}))
