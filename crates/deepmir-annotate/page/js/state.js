// What the page knows: the rater, the case, its marks, and where one looks.

export const state = {
  rater: null, regions: [], cases: [],
  /** Which marks are shown: case, rater, stage. */
  at: null,
  /** The case: shape, spacing_mm, affine, images. */
  case: null,
  /** The layer as the server last told it. */
  layer: null,
  voxel: [0, 0, 0], pan: [0, 0, 0], zoom: 1,
  lesion: null, candidate: null, startNew: false,
  tool: 'brush', cls: 'CMB', hidden: false, showRegions: false, planes: false, fourth: 'minIP',
  /** Of two visits: the kind of image of the lower panes, and whether the visits have changed places. */
  lower: 'QSM', exchanged: false,
  /** Of results: whether that is what is shown, and how probable a lesion a candidate must be to be listed. */
  results: false, least: 0.1,
  /** Of the open case: what each voxel is, or why that is not known. */
  regionMap: null, noRegions: null,
  settings: { brush: 1.5, ball: false, radius: 4, tolerance: 0.5, radiological: true, keys: {} },
};

export const $ = (id) => document.getElementById(id);

/** The place of a voxel in RAS+ millimetres. */
export const placeOf = (voxel) =>
  state.case.affine.slice(0, 3).map((row) => row[0] * voxel[0] + row[1] * voxel[1] + row[2] * voxel[2] + row[3]);

export const indexOf = ([i, j, k]) => i + state.case.shape[0] * (j + state.case.shape[1] * k);

/** The region of a voxel; null where there is none or it is not known yet. */
export const regionAt = (voxel) => state.regions[(state.regionMap?.[indexOf(voxel)] ?? 0) - 1] ?? null;

export const lesionById = (id) => state.layer?.lesions.find((lesion) => lesion.id === id);

/** The candidates that are listed. */
export const candidates = () => state.layer.candidates.filter((one) => !state.results || one.probability >= state.least);

/** The lesion of a voxel; 0 is none. */
export function lesionAt(index) {
  const run = state.layer?.runs.find(([start, length]) => index >= start && index < start + length);
  return run ? run[2] : 0;
}
