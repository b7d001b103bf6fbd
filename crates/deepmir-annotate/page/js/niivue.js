// NiiVue for slices: one of it (a WebGL context with its thirty shaders is what takes longest to make)
// draws all panes in turn. Windows are applied here, to the slices on display, and not by NiiVue,
// which does it to all voxels on the card and computes gradients for its 3D rendering: together half a
// second an image and window where the card is made of software. The only module that knows NiiVue.

const { Niivue, NVImage, SLICE_TYPE } = globalThis.niivue;

/** Colours of marks by value: background, CMB, NHID, selected, candidate, stroke, eraser. */
const COLOURS = [[0, 0, 0], [213, 94, 0], [86, 180, 233], [240, 228, 66], [204, 121, 167], [255, 255, 255], [120, 120, 120]];
const VIEWS = { axial: SLICE_TYPE.AXIAL, coronal: SLICE_TYPE.CORONAL, sagittal: SLICE_TYPE.SAGITTAL };
/** NiiVue's texture units of the image and of marks. */
const IMAGE = 33984;
const MARKS = 33991;
/** How much of a region's colour covers the image. */
const TINT = 0.35;
/** What is off while NiiVue makes ready for an image. */
const NOTHING = ['drawArrays', 'framebufferTextureLayer', 'texStorage3D', 'texSubImage3D'];

// The window comes with the image; NiiVue would look for one in all voxels.
NVImage.prototype.calMinMax = function calMinMax() {
  const { cal_min: low, cal_max: high } = this.hdr;
  Object.assign(this, { cal_min: low, cal_max: high, robust_min: low, robust_max: high, global_min: low, global_max: high });
  return [low, high, low, high];
};

/** Reads an image (NIfTI bytes); its slices go to the card when they are first shown. */
export async function readImage(kind, bytes, [low, high]) {
  const volume = await NVImage.loadFromUrl({
    url: `${kind}.nii`, name: `${kind}.nii`, buffer: bytes, colormap: 'gray', cal_min: low, cal_max: high,
  });
  return { volume, texture: null, window: [low, high], sent: new Map() };
}

/** Mixes the regions' colours into a slice whose first voxel is the case's `first`. */
function tint(rgba, { map, colours }, first) {
  for (let n = 0; n < rgba.length / 4; n += 1) {
    const colour = colours[map[first + n]];
    if (!colour) continue;
    for (let channel = 0; channel < 3; channel += 1) {
      rgba[4 * n + channel] = (1 - TINT) * rgba[4 * n + channel] + TINT * colour[channel];
    }
  }
}

export class SliceViewer extends Niivue {
  constructor() {
    super({
      interactive: false, isResizeCanvas: false, isNearestInterpolation: true, backColor: [0, 0, 0, 1], logLevel: 'error',
      crosshairWidth: 0,
      sliceType: SLICE_TYPE.AXIAL, dragAndDropEnabled: false, isRadiologicalConvention: true,
      maxDrawUndoBitmaps: 1, loadingText: '', fontColor: [0.85, 0.85, 0.85, 1],
    });
  }

  async start(canvas) {
    await this.attachToCanvas(canvas, false);
    this.setDrawColormap({
      R: COLOURS.map((c) => c[0]), G: COLOURS.map((c) => c[1]), B: COLOURS.map((c) => c[2]),
      A: COLOURS.map((_, n) => (n ? 255 : 0)), I: COLOURS.map((_, n) => n), labels: COLOURS.map(String),
    });
    return this;
  }

  /** Draws one view of an image with marks over it to the canvas. */
  show({ image, marks, regions, view, hidden, radiological, voxel, pan, zoom, size: [width, height] }) {
    const { canvas } = this;
    const dpr = window.devicePixelRatio || 1;
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
      Object.assign(canvas.style, { width: `${width / dpr}px`, height: `${height / dpr}px` });
    }
    this.uiData.dpr = dpr;
    this.textSizePoints();
    Object.assign(this.opts, { sliceType: VIEWS[view], isRadiologicalConvention: radiological });
    this.choose(image);
    this.regions = regions;
    if (view === 'axial') this.sendSlice(image, voxel[2]);
    else for (let slice = 0; slice < this.shape()[2]; slice += 1) this.sendSlice(image, slice);
    this.sendMarks(marks);
    Object.assign(this, { drawOpacity: hidden ? 0 : 0.18, drawRimOpacity: hidden ? 0 : 1 });
    const shape = this.shape();
    this.scene.crosshairPos = voxel.map((at, axis) => (at + 0.5) / shape[axis]);
    this.scene.pan2Dxyzmm = [...pan, zoom];
    this.drawScene();
    const { gl } = this;
    if (this.fence) gl.deleteSync(this.fence);
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
  }

  /** Whether the card has drawn what it was last told to. */
  idle() {
    const { gl, fence } = this;
    return !fence || gl.getSyncParameter(fence, gl.SYNC_STATUS) === gl.SIGNALED;
  }

  shape() { return this.back.dims.slice(1, 4); }

  /** Makes an image the one that is drawn. */
  choose(image) {
    Object.assign(this, { volumes: [image.volume], back: image.volume, overlays: [], volumeTexture: image.texture });
    if (image.texture) return;
    this.waits = true;
    this.updateGLVolume();
    this.waits = false;
    image.texture = this.volumeTexture;
  }

  drawScene() { if (!this.waits) super.drawScene(); }

  /** Sets NiiVue up for an image, with an empty texture. */
  refreshLayers(...layer) {
    const { gl } = this;
    for (const name of NOTHING) gl[name] = () => {};
    gl.checkFramebufferStatus = () => gl.FRAMEBUFFER_COMPLETE;
    try {
      super.refreshLayers(...layer);
    } finally {
      for (const name of [...NOTHING, 'checkFramebufferStatus']) delete gl[name];
    }
  }

  rgbaTex(texture, unit, dims, filled) {
    const { texStorage3D, texSubImage3D } = this.gl;
    delete this.gl.texStorage3D;
    delete this.gl.texSubImage3D;
    const made = super.rgbaTex(texture, unit, unit === IMAGE ? dims : [2, 2, 2, 2], filled && unit !== IMAGE);
    Object.assign(this.gl, { texStorage3D, texSubImage3D });
    return made;
  }

  /** Sends an axial slice, its window applied, if the card has it not or with another window. */
  sendSlice(image, slice) {
    const [low, high] = image.window;
    const wanted = `${image.window} ${Boolean(this.regions)}`;
    if (image.sent.get(slice) === wanted) return;
    image.sent.set(slice, wanted);
    const { gl } = this;
    const [nx, ny] = this.shape();
    const { img, hdr } = image.volume;
    const values = img.subarray(slice * nx * ny, (slice + 1) * nx * ny);
    const scale = (255 * hdr.scl_slope) / (high - low);
    const offset = (255 * (hdr.scl_inter - low)) / (high - low) + 0.5;
    const colours = new Uint32Array(values.length);
    for (let n = 0; n < values.length; n += 1) {
      const grey = Math.max(0, Math.min(255, values[n] * scale + offset)) & 255;
      colours[n] = 0xff000000 | (grey * 0x010101);
    }
    if (this.regions) tint(new Uint8Array(colours.buffer), this.regions, slice * nx * ny);
    gl.activeTexture(IMAGE);
    gl.bindTexture(gl.TEXTURE_3D, image.texture);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, slice, nx, ny, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(colours.buffer));
  }

  /** Makes marks the ones that are drawn; sends the slices of them that the card lacks. */
  sendMarks(marks) {
    const { gl } = this;
    const [, nx, ny] = this.back.dims;
    // A new texture is empty, as are new marks.
    marks.texture ??= this.r8Tex(null, MARKS, this.back.dims);
    Object.assign(this, { drawBitmap: marks.values, drawTexture: marks.texture });
    gl.activeTexture(MARKS);
    gl.bindTexture(gl.TEXTURE_3D, marks.texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    for (const [first, last] of marks.unsent()) {
      gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, first, nx, ny, last - first + 1, gl.RED, gl.UNSIGNED_BYTE,
        marks.values.subarray(first * nx * ny, (last + 1) * nx * ny));
    }
  }

  /** Takes images and marks from the card. */
  forget(all) {
    for (const one of all) {
      if (one.texture) this.gl.deleteTexture(one.texture);
      one.texture = null;
    }
  }

  /** Which voxel is at a place of the canvas, as it was drawn with these `slices`; null beside the image. */
  voxelAt(place, slices, { volume }) {
    Object.assign(this, { volumes: [volume], back: volume });
    this.screenSlices = slices;
    const frac = this.canvasPos2frac(place);
    if (frac[0] < 0 || [0, 1, 2].some((axis) => frac[axis] < 0 || frac[axis] >= 1)) return null;
    return this.shape().map((length, axis) => Math.min(length - 1, Math.floor(frac[axis] * length)));
  }

  /** Where a voxel's middle is on the canvas (or beside it), and how far it is to the next one along the view's axes. */
  placeOf(voxel, [slice], { volume }, [x, y]) {
    const shape = volume.hdr.dims.slice(1, 4);
    const mm = volume.convertFrac2MM(voxel.map((at, axis) => (at + 0.5) / shape[axis]));
    // The width is negative where left is on the right.
    const [left, top, width, height] = slice.leftTopWidthHeight;
    const [across, up] = [width / slice.fovMM[0], -height / slice.fovMM[1]];
    return {
      at: [left + (mm[x] - slice.leftTopMM[0]) * across, top + height + (mm[y] - slice.leftTopMM[1]) * up],
      step: [across * volume.hdr.pixDims[x + 1], up * volume.hdr.pixDims[y + 1]],
    };
  }
}
