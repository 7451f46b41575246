// How far each worker run has come.

import { byId, node } from "./dom.js";

const STATES = ["processed", "started", "error", "queued"];

export function showRuns(runs) {
  byId("runs").replaceChildren(...runs.map(run));
}

function run({ id, summary, mode, states, tasks }) {
  const total = STATES.reduce((sum, state) => sum + (states[state] ?? 0), 0);
  const bar = node("div", { class: "bar", role: "img", "aria-label": `${states.processed ?? 0} of ${total} processed` });
  for (const state of STATES) {
    const part = node("i", { class: state });
    part.style.width = `${total ? (100 * (states[state] ?? 0)) / total : 0}%`;
    bar.append(part);
  }
  const counts = STATES.map((state) =>
    node("span", { "data-state": state }, node("i", { class: `dot ${state}` }), `${states[state] ?? 0} ${state}`),
  );
  const work = tasks.map((task) => `${task.slug} ${task.state}`).join(", ");
  return node(
    "div",
    { class: "run", "data-run": id },
    node("strong", { title: id }, summary),
    total ? bar : node("span", { class: "quiet" }, `mode ${mode}, no activities`),
    total ? node("div", { class: "counts" }, ...counts) : null,
    node("div", { class: "counts" }, work),
  );
}
