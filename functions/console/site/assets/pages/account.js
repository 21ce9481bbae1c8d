import { html, useState } from "../vendor/preact.js";
import { CONSOLE, ago, call, day, get, named, number, plural, title, useData } from "../lib.js";
import { Badge, Button, Dialog, Loaded, Problem, Usage, keyState, permissionWords, signInUrl, start } from "../lib.js";

const id = new URLSearchParams(location.search).get("id") ?? "";
const at = (path) => new URL(path, CONSOLE).href;

function AccountPage({ me, attempt, say, notice }) {
  const account = useData(() => get("operator/account", { id }));
  const [asking, setAsking] = useState(null);
  const [error, setError] = useState(null);
  const change = (json, words) => attempt(async () => {
    await call("PATCH", "operator/account", { query: { id }, json });
    setAsking(null);
    await account.reload();
    say(words);
  }, (failed) => { setAsking(null); setError(failed); });
  return html`<section class="banner" aria-labelledby="view"><div><h2 id="view">Operator view of ${account.data ? account.data.name || account.data.email : "an account"} (${id})</h2><p>What you change here is recorded with your account.</p></div><a class="button small" href=${at("operator/accounts/")}>Leave</a></section>
    <div class="head"><h1 tabindex="-1" dir="auto">${account.data ? account.data.name || account.data.id : "Account"}</h1></div>${notice}
    ${error && html`<${Problem} error=${error}>${error.code === "fresh_sign_in_required" && html`<a class="button small" href=${signInUrl()}>Sign in</a>`}<//>`}
    <${Loaded} of=${account} what="The account" rows=${5}>${(data) => html`
      <dl class="facts section"><dt>E-mail</dt><dd>${data.email || "None"}</dd><dt>Since</dt><dd>${day(data.created_at)}</dd>
        <dt>State</dt><dd><span class="row">${data.disabled ? html`<${Badge} kind="bad">Disabled<//>` : html`<${Badge} kind="ok">Active<//>`}<span>API access ${data.api_access ? "on" : "off"}</span></span></dd>
        <dt>Limits</dt><dd>${plural(data.limits.keys, "key")}, ${number(data.limits.requests_per_minute)} requests and ${number(data.limits.tokens_per_minute)} tokens a minute, ${number(data.limits.tokens_per_day)} tokens a day, ${data.limits.in_flight} at the same time</dd></dl>
      <form class="row section-chips" onSubmit=${(event) => { event.preventDefault(); const plan = new FormData(event.target).get("plan"); if (plan !== data.plan) setAsking({ plan }); }}>
        <label for="plan">Plan</label><select id="plan" name="plan">${me.plans.map(({ name }) => html`<option value=${name} selected=${name === data.plan}>${title(name)}</option>`)}</select><button class="button" type="submit">Change plan</button></form>
      <section class="section" aria-labelledby="keys"><h2 id="keys">API keys</h2>${data.keys.length === 0 ? html`<p class="muted">None.</p>` : html`<table class="data cards" role="table"><caption class="hide">API keys of the account</caption><thead><tr><th scope="col">Name</th><th scope="col">Permissions</th><th scope="col">Last used</th><th scope="col">State</th></tr></thead>
        <tbody>${data.keys.map((key) => html`<tr role="row"><th scope="row" role="rowheader"><span class="name" dir="auto">${key.name}</span><span class="sub"><code>${key.id}</code></span></th><td role="cell" data-label="Permissions">${permissionWords(key.permissions)}</td><td role="cell" data-label="Last used">${key.last_used_at ? ago(key.last_used_at) : "Never"}</td><td role="cell" data-label="State"><${Badge} kind=${keyState(key).kind}>${keyState(key).word}<//></td></tr>`)}</tbody></table>`}</section>
      <div class="section"><${Usage} me=${me} path="operator/usage" query=${{ id }} limit=${data.limits.tokens_per_day} keysPath="operator/keys" inside /></div>
      <section class="section" aria-labelledby="stop"><h2 id="stop">${data.disabled ? "Enable account" : "Disable account"}</h2><p>${data.disabled ? "Its keys work again at once." : "All its keys stop working at once, and its people are signed out. Nothing is deleted."}</p>
        <div class="actions"><${Button} class=${data.disabled ? "" : "danger"} onClick=${() => setAsking({ disabled: !data.disabled })}>${data.disabled ? "Enable account" : "Disable account"}<//></div></section>
      ${asking && html`<${Ask} asking=${asking} of=${data} close=${() => setAsking(null)} change=${change} />`}`}<//>`;
}

function Ask({ asking, of: account, close, change }) {
  const who = named(account.name || account.id);
  if (asking.plan) {
    return html`<${Dialog} title="Move ${who} to the ${title(asking.plan)} plan?" onClose=${close}><p>Its limits change from the next request on. Keys beyond the plan's number stay.</p>
      <div class="actions"><${Button} data-first onClick=${close}>Keep ${title(account.plan)}<//><${Button} class="primary" busy="Changing…" onClick=${() => change({ plan: asking.plan }, `${who} is on the ${title(asking.plan)} plan.`)}>Change plan<//></div><//>`;
  }
  const verb = asking.disabled ? "Disable" : "Enable";
  return html`<${Dialog} danger=${asking.disabled} title="${verb} ${who}?" onClose=${close}><p>${asking.disabled ? `${plural(account.key_count, "key")} and all sessions stop working at once.` : "Its keys work again at once."}</p>
    <div class="actions"><${Button} data-first onClick=${close}>Leave it<//><${Button} class=${asking.disabled ? "danger last" : "primary"} busy="Saving…" onClick=${() => change({ disabled: asking.disabled }, `${who} is ${asking.disabled ? "disabled" : "enabled"}.`)}>${verb} account<//></div><//>`;
}

start(AccountPage);
