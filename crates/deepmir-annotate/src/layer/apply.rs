//! Doing what a rater asks.

use std::collections::BTreeMap;

use deepmir_lesion::{Change as OverVisits, LesionClass};
use deepmir_volume::{BoundingBox, Grid, Volume, morphology};

use super::operation::Annotation as Change;
use super::{
    Annotation, Delta, Layer, MOST_GROWTH_MM, Operation, Origin, ReaderFindings, RegionGrowing,
    Run, Verdict, grow,
};
use crate::AnnotateError;
use crate::candidates::Candidate;
use crate::image_kind::ImageKind;

/// One stroke changes no more voxels than this.
const MOST_VOXELS: u64 = 2_000_000;
/// The longest comment.
const MOST_LETTERS: usize = 2000;
/// The longest name of a reader.
const MOST_LETTERS_OF_NAME: usize = 120;
/// More areas, or haemorrhages, nobody counts.
const MOST_COUNTED: u16 = 99;

/// What an operation reads besides the layer.
#[derive(Clone, Copy)]
pub struct CaseContext<'a> {
    /// The grid that is marked, in RAS order.
    pub grid: &'a Grid,
    /// The images.
    pub images: &'a dyn Fn(ImageKind) -> Option<&'a Volume<f32>>,
    /// What can be accepted or rejected.
    pub candidates: &'a [Candidate],
    /// Whether two visits are read.
    pub two_visits: bool,
}

/// The layer after an operation, and what changed.
///
/// # Errors
/// An operation that makes no sense on this layer; then nothing is changed.
pub fn apply(
    layer: &Layer,
    next_lesion: u16,
    operation: &Operation,
    around: CaseContext<'_>,
) -> Result<(Layer, Delta), AnnotateError> {
    let mut after = layer.clone();
    let mut edit = Edit { layer: &mut after, next_lesion, around };
    match operation {
        Operation::Paint { runs, class, lesion, apart } => {
            let voxels = edit.voxels_of(runs)?;
            edit.paint(&voxels, *class, *lesion, *apart)?;
        }
        Operation::Erase { runs } => {
            for voxel in edit.voxels_of(runs)? {
                edit.layer.voxels.remove(&voxel);
            }
        }
        Operation::Grow { seed, radius_mm, image, tolerance, class, lesion, apart } => {
            let growth = RegionGrowing {
                radius_mm: *radius_mm,
                bright: image.is_qsm(),
                tolerance: *tolerance,
            };
            let voxels = edit.grown(*seed, *image, &growth)?;
            edit.paint(&voxels, *class, *lesion, *apart)?;
        }
        Operation::Fill { lesion } => edit.fill(*lesion)?,
        Operation::Annotate { lesion, change } => edit.annotate(*lesion, change)?,
        Operation::Delete { lesion } => {
            edit.annotation(*lesion)?;
            edit.layer.voxels.retain(|_, of| of != lesion);
        }
        Operation::Accept { candidate } => edit.accept(candidate)?,
        Operation::Reject { candidate } => edit.reject(candidate)?,
        Operation::Withdraw { candidate } => edit.withdraw(candidate)?,
        Operation::Findings { findings } => edit.say(findings)?,
    }
    // A lesion without voxels is none; a decision that made it is open again.
    let left: std::collections::BTreeSet<u16> = after.voxels.values().copied().collect();
    after.lesions.retain(|lesion, _| left.contains(lesion));
    after.decisions.retain(|_, verdict| match verdict {
        Verdict::Accepted(lesion) => left.contains(lesion),
        Verdict::Rejected => true,
    });
    let delta = Delta::between(layer, &after);
    Ok((after, delta))
}

struct Edit<'l, 'a> {
    layer: &'l mut Layer,
    next_lesion: u16,
    around: CaseContext<'a>,
}

impl<'a> Edit<'_, 'a> {
    /// Voxels of runs, checked against the grid.
    fn voxels_of(&self, runs: &[Run]) -> Result<Vec<u32>, AnnotateError> {
        let count: u64 = runs.iter().map(|&(_, length)| u64::from(length)).sum();
        if count > MOST_VOXELS {
            return Err(AnnotateError::refused(format!(
                "a stroke of {count} voxels is too large; use a smaller brush"
            )));
        }
        let mut voxels = Vec::with_capacity(count as usize);
        for &(start, length) in runs {
            let end = u64::from(start) + u64::from(length);
            if length == 0 || end > self.around.grid.len() as u64 {
                return Err(AnnotateError::refused("a stroke outside of the image"));
            }
            voxels.extend(start..start + length);
        }
        Ok(voxels)
    }

    fn annotation(&mut self, lesion: u16) -> Result<&mut Annotation, AnnotateError> {
        self.layer.lesions.get_mut(&lesion).ok_or_else(|| {
            AnnotateError::refused(format!("there is no lesion {lesion}; it may have been deleted"))
        })
    }

    fn new_lesion(&mut self, annotation: Annotation) -> Result<u16, AnnotateError> {
        let lesion = self.next_lesion;
        self.next_lesion = lesion.checked_add(1).ok_or_else(|| {
            AnnotateError::refused("no more lesions can be numbered in this case")
        })?;
        self.layer.lesions.insert(lesion, annotation);
        Ok(lesion)
    }

    /// Marks voxels that belong to no other lesion.
    fn paint(
        &mut self,
        voxels: &[u32],
        class: LesionClass,
        lesion: Option<u16>,
        apart: bool,
    ) -> Result<(), AnnotateError> {
        let touched = if apart { None } else { self.touched(voxels, class) };
        let lesion = match lesion {
            Some(lesion) => {
                self.annotation(lesion)?;
                lesion
            }
            None => match touched {
                Some(lesion) => lesion,
                None if voxels.iter().all(|voxel| self.layer.voxels.contains_key(voxel)) => {
                    return Err(AnnotateError::refused(
                        "these voxels belong to another lesion; erase it there, or change its class",
                    ));
                }
                None => {
                    // What the program did not see is new until the reader says something else.
                    let change = self.around.two_visits.then_some(OverVisits::New);
                    self.new_lesion(Annotation { change, ..Annotation::new(class, Origin::Drawn) })?
                }
            },
        };
        for &voxel in voxels {
            self.layer.voxels.entry(voxel).or_insert(lesion);
        }
        Ok(())
    }

    /// The lesion of a class that shares most voxels and neighbours (by faces, edges and corners)
    /// with a stroke.
    fn touched(&self, voxels: &[u32], class: LesionClass) -> Option<u16> {
        let grid = self.around.grid;
        let shape = grid.shape();
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        for &voxel in voxels {
            let [i, j, k] = grid.voxel(voxel as usize);
            for z in k.saturating_sub(1)..(k + 2).min(shape[2]) {
                for y in j.saturating_sub(1)..(j + 2).min(shape[1]) {
                    for x in i.saturating_sub(1)..(i + 2).min(shape[0]) {
                        let Some(lesion) = self.layer.lesion_at(grid.index([x, y, z]) as u32)
                        else {
                            continue;
                        };
                        if self.layer.lesions.get(&lesion).is_some_and(|said| said.class == class) {
                            *counts.entry(lesion).or_default() += 1;
                        }
                    }
                }
            }
        }
        counts.into_iter().max_by_key(|&(_, count)| count).map(|(lesion, _)| lesion)
    }

    fn grown(
        &self,
        seed: u32,
        image: ImageKind,
        growth: &RegionGrowing,
    ) -> Result<Vec<u32>, AnnotateError> {
        if seed as usize >= self.around.grid.len() {
            return Err(AnnotateError::refused("a seed outside of the image"));
        }
        if !(growth.radius_mm > 0.0 && growth.radius_mm <= MOST_GROWTH_MM) {
            return Err(AnnotateError::refused(format!(
                "the sphere's radius must lie above 0 and up to {MOST_GROWTH_MM} mm"
            )));
        }
        if !(0.0..=1.0).contains(&growth.tolerance) {
            return Err(AnnotateError::refused("the tolerance must lie from 0 to 1"));
        }
        let name = image.name();
        let image = (self.around.images)(image)
            .ok_or_else(|| AnnotateError::refused(format!("this case has no {name} to grow on")))?;
        let voxels = grow(image, seed as usize, growth);
        if voxels.is_empty() {
            let wanted = if growth.bright { "brighter" } else { "darker" };
            return Err(AnnotateError::refused(format!(
                "nothing there is {wanted} than its surroundings on {name}"
            )));
        }
        Ok(voxels.into_iter().map(|voxel| voxel as u32).collect())
    }

    /// Holes are filled slice by slice: that is what one sees.
    fn fill(&mut self, lesion: u16) -> Result<(), AnnotateError> {
        self.annotation(lesion)?;
        let grid = *self.around.grid;
        let of_lesion = self.layer.voxels.iter().filter(|&(_, &of)| of == lesion);
        let voxels: Vec<[usize; 3]> =
            of_lesion.map(|(&voxel, _)| grid.voxel(voxel as usize)).collect();
        let axis = |n: usize| voxels.iter().map(move |voxel| voxel[n]);
        let low = [0, 1, 2].map(|n| axis(n).min().unwrap_or(0));
        let high = [0, 1, 2].map(|n| axis(n).max().unwrap_or(0) + 1);
        for k in low[2]..high[2] {
            let ends = [high[0], high[1], k + 1];
            let Some(part) = BoundingBox::new([low[0], low[1], k], ends) else { continue };
            let part = part.grown([1, 1, 0], &grid);
            let mut slice = Volume::filled(part.grid_of(&grid), false);
            for &[i, j, z] in &voxels {
                if z == k {
                    slice[[i - part.start()[0], j - part.start()[1], 0]] = true;
                }
            }
            let filled = enclosed(&slice);
            for (index, _) in filled.data().iter().enumerate().filter(|&(_, &inside)| inside) {
                let [i, j, _] = filled.grid().voxel(index);
                let voxel = grid.index([i + part.start()[0], j + part.start()[1], k]) as u32;
                self.layer.voxels.entry(voxel).or_insert(lesion);
            }
        }
        Ok(())
    }

    fn only_of_two_visits(&self) -> Result<(), AnnotateError> {
        if self.around.two_visits {
            return Ok(());
        }
        Err(AnnotateError::refused("this case has one visit: nothing is new or gone in it"))
    }

    fn say(&mut self, findings: &ReaderFindings) -> Result<(), AnnotateError> {
        self.only_of_two_visits()?;
        check_length(&findings.remark, MOST_LETTERS)?;
        check_length(&findings.reader, MOST_LETTERS_OF_NAME)?;
        let counts = [findings.siderosis_areas, findings.macrohaemorrhages];
        if counts.into_iter().flatten().any(|count| count > MOST_COUNTED) {
            return Err(AnnotateError::refused(format!("numbers go up to {MOST_COUNTED}")));
        }
        self.layer.findings = Some(findings.clone());
        Ok(())
    }

    fn annotate(&mut self, lesion: u16, change: &Change) -> Result<(), AnnotateError> {
        check_length(change.comment.as_deref().unwrap_or_default(), MOST_LETTERS)?;
        if change.change.is_some() {
            self.only_of_two_visits()?;
        }
        let said = self.annotation(lesion)?;
        said.class = change.class.unwrap_or(said.class);
        said.certainty = change.certainty.unwrap_or(said.certainty);
        said.region = change.region.unwrap_or(said.region);
        said.change = change.change.or(said.change);
        if let Some(comment) = &change.comment {
            said.comment.clone_from(comment);
        }
        Ok(())
    }

    fn candidate(&self, key: &str) -> Result<&'a Candidate, AnnotateError> {
        self.around.candidates.iter().find(|one| one.key == key).ok_or_else(|| {
            AnnotateError::refused(format!(
                "there is nothing called {key:?} to decide on in this case"
            ))
        })
    }

    fn accept(&mut self, key: &str) -> Result<(), AnnotateError> {
        let candidate = self.candidate(key)?;
        self.withdraw_quietly(key);
        let free: Vec<u32> = candidate
            .voxels
            .iter()
            .map(|&voxel| voxel as u32)
            .filter(|voxel| !self.layer.voxels.contains_key(voxel))
            .collect();
        if free.is_empty() {
            return Err(AnnotateError::refused(
                "every voxel of it is marked already; reject it, or delete that mark first",
            ));
        }
        let lesion = self.new_lesion(candidate.said.clone())?;
        for voxel in free {
            self.layer.voxels.insert(voxel, lesion);
        }
        self.layer.decisions.insert(key.to_owned(), Verdict::Accepted(lesion));
        Ok(())
    }

    fn reject(&mut self, key: &str) -> Result<(), AnnotateError> {
        self.candidate(key)?;
        self.withdraw_quietly(key);
        self.layer.decisions.insert(key.to_owned(), Verdict::Rejected);
        Ok(())
    }

    fn withdraw(&mut self, key: &str) -> Result<(), AnnotateError> {
        self.candidate(key)?;
        self.withdraw_quietly(key);
        Ok(())
    }

    fn withdraw_quietly(&mut self, key: &str) {
        if let Some(Verdict::Accepted(lesion)) = self.layer.decisions.remove(key) {
            self.layer.voxels.retain(|_, of| *of != lesion);
        }
    }
}

fn check_length(text: &str, most: usize) -> Result<(), AnnotateError> {
    let letters = text.chars().count();
    if letters > most {
        return Err(AnnotateError::refused(format!(
            "a text of {letters} letters is too long; {most} fit"
        )));
    }
    Ok(())
}

/// A slice with what it encloses: what cannot be reached from its border by faces.
fn enclosed(slice: &deepmir_volume::Mask) -> deepmir_volume::Mask {
    // One slice has no inside in 3D; between two full ones it has.
    let [nx, ny, _] = slice.shape();
    let Ok(grid) = Grid::new([nx, ny, 3], *slice.grid().affine()) else { return slice.clone() };
    let thick = Volume::from_fn(grid, |[i, j, k]| k != 1 || slice[[i, j, 0]]);
    let filled = morphology::fill_holes(&thick);
    let mut result = slice.clone();
    result.data_mut().copy_from_slice(filled.slice(1));
    result
}
