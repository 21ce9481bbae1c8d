import { html, useState } from "../vendor/preact.js";
import { call, instant, plural, useData } from "../lib.js";
import { Button, CONSOLE, Loaded, Tabs, start } from "../lib.js";

const SIZE = 50;

async function page(cursor, target) {
  const query = { limit: SIZE, cursor, target };
  return call("GET", "audit-log", { query });
}

function Audit({ me, attempt, say, notice }) {
  const target = new URLSearchParams(location.search).get("target") ?? undefined;
  const [more, setMore] = useState([]);
  const [cursor, setCursor] = useState(undefined);
  const first = useData(async () => {
    const found = await page(undefined, target);
    setCursor(found.next_cursor ?? null);
    return found.entries;
  });
  const load = () => attempt(async () => {
    const found = await page(cursor, target);
    setMore([...more, ...found.entries]);
    setCursor(found.next_cursor ?? null);
    requestAnimationFrame(() => document.getElementById(found.entries[0]?.id)?.focus());
  }, (error) => say(error.message));
  return html`<div class="head"><h1 tabindex="-1">Audit log</h1></div>
    ${me.operator_view ? null : html`<${Tabs} current="audit/" />`}
    ${notice}
    ${target && html`<p class="row">Changes of <code>${target}</code> <a href=${new URL("settings/audit/", CONSOLE).href}>Show all</a></p>`}
    <${Loaded} of=${first} what="The audit log">${(entries) => entries.length === 0
      ? html`<div class="empty"><h2>Nothing recorded yet</h2><p>Each change of a key, of the account and of its sessions is written down here.</p></div>`
      : html`<${Entries} entries=${[...entries, ...more]} />
        ${cursor && html`<div class="actions"><${Button} busy="Loading…" onClick=${load}>Load 50 more<//></div>`}`}<//>`;
}

const shown = (value) => value === null || value === undefined ? "none" : typeof value === "object" ? JSON.stringify(value) : String(value);

export function Entries({ entries }) {
  return html`<table class="data cards" role="table"><caption>${plural(entries.length, "change")}, newest first. Times in UTC.</caption>
    <thead><tr><th scope="col">Time</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">Target</th><th scope="col">Change</th></tr></thead>
    <tbody>${entries.map((entry) => html`<tr role="row" key=${entry.id} id=${entry.id} tabindex="-1">
      <th scope="row" role="rowheader"><time datetime=${entry.time}>${instant(entry.time)}</time></th>
      <td role="cell" data-label="What">${entry.action}</td>
      <td role="cell" data-label="Who"><code>${entry.actor}</code></td>
      <td role="cell" data-label="Target">${entry.target && html`<code>${entry.target}</code>`}</td>
      <td role="cell" data-label="Change"><span>${Object.entries(entry.changes ?? {}).map(([name, change]) => html`<span class="sub">${name}: ${Array.isArray(change) ? `${shown(change[0])} → ${shown(change[1])}` : shown(change)}</span>`)}</span></td></tr>`)}</tbody></table>`;
}

start(Audit);
