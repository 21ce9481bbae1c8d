import { html, useState } from "../vendor/preact.js";
import { CONSOLE, addDays, ago, call, day, dollars, get, instant, named, number, plural, today, useData } from "../lib.js";
import { Badge, Button, Chart, Errors, KeyDialogs, Loaded, OldSecret, PERMISSIONS, Problem, Secret, Tabs, buckets, keyState, setTitle, short, start, startOf, weekDay } from "../lib.js";

const id = new URLSearchParams(location.search).get("id") ?? "";
const at = (path) => new URL(path, CONSOLE).href;

function KeyPage({ me, attempt, say, notice }) {
  const key = useData(() => get("api-keys", { id }));
  const [dialog, setDialog] = useState(null);
  const [error, setError] = useState(null);
  const [fresh, setFresh] = useState(null);
  if (fresh) return html`<${Secret} made=${fresh} onDone=${async () => { setFresh(null); setTitle("API key"); await key.reload(); }} />`;
  const after = async (words) => {
    if (dialog?.name === "delete" && words.includes("deleted")) return location.assign(at("settings/api/"));
    setDialog(null);
    await key.reload();
    return say(words);
  };
  if (key.error?.status === 404) {
    return html`<div class="head"><h1 tabindex="-1">There is no such key</h1></div><p class="lead">It was deleted, or the address is mistyped.</p><p class="section"><a class="button primary" href=${at("settings/api/")}>Back to keys</a></p>`;
  }
  const toggle = () => attempt(async () => {
    await call("PATCH", "api-keys", { query: { id }, json: { is_enabled: !key.data.is_enabled } });
    await after(key.data.is_enabled ? `Key ${named(key.data.name)} is disabled. Calls with it are refused from now on.` : `Key ${named(key.data.name)} is enabled.`);
  }, setError);
  return html`<div class="head"><h1 tabindex="-1" dir="auto">${key.data ? key.data.name : "API key"}</h1></div>
    <${Tabs} current="api/" />
    ${notice}
    ${error && html`<${Problem} error=${error} />`}
    <${Loaded} of=${key} what="The key" rows=${5}>${(data) => {
      const state = keyState(data);
      return html`<dl class="facts section"><dt>State</dt><dd class="row"><${Badge} kind=${state.kind}>${state.word}<//>${data.test && html`<${Badge} kind="info">Test<//>`}<${OldSecret} of=${data} /></dd>
        <dt>Id</dt><dd><code>${data.id}</code></dd>
        <dt>Starts with</dt><dd><code>${startOf(me, data)}…</code></dd>
        <dt>Created</dt><dd>${instant(data.created_at)}${data.created_by && html` by <code>${data.created_by}</code>`}</dd>
        <dt>Last used</dt><dd>${data.last_used_at ? ago(data.last_used_at) : "Never"}</dd>
        <dt>Expires</dt><dd>${data.expires_at ? instant(data.expires_at) : "Never"}</dd></dl>
        <p class="section">A key cannot be shown again. Rotate it: a new secret, same name, permissions and usage.</p>
        <div class="actions"><${Button} onClick=${() => setDialog({ name: "rotate", key: data })}>Rotate key<//><${Button} onClick=${() => setDialog({ name: "rename", key: data })}>Rename key<//><${Button} busy="Saving…" onClick=${toggle}>${data.is_enabled ? "Disable key" : "Enable key"}<//><${Button} class="danger" onClick=${() => setDialog({ name: "delete", key: data })}>Delete key<//></div>
        <${Change} of=${data} me=${me} attempt=${attempt} after=${after} />
        <${Month} of=${data} />`;
    }}<//>
    <${KeyDialogs} dialog=${dialog} close=${() => setDialog(null)} attempt=${attempt} after=${after} onError=${(failed) => { setDialog(null); setError(failed); }} onSecret=${(made) => { setDialog(null); setFresh(made); }} />`;
}

function Change({ of: key, me, attempt, after }) {
  const [permissions, setPermissions] = useState(key.permissions);
  const [expires, setExpires] = useState(key.expires_at?.slice(0, 10) ?? "");
  const [errors, setErrors] = useState({});
  async function save(event) {
    event.preventDefault();
    if (!permissions.length) return setErrors({ permissions: "Choose at least one permission" });
    setErrors({});
    const json = { permissions };
    if (expires !== (key.expires_at?.slice(0, 10) ?? "")) json.expires_at = expires ? `${expires}T23:59:59Z` : null;
    await attempt(async () => {
      await call("PATCH", "api-keys", { query: { id: key.id }, json });
      await after("Your changes are saved.");
    }, (error) => setErrors({ [{ permissions: "permissions", expires_at: "expires" }[error.param] ?? "form"]: error.message }));
    return undefined;
  }
  const names = Object.keys(PERMISSIONS).filter((name) => me.permissions.includes(name) || key.permissions.includes(name));
  return html`<section class="section" aria-labelledby="change"><h2 id="change">Permissions and expiry</h2><${Errors} errors=${errors} />
    <form class="narrow" novalidate onSubmit=${save}><fieldset id="f-permissions" tabindex="-1"><legend class="hide">Permissions</legend>
      ${names.map((name) => html`<label class="choice"><input type="checkbox" checked=${permissions.includes(name)} onChange=${(event) => setPermissions(names.filter((each) => each === name ? event.target.checked : permissions.includes(each)))} /> <span><code>${name}</code><small>${PERMISSIONS[name]}</small></span></label>`)}</fieldset>
      <div class="field"><label for="f-expires">Last day</label><span class="hint" id="expires-hint">Empty: the key works until you delete it.</span><input id="f-expires" type="date" min=${addDays(today(), 1)} value=${expires} aria-describedby="expires-hint" onInput=${(event) => setExpires(event.target.value)} /></div>
      <div class="actions"><button type="submit" class="button">Save changes</button></div></form></section>`;
}

function Month({ of: key }) {
  const from = addDays(today(), -29);
  const usage = useData(() => get("api-usage", { start_date: from, end_date: today(), group_by: "key" }));
  return html`<section class="section" aria-labelledby="used"><h2 id="used">Last 30 days</h2><${Loaded} of=${usage} what="Usage" rows=${2}>${({ usage: rows }) => {
    const mine = rows.filter((row) => row.key === key.id);
    if (!mine.length) return html`<p class="muted">${key.test ? "Test calls are not counted." : "No calls with this key."}</p>`;
    const byDay = new Map(mine.map((row) => [row.day, row]));
    const tokens = (row) => row ? row.total_input_tokens + row.total_output_tokens : 0;
    const bars = buckets(from, today()).map((bar) => ({ ...bar, values: [tokens(byDay.get(bar.from))], read: `${weekDay(bar.from)} · ${number(tokens(byDay.get(bar.from)))} tokens` }));
    const sum = mine.reduce((total, row) => total + tokens(row), 0);
    const requests = mine.reduce((total, row) => total + row.total_requests, 0);
    const words = `${plural(sum, "token")}, ${plural(requests, "request")}, ${dollars(mine.reduce((total, row) => total + row.cost_usd, 0))}`;
    return html`<${Chart} bars=${bars} series=${[{ name: "Tokens", color: 1 }]} format=${short} title="Tokens a day" summary="30 days to ${day(today())}: ${words}" rest=${words} label="Day" />`;
  }}<//></section>`;
}

start(KeyPage);
