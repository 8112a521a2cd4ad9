// The gallery on a Leaflet map without any map service: places as points,
// aerial images at their ground extent, answers, and circles in metres.
const { L } = window;

const LEAST_SIDE = 36;  // Pixels of an aerial image; smaller ones show nothing.
const MOST_IMAGES = 160;
const REACH = 12;  // Pixels from the pointer to the place that it points at.
const EQUATOR = 40075016.7;

const color = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

/** Places as dots, drawn into canvas tiles: galleries have up to 200,000. */
const Dots = L.GridLayer.extend({
  createTile(coords) {
    const tile = L.DomUtil.create("canvas");
    const size = tile.width = tile.height = 256 * devicePixelRatio;
    const scale = 2 ** coords.z * devicePixelRatio;
    const side = devicePixelRatio *
      Math.max(2, Math.min(2 ** coords.z / 3.5e4, this.options.most));
    const [left, top] = [coords.x * size, coords.y * size];
    const pen = tile.getContext("2d");
    pen.fillStyle = this.options.color;
    const taken = new Uint8Array((size + 16) ** 2);
    const points = this.options.points;
    for (let i = 0; i < points.length; i += 2) {
      // Leaflet numbers the tiles of all copies of the world alike.
      const x = Math.round((points[i] + 512) % 256 * scale - left);
      const y = Math.round(points[i + 1] * scale - top);
      if (!(x > -8 && y > -8 && x < size + 8 && y < size + 8)) continue;
      // One dot for a pixel: most of a large gallery's are under others.
      const at = (y + 8) * (size + 16) + x + 8;
      if (taken[at]) continue;
      taken[at] = 1;
      pen.beginPath();
      if (side > 4) pen.arc(x, y, side / 2, 0, 7);
      else pen.rect(x - side / 2, y - side / 2, side, side);
      pen.fill();
    }
    return tile;
  },
});

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
    this.degrees = degrees;
    this.step = Number(section.dataset.step);
    this.side = Number(section.dataset.side);
    this.answers = [];
    this.images = new Map();
    this.imagesOn = Boolean(this.side);
    this.project();
    this.map = L.map(section.querySelector(".view"), {
      attributionControl: false, zoomControl: false, zoomSnap: 0.25,
      wheelPxPerZoomLevel: 120, maxZoom: 24,
    });
    L.control.scale({ imperial: false, maxWidth: 130 }).addTo(this.map);
    this.map.createPane("images");
    this.dots = new Dots({ points: this.points, pane: "overlayPane" });
    this.over = L.layerGroup().addTo(this.map);
    this.tip = section.querySelector(".tip");
    this.hover = L.tooltip({ className: "place", direction: "auto", opacity: 1 });
    this.popup = L.popup({ className: "place", minWidth: 190, maxWidth: 190 });
    this.listen();
    this.fit();
    this.color();
    this.dots.addTo(this.map);
  }

  /** Places in pixels of the world at zoom 0, on one side of 180 degrees. */
  project() {
    const first = this.degrees.findIndex((value) => !Number.isNaN(value));
    this.origin = this.degrees[first + 1];
    this.points = new Float64Array(this.degrees.length).fill(NaN);
    for (let i = 0; i < this.degrees.length; i += 2) {
      if (Number.isNaN(this.degrees[i])) continue;
      const at = this.near(this.degrees[i], this.degrees[i + 1]);
      const { x, y } = L.CRS.EPSG3857.latLngToPoint(at, 0);
      this.points.set([x, y], i);
    }
    // Images are drawn of one place in each cell: more would be hidden.
    const squeeze = Math.cos(this.degrees[first] * Math.PI / 180);
    this.cell = 256 * this.side / 2 / EQUATOR / squeeze;
    this.cells = new Map();
    for (let i = 0; this.side && i < this.points.length; i += 2) {
      const key = this.cellOf(this.points[i], this.points[i + 1]).join();
      if (!this.cells.has(key)) this.cells.set(key, i);
    }
  }

  cellOf(x, y) {
    return [Math.floor(x / this.cell), Math.floor(y / this.cell)];
  }

  /** A position in the copy of the world that the first place is in. */
  near(latitude, longitude) {
    const east = (longitude - this.origin + 540) % 360 - 180;
    return L.latLng(latitude, this.origin + east);
  }

  /** Shows answers, how near the first is trusted, and the searched circle. */
  show(answers, metres, circle) {
    this.over.clearLayers();
    this.answers = answers.map((answer) => {
      const at = this.near(answer.latitude, answer.longitude);
      const icon = L.divIcon({
        className: "pin", html: String(answer.rank), iconSize: null });
      const pin = L.marker(at, { icon, interactive: false, keyboard: false });
      return { ...answer, at, pin: pin.addTo(this.over) };
    });
    const ring = (at, radius, className) =>
      L.circle(at, { radius, className, fill: false, interactive: false })
        .addTo(this.over);
    if (circle) ring(this.near(circle[0], circle[1]), circle[2], "ring");
    if (answers.length && metres) {
      ring(this.answers[0].at, metres, "ring trusted");
    }
    this.hide();
    this.select(1);
    this.fit();
  }

  /** Marks an answer; closer also brings it to the middle. */
  select(rank, closer) {
    for (const answer of this.answers) {
      const chosen = answer.rank === rank;
      answer.pin.getElement().classList.toggle("selected", chosen);
      answer.pin.getElement().classList.toggle("first", answer.rank === 1);
      answer.pin.setZIndexOffset(chosen ? 100000 : -100 * answer.rank);
      if (closer && chosen) this.frame(L.latLngBounds([answer.at]), 150);
    }
  }

  /** Brings all answers into view, or all places. */
  fit() {
    const bounds = L.latLngBounds(this.answers.map((answer) => answer.at));
    for (let i = 0; !this.answers.length && i < this.points.length; i += 2) {
      if (Number.isNaN(this.points[i])) continue;
      bounds.extend(this.near(this.degrees[i], this.degrees[i + 1]));
    }
    this.frame(bounds, 100);
  }

  frame(bounds, metres) {
    this.map.invalidateSize({ animate: false });
    bounds.extend(bounds.getCenter().toBounds(metres));
    this.map.fitBounds(bounds, { padding: [75, 55], animate: false });
  }

  /** Lays the aerial images in view on the map and takes others away. */
  lay() {
    const places = this.imagesOn ? this.inView() : [];
    const keys = new Set(places.map(({ key }) => key));
    for (const [key, image] of this.images) {
      if (keys.has(key)) continue;
      image.getElement().removeAttribute("src");  // It may still be loading.
      image.remove();
      this.images.delete(key);
    }
    for (const { key, row, at, answer } of places) {
      if (this.images.has(key)) continue;
      this.images.set(key, L.imageOverlay(
        `/places/${row}.jpg`, at.toBounds(this.side),
        { zIndex: answer ? 2 : 1, className: answer ? "answered" : "",
          pane: "images" }).addTo(this.map));
    }
    const extent = this.section.querySelector(".extent");
    if (extent) extent.hidden = !places.length;
    this.color();
  }

  /** The answers, then the places in view from the middle outwards. */
  inView() {
    const scale = 2 ** this.map.getZoom();
    if (2 * this.cell * scale < LEAST_SIDE) return [];
    const { min, max } = this.map.getPixelBounds();
    const [middleX, middleY] = [(min.x + max.x) / 2, (min.y + max.y) / 2];
    const [left, top] = this.cellOf(min.x / scale, min.y / scale);
    const [right, bottom] = this.cellOf(max.x / scale, max.y / scale);
    const places = [];
    for (let x = left - 1; x <= right + 1; x++) {
      for (let y = top - 1; y <= bottom + 1; y++) {
        const i = this.cells.get(`${x},${y}`);
        if (i === undefined) continue;
        const row = i / 2 * this.step;
        const away = Math.hypot(this.points[i] * scale - middleX,
                                this.points[i + 1] * scale - middleY);
        places.push({ key: row, row, away,
                      at: this.near(this.degrees[i], this.degrees[i + 1]) });
      }
    }
    places.sort((a, b) => a.away - b.away);
    return [
      ...this.answers.filter(({ row }) => row >= 0)
        .map(({ row, at }) => ({ key: `answer ${row}`, row, at, answer: true })),
      ...places.slice(0, MOST_IMAGES)];
  }

  /** Draws the dots in the page's colors; few and light above images. */
  color() {
    const [name, most] = this.images.size ? ["over", 4] : ["point", 8];
    if (this.dots.options.color === color(name)) return;
    Object.assign(this.dots.options, { color: color(name), most });
    this.dots.redraw();
  }

  /** The place nearest to a pixel of the map; -1 where none is near. */
  nearest(pixel) {
    const scale = 2 ** this.map.getZoom();
    const { x, y } = this.map.project(
      this.map.containerPointToLatLng(pixel), 0);
    let best = (REACH / scale) ** 2, found = -1;
    for (let i = 0; i < this.points.length; i += 2) {
      const squared = (this.points[i] - x) ** 2 + (this.points[i + 1] - y) ** 2;
      if (squared < best) { best = squared; found = i; }
    }
    return found;
  }

  /** Shows a place beside the pointer, or, once clicked, until it is closed. */
  tell(pixel, layer) {
    const i = this.nearest(pixel);
    if (i < 0) return this.hide();
    const [latitude, longitude] = this.degrees.subarray(i, i + 2);
    const address = `/places/${i / 2 * this.step}.jpg`;
    const image = this.tip.querySelector("img");
    if (image.getAttribute("src") !== address) image.src = address;
    const button = this.tip.querySelector(".copy");
    button.textContent = button.dataset.copy =
      `${latitude.toFixed(6)}, ${longitude.toFixed(6)}`;
    this.tip.hidden = false;
    if (layer === this.popup) this.hover.remove();
    layer.setContent(this.tip).setLatLng(this.near(latitude, longitude))
      .openOn(this.map);
  }

  hide() {
    this.hover.remove();
    this.popup.remove();
  }

  listen() {
    const map = this.map;
    map.on("moveend", () => this.lay());
    map.on("click", (event) => this.tell(event.containerPoint, this.popup));
    map.on("mousemove", (event) => {
      if (!this.popup.isOpen()) this.tell(event.containerPoint, this.hover);
    });
    map.on("mouseout movestart", () => this.hover.remove());
    map.getContainer().addEventListener("keydown", (event) => {
      if (event.key === "0") this.fit();
    });
    new ResizeObserver(() => map.invalidateSize()).observe(map.getContainer());
    matchMedia("(prefers-color-scheme: dark)")
      .addEventListener("change", () => this.color());
    const images = this.section.querySelector("[data-pictures]");
    images?.addEventListener("click", () => {
      this.imagesOn = !this.imagesOn;
      images.setAttribute("aria-pressed", this.imagesOn);
      this.lay();
    });
    for (const button of this.section.querySelectorAll("[data-zoom]")) {
      const levels = Number(button.dataset.zoom);
      button.addEventListener("click", () =>
        levels ? map.setZoom(map.getZoom() + levels) : this.fit());
    }
  }
}
