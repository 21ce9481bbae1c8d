// The parts that pages are made of.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/preact.js";
import { ApiError, get } from "./api.js";
import { duration, number } from "./format.js";

let ids = 0;
/** An id that is the page's own, for labels and descriptions. */
export const useUid = () => useState(() => `u${++ids}`)[0];

export function setTitle(text) {
  document.title = `${text} · Losi API`;
}

export const focusHeading = () => document.querySelector("h1")?.focus();

/** A live region that was there before its text, which is how screen readers notice it. */
export const Notice = ({ children }) => html`<div role="status" class="notice">${children}</div>`;

export function Problem({ error, title, retry, children }) {
  return html`<div role="alert" class="problem"><div>
    ${title && html`<h2>${title}</h2>`}
    <p>${error.message}</p>
    ${error.requestId && html`<p><small>Request <code>${error.requestId}</code></small></p>`}
    </div>${children}
    ${retry && html`<${Button} class="small" onClick=${retry}>Try again<//>`}</div>`;
}

/** A button whose press may take a while: it keeps its width and ignores a second press. */
export function Button({ onClick, busy, class: kind = "", type = "button", children, ...rest }) {
  const [working, setWorking] = useState(false);
  const self = useRef();
  async function press(event) {
    if (working) return event.preventDefault();
    if (!onClick) return;
    const result = onClick(event);
    if (!(result instanceof Promise)) return;
    self.current.style.setProperty("min-width", `${self.current.offsetWidth}px`);
    setWorking(true);
    try { await result; } finally { setWorking(false); }
  }
  return html`<button ref=${self} type=${type} class="button ${kind}" aria-disabled=${working || undefined}
    onClick=${press} ...${rest}>${working && busy ? busy : children}</button>`;
}

export function CopyButton({ text, label = "Copy", class: kind = "small", onCopied, what = "" }) {
  const [said, setSaid] = useState("");
  async function copy(event) {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
      onCopied?.();
    } catch {
      const shown = event.target.closest(".code, .row, dd, td")?.querySelector("pre, code");
      if (shown) getSelection().selectAllChildren(shown);
      setSaid("Press Ctrl+C");
    }
    setTimeout(() => setSaid(""), 2000);
  }
  return html`<button type="button" class="button quiet ${kind}" onClick=${copy}>${said || label}${what && html`<span class="hide"> ${what}</span>`}</button>
    <span role="status" class="hide">${said}</span>`;
}

/** `<dialog>`: focus goes to the first field or the safe button, and returns to the opener. */
export function Dialog({ title, danger, onClose, children }) {
  const self = useRef();
  const id = useUid();
  useLayoutEffect(() => {
    const opener = document.activeElement;
    const dialog = self.current;
    dialog.showModal();
    (self.current.querySelector("[data-first]") ?? self.current.querySelector("input, select, button"))?.focus();
    return () => {
      dialog.close();  // while it is open, nothing beneath it takes the focus
      if (opener?.isConnected && opener !== document.body) opener.focus();
      else focusHeading();
    };
  }, []);
  return html`<dialog ref=${self} role=${danger ? "alertdialog" : undefined} aria-labelledby=${id} aria-describedby=${danger ? `${id}d` : undefined}
    onCancel=${(event) => { event.preventDefault(); onClose(); }}>
    <h2 id=${id}>${title}</h2>
    <div id="${id}d" class="stack">${children}</div>
  </dialog>`;
}

/** What the server has, and how far asking for it is: `{data, error, reload, state}`. */
export function useData(load, deps = []) {
  const [result, set] = useState({ state: "new" });
  const turn = useRef(0);
  async function reload() {
    const mine = ++turn.current;
    const slow = [setTimeout(() => set((now) => now.data ? now : { state: "slow" }), 5000)];
    try {
      const data = await load();
      if (mine === turn.current) set({ state: "ready", data });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine === turn.current) set((now) => ({ ...now, state: "failed", error }));
    } finally {
      slow.forEach(clearTimeout);
    }
  }
  useEffect(() => { reload(); }, deps);
  return { ...result, reload };
}

/** The loaded data, or in its place the state of loading, at its final height. */
export function Loaded({ of, what, rows = 3, children }) {
  if (of.data) return html`${of.error && html`<${Problem} error=${of.error} title="${what} could not be loaded again" retry=${of.reload} />`}${children(of.data)}`;
  if (of.error) {
    return of.error.code === "missing_permission" || of.error.code === "owner_required"
      ? html`<div class="empty"><h2>Your sign-in cannot see this</h2><p>${of.error.message}</p></div>`
      : html`<${Problem} error=${of.error} title="${what} could not be loaded" retry=${of.reload} />`;
  }
  return html`<div aria-busy="true">${of.state === "slow" && html`<p class="muted" role="status">Still loading…</p>`}
    ${Array.from({ length: rows }, () => html`<div class="skeleton"></div>`)}</div>`;
}

/** A form field: label, hint, error, control, in that order. */
export function Field({ label, hint, error, name, children }) {
  const id = `f-${name}`;
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return html`<div class="field"><label for=${id}>${label}</label>
    ${hint && html`<span class="hint" id="${id}-hint">${hint}</span>`}
    ${error && html`<span class="error" id="${id}-error"><span class="hide">Error: </span>${error}</span>`}
    ${children({ id, name, "aria-describedby": described, "aria-invalid": error ? "true" : undefined })}</div>`;
}

/** The summary of a form's errors: focused, each line a link to its field. */
export function Errors({ errors }) {
  const self = useRef();
  const lines = Object.entries(errors);
  useEffect(() => { if (lines.length) self.current?.focus(); }, [errors]);
  if (!lines.length) return null;
  return html`<div ref=${self} tabindex="-1" role="alert" class="problem"><div><h2>There is a problem</h2>
    <ul>${lines.map(([name, text]) => html`<li>${name === "form" ? text
      : html`<a href="#f-${name}" onClick=${(event) => { event.preventDefault(); document.getElementById(`f-${name}`)?.focus(); }}>${text}</a>`}</li>`)}</ul></div></div>`;
}

/** The operator's address: a link where it is an e-mail or a URL. */
export function Support({ at }) {
  const href = /^https:\/\//.test(at) ? at : at.includes("@") ? `mailto:${at}` : null;
  return href ? html`<a href=${href}>${at}</a>` : at;
}

export const Badge = ({ kind = "", children }) => html`<span class="badge ${kind}">${children}</span>`;

/** How much of a limit is used: words first, then a bar. */
export function Meter({ name, used, held = 0, limit, left, resets, unit = "" }) {
  const part = limit ? Math.min(1, used / limit) : 0;
  const level = part >= 1 ? "full" : part >= 0.8 ? "warn" : "";
  const words = `${number(used)} of ${number(limit)} ${unit}`.trim();
  const bar = useRef();
  useLayoutEffect(() => {
    const [one, two] = bar.current.children;
    one.style.setProperty("--part", `${part * 100}%`);
    two.style.setProperty("--part", `${Math.min(1 - part, held / (limit || 1)) * 100}%`);
  });
  return html`<div class="meter ${level}">
    <p><span><b>${name}</b> ${words}${level === "warn" && html` · <strong>${Math.floor(part * 100)} %</strong>`}${level === "full" && html` · <strong>Used up</strong>`}</span>
      <span class="muted">${left}${resets && ` resets ${resets}`}</span></p>
    <div class="track" ref=${bar} role="meter" aria-label=${name} aria-valuemin="0" aria-valuemax=${limit || 1} aria-valuenow=${Math.min(used, limit)} aria-valuetext=${words}><i></i><i></i></div>
    ${held > 0 && html`<small>${number(held)} held for running requests</small>`}
  </div>`;
}

/** A `<th>` that sorts. */
export function SortHead({ by, sort, setSort, n, children }) {
  const mine = sort.by === by;
  return html`<th scope="col" class=${n ? "n" : undefined} aria-sort=${mine ? (sort.down ? "descending" : "ascending") : "none"}>
    <button type="button" onClick=${() => setSort({ by, down: mine ? !sort.down : false })}>${children} <span aria-hidden="true">${mine ? (sort.down ? "▼" : "▲") : "⇅"}</span></button></th>`;
}

export function sorted(rows, { by, down }, value = (row) => row[by]) {
  const order = (a, b) => (value(a) ?? "") < (value(b) ?? "") ? -1 : (value(a) ?? "") > (value(b) ?? "") ? 1 : 0;
  return by ? [...rows].sort((a, b) => down ? order(b, a) : order(a, b)) : rows;
}

/** Ticks each second (or `every` ms) for what counts down. */
export function useNow(every = 1000) {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

export const resetsAtMidnight = (now) => `at 00:00 UTC, in ${duration(86_400 - (Math.floor(now / 1000) % 86_400))}`;

export const profile = () => get("profile");
