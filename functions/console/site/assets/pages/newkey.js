import { html, useLayoutEffect, useState } from "../vendor/preact.js";
import { CONSOLE, addDays, call, curl, day, plural, title, today } from "../lib.js";
import { Code, Errors, PERMISSIONS, PRESETS, Secret, Support, Tabs, keepDraft, presetOf, setTitle, start, takeDraft } from "../lib.js";

const ENDS = [["30", "30 days"], ["90", "90 days"], ["365", "1 year"], ["never", "Never"], ["date", "On a date"]];
const at = (path) => new URL(path, CONSOLE).href;

function NewKey({ me, attempt, notice, say }) {
  const mine = me.permissions;
  const [kept] = useState(() => takeDraft(me.id));
  const [name, setName] = useState(kept?.name ?? "");
  const [permissions, setPermissions] = useState(kept?.permissions ?? PRESETS[0][2](mine));
  const [preset, setPreset] = useState(kept ? presetOf(kept.permissions, mine) : "call");
  const [ends, setEnds] = useState(kept?.ends ?? "90");
  const [date, setDate] = useState(kept?.date ?? addDays(today(), 90));
  const [test, setTest] = useState(kept?.test ?? me.test);
  const [errors, setErrors] = useState({});
  const [made, setMade] = useState(null);
  useLayoutEffect(() => { document.getElementById("f-name")?.focus(); }, []);
  if (made) return html`<${Secret} made=${made} onDone=${() => location.assign(at("settings/api/"))} />`;
  const until = ends === "never" ? null : ends === "date" ? date : addDays(today(), Number(ends));
  const body = { name: name.trim(), permissions, expires_at: until && `${until}T23:59:59Z`, ...(test ? { test: true } : {}) };
  const full = me.key_count >= me.plan.keys;
  function refuse(found) {
    setErrors(found);
    setTitle("Error: Create a key");
  }
  async function create(event) {
    event.preventDefault();
    const found = {};
    if (!name.trim()) found.name = "Enter a name for the key";
    else if ([...name.trim()].length > 100) found.name = "Shorten the name to 100 characters";
    if (!permissions.length) found.permissions = "Choose at least one permission";
    if (ends === "date" && !(date > today())) found.date = "Choose a date after today";
    if (Object.keys(found).length) return refuse(found);
    setErrors({});
    keepDraft(me.id, { name, permissions, ends, date, test });
    const key = await attempt(() => call("POST", "api-keys", { json: body }), (error) => {
      const field = { name: "name", permissions: "permissions", expires_at: "date" }[error.param] ?? "form";
      const doubt = error.code === "no_answer" ? " We do not know whether the key was made. Look in the list of keys before you try again." : "";
      refuse({ [field]: error.message + doubt });
    });
    if (key) { takeDraft(me.id); setMade(key); }
    return undefined;
  }
  const choose = (id, pick) => { setPreset(id); if (pick) setPermissions(pick(mine)); };
  const tick = (permission, on) => { setPreset("choose"); setPermissions(mine.filter((each) => each === permission ? on : permissions.includes(each))); };
  return html`<${Errors} errors=${errors} />
    <div class="head"><h1 tabindex="-1">Create a key</h1></div>
    <${Tabs} current="api/" />
    ${notice}
    ${full && html`<div class="problem"><div><h2>You have ${me.key_count} of ${plural(me.plan.keys, "key")}</h2><p>${larger(me)}Delete a key you no longer use${me.support ? html`, or ask <${Support} at=${me.support} /> for a larger plan` : ", or take a larger plan"}.</p></div><a class="button small" href=${at("settings/api/")}>API keys</a></div>`}
    <form class="narrow" novalidate onSubmit=${create}>
      <div class="field"><label for="f-name">Name</label><span class="hint" id="f-name-hint">What will use it? For example: production, CI</span>
        ${errors.name && html`<span class="error" id="f-name-error"><span class="hide">Error: </span>${errors.name}</span>`}
        <input id="f-name" name="name" type="text" autocomplete="off" dir="auto" aria-describedby="f-name-hint${errors.name ? " f-name-error" : ""}" aria-invalid=${errors.name ? "true" : undefined} value=${name} onInput=${(event) => setName(event.target.value)} />
        ${[...name].length >= 80 && html`<small>${[...name].length} of 100 characters</small>`}</div>
      <fieldset class="field" id="f-permissions" tabindex="-1"><legend>What it may do</legend>
        ${errors.permissions && html`<span class="error"><span class="hide">Error: </span>${errors.permissions}</span>`}
        <div class="row">${[...PRESETS, ["choose", "Choose"]].map(([id, words, pick]) => html`<label class="choice"><input type="radio" name="preset" checked=${preset === id} onChange=${() => choose(id, pick)} /> ${words}</label>`)}</div>
        ${mine.map((permission) => html`<label class="choice"><input type="checkbox" checked=${permissions.includes(permission)} onChange=${(event) => tick(permission, event.target.checked)} /> <span><code>${permission}</code><small>${PERMISSIONS[permission] ?? ""}</small></span></label>`)}
        ${me.signed_in_with && html`<small>Your sign-in cannot give more than it has.</small>`}</fieldset>
      <fieldset class="field"><legend>Expires</legend>
        <div class="chips" role="group">${ENDS.map(([id, words]) => html`<button type="button" class="chip" aria-pressed=${ends === id} onClick=${() => setEnds(id)}>${words}</button>`)}</div>
        ${errors.date && html`<span class="error"><span class="hide">Error: </span>${errors.date}</span>`}
        ${ends === "date" && html`<p class="row"><label for="f-date">Last day</label><input id="f-date" type="date" min=${addDays(today(), 1)} value=${date} onInput=${(event) => setDate(event.target.value)} /></p>`}
        <p class="muted" role="status">${until ? `Works until ${day(until)}, 23:59 UTC.` : "Such a key works until you delete it."}</p></fieldset>
      <fieldset class="field"><legend>Kind</legend>
        ${!me.test && html`<label class="choice"><input type="radio" name="kind" checked=${!test} onChange=${() => setTest(false)} /> <span>Live</span></label>`}
        <label class="choice"><input type="radio" name="kind" checked=${test} onChange=${() => setTest(true)} /> <span>Test<small>Reaches the sandbox only, costs nothing</small></span></label></fieldset>
      <div class="actions"><button type="submit" class="button primary">Create key</button><a class="button quiet" href=${at("settings/api/")}>Cancel</a></div>
      <details class="fold"><summary>As curl</summary><${Code} title="The same request" text=${curl("POST", "api-keys", body)} /></details>
    </form>`;
}

const larger = ({ plan, plans }) => {
  const next = plans.find((each) => each.keys > plan.keys);
  return next ? `The ${title(next.name)} plan has ${next.keys}. ` : "";
};

start(NewKey);
