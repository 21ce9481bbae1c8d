import { html, useState } from "../vendor/preact.js";
import { CONSOLE, ago, call, day, get, instant, named, plural, title, useData } from "../lib.js";
import { Badge, Button, Loaded, Problem, SortHead, Support, Tabs, setTitle, sorted, start, useNow } from "../lib.js";
import { KeyDialogs, OldSecret, Secret, keyState, permissionWords } from "../lib.js";

const at = (path) => new URL(path, CONSOLE).href;

function Keys({ me, attempt, say, notice, reloadMe }) {
  const keys = useData(() => get("api-keys"));
  const [dialog, setDialog] = useState(null);
  const [error, setError] = useState(null);
  const [fresh, setFresh] = useState(null);
  const [sort, setSort] = useState({});
  const [kind, setKind] = useState("all");
  useNow(60_000);
  const { plan } = me;
  const after = async (words) => {
    setDialog(null);
    await keys.reload();
    reloadMe();
    say(words);
  };
  if (fresh) {
    return html`<${Secret} made=${fresh} onDone=${async () => { setFresh(null); setTitle("API keys"); await keys.reload(); }} />`;
  }
  const full = keys.data && keys.data.length >= plan.keys;
  return html`<div class="head"><h1 tabindex="-1">Manage API keys</h1>
      <a class="button primary" href=${at("settings/api/new/")}>Create key</a></div>
    <${Tabs} current="api/" />
    ${notice}
    ${error && html`<${Problem} error=${error} />`}
    <p class="lead">${keys.data ? keys.data.length : me.key_count} of ${plural(plan.keys, "key")} on the ${title(plan.name)} plan. API access is ${me.api_access ? "on" : "off"}. <a href=${at("settings/")}>Change</a></p>
    ${full && html`<p class="notice"><span>All ${plan.keys} keys of your plan are in use. Delete one you no longer use${me.support ? html`, or ask <${Support} at=${me.support} /> for a larger plan` : ", or take a larger plan"}.</span></p>`}
    <${Loaded} of=${keys} what="Keys" rows=${3}>${(list) => list.length === 0
      ? html`<div class="empty"><h2>No API keys yet</h2><p>A key lets an app call the API as you.</p>
          <div class="row"><a class="button primary" href=${at("settings/api/new/")}>Create key</a><a href=${at("../docs/api-access/")}>Read about keys</a></div></div>`
      : html`${list.some((key) => key.test) && html`<div class="chips section-chips" role="group" aria-label="Kind">${["all", "live", "test"].map((name) => html`<button type="button" class="chip" aria-pressed=${kind === name} onClick=${() => setKind(name)}>${title(name)}</button>`)}</div>`}
      <table class="data cards" role="table"><caption class="hide">API keys</caption>
        <thead><tr><${SortHead} by="name" sort=${sort} setSort=${setSort}>Name<//><th scope="col">Permissions</th><${SortHead} by="last_used_at" sort=${sort} setSort=${setSort}>Last used<//><${SortHead} by="expires_at" sort=${sort} setSort=${setSort}>Expires<//><th scope="col">State</th><th scope="col"><span class="hide">Actions</span></th></tr></thead>
        <tbody>${sorted(list.filter((key) => kind === "all" || Boolean(key.test) === (kind === "test")), sort).map((key) => html`<${Row} key=${key.id} of=${key} open=${setDialog} attempt=${attempt} after=${after} onError=${setError} />`)}</tbody></table>
      <p class="section"><a class="alone" href=${at("settings/api/leaked/")}>Is a key leaked?</a></p>`}<//>
    <${KeyDialogs} dialog=${dialog} close=${() => setDialog(null)} attempt=${attempt} after=${after} onError=${(failed) => { setDialog(null); setError(failed); }} onSecret=${(made) => { setDialog(null); setFresh(made); }} />`;
}

function Row({ of: key, open, attempt, after, onError }) {
  const state = keyState(key);
  const toggle = () => attempt(async () => {
    await call("PATCH", "api-keys", { query: { id: key.id }, json: { is_enabled: !key.is_enabled } });
    await after(key.is_enabled ? `Key ${named(key.name)} is disabled. Calls with it are refused from now on.` : `Key ${named(key.name)} is enabled.`);
  }, onError);
  const act = (name) => html`<li><button type="button" class="button quiet small ${name === "delete" ? "red" : ""}" onClick=${(event) => { const menu = event.target.closest("details"); menu.open = false; menu.firstElementChild.focus(); if (name === "toggle") toggle(); else open({ name, key }); }}>${{ rotate: "Rotate key", delete: "Delete key", toggle: key.is_enabled ? "Disable key" : "Enable key", rename: "Rename key" }[name]}</button></li>`;
  return html`<tr role="row"><th scope="row" role="rowheader"><a class="name" dir="auto" href=${at(`settings/api/key/?id=${key.id}`)} title=${key.name}>${key.name}</a>
      <span class="sub"><code>${key.id}</code></span><${OldSecret} of=${key} /></th>
    <td role="cell" data-label="Permissions">${permissionWords(key.permissions)}</td>
    <td role="cell" data-label="Last used">${key.last_used_at ? html`<time datetime=${key.last_used_at} title=${instant(key.last_used_at)}>${ago(key.last_used_at)}</time>` : "Never"}</td>
    <td role="cell" data-label="Expires">${key.expires_at ? html`<time datetime=${key.expires_at}>${day(key.expires_at)}</time>` : "Never"}</td>
    <td role="cell" data-label="State"><span class="row"><${Badge} kind=${state.kind}>${state.word}<//>${key.test && html`<${Badge} kind="info">Test<//>`}</span></td>
    <td role="cell" class="bare"><details class="more" onKeyDown=${(event) => { if (event.key === "Escape") { event.currentTarget.open = false; event.currentTarget.firstElementChild.focus(); } }}
      onFocusout=${(event) => { if (!event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false; }}>
      <summary class="button small">Actions<span class="hide"> for ${key.name}</span></summary><ul>${["rename", "rotate", "toggle", "delete"].map(act)}</ul></details></td></tr>`;
}

start(Keys);
