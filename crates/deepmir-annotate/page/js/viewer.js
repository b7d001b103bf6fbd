// The only module that knows NiiVue. A pane shows one image in one view, and marks over it.
// Images come in RAS order with an upright geometry, so a voxel of the pane is a voxel of the case.

const { Niivue, SLICE_TYPE } = globalThis.niivue;

/** Colours of marks by value: background, CMB, NHID, selected, candidate, stroke, eraser. */
export const MARK = { none: 0, CMB: 1, NHID: 2, selected: 3, candidate: 4, stroke: 5, eraser: 6 };
const COLOURS = [[0, 0, 0], [213, 94, 0], [86, 180, 233], [240, 228, 66], [204, 121, 167], [255, 255, 255], [120, 120, 120]];
const TEXTURE7 = 33991;
const VIEWS = { axial: SLICE_TYPE.AXIAL, coronal: SLICE_TYPE.CORONAL, sagittal: SLICE_TYPE.SAGITTAL };

/** The voxel axis that a view looks along. */
export const DEPTH = { axial: 2, coronal: 1, sagittal: 0 };

export class Pane {
  constructor(parent, name) {
    this.element = document.createElement('div');
    this.element.className = 'pane';
    this.element.dataset.pane = name;
    this.canvas = document.createElement('canvas');
    this.title = document.createElement('div');
    this.title.className = 'title';
    this.cover = document.createElement('div');
    this.cover.className = 'cover';
    this.element.append(this.canvas, this.cover, this.title);
    parent.append(this.element);
    this.view = 'axial';
    this.kind = null;
    this.nv = new Niivue({
      interactive: false, isNearestInterpolation: true, backColor: [0, 0, 0, 1], logLevel: 'error',
      crosshairWidth: 0.35, crosshairGap: 4, crosshairColor: [0.35, 0.75, 0.35, 0.6],
      sliceType: SLICE_TYPE.AXIAL, dragAndDropEnabled: false, isRadiologicalConvention: true,
      maxDrawUndoBitmaps: 1, loadingText: '', fontColor: [0.85, 0.85, 0.85, 1],
    });
  }

  async start() {
    await this.nv.attachToCanvas(this.canvas, false);
    this.nv.drawOpacity = 0.18;
    this.nv.drawRimOpacity = 1;
    // Before there is an image: afterwards each call would send the image to the card again.
    this.nv.setDrawColormap({
      R: COLOURS.map((c) => c[0]), G: COLOURS.map((c) => c[1]), B: COLOURS.map((c) => c[2]),
      A: COLOURS.map((_, n) => (n ? 255 : 0)), I: COLOURS.map((_, n) => n), labels: COLOURS.map(String),
    });
  }

  /** Shows an image (NIfTI bytes) with marks of the same shape. */
  async load(kind, bytes, window, marks) {
    const nv = this.nv;
    if (nv.drawBitmap) nv.closeDrawing();
    while (nv.volumes.length) nv.removeVolume(nv.volumes[0]);
    this.kind = kind;
    await nv.addVolumeFromUrl({
      url: `${kind}.nii`, name: `${kind}.nii`, buffer: bytes, colormap: 'gray',
      cal_min: window[0], cal_max: window[1], trustCalMinMax: true,
    });
    nv.createEmptyDrawing();
    this.setMarks(marks);
  }

  setTitle(text, remark) {
    this.title.textContent = text;
    if (remark) {
      const small = document.createElement('small');
      small.textContent = ` ${remark}`;
      this.title.append(small);
    }
  }

  setMarks(marks) {
    this.nv.drawBitmap = marks;
    this.uploadMarks(0, this.shape()[2] - 1);
  }

  shape() { return this.nv.back.dims.slice(1, 4); }

  /** Sends the marks of some axial slices to the graphics card: NiiVue itself sends all. */
  uploadMarks(first, last) {
    const { nv } = this;
    const { gl } = nv;
    if (!nv.drawTexture || last < first) return;
    const [nx, ny] = this.shape();
    gl.activeTexture(TEXTURE7);
    gl.bindTexture(gl.TEXTURE_3D, nv.drawTexture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, first, nx, ny, last - first + 1, gl.RED, gl.UNSIGNED_BYTE,
      nv.drawBitmap.subarray(first * nx * ny, (last + 1) * nx * ny));
  }

  showMarks(shown) {
    this.nv.drawOpacity = shown ? 0.18 : 0;
    this.nv.drawRimOpacity = shown ? 1 : 0;
  }

  setView(view) {
    this.view = view;
    this.nv.opts.sliceType = VIEWS[view];
  }

  setRadiological(on) { this.nv.opts.isRadiologicalConvention = on; }

  setWindow([low, high]) {
    const volume = this.nv.volumes[0];
    if (!volume) return;
    volume.cal_min = low;
    volume.cal_max = high;
    this.nv.updateGLVolume();
  }

  /** Pans (millimetres) and zooms; both are shared by all panes. */
  setCamera({ pan, zoom }) { this.nv.scene.pan2Dxyzmm = [...pan, zoom]; }

  setCrosshair(voxel) {
    const shape = this.shape();
    this.nv.scene.crosshairPos = voxel.map((at, axis) => (at + 0.5) / shape[axis]);
  }

  draw() { if (this.nv.volumes.length) this.nv.drawScene(); }

  /** The voxel under a pointer; null beside the image. */
  voxelAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.nv.uiData.dpr ?? 1;
    const frac = this.nv.canvasPos2frac([(event.clientX - box.left) * scale, (event.clientY - box.top) * scale]);
    const shape = this.shape();
    if (frac[0] < 0 || [0, 1, 2].some((axis) => frac[axis] < 0 || frac[axis] >= 1)) return null;
    return shape.map((length, axis) => Math.min(length - 1, Math.floor(frac[axis] * length)));
  }

  /** Where a voxel's middle is on the screen: for tests and for the brush's ring. */
  placeOf(voxel) {
    const shape = this.shape();
    const place = this.nv.frac2canvasPos(voxel.map((at, axis) => (at + 0.5) / shape[axis]));
    if (!place) return null;
    const box = this.canvas.getBoundingClientRect();
    const scale = this.nv.uiData.dpr ?? 1;
    return [box.left + place[0] / scale, box.top + place[1] / scale];
  }
}
