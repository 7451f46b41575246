// The image of an element, to be moved and zoomed, with outlines on it and a legend of their types.

import { byId, colour, drawing, node, replace } from "./dom.js";

const FINEST = 16; // pixels of the screen for one of the image
const hidden = new Set(JSON.parse(sessionStorage.getItem("hidden") ?? "[]"));
let view = null; // what of the image is seen: {x, y, width, height}
let current = null; // the element, the parts of its picture, the types there are
let frame = 0;
let later = 0;

export function showPicture(element, types, choose) {
  const place = byId("picture");
  if (!element.image) {
    current = null;
    replace(place, node("p", { class: "empty" }, "This element has no image."));
    return;
  }
  const { id, width, height, url } = element.image;
  if (current?.element.id === element.id && current.element.image.id === id) {
    // While somebody moves the image, what is found meanwhile comes onto it.
    Object.assign(current, { element, types, choose });
    drawOutlines();
    replace(place, current.picture, place.querySelector(".tools"), legend());
    return;
  }
  view = null;
  const address = url ? `${url}/full/!2000,2000/0/default.jpg` : `/viewer/images/${id}`;
  const outlines = drawing("g", {});
  const detail = drawing("image", { preserveAspectRatio: "none", class: "detail" });
  const picture = drawing("svg", { role: "img", "aria-label": element.name });
  picture.append(drawing("image", { href: address, width, height, preserveAspectRatio: "none" }), detail, outlines);
  current = { element, types, choose, picture, outlines, detail };
  drawOutlines();
  wire(picture);
  replace(place, picture, tools(), legend());
  view ??= whole();
  draw();
}

function drawOutlines() {
  const { element, outlines, choose } = current;
  const shapes = element.children
    .filter((child) => child.polygon && !hidden.has(`element:${child.type}`))
    .map((child) => {
      const made = shape(child, "");
      made.append(drawing("title", {}, [child.name, ...child.transcriptions.map((item) => item.text)].join("\n")));
      made.addEventListener("click", () => { if (!moved) choose(child.id); });
      light(made, child.id);
      return made;
    });
  if (element.polygon) shapes.unshift(shape(element, "own"));
  outlines.replaceChildren(...shapes);
}

function shape(element, kind) {
  const points = element.polygon.map((point) => point.join(",")).join(" ");
  const kept = current.types.find((type) => type.kind === "element" && type.key === element.type);
  return drawing("polygon", { points, class: kind, color: colour(kept?.color ?? element.color), "data-element": element.id });
}

// A child is lit in the list while the pointer is on its polygon, and the reverse.
export function light(made, id) {
  for (const [event, lit] of [["mouseenter", true], ["mouseleave", false]]) {
    made.addEventListener(event, () => {
      for (const other of document.querySelectorAll(`[data-element="${id}"]`)) other.classList.toggle("lit", lit);
    });
  }
}

// The element with a margin; of a whole page, all of it.
function whole() {
  const { polygon, image } = current.element;
  const xs = (polygon ?? [[0, 0], [image.width, image.height]]).map((point) => point[0]);
  const ys = (polygon ?? [[0, 0], [image.width, image.height]]).map((point) => point[1]);
  const margin = 0.04 * Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  const x = Math.max(0, Math.min(...xs) - margin);
  const y = Math.max(0, Math.min(...ys) - margin);
  const right = Math.min(image.width, Math.max(...xs) + margin);
  const bottom = Math.min(image.height, Math.max(...ys) + margin);
  return { x, y, width: Math.max(1, right - x), height: Math.max(1, bottom - y) };
}

// Once for each picture of the screen, however many movements came.
function draw() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => {
    if (!current) return;
    current.picture.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    clearTimeout(later);
    later = setTimeout(sharpen, 150);
  });
}

// The region that is seen, in the pixels of the screen, where the whole image has too few of them.
function sharpen() {
  if (!current || !view) return;
  const { image } = current.element;
  const { picture, detail } = current;
  const box = picture.getBoundingClientRect();
  const scale = Math.min(box.width / view.width, box.height / view.height);
  const given = Math.min(1, 2000 / Math.max(image.width, image.height));
  if (scale * devicePixelRatio <= given * 1.2 || given === 1) {
    detail.removeAttribute("href");
    return;
  }
  const x = Math.max(0, Math.floor(view.x));
  const y = Math.max(0, Math.floor(view.y));
  const width = Math.min(image.width - x, Math.ceil(view.width));
  const height = Math.min(image.height - y, Math.ceil(view.height));
  if (width <= 0 || height <= 0) return;
  const region = `${x},${y},${width},${height}`;
  const address = image.url ? `${image.url}/${region}/!2000,2000/0/default.jpg` : `/viewer/images/${image.id}?region=${region}`;
  for (const [name, value] of Object.entries({ x, y, width, height, href: address })) detail.setAttribute(name, value);
}

let moved = false;

function wire(picture) {
  const pointers = new Map();
  picture.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX, event.clientY);
  }, { passive: false });
  picture.addEventListener("pointerdown", (event) => {
    moved = false;
    pointers.set(event.pointerId, event);
  });
  picture.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    if (!moved && Math.abs(dx) + Math.abs(dy) < 4) return;
    moved = true;
    picture.setPointerCapture(event.pointerId);
    if (pointers.size === 2) {
      const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
      const far = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
      zoom(far(before) / Math.max(1, far(event)), other.clientX, other.clientY);
    } else {
      const scale = pixels();
      view.x -= dx / scale;
      view.y -= dy / scale;
      keep();
    }
    pointers.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
    picture.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }
  picture.addEventListener("dblclick", (event) => zoom(0.5, event.clientX, event.clientY));
}

// Pixels of the screen for one of the image.
function pixels() {
  const box = current.picture.getBoundingClientRect();
  return Math.min(box.width / view.width, box.height / view.height) || 1;
}

// Make what is seen larger or smaller around a place of the screen, by default its middle.
export function zoom(factor, clientX, clientY) {
  if (!current || !view) return;
  const box = current.picture.getBoundingClientRect();
  const scale = pixels();
  const most = (2 * Math.max(current.element.image.width, current.element.image.height)) / Math.min(view.width, view.height);
  const least = 1 / (FINEST / scale);
  const by = Math.min(most, Math.max(Math.min(1, least), factor));
  const x = view.x + view.width / 2 + ((clientX ?? box.left + box.width / 2) - box.left - box.width / 2) / scale;
  const y = view.y + view.height / 2 + ((clientY ?? box.top + box.height / 2) - box.top - box.height / 2) / scale;
  view = { x: x + (view.x - x) * by, y: y + (view.y - y) * by, width: view.width * by, height: view.height * by };
  keep();
}

export function zoomOut() {
  if (!current) return;
  view = whole();
  draw();
}

// The image is never lost out of sight.
function keep() {
  const { width, height } = current.element.image;
  view.x = Math.min(width - view.width * 0.1, Math.max(-view.width * 0.9, view.x));
  view.y = Math.min(height - view.height * 0.1, Math.max(-view.height * 0.9, view.y));
  draw();
}

function tools() {
  const button = (key, text, label, action) =>
    node("button", { type: "button", "data-key": key, "aria-label": label, title: label, onclick: action }, text);
  return node(
    "div",
    { class: "tools" },
    button("zoom-in", "+", "Zoom in (+)", () => zoom(0.7)),
    button("zoom-out", "−", "Zoom out (−)", () => zoom(1 / 0.7)),
    button("zoom-all", "⤢", "See all of it (0)", zoomOut),
  );
}

// The types on this element, each with its colour, to be hidden and shown.
function legend() {
  const { element, types } = current;
  const counts = new Map();
  for (const child of element.children) {
    if (child.polygon) counts.set(`element:${child.type}`, (counts.get(`element:${child.type}`) ?? 0) + 1);
  }
  for (const text of [element, ...element.children].flatMap((item) => item.transcriptions)) {
    for (const { type } of text.entities) counts.set(`entity:${type.name}`, (counts.get(`entity:${type.name}`) ?? 0) + 1);
  }
  const items = types.filter((type) => counts.has(`${type.kind}:${type.key}`));
  if (!items.length) return null;
  return node("div", { class: "legend", role: "group", "aria-label": "Types that are shown" }, ...items.map((type) => {
    const key = `${type.kind}:${type.key}`;
    const button = node(
      "button",
      { type: "button", "data-key": `type-${key}`, "data-type": key, "aria-pressed": String(!hidden.has(key)), class: type.kind },
      node("span", { class: "swatch" }),
      node("bdi", {}, type.name),
      node("span", { class: "quiet" }, String(counts.get(key))),
    );
    button.style.setProperty("--swatch", colour(type.color));
    button.addEventListener("click", () => {
      if (!hidden.delete(key)) hidden.add(key);
      sessionStorage.setItem("hidden", JSON.stringify([...hidden]));
      button.setAttribute("aria-pressed", String(!hidden.has(key)));
      drawOutlines();
      hideEntities();
    });
    return button;
  }));
}

export function hideEntities() {
  for (const mark of document.querySelectorAll("mark[data-entity]")) {
    mark.classList.toggle("hidden", hidden.has(`entity:${mark.dataset.entity}`));
  }
}
