// What pages about API keys share: states, presets, dialogs, and the secret that is shown once.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { BASE_URL, CONSOLE, call, send } from "./api.js";
import { ago, day, duration, instant, named, number, plural } from "./format.js";
import { HELLO, Code, Samples, chatSamples } from "./samples.js";
import { Button, Dialog, Field, focusHeading, setTitle, useNow } from "./ui.js";

const SOON = 14 * 86_400_000;

export const PERMISSIONS = {
  "chat.completions": "Create chat completions",
  "embeddings": "Create embeddings",
  "models.list": "List the models of your plan",
  "usage.read": "Read usage statistics",
  "api_keys.read": "List API keys",
  "api_keys.write": "Create, change and delete API keys",
  "audit.read": "Read the audit log",
};
const CALLS = ["chat.completions", "embeddings", "models.list"];
const READS = ["models.list", "usage.read", "api_keys.read", "audit.read"];

export const PRESETS = [
  ["call", "Call models (default)", (all) => all.filter((name) => CALLS.includes(name))],
  ["read", "Read only", (all) => all.filter((name) => READS.includes(name))],
  ["all", "Everything", (all) => all],
];
export const presetOf = (permissions, all) =>
  PRESETS.find(([, , pick]) => pick(all).join() === all.filter((name) => permissions.includes(name)).join())?.[0] ?? "choose";

export function permissionWords(permissions) {
  if (permissions.length === Object.keys(PERMISSIONS).length) return "Everything";
  const calls = permissions.some((name) => name !== "models.list" && CALLS.includes(name));
  const reads = permissions.every((name) => READS.includes(name));
  const words = calls && permissions.every((name) => CALLS.includes(name)) ? "call models" : reads ? "read only" : "some";
  return `${permissions.length}: ${words}`;
}

export function keyState(key, now = Date.now()) {
  const ends = key.expires_at && Date.parse(key.expires_at);
  if (ends && ends <= now) return { word: `Expired since ${day(ends)}`, kind: "bad" };
  if (!key.is_enabled) return { word: "Disabled", kind: "" };
  if (ends && ends - now < SOON) return { word: `Expires in ${plural(Math.max(1, Math.ceil((ends - now) / 86_400_000)), "day")}`, kind: "warn" };
  return { word: "Active", kind: "ok" };
}

/** How long a replaced secret still works; in the last hour each second. */
export function OldSecret({ of: key }) {
  const ends = key.old_key_expires_at && Date.parse(key.old_key_expires_at);
  const now = useNow(ends && ends - Date.now() < 3_600_000 ? 1000 : 60_000);
  if (!ends) return null;
  return html`<span class="sub">${ends > now ? `The old secret works for ${duration((ends - now) / 1000)} more.` : `The old secret stopped at ${instant(ends)}.`}</span>`;
}

const OVERLAPS = [[0, "Stop it now"], [3600, "1 hour"], [86_400, "1 day"], [7 * 86_400, "7 days"], [30 * 86_400, "30 days"]];

/** The dialog that is open, if any: {name: "rotate" | "delete" | "rename", key}. */
export function KeyDialogs({ dialog, ...rest }) {
  if (!dialog) return null;
  const Form = { rotate: Rotate, delete: Delete, rename: Rename }[dialog.name];
  return html`<${Form} of=${dialog.key} ...${rest} />`;
}

function Rotate({ of: key, close, attempt, onError, onSecret }) {
  const [overlap, setOverlap] = useState(86_400);
  const ends = key.expires_at && Date.parse(key.expires_at);
  const cut = ends && Date.now() + overlap * 1000 > ends;
  const rotate = () => attempt(async () => {
    onSecret(await call("POST", "api-keys/rotate", { query: { id: key.id }, json: { expires_in_seconds: overlap } }));
  }, onError);
  return html`<${Dialog} title="Rotate ${named(key.name)}?" onClose=${close}>
    <fieldset><legend>A new secret is made now. The old one keeps working for:</legend>
      ${OVERLAPS.map(([seconds, words]) => html`<label class="choice"><input type="radio" name="overlap" data-first=${seconds === overlap || undefined} checked=${seconds === overlap} onChange=${() => setOverlap(seconds)} /> ${words}</label>`)}</fieldset>
    ${cut && html`<p>Ends on ${day(ends)}, when the key expires.</p>`}
    <div class="actions"><${Button} onClick=${close}>Keep the secret<//><${Button} class="primary" busy="Rotating…" onClick=${rotate}>Rotate key<//></div><//>`;
}

function Delete({ of: key, close, attempt, after, onError }) {
  const lastHour = key.last_used_at && Date.now() - Date.parse(key.last_used_at) < 3_600_000;
  const used = key.last_used_at ? `It was last used ${ago(key.last_used_at)}.` : "It was never used.";
  const remove = () => attempt(async () => {
    await call("DELETE", "api-keys", { query: { id: key.id } });
    await after(`Key ${named(key.name)} is deleted.`);
    focusHeading();
  }, onError);
  const disable = () => attempt(async () => {
    await call("PATCH", "api-keys", { query: { id: key.id }, json: { is_enabled: false } });
    await after(`Key ${named(key.name)} is disabled. Calls with it are refused from now on.`);
  }, onError);
  return html`<${Dialog} danger title="Delete ${named(key.name)}?" onClose=${close}>
    ${[...key.name].length > 40 && html`<p dir="auto">${key.name}</p>`}
    <p>Apps that use this key stop working at once. ${lastHour ? html`<strong>${used}</strong>` : used} A deleted key cannot be brought back; disabling can be undone.</p>
    <div class="actions"><${Button} data-first onClick=${close}>Keep key<//>${key.is_enabled && html`<${Button} busy="Disabling…" onClick=${disable}>Disable instead<//>`}<${Button} class="danger last" busy="Deleting…" onClick=${remove}>Delete key<//></div><//>`;
}

function Rename({ of: key, close, attempt, after, onError }) {
  const [name, setName] = useState(key.name);
  const [error, setError] = useState(null);
  const rename = () => attempt(async () => {
    await call("PATCH", "api-keys", { query: { id: key.id }, json: { name } });
    await after(`The key is called ${named(name.trim())} now.`);
  }, (failed) => failed.param === "name" ? setError(failed.message) : onError(failed));
  return html`<${Dialog} title="Rename ${named(key.name)}" onClose=${close}>
    <${Field} name="rename" label="Name" error=${error}>${(input) => html`<input ...${input} type="text" autocomplete="off" dir="auto" value=${name} onInput=${(event) => setName(event.target.value)} onKeyDown=${(event) => event.key === "Enter" && rename()} />`}<//>
    <div class="actions"><${Button} onClick=${close}>Keep the name<//><${Button} class="primary" busy="Saving…" onClick=${rename}>Rename key<//></div><//>`;
}

/** A secret, shown this once. `made` is the API's key object with its `key`. */
export function Secret({ made, onDone }) {
  const [saved, setSaved] = useState(false);
  const [error, setError] = useState(null);
  const [secret, setSecret] = useState(made.key);
  const guarded = useRef(true);
  useEffect(() => {
    setTitle("Save your key now");
    scrollTo(0, 0);
    focusHeading();
    const ask = (event) => { if (guarded.current) event.preventDefault(); };
    const wipe = () => setSecret("");  // the page may be kept for the back button
    addEventListener("beforeunload", ask);
    addEventListener("pagehide", wipe);
    return () => { removeEventListener("beforeunload", ask); removeEventListener("pagehide", wipe); };
  }, []);
  function done() {
    if (!saved) return setError("Copy the key and save it first, or tick the box if you have.");
    guarded.current = false;
    setSecret("");
    return onDone();
  }
  const env = `OPENAI_BASE_URL=${BASE_URL}\nOPENAI_API_KEY=${secret}`;
  return html`<div class="head"><h1 tabindex="-1">Save your key now</h1></div>
    <p class="lead">This is the only time it is shown. We keep a fingerprint of it, not the key.</p>
    ${made.old_key_expires_at && html`<p>${Date.parse(made.old_key_expires_at) <= Date.now() ? "The old secret has stopped." : `The old secret works until ${instant(made.old_key_expires_at)}.`}</p>`}
    <${Code} title="API key ${named(made.name)}" text=${secret} wrap />
    <${Code} title=".env" text=${env} wrap />
    <${Samples} samples=${chatSamples(HELLO, secret)} label="First request" />
    <${TestRequest} secret=${secret} test=${made.test} onLeave=${() => { guarded.current = false; }} />
    <div class="field"><label class="choice tick"><input id="f-saved" type="checkbox" checked=${saved} aria-describedby=${error ? "saved-error" : undefined} aria-invalid=${error ? "true" : undefined} onChange=${(event) => { setSaved(event.target.checked); setError(null); }} /> I have saved this key</label>
      ${error && html`<p class="error" id="saved-error" role="alert">Error: ${error}</p>`}
      <div class="actions"><${Button} class="primary" onClick=${done}>Done<//></div></div>`;
}

function TestRequest({ secret, test, onLeave }) {
  const [answer, setAnswer] = useState(null);
  const [error, setError] = useState(null);
  const shown = useRef();
  useEffect(() => { if (answer) shown.current.scrollIntoView({ block: "nearest" }); }, [answer]);
  async function ask() {
    setError(null);
    setAnswer(null);
    try {
      const response = await send("POST", "chat/completions", { json: HELLO, headers: { authorization: `Bearer ${secret}` } });
      const body = await response.json();
      setAnswer({ text: body.choices[0].message.content, tokens: body.usage.total_tokens, id: response.headers.get("x-request-id") });
    } catch (failed) { setError(failed); }
  }
  return html`<div class="section stack"><${Button} busy="Asking…" onClick=${ask}>Send a test request<//>
    <div role="status" ref=${shown}>${answer && html`<div class="panel stack"><p dir="auto">“${answer.text}”</p>
      <p class="muted">${number(answer.tokens)} tokens · <code>${answer.id}</code></p>
      <p><strong>Your key works.</strong> ${test ? "Test calls are not counted." : html`<a class="button small" href=${new URL("usage/?range=7&wait=1", CONSOLE).href} onClick=${onLeave}>See it in Usage</a>`}</p></div>`}</div>
    ${error && html`<div role="alert" class="problem"><p>${error.message}</p>${error.requestId && html`<small>Request <code>${error.requestId}</code></small>`}</div>`}</div>`;
}

/** The public start of a key: which account's and which key it is, nothing secret. */
export const startOf = (me, key) => `${key.test ? "losi-test-" : "losi-"}${me.id.slice(5)}${key.id.slice(4)}`;
