// Words as they stand on the page, and which of them belong together.

const source = document.getElementById("source-text");
export const sourceWords = document.getElementById("source-words");
export const targetWords = document.getElementById("target-words");

let links = [];

// What words are linked to from now on.
export function link(found) {
  links = found;
}

// Lay words out as spans; offsets count characters (code points), as the server does. Of some passages all words are
// marked.
export function layOut(box, text, words, passages) {
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

// The source word in which the cursor stands.
function sourceWordAtCursor() {
  let left = source.selectionStart;
  for (const part of sourceWords.childNodes) {
    left -= part.textContent.length;
    if (left <= 0 && part.className) return part;
    if (left < 0) return null;
  }
  return null;
}

// Follow pointer, finger and cursor.
export function follow() {
  targetWords.addEventListener("pointerover", (event) => highlight("target", indexOf(event.target.closest(".word"))));
  targetWords.addEventListener("pointerleave", () => highlight("target", null));
  targetWords.addEventListener("click", (event) => highlight("target", indexOf(event.target.closest(".word"))));
  source.addEventListener("pointermove", (event) => highlight("source", indexOf(sourceWordAt(event.clientX, event.clientY))));
  source.addEventListener("pointerleave", () => highlight("source", null));
  for (const moved of ["click", "keyup"]) {
    source.addEventListener(moved, () => highlight("source", indexOf(sourceWordAtCursor())));
  }
}
