// OpenAI's npm SDK against `make run`: base URL and key come from the environment it reads itself.
import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';

const openai = new OpenAI();
const messages = [{ role: 'user', content: 'Hello, world!' }];
const tools = [{
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
  },
}];
const say = (content) => [{ role: 'user', content }];

test('a completion', async () => {
  const response = await openai.chat.completions.create({ model: 'gpt-4o', messages });
  assert.equal(response.object, 'chat.completion');
  assert.equal(response.choices[0].finish_reason, 'stop');
  assert.match(response.choices[0].message.content, /Hello, world!/);
  assert.match(response._request_id, /^req_/);
});

test('a stream, chunk by chunk', async () => {
  const stream = await openai.chat.completions.create({ model: 'losi-omega', messages, stream: true });
  let text = '', chunks = 0;
  for await (const chunk of stream) { text += chunk.choices[0].delta.content ?? ''; chunks += 1; }
  assert.match(text, /Hello, world!/);
  assert.ok(chunks > 3);
});

test('the stream helper accumulates the same, with usage', async () => {
  const stream = openai.chat.completions.stream({
    model: 'gpt-4o', messages, stream_options: { include_usage: true },
  });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.role, 'assistant');
  assert.equal(final.usage.total_tokens, final.usage.prompt_tokens + final.usage.completion_tokens);
});

test('a tools round trip by the tool runner', async () => {
  const asked = [];
  const runner = openai.chat.completions.runTools({
    model: 'gpt-4o',
    messages: say('What is the weather in London?'),
    tools: [{
      type: 'function',
      function: {
        ...tools[0].function,
        parse: JSON.parse,
        function: (args) => { asked.push(args); return '18 degrees'; },
      },
    }],
  });
  assert.match(await runner.finalContent(), /18 degrees/);
  assert.equal(typeof asked[0].location, 'string');
});

test('parallel tool calls keep their own index', async () => {
  const stream = openai.chat.completions.stream({
    model: 'gpt-4o', messages: say('[[sandbox:parallel=3]]'), tools,
  });
  const { tool_calls: calls } = (await stream.finalChatCompletion()).choices[0].message;
  assert.equal(new Set(calls.map((call) => call.id)).size, 3);
  for (const call of calls) JSON.parse(call.function.arguments);
});

test('structured output', async () => {
  const response = await openai.chat.completions.create({
    model: 'gpt-4o',
    messages,
    response_format: {
      type: 'json_schema',
      json_schema: {
        name: 'weather',
        strict: true,
        schema: {
          type: 'object', properties: { celsius: { type: 'number' } },
          required: ['celsius'], additionalProperties: false,
        },
      },
    },
  });
  assert.equal(typeof JSON.parse(response.choices[0].message.content).celsius, 'number');
});

test('embeddings', async () => {
  const answer = await openai.embeddings.create({ model: 'text-embedding-3-small', input: ['a', 'b'], dimensions: 8 });
  assert.deepEqual(answer.data.map((one) => one.embedding.length), [8, 8]);
});

test('the models', async () => {
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  assert.ok(ids.includes('losi-omega'));
  assert.equal((await openai.models.retrieve('gpt-4o')).owned_by, 'openai');
});

for (const [status, Class] of [
  [400, OpenAI.BadRequestError], [401, OpenAI.AuthenticationError],
  [403, OpenAI.PermissionDeniedError], [404, OpenAI.NotFoundError],
  [429, OpenAI.RateLimitError], [500, OpenAI.InternalServerError],
]) {
  test(`status ${status} is ${Class.name}`, async () => {
    const call = openai.chat.completions.create(
      { model: 'gpt-4o', messages: say(`[[sandbox:error=${status}]]`) }, { maxRetries: 0 });
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof Class);
      assert.ok(error.type && error.message && error.requestID.startsWith('req_'));
      return true;
    });
  });
}

test('a stream that breaks half-way rejects', async () => {
  const stream = await openai.chat.completions.create(
    { model: 'gpt-4o', messages: say('[[sandbox:break_after=3]]'), stream: true });
  let seen = 0;
  await assert.rejects(async () => { for await (const _ of stream) seen += 1; }, OpenAI.APIError);
  assert.equal(seen, 3);
});

test("the documentation's fetch example", async () => {
  const response = await fetch(`${process.env.OPENAI_BASE_URL}/chat/completions`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Authorization': `Bearer ${process.env.OPENAI_API_KEY}`,
    },
    body: JSON.stringify({
      model: 'gpt-4o', messages: [{ role: 'user', content: 'Tell me a story' }], stream: true,
    }),
  });
  const reader = response.body.getReader(), decoder = new TextDecoder();
  let text = '';
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value);
  }
  assert.ok(text.startsWith('data: {') && text.endsWith('data: [DONE]\n\n'));
});
