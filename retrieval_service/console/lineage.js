async function lineageView(main, id, fresh) {
  const graph = await api(`/v1/lineage/${id.split("/").map(encodeURIComponent).join("/")}`);
  if (!fresh()) return;
  const nodes = new Map(graph.nodes.map((node) => [node.key, node]));
  const of = (kind) => graph.nodes.filter((node) => node.kind === kind);
  const targets = (key, relation) => graph.edges.filter((edge) => edge.subject === key && edge.relation === relation).map((edge) => nodes.get(edge.object));
  const runOf = (key, relation) => targets(key, relation).map((run) => runLink(run.run_id));
  const step = (title, nodesOf, pairs) => nodesOf.map((node) => el("li", null, el("span", { class: "step" }, title(node)), facts(pairs(node))));
  const chunks = of("chunk"), shown = chunks.slice(0, 25);
  const steps = [
    step(() => "File", of("file"), (n) => [["address", el("code", null, n.uri)], ["sha256", digest(n.raw_sha256)], ["modified", n.modified_at && time(n.modified_at)]]),
    step(() => "Document", of("document"), (n) => [["title", n.title], ["source", n.source], ["id", el("code", null, n.document_id)]]),
    step((n) => (n.role === "parser" ? "Parser" : "Chunker"), of("tool"), (n) => [["version", el("code", null, n.fingerprint)]]),
    step(() => "Model", of("model"), (n) => [["name", n.name], ["digest", digest(n.digest)], ["encoder", digest(n.encoder)]]),
    step(() => "Passage", shown, (n) => [["id", el("code", null, n.chunk_id)], ["place", [n.section.join(" › "), n.page && `page ${n.page}`, `characters ${whole.format(n.span.start)} to ${whole.format(n.span.end)}`].filter(Boolean).join(", ")], ["made by run", runOf(n.key, "made_by")], ["visible", n.valid_to === null ? `since release ${n.valid_from}` : `from release ${n.valid_from} until release ${n.valid_to}`]]),
    step((n) => `Source ${n.source} in release ${n.key.split("@")[1]}`, of("source"), (n) => [["contract", `version ${n.pin.contract_version}`], ["digest", digest(n.pin.contract)], ["documents", `${whole.format(n.pin.documents.rows)} at table version ${n.pin.documents.version}`], ["passages", `${whole.format(n.pin.chunks.rows)} at table version ${n.pin.chunks.version}`]]),
    step((n) => el("span", null, el("a", { href: `#/releases/${n.revision}` }, `Release ${n.revision}`), " ", pill(n.status)), of("release").sort((a, b) => a.revision - b.revision), (n) => [["published", n.published_at && time(n.published_at)], ["by run", runOf(n.key, "published_by")], ["refused", n.reasons.join("; ")]]),
  ];
  const checks = of("check").map((n) => [pill(n.outcome === "failed" && n.severity === "warning" ? "warning" : n.outcome), el("code", null, n.check), n.subject, n.summary, runOf(n.key, "ran_in")]);
  const subject = nodes.get(graph.subject);
  show(main,
    el("h1", null, "Lineage"),
    el("p", { class: "quiet" }, { chunk: "Of the passage ", document: "Of the document ", release: "Of release " }[subject.kind], el("code", null, subject.chunk_id ?? subject.uri ?? String(subject.revision)), ". ", el("a", { href: `/v1/lineage/${id}` }, "As JSON")),
    el("ol", { class: "plumb" }, steps),
    ...(chunks.length > shown.length ? [el("p", { class: "quiet small" }, `${count(chunks.length - shown.length, "further passage")} in the JSON.`)] : []),
    ...(checks.length ? [el("h2", null, "Checks on its way"), table("Checks", ["Outcome", "Check", "On", "Finding", "Run"], checks)] : []));
}
