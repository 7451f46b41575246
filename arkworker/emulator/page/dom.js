// Texts come from a corpus, that is from anywhere: they are only ever set as text, never as HTML.

export function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function drawing(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

// A colour of a type, which any client may have chosen: six hexadecimal digits, or none at all.
export const colour = (text) => (/^[0-9a-f]{6}$/i.test(text) ? `#${text}` : "#667080");

export async function get(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

export const getJson = async (path) => (await get(path)).json();

export const percent = (confidence) => (confidence === null ? "" : `${Math.round(confidence * 100)} %`);
