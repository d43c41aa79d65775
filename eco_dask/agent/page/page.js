"use strict";
// The token stays in the fragment: it is never part of an address that travels.
const token = location.hash.slice(1);
const at = (id) => document.getElementById(id);
const EVERY_MS = 1000;
const SHOWN = ["presence.", "transfer.", "energy.hours", "sandbox.cores", "sandbox.cpu-share",
  "sandbox.memory", "sandbox.gpu-memory", "sandbox.disk", "sandbox.processes", "sandbox.task-time"];
const WORDS = {
  working: "Working", waiting: "Waiting for work", paused: "Paused", finishing: "Finishing",
  connecting: "Not connected", gone: "The worker does not answer",
};

async function ask(path, body) {
  const options = { headers: { Authorization: `Bearer ${token}` } };
  if (body !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

const points = (mpt) => (mpt / 1000).toLocaleString("en", { maximumFractionDigits: 3 });
const number = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits });

function energy(uj) {
  const joules = uj / 1e6;
  if (joules < 3600) return `${number(joules, 1)} J`;
  return joules < 3.6e6 ? `${number(joules / 3600, 2)} Wh` : `${number(joules / 3.6e6, 3)} kWh`;
}

function size(bytes) {
  if (bytes < 1e6) return `${number(bytes / 1e3, 1)} kB`;
  return bytes < 1e9 ? `${number(bytes / 1e6, 1)} MB` : `${number(bytes / 1e9, 2)} GB`;
}

const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function rows(id, lines) {
  const body = at(id).tBodies[0];
  body.replaceChildren(...lines.map((cells) => {
    const row = document.createElement("tr");
    cells.forEach((text, index) => {
      const cell = row.insertCell();
      cell.textContent = text;
      cell.className = at(id).tHead.rows[0].cells[index].className;
    });
    return row;
  }));
  at(id).hidden = lines.length === 0;
  at(`${id}-none`).hidden = lines.length > 0;
}

function list(id, texts) {
  at(id).replaceChildren(...texts.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
}

function condition(state, why) {
  at("state").textContent = WORDS[state] ?? state;
  at("state").dataset.state = state;
  at("why").textContent = why === "" ? "" : why[0].toUpperCase() + why.slice(1) + ".";
}

function show(seen) {
  document.title = `${WORDS[seen.state]} · ${seen.machine}`;
  at("machine").textContent = seen.machine;
  const owner = seen.owner === "" ? "" : ` of owner ${seen.owner}`;
  at("about").textContent = `Provider ${seen.provider}${owner}, ${counted(seen.slots, "slot")}, at ${seen.gateway}`;
  condition(seen.state, seen.why);
  at("fault").hidden = seen.fault === "";
  at("fault").textContent = seen.fault;
  const paused = seen.reasons.some((reason) => reason.code === "owner");
  at("pause").setAttribute("aria-pressed", String(paused));
  at("pause").disabled = paused;
  at("resume").disabled = !paused && seen.state !== "finishing";
  at("finish").setAttribute("aria-pressed", String(seen.state === "finishing"));
  const { points: earned, performance: done } = seen;
  at("today").textContent = `${points(earned.today_mpt)} points`;
  at("paid").textContent = `${points(earned.paid_mpt)} points`;
  at("pending").textContent = counted(earned.pending_tasks, "task");
  at("pending-note").textContent = earned.pending_tasks === 0 ? "every answer has its receipt" : earned.pending_mpt_expected === null
    ? "answered, being checked" : `answered, being checked: about ${points(earned.pending_mpt_expected)} points`;
  at("tasks-today").textContent = done.tasks_today;
  at("mean").textContent = done.task_wall_s_mean === null ? "" : `${number(done.task_wall_s_mean, 3)} s each, of late`;
  at("energy").textContent = energy(seen.energy.tasks_uj);
  at("energy-source").textContent = `${seen.energy.source}; the whole machine ${energy(seen.energy.total_uj)}`;
  at("transfer").textContent = size(done.up_bytes_today + done.down_bytes_today);
  rows("tasks", seen.tasks.map((task) => [task.kind, task.running ? "running" : "waiting"]));
  rows("days", seen.days.map((day) => [day.day, day.tasks, points(day.paid_mpt),
    size(day.up_bytes), size(day.down_bytes)]));
  rows("done", seen.done.map((task) => [new Date(task.at_s * 1000).toLocaleTimeString(), task.kind,
    number(task.wall_s, 3), task.reason === "" ? "…" : points(task.amount_mpt), task.words]));
  at("sandbox").textContent = `${seen.sandbox.profile}: ${seen.sandbox.words}`;
  list("limits", Object.entries(seen.sandbox.limits).map(([name, value]) => `${name}: ${value}`));
  list("notes", seen.sandbox.notes);
  settings(seen.settings);
}

const text = (value) => value === null ? "" : Array.isArray(value) ? value.join(", ") : String(value);

function settings(values) {
  for (const [name, value] of Object.entries(values)) {
    if (!SHOWN.some((start) => name.startsWith(start))) continue;
    let input = at(`set-${name}`);
    if (input === null) {
      const label = document.createElement("label");
      label.htmlFor = `set-${name}`;
      label.textContent = name;
      input = document.createElement("input");
      input.id = label.htmlFor;
      input.placeholder = "no limit";
      input.addEventListener("change", () => change(name, input));
      at("settings").append(label, input);
    }
    if (document.activeElement !== input) input.value = text(value);
  }
}

async function change(name, input) {
  try {
    await ask("config", { name, value: input.value.trim() === "" ? null : input.value });
    at("said").className = "";
    at("said").textContent = `${name} is changed.`;
  } catch (error) {
    at("said").className = "bad";
    at("said").textContent = error.message;
  }
}

async function look() {
  try {
    show(await ask("state"));
  } catch (error) {
    condition("gone", error.message);
  }
  setTimeout(look, document.hidden ? 10 * EVERY_MS : EVERY_MS);
}

for (const button of document.querySelectorAll("button[data-order]")) {
  button.addEventListener("click", async () => {
    await ask("order", { order: button.dataset.order });
    show(await ask("state"));
  });
}
look();
