import { html, useState } from "../vendor/preact.js";
import { instant, plural, send, useData } from "../lib.js";
import { Button, CONSOLE, Loaded, Tabs, start } from "../lib.js";

const SIZE = 50;

/** One page of records; `next` leads to older ones. */
async function page(before) {
  const answer = await send("GET", "audit-log", { query: { limit: SIZE, before } });
  return answer.json();
}

function Audit({ attempt, say, notice }) {
  const target = new URLSearchParams(location.search).get("target") ?? undefined;
  const [more, setMore] = useState([]);
  const [cursor, setCursor] = useState(undefined);
  const mine = (record) => !target || record.target === target || record.actor === target;
  const first = useData(async () => {
    const found = await page();
    setCursor(found.next);
    return found.data;
  });
  const load = () => attempt(async () => {
    const found = await page(cursor);
    setMore([...more, ...found.data]);
    setCursor(found.next);
    requestAnimationFrame(() => document.getElementById(found.data[0]?.id)?.focus());
  }, (error) => say(error.message));
  return html`<div class="head"><h1 tabindex="-1">Audit log</h1></div>
    <${Tabs} current="audit/" />
    ${notice}
    ${target && html`<p class="row">Changes of <code>${target}</code> <a href=${new URL("settings/audit/", CONSOLE).href}>Show all</a></p>`}
    <${Loaded} of=${first} what="The audit log">${(entries) => entries.length === 0
      ? html`<div class="empty"><h2>Nothing recorded yet</h2><p>Each change of a key, of the account and of its sessions is written down here.</p></div>`
      : html`<${Records} records=${[...entries, ...more].filter(mine)} />
        ${cursor && html`<div class="actions"><${Button} busy="Loading…" onClick=${load}>Load 50 more<//></div>`}`}<//>`;
}

const shown = (value) => value === null || value === undefined ? "none" : Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value);

function Records({ records }) {
  return html`<table class="data cards" role="table"><caption>${plural(records.length, "change")}, newest first. Times in UTC.</caption>
    <thead><tr><th scope="col">Time</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">Target</th><th scope="col">Change</th></tr></thead>
    <tbody>${records.map((record) => html`<tr role="row" key=${record.id} id=${record.id} tabindex="-1">
      <th scope="row" role="rowheader"><time datetime=${record.at}>${instant(record.at)}</time></th>
      <td role="cell" data-label="What">${words(record.action)}</td>
      <td role="cell" data-label="Who"><code>${record.actor}</code></td>
      <td role="cell" data-label="Target"><code>${record.target}</code></td>
      <td role="cell" data-label="Change"><span>${[...new Set([...Object.keys(record.before ?? {}), ...Object.keys(record.after ?? {})])].map((name) => html`<span class="sub" dir="auto">${name}: ${shown(record.before?.[name])} → ${shown(record.after?.[name])}</span>`)}</span></td></tr>`)}</tbody></table>`;
}

const words = (action) => action.replace(".", " ").replaceAll("_", " ");

start(Audit);
