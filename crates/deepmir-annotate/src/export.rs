//! Label maps and lesion tables, in and out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepmir_lesion::{Change, LabelMap, LesionClass, lesions_of, table};
use deepmir_volume::components::Connectivity;
use deepmir_volume::nifti;

use crate::case::{CaseFiles, LoadedCase, read_labels};
use crate::layer::{Annotation, Certainty, Layer, Origin};
use crate::store::{ADJUDICATED, LayerKey, LayerState, Stage};
use crate::view::{label_map, lesions};
use crate::visits::sheet;
use crate::{AnnotateError, Dataset, Store};

/// Columns after those of every lesion table; the last one only of two visits.
const COLUMNS: [&str; 4] = ["origin", "parts", "comment", "change"];

/// Whose marks become one label map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// One rater's.
    One,
    /// Voxels that any rater marked; where classes differ, that of the rater named first.
    Union,
    /// Voxels that every rater marked as the same class.
    Intersection,
    /// What was settled between two raters.
    Adjudicated,
}

/// What an export left out, and how many cases it wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Cases written.
    pub written: usize,
    /// Cases that not every rater has finished.
    pub unfinished: Vec<String>,
}

/// Writes a layer's label map (on the image's own grid, with its header's geometry) and table.
///
/// # Errors
/// Files that cannot be written.
pub fn write_layer(
    dataset: &Dataset,
    case: &LoadedCase,
    key: &LayerKey,
    state: &LayerState,
) -> Result<PathBuf, AnnotateError> {
    let name = case.files.name.replace("{desc}", &key.desc());
    let folder = made(dataset.out.join(&case.files.folder))?;
    let path = folder.join(format!("{name}_dseg.nii.gz"));
    // What is gone is not there any more.
    let is_there = |said: &Annotation| said.change.is_none_or(|change| change.is_there(1));
    write_labels(&path, case, &label_map(case, &state.layer, &is_there))?;
    let columns = if case.visits.is_some() { &COLUMNS[..] } else { &COLUMNS[..3] };

    let (mut rows, mut more) = (Vec::new(), Vec::new());
    for (view, row) in lesions(case, &state.layer) {
        let said = &view.said;
        // A table's cell is one line.
        let comment: Vec<&str> = said.comment.split_whitespace().collect();
        let change = said.change.map_or("n/a", Change::name);
        let mut cells = vec![
            said.origin.name().to_owned(),
            view.parts.to_string(),
            if comment.is_empty() { "n/a".to_owned() } else { comment.join(" ") },
            change.to_owned(),
        ];
        cells.truncate(columns.len());
        more.push(cells);
        rows.push(row);
    }
    table::write_with(&folder.join(format!("{name}_lesions.tsv")), &rows, columns, &more)?;
    sheet::write(&folder, &name, case, key, state)?;
    Ok(path)
}

fn made(folder: PathBuf) -> Result<PathBuf, AnnotateError> {
    std::fs::create_dir_all(&folder)
        .map_err(|source| AnnotateError::Io { path: folder.clone(), source })?;
    Ok(folder)
}

fn write_labels(path: &Path, case: &LoadedCase, labels: &LabelMap) -> Result<(), AnnotateError> {
    let native = case.orientation.from_ras(labels.volume());
    Ok(nifti::write(path, &native, Some(&case.header))?)
}

/// Writes every layer whose label map is older than it is.
///
/// # Errors
/// A store that does not answer, or files that cannot be read or written.
pub fn write_pending(dataset: &Dataset, store: &Store) -> Result<usize, AnnotateError> {
    let mut last: Option<Arc<LoadedCase>> = None;
    write_pending_with(dataset, store, &mut |files| match &last {
        Some(case) if case.files.id == files.id => Ok(Arc::clone(case)),
        _ => {
            let case = Arc::new(LoadedCase::read(files)?);
            last = Some(Arc::clone(&case));
            Ok(case)
        }
    })
}

/// As [`write_pending`], for those who have cases read already.
///
/// # Errors
/// As above; what `load` refuses.
pub fn write_pending_with(
    dataset: &Dataset,
    store: &Store,
    load: &mut dyn FnMut(&CaseFiles) -> Result<Arc<LoadedCase>, AnnotateError>,
) -> Result<usize, AnnotateError> {
    let mut written = 0;
    for key in store.not_exported()? {
        let (Some(files), Some(state)) = (dataset.case(&key.case), store.layer(&key)?) else {
            continue;
        };
        let case = load(files)?;
        let reference = files.reference().unwrap_or(&dataset.out);
        store.check_grid(&key.case, case.header.grid(), reference)?;
        write_layer(dataset, &case, &key, &state)?;
        store.set_exported(&key, state.revision)?;
        written += 1;
    }
    Ok(written)
}

/// Imports label maps as a rater's own marks, by case.
///
/// # Errors
/// A map on another grid, a case that the rater began already. Cases before it are taken.
pub fn import(
    dataset: &Dataset,
    store: &Store,
    rater: &str,
    maps: &BTreeMap<String, PathBuf>,
) -> Result<usize, AnnotateError> {
    store.add_rater(rater)?;
    let mut plans = Vec::new();
    for (id, path) in maps {
        let Some(files) = dataset.case(id) else { continue };
        let key = LayerKey { case: id.clone(), rater: rater.to_owned(), stage: Stage::Own };
        if store.layer(&key)?.is_some() {
            return Err(AnnotateError::refused(format!(
                "{rater} has marks on {id} already; import under another rater's name: {}",
                path.display()
            )));
        }
        let reference = reference(files)?;
        let header = nifti::read_header(reference)?;
        let orientation = deepmir_volume::Orientation::of(header.grid().affine());
        let labels = read_labels(path, &header, &orientation)?;
        store.check_grid(id, header.grid(), reference)?;
        plans.push((key, layer_of(&labels, Origin::Imported)));
    }
    for (key, layer) in &plans {
        store.open_layer(key, layer, &[])?;
    }
    Ok(plans.len())
}

fn reference(files: &CaseFiles) -> Result<&PathBuf, AnnotateError> {
    files
        .reference()
        .ok_or_else(|| AnnotateError::refused(format!("{} has no image to mark on", files.id)))
}

/// A label map's connected components as lesions.
pub fn layer_of(labels: &LabelMap, origin: Origin) -> Layer {
    let mut layer = Layer::default();
    for (n, lesion) in lesions_of(labels, Connectivity::TwentySix).into_iter().enumerate() {
        let id = u16::try_from(n + 1).unwrap_or(u16::MAX);
        layer.lesions.insert(id, Annotation::new(lesion.class, origin));
        layer.voxels.extend(lesion.voxels.into_iter().map(|voxel| (voxel as u32, id)));
    }
    layer
}

pub(crate) fn check_raters(raters: &[String], known: &[String]) -> Result<(), AnnotateError> {
    match raters.iter().find(|rater| !known.contains(rater)) {
        Some(stranger) => Err(AnnotateError::refused(format!(
            "there is no rater {stranger}; there are {}",
            known.join(", ")
        ))),
        None => Ok(()),
    }
}

/// What a rater finished: the review if there was one, else the own pass.
///
/// # Errors
/// A store that does not answer.
pub fn finished(
    store: &Store,
    case: &str,
    rater: &str,
) -> Result<Option<LayerState>, AnnotateError> {
    for stage in [Stage::Review, Stage::Own] {
        let key = LayerKey { case: case.to_owned(), rater: rater.to_owned(), stage };
        if let Some(state) = store.layer(&key)?.filter(|state| state.done.is_some()) {
            return Ok(Some(state));
        }
    }
    Ok(None)
}

/// Writes one label map a case for training, into `out` in BIDS folders. Cases that not every
/// rater has finished are left out and named. Without `possible`, only definite lesions count.
///
/// # Errors
/// No raters or too many for the rule; files that cannot be written.
pub fn export(
    dataset: &Dataset,
    store: &Store,
    out: &Path,
    raters: &[String],
    combine: Combine,
    possible: bool,
) -> Result<Exported, AnnotateError> {
    check_raters(raters, &store.raters()?)?;
    let fits = match combine {
        Combine::One => raters.len() == 1,
        Combine::Union | Combine::Intersection => raters.len() >= 2,
        Combine::Adjudicated => raters.is_empty(),
    };
    if !fits {
        return Err(AnnotateError::refused(
            "one rater is exported alone, two or more as union or intersection, and adjudicated marks without \
             naming raters",
        ));
    }
    let keep = |said: &Annotation| possible || said.certainty == Certainty::Definite;
    let mut exported = Exported::default();
    for files in &dataset.cases {
        let states: Option<Vec<LayerState>> = match combine {
            Combine::Adjudicated => {
                let key = LayerKey {
                    case: files.id.clone(),
                    rater: ADJUDICATED.to_owned(),
                    stage: Stage::Adjudication,
                };
                store.layer(&key)?.filter(|state| state.done.is_some()).map(|state| vec![state])
            }
            _ => raters
                .iter()
                .map(|rater| finished(store, &files.id, rater))
                .collect::<Result<_, _>>()?,
        };
        let Some(states) = states else {
            exported.unfinished.push(files.id.clone());
            continue;
        };
        let case = LoadedCase::read(files)?;
        let maps: Vec<LabelMap> =
            states.iter().map(|state| label_map(&case, &state.layer, &keep)).collect();
        let folder = made(out.join(&files.folder))?;
        let name = files.name.replace("_desc-{desc}", "");
        write_labels(
            &folder.join(format!("{name}_dseg.nii.gz")),
            &case,
            &combined(&maps, combine),
        )?;
        exported.written += 1;
    }
    Ok(exported)
}

fn combined(maps: &[LabelMap], combine: Combine) -> LabelMap {
    let mut result = LabelMap::empty(*maps[0].grid());
    for class in LesionClass::ALL {
        let mut voxels = Vec::new();
        for index in 0..result.grid().len() {
            let mut marks = maps.iter().map(|map| map.class_at(index));
            let here = match combine {
                Combine::Intersection => marks.all(|mark| mark == Some(class)),
                _ => marks.flatten().next() == Some(class),
            };
            if here {
                voxels.push(index);
            }
        }
        result.paint(&voxels, class);
    }
    result
}
