// The elements of all corpora, opened level by level; or, with a state or a search, one list of those that fit.

import { addressOf, go, shown } from "./address.js";
import { byId, getJson, node, replace, sign } from "./dom.js";

const opened = new Map(); // the id of an opened element, or "" for the top, and how many pieces of its list are shown
opened.set("", 1);
let drawing = 0;

export async function showTree(choose) {
  const mine = ++drawing;
  const again = () => showTree(choose);
  const rows = shown.state || shown.q ? await piece("", choose, again, filter()) : await piece("", choose, again, "");
  if (mine !== drawing) return; // asked again meanwhile
  replace(byId("tree"), ...rows);
}

export function wireFilters() {
  byId("search").addEventListener("input", (event) => { opened.set("", 1); go({ q: event.target.value }, { step: false }); });
  byId("state").addEventListener("change", (event) => { opened.set("", 1); go({ state: event.target.value }); });
}

// After Back, the fields say again what is shown.
export function showFilters() {
  if (document.activeElement !== byId("search")) byId("search").value = shown.q;
  byId("state").value = shown.state;
}

const filter = () => `&state=${shown.state}&q=${encodeURIComponent(shown.q)}`;

async function piece(parent, choose, again, condition) {
  const rows = [];
  let total = 0;
  let count = 0;
  for (let number = 0; number < opened.get(parent); number += 1) {
    const answer = await getJson(`/viewer/elements?offset=${count}&parent=${parent}&run=${shown.run}${condition}`);
    total = answer.total;
    count += answer.elements.length;
    for (const element of answer.elements) {
      const isOpen = !condition && opened.has(element.id);
      rows.push(row(element, isOpen, choose, again));
      if (isOpen) rows.push(node("div", { class: "below" }, ...(await piece(element.id, choose, again, ""))));
    }
  }
  if (count < total) {
    const more = () => { opened.set(parent, opened.get(parent) + 1); again(); };
    rows.push(node("button", { type: "button", class: "more", "data-key": `more-${parent}`, onclick: more }, `show more of ${total}`));
  }
  if (!parent && !total) rows.push(node("p", { class: "empty" }, condition ? "No element fits." : "No elements yet."));
  return rows;
}

function row(element, isOpen, choose, again) {
  const toggle = () => {
    if (!opened.delete(element.id)) opened.set(element.id, 1);
    again();
  };
  const arrow = node(
    "button",
    { type: "button", class: "open", "data-key": `open-${element.id}`, "aria-label": isOpen ? `Close ${element.name}` : `Open ${element.name}`, "aria-expanded": String(isOpen), onclick: toggle },
    isOpen ? "▾" : "▸",
  );
  if (!element.children) arrow.style.visibility = "hidden";
  const isChosen = element.id === shown.element;
  const link = node(
    "a",
    { class: "name", href: addressOf({ element: element.id }), "data-key": `row-${element.id}`, "aria-current": isChosen ? "true" : null, title: element.state ? `${element.name}: ${element.state}` : element.name },
    sign(element.state),
    node("bdi", {}, element.name),
    node("span", { class: "kind" }, element.type_name),
  );
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(element.id);
  });
  return node("div", { class: isChosen ? "row chosen" : "row", "data-element": element.id }, arrow, link);
}

// What the chosen element is part of is open, so that the list shows it.
export function reveal(path) {
  for (const { id } of path) if (!opened.has(id)) opened.set(id, 1);
}

// The rows as they are seen, for the arrow keys.
const rowsShown = () => [...document.querySelectorAll("#tree .row")];

export function neighbour(steps) {
  const rows = rowsShown();
  const at = rows.findIndex((item) => item.dataset.element === shown.element);
  return rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + steps))]?.dataset.element ?? "";
}

export function setOpen(id, isOpen, choose) {
  const known = opened.has(id);
  if (isOpen && !known) opened.set(id, 1);
  else if (!isOpen && known) opened.delete(id);
  else return false;
  showTree(choose);
  return true;
}

export function scrollToChosen() {
  document.querySelector("#tree .row.chosen")?.scrollIntoView({ block: "nearest" });
}
