// The gallery's places as points: Mercator, so that north is up and shapes
// are true; the scale bar holds for the middle of the view.
import { GroundPictures } from "./pictures.js";

const EARTH = 6378137;
const radians = (degrees) => degrees * Math.PI / 180;
const stretched = (latitude) => Math.asinh(Math.tan(radians(latitude)));

export class GalleryMap {
  /** The map of a section of the page; null for a gallery without positions. */
  static async open(section) {
    if (!Number(section.dataset.known)) return null;
    const answer = await fetch("/positions").catch(() => null);
    if (!answer?.ok) return null;
    section.hidden = false;
    return new GalleryMap(section, new Float64Array(await answer.arrayBuffer()));
  }

  constructor(section, degrees) {
    this.section = section;
    this.canvas = section.querySelector("canvas");
    this.tip = section.querySelector(".tip");
    this.degrees = degrees;
    this.answers = [];
    const first = degrees.findIndex((value) => !Number.isNaN(value));
    this.origin = [degrees[first], degrees[first + 1]];
    this.squeeze = Math.cos(radians(this.origin[0]));
    this.points = new Float64Array(degrees.length);
    for (let i = 0; i < degrees.length; i += 2) {
      this.points.set(this.project(degrees[i], degrees[i + 1]), i);
    }
    this.view = { x: 0, y: 0, scale: 1 };
    const side = Number(section.dataset.side);
    this.pictures = side ? new GroundPictures(
      this.points, side, (y) => this.truth(y), Number(section.dataset.step),
      () => this.draw()) : null;
    this.pictured = true;
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)")
      .addEventListener("change", () => this.draw());
    this.listen();
  }

  /** Metres east and north of the origin, true near it. */
  project(latitude, longitude) {
    const east = (longitude - this.origin[1] + 540) % 360 - 180;
    const north = stretched(latitude) - stretched(this.origin[0]);
    return [EARTH * this.squeeze * radians(east),
            EARTH * this.squeeze * north];
  }

  /** Metres on the ground that a metre of the map is, at a northing. */
  truth(y) {
    const north = y / (EARTH * this.squeeze) + stretched(this.origin[0]);
    return 1 / Math.cosh(north) / this.squeeze;
  }

  /** Shows answers, how near the first is trusted, and the searched circle. */
  show(answers, metres, circle) {
    this.answers = answers.map((answer) => ({
      ...answer, at: this.project(answer.latitude, answer.longitude),
    }));
    this.trusted = metres || 0;
    this.circle = circle && {
      at: this.project(circle[0], circle[1]), metres: circle[2],
    };
    this.selected = 1;
    this.hide();
    this.fit();
  }

  /** Marks an answer; closer also brings it to the middle. */
  select(rank, closer) {
    this.selected = rank;
    const answer = this.answers.find((one) => one.rank === rank);
    if (closer && answer) this.frame([answer.at], 150);
    else this.draw();
  }

  /** Brings all answers into view, or all places. */
  fit() {
    if (this.answers.length) {
      return this.frame(this.answers.map((answer) => answer.at), 100);
    }
    const all = [];
    for (let i = 0; i < this.points.length; i += 2) {
      if (!Number.isNaN(this.points[i])) {
        all.push([this.points[i], this.points[i + 1]]);
      }
    }
    this.frame(all, 100);
  }

  frame(places, least) {
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    for (const [x, y] of places) {
      box[0] = Math.min(box[0], x); box[2] = Math.max(box[2], x);
      box[1] = Math.min(box[1], y); box[3] = Math.max(box[3], y);
    }
    const width = this.canvas.clientWidth || 1;
    const height = this.canvas.clientHeight || 1;
    const scale = Math.min((width - 150) / Math.max(box[2] - box[0], least),
                           (height - 110) / Math.max(box[3] - box[1], least));
    this.view = { x: (box[0] + box[2]) / 2, y: (box[1] + box[3]) / 2,
                  scale: Math.max(scale, 1e-6) };
    this.framed = true;
    this.draw();
  }

  resize() {
    const ratio = devicePixelRatio;
    this.canvas.width = this.canvas.clientWidth * ratio;
    this.canvas.height = this.canvas.clientHeight * ratio;
    this.framed ? this.draw() : this.fit();
  }

  pixel([x, y]) {
    const { width, height } = this.size();
    return [width / 2 + (x - this.view.x) * this.view.scale,
            height / 2 - (y - this.view.y) * this.view.scale];
  }

  size() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.paint();
    });
  }

  paint() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`);
    const pen = this.canvas.getContext("2d");
    const { width, height } = this.size();
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const drawn = this.pictured && this.pictures
      ? this.pictures.paint(pen, this.view, this.size(), this.answers) : 0;
    this.section.dataset.drawn = drawn;
    const extent = this.section.querySelector(".extent");
    if (extent) extent.hidden = !drawn;
    this.dots(pen, color(drawn ? "over" : "point").trim(), drawn);
    if (this.circle) this.ring(pen, this.circle.at, this.circle.metres,
                               color("quiet"));
    if (this.answers.length && this.trusted) {
      this.ring(pen, this.answers[0].at, this.trusted, color("accent"));
    }
    for (const answer of [...this.answers].reverse()) {
      if (answer.rank !== this.selected) this.pin(pen, answer, color);
    }
    const chosen = this.answers.find((one) => one.rank === this.selected);
    if (chosen) this.pin(pen, chosen, color);
    this.measure();
  }

  dots(pen, color, above) {
    const { width, height } = this.size();
    const { x, y, scale } = this.view;
    const points = this.points;
    const radius = Math.min(scale * 1.5, above ? 2 : 4);
    // Dust would wipe pictures away; where there are some, points are few.
    const small = radius < 2 && !above ? this.dust(pen, color) : null;
    pen.fillStyle = color;
    for (let i = 0; i < points.length; i += 2) {
      const px = width / 2 + (points[i] - x) * scale;
      const py = height / 2 - (points[i + 1] - y) * scale;
      if (!(px > -9 && py > -9 && px < width + 9 && py < height + 9)) continue;
      small?.(px, py);
      if (small) continue;
      pen.beginPath();
      pen.arc(px, py, radius, 0, 7);
      pen.fill();
    }
    if (small) pen.putImageData(this.image, 0, 0);
  }

  /** Sets a point's pixels itself: a fill each of 200,000 takes a second. */
  dust(pen, color) {
    const { width, height } = this.canvas;
    this.image = pen.createImageData(width, height);
    const pixels = new Uint32Array(this.image.data.buffer);
    const [red, green, blue] =
      color.match(/[\da-f]{2}/gi).map((part) => parseInt(part, 16));
    const value = (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
    const ratio = devicePixelRatio;
    const side = Math.max(2, Math.round(2 * ratio));
    return (px, py) => {
      const left = Math.round(px * ratio);
      const top = Math.round(py * ratio);
      for (let row = Math.max(top, 0); row < Math.min(top + side, height); row++) {
        for (let column = Math.max(left, 0);
             column < Math.min(left + side, width); column++) {
          pixels[row * width + column] = value;
        }
      }
    };
  }

  ring(pen, at, metres, color) {
    const radius = metres / this.truth(at[1]) * this.view.scale;
    pen.beginPath();
    pen.arc(...this.pixel(at), radius, 0, 7);
    // Light below, so that it shows on pictures too.
    pen.strokeStyle = "#fffa";
    pen.lineWidth = 4;
    pen.stroke();
    pen.strokeStyle = color;
    pen.setLineDash([6, 5]);
    pen.lineWidth = 2;
    pen.stroke();
    pen.setLineDash([]);
  }

  pin(pen, answer, color) {
    const [x, y] = this.pixel(answer.at);
    const selected = answer.rank === this.selected;
    pen.beginPath();
    pen.arc(x, y, selected ? 14 : 11, 0, 7);
    pen.fillStyle = color(answer.rank === 1 ? "accent" : "text");
    pen.fill();
    pen.lineWidth = selected ? 3 : 2;
    pen.strokeStyle = color("card");
    pen.stroke();
    pen.fillStyle = color(answer.rank === 1 ? "accent-text" : "card");
    pen.font = `600 ${selected ? 14 : 12}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(answer.rank, x, y + 0.5);
  }

  /** The scale bar: 1, 2 or 5 times a power of ten, at most 130 pixels. */
  measure() {
    const perPixel = this.truth(this.view.y) / this.view.scale;
    const most = 130 * perPixel;
    const power = 10 ** Math.floor(Math.log10(most));
    const metres = power * [5, 2, 1].find((n) => n * power <= most);
    const bar = this.section.querySelector(".scale");
    bar.firstElementChild.style.width = `${metres / perPixel}px`;
    bar.lastElementChild.textContent = metres >= 1000
      ? `${(metres / 1000).toLocaleString("en")} km` : `${metres} m`;
  }

  zoom(factor, x = this.size().width / 2, y = this.size().height / 2) {
    const { width, height } = this.size();
    const scale = Math.min(Math.max(this.view.scale * factor, 1e-6), 50);
    const change = 1 / this.view.scale - 1 / scale;
    this.view.x += (x - width / 2) * change;
    this.view.y -= (y - height / 2) * change;
    this.view.scale = scale;
    this.hide();
    this.draw();
  }

  move(x, y) {
    this.view.x -= x / this.view.scale;
    this.view.y += y / this.view.scale;
    this.hide();
    this.draw();
  }

  /** The place whose point lies nearest to a pixel, within 12 of it. */
  nearest(x, y) {
    const { width, height } = this.size();
    const east = this.view.x + (x - width / 2) / this.view.scale;
    const north = this.view.y - (y - height / 2) / this.view.scale;
    let best = (12 / this.view.scale) ** 2, found = -1;
    for (let i = 0; i < this.points.length; i += 2) {
      const squared = (this.points[i] - east) ** 2 +
                      (this.points[i + 1] - north) ** 2;
      if (squared < best) { best = squared; found = i; }
    }
    return found;
  }

  tell(x, y, pinned) {
    const i = this.nearest(x, y);
    if (i < 0) return this.hide();
    const row = i / 2 * Number(this.section.dataset.step);
    const text = `${this.degrees[i].toFixed(6)}, ` +
                 `${this.degrees[i + 1].toFixed(6)}`;
    const image = this.tip.querySelector("img");
    const address = `/places/${row}.jpg`;
    if (image.getAttribute("src") !== address) image.src = address;
    const button = this.tip.querySelector(".copy");
    button.textContent = text;
    button.dataset.copy = text;
    this.tip.hidden = false;
    this.tip.classList.toggle("pinned", pinned);
    const [px, py] = this.pixel([this.points[i], this.points[i + 1]]);
    const { width, height } = this.size();
    const { offsetWidth, offsetHeight } = this.tip;
    const left = px + 14 + offsetWidth > width ? px - 14 - offsetWidth : px + 14;
    const top = Math.min(Math.max(py - offsetHeight / 2, 6),
                         height - offsetHeight - 6);
    this.tip.style.transform =
      `translate(${Math.max(left, 6)}px, ${top}px)`;
  }

  hide() {
    this.tip.hidden = true;
    this.tip.classList.remove("pinned");
  }

  listen() {
    const pointers = new Map();
    let moved = false;
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      moved = false;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = [event.offsetX, event.offsetY];
      const last = pointers.get(event.pointerId);
      if (!last) {
        const pinned = this.tip.classList.contains("pinned");
        if (!pinned) this.tell(...now, false);
        return;
      }
      if (Math.hypot(now[0] - last[0], now[1] - last[1]) < 3 && !moved) return;
      moved = true;
      if (pointers.size === 2) {
        const [other] = [...pointers].filter(([id]) => id !== event.pointerId);
        const span = (a) => Math.hypot(a[0] - other[1][0], a[1] - other[1][1]);
        this.zoom(span(now) / Math.max(span(last), 1), ...other[1]);
      } else {
        this.move(now[0] - last[0], now[1] - last[1]);
      }
      pointers.set(event.pointerId, now);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => {
        pointers.delete(event.pointerId);
        if (!moved && name === "pointerup") {
          this.tell(event.offsetX, event.offsetY, true);
        }
      });
    }
    canvas.addEventListener("pointerleave", () => {
      if (!this.tip.classList.contains("pinned")) this.hide();
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(2 ** (-event.deltaY / 300), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    const pictures = this.section.querySelector("[data-pictures]");
    pictures?.addEventListener("click", () => {
      this.pictured = !this.pictured;
      pictures.setAttribute("aria-pressed", this.pictured);
      this.draw();
    });
    for (const button of this.section.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => {
        const factor = Number(button.dataset.zoom);
        factor ? this.zoom(factor) : this.fit();
      });
    }
  }

  key(event) {
    const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0],
                    ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (moves[event.key]) this.move(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.fit();
    else if (event.key === "Escape") this.hide();
    else return;
    event.preventDefault();
  }
}
