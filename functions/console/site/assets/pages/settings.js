import { html, useState } from "../vendor/preact.js";
import { API, CONSOLE, call, number, plural, title } from "../lib.js";
import { Button, Dialog, Errors, Field, Problem, Support, Tabs, keepDraft, setTitle, signInUrl, start, takeDraft } from "../lib.js";

function Settings({ me, setMe, attempt, say, notice }) {
  const [draft] = useState(() => takeDraft(me.id));
  const [name, setName] = useState(draft?.name ?? me.name);
  const [errors, setErrors] = useState({});
  const [dialog, setDialog] = useState(null);
  const owner = !me.signed_in_with;
  const failed = (error) => { setErrors({ [error.param === "name" ? "name" : "form"]: error.message }); setTitle("Error: Profile settings"); };
  async function save(event) {
    event.preventDefault();
    setErrors({});
    keepDraft(me.id, { name });
    const changed = await attempt(() => call("PATCH", "profile", { json: { name } }), failed);
    if (changed) { takeDraft(me.id); setMe(changed); setName(changed.name); setTitle("Profile settings"); say("Your name is saved."); }
  }
  async function setAccess(on) {
    const changed = await attempt(() => call("PATCH", "profile", { json: { api_access: on } }), failed);
    if (changed) { setMe(changed); say(on ? "API access is on." : "API access is off. No key works now."); }
    setDialog(null);
  }
  const { plan } = me;
  return html`<${Errors} errors=${errors} />
    <div class="head"><h1 tabindex="-1">Profile settings</h1></div>
    <${Tabs} current="" />
    ${notice}
    <form class="narrow" novalidate onSubmit=${save}>
      <${Field} name="name" label="Name" error=${errors.name}>${(input) => html`<input ...${input} type="text" autocomplete="name" dir="auto" value=${name} readonly=${!owner} onInput=${(event) => setName(event.target.value)} />`}<//>
      ${owner && html`<div class="actions"><button class="button primary" type="submit">Save changes</button></div>`}
    </form>
    <dl class="facts section narrow">
      <dt>E-mail</dt><dd>${me.email || (owner ? "None" : "Hidden: you signed in with a key")}${me.email && html`<small class="hint"><br />From your sign-in. ${me.support ? html`<${Support} at=${me.support} />` : "The operator"} changes it.</small>`}</dd>
      <dt>Account</dt><dd><code>${me.id}</code></dd>
      <dt>Plan</dt><dd><b>${title(plan.name)}</b>: ${plural(plan.keys, "key")}, ${number(plan.requests_per_minute)} requests and ${number(plan.tokens_per_minute)} tokens a minute, ${number(plan.tokens_per_day)} tokens a day, ${plan.in_flight} requests at the same time.
        <br /><a href=${new URL("models/", CONSOLE).href}>${plural(plan.models.length, "model")}</a></dd>
    </dl>
    <section class="section narrow" aria-labelledby="access"><h2 id="access">API access</h2>
      <button type="button" class="switch" role="switch" aria-checked=${me.api_access} aria-labelledby="access" disabled=${!owner}
        onClick=${() => me.api_access ? setDialog("access") : setAccess(true)}><i></i><span>${me.api_access ? "On" : "Off"}</span></button>
      <p class="muted">${me.api_access ? `${plural(me.key_count, "key")} can be used.` : `${plural(me.key_count, "key")} cannot be used until you turn it on.`}</p></section>
    <${Theme} />
    ${owner && html`<section class="section narrow" aria-labelledby="data"><h2 id="data">Your data</h2>
      <p>Everything stored of this account: profile, keys without their secrets, sessions, usage by day.</p>
      <div class="actions"><a class="button" href=${new URL("profile/export", API).href} download>Export my data</a></div></section>
    <section class="section narrow" aria-labelledby="end"><h2 id="end">Delete account</h2>
      <p>Takes ${plural(me.key_count, "key")} and all usage with it, at once and for good.</p>
      <div class="actions"><${Button} class="danger" onClick=${() => setDialog("delete")}>Delete account<//></div></section>`}
    ${dialog === "access" && html`<${Dialog} danger title="Turn off API access?" onClose=${() => setDialog(null)}>
      <p>${me.key_count === 1 ? "Your key stops" : `All ${me.key_count} keys stop`} working at once. Turning it on again brings ${me.key_count === 1 ? "it" : "them"} back.</p>
      <div class="actions"><${Button} data-first onClick=${() => setDialog(null)}>Leave it on<//><${Button} class="danger last" busy="Turning off…" onClick=${() => setAccess(false)}>Turn off API access<//></div><//>`}
    ${dialog === "delete" && html`<${DeleteAccount} me=${me} onClose=${() => setDialog(null)} />`}`;
}

function DeleteAccount({ me, onClose }) {
  const word = me.email || me.name || me.id;
  const [typed, setTyped] = useState("");
  const [error, setError] = useState(null);
  async function remove() {
    if (typed.trim() !== word) return setError({ message: `Type ${word} to delete the account.` });
    try {
      await call("DELETE", "profile");
      sessionStorage.clear();
      location.assign(new URL("deleted/", CONSOLE));
    } catch (failed) { setError(failed); }
    return undefined;
  }
  return html`<${Dialog} danger title="Delete this account?" onClose=${onClose}>
    <p>${plural(me.key_count, "key")}, all usage and all sessions go at once. Apps that use a key stop working. It cannot be brought back.</p>
    <p><a href=${new URL("profile/export", API).href} download>Export my data</a> first.</p>
    ${error && html`<${Problem} error=${error}>${error.code === "fresh_sign_in_required" && html`<a class="button small" href=${signInUrl()}>Sign in</a>`}<//>`}
    <${Field} name="confirm" label="Type ${word}">${(input) => html`<input ...${input} type="text" autocomplete="off" value=${typed} onInput=${(event) => setTyped(event.target.value)} />`}<//>
    <div class="actions"><${Button} data-first onClick=${onClose}>Keep account<//><${Button} class="danger last" busy="Deleting…" onClick=${remove}>Delete account<//></div><//>`;
}

function Theme() {
  const [theme, set] = useState(document.documentElement.dataset.theme ?? "system");
  function choose(name) {
    set(name);
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    try { if (name === "system") localStorage.removeItem("losi-theme"); else localStorage.setItem("losi-theme", name); } catch { /* this page only */ }
  }
  return html`<fieldset class="section field narrow"><legend>Theme</legend><div class="row">${["system", "light", "dark"].map((name) => html`
    <label class="choice"><input type="radio" name="theme" checked=${theme === name} onChange=${() => choose(name)} /> ${title(name)}</label>`)}</div></fieldset>`;
}

start(Settings);
