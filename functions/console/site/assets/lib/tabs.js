// The pages of the profile settings, as links.
import { html } from "../vendor/preact.js";
import { CONSOLE } from "./api.js";

export function Tabs({ current }) {
  const tabs = [["", "Profile"], ["api/", "API"], ["sessions/", "Sessions"], ["audit/", "Audit log"]];
  return html`<nav class="tabs" aria-label="Profile settings">${tabs.map(([path, name]) => html`
    <a href=${new URL(`settings/${path}`, CONSOLE).href} aria-current=${path === current ? "page" : undefined}>${name}</a>`)}</nav>`;
}
