// SPDX-License-Identifier: Apache-2.0
// A plain and a streamed call of further SDKs for JavaScript; prints both texts of each.
//
//   node clients.mjs BASE_URL SCENARIO...        (the base without /v1)
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import { AzureOpenAI } from "openai";

const [base, ...chosen] = process.argv.slice(2);
const prompt = "hello big world";
const messages = [{ role: "user", content: prompt }];

async function collect(stream, pick) {
  let text = "";
  for await (const part of stream) text += pick(part) ?? "";
  return text;
}

async function vercel(model) {
  const plain = await generateText({ model, messages, maxRetries: 0 });
  const streamed = streamText({ model, messages, maxRetries: 0 });
  return [plain.text, await collect(streamed.textStream, (text) => text)];
}

const scenarios = {
  async anthropic() {
    const client = new Anthropic({ baseURL: base, apiKey: "none", maxRetries: 0 });
    const ask = { model: "claude-x", max_tokens: 9, messages };
    const plain = await client.messages.create(ask);
    const stream = await client.messages.create({ ...ask, stream: true });
    return [plain.content[0].text, await collect(stream, (event) => event.delta?.text)];
  },
  async azure() {
    const client = new AzureOpenAI({ endpoint: base, apiKey: "none", apiVersion: "2023-05-15" });
    const ask = { model: "my-gpt", messages };
    const plain = await client.chat.completions.create(ask);
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    return [plain.choices[0].message.content,
      await collect(stream, (chunk) => chunk.choices[0]?.delta?.content)];
  },
  vercelAnthropic: () =>
    vercel(createAnthropic({ baseURL: `${base}/v1`, apiKey: "none" })("claude-x")),
  vercelCompatible: () =>
    vercel(createOpenAICompatible({ name: "sidekey", baseURL: base, apiKey: "none" })(
      "litellm_proxy/team-haiku")),
  vercelResponses: () =>
    vercel(createOpenAI({ baseURL: `${base}/v1`, apiKey: "none" })("gpt-4o")),
};

const results = {};
for (const name of chosen) results[name] = await scenarios[name]();
console.log(JSON.stringify(results));
