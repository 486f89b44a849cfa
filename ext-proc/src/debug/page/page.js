// The debug page. Names come from clients and manifests: they are only ever set as text, never as HTML.

const KEPT = 200;
/** How many earlier decisions are asked for. */
const LATEST = 50;
const EVERY = 2000;
const CLOCK = { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 };
const $ = (selector) => document.querySelector(selector);

/** An element with text or children; no value is "–". */
function make(tag, content, className) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (Array.isArray(content)) element.append(...content);
  else element.textContent = content === null || content === undefined || content === "" ? "–" : String(content);
  return element;
}

const cell = (content, className) => make("td", content, className);
const number = (content) => cell(content, "n");
const row = (cells, className) => make("tr", cells, className);
const seconds = (value) => !(value > 0) ? null : value < 1 ? `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)}\u00a0ms` : `${value.toFixed(2)}\u00a0s`;
const percent = (value) => `${(value * 100).toFixed(0)}\u00a0%`;
const list = (values) => (values ?? []).map((value) => typeof value === "string" ? value : value?.name ?? value?.id ?? JSON.stringify(value)).join(", ");

/** Shows rows in a section, and how many there are. */
function fill(section, rows) {
  $(`${section} tbody`).replaceChildren(...rows);
  const count = $(`${section} .count`);
  if (count) count.textContent = rows.length || "";
  const empty = $(`${section} .empty`);
  if (empty) empty.hidden = rows.length > 0;
}

async function json(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// === what is configured ===

/** A bar for a share in [0, 1]. */
function share(value) {
  if (typeof value !== "number") return cell(null);
  const bar = document.createElement("meter");
  Object.assign(bar, { min: 0, max: 1, low: 0.8, high: 0.95, optimum: 0, value });
  return cell([bar, percent(value)], "time");
}

/** What makes an endpoint a doubtful choice. */
function marks(pod, out) {
  const ejected = [`ejected for ${Math.ceil(out)} s`, out !== undefined];
  const marks = [["asleep", pod.asleep], ["stale", pod.stale], ejected].filter(([, is]) => is === true);
  return marks.flatMap(([word]) => [" ", make("span", word, "pill warn")]);
}

function showPods(pods, endpoints) {
  const addresses = new Map();
  const ejected = new Map();
  for (const { pod, address, ejectedForSeconds } of endpoints) {
    addresses.set(pod, (addresses.get(pod) ?? new Set()).add(address));
    if (ejectedForSeconds !== null) ejected.set(pod, ejectedForSeconds);
  }
  fill("#endpoints", pods.map((pod) => {
    const name = `${pod.namespace}/${pod.name}`;
    const metrics = pod.metrics ?? {};
    return row([
      cell([make("span", name), ...marks(pod, ejected.get(name))]), cell([...addresses.get(name) ?? []].join(", "), "address"),
      cell(list(pod.modelServers)), cell(pod.engine), cell(list(pod.models), "long"), number(pod.inFlight),
      number(metrics.requestRunningNum), number(metrics.requestWaitingNum), share(metrics.gpuCacheUsage),
      number(seconds(metrics.ttft)), number(seconds(metrics.tpot)),
    ]);
  }));
}

function showRoutes(routes) {
  fill("#routes", routes.flatMap((route) => {
    const models = [route.spec.modelName, ...(route.spec.loraAdapters ?? [])].filter(Boolean).join(", ");
    return (route.spec.rules ?? []).map((rule, index) => row([
      cell(index ? " " : models, "long"), cell(index ? " " : `${route.namespace}/${route.name}`),
      cell(rule.name || `${index + 1}`),
      cell((rule.targetModels ?? []).map((target) =>
        `${target.modelServerName ?? target.externalModelProviderName} (${target.weight ?? 100})`).join(", ")),
    ]));
  }));
  $("#routes .count").textContent = routes.length || "";
}

function showProblems(problems) {
  $("#problems").hidden = problems.length === 0;
  $("#problems .count").textContent = problems.length || "";
  $("#problems ul").replaceChildren(...problems.map(({ object, file, endpoint, field, message }) => {
    const where = [object && `${object.kind} ${object.namespace}/${object.name}`, file, endpoint].filter(Boolean).join(" in ");
    return make("li", [make("b", where), field ? `: ${field}: ` : ": ", message]);
  }));
}

function showXds(status) {
  const types = Object.entries(status).map(([url, type]) => ({ name: url.split(".").at(-1), ...type }));
  fill("#xds", types.map(({ name, offered, accepted, refused }) => row([
    cell(name), number(offered), number(accepted),
    refused ? cell(`refused: ${refused}`, "bad") : accepted === offered ? cell("accepted", "good") : cell("waiting for Envoy", "warn"),
  ])));
  const table = types.find(({ name }) => name === "TypedExtensionConfig");
  const refused = types.some((type) => type.refused);
  $("#table").textContent = refused ? "Envoy refuses the configuration" : table ? `table: version ${table.offered}` : "";
  $("#table").className = refused ? "pill bad" : "pill";
}

async function look() {
  try {
    const [pods, endpoints, routes, problems, xds] = await Promise.all([
      json("/debug/config_dump/pods"), json("/debug/endpoints"), json("/debug/config_dump/modelroutes"),
      json("/debug/problems"), json("/debug/xds"),
    ]);
    showPods(pods.pods ?? [], endpoints.endpoints);
    showRoutes(routes.modelroutes ?? []);
    showProblems(problems.problems ?? []);
    showXds(xds);
    state("live", "good");
  } catch {
    state("router away", "bad");
  }
  setTimeout(look, EVERY);
}

function state(word, className) {
  $("#state").textContent = word;
  $("#state").className = `pill ${className}`;
}

// === decisions ===

let decisions = [];
let open = new Set();
let paused = false;
let waiting = [];

const key = (decision) => `${decision.number} ${decision.time}`;

function explanation(decision) {
  const scored = (endpoint) => endpoint.droppedBy
    ? `dropped by ${endpoint.droppedBy}${endpoint.reason ? `: ${endpoint.reason}` : ""}`
    : decision.scorers.map(({ name, weight }, index) => `${name} ${endpoint.scores[index]?.score ?? "–"} × ${weight}`).join(" + ");
  const load = (signals) => !signals ? "no metrics" : [
    ["running", signals.running], ["waiting", signals.waiting],
    ["KV", typeof signals.kvCacheUsage === "number" ? percent(signals.kvCacheUsage) : null],
    ["TTFT", seconds(signals.ttft)], ["TPOT", seconds(signals.tpot)], ["asleep", signals.asleep ? "yes" : null],
  ].filter(([, value]) => value !== null && value !== undefined).map((pair) => pair.join(" ")).join(", ");
  const known = ({ work, prefill, matched, measured }) => [
    ["work", work], ["to compute", prefill ? `${prefill} tokens` : null], ["cached", matched ? `${matched} %` : null],
    ["TTFT", seconds(measured.ttft)], ["TPOT", seconds(measured.tpot)],
  ].filter(([, value]) => value !== null && value !== undefined).map((pair) => pair.join(" ")).join(", ");
  const head = ["Pick", "Pod", "Address", "In flight", "We know", "Engine says", "Score", "Total"];
  const body = decision.endpoints.map((endpoint) => row([
    cell(endpoint.pick), cell(endpoint.pod), cell(endpoint.address, "address"), number(endpoint.inFlight),
    cell(known(endpoint)), cell(load(endpoint.signals)), cell(scored(endpoint)), number(endpoint.total),
  ], endpoint.droppedBy ? "dropped" : endpoint.pick === 1 ? "first" : ""));
  const table = make("table", [make("thead", [row(head.map((word) => make("th", word)))]), make("tbody", body)]);
  const more = decision.omitted ? [make("p", `and ${decision.omitted} more`, "quiet")] : [];
  const why = cell([make("p", decision.outcome, "quiet"), table, ...more]);
  why.colSpan = 6;
  return row([why], "why");
}

function shown(decision, isNew) {
  const first = decision.endpoints.find(({ pick }) => pick === 1);
  const time = new Date(decision.time).toLocaleTimeString([], CLOCK);
  const isOpen = open.has(key(decision));
  const line = row([
    cell(time, "time"), cell(decision.model, "long"), cell(decision.target),
    first ? cell(first.pod) : cell(decision.outcome, "warn"), number(decision.endpoints.length + decision.omitted), cell(decision.requestId, "id long"),
  ], `decision${isOpen ? " open" : ""}${isNew ? " new" : ""}`);
  line.tabIndex = 0;
  line.setAttribute("aria-expanded", String(isOpen));
  const toggle = () => {
    if (!open.delete(key(decision))) open.add(key(decision));
    showDecisions();
  };
  line.addEventListener("click", toggle);
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(); }
  });
  return isOpen ? [line, explanation(decision)] : [line];
}

function showDecisions(newest = new Set()) {
  const wanted = $("#search").value.trim().toLowerCase();
  const has = (decision) => [decision.model, decision.target, decision.requestId, ...decision.endpoints.map(({ pod }) => pod)]
    .some((text) => text?.toLowerCase().includes(wanted));
  const some = wanted ? decisions.filter(has) : decisions;
  fill("#decisions", some.flatMap((decision) => shown(decision, newest.has(key(decision)))));
  $("#decisions .count").textContent = some.length || "";
  $("#decisions .empty").textContent = wanted && decisions.length
    ? `None of the ${decisions.length} shown here contain “${wanted}”.`
    : "None yet: send a request, and it appears here as it is decided.";
}

/** Takes decisions in, the latest first, and forgets the oldest. */
function take(more) {
  const known = new Set(decisions.map(key));
  const news = more.filter((decision) => !known.has(key(decision)));
  decisions = [...news, ...decisions].slice(0, KEPT);
  const kept = new Set(decisions.map(key));
  open = new Set([...open].filter((one) => kept.has(one)));
  return new Set(news.map(key));
}

/** Shows what came at most once a frame, however many requests a second there are. */
let planned = false;
function arrived(decision) {
  waiting.unshift(decision);
  waiting.length = Math.min(waiting.length, KEPT);
  if (planned || paused) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    if (!paused) showDecisions(take(waiting.splice(0)));
  });
}

/** What was decided before, and while the feed was away. */
async function catchUp() {
  try {
    take((await json(`/debug/decisions?limit=${LATEST}`)).decisions);
    decisions.sort((a, b) => b.time.localeCompare(a.time) || b.number - a.number);
    showDecisions();
  } catch { /* the state says that the router is away */ }
}

let skipped = 0;
function follow() {
  const feed = new EventSource("/debug/decisions/stream");
  feed.addEventListener("open", () => {
    feedState("");
    catchUp();
  });
  feed.addEventListener("decision", (event) => arrived(JSON.parse(event.data)));
  feed.addEventListener("skipped", (event) => {
    skipped += Number(event.data);
    feedState("");
  });
  // The browser comes back by itself after a cut, and not after a refusal.
  feed.addEventListener("error", () => {
    if (feed.readyState !== EventSource.CLOSED) return;
    feedState("feed refused (too many are open?): asking now and then");
    if (!paused) catchUp();
    setTimeout(follow, EVERY);
  });
}

function feedState(words) {
  $("#skipped").textContent = words || (skipped ? `${skipped} not shown: they came too fast` : "");
}

$("#pause").addEventListener("click", () => {
  paused = !paused;
  $("#pause").textContent = paused ? "Go on" : "Pause";
  $("#pause").setAttribute("aria-pressed", String(paused));
  if (!paused) showDecisions(take(waiting.splice(0)));
});
$("#search").addEventListener("input", () => showDecisions());

catchUp();
follow();
look();
