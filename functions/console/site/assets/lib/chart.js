// Bars by day or week, drawn by hand as SVG; a range input over the plot is the cursor.
import { html, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { daysBetween, plural, shortDay } from "./format.js";

const WIDTH = 1000;
const HEIGHT = 240;

/** Three or four round steps from 0 to at least `most`. */
export function ticks(most) {
  if (most <= 0) return [0, 1];
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [0.25, 0.5, 1, 2, 2.5, 5].map((each) => each * power).find((each) => most / each <= 4);
  const whole = most < 4 && Number.isInteger(most) ? Math.max(1, step) : step;
  return Array.from({ length: Math.ceil(most / whole) + 1 }, (_, index) => index * whole);
}

/** `bars`: [{from, to, values: [number per series], read}]; `series`: [{name, color}]. */
export function Chart({ bars, series, format, limit, title, summary, rest, label }) {
  const [at, setAt] = useState(null);
  const [hidden, setHidden] = useState([]);
  const box = useRef();
  const shown = (value, index) => hidden.includes(series[index].name) ? 0 : value;
  const sums = bars.map((bar) => bar.values.reduce((sum, value, index) => sum + shown(value, index), 0));
  const most = Math.max(...sums, 0);
  const withLimit = limit && limit <= most * 3 ? limit : 0;
  const steps = ticks(Math.max(most, withLimit));
  const top = steps.at(-1);
  const slot = Math.min(WIDTH / bars.length, WIDTH / 7);
  const gap = Math.min(slot * 0.25, 8);
  const height = (value) => value / top * HEIGHT;
  useLayoutEffect(() => {
    for (const mark of box.current.querySelectorAll("[data-at]")) mark.style.setProperty("--at", mark.dataset.at);
    const inset = slot / 2 / WIDTH * 100;
    const cursor = box.current.querySelector("input");
    cursor.style.setProperty("--inset", `${inset}%`);
    if (slot * bars.length < WIDTH) cursor.style.setProperty("width", `${slot * (bars.length - 1) / WIDTH * 100}%`);
    for (const chip of box.current.querySelectorAll("[data-color]")) chip.style.setProperty("--color", `var(--series-${chip.dataset.color})`);
  });
  const rects = useMemo(() => bars.map((bar, index) => {
    let y = HEIGHT;
    return html`<g>${sums[index] === 0 && html`<rect class="base" x=${index * slot + gap / 2} y=${HEIGHT - 1} width=${slot - gap} height="1" />`}
      ${bar.values.map((value, which) => {
        const tall = height(shown(value, which));
        if (tall <= 0) return null;
        y -= tall;
        return html`<rect class="s${series[which].color}" x=${index * slot + gap / 2} y=${y} width=${slot - gap} height=${Math.max(0.5, tall - (which ? 1 : 0))} />`;
      })}</g>`;
  }), [bars, hidden, top]);
  const every = Math.max(1, Math.ceil(bars.length / 5));
  const current = at === null ? null : bars[at];
  return html`<figure class="chart" ref=${box}>
    <p class="read" aria-hidden="true">${current ? current.read : rest}</p>
    <div class="plot">
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}. ${summary}">
        ${steps.slice(1).map((step) => html`<line class="rule" x1="0" x2=${WIDTH} y1=${HEIGHT - height(step)} y2=${HEIGHT - height(step)} />`)}
        ${current && html`<rect class="at" x=${at * slot} y="0" width=${slot} height=${HEIGHT} />`}
        ${rects}
        ${withLimit > 0 && html`<line class="limit" x1="0" x2=${WIDTH} y1=${HEIGHT - height(withLimit)} y2=${HEIGHT - height(withLimit)} />`}
      </svg>
      ${steps.map((step) => html`<span class="y" aria-hidden="true" data-at="${step / top * 100}%">${format(step)}</span>`)}
      ${withLimit > 0 && html`<span class="y cap" aria-hidden="true" data-at="${withLimit / top * 100}%">today's limit</span>`}
      ${bars.map((bar, index) => (index % every === 0 && bars.length - 1 - index >= every) || index === bars.length - 1
        ? html`<span class="x ${bars.length <= 7 ? "" : index === 0 ? "start" : index === bars.length - 1 ? "end" : ""}" aria-hidden="true" data-at="${(index === 0 && bars.length > 7 ? 0 : index === bars.length - 1 && bars.length > 7 ? WIDTH : (index + 0.5) * slot) / WIDTH * 100}%">${shortDay(bar.from)}</span>` : null)}
      <input type="range" class=${at === null ? "rest" : ""} min="0" max=${Math.max(0, bars.length - 1)} step="1" value=${at ?? bars.length - 1} disabled=${bars.length === 0}
        aria-label=${label} aria-valuetext=${current ? current.read : bars.at(-1)?.read}
        onInput=${(event) => setAt(Number(event.target.value))} onFocus=${() => setAt((now) => now ?? bars.length - 1)}
        onPointerMove=${(event) => { const plot = event.currentTarget.parentElement.getBoundingClientRect(); const index = Math.floor((event.clientX - plot.left) / plot.width * WIDTH / slot); setAt(Math.max(0, Math.min(bars.length - 1, index))); }}
        onPointerLeave=${(event) => { if (document.activeElement !== event.currentTarget) setAt(null); }} onBlur=${() => setAt(null)} />
    </div>
    ${series.length > 1 && html`<div class="legend" role="group" aria-label="Series">${series.map((each) => html`<button type="button" class="chip" data-color=${each.color} aria-pressed=${!hidden.includes(each.name)}
      onClick=${() => setHidden(hidden.includes(each.name) ? hidden.filter((name) => name !== each.name) : [...hidden, each.name])}>${each.name}</button>`)}</div>`}
  </figure>`;
}

/** Days as they are, or from 93 days on weeks from Monday: [{from, to, days: [day]}]. */
export function buckets(from, to) {
  const count = daysBetween(from, to) + 1;
  const days = Array.from({ length: count }, (_, index) => new Date(Date.parse(from) + index * 86_400_000).toISOString().slice(0, 10));
  if (count <= 92) return days.map((day) => ({ from: day, to: day, days: [day] }));
  const weeks = [];
  for (const day of days) {
    if (!weeks.length || new Date(day).getUTCDay() === 1) weeks.push({ from: day, to: day, days: [] });
    weeks.at(-1).days.push(day);
    weeks.at(-1).to = day;
  }
  return weeks;
}

/** A few bars without an axis; the sentence beside them says the same. */
export function Spark({ values, label }) {
  const most = Math.max(...values, 1);
  const wide = 100 / Math.max(values.length, 1);
  return html`<svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label=${label}>${values.map((value, index) =>
    html`<rect x=${index * wide} y=${20 - Math.max(0.4, value / most * 20)} width=${wide * 0.75} height=${Math.max(0.4, value / most * 20)} />`)}</svg>`;
}

export const daysWords = (from, to) => plural(daysBetween(from, to) + 1, "day");
