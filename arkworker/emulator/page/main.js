// Asks every second whether anything changed, and shows it again where it did.

import { go, shown, watchAddress } from "./address.js";
import { byId, getJson, node, replace } from "./dom.js";
import { showElement } from "./element.js";
import { wireKeys } from "./keys.js";
import { showRuns } from "./runs.js";
import { showCalls, showLog, wireTabs } from "./console.js";
import { reveal, scrollToChosen, showFilters, showTree, wireFilters } from "./tree.js";

const EVERY = 1000; // ms
let summary = null;
let version = "";
let drawn = "";
let element = null;

const choose = async (id) => {
  await go({ element: id });
  // On a telephone the image is below the list.
  if (matchMedia("(max-width: 600px)").matches) byId("picture").scrollIntoView({ block: "start" });
};
const parentOf = () => element?.path.at(-1)?.id ?? "";

// The address has changed: by a click, a key, or Back.
async function show() {
  try {
    showFilters();
    if (summary) showRuns(summary);
    await Promise.all([showTree(choose), refreshElement(true)]);
    scrollToChosen();
  } catch (error) {
    live(error.message, true);
  }
}

// Whoever opens the page sees something: a page with an image, rather than a folder.
async function first() {
  const { elements } = await getJson("/viewer/elements");
  return (elements.find((item) => item.polygon) ?? elements[0])?.id ?? "";
}

async function refreshElement(always) {
  if (!shown.element || !summary) return;
  const id = shown.element;
  const answer = await fetch(`/viewer/elements/${id}`, { cache: "no-store" });
  if (id !== shown.element) return;
  if (answer.status === 404) {
    element = null;
    drawn = "";
    replace(byId("picture"), node("p", { class: "empty" }, "There is no such element."));
    replace(byId("details"));
    return;
  }
  const content = await answer.text();
  if (id !== shown.element || (content + summary.types.length === drawn && !always)) return;
  drawn = content + summary.types.length;
  const isOther = element?.id !== id;
  element = JSON.parse(content);
  if (isOther && element.path.length && !shown.q && !shown.state) {
    reveal(element.path);
    await showTree(choose);
    scrollToChosen();
  }
  document.title = `${element.name} · Emulated Arkindex`;
  showElement(element, summary, choose);
}

async function refresh() {
  summary = await getJson("/viewer/summary");
  byId("edition").textContent = summary.edition;
  byId("address").textContent = summary.url;
  byId("corpus").textContent = summary.corpora.map((corpus) => corpus.name).join(", ") || "Elements";
  live(`${summary.calls} requests`, false);
  const [mine, others] = [summary.runs.filter((run) => run.id === shown.run), summary.runs.filter((run) => run.id !== shown.run)];
  await showLog([...mine, ...others]);
  if (summary.version === version) return;
  version = summary.version;
  showRuns(summary);
  if (!shown.element) {
    const found = await first();
    if (!shown.element && found) { // somebody may have been faster
      await go({ element: found }, { step: false });
    }
  }
  await Promise.all([showTree(choose), showCalls(), refreshElement(false)]);
}

function live(text, lost) {
  byId("live").textContent = text;
  byId("live").classList.toggle("lost", lost);
}

async function beat() {
  try {
    if (!document.hidden) await refresh();
  } catch (error) {
    live(error instanceof TypeError ? "the emulator has stopped" : error.message, true);
  }
  setTimeout(beat, EVERY);
}

watchAddress(show);
wireTabs();
wireFilters();
wireKeys(choose, parentOf);
showFilters();
beat();
