// One question to this API by each JavaScript client, as asks.py does it by the Python ones.
//   OPENAI_BASE_URL=... OPENAI_API_KEY=... node asks.mjs CLIENT MODEL
import { z } from "zod";

const QUESTION = "What is the weather in Oslo?";
const Weather = z.object({
  city: z.string().describe("its name in English"),
  degrees: z.number().int().min(-60).max(60),
  sky: z.enum(["clear", "cloudy"]),
  days: z.array(z.object({ name: z.string(), degrees: z.number() })).min(1).max(7),
});

const clients = {
  async zod_parse(model) {
    const { default: OpenAI } = await import("openai");
    const { zodResponseFormat } = await import("openai/helpers/zod");
    const answer = await new OpenAI().chat.completions.parse({
      model,
      messages: [{ role: "user", content: QUESTION }],
      response_format: zodResponseFormat(Weather, "weather"),
    });
    return answer.choices[0].message.parsed;
  },
  async generate_object(model) {
    const { generateObject } = await import("ai");
    const { createOpenAI } = await import("@ai-sdk/openai");
    const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
    return (await generateObject({ model: openai.chat(model), schema: Weather, prompt: QUESTION })).object;
  },
  async generate_object_compatible(model) {
    const { generateObject } = await import("ai");
    const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
    const provider = createOpenAICompatible({
      name: "losi",
      baseURL: process.env.OPENAI_BASE_URL,
      apiKey: process.env.OPENAI_API_KEY,
      supportsStructuredOutputs: true,
    });
    return (await generateObject({ model: provider(model), schema: Weather, prompt: QUESTION })).object;
  },
};

console.log(Weather.parse(await clients[process.argv[2]](process.argv[3])));
