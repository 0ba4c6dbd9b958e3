"use strict";
// All words of the search must stand somewhere in a card.
const cards = [...document.querySelectorAll("#cards > li")];
const texts = cards.map((card) => card.textContent.toLowerCase());
const input = document.getElementById("find");
const found = document.getElementById("found");
function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  cards.forEach((card, i) => {
    card.hidden = !words.every((word) => texts[i].includes(word));
    count += card.hidden ? 0 : 1;
  });
  found.textContent = `${count} of ${cards.length}`;
}
input.addEventListener("input", search);
search();
