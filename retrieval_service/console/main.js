const main = document.querySelector("#main");
let known = null;
let standing = null;
let visit = 0;

async function refresh() {
  const [list, ready] = await Promise.allSettled([api("/v1/releases?limit=50"), api("/health/ready")]);
  const seen = () => `${known?.live} ${standing?.revision} ${standing?.access}`;
  const before = seen();
  // Without the scope to read releases, which one answers is all that is known.
  known = list.status === "fulfilled" ? list.value : list.reason.slug === "unauthorized" || list.reason.slug === "forbidden" ? null : known;
  standing = ready.status === "fulfilled" ? ready.value : null;
  const live = known?.releases.find((release) => release.revision === known.live);
  const state = document.querySelector("#state");
  if (standing && !known) {
    state.replaceChildren(el("span", null, el("i", { class: "dot" }), el("b", null, `Release ${standing.revision}`)));
  } else if (ready.status === "rejected" || !live) {
    state.replaceChildren(el("span", null, el("i", { class: "dot off" }), ready.status === "rejected" && ready.reason.slug !== "nothing-published" ? "Not ready" : "Nothing published"));
  } else {
    const score = metric(live.scores, "hybrid", "ndcg@10");
    state.replaceChildren(...[
      el("span", null, el("i", { class: "dot" }), el("b", null, `Release ${ready.value.revision}`)),
      score ? el("span", null, "nDCG@10 ", el("b", { class: "number" }, figure(score))) : null,
      live.held.length ? pill("held", `${count(live.held.length, "source")} held`) : null,
      el("span", { title: moment(live.published_at) }, ago(live.published_at)),
    ].filter(Boolean));
  }
  const trouble = ready.status === "fulfilled" ? ready.value.trouble : null;
  const banner = document.querySelector("#trouble");
  const said = [];
  if (standing?.access === "development") said.push("Development mode: there are no keys, so whoever is at this machine may do everything. To change that: plumbline keys create NAME --scope search");
  if (known?.override) said.push(`Gates are overridden (${known.override.checks.join(", ") || "every check that can be"}) by ${known.override.actor} until ${moment(known.override.expires_at)}: ${known.override.reason}`);
  if (known?.frozen) said.push(`Publishing is frozen by ${known.frozen.actor} since ${moment(known.frozen.at)}: ${known.frozen.reason}`);
  if (trouble) said.push(`${trouble.reason} ${trouble.remedy.replaceAll("`", "")} Release ${ready.value.revision} goes on answering.`);
  banner.hidden = !said.length;
  banner.replaceChildren(...said.map((line) => el("p", null, line)));
  return before !== seen();
}

async function route() {
  const [path] = location.hash.replace(/^#/, "").split("?");
  const [view, ...rest] = path.split("/").filter(Boolean);
  const mine = ++visit;
  const fresh = () => mine === visit;
  document.title = "Plumbline";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === (view ?? "search")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    if (view === "releases" && rest.length) await releaseView(main, rest[0], fresh);
    else if (view === "releases") await releasesView(main, known, fresh);
    else if (view === "quality") await qualityView(main, known, fresh);
    else if (view === "lineage") await lineageView(main, decodeURI(rest.join("/")), fresh);
    else await searchView(main, known, fresh);
  } catch (problem) {
    if (fresh()) show(main, problem instanceof Problem ? problemPage(problem) : quietPage("The console ran into a defect", String(problem)));
  }
}

document.querySelector("#dagster").href = DAGSTER;
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", route);
await refresh();
await route();
// A first release turns the empty page into a search page by itself; a page somebody reads is left alone.
setInterval(async () => (await refresh()) && !searchState().query && location.hash.split("?")[0].length < 3 && route(), 5000);
