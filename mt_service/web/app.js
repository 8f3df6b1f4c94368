// The page: translates when typing stops, shows which words belong together.

const PAUSE = 300; // milliseconds without a key before a translation is asked for
const ALTERNATIVES = 4;
const CHECKED = 5000; // characters of a text that is read backwards, too: better, and three times slower
const MEMORY = "mt";
const AUTO = "auto"; // for a source language that the server is to tell
const DETECT = "Detect language";

const element = (id) => document.getElementById(id);
const source = element("source-text");
const sourceWords = element("source-words");
const targetWords = element("target-words");
const from = element("source-language");
const to = element("target-language");
const terms = element("terms");
const names = new Intl.DisplayNames([navigator.language, "en"], { type: "language" });

let directions = [];
let detection = false; // whether the server tells languages apart
let wished = ""; // the target language that was chosen, though guesses may lead elsewhere meanwhile
let detected = ""; // the language of the text, where the server is to tell it
let limits = { characters: Infinity, beam: 1, n_best: 1 };
let timer = 0;
let asking = null; // AbortController of the request under way
let translation = ""; // as shown
let links = [];
let glossaries = {}; // what was typed, by direction

function languageName(code) {
  try {
    return names.of(code.replace("_", "-"));
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

function showDetected(language) {
  if (language === detected) return;
  detected = language;
  from.querySelector(`[value="${AUTO}"]`).text = language ? `${languageName(language)} – detected` : DETECT;
  fillTargets(wished);
}

const served = (source, target) => directions.find((one) => one.source === source && one.target === target);

function allowSwap() {
  element("swap").disabled = !served(to.value, sourceLanguage());
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

function remember() {
  const state = { from: from.value, to: wished, text: source.value, glossaries };
  try {
    localStorage.setItem(MEMORY, JSON.stringify(state));
  } catch {
    // private windows may forbid storage; the page works without
  }
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(MEMORY)) ?? {};
  } catch {
    return {};
  }
}

function say(message) {
  const problem = element("problem");
  problem.textContent = message;
  problem.hidden = !message;
}

// Lay words out as spans; offsets count characters (code points), as the server does. Of some passages all words are
// marked.
function layOut(box, text, words, passages) {
  const characters = Array.from(text);
  const parts = [];
  let position = 0;
  words.forEach(({ start, end }, index) => {
    parts.push(characters.slice(position, start).join(""));
    const word = document.createElement("span");
    word.className = passages.some((one) => one.start <= start && end <= one.end) ? "word unsure" : "word";
    word.dataset.index = index;
    word.textContent = characters.slice(start, end).join("");
    parts.push(word);
    position = end;
  });
  parts.push(characters.slice(position).join(""));
  box.replaceChildren(...parts);
}

function show(answer, text) {
  const result = answer.translations[0];
  translation = result.text;
  const alignment = result.alignment ?? { source_words: [], target_words: [], links: [], unsure: [] };
  links = alignment.links;
  const unsure = alignment.unsure.map((one) => ({ start: one.target_start, end: one.target_end }));
  layOut(targetWords, translation, alignment.target_words, unsure);
  layOut(sourceWords, text, alignment.source_words, []);
  targetWords.lang = to.value;
  const others = (result.alternatives ?? []).map((one) => one.text);
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
  element("copy").hidden = !translation;
  const seconds = answer.usage.seconds;
  const time = seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
  element("status").textContent = result.warnings ? result.warnings.join("; ") : time;
}

function clearResult() {
  translation = "";
  links = [];
  targetWords.replaceChildren();
  sourceWords.replaceChildren(source.value);
  for (const id of ["more", "copy", "alternatives"]) element(id).hidden = true;
  element("more").setAttribute("aria-expanded", "false");
  element("status").textContent = "";
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
  targetWords.classList.add("stale");
  element("copy").disabled = true;
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
    const guesses = (await answer.json()).languages.map((one) => one.language);
    const language = guesses.find((guess) => directions.some((one) => one.source === guess));
    if (!signal.aborted) showDetected(language);
  }
  return post("v1/translate", wish(text), signal);
}

async function translate() {
  const controller = new AbortController();
  asking = controller;
  const text = source.value;
  try {
    const answer = await ask(text, controller.signal);
    const content = await answer.json();
    if (controller.signal.aborted) return;
    if (answer.ok) {
      show(content, text);
      targetWords.classList.remove("stale");
      element("copy").disabled = false;
      say("");
    } else if (answer.status === 429 || answer.status === 503) {
      const seconds = Number(answer.headers.get("Retry-After")) || 1;
      say("The server is busy; trying again.");
      timer = setTimeout(translate, seconds * 1000);
    } else {
      say(content.error?.message ?? `The server answered ${answer.status}.`);
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    say("The server cannot be reached; trying again.");
    timer = setTimeout(translate, 3000);
  }
}

// Light up the words that a word of one side is linked to on the other.
function highlight(side, index) {
  for (const word of document.querySelectorAll(".word.here, .word[data-weight]")) {
    word.classList.remove("here");
    delete word.dataset.weight;
    word.style.removeProperty("--weight");
  }
  if (index === null) return;
  const [own, other] = side === "target" ? [targetWords, sourceWords] : [sourceWords, targetWords];
  const otherSide = side === "target" ? "source" : "target";
  own.querySelector(`[data-index="${index}"]`)?.classList.add("here");
  for (const link of links) {
    if (link[side] !== index) continue;
    const word = other.querySelector(`[data-index="${link[otherSide]}"]`);
    if (!word) continue;
    word.dataset.weight = "";
    word.style.setProperty("--weight", link.weight);
  }
}

const indexOf = (word) => (word ? Number(word.dataset.index) : null);

// The source words lie under the textarea, so they are found by their place.
function sourceWordAt(x, y) {
  for (const word of sourceWords.querySelectorAll(".word")) {
    for (const box of word.getClientRects()) {
      if (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom) return word;
    }
  }
  return null;
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
  const shown = targetWords.classList.contains("stale") ? "" : translation; // of an older text it is no use
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
    allowSwap();
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
  element("more").addEventListener("click", () => {
    const list = element("alternatives");
    list.hidden = !list.hidden;
    element("more").setAttribute("aria-expanded", String(!list.hidden));
  });
  targetWords.addEventListener("pointerover", (event) => highlight("target", indexOf(event.target.closest(".word"))));
  targetWords.addEventListener("pointerleave", () => highlight("target", null));
  targetWords.addEventListener("click", (event) => highlight("target", indexOf(event.target.closest(".word"))));
  source.addEventListener("pointermove", (event) => highlight("source", indexOf(sourceWordAt(event.clientX, event.clientY))));
  source.addEventListener("pointerleave", () => highlight("source", null));
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
