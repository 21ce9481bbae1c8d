// The only caller of fetch.

export const API = new URL("../../../api/v1/", import.meta.url);
export const CONSOLE = new URL("../../", import.meta.url);
export const DOCS = new URL("../../../docs/", import.meta.url);
export const BASE_URL = API.href.replace(/\/$/, "");

const WRITE = { "x-losi-console": "1" };
const PATIENCE = 15_000;

export class ApiError extends Error {
  constructor(error, status = 0, headers = new Headers()) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.param = error.param;
    this.type = error.type;
    this.envelope = { error };
    this.requestId = headers.get("x-request-id") ?? "";
    this.retryAfter = Number(headers.get("retry-after")) || 0;
  }
}

/** The response of a call that succeeded. Throws ApiError. */
export async function send(method, path, { json, query, headers, signal } = {}) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value != null) url.searchParams.set(name, value);
  }
  const init = { method, headers: { ...headers, ...(method === "GET" ? {} : WRITE) }, signal };
  if (json !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(json);
  }
  let response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    throw new ApiError(
      navigator.onLine === false
        ? { message: "You are offline.", code: "offline" }
        : { message: "The service did not answer. Check the connection.", code: "no_answer" },
    );
  }
  if (response.ok) return response;
  let error;
  try {
    ({ error } = await response.json());
  } catch { /* not from our functions */ }
  throw new ApiError(
    error ?? { message: `The service answered ${response.status} without saying why.`, code: null },
    response.status,
    response.headers,
  );
}

export async function call(method, path, options = {}) {
  const late = AbortSignal.timeout(PATIENCE);
  const signal = options.signal ? AbortSignal.any([options.signal, late]) : late;
  try {
    const body = await (await send(method, path, { ...options, signal })).json();
    return body.data ?? body;
  } catch (error) {
    if (late.aborted) {
      throw new ApiError({ message: "No answer came within 15 seconds.", code: "no_answer" });
    }
    throw error;
  }
}

export const get = (path, query) => call("GET", path, { query });

/** Where to come back to after signing in: this page. */
export function signInUrl() {
  const url = new URL("signin/", CONSOLE);
  const here = location.pathname + location.search;
  if (here.startsWith(CONSOLE.pathname)) url.searchParams.set("return_to", here);
  return url.href;
}

/** The page that `return_to` names, when it is one of the console's own. */
export function returnTo() {
  const path = new URLSearchParams(location.search).get("return_to") ?? "";
  const own = path.startsWith(CONSOLE.pathname) && !/[\\]|\/\/|:/.test(path);
  return own ? path : CONSOLE.pathname;
}
