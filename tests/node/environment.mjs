// SPDX-License-Identifier: Apache-2.0
// The clients of deploy/agent/README.md, told where to call by their environment alone.
//
//   node environment.mjs CLIENT        prints what the model said
import Anthropic from "@anthropic-ai/sdk";
import { anthropic } from "@ai-sdk/anthropic";
import { openai } from "@ai-sdk/openai";
import { generateText } from "ai";
import OpenAI, { AzureOpenAI } from "openai";

const prompt = "hello big world";
const messages = [{ role: "user", content: prompt }];

async function chat(client, model) {
  const answer = await client.chat.completions.create({ model, messages });
  return answer.choices[0].message.content;
}

async function vercel(model) {
  return (await generateText({ model, prompt, maxRetries: 0 })).text;
}

const clients = {
  openai: () => chat(new OpenAI(), "gpt-4o"),
  azure: () => chat(new AzureOpenAI(), "my-gpt"),
  async anthropic() {
    const ask = { model: "claude-x", max_tokens: 9, messages };
    return (await new Anthropic().messages.create(ask)).content[0].text;
  },
  vercelOpenai: () => vercel(openai("gpt-4o")),
  vercelAnthropic: () => vercel(anthropic("claude-x")),
};

console.log(await clients[process.argv[2]]());
