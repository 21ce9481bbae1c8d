// Pages of the docs work without this: it adds tabs, copying, the reader's own base URL and key,
// and the search. One classic script, so that the theme stands before the first paint.
(() => {
  const script = document.currentScript;
  const root = new URL(script.dataset.root, location.href);
  const assets = new URL("./", script.src);
  const store = {
    get(name) { try { return localStorage.getItem(name); } catch { return null; } },
    set(name, value) { try { localStorage.setItem(name, value); } catch { /* this page only */ } },
  };
  const theme = store.get("losi-theme");
  if (theme) document.documentElement.dataset.theme = theme;

  document.documentElement.dataset.script = "loading";  // the page shows once its samples have tabs

  const LANGUAGES = { curl: "curl", python: "Python", javascript: "JavaScript" };
  const PLACEHOLDER = "losi-your-api-key";
  let key = "";  // the reader's own, in this variable alone
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) {
      if (attribute.startsWith("on")) element.addEventListener(attribute.slice(2), value);
      else if (value !== false && value != null) element.setAttribute(attribute, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  };

  addEventListener("DOMContentLoaded", () => {
    const base = new URL("../api/v1", root).href;
    for (const slot of document.querySelectorAll("[data-base]")) slot.textContent = base;
    for (const figure of document.querySelectorAll(".samples")) addTabs(figure);
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.hidden = false;
      button.addEventListener("click", () => copy(button, button.closest("figure").querySelector("pre")));
    }
    let number = 0;
    for (const pre of document.querySelectorAll("pre")) {
      if (pre.scrollWidth > pre.clientWidth) { pre.tabIndex = 0; pre.setAttribute("role", "region"); pre.setAttribute("aria-label", `Code ${++number}`); }
    }
    choose(store.get("losi-language") ?? "curl");
    addSearch(document.querySelector("[data-search]"));
    addKey();
    for (const fold of document.querySelectorAll("[data-try]")) addTry(fold);
    document.documentElement.dataset.script = "ready";
    openTarget();
    addEventListener("hashchange", openTarget);
  });

  /** An anchor inside a fold opens it. */
  function openTarget() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
  }

  let count = 0;
  function addTabs(figure) {
    const id = `tabs${++count}`;
    const panels = [...figure.querySelectorAll("[data-language]")];
    const list = make("div", { role: "tablist", "aria-label": "Language", onkeydown: move });
    for (const panel of panels) {
      const name = panel.dataset.language;
      panel.querySelector(".lang")?.remove();
      panel.setAttribute("role", "tabpanel");
      panel.id = `${id}-${name}`;
      panel.setAttribute("aria-labelledby", `${id}-tab-${name}`);
      list.append(make("button", { type: "button", role: "tab", id: `${id}-tab-${name}`, "aria-controls": panel.id, "data-choose": name, onclick: (event) => { const before = figure.getBoundingClientRect().top; choose(event.target.dataset.choose, true); scrollBy(0, figure.getBoundingClientRect().top - before); } }, LANGUAGES[name]));
    }
    const button = make("button", { type: "button", class: "button quiet small" }, "Copy");
    button.addEventListener("click", () => copy(button, panels.find((panel) => !panel.hidden).querySelector("pre")));
    figure.prepend(make("div", { class: "bar" }, list, button));
  }

  function move(event) {
    const tabs = [...event.currentTarget.children];
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = tabs.at(to % tabs.length);
    tab.click();
    tab.focus();
  }

  function choose(name, keep = false) {
    const language = LANGUAGES[name] ? name : "curl";
    if (keep) store.set("losi-language", language);
    for (const panel of document.querySelectorAll("[data-language]")) panel.hidden = panel.dataset.language !== language;
    for (const tab of document.querySelectorAll("[data-choose]")) {
      const mine = tab.dataset.choose === language;
      tab.setAttribute("aria-selected", mine);
      tab.tabIndex = mine ? 0 : -1;
    }
  }

  async function copy(button, pre) {
    const withKey = document.getElementById("with-key")?.checked;
    const text = withKey ? pre.textContent : pre.textContent.replaceAll(key || PLACEHOLDER, PLACEHOLDER);
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { getSelection().selectAllChildren(pre); button.textContent = "Press Ctrl+C"; }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  function addKey() {
    const first = document.querySelector(".samples");
    if (!first) return;
    const input = make("input", { id: "own-key", type: "password", autocomplete: "off", spellcheck: "false" });
    input.addEventListener("input", () => {
      key = input.value.trim();
      for (const slot of document.querySelectorAll("[data-key]")) slot.textContent = key || PLACEHOLDER;
    });
    const fold = make("details", { class: "fold own-key" }, make("summary", {}, "Use my key"),
      make("label", { for: "own-key" }, "API key"), input,
      make("label", { class: "choice" }, make("input", { id: "with-key", type: "checkbox" }), " Copy with my key"),
      make("p", { class: "hint" }, "It stays in this page's memory and is gone when you leave."));
    first.after(fold);
  }

  /** Sends the endpoint's request from here, with the reader's key and nobody's session. */
  function addTry(fold) {
    const { method, path, body } = fold.dataset;
    const where = make("input", { id: "try-path", type: "text", spellcheck: "false", autocomplete: "off", value: path });
    const what = body && make("textarea", { id: "try-body", rows: Math.min(14, body.split("\n").length + 1), spellcheck: "false" }, body);
    const send = make("button", { type: "submit", class: "button primary" }, "Send");
    const said = make("p", { role: "status", class: "hint" });
    const shown = make("pre", { tabindex: "0", role: "region", "aria-label": "Answer", hidden: true });
    const create = make("a", { href: new URL("../console/settings/api/new/", root) }, "create one");
    fold.append(make("form", { class: "stack", onsubmit: (event) => { event.preventDefault(); run(); } },
      make("p", { class: "hint" }, "Sent from this page with your key, under “Use my key” above. No key yet? You can ", create, ": a test key reaches the sandbox only and costs nothing."),
      make("div", {}, make("label", { for: "try-path" }, `${method} /api/v1/`), where),
      ...(what ? [make("div", {}, make("label", { for: "try-body" }, "Body"), what)] : []),
      make("div", {}, send), said, shown));
    fold.hidden = false;
    async function run() {
      if (send.getAttribute("aria-disabled")) return;
      if (!key) {
        const input = document.getElementById("own-key");
        input.closest("details").open = true;
        input.focus();
        said.textContent = "Enter your key first.";
        return;
      }
      send.setAttribute("aria-disabled", "true");
      said.textContent = "Sending…";
      shown.hidden = true;
      const began = performance.now();
      try {
        const headers = { authorization: `Bearer ${key}`, ...(what && { "content-type": "application/json" }) };
        const response = await fetch(new URL(where.value, `${new URL("../api/v1/", root)}`), { method, headers, credentials: "omit", body: what?.value });
        const told = ["x-request-id", "retry-after", "x-losi-model", "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens"].filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
        said.textContent = [`${response.status} in ${((performance.now() - began) / 1000).toFixed(1)} s`, ...told].join(" · ");
        shown.hidden = false;
        shown.textContent = "";
        for (const reader = response.body.pipeThrough(new TextDecoderStream()).getReader(); ;) {
          const { done, value } = await reader.read();
          if (done) break;
          shown.textContent += value;  // a stream is shown as it comes
        }
        try { shown.textContent = JSON.stringify(JSON.parse(shown.textContent), null, 2); } catch { /* events, or CSV */ }
      } catch { said.textContent = "The service did not answer. Check the connection."; }
      send.removeAttribute("aria-disabled");
    }
  }

  function addSearch(box) {
    const input = make("input", { type: "search", role: "combobox", "aria-label": "Search the docs", "aria-expanded": "false", "aria-controls": "found", "aria-autocomplete": "list", placeholder: "Search  /", autocomplete: "off" });
    const list = make("ul", { id: "found", role: "listbox", "aria-label": "Results", hidden: true });
    const said = make("p", { role: "status", class: "hide" });
    box.append(input, list, said);
    box.hidden = false;
    let engine;
    let entries;
    let at = -1;
    const load = async () => {
      if (engine) return engine;
      const [{ default: MiniSearch }, response] = await Promise.all([import(new URL("vendor/minisearch.js", assets)), fetch(new URL("search.json", root))]);
      const index = new MiniSearch({ fields: ["title", "page", "text"], storeFields: ["title", "page"], searchOptions: { boost: { title: 4, page: 2 }, prefix: true, fuzzy: 0.2, combineWith: "AND" } });
      entries = await response.json();
      index.addAll(entries);
      return (engine = index);
    };
    const show = (rows) => {
      list.replaceChildren(...rows);
      list.hidden = rows.length === 0;
      input.setAttribute("aria-expanded", rows.length > 0);
      select(-1);
    };
    const select = (to) => {
      const options = [...list.querySelectorAll("[role=option]")];
      at = options.length ? Math.max(-1, Math.min(options.length - 1, to)) : -1;
      options.forEach((option, index) => option.setAttribute("aria-selected", index === at));
      if (at >= 0) { input.setAttribute("aria-activedescendant", options[at].id); options[at].scrollIntoView({ block: "nearest" }); } else input.removeAttribute("aria-activedescendant");
    };
    input.addEventListener("focus", load, { once: true });
    input.addEventListener("input", async () => {
      const words = input.value.trim();
      if (!words) { said.textContent = ""; return show([]); }
      const index = await load();
      const found = index.search(words).slice(0, 12);
      said.textContent = `${found.length} results`;
      if (!found.length) {
        const near = index.autoSuggest(words, { fuzzy: 0.4 })[0]?.suggestion;
        said.textContent = `Nothing for “${words}”.${near ? ` Did you mean ${near}?` : ""}`;
        return show([make("li", { class: "none", role: "option", id: "found-none", "aria-disabled": "true" }, said.textContent)]);
      }
      return show(found.map((row, index) => make("li", { role: "option", id: `found-${index}`, "data-url": row.id, onclick: () => go(row.id) }, make("b", {}, row.title), make("small", {}, row.page))));
    });
    const go = (url) => { show([]); location.assign(new URL(url, root)); };
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") { event.preventDefault(); select(at + 1); }
      else if (event.key === "ArrowUp") { event.preventDefault(); select(at - 1); }
      else if (event.key === "Enter") { const option = list.querySelectorAll("[data-url]")[Math.max(0, at)]; if (option) go(option.dataset.url); }
      else if (event.key === "Escape") { input.value = ""; show([]); }
    });
    input.addEventListener("blur", () => setTimeout(() => { if (!list.matches(":hover")) show([]); }, 100));
    addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input, textarea, select");
      if ((event.key === "/" && !typing) || (event.key === "k" && (event.ctrlKey || event.metaKey))) { event.preventDefault(); input.focus(); }
    });
  }
})();
