# SPDX-License-Identifier: Apache-2.0
"""A Strands agent: puts its question to a model, which may look at the clock, and ends.

Where the model is comes from OPENAI_BASE_URL; OPENAI_API_KEY is a word that the SDK insists on.
"""

import datetime
import os

from strands import Agent, tool
from strands.models.openai import OpenAIModel


@tool
def clock() -> str:
    """The date and time in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


model = OpenAIModel(model_id=os.environ.get("MODEL", "gpt-4o"))
agent = Agent(model=model, tools=[clock], callback_handler=None)
print(agent(os.environ.get("QUESTION", "What time is it?")))
