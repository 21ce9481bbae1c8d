import { html, render, useEffect, useState } from "../vendor/preact.js";
import { ApiError, CONSOLE, DOCS, API, call, get, returnTo } from "../lib.js";
import { Button, Field, Support } from "../lib.js";

const SAID = { here: "You are signed out.", everywhere: "You are signed out on all devices." };
const REFUSED = {
  no_account: "This address has no account here.",
  sign_in_failed: "Signing in did not work. Start again.",
  too_many_accounts: "No more accounts can be opened today. Try again tomorrow.",
  email_not_verified: "Your e-mail address is not verified where you signed in. Verify it there first.",
};

function SignIn() {
  const query = new URLSearchParams(location.search);
  const [methods, setMethods] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    get("session/methods").then(setMethods, (failed) => {
      if (!(failed instanceof ApiError)) throw failed;
      setError(failed.message);
    });
  }, []);
  const refused = REFUSED[query.get("error")];
  const enter = () => location.assign(returnTo());
  async function demo() {
    setError(null);
    try {
      await call("POST", "session/demo");
      enter();
    } catch (failed) { setError(failed.message); }
  }
  async function withKey(event) {
    event.preventDefault();
    const key = new FormData(event.target).get("key").trim();
    setError(null);
    if (!key) return setError("Enter an API key.");
    try {
      await call("POST", "session", { json: { api_key: key } });
      event.target.reset();
      enter();
    } catch (failed) {
      setError(failed.message);
      document.title = "Error: Sign in · Losi API";
      document.getElementById("f-key").focus();
    }
  }
  const oidc = new URL("session/oidc", API);
  oidc.searchParams.set("return_to", returnTo());
  const person = methods?.demo || methods?.openid_connect;
  return html`<a class="brand" href=${CONSOLE.href}>Losi API</a>
    <h1 tabindex="-1">Sign in</h1>
    <p class="lead">Keys, usage and a playground for the models of this API.</p>
    <div role="status" class="notice">${SAID[query.get("signed_out")]}</div>
    ${refused && html`<div role="alert" class="problem"><p>${refused} ${methods?.support && html`Ask <${Support} at=${methods.support} />.`}</p></div>`}
    ${methods?.demo && html`<${Button} class="primary" busy="Opening…" onClick=${demo}>Open the demo account<//>`}
    ${methods?.openid_connect && html`<a class="button primary" href=${oidc.href}>Sign in</a>`}
    ${!methods && !error && html`<span class="button primary" aria-disabled="true">Sign in</span>`}
    ${methods && html`<details class="fold" open=${!person}><summary>Use an API key</summary>
      <form novalidate onSubmit=${withKey}>
        <${Field} name="key" label="API key" error=${error} hint="The session can do what the key can, and ends with it.">
          ${(input) => html`<input ...${input} type="password" autocomplete="off" spellcheck=${false} />`}<//>
        <div class="actions"><button class="button" type="submit">Sign in with this key</button></div>
      </form></details>`}
    ${!methods && error && html`<div role="alert" class="problem"><p>${error}</p></div>`}
    <p class="section"><small><a href=${DOCS.href}>Read the docs</a>${methods?.support && html` · Support: <${Support} at=${methods.support} />`}</small></p>`;
}

const main = document.querySelector("main");
main.replaceChildren();
render(html`<${SignIn} />`, main);
