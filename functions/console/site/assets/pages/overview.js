import { html, useEffect } from "../vendor/preact.js";
import { BASE_URL, CONSOLE, call, dollars, get, month, number, plural, short, title, today, useData } from "../lib.js";
import { Button, CopyButton, HELLO, Loaded, Meter, Samples, Spark, chatSamples, duration, resetsAtMidnight, start, useNow } from "../lib.js";

const FRESH = 30_000;

function Overview({ me, setMe, attempt, say, notice }) {
  const from = `${today().slice(0, 8)}01`;
  const usage = useData(() => get("api-usage", { start_date: from, group_by: "model" }));
  const limits = useData(() => get("limits"));
  useEffect(() => {
    const look = () => { if (document.visibilityState === "visible") limits.reload(); };
    const timer = setInterval(look, FRESH);
    addEventListener("focus", look);
    return () => { clearInterval(timer); removeEventListener("focus", look); };
  }, []);
  const called = usage.data && usage.data.summary.total_requests > 0;
  const isNew = usage.data && (!me.api_access || me.key_count === 0 || !called) && !me.signed_in_with;
  return html`<div class="head"><h1 tabindex="-1">Overview</h1></div>
    <p class="lead">${title(me.plan.name)} plan · ${me.key_count} of ${plural(me.plan.keys, "key")}${me.email && ` · ${me.email}`}</p>
    ${notice}
    ${isNew ? html`<${Checklist} me=${me} called=${called} setMe=${setMe} attempt=${attempt} say=${say} usage=${usage} />`
      : html`<${Today} limits=${limits} />`}
    <section class="section" aria-labelledby="month"><h2 id="month">${month(today())}</h2>
      <${Loaded} of=${usage} what="Usage" rows=${2}>${(data) => html`<${Month} data=${data} from=${from} />`}<//></section>
    <section class="section" aria-labelledby="quick"><h2 id="quick">Quick start</h2>
      <${Samples} samples=${chatSamples(HELLO)} label="Quick start" />
      <dl class="facts section-facts"><dt>Base URL</dt><dd class="row"><code>${BASE_URL}</code><${CopyButton} text=${BASE_URL} what="base URL" /></dd>
      <dt>Key</dt><dd>Use yours. <a href=${new URL("settings/api/", CONSOLE).href}>API keys</a></dd></dl></section>`;
}

function Today({ limits }) {
  const now = useNow();
  return html`<section class="section first" aria-labelledby="today"><h2 id="today">Today</h2>
    <${Loaded} of=${limits} what="Limits" rows=${3}>${({ day, minute, running }) => html`
      <${Meter} name="Tokens" used=${day.tokens.used} held=${day.tokens.held} limit=${day.tokens.limit} unit="today" left="${short(Math.max(0, day.tokens.limit - day.tokens.used - day.tokens.held))} left," resets=${resetsAtMidnight(now)} />
      <${Meter} name="Requests" used=${minute.requests.used} limit=${minute.requests.limit} unit="this minute" left="" resets="in ${duration(60 - Math.floor(now / 1000) % 60)}" />
      <${Meter} name="Running" used=${running.used} limit=${running.limit} unit="at the same time" left="" />`}<//></section>`;
}

function Month({ data, from }) {
  const byDay = new Map();
  for (const row of data.usage) byDay.set(row.day, (byDay.get(row.day) ?? 0) + row.total_input_tokens + row.total_output_tokens);
  const days = Number(today().slice(8));
  const values = Array.from({ length: days }, (_, index) => byDay.get(`${from.slice(0, 8)}${String(index + 1).padStart(2, "0")}`) ?? 0);
  const { summary } = data;
  const tokens = summary.total_input_tokens + summary.total_output_tokens;
  return html`<p class="sums"><span class="big">${dollars(summary.cost_usd ?? 0)}</span> <span>${plural(summary.total_requests, "request")}</span> <span>${plural(tokens, "token")}</span>
    <a href=${new URL("usage/?range=month", CONSOLE).href}>Usage</a></p>
    ${tokens === 0 ? html`<p class="muted">No calls this month.</p>` : html`<${Spark} values=${values} label="Tokens a day this month: ${number(tokens)} in ${plural(days, "day")}" />`}`;
}

function Checklist({ me, called, setMe, attempt, say, usage }) {
  useEffect(() => {
    const timer = setInterval(() => { if (me.key_count > 0 && !called) usage.reload(); }, 5000);
    return () => clearInterval(timer);
  }, [me.key_count, called]);
  const turnOn = () => attempt(async () => {
    setMe(await call("PATCH", "profile", { json: { api_access: true } }));
    say("API access is on.");
  }, (error) => say(error.message));
  const step = (done, count, text, action) => html`<li class=${done ? "done" : ""}><b aria-hidden="true">${done ? "✓" : count}</b>
    <span>${text}${done && html`<span class="hide"> (done)</span>`}</span>${!done && action}</li>`;
  const first = !me.api_access ? 1 : me.key_count === 0 ? 2 : 3;
  return html`<section class="section first" aria-labelledby="start"><h2 id="start">Start here</h2><ol class="steps">
    ${step(me.api_access, 1, "Turn on API access", html`<${Button} class=${first === 1 ? "primary" : ""} busy="Turning on…" onClick=${turnOn}>Turn on API access<//>`)}
    ${step(me.key_count > 0, 2, "Create a key", html`<a class="button ${first === 2 ? "primary" : ""}" href=${new URL("settings/api/new/", CONSOLE).href}>Create key</a>`)}
    ${step(called, 3, html`Make a call${me.key_count > 0 && html` <span class="muted">· waiting…</span>`}`, html`<span class="row"><a class="button ${first === 3 ? "primary" : ""}" href=${new URL("playground/", CONSOLE).href}>Open the playground</a><a class="button" href=${new URL("settings/api/new/", CONSOLE).href}>Create key</a></span>`)}
  </ol></section>`;
}

start(Overview);
