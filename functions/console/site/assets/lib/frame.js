// What every page has around its own content: who is signed in, one banner, signing out.
import { html, render, useEffect, useState } from "../vendor/preact.js";
import { ApiError, CONSOLE, DOCS, call, get, signInUrl } from "./api.js";
import { clock } from "./format.js";
import { Button, Dialog, Notice, Problem } from "./ui.js";

/** Render `Page` into the shell once it is known who is signed in. */
export async function start(Page) {
  const main = document.querySelector("main");
  let me;
  try {
    me = await get("profile");
  } catch (error) {
    if (error.code === "session_expired") return void location.replace(signInUrl());
    if (!(error instanceof ApiError)) throw error;
    const head = document.querySelector(".problem") ?? main.appendChild(document.createElement("div"));
    render(html`<${Problem} error=${error} title="The console could not be loaded" retry=${() => location.reload()} />`, head);
    return;
  }
  showWho(me);
  main.replaceChildren();
  main.removeAttribute("aria-busy");
  render(html`<${Frame} me=${me} Page=${Page} />`, main);
}

function Frame({ me: first, Page }) {
  const [me, setMe] = useState(first);
  const [notice, setNotice] = useState(null);
  const [over, setOver] = useState(false);
  const offline = useOffline();
  /** Runs a change; says what failed. A session that ended is offered to be renewed. */
  async function attempt(work, onError) {
    setNotice(null);
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === "session_expired") setOver(true);
      else if (error.code === "offline") onError(new ApiError({ message: "Not sent: you are offline." }));
      else onError(error);
      return undefined;
    }
  }
  async function reloadMe() {
    const now = await get("profile");
    setMe(now);
    showWho(now);
    return now;
  }
  return html`<${Banner} me=${me} offline=${offline} onChange=${setMe} attempt=${attempt} say=${setNotice} />
    <${Page} me=${me} setMe=${setMe} reloadMe=${reloadMe} attempt=${attempt} say=${setNotice} notice=${html`<${Notice}>${notice}<//>`} />
    ${over && html`<${Dialog} title="Sign in again to go on" onClose=${() => setOver(false)}>
      <p>Your session has ended. What you typed is kept on this device for 15 minutes.</p>
      <div class="actions"><a class="button primary" data-first href=${signInUrl()}>Sign in</a><${Button} onClick=${() => setOver(false)}>Stay here<//></div><//>`}`;
}

function useOffline() {
  const [since, set] = useState(navigator.onLine === false ? Date.now() : null);
  useEffect(() => {
    const off = () => set(Date.now());
    const on = () => set(null);
    addEventListener("offline", off);
    addEventListener("online", on);
    return () => { removeEventListener("offline", off); removeEventListener("online", on); };
  }, []);
  return since;
}

/** One at most: what stops everything comes first. */
function Banner({ me, offline, onChange, attempt, say }) {
  const turnOn = () => attempt(async () => {
    onChange(await call("PATCH", "profile", { json: { api_access: true } }));
    say("API access is on.");
  }, (error) => say(error.message));
  if (!me.api_access) {
    return html`<section class="banner warn" aria-labelledby="banner"><div><h2 id="banner">API access is off</h2>
      <p>No key of this account works until you turn it on.</p></div>
      ${me.signed_in_with ? null : html`<${Button} class="primary" busy="Turning on…" onClick=${turnOn}>Turn on API access<//>`}</section>`;
  }
  if (offline) {
    return html`<section class="banner warn" aria-labelledby="banner"><div><h2 id="banner">You are offline</h2>
      <p>What you see is from ${clock(offline)}. Entries are kept.</p></div></section>`;
  }
  if (me.answers === "sandbox" && document.body.dataset.sandboxBanner !== undefined) {
    return html`<section class="banner" aria-labelledby="banner"><div><h2 id="banner">The sandbox answers</h2>
      <p>No provider is set up, so answers are test data and cost nothing. <a href=${new URL("sandbox/", DOCS).href}>Read about the sandbox</a></p></div></section>`;
  }
  return null;
}

function showWho(me) {
  const words = (me.name || me.email || "?").trim().split(/\s+/);
  for (const who of document.querySelectorAll(".who")) {
    who.textContent = words.slice(0, 2).map((word) => [...word][0]).join("").toUpperCase();
    who.title = me.name || me.email || "";
  }
  for (const item of document.querySelectorAll("[data-operator]")) item.hidden = !me.operator;
}

export async function signOut(everywhere = false) {
  await call("DELETE", everywhere ? "sessions" : "session");
  sessionStorage.clear();
  const url = new URL("signin/", CONSOLE);
  url.searchParams.set("signed_out", everywhere ? "everywhere" : "here");
  location.assign(url);
}

for (const button of document.querySelectorAll("[data-sign-out]")) {
  button.addEventListener("click", () => signOut());
}
// another session's page, kept by the back button, must not be shown to whoever comes next
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
