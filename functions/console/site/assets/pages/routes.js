import { html } from "../vendor/preact.js";
import { clock, get, number, plural, useData } from "../lib.js";
import { Badge, Button, Loaded, start } from "../lib.js";

const STATES = { ok: ["ok", "OK"], failing: ["bad", "Failing"], quiet: ["", "Quiet"] };
const counted = ({ calls, failures }) => calls ? `${plural(calls, "call")}, ${number(failures)} failed` : "No calls";

function Routes({ notice }) {
  const routes = useData(async () => ({ ...await get("operator/routes"), at: Date.now() }));
  return html`<div class="head"><h1 tabindex="-1">Routes</h1>${routes.data?.source && html`<${Button} busy="Loading…" onClick=${routes.reload}>Refresh<//>`}</div>
    <p class="lead">How the providers behind each model did, by the calls of all accounts.</p>${notice}
    <${Loaded} of=${routes} what="Routes" rows=${6}>${({ source, message, routes: list, at }) => {
      if (!source) return html`<div class="empty"><h2>No figures by route</h2><p>${message}</p></div>`;
      if (!list.length) return html`<div class="empty"><h2>No routes yet</h2><p>No plan has a model. Give a plan one in <code>config/models.toml</code>, and deploy.</p></div>`;
      const failing = list.some(({ state }) => state === "failing");
      return html`${failing && html`<${WhatToDo} />`}
        <table class="data cards" role="table"><caption>Until ${clock(at)}. Failing: at least half of three or more calls of the last hour. Quiet: no call in it.</caption>
        <thead><tr><th scope="col">Route</th><th scope="col">Models</th><th scope="col" class="n">Last hour</th><th scope="col" class="n">Last 24 hours</th><th scope="col">State</th></tr></thead>
        <tbody>${list.map((route) => html`<tr role="row" key=${route.route}><th scope="row" role="rowheader"><code>${route.route}</code></th>
          <td role="cell" data-label="Models">${route.models.join(", ") || "Those without a provider's key"}</td>
          <td role="cell" class="n" data-label="Last hour">${counted(route.hour)}</td><td role="cell" class="n" data-label="Last 24 hours">${counted(route.day)}</td>
          <td role="cell" data-label="State"><${State} of=${route.state} /></td></tr>`)}</tbody></table>`;
    }}<//>`;
}

function State({ of: state }) {
  const [kind, word] = STATES[state];
  return html`<${Badge} kind=${kind}>${word}<//>`;
}

/** The entry ProviderDownAlarm of docs/runbook.md, in short: the runbook is no page of the site. */
const WhatToDo = () => html`<section class="section" aria-labelledby="what"><h2 id="what">What to do about a failing route</h2>
  <ol class="numbered"><li>See what came of the requests: <code>losi logs --failed --minutes 60</code></li>
    <li>Read the provider's status page, or ask it: <code>losi doctor --model MODEL</code></li>
    <li><code>upstream_credentials</code>: set its key again, with <code>losi secret set</code>. <code>upstream_account</code>: pay the provider, or raise its limits.</li>
    <li>Does it last, and has the model no other route? Give it one in <code>config/models.toml</code>, and deploy.</li></ol>
  <p>The runbook has more, under ProviderDownAlarm (<code>docs/runbook.md</code>).</p></section>`;

start(Routes);
