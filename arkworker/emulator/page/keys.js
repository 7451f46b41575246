// The keyboard.

import { go, shown } from "./address.js";
import { byId, node, showDialog } from "./dom.js";
import { zoom, zoomOut } from "./picture.js";
import { neighbour, setOpen } from "./tree.js";

const KEYS = [
  ["↑ ↓", "the element above or below in the list"],
  ["→ ←", "open and close the element; ← again: the one that it is part of"],
  ["Escape", "close what is open, end the search, or go to what the element is part of"],
  ["/", "search names"],
  ["+ − 0", "zoom in, zoom out, see all of it; so do the wheel and two fingers"],
  ["?", "this list"],
];

export function showKeys() {
  showDialog("Keyboard", node("dl", { class: "keys" }, ...KEYS.flatMap(([key, text]) => [node("dt", {}, node("kbd", {}, key)), node("dd", {}, text)])));
}

export function wireKeys(choose, parentOf) {
  byId("keys").addEventListener("click", showKeys);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("dialog").open) return;
    const typing = event.target.closest("input, textarea, select");
    if (typing && event.key !== "Escape") return;
    // What scrolls by itself keeps its arrows.
    if (event.target.closest("pre, #calls") && event.key.startsWith("Arrow")) return;
    const action = ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action(choose, parentOf, typing);
  });
}

const move = (steps) => (choose) => {
  const next = neighbour(steps);
  if (next && next !== shown.element) choose(next);
};

const ACTIONS = {
  ArrowDown: move(1),
  ArrowUp: move(-1),
  ArrowRight: (choose) => setOpen(shown.element, true, choose),
  ArrowLeft: (choose, parentOf) => { if (!setOpen(shown.element, false, choose) && parentOf()) choose(parentOf()); },
  Escape: (choose, parentOf, typing) => {
    if (typing) typing.blur();
    if (shown.q || shown.state) go({ q: "", state: "" });
    else if (!typing && parentOf()) choose(parentOf());
  },
  "/": () => byId("search").focus(),
  "?": showKeys,
  "+": () => zoom(0.7),
  "=": () => zoom(0.7),
  "-": () => zoom(1 / 0.7),
  0: zoomOut,
};
