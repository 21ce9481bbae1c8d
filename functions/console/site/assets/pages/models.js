import { html, useState } from "../vendor/preact.js";
import { CONSOLE, day, get, number, useData } from "../lib.js";
import { Badge, CopyButton, Loaded, start } from "../lib.js";

const WORDS = { structured_output: "structured output", reasoning: "advanced reasoning" };
const words = (features) => features.map((name) => WORDS[name] ?? name.replaceAll("_", " ")).join(", ") || "text";
const SOON = 90 * 86_400_000;
const price = (value) => value === undefined ? "–" : value.toFixed(value < 0.1 && value > 0 ? 3 : 2);

function Models({ me, notice }) {
  const models = useData(() => get("models"));
  const [filter, setFilter] = useState("");
  const missing = me.plans.filter((plan) => plan.name !== me.plan.name)
    .map((plan) => [plan.name, plan.models.filter((id) => !me.plan.models.includes(id))]).filter(([, ids]) => ids.length);
  return html`<div class="head"><h1 tabindex="-1">Models</h1></div>
    <p class="lead">What your ${me.plan.name} plan has. Prices are US dollars per million tokens.${me.answers === "sandbox" && " The sandbox answers all of them at the moment, for nothing."}</p>
    ${notice}
    <${Loaded} of=${models} what="Models" rows=${6}>${(list) => {
      const found = list.filter((model) => `${model.id} ${model.description} ${words(model.features)}`.toLowerCase().includes(filter.trim().toLowerCase()));
      return html`<div class="field narrow"><label for="filter">Filter</label><input id="filter" type="search" value=${filter} onInput=${(event) => setFilter(event.target.value)} /></div>
        <p role="status" class="hide">${found.length} models</p>
        ${found.length === 0 ? html`<div class="empty"><h2>No model matches “${filter}”</h2><button type="button" class="button" onClick=${() => setFilter("")}>Clear filter</button></div>`
          : html`<table class="data cards" role="table"><caption>In your plan</caption>
        <thead><tr><th scope="col">Model</th><th scope="col">Features</th><th scope="col" class="n">Context</th><th scope="col" class="n">Longest answer</th><th scope="col" class="n">Input</th><th scope="col" class="n">Cached</th><th scope="col" class="n">Output</th><th scope="col"><span class="hide">Action</span></th></tr></thead>
        <tbody>${found.map((model) => html`<tr role="row" key=${model.id}><th scope="row" role="rowheader"><span class="row"><code>${model.id}</code><${CopyButton} text=${model.id} what=${model.id} /></span><span class="sub">${model.description}</span><${Retires} model=${model} /></th>
          <td role="cell" data-label="Features">${words(model.features)}</td>
          <td role="cell" class="n" data-label="Context">${model.context_window ? number(model.context_window) : "–"}</td><td role="cell" class="n" data-label="Longest answer">${model.max_output_tokens ? number(model.max_output_tokens) : "–"}</td>
          <td role="cell" class="n" data-label="Input">${price(model.pricing.input)}</td><td role="cell" class="n" data-label="Cached">${price(model.pricing.cached_input)}</td><td role="cell" class="n" data-label="Output">${price(model.pricing.output)}</td>
          <td role="cell" class="bare">${model.max_output_tokens > 0 && html`<a class="alone" href=${new URL(`playground/?model=${encodeURIComponent(model.id)}`, CONSOLE).href}>Try it<span class="hide">: ${model.id}</span></a>`}</td></tr>`)}</tbody></table>`}`;
    }}<//>
    ${missing.length > 0 && html`<section class="section"><h2>Needs a larger plan</h2><ul>${missing.map(([plan, ids]) => html`<li>With ${plan}: ${ids.map((id, index) => html`${index > 0 && ", "}<code>${id}</code>`)}</li>`)}</ul></section>`}`;
}

function Retires({ model }) {
  if (!model.shutdown_date) return null;
  const soon = Date.parse(model.shutdown_date) - Date.now() < SOON;
  return html`<span class="sub">${soon && html`<${Badge} kind="warn">Retires<//> `}${soon ? "" : "Retires "}${day(model.shutdown_date)}</span>`;
}

start(Models);
