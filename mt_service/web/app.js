// The page: translates when typing stops.

import { follow, layOut, link, sourceWords, targetWords } from "./words.js";

const PAUSE = 300; // milliseconds without a key before a translation is asked for
const ALTERNATIVES = 4;
const CHECKED = 5000; // characters of a text that is read backwards, too: better, and three times slower
const MEMORY = "mt";
const SURE = 0.99; // of a language; what is told with less is a guess
const BUSY = [429, 502, 503, 504]; // answers after which it is worth to ask again
const AUTO = "auto"; // for a source language that the server is to tell
const DETECT = "Detect language";

const element = (id) => document.getElementById(id);
const source = element("source-text");
const from = element("source-language");
const to = element("target-language");
const result = element("result");
const terms = element("terms");
const tag = (code) => code.replace("_", "-"); // as browsers write languages
const names = new Intl.DisplayNames([tag(navigator.language.split(/[.@]/)[0]), "en"], { type: "language" });

let directions = [];
let detection = false; // whether the server tells languages apart
let wished = ""; // the target language that was chosen, though guesses may lead elsewhere meanwhile
let detected = ""; // the language of the text, where the server is to tell it
let limits = { characters: Infinity, beam: 1, n_best: 1 };
let timer = 0;
let asking = null; // AbortController of the request under way
let translation = ""; // as shown
let glossaries = {}; // what was typed, by direction

function languageName(code) {
  try {
    return names.of(tag(code));
  } catch {
    return code;
  }
}

function fill(select, codes, wish) {
  select.replaceChildren(...codes.map((code) => new Option(code === AUTO ? DETECT : languageName(code), code)));
  select.value = codes.includes(wish) ? wish : codes[0];
}

// The language of the text: as chosen, or as the server told.
const sourceLanguage = () => (from.value === AUTO ? detected : from.value);

function fillTargets(wish) {
  const language = sourceLanguage();
  const codes = directions.filter((one) => !language || one.source === language).map((one) => one.target);
  fill(to, [...new Set(codes)], wish);
  allowSwap();
  showTerms();
}

function showDetected(language, probability = 1) {
  const how = probability < SURE ? "guessed" : "detected";
  from.querySelector(`[value="${AUTO}"]`)?.replaceChildren(language ? `${languageName(language)} – ${how}` : DETECT);
  if (language === detected) return;
  detected = language;
  fillTargets(wished);
}

const served = (source, target) => directions.find((one) => one.source === source && one.target === target);

// Whether what is shown belongs to another text than the one that stands there.
const isStale = () => result.classList.contains("stale");

// Not before the translation is there: the text would go on in the wrong language.
function allowSwap() {
  element("swap").disabled = !served(to.value, sourceLanguage()) || (isStale() && Boolean(source.value.trim()));
}

function setStale(stale) {
  result.classList.toggle("stale", stale);
  element("copy").disabled = stale;
  allowSwap();
}

// Both sides of a line, which its first "=" parts.
function sides(line) {
  const [first, ...rest] = line.split("=");
  return [first.trim(), rest.join("=").trim()];
}

// What was typed for this direction, or what was typed for the other one with its sides exchanged.
function showTerms() {
  element("glossary").hidden = !served(sourceLanguage(), to.value)?.glossary;
  const other = glossaries[`${to.value}-${sourceLanguage()}`] ?? "";
  const turned = other.split("\n").map((line) => (line.includes("=") ? sides(line).reverse().join(" = ").trim() : line));
  terms.value = glossaries[`${sourceLanguage()}-${to.value}`] ?? turned.join("\n");
  countTerms();
}

// The terms; lines without both sides are still being typed, and of two for one word the first counts.
function glossary() {
  const found = new Map();
  if (element("glossary").hidden) return {};
  for (const line of terms.value.split("\n")) {
    const [term, meaning] = sides(line);
    if (term && meaning && !found.has(term)) found.set(term, meaning);
  }
  return Object.fromEntries(found);
}

function countTerms() {
  const count = Object.keys(glossary()).length;
  element("terms-count").textContent = count ? ` (${count})` : "";
}

// The text stays with its tab, and goes with it; languages and terms stay with the browser.
function remember() {
  try {
    localStorage.setItem(MEMORY, JSON.stringify({ from: from.value, to: wished, glossaries }));
    sessionStorage.setItem(MEMORY, source.value);
  } catch {
    // private windows may forbid storage; the page works without
  }
}

function remembered() {
  try {
    return { ...JSON.parse(localStorage.getItem(MEMORY)), text: sessionStorage.getItem(MEMORY) };
  } catch {
    return {};
  }
}

function say(message) {
  const problem = element("problem");
  if (problem.textContent !== message) problem.textContent = message; // which is read aloud
  problem.hidden = !message;
}

function show(answer, text) {
  const best = answer.translations[0];
  translation = best.text;
  const alignment = best.alignment ?? { source_words: [], target_words: [], links: [], unsure: [] };
  link(alignment.links);
  const unsure = alignment.unsure.map((one) => ({ start: one.target_start, end: one.target_end }));
  layOut(targetWords, translation, alignment.target_words, unsure);
  layOut(sourceWords, text, alignment.source_words, []);
  for (const box of [targetWords, element("alternatives")]) box.lang = tag(to.value);
  source.lang = tag(sourceLanguage());
  const others = (best.alternatives ?? []).map((one) => one.text);
  const different = [...new Set(others)].filter((one) => one !== translation);
  element("alternatives").replaceChildren(
    ...different.map((one) => {
      const item = document.createElement("li");
      item.textContent = one;
      item.dir = "auto";
      return item;
    }),
  );
  element("more").hidden = !different.length;
  if (!different.length) openAlternatives(false);
  element("copy").hidden = !translation;
  const seconds = answer.usage.seconds;
  const time = seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
  element("time").textContent = best.warnings ? "" : time;
  element("status").textContent = best.warnings ? best.warnings.join("; ") : "";
}

function openAlternatives(open) {
  element("alternatives").hidden = !open;
  element("more").setAttribute("aria-expanded", String(open));
}

function clearResult() {
  translation = "";
  link([]);
  targetWords.replaceChildren();
  sourceWords.replaceChildren(source.value);
  for (const id of ["more", "copy"]) element(id).hidden = true;
  openAlternatives(false);
  for (const id of ["status", "time"]) element(id).textContent = "";
}

function count() {
  const characters = Array.from(source.value).length;
  const over = characters > limits.characters;
  element("count").textContent = characters ? `${characters.toLocaleString()} / ${limits.characters.toLocaleString()}` : "";
  element("count").classList.toggle("over", over);
  element("clear").hidden = !characters;
  return over;
}

function schedule(delay = PAUSE) {
  clearTimeout(timer);
  asking?.abort();
  setStale(true);
  sourceWords.replaceChildren(source.value);
  const over = count();
  remember();
  if (!source.value.trim()) {
    if (from.value === AUTO) showDetected("");
    clearResult();
    say("");
  } else if (over) {
    say(`The text is too long: ${limits.characters.toLocaleString()} characters at most.`);
  } else {
    timer = setTimeout(translate, delay);
  }
}

function wish(text) {
  const [language, target] = [sourceLanguage(), to.value];
  const n_best = Math.min(ALTERNATIVES, limits.n_best);
  const beam = Math.min(limits.beam, Math.max(served(language, target)?.beam ?? 1, n_best)); // to rerank it would be wider
  const rerank = Boolean(served(target, language)) && text.length <= CHECKED;
  return { text, source: language, target, alignments: true, n_best, beam, rerank, glossary: glossary() };
}

const post = (path, body, signal) =>
  fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

// What the server answers; where the language of the text is open, it is asked for that first.
async function ask(text, signal) {
  if (from.value === AUTO) {
    const answer = await post("v1/detect", { text }, signal);
    if (!answer.ok) return answer;
    const guesses = (await answer.json()).languages;
    const guess = guesses.find(({ language }) => directions.some((one) => one.source === language));
    if (!signal.aborted) showDetected(guess?.language, guess?.probability);
  }
  return post("v1/translate", wish(text), signal);
}

async function translate() {
  const controller = new AbortController();
  asking = controller;
  const text = source.value.toWellFormed?.() ?? source.value; // half a character is no text
  let answer, content;
  try {
    answer = await ask(text, controller.signal);
    content = await answer.json().catch(() => ({})); // of a proxy, it may be a page
  } catch (error) {
    if (error.name === "AbortError") return;
    say("The server cannot be reached; trying again.");
    timer = setTimeout(translate, 3000);
    return;
  }
  if (controller.signal.aborted) return;
  if (answer.ok && content.translations) {
    show(content, text);
    setStale(false);
    say("");
  } else if (BUSY.includes(answer.status)) {
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    say("The server is busy; trying again.");
    timer = setTimeout(translate, seconds * 1000);
  } else {
    say(content.error?.message ?? `The server answered ${answer.status}.`);
  }
}

async function copy() {
  try {
    await navigator.clipboard.writeText(translation);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(targetWords);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
  element("copy").textContent = "Copied";
  setTimeout(() => (element("copy").textContent = "Copy"), 1500);
}

function swap() {
  const shown = isStale() ? "" : translation; // of an older text it is no use
  const [newFrom, newTo, text] = [to.value, sourceLanguage(), shown || source.value];
  from.value = newFrom; // a guess might turn it back
  showDetected("");
  wished = newTo;
  fillTargets(wished);
  source.value = text;
  clearResult();
  schedule(0);
  source.focus();
}

function listen() {
  source.addEventListener("input", () => schedule());
  terms.addEventListener("input", () => {
    glossaries[`${sourceLanguage()}-${to.value}`] = terms.value;
    delete glossaries[`${to.value}-${sourceLanguage()}`];
    countTerms();
    schedule();
  });
  from.addEventListener("change", () => {
    showDetected("");
    fillTargets(wished);
    schedule(0);
  });
  to.addEventListener("change", () => {
    wished = to.value;
    showTerms();
    schedule(0);
  });
  element("swap").addEventListener("click", swap);
  element("copy").addEventListener("click", copy);
  element("clear").addEventListener("click", () => {
    source.value = "";
    schedule(0);
    source.focus();
  });
  element("more").addEventListener("click", () => openAlternatives(element("alternatives").hidden));
  follow();
}

async function start() {
  try {
    const answer = await fetch("v1/languages");
    if (!answer.ok) throw new Error(String(answer.status));
    ({ directions, limits, detection } = await answer.json());
  } catch {
    say("The server cannot be reached; trying again.");
    setTimeout(start, 3000);
    return;
  }
  say("");
  const memory = remembered();
  glossaries = memory.glossaries ?? {};
  const languages = new Set(directions.map((one) => one.source));
  fill(from, [...(detection ? [AUTO] : []), ...languages], memory.from);
  wished = memory.to ?? "";
  fillTargets(wished);
  if (!source.value) source.value = memory.text ?? "";
  listen();
  schedule(0);
}

start();
