import { html } from "../vendor/preact.js";
import { Usage, start } from "../lib.js";

start(({ me, notice }) => html`<${Usage} me=${me} notice=${notice} path="api-usage" limit=${me.plan.tokens_per_day} keysPath="api-keys" />`);
