import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { CONSOLE, ApiError, dollars, get, number, plural, send, useData } from "../lib.js";
import { Button, Code, CopyButton, Field, Loaded, Problem, Samples, Support, chatSamples, resetsAtMidnight, start, useNow } from "../lib.js";

const IMAGE_TYPES = [["image/png", [0x89, 0x50, 0x4e, 0x47]], ["image/jpeg", [0xff, 0xd8, 0xff]], ["image/gif", [0x47, 0x49, 0x46, 0x38]], ["image/webp", [0x52, 0x49, 0x46, 0x46]]];
const MOST_IMAGE_BYTES = 3_000_000;
const DRAFT = "losi-playground";
const WEATHER = [{ type: "function", function: { name: "get_weather", description: "Get current weather in a location", parameters: { type: "object", properties: { location: { type: "string", description: "The city and state, e.g. London, UK" } }, required: ["location"] } } }];
const FIRST = [{ role: "system", content: "You are a helpful assistant." }, { role: "user", content: "Hello, world!" }];

function kept() {
  try { return JSON.parse(sessionStorage.getItem(DRAFT)) ?? {}; } catch { return {}; }
}

function Playground({ me, notice, reloadMe }) {
  const models = useData(() => get("models"));
  const draft = useRef(kept()).current;
  const [model, setModel] = useState(new URLSearchParams(location.search).get("model") ?? draft.model ?? me.plan.models.find((id) => id === "gpt-4o-mini") ?? me.plan.models[0] ?? "");
  const [messages, setMessages] = useState(draft.messages ?? FIRST);
  const [temperature, setTemperature] = useState(draft.temperature ?? "0.7");
  const [most, setMost] = useState(draft.most ?? "500");
  const [tools, setTools] = useState(draft.tools ?? "off");
  const [format, setFormat] = useState(draft.format ?? "text");
  const [images, setImages] = useState([]);
  const [problem, setProblem] = useState(null);
  const [until, setUntil] = useState(0);
  const run = useRun();
  useEffect(() => {
    try { sessionStorage.setItem(DRAFT, JSON.stringify({ model, messages, temperature, most, tools, format })); } catch { /* not kept */ }
  }, [model, messages, temperature, most, tools, format]);
  const body = {
    model,
    messages: messages.filter((message) => message.content || message.tool_calls || message.role === "tool").map((message, index, all) => message.role === "user" && images.length && index === all.findLastIndex((each) => each.role === "user")
      ? { role: "user", content: [{ type: "text", text: message.content }, ...images.map((image) => ({ type: "image_url", image_url: { url: image.data } }))] } : message),
    ...(temperature === "" ? {} : { temperature: Number(temperature) }),
    ...(most === "" ? {} : { max_tokens: Number(most) }),
    ...(tools === "weather" ? { tools: WEATHER } : {}),
    ...(format === "json" ? { response_format: { type: "json_object" } } : {}),
    stream: true,
  };
  const shown = { ...body, messages: body.messages.map((message) => Array.isArray(message.content) ? { ...message, content: message.content.map((part) => part.image_url ? { type: "image_url", image_url: { url: "data:image/…" } } : part) } : message) };
  async function ask() {
    if (run.busy || Date.now() < until) return;
    setProblem(null);
    if (!body.messages.some((message) => message.role === "user")) return setProblem(new ApiError({ message: "Enter a message of the user first." }));
    const failed = await run.start({ ...body, stream_options: { include_usage: true } }, models.data?.find((each) => each.id === model)?.pricing);
    if (failed) {
      setProblem(failed);
      if (failed.status === 429 && failed.retryAfter) setUntil(Date.now() + failed.retryAfter * 1000);
      if (failed.code === "session_expired") reloadMe().catch(() => location.assign(new URL("signin/", CONSOLE)));
    }
  }
  const change = (index, part) => setMessages(messages.map((message, at) => at === index ? { ...message, ...part } : message));
  const add = (...more) => { setMessages([...messages, ...more]); run.clear(); requestAnimationFrame(() => document.querySelector(".message:last-of-type textarea")?.focus()); };
  const keys = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
    if (event.key === "Escape" && run.busy) run.stop();
  };
  return html`<div onKeyDown=${keys}><div class="head"><h1 tabindex="-1">Playground</h1><${Button} class="quiet" onClick=${() => { setMessages(FIRST); setImages([]); run.clear(); setProblem(null); }}>Clear<//></div>
    <p class="lead">Your account's limits hold here, and what you ask is counted as “Playground” in usage.</p>${notice}
    <div class="play"><div>
      <section aria-labelledby="messages"><h2 id="messages" class="hide">Messages</h2>${messages.map((message, index) => html`<${Message} message=${message} index=${index} change=${(part) => change(index, part)} remove=${messages.length > 1 ? () => setMessages(messages.filter((_, at) => at !== index)) : null} />`)}
      ${images.length > 0 && html`<div class="thumbs">${images.map((image, index) => html`<button type="button" class="button small" onClick=${() => setImages(images.filter((_, at) => at !== index))}><img src=${image.url} alt="" />Remove ${image.name}</button>`)}</div>`}</section>
      <div class="row sendbar section-chips"><${Send} until=${until} busy=${run.busy} onSend=${ask} onStop=${run.stop} />
        <${Button} class="quiet" onClick=${() => add({ role: "user", content: "" })}>Add a message<//><small class="fine">Ctrl+Enter sends</small></div>
      ${problem && html`<${Refusal} error=${problem} me=${me} />`}
      <${Answer} run=${run} add=${add} free=${me.answers === "sandbox" || me.test} messages=${messages} />
    </div>
    <aside class="side" aria-label="Settings">
      <${Loaded} of=${models} what="Models" rows=${1}>${(list) => html`<${Field} name="model" label="Model">${(input) => html`<select ...${input} value=${model} onChange=${(event) => setModel(event.target.value)}>${list.filter((each) => each.max_output_tokens).map(({ id }) => html`<option value=${id} selected=${id === model}>${id}</option>`)}</select>`}<//><small>${list.find((each) => each.id === model)?.features.join(", ").replaceAll("_", " ")}</small>`}<//>
      <details class="fold" open=${innerWidth >= 960}><summary>Settings: ${temperature || "default"}, ${most || "no limit"}</summary>
      <${Field} name="temperature" label="Temperature" hint="0 to 2: lower is more deterministic">${(input) => html`<input ...${input} type="number" min="0" max="2" step="0.1" value=${temperature} onInput=${(event) => setTemperature(event.target.value)} />`}<//>
      <${Field} name="most" label="Max tokens">${(input) => html`<input ...${input} type="number" min="1" value=${most} onInput=${(event) => setMost(event.target.value)} />`}<//>
      <${Field} name="tools" label="Tools">${(input) => html`<select ...${input} value=${tools} onChange=${(event) => setTools(event.target.value)}><option value="off">Off</option><option value="weather">get_weather</option></select>`}<//>
      <${Field} name="format" label="Response">${(input) => html`<select ...${input} value=${format} onChange=${(event) => setFormat(event.target.value)}><option value="text">Text</option><option value="json">JSON object</option></select>`}<//>
      <div class="field"><label for="f-image">Image</label><input id="f-image" type="file" accept="image/png,image/jpeg,image/gif,image/webp" onChange=${async (event) => { const read = await readImage(event.target.files[0]); event.target.value = ""; if (read instanceof ApiError) setProblem(read); else if (read) setImages([...images, read]); }} /></div></details>
    </aside></div>
    <section class="section" aria-labelledby="as"><h2 id="as">The same request in code</h2><${Samples} samples=${chatSamples(shown)} label="The same request" /></section></div>`;
}

const TITLES = { rate_limit_exceeded: "The limit of this minute is reached", quota_exceeded: "Today's tokens are used up", api_access_disabled: "API access is off", model_not_in_plan: "Your plan does not have this model", request_exceeds_limit: "This is more than your plan takes at once" };

/** What was refused, how to go on, and for a limit what a program would get. */
function Refusal({ error, me }) {
  const now = useNow(60_000);
  const to = (path, words) => html`<a class="button small" href=${new URL(path, CONSOLE).href}>${words}</a>`;
  const next = { quota_exceeded: to("usage/", "See usage"), request_exceeds_limit: to("models/", "See models"), model_not_in_plan: to("models/", "See models"), api_access_disabled: to("settings/", "Profile settings") };
  return html`<${Problem} error=${error} title=${TITLES[error.code] ?? "The request was refused"}>
      ${error.code === "quota_exceeded" && html`<p>Calls are refused until midnight: the limit resets ${resetsAtMidnight(now)}.${me.support && html` For a larger plan ask <${Support} at=${me.support} />.`}</p>`}
      ${next[error.code]}<//>
    ${error.status === 429 && html`<details class="fold"><summary>What a program gets</summary><${Code} title="Status 429" text=${JSON.stringify(error.envelope, null, 2)} wrap /></details>`}`;
}

function Message({ message, index, change, remove }) {
  const name = `Message ${index + 1}`;
  const roles = message.role === "tool" || message.tool_calls ? [message.role] : ["system", "user", "assistant"];
  return html`<div class="message"><select aria-label="Role of message ${index + 1}" value=${message.role} onChange=${(event) => change({ role: event.target.value })}>${roles.map((role) => html`<option value=${role} selected=${role === message.role}>${role}</option>`)}</select>
    <textarea aria-label=${name} dir="auto" rows="2" value=${message.content ?? ""} placeholder=${message.tool_calls ? "Called a tool" : ""} onInput=${(event) => change({ content: event.target.value })}></textarea>
    ${remove ? html`<${Button} class="quiet" onClick=${remove}>Remove<span class="hide"> message ${index + 1}</span><//>` : html`<span></span>`}</div>`;
}

function Send({ until, busy, onSend, onStop }) {
  const now = useNow(until > Date.now() ? 1000 : 60_000);
  const wait = Math.ceil((until - now) / 1000);
  if (busy) return html`<button type="button" class="button" onClick=${onStop}>Stop</button>`;
  return html`<button type="button" class="button primary" aria-disabled=${wait > 0 || undefined} onClick=${onSend}>${wait > 0 ? `Send in ${wait} s` : "Send"}</button>`;
}

async function readImage(file) {
  if (!file) return null;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const type = IMAGE_TYPES.find(([, magic]) => magic.every((byte, at) => bytes[at] === byte))?.[0];
  if (!type) return new ApiError({ message: `${file.name} is not a PNG, JPEG, GIF or WebP image.` });
  if (bytes.length > MOST_IMAGE_BYTES) return new ApiError({ message: `${file.name} is larger than 3 MB. Make it smaller.` });
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return { name: file.name, url: URL.createObjectURL(new Blob([bytes], { type })), data: `data:${type};base64,${btoa(binary)}` };
}

/** One answer at a time, its text painted once a frame. */
function useRun() {
  const [state, set] = useState({ busy: false });
  const stopper = useRef(null);
  const box = useRef(null);
  async function start(body, pricing) {
    const began = performance.now();
    stopper.current = new AbortController();
    const now = { busy: true, text: "", calls: [], pricing };
    set(now);
    let frame = 0;
    const paint = () => { frame ||= requestAnimationFrame(() => { frame = 0; if (box.current) { const stick = atEnd(); box.current.textContent = now.text; if (stick) scrollTo(0, document.body.scrollHeight); } }); };
    try {
      const response = await send("POST", "chat/completions", { json: body, signal: stopper.current.signal });
      now.id = response.headers.get("x-request-id");
      for await (const event of events(response)) {
        if (event === "[DONE]") { now.whole = true; continue; }
        const chunk = JSON.parse(event);
        if (chunk.error) { now.error = chunk.error; continue; }
        const delta = chunk.choices?.[0]?.delta ?? {};
        now.finish = chunk.choices?.[0]?.finish_reason ?? now.finish;
        if (delta.content || delta.tool_calls) now.first ??= performance.now() - began;
        if (delta.content) { now.text += delta.content; paint(); }
        for (const call of delta.tool_calls ?? []) merge(now.calls, call);
        if (chunk.usage) now.usage = chunk.usage;
      }
    } catch (error) {
      if (error.name === "AbortError") now.stopped = true;
      else if (error instanceof ApiError) { set({ busy: false }); return error; }
      else now.error = { message: "The connection ended." };
    }
    cancelAnimationFrame(frame);
    set({ ...now, busy: false, seconds: (performance.now() - began) / 1000 });
    return null;
  }
  return { ...state, box, start, stop: () => stopper.current?.abort(), clear: () => set({ busy: false }) };
}

const atEnd = () => innerHeight + scrollY >= document.body.scrollHeight - 40;

function merge(calls, part) {
  const call = calls[part.index] ??= { id: "", type: "function", function: { name: "", arguments: "" } };
  if (part.id) call.id = part.id;
  call.function.name += part.function?.name ?? "";
  call.function.arguments += part.function?.arguments ?? "";
}

/** The data of each server-sent event. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data) yield data;
    }
  }
}

function cost({ usage, pricing }) {
  if (!usage || !pricing) return null;
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  return ((usage.prompt_tokens - cached) * pricing.input + cached * (pricing.cached_input ?? pricing.input) + usage.completion_tokens * pricing.output) / 1e6;
}

function Answer({ run, add, free }) {
  const [rich, setRich] = useState(null);
  const [result, setResult] = useState("");
  useEffect(() => { if (run.busy) setRich(null); }, [run.busy]);
  const idle = run.text === undefined;
  const words = run.busy ? "Answering…" : idle ? "" : `Answer finished, ${plural(run.usage?.completion_tokens ?? 0, "token")}. ${(run.text ?? "").slice(0, 500)}`;
  const paid = free ? 0 : cost(run);
  async function format() {
    if (rich) return setRich(null);
    const { formatted } = await import("../markdown.js");
    return setRich(formatted(run.text));
  }
  const calls = (run.calls ?? []).filter(Boolean);
  const reply = () => { add({ role: "assistant", content: run.text || null, tool_calls: calls }, ...calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: result || "{}" }))); setResult(""); };
  return html`<section class="section-chips" aria-labelledby="answer"><h2 id="answer" class="hide">Answer</h2><p role="status" class="hide">${words}</p>
    <div class="answer" aria-busy=${run.busy}>
      ${idle && html`<p class="muted">The answer appears here.</p>`}
      ${run.busy ? html`<div key="live" class="text" dir="auto" ref=${run.box}></div>` : rich ? html`<div key="rich" class="text formatted" dir="auto">${rich}</div>` : html`<div key="plain" class="text" dir="auto">${run.text}</div>`}
      ${run.busy && !run.text && html`<p class="muted">Answering…</p>`}
      ${calls.map((call) => html`<${Code} title="Calls ${call.function.name}" text=${pretty(call.function.arguments)} />`)}
      ${calls.length > 0 && html`<${Field} name="tool" label="Answer as the tool">${(input) => html`<textarea ...${input} rows="2" value=${result} onInput=${(event) => setResult(event.target.value)}></textarea>`}<//><div class="actions"><${Button} onClick=${reply}>Add the tool's answer<//></div>`}
    </div>
    ${!idle && !run.busy && !run.whole && html`<${Problem} error=${{ message: `${run.stopped ? "You stopped the answer." : "The answer was cut off."} You pay for what was produced. ${run.error?.message ?? ""}` }} />`}
    ${!idle && !run.busy && html`<p class="row told"><span class="muted">${run.usage && `${plural(run.usage.total_tokens, "token")} (${number(run.usage.prompt_tokens)} in, ${number(run.usage.completion_tokens)} out) · `}${run.first && `first token ${(run.first / 1000).toFixed(1)} s · `}${run.seconds?.toFixed(1)} s${paid !== null && ` · ${dollars(paid)}`}</span>
      ${run.id && html`<code>${run.id}</code><${CopyButton} text=${run.id} what="request id" />`}
      ${run.text && html`<${Button} class="small" onClick=${format}>${rich ? "Text" : "Formatted"}<//><${CopyButton} text=${run.text} label="Copy answer" /><${Button} class="small" onClick=${() => add({ role: "assistant", content: run.text }, { role: "user", content: "" })}>Add to messages<//>`}</p>`}
  </section>`;
}

function pretty(json) {
  try { return JSON.stringify(JSON.parse(json), null, 2); } catch { return json; }
}

start(Playground);
