// SPDX-License-Identifier: Apache-2.0
// Asks for `status` every two seconds while somebody looks, and draws it. Agents choose some of the
// text: all of it goes in by textContent and setAttribute.
"use strict";

const EVERY_MS = 2000, PATIENCE_MS = 10000, DAY = 86400;
const $ = (id) => document.getElementById(id);

// ---- elements ----

function put(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const el = (name, attributes = {}, ...children) =>
  put(document.createElement(name), attributes, children);
const draw = (name, attributes = {}, ...children) =>
  put(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

const SHAPES = {
  good: "M5 .5a4.5 4.5 0 1 0 .01 0z", // a disc
  warn: "M5 .6 9.6 9.2H.4z",          // a triangle
  bad: "M2 .5 5 3.5l3-3L9.5 2l-3 3 3 3L8 9.5l-3-3-3 3L.5 8l3-3-3-3z", // a cross
  idle: "M1 4h8v2H1z",                // a dash
};
const mark = (kind) =>
  draw("svg", { class: `mark ${kind}`, viewBox: "0 0 10 10", "aria-hidden": "true" },
    draw("path", { d: SHAPES[kind] }));
const state = (kind, word) => el("span", { class: `state ${kind}` }, mark(kind), word);

// What would not be seen, or would turn its neighbours around, is written out.
const plain = (text) => String(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu,
  (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);
const name = (text, none = "–") => {
  const shown = plain(text) || none;
  return el("bdi", { class: "name", title: shown }, shown);
};

// ---- numbers ----

const count = (n) => n < 1e5 ? n.toLocaleString("en")
  : n < 1e6 ? `${(n / 1e3).toFixed(0)} k` : n < 1e9 ? `${(n / 1e6).toFixed(1)} M`
    : `${(n / 1e9).toFixed(1)} G`;
// 12 s, 3 m 50 s, 2 h, 29 d 3 h.
function span(s) {
  const a = Math.floor(Math.abs(s));
  const parts = [[DAY, 1e9, "d"], [3600, 24, "h"], [60, 60, "m"], [1, 60, "s"]]
    .map(([unit, most, letter]) => [Math.floor(a / unit) % most, letter]);
  const first = parts.findIndex(([n]) => n > 0);
  return first < 0 ? "0 s" : (s < 0 ? "−" : "") + parts.slice(first, first + 2)
    .filter(([n]) => n > 0).map(([n, letter]) => `${n} ${letter}`).join(" ");
}
const latency = (s) => s === undefined ? "–" : s < 0.001 ? `${Math.round(s * 1e6)} µs`
  : s < 1 ? `${(s * 1e3).toPrecision(3).replace(/\.0+$/, "")} ms` : `${s.toFixed(2)} s`;

// ---- pictures ----

function picture(svg, sentence, ...shapes) {
  svg.setAttribute("aria-label", sentence);
  svg.replaceChildren(draw("title", {}, sentence), ...shapes);
}

function showRate({ calls }) {
  const rate = calls.last_minute / 60, per = calls.per_second, most = Math.max(1, ...per);
  const x = (i) => (i * 300 / (per.length - 1)).toFixed(1), y = (n) => (68 - n / most * 62).toFixed(1);
  const line = per.map((n, i) => `${x(i)} ${y(n)}`).join("L");
  $("rate").textContent = rate === 0 ? "0" : rate < 10 ? rate.toFixed(2) : rate.toFixed(0);
  $("rate-note").textContent = `in the last minute · peak ${Math.max(...per)}`;
  picture($("spark"), `Calls per second in the last minute: at most ${Math.max(...per)}.`,
    draw("path", { class: "area", d: `M0 68L${line}L300 68z` }),
    draw("path", { class: "line", d: `M${line}` }));
}

function showFirstByte({ latency_seconds: { first_byte: first } }) {
  const most = Math.max(1, ...first.counts), wide = 300 / first.counts.length;
  const bound = (i) => i < first.le.length ? `up to ${latency(first.le[i])}` : "more";
  // Below the lowest bound the histogram knows no more.
  const at = (s) => (s < first.le[0] ? "< " : "") + latency(s < first.le[0] ? first.le[0] : s);
  $("p50").textContent = at(first.p50);
  $("first-note").textContent = first.count === 0 ? "no call has had an answer yet"
    : `90% ${at(first.p90)} · 99% ${at(first.p99)}`;
  picture($("histogram"), `First byte: half within ${at(first.p50)}, 90% within ` +
    `${at(first.p90)}, 99% within ${at(first.p99)}, of ${first.count} calls.`,
  ...first.counts.map((n, i) => {
    const high = n === 0 ? 1 : 4 + n / most * 60;
    return draw("rect", { class: n === 0 ? "none" : "some", x: i * wide + 1, width: wide - 2,
      y: 68 - high, height: high }, draw("title", {}, `${bound(i)}: ${n}`));
  }));
}

// One line of bars: parts are [class, number] of a whole.
function bar(parts, whole, sentence) {
  let at = 0;
  return draw("svg", { class: "meter", role: "img", "aria-label": sentence },
    draw("rect", { class: "rest", width: "100%", height: "100%" }),
    ...parts.filter(([, n]) => n > 0).map(([kind, n]) => {
      const x = at, width = Math.max(Math.min(n / whole * 100, 100), 0.7);
      at += width;
      return draw("rect", { class: kind, x: `${x}%`, width: `${width}%`, height: "100%" });
    }));
}

function showBars(id, rows, none) {
  const most = Math.max(...rows.map((row) => row.parts.reduce((sum, [, n]) => sum + n, 0)));
  $(id).replaceChildren(...(rows.length === 0 ? [el("li", { class: "none" }, none)]
    : rows.map(({ label, parts, text }) =>
      el("li", {}, label, el("span", { class: "n" }, text), bar(parts, most, text)))));
}

function showTokens({ tokens, usage_unknown: unknown }) {
  const rows = tokens.map(({ target, model, input, output }) => ({
    label: name(model ? `${model} → ${target}` : `→ ${target}`),
    parts: [["in", input], ["out", output]],
    text: `${count(input)} in, ${count(output)} out`,
    sum: input + output }));
  $("unknown").textContent = unknown > 0 ? `· ${count(unknown)} answers did not say` : "";
  showBars("tokens", rows.sort((a, b) => b.sum - a.sum), "No answer has reported tokens yet.");
}

function showErrors({ refusals, upstream_errors: errors }) {
  const rows = [
    ...Object.entries(refusals).map(([code, n]) => ({ label: name(code), n, kind: "refused" })),
    ...errors.map(({ target, kind, count: n }) =>
      ({ label: name(`${kind} · ${target}`), n, kind: "failed" }))];
  showBars("errors", rows.sort((a, b) => b.n - a.n)
    .map(({ label, n, kind }) => ({ label, parts: [[kind, n]], text: count(n) })),
  "No call has been refused, and none has failed.");
}

// ---- tables ----

const cell = (content, kind = "") => el("td", kind ? { class: kind } : {}, content);

// The first cell names the row.
function showRows(id, rows, none) {
  const columns = $(id).parentNode.tHead.rows[0].cells.length;
  $(id).replaceChildren(...(rows.length > 0 ? rows
    : [el("tr", {}, el("td", { class: "none", colspan: columns }, none))]));
}

const SLOT_KINDS = { fresh: "good", stale: "warn", missing: "bad" };
// Before the store's first answer there is nothing to complain about.
const slotKind = (slot) => slot.state === "missing" && !slot.error ? "idle"
  : SLOT_KINDS[slot.state] ?? "idle";

// Against its lifetime while that lasts; then against the end of what may be used.
function age(slot, { ttl_seconds: ttl, max_stale_seconds: end }) {
  const old = slot.state === "stale" || slot.age_seconds > 1.2 * ttl, whole = old ? end : ttl;
  const text = `${span(slot.age_seconds)} of ${span(whole)}`;
  return el("span", { class: "age", title: text },
    bar([[slotKind(slot), slot.age_seconds]], whole, text),
    old ? text : span(slot.age_seconds));
}

function showSlots({ slots, secrets }) {
  showRows("slots", Object.entries(slots).map(([slot, s]) => el("tr", {},
    el("th", { scope: "row" }, name(slot)),
    cell(el("span", {}, state(slotKind(s), s.state),
      ...[s.error, s.principal, s.store_request_id].filter(Boolean)
        .map((text) => el("small", {}, name(text))))),
    cell(s.age_seconds === undefined ? "–" : age(s, secrets)),
    cell(s.next_attempt_seconds === undefined ? "–" : `in ${span(s.next_attempt_seconds)}`,
      "less"),
    cell(s.version, "n less"))),
  "The configuration names no secret.");
}

function certificate(left) {
  if (left === undefined) return "–";
  const kind = left <= DAY ? "bad" : left < 14 * DAY ? "warn" : "good";
  return state(kind, left <= 0 ? `over since ${span(-left)}` : `in ${span(left)}`);
}

function showTargets({ targets }) {
  showRows("targets", Object.entries(targets).map(([target, t]) => el("tr", {},
    el("th", { scope: "row" }, name(target)),
    cell(el("span", {}, t.state === "usable" ? state("good", "usable")
      : state(t.required ? "bad" : "warn", t.state),
    ...[t.error].filter(Boolean).map((text) => el("small", {}, name(text))))),
    cell(t.resolved ? state("good", "yes") : state("bad", "no")),
    cell(t.required ? "yes" : "no", "less"), cell(certificate(t.certificate_expiry_seconds)))),
  "The configuration names no target.");
}

const whole = (ms) => ms === 0 ? "< 1 ms" : latency(ms / 1000);

// sidekey's own no; or a call that failed, ours or theirs.
const UPSTREAM = /^upstream_|^access_denied_by_gateway$/;
const kindOf = (call) => call.code && call.code !== "client_gone" && !UPSTREAM.test(call.code)
  ? "refused" : call.code || call.status >= 400 ? "failed" : "good";

function showCalls({ recent }) {
  const wanted = document.querySelector("input[name=show]:checked").value;
  const calls = recent.filter((call) => wanted === "all" || kindOf(call) === wanted);
  showRows("calls", calls.map((call) => {
    const kind = kindOf(call), at = new Date(call.time_ms);
    return el("tr", {},
      cell(el("time", { datetime: at.toISOString() }, at.toTimeString().slice(0, 8))),
      cell(state({ good: "good", refused: "warn", failed: "bad" }[kind],
        `${call.status || ""} ${call.code}`.trim())),
      cell(name(call.model)), cell(name(call.operation), "less"), cell(name(call.target), "less"),
      cell(name(call.caller), "less"),
      cell(call.first_byte_ms || !call.code ? whole(call.first_byte_ms) : "–", "n less"),
      cell(whole(call.total_ms), "n"), cell(name(call.request_id), "less id"));
  }), recent.length === 0 ? "No call has been made yet." : "None of the last calls is one.");
}

function showHead(s) {
  const [kind, word] = s.draining ? ["warn", "ending"] : s.ready ? ["good", "ready"]
    : ["bad", "not ready"];
  const box = s.sandbox;
  setState(kind, word);
  $("facts").replaceChildren(...[
    ["version", s.version], ["up", span(s.uptime_seconds)], ["generation", s.generation],
    ["calls", count(s.calls.total)], ["in flight", s.calls.inflight],
    ["sandbox", [box.seccomp ? "seccomp" : "no seccomp",
      box.landlock > 0 ? `Landlock ${box.landlock}${box.landlockNet ? " with ports" : ""}`
        : "no Landlock", `secret pages: ${box.secretPages}`].join(", ")],
  ].map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))));
}

// ---- asking ----

const PARTS = [showHead, showRate, showFirstByte, showTokens, showErrors, showSlots, showTargets,
  showCalls];
let last = null, timer = 0, asking = false;

// Said aloud by screen readers when it changes, so it changes only then.
function setState(kind, word) {
  if ($("state").textContent === word) return;
  $("state").replaceChildren(state(kind, word));
  document.title = `${word} · sidekey`;
}

function complain(why) {
  setState("bad", "no answer");
  if ($("alarm").textContent !== why) $("alarm").textContent = why;
  $("alarm").hidden = false;
  document.body.classList.add("old");
}

async function ask() {
  let answer;
  try {
    answer = await fetch("status", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    return complain("sidekey does not answer. What stands here is what it said last.");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok || !said.calls)
    return complain(`sidekey does not tell (${answer.status}). ${plain(said.error ?? "")}`);
  last = said;
  $("alarm").hidden = true;
  document.body.classList.remove("old");
  for (const show of PARTS) show(said);
}

async function look() {
  clearTimeout(timer);
  if (document.hidden || asking) return;
  asking = true;
  try {
    await ask();
  } finally {
    asking = false;
    timer = setTimeout(look, EVERY_MS);
  }
}

document.addEventListener("visibilitychange", look);
for (const choice of document.querySelectorAll("input[name=show]"))
  choice.addEventListener("change", () => last && showCalls(last));
look();
