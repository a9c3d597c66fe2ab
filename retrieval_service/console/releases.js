function why(release) {
  const held = release.held.map((source) => el("li", null, pill("held"), ` ${source.source}: ${source.reasons.join("; ")}`));
  const refused = release.reasons.map((reason) => el("li", null, reason));
  const overridden = release.overridden.map((reason) => el("li", null, pill("held", "overridden"), ` ${reason}`));
  const pinned = release.pinned ? el("li", null, pill("live", "pinned")) : null;
  return el("ul", { class: "reasons" }, refused, overridden, held, pinned);
}

const change = (counts) => (counts ? `+${whole.format(counts.staged)} −${whole.format(counts.retired)}` : "–");

async function releasesView(main, known, fresh) {
  const list = await api("/v1/releases?limit=200");
  if (!fresh()) return;
  const rows = list.releases.map((release) => [
    el("a", { href: `#/releases/${release.revision}` }, String(release.revision)), pill(release.status), time(release.published_at ?? release.created_at),
    release.counts ? whole.format(release.counts.documents) : "–", release.counts ? whole.format(release.counts.chunks) : "–", change(release.counts),
    figure(metric(release.scores, "hybrid", "ndcg@10")), why(release), runLink(release.run_id),
  ]);
  show(main,
    el("h1", null, "Releases"),
    el("p", { class: "quiet" }, list.live === null ? "Nothing is published yet." : `Release ${list.live} answers. The next one is staged against release ${list.head}.`),
    list.paused ? el("p", { class: "note" }, el("b", null, "Publishing is paused. "), list.paused) : null,
    rows.length ? table("Releases, newest first", ["Release", "Status", "When", "Documents#", "Passages#", "Change#", "nDCG@10#", "Why", "Run"], rows) : quietPage("No release yet", "The first run makes the first one.", "plumbline ingest PATH"));
}

async function releaseView(main, revision, fresh) {
  const release = await api(`/v1/releases/${encodeURIComponent(revision)}`);
  if (!fresh()) return;
  const manifest = release.manifest;
  const fact = (label, value, word) => el("div", { class: "fact" }, el("div", { class: "label" }, label), el("div", { class: `value ${word ? "word" : ""}` }, value));
  const order = { failed: 0, passed: 1 };
  const verdicts = [...release.verdicts].sort((a, b) => order[a.outcome] - order[b.outcome] || a.subject.localeCompare(b.subject) || a.check.localeCompare(b.check));
  const sources = Object.entries(manifest?.sources ?? {}).map(([source, pin]) => [
    source, pin.contract_version, whole.format(pin.documents.rows), whole.format(pin.chunks.rows), `${pin.documents.version} / ${pin.chunks.version} / ${pin.vectors.version}`, digest(pin.contract), el("code", null, short(pin.chunker)),
  ]);
  show(main,
    el("p", { class: "small" }, el("a", { href: "#/releases" }, "All releases")),
    el("h1", null, `Release ${release.revision} `, pill(release.status)),
    el("p", { class: "quiet" }, release.published_at ? ["Published ", time(release.published_at)] : ["Made ", time(release.created_at), ", never published"], " by run ", runLink(release.run_id), ". ", el("a", { href: `#/lineage/${release.revision}` }, "Lineage")),
    release.reasons.map((reason) => el("p", { class: "note bad" }, reason)),
    release.overridden.length ? el("p", { class: "note bad" }, el("b", null, "It went live in spite of failed checks. "), manifest?.override ? `${manifest.override.actor}: ${manifest.override.reason}` : "") : null,
    release.overridden.map((reason) => el("p", { class: "note" }, reason)),
    release.held.map((source) => el("p", { class: "note" }, el("b", null, `${source.source} is held. `), source.reasons.join("; "))),
    el("div", { class: "facts" }, fact("Documents", whole.format(release.counts?.documents ?? 0)), fact("Passages", whole.format(release.counts?.chunks ?? 0)), fact("Change", change(release.counts)), fact("nDCG@10", figure(metric(release.scores, "hybrid", "ndcg@10"))), manifest ? fact("Model", manifest.model.name, true) : null),
    el("h2", null, "Checks"),
    verdicts.length ? table("Verdicts that decided this release", ["Outcome", "Check", "On", "Finding", "Run"], verdicts.map((v) => [pill(v.outcome === "failed" && v.severity === "warning" ? "warning" : v.outcome), el("code", null, v.check), v.subject, v.summary, runLink(v.run_id)])) : el("p", { class: "quiet" }, "No verdict is recorded."),
    sources.length ? [el("h2", null, "Sources"), table("Sources", ["Source", "Contract", "Documents#", "Passages#", "Table versions", "Contract digest", "Chunker"], sources)] : null,
    manifest ? [el("h2", null, "Manifest"), facts([["digest", digest(release.manifest_digest)], ["signature", digest(release.signature ?? "none")], ["index", digest(manifest.index)], ["content", digest(manifest.content)], ["built on", manifest.parent === null ? "nothing, it is the first" : el("a", { href: `#/releases/${manifest.parent}` }, `release ${manifest.parent}`)], ["model", digest(manifest.model.digest)], ["golden set", digest(manifest.golden)]])] : null);
}
