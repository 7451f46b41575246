// Texts come from a corpus, that is from anywhere: they are only ever set as text, never as HTML.

export function node(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function drawing(name, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const byId = (id) => document.getElementById(id);

// What is drawn again keeps the focus on what had it: the node with the same `data-key`.
export function replace(place, ...children) {
  const focused = place.contains(document.activeElement) ? document.activeElement.closest("[data-key]") : null;
  const top = place.scrollTop;
  place.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
  place.scrollTop = top;
  if (focused) place.querySelector(`[data-key="${CSS.escape(focused.dataset.key)}"]`)?.focus({ preventScroll: true });
}

// A colour of a type, which any client may have chosen: six hexadecimal digits, or none at all.
export const colour = (text) => (/^[0-9a-f]{6}$/i.test(text) ? `#${text}` : "#667080");

export async function get(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

export const getJson = async (path) => (await get(path)).json();

export const percent = (confidence) => (confidence === null ? "" : `${Math.round(confidence * 100)} %`);

export const clock = (seconds) => new Date(1000 * seconds).toLocaleTimeString([], { hour12: false });

// A state is told by a sign, too, for those who do not tell its colour.
const SIGNS = { queued: "○", started: "◐", processed: "✓", error: "✗" };
export const sign = (state) => node("i", { class: `sign ${state ?? "none"}`, "aria-hidden": "true" }, SIGNS[state] ?? "");

export function showDialog(title, ...content) {
  byId("dialog-title").textContent = title;
  byId("dialog-content").replaceChildren(...content);
  if (!byId("dialog").open) byId("dialog").showModal();
}
