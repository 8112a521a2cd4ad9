// The page works without this file; with it, answers appear in place.
import { GalleryMap } from "./map.js";

const form = document.querySelector("#ask");
const result = document.querySelector("#result");
const input = form.elements.image;
const map = await GalleryMap.open(document.querySelector("#map"));
let running = null;

function chosen(file) {
  document.querySelector("#chosen").textContent =
    `${file.name}: drop or choose another here`;
}

function take(files) {
  if (!files.length) return;
  input.files = files;
  chosen(files[0]);
  form.requestSubmit();
}

function fail(reason) {
  const alert = document.createElement("div");
  const title = document.createElement("b");
  const text = document.createElement("span");
  title.textContent = "No answer";
  text.textContent = reason;
  alert.className = "error";
  alert.setAttribute("role", "alert");
  alert.append(title, text);
  result.replaceChildren(alert);
  map?.show([]);
}

function busy(on) {
  form.querySelector("progress").hidden = !on;
  form.querySelector(".main").disabled = on;
  result.setAttribute("aria-busy", on);
}

async function ask(event) {
  event.preventDefault();
  const most = Number(form.dataset.uploadBytes);
  if (input.files[0].size > most) {
    return fail(`The image is larger than ${most / 2 ** 20} MB, the most ` +
                "that is taken here.");
  }
  running?.abort();
  const own = running = new AbortController();
  busy(true);
  try {
    const answer = await fetch(form.action, {
      method: "POST", body: new FormData(form), signal: own.signal,
    });
    const page = new DOMParser().parseFromString(await answer.text(),
                                                 "text/html");
    const found = page.querySelector("#result");
    if (!found) return fail(`The server answered ${answer.status}.`);
    result.replaceChildren(...found.childNodes);
    shown();
  } catch (error) {
    if (error.name !== "AbortError") fail("The server does not answer.");
  } finally {
    if (running === own) busy(false);
  }
}

/** Gives a fresh answer its map and its lines of equal azimuth. */
function shown() {
  const title = result.querySelector("h2")?.textContent ?? "";
  document.querySelector("#said").textContent = title;
  const items = [...result.querySelectorAll(".answer")];
  const placed = items.filter((item) => item.dataset.latitude);
  map?.show(placed.map((item) => ({
    rank: Number(item.dataset.rank),
    row: Number(item.dataset.row),
    latitude: Number(item.dataset.latitude),
    longitude: Number(item.dataset.longitude),
  })), Number(result.querySelector(".verdict")?.dataset.metres), circle());
  for (const item of placed) {
    const select = (closer) => {
      items.forEach((other) =>
        other.classList.toggle("selected", other === item));
      map?.select(Number(item.dataset.rank), closer);
    };
    const button = item.querySelector(".picture");
    button.addEventListener("click", () => select(true));
    button.addEventListener("focus", () => select(false));
    item.addEventListener("pointerenter", () => select(false));
  }
}

/** The circle that was searched, as [latitude, longitude, metres]. */
function circle() {
  const near = form.elements.near.value.split(",").map(Number);
  const radius = Number(form.elements.radius.value);
  return near.length === 2 && radius ? [...near, radius] : null;
}

function point(event) {
  const strips = event.target.closest(".strips");
  const guide = result.querySelector(".guide");
  const ray = result.querySelector(".ray");
  if (!guide) return;
  const box = result.querySelector(".strips img").getBoundingClientRect();
  const share = (event.clientX - box.left) / box.width;
  const inside = Boolean(strips) && share >= 0 && share <= 1;
  const azimuth = Math.round(share * 360 + 180) % 360;
  guide.hidden = !inside;
  if (ray) ray.hidden = !inside;
  result.querySelector(".azimuth").textContent = inside ? `${azimuth}°` : "";
  if (!inside) return;
  guide.style.left = `${event.clientX - strips.getBoundingClientRect().left}px`;
  if (ray) ray.style.transform = `rotate(${azimuth}deg)`;
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1500);
  } catch {
    // Over plain HTTP from another machine browsers forbid it.
    getSelection().selectAllChildren(button);
  }
}

/** Takes a place of the map as the middle of the circle to search. */
function searchNear(coordinates) {
  const { near, radius } = form.elements;
  near.value = coordinates;
  radius.value ||= 200;
  near.closest("details").open = true;
  radius.focus();
}

form.addEventListener("submit", ask);
input.addEventListener("change", () => take(input.files));
addEventListener("paste", (event) => take(event.clipboardData.files));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  take(event.dataTransfer.files);
});
addEventListener("click", (event) => {
  const button = event.target.closest(".copy");
  if (button) copy(button);
  const tip = event.target.closest(".near")?.parentElement;
  if (tip) searchNear(tip.querySelector(".copy").dataset.copy);
});
addEventListener("pointermove", point);
shown();
document.documentElement.dataset.ready = "yes";
