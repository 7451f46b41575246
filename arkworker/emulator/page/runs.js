// How far each worker run has come, what it found and left, what it was configured with, and another try.

import { go, shown } from "./address.js";
import { byId, node, replace, showDialog, sign } from "./dom.js";

const STATES = ["processed", "started", "error", "queued"];

export function showRuns(summary) {
  replace(byId("runs"), ...summary.runs.map((run) => card(run, summary)));
}

function card(run, summary) {
  const { id, states, tasks, results } = run;
  const total = STATES.reduce((sum, state) => sum + (states[state] ?? 0), 0);
  const bar = node("div", { class: "bar", role: "img", "aria-label": `${states.processed ?? 0} of ${total} processed` });
  for (const state of STATES) {
    const part = node("i", { class: state });
    part.style.width = `${total ? (100 * (states[state] ?? 0)) / total : 0}%`;
    bar.append(part);
  }
  const counts = STATES.map((state) => node("button", {
    type: "button", "data-state": state, "data-key": `state-${id}-${state}`, title: `Show only ${state}`,
    onclick: () => go({ run: id, state: shown.state === state && shown.run === id ? "" : state }),
  }, sign(state), ` ${states[state] ?? 0} ${state}`));
  const found = Object.entries(results).map(([name, count]) => `${name} ${count}`).join(", ");
  const isPast = !tasks.length;
  return node(
    "div",
    { class: shown.run === id ? "run chosen" : "run", "data-run": id },
    node("strong", { title: id }, run.summary),
    total ? bar : isPast ? null : node("span", { class: "quiet" }, `mode ${run.mode}, no activities`),
    total ? node("div", { class: "counts" }, ...counts) : null,
    found ? node("div", { class: "counts" }, `found: ${found}`) : null,
    isPast ? null : node("div", { class: "counts" }, tasks.map((task) => `${task.slug} ${task.state}`).join(", ")),
    node("div", { class: "counts" }, ...tasks.flatMap((task) => task.artifacts.map((file) => artifact(file)))),
    node("div", { class: "actions" }, ...actions(run, summary)),
  );
}

const artifact = ({ id, path, size }) =>
  node("a", { href: `/viewer/artifacts/${id}`, download: path, "data-key": `artifact-${id}`, title: `${size} bytes` }, `⤓ ${path}`);

function actions(run, summary) {
  const button = (key, text, action) => node("button", { type: "button", class: "more", "data-key": `${key}-${run.id}`, onclick: action }, text);
  const made = [];
  if (run.configuration.length || (summary.can_run && run.tasks.length)) made.push(button("values", "values", () => showValues(run, summary)));
  if (shown.run === run.id) made.push(button("all", "all runs", () => go({ run: "", with: "" })));
  else {
    made.push(button("only", "only this run", () => go({ run: run.id, with: "" })));
    if (shown.run) made.push(button("with", "compare", () => go({ with: run.id })));
  }
  return made;
}

const ORIGINS = { user: "a user", model: "the model", default: "the default" };

// The values with their origins, as a form where the worker can be run again.
function showValues(run, summary) {
  const fields = run.configuration.map((option) => [option, field(option, summary.can_run)]);
  const message = node("p", { role: "alert", class: "bad" });
  const rows = fields.map(([option, input]) => node(
    "div",
    { class: "option" },
    node("label", { for: input.id }, option.display_name || option.key, node("code", {}, ` ${option.key}`)),
    input,
    node("small", { class: "quiet" }, [`from ${ORIGINS[option.origin]}`, option.help_text].filter(Boolean).join(" · ")),
  ));
  const form = node("form", { class: "values" }, ...rows, message);
  if (!run.configuration.length) form.prepend(node("p", { class: "quiet" }, "This worker has no options."));
  if (summary.can_run) {
    form.append(
      node("label", { class: "whole" }, node("input", { type: "checkbox", id: "only-this", checked: Boolean(shown.element), disabled: !shown.element }), " only on the element that is shown"),
      node("button", { type: "submit", class: "primary" }, "Run again"),
    );
    form.addEventListener("submit", (event) => { event.preventDefault(); runAgain(run, fields, message); });
  } else {
    form.append(node("p", { class: "quiet" }, "To run it again with other values, give serve its command after --."));
  }
  showDialog(`Values of ${run.summary}`, form);
}

function field(option, isEditable) {
  const { key, type, value, choices, many } = option;
  const common = { id: `option-${key}`, name: key, disabled: !isEditable || type === "secret" };
  if (type === "bool") return node("input", { ...common, type: "checkbox", checked: value === true });
  if (type === "enum" && choices) {
    return node("select", common, ...choices.map((choice) => node("option", { value: choice, selected: choice === value }, choice)));
  }
  if (many || type === "dict" || (value !== null && typeof value === "object")) return node("textarea", { ...common, rows: 3, dir: "auto" }, JSON.stringify(value));
  if (type === "text") return node("textarea", { ...common, rows: 4, dir: "auto" }, value ?? "");
  if (type === "int" || type === "float") return node("input", { ...common, type: "number", step: type === "int" ? 1 : "any", value });
  return node("input", { ...common, type: "text", value, dir: "auto" });
}

// What was changed, beside what the run had; an empty field is what the worker has without it.
function valueOf(option, input) {
  if (option.type === "bool") return input.checked;
  if (input.value === "") return null;
  if (option.type === "int" || option.type === "float") return option.many ? JSON.parse(input.value) : Number(input.value);
  return option.many || option.type === "dict" || (option.value !== null && typeof option.value === "object") ? JSON.parse(input.value) : input.value;
}

async function runAgain(run, fields, message) {
  const values = {};
  try {
    for (const [option, input] of fields) {
      const value = option.type === "secret" ? option.value : valueOf(option, input);
      if (option.origin === "user" || JSON.stringify(value) !== JSON.stringify(option.value)) values[option.key] = value;
    }
  } catch (error) {
    message.textContent = `A list or a mapping is written as JSON: ${error.message}`;
    return;
  }
  const elements = byId("only-this").checked ? [shown.element] : null;
  const body = JSON.stringify({ run: run.id, values, elements });
  const answer = await fetch("/viewer/runs", { method: "POST", headers: { "content-type": "application/json" }, body });
  const content = await answer.json();
  if (!answer.ok) {
    message.textContent = content.error;
    return;
  }
  byId("dialog").close();
  go({ run: content.run, with: run.id, state: "" });
}
