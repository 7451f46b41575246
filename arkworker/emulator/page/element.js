// One element: what was found on it, what became of it, and how two worker runs differ on it.

import { addressOf, go, shown } from "./address.js";
import { byId, clock, colour, node, percent, replace, sign } from "./dom.js";
import { hideEntities, light, showPicture } from "./picture.js";

const FIRST = 200; // children in the list before it is asked for more
let listed = FIRST;
let last = "";

export function showElement(element, summary, choose) {
  if (last !== element.id) listed = FIRST;
  last = element.id;
  showPicture(element, summary.types, choose);
  showDetails(element, summary, choose);
  hideEntities();
}

function showDetails(element, summary, choose) {
  const place = byId("details");
  const way = element.path.flatMap((item) => [to(item, `path-${item.id}`, choose), " › "]);
  const again = () => showDetails(element, summary, choose);
  replace(
    place,
    node("p", { class: "path" }, node("bdi", {}, element.corpus), " › ", ...way),
    node("h3", { dir: "auto" }, element.name),
    node("p", { class: "quiet" }, `${element.type_name} `, node("code", {}, element.id)),
    node("p", { class: "quiet" }, facts1(element)),
    ...section("Why it failed", reason(element)),
    ...section("Transcriptions", element.transcriptions.map((item) => transcription(item, summary))),
    ...section("Classifications", facts(element.classifications.map((c) => [c.ml_class.name, `${percent(c.confidence)}${c.high_confidence ? " (sure)" : ""}`]))),
    ...section("Metadata", facts(element.metadata.map((item) => [item.name, metadata(item)]))),
    ...section("Embeddings", element.embeddings ? [node("p", {}, String(element.embeddings))] : []),
    ...section("Two runs compared", comparison(element, summary, choose)),
    ...section(`Children (${element.children.length})`, list(element, summary, choose, again)),
    ...section("Activity", element.history.length ? [node("ul", { class: "history" }, ...element.history.map(change))] : []),
  );
}

const section = (title, content) => (content.length ? [node("h2", {}, title), ...content] : []);

// A link that is a real one: it opens in another tab, too.
function to(item, key, choose) {
  const link = node("a", { href: addressOf({ element: item.id }), "data-key": key, dir: "auto" }, item.name);
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(item.id);
  });
  return link;
}

function facts1(element) {
  const { rotation_angle: angle, mirrored, confidence, worker_run: run } = element;
  return [angle ? `rotated by ${angle}°` : "", mirrored ? "mirrored" : "", percent(confidence), run?.summary ?? ""].filter(Boolean).join(" · ");
}

function facts(pairs) {
  if (!pairs.length) return [];
  return [node("dl", {}, ...pairs.flatMap(([name, value]) => [node("dt", { dir: "auto" }, name), node("dd", { dir: "auto" }, value)]))];
}

// Addresses are links; only those of the web, as anything may stand there.
function metadata({ value }) {
  const text = String(value);
  if (!/^https?:\/\/\S+$/i.test(text)) return text;
  return node("a", { href: text, rel: "noopener noreferrer", target: "_blank" }, text);
}

function reason(element) {
  if (!element.history.length || element.history.at(-1).state !== "error") return [];
  if (!element.reason.length) return [node("p", { class: "quiet" }, "The log does not name this element.")];
  return [node("pre", { class: "reason", tabindex: "0", "data-key": "reason" }, element.reason.join("\n"))];
}

function transcription(item, summary) {
  const turned = item.orientation === "horizontal-lr" ? "" : item.orientation;
  const signed = [percent(item.confidence), turned, item.worker_run?.summary ?? "entered by a person"].filter(Boolean);
  return node("div", { class: "text" }, node("p", { dir: "auto" }, ...marked(item, summary)), node("small", {}, signed.join(" · ")));
}

// Entities marked in their text; offsets count characters, as in Python, where JavaScript counts halves of some.
function marked({ text, entities }, summary) {
  const characters = [...text];
  const parts = [];
  let at = 0;
  for (const { offset, length, type } of entities) {
    if (offset < at) continue;
    const mark = node("mark", { title: type.name, "data-entity": type.name }, characters.slice(offset, offset + length).join(""));
    const kept = summary.types.find((item) => item.kind === "entity" && item.key === type.name);
    mark.style.setProperty("--entity", colour(kept?.color ?? type.color));
    parts.push(characters.slice(at, offset).join(""), mark);
    at = offset + length;
  }
  return [...parts, characters.slice(at).join("")];
}

function list(element, summary, choose, again) {
  const entries = element.children.slice(0, listed).map((child) => entry(child, summary, choose));
  if (listed < element.children.length) {
    const more = () => { listed += 1000; again(); };
    entries.push(node("button", { type: "button", class: "more", "data-key": "more-children", onclick: more }, `show more of ${element.children.length}`));
  }
  return entries;
}

function entry(child, summary, choose) {
  const made = node(
    "div",
    { class: "child", "data-element": child.id },
    to(child, `child-${child.id}`, choose),
    node("small", {}, [child.type_name, percent(child.confidence), child.children ? `${child.children} below` : ""].filter(Boolean).join(" · ")),
    ...child.transcriptions.map((item) => node("p", { dir: "auto" }, ...marked(item, summary))),
  );
  const kept = summary.types.find((type) => type.kind === "element" && type.key === child.type);
  made.style.color = colour(kept?.color ?? child.color);
  light(made, child.id);
  return made;
}

function change({ time, state, call }) {
  return node("li", {}, node("time", {}, clock(time)), sign(state), `${state} `, call ? node("small", { class: "quiet" }, `request ${call}`) : null);
}

// What two runs found here: what only the first has, what only the second has, and how much both have.
function comparison(element, summary, choose) {
  if (!shown.run || !shown.with || shown.run === shown.with) return [];
  const of = (run) => new Map(results(element, run).map((item) => [item.key, item]));
  const [first, second] = [of(shown.run), of(shown.with)];
  const name = (id) => `${summary.runs.find((run) => run.id === id)?.summary ?? "run"} ${id.slice(0, 8)}`;
  const column = (run, mine, other) => node(
    "div",
    { class: "column" },
    node("h4", {}, name(run)),
    ...[...mine.values()].filter((item) => !other.has(item.key)).map((item) => node("p", { class: "differs", dir: "auto" }, item.shown)),
  );
  const both = [...first.keys()].filter((key) => second.has(key)).length;
  const end = () => go({ with: "" });
  return [
    node("div", { class: "columns" }, column(shown.run, first, second), column(shown.with, second, first)),
    node("p", { class: "quiet" }, `${both} found by both. `, node("button", { type: "button", class: "more", "data-key": "end-compare", onclick: end }, "end the comparison")),
  ];
}

function results(element, run) {
  const found = [];
  const add = (kind, ...parts) => found.push({ key: JSON.stringify([kind, ...parts]), shown: [kind, ...parts.filter((part) => typeof part === "string")].join(" · ") });
  const mine = (item) => item.worker_run?.id === run;
  for (const item of element.transcriptions.filter(mine)) add("text", item.text);
  for (const item of element.classifications.filter(mine)) add("class", item.ml_class.name, item.confidence);
  for (const item of element.metadata.filter(mine)) add("metadata", item.name, String(item.value));
  for (const child of element.children) {
    const texts = child.transcriptions.filter(mine).map((item) => item.text);
    if (child.run === run || texts.length) add(child.type, child.name, JSON.stringify(child.polygon), ...texts);
  }
  for (const item of found) item.shown = item.shown.replace(/ · \[\[.*?\]\]/, "").replace(" · null", "");
  return found;
}
