// One element: its image with polygons on it, and what was found.

import { byId, colour, drawing, node, percent } from "./dom.js";

export function showElement(element, choose) {
  showPicture(element, choose);
  showDetails(element, choose);
}

function showPicture(element, choose) {
  const place = byId("picture");
  if (!element.image) {
    place.replaceChildren(node("p", { class: "empty" }, "This element has no image."));
    return;
  }
  const { id, width, height } = element.image;
  const picture = drawing("svg", { viewBox: frame(element.polygon, width, height), role: "img", "aria-label": element.name });
  picture.append(drawing("image", { href: `/viewer/images/${id}`, width, height }));
  if (element.polygon) picture.append(shape(element, "own"));
  for (const child of element.children.filter((item) => item.polygon)) {
    const drawn = shape(child, "");
    drawn.append(drawing("title", {}, [child.name, ...child.transcriptions.map((item) => item.text)].join("\n")));
    drawn.addEventListener("click", () => choose(child.id));
    light(drawn, child.id);
    picture.append(drawn);
  }
  place.replaceChildren(picture);
}

// What is seen: the element with a margin; of a whole page, all of it.
function frame(polygon, width, height) {
  const xs = (polygon ?? [[0, 0], [width, height]]).map((point) => point[0]);
  const ys = (polygon ?? [[0, 0], [width, height]]).map((point) => point[1]);
  const margin = 0.04 * Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  const left = Math.max(0, Math.min(...xs) - margin);
  const top = Math.max(0, Math.min(...ys) - margin);
  const right = Math.min(width, Math.max(...xs) + margin);
  const bottom = Math.min(height, Math.max(...ys) + margin);
  return `${left} ${top} ${Math.max(1, right - left)} ${Math.max(1, bottom - top)}`;
}

function shape(element, kind) {
  const points = element.polygon.map((point) => point.join(",")).join(" ");
  return drawing("polygon", { points, class: kind, color: colour(element.color), "data-element": element.id });
}

// A child is lit in the list while the pointer is on its polygon, and the reverse.
function light(made, id) {
  for (const [event, lit] of [["mouseenter", true], ["mouseleave", false]]) {
    made.addEventListener(event, () => {
      for (const other of document.querySelectorAll(`[data-element="${id}"]`)) other.classList.toggle("lit", lit);
    });
  }
}

function showDetails(element, choose) {
  const place = byId("details");
  const way = element.path.flatMap((item) => [node("button", { onclick: () => choose(item.id) }, item.name), " › "]);
  place.replaceChildren(
    node("p", { class: "path" }, element.corpus, " › ", ...way),
    node("h3", {}, element.name),
    node("p", { class: "quiet" }, `${element.type_name} `, node("code", {}, element.id)),
    ...section("Transcriptions", element.transcriptions.map(transcription)),
    ...section("Classifications", facts(element.classifications.map((c) => [c.ml_class.name, `${percent(c.confidence)}${c.high_confidence ? " (sure)" : ""}`]))),
    ...section("Metadata", facts(element.metadata.map((item) => [item.name, String(item.value)]))),
    ...section("Embeddings", element.embeddings ? [node("p", {}, String(element.embeddings))] : []),
    ...section(`Children (${element.children.length})`, element.children.map((child) => entry(child, choose))),
    ...section("Activity", element.history.length ? [node("ul", { class: "history" }, ...element.history.map(change))] : []),
  );
}

const section = (title, content) => (content.length ? [node("h2", {}, title), ...content] : []);

function facts(pairs) {
  if (!pairs.length) return [];
  return [node("dl", {}, ...pairs.flatMap(([name, value]) => [node("dt", {}, name), node("dd", {}, value)]))];
}

function transcription(item) {
  const turned = item.orientation === "horizontal-lr" ? "" : item.orientation;
  const signed = [percent(item.confidence), turned, item.worker_run?.summary ?? "entered by a person"].filter(Boolean);
  return node("div", { class: "text" }, ...marked(item), node("small", {}, signed.join(" · ")));
}

// Entities marked in their text; offsets count characters, as in Python, where JavaScript counts halves of some.
function marked({ text, entities }) {
  const characters = [...text];
  const parts = [];
  let at = 0;
  for (const { offset, length, type } of entities) {
    if (offset < at) continue;
    const mark = node("mark", { title: type.name }, characters.slice(offset, offset + length).join(""));
    mark.style.setProperty("--entity", colour(type.color));
    parts.push(characters.slice(at, offset).join(""), mark);
    at = offset + length;
  }
  return [...parts, characters.slice(at).join("")];
}

function entry(child, choose) {
  const made = node(
    "div",
    { class: "child", "data-element": child.id },
    node("button", { onclick: () => choose(child.id) }, child.name),
    node("small", {}, [child.type_name, percent(child.confidence), child.children ? `${child.children} below` : ""].filter(Boolean).join(" · ")),
    ...child.transcriptions.map((item) => node("p", {}, ...marked(item))),
  );
  made.style.color = colour(child.color);
  light(made, child.id);
  return made;
}

function change({ time, state }) {
  const moment = new Date(1000 * time);
  return node("li", {}, node("time", {}, moment.toLocaleTimeString([], { hour12: false })), node("i", { class: `dot ${state}` }), state);
}
