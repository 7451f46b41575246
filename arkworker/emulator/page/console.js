// The worker's log, and the requests that came.

import { byId, get, getJson, node } from "./dom.js";

const EMPTY = "Nothing yet. A worker's output comes here when the emulator runs it, or with: worker 2>&1 | curl -T - ";
const LONGEST_LOG = 400000;
let task = "";
let read = 0;
let decoder = new TextDecoder();

export function wireTabs() {
  for (const name of ["log", "calls"]) {
    byId(`tab-${name}`).addEventListener("click", () => {
      for (const other of ["log", "calls"]) {
        byId(`tab-${other}`).setAttribute("aria-selected", String(other === name));
        byId(other).hidden = other !== name;
      }
      byId("task").hidden = name !== "log";
    });
  }
  byId("task").addEventListener("change", (event) => forget(event.target.value));
}

export async function showLog(runs) {
  const tasks = runs.flatMap((run) => run.tasks);
  showTasks(tasks);
  const current = tasks.find((item) => item.id === task);
  if (!current) return;
  const place = byId("log");
  place.dataset.empty = `${EMPTY}${location.origin}/viewer/tasks/${task}/log`;
  while (read < current.log_size) {
    const bytes = await (await get(`/viewer/tasks/${task}/log?offset=${read}`)).arrayBuffer();
    if (!bytes.byteLength) break;
    read += bytes.byteLength;
    const atEnd = place.scrollTop + place.clientHeight >= place.scrollHeight - 30;
    place.textContent = (place.textContent + decoder.decode(bytes, { stream: true })).slice(-LONGEST_LOG);
    if (atEnd) place.scrollTop = place.scrollHeight;
  }
}

function showTasks(tasks) {
  const list = byId("task");
  const known = [...list.options].map((option) => option.value).join();
  if (known !== tasks.map((item) => item.id).join()) {
    list.replaceChildren(...tasks.map((item) => node("option", { value: item.id }, item.slug)));
    const still = tasks.some((item) => item.id === task);
    if (!still && tasks.length) forget(tasks[0].id);
    list.value = task;
  }
}

function forget(chosen) {
  task = chosen;
  read = 0;
  decoder = new TextDecoder();
  byId("log").textContent = "";
}

// The latest ones, all again each time: a request that was under way a second ago has its answer now.
export async function showCalls() {
  const calls = await getJson("/viewer/calls");
  document.querySelector("#calls tbody").replaceChildren(...calls.reverse().map(call));
}

function call({ number, time, operation, method, path, status, answered, acted, seconds, faults }) {
  const lost = faults.some((fault) => fault !== "delay" && fault !== "slow");
  const outcome = lost ? `${acted ? "done, then" : "instead:"} ${faults.join(", ")}` : String(status ?? "…");
  const bad = lost || status >= 400;
  return node(
    "tr",
    {},
    node("td", { class: "quiet" }, String(number)),
    node("td", { class: "quiet" }, new Date(1000 * time).toLocaleTimeString([], { hour12: false })),
    node("td", {}, operation ?? "unknown"),
    node("td", { class: bad ? "bad" : "" }, answered || lost ? outcome : `${outcome} …`),
    node("td", { class: "quiet" }, `${Math.round(1000 * seconds)} ms`),
    node("td", { class: "address", title: path }, `${method} ${path}`),
  );
}
