// The worker's log, and the requests that came.

import { byId, clock, get, getJson, node, replace, showDialog } from "./dom.js";

const EMPTY = "Nothing yet. A worker's output comes here when the emulator runs it, or with: worker 2>&1 | curl -T - ";
const LONGEST_LOG = 400000;
let task = "";
let read = 0;
let decoder = new TextDecoder();

export function wireTabs() {
  const names = ["log", "calls"];
  const select = (name) => {
    for (const other of names) {
      byId(`tab-${other}`).setAttribute("aria-selected", String(other === name));
      byId(`tab-${other}`).tabIndex = other === name ? 0 : -1;
      byId(other).hidden = other !== name;
    }
    byId("task").hidden = name !== "log";
  };
  for (const name of names) {
    byId(`tab-${name}`).addEventListener("click", () => select(name));
    byId(`tab-${name}`).addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      event.stopPropagation();
      const other = names.find((item) => item !== name);
      select(other);
      byId(`tab-${other}`).focus();
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
    // The first one is that of the latest run.
    if ((!still || known) && tasks.length) forget(tasks[0].id);
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
  replace(document.querySelector("#calls tbody"), ...calls.reverse().map(call));
}

function outcome({ status, answered, acted, faults }) {
  const lost = faults.some((fault) => fault !== "delay" && fault !== "slow");
  const text = lost ? `${acted ? "done, then" : "instead:"} ${faults.join(", ")}` : String(status ?? "…");
  return { text: answered || lost ? text : `${text} …`, bad: lost || status >= 400 };
}

function call(item) {
  const { number, time, operation, method, path, seconds } = item;
  const { text, bad } = outcome(item);
  return node(
    "tr",
    {},
    node("td", { class: "quiet" }, String(number)),
    node("td", { class: "quiet" }, clock(time)),
    node("td", {}, node("button", { type: "button", class: "more", "data-key": `call-${number}`, onclick: () => openCall(number) }, operation ?? "unknown")),
    node("td", { class: bad ? "bad" : "" }, text),
    node("td", { class: "quiet" }, `${Math.round(1000 * seconds)} ms`),
    node("td", { class: "address", title: path }, `${method} ${path}`),
  );
}

async function openCall(number) {
  const item = await getJson(`/viewer/calls/${number}`);
  const { text } = outcome(item);
  const part = (title, content) => (content === null || content === undefined || content === "" ? [] : [node("h3", {}, title), node("pre", { tabindex: "0" }, content)]);
  const json = (value) => (value === null || (typeof value === "object" && !Object.keys(value).length) ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2));
  showDialog(
    `Request ${number}: ${item.operation ?? "unknown"}`,
    node("p", {}, `${item.method} ${item.path}`),
    node("p", { class: "quiet" }, `${clock(item.time)} · ${text} · ${Math.round(1000 * item.seconds)} ms`),
    ...part("Parameters", json(item.query)),
    ...part("Headers", json(item.headers)),
    ...part("Body", json(item.body)),
    ...part("Answer", json(item.answer)),
  );
}
