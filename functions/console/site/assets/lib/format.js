// Numbers, times and names as the console writes them: exact, named, in UTC.

const LOCALE = "en";
const DAY = 86_400_000;

export const number = (value) => value.toLocaleString(LOCALE);

/** For axes: 1.2M. */
export const short = (value) =>
  new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 }).format(value);

export function dollars(value) {
  const small = value > 0 && value < 0.01;
  const digits = small ? Math.min(8, 1 - Math.floor(Math.log10(value))) : 2;
  const shown = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return `$${value.toLocaleString(LOCALE, shown)}`;
}

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

const inUtc = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
const DAY_FORMAT = inUtc({ day: "numeric", month: "short", year: "numeric" });
const SHORT_DAY = inUtc({ day: "numeric", month: "short" });
const WEEK_DAY = inUtc({ weekday: "short", day: "numeric", month: "short" });
const CLOCK = inUtc({ hour: "2-digit", minute: "2-digit" });
const MONTH = inUtc({ month: "long", year: "numeric" });

export const day = (value) => DAY_FORMAT.format(new Date(value));
export const shortDay = (value) => SHORT_DAY.format(new Date(value));
export const weekDay = (value) => WEEK_DAY.format(new Date(value)).replace(",", "");
export const month = (value) => MONTH.format(new Date(value));
export const clock = (value) => `${CLOCK.format(new Date(value))} UTC`;
export const instant = (value) => `${day(value)}, ${clock(value)}`;

export function ago(value, now = Date.now()) {
  const seconds = Math.round((now - new Date(value)) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${plural(Math.floor(seconds / 60), "minute")} ago`;
  if (seconds < 86_400) return `${plural(Math.floor(seconds / 3600), "hour")} ago`;
  if (seconds < 7 * 86_400) return `${plural(Math.floor(seconds / 86_400), "day")} ago`;
  return day(value);
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const today = () => new Date().toISOString().slice(0, 10);
export const addDays = (date, days) =>
  new Date(Date.parse(date) + days * DAY).toISOString().slice(0, 10);
export const daysBetween = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / DAY);

export const secondsToMidnight = () => 86_400 - (Math.floor(Date.now() / 1000) % 86_400);

/** Quoted in a sentence, and cut where it would fill a heading. */
export const named = (name, length = 40) =>
  `“${[...name].length > length ? `${[...name].slice(0, length).join("")}…` : name}”`;

export const title = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function device(agent) {
  const browser = [["Edg/", "Edge"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]]
    .find(([mark]) => agent.includes(mark));
  const system = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"]]
    .find(([mark]) => agent.includes(mark));
  if (!browser && !system) return agent ? "A program" : "Unknown device";
  return `${browser?.[1] ?? "A browser"} on ${system?.[1] ?? "an unknown system"}`;
}
