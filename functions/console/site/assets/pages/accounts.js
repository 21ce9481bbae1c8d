import { html, useState } from "../vendor/preact.js";
import { CONSOLE, call, dollars, get, number, short, title, useData } from "../lib.js";
import { Badge, Button, Loaded, start } from "../lib.js";

function Accounts({ attempt, say, notice }) {
  const [query, setQuery] = useState(new URLSearchParams(location.search).get("q") ?? "");
  const [more, setMore] = useState([]);
  const [cursor, setCursor] = useState(null);
  const first = useData(async () => {
    const found = await get("operator/accounts", { q: query || undefined });
    setMore([]);
    setCursor(found.next_cursor);
    return found.accounts;
  }, [query]);
  const load = () => attempt(async () => {
    const found = await call("GET", "operator/accounts", { query: { q: query || undefined, cursor } });
    setMore([...more, ...found.accounts]);
    setCursor(found.next_cursor);
    requestAnimationFrame(() => document.getElementById(found.accounts[0]?.id)?.focus());
  }, (error) => say(error.message));
  const search = (text) => {
    history.replaceState(null, "", text ? `?q=${encodeURIComponent(text)}` : location.pathname);
    setQuery(text);
  };
  return html`<div class="head"><h1 tabindex="-1">Accounts</h1></div>${notice}
    <form class="row section-chips" role="search" onSubmit=${(event) => { event.preventDefault(); search(new FormData(event.target).get("q").trim()); }}><label for="q" class="hide">Search id, e-mail, name</label><input id="q" name="q" type="search" class="narrow" placeholder="Id, e-mail or name" value=${query} /><button class="button" type="submit">Search</button></form>
    <${Loaded} of=${first} what="Accounts" rows=${6}>${(list) => list.length === 0
      ? html`<div class="empty"><h2>${query ? `No account matches “${query}”` : "No accounts yet"}</h2>${query && html`<${Button} onClick=${() => search("")}>Clear search<//>`}</div>`
      : html`<table class="data cards" role="table"><caption>${number(list.length + more.length)} ${query ? "found" : "accounts"}${cursor && ", and more"}. Figures of today, in UTC.</caption>
      <thead><tr><th scope="col">Account</th><th scope="col">Plan</th><th scope="col" class="n">Keys</th><th scope="col" class="n">Tokens today</th><th scope="col" class="n">Month</th><th scope="col">State</th></tr></thead>
      <tbody>${[...list, ...more].map((account) => html`<tr role="row" key=${account.id} id=${account.id} tabindex="-1"><th scope="row" role="rowheader"><a class="name" dir="auto" href=${new URL(`operator/account/?id=${account.id}`, CONSOLE).href}>${account.name || account.email || account.id}</a><span class="sub"><code>${account.id}</code> ${account.email}</span></th>
        <td role="cell" data-label="Plan">${title(account.plan)}</td><td role="cell" class="n" data-label="Keys">${account.key_count} of ${account.limits.keys}</td>
        <td role="cell" class="n" data-label="Tokens today">${short(account.today.tokens)} of ${short(account.limits.tokens_per_day)}</td><td role="cell" class="n" data-label="Month">${dollars(account.month.cost_usd)}</td>
        <td role="cell" data-label="State"><span class="row"><${State} of=${account} /></span></td></tr>`)}</tbody></table>
      ${cursor && html`<div class="actions"><${Button} busy="Loading…" onClick=${load}>Load more<//></div>`}`}<//>`;
}

function State({ of: account }) {
  if (account.disabled) return html`<${Badge} kind="bad">Disabled<//>`;
  return html`<${Badge} kind=${account.api_access ? "ok" : ""}>${account.api_access ? "Active" : "API access off"}<//>${account.operator && html`<${Badge} kind="info">Operator<//>`}`;
}

start(Accounts);
