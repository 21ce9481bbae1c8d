import { html, useState } from "../vendor/preact.js";
import { ago, call, device, get, instant, plural, useData } from "../lib.js";
import { Badge, Button, Dialog, Loaded, Tabs, focusHeading, signOut, start } from "../lib.js";

function SessionsPage({ attempt, say, notice }) {
  const sessions = useData(() => get("sessions"));
  const [asking, setAsking] = useState(false);
  const failed = (error) => say(error.message);
  const end = (session) => attempt(async () => {
    await call("DELETE", "sessions", { query: { id: session.id } });
    await sessions.reload();
    say(`${device(session.device)} is signed out.`);
    focusHeading();
  }, failed);
  return html`<div class="head"><h1 tabindex="-1">Sessions</h1>
      ${sessions.data && html`<${Button} onClick=${() => setAsking(true)}>Sign out everywhere<//>`}</div>
    <${Tabs} current="sessions/" />
    ${notice}
    <${Loaded} of=${sessions} what="Sessions">${(list) => html`<table class="data cards" role="table">
      <caption>Where you are signed in. A session ends after 12 hours without use, and after 7 days.</caption>
      <thead><tr><th scope="col">Device</th><th scope="col">Started</th><th scope="col">Last seen</th><th scope="col"><span class="hide">Action</span></th></tr></thead>
      <tbody>${list.map((session) => html`<tr role="row" key=${session.id}>
        <th scope="row" role="rowheader">${device(session.device)} ${session.current && html`<${Badge} kind="info">This one<//>`}${session.api_key && html`<span class="sub">with ${session.api_key}</span>`}</th>
        <td role="cell" data-label="Started"><time datetime=${session.created_at}>${instant(session.created_at)}</time></td>
        <td role="cell" data-label="Last seen"><time datetime=${session.last_seen_at} title=${instant(session.last_seen_at)}>${ago(session.last_seen_at)}</time></td>
        <td role="cell" class="bare">${session.current ? html`<${Button} class="small" onClick=${() => signOut()}>Sign out<//>`
          : html`<${Button} class="small" busy="Signing out…" onClick=${() => end(session)}>Sign out<span class="hide"> ${device(session.device)}</span><//>`}</td></tr>`)}</tbody></table>`}<//>
    ${asking && html`<${Dialog} title="Sign out everywhere?" onClose=${() => setAsking(false)}>
      <p>Ends ${plural(sessions.data.length, "session")}, this one too. API keys keep working.</p>
      <div class="actions"><${Button} data-first onClick=${() => setAsking(false)}>Stay signed in<//><${Button} class="danger last" busy="Signing out…" onClick=${() => signOut(true)}>Sign out everywhere<//></div><//>`}`;
}

start(SessionsPage);
