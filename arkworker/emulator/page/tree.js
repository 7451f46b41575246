// The elements of all corpora, opened level by level.

import { byId, getJson, node } from "./dom.js";

const opened = new Map(); // the id of an opened element, or "" for the top, and how many pieces of its list are shown
opened.set("", 1);

export async function showTree(chosen, choose) {
  const top = await level("", chosen, choose, () => showTree(chosen, choose));
  byId("tree").replaceChildren(...top);
}

async function level(parent, chosen, choose, again) {
  const rows = [];
  let total = 0;
  let shown = 0;
  for (let piece = 0; piece < opened.get(parent); piece += 1) {
    const answer = await getJson(`/viewer/elements?offset=${shown}&parent=${parent}`);
    total = answer.total;
    shown += answer.elements.length;
    for (const element of answer.elements) {
      rows.push(row(element, chosen, choose, again));
      if (opened.has(element.id)) {
        rows.push(node("div", { class: "below" }, ...(await level(element.id, chosen, choose, again))));
      }
    }
  }
  if (shown < total) {
    const more = () => { opened.set(parent, opened.get(parent) + 1); again(); };
    rows.push(node("button", { class: "more", onclick: more }, `show more of ${total}`));
  }
  if (!parent && !total) rows.push(node("p", { class: "empty" }, "No elements yet."));
  return rows;
}

function row(element, chosen, choose, again) {
  const isOpen = opened.has(element.id);
  const toggle = () => {
    if (isOpen) opened.delete(element.id);
    else opened.set(element.id, 1);
    again();
  };
  const arrow = node("button", { class: "open", "aria-label": isOpen ? "close" : "open", onclick: toggle }, isOpen ? "▾" : "▸");
  if (!element.children) arrow.style.visibility = "hidden";
  const state = element.state ?? "none";
  return node(
    "div",
    { class: element.id === chosen ? "row chosen" : "row", "data-element": element.id },
    arrow,
    node(
      "button",
      { class: "name", title: state === "none" ? element.name : `${element.name}: ${state}`, onclick: () => choose(element.id) },
      node("i", { class: `dot ${state}` }),
      node("span", {}, element.name),
      node("span", { class: "kind" }, element.type_name),
    ),
  );
}
