# SPDX-License-Identifier: Apache-2.0
"""What agent frameworks ask of Bedrock; prints what each got as one JSON object.

    python bedrock.py BASE_URL SCENARIO...

Runs in an environment of its own (requirements.txt here), with credentials that are worth nothing.
"""

import json
import os
import sys

BASE = sys.argv[1]  # with /bedrock
MODEL = "us.anthropic.claude-sonnet-4-20250514-v1:0"
HELLO = [{"role": "user", "content": "hello"}]
os.environ.update(
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    NO_PROXY="*",
    AWS_ACCESS_KEY_ID="none",
    AWS_SECRET_ACCESS_KEY="none",
    AWS_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)


def strands(streaming):
    """One that uses a tool: what it did, and what it said in the end."""
    from strands import Agent, tool
    from strands.models import BedrockModel

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    model = BedrockModel(model_id=MODEL, endpoint_url=BASE, streaming=streaming)
    agent = Agent(model=model, tools=[weather], callback_handler=None)
    said = agent("how is the weather?").message["content"][0]["text"]
    return [m["content"][0].get("toolUse", {}).get("name") for m in agent.messages], said


def strands_plain():
    return strands(False)


def strands_streamed():
    return strands(True)


def litellm():
    import litellm

    ask = {"model": f"bedrock/{MODEL}", "messages": HELLO, "aws_bedrock_runtime_endpoint": BASE}
    plain = litellm.completion(**ask).choices[0].message.content
    stream = litellm.completion(**ask, stream=True)
    return [plain, "".join(c.choices[0].delta.content or "" for c in stream if c.choices)]


def litellm_by_environment():
    os.environ["AWS_BEDROCK_RUNTIME_ENDPOINT"] = BASE
    import litellm

    answer = litellm.completion(model=f"bedrock/{MODEL}", messages=HELLO)
    return answer.choices[0].message.content


def litellm_refused():
    """What an agent is told that asks for a model of nobody's."""
    import litellm

    model = "bedrock/converse/nobody.knows-v1:0"
    try:
        litellm.completion(model=model, messages=HELLO, aws_bedrock_runtime_endpoint=BASE)
    except litellm.exceptions.PermissionDeniedError as error:
        return [error.status_code, str(error)]


def anthropic_sdk():
    """As Claude Code in its Bedrock mode: what it got, and what it is told that asks too much."""
    import anthropic

    keys = {"aws_access_key": "none", "aws_secret_key": "none", "aws_region": "us-east-1"}
    client = anthropic.AnthropicBedrock(base_url=BASE, max_retries=0, **keys)
    ask = {"model": MODEL, "max_tokens": 9, "messages": HELLO, "betas": ["context-1m-2025-08-07"]}
    got = client.beta.messages.create(**ask, metadata={"user_id": "u"}).model
    try:
        client.beta.messages.create(**ask, extra_body={"api_base": "http://evil.example"})
    except anthropic.PermissionDeniedError as error:
        return [got, error.status_code, str(error)]


print(json.dumps({name: globals()[name]() for name in sys.argv[2:]}))
