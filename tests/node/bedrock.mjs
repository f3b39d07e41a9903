// SPDX-License-Identifier: Apache-2.0
// Everyday calls of the AWS SDK for JavaScript to Bedrock; prints what each got as one JSON object.
//
//   node bedrock.mjs BASE_URL SCENARIO...        (the base with /bedrock)
import {
  ApplyGuardrailCommand,
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  CountTokensCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
  StartAsyncInvokeCommand,
} from "@aws-sdk/client-bedrock-runtime";
import {
  BedrockAgentRuntimeClient,
  InvokeAgentCommand,
  RetrieveCommand,
} from "@aws-sdk/client-bedrock-agent-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const [endpoint, ...chosen] = process.argv.slice(2);
const modelId = "us.anthropic.claude-sonnet-4-20250514-v1:0";
const messages = [{ role: "user", content: [{ text: "hello" }] }];
const contentType = "application/json";
const body = JSON.stringify({ messages });

const options = {
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "none", secretAccessKey: "none" },
};
const handled = { ...options, requestHandler: new NodeHttpHandler() };
const runtime = new BedrockRuntimeClient(handled);
const agents = new BedrockAgentRuntimeClient(handled);

async function collect(stream, pick) {
  let text = "";
  for await (const event of stream) text += pick(event) ?? "";
  return text;
}

// The class that the SDK raises, the status, and how often it tried.
async function raised(promise) {
  try {
    await promise;
    return "allowed";
  } catch (error) {
    return [error.constructor.name, error.$metadata.httpStatusCode, error.$metadata.attempts,
      error.message];
  }
}

const ask = (id) => runtime.send(new ConverseCommand({ modelId: id, messages }));
const decode = (bytes) => new TextDecoder().decode(bytes);

const scenarios = {
  async converse() {
    return (await ask(modelId)).output.message.content[0].text;
  },
  async converseStream() {
    const answer = await runtime.send(new ConverseStreamCommand({ modelId, messages }));
    return collect(answer.stream, (event) => event.contentBlockDelta?.delta.text);
  },
  async invoke() {
    return JSON.parse(decode(
      (await runtime.send(new InvokeModelCommand({ modelId, body, contentType }))).body));
  },
  async invokeStream() {
    const command = new InvokeModelWithResponseStreamCommand({ modelId, body, contentType });
    return collect((await runtime.send(command)).body, (event) => decode(event.chunk.bytes));
  },
  async countTokens() {
    const input = { converse: { messages } };
    return (await runtime.send(new CountTokensCommand({ modelId, input }))).inputTokens;
  },
  async guardrail() {
    const command = new ApplyGuardrailCommand({
      guardrailIdentifier: "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc",
      guardrailVersion: "1",
      source: "INPUT",
      content: [{ text: { text: "hello" } }],
    });
    return (await runtime.send(command)).action;
  },
  async retrieve() {
    const asked = { knowledgeBaseId: "ABCDEFGHIJ", retrievalQuery: { text: "hello" } };
    return (await agents.send(new RetrieveCommand(asked))).retrievalResults[0].content.text;
  },
  async agent() {
    const asked = { agentId: "A1", agentAliasId: "B2", sessionId: "cc", inputText: "hello big world" };
    const answer = await agents.send(new InvokeAgentCommand(asked));
    return collect(answer.completion, (event) => decode(event.chunk.bytes));
  },
  refusedModel: () => raised(ask("nobody.knows-v1:0")),
  refusedGuardrail: () => raised(scenarios.guardrail()),
  refusedAgent: () => raised(scenarios.agent()),
  refusedBody: () =>
    raised(runtime.send(new InvokeModelCommand({ modelId, body: new Uint8Array(25_000_001) }))),
  refusedRoute: () =>
    raised(runtime.send(new StartAsyncInvokeCommand({
      modelId, modelInput: {}, outputDataConfig: { s3OutputDataConfig: { s3Uri: "s3://b/k" } } }))),
  brokenUpstream: () => raised(ask(modelId)),
  // As the SDK comes: it opens the connection as HTTP/2, with prior knowledge.
  async http2() {
    const plain = new BedrockRuntimeClient({ ...options, maxAttempts: 1 });
    const [name] = await raised(plain.send(new ConverseCommand({ modelId, messages })));
    return name;
  },
};

const results = {};
for (const name of chosen) results[name] = await scenarios[name]();
console.log(JSON.stringify(results));
