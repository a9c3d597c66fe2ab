// Everything shown is made of text nodes: nothing from a document is ever parsed as HTML.
const SVG = "http://www.w3.org/2000/svg";
const DAGSTER = document.querySelector("meta[name=plumbline-dagster]").content;
const MODES = { hybrid: "Hybrid", dense: "Meaning", sparse: "Words" };

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "checked" || name === "value") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
const el = (tag, props, ...children) => fill(document.createElement(tag), props, children);
const show = (node, ...children) => (node.replaceChildren(), fill(node, null, children));
const svg = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

class Problem extends Error {
  constructor(body, status) {
    super(body.detail ?? `The service answered ${status}.`);
    this.slug = (body.type ?? "").split(":").pop();
    this.remedy = body.remedy ?? "";
    this.requestId = body.request_id ?? "";
  }
}

async function api(path, body) {
  const options = body ? { method: "POST", headers: { "content-type": "application/json", ...credentials() }, body: JSON.stringify(body) } : { headers: credentials() };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem({ type: "unreachable", detail: "The service cannot be reached.", remedy: "Is it still running? This page tries again by itself." }, 0);
  }
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401) refusedKey();
  if (!response.ok) throw new Problem(answer, response.status);
  return answer;
}

const whole = new Intl.NumberFormat("en");
const count = (n, one, many = `${one}s`) => `${whole.format(n)} ${n === 1 ? one : many}`;
const short = (digest) => (digest ?? "").slice(0, 12);
const moment = (iso) => (iso ? new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }) : "never");

function ago(iso) {
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) if (seconds >= size) return relative.format(-Math.floor(seconds / size), unit);
  return "just now";
}

const time = (iso) => (iso ? el("time", { datetime: iso, title: iso }, `${moment(iso)}`) : el("span", { class: "quiet" }, "never"));
const runLink = (id) => el("a", { class: "mono", href: `${DAGSTER}/runs/${encodeURIComponent(id)}`, rel: "noreferrer", title: "Open this run in Dagster" }, short(id));
const pill = (word, text = word) => el("span", { class: `pill ${word}` }, text);

function digest(value) {
  const button = el("button", { class: "copy", type: "button", "aria-label": "Copy the whole digest" }, "copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(value);
    button.textContent = "copied";
  });
  return el("span", null, el("span", { class: "mono", title: value }, value.length > 24 ? `${value.slice(0, 20)}…` : value), value.length > 24 ? button : null);
}

function facts(pairs) {
  return el("dl", null, pairs.filter(([, value]) => value).map(([name, value]) => [el("dt", null, name), el("dd", null, value)]));
}

function table(caption, columns, rows) {
  const numeric = (column) => (column.endsWith("#") ? "number" : null);
  const head = columns.map((column) => el("th", { scope: "col", class: numeric(column) }, column.replace("#", "")));
  const body = rows.map((cells) => el("tr", null, cells.map((cell, i) => el("td", { class: numeric(columns[i]) }, cell ?? ""))));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", null, el("caption", { class: "hush" }, caption), el("thead", null, el("tr", null, head)), el("tbody", null, body)));
}

function quietPage(title, text, command) {
  return el("div", { class: "empty" },
    svg("svg", { viewBox: "0 0 44 92", "aria-hidden": "true" }, svg("g", { class: "swing" },
      svg("path", { d: "M22 0v60", stroke: "var(--accent)", "stroke-width": 1.6 }), svg("path", { d: "M13 58h18l-2.6 10L22 84l-6.4-16z", fill: "var(--accent)" }))),
    el("h1", null, title), text ? el("p", null, text) : null, command ? el("pre", null, command) : null);
}

function problemPage(problem) {
  const [, command] = /`(plumbline [^`]+)`/.exec(problem.remedy) ?? [];
  if (problem.slug === "nothing-published") {
    return quietPage("Nothing is published yet", "Point Plumbline at a folder of documents. Once its gates let the first release through, it can be searched here.", "plumbline ingest PATH");
  }
  const page = quietPage(problem.message, problem.remedy.replaceAll("`", ""), command);
  if (problem.requestId) page.append(el("p", { class: "small" }, "Request ", el("code", null, problem.requestId)));
  return page;
}

// Scores are {modes: {hybrid: {"ndcg@10": {value, ci95}}}}; a bare number stands for its value.
function metric(scores, mode, name) {
  const found = (scores?.modes ?? scores)?.[mode]?.[name];
  return typeof found === "number" ? { value: found } : found?.value === undefined ? null : found;
}
const figure = (found) => (found ? found.value.toFixed(3) : "–");
