// The usage of an account: range, chart, and the table of the same figures.
import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { CONSOLE, get, send } from "./api.js";
import { Chart, buckets, daysWords } from "./chart.js";
import { addDays, day, daysBetween, dollars, month, number, plural, short, today, weekDay } from "./format.js";
import { Button, Loaded, Problem, useData } from "./ui.js";

const LONGEST = 400;
const SHOWS = ["Tokens", "Requests", "Cost"];
const BYS = ["Total", "Model", "Key"];
const WAIT = 30_000;

function ranges(now) {
  const first = `${now.slice(0, 8)}01`;
  const before = addDays(first, -1);
  return [["7", "7 days", addDays(now, -6), now], ["30", "30 days", addDays(now, -29), now], ["90", "90 days", addDays(now, -89), now],
    ["month", "This month", first, now], ["last", "Last month", `${before.slice(0, 8)}01`, before]];
}

/** What the address asks for; without a range the last 30 days. */
function asked() {
  const query = new URLSearchParams(location.search);
  const known = ranges(today());
  const named = known.find(([id]) => id === query.get("range"));
  const [from, to] = named ? [named[2], named[3]] : [query.get("from") ?? known[1][2], query.get("to") ?? known[1][3]];
  return { from, to, show: query.get("show") ?? "Tokens", by: query.get("by") ?? "Total", wait: query.has("wait"), id: query.get("id") };
}

const parts = (row) => [row.total_input_tokens - row.total_cached_tokens, row.total_cached_tokens, row.total_output_tokens];
const measure = { Tokens: (row) => row.total_input_tokens + row.total_output_tokens, Requests: (row) => row.total_requests, Cost: (row) => row.cost_usd };
const format = { Tokens: number, Requests: number, Cost: dollars };

const EMPTY = { total_requests: 0, total_input_tokens: 0, total_output_tokens: 0, total_cached_tokens: 0, cost_usd: 0 };
const sum = (rows) => rows.reduce((total, row) => Object.fromEntries(Object.keys(EMPTY).map((name) => [name, total[name] + (row[name] ?? 0)])), EMPTY);

export function Usage({ me, notice, path, limit, keysPath, query: extra = {}, inside = false }) {
  const [{ from, to, show, by, wait }, set] = useState(asked);
  const [error, setError] = useState(null);
  const [waited, setWaited] = useState(!wait);
  const query = { ...extra, start_date: from, end_date: to, group_by: by === "Key" ? "key" : "model" };
  const usage = useData(() => get(path, query), [from, to, by === "Key"]);
  const keys = useData(() => by === "Key" ? get(keysPath, extra).catch(() => []) : Promise.resolve([]), [by === "Key"]);
  useEffect(() => {
    if (waited || usage.state !== "ready") return undefined;
    if (usage.data.usage.some((row) => row.day === today())) return void setWaited(true);
    const timer = setTimeout(usage.reload, 2000);
    const end = setTimeout(() => setWaited(true), WAIT);
    return () => { clearTimeout(timer); clearTimeout(end); };
  }, [usage.data, waited]);
  function go(change) {
    const next = { from, to, show, by, ...change };
    const url = new URL(location);
    for (const name of ["range", "wait"]) url.searchParams.delete(name);
    for (const name of ["from", "to", "show", "by"]) url.searchParams.set(name, next[name]);
    history.replaceState(null, "", url);
    set({ ...next, wait: false });
  }
  function apply(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    const [a, b] = [form.get("from"), form.get("to")];
    if (!a || !b) return setError("Enter both days");
    if (a > b) return setError(`${day(a)} is after ${day(b)}. Swap them.`);
    if (daysBetween(a, b) >= LONGEST) return setError(`The range holds ${daysBetween(a, b) + 1} days; at most ${LONGEST} are answered at once. Ask for a shorter range.`);
    setError(null);
    return go({ from: a, to: b });
  }
  async function download() {
    const text = await (await send("GET", path, { query: by === "Total" ? { ...query, group_by: undefined } : query, headers: { accept: "text/csv" } })).text();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text.replace(/^(?=[=+\-@\t\r])/gm, "'")], { type: "text/csv" }));
    link.download = `losi-usage-${from}-to-${to}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  const Heading = inside ? "h2" : "h1";
  return html`<div class="head"><${Heading} tabindex="-1">API usage statistics<//><${Button} busy="Downloading…" onClick=${download}>Download CSV<//></div>
    ${notice}
    <nav class="chips section-chips" aria-label="Range">${ranges(today()).map(([id, words, a, b]) => html`<a class="chip" href="?range=${id}" aria-current=${a === from && b === to ? "true" : undefined}
      onClick=${(event) => { event.preventDefault(); setError(null); go({ from: a, to: b }); }}>${words}</a>`)}</nav>
    <form class="row range" novalidate onSubmit=${apply}><label for="from">From</label><input id="from" name="from" type="date" max=${today()} value=${from} aria-invalid=${error ? "true" : undefined} aria-describedby=${error ? "range-error" : undefined} />
      <label for="to">To</label><input id="to" name="to" type="date" max=${today()} value=${to} /><button class="button" type="submit">Apply</button><small>Days in UTC</small></form>
    ${error && html`<p class="error" id="range-error" role="alert"><span class="hide">Error: </span>${error}</p>`}
    <div class="row views"><${Pick} label="Show" options=${SHOWS} value=${show} onPick=${(value) => go({ show: value })} /><${Pick} label="by" options=${BYS} value=${by} onPick=${(value) => go({ by: value })} /></div>
    ${!waited && html`<p role="status">Waiting for the call to be counted…</p>`}
    <${Loaded} of=${usage} what="Usage" rows=${8}>${(data) => html`<${Figures} rows=${data.usage} from=${from} to=${to} show=${show} by=${by} limit=${limit} keys=${keys.data ?? []} />`}<//>
    ${me.test && html`<${Problem} error=${{ message: "You signed in with a test key. Test calls are not counted, so what you see is the account's live usage." }} />`}`;
}

function Pick({ label, options, value, onPick }) {
  return html`<label class="row pick">${label} <select value=${value} onChange=${(event) => onPick(event.target.value)}>${options.map((name) => html`<option value=${name} selected=${name === value}>${name}</option>`)}</select></label>`;
}

function Figures({ rows, from, to, show, by, limit, keys }) {
  const byDay = useMemo(() => Map.groupBy ? Map.groupBy(rows, (row) => row.day) : rows.reduce((map, row) => map.set(row.day, [...(map.get(row.day) ?? []), row]), new Map()), [rows]);
  const total = sum(rows);
  const { series, values } = useMemo(() => seriesOf(rows, show, by, keys), [rows, show, by, keys]);
  const bars = useMemo(() => buckets(from, to).map((bar) => {
    const inside = bar.days.flatMap((each) => byDay.get(each) ?? []);
    const label = bar.days.length > 1 ? `${day(bar.from)} to ${day(bar.to)}` : weekDay(bar.from) + (bar.from === today() ? " (today)" : "");
    return { ...bar, values: values(inside), read: `${label} · ${sentence(sum(inside))}` };
  }), [rows, show, by, from, to, series]);
  if (!rows.length) {
    return html`<div class="empty"><h2>No usage from ${day(from)} to ${day(to)}</h2><p>Figures appear a few seconds after a call ends.</p>
      <div class="row"><a class="button primary" href=${new URL("playground/", CONSOLE).href}>Make a call</a></div></div>`;
  }
  const most = [...byDay.entries()].map(([each, list]) => [each, measure[show](sum(list))]).sort((a, b) => b[1] - a[1])[0];
  const weeks = bars.some((bar) => bar.days.length > 1);
  return html`<${Chart} bars=${bars} series=${series} format=${show === "Cost" ? (value) => dollars(value) : short} limit=${show === "Tokens" && !weeks ? limit : 0}
      title="${show} by ${weeks ? "week" : "day"}" summary="${daysWords(from, to)} to ${day(to)}: ${format[show](measure[show](total))} ${show === "Cost" ? "" : show.toLowerCase()}, most on ${day(most[0])}"
      rest="${daysWords(from, to)}${weeks ? ", a bar per week from Monday" : ""}: ${sentence(total)}" label=${weeks ? "Week" : "Day"} />
    <${Table} byDay=${byDay} total=${total} by=${by} keys=${keys} />`;
}

const sentence = (row) => `${plural(row.total_requests, "request")} · ${number(row.total_input_tokens)} input${row.total_cached_tokens ? ` (${number(row.total_cached_tokens)} cached)` : ""} · ${number(row.total_output_tokens)} output · ${dollars(row.cost_usd)}`;

/** The five largest of the range, then "other"; of the total by kind of token. */
function seriesOf(rows, show, by, keys) {
  if (by === "Total") {
    return show === "Tokens"
      ? { series: [{ name: "Uncached input", color: 1 }, { name: "Cached input", color: 3 }, { name: "Output", color: 4 }], values: (list) => list.reduce((all, row) => parts(row).map((value, index) => value + all[index]), [0, 0, 0]) }
      : { series: [{ name: show, color: 1 }], values: (list) => [list.reduce((all, row) => all + measure[show](row), 0)] };
  }
  const field = by.toLowerCase();
  const sums = new Map();
  for (const row of rows) sums.set(row[field], (sums.get(row[field]) ?? 0) + measure.Tokens(row));
  const ordered = [...sums].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const top = ordered.slice(0, 5);
  const series = top.map((name, index) => ({ id: name, name: nameOf(name, keys), color: index + 1 }));
  if (ordered.length > 5) series.push({ id: null, name: "other", color: 6 });
  const values = (list) => series.map(({ id }) => list.reduce((all, row) => all + ((id === null ? !top.includes(row[field]) : row[field] === id) ? measure[show](row) : 0), 0));
  return { series, values };
}

const nameOf = (id, keys) => id === "playground" ? "Playground" : keys.find((key) => key.id === id)?.name ?? id;

function Table({ byDay, total, by, keys }) {
  const days = [...byDay.keys()].sort().reverse();
  const months = [...new Set(days.map((each) => each.slice(0, 7)))];
  const field = by.toLowerCase();
  const cells = (row) => html`<td role="cell" class="n" data-label="Requests">${number(row.total_requests)}</td><td role="cell" class="n" data-label="Input">${number(row.total_input_tokens)}</td><td role="cell" class="n" data-label="Of which cached">${number(row.total_cached_tokens)}</td><td role="cell" class="n" data-label="Output">${number(row.total_output_tokens)}</td><td role="cell" class="n" data-label="Cost">${dollars(row.cost_usd)}</td>`;
  const line = (head, row, key) => html`<tr role="row" key=${key}><th scope="row" role="rowheader">${head}</th>${cells(row)}</tr>`;
  return html`<table class="data cards" role="table"><caption>The same figures. Days without usage are left out.</caption>
    <thead><tr><th scope="col">Day</th><th scope="col" class="n">Requests</th><th scope="col" class="n">Input</th><th scope="col" class="n">Of which cached</th><th scope="col" class="n">Output</th><th scope="col" class="n">Cost</th></tr></thead>
    ${months.map((each) => { const mine = days.filter((name) => name.startsWith(each)); return html`<tbody key=${each}>
      ${mine.map((name) => by === "Total" ? line(day(name), sum(byDay.get(name)), name)
        : byDay.get(name).map((row) => line(html`${day(name)}<span class="sub" dir="auto">${nameOf(row[field], keys)}</span>`, row, `${name}${row[field]}`)))}
      ${months.length > 1 && html`<tr role="row" class="subtotal"><th scope="row" role="rowheader">${month(`${each}-01`)}</th>${cells(sum(mine.flatMap((name) => byDay.get(name))))}</tr>`}</tbody>`; })}
    <tfoot><tr role="row"><th scope="row" role="rowheader">Total</th>${cells(total)}</tr></tfoot></table>`;
}
