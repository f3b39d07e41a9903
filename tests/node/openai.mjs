// SPDX-License-Identifier: Apache-2.0
// The everyday calls of the openai package for JavaScript; prints what it got as one JSON object.
//
//   node openai.mjs BASE_URL SCENARIO...        (no scenario: all of them)
import OpenAI from "openai";

const [base, ...chosen] = process.argv.slice(2);
const client = new OpenAI({ baseURL: base, apiKey: "none" });
const model = "gpt-4o";
const messages = [{ role: "user", content: "hello big world" }];
const tools = [
  {
    type: "function",
    function: {
      name: "weather",
      parameters: { type: "object", properties: { city: { type: "string" } } },
    },
  },
];

async function collect(stream, pick) {
  const parts = [];
  for await (const part of stream) parts.push(pick(part));
  return parts;
}

const scenarios = {
  async chat() {
    const answer = await client.chat.completions.create({ model, messages });
    return answer.choices[0].message.content;
  },
  async streamedChat() {
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    return (await collect(stream, (c) => c.choices[0]?.delta?.content ?? "")).join("");
  },
  async responses() {
    return (await client.responses.create({ model, input: "hi there" })).output_text;
  },
  async streamedResponses() {
    const stream = await client.responses.create({ model, input: "hi there", stream: true });
    return collect(stream, (event) => event.type);
  },
  async embeddings() {
    return (await client.embeddings.create({ model: "e", input: ["a", "b"] })).data[1].embedding;
  },
  async models() {
    return collect(await client.models.list(), (m) => m.id);
  },
  async toolCall() {
    const asked = await client.chat.completions.create({ model, messages, tools });
    const message = asked.choices[0].message;
    const call = message.tool_calls[0];
    const result = { role: "tool", tool_call_id: call.id, content: "sunny" };
    const again = [...messages, message, result];
    const answer = await client.chat.completions.create({ model, messages: again, tools });
    return [call.function.name, JSON.parse(call.function.arguments).city,
      answer.choices[0].message.content];
  },
  async retry() {
    const request = { model: "busy-once", messages };
    return (await client.chat.completions.create(request)).choices[0].message.content;
  },
  async cancel() {
    const stream = await client.chat.completions.create({ model: "slow", messages, stream: true });
    for await (const _ of stream) break;
    stream.controller.abort();
    return "cancelled";
  },
  async broken() {
    const stream = await client.chat.completions.create({ model: "breaks", messages, stream: true });
    try {
      return (await collect(stream, () => 1)).length;
    } catch (error) {
      return `raised ${error.constructor.name}`;
    }
  },
  async refused() {
    try {
      await client.images.generate({ model, prompt: "a key" });
      return "allowed";
    } catch (error) {
      return [error.status, error.code];
    }
  },
};

const results = {};
for (const name of chosen.length ? chosen : Object.keys(scenarios)) {
  results[name] = await scenarios[name]();
}
console.log(JSON.stringify(results));
