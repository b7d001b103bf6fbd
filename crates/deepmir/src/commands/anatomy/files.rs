//! The files of one image.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use deepmir_anatomy::{Parcellation, Side, Tissue};
use deepmir_cases::bids::write_text;
use deepmir_report::{Structure, StructureMosaic, Window};
use deepmir_volume::Volume;
use deepmir_volume::nifti::{self, Image};

use super::{colours, tables};

const LABELS: &str = "_desc-anatomy_dseg.nii.gz";
const TABLE: &str = "_desc-anatomy_dseg.tsv";
const BRAIN: &str = "_desc-brain_mask.nii.gz";
const VOLUMES: &str = "_desc-anatomy_volumes.tsv";
const PICTURE: &str = "_desc-anatomy.png";
const SIDECAR: &str = "_desc-anatomy.json";

/// Where the results of an image are.
#[derive(Clone, Debug)]
pub struct Files {
    /// What all names begin with.
    pub stem: String,
    /// Label map.
    pub labels: PathBuf,
    /// Its numbers in words.
    pub table: PathBuf,
    /// Brain mask.
    pub brain: PathBuf,
    /// Volumes in one row.
    pub volumes: PathBuf,
    /// Mosaic.
    pub picture: PathBuf,
    /// Verdict, and what the results were made from.
    pub sidecar: PathBuf,
}

impl Files {
    pub fn new(folder: &Path, stem: &str) -> Self {
        let path = |ending: &str| folder.join(format!("{stem}{ending}"));
        Self {
            stem: stem.to_owned(),
            labels: path(LABELS),
            table: path(TABLE),
            brain: path(BRAIN),
            volumes: path(VOLUMES),
            picture: path(PICTURE),
            sidecar: path(SIDECAR),
        }
    }

    /// Whether a file of this name is written for images of this stem.
    pub fn writes(stem: &str, name: &str) -> bool {
        let ending = name.strip_prefix(stem);
        ending.is_some_and(|ending| {
            [LABELS, TABLE, BRAIN, VOLUMES, PICTURE, SIDECAR].contains(&ending)
        })
    }

    /// All but the sidecar.
    pub fn results(&self) -> [&Path; 5] {
        [&self.labels, &self.table, &self.brain, &self.volumes, &self.picture].map(PathBuf::as_path)
    }

    /// Removes those that an earlier run left.
    pub fn remove_results(&self) -> anyhow::Result<()> {
        for path in self.results() {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(anyhow!("cannot remove ({error}): {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub fn write_results(&self, image: &Image<f32>, found: &Parcellation) -> anyhow::Result<()> {
        let header = Some(&image.header);
        nifti::write(&self.labels, &freesurfer(found), header)?;
        write_text(&self.table, &tables::labels(&found.volumes))?;
        nifti::write(&self.brain, &found.brain, header)?;
        write_text(&self.volumes, &tables::row(&self.stem, found))?;
        let structures = Tissue::ALL.into_iter().filter(|tissue| colours::is_shown(*tissue));
        let structures = structures.map(|tissue| Structure {
            number: tissue as u8,
            name: tissue.name().to_owned(),
            colour: colours::of(tissue),
        });
        let window = Window::of_brain(&image.volume, &found.brain);
        StructureMosaic::new(
            &image.volume,
            &found.tissue,
            &found.brain,
            structures.collect(),
            window,
        )
        .draw()
        .write_png(&self.picture)?;
        Ok(())
    }
}

/// The parcellation in FreeSurfer's numbers.
fn freesurfer(found: &Parcellation) -> Volume<i16> {
    let mut sides = found.side.data().iter();
    found.tissue.map(|&number| {
        let side = if sides.next() == Some(&2) { Side::Right } else { Side::Left };
        let tissue = Tissue::ALL.get(usize::from(number)).copied();
        // FreeSurfer's numbers of these structures are below 300.
        tissue.unwrap_or(Tissue::Background).freesurfer(side) as i16
    })
}
