# SPDX-License-Identifier: Apache-2.0
"""The clients of deploy/agent/README.md, told where to call by their environment alone.

    python by_environment.py CLIENT        prints what the model said
"""

import sys

HELLO = [{"role": "user", "content": "hello big world"}]


def openai_python():
    import openai

    return openai.OpenAI().chat.completions.create(model="gpt-4o", messages=HELLO)


def azure_python():
    import openai

    return openai.AzureOpenAI().chat.completions.create(model="my-gpt", messages=HELLO)


def litellm_sdk():
    import litellm

    return litellm.completion(model="team-haiku", messages=HELLO)


def anthropic_python():
    import anthropic

    ask = {"model": "claude-x", "max_tokens": 9, "messages": HELLO}
    return anthropic.Anthropic().messages.create(**ask).content[0].text


def langchain():
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model="gpt-4o").invoke("hello big world").content


def strands(model):
    from strands import Agent

    answer = Agent(model=model, callback_handler=None)("hello big world")
    return answer.message["content"][0]["text"]


def strands_openai():
    from strands.models.openai import OpenAIModel

    return strands(OpenAIModel(model_id="gpt-4o"))


def strands_litellm():
    from strands.models.litellm import LiteLLMModel

    return strands(LiteLLMModel(model_id="litellm_proxy/team-haiku"))


def strands_bedrock():
    from strands.models.bedrock import BedrockModel

    return strands(BedrockModel(model_id="amazon.nova-lite-v1:0", streaming=False))


def boto3_bedrock():
    import boto3

    ask = [{"role": "user", "content": [{"text": "hello big world"}]}]
    client = boto3.client("bedrock-runtime")
    answer = client.converse(modelId="amazon.nova-lite-v1:0", messages=ask)
    return answer["output"]["message"]["content"][0]["text"]


said = globals()[sys.argv[1]]()
print(said if isinstance(said, str) else said.choices[0].message.content)
