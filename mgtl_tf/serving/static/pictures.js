// The gallery's aerial images, laid on the map where they were taken. North
// is up in them; each covers a square of ground around its place.
const LEAST = 36;  // Pixels a side; smaller ones say nothing.
const MOST = 160;  // Drawn at a time.
const KEPT = 400;
const LOADING = 4;  // At a time: the server makes each when it is asked.

export class GroundPictures {
  /**
   * Of a gallery's places.
   * @param {Float64Array} points metres east and north, one pair a place.
   * @param {number} side metres on the ground that an image covers.
   * @param {(y: number) => number} truth metres on the ground of a metre of
   *   the map, at a northing.
   * @param {number} step rows of the gallery from one place to the next.
   * @param {() => void} arrived called when there is more to draw.
   */
  constructor(points, side, truth, step, arrived) {
    Object.assign(this, { points, side, truth, step, arrived });
    this.cell = side / 2;
    this.images = new Map();
    this.loading = 0;
    this.waiting = [];
  }

  /** One place for each cell: more would only hide each other. */
  get cells() {
    if (this.found) return this.found;
    this.found = new Map();
    for (let i = 0; i < this.points.length; i += 2) {
      if (Number.isNaN(this.points[i])) continue;
      const key = `${Math.floor(this.points[i] / this.cell)},` +
                  `${Math.floor(this.points[i + 1] / this.cell)}`;
      if (!this.found.has(key)) this.found.set(key, i);
    }
    return this.found;
  }

  /**
   * Draws what is there and fetches the rest; how many were drawn.
   * @param {CanvasRenderingContext2D} pen of the map.
   * @param {{x: number, y: number, scale: number}} view its middle, pixels
   *   a metre.
   * @param {{width: number, height: number}} size of the map, pixels.
   * @param {{row: number, at: number[]}[]} answers drawn above all others.
   */
  paint(pen, view, size, answers) {
    if (this.side * view.scale < LEAST) return 0;
    const wanted = [
      ...this.around(view, size).reverse(),
      ...answers.filter((one) => one.row >= 0).reverse()
        .map(({ row, at }) => ({ row, x: at[0], y: at[1], marked: true })),
    ];
    this.waiting = [];
    let drawn = 0;
    for (const place of wanted) drawn += this.draw(pen, view, size, place);
    // Answers first, then from the middle outwards.
    this.waiting.reverse();
    this.load();
    return drawn;
  }

  /** Places in view, those nearest to its middle first. */
  around(view, size) {
    const reach = [size.width, size.height]
      .map((pixels) => pixels / 2 / view.scale + this.side / 2);
    const [left, right, bottom, top] = [
      view.x - reach[0], view.x + reach[0], view.y - reach[1],
      view.y + reach[1]].map((metres) => Math.floor(metres / this.cell));
    const places = [];
    for (let column = left; column <= right; column++) {
      for (let line = bottom; line <= top; line++) {
        const i = this.cells.get(`${column},${line}`);
        if (i === undefined) continue;
        const [x, y] = [this.points[i], this.points[i + 1]];
        places.push({ row: i / 2 * this.step, x, y,
                      away: Math.hypot(x - view.x, y - view.y) });
      }
    }
    return places.sort((a, b) => a.away - b.away).slice(0, MOST);
  }

  /** The square of an image on the canvas: left, top, side. */
  box(view, size, { x, y }) {
    const side = this.side / this.truth(y) * view.scale;
    return [size.width / 2 + (x - view.x) * view.scale - side / 2,
            size.height / 2 - (y - view.y) * view.scale - side / 2, side];
  }

  draw(pen, view, size, place) {
    const image = this.images.get(place.row);
    if (!image) {
      this.waiting.push(place.row);
      return 0;
    }
    // The last used stay the longest.
    this.images.delete(place.row);
    this.images.set(place.row, image);
    if (!image.naturalWidth) return 0;
    const [left, top, side] = this.box(view, size, place);
    pen.drawImage(image, left, top, side, side);
    if (place.marked) {
      pen.strokeStyle = "#fff";
      pen.lineWidth = 2;
      pen.strokeRect(left, top, side, side);
    }
    return 1;
  }

  load() {
    while (this.loading < LOADING && this.waiting.length) {
      const row = this.waiting.shift();
      if (this.images.has(row)) continue;
      const image = new Image();
      this.images.set(row, image);
      this.loading += 1;
      image.onload = image.onerror = () => {
        this.loading -= 1;
        this.arrived();
        this.load();
      };
      image.src = `/places/${row}.jpg`;
    }
    for (const row of this.images.keys()) {
      if (this.images.size <= KEPT) break;
      this.images.delete(row);
    }
  }
}
