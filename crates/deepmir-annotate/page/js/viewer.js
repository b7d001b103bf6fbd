// A pane shows one image in one view, and marks over it. Images come in RAS order with an upright
// geometry, so a voxel of the pane is a voxel of the case.

/** Values of marks; `niivue.js` has their colours. */
export const MARK = { none: 0, CMB: 1, NHID: 2, selected: 3, candidate: 4, stroke: 5, eraser: 6 };

/** The voxel axis that a view looks along. */
export const DEPTH = { axial: 2, coronal: 1, sagittal: 0 };

/** How marks look before the server has confirmed them. */
const PREVIEW = { [MARK.stroke]: 'rgb(255 255 255 / 0.55)', [MARK.eraser]: 'rgb(90 90 90 / 0.75)' };

export class Pane {
  constructor(parent, name) {
    this.element = document.createElement('div');
    this.element.className = 'pane empty';
    this.element.dataset.pane = name;
    this.canvas = document.createElement('canvas');
    this.paper = this.canvas.getContext('2d', { alpha: false });
    this.title = document.createElement('div');
    this.title.className = 'title';
    this.cover = document.createElement('div');
    this.cover.className = 'cover';
    this.element.append(this.canvas, this.cover, this.title);
    parent.append(this.element);
    /** What it shows, once there is an image: kind, image, marks, view, and whose marks (side). */
    this.shows = null;
    this.slices = [];
  }

  get kind() { return this.shows?.kind ?? null; }

  get view() { return this.shows?.view ?? 'axial'; }

  get side() { return this.shows?.side; }

  /** Shows something else from the next drawing on, and nothing until then; null: nothing. */
  setContent(shows) {
    const same = shows && this.shows && ['kind', 'image', 'view', 'side'].every((what) => shows[what] === this.shows[what]);
    this.shows = shows;
    if (same) return;
    this.onCanvas = null;
    this.element.classList.add('empty');
  }

  setTitle(text, remark) {
    this.title.textContent = text;
    if (remark) {
      const small = document.createElement('small');
      small.textContent = ` ${remark}`;
      this.title.append(small);
    }
  }

  scale() { return window.devicePixelRatio || 1; }

  /** Draws now. `look` is what all panes share: voxel, pan, zoom, hidden, radiological. */
  draw(viewer, look) {
    if (!this.shows) return;
    this.viewer = viewer;
    const { clientWidth, clientHeight } = this.element;
    const size = [clientWidth, clientHeight].map((length) => Math.max(1, Math.round(length * this.scale())));
    const [width, height] = size;
    viewer.show({ ...this.shows, ...look, size });
    this.slices = viewer.screenSlices;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      Object.assign(this.canvas, { width, height });
      Object.assign(this.canvas.style, { width: `${width / this.scale()}px`, height: `${height / this.scale()}px` });
    }
    this.paper.drawImage(viewer.canvas, 0, 0);
    this.element.classList.remove('empty');
    this.voxel = look.voxel;
    this.onCanvas = this.placesOf(look.voxel);
    this.drawCrosshair(this.onCanvas.at);
  }

  placesOf(voxel) { return this.viewer.placeOf(voxel, this.slices, this.shows.image, this.axes); }

  /** The voxel axes that run across and up the view. */
  get axes() { return { axial: [0, 1], coronal: [0, 2], sagittal: [1, 2] }[this.view]; }

  /** Fills voxels of the slice that is shown at once, on top of what is drawn: far quicker than drawing anew. */
  fill(voxels, value) {
    if (this.side !== undefined || !this.onCanvas) return;
    const { axes: [x, y], paper, voxel: shown, onCanvas: { at, step } } = this;
    const depth = DEPTH[this.view];
    const [width, height] = step.map(Math.abs);
    paper.fillStyle = PREVIEW[value];
    for (const voxel of voxels) {
      if (voxel[depth] === shown[depth]) {
        const [left, top] = [at[0] + (voxel[x] - shown[x]) * step[0] - width / 2, at[1] + (voxel[y] - shown[y]) * step[1] - height / 2];
        paper.fillRect(left, top, width, height);
      }
    }
  }

  /** Thin lines that leave what they point at free. */
  drawCrosshair([x, y]) {
    const { paper, canvas: { width, height } } = this;
    const [free, thick] = [12, 1].map((length) => Math.round(length * this.scale()));
    const [left, top] = [x, y].map((at) => Math.floor(at - thick / 2));
    paper.fillStyle = 'rgb(120 220 120 / 0.55)';
    paper.fillRect(0, top, x - free, thick);
    paper.fillRect(x + free, top, width, thick);
    paper.fillRect(left, 0, thick, y - free);
    paper.fillRect(left, y + free, thick, height);
  }

  /** The voxel under a pointer; null beside the image. */
  voxelAt(event) {
    if (!this.shows || !this.viewer) return null;
    const box = this.canvas.getBoundingClientRect();
    const place = [event.clientX - box.left, event.clientY - box.top].map((at) => at * this.scale());
    return this.viewer.voxelAt(place, this.slices, this.shows.image);
  }

  /** Where a voxel's middle is on the screen: for tests and for the brush's ring. */
  placeOf(voxel) {
    if (!this.onCanvas) return null;
    const box = this.canvas.getBoundingClientRect();
    const { at } = this.placesOf(voxel);
    return [box.left + at[0] / this.scale(), box.top + at[1] / this.scale()];
  }

  /** How many millimetres a pixel of the screen is. */
  mmPerPixel(spacing) { return (spacing[this.axes[0]] * this.scale()) / Math.abs(this.onCanvas.step[0]); }
}
