function chart(series, name) {
  const drawn = Object.keys(MODES).map((mode) => [mode, series.map((release, x) => ({ x, release, found: metric(release.scores, mode, name) })).filter((point) => point.found)]).filter(([, points]) => points.length);
  const values = drawn.flatMap(([mode, points]) => points.flatMap(({ found }) => [found.value, ...(mode === "hybrid" ? (found.ci95 ?? []) : [])]));
  const spread = Math.max(...values) - Math.min(...values);
  const unit = [0.01, 0.02, 0.05, 0.1, 0.2].find((size) => size * 5 >= spread) ?? 0.25;
  const low = Math.max(0, Math.floor(Math.min(...values) / unit) * unit), high = Math.min(1, Math.ceil(Math.max(...values) / unit + 0.01) * unit);
  const [width, height, left, right, top, bottom] = [860, 300, 44, 84, 14, 34];
  const x = (i) => left + ((width - left - right) * (i + 0.5)) / series.length;
  const y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low || 1));
  const ticks = Array.from({ length: Math.round((high - low) / unit) + 1 }, (_, i) => low + unit * i);
  const every = Math.ceil(series.length / 14);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${name} by release; the table below has the numbers` });
  for (const tick of ticks) picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }), svg("text", { x: left - 10, y: y(tick) + 4, "text-anchor": "end" }, tick.toFixed(2)));
  series.forEach((release, i) => i % every === 0 && picture.append(svg("text", { x: x(i), y: height - 10, "text-anchor": "middle" }, String(release.revision))));
  const banded = (drawn.find(([mode]) => mode === "hybrid")?.[1] ?? []).filter(({ found, release }) => found.ci95 && release.status !== "rejected");
  if (banded.length > 1) picture.append(svg("polygon", { class: "band", points: [...banded.map((p) => `${x(p.x)},${y(p.found.ci95[1])}`), ...banded.toReversed().map((p) => `${x(p.x)},${y(p.found.ci95[0])}`)].join(" ") }));
  const names = drawn.map(([mode, points]) => ({ mode, at: y(points.at(-1).found.value) })).sort((a, b) => a.at - b.at);
  names.forEach((label, i) => i && (label.at = Math.max(label.at, names[i - 1].at + 16)));
  for (const [mode, points] of drawn.toReversed()) {
    const went = points.filter(({ release }) => release.status !== "rejected");
    picture.append(svg("polyline", { class: `series ${mode}`, points: went.map((p) => `${x(p.x)},${y(p.found.value)}`).join(" ") }));
    for (const { x: i, release, found } of mode === drawn[0][0] ? points : went) {
      const kind = release.status === "rejected" ? "refused" : release.status === "live" && mode === "hybrid" ? "live" : "";
      picture.append(svg("circle", { class: `${mode} ${kind}`, cx: x(i), cy: y(found.value), r: kind ? 5 : 3.5 }, svg("title", null, `Release ${release.revision}, ${release.status}: ${MODES[mode]} ${found.value.toFixed(3)}`)));
    }
  }
  for (const { mode, at } of names) picture.append(svg("text", { class: `name ${mode}`, x: width - right + 12, y: at + 4 }, MODES[mode]));
  return el("div", { class: "chart" }, picture);
}

async function qualityView(main, known, fresh) {
  const quality = await api("/v1/quality");
  if (!fresh()) return;
  const live = quality.live;
  const head = [el("h1", null, "Quality"), el("p", { class: "quiet" }, live ? `What the evaluation on the golden set measured, release by release. Release ${live.revision} is live.` : "Nothing is published yet.")];
  const measured = quality.series.filter((release) => metric(release.scores, "hybrid", "ndcg@10") ?? metric(release.scores, "dense", "ndcg@10") ?? metric(release.scores, "sparse", "ndcg@10"));
  if (!measured.length) {
    show(main, ...head, quietPage("No figures yet", "Give a source a golden set: queries with the passages that answer them. Every release after that is measured before it goes live."));
    return;
  }
  const interval = (found) => (found?.ci95 ? `95% from ${found.ci95[0].toFixed(3)} to ${found.ci95[1].toFixed(3)}` : "");
  const cards = Object.entries(MODES).filter(([mode]) => metric(live?.scores, mode, "ndcg@10")).map(([mode, label]) => {
    const found = metric(live.scores, mode, "ndcg@10");
    return el("div", { class: `fact ${mode === "hybrid" ? "lead" : ""}` }, el("div", { class: "label" }, `${label}, nDCG@10`), el("div", { class: "value" }, figure(found)), el("div", { class: "label" }, interval(found)),
      el("div", { class: "label" }, ["recall@100", "mrr@10"].map((name) => [name, metric(live.scores, mode, name)]).filter(([, m]) => m).map(([name, m]) => `${name.replace("mrr", "MRR").replace("recall", "Recall")} ${figure(m)}`).join(", ")));
  });
  const rows = measured.toReversed().map((release) => [el("a", { href: `#/releases/${release.revision}` }, String(release.revision)), pill(release.status), time(release.published_at ?? release.created_at), ...Object.keys(MODES).map((mode) => figure(metric(release.scores, mode, "ndcg@10")))]);
  const missing = [...quality.held.map((source) => el("p", { class: "note" }, el("b", null, `${source.source} is held. `), source.reasons.join("; "))),
    ...Object.entries(quality.quarantined).map(([source, n]) => el("p", { class: "note" }, `${count(n, "file")} of ${source} could not be read and ${n === 1 ? "is" : "are"} in quarantine.`))];
  show(main, ...head, el("div", { class: "facts" }, cards), ...missing, el("h2", null, "nDCG@10 by release"), chart(measured, "ndcg@10"),
    el("p", { class: "small quiet" }, "The band is the 95% interval of the hybrid mode. A dashed red circle is a release that its gates refused."),
    el("h2", null, "Figures"), table("nDCG@10 by release", ["Release", "Status", "When", "Hybrid#", "Meaning#", "Words#"], rows));
}
