const STOP = new Set("a an and are as at be but by can could did do does for from had has have how i if in into is it its my no not of on or our so than that the their then there these they this to was we were what when where which who why will with would you your".split(" "));

// Roughly what the index does to words: the stem is what is left without the commonest endings.
const stem = (word) => word.toLowerCase().replace(/(ations?|ings?|ments?|ness|ies|ed|es|ly|e|s)$/u, (ending, at) => (at >= 3 ? "" : ending));

function marked(text, query) {
  const stems = new Set((query.match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => !STOP.has(word.toLowerCase())).map(stem));
  return text.split(/([\p{L}\p{N}]+)/u).map((part, i) => (i % 2 && stems.has(stem(part)) ? el("mark", null, part) : part));
}

function searchState() {
  const given = new URLSearchParams(location.hash.split("?")[1] ?? "");
  const asOf = Number(given.get("as_of"));
  return { query: given.get("q") ?? "", mode: given.get("mode") in MODES ? given.get("mode") : "hybrid", sources: given.getAll("source"), asOf: asOf || null };
}

function goSearch({ query, mode, sources, asOf }) {
  const wanted = new URLSearchParams();
  if (query) wanted.set("q", query);
  if (mode !== "hybrid") wanted.set("mode", mode);
  for (const source of sources) wanted.append("source", source);
  if (asOf) wanted.set("as_of", asOf);
  const hash = `#/?${wanted}`;
  if (location.hash === hash) route();
  else location.hash = hash;
}

function searchForm(state, known) {
  const live = known?.releases.find((release) => release.revision === known.live);
  const published = (known?.releases ?? []).filter((release) => release.published_at && release.revision !== known.live);
  const input = el("input", { type: "search", name: "q", value: state.query, placeholder: "Ask a question, or type a few words", "aria-label": "Query", autocomplete: "off", maxlength: 4000 });
  const form = el("form", { role: "search" });
  const read = () => ({
    query: input.value.trim(),
    mode: form.querySelector("[name=mode]:checked").value,
    sources: [...form.querySelectorAll("[name=source]:checked")].map((box) => box.value),
    asOf: Number(form.querySelector("[name=as_of]")?.value) || null,
  });
  const changed = () => input.value.trim() && goSearch(read());
  const modes = Object.entries(MODES).map(([mode, label]) => el("label", null, el("input", { type: "radio", name: "mode", value: mode, checked: mode === state.mode, onchange: changed }), label));
  const sources = (live?.sources ?? []).map((source) => el("label", null, el("input", { type: "checkbox", name: "source", value: source, checked: state.sources.includes(source), onchange: changed }), source));
  const asOf = el("select", { name: "as_of", "aria-label": "Release to search", onchange: changed },
    el("option", { value: "" }, live ? `Release ${live.revision}, live` : "The live release"),
    published.map((release) => el("option", { value: release.revision, selected: release.revision === state.asOf }, `Release ${release.revision}, ${ago(release.published_at)}`)));
  form.append(
    el("div", { class: "ask" }, input, el("button", { type: "submit" }, "Search")),
    el("div", { class: "tune" },
      el("div", { class: "segments", role: "radiogroup", "aria-label": "Mode" }, modes),
      sources.length > 1 ? el("fieldset", { class: "chips" }, el("legend", { class: "hush" }, "Only these sources"), sources) : null,
      published.length ? asOf : null));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) goSearch(read());
  });
  return { form, input };
}

function scoreBars(hit, best) {
  const bar = (label, value, top, kind, digits) => el("div", null,
    el("div", { class: "score" }, el("span", null, label), el("span", { class: "number" }, value.toFixed(digits))),
    el("div", { class: "track", "aria-hidden": "true" }, fillBar(kind, top > 0 ? value / top : 0)));
  return el("div", { class: "scores", "aria-label": "Scores" },
    bar("Score", hit.score, best.score, "", 3),
    "dense" in hit.scores ? bar("Meaning", hit.scores.dense, best.dense, "dense", 3) : null,
    "sparse" in hit.scores ? bar("Words", hit.scores.sparse, best.sparse, "sparse", 2) : null);
}

function fillBar(kind, share) {
  const bar = el("div", { class: `fill ${kind}` });
  bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return bar;
}

function pages(hit) {
  if (hit.page === null) return null;
  return hit.page_last && hit.page_last !== hit.page ? `pages ${hit.page}–${hit.page_last}` : `page ${hit.page}`;
}

function origin(hit) {
  const from = hit.provenance;
  const step = (title, ...pairs) => el("li", null, el("span", { class: "step" }, title), facts(pairs));
  return el("details", { class: "origin" }, el("summary", null, "Where this comes from"),
    el("ol", { class: "plumb" },
      step("File", ["address", el("code", null, hit.uri)], ["sha256", digest(from.raw_sha256)], ["modified", hit.modified_at && time(hit.modified_at)], ["nearly the same", hit.near_duplicates?.length ? hit.near_duplicates.map((place) => el("div", null, el("code", null, place.uri))) : null]),
      step("Parsed and cut", ["parser", el("code", null, from.parser)], ["chunker", el("code", null, short(from.chunker))], ["characters", `${whole.format(hit.span.start)} to ${whole.format(hit.span.end)}`]),
      step("Embedded", ["model", digest(from.model_digest)], ["encoder", el("code", null, short(from.encoder))], ["run", runLink(from.run_id)]),
      step("Published", ["since", el("a", { href: `#/releases/${from.release}` }, `release ${from.release}`)],
        ["lineage", el("a", { href: `#/lineage/${hit.chunk_id}` }, "files, runs, releases and checks")])));
}

function hitCard(hit, query, best) {
  const text = el("p", { class: "passage clamped" }, marked(hit.text, query));
  const more = el("button", { class: "more", type: "button", "aria-expanded": "false", hidden: true }, "Show the whole passage");
  more.addEventListener("click", () => {
    const clamped = text.classList.toggle("clamped");
    more.textContent = clamped ? "Show the whole passage" : "Show less";
    more.setAttribute("aria-expanded", String(!clamped));
  });
  requestAnimationFrame(() => (more.hidden = text.scrollHeight <= text.clientHeight + 2));
  const cite = [el("span", { class: "uri" }, hit.uri), pages(hit) && el("span", null, pages(hit)), hit.section.length ? el("span", null, hit.section.join(" › ")) : null];
  return el("li", { class: "hit" },
    el("div", { class: "rank", "aria-hidden": "true" }, String(hit.rank)),
    el("div", null, el("h3", null, marked(hit.title || hit.uri, query)), el("div", { class: "cite" }, cite), text, more, origin(hit)),
    scoreBars(hit, best));
}

function results(answer) {
  const best = { score: 0, dense: 0, sparse: 0 };
  for (const hit of answer.hits) for (const arm of Object.keys(best)) best[arm] = Math.max(best[arm], arm === "score" ? hit.score : (hit.scores[arm] ?? 0));
  const asked = el("a", { href: `#/releases/${answer.release.revision}` }, `release ${answer.release.revision}`);
  return [
    el("p", { class: "tally", role: "status" }, `${answer.hits.length ? count(answer.hits.length, "passage") : "Nothing found"} in `, asked, `, ${answer.took_ms < 10 ? answer.took_ms.toFixed(1) : Math.round(answer.took_ms)} ms`),
    answer.degraded.map((left) => el("p", { class: "note bad" }, el("b", null, left.arm === "rerank" ? "The reranker was left out. " : `The ${MODES[left.arm].toLowerCase()} arm was left out. `), left.reason)),
    answer.hints.map((hint) => el("p", { class: "note" }, hint.message)),
    el("ol", { class: "hits" }, answer.hits.map((hit) => hitCard(hit, answer.query, best))),
  ].flat();
}

async function searchView(main, known, fresh) {
  const state = searchState();
  const { form, input } = searchForm(state, known);
  const out = el("div", { id: "out" });
  show(main, el("h1", { class: "hush" }, "Search"), form, out);
  if (!state.query) {
    input.focus({ preventScroll: true });
    const live = known?.releases.find((release) => release.revision === known.live);
    if (!known && standing) out.append(quietPage("Ask the index", standing.access === "keys" && !heldKey() ? "This service asks for a key: give yours above." : `Release ${standing.revision} answers.`));
    else out.append(live ? quietPage("Ask the index", `${count(live.counts?.documents ?? 0, "document")} in ${count(live.counts?.chunks ?? 0, "passage")} from ${count(live.sources.length, "source")}, every one with its provenance.`) : problemPage({ slug: "nothing-published", remedy: "" }));
    return;
  }
  document.title = `${state.query} · Plumbline`;
  form.setAttribute("aria-busy", "true");
  try {
    const answer = await api("/v1/search", { query: state.query, mode: state.mode, limit: 10, filters: { sources: state.sources }, as_of: state.asOf });
    if (fresh()) show(out, results(answer));
  } catch (problem) {
    if (fresh()) show(out, problemPage(problem));
  }
  form.removeAttribute("aria-busy");
}
