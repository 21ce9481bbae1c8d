import { html, useState } from "../vendor/preact.js";
import { CONSOLE, ago, call, get, plural, useData } from "../lib.js";
import { Badge, Button, KeyDialogs, Loaded, Problem, Secret, Tabs, keyState, setTitle, start, startOf } from "../lib.js";

/** What of a key is no secret: it names the account and the key. */
const publicLength = (text) => text.startsWith("losi-test-") ? 28 : 23;
const at = (path) => new URL(path, CONSOLE).href;

function Leaked({ me, attempt, say, notice }) {
  const keys = useData(() => get("api-keys"));
  const [typed, setTyped] = useState("");
  const [cut, setCut] = useState(false);
  const [dialog, setDialog] = useState(null);
  const [error, setError] = useState(null);
  const [fresh, setFresh] = useState(null);
  const [stopped, setStopped] = useState(null);
  function type(event) {
    const text = event.target.value.trim();
    const start = text.slice(0, publicLength(text));
    setCut(text.length > start.length);
    event.target.value = start;
    setTyped(start);
  }
  const stop = (key) => attempt(async () => {
    const made = await call("POST", "api-keys/rotate", { query: { id: key.id }, json: { expires_in_seconds: 0 } });
    setStopped(key);
    setFresh(made);
  }, setError);
  if (fresh) return html`<${Secret} made=${fresh} onDone=${() => { setFresh(null); setTitle("Is a key leaked?"); }} />`;
  const matches = (key) => typed.length > 5 && startOf(me, key).startsWith(typed);
  const made = stopped && keys.data ? keys.data.filter((key) => key.created_by === stopped.id) : [];
  return html`<div class="head"><h1 tabindex="-1">Is a key leaked?</h1></div><${Tabs} current="api/" />${notice}
    ${error && html`<${Problem} error=${error} />`}
    ${stopped ? html`<section class="section stack"><h2>Stopped. Check what it did</h2>
      <ul class="stack"><li><a href=${at(`usage/?by=key`)}>Its usage</a></li><li><a href=${at(`settings/audit/?target=${stopped.id}`)}>Its changes in the audit log</a></li></ul>
      ${made.length > 0 && html`<p>It made ${plural(made.length, "key")}: ${made.map((key) => key.name).join(", ")}</p><${Button} class="danger" busy="Deleting…" onClick=${() => attempt(async () => { for (const key of made) await call("DELETE", "api-keys", { query: { id: key.id } }); await keys.reload(); say(`${plural(made.length, "key")} deleted.`); }, setError)}>Delete ${made.length === 1 ? "this key" : `these ${made.length} keys`}<//>`}</section>`
    : html`<div class="field narrow"><label for="f-start">Start of the key</label><span class="hint" id="start-hint">Type or paste its first 23 characters (28 of a test key). Nothing is sent.</span>
      <input id="f-start" type="text" autocomplete="off" spellcheck=${false} aria-describedby="start-hint" onInput=${type} />${cut && html`<small role="status">Cut to ${typed.length} characters: the rest of a key is secret.</small>`}</div>
    <${Loaded} of=${keys} what="Keys">${(list) => {
      const found = list.filter(matches);
      const shown = found.length ? found : typed.length > 5 ? [] : list;
      return html`<ul class="steps section" aria-label="Keys">${shown.map((key) => { const state = keyState(key); return html`<li key=${key.id}><${Badge} kind=${state.kind}>${state.word}<//><span><b dir="auto">${key.name}</b> <code>${startOf(me, key)}…</code><br /><small>${key.last_used_at ? `Last used ${ago(key.last_used_at)}` : "Never used"}</small></span>
        <${Button} class="danger" busy="Stopping…" onClick=${() => stop(key)}>Stop it now<//><${Button} onClick=${() => setDialog({ name: "delete", key })}>Delete key<//></li>`; })}</ul>
        ${typed.length > 5 && !found.length && html`<p role="status">No key of this account starts with <code>${typed}</code>.</p>`}`;
    }}<//>`}
    <${KeyDialogs} dialog=${dialog} close=${() => setDialog(null)} attempt=${attempt} after=${async (words) => { setStopped(dialog.key); setDialog(null); await keys.reload(); say(words); }} onError=${(failed) => { setDialog(null); setError(failed); }} onSecret=${setFresh} />`;
}

start(Leaked);
