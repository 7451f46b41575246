// Asks every second whether anything changed, and shows it again where it did.

import { byId, getJson } from "./dom.js";
import { showElement } from "./element.js";
import { showRuns } from "./runs.js";
import { showCalls, showLog, wireTabs } from "./console.js";
import { showTree } from "./tree.js";

const EVERY = 1000; // ms
let chosen = location.hash.slice(1);
let shown = "";
let drawn = "";

async function choose(id) {
  chosen = id;
  history.replaceState(null, "", `#${id}`);
  await Promise.all([showTree(chosen, choose), refreshElement()]);
}

// Whoever opens the page sees something: a page with an image, rather than a folder.
async function first() {
  const { elements } = await getJson("/viewer/elements");
  return (elements.find((element) => element.polygon) ?? elements[0])?.id ?? "";
}

async function refreshElement() {
  if (!/^[0-9a-f-]{36}$/.test(chosen)) return;
  const element = await getJson(`/viewer/elements/${chosen}`);
  const content = JSON.stringify(element);
  if (element.id !== chosen || content === drawn) return;
  drawn = content;
  showElement(element, choose);
}

async function refresh() {
  const summary = await getJson("/viewer/summary");
  const corpora = summary.corpora.map((corpus) => corpus.name).join(", ");
  byId("edition").textContent = summary.edition;
  byId("address").textContent = summary.url;
  byId("corpus").textContent = corpora || "Elements";
  live(`${summary.calls} requests`, false);
  await showLog(summary.runs);
  if (summary.version === shown) return;
  shown = summary.version;
  showRuns(summary.runs);
  if (!chosen) {
    const found = await first();
    chosen ||= found; // somebody may have been faster
  }
  await Promise.all([showTree(chosen, choose), showCalls(), refreshElement()]);
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

wireTabs();
beat();
