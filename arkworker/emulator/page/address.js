// What is shown stands in the address, so that Back, a reload and a link show it again.

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NAMES = ["run", "state", "q", "with"];

export const shown = { element: "", run: "", state: "", q: "", with: "" };
let changed = () => {};

export function watchAddress(callback) {
  changed = callback;
  // Older links: /#id
  const fragment = location.hash.slice(1);
  if (ID.test(fragment)) history.replaceState(null, "", `/element/${fragment}`);
  read();
  addEventListener("popstate", () => { read(); changed(); });
}

function read() {
  const query = new URLSearchParams(location.search);
  const found = location.pathname.replace("/element/", "");
  shown.element = ID.test(found) ? found : "";
  for (const name of NAMES) shown[name] = query.get(name) ?? "";
}

export function addressOf(changes = {}) {
  const next = { ...shown, ...changes };
  const query = new URLSearchParams(NAMES.filter((name) => next[name]).map((name) => [name, next[name]]));
  return `${next.element ? `/element/${next.element}` : "/"}${query.size ? `?${query}` : ""}`;
}

// Going somewhere makes a step that Back undoes; typing a search, or choosing what nobody asked for, does not.
export function go(changes, { step = true } = {}) {
  const address = addressOf(changes);
  Object.assign(shown, changes);
  if (address !== location.pathname + location.search) {
    if (step) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }
  return changed();
}
