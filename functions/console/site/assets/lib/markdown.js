// A model's Markdown as our own elements. No HTML of the model's is ever parsed: tags and images
// are shown as their source, and a link only where it leads to https or mail, with its host.
import { html } from "../vendor/preact.js";
import { lexer } from "../vendor/marked.js";

export const formatted = (text) => lexer(text).map(block);

function block(token) {
  switch (token.type) {
    case "space": return null;
    case "heading": return html`<h3>${inline(token.tokens)}</h3>`;
    case "paragraph": return html`<p>${inline(token.tokens)}</p>`;
    case "text": return token.tokens ? inline(token.tokens) : token.raw;
    case "code": return html`<pre tabindex="0" role="region" aria-label="Code of the answer"><code>${token.text}</code></pre>`;
    case "blockquote": return html`<blockquote>${token.tokens.map(block)}</blockquote>`;
    case "hr": return html`<hr />`;
    case "list": {
      const items = token.items.map((item) => html`<li>${item.tokens.map(block)}</li>`);
      return token.ordered ? html`<ol start=${token.start || 1}>${items}</ol>` : html`<ul>${items}</ul>`;
    }
    case "table": return html`<table class="data"><thead><tr>${token.header.map((cell) => html`<th scope="col">${inline(cell.tokens)}</th>`)}</tr></thead>
      <tbody>${token.rows.map((row) => html`<tr>${row.map((cell) => html`<td>${inline(cell.tokens)}</td>`)}</tr>`)}</tbody></table>`;
    default: return html`<p>${token.raw}</p>`;
  }
}

const inline = (tokens = []) => tokens.map((token) => {
  switch (token.type) {
    case "strong": return html`<strong>${inline(token.tokens)}</strong>`;
    case "em": return html`<em>${inline(token.tokens)}</em>`;
    case "del": return html`<del>${inline(token.tokens)}</del>`;
    case "codespan": return html`<code>${token.text}</code>`;
    case "br": return html`<br />`;
    case "escape": return token.text;
    case "link": return link(token);
    case "text": return token.tokens ? inline(token.tokens) : token.raw;
    default: return token.raw;
  }
});

function link(token) {
  let url;
  try { url = new URL(token.href); } catch { return token.raw; }
  if (url.protocol !== "https:" && url.protocol !== "mailto:") return token.raw;
  return html`<a href=${url.href} rel="noopener noreferrer nofollow">${inline(token.tokens)}</a> <small>(${url.host || url.pathname})</small>`;
}
