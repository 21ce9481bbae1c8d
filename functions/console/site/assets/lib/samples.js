// The same request in three languages, and the block that shows them.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/preact.js";
import { BASE_URL } from "./api.js";
import { CopyButton, useUid } from "./ui.js";

export const PLACEHOLDER = "losi-your-api-key";
const LANGUAGES = [["curl", "curl"], ["python", "Python"], ["javascript", "JavaScript"]];

const quoted = (text) => text.replaceAll("'", "'\\''");

function python(value, depth = 1) {
  const pad = "    ".repeat(depth);
  const flat = onOneLine(value);
  if (isNest(value) && flat.length + pad.length <= SHORT && !/\b(?:true|false|null)\b/.test(flat)) return flat;
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return value.length ? `[\n${value.map((each) => `${pad}    ${python(each, depth + 1)},\n`).join("")}${pad}]` : "[]";
  if (typeof value === "object") return `{\n${Object.entries(value).map(([name, each]) => `${pad}    ${JSON.stringify(name)}: ${python(each, depth + 1)},\n`).join("")}${pad}}`;
  return JSON.stringify(value);
}

const SHORT = 76;

const isNest = (value) => value !== null && typeof value === "object";

function onOneLine(value) {
  if (!isNest(value)) return JSON.stringify(value);
  return Array.isArray(value) ? `[${value.map(onOneLine).join(", ")}]`
    : `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${onOneLine(each)}`).join(", ")}}`;
}

/** JSON as people write it: what fits on a line stands on one. */
function spread(value, pad = "") {
  const flat = onOneLine(value);
  if (!isNest(value) || (pad && flat.length + pad.length <= SHORT)) return flat;
  const inner = `${pad}  `;
  const parts = Array.isArray(value) ? value.map((each) => inner + spread(each, inner)) : Object.entries(value).map(([name, each]) => `${inner}${JSON.stringify(name)}: ${spread(each, inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return parts.length ? `${open}\n${parts.join(",\n")}\n${pad}${close}` : open + close;
}

const indented = (value, by) => spread(value).replaceAll("\n", `\n${by}`);

export function chatSamples(body, key = PLACEHOLDER) {
  const stream = body.stream;
  return {
    curl: `curl ${BASE_URL}/chat/completions \\\n  -H "Authorization: Bearer ${key}" \\\n  -H "Content-Type: application/json" \\\n  -d '${quoted(indented(body, "  "))}'`,
    python: `from openai import OpenAI\n\nclient = OpenAI(\n    base_url="${BASE_URL}",\n    api_key="${key}",\n)\n${stream ? "stream" : "response"} = client.chat.completions.create(\n${Object.entries(body).map(([name, value]) => `    ${name}=${python(value)},\n`).join("")})\n${stream ? `for chunk in stream:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="", flush=True)` : "print(response.choices[0].message.content)"}`,
    javascript: `import OpenAI from "openai";\n\nconst client = new OpenAI({\n  baseURL: "${BASE_URL}",\n  apiKey: "${key}",\n});\nconst ${stream ? "stream" : "response"} = await client.chat.completions.create(${indented(body, "")});\n${stream ? `for await (const chunk of stream) {\n  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n}` : "console.log(response.choices[0].message.content);"}`,
  };
}

export const HELLO = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello, world!" }] };

export function curl(method, path, json, key = PLACEHOLDER) {
  const body = json === undefined ? "" : ` \\\n  -H "Content-Type: application/json" \\\n  -d '${quoted(indented(json, "  "))}'`;
  return `curl ${method === "GET" ? "" : `-X ${method} `}${BASE_URL}/${path} \\\n  -H "Authorization: Bearer ${key}"${body}`;
}

function chosen() {
  try { return localStorage.getItem("losi-language") ?? "curl"; } catch { return "curl"; }
}

const changed = new EventTarget();

/** Code in tabs; the language is remembered, and changes in every block of the page. */
export function Samples({ samples, label = "Code sample" }) {
  const [language, setLanguage] = useState(chosen);
  const tabs = useRef();
  const id = useUid();
  useEffect(() => {
    const follow = () => setLanguage(chosen());
    changed.addEventListener("change", follow);
    return () => changed.removeEventListener("change", follow);
  }, []);
  function choose(name) {
    const before = tabs.current.getBoundingClientRect().top;
    try { localStorage.setItem("losi-language", name); } catch { /* this page only */ }
    setLanguage(name);
    changed.dispatchEvent(new Event("change"));
    requestAnimationFrame(() => scrollBy(0, tabs.current.getBoundingClientRect().top - before));
  }
  function move(event) {
    const at = LANGUAGES.findIndex(([name]) => name === language);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(LANGUAGES.at(to % LANGUAGES.length)[0]);
    requestAnimationFrame(() => tabs.current.querySelector("[aria-selected=true]").focus());
  }
  return html`<figure class="code"><div class="bar" ref=${tabs}><div role="tablist" aria-label=${label} onKeyDown=${move}>
      ${LANGUAGES.map(([name, shown]) => html`<button type="button" role="tab" id="${id}-${name}" aria-controls="${id}-panel" aria-selected=${name === language} tabindex=${name === language ? 0 : -1} onClick=${() => choose(name)}>${shown}</button>`)}</div>
    <span><${CopyButton} text=${samples[language]} what=${label} /></span></div>
    <div role="tabpanel" id="${id}-panel" aria-labelledby="${id}-${language}" class="panel-code"><${Pre} text=${samples[language]} label="${label}: ${language}" /></div></figure>`;
}

/** Reachable by keyboard only where it scrolls. */
export function Pre({ text, label, wrap }) {
  const self = useRef();
  const [scrolls, set] = useState(false);
  useLayoutEffect(() => { set(self.current.scrollWidth > self.current.clientWidth); }, [text]);
  const at = text.indexOf(PLACEHOLDER);
  return html`<pre ref=${self} class=${wrap ? "wrap" : ""} ...${scrolls ? { tabindex: 0, role: "region", "aria-label": label } : {}}><code>${at < 0 ? text
    : html`${text.slice(0, at)}<span class="slot">${PLACEHOLDER}</span>${text.slice(at + PLACEHOLDER.length)}`}</code></pre>`;
}

export function Code({ text, title, wrap, onCopied }) {
  return html`<figure class="code"><div class="bar"><span class="lang">${title}</span><span><${CopyButton} text=${text} what=${title} onCopied=${onCopied} /></span></div>
    <${Pre} text=${text} label=${title} wrap=${wrap} /></figure>`;
}
